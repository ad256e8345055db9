/* SPDX-License-Identifier: Apache-2.0 */
/* Finding rows by words: does a row fit a query, and the rows that do, in reading order. */
#include "query.h"
#include <string.h>

static bool is_weekly(const nb__instrument *row)
{
    return strlen(row->expiry) == 6 && row->expiry[4] == 'W';
}

static bool is_mini(const nb__instrument *row)
{
    return row->product == NB__PRODUCT_KOSPI200_MINI ||
           row->product == NB__PRODUCT_KOSPI200_MINI_FUTURE || strstr(row->name, "미니") != NULL;
}

static bool is_option(const nb__instrument *row)
{
    return row->right == 'C' || row->right == 'P';
}

/* By product; what belongs to none (a spread, another future) by its underlying. */
static bool is_of(const nb__instrument *row, bool is_kosdaq)
{
    switch (row->product) {
    case NB__PRODUCT_KOSPI200:
    case NB__PRODUCT_KOSPI200_MINI:
    case NB__PRODUCT_KOSPI200_MINI_FUTURE:
    case NB__PRODUCT_KOSPI200_WEEKLY_THU:
    case NB__PRODUCT_KOSPI200_WEEKLY_MON:
        return !is_kosdaq;
    case NB__PRODUCT_KOSDAQ150:
    case NB__PRODUCT_KOSDAQ150_FUTURE:
        return is_kosdaq;
    case NB__PRODUCT_UNKNOWN:
    case NB__PRODUCT_OTHER_FUTURE:
        break;
    }
    return strcmp(row->underlying_code, is_kosdaq ? "3003" : "2001") == 0;
}

static int two_digits(const char *text)
{
    return (text[0] - '0') * 10 + (text[1] - '0');
}

static bool fits_expiry(const nb__piece *piece, const nb__instrument *row)
{
    const char *text = row->expiry;
    if (strlen(text) != 6)
        return false;
    bool has_week = is_weekly(row);
    int year = has_week ? 2000 + two_digits(text) : two_digits(text) * 100 + two_digits(text + 2);
    int month = two_digits(text + (has_week ? 2 : 4));
    int week = has_week ? text[5] - '0' : 0;
    return (piece->year == 0 || piece->year == year) &&
           (piece->month == 0 || piece->month == month) &&
           (piece->week == 0 || piece->week == week);
}

static bool fits_piece(const nb__query *query, const nb__piece *piece, const nb__instrument *row)
{
    switch (piece->kind) {
    case NB__PIECE_ANY:
        return true;
    case NB__PIECE_WEEKLY:
        return is_weekly(row);
    case NB__PIECE_MONTHLY:
        return row->expiry[0] != '\0' && !is_weekly(row);
    case NB__PIECE_THURSDAY:
        return is_weekly(row) && !nb__expires_on_monday(row);
    case NB__PIECE_MONDAY:
        return is_weekly(row) && nb__expires_on_monday(row);
    case NB__PIECE_MINI:
        return is_mini(row);
    case NB__PIECE_KOSPI:
        return is_of(row, false) && (query->says_mini || !is_mini(row));
    case NB__PIECE_KOSDAQ:
        return is_of(row, true);
    case NB__PIECE_FUTURE:
        return row->right == 'F';
    case NB__PIECE_OPTION:
        return is_option(row);
    case NB__PIECE_SPREAD:
        return row->right == 'S';
    case NB__PIECE_CALL:
        return row->right == 'C';
    case NB__PIECE_PUT:
        return row->right == 'P';
    case NB__PIECE_ATM:
    case NB__PIECE_ITM:
    case NB__PIECE_OTM:
        return row->atm_class == '1' + (char)(piece->kind - NB__PIECE_ATM);
    case NB__PIECE_EXPIRY:
        return fits_expiry(piece, row);
    case NB__PIECE_NUMBER:
        return row->strike == piece->strike || (piece->month != 0 && fits_expiry(piece, row));
    }
    return false;
}

static bool fits_word(const nb__query *query, const nb__word *word, const nb__instrument *row)
{
    if (word->is_code)
        return nb__code_begins(row, nb__span(word->text));
    if (word->piece_count == 0)
        return strcasestr(row->name, word->text) != NULL;
    for (size_t i = 0; i < word->piece_count; i++)
        if (!fits_piece(query, &word->pieces[i], row))
            return false;
    return true;
}

bool nb__query_fits(const nb__query *query, const nb__instrument *row)
{
    for (size_t i = 0; i < query->word_count; i++)
        if (!fits_word(query, &query->words[i], row))
            return false;
    return true;
}

size_t nb__symbols_search(const nb__symbols *symbols, nb_span words, const nb__instrument **out,
                          size_t max)
{
    nb__query query;
    size_t count = 0;
    if (!nb__query_parse(symbols, words, &query))
        return 0;
    for (size_t i = 0; i < symbols->count; i++) {
        if (!nb__query_fits(&query, symbols->by_expiry[i]))
            continue;
        if (count < max)
            out[count] = symbols->by_expiry[i];
        count++;
    }
    return count;
}
