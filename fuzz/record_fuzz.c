/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: kis base */
/*
 * Records of a book: the first byte chooses the TR. Whatever decodes, encodes; that decodes to the
 * same quote and encodes to the same bytes. The generic values agree, good or bad; prices are those
 * of nb_price_parse(). The wide decoder gives what the scalar one gives.
 */
#include "kis/quote_wide.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool is_so)
{
    if (!is_so)
        abort();
}

static void check_price(const nb_quote *quote, const nb_field *field, const nb__value *value)
{
    nb_price price, parsed;
    memcpy(&price, (const char *)quote + field->quote_offset, sizeof price);
    require((price == NB_PRICE_UNDEF) == value->is_undefined);
    require(value->is_undefined || price == value->number);
    if (value->text.size_bytes == 0)
        return;
    require(nb_price_parse(value->text, &parsed, NULL, NULL) == NB_OK);
    require(parsed == value->number);
}

static void check_values(const nb_tr *tr, nb_span record, nb_err code, const nb_quote *quote,
                         const nb_error *error)
{
    nb__value values[NB_FIELDS_MAX];
    nb_error values_error;
    int count = 0;
    require(nb__record_values(tr, record, values, &count, &values_error) == code);
    if (code != NB_OK) {
        require(values_error.offset_bytes == error->offset_bytes);
        require(error->offset_bytes <= record.size_bytes);
        return;
    }
    require(count >= tr->field_count);
    for (int i = 0; i < tr->field_count; i++)
        if (tr->fields[i].kind == NB_KIND_PRICE)
            check_price(quote, &tr->fields[i], &values[i]);
}

static void check_wide(uint16_t tr_index, nb_span record)
{
    nb_quote wide, scalar;
    if (!nb__quote_wide_is_possible() ||
        !nb__quote_decode_wide(nb__quote_lanes_at(tr_index), tr_index, record, &wide))
        return;
    require(nb__quote_decode_scalar(nb_tr_at(tr_index), record, &scalar, NULL) == NB_OK);
    require(memcmp(&wide, &scalar, sizeof wide) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes == 0)
        return 0;
    const nb_tr *tr = nb_tr_at(data[0] == 'F');
    nb_span record = {(const char *)data + 1, size_bytes - 1};
    nb_quote first, second;
    nb_error error;
    nb_err code = nb_quote_decode(tr, record, &first, &error);
    check_wide(data[0] == 'F', record);
    check_values(tr, record, code, &first, &error);
    if (code != NB_OK)
        return 0;
    char text[NB_QUOTE_TEXT_MAX], again[NB_QUOTE_TEXT_MAX];
    size_t text_size, again_size;
    require(nb_quote_encode(tr, &first, text, sizeof text, &text_size) == NB_OK);
    require(nb_quote_decode(tr, (nb_span){text, text_size}, &second, &error) == NB_OK);
    first.field_count = tr->field_count; /* fields past the documented ones are not kept */
    require(memcmp(&first, &second, sizeof first) == 0);
    require(nb_quote_encode(tr, &second, again, sizeof again, &again_size) == NB_OK);
    require(again_size == text_size && memcmp(text, again, text_size) == 0);
    return 0;
}
