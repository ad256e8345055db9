/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Last trading days, out of the serial in a master row's name.
 *
 *     202612     second Thursday of December 2026; closed: the business day before
 *     2611W4     fourth Thursday of November 2026; closed: the business day before
 *     2611W4     of a Monday weekly: fourth Monday; closed: the business day after
 *
 * The nominal day, before holidays, is the scale on which serials are ordered: it needs no
 * calendar.
 */
#include "index.h"
#include <string.h>

enum { MONDAY = 1, THURSDAY = 4 };

typedef struct serial {
    int year, month, week; /* week: 1–5, the n-th such weekday of the month */
    int weekday;
    bool is_weekly;
} serial;

bool nb__expires_on_monday(const nb__instrument *row)
{
    return row->product == NB__PRODUCT_KOSPI200_WEEKLY_MON ||
           (strlen(row->code) > 3 && memcmp(row->code + 1, "AK", 2) == 0);
}

static bool read_serial(const nb__instrument *row, serial *out)
{
    const char *text = row->expiry;
    uint64_t year = 0, month = 0, week = 2;
    bool is_weekly = strlen(text) == 6 && text[4] == 'W';
    if (strlen(text) != 6)
        return false;
    if (is_weekly) {
        if (!nb__span_to_u64((nb_span){text, 2}, &year) ||
            !nb__span_to_u64((nb_span){text + 2, 2}, &month) ||
            !nb__span_to_u64((nb_span){text + 5, 1}, &week))
            return false;
        year += 2000;
    } else if (!nb__span_to_u64((nb_span){text, 4}, &year) ||
               !nb__span_to_u64((nb_span){text + 4, 2}, &month)) {
        return false;
    }
    if (year < 1990 || year > 2200 || month < 1 || month > 12 || week < 1 || week > 5)
        return false;
    *out = (serial){.year = (int)year,
                    .month = (int)month,
                    .week = (int)week,
                    .weekday = is_weekly && nb__expires_on_monday(row) ? MONDAY : THURSDAY,
                    .is_weekly = is_weekly};
    return true;
}

static int nominal_date(const serial *s)
{
    int first = s->year * 10000 + s->month * 100 + 1;
    int days = (s->weekday - nb__date_weekday(first) + 7) % 7 + 7 * (s->week - 1);
    return nb__date_add(first, days);
}

uint64_t nb__expiry_order(const nb__instrument *row)
{
    serial s;
    return read_serial(row, &s) ? (uint64_t)nominal_date(&s) : UINT64_MAX;
}

int nb__expiry_date(const nb_calendar *calendar, const nb__instrument *row, bool *is_sure)
{
    serial s;
    *is_sure = false;
    if (row->product == NB__PRODUCT_UNKNOWN || row->product == NB__PRODUCT_OTHER_FUTURE ||
        !read_serial(row, &s))
        return 0;
    int date = nominal_date(&s), step = s.weekday == MONDAY ? 1 : -1;
    if (s.is_weekly && date / 100 % 100 != s.month) /* a fifth week that the month does not have */
        return 0;
    *is_sure = nb_calendar_knows(calendar, date);
    for (int tries = 0; tries < 30 && !nb_calendar_is_business_day(calendar, date); tries++)
        date = nb__date_add(date, step);
    *is_sure = *is_sure && nb_calendar_knows(calendar, date);
    return date;
}
