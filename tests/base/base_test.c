/* SPDX-License-Identifier: Apache-2.0 */
/* base: the error table, spans, exact prices, KST times, UTF-8, text. */
#include "base/base.h"
#include "guard.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void every_error_has_name_sentence_and_class(void **state)
{
    (void)state;
#define ROW(name, value, class_, sentence)                                                         \
    assert_string_equal(nb_error_name(value), "NB_" #name);                                        \
    assert_string_equal(nb_error_sentence(value), sentence);                                       \
    assert_int_equal(nb_error_class_of(value), NB_CLASS_##class_);
    NB_ERROR_TABLE(ROW)
#undef ROW
    assert_string_equal(nb_error_name((nb_err)-999), "NB_E_?");
}

static void a_failure_keeps_the_clause_of_each_layer(void **state)
{
    (void)state;
    nb_error error = {0};
    assert_int_equal(nb__fail(&error, NB_E_FIELD, 7, "not a %s", "number"), NB_E_FIELD);
    assert_int_equal(nb__fail_in(&error, "optn_askp1"), NB_E_FIELD);
    assert_string_equal(error.detail, "optn_askp1: not a number");
    assert_int_equal(error.offset_bytes, 7);
    assert_int_equal(nb__fail(NULL, NB_E_RANGE, 0, "x"), NB_E_RANGE);
    for (int i = 0; i < 100; i++)
        nb__fail_in(&error, "a clause that is rather long, number %d", i);
    assert_int_equal(strnlen(error.detail, sizeof error.detail), sizeof error.detail - 1);
}

typedef struct price_case {
    const char *text;
    nb_err code;
    int64_t value;
    int decimals;
    size_t offset_bytes;
} price_case;

static const price_case price_cases[] = {
    {"0", NB_OK, 0, 0, 0},
    {"0.00", NB_OK, 0, 2, 0},
    {"2.98", NB_OK, 2980000000, 2, 0},
    {"1097.50", NB_OK, 1097500000000, 2, 0},
    {"00367.35", NB_OK, 367350000000, 2, 0},
    {"-0.35", NB_OK, -350000000, 2, 0},
    {"0.123456789", NB_OK, 123456789, 9, 0},
    {"9223372036.854775806", NB_OK, INT64_MAX - 1, 9, 0},
    {"9223372036.854775807", NB_E_RANGE, 0, 0, 0}, /* the undefined price itself */
    {"-9223372036.854775808", NB_OK, INT64_MIN, 9, 0},
    {"-9223372036.854775809", NB_E_RANGE, 0, 0, 20},
    {"9223372037", NB_E_RANGE, 0, 0, 0},
    {"0.1234567890", NB_E_RANGE, 0, 0, 11},
    {"", NB_E_FIELD, 0, 0, 0},
    {"-", NB_E_FIELD, 0, 0, 1},
    {".5", NB_E_FIELD, 0, 0, 0},
    {"5.", NB_E_FIELD, 0, 0, 2},
    {"1.2.3", NB_E_FIELD, 0, 0, 3},
    {"+1", NB_E_FIELD, 0, 0, 0},
    {"1e3", NB_E_FIELD, 0, 0, 1},
    {"nan", NB_E_FIELD, 0, 0, 0},
    {" 1", NB_E_FIELD, 0, 0, 0},
    {"1 ", NB_E_FIELD, 0, 0, 1},
    {"1,000", NB_E_FIELD, 0, 0, 1},
};

static void prices_are_exact_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(price_cases); i++) {
        const price_case *c = &price_cases[i];
        guard g = guard_copy(c->text, strlen(c->text));
        nb_price value = 42;
        int decimals = 42;
        nb_error error = {0};
        nb_err code = nb_price_parse((nb_span){g.data, g.size_bytes}, &value, &decimals, &error);
        if (code != c->code)
            print_error("%s: %s\n", c->text, nb_error_name(code));
        assert_int_equal(code, c->code);
        if (code == NB_OK) {
            assert_int_equal(value, c->value);
            assert_int_equal(decimals, c->decimals);
        } else {
            assert_int_equal(value, 42); /* untouched */
            assert_int_equal(error.offset_bytes, c->offset_bytes);
        }
        guard_free(&g);
    }
}

static void integers_print_as_printf_has_them(void **state)
{
    (void)state;
    nb__random random;
    nb__random_init(&random, 7);
    const int64_t edges[] = {0, 1, -1, 9, 10, -10, INT64_MAX, INT64_MIN, 1795168919000000000};
    for (int i = 0; i < 20000; i++) {
        char text[NB__INTEGER_TEXT_MAX], expected[32];
        int64_t value = (int64_t)(nb__random_next(&random) >> nb__random_below(&random, 64));
        value = i < (int)NB__COUNT_OF(edges) ? edges[i] : i % 2 == 0 ? value : -value;
        int size = snprintf(expected, sizeof expected, "%lld", (long long)value);
        assert_int_equal(nb__integer_print(text, value), size);
        assert_string_equal(text, expected);
    }
}

static void a_price_printed_reads_back(void **state)
{
    (void)state;
    nb__random random;
    nb__random_init(&random, 7);
    for (int i = 0; i < 200000; i++) {
        nb_price price = (nb_price)(nb__random_next(&random) >> nb__random_below(&random, 64));
        if (nb__random_below(&random, 2))
            price = -price;
        char text[NB_PRICE_TEXT_MAX];
        size_t size = nb_price_print(text, price, (int)nb__random_below(&random, 10));
        assert_int_equal(size, strlen(text));
        nb_price back = 0;
        if (price == NB_PRICE_UNDEF) {
            assert_int_equal(size, 0);
            continue;
        }
        assert_int_equal(nb_price_parse((nb_span){text, size}, &back, NULL, NULL), NB_OK);
        assert_true(back == price);
    }
    char text[NB_PRICE_TEXT_MAX];
    nb_price_print(text, INT64_MIN, 9);
    assert_string_equal(text, "-9223372036.854775808");
    nb_price_print(text, 2900000000, 2);
    assert_string_equal(text, "2.90");
    nb_price_print(text, 2905000000, 2); /* never loses a digit */
    assert_string_equal(text, "2.905");
}

static void korean_time_goes_there_and_back(void **state)
{
    (void)state;
    assert_true(nb__kst_ns(19700101, 90000) == 0);
    assert_true(nb__kst_ns(20261120, 180000) == INT64_C(1795165200) * NB__NS_PER_S);
    assert_true(nb__kst_ns(20261120, 250000) == nb__kst_ns(20261121, 10000));
    char text[40];
    nb__kst_print(text, nb__kst_ns(20261120, 180000) + 123456789, 9);
    assert_string_equal(text, "2026-11-20T18:00:00.123456789+09:00");
    nb__kst_print(text, nb__kst_ns(20261120, 235959) + 999999999, 3);
    assert_string_equal(text, "2026-11-20T23:59:59.999+09:00");
    int date = 20230101, weekday = 0; /* a Sunday */
    for (int i = 0; i < 3000; i++) {
        assert_true(nb__date_is_valid(date));
        nb__civil c = nb__kst_civil(nb__kst_ns(date, 123456) + 7);
        assert_int_equal(c.date, date);
        assert_int_equal(c.hhmmss, 123456);
        assert_int_equal(c.ns, 7);
        assert_int_equal(c.weekday, weekday);
        assert_int_equal(nb__date_weekday(date), weekday);
        assert_int_equal(nb__date_add(nb__date_add(date, 1), -1), date);
        date = nb__date_add(date, 1);
        weekday = (weekday + 1) % 7;
    }
    assert_int_equal(date, 20310320);
    assert_false(nb__date_is_valid(20260229));
    assert_true(nb__date_is_valid(20280229));
    assert_false(nb__date_is_valid(20261301));
    assert_true(nb__date_is_valid(22611231)); /* the last year whose ns fit an int64_t */
    assert_true(nb__kst_ns(22611231, 295959) > 0);
    assert_false(nb__date_is_valid(22620101));
    assert_int_equal(nb__kst_civil(-1).date, 19700101);
    assert_int_equal(nb__kst_civil(-1).hhmmss, 85959);
}

typedef struct utf8_case {
    const char *text;
    size_t valid_bytes, replaced;
} utf8_case;

static void utf8_is_told_from_what_is_not(void **state)
{
    (void)state;
    static const utf8_case cases[] = {
        {"plain ascii, longer than eight", 30, 0},
        {"위클리C", 10, 0},
        {"\xF0\x9F\x98\x80", 4, 0},
        {"a\xC0\x80", 1, 2},        /* overlong */
        {"\xE0\x9F\xBF", 0, 3},     /* overlong */
        {"\xED\xA0\x80", 0, 3},     /* surrogate */
        {"\xF4\x90\x80\x80", 0, 4}, /* past U+10FFFF */
        {"12345678\xFFz", 8, 1},
        {"\xEC\x9C", 0, 2}, /* cut */
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        size_t size = strlen(cases[i].text);
        guard g = guard_copy(cases[i].text, size);
        assert_int_equal(nb__utf8_valid_prefix((nb_span){g.data, size}), cases[i].valid_bytes);
        assert_int_equal(nb__utf8_scrub(g.data, size), cases[i].replaced);
        assert_int_equal(nb__utf8_valid_prefix((nb_span){g.data, size}), size);
        guard_free(&g);
    }
}

static void json_strings_are_escaped(void **state)
{
    (void)state;
    nb__text text = {0};
    nb__text_json(&text, nb__span("a\"b\\c\n\x01\xFF위</script>"));
    assert_string_equal(text.data, "\"a\\\"b\\\\c\\n\\u0001\xEF\xBF\xBD위</script>\"");
    nb__text_clear(&text);
    for (int i = 0; i < 1000; i++)
        nb__text_printf(&text, "%d%0300d", i % 10, 0);
    assert_int_equal(text.size_bytes, 301000);
    assert_false(text.is_failed);
    nb__text_fini(&text);
}

/* A peer may send megabytes of quotes: their cost must not grow with the square of their number. */
static void a_json_string_of_escapes_costs_linear_time(void **state)
{
    (void)state;
    size_t size = (size_t)4 << 20;
    char *quotes = malloc(size);
    memset(quotes, '"', size);
    nb__text text = {0};
    int64_t start = clock();
    nb__text_json(&text, (nb_span){quotes, size});
    assert_true(clock() - start < 10 * CLOCKS_PER_SEC);
    assert_int_equal(text.size_bytes, 2 * size + 2);
    nb__text_fini(&text);
    free(quotes);
}

static void a_text_that_cannot_be_is_refused(void **state)
{
    (void)state;
    nb__text text = {0};
    nb__text_string(&text, "kept");
    assert_null(nb__text_reserve(&text, SIZE_MAX - 20));
    assert_true(text.is_failed);
    assert_string_equal(text.data, "kept");
    nb__text_fini(&text);
}

/* Errors and log lines quote what peers send: it must neither steer a terminal nor look like a line
 * of ours. */
static void words_of_peers_are_made_printable(void **state)
{
    (void)state;
    nb_error error = {0};
    nb__fail(&error, NB_E_CLOSED, 0, "%s", "bye\x1b[2J\r\nnightbook: all is well\x7f");
    assert_string_equal(error.detail, "bye?[2J??nightbook: all is well?");
    nb__fail(&error, NB_E_CLOSED, 0, "%s", "한글 \xc2\x9b|\xff");
    assert_string_equal(error.detail, "한글 ??|?");
    nb__fail_in(&error, "a\tb");
    assert_string_equal(error.detail, "a?b: 한글 ??|?");
}

static size_t logged(char *out, size_t capacity_bytes, const char *words)
{
    int ends[2], before = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    nb__log(NB__LOG_WARN, "test", "%s\n  what to do", words);
    dup2(before, STDERR_FILENO);
    close(before);
    close(ends[1]);
    ssize_t size = read(ends[0], out, capacity_bytes - 1);
    close(ends[0]);
    assert_true(size > 0);
    out[size] = '\0';
    return (size_t)size;
}

static void a_log_line_is_one_line_and_its_advice(void **state)
{
    (void)state;
    char line[2048], words[1500];
    logged(line, sizeof line, "KIS says\nnightbook: error: \x1b[31mlies");
    assert_string_equal(line, "nightbook: warning: test: KIS says\n"
                              "  nightbook: error: ?[31mlies\n"
                              "  what to do\n");
    memset(words, 'x', sizeof words);
    words[sizeof words - 1] = '\0';
    size_t size = logged(line, sizeof line, words); /* cut, but still a line */
    assert_int_equal(line[size - 1], '\n');
    assert_int_equal(strcspn(line, "\n"), size - 1);
}

static void spans_compare_copy_and_count(void **state)
{
    (void)state;
    char out[4];
    assert_true(nb__span_copy(NB__SPAN("abc"), out, sizeof out));
    assert_string_equal(out, "abc");
    assert_false(nb__span_copy(NB__SPAN("abcd"), out, sizeof out));
    assert_string_equal(out, "");
    assert_true(nb__span_is_nocase(NB__SPAN("UpGrade"), "upgrade"));
    assert_false(nb__span_is_nocase(NB__SPAN("upgrad"), "upgrade"));
    assert_true(nb__span_is(nb__span_trim(NB__SPAN(" \t x y ")), "x y"));
    uint64_t value = 0;
    assert_true(nb__span_to_u64(NB__SPAN("000042"), &value));
    assert_int_equal(value, 42);
    assert_false(nb__span_to_u64(NB__SPAN("-1"), &value));
    assert_false(nb__span_to_u64(NB__SPAN(""), &value));
    assert_false(nb__span_to_u64(NB__SPAN("1234567890123456789"), &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_name_sentence_and_class),
        cmocka_unit_test(a_failure_keeps_the_clause_of_each_layer),
        cmocka_unit_test(prices_are_exact_or_refused),
        cmocka_unit_test(a_price_printed_reads_back),
        cmocka_unit_test(integers_print_as_printf_has_them),
        cmocka_unit_test(korean_time_goes_there_and_back),
        cmocka_unit_test(utf8_is_told_from_what_is_not),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(a_json_string_of_escapes_costs_linear_time),
        cmocka_unit_test(a_text_that_cannot_be_is_refused),
        cmocka_unit_test(words_of_peers_are_made_printable),
        cmocka_unit_test(a_log_line_is_one_line_and_its_advice),
        cmocka_unit_test(spans_compare_copy_and_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
