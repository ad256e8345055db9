/* SPDX-License-Identifier: Apache-2.0 */
/* What people write for a time of a night: the evening on which it starts, the morning after it,
 * the trade date's own day, over weekends and holidays; and what is no time. */
#include "guard.h"
#include "store/store.h"
#include <string.h>

static nb_err parse(const char *text, int night, int64_t *ns)
{
    nb_error error = {0};
    guard g = guard_copy(text, strlen(text));
    nb_err err = nb__night_time_parse((nb_span){g.data, g.size_bytes}, nb_calendar_builtin(), night,
                                      ns, &error);
    guard_free(&g);
    if (err != NB_OK)
        assert_true(error.code == err && error.detail[0] != '\0');
    return err;
}

static void expect(const char *text, int night, int date, int hhmmss, int64_t fraction_ns)
{
    int64_t ns = 0;
    if (parse(text, night, &ns) != NB_OK)
        fail_msg("%s is refused", text);
    if (ns != nb__kst_ns(date, hhmmss) + fraction_ns) {
        char got[40];
        nb__kst_print(got, ns, 9);
        fail_msg("%s of %d: %s", text, night, got);
    }
}

static void test_within_a_night(void **state)
{
    (void)state;
    /* Tuesday's night starts on Monday */
    expect("18:00", 20261124, 20261123, 180000, 0);
    expect("17:00", 20261124, 20261123, 170000, 0);
    expect("23:59:59.999999999", 20261124, 20261123, 235959, 999999999);
    expect("00:00", 20261124, 20261124, 0, 0);
    expect("05:50:30", 20261124, 20261124, 55030, 0);
    expect("05:50:30.25", 20261124, 20261124, 55030, 250000000);
    expect("07:59:59", 20261124, 20261124, 75959, 0);
    expect("08:00", 20261124, 20261124, 80000, 0);
    expect("16:59", 20261124, 20261124, 165900, 0);
}

static void test_over_a_weekend(void **state)
{
    (void)state;
    /* Monday's night starts on Friday and ends on Saturday; its day session is on Monday */
    expect("23:10", 20261123, 20261120, 231000, 0);
    expect("05:10", 20261123, 20261121, 51000, 0);
    expect("10:00", 20261123, 20261123, 100000, 0);
    /* Christmas 2026 is a Friday: Monday's night starts on Thursday */
    expect("23:10", 20261228, 20261224, 231000, 0);
    expect("05:10", 20261228, 20261225, 51000, 0);
}

static void test_with_the_day(void **state)
{
    (void)state;
    expect("2026-11-20T23:10", 20261123, 20261120, 231000, 0);
    expect("2026-11-20 23:10:05.5", 0, 20261120, 231005, 500000000);
    expect("2026-11-20T23:10:05+09:00", 0, 20261120, 231005, 0);
    expect("1999-01-31T00:00", 20261123, 19990131, 0, 0);
}

static void test_no_times(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "2",
                                        "23",
                                        "23:",
                                        "23:1",
                                        "2:310",
                                        "24:00",
                                        "23:60",
                                        "23:10:60",
                                        "23:10:",
                                        "23:10:5",
                                        "23:10:05.",
                                        "23:10:05.1234567890",
                                        "23:10:05,5",
                                        "23-10",
                                        "23:10+09:00",
                                        "-3:10",
                                        "23:10 ",
                                        " 23:10",
                                        "23:1\0:05",
                                        "2026-11-20",
                                        "2026-11-20T",
                                        "2026-02-30T10:00",
                                        "2026-11-20X10:00",
                                        "20261120T10:00",
                                        "2026-11-20T10:00Z",
                                        "2200-01-01T00:00"};
    int64_t ns = 42;
    for (size_t i = 0; i < NB__COUNT_OF(texts); i++)
        if (parse(texts[i], 20261123, &ns) != NB_E_ARGUMENT)
            fail_msg("%s is taken", texts[i]);
    assert_int_equal(parse("23:10", 0, &ns), NB_E_ARGUMENT); /* of which night? */
    assert_int_equal(parse("23:10", 20261332, &ns), NB_E_ARGUMENT);
    assert_int_equal(ns, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_within_a_night),
        cmocka_unit_test(test_over_a_weekend),
        cmocka_unit_test(test_with_the_day),
        cmocka_unit_test(test_no_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
