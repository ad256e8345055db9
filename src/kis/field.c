/* SPDX-License-Identifier: Apache-2.0 */
/* The complete field readers, for every form that a field may have, and the words for a field that
 * is wrong. */
#include "field.h"

const int64_t nb__field_power10[NB_PRICE_DECIMALS_MAX + 1] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

static bool is_digit(cursor c)
{
    return c.at < c.end && *c.at >= '0' && *c.at <= '9';
}

/* Take digits, at most `count_max` of them, while the sum keeps within 2^63. @return false when it
 * does not. */
static bool take_digits(cursor *c, int count_max, uint64_t *sum)
{
    const uint64_t sum_max = UINT64_C(1) << 63; /* the magnitude of INT64_MIN */
    for (int i = 0; i < count_max && is_digit(*c); i++, c->at++) {
        uint64_t digit = (uint64_t)(*c->at - '0');
        if (*sum > (sum_max - digit) / 10)
            return false;
        *sum = *sum * 10 + digit;
    }
    return true;
}

nb_err nb__field_integer(cursor *c, bool may_be_negative, int64_t *out)
{
    if (field_ends(*c)) {
        *out = NB_INT_UNDEF;
        return NB_OK;
    }
    const char *first = c->at;
    bool is_negative = may_be_negative && *c->at == '-';
    c->at += is_negative;
    const char *digits_at = c->at;
    uint64_t value = 0;
    if (!take_digits(c, INT32_MAX, &value) || value > INT64_MAX) { /* INT64_MIN is NB_INT_UNDEF */
        c->at = first;
        return NB_E_RANGE;
    }
    if (c->at == digits_at || !field_ends(*c))
        return NB_E_FIELD;
    *out = is_negative ? -(int64_t)value : (int64_t)value;
    return NB_OK;
}

/* The digits after the point. On NB_E_RANGE the cursor is on the tenth, or anywhere when the sum
 * did not fit. */
static nb_err take_fraction(cursor *c, uint64_t *sum, int *decimals)
{
    const char *fraction_at = c->at;
    if (!take_digits(c, NB_PRICE_DECIMALS_MAX, sum) || is_digit(*c))
        return NB_E_RANGE;
    *decimals = (int)(c->at - fraction_at);
    return *decimals > 0 ? NB_OK : NB_E_FIELD;
}

nb_err nb__field_decimal(cursor *c, nb_price *out, int *decimals)
{
    const char *first = c->at;
    *decimals = 0;
    if (field_ends(*c)) {
        *out = NB_PRICE_UNDEF;
        return NB_OK;
    }
    bool is_negative = *c->at == '-';
    c->at += is_negative;
    const char *digits_at = c->at;
    uint64_t value = 0;
    bool fits = take_digits(c, INT32_MAX, &value);
    if (c->at == digits_at)
        return NB_E_FIELD;
    if (fits && c->at < c->end && *c->at == '.') {
        c->at++;
        nb_err code = take_fraction(c, &value, decimals);
        if (code == NB_E_FIELD)
            return code;
        fits = code == NB_OK;
    }
    uint64_t one = (uint64_t)nb__field_power10[NB_PRICE_DECIMALS_MAX - *decimals];
    uint64_t magnitude_max = is_negative ? UINT64_C(1) << 63 : (uint64_t)NB_PRICE_UNDEF - 1;
    if (!fits || __builtin_mul_overflow(value, one, &value) || value > magnitude_max) {
        c->at = first;
        return NB_E_RANGE;
    }
    if (!field_ends(*c))
        return NB_E_FIELD;
    *out = is_negative ? (int64_t)(UINT64_C(0) - value) : (int64_t)value;
    return NB_OK;
}

nb_err nb__field_time(cursor *c, int32_t *out)
{
    if (field_ends(*c)) {
        *out = NB_INT32_UNDEF;
        return NB_OK;
    }
    static const char last[6] = {'2', '9', '5', '9', '5', '9'};
    int32_t value = 0;
    for (int i = 0; i < 6; i++, c->at++) {
        if (!is_digit(*c) || *c->at > last[i])
            return NB_E_FIELD;
        value = value * 10 + (*c->at - '0');
    }
    if (!field_ends(*c))
        return NB_E_FIELD;
    *out = value;
    return NB_OK;
}

nb_err nb__field_code(cursor *c)
{
    const char *first = c->at;
    for (; !field_ends(*c); c->at++) {
        bool is_code = is_digit(*c) || (*c->at >= 'A' && *c->at <= 'Z');
        if (!is_code || c->at - first == NB_TR_KEY_MAX)
            return NB_E_FIELD;
    }
    return c->at == first ? NB_E_FIELD : NB_OK;
}

bool nb__field_nan(cursor *c)
{
    cursor word = *c;
    word.at += word.at < word.end && *word.at == '-';
    for (const char *letter = "nan"; *letter != '\0'; letter++, word.at++)
        if (word.at == word.end || *word.at != *letter)
            return false;
    if (!field_ends(word))
        return false;
    *c = word;
    return true;
}

void nb__field_text(cursor *c)
{
    while (!field_ends(*c))
        c->at++;
}

int nb__field_count_rest(cursor c)
{
    int count = 0;
    for (; c.at < c.end; c.at++)
        count += *c.at == '^';
    return count;
}

/* ---- what is wrong ---- */

static const char *expected_of(nb_kind kind)
{
    switch (kind) {
    case NB_KIND_CODE:
        return "a code of 1-12 A-Z 0-9";
    case NB_KIND_TIME:
        return "a time HHMMSS";
    case NB_KIND_PRICE:
    case NB_KIND_DECIMAL:
        return "a decimal number";
    case NB_KIND_COUNT:
    case NB_KIND_QUANTITY:
        return "a whole number";
    case NB_KIND_CHANGE:
        return "a whole number, '-' allowed";
    case NB_KIND_TEXT:
        break;
    }
    return "text";
}

static const char *range_of(const nb_field *field, cursor c)
{
    if (field->kind != NB_KIND_PRICE && field->kind != NB_KIND_DECIMAL)
        return field_is_level(field) ? "more than 32 bits" : "more than 64 bits";
    while (!field_ends(c) && *c.at != '.')
        c.at++;
    for (int i = 0; i <= NB_PRICE_DECIMALS_MAX && !field_ends(c); i++)
        c.at++;
    return is_digit(c) ? "more than 9 decimals" : "more than 64 bits in 1e-9";
}

nb_err nb__field_fail(nb_error *error, nb_err code, const nb_field *field, nb_span record, cursor c)
{
    size_t offset_bytes = record.size_bytes - (size_t)(c.end - c.at);
    if (code == NB_E_RANGE)
        return nb__fail(error, code, offset_bytes, "field %s: %s; it is never rounded", field->name,
                        range_of(field, c));
    const char *expected = expected_of(field->kind);
    if (field_ends(c))
        return nb__fail(error, code, offset_bytes, "field %s: ends too early for %s", field->name,
                        expected);
    unsigned char byte = (unsigned char)*c.at;
    if (byte > 0x20 && byte < 0x7f)
        return nb__fail(error, code, offset_bytes, "field %s: '%c' does not belong into %s",
                        field->name, byte, expected);
    return nb__fail(error, code, offset_bytes, "field %s: byte 0x%02x does not belong into %s",
                    field->name, byte, expected);
}

nb_err nb__field_missing(nb_error *error, const nb_tr *tr, int field_index, nb_span record)
{
    return nb__fail(error, NB_E_WIDTH, record.size_bytes, "field %s: missing; %d fields, %s has %d",
                    tr->fields[field_index].name, field_index, tr->id, tr->field_count);
}
