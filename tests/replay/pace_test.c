/* SPDX-License-Identifier: Apache-2.0 */
/* When a line is due, under the test's own clock. */
#include "guard.h"
#include "replay/pace.h"
#include <math.h>

#define MS NB__NS_PER_MS
#define S NB__NS_PER_S

static pace at_speed(double speed)
{
    pace p = {.speed = speed};
    pace_begin(&p, 1000 * S);
    pace_place_first(&p, 5 * S, 0);
    return p;
}

static void times_between_lines_are_kept(void **state)
{
    (void)state;
    pace p = at_speed(1);
    assert_int_equal(pace_place(&p, 5 * S + 3 * MS, 0), 3 * MS);
    assert_int_equal(pace_due_ns(&p, 3 * MS), 1000 * S + 3 * MS);
    pace_passed(&p, 3 * MS, true, 1000 * S + 4 * MS); /* a little late: it stays the exception */
    assert_int_equal(pace_place(&p, 7 * S, 0), 2 * S);
    assert_int_equal(pace_due_ns(&p, 2 * S), 1002 * S);
}

static void a_speed_divides_them(void **state)
{
    (void)state;
    pace p = at_speed(10);
    assert_int_equal(pace_due_ns(&p, pace_place(&p, 6 * S, 0)), 1000 * S + 100 * MS);
    p = at_speed(0.5);
    assert_int_equal(pace_due_ns(&p, pace_place(&p, 6 * S, 0)), 1002 * S);
    p = at_speed(INFINITY);
    assert_true(pace_due_ns(&p, pace_place(&p, 6 * S, 0)) < 1000 * S);
    p = at_speed(0.001);
    assert_int_equal(pace_due_ns(&p, INT64_MAX), INT64_MAX);
}

static void steps_of_the_clock_are_taken_out(void **state)
{
    (void)state;
    pace p = at_speed(1);
    /* 2 ms passed while the clock was set an hour ahead, then as far back */
    assert_int_equal(pace_place(&p, 5 * S + 3600 * S + 2 * MS, 3600 * S), 2 * MS);
    assert_int_equal(pace_place(&p, 5 * S + 3 * MS, -3600 * S), 3 * MS);
    /* where nobody said so, nothing passes */
    assert_int_equal(pace_place(&p, 4 * S, 0), 3 * MS);
    assert_int_equal(pace_place(&p, 4 * S + 1 * MS, 0), 4 * MS);
}

static void no_time_overflows(void **state)
{
    (void)state;
    pace p = at_speed(0.001);
    pace_place_first(&p, INT64_MIN + 5, 0);
    assert_int_equal(pace_place(&p, INT64_MAX, 0), 0);
    assert_int_equal(pace_place(&p, INT64_MIN + 1, INT64_MIN), 0);
    pace_place_first(&p, 0, INT64_MAX - 5);
    assert_int_equal(pace_place(&p, 100, 0), INT64_MAX);
    pace_place_first(&p, 0, INT64_MIN);
    assert_int_equal(p.place_ns, 0);
    assert_int_equal(pace_due_ns(&p, INT64_MAX), INT64_MAX);
    pace_passed(&p, INT64_MAX, true, INT64_MAX);
    assert_true(pace_at(&p, INT64_MAX, INT64_MAX) >= 0);
}

static void another_speed_counts_from_now(void **state)
{
    (void)state;
    pace p = at_speed(1);
    int64_t place_ns = pace_place(&p, 15 * S, 0); /* due at 1010 */
    pace_set_speed(&p, 4, 1002 * S, place_ns);    /* 8 s are left */
    assert_int_equal(pace_due_ns(&p, place_ns), 1004 * S);
    pace_set_speed(&p, INFINITY, 1003 * S, place_ns);
    assert_true(pace_due_ns(&p, place_ns) <= 1003 * S);
    assert_int_equal(pace_at(&p, 2000 * S, place_ns), 6 * S); /* max goes as it is taken */
    pace_passed(&p, place_ns, true, 1003 * S);
    pace_set_speed(&p, 1, 1005 * S, place_ns);
    assert_int_equal(pace_due_ns(&p, place_ns + 2 * S), 1007 * S);
}

static void a_pause_stops_time(void **state)
{
    (void)state;
    pace p = at_speed(1);
    int64_t place_ns = pace_place(&p, 15 * S, 0);
    pace_pause(&p, true, 1003 * S, place_ns);
    assert_int_equal(pace_due_ns(&p, place_ns), INT64_MAX);
    assert_int_equal(pace_at(&p, 1900 * S, place_ns), 3 * S);
    pace_pause(&p, false, 2000 * S, place_ns);
    assert_int_equal(pace_due_ns(&p, place_ns), 2007 * S);
    assert_int_equal(pace_at(&p, 2001 * S, place_ns), 4 * S);
}

static void steps_go_although_it_is_paused(void **state)
{
    (void)state;
    pace p = at_speed(1);
    int64_t place_ns = pace_place(&p, 15 * S, 0);
    pace_step(&p, 2, 1001 * S, place_ns);
    assert_true(p.is_paused);
    assert_true(pace_due_ns(&p, place_ns) < 1001 * S);
    pace_passed(&p, place_ns, false, 1001 * S); /* no frame: no step */
    pace_passed(&p, place_ns, true, 1001 * S);
    pace_step(&p, 1, 1001 * S, place_ns); /* one more: two are left */
    assert_int_equal(p.steps_left, 2);
    pace_passed(&p, place_ns, true, 1001 * S);
    pace_passed(&p, place_ns, true, 1001 * S);
    assert_int_equal(pace_due_ns(&p, place_ns), INT64_MAX);
    assert_int_equal(pace_at(&p, 1001 * S, place_ns), place_ns);
    pace_step(&p, UINT64_MAX, 1001 * S, place_ns);
    pace_step(&p, 5, 1001 * S, place_ns);
    assert_int_equal(p.steps_left, UINT64_MAX);
    pace_pause(&p, true, 1002 * S, place_ns);
    assert_int_equal(p.steps_left, 0);
}

static void a_hold_delays_the_rest_and_nothing_hurries(void **state)
{
    (void)state;
    pace p = at_speed(1);
    int64_t first_ns = pace_place(&p, 6 * S, 0);
    pace_hold(&p, true, 1001 * S, first_ns);
    assert_int_equal(pace_due_ns(&p, first_ns), INT64_MAX);
    assert_int_equal(pace_at(&p, 1100 * S, first_ns), first_ns);
    pace_hold(&p, false, 1201 * S, first_ns);
    assert_true(pace_due_ns(&p, first_ns) <= 1201 * S);
    pace_passed(&p, first_ns, true, 1201 * S);
    int64_t next_ns = pace_place(&p, 8 * S, 0);
    assert_int_equal(pace_due_ns(&p, next_ns), 1203 * S);
}

static void who_was_late_does_not_hurry(void **state)
{
    (void)state;
    pace p = at_speed(1);
    int64_t first_ns = pace_place(&p, 6 * S, 0), next_ns = pace_place(&p, 7 * S, 0);
    pace_passed(&p, first_ns, true, 1004 * S); /* the machine was elsewhere for 3 s */
    assert_int_equal(pace_due_ns(&p, next_ns), 1005 * S);
}

static void it_waits_where_the_next_line_stands(void **state)
{
    (void)state;
    pace p = at_speed(100);
    int64_t place_ns = pace_place(&p, 6 * S, 0);
    assert_int_equal(pace_at(&p, 1500 * S, place_ns), place_ns);
    assert_int_equal(pace_at(&p, 999 * S, place_ns), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_between_lines_are_kept),
        cmocka_unit_test(a_speed_divides_them),
        cmocka_unit_test(steps_of_the_clock_are_taken_out),
        cmocka_unit_test(no_time_overflows),
        cmocka_unit_test(another_speed_counts_from_now),
        cmocka_unit_test(a_pause_stops_time),
        cmocka_unit_test(steps_go_although_it_is_paused),
        cmocka_unit_test(a_hold_delays_the_rest_and_nothing_hurries),
        cmocka_unit_test(who_was_late_does_not_hurry),
        cmocka_unit_test(it_waits_where_the_next_line_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
