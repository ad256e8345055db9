/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a session to KIS is wanted:
 *
 *     day     08:30 ──────── 16:00     of a business day
 *     night   17:45 ──────── 06:15     from 5 minutes before order receipt (CSAT day: an hour
 *                                      later) to 15 after the closing auction
 *     always  one session from 07:50 to 07:50, when KIS ends every link
 *
 * Days and nights never touch, so a moment belongs to one of them at most.
 */
#include "night.h"

#define MINUTE_NS (60 * NB__NS_PER_S)
#define STOP_HHMMSS 75000

/* One stretch of hours. */
typedef struct stretch {
    int64_t begins_ns, ends_ns;
    int id;
} stretch;

const char *nb__hours_name(nb__hours hours)
{
    static const char *const names[] = {"night", "day", "both", "always"};
    return (size_t)hours < NB__COUNT_OF(names) ? names[hours] : "?";
}

bool nb__hours_parse(nb_span text, nb__hours *out)
{
    for (int hours = NB__HOURS_NIGHT; hours <= NB__HOURS_ALWAYS; hours++) {
        if (nb__span_is(text, nb__hours_name((nb__hours)hours))) {
            *out = (nb__hours)hours;
            return true;
        }
    }
    return false;
}

static stretch of_night(const nb_night *night)
{
    return (stretch){night->receipt_ns - 5 * MINUTE_NS, night->end_ns + 15 * MINUTE_NS,
                     night->start_date * 2 + 1};
}

/* The night that is on or comes next. */
static stretch night_at(const nb_calendar *calendar, int64_t utc_ns)
{
    nb_night last = nb_night_before(calendar, utc_ns), coming = nb_night_at(calendar, utc_ns);
    if (last.start_date != NB_DATE_UNDEF && utc_ns < of_night(&last).ends_ns)
        return of_night(&last);
    return of_night(&coming);
}

/* The day that is on or comes next. */
static stretch day_at(const nb_calendar *calendar, int64_t utc_ns)
{
    int date = nb__kst_civil(utc_ns).date;
    if (!nb_calendar_is_business_day(calendar, date) || utc_ns >= nb__kst_ns(date, 160000))
        date = nb_calendar_next_business_day(calendar, date);
    return (stretch){nb__kst_ns(date, 83000), nb__kst_ns(date, 160000), date * 2};
}

int64_t nb__forced_stop_after(int64_t utc_ns)
{
    if (utc_ns > INT64_MAX - 2 * NB__NS_PER_DAY)
        return INT64_MAX;
    int date = nb__kst_civil(utc_ns).date;
    int64_t stop_ns = nb__kst_ns(date, STOP_HHMMSS);
    return stop_ns > utc_ns ? stop_ns : stop_ns + NB__NS_PER_DAY;
}

nb__opening nb__opening_at(const nb_calendar *calendar, nb__hours hours, int64_t utc_ns)
{
    if (nb_night_at(calendar, utc_ns).start_date == NB_DATE_UNDEF) /* no year of this product */
        return (nb__opening){.is_open = hours == NB__HOURS_ALWAYS, .changes_ns = INT64_MAX};
    if (hours == NB__HOURS_ALWAYS) {
        int64_t stop_ns = nb__forced_stop_after(utc_ns);
        return (nb__opening){true, stop_ns, nb__kst_civil(stop_ns).date * 2};
    }
    stretch next = hours == NB__HOURS_DAY ? day_at(calendar, utc_ns) : night_at(calendar, utc_ns);
    if (hours == NB__HOURS_BOTH) {
        stretch day = day_at(calendar, utc_ns);
        if (day.begins_ns < next.begins_ns)
            next = day;
    }
    bool is_open = utc_ns >= next.begins_ns;
    return (nb__opening){is_open, is_open ? next.ends_ns : next.begins_ns, next.id};
}
