/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check against a segment that is damaged at every byte in every way: what it tells must be
 * where the damage is, and everything else must be proved.
 */
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

typedef struct result {
    nb__damage damages[64];
    size_t count;
    nb__journal_findings findings;
    nb_err err;
    nb_error error;
} result;

static void found(void *self, const nb__damage *damage)
{
    result *out = self;
    if (out->count < NB__COUNT_OF(out->damages))
        out->damages[out->count] = *damage;
    out->count++;
}

/* Check `bytes` in pieces that end at `cuts` (ascending; bytes.size_bytes is the last). */
static void check_cut(nb_span bytes, const size_t *cuts, size_t cut_count, result *out)
{
    *out = (result){0};
    nb__journal_check *check = nb__journal_check_new(found, out);
    size_t at = 0;
    for (size_t i = 0; i <= cut_count && out->err == NB_OK; i++) {
        size_t end = i < cut_count ? cuts[i] : bytes.size_bytes;
        out->err = nb__journal_check_feed(check, (nb_span){bytes.data + at, end - at}, &out->error);
        at = end;
    }
    out->findings = *nb__journal_check_end(check);
    nb__journal_check_free(check);
    uint64_t end = 0;
    for (size_t i = 0; i < out->count && i < NB__COUNT_OF(out->damages); i++) {
        const nb__damage *damage = &out->damages[i];
        assert_true(damage->offset_bytes >= end); /* in order, and none over another */
        end = damage->offset_bytes + damage->size_bytes;
        assert_true(end <= bytes.size_bytes && damage->words[0] != '\0');
    }
    assert_int_equal(out->findings.damages, out->count);
    if (out->err == NB_OK) {
        assert_int_equal(out->findings.size_bytes, bytes.size_bytes);
        assert_int_equal(out->findings.xxh3, XXH3_64bits(bytes.data, bytes.size_bytes));
    }
}

static result check_whole(nb_span bytes)
{
    result out;
    guard g = guard_copy(bytes.data, bytes.size_bytes);
    check_cut((nb_span){g.data, g.size_bytes}, NULL, 0, &out);
    guard_free(&g);
    return out;
}

static void expect_same(const result *a, const result *b)
{
    assert_int_equal(a->err, b->err);
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count && i < NB__COUNT_OF(a->damages); i++) {
        assert_int_equal(a->damages[i].kind, b->damages[i].kind);
        assert_int_equal(a->damages[i].offset_bytes, b->damages[i].offset_bytes);
        assert_int_equal(a->damages[i].size_bytes, b->damages[i].size_bytes);
        assert_string_equal(a->damages[i].words, b->damages[i].words);
    }
    if (a->err == NB_OK)
        assert_memory_equal(&a->findings, &b->findings, sizeof a->findings);
}

static void expect_one(const result *r, nb__damage_kind kind, uint64_t offset_bytes,
                       uint64_t size_bytes)
{
    if (r->count != 1 || r->damages[0].kind != kind || r->damages[0].offset_bytes != offset_bytes ||
        r->damages[0].size_bytes != size_bytes)
        fail_msg("%zu damages, the first of kind %d at %" PRIu64 " + %" PRIu64
                 " (%s); expected kind %d at %" PRIu64 " + %" PRIu64,
                 r->count, (int)r->damages[0].kind, r->damages[0].offset_bytes,
                 r->damages[0].size_bytes, r->damages[0].words, (int)kind, offset_bytes,
                 size_bytes);
}

static size_t span_begin(const segment *made, size_t span)
{
    return span == 0 ? 0 : made->span_ends[span - 1];
}

static size_t span_of(const segment *made, size_t offset)
{
    size_t span = 0;
    while (made->span_ends[span] <= offset)
        span++;
    return span;
}

static void test_a_good_one(void **state)
{
    (void)state;
    segment made = segment_make(3, 3);
    result r = check_whole(nb__text_view(&made.bytes));
    assert_int_equal(r.err, NB_OK);
    assert_int_equal(r.count, 0);
    const nb__journal_findings *f = &r.findings;
    assert_int_equal(f->proved_bytes, made.bytes.size_bytes);
    assert_true(f->lines == made.lines && f->frames == made.frames && f->sums == 3);
    assert_int_equal(f->frame_bytes, made.frame_bytes);
    assert_int_equal(f->recv_first_ns, SEGMENT_NS);
    assert_int_equal(f->recv_last_ns, SEGMENT_NS + 2 * NB__NS_PER_S);
    assert_true(f->has_start && f->is_stopped && !f->is_repaired);
    assert_string_equal(f->start.segment, "20261123-000001");
    nb__text_fini(&made.bytes);

    r = check_whole((nb_span){"", 0}); /* a recorder died before its first write */
    assert_int_equal(r.count, 0);
    assert_true(r.findings.recv_first_ns == NB_TIME_UNDEF && !r.findings.has_start);
}

/* All but the damaged span is proved, and what is told lies within it. */
static void expect_within(const segment *made, const result *r, size_t span, size_t at, int bit)
{
    size_t begin = span_begin(made, span), end = made->span_ends[span];
    bool is_inside = r->err == NB_OK && r->count > 0 && r->count < 4;
    for (size_t i = 0; i < r->count && is_inside; i++)
        is_inside = r->damages[i].offset_bytes >= begin &&
                    r->damages[i].offset_bytes + r->damages[i].size_bytes <= end &&
                    r->damages[i].kind != NB__DAMAGE_START;
    if (!is_inside || r->findings.proved_bytes != made->bytes.size_bytes - (end - begin))
        fail_msg("byte %zu bit %d, span %zu–%zu: error %d, %zu damages, the first of kind %d at "
                 "%" PRIu64 " + %" PRIu64 " (%s), %" PRIu64 " proved",
                 at, bit, begin, end, r->err, r->count, (int)r->damages[0].kind,
                 r->damages[0].offset_bytes, r->damages[0].size_bytes, r->damages[0].words,
                 r->findings.proved_bytes);
    if (r->damages[0].kind == NB__DAMAGE_SPAN) {
        assert_int_equal(r->count, 1);
        assert_true(r->damages[0].offset_bytes == begin && begin + r->damages[0].size_bytes == end);
    } else {
        /* its sum is gone and no later one helps: the line itself is told */
        assert_int_equal(span, made->span_count - 1);
    }
    assert_int_equal(r->findings.has_start, span != 0);
}

static void test_every_flipped_bit(void **state)
{
    (void)state;
    segment made = segment_make(3, 2);
    char *bytes = made.bytes.data;
    size_t in_span = 0, as_line = 0;
    for (size_t at = 0; at < made.bytes.size_bytes; at++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes[at] ^= (char)(1 << bit);
            result r;
            check_cut(nb__text_view(&made.bytes), NULL, 0, &r);
            expect_within(&made, &r, span_of(&made, at), at, bit);
            (r.damages[0].kind == NB__DAMAGE_SPAN ? in_span++ : as_line++);
            bytes[at] ^= (char)(1 << bit);
        }
    }
    assert_int_equal(in_span + as_line, made.bytes.size_bytes * 8);
    assert_in_range(as_line, 1, 90 * 8); /* only of the last sum line */
    nb__text_fini(&made.bytes);
}

static void test_every_byte_lost_or_put_in(void **state)
{
    (void)state;
    segment made = segment_make(3, 2);
    for (size_t at = 0; at < made.bytes.size_bytes; at++) {
        size_t span = span_of(&made, at);
        for (int change = 0; change < 3; change++) {
            nb__text text = {0};
            nb__text_append(&text, made.bytes.data, at);
            if (change > 0)
                nb__text_append(&text, change == 1 ? "\n" : "7", 1);
            size_t rest = at + (change == 0);
            nb__text_append(&text, made.bytes.data + rest, made.bytes.size_bytes - rest);
            result r = check_whole(nb__text_view(&text));
            size_t begin = span_begin(&made, span);
            size_t end = made.span_ends[span] + text.size_bytes - made.bytes.size_bytes;
            /* a byte put in before a span's first may be told in the span before */
            assert_true(r.err == NB_OK && r.count > 0);
            for (size_t i = 0; i < r.count; i++)
                if (r.damages[i].offset_bytes < begin ||
                    r.damages[i].offset_bytes + r.damages[i].size_bytes > end)
                    fail_msg("byte %zu change %d: %" PRIu64 " + %" PRIu64 " not within %zu–%zu", at,
                             change, r.damages[i].offset_bytes, r.damages[i].size_bytes, begin,
                             end);
            assert_true(r.findings.proved_bytes >=
                        made.bytes.size_bytes - (made.span_ends[span] - begin));
            nb__text_fini(&text);
        }
    }
    nb__text_fini(&made.bytes);
}

/* What is left is whole lines, proved up to the last sum, and a torn one. */
static void test_cut_at_every_byte(void **state)
{
    (void)state;
    segment made = segment_make(3, 2);
    for (size_t size = 0; size <= made.bytes.size_bytes; size++) {
        result r = check_whole((nb_span){made.bytes.data, size});
        size_t lines = 0, whole = 0, proved = 0;
        for (size_t i = 0; i < size; i++) {
            if (made.bytes.data[i] == '\n') {
                lines++;
                whole = i + 1;
            }
        }
        for (size_t i = 0; i < made.span_count && made.span_ends[i] <= size; i++)
            proved = made.span_ends[i];
        assert_int_equal(r.findings.lines, lines);
        assert_int_equal(r.findings.proved_bytes, proved);
        assert_int_equal(r.findings.has_start, lines > 0);
        if (whole < size)
            expect_one(&r, NB__DAMAGE_TORN, whole, size - whole);
        else
            assert_int_equal(r.count, 0);
    }
    nb__text_fini(&made.bytes);
}

static void remove_bytes(nb__text *text, size_t begin, size_t end)
{
    memmove(text->data + begin, text->data + end, text->size_bytes - end);
    text->size_bytes -= end - begin;
}

static size_t line_before(const segment *made, size_t end)
{
    size_t begin = end - 1;
    while (begin > 0 && made->bytes.data[begin - 1] != '\n')
        begin--;
    return begin;
}

/* Two sums destroyed: what lies before the third's span is damaged, and it is proved. */
static void test_destroyed_sums(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        segment made = segment_make(4, 3);
        size_t first = line_before(&made, made.span_ends[0]);
        size_t second = line_before(&made, made.span_ends[1]);
        size_t lost = 0, end = made.span_ends[1];
        if (how == 0) { /* overwritten */
            memset(made.bytes.data + first, '\0', made.span_ends[0] - first);
            memset(made.bytes.data + second, 'x', end - second);
        } else if (how == 1) { /* cut out */
            lost = made.span_ends[0] - first + end - second;
            remove_bytes(&made.bytes, second, end);
            remove_bytes(&made.bytes, first, made.span_ends[0]);
        } else { /* one line with what follows */
            made.bytes.data[made.span_ends[0] - 1] = ' ';
            made.bytes.data[end - 1] = ' ';
        }
        result r = check_whole(nb__text_view(&made.bytes));
        expect_one(&r, NB__DAMAGE_SPAN, 0, end - lost);
        assert_int_equal(r.findings.proved_bytes, made.bytes.size_bytes - end + lost);
        assert_int_equal(r.findings.frames, 6);
        assert_int_equal(r.findings.sums, 2);
        assert_true(!r.findings.has_start && r.findings.is_stopped);
        nb__text_fini(&made.bytes);
    }
}

static void test_a_hole_over_a_sum(void **state)
{
    (void)state;
    segment made = segment_make(4, 3);
    size_t from = made.span_ends[0] - 150, to = made.span_ends[0] + 90;
    remove_bytes(&made.bytes, from, to);
    result r = check_whole(nb__text_view(&made.bytes));
    expect_one(&r, NB__DAMAGE_SPAN, 0, made.span_ends[1] - (to - from));
    assert_non_null(strstr(r.damages[0].words, "it counts "));
    assert_int_equal(r.findings.frames, 6);
    nb__text_fini(&made.bytes);
}

/* Counts and times are of what is not damaged. */
static void test_damage_is_not_counted(void **state)
{
    (void)state;
    segment made = segment_make(3, 3);
    made.bytes.data[made.span_ends[0]] = '9'; /* a frame of the year 2255 */
    made.bytes.data[made.span_ends[2] - 100] ^= 1;
    result r = check_whole(nb__text_view(&made.bytes));
    assert_int_equal(r.count, 2);
    assert_int_equal(r.findings.frames, 3);
    assert_int_equal(r.findings.recv_last_ns, SEGMENT_NS + 2000);
    assert_false(r.findings.is_stopped);
    nb__text_fini(&made.bytes);
}

static void append(nb__text *text, const char *lines)
{
    nb__text_string(text, lines);
}

static void test_behind_the_last_sum(void **state)
{
    (void)state;
    segment made = segment_make(2, 2);
    /* up to the stop mark, which stands before the last sum */
    size_t sum = line_before(&made, made.bytes.size_bytes);
    made.bytes.size_bytes = line_before(&made, sum);
    size_t lines = made.bytes.size_bytes;
    append(&made.bytes, "1795424400123456790 1 frame good\n");
    append(&made.bytes, "1795424400123456790 1 weather of a later writer\n");
    size_t first = made.bytes.size_bytes;
    append(&made.bytes, "no line\n\n1795424400123456790 1 frame with a \x01\n");
    size_t first_end = made.bytes.size_bytes;
    append(&made.bytes, "1795424400123456790 1 frame good \xEA\xB0\x80 \\x00\n");
    size_t second = made.bytes.size_bytes;
    append(&made.bytes, "1795424400123456790 1 frame \xEA\xB0\n"
                        "1795424400123456790 1 sum {\"bytes\":1,\"xxh3\":\"0123456789abcdef\"}\n"
                        "1795424400123456790 0 sum {\"bytes\":1}\n"
                        "1795424400123456790 0 gap {\"reason\":\n");
    size_t second_end = made.bytes.size_bytes;
    append(&made.bytes, "1795424400123456790 0 stop {\"reason\":\"x\"}\n");
    size_t third = made.bytes.size_bytes;
    append(&made.bytes, "1795424400123456790 1 frame behind the stop\n");
    size_t third_end = made.bytes.size_bytes;
    append(&made.bytes, "1795424400123456790 1 torn");
    result r = check_whole(nb__text_view(&made.bytes));
    assert_int_equal(r.count, 4);
    assert_true(r.damages[0].kind == NB__DAMAGE_LINE && r.damages[0].offset_bytes == first &&
                r.damages[0].size_bytes == first_end - first);
    assert_non_null(strstr(r.damages[0].words, "begins with its time"));
    assert_true(r.damages[1].kind == NB__DAMAGE_LINE && r.damages[1].offset_bytes == second &&
                r.damages[1].size_bytes == second_end - second);
    assert_true(r.damages[2].kind == NB__DAMAGE_LINE && r.damages[2].offset_bytes == third &&
                r.damages[2].size_bytes == third_end - third);
    assert_true(r.damages[3].kind == NB__DAMAGE_TORN && r.damages[3].offset_bytes == third_end);
    assert_int_equal(r.findings.proved_bytes, made.span_ends[0]);
    assert_true(r.findings.is_stopped);
    /* start, connect, 2 frames, sum, 2 frames; then good, weather, good, stop */
    assert_int_equal(r.findings.lines, 7 + 4);
    assert_int_equal(r.findings.frames, 4 + 2);
    assert_int_equal(r.findings.frame_bytes,
                     made.frame_bytes + strlen("good") + strlen("good \xEA\xB0\x80 ") + 1);
    assert_true(lines > 0);
    nb__text_fini(&made.bytes);
}

static void test_no_start(void **state)
{
    (void)state;
    segment made = segment_make(3, 2);
    remove_bytes(&made.bytes, 0, made.span_ends[0]); /* the first span went whole */
    result r = check_whole(nb__text_view(&made.bytes));
    expect_one(&r, NB__DAMAGE_START, 0, 0);
    assert_int_equal(r.findings.proved_bytes, made.bytes.size_bytes);
    nb__text_fini(&made.bytes);

    r = check_whole(NB__SPAN("1 1 frame x\n"));
    expect_one(&r, NB__DAMAGE_START, 0, 0);
    assert_int_equal(r.findings.lines, 1);
    r = check_whole(NB__SPAN("hello\n"));
    assert_int_equal(r.count, 2);
    assert_true(r.damages[0].kind == NB__DAMAGE_START && r.damages[1].kind == NB__DAMAGE_LINE);
    r = check_whole(NB__SPAN("1 0 sta"));
    expect_one(&r, NB__DAMAGE_TORN, 0, 7);
}

/* A repair puts a mark and a sum of its own where the damage was; the spans behind it fit as they
 * are. */
static void test_a_repaired_one(void **state)
{
    (void)state;
    for (size_t dropped = 0; dropped < 2; dropped++) {
        segment made = segment_make(3, 2);
        nb__journal_repair repair = {
            span_begin(&made, dropped), 100, "x.damaged-0", {"20261123-000001", 4242, 0xabc}};
        nb__text payload = {0}, text = {0};
        nb__journal_repair_print(&repair, &payload);
        nb__journal_writer *writer = nb__journal_writer_new();
        nb__journal_writer_line(writer, SEGMENT_NS, 0, NB__JOURNAL_REPAIR, nb__text_view(&payload));
        nb__journal_writer_sum(writer, SEGMENT_NS);
        nb_span mark = nb__journal_writer_pending(writer);
        size_t begin = span_begin(&made, dropped), end = made.span_ends[dropped];
        nb__text_append(&text, made.bytes.data, begin);
        nb__text_append(&text, mark.data, mark.size_bytes);
        nb__text_append(&text, made.bytes.data + end, made.bytes.size_bytes - end);
        result r = check_whole(nb__text_view(&text));
        assert_int_equal(r.count, 0);
        assert_int_equal(r.findings.proved_bytes, text.size_bytes);
        assert_true(r.findings.is_repaired && r.findings.was.size_bytes == 4242);
        assert_int_equal(r.findings.has_start, dropped > 0);
        nb__journal_writer_free(writer);
        nb__text_fini(&text);
        nb__text_fini(&payload);
        nb__text_fini(&made.bytes);
    }
}

static nb__text newer(const char *version, bool has_sum)
{
    nb__text payload = {0}, text = {0};
    nb__text_printf(&payload, "{\"format\":2,\"version\":\"%s\",\"weather\":1}", version);
    nb__journal_writer *writer = nb__journal_writer_new();
    nb__journal_writer_line(writer, SEGMENT_NS, 0, NB__JOURNAL_START, nb__text_view(&payload));
    if (has_sum)
        nb__journal_writer_sum(writer, SEGMENT_NS);
    nb_span pending = nb__journal_writer_pending(writer);
    nb__text_append(&text, pending.data, pending.size_bytes);
    nb__journal_writer_free(writer);
    nb__text_fini(&payload);
    return text;
}

static void test_a_newer_format(void **state)
{
    (void)state;
    static const char later[] = NB_VERSION ".1";
    static const char *const versions[] = {"99.0.0",    later,      "next",
                                           "0.1.0-dev", NB_VERSION, "0.0.9"};
    for (size_t i = 0; i < NB__COUNT_OF(versions); i++) {
        for (int has_sum = 0; has_sum < 2; has_sum++) {
            nb__text text = newer(versions[i], has_sum);
            result r = check_whole(nb__text_view(&text));
            /* of a nightbook that knows no such format only when a sum proves it */
            bool is_told = has_sum || i < 4;
            assert_int_equal(r.err, is_told ? NB_E_VERSION : NB_OK);
            if (is_told) {
                assert_int_equal(r.count, 0);
                assert_non_null(strstr(r.error.detail, "in format 2"));
                assert_non_null(strstr(r.error.detail, versions[i]));
            } else {
                expect_one(&r, NB__DAMAGE_START, 0, 0);
            }
            nb__text_fini(&text);
        }
    }
    nb__text text = newer("99.0.0", true);
    nb__journal_check *check = nb__journal_check_new(NULL, NULL);
    nb_error error = {0};
    assert_int_equal(nb__journal_check_feed(check, nb__text_view(&text), NULL), NB_E_VERSION);
    assert_int_equal(nb__journal_check_feed(check, NB__SPAN("x"), &error), NB_E_VERSION);
    assert_int_equal(error.code, NB_E_VERSION);
    assert_int_equal(nb__journal_check_end(check)->damages, 0);
    nb__journal_check_free(check);
    nb__text_fini(&text);
}

/* Whatever the pieces, the findings are the same. */
static void pieces_agree(nb_span bytes)
{
    result whole = check_whole(bytes), r;
    for (size_t cut = 0; cut <= bytes.size_bytes; cut++) {
        guard g = guard_copy(bytes.data, bytes.size_bytes);
        check_cut((nb_span){g.data, g.size_bytes}, &cut, 1, &r);
        expect_same(&whole, &r);
        guard_free(&g);
    }
    size_t *cuts = malloc((bytes.size_bytes + 1) * sizeof *cuts);
    for (size_t step = 1; step < 8; step += 3) {
        size_t count = 0;
        for (size_t at = step; at < bytes.size_bytes; at += step)
            cuts[count++] = at;
        check_cut(bytes, cuts, count, &r);
        expect_same(&whole, &r);
    }
    free(cuts);
}

static void test_pieces(void **state)
{
    (void)state;
    segment made = segment_make(3, 2);
    pieces_agree(nb__text_view(&made.bytes));
    for (size_t at = 7; at < made.bytes.size_bytes; at += 83) {
        made.bytes.data[at] ^= 0x15;
        pieces_agree((nb_span){made.bytes.data, made.bytes.size_bytes - at % 50});
        made.bytes.data[at] ^= at % 2 == 0 ? 0x15 : 0; /* some stay */
    }
    nb__text_fini(&made.bytes);
}

/* ---- sizes ---- */

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2(); /* 0 under a sanitizer */
    return info.uordblks + info.hblkhd;
}

typedef struct feeder {
    nb__journal_check *check;
    result out;
    uint64_t offset;
    size_t heap_before, heap_most;
} feeder;

static void feeder_open(feeder *f)
{
    *f = (feeder){.heap_before = heap_bytes()};
    f->check = nb__journal_check_new(found, &f->out);
}

static void feed(feeder *f, nb_span bytes)
{
    assert_int_equal(nb__journal_check_feed(f->check, bytes, NULL), NB_OK);
    f->offset += bytes.size_bytes;
    size_t heap = heap_bytes() - f->heap_before;
    if (heap > f->heap_most)
        f->heap_most = heap;
}

static void feeder_close(feeder *f)
{
    f->out.findings = *nb__journal_check_end(f->check);
    nb__journal_check_free(f->check);
    assert_true(f->heap_most < (size_t)48 << 20);
}

/* A line that never ends; then, behind it, good spans. */
static void test_an_endless_line(void **state)
{
    (void)state;
    segment made = segment_make(2, 2);
    static char block[1 << 20];
    memset(block, 'x', sizeof block);
    for (int has_rest = 0; has_rest < 2; has_rest++) {
        feeder f;
        feeder_open(&f);
        feed(&f, (nb_span){made.bytes.data, made.span_ends[0]});
        feed(&f, NB__SPAN("1795424400123456790 1 frame good\n"));
        uint64_t begin = f.offset;
        for (int i = 0; i < 60; i++)
            feed(&f, (nb_span){block, sizeof block});
        if (has_rest) {
            feed(&f, NB__SPAN("\nbad\n1795424400123456790 1 frame good\n"));
            for (int i = 0; i < 30; i++)
                feed(&f, (nb_span){block, sizeof block});
            feed(&f, NB__SPAN("\n"));
            feed(&f, (nb_span){made.bytes.data + made.span_ends[0],
                               made.span_ends[1] - made.span_ends[0]});
        }
        feeder_close(&f);
        if (has_rest) {
            uint64_t damaged = f.offset - (made.span_ends[1] - made.span_ends[0]);
            expect_one(&f.out, NB__DAMAGE_SPAN, made.span_ends[0], damaged - made.span_ends[0]);
            assert_int_equal(f.out.findings.proved_bytes, made.bytes.size_bytes);
            assert_int_equal(f.out.findings.frames, made.frames);
        } else {
            expect_one(&f.out, NB__DAMAGE_TORN, begin, f.offset - begin);
            assert_int_equal(f.out.findings.frames, 2 + 1);
        }
    }
    nb__text_fini(&made.bytes);
}

/* Lines without a sum, more than a window of them; long ones among them are damage. */
static void test_no_sum_for_long(void **state)
{
    (void)state;
    static const char head[] = "1795424400123456790 1 frame ";
    static char line[1001], block[1 << 20];
    memset(line, 'y', sizeof line);
    memset(block, 'x', sizeof block);
    for (size_t i = 0; head[i] != '\0'; i++)
        line[i] = block[i] = head[i];
    line[1000] = '\n';
    feeder f;
    feeder_open(&f);
    feed(&f, NB__SPAN("1795424400123456789 0 start {\"format\":1,\"version\":\"0.1.0\",\"host\":"
                      "\"h\",\"feed\":\"sim\",\"night\":20261123,\"segment\":\"s\",\"run\":"
                      "\"0123456789abcdef\",\"after\":null}\n"));
    uint64_t lines = 1, begins[3], ends[3];
    for (int part = 0; part < 3; part++) {
        for (int i = 0; i < 20000; i++, lines++)
            feed(&f, (nb_span){line, sizeof line});
        begins[part] = f.offset;
        for (int i = 0; i < 9 + part * 10; i++)
            feed(&f, (nb_span){block, sizeof block});
        feed(&f, NB__SPAN("\n"));
        ends[part] = f.offset;
    }
    feed(&f, (nb_span){line, sizeof line});
    feeder_close(&f);
    assert_int_equal(f.out.count, 3);
    for (int part = 0; part < 3; part++) {
        assert_int_equal(f.out.damages[part].kind, NB__DAMAGE_LINE);
        assert_int_equal(f.out.damages[part].offset_bytes, begins[part]);
        assert_int_equal(f.out.damages[part].size_bytes, ends[part] - begins[part]);
    }
    assert_int_equal(f.out.findings.lines, lines + 1);
    assert_int_equal(f.out.findings.proved_bytes, 0);
    assert_true(f.out.findings.has_start);
}

/* More bad lines than are kept apart: the last one told reaches over the rest. */
static void test_many_bad_lines(void **state)
{
    (void)state;
    feeder f;
    feeder_open(&f);
    for (int i = 0; i < 5000; i++)
        feed(&f, NB__SPAN("bad\n1 1 frame good\n"));
    feeder_close(&f);
    assert_in_range(f.out.count, 100, 300);
    assert_int_equal(f.out.findings.lines, 5000);
}

/* Full spans of the writer, in pieces of a usual size, with a line of the greatest length. */
static void test_full_spans(void **state)
{
    (void)state;
    nb__journal_writer *writer = nb__journal_writer_new();
    char *payload = malloc(NB__JOURNAL_LINE_MAX);
    memset(payload, 'z', NB__JOURNAL_LINE_MAX);
    nb__text text = {0};
    nb__journal_writer_line(writer, 1, 0, NB__JOURNAL_REPAIR, NB__SPAN("{}"));
    for (int i = 0; i < 12000; i++) {
        size_t size = i % 3000 == 2999 ? NB__JOURNAL_LINE_MAX - 60 : 300;
        assert_true(
            nb__journal_writer_line(writer, i, 1, NB__JOURNAL_FRAME, (nb_span){payload, size}));
    }
    nb__journal_writer_sum(writer, 1);
    nb_span pending = nb__journal_writer_pending(writer);
    nb__text_append(&text, pending.data, pending.size_bytes);
    feeder f;
    feeder_open(&f);
    for (size_t at = 0; at < text.size_bytes; at += 300007)
        feed(&f, (nb_span){text.data + at,
                           text.size_bytes - at < 300007 ? text.size_bytes - at : 300007});
    feeder_close(&f);
    assert_int_equal(f.out.count, 0);
    assert_int_equal(f.out.findings.proved_bytes, text.size_bytes);
    assert_int_equal(f.out.findings.frames, 12000);
    assert_true(f.out.findings.sums >= 4);
    nb__text_fini(&text);
    free(payload);
    nb__journal_writer_free(writer);
}

/* A night of frames written and checked as it goes: 100 million with NB_LONG. */
static void test_a_long_night(void **state)
{
    (void)state;
    const char *is_long = getenv("NB_LONG");
    uint64_t count = is_long != NULL && is_long[0] != '\0' ? UINT64_C(100000000) : 20000;
    nb__journal_writer *writer = nb__journal_writer_new();
    char frame[250];
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = "0|H0EUASP0|001|B01612A46^180002^8.34^8.35"[i % 41];
    feeder f;
    feeder_open(&f);
    nb__journal_writer_line(writer, 1, 0, NB__JOURNAL_REPAIR, NB__SPAN("{}"));
    for (uint64_t i = 0; i < count; i++) {
        frame[20 + i % 200] = (char)('0' + i % 10);
        nb__journal_writer_line(writer, SEGMENT_NS + (int64_t)(i / 4), 1, NB__JOURNAL_FRAME,
                                (nb_span){frame, sizeof frame});
        if (i % 1000 == 999) {
            feed(&f, nb__journal_writer_pending(writer));
            nb__journal_writer_took(writer);
        }
    }
    nb__journal_writer_sum(writer, SEGMENT_NS);
    feed(&f, nb__journal_writer_pending(writer));
    nb__journal_writer_took(writer);
    feeder_close(&f);
    assert_int_equal(f.out.count, 0);
    assert_int_equal(f.out.findings.frames, count);
    assert_int_equal(f.out.findings.frame_bytes, count * sizeof frame);
    assert_int_equal(f.out.findings.proved_bytes, nb__journal_writer_size(writer));
    assert_int_equal(f.out.findings.xxh3, nb__journal_writer_xxh3(writer));
    nb__journal_writer_free(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_one),
        cmocka_unit_test(test_every_flipped_bit),
        cmocka_unit_test(test_every_byte_lost_or_put_in),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_destroyed_sums),
        cmocka_unit_test(test_a_hole_over_a_sum),
        cmocka_unit_test(test_damage_is_not_counted),
        cmocka_unit_test(test_behind_the_last_sum),
        cmocka_unit_test(test_no_start),
        cmocka_unit_test(test_a_repaired_one),
        cmocka_unit_test(test_a_newer_format),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_an_endless_line),
        cmocka_unit_test(test_no_sum_for_long),
        cmocka_unit_test(test_many_bad_lines),
        cmocka_unit_test(test_full_spans),
        cmocka_unit_test(test_a_long_night),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
