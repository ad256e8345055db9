/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that the server never answers, and refusals that end with their night. */
#include "rig.h"

/* The link is given up because of the request in flight. */
static void lose_by_silence(rig *r)
{
    assert_int_equal(wait_next(r), NB__ACT_SEND_TEXT); /* once more */
    assert_int_equal(wait_next(r), NB__ACT_DISCONNECT);
    nb__session_on_closed(r->session, "closed as asked", r->now_ns);
    assert_int_equal(next(r), NB__ACT_LINK);
}

static void a_key_that_is_never_answered_costs_two_links(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    config.watchdog_ns = 3600 * S;
    rig r = rig_open(&config);
    want(&r, "MUTE", NB__WANT_CLIENT);
    want(&r, "SOUND", NB__WANT_CLIENT);
    connect_up(&r);
    expect_request(&r, "MUTE", true);
    lose_by_silence(&r);
    expect_state(&r, "MUTE", NB__REG_PENDING);
    connect_up(&r);
    expect_request(&r, "MUTE", true);
    lose_by_silence(&r);
    expect_state(&r, "MUTE", NB__REG_REJECTED);
    assert_string_equal(seen(&r, "MUTE")->answer.msg_cd, "NB_NO_ANSWER");
    connect_up(&r);
    confirm(&r, "SOUND");
    assert_int_equal(next(&r), NB__ACT_WAIT); /* and nothing else is asked */

    nb__session_wake(r.session, r.now_ns); /* another night */
    expect_request(&r, "MUTE", true);
    answer(&r, NB__OPSP_SUBSCRIBED, "MUTE");
    expect_state(&r, "MUTE", NB__REG_CONFIRMED);
    rig_close(&r);
}

static void an_answer_ends_the_row(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    config.watchdog_ns = 3600 * S;
    rig r = rig_open(&config);
    want(&r, "SLOW", NB__WANT_CLIENT);
    for (int i = 0; i < 4; i++) {
        connect_up(&r);
        expect_request(&r, "SLOW", true);
        lose_by_silence(&r);
        connect_up(&r);
        confirm(&r, "SLOW");
        nb__session_on_closed(r.session, "EOF", r.now_ns);
        assert_int_equal(next(&r), NB__ACT_LINK);
    }
    rig_close(&r);
}

static void a_refusal_for_good_ends_with_the_night(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want(&r, "UNLISTED", NB__WANT_PINNED);
    connect_up(&r);
    expect_request(&r, "UNLISTED", true);
    answer(&r, NB__OPSP_BAD_TR_KEY, "UNLISTED");
    expect_state(&r, "UNLISTED", NB__REG_REJECTED);
    nb__session_rest(r.session, "until Mon 17:45", r.now_ns);
    assert_int_equal(wait_next(&r), NB__ACT_DISCONNECT);
    nb__session_on_closed(r.session, "closed as asked", r.now_ns);
    assert_int_equal(next(&r), NB__ACT_LINK);
    r.now_ns += 3600 * S;
    nb__session_wake(r.session, r.now_ns);
    connect_up(&r);
    confirm(&r, "UNLISTED");
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_is_never_answered_costs_two_links),
        cmocka_unit_test(an_answer_ends_the_row),
        cmocka_unit_test(a_refusal_for_good_ends_with_the_night),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
