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
/**
 * Why there is no answer (the detail begins with "https://HOST:PORT: " and says what to do):
 * NB_E_SYSTEM    the name cannot be looked up, or the network refuses
 * NB_E_REFUSED   nothing listens there
 * NB_E_TIMEOUT   whatever was being waited for: look-up, connection, TLS, answer
 * NB_E_PROTOCOL  TLS: authority unknown, certificate expired or for another name; or no HTTP
 * NB_E_CLOSED    it disconnected before its answer was whole
 * NB_E_LIMIT     the answer is larger than body_max_bytes, or its head than 64 KiB
 * NB_E_CONFIG    ca_file cannot be used
 */
typedef struct nb__https_answer {
    int status; /**< any status of HTTP; 0: none, `error` says why */
    nb_span body;
    int64_t date_s; /**< its Date header, UTC seconds; 0: none */
    nb_error error;
} nb__https_answer;
/** At a turn's end, never inside nb__https_start(); the exchange frees itself afterwards. */
typedef void nb__https_done(void *self, const nb__https_answer *answer);
/**
 * No redirect is followed, no proxy or .netrc of the environment taken. Connecting has at most 15 s
 * of timeout_ns.
 * @param[out] out  For a cancel; may be NULL. Void once `done` was called.
 * @retval NB_E_ARGUMENT  Plain http to another machine, a WebSocket address, another method.
 * Cost: allocates, never blocks.   Threads: the loop's; libcurl looks names up in one of its own.
 */
nb_err nb__https_start(nb__loop *loop, const nb__https_request *request, nb__https_done *done,
                       void *self, nb__https **out, nb_error *error);
void nb__https_cancel(nb__https *https); /**< without a callback */

#endif
