/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a recording gives what a naive reader finds in its plain bytes: in any range, from plain
 * and packed segments, with seeks in any order; and of damage nothing but what is whole. */
#include "journal_rig.h"

#define FRAME_BYTES 600
#define LINES_MAX 4000

static const nb__recording_range everything = {NB_TIME_UNDEF, NB_TIME_UNDEF};

/* ---- a naive reader: the lines of a text with their times ---- */

typedef struct naive_line {
    const char *text;
    size_t size_bytes; /* with '\n' */
    int64_t session_ns;
    uint32_t link, segment_number;
    uint64_t offset_bytes;
} naive_line;

typedef struct naive {
    naive_line lines[LINES_MAX];
    size_t count;
    nb__text texts[4];
    size_t text_count;
} naive;

/* Clocks by link number, as the test gave them to the links. */
static void naive_read(naive *n, const rig *r, const nb__session_clock *clocks)
{
    nb__text *copy = &n->texts[n->text_count++];
    const nb__session_clock *newest = NULL;
    nb__text_append(copy, r->plain.data, r->plain.size_bytes);
    for (char *at = copy->data, *end = at + copy->size_bytes; at < end;) {
        char kind[16];
        long long recv;
        unsigned link;
        char *line_end = strchr(at, '\n');
        assert_int_equal(sscanf(at, "%lld %u %15s", &recv, &link, kind), 3);
        if (strcmp(kind, "connect") == 0)
            newest = &clocks[link];
        const nb__session_clock *clock = link > 0 ? &clocks[link] : newest;
        assert_true(n->count < LINES_MAX);
        n->lines[n->count++] = (naive_line){at,
                                            (size_t)(line_end - at) + 1,
                                            clock != NULL ? nb__session_clock_at(clock, recv)
                                            : r->feed == NB__FEED_LIVE ? (int64_t)recv
                                                                       : NB_TIME_UNDEF,
                                            link,
                                            r->number,
                                            (uint64_t)(at - copy->data)};
        at = line_end + 1;
    }
}

static void naive_fini(naive *n)
{
    for (size_t i = 0; i < n->text_count; i++)
        nb__text_fini(&n->texts[i]);
    free(n);
}

static bool naive_has(const naive_line *line, nb__recording_range range)
{
    if (range.from_ns == NB_TIME_UNDEF && range.to_ns == NB_TIME_UNDEF)
        return true;
    return line->session_ns != NB_TIME_UNDEF &&
           (range.from_ns == NB_TIME_UNDEF || line->session_ns >= range.from_ns) &&
           (range.to_ns == NB_TIME_UNDEF || line->session_ns < range.to_ns);
}

static void expect_line(const nb__entry *entry, const naive_line *line)
{
    nb__text text = {0};
    char name[16];
    nb__journal_line_print(&text, entry->line.recv_ns, entry->line.link, entry->line.kind,
                           entry->message);
    assert_int_equal(text.size_bytes, line->size_bytes);
    assert_memory_equal(text.data, line->text, line->size_bytes);
    nb__text_fini(&text);
    assert_int_equal(entry->session_ns, line->session_ns);
    assert_int_equal(entry->segment_number, line->segment_number);
    assert_int_equal(entry->offset_bytes, line->offset_bytes);
    assert_int_equal(entry->night, RIG_NIGHT);
    assert_int_equal(entry->link == NULL, line->link == 0);
    snprintf(name, sizeof name, "key%u", (unsigned)line->link);
    if (entry->link != NULL)
        assert_string_equal(entry->link->feed, name);
}

static void expect_range(nb__recording *recording, const naive *n, nb__recording_range range)
{
    nb__entry entry;
    nb_error damage = {0};
    assert_int_equal(nb__recording_seek(recording, range, NULL), NB_OK);
    for (size_t i = 0; i < n->count; i++) {
        if (!naive_has(&n->lines[i], range))
            continue;
        nb__recording_step step = nb__recording_next(recording, &entry, &damage);
        if (step != NB__RECORDING_LINE)
            fail_msg("step %d: %s", step, damage.detail);
        expect_line(&entry, &n->lines[i]);
    }
    assert_int_equal(nb__recording_next(recording, &entry, &damage), NB__RECORDING_END);
}

/* ---- a night of three segments: two links, one leaves and comes back, the clock is set ---- */

enum { SHAPE_PLAIN, SHAPE_PACKED, SHAPE_MIXED, SHAPE_COUNT };

static void put_segment(const rig *r, int shape)
{
    nb_span plain = nb__text_view(&r->plain);
    if (shape == SHAPE_PACKED || (shape == SHAPE_MIXED && r->number != 2))
        rig_write_packed(r, r->number, plain, FRAME_BYTES);
    else
        rig_write_plain(r, r->number, plain);
}

static int64_t at(int64_t seconds)
{
    return RIG_BEGIN_NS + seconds * NB__NS_PER_S;
}

static void make_night(rig *r, naive *n, nb__feed_kind feed, int shape, int64_t step_back_ns)
{
    const nb__session_clock clocks[5] = {
        [1] = {feed, at(0), at(0), 1},
        [2] = {feed, at(1), feed == NB__FEED_LIVE ? at(1) : at(1) - 3600 * NB__NS_PER_S,
               feed == NB__FEED_LIVE ? 1 : 10},
        [3] = {feed, at(12), feed == NB__FEED_LIVE ? at(12) : at(2), 1},
        [4] = {feed, at(22), at(22), 1}};
    rig_open(r, feed);
    for (int64_t second = 0; second < 30; second++) {
        int64_t now = at(second) - (second >= 15 ? step_back_ns : 0);
        if (second % 10 == 0) {
            rig_begin(r, now);
            if (second == 0 || second == 10)
                rig_connect(r, now, 1, clocks[1], second > 0);
            if (second == 10)
                rig_connect(r, now, 2, clocks[2], true);
            if (second == 20)
                rig_connect(r, now, 3, clocks[3], true);
        }
        for (uint32_t link = 2; link <= 4; link++)
            if (clocks[link].at_real_ns == at(second))
                rig_connect(r, now, link, clocks[link], false);
        for (unsigned i = 0; i < 4; i++) {
            bool has_two = second >= 1 && second < 20;
            uint32_t link = second >= 22 ? 3 + i % 2 : second >= 20 ? 3 : has_two ? 1 + i % 2 : 1;
            rig_frame(r, now + (int64_t)i * 200 * NB__NS_PER_MS, link, (unsigned)second * 4 + i);
        }
        if (second == 12)
            rig_line(r, now, 2, NB__JOURNAL_PINGPONG, NB__SPAN("a\\b\r\n\x01\xff"));
        rig_sum(r, now + 900 * NB__NS_PER_MS);
        if (second % 10 == 9) {
            rig_stop(r, now + 950 * NB__NS_PER_MS);
            naive_read(n, r, clocks);
            put_segment(r, shape);
        }
    }
}

static void expect_all_ranges(const rig *r, const naive *n)
{
    nb__recording *recording = rig_read(r->journal);
    expect_range(recording, n, everything);
    for (int64_t from = -2; from < 34; from += 3) {
        int64_t from_ns = at(from) + (from % 2) * 200 * NB__NS_PER_MS;
        expect_range(recording, n, (nb__recording_range){from_ns, NB_TIME_UNDEF});
        expect_range(recording, n, (nb__recording_range){NB_TIME_UNDEF, from_ns});
        for (int64_t to = from + 1; to < 34; to += 4)
            expect_range(recording, n, (nb__recording_range){from_ns, at(to) + 1});
    }
    /* an hour before, at ten times the speed: the second link of a simulated night */
    for (int64_t from = -3601; from < -3400; from += 23)
        expect_range(recording, n, (nb__recording_range){at(from), at(from + 41)});
    nb__recording_close(recording);
}

static void expect_night(nb__feed_kind feed, int64_t step_back_ns)
{
    for (int shape = 0; shape < SHAPE_COUNT; shape++) {
        rig r;
        naive *n = calloc(1, sizeof *n);
        int64_t first, last, least = INT64_MAX, most = INT64_MIN;
        make_night(&r, n, feed, shape, step_back_ns);
        expect_all_ranges(&r, n);
        for (size_t i = 0; i < n->count; i++) {
            if (n->lines[i].session_ns == NB_TIME_UNDEF)
                continue;
            least = n->lines[i].session_ns < least ? n->lines[i].session_ns : least;
            most = n->lines[i].session_ns > most ? n->lines[i].session_ns : most;
        }
        nb__recording *recording = rig_read(r.night);
        nb__recording_bounds(recording, &first, &last);
        assert_int_equal(first, least);
        assert_int_equal(last, most);
        assert_int_equal(nb__recording_feed_kind(recording), feed);
        assert_int_equal(nb__recording_night(recording), RIG_NIGHT);
        expect_range(recording, n, (nb__recording_range){at(11), at(13)}); /* bounds are known */
        expect_range(recording, n, everything);
        nb__recording_close(recording);
        naive_fini(n);
        rig_close(&r);
    }
}

static void test_live(void **state)
{
    (void)state;
    expect_night(NB__FEED_LIVE, 0);
}

static void test_simulated(void **state)
{
    (void)state;
    expect_night(NB__FEED_SIM, 0);
}

static void test_clock_set_back(void **state)
{
    (void)state;
    expect_night(NB__FEED_LIVE, 7 * NB__NS_PER_S);
    expect_night(NB__FEED_SIM, 14 * NB__NS_PER_S);
    expect_night(NB__FEED_SIM, -7 * NB__NS_PER_S);
}

/* A link comes up behind a row, at a time that the row's lines also have: the clock was set back in
 * between. Whose clock the recorder's own lines go by cannot be told from the index then. */
static void test_marks_whose_time_does_not_tell(void **state)
{
    (void)state;
    rig r;
    naive *n = calloc(1, sizeof *n);
    const nb__session_clock clocks[3] = {
        [1] = {NB__FEED_SIM, at(0), at(0), 1}, [2] = {NB__FEED_SIM, at(6), at(3606), 1}};
    rig_open(&r, NB__FEED_SIM);
    rig_begin(&r, at(0));
    rig_connect(&r, at(0), 1, clocks[1], false);
    for (int64_t second = 0; second < 30; second++) {
        int64_t now = at(second < 10 ? second : second - 7);
        if (second == 13)
            rig_connect(&r, now, 2, clocks[2], false);
        for (unsigned i = 0; i < 3; i++)
            rig_frame(&r, now + (int64_t)i * NB__NS_PER_MS, second < 13 ? 1 : 1 + i % 2, i);
        rig_sum(&r, now + 10 * NB__NS_PER_MS);
    }
    rig_stop(&r, at(24));
    naive_read(n, &r, clocks);
    rig_write_packed(&r, 1, nb__text_view(&r.plain), FRAME_BYTES);
    nb__recording *recording = rig_read(r.journal);
    for (int64_t from = 0; from < 26; from++)
        for (int64_t width = 1; width < 4; width++) {
            expect_range(recording, n, (nb__recording_range){at(from), at(from + width)});
            expect_range(recording, n,
                         (nb__recording_range){at(3600 + from), at(3600 + from + width)});
        }
    nb__recording_close(recording);
    naive_fini(n);
    rig_close(&r);
}

/* The start of a segment is lost: the links of the one before are not its own. */
static void test_links_end_with_their_segment(void **state)
{
    (void)state;
    rig r;
    nb__entry entry;
    nb_error damage;
    const nb__session_clock clock = {NB__FEED_SIM, at(0), at(0), 1};
    rig_open(&r, NB__FEED_SIM);
    for (int i = 0; i < 2; i++) {
        rig_begin(&r, at(i));
        rig_connect(&r, at(i), 1, clock, i > 0);
        rig_sum(&r, at(i));
        rig_frame(&r, at(i) + 1, 1, 1);
        rig_stop(&r, at(i) + 2);
        if (i == 1)
            r.plain.data[10] ^= 1;
        rig_write_plain(&r, r.number, nb__text_view(&r.plain));
    }
    nb__recording *recording = rig_read(r.journal);
    bool is_second = false;
    for (;;) {
        nb__recording_step step = nb__recording_next(recording, &entry, &damage);
        if (step == NB__RECORDING_END)
            break;
        is_second |= step == NB__RECORDING_DAMAGE;
        if (step == NB__RECORDING_LINE && is_second) {
            assert_null(entry.link);
            assert_int_equal(entry.session_ns, NB_TIME_UNDEF);
        }
    }
    assert_true(is_second);
    nb__recording_close(recording);
    rig_close(&r);
}

static void test_range_backwards(void **state)
{
    (void)state;
    rig r;
    nb_error error;
    rig_open(&r, NB__FEED_LIVE);
    rig_begin(&r, at(0));
    rig_stop(&r, at(1));
    put_segment(&r, SHAPE_PLAIN);
    nb__recording *recording = rig_read(r.journal);
    assert_int_equal(nb__recording_seek(recording, (nb__recording_range){at(2), at(1)}, &error),
                     NB_E_ARGUMENT);
    nb__recording_close(recording);
    rig_close(&r);
}

/* ---- only what is needed is read ---- */

static void test_reads_only_what_is_needed(void **state)
{
    (void)state;
    rig r;
    nb__entry entry;
    const nb__session_clock live = {NB__FEED_LIVE, at(0), at(0), 1};
    rig_open(&r, NB__FEED_LIVE);
    for (int64_t minute = 0; minute < 60; minute++) {
        if (minute % 20 == 0) {
            rig_begin(&r, at(minute * 60));
            rig_connect(&r, at(minute * 60), 1, live, minute > 0);
        }
        for (unsigned i = 0; i < 60; i++)
            rig_frame(&r, at(minute * 60 + i), 1, i);
        if (minute % 20 == 19) {
            rig_stop(&r, at(minute * 60 + 59));
            rig_write_packed(&r, r.number, nb__text_view(&r.plain), 4000);
        }
    }
    nb__recording *recording = rig_read(r.journal);
    nb__recording_counters count = nb__recording_count(recording);
    assert_int_equal(count.frames_read, 0);
    assert_true(count.frames_total > 60);
    assert_int_equal(nb__recording_seek(recording, (nb__recording_range){at(1800), at(1805)}, NULL),
                     NB_OK);
    assert_int_equal(nb__recording_next(recording, &entry, NULL), NB__RECORDING_LINE);
    assert_int_equal(entry.session_ns, at(1800));
    assert_non_null(entry.link);
    assert_string_equal(entry.link->feed, "key1");
    assert_int_equal(rig_read_all(recording, NULL).lines, 4);
    count = nb__recording_count(recording);
    assert_in_range(count.frames_read, 1, 2);
    assert_true(count.plain_bytes <= 2 * 4000);
    /* where nothing is, nothing is read; nor where a segment begins, of what lies before that */
    assert_int_equal(nb__recording_seek(recording, (nb__recording_range){at(1200), at(1200)}, NULL),
                     NB_OK);
    assert_int_equal(nb__recording_next(recording, &entry, NULL), NB__RECORDING_END);
    assert_int_equal(nb__recording_count(recording).frames_read, count.frames_read);
    assert_int_equal(
        nb__recording_seek(recording, (nb__recording_range){at(9000), NB_TIME_UNDEF}, NULL), NB_OK);
    assert_int_equal(nb__recording_next(recording, &entry, NULL), NB__RECORDING_END);
    assert_int_equal(nb__recording_count(recording).frames_read, count.frames_read);
    nb__recording_close(recording);
    rig_close(&r);
}

/* ---- a segment that is written to ---- */

static void test_torn_at_every_byte(void **state)
{
    (void)state;
    rig r;
    const nb__session_clock live = {NB__FEED_LIVE, at(0), at(0), 1};
    rig_open(&r, NB__FEED_LIVE);
    rig_begin(&r, at(0));
    rig_connect(&r, at(0), 1, live, false);
    for (unsigned i = 0; i < 6; i++)
        rig_frame(&r, at(i), 1, i);
    rig_sum(&r, at(6));
    rig_frame(&r, at(7), 1, 7);
    rig_frame(&r, at(8), 1, 8);
    rig_take(&r);
    for (size_t size = 0; size <= r.plain.size_bytes; size++) {
        nb__text got = {0};
        size_t whole = size;
        while (whole > 0 && r.plain.data[whole - 1] != '\n')
            whole--;
        rig_write_plain(&r, 1, (nb_span){r.plain.data, size});
        nb__recording *recording = rig_read(r.night);
        rig_count count = rig_read_all(recording, &got);
        assert_int_equal(count.damages, 0); /* it may be written to still */
        assert_int_equal(got.size_bytes, whole);
        if (whole > 0)
            assert_memory_equal(got.data, r.plain.data, whole);
        /* the rest comes */
        rig_write_plain(&r, 1, nb__text_view(&r.plain));
        assert_int_equal(rig_read_all(recording, &got).damages, 0);
        assert_int_equal(got.size_bytes, r.plain.size_bytes);
        assert_memory_equal(got.data, r.plain.data, got.size_bytes);
        nb__recording_close(recording);
        nb__text_fini(&got);
        /* with a follower it is torn */
        rig_write_plain(&r, 1, (nb_span){r.plain.data, size});
        rig_write_plain(&r, 2, (nb_span){"", 0});
        recording = rig_read(r.night);
        count = rig_read_all(recording, NULL);
        assert_int_equal(count.damages, whole < size);
        if (count.damages > 0)
            assert_non_null(strstr(count.words, "torn"));
        nb__recording_close(recording);
        rig_drop(&r, 2, "");
    }
    rig_close(&r);
}

static void test_packed_while_it_is_read(void **state)
{
    (void)state;
    rig r;
    nb__entry entry;
    naive *n = calloc(1, sizeof *n);
    make_night(&r, n, NB__FEED_LIVE, SHAPE_PLAIN, 0);
    nb__recording *recording = rig_read(r.night);
    assert_int_equal(nb__recording_next(recording, &entry, NULL), NB__RECORDING_LINE);
    nb__text *plain = n->texts;
    for (uint32_t number = 1; number <= 3; number++) {
        rig_write_packed(&r, number, nb__text_view(&plain[number - 1]), FRAME_BYTES);
        rig_drop(&r, number, "");
    }
    expect_line(&entry, &n->lines[0]);
    rig_count count = rig_read_all(recording, NULL);
    assert_int_equal(count.lines + 1, n->count);
    assert_int_equal(count.damages, 0);
    expect_range(recording, n, (nb__recording_range){at(8), at(22)});
    nb__recording_close(recording);
    naive_fini(n);
    rig_close(&r);
}

/* ---- damage ---- */

/* Whether each line of `got` stands in `all`, in its order. @return how many. */
static size_t expect_subset(const nb__text *got, const nb__text *all)
{
    size_t count = 0;
    const char *from = all->data;
    if (got->size_bytes == 0)
        return 0;
    for (const char *line = got->data, *end = line + got->size_bytes; line < end; count++) {
        size_t size = (size_t)(strchr(line, '\n') - line) + 1;
        const char *found = from;
        while (found < all->data + all->size_bytes && strncmp(found, line, size) != 0)
            found = strchr(found, '\n') + 1;
        if (found >= all->data + all->size_bytes)
            fail_msg("a line that was never written: %.*s", (int)size, line);
        from = found + size;
        line += size;
    }
    return count;
}

static size_t count_lines(nb_span text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size_bytes; i++)
        count += text.data[i] == '\n';
    return count;
}

static void make_small(rig *r)
{
    const nb__session_clock live = {NB__FEED_LIVE, at(0), at(0), 1};
    rig_open(r, NB__FEED_LIVE);
    rig_begin(r, at(0));
    rig_connect(r, at(0), 1, live, false);
    for (unsigned i = 0; i < 16; i++) {
        rig_frame(r, at(i), 1, i);
        if (i % 4 == 3)
            rig_sum(r, at(i));
    }
    rig_stop(r, at(17));
}

static void test_flip_every_byte_of_plain(void **state)
{
    (void)state;
    rig r;
    make_small(&r);
    size_t total = count_lines(nb__text_view(&r.plain));
    for (size_t i = 0; i < r.plain.size_bytes; i++) {
        nb__text got = {0};
        char was = r.plain.data[i];
        nb__text changed = {0};
        nb__text_append(&changed, r.plain.data, r.plain.size_bytes);
        changed.data[i] = (char)(was ^ (1 << i % 8));
        rig_write_plain(&r, 1, nb__text_view(&changed));
        rig_write_plain(&r, 2, (nb_span){"", 0}); /* it is not the last */
        nb__recording *recording = rig_read(r.night);
        rig_count count = rig_read_all(recording, &got);
        size_t lines = expect_subset(&got, &r.plain);
        assert_true(count.damages >= 1);
        assert_true(lines < total);
        assert_true(lines + 14 >= total); /* two spans at the most: the sum between them */
        assert_non_null(strstr(count.words, "segment 20261123-000001: "));
        nb__recording_close(recording);
        nb__text_fini(&changed);
        nb__text_fini(&got);
    }
    rig_close(&r);
}

static void test_flip_every_byte_of_packed(void **state)
{
    (void)state;
    rig r;
    make_small(&r);
    size_t total = count_lines(nb__text_view(&r.plain));
    nb__text packed = rig_packed(nb__text_view(&r.plain), 300);
    for (size_t i = 0; i < packed.size_bytes; i++) {
        nb__text got = {0};
        packed.data[i] ^= (char)(1 << i % 8);
        rig_write(&r, 1, ".zst", nb__text_view(&packed));
        nb__recording *recording = rig_read(r.night);
        rig_count count = rig_read_all(recording, &got);
        size_t lines = expect_subset(&got, &r.plain);
        if (lines != total)
            assert_true(count.damages >= 1);
        assert_true(lines + 8 >= total); /* no more than one frame is lost */
        nb__recording_close(recording);
        packed.data[i] ^= (char)(1 << i % 8);
        nb__text_fini(&got);
    }
    nb__text_fini(&packed);
    rig_close(&r);
}

static void test_cut_packed_at_every_byte(void **state)
{
    (void)state;
    rig r;
    make_small(&r);
    nb__text packed = rig_packed(nb__text_view(&r.plain), 300);
    size_t most = 0;
    for (size_t size = 0; size < packed.size_bytes; size++) {
        nb__text got = {0};
        rig_write(&r, 1, ".zst", (nb_span){packed.data, size});
        nb__recording *recording = rig_read(r.night);
        rig_count count = rig_read_all(recording, &got);
        size_t lines = expect_subset(&got, &r.plain);
        assert_true(count.damages >= 1);
        assert_true(lines >= most); /* frames that are whole are read */
        most = lines;
        nb__recording_close(recording);
        nb__text_fini(&got);
    }
    assert_int_equal(most, count_lines(nb__text_view(&r.plain)));
    nb__text_fini(&packed);
    rig_close(&r);
}

/* Neither its end nor the head of a frame in its midst: what stands behind is found again. */
static void test_walk_over_a_lost_frame(void **state)
{
    (void)state;
    rig r;
    nb__text got = {0};
    make_small(&r);
    size_t total = count_lines(nb__text_view(&r.plain));
    nb__text packed = rig_packed(nb__text_view(&r.plain), 300);
    char *second = memmem(packed.data + 4, packed.size_bytes - 4, "\x28\xB5\x2F\xFD", 4);
    assert_non_null(second);
    memset(second, 0, 4);
    rig_write(&r, 1, ".zst", (nb_span){packed.data, packed.size_bytes - 20});
    nb__recording *recording = rig_read(r.night);
    rig_count count = rig_read_all(recording, &got);
    assert_int_equal(count.damages, 3); /* the index, the frame, what is left of the table */
    assert_in_range(expect_subset(&got, &r.plain), total - 3, total - 1);
    nb__recording_close(recording);
    nb__text_fini(&packed);
    nb__text_fini(&got);
    rig_close(&r);
}

/* Both files are there: a good packed one is read, else the plain one. */
static void test_both_files(void **state)
{
    (void)state;
    rig r;
    make_small(&r);
    nb_span plain = nb__text_view(&r.plain);
    size_t total = count_lines(plain);
    nb__text packed = rig_packed(plain, 300);
    rig_write_plain(&r, 1, (nb_span){plain.data, plain.size_bytes / 2});
    rig_write(&r, 1, ".zst", nb__text_view(&packed));
    nb__recording *recording = rig_read(r.night);
    rig_count count = rig_read_all(recording, NULL);
    assert_int_equal(count.lines, total);
    assert_int_equal(count.damages, 0);
    nb__recording_close(recording);

    rig_write_plain(&r, 1, plain);
    const size_t sizes[] = {0, 5, 100, packed.size_bytes - 1};
    for (size_t i = 0; i < NB__COUNT_OF(sizes); i++) {
        rig_write(&r, 1, ".zst", (nb_span){packed.data, sizes[i]});
        recording = rig_read(r.night);
        assert_int_equal(nb__recording_count(recording).frames_total, 0);
        count = rig_read_all(recording, NULL);
        assert_int_equal(count.lines, total);
        assert_int_equal(count.damages, 1);
        assert_non_null(strstr(count.words, "the plain one beside it is read"));
        nb__recording_close(recording);
    }
    packed.data[40] ^= 1; /* of the first frame */
    rig_write(&r, 1, ".zst", nb__text_view(&packed));
    recording = rig_read(r.night);
    count = rig_read_all(recording, NULL);
    assert_int_equal(count.lines, total);
    assert_int_equal(count.damages, 1);
    nb__recording_close(recording);
    nb__text_fini(&packed);
    rig_close(&r);
}

/* A frame with a link's connect mark is lost: the index still knows the link. */
static void test_lost_connect(void **state)
{
    (void)state;
    rig r;
    nb__entry entry;
    nb_error damage = {0};
    make_small(&r);
    nb__text packed = rig_packed(nb__text_view(&r.plain), 450);
    packed.data[40] ^= 1;
    rig_write(&r, 1, ".zst", nb__text_view(&packed));
    nb__recording *recording = rig_read(r.night);
    assert_int_equal(nb__recording_next(recording, &entry, &damage), NB__RECORDING_DAMAGE);
    assert_in_range(nb__recording_count(recording).frames_total, 2, 8); /* start and connect: one */
    assert_non_null(strstr(damage.detail, "zstd frame 1 of"));
    assert_int_equal(nb__recording_next(recording, &entry, &damage), NB__RECORDING_LINE);
    assert_int_equal(entry.line.link, 1);
    assert_non_null(entry.link);
    assert_string_equal(entry.link->feed, "key1");
    nb__recording_close(recording);
    nb__text_fini(&packed);
    rig_close(&r);
}

static void test_missing_segments(void **state)
{
    (void)state;
    rig r;
    naive *n = calloc(1, sizeof *n);
    make_night(&r, n, NB__FEED_LIVE, SHAPE_PACKED, 0);
    rig_drop(&r, 2, ".zst");
    nb__recording *recording = rig_read(r.journal);
    rig_count count = rig_read_all(recording, NULL);
    assert_int_equal(count.damages, 1);
    assert_string_equal(count.words, "segment 20261123-000002 is missing\n");
    assert_int_equal(
        nb__recording_seek(recording, (nb__recording_range){at(25), NB_TIME_UNDEF}, NULL), NB_OK);
    assert_int_equal(rig_read_all(recording, NULL).damages, 1); /* it may have been of it */
    assert_int_equal(nb__recording_seek(recording, (nb__recording_range){at(90), at(95)}, NULL),
                     NB_OK);
    assert_int_equal(rig_read_all(recording, NULL).damages, 0);
    nb__recording_close(recording);
    rig_drop(&r, 1, ".zst");
    recording = rig_read(r.night);
    count = rig_read_all(recording, NULL);
    assert_string_equal(count.words, "segments 20261123-000001 to 20261123-000002 are missing\n");
    nb__recording_close(recording);
    char path[160];
    rig_path(&r, 3, ".zst", path);
    recording = rig_read(path); /* nobody asked for the others */
    assert_int_equal(rig_read_all(recording, NULL).damages, 0);
    nb__recording_close(recording);
    naive_fini(n);
    rig_close(&r);
}

static void test_unreadable(void **state)
{
    (void)state;
    rig r;
    naive *n = calloc(1, sizeof *n);
    char path[160];
    make_night(&r, n, NB__FEED_LIVE, SHAPE_PACKED, 0);
    rig_drop(&r, 2, ".zst");
    rig_path(&r, 2, ".zst", path);
    assert_int_equal(mkdir(path, 0700), 0); /* none of ours: as if it were missing */
    nb__recording *recording = rig_read(r.journal);
    assert_int_equal(rig_read_all(recording, NULL).damages, 1);
    nb__recording_close(recording);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("/nowhere", path), 0);
    recording = rig_read(r.journal);
    assert_int_equal(rig_read_all(recording, NULL).damages, 1);
    nb__recording_close(recording);
    assert_int_equal(remove(path), 0);
    rig_write(&r, 2, ".zst", NB__SPAN("this is not zstd, and long enough to be looked at"));
    recording = rig_read(r.journal);
    rig_count count = rig_read_all(recording, NULL);
    assert_true(count.damages >= 1);
    assert_non_null(strstr(count.words, "segment 20261123-000002"));
    nb__recording_close(recording);
    naive_fini(n);
    rig_close(&r);
}

/* ---- what is refused ---- */

static void test_newer_format(void **state)
{
    (void)state;
    rig r;
    nb__recording *recording = NULL;
    nb_error error = {0};
    rig_open(&r, NB__FEED_LIVE);
    rig_write_plain(&r, 1,
                    NB__SPAN("1795165200000000000 0 start {\"format\":2,\"version\":\"9.0.0\"}\n"));
    assert_int_equal(nb__recording_open(r.journal, &recording, &error), NB_E_VERSION);
    assert_null(recording);
    rig_drop(&r, 1, "");
    /* a flipped bit of ours is damage */
    rig_begin(&r, at(0));
    rig_stop(&r, at(1));
    char *format = strstr(r.plain.data, "\"format\":1");
    assert_non_null(format);
    format[9] = '3';
    rig_write_plain(&r, 1, nb__text_view(&r.plain));
    recording = rig_read(r.journal);
    assert_int_equal(rig_read_all(recording, NULL).damages, 1);
    nb__recording_close(recording);
    /* the journal as a whole */
    char path[96];
    snprintf(path, sizeof path, "%s/journal.json", r.journal);
    assert_int_equal(
        nb__file_write(path, NB__SPAN("{\"nightbook_journal\":2,\"feed\":\"live\"}"), 0600, NULL),
        NB_OK);
    assert_int_equal(nb__recording_open(r.night, &recording, &error), NB_E_VERSION);
    rig_close(&r);
}

static void test_nothing_there(void **state)
{
    (void)state;
    rig r;
    nb__recording *recording = NULL;
    nb_error error = {0};
    rig_open(&r, NB__FEED_LIVE);
    assert_int_equal(nb__recording_open("/tmp/nb-store-no-such", &recording, &error),
                     NB_E_NOT_FOUND);
    assert_int_equal(nb__recording_open(r.journal, &recording, &error), NB_E_NOT_FOUND);
    assert_int_equal(nb__recording_open(r.night, &recording, &error), NB_E_NOT_FOUND);
    assert_null(recording);
    /* a segment that is empty: a recorder made it just now */
    int64_t first, last;
    rig_write_plain(&r, 1, (nb_span){"", 0});
    recording = rig_read(r.journal);
    assert_int_equal(rig_read_all(recording, NULL).lines, 0);
    nb__recording_bounds(recording, &first, &last);
    assert_true(first == NB_TIME_UNDEF && last == NB_TIME_UNDEF);
    assert_int_equal(nb__recording_feed_kind(recording), NB__FEED_OTHER);
    nb__recording_close(recording);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live),
        cmocka_unit_test(test_simulated),
        cmocka_unit_test(test_clock_set_back),
        cmocka_unit_test(test_marks_whose_time_does_not_tell),
        cmocka_unit_test(test_links_end_with_their_segment),
        cmocka_unit_test(test_range_backwards),
        cmocka_unit_test(test_reads_only_what_is_needed),
        cmocka_unit_test(test_torn_at_every_byte),
        cmocka_unit_test(test_packed_while_it_is_read),
        cmocka_unit_test(test_flip_every_byte_of_plain),
        cmocka_unit_test(test_flip_every_byte_of_packed),
        cmocka_unit_test(test_cut_packed_at_every_byte),
        cmocka_unit_test(test_walk_over_a_lost_frame),
        cmocka_unit_test(test_both_files),
        cmocka_unit_test(test_lost_connect),
        cmocka_unit_test(test_missing_segments),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_newer_format),
        cmocka_unit_test(test_nothing_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
