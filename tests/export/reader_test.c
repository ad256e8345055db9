/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a recording: flags as live over gaps, runs and keys given back; times, choices, damage.
 */
#include "export_rig.h"

static nb__session_clock live(void)
{
    nb__session_clock clock = nb__session_clock_live();
    clock.kind = NB__FEED_LIVE;
    return clock;
}

static int64_t at_s(int seconds)
{
    return RIG_BEGIN_NS + seconds * NB__NS_PER_S;
}

static void begin(rig *r)
{
    rig_open(r, NB__FEED_LIVE);
    rig_begin(r, RIG_BEGIN_NS);
    rig_connect(r, RIG_BEGIN_NS, 1, live(), false);
    rig_connect(r, RIG_BEGIN_NS, 2, live(), false);
}

static void do_export(const nb__export_how *how, nb__export_counters *counters)
{
    nb_error error = {0};
    if (nb__export(how, counters, &error) != NB_OK)
        fail_msg("%s", error.detail);
    assert_true(probe.is_closed && !probe.is_dropped);
}

static void the_book_sees_what_it_saw_live(void **state)
{
    (void)state;
    rig r;
    char out[128];
    nb__export_counters counters;
    begin(&r);
    book_frame(&r, at_s(1), 1, "B01612745", "180001", 300, 10, 0);
    book_frame(&r, at_s(2), 1, "B01612745", "180002", 300, 14, 4);
    book_frame(&r, at_s(3), 1, "B01612745", "180003", 300, 20, 5); /* +6: a frame was missed */
    book_frame(&r, at_s(4), 1, "B01612745", "180001", 300, 20, 0); /* time went back */
    book_frame(&r, at_s(5), 2, "C01612745", "180005", 300, 20, 0);
    raw_mark(&r, at_s(6), 1, NB__JOURNAL_GAP, "{\"reason\":\"cut\",\"is_rest\":false}");
    book_frame(&r, at_s(7), 1, "B01612745", "180007", 300, 99, 0); /* over the gap: says nothing */
    book_frame(&r, at_s(8), 2, "C01612745", "180008", 300, 99, 0); /* another link: a change */
    raw_mark(&r, at_s(9), 2, NB__JOURNAL_ANSWER,
             "{\"tr_id\":\"H0EUASP0\",\"tr_key\":\"C01612745\",\"rt_cd\":\"0\",\"msg_cd\":"
             "\"OPSP0001\",\"msg1\":\"UNSUBSCRIBE SUCCESS\"}");
    book_frame(&r, at_s(10), 2, "C01612745", "180010", 300, 5, 0);
    end_segment(&r, at_s(11));
    nb__export_how how = probe_how(&r, out);
    do_export(&how, &counters);
    static const uint32_t flags[] = {0, 0, NB_BOOK_CHANGE, NB_BOOK_BACKWARD,
                                     0, 0, NB_BOOK_CHANGE, 0};
    static const bool resumed[] = {true, false, false, false, true, true, false, true};
    assert_int_equal(probe.count, NB__COUNT_OF(flags));
    for (size_t i = 0; i < probe.count; i++) {
        assert_int_equal(probe.rows[i].flags, flags[i]);
        assert_int_equal(probe.rows[i].is_resumed, resumed[i]);
        assert_int_equal(probe.rows[i].frame_number, i + 1);
        assert_int_equal(probe.rows[i].trade_date, 20261123);
        assert_true(probe.rows[i].has_quote && !probe.rows[i].has_row);
    }
    assert_int_equal(probe.rows[0].event_ns, at_s(1));
    assert_int_equal(probe.rows[4].link, 2);
    assert_int_equal(probe.rows[4].code_index, 1);
    rig_close(&r);
}

/* A recorder that began anew had no books. */
static void another_run_has_books_of_its_own(void **state)
{
    (void)state;
    rig r;
    char out[128];
    nb__export_counters counters;
    begin(&r);
    book_frame(&r, at_s(1), 1, "B01612745", "180005", 300, 10, 0);
    raw_mark(
        &r, at_s(2), 0, NB__JOURNAL_START,
        "{\"format\":1,\"version\":\"0.1.0\",\"host\":\"desk\",\"feed\":\"live\",\"night\":"
        "20261123,\"segment\":\"20261123-000002\",\"run\":\"00000000000000ff\",\"after\":null}");
    rig_connect(&r, at_s(2), 1, live(), false);
    book_frame(&r, at_s(3), 1, "B01612745", "180003", 300, 99, 0);
    end_segment(&r, at_s(4));
    nb__export_how how = probe_how(&r, out);
    do_export(&how, &counters);
    assert_int_equal(probe.count, 2);
    assert_int_equal(probe.rows[1].flags, 0);
    assert_true(probe.rows[1].is_resumed);
    rig_close(&r);
}

static void what_is_no_book_is_given_or_counted(void **state)
{
    (void)state;
    rig r;
    char out[128];
    nb__export_counters counters;
    notes told = {0};
    begin(&r);
    raw_frame(&r, at_s(1), 1, "0|H0XXXXX0|002|A1^1^2^A2^3^4");
    raw_frame(&r, at_s(2), 1, "1|H0EUCNI0|001|c2VjcmV0");
    raw_frame(&r, at_s(3), 1, "0|H0EUASP0|001|B01612745^180003");
    raw_frame(&r, at_s(4), 1, "nothing of the kind");
    book_frame(&r, at_s(5), 1, "B01612745", "120000", 300, 10, 0);
    end_segment(&r, at_s(6));
    nb__export_how how = probe_how(&r, out);
    how.note = take_note;
    how.self = &told;
    do_export(&how, &counters);
    assert_int_equal(probe.count, 3);
    assert_string_equal(probe.rows[1].key, "A2");
    assert_int_equal(probe.rows[1].record_index, 1);
    assert_true(probe.rows[1].has_row && !probe.rows[1].has_quote);
    assert_int_equal(probe.rows[1].event_ns, NB_TIME_UNDEF);
    assert_int_equal(probe.rows[2].flags, NB_BOOK_FAR_TIME);
    assert_int_equal(counters.frames, 5);
    assert_int_equal(counters.unknown_tr, 2);
    assert_int_equal(counters.encrypted, 1);
    assert_int_equal(counters.bad_frames, 2);
    assert_int_equal(counters.far_times, 1);
    assert_int_equal(told.count, 2);
    assert_non_null(strstr(told.words[0], "20261123-000001: byte "));

    how = probe_how(&r, out);
    probe_format.is_books_only = true;
    do_export(&how, &counters);
    assert_int_equal(probe.count, 1);
    assert_int_equal(counters.left_out, 2);
    rig_close(&r);
}

static void codes_trs_and_times_choose(void **state)
{
    (void)state;
    rig r;
    char out[128];
    nb__export_counters counters;
    notes told = {0};
    begin(&r);
    for (int i = 0; i < 60; i++)
        book_frame(&r, at_s(60 * i), 1, i % 2 == 0 ? "B01612745" : "C01612745", "180000", 300, 9,
                   0);
    raw_frame(&r, at_s(3600), 1, "0|H0XXXXX0|001|B01612745^1");
    end_segment(&r, at_s(3601));
    nb__export_how how = probe_how(&r, out);
    how.codes = nb__span(" C01612745 ,X");
    how.from = nb__span("18:10");
    how.until = nb__span("18:20");
    how.note = take_note;
    how.self = &told;
    do_export(&how, &counters);
    assert_int_equal(probe.count, 5);
    assert_int_equal(probe.rows[0].recv_ns, at_s(660));
    assert_int_equal(probe.rows[4].recv_ns, at_s(1140));
    assert_int_equal(probe.rows[0].frame_number, 2); /* of those between the times */
    assert_int_equal(told.count, 1);
    assert_string_equal(told.words[0], "X: no record of it in what was read");

    how = probe_how(&r, out);
    how.trs = nb__span("H0XXXXX0");
    do_export(&how, &counters);
    assert_int_equal(probe.count, 1);
    rig_close(&r);
}

static void what_was_asked_for_must_be_sound(void **state)
{
    (void)state;
    static const struct {
        const char *codes, *trs, *from, *until;
        nb_err code;
    } rows[] = {{"A,", "", "", "", NB_OK}, /* a comma at the end ends the list */
                {",A", "", "", "", NB_E_ARGUMENT},
                {"A^B", "", "", "", NB_E_ARGUMENT},
                {"ABCDEFGHIJKLM", "", "", "", NB_E_ARGUMENT},
                {"", "H0EUASP0,,X", "", "", NB_E_ARGUMENT},
                {"", "ABCDEFGHIJKLMNOP", "", "", NB_E_ARGUMENT},
                {"", "", "25:00", "", NB_E_ARGUMENT},
                {"", "", "", "x", NB_E_ARGUMENT},
                {"", "", "23:00", "23:00", NB_E_ARGUMENT},
                {"", "", "23:00", "01:00", NB_OK}};
    rig r;
    char out[128];
    begin(&r);
    book_frame(&r, at_s(1), 1, "B01612745", "180001", 300, 10, 0);
    end_segment(&r, at_s(2));
    for (size_t i = 0; i < NB__COUNT_OF(rows); i++) {
        nb__export_reader *reader = NULL;
        nb_error error = {0};
        nb__export_how how = probe_how(&r, out);
        how.codes = nb__span(rows[i].codes);
        how.trs = nb__span(rows[i].trs);
        how.from = nb__span(rows[i].from);
        how.until = nb__span(rows[i].until);
        assert_int_equal(nb__export_reader_open(&how, &reader, &error), rows[i].code);
        nb__export_reader_close(reader);
    }
    rig_close(&r);
}

/* ---- two readings ---- */

static void grow(void *self)
{
    rig *r = self;
    char path[160];
    rig_path(r, 1, "", path);
    rig_begin(r, at_s(50)); /* whole lines of the same link, as a recorder goes on */
    nb__text_clear(&r->plain);
    nb__journal_writer_took(r->writer);
    book_frame(r, at_s(60), 1, "NEWCODE", "180100", 300, 1, 0);
    rig_take(r);
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    fwrite(r->plain.data, 1, r->plain.size_bytes, file);
    fclose(file);
}

static void a_recording_may_grow_between_two_readings(void **state)
{
    (void)state;
    rig r;
    char out[128];
    nb__export_counters counters;
    begin(&r);
    for (int i = 0; i < 20; i++)
        book_frame(&r, at_s(i), 1, "B01612745", "180000", 300, 1, 0);
    rig_sum(&r, at_s(20));
    rig_take(&r);
    rig_write_plain(&r, 1, nb__text_view(&r.plain));
    nb__export_how how = probe_how(&r, out);
    probe_format.needs_survey = probe_format.needs_values = true;
    probe.at_open = grow;
    probe.self = &r;
    do_export(&how, &counters);
    assert_int_equal(probe.survey_frames, 20);
    assert_int_equal(probe.count, 20);
    how = probe_how(&r, out);
    do_export(&how, &counters);
    assert_int_equal(probe.count, 21); /* it was there */
    rig_close(&r);
}

static void the_survey_knows_every_code(void **state)
{
    (void)state;
    rig r;
    char out[128], code[16];
    nb__export_counters counters;
    begin(&r);
    for (int i = 0; i < 1300; i++) {
        snprintf(code, sizeof code, "B%08d", i % 650);
        book_frame(&r, at_s(i), 1, code, "180000", 300, 1, 0);
    }
    end_segment(&r, at_s(1300));
    nb__export_how how = probe_how(&r, out);
    probe_format.needs_survey = true;
    do_export(&how, &counters);
    assert_int_equal(probe.survey_codes, 650);
    for (size_t i = 0; i < probe.count; i++)
        assert_int_equal(probe.rows[i].code_index, i % 650);
    rig_close(&r);
}

static void packed_and_plain_give_the_same_rows(void **state)
{
    (void)state;
    rig r;
    char out[128];
    nb__export_counters counters;
    static seen plain[ROWS_MAX];
    begin(&r);
    for (int i = 0; i < 300; i++) {
        book_frame(&r, at_s(i), 1 + (uint32_t)i % 2, i % 2 == 0 ? "B01612745" : "C01612745",
                   "180000", 300 + i, 9 + i / 3, i % 4);
        if (i == 150)
            raw_mark(&r, at_s(i), 1, NB__JOURNAL_GAP, "{\"reason\":\"cut\",\"is_rest\":false}");
    }
    end_segment(&r, at_s(300));
    nb__export_how how = probe_how(&r, out);
    do_export(&how, &counters);
    size_t count = probe.count;
    memcpy(plain, probe.rows, sizeof plain);
    rig_write_packed(&r, 1, nb__text_view(&r.plain), 4096);
    rig_drop(&r, 1, "");
    how = probe_how(&r, out);
    do_export(&how, &counters);
    assert_int_equal(probe.count, count);
    assert_memory_equal(probe.rows, plain, count * sizeof *plain);
    rig_close(&r);
}

/* ---- ends before the end ---- */

static void a_format_that_fails_leaves_nothing(void **state)
{
    (void)state;
    rig r;
    char out[128];
    nb__export_counters counters;
    begin(&r);
    for (int i = 0; i < 20; i++)
        book_frame(&r, at_s(i), 1, "B01612745", "180000", 300, 1, 0);
    end_segment(&r, at_s(20));
    for (int survey = 0; survey < 2; survey++) {
        nb_error error = {0};
        nb__export_how how = probe_how(&r, out);
        probe_format.needs_survey = survey == 1;
        probe.fails_with = NB_E_RANGE;
        probe.fails_at = 7;
        assert_int_equal(nb__export(&how, &counters, &error), NB_E_RANGE);
        assert_string_equal(error.detail, "as told");
        assert_true(probe.is_dropped && !probe.is_closed);
        assert_no_file(&r, "out");
    }
    rig_close(&r);
}

static volatile bool stop_now;

static void stop_at_once(void *self)
{
    (void)self;
    stop_now = true;
}

static void a_stop_leaves_nothing(void **state)
{
    (void)state;
    rig r;
    char out[128];
    nb_error error = {0};
    nb__export_counters counters;
    begin(&r);
    book_frame(&r, at_s(1), 1, "B01612745", "180000", 300, 1, 0);
    end_segment(&r, at_s(2));
    nb__export_how how = probe_how(&r, out);
    how.stop = &stop_now;
    probe.at_open = stop_at_once;
    assert_int_equal(nb__export(&how, &counters, &error), NB_E_CLOSED);
    assert_true(probe.is_dropped && !probe.is_closed && probe.count == 0);
    assert_no_file(&r, "out");
    rig_close(&r);
}

static void nothing_asked_for_is_no_file(void **state)
{
    (void)state;
    rig r;
    char out[128];
    nb_error error = {0};
    nb__export_counters counters;
    begin(&r);
    raw_frame(&r, at_s(1), 1, "0|H0XXXXX0|001|A1^1");
    end_segment(&r, at_s(2));
    for (int survey = 0; survey < 2; survey++) {
        nb__export_how how = probe_how(&r, out);
        probe_format.needs_survey = survey == 1;
        probe_format.is_books_only = true;
        assert_int_equal(nb__export(&how, &counters, &error), NB_E_NOT_FOUND);
        assert_false(probe.is_closed);
        assert_no_file(&r, "out");
    }
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_book_sees_what_it_saw_live),
        cmocka_unit_test(another_run_has_books_of_its_own),
        cmocka_unit_test(what_is_no_book_is_given_or_counted),
        cmocka_unit_test(codes_trs_and_times_choose),
        cmocka_unit_test(what_was_asked_for_must_be_sound),
        cmocka_unit_test(a_recording_may_grow_between_two_readings),
        cmocka_unit_test(the_survey_knows_every_code),
        cmocka_unit_test(packed_and_plain_give_the_same_rows),
        cmocka_unit_test(a_format_that_fails_leaves_nothing),
        cmocka_unit_test(a_stop_leaves_nothing),
        cmocka_unit_test(nothing_asked_for_is_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
