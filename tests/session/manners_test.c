/* SPDX-License-Identifier: Apache-2.0 */
/* Manners: the connect budget and its breaker, OPSP8996 and approval waits, the approval key's
 * life, and the memory of all that across processes, clock steps and broken files. */
#include "rig.h"

#define MIN (60 * S)
#define REAL (INT64_C(1795000000) * S) /* the real clock when the rig's says 0 */

static nb__session_config budget_config(void)
{
    nb__session_config config = rig_config(41);
    config.connects_max = 4;
    return config;
}

/* The next attempt: a connection that fails. @return when it began. */
static int64_t fail_once(rig *r)
{
    nb__action_kind kind = wait_next(r);
    int64_t began_ns = r->now_ns;
    if (kind == NB__ACT_APPROVE) {
        nb__session_on_approved(r->session, "the-approval-key", r->now_ns);
        kind = next(r);
    }
    assert_int_equal(kind, NB__ACT_CONNECT);
    nb__session_on_closed(r->session, "refused", r->now_ns);
    return began_ns;
}

static nb__text remember(rig *r, int64_t real_ns)
{
    nb__text text = {0};
    nb__session_memory_print(r->session, r->now_ns, real_ns, &text);
    assert_false(text.is_failed);
    assert_true(text.size_bytes <= 1024);
    return text;
}

/* Another process, whose monotonic clock says something else. */
static nb_err restart(rig *r, const nb__session_config *config, nb_span memory, int64_t real_ns)
{
    nb__session_free(r->session);
    r->session = nb__session_new(config, r->topics, TOPICS_MAX);
    assert_non_null(r->session);
    r->now_ns = 7 * S;
    nb_error error = {0};
    nb_err err = nb__session_memory_parse(r->session, memory, r->now_ns, real_ns, &error);
    assert_int_equal(error.code, err);
    return err;
}

/* ---- the budget ---- */

static void the_budget_holds_and_the_breaker_tells(void **state)
{
    (void)state;
    nb__session_config config = budget_config();
    rig r = rig_open(&config);
    int64_t began_ns[12];
    for (int i = 0; i < 12; i++) {
        began_ns[i] = fail_once(&r);
        assert_int_equal(nb__session_count(r.session)->is_breaker_open, i % 4 == 3);
        if (i >= 4)
            assert_true(began_ns[i] - began_ns[i - 4] >= config.connects_window_ns);
        if (i == 2) {
            assert_int_equal(nb__session_budget_used(r.session, r.now_ns), 3);
            assert_non_null(strstr(nb__session_reason(r.session), "(3 of 4 used in 10 min)"));
        }
        if (i == 3) {
            char words[80];
            int64_t wait_ns = began_ns[0] + config.connects_window_ns - r.now_ns;
            snprintf(words, sizeof words,
                     "refused; connect budget spent: 4 in 10 min; next try in %lld s",
                     (long long)((wait_ns + S - 1) / S));
            assert_non_null(strstr(nb__session_reason(r.session), words));
            assert_int_equal(nb__session_next_try_ns(r.session), r.now_ns + wait_ns);
        }
    }
    assert_int_equal(nb__session_count(r.session)->breaker_openings, 3);
    connect_up(&r);
    assert_int_equal(nb__session_count(r.session)->is_breaker_open, 0);
    assert_string_equal(nb__session_reason(r.session), "");
    assert_int_equal(nb__session_next_try_ns(r.session), INT64_MAX);
    rig_close(&r);
}

static void a_slow_approval_counts_until_its_connection(void **state)
{
    (void)state;
    nb__session_config config = budget_config();
    rig r = rig_open(&config);
    assert_int_equal(next(&r), NB__ACT_APPROVE);
    r.now_ns += 9 * S;
    nb__session_on_approved(r.session, "the-approval-key", r.now_ns);
    assert_int_equal(r.save_count, 1);
    assert_int_equal(next(&r), NB__ACT_CONNECT);
    assert_int_equal(r.save_count, 2); /* the later stamp is written down too */
    int64_t connected_ns = r.now_ns;
    nb__session_on_closed(r.session, "refused", r.now_ns);
    for (int i = 0; i < 3; i++)
        fail_once(&r);
    assert_true(fail_once(&r) - connected_ns >= config.connects_window_ns);
    rig_close(&r);
}

static void every_attempt_is_saved_before_it_begins(void **state)
{
    (void)state;
    nb__session_config config = budget_config();
    rig r = rig_open(&config);
    nb__session_next(r.session, r.now_ns, &r.action);
    assert_int_equal(r.action.kind, NB__ACT_SAVE);
    assert_int_equal(nb__session_budget_used(r.session, r.now_ns), 1);
    nb__session_next(r.session, r.now_ns, &r.action);
    assert_int_equal(r.action.kind, NB__ACT_APPROVE);
    rig_close(&r);
}

static void unsaved_attempts_keep_the_mean_distance(void **state)
{
    (void)state;
    nb__session_config config = budget_config();
    rig r = rig_open(&config);
    int64_t last_ns = r.now_ns; /* the session's begin counts as one */
    for (int i = 0; i < 4; i++) {
        do {
            nb__session_next(r.session, r.now_ns, &r.action);
            if (r.action.kind == NB__ACT_SAVE)
                nb__session_on_unsaved(r.session, r.now_ns);
            if (r.action.kind == NB__ACT_WAIT)
                r.now_ns = r.action.wake_ns;
        } while (r.action.kind != NB__ACT_APPROVE);
        assert_true(r.now_ns - last_ns >= config.connects_window_ns / 4);
        assert_true(r.now_ns - last_ns <= config.connects_window_ns / 4 + 60 * S);
        last_ns = r.now_ns;
        nb__session_on_approval_failed(r.session, NB__APPROVAL_RETRY, "no", r.now_ns);
    }
    fail_once(&r); /* it can be saved again: as usual */
    rig_close(&r);
}

static void without_a_budget_nothing_of_it_is_said(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    config.backoff_max_ns = S;
    rig r = rig_open(&config);
    for (int i = 0; i < 50; i++)
        fail_once(&r);
    assert_null(strstr(nb__session_reason(r.session), "used in"));
    assert_int_equal(nb__session_count(r.session)->breaker_openings, 0);
    nb__session_on_unsaved(r.session, r.now_ns);
    rig_close(&r);
}

/* ---- the approval key ---- */

static void the_key_is_reused_until_it_is_23_hours_old(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    config.watchdog_ns = 100 * 3600 * S;
    rig r = rig_open(&config);
    connect_up(&r);
    static const struct {
        int64_t later_ns;
        nb__action_kind kind;
    } cases[] = {{3600 * S, NB__ACT_CONNECT},
                 {22 * 3600 * S - MIN, NB__ACT_CONNECT},
                 {2 * MIN, NB__ACT_APPROVE},
                 {S, NB__ACT_CONNECT}};
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        r.now_ns += cases[i].later_ns;
        nb__session_on_closed(r.session, "EOF", r.now_ns);
        assert_int_equal(wait_next(&r), NB__ACT_LINK);
        assert_int_equal(wait_next(&r), cases[i].kind);
        finish_up(&r);
    }
    rig_close(&r);
}

static const struct {
    nb__approval_class class_;
    int64_t waits_ns[7];
} approval_waits[] = {
    {NB__APPROVAL_RETRY, {800 * MS, 1600 * MS, 3200 * MS}},
    {NB__APPROVAL_PACED, {MIN, MIN, MIN}},
    {NB__APPROVAL_LOCKED, {MIN, 5 * MIN, 15 * MIN, 30 * MIN, 60 * MIN, 60 * MIN, 60 * MIN}},
    {NB__APPROVAL_REFUSED, {60 * MIN, 60 * MIN}},
    {NB__APPROVAL_CLOSED, {5 * MIN, 5 * MIN}},
};

static void approval_failures_wait_by_class(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    for (size_t i = 0; i < NB__COUNT_OF(approval_waits); i++) {
        rig r = rig_open(&config);
        assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
        for (size_t step = 0; step < 7 && approval_waits[i].waits_ns[step] > 0; step++) {
            int64_t failed_ns = r.now_ns;
            uint32_t saves = r.save_count;
            nb__session_on_approval_failed(r.session, approval_waits[i].class_, "EGW", r.now_ns);
            assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
            int64_t least_ns = approval_waits[i].waits_ns[step];
            assert_in_range(r.now_ns - failed_ns, least_ns, least_ns / 100 * 151);
            /* before the new attempt, and after what must outlive us */
            assert_int_equal(r.save_count - saves,
                             approval_waits[i].class_ == NB__APPROVAL_RETRY ? 1 : 2);
        }
        finish_up(&r);
        rig_close(&r);
    }
}

static void an_approval_ends_the_row_of_lock_outs(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
        nb__session_on_approval_failed(r.session, NB__APPROVAL_LOCKED, "EGW00103", r.now_ns);
    }
    connect_up(&r);
    nb__session_wake(r.session, r.now_ns);
    nb__session_on_closed(r.session, "EOF", r.now_ns);
    assert_int_equal(wait_next(&r), NB__ACT_LINK);
    assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
    int64_t failed_ns = r.now_ns;
    nb__session_on_approval_failed(r.session, NB__APPROVAL_LOCKED, "EGW00103", r.now_ns);
    assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
    assert_in_range(r.now_ns - failed_ns, MIN, 2 * MIN);
    rig_close(&r);
}

/* ---- OPSP8996 ---- */

static int64_t meet_in_use(rig *r)
{
    connect_up(r);
    expect_request(r, "A1", true);
    uint32_t saves = r->save_count;
    answer(r, NB__OPSP_IN_USE, "A1");
    assert_int_equal(next(r), NB__ACT_DISCONNECT);
    assert_int_equal(r->save_count, saves + 1);
    r->now_ns += S; /* as long as our close may take */
    int64_t closed_ns = r->now_ns;
    nb__session_on_closed(r->session, "closed by us", r->now_ns);
    assert_int_equal(next(r), NB__ACT_LINK);
    return closed_ns;
}

static void in_use_waits_grow_to_ten_minutes_and_fall_back(void **state)
{
    (void)state;
    static const int64_t waits_ns[] = {MIN,      2 * MIN,  4 * MIN, 8 * MIN,
                                       10 * MIN, 10 * MIN, 10 * MIN};
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want(&r, "A1", NB__WANT_CLIENT);
    for (size_t i = 0; i < NB__COUNT_OF(waits_ns); i++) {
        int64_t closed_ns = meet_in_use(&r);
        assert_int_equal(wait_next(&r), NB__ACT_CONNECT); /* a new key would not free it */
        assert_in_range(r.now_ns - closed_ns, waits_ns[i], waits_ns[i] / 10 * 12);
        nb__session_on_closed(r.session, "refused", r.now_ns); /* does not end the row */
    }
    assert_int_equal(nb__session_count(r.session)->in_use, 7);
    connect_up(&r);
    uint32_t saves = r.save_count;
    confirm(&r, "A1");
    assert_int_equal(next(&r), NB__ACT_WAIT);
    assert_int_equal(r.save_count, saves + 1); /* the row's end is worth remembering */
    nb__session_on_closed(r.session, "EOF", r.now_ns);
    assert_int_equal(next(&r), NB__ACT_LINK);
    int64_t closed_ns = meet_in_use(&r);
    assert_int_equal(wait_next(&r), NB__ACT_CONNECT);
    assert_in_range(r.now_ns - closed_ns, MIN, MIN / 10 * 12);
    rig_close(&r);
}

/* ---- the memory ---- */

static void fifty_restarts_in_a_minute_are_four_attempts(void **state)
{
    (void)state;
    nb__session_config config = budget_config();
    rig r = rig_open(&config);
    int64_t real_ns = REAL;
    uint32_t attempts = 0;
    for (int i = 0; i < 50; i++, real_ns += 1200 * MS) {
        nb__text memory = remember(&r, real_ns);
        assert_int_equal(restart(&r, &config, nb__text_view(&memory), real_ns), NB_OK);
        nb__text_fini(&memory);
        if (next(&r) == NB__ACT_APPROVE) /* and here it crashes */
            attempts++;
    }
    assert_int_equal(attempts, 4);
    assert_non_null(strstr(nb__session_reason(r.session), "connect budget spent: 4 in 10 min"));
    assert_int_equal(nb__session_count(r.session)->is_breaker_open, 1);
    rig_close(&r);
}

static void what_reached_nobody_costs_budget_only_over_a_crash(void **state)
{
    (void)state;
    nb__session_config config = budget_config();
    rig r = rig_open(&config);
    for (uint32_t i = 1; i <= 10; i++) { /* the network is away */
        assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
        assert_int_equal(r.save_count, i); /* as an attempt, before it begins */
        assert_int_equal(nb__session_budget_used(r.session, r.now_ns), 1);
        nb__session_on_unreached(r.session);
        nb__session_on_unreached(r.session);
        nb__session_on_approval_failed(r.session, NB__APPROVAL_RETRY, "no network", r.now_ns);
        assert_int_equal(next(&r), NB__ACT_WAIT);
        assert_int_equal(r.save_count, i); /* and it stays so in the memory */
        assert_int_equal(nb__session_budget_used(r.session, r.now_ns), 0);
    }
    assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
    nb__session_on_approved(r.session, "key", r.now_ns);
    assert_int_equal(next(&r), NB__ACT_CONNECT);
    nb__session_on_unreached(r.session); /* KIS saw its approval */
    nb__session_on_closed(r.session, "refused", r.now_ns);
    assert_int_equal(nb__session_budget_used(r.session, r.now_ns), 1);
    rig_close(&r);
}

static void waits_and_rows_are_remembered(void **state)
{
    (void)state;
    nb__session_config config = budget_config();
    config.connects_max = 40;
    rig r = rig_open(&config);
    want(&r, "A1", NB__WANT_CLIENT);
    meet_in_use(&r);
    meet_in_use(&r); /* the second in a row: two minutes */
    nb__text memory = remember(&r, REAL);
    assert_int_equal(restart(&r, &config, nb__text_view(&memory), REAL + 30 * S), NB_OK);
    int64_t began_ns = r.now_ns;
    assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
    assert_in_range(r.now_ns - began_ns, 90 * S, 120 * S);
    nb__session_on_approval_failed(r.session, NB__APPROVAL_LOCKED, "EGW00103", r.now_ns);
    assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
    nb__session_on_approval_failed(r.session, NB__APPROVAL_LOCKED, "EGW00103", r.now_ns);
    nb__text_fini(&memory);
    memory = remember(&r, REAL);
    assert_int_equal(restart(&r, &config, nb__text_view(&memory), REAL + MIN), NB_OK);
    nb__text_fini(&memory);
    began_ns = r.now_ns;
    assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
    assert_in_range(r.now_ns - began_ns, 4 * MIN, 5 * MIN);
    assert_int_equal(nb__session_count(r.session)->approvals, 0);
    nb__session_on_approval_failed(r.session, NB__APPROVAL_LOCKED, "EGW00103", r.now_ns);
    int64_t failed_ns = r.now_ns;
    assert_int_equal(wait_next(&r), NB__ACT_APPROVE); /* the third in a row */
    assert_in_range(r.now_ns - failed_ns, 15 * MIN, 17 * MIN);
    want(&r, "A1", NB__WANT_CLIENT);
    nb__session_on_approved(r.session, "the-approval-key", r.now_ns);
    assert_int_equal(next(&r), NB__ACT_CONNECT);
    nb__session_on_closed(r.session, "refused", r.now_ns);
    int64_t closed_ns = meet_in_use(&r);
    assert_int_equal(wait_next(&r), NB__ACT_CONNECT); /* the third in a row */
    assert_in_range(r.now_ns - closed_ns, 4 * MIN, 5 * MIN);
    rig_close(&r);
}

/* How long the first attempt waits when the budget was spent at real time REAL. */
static int64_t wait_after_step(int64_t real_ns)
{
    nb__session_config config = budget_config();
    rig r = rig_open(&config);
    for (int i = 0; i < 4; i++) {
        nb__action_kind kind = wait_next(&r);
        assert_true(kind == NB__ACT_APPROVE);
        r.now_ns += 10 * S;
        nb__session_on_approval_failed(r.session, NB__APPROVAL_RETRY, "no", r.now_ns);
    }
    nb__text memory = remember(&r, REAL);
    assert_int_equal(restart(&r, &config, nb__text_view(&memory), real_ns), NB_OK);
    nb__text_fini(&memory);
    int64_t began_ns = r.now_ns;
    assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
    began_ns = r.now_ns - began_ns;
    rig_close(&r);
    return began_ns;
}

static void clock_steps_do_no_harm(void **state)
{
    (void)state;
    nb__session_config config = budget_config();
    int64_t plain_ns = wait_after_step(REAL);
    assert_in_range(plain_ns, 500 * S, config.connects_window_ns);
    /* forward: shorter by no more than it moved (a millisecond is rounded up) */
    assert_in_range(wait_after_step(REAL + 100 * S), plain_ns - 100 * S, plain_ns - 100 * S + MS);
    assert_int_equal(wait_after_step(REAL + 3600 * S), 0);
    /* back: the window at most */
    assert_in_range(wait_after_step(REAL - 100 * S), plain_ns, config.connects_window_ns);
    assert_int_equal(wait_after_step(REAL - 3600 * S), config.connects_window_ns);
    assert_int_equal(wait_after_step(0), config.connects_window_ns);
    assert_int_equal(wait_after_step(-S), config.connects_window_ns);
    assert_int_equal(wait_after_step(INT64_MAX), 0);
}

static void a_far_future_wait_is_the_longest_at_most(void **state)
{
    (void)state;
    nb__session_config config = budget_config();
    rig r = rig_open(&config);
    static const struct {
        const char *memory;
        int64_t least_ns, most_ns;
    } cases[] = {
        {"nightbook-session 1 attempts= in-use=9@999999999999999 approval=0@0\n", 10 * MIN,
         13 * MIN},
        {"nightbook-session 1 attempts= in-use=0@0 approval=9@999999999999999\n", 60 * MIN,
         66 * MIN},
        {"nightbook-session 1 attempts=1,999999999999999 in-use=0@0 approval=0@0\n", 0, 0},
        {"nightbook-session 1 attempts=1 in-use=1@1 approval=1@1\n", 0, 0},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        assert_int_equal(restart(&r, &config, nb__span(cases[i].memory), REAL), NB_OK);
        int64_t began_ns = r.now_ns;
        assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
        assert_in_range(r.now_ns - began_ns, cases[i].least_ns, cases[i].most_ns);
    }
    rig_close(&r);
}

static const char *const broken[] = {
    "",
    "\n",
    "nightbook-session 2 attempts= in-use=0@0 approval=0@0\n",
    "nightbook-session 1",
    "nightbook-session 1 attempts=2,1 in-use=0@0 approval=0@0\n",
    "nightbook-session 1 attempts=1, in-use=0@0 approval=0@0\n",
    "nightbook-session 1 attempts=,1 in-use=0@0 approval=0@0\n",
    "nightbook-session 1 attempts=-1 in-use=0@0 approval=0@0\n",
    "nightbook-session 1 attempts=1234567890123456789 in-use=0@0 approval=0@0\n",
    "nightbook-session 1 attempts=1 in-use=1001@0 approval=0@0\n",
    "nightbook-session 1 attempts=1 in-use=0@0 approval=0@0\n\n",
    "nightbook-session 1 attempts=1 in-use=0@0 approval=0@0 more=1\n",
    "nightbook-session 1 attempts=1 in-use=0@0 approval=0@",
    "nightbook-session 1 attempts=1 in-use=0@0 approval=0",
    "nightbook-session 1 attempts=1 in-use=0@0 approval=0@0",
};

static void expect_spent(rig *r, const nb__session_config *config, nb_span memory)
{
    assert_int_equal(restart(r, config, memory, REAL), NB_E_FRAME);
    assert_int_equal(nb__session_budget_used(r->session, r->now_ns), config->connects_max);
    int64_t began_ns = r->now_ns;
    assert_int_equal(wait_next(r), NB__ACT_APPROVE);
    assert_int_equal(r->now_ns - began_ns, config->connects_window_ns);
}

static void a_broken_memory_is_a_spent_budget(void **state)
{
    (void)state;
    nb__session_config config = budget_config();
    rig r = rig_open(&config);
    for (size_t i = 0; i < NB__COUNT_OF(broken); i++) {
        guard memory = guard_copy(broken[i], strlen(broken[i]));
        expect_spent(&r, &config, (nb_span){memory.data, memory.size_bytes});
        guard_free(&memory);
    }
    /* one attempt more than can be had, and a whole one cut short at every byte */
    nb__text text = {0};
    nb__text_string(&text, "nightbook-session 1 attempts=1");
    for (int i = 2; i <= 41; i++)
        nb__text_printf(&text, ",%d", i);
    nb__text_string(&text, " in-use=0@0 approval=0@0\n");
    expect_spent(&r, &config, nb__text_view(&text));
    nb__text_clear(&text);
    nb__session_memory_print(r.session, r.now_ns, REAL, &text);
    for (size_t cut = 0; cut < text.size_bytes; cut++) {
        guard memory = guard_copy(text.data, cut);
        expect_spent(&r, &config, (nb_span){memory.data, cut});
        guard_free(&memory);
    }
    nb__text_fini(&text);
    rig_close(&r);
}

static void the_largest_memory_fits_and_comes_back_the_same(void **state)
{
    (void)state;
    nb__session_config config = budget_config();
    config.connects_max = 1000; /* as many as can be remembered */
    config.backoff_max_ns = config.backoff_min_ns;
    rig r = rig_open(&config);
    for (int i = 0; i < 45; i++)
        fail_once(&r);
    nb__text first = remember(&r, REAL);
    assert_int_equal(restart(&r, &config, nb__text_view(&first), REAL), NB_OK);
    nb__text again = remember(&r, REAL);
    assert_string_equal(first.data, again.data);
    assert_null(strstr(first.data, "the-approval-key"));
    assert_int_equal(nb__session_budget_used(r.session, r.now_ns), 40);
    nb__text_fini(&first);
    nb__text_fini(&again);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_budget_holds_and_the_breaker_tells),
        cmocka_unit_test(a_slow_approval_counts_until_its_connection),
        cmocka_unit_test(every_attempt_is_saved_before_it_begins),
        cmocka_unit_test(unsaved_attempts_keep_the_mean_distance),
        cmocka_unit_test(without_a_budget_nothing_of_it_is_said),
        cmocka_unit_test(the_key_is_reused_until_it_is_23_hours_old),
        cmocka_unit_test(approval_failures_wait_by_class),
        cmocka_unit_test(an_approval_ends_the_row_of_lock_outs),
        cmocka_unit_test(in_use_waits_grow_to_ten_minutes_and_fall_back),
        cmocka_unit_test(fifty_restarts_in_a_minute_are_four_attempts),
        cmocka_unit_test(what_reached_nobody_costs_budget_only_over_a_crash),
        cmocka_unit_test(waits_and_rows_are_remembered),
        cmocka_unit_test(clock_steps_do_no_harm),
        cmocka_unit_test(a_far_future_wait_is_the_longest_at_most),
        cmocka_unit_test(a_broken_memory_is_a_spent_budget),
        cmocka_unit_test(the_largest_memory_fits_and_comes_back_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
