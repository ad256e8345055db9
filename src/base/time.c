/* SPDX-License-Identifier: Apache-2.0 */
/* The civil calendar of Korea: UTC+9, no summer time. Days are counted from 1970-01-01, March-based
 * years. */
#include "base/base.h"
#include <stdio.h>

#define KST_OFFSET_S (NB__KST_OFFSET_NS / NB__NS_PER_S)

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t days_of(int date)
{
    int64_t year = date / 10000, month = date / 100 % 100, day = date % 100;
    year -= month <= 2;
    int64_t era = floor_div(year, 400), year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static int date_of(int64_t days)
{
    days += 719468;
    int64_t era = floor_div(days, 146097), day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    int64_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    int64_t month = shifted_month + (shifted_month < 10 ? 3 : -9);
    int64_t year = year_of_era + era * 400 + (month <= 2);
    return (int)(year * 10000 + month * 100 + day);
}

nb__civil nb__kst_civil(int64_t utc_ns)
{
    int64_t seconds = floor_div(utc_ns, NB__NS_PER_S) + KST_OFFSET_S;
    int64_t days = floor_div(seconds, 86400);
    int second_of_day = (int)(seconds - days * 86400);
    return (nb__civil){.date = date_of(days),
                       .hhmmss = second_of_day / 3600 * 10000 + second_of_day / 60 % 60 * 100 +
                                 second_of_day % 60,
                       .ns = (int)((utc_ns % NB__NS_PER_S + NB__NS_PER_S) % NB__NS_PER_S),
                       .weekday = (int)(((days + 4) % 7 + 7) % 7)};
}

int64_t nb__kst_ns(int date, int hhmmss)
{
    int64_t hours = hhmmss / 10000, minutes = hhmmss / 100 % 100, seconds = hhmmss % 100;
    int64_t second_of_day = hours * 3600 + minutes * 60 + seconds;
    return (days_of(date) * 86400 + second_of_day - KST_OFFSET_S) * NB__NS_PER_S;
}

int nb__date_add(int date, int days)
{
    return date_of(days_of(date) + days);
}

int nb__date_weekday(int date)
{
    return (int)(((days_of(date) + 4) % 7 + 7) % 7);
}

bool nb__date_is_valid(int date)
{
    int month = date / 100 % 100, day = date % 100;
    return date >= 19700101 && date <= 22611231 && month >= 1 && month <= 12 && day >= 1 &&
           day <= 31 && date_of(days_of(date)) == date;
}

size_t nb__kst_print(char out[40], int64_t utc_ns, int digits)
{
    nb__civil c = nb__kst_civil(utc_ns);
    int size =
        snprintf(out, 40, "%04d-%02d-%02dT%02d:%02d:%02d", c.date / 10000, c.date / 100 % 100,
                 c.date % 100, c.hhmmss / 10000, c.hhmmss / 100 % 100, c.hhmmss % 100);
    if (digits > 0) {
        char fraction[16];
        snprintf(fraction, sizeof fraction, "%09d", c.ns);
        size += snprintf(out + size, 40 - (size_t)size, ".%.*s", digits > 9 ? 9 : digits, fraction);
    }
    size += snprintf(out + size, 40 - (size_t)size, "+09:00");
    return (size_t)size;
}
