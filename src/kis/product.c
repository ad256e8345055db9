/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What KRX trades at night: products by code and by the masters' kind column, and their ticks.
 *
 *     B01610A48       right (A future, B call, C put, D spread), product 01, expiry 610, strike A48
 *     201W09370       the same until 2025: 1 future, 2 call, 3 put, 4 spread; the year is a letter
 */
#include "master.h"

/* Kinds 1–M: KIS's stocks_info header. N–S are in the files and not in the header: KOSPI200's
 * Monday weeklies, then KOSDAQ150's of Thursdays (P, Q) and Mondays (R, S). 3, once the star
 * future, is now KOSDAQ150's; the spreads of the night's futures come with 2. */
static const nb__master_kind_row kinds[] = {
    {'1', 'F', NB__PRODUCT_KOSPI200},
    {'2', 'S', NB__PRODUCT_OTHER_FUTURE},
    {'3', 'F', NB__PRODUCT_KOSDAQ150_FUTURE},
    {'4', 'S', NB__PRODUCT_OTHER_FUTURE},
    {'5', 'C', NB__PRODUCT_KOSPI200},
    {'6', 'P', NB__PRODUCT_KOSPI200},
    {'7', 'F', NB__PRODUCT_OTHER_FUTURE},
    {'8', 'S', NB__PRODUCT_OTHER_FUTURE},
    {'9', 'F', NB__PRODUCT_OTHER_FUTURE},
    {'A', 'S', NB__PRODUCT_OTHER_FUTURE},
    {'B', 'F', NB__PRODUCT_KOSPI200_MINI_FUTURE},
    {'C', 'S', NB__PRODUCT_OTHER_FUTURE},
    {'D', 'C', NB__PRODUCT_KOSPI200_MINI},
    {'E', 'P', NB__PRODUCT_KOSPI200_MINI},
    {'H', 'F', NB__PRODUCT_OTHER_FUTURE},
    {'I', 'S', NB__PRODUCT_OTHER_FUTURE},
    {'J', 'C', NB__PRODUCT_KOSDAQ150},
    {'K', 'P', NB__PRODUCT_KOSDAQ150},
    {'L', 'C', NB__PRODUCT_KOSPI200_WEEKLY_THU},
    {'M', 'P', NB__PRODUCT_KOSPI200_WEEKLY_THU},
    {'N', 'C', NB__PRODUCT_KOSPI200_WEEKLY_MON},
    {'O', 'P', NB__PRODUCT_KOSPI200_WEEKLY_MON},
    {'P', 'C', NB__PRODUCT_KOSDAQ150},
    {'Q', 'P', NB__PRODUCT_KOSDAQ150},
    {'R', 'C', NB__PRODUCT_KOSDAQ150},
    {'S', 'P', NB__PRODUCT_KOSDAQ150},
};

const nb__master_kind_row *nb__master_kind_find(char kind)
{
    for (size_t i = 0; i < NB__COUNT_OF(kinds); i++)
        if (kinds[i].kind == kind)
            return &kinds[i];
    return NULL;
}

char nb__right_of_code(nb_span code)
{
    if (code.size_bytes < 6)
        return ' ';
    switch (code.data[0]) {
    case 'A':
        return 'F';
    case 'B':
        return 'C';
    case 'C':
        return 'P';
    case 'D':
        return 'S';
    default:
        break;
    }
    /* stocks have six digits: only a letter as year makes it an old-style derivative */
    bool has_year_letter = code.data[3] >= 'A' && code.data[3] <= 'Z';
    return has_year_letter && code.data[0] >= '1' && code.data[0] <= '4'
               ? "FCPS"[code.data[0] - '1']
               : ' ';
}

/* AJ, AK: KOSDAQ150's Thursday and Monday weeklies. */
static const struct {
    char digits[3];
    nb__product option, future;
} products[] = {
    {"01", NB__PRODUCT_KOSPI200, NB__PRODUCT_KOSPI200},
    {"05", NB__PRODUCT_KOSPI200_MINI, NB__PRODUCT_KOSPI200_MINI_FUTURE},
    {"06", NB__PRODUCT_KOSDAQ150, NB__PRODUCT_KOSDAQ150_FUTURE},
    {"09", NB__PRODUCT_KOSPI200_WEEKLY_THU, NB__PRODUCT_OTHER_FUTURE},
    {"AF", NB__PRODUCT_KOSPI200_WEEKLY_MON, NB__PRODUCT_OTHER_FUTURE},
    {"AJ", NB__PRODUCT_KOSDAQ150, NB__PRODUCT_OTHER_FUTURE},
    {"AK", NB__PRODUCT_KOSDAQ150, NB__PRODUCT_OTHER_FUTURE},
};

nb__product nb__product_of_code(nb_span code)
{
    char right = nb__right_of_code(code);
    if (right == ' ')
        return NB__PRODUCT_UNKNOWN;
    if (right == 'S')
        return NB__PRODUCT_OTHER_FUTURE;
    nb_span digits = {code.data + 1, 2};
    for (size_t i = 0; i < NB__COUNT_OF(products); i++)
        if (nb__span_is(digits, products[i].digits))
            return right == 'F' ? products[i].future : products[i].option;
    return right == 'F' ? NB__PRODUCT_OTHER_FUTURE : NB__PRODUCT_UNKNOWN;
}

nb_price nb__tick_e9(nb__product product, nb_price price)
{
    const nb_price hundredth = NB_PRICE_ONE / 100;
    if (price == NB_PRICE_UNDEF)
        return 0;
    switch (product) {
    case NB__PRODUCT_KOSPI200:
    case NB__PRODUCT_KOSPI200_WEEKLY_THU:
    case NB__PRODUCT_KOSPI200_WEEKLY_MON:
        return price < 10 * NB_PRICE_ONE ? hundredth : 5 * hundredth;
    case NB__PRODUCT_KOSPI200_MINI:
        return price < 3 * NB_PRICE_ONE    ? hundredth
               : price < 10 * NB_PRICE_ONE ? 2 * hundredth
                                           : 5 * hundredth;
    case NB__PRODUCT_KOSDAQ150:
        return price < 50 * NB_PRICE_ONE ? 10 * hundredth : 50 * hundredth;
    case NB__PRODUCT_KOSPI200_MINI_FUTURE:
        return 2 * hundredth;
    case NB__PRODUCT_KOSDAQ150_FUTURE:
        return 10 * hundredth;
    case NB__PRODUCT_UNKNOWN:
    case NB__PRODUCT_OTHER_FUTURE:
        break;
    }
    return 0;
}
