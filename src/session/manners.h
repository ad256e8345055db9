/* SPDX-License-Identifier: Apache-2.0 */
/**
 * manners: what KIS remembers about us and blocks us for, and so what must outlive the process:
 * when we connected, how long to wait out OPSP8996, how long to leave the approval alone.
 *
 * Times are the caller's monotonic ones; only the memory's text is in real time. Knows no link and
 * no secret.
 */
#ifndef NB_SESSION_MANNERS_H
#define NB_SESSION_MANNERS_H

#include "session/session.h"

#define NB__ATTEMPTS_MAX 40 /* what a memory of 1 KiB holds; a larger budget counts as this */
#define NB__MANNERS_NONE INT64_MIN /* a time long past */

typedef struct nb__manners {
    uint32_t attempts_max; /* 0: no budget */
    int64_t window_ns;
    int64_t attempts_ns[NB__ATTEMPTS_MAX]; /* the last ones, ascending */
    uint32_t attempt_count;
    int64_t in_use_wait_ns; /* after the first OPSP8996 */
    uint32_t in_use_row;    /* OPSP8996 in a row */
    int64_t in_use_until_ns;
    uint32_t lock_row; /* approvals in a row that look locked out */
    int64_t approval_until_ns;
} nb__manners;

void nb__manners_init(nb__manners *manners, const nb__session_config *config);

/* ---- the connect budget ---- */
/** When the budget lets the next attempt begin; NB__MANNERS_NONE: at any time. */
int64_t nb__manners_free_ns(const nb__manners *manners);
uint32_t nb__manners_used(const nb__manners *manners, int64_t now_ns);
/** An attempt begins; free_ns has passed. */
void nb__manners_attempt(nb__manners *manners, int64_t now_ns);
/** Its approval is had and its connection begins only now: the attempt counts from here. */
void nb__manners_attempt_goes_on(nb__manners *manners, int64_t now_ns);
/** It does not take place. */
void nb__manners_attempt_withdrawn(nb__manners *manners);
/** When the next attempt keeps the budget's mean distance from the last one, and from `began_ns`.
 */
int64_t nb__manners_seldom_ns(const nb__manners *manners, int64_t began_ns);

/* ---- waits ---- */
void nb__manners_in_use(nb__manners *manners, nb__random *random, int64_t now_ns);
/** A registration went through. @return whether that changes what is to be remembered. */
bool nb__manners_not_in_use(nb__manners *manners);
void nb__manners_approval_failed(nb__manners *manners, nb__approval_class class_,
                                 nb__random *random, int64_t now_ns);
void nb__manners_approved(nb__manners *manners);

/* ---- the memory: see nb__session_memory_print() and _parse() ---- */
void nb__manners_print(const nb__manners *manners, int64_t now_ns, int64_t now_real_ns,
                       nb__text *out);
nb_err nb__manners_parse(nb__manners *manners, nb_span text, int64_t now_ns, int64_t now_real_ns,
                         nb_error *error);

#endif
