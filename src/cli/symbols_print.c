/* SPDX-License-Identifier: Apache-2.0 */
/* Instruments as a table, as JSON and in full. */
#include "symbols_print.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- values in words ---- */

static const char *right_word(const nb__instrument *row)
{
    switch (row->right) {
    case 'C':
        return "call";
    case 'P':
        return "put";
    case 'F':
        return "future";
    case 'S':
        return "spread";
    default:
        return "";
    }
}

static const char *money_word(const nb__instrument *row)
{
    switch (row->atm_class) {
    case '1':
        return "atm";
    case '2':
        return "itm";
    case '3':
        return "otm";
    default:
        return "";
    }
}

static const char *sessions_word(const nb__store *store, const nb__instrument *row)
{
    bool is_night = nb__store_is_night(store, row), is_day = nb__store_is_day(store, row);
    return is_night && is_day ? "night day" : is_night ? "night" : "day";
}

/* The tick of a KOSPI200 future is that of its options from 10 on. */
static const char *tick_words(const nb__instrument *row)
{
    bool is_future = row->right == 'F' && row->product == NB__PRODUCT_KOSPI200;
    return is_future ? "0.05" : nb__tick_words(row->product);
}

static void strike_text(const nb__instrument *row, char out[NB_PRICE_TEXT_MAX + 1])
{
    size_t size = row->strike == NB_PRICE_UNDEF ? 0 : nb_price_print(out, row->strike, 2);
    out[size] = '\0';
}

/* "2026-12-10"; "" when it is not known. */
static void date_text(const nb__instrument *row, bool *is_sure, char out[16])
{
    int date = nb__expiry_date(nb_calendar_builtin(), row, is_sure);
    out[0] = '\0';
    if (date != 0)
        snprintf(out, 16, "%04u-%02u-%02u", (unsigned)date / 10000 % 10000,
                 (unsigned)date / 100 % 100, (unsigned)date % 100);
}

/* ---- table ---- */

enum { CODE, NAME, PRODUCT, EXPIRY, LAST_DAY, RIGHT, STRIKE, MONEY, SESSIONS, COLUMNS };

static const char *const heads[COLUMNS] = {"CODE",  "NAME",   "PRODUCT", "EXPIRY",  "LAST DAY",
                                           "RIGHT", "STRIKE", "MONEY",   "SESSIONS"};

typedef struct cells {
    char date[16], strike[NB_PRICE_TEXT_MAX + 1];
    const char *text[COLUMNS];
} cells;

static void cells_fill(const nb__store *store, const nb__instrument *row, cells *c)
{
    bool is_sure;
    date_text(row, &is_sure, c->date);
    if (c->date[0] != '\0' && !is_sure)
        memcpy(c->date + strlen(c->date), "?", 2); /* its year's holidays are not known */
    strike_text(row, c->strike);
    c->text[CODE] = row->code;
    c->text[NAME] = row->name;
    c->text[PRODUCT] = nb__product_word(row->product);
    c->text[EXPIRY] = row->expiry;
    c->text[LAST_DAY] = c->date;
    c->text[RIGHT] = right_word(row);
    c->text[STRIKE] = c->strike;
    c->text[MONEY] = money_word(row);
    c->text[SESSIONS] = sessions_word(store, row);
}

static void print_line(const char *const text[COLUMNS], const size_t widths[COLUMNS], nb__text *out)
{
    for (int i = 0; i < COLUMNS; i++) {
        size_t columns = nb__text_columns(nb__span(text[i]));
        int pad = (int)(widths[i] - columns);
        bool is_last = i + 1 == COLUMNS;
        if (i == STRIKE)
            nb__text_printf(out, "%*s%s", pad, "", text[i]);
        else
            nb__text_printf(out, "%s%*s", text[i], is_last ? 0 : pad, "");
        nb__text_string(out, is_last ? "\n" : "  ");
    }
}

void nb__symbols_print_table(const nb__store *store, const nb__instrument *const *rows,
                             size_t count, nb__text *out)
{
    size_t widths[COLUMNS];
    cells c;
    for (int i = 0; i < COLUMNS; i++)
        widths[i] = strlen(heads[i]);
    for (size_t r = 0; r < count; r++) {
        cells_fill(store, rows[r], &c);
        for (int i = 0; i < COLUMNS; i++) {
            size_t columns = nb__text_columns(nb__span(c.text[i]));
            if (columns > widths[i])
                widths[i] = columns;
        }
    }
    print_line(heads, widths, out);
    for (size_t r = 0; r < count; r++) {
        cells_fill(store, rows[r], &c);
        print_line(c.text, widths, out);
    }
}

/* ---- JSON ---- */

static void add_text(nb__text *out, const char *name, const char *value)
{
    nb__text_printf(out, ",\"%s\":", name);
    if (value[0] == '\0' || strcmp(value, " ") == 0)
        nb__text_string(out, "null");
    else
        nb__text_json(out, nb__span(value));
}

static void add_bare(nb__text *out, const char *name, const char *value)
{
    nb__text_printf(out, ",\"%s\":%s", name, value[0] == '\0' ? "null" : value);
}

/* Without the files of a session nothing is known of it. */
static const char *listed(bool is_known, bool is_listed)
{
    return !is_known ? "null" : is_listed ? "true" : "false";
}

void nb__symbols_print_json(const nb__store *store, const nb__instrument *row, nb__text *out)
{
    bool is_sure, is_option = row->right == 'C' || row->right == 'P';
    char date[16], strike[NB_PRICE_TEXT_MAX + 1], multiplier[24] = "";
    char kind[2] = {row->kind, '\0'}, month[2] = {row->month_class, '\0'};
    int64_t multiplier_krw = nb__multiplier_krw(row->product);
    date_text(row, &is_sure, date);
    strike_text(row, strike);
    if (multiplier_krw != 0)
        snprintf(multiplier, sizeof multiplier, "%" PRId64, multiplier_krw);
    nb__text_string(out, "{\"code\":");
    nb__text_json(out, nb__span(row->code));
    add_text(out, "name", row->name);
    add_text(out, "product", nb__product_word(row->product));
    add_text(out, "right", right_word(row));
    add_text(out, "expiry", row->expiry);
    add_text(out, "last_day", date);
    add_bare(out, "last_day_is_sure", date[0] == '\0' ? "" : is_sure ? "true" : "false");
    add_bare(out, "strike", strike);
    add_text(out, "money", money_word(row));
    add_bare(out, "multiplier_krw", multiplier);
    add_text(out, "tick", tick_words(row));
    add_bare(out, "night",
             listed(store->is_here[is_option ? 0 : 1], nb__store_is_night(store, row)));
    add_bare(out, "day", listed(store->is_here[2], nb__store_is_day(store, row)));
    add_text(out, "standard_code", row->standard_code);
    add_text(out, "underlying", row->underlying_name);
    add_text(out, "underlying_code", row->underlying_code);
    add_text(out, "kind", kind);
    add_text(out, "month_class", month);
    nb__text_string(out, "}\n");
}

/* ---- all that is known of one ---- */

static void say_expiry(const nb__instrument *row, nb__text *out)
{
    static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                           "Thursday", "Friday", "Saturday"};
    bool is_sure;
    char date[16];
    date_text(row, &is_sure, date);
    nb__text_printf(out, "  expiry         %s", row->expiry[0] == '\0' ? "-" : row->expiry);
    if (date[0] != '\0') {
        int day = nb__expiry_date(nb_calendar_builtin(), row, &is_sure);
        nb__text_printf(out, ", last trading day %s (%s)%s", date, weekdays[nb__date_weekday(day)],
                        is_sure ? "" : ", if no holiday moves it: that year's are not known");
    }
    nb__text_string(out, "\n");
}

static void say_sessions(const nb__store *store, const nb__instrument *row, nb__text *out)
{
    bool is_option = row->right == 'C' || row->right == 'P';
    if (nb__store_is_night(store, row))
        nb__text_printf(out, "  night          yes: %s\n",
                        is_option ? "H0EUASP0 book, H0EUCNT0 trades"
                                  : "H0MFASP0 book, H0MFCNT0 trades");
    else
        nb__text_printf(out, "  night          %s\n",
                        store->is_here[is_option ? 0 : 1]
                            ? "no: no night file lists it, so that a registration stays silent"
                            : "not known: the night's file is not here");
    if (nb__store_is_day(store, row))
        nb__text_printf(out, "  day            yes, the same code: %s\n",
                        is_option ? "H0IOASP0 book, H0IOCNT0 trades"
                                  : "H0IFASP0 book, H0IFCNT0 trades");
    else
        nb__text_printf(out, "  day            %s\n",
                        store->is_here[2] ? "no" : "not known: the day's file is not here");
}

void nb__symbols_print_all(const nb__store *store, const nb__instrument *row, nb__text *out)
{
    char strike[NB_PRICE_TEXT_MAX + 1];
    int64_t multiplier_krw = nb__multiplier_krw(row->product);
    const char *tick = tick_words(row), *right = right_word(row);
    strike_text(row, strike);
    nb__text_printf(out, "%s  %s\n", row->code, row->name);
    nb__text_printf(out, "  product        %s (%s)%s%s\n", nb__product_name(row->product),
                    nb__product_korean(row->product), right[0] == '\0' ? "" : ", ", right);
    if (strike[0] != '\0')
        nb__text_printf(
            out, "  strike         %s%s%s\n", strike,
            money_word(row)[0] == '\0' ? "" : ", as the file was built: ", money_word(row));
    say_expiry(row, out);
    if (multiplier_krw != 0)
        nb__text_printf(out, "  a point is     %" PRId64 " won\n", multiplier_krw);
    nb__text_printf(out, "  tick           %s\n", tick[0] == '\0' ? "not known" : tick);
    say_sessions(store, row, out);
    nb__text_printf(out, "  standard code  %s\n", row->standard_code);
    nb__text_printf(out, "  underlying     %s (%s)\n", row->underlying_name, row->underlying_code);
    nb__text_printf(out, "  kind           %c", row->kind);
    if (row->month_class != ' ')
        nb__text_printf(out, ", month class %c", row->month_class);
    nb__text_string(out, "\n");
}
