/* SPDX-License-Identifier: Apache-2.0 */
/* The evidence of a night and its file: what is written, when, and what becomes of an older one. */
#include "plant/inside.h"
#include "rig.h"

static int open_evidence(void **state)
{
    static char directory[160];
    if (open_rig(state) != 0)
        return -1;
    rig *r = *state;
    snprintf(directory, sizeof directory, "%s/evidence", r->directory);
    r->config.evidence_directory = directory;
    return 0;
}

/* @return whether the file is there; what it holds in `out`. */
static bool read_evidence(const rig *r, const char *name, nb__text *out)
{
    char path[160];
    snprintf(path, sizeof path, "%s/evidence/%s", r->directory, name);
    nb__text_clear(out);
    return nb__file_read(path, 1u << 20, out, NULL) == NB_OK;
}

static void one_frame(rig *r)
{
    int frames = r->frames;
    UNTIL(r, r->asked_count >= 3);
    say(r, "0|H0EUASP0|001|B01612902^" BOOK);
    UNTIL(r, r->frames == frames + 1);
}

static void due(rig *r)
{
    nb__timer_set(r->loop, &r->plant->keeper.timer, nb__clock_mono_ns());
    for (int i = 0; i < 3; i++)
        nb__loop_turn(r->loop, 1);
}

static void a_night_is_written_each_minute_and_kept_over_restarts(void **state)
{
    rig *r = *state;
    nb__text text = {0};
    start(r);
    one_frame(r);
    assert_false(read_evidence(r, "evidence-20261123.json", &text));
    due(r);
    assert_true(read_evidence(r, "evidence-20261123.json", &text));
    assert_non_null(strstr(text.data, "H0EUASP0"));
    assert_non_null(strstr(text.data, "OPSP0000"));
    assert_null(strstr(text.data, "key-of-the-test"));
    assert_null(strstr(text.data, "0123456789abcdef")); /* iv and key of its answers */
    stop(r);
    for (int run = 2; run < 4; run++) { /* the same night goes on, in other processes */
        char older[40];
        r->asked_count = 0;
        start(r);
        one_frame(r);
        stop(r);
        snprintf(older, sizeof older, "evidence-20261123.%d.json", run);
        assert_true(read_evidence(r, older, &text));
        assert_true(read_evidence(r, "evidence-20261123.json", &text));
    }
    nb__text_fini(&text);
}

static void a_run_that_saw_nothing_writes_nothing(void **state)
{
    rig *r = *state;
    nb__text text = {0};
    r->has_masters = false;
    start(r);
    UNTIL(r, r->ups == 1);
    stop(r);
    assert_false(read_evidence(r, "evidence-20261123.json", &text));
    nb__text_fini(&text);
}

static void the_nights_end_is_reported_once_and_a_new_date_begins(void **state)
{
    rig *r = *state;
    nb__text text = {0};
    start(r);
    one_frame(r);
    due(r);
    assert_int_equal(notices_of(r, NB__NOTICE_REPORT), 0);
    r->plant->clock.at_session_ns += 12 * 3600 * NB__NS_PER_S; /* 06:00 */
    due(r);
    assert_int_equal(notices_of(r, NB__NOTICE_REPORT), 0); /* late frames are of interest */
    r->plant->clock.at_session_ns += 11 * 60 * NB__NS_PER_S;
    due(r);
    due(r);
    assert_int_equal(notices_of(r, NB__NOTICE_REPORT), 1);
    assert_non_null(strstr(r->notices[r->notice_count - 1].detail, "evidence-20261123.json"));
    r->plant->feeds[0].clock.at_session_ns = nb__kst_ns(20261123, 180000);
    one_frame(r);
    due(r);
    assert_true(read_evidence(r, "evidence-20261124.json", &text));
    assert_int_equal(nb__evidence_trade_date(nb__plant_evidence(r->plant)), 20261124);
    nb__text_fini(&text);
}

/* The links come up at 17:45; what is said then belongs to the night to come. */
static void what_is_said_before_the_night_is_the_nights(void **state)
{
    rig *r = *state;
    r->hhmmss = 174500;
    start(r);
    UNTIL(r, r->asked_count == 3);
    assert_int_equal(nb__evidence_trade_date(nb__plant_evidence(r->plant)), 20261123);
}

static void a_width_is_told_once(void **state)
{
    rig *r = *state;
    start(r);
    UNTIL(r, r->asked_count == 3);
    for (int i = 0; i < 3; i++)
        say(r, "0|H0EUASP0|001|B01612902^" BOOK "^7");
    say(r, "0|H0EUASP0|001|B01612902^" BOOK "^7^8");
    UNTIL(r, r->frames == 4);
    assert_int_equal(notices_of(r, NB__NOTICE_DRIFT), 2);
    assert_non_null(strstr(r->notices[0].detail, "39 fields"));
}

static void a_disk_that_fails_is_told_once(void **state)
{
    rig *r = *state;
    char command[120];
    start(r);
    one_frame(r);
    snprintf(command, sizeof command, "rm -rf '%s/evidence'", r->directory);
    assert_int_equal(system(command), 0);
    due(r);
    due(r);
    assert_int_equal(notices_of(r, NB__NOTICE_DISK), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_evidence, close_rig)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_night_is_written_each_minute_and_kept_over_restarts),
        T(a_run_that_saw_nothing_writes_nothing),
        T(the_nights_end_is_reported_once_and_a_new_date_begins),
        T(what_is_said_before_the_night_is_the_nights),
        T(a_width_is_told_once),
        T(a_disk_that_fails_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
