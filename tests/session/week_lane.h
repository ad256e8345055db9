/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One appkey in the simulated week: a session, the KIS that it talks to, the state file that
 * outlives it, and the book that is kept of its manners. Every check of an attempt is here.
 */
#ifndef NB_SESSION_WEEK_LANE_H
#define NB_SESSION_WEEK_LANE_H

#include "week_kis.h"

#define CONNECTS 4
#define WINDOW_NS (10 * MIN)
#define BOOK_MAX 32

/* What all appkeys of a process share. */
typedef struct world {
    int64_t now_ns;     /* true time; only the test knows it */
    int64_t wall_ns;    /* what the wall clock is ahead of it */
    int64_t forward_ns; /* how far it was set forward, in all: waits may be shorter by that */
    int64_t mono_ns;    /* what this process' monotonic clock is ahead */
    uint32_t life;      /* processes so far */
    int64_t life_ns;    /* when this one began */
    bool is_crashing;
    bool can_crash, can_fail_to_save;
    nb__random random;
    nb__topics *topics;
} world;

typedef struct attempt {
    int64_t last_ns;       /* its last step: approval or connection */
    int64_t remembered_ns; /* that step as the state file has it */
    int64_t forward_ns;
    uint32_t life;
    bool is_remembered;
} attempt;

/* "Not before": a wait that KIS imposed. */
typedef struct imposed {
    int64_t until_ns, forward_ns;
    uint32_t life;
    bool is_remembered;
} imposed;

typedef struct lane {
    kis kis;
    nb__session *session;
    nb__session_config config;
    nb__text memory; /* the state file */
    bool has_memory, is_torn;
    int64_t saved_ns, unsaved_ns; /* the last time that went well, or did not */
    int64_t wake_ns, step_ns, closing_ns, wish_ns;
    nb__action_kind step;
    bool wished[NB__WANT_PINNED + 1][KEYS];
    uint32_t key_count;

    attempt book[BOOK_MAX]; /* a ring */
    uint32_t attempt_count;
    bool is_attempt_begun; /* an approval that its connection belongs to */
    imposed in_use, approval;
    bool is_fresh_key_due; /* the night's first connection has one */

    char link_key[NB__APPROVAL_KEY_MAX + 1];
    int64_t heard_ns, asked_ns;
    bool is_awaiting, is_pong_due;
    uint64_t frames_in;
    uint32_t requests;
} lane;

/* Over all seeds: a fault that never came is not tested. */
static struct {
    uint64_t attempts, crashes, unsaved, broken, in_use, bad_key, breakers, watchdogs, timeouts,
        pongs, frames, locked, full, restarts, stops, muddled, back, forward, evictions;
} tally;

static inline int64_t mono(const world *w)
{
    return w->now_ns + w->mono_ns;
}

static inline bool by_chance(world *w, uint64_t n)
{
    return nb__random_below(&w->random, n) == 0;
}

/* ---- the book ---- */

static inline void impose(const world *w, imposed *wait)
{
    *wait = (imposed){w->now_ns + MIN, w->forward_ns, w->life, false};
}

static inline void check_imposed(const world *w, const imposed *wait)
{
    if (wait->life == w->life)
        assert_true(w->now_ns >= wait->until_ns);
    else if (wait->is_remembered) /* a millisecond is rounded up, never down */
        assert_true(w->now_ns + w->forward_ns - wait->forward_ns >= wait->until_ns);
}

/* An attempt begins: never the fifth within ten minutes. What a crash made forgotten, because it
 * could not be saved, is excused; that was made seldom instead. */
static inline void check_budget(const world *w, const lane *l)
{
    uint32_t seen = 0;
    for (uint32_t back = 1; back <= l->attempt_count && back <= BOOK_MAX; back++) {
        const attempt *a = &l->book[(l->attempt_count - back) % BOOK_MAX];
        bool is_own = a->life == w->life;
        if (!is_own && !a->is_remembered)
            continue;
        int64_t age_ns = is_own ? w->now_ns - a->last_ns
                                : w->now_ns - a->remembered_ns + w->forward_ns - a->forward_ns;
        seen += age_ns < WINDOW_NS;
    }
    assert_true(seen < CONNECTS);
}

static inline void check_seldom(const world *w, const lane *l)
{
    assert_true(w->now_ns - w->life_ns >= WINDOW_NS / CONNECTS);
    if (l->attempt_count > 0) {
        const attempt *a = &l->book[(l->attempt_count - 1) % BOOK_MAX];
        assert_true(a->life != w->life || w->now_ns - a->last_ns >= WINDOW_NS / CONNECTS);
    }
}

static inline void book_attempt(const world *w, lane *l, bool is_connect)
{
    bool is_saved = l->saved_ns == w->now_ns;
    assert_int_equal(l->step_ns, NEVER);
    assert_int_equal(l->closing_ns, NEVER);
    assert_false(l->kis.is_open);
    check_imposed(w, &l->in_use);
    if (!is_connect)
        check_imposed(w, &l->approval);
    if (!(is_connect && l->is_attempt_begun)) {
        check_budget(w, l);
        if (!is_saved)
            check_seldom(w, l);
        l->book[l->attempt_count++ % BOOK_MAX] = (attempt){.life = w->life};
        tally.attempts++;
    }
    attempt *a = &l->book[(l->attempt_count - 1) % BOOK_MAX];
    a->last_ns = w->now_ns;
    if (is_saved) {
        a->remembered_ns = w->now_ns;
        a->forward_ns = w->forward_ns;
        a->is_remembered = true;
    }
    l->is_attempt_begun = !is_connect;
    if (is_connect)
        assert_false(l->is_fresh_key_due);
}

/* It is in the state file by the end of the turn, if that can be written. */
static inline void check_remembered(const world *w, const lane *l, const imposed *wait)
{
    assert_true(wait->is_remembered || wait->life != w->life ||
                l->unsaved_ns >= wait->until_ns - MIN);
}

static inline void save(world *w, lane *l)
{
    if (w->can_fail_to_save && by_chance(w, 6)) {
        tally.unsaved++;
        l->unsaved_ns = w->now_ns;
        nb__session_on_unsaved(l->session, mono(w));
        return;
    }
    nb__text_clear(&l->memory);
    nb__session_memory_print(l->session, mono(w), w->now_ns + w->wall_ns, &l->memory);
    l->has_memory = true;
    l->is_torn = false;
    l->saved_ns = w->now_ns;
    imposed *waits[] = {&l->in_use, &l->approval};
    for (size_t i = 0; i < 2; i++) {
        if (waits[i]->life == w->life && !waits[i]->is_remembered) {
            waits[i]->is_remembered = true;
            waits[i]->forward_ns = w->forward_ns;
        }
    }
}

/* ---- doing what the session asks for ---- */

static inline void send_text(world *w, lane *l, const nb__action *action)
{
    assert_true(action->topic < KEYS); /* the echo goes as a PONG frame here */
    nb__request request;
    nb__opsp code;
    assert_int_equal(nb__client_message_parse(action->text, &request, &code), NB__CLIENT_REQUEST);
    assert_true(l->kis.is_open);
    assert_false(l->closing_ns != NEVER);
    assert_int_equal(nb__topics_find(w->topics, &request.topic), action->topic);
    if (l->link_key[0] == '\0') /* one key for all that a link says */
        snprintf(l->link_key, sizeof l->link_key, "%s", request.approval_key);
    assert_string_equal(l->link_key, request.approval_key);
    l->asked_ns = w->now_ns;
    l->is_awaiting = true;
    l->requests++;
    kis_asked(&l->kis, &request, action->topic, w->now_ns);
}

static inline void act(world *w, lane *l, const nb__action *action)
{
    switch (action->kind) {
    case NB__ACT_WAIT:
    case NB__ACT_REGISTRATION:
    case NB__ACT_LINK:
        break;
    case NB__ACT_SAVE:
        save(w, l);
        break;
    case NB__ACT_APPROVE:
    case NB__ACT_CONNECT:
        book_attempt(w, l, action->kind == NB__ACT_CONNECT);
        l->step = action->kind;
        l->step_ns = w->now_ns + kis_within(&l->kis, kis_one_in(&l->kis, 10) ? 10 * S : 500 * MS);
        break;
    case NB__ACT_SEND_TEXT:
        send_text(w, l, action);
        break;
    case NB__ACT_SEND_PONG:
        assert_true(l->is_pong_due); /* only what was asked for */
        l->is_pong_due = false;
        break;
    case NB__ACT_DISCONNECT:
        assert_true(l->kis.is_open);
        assert_int_equal(l->closing_ns, NEVER);
        l->closing_ns = w->now_ns + kis_within(&l->kis, S);
        break;
    default:
        fail_msg("an action that there is not: %d", (int)action->kind);
    }
}

static inline void obey(world *w, lane *l)
{
    nb__action action;
    for (int i = 0; i < 1000; i++) {
        nb__session_next(l->session, mono(w), &action);
        act(w, l, &action);
        l->wake_ns = action.wake_ns == INT64_MAX ? NEVER : action.wake_ns - w->mono_ns;
        if (action.kind == NB__ACT_WAIT)
            return;
        if (w->can_crash && by_chance(w, 4000)) {
            w->is_crashing = true; /* between any two actions */
            return;
        }
    }
    fail_msg("the session never rests");
}

/* ---- what happens to it ---- */

static inline void lose_link(world *w, lane *l, const char *reason)
{
    kis_close(&l->kis, w->now_ns);
    l->closing_ns = NEVER;
    l->is_awaiting = l->is_pong_due = false;
    l->link_key[0] = '\0';
    if (l->session != NULL)
        nb__session_on_closed(l->session, reason, mono(w));
}

static inline void take_step(world *w, lane *l)
{
    l->step_ns = NEVER;
    if (l->step == NB__ACT_CONNECT) {
        if (!kis_accepts(&l->kis, w->now_ns)) {
            nb__session_on_closed(l->session, "refused", mono(w));
            return;
        }
        kis_open(&l->kis, w->now_ns);
        l->heard_ns = w->now_ns;
        nb__session_on_opened(l->session, mono(w));
        return;
    }
    nb__approval_class class_ = NB__APPROVAL_RETRY;
    const char *refusal = kis_approve(&l->kis, w->now_ns, &class_);
    if (refusal == NULL) {
        l->is_fresh_key_due = false;
        nb__session_on_approved(l->session, l->kis.key, mono(w));
        return;
    }
    l->is_attempt_begun = false;
    if (class_ != NB__APPROVAL_RETRY) {
        impose(w, &l->approval);
        tally.locked++;
    }
    nb__session_on_approval_failed(l->session, class_, refusal, mono(w));
}

/* A message comes in. @return whether it is data. */
static inline bool hear(world *w, lane *l, const char *text)
{
    l->heard_ns = w->now_ns;
    nb__session_on_alive(l->session, mono(w));
    return nb__session_on_message(l->session, nb__span(text), mono(w));
}

static inline void hear_reply(world *w, lane *l)
{
    kis *k = &l->kis;
    kis_reply reply = k->replies[0];
    k->reply_count--;
    memmove(k->replies, k->replies + 1, k->reply_count * sizeof *k->replies);
    l->is_awaiting = false;
    bool is_listening = l->closing_ns == NEVER;
    if (is_listening && reply.code == NB__OPSP_IN_USE) {
        impose(w, &l->in_use);
        tally.in_use++;
    }
    if (is_listening && reply.code == NB__OPSP_BAD_APPROVAL) {
        l->is_fresh_key_due = true;
        tally.bad_key++;
    }
    tally.full += reply.code == NB__OPSP_MAX_OVER;
    assert_false(hear(w, l, reply.text));
}

/* KIS's own turn: frames of what is registered, PINGPONG when there is nothing else. */
static inline void hear_frame(world *w, lane *l)
{
    kis *k = &l->kis;
    k->frame_ns = w->now_ns + k->frame_gap_ns / 2 + kis_within(k, k->frame_gap_ns / 2);
    if (k->is_dead)
        return;
    uint32_t topic = (uint32_t)kis_below(k, KEYS);
    char text[96];
    if (!k->has[topic]) {
        bool is_heard = l->closing_ns == NEVER;
        nb__pingpong_print(text, w->now_ns);
        l->is_pong_due = is_heard;
        assert_false(hear(w, l, text));
        tally.pongs++;
        return;
    }
    for (uint64_t i = kis_below(k, 3); i < 3; i++) {
        snprintf(text, sizeof text, "0|H0EUASP0|001|K%02u^%llu", (unsigned)topic,
                 (unsigned long long)++k->frame_serial);
        if (hear(w, l, text)) /* handed on: once, in order, none left out */
            l->frames_in++;
        assert_int_equal(l->frames_in, k->frame_serial);
        tally.frames++;
    }
}

static inline void drop(world *w, lane *l)
{
    l->kis.drop_ns = NEVER;
    if (kis_below(&l->kis, 4) == 0)
        l->kis.is_dead = true;
    else
        lose_link(w, l, "EOF");
    if (l->kis.is_dead)
        l->kis.reply_count = 0;
}

/* ---- what must hold at every moment ---- */

static inline nb__want wisher_of(const lane *l, uint32_t topic)
{
    nb__want who = NB__WANT_PINNED;
    while (who > NB__WANT_NOBODY && !l->wished[who][topic])
        who--;
    return who;
}

static inline void check_lane(const world *w, const lane *l)
{
    const kis *k = &l->kis;
    assert_true(nb__session_slots_used(l->session) <= KIS_MAX);
    for (uint32_t topic = 0; topic < l->key_count; topic++) {
        const nb__registration *seen = nb__session_registration(l->session, topic);
        bool is_wished = wisher_of(l, topic) != NB__WANT_NOBODY;
        assert_int_equal(is_wished, seen->state == NB__REG_PENDING ||
                                        seen->state == NB__REG_CONFIRMED ||
                                        seen->state == NB__REG_REJECTED);
        if (seen->state == NB__REG_CONFIRMED && l->closing_ns == NEVER)
            assert_true(k->is_open && (k->has[topic] || k->is_muddled));
    }
    check_remembered(w, l, &l->in_use);
    check_remembered(w, l, &l->approval);
    if (!k->is_open || l->closing_ns != NEVER)
        return;
    assert_false(l->is_pong_due); /* answered in the same turn */
    assert_true(w->now_ns - l->heard_ns < l->config.watchdog_ns);
    assert_true(!l->is_awaiting || w->now_ns - l->asked_ns < l->config.answer_timeout_ns);
}

#endif
