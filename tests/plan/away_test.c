/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions that go away and come back: what moves, when, and what stays. */
#include "rig.h"

static rig *two(uint32_t registrations_max)
{
    rig *r = rig_open(2, registrations_max);
    usual_master(r);
    return r;
}

static void pinned_and_client_topics_move_at_the_next_round(void **state)
{
    (void)state;
    rig *r = two(10);
    pin(r, "H0STCNT0:000001");
    pin(r, "H0STCNT0:000002");
    begin(r);
    for (unsigned i = 3; i <= 6; i++)
        assert_int_equal(want(r, stock(r, i)), NB_OK);
    assert_int_equal(r->servers[0].count, 3);
    cut(r, 0, false);
    run(r, 19 * S);
    assert_int_equal(r->servers[1].count, 3); /* 20 s are given to it */
    run(r, 12 * S);                           /* and the round that the start began is over */
    assert_int_equal(r->servers[1].count, 6);
    assert_int_equal(nb__plan_count(r->plan)->moved_sessions, 3);
    for (unsigned i = 1; i <= 6; i++)
        assert_int_equal(state_of(r, stock(r, i)), NB__REG_CONFIRMED);

    r->servers[0].is_reachable = true; /* they do not move back */
    run(r, 300 * S);
    assert_int_equal(nb__session_state_of(r->sessions[0]), NB__SESSION_UP);
    assert_int_equal(r->servers[0].count, 0);
    assert_int_equal(r->servers[1].count, 6);
    assert_int_equal(nb__plan_count(r->plan)->moved_sessions, 3);
    assert_int_equal(want(r, stock(r, 7)), NB_OK); /* what is new goes where room is */
    assert_int_equal(r->servers[0].count, 1);
    rig_close(r);
}

static void they_move_in_priority_order_as_far_as_there_is_room(void **state)
{
    (void)state;
    rig *r = two(4);
    pin(r, "H0STCNT0:000001");
    pin(r, "H0STCNT0:000002");
    begin(r);
    for (unsigned i = 3; i <= 8; i++)
        assert_int_equal(want(r, stock(r, i)), NB_OK);
    assert_int_equal(served_in_all(r), 8);
    release(r, stock(r, r->servers[1].has[stock(r, 3)] ? 3 : 4)); /* one slot is free there */
    uint32_t pinned_there = r->servers[0].has[stock(r, 1)] ? stock(r, 1) : stock(r, 2);
    cut(r, 0, false);
    run(r, 120 * S);
    assert_int_equal(r->servers[1].count, 4);
    assert_int_equal(served(r, pinned_there), 1);
    assert_int_equal(nb__plan_count(r->plan)->moved_sessions, 1);
    nb__plan_row row;
    uint32_t cursor = 0, parked = 0;
    while (nb__plan_next_row(r->plan, &cursor, &row))
        parked += strstr(row.reason, "its session is away") != NULL;
    assert_int_equal(parked, 3);
    r->servers[0].is_reachable = true;
    run(r, 120 * S);
    assert_int_equal(served_in_all(r), 7); /* where they were */
    rig_close(r);
}

static void windows_yield_to_what_moves(void **state)
{
    (void)state;
    rig *r = two(20);
    begin(r);
    assert_int_equal(served_in_all(r), 35);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(want(r, stock(r, i)), NB_OK);
    uint32_t clients_there = 0;
    for (unsigned i = 0; i < 5; i++)
        clients_there += r->servers[0].has[stock(r, i)];
    assert_true(clients_there > 0);
    cut(r, 0, false);
    run(r, 62 * S);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(served(r, stock(r, i)), 1);
    assert_true(nb__plan_count(r->plan)->window_yields > 0);
    rig_close(r);
}

/* The keys nearest the money come over one strike a gap, in the place of the farthest. */
static void the_money_itself_does_not_stay_dark(void **state)
{
    (void)state;
    rig *r = two(20);
    begin(r);
    cut(r, 0, false);
    run(r, 20 * GAP);
    uint32_t near = 0;
    for (double k = 1095; k <= 1105; k += 2.5)
        near += served(r, option(r, 'C', k)) + served(r, option(r, 'P', k));
    assert_int_equal(near, 10);
    assert_int_equal(served(r, future(r)), 1);
    r->servers[0].is_reachable = true;
    run(r, 40 * GAP);
    assert_int_equal(served_in_all(r), 35);
    rig_close(r);
}

static void while_none_is_up_all_stay(void **state)
{
    (void)state;
    rig *r = two(20);
    begin(r);
    assert_int_equal(want(r, stock(r, 1)), NB_OK);
    cut(r, 0, false);
    cut(r, 1, false);
    run(r, 600 * S);
    assert_int_equal(nb__plan_count(r->plan)->moved_sessions, 0);
    assert_int_equal(want(r, stock(r, 2)), NB_OK);
    assert_int_equal(state_of(r, stock(r, 2)), NB__REG_PENDING);
    r->servers[0].is_reachable = r->servers[1].is_reachable = true;
    run(r, 120 * S);
    assert_int_equal(served(r, stock(r, 1)), 1);
    assert_int_equal(served(r, stock(r, 2)), 1);
    assert_int_equal(served_in_all(r), 37);
    rig_close(r);
}

static void a_resting_session_keeps_its_topics(void **state)
{
    (void)state;
    rig *r = two(20);
    begin(r);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(want(r, stock(r, i)), NB_OK);
    nb__session_rest(r->sessions[0], "until Mon 17:45", r->now_ns);
    pump(r);
    run(r, 600 * S);
    assert_int_equal(nb__session_state_of(r->sessions[0]), NB__SESSION_RESTING);
    assert_int_equal(nb__plan_count(r->plan)->moved_sessions, 0);
    rig_close(r);
}

static void a_client_of_a_parked_topic_is_served_at_once(void **state)
{
    (void)state;
    rig *r = two(4);
    r->config.nearest_max = 8;
    begin(r);
    assert_int_equal(served_in_all(r), 8);
    cut(r, 0, false);
    run(r, 61 * S);
    uint32_t parked = NB__TOPIC_NONE;
    nb__plan_row row;
    uint32_t cursor = 0;
    while (nb__plan_next_row(r->plan, &cursor, &row))
        if (row.session == 0)
            parked = row.topic; /* the farthest of them */
    assert_int_equal(served(r, parked), 0);
    assert_int_equal(want(r, parked), NB_OK);
    assert_int_equal(served(r, parked), 1);
    rig_close(r);
}

static void refused_only_when_pinned_and_clients_have_all(void **state)
{
    (void)state;
    rig *r = two(4);
    begin(r);
    cut(r, 0, false);
    run(r, 120 * S);
    for (unsigned i = 0; i < 8; i++) /* also slots of the session that is away */
        assert_int_equal(want(r, stock(r, i)), NB_OK);
    assert_int_equal(want(r, stock(r, 8)), NB_E_LIMIT);
    assert_int_equal(r->servers[1].count, 4);
    rig_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pinned_and_client_topics_move_at_the_next_round),
        cmocka_unit_test(they_move_in_priority_order_as_far_as_there_is_room),
        cmocka_unit_test(windows_yield_to_what_moves),
        cmocka_unit_test(the_money_itself_does_not_stay_dark),
        cmocka_unit_test(while_none_is_up_all_stay),
        cmocka_unit_test(a_resting_session_keeps_its_topics),
        cmocka_unit_test(a_client_of_a_parked_topic_is_served_at_once),
        cmocka_unit_test(refused_only_when_pinned_and_clients_have_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
