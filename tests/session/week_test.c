/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated week: one to three appkeys, night after night, under the test's own clock, against a
 * model of KIS with every fault: drops without a word, silent death, an appkey held after a drop,
 * approvals refused and keys forgotten, answers late, missing, twice, out of order and without a
 * name, Friday's restart, the stop at 07:50; and on our side crashes between any two actions,
 * restarts in a loop, a state file that is torn or cannot be written, and a wall clock that steps.
 *
 * At every moment: never the 42nd registration, never two links on one appkey, never over the
 * connect budget whatever restarts, never a wait of KIS's cut short, no request waits for ever, no
 * PING; every frame comes out. And when the faults end, what is wanted is confirmed or visibly
 * rejected.
 *
 * NB_SEED=n runs one seed, NB_LONG=1 ten thousand.
 */
#include "week_lane.h"
#include <stdlib.h>

#define SEEDS 200
#define SEEDS_LONG 10000
#define LANES_MAX 3

typedef struct simulation {
    world w;
    lane lanes[LANES_MAX];
    uint32_t lane_count;
    bool is_always; /* hours: always, or nights */
    bool is_calm;
    int64_t crash_ns, start_ns, clock_ns, hours_ns, kis_restart_ns;
    int64_t crash_mean_ns;
    uint32_t crash_loop; /* so many more crashes, soon */
} simulation;

static int64_t within(simulation *week, int64_t ns)
{
    return (int64_t)nb__random_below(&week->w.random, (uint64_t)ns);
}

static int64_t earlier(int64_t a_ns, int64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

/* ---- hours ---- */

static const int boundaries[] = {61500, 74900, 75000, 75200, 174500};

static int hhmmss(int64_t now_ns)
{
    return nb__kst_civil(now_ns).hhmmss;
}

static bool is_night(int64_t now_ns)
{
    nb__civil c = nb__kst_civil(now_ns);
    int start_day = c.hhmmss < 61500 ? (c.weekday + 6) % 7 : c.weekday;
    return (c.hhmmss >= 174500 || c.hhmmss < 61500) && start_day >= 1 && start_day <= 5;
}

static int64_t next_boundary(int64_t now_ns)
{
    int date = nb__kst_civil(now_ns).date;
    for (size_t i = 0; i < NB__COUNT_OF(boundaries); i++) {
        if (nb__kst_ns(date, boundaries[i]) > now_ns)
            return nb__kst_ns(date, boundaries[i]);
    }
    return nb__kst_ns(nb__date_add(date, 1), boundaries[0]);
}

static bool is_stop(int64_t now_ns)
{
    return hhmmss(now_ns) >= 74900 && hhmmss(now_ns) < 75200;
}

static void tell_hours(simulation *week, lane *l)
{
    world *w = &week->w;
    if (is_stop(w->now_ns))
        nb__session_expect_stop(l->session,
                                nb__kst_ns(nb__kst_civil(w->now_ns).date, 75200) + w->mono_ns);
    if (week->is_always ? hhmmss(w->now_ns) == 75200 : is_night(w->now_ns)) {
        if (l->step_ns == NEVER || l->step != NB__ACT_CONNECT)
            l->is_fresh_key_due = true;
        nb__session_wake(l->session, mono(w));
    } else if (!week->is_always) {
        nb__session_rest(l->session, "until 17:45", mono(w));
    }
}

/* ---- the process ---- */

static void wish(simulation *week, lane *l)
{
    world *w = &week->w;
    uint32_t topic = (uint32_t)nb__random_below(&w->random, l->key_count);
    uint64_t what = nb__random_below(&w->random, 24);
    nb__want who = what % 12 < 6    ? NB__WANT_CLIENT
                   : what % 12 < 10 ? NB__WANT_WINDOW
                                    : NB__WANT_PINNED;
    if (what < 14) {
        uint32_t rank = (uint32_t)nb__random_below(&w->random, 20), free;
        free = nb__session_slots_free(l->session);
        nb_err err = nb__session_want(l->session, topic, who, rank, mono(w));
        assert_true(err == NB_OK || (err == NB_E_LIMIT && free == 0));
        l->wished[who][topic] |= err == NB_OK;
    } else {
        nb__session_release(l->session, topic, who, mono(w));
        l->wished[who][topic] = false;
    }
    l->wish_ns = week->is_calm ? NEVER : w->now_ns + within(week, 40 * MIN);
}

/* The state file as the new process finds it: torn at times. */
static void recall(simulation *week, lane *l)
{
    world *w = &week->w;
    if (!l->has_memory)
        return;
    if (!week->is_calm && !l->is_torn && by_chance(w, 12)) {
        l->memory.size_bytes = (size_t)nb__random_below(&w->random, l->memory.size_bytes);
        l->is_torn = true;
    }
    nb_err err = nb__session_memory_parse(l->session, nb__text_view(&l->memory), mono(w),
                                          w->now_ns + w->wall_ns, NULL);
    assert_int_equal(err, l->is_torn ? NB_E_FRAME : NB_OK);
    tally.broken += l->is_torn;
}

static void start_lane(simulation *week, lane *l)
{
    world *w = &week->w;
    l->config.seed = nb__random_next(&w->random);
    l->session = nb__session_new(&l->config, w->topics, KEYS);
    assert_non_null(l->session);
    recall(week, l);
    l->saved_ns = NB_TIME_UNDEF;
    l->is_attempt_begun = false;
    l->is_fresh_key_due = true;
    memset(l->wished, 0, sizeof l->wished);
    tell_hours(week, l);
    for (uint32_t i = 0; i < 4 * l->key_count; i++)
        wish(week, l);
    obey(w, l);
}

static void start(simulation *week)
{
    world *w = &week->w;
    w->life++;
    w->life_ns = w->now_ns;
    w->mono_ns = -w->now_ns + S + within(week, 100 * HOUR);
    week->start_ns = NEVER;
    for (uint32_t i = 0; i < week->lane_count && !w->is_crashing; i++)
        start_lane(week, &week->lanes[i]);
    if (week->crash_loop > 0)
        week->crash_loop--;
    else if (by_chance(w, 8))
        week->crash_loop = 20;
    week->crash_ns =
        week->is_calm ? NEVER
                      : w->now_ns + (week->crash_loop > 0 ? within(week, 3 * S)
                                                          : within(week, 2 * week->crash_mean_ns));
}

static void crash(simulation *week)
{
    world *w = &week->w;
    w->is_crashing = false;
    tally.crashes++;
    for (uint32_t i = 0; i < week->lane_count; i++) {
        lane *l = &week->lanes[i];
        if (l->session != NULL) {
            const nb__session_counters *count = nb__session_count(l->session);
            tally.breakers += count->breaker_openings;
            tally.watchdogs += count->watchdog_drops;
            tally.timeouts += count->answer_timeouts;
            tally.evictions += count->evictions;
        }
        nb__session_free(l->session);
        l->session = NULL;
        lose_link(w, l, "");
        l->wake_ns = l->step_ns = l->closing_ns = l->wish_ns = NEVER;
    }
    week->crash_ns = NEVER;
    week->start_ns = w->now_ns + (by_chance(w, 5) ? within(week, 5 * MIN) : within(week, 2 * S));
}

static void step_clock(simulation *week)
{
    world *w = &week->w;
    int64_t step_ns = within(week, by_chance(w, 3) ? 2 * HOUR : 30 * S);
    bool is_forward = by_chance(w, 2);
    w->wall_ns += is_forward ? step_ns : -step_ns;
    w->forward_ns += is_forward ? step_ns : 0;
    tally.forward += is_forward;
    tally.back += !is_forward;
    week->clock_ns = week->is_calm ? NEVER : w->now_ns + within(week, 24 * HOUR);
}

/* ---- time ---- */

static int64_t lane_next_ns(const lane *l)
{
    int64_t next_ns = earlier(earlier(l->wake_ns, l->step_ns), earlier(l->closing_ns, l->wish_ns));
    if (!l->kis.is_open)
        return next_ns;
    if (l->kis.reply_count > 0)
        next_ns = earlier(next_ns, l->kis.replies[0].at_ns);
    return earlier(next_ns, earlier(l->kis.frame_ns, l->kis.drop_ns));
}

static void turn_lane(simulation *week, lane *l)
{
    world *w = &week->w;
    kis *k = &l->kis;
    int64_t now_ns = w->now_ns;
    if (k->is_open && now_ns >= l->closing_ns)
        lose_link(w, l, "closed by us");
    if (now_ns >= l->step_ns)
        take_step(w, l);
    obey(w, l);
    if (k->is_open && k->reply_count > 0 && now_ns >= k->replies[0].at_ns)
        hear_reply(w, l);
    else if (k->is_open && now_ns >= k->frame_ns)
        hear_frame(w, l);
    else if (k->is_open && now_ns >= k->drop_ns)
        drop(w, l);
    if (now_ns >= l->wish_ns)
        wish(week, l);
    if (!w->is_crashing)
        obey(w, l);
    if (!w->is_crashing)
        check_lane(w, l);
    tally.muddled += k->is_muddled;
}

/* Outside the hours no link stays, and nothing begins while KIS ends every link. */
static void check_hours(const simulation *week, const lane *l, uint32_t attempts)
{
    int64_t now_ns = week->w.now_ns;
    if (!week->is_always && !is_night(now_ns) && !is_night(now_ns - 30 * S)) {
        assert_false(l->kis.is_open);
        assert_int_equal(l->step_ns, NEVER);
        assert_int_equal(nb__session_state_of(l->session), NB__SESSION_RESTING);
    }
    assert_true(attempts == l->attempt_count || !is_stop(now_ns));
}

static void cross_boundary(simulation *week)
{
    world *w = &week->w;
    week->hours_ns = next_boundary(w->now_ns);
    for (uint32_t i = 0; i < week->lane_count; i++) {
        lane *l = &week->lanes[i];
        if (hhmmss(w->now_ns) == 75000 && l->kis.is_open) {
            l->kis.drop_ns = w->now_ns + kis_within(&l->kis, 30 * S);
            l->kis.away_until_ns = w->now_ns + MIN;
            tally.stops++;
        }
        if (l->session != NULL)
            tell_hours(week, l);
    }
}

static void restart_kis(simulation *week)
{
    week->kis_restart_ns = NEVER;
    for (uint32_t i = 0; i < week->lane_count; i++)
        kis_restart(&week->lanes[i].kis, week->w.now_ns);
    tally.restarts++;
}

static void turn(simulation *week, int64_t end_ns)
{
    world *w = &week->w;
    int64_t next_ns = earlier(earlier(earlier(week->crash_ns, week->start_ns), week->clock_ns),
                              earlier(earlier(week->hours_ns, week->kis_restart_ns), end_ns));
    for (uint32_t i = 0; i < week->lane_count; i++)
        next_ns = earlier(next_ns, lane_next_ns(&week->lanes[i]));
    assert_true(next_ns >= w->now_ns);
    w->now_ns = next_ns;
    if (next_ns >= week->clock_ns)
        step_clock(week);
    if (next_ns >= week->kis_restart_ns)
        restart_kis(week);
    if (next_ns >= week->start_ns)
        start(week);
    bool is_boundary = next_ns >= week->hours_ns;
    if (is_boundary)
        cross_boundary(week);
    for (uint32_t i = 0; i < week->lane_count && !w->is_crashing; i++) {
        lane *l = &week->lanes[i];
        uint32_t attempts = l->attempt_count;
        if (l->session == NULL || !(is_boundary || lane_next_ns(l) <= next_ns))
            continue;
        turn_lane(week, l);
        if (!w->is_crashing)
            check_hours(week, l, attempts);
    }
    if (w->is_crashing || next_ns >= week->crash_ns)
        crash(week);
}

/* ---- a seed ---- */

static simulation open_week(uint64_t seed)
{
    simulation week = {.w.now_ns = nb__kst_ns(20261116, 170000), .w.topics = nb__topics_new(KEYS)};
    world *w = &week.w;
    nb__random_init(&w->random, seed);
    for (uint32_t i = 0; i < KEYS; i++) {
        nb__topic topic;
        char key[8];
        snprintf(key, sizeof key, "K%02u", (unsigned)i);
        assert_true(nb__topic_make(NB__SPAN("H0EUASP0"), nb__span(key), &topic));
        assert_int_equal(nb__topics_intern(w->topics, &topic), i);
    }
    week.lane_count = by_chance(w, 4) ? 2 + (uint32_t)nb__random_below(&w->random, 2) : 1;
    week.is_always = by_chance(w, 4);
    week.crash_mean_ns = 2 * HOUR + within(&week, 40 * HOUR);
    w->can_crash = by_chance(w, 2);
    w->can_fail_to_save = by_chance(w, 3);
    week.crash_ns = NEVER;
    week.start_ns = w->now_ns;
    week.clock_ns = w->now_ns + within(&week, 48 * HOUR);
    week.hours_ns = next_boundary(w->now_ns);
    week.kis_restart_ns = nb__kst_ns(20261120, 180000) + within(&week, 12 * HOUR);
    bool is_close = by_chance(w, 24), is_full = by_chance(w, 12);
    for (uint32_t i = 0; i < week.lane_count; i++) {
        lane *l = &week.lanes[i];
        l->config = nb__session_config_default();
        if (!is_close) /* longer silences, fewer turns */
            l->config.watchdog_ns = 20 * MIN;
        l->kis.frame_gap_ns = is_close ? 20 * S : 8 * MIN;
        l->kis.drop_mean_ns = 10 * MIN + within(&week, 5 * HOUR);
        l->key_count = is_full ? KEYS : 8;
        l->wake_ns = l->step_ns = l->closing_ns = l->wish_ns = NEVER;
        nb__random_init(&l->kis.random, nb__random_next(&w->random));
        for (uint32_t k = 0; k < KEYS; k++)
            l->kis.is_bad[k] = kis_below(&l->kis, 10) == 0;
    }
    return week;
}

/* The faults end: what is muddled is dropped once, the process stays. */
static void calm_down(simulation *week)
{
    world *w = &week->w;
    week->is_calm = true;
    w->can_crash = w->can_fail_to_save = false;
    week->crash_ns = week->clock_ns = week->kis_restart_ns = NEVER;
    for (uint32_t i = 0; i < week->lane_count; i++) {
        lane *l = &week->lanes[i];
        l->kis.is_calm = true;
        l->kis.held_until_ns = l->kis.away_until_ns = w->now_ns;
        l->wish_ns = NEVER;
        if (l->kis.is_open)
            lose_link(w, l, "EOF");
        if (l->session != NULL)
            obey(w, l);
    }
}

static void check_end(const lane *l)
{
    uint32_t confirmed = 0;
    bool is_window_waiting = false, is_pinned_waiting = false, is_less_confirmed = false;
    assert_string_equal(nb__session_state_name(nb__session_state_of(l->session)), "up");
    assert_string_equal(nb__session_reason(l->session), "");
    for (uint32_t topic = 0; topic < l->key_count; topic++) {
        nb__registration_state state = nb__session_registration(l->session, topic)->state;
        nb__want who = wisher_of(l, topic);
        confirmed += state == NB__REG_CONFIRMED;
        is_less_confirmed |= state == NB__REG_CONFIRMED && who < NB__WANT_PINNED;
        assert_int_equal(l->kis.has[topic], state == NB__REG_CONFIRMED);
        if (state == NB__REG_PENDING) { /* there is no slot for it */
            assert_false(l->wished[NB__WANT_CLIENT][topic]);
            is_window_waiting |= who == NB__WANT_WINDOW;
            is_pinned_waiting |= who == NB__WANT_PINNED;
        }
    }
    if (is_window_waiting || is_pinned_waiting)
        assert_int_equal(confirmed, KIS_MAX);
    assert_false(is_pinned_waiting && is_less_confirmed);
}

static void run_seed(uint64_t seed)
{
    simulation week = open_week(seed);
    int64_t calm_ns = nb__kst_ns(20261123, 170000), end_ns = nb__kst_ns(20261123, 220000);
    while (week.w.now_ns < calm_ns)
        turn(&week, calm_ns);
    calm_down(&week);
    uint32_t requests[LANES_MAX] = {0};
    for (int64_t until_ns = end_ns - HOUR; until_ns <= end_ns; until_ns += HOUR) {
        for (uint32_t i = 0; i < week.lane_count; i++)
            requests[i] = week.lanes[i].requests;
        while (week.w.now_ns < until_ns)
            turn(&week, until_ns);
    }
    for (uint32_t i = 0; i < week.lane_count; i++) {
        check_end(&week.lanes[i]);
        assert_int_equal(week.lanes[i].requests, requests[i]); /* nothing is asked over and over */
    }
    crash(&week);
    for (uint32_t i = 0; i < week.lane_count; i++)
        nb__text_fini(&week.lanes[i].memory);
    nb__topics_free(week.w.topics);
}

static uint64_t seed_now; /* named when it fails */

static void weeks_with_every_fault(void **state)
{
    (void)state;
    const char *one = getenv("NB_SEED");
    uint64_t first = one == NULL ? 1 : strtoull(one, NULL, 10);
    const char *is_long = getenv("NB_LONG"); /* set and empty: no */
    uint64_t count = one != NULL ? 1 : is_long != NULL && *is_long != '\0' ? SEEDS_LONG : SEEDS;
    for (uint64_t seed = first; seed < first + count; seed++) {
        seed_now = seed;
        run_seed(seed);
    }
    if (one != NULL)
        return;
    const uint64_t *each = (const uint64_t *)(const void *)&tally;
    for (size_t i = 0; i < sizeof tally / sizeof *each; i++) {
        if (each[i] < count / 10)
            fail_msg("fault %zu hardly ever came: %llu", i, (unsigned long long)each[i]);
    }
    print_message("%llu weeks: %llu attempts, %llu crashes, %llu OPSP8996, %llu OPSP0011, %llu "
                  "breakers, %llu frames\n",
                  (unsigned long long)count, (unsigned long long)tally.attempts,
                  (unsigned long long)tally.crashes, (unsigned long long)tally.in_use,
                  (unsigned long long)tally.bad_key, (unsigned long long)tally.breakers,
                  (unsigned long long)tally.frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weeks_with_every_fault),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed != 0)
        print_message("again with NB_SEED=%llu\n", (unsigned long long)seed_now);
    return failed;
}
