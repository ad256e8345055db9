/* SPDX-License-Identifier: Apache-2.0 */
/** Decoders and servers as others would write them: what nightbook is measured against. */
#ifndef NB_BENCH_PEERS_H
#define NB_BENCH_PEERS_H

#include <stddef.h>

/** One record, split by strtok_r, numbers by strtod and strtol; no checks. Changes `text`. @return
 * a sum of all. */
double peer_strtok_decode(char *text);

#endif
