/* SPDX-License-Identifier: Apache-2.0 */
/* Slots: pinned, client and window wishes; ranks; who yields to whom; what is free. */
#include "rig.h"

static void want_rank(rig *r, const char *key, uint32_t rank)
{
    assert_int_equal(try_want(r, key, NB__WANT_WINDOW, rank), NB_OK);
}

static void give_back(rig *r, const char *key)
{
    expect_request(r, key, false);
    answer(r, NB__OPSP_UNSUBSCRIBED, key);
}

static void asked_in_order_pinned_client_window_also_after_a_reconnect(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want_rank(&r, "W3", 3);
    want_rank(&r, "W1", 1);
    want(&r, "C1", NB__WANT_CLIENT);
    want_rank(&r, "W2", 9);
    want(&r, "P1", NB__WANT_PINNED);
    want(&r, "P2", NB__WANT_PINNED);
    want_rank(&r, "W2", 2); /* the market moved: a new rank */
    want(&r, "W3", NB__WANT_CLIENT);
    static const char *const order[] = {"P1", "P2", "W3", "C1", "W1", "W2"};
    for (int link = 0; link < 2; link++) {
        connect_up(&r);
        for (size_t i = 0; i < NB__COUNT_OF(order); i++)
            confirm(&r, order[i]);
        assert_int_equal(next(&r), NB__ACT_WAIT);
        nb__session_on_closed(r.session, "EOF", r.now_ns);
        assert_int_equal(next(&r), NB__ACT_LINK);
    }
    rig_close(&r);
}

static void the_farthest_window_yields_to_a_client(void **state)
{
    (void)state;
    nb__session_config config = rig_config(3);
    rig r = rig_open(&config);
    want_rank(&r, "W5", 5);
    want_rank(&r, "W9", 9);
    want_rank(&r, "W7", 7);
    assert_int_equal(try_want(&r, "W1", NB__WANT_WINDOW, 1), NB_E_LIMIT); /* windows evict none */
    assert_int_equal(seen(&r, "W1")->who, NB__WANT_NOBODY);
    connect_up(&r);
    confirm(&r, "W5");
    confirm(&r, "W7");
    confirm(&r, "W9");
    want(&r, "C1", NB__WANT_CLIENT);
    give_back(&r, "W9");
    expect_state(&r, "W9", NB__REG_PENDING); /* still wanted */
    confirm(&r, "C1");
    want_rank(&r, "W5", 8);
    want(&r, "C2", NB__WANT_CLIENT);
    give_back(&r, "W5");
    confirm(&r, "C2");
    assert_int_equal(try_want(&r, "W9", NB__WANT_WINDOW, 2), NB_OK); /* a new rank, no slot yet */
    expect_state(&r, "W9", NB__REG_PENDING);
    release(&r, "C1");
    expect_state(&r, "C1", NB__REG_LINGERING);
    assert_int_equal(next(&r), NB__ACT_WAIT);
    r.now_ns += config.linger_ns;
    nb__session_on_alive(r.session, r.now_ns);
    give_back(&r, "C1");
    confirm(&r, "W9"); /* of the two that wait the nearer */
    expect_state(&r, "W5", NB__REG_PENDING);
    rig_close(&r);
}

static void pinned_takes_what_lingers_then_windows_then_clients_never_pinned(void **state)
{
    (void)state;
    nb__session_config config = rig_config(4);
    rig r = rig_open(&config);
    want(&r, "C1", NB__WANT_CLIENT);
    want(&r, "C2", NB__WANT_CLIENT);
    want(&r, "C3", NB__WANT_CLIENT);
    want_rank(&r, "W1", 1);
    connect_up(&r);
    confirm(&r, "C1");
    confirm(&r, "C2");
    confirm(&r, "C3");
    confirm(&r, "W1");
    release(&r, "C1");
    static const char *const victims[] = {"C1", "W1", "C3", "C2"};
    static const char *const pins[] = {"P1", "P2", "P3", "P4"};
    for (size_t i = 0; i < NB__COUNT_OF(pins); i++) {
        want(&r, pins[i], NB__WANT_PINNED);
        give_back(&r, victims[i]);
        confirm(&r, pins[i]);
    }
    expect_state(&r, "C3", NB__REG_REJECTED); /* a client hears of it */
    assert_string_equal(seen(&r, "C3")->answer.msg_cd, "OPSP0008");
    assert_string_equal(seen(&r, "C3")->answer.rt_cd, "1");
    assert_int_equal(try_want(&r, "P5", NB__WANT_PINNED, 0), NB_E_LIMIT);
    assert_int_equal(try_want(&r, "C4", NB__WANT_CLIENT, 0), NB_E_LIMIT);
    assert_int_equal(nb__session_slots_free(r.session), 0);
    assert_int_equal(nb__session_count(r.session)->evictions, 4);
    rig_close(&r);
}

static void a_rejected_clients_leave_lets_the_window_wait_again(void **state)
{
    (void)state;
    nb__session_config config = rig_config(1);
    rig r = rig_open(&config);
    want_rank(&r, "X", 1);
    want(&r, "X", NB__WANT_CLIENT);
    connect_up(&r);
    confirm(&r, "X");
    want(&r, "P1", NB__WANT_PINNED);
    expect_state(&r, "X", NB__REG_REJECTED);
    give_back(&r, "X");
    confirm(&r, "P1");
    release(&r, "X");
    expect_state(&r, "X", NB__REG_PENDING);
    release_as(&r, "P1", NB__WANT_PINNED);
    give_back(&r, "P1");
    confirm(&r, "X");
    assert_int_equal(seen(&r, "X")->who, NB__WANT_WINDOW);
    rig_close(&r);
}

static const struct {
    const char *what;
    nb__want wants[3], releases[3];
    nb__registration_state left;
} leaves[] = {
    {"a client's lingers", {NB__WANT_CLIENT}, {NB__WANT_CLIENT}, NB__REG_LINGERING},
    {"a window's is given back", {NB__WANT_WINDOW}, {NB__WANT_WINDOW}, NB__REG_NONE},
    {"a pinned one's is given back", {NB__WANT_PINNED}, {NB__WANT_PINNED}, NB__REG_NONE},
    {"the window stays when the client leaves",
     {NB__WANT_WINDOW, NB__WANT_CLIENT},
     {NB__WANT_CLIENT},
     NB__REG_CONFIRMED},
    {"the client stays when window and pin leave",
     {NB__WANT_WINDOW, NB__WANT_CLIENT, NB__WANT_PINNED},
     {NB__WANT_WINDOW, NB__WANT_PINNED},
     NB__REG_CONFIRMED},
    {"the client left before the window: it lingers",
     {NB__WANT_WINDOW, NB__WANT_CLIENT},
     {NB__WANT_CLIENT, NB__WANT_WINDOW},
     NB__REG_LINGERING},
    {"a reason that is none changes nothing",
     {NB__WANT_CLIENT},
     {NB__WANT_WINDOW, NB__WANT_PINNED, NB__WANT_NOBODY},
     NB__REG_CONFIRMED},
};

static void what_lingers_and_what_is_given_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(leaves); i++) {
        nb__session_config config = rig_config(41);
        rig r = rig_open(&config);
        for (size_t k = 0; k < 3 && leaves[i].wants[k] != NB__WANT_NOBODY; k++)
            want(&r, "X", leaves[i].wants[k]);
        connect_up(&r);
        confirm(&r, "X");
        for (size_t k = 0; k < 3; k++)
            release_as(&r, "X", leaves[i].releases[k]);
        if (seen(&r, "X")->state != leaves[i].left)
            fail_msg("%s: %s", leaves[i].what, nb__registration_state_name(seen(&r, "X")->state));
        int64_t left_ns = r.now_ns;
        if (leaves[i].left == NB__REG_CONFIRMED) {
            assert_int_equal(next(&r), NB__ACT_WAIT);
        } else {
            config.watchdog_ns = INT64_MAX;
            while (next(&r) == NB__ACT_WAIT) {
                r.now_ns = r.action.wake_ns;
                nb__session_on_alive(r.session, r.now_ns);
            }
            assert_int_equal(r.action.kind, NB__ACT_SEND_TEXT);
            assert_false(asked(&r).is_register);
            assert_true(r.now_ns - left_ns <= config.linger_ns);
            assert_int_equal(leaves[i].left == NB__REG_LINGERING,
                             r.now_ns - left_ns == config.linger_ns);
        }
        rig_close(&r);
    }
}

/* A client that left while the window held the topic: only what is left of its lingering counts. */
static void lingering_counts_from_the_clients_leave(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want_rank(&r, "X", 1);
    want(&r, "X", NB__WANT_CLIENT);
    connect_up(&r);
    confirm(&r, "X");
    release(&r, "X");
    r.now_ns += config.linger_ns;
    nb__session_on_alive(r.session, r.now_ns);
    release_as(&r, "X", NB__WANT_WINDOW);
    expect_state(&r, "X", NB__REG_NONE);
    expect_request(&r, "X", false);
    rig_close(&r);
}

static void free_slots_count_what_lingers_and_what_the_server_has_room_for(void **state)
{
    (void)state;
    nb__session_config config = rig_config(4);
    rig r = rig_open(&config);
    assert_int_equal(nb__session_slots_free(r.session), 4);
    want(&r, "C1", NB__WANT_CLIENT);
    want(&r, "C2", NB__WANT_CLIENT);
    want_rank(&r, "W1", 1);
    assert_int_equal(nb__session_slots_free(r.session), 1);
    connect_up(&r);
    confirm(&r, "C1");
    confirm(&r, "C2");
    confirm(&r, "W1");
    release(&r, "C1");
    assert_int_equal(nb__session_slots_free(r.session), 2);
    want_rank(&r, "W2", 2);
    expect_request(&r, "W2", true);
    answer(&r, NB__OPSP_MAX_OVER, "W2"); /* it has room for three, one of which lingers */
    assert_int_equal(nb__session_slots_free(r.session), 1);
    rig_close(&r);
}

/* The server's own limit shrinks: windows go first, then clients, and a pinned one without a slot
 * comes back by itself. */
static void pinned_ones_survive_a_smaller_server(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    config.watchdog_ns = 100000 * S;
    rig r = rig_open(&config);
    want_rank(&r, "W1", 1);
    want(&r, "C1", NB__WANT_CLIENT);
    connect_up(&r);
    confirm(&r, "C1");
    confirm(&r, "W1");
    want(&r, "P1", NB__WANT_PINNED);
    want(&r, "P2", NB__WANT_PINNED);
    want(&r, "P3", NB__WANT_PINNED);
    expect_request(&r, "P1", true);
    answer(&r, NB__OPSP_MAX_OVER, "P1"); /* room for two */
    give_back(&r, "W1");
    give_back(&r, "C1");
    expect_state(&r, "C1", NB__REG_REJECTED);
    confirm(&r, "P2");
    confirm(&r, "P3");
    expect_state(&r, "P1", NB__REG_PENDING);
    int64_t full_ns = r.now_ns;
    confirm(&r, "P1");
    assert_true(r.now_ns - full_ns > 30 * S);
    rig_close(&r);
}

static void a_pinned_one_that_waits_comes_before_a_client_who_was_quicker(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    rig r = rig_open(&config);
    want(&r, "P1", NB__WANT_PINNED);
    want(&r, "P2", NB__WANT_PINNED);
    connect_up(&r);
    confirm(&r, "P1");
    expect_request(&r, "P2", true);
    answer(&r, NB__OPSP_MAX_OVER, "P2"); /* room for one */
    assert_int_equal(try_want(&r, "C1", NB__WANT_CLIENT, 0), NB_E_LIMIT);
    release_as(&r, "P1", NB__WANT_PINNED);
    want(&r, "C1", NB__WANT_CLIENT);
    give_back(&r, "P1");
    expect_state(&r, "C1", NB__REG_REJECTED);
    confirm(&r, "P2");
    rig_close(&r);
}

static void another_link_may_have_more_room(void **state)
{
    (void)state;
    nb__session_config config = rig_config(41);
    config.linger_ns = 0;
    rig r = rig_open(&config);
    want(&r, "P1", NB__WANT_PINNED);
    want(&r, "P2", NB__WANT_PINNED);
    connect_up(&r);
    confirm(&r, "P1");
    expect_request(&r, "P2", true);
    answer(&r, NB__OPSP_MAX_OVER, "P2"); /* an old session counts for a while */
    assert_int_equal(nb__session_slots_free(r.session), 0);
    nb__session_on_closed(r.session, "EOF", r.now_ns);
    assert_int_equal(nb__session_slots_free(r.session), 39);
    while (wait_next(&r) != NB__ACT_CONNECT)
        continue;
    finish_up(&r);
    confirm(&r, "P1");
    confirm(&r, "P2");
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_in_order_pinned_client_window_also_after_a_reconnect),
        cmocka_unit_test(the_farthest_window_yields_to_a_client),
        cmocka_unit_test(pinned_takes_what_lingers_then_windows_then_clients_never_pinned),
        cmocka_unit_test(a_rejected_clients_leave_lets_the_window_wait_again),
        cmocka_unit_test(what_lingers_and_what_is_given_back),
        cmocka_unit_test(lingering_counts_from_the_clients_leave),
        cmocka_unit_test(free_slots_count_what_lingers_and_what_the_server_has_room_for),
        cmocka_unit_test(pinned_ones_survive_a_smaller_server),
        cmocka_unit_test(a_pinned_one_that_waits_comes_before_a_client_who_was_quicker),
        cmocka_unit_test(another_link_may_have_more_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
