/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: kis base */
/* Schema files: what parses, prints; its rows keep their limits and decode any record without harm.
 */
#include "kis/kis.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool is_so)
{
    if (!is_so)
        abort();
}

static void check_tr(const nb_tr *tr)
{
    nb_span record =
        nb__span("A^120000^1.00^2^^0^nan^1^2^3^4^5^6^7^8^9^10^11^12^13^14^15^16^17^18");
    require(strlen(tr->id) <= NB_TR_ID_MAX);
    require(tr->field_count >= 1 && tr->field_count <= NB_FIELDS_MAX);
    require(tr->field_count_min >= 1 && tr->field_count_min <= tr->field_count);
    for (int i = 0; i < tr->field_count; i++) {
        const nb_field *field = &tr->fields[i];
        require(strlen(field->name) > 0 && strlen(field->name_ko) > 0);
        require(field->quote_offset >= -1 && field->quote_offset < (int)sizeof(nb_quote));
        require(field->quote_offset == -1 || tr->is_book);
    }
    nb__value values[NB_FIELDS_MAX];
    nb_quote quote;
    int count;
    (void)nb__record_values(tr, record, values, &count, NULL);
    (void)nb_quote_decode(tr, record, &quote, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    nb__schema *schema = NULL;
    nb_error error;
    nb_err code = nb__schema_parse((nb_span){(const char *)data, size_bytes}, &schema, &error);
    if (code != NB_OK) {
        require(schema == NULL && error.code == code && error.offset_bytes <= size_bytes);
        return 0;
    }
    require(schema->count > 0);
    for (size_t i = 0; i < schema->count; i++)
        check_tr(&schema->trs[i]);
    nb__text made = {0};
    nb__schema_print_c(schema, &made);
    require(!made.is_failed && made.size_bytes > 0);
    nb__text_fini(&made);
    nb__schema_free(schema);
    return 0;
}
