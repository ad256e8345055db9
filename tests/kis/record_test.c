/* SPDX-License-Identifier: Apache-2.0 */
/* Values of any TR: those of the quote where it is a book, and the kinds that no book has. */
#include "guard.h"
#include "records.h"
#include <string.h>

/* The value as nb_quote keeps it. */
static void check_value(const nb_quote *quote, const nb_field *field, const nb__value *value)
{
    const char *place = (const char *)quote + field->quote_offset;
    int64_t number = 0;
    int32_t narrow = 0;
    bool is_narrow = field->kind != NB_KIND_PRICE &&
                     ((size_t)field->quote_offset < offsetof(nb_quote, total_ask_count) ||
                      field->kind == NB_KIND_TIME);
    if (field->kind == NB_KIND_CODE) {
        assert_true(nb__span_is(value->text, place));
        return;
    }
    memcpy(is_narrow ? (void *)&narrow : (void *)&number, place, is_narrow ? 4 : 8);
    bool is_undefined = is_narrow                      ? narrow == NB_INT32_UNDEF
                        : field->kind == NB_KIND_PRICE ? number == NB_PRICE_UNDEF
                                                       : number == NB_INT_UNDEF;
    if (is_undefined != value->is_undefined)
        fail_msg("%s '%.*s': undefined in one only", field->name, (int)value->text.size_bytes,
                 value->text.data);
    if (!is_undefined)
        assert_int_equal(value->number, is_narrow ? narrow : number);
}

static void check_agrees(const nb_tr *tr, nb_span record)
{
    nb_quote quote;
    nb__value values[NB_FIELDS_MAX];
    nb_error quote_error = {0}, values_error = {0};
    int count = 0;
    nb_err code = nb_quote_decode(tr, record, &quote, &quote_error);
    assert_int_equal(nb__record_values(tr, record, values, &count, &values_error), code);
    if (code != NB_OK) {
        assert_int_equal(values_error.offset_bytes, quote_error.offset_bytes);
        assert_string_equal(values_error.detail, quote_error.detail);
        return;
    }
    assert_int_equal(count, quote.field_count);
    for (int i = 0; i < tr->field_count; i++)
        check_value(&quote, &tr->fields[i], &values[i]);
}

static void values_are_those_of_the_quote(void **state)
{
    (void)state;
    nb__random random;
    nb__random_init(&random, 20261120);
    nb__text text = {0};
    check_agrees(nb_tr_at(0), NB__SPAN(RECORD_OPTION));
    check_agrees(nb_tr_at(1), NB__SPAN(RECORD_FUTURE "^0^0^^000000"));
    check_agrees(nb_tr_at(0), NB__SPAN("A^1^")); /* a time that is none */
    check_agrees(nb_tr_at(0),
                 NB__SPAN("A^120000^1^2^3^4^5^6^7^8^9^10^2147483647^2147483648")); /* 32 bits */
    for (int round = 0; round < 20000; round++) {
        record_random(&random, (int)nb__random_below(&random, 4), &text);
        if (round % 2 == 1) /* a wound, somewhere */
            text.data[nb__random_below(&random, text.size_bytes)] =
                "^.-0x9"[nb__random_below(&random, 6)];
        check_agrees(nb_tr_at((size_t)round / 2 % 2), nb__text_view(&text));
    }
    nb__text_fini(&text);
}

static void cut_at_every_byte_between_guard_pages(void **state)
{
    (void)state;
    for (size_t size = 0; size <= strlen(RECORD_OPTION); size++) {
        guard back = guard_copy(RECORD_OPTION, size), front = guard_copy_front(RECORD_OPTION, size);
        check_agrees(nb_tr_at(0), (nb_span){back.data, size});
        check_agrees(nb_tr_at(0), (nb_span){front.data, size});
        guard_free(&back);
        guard_free(&front);
    }
}

/* A plain TR of our own, with a version narrower than the documented one. */
static nb__schema *plain_schema(void)
{
    nb__schema *schema = NULL;
    assert_int_equal(
        nb__schema_parse(NB__SPAN("tr H0TEST00 6 4 plain | Test | 시험\n"
                                  "  KEY code - 코드\n  DELTA decimal - 델타\n"
                                  "  NAME text - 이름\n  VOL quantity contract 거래량\n"
                                  "  VRSS change point 대비\n  OPTN_ASKP1 price point 호가\n"),
                         &schema, NULL),
        NB_OK);
    return schema;
}

static void kinds_that_no_book_has(void **state)
{
    (void)state;
    nb__schema *schema = plain_schema();
    const nb_tr *tr = &schema->trs[0];
    nb__value v[6];
    int count = 0;
    assert_int_equal(
        nb__record_values(tr, NB__SPAN("A1^-10.510^주가 지수^4294967296^-2^0.00"), v, &count, NULL),
        NB_OK);
    assert_int_equal(count, 6);
    assert_true(nb__span_is(v[0].text, "A1"));
    assert_int_equal(v[1].number, -10510000000);
    assert_int_equal(v[1].decimals, 3);
    assert_true(nb__span_is(v[2].text, "주가 지수"));
    assert_int_equal(v[3].number, INT64_C(4294967296)); /* no level of a book: 64 bits */
    assert_int_equal(v[4].number, -2);
    assert_false(v[5].is_undefined); /* a price of zero that is no level's */
    const char *const undefined[] = {"nan", "-nan", ""};
    for (size_t i = 0; i < NB__COUNT_OF(undefined); i++) {
        nb__text text = {0};
        nb__text_printf(&text, "A1^%s^^^", undefined[i]);
        assert_int_equal(nb__record_values(tr, nb__text_view(&text), v, &count, NULL), NB_OK);
        assert_int_equal(count, 5);
        for (int j = 1; j < 6; j++)
            assert_true(v[j].is_undefined);
        nb__text_fini(&text);
    }
    const char *const bad[] = {"A1^nanx^^", "A1^na^^", "A1^--nan^^", "A1^inf^^"};
    for (size_t i = 0; i < NB__COUNT_OF(bad); i++)
        assert_int_equal(nb__record_values(tr, nb__span(bad[i]), v, &count, NULL), NB_E_FIELD);
    nb__schema_free(schema);
}

static void narrower_versions_are_known(void **state)
{
    (void)state;
    nb__schema *schema = plain_schema();
    nb__value v[6];
    int count = 0;
    nb_error error = {0};
    assert_int_equal(nb__record_values(&schema->trs[0], NB__SPAN("A1^1^x^7"), v, &count, NULL),
                     NB_OK);
    assert_int_equal(count, 4);
    assert_false(v[3].is_undefined);
    assert_true(v[4].is_undefined && v[5].is_undefined);
    assert_int_equal(v[5].text.size_bytes, 0);
    assert_int_equal(nb__record_values(&schema->trs[0], NB__SPAN("A1^1^x"), v, &count, &error),
                     NB_E_WIDTH);
    assert_string_equal(error.detail, "field vol: missing; 3 fields, H0TEST00 has 6");
    assert_int_equal(error.offset_bytes, 6);
    assert_int_equal(
        nb__record_values(&schema->trs[0], NB__SPAN("A1^1^x^7^8^9^^"), v, &count, NULL), NB_OK);
    assert_int_equal(count, 8);
    nb__schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_the_quote),
        cmocka_unit_test(cut_at_every_byte_between_guard_pages),
        cmocka_unit_test(kinds_that_no_book_has),
        cmocka_unit_test(narrower_versions_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
