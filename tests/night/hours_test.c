/* SPDX-License-Identifier: Apache-2.0 */
/* Hours: when a session to KIS is wanted, through holidays, CSAT day and weekends. */
#include "guard.h"
#include "night/night.h"
#include <string.h>

static const struct {
    const char *rule;
    nb__hours hours;
    int date, hhmmss;
    bool is_open;
    int until_date, until_hhmmss;
    int session_date;
    bool is_night;
} openings[] = {
    {"Friday before the night", NB__HOURS_NIGHT, 20261120, 174459, false, 20261120, 174500,
     20261120, true},
    {"from 17:45", NB__HOURS_NIGHT, 20261120, 174500, true, 20261121, 61500, 20261120, true},
    {"past midnight it is the same night", NB__HOURS_NIGHT, 20261121, 10000, true, 20261121, 61500,
     20261120, true},
    {"after the closing auction", NB__HOURS_NIGHT, 20261121, 61459, true, 20261121, 61500, 20261120,
     true},
    {"until 06:15; the next is Monday's", NB__HOURS_NIGHT, 20261121, 61500, false, 20261123, 174500,
     20261123, true},
    {"CSAT day opens an hour late", NB__HOURS_NIGHT, 20261119, 180000, false, 20261119, 184500,
     20261119, true},
    {"CSAT day from 18:45", NB__HOURS_NIGHT, 20261119, 184500, true, 20261120, 61500, 20261119,
     true},
    {"the eve of Chuseok", NB__HOURS_NIGHT, 20260923, 180000, true, 20260924, 61500, 20260923,
     true},
    {"no night starts on a closed day", NB__HOURS_NIGHT, 20260924, 180000, false, 20260928, 174500,
     20260928, true},
    {"the day before it begins", NB__HOURS_DAY, 20261120, 82959, false, 20261120, 83000, 20261120,
     false},
    {"the day from 08:30", NB__HOURS_DAY, 20261120, 83000, true, 20261120, 160000, 20261120, false},
    {"the day until 16:00", NB__HOURS_DAY, 20261120, 160000, false, 20261123, 83000, 20261123,
     false},
    {"no day on a closed one", NB__HOURS_DAY, 20260924, 120000, false, 20260928, 83000, 20260928,
     false},
    {"both: the night's end", NB__HOURS_BOTH, 20261120, 61459, true, 20261120, 61500, 20261119,
     true},
    {"both: between night and day", NB__HOURS_BOTH, 20261120, 61500, false, 20261120, 83000,
     20261120, false},
    {"both: the day", NB__HOURS_BOTH, 20261120, 120000, true, 20261120, 160000, 20261120, false},
    {"both: between day and night", NB__HOURS_BOTH, 20261120, 170000, false, 20261120, 174500,
     20261120, true},
    {"both: on Saturday afternoon Monday's day is next", NB__HOURS_BOTH, 20261121, 150000, false,
     20261123, 83000, 20261123, false},
    {"always: until the forced stop", NB__HOURS_ALWAYS, 20261121, 74959, true, 20261121, 75000,
     20261121, false},
    {"always: another session from 07:50 on", NB__HOURS_ALWAYS, 20261121, 75000, true, 20261122,
     75000, 20261122, false},
};

static void test_openings(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(openings); i++) {
        nb__opening got = nb__opening_at(nb_calendar_builtin(), openings[i].hours,
                                         nb__kst_ns(openings[i].date, openings[i].hhmmss));
        char text[40];
        nb__kst_print(text, got.changes_ns, 0);
        if (got.is_open != openings[i].is_open ||
            got.changes_ns != nb__kst_ns(openings[i].until_date, openings[i].until_hhmmss) ||
            got.session_id != openings[i].session_date * 2 + openings[i].is_night)
            fail_msg("%s: %s until %s, session %d", openings[i].rule,
                     got.is_open ? "open" : "closed", text, got.session_id);
    }
}

/* Walking from change to change for two years: each alternates or changes its session, none
 * stands still, and one nanosecond before a change nothing has changed. */
static void test_changes_are_changes(void **state)
{
    (void)state;
    const nb_calendar *calendar = nb_calendar_builtin();
    for (int hours = NB__HOURS_NIGHT; hours <= NB__HOURS_ALWAYS; hours++) {
        int64_t at_ns = nb__kst_ns(20250701, 0), end_ns = nb__kst_ns(20270701, 0);
        uint32_t open_count = 0;
        while (at_ns < end_ns) {
            nb__opening now = nb__opening_at(calendar, (nb__hours)hours, at_ns);
            assert_true(now.changes_ns > at_ns);
            nb__opening just = nb__opening_at(calendar, (nb__hours)hours, now.changes_ns - 1);
            assert_int_equal(just.is_open, now.is_open);
            assert_int_equal(just.session_id, now.session_id);
            nb__opening then = nb__opening_at(calendar, (nb__hours)hours, now.changes_ns);
            assert_true(then.is_open != now.is_open || then.session_id != now.session_id);
            open_count += now.is_open;
            at_ns = now.changes_ns;
        }
        assert_in_range(open_count, 480, 1000);
    }
}

static void test_forced_stop(void **state)
{
    (void)state;
    int64_t stop_ns = nb__kst_ns(20261121, 75000);
    assert_int_equal(nb__forced_stop_after(nb__kst_ns(20261120, 180000)), stop_ns);
    assert_int_equal(nb__forced_stop_after(stop_ns - 1), stop_ns);
    assert_int_equal(nb__forced_stop_after(stop_ns), stop_ns + NB__NS_PER_DAY);
    assert_int_equal(nb__forced_stop_after(INT64_MAX), INT64_MAX);
}

static void test_times_beyond_all_years(void **state)
{
    (void)state;
    static const int64_t times[] = {INT64_MIN, NB_TIME_UNDEF, 0, INT64_MAX};
    for (size_t i = 0; i < NB__COUNT_OF(times); i++) {
        for (int hours = NB__HOURS_NIGHT; hours <= NB__HOURS_ALWAYS; hours++) {
            nb__opening got = nb__opening_at(nb_calendar_builtin(), (nb__hours)hours, times[i]);
            assert_int_equal(got.is_open, hours == NB__HOURS_ALWAYS);
            assert_int_equal(got.changes_ns, INT64_MAX);
        }
    }
    nb__opening first = nb__opening_at(nb_calendar_builtin(), NB__HOURS_NIGHT, 2 * NB__NS_PER_DAY);
    assert_true(first.changes_ns > 2 * NB__NS_PER_DAY); /* there is no night before it */
}

static void test_names(void **state)
{
    (void)state;
    for (int hours = NB__HOURS_NIGHT; hours <= NB__HOURS_ALWAYS; hours++) {
        nb__hours read;
        assert_true(nb__hours_parse(nb__span(nb__hours_name((nb__hours)hours)), &read));
        assert_int_equal(read, hours);
    }
    nb__hours kept = NB__HOURS_BOTH;
    assert_false(nb__hours_parse(NB__SPAN("Night"), &kept));
    assert_false(nb__hours_parse(NB__SPAN(""), &kept));
    assert_int_equal(kept, NB__HOURS_BOTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openings),    cmocka_unit_test(test_changes_are_changes),
        cmocka_unit_test(test_forced_stop), cmocka_unit_test(test_times_beyond_all_years),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
