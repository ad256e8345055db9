/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong is found and named with its place; what is not wrong is not. */
#include "step_rig.h"

static nb__verify_report verify(const rig *r, uint32_t number, const nb__verify_report *before)
{
    nb__segment segment = rig_segment(r, number);
    nb__verify_report report;
    nb_error error = {0};
    if (nb__verify_segment(&segment, before, &report, &error) != NB_OK)
        fail_msg("%s", error.detail);
    return report;
}

static void expect_words(const nb__verify_report *report, const char *words)
{
    if (strstr(report->words, words) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", report->words, words);
}

/* `count` segments, plain. */
static void begin(rig *r, uint32_t count)
{
    rig_open(r, NB__FEED_SIM);
    for (uint32_t i = 1; i <= count; i++) {
        rig_usual(r, 3, 4);
        rig_write_plain(r, i, nb__text_view(&r->plain));
    }
}

static void pack_it(const rig *r, uint32_t number, size_t frame_bytes)
{
    char path[160];
    rig_path(r, number, "", path);
    nb__text plain = rig_file(path);
    rig_write_packed(r, number, nb__text_view(&plain), frame_bytes);
    nb__text_fini(&plain);
    rig_drop(r, number, "");
}

static void test_good(void **state)
{
    (void)state;
    rig r;
    begin(&r, 4);
    pack_it(&r, 2, 0);
    pack_it(&r, 3, 300);
    nb__verify_report reports[5] = {0};
    for (uint32_t i = 1; i <= 4; i++) {
        nb__verify_report *report = &reports[i];
        *report = verify(&r, i, i == 1 ? NULL : &reports[i - 1]);
        assert_true(report->is_good);
        assert_string_equal(report->words, "");
        assert_int_equal(report->damage_count, 0);
        assert_int_equal(report->is_packed_good, i == 2 || i == 3);
        assert_int_equal(report->findings.frames, 12);
        assert_true(report->findings.is_stopped && report->findings.has_start);
        assert_int_equal(report->findings.proved_bytes, report->findings.size_bytes);
    }
    for (int i = 1; i <= 4; i++)
        nb__verify_fini(&reports[i]);
    rig_close(&r);
}

/* Each bit of a plain one, in the span that it is in. */
static void test_every_flip_of_a_plain_one(void **state)
{
    (void)state;
    rig r;
    begin(&r, 2);
    char path[160];
    rig_path(&r, 1, "", path);
    nb__text plain = rig_file(path);
    for (size_t i = 0; i < plain.size_bytes; i++) {
        char was = plain.data[i];
        plain.data[i] = (char)(was ^ 1 << i % 8);
        rig_write_plain(&r, 1, nb__text_view(&plain));
        nb__verify_report report = verify(&r, 1, NULL);
        bool has_place = false;
        for (size_t k = 0; k < report.damage_count; k++)
            has_place |= report.damages[k].offset_bytes <= i &&
                         i < report.damages[k].offset_bytes + report.damages[k].size_bytes &&
                         report.damages[k].size_bytes < plain.size_bytes / 2;
        if (report.is_good || !has_place)
            fail_msg("byte %zu: not found", i);
        nb__verify_report next = verify(&r, 2, &report); /* which is told once, there */
        assert_true(next.is_good);
        expect_words(&next, "which it follows, is damaged");
        nb__verify_fini(&next);
        nb__verify_fini(&report);
        plain.data[i] = was;
    }
    nb__text_fini(&plain);
    rig_close(&r);
}

static void test_every_flip_of_a_packed_one(void **state)
{
    (void)state;
    rig r;
    begin(&r, 2);
    pack_it(&r, 1, 400);
    char path[160];
    rig_path(&r, 1, ".zst", path);
    nb__text packed = rig_file(path);
    size_t named = 0;
    for (size_t i = 0; i < packed.size_bytes; i++) {
        packed.data[i] = (char)(packed.data[i] ^ 1 << i % 8);
        rig_write(&r, 1, ".zst", nb__text_view(&packed));
        nb__verify_report report = verify(&r, 1, NULL);
        if (report.is_good || report.is_packed_good)
            fail_msg("byte %zu: not found", i);
        assert_true(report.damage_count > 0 || report.words[0] != '\0');
        assert_true(report.damage_count <= 1);
        named += report.damage_count == 1 && strstr(report.damages[0].words, "zstd frame") != NULL;
        nb__verify_fini(&report);
        packed.data[i] = (char)(packed.data[i] ^ 1 << i % 8);
    }
    assert_true(named > packed.size_bytes / 3);
    nb__text_fini(&packed);
    rig_close(&r);
}

/* The newest one may be cut anywhere: a recorder was killed, or is writing. One that something
 * follows may not. */
static void test_every_cut_of_a_plain_one(void **state)
{
    (void)state;
    rig r;
    begin(&r, 2);
    char paths[2][160];
    for (uint32_t i = 1; i <= 2; i++) {
        rig_path(&r, i, "", paths[i - 1]);
        nb__text plain = rig_file(paths[i - 1]);
        for (size_t size = 0; size < plain.size_bytes; size++) {
            rig_write_plain(&r, i, (nb_span){plain.data, size});
            nb__verify_report report = verify(&r, i, NULL);
            bool is_whole = size == 0 || plain.data[size - 1] == '\n';
            assert_int_equal(report.damage_count, !is_whole);
            assert_true(is_whole || report.damages[0].kind == NB__DAMAGE_TORN);
            assert_int_equal(report.is_good, is_whole || i == 2);
            if (i == 1 && is_whole) { /* the next one knows better */
                nb__verify_report next = verify(&r, 2, &report);
                assert_false(next.is_good);
                expect_words(&next, "it follows a 20261123-000001 of");
                nb__verify_fini(&next);
            }
            nb__verify_fini(&report);
        }
        rig_write_plain(&r, i, nb__text_view(&plain));
        nb__text_fini(&plain);
    }
    rig_close(&r);
}

static void test_every_cut_of_a_packed_one(void **state)
{
    (void)state;
    rig r;
    begin(&r, 1);
    pack_it(&r, 1, 400);
    char path[160];
    rig_path(&r, 1, ".zst", path);
    nb__text packed = rig_file(path);
    for (size_t size = 0; size < packed.size_bytes; size++) {
        rig_write(&r, 1, ".zst", (nb_span){packed.data, size});
        nb__verify_report report = verify(&r, 1, NULL);
        assert_false(report.is_good);
        expect_words(&report, "seek table");
        nb__verify_fini(&report);
    }
    nb__text_fini(&packed);
    rig_close(&r);
}

/* ---- both files ---- */

static void test_both(void **state)
{
    (void)state;
    rig r;
    begin(&r, 1);
    rig_write_packed(&r, 1, nb__text_view(&r.plain), 0);
    nb__verify_report report = verify(&r, 1, NULL);
    assert_true(report.is_good && report.is_packed_good);
    expect_words(&report, "pack that was interrupted");
    nb__verify_fini(&report);
    rig_write(&r, 1, ".zst", NB__SPAN("no zstd at all"));
    report = verify(&r, 1, NULL);
    assert_false(report.is_good);
    assert_int_equal(report.damage_count, 0);
    assert_int_equal(report.findings.frames, 12);
    expect_words(&report, "the plain one beside it is read");
    nb__verify_fini(&report);
    rig_close(&r);
}

/* ---- the chain ---- */

static void test_missing(void **state)
{
    (void)state;
    rig r;
    begin(&r, 3);
    nb__verify_report first = verify(&r, 1, NULL);
    rig_drop(&r, 2, "");
    nb__verify_report third = verify(&r, 3, &first);
    assert_false(third.is_good);
    expect_words(&third, "20261123-000002, which it follows, is missing");
    nb__verify_fini(&third);
    third = verify(&r, 3, NULL);
    assert_false(third.is_good);
    expect_words(&third, "20261123-000002, which it follows, is missing");
    nb__verify_fini(&third);
    nb__verify_fini(&first);
    rig_close(&r);
}

/* Without its start mark, the numbers tell. */
static void test_missing_before_a_damaged_start(void **state)
{
    (void)state;
    rig r;
    begin(&r, 4);
    nb__verify_report first = verify(&r, 1, NULL);
    r.plain.data[30] ^= 1;
    rig_write_plain(&r, 4, nb__text_view(&r.plain));
    nb__verify_report report = verify(&r, 4, &first);
    assert_false(report.is_good);
    expect_words(&report, "20261123-000002 to 20261123-000003 are missing");
    nb__verify_fini(&report);
    nb__verify_fini(&first);
    rig_close(&r);
}

/* One segment alone, its predecessor beside it: not judged. */
static void test_alone(void **state)
{
    (void)state;
    rig r;
    begin(&r, 2);
    nb__verify_report second = verify(&r, 2, NULL);
    assert_true(second.is_good);
    assert_string_equal(second.words, "");
    nb__verify_fini(&second);
    rig_close(&r);
}

static void test_another_predecessor(void **state)
{
    (void)state;
    rig r, other;
    begin(&r, 2);
    rig_open(&other, NB__FEED_SIM);
    rig_usual(&other, 2, 9);
    rig_write_plain(&r, 1, nb__text_view(&other.plain));
    nb__verify_report first = verify(&r, 1, NULL);
    assert_true(first.is_good);
    nb__verify_report second = verify(&r, 2, &first);
    assert_false(second.is_good);
    expect_words(&second, "it follows a 20261123-000001 of");
    nb__verify_fini(&first);
    nb__verify_fini(&second);
    rig_close(&other);
    rig_close(&r);
}

static void test_renamed(void **state)
{
    (void)state;
    rig r;
    begin(&r, 2);
    rig_write_plain(&r, 7, nb__text_view(&r.plain));
    nb__verify_report report = verify(&r, 7, NULL);
    assert_false(report.is_good);
    expect_words(&report, "its start mark says that it is 20261123-000002");
    nb__verify_fini(&report);
    rig_close(&r);
}

/* A night before: gone as a whole it was pruned; one segment of it gone is a loss. */
static void test_night_before(void **state)
{
    (void)state;
    rig r;
    rig_open(&r, NB__FEED_SIM);
    nb__text payload = {0};
    nb__journal_start start = {.format = NB__JOURNAL_FORMAT,
                               .version = "0.1.0",
                               .host = "desk",
                               .feed = NB__FEED_SIM,
                               .night = RIG_NIGHT,
                               .segment = "20261123-000001",
                               .run = "00000000000000ab",
                               .after = {"20261120-000004", 10, 11}};
    nb__journal_start_print(&start, &payload);
    rig_line(&r, RIG_BEGIN_NS, 0, NB__JOURNAL_START, nb__text_view(&payload));
    rig_stop(&r, RIG_BEGIN_NS + 1);
    rig_write_plain(&r, 1, nb__text_view(&r.plain));
    nb__verify_report report = verify(&r, 1, NULL);
    assert_true(report.is_good);
    expect_words(&report, "of a night that is not there any more");
    nb__verify_fini(&report);
    char night[128];
    snprintf(night, sizeof night, "%s/20261120", r.journal);
    assert_int_equal(mkdir(night, 0700), 0);
    report = verify(&r, 1, NULL);
    assert_false(report.is_good);
    expect_words(&report, "20261120-000004, which it follows, is missing");
    nb__verify_fini(&report);
    nb__text_fini(&payload);
    rig_close(&r);
}

/* ---- what cannot be judged ---- */

static void test_newer(void **state)
{
    (void)state;
    rig r;
    rig_open(&r, NB__FEED_SIM);
    rig_write_plain(&r, 1,
                    NB__SPAN("1795165200000000000 0 start {\"format\":2,\"version\":\"9.0.0\"}\n"));
    nb__segment segment = rig_segment(&r, 1);
    nb__verify_report report;
    nb_error error = {0};
    assert_int_equal(nb__verify_segment(&segment, NULL, &report, &error), NB_E_VERSION);
    rig_close(&r);
}

static void test_unreadable(void **state)
{
    (void)state;
    rig r;
    begin(&r, 1);
    nb__segment segment = rig_segment(&r, 1);
    nb__verify_report report;
    char path[160];
    rig_path(&r, 1, "", path);
    rig_drop(&r, 1, "");
    assert_int_equal(nb__verify_segment(&segment, NULL, &report, NULL), NB_OK);
    assert_false(report.is_good);
    expect_words(&report, "there is no such file");
    nb__verify_fini(&report);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(nb__verify_segment(&segment, NULL, &report, NULL), NB_OK);
    assert_false(report.is_good);
    nb__verify_fini(&report);
    assert_int_equal(rmdir(path), 0);
    rig_write_packed(&r, 1, nb__text_view(&r.plain), 0); /* packed since it was listed */
    assert_int_equal(nb__verify_segment(&segment, NULL, &report, NULL), NB_OK);
    assert_true(report.is_good);
    nb__verify_fini(&report);
    rig_close(&r);
}

/* More damage than is kept: all of it is counted. */
static void test_much_damage(void **state)
{
    (void)state;
    rig r;
    rig_open(&r, NB__FEED_SIM);
    rig_usual(&r, 1100, 1);
    for (char *at = r.plain.data; (at = strstr(at, " frame ")) != NULL; at++)
        at[10] ^= 1;
    rig_write_plain(&r, 1, nb__text_view(&r.plain));
    nb__verify_report report = verify(&r, 1, NULL);
    assert_int_equal(report.findings.damages, 1100);
    assert_int_equal(report.damage_count, 1000);
    nb__verify_fini(&report);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_every_flip_of_a_plain_one),
        cmocka_unit_test(test_every_flip_of_a_packed_one),
        cmocka_unit_test(test_every_cut_of_a_plain_one),
        cmocka_unit_test(test_every_cut_of_a_packed_one),
        cmocka_unit_test(test_both),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_missing_before_a_damaged_start),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_another_predecessor),
        cmocka_unit_test(test_renamed),
        cmocka_unit_test(test_night_before),
        cmocka_unit_test(test_newer),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_much_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
