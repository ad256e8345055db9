/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder on real disks that fill up, may not be written, or whose machine dies: a small tmpfs
 * of this process alone, another user, limits, kill -9. What needs root is left out without it, and
 * says so.
 */
#include "recorder_rig.h"
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define NOBODY 65534

static bool has_root(const char *what)
{
    if (geteuid() == 0)
        return true;
    print_message("LEFT OUT, it needs root: %s\n", what);
    return false;
}

static bool mount_small(const char *path, const char *size)
{
    static bool is_own;
    if (!is_own &&
        (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)) {
        print_message("LEFT OUT, no mounts of one's own here: %s\n", strerror(errno));
        return false;
    }
    is_own = true;
    mkdir(path, 0700);
    char options[32];
    snprintf(options, sizeof options, "size=%s,mode=0700", size);
    if (mount("tmpfs", path, "tmpfs", 0, options) == 0)
        return true;
    print_message("LEFT OUT, no tmpfs can be mounted: %s\n", strerror(errno));
    return false;
}

static void fill(const char *path)
{
    static char bytes[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    while (syscall(SYS_write, fd, bytes, sizeof bytes) > 0)
        ;
    close(fd);
}

/* Full to the last block, room again, full again: everything but what the marks say is there. */
static void a_small_disk_fills_up_and_is_emptied(void **state_)
{
    (void)state_;
    rig r;
    found f;
    char ballast[256];
    if (!has_root("a small tmpfs that fills up"))
        skip();
    rig_init(&r);
    if (!mount_small(r.journal, "1m")) {
        rig_fini(&r);
        skip();
    }
    in_journal(&r, "ballast", ballast);
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    connect_as(&r, 0, NB__FEED_LIVE);
    for (int round = 1; round <= 3; round++) {
        send_frames(&r, 0, 50);
        nb__recorder_write(r.recorder);
        turn(&r);
        fill(ballast);
        for (int i = 0; i < 1000 && r.troubles < round; i++) {
            send_frame(&r, 0);
            nb__recorder_write(r.recorder);
        }
        assert_int_equal(r.troubles, round);
        assert_string_equal(state(&r), "NOT RECORDING");
        assert_non_null(strstr(r.words, "No space left on device"));
        send_frames(&r, 0, 20);
        for (int i = 0; i < 3; i++) {
            pass_ns(64 * NB__NS_PER_S);
            fill(ballast); /* what was cut back may be a block */
            turn(&r);
        }
        assert_string_equal(state(&r), "NOT RECORDING");
        assert_int_equal(unlink(ballast), 0);
        pass_ns(64 * NB__NS_PER_S);
        TURN_UNTIL(&r, strcmp(state(&r), "recording") == 0);
        pass_ns(60 * NB__NS_PER_S);
    }
    send_frames(&r, 0, 20);
    uint64_t lost = counters(&r).lost_lines;
    rig_close(&r, "over");
    look(&r, &f);
    assert_int_equal(f.lost_lines, lost);
    assert_true(lost >= 60);
    assert_all_but_lost(&r, &f, 0);
    umount2(r.journal, MNT_DETACH);
    rig_fini(&r);
}

static void a_read_only_disk_is_told_and_waited_for(void **state_)
{
    (void)state_;
    rig r;
    found f;
    if (!has_root("a read-only disk"))
        skip();
    rig_init(&r);
    if (!mount_small(r.journal, "1m")) {
        rig_fini(&r);
        skip();
    }
    assert_int_equal(mount(NULL, r.journal, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    connect_as(&r, 0, NB__FEED_LIVE);
    send_frames(&r, 0, 5);
    nb__recorder_write(r.recorder);
    assert_string_equal(state(&r), "NOT RECORDING");
    assert_non_null(strstr(nb__recorder_look(r.recorder).reason, "Read-only file system"));
    assert_int_equal(mount(NULL, r.journal, NULL, MS_REMOUNT, "size=1m"), 0);
    turn(&r);
    pass_ns(2 * NB__NS_PER_S);
    TURN_UNTIL(&r, strcmp(state(&r), "recording") == 0);
    send_frames(&r, 0, 5);
    rig_close(&r, "over");
    look(&r, &f);
    assert_all_but_lost(&r, &f, 0);
    assert_int_equal(f.lost_lines, 5);
    umount2(r.journal, MNT_DETACH);
    rig_fini(&r);
}

/* ---- in a process of its own ---- */

static int run_child(void (*run)(rig *r), rig *r)
{
    pid_t pid = fork();
    if (pid == 0) {
        run(r);
        _exit(0); /* a failed assertion leaves by another way */
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            dprintf(2, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                     \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void lose_permission(rig *r)
{
    char night[256];
    MUST(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    MUST(nb__loop_new(&r->loop, NULL) == NB_OK && rig_open(r, NB__FEED_LIVE) == NB_OK);
    connect_as(r, 0, NB__FEED_LIVE);
    send_frames(r, 0, 5);
    nb__recorder_write(r->recorder);
    MUST(chmod(r->journal, 0000) == 0);
    for (int i = 0; i < 60; i++) { /* an open file is written all the same, and is not "removed" */
        send_frame(r, 0);
        nb__recorder_write(r->recorder);
        nb__loop_turn(r->loop, 1);
    }
    MUST(strcmp(state(r), "recording") == 0 && counters(r).frames == 65);
    pass_ns(3 * NB__NS_PER_DAY); /* the next night needs a new one */
    nb__loop_turn(r->loop, 1);
    send_frames(r, 0, 5);
    nb__recorder_write(r->recorder);
    MUST(strcmp(state(r), "NOT RECORDING") == 0 && r->troubles == 1);
    MUST(strstr(nb__recorder_look(r->recorder).reason, "Permission denied") != NULL);
    MUST(chmod(r->journal, 0700) == 0);
    nb__loop_turn(r->loop, 1);
    pass_ns(2 * NB__NS_PER_S);
    for (int i = 0; i < 100 && strcmp(state(r), "recording") != 0; i++)
        nb__loop_turn(r->loop, 1);
    MUST(strcmp(state(r), "recording") == 0);
    in_journal(r, "20261124", night);
    MUST(access(night, F_OK) == 0);
    send_frames(r, 0, 5);
    nb__recorder_close(r->recorder, "over");
}

static void a_permission_that_is_lost_is_told(void **state_)
{
    (void)state_;
    rig r;
    found f;
    if (!has_root("a directory that is another user's"))
        skip();
    rig_init(&r);
    assert_int_equal(mkdir(r.journal, 0700), 0);
    assert_int_equal(chown(r.journal, NOBODY, NOBODY), 0);
    assert_int_equal(chmod(r.folder, 0755), 0);
    assert_int_equal(run_child(lose_permission, &r), 0);
    r.sent = 5 + 60 + 5 + 5;
    look(&r, &f);
    assert_all_but_lost(&r, &f, 0);
    assert_int_equal(f.lost_lines, 5);
    rig_fini(&r);
}

static void meet_limit(rig *r)
{
    MUST(setrlimit(RLIMIT_FSIZE, &(struct rlimit){20000, 20000}) == 0);
    MUST(nb__loop_new(&r->loop, NULL) == NB_OK && rig_open(r, NB__FEED_LIVE) == NB_OK);
    connect_as(r, 0, NB__FEED_LIVE);
    for (int i = 0; i < 1000; i++) {
        if (i % 100 == 0)
            pass_ns(3 * NB__NS_PER_S);
        send_frame(r, 0);
        nb__recorder_write(r->recorder);
        nb__loop_turn(r->loop, 0);
    }
    MUST(counters(r).lost_lines == 0 && r->troubles >= 2 && r->backs == r->troubles);
    nb__recorder_close(r->recorder, "over");
}

static void a_limit_of_file_sizes_ends_segments(void **state_)
{
    (void)state_;
    rig r;
    found f;
    rig_init(&r);
    assert_int_equal(run_child(meet_limit, &r), 0);
    r.sent = 1000;
    look(&r, &f);
    assert_true(f.segments > 2);
    assert_int_equal(f.lost_lines, 0);
    assert_all_but_lost(&r, &f, 0);
    rig_fini(&r);
}

/* ---- kill -9 ---- */

typedef struct shared {
    atomic_int sent, seen; /* seen: written, and so shown to clients */
} shared;

static void record_until_killed(rig *r, shared *s)
{
    MUST(nb__loop_new(&r->loop, NULL) == NB_OK && rig_open(r, NB__FEED_LIVE) == NB_OK);
    r->sent = atomic_load(&s->seen); /* again from where clients are */
    connect_as(r, 0, NB__FEED_LIVE);
    for (;;) {
        send_frames(r, 0, 1 + r->sent % 7);
        nb__recorder_write(r->recorder);
        atomic_store(&s->seen, r->sent);
        nb__loop_turn(r->loop, 0);
    }
}

/* Frames that are there; each number at most once a run, so a set is enough. */
static int read_numbers(const rig *r, bool *is_there, int capacity)
{
    nb__recording *recording;
    nb__entry entry;
    nb_error damage;
    int damages = 0;
    assert_int_equal(nb__recording_open(r->journal, &recording, NULL), NB_OK);
    for (;;) {
        nb__recording_step step = nb__recording_next(recording, &entry, &damage);
        if (step == NB__RECORDING_END)
            break;
        damages += step == NB__RECORDING_DAMAGE;
        if (step != NB__RECORDING_LINE || entry.line.kind != NB__JOURNAL_FRAME)
            continue;
        long number = strtol(entry.message.data + 15, NULL, 10);
        assert_in_range(number, 0, capacity - 1);
        is_there[number] = true;
    }
    nb__recording_close(recording);
    return damages;
}

/* Killed at any moment, in a rotation or a pack as well: what was shown to anyone is there. */
static void what_clients_saw_is_there_after_a_kill(void **state_)
{
    (void)state_;
    enum { NUMBERS = 8000000 };
    const char *is_long = getenv("NB_LONG");
    int kills = is_long != NULL && is_long[0] != '\0' ? 400 : 40;
    rig r;
    rig_init(&r);
    r.config.segment_bytes = 50000;
    r.config.pack_level = 1;
    shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(s != MAP_FAILED);
    nb__random random;
    nb__random_init(&random, 4);
    for (int i = 0; i < kills; i++) {
        pid_t pid = fork();
        if (pid == 0)
            record_until_killed(&r, s);
        sleep_ms(5 + (int)nb__random_below(&random, 40));
        assert_int_equal(kill(pid, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status)); /* and did not end by itself */
    }
    static bool is_there[NUMBERS];
    int seen = atomic_load(&s->seen);
    assert_true(seen > kills);
    read_numbers(&r, is_there, NUMBERS);
    for (int i = 0; i < seen; i++)
        if (!is_there[i])
            fail_msg("frame %d of %d was shown and is not there", i, seen);
    print_message("%d kills, %d frames shown, all there\n", kills, seen);
    munmap(s, sizeof *s);
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_of_file_sizes_ends_segments),
        cmocka_unit_test(what_clients_saw_is_there_after_a_kill),
        cmocka_unit_test(a_permission_that_is_lost_is_told),
        cmocka_unit_test(a_small_disk_fills_up_and_is_emptied),
        cmocka_unit_test(a_read_only_disk_is_told_and_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
