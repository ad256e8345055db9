/* SPDX-License-Identifier: Apache-2.0 */
/* The link's life: approval, PINGPONG, watchdog, lost answers, back-off, OPSP8996 and OPSP0011,
 * reasons. */
#include "rig.h"

static const char ping[] = "{\"header\":{\"tr_id\":\"PINGPONG\",\"datetime\":\"20261120180000\"}}";

static void lose(rig *r, const char *reason)
{
    nb__session_on_closed(r->session, reason, r->now_ns);
    assert_int_equal(next(r), NB__ACT_LINK);
    assert_false(r->action.is_up);
}

static void pingpong_is_echoed_as_pong_frame_or_text(void **state)
{
    (void)state;
    for (int as_text = 0; as_text <= 1; as_text++) {
        nb__session_config config = rig_config(41);
        config.pingpong_as_text = as_text != 0;
        rig r = rig_open(&config);
        connect_up(&r);
        assert_false(say(&r, ping));
        assert_int_equal(next(&r), as_text ? NB__ACT_SEND_TEXT : NB__ACT_SEND_PONG);
        assert_true(nb__span_is(r.action.text, ping));
        assert_int_equal(next(&r), NB__ACT_WAIT);
        assert_int_equal(nb__session_count(r.session)->pingpongs, 1);
        rig_close(&r);
    }
}

static void data_is_the_callers_and_control_is_not(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    connect_up(&r);
    assert_true(say(&r, "0|H0EUASP0|001|B01612745^190159"));
    assert_true(say(&r, "1|H0EUCNI0|001|U0lO"));
    assert_true(say(&r, "garbage"));
    assert_true(say(&r, ""));
    assert_false(say(&r, "{\"not\":\"known\"}"));
    assert_false(say(&r, " {broken"));
    assert_int_equal(nb__session_count(r.session)->answers_unknown, 2);
    assert_int_equal(next(&r), NB__ACT_WAIT);
    rig_close(&r);
}

static void a_silent_link_is_dropped_and_any_frame_is_life(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    connect_up(&r);
    for (int i = 0; i < 10; i++) {
        r.now_ns += config.watchdog_ns - 1;
        assert_int_equal(next(&r), NB__ACT_WAIT);
        nb__session_on_alive(r.session, r.now_ns);
    }
    int64_t alive_ns = r.now_ns;
    assert_int_equal(wait_next(&r), NB__ACT_DISCONNECT);
    assert_int_equal(r.now_ns - alive_ns, config.watchdog_ns);
    assert_int_equal(next(&r), NB__ACT_WAIT); /* once */
    lose(&r, "closed by us");
    assert_non_null(strstr(nb__session_reason(r.session), "silent"));
    assert_int_equal(nb__session_count(r.session)->watchdog_drops, 1);
    connect_up(&r);
    rig_close(&r);
}

static void a_lost_answer_is_asked_for_once_more_then_the_link_goes(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want(&r, "A1", NB__WANT_CLIENT);
    connect_up(&r);
    expect_request(&r, "A1", true);
    int64_t asked_ns = r.now_ns;
    expect_request(&r, "A1", true);
    assert_int_equal(r.now_ns - asked_ns, config.answer_timeout_ns);
    assert_int_equal(wait_next(&r), NB__ACT_DISCONNECT);
    assert_int_equal(nb__session_count(r.session)->answer_timeouts, 2);
    lose(&r, "closed by us");
    connect_up(&r);
    confirm(&r, "A1");
    rig_close(&r);
}

/* The answer to the first of two sendings comes late, after the second's: it must not be taken for
 * the next request's. */
static void a_late_answer_is_not_taken_for_the_next_one(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want(&r, "BAD", NB__WANT_CLIENT);
    want(&r, "GOOD", NB__WANT_CLIENT);
    connect_up(&r);
    expect_request(&r, "BAD", true);
    expect_request(&r, "BAD", true);
    answer(&r, NB__OPSP_BAD_TR_KEY, "BAD");
    expect_state(&r, "BAD", NB__REG_REJECTED);
    r.now_ns += S;
    assert_int_equal(next(&r), NB__ACT_WAIT);
    answer(&r, NB__OPSP_BAD_TR_KEY, "BAD");
    expect_state(&r, "GOOD", NB__REG_PENDING);
    int64_t late_ns = r.now_ns;
    confirm(&r, "GOOD");
    assert_int_equal(r.now_ns - late_ns, config.request_gap_ns);
    rig_close(&r);
}

static void an_answer_of_the_other_kind_does_not_settle(void **state)
{
    (void)state;
    nb__session_config config = rig_config(1);
    rig r = rig_open(&config);
    want(&r, "A1", NB__WANT_CLIENT);
    connect_up(&r);
    confirm(&r, "A1");
    release(&r, "A1");
    want(&r, "A2", NB__WANT_CLIENT);
    expect_request(&r, "A1", false);
    answer(&r, NB__OPSP_ALREADY, "A1");
    assert_int_equal(next(&r), NB__ACT_WAIT);
    answer(&r, NB__OPSP_UNSUBSCRIBED, "A1");
    confirm(&r, "A2");
    rig_close(&r);
}

static int64_t wait_after_loss(rig *r)
{
    int64_t lost_ns = r->now_ns;
    nb__action_kind kind = wait_next(r);
    assert_true(kind == NB__ACT_APPROVE || kind == NB__ACT_CONNECT);
    return r->now_ns - lost_ns;
}

static void back_off_doubles_with_jitter_and_resets_after_sound_data_only(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    connect_up(&r);
    int64_t base_ns = config.backoff_min_ns;
    for (int i = 0; i < 9; i++) {
        say(&r, "0|H0EUASP0|001|A1^1"); /* data, but not for 30 s */
        lose(&r, "EOF");
        int64_t wait_ns = wait_after_loss(&r);
        assert_in_range(wait_ns, base_ns * 8 / 10, base_ns * 12 / 10);
        assert_int_equal(r.action.kind, NB__ACT_CONNECT); /* with the key of the first one */
        nb__session_on_opened(r.session, r.now_ns);
        assert_int_equal(next(&r), NB__ACT_LINK);
        base_ns = base_ns * 2 > config.backoff_max_ns ? config.backoff_max_ns : base_ns * 2;
    }
    say(&r, "0|H0EUASP0|001|A1^1");
    r.now_ns += 30 * S;
    say(&r, "0|H0EUASP0|001|A1^1");
    lose(&r, "EOF");
    assert_in_range(wait_after_loss(&r), config.backoff_min_ns * 8 / 10,
                    config.backoff_min_ns * 12 / 10);
    rig_close(&r);
}

static void no_approval_and_no_connection_back_off_too(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    assert_int_equal(next(&r), NB__ACT_APPROVE);
    nb__session_on_approval_failed(r.session, NB__APPROVAL_RETRY, "EGW00300", r.now_ns);
    assert_non_null(strstr(nb__session_reason(r.session), "EGW00300"));
    assert_non_null(strstr(nb__session_reason(r.session), "next try in"));
    assert_true(wait_after_loss(&r) >= config.backoff_min_ns * 8 / 10);
    nb__session_on_approved(r.session, "secret-key-7", r.now_ns);
    assert_int_equal(next(&r), NB__ACT_CONNECT);
    nb__session_on_closed(r.session, "refused for secret-key-7\n", r.now_ns);
    assert_null(strstr(nb__session_reason(r.session), "secret-key-7"));
    assert_null(strchr(nb__session_reason(r.session), '\n'));
    assert_true(wait_after_loss(&r) >= config.backoff_min_ns * 16 / 10);
    assert_int_equal(r.action.kind, NB__ACT_CONNECT); /* the key is still good */
    nb__session_on_closed(r.session, "refused", r.now_ns);
    nb__session_wake(r.session, r.now_ns); /* another night: another key */
    assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
    char longer[NB__APPROVAL_KEY_MAX + 2];
    memset(longer, 'k', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    nb__session_on_approved(r.session, longer, r.now_ns);
    assert_int_equal(nb__session_count(r.session)->approval_failures, 2);
    rig_close(&r);
}

static void appkey_in_use_waits_at_least_a_minute(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want(&r, "A1", NB__WANT_CLIENT);
    connect_up(&r);
    expect_request(&r, "A1", true);
    answer(&r, NB__OPSP_IN_USE, "A1");
    assert_int_equal(next(&r), NB__ACT_DISCONNECT);
    assert_int_equal(next(&r), NB__ACT_WAIT);
    lose(&r, "closed by us");
    assert_non_null(strstr(nb__session_reason(r.session), "OPSP8996"));
    assert_true(wait_after_loss(&r) >= config.in_use_wait_ns);
    assert_int_equal(r.action.kind, NB__ACT_CONNECT);
    nb__session_on_opened(r.session, r.now_ns);
    assert_int_equal(next(&r), NB__ACT_LINK);
    confirm(&r, "A1");
    rig_close(&r);
}

static void a_refused_approval_key_is_reissued_once_at_once(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want(&r, "A1", NB__WANT_CLIENT);
    for (int i = 0; i < 3; i++) {
        connect_up(&r);
        expect_request(&r, "A1", true);
        answer(&r, NB__OPSP_BAD_APPROVAL, "A1");
        assert_int_equal(next(&r), NB__ACT_DISCONNECT);
        int64_t lost_ns = r.now_ns;
        lose(&r, "closed by us");
        assert_int_equal(wait_next(&r), NB__ACT_APPROVE);
        if (i == 0)
            assert_int_equal(r.now_ns, lost_ns);
        else
            assert_true(r.now_ns - lost_ns >= config.backoff_min_ns * 8 / 10);
        nb__session_on_approval_failed(r.session, NB__APPROVAL_RETRY, "no", r.now_ns);
    }
    connect_up(&r);
    confirm(&r, "A1"); /* the wish outlived all that */
    rig_close(&r);
}

static void after_a_loss_all_wishes_come_back_clients_first(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want(&r, "OWN1", NB__WANT_WINDOW);
    want(&r, "OWN2", NB__WANT_WINDOW);
    connect_up(&r);
    confirm(&r, "OWN1");
    confirm(&r, "OWN2");
    want(&r, "CLI1", NB__WANT_CLIENT);
    confirm(&r, "CLI1");
    want(&r, "CLI2", NB__WANT_CLIENT);
    confirm(&r, "CLI2");
    release(&r, "CLI2");
    lose(&r, "EOF");
    expect_state(&r, "OWN1", NB__REG_PENDING);
    expect_state(&r, "CLI1", NB__REG_PENDING);
    expect_state(&r, "CLI2", NB__REG_NONE); /* it only lingered */
    want(&r, "CLI3", NB__WANT_CLIENT);
    connect_up(&r);
    confirm(&r, "CLI1");
    confirm(&r, "CLI3");
    confirm(&r, "OWN1");
    confirm(&r, "OWN2");
    rig_close(&r);
}

static void events_out_of_place_change_nothing(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    nb__session_on_closed(r.session, "?", r.now_ns);
    nb__session_on_opened(r.session, r.now_ns);
    nb__session_on_approved(r.session, "k", r.now_ns);
    nb__session_on_approval_failed(r.session, NB__APPROVAL_LOCKED, "?", r.now_ns);
    assert_false(say(&r, ping));
    answer(&r, NB__OPSP_IN_USE, "A1");
    connect_up(&r);
    assert_int_equal(next(&r), NB__ACT_WAIT);
    rig_close(&r);
}

static void a_huge_pingpong_is_not_a_control_frame(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    connect_up(&r);
    char text[2048];
    for (int pad = 100; pad <= 1900; pad += 900) {
        snprintf(text, sizeof text, "{\"header\":{\"tr_id\":\"PINGPONG\",\"x\":\"%0*d\"}}", pad, 0);
        say(&r, text);
        assert_int_equal(next(&r), pad < 1000 ? NB__ACT_SEND_TEXT : NB__ACT_WAIT);
    }
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pingpong_is_echoed_as_pong_frame_or_text),
        cmocka_unit_test(data_is_the_callers_and_control_is_not),
        cmocka_unit_test(a_silent_link_is_dropped_and_any_frame_is_life),
        cmocka_unit_test(a_lost_answer_is_asked_for_once_more_then_the_link_goes),
        cmocka_unit_test(a_late_answer_is_not_taken_for_the_next_one),
        cmocka_unit_test(an_answer_of_the_other_kind_does_not_settle),
        cmocka_unit_test(back_off_doubles_with_jitter_and_resets_after_sound_data_only),
        cmocka_unit_test(no_approval_and_no_connection_back_off_too),
        cmocka_unit_test(appkey_in_use_waits_at_least_a_minute),
        cmocka_unit_test(a_refused_approval_key_is_reissued_once_at_once),
        cmocka_unit_test(after_a_loss_all_wishes_come_back_clients_first),
        cmocka_unit_test(events_out_of_place_change_nothing),
        cmocka_unit_test(a_huge_pingpong_is_not_a_control_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
