/* SPDX-License-Identifier: Apache-2.0 */
/* What the recorder's helpers do beside it: packing, retention, the space that is left. */
#include "recorder_rig.h"

static bool exists(const rig *r, const char *name)
{
    char path[256];
    in_journal(r, name, path);
    return access(path, F_OK) == 0;
}

static int count_kind(const rig *r, bool is_packed)
{
    nb__catalogue catalogue;
    int count = 0;
    if (nb__catalogue_read(r->journal, &catalogue, NULL) != NB_OK)
        return 0;
    for (size_t i = 0; i < catalogue.count; i++)
        count += is_packed ? catalogue.segments[i].is_packed : catalogue.segments[i].is_plain;
    nb__catalogue_fini(&catalogue);
    return count;
}

/* Through the reader, packed or not. */
static void assert_all_is_read(const rig *r)
{
    nb__recording *recording;
    nb__entry entry;
    nb_error damage;
    int next = 0;
    assert_int_equal(nb__recording_open(r->journal, &recording, NULL), NB_OK);
    for (;;) {
        nb__recording_step step = nb__recording_next(recording, &entry, &damage);
        assert_int_not_equal(step, NB__RECORDING_DAMAGE);
        if (step == NB__RECORDING_END)
            break;
        if (entry.line.kind == NB__JOURNAL_FRAME)
            assert_int_equal(strtol(entry.message.data + 15, NULL, 10), next++);
    }
    assert_int_equal(next, r->sent);
    nb__recording_close(recording);
}

static void segments_that_are_over_are_packed_meanwhile(void **state_)
{
    (void)state_;
    rig r;
    rig_init(&r);
    r.config.pack_level = 3;
    r.config.segment_bytes = 12000;
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    connect_as(&r, 0, NB__FEED_LIVE);
    for (int i = 0; i < 300; i++) {
        send_frames(&r, 0, 5);
        nb__recorder_write(r.recorder);
        if (i % 10 == 0)
            turn(&r);
    }
    uint64_t segments = counters(&r).segments;
    assert_true(segments > 4);
    TURN_UNTIL(&r, counters(&r).packed == segments - 1);
    assert_int_equal(counters(&r).pack_failures, 0);
    assert_int_equal(count_kind(&r, true), segments - 1);
    assert_int_equal(count_kind(&r, false), 1); /* the open one */
    send_frame(&r, 0);
    rig_close(&r, "over");
    assert_all_is_read(&r);
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK); /* what a run leaves, the next packs */
    TURN_UNTIL(&r, counters(&r).packed == 1);
    assert_int_equal(count_kind(&r, false), 0);
    connect_as(&r, 0, NB__FEED_LIVE); /* and follows, by the index of the packed one */
    send_frames(&r, 0, 3);
    rig_close(&r, "over");
    assert_all_is_read(&r);
    char path[256], name[64];
    snprintf(name, sizeof name, "20261123/20261123-%06d.log", (int)segments + 1);
    in_journal(&r, name, path);
    found f = {0};
    snprintf(name, sizeof name, "20261123-%06d", (int)segments + 1);
    see_segment(&f, path, name);
    snprintf(name, sizeof name, "20261123-%06d", (int)segments);
    assert_string_equal(f.start.after.segment, name);
    assert_true(f.start.after.size_bytes > 1000 && f.start.after.xxh3 != 0);
    rig_fini(&r);
}

static void leftovers_of_a_pack_are_removed(void **state_)
{
    (void)state_;
    rig r;
    char path[256];
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    send_frames(&r, 0, 3);
    rig_close(&r, "over");
    in_journal(&r, "20261123/20261123-000001.log.zst.tmp", path);
    assert_int_equal(nb__file_write(path, NB__SPAN("half"), 0600, NULL), NB_OK);
    in_journal(&r, "20261123/notes.tmp", path); /* none of ours */
    assert_int_equal(nb__file_write(path, NB__SPAN("mine"), 0600, NULL), NB_OK);
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    assert_false(exists(&r, "20261123/20261123-000001.log.zst.tmp"));
    assert_true(exists(&r, "20261123/20261123-000001.log"));
    assert_true(exists(&r, "20261123/notes.tmp"));
    rig_fini(&r);
}

/* A segment that cannot be packed stays as it is, and the others go on. */
static void a_pack_that_fails_loses_nothing(void **state_)
{
    (void)state_;
    rig r;
    char path[256];
    rig_begin(&r);
    for (int run = 0; run < 3; run++) {
        if (run > 0)
            assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
        connect_as(&r, 0, NB__FEED_LIVE);
        send_frames(&r, 0, 3);
        rig_close(&r, "over");
    }
    in_journal(&r, "20261123/20261123-000002.log.zst", path);
    assert_int_equal(mkdir(path, 0700), 0);
    r.config.pack_level = 3;
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    TURN_UNTIL(&r, counters(&r).packed == 2 && counters(&r).pack_failures == 1);
    assert_true(exists(&r, "20261123/20261123-000002.log"));
    assert_int_equal(rmdir(path), 0);
    pass_ns(601 * NB__NS_PER_S);
    TURN_UNTIL(&r, counters(&r).packed == 3);
    assert_int_equal(count_kind(&r, false), 0);
    rig_close(&r, "over");
    assert_all_is_read(&r);
    rig_fini(&r);
}

/* ---- retention ---- */

static void old_nights_go_and_the_present_one_never(void **state_)
{
    (void)state_;
    rig r;
    rig_init(&r);
    r.config.keep_nights = 2;
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    connect_as(&r, 0, NB__FEED_LIVE);
    static const char *const nights[] = {"20261123", "20261124", "20261125", "20261126"};
    for (size_t i = 0; i < NB__COUNT_OF(nights); i++) {
        send_frames(&r, 0, 3);
        nb__recorder_write(r.recorder);
        assert_true(exists(&r, nights[i]));
        if (i >= 2)
            TURN_UNTIL(&r, counters(&r).removed_nights == i - 1);
        for (size_t k = 0; k < i; k++)
            assert_int_equal(exists(&r, nights[k]), k + 1 == i || i == k);
        pass_ns((i == 0 ? 3 : 1) * NB__NS_PER_DAY);
        turn(&r);
    }
    rig_close(&r, "over");
    r.config.keep_nights = 0;
    r.config.keep_bytes = 1; /* all but the newest */
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    TURN_UNTIL(&r, counters(&r).removed_nights >= 1);
    assert_true(exists(&r, "20261126") || exists(&r, "20261127"));
    assert_false(exists(&r, "20261125"));
    rig_fini(&r);
}

/* ---- space ---- */

static void a_disk_that_will_be_full_is_told_once_a_day(void **state_)
{
    (void)state_;
    rig r;
    rig_begin(&r);
    atomic_store(&fake_total_bytes, 1000000);
    atomic_store(&fake_free_bytes, 900000);
    connect_as(&r, 0, NB__FEED_LIVE);
    send_frames(&r, 0, 1000);
    nb__recorder_write(r.recorder);
    pass_ns(3 * NB__NS_PER_DAY);
    send_frames(&r, 0, 10); /* a night is over: its size is known */
    nb__recorder_write(r.recorder);
    for (int i = 0; i < 50; i++)
        turn(&r);
    pass_ns(61 * NB__NS_PER_S);
    TURN_UNTIL(&r, nb__recorder_look(r.recorder).nights_left > 0);
    nb__recorder_view view = nb__recorder_look(r.recorder);
    double mean = (double)view.disk_free_bytes / view.nights_left;
    assert_true(mean > 50000 && mean < 60000);
    assert_int_equal(r.spaces, 0);
    atomic_store(&fake_free_bytes, 99000);
    pass_ns(61 * NB__NS_PER_S);
    TURN_UNTIL(&r, r.spaces == 1);
    assert_non_null(strstr(r.words, "room for 1."));
    assert_non_null(strstr(r.words, "0 MB (9.9 %) are left on the disk of "));
    for (int i = 0; i < 30; i++) {
        pass_ns(61 * NB__NS_PER_S);
        turn(&r);
    }
    assert_int_equal(r.spaces, 1);
    pass_ns(NB__NS_PER_DAY);
    TURN_UNTIL(&r, r.spaces == 2);
    rig_fini(&r);
}

static void five_in_a_hundred_are_few_on_any_disk(void **state_)
{
    (void)state_;
    rig r;
    rig_init(&r);
    atomic_store(&fake_total_bytes, 1000000);
    atomic_store(&fake_free_bytes, 49000);
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    pass_ns(61 * NB__NS_PER_S);
    TURN_UNTIL(&r, r.spaces == 1);
    assert_true(nb__recorder_look(r.recorder).nights_left < 0); /* no night is known */
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_that_are_over_are_packed_meanwhile),
        cmocka_unit_test(leftovers_of_a_pack_are_removed),
        cmocka_unit_test(a_pack_that_fails_loses_nothing),
        cmocka_unit_test(old_nights_go_and_the_present_one_never),
        cmocka_unit_test(a_disk_that_will_be_full_is_told_once_a_day),
        cmocka_unit_test(five_in_a_hundred_are_few_on_any_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
