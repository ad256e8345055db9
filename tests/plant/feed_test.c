/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds on this machine: approval, clock, masters, own keys, frames, loss and return. */
#include "rig.h"

/* ---- the cases ---- */

static void approval_clock_masters_and_own_keys(void **state)
{
    rig *r = *state;
    start(r);
    assert_false(nb__plant_is_up(r->plant));
    UNTIL(r, r->asked_count == 3);
    UNTIL(r, r->registrations >= 3);
    assert_true(nb__plant_is_up(r->plant));
    assert_int_equal(r->approvals, 1);
    assert_non_null(strstr(r->approval_body, "\"appkey\":\"nightbook-"));
    assert_false(r->is_wrong_key);
    assert_int_equal(nb__plant_clock(r->plant)->kind, NB__FEED_SIM);
    assert_int_equal(nb__plant_master(r->plant)->count, 5);
    assert_string_equal(r->asked[0], "B01612902"); /* no marks: the middle of the chain */
    assert_string_equal(nb__plant_atm_code(r->plant), "B01612902");
    uint32_t last = topic_of(r, r->asked[2]);
    UNTIL(r, nb__plant_registration(r->plant, last)->state == NB__REG_CONFIRMED);
    assert_int_equal(r->ups, 1);
    assert_int_equal(nb__session_count(session_of(r, 0))->up, 1);
}

static void a_server_with_nothing_but_the_socket(void **state)
{
    rig *r = *state;
    r->has_approval = r->has_masters = false;
    r->is_clockless = true;
    start(r);
    UNTIL(r, r->ups == 1);
    assert_int_equal(nb__plant_want(r->plant, topic_of(r, "B01612A46")), NB_OK);
    uint32_t topic = topic_of(r, "B01612A46");
    UNTIL(r, nb__plant_registration(r->plant, topic)->state == NB__REG_CONFIRMED);
    assert_true(r->registrations > 0);
    assert_false(r->is_wrong_key); /* the empty key */
    assert_int_equal(nb__plant_clock(r->plant)->kind, NB__FEED_OTHER);
    assert_string_equal(nb__plant_atm_code(r->plant), "");
}

static void frames_arrive_with_the_stated_clocks_time(void **state)
{
    rig *r = *state;
    start(r);
    UNTIL(r, r->ups == 1);
    say(r, "0|H0EUASP0|002|B01612A46^" BOOK "^B01612A47^" BOOK);
    say(r, "{\"something\":\"new\"}");
    UNTIL(r, nb__plant_count(r->plant)->other_messages == 1);
    assert_int_equal(r->frames, 1);
    assert_true(r->is_multi);
    const nb__book *book = nb__books_at(nb__plant_books(r->plant), topic_of(r, "B01612A46"));
    assert_non_null(book);
    assert_int_equal(book->quote.event_ns, nb__kst_ns(20261120, 180001));
    assert_int_equal(book->quote.flags & (NB_BOOK_FAR_TIME | NB_BOOK_STALE), 0);
}

static void pingpong_is_answered(void **state)
{
    rig *r = *state;
    start(r);
    UNTIL(r, r->ups == 1);
    say(r, "{\"header\":{\"tr_id\":\"PINGPONG\",\"datetime\":\"20261120180000\"}}");
    UNTIL(r, nb__session_count(session_of(r, 0))->pingpongs == 1);
    assert_int_equal(nb__plant_count(r->plant)->other_messages, 0);
    assert_int_equal(r->frames, 0);
}

/* Next night's series are others; the same night's masters are not asked for again. */
static void another_night_has_other_masters(void **state)
{
    rig *r = *state;
    static const char name[] = "fo_eurex_code.mst.zip";
    start(r);
    UNTIL(r, r->asked_count == 3);
    assert_int_equal(r->masters, 1);
    nb__text zip = {0};
    nb_span first = nb__plant_master_zip(r->plant, NB__SPAN(name));
    assert_true(first.size_bytes > 0);
    assert_int_equal(nb__zip_read(first, 1u << 20, &zip, NULL), NB_OK);
    assert_non_null(strstr(zip.data, "B01612902"));
    nb__text_fini(&zip);
    assert_int_equal(nb__plant_master_zip(r->plant, NB__SPAN("fo_cme_code.mst.zip")).size_bytes, 0);
    assert_int_equal(nb__plant_master_zip(r->plant, NB__SPAN("fo_eurex_code.mst")).size_bytes, 0);
    assert_int_equal(nb__plant_master_zip(r->plant, NB__SPAN("zip")).size_bytes, 0);
    r->hhmmss = 300100; /* the night is over, and the next one has no masters yet */
    nb__peer_abort(r->peer);
    UNTIL(r, r->asked_count == 6);
    assert_int_equal(r->masters, 1);
    r->hhmmss = 175000;
    r->start_date = 20261123;
    r->first_strike = 1110;
    nb__peer_abort(r->peer);
    UNTIL(r, r->masters == 2 && strcmp(nb__plant_atm_code(r->plant), "B01612912") == 0);
    uint32_t new_money = topic_of(r, "B01612912"), old_money = topic_of(r, "B01612902");
    UNTIL(r, nb__plant_registration(r->plant, new_money)->state == NB__REG_CONFIRMED);
    UNTIL(r, nb__plant_registration(r->plant, old_money)->state == NB__REG_NONE);
    assert_int_equal(nb__plant_master(r->plant)->count, 5);
}

static void a_master_that_did_not_come_is_asked_for_again(void **state)
{
    rig *r = *state;
    r->hangs_up = true;
    start(r);
    UNTIL(r, r->asked_count == 3);
    r->hangs_up = false;
    nb__peer_abort(r->peer);
    UNTIL(r, r->asked_count == 6);
    assert_int_equal(r->masters, 1);
    UNTIL(r, r->refused == 1);
    nb__peer_abort(r->peer);
    UNTIL(r, r->asked_count == 9);
    assert_int_equal(r->refused, 1); /* once told that there is none, it is believed */
}

static void a_lost_link_makes_books_stale_and_comes_back(void **state)
{
    rig *r = *state;
    start(r);
    UNTIL(r, r->asked_count == 3);
    uint32_t topic = topic_of(r, "B01612902");
    say(r, "0|H0EUASP0|001|B01612902^" BOOK);
    UNTIL(r, r->frames == 1);
    nb__peer_abort(r->peer);
    UNTIL(r, r->downs == 1);
    assert_true(strlen(r->reason) > 0);
    assert_false(nb__plant_is_up(r->plant));
    assert_true(nb__books_at(nb__plant_books(r->plant), topic)->quote.flags & NB_BOOK_STALE);
    UNTIL(r, r->asked_count == 6); /* all come back */
    assert_int_equal(r->ups, 2);
    assert_int_equal(r->approvals, 1); /* the key is good for the night */
    say(r, "0|H0EUASP0|001|B01612902^" BOOK);
    UNTIL(r, r->frames == 2);
    assert_false(nb__books_at(nb__plant_books(r->plant), topic)->quote.flags & NB_BOOK_STALE);
}

static void clients_share_what_own_keys_leave(void **state)
{
    rig *r = *state;
    r->feeds[0].session.registrations_max = 3;
    r->feeds[0].session.linger_ns = 0;
    r->config.plan.move_gap_ns = 50 * NB__NS_PER_MS;
    start(r);
    UNTIL(r, r->asked_count == 3);
    for (uint32_t i = 0; i < 3; i++) {
        char text[300];
        snprintf(text, sizeof text, "0|H0EUASP0|001|%s^" BOOK, r->asked[i]);
        say(r, text);
    }
    UNTIL(r, r->frames == 3);
    assert_int_equal(nb__plant_want(r->plant, topic_of(r, "NEW1")), NB_OK);
    UNTIL(r, r->asked_count == 4);     /* the farthest own key yielded */
    for (uint32_t i = 0; i < 3; i++) { /* and its book is of the past */
        const nb__book *book = nb__books_at(nb__plant_books(r->plant), topic_of(r, r->asked[i]));
        assert_int_equal((book->quote.flags & NB_BOOK_STALE) != 0, i == 2);
    }
    assert_int_equal(r->given_back, 1);
    assert_int_equal(nb__plant_registration(r->plant, topic_of(r, r->asked[2]))->state,
                     NB__REG_NONE);
    nb__plant_release(r->plant, topic_of(r, "NEW1"));
    UNTIL_WITHIN(r, 15, r->asked_count == 5); /* and comes back, a while after it left */
    assert_string_equal(r->asked[4], r->asked[2]);
}

static void shutting_down_closes_the_link(void **state)
{
    rig *r = *state;
    start(r);
    UNTIL(r, r->ups == 1);
    nb__plant_shutdown(r->plant);
    UNTIL(r, !nb__plant_is_up(r->plant));
    for (int i = 0; i < 20; i++)
        nb__loop_turn(r->loop, 5);
    assert_int_equal(r->opened, 1);
}

static void closing_in_every_early_state_is_clean(void **state)
{
    rig *r = *state;
    for (int turns = 0; turns < 12; turns++) {
        start(r);
        for (int i = 0; i < turns; i++)
            nb__loop_turn(r->loop, 1);
        stop(r);
        nb__loop_turn(r->loop, 0);
    }
}

static void a_feed_beyond_this_machine_is_refused(void **state)
{
    rig *r = *state;
    nb_error error = {0};
    assert_int_equal(nb__address_parse("ws://192.0.2.1:21000", &r->feeds[0].address, NULL), NB_OK);
    assert_int_equal(nb__plant_open(r->loop, &r->config, &r->plant, &error), NB_E_ARGUMENT);
    assert_non_null(strstr(error.detail, "in clear"));
    assert_null(r->plant);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(approval_clock_masters_and_own_keys),
        T(another_night_has_other_masters),
        T(a_master_that_did_not_come_is_asked_for_again),
        T(a_server_with_nothing_but_the_socket),
        T(frames_arrive_with_the_stated_clocks_time),
        T(pingpong_is_answered),
        T(a_lost_link_makes_books_stale_and_comes_back),
        T(clients_share_what_own_keys_leave),
        T(shutting_down_closes_the_link),
        T(closing_in_every_early_state_is_clean),
        T(a_feed_beyond_this_machine_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
