/* SPDX-License-Identifier: Apache-2.0 */
/* The writer against sums that are computed here in the plainest way. */
#include "base/base.h"
#include "guard.h"
#include "journal/journal.h"
#include "segment.h"
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

typedef struct summed {
    size_t sums, lines, span_max_bytes, open_bytes;
} summed;

/* Each line of `text` in order; a sum line must say what the header says it does. */
static summed prove(nb_span text)
{
    summed out = {0};
    const char *span = text.data, *at = text.data, *end = text.data + text.size_bytes;
    while (at < end) {
        const char *next = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        out.lines++;
        char line[200] = "", hex[20] = "", sum[80], *key;
        size_t size = (size_t)(next - at) < sizeof line - 1 ? (size_t)(next - at) : 0;
        memcpy(line, at, size);
        if (size > 0 && strstr(line, " 0 sum {") != NULL) {
            size_t counted = (size_t)(at - span);
            key = strstr(line, "\"xxh3\":\"");
            assert_non_null(key);
            size_t hashed = counted + (size_t)(key - line) + strlen("\"xxh3\":\"");
            snprintf(hex, sizeof hex, "%016" PRIx64, XXH3_64bits(span, hashed));
            snprintf(sum, sizeof sum, " 0 sum {\"bytes\":%zu,\"xxh3\":\"%s\"}\n", counted, hex);
            assert_string_equal(strstr(line, " 0 sum"), sum);
            out.sums++;
            span = next;
            if (counted > out.span_max_bytes)
                out.span_max_bytes = counted;
        }
        at = next;
    }
    out.open_bytes = (size_t)(end - span);
    return out;
}

static void take(nb__journal_writer *writer, nb__text *file)
{
    nb_span pending = nb__journal_writer_pending(writer);
    nb__text_append(file, pending.data, pending.size_bytes);
    nb__journal_writer_took(writer);
    assert_int_equal(nb__journal_writer_pending(writer).size_bytes, 0);
    assert_int_equal(nb__journal_writer_size(writer), file->size_bytes);
    assert_int_equal(nb__journal_writer_xxh3(writer), XXH3_64bits(file->data, file->size_bytes));
}

static void test_a_segment(void **state)
{
    (void)state;
    segment made = segment_make(3, 2);
    summed sums = prove(nb__text_view(&made.bytes));
    assert_int_equal(sums.sums, 3);
    assert_int_equal(sums.lines, made.lines);
    assert_int_equal(sums.open_bytes, 0);
    assert_int_equal(strncmp(made.bytes.data, "1795424400123456789 0 start {\"format\":1,", 40), 0);
    assert_non_null(strstr(made.bytes.data, "\n1795424400123458789 1 frame 0|H0EUASP0|001|"));
    nb__text_fini(&made.bytes);
}

/* Lines of any size and kind, taken at any time, sums at any time. */
static void test_any_order(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        nb__random random;
        nb__random_init(&random, seed);
        nb__journal_writer *writer = nb__journal_writer_new();
        nb__text file = {0}, lines = {0};
        size_t asked = 0;
        for (int step = 0; step < 400; step++) {
            char payload[400];
            size_t size = nb__random_below(&random, sizeof payload);
            for (size_t i = 0; i < size; i++)
                payload[i] = (char)nb__random_below(&random, seed % 2 == 0 ? 256 : 90);
            int64_t recv_ns = SEGMENT_NS + (int64_t)nb__random_below(&random, 3);
            nb__journal_kind kind = (nb__journal_kind)nb__random_below(&random, NB__JOURNAL_SUM);
            uint32_t link = (uint32_t)nb__random_below(&random, 3);
            uint64_t what = nb__random_below(&random, 10);
            if (what < 7) {
                guard g = guard_copy(payload, size);
                assert_true(
                    nb__journal_writer_line(writer, recv_ns, link, kind, (nb_span){g.data, size}));
                nb__journal_line_print(&lines, recv_ns, link, kind, (nb_span){payload, size});
                guard_free(&g);
                assert_true(nb__journal_writer_has_open_span(writer));
            } else if (what == 7) {
                asked += nb__journal_writer_has_open_span(writer);
                nb__journal_writer_sum(writer, recv_ns);
                assert_false(nb__journal_writer_has_open_span(writer));
            } else {
                take(writer, &file);
            }
        }
        take(writer, &file);
        summed sums = prove(nb__text_view(&file));
        assert_int_equal(sums.sums, asked);
        nb__text without = {0};
        for (const char *at = file.data; at < file.data + file.size_bytes;) {
            const char *next = strchr(at, '\n') + 1;
            if (strstr(at, " 0 sum {") == NULL || strstr(at, " 0 sum {") > next)
                nb__text_append(&without, at, (size_t)(next - at));
            at = next;
        }
        assert_true(nb__span_equal(nb__text_view(&without), nb__text_view(&lines)));
        nb__text_fini(&without);
        nb__text_fini(&file);
        nb__text_fini(&lines);
        nb__journal_writer_free(writer);
    }
}

static void test_spans_close_by_themselves(void **state)
{
    (void)state;
    nb__journal_writer *writer = nb__journal_writer_new();
    nb__text file = {0};
    static char payload[1000];
    memset(payload, '^', sizeof payload);
    for (int i = 0; i < 5000; i++) {
        nb__journal_writer_line(writer, SEGMENT_NS + i, 1, NB__JOURNAL_FRAME,
                                (nb_span){payload, sizeof payload});
        if (i % 700 == 0)
            take(writer, &file);
    }
    take(writer, &file);
    summed sums = prove(nb__text_view(&file));
    assert_int_equal(sums.sums, 4);
    assert_in_range(sums.span_max_bytes, NB__JOURNAL_SPAN_BYTES, NB__JOURNAL_SPAN_BYTES + 1100);
    assert_true(sums.open_bytes > 0 && nb__journal_writer_has_open_span(writer));
    nb__journal_writer_sum(writer, SEGMENT_NS);
    take(writer, &file);
    assert_int_equal(prove(nb__text_view(&file)).open_bytes, 0);
    nb__text_fini(&file);
    nb__journal_writer_free(writer);
}

static void test_a_sum_of_nothing_is_none(void **state)
{
    (void)state;
    nb__journal_writer *writer = nb__journal_writer_new();
    nb__journal_writer_sum(writer, SEGMENT_NS);
    assert_int_equal(nb__journal_writer_pending(writer).size_bytes, 0);
    nb__journal_writer_line(writer, SEGMENT_NS, 1, NB__JOURNAL_FRAME, NB__SPAN("x"));
    nb__journal_writer_sum(writer, SEGMENT_NS);
    size_t size = nb__journal_writer_pending(writer).size_bytes;
    nb__journal_writer_sum(writer, SEGMENT_NS);
    assert_int_equal(nb__journal_writer_pending(writer).size_bytes, size);
    nb__journal_writer_free(writer);
}

static void test_a_new_segment_forgets(void **state)
{
    (void)state;
    nb__journal_writer *writer = nb__journal_writer_new();
    nb__text first = {0}, second = {0};
    for (int round = 0; round < 2; round++) {
        nb__journal_writer_line(writer, SEGMENT_NS, 1, NB__JOURNAL_FRAME, NB__SPAN("lost"));
        nb__journal_writer_begin(writer);
        assert_false(nb__journal_writer_has_open_span(writer));
        assert_int_equal(nb__journal_writer_size(writer), 0);
        nb__text *file = round == 0 ? &first : &second;
        nb__journal_writer_line(writer, SEGMENT_NS, 0, NB__JOURNAL_START, NB__SPAN("{}"));
        take(writer, file);
        nb__journal_writer_sum(writer, SEGMENT_NS);
        take(writer, file);
        prove(nb__text_view(file));
    }
    assert_true(nb__span_equal(nb__text_view(&first), nb__text_view(&second)));
    assert_null(strstr(first.data, "lost"));
    nb__text_fini(&first);
    nb__text_fini(&second);
    nb__journal_writer_free(writer);
}

/* What a full disk leaves: the first whole lines of what was pending. */
static void test_a_part_was_taken(void **state)
{
    (void)state;
    nb__journal_writer *writer = nb__journal_writer_new();
    nb__text file = {0};
    nb__journal_writer_line(writer, SEGMENT_NS, 1, NB__JOURNAL_FRAME, NB__SPAN("one"));
    take(writer, &file);
    nb__journal_writer_line(writer, SEGMENT_NS, 1, NB__JOURNAL_FRAME, NB__SPAN("two"));
    nb_span pending = nb__journal_writer_pending(writer);
    nb__text_append(&file, pending.data, pending.size_bytes);
    size_t part = pending.size_bytes;
    nb__journal_writer_line(writer, SEGMENT_NS, 1, NB__JOURNAL_FRAME, NB__SPAN("three"));
    nb__journal_writer_took_some(writer, part);
    assert_int_equal(nb__journal_writer_pending(writer).size_bytes, 0);
    assert_int_equal(nb__journal_writer_size(writer), file.size_bytes);
    assert_int_equal(nb__journal_writer_xxh3(writer), XXH3_64bits(file.data, file.size_bytes));
    nb__text_fini(&file);
    nb__journal_writer_free(writer);
}

static void test_too_long(void **state)
{
    (void)state;
    nb__journal_writer *writer = nb__journal_writer_new();
    nb__text file = {0};
    char *payload = malloc(NB__JOURNAL_LINE_MAX);
    memset(payload, '\n', NB__JOURNAL_LINE_MAX);
    nb__journal_writer_line(writer, SEGMENT_NS, 1, NB__JOURNAL_FRAME, NB__SPAN("before"));
    nb_span pending = nb__journal_writer_pending(writer);
    nb_span whole = {payload, NB__JOURNAL_LINE_MAX}, escaped = {payload, NB__JOURNAL_LINE_MAX / 4};
    assert_false(nb__journal_writer_line(writer, SEGMENT_NS, 1, NB__JOURNAL_FRAME, whole));
    assert_false(nb__journal_writer_line(writer, SEGMENT_NS, 1, NB__JOURNAL_FRAME, escaped));
    assert_int_equal(nb__journal_writer_pending(writer).size_bytes, pending.size_bytes);
    escaped.size_bytes -= 16;
    assert_true(nb__journal_writer_line(writer, SEGMENT_NS, 1, NB__JOURNAL_FRAME, escaped));
    take(writer, &file);
    summed sums = prove(nb__text_view(&file));
    assert_int_equal(sums.sums, 1); /* it fills a span by itself */
    assert_int_equal(sums.lines, 3);
    free(payload);
    nb__text_fini(&file);
    nb__journal_writer_free(writer);
}

/* Blocks are counted by glibc's own books; sanitizers keep none, and nothing is asked of them. */
static size_t blocks_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void test_nothing_is_allocated_after_the_first_turn(void **state)
{
    (void)state;
    nb__journal_writer *writer = nb__journal_writer_new();
    size_t before = 0;
    const char *buffer = NULL;
    for (int turn = 0; turn < 50; turn++) {
        for (int i = 0; i < 3000; i++)
            nb__journal_writer_line(writer, SEGMENT_NS + i, 1, NB__JOURNAL_FRAME,
                                    NB__SPAN("0|H0EUASP0|001|B01611390^180000^2.90^7\\"));
        nb__journal_writer_sum(writer, SEGMENT_NS);
        if (turn == 0) {
            before = blocks_bytes();
            buffer = nb__journal_writer_pending(writer).data;
        }
        assert_ptr_equal(nb__journal_writer_pending(writer).data, buffer);
        nb__journal_writer_took(writer);
    }
    assert_int_equal(blocks_bytes(), before);
    nb__journal_writer_free(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_segment),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_spans_close_by_themselves),
        cmocka_unit_test(test_a_sum_of_nothing_is_none),
        cmocka_unit_test(test_a_new_segment_forgets),
        cmocka_unit_test(test_a_part_was_taken),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_nothing_is_allocated_after_the_first_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
