/* SPDX-License-Identifier: Apache-2.0 */
/* The schema's text: the shipped one is the table that is built in, and no text harms the parser.
 */
#include "guard.h"
#include "kis/kis.h"
#include <stdio.h>
#include <string.h>

static nb__text read_file(const char *path)
{
    nb__text text = {0};
    char chunk[4096];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    for (size_t size; (size = fread(chunk, 1, sizeof chunk, file)) > 0;)
        nb__text_append(&text, chunk, size);
    fclose(file);
    return text;
}

static void the_shipped_schema_is_built_in(void **state)
{
    (void)state;
    nb__text text = read_file(NB_SOURCE_DIR "/schema/kis.schema");
    nb__schema *schema = NULL;
    assert_int_equal(nb__schema_parse(nb__text_view(&text), &schema, NULL), NB_OK);
    for (size_t i = 0; i < schema->count; i++) {
        const nb_tr *tr = &schema->trs[i], *row = nb_tr_at(i);
        assert_non_null(row);
        assert_string_equal(tr->id, row->id);
        assert_string_equal(tr->title, row->title);
        assert_string_equal(tr->title_ko, row->title_ko);
        assert_int_equal(tr->field_count, row->field_count);
        assert_int_equal(tr->field_count_min, row->field_count_min);
        assert_int_equal(tr->is_book, row->is_book);
        for (int j = 0; j < tr->field_count; j++) {
            assert_string_equal(tr->fields[j].name, row->fields[j].name);
            assert_string_equal(tr->fields[j].name_ko, row->fields[j].name_ko);
            assert_string_equal(tr->fields[j].unit, row->fields[j].unit);
            assert_int_equal(tr->fields[j].kind, row->fields[j].kind);
            assert_int_equal(tr->fields[j].quote_offset, row->fields[j].quote_offset);
        }
    }
    assert_null(nb_tr_at(schema->count));
    nb__text rows = read_file(NB_SOURCE_DIR "/src/kis/tr_rows.inc"), made = {0};
    nb__schema_print_c(schema, &made);
    assert_true(
        nb__span_equal(nb__text_view(&made), nb__text_view(&rows))); /* else: script/generate */
    nb__text_fini(&made);
    nb__text_fini(&rows);
    nb__text_fini(&text);
    nb__schema_free(schema);
}

/* Every place of nb_quote is filled once, by the field that KIS names so. */
static void books_fill_the_quote(void **state)
{
    (void)state;
    for (size_t i = 0; nb_tr_at(i) != NULL; i++) {
        const nb_tr *tr = nb_tr_at(i);
        assert_int_equal(tr->field_count, 38);
        for (int j = 0; j < tr->field_count; j++)
            for (int k = 0; k < j; k++)
                assert_int_not_equal(tr->fields[j].quote_offset, tr->fields[k].quote_offset);
        assert_int_equal(tr->fields[0].quote_offset, offsetof(nb_quote, key));
        assert_int_equal(tr->fields[2].quote_offset, offsetof(nb_quote, ask[0].price));
        assert_int_equal(tr->fields[11].quote_offset, offsetof(nb_quote, bid[4].price));
        assert_int_equal(tr->fields[12].quote_offset, offsetof(nb_quote, ask[0].count));
        assert_int_equal(tr->fields[27].quote_offset, offsetof(nb_quote, bid[0].quantity));
        assert_int_equal(tr->fields[37].quote_offset, offsetof(nb_quote, total_bid_change));
    }
}

static void bad_lines_are_named(void **state)
{
    (void)state;
#define HEAD "# comment\n\ntr H0TEST00 2 1 plain | Test | 시험\n"
    const struct {
        const char *text, *words;
    } cases[] = {
        {"", "the schema is empty"},
        {"# nothing\n", "line 1: no TR in it"},
        {"KEY code - 코드\n", "line 1: a field stands before any TR"},
        {"tr\n", "line 1: a TR is 1-15 letters"},
        {"tr H0TEST0012345678 2 1 plain | T | T\n", "line 1: a TR is 1-15 letters"},
        {"tr H0TEST00 0 1 plain | T | T\n", "line 1: the width is a number of 1-128"},
        {"tr H0TEST00 129 1 plain | T | T\n", "line 1: the width is a number of 1-128"},
        {"tr H0TEST00 2 3 plain | T | T\n", "line 1: the least width is a number of 1-2"},
        {"tr H0TEST00 2 1 novel | T | T\n", "line 1: after the widths stands book or plain"},
        {"tr H0TEST00 2 1 plain | T\n", "line 1: two titles are expected"},
        {"tr H0TEST00 2 1 plain | T | \xff\n", "line 1: two titles are expected"},
        {"tr H0TEST00 2 1 plain | T | a|b\n", "line 1: two titles are expected"},
        {"tr H0TEST00 2 1 plain | T | \x1b[31m\n", "line 1: two titles are expected"},
        {HEAD "1KEY code - 코드\n", "line 4: a field's name is 1-40 letters"},
        {HEAD "KEY coda - 코드\n", "line 4: the kind is none of"},
        {HEAD "KEY code\n", "line 4: a unit (or '-') and a Korean name"},
        {HEAD "KEY code -\n", "line 4: a unit (or '-') and a Korean name"},
        {HEAD "KEY code - 코드\nkey text - 이름\n", "line 5: key stands here twice"},
        {HEAD "KEY code - 코드\n", "line 4: H0TEST00 has 1 fields; its width says 2"},
        {HEAD "A text - 가\nB text - 나\nC text - 다\n",
         "line 6: H0TEST00 has more fields than its width 2"},
        {HEAD "A text - 가\nB text - 나\n" HEAD, "line 8: H0TEST00 stands here twice"},
        {"tr B 2 2 book | T | T\nX_SHRN_ISCD code - 가\nBSOP_HOUR text - 나\n",
         "line 3: in a book bsop_hour is of another kind"},
        {"tr B 2 2 book | T | T\nX_SHRN_ISCD code - 가\nY_SHRN_ISCD code - 나\n",
         "line 3: y_shrn_iscd has the place of x_shrn_iscd"},
        {"tr B 2 2 book | T | T\nX_SHRN_ISCD code - 가\nBSOP_HOUR time - 나\n",
         "line 3: B is a book: it begins with a code"},
        {"tr B 2 1 book | T | T\nX_SHRN_ISCD code - 가\nBSOP_HOUR time - 나\n",
         "line 3: B is a book: its least width is its width"},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__schema *schema = NULL;
        nb_error error = {0};
        nb_err code = nb__schema_parse(nb__span(cases[i].text), &schema, &error);
        if (code != NB_E_SCHEMA ||
            strncmp(error.detail, cases[i].words, strlen(cases[i].words)) != 0)
            fail_msg("%s\n%s: %s", cases[i].text, nb_error_name(code), error.detail);
        assert_null(schema);
        assert_int_equal(nb__schema_parse(nb__span(cases[i].text), &schema, NULL), NB_E_SCHEMA);
    }
}

static void names_and_layout_are_lenient(void **state)
{
    (void)state;
    nb__schema *schema = NULL;
    assert_int_equal(
        nb__schema_parse(
            NB__SPAN("tr\tX 1 1\tplain |a ?\"\\ b|c\r\n\r\n\t KEY_1\ttext  -\t 이 름 \t"), &schema,
            NULL),
        NB_OK);
    const nb_tr *tr = &schema->trs[0];
    assert_string_equal(tr->title, "a ?\"\\ b");
    assert_string_equal(tr->title_ko, "c");
    assert_string_equal(tr->fields[0].name, "key_1");
    assert_string_equal(tr->fields[0].unit, "");
    assert_string_equal(tr->fields[0].name_ko, "이 름");
    assert_int_equal(tr->fields[0].quote_offset, -1);
    nb__text made = {0};
    nb__schema_print_c(schema, &made);
    assert_non_null(strstr(made.data, "\"a \\?\\\"\\\\ b\""));
    nb__text_fini(&made);
    nb__schema_free(schema);
}

static void limits(void **state)
{
    (void)state;
    nb__text text = {0};
    nb__schema *schema = NULL;
    nb_error error = {0};
    for (int i = 0; i < 257; i++)
        nb__text_printf(&text, "tr T%d 1 1 plain | T | T\nA text - A\n", i);
    assert_int_equal(nb__schema_parse(nb__text_view(&text), &schema, &error), NB_E_SCHEMA);
    assert_string_equal(error.detail, "line 513: more than 256 TRs");
    while (text.size_bytes <= 1 << 20)
        nb__text_string(&text, "# a comment that goes on and on\n");
    assert_int_equal(nb__schema_parse(nb__text_view(&text), &schema, &error), NB_E_SCHEMA);
    assert_string_equal(error.detail, "a schema has at most 1048576 bytes");
    nb__text_fini(&text);
}

static void cut_at_every_byte_at_a_guard_page(void **state)
{
    (void)state;
    nb__text text = read_file(NB_SOURCE_DIR "/schema/kis.schema");
    size_t tr_at = (size_t)(strstr(text.data, "\ntr ") - text.data);
    for (size_t size = tr_at; size < tr_at + 2600; size++) {
        guard back = guard_copy(text.data, size);
        nb__schema *schema = NULL;
        if (nb__schema_parse((nb_span){back.data, size}, &schema, NULL) == NB_OK)
            nb__schema_free(schema);
        guard_free(&back);
    }
    nb__text_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_schema_is_built_in),
        cmocka_unit_test(books_fill_the_quote),
        cmocka_unit_test(bad_lines_are_named),
        cmocka_unit_test(names_and_layout_are_lenient),
        cmocka_unit_test(limits),
        cmocka_unit_test(cut_at_every_byte_at_a_guard_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
