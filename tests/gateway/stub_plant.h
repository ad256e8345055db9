/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plant that does what the test says. Its functions stand before those of libnb_plant in the
 * link, so that the real one is left out: registrations are decided by the test, and frames come
 * when it calls stub_frame().
 */
#ifndef STUB_PLANT_H
#define STUB_PLANT_H

#include "guard.h"
#include "plant/plant.h"
#include <stdlib.h>
#include <string.h>

#define STUB_TOPICS 4096
#define STUB_FEEDS 2

struct nb__plant {
    nb__topics *topics;
    nb__books *books;
    nb__session *sessions[STUB_FEEDS];
    nb__plan *plan;
    nb__symbols *symbols;
    nb__evidence *evidence;
    nb__sink sink;
    nb__session_clock clock;
    nb__master master;
    const char *master_zip;
    nb__plant_counters counters;
    nb__registration registrations[STUB_TOPICS];
    nb__record records[NB_FRAME_RECORDS_MAX];
    uint32_t wants, releases, slots, feed_count;
    bool is_up, confirms_at_once;
    int64_t down_ns;
    const char *reason;
    /* a replay */
    bool is_replay;
    nb__gate gate;
    nb__gate_state gate_state;
    nb__replay_view replay;
    nb__replay_command command;
    uint32_t pulls, commands;
    uint32_t unsynced; /* frames that are not in the journal yet */
    uint32_t syncs;
    nb__recorder_view *recording;
    nb__recorder_counters recorder_counters;
    nb__hist latency;
};

const nb__metric nb__plant_metrics[] = {{"feed_frames_total", "Frames.", 0, false}};
const size_t nb__plant_metric_count = 1;

void nb__plant_add_sink(nb__plant *plant, const nb__sink *sink)
{
    plant->sink = *sink;
}

nb__topics *nb__plant_topics(nb__plant *plant)
{
    return plant->topics;
}

/* Whoever asks is about to tell somebody. */
const nb__books *nb__plant_books(const nb__plant *plant)
{
    assert_int_equal(plant->unsynced, 0);
    return plant->books;
}

nb_err nb__plant_want(nb__plant *plant, uint32_t topic)
{
    if (plant->wants - plant->releases >= plant->slots)
        return NB_E_LIMIT;
    plant->wants++;
    if (plant->registrations[topic].state == NB__REG_NONE)
        plant->registrations[topic].state =
            plant->confirms_at_once ? NB__REG_CONFIRMED : NB__REG_PENDING;
    return NB_OK;
}

void nb__plant_release(nb__plant *plant, uint32_t topic)
{
    plant->releases++;
    plant->registrations[topic].state = NB__REG_NONE;
}

const nb__registration *nb__plant_registration(const nb__plant *plant, uint32_t topic)
{
    return &plant->registrations[topic];
}

bool nb__plant_is_up(const nb__plant *plant)
{
    return plant->is_up;
}

const nb__master *nb__plant_master(const nb__plant *plant)
{
    return &plant->master;
}

nb_span nb__plant_master_zip(const nb__plant *plant, nb_span name)
{
    return nb__span_is(name, "fo_eurex_code.mst.zip") ? nb__span(plant->master_zip) : (nb_span){0};
}

const nb_calendar *nb__plant_calendar(const nb__plant *plant)
{
    (void)plant;
    return nb_calendar_builtin();
}

const nb__session_clock *nb__plant_clock(const nb__plant *plant)
{
    return &plant->clock;
}

void nb__plant_sync(nb__plant *plant)
{
    plant->unsynced = 0;
    plant->syncs++;
}

bool nb__plant_recording(const nb__plant *plant, nb__recorder_view *out)
{
    if (plant->recording != NULL)
        *out = *plant->recording;
    return plant->recording != NULL;
}

const nb__hist *nb__plant_latency(const nb__plant *plant)
{
    return &plant->latency;
}

const nb__plant_counters *nb__plant_count(const nb__plant *plant)
{
    assert_int_equal(plant->unsynced, 0);
    return &plant->counters;
}

const nb__plan *nb__plant_plan(const nb__plant *plant)
{
    return plant->plan;
}

const nb__symbols *nb__plant_symbols(const nb__plant *plant)
{
    return plant->symbols;
}

const nb__evidence *nb__plant_evidence(const nb__plant *plant)
{
    return plant->evidence;
}

int64_t nb__plant_down_ns(const nb__plant *plant)
{
    return plant->down_ns;
}

const char *nb__plant_reason(const nb__plant *plant)
{
    return plant->reason;
}

uint32_t nb__plant_feed_count(const nb__plant *plant)
{
    return plant->feed_count;
}

nb__feed_view nb__plant_feed_at(const nb__plant *plant, uint32_t feed)
{
    return (nb__feed_view){.name = feed == 0 ? "main" : "se\"cond",
                           .address = "ws://127.0.0.1:1",
                           .appkey_hash = "0123456789abcdef",
                           .session = plant->sessions[feed],
                           .is_up = plant->is_up};
}

const char *nb__plant_feed_name(const nb__plant *plant)
{
    (void)plant;
    return "stub <&\">";
}

void nb__plant_set_gate(nb__plant *plant, const nb__gate *gate)
{
    plant->gate = gate != NULL ? *gate : (nb__gate){0};
}

void nb__plant_pull(nb__plant *plant)
{
    plant->pulls++;
}

bool nb__plant_replay(const nb__plant *plant, nb__replay_view *out, nb__gate_state *gate)
{
    *out = plant->replay;
    *gate = plant->gate_state;
    return plant->is_replay;
}

nb_err nb__plant_replay_command(nb__plant *plant, const nb__replay_command *command,
                                nb_error *error)
{
    if (nb__span_is(command->seek, "99:99"))
        return nb__fail(error, NB_E_ARGUMENT, 0, "no such time");
    plant->command = *command;
    plant->commands++;
    return NB_OK;
}

static inline nb__plant *stub_open(void)
{
    nb__plant *plant = calloc(1, sizeof *plant);
    nb__session_config session = nb__session_config_default();
    assert_non_null(plant);
    plant->topics = nb__topics_new(STUB_TOPICS);
    plant->books = nb__books_new(STUB_TOPICS);
    for (int i = 0; i < STUB_FEEDS; i++)
        plant->sessions[i] = nb__session_new(&session, plant->topics, STUB_TOPICS);
    nb__plan_config plan = nb__plan_config_default();
    plant->feed_count = 1;
    plant->plan = nb__plan_new(&plan, plant->topics, STUB_TOPICS, plant->sessions, 1);
    plant->evidence = nb__evidence_new(plant->topics, STUB_TOPICS, nb_calendar_builtin());
    plant->reason = "";
    plant->clock = nb__session_clock_live();
    plant->clock.kind = NB__FEED_SIM;
    plant->is_up = plant->confirms_at_once = true;
    plant->slots = 1000;
    return plant;
}

static inline void stub_close(nb__plant *plant)
{
    nb__symbols_free(plant->symbols);
    nb__evidence_free(plant->evidence);
    nb__plan_free(plant->plan);
    for (int i = 0; i < STUB_FEEDS; i++)
        nb__session_free(plant->sessions[i]);
    nb__books_free(plant->books);
    nb__topics_free(plant->topics);
    free(plant);
}

static inline void stub_frame(nb__plant *plant, const char *text, int64_t recv_ns)
{
    nb__plant_frame frame = {
        .bytes = nb__span(text), .records = plant->records, .recv_ns = recv_ns};
    nb_records walk;
    nb_span record;
    nb__topic topic;
    assert_int_equal(nb_frame_split(frame.bytes, &frame.head, NULL), NB_OK);
    assert_int_equal(nb_records_begin(&frame.head, &walk, NULL), NB_OK);
    frame.is_split = frame.is_one_key = true;
    while (nb_records_next(&walk, &record)) {
        assert_true(nb__topic_make(frame.head.tr_id, nb_record_key(record), &topic));
        nb__record *at = &plant->records[frame.record_count++];
        *at = (nb__record){nb__topics_intern(plant->topics, &topic), record};
        frame.is_one_key &= at->topic == plant->records[0].topic;
        nb_quote quote;
        if (frame.head.tr == NULL || !frame.head.tr->is_book)
            continue;
        assert_int_equal(nb_quote_decode(frame.head.tr, record, &quote, NULL), NB_OK);
        quote.recv_ns = recv_ns;
        quote.event_ns = nb_event_time(quote.time_hhmmss, recv_ns, NULL);
        nb__books_apply(plant->books, at->topic, NB__PRODUCT_KOSPI200, &quote);
    }
    plant->unsynced++;
    plant->sink.frame(plant->sink.self, &frame);
}

static inline void stub_decide(nb__plant *plant, const char *tr_id, const char *tr_key,
                               nb__opsp code)
{
    nb__topic topic;
    assert_true(nb__topic_make(nb__span(tr_id), nb__span(tr_key), &topic));
    uint32_t index = nb__topics_find(plant->topics, &topic);
    assert_int_not_equal(index, NB__TOPIC_NONE);
    nb__registration *registration = &plant->registrations[index];
    const nb__opsp_row *row = nb__opsp_at(code);
    registration->state = code == NB__OPSP_SUBSCRIBED ? NB__REG_CONFIRMED : NB__REG_REJECTED;
    registration->answer.code = code;
    (void)nb__span_copy(nb__span(row->msg_cd), registration->answer.msg_cd,
                        sizeof registration->answer.msg_cd);
    (void)nb__span_copy(nb__span(row->msg1), registration->answer.msg1,
                        sizeof registration->answer.msg1);
    (void)nb__span_copy(nb__span(row->rt_cd), registration->answer.rt_cd,
                        sizeof registration->answer.rt_cd);
    plant->sink.registration(plant->sink.self, index);
}

#endif
