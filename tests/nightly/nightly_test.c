/* SPDX-License-Identifier: Apache-2.0 */
/* nightly: which night it is, limits, odd times and odd bytes. Numbers of whole nights are counted
 * again by tests/integration/report_itest.py. */
#include "guard.h"
#include "kis/kis.h"
#include "nightly/nightly.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOOK                                                                                       \
    "0|H0EUASP0|001|B01612A45^180001^1.05^0.00^0.00^0.00^0.00^1.00^0.00^0.00^0.00^0.00^0^0^0^0^"   \
    "0^0^0^0^0^0^1^0^0^0^0^3^0^0^0^0^0^0^1^3^0^0"

typedef struct night {
    nb__nightly *nightly;
    json_t *root;
    nb__text json, words, html;
} night;

static void open_night(night *n, int date)
{
    *n = (night){.nightly = nb__nightly_new(nb_calendar_builtin(), date)};
    assert_non_null(n->nightly);
}

static void feed(night *n, int64_t ns, uint32_t link, nb__journal_kind kind, const char *message)
{
    guard g = guard_copy(message, strlen(message));
    const nb__nightly_line line = {.recv_ns = ns < 0 ? 0 : ns,
                                   .session_ns = ns,
                                   .link = link,
                                   .kind = kind,
                                   .message = {g.data, g.size_bytes}};
    nb__nightly_feed(n->nightly, &line);
    guard_free(&g);
}

static void begin(night *n, int64_t ns)
{
    feed(n, ns, 0, NB__JOURNAL_START,
         "{\"format\":1,\"version\":\"0.1.0\",\"host\":\"desk\",\"feed\":\"live\",\"night\":"
         "20261123,\"segment\":\"20261123-000001\",\"run\":\"00000000000000ab\",\"after\":null}");
}

static void up(night *n, int64_t ns, uint32_t link, const char *label)
{
    char text[512];
    snprintf(text, sizeof text,
             "{\"feed\":\"%s\",\"address\":\"ws://ops:21000\",\"clock\":\"live; "
             "session=2026-11-20T18:00:00.000+09:00; speed=1\",\"is_continued\":false}",
             label);
    feed(n, ns, link, NB__JOURNAL_CONNECT, text);
}

/* All three forms are made, and the JSON is read. */
static void end(night *n)
{
    json_error_t where;
    nb__nightly_end(n->nightly);
    nb__nightly_print_json(n->nightly, &n->json);
    nb__nightly_print_text(n->nightly, &n->words);
    nb__nightly_print_html(n->nightly, &n->html);
    assert_false(n->json.is_failed || n->words.is_failed || n->html.is_failed);
    n->root = json_loadb(n->json.data, n->json.size_bytes, JSON_REJECT_DUPLICATES, &where);
    if (n->root == NULL)
        fail_msg("line %d: %s", where.line, where.text);
}

static void close_night(night *n)
{
    json_decref(n->root);
    nb__text_fini(&n->json);
    nb__text_fini(&n->words);
    nb__text_fini(&n->html);
    nb__nightly_free(n->nightly);
}

static json_int_t number(const night *n, const char *object, const char *name)
{
    const json_t *value = json_object_get(json_object_get(n->root, object), name);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static const char *string(const night *n, const char *object, const char *name)
{
    const json_t *in = object == NULL ? n->root : json_object_get(n->root, object);
    const char *value = json_string_value(json_object_get(in, name));
    return value == NULL ? "null" : value;
}

static size_t rows(const night *n, const char *name)
{
    return json_array_size(json_object_get(n->root, name));
}

static void test_nothing(void **state)
{
    night n;
    (void)state;
    open_night(&n, 20261123);
    end(&n);
    assert_string_equal(string(&n, NULL, "trade_date"), "2026-11-23");
    assert_true(json_is_null(json_object_get(n.root, "session")));
    assert_true(json_is_null(json_object_get(n.root, "latency")));
    assert_true(json_is_null(json_object_get(n.root, "disk")));
    assert_non_null(strstr(n.words.data, "nothing was recorded"));
    assert_non_null(strstr(n.words.data, "not known"));
    assert_null(strstr(n.html.data, "<svg"));
    assert_false(nb__nightly_has_frames(n.nightly));
    close_night(&n);
}

/* The night of the first time that a line tells. */
static void test_which_night(void **state)
{
    static const struct {
        int date, hhmmss;
        const char *trade_date, *open;
        int minutes;
    } rows_of[] = {
        {20261120, 174500, "2026-11-23", "2026-11-20T18:00:00.000+09:00", 710}, /* a Friday */
        {20261121, 30000, "2026-11-23", "2026-11-20T18:00:00.000+09:00", 710},
        {20261121, 61500, "2026-11-23", "2026-11-20T18:00:00.000+09:00", 710},  /* late frames */
        {20261123, 100000, "2026-11-23", "2026-11-20T18:00:00.000+09:00", 710}, /* the day's own */
        {20261123, 180000, "2026-11-24", "2026-11-23T18:00:00.000+09:00", 710},
        {20261119, 185500, "2026-11-20", "2026-11-19T19:00:00.000+09:00", 650}, /* CSAT */
    };
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(rows_of); i++) {
        night n;
        int64_t at_ns = nb__kst_ns(rows_of[i].date, rows_of[i].hhmmss);
        open_night(&n, 0);
        begin(&n, 12345);
        up(&n, at_ns, 1, "main");
        feed(&n, at_ns + 1, 1, NB__JOURNAL_FRAME, BOOK);
        end(&n);
        assert_string_equal(string(&n, NULL, "trade_date"), rows_of[i].trade_date);
        assert_string_equal(string(&n, "session", "open"), rows_of[i].open);
        assert_int_equal(number(&n, "session", "continuous_minutes"), rows_of[i].minutes);
        assert_int_equal(number(&n, "totals", "frames_outside"), 0);
        close_night(&n);
    }
}

static void test_odd_times(void **state)
{
    static const int64_t times[] = {NB_TIME_UNDEF, INT64_MIN + 1, -1, 0, 1,
                                    INT64_MAX - 1, INT64_MAX};
    night n;
    int64_t at_ns = nb__kst_ns(20261120, 180000);
    (void)state;
    for (size_t first = 0; first < NB__COUNT_OF(times); first++) {
        open_night(&n, 20261123);
        for (int round = 0; round < 2; round++) {
            for (size_t i = 0; i < NB__COUNT_OF(times); i++) {
                int64_t odd_ns = times[(first + i) % NB__COUNT_OF(times)];
                up(&n, odd_ns, (uint32_t)i + 1, "main");
                feed(&n, odd_ns, (uint32_t)i + 1, NB__JOURNAL_FRAME, BOOK);
                feed(&n, odd_ns, (uint32_t)i + 1, NB__JOURNAL_ANSWER,
                     "{\"tr_id\":\"H0EUASP0\",\"tr_key\":\"B01612A45\",\"rt_cd\":\"0\",\"msg_cd\":"
                     "\"OPSP0000\",\"msg1\":\"SUBSCRIBE SUCCESS\"}");
                feed(&n, odd_ns, (uint32_t)i + 1, NB__JOURNAL_GAP,
                     "{\"reason\":\"cut\",\"is_rest\":false}");
                feed(&n, odd_ns, 0, NB__JOURNAL_DISK,
                     "{\"reason\":\"full\",\"since_ns\":-9223372036854775807,\"lost_lines\":1,"
                     "\"lost_bytes\":2}");
            }
            feed(&n, at_ns, 1, NB__JOURNAL_FRAME, BOOK); /* now there is a night */
        }
        end(&n);
        assert_int_equal(number(&n, "totals", "frames"), 2 * (NB__COUNT_OF(times) + 1));
        close_night(&n);
    }
}

/* What is over a limit is counted, never lost in silence. */
static void test_limits(void **state)
{
    night n;
    int64_t at_ns = nb__kst_ns(20261120, 180000);
    char text[256];
    (void)state;
    open_night(&n, 0);
    begin(&n, at_ns);
    for (uint32_t i = 0; i < 3000; i++) {
        snprintf(text, sizeof text, "key%u", i % 40);
        up(&n, at_ns + i * NB__NS_PER_S, i + 1, text);
        snprintf(text, sizeof text, "{\"reason\":\"cause %u\",\"is_rest\":false}", i % 100);
        feed(&n, at_ns + i * NB__NS_PER_S + 1, i + 1, NB__JOURNAL_GAP, text);
        snprintf(text, sizeof text,
                 "{\"tr_id\":\"H0EUASP0\",\"tr_key\":\"B%06u\",\"rt_cd\":\"1\",\"msg_cd\":"
                 "\"NOPE%04u\",\"msg1\":\"NO\"}",
                 i, i);
        feed(&n, at_ns + i * NB__NS_PER_S + 1, i + 1, NB__JOURNAL_ANSWER, text);
        snprintf(text, sizeof text, "{\"tr_id\":\"T%u\",\"fields\":%u,\"documented\":38}", i, i);
        feed(&n, at_ns, i + 1, NB__JOURNAL_DRIFT, text);
        feed(&n, at_ns, 0, NB__JOURNAL_CLOCK, "{\"step_ns\":60000000}");
        nb__nightly_damage(n.nightly, "gone");
    }
    for (uint32_t i = 0; i < 70000; i++) {
        snprintf(text, sizeof text, "0|H0XXXXX0|001|K%u^1", i);
        feed(&n, at_ns + i, 1, NB__JOURNAL_FRAME, text);
    }
    end(&n);
    assert_int_equal(rows(&n, "gaps"), 512);
    assert_int_equal(
        rows(&n, "gaps") + (size_t)json_integer_value(json_object_get(n.root, "gaps_other")), 3000);
    assert_int_equal(rows(&n, "feeds"), 17);
    assert_int_equal(rows(&n, "drop_causes"), 32);
    assert_int_equal(rows(&n, "drift"), 32);
    assert_int_equal(json_integer_value(json_object_get(n.root, "drift_other")), 3000 - 32);
    assert_int_equal(number(&n, "slots", "refused"), 3000);
    assert_int_equal(number(&n, "slots", "refusals_other"), 3000 - 64);
    assert_int_equal(number(&n, "slots", "answers_other"), 3000 - 48);
    assert_int_equal(number(&n, "recorder", "clock_steps_other"), 3000 - 64);
    assert_int_equal(number(&n, "recorder", "damages_other"), 3000 - 64);
    assert_int_equal(nb__nightly_damages(n.nightly), 3000);
    /* 65536 names, of which the refused keys have 3000 */
    assert_int_equal(number(&n, "totals", "keys_refused"), 70000 + 3000 - 65536);
    assert_int_equal(number(&n, "totals", "records_without_key"), 70000 + 3000 - 65536);
    assert_int_equal(rows(&n, "keys"), 65536);
    close_night(&n);
}

/* A frame cut at every byte is a frame that cannot be read, or one of fewer bytes; nothing else. */
static void test_every_cut(void **state)
{
    night n;
    int64_t at_ns = nb__kst_ns(20261120, 180000);
    char text[sizeof BOOK];
    (void)state;
    open_night(&n, 0);
    up(&n, at_ns, 1, "main");
    for (size_t size = 0; size < sizeof BOOK; size++) {
        memcpy(text, BOOK, size);
        text[size] = '\0';
        feed(&n, at_ns + (int64_t)size, 1, NB__JOURNAL_FRAME, text);
    }
    end(&n);
    assert_int_equal(number(&n, "totals", "frames"), sizeof BOOK);
    json_int_t unreadable = number(&n, "totals", "frames_unreadable"),
               records = number(&n, "totals", "records"), books = number(&n, "totals", "books");
    assert_int_equal(unreadable + records, sizeof BOOK);
    assert_int_equal(books, 2); /* the whole, and the one whose last 0 is cut to a blank */
    assert_int_equal(number(&n, "totals", "records_unreadable"), records - books);
    close_night(&n);
}

/* Marks cut at every byte are no marks. */
static void test_marks_cut(void **state)
{
    static const struct {
        nb__journal_kind kind;
        const char *text;
    } marks[] = {
        {NB__JOURNAL_CONNECT, "{\"feed\":\"main\",\"address\":\"ws://a\",\"clock\":\"live; "
                              "session=2026-11-20T18:00:00.000+09:00; speed=1\","
                              "\"is_continued\":false}"},
        {NB__JOURNAL_GAP, "{\"reason\":\"cut\",\"is_rest\":false}"},
        {NB__JOURNAL_ANSWER, "{\"tr_id\":\"T\",\"tr_key\":\"K\",\"rt_cd\":\"0\",\"msg_cd\":"
                             "\"OPSP0000\",\"msg1\":\"S\"}"},
        {NB__JOURNAL_DISK, "{\"reason\":\"full\",\"since_ns\":1,\"lost_lines\":1,"
                           "\"lost_bytes\":2}"}};
    night n;
    int64_t at_ns = nb__kst_ns(20261120, 180000);
    (void)state;
    open_night(&n, 0);
    for (size_t i = 0; i < NB__COUNT_OF(marks); i++)
        for (size_t size = 0; size < strlen(marks[i].text); size++) {
            char text[256];
            snprintf(text, sizeof text, "%.*s", (int)size, marks[i].text);
            feed(&n, at_ns, 1, marks[i].kind, text);
        }
    end(&n);
    assert_int_equal(rows(&n, "feeds") + rows(&n, "gaps"), 0);
    assert_int_equal(number(&n, "slots", "confirmed"), 0);
    close_night(&n);
}

/* What a peer says is text, in each form. */
static void test_hostile_words(void **state)
{
    night n;
    int64_t at_ns = nb__kst_ns(20261120, 180000);
    (void)state;
    open_night(&n, 0);
    up(&n, at_ns, 1, "</title><script>alert(1)</script>");
    feed(&n, at_ns + 1, 1, NB__JOURNAL_FRAME, "0|H0XXXXX0|001|<a\x1b[2J'\">^1");
    feed(&n, at_ns + 2, 1, NB__JOURNAL_ANSWER,
         "{\"tr_id\":\"<b>\",\"tr_key\":\"\\u001b]0;x\\u0007\",\"rt_cd\":\"9\",\"msg_cd\":\"'&\","
         "\"msg1\":\"\\u009b31m</pre>\"}");
    feed(&n, at_ns + 3, 1, NB__JOURNAL_GAP,
         "{\"reason\":\"<img src=x onerror=y>\\u001b[31m\",\"is_rest\":false}");
    nb__nightly_damage(n.nightly, "\x1b[2J<i>\xff");
    end(&n);
    assert_null(strstr(n.html.data, "<script"));
    assert_null(strstr(n.html.data, "<img"));
    assert_null(strstr(n.html.data, "</pre></pre>"));
    assert_non_null(strstr(n.html.data, "&lt;img src=x onerror=y&gt;"));
    const nb__text *const forms[] = {&n.words, &n.html, &n.json};
    for (size_t i = 0; i < NB__COUNT_OF(forms); i++) {
        assert_null(memchr(forms[i]->data, 0x1b, forms[i]->size_bytes));
        assert_null(memchr(forms[i]->data, 7, forms[i]->size_bytes));
        assert_int_equal(nb__utf8_valid_prefix(nb__text_view(forms[i])), forms[i]->size_bytes);
    }
    assert_null(strstr(n.words.data, "\xC2\x9B")); /* CSI in one letter */
    close_night(&n);
}

static void test_evidence(void **state)
{
    static const char latency[] =
        "{\"nightbook_evidence\":1,\"banner\":\"LIVE\",\"latency\":{\"frames\":9,\"p50_ns\":999,"
        "\"p99_ns\":1000,\"p999_ns\":999999,\"max_ns\":1000000}}";
    night n;
    nb_error error;
    (void)state;
    open_night(&n, 20261123);
    begin(&n, nb__kst_ns(20261120, 180000));
    assert_int_equal(nb__nightly_evidence(n.nightly, NB__SPAN("{}"), &error), NB_E_JSON);
    assert_int_equal(nb__nightly_evidence(n.nightly,
                                          NB__SPAN("{\"nightbook_evidence\":1,"
                                                   "\"banner\":\"REPLAY\"}"),
                                          &error),
                     NB_E_NOT_FOUND);
    feed(&n, nb__kst_ns(20261120, 180001), 1, NB__JOURNAL_FRAME, "0|H0EUASP0|001|B01612A46^180001");
    assert_int_equal(nb__nightly_evidence(n.nightly,
                                          NB__SPAN("{\"nightbook_evidence\":1,\"banner\":\"LIVE\","
                                                   "\"first\":\"2026-11-20T18:00:05.000+09:00\","
                                                   "\"last\":\"2026-11-21T06:00:00.000+09:00\"}"),
                                          &error),
                     NB_E_NOT_FOUND); /* a run after the recorded one */
    for (int i = 0; i < 16; i++)
        assert_int_equal(nb__nightly_evidence(n.nightly, NB__SPAN(latency), &error), NB_OK);
    assert_int_equal(nb__nightly_evidence(n.nightly, NB__SPAN(latency), &error), NB_E_LIMIT);
    end(&n);
    assert_int_equal(rows(&n, "latency"), 16);
    assert_string_equal(string(&n, NULL, "evidence_from"), "server");
    assert_non_null(
        strstr(n.words.data, "p50 999 ns, p99 1.0 us, p99.9 1000.0 us, at most 1.00 ms"));
    close_night(&n);
}

/* An order notice's key is a person's: it is in no form. */
static void test_no_person_is_named(void **state)
{
    night n;
    int64_t at_ns = nb__kst_ns(20261120, 180000);
    (void)state;
    open_night(&n, 0);
    up(&n, at_ns, 1, "main");
    feed(&n, at_ns, 1, NB__JOURNAL_ANSWER,
         "{\"tr_id\":\"H0EUCNI0\",\"tr_key\":\"MYHTSID\",\"rt_cd\":\"0\",\"msg_cd\":\"OPSP0000\","
         "\"msg1\":\"SUBSCRIBE SUCCESS\"}");
    end(&n);
    assert_null(strstr(n.json.data, "MYHTSID"));
    assert_null(strstr(n.words.data, "MYHTSID"));
    assert_null(strstr(n.html.data, "MYHTSID"));
    close_night(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_which_night),
        cmocka_unit_test(test_odd_times),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_marks_cut),
        cmocka_unit_test(test_hostile_words),
        cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_no_person_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
