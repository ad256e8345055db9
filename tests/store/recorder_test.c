/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder on a good disk: what it writes, when, where, and what it refuses. */
#include "recorder_rig.h"
#include <sys/wait.h>

static void a_night_is_written(void **state_)
{
    (void)state_;
    rig r;
    found f;
    struct stat about;
    char path[256];
    rig_begin(&r);
    assert_string_equal(state(&r), "waiting");
    connect_as(&r, 0, NB__FEED_LIVE);
    assert_string_equal(state(&r), "recording");
    send_frames(&r, 0, 3);
    nb__recorder_line(r.recorder, 0, NB__JOURNAL_PINGPONG, NB__SPAN("{\n}"), nb__clock_real_ns());
    nb__recorder_write(r.recorder);
    nb__recorder_gap(r.recorder, 0, "KIS closed it", false, nb__clock_real_ns());
    nb__recorder_write(r.recorder);
    nb__recorder_view view = nb__recorder_look(r.recorder);
    assert_string_equal(view.state, "waiting");
    assert_string_equal(view.segment, "20261123-000001");
    assert_true(view.segment_bytes > 200 && view.night_bytes == view.segment_bytes);
    rig_close(&r, "the test is over");
    look(&r, &f);
    assert_int_equal(f.segments, 1);
    assert_int_equal(f.starts + f.connects + f.gaps + f.stops, 4);
    assert_int_equal(f.continued, 0);
    assert_int_equal(f.others, 1);
    assert_int_equal(f.sums, 1);
    assert_int_equal(f.link, 1);
    assert_true(f.is_stopped);
    assert_string_equal(f.stop, "{\"reason\":\"the test is over\"}");
    assert_int_equal(f.start.night, NIGHT);
    assert_int_equal(f.start.feed, NB__FEED_LIVE);
    assert_string_equal(f.start.version, NB_VERSION);
    assert_true(f.start.host[0] != '\0' && strlen(f.start.run) == 16);
    assert_string_equal(f.start.after.segment, "");
    assert_all_but_lost(&r, &f, 0);
    in_journal(&r, "20261123/20261123-000001.log", path);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(stat(r.journal, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0700);
    nb__text json = {0};
    in_journal(&r, "journal.json", path);
    assert_int_equal(nb__file_read(path, 1000, &json, NULL), NB_OK);
    assert_string_equal(json.data, "{\"nightbook_journal\":1,\"feed\":\"live\"}\n");
    nb__text_fini(&json);
    rig_fini(&r);
}

/* What a client may see is the kernel's before: another open of the file has it. */
static void a_write_is_there_at_once_and_sums_follow_within_a_second(void **state_)
{
    (void)state_;
    rig r;
    found f;
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    for (int i = 0; i < 50; i++) {
        send_frames(&r, 0, i % 3);
        uint64_t writes = counters(&r).writes;
        nb__recorder_write(r.recorder);
        nb__recorder_write(r.recorder); /* nothing to do */
        assert_true(counters(&r).writes <= writes + 1);
        look(&r, &f);
        assert_all_but_lost(&r, &f, 0);
        assert_int_equal(f.sums, 0);
    }
    turn(&r);
    pass_ns(NB__NS_PER_S);
    TURN_UNTIL(&r, (look(&r, &f), f.sums == 1));
    pass_ns(60 * NB__NS_PER_S); /* no traffic: no sum */
    for (int i = 0; i < 20; i++)
        turn(&r);
    look(&r, &f);
    assert_int_equal(f.sums, 1);
    assert_int_equal(counters(&r).frames, r.sent);
    assert_int_equal(counters(&r).lines, r.sent + 2);
    send_frame(&r, 0);
    nb__recorder_write(r.recorder);
    pass_ns(NB__NS_PER_S);
    TURN_UNTIL(&r, (look(&r, &f), f.sums == 2));
    rig_fini(&r);
}

static void syncs_follow_what_was_written(void **state_)
{
    (void)state_;
    rig r;
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    TURN_UNTIL(&r, counters(&r).syncs >= 1);
    for (int i = 0; i < 100; i++)
        turn(&r);
    int before = atomic_load(&sync_count);
    for (int i = 0; i < 100; i++)
        turn(&r);
    assert_int_equal(atomic_load(&sync_count), before); /* nothing new */
    int64_t clean_ns = nb__recorder_look(r.recorder).synced_ns;
    turn(&r);
    assert_true(nb__recorder_look(r.recorder).synced_ns > clean_ns); /* nothing is to be synced */
    int64_t sent_ns = nb__clock_real_ns();
    send_frame(&r, 0);
    assert_true(nb__recorder_look(r.recorder).synced_ns < sent_ns);
    nb__recorder_write(r.recorder);
    assert_true(nb__recorder_look(r.recorder).synced_ns < sent_ns);
    TURN_UNTIL(&r, nb__recorder_look(r.recorder).synced_ns >= sent_ns);
    assert_true(atomic_load(&sync_count) > before);
    atomic_store(&sync_ms, 300); /* a slow one holds nothing up */
    send_frame(&r, 0);
    nb__recorder_write(r.recorder);
    int64_t begin_ns = nb__clock_mono_ns();
    while (nb__clock_mono_ns() - begin_ns < 200 * NB__NS_PER_MS) {
        int64_t turn_ns = nb__clock_mono_ns();
        send_frame(&r, 0);
        nb__recorder_write(r.recorder);
        turn(&r);
        assert_true(nb__clock_mono_ns() - turn_ns < 150 * NB__NS_PER_MS);
    }
    atomic_store(&sync_ms, 0);
    assert_int_equal(counters(&r).slow_syncs, 0);
    rig_fini(&r);
}

static void slow_writes_are_counted(void **state_)
{
    (void)state_;
    rig r;
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    send_frame(&r, 0);
    nb__recorder_write(r.recorder);
    assert_int_equal(counters(&r).slow_writes, 0);
    atomic_store(&write_ms, 60);
    send_frame(&r, 0);
    nb__recorder_write(r.recorder);
    atomic_store(&write_ms, 0);
    assert_int_equal(counters(&r).slow_writes, 1);
    assert_true(counters(&r).write_max_us >= 60000);
    rig_fini(&r);
}

/* ---- segments ---- */

static void a_segment_ends_by_size_and_names_its_predecessor(void **state_)
{
    (void)state_;
    rig r;
    found f;
    rig_init(&r);
    r.config.segment_bytes = 4000;
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    connect_as(&r, 0, NB__FEED_LIVE);
    connect_as(&r, 1, NB__FEED_LIVE);
    for (int i = 0; i < 300; i++) {
        send_frame(&r, (uint32_t)i % 2);
        if (i == 200)
            nb__recorder_gap(r.recorder, 1, "cut", false, nb__clock_real_ns());
        if (i % 5 == 0)
            nb__recorder_write(r.recorder);
    }
    rig_close(&r, "over");
    look(&r, &f);
    assert_true(f.segments > 4);
    assert_int_equal(f.stops, f.segments);
    assert_true(f.sums >= f.segments);
    assert_all_but_lost(&r, &f, 0);
    assert_true(f.continued > f.segments && f.continued < 2 * (f.segments - 1)); /* not of 1 */
    assert_int_equal(f.connects, f.continued + 2);
    rig_fini(&r);
}

static void a_segment_ends_by_time(void **state_)
{
    (void)state_;
    rig r;
    found f;
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    for (int i = 0; i < 5; i++) {
        send_frame(&r, 0);
        nb__recorder_write(r.recorder);
        pass_ns(1801 * NB__NS_PER_S);
        turn(&r);
    }
    rig_close(&r, "over");
    look(&r, &f);
    assert_int_equal(f.segments, 3);
    assert_all_but_lost(&r, &f, 0);
    rig_fini(&r);
}

static void an_idle_segment_is_ended_and_another_begun_when_a_link_is_back(void **state_)
{
    (void)state_;
    rig r;
    found f;
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    send_frame(&r, 0);
    nb__recorder_gap(r.recorder, 0, "the night is over", true, nb__clock_real_ns());
    nb__recorder_write(r.recorder);
    turn(&r);
    pass_ns(3601 * NB__NS_PER_S);
    TURN_UNTIL(&r, nb__recorder_look(r.recorder).segment[0] == '\0');
    assert_string_equal(state(&r), "waiting");
    look(&r, &f);
    assert_int_equal(f.stops, 1);
    assert_true(f.is_stopped);
    pass_ns(12 * 3600 * NB__NS_PER_S);
    turn(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    send_frame(&r, 0);
    rig_close(&r, "over");
    look(&r, &f);
    assert_int_equal(f.segments, 2);
    assert_int_equal(f.continued, 0);
    assert_int_equal(f.link, 2); /* a session of its own */
    assert_all_but_lost(&r, &f, 0);
    rig_fini(&r);
}

/* The night's end comes before the link's: what its gap begins can be read alone. */
static void a_segment_that_begins_with_a_gap_knows_its_link(void **state_)
{
    (void)state_;
    rig r;
    found f;
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    send_frame(&r, 0);
    nb__recorder_write(r.recorder);
    turn(&r);
    pass_ns(71 * 3600 * NB__NS_PER_S + 15 * 60 * NB__NS_PER_S); /* 17:45 on Monday */
    TURN_UNTIL(&r, nb__recorder_look(r.recorder).segment[0] == '\0');
    nb__recorder_gap(r.recorder, 0, "a drop", false, nb__clock_real_ns());
    rig_close(&r, "over");
    look(&r, &f);
    assert_true(f.segments >= 2);
    assert_int_equal(f.continued, f.segments - 1);
    assert_int_equal(f.gaps, 1);
    rig_fini(&r);
}

/* A frame lies in the night in which it was received; the keeper's nights are the same. */
static void nights_have_directories_of_their_own(void **state_)
{
    (void)state_;
    static const struct {
        int64_t at_s; /* after 18:30 of Friday the 20th */
        int night;
    } frames[] = {{0, 20261123},
                  {11 * 3600, 20261123},                 /* 05:30 on Saturday */
                  {2 * 86400 + 23 * 3600 - 1, 20261123}, /* Monday 17:29:59 */
                  {2 * 86400 + 23 * 3600 + 1800, 20261124},
                  {3 * 86400, 20261124}};
    rig r;
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    int64_t begin_ns = nb__clock_real_ns();
    for (size_t i = 0; i < NB__COUNT_OF(frames); i++) {
        char path[256], directory[16];
        pass_ns(begin_ns + frames[i].at_s * NB__NS_PER_S - nb__clock_real_ns());
        send_frame(&r, 0);
        nb__recorder_write(r.recorder);
        nb__recorder_view view = nb__recorder_look(r.recorder);
        snprintf(directory, sizeof directory, "%d", frames[i].night);
        in_journal(&r, directory, path);
        assert_memory_equal(view.segment, directory, 8);
        assert_int_equal(access(path, F_OK), 0);
    }
    rig_close(&r, "over");
    found f;
    look(&r, &f);
    assert_all_but_lost(&r, &f, 0);
    assert_int_equal(f.start.night, 20261124);
    assert_int_equal(f.stops, f.segments);
    rig_fini(&r);
}

/* Session time decides, not ours: a replay on a Sunday. */
static void a_night_is_the_feeds(void **state_)
{
    (void)state_;
    rig r;
    rig_init(&r);
    r.config.is_asked_for = true;
    assert_int_equal(rig_open(&r, NB__FEED_SIM), NB_OK);
    nb__session_clock clock = {NB__FEED_SIM, nb__clock_real_ns(),
                               NIGHT_BEGIN_NS - 7 * NB__NS_PER_DAY, 10};
    nb__recorder_connect(r.recorder, 0, "sim", "ws://127.0.0.1:1", &clock, nb__clock_real_ns());
    send_frame(&r, 0);
    assert_memory_equal(nb__recorder_look(r.recorder).segment, "20261116-", 9);
    pass_ns(3 * 8640 * NB__NS_PER_S); /* three days of its time */
    send_frame(&r, 0);
    nb__recorder_write(r.recorder);
    assert_memory_equal(nb__recorder_look(r.recorder).segment, "20261117-", 9);
    rig_fini(&r);
}

/* ---- runs ---- */

static void a_run_follows_the_one_before(void **state_)
{
    (void)state_;
    rig r;
    found f;
    rig_begin(&r);
    for (int run = 0; run < 4; run++) {
        if (run > 0)
            assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
        connect_as(&r, 0, NB__FEED_LIVE);
        send_frames(&r, 0, 10);
        rig_close(&r, "over");
    }
    look(&r, &f); /* each start mark has length and hash of the file before */
    assert_int_equal(f.segments, 4);
    assert_string_equal(f.start.segment, "20261123-000004");
    assert_int_equal(f.link, 1);
    assert_all_but_lost(&r, &f, 0);
    rig_fini(&r);
}

/* Files that are no segment any more keep their number; a torn one is named as it lies. */
static void numbers_are_never_used_again(void **state_)
{
    (void)state_;
    static const char *const taken[] = {"20261123-000007.log.zst.tmp", "20261123-000012.damaged-33",
                                        "20261123-000009.log.zst", "20261124-000099.log"};
    rig r;
    rig_begin(&r);
    char path[256];
    in_journal(&r, "20261123", path);
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < NB__COUNT_OF(taken); i++) {
        char name[64];
        snprintf(name, sizeof name, "20261123/%s", taken[i]);
        in_journal(&r, name, path);
        assert_int_equal(nb__file_write(path, NB__SPAN("x"), 0600, NULL), NB_OK);
    }
    connect_as(&r, 0, NB__FEED_LIVE);
    assert_string_equal(nb__recorder_look(r.recorder).segment, "20261123-000013");
    rig_fini(&r);
}

static void a_torn_predecessor_is_named_as_it_lies(void **state_)
{
    (void)state_;
    static const char torn[] = "1795166000000000000 0 start {}\n1795166000000000000 1 frame 0|H0";
    rig r;
    char path[256];
    rig_init(&r);
    assert_int_equal(mkdir(r.journal, 0700), 0);
    in_journal(&r, "20261123", path);
    assert_int_equal(mkdir(path, 0700), 0);
    in_journal(&r, "20261123/20261123-000001.log", path);
    assert_int_equal(nb__file_write(path, NB__SPAN(torn), 0600, NULL), NB_OK);
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    connect_as(&r, 0, NB__FEED_LIVE);
    rig_close(&r, "over");
    in_journal(&r, "20261123/20261123-000002.log", path);
    found f = {.last = {.segment = "20261123-000001",
                        .size_bytes = sizeof torn - 1,
                        .xxh3 = XXH3_64bits(torn, sizeof torn - 1)},
               .segments = 1};
    see_segment(&f, path, "20261123-000002");
    assert_int_equal(f.segments, 2);
    rig_fini(&r);
}

/* ---- kinds ---- */

static void only_live_feeds_are_recorded_unasked(void **state_)
{
    (void)state_;
    rig r;
    rig_init(&r);
    assert_int_equal(rig_open(&r, NB__FEED_SIM), NB_OK);
    assert_string_equal(state(&r), "off");
    connect_as(&r, 0, NB__FEED_SIM);
    send_frames(&r, 0, 10);
    nb__recorder_write(r.recorder);
    assert_string_equal(state(&r), "off");
    assert_non_null(strstr(nb__recorder_look(r.recorder).reason, "the feed is SIMULATED"));
    assert_int_equal(counters(&r).lines + counters(&r).lost_lines, 0);
    assert_int_equal(access(r.journal, F_OK), -1);
    rig_close(&r, "over");
    r.config.is_asked_for = true;
    assert_int_equal(rig_open(&r, NB__FEED_SIM), NB_OK);
    connect_as(&r, 0, NB__FEED_SIM);
    assert_string_equal(state(&r), "recording");
    rig_close(&r, "over");
    assert_int_equal(rig_open(&r, NB__FEED_REPLAY), NB_E_CONFIG);
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_E_CONFIG);
    assert_non_null(
        strstr(r.error.detail, "holds nights that are SIMULATED, and the feed is LIVE"));
    assert_int_equal(rig_open(&r, NB__FEED_OTHER), NB_OK); /* it will be known at the first link */
    connect_as(&r, 0, NB__FEED_SIM);
    assert_string_equal(state(&r), "recording");
    rig_fini(&r);
}

/* A server that states nothing of itself is not KIS: an unasked recording of it would keep live
 * nights out of the directory. */
static void what_is_not_known_to_be_live_is_not_recorded_unasked(void **state_)
{
    (void)state_;
    rig r;
    rig_init(&r);
    assert_int_equal(rig_open(&r, NB__FEED_OTHER), NB_OK);
    connect_as(&r, 0, NB__FEED_OTHER);
    send_frame(&r, 0);
    nb__recorder_write(r.recorder);
    assert_string_equal(state(&r), "off");
    assert_non_null(strstr(nb__recorder_look(r.recorder).reason, "the feed is UNVERIFIED"));
    assert_int_equal(counters(&r).lines + counters(&r).lost_lines, 0);
    rig_close(&r, "over");
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    rig_close(&r, "over");
    r.config.is_asked_for = true;
    assert_int_equal(rig_open(&r, NB__FEED_OTHER), NB_OK);
    connect_as(&r, 0, NB__FEED_OTHER);
    assert_string_equal(state(&r), "recording");
    rig_fini(&r);
}

/* --feed kis at an address of the user's own: it is recorded as what he says it is, among live
 * nights, unless it says itself that it is none. */
static void what_the_user_calls_live_is_recorded_unless_it_says_otherwise(void **state_)
{
    (void)state_;
    rig r;
    rig_init(&r);
    r.config.counts_unstated_as_live = true;
    assert_int_equal(rig_open(&r, NB__FEED_OTHER), NB_OK);
    connect_as(&r, 0, NB__FEED_OTHER);
    send_frame(&r, 0);
    nb__recorder_write(r.recorder);
    assert_string_equal(state(&r), "recording");
    rig_close(&r, "over");
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    rig_close(&r, "over");
    assert_int_equal(rig_open(&r, NB__FEED_OTHER), NB_OK);
    connect_as(&r, 0, NB__FEED_SIM);
    assert_string_equal(state(&r), "off");
    rig_fini(&r);
}

static void live_nights_stay_among_themselves(void **state_)
{
    (void)state_;
    static const char *const kinds[] = {NULL, "{\"nightbook_journal\":1,\"feed\":\"sim\"}", "{}"};
    rig r;
    char path[256];
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    send_frame(&r, 0);
    rig_close(&r, "over");
    r.config.is_asked_for = true;
    in_journal(&r, "journal.json", path);
    assert_int_equal(rig_open(&r, NB__FEED_SIM), NB_E_CONFIG);
    for (size_t i = 0; i < NB__COUNT_OF(kinds); i++) { /* whatever it says, if it is there */
        unlink(path);
        if (kinds[i] != NULL)
            assert_int_equal(nb__file_write(path, nb__span(kinds[i]), 0600, NULL), NB_OK);
        assert_int_equal(rig_open(&r, NB__FEED_SIM), NB_E_CONFIG);
        assert_non_null(strstr(r.error.detail, "holds nights that are LIVE"));
    }
    found f;
    look(&r, &f);
    assert_int_equal(f.segments, 1);
    /* The kind shows at the first link only: loud, and nothing is written. */
    assert_int_equal(rig_open(&r, NB__FEED_OTHER), NB_OK);
    connect_as(&r, 0, NB__FEED_SIM);
    send_frame(&r, 0);
    assert_string_equal(state(&r), "NOT RECORDING");
    assert_int_equal(r.troubles, 1);
    rig_close(&r, "over");
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK); /* and journal.json is mended */
    connect_as(&r, 0, NB__FEED_LIVE);
    rig_close(&r, "over");
    nb__text json = {0};
    assert_int_equal(nb__file_read(path, 1000, &json, NULL), NB_OK);
    assert_non_null(strstr(json.data, "\"live\""));
    nb__text_fini(&json);
    rig_fini(&r);
}

static void another_kind_beside_the_one_that_is_recorded_is_refused(void **state_)
{
    (void)state_;
    rig r;
    found f;
    rig_init(&r);
    r.config.is_asked_for = true;
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    connect_as(&r, 0, NB__FEED_LIVE);
    send_frames(&r, 0, 5);
    connect_as(&r, 1, NB__FEED_SIM);
    assert_string_equal(state(&r), "NOT RECORDING");
    assert_int_equal(r.troubles, 1);
    assert_non_null(strstr(r.words, "'key1' is SIMULATED"));
    nb__recorder_gap(r.recorder, 0, "a drop", false, nb__clock_real_ns());
    connect_as(&r, 0, NB__FEED_LIVE); /* which says nothing of the other */
    assert_string_equal(state(&r), "NOT RECORDING");
    int sent = r.sent;
    send_frames(&r, 1, 5);
    r.sent = sent; /* numbers that nobody should find are used again */
    send_frames(&r, 0, 5);
    nb__recorder_gap(r.recorder, 1, "gone", false, nb__clock_real_ns());
    assert_string_equal(state(&r), "recording");
    rig_close(&r, "over");
    look(&r, &f);
    assert_int_equal(f.number_count, 10);
    assert_int_equal(f.link, 3);
    rig_fini(&r);
}

/* ---- who may open it ---- */

static void a_directory_has_one_recorder(void **state_)
{
    (void)state_;
    rig r;
    int ready[2];
    char byte = 0;
    rig_init(&r);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork(); /* before any thread is there */
    if (pid == 0) {
        char words[64];
        nb__recorder *other;
        nb_error error = {0};
        if (read(ready[0], &byte, 1) != 1)
            _exit(2);
        nb_err err =
            nb__recorder_open(r.loop, &r.config, NB__FEED_LIVE, NULL, NULL, &other, &error);
        snprintf(words, sizeof words, "lock: process %d holds it", (int)getppid());
        _exit(err == NB_E_BUSY && strstr(error.detail, words) != NULL ? 0 : 1);
    }
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    assert_int_equal(write(ready[1], "x", 1), 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(ready[0]);
    close(ready[1]);
    rig_close(&r, "over");
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_OK);
    rig_fini(&r);
}

static void a_newer_journal_is_refused_with_words(void **state_)
{
    (void)state_;
    rig r;
    char path[256];
    rig_init(&r);
    assert_int_equal(mkdir(r.journal, 0700), 0);
    in_journal(&r, "journal.json", path);
    assert_int_equal(
        nb__file_write(path, NB__SPAN("{\"nightbook_journal\":2,\"feed\":\"live\"}"), 0600, NULL),
        NB_OK);
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_E_VERSION);
    assert_non_null(strstr(r.error.detail, "use the newer nightbook that wrote it"));
    nb__text json = {0};
    assert_int_equal(nb__file_read(path, 1000, &json, NULL), NB_OK);
    assert_non_null(strstr(json.data, ":2,"));
    nb__text_fini(&json);
    unlink(path); /* its segments say so too */
    in_journal(&r, "20261123", path);
    assert_int_equal(mkdir(path, 0700), 0);
    in_journal(&r, "20261123/20261123-000001.log", path);
    assert_int_equal(nb__file_write(path,
                                    NB__SPAN("1795166000000000000 0 start {\"format\":2,"
                                             "\"version\":\"9.0\",\"feed\":\"live\"}\n"),
                                    0600, NULL),
                     NB_OK);
    assert_int_equal(rig_open(&r, NB__FEED_LIVE), NB_E_VERSION);
    rig_fini(&r);
}

/* ---- clocks ---- */

static void a_clock_that_is_set_is_marked_before_the_next_line(void **state_)
{
    (void)state_;
    static const int64_t steps_ms[] = {51, -51, 3600000, -3600000, 86400000 * 3LL};
    for (size_t i = 0; i < NB__COUNT_OF(steps_ms); i++) {
        rig r;
        found f;
        rig_begin(&r);
        connect_as(&r, 0, NB__FEED_LIVE);
        send_frame(&r, 0);
        nb__recorder_write(r.recorder);
        turn(&r);
        atomic_fetch_add(&fake_real_ns, steps_ms[i] * NB__NS_PER_MS);
        turn(&r);
        send_frames(&r, 0, 2);
        nb__recorder_write(r.recorder);
        turn(&r);
        send_frame(&r, 0);
        rig_close(&r, "over");
        look(&r, &f);
        assert_int_equal(f.clocks, 1);
        assert_int_equal(f.number_count, 4);
        int64_t off_ns = f.clock_step_ns - steps_ms[i] * NB__NS_PER_MS;
        assert_true(off_ns > -5 * NB__NS_PER_MS && off_ns < 5 * NB__NS_PER_MS);
        rig_fini(&r);
    }
}

static void a_late_turn_or_a_small_correction_is_no_step(void **state_)
{
    (void)state_;
    rig r;
    found f;
    rig_begin(&r);
    connect_as(&r, 0, NB__FEED_LIVE);
    for (int i = 0; i < 20; i++) {
        atomic_fetch_add(&fake_real_ns, 5 * NB__NS_PER_MS);
        pass_ns(NB__NS_PER_S);
        turn(&r);
        send_frame(&r, 0);
        nb__recorder_write(r.recorder);
    }
    rig_close(&r, "over");
    look(&r, &f);
    assert_int_equal(f.clocks, 0);
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_night_is_written),
        cmocka_unit_test(a_write_is_there_at_once_and_sums_follow_within_a_second),
        cmocka_unit_test(syncs_follow_what_was_written),
        cmocka_unit_test(slow_writes_are_counted),
        cmocka_unit_test(a_segment_ends_by_size_and_names_its_predecessor),
        cmocka_unit_test(a_segment_ends_by_time),
        cmocka_unit_test(an_idle_segment_is_ended_and_another_begun_when_a_link_is_back),
        cmocka_unit_test(nights_have_directories_of_their_own),
        cmocka_unit_test(a_night_is_the_feeds),
        cmocka_unit_test(a_run_follows_the_one_before),
        cmocka_unit_test(numbers_are_never_used_again),
        cmocka_unit_test(a_torn_predecessor_is_named_as_it_lies),
        cmocka_unit_test(only_live_feeds_are_recorded_unasked),
        cmocka_unit_test(live_nights_stay_among_themselves),
        cmocka_unit_test(what_is_not_known_to_be_live_is_not_recorded_unasked),
        cmocka_unit_test(what_the_user_calls_live_is_recorded_unless_it_says_otherwise),
        cmocka_unit_test(a_segment_that_begins_with_a_gap_knows_its_link),
        cmocka_unit_test(another_kind_beside_the_one_that_is_recorded_is_refused),
        cmocka_unit_test(a_directory_has_one_recorder),
        cmocka_unit_test(a_newer_journal_is_refused_with_words),
        cmocka_unit_test(a_clock_that_is_set_is_marked_before_the_next_line),
        cmocka_unit_test(a_late_turn_or_a_small_correction_is_no_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
