/* SPDX-License-Identifier: Apache-2.0 */
/* Names to addresses, without holding up the loop. */
#ifndef NB_IO_LOOKUP_H
#define NB_IO_LOOKUP_H

#include "loop.h"

struct addrinfo;

/** A number needs no look-up: at once, without a thread. @return NULL when `host` is a name. The
 * list is the caller's (freeaddrinfo). */
struct addrinfo *nb__lookup_number(const char *host, uint16_t port);

typedef struct nb__lookup nb__lookup;
/**
 * `found` is the receiver's (freeaddrinfo), in the resolver's order of preference; or NULL, and
 * `words` say why. In a turn, never inside nb__lookup_start(); the look-up frees itself.
 */
typedef void nb__lookup_done(void *self, struct addrinfo *found, const char *words);
/**
 * Ask the system's resolver in a helper thread.
 * @retval NB_E_LIMIT   Too many threads hang in the resolver already.
 * @retval NB_E_SYSTEM  No thread or no eventfd to be had.
 */
nb_err nb__lookup_start(nb__loop *loop, const char *host, uint16_t port, nb__lookup_done *done,
                        void *self, nb__lookup **out, nb_error *error);
/** Without a callback, at once: a thread that hangs in the resolver is left to end by itself. */
void nb__lookup_cancel(nb__lookup *lookup);

#endif
