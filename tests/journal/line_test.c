/* SPDX-License-Identifier: Apache-2.0 */
/* Lines: what is printed is parsed again as it was, for any payload; what is no line is refused
 * with its offset. */
#include "base/base.h"
#include "guard.h"
#include "journal/journal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static nb_err parse(const char *text, size_t size_bytes, nb__journal_line *out, nb_error *error)
{
    guard g = guard_copy(text, size_bytes);
    nb_err err = nb__journal_line_parse((nb_span){g.data, size_bytes}, out, error);
    guard_free(&g);
    out->payload.data = NULL; /* it is gone */
    return err;
}

/* Print, parse, unescape; the line must be one, with nothing in it that breaks a terminal. */
static void round_trip(int64_t recv_ns, uint32_t link, nb__journal_kind kind, nb_span payload)
{
    guard raw = guard_copy(payload.data, payload.size_bytes);
    nb__text text = {0};
    nb__journal_line_print(&text, recv_ns, link, kind, (nb_span){raw.data, raw.size_bytes});
    assert_false(text.is_failed);
    assert_int_equal(text.data[text.size_bytes - 1], '\n');
    assert_int_equal(text.data[text.size_bytes], '\0');
    for (size_t i = 0; i + 1 < text.size_bytes; i++)
        assert_true((unsigned char)text.data[i] >= 0x20 && text.data[i] != 0x7F);
    assert_int_equal(nb__utf8_valid_prefix(nb__text_view(&text)), text.size_bytes);

    guard g = guard_copy(text.data, text.size_bytes - 1);
    nb__journal_line line;
    assert_int_equal(nb__journal_line_parse((nb_span){g.data, g.size_bytes}, &line, NULL), NB_OK);
    assert_int_equal(line.recv_ns, recv_ns);
    assert_int_equal(line.link, link);
    assert_int_equal(line.kind, kind);
    assert_int_equal(line.is_escaped,
                     memchr(g.data, '\\', g.size_bytes) != NULL && line.payload.size_bytes > 0);
    guard back = guard_copy(line.payload.data, line.payload.size_bytes);
    size_t size = nb__journal_unescape(line.payload, back.data);
    assert_int_equal(size, payload.size_bytes);
    assert_true(size == 0 || memcmp(back.data, payload.data, size) == 0);
    if (!line.is_escaped)
        assert_int_equal(line.payload.size_bytes, payload.size_bytes);
    guard_free(&back);
    guard_free(&g);
    guard_free(&raw);
    nb__text_fini(&text);
}

static void expect_text(nb_span payload, const char *expected)
{
    nb__text text = {0};
    nb__journal_line_print(&text, 7, 3, NB__JOURNAL_OTHER, payload);
    assert_string_equal(text.data, expected);
    nb__text_fini(&text);
}

static void test_the_form(void **state)
{
    (void)state;
    expect_text(NB__SPAN("0|H0EUASP0|001|B01^2.90"), "7 3 other 0|H0EUASP0|001|B01^2.90\n");
    expect_text(NB__SPAN(""), "7 3 other \n");
    expect_text(NB__SPAN("a\nb"), "7 3 other a\\x0ab\n");
    expect_text(NB__SPAN("\\x0a"), "7 3 other \\x5cx0a\n");
    expect_text(NB__SPAN("\x7F\t\r"), "7 3 other \\x7f\\x09\\x0d\n");
    expect_text(NB__SPAN("\xEA\xB0\x80"), "7 3 other \xEA\xB0\x80\n");
    expect_text(NB__SPAN("\xEA\xB0"), "7 3 other \\xea\\xb0\n");          /* cut */
    expect_text(NB__SPAN("\xED\xA0\x80"), "7 3 other \\xed\\xa0\\x80\n"); /* a surrogate */
    expect_text(NB__SPAN("\xC0\x80"), "7 3 other \\xc0\\x80\n");          /* too long a form */
    expect_text(NB__SPAN("\xFFz\xEA\xB0\x80"), "7 3 other \\xffz\xEA\xB0\x80\n");
}

static void test_every_byte_at_every_place(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 8, 15, 16, 17, 18, 31, 32, 33, 70};
    char payload[70];
    for (size_t i = 0; i < NB__COUNT_OF(sizes); i++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            size_t size = sizes[i], step = size < 20 || byte == '\n' || byte == '\\' ? 1 : 5;
            for (size_t at = step == 1 ? 0 : byte % step; at < size; at += step) {
                memset(payload, '^', sizeof payload);
                payload[at] = (char)byte;
                round_trip(1795424400123456789, 1, NB__JOURNAL_FRAME, (nb_span){payload, size});
            }
        }
    }
}

static void test_random_payloads(void **state)
{
    (void)state;
    nb__random random;
    nb__random_init(&random, 4);
    for (int round = 0; round < 3000; round++) {
        char payload[300];
        size_t size = nb__random_below(&random, sizeof payload + 1);
        for (size_t i = 0; i < size; i++) {
            uint64_t byte = nb__random_below(&random, 256);
            if (round % 3 == 1)
                byte = 0x20 + byte % 0x5F;
            if (round % 3 == 2)
                byte = (unsigned char)"\xEA\xB0\x80\\x0a\n"[byte % 8];
            payload[i] = (char)byte;
        }
        round_trip((int64_t)(nb__random_next(&random) >> 1) >> nb__random_below(&random, 60),
                   (uint32_t)(nb__random_next(&random) >> 32), NB__JOURNAL_PINGPONG,
                   (nb_span){payload, size});
    }
}

static void test_numbers(void **state)
{
    (void)state;
    int64_t power = 1;
    for (int digits = 1; digits <= 18; digits++, power *= 10)
        for (int64_t near = -1; near <= 1; near++)
            round_trip(power + near, 0, NB__JOURNAL_STOP, NB__SPAN("{}"));
    for (int64_t at = 1795424400000000000, i = 0; i < 2000; i++, at += 99999999977)
        round_trip(at, (uint32_t)i * 2147483, NB__JOURNAL_FRAME, NB__SPAN("0|"));
    round_trip(INT64_MAX, UINT32_MAX, NB__JOURNAL_SUM, NB__SPAN("{}"));
    nb__text text = {0};
    nb__journal_line_print(&text, -5, 0, NB__JOURNAL_FRAME, NB__SPAN("x"));
    nb__journal_line_print(&text, NB_TIME_UNDEF, 0, NB__JOURNAL_FRAME, NB__SPAN("x"));
    assert_string_equal(text.data, "0 0 frame x\n0 0 frame x\n");
    nb__text_fini(&text);
}

static void test_kinds(void **state)
{
    (void)state;
    for (nb__journal_kind kind = NB__JOURNAL_FRAME; kind < NB__JOURNAL_UNKNOWN; kind++)
        round_trip(1, 1, kind, NB__SPAN("payload"));
    assert_string_equal(nb__journal_kind_name(NB__JOURNAL_FRAME), "frame");
    assert_string_equal(nb__journal_kind_name(NB__JOURNAL_SUM), "sum");
    assert_string_equal(nb__journal_kind_name(NB__JOURNAL_UNKNOWN), "?");
    static const char *const unknown[] = {"1 1 frames x", "1 1 fram x", "1 1 weather x", "1 1 a "};
    for (size_t i = 0; i < NB__COUNT_OF(unknown); i++) {
        nb__journal_line line;
        assert_int_equal(parse(unknown[i], strlen(unknown[i]), &line, NULL), NB_OK);
        assert_int_equal(line.kind, NB__JOURNAL_UNKNOWN);
    }
}

static void test_what_is_a_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t recv_ns;
        uint32_t link;
        size_t payload_bytes;
        bool is_escaped;
    } cases[] = {
        {"0 0 frame ", 0, 0, 0, false},
        {"9223372036854775807 4294967295 frame x", INT64_MAX, UINT32_MAX, 1, false},
        {"1795424400123456789 1 frame  two blanks", 1795424400123456789, 1, 11, false},
        {"179542440012345678 1 frame x", 179542440012345678, 1, 1, false},
        {"1 2 pingpong \\x00\\xff", 1, 2, 8, true},
        {"1 2 pingpong \xFF raw", 1, 2, 5, false}, /* not ours, but read */
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__journal_line line;
        assert_int_equal(parse(cases[i].text, strlen(cases[i].text), &line, NULL), NB_OK);
        assert_int_equal(line.recv_ns, cases[i].recv_ns);
        assert_int_equal(line.link, cases[i].link);
        assert_int_equal(line.payload.size_bytes, cases[i].payload_bytes);
        assert_int_equal(line.is_escaped, cases[i].is_escaped);
    }
}

static void test_what_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t offset;
    } cases[] = {
        {"", 0},
        {" ", 0},
        {"x", 0},
        {"-1 0 frame x", 0},
        {"+1 0 frame x", 0},
        {"1", 1},
        {"1 ", 2},
        {"01 0 frame x", 2},
        {"0795424400123456789 1 frame x", 19},
        {"9223372036854775808 1 frame x", 19},
        {"17954244001234567890 1 frame x", 19},
        {"1795424400123456:89 1 frame x", 16},
        {"17954/4400123456789 1 frame x", 5},
        {"179542440012345678: 1 frame x", 18},
        {"1795424400123456789\t1 frame x", 19},
        {"1795424400123456789", 19},
        {"1795424400123456789 ", 20},
        {"1  1 frame x", 2},
        {"1 1", 3},
        {"1 1 ", 4},
        {"1 01 frame x", 4},
        {"1 4294967296 frame x", 12},
        {"1 42949672950 frame x", 12},
        {"1 -1 frame x", 2},
        {"1 1 frame", 9},
        {"1 1 Frame x", 4},
        {"1 1 fra_me x", 7},
        {"1 1 frame\tx", 9},
        {"1 1  x", 4},
        {"1 1 frame \\", 10},
        {"1 1 frame \\x", 10},
        {"1 1 frame \\x0", 10},
        {"1 1 frame ok\\x0a\\X0a", 16},
        {"1 1 frame \\x0A", 10},
        {"1 1 frame \\x0g", 10},
        {"1 1 frame \\\\", 10},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__journal_line line = {.recv_ns = 77, .link = 5};
        nb_error error = {0};
        if (parse(cases[i].text, strlen(cases[i].text), &line, &error) != NB_E_JOURNAL ||
            error.offset_bytes != cases[i].offset || error.detail[0] == '\0')
            fail_msg("%s: %d, offset %zu: %s", cases[i].text, error.code, error.offset_bytes,
                     error.detail);
        assert_true(line.recv_ns == 77 && line.link == 5);
    }
}

/* A line cut anywhere in its head is none; behind it, it is one with a shorter payload. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    static const char text[] = "1795424400123456789 12 answer {\"msg\":\"\\x5c\"\"}";
    const size_t head = strlen("1795424400123456789 12 answer ");
    const size_t escape = (size_t)(strchr(text, '\\') - text);
    for (size_t size = 0; size < sizeof text; size++) {
        nb__journal_line line;
        bool is_line = size >= head && !(size > escape && size < escape + 4);
        assert_int_equal(parse(text, size, &line, NULL) == NB_OK, is_line);
        if (is_line)
            assert_int_equal(line.payload.size_bytes, size - head);
    }
}

static void test_unescape_in_place(void **state)
{
    (void)state;
    char text[] = "a\\x0a\\x5c\xEA\xB0\x80\\xffz\\q";
    size_t size = nb__journal_unescape((nb_span){text, strlen(text)}, text);
    assert_int_equal(size, 10);
    assert_memory_equal(text, "a\n\\\xEA\xB0\x80\xFFz\\q", 10);
}

static void test_names(void **state)
{
    (void)state;
    char name[NB__JOURNAL_NAME_BYTES];
    int night = 0;
    uint32_t number = 0;
    nb__journal_name_print(name, 20261123, 1);
    assert_string_equal(name, "20261123-000001");
    nb__journal_name_print(name, 22611231, UINT32_MAX);
    assert_string_equal(name, "22611231-4294967295");
    assert_int_equal(nb__journal_name_parse(nb__span("20261123-000001.log"), &night, &number),
                     NB__JOURNAL_FILE_PLAIN);
    assert_true(night == 20261123 && number == 1);
    assert_int_equal(nb__journal_name_parse(nb__span("20261124-1000000.log.zst"), &night, &number),
                     NB__JOURNAL_FILE_PACKED);
    assert_true(night == 20261124 && number == 1000000);
    static const char *const none[] = {
        "",
        ".log",
        "20261123-000001",
        "20261123-000001.log.zst.tmp",
        "20261123-000001.damaged-100",
        "20261123-000000.log",
        "20261123-00001.log",
        "20261123-0000001.log",
        "20261123-4294967296.log",
        "20261131-000001.log",
        "20261123_000001.log",
        "20261123-00000x.log",
        "020261123-000001.log",
        "20261123-000001.LOG",
        "20261123-000001.logx",
        "20261123--00001.log",
    };
    for (size_t i = 0; i < NB__COUNT_OF(none); i++) {
        guard g = guard_copy(none[i], strlen(none[i]));
        assert_int_equal(nb__journal_name_parse((nb_span){g.data, g.size_bytes}, &night, &number),
                         NB__JOURNAL_FILE_NONE);
        guard_free(&g);
    }
    assert_true(night == 20261124 && number == 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_form),
        cmocka_unit_test(test_every_byte_at_every_place),
        cmocka_unit_test(test_random_payloads),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_what_is_a_line),
        cmocka_unit_test(test_what_is_none),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_unescape_in_place),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
