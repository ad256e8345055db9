/* SPDX-License-Identifier: Apache-2.0 */
/* Where the money is, and how a window follows it: sources, hysteresis, pace. */
#include "rig.h"

static rig *with_window(const char *spec)
{
    rig *r = usual(1, 41);
    if (spec != NULL)
        window_spec(r, spec);
    return r;
}

static void expect_forward(rig *r, double points, const char *source)
{
    run(r, S);
    nb__plan_forward forward = nb__plan_forward_of(r->plan, 0);
    assert_string_equal(forward.source, source);
    assert_int_equal(forward.price, points == 0 ? NB_PRICE_UNDEF : POINTS(points));
}

/* All keys of `n` strikes on each side of `center`, and no others of the chain. */
static void expect_window(rig *r, double center, int n)
{
    for (double k = 1000; k <= 1200; k += 2.5) {
        bool is_in = k >= center - 2.5 * n && k <= center + 2.5 * n;
        assert_int_equal(served(r, option(r, 'C', k)), is_in);
        assert_int_equal(served(r, option(r, 'P', k)), is_in);
    }
}

static void until_settled(rig *r)
{
    for (uint64_t before = UINT64_MAX; nb__plan_count(r->plan)->window_moves != before;) {
        before = nb__plan_count(r->plan)->window_moves;
        run(r, GAP + S);
    }
}

/* ---- the forward ---- */

static void the_future_comes_first_then_parity_then_the_mark(void **state)
{
    (void)state;
    rig *r = with_window(NULL);
    begin(r);
    expect_forward(r, 1100, "master's mark");
    quote(r, option(r, 'C', 1100), 10, 10.5);
    quote(r, option(r, 'P', 1100), 9, 9.1);
    expect_forward(r, 1100 + 10.25 - 9.05, "put-call parity");
    set_forward(r, 1101);
    expect_forward(r, 1101, "A12612 book");
    quote(r, future(r), 1101, 0); /* one side is no price */
    expect_forward(r, 1101.2, "put-call parity");
    quote(r, future(r), 1102, 1101); /* nor is a crossed book */
    expect_forward(r, 1101.2, "put-call parity");
    quote(r, future(r), 1090, 1102); /* nor one so wide */
    expect_forward(r, 1101.2, "put-call parity");
    quote(r, future(r), 1101, 1101); /* locked is one */
    expect_forward(r, 1101, "A12612 book");
    nb__books_set_stale(r->books);
    expect_forward(r, 1100, "master's mark");
    rig_close(r);
}

static void a_future_that_is_not_subscribed_is_not_believed(void **state)
{
    (void)state;
    rig *r = with_window("nearest:4");
    begin(r);
    set_forward(r, 1110);
    expect_forward(r, 1100, "master's mark");
    assert_int_equal(want(r, future(r)), NB_OK);
    expect_forward(r, 1110, "A12612 book");
    assert_string_equal(nb__plan_forward_of(r->plan, 1).source, "none");
    rig_close(r);
}

static void parity_is_the_median_of_the_pairs_near_the_money(void **state)
{
    (void)state;
    rig *r = with_window("nearest:4");
    begin(r);
    static const struct {
        double strike, call, put;
    } pairs[] = {{1100, 11, 10}, {1097.5, 13, 9}, {1102.5, 9, 11.25}, {1095, 40, 1}};
    for (size_t i = 0; i < NB__COUNT_OF(pairs); i++) {
        quote(r, option(r, 'C', pairs[i].strike), pairs[i].call - 0.05, pairs[i].call + 0.05);
        quote(r, option(r, 'P', pairs[i].strike), pairs[i].put - 0.05, pairs[i].put + 0.05);
    }
    /* 1101, 1101.5, 1100.25, 1134: the middle two are 1101 and 1101.5 */
    expect_forward(r, 1101.25, "put-call parity");
    quote(r, option(r, 'P', 1095), 0, 1.05); /* without its bid the fourth does not count */
    expect_forward(r, 1101, "put-call parity");
    quote(r, option(r, 'P', 1097.5), 3.5, 15); /* too wide */
    expect_forward(r, 1100.625, "put-call parity");
    rig_close(r);
}

static void without_marks_a_window_waits_for_the_forward(void **state)
{
    (void)state;
    rig *r = rig_open(1, 41);
    add_future(r, NB__PRODUCT_KOSPI200, "202612");
    add_chain(r, NB__PRODUCT_KOSPI200, "202612", 1000, 1200, 0);
    begin(r);
    expect_forward(r, 0, "none");
    assert_int_equal(served_in_all(r), 1); /* the future */
    set_forward(r, 1148.9);
    run(r, S);
    expect_window(r, 1150, 8);
    rig_close(r);
}

static void without_an_atm_mark_the_money_lies_between(void **state)
{
    (void)state;
    rig *r = rig_open(1, 41);
    for (double k = 1090; k <= 1110; k += 5) {
        add_row(r, NB__PRODUCT_KOSPI200, 'C', "202612", POINTS(k), k < 1101 ? '2' : '3');
        add_row(r, NB__PRODUCT_KOSPI200, 'P', "202612", POINTS(k), k < 1101 ? '3' : '2');
    }
    window_spec(r, "nearest:0");
    begin(r);
    expect_forward(r, 1102.5, "master's mark");
    rig_close(r);
}

/* ---- which expiry ---- */

static void the_nearest_expiry_of_the_family(void **state)
{
    (void)state;
    rig *r = rig_open(1, 41);
    add_chain(r, NB__PRODUCT_KOSPI200_MINI, "2611W3", 1090, 1110, 1100);
    add_chain(r, NB__PRODUCT_KOSPI200, "202612", 1090, 1110, 1100);
    add_chain(r, NB__PRODUCT_KOSPI200_WEEKLY_THU, "2611W4", 1090, 1110, 1100);
    add_chain(r, NB__PRODUCT_KOSPI200_WEEKLY_MON, "2611W4", 1090, 1110, 1100);
    window_spec(r, "nearest:0");
    window_spec(r, "thu/nearest:0");
    window_spec(r, "202612:0");
    window_spec(r, "mini/nearest:0");
    window_spec(r, "kosdaq150/nearest:3"); /* there is none */
    begin(r);
    assert_int_equal(served_in_all(r), 8);
    static const struct {
        nb__product product;
        const char *expiry;
    } rows[] = {{NB__PRODUCT_KOSPI200_WEEKLY_MON, "2611W4"}, /* the 23rd; Thursday is the 26th */
                {NB__PRODUCT_KOSPI200_WEEKLY_THU, "2611W4"},
                {NB__PRODUCT_KOSPI200, "202612"},
                {NB__PRODUCT_KOSPI200_MINI, "2611W3"}};
    for (size_t i = 0; i < NB__COUNT_OF(rows); i++) {
        const char *code = code_at(r, rows[i].product, rows[i].expiry, 'P', 1100);
        assert_int_equal(served(r, topic_of(r, "H0EUASP0", code)), 1);
    }
    assert_string_equal(nb__plan_forward_of(r->plan, 4).source, "none");
    rig_close(r);
}

static void kosdaq_has_a_future_of_its_own_and_mini_has_not(void **state)
{
    (void)state;
    rig *r = with_window("kosdaq150/nearest:1");
    window_spec(r, "mini/nearest:1");
    add_chain(r, NB__PRODUCT_KOSDAQ150, "202612", 1400, 1600, 1500);
    add_chain(r, NB__PRODUCT_KOSPI200_MINI, "202612", 1000, 1200, 1100);
    add_future(r, NB__PRODUCT_KOSDAQ150_FUTURE, "202612");
    begin(r);
    uint32_t kosdaq =
        topic_of(r, "H0MFASP0", code_at(r, NB__PRODUCT_KOSDAQ150_FUTURE, "202612", 'F', 0));
    assert_int_equal(want(r, kosdaq), NB_OK);
    assert_int_equal(want(r, future(r)), NB_OK);
    quote(r, kosdaq, 1510, 1512);
    set_forward(r, 1105);
    expect_forward(r, 1511, "A82612 book");
    assert_string_equal(nb__plan_forward_of(r->plan, 1).source, "A12612 book");
    rig_close(r);
}

static void a_key_of_two_windows_has_one_slot(void **state)
{
    (void)state;
    rig *r = with_window("nearest:3");
    window_spec(r, "202612:5");
    begin(r);
    assert_int_equal(served_in_all(r), 22);
    assert_int_equal(nb__plan_count(r->plan)->windows, 22);
    rig_close(r);
}

static void a_window_at_the_end_of_the_chain_is_shorter(void **state)
{
    (void)state;
    rig *r = rig_open(1, 41);
    add_chain(r, NB__PRODUCT_KOSPI200, "202612", 1000, 1200, 1005);
    window_spec(r, "nearest:8");
    begin(r);
    assert_int_equal(served_in_all(r), 22);
    rig_close(r);
}

/* ---- moving ---- */

static void a_window_moves_only_beyond_the_hysteresis(void **state)
{
    (void)state;
    rig *r = with_window(NULL);
    begin(r);
    set_forward(r, 1101.875); /* three quarters of a step: not beyond */
    until_settled(r);
    expect_window(r, 1100, 8);
    set_forward(r, 1101.9);
    until_settled(r);
    expect_window(r, 1102.5, 8);
    set_forward(r, 1100.7); /* and not back at once */
    until_settled(r);
    expect_window(r, 1102.5, 8);
    set_forward(r, 1100.6);
    until_settled(r);
    expect_window(r, 1100, 8);
    assert_int_equal(nb__plan_count(r->plan)->window_moves, 2);
    rig_close(r);
}

static void a_window_moves_one_strike_a_gap(void **state)
{
    (void)state;
    rig *r = with_window(NULL);
    begin(r);
    set_forward(r, 1120);
    uint64_t moves = 0, requests = r->servers[0].requests;
    int64_t moved_ns = NB_TIME_UNDEF;
    while (moves < 8) {
        run(r, 100 * MS);
        if (nb__plan_count(r->plan)->window_moves == moves)
            continue;
        moves++;
        assert_int_equal(nb__plan_count(r->plan)->window_moves, moves);
        assert_int_equal(r->servers[0].requests, requests + 4 * moves); /* two in, two out */
        assert_true(moved_ns == NB_TIME_UNDEF || r->now_ns - moved_ns >= GAP);
        moved_ns = r->now_ns;
        expect_window(r, 1100 + 2.5 * (double)moves, 8);
    }
    run(r, 10 * GAP);
    assert_int_equal(nb__plan_count(r->plan)->window_moves, 8);
    rig_close(r);
}

static void a_shrunk_window_moves_too_and_stays_as_small(void **state)
{
    (void)state;
    rig *r = with_window(NULL);
    begin(r);
    run(r, GAP);
    for (unsigned i = 0; i < 30; i++)
        assert_int_equal(want(r, stock(r, i)), NB_OK);
    run(r, S);
    assert_int_equal(nb__plan_count(r->plan)->windows, 11);
    set_forward(r, 1110);
    uint64_t requests = r->servers[0].requests;
    for (int i = 0; i < 20; i++) {
        run(r, 10 * S);
        assert_int_equal(nb__plan_count(r->plan)->windows, 11);
    }
    assert_int_equal(nb__plan_count(r->plan)->window_moves, 4);
    assert_in_range(r->servers[0].requests - requests, 4, 16);
    for (double k = 1107.5; k <= 1112.5; k += 2.5)
        assert_int_equal(served(r, option(r, 'C', k)), 1);
    assert_int_equal(served(r, option(r, 'C', 1100)), 0);
    rig_close(r);
}

static void a_window_stays_when_the_books_fall_silent(void **state)
{
    (void)state;
    rig *r = with_window(NULL);
    begin(r);
    set_forward(r, 1110);
    until_settled(r);
    expect_window(r, 1110, 8);
    nb__books_set_stale(r->books);
    until_settled(r);
    expect_window(r, 1110, 8);
    set_master(r); /* fetched again: nothing is known of the money, but what the master says */
    run(r, S);
    expect_window(r, 1100, 8);
    rig_close(r);
}

static void a_master_fetched_again_does_not_move_a_window(void **state)
{
    (void)state;
    rig *r = with_window(NULL);
    begin(r);
    set_forward(r, 1110);
    until_settled(r);
    uint64_t requests = r->servers[0].requests;
    set_master(r);
    run(r, 3 * GAP);
    expect_window(r, 1110, 8);
    assert_int_equal(r->servers[0].requests, requests);
    rig_close(r);
}

static void following_is_cheap_and_says_when_to_come_back(void **state)
{
    (void)state;
    rig *r = with_window(NULL);
    begin(r);
    run(r, 2 * GAP);
    r->now_ns += S;
    assert_true(nb__plan_follow(r->plan, r->books, r->now_ns) == INT64_MAX);
    r->now_ns += MS; /* too soon to look again: it says when */
    assert_true(nb__plan_follow(r->plan, r->books, r->now_ns) == r->now_ns + 99 * MS);
    set_forward(r, 1110);
    r->now_ns += 99 * MS;
    assert_true(nb__plan_follow(r->plan, r->books, r->now_ns) == r->now_ns + GAP);
    assert_int_equal(nb__plan_count(r->plan)->window_moves, 1);
    rig_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_future_comes_first_then_parity_then_the_mark),
        cmocka_unit_test(a_future_that_is_not_subscribed_is_not_believed),
        cmocka_unit_test(parity_is_the_median_of_the_pairs_near_the_money),
        cmocka_unit_test(without_marks_a_window_waits_for_the_forward),
        cmocka_unit_test(without_an_atm_mark_the_money_lies_between),
        cmocka_unit_test(the_nearest_expiry_of_the_family),
        cmocka_unit_test(kosdaq_has_a_future_of_its_own_and_mini_has_not),
        cmocka_unit_test(a_key_of_two_windows_has_one_slot),
        cmocka_unit_test(a_window_at_the_end_of_the_chain_is_shorter),
        cmocka_unit_test(a_window_moves_only_beyond_the_hysteresis),
        cmocka_unit_test(a_window_moves_one_strike_a_gap),
        cmocka_unit_test(a_shrunk_window_moves_too_and_stays_as_small),
        cmocka_unit_test(a_window_stays_when_the_books_fall_silent),
        cmocka_unit_test(a_master_fetched_again_does_not_move_a_window),
        cmocka_unit_test(following_is_cheap_and_says_when_to_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
