/* SPDX-License-Identifier: Apache-2.0 */
/* Registrations: order, pacing, every reaction of the OPSP table, eviction, lingering. */
#include "rig.h"

static void registers_clients_first_then_ours_in_order(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want(&r, "OWN1", NB__WANT_WINDOW);
    want(&r, "OWN2", NB__WANT_WINDOW);
    want(&r, "CLI1", NB__WANT_CLIENT);
    connect_up(&r);
    confirm(&r, "CLI1");
    confirm(&r, "OWN1");
    confirm(&r, "OWN2");
    assert_int_equal(next(&r), NB__ACT_WAIT);
    assert_int_equal(nb__session_slots_used(r.session), 3);
    rig_close(&r);
}

static void one_request_in_flight_and_a_pause_after_each_answer(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want(&r, "A1", NB__WANT_CLIENT);
    want(&r, "A2", NB__WANT_CLIENT);
    connect_up(&r);
    expect_request(&r, "A1", true);
    assert_int_equal(next(&r), NB__ACT_WAIT); /* no second before the answer */
    r.now_ns += 5 * S;
    assert_int_equal(next(&r), NB__ACT_WAIT);
    answer(&r, NB__OPSP_SUBSCRIBED, "A1");
    assert_int_equal(next(&r), NB__ACT_WAIT);
    assert_int_equal(r.action.wake_ns, r.now_ns + config.request_gap_ns);
    r.now_ns += config.request_gap_ns - 1;
    assert_int_equal(next(&r), NB__ACT_WAIT);
    r.now_ns += 1;
    expect_request(&r, "A2", true);
    rig_close(&r);
}

static void already_is_success_and_secrets_are_wiped(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want(&r, "A1", NB__WANT_CLIENT);
    want(&r, "A2", NB__WANT_CLIENT);
    connect_up(&r);
    expect_request(&r, "A1", true);
    assert_string_equal(asked(&r).approval_key, "the-approval-key");
    answer(&r, NB__OPSP_ALREADY, "A1");
    expect_state(&r, "A1", NB__REG_CONFIRMED);
    confirm(&r, "A2");
    assert_string_equal(seen(&r, "A2")->answer.msg_cd, "OPSP0000");
    assert_string_equal(seen(&r, "A2")->answer.iv, "");
    assert_string_equal(seen(&r, "A2")->answer.key, "");
    const nb__answer *heard;
    assert_int_equal(nb__session_heard(r.session, &heard), NB__SERVER_ANSWER);
    assert_string_equal(heard->msg1, "SUBSCRIBE SUCCESS");
    assert_string_equal(heard->iv, "");
    assert_string_equal(heard->key, "");
    assert_false(say(&r, "{\"body\":{\"rt_cd\":\"1\",\"msg_cd\":\"OPSP0007\","
                         "\"msg1\":\"of the-approval-key\"}}"));
    assert_int_equal(nb__session_heard(r.session, &heard), NB__SERVER_ANSWER);
    assert_null(strstr(heard->msg1, "the-approval-key"));
    assert_false(say(&r, "{\"header\":{\"tr_id\":\"PINGPONG\"}}"));
    assert_int_equal(nb__session_heard(r.session, &heard), NB__SERVER_PINGPONG);
    rig_close(&r);
}

static void fatal_is_for_good_and_matched_by_order(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want(&r, "BAD", NB__WANT_CLIENT);
    want(&r, "GOOD", NB__WANT_CLIENT);
    connect_up(&r);
    expect_request(&r, "BAD", true);
    answer(&r, NB__OPSP_BAD_TR_ID, "BAD"); /* rt_cd 9: the header says "(null)" */
    expect_state(&r, "BAD", NB__REG_REJECTED);
    assert_string_equal(seen(&r, "BAD")->answer.msg_cd, "OPSP8991");
    confirm(&r, "GOOD");
    assert_int_equal(nb__session_slots_used(r.session), 1);

    release(&r, "BAD");
    expect_state(&r, "BAD", NB__REG_NONE);
    while (r.action.kind != NB__ACT_WAIT)
        next(&r);
    want(&r, "BAD", NB__WANT_CLIENT); /* heard of at once, not asked again */
    expect_state(&r, "BAD", NB__REG_REJECTED);
    nb__session_next(r.session, r.now_ns, &r.action);
    assert_int_equal(r.action.kind, NB__ACT_REGISTRATION);
    assert_int_equal(r.action.topic, topic_of(&r, "BAD"));
    nb__session_on_closed(r.session, "EOF", r.now_ns);
    assert_int_equal(next(&r), NB__ACT_LINK);
    connect_up(&r);
    confirm(&r, "GOOD");
    assert_int_equal(next(&r), NB__ACT_WAIT);
    rig_close(&r);
}

static void retry_three_times_with_growing_pauses_then_rejected(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    config.backoff_min_ns = 1 * S;
    rig r = rig_open(&config);
    want(&r, "A1", NB__WANT_CLIENT);
    connect_up(&r);
    expect_request(&r, "A1", true);
    for (int64_t pause_ns = S; pause_ns <= 4 * S; pause_ns *= 2) {
        int64_t refused_ns = r.now_ns;
        answer(&r, NB__OPSP_INTERNAL, "A1");
        expect_state(&r, "A1", NB__REG_PENDING);
        expect_request(&r, "A1", true);
        assert_int_equal(r.now_ns - refused_ns, pause_ns);
    }
    answer(&r, NB__OPSP_INTERNAL, "ZZ"); /* about another: counted, changes nothing */
    expect_state(&r, "A1", NB__REG_PENDING);
    answer(&r, NB__OPSP_INTERNAL, "A1");
    expect_state(&r, "A1", NB__REG_REJECTED);
    assert_string_equal(seen(&r, "A1")->answer.msg1, "SUBSCRIBE INTERNAL ERROR");
    assert_int_equal(next(&r), NB__ACT_WAIT);
    rig_close(&r);
}

static void refuse_with_an_unknown_code(rig *r)
{
    assert_false(say(r, "{\"header\":{\"tr_id\":\"H0EUASP0\",\"tr_key\":\"A1\",\"encrypt\":\"N\"},"
                        "\"body\":{\"rt_cd\":\"1\",\"msg_cd\":\"OPSP4711\","
                        "\"msg1\":\"NEWS: the-approval-key\"}}"));
    assert_string_equal(seen(r, "A1")->answer.msg_cd, "OPSP4711");
    assert_null(strstr(seen(r, "A1")->answer.msg1, "the-approval-key"));
}

static void an_unknown_refusal_is_final_for_who_asks_first(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want(&r, "A1", NB__WANT_CLIENT);
    connect_up(&r);
    expect_request(&r, "A1", true);
    refuse_with_an_unknown_code(&r);
    expect_state(&r, "A1", NB__REG_REJECTED);
    assert_int_equal(nb__session_count(r.session)->answers_unknown, 1);
    assert_int_equal(next(&r), NB__ACT_WAIT); /* not asked again */
    rig_close(&r);
}

static void an_unknown_refusal_of_what_was_had_is_asked_again(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want(&r, "A1", NB__WANT_CLIENT);
    connect_up(&r);
    confirm(&r, "A1");
    nb__session_on_closed(r.session, "EOF", r.now_ns);
    assert_int_equal(next(&r), NB__ACT_LINK);
    connect_up(&r);
    expect_request(&r, "A1", true);
    refuse_with_an_unknown_code(&r);
    expect_state(&r, "A1", NB__REG_PENDING);
    confirm(&r, "A1");
    rig_close(&r);
}

static void full_is_final_for_a_client_when_none_of_ours_can_yield(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want(&r, "A1", NB__WANT_CLIENT);
    want(&r, "A2", NB__WANT_CLIENT);
    connect_up(&r);
    confirm(&r, "A1");
    expect_request(&r, "A2", true);
    answer(&r, NB__OPSP_MAX_OVER, "A2");
    expect_state(&r, "A2", NB__REG_REJECTED);
    assert_int_equal(next(&r), NB__ACT_WAIT);
    assert_int_equal(nb__session_slots_used(r.session), 1);
    rig_close(&r);
}

static void full_before_our_limit_makes_one_of_ours_yield(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    config.watchdog_ns = 100000 * S;
    rig r = rig_open(&config);
    want(&r, "OWN1", NB__WANT_WINDOW);
    want(&r, "OWN2", NB__WANT_WINDOW);
    want(&r, "OWN3", NB__WANT_WINDOW);
    connect_up(&r);
    confirm(&r, "OWN1");
    confirm(&r, "OWN2");
    expect_request(&r, "OWN3", true);
    answer(&r, NB__OPSP_MAX_OVER, "OWN3"); /* the server has two places, not 41 */
    expect_state(&r, "OWN3", NB__REG_PENDING);
    want(&r, "CLI1", NB__WANT_CLIENT);
    expect_request(&r, "OWN2", false);
    answer(&r, NB__OPSP_UNSUBSCRIBED, "OWN2");
    confirm(&r, "CLI1");
    int64_t quiet_ns = r.now_ns;
    expect_request(&r, "OWN2", true); /* tried again, but not soon */
    assert_true(r.now_ns - quiet_ns > 30 * S);
    rig_close(&r);
}

static void client_takes_our_last_slot_by_giving_it_back_first(void **state)
{
    (void)state;
    nb__session_config config = rig_config(2);
    rig r = rig_open(&config);
    want(&r, "NEAR", NB__WANT_WINDOW);
    want(&r, "FAR", NB__WANT_WINDOW);
    assert_int_equal(try_want(&r, "FARTHER", NB__WANT_WINDOW, 9), NB_E_LIMIT);
    connect_up(&r);
    confirm(&r, "NEAR");
    confirm(&r, "FAR");
    want(&r, "CLI1", NB__WANT_CLIENT);
    expect_state(&r, "FAR", NB__REG_PENDING);
    expect_request(&r, "FAR", false);
    answer(&r, NB__OPSP_UNSUBSCRIBED, "FAR");
    confirm(&r, "CLI1");
    want(&r, "NEAR", NB__WANT_CLIENT); /* there already */
    expect_state(&r, "NEAR", NB__REG_CONFIRMED);
    assert_int_equal(try_want(&r, "CLI2", NB__WANT_CLIENT, 9), NB_E_LIMIT);
    assert_int_equal(nb__session_count(r.session)->evictions, 1);
    release(&r, "NEAR"); /* falls back to ours, stays registered */
    expect_state(&r, "NEAR", NB__REG_CONFIRMED);
    assert_int_equal(seen(&r, "NEAR")->who, NB__WANT_WINDOW);
    rig_close(&r);
}

static void lingers_comes_back_and_is_given_back_in_the_end(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    config.watchdog_ns = 100000 * S;
    rig r = rig_open(&config);
    want(&r, "A1", NB__WANT_CLIENT);
    connect_up(&r);
    confirm(&r, "A1");
    release(&r, "A1");
    expect_state(&r, "A1", NB__REG_LINGERING);
    r.now_ns += config.linger_ns - 1;
    assert_int_equal(next(&r), NB__ACT_WAIT);
    want(&r, "A1", NB__WANT_CLIENT);
    expect_state(&r, "A1", NB__REG_CONFIRMED);
    assert_int_equal(next(&r), NB__ACT_WAIT);
    release(&r, "A1");
    int64_t released_ns = r.now_ns;
    expect_request(&r, "A1", false);
    assert_int_equal(r.now_ns - released_ns, config.linger_ns);
    expect_state(&r, "A1", NB__REG_NONE);
    want(&r, "A1", NB__WANT_CLIENT); /* wanted again while it is being given back */
    expect_state(&r, "A1", NB__REG_PENDING);
    answer(&r, NB__OPSP_UNSUBSCRIBED, "A1");
    confirm(&r, "A1");
    rig_close(&r);
}

static void a_lingering_slot_yields_before_ours(void **state)
{
    (void)state;
    nb__session_config config = rig_config(2);
    rig r = rig_open(&config);
    want(&r, "CLI1", NB__WANT_CLIENT);
    want(&r, "OWN1", NB__WANT_WINDOW);
    connect_up(&r);
    confirm(&r, "CLI1");
    confirm(&r, "OWN1");
    release(&r, "CLI1");
    want(&r, "CLI2", NB__WANT_CLIENT);
    expect_request(&r, "CLI1", false);
    answer(&r, NB__OPSP_NOT_SUBSCRIBED, "CLI1"); /* as good as gone */
    confirm(&r, "CLI2");
    expect_state(&r, "OWN1", NB__REG_CONFIRMED);
    rig_close(&r);
}

static void released_before_it_was_asked_is_never_asked(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    connect_up(&r);
    want(&r, "A1", NB__WANT_CLIENT);
    release(&r, "A1");
    expect_state(&r, "A1", NB__REG_NONE);
    assert_int_equal(next(&r), NB__ACT_WAIT);
    assert_int_equal(nb__session_slots_used(r.session), 0);
    rig_close(&r);
}

static void a_refused_giving_back_is_tried_again_and_holds_its_slot(void **state)
{
    (void)state;
    nb__session_config config = rig_config(1);
    rig r = rig_open(&config);
    want(&r, "OWN1", NB__WANT_WINDOW);
    connect_up(&r);
    confirm(&r, "OWN1");
    want(&r, "CLI1", NB__WANT_CLIENT);
    for (int i = 0; i < 5; i++) {
        expect_request(&r, "OWN1", false);
        answer(&r, NB__OPSP_INTERNAL, "OWN1");
        nb__session_on_alive(r.session, r.now_ns);
    }
    expect_request(&r, "OWN1", false);
    answer(&r, NB__OPSP_UNSUBSCRIBED, "OWN1");
    confirm(&r, "CLI1");
    rig_close(&r);
}

static void a_topic_beyond_the_table_is_refused(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    assert_int_equal(nb__session_want(r.session, NB__TOPIC_NONE, NB__WANT_CLIENT, 0, r.now_ns),
                     NB_E_ARGUMENT);
    nb__session_release(r.session, TOPICS_MAX, NB__WANT_CLIENT, r.now_ns);
    assert_int_equal(nb__session_registration(r.session, TOPICS_MAX)->state, NB__REG_NONE);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_clients_first_then_ours_in_order),
        cmocka_unit_test(one_request_in_flight_and_a_pause_after_each_answer),
        cmocka_unit_test(already_is_success_and_secrets_are_wiped),
        cmocka_unit_test(fatal_is_for_good_and_matched_by_order),
        cmocka_unit_test(retry_three_times_with_growing_pauses_then_rejected),
        cmocka_unit_test(an_unknown_refusal_is_final_for_who_asks_first),
        cmocka_unit_test(an_unknown_refusal_of_what_was_had_is_asked_again),
        cmocka_unit_test(full_is_final_for_a_client_when_none_of_ours_can_yield),
        cmocka_unit_test(full_before_our_limit_makes_one_of_ours_yield),
        cmocka_unit_test(client_takes_our_last_slot_by_giving_it_back_first),
        cmocka_unit_test(lingers_comes_back_and_is_given_back_in_the_end),
        cmocka_unit_test(a_lingering_slot_yields_before_ours),
        cmocka_unit_test(released_before_it_was_asked_is_never_asked),
        cmocka_unit_test(a_refused_giving_back_is_tried_again_and_holds_its_slot),
        cmocka_unit_test(a_topic_beyond_the_table_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
