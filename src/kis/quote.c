/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One record of a book TR to nb_quote and back: a loop over the TR's rows, hand-written for each
 * kind.
 *
 * The rows tell where nb_quote keeps a field; a field without a place is still checked. Decoding
 * works on a copy, so that the caller's quote is written on success only.
 */
#include "field.h"
#include "quote_wide.h"
#include <assert.h>
#include <string.h>

static_assert(sizeof(nb_quote) == 256, "four cache lines");
static_assert(sizeof(nb_level) == 16 && _Alignof(nb_quote) == 8, "no holes");
static_assert(offsetof(nb_quote, reserved) + sizeof(((nb_quote *)0)->reserved) == 256, "no tail");

/* clang-format off */
#define NO_LEVEL {NB_PRICE_UNDEF, NB_INT32_UNDEF, NB_INT32_UNDEF}
#define NO_LEVELS {NO_LEVEL, NO_LEVEL, NO_LEVEL, NO_LEVEL, NO_LEVEL}
/* clang-format on */

static const nb_quote undefined_quote = {.recv_ns = NB_TIME_UNDEF,
                                         .event_ns = NB_TIME_UNDEF,
                                         .ask = NO_LEVELS,
                                         .bid = NO_LEVELS,
                                         .total_ask_count = NB_INT_UNDEF,
                                         .total_bid_count = NB_INT_UNDEF,
                                         .total_ask_quantity = NB_INT_UNDEF,
                                         .total_bid_quantity = NB_INT_UNDEF,
                                         .total_ask_change = NB_INT_UNDEF,
                                         .total_bid_change = NB_INT_UNDEF,
                                         .time_hhmmss = NB_INT32_UNDEF};

/* ---- decode ---- */

/* A blank keeps what the field is from the start: undefined. */
static inline nb_err decode_integer(cursor *c, const nb_field *field, nb_quote *quote)
{
    const char *first = c->at;
    int64_t value;
    nb_err code = field_integer(c, field->kind == NB_KIND_CHANGE, &value);
    if (code != NB_OK || field->quote_offset < 0)
        return code; /* value is only written on NB_OK */
    bool is_told = value != NB_INT_UNDEF && (value != 0 || field->kind != NB_KIND_COUNT);
    if (!is_told)
        return NB_OK;
    char *place = (char *)quote + field->quote_offset;
    if (!field_is_level(field)) {
        memcpy(place, &value, sizeof value);
        return NB_OK;
    }
    if (value > INT32_MAX) {
        c->at = first;
        return NB_E_RANGE;
    }
    int32_t narrow = (int32_t)value;
    memcpy(place, &narrow, sizeof narrow);
    return NB_OK;
}

static inline nb_err decode_decimal(cursor *c, const nb_field *field, nb_quote *quote)
{
    nb_price price;
    int decimals;
    nb_err code = field_decimal(c, &price, &decimals);
    if (code != NB_OK || field->quote_offset < 0)
        return code;
    memcpy((char *)quote + field->quote_offset, &price, sizeof price);
    if (decimals > quote->decimals)
        quote->decimals = (uint8_t)decimals;
    return NB_OK;
}

/* The kinds that come once or never in a record. */
static nb_err decode_rare(cursor *c, const nb_field *field, nb_quote *quote)
{
    const char *first = c->at;
    nb_err code = NB_OK;
    int32_t hhmmss;
    nb_price price;
    int decimals;
    switch (field->kind) {
    case NB_KIND_CODE:
        code = nb__field_code(c);
        if (code == NB_OK && field->quote_offset >= 0)
            memcpy(quote->key, first, (size_t)(c->at - first));
        break;
    case NB_KIND_TIME:
        code = nb__field_time(c, &hhmmss);
        if (code == NB_OK && field->quote_offset >= 0)
            quote->time_hhmmss = hhmmss;
        break;
    case NB_KIND_DECIMAL: /* has no place in a quote */
        if (!nb__field_nan(c))
            code = nb__field_decimal(c, &price, &decimals);
        break;
    default:
        nb__field_text(c);
    }
    return code;
}

static inline nb_err decode_field(cursor *c, const nb_field *field, nb_quote *quote)
{
    switch (field->kind) {
    case NB_KIND_PRICE:
        return decode_decimal(c, field, quote);
    case NB_KIND_COUNT:
    case NB_KIND_QUANTITY:
    case NB_KIND_CHANGE:
        return decode_integer(c, field, quote);
    default: {
        cursor rare = *c; /* a copy, so that the loop's cursor stays in registers */
        nb_err code = decode_rare(&rare, field, quote);
        c->at = rare.at;
        return code;
    }
    }
}

static void clear_empty_levels(nb_level levels[NB_LEVELS])
{
    for (int i = 0; i < NB_LEVELS; i++)
        if (levels[i].price == 0 &&
            (levels[i].quantity == 0 || levels[i].quantity == NB_INT32_UNDEF))
            levels[i].price = NB_PRICE_UNDEF;
}

nb_err nb_quote_decode(const nb_tr *tr, nb_span record, nb_quote *out, nb_error *error)
{
    uint16_t tr_index = nb__tr_index(tr);
    if (tr_index != UINT16_MAX && nb__quote_wide_is_possible()) {
        const quote_lanes *lanes = nb__quote_lanes_at(tr_index);
        if (lanes->is_usable && nb__quote_decode_wide(lanes, tr_index, record, out))
            return NB_OK;
    }
    return nb__quote_decode_scalar(tr, record, out, error);
}

nb_err nb__quote_decode_scalar(const nb_tr *tr, nb_span record, nb_quote *out, nb_error *error)
{
    if (!tr->is_book)
        return nb__fail(error, NB_E_ARGUMENT, 0, "%s is not a book TR", tr->id);
    cursor c = cursor_of(record);
    nb_quote quote = undefined_quote;
    const nb_field *field = tr->fields, *end = field + tr->field_count;
    for (;;) {
        nb_err code = decode_field(&c, field, &quote);
        if (__builtin_expect(code != NB_OK, 0))
            return nb__field_fail(error, code, field, record, c);
        if (++field == end)
            break;
        if (c.at == c.end)
            return nb__field_missing(error, tr, (int)(field - tr->fields), record);
        c.at++;
    }
    clear_empty_levels(quote.ask);
    clear_empty_levels(quote.bid);
    int field_count = tr->field_count + nb__field_count_rest(c);
    quote.field_count = field_count < UINT16_MAX ? (uint16_t)field_count : UINT16_MAX;
    quote.tr_index = nb__tr_index(tr);
    *out = quote;
    return NB_OK;
}

/* ---- encode ---- */

/* Where the text goes; a writer that finds no room sets is_full and writes nothing from there on.
 */
typedef struct writer {
    char *at, *end;
    bool is_full;
} writer;

static void put(writer *w, const char *data, size_t size_bytes)
{
    if ((size_t)(w->end - w->at) < size_bytes)
        w->is_full = true;
    if (w->is_full)
        return;
    memcpy(w->at, data, size_bytes);
    w->at += size_bytes;
}

/* At least `digits_min` digits. */
static void put_digits(writer *w, uint64_t value, int digits_min)
{
    char text[20];
    char *first = text + sizeof text;
    while (value > 0 || text + sizeof text - first < digits_min) {
        *--first = (char)('0' + value % 10);
        value /= 10;
    }
    put(w, first, (size_t)(text + sizeof text - first));
}

static uint64_t put_sign(writer *w, int64_t value)
{
    if (value >= 0)
        return (uint64_t)value;
    put(w, "-", 1);
    return UINT64_C(0) - (uint64_t)value;
}

static void put_price(writer *w, nb_price price, int decimals)
{
    uint64_t magnitude = put_sign(w, price), one = (uint64_t)NB_PRICE_ONE;
    uint64_t rest = magnitude % one, unit;
    if (decimals > NB_PRICE_DECIMALS_MAX)
        decimals = NB_PRICE_DECIMALS_MAX;
    while (rest % (unit = (uint64_t)nb__field_power10[NB_PRICE_DECIMALS_MAX - decimals]) != 0)
        decimals++; /* never loses a digit */
    put_digits(w, magnitude / one, 1);
    if (decimals == 0)
        return;
    put(w, ".", 1);
    put_digits(w, rest / unit, decimals);
}

/* An undefined price is KIS's zero; beside a quantity it can only have been a blank, and is one
 * again. */
static void encode_price(writer *w, const nb_quote *quote, int16_t offset)
{
    nb_level level;
    memcpy(&level, (const char *)quote + offset, sizeof level);
    if (level.price != NB_PRICE_UNDEF)
        put_price(w, level.price, quote->decimals);
    else if (level.quantity == 0 || level.quantity == NB_INT32_UNDEF)
        put_price(w, 0, quote->decimals);
}

static int64_t load_integer(const nb_quote *quote, const nb_field *field)
{
    const char *place = (const char *)quote + field->quote_offset;
    int64_t value;
    if (field_is_level(field)) {
        int32_t narrow;
        memcpy(&narrow, place, sizeof narrow);
        return narrow == NB_INT32_UNDEF ? NB_INT_UNDEF : narrow;
    }
    memcpy(&value, place, sizeof value);
    return value;
}

static void encode_field(writer *w, const nb_field *field, const nb_quote *quote)
{
    if (field->quote_offset < 0)
        return;
    int64_t value;
    switch (field->kind) {
    case NB_KIND_CODE:
        put(w, quote->key, strnlen(quote->key, sizeof quote->key));
        break;
    case NB_KIND_TIME:
        if (quote->time_hhmmss >= 0)
            put_digits(w, (uint64_t)quote->time_hhmmss, 6);
        break;
    case NB_KIND_PRICE:
        encode_price(w, quote, field->quote_offset);
        break;
    case NB_KIND_COUNT:
        value = load_integer(quote, field);
        put_digits(w, value == NB_INT_UNDEF ? 0 : put_sign(w, value), 1);
        break;
    case NB_KIND_QUANTITY:
    case NB_KIND_CHANGE:
        value = load_integer(quote, field);
        if (value != NB_INT_UNDEF)
            put_digits(w, put_sign(w, value), 1);
        break;
    case NB_KIND_DECIMAL:
    case NB_KIND_TEXT:
        break; /* have no place in a quote */
    }
}

nb_err nb_quote_encode(const nb_tr *tr, const nb_quote *quote, char *out, size_t capacity_bytes,
                       size_t *size_bytes)
{
    char *first = out;
    writer w = {.at = first, .end = first + capacity_bytes};
    for (int i = 0; i < tr->field_count; i++) {
        if (i > 0)
            put(&w, "^", 1);
        encode_field(&w, &tr->fields[i], quote);
    }
    if (w.is_full)
        return NB_E_LIMIT;
    *size_bytes = (size_t)(w.at - first);
    return NB_OK;
}
