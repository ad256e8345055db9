/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model of KIS for the simulated week, one for each appkey: its approval keys, its one session of
 * 41 registrations, and its faults. It checks the manners of who talks to it; it knows nothing of
 * the session's inside.
 */
#ifndef NB_SESSION_WEEK_KIS_H
#define NB_SESSION_WEEK_KIS_H

#include "guard.h"
#include "session/session.h"
#include <stdio.h>
#include <string.h>

#define MS NB__NS_PER_MS
#define S NB__NS_PER_S
#define MIN (60 * S)
#define HOUR (60 * MIN)

#define KEYS 64
#define KIS_MAX 41
#define REPLIES_MAX 8
#define NEVER INT64_MAX

typedef struct kis_reply {
    int64_t at_ns;
    nb__opsp code;
    char text[480];
} kis_reply;

typedef struct kis {
    nb__random random;
    bool is_calm; /* no more faults */
    int64_t drop_mean_ns, frame_gap_ns;
    bool is_bad[KEYS]; /* KIS knows no such key */

    char key[32]; /* the approval key that is good for a new session */
    uint32_t key_count;
    int64_t key_ns;
    int64_t held_until_ns; /* an old session is not forgotten yet: OPSP8996 */
    int64_t away_until_ns; /* refuses connections */

    /* the link */
    bool is_open, is_dead, is_refused; /* dead: open, but nothing comes; refused: 8996 was said */
    bool is_muddled; /* it gave answers from which no client can tell what it has */
    bool has[KEYS];
    uint32_t count, room;
    bool is_known; /* its approval key was looked at and found good */
    kis_reply replies[REPLIES_MAX];
    uint32_t reply_count;
    int64_t frame_ns, drop_ns;
    uint64_t frame_serial;
} kis;

static inline uint64_t kis_below(kis *k, uint64_t bound)
{
    return nb__random_below(&k->random, bound);
}

/* Faults only: none when it is calm. */
static inline bool kis_one_in(kis *k, uint64_t n)
{
    return !k->is_calm && kis_below(k, n) == 0;
}

static inline int64_t kis_within(kis *k, int64_t ns)
{
    return (int64_t)kis_below(k, (uint64_t)ns);
}

/* ---- approval ---- */

/* @return NULL: a key is in k->key; else why not. */
static inline const char *kis_approve(kis *k, int64_t now_ns, nb__approval_class *class_)
{
    static const struct {
        nb__approval_class class_;
        const char *words;
    } failures[] = {{NB__APPROVAL_RETRY, "no answer"},  {NB__APPROVAL_RETRY, "EGW00300"},
                    {NB__APPROVAL_PACED, "EGW00133"},   {NB__APPROVAL_LOCKED, "EGW00103"},
                    {NB__APPROVAL_REFUSED, "EGW00207"}, {NB__APPROVAL_CLOSED, "EGW00302"}};
    if (kis_one_in(k, 4)) {
        size_t which = kis_below(k, NB__COUNT_OF(failures));
        *class_ = failures[which].class_;
        return failures[which].words;
    }
    snprintf(k->key, sizeof k->key, "approval-key-%u", ++k->key_count);
    k->key_ns = now_ns;
    return NULL;
}

/* ---- the link ---- */

static inline bool kis_accepts(kis *k, int64_t now_ns)
{
    return now_ns >= k->away_until_ns && !kis_one_in(k, 12);
}

static inline void kis_open(kis *k, int64_t now_ns)
{
    assert_false(k->is_open); /* never two links on one appkey */
    k->is_open = true;
    k->is_dead = k->is_refused = k->is_muddled = false;
    memset(k->has, 0, sizeof k->has);
    k->count = k->reply_count = 0;
    k->room = kis_one_in(k, 10) ? 3 + (uint32_t)kis_below(k, 30) : KIS_MAX;
    k->is_known = false;
    k->frame_ns = now_ns + k->frame_gap_ns;
    k->drop_ns = k->is_calm ? NEVER : now_ns + kis_within(k, 2 * k->drop_mean_ns);
}

/* However a link ends, KIS may hold the appkey for a while: seconds mostly, hours at times. */
static inline void kis_close(kis *k, int64_t now_ns)
{
    bool was_accepted = k->is_open && !k->is_refused;
    k->is_open = false;
    k->reply_count = 0;
    if (was_accepted && kis_one_in(k, 3)) {
        int64_t held_ns = kis_within(k, kis_below(k, 12) == 0 ? 2 * HOUR : 2 * MIN);
        k->held_until_ns = now_ns + held_ns;
    }
}

static inline void print_null_header(nb__opsp code, char *out, size_t capacity)
{
    const nb__opsp_row *row = nb__opsp_at(code);
    snprintf(out, capacity,
             "{\"header\":{\"tr_id\":\"(null)\",\"tr_key\":\"\",\"encrypt\":\"N\"},\"body\":{"
             "\"rt_cd\":\"%s\",\"msg_cd\":\"%s\",\"msg1\":\"%s\"}}",
             row->rt_cd, row->msg_cd, row->msg1);
}

static inline void kis_queue(kis *k, int64_t at_ns, nb__opsp code, const nb__topic *topic,
                             bool is_null)
{
    if (k->reply_count == REPLIES_MAX)
        return;
    kis_reply *reply = &k->replies[k->reply_count++];
    reply->at_ns = at_ns;
    reply->code = code;
    if (is_null) {
        print_null_header(code, reply->text, sizeof reply->text);
        return;
    }
    nb__text text = {0};
    nb__answer_print(code, topic, "0123456789abcdef", "0123456789abcdef0123456789abcdef", &text);
    assert_true(nb__span_copy(nb__text_view(&text), reply->text, sizeof reply->text));
    nb__text_fini(&text);
}

/* Say it: soon or late, perhaps twice, perhaps before what was said first, perhaps without a name.
 */
static inline void kis_say(kis *k, int64_t now_ns, nb__opsp code, const nb__topic *topic)
{
    if (kis_one_in(k, 80))
        return;
    bool is_null = kis_one_in(k, 40), is_swapped = kis_one_in(k, 40), is_twice = kis_one_in(k, 40);
    int64_t last_ns = k->reply_count > 0 ? k->replies[k->reply_count - 1].at_ns : now_ns;
    int64_t at_ns = now_ns + kis_within(k, 50 * MS);
    if (kis_one_in(k, 60))
        at_ns += kis_within(k, 25 * S);
    if (at_ns < last_ns)
        at_ns = last_ns;
    kis_queue(k, at_ns, code, topic, is_null);
    if (is_twice) {
        kis_queue(k, at_ns + kis_within(k, 2 * S), code, topic, is_null);
        k->is_muddled = true; /* a nameless one may look like the next request's */
    }
    if (is_swapped && k->reply_count >= 2) {
        kis_reply first = k->replies[0];
        k->replies[0] = k->replies[k->reply_count - 1];
        k->replies[0].at_ns = first.at_ns;
        first.at_ns = k->replies[k->reply_count - 1].at_ns;
        k->replies[k->reply_count - 1] = first;
        k->is_muddled = true;
    }
    if (at_ns - now_ns > 9 * S)
        k->is_muddled = true; /* so late that it is asked again */
}

static inline bool is_key_good(const kis *k, const char *key, int64_t now_ns)
{
    return strcmp(k->key, key) == 0 && now_ns - k->key_ns < 24 * HOUR;
}

static inline nb__opsp kis_register(kis *k, uint32_t topic)
{
    if (k->is_bad[topic])
        return NB__OPSP_BAD_TR_KEY;
    if (k->has[topic])
        return NB__OPSP_ALREADY;
    assert_true(k->is_muddled || k->count < KIS_MAX); /* never the 42nd */
    if (k->count >= k->room)
        return NB__OPSP_MAX_OVER;
    if (kis_one_in(k, 60))
        return NB__OPSP_INTERNAL;
    k->has[topic] = true;
    k->count++;
    return NB__OPSP_SUBSCRIBED;
}

/* A request comes in. @return OPSP8996 and OPSP0011 for who keeps the book; else what it says. */
static inline void kis_asked(kis *k, const nb__request *request, uint32_t topic, int64_t now_ns)
{
    if (k->is_dead || kis_one_in(k, 200))
        return;
    nb__opsp code;
    if (now_ns < k->held_until_ns) {
        k->is_refused = true;
        code = NB__OPSP_IN_USE;
    } else if (!k->is_known && !is_key_good(k, request->approval_key, now_ns)) {
        code = NB__OPSP_BAD_APPROVAL; /* looked at when the session begins, and only then */
    } else {
        k->is_known = true;
        if (request->is_register) {
            code = kis_register(k, topic);
        } else if (kis_one_in(k, 20)) {
            code = NB__OPSP_INTERNAL;
        } else {
            code = k->has[topic] ? NB__OPSP_UNSUBSCRIBED : NB__OPSP_NOT_SUBSCRIBED;
            k->count -= k->has[topic];
            k->has[topic] = false;
        }
    }
    kis_say(k, now_ns, code, &request->topic);
}

/* The process behind KIS's socket restarts: links end, keys and sessions are forgotten or held. */
static inline void kis_restart(kis *k, int64_t now_ns)
{
    k->away_until_ns = now_ns + kis_within(k, 5 * MIN);
    if (kis_below(k, 2) == 0)
        k->key[0] = '\0';
    k->drop_ns = now_ns;
}

#endif
