/* SPDX-License-Identifier: Apache-2.0 */
/* Packing a segment: whatever happens at whatever step, every line is there, once. */
#include "step_rig.h"

typedef struct job {
    rig *r;
    uint32_t number;
} job;

static nb_err pack(void *self)
{
    const job *j = self;
    nb__segment segment = rig_segment(j->r, j->number);
    nb_error error = {0};
    return nb__pack_segment(&segment, 3, NULL, &error);
}

/* Segment 1, and a second one after it; the lines of both in `*all`. */
static void begin(rig *r, nb__text *all)
{
    rig_open(r, NB__FEED_SIM);
    *all = (nb__text){0};
    rig_usual(r, 3, 5);
    rig_write_plain(r, 1, nb__text_view(&r->plain));
    nb__text_append(all, r->plain.data, r->plain.size_bytes);
    rig_usual(r, 1, 2);
    rig_write_plain(r, 2, nb__text_view(&r->plain));
    nb__text_append(all, r->plain.data, r->plain.size_bytes);
}

static void end(rig *r, nb__text *all)
{
    nb__text_fini(all);
    rig_close(r);
}

static void expect_packed(const rig *r, nb_span all)
{
    assert_false(rig_has(r, 1, ""));
    assert_true(rig_has(r, 1, ".zst"));
    assert_int_equal(rig_names(r).count, 2);
    rig_expect_lines(r, all);
}

static void test_pack(void **state)
{
    (void)state;
    rig r;
    nb__text all;
    begin(&r, &all);
    job j = {&r, 1};
    assert_int_equal(pack(&j), NB_OK);
    expect_packed(&r, nb__text_view(&all));
    assert_int_equal(pack(&j), NB_OK); /* again: nothing is left to do */
    expect_packed(&r, nb__text_view(&all));
    end(&r, &all);
}

/* The line that a killed recorder left goes with the rest, byte for byte. */
static void test_torn_tail(void **state)
{
    (void)state;
    rig r;
    nb__text all;
    begin(&r, &all);
    char path[160];
    rig_path(&r, 2, "", path);
    nb__text plain = rig_file(path);
    nb__text_string(&plain, "1795165200000000001 1 frame 0|H0E");
    rig_write_plain(&r, 2, nb__text_view(&plain));
    job j = {&r, 2};
    assert_int_equal(pack(&j), NB_OK);
    nb__segment segment = rig_segment(&r, 2);
    nb__verify_report report;
    assert_int_equal(nb__verify_segment(&segment, NULL, &report, NULL), NB_OK);
    assert_true(report.is_packed_good);
    assert_int_equal(report.findings.size_bytes, plain.size_bytes);
    assert_int_equal(report.damage_count, 1);
    assert_int_equal(report.damages[0].kind, NB__DAMAGE_TORN);
    assert_int_equal(report.damages[0].size_bytes, 33);
    nb__verify_fini(&report);
    nb__text_fini(&plain);
    end(&r, &all);
}

static void test_killed_at_every_step(void **state)
{
    (void)state;
    int reached = 0;
    for (int kind = STEP_BEFORE; kind <= STEP_AFTER; kind++) {
        for (int at = 1;; at++) {
            rig r;
            nb__text all;
            begin(&r, &all);
            job j = {&r, 1};
            bool is_killed = step_kill(at, (step_kind)kind, pack, &j);
            rig_expect_lines(&r, nb__text_view(&all));
            assert_int_equal(pack(&j), NB_OK);
            expect_packed(&r, nb__text_view(&all));
            end(&r, &all);
            if (!is_killed)
                break;
            reached = at;
        }
    }
    assert_true(reached >= 8); /* two writes, three syncs, a rename, two removes */
}

/* A second one is killed while it goes on with what the first left. */
static void test_killed_again_and_again(void **state)
{
    (void)state;
    rig r;
    nb__text all;
    begin(&r, &all);
    job j = {&r, 1};
    for (int at = 1; at <= 12; at++) {
        step_kill(at, STEP_AFTER, pack, &j);
        rig_expect_lines(&r, nb__text_view(&all));
        if (!rig_has(&r, 1, ""))
            break;
    }
    assert_int_equal(pack(&j), NB_OK);
    expect_packed(&r, nb__text_view(&all));
    end(&r, &all);
}

/* An error leaves the plain one, or both, equal; never neither. */
static void test_every_step_fails(void **state)
{
    (void)state;
    static const int codes[] = {ENOSPC, EIO};
    for (size_t i = 0; i < NB__COUNT_OF(codes); i++) {
        for (int at = 1;; at++) {
            rig r;
            nb__text all;
            nb_err err;
            begin(&r, &all);
            job j = {&r, 1};
            bool is_reached = step_fail(at, codes[i], pack, &j, &err);
            rig_expect_lines(&r, nb__text_view(&all));
            assert_true(err == NB_OK || rig_has(&r, 1, "") || rig_has(&r, 1, ".zst"));
            assert_int_equal(pack(&j), NB_OK);
            expect_packed(&r, nb__text_view(&all));
            end(&r, &all);
            if (!is_reached)
                break;
        }
    }
}

static void test_stop(void **state)
{
    (void)state;
    rig r;
    nb__text all;
    begin(&r, &all);
    nb__segment segment = rig_segment(&r, 1);
    nb_error error = {0};
    volatile bool stop = true;
    assert_int_equal(nb__pack_segment(&segment, 3, &stop, &error), NB_E_BUSY);
    assert_int_equal(rig_names(&r).count, 2);
    assert_true(rig_has(&r, 1, ""));
    end(&r, &all);
}

/* ---- both files ---- */

static nb_err pack_words(const rig *r, nb_error *error)
{
    nb__segment segment = rig_segment(r, 1);
    *error = (nb_error){0};
    return nb__pack_segment(&segment, 3, NULL, error);
}

/* Good, and of other bytes: it is for a person to say which of them is right. */
static void test_another_packed_one(void **state)
{
    (void)state;
    rig r;
    nb__text all;
    nb_error error;
    begin(&r, &all);
    rig_write_packed(&r, 1, nb__text_view(&r.plain), 0);
    assert_int_equal(pack_words(&r, &error), NB_E_JOURNAL);
    assert_non_null(strstr(error.detail, "holds other bytes"));
    assert_true(rig_has(&r, 1, "") && rig_has(&r, 1, ".zst"));
    end(&r, &all);
}

/* Damaged: packed again, and the damaged one kept. */
static void test_bad_packed_one(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        rig r;
        nb__text all;
        nb_error error;
        char path[160];
        begin(&r, &all);
        rig_path(&r, 1, "", path);
        nb__text plain = rig_file(path), packed = rig_packed(nb__text_view(&plain), 300);
        if (way == 0)
            packed.size_bytes /= 2;
        else if (way == 1)
            packed.data[100] ^= 1;
        else
            packed.data[packed.size_bytes - 12] ^= 1; /* the seek table */
        rig_write(&r, 1, ".zst", nb__text_view(&packed));
        if (pack_words(&r, &error) != NB_OK)
            fail_msg("%s", error.detail);
        assert_false(rig_has(&r, 1, ""));
        rig_expect_lines(&r, nb__text_view(&all));
        snprintf(path, sizeof path, "%s/%d-000001.damaged-0.zst", r.night, RIG_NIGHT);
        nb__text kept = rig_file(path);
        assert_true(nb__span_equal(nb__text_view(&kept), nb__text_view(&packed)));
        nb__text_fini(&kept);
        nb__text_fini(&plain);
        nb__text_fini(&packed);
        end(&r, &all);
    }
}

/* ---- who else is there ---- */

static void test_two_at_once(void **state)
{
    (void)state;
    rig r;
    nb__text all;
    nb_error error;
    char path[160];
    int lock;
    begin(&r, &all);
    snprintf(path, sizeof path, "%s/care.lock", r.night);
    assert_int_equal(nb__disk_lock(path, &lock, NULL), NB_OK);
    assert_int_equal(pack_words(&r, &error), NB_E_BUSY);
    assert_true(rig_has(&r, 1, ""));
    nb__disk_close(lock);
    assert_int_equal(pack_words(&r, &error), NB_OK);
    expect_packed(&r, nb__text_view(&all));
    end(&r, &all);
}

static void grow(void *self, int count)
{
    const rig *r = self;
    char path[160];
    if (count != 3)
        return;
    rig_path(r, 1, "", path);
    int fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(syscall(SYS_write, fd, "1 1 frame x\n", 12), 12);
    close(fd);
}

/* The disk gives back other bytes than it was given. */
static void flip(void *self, int count)
{
    const rig *r = self;
    char path[160], byte;
    rig_path(r, 1, ".zst.tmp", path);
    int fd = open(path, O_RDWR);
    if (fd < 0)
        return;
    off_t at = lseek(fd, 0, SEEK_END) - 1 - count % 7 * 40;
    if (at >= 0 && pread(fd, &byte, 1, at) == 1) {
        byte ^= 1;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
}

static void test_read_back(void **state)
{
    (void)state;
    rig r;
    nb__text all;
    nb_error error;
    begin(&r, &all);
    for (int first = 0; first < 7; first++) {
        steps.also = flip;
        steps.self = &r;
        steps.count = first;
        assert_int_not_equal(pack_words(&r, &error), NB_OK);
        steps.also = NULL;
        assert_true(rig_has(&r, 1, ""));
        assert_false(rig_has(&r, 1, ".zst"));
        rig_expect_lines(&r, nb__text_view(&all));
    }
    end(&r, &all);
}

/* Written to while it is packed: it is no finished segment, and stays. */
static void test_still_written_to(void **state)
{
    (void)state;
    rig r;
    nb__text all;
    nb_error error;
    begin(&r, &all);
    steps.also = grow;
    steps.self = &r;
    steps.count = 0;
    assert_int_equal(pack_words(&r, &error), NB_E_BUSY);
    steps.also = NULL;
    assert_true(rig_has(&r, 1, ""));
    assert_false(rig_has(&r, 1, ".zst"));
    assert_int_equal(rig_names(&r).count, 2);
    end(&r, &all);
}

/* The one that a recorder holds open is nobody else's. */
static void test_held(void **state)
{
    (void)state;
    rig r;
    nb__text all;
    nb_error error = {0};
    nb__repair_result result;
    char path[160];
    int fd;
    size_t written;
    begin(&r, &all);
    rig_path(&r, 3, "", path);
    assert_int_equal(nb__disk_create(path, &fd, NULL, NULL), NB_OK);
    assert_int_equal(nb__disk_write(fd, NB__SPAN("torn"), &written, NULL, NULL), NB_OK);
    nb__segment segment = rig_segment(&r, 3);
    assert_int_equal(nb__pack_segment(&segment, 3, NULL, &error), NB_E_BUSY);
    assert_int_equal(nb__repair_segment(&segment, &result, &error), NB_E_BUSY);
    nb__disk_close(fd);
    nb__text plain = rig_file(path);
    assert_string_equal(plain.data, "torn");
    nb__text_fini(&plain);
    assert_int_equal(nb__pack_segment(&segment, 3, NULL, &error), NB_OK);
    end(&r, &all);
}

static void test_nothing_there(void **state)
{
    (void)state;
    rig r;
    nb__text all;
    nb_error error = {0};
    begin(&r, &all);
    nb__segment segment = rig_segment(&r, 1);
    segment.number = 77;
    assert_int_equal(nb__pack_segment(&segment, 3, NULL, &error), NB_E_NOT_FOUND);
    assert_non_null(strstr(error.detail, "-000077.log"));
    assert_int_equal(rig_names(&r).count, 2);
    end(&r, &all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack),
        cmocka_unit_test(test_torn_tail),
        cmocka_unit_test(test_killed_at_every_step),
        cmocka_unit_test(test_killed_again_and_again),
        cmocka_unit_test(test_every_step_fails),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_another_packed_one),
        cmocka_unit_test(test_bad_packed_one),
        cmocka_unit_test(test_two_at_once),
        cmocka_unit_test(test_read_back),
        cmocka_unit_test(test_still_written_to),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_nothing_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
