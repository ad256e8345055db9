/* SPDX-License-Identifier: Apache-2.0 */
/* Exact decimals in 1e-9, in and out. Never rounds: what does not fit is an error. */
#include "base/base.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const int64_t power10[NB_PRICE_DECIMALS_MAX + 1] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

nb_err nb_price_parse(nb_span text, nb_price *out, int *decimals, nb_error *error)
{
    const char *data = text.data;
    size_t at = 0, size = text.size_bytes;
    bool is_negative = size > 0 && data[0] == '-';
    at += is_negative;
    size_t digits_at = at;
    int64_t value = 0; /* kept negative: INT64_MIN's magnitude is the larger one */
    int fraction = -1; /* digits after the point; -1 before it */
    for (; at < size; at++) {
        if (data[at] == '.' && fraction < 0 && at > digits_at) {
            fraction = 0;
            continue;
        }
        if (!is_digit(data[at]))
            return nb__fail(error, NB_E_FIELD, at, "not a decimal number");
        if (fraction >= 0 && ++fraction > NB_PRICE_DECIMALS_MAX)
            return nb__fail(error, NB_E_RANGE, at, "more than 9 decimals");
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, data[at] - '0', &value))
            return nb__fail(error, NB_E_RANGE, at, "does not fit 64 bits in 1e-9");
    }
    if (at == digits_at || fraction == 0)
        return nb__fail(error, NB_E_FIELD, at, "a digit is missing");
    int shift = NB_PRICE_DECIMALS_MAX - (fraction > 0 ? fraction : 0);
    if (__builtin_mul_overflow(value, power10[shift], &value) ||
        (!is_negative && (value == INT64_MIN || value == -NB_PRICE_UNDEF)))
        return nb__fail(error, NB_E_RANGE, 0, "does not fit 64 bits in 1e-9");
    *out = is_negative ? value : -value;
    if (decimals != NULL)
        *decimals = fraction > 0 ? fraction : 0;
    return NB_OK;
}

/* The digits of `value`, so that they end before `end`. By hand: a night has a hundred million. */
static char *digits_before(char *end, uint64_t value)
{
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return end;
}

size_t nb_price_print(char out[NB_PRICE_TEXT_MAX], nb_price price, int decimals)
{
    if (price == NB_PRICE_UNDEF) {
        out[0] = '\0';
        return 0;
    }
    uint64_t magnitude = price < 0 ? UINT64_C(0) - (uint64_t)price : (uint64_t)price;
    uint64_t whole = magnitude / (uint64_t)NB_PRICE_ONE, rest = magnitude % (uint64_t)NB_PRICE_ONE;
    if (decimals < 0)
        decimals = 0;
    if (decimals > NB_PRICE_DECIMALS_MAX)
        decimals = NB_PRICE_DECIMALS_MAX;
    while (decimals < NB_PRICE_DECIMALS_MAX &&
           rest % (uint64_t)power10[NB_PRICE_DECIMALS_MAX - decimals] != 0)
        decimals++; /* never loses a digit */
    char text[NB_PRICE_TEXT_MAX], *end = text + sizeof text, *at = end;
    *--at = '\0';
    rest /= (uint64_t)power10[NB_PRICE_DECIMALS_MAX - decimals];
    for (int i = 0; i < decimals; i++, rest /= 10)
        *--at = (char)('0' + rest % 10);
    if (decimals > 0)
        *--at = '.';
    at = digits_before(at, whole);
    if (price < 0)
        *--at = '-';
    memcpy(out, at, (size_t)(end - at));
    return (size_t)(end - at) - 1;
}

size_t nb__integer_print(char out[NB__INTEGER_TEXT_MAX], int64_t value)
{
    char text[NB__INTEGER_TEXT_MAX], *end = text + sizeof text, *at = end;
    *--at = '\0';
    at = digits_before(at, value < 0 ? UINT64_C(0) - (uint64_t)value : (uint64_t)value);
    if (value < 0)
        *--at = '-';
    memcpy(out, at, (size_t)(end - at));
    return (size_t)(end - at) - 1;
}
