/* SPDX-License-Identifier: Apache-2.0 */
/* Records of any TR: each documented field's value by its kind, for what prints them. */
#include "field.h"

static nb_err read_integer(cursor *c, const nb_field *field, nb__value *value)
{
    const char *first = c->at;
    nb_err code = field_integer(c, field->kind == NB_KIND_CHANGE, &value->number);
    if (code == NB_OK && field_is_level(field) && value->number > INT32_MAX) {
        c->at = first;
        return NB_E_RANGE;
    }
    value->is_undefined =
        value->number == NB_INT_UNDEF || (field->kind == NB_KIND_COUNT && value->number == 0);
    return code;
}

static nb_err read_decimal(cursor *c, const nb_field *field, nb__value *value)
{
    if (field->kind == NB_KIND_DECIMAL && nb__field_nan(c)) {
        value->is_undefined = true;
        return NB_OK;
    }
    nb_err code = field_decimal(c, &value->number, &value->decimals);
    value->is_undefined = value->number == NB_PRICE_UNDEF;
    return code;
}

static nb_err read_value(cursor *c, const nb_field *field, nb__value *value)
{
    const char *first = c->at;
    nb_err code = NB_OK;
    *value = (nb__value){0};
    switch (field->kind) {
    case NB_KIND_CODE:
        code = nb__field_code(c);
        break;
    case NB_KIND_TIME: {
        int32_t hhmmss = 0;
        code = nb__field_time(c, &hhmmss);
        value->number = hhmmss;
        value->is_undefined = hhmmss == NB_INT32_UNDEF;
        break;
    }
    case NB_KIND_PRICE:
    case NB_KIND_DECIMAL:
        code = read_decimal(c, field, value);
        break;
    case NB_KIND_COUNT:
    case NB_KIND_QUANTITY:
    case NB_KIND_CHANGE:
        code = read_integer(c, field, value);
        break;
    case NB_KIND_TEXT:
        nb__field_text(c);
        value->is_undefined = c->at == first;
        break;
    }
    value->text = (nb_span){first, (size_t)(c->at - first)};
    return code;
}

/* A level's price 0 with its quantity 0 (or blank) is no level: nb_quote's places tell which
 * quantity is its own. */
static void mark_empty_levels(const nb_tr *tr, nb__value *values)
{
    int16_t price_to_quantity = (int16_t)(offsetof(nb_level, quantity) - offsetof(nb_level, price));
    for (int i = 0; i < tr->field_count; i++) {
        const nb_field *price = &tr->fields[i];
        if (price->kind != NB_KIND_PRICE || price->quote_offset < 0 || values[i].number != 0)
            continue;
        for (int j = 0; j < tr->field_count; j++)
            if (tr->fields[j].quote_offset == price->quote_offset + price_to_quantity)
                values[i].is_undefined = values[j].is_undefined || values[j].number == 0;
    }
}

nb_err nb__record_values(const nb_tr *tr, nb_span record, nb__value *values, int *count,
                         nb_error *error)
{
    cursor c = cursor_of(record);
    int read = 0;
    for (;;) {
        nb_err code = read_value(&c, &tr->fields[read], &values[read]);
        if (code != NB_OK)
            return nb__field_fail(error, code, &tr->fields[read], record, c);
        if (++read == tr->field_count || c.at == c.end)
            break;
        c.at++;
    }
    if (read < tr->field_count_min)
        return nb__field_missing(error, tr, read, record);
    *count = read + nb__field_count_rest(c);
    for (; read < tr->field_count; read++)
        values[read] = (nb__value){.text = {c.end, 0}, .is_undefined = true};
    if (tr->is_book)
        mark_empty_levels(tr, values);
    return NB_OK;
}
