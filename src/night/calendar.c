/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closed days, CSAT days, and which years the holiday file speaks of: three sorted lists of
 * integers.
 *
 * The built-in calendar is the generated holidays.inc; a file given by a user is read here, a line
 * at a time:
 *
 *     2026 known
 *     2026-01-01 closed New Year's Day      # comment
 *     2026-11-19 csat
 *
 * All or nothing: a line that is not understood makes no calendar, because a calendar that lacks a
 * holiday gives wrong trade dates in silence.
 */
#include "calendar.h"
#include <stdlib.h>
#include <string.h>

#include "holidays.inc"

static const nb_calendar builtin = {
    .lists = {[LIST_KNOWN] = {builtin_known, NB__COUNT_OF(builtin_known)},
              [LIST_CLOSED] = {builtin_closed, NB__COUNT_OF(builtin_closed)},
              [LIST_CSAT] = {builtin_csat, NB__COUNT_OF(builtin_csat)}}};

const nb_calendar *nb_calendar_builtin(void)
{
    return &builtin;
}

static int compare_ints(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static bool list_has(const list *days, int date)
{
    return days->count > 0 &&
           bsearch(&date, days->items, days->count, sizeof date, compare_ints) != NULL;
}

/* ---- reading ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cut the next word off `*rest`. */
static nb_span take_word(nb_span *rest)
{
    while (rest->size_bytes > 0 && is_blank(rest->data[0])) {
        rest->data++;
        rest->size_bytes--;
    }
    nb_span word = {rest->data, 0};
    while (rest->size_bytes > 0 && !is_blank(rest->data[0])) {
        rest->data++;
        rest->size_bytes--;
        word.size_bytes++;
    }
    return word;
}

/* `size_bytes` digits as a number; -1 when one is none. */
static int digits(const char *at, size_t size_bytes)
{
    int value = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        value = value * 10 + (at[i] - '0');
    }
    return value;
}

/* "2026-01-01" to 20260101; -1 when it is no date of the calendar. */
static int parse_date(nb_span word)
{
    if (word.size_bytes != 10 || word.data[4] != '-' || word.data[7] != '-')
        return -1;
    int year = digits(word.data, 4), month = digits(word.data + 5, 2),
        day = digits(word.data + 8, 2);
    if (year < 0 || month < 0 || day < 0)
        return -1;
    int date = year * 10000 + month * 100 + day;
    return nb__date_is_valid(date) ? date : -1;
}

typedef struct reader {
    int *items[LIST_COUNT]; /* DATES_MAX places each */
    size_t counts[LIST_COUNT];
} reader;

/* One line without its comment. @return NULL, or what is wrong with it. */
static const char *read_line(reader *into, nb_span line)
{
    nb_span rest = line, first = take_word(&rest), verb = take_word(&rest);
    if (first.size_bytes == 0)
        return NULL;
    int which, value;
    if (nb__span_is(verb, "known")) {
        which = LIST_KNOWN;
        value = first.size_bytes == 4 ? digits(first.data, 4) : -1;
        if (value < 0 || take_word(&rest).size_bytes != 0)
            return "not `YYYY known`";
    } else {
        which = nb__span_is(verb, "closed") ? LIST_CLOSED
                : nb__span_is(verb, "csat") ? LIST_CSAT
                                            : -1;
        value = parse_date(first);
        if (value < 0)
            return "does not begin with a date YYYY-MM-DD or a year";
        if (which < 0)
            return "says neither `closed` nor `csat`";
    }
    if (into->counts[which] == DATES_MAX)
        return "is one too many: 4096 of a kind are read";
    into->items[which][into->counts[which]++] = value;
    return NULL;
}

static nb_err read_text(reader *into, nb_span text, nb_error *error)
{
    size_t at = 0;
    for (unsigned line_number = 1; at < text.size_bytes; line_number++) {
        const char *begin = text.data + at, *end = text.data + text.size_bytes;
        const char *newline = memchr(begin, '\n', (size_t)(end - begin));
        nb_span line = {begin, (size_t)((newline != NULL ? newline : end) - begin)};
        const char *comment = memchr(begin, '#', line.size_bytes);
        if (comment != NULL)
            line.size_bytes = (size_t)(comment - begin);
        const char *problem = read_line(into, line);
        if (problem != NULL)
            return nb__fail(error, NB_E_CALENDAR, at, "holiday file, line %u: %s", line_number,
                            problem);
        if (newline == NULL)
            break;
        at = (size_t)(newline + 1 - text.data);
    }
    for (int which = 0; which < LIST_COUNT; which++) {
        int *items = into->items[which];
        qsort(items, into->counts[which], sizeof *items, compare_ints);
        for (size_t i = 1; i < into->counts[which]; i++) {
            if (items[i] == items[i - 1])
                return nb__fail(error, NB_E_CALENDAR, 0, "holiday file: %d stands there twice",
                                items[i]);
        }
    }
    return NB_OK;
}

nb_err nb_calendar_parse(nb_span text, nb_calendar **out, nb_error *error)
{
    /* one block: the calendar, then its lists */
    nb_calendar *calendar = malloc(sizeof *calendar + sizeof(int) * DATES_MAX * LIST_COUNT);
    if (calendar == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "no memory for a calendar");
    reader into = {.counts = {0}};
    for (size_t which = 0; which < LIST_COUNT; which++)
        into.items[which] = calendar->memory + which * DATES_MAX;
    nb_err code = read_text(&into, text, error);
    if (code != NB_OK) {
        free(calendar);
        return code;
    }
    for (int which = 0; which < LIST_COUNT; which++)
        calendar->lists[which] = (list){into.items[which], into.counts[which]};
    *out = calendar;
    return NB_OK;
}

void nb_calendar_free(nb_calendar *calendar)
{
    if (calendar != &builtin)
        free(calendar);
}

/* ---- questions ---- */

bool nb_calendar_is_business_day(const nb_calendar *calendar, int date)
{
    if (!nb__date_is_valid(date))
        return false;
    int weekday = nb__date_weekday(date);
    return weekday != 0 && weekday != 6 && !list_has(&calendar->lists[LIST_CLOSED], date);
}

bool nb_calendar_knows(const nb_calendar *calendar, int date)
{
    return nb__date_is_valid(date) && list_has(&calendar->lists[LIST_KNOWN], date / 10000);
}

int nb_calendar_next_business_day(const nb_calendar *calendar, int date)
{
    while (nb__date_is_valid(date)) {
        date = nb__date_add(date, 1);
        if (nb_calendar_is_business_day(calendar, date))
            return date;
    }
    return NB_DATE_UNDEF;
}

bool calendar_is_csat(const nb_calendar *calendar, int date)
{
    return list_has(&calendar->lists[LIST_CSAT], date);
}
