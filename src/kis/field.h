/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The readers of one field's text, one a kind: shared by nb_quote_decode() and nb__record_values().
 *
 * A cursor walks over a record. Each reader takes one field: on NB_OK the cursor stands on the '^'
 * after it or at the record's end; otherwise on the first byte not accepted (of a number that does
 * not fit, on its first byte). A blank is read as undefined.
 *
 * field_integer() and field_decimal() take what KIS sends at all times (`46`, `1080.30`) inline,
 * which is the decoder's speed; all else, good or bad, goes to the complete readers of field.c.
 */
#ifndef NB_KIS_FIELD_H
#define NB_KIS_FIELD_H

#include "kis/kis.h"

typedef struct cursor {
    const char *at, *end;
} cursor;

/** Digits that fit 64 bits without a check. */
#define FIELD_DIGITS_SAFE 18
extern const int64_t nb__field_power10[NB_PRICE_DECIMALS_MAX + 1];

nb_err nb__field_integer(cursor *c, bool may_be_negative, int64_t *out);
nb_err nb__field_decimal(cursor *c, nb_price *out, int *decimals);
/** TIME: six digits, hours 00–29. */
nb_err nb__field_time(cursor *c, int32_t *out);
/** CODE: 1–12 of [A-Z0-9]. It is the routing key, so a blank is refused. */
nb_err nb__field_code(cursor *c);
/** DECIMAL: take `nan` or `-nan`. @return false, nothing taken, when it is none. */
bool nb__field_nan(cursor *c);
/** TEXT: anything. */
void nb__field_text(cursor *c);
/** Fields from the cursor (on a '^' or at the end) to the record's end: those that nobody
 * documented. */
int nb__field_count_rest(cursor c);

/** Fill `error` for the field at the cursor: its name, and what is wrong there. @return `code`. */
nb_err nb__field_fail(nb_error *error, nb_err code, const nb_field *field, nb_span record,
                      cursor c);
/** The same for a record that ends before its `field_index`th field. */
nb_err nb__field_missing(nb_error *error, const nb_tr *tr, int field_index, nb_span record);
/** @return the row's index in the built-in table, UINT16_MAX for a row of another table. */
uint16_t nb__tr_index(const nb_tr *tr);

static inline cursor cursor_of(nb_span record)
{
    if (record.size_bytes == 0)
        return (cursor){"", ""}; /* no arithmetic on NULL */
    return (cursor){record.data, record.data + record.size_bytes};
}

static inline bool field_ends(cursor c)
{
    return c.at == c.end || *c.at == '^';
}

/** Places of nb_quote's levels keep 32 bits. */
static inline bool field_is_level(const nb_field *field)
{
    return (uint16_t)field->quote_offset < offsetof(nb_quote, total_ask_count); /* -1 is above */
}

/* Take digits while there are any. More than FIELD_DIGITS_SAFE of them wrap around: the caller
 * counts. */
static inline uint64_t field_digits(cursor *c)
{
    const char *at = c->at, *end = c->end;
    uint64_t value = 0;
    for (; at < end; at++) {
        unsigned digit = (unsigned)(unsigned char)*at - '0';
        if (digit > 9)
            break;
        value = value * 10 + digit;
    }
    c->at = at;
    return value;
}

/** COUNT, QUANTITY, CHANGE: `[0-9]+`, with a '-' where it may be negative. NB_INT_UNDEF for a
 * blank. */
static inline nb_err field_integer(cursor *c, bool may_be_negative, int64_t *out)
{
    cursor plain = *c;
    uint64_t value = field_digits(&plain);
    size_t digits = (size_t)(plain.at - c->at);
    if (__builtin_expect(digits - 1 < FIELD_DIGITS_SAFE && field_ends(plain), 1)) {
        c->at = plain.at;
        *out = (int64_t)value;
        return NB_OK;
    }
    cursor odd = *c; /* a copy, so that the caller's cursor can stay in registers */
    nb_err code = nb__field_integer(&odd, may_be_negative, out);
    c->at = odd.at;
    return code;
}

/** PRICE, DECIMAL: the grammar of nb_price_parse(). NB_PRICE_UNDEF with 0 decimals for a blank. */
static inline nb_err field_decimal(cursor *c, nb_price *out, int *decimals)
{
    cursor plain = *c;
    uint64_t whole = field_digits(&plain);
    size_t whole_digits = (size_t)(plain.at - c->at);
    if (__builtin_expect(whole_digits - 1 < 9 && plain.at < plain.end && *plain.at == '.', 1)) {
        const char *fraction_at = ++plain.at;
        uint64_t fraction = field_digits(&plain);
        size_t digits = (size_t)(plain.at - fraction_at);
        if (__builtin_expect(digits - 1 < NB_PRICE_DECIMALS_MAX && field_ends(plain), 1)) {
            c->at = plain.at;
            *out = (int64_t)whole * NB_PRICE_ONE +
                   (int64_t)fraction * nb__field_power10[NB_PRICE_DECIMALS_MAX - digits];
            *decimals = (int)digits;
            return NB_OK;
        }
    }
    cursor odd = *c;
    nb_err code = nb__field_decimal(&odd, out, decimals);
    c->at = odd.at;
    return code;
}

#endif
