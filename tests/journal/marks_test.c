/* SPDX-License-Identifier: Apache-2.0 */
/* Marks: the words they are printed in, what comes back, and what is refused. */
#include "base/base.h"
#include "guard.h"
#include "journal/journal.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define AT_NS INT64_C(1795424400123456789) /* 2026-11-23T18:00:00.123456789 KST */

/* `expected` is what was printed; what its line holds parses too: every '\' is \x5c there. */
static nb__text take(nb__text *text, const char *expected)
{
    assert_false(text->is_failed);
    assert_string_equal(text->data, expected);
    nb__text line = {0};
    nb__journal_line_print(&line, 1, 0, NB__JOURNAL_GAP, nb__text_view(text));
    nb__text_clear(text);
    const size_t head = strlen("1 0 gap ");
    nb__text escaped = {0};
    nb__text_append(&escaped, line.data + head, line.size_bytes - head - 1);
    nb__text_fini(&line);
    return escaped;
}

/* Print `mark`, compare, parse both forms at a guard page, compare the structs. */
#define ROUND_TRIP(kind, mark, expected)                                                           \
    do {                                                                                           \
        nb__text printed_ = {0};                                                                   \
        nb__journal_##kind##_print(&(mark), &printed_);                                            \
        nb__text escaped = take(&printed_, (expected));                                            \
        const char *forms[] = {(expected), escaped.data};                                          \
        for (int form = 0; form < 2; form++) {                                                     \
            nb__journal_##kind back_;                                                              \
            memset(&back_, 0x55, sizeof back_);                                                    \
            guard g = guard_copy(forms[form], strlen(forms[form]));                                \
            nb_error error = {0};                                                                  \
            nb_err err =                                                                           \
                nb__journal_##kind##_parse((nb_span){g.data, g.size_bytes}, &back_, &error);       \
            if (err != NB_OK)                                                                      \
                fail_msg("%s: %s", forms[form], error.detail);                                     \
            guard_free(&g);                                                                        \
            nb__journal_##kind##_print(&back_, &printed_);                                         \
            assert_string_equal(printed_.data, (expected));                                        \
            nb__text_clear(&printed_);                                                             \
        }                                                                                          \
        nb__text_fini(&escaped);                                                                   \
        nb__text_fini(&printed_);                                                                  \
    } while (0)

static nb__journal_start a_start(void)
{
    return (nb__journal_start){1,
                               "0.1.0",
                               "desk",
                               NB__FEED_LIVE,
                               20261123,
                               "20261123-000002",
                               "00c0ffee00c0ffee",
                               {"20261123-000001", 123456, UINT64_C(0xfedcba9876543210)}};
}

static void test_start(void **state)
{
    (void)state;
    nb__journal_start start = a_start();
    ROUND_TRIP(start, start,
               "{\"format\":1,\"version\":\"0.1.0\",\"host\":\"desk\",\"feed\":\"live\","
               "\"night\":20261123,\"segment\":\"20261123-000002\",\"run\":\"00c0ffee00c0ffee\","
               "\"after\":{\"segment\":\"20261123-000001\",\"bytes\":123456,"
               "\"xxh3\":\"fedcba9876543210\"}}");
    nb__text text = {0};
    nb__journal_start_print(&start, &text);
    nb__journal_start back;
    assert_int_equal(nb__journal_start_parse(nb__text_view(&text), &back, NULL), NB_OK);
    assert_true(back.format == 1 && back.feed == NB__FEED_LIVE && back.night == 20261123);
    assert_string_equal(back.run, start.run);
    assert_true(back.after.size_bytes == 123456 && back.after.xxh3 == start.after.xxh3);
    nb__text_fini(&text);

    start.after = (nb__journal_after){0};
    start.feed = NB__FEED_OTHER;
    snprintf(start.host, sizeof start.host, "a \"desk\"\n\\");
    ROUND_TRIP(start, start,
               "{\"format\":1,\"version\":\"0.1.0\",\"host\":\"a \\\"desk\\\"\\n\\\\\","
               "\"feed\":\"other\",\"night\":20261123,\"segment\":\"20261123-000002\","
               "\"run\":\"00c0ffee00c0ffee\",\"after\":null}");
}

static void test_a_newer_format(void **state)
{
    (void)state;
    nb__journal_start start = {.night = 5};
    nb_error error = {0};
    nb_span newer = NB__SPAN("{\"format\":2,\"version\":\"3.1.4\",\"weather\":[1,{\"a\":null}]}");
    assert_int_equal(nb__journal_start_parse(newer, &start, &error), NB_E_VERSION);
    assert_int_equal(start.night, 5);
    assert_non_null(strstr(error.detail, "nightbook 3.1.4 wrote it in format 2"));
    assert_non_null(strstr(error.detail, "read it with nightbook 3.1.4 or a later one"));
}

static void test_connect(void **state)
{
    (void)state;
    nb__journal_connect connect = {"main",
                                   "ws://ops.koreainvestment.com:21000",
                                   {NB__FEED_SIM, AT_NS - 1000, INT64_C(5000000000000000123), 10},
                                   true};
    nb__text text = {0};
    nb__journal_connect_print(&connect, AT_NS, &text);
    nb__text escaped =
        take(&text, "{\"feed\":\"main\",\"address\":\"ws://ops.koreainvestment.com:21000\","
                    "\"clock\":\"sim; session=2128-06-11T17:53:20.000010123+09:00; speed=10\","
                    "\"is_continued\":true}");
    nb__journal_connect back;
    assert_int_equal(nb__journal_connect_parse(nb__text_view(&escaped), AT_NS, &back, NULL), NB_OK);
    assert_string_equal(back.feed, "main");
    assert_string_equal(back.address, connect.address);
    assert_true(back.is_continued && back.clock.kind == NB__FEED_SIM);
    assert_true(fabs(back.clock.speed - 10) < 1e-9);
    for (int64_t at = AT_NS - NB__NS_PER_S; at < AT_NS + NB__NS_PER_S;
         at += 99999999) /* to the ns */
        assert_int_equal(nb__session_clock_at(&back.clock, at),
                         nb__session_clock_at(&connect.clock, at));
    nb__text_fini(&escaped);

    connect.clock = (nb__session_clock){NB__FEED_LIVE, 0, 0, 1};
    connect.is_continued = false;
    nb__journal_connect_print(&connect, AT_NS, &text);
    assert_non_null(strstr(text.data, "\"live; session=2026-11-23T18:00:00.123456789+09:00; "
                                      "speed=1\",\"is_continued\":false}"));
    assert_int_equal(nb__journal_connect_parse(nb__text_view(&text), AT_NS, &back, NULL), NB_OK);
    assert_true(back.clock.kind == NB__FEED_LIVE);
    assert_int_equal(nb__session_clock_at(&back.clock, 77), 77);
    nb__text_fini(&text);
}

static void test_the_others(void **state)
{
    (void)state;
    nb__journal_gap gap = {"the link was cut: \"EOF\"", false};
    ROUND_TRIP(gap, gap, "{\"reason\":\"the link was cut: \\\"EOF\\\"\",\"is_rest\":false}");
    nb__journal_drift drift = {"H0EUASP0", 41, 38};
    ROUND_TRIP(drift, drift, "{\"tr_id\":\"H0EUASP0\",\"fields\":41,\"documented\":38}");
    nb__journal_notice notice = {"H0EUCNI0", UINT32_MAX, 624};
    ROUND_TRIP(notice, notice, "{\"tr_id\":\"H0EUCNI0\",\"count\":4294967295,\"bytes\":624}");
    nb__journal_answer answer = {"H0EUASP0", "B01611390", "0", "OPSP0000", "SUBSCRIBE 성공"};
    ROUND_TRIP(answer, answer,
               "{\"tr_id\":\"H0EUASP0\",\"tr_key\":\"B01611390\",\"rt_cd\":\"0\","
               "\"msg_cd\":\"OPSP0000\",\"msg1\":\"SUBSCRIBE 성공\"}");
    nb__journal_disk disk = {"No space left on device", -5, 3, INT64_MAX};
    ROUND_TRIP(disk, disk,
               "{\"reason\":\"No space left on device\",\"since_ns\":-5,\"lost_lines\":3,"
               "\"lost_bytes\":9223372036854775807}");
    nb__journal_repair repair = {
        100, 50, "20261123-000001.damaged-100", {"20261123-000001", 9000, 0xab}};
    ROUND_TRIP(repair, repair,
               "{\"offset\":100,\"bytes\":50,\"kept_in\":\"20261123-000001.damaged-100\","
               "\"was\":{\"segment\":\"20261123-000001\",\"bytes\":9000,"
               "\"xxh3\":\"00000000000000ab\"}}");

    nb__text text = {0};
    nb__journal_clock_print(INT64_MIN, &text);
    nb__text_string(&text, " ");
    nb__journal_stop_print("SIGTERM", &text);
    nb__text_string(&text, " ");
    nb__journal_other_print(77, &text);
    assert_string_equal(text.data, "{\"step_ns\":-9223372036854775808} {\"reason\":\"SIGTERM\"} "
                                   "{\"bytes\":77}");
    nb__text_fini(&text);
    int64_t step_ns = 0;
    assert_int_equal(
        nb__journal_clock_parse(NB__SPAN("{\"step_ns\":-9223372036854775808}"), &step_ns, NULL),
        NB_OK);
    assert_int_equal(step_ns, INT64_MIN);
}

/* Raw and as in the file are told apart, also where JSON's own escapes look like ours. */
static void test_both_forms(void **state)
{
    (void)state;
    nb__journal_gap gap;
    static const struct {
        const char *payload, *reason;
    } cases[] = {
        {"{\"reason\":\"\\\\x41\",\"is_rest\":true}", "\\x41"},       /* raw JSON: \ x 4 1 */
        {"{\"reason\":\"\\x5c\\x5cx41\",\"is_rest\":true}", "\\x41"}, /* the same, in a line */
        {"{\"reason\":\"\\x5cn\\x5c\"\",\"is_rest\":true}", "\n\""},
        {"{\"reason\":\"\\n\\\"\",\"is_rest\":true}", "\n\""},
        {"{\"reason\":\"\\u00ea\",\"is_rest\":true}", "\xC3\xAA"},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb_error error = {0};
        if (nb__journal_gap_parse(nb__span(cases[i].payload), &gap, &error) != NB_OK)
            fail_msg("%s: %s", cases[i].payload, error.detail);
        assert_string_equal(gap.reason, cases[i].reason);
    }
}

static void test_long_words_are_cut_whole(void **state)
{
    (void)state;
    nb__text text = {0};
    nb__text_string(&text, "{\"is_rest\":true,\"reason\":\"x");
    for (int i = 0; i < 100; i++)
        nb__text_string(&text, "\xEA\xB0\x80");
    nb__text_string(&text, "\"}");
    nb__journal_gap gap;
    assert_int_equal(nb__journal_gap_parse(nb__text_view(&text), &gap, NULL), NB_OK);
    assert_int_equal(strlen(gap.reason), 253);
    assert_int_equal(nb__utf8_valid_prefix(nb__span(gap.reason)), 253);
    nb__text_fini(&text);
}

#define REST                                                                                       \
    ",\"host\":\"h\",\"feed\":\"live\",\"night\":20261123,\"segment\":\"s\","                      \
    "\"run\":\"0123456789abcdef\",\"after\":null}"

static void test_hostile_starts(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "{",
        "[]",
        "null",
        "\"start\"",
        "{}",
        "{\"version\":\"1\"" REST,
        "{\"format\":1" REST,
        "{\"format\":0,\"version\":\"1\"" REST,
        "{\"format\":-1,\"version\":\"1\"" REST,
        "{\"format\":1.0,\"version\":\"1\"" REST,
        "{\"format\":\"1\",\"version\":\"1\"" REST,
        "{\"format\":4294967297,\"version\":\"1\"" REST,
        "{\"format\":99999999999999999999,\"version\":\"1\"" REST,
        "{\"format\":1,\"format\":1,\"version\":\"1\"" REST,
        "{\"format\":1,\"version\":1" REST,
        "{\"format\":1,\"version\":\"a\\u0000b\"" REST,
        "{\"format\":1,\"version\":\"\xFF\"" REST,
        "{\"format\":1,\"version\":\"1\"" REST "x",
        "{\"format\":1,\"version\":\"1\",\"feed\":\"paper\",\"host\":\"h\",\"night\":20261123,"
        "\"segment\":\"s\",\"run\":\"0123456789abcdef\",\"after\":null}",
        "{\"format\":1,\"version\":\"1\",\"feed\":\"live\",\"host\":\"h\",\"night\":20261131,"
        "\"segment\":\"s\",\"run\":\"0123456789abcdef\",\"after\":null}",
        "{\"format\":1,\"version\":\"1\",\"feed\":\"live\",\"host\":\"h\",\"night\":20261123,"
        "\"segment\":\"0123456789012345678901234\",\"run\":\"0123456789abcdef\",\"after\":null}",
        "{\"format\":1,\"version\":\"1\",\"feed\":\"live\",\"host\":\"h\",\"night\":20261123,"
        "\"segment\":\"s\",\"run\":\"0123456789ABCDEF\",\"after\":null}",
        "{\"format\":1,\"version\":\"1\",\"feed\":\"live\",\"host\":\"h\",\"night\":20261123,"
        "\"segment\":\"s\",\"run\":\"0123456789abcdef\",\"after\":7}",
        "{\"format\":1,\"version\":\"1\",\"feed\":\"live\",\"host\":\"h\",\"night\":20261123,"
        "\"segment\":\"s\",\"run\":\"0123456789abcdef\"}",
        "{\"format\":1,\"version\":\"1\",\"feed\":\"live\",\"host\":\"h\",\"night\":20261123,"
        "\"segment\":\"s\",\"run\":\"0123456789abcdef\",\"after\":{\"segment\":\"\",\"bytes\":1,"
        "\"xxh3\":\"0123456789abcdef\"}}",
        "{\"format\":1,\"version\":\"1\",\"feed\":\"live\",\"host\":\"h\",\"night\":20261123,"
        "\"segment\":\"s\",\"run\":\"0123456789abcdef\",\"after\":{\"segment\":\"a\",\"bytes\":-1,"
        "\"xxh3\":\"0123456789abcdef\"}}",
        "{\"format\":1,\"version\":\"1\",\"feed\":\"live\",\"host\":\"h\",\"night\":20261123,"
        "\"segment\":\"s\",\"run\":\"0123456789abcdef\",\"after\":{\"segment\":\"a\",\"bytes\":1,"
        "\"xxh3\":\"123456789abcdef\"}}",
    };
    nb__journal_start start = {.night = 5};
    nb_span right = NB__SPAN("{\"format\":1,\"version\":\"1\"" REST);
    for (size_t i = 0; i < NB__COUNT_OF(wrong); i++) {
        nb_error error = {0};
        guard g = guard_copy(wrong[i], strlen(wrong[i]));
        nb_err err = nb__journal_start_parse((nb_span){g.data, g.size_bytes}, &start, &error);
        guard_free(&g);
        if (err != NB_E_JSON || strncmp(error.detail, "start mark: ", 12) != 0)
            fail_msg("%s: %d %s", wrong[i], err, error.detail);
    }
    assert_int_equal(start.night, 5);
    assert_int_equal(nb__journal_start_parse(right, &start, NULL), NB_OK);
    for (size_t size = 0; size < right.size_bytes; size++) {
        guard g = guard_copy(right.data, size);
        assert_int_equal(nb__journal_start_parse((nb_span){g.data, size}, &start, NULL), NB_E_JSON);
        guard_free(&g);
    }
}

static void test_hostile_others(void **state)
{
    (void)state;
    union {
        nb__journal_connect connect;
        nb__journal_gap gap;
        nb__journal_drift drift;
        nb__journal_notice notice;
        nb__journal_answer answer;
        nb__journal_disk disk;
        nb__journal_repair repair;
        int64_t step_ns;
    } out, before;
    memset(&out, 0x33, sizeof out);
    before = out;
    static const char *const wrong[] = {
        "{}",
        "{\"feed\":\"a\",\"address\":\"b\",\"clock\":\"sim\",\"is_continued\":true}",
        "{\"reason\":\"a\",\"is_rest\":1}",
        "{\"tr_id\":\"H0EUASP0\",\"fields\":-1,\"documented\":38}",
        "{\"tr_id\":\"0123456789abcdef\",\"fields\":1,\"documented\":38}",
        "{\"tr_id\":\"a\",\"count\":4294967296,\"bytes\":1}",
        "{\"tr_id\":\"a\",\"tr_key\":\"b\",\"rt_cd\":\"0123\",\"msg_cd\":\"d\",\"msg1\":\"e\"}",
        "{\"reason\":\"a\",\"since_ns\":0,\"lost_lines\":-1,\"lost_bytes\":0}",
        "{\"offset\":1,\"bytes\":2,\"kept_in\":\"x\",\"was\":[]}",
        "{\"step_ns\":9223372036854775808}",
    };
    for (size_t i = 0; i < NB__COUNT_OF(wrong); i++) {
        nb_span text = nb__span(wrong[i]);
        assert_int_equal(nb__journal_connect_parse(text, 1, &out.connect, NULL), NB_E_JSON);
        assert_int_equal(nb__journal_gap_parse(text, &out.gap, NULL), NB_E_JSON);
        assert_int_equal(nb__journal_drift_parse(text, &out.drift, NULL), NB_E_JSON);
        assert_int_equal(nb__journal_notice_parse(text, &out.notice, NULL), NB_E_JSON);
        assert_int_equal(nb__journal_answer_parse(text, &out.answer, NULL), NB_E_JSON);
        assert_int_equal(nb__journal_disk_parse(text, &out.disk, NULL), NB_E_JSON);
        assert_int_equal(nb__journal_repair_parse(text, &out.repair, NULL), NB_E_JSON);
        assert_int_equal(nb__journal_clock_parse(text, &out.step_ns, NULL), NB_E_JSON);
        assert_memory_equal(&out, &before, sizeof out);
    }
    nb__text large = {0};
    nb__text_string(&large, "{\"step_ns\":1,\"x\":\"");
    for (int i = 0; i < 20000; i++)
        nb__text_string(&large, "y");
    nb__text_string(&large, "\"}");
    assert_int_equal(nb__journal_clock_parse(nb__text_view(&large), &out.step_ns, NULL), NB_E_JSON);
    nb__text_clear(&large);
    nb__text_string(&large, "{\"step_ns\":");
    for (int i = 0; i < 10000; i++)
        nb__text_string(&large, "[");
    assert_int_equal(nb__journal_clock_parse(nb__text_view(&large), &out.step_ns, NULL), NB_E_JSON);
    nb__text_fini(&large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),          cmocka_unit_test(test_a_newer_format),
        cmocka_unit_test(test_connect),        cmocka_unit_test(test_the_others),
        cmocka_unit_test(test_both_forms),     cmocka_unit_test(test_long_words_are_cut_whole),
        cmocka_unit_test(test_hostile_starts), cmocka_unit_test(test_hostile_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
