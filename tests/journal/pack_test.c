/* SPDX-License-Identifier: Apache-2.0 */
/* What is packed is what was there, in frames of whole lines, with an index that tells the truth.
 */
#include "packed_rig.h"
#include <stdio.h>
#include <zstd.h>

static void expect_text(const nb__text *a, const nb__text *b)
{
    assert_int_equal(a->size_bytes, b->size_bytes);
    if (a->size_bytes > 0)
        assert_memory_equal(a->data, b->data, a->size_bytes);
}

/* libzstd itself, told nothing of frames and tables: what zstdcat does. */
static void expect_zstdcat(nb_span packed, nb_span plain)
{
    char *out = malloc(plain.size_bytes + 1);
    assert_non_null(out);
    size_t size = ZSTD_decompress(out, plain.size_bytes + 1, packed.data, packed.size_bytes);
    assert_false(ZSTD_isError(size));
    assert_int_equal(size, plain.size_bytes);
    if (size > 0)
        assert_memory_equal(out, plain.data, size);
    free(out);
}

static void expect_round_trip(nb_span plain, size_t frame_bytes)
{
    nb__text packed = {0}, again = {0};
    nb_error error = {0};
    rig_pack(plain, frame_bytes, &packed);
    if (!rig_is_good(nb__text_view(&packed), &again, &error))
        fail_msg("%s", error.detail);
    assert_int_equal(again.size_bytes, plain.size_bytes);
    if (plain.size_bytes > 0)
        assert_memory_equal(again.data, plain.data, plain.size_bytes);
    expect_zstdcat(nb__text_view(&packed), plain);
    nb__text_fini(&packed);
    nb__text_fini(&again);
}

static void test_round_trip(void **state)
{
    (void)state;
    nb__text plain = {0};
    rig_night(&plain, NB__FEED_LIVE, 40000); /* three frames of 1 MiB */
    expect_round_trip(nb__text_view(&plain), 0);
    plain.size_bytes = 20000;
    static const size_t frame_sizes[] = {1, 100, 4096, 19999, 20000, 20001, SIZE_MAX};
    for (size_t i = 0; i < NB__COUNT_OF(frame_sizes); i++)
        expect_round_trip(nb__text_view(&plain), frame_sizes[i]);
    nb__text_fini(&plain);
}

/* The torn line that a killed recorder leaves, lines of nothing, and nothing at all. */
static void test_odd_ends(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "\n",
                                        "\n\n\n",
                                        "x",
                                        "x\n",
                                        "x\ny",
                                        "no line at all\nnor this",
                                        "1 1 frame 0|A|001|b\n2",
                                        "99999999999999999999 1 frame too large\n-1 0 sum {}\n"};
    for (size_t i = 0; i < NB__COUNT_OF(texts); i++)
        for (size_t frame_bytes = 0; frame_bytes < 12; frame_bytes++)
            expect_round_trip(nb__span(texts[i]), frame_bytes);
    static const char zeros[] = "a\0b\n\0\0\nc\0";
    expect_round_trip((nb_span){zeros, sizeof zeros - 1}, 4);
}

static void test_pieces(void **state)
{
    (void)state;
    nb__text plain = {0}, whole = {0};
    rig_night(&plain, NB__FEED_SIM, 60);
    nb__text_string(&plain, "1795424400 1 fra");
    rig_pack(nb__text_view(&plain), 900, &whole);
    for (size_t cut = 0; cut <= plain.size_bytes; cut++) { /* two pieces, and single bytes */
        nb__text pieces = {0};
        nb__pack *pack = nb__pack_new(3, 900);
        assert_non_null(pack);
        nb__pack_feed(pack, (nb_span){plain.data, cut}, &pieces, NULL);
        size_t step = cut == 0 ? 1 : plain.size_bytes;
        for (size_t at = cut; at < plain.size_bytes; at += step) {
            size_t size = plain.size_bytes - at < step ? plain.size_bytes - at : step;
            assert_int_equal(nb__pack_feed(pack, (nb_span){plain.data + at, size}, &pieces, NULL),
                             NB_OK);
        }
        assert_int_equal(nb__pack_end(pack, &pieces, NULL), NB_OK);
        expect_text(&pieces, &whole);
        nb__pack_free(pack);
        nb__text_fini(&pieces);
    }
    nb__text_fini(&plain);
    nb__text_fini(&whole);
}

/* Frames end where lines end; a line longer than a frame is one of its own. */
static void test_frames_are_whole_lines(void **state)
{
    (void)state;
    nb__text plain = {0}, packed = {0};
    nb__packed seen = {0};
    rig_night(&plain, NB__FEED_LIVE, 100);
    size_t long_begin = plain.size_bytes;
    nb__text_string(&plain, "1795424400123456789 1 frame ");
    for (int i = 0; i < 5000; i++)
        nb__text_string(&plain, "x");
    nb__text_string(&plain, "\n");
    size_t long_end = plain.size_bytes;
    rig_frame(&plain, BEGIN_NS, 1, 1);
    rig_pack(nb__text_view(&plain), 1000, &packed);
    assert_int_equal(rig_open(nb__text_view(&packed), &seen, NULL), NB_OK);
    bool has_long = false;
    for (size_t i = 0; i < seen.row_count; i++) {
        const nb__packed_row *row = &seen.rows[i];
        assert_int_equal(plain.data[row->plain_offset + row->plain_bytes - 1], '\n');
        bool is_long = row->plain_offset == long_begin;
        has_long |= is_long && row->plain_bytes == long_end - long_begin;
        assert_true(is_long || row->plain_bytes <= 1000);
        if (i + 2 < seen.row_count && !is_long && row[1].plain_offset != long_begin)
            assert_true(row->plain_bytes > 850); /* no line is longer than 150 */
    }
    assert_true(has_long);
    nb__packed_fini(&seen);
    nb__text_fini(&plain);
    nb__text_fini(&packed);
}

/* Nor is a torn line in a frame with others that it does not fit in. */
static void test_torn_line_apart(void **state)
{
    (void)state;
    nb__text packed = {0};
    nb__packed seen = {0};
    rig_pack(NB__SPAN("1 1 frame a\n2 1 frame torn"), 20, &packed);
    assert_int_equal(rig_open(nb__text_view(&packed), &seen, NULL), NB_OK);
    assert_int_equal(seen.row_count, 2);
    assert_int_equal(seen.rows[0].plain_bytes, 12);
    assert_int_equal(seen.rows[1].lines, 0);
    nb__packed_fini(&seen);
    nb__text_fini(&packed);
}

static void test_line_without_end(void **state)
{
    (void)state;
    nb__text plain = {0}, packed = {0};
    nb__packed seen = {0};
    rig_night(&plain, NB__FEED_LIVE, 1);
    uint64_t begin = plain.size_bytes;
    size_t size = 2 * NB__JOURNAL_LINE_MAX + 5;
    char *to = nb__text_reserve(&plain, size);
    assert_non_null(to);
    memset(to, 'x', size);
    plain.size_bytes += size;
    nb__text_string(&plain, "\n");
    expect_round_trip(nb__text_view(&plain), 0);
    rig_pack(nb__text_view(&plain), 0, &packed);
    assert_int_equal(rig_open(nb__text_view(&packed), &seen, NULL), NB_OK);
    assert_int_equal(seen.row_count, 4);
    assert_int_equal(seen.rows[1].plain_offset, begin);
    assert_int_equal(seen.rows[1].plain_bytes, NB__JOURNAL_LINE_MAX);
    assert_int_equal(seen.rows[1].lines, 0);
    assert_int_equal(seen.rows[3].lines, 1);
    assert_int_equal(seen.rows[3].recv_min_ns, INT64_MAX); /* no line has a time */
    assert_int_equal(seen.rows[3].recv_max_ns, INT64_MIN);
    nb__packed_fini(&seen);
    nb__text_fini(&plain);
    nb__text_fini(&packed);
}

/* Each row against the lines themselves. The clock steps back within the night. */
static void test_index(void **state)
{
    (void)state;
    nb__text plain = {0}, packed = {0}, marks = {0};
    nb__packed seen = {0};
    rig_night(&plain, NB__FEED_SIM, 30);
    nb__text_append(&marks, plain.data, plain.size_bytes);
    marks.size_bytes = (size_t)(strstr(plain.data, " frame ") - plain.data);
    while (marks.data[marks.size_bytes - 1] != '\n')
        marks.size_bytes--; /* start and connect */
    rig_line(&plain, BEGIN_NS - 5 * NB__NS_PER_S, 0, NB__JOURNAL_CLOCK, "{\"step_ns\":-1}");
    size_t second = plain.size_bytes;
    rig_connect(&plain, BEGIN_NS, 2, NB__FEED_SIM, BEGIN_NS + 7 * SIM_AHEAD_NS);
    nb__text_append(&marks, plain.data + second, plain.size_bytes - second);
    rig_frame(&plain, BEGIN_NS + 9, 1, 1); /* by the clock of link 1 */
    second = plain.size_bytes;
    rig_line(&plain, BEGIN_NS + 10, 0, NB__JOURNAL_REPAIR, "{\"any\":1}");
    nb__text_append(&marks, plain.data + second, plain.size_bytes - second);
    rig_pack(nb__text_view(&plain), 600, &packed);
    assert_int_equal(rig_open(nb__text_view(&packed), &seen, NULL), NB_OK);
    assert_true(seen.has_index);
    assert_int_equal(seen.plain_bytes, plain.size_bytes);
    assert_int_equal(seen.marks_bytes, marks.size_bytes);
    assert_memory_equal(seen.marks, marks.data, marks.size_bytes);
    uint64_t lines = 0, frames = 0;
    int64_t recv_min = INT64_MAX, session_max = INT64_MIN;
    for (size_t i = 0; i < seen.row_count; i++) {
        const nb__packed_row *row = &seen.rows[i];
        lines += row->lines;
        frames += row->frames;
        recv_min = row->recv_min_ns < recv_min ? row->recv_min_ns : recv_min;
        session_max = row->session_max_ns > session_max ? row->session_max_ns : session_max;
        if (i > 0 && row->recv_min_ns > BEGIN_NS + NB__NS_PER_MS) { /* frames of link 1 only */
            assert_int_equal(row->session_min_ns, row->recv_min_ns + SIM_AHEAD_NS);
            assert_int_equal(row->session_max_ns, row->recv_max_ns + SIM_AHEAD_NS);
        }
    }
    assert_int_equal(lines, 2 + 30 + 1 + 1 + 1 + 1);
    assert_int_equal(frames, 31);
    assert_int_equal(recv_min, BEGIN_NS - 5 * NB__NS_PER_S);
    assert_int_equal(session_max, BEGIN_NS + 10 + 7 * SIM_AHEAD_NS);
    nb__packed_fini(&seen);
    nb__text_fini(&plain);
    nb__text_fini(&packed);
    nb__text_fini(&marks);
}

/* Two frames and the index, byte for byte as zstd's document of the seekable format has it. */
static void test_seek_table_bytes(void **state)
{
    (void)state;
    nb__text packed = {0};
    rig_pack(NB__SPAN("1 1 frame a\n2 1 frame b\n"), 12, &packed);
    size_t table_bytes = 8 + 3 * 8 + 9;
    const uint8_t *at = (const uint8_t *)packed.data + packed.size_bytes - table_bytes;
    static const uint8_t head[] = {0x5E, 0x2A, 0x4D, 0x18, 3 * 8 + 9, 0, 0, 0};
    static const uint8_t foot[] = {3, 0, 0, 0, 0, 0xB1, 0xEA, 0x92, 0x8F};
    assert_memory_equal(at, head, sizeof head);
    assert_memory_equal(at + table_bytes - sizeof foot, foot, sizeof foot);
    size_t first = ZSTD_findFrameCompressedSize(packed.data, packed.size_bytes);
    uint8_t rows[3][8] = {{(uint8_t)first, 0, 0, 0, 12}, {(uint8_t)first, 0, 0, 0, 12}};
    size_t index = packed.size_bytes - table_bytes - 2 * first;
    assert_true(first < 256 && index < 256);
    rows[2][0] = (uint8_t)index;
    assert_memory_equal(at + 8, rows, sizeof rows);
    const uint8_t *place = at - index;
    static const uint8_t index_head[] = {0x5B, 0x2A, 0x4D, 0x18};
    assert_memory_equal(place, index_head, sizeof index_head);
    assert_int_equal(place[4], index - 8);
    assert_memory_equal(place + 8, "NBINDEX1", 8);
    nb__text_fini(&packed);
}

/* More marks than an index holds is an error with words, not memory without end. */
static void test_too_many_marks(void **state)
{
    (void)state;
    nb__text line = {0}, out = {0};
    nb_error error = {0};
    nb__pack *pack = nb__pack_new(1, 0);
    assert_non_null(pack);
    nb__text_string(&line, "1 0 repair ");
    size_t size = (size_t)4 << 20;
    char *to = nb__text_reserve(&line, size);
    assert_non_null(to);
    memset(to, '{', size);
    line.size_bytes += size;
    nb__text_string(&line, "\n");
    nb_err err = NB_OK;
    int fed = 0;
    for (; err == NB_OK && fed < 5; fed++)
        err = nb__pack_feed(pack, nb__text_view(&line), &out, &error);
    assert_int_equal(err, NB_E_LIMIT);
    assert_int_equal(fed, 4);
    assert_non_null(strstr(error.detail, "marks"));
    nb__pack_free(pack);
    nb__text_fini(&line);
    nb__text_fini(&out);
}

static void test_levels(void **state)
{
    (void)state;
    nb__text plain = {0};
    rig_night(&plain, NB__FEED_LIVE, 3000);
    for (int level = -5; level <= 30; level += 7) {
        nb__text packed = {0};
        nb__pack *pack = nb__pack_new(level, 0);
        assert_non_null(pack);
        assert_int_equal(nb__pack_feed(pack, nb__text_view(&plain), &packed, NULL), NB_OK);
        assert_int_equal(nb__pack_end(pack, &packed, NULL), NB_OK);
        assert_true(rig_is_good(nb__text_view(&packed), NULL, NULL));
        nb__pack_free(pack);
        nb__text_fini(&packed);
    }
    nb__text_fini(&plain);
}

/* ---- links ---- */

static int64_t session_of(nb__journal_links *links, const char *text)
{
    nb__journal_line line;
    assert_int_equal(nb__journal_line_parse(nb__span(text), &line, NULL), NB_OK);
    assert_true(nb__journal_links_note(links, &line));
    return nb__journal_links_session_ns(links, &line);
}

static void test_links(void **state)
{
    (void)state;
    nb__journal_links links = {0};
    nb__text marks = {0};
    assert_int_equal(session_of(&links, "5 0 sum {}"), NB_TIME_UNDEF);
    assert_int_equal(session_of(&links, "5 3 frame x"), NB_TIME_UNDEF);
    rig_start(&marks, BEGIN_NS, NB__FEED_LIVE);
    marks.data[--marks.size_bytes] = '\0';
    assert_int_equal(session_of(&links, marks.data), BEGIN_NS);
    assert_int_equal(session_of(&links, "5 3 frame x"), 5);
    for (uint32_t link = 1; link <= 3; link++) {
        nb__text_clear(&marks);
        rig_connect(&marks, BEGIN_NS, link, NB__FEED_SIM, BEGIN_NS + link * SIM_AHEAD_NS);
        marks.data[--marks.size_bytes] = '\0';
        session_of(&links, marks.data);
    }
    assert_int_equal(session_of(&links, "5 1 frame x"), 5 + SIM_AHEAD_NS);
    assert_int_equal(session_of(&links, "5 2 frame x"), 5 + 2 * SIM_AHEAD_NS);
    assert_int_equal(session_of(&links, "5 0 sum {}"), 5 + 3 * SIM_AHEAD_NS);
    assert_int_equal(session_of(&links, "5 9 frame x"), 5 + 3 * SIM_AHEAD_NS);
    assert_null(nb__journal_links_find(&links, 9));
    assert_string_equal(nb__journal_links_find(&links, 2)->feed, "main");
    session_of(&links, "5 2 connect {\"feed\":"); /* changes nothing */
    assert_non_null(nb__journal_links_find(&links, 2));
    for (uint32_t link = 4; link < 4 + NB__JOURNAL_LINKS_MAX; link++) {
        nb__text_clear(&marks);
        rig_connect(&marks, BEGIN_NS, link, NB__FEED_SIM, BEGIN_NS);
        marks.data[--marks.size_bytes] = '\0';
        session_of(&links, marks.data);
    }
    assert_int_equal(links.count, NB__JOURNAL_LINKS_MAX);
    assert_null(nb__journal_links_find(&links, 3));
    assert_non_null(nb__journal_links_find(&links, 4));
    nb__text_clear(&marks);
    rig_start(&marks, BEGIN_NS, NB__FEED_SIM); /* another run: its links have other numbers */
    marks.data[--marks.size_bytes] = '\0';
    assert_int_equal(session_of(&links, marks.data), NB_TIME_UNDEF);
    assert_null(nb__journal_links_find(&links, 4));
    nb__journal_links_fini(&links);
    nb__text_fini(&marks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_odd_ends),
        cmocka_unit_test(test_pieces),          cmocka_unit_test(test_frames_are_whole_lines),
        cmocka_unit_test(test_torn_line_apart), cmocka_unit_test(test_line_without_end),
        cmocka_unit_test(test_index),           cmocka_unit_test(test_seek_table_bytes),
        cmocka_unit_test(test_too_many_marks),  cmocka_unit_test(test_levels),
        cmocka_unit_test(test_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
