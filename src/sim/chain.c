/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The series of a night and their names, built as KIS's master files have them:
 *
 *     B01 6 12 A40     call 01 (KOSPI200), year 6, month 12, strike code        C01… the put
 *     B09 FE W A41     Thursday weekly, serial FE                               BAF… Monday weekly
 *
 * Strikes below 1000 are their three digits, others an opaque code that differs between monthlies
 * and weeklies, so that a client which computes strikes out of codes finds out here. A series whose
 * last day is the night's start is no longer traded in that night.
 */
#include "market.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRIKE_STEP_CENTS 250
#define SERIES_MAX 1024
#define SERIAL_COUNT (26 * 26)

/* One expiry's worth of series. */
typedef struct expiry_plan {
    const char *code_kind; /* "01", "09", "AF" */
    const char *name_kind; /* before C or P */
    nb__product product;
    int date;          /* last trading day */
    int side_strikes;  /* on each side of the money */
    int strike_offset; /* of the opaque strike codes */
    char call_kind, put_kind;
    uint8_t reach;
    char short_middle[8], standard_middle[8], serial[8];
} expiry_plan;

/* ---- dates ---- */

static int first_weekday_of(int year, int month, int weekday)
{
    int first = year * 10000 + month * 100 + 1;
    return nb__date_add(first, (weekday - nb__date_weekday(first) + 7) % 7);
}

static int business_day_near(const nb_calendar *calendar, int date, int step)
{
    while (!nb_calendar_is_business_day(calendar, date))
        date = nb__date_add(date, step);
    return date;
}

static int month_expiry(const nb_calendar *calendar, int year, int month)
{
    return business_day_near(calendar, nb__date_add(first_weekday_of(year, month, 4), 7), -1);
}

/* The `skip`-th month after the first one whose monthly still trades; `quarters` counts March, June
 * … only. */
static int month_after(const nb_calendar *calendar, int start_date, int skip, bool quarters)
{
    int year = start_date / 10000, month = start_date / 100 % 100;
    for (;;) {
        bool counts = !quarters || month % 3 == 0;
        if (counts && month_expiry(calendar, year, month) > start_date && skip-- == 0)
            return year * 100 + month;
        if (++month > 12) {
            month = 1;
            year++;
        }
    }
}

static int days_between(int from, int to)
{
    return (int)((nb__kst_ns(to, 0) - nb__kst_ns(from, 0)) / NB__NS_PER_DAY);
}

/* ---- plans ---- */

static char digit_of(int number)
{
    return (char)('0' + number % 10);
}

static char month_letter(int month)
{
    return "0123456789ABC"[month % 13];
}

/* The last digit of the year and the month: "612", and "6C" in standard codes. */
static void print_month(int when, char short_middle[4], char standard_middle[3])
{
    int month = when % 100;
    char year_digit = digit_of(when / 100);
    memcpy(short_middle, (char[]){year_digit, digit_of(month / 10), digit_of(month), '\0'}, 4);
    memcpy(standard_middle, (char[]){year_digit, month_letter(month), '\0'}, 3);
}

static void plan_month(const nb_calendar *calendar, int start_date, int skip, int side_strikes,
                       uint8_t reach, expiry_plan *out)
{
    int when = month_after(calendar, start_date, skip, false), year = when / 100,
        month = when % 100;
    *out = (expiry_plan){.product = NB__PRODUCT_KOSPI200,
                         .code_kind = "01",
                         .call_kind = '5',
                         .put_kind = '6',
                         .name_kind = "",
                         .reach = reach,
                         .side_strikes = side_strikes,
                         .strike_offset = 0,
                         .date = month_expiry(calendar, year, month)};
    print_month(when, out->short_middle, out->standard_middle);
    snprintf(out->serial, sizeof out->serial, "%06u", (unsigned)when % 1000000);
}

static void plan_weekly(int nominal, int serial, expiry_plan *out)
{
    serial = (serial % SERIAL_COUNT + SERIAL_COUNT) % SERIAL_COUNT;
    char first = (char)('A' + serial / 26), second = (char)('A' + serial % 26);
    out->side_strikes = 30;
    out->strike_offset = 1;
    out->reach = 1;
    snprintf(out->short_middle, sizeof out->short_middle, "%c%cW", first, second);
    snprintf(out->standard_middle, sizeof out->standard_middle, "%c%c", first, second);
    snprintf(out->serial, sizeof out->serial, "%04uW%c", (unsigned)nominal / 100 % 10000,
             digit_of((nominal % 100 + 6) / 7));
}

/* KRX's serials are counted on from two that are known: 2609W1 is FC (no Thursday serial in a
 * second week). */
static void plan_thursday(const nb_calendar *calendar, int start_date, expiry_plan *out)
{
    int nominal = nb__date_add(start_date, 1), week;
    *out = (expiry_plan){.product = NB__PRODUCT_KOSPI200_WEEKLY_THU,
                         .code_kind = "09",
                         .call_kind = 'L',
                         .put_kind = 'M',
                         .name_kind = "위클리"};
    for (;; nominal = nb__date_add(nominal, 1)) {
        week = (nominal % 100 + 6) / 7;
        out->date = business_day_near(calendar, nominal, -1);
        if (nb__date_weekday(nominal) == 4 && week != 2 && out->date > start_date)
            break;
    }
    int months = (nominal / 10000 - 2026) * 12 + nominal / 100 % 100 - 9;
    plan_weekly(nominal, 132 + days_between(20260903, nominal) / 7 - months - (week > 2), out);
}

/* 2609W4 on Mondays is BZ. Pushed back by a holiday it may meet the monthly: then it is gone. */
static void plan_monday(const nb_calendar *calendar, int start_date, expiry_plan *out)
{
    int nominal = nb__date_add(start_date, -6);
    *out = (expiry_plan){.product = NB__PRODUCT_KOSPI200_WEEKLY_MON,
                         .code_kind = "AF",
                         .call_kind = 'N',
                         .put_kind = 'O',
                         .name_kind = "위클리M "};
    for (;; nominal = nb__date_add(nominal, 1)) {
        out->date = business_day_near(calendar, nominal, 1);
        int monthly = month_expiry(calendar, nominal / 10000, nominal / 100 % 100);
        if (nb__date_weekday(nominal) == 1 && out->date > start_date && out->date != monthly)
            break;
    }
    plan_weekly(nominal, 51 + days_between(20260928, nominal) / 7, out);
}

/* ---- series ---- */

/* ISO 6166: letters count as two digits, then Luhn. */
static char standard_check_digit(const char *code)
{
    int digits[32], count = 0, sum = 0;
    for (; *code != '\0' && count < 30; code++) {
        int value = *code >= 'A' ? *code - 'A' + 10 : *code - '0';
        if (value >= 10)
            digits[count++] = value / 10;
        digits[count++] = value % 10;
    }
    for (int i = 0; i < count; i++) {
        int digit = digits[count - 1 - i] * (i % 2 == 0 ? 2 : 1);
        sum += digit / 10 + digit % 10;
    }
    return (char)('0' + (10 - sum % 10) % 10);
}

static void print_standard_code(nb__instrument *row, char right, const char *kind,
                                const char *middle, const char *strike)
{
    snprintf(row->standard_code, sizeof row->standard_code, "KR4%c%.2s%.2s%.3s", right, kind,
             middle, strike);
    row->standard_code[11] = standard_check_digit(row->standard_code);
    row->standard_code[12] = '\0';
}

static void print_strike_code(char out[4], int strike_cents, int offset)
{
    int points = strike_cents / 100;
    int step = (strike_cents - 100000) / STRIKE_STEP_CENTS + offset;
    char first = points < 1000 ? digit_of(points / 100) : (char)('A' + step / 100 % 26);
    int rest = points < 1000 ? points : step;
    memcpy(out, (char[]){first, digit_of(rest / 10), digit_of(rest), '\0'}, 4);
}

/* "1,097.5" right-aligned in 7, as in the names of the master */
static void print_name(nb__instrument *row, const expiry_plan *plan, char right, int strike_cents)
{
    char strike[16];
    unsigned cents = (unsigned)strike_cents % 1000000, points = cents / 100,
             tenths = cents / 10 % 10;
    if (points >= 1000)
        snprintf(strike, sizeof strike, "%u,%03u.%u", points / 1000, points % 1000, tenths);
    else
        snprintf(strike, sizeof strike, "%u.%u", points, tenths);
    snprintf(row->name, sizeof row->name, "%s%c %s %7s", plan->name_kind, right, plan->serial,
             strike);
}

static char atm_class(int strike_cents, int forward_cents, char right)
{
    int away = strike_cents - forward_cents;
    if (2 * abs(away) <= STRIKE_STEP_CENTS)
        return '1';
    return (away < 0) == (right == 'C') ? '2' : '3';
}

static nb__sim_series *add_series(nb__sim_chain *chain, uint8_t reach, int expiry_date)
{
    if (chain->count == SERIES_MAX)
        return NULL;
    nb__sim_series *series = &chain->series[chain->count++];
    *series = (nb__sim_series){.reach = reach,
                               .divisor = 1,
                               .is_listed = true,
                               .tells_counts = true,
                               .trades = true,
                               .expiry_ns = nb__kst_ns(expiry_date, 152000)};
    nb__instrument *row = &series->instrument;
    row->strike = NB_PRICE_UNDEF;
    row->atm_class = row->month_class = ' ';
    snprintf(row->underlying_code, sizeof row->underlying_code, "2001");
    snprintf(row->underlying_name, sizeof row->underlying_name, "KOSPI200");
    return series;
}

static void add_option(nb__sim_chain *chain, const expiry_plan *plan, char right, int strike_cents,
                       int forward_cents)
{
    nb__sim_series *series = add_series(chain, plan->reach, plan->date);
    if (series == NULL)
        return;
    nb__instrument *row = &series->instrument;
    char strike[4], letter = right == 'C' ? 'B' : 'C';
    print_strike_code(strike, strike_cents, plan->strike_offset);
    snprintf(row->code, sizeof row->code, "%c%.2s%.3s%.3s", letter, plan->code_kind,
             plan->short_middle, strike);
    print_standard_code(row, letter, plan->code_kind, plan->standard_middle, strike);
    print_name(row, plan, right, strike_cents);
    row->kind = right == 'C' ? plan->call_kind : plan->put_kind;
    row->right = right;
    row->product = plan->product;
    snprintf(row->expiry, sizeof row->expiry, "%s", plan->serial);
    row->strike = (nb_price)strike_cents * (NB_PRICE_ONE / 100);
    row->atm_class = atm_class(strike_cents, forward_cents, right);
    series->strike_cents = strike_cents;
}

static void add_expiry(nb__sim_chain *chain, const expiry_plan *plan, int forward_cents)
{
    int middle = (forward_cents + STRIKE_STEP_CENTS / 2) / STRIKE_STEP_CENTS * STRIKE_STEP_CENTS;
    for (int put = 0; put < 2; put++)
        for (int i = -plan->side_strikes; i <= plan->side_strikes; i++)
            add_option(chain, plan, put ? 'P' : 'C', middle + i * STRIKE_STEP_CENTS, forward_cents);
}

static void add_future(nb__sim_chain *chain, const nb_calendar *calendar, int start_date)
{
    int when = month_after(calendar, start_date, 0, true);
    nb__sim_series *series = add_series(chain, 4, month_expiry(calendar, when / 100, when % 100));
    if (series == NULL)
        return;
    nb__instrument *row = &series->instrument;
    char short_middle[4], standard_middle[3];
    print_month(when, short_middle, standard_middle);
    snprintf(row->code, sizeof row->code, "A01%s", short_middle);
    print_standard_code(row, 'A', "01", standard_middle, "000");
    snprintf(row->expiry, sizeof row->expiry, "%06u", (unsigned)when % 1000000);
    snprintf(row->name, sizeof row->name, "F %s", row->expiry);
    row->kind = '1';
    row->right = 'F';
    row->product = NB__PRODUCT_OTHER_FUTURE;
}

/* The stale codes of KIS's documents and sample programs: they trade, but as at KIS no master lists
 * them. 101W9000 looks like a future; KIS's night option samples ask for it under H0EUASP0. */
static void add_samples(nb__sim_chain *chain, int start_date)
{
    static const struct {
        const char *code;
        char right, kind;
        int strike_cents;
    } samples[] = {
        {"101W9000", 'C', '5', 36750}, {"101W09", 'F', '1', 0}, {"301V06362", 'P', '6', 36250}};
    for (size_t i = 0; i < NB__COUNT_OF(samples); i++) {
        nb__sim_series *series = add_series(chain, 5, nb__date_add(start_date, 12));
        if (series == NULL)
            return;
        nb__instrument *row = &series->instrument;
        snprintf(row->code, sizeof row->code, "%s", samples[i].code);
        snprintf(row->name, sizeof row->name, "KIS sample %s", samples[i].code);
        bool is_future = samples[i].right == 'F';
        row->right = samples[i].right;
        row->kind = samples[i].kind;
        row->product = is_future ? NB__PRODUCT_OTHER_FUTURE : NB__PRODUCT_KOSPI200;
        series->strike_cents = samples[i].strike_cents;
        series->divisor = is_future ? 1 : 3;
        series->is_listed = series->tells_counts = false;
    }
}

/* ---- orders ---- */

static int compare_codes(const void *a, const void *b, void *context)
{
    const nb__sim_series *series = context;
    return strcmp(series[*(const uint32_t *)a].instrument.code,
                  series[*(const uint32_t *)b].instrument.code);
}

typedef struct money_order {
    const nb__sim_series *series;
    int forward_cents;
} money_order;

static int compare_moneyness(const void *a, const void *b, void *context)
{
    const money_order *order = context;
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    const nb__sim_series *l = &order->series[left], *r = &order->series[right];
    int l_away = abs(l->strike_cents - order->forward_cents),
        r_away = abs(r->strike_cents - order->forward_cents);
    if (l_away != r_away)
        return l_away < r_away ? -1 : 1;
    if (l->reach != r->reach)
        return l->reach < r->reach ? -1 : 1;
    return left < right ? -1 : left > right;
}

static nb_err keep_nearest(nb__sim_chain *chain, int forward_cents, uint32_t keys_max)
{
    uint32_t *order = malloc(chain->count * sizeof *order), options = 0;
    if (order == NULL)
        return NB_E_MEMORY;
    for (uint32_t i = 0; i < chain->count; i++)
        if (chain->series[i].is_listed && !nb__sim_series_is_future(&chain->series[i]))
            order[options++] = i;
    money_order by = {chain->series, forward_cents};
    qsort_r(order, options, sizeof *order, compare_moneyness, &by);
    for (uint32_t i = keys_max; i < options; i++)
        chain->series[order[i]].trades = false;
    free(order);
    return NB_OK;
}

nb_err nb__sim_chain_make(const nb_calendar *calendar, int start_date, int32_t forward_cents,
                          uint32_t keys_max, nb__sim_chain *out)
{
    nb__sim_chain chain = {.series = malloc(SERIES_MAX * sizeof *chain.series),
                           .by_code = malloc(SERIES_MAX * sizeof *chain.by_code)};
    if (chain.series == NULL || chain.by_code == NULL) {
        nb__sim_chain_fini(&chain);
        return NB_E_MEMORY;
    }
    expiry_plan plans[5];
    plan_month(calendar, start_date, 0, 60, 0, &plans[0]);
    plan_month(calendar, start_date, 1, 50, 2, &plans[1]);
    plan_month(calendar, start_date, 2, 40, 3, &plans[2]);
    plan_thursday(calendar, start_date, &plans[3]);
    plan_monday(calendar, start_date, &plans[4]);
    for (size_t i = 0; i < NB__COUNT_OF(plans); i++)
        add_expiry(&chain, &plans[i], forward_cents);
    add_future(&chain, calendar, start_date);
    add_samples(&chain, start_date);
    for (uint32_t i = 0; i < chain.count; i++)
        chain.by_code[i] = i;
    qsort_r(chain.by_code, chain.count, sizeof *chain.by_code, compare_codes, chain.series);
    if (keys_max > 0 && keep_nearest(&chain, forward_cents, keys_max) != NB_OK) {
        nb__sim_chain_fini(&chain);
        return NB_E_MEMORY;
    }
    *out = chain;
    return NB_OK;
}

void nb__sim_chain_fini(nb__sim_chain *chain)
{
    free(chain->series);
    free(chain->by_code);
    *chain = (nb__sim_chain){0};
}

uint32_t nb__sim_chain_find(const nb__sim_chain *chain, nb_span code)
{
    uint32_t low = 0, high = chain->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2, index = chain->by_code[middle];
        const char *have = chain->series[index].instrument.code;
        size_t size = strlen(have), common = size < code.size_bytes ? size : code.size_bytes;
        int order = memcmp(have, code.data, common);
        if (order == 0)
            order = size < code.size_bytes ? -1 : size > code.size_bytes;
        if (order == 0)
            return index;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return UINT32_MAX;
}

const char *nb__sim_series_tr_id(const nb__sim_series *series)
{
    return nb__sim_series_is_future(series) ? "H0MFASP0" : "H0EUASP0";
}
