/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A night's frames: minutes, keys, books, silences.
 *
 *     frame ─▶ minute, second ─▶ head ─▶ records ─▶ key: first, last, minutes, silence
 *                                                    ├─▶ (book TRs) decode, books, flags, spread
 *                                                    └─▶ evidence
 *
 * It follows src/plant/frames.c, so that flags come out as they did live. The night is that of the
 * first session time; what lies beyond five days of it has no minute and is counted as outside.
 */
#include "inside.h"
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

nb__nightly *nb__nightly_new(const nb_calendar *calendar, int night)
{
    nb__nightly *n = calloc(1, sizeof *n);
    if (n == NULL)
        return NULL;
    n->calendar = calendar;
    n->directory_night = night;
    n->kind = NB__FEED_OTHER;
    n->first_ns = n->last_ns = n->quiet_since_ns = NB_TIME_UNDEF;
    n->recv_first_ns = n->recv_last_ns = NB_TIME_UNDEF;
    n->silence.from_ns = NB_TIME_UNDEF;
    n->second = INT64_MIN;
    n->minute_first = MINUTES_MAX;
    n->topics = nb__topics_new(TOPICS_MAX);
    n->books = nb__books_new(TOPICS_MAX);
    n->key_of = calloc(TOPICS_MAX, sizeof *n->key_of);
    if (n->topics != NULL)
        n->evidence = nb__evidence_new(n->topics, TOPICS_MAX, calendar);
    if (n->evidence == NULL || n->books == NULL || n->key_of == NULL) {
        nb__nightly_free(n);
        return NULL;
    }
    return n;
}

void nb__nightly_free(nb__nightly *n)
{
    if (n == NULL)
        return;
    nb__evidence_free(n->evidence);
    nb__topics_free(n->topics);
    nb__books_free(n->books);
    for (uint32_t i = 0; i < n->part_count; i++) {
        nb__text_fini(&n->parts[i].json);
        nb__text_fini(&n->parts[i].words);
    }
    free(n->key_of);
    free(n->keys);
    free(n->order);
    free(n);
}

/* ---- the night ---- */

/* By trade date: at 07:00 the night that ended, at 12:00 the one whose day this is. */
static nb_night night_of(const nb_calendar *calendar, int64_t session_ns)
{
    nb_night at = nb_night_at(calendar, session_ns), before = nb_night_before(calendar, session_ns);
    bool is_before =
        at.phase == NB_PHASE_CLOSED && before.trade_date == nb_trade_date(calendar, session_ns);
    return is_before ? before : at;
}

/* Links come up some minutes before order receipt: that is the night which begins. */
static void begin_night(nb__nightly *n, int64_t session_ns)
{
    nb_night soon = nb_night_at(n->calendar, session_ns);
    if (soon.start_date == NB_DATE_UNDEF)
        return; /* no time of ours */
    bool is_soon = soon.receipt_ns - session_ns < 30 * MINUTE_NS;
    n->night = is_soon ? soon : night_of(n->calendar, session_ns);
    n->base_ns = n->night.receipt_ns - AHEAD_NS;
    nb__evidence_begin(n->evidence, n->night.trade_date);
}

bool nightly_is_reset(const nb__nightly *n)
{
    return n->night.start_date == NB_DATE_UNDEF;
}

/* @return MINUTES_MAX: it has none. */
static uint32_t minute_of(const nb__nightly *n, int64_t session_ns)
{
    if (nightly_is_reset(n) || session_ns < n->base_ns ||
        session_ns - n->base_ns >= MINUTES_MAX * MINUTE_NS)
        return MINUTES_MAX;
    return (uint32_t)((session_ns - n->base_ns) / MINUTE_NS);
}

/* ---- silences ---- */

void nightly_silence(const nb__nightly *n, interval *longest, int64_t from_ns, int64_t to_ns)
{
    if (from_ns == NB_TIME_UNDEF || to_ns == NB_TIME_UNDEF || nightly_is_reset(n))
        return;
    if (from_ns < n->night.receipt_ns)
        from_ns = n->night.receipt_ns;
    if (to_ns > n->night.end_ns)
        to_ns = n->night.end_ns;
    if (to_ns <= from_ns ||
        (longest->from_ns != NB_TIME_UNDEF && to_ns - from_ns <= longest->to_ns - longest->from_ns))
        return;
    *longest = (interval){from_ns, to_ns};
}

/* ---- keys ---- */

static key_row *add_key(nb__nightly *n, uint32_t topic)
{
    if (n->key_count == n->key_capacity) {
        uint32_t capacity = n->key_capacity == 0 ? 64 : n->key_capacity * 2;
        key_row *keys = realloc(n->keys, capacity * sizeof *keys);
        if (keys == NULL)
            return NULL;
        n->keys = keys;
        n->key_capacity = capacity;
    }
    key_row *key = &n->keys[n->key_count++];
    memset(key, 0, sizeof *key);
    key->topic = topic;
    key->first_ns = key->last_ns = key->quiet_since_ns = NB_TIME_UNDEF;
    key->silence.from_ns = NB_TIME_UNDEF;
    key->spread_e9 = NB_PRICE_UNDEF;
    n->key_of[topic] = n->key_count;
    return key;
}

key_row *nightly_key(nb__nightly *n, nb_span tr_id, nb_span tr_key)
{
    nb__topic name;
    if (!nb__topic_make(tr_id, tr_key, &name))
        return NULL;
    uint32_t topic = nb__topics_intern(n->topics, &name);
    if (topic == NB__TOPIC_NONE) {
        n->keys_refused++;
        return NULL;
    }
    return n->key_of[topic] > 0 ? &n->keys[n->key_of[topic] - 1] : add_key(n, topic);
}

static void note_minute(nb__nightly *n, key_row *key, uint32_t minute)
{
    if (minute == MINUTES_MAX)
        return;
    uint64_t bit = UINT64_C(1) << minute % 64;
    int64_t at_ns = n->base_ns + minute * MINUTE_NS;
    if ((key->minutes[minute / 64] & bit) == 0 && at_ns >= n->night.open_ns &&
        at_ns < n->night.closing_ns)
        key->continuous_minutes++;
    key->minutes[minute / 64] |= bit;
}

/* The session's times of one key; the clock of a recording may step back. */
static void note_key(nb__nightly *n, key_row *key, const nb__nightly_line *line, uint32_t minute)
{
    int64_t now_ns = line->session_ns;
    const feed_row *feed = nightly_feed_of(n, line);
    key->records++;
    key->feed = feed == NULL ? 0 : (uint32_t)(feed - n->feeds);
    if (now_ns == NB_TIME_UNDEF)
        return;
    if (key->first_ns == NB_TIME_UNDEF || now_ns < key->first_ns)
        key->first_ns = now_ns;
    if (key->last_ns == NB_TIME_UNDEF || now_ns > key->last_ns)
        key->last_ns = now_ns;
    nightly_silence(n, &key->silence, key->quiet_since_ns, now_ns);
    key->quiet_since_ns = now_ns;
    note_minute(n, key, minute);
}

/* ---- books ---- */

static void note_spread(const nb__nightly *n, key_row *key, const nb_quote *quote, int64_t now_ns)
{
    nb_price ask = quote->ask[0].price, bid = quote->bid[0].price, spread;
    bool is_continuous = now_ns >= n->night.open_ns && now_ns < n->night.closing_ns;
    if (!is_continuous || ask == NB_PRICE_UNDEF || bid == NB_PRICE_UNDEF || ask < bid ||
        __builtin_sub_overflow(ask, bid, &spread))
        return;
    if (key->spread_e9 != NB_PRICE_UNDEF && spread <= key->spread_e9)
        return;
    key->spread_e9 = spread;
    key->spread_ask = ask;
    key->spread_bid = bid;
    key->spread_ns = now_ns;
}

/* @return whether the record is a book. */
static bool note_book(nb__nightly *n, key_row *key, const nb_frame *head, nb_span record,
                      const nb__nightly_line *line, int drift, nb_quote *quote)
{
    bool is_far = false;
    if (key == NULL || nb_quote_decode(head->tr, record, quote, NULL) != NB_OK) {
        n->bad_records++;
        return false;
    }
    quote->recv_ns = line->recv_ns;
    quote->event_ns = nb_event_time(quote->time_hhmmss, line->session_ns, &is_far);
    quote->flags = (is_far ? NB_BOOK_FAR_TIME : 0u) | (drift > 0 ? NB_BOOK_DRIFT : 0u);
    nb__books_apply(n->books, key->topic,
                    nb__books_product(n->books, key->topic, nb__span(quote->key)), quote);
    n->books_decoded++;
    key->flagged += quote->flags != 0;
    for (uint32_t flags = quote->flags; flags != 0; flags &= flags - 1)
        key->flags[__builtin_ctz(flags)]++;
    note_spread(n, key, quote, line->session_ns);
    return true;
}

/* ---- frames ---- */

static void note_rate(nb__nightly *n, const nb__nightly_line *line, uint32_t minute)
{
    int64_t now_ns = line->session_ns;
    if (now_ns == NB_TIME_UNDEF) {
        n->untimed++;
        return;
    }
    int64_t second = now_ns / NB__NS_PER_S;
    n->second_frames = second == n->second ? n->second_frames + 1 : 1;
    n->second = second;
    if (n->second_frames > n->busiest_second.count)
        n->busiest_second = (best){n->second_frames, second * NB__NS_PER_S};
    nightly_silence(n, &n->silence, n->quiet_since_ns, now_ns);
    n->quiet_since_ns = now_ns;
    if (minute == MINUTES_MAX) {
        n->outside++;
        return;
    }
    n->minutes[minute].frames++;
    if (minute < n->minute_first)
        n->minute_first = minute;
    if (minute > n->minute_last)
        n->minute_last = minute;
}

static void note_records(nb__nightly *n, const nb__nightly_line *line, const nb_frame *head,
                         nb_records *walk, uint32_t minute)
{
    uint32_t count = 0;
    nb_span record;
    while (nb_records_next(walk, &record)) {
        nb_quote quote;
        key_row *key = nightly_key(n, head->tr_id, nb_record_key(record));
        n->keyless += key == NULL;
        if (key != NULL)
            note_key(n, key, line, minute);
        bool has_quote = head->tr != NULL && head->tr->is_book &&
                         note_book(n, key, head, record, line, walk->drift, &quote);
        const nb__evidence_record seen = {.record = record,
                                          .topic = key == NULL ? NB__TOPIC_NONE : key->topic,
                                          .quote = has_quote ? &quote : NULL,
                                          .recv_ns = line->recv_ns,
                                          .session_ns = line->session_ns};
        if (line->session_ns != NB_TIME_UNDEF)
            nb__evidence_frame(n->evidence, head, &seen);
        count++;
    }
    n->records += count;
    n->unknown_records += head->tr == NULL ? count : 0;
    if (minute < MINUTES_MAX)
        n->minutes[minute].records += count;
    if (line->session_ns != NB_TIME_UNDEF)
        nb__evidence_frame_end(n->evidence, head, count, walk->stride, line->session_ns);
}

static void note_frame(nb__nightly *n, const nb__nightly_line *line)
{
    uint32_t minute =
        line->session_ns == NB_TIME_UNDEF ? MINUTES_MAX : minute_of(n, line->session_ns);
    nb_frame head;
    nb_records walk;
    n->frames++;
    n->frame_bytes += line->message.size_bytes;
    note_rate(n, line, minute);
    if (nb_frame_split(line->message, &head, NULL) != NB_OK) {
        n->unsplit++;
        return;
    }
    nb_err err = nb_records_begin(&head, &walk, NULL);
    if (err == NB_OK) {
        note_records(n, line, &head, &walk, minute);
    } else if (err == NB_E_ENCRYPTED) {
        n->encrypted++;
    } else {
        n->unsplit++;
    }
}

void nb__nightly_feed(nb__nightly *n, const nb__nightly_line *line)
{
    n->kinds[line->kind <= NB__JOURNAL_UNKNOWN ? line->kind : NB__JOURNAL_UNKNOWN]++;
    if (line->session_ns != NB_TIME_UNDEF) {
        /* a start mark comes before its first link: only that says which session it is */
        bool is_dated = line->kind != NB__JOURNAL_START && line->kind != NB__JOURNAL_SUM;
        if (nightly_is_reset(n) && is_dated)
            begin_night(n, line->session_ns);
        if (is_dated && (n->first_ns == NB_TIME_UNDEF || line->session_ns < n->first_ns))
            n->first_ns = line->session_ns;
        if (is_dated && (n->last_ns == NB_TIME_UNDEF || line->session_ns > n->last_ns))
            n->last_ns = line->session_ns;
    }
    if (line->kind != NB__JOURNAL_FRAME) {
        nightly_mark(n, line);
        return;
    }
    if (n->recv_first_ns == NB_TIME_UNDEF || line->recv_ns < n->recv_first_ns)
        n->recv_first_ns = line->recv_ns;
    if (n->recv_last_ns == NB_TIME_UNDEF || line->recv_ns > n->recv_last_ns)
        n->recv_last_ns = line->recv_ns;
    note_frame(n, line);
}

/* ---- the end ---- */

static int by_records(const void *a, const void *b, void *self)
{
    const nb__nightly *n = self;
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    if (n->keys[left].records != n->keys[right].records)
        return n->keys[left].records < n->keys[right].records ? 1 : -1;
    return left < right ? -1 : 1; /* as they appeared */
}

static void end_silences(nb__nightly *n)
{
    for (uint32_t i = 0; i < n->key_count; i++)
        nightly_silence(n, &n->keys[i].silence, n->keys[i].quiet_since_ns, n->last_ns);
    nightly_silence(n, &n->silence, n->quiet_since_ns, n->last_ns);
}

/* The open questions from our own count, when no server left its evidence. */
static void use_own_evidence(nb__nightly *n)
{
    part_row *part = &n->parts[0];
    if (n->part_count > 0 || nightly_is_reset(n))
        return;
    nb__evidence_feed_kind(n->evidence, n->kind);
    nb__evidence_print_json(n->evidence, &part->json);
    if (!part->json.is_failed &&
        nb__evidence_report(nb__text_view(&part->json), &part->words, NULL) == NB_OK) {
        n->part_count = 1;
        n->is_from_recording = true;
    } else {
        nb__text_fini(&part->json);
        nb__text_fini(&part->words);
    }
}

void nb__nightly_end(nb__nightly *n)
{
    if (n->is_ended)
        return;
    n->is_ended = true;
    end_silences(n);
    nightly_close_gaps(n);
    for (uint32_t i = 0; i < MINUTES_MAX; i++)
        if (n->minutes[i].frames > n->busiest_minute.count)
            n->busiest_minute = (best){n->minutes[i].frames, n->base_ns + i * MINUTE_NS};
    use_own_evidence(n);
    n->order = calloc(n->key_count > 0 ? n->key_count : 1, sizeof *n->order);
    if (n->order == NULL) {
        n->key_count = 0; /* a report without its keys */
        return;
    }
    for (uint32_t i = 0; i < n->key_count; i++)
        n->order[i] = i;
    qsort_r(n->order, n->key_count, sizeof *n->order, by_records, n);
}

bool nb__nightly_has_frames(const nb__nightly *n)
{
    return n->frames > 0;
}

int nb__nightly_trade_date(const nb__nightly *n)
{
    return nightly_is_reset(n) ? n->directory_night : n->night.trade_date;
}
