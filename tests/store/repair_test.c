/* SPDX-License-Identifier: Apache-2.0 */
/* What is damaged goes, and nothing else; what went is kept aside; what comes out is good. */
#include "step_rig.h"

#define SPANS 3
#define FRAMES 4
#define PACKED_FRAME_BYTES 400

/* A night of three segments, the second of which is to be hurt. */
static void begin(rig *r, nb__text *plain)
{
    rig_open(r, NB__FEED_SIM);
    *plain = (nb__text){0};
    for (uint32_t i = 1; i <= 3; i++) {
        rig_usual(r, SPANS, FRAMES);
        rig_write_plain(r, i, nb__text_view(&r->plain));
        if (i == 2)
            nb__text_append(plain, r->plain.data, r->plain.size_bytes);
    }
}

static void end(rig *r, nb__text *plain)
{
    nb__text_fini(plain);
    rig_close(r);
}

static nb__repair_result repair(const rig *r)
{
    nb__segment segment = rig_segment(r, 2);
    nb__repair_result result;
    nb_error error = {0};
    if (nb__repair_segment(&segment, &result, &error) != NB_OK)
        fail_msg("%s", error.detail);
    return result;
}

/* The chain is good: the third segment names the second as it was before. */
static void expect_good(const rig *r)
{
    nb__verify_report reports[2];
    for (uint32_t i = 0; i < 2; i++) {
        nb__segment segment = rig_segment(r, i + 2);
        nb_error error = {0};
        assert_int_equal(
            nb__verify_segment(&segment, i == 0 ? NULL : &reports[0], &reports[i], &error), NB_OK);
        if (!reports[i].is_good)
            fail_msg("segment %u: %s; %s", (unsigned)i + 2, reports[i].words,
                     reports[i].damage_count > 0 ? reports[i].damages[0].words : "");
        assert_int_equal(reports[i].damage_count, 0);
        assert_null(strstr(reports[i].words, "damaged"));
    }
    for (uint32_t i = 0; i < 2; i++)
        nb__verify_fini(&reports[i]);
}

/* The lines of the repaired file, without its sums and repair marks. */
static nb__text content(const rig *r, bool is_packed)
{
    nb__text out = {0};
    char path[160];
    rig_path(r, 2, is_packed ? ".zst" : "", path);
    nb__recording *recording = rig_read(path);
    nb__entry entry;
    nb_error damage;
    nb__recording_step step;
    while ((step = nb__recording_next(recording, &entry, &damage)) == NB__RECORDING_LINE)
        if (entry.line.kind != NB__JOURNAL_SUM && entry.line.kind != NB__JOURNAL_REPAIR)
            nb__journal_line_print(&out, entry.line.recv_ns, entry.line.link, entry.line.kind,
                                   entry.message);
    assert_int_equal(step, NB__RECORDING_END);
    nb__recording_close(recording);
    return out;
}

/* The lines of a plain text that lie outside of [begin, end), without sums; marks that are saved
 * stay wherever they are. */
static nb__text expected(nb_span plain, size_t begin, size_t end_offset)
{
    nb__text out = {0};
    for (size_t at = 0; at < plain.size_bytes;) {
        const char *end_of = memchr(plain.data + at, '\n', plain.size_bytes - at);
        size_t size =
            end_of == NULL ? plain.size_bytes - at : (size_t)(end_of - plain.data) + 1 - at;
        nb_span text = {plain.data + at, size};
        bool is_out = at + size <= begin || at >= end_offset;
        bool is_mark = memmem(text.data, size, " connect ", 9) != NULL ||
                       memmem(text.data, size, " 0 start ", 9) != NULL;
        if ((is_out || is_mark) && memmem(text.data, size, " 0 sum ", 7) == NULL)
            nb__text_append(&out, text.data, size);
        at += size;
    }
    return out;
}

static void expect_content(const rig *r, bool is_packed, nb_span plain, size_t begin_offset,
                           size_t end_offset)
{
    nb__text is = content(r, is_packed), ought = expected(plain, begin_offset, end_offset);
    if (!nb__span_equal(nb__text_view(&is), nb__text_view(&ought)))
        fail_msg("%.*s\nis not\n%.*s", (int)is.size_bytes, is.data, (int)ought.size_bytes,
                 ought.data);
    nb__text_fini(&is);
    nb__text_fini(&ought);
}

static void expect_kept(const nb__repair_result *result, nb_span bytes)
{
    assert_string_not_equal(result->kept_in, "");
    nb__text kept = rig_file(result->kept_in);
    assert_int_equal(kept.size_bytes, bytes.size_bytes);
    assert_memory_equal(kept.data, bytes.data, bytes.size_bytes);
    nb__text_fini(&kept);
}

static void forget_kept(const nb__repair_result *result)
{
    if (result->kept_in[0] != '\0')
        assert_int_equal(remove(result->kept_in), 0);
}

/* ---- plain ---- */

/* The span of a byte: from behind a sum to behind the next. */
static void span_of(nb_span plain, size_t at, size_t *begin_offset, size_t *end_offset)
{
    *begin_offset = 0;
    for (size_t from = 0; from < plain.size_bytes;) {
        const char *sum = memmem(plain.data + from, plain.size_bytes - from, " 0 sum ", 7);
        assert_non_null(sum);
        const char *line_end = memchr(sum, '\n', plain.size_bytes - (size_t)(sum - plain.data));
        assert_non_null(line_end);
        *end_offset = (size_t)(line_end - plain.data) + 1;
        if (at < *end_offset)
            return;
        *begin_offset = from = *end_offset;
    }
}

static void test_every_flip_of_a_plain_one(void **state)
{
    (void)state;
    rig r;
    nb__text plain;
    begin(&r, &plain);
    nb_span whole = nb__text_view(&plain);
    for (size_t i = 0; i < plain.size_bytes; i += i < 600 ? 1 : 3) {
        size_t begin_offset, end_offset;
        span_of(whole, i, &begin_offset, &end_offset);
        plain.data[i] = (char)(plain.data[i] ^ 1 << i % 8);
        rig_write_plain(&r, 2, whole);
        nb__repair_result result = repair(&r);
        assert_int_equal(result.dropped_spans, 1);
        /* a sum that is hit: with the line's end it takes the next span along, the last one
         * leaves its lines unproved */
        const char *sum = memrchr(plain.data, '\n', end_offset - 1);
        bool is_sum = i > (size_t)(sum - plain.data);
        assert_true(is_sum || result.dropped_bytes == end_offset - begin_offset);
        if (result.dropped_bytes == end_offset - begin_offset)
            expect_kept(&result, (nb_span){plain.data + begin_offset, end_offset - begin_offset});
        plain.data[i] = (char)(plain.data[i] ^ 1 << i % 8);
        expect_good(&r);
        /* a mark that was hit is not saved; an intact one is */
        bool is_marks = begin_offset == 0;
        if (!is_marks && !is_sum)
            expect_content(&r, false, whole, begin_offset, end_offset);
        forget_kept(&result);
    }
    end(&r, &plain);
}

/* The start and connect marks stand when the byte that changed is a frame's, behind them. */
static void test_marks_are_saved(void **state)
{
    (void)state;
    rig r;
    nb__text plain;
    begin(&r, &plain);
    nb_span whole = nb__text_view(&plain);
    size_t at = (size_t)(strstr(plain.data, " frame ") - plain.data) + 9, from, to;
    span_of(whole, at, &from, &to);
    assert_int_equal(from, 0);
    plain.data[at] ^= 1;
    rig_write_plain(&r, 2, whole);
    nb__repair_result result = repair(&r);
    plain.data[at] ^= 1;
    expect_content(&r, false, whole, from, to);
    nb__recording *recording = rig_read(r.night);
    assert_int_equal(nb__recording_feed_kind(recording), NB__FEED_SIM);
    nb__recording_close(recording);
    expect_good(&r);
    assert_int_equal(result.dropped_bytes, to);
    end(&r, &plain);
}

/* A repair mark says what, where, and what the segment was. */
static void test_mark(void **state)
{
    (void)state;
    rig r;
    nb__text plain;
    begin(&r, &plain);
    nb_span whole = nb__text_view(&plain);
    nb__journal_repair marks[2];
    size_t from, to, at = plain.size_bytes / 2;
    span_of(whole, at, &from, &to);
    plain.data[at] ^= 1;
    rig_write_plain(&r, 2, whole);
    repair(&r);
    plain.data[at] ^= 1;
    char path[160];
    rig_path(&r, 2, "", path);
    for (int i = 0; i < 2; i++) {
        nb__text now = rig_file(path);
        const char *mark = strstr(now.data, " 0 repair ");
        assert_non_null(mark);
        mark += 10;
        nb_span payload = {mark, strcspn(mark, "\n")};
        assert_int_equal(nb__journal_repair_parse(payload, &marks[i], NULL), NB_OK);
        if (i == 0) { /* once more, elsewhere */
            char *last = strrchr(now.data, '^');
            *last = '~';
            rig_write_plain(&r, 2, nb__text_view(&now));
            repair(&r);
            expect_good(&r);
        }
        nb__text_fini(&now);
    }
    assert_int_equal(marks[0].offset_bytes, from);
    assert_int_equal(marks[0].size_bytes, to - from);
    char name[64];
    snprintf(name, sizeof name, "20261123-000002.damaged-%zu", from);
    assert_string_equal(marks[0].kept_in, name);
    assert_string_equal(marks[0].was.segment, "20261123-000002");
    assert_int_equal(marks[0].was.size_bytes, plain.size_bytes);
    assert_memory_equal(&marks[0], &marks[1], sizeof marks[0]);
    end(&r, &plain);
}

static void test_every_cut_of_a_plain_one(void **state)
{
    (void)state;
    rig r;
    nb__text plain;
    begin(&r, &plain);
    for (size_t size = 1; size < plain.size_bytes; size += size < 400 ? 1 : 7) {
        nb_span cut = {plain.data, size};
        rig_write_plain(&r, 2, cut);
        const char *line = memrchr(cut.data, '\n', size);
        size_t whole = line == NULL ? 0 : (size_t)(line - cut.data) + 1;
        nb__repair_result result = repair(&r);
        assert_int_equal(result.dropped_bytes, size - whole);
        assert_int_equal(result.dropped_spans, whole < size);
        if (whole < size) {
            expect_kept(&result, (nb_span){plain.data + whole, size - whole});
            expect_good(&r);
        }
        if (whole > 0)
            expect_content(&r, false, (nb_span){plain.data, whole}, size, size);
        forget_kept(&result);
    }
    end(&r, &plain);
}

/* Every second span, adjacent spans, the first and the last. */
static void test_many_spans(void **state)
{
    (void)state;
    for (unsigned pattern = 1; pattern < 1U << (SPANS + 1); pattern++) {
        rig r;
        nb__text plain, ought = {0};
        begin(&r, &plain);
        nb_span whole = nb__text_view(&plain);
        size_t from = 0, to = 0;
        uint64_t dropped = 0;
        for (unsigned i = 0; to < whole.size_bytes; i++, from = to) {
            span_of(whole, from, &from, &to);
            nb__text part = expected((nb_span){whole.data + from, to - from}, 0,
                                     pattern >> i & 1 ? SIZE_MAX : 0);
            nb__text_append(&ought, part.data, part.size_bytes);
            nb__text_fini(&part);
            if ((pattern >> i & 1) == 0)
                continue;
            dropped += to - from;
            const char *sum = memrchr(plain.data, '\n', to - 1);
            plain.data[sum - plain.data - 3] ^= 1; /* in the last line before its sum */
        }
        rig_write_plain(&r, 2, whole);
        nb__repair_result result = repair(&r);
        assert_int_equal(result.dropped_bytes, dropped);
        expect_good(&r);
        nb__text is = content(&r, false);
        assert_true(nb__span_equal(nb__text_view(&is), nb__text_view(&ought)));
        nb__text_fini(&is);
        nb__text_fini(&ought);
        end(&r, &plain);
    }
}

static void test_nothing_wrong(void **state)
{
    (void)state;
    rig r;
    nb__text plain;
    begin(&r, &plain);
    for (int is_packed = 0; is_packed < 2; is_packed++) {
        nb__repair_result result = repair(&r);
        assert_int_equal(result.dropped_spans, 0);
        assert_false(result.is_rebuilt);
        assert_string_equal(result.kept_in, "");
        assert_int_equal(rig_names(&r).count, 3);
        rig_write_packed(&r, 2, nb__text_view(&plain), 400);
        if (is_packed == 0)
            rig_drop(&r, 2, "");
    }
    end(&r, &plain);
}

/* No start at the begin of a file that has no sum yet. */
static void test_no_start(void **state)
{
    (void)state;
    static const char *const texts[] = {"5 1 frame a\n", "gone\n5 1 frame a\n", "torn"};
    for (size_t i = 0; i < NB__COUNT_OF(texts); i++) {
        rig r;
        nb__text plain;
        begin(&r, &plain);
        rig_write_plain(&r, 2, nb__span(texts[i]));
        nb__repair_result result = repair(&r);
        assert_int_equal(result.dropped_spans, 1);
        expect_good(&r);
        nb__text is = content(&r, false);
        assert_string_equal(is.data == NULL ? "" : is.data, i == 2 ? "" : "5 1 frame a\n");
        nb__text_fini(&is);
        end(&r, &plain);
    }
}

/* ---- packed ---- */

static nb__text write_packed(rig *r, const nb__text *plain, nb__packed *places)
{
    nb__text packed = rig_packed(nb__text_view(plain), PACKED_FRAME_BYTES);
    size_t table_bytes, index_bytes;
    nb_span footer = {packed.data + packed.size_bytes - NB__PACKED_FOOTER_BYTES,
                      NB__PACKED_FOOTER_BYTES};
    assert_int_equal(nb__packed_footer(footer, &table_bytes, NULL), NB_OK);
    nb_span table = {packed.data + packed.size_bytes - table_bytes, table_bytes};
    assert_int_equal(nb__packed_seek_table(table, packed.size_bytes, places, &index_bytes, NULL),
                     NB_OK);
    rig_drop(r, 2, "");
    return packed;
}

static const nb__packed_row *row_of(const nb__packed *places, size_t at)
{
    for (size_t i = 0; i < places->row_count; i++)
        if (at < places->rows[i].packed_offset + places->rows[i].packed_bytes)
            return &places->rows[i];
    return NULL;
}

/* A flipped bit in a zstd frame costs that frame; one in index or seek table costs nothing. Links
 * and start are as they were: the index knows them. */
static void test_every_flip_of_a_packed_one(void **state)
{
    (void)state;
    rig r;
    nb__text plain;
    nb__packed places = {0};
    begin(&r, &plain);
    nb__text packed = write_packed(&r, &plain, &places);
    assert_true(places.row_count >= 4);
    for (size_t i = 0; i < packed.size_bytes; i++) {
        packed.data[i] = (char)(packed.data[i] ^ 1 << i % 8);
        rig_write(&r, 2, ".zst", nb__text_view(&packed));
        nb__repair_result result = repair(&r);
        const nb__packed_row *row = row_of(&places, i);
        size_t from = row == NULL ? 0 : (size_t)row->plain_offset;
        size_t to = row == NULL ? 0 : from + (size_t)row->plain_bytes;
        assert_int_equal(result.dropped_bytes, to - from);
        assert_int_equal(result.dropped_spans, row != NULL);
        assert_true(result.is_rebuilt);
        if (row != NULL)
            expect_kept(&result,
                        (nb_span){packed.data + row->packed_offset, (size_t)row->packed_bytes});
        expect_good(&r);
        expect_content(&r, true, nb__text_view(&plain), from, to);
        forget_kept(&result);
        packed.data[i] = (char)(packed.data[i] ^ 1 << i % 8);
    }
    nb__packed_fini(&places);
    nb__text_fini(&packed);
    end(&r, &plain);
}

/* Without its end, and within a frame: whole frames stay. */
static void test_every_cut_of_a_packed_one(void **state)
{
    (void)state;
    rig r;
    nb__text plain;
    nb__packed places = {0};
    begin(&r, &plain);
    nb__text packed = write_packed(&r, &plain, &places);
    for (size_t size = 0; size < packed.size_bytes; size += size < 40 ? 1 : 5) {
        rig_write(&r, 2, ".zst", (nb_span){packed.data, size});
        nb__repair_result result = repair(&r);
        size_t kept = 0;
        for (size_t i = 0; i < places.row_count; i++)
            if (places.rows[i].packed_offset + places.rows[i].packed_bytes <= size)
                kept = (size_t)(places.rows[i].plain_offset + places.rows[i].plain_bytes);
        assert_true(result.is_rebuilt);
        nb__text is = content(&r, true),
                 ought = expected((nb_span){plain.data, kept}, SIZE_MAX, SIZE_MAX);
        assert_true(nb__span_equal(nb__text_view(&is), nb__text_view(&ought)));
        nb__text_fini(&is);
        nb__text_fini(&ought);
        nb__segment segment = rig_segment(&r, 2);
        nb__verify_report report;
        assert_int_equal(nb__verify_segment(&segment, NULL, &report, NULL), NB_OK);
        assert_true(report.is_good && report.is_packed_good);
        nb__verify_fini(&report);
        forget_kept(&result);
    }
    nb__packed_fini(&places);
    nb__text_fini(&packed);
    end(&r, &plain);
}

/* A frame and the seek table: the frames behind are found all the same. */
static void test_frame_and_table(void **state)
{
    (void)state;
    rig r;
    nb__text plain;
    nb__packed places = {0};
    begin(&r, &plain);
    nb__text packed = write_packed(&r, &plain, &places);
    packed.data[packed.size_bytes - 3] ^= 1;
    for (size_t i = 0; i < places.row_count; i++) {
        const nb__packed_row *row = &places.rows[i];
        for (int way = 0; way < 3; way++) {
            nb__text hurt = {0};
            nb__text_append(&hurt, packed.data, packed.size_bytes);
            char *frame = hurt.data + row->packed_offset;
            if (way == 0)
                memset(frame, 0, (size_t)row->packed_bytes);
            else
                frame[way == 1 ? 1 : row->packed_bytes / 2] ^= 1;
            rig_write(&r, 2, ".zst", nb__text_view(&hurt));
            nb__repair_result result = repair(&r);
            assert_int_equal(result.dropped_spans, 1);
            expect_kept(&result, (nb_span){frame, (size_t)row->packed_bytes});
            nb__text is = content(&r, true),
                     before = expected((nb_span){plain.data, (size_t)row->plain_offset}, SIZE_MAX,
                                       SIZE_MAX);
            size_t behind = (size_t)(row->plain_offset + row->plain_bytes);
            nb__text after = expected((nb_span){plain.data + behind, plain.size_bytes - behind},
                                      SIZE_MAX, SIZE_MAX);
            nb__text_append(&before, after.data, after.size_bytes);
            assert_true(nb__span_equal(nb__text_view(&is), nb__text_view(&before)));
            expect_good(&r);
            nb__text_fini(&is);
            nb__text_fini(&before);
            nb__text_fini(&after);
            nb__text_fini(&hurt);
            forget_kept(&result);
        }
    }
    nb__packed_fini(&places);
    nb__text_fini(&packed);
    end(&r, &plain);
}

/* Several frames at once, and a span that was damaged before it was packed. */
static void test_frames_and_a_span(void **state)
{
    (void)state;
    rig r;
    nb__text plain;
    nb__packed places = {0};
    begin(&r, &plain);
    char *last = strrchr(plain.data, '^');
    *last = '~';
    nb__text packed = write_packed(&r, &plain, &places);
    packed.data[places.rows[0].packed_offset + 20] ^= 1;
    packed.data[places.rows[1].packed_offset + 20] ^= 1;
    rig_write(&r, 2, ".zst", nb__text_view(&packed));
    nb__repair_result result = repair(&r);
    assert_int_equal(result.dropped_spans, 3);
    expect_good(&r);
    nb__text is = content(&r, true);
    assert_non_null(strstr(is.data, " 0 start "));
    assert_non_null(strstr(is.data, " 1 connect "));
    assert_null(strchr(is.data, '~'));
    nb__text_fini(&is);
    assert_int_equal(rig_names(&r).count, 3 + 3);
    nb__packed_fini(&places);
    nb__text_fini(&packed);
    end(&r, &plain);
}

/* ---- both files ---- */

static void test_both(void **state)
{
    (void)state;
    rig r;
    nb__text plain;
    begin(&r, &plain);
    rig_write(&r, 2, ".zst", NB__SPAN("(\xB5/\xFD rubbish"));
    nb__repair_result result = repair(&r);
    assert_int_equal(result.dropped_spans, 0);
    expect_kept(&result, NB__SPAN("(\xB5/\xFD rubbish"));
    assert_false(rig_has(&r, 2, ".zst"));
    expect_good(&r);
    expect_content(&r, false, nb__text_view(&plain), 0, 0);
    end(&r, &plain);
}

/* ---- killed, and failing ---- */

typedef struct job {
    rig *r;
} job;

static nb_err repair_job(void *self)
{
    const job *j = self;
    nb__segment segment = rig_segment(j->r, 2);
    nb__repair_result result;
    nb_error error = {0};
    return nb__repair_segment(&segment, &result, &error);
}

static void hurt(rig *r, nb__text *plain, bool is_packed)
{
    if (!is_packed) {
        plain->data[plain->size_bytes / 2] ^= 1;
        rig_write_plain(r, 2, nb__text_view(plain));
        plain->data[plain->size_bytes / 2] ^= 1;
        return;
    }
    nb__packed places = {0};
    nb__text packed = write_packed(r, plain, &places);
    packed.data[places.rows[1].packed_offset + 30] ^= 1;
    rig_write(r, 2, ".zst", nb__text_view(&packed));
    nb__packed_fini(&places);
    nb__text_fini(&packed);
}

static void expect_done(rig *r, nb__text *plain, bool is_packed)
{
    assert_int_equal(repair_job(&(job){r}), NB_OK);
    expect_good(r);
    size_t from, to;
    if (!is_packed) {
        span_of(nb__text_view(plain), plain->size_bytes / 2, &from, &to);
        expect_content(r, is_packed, nb__text_view(plain), from, to);
    }
    rig_list names = rig_names(r);
    assert_null(strstr(names.names, ".tmp"));
    assert_int_equal(names.count, 4); /* with what is kept */
}

static void test_killed_at_every_step(void **state)
{
    (void)state;
    int reached = 0;
    for (int is_packed = 0; is_packed < 2; is_packed++) {
        for (int kind = STEP_BEFORE; kind <= STEP_AFTER; kind++) {
            for (int at = 1;; at++) {
                rig r;
                nb__text plain;
                begin(&r, &plain);
                hurt(&r, &plain, is_packed != 0);
                bool is_killed = step_kill(at, (step_kind)kind, repair_job, &(job){&r});
                expect_done(&r, &plain, is_packed != 0);
                end(&r, &plain);
                if (!is_killed)
                    break;
                reached = at;
            }
        }
    }
    assert_true(reached >= 9);
}

static void test_every_step_fails(void **state)
{
    (void)state;
    for (int at = 1;; at++) {
        rig r;
        nb__text plain;
        nb_err err;
        begin(&r, &plain);
        hurt(&r, &plain, false);
        bool is_reached = step_fail(at, ENOSPC, repair_job, &(job){&r}, &err);
        expect_done(&r, &plain, false);
        end(&r, &plain);
        if (!is_reached)
            break;
    }
}

/* ---- who else is there ---- */

static void test_recorder(void **state)
{
    (void)state;
    rig r;
    nb__text plain;
    char path[160];
    nb_error error = {0};
    nb__repair_result result;
    int lock;
    begin(&r, &plain);
    hurt(&r, &plain, false);
    snprintf(path, sizeof path, "%s/lock", r.journal);
    assert_int_equal(nb__disk_lock(path, &lock, NULL), NB_OK);
    nb__segment newest = rig_segment(&r, 3);
    assert_int_equal(nb__repair_segment(&newest, &result, &error), NB_E_BUSY);
    assert_non_null(strstr(error.detail, "a recorder writes to it"));
    assert_int_equal(repair_job(&(job){&r}), NB_OK); /* an older one is nobody's */
    nb__disk_close(lock);
    assert_int_equal(nb__repair_segment(&newest, &result, &error), NB_OK);
    expect_good(&r);
    end(&r, &plain);
}

static void test_two_at_once(void **state)
{
    (void)state;
    rig r;
    nb__text plain;
    char path[160];
    int lock;
    begin(&r, &plain);
    hurt(&r, &plain, false);
    snprintf(path, sizeof path, "%s/care.lock", r.night);
    assert_int_equal(nb__disk_lock(path, &lock, NULL), NB_OK);
    assert_int_equal(repair_job(&(job){&r}), NB_E_BUSY);
    nb__disk_close(lock);
    expect_done(&r, &plain, false);
    end(&r, &plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_flip_of_a_plain_one),
        cmocka_unit_test(test_marks_are_saved),
        cmocka_unit_test(test_mark),
        cmocka_unit_test(test_every_cut_of_a_plain_one),
        cmocka_unit_test(test_many_spans),
        cmocka_unit_test(test_nothing_wrong),
        cmocka_unit_test(test_no_start),
        cmocka_unit_test(test_every_flip_of_a_packed_one),
        cmocka_unit_test(test_every_cut_of_a_packed_one),
        cmocka_unit_test(test_frame_and_table),
        cmocka_unit_test(test_frames_and_a_span),
        cmocka_unit_test(test_both),
        cmocka_unit_test(test_killed_at_every_step),
        cmocka_unit_test(test_every_step_fails),
        cmocka_unit_test(test_recorder),
        cmocka_unit_test(test_two_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
