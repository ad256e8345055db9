/* SPDX-License-Identifier: Apache-2.0 */
/* What the gateway and others see of the plant, and its counters' names. */
#include "inside.h"
#include <string.h>

static const char *const notice_names[] = {
    [NB__NOTICE_LINK_LOST] = "link_lost",
    [NB__NOTICE_LINK_BACK] = "link_back",
    [NB__NOTICE_BREAKER] = "breaker",
    [NB__NOTICE_IN_USE] = "in_use",
    [NB__NOTICE_REFUSED] = "refused",
    [NB__NOTICE_APPROVAL] = "approval",
    [NB__NOTICE_DRIFT] = "drift",
    [NB__NOTICE_DISK] = "disk",
    [NB__NOTICE_NOT_RECORDING] = "not_recording",
    [NB__NOTICE_RECORDING] = "recording",
    [NB__NOTICE_SPACE] = "space",
    [NB__NOTICE_REPORT] = "report",
};

const char *nb__notice_name(nb__notice_kind kind)
{
    return (size_t)kind < NB__COUNT_OF(notice_names) ? notice_names[kind] : "?";
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
    return nb__plan_registration(plant->plan, topic);
}

const nb__plan *nb__plant_plan(const nb__plant *plant)
{
    return plant->plan;
}

static bool is_resting(const nb__feed *feed)
{
    return nb__session_state_of(feed->session) == NB__SESSION_RESTING;
}

bool nb__plant_is_up(const nb__plant *plant)
{
    uint32_t up_count = 0, down_count = 0;
    for (uint32_t i = 0; i < plant->feed_count; i++) {
        const nb__feed *feed = &plant->feeds[i];
        up_count += feed->is_up;
        down_count += !feed->is_up && !is_resting(feed);
    }
    return up_count > 0 && (down_count == 0 || plant->is_shut);
}

/* Up for all that is known: OPSP8996 comes as the answer to the first request. */
static bool is_taken(const nb__feed *feed)
{
    return feed->is_up && (feed->is_accepted || nb__session_slots_used(feed->session) == 0);
}

int64_t nb__plant_down_ns(const nb__plant *plant)
{
    int64_t now_ns = nb__loop_mono_ns(plant->loop), longest_ns = 0;
    bool is_any_taken = false;
    for (uint32_t i = 0; i < plant->feed_count; i++)
        is_any_taken |= is_taken(&plant->feeds[i]);
    for (uint32_t i = 0; i < plant->feed_count; i++) {
        const nb__feed *feed = &plant->feeds[i];
        if (is_taken(feed) || is_resting(feed) || feed->lost_since_ns == NB_TIME_UNDEF)
            continue;
        if (is_any_taken && nb__plan_clients_at(plant->plan, i) == 0)
            continue; /* the others carry all that clients asked for */
        int64_t down_ns = now_ns - feed->lost_since_ns;
        longest_ns = down_ns > longest_ns ? down_ns : longest_ns;
    }
    return longest_ns;
}

const nb__master *nb__plant_master(const nb__plant *plant)
{
    return plant->masters.master;
}

const nb__symbols *nb__plant_symbols(const nb__plant *plant)
{
    return plant->masters.symbols;
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

const nb__evidence *nb__plant_evidence(const nb__plant *plant)
{
    return plant->keeper.evidence;
}

bool nb__plant_recording(const nb__plant *plant, nb__recorder_view *out)
{
    if (plant->recorder == NULL)
        return false;
    *out = nb__recorder_look(plant->recorder);
    return true;
}

const nb__session_clock *nb__plant_clock(const nb__plant *plant)
{
    return &plant->clock;
}

uint32_t nb__plant_feed_count(const nb__plant *plant)
{
    return plant->feed_count;
}

nb__feed_view nb__plant_feed_at(const nb__plant *plant, uint32_t index)
{
    const nb__feed *feed = &plant->feeds[index];
    nb__feed_view view = {.name = feed->name,
                          .address = feed->url,
                          .session = feed->session,
                          .is_up = feed->is_up,
                          .is_live = feed->is_live};
    memcpy(view.appkey_hash, feed->live.appkey_hash, sizeof view.appkey_hash);
    return view;
}

const char *nb__plant_feed_name(const nb__plant *plant)
{
    return plant->feed_name;
}

const char *nb__plant_reason(const nb__plant *plant)
{
    return plant->reason;
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
    METRIC(codes_unknown, "codes_unknown_total",
           "Codes that were asked for although the master does not have them."),
};
const size_t nb__plant_metric_count = NB__COUNT_OF(nb__plant_metrics);
