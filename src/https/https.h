/* SPDX-License-Identifier: Apache-2.0 */
/**
 * https, L4: one HTTP exchange over verified TLS, on io's loop (libcurl). A room of its own so that
 * libnightbook needs no libcurl. Plain ws and http are io's.
 */
#ifndef NB_HTTPS_H
#define NB_HTTPS_H

#include "base/base.h"
#include "io/io.h"

typedef struct nb__https nb__https;
typedef struct nb__https_request {
    const char *method;         /**< "GET" or "POST" */
    const nb__address *address; /**< https; http only to a loopback address */
    const char *content_type;   /**< of the body; NULL: none */
    nb_span body;               /**< copied, and wiped afterwards: it may hold a secret */
    const char *ca_file;        /**< NULL: the system's authorities */
    size_t body_max_bytes;
    int64_t timeout_ns;
} nb__https_request;
typedef struct nb__https_answer {
    int status; /**< 0: none, `error` says why, TLS and lookup failures apart */
    nb_span body;
    int64_t date_s; /**< its Date header, UTC seconds; 0: none */
    nb_error error;
} nb__https_answer;
/** At a turn's end, never inside nb__https_start(); the exchange frees itself afterwards. */
typedef void nb__https_done(void *self, const nb__https_answer *answer);
/** No redirect is followed, no proxy or .netrc of the environment taken. */
nb_err nb__https_start(nb__loop *loop, const nb__https_request *request, nb__https_done *done,
                       void *self, nb__https **out, nb_error *error);
void nb__https_cancel(nb__https *https); /**< without a callback */

#endif
