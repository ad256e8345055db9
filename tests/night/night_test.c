/* SPDX-License-Identifier: Apache-2.0 */
/* The night of an instant, trade dates and event times: golden tables, each row with the KRX rule
 * that it shows. */
#include "guard.h"
#include "night/night.h"
#include <stdio.h>

static int64_t at(int date, int hhmmss)
{
    return nb__kst_ns(date, hhmmss);
}

/* ---- which night ---- */

typedef struct night_case {
    const char *rule;
    int date, hhmmss;
    nb_phase phase;
    int start_date, trade_date; /* of the running night, or of the next */
    int last_start_date;        /* of the running night, or of the last that ended */
    bool is_known;
} night_case;

static const night_case nights[] = {
    {"a weekday's afternoon is between nights", 20260923, 154500, NB_PHASE_CLOSED, 20260923,
     20260928, 20260922, true},
    {"order receipt begins at 17:50", 20260923, 174959, NB_PHASE_CLOSED, 20260923, 20260928,
     20260922, true},
    {"order receipt begins at 17:50", 20260923, 175000, NB_PHASE_OPENING_RECEIPT, 20260923,
     20260928, 20260923, true},
    {"the opening auction is at 18:00", 20261118, 175959, NB_PHASE_OPENING_RECEIPT, 20261118,
     20261119, 20261118, true},
    {"the opening auction is at 18:00", 20261118, 180000, NB_PHASE_CONTINUOUS, 20261118, 20261119,
     20261118, true},
    {"midnight is in the middle of the night", 20261118, 235959, NB_PHASE_CONTINUOUS, 20261118,
     20261119, 20261118, true},
    {"midnight is in the middle of the night", 20261119, 0, NB_PHASE_CONTINUOUS, 20261118, 20261119,
     20261118, true},
    {"closing receipt begins at 05:50", 20261119, 54959, NB_PHASE_CONTINUOUS, 20261118, 20261119,
     20261118, true},
    {"closing receipt begins at 05:50", 20261119, 55000, NB_PHASE_CLOSING_RECEIPT, 20261118,
     20261119, 20261118, true},
    {"the night ends at 06:00", 20261119, 55959, NB_PHASE_CLOSING_RECEIPT, 20261118, 20261119,
     20261118, true},
    {"the night ends at 06:00", 20261119, 60000, NB_PHASE_CLOSED, 20261119, 20261120, 20261118,
     true},
    {"CSAT day: no receipt at 17:50", 20261119, 175000, NB_PHASE_CLOSED, 20261119, 20261120,
     20261118, true},
    {"CSAT day: receipt at 18:50", 20261119, 185000, NB_PHASE_OPENING_RECEIPT, 20261119, 20261120,
     20261119, true},
    {"CSAT day: the night opens at 19:00", 20261119, 185959, NB_PHASE_OPENING_RECEIPT, 20261119,
     20261120, 20261119, true},
    {"CSAT day: the night opens at 19:00", 20261119, 190000, NB_PHASE_CONTINUOUS, 20261119,
     20261120, 20261119, true},
    {"CSAT day: it ends at 06:00 as ever", 20261120, 60000, NB_PHASE_CLOSED, 20261120, 20261123,
     20261119, true},
    {"CSAT day of 2025", 20251113, 183000, NB_PHASE_CLOSED, 20251113, 20251114, 20251112, true},
    {"the night after CSAT day opens at 18:00", 20261120, 180000, NB_PHASE_CONTINUOUS, 20261120,
     20261123, 20261120, true},
    {"Friday's night belongs to Monday", 20261120, 200000, NB_PHASE_CONTINUOUS, 20261120, 20261123,
     20261120, true},
    {"Friday's night runs into Saturday 06:00", 20261121, 55959, NB_PHASE_CLOSING_RECEIPT, 20261120,
     20261123, 20261120, true},
    {"no night starts on a Saturday", 20261121, 200000, NB_PHASE_CLOSED, 20261123, 20261124,
     20261120, true},
    {"no night starts on a Sunday", 20261122, 200000, NB_PHASE_CLOSED, 20261123, 20261124, 20261120,
     true},
    {"Monday 03:00: no night came from Sunday", 20261123, 30000, NB_PHASE_CLOSED, 20261123,
     20261124, 20261120, true},
    {"the eve of a holiday has its night", 20260923, 200000, NB_PHASE_CONTINUOUS, 20260923,
     20260928, 20260923, true},
    {"it runs into the holiday's morning", 20260924, 30000, NB_PHASE_CONTINUOUS, 20260923, 20260928,
     20260923, true},
    {"no night starts on a closed day", 20260924, 180000, NB_PHASE_CLOSED, 20260928, 20260929,
     20260923, true},
    {"no night from a closed day into an open one", 20261006, 10000, NB_PHASE_CLOSED, 20261006,
     20261007, 20261002, true},
    {"30 December: an ordinary night, trade date in the new year", 20251230, 180000,
     NB_PHASE_CONTINUOUS, 20251230, 20260102, 20251230, true},
    {"30 December: it runs into 31 December", 20251231, 55500, NB_PHASE_CLOSING_RECEIPT, 20251230,
     20260102, 20251230, true},
    {"31 December is closed: no night", 20251231, 190000, NB_PHASE_CLOSED, 20260102, 20260105,
     20251230, true},
    {"1 January is closed: no night", 20260101, 190000, NB_PHASE_CLOSED, 20260102, 20260105,
     20251230, true},
    {"election day is closed: no night", 20260603, 190000, NB_PHASE_CLOSED, 20260604, 20260605,
     20260602, true},
    {"the known years end: the trade date is a guess, and told", 20261230, 180000,
     NB_PHASE_CONTINUOUS, 20261230, 20270101, 20261230, false},
    {"an unknown year: a weekday counts as a business day, and is told", 20270209, 190000,
     NB_PHASE_CONTINUOUS, 20270209, 20270210, 20270209, false},
    {"an unknown year: weekends stay closed", 20270206, 190000, NB_PHASE_CLOSED, 20270208, 20270209,
     20270205, false},
};

static void test_nights(void **state)
{
    (void)state;
    const nb_calendar *calendar = nb_calendar_builtin();
    for (size_t i = 0; i < NB__COUNT_OF(nights); i++) {
        const night_case *c = &nights[i];
        nb_night night = nb_night_at(calendar, at(c->date, c->hhmmss));
        nb_night last = nb_night_before(calendar, at(c->date, c->hhmmss));
        if (night.phase != c->phase || night.start_date != c->start_date ||
            night.trade_date != c->trade_date || night.is_calendar_known != c->is_known ||
            last.phase != c->phase || last.start_date != c->last_start_date)
            fail_msg("%d %06d, %s: %s, starts %d, trade date %d, known %d; last %s, %d", c->date,
                     c->hhmmss, c->rule, nb_phase_name(night.phase), night.start_date,
                     night.trade_date, night.is_calendar_known, nb_phase_name(last.phase),
                     last.start_date);
    }
}

static void test_times_of_a_night(void **state)
{
    (void)state;
    nb_night night = nb_night_at(nb_calendar_builtin(), at(20261120, 200000));
    assert_int_equal(night.receipt_ns, at(20261120, 175000));
    assert_int_equal(night.open_ns, at(20261120, 180000));
    assert_int_equal(night.closing_ns, at(20261121, 55000));
    assert_int_equal(night.end_ns, at(20261121, 60000));
    night = nb_night_at(nb_calendar_builtin(), at(20261119, 200000));
    assert_int_equal(night.receipt_ns, at(20261119, 185000));
    assert_int_equal(night.open_ns, at(20261119, 190000));
    assert_int_equal(night.end_ns, at(20261120, 60000));
}

/* Every minute of two years: the two questions agree, and a running night surrounds its instant. */
static void test_every_minute(void **state)
{
    (void)state;
    const nb_calendar *calendar = nb_calendar_builtin();
    for (int64_t t = at(20250101, 0); t < at(20270101, 0); t += 60 * NB__NS_PER_S) {
        nb_night next = nb_night_at(calendar, t), last = nb_night_before(calendar, t);
        assert_true(t < next.end_ns);
        assert_true(t >= last.receipt_ns);
        assert_int_equal(next.phase, last.phase);
        if (next.phase == NB_PHASE_CLOSED) {
            assert_true(t < next.receipt_ns && t >= last.end_ns);
            assert_int_equal(nb_calendar_next_business_day(calendar, last.start_date),
                             next.start_date);
        } else {
            assert_true(t >= next.receipt_ns);
            assert_int_equal(next.start_date, last.start_date);
            assert_int_equal(nb_trade_date(calendar, t), next.trade_date);
        }
    }
}

/* ---- trade dates ---- */

static const struct {
    const char *rule;
    int date, hhmmss, trade_date;
} trade_dates[] = {
    {"the day session's own day", 20261120, 100000, 20261120},
    {"after the day session, before the night's receipt: still the day", 20261118, 174959,
     20261118},
    {"the night belongs to the next business day", 20261118, 175000, 20261119},
    {"across midnight the trade date stays", 20261119, 0, 20261119},
    {"Friday evening: Monday", 20261120, 180000, 20261123},
    {"Saturday morning: Monday", 20261121, 55959, 20261123},
    {"late frames of Friday's night after 06:00: Monday", 20261121, 60007, 20261123},
    {"late frames after 06:00 of a business day: the night that ended", 20261120, 60007, 20261120},
    {"the same until 08:00, and the day session's date is equal", 20261120, 80000, 20261120},
    {"Sunday: the next business day", 20261122, 120000, 20261123},
    {"CSAT day 18:30: the night's receipt has not begun", 20261119, 183000, 20261119},
    {"CSAT day 18:50", 20261119, 185000, 20261120},
    {"the eve of Chuseok 2026: Monday after it", 20260923, 190000, 20260928},
    {"the morning of Chuseok 2026", 20260924, 30000, 20260928},
    {"late frames on a closed morning", 20260924, 60030, 20260928},
    {"30 December 2025 18:00: 2 January 2026", 20251230, 180000, 20260102},
    {"31 December 2025 03:00: 2 January 2026", 20251231, 30000, 20260102},
    {"31 December 2025 06:00:30, late frames", 20251231, 60030, 20260102},
    {"beyond the known years: the next weekday", 20261230, 180000, 20270101},
};

static void test_trade_dates(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(trade_dates); i++) {
        int got =
            nb_trade_date(nb_calendar_builtin(), at(trade_dates[i].date, trade_dates[i].hhmmss));
        if (got != trade_dates[i].trade_date)
            fail_msg("%d %06d, %s: %d", trade_dates[i].date, trade_dates[i].hhmmss,
                     trade_dates[i].rule, got);
    }
    assert_int_equal(nb_trade_date(nb_calendar_builtin(), NB_TIME_UNDEF), NB_DATE_UNDEF);
    assert_int_equal(nb_trade_date(nb_calendar_builtin(), INT64_MAX), NB_DATE_UNDEF);
}

/* ---- event times ---- */

static const struct {
    const char *rule;
    int hhmmss, recv_date, recv_hhmmss; /* as KIS sends it; when it came, KST */
    int date, time;                     /* what it means */
    bool is_far;
} event_times[] = {
    {"the same second", 190159, 20261120, 190159, 20261120, 190159, false},
    {"sent before midnight, received after it", 235959, 20261121, 1, 20261120, 235959, false},
    {"our clock is slow: sent after midnight, received before it", 2, 20261120, 235958, 20261121, 2,
     false},
    {"after midnight KIS counts from 00", 11442, 20261121, 11443, 20261121, 11442, false},
    {"hours 24–29: the small hours of the next day", 251442, 20261121, 11443, 20261121, 11442,
     false},
    {"24:00:00 is midnight", 240000, 20261121, 0, 20261121, 0, false},
    {"24:00:00 received before midnight", 240000, 20261120, 235959, 20261121, 0, false},
    {"29:59:59 is the night's last second", 295959, 20261121, 60003, 20261121, 55959, false},
    {"over the year's end", 235959, 20260101, 3, 20251231, 235959, false},
    {"a late frame after 06:00", 55959, 20261121, 60030, 20261121, 55959, false},
    {"an hour away is near", 180000, 20261120, 190000, 20261120, 180000, false},
    {"more than an hour away is far, and kept", 180000, 20261120, 190001, 20261120, 180000, true},
    {"far in the other direction", 190001, 20261120, 180000, 20261120, 190001, true},
    {"far: a frame of the evening seen next noon", 180000, 20261121, 50000, 20261120, 180000, true},
    {"twelve hours either way: the earlier one", 60000, 20261120, 180000, 20261120, 60000, true},
};

static void test_event_times(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(event_times); i++) {
        bool is_far = !event_times[i].is_far;
        int64_t got =
            nb_event_time(event_times[i].hhmmss,
                          at(event_times[i].recv_date, event_times[i].recv_hhmmss), &is_far);
        char text[40];
        nb__kst_print(text, got, 0);
        if (got != at(event_times[i].date, event_times[i].time) || is_far != event_times[i].is_far)
            fail_msg("%06d, %s: %s%s", event_times[i].hhmmss, event_times[i].rule, text,
                     is_far ? ", far" : "");
        assert_int_equal(
            got, nb_event_time(event_times[i].hhmmss,
                               at(event_times[i].recv_date, event_times[i].recv_hhmmss), NULL));
    }
}

static void test_event_time_undefined(void **state)
{
    (void)state;
    int64_t now_ns = at(20261120, 190000);
    static const int no_times[] = {-1, 300000, 186000, 180060, 190099, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < NB__COUNT_OF(no_times); i++) {
        bool is_far = true;
        assert_int_equal(nb_event_time(no_times[i], now_ns, &is_far), NB_TIME_UNDEF);
        assert_false(is_far);
    }
    assert_int_equal(nb_event_time(190000, NB_TIME_UNDEF, NULL), NB_TIME_UNDEF);
    assert_int_equal(nb_event_time(190000, INT64_MAX, NULL), NB_TIME_UNDEF);
}

static void test_hhmmss(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int value;
    } cases[] = {{"190159", 190159}, {"000000", 0},   {"295959", 295959}, {"", -1},
                 {"19015", -1},      {"1901590", -1}, {"300000", -1},     {"186000", -1},
                 {"180060", -1},     {"18 000", -1},  {"-10000", -1},     {"18:0:0", -1}};
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb_span text = nb__span(cases[i].text);
        guard end = guard_copy(text.data, text.size_bytes);
        guard front = guard_copy_front(text.data, text.size_bytes);
        assert_int_equal(nb_hhmmss_parse((nb_span){end.data, end.size_bytes}), cases[i].value);
        assert_int_equal(nb_hhmmss_parse((nb_span){front.data, front.size_bytes}), cases[i].value);
        guard_free(&end);
        guard_free(&front);
    }
}

static void test_out_of_range(void **state)
{
    (void)state;
    static const int64_t times[] = {INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX, INT64_MAX - 1};
    for (size_t i = 0; i < NB__COUNT_OF(times); i++) {
        nb_night next = nb_night_at(nb_calendar_builtin(), times[i]);
        nb_night last = nb_night_before(nb_calendar_builtin(), times[i]);
        assert_int_equal(next.phase, NB_PHASE_CLOSED);
        assert_int_equal(next.start_date, NB_DATE_UNDEF);
        assert_int_equal(next.open_ns, NB_TIME_UNDEF);
        assert_int_equal(last.trade_date, NB_DATE_UNDEF);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nights),       cmocka_unit_test(test_times_of_a_night),
        cmocka_unit_test(test_every_minute), cmocka_unit_test(test_trade_dates),
        cmocka_unit_test(test_event_times),  cmocka_unit_test(test_event_time_undefined),
        cmocka_unit_test(test_hhmmss),       cmocka_unit_test(test_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
