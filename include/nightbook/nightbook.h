/* SPDX-License-Identifier: Apache-2.0 */
/** Everything of nightbook's public C API, one header a subject. */
#ifndef NIGHTBOOK_NIGHTBOOK_H
#define NIGHTBOOK_NIGHTBOOK_H

#include <nightbook/book.h>
#include <nightbook/client.h>
#include <nightbook/error.h>
#include <nightbook/frame.h>
#include <nightbook/night.h>
#include <nightbook/price.h>
#include <nightbook/quote.h>
#include <nightbook/tr.h>
#include <nightbook/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @return "0.1.0". Static. */
NB_API const char *nb_version(void);

#ifdef __cplusplus
}
#endif
#endif
