/* SPDX-License-Identifier: Apache-2.0 */
/* Hours: rest and wake in every state, the fresh key of each night, and the stop that KIS makes at
 * 07:50. */
#include "rig.h"

#define MIN (60 * S)
#define HOUR (3600 * S)

static void expect_resting(rig *r)
{
    assert_string_equal(nb__session_state_name(nb__session_state_of(r->session)), "resting");
    assert_string_equal(nb__session_reason(r->session), "resting until Mon 17:45");
    assert_int_equal(next(r), NB__ACT_WAIT);
    assert_true(r->action.wake_ns == INT64_MAX);
    assert_true(nb__session_next_try_ns(r->session) == INT64_MAX);
}

static void rest(rig *r)
{
    nb__session_rest(r->session, "until Mon 17:45", r->now_ns);
}

static void resting_before_the_first_attempt(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    rest(&r);
    expect_resting(&r);
    r.now_ns += 60 * HOUR;
    nb__session_wake(r.session, r.now_ns);
    assert_int_equal(nb__session_down_since_ns(r.session), r.now_ns);
    assert_int_equal(next(&r), NB__ACT_APPROVE);
    finish_up(&r);
    rig_close(&r);
}

static void a_link_is_closed_politely_and_the_next_night_has_a_fresh_key(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want(&r, "A1", NB__WANT_CLIENT);
    want(&r, "P1", NB__WANT_PINNED);
    connect_up(&r);
    confirm(&r, "P1");
    confirm(&r, "A1");
    rest(&r);
    assert_int_equal(next(&r), NB__ACT_DISCONNECT);
    assert_true(say(&r, "0|H0EUASP0|001|A1^1")); /* what still comes is data */
    nb__session_on_closed(r.session, "closed by us", r.now_ns);
    assert_int_equal(next(&r), NB__ACT_LINK);
    assert_false(r.action.is_up);
    expect_resting(&r);
    expect_state(&r, "A1", NB__REG_PENDING);
    assert_int_equal(nb__session_count(r.session)->losses, 0);
    r.now_ns += 11 * HOUR;
    nb__session_wake(r.session, r.now_ns);
    int64_t woke_ns = r.now_ns;
    assert_int_equal(next(&r), NB__ACT_APPROVE);
    assert_int_equal(r.now_ns, woke_ns);
    finish_up(&r);
    confirm(&r, "P1");
    confirm(&r, "A1");
    rig_close(&r);
}

static void what_is_under_way_ends_before_the_rest(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    for (int how = 0; how < 4; how++) {
        rig r = rig_open(&config);
        assert_int_equal(next(&r), NB__ACT_APPROVE);
        if (how >= 2) {
            nb__session_on_approved(r.session, "k", r.now_ns);
            assert_int_equal(next(&r), NB__ACT_CONNECT);
        }
        rest(&r);
        assert_int_equal(next(&r), NB__ACT_WAIT);
        if (how == 0)
            nb__session_on_approved(r.session, "k", r.now_ns);
        if (how == 1)
            nb__session_on_approval_failed(r.session, NB__APPROVAL_LOCKED, "no", r.now_ns);
        if (how == 2)
            nb__session_on_closed(r.session, "refused", r.now_ns);
        if (how == 3) {
            nb__session_on_opened(r.session, r.now_ns);
            assert_int_equal(next(&r), NB__ACT_LINK);
            assert_int_equal(next(&r), NB__ACT_DISCONNECT);
            nb__session_on_closed(r.session, "closed by us", r.now_ns);
            assert_int_equal(next(&r), NB__ACT_LINK);
        }
        expect_resting(&r);
        rig_close(&r);
    }
}

static void waking_while_the_link_closes_connects_again(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    connect_up(&r);
    rest(&r);
    assert_int_equal(next(&r), NB__ACT_DISCONNECT);
    nb__session_wake(r.session, r.now_ns);
    nb__session_on_closed(r.session, "closed by us", r.now_ns);
    assert_int_equal(next(&r), NB__ACT_LINK);
    assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
    finish_up(&r);
    nb__session_wake(r.session, r.now_ns); /* another session's hours, no rest between: the link */
    assert_int_equal(next(&r), NB__ACT_WAIT); /* stays, and the next one has a fresh key */
    nb__session_on_closed(r.session, "EOF", r.now_ns);
    assert_int_equal(next(&r), NB__ACT_LINK);
    assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
    rig_close(&r);
}

static void waits_that_kis_imposed_outlast_the_rest(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    config.connects_max = 4;
    rig r = rig_open(&config);
    assert_int_equal(next(&r), NB__ACT_APPROVE);
    nb__session_on_approval_failed(r.session, NB__APPROVAL_REFUSED, "EGW00207", r.now_ns);
    int64_t failed_ns = r.now_ns;
    rest(&r);
    expect_resting(&r);
    r.now_ns += 10 * MIN;
    nb__session_wake(r.session, r.now_ns);
    assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
    assert_true(r.now_ns - failed_ns >= 60 * MIN);
    /* and so does the budget, however often it rests and wakes */
    int64_t first_ns = r.now_ns;
    for (int i = 0; i < 4; i++) {
        nb__session_on_approval_failed(r.session, NB__APPROVAL_RETRY, "no", r.now_ns);
        rest(&r);
        nb__session_wake(r.session, r.now_ns);
        assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
        assert_int_equal(i == 3, r.now_ns > first_ns);
    }
    assert_true(r.now_ns - first_ns >= config.connects_window_ns);
    rig_close(&r);
}

static void an_expected_stop_is_no_failure_and_is_waited_out(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    connect_up(&r);
    for (int i = 0; i < 3; i++) { /* the fourth failure would wait eight seconds */
        nb__session_on_closed(r.session, "EOF", r.now_ns);
        assert_int_equal(next(&r), NB__ACT_LINK);
        connect_up(&r);
    }
    int64_t until_ns = r.now_ns + 5 * MIN;
    nb__session_expect_stop(r.session, until_ns);
    r.now_ns += MIN;
    nb__session_on_alive(r.session, r.now_ns - S);
    nb__session_on_closed(r.session, "EOF", r.now_ns);
    assert_int_equal(next(&r), NB__ACT_LINK);
    assert_non_null(
        strstr(nb__session_reason(r.session), "KIS ends every link at about this time"));
    assert_int_equal(wait_next(&r), NB__ACT_CONNECT);
    assert_int_equal(r.now_ns, until_ns);
    nb__session_on_closed(r.session, "refused", r.now_ns);
    assert_int_equal(wait_next(&r), NB__ACT_CONNECT);
    assert_in_range(r.now_ns - until_ns, 6 * S, 10 * S); /* the fourth, not the fifth */
    rig_close(&r);
}

static void a_try_that_falls_into_the_stop_waits_too(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    assert_int_equal(next(&r), NB__ACT_APPROVE);
    nb__session_on_approval_failed(r.session, NB__APPROVAL_RETRY, "no", r.now_ns);
    int64_t until_ns = r.now_ns + 5 * MIN;
    nb__session_expect_stop(r.session, until_ns);
    assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
    assert_int_equal(r.now_ns, until_ns);
    rig_close(&r);
}

static void down_since_is_when_the_link_went(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    int64_t began_ns = r.now_ns;
    next(&r);
    r.now_ns += S;
    assert_int_equal(nb__session_down_since_ns(r.session), began_ns);
    finish_up(&r);
    r.now_ns += 30 * S;
    int64_t lost_ns = r.now_ns;
    nb__session_on_closed(r.session, "EOF", r.now_ns);
    assert_int_equal(next(&r), NB__ACT_LINK);
    assert_int_equal(wait_next(&r), NB__ACT_CONNECT);
    nb__session_on_closed(r.session, "refused", r.now_ns);
    assert_int_equal(nb__session_down_since_ns(r.session), lost_ns);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resting_before_the_first_attempt),
        cmocka_unit_test(a_link_is_closed_politely_and_the_next_night_has_a_fresh_key),
        cmocka_unit_test(what_is_under_way_ends_before_the_rest),
        cmocka_unit_test(waking_while_the_link_closes_connects_again),
        cmocka_unit_test(waits_that_kis_imposed_outlast_the_rest),
        cmocka_unit_test(an_expected_stop_is_no_failure_and_is_waited_out),
        cmocka_unit_test(a_try_that_falls_into_the_stop_waits_too),
        cmocka_unit_test(down_since_is_when_the_link_went),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
