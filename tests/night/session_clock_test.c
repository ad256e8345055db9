/* SPDX-License-Identifier: Apache-2.0 */
/* The Nightbook-Clock header, both ways. */
#include "guard.h"
#include "night/night.h"
#include <string.h>

static void test_round_trip(void **state)
{
    (void)state;
    int64_t real_ns = nb__kst_ns(20261122, 150000), session_ns = nb__kst_ns(20261120, 180000);
    nb__session_clock sim = {NB__FEED_SIM, real_ns, session_ns, 10};
    char line[128];
    size_t size = nb__session_clock_print(line, &sim, real_ns + 2 * NB__NS_PER_S);
    assert_string_equal(
        line, "Nightbook-Clock: sim; session=2026-11-20T18:00:20.000+09:00; speed=10\r\n");
    assert_int_equal(size, strlen(line));

    /* another machine, whose clock says 2019 */
    int64_t there_ns = nb__kst_ns(20190101, 0);
    nb__session_clock read;
    nb_span value = {line + 17, size - 17 - 2};
    assert_true(nb__session_clock_parse(value, there_ns, &read));
    assert_int_equal(read.kind, NB__FEED_SIM);
    assert_int_equal(nb__session_clock_at(&read, there_ns), session_ns + 20 * NB__NS_PER_S);
    assert_int_equal(nb__session_clock_at(&read, there_ns + NB__NS_PER_S),
                     session_ns + 30 * NB__NS_PER_S);
    assert_int_equal(nb__session_clock_at(&read, there_ns - NB__NS_PER_S),
                     session_ns + 10 * NB__NS_PER_S);

    sim.speed = 0.25;
    nb__session_clock_print(line, &sim, real_ns);
    assert_non_null(strstr(line, "; speed=0.25\r\n"));
}

static void test_live_is_our_own_clock(void **state)
{
    (void)state;
    nb__session_clock clock = nb__session_clock_live();
    assert_int_equal(clock.kind, NB__FEED_OTHER);
    assert_int_equal(nb__session_clock_at(&clock, 1795000000123456789), 1795000000123456789);
    assert_true(
        nb__session_clock_parse(nb__span("live; session=2026-11-20T18:00:00.000+09:00; speed=3"),
                                nb__kst_ns(20261120, 180001), &clock));
    assert_int_equal(clock.kind, NB__FEED_LIVE);
    assert_int_equal(nb__session_clock_at(&clock, 1795000000123456789), 1795000000123456789);
    assert_int_equal(nb__session_clock_at(&clock, NB_TIME_UNDEF), NB_TIME_UNDEF);
}

static void test_overflow(void **state)
{
    (void)state;
    nb__session_clock fast = {NB__FEED_REPLAY, 0, 0, 1e6};
    assert_int_equal(nb__session_clock_at(&fast, INT64_MAX), NB_TIME_UNDEF);
    nb__session_clock late = {NB__FEED_REPLAY, 0, INT64_MAX, 1};
    assert_int_equal(nb__session_clock_at(&late, 1), NB_TIME_UNDEF);
    nb__session_clock early = {NB__FEED_REPLAY, 2, 0, 1};
    assert_int_equal(nb__session_clock_at(&early, INT64_MIN + 1), NB_TIME_UNDEF);
}

static void test_headers(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool is_valid;
    } cases[] = {
        {"sim; session=2026-11-20T18:00:00.000+09:00; speed=10", true},
        {"replay;session=2026-11-20T18:00:00+09:00", true},
        {"replay; session=2026-11-20T18:00:00+09:00; night=2; speed=0",
         true}, /* paused, and a later word */
        {"live", true},
        {"other", true},
        {"", false},
        {"paper; session=2026-11-20T18:00:00+09:00", false},
        {"sim", false}, /* whose time it is must be said */
        {"sim; speed=10", false},
        {"sim; session=; speed=10", false},
        {"sim; session=2026-11-20T18:00:00Z", false},
        {"sim; session=2026-11-20T18:00:00+09:00; speed=", false},
        {"sim; session=2026-11-20T18:00:00+09:00; speed=-1", false},
        {"sim; session=2026-11-20T18:00:00+09:00; speed=nan", false},
        {"sim; session=2026-11-20T18:00:00+09:00; speed=1000001", false},
        {"sim; session=2026-11-20T18:00:00+09:00; speed=1e9", false},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__session_clock clock = {NB__FEED_OTHER, 7, 7, 7};
        guard g = guard_copy(cases[i].value, strlen(cases[i].value));
        bool is_valid = nb__session_clock_parse((nb_span){g.data, g.size_bytes}, 1, &clock);
        guard_free(&g);
        if (is_valid != cases[i].is_valid)
            fail_msg("%s: %d", cases[i].value, is_valid);
        if (!is_valid)
            assert_true(clock.at_real_ns == 7 && clock.at_session_ns == 7 &&
                        clock.kind == NB__FEED_OTHER);
    }
}

static void test_kst(void **state)
{
    (void)state;
    int64_t ns = 0;
    assert_true(nb__kst_parse(nb__span("2026-11-20T18:00:00.5+09:00"), &ns));
    assert_int_equal(ns, nb__kst_ns(20261120, 180000) + NB__NS_PER_S / 2);
    assert_true(nb__kst_parse(nb__span("1970-01-01T09:00:00.000000001+09:00"), &ns));
    assert_int_equal(ns, 1);
    static const char *const wrong[] = {
        "2026-11-20 18:00:00+09:00",     "2026-11-31T18:00:00+09:00",
        "2026-11-20T24:00:00+09:00",     "2026-11-20T18:60:00+09:00",
        "2026-11-20T18:00:60+09:00",     "2026-11-20T18:00:00.+09:00",
        "2026-11-20T18:00:00.x+09:00",   "2026-11-20T18:00:00.0123456789+09:00",
        "2026-11-20T18:00:00",           "2026-11-20T18:00:00+08:00",
        "9999-11-20T18:00:00.000+09:00", ""};
    for (size_t i = 0; i < NB__COUNT_OF(wrong); i++) {
        guard g = guard_copy(wrong[i], strlen(wrong[i]));
        assert_false(nb__kst_parse((nb_span){g.data, g.size_bytes}, &ns));
        guard_free(&g);
    }
    assert_int_equal(ns, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_live_is_our_own_clock),
        cmocka_unit_test(test_overflow),   cmocka_unit_test(test_headers),
        cmocka_unit_test(test_kst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
