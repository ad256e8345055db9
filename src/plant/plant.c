/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plant: one frame from its bytes to the books and the sinks, and the wiring of feed, masters
 * and books.
 *
 *     bytes ─▶ UTF-8 ─▶ head ─▶ records ─▶ topics ─▶ every sink
 *                                             └─▶ (book TRs) decode, full time, books
 *
 * Nothing here drops a frame: what cannot be split or decoded is counted and passed on. No
 * allocation a frame.
 */
#include "feed.h"
#include "masters.h"
#include <stdlib.h>
#include <string.h>

#define SINKS_MAX 4
#define PRODUCT_NOT_ASKED UINT8_MAX

struct nb__plant {
    nb__feed feed;
    nb__masters masters;
    nb__topics *topics;
    nb__books *books;
    uint8_t *products; /* by topic: the code's product, asked once */
    const nb_calendar *calendar;
    uint32_t own_keys_max;
    bool is_up;
    char refusal_told[sizeof((nb__answer *)NULL)->msg_cd];
    char atm_code[sizeof((nb__instrument *)NULL)->code];
    nb__sink sinks[SINKS_MAX];
    size_t sink_count;
    nb__plant_counters counters;
    nb__record records[NB_FRAME_RECORDS_MAX];
};

/* ---- one frame ---- */

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

static nb__product product_of(nb__plant *plant, uint32_t topic)
{
    uint8_t *product = &plant->products[topic];
    if (*product == PRODUCT_NOT_ASKED)
        *product =
            (uint8_t)nb__product_of_code(nb__span(nb__topics_at(plant->topics, topic)->tr_key));
    return (nb__product)*product;
}

static void update_book(nb__plant *plant, const nb__plant_frame *frame, const nb__record *record,
                        int drift)
{
    nb_quote quote;
    if (record->topic == NB__TOPIC_NONE ||
        nb_quote_decode(frame->head.tr, record->bytes, &quote, NULL) != NB_OK) {
        plant->counters.records_bad++;
        return;
    }
    bool is_far = false;
    quote.recv_ns = frame->recv_ns;
    quote.event_ns = nb_event_time(
        quote.time_hhmmss, nb__session_clock_at(&plant->feed.clock, frame->recv_ns), &is_far);
    quote.flags = (is_far ? NB_BOOK_FAR_TIME : 0u) | (drift > 0 ? NB_BOOK_DRIFT : 0u);
    nb__books_apply(plant->books, record->topic, product_of(plant, record->topic), &quote);
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
    if (walk->drift > 0)
        plant->counters.records_drifted += count;
    if (frame->head.tr == NULL || !frame->head.tr->is_book)
        return;
    for (uint32_t i = 0; i < count; i++)
        update_book(plant, frame, &records[i], walk->drift);
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
}

void nb__plant_on_message(nb__plant *plant, char *text, size_t size_bytes, int64_t recv_ns)
{
    nb__plant_counters *counters = &plant->counters;
    counters->frames++;
    counters->bytes += size_bytes;
    counters->bytes_scrubbed += nb__utf8_scrub(text, size_bytes);
    nb__plant_frame frame = {
        .bytes = {text, size_bytes}, .recv_ns = recv_ns, .records = plant->records};
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
    for (size_t i = 0; i < plant->sink_count; i++)
        plant->sinks[i].frame(plant->sinks[i].self, &frame);
}

/* ---- what the feed tells ---- */

static void feed_message(void *self, char *text, size_t size_bytes, int64_t recv_ns)
{
    nb__plant_on_message(self, text, size_bytes, recv_ns);
}

static void feed_control(void *self, bool is_known)
{
    nb__plant *plant = self;
    plant->counters.other_messages += !is_known;
}

static void feed_link(void *self, bool is_up, const nb__session_clock *clock, const char *reason)
{
    nb__plant *plant = self;
    plant->is_up = is_up;
    if (!is_up)
        nb__books_set_stale(plant->books);
    nb__mark mark = {.kind = is_up ? NB__MARK_LINK_UP : NB__MARK_LINK_DOWN,
                     .recv_ns = nb__clock_real_ns(),
                     .reason = reason};
    for (size_t i = 0; i < plant->sink_count; i++)
        plant->sinks[i].mark(plant->sinks[i].self, &mark);
    if (!is_up)
        return;
    int64_t session_ns = nb__session_clock_at(clock, mark.recv_ns);
    nb__masters_start(&plant->masters, nb_night_before(plant->calendar, session_ns).start_date);
}

/* A refusal is told once a code, not once a key: a client may name thousands. Counters have the
 * rest. */
static void tell_refusal(nb__plant *plant, uint32_t topic)
{
    const nb__registration *registration = nb__plant_registration(plant, topic);
    if (registration == NULL || registration->state != NB__REG_REJECTED ||
        strcmp(plant->refusal_told, registration->answer.msg_cd) == 0)
        return;
    memcpy(plant->refusal_told, registration->answer.msg_cd, sizeof plant->refusal_told);
    const nb__topic *name = nb__topics_at(plant->topics, topic);
    nb__log(NB__LOG_WARN, "feed",
            "%s refuses %s %s: %s %s\n"
            "who asked is told so; further keys refused with this code are only counted",
            plant->feed.name, name->tr_id, name->tr_key, registration->answer.msg_cd,
            registration->answer.msg1);
}

static void feed_registration(void *self, uint32_t topic)
{
    nb__plant *plant = self;
    tell_refusal(plant, topic);
    for (size_t i = 0; i < plant->sink_count; i++)
        plant->sinks[i].registration(plant->sinks[i].self, topic);
}

/* ---- our own registrations ---- */

static bool want_own(nb__plant *plant, const nb__instrument *row)
{
    nb__topic topic;
    const char *tr_id = row->right == 'F' ? "H0MFASP0" : "H0EUASP0";
    if (!nb__topic_make(nb__span(tr_id), nb__span(row->code), &topic))
        return true;
    uint32_t index = nb__topics_intern(plant->topics, &topic);
    return index != NB__TOPIC_NONE && nb__session_want(plant->feed.session, index, NB__WANT_WINDOW,
                                                       nb__loop_mono_ns(plant->feed.loop)) == NB_OK;
}

static void masters_loaded(void *self)
{
    nb__plant *plant = self;
    const nb__master *master = &plant->masters.master;
    const nb__instrument **rows = calloc(master->count, sizeof(const nb__instrument *));
    size_t count = rows == NULL ? 0 : nb__nearest(master, rows);
    plant->atm_code[0] = '\0';
    for (size_t i = 0; i < count && plant->atm_code[0] == '\0'; i++)
        if (rows[i]->right != 'F')
            memcpy(plant->atm_code, rows[i]->code, sizeof plant->atm_code);
    size_t wanted = 0;
    while (wanted < count && wanted < plant->own_keys_max && want_own(plant, rows[wanted]))
        wanted++;
    free(rows);
    if (wanted > 0)
        nb__feed_stir(&plant->feed);
}

/* ---- the door ---- */

static nb_err allocate(nb__plant *plant, uint32_t topics_max, nb_error *error)
{
    plant->topics = nb__topics_new(topics_max);
    plant->books = nb__books_new(topics_max);
    plant->products = malloc(topics_max);
    if (plant->topics == NULL || plant->books == NULL || plant->products == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "no memory for %u topics", (unsigned)topics_max);
    memset(plant->products, PRODUCT_NOT_ASKED, topics_max);
    return NB_OK;
}

nb_err nb__plant_open(nb__loop *loop, const nb__plant_config *config, nb__plant **out,
                      nb_error *error)
{
    nb__plant *plant = calloc(1, sizeof *plant);
    if (plant == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    nb__plant_config full = *config;
    if (full.topics_max == 0)
        full.topics_max = 65536;
    plant->calendar = config->calendar;
    plant->own_keys_max = config->own_keys_max;
    const nb__feed_handler handler = {.self = plant,
                                      .message = feed_message,
                                      .control = feed_control,
                                      .link = feed_link,
                                      .registration = feed_registration};
    nb__masters_init(&plant->masters, loop, &config->feed, masters_loaded, plant);
    nb_err err = allocate(plant, full.topics_max, error);
    if (err == NB_OK)
        err = nb__feed_open(&plant->feed, loop, &full, plant->topics, &handler, error);
    if (err != NB_OK) {
        nb__plant_close(plant);
        return err;
    }
    *out = plant;
    return NB_OK;
}

void nb__plant_shutdown(nb__plant *plant)
{
    nb__feed_shut(&plant->feed);
}

void nb__plant_close(nb__plant *plant)
{
    if (plant == NULL)
        return;
    nb__masters_fini(&plant->masters);
    nb__feed_close(&plant->feed);
    nb__books_free(plant->books);
    nb__topics_free(plant->topics);
    free(plant->products);
    free(plant);
}

void nb__plant_add_sink(nb__plant *plant, const nb__sink *sink)
{
    if (plant->sink_count < SINKS_MAX)
        plant->sinks[plant->sink_count++] = *sink;
}

nb_err nb__plant_want(nb__plant *plant, uint32_t topic)
{
    nb_err err = nb__session_want(plant->feed.session, topic, NB__WANT_CLIENT,
                                  nb__loop_mono_ns(plant->feed.loop));
    nb__feed_stir(&plant->feed);
    return err;
}

void nb__plant_release(nb__plant *plant, uint32_t topic)
{
    nb__session_release(plant->feed.session, topic, nb__loop_mono_ns(plant->feed.loop));
    nb__feed_stir(&plant->feed);
}

nb__topics *nb__plant_topics(nb__plant *plant)
{
    return plant->topics;
}

const nb__books *nb__plant_books(const nb__plant *plant)
{
    return plant->books;
}

const nb__registration *nb__plant_registration(const nb__plant *plant, uint32_t topic)
{
    return nb__session_registration(plant->feed.session, topic);
}

bool nb__plant_is_up(const nb__plant *plant)
{
    return plant->is_up;
}

const nb__master *nb__plant_master(const nb__plant *plant)
{
    return &plant->masters.master;
}

nb_span nb__plant_master_zip(const nb__plant *plant, nb_span name)
{
    return nb__masters_zip(&plant->masters, name);
}

const char *nb__plant_atm_code(const nb__plant *plant)
{
    return plant->atm_code;
}

const nb_calendar *nb__plant_calendar(const nb__plant *plant)
{
    return plant->calendar;
}

const nb__session_clock *nb__plant_clock(const nb__plant *plant)
{
    return &plant->feed.clock;
}

const nb__session *nb__plant_session(const nb__plant *plant)
{
    return plant->feed.session;
}

const char *nb__plant_feed_name(const nb__plant *plant)
{
    return plant->feed.name;
}

const nb__plant_counters *nb__plant_count(const nb__plant *plant)
{
    return &plant->counters;
}

#define METRIC(field, metric_name, metric_help)                                                    \
    {                                                                                              \
        metric_name, metric_help, offsetof(nb__plant_counters, field), false                       \
    }
const nb__metric nb__plant_metrics[] = {
    METRIC(frames, "feed_frames_total", "Data messages received from the feed."),
    METRIC(records, "feed_records_total", "Records in them."),
    METRIC(bytes, "feed_bytes_total", "Bytes of data messages."),
    METRIC(frames_unsplit, "feed_frames_unsplit_total",
           "Frames whose records could not be told apart."),
    METRIC(records_bad, "feed_records_bad_total", "Book records that could not be decoded."),
    METRIC(records_drifted, "feed_records_drifted_total", "Records wider than documented."),
    METRIC(frames_encrypted, "feed_frames_encrypted_total", "Encrypted frames, passed on unread."),
    METRIC(frames_unknown_tr, "feed_frames_unknown_tr_total", "Frames of a TR without a schema."),
    METRIC(bytes_scrubbed, "feed_bytes_scrubbed_total",
           "Bytes that were not UTF-8, replaced by '?'."),
    METRIC(topics_refused, "feed_topics_refused_total",
           "Records whose key found the topic table full."),
    METRIC(other_messages, "feed_other_messages_total",
           "Control messages that nightbook does not know."),
};
const size_t nb__plant_metric_count = NB__COUNT_OF(nb__plant_metrics);
