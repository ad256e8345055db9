/* SPDX-License-Identifier: Apache-2.0 */
/* Seeded storms: a fake KIS that loses, delays and refuses, drops the link, says 8996 and 0011,
 * the process restarts with what it saved,
 * while wishes come and go. Invariants hold all the time; when the storm is over, every wish is
 * confirmed or visibly rejected, and the session falls silent. NB_SEED=n runs one seed. */
#include "rig.h"
#include <stdlib.h>

#define SEEDS 400
#define SLOTS 8
#define KEYS 24
#define QUEUE_MAX 8
#define CONNECTS 6
#define CONNECTS_NS (90 * S)
#define STORM_NS (1200 * S)
#define CALM_NS (4000 * S)

typedef struct reply {
    int64_t at_ns;
    uint32_t topic;
    nb__opsp code;
    bool is_pingpong;
} reply;

typedef struct kis {
    nb__random random;
    bool is_open, is_calm;
    bool has[KEYS];         /* registered */
    uint32_t count, room;   /* room: how many it takes */
    reply queue[QUEUE_MAX]; /* in order, as TCP keeps it */
    uint32_t queue_count;
    int64_t in_use_until_ns, answered_ns, asked_ns, pingpong_ns;
    bool bad_key[KEYS];
    bool is_stale_key;
} kis;

typedef struct storm {
    rig r;
    kis kis;
    bool wished[NB__WANT_PINNED + 1][KEYS];
    nb__session_config config;
    nb__text memory;
    int64_t attempts_ns[CONNECTS]; /* the last ones, a ring */
    uint32_t attempt_count;
    uint32_t requests;
    int64_t closing_ns; /* the caller closes: INT64_MAX when not */
    int64_t step_ns;    /* the approval or connection under way */
    nb__action_kind step;
} storm;

static bool one_in(kis *k, uint64_t n)
{
    return !k->is_calm && nb__random_below(&k->random, n) == 0;
}

static void kis_reply(kis *k, int64_t now_ns, uint32_t topic, nb__opsp code)
{
    int64_t delay_ns = (int64_t)nb__random_below(&k->random, 50) * MS;
    if (k->queue_count == 0 && one_in(k, 30)) /* past the time-out, but never past two of them */
        delay_ns = (int64_t)nb__random_below(&k->random, 12000) * MS;
    int64_t at_ns = now_ns + delay_ns;
    if (k->queue_count > 0 && k->queue[k->queue_count - 1].at_ns > at_ns)
        at_ns = k->queue[k->queue_count - 1].at_ns;
    assert_true(k->queue_count < QUEUE_MAX);
    k->queue[k->queue_count++] = (reply){.at_ns = at_ns, .topic = topic, .code = code};
}

/* What KIS does with a request; NB__OPSP_COUNT: it says nothing. */
static nb__opsp kis_decide(kis *k, const nb__request *request, uint32_t topic, int64_t now_ns)
{
    if (one_in(k, 60))
        return NB__OPSP_COUNT; /* the request is lost */
    if (now_ns < k->in_use_until_ns)
        return NB__OPSP_IN_USE;
    if (k->is_stale_key)
        return NB__OPSP_BAD_APPROVAL;
    if (one_in(k, 25))
        return NB__OPSP_INTERNAL;
    if (k->bad_key[topic])
        return NB__OPSP_BAD_TR_KEY;
    if (request->is_register) {
        if (k->has[topic])
            return NB__OPSP_ALREADY;
        assert_true(k->count < SLOTS); /* the session never asks for more than it may have */
        if (k->count >= k->room)
            return NB__OPSP_MAX_OVER;
        k->has[topic] = true;
        k->count++;
        return one_in(k, 60) ? NB__OPSP_COUNT : NB__OPSP_SUBSCRIBED; /* the answer is lost */
    }
    if (!k->has[topic])
        return NB__OPSP_NOT_SUBSCRIBED;
    k->has[topic] = false;
    k->count--;
    return NB__OPSP_UNSUBSCRIBED;
}

static void kis_request(storm *s)
{
    kis *k = &s->kis;
    const nb__session_config config = rig_config(SLOTS);
    nb__request request = asked(&s->r);
    uint32_t topic = nb__topics_find(s->r.topics, &request.topic);
    assert_true(k->is_open);
    assert_true(topic < KEYS);
    /* paced: after the last answer, or, when that is lost, after the time-out */
    bool is_answered = k->answered_ns >= k->asked_ns;
    assert_true(s->r.now_ns - (is_answered ? k->answered_ns : k->asked_ns) >=
                (is_answered ? config.request_gap_ns : config.answer_timeout_ns));
    k->asked_ns = s->r.now_ns;
    s->requests++;
    nb__opsp code = kis_decide(k, &request, topic, s->r.now_ns);
    if (code != NB__OPSP_COUNT)
        kis_reply(k, s->r.now_ns, topic, code);
}

static void kis_say(storm *s)
{
    kis *k = &s->kis;
    reply first = k->queue[0];
    k->queue_count--;
    memmove(k->queue, k->queue + 1, k->queue_count * sizeof *k->queue);
    k->answered_ns = s->r.now_ns;
    answer(&s->r, first.code, nb__topics_at(s->r.topics, first.topic)->tr_key);
}

static void kis_open(storm *s)
{
    kis *k = &s->kis;
    k->is_open = true;
    memset(k->has, 0, sizeof k->has);
    k->count = k->queue_count = 0;
    k->answered_ns = k->asked_ns = s->r.now_ns - 100 * S;
    k->pingpong_ns = s->r.now_ns + 10 * S;
    k->is_stale_key = one_in(k, 12);
    k->room = one_in(k, 4) ? 3 : SLOTS;
    if (one_in(k, 10))
        k->in_use_until_ns = s->r.now_ns + 5 * S;
    nb__session_on_opened(s->r.session, s->r.now_ns);
}

static void kis_close(storm *s, const char *reason)
{
    s->kis.is_open = false;
    s->kis.queue_count = 0;
    s->closing_ns = INT64_MAX;
    nb__session_on_closed(s->r.session, reason, s->r.now_ns);
}

/* Never more than CONNECTS of them within CONNECTS_NS, restarts or not. */
static void begin_step(storm *s)
{
    assert_int_equal(s->step_ns, INT64_MAX);
    s->step = s->r.action.kind;
    s->step_ns = s->r.now_ns + (int64_t)nb__random_below(&s->kis.random, 500) * MS;
    if (s->step == NB__ACT_APPROVE)
        return;
    int64_t *oldest_ns = &s->attempts_ns[s->attempt_count % CONNECTS];
    assert_true(s->attempt_count < CONNECTS || s->r.now_ns - *oldest_ns >= CONNECTS_NS);
    *oldest_ns = s->r.now_ns;
    s->attempt_count++;
}

/* Do what the session asks for. @return when it wants to be asked again. */
static int64_t obey(storm *s)
{
    for (int i = 0; i < 1000; i++) {
        nb__action *action = &s->r.action;
        nb__session_next(s->r.session, s->r.now_ns, action);
        if (action->kind == NB__ACT_WAIT)
            return action->wake_ns;
        if (action->kind == NB__ACT_APPROVE || action->kind == NB__ACT_CONNECT) {
            begin_step(s);
        } else if (action->kind == NB__ACT_SAVE) {
            nb__text_clear(&s->memory);
            nb__session_memory_print(s->r.session, s->r.now_ns, s->r.now_ns, &s->memory);
        } else if (action->kind == NB__ACT_SEND_TEXT) {
            kis_request(s);
        } else if (action->kind == NB__ACT_DISCONNECT) {
            assert_int_equal(s->closing_ns, INT64_MAX);
            s->closing_ns = s->r.now_ns + (int64_t)nb__random_below(&s->kis.random, 1000) * MS;
        }
    }
    fail_msg("the session never rests");
    return 0;
}

/* The process ends and another begins with what was saved; nothing is wished yet. */
static void restart(storm *s)
{
    nb__session_free(s->r.session);
    s->r.session = nb__session_new(&s->config, s->r.topics, TOPICS_MAX);
    assert_non_null(s->r.session);
    assert_int_equal(nb__session_memory_parse(s->r.session, nb__text_view(&s->memory), s->r.now_ns,
                                              s->r.now_ns, NULL),
                     NB_OK);
    memset(s->wished, 0, sizeof s->wished);
    s->kis.is_open = false;
    s->kis.queue_count = 0;
    s->closing_ns = s->step_ns = INT64_MAX;
}

static void take_step(storm *s)
{
    bool is_refused = one_in(&s->kis, 5);
    s->step_ns = INT64_MAX;
    if (s->step == NB__ACT_APPROVE && is_refused)
        nb__session_on_approval_failed(s->r.session, NB__APPROVAL_RETRY, "503", s->r.now_ns);
    else if (s->step == NB__ACT_APPROVE)
        nb__session_on_approved(s->r.session, "an-approval-key", s->r.now_ns);
    else if (is_refused)
        nb__session_on_closed(s->r.session, "refused", s->r.now_ns);
    else
        kis_open(s);
}

static void wish(storm *s)
{
    kis *k = &s->kis;
    uint32_t topic = (uint32_t)nb__random_below(&k->random, KEYS);
    uint64_t kind = nb__random_below(&k->random, 20);
    nb__want who = kind % 10 < 5   ? NB__WANT_CLIENT
                   : kind % 10 < 8 ? NB__WANT_WINDOW
                                   : NB__WANT_PINNED;
    if (kind < 10) {
        uint32_t rank = (uint32_t)nb__random_below(&k->random, 10);
        uint32_t free = nb__session_slots_free(s->r.session);
        nb_err err = nb__session_want(s->r.session, topic, who, rank, s->r.now_ns);
        assert_true(err == NB_OK || (err == NB_E_LIMIT && free == 0));
        s->wished[who][topic] |= err == NB_OK;
    } else {
        nb__session_release(s->r.session, topic, who, s->r.now_ns);
        s->wished[who][topic] = false;
    }
}

static nb__want wisher_of(const storm *s, uint32_t topic)
{
    nb__want who = NB__WANT_PINNED;
    while (who > NB__WANT_NOBODY && !s->wished[who][topic])
        who--;
    return who;
}

static void check(storm *s)
{
    assert_true(nb__session_slots_used(s->r.session) <= SLOTS);
    for (uint32_t topic = 0; topic < KEYS; topic++) {
        const nb__registration *seen = nb__session_registration(s->r.session, topic);
        nb__want who = wisher_of(s, topic);
        assert_int_equal(seen->who, who);
        if (seen->state == NB__REG_CONFIRMED)
            assert_true(s->kis.is_open && s->kis.has[topic]);
        assert_true((who != NB__WANT_NOBODY) ==
                    (seen->state == NB__REG_PENDING || seen->state == NB__REG_CONFIRMED ||
                     seen->state == NB__REG_REJECTED));
    }
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void turn(storm *s, int64_t wish_ns, int64_t end_ns)
{
    kis *k = &s->kis;
    int64_t wake_ns = obey(s);
    int64_t at_ns = least(least(wake_ns, wish_ns), least(s->step_ns, s->closing_ns));
    if (k->queue_count > 0)
        at_ns = least(at_ns, k->queue[0].at_ns);
    if (k->is_open)
        at_ns = least(at_ns, k->pingpong_ns);
    at_ns = least(at_ns, end_ns);
    assert_true(at_ns >= s->r.now_ns);
    s->r.now_ns = at_ns;
    if (at_ns >= s->closing_ns || (k->is_open && one_in(k, 400)))
        kis_close(s, "EOF");
    if (at_ns >= s->step_ns)
        take_step(s);
    while (k->is_open && k->queue_count > 0 && k->queue[0].at_ns <= at_ns)
        kis_say(s), obey(s);
    if (k->is_open && at_ns >= k->pingpong_ns) {
        nb__session_on_alive(s->r.session, at_ns);
        k->pingpong_ns = at_ns + 10 * S;
    }
}

static void check_calm(storm *s)
{
    uint32_t confirmed = 0, has = 0, lingering = 0;
    bool is_own_waiting = false, is_pinned_waiting = false, is_less_confirmed = false;
    for (uint32_t topic = 0; topic < KEYS; topic++) {
        nb__registration_state state = nb__session_registration(s->r.session, topic)->state;
        nb__want who = wisher_of(s, topic);
        confirmed += state == NB__REG_CONFIRMED;
        lingering += state == NB__REG_LINGERING;
        has += s->kis.has[topic];
        is_less_confirmed |= state == NB__REG_CONFIRMED && who < NB__WANT_PINNED;
        if (state == NB__REG_PENDING) {
            assert_false(s->wished[NB__WANT_CLIENT][topic]); /* a client always hears */
            is_own_waiting = true;
            is_pinned_waiting |= who == NB__WANT_PINNED;
        }
    }
    assert_int_equal(confirmed + lingering, has);
    assert_int_equal(lingering, 0);
    if (is_own_waiting)
        assert_int_equal(confirmed, SLOTS);
    assert_false(is_pinned_waiting && is_less_confirmed);
}

static uint64_t seed_now; /* named when it fails */

static void run_seed(uint64_t seed)
{
    nb__session_config config = rig_config(SLOTS);
    config.seed = seed;
    config.linger_ns = 60 * S;
    config.connects_max = CONNECTS;
    config.connects_window_ns = CONNECTS_NS;
    storm s = {
        .r = rig_open(&config), .config = config, .closing_ns = INT64_MAX, .step_ns = INT64_MAX};
    nb__random_init(&s.kis.random, seed);
    for (uint32_t i = 0; i < KEYS; i++) {
        char key[8];
        snprintf(key, sizeof key, "K%02u", (unsigned)i);
        assert_int_equal(topic_of(&s.r, key), i);
        s.kis.bad_key[i] = nb__random_below(&s.kis.random, 10) == 0;
    }
    int64_t end_ns = s.r.now_ns + STORM_NS, wish_ns = s.r.now_ns;
    while (s.r.now_ns < end_ns) {
        turn(&s, wish_ns, end_ns);
        if (s.r.now_ns >= wish_ns) {
            wish(&s);
            if (one_in(&s.kis, 150))
                restart(&s);
            wish_ns = s.r.now_ns + (int64_t)nb__random_below(&s.kis.random, 5000) * MS;
        }
        check(&s);
    }
    s.kis.is_calm = true;
    s.kis.is_stale_key = false;
    s.kis.room = SLOTS;
    uint32_t requests = 0;
    for (int half = 0; half < 2; half++) {
        requests = s.requests;
        for (end_ns = s.r.now_ns + CALM_NS / 2; s.r.now_ns < end_ns;) {
            turn(&s, INT64_MAX, end_ns);
            check(&s);
        }
    }
    check_calm(&s);
    assert_int_equal(s.requests, requests); /* nothing is asked over and over */
    nb__text_fini(&s.memory);
    rig_close(&s.r);
}

static void storms_leave_every_wish_confirmed_or_rejected(void **state)
{
    (void)state;
    const char *one = getenv("NB_SEED");
    uint64_t first = one == NULL ? 1 : strtoull(one, NULL, 10);
    for (uint64_t seed = first; seed < first + (one == NULL ? SEEDS : 1); seed++) {
        seed_now = seed;
        run_seed(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storms_leave_every_wish_confirmed_or_rejected),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed != 0)
        print_message("again with NB_SEED=%llu\n", (unsigned long long)seed_now);
    return failed;
}
