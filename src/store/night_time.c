/* SPDX-License-Identifier: Apache-2.0 */
/* What people write for a time within a night. */
#include "store/store.h"

#define EVENING_HOUR 17 /* from here on it is the evening on which the night starts */
#define DAY_HOUR 8      /* from here on the trade date's own day: nb_trade_date() */

static bool digits(nb_span text, size_t at, size_t count, int *out)
{
    uint64_t value;
    if (at + count > text.size_bytes || !nb__span_to_u64((nb_span){text.data + at, count}, &value))
        return false;
    *out = (int)value;
    return true;
}

/* "HH:MM", "HH:MM:SS", "HH:MM:SS.fraction" of 1–9 digits. */
static bool parse_clock(nb_span text, int *hhmmss, int64_t *fraction_ns)
{
    int hour, minute, second = 0;
    size_t size = text.size_bytes;
    *fraction_ns = 0;
    if (!digits(text, 0, 2, &hour) || !digits(text, 3, 2, &minute) || text.data[2] != ':' ||
        hour > 23 || minute > 59)
        return false;
    if (size > 5 && (text.data[5] != ':' || !digits(text, 6, 2, &second) || second > 59))
        return false;
    *hhmmss = hour * 10000 + minute * 100 + second;
    if (size <= 8)
        return size == 5 || size == 8;
    uint64_t fraction;
    size_t places = size - 9;
    if (text.data[8] != '.' || places > 9 ||
        !nb__span_to_u64((nb_span){text.data + 9, places}, &fraction))
        return false;
    for (size_t i = places; i < 9; i++)
        fraction *= 10;
    *fraction_ns = (int64_t)fraction;
    return true;
}

/* "2026-11-20T" or "2026-11-20 " before the clock. */
static bool take_date(nb_span *text, int *date)
{
    static const size_t size = sizeof "2026-11-20T" - 1;
    int year, month, day;
    if (text->size_bytes <= size || (text->data[10] != 'T' && text->data[10] != ' ') ||
        text->data[4] != '-' || text->data[7] != '-' || !digits(*text, 0, 4, &year) ||
        !digits(*text, 5, 2, &month) || !digits(*text, 8, 2, &day))
        return false;
    *date = year * 10000 + month * 100 + day;
    if (!nb__date_is_valid(*date) || *date >= 22000101)
        return false;
    *text = (nb_span){text->data + size, text->size_bytes - size};
    return true;
}

/* The day on which a clock time of that night's trade date falls. */
static int day_of(const nb_calendar *calendar, int night, int hhmmss)
{
    nb_night ended = nb_night_before(calendar, nb__kst_ns(night, 120000));
    int start = ended.trade_date == night ? ended.start_date : nb__date_add(night, -1);
    if (hhmmss >= EVENING_HOUR * 10000)
        return start;
    return hhmmss < DAY_HOUR * 10000 ? nb__date_add(start, 1) : night;
}

nb_err nb__night_time_parse(nb_span text, const nb_calendar *calendar, int night, int64_t *ns,
                            nb_error *error)
{
    static const char zone[] = "+09:00";
    size_t zone_size = sizeof zone - 1;
    nb_span rest = text;
    int date = 0, hhmmss;
    int64_t fraction_ns;
    bool has_date = take_date(&rest, &date);
    if (has_date && rest.size_bytes > zone_size &&
        nb__span_is((nb_span){rest.data + rest.size_bytes - zone_size, zone_size}, zone))
        rest.size_bytes -= zone_size;
    if (!parse_clock(rest, &hhmmss, &fraction_ns))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "%.*s: a time of KST is expected, like 23:10, 23:10:05.250 or "
                        "2026-11-20T23:10",
                        (int)(text.size_bytes < 60 ? text.size_bytes : 60), text.data);
    if (!has_date && (!nb__date_is_valid(night) || night >= 22000101))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "%.*s: the night is not known; give the day too, like 2026-11-20T23:10",
                        (int)(text.size_bytes < 60 ? text.size_bytes : 60), text.data);
    if (!has_date)
        date = day_of(calendar, night, hhmmss);
    *ns = nb__kst_ns(date, hhmmss) + fraction_ns;
    return NB_OK;
}
