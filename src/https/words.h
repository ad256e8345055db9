/* SPDX-License-Identifier: Apache-2.0 */
/* What libcurl found, in words for people. */
#ifndef NB_HTTPS_WORDS_H
#define NB_HTTPS_WORDS_H

#include "base/base.h"
#include <curl/curl.h>

typedef struct nb__https_end {
    CURL *easy;
    CURLcode result;
    size_t body_max_bytes;
    const char *name;   /**< "https://HOST:PORT" */
    const char *reason; /**< libcurl's own words; may be "" */
} nb__https_end;
/** Fill `error` with the class, what failed on what, and what the reader can do. */
void nb__https_words(const nb__https_end *end, nb_error *error);

#endif
