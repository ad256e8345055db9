/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The KRX night: sessions, auctions, trade dates, and full time stamps out of KIS's HHMMSS.
 *
 * Pure: takes UTC nanoseconds, asks no clock. Dates are integers YYYYMMDD in KST (UTC+9, no summer
 * time). Source: KRX derivatives rules since 2025-06-09; the closed days are data
 * (data/holidays.txt).
 */
#ifndef NIGHTBOOK_NIGHT_H
#define NIGHTBOOK_NIGHT_H

#include <nightbook/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Closed days and late openings. Heap; immutable once made, so any number of threads may read it.
 */
typedef struct nb_calendar nb_calendar;

/** The built-in calendar (generated from data/holidays.txt). Static. */
NB_API const nb_calendar *nb_calendar_builtin(void);
/**
 * Read a holiday file: lines `YYYY-MM-DD closed|csat [name]`, `YYYY known`, '#' comments.
 *
 * @retval NB_E_CALENDAR  A line is not valid: offset and line in `error`; nothing is made.
 */
NB_API nb_err nb_calendar_parse(nb_span text, nb_calendar **out, nb_error *error);
NB_API void nb_calendar_free(nb_calendar *calendar);

/** A weekday that is not a closed day. */
NB_API bool nb_calendar_is_business_day(const nb_calendar *calendar, int date);
/** Whether the file speaks of that date's year; if not, a weekday is taken for a business day, and
 * callers say so. */
NB_API bool nb_calendar_knows(const nb_calendar *calendar, int date);
/** The first business day after `date`. */
NB_API int nb_calendar_next_business_day(const nb_calendar *calendar, int date);

typedef enum nb_phase {
    NB_PHASE_CLOSED,          /**< no night session now */
    NB_PHASE_OPENING_RECEIPT, /**< 17:50–18:00, orders for the opening auction (CSAT day: an hour
                                 later) */
    NB_PHASE_CONTINUOUS,      /**< 18:00–05:50 */
    NB_PHASE_CLOSING_RECEIPT  /**< 05:50–06:00, orders for the closing auction at 06:00 */
} nb_phase;

NB_API const char *nb_phase_name(nb_phase phase);

/** The night session around an instant. */
typedef struct nb_night {
    nb_phase phase;
    int start_date; /**< calendar day on which it starts, also when phase is CLOSED: the next one to
                       start */
    int trade_date; /**< business day to which its 06:00 end belongs */
    int64_t receipt_ns;     /**< 17:50 */
    int64_t open_ns;        /**< 18:00 */
    int64_t closing_ns;     /**< 05:50 */
    int64_t end_ns;         /**< 06:00 */
    bool is_calendar_known; /**< false: the holiday file does not reach so far */
} nb_night;

/** The running night session, or when closed the next one. */
NB_API nb_night nb_night_at(const nb_calendar *calendar, int64_t utc_ns);
/** The running night session, or when closed the last one that ended (phase CLOSED). */
NB_API nb_night nb_night_before(const nb_calendar *calendar, int64_t utc_ns);

/**
 * The full time of KIS's HHMMSS: that day of yesterday, today and tomorrow (KST) which lies nearest
 * `recv_ns`.
 *
 * @param hhmmss  000000–295959; hours 24–29 are the small hours of the next day.
 * @param[out] is_far  May be NULL. True when it lies more than an hour from `recv_ns`: flag it,
 * never drop it.
 * @return UTC ns, or NB_TIME_UNDEF when hhmmss is no time of day or recv_ns is NB_TIME_UNDEF.
 */
NB_API int64_t nb_event_time(int hhmmss, int64_t recv_ns, bool *is_far);

/**
 * The trade date of an instant: the business day to which the 06:00 end of its night belongs; for a
 * day-session instant the day itself. From 06:00 on (late frames) until 08:00 the night that just
 * ended; a closed day gives the next business day.
 */
NB_API int nb_trade_date(const nb_calendar *calendar, int64_t event_ns);

/** Read exactly six digits, or "" (blank). @return HHMMSS, or -1. Hours 0–29, minutes and seconds
 * 0–59. */
NB_API int nb_hhmmss_parse(nb_span text);

#ifdef __cplusplus
}
#endif
#endif
