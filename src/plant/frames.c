/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One frame from its bytes to the books and the sinks.
 *
 *     bytes ─▶ journal ─▶ UTF-8 ─▶ head ─▶ records ─▶ topics ─▶ every sink
 *                                                       ├─▶ (book TRs) decode, full time, books
 *                                                       └─▶ evidence
 *
 * Nothing here drops a frame: what cannot be split or decoded is counted and passed on. No
 * allocation a frame. What is derived depends on the bytes, the receive time and the stated clock.
 */
#include "inside.h"

static uint32_t topic_of(nb__plant *plant, nb_span tr_id, nb_span record)
{
    nb__topic topic;
    if (!nb__topic_make(tr_id, nb_record_key(record), &topic))
        return NB__TOPIC_NONE;
    uint32_t index = nb__topics_intern(plant->topics, &topic);
    if (index == NB__TOPIC_NONE)
        plant->counters.topics_refused++;
    return index;
}

/* @return whether the record is a book; `quote` is then as the books keep it. */
static bool update_book(nb__plant *plant, const nb__plant_frame *frame, const nb__record *record,
                        int64_t session_ns, int drift, nb_quote *quote)
{
    if (record->topic == NB__TOPIC_NONE ||
        nb_quote_decode(frame->head.tr, record->bytes, quote, NULL) != NB_OK) {
        plant->counters.records_bad++;
        return false;
    }
    bool is_far = false;
    quote->recv_ns = frame->recv_ns;
    quote->event_ns = nb_event_time(quote->time_hhmmss, session_ns, &is_far);
    quote->flags = (is_far ? NB_BOOK_FAR_TIME : 0u) | (drift > 0 ? NB_BOOK_DRIFT : 0u);
    plant->feed_of[record->topic] =
        plant->player.source != NULL ? plant->player.origin : (uint8_t)frame->feed;
    nb__product product = nb__books_product(plant->books, record->topic, nb__span(quote->key));
    nb__books_apply(plant->books, record->topic, product, quote);
    return true;
}

/* A TR grew: told once a width, so that its reader hears of it before its program does. */
static void tell_drift(nb__plant *plant, const nb__plant_frame *frame, const nb_records *walk)
{
    const nb_tr *tr = frame->head.tr;
    for (uint32_t i = 0; i < plant->width_count; i++)
        if (plant->widths[i].tr == tr && plant->widths[i].stride == walk->stride)
            return;
    if (plant->width_count == WIDTHS_MAX)
        return;
    plant->widths[plant->width_count++] = (nb__width){tr, walk->stride};
    nb__scribe_drift(plant, frame, walk->stride);
    nb__log(NB__LOG_WARN, "feed",
            "%s comes with %d fields, %d are documented: the known ones are read, all are "
            "passed on\n"
            "right as long as KIS adds at the end; books whose totals contradict their levels "
            "would say otherwise (flags `total`, `change`)",
            tr->id, walk->stride, (int)tr->field_count);
    nb__plant_tell(plant, NB__NOTICE_DRIFT, &plant->feeds[frame->feed],
                   "%s comes with %d fields, %d are documented", tr->id, walk->stride,
                   (int)tr->field_count);
}

static void use_records(nb__plant *plant, const nb__plant_frame *frame, const nb_records *walk)
{
    bool is_book = frame->head.tr != NULL && frame->head.tr->is_book;
    int64_t session_ns = nb__session_clock_at(&plant->feeds[frame->feed].clock, frame->recv_ns);
    for (uint32_t i = 0; i < frame->record_count; i++) {
        const nb__record *record = &frame->records[i];
        nb_quote quote;
        bool has_quote =
            is_book && update_book(plant, frame, record, session_ns, walk->drift, &quote);
        nb__keeper_record(&plant->keeper, frame, record, has_quote ? &quote : NULL, session_ns);
    }
    nb__keeper_frame_end(&plant->keeper, frame, walk->stride, session_ns);
}

static void split_records(nb__plant *plant, nb__plant_frame *frame, nb_records *walk)
{
    nb__record *records = plant->records;
    uint32_t count = 0;
    bool is_one_key = true;
    nb_span bytes;
    while (count < NB_FRAME_RECORDS_MAX && nb_records_next(walk, &bytes)) {
        records[count] = (nb__record){topic_of(plant, frame->head.tr_id, bytes), bytes};
        is_one_key &= records[count].topic == records[0].topic;
        count++;
    }
    frame->is_split = true;
    frame->is_one_key = count == 1 || (is_one_key && records[0].topic != NB__TOPIC_NONE);
    frame->record_count = count;
    plant->counters.records += count;
    if (walk->drift > 0 && frame->head.tr != NULL) {
        plant->counters.records_drifted += count;
        tell_drift(plant, frame, walk);
    }
    use_records(plant, frame, walk);
}

/* A frame whose records are not known goes to who wants its first key; an encrypted one has none to
 * see. */
static void leave_whole(nb__plant *plant, nb__plant_frame *frame, bool has_head)
{
    nb_span payload = has_head ? frame->head.payload : frame->bytes;
    bool has_key = has_head && !frame->head.is_encrypted;
    uint32_t topic = has_key ? topic_of(plant, frame->head.tr_id, payload) : NB__TOPIC_NONE;
    plant->records[0] = (nb__record){topic, payload};
    frame->record_count = 1;
    if (has_head && frame->head.is_encrypted)
        nb__keeper_frame_end(
            &plant->keeper, frame, 0,
            nb__session_clock_at(&plant->feeds[frame->feed].clock, frame->recv_ns));
}

void nb__plant_on_message(nb__plant *plant, uint32_t feed, char *text, size_t size_bytes,
                          int64_t recv_ns)
{
    nb__plant_counters *counters = &plant->counters;
    nb__scribe_message(plant, feed, (nb_span){text, size_bytes}, recv_ns);
    nb__latency_frame(plant, recv_ns);
    counters->frames++;
    counters->bytes += size_bytes;
    counters->bytes_scrubbed += nb__utf8_scrub(text, size_bytes);
    nb__plant_frame frame = {
        .bytes = {text, size_bytes}, .recv_ns = recv_ns, .feed = feed, .records = plant->records};
    nb_records walk;
    nb_err err = nb_frame_split(frame.bytes, &frame.head, NULL);
    bool has_head = err == NB_OK;
    if (has_head)
        err = nb_records_begin(&frame.head, &walk, NULL);
    if (has_head && frame.head.is_encrypted)
        counters->frames_encrypted++;
    else if (has_head && frame.head.tr == NULL)
        counters->frames_unknown_tr++;
    if (err == NB_OK) {
        split_records(plant, &frame, &walk);
    } else {
        counters->frames_unsplit += err != NB_E_ENCRYPTED;
        leave_whole(plant, &frame, has_head);
    }
    plant->has_news = true;
    for (size_t i = 0; i < plant->sink_count; i++)
        plant->sinks[i].frame(plant->sinks[i].self, &frame);
}

void nb__frames_set_stale(nb__plant *plant, uint32_t feed)
{
    uint32_t count = nb__topics_count(plant->topics);
    for (uint32_t topic = 0; topic < count; topic++)
        if (plant->feed_of[topic] == feed)
            nb__books_set_stale_at(plant->books, topic);
}
