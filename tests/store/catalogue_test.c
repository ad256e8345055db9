/* SPDX-License-Identifier: Apache-2.0 */
/* What lies where: segments of a journal, a night, one file, among what is none of ours; and what a
 * recording holds as a whole. */
#include "journal_rig.h"

static void put(const rig *r, const char *name, const char *content)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", r->journal, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(content, file);
    assert_int_equal(fclose(file), 0);
}

static void put_night(const rig *r, const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", r->journal, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void expect_segment(const nb__segment *segment, int night, uint32_t number, bool is_plain,
                           bool is_packed)
{
    assert_int_equal(segment->night, night);
    assert_int_equal(segment->number, number);
    assert_int_equal(segment->is_plain, is_plain);
    assert_int_equal(segment->is_packed, is_packed);
    assert_true(segment->changed_ns > 0);
}

static void test_a_journal(void **state)
{
    (void)state;
    rig r;
    nb__catalogue catalogue;
    nb_error error = {0};
    char path[NB__STORE_PATH_MAX];
    rig_open(&r, NB__FEED_LIVE);
    put_night(&r, "20261124");
    put_night(&r, "20261332"); /* no day */
    put_night(&r, "notes");
    put(&r, "journal.json", "{}");
    put(&r, "20261124/20261124-000002.log", "22");
    put(&r, "20261124/20261124-000010.log.zst", "ten");
    put(&r, "20261124/20261124-000001.log.zst", "1");
    put(&r, "20261124/20261124-000001.log", "plain");
    put(&r, "20261124/20261124-000001.log.zst.tmp", "x");
    put(&r, "20261124/20261124-000001.damaged-44", "x");
    put(&r, "20261124/20261124-1.log", "x");
    put(&r, "20261124/report.json", "x");
    put(&r, "20261123/20261123-000001.log", "a");
    put(&r, "20261123/20261120-000007.log", "of another night, moved here");
    put(&r, "20261332/20261332-000001.log", "x");
    put(&r, "notes/20261124-000001.log", "x");
    assert_int_equal(nb__catalogue_read(r.journal, &catalogue, &error), NB_OK);
    assert_int_equal(catalogue.count, 5);
    expect_segment(&catalogue.segments[0], 20261120, 7, true, false);
    expect_segment(&catalogue.segments[1], 20261123, 1, true, false);
    expect_segment(&catalogue.segments[2], 20261124, 1, true, true);
    expect_segment(&catalogue.segments[3], 20261124, 2, true, false);
    expect_segment(&catalogue.segments[4], 20261124, 10, false, true);
    assert_int_equal(catalogue.segments[2].plain_bytes, 5);
    assert_int_equal(catalogue.segments[2].packed_bytes, 1);
    nb__segment_path(&catalogue.segments[4], true, path);
    assert_non_null(strstr(path, "/20261124/20261124-000010.log.zst"));
    nb__catalogue_fini(&catalogue);
    rig_close(&r);
}

static void test_a_night_and_a_file(void **state)
{
    (void)state;
    rig r;
    nb__catalogue catalogue;
    nb_error error = {0};
    char path[160], was[512];
    rig_open(&r, NB__FEED_LIVE);
    rig_write(&r, 1, "", NB__SPAN("abc"));
    rig_write(&r, 1, ".zst", NB__SPAN("ab"));
    rig_write(&r, 2, "", NB__SPAN("abc"));
    snprintf(path, sizeof path, "%s///", r.night);
    assert_int_equal(nb__catalogue_read(path, &catalogue, &error), NB_OK);
    assert_int_equal(catalogue.count, 2);
    assert_string_equal(catalogue.path, r.night);
    assert_string_equal(catalogue.segments[1].directory, r.night);
    nb__catalogue_fini(&catalogue);
    for (int i = 0; i < 2; i++) {
        rig_path(&r, 1, i == 0 ? "" : ".zst", path);
        assert_int_equal(nb__catalogue_read(path, &catalogue, &error), NB_OK);
        assert_int_equal(catalogue.count, 1);
        expect_segment(&catalogue.segments[0], RIG_NIGHT, 1, true, true);
        nb__catalogue_fini(&catalogue);
    }
    /* from within its directory */
    assert_non_null(getcwd(was, sizeof was));
    assert_int_equal(chdir(r.night), 0);
    assert_int_equal(nb__catalogue_read("20261123-000002.log", &catalogue, &error), NB_OK);
    assert_int_equal(catalogue.count, 1);
    assert_string_equal(catalogue.segments[0].directory, ".");
    nb__catalogue_fini(&catalogue);
    assert_int_equal(chdir(was), 0);
    rig_close(&r);
}

static void test_what_is_none(void **state)
{
    (void)state;
    rig r;
    nb__catalogue catalogue = {.count = 77};
    nb_error error = {0};
    char path[160], longer[3000];
    rig_open(&r, NB__FEED_LIVE);
    put(&r, "some.txt", "x");
    const char *paths[] = {r.journal, r.night, "/tmp/nb-store-no-such", path};
    snprintf(path, sizeof path, "%s/some.txt", r.journal);
    for (size_t i = 0; i < NB__COUNT_OF(paths); i++)
        assert_int_equal(nb__catalogue_read(paths[i], &catalogue, &error), NB_E_NOT_FOUND);
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(nb__catalogue_read(longer, &catalogue, &error), NB_E_ARGUMENT);
    assert_int_equal(catalogue.count, 77); /* unchanged */
    rig_close(&r);
}

static void test_feed_kind(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        nb_err err;
        bool is_known;
        nb__feed_kind kind;
    } cases[] = {
        {"{\"nightbook_journal\":1,\"feed\":\"live\"}", NB_OK, true, NB__FEED_LIVE},
        {" {\"nightbook_journal\":1,\"feed\":\"sim\",\"more\":1}\n", NB_OK, true, NB__FEED_SIM},
        {"{\"nightbook_journal\":1,\"feed\":\"replay\"}", NB_OK, true, NB__FEED_REPLAY},
        {"{\"nightbook_journal\":2,\"feed\":\"live\"}", NB_E_VERSION, false, NB__FEED_OTHER},
        {"{\"nightbook_journal\":0,\"feed\":\"live\"}", NB_E_JSON, false, NB__FEED_OTHER},
        {"{\"nightbook_journal\":1,\"feed\":\"some\"}", NB_E_JSON, false, NB__FEED_OTHER},
        {"{\"nightbook_journal\":1}", NB_E_JSON, false, NB__FEED_OTHER},
        {"{\"nightbook_journal\":\"1\",\"feed\":\"live\"}", NB_E_JSON, false, NB__FEED_OTHER},
        {"[]", NB_E_JSON, false, NB__FEED_OTHER},
        {"", NB_E_JSON, false, NB__FEED_OTHER},
        {"{\"nightbook_journal\":1,\"feed\":\"live\",\"feed\":\"sim\"}", NB_E_JSON, false,
         NB__FEED_OTHER},
    };
    rig r;
    bool is_known = true;
    nb__feed_kind kind = NB__FEED_LIVE;
    nb_error error;
    rig_open(&r, NB__FEED_LIVE);
    assert_int_equal(nb__store_feed_kind(r.journal, &is_known, &kind, &error), NB_OK);
    assert_false(is_known);
    assert_int_equal(kind, NB__FEED_OTHER);
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        put(&r, "journal.json", cases[i].text);
        if (nb__store_feed_kind(r.journal, &is_known, &kind, &error) != cases[i].err)
            fail_msg("%s", cases[i].text);
        assert_int_equal(is_known, cases[i].is_known);
        assert_int_equal(kind, cases[i].kind);
    }
    rig_close(&r);
}

/* ---- totals ---- */

static void make_segment(rig *r, int64_t seconds, uint64_t *lines, uint64_t *frames, bool is_ended)
{
    const nb__session_clock clock = {r->feed, RIG_BEGIN_NS, RIG_BEGIN_NS, 1};
    int64_t at_ns = RIG_BEGIN_NS + seconds * NB__NS_PER_S;
    rig_begin(r, at_ns);
    rig_connect(r, at_ns, 1, clock, seconds > 0);
    for (unsigned i = 0; i < 50; i++)
        rig_frame(r, at_ns + i * NB__NS_PER_MS, 1, i);
    rig_sum(r, at_ns + NB__NS_PER_S);
    if (is_ended)
        rig_stop(r, at_ns + NB__NS_PER_S);
    rig_take(r);
    *lines += is_ended ? 55 : 53;
    *frames += 50;
}

static void expect_totals(const rig *r, uint64_t lines, uint64_t frames, uint32_t packed,
                          bool is_stopped)
{
    nb__recording_totals totals;
    nb__recording *recording = rig_read(r->journal);
    for (int i = 0; i < 2; i++) {
        nb__recording_total(recording, &totals);
        assert_int_equal(totals.lines, lines);
        assert_int_equal(totals.frames, frames);
        assert_int_equal(totals.segments, r->number);
        assert_int_equal(totals.packed, packed);
        assert_int_equal(totals.damages, 0);
        assert_int_equal(totals.is_stopped, is_stopped);
        assert_int_equal(totals.first_ns, RIG_BEGIN_NS);
        assert_int_equal(totals.last_ns, RIG_BEGIN_NS + (r->number * 10 - 9) * NB__NS_PER_S);
        assert_int_equal(totals.plain_bytes > 0, packed < r->number);
        assert_int_equal(totals.packed_bytes > 0, packed > 0);
        /* not moved by it: half is read now */
        nb__entry entry;
        for (uint64_t line = 0; line < lines / 2; line++)
            assert_int_equal(nb__recording_next(recording, &entry, NULL), NB__RECORDING_LINE);
    }
    nb__recording_close(recording);
}

static void test_totals(void **state)
{
    (void)state;
    for (int shape = 0; shape < 8; shape++) {
        rig r;
        uint64_t lines = 0, frames = 0;
        uint32_t packed = 0;
        rig_open(&r, shape & 4 ? NB__FEED_SIM : NB__FEED_LIVE);
        for (int i = 0; i < 3; i++) {
            bool is_last = i == 2;
            make_segment(&r, i * 10, &lines, &frames, !is_last || (shape & 2) != 0);
            if ((shape & 1) != 0 || i == 0) {
                rig_write_packed(&r, r.number, nb__text_view(&r.plain), 500);
                packed++;
            } else {
                rig_write_plain(&r, r.number, nb__text_view(&r.plain));
            }
        }
        expect_totals(&r, lines, frames, packed, (shape & 2) != 0);
        rig_close(&r);
    }
}

static void test_totals_of_what_grows_and_of_damage(void **state)
{
    (void)state;
    rig r;
    uint64_t lines = 0, frames = 0;
    nb__recording_totals totals;
    rig_open(&r, NB__FEED_LIVE);
    make_segment(&r, 0, &lines, &frames, true);
    rig_write_plain(&r, 1, (nb_span){r.plain.data, r.plain.size_bytes / 2});
    nb__recording *recording = rig_read(r.journal);
    nb__recording_total(recording, &totals);
    assert_in_range(totals.lines, 10, lines - 10);
    assert_false(totals.is_stopped);
    rig_write_plain(&r, 1, nb__text_view(&r.plain));
    nb__recording_total(recording, &totals);
    assert_int_equal(totals.lines, lines);
    assert_true(totals.is_stopped);
    nb__recording_close(recording);
    r.plain.data[r.plain.size_bytes / 2] ^= 1;
    rig_write_plain(&r, 1, nb__text_view(&r.plain));
    make_segment(&r, 10, &lines, &frames, true);
    rig_write_plain(&r, 3, nb__text_view(&r.plain)); /* and the second is missing */
    recording = rig_read(r.journal);
    nb__recording_total(recording, &totals);
    assert_int_equal(totals.damages, 2);
    nb__recording_close(recording);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_journal),
        cmocka_unit_test(test_a_night_and_a_file),
        cmocka_unit_test(test_what_is_none),
        cmocka_unit_test(test_feed_kind),
        cmocka_unit_test(test_totals),
        cmocka_unit_test(test_totals_of_what_grows_and_of_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
