/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempts: when to connect, when to wait, when to rest.
 *
 * An attempt is one approval, if a key is needed, and one connection. It begins in one place,
 * begin_attempt(), when every gate of gate_of() is open, and is written down before (NB__ACT_SAVE).
 * What KIS blocks us for is remembered in manners.c.
 */
#include "inside.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define KEY_LIFE_NS                                                                                \
    (INT64_C(23) * 3600 * NB__NS_PER_S) /* of 24 h: a stale one may silence the data */

/* ---- reasons: for people, without the approval key and without control characters ---- */

void session_set_cause(nb__session *session, const char *what, const char *why)
{
    char *cause = session->cause;
    snprintf(cause, sizeof session->cause, "%s%s", what, why);
    nb__scrub(cause, session->request.approval_key);
    nb__make_printable(cause, strlen(cause)); /* a peer's words may be cut within a character */
}

static void session_set_reason(nb__session *session, const char *what_next)
{
    snprintf(session->reason, sizeof session->reason, "%s%s%s", session->cause,
             session->cause[0] != '\0' ? "; " : "", what_next);
}

void session_drop_link(nb__session *session)
{
    if (session->state != NB__SESSION_UP || session->is_closing)
        return;
    session->is_closing = session->is_close_due = true;
    session_set_reason(session, "closing the link");
}

/* ---- when to try ---- */

typedef enum gate { GATE_OPEN, GATE_WAIT, GATE_STOP, GATE_BUDGET } gate;

static bool has_good_key(const nb__session *session, int64_t now_ns)
{
    return session->is_key_good && now_ns - session->key_ns < KEY_LIFE_NS;
}

static int64_t later(int64_t a_ns, int64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

/* The gate that opens last, and when. */
static gate gate_of(const nb__session *session, int64_t now_ns, int64_t *opens_ns)
{
    gate last = GATE_WAIT;
    *opens_ns = later(session->backoff_until_ns, session->manners.in_use_until_ns);
    if (!has_good_key(session, now_ns))
        *opens_ns = later(*opens_ns, session->manners.approval_until_ns);
    if (session->stop_until_ns > *opens_ns) {
        last = GATE_STOP;
        *opens_ns = session->stop_until_ns;
    }
    if (nb__manners_free_ns(&session->manners) > *opens_ns) {
        last = GATE_BUDGET;
        *opens_ns = nb__manners_free_ns(&session->manners);
    }
    return now_ns >= *opens_ns ? GATE_OPEN : last;
}

/* "10 min", "90 s" */
static void print_span(char out[32], int64_t span_ns)
{
    long long seconds = (long long)((span_ns + NB__NS_PER_S - 1) / NB__NS_PER_S);
    if (seconds >= 60 && seconds % 60 == 0)
        snprintf(out, 32, "%lld min", seconds / 60);
    else
        snprintf(out, 32, "%lld s", seconds);
}

/* The breaker's words are for the log too, which knows a new state by all but the last clause. */
static void tell_wait(nb__session *session, gate closed, int64_t now_ns)
{
    char next[160], window[32];
    long long seconds =
        (long long)((session->next_try_ns - now_ns + NB__NS_PER_S - 1) / NB__NS_PER_S);
    print_span(window, session->config.connects_window_ns);
    uint32_t used = nb__manners_used(&session->manners, now_ns);
    if (closed == GATE_BUDGET)
        snprintf(next, sizeof next, "connect budget spent: %u in %s; next try in %lld s", used,
                 window, seconds);
    else if (closed == GATE_STOP)
        snprintf(next, sizeof next, "KIS ends every link at about this time; next try in %lld s",
                 seconds);
    else if (session->manners.attempts_max > 0)
        snprintf(next, sizeof next, "next try in %lld s (%u of %u used in %s)", seconds, used,
                 session->manners.attempts_max, window);
    else
        snprintf(next, sizeof next, "next try in %lld s", seconds);
    session_set_reason(session, next);
}

static void wait_until(nb__session *session, gate closed, int64_t until_ns, int64_t now_ns)
{
    if (closed == GATE_BUDGET && session->counters.is_breaker_open == 0)
        session->counters.breaker_openings++;
    session->counters.is_breaker_open = closed == GATE_BUDGET;
    session->state = NB__SESSION_WAITING;
    session->next_try_ns = until_ns;
    tell_wait(session, closed, now_ns);
}

static void begin_attempt(nb__session *session, int64_t now_ns)
{
    nb__manners_attempt(&session->manners, now_ns);
    session->counters.is_breaker_open = 0;
    session->state = has_good_key(session, now_ns) ? NB__SESSION_CONNECTING : NB__SESSION_APPROVING;
    session->next_try_ns = INT64_MAX;
    session->is_action_due = session->is_attempt_new = session->is_save_due = true;
    session->is_attempt_seen = false;
    session_set_reason(session, "connecting");
}

/* Begin an attempt if every gate is open; else wait. */
void session_try_now(nb__session *session, int64_t now_ns)
{
    int64_t opens_ns;
    gate closed = gate_of(session, now_ns, &opens_ns);
    if (closed == GATE_OPEN)
        begin_attempt(session, now_ns);
    else
        wait_until(session, closed, opens_ns, now_ns);
}

/* The next wait: doubled each failure with ± 20 % jitter, so that many clients of a restarted
 * server come one by one. */
static int64_t back_off_ns(nb__session *session)
{
    int64_t wait_ns = session->config.backoff_min_ns, max_ns = session->config.backoff_max_ns;
    for (int i = 0; i < session->failures && wait_ns < max_ns; i++)
        wait_ns *= 2;
    if (wait_ns > max_ns)
        wait_ns = max_ns;
    if (session->failures < INT_MAX)
        session->failures++;
    return wait_ns / 100 * (int64_t)(80 + nb__random_below(&session->random, 41));
}

static void go_to_rest(nb__session *session)
{
    session->state = NB__SESSION_RESTING;
    session->next_try_ns = INT64_MAX;
    session->is_action_due = session->is_attempt_new = session->is_retry_now = false;
    session->counters.is_breaker_open = 0;
    session->cause[0] = '\0';
    char words[sizeof session->rest_until + 32];
    snprintf(words, sizeof words, "resting %s", session->rest_until);
    session_set_reason(session, words);
}

/* After an attempt that failed or a link that was lost. A loss while KIS ends every link is no
 * failure. */
void session_wait_and_retry(nb__session *session, int64_t now_ns)
{
    if (session->is_resting) {
        go_to_rest(session);
        return;
    }
    bool is_free = session->is_retry_now || now_ns < session->stop_until_ns;
    session->is_retry_now = false;
    session->backoff_until_ns = is_free ? now_ns : now_ns + back_off_ns(session);
    int64_t opens_ns;
    gate closed = gate_of(session, now_ns, &opens_ns);
    wait_until(session, closed, opens_ns, now_ns);
}

/* The memory keeps it until the next attempt is saved: a process that is restarted in a loop while
 * KIS refuses connections stays within the budget all the same. */
void nb__session_on_unreached(nb__session *session)
{
    bool is_trying =
        session->state == NB__SESSION_APPROVING || session->state == NB__SESSION_CONNECTING;
    if (!is_trying || session->is_attempt_seen)
        return;
    nb__manners_attempt_withdrawn(&session->manners);
    session->is_attempt_seen = true; /* not twice */
}

void nb__session_retell(nb__session *session, int64_t now_ns)
{
    int64_t opens_ns;
    if (session->state == NB__SESSION_WAITING)
        tell_wait(session, gate_of(session, now_ns, &opens_ns), now_ns);
}

/* ---- the approval key ---- */

void nb__session_on_approved(nb__session *session, const char *approval_key, int64_t now_ns)
{
    if (session->state != NB__SESSION_APPROVING)
        return;
    if (strlen(approval_key) > NB__APPROVAL_KEY_MAX) {
        nb__session_on_approval_failed(session, NB__APPROVAL_LOCKED,
                                       "the approval key is longer than 512 bytes", now_ns);
        return;
    }
    explicit_bzero(session->request.approval_key, sizeof session->request.approval_key);
    memcpy(session->request.approval_key, approval_key, strlen(approval_key));
    session->counters.approvals++;
    session->is_key_good = session->is_attempt_seen = true;
    session->key_ns = now_ns;
    nb__manners_approved(&session->manners);
    if (session->is_resting) {
        go_to_rest(session);
        return;
    }
    nb__manners_attempt_goes_on(&session->manners, now_ns);
    session->state = NB__SESSION_CONNECTING;
    session->is_action_due = session->is_save_due = true;
}

void nb__session_on_approval_failed(nb__session *session, nb__approval_class class_,
                                    const char *reason, int64_t now_ns)
{
    if (session->state != NB__SESSION_APPROVING)
        return;
    session->counters.approval_failures++;
    session_set_cause(session, "no approval key: ", reason);
    nb__manners_approval_failed(&session->manners, class_, &session->random, now_ns);
    session->is_save_due |= class_ != NB__APPROVAL_RETRY;
    session_wait_and_retry(session, now_ns);
}

/* ---- hours ---- */

void session_note_begin(nb__session *session, int64_t now_ns)
{
    if (session->began_ns == NB_TIME_UNDEF)
        session->began_ns = session->down_since_ns = now_ns;
}

void nb__session_rest(nb__session *session, const char *until, int64_t now_ns)
{
    session_note_begin(session, now_ns);
    session->is_resting = true;
    snprintf(session->rest_until, sizeof session->rest_until, "%s", until);
    nb__make_printable(session->rest_until, strlen(session->rest_until));
    bool is_under_way =
        (session->state == NB__SESSION_APPROVING || session->state == NB__SESSION_CONNECTING) &&
        !session->is_action_due;
    if (session->state == NB__SESSION_UP && !session->is_closing) {
        session_set_cause(session, "outside the hours", "");
        session_drop_link(session);
    } else if (session->state != NB__SESSION_UP && !is_under_way) {
        go_to_rest(session);
    }
}

void nb__session_wake(nb__session *session, int64_t now_ns)
{
    session_note_begin(session, now_ns);
    session->is_resting = session->is_key_good = session->is_reissued = false;
    nb__slots_new_night(&session->slots);
    if (session->state != NB__SESSION_RESTING)
        return;
    session->failures = 0;
    session->down_since_ns = session->backoff_until_ns = now_ns;
    session->cause[0] = '\0';
    int64_t opens_ns;
    gate closed = gate_of(session, now_ns, &opens_ns);
    wait_until(session, closed, later(opens_ns, now_ns), now_ns);
}

void nb__session_expect_stop(nb__session *session, int64_t until_ns)
{
    session->stop_until_ns = until_ns;
}

/* ---- the memory ---- */

void nb__session_memory_print(const nb__session *session, int64_t now_ns, int64_t now_real_ns,
                              nb__text *out)
{
    nb__manners_print(&session->manners, now_ns, now_real_ns, out);
}

nb_err nb__session_memory_parse(nb__session *session, nb_span text, int64_t now_ns,
                                int64_t now_real_ns, nb_error *error)
{
    session_note_begin(session, now_ns);
    nb_err err = nb__manners_parse(&session->manners, text, now_ns, now_real_ns, error);
    if (session->manners.in_use_until_ns > now_ns)
        session_set_cause(session, "OPSP8996 ALREADY IN USE appkey, still waited out from before",
                          "");
    else if (session->manners.approval_until_ns > now_ns)
        session_set_cause(session, "the approval was refused, still waited out from before", "");
    return err;
}

void nb__session_on_unsaved(nb__session *session, int64_t now_ns)
{
    if (!session->is_attempt_new || session->manners.attempts_max == 0)
        return;
    nb__manners_attempt_withdrawn(&session->manners);
    int64_t seldom_ns = nb__manners_seldom_ns(&session->manners, session->began_ns);
    if (now_ns >= seldom_ns) {
        nb__manners_attempt(&session->manners, now_ns);
        return;
    }
    session->is_action_due = session->is_attempt_new = false;
    session_set_cause(session, "the record of connects cannot be saved, so they are kept rare", "");
    wait_until(session, GATE_WAIT, seldom_ns, now_ns);
}
