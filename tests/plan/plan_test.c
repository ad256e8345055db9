/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets a slot: pinned keys, clients, windows and the reserve, over one session and several. */
#include "rig.h"

static void without_a_plan_the_future_and_the_money(void **state)
{
    (void)state;
    rig *r = usual(1, 41);
    begin(r);
    assert_int_equal(served_in_all(r), 35); /* the future, 17 strikes, calls and puts */
    assert_int_equal(served(r, future(r)), 1);
    for (double k = 1080; k <= 1120; k += 2.5) {
        assert_int_equal(served(r, option(r, 'C', k)), 1);
        assert_int_equal(served(r, option(r, 'P', k)), 1);
    }
    assert_int_equal(nb__plan_count(r->plan)->windows, 35);
    assert_int_equal(nb__plan_count(r->plan)->slots_max, 41);
    assert_int_equal(nb__plan_count(r->plan)->slots_used, 35);
    expect_reason(r, future(r), "front night future");
    expect_reason(r, option(r, 'C', 1100), "at the money of kospi200 202612");
    expect_reason(r, option(r, 'P', 1092.5), "3 strikes below the money of kospi200 202612");
    rig_close(r);
}

static void a_small_limit_keeps_the_reserve(void **state)
{
    (void)state;
    rig *r = usual(1, 20);
    begin(r);
    assert_int_equal(served_in_all(r), 15);
    assert_int_equal(served(r, future(r)), 1);
    for (double k = 1092.5; k <= 1105; k += 2.5) /* the nearest seven pairs, one side first */
        assert_int_equal(served(r, option(r, 'C', k)), 1);
    assert_int_equal(served(r, option(r, 'C', 1080)), 0);
    expect_reason(r, option(r, 'C', 1080),
                  "8 strikes below the money of kospi200 202612; no slot: clients and the reserve "
                  "of 5 go first");
    rig_close(r);
}

static void clients_use_the_reserve_and_then_the_farthest(void **state)
{
    (void)state;
    rig *r = usual(1, 20);
    begin(r);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(want(r, stock(r, i)), NB_OK);
    run(r, S);
    assert_int_equal(served_in_all(r), 20);
    assert_int_equal(nb__plan_count(r->plan)->windows, 15);
    assert_int_equal(nb__plan_count(r->plan)->window_yields, 0);
    assert_int_equal(served(r, option(r, 'P', 1107.5)), 1);
    for (unsigned i = 5; i < 20; i++) {
        assert_int_equal(want(r, stock(r, i)), NB_OK);
        assert_int_equal(served(r, stock(r, i)), 1);
    }
    run(r, S);
    assert_int_equal(nb__plan_count(r->plan)->window_yields, 15);
    assert_int_equal(nb__plan_count(r->plan)->windows, 0);
    assert_int_equal(want(r, stock(r, 99)), NB_E_LIMIT); /* all are clients' */
    assert_int_equal(nb__plan_count(r->plan)->refused, 1);
    assert_int_equal(state_of(r, stock(r, 99)), NB__REG_NONE);
    rig_close(r);
}

static void the_farthest_yields_first(void **state)
{
    (void)state;
    rig *r = usual(1, 20);
    begin(r);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(want(r, stock(r, i)), NB_OK);
    /* the last of the fifteen are three strikes away: below comes before above, call before put */
    const uint32_t order[] = {option(r, 'P', 1107.5), option(r, 'C', 1107.5),
                              option(r, 'P', 1092.5), option(r, 'C', 1092.5),
                              option(r, 'P', 1105),   option(r, 'C', 1105)};
    for (unsigned i = 0; i < NB__COUNT_OF(order); i++) {
        assert_int_equal(served(r, order[i]), 1);
        assert_int_equal(want(r, stock(r, 10 + i)), NB_OK);
        assert_int_equal(served(r, order[i]), 0);
    }
    rig_close(r);
}

static void a_shrunk_window_grows_again_not_within_the_gap(void **state)
{
    (void)state;
    rig *r = usual(1, 20);
    begin(r);
    run(r, GAP);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(want(r, stock(r, i)), NB_OK);
    int64_t yielded_ns = r->now_ns;
    assert_int_equal(nb__plan_count(r->plan)->window_yields, 5);
    for (unsigned i = 0; i < 10; i++)
        release(r, stock(r, i));
    run(r, GAP - S);
    assert_int_equal(nb__plan_count(r->plan)->windows, 10);
    uint64_t before = nb__plan_count(r->plan)->windows;
    while (nb__plan_count(r->plan)->windows < 15) {
        run(r, 100 * MS);
        uint64_t now = nb__plan_count(r->plan)->windows;
        assert_true(now - before <= 2); /* one strike */
        if (now != before) {
            assert_true(r->now_ns - yielded_ns >= GAP);
            yielded_ns = r->now_ns;
        }
        before = now;
        assert_true(r->now_ns < 2000 * S);
    }
    run(r, 5 * GAP);
    assert_int_equal(nb__plan_count(r->plan)->windows, 15);
    rig_close(r);
}

static void pinned_are_first_and_never_yield(void **state)
{
    (void)state;
    rig *r = usual(1, 6);
    pin(r, "H0STCNT0:900001");
    pin(r, "A99999");
    window_spec(r, "nearest:3");
    r->config.reserve = 1;
    begin(r);
    assert_int_equal(served(r, stock(r, 900001)), 1);
    assert_int_equal(nb__plan_count(r->plan)->pinned, 2);
    assert_int_equal(nb__plan_count(r->plan)->windows, 3);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(want(r, stock(r, i)), NB_OK);
    assert_int_equal(want(r, stock(r, 4)), NB_E_LIMIT);
    run(r, S);
    assert_int_equal(served(r, stock(r, 900001)), 1);
    assert_int_equal(nb__plan_count(r->plan)->pinned, 2);
    assert_int_equal(nb__plan_count(r->plan)->windows, 0);
    expect_reason(r, stock(r, 900001), "pinned");
    expect_reason(r, topic_of(r, "H0MFASP0", "A99999"),
                  "pinned; not in the master: is the code right?");
    rig_close(r);
}

static void more_pinned_than_slots_wait_in_their_order(void **state)
{
    (void)state;
    rig *r = usual(1, 2);
    pin(r, "H0STCNT0:000001");
    pin(r, "H0STCNT0:000002");
    pin(r, "H0STCNT0:000003");
    begin(r);
    assert_int_equal(served(r, stock(r, 1)) + served(r, stock(r, 2)), 2);
    assert_int_equal(nb__plan_count(r->plan)->pinned_without_slot, 1);
    expect_reason(r, stock(r, 3), "pinned; no slot: 2 of 2 are taken by pinned keys");
    assert_int_equal(want(r, stock(r, 9)), NB_E_LIMIT);
    rig_close(r);
}

static void a_client_that_asks_early_does_not_come_before_pinned_keys(void **state)
{
    (void)state;
    rig *r = usual(1, 2);
    pin(r, "H0STCNT0:000001");
    pin(r, "H0STCNT0:000002");
    rig_plan(r);
    assert_int_equal(want(r, stock(r, 9)), NB_E_LIMIT);
    run(r, S);
    assert_int_equal(served(r, stock(r, 1)) + served(r, stock(r, 2)), 2);
    rig_close(r);
}

/* A window takes over what clients leave only as far as the reserve allows. */
static void what_clients_leave_does_not_eat_the_reserve(void **state)
{
    (void)state;
    rig *r = usual(1, 20);
    begin(r);
    run(r, GAP);
    for (double k = 1115; k <= 1120; k += 2.5) /* wished for, but too far for the slots */
        assert_int_equal(want(r, option(r, 'C', k)), NB_OK);
    run(r, S);
    assert_int_equal(nb__plan_count(r->plan)->slots_used, 18);
    for (double k = 1115; k <= 1120; k += 2.5)
        release(r, option(r, 'C', k));
    run(r, 2 * GAP);
    assert_int_equal(nb__plan_count(r->plan)->windows, 15);
    assert_int_equal(nb__plan_count(r->plan)->slots_used, 15);
    assert_int_equal(state_of(r, option(r, 'C', 1120)), NB__REG_LINGERING);
    rig_close(r);
}

/* With room it does, and nothing is asked of KIS. */
static void what_a_client_leaves_stays_in_the_window(void **state)
{
    (void)state;
    rig *r = usual(1, 20);
    begin(r);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(want(r, stock(r, i)), NB_OK);
    uint32_t lost = option(r, 'P', 1107.5);
    for (unsigned i = 0; i < 6; i++)
        release(r, stock(r, i));
    assert_int_equal(want(r, lost), NB_OK);
    uint64_t requests = r->servers[0].requests;
    release(r, lost);
    run(r, S);
    assert_int_equal(state_of(r, lost), NB__REG_CONFIRMED);
    assert_int_equal(r->servers[0].requests, requests);
    rig_close(r);
}

static void a_client_of_a_pinned_or_window_key_needs_no_slot(void **state)
{
    (void)state;
    rig *r = usual(1, 41);
    begin(r);
    uint64_t requests = r->servers[0].requests;
    assert_int_equal(want(r, option(r, 'C', 1100)), NB_OK);
    expect_reason(r, option(r, 'C', 1100), "asked for by clients; at the money of kospi200 202612");
    release(r, option(r, 'C', 1100));
    run(r, S);
    assert_int_equal(state_of(r, option(r, 'C', 1100)), NB__REG_CONFIRMED);
    assert_int_equal(r->servers[0].requests, requests);
    rig_close(r);
}

static void a_clients_last_leave_lingers(void **state)
{
    (void)state;
    rig *r = usual(1, 41);
    begin(r);
    assert_int_equal(want(r, stock(r, 1)), NB_OK);
    release(r, stock(r, 1));
    run(r, S);
    assert_int_equal(state_of(r, stock(r, 1)), NB__REG_LINGERING);
    expect_reason(r, stock(r, 1), "nobody asks for it any more, given back soon");
    uint64_t requests = r->servers[0].requests;
    assert_int_equal(want(r, stock(r, 1)), NB_OK);
    assert_int_equal(state_of(r, stock(r, 1)), NB__REG_CONFIRMED);
    assert_int_equal(r->servers[0].requests, requests);
    release(r, stock(r, 1));
    run(r, 601 * S);
    nb__plan_row row;
    assert_false(find_row(r, stock(r, 1), &row));
    rig_close(r);
}

static void kis_has_fewer_slots_than_told(void **state)
{
    (void)state;
    rig *r = usual(1, 41);
    r->servers[0].limit = 12;
    pin(r, "H0STCNT0:000001");
    window_spec(r, "nearest:8");
    begin(r);
    run(r, S);
    assert_int_equal(served(r, stock(r, 1)), 1);
    assert_int_equal(served_in_all(r), 12);
    assert_int_equal(served(r, option(r, 'P', 1100)), 1); /* the nearest have it */
    assert_int_equal(want(r, stock(r, 2)), NB_OK);        /* a window key yields */
    run(r, S);
    assert_int_equal(served(r, stock(r, 2)), 1);
    r->servers[0].limit = 41;
    run(r, 30 * 60 * S);
    assert_int_equal(served_in_all(r), 36);
    rig_close(r);
}

static void a_pinned_key_without_slot_goes_where_one_is(void **state)
{
    (void)state;
    rig *r = usual(2, 3);
    r->servers[0].limit = 1;
    for (unsigned i = 1; i <= 4; i++) {
        char text[32];
        snprintf(text, sizeof text, "H0STCNT0:%06u", i);
        pin(r, text);
    }
    begin(r);
    run(r, 5 * S);
    for (unsigned i = 1; i <= 4; i++)
        assert_int_equal(served(r, stock(r, i)), 1);
    assert_int_equal(r->servers[0].count, 1);
    assert_int_equal(r->servers[1].count, 3);
    rig_close(r);
}

static void a_pinned_key_takes_a_clients_slot_when_kis_takes_its_own(void **state)
{
    (void)state;
    rig *r = usual(2, 2);
    pin(r, "H0STCNT0:000001");
    pin(r, "H0STCNT0:000002");
    begin(r);
    assert_int_equal(want(r, stock(r, 11)), NB_OK);
    assert_int_equal(want(r, stock(r, 12)), NB_OK);
    uint8_t home = r->servers[0].has[stock(r, 1)] ? 0 : 1;
    r->servers[home].limit = 0;
    cut(r, home, true);
    run(r, 10 * S);
    assert_int_equal(served(r, stock(r, 1)), 1);
    assert_int_equal(served(r, stock(r, 2)), 1);
    assert_int_equal(state_of(r, stock(r, 11)), NB__REG_REJECTED);
    assert_int_equal(state_of(r, stock(r, 12)), NB__REG_REJECTED);
    assert_string_equal(nb__plan_registration(r->plan, stock(r, 11))->answer.msg_cd, "OPSP0008");
    rig_close(r);
}

static void what_kis_refuses_for_good_takes_no_slot_and_is_not_asked_again(void **state)
{
    (void)state;
    rig *r = usual(1, 20);
    pin(r, "H0STCNT0:BAD1");
    begin(r);
    uint64_t requests = r->servers[0].requests;
    run(r, 120 * S);
    assert_int_equal(r->servers[0].requests, requests);
    expect_reason(r, topic_of(r, "H0STCNT0", "BAD1"), "pinned; refused: OPSP8992");
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(want(r, stock(r, i)), NB_OK);
    rig_close(r);
}

static void a_topic_lives_on_the_session_with_most_room(void **state)
{
    (void)state;
    rig *r = usual(3, 10);
    pin(r, "H0STCNT0:000099");
    begin(r);
    for (unsigned i = 0; i < 29; i++) {
        assert_int_equal(want(r, stock(r, i)), NB_OK);
        assert_int_equal(served(r, stock(r, i)), 1);
        uint32_t least = 100, most = 0;
        for (uint32_t j = 0; j < 3; j++) {
            least = r->servers[j].count < least ? r->servers[j].count : least;
            most = r->servers[j].count > most ? r->servers[j].count : most;
        }
        assert_true(most - least <= 1);
    }
    assert_int_equal(want(r, stock(r, 30)), NB_E_LIMIT);
    rig_close(r);
}

static void the_farthest_yields_over_all_sessions(void **state)
{
    (void)state;
    rig *r = usual(2, 12);
    r->config.reserve = 0;
    begin(r);
    assert_int_equal(served_in_all(r), 24);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(want(r, stock(r, i)), NB_OK);
    run(r, S);
    assert_int_equal(served_in_all(r), 24);
    /* 19 option keys and the future are left: the nearest, wherever they live */
    for (double k = 1090; k <= 1107.5; k += 2.5)
        assert_int_equal(served(r, option(r, 'C', k)) + served(r, option(r, 'P', k)), 2);
    rig_close(r);
}

/* A slow session still gives a topic back while a client asks for it: it goes back there. */
static void a_topic_does_not_come_over_two_sessions(void **state)
{
    (void)state;
    rig *r = rig_open_paced(2, 5, 80 * MS);
    usual_master(r);
    window_spec(r, "kosdaq150/nearest:0"); /* there is none */
    begin(r);
    uint32_t at[2][5], count[2] = {0, 0};
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(want(r, stock(r, i)), NB_OK);
        run(r, S);
        uint32_t home = r->servers[0].has[stock(r, i)] ? 0 : 1;
        at[home][count[home]++] = stock(r, i);
    }
    for (int i = 0; i < 4; i++)
        nb__plan_release(r->plan, at[0][i], r->now_ns);
    for (unsigned i = 20; i < 23; i++) /* in the place of three of them */
        assert_int_equal(nb__plan_want(r->plan, stock(r, i), r->now_ns), NB_OK);
    for (int i = 0; i < 4; i++) /* now there is more room on the other one */
        nb__plan_release(r->plan, at[1][i], r->now_ns);
    assert_int_equal(state_of(r, at[0][2]), NB__REG_NONE); /* given back last of the three */
    assert_int_equal(nb__plan_want(r->plan, at[0][2], r->now_ns), NB_OK);
    for (int i = 0; i < 40; i++) {
        r->now_ns += 20 * MS;
        pump(r);
        assert_true(served(r, at[0][2]) <= 1);
    }
    assert_int_equal(served(r, at[0][2]), 1);
    rig_close(r);
}

static void another_night_releases_what_is_not_listed_any_more(void **state)
{
    (void)state;
    rig *r = usual(1, 41);
    begin(r);
    uint32_t old = option(r, 'C', 1100);
    assert_int_equal(want(r, stock(r, 1)), NB_OK);
    r->master.count = 0;
    add_future(r, NB__PRODUCT_KOSPI200, "202703");
    add_chain(r, NB__PRODUCT_KOSPI200, "202701", 1000, 1200, 1050);
    set_master(r);
    run(r, S);
    assert_int_equal(served(r, old), 0);
    assert_int_equal(state_of(r, old), NB__REG_NONE);
    assert_int_equal(served(r, stock(r, 1)), 1);
    assert_int_equal(served_in_all(r), 36);
    const char *code = code_at(r, NB__PRODUCT_KOSPI200, "202701", 'C', 1050);
    assert_int_equal(served(r, topic_of(r, "H0EUASP0", code)), 1);
    rig_close(r);
}

static void the_same_master_again_changes_nothing(void **state)
{
    (void)state;
    rig *r = usual(1, 41);
    begin(r);
    uint64_t requests = r->servers[0].requests;
    set_master(r);
    run(r, 90 * S);
    assert_int_equal(r->servers[0].requests, requests);
    rig_close(r);
}

static void nearest_takes_all_that_fit_for_simulated_feeds(void **state)
{
    (void)state;
    rig *r = usual(1, 100);
    r->config.nearest_max = 1000;
    begin(r);
    assert_int_equal(served_in_all(r), 100);
    assert_int_equal(served(r, future(r)), 1);
    expect_reason(r, option(r, 'C', 1100), "number 2 from the money");
    assert_int_equal(want(r, stock(r, 1)), NB_OK);
    assert_int_equal(served_in_all(r), 100);
    assert_int_equal(nb__plan_count(r->plan)->window_yields, 1);
    rig_close(r);

    r = usual(1, 400);
    r->config.nearest_max = 7;
    begin(r);
    assert_int_equal(served_in_all(r), 7);
    rig_close(r);
}

static void a_topic_beyond_the_table_is_no_argument(void **state)
{
    (void)state;
    rig *r = usual(1, 41);
    begin(r);
    assert_int_equal(nb__plan_want(r->plan, TOPICS_MAX, r->now_ns), NB_E_ARGUMENT);
    nb__plan_release(r->plan, TOPICS_MAX, r->now_ns);
    nb__plan_release(r->plan, stock(r, 5), r->now_ns);
    assert_int_equal(nb__plan_registration(r->plan, TOPICS_MAX)->state, NB__REG_NONE);
    rig_close(r);
}

static void rows_come_in_priority_order(void **state)
{
    (void)state;
    rig *r = usual(1, 20);
    pin(r, "H0STCNT0:000009");
    window_spec(r, "nearest:2");
    begin(r);
    (void)want(r, stock(r, 1));
    (void)want(r, stock(r, 2));
    release(r, stock(r, 2));
    uint32_t cursor = 0, count = 0;
    int class_before = 0;
    nb__plan_row row;
    while (nb__plan_next_row(r->plan, &cursor, &row)) {
        int class_ = row.is_pinned ? 0 : row.is_client ? 1 : row.is_window ? 2 : 3;
        assert_true(class_ >= class_before);
        class_before = class_;
        count++;
        assert_int_equal(row.session, 0);
    }
    assert_int_equal(count, 1 + 1 + 10 + 1);
    assert_int_equal(class_before, 3);
    rig_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_plan_the_future_and_the_money),
        cmocka_unit_test(a_small_limit_keeps_the_reserve),
        cmocka_unit_test(clients_use_the_reserve_and_then_the_farthest),
        cmocka_unit_test(the_farthest_yields_first),
        cmocka_unit_test(a_shrunk_window_grows_again_not_within_the_gap),
        cmocka_unit_test(pinned_are_first_and_never_yield),
        cmocka_unit_test(more_pinned_than_slots_wait_in_their_order),
        cmocka_unit_test(a_client_that_asks_early_does_not_come_before_pinned_keys),
        cmocka_unit_test(what_clients_leave_does_not_eat_the_reserve),
        cmocka_unit_test(what_a_client_leaves_stays_in_the_window),
        cmocka_unit_test(a_client_of_a_pinned_or_window_key_needs_no_slot),
        cmocka_unit_test(a_clients_last_leave_lingers),
        cmocka_unit_test(kis_has_fewer_slots_than_told),
        cmocka_unit_test(a_pinned_key_without_slot_goes_where_one_is),
        cmocka_unit_test(a_pinned_key_takes_a_clients_slot_when_kis_takes_its_own),
        cmocka_unit_test(what_kis_refuses_for_good_takes_no_slot_and_is_not_asked_again),
        cmocka_unit_test(a_topic_lives_on_the_session_with_most_room),
        cmocka_unit_test(the_farthest_yields_over_all_sessions),
        cmocka_unit_test(a_topic_does_not_come_over_two_sessions),
        cmocka_unit_test(another_night_releases_what_is_not_listed_any_more),
        cmocka_unit_test(the_same_master_again_changes_nothing),
        cmocka_unit_test(nearest_takes_all_that_fit_for_simulated_feeds),
        cmocka_unit_test(a_topic_beyond_the_table_is_no_argument),
        cmocka_unit_test(rows_come_in_priority_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
