/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Night sessions, trade dates, and full times out of HHMMSS.
 *
 *     start date S, a business day (KST)                 S + 1, any day
 *     ──────────17:50─────18:00────────────00:00─────────05:50─────06:00──────
 *               │ opening │ continuous                   │ closing │
 *               │ receipt │                              │ receipt │
 *     On a CSAT day receipt and opening are an hour later. The trade date is the first business day
 * after S, which is the business day that 06:00 of S + 1 belongs to.
 *
 * All of it follows from the start date: no night starts on a closed day, and a closed S + 1
 * shortens nothing. Nights before 2025-06-09 (the Eurex link's, 18:00 to 05:00) are dated by the
 * same rules.
 */
#include "calendar.h"

/* Beyond these, sums of days in nanoseconds could leave 64 bits. */
#define UTC_NS_MIN (NB__NS_PER_DAY * 2)
#define UTC_NS_MAX (INT64_C(7258118400) * NB__NS_PER_S) /* 2200-01-01 */

#define NS_PER_HOUR (INT64_C(3600) * NB__NS_PER_S)

static bool in_range(int64_t utc_ns)
{
    return utc_ns >= UTC_NS_MIN && utc_ns < UTC_NS_MAX;
}

const char *nb_phase_name(nb_phase phase)
{
    switch (phase) {
    case NB_PHASE_OPENING_RECEIPT:
        return "opening";
    case NB_PHASE_CONTINUOUS:
        return "continuous";
    case NB_PHASE_CLOSING_RECEIPT:
        return "closing";
    case NB_PHASE_CLOSED:
        break;
    }
    return "closed";
}

/* The night that starts on the business day `start_date`; its phase is left to phase_at(). */
static nb_night night_of(const nb_calendar *calendar, int start_date)
{
    int64_t late_ns = calendar_is_csat(calendar, start_date) ? NS_PER_HOUR : 0;
    int trade_date = nb_calendar_next_business_day(calendar, start_date);
    return (nb_night){
        .phase = NB_PHASE_CLOSED,
        .start_date = start_date,
        .trade_date = trade_date,
        .receipt_ns = nb__kst_ns(start_date, 175000) + late_ns,
        .open_ns = nb__kst_ns(start_date, 180000) + late_ns,
        .closing_ns = nb__kst_ns(start_date, 295000),
        .end_ns = nb__kst_ns(start_date, 295000) + INT64_C(600) * NB__NS_PER_S,
        .is_calendar_known =
            nb_calendar_knows(calendar, start_date) && nb_calendar_knows(calendar, trade_date),
    };
}

static nb_phase phase_at(const nb_night *night, int64_t utc_ns)
{
    if (utc_ns < night->receipt_ns || utc_ns >= night->end_ns)
        return NB_PHASE_CLOSED;
    if (utc_ns < night->open_ns)
        return NB_PHASE_OPENING_RECEIPT;
    return utc_ns < night->closing_ns ? NB_PHASE_CONTINUOUS : NB_PHASE_CLOSING_RECEIPT;
}

static nb_night no_night(void)
{
    return (nb_night){.phase = NB_PHASE_CLOSED,
                      .start_date = NB_DATE_UNDEF,
                      .trade_date = NB_DATE_UNDEF,
                      .receipt_ns = NB_TIME_UNDEF,
                      .open_ns = NB_TIME_UNDEF,
                      .closing_ns = NB_TIME_UNDEF,
                      .end_ns = NB_TIME_UNDEF};
}

nb_night nb_night_at(const nb_calendar *calendar, int64_t utc_ns)
{
    if (!in_range(utc_ns))
        return no_night();
    /* yesterday's night may still run; its end tells */
    int date = nb__date_add(nb__kst_civil(utc_ns).date, -2);
    nb_night night;
    do {
        date = nb_calendar_next_business_day(calendar, date);
        night = night_of(calendar, date);
    } while (night.end_ns <= utc_ns);
    night.phase = phase_at(&night, utc_ns);
    return night;
}

nb_night nb_night_before(const nb_calendar *calendar, int64_t utc_ns)
{
    if (!in_range(utc_ns))
        return no_night();
    for (int date = nb__kst_civil(utc_ns).date; nb__date_is_valid(date);
         date = nb__date_add(date, -1)) {
        if (!nb_calendar_is_business_day(calendar, date))
            continue;
        nb_night night = night_of(calendar, date);
        if (night.receipt_ns <= utc_ns) {
            night.phase = phase_at(&night, utc_ns);
            return night;
        }
    }
    return no_night();
}

int64_t nb_event_time(int hhmmss, int64_t recv_ns, bool *is_far)
{
    if (is_far != NULL)
        *is_far = false;
    bool is_time = hhmmss >= 0 && hhmmss < 300000 && hhmmss / 100 % 100 < 60 && hhmmss % 100 < 60;
    if (!is_time || !in_range(recv_ns))
        return NB_TIME_UNDEF;
    int today = nb__kst_civil(recv_ns).date;
    int64_t nearest_ns = 0, nearest_distance_ns = INT64_MAX;
    for (int days = -1; days <= 1; days++) {
        int64_t at_ns = nb__kst_ns(today, hhmmss) + days * NB__NS_PER_DAY;
        int64_t distance_ns = at_ns < recv_ns ? recv_ns - at_ns : at_ns - recv_ns;
        if (distance_ns <
            nearest_distance_ns) { /* of two as near the earlier: events come before receipt */
            nearest_ns = at_ns;
            nearest_distance_ns = distance_ns;
        }
    }
    if (is_far != NULL)
        *is_far = nearest_distance_ns > NS_PER_HOUR;
    return nearest_ns;
}

int nb_trade_date(const nb_calendar *calendar, int64_t event_ns)
{
    if (!in_range(event_ns))
        return NB_DATE_UNDEF;
    int date = nb__kst_civil(event_ns).date;
    if (!nb_calendar_is_business_day(calendar, date))
        return nb_calendar_next_business_day(calendar, date);
    /* until the night's receipt begins: this day's own session, and before it the night that ended
     * this morning */
    return event_ns < night_of(calendar, date).receipt_ns
               ? date
               : nb_calendar_next_business_day(calendar, date);
}

int nb_hhmmss_parse(nb_span text)
{
    if (text.size_bytes != 6)
        return -1;
    int value = 0;
    for (size_t i = 0; i < 6; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        value = value * 10 + (text.data[i] - '0');
    }
    return value < 300000 && value / 100 % 100 < 60 && value % 100 < 60 ? value : -1;
}
