/* SPDX-License-Identifier: Apache-2.0 */
/* The plant's journal: what of a feed is recorded, in which form, before any sink; what never is;
 * what is told of trouble; and how long a frame is with us. */
#include "allocations.h"
#include "rig.h"
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRAME "0|H0EUASP0|001|B01612A45^" BOOK
#define LINES_MAX 64

typedef struct recorded {
    nb__text text;
    nb__journal_line lines[LINES_MAX];
    size_t count;
} recorded;

static nb__recorder_config recorder;
static char journal[200];

static int open_recorded(void **state)
{
    if (open_rig(state) != 0)
        return -1;
    rig *r = *state;
    snprintf(journal, sizeof journal, "%s/journal", r->directory);
    recorder = nb__recorder_config_default();
    recorder.directory = journal;
    recorder.is_asked_for = true;
    recorder.pack_level = 0;
    recorder.calendar = r->config.calendar;
    r->config.recorder = &recorder;
    r->config.recorder_kind = NB__FEED_OTHER;
    r->config.plan.nearest_max = 0;
    r->has_masters = false;
    return 0;
}

/* ---- reading it back ---- */

static bool find_first(const char *directory, const char *ending, char out[512])
{
    DIR *open = opendir(directory);
    bool is_found = false;
    for (const struct dirent *entry; open != NULL && (entry = readdir(open)) != NULL;) {
        size_t size = strlen(entry->d_name), tail = strlen(ending);
        if (entry->d_name[0] == '.' || size < tail ||
            strcmp(entry->d_name + size - tail, ending) != 0)
            continue;
        is_found = true;
        snprintf(out, 512, "%s/%s", directory, entry->d_name);
        struct stat about;
        if (ending[0] == '\0' && stat(out, &about) == 0 && !S_ISDIR(about.st_mode))
            is_found = false;
        if (is_found)
            break;
    }
    if (open != NULL)
        closedir(open);
    return is_found;
}

static void read_journal(recorded *out)
{
    char night[512], path[512];
    memset(out, 0, sizeof *out);
    assert_true(find_first(journal, "", night));
    assert_true(find_first(night, ".log", path));
    assert_int_equal(nb__file_read(path, 1 << 20, &out->text, NULL), NB_OK);
    for (char *at = out->text.data; *at != '\0';) {
        char *end = strchr(at, '\n');
        assert_non_null(end);
        assert_true(out->count < LINES_MAX);
        nb_error error = {0};
        if (nb__journal_line_parse((nb_span){at, (size_t)(end - at)}, &out->lines[out->count++],
                                   &error) != NB_OK)
            fail_msg("%s", error.detail);
        at = end + 1;
    }
}

static const nb__journal_line *nth(const recorded *found, nb__journal_kind kind, size_t n)
{
    for (size_t i = 0; i < found->count; i++)
        if (found->lines[i].kind == kind && n-- == 0)
            return &found->lines[i];
    fail_msg("no line of kind %s", nb__journal_kind_name(kind));
    return NULL;
}

static size_t count_of(const recorded *found, nb__journal_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < found->count; i++)
        count += found->lines[i].kind == kind;
    return count;
}

static void message(rig *r, const char *text, size_t size_bytes)
{
    char copy[512];
    assert_true(size_bytes <= sizeof copy);
    memcpy(copy, text, size_bytes);
    nb__plant_on_message(r->plant, 0, copy, size_bytes, nb__clock_real_ns());
}

static void up(rig *r)
{
    start(r);
    UNTIL(r, r->ups == 1);
}

/* ---- what is recorded ---- */

static void frames_are_recorded_as_they_came(void **state)
{
    rig *r = *state;
    recorded found;
    static const char odd[] = "0|XTR|001|a\\b\xff\x01 z^1", headless[] = "no frame \x02 at all";
    up(r);
    say(r, FRAME);
    UNTIL(r, r->frames == 1);
    message(r, odd, sizeof odd - 1);
    message(r, headless, sizeof headless - 1);
    message(r, "0|XTR|001|", 10);
    nb__plant_sync(r->plant); /* and no turn: it is there now */
    read_journal(&found);
    assert_int_equal(found.lines[0].kind, NB__JOURNAL_START);
    const nb__journal_line *connect = nth(&found, NB__JOURNAL_CONNECT, 0);
    assert_true(connect->link >= 1);
    nb__journal_connect mark;
    assert_int_equal(nb__journal_connect_parse(connect->payload, connect->recv_ns, &mark, NULL),
                     NB_OK);
    assert_string_equal(mark.address, r->url);
    assert_int_equal(mark.clock.kind, NB__FEED_SIM); /* as its server states */
    assert_int_equal(count_of(&found, NB__JOURNAL_FRAME), 4);
    const nb__journal_line *first = nth(&found, NB__JOURNAL_FRAME, 0);
    assert_true(nb__span_is(first->payload, FRAME));
    assert_int_equal(first->link, connect->link);
    char raw[sizeof odd * 4];
    nb_span escaped = nth(&found, NB__JOURNAL_FRAME, 1)->payload;
    assert_true(escaped.size_bytes <= sizeof raw);
    assert_int_equal(nb__journal_unescape(escaped, raw), sizeof odd - 1);
    assert_memory_equal(raw, odd, sizeof odd - 1); /* before '?' was put into it */
    nb__text_fini(&found.text);
}

static void answers_and_pingpong_without_secrets(void **state)
{
    rig *r = *state;
    recorded found;
    static const char ping[] =
        "{\"header\":{\"tr_id\":\"PINGPONG\",\"datetime\":\"20261123180000\"}}";
    up(r);
    assert_int_equal(nb__plant_want(r->plant, topic_of(r, "B01612A45")), NB_OK);
    UNTIL(r, r->asked_count == 1);
    say(r, ping);
    static const char unknown[] = "{\"header\":{\"tr_id\":\"ODD\",\"iv\":\"0123456789abcdef\"}}";
    char size[32];
    snprintf(size, sizeof size, "{\"bytes\":%zu}", sizeof unknown - 1);
    say(r, unknown);
    say(r, FRAME);
    UNTIL(r, r->frames == 1);
    nb__plant_sync(r->plant);
    read_journal(&found);
    nb__journal_answer answer;
    assert_int_equal(
        nb__journal_answer_parse(nth(&found, NB__JOURNAL_ANSWER, 0)->payload, &answer, NULL),
        NB_OK);
    assert_string_equal(answer.tr_id, "H0EUASP0");
    assert_string_equal(answer.tr_key, "B01612A45");
    assert_string_equal(answer.rt_cd, "0");
    assert_string_equal(answer.msg_cd, "OPSP0000");
    assert_string_equal(answer.msg1, "SUBSCRIBE SUCCESS");
    assert_true(nb__span_is(nth(&found, NB__JOURNAL_PINGPONG, 0)->payload, ping));
    assert_true(nb__span_is(nth(&found, NB__JOURNAL_OTHER, 0)->payload, size));
    assert_null(strstr(found.text.data, "0123456789abcdef"));
    assert_null(strstr(found.text.data, "key-of-the-test"));
    nb__text_fini(&found.text);
}

static void order_notices_leave_a_mark_and_no_name(void **state)
{
    rig *r = *state;
    recorded found;
    static const char sealed[] = "1|H0EUCNI0|001|c2VjcmV0", clear[] = "0|H0MFCNI0|002|myhtsid^1",
                      torn[] = "1|H0EU secret";
    up(r);
    message(r, sealed, sizeof sealed - 1);
    message(r, clear, sizeof clear - 1);
    message(r, torn, sizeof torn - 1);
    nb__topic topic;
    assert_true(nb__topic_make(NB__SPAN("H0EUCNI0"), NB__SPAN("myhtsid"), &topic));
    assert_int_equal(
        nb__plant_want(r->plant, nb__topics_intern(nb__plant_topics(r->plant), &topic)), NB_OK);
    UNTIL(r, r->asked_count == 1);
    say(r, "0|XTR|001|K^1");
    UNTIL(r, r->frames == 4);
    nb__plant_sync(r->plant);
    read_journal(&found);
    /* clients have them all the same */
    assert_int_equal(count_of(&found, NB__JOURNAL_FRAME), 1);
    assert_int_equal(count_of(&found, NB__JOURNAL_OTHER), 1);
    nb__journal_notice notice;
    assert_int_equal(
        nb__journal_notice_parse(nth(&found, NB__JOURNAL_NOTICE, 1)->payload, &notice, NULL),
        NB_OK);
    assert_string_equal(notice.tr_id, "H0MFCNI0");
    assert_int_equal(notice.count, 2);
    assert_int_equal(notice.size_bytes, sizeof clear - 1);
    nb__journal_answer answer;
    assert_int_equal(
        nb__journal_answer_parse(nth(&found, NB__JOURNAL_ANSWER, 0)->payload, &answer, NULL),
        NB_OK);
    assert_string_equal(answer.tr_key, "***");
    assert_null(strstr(found.text.data, "myhtsid"));
    assert_null(strstr(found.text.data, "c2VjcmV0"));
    assert_null(strstr(found.text.data, "secret"));
    nb__text_fini(&found.text);
}

/* A server that repeats what it was sent, in no form that anyone knows. */
static void what_repeats_a_secret_leaves_its_size(void **state)
{
    rig *r = *state;
    recorded found;
    static const char echo[] = "ERROR approval key planted-approval-key is not valid";
    nb__log_hide("planted-approval-key");
    up(r);
    message(r, echo, sizeof echo - 1);
    say(r, "{\"header\":{\"tr_id\":\"PINGPONG\",\"datetime\":\"planted-approval-key\"}}");
    say(r, "{\"header\":{\"tr_id\":\"H0EUASP0\",\"tr_key\":\"planted-approval-key\"},\"body\":"
           "{\"rt_cd\":\"9\",\"msg_cd\":\"OPSP9999\",\"msg1\":\"no planted-approval-key here\"}}");
    say(r, FRAME);
    UNTIL(r, r->frames == 2);
    nb__plant_sync(r->plant);
    read_journal(&found);
    assert_int_equal(count_of(&found, NB__JOURNAL_OTHER), 2);
    assert_int_equal(count_of(&found, NB__JOURNAL_FRAME), 1);
    assert_int_equal(count_of(&found, NB__JOURNAL_ANSWER), 1);
    assert_null(strstr(found.text.data, "planted"));
    nb__text_fini(&found.text);
}

static void gaps_rests_and_drift(void **state)
{
    rig *r = *state;
    recorded found;
    static const char wide[] = "0|H0EUASP0|001|B01612A45^" BOOK "^9";
    up(r);
    message(r, wide, sizeof wide - 1);
    message(r, wide, sizeof wide - 1);
    nb__peer_abort(r->peer);
    UNTIL(r, r->downs == 1);
    UNTIL(r, r->ups == 2);
    message(r, FRAME, sizeof FRAME - 1);
    stop(r);
    read_journal(&found);
    nb__journal_drift drift;
    nb__journal_gap gap;
    assert_int_equal(count_of(&found, NB__JOURNAL_DRIFT), 1); /* told once a width */
    assert_int_equal(
        nb__journal_drift_parse(nth(&found, NB__JOURNAL_DRIFT, 0)->payload, &drift, NULL), NB_OK);
    assert_int_equal(drift.fields, 39);
    assert_int_equal(drift.documented, 38);
    assert_int_equal(count_of(&found, NB__JOURNAL_CONNECT), 2);
    assert_int_equal(count_of(&found, NB__JOURNAL_GAP), 2);
    assert_int_equal(nb__journal_gap_parse(nth(&found, NB__JOURNAL_GAP, 0)->payload, &gap, NULL),
                     NB_OK);
    assert_false(gap.is_rest);
    assert_non_null(strstr(gap.reason, "link lost"));
    assert_null(strstr(gap.reason, "next try")); /* that is of the moment */
    assert_int_equal(nb__journal_gap_parse(nth(&found, NB__JOURNAL_GAP, 1)->payload, &gap, NULL),
                     NB_OK);
    assert_true(gap.is_rest);
    assert_string_equal(gap.reason, "nightbook ends");
    /* another link another number */
    assert_int_not_equal(nth(&found, NB__JOURNAL_FRAME, 2)->link,
                         nth(&found, NB__JOURNAL_FRAME, 0)->link);
    nth(&found, NB__JOURNAL_STOP, 0);
    nb__text_fini(&found.text);
}

/* ---- before any sink ---- */

/* A sink that lets a frame out at once. */
static void sink_that_sends(void *self, const nb__plant_frame *frame)
{
    rig *r = self;
    recorded found;
    nb__plant_sync(r->plant);
    read_journal(&found);
    const nb__journal_line *last = nth(&found, NB__JOURNAL_FRAME, (size_t)r->frames);
    assert_true(nb__span_equal(last->payload, frame->bytes));
    nb__text_fini(&found.text);
    r->frames++;
}

static void sink_that_is_quiet(void *self, const nb__mark *mark)
{
    (void)self;
    (void)mark;
}

static void sink_without_registrations(void *self, uint32_t topic)
{
    (void)self;
    (void)topic;
}

static void a_frame_is_on_disk_before_a_sink_sends_it(void **state)
{
    rig *r = *state;
    assert_int_equal(nb__plant_open(r->loop, &r->config, &r->plant, NULL), NB_OK);
    const nb__sink sink = {r, sink_that_sends, sink_that_is_quiet, sink_without_registrations};
    nb__plant_add_sink(r->plant, &sink);
    UNTIL(r, nb__plant_is_up(r->plant));
    for (int i = 0; i < 5; i++)
        message(r, FRAME, sizeof FRAME - 1);
    assert_int_equal(r->frames, 5);
}

static void a_turn_ends_with_all_of_it_on_disk(void **state)
{
    rig *r = *state;
    recorded found;
    up(r);
    say(r, FRAME);
    UNTIL(r, r->frames == 1);
    read_journal(&found);
    assert_int_equal(count_of(&found, NB__JOURNAL_FRAME), 1);
    nb__text_fini(&found.text);
}

static void no_allocation_a_recorded_frame(void **state)
{
    rig *r = *state;
    char copy[] = FRAME;
    up(r);
    for (int i = 0; i < 100; i++)
        nb__plant_on_message(r->plant, 0, copy, sizeof copy - 1, nb__clock_real_ns());
    nb__plant_sync(r->plant);
    uint64_t before = allocations;
    for (int i = 0; i < 1000; i++) {
        nb__plant_on_message(r->plant, 0, copy, sizeof copy - 1, nb__clock_real_ns());
        nb__plant_sync(r->plant);
    }
    assert_int_equal(allocations - before, 0);
}

/* ---- refusals and trouble ---- */

static void two_recorders_on_one_directory(void **state)
{
    rig *r = *state;
    nb__plant *second = NULL;
    nb_error error = {0};
    up(r);
    assert_int_equal(nb__plant_open(r->loop, &r->config, &second, &error), NB_E_BUSY);
    assert_null(second);
    assert_non_null(strstr(error.detail, journal));
}

/* Root may write anywhere, but not below a file. */
static void what_cannot_be_written_is_told_and_resumes(void **state)
{
    rig *r = *state;
    nb__recorder_view view;
    recorded found;
    char blocker[160], below[200];
    snprintf(blocker, sizeof blocker, "%s/blocked", r->directory);
    snprintf(below, sizeof below, "%s/journal", blocker);
    assert_int_equal(nb__file_write(blocker, NB__SPAN("x"), 0600, NULL), NB_OK);
    recorder.directory = below;
    up(r); /* it serves all the same */
    say(r, FRAME);
    UNTIL(r, r->frames == 1);
    UNTIL(r, notices_of(r, NB__NOTICE_NOT_RECORDING) == 1);
    assert_true(nb__plant_recording(r->plant, &view));
    assert_string_equal(view.state, "NOT RECORDING");
    assert_string_not_equal(view.reason, "");
    assert_int_equal(unlink(blocker), 0);
    UNTIL_WITHIN(r, 10, notices_of(r, NB__NOTICE_RECORDING) == 1);
    say(r, FRAME);
    UNTIL(r, r->frames == 2);
    stop(r);
    snprintf(journal, sizeof journal, "%s", below);
    read_journal(&found);
    assert_int_equal(count_of(&found, NB__JOURNAL_FRAME), 1);
    nb__journal_disk disk;
    assert_int_equal(nb__journal_disk_parse(nth(&found, NB__JOURNAL_DISK, 0)->payload, &disk, NULL),
                     NB_OK);
    assert_true(disk.lost_lines >= 1);
    nb__text_fini(&found.text);
}

static void nothing_is_recorded_unless_asked(void **state)
{
    rig *r = *state;
    nb__recorder_view view;
    r->config.recorder = NULL;
    up(r);
    say(r, FRAME);
    UNTIL(r, r->frames == 1);
    assert_false(nb__plant_recording(r->plant, &view));
    assert_int_not_equal(access(journal, F_OK), 0);
}

/* ---- latency ---- */

static void slow_sink_flushes(nb__hook *hook)
{
    (void)hook;
    usleep(20000);
}

static void latency_is_measured_behind_the_sinks(void **state)
{
    rig *r = *state;
    static nb__hook slow = {.turn_end = slow_sink_flushes};
    assert_int_equal(nb__plant_open(r->loop, &r->config, &r->plant, NULL), NB_OK);
    nb__hook_add(r->loop, &slow); /* as a sink does: before it is added */
    nb__plant_add_sink(r->plant, &(nb__sink){r, sink_frame, sink_mark, sink_registration});
    UNTIL(r, r->ups == 1);
    assert_int_equal(nb__plant_latency(r->plant)->count, 0);
    for (int i = 1; i <= 3; i++) {
        say(r, FRAME);
        say(r, FRAME);
        UNTIL(r, r->frames == 2 * i);
    }
    const nb__hist *hist = nb__plant_latency(r->plant);
    assert_int_equal(hist->count, 6);
    assert_true(nb__hist_quantile(hist, 1) >= 20 * NB__NS_PER_MS);
    assert_true(hist->max < 5 * NB__NS_PER_S);
    /* a time of another day counts from the turn's begin, never more */
    char copy[] = FRAME;
    nb__plant_on_message(r->plant, 0, copy, sizeof copy - 1, NB__NS_PER_DAY);
    nb__loop_turn(r->loop, 0);
    assert_int_equal(hist->count, 7);
    assert_true(hist->max < 5 * NB__NS_PER_S);
    nb__hook_remove(r->loop, &slow);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_recorded, close_rig)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(frames_are_recorded_as_they_came),
        T(answers_and_pingpong_without_secrets),
        T(order_notices_leave_a_mark_and_no_name),
        T(what_repeats_a_secret_leaves_its_size),
        T(gaps_rests_and_drift),
        T(a_frame_is_on_disk_before_a_sink_sends_it),
        T(a_turn_ends_with_all_of_it_on_disk),
        T(no_allocation_a_recorded_frame),
        T(two_recorders_on_one_directory),
        T(what_cannot_be_written_is_told_and_resumes),
        T(nothing_is_recorded_unless_asked),
        T(latency_is_measured_behind_the_sinks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
