/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What frames show: counters for each TR, and for each key what is needed to tell its next frame
 * from its last.
 *
 * A frame costs a few increments for each record; nothing is allocated, nothing is searched but
 * the short table of TRs.
 */
#include "inside.h"
#include <stdlib.h>
#include <string.h>

#define AFTER_NS (7200 * NB__NS_PER_S)
#define JUDGED_MAX_NS (2 * NB__NS_PER_S) /* of longer gaps "a multiple of 200 ms" says nothing */
#define THIN_NS (200 * NB__NS_PER_MS)
#define THIN_NEAR_NS (10 * NB__NS_PER_MS)

const char *const evidence_phase_names[PHASE_COUNT] = {"opening_receipt", "continuous",
                                                       "closing_receipt", "after_end", "closed"};

/* ---- life ---- */

nb__evidence *nb__evidence_new(nb__topics *topics, uint32_t topics_max, const nb_calendar *calendar)
{
    nb__evidence *evidence =
        calloc(1, sizeof *evidence + (size_t)topics_max * sizeof evidence->keys[0]);
    if (evidence == NULL)
        return NULL;
    evidence->topics = topics;
    evidence->topics_max = topics_max;
    evidence->calendar = calendar;
    return evidence;
}

void nb__evidence_free(nb__evidence *evidence)
{
    free(evidence);
}

void nb__evidence_begin(nb__evidence *evidence, int trade_date)
{
    nb__topics *topics = evidence->topics;
    const nb_calendar *calendar = evidence->calendar;
    uint32_t topics_max = evidence->topics_max;
    memset(evidence, 0, sizeof *evidence + (size_t)topics_max * sizeof evidence->keys[0]);
    evidence->topics = topics;
    evidence->topics_max = topics_max;
    evidence->calendar = calendar;
    evidence->trade_date = trade_date;
}

int nb__evidence_trade_date(const nb__evidence *evidence)
{
    return evidence->trade_date;
}

void nb__evidence_feed_kind(nb__evidence *evidence, nb__feed_kind kind)
{
    if (!evidence->is_kind_known || evidence->kind == NB__FEED_LIVE)
        evidence->kind = kind;
    evidence->is_kind_known = true;
}

void nb__evidence_latency(nb__evidence *evidence, int64_t took_ns, uint64_t frames)
{
    nb__hist_add(&evidence->latency, took_ns, frames);
}

void evidence_seen(nb__evidence *evidence, int64_t recv_ns)
{
    if (evidence->first_ns == 0)
        evidence->first_ns = recv_ns;
    evidence->last_ns = recv_ns;
}

/* ---- phases ---- */

static void look_up_phase(nb__evidence *evidence, int64_t session_ns)
{
    nb_night night = nb_night_at(evidence->calendar, session_ns);
    nb_night before = nb_night_before(evidence->calendar, session_ns);
    int64_t after_end_ns = before.end_ns + AFTER_NS;
    const struct {
        int64_t from_ns, until_ns;
        evidence_phase phase;
    } phases[] = {{night.receipt_ns, night.open_ns, PHASE_OPENING},
                  {night.open_ns, night.closing_ns, PHASE_CONTINUOUS},
                  {night.closing_ns, night.end_ns, PHASE_CLOSING},
                  {before.end_ns, after_end_ns, PHASE_AFTER},
                  {after_end_ns, night.receipt_ns, PHASE_CLOSED}};
    evidence->phase = PHASE_CLOSED;
    evidence->phase_from_ns = evidence->phase_until_ns = session_ns;
    for (size_t i = 0; i < NB__COUNT_OF(phases); i++) {
        if (session_ns < phases[i].from_ns || session_ns >= phases[i].until_ns)
            continue;
        evidence->phase = phases[i].phase;
        evidence->phase_from_ns = phases[i].from_ns;
        evidence->phase_until_ns = phases[i].until_ns;
        return;
    }
}

static evidence_phase phase_at(nb__evidence *evidence, int64_t session_ns)
{
    if (session_ns < evidence->phase_from_ns || session_ns >= evidence->phase_until_ns)
        look_up_phase(evidence, session_ns);
    return evidence->phase;
}

/* ---- the table of TRs ---- */

/* The field that is kept at this place of a quote; -1: none is. */
static int field_at(const nb_tr *tr, size_t quote_offset)
{
    for (int i = 0; tr != NULL && i < tr->field_count; i++)
        if (tr->fields[i].quote_offset == (int16_t)quote_offset)
            return i;
    return -1;
}

static tr_stats *tr_of(nb__evidence *evidence, const nb_frame *head)
{
    for (uint32_t i = 0; i < evidence->tr_count; i++)
        if (nb__span_is(head->tr_id, evidence->trs[i].tr_id))
            return &evidence->trs[i];
    if (evidence->tr_count == TRS_MAX)
        return NULL;
    tr_stats *tr = &evidence->trs[evidence->tr_count];
    if (!nb__span_copy(head->tr_id, tr->tr_id, sizeof tr->tr_id))
        return NULL;
    tr->documented = head->tr == NULL ? 0 : head->tr->field_count;
    tr->ask_index = field_at(head->tr, offsetof(nb_quote, ask[0].price));
    tr->bid_index = field_at(head->tr, offsetof(nb_quote, bid[0].price));
    evidence->tr_count++;
    return tr;
}

/* ---- books ---- */

static void count_total(const nb_level *levels, int64_t total, tr_stats *tr)
{
    int64_t sum = 0, count = 0;
    for (int i = 0; i < NB_LEVELS; i++) {
        if (levels[i].price == NB_PRICE_UNDEF)
            continue;
        if (levels[i].quantity == NB_INT32_UNDEF)
            return; /* a blank: nothing can be said */
        sum += levels[i].quantity;
        count++;
    }
    if (total == NB_INT_UNDEF || count == 0)
        return;
    total_stats *to = count == NB_LEVELS ? &tr->full_sides : &tr->short_sides;
    *(total == sum ? &to->equal : total > sum ? &to->above : &to->below) += 1;
}

static bool tells_counts(const nb_quote *quote)
{
    for (int i = 0; i < NB_LEVELS; i++)
        if (quote->ask[i].count != NB_INT32_UNDEF || quote->bid[i].count != NB_INT32_UNDEF)
            return true;
    return false;
}

/* Digits after the point as written: of a price that is there, since "no level" is 0.00 always. */
static void count_decimals(tr_stats *tr, nb_span record, int index, nb__product product)
{
    const char *at = record.data, *end = at + record.size_bytes;
    for (; index > 0 && at < end; index -= *at++ == '^')
        continue;
    const char *point = NULL, *from = at;
    for (; at < end && *at != '^'; at++)
        point = *at == '.' ? at : point;
    if (index == 0 && at > from) {
        size_t digits = point == NULL ? 0 : (size_t)(at - point - 1);
        tr->decimals[product][digits > DECIMALS_TOP ? DECIMALS_TOP : digits]++;
    }
}

static void count_book(tr_stats *tr, phase_stats *phase, const nb_quote *quote, nb_span record)
{
    nb_price ask = quote->ask[0].price, bid = quote->bid[0].price;
    bool has_ask = ask != NB_PRICE_UNDEF, has_bid = bid != NB_PRICE_UNDEF;
    phase->books++;
    phase->empty += !has_ask && !has_bid;
    phase->one_sided += has_ask != has_bid;
    phase->crossed += has_ask && has_bid && bid > ask;
    phase->locked += has_ask && has_bid && bid == ask;
    tr->books++;
    *(tells_counts(quote) ? &tr->counts_told : &tr->counts_none) += has_ask || has_bid;
    tr->total_counts_told +=
        quote->total_ask_count != NB_INT_UNDEF || quote->total_bid_count != NB_INT_UNDEF;
    count_total(quote->ask, quote->total_ask_quantity, tr);
    count_total(quote->bid, quote->total_bid_quantity, tr);
    nb__product product = nb__product_of_code(nb__span(quote->key));
    if (has_ask && tr->ask_index >= 0)
        count_decimals(tr, record, tr->ask_index, product);
    if (has_bid && tr->bid_index >= 0)
        count_decimals(tr, record, tr->bid_index, product);
}

/* ---- keys: time between frames, snapshots ---- */

static uint64_t hash(nb_span record)
{
    uint64_t state = record.size_bytes, word = 0;
    size_t at = 0;
    for (; at + sizeof word <= record.size_bytes; at += sizeof word) {
        memcpy(&word, record.data + at, sizeof word);
        state = (state ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        state ^= state >> 32;
    }
    for (; at < record.size_bytes; at++)
        state = (state ^ (unsigned char)record.data[at]) * UINT64_C(1099511628211);
    return state;
}

/* floor(log2(ms)), below `count`. */
static unsigned bucket_of(int64_t gap_ns, unsigned count)
{
    uint64_t ms = (uint64_t)gap_ns / (uint64_t)NB__NS_PER_MS;
    unsigned bucket = ms == 0 ? 0 : 63u - (unsigned)__builtin_clzll(ms);
    return bucket < count ? bucket : count - 1;
}

/* Whether KIS thins a key out every 200 ms: its gaps would then be multiples of it, within the
 * network's wobble. By chance a tenth are. */
static void judge_gap(tr_stats *tr, int64_t gap_ns)
{
    if (gap_ns > JUDGED_MAX_NS)
        return;
    int64_t beyond_ns = gap_ns % THIN_NS;
    bool is_near = beyond_ns <= THIN_NEAR_NS || beyond_ns >= THIN_NS - THIN_NEAR_NS;
    bool is_below = gap_ns < THIN_NS - THIN_NEAR_NS;
    tr->gaps_judged++;
    tr->gaps_below_200ms += is_below;
    tr->gaps_at_200ms += is_near && !is_below;
}

static void count_gap(tr_stats *tr, key_stats *key, int64_t gap_ns)
{
    if (gap_ns < 0)
        return; /* our clock was set back */
    uint64_t us = (uint64_t)gap_ns / (uint64_t)NB__NS_PER_US;
    if (us < key->gap_least_us)
        key->gap_least_us = (uint32_t)us;
    uint16_t *place = &key->gaps[bucket_of(gap_ns, KEY_BUCKETS)];
    if (++*place == UINT16_MAX)
        for (size_t i = 0; i < KEY_BUCKETS; i++)
            key->gaps[i] /= 2;
    tr->gaps[bucket_of(gap_ns, GAP_BUCKETS)]++;
    judge_gap(tr, gap_ns);
}

/* How much older the book is than the freshest one seen: not by our clock, which may be off. */
static int64_t age_of(nb__evidence *evidence, const nb__evidence_record *record)
{
    if (record->quote == NULL || record->quote->event_ns == NB_TIME_UNDEF)
        return 0;
    int64_t lag_ns = record->session_ns - record->quote->event_ns;
    if (!evidence->is_lag_known || lag_ns < evidence->lag_least_ns)
        evidence->lag_least_ns = lag_ns;
    evidence->is_lag_known = true;
    return lag_ns - evidence->lag_least_ns;
}

/* The first frame after a SUBSCRIBE SUCCESS: soon enough to be a snapshot? */
static void count_first(nb__evidence *evidence, key_stats *key, uint64_t record_hash,
                        int64_t age_ns, const nb__evidence_record *record)
{
    int64_t after_ns = record->recv_ns - key->confirmed_ns;
    key->confirmed_ns = 0;
    if (after_ns < 0 || after_ns > SNAPSHOT_NS) {
        evidence->snapshot_later++;
        return;
    }
    *(key->last_ns == 0               ? &evidence->snapshot_first
      : key->last_hash == record_hash ? &evidence->snapshot_same
                                      : &evidence->snapshot_other) += 1;
    evidence->snapshot_old += age_ns > OLD_BOOK_NS;
}

static void count_key(nb__evidence *evidence, tr_stats *tr, key_stats *key,
                      const nb__evidence_record *record)
{
    uint64_t record_hash = hash(record->record);
    int64_t age_ns = age_of(evidence, record);
    if (key->confirmed_ns != 0)
        count_first(evidence, key, record_hash, age_ns, record);
    key->last_hash = record_hash;
    if (key->frame_serial == evidence->frame_serial && key->frames > 0)
        return; /* one more record of the same frame */
    if (key->frames == 0)
        key->gap_least_us = UINT32_MAX;
    else if (key->last_ns > evidence->lost_ns)
        count_gap(tr, key, record->recv_ns - key->last_ns);
    key->frame_serial = evidence->frame_serial;
    key->frames += key->frames < UINT32_MAX;
    key->last_ns = record->recv_ns;
}

/* ---- frames ---- */

void nb__evidence_frame(nb__evidence *evidence, const nb_frame *head,
                        const nb__evidence_record *record)
{
    tr_stats *tr = tr_of(evidence, head);
    evidence_seen(evidence, record->recv_ns);
    if (tr == NULL)
        return;
    tr->records++;
    tr->undecoded += record->quote == NULL && head->tr != NULL && head->tr->is_book;
    if (record->quote != NULL)
        count_book(tr, &tr->phases[phase_at(evidence, record->session_ns)], record->quote,
                   record->record);
    if (record->topic < evidence->topics_max)
        count_key(evidence, tr, &evidence->keys[record->topic], record);
}

static void count_width(tr_stats *tr, int fields)
{
    for (size_t i = 0; i < WIDTHS_MAX; i++) {
        width_stats *width = &tr->widths[i];
        if (width->frames == 0)
            width->fields = fields;
        if (width->fields != fields)
            continue;
        width->frames++;
        return;
    }
    tr->widths_other++;
}

void nb__evidence_frame_end(nb__evidence *evidence, const nb_frame *head, uint32_t record_count,
                            int field_count, int64_t session_ns)
{
    tr_stats *tr = tr_of(evidence, head);
    evidence->frame_serial++;
    if (tr == NULL) {
        evidence->frames_other_tr++;
        return;
    }
    phase_stats *phase = &tr->phases[phase_at(evidence, session_ns)];
    if (phase->frames++ == 0)
        phase->first_ns = session_ns;
    phase->last_ns = session_ns;
    tr->frames++;
    tr->encrypted += head->is_encrypted;
    if (head->is_encrypted || record_count == 0)
        return;
    tr->records_a_frame[record_count < RECORDS_TOP ? record_count : RECORDS_TOP]++;
    if (record_count > tr->records_most)
        tr->records_most = record_count;
    count_width(tr, field_count);
}
