/* SPDX-License-Identifier: Apache-2.0 */
/* Disk trouble of every kind, as the system would report it: what is lost is known, marked, and no
 * more than must be. */
#include "recorder_rig.h"
#include <sys/resource.h>

static void fail_after(long long room, int code, int failures)
{
    atomic_store(&write_errno, code);
    atomic_store(&write_failures, failures);
    atomic_store(&write_room, room);
}

static void recover(void)
{
    atomic_store(&write_room, -1);
    atomic_store(&sync_errno, 0);
}

/* Until its next try. */
static void wait_retry(rig *r, int s)
{
    turn(r);
    pass_ns(s * NB__NS_PER_S);
    turn(r);
}

/* ---- a full disk ---- */

/* One turn's write is cut at `room`: what stands is whole lines, as many as went. */
static void cut_at(long long room, long long *size)
{
    rig r;
    found f;
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    send_frames(&r, 0, 2);
    nb__recorder_write(r.recorder);
    turn(&r);
    uint64_t before = counters(&r).bytes;
    int64_t begin_ns = nb__clock_real_ns();
    send_frames(&r, 0, 4);
    fail_after(room, ENOSPC, 0);
    nb__recorder_write(r.recorder);
    bool is_cut = r.troubles == 1;
    *size = is_cut ? 0 : (long long)(counters(&r).bytes - before);
    if (is_cut) {
        assert_string_equal(state(&r), "NOT RECORDING");
        assert_non_null(strstr(r.words, "cannot be written: No space left on device"));
        look(&r, &f);
        assert_int_equal(f.number_count, counters(&r).frames);
        assert_int_equal(f.damages, 0);
        assert_true(f.last.size_bytes <= before + (uint64_t)room);
        assert_true(f.last.size_bytes + 60 > before + (uint64_t)room); /* no line too many */
        send_frames(&r, 0, 3);
        nb__recorder_write(r.recorder);
        assert_int_equal(counters(&r).holes, 1);
        recover();
        wait_retry(&r, 2);
        assert_string_equal(state(&r), "recording");
        assert_int_equal(r.backs, 1);
    }
    recover();
    send_frames(&r, 0, 2);
    uint64_t lost = counters(&r).lost_lines;
    rig_close(&r, "over");
    look(&r, &f);
    assert_all_but_lost(&r, &f, 0);
    assert_int_equal(f.lost_lines, lost);
    assert_int_equal(f.disks, is_cut);
    assert_int_equal(f.segments, is_cut ? 2 : 1);
    if (is_cut) {
        assert_true(f.disk.since_ns >= begin_ns && f.disk.since_ns < begin_ns + NB__NS_PER_S);
        assert_int_equal(f.disk.lost_bytes, lost * strlen("0|H0EUASP0|001|000000^x"));
        assert_int_equal(f.continued, 1);
    }
    rig_fini(&r);
}

static void a_write_that_is_cut_anywhere_leaves_whole_lines(void **state_)
{
    (void)state_;
    long long size = 0;
    for (long long room = 0; size == 0; room += room < 100 ? 1 : 5) {
        assert_true(room < 1000);
        cut_at(room, &size);
    }
    assert_true(size > 4 * 40);
}

static int count_files(const rig *r)
{
    nb__catalogue catalogue;
    if (nb__catalogue_read(r->journal, &catalogue, NULL) != NB_OK)
        return 0;
    int count = (int)catalogue.count;
    nb__catalogue_fini(&catalogue);
    return count;
}

/* Twenty minutes without room: told once, no file too many, and the hole is one. */
static void a_long_hole_is_one(void **state_)
{
    (void)state_;
    rig r;
    found f;
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    send_frames(&r, 0, 5);
    nb__recorder_write(r.recorder);
    fail_after(0, ENOSPC, 0);
    for (int i = 0; i < 600; i++) {
        send_frame(&r, 0);
        nb__recorder_write(r.recorder);
        atomic_store(&write_room, i % 300); /* a new file can be made, and only begun */
        wait_retry(&r, 2);
    }
    assert_int_equal(r.troubles, 1);
    assert_int_equal(r.backs, 0);
    assert_int_equal(count_files(&r), 1);
    assert_int_equal(counters(&r).lost_lines, 600);
    recover();
    wait_retry(&r, 2);
    send_frames(&r, 0, 5);
    rig_close(&r, "over");
    look(&r, &f);
    assert_int_equal(f.segments, 2);
    assert_string_equal(f.start.segment, "20261123-000002");
    assert_int_equal(f.lost_lines, 600);
    assert_all_but_lost(&r, &f, 0);
    rig_fini(&r);
}

static void trouble_that_comes_back_soon_is_waited_for_longer(void **state_)
{
    (void)state_;
    rig r;
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    for (int i = 0; i < 3; i++) {
        send_frame(&r, 0);
        fail_after(0, ENOSPC, 0);
        nb__recorder_write(r.recorder);
        recover();
        assert_string_equal(state(&r), "NOT RECORDING");
        wait_retry(&r, (2 << i) - 1);
        assert_string_equal(state(&r), "NOT RECORDING");
        wait_retry(&r, 1);
        assert_string_equal(state(&r), "recording");
    }
    pass_ns(11 * NB__NS_PER_S); /* it held */
    send_frame(&r, 0);
    fail_after(0, ENOSPC, 0);
    nb__recorder_write(r.recorder);
    recover();
    wait_retry(&r, 2);
    assert_string_equal(state(&r), "recording");
    assert_int_equal(r.troubles, 4);
    assert_int_equal(r.backs, 4);
    rig_fini(&r);
}

/* What will not pass by waiting is gone on from at once, and nothing is lost. */
static void a_file_that_cannot_grow_is_followed_by_another(void **state_)
{
    (void)state_;
    static const int codes[] = {EFBIG, EIO};
    for (size_t i = 0; i < NB__COUNT_OF(codes); i++) {
        rig r;
        found f;
        rig_begin(&r);
        connect_as(&r, 0, NB__FEED_LIVE);
        send_frames(&r, 0, 3);
        nb__recorder_line(r.recorder, 0, NB__JOURNAL_PINGPONG, NB__SPAN("a\\b\n\x01"),
                          nb__clock_real_ns());
        fail_after(100, codes[i], 1);
        nb__recorder_write(r.recorder);
        assert_string_equal(state(&r), "recording");
        assert_int_equal(r.troubles, 1);
        assert_int_equal(r.backs, 1);
        assert_int_equal(counters(&r).lost_lines, 0);
        assert_int_equal(counters(&r).frames, 3);
        send_frames(&r, 0, 3);
        rig_close(&r, "over");
        look(&r, &f);
        assert_all_but_lost(&r, &f, 0);
        assert_int_equal(f.number_count, 6);
        assert_int_equal(f.others, 1);
        assert_string_equal(f.other, "a\\b\n\x01");
        assert_int_equal(f.disks, 1);
        assert_int_equal(f.lost_lines, 0);
        rig_fini(&r);
    }
}

static void links_are_restated_as_they_are_when_it_resumes(void **state_)
{
    (void)state_;
    rig r;
    found f;
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    connect_as(&r, 1, NB__FEED_LIVE);
    send_frame(&r, 0);
    nb__recorder_write(r.recorder);
    send_frame(&r, 1);
    fail_after(0, EROFS, 0);
    nb__recorder_write(r.recorder);
    nb__recorder_gap(r.recorder, 0, "cut", false, nb__clock_real_ns()); /* lost, and counted */
    connect_as(&r, 2, NB__FEED_LIVE);
    send_frame(&r, 2);
    recover();
    pass_ns(3 * NB__NS_PER_DAY); /* of another night meanwhile */
    turn(&r);
    assert_memory_equal(nb__recorder_look(r.recorder).segment, "20261124-000001", 15);
    send_frame(&r, 2);
    rig_close(&r, "over");
    look(&r, &f);
    assert_int_equal(f.continued, 2); /* 1 and 2 */
    assert_int_equal(f.link, 3);
    assert_int_equal(f.lost_lines, 3);
    assert_int_equal(f.disk.lost_lines, 3);
    assert_all_but_lost(&r, &f, 1);
    rig_fini(&r);
}

/* ---- ends ---- */

static void an_end_in_trouble_marks_the_hole_if_it_can(void **state_)
{
    (void)state_;
    for (int can = 0; can < 2; can++) {
        rig r;
        found f;
        rig_begin(&r);
        connect_as(&r, 0, NB__FEED_LIVE);
        send_frames(&r, 0, 2);
        nb__recorder_write(r.recorder);
        send_frame(&r, 0);
        fail_after(0, ENOSPC, 0);
        nb__recorder_write(r.recorder);
        if (can)
            recover();
        rig_close(&r, "over");
        look(&r, &f);
        assert_int_equal(f.disks, can);
        assert_int_equal(f.stops, can);
        assert_int_equal(f.number_count, 2);
        rig_fini(&r);
    }
}

/* The stop mark does not fit any more: at an end, at a rotation, at a night's end. */
static void a_segment_whose_end_cannot_be_written_is_whole_all_the_same(void **state_)
{
    (void)state_;
    for (int way = 0; way < 3; way++)
        for (int code = 0; code < 2; code++) {
            rig r;
            found f;
            rig_begin(&r);
            connect_as(&r, 0, NB__FEED_LIVE);
            send_frames(&r, 0, 3);
            nb__recorder_write(r.recorder);
            fail_after(10, code ? EIO : ENOSPC, 1);
            if (way > 0)
                pass_ns(way == 1 ? 3601 * NB__NS_PER_S : 3 * NB__NS_PER_DAY);
            if (way > 0)
                wait_retry(&r, 0);
            if (way == 0)
                rig_close(&r, "over");
            recover();
            if (way > 0) {
                pass_ns(3 * NB__NS_PER_S);
                for (int i = 0; i < 5; i++)
                    turn(&r);
                send_frames(&r, 0, 2);
                rig_close(&r, "over");
            }
            look(&r, &f);
            assert_all_but_lost(&r, &f, 0);
            assert_int_equal(f.lost_lines, 0);
            assert_int_equal(f.number_count, way > 0 ? 5 : 3);
            rig_fini(&r);
        }
}

/* As long as the old file takes lines, a new one that cannot be made is no trouble. */
static void a_segment_is_written_on_when_no_new_one_can_be_made(void **state_)
{
    (void)state_;
    rig r;
    found f;
    struct rlimit before;
    rig_init(&r);
    r.config.segment_bytes = 2000;
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    connect_as(&r, 0, NB__FEED_LIVE);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int highest = dup(0);
    close(highest);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)highest, before.rlim_max}),
                     0);
    for (int i = 0; i < 200; i++) {
        send_frame(&r, 0);
        nb__recorder_write(r.recorder);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_string_equal(state(&r), "recording");
    assert_string_equal(nb__recorder_look(r.recorder).segment, "20261123-000001");
    turn(&r);
    pass_ns(61 * NB__NS_PER_S);
    turn(&r);
    send_frame(&r, 0);
    nb__recorder_write(r.recorder);
    assert_string_equal(nb__recorder_look(r.recorder).segment, "20261123-000002");
    rig_close(&r, "over");
    look(&r, &f);
    assert_all_but_lost(&r, &f, 0);
    assert_int_equal(r.troubles, 0);
    rig_fini(&r);
}

/* ---- syncs that fail ---- */

static void a_file_whose_sync_failed_is_never_trusted_again(void **state_)
{
    (void)state_;
    rig r;
    found f;
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    send_frames(&r, 0, 3);
    nb__recorder_write(r.recorder);
    atomic_store(&sync_errno, EIO);
    TURN_UNTIL(&r, r.troubles == 1);
    assert_string_equal(state(&r), "NOT RECORDING");
    assert_non_null(strstr(nb__recorder_look(r.recorder).reason, "does not reach the disk"));
    assert_string_equal(nb__recorder_look(r.recorder).segment, "20261123-000002");
    for (int i = 0; i < 200; i++) { /* it is written on, and not in a hundred files */
        send_frame(&r, 0);
        nb__recorder_write(r.recorder);
        turn(&r);
    }
    assert_string_equal(nb__recorder_look(r.recorder).segment, "20261123-000002");
    assert_int_equal(counters(&r).frames, 203);
    pass_ns(61 * NB__NS_PER_S);
    send_frame(&r, 0);
    TURN_UNTIL(&r, counters(&r).segments == 3);
    assert_int_equal(r.troubles, 1);
    atomic_store(&sync_errno, 0);
    send_frame(&r, 0);
    nb__recorder_write(r.recorder);
    TURN_UNTIL(&r, r.backs == 1);
    assert_string_equal(state(&r), "recording");
    rig_close(&r, "over");
    look(&r, &f);
    assert_all_but_lost(&r, &f, 0);
    assert_int_equal(f.lost_lines, 0);
    assert_int_equal(f.segments, 3);
    assert_int_equal(f.disks, 2);
    assert_non_null(strstr(f.disk.reason, "does not reach the disk: Input/output error"));
    rig_fini(&r);
}

/* The mark of a sync that failed reaches back to what was never seen on the disk, however the rest
 * goes: the first sync of all; one for which no new segment can be made; one of a segment that was
 * left meanwhile. */
static void a_failed_sync_is_marked_from_the_first_line_it_may_cost(void **state_)
{
    (void)state_;
    for (int way = 0; way < 3; way++) {
        rig r;
        found f;
        rig_init(&r);
        if (way == 2)
            r.config.segment_bytes = 4096;
        assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
        int64_t first_ns = nb__clock_real_ns();
        connect_as(&r, 0, NB__FEED_LIVE);
        send_frames(&r, 0, 3);
        nb__recorder_write(r.recorder);
        sleep_ms(5);
        if (way == 1)
            fail_after(0, EIO, 0);
        atomic_store(&sync_ms, way == 2 ? 50 : 0);
        atomic_store(&sync_errno, EIO);
        int before = atomic_load(&sync_count);
        TURN_UNTIL(&r, atomic_load(&sync_count) > before);
        if (way == 2) { /* the sync runs while the segment is left; none after it fails */
            send_frames(&r, 0, 200);
            nb__recorder_write(r.recorder);
            assert_string_equal(nb__recorder_look(r.recorder).segment, "20261123-000002");
            sleep_ms(80);
            atomic_store(&sync_errno, 0);
        }
        TURN_UNTIL(&r, r.troubles == 1);
        recover();
        for (int i = 0; i < 3; i++)
            wait_retry(&r, 2);
        send_frame(&r, 0);
        nb__recorder_write(r.recorder);
        TURN_UNTIL(&r, strcmp(state(&r), "recording") == 0);
        rig_close(&r, "over");
        look(&r, &f);
        assert_true(f.disks >= 1);
        assert_true(f.disk.since_ns <= first_ns + NB__NS_PER_MS);
        rig_fini(&r);
    }
}

/* A sync and a write, both: the one does not hide the other. */
static void a_disk_that_fails_both_ways_comes_back(void **state_)
{
    (void)state_;
    rig r;
    found f;
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    send_frames(&r, 0, 3);
    nb__recorder_write(r.recorder);
    atomic_store(&sync_errno, EIO);
    fail_after(0, EIO, 0);
    TURN_UNTIL(&r, r.troubles >= 1);
    send_frames(&r, 0, 3);
    nb__recorder_write(r.recorder);
    assert_string_equal(state(&r), "NOT RECORDING");
    recover();
    for (int i = 0; i < 70; i++)
        wait_retry(&r, 2);
    send_frames(&r, 0, 3);
    nb__recorder_write(r.recorder);
    TURN_UNTIL(&r, strcmp(state(&r), "recording") == 0);
    assert_int_equal(r.backs, 1); /* when all is well again */
    rig_close(&r, "over");
    look(&r, &f);
    assert_all_but_lost(&r, &f, 0);
    rig_fini(&r);
}

/* At the end the disk is waited for, but not for ever. */
static void a_sync_that_hangs_does_not_hold_up_the_end(void **state_)
{
    (void)state_;
    rig r;
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    send_frame(&r, 0);
    atomic_store(&sync_ms, 3000);
    int64_t begin_ns = nb__clock_mono_ns();
    rig_close(&r, "over");
    int64_t took_ns = nb__clock_mono_ns() - begin_ns;
    assert_true(took_ns > 1900 * NB__NS_PER_MS && took_ns < 2700 * NB__NS_PER_MS);
    rig_fini(&r);
    sleep_ms(1500);
    atomic_store(&sync_ms, 0);
}

static void a_pack_that_hangs_does_not_hold_up_the_end(void **state_)
{
    (void)state_;
    rig r;
    rig_init(&r);
    r.config.pack_level = 1;
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    connect_as(&r, 0, NB__FEED_LIVE);
    nb__recorder_gap(r.recorder, 0, "the night is over", true, nb__clock_real_ns());
    nb__recorder_write(r.recorder);
    turn(&r);
    pass_ns(3601 * NB__NS_PER_S);
    TURN_UNTIL(&r, nb__recorder_look(r.recorder).segment[0] == '\0');
    sleep_ms(100); /* it is synced and closed */
    atomic_store(&sync_ms, 4000);
    int syncs = atomic_load(&sync_count);
    TURN_UNTIL(&r, atomic_load(&sync_count) > syncs); /* the pack's */
    atomic_store(&fake_mono_ns, 0);                   /* threads wait by the kernel's */
    int64_t begin_ns = nb__clock_mono_ns();
    rig_close(&r, "over");
    int64_t took_ns = nb__clock_mono_ns() - begin_ns;
    assert_true(took_ns > 1900 * NB__NS_PER_MS && took_ns < 2700 * NB__NS_PER_MS);
    sleep_ms(3000);
    atomic_store(&sync_ms, 0);
    rig_fini(&r);
}

/* ---- the directory goes away ---- */

static void remove_tree(const char *path)
{
    nftw(path, rig_drop, 8, FTW_DEPTH | FTW_PHYS);
}

static void a_removed_directory_is_made_again(void **state_)
{
    (void)state_;
    for (int way = 0; way < 3; way++) { /* the journal, the night, moved away */
        rig r;
        found f;
        char path[256], aside[128];
        rig_begin(&r);
        connect_as(&r, 0, NB__FEED_LIVE);
        send_frames(&r, 0, 4);
        nb__recorder_write(r.recorder);
        TURN_UNTIL(&r, counters(&r).syncs == 1);
        int64_t seen_ns = nb__clock_real_ns();
        sleep_ms(5);
        send_frames(&r, 0, 3); /* these go with it, and nobody has seen it yet */
        nb__recorder_write(r.recorder);
        in_journal(&r, "20261123", path);
        snprintf(aside, sizeof aside, "%s/aside", r.folder);
        if (way == 2)
            assert_int_equal(rename(r.journal, aside), 0);
        else
            remove_tree(way == 0 ? r.journal : path);
        int first = r.sent - 3;
        send_frames(&r, 0, 2);
        nb__recorder_write(r.recorder);
        TURN_UNTIL(&r, r.troubles == 1);
        assert_int_equal(r.backs, 1);
        assert_string_equal(state(&r), "recording");
        send_frames(&r, 0, 3);
        rig_close(&r, "over");
        look(&r, &f);
        assert_int_equal(f.segments, 1);
        assert_string_equal(f.start.after.segment, "20261123-000001");
        assert_string_equal(f.start.segment, "20261123-000002");
        assert_int_equal(f.disks, 1);
        assert_in_range(f.lost_lines, 5, 9);
        assert_true(f.disk.since_ns <= seen_ns + 30 * NB__NS_PER_MS);
        assert_non_null(strstr(f.disk.reason, "was removed while it was written"));
        assert_int_equal(f.numbers[0], first + 5);
        assert_int_equal(f.number_count, 3);
        in_journal(&r, "journal.json", path);
        assert_int_equal(access(path, F_OK), 0);
        rig_fini(&r);
    }
}

static void a_place_that_cannot_be_made_is_tried_again(void **state_)
{
    (void)state_;
    rig r;
    found f;
    rig_init(&r);
    assert_int_equal(nb__file_write(r.journal, NB__SPAN("in the way"), 0600, NULL), NB_OK);
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    assert_string_equal(state(&r), "NOT RECORDING");
    assert_non_null(strstr(nb__recorder_look(r.recorder).reason, "is no directory"));
    assert_int_equal(r.troubles, 0); /* nobody is told within the call */
    wait_retry(&r, 2);
    assert_int_equal(r.troubles, 1);
    unlink(r.journal);
    wait_retry(&r, 2);
    assert_string_equal(state(&r), "waiting");
    assert_int_equal(r.backs, 1);
    rig_close(&r, "over");
    rmdir(r.journal);
    remove_tree(r.journal);
    assert_int_equal(nb__file_write(r.journal, NB__SPAN("in the way"), 0600, NULL), NB_OK);
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK); /* links come all the same */
    connect_as(&r, 0, NB__FEED_LIVE);
    send_frames(&r, 0, 3);
    nb__recorder_write(r.recorder);
    unlink(r.journal);
    wait_retry(&r, 2);
    assert_string_equal(state(&r), "recording");
    send_frames(&r, 0, 3);
    rig_close(&r, "over");
    look(&r, &f);
    assert_all_but_lost(&r, &f, 0);
    assert_int_equal(f.lost_lines, 3);
    rig_fini(&r);
}

static void a_lock_that_another_took_meanwhile_is_respected(void **state_)
{
    (void)state_;
    rig r;
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    send_frames(&r, 0, 3);
    nb__recorder_write(r.recorder);
    char aside[128];
    snprintf(aside, sizeof aside, "%s/aside", r.folder);
    assert_int_equal(rename(r.journal, aside), 0);
    nb__recorder *other;
    assert_int_equal(nb__recorder_open(r.loop, &r.config, NB__FEED_LIVE, NULL, NULL, &other, NULL),
                     NB_OK);
    TURN_UNTIL(&r, r.troubles == 1);
    assert_non_null(strstr(nb__recorder_look(r.recorder).reason, "holds it"));
    wait_retry(&r, 2);
    assert_string_equal(state(&r), "NOT RECORDING");
    nb__recorder_close(other, "over");
    wait_retry(&r, 64);
    assert_string_equal(state(&r), "recording");
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_that_is_cut_anywhere_leaves_whole_lines),
        cmocka_unit_test(a_long_hole_is_one),
        cmocka_unit_test(trouble_that_comes_back_soon_is_waited_for_longer),
        cmocka_unit_test(a_file_that_cannot_grow_is_followed_by_another),
        cmocka_unit_test(links_are_restated_as_they_are_when_it_resumes),
        cmocka_unit_test(an_end_in_trouble_marks_the_hole_if_it_can),
        cmocka_unit_test(a_segment_whose_end_cannot_be_written_is_whole_all_the_same),
        cmocka_unit_test(a_segment_is_written_on_when_no_new_one_can_be_made),
        cmocka_unit_test(a_file_whose_sync_failed_is_never_trusted_again),
        cmocka_unit_test(a_disk_that_fails_both_ways_comes_back),
        cmocka_unit_test(a_failed_sync_is_marked_from_the_first_line_it_may_cost),
        cmocka_unit_test(a_sync_that_hangs_does_not_hold_up_the_end),
        cmocka_unit_test(a_pack_that_hangs_does_not_hold_up_the_end),
        cmocka_unit_test(a_removed_directory_is_made_again),
        cmocka_unit_test(a_place_that_cannot_be_made_is_tried_again),
        cmocka_unit_test(a_lock_that_another_took_meanwhile_is_respected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
