/* SPDX-License-Identifier: Apache-2.0 */
/* The report as one JSON object: all that is known, what is not is null. docs/report.md lists it.
 */
#include "inside.h"
#include <inttypes.h>
#include <nightbook/nightbook.h>
#include <stdio.h>

typedef struct list {
    nb__text *out;
    size_t count;
} list;

static void name(nb__text *out, const char *key)
{
    nb__text_printf(out, ",\"%s\":", key);
}

static void number(nb__text *out, const char *key, uint64_t value)
{
    nb__text_printf(out, ",\"%s\":%" PRIu64, key, value);
}

static void string(nb__text *out, const char *key, const char *value)
{
    name(out, key);
    nb__text_json(out, nb__span(value));
}

/* 2026-11-20T18:00:00.000+09:00, or null */
static void instant(nb__text *out, const char *key, int64_t ns)
{
    char text[40];
    name(out, key);
    if (ns < 0 || ns == INT64_MAX) {
        nb__text_string(out, "null");
        return;
    }
    nb__kst_print(text, ns, 3);
    nb__text_printf(out, "\"%s\"", text);
}

static void milliseconds(nb__text *out, const char *key, int64_t ns)
{
    name(out, key);
    if (ns < 0)
        nb__text_string(out, "null");
    else
        nb__text_printf(out, "%" PRId64, ns / NB__NS_PER_MS);
}

static void date(nb__text *out, const char *key, int value)
{
    name(out, key);
    if (value == NB_DATE_UNDEF)
        nb__text_string(out, "null");
    else
        nb__text_printf(out, "\"%04d-%02d-%02d\"", value / 10000, value / 100 % 100, value % 100);
}

static list begin_list(nb__text *out, const char *key)
{
    name(out, key);
    nb__text_string(out, "[");
    return (list){.out = out};
}

static void next(list *l)
{
    nb__text_string(l->out, l->count++ == 0 ? "\n" : ",\n");
}

static void end_list(list *l)
{
    nb__text_string(l->out, "]");
}

static void silence(nb__text *out, const char *key, const interval *when)
{
    name(out, key);
    if (when->from_ns == NB_TIME_UNDEF) {
        nb__text_string(out, "null");
        return;
    }
    nb__text_printf(out, "{\"ms\":%" PRId64, (when->to_ns - when->from_ns) / NB__NS_PER_MS);
    instant(out, "from", when->from_ns);
    instant(out, "to", when->to_ns);
    nb__text_string(out, "}");
}

static void session(const nb__nightly *n, nb__text *out)
{
    if (nightly_is_reset(n)) {
        nb__text_string(out, ",\n\"session\":null");
        return;
    }
    nb__text_printf(out, ",\n\"session\":{\"is_calendar_known\":%s",
                    n->night.is_calendar_known ? "true" : "false");
    instant(out, "receipt", n->night.receipt_ns);
    instant(out, "open", n->night.open_ns);
    instant(out, "closing", n->night.closing_ns);
    instant(out, "end", n->night.end_ns);
    number(out, "continuous_minutes", nightly_continuous_minutes(n));
    nb__text_string(out, "}");
}

static void totals(const nb__nightly *n, nb__text *out)
{
    nb__text_printf(out, ",\n\"totals\":{\"frames\":%" PRIu64, n->frames);
    number(out, "records", n->records);
    number(out, "frame_bytes", n->frame_bytes);
    number(out, "books", n->books_decoded);
    number(out, "keys", n->key_count);
    number(out, "frames_unreadable", n->unsplit);
    number(out, "records_unreadable", n->bad_records);
    number(out, "records_of_unknown_trs", n->unknown_records);
    number(out, "records_without_key", n->keyless);
    number(out, "frames_encrypted", n->encrypted);
    number(out, "frames_without_time", n->untimed);
    number(out, "frames_outside", n->outside);
    number(out, "keys_refused", n->keys_refused);
    for (int kind = 0; kind < NB__JOURNAL_UNKNOWN; kind++)
        if (kind != NB__JOURNAL_FRAME) {
            nb__text_printf(out, ",\"lines_%s\":%" PRIu64,
                            nb__journal_kind_name((nb__journal_kind)kind), n->kinds[kind]);
        }
    number(out, "lines_of_unknown_kind", n->kinds[NB__JOURNAL_UNKNOWN]);
    nb__text_string(out, "}");
}

static void best_of(nb__text *out, const char *key, const best *found)
{
    name(out, key);
    if (found->count == 0) {
        nb__text_string(out, "null");
        return;
    }
    nb__text_printf(out, "{\"frames\":%" PRIu64, found->count);
    instant(out, "at", found->at_ns);
    nb__text_string(out, "}");
}

static void rate(const nb__nightly *n, nb__text *out)
{
    uint32_t from, to;
    nightly_range(n, &from, &to);
    nb__text_string(out, ",\n\"rate\":{\"minute_frames\":[");
    for (uint32_t i = from; i < to; i++)
        nb__text_printf(out, i == from ? "%u" : ",%u", n->minutes[i].frames);
    nb__text_string(out, "],\n\"minute_records\":[");
    for (uint32_t i = from; i < to; i++)
        nb__text_printf(out, i == from ? "%u" : ",%u", n->minutes[i].records);
    nb__text_string(out, "]");
    instant(out, "from", from == to ? NB_TIME_UNDEF : n->base_ns + from * MINUTE_NS);
    best_of(out, "busiest_minute", &n->busiest_minute);
    best_of(out, "busiest_second", &n->busiest_second);
    nb__text_string(out, "}");
}

static void feeds(const nb__nightly *n, nb__text *out)
{
    list l = begin_list(out, "feeds");
    for (uint32_t i = 0; i < n->feed_count; i++) {
        const feed_row *feed = &n->feeds[i];
        next(&l);
        nb__text_printf(out, "{\"connects\":%u,\"drops\":%u", feed->connects, feed->drops);
        string(out, "label", feed->label);
        milliseconds(out, "down_ms", feed->down_ns);
        number(out, "slots_most", feed->registered_most);
        nb__text_string(out, "}");
    }
    end_list(&l);
}

static void gaps(const nb__nightly *n, nb__text *out)
{
    list l = begin_list(out, "gaps");
    for (uint32_t i = 0; i < n->gap_count; i++) {
        const gap_row *gap = &n->gaps[i];
        next(&l);
        nb__text_printf(out, "{\"is_rest\":%s", gap->is_rest ? "true" : "false");
        string(out, "feed", n->feeds[gap->feed].label);
        instant(out, "from", gap->when.from_ns);
        instant(out, "to", gap->when.to_ns);
        milliseconds(out, "ms", nightly_gap_ns(n, gap));
        string(out, "reason", gap->reason);
        nb__text_string(out, "}");
    }
    end_list(&l);
    number(out, "gaps_other", n->gaps_other);
    list c = begin_list(out, "drop_causes");
    for (uint32_t i = 0; i < n->cause_count; i++) {
        next(&c);
        nb__text_printf(out, "{\"count\":%" PRIu64, n->causes[i].count);
        string(out, "reason", n->causes[i].reason);
        nb__text_string(out, "}");
    }
    end_list(&c);
    number(out, "drop_causes_other", n->causes_other);
}

static void slots(const nb__nightly *n, nb__text *out)
{
    nb__text_printf(out, ",\n\"slots\":{\"most_at_once\":%u", n->registered_most);
    number(out, "confirmed", n->confirmed);
    number(out, "given_back", n->given_back);
    number(out, "refused", n->refused);
    list r = begin_list(out, "refusals");
    for (uint32_t i = 0; i < n->refusal_count; i++) {
        const refusal_row *row = &n->refusals[i];
        next(&r);
        nb__text_printf(out, "{\"count\":%" PRIu64, row->count);
        string(out, "tr_id", row->tr_id);
        string(out, "tr_key", row->tr_key);
        string(out, "msg_cd", row->msg_cd);
        string(out, "msg1", row->msg1);
        instant(out, "first", row->first_ns);
        nb__text_string(out, "}");
    }
    end_list(&r);
    number(out, "refusals_other", n->refusals_other);
    list c = begin_list(out, "answers");
    for (uint32_t i = 0; i < n->code_count; i++) {
        next(&c);
        nb__text_printf(out, "{\"count\":%" PRIu64, n->codes[i].count);
        string(out, "msg_cd", n->codes[i].msg_cd);
        string(out, "rt_cd", n->codes[i].rt_cd);
        string(out, "msg1", n->codes[i].msg1);
        nb__text_string(out, "}");
    }
    end_list(&c);
    number(out, "answers_other", n->codes_other);
    nb__text_string(out, "}");
}

static void drift(const nb__nightly *n, nb__text *out)
{
    list l = begin_list(out, "drift");
    for (uint32_t i = 0; i < n->drift_count; i++) {
        const drift_row *row = &n->drifts[i];
        next(&l);
        nb__text_printf(out, "{\"fields\":%d,\"documented\":%d", row->fields, row->documented);
        string(out, "tr_id", row->tr_id);
        instant(out, "first", row->first_ns);
        number(out, "count", row->count);
        nb__text_string(out, "}");
    }
    end_list(&l);
    number(out, "drift_other", n->drifts_other);
}

static void flags(nb__text *out, const uint64_t counts[NB_BOOK_FLAG_COUNT])
{
    nb__text_string(out, "{");
    for (int bit = 0; bit < NB_BOOK_FLAG_COUNT; bit++)
        nb__text_printf(out, "%s\"%s\":%" PRIu64, bit == 0 ? "" : ",", nb_book_flag_word(bit),
                        counts[bit]);
    nb__text_string(out, "}");
}

static void recorder(const nb__nightly *n, nb__text *out)
{
    nb__text_printf(out, ",\n\"recorder\":{\"runs\":%" PRIu64, n->runs);
    string(out, "version", n->version);
    string(out, "host", n->host);
    list h = begin_list(out, "holes");
    for (uint32_t i = 0; i < n->hole_count; i++) {
        next(&h);
        nb__text_printf(out, "{\"lost_lines\":%" PRIu64, n->holes[i].lost_lines);
        number(out, "lost_bytes", n->holes[i].lost_bytes);
        instant(out, "from", n->holes[i].when.from_ns);
        instant(out, "to", n->holes[i].when.to_ns);
        string(out, "reason", n->holes[i].reason);
        nb__text_string(out, "}");
    }
    end_list(&h);
    number(out, "holes_other", n->holes_other);
    list c = begin_list(out, "clock_steps");
    for (uint32_t i = 0; i < n->step_count; i++) {
        next(&c);
        nb__text_printf(out, "{\"step_ns\":%" PRId64, n->steps[i].step_ns);
        instant(out, "at", n->steps[i].at_ns);
        nb__text_string(out, "}");
    }
    end_list(&c);
    number(out, "clock_steps_other", n->steps_other);
    list d = begin_list(out, "damages");
    for (uint32_t i = 0; i < n->damage_count; i++) {
        next(&d);
        nb__text_json(out, nb__span(n->damages[i]));
    }
    end_list(&d);
    number(out, "damages_other", n->damages_other);
    nb__text_string(out, "}");
}

static void disk(const nb__nightly *n, nb__text *out)
{
    if (!n->has_disk) {
        nb__text_string(out, ",\n\"disk\":null");
        return;
    }
    nb__text_printf(out, ",\n\"disk\":{\"bytes\":%" PRIu64,
                    n->disk.plain_bytes + n->disk.packed_bytes);
    number(out, "plain_bytes", n->disk.plain_bytes);
    number(out, "packed_bytes", n->disk.packed_bytes);
    number(out, "text_bytes", n->disk.text_bytes);
    number(out, "segments", n->disk.segments);
    number(out, "packed_segments", n->disk.packed_segments);
    nb__text_string(out, "}");
}

static void latency(const nb__nightly *n, nb__text *out)
{
    bool is_known = false;
    for (uint32_t i = 0; i < n->part_count; i++)
        is_known |= n->parts[i].has_latency;
    if (!is_known) {
        nb__text_string(out, ",\"latency\":null");
        return;
    }
    list l = begin_list(out, "latency");
    for (uint32_t i = 0; i < n->part_count; i++) {
        const part_row *part = &n->parts[i];
        if (!part->has_latency)
            continue;
        next(&l);
        nb__text_printf(out,
                        "{\"frames\":%" PRId64 ",\"p50_ns\":%" PRId64 ",\"p99_ns\":%" PRId64
                        ",\"p999_ns\":%" PRId64 ",\"max_ns\":%" PRId64 "}",
                        part->frames, part->p50_ns, part->p99_ns, part->p999_ns, part->max_ns);
    }
    end_list(&l);
}

/* A letter for ten minutes: in how many of them a record came, 0–9 and a for ten. */
static void strip(const nb__nightly *n, const key_row *key, nb__text *out)
{
    uint32_t from, to;
    nightly_range(n, &from, &to);
    name(out, "strip");
    nb__text_string(out, "\"");
    for (uint32_t i = from; i < to; i += TEN)
        nb__text_append(out, &"0123456789a"[nightly_minutes(key, i, TEN)], 1);
    nb__text_string(out, "\"");
}

static void spread(const key_row *key, nb__text *out)
{
    char widest[NB_PRICE_TEXT_MAX], ask[NB_PRICE_TEXT_MAX], bid[NB_PRICE_TEXT_MAX];
    if (key->spread_e9 == NB_PRICE_UNDEF) {
        nb__text_string(out, ",\"widest_spread\":null");
        return;
    }
    nb_price_print(widest, key->spread_e9, 2);
    nb_price_print(ask, key->spread_ask, 2);
    nb_price_print(bid, key->spread_bid, 2);
    nb__text_printf(out, ",\"widest_spread\":{\"points\":%s,\"ask\":%s,\"bid\":%s", widest, ask,
                    bid);
    instant(out, "at", key->spread_ns);
    nb__text_string(out, "}");
}

static void keys(const nb__nightly *n, nb__text *out)
{
    list l = begin_list(out, "keys");
    for (uint32_t i = 0; i < n->key_count; i++) {
        const key_row *key = &n->keys[n->order[i]];
        const nb__topic *topic = nightly_topic(n, key);
        uint32_t share = nightly_share(n, key);
        next(&l);
        nb__text_string(out, "{\"tr_id\":");
        nb__text_json(out, nb__span(topic->tr_id));
        string(out, "tr_key", nb__topic_shown_key(topic));
        number(out, "records", key->records);
        instant(out, "first", key->first_ns);
        instant(out, "last", key->last_ns);
        number(out, "minutes", key->continuous_minutes);
        nb__text_printf(out, ",\"share\":%u.%04u", share / 10000, share % 10000);
        silence(out, "longest_silence", &key->silence);
        spread(key, out);
        number(out, "flagged", key->flagged);
        name(out, "flags");
        flags(out, key->flags);
        strip(n, key, out);
        nb__text_string(out, "}");
    }
    end_list(&l);
}

static void evidence(const nb__nightly *n, nb__text *out)
{
    list l = {.out = out};
    string(out, "evidence_from",
           n->part_count == 0     ? "nothing"
           : n->is_from_recording ? "recording"
                                  : "server");
    nb__text_string(out, ",\n\"evidence\":[");
    for (uint32_t i = 0; i < n->part_count; i++) {
        next(&l);
        nb__text_append(out, n->parts[i].json.data, n->parts[i].json.size_bytes);
    }
    end_list(&l);
}

void nb__nightly_print_json(const nb__nightly *n, nb__text *out)
{
    nb__text_printf(out, "{\"nightbook_report\":%d,\"nightbook\":\"%s\"", NB__NIGHTLY_VERSION,
                    nb_version());
    string(out, "banner", nb__feed_kind_banner(n->kind));
    date(out, "trade_date", nb__nightly_trade_date(n));
    date(out, "directory", n->directory_night);
    instant(out, "first", n->first_ns);
    instant(out, "last", n->last_ns);
    session(n, out);
    totals(n, out);
    rate(n, out);
    feeds(n, out);
    gaps(n, out);
    silence(out, "longest_silence", &n->silence);
    slots(n, out);
    drift(n, out);
    nb__text_string(out, ",\n\"flags\":");
    flags(out, nb__books_count(n->books)->flags);
    latency(n, out);
    recorder(n, out);
    disk(n, out);
    keys(n, out);
    evidence(n, out);
    nb__text_string(out, "}\n");
}
