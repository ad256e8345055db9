/* SPDX-License-Identifier: Apache-2.0 */
/* The life of one frame: split, routed, decoded, counted, and passed on whatever it is. */
#include "guard.h"
#include "plant/plant.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOOK                                                                                       \
    "190159^2.98^2.99^3.00^0.00^0.00^2.97^2.96^2.95^0.00^0.00^0^0^0^0^0^0^0^0^0^0^1^3^12^0^0^"     \
    "9^21^16^0^0^0^0^16^46^5^0"
#define FUTURE                                                                                     \
    "190215^367.35^367.40^367.45^0.00^0.00^367.30^367.25^367.20^0.00^0.00^0^0^0^0^0^0^0^0^0^0^"    \
    "24^21^21^0^0^2^28^20^0^0^0^0^0^0^^0^0^0^0^0^^000000^2^"

typedef struct seen {
    char bytes[512 * 1024];
    size_t size_bytes;
    nb__plant_frame frame;
    uint32_t topics[NB_FRAME_RECORDS_MAX];
    nb_span first_record;
    int frames, marks;
} seen;

typedef struct rig {
    nb__loop *loop;
    nb__plant *plant;
    nb__feed_config feeds[2];
    seen seen;
    nb__notice_kind notice;
    int notices;
    int64_t recv_ns;
} rig;

static void on_frame(void *self, const nb__plant_frame *frame)
{
    seen *s = self;
    assert_true(frame->bytes.size_bytes <= sizeof s->bytes);
    memcpy(s->bytes, frame->bytes.data, frame->bytes.size_bytes);
    s->size_bytes = frame->bytes.size_bytes;
    s->frame = *frame;
    for (uint32_t i = 0; i < frame->record_count; i++)
        s->topics[i] = frame->records[i].topic;
    s->first_record = frame->records[0].bytes;
    s->frames++;
}

static void on_mark(void *self, const nb__mark *mark)
{
    (void)mark;
    ((seen *)self)->marks++;
}

static void on_registration(void *self, uint32_t topic)
{
    (void)self;
    (void)topic;
}

static int open_rig(void **state)
{
    rig *r = calloc(1, sizeof *r);
    nb__feed_config feed = {.kind = NB__FEED_OTHER, .session = nb__session_config_default()};
    const nb__feed_config *pair = r == NULL ? NULL : r->feeds;
    nb__plant_config config = {.feeds = pair,
                               .feed_count = 2,
                               .plan = nb__plan_config_default(),
                               .topics_max = 64,
                               .calendar = nb_calendar_builtin()};
    if (r == NULL || nb__loop_new(&r->loop, NULL) != NB_OK ||
        nb__address_parse("ws://127.0.0.1:1", &feed.address, NULL) != NB_OK)
        return -1;
    r->feeds[0] = r->feeds[1] = feed;
    if (nb__plant_open(r->loop, &config, &r->plant, NULL) != NB_OK)
        return -1;
    nb__plant_add_sink(r->plant, &(nb__sink){&r->seen, on_frame, on_mark, on_registration});
    r->recv_ns = nb__kst_ns(20261120, 190201);
    *state = r;
    return 0;
}

static int close_rig(void **state)
{
    rig *r = *state;
    nb__plant_close(r->plant);
    nb__loop_free(r->loop);
    free(r);
    return 0;
}

/* Feed a message from memory that ends at an unmapped page; the sink must have seen these very
 * bytes. */
static void feed_as(rig *r, const char *text, size_t size_bytes, const char *expected)
{
    guard g = guard_copy(text, size_bytes);
    int before = r->seen.frames;
    nb__plant_on_message(r->plant, 0, g.data, size_bytes, r->recv_ns);
    assert_int_equal(r->seen.frames, before + 1);
    assert_int_equal(r->seen.size_bytes, size_bytes);
    assert_memory_equal(r->seen.bytes, expected, size_bytes);
    guard_free(&g);
}

static void feed(rig *r, const char *text)
{
    feed_as(r, text, strlen(text), text);
}

static uint32_t topic_of(rig *r, const char *tr_id, const char *key)
{
    nb__topic topic;
    assert_true(nb__topic_make(nb__span(tr_id), nb__span(key), &topic));
    return nb__topics_find(nb__plant_topics(r->plant), &topic);
}

static const nb__book *book_of(rig *r, const char *key)
{
    return nb__books_at(nb__plant_books(r->plant), topic_of(r, "H0EUASP0", key));
}

static void a_book_frame_updates_its_book_and_passes(void **state)
{
    rig *r = *state;
    feed(r, "0|H0EUASP0|001|301V06362^" BOOK);
    assert_true(r->seen.frame.is_split && r->seen.frame.is_one_key);
    assert_int_equal(r->seen.frame.record_count, 1);
    assert_int_equal(r->seen.topics[0], topic_of(r, "H0EUASP0", "301V06362"));
    const nb__book *book = book_of(r, "301V06362");
    assert_non_null(book);
    assert_int_equal(book->update_count, 1);
    assert_int_equal(book->quote.ask[0].price, 2980000000);
    assert_int_equal(book->quote.bid[0].quantity, 9);
    assert_int_equal(book->quote.recv_ns, r->recv_ns);
    assert_int_equal(book->quote.event_ns, nb__kst_ns(20261120, 190159));
    assert_int_equal(book->quote.flags & (NB_BOOK_FAR_TIME | NB_BOOK_DRIFT | NB_BOOK_STALE), 0);
    const nb__plant_counters *count = nb__plant_count(r->plant);
    assert_int_equal(count->frames, 1);
    assert_int_equal(count->records, 1);
    assert_int_equal(count->bytes, r->seen.size_bytes);
}

/* 2.98 is on KOSPI200's tick of 0.01 and on none of KOSDAQ150's 0.1 (KRX). */
static void the_tick_is_that_of_the_codes_product(void **state)
{
    rig *r = *state;
    for (int i = 0; i < 2; i++) {
        feed(r, "0|H0EUASP0|001|B01612A46^" BOOK);
        feed(r, "0|H0EUASP0|001|B06612A46^" BOOK);
        assert_int_equal(book_of(r, "B01612A46")->quote.flags & NB_BOOK_OFF_TICK, 0);
        assert_true(book_of(r, "B06612A46")->quote.flags & NB_BOOK_OFF_TICK);
    }
}

static void a_time_far_from_the_receive_time_is_flagged(void **state)
{
    rig *r = *state;
    r->recv_ns = nb__kst_ns(20261120, 213000);
    feed(r, "0|H0EUASP0|001|301V06362^" BOOK);
    assert_true(book_of(r, "301V06362")->quote.flags & NB_BOOK_FAR_TIME);
}

static void records_of_several_keys_are_told_apart(void **state)
{
    rig *r = *state;
    feed(r, "0|H0EUASP0|003|AAAAAA^" BOOK "^BBBBBB^" BOOK "^AAAAAA^" BOOK);
    assert_true(r->seen.frame.is_split);
    assert_false(r->seen.frame.is_one_key);
    assert_int_equal(r->seen.frame.record_count, 3);
    assert_int_equal(r->seen.topics[0], r->seen.topics[2]);
    assert_int_not_equal(r->seen.topics[0], r->seen.topics[1]);
    assert_int_equal(book_of(r, "AAAAAA")->update_count, 2);
    assert_int_equal(book_of(r, "BBBBBB")->update_count, 1);
    feed(r, "0|H0EUASP0|002|AAAAAA^" BOOK "^AAAAAA^" BOOK);
    assert_true(r->seen.frame.is_one_key);
}

static void a_thousand_records_less_one(void **state)
{
    rig *r = *state;
    nb__text text = {0};
    nb__text_string(&text, "0|H0EUASP0|999|");
    for (int i = 0; i < 999; i++)
        nb__text_printf(&text, "%sKEY%03d^" BOOK, i > 0 ? "^" : "", i % 10);
    feed(r, text.data);
    assert_int_equal(r->seen.frame.record_count, 999);
    assert_int_equal(nb__plant_count(r->plant)->records, 999);
    assert_int_equal(book_of(r, "KEY000")->update_count, 100);
    nb__text_fini(&text);
}

static void drift_is_counted_flagged_and_passed(void **state)
{
    rig *r = *state;
    feed(r, "0|H0EUASP0|002|AAAAAA^" BOOK "^7^8^BBBBBB^" BOOK "^7^8");
    assert_true(r->seen.frame.is_split);
    assert_true(book_of(r, "AAAAAA")->quote.flags & NB_BOOK_DRIFT);
    assert_int_equal(book_of(r, "AAAAAA")->quote.field_count, 40);
    assert_int_equal(nb__plant_count(r->plant)->records_drifted, 2);
    feed(r, "0|H0MFASP0|001|101V06^" FUTURE); /* KIS's own sample: wider than its document */
    assert_int_equal(nb__plant_count(r->plant)->records_drifted, 3);
    assert_int_equal(nb__plant_count(r->plant)->records_bad, 0);
}

static void an_unknown_tr_is_split_routed_and_counted(void **state)
{
    rig *r = *state;
    feed(r, "0|H0XXYYZ0|002|KEY1^1^2^KEY2^3^4");
    assert_true(r->seen.frame.is_split);
    assert_int_equal(r->seen.frame.record_count, 2);
    assert_null(r->seen.frame.head.tr);
    assert_int_equal(r->seen.topics[1], topic_of(r, "H0XXYYZ0", "KEY2"));
    assert_int_equal(nb__plant_count(r->plant)->frames_unknown_tr, 1);
}

static void an_encrypted_frame_passes_unread(void **state)
{
    rig *r = *state;
    feed(r, "1|H0IFCNI0|001|U0lOVEhFVElDLUNJUEhFUlRFWFQ=");
    assert_false(r->seen.frame.is_split);
    assert_int_equal(r->seen.frame.record_count, 1);
    assert_int_equal(r->seen.topics[0], NB__TOPIC_NONE);
    assert_true(r->seen.frame.head.is_encrypted);
    assert_int_equal(nb__plant_count(r->plant)->frames_encrypted, 1);
    assert_int_equal(nb__plant_count(r->plant)->frames_unsplit, 0);
}

static void what_cannot_be_split_goes_to_its_first_key(void **state)
{
    rig *r = *state;
    feed(r, "0|H0EUASP0|002|AAAAAA^1^2");
    assert_false(r->seen.frame.is_split);
    assert_int_equal(r->seen.topics[0], topic_of(r, "H0EUASP0", "AAAAAA"));
    assert_int_equal(nb__plant_count(r->plant)->frames_unsplit, 1);
    assert_null(book_of(r, "AAAAAA"));
}

static void garbage_passes_without_a_topic(void **state)
{
    rig *r = *state;
    static const char *const garbage[] = {
        "", "0", "0|", "hello", "0||001|x", "2|H0EUASP0|", "0|a|000|x", "0|H0EUASP0|001|"};
    for (size_t i = 0; i < NB__COUNT_OF(garbage); i++) {
        feed(r, garbage[i]);
        assert_false(r->seen.frame.is_split);
        assert_int_equal(r->seen.topics[0], NB__TOPIC_NONE);
    }
    assert_int_equal(nb__plant_count(r->plant)->frames, NB__COUNT_OF(garbage));
    assert_int_equal(nb__plant_count(r->plant)->frames_unsplit, NB__COUNT_OF(garbage));
}

static void a_bad_number_is_counted_and_the_rest_decoded(void **state)
{
    rig *r = *state;
    feed(r, "0|H0EUASP0|002|AAAAAA^1901x9^"
            "2.98^2.99^3.00^0.00^0.00^2.97^2.96^2.95^0.00^0.00^0^0^0^0^0^0^0^0^0^0^1^3^"
            "12^0^0^9^21^16^0^0^0^0^16^46^5^0^BBBBBB^" BOOK);
    assert_true(r->seen.frame.is_split);
    assert_int_equal(nb__plant_count(r->plant)->records_bad, 1);
    assert_null(book_of(r, "AAAAAA"));
    assert_non_null(book_of(r, "BBBBBB"));
}

static void bytes_that_are_not_utf8_become_question_marks(void **state)
{
    rig *r = *state;
    static const char text[] = "0|H0XXYYZ0|001|KEY1^\xC0\xB0\xED\x95\x9C^\xFF";
    static const char clean[] = "0|H0XXYYZ0|001|KEY1^??\xED\x95\x9C^?";
    feed_as(r, text, sizeof text - 1, clean);
    assert_int_equal(nb__plant_count(r->plant)->bytes_scrubbed, 3);
}

static void a_full_topic_table_refuses_topics_and_no_frames(void **state)
{
    rig *r = *state;
    char text[64];
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "0|H0XXYYZ0|001|KEY%03d^1", i);
        feed(r, text);
    }
    assert_int_equal(nb__plant_count(r->plant)->topics_refused, 100 - 64);
    assert_int_equal(r->seen.topics[0], NB__TOPIC_NONE);
    assert_true(r->seen.frame.is_split);
}

/* Every prefix of a frame passes and is counted; none is read past its end (guard page). */
static void every_prefix_of_a_frame_passes(void **state)
{
    rig *r = *state;
    static const char text[] = "0|H0EUASP0|002|AAAAAA^" BOOK "^BBBBBB^" BOOK;
    for (size_t size = 0; size < sizeof text; size++)
        feed_as(r, text, size, text);
    assert_int_equal(nb__plant_count(r->plant)->frames, sizeof text);
}

static void no_allocation_a_frame(void **state)
{
    rig *r = *state;
    static const char text[] = "0|H0EUASP0|002|AAAAAA^" BOOK "^BBBBBB^" BOOK;
    feed(r, text);
    char copy[sizeof text];
    memcpy(copy, text, sizeof text);
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < 1000; i++)
        nb__plant_on_message(r->plant, 0, copy, sizeof text - 1, r->recv_ns);
    assert_int_equal(mallinfo2().uordblks, before.uordblks);
}

static void metrics_name_every_counter(void **state)
{
    (void)state;
    assert_int_equal(nb__plant_metric_count * sizeof(uint64_t), sizeof(nb__plant_counters));
    assert_int_equal(nb__session_metric_count * sizeof(uint64_t), sizeof(nb__session_counters));
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_book_frame_updates_its_book_and_passes),
        T(the_tick_is_that_of_the_codes_product),
        T(a_time_far_from_the_receive_time_is_flagged),
        T(records_of_several_keys_are_told_apart),
        T(a_thousand_records_less_one),
        T(drift_is_counted_flagged_and_passed),
        T(an_unknown_tr_is_split_routed_and_counted),
        T(an_encrypted_frame_passes_unread),
        T(what_cannot_be_split_goes_to_its_first_key),
        T(garbage_passes_without_a_topic),
        T(a_bad_number_is_counted_and_the_rest_decoded),
        T(bytes_that_are_not_utf8_become_question_marks),
        T(a_full_topic_table_refuses_topics_and_no_frames),
        T(every_prefix_of_a_frame_passes),
        T(no_allocation_a_frame),
        cmocka_unit_test(metrics_name_every_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
