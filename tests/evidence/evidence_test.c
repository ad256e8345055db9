/* SPDX-License-Identifier: Apache-2.0 */
/* evidence: a small night as KIS might send it, and what is concluded from it. */
#include "evidence/evidence.h"
#include "guard.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPICS 64
#define NO_LEVELS "0.00^0.00^0.00^0.00"
#define ZEROS "0^0^0^0"

typedef struct night {
    nb__topics *topics;
    nb__evidence *evidence;
    nb__text json, report;
    json_t *root;
} night;

static int64_t at(int date, int hhmmss)
{
    return nb__kst_ns(date, hhmmss);
}

static void night_open(night *n)
{
    *n = (night){.topics = nb__topics_new(TOPICS)};
    n->evidence = nb__evidence_new(n->topics, TOPICS, nb_calendar_builtin());
    assert_non_null(n->evidence);
    nb__evidence_begin(n->evidence, 20261123);
}

static void night_close(night *n)
{
    json_decref(n->root);
    nb__text_fini(&n->json);
    nb__text_fini(&n->report);
    nb__evidence_free(n->evidence);
    nb__topics_free(n->topics);
}

/* As the plant shows it. */
static void show_at(night *n, const char *text, int64_t recv_ns, int64_t session_ns)
{
    nb_frame head;
    nb_records walk;
    nb_span bytes;
    nb__topic name;
    assert_int_equal(nb_frame_split(nb__span(text), &head, NULL), NB_OK);
    if (nb_records_begin(&head, &walk, NULL) != NB_OK) {
        nb__evidence_frame_end(n->evidence, &head, 0, 0, session_ns);
        return;
    }
    while (nb_records_next(&walk, &bytes)) {
        nb_quote quote;
        bool is_book = head.tr != NULL && head.tr->is_book &&
                       nb_quote_decode(head.tr, bytes, &quote, NULL) == NB_OK;
        if (is_book)
            quote.event_ns = nb_event_time(quote.time_hhmmss, session_ns, NULL);
        bool has_key = nb__topic_make(head.tr_id, nb_record_key(bytes), &name);
        nb__evidence_frame(n->evidence, &head,
                           &(nb__evidence_record){.record = bytes,
                                                  .topic = has_key
                                                               ? nb__topics_intern(n->topics, &name)
                                                               : NB__TOPIC_NONE,
                                                  .quote = is_book ? &quote : NULL,
                                                  .recv_ns = recv_ns,
                                                  .session_ns = session_ns});
    }
    nb__evidence_frame_end(n->evidence, &head, (uint32_t)head.record_count, walk.stride,
                           session_ns);
}

static void show(night *n, const char *text, int64_t utc_ns)
{
    show_at(n, text, utc_ns, utc_ns);
}

/* One record: best ask and bid with quantities 7 and 8, totals told as given. */
static const char *book(const char *key, const char *hhmmss, const char *ask, const char *bid,
                        int total_ask, int total_bid)
{
    static char out[8][400];
    static unsigned turn;
    char *to = out[turn++ % NB__COUNT_OF(out)];
    bool has_ask = strcmp(ask, "0.00") != 0, has_bid = strcmp(bid, "0.00") != 0;
    snprintf(to, sizeof out[0],
             "%s^%s^%s^" NO_LEVELS "^%s^" NO_LEVELS "^0^" ZEROS "^0^" ZEROS "^%d^" ZEROS
             "^%d^" ZEROS "^0^0^%d^%d^0^0",
             key, hhmmss, ask, bid, has_ask ? 7 : 0, has_bid ? 8 : 0, total_ask, total_bid);
    return to;
}

static const char *frame(const char *tr_id, int count, const char *a, const char *b)
{
    static char out[1000];
    snprintf(out, sizeof out, "0|%s|%03d|%s%s%s", tr_id, count, a, count > 1 ? "^" : "",
             count > 1 ? b : "");
    return out;
}

static void answer(night *n, uint32_t feed, const char *tr_key, nb__opsp code, int64_t recv_ns)
{
    const nb__opsp_row *row = nb__opsp_at(code);
    nb__answer a = {.code = code, .reaction = row->reaction};
    snprintf(a.tr_id, sizeof a.tr_id, "H0EUASP0");
    snprintf(a.tr_key, sizeof a.tr_key, "%s", tr_key);
    snprintf(a.msg_cd, sizeof a.msg_cd, "%s", row->msg_cd);
    snprintf(a.rt_cd, sizeof a.rt_cd, "%s", row->rt_cd);
    snprintf(a.msg1, sizeof a.msg1, "%s", row->msg1);
    nb__evidence_answer(n->evidence, feed, &a, recv_ns);
}

static const json_t *root_of(night *n)
{
    json_error_t error;
    nb_error failure = {0};
    json_decref(n->root);
    nb__text_clear(&n->json);
    nb__text_clear(&n->report);
    nb__evidence_print_json(n->evidence, &n->json);
    n->root = json_loadb(n->json.data, n->json.size_bytes, JSON_REJECT_DUPLICATES, &error);
    if (n->root == NULL)
        fail_msg("%s\n%s", error.text, n->json.data);
    if (nb__evidence_report(nb__text_view(&n->json), &n->report, &failure) != NB_OK)
        fail_msg("%s", failure.detail);
    return n->root;
}

static void expect_words(const night *n, const char *words)
{
    if (strstr(n->report.data, words) == NULL)
        fail_msg("'%s' is not in\n%s", words, n->report.data);
}

static void expect_number(const json_t *object, const char *name, json_int_t number)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value) || json_integer_value(value) != number)
        fail_msg("%s is %" JSON_INTEGER_FORMAT " instead of %" JSON_INTEGER_FORMAT, name,
                 json_integer_value(value), number);
}

static void expect_pair(const json_t *array, size_t index, json_int_t what, json_int_t count)
{
    const json_t *pair = json_array_get(array, index);
    assert_int_equal(json_integer_value(json_array_get(pair, 0)), what);
    assert_int_equal(json_integer_value(json_array_get(pair, 1)), count);
}

static const json_t *tr_at(const json_t *root, size_t index)
{
    return json_array_get(json_object_get(root, "trs"), index);
}

/* ---- */

static void what_was_not_seen_is_null_and_said_so(void **state)
{
    (void)state;
    night n;
    night_open(&n);
    const json_t *root = root_of(&n);
    static const char *const names[] = {"banner", "first",     "trs",      "snapshot", "codes",
                                        "in_use", "approvals", "pingpong", "losses",   "keys"};
    for (size_t i = 0; i < NB__COUNT_OF(names); i++)
        assert_true(json_is_null(json_object_get(root, names[i])));
    assert_string_equal(json_string_value(json_object_get(root, "trade_date")), "2026-11-23");
    size_t not_seen = 0;
    for (const char *text = n.report.data; (text = strstr(text, "\n   not seen\n")) != NULL; text++)
        not_seen++;
    assert_int_equal(not_seen, 14); /* all questions, the tenth twice */
    expect_words(&n, "nothing was seen");
    night_close(&n);
}

static void widths_and_records_a_frame(void **state)
{
    (void)state;
    night n;
    char wide[500];
    int64_t t = at(20261120, 190000);
    night_open(&n);
    const char *a = book("B01612745", "190000", "2.98", "2.97", 7, 8);
    const char *b = book("B01612746", "190000", "2.98", "2.97", 7, 8);
    show(&n, frame("H0EUASP0", 1, a, NULL), t);
    show(&n, frame("H0EUASP0", 2, a, b), t);
    show(&n, frame("H0EUASP0", 2, a, b), t);
    snprintf(wide, sizeof wide, "%s^x^y", a);
    show(&n, frame("H0EUASP0", 1, wide, NULL), t);
    show(&n, "0|XTR|001|K1^1", t);
    show(&n, "1|H0EUCNI0|001|abcd", t);
    const json_t *root = root_of(&n), *tr = tr_at(root, 0);
    expect_number(tr, "frames", 4);
    expect_number(tr, "records", 6);
    expect_pair(json_object_get(tr, "widths"), 0, 38, 3);
    expect_pair(json_object_get(tr, "widths"), 1, 40, 1);
    expect_pair(json_object_get(tr, "records_a_frame"), 0, 1, 2);
    expect_pair(json_object_get(tr, "records_a_frame"), 1, 2, 2);
    expect_number(tr, "records_most", 2);
    assert_true(json_is_null(json_object_get(tr_at(root, 1), "documented_fields")));
    assert_true(json_is_null(json_object_get(tr_at(root, 1), "books")));
    expect_number(tr_at(root, 2), "encrypted", 1);
    expect_words(&n, "H0EUASP0  38 fields in 3 frames, as documented");
    expect_words(&n, "H0EUASP0  40 fields in 1 frames, DOCUMENTED ARE 38");
    expect_words(&n, "H0EUASP0  1 in 2 frames, 2 in 2; at most 2");
    expect_words(&n, "H0EUCNI0  1 encrypted frames");
    night_close(&n);
}

static void phases_by_the_calendar_of_the_session(void **state)
{
    (void)state;
    night n;
    static const struct {
        int date, hhmmss;
        const char *ask, *bid, *phase;
    } frames[] = {
        {20261120, 174959, "2.98", "2.97", "closed"},
        {20261120, 175000, "2.97", "2.98", "opening_receipt"}, /* crossed */
        {20261120, 175500, "2.97", "2.97", "opening_receipt"}, /* locked */
        {20261120, 175959, "0.00", "0.00", "opening_receipt"}, /* empty */
        {20261120, 180000, "2.98", "2.97", "continuous"},
        {20261121, 54959, "2.98", "0.00", "continuous"}, /* one-sided */
        {20261121, 55000, "2.97", "2.98", "closing_receipt"},
        {20261121, 60000, "2.98", "2.97", "after_end"},
        {20261121, 75959, "2.98", "2.97", "after_end"},
        {20261121, 80000, "2.98", "2.97", "closed"},
    };
    night_open(&n);
    for (size_t i = 0; i < NB__COUNT_OF(frames); i++) {
        int64_t session_ns = at(frames[i].date, frames[i].hhmmss);
        show_at(&n,
                frame("H0EUASP0", 1,
                      book("B01612745", "190000", frames[i].ask, frames[i].bid, 0, 0), NULL),
                session_ns + NB__NS_PER_DAY, session_ns);
    }
    const json_t *phases = json_object_get(tr_at(root_of(&n), 0), "phases");
    const json_t *opening = json_object_get(phases, "opening_receipt");
    expect_number(opening, "frames", 3);
    expect_number(opening, "crossed", 1);
    expect_number(opening, "locked", 1);
    expect_number(opening, "empty", 1);
    assert_string_equal(json_string_value(json_object_get(opening, "last")),
                        "2026-11-20T17:59:59.000+09:00");
    expect_number(json_object_get(phases, "continuous"), "frames", 2);
    expect_number(json_object_get(phases, "continuous"), "one_sided", 1);
    expect_number(json_object_get(phases, "closing_receipt"), "crossed", 1);
    expect_number(json_object_get(phases, "after_end"), "frames", 2);
    expect_number(json_object_get(phases, "closed"), "frames", 2);
    expect_words(&n, "opening receipt   3 frames, 11-20 17:50:00 to 11-20 17:59:59; of 3 books 1 "
                     "crossed, 1 locked, 0 one-sided, 1 empty");
    night_close(&n);
}

static void order_counts_totals_and_decimals(void **state)
{
    (void)state;
    night n;
    int64_t t = at(20261120, 190000);
    night_open(&n);
    show(&n, frame("H0EUASP0", 1, book("B01612745", "190000", "2.98", "2.97", 7, 9), NULL), t);
    show(&n, frame("H0EUASP0", 1, book("B06612745", "190000", "50.0", "49.9", 6, 8), NULL), t);
    show(&n,
         "0|H0EUASP0|001|B01612745^190000^1.05^1.06^1.07^1.08^1.09^1.04^1.03^1.02^1.01^1.00^"
         "3^0^0^0^0^0^0^0^0^0^1^2^3^4^5^1^2^3^4^5^9^9^15^20^0^0",
         t);
    show(&n, frame("H0EUASP0", 1, book("B01612745", "190000", "0.00", "0.00", 0, 0), NULL), t);
    const json_t *books = json_object_get(tr_at(root_of(&n), 0), "books");
    expect_number(books, "count", 4);
    expect_number(books, "order_counts_told", 1);
    expect_number(books, "order_counts_none", 2); /* an empty book tells nothing */
    expect_number(books, "total_order_counts_told", 1);
    const json_t *full = json_object_get(books, "totals_of_five_levels");
    const json_t *fewer = json_object_get(books, "totals_of_fewer_levels");
    expect_number(full, "equal", 1);
    expect_number(full, "above", 1);
    expect_number(fewer, "equal", 2);
    expect_number(fewer, "above", 1);
    expect_number(fewer, "below", 1);
    expect_words(&n, "so a total covers the whole book");
    expect_words(&n, "sometimes filled: told in 1 books, all 0 in 2");
    expect_words(&n, "kospi200         2 decimals in 4 best prices");
    expect_words(&n, "kosdaq150        1 decimals in 2 best prices");
    night_close(&n);
}

static void a_snapshot_or_not(void **state)
{
    (void)state;
    night n;
    int64_t t = at(20261120, 190000);
    const char *now = book("B01612745", "190000", "2.98", "2.97", 7, 8);
    const char *old = book("B01612746", "183000", "2.98", "2.97", 7, 8);
    night_open(&n);
    answer(&n, 0, "B01612745", NB__OPSP_SUBSCRIBED, t); /* no such topic yet: nothing to wait for */
    show(&n, frame("H0EUASP0", 1, now, NULL), t + 5 * NB__NS_PER_S);
    answer(&n, 0, "B01612745", NB__OPSP_SUBSCRIBED, t + 10 * NB__NS_PER_S);
    show(&n, frame("H0EUASP0", 1, now, NULL), t + 10 * NB__NS_PER_S + 200 * NB__NS_PER_MS);
    answer(&n, 0, "B01612745", NB__OPSP_SUBSCRIBED, t + 20 * NB__NS_PER_S);
    show(&n, frame("H0EUASP0", 1, now, NULL), t + 20 * NB__NS_PER_S + 201 * NB__NS_PER_MS);
    nb__topic name;
    (void)nb__topic_make(NB__SPAN("H0EUASP0"), NB__SPAN("B01612746"), &name);
    (void)nb__topics_intern(n.topics, &name);
    answer(&n, 0, "B01612746", NB__OPSP_SUBSCRIBED, t + 30 * NB__NS_PER_S);
    show(&n, frame("H0EUASP0", 1, old, NULL), t + 30 * NB__NS_PER_S + NB__NS_PER_MS);
    (void)nb__topic_make(NB__SPAN("H0EUASP0"), NB__SPAN("B01612747"), &name);
    (void)nb__topics_intern(n.topics, &name);
    answer(&n, 0, "B01612747", NB__OPSP_SUBSCRIBED, t + 30 * NB__NS_PER_S);
    const json_t *root = root_of(&n), *s = json_object_get(root, "snapshot");
    expect_number(s, "same_as_last", 1);
    expect_number(s, "other_than_last", 0);
    expect_number(s, "first_of_key", 1);
    expect_number(s, "of_an_earlier_time", 2); /* the first key's book is of 19:00:00 still */
    expect_number(s, "later", 1);
    expect_number(root, "keys_confirmed_and_silent", 1);
    expect_words(&n, "SNAPSHOTS ARE SENT");
    night_close(&n);
}

/* A clock five seconds ahead makes every book look old: that is no snapshot. */
static void a_clock_that_is_off_invents_no_snapshot(void **state)
{
    (void)state;
    static const char *const keys[] = {"B01612745", "B01612746", "B01612747"};
    night n;
    int64_t t = at(20261120, 190005);
    night_open(&n);
    for (size_t i = 0; i < NB__COUNT_OF(keys); i++) {
        nb__topic name;
        (void)nb__topic_make(NB__SPAN("H0EUASP0"), nb__span(keys[i]), &name);
        (void)nb__topics_intern(n.topics, &name);
        answer(&n, 0, keys[i], NB__OPSP_SUBSCRIBED, t);
        show(&n, frame("H0EUASP0", 1, book(keys[i], "190000", "2.98", "2.97", 7, 8), NULL),
             t + 100 * NB__NS_PER_MS);
    }
    const json_t *s = json_object_get(root_of(&n), "snapshot");
    expect_number(s, "first_of_key", 3);
    expect_number(s, "of_an_earlier_time", 0);
    expect_words(&n, "no sign of a snapshot");
    night_close(&n);
}

/* One such frame among many may be chance. */
static void a_lone_old_frame_is_no_rule(void **state)
{
    (void)state;
    night n;
    int64_t t = at(20261120, 190000);
    night_open(&n);
    show(&n, frame("H0EUASP0", 1, book("B01612745", "185000", "2.98", "2.97", 7, 8), NULL), t);
    show(&n, frame("H0EUASP0", 1, book("B01612745", "190000", "2.98", "2.97", 7, 8), NULL), t);
    for (int i = 1; i <= 4; i++) {
        answer(&n, 0, "B01612745", NB__OPSP_SUBSCRIBED, t + i * 60 * NB__NS_PER_S);
        char hhmmss[7];
        snprintf(hhmmss, sizeof hhmmss, "19%02d00", i == 1 ? 0 : i);
        show(&n, frame("H0EUASP0", 1, book("B01612745", hhmmss, "2.98", "2.97", i, 8), NULL),
             t + i * 60 * NB__NS_PER_S + NB__NS_PER_MS);
    }
    expect_number(json_object_get(root_of(&n), "snapshot"), "of_an_earlier_time", 1);
    expect_words(&n, "of an earlier time: too few to be a rule");
    night_close(&n);
}

static void a_question_without_a_case_is_not_answered(void **state)
{
    (void)state;
    night n;
    int64_t t = at(20261120, 190000);
    night_open(&n);
    show(&n, frame("H0EUASP0", 1, book("B01612745", "190000", "0.00", "0.00", 0, 0), NULL), t);
    (void)root_of(&n);
    expect_words(&n, "3. Are order counts told, or 0?\n   not seen\n");
    night_close(&n);
}

static void one_damaged_total_decides_nothing(void **state)
{
    (void)state;
    night n;
    int64_t t = at(20261120, 190000);
    night_open(&n);
    for (int i = 0; i < 101; i++) {
        char text[400];
        snprintf(text, sizeof text,
                 "0|H0EUASP0|001|B01612745^190000^1.05^1.06^1.07^1.08^1.09^1.04^1.03^1.02^1.01^1.00"
                 "^0^0^0^0^0^0^0^0^0^0^1^2^3^4^5^1^2^3^4^5^15^15^%d^15^0^0",
                 i == 0 ? 1 : 15);
        show(&n, text, t + i * NB__NS_PER_S);
    }
    const json_t *books = json_object_get(tr_at(root_of(&n), 0), "books");
    expect_number(json_object_get(books, "totals_of_five_levels"), "equal", 201);
    expect_words(&n, "so a total covers the five levels only");
    night_close(&n);
}

static void gaps_tell_whether_frames_are_thinned_out(void **state)
{
    (void)state;
    night n;
    int64_t t = at(20261120, 190000);
    const char *a = book("B01612745", "190000", "2.98", "2.97", 7, 8);
    night_open(&n);
    show(&n, frame("H0EUASP0", 2, a, a), t); /* two records of one frame are no gap */
    for (int i = 0; i < 300; i++)
        show(&n, frame("H0EUASP0", 1, a, NULL),
             t += (i % 3 + 1) * 200 * NB__NS_PER_MS + i % 7 * NB__NS_PER_MS);
    t += 3600 * NB__NS_PER_S;
    nb__evidence_link(n.evidence, 0, false, "EOF", t); /* no gap reaches over a loss */
    show(&n, frame("H0EUASP0", 1, a, NULL), t += NB__NS_PER_S);
    show(&n, frame("H0EUASP0", 1, a, NULL), t - 2 * NB__NS_PER_S); /* our clock went back */
    const json_t *root = root_of(&n), *thinning = json_object_get(tr_at(root, 0), "thinning");
    expect_number(thinning, "gaps", 300);
    expect_number(thinning, "at_200ms", 300);
    expect_number(thinning, "below_200ms", 0);
    const json_t *gaps = json_object_get(tr_at(root, 0), "gaps_log2_ms");
    expect_pair(gaps, 0, 7, 100);
    expect_pair(gaps, 1, 8, 100);
    expect_pair(gaps, 2, 9, 100);
    assert_int_equal(json_array_size(gaps), 3);
    expect_words(&n, "THINNED OUT every 0.2 s");
    const json_t *key = json_array_get(json_object_get(root, "keys"), 0);
    expect_number(key, "frames", 303);
    expect_number(key, "gap_median_ms", 384);
    assert_true(json_number_value(json_object_get(key, "gap_least_ms")) == 200);
    for (int i = 0; i < 100; i++)
        show(&n, frame("H0EUASP0", 1, a, NULL), t += 37 * NB__NS_PER_MS);
    (void)root_of(&n);
    expect_words(&n, "not thinned out every 0.2 s");
    night_close(&n);
}

/* At least 0.2 s between two frames, and no beat: a limit, too, is told. */
static void gaps_that_are_never_short_tell_of_a_limit(void **state)
{
    (void)state;
    night n;
    int64_t t = at(20261120, 190000);
    const char *a = book("B01612745", "190000", "2.98", "2.97", 7, 8);
    night_open(&n);
    for (int i = 0; i < 200; i++)
        show(&n, frame("H0EUASP0", 1, a, NULL), t += (210 + i) * NB__NS_PER_MS);
    show(&n, frame("H0EUASP0", 1, a, NULL), t += 9000 * NB__NS_PER_S);
    (void)root_of(&n);
    expect_words(&n, "PERHAPS LIMITED to one in 0.2 s");
    expect_words(&n, "<256 ms: 45, <512 ms: 154, 8389 s or more: 1\n");
    night_close(&n);
}

static void codes_and_how_long_an_appkey_was_in_use(void **state)
{
    (void)state;
    night n;
    int64_t t = at(20261120, 190000);
    night_open(&n);
    nb__evidence_link(n.evidence, 1, true, "", t - 60 * NB__NS_PER_S);
    nb__evidence_link(n.evidence, 1, false, "EOF \x1b[31m without a Close", t - NB__NS_PER_S);
    answer(&n, 1, "", NB__OPSP_IN_USE, t);
    answer(&n, 1, "", NB__OPSP_IN_USE, t + 60 * NB__NS_PER_S);
    answer(&n, 0, "B01612745", NB__OPSP_SUBSCRIBED, t + 70 * NB__NS_PER_S); /* another appkey */
    nb__evidence_link(n.evidence, 1, true, "", t + 120 * NB__NS_PER_S);
    nb__evidence_link(n.evidence, 0, true, "", t);
    nb__evidence_link(n.evidence, 0, false, NULL, t + NB__NS_PER_S); /* a rest is no loss */
    answer(&n, 1, "B01612745", NB__OPSP_SUBSCRIBED, t + 121 * NB__NS_PER_S);
    answer(&n, 1, "", NB__OPSP_IN_USE, t + 600 * NB__NS_PER_S);
    nb__answer unknown = {.code = NB__OPSP_COUNT, .rt_cd = "7", .msg_cd = "OPSP4711"};
    snprintf(unknown.msg1, sizeof unknown.msg1, "%s", "\"NEW\"\n\x1b[2Jwords");
    nb__evidence_answer(n.evidence, 0, &unknown, t);
    const json_t *root = root_of(&n), *in_use = json_object_get(root, "in_use");
    assert_int_equal(json_array_size(in_use), 2);
    assert_int_equal(json_array_size(json_object_get(root, "losses")), 1);
    expect_number(json_array_get(in_use, 0), "count", 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(in_use, 0), "cleared")),
                        "2026-11-20T19:02:01.000+09:00");
    assert_true(json_is_null(json_object_get(json_array_get(in_use, 1), "cleared")));
    expect_words(&n, "appkey 2: 11-20 19:00:00, the link before it ended 11-20 18:59:59, 2 times "
                     "until 11-20 19:01:00, free again at 11-20 19:02:01");
    expect_words(&n, "OPSP8996  rt_cd 9, 3 times: ALREADY IN USE appkey\n");
    expect_words(&n, "OPSP4711  rt_cd 7, 1 times: \"NEW\"??[2Jwords  (NOT IN OUR TABLE)");
    expect_words(&n, "appkey 2: 11-20 18:59:59 to 11-20 19:02:00: EOF ?[31m without a Close");
    assert_null(strchr(n.report.data, '\x1b'));
    night_close(&n);
}

static void approvals_and_pingpong(void **state)
{
    (void)state;
    night n;
    int64_t t = at(20261120, 190000);
    night_open(&n);
    nb__evidence_approval(n.evidence, 0, "", "", t);
    nb__evidence_approval(n.evidence, 0, "EGW00133", "once a minute", t + 59 * NB__NS_PER_S);
    nb__evidence_approval(n.evidence, 0, "EGW00103", "invalid", t + 70 * NB__NS_PER_S);
    nb__evidence_approval(n.evidence, 0, "", "", t + 131 * NB__NS_PER_S);
    nb__evidence_pingpong(n.evidence, 0, t);
    nb__evidence_pingpong(n.evidence, 1, t + NB__NS_PER_S); /* another link: no gap */
    nb__evidence_pingpong(n.evidence, 0, t + 10 * NB__NS_PER_S);
    nb__evidence_pingpong(n.evidence, 0, t + 30 * NB__NS_PER_S);
    nb__evidence_pingpong(n.evidence, 0, t + 331 * NB__NS_PER_S); /* too long: dense data */
    const json_t *root = root_of(&n), *approvals = json_object_get(root, "approvals");
    expect_number(approvals, "given", 2);
    expect_number(approvals, "shortest_gap_given_ms", 61000);
    expect_number(approvals, "longest_gap_too_often_ms", 59000);
    expect_number(json_object_get(root, "pingpong"), "count", 5);
    expect_number(json_object_get(root, "pingpong"), "mean_ms", 15000);
    expect_words(&n, "refused with EGW00133, 1 times: once a minute");
    expect_words(&n, "shortest time between two: 10.000 s");
    night_close(&n);
}

static void a_feed_that_was_not_live_is_never_called_live(void **state)
{
    (void)state;
    night n;
    night_open(&n);
    nb__evidence_feed_kind(n.evidence, NB__FEED_LIVE);
    (void)root_of(&n);
    expect_words(&n, "trade date 2026-11-23, LIVE\n");
    assert_null(strstr(n.report.data, "not KIS"));
    nb__evidence_feed_kind(n.evidence, NB__FEED_SIM);
    nb__evidence_feed_kind(n.evidence, NB__FEED_LIVE);
    (void)root_of(&n);
    expect_words(&n, "SIMULATED\n");
    expect_words(&n, "This was not KIS");
    nb__evidence_begin(n.evidence, 20261124);
    assert_int_equal(nb__evidence_trade_date(n.evidence), 20261124);
    nb__evidence_feed_kind(n.evidence, NB__FEED_LIVE);
    (void)root_of(&n);
    expect_words(&n, "trade date 2026-11-24, LIVE\n");
    night_close(&n);
}

static void tables_that_are_full_say_other(void **state)
{
    (void)state;
    night n;
    char text[100];
    int64_t t = at(20261120, 190000);
    night_open(&n);
    for (int i = 0; i < 300; i++) {
        snprintf(text, sizeof text, "0|T%d|001|K%d^1", i, i);
        show(&n, text, t);
        snprintf(text, sizeof text, "0|T0|001|K0^1%.*s", 2 * (i % 40),
                 "^1^1^1^1^1^1^1^1^1^1^1^1^1"
                 "^1^1^1^1^1^1^1^1^1^1^1^1^1^1^1^1");
        show(&n, text, t);
        nb__answer a = {.code = NB__OPSP_COUNT, .rt_cd = "1"};
        snprintf(a.msg_cd, sizeof a.msg_cd, "X%d", i);
        nb__evidence_answer(n.evidence, 99, &a, t); /* a feed beyond the table, too */
        answer(&n, 0, "", NB__OPSP_IN_USE, t);
        answer(&n, 0, "", NB__OPSP_ALREADY, t);
        nb__evidence_link(n.evidence, 0, true, "", t);
        nb__evidence_link(n.evidence, 0, false, "again", t);
        nb__evidence_approval(n.evidence, 99, text, text, t);
        nb__evidence_link(n.evidence, 99, false, "x", t);
        nb__evidence_pingpong(n.evidence, 99, t);
    }
    const json_t *root = root_of(&n);
    assert_int_equal(json_array_size(json_object_get(root, "trs")), 24);
    expect_number(root, "frames_other_tr", 276);
    assert_true(json_integer_value(json_object_get(tr_at(root, 0), "widths_other")) > 0);
    expect_number(root, "codes_other", 300 - 46);
    expect_number(root, "in_use_other", 300 - 32);
    expect_number(root, "losses_other", 300 - 64);
    expect_words(&n, "answers with yet other codes");
    night_close(&n);
}

static void the_report_reader_takes_no_other_json(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "null",
                                      "{\"nightbook_evidence\":2}",
                                      "{\"nightbook_evidence\":\"1\"}",
                                      "{\"nightbook_evidence\":1",
                                      "{\"nightbook_evidence\":1,\"nightbook_evidence\":1}",
                                      "{\"nightbook_evidence\":1} x",
                                      "\xFF"};
    nb__text out = {0};
    nb__text_string(&out, "before");
    for (size_t i = 0; i < NB__COUNT_OF(bad); i++) {
        guard g = guard_copy(bad[i], strlen(bad[i]));
        nb_error error = {0};
        assert_int_equal(nb__evidence_report((nb_span){g.data, g.size_bytes}, &out, &error),
                         NB_E_JSON);
        assert_true(error.detail[0] != '\0');
        guard_free(&g);
    }
    assert_string_equal(out.data, "before");
    nb__text_clear(&out);
    nb_span odd = NB__SPAN("{\"nightbook_evidence\":1,\"trs\":[1,{\"tr_id\":7,\"widths\":[[],3]}],"
                           "\"codes\":{},\"keys\":[null],\"snapshot\":[],\"losses\":[{}]}");
    assert_int_equal(nb__evidence_report(odd, &out, NULL), NB_OK);
    nb__text_fini(&out);
}

/* What a terminal obeys, numbers that overflow, buckets that do not exist. */
static void a_hostile_file_gives_plain_text(void **state)
{
    (void)state;
    nb__text out = {0};
    nb_span hostile = NB__SPAN(
        "{\"nightbook_evidence\":1,\"banner\":\"\\u001b]0;x\\u0007\\u009b2J\\u007f\",\"trs\":[{"
        "\"tr_id\":\"\\u001b[31m\","
        "\"records_a_frame\":[[9223372036854775807,-3]],\"gaps_log2_ms\":[[4000000000,5],[-1,2]],"
        "\"thinning\":{\"gaps\":9223372036854775807,\"at_200ms\":9223372036854775807},"
        "\"books\":{\"order_counts_told\":9223372036854775807,\"order_counts_none\":1}}],"
        "\"pingpong\":{\"count\":1,\"least_ms\":-9223372036854775808}}");
    assert_int_equal(nb__evidence_report(hostile, &out, NULL), NB_OK);
    for (size_t i = 0; i < out.size_bytes; i++) {
        unsigned char c = (unsigned char)out.data[i];
        assert_true((c >= ' ' && c != 0x7F) || c == '\n');
        assert_false(c == 0xC2 && (unsigned char)out.data[i + 1] < 0xA0);
    }
    assert_non_null(strstr(out.data, "all 0 in 1;"));
    assert_non_null(strstr(out.data, "always 0"));
    assert_non_null(strstr(out.data, "?[31m     0 in 0 frames; at most 0"));
    assert_non_null(strstr(out.data, "shortest time between two: 0.000 s"));
    nb__text_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_seen_is_null_and_said_so),
        cmocka_unit_test(widths_and_records_a_frame),
        cmocka_unit_test(phases_by_the_calendar_of_the_session),
        cmocka_unit_test(order_counts_totals_and_decimals),
        cmocka_unit_test(a_snapshot_or_not),
        cmocka_unit_test(a_clock_that_is_off_invents_no_snapshot),
        cmocka_unit_test(a_lone_old_frame_is_no_rule),
        cmocka_unit_test(a_question_without_a_case_is_not_answered),
        cmocka_unit_test(one_damaged_total_decides_nothing),
        cmocka_unit_test(gaps_that_are_never_short_tell_of_a_limit),
        cmocka_unit_test(gaps_tell_whether_frames_are_thinned_out),
        cmocka_unit_test(codes_and_how_long_an_appkey_was_in_use),
        cmocka_unit_test(approvals_and_pingpong),
        cmocka_unit_test(a_feed_that_was_not_live_is_never_called_live),
        cmocka_unit_test(tables_that_are_full_say_other),
        cmocka_unit_test(the_report_reader_takes_no_other_json),
        cmocka_unit_test(a_hostile_file_gives_plain_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
