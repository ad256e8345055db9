/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words into conditions. A word may run several together, as people write them:
 *
 *     위클리풋1120      위클리 | 풋 | 1120            longest known word first
 *     12월물            December                      2611w4, w4, 4주, 2026년, 2026-12 likewise
 *     2612              a strike, or December 2026
 *     B016, c01612      a code's beginning, when there is such a code
 *     고배당            none of these: a part of the name
 */
#include "query.h"
#include <string.h>

typedef struct vocabulary_row {
    const char *word;
    nb__piece_kind kind;
    int month; /* EXPIRY */
} vocabulary_row;

static const vocabulary_row vocabulary[] = {
    {"위클리m", NB__PIECE_MONDAY, 0},
    {"위클리", NB__PIECE_WEEKLY, 0},
    {"weekly", NB__PIECE_WEEKLY, 0},
    {"weeklies", NB__PIECE_WEEKLY, 0},
    {"monthly", NB__PIECE_MONTHLY, 0},
    {"월물", NB__PIECE_MONTHLY, 0},
    {"목요일", NB__PIECE_THURSDAY, 0},
    {"목", NB__PIECE_THURSDAY, 0},
    {"thursday", NB__PIECE_THURSDAY, 0},
    {"thu", NB__PIECE_THURSDAY, 0},
    {"월요일", NB__PIECE_MONDAY, 0},
    {"월", NB__PIECE_MONDAY, 0},
    {"monday", NB__PIECE_MONDAY, 0},
    {"mon", NB__PIECE_MONDAY, 0},
    {"미니", NB__PIECE_MINI, 0},
    {"mini", NB__PIECE_MINI, 0},
    {"코스피200", NB__PIECE_KOSPI, 0},
    {"코스피", NB__PIECE_KOSPI, 0},
    {"kospi200", NB__PIECE_KOSPI, 0},
    {"kospi", NB__PIECE_KOSPI, 0},
    {"k200", NB__PIECE_KOSPI, 0},
    {"ks200", NB__PIECE_KOSPI, 0},
    {"kp200", NB__PIECE_KOSPI, 0},
    {"코스닥150", NB__PIECE_KOSDAQ, 0},
    {"코스닥", NB__PIECE_KOSDAQ, 0},
    {"kosdaq150", NB__PIECE_KOSDAQ, 0},
    {"kosdaq", NB__PIECE_KOSDAQ, 0},
    {"kq150", NB__PIECE_KOSDAQ, 0},
    {"ksq150", NB__PIECE_KOSDAQ, 0},
    {"선물", NB__PIECE_FUTURE, 0},
    {"futures", NB__PIECE_FUTURE, 0},
    {"future", NB__PIECE_FUTURE, 0},
    {"fut", NB__PIECE_FUTURE, 0},
    {"f", NB__PIECE_FUTURE, 0},
    {"옵션", NB__PIECE_OPTION, 0},
    {"options", NB__PIECE_OPTION, 0},
    {"option", NB__PIECE_OPTION, 0},
    {"스프레드", NB__PIECE_SPREAD, 0},
    {"spreads", NB__PIECE_SPREAD, 0},
    {"spread", NB__PIECE_SPREAD, 0},
    {"sp", NB__PIECE_SPREAD, 0},
    {"콜", NB__PIECE_CALL, 0},
    {"calls", NB__PIECE_CALL, 0},
    {"call", NB__PIECE_CALL, 0},
    {"c", NB__PIECE_CALL, 0},
    {"풋", NB__PIECE_PUT, 0},
    {"puts", NB__PIECE_PUT, 0},
    {"put", NB__PIECE_PUT, 0},
    {"p", NB__PIECE_PUT, 0},
    {"등가격", NB__PIECE_ATM, 0},
    {"등가", NB__PIECE_ATM, 0},
    {"atm", NB__PIECE_ATM, 0},
    {"내가격", NB__PIECE_ITM, 0},
    {"내가", NB__PIECE_ITM, 0},
    {"itm", NB__PIECE_ITM, 0},
    {"외가격", NB__PIECE_OTM, 0},
    {"외가", NB__PIECE_OTM, 0},
    {"otm", NB__PIECE_OTM, 0},
    {"야간", NB__PIECE_ANY, 0},
    {"night", NB__PIECE_ANY, 0},
    {"jan", NB__PIECE_EXPIRY, 1},
    {"feb", NB__PIECE_EXPIRY, 2},
    {"mar", NB__PIECE_EXPIRY, 3},
    {"apr", NB__PIECE_EXPIRY, 4},
    {"may", NB__PIECE_EXPIRY, 5},
    {"jun", NB__PIECE_EXPIRY, 6},
    {"jul", NB__PIECE_EXPIRY, 7},
    {"aug", NB__PIECE_EXPIRY, 8},
    {"sep", NB__PIECE_EXPIRY, 9},
    {"oct", NB__PIECE_EXPIRY, 10},
    {"nov", NB__PIECE_EXPIRY, 11},
    {"dec", NB__PIECE_EXPIRY, 12},
};

static bool take(nb_span *rest, const char *word)
{
    size_t size = strlen(word);
    if (rest->size_bytes < size || memcmp(rest->data, word, size) != 0)
        return false;
    *rest = (nb_span){rest->data + size, rest->size_bytes - size};
    return true;
}

static bool take_word(nb_span *rest, nb__piece *out)
{
    const vocabulary_row *best = NULL;
    for (size_t i = 0; i < NB__COUNT_OF(vocabulary); i++) {
        nb_span probe = *rest;
        if (take(&probe, vocabulary[i].word) &&
            (best == NULL || strlen(vocabulary[i].word) > strlen(best->word)))
            best = &vocabulary[i];
    }
    if (best == NULL)
        return false;
    take(rest, best->word);
    *out = (nb__piece){.kind = best->kind, .month = best->month};
    return true;
}

/* ---- numbers ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static nb_span take_digits(nb_span *rest)
{
    nb_span digits = {rest->data, 0};
    while (digits.size_bytes < rest->size_bytes && is_digit(rest->data[digits.size_bytes]))
        digits.size_bytes++;
    *rest = (nb_span){rest->data + digits.size_bytes, rest->size_bytes - digits.size_bytes};
    return digits;
}

static int number_of(nb_span digits)
{
    uint64_t number = 0;
    return nb__span_to_u64(digits, &number) && number < 1000000 ? (int)number : 0;
}

/* YYYYMM, or YYMM of this century from 2020 on. */
static bool read_month(nb_span digits, nb__piece *out)
{
    if (digits.size_bytes != 4 && digits.size_bytes != 6)
        return false;
    int number = number_of(digits);
    int year = number / 100 + (digits.size_bytes == 4 ? 2000 : 0), month = number % 100;
    if (year < 2020 || year > 2099 || month < 1 || month > 12)
        return false;
    out->year = year;
    out->month = month;
    return true;
}

static bool is_within(int number, int least, int most)
{
    return number >= least && number <= most;
}

/* What stands behind digits and makes them a date: 2611w4, 12월물, 2026년, 26년, 4주차, 2026-12. */
static bool take_dated(nb_span *rest, nb__piece *out)
{
    nb_span after = *rest, digits = take_digits(&after);
    int number = number_of(digits);
    nb__piece piece = {.kind = NB__PIECE_EXPIRY};
    if (digits.size_bytes == 0)
        return false;
    if (take(&after, "w")) {
        piece.week = number_of(take_digits(&after));
        if (digits.size_bytes != 4 || !read_month(digits, &piece) || !is_within(piece.week, 1, 5))
            return false;
    } else if (take(&after, "월물") || take(&after, "월")) {
        piece.month = number;
        if (!is_within(number, 1, 12))
            return false;
    } else if (take(&after, "년")) {
        piece.year = number < 100 ? number + 2000 : number;
    } else if (take(&after, "주차") || take(&after, "주")) {
        piece.week = number;
        if (!is_within(number, 1, 5))
            return false;
    } else if (digits.size_bytes == 4 && take(&after, "-")) {
        piece.year = number;
        piece.month = number_of(take_digits(&after));
        if (!is_within(number, 2020, 2099) || !is_within(piece.month, 1, 12))
            return false;
    } else {
        return false;
    }
    *rest = after;
    *out = piece;
    return true;
}

/* "1,120.0": commas go, a last point or comma too. */
static bool take_number(nb_span *rest, nb__piece *out)
{
    char text[32];
    size_t size = 0, taken = 0;
    if (rest->size_bytes == 0 || !is_digit(rest->data[0]))
        return false;
    while (taken < rest->size_bytes &&
           (is_digit(rest->data[taken]) || rest->data[taken] == ',' || rest->data[taken] == '.')) {
        if (size == sizeof text)
            return false;
        if (rest->data[taken] != ',')
            text[size++] = rest->data[taken];
        taken++;
    }
    if (text[size - 1] == '.')
        size--;
    *out = (nb__piece){.kind = NB__PIECE_NUMBER};
    if (nb_price_parse((nb_span){text, size}, &out->strike, NULL, NULL) != NB_OK)
        return false;
    if (size == taken)
        read_month((nb_span){text, size}, out);
    *rest = (nb_span){rest->data + taken, rest->size_bytes - taken};
    return true;
}

static bool take_week(nb_span *rest, nb__piece *out)
{
    nb_span after = *rest;
    if (!take(&after, "w"))
        return false;
    int week = number_of(take_digits(&after));
    if (!is_within(week, 1, 5))
        return false;
    *rest = after;
    *out = (nb__piece){.kind = NB__PIECE_EXPIRY, .week = week};
    return true;
}

/* ---- words ---- */

static bool is_code_beginning(const nb__symbols *symbols, nb_span text)
{
    bool has_letter = false;
    for (size_t i = 0; i < text.size_bytes; i++) {
        bool is_letter = text.data[i] >= 'a' && text.data[i] <= 'z';
        if (!is_letter && !is_digit(text.data[i]))
            return false;
        has_letter |= is_letter;
    }
    if (!has_letter || text.size_bytes < 3)
        return false;
    for (size_t i = 0; i < symbols->count; i++)
        if (nb__code_begins(symbols->by_code[i], text))
            return true;
    return false;
}

static void split(nb__word *word)
{
    nb_span rest = nb__span(word->text);
    size_t count = 0;
    while (rest.size_bytes > 0) {
        if (count == NB__QUERY_PIECES_MAX)
            return;
        nb__piece *piece = &word->pieces[count];
        if (!take_dated(&rest, piece) && !take_number(&rest, piece) && !take_week(&rest, piece) &&
            !take_word(&rest, piece))
            return; /* one part unknown: the word as a whole is looked for in the names */
        count++;
    }
    word->piece_count = count;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '(' || c == ')' || c == '/';
}

static void lower(nb_span text, char *out)
{
    for (size_t i = 0; i < text.size_bytes; i++) {
        char c = text.data[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    out[text.size_bytes] = '\0';
}

static nb_span next_word(nb_span *rest)
{
    while (rest->size_bytes > 0 && is_blank(rest->data[0]))
        *rest = (nb_span){rest->data + 1, rest->size_bytes - 1};
    nb_span word = {rest->data, 0};
    while (word.size_bytes < rest->size_bytes && !is_blank(rest->data[word.size_bytes]))
        word.size_bytes++;
    *rest = (nb_span){rest->data + word.size_bytes, rest->size_bytes - word.size_bytes};
    return word;
}

bool nb__query_parse(const nb__symbols *symbols, nb_span words, nb__query *query)
{
    *query = (nb__query){0};
    while (words.size_bytes > 0) {
        nb_span text = next_word(&words);
        if (text.size_bytes == 0)
            break;
        if (query->word_count == NB__QUERY_WORDS_MAX || text.size_bytes > NB__QUERY_WORD_MAX ||
            memchr(text.data, '\0', text.size_bytes) != NULL)
            return false;
        nb__word *word = &query->words[query->word_count++];
        lower(text, word->text);
        word->is_code = is_code_beginning(symbols, nb__span(word->text));
        if (!word->is_code)
            split(word);
        for (size_t i = 0; i < word->piece_count; i++)
            query->says_mini |= word->pieces[i].kind == NB__PIECE_MINI;
    }
    return true;
}
