/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever lines go, what is left is valid, and is what was left. */
#include "packed_rig.h"
#include <stdio.h>

#define NAME "20261123-000001"
#define LINES_MAX 64

/* start, connect, frames with a sum after every third, an open end. */
static nb__text segment(void)
{
    nb__text plain = {0}, out = {0};
    nb__journal_writer *writer = nb__journal_writer_new();
    assert_non_null(writer);
    rig_night(&plain, NB__FEED_SIM, 9);
    nb__journal_writer_begin(writer);
    int count = 0;
    for (const char *at = plain.data, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        nb__journal_line line;
        nb_span text = {at, (size_t)(end - at)};
        assert_int_equal(nb__journal_line_parse(text, &line, NULL), NB_OK);
        nb__journal_writer_line(writer, line.recv_ns, line.link, line.kind, line.payload);
        if (++count % 3 == 0 && count < 10)
            nb__journal_writer_sum(writer, line.recv_ns);
    }
    nb_span pending = nb__journal_writer_pending(writer);
    nb__text_append(&out, pending.data, pending.size_bytes);
    nb__journal_writer_free(writer);
    nb__text_fini(&plain);
    return out;
}

static void on_damage(void *self, const nb__damage *damage)
{
    (void)self;
    fail_msg("%s, at %llu", damage->words, (unsigned long long)damage->offset_bytes);
}

static nb__journal_findings check(nb_span bytes)
{
    nb__journal_check *checker = nb__journal_check_new(on_damage, NULL);
    assert_non_null(checker);
    assert_int_equal(nb__journal_check_feed(checker, bytes, NULL), NB_OK);
    nb__journal_findings findings = *nb__journal_check_end(checker);
    nb__journal_check_free(checker);
    return findings;
}

static size_t lines_of(nb_span bytes, size_t begins[LINES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < bytes.size_bytes; i++)
        if (i == 0 || bytes.data[i - 1] == '\n')
            begins[count++] = i;
    begins[count] = bytes.size_bytes;
    return count;
}

static void keep(nb__mend *mend, nb_span bytes, size_t piece, nb__text *out)
{
    for (size_t at = 0; at < bytes.size_bytes; at += piece) {
        size_t left = bytes.size_bytes - at;
        guard part = guard_copy(bytes.data + at, left < piece ? left : piece);
        assert_int_equal(nb__mend_keep(mend, (nb_span){part.data, part.size_bytes}, out, NULL),
                         NB_OK);
        guard_free(&part);
    }
}

static void drop(nb__mend *mend, nb_span bytes, size_t piece)
{
    for (size_t at = 0; at < bytes.size_bytes; at += piece) {
        size_t left = bytes.size_bytes - at;
        assert_int_equal(
            nb__mend_drop(mend, (nb_span){bytes.data + at, left < piece ? left : piece}, NULL),
            NB_OK);
    }
}

static nb__text without(nb_span bytes, size_t from, size_t to, bool is_start_sure, size_t piece)
{
    nb__text out = {0};
    nb__mend *mend = nb__mend_new(NAME, is_start_sure, BEGIN_NS);
    assert_non_null(mend);
    nb__journal_repair repair = {.offset_bytes = from,
                                 .size_bytes = to - from,
                                 .kept_in = NAME ".damaged-0",
                                 .was = {NAME, bytes.size_bytes, 5}};
    keep(mend, (nb_span){bytes.data, from}, piece, &out);
    drop(mend, (nb_span){bytes.data + from, to - from}, piece);
    assert_int_equal(nb__mend_repair(mend, &repair, &out, NULL), NB_OK);
    keep(mend, (nb_span){bytes.data + to, bytes.size_bytes - to}, piece, &out);
    assert_int_equal(nb__mend_end(mend, &out, NULL), NB_OK);
    nb__mend_free(mend);
    return out;
}

static void test_nothing_goes(void **state)
{
    (void)state;
    nb__text plain = segment();
    nb__text_string(&plain, "1795424400 1 fra"); /* a line that is being written */
    for (size_t piece = 1; piece <= plain.size_bytes; piece++) {
        nb__text out = {0};
        nb__mend *mend = nb__mend_new(NAME, true, 0);
        assert_non_null(mend);
        keep(mend, nb__text_view(&plain), piece, &out);
        assert_int_equal(nb__mend_end(mend, &out, NULL), NB_OK);
        assert_true(nb__span_equal(nb__text_view(&out), nb__text_view(&plain)));
        nb__mend_free(mend);
        nb__text_fini(&out);
    }
    nb__text_fini(&plain);
}

static bool has_line(nb_span where, nb_span line)
{
    return memmem(where.data, where.size_bytes, line.data, line.size_bytes) != NULL;
}

/* Every run of lines, whole spans and parts of them. */
static void test_every_run_of_lines_goes(void **state)
{
    (void)state;
    nb__text plain = segment();
    nb_span bytes = nb__text_view(&plain);
    size_t begins[LINES_MAX], count = lines_of(bytes, begins);
    uint64_t frames = check(bytes).frames;
    assert_int_equal(frames, 9);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = i == 0 ? 1 : i; k <= count; k++) {
            nb__text out = without(bytes, begins[i], begins[k], true, SIZE_MAX / 2);
            nb_span left = nb__text_view(&out);
            nb__journal_findings findings = check(left);
            assert_true(findings.is_repaired && findings.has_start);
            assert_string_equal(findings.was.segment, NAME);
            uint64_t gone = 0;
            for (size_t n = 0; n < count; n++) {
                nb_span line = {bytes.data + begins[n], begins[n + 1] - begins[n]};
                bool is_frame = memmem(line.data, line.size_bytes, " frame ", 7) != NULL;
                bool is_sum = memmem(line.data, line.size_bytes, " sum ", 5) != NULL;
                bool goes = i <= n && n < k;
                gone += is_frame && goes;
                if (!is_sum) /* start and connect are saved */
                    assert_int_equal(has_line(left, line), !goes || !is_frame);
            }
            assert_int_equal(findings.frames, frames - gone);
            nb__text pieces = without(bytes, begins[i], begins[k], true, 7);
            assert_true(nb__span_equal(left, nb__text_view(&pieces)));
            nb__text_fini(&pieces);
            nb__text_fini(&out);
        }
    }
    nb__text_fini(&plain);
}

/* Sums of spans that lost nothing stand as they were. */
static void test_sums_stay(void **state)
{
    (void)state;
    nb__text plain = segment();
    nb_span bytes = nb__text_view(&plain);
    size_t begins[LINES_MAX];
    assert_int_equal(lines_of(bytes, begins), 14);
    nb__text out = without(bytes, begins[4], begins[8], true, 100); /* the second span, whole */
    nb_span rest = {bytes.data + begins[8], bytes.size_bytes - begins[8]};
    assert_true(has_line(nb__text_view(&out), rest));
    nb__text_fini(&out);
    out = without(bytes, begins[4], begins[9], true, 100); /* and a line of the third */
    assert_false(has_line(nb__text_view(&out), rest));
    nb__text_fini(&out);
    nb__text_fini(&plain);
}

static void test_start(void **state)
{
    (void)state;
    nb__text plain = segment();
    nb_span bytes = nb__text_view(&plain);
    size_t begins[LINES_MAX];
    lines_of(bytes, begins);
    nb__text unsure = without(bytes, 0, begins[4], false, 100);
    nb__journal_findings findings = check(nb__text_view(&unsure));
    assert_false(findings.has_start);
    assert_non_null(strstr(unsure.data, " 1 connect "));
    char *name = strstr(plain.data, NAME);
    name[strlen(NAME) - 1] = '2'; /* of another segment */
    nb__text other = without(bytes, 0, begins[4], true, 100);
    assert_null(strstr(other.data, " 0 start "));
    nb__text_fini(&unsure);
    nb__text_fini(&other);
    nb__text_fini(&plain);
}

/* No new proof for what its own sum disproves. */
static void test_damage_left_in(void **state)
{
    (void)state;
    nb__text plain = segment();
    nb_error error = {0};
    for (int way = 0; way < 2; way++) {
        nb__text hurt = {0}, out = {0};
        nb__text_append(&hurt, plain.data, plain.size_bytes);
        char *frame = strstr(hurt.data, "H0EUASP0");
        if (way == 0)
            frame[3] ^= 1;
        else
            memmove(frame, frame + 1, (size_t)(hurt.data + hurt.size_bytes - frame));
        hurt.size_bytes -= way == 1;
        nb__mend *mend = nb__mend_new(NAME, true, 0);
        assert_int_equal(nb__mend_keep(mend, nb__text_view(&hurt), &out, &error), NB_E_JOURNAL);
        nb__mend_free(mend);
        nb__text_fini(&hurt);
        nb__text_fini(&out);
    }
    assert_null(nb__mend_new("a name that is longer than any", true, 0));
    nb__text_fini(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_goes),   cmocka_unit_test(test_every_run_of_lines_goes),
        cmocka_unit_test(test_sums_stay),      cmocka_unit_test(test_start),
        cmocka_unit_test(test_damage_left_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
