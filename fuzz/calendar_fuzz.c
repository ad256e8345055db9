/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: night base */
/*
 * A holiday file, then the questions on every day around its lines; and the same bytes as a clock
 * header, a KST time and an HHMMSS. What must hold for any file: next business days go forward and
 * are open, and nights surround their instant.
 */
#include "night/night.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void ask(const nb_calendar *calendar, int date)
{
    int next = nb_calendar_next_business_day(calendar, date);
    require(next > date && nb_calendar_is_business_day(calendar, next));
    int64_t noon_ns = nb__kst_ns(date, 120000);
    nb_night coming = nb_night_at(calendar, noon_ns), last = nb_night_before(calendar, noon_ns);
    require(coming.start_date >= date && coming.trade_date > coming.start_date);
    require(coming.receipt_ns > noon_ns && coming.receipt_ns < coming.open_ns &&
            coming.open_ns < coming.closing_ns && coming.closing_ns < coming.end_ns);
    require(last.end_ns <= noon_ns && last.start_date < date);
    require(nb_trade_date(calendar, coming.open_ns) == coming.trade_date);
    (void)nb_calendar_knows(calendar, date);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const char none[1];
    nb_span text = {size_bytes > 0 ? (const char *)data : none, size_bytes};
    nb__session_clock clock;
    if (nb__session_clock_parse(text, 1, &clock))
        (void)nb__session_clock_at(&clock, INT64_C(1795000000000000000));
    int64_t utc_ns;
    if (nb__kst_parse(text, &utc_ns)) {
        (void)nb_trade_date(nb_calendar_builtin(), utc_ns);
        (void)nb_event_time(nb_hhmmss_parse((nb_span){text.data, 6}), utc_ns, NULL);
    }
    int hhmmss = nb_hhmmss_parse(text);
    require((hhmmss < 0) ==
            (nb_event_time(hhmmss, INT64_C(1795000000000000000), NULL) == NB_TIME_UNDEF));
    nb_calendar *calendar;
    nb_error error = {.code = NB_OK};
    if (nb_calendar_parse(text, &calendar, &error) != NB_OK) {
        require(error.code == NB_E_CALENDAR && error.offset_bytes <= size_bytes);
        return 0;
    }
    for (int date = 20251225; date < 20260110; date = nb__date_add(date, 1))
        ask(calendar, date);
    nb_calendar_free(calendar);
    return 0;
}
