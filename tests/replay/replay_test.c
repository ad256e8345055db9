/* SPDX-License-Identifier: Apache-2.0 */
/* A recording given out under the test's own clock. */
#include "replay/replay.h"
#include "tape.h"
#include <math.h>

#define MS NB__NS_PER_MS
#define S NB__NS_PER_S
#define BEGIN_NS (1000 * S) /* our monotonic clock when a replay is opened */

typedef struct rig {
    tape tape;
    nb__replay *replay;
    nb__replay_config config;
    int64_t now_ns;
    nb__replay_item item;
    int64_t due_ns;
} rig;

static int setup(void **state)
{
    rig *r = calloc(1, sizeof *r);
    *state = r;
    nb__log_set_level(NB__LOG_ERROR);
    return r == NULL ? -1 : tape_open(&r->tape);
}

static int teardown(void **state)
{
    rig *r = *state;
    int status = tape_close(&r->tape);
    nb__replay_close(r->replay);
    free(r);
    return status;
}

/* Frames f0, f1, … one every 10 s from 18:00 on, the link up ten minutes before. */
static void record_plain(rig *r, int frames)
{
    tape *t = &r->tape;
    t->now_ns = at(20261120, 175000);
    tape_start(t);
    tape_connect(t, 1);
    for (int i = 0; i < frames; i++) {
        char text[24];
        snprintf(text, sizeof text, "0|T|001|f%d", i);
        t->now_ns = at(20261120, 180000) + i * 10 * S;
        tape_frame(t, 1, text);
    }
    tape_end(t);
}

static void open_at(rig *r, const nb__replay_config *config)
{
    nb_error error = {0};
    r->config = *config;
    r->config.path = r->tape.directory;
    r->config.calendar = nb_calendar_builtin();
    if (r->config.speed <= 0)
        r->config.speed = 1;
    r->now_ns = BEGIN_NS;
    nb_err err = nb__replay_open(&r->config, r->now_ns, &r->replay, &error);
    if (err != NB_OK)
        fail_msg("%s", error.detail);
}

static nb__replay_step step(rig *r)
{
    return nb__replay_next(r->replay, r->now_ns, &r->item, &r->due_ns);
}

static void gives(rig *r, const char *message)
{
    assert_int_equal(step(r), NB__REPLAY_ITEM);
    if (r->item.kind != NB__REPLAY_FRAME || !nb__span_is(r->item.message, message))
        fail_msg("kind %d %.*s (%s) instead of %s", (int)r->item.kind,
                 (int)r->item.message.size_bytes, r->item.message.data, r->item.reason, message);
}

static void gives_kind(rig *r, nb__replay_kind kind)
{
    assert_int_equal(step(r), NB__REPLAY_ITEM);
    if (r->item.kind != kind)
        fail_msg("kind %d (%s) instead of %d", (int)r->item.kind, r->item.reason, (int)kind);
}

static void waits_until(rig *r, int64_t after_ns)
{
    assert_int_equal(step(r), NB__REPLAY_WAIT);
    assert_int_equal(r->due_ns, after_ns == INT64_MAX ? INT64_MAX : BEGIN_NS + after_ns);
    if (after_ns != INT64_MAX)
        r->now_ns = r->due_ns;
}

static nb__replay_view view(rig *r)
{
    return nb__replay_look(r->replay, r->now_ns, 0);
}

static void times_are_kept_and_it_begins_with_the_first_frame(void **state)
{
    rig *r = *state;
    record_plain(r, 3);
    open_at(r, &(nb__replay_config){0});
    assert_int_equal(view(r).night, TAPE_NIGHT);
    assert_int_equal(view(r).recorded, NB__FEED_LIVE);
    gives_kind(r, NB__REPLAY_UP);
    gives(r, "0|T|001|f0");
    assert_int_equal(r->item.recv_ns, at(20261120, 180000));
    assert_int_equal(r->item.clock->kind, NB__FEED_REPLAY);
    assert_int_equal(nb__session_clock_at(r->item.clock, r->item.recv_ns), r->item.recv_ns);
    waits_until(r, 10 * S);
    gives(r, "0|T|001|f1");
    r->now_ns += 4 * S;
    assert_int_equal(step(r), NB__REPLAY_WAIT);
    assert_int_equal(view(r).session_ns, at(20261120, 180014));
    nb__session_clock clock = view(r).clock;
    assert_int_equal(nb__session_clock_at(&clock, 2 * S), at(20261120, 180016));
    waits_until(r, 20 * S);
    gives(r, "0|T|001|f2");
    assert_int_equal(step(r), NB__REPLAY_ENDED);
    assert_int_equal(step(r), NB__REPLAY_ENDED);
    assert_true(view(r).is_ended);
    assert_true(view(r).progress >= 1);
    assert_int_equal(view(r).frames, 3);
}

static void a_speed_and_max(void **state)
{
    rig *r = *state;
    record_plain(r, 4);
    open_at(r, &(nb__replay_config){.speed = 10});
    gives_kind(r, NB__REPLAY_UP);
    gives(r, "0|T|001|f0");
    waits_until(r, 1 * S);
    gives(r, "0|T|001|f1");
    assert_true(view(r).clock.speed > 9.99 && view(r).clock.speed < 10.01);
    nb__replay_set_speed(r->replay, INFINITY, r->now_ns);
    gives(r, "0|T|001|f2");
    assert_true(view(r).clock.speed <= 0); /* it says where it is, and not where it will be */
    assert_int_equal(view(r).clock.at_session_ns, at(20261120, 180020));
    gives(r, "0|T|001|f3");
    assert_int_equal(step(r), NB__REPLAY_ENDED);
}

static void from_and_to_are_times_of_the_night(void **state)
{
    rig *r = *state;
    record_plain(r, 10);
    open_at(r, &(nb__replay_config){.from = "18:00:25", .to = "18:00:45"});
    assert_int_equal(view(r).session_ns, at(20261120, 180025));
    waits_until(r, 5 * S); /* from 18:00:25 it is 5 s to the frame */
    gives(r, "0|T|001|f3");
    waits_until(r, 15 * S);
    gives(r, "0|T|001|f4");
    assert_int_equal(step(r), NB__REPLAY_ENDED);
}

static void words_for_what_is_not_there(void **state)
{
    rig *r = *state;
    nb_error error;
    nb__replay *none = NULL;
    record_plain(r, 10);
    nb__replay_config config = {
        .path = r->tape.directory, .calendar = nb_calendar_builtin(), .speed = 1};
    config.from = "23:10";
    assert_int_equal(nb__replay_open(&config, 0, &none, &error), NB_E_ARGUMENT);
    assert_non_null(strstr(error.detail, "2026-11-20T17:50:00 to 2026-11-20T18:01:30"));
    config.from = "25:10";
    assert_int_equal(nb__replay_open(&config, 0, &none, &error), NB_E_ARGUMENT);
    config.from = "18:01";
    config.to = "18:00:30";
    assert_int_equal(nb__replay_open(&config, 0, &none, &error), NB_E_ARGUMENT);
    config = (nb__replay_config){
        .path = "/nonexistent/x", .calendar = nb_calendar_builtin(), .speed = 1};
    assert_int_equal(nb__replay_open(&config, 0, &none, &error), NB_E_NOT_FOUND);
    assert_null(none);
}

static void several_nights_are_one_too_many(void **state)
{
    rig *r = *state;
    nb_error error;
    nb__replay *none = NULL;
    char command[300];
    record_plain(r, 1);
    snprintf(command, sizeof command,
             "mkdir %s/20261124 && cp %s/20261123-000001.log %s/20261124/20261124-000001.log",
             r->tape.directory, r->tape.night, r->tape.directory);
    assert_int_equal(system(command), 0);
    nb__replay_config config = {
        .path = r->tape.directory, .calendar = nb_calendar_builtin(), .speed = 1};
    assert_int_equal(nb__replay_open(&config, 0, &none, &error), NB_E_ARGUMENT);
    assert_non_null(strstr(error.detail, "name one"));
    config.path = r->tape.night;
    assert_int_equal(nb__replay_open(&config, 0, &r->replay, &error), NB_OK);
}

static void steps_of_the_recorders_clock_take_no_time(void **state)
{
    rig *r = *state;
    tape *t = &r->tape;
    tape_start(t);
    tape_connect(t, 1);
    tape_frame(t, 1, "0|T|001|a");
    t->now_ns += 3600 * S + 5 * MS; /* set an hour ahead */
    tape_clock(t, 3600 * S);
    t->now_ns += 5 * MS;
    tape_frame(t, 1, "0|T|001|b");
    t->now_ns -= 7200 * S - 1 * MS;
    tape_clock(t, -7200 * S);
    tape_frame(t, 1, "0|T|001|c");
    t->now_ns -= 3 * S; /* nobody said so */
    tape_frame(t, 1, "0|T|001|d");
    t->now_ns += 2 * S;
    tape_frame(t, 1, "0|T|001|e");
    tape_end(t);
    open_at(r, &(nb__replay_config){0});
    gives_kind(r, NB__REPLAY_UP);
    gives(r, "0|T|001|a");
    waits_until(r, 10 * MS);
    gives(r, "0|T|001|b");
    assert_int_equal(r->item.recv_ns, at(20261120, 190000) + 10 * MS); /* as it was recorded */
    waits_until(r, 11 * MS);
    gives(r, "0|T|001|c");
    gives(r, "0|T|001|d");
    waits_until(r, 2 * S + 11 * MS);
    gives(r, "0|T|001|e");
}

static void the_clock_of_a_simulated_night(void **state)
{
    rig *r = *state;
    tape *t = &r->tape;
    int64_t real_ns = at(20261122, 120000); /* a Sunday noon played Friday evening, at 60 */
    nb__session_clock sim = {NB__FEED_SIM, real_ns, at(20261120, 180000), 60};
    t->now_ns = real_ns;
    tape_start(t);
    tape_connect_as(t, 1, &sim, false);
    tape_frame(t, 1, "0|T|001|a");
    t->now_ns += 10 * S;
    tape_frame(t, 1, "0|T|001|b");
    tape_end(t);
    open_at(r, &(nb__replay_config){.speed = 2});
    assert_int_equal(view(r).night, TAPE_NIGHT);
    gives_kind(r, NB__REPLAY_UP);
    gives(r, "0|T|001|a");
    assert_int_equal(view(r).session_ns, at(20261120, 180000));
    assert_true(view(r).clock.speed > 119.9 && view(r).clock.speed < 120.1);
    waits_until(r, 5 * S);
    assert_int_equal(view(r).session_ns, at(20261120, 181000));
    gives(r, "0|T|001|b");
    assert_int_equal(nb__session_clock_at(r->item.clock, r->item.recv_ns), at(20261120, 181000));
    /* and back by session time */
    int64_t session_ns;
    assert_int_equal(nb__replay_time_parse(r->replay, NB__SPAN("18:05"), &session_ns, NULL), NB_OK);
    assert_int_equal(nb__replay_seek(r->replay, session_ns, r->now_ns, NULL), NB_OK);
    int64_t begin_ns = r->now_ns;
    assert_int_equal(step(r), NB__REPLAY_WAIT);
    assert_int_equal(r->due_ns - begin_ns, 2500 * MS); /* 5 min of 60 at speed 2 */
}

static void seek_goes_both_ways(void **state)
{
    rig *r = *state;
    int64_t session_ns;
    nb_error error;
    record_plain(r, 10);
    open_at(r, &(nb__replay_config){0});
    gives_kind(r, NB__REPLAY_UP);
    gives(r, "0|T|001|f0");
    assert_int_equal(nb__replay_time_parse(r->replay, NB__SPAN("18:00:58"), &session_ns, &error),
                     NB_OK);
    assert_int_equal(nb__replay_seek(r->replay, session_ns, r->now_ns, NULL), NB_OK);
    assert_int_equal(view(r).session_ns, at(20261120, 180058));
    waits_until(r, 2 * S);
    gives(r, "0|T|001|f6");
    assert_int_equal(nb__replay_seek(r->replay, at(20261120, 180010), r->now_ns, NULL), NB_OK);
    gives(r, "0|T|001|f1");
    waits_until(r, 12 * S);
    gives(r, "0|T|001|f2");
    assert_int_equal(nb__replay_time_parse(r->replay, NB__SPAN("17:40"), &session_ns, &error),
                     NB_E_ARGUMENT);
    assert_non_null(strstr(error.detail, "lies outside"));
    assert_int_equal(nb__replay_time_parse(r->replay, NB__SPAN("19:00"), &session_ns, &error),
                     NB_E_ARGUMENT);
    /* beyond the end it can be brought back */
    nb__replay_set_speed(r->replay, INFINITY, r->now_ns);
    while (step(r) != NB__REPLAY_ENDED)
        continue;
    assert_int_equal(nb__replay_seek(r->replay, at(20261120, 180130), r->now_ns, NULL), NB_OK);
    assert_false(view(r).is_ended);
    gives(r, "0|T|001|f9");
    assert_int_equal(step(r), NB__REPLAY_ENDED);
}

static void a_loop_begins_anew(void **state)
{
    rig *r = *state;
    record_plain(r, 2);
    open_at(r, &(nb__replay_config){.speed = INFINITY, .is_loop = true});
    for (int round = 0; round < 3; round++) {
        if (round > 0)
            gives_kind(r, NB__REPLAY_BEGIN);
        gives_kind(r, NB__REPLAY_UP);
        gives(r, "0|T|001|f0");
        gives(r, "0|T|001|f1");
    }
    assert_int_equal(view(r).rounds, 3);
    assert_int_equal(view(r).frames, 6);
}

static void a_loop_without_a_frame_ends(void **state)
{
    rig *r = *state;
    record_plain(r, 2);
    open_at(r, &(nb__replay_config){.to = "17:55", .is_loop = true, .speed = INFINITY});
    gives_kind(r, NB__REPLAY_UP);
    assert_int_equal(step(r), NB__REPLAY_ENDED);
}

static void step_by_step(void **state)
{
    rig *r = *state;
    record_plain(r, 5);
    open_at(r, &(nb__replay_config){.is_paused = true});
    waits_until(r, INT64_MAX);
    nb__replay_step_frames(r->replay, 1, r->now_ns);
    gives_kind(r, NB__REPLAY_UP);
    gives(r, "0|T|001|f0");
    waits_until(r, INT64_MAX);
    r->now_ns += 500 * S;
    nb__replay_step_frames(r->replay, 2, r->now_ns);
    gives(r, "0|T|001|f1");
    gives(r, "0|T|001|f2");
    waits_until(r, INT64_MAX);
    assert_int_equal(view(r).session_ns, at(20261120, 180020));
    nb__replay_pause(r->replay, false, r->now_ns);
    assert_int_equal(step(r), NB__REPLAY_WAIT);
    assert_int_equal(r->due_ns, r->now_ns + 10 * S);
    r->now_ns = r->due_ns;
    gives(r, "0|T|001|f3");
}

static void held_time_stands(void **state)
{
    rig *r = *state;
    record_plain(r, 3);
    open_at(r, &(nb__replay_config){0});
    gives_kind(r, NB__REPLAY_UP);
    gives(r, "0|T|001|f0");
    r->now_ns += 3 * S;
    assert_int_equal(step(r), NB__REPLAY_WAIT);
    nb__replay_hold(r->replay, true, r->now_ns);
    r->now_ns += 600 * S;
    waits_until(r, INT64_MAX);
    assert_int_equal(view(r).session_ns, at(20261120, 180003));
    nb__replay_hold(r->replay, false, r->now_ns);
    assert_int_equal(step(r), NB__REPLAY_WAIT);
    assert_int_equal(r->due_ns, r->now_ns + 7 * S);
}

static void gaps_and_links_of_a_run_that_ended_without_a_word(void **state)
{
    rig *r = *state;
    tape *t = &r->tape;
    tape_start(t);
    tape_connect(t, 1);
    tape_connect(t, 2);
    tape_frame(t, 1, "0|T|001|a");
    tape_gap(t, 1, "link lost: KIS closed it", false);
    tape_frame(t, 2, "0|T|001|b");
    tape_connect(t, 1);
    tape_end(t);
    /* the same run goes on in another file */
    tape_start(t);
    nb__session_clock live = nb__session_clock_live();
    tape_connect_as(t, 1, &live, true);
    tape_connect_as(t, 2, &live, true);
    tape_frame(t, 1, "0|T|001|c");
    tape_end(t);
    /* killed, and another one began */
    memcpy(t->run, "00000000000000b2", sizeof t->run);
    tape_start(t);
    tape_connect(t, 7);
    tape_frame(t, 7, "0|T|001|d");
    tape_gap(t, 7, "nightbook ends", true);
    tape_end(t);
    open_at(r, &(nb__replay_config){.speed = INFINITY});
    gives_kind(r, NB__REPLAY_UP);
    gives_kind(r, NB__REPLAY_UP);
    assert_int_equal(r->item.link, 2);
    gives(r, "0|T|001|a");
    gives_kind(r, NB__REPLAY_DOWN);
    assert_string_equal(r->item.reason, "link lost: KIS closed it");
    assert_int_equal(r->item.link, 1);
    gives(r, "0|T|001|b");
    gives_kind(r, NB__REPLAY_UP);
    gives(r, "0|T|001|c");
    gives_kind(r, NB__REPLAY_DOWN);
    assert_string_equal(r->item.reason, "the recorder ended here");
    gives_kind(r, NB__REPLAY_DOWN);
    assert_false(r->item.is_rest);
    gives_kind(r, NB__REPLAY_UP);
    gives(r, "0|T|001|d");
    gives_kind(r, NB__REPLAY_DOWN);
    assert_true(r->item.is_rest);
    assert_int_equal(step(r), NB__REPLAY_ENDED);
}

static void after_a_seek_a_gap_is_one_all_the_same(void **state)
{
    rig *r = *state;
    tape *t = &r->tape;
    tape_start(t);
    tape_connect(t, 1);
    tape_frame(t, 1, "0|T|001|a");
    t->now_ns += 10 * S;
    tape_frame(t, 1, "0|T|001|b");
    tape_gap(t, 1, "lost", false);
    t->now_ns += 10 * S;
    tape_connect(t, 1);
    tape_frame(t, 1, "0|T|001|c");
    tape_connect(t, 1); /* its gap was not recorded */
    tape_frame(t, 1, "0|T|001|d");
    tape_end(t);
    open_at(r, &(nb__replay_config){.from = "18:00:05", .speed = INFINITY});
    gives(r, "0|T|001|b");
    gives_kind(r, NB__REPLAY_DOWN);
    gives_kind(r, NB__REPLAY_UP);
    gives(r, "0|T|001|c");
    gives_kind(r, NB__REPLAY_DOWN);
    gives_kind(r, NB__REPLAY_UP);
    gives(r, "0|T|001|d");
}

static void holes_are_told(void **state)
{
    rig *r = *state;
    tape *t = &r->tape;
    nb__text text = {0};
    nb__journal_disk disk = {.reason = "no space left", .lost_lines = 7};
    tape_start(t);
    tape_connect(t, 1);
    tape_frame(t, 1, "0|T|001|a");
    nb__journal_disk_print(&disk, &text);
    tape_text(t, 0, NB__JOURNAL_DISK, &text);
    tape_frame(t, 1, "0|T|001|b");
    tape_end(t);
    open_at(r, &(nb__replay_config){.speed = INFINITY});
    gives_kind(r, NB__REPLAY_UP);
    gives(r, "0|T|001|a");
    gives_kind(r, NB__REPLAY_HOLE);
    assert_string_equal(r->item.reason, "not recorded: no space left");
    gives(r, "0|T|001|b");
}

static void damage_is_passed_over_and_told(void **state)
{
    rig *r = *state;
    tape *t = &r->tape;
    char path[160], bytes[4096];
    tape_start(t);
    tape_connect(t, 1);
    tape_frame(t, 1, "0|T|001|a");
    nb__journal_writer_sum(t->writer, t->now_ns);
    tape_frame(t, 1, "0|T|001|bbbbbbbb");
    nb__journal_writer_sum(t->writer, t->now_ns);
    tape_frame(t, 1, "0|T|001|c");
    tape_end(t);
    snprintf(path, sizeof path, "%s/20261123-000001.log", t->night);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes - 1, file);
    bytes[size] = '\0';
    char *b = strstr(bytes, "bbbbbbbb");
    assert_non_null(b);
    assert_int_equal(fseek(file, b - bytes, SEEK_SET), 0);
    assert_int_equal(fputc('X', file), 'X');
    fclose(file);
    open_at(r, &(nb__replay_config){.speed = INFINITY});
    gives_kind(r, NB__REPLAY_UP);
    gives(r, "0|T|001|a");
    gives_kind(r, NB__REPLAY_HOLE);
    assert_non_null(strstr(r->item.reason, "damaged"));
    gives(r, "0|T|001|c");
    assert_true(view(r).damages >= 1);
}

/* Four frames, a minute apart, the third of them with a flipped byte. */
static void record_damaged(rig *r)
{
    tape *t = &r->tape;
    char path[160], bytes[4096];
    tape_start(t);
    tape_connect(t, 1);
    for (int i = 0; i < 4; i++) {
        char text[24];
        snprintf(text, sizeof text, "0|T|001|frame%d", i);
        t->now_ns = at(20261120, 180000) + i * 60 * S;
        tape_frame(t, 1, text);
        nb__journal_writer_sum(t->writer, t->now_ns);
    }
    tape_end(t);
    snprintf(path, sizeof path, "%s/20261123-000001.log", t->night);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes - 1, file);
    bytes[size] = '\0';
    char *at_frame = strstr(bytes, "frame2");
    assert_non_null(at_frame);
    assert_int_equal(fseek(file, at_frame - bytes, SEEK_SET), 0);
    assert_int_equal(fputc('X', file), 'X');
    fclose(file);
}

/* What stands there first is damage, and was a place far behind before. */
static void a_seek_to_damage_waits_for_nothing_of_before(void **state)
{
    rig *r = *state;
    record_damaged(r);
    open_at(r, &(nb__replay_config){.speed = INFINITY});
    while (step(r) != NB__REPLAY_ENDED)
        continue;
    nb__replay_set_speed(r->replay, 1, r->now_ns);
    assert_int_equal(nb__replay_seek(r->replay, at(20261120, 180150), r->now_ns, NULL), NB_OK);
    gives_kind(r, NB__REPLAY_HOLE);
    assert_true(r->item.recv_ns >= at(20261120, 180000));
    assert_true(r->item.recv_ns <= at(20261120, 180300));
    assert_int_equal(step(r), NB__REPLAY_WAIT);
    assert_true(r->due_ns <= r->now_ns + 70 * S);
    r->now_ns = r->due_ns;
    gives(r, "0|T|001|frame3");
}

static void a_loop_goes_on_after_a_seek_behind_its_last_frame(void **state)
{
    rig *r = *state;
    tape *t = &r->tape;
    tape_start(t);
    tape_connect(t, 1);
    tape_frame(t, 1, "0|T|001|f0");
    t->now_ns = at(20261120, 180030);
    tape_line(t, 1, NB__JOURNAL_PINGPONG, "{}");
    tape_end(t);
    open_at(r, &(nb__replay_config){.speed = INFINITY, .is_loop = true});
    gives_kind(r, NB__REPLAY_UP);
    gives(r, "0|T|001|f0");
    assert_int_equal(nb__replay_seek(r->replay, at(20261120, 180020), r->now_ns, NULL), NB_OK);
    gives_kind(r, NB__REPLAY_BEGIN);
    gives_kind(r, NB__REPLAY_UP);
    gives(r, "0|T|001|f0");
}

static void a_key_that_was_given_back(void **state)
{
    rig *r = *state;
    tape *t = &r->tape;
    nb__text text = {0};
    nb__journal_answer answer = {.tr_id = "H0EUASP0",
                                 .tr_key = "B01612A45",
                                 .rt_cd = "0",
                                 .msg_cd = "OPSP0000",
                                 .msg1 = "SUBSCRIBE SUCCESS"};
    tape_start(t);
    tape_connect(t, 1);
    nb__journal_answer_print(&answer, &text);
    tape_text(t, 1, NB__JOURNAL_ANSWER, &text);
    tape_frame(t, 1, "0|T|001|a");
    snprintf(answer.msg_cd, sizeof answer.msg_cd, "OPSP0001");
    nb__journal_answer_print(&answer, &text);
    tape_text(t, 1, NB__JOURNAL_ANSWER, &text);
    tape_line(t, 1, NB__JOURNAL_PINGPONG, "{}");
    tape_end(t);
    open_at(r, &(nb__replay_config){.speed = INFINITY});
    gives_kind(r, NB__REPLAY_UP);
    gives(r, "0|T|001|a");
    gives_kind(r, NB__REPLAY_END_OF_KEY);
    assert_string_equal(r->item.tr_key, "B01612A45");
    assert_int_equal(step(r), NB__REPLAY_ENDED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(times_are_kept_and_it_begins_with_the_first_frame),
        TEST(a_speed_and_max),
        TEST(from_and_to_are_times_of_the_night),
        TEST(words_for_what_is_not_there),
        TEST(several_nights_are_one_too_many),
        TEST(steps_of_the_recorders_clock_take_no_time),
        TEST(the_clock_of_a_simulated_night),
        TEST(seek_goes_both_ways),
        TEST(a_loop_begins_anew),
        TEST(a_loop_without_a_frame_ends),
        TEST(step_by_step),
        TEST(held_time_stands),
        TEST(gaps_and_links_of_a_run_that_ended_without_a_word),
        TEST(after_a_seek_a_gap_is_one_all_the_same),
        TEST(holes_are_told),
        TEST(damage_is_passed_over_and_told),
        TEST(a_seek_to_damage_waits_for_nothing_of_before),
        TEST(a_loop_goes_on_after_a_seek_behind_its_last_frame),
        TEST(a_key_that_was_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
