/* SPDX-License-Identifier: Apache-2.0 */
/* The report for a terminal, 100 columns wide. */
#include "inside.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEYS_SHOWN 60
#define ROWS_SHOWN 20
#define HALF_HOUR 30
#define PLACES_MAX 72 /* letters of a rate line */

static const char *const bars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const shades[] = {"·", "░", "▒", "▓", "█"};

static void heading(nb__text *out, const char *words)
{
    nb__text_printf(out, "\n%s\n", words);
}

static void more(nb__text *out, uint64_t count, const char *what)
{
    if (count > 0)
        nb__text_printf(out, "  and %" PRIu64 " more%s\n", count, what);
}

/* ---- what it was ---- */

static void title(const nb__nightly *n, nb__text *out)
{
    char from[40], to[40], span[40];
    int date = nb__nightly_trade_date(n);
    nb__text_printf(out, "The night of trade date %04d-%02d-%02d, %s\n", date / 10000,
                    date / 100 % 100, date % 100, nb__feed_kind_banner(n->kind));
    if (n->first_ns == NB_TIME_UNDEF) {
        nb__text_string(out, "nothing was recorded\n");
        return;
    }
    nb__text_printf(out, "recorded from %s to %s (KST), %s, by nightbook ",
                    nightly_when(n->first_ns, from), nightly_when(n->last_ns, to),
                    nightly_span(nightly_between_ns(n->first_ns, n->last_ns), span));
    nightly_append_words(out, n->version);
    nb__text_string(out, " on ");
    nightly_append_words(out, n->host);
    nb__text_string(out, "\n");
    if (n->runs > 1)
        nb__text_printf(out, "by %" PRIu64 " runs of it one after another\n", n->runs);
    if (n->kind != NB__FEED_LIVE)
        nb__text_string(out, "This was not KIS: it tells what the feed above does.\n");
    if (!nightly_is_reset(n) && !n->night.is_calendar_known)
        nb__text_string(out, "The holiday file does not reach this date: weekdays were taken for "
                             "business days.\n");
}

static void count_line(nb__text *out, uint64_t count, const char *words)
{
    if (count > 0)
        nb__text_printf(out, "  %" PRIu64 " %s\n", count, words);
}

static void records(const nb__nightly *n, nb__text *out)
{
    char bytes[40], when[40];
    heading(out, "Frames and records");
    nb__text_printf(out, "  %" PRIu64 " frames, %" PRIu64 " records of %u keys, %s as they came\n",
                    n->frames, n->records, n->key_count, nightly_bytes(n->frame_bytes, bytes));
    count_line(out, n->unsplit, "frames could not be read");
    count_line(out, n->bad_records, "records of books could not be read");
    count_line(out, n->unknown_records, "records of TRs that are not documented here");
    count_line(out, n->keyless, "records without a key");
    count_line(out, n->kinds[NB__JOURNAL_NOTICE] + n->encrypted,
               "order notices, whose words are not recorded");
    count_line(out, n->kinds[NB__JOURNAL_OTHER], "messages of no known form");
    count_line(out, n->untimed, "frames whose link is not known: without a time");
    count_line(out, n->outside, "frames beyond five days of this night: without a minute");
    count_line(out, n->keys_refused, "records of more keys than there is room for");
    if (n->busiest_minute.count > 0)
        nb__text_printf(out, "  busiest minute %s with %" PRIu64 " frames",
                        nightly_when(n->busiest_minute.at_ns, when), n->busiest_minute.count);
    if (n->busiest_second.count > 0)
        nb__text_printf(out, ", busiest second %s with %" PRIu64 "\n",
                        nightly_when(n->busiest_second.at_ns, when), n->busiest_second.count);
}

/* ---- over the night ---- */

static void rate(const nb__nightly *n, nb__text *out)
{
    uint32_t from, to, most = 0, sums[PLACES_MAX + 1] = {0}, count = 0;
    char first[40], last[40];
    nightly_range(n, &from, &to);
    uint32_t step = (to - from + PLACES_MAX * TEN - 1) / (PLACES_MAX * TEN) * TEN;
    for (uint32_t i = from; i < to; i++) {
        count = (i - from) / step;
        sums[count] += n->minutes[i].frames;
        most = sums[count] > most ? sums[count] : most;
    }
    if (most == 0)
        return;
    heading(out, "Frames over the night");
    nb__text_string(out, "  ");
    for (uint32_t i = 0; i <= count; i++) /* what came is never shown as nothing */
        nb__text_string(out, bars[sums[i] == 0 ? 0 : 1 + (uint64_t)sums[i] * 7 / most]);
    nb__text_printf(out, "\n  %s to %s, a letter for %u minutes, the highest is %u frames\n",
                    nightly_when(n->base_ns + from * MINUTE_NS, first),
                    nightly_when(n->base_ns + to * MINUTE_NS, last), step, most);
}

static void strip(const nb__nightly *n, const key_row *key, nb__text *out)
{
    uint32_t from, to;
    nightly_range(n, &from, &to);
    to = to - from > 48 * HALF_HOUR ? from + 48 * HALF_HOUR : to;
    for (uint32_t i = from; i < to; i += HALF_HOUR) {
        uint32_t count = to - i < HALF_HOUR ? to - i : HALF_HOUR;
        uint32_t found = nightly_minutes(key, i, count);
        nb__text_string(out, shades[found == 0 ? 0 : 1 + found * 3 / count]);
    }
}

static void key_line(const nb__nightly *n, const key_row *key, nb__text *out)
{
    const nb__topic *topic = nightly_topic(n, key);
    char first[40], last[40], silence[40], spread[NB_PRICE_TEXT_MAX] = "-";
    uint32_t share = nightly_share(n, key);
    bool is_quiet = key->silence.from_ns != NB_TIME_UNDEF;
    if (key->spread_e9 != NB_PRICE_UNDEF)
        nb_price_print(spread, key->spread_e9, 2);
    nightly_when(key->first_ns, first);
    nightly_when(key->last_ns, last);
    nb__text_string(out, "  ");
    size_t before = out->size_bytes;
    nightly_append_words(out, topic->tr_id);
    nb__text_string(out, " ");
    nightly_append_words(out, nb__topic_shown_key(topic));
    for (size_t size = out->size_bytes - before; size < 19; size++)
        nb__text_string(out, " ");
    if (key->records == 0)
        nb__text_printf(out, "%8s  registered, and nothing came\n", "0");
    else
        nb__text_printf(out, "%8" PRIu64 " %8s %8s %3u.%02u%% %8" PRIu64 " %7s %11s ", key->records,
                        first + 6, last + 6, share / 100, share % 100, key->flagged, spread,
                        is_quiet ? nightly_span(key->silence.to_ns - key->silence.from_ns, silence)
                                 : "-");
    if (key->records > 0) {
        strip(n, key, out);
        nb__text_string(out, "\n");
    }
}

static void keys(const nb__nightly *n, nb__text *out)
{
    uint64_t silent = 0, beyond = 0;
    heading(out, "Coverage of each key");
    if (n->key_count == 0)
        nb__text_string(out, "  no key had a record\n");
    else
        nb__text_printf(out, "  %-19s%8s %8s %8s %7s %8s %7s %11s %s\n", "key", "records", "first",
                        "last", "minutes", "flagged", "spread", "silence", "half hours");
    for (uint32_t i = 0; i < n->key_count; i++) {
        const key_row *key = &n->keys[n->order[i]];
        silent += key->records == 0;
        if (i < KEYS_SHOWN)
            key_line(n, key, out);
        else
            beyond++;
    }
    more(out, beyond, " keys: --json and --html have them");
    count_line(out, silent, "keys were asked for and had no record");
    if (n->key_count > 0)
        nb__text_printf(out,
                        "  minutes: share of the %u of the continuous session that had a record. "
                        "spread, silence: the\n  widest and the longest; no silence is counted "
                        "over a lost link\n",
                        nightly_continuous_minutes(n));
}

/* The keys with the widest spread and the longest silence, and of all. */
static void extremes(const nb__nightly *n, nb__text *out)
{
    const key_row *widest = NULL, *longest = NULL;
    char span[40], from[40], to[40], price[3][NB_PRICE_TEXT_MAX];
    for (uint32_t i = 0; i < n->key_count; i++) {
        const key_row *key = &n->keys[n->order[i]];
        if (key->spread_e9 != NB_PRICE_UNDEF &&
            (widest == NULL || key->spread_e9 > widest->spread_e9))
            widest = key;
        if (key->silence.from_ns != NB_TIME_UNDEF &&
            (longest == NULL || key->silence.to_ns - key->silence.from_ns >
                                    longest->silence.to_ns - longest->silence.from_ns))
            longest = key;
    }
    heading(out, "Widest and longest");
    if (widest != NULL) {
        nb_price_print(price[0], widest->spread_e9, 2);
        nb_price_print(price[1], widest->spread_bid, 2);
        nb_price_print(price[2], widest->spread_ask, 2);
        nb__text_string(out, "  widest spread ");
        nightly_append_words(out, nb__topic_shown_key(nightly_topic(n, widest)));
        nb__text_printf(out, ": %s points at %s (%s to %s)\n", price[0],
                        nightly_when(widest->spread_ns, from), price[1], price[2]);
    } else {
        nb__text_string(out, "  widest spread: no book had two sides\n");
    }
    if (longest != NULL) {
        nb__text_string(out, "  longest silence of a key ");
        nightly_append_words(out, nb__topic_shown_key(nightly_topic(n, longest)));
        nb__text_printf(out, ": %s, %s to %s\n",
                        nightly_span(longest->silence.to_ns - longest->silence.from_ns, span),
                        nightly_when(longest->silence.from_ns, from),
                        nightly_when(longest->silence.to_ns, to));
    }
    if (n->silence.from_ns != NB_TIME_UNDEF)
        nb__text_printf(out, "  longest silence of all: %s, %s to %s\n",
                        nightly_span(n->silence.to_ns - n->silence.from_ns, span),
                        nightly_when(n->silence.from_ns, from), nightly_when(n->silence.to_ns, to));
}

/* ---- links, gaps, slots ---- */

static void gap_line(const nb__nightly *n, const gap_row *gap, nb__text *out)
{
    char from[40], to[40], span[40];
    bool is_over = gap->when.to_ns != NB_TIME_UNDEF;
    nb__text_printf(out, "  %s to %-14s %10s  ", nightly_when(gap->when.from_ns, from),
                    is_over ? nightly_when(gap->when.to_ns, to) : "(not back)",
                    nightly_span(nightly_gap_ns(n, gap), span));
    nightly_append_words(out, n->feeds[gap->feed].label);
    nb__text_string(out, gap->is_rest ? ", wanted: " : ": ");
    nightly_append_words(out, gap->reason);
    nb__text_string(out, "\n");
}

static void links(const nb__nightly *n, nb__text *out)
{
    char span[40];
    heading(out, "Links and gaps");
    if (n->feed_count == 0)
        nb__text_string(out, "  no link came up\n");
    for (uint32_t i = 0; i < n->feed_count; i++) {
        const feed_row *feed = &n->feeds[i];
        nb__text_string(out, "  ");
        nightly_append_words(out, feed->label);
        nb__text_printf(out, ": links %u, lost %u", feed->connects, feed->drops);
        if (feed->drops > 0)
            nb__text_printf(out, ", %s of the session without it",
                            nightly_span(feed->down_ns, span));
        nb__text_string(out, "\n");
    }
    for (uint32_t i = 0; i < n->gap_count && i < ROWS_SHOWN; i++)
        gap_line(n, &n->gaps[i], out);
    more(out, (n->gap_count > ROWS_SHOWN ? n->gap_count - ROWS_SHOWN : 0) + n->gaps_other, " gaps");
    for (uint32_t i = 0; i < n->cause_count; i++) {
        nb__text_printf(out, "  cause of %" PRIu64 ": ", n->causes[i].count);
        nightly_append_words(out, n->causes[i].reason);
        nb__text_string(out, "\n");
    }
    more(out, n->causes_other, " for yet other causes");
}

static void slots(const nb__nightly *n, nb__text *out)
{
    char when[40];
    heading(out, "Slots");
    if (n->code_count == 0) {
        nb__text_string(out, "  no answer was recorded\n");
        return;
    }
    nb__text_printf(out,
                    "  at most %u registered at once; %" PRIu64 " confirmed, %" PRIu64
                    " given back, %" PRIu64 " refused\n",
                    n->registered_most, n->confirmed, n->given_back, n->refused);
    for (uint32_t i = 0; n->feed_count > 1 && i < n->feed_count; i++) {
        nb__text_string(out, "  ");
        nightly_append_words(out, n->feeds[i].label);
        nb__text_printf(out, ": at most %u at once\n", n->feeds[i].registered_most);
    }
    for (uint32_t i = 0; i < n->refusal_count && i < ROWS_SHOWN; i++) {
        const refusal_row *row = &n->refusals[i];
        nb__text_string(out, "  refused ");
        nightly_append_words(out, row->tr_id);
        nb__text_string(out, " ");
        nightly_append_words(out, row->tr_key);
        nb__text_printf(out, ", first %s, %" PRIu64 " x: ", nightly_when(row->first_ns, when),
                        row->count);
        nightly_append_words(out, row->msg_cd);
        nb__text_string(out, " ");
        nightly_append_words(out, row->msg1);
        nb__text_string(out, "\n");
    }
    more(out,
         (n->refusal_count > ROWS_SHOWN ? n->refusal_count - ROWS_SHOWN : 0) + n->refusals_other,
         " refused");
}

/* ---- checks ---- */

static void checks(const nb__nightly *n, nb__text *out)
{
    const uint64_t *counts = nb__books_count(n->books)->flags;
    char when[40];
    heading(out, "Drift and flags of books");
    if (n->drift_count == 0)
        nb__text_string(out, "  no TR came wider than documented\n");
    for (uint32_t i = 0; i < n->drift_count; i++) {
        const drift_row *row = &n->drifts[i];
        nb__text_string(out, "  ");
        nightly_append_words(out, row->tr_id);
        nb__text_printf(out, " came with %d fields, documented are %d, first %s\n", row->fields,
                        row->documented, nightly_when(row->first_ns, when));
    }
    more(out, n->drifts_other, " kinds of drift");
    nb__text_printf(out, "  of %" PRIu64 " books:", n->books_decoded);
    bool has_any = false;
    for (int bit = 0; bit < NB_BOOK_FLAG_COUNT; bit++) {
        if (counts[bit] == 0)
            continue;
        nb__text_printf(out, "%s %s %" PRIu64, has_any ? "," : "", nb_book_flag_word(bit),
                        counts[bit]);
        has_any = true;
    }
    nb__text_string(out, has_any ? " (docs/correctness.md)\n" : " no flag\n");
}

static void latency(const nb__nightly *n, nb__text *out)
{
    char p50[40], p99[40], p999[40], most[40];
    bool is_known = false;
    heading(out, "Latency of our own path (how long frames were with us)");
    for (uint32_t i = 0; i < n->part_count; i++) {
        const part_row *part = &n->parts[i];
        if (!part->has_latency)
            continue;
        is_known = true;
        nb__text_printf(out, "  p50 %s, p99 %s, p99.9 %s, at most %s, over %" PRId64 " frames\n",
                        nightly_latency(part->p50_ns, p50), nightly_latency(part->p99_ns, p99),
                        nightly_latency(part->p999_ns, p999), nightly_latency(part->max_ns, most),
                        part->frames);
    }
    if (!is_known)
        nb__text_string(out, "  not known: only the evidence of a running server has it\n");
}

static void recorder(const nb__nightly *n, nb__text *out)
{
    char from[40], to[40], bytes[40], text[40];
    heading(out, "The recording");
    if (n->has_disk) {
        uint64_t all = n->disk.plain_bytes + n->disk.packed_bytes;
        nb__text_printf(out,
                        "  %s on disk in %" PRIu64 " segments (%" PRIu64 " packed), %s of lines",
                        nightly_bytes(all, bytes), n->disk.segments, n->disk.packed_segments,
                        nightly_bytes(n->disk.text_bytes, text));
        if (n->records > 0)
            nb__text_printf(out, ", %.1f bytes a record", (double)all / (double)n->records);
        nb__text_string(out, "\n");
    }
    for (uint32_t i = 0; i < n->hole_count && i < ROWS_SHOWN; i++) {
        const hole_row *hole = &n->holes[i];
        nb__text_printf(out, "  NOT RECORDING %s to %s: %" PRIu64 " lines lost: ",
                        nightly_when(hole->when.from_ns, from), nightly_when(hole->when.to_ns, to),
                        hole->lost_lines);
        nightly_append_words(out, hole->reason);
        nb__text_string(out, "\n");
    }
    more(out, (n->hole_count > ROWS_SHOWN ? n->hole_count - ROWS_SHOWN : 0) + n->holes_other,
         " holes");
    for (uint32_t i = 0; i < n->step_count && i < ROWS_SHOWN; i++)
        nb__text_printf(out, "  the clock was set at %s by %.3f s\n",
                        nightly_when(n->steps[i].at_ns, from), (double)n->steps[i].step_ns / 1e9);
    more(out, (n->step_count > ROWS_SHOWN ? n->step_count - ROWS_SHOWN : 0) + n->steps_other,
         " steps of the clock");
    count_line(out, n->kinds[NB__JOURNAL_REPAIR], "repairs dropped damaged parts before");
    for (uint32_t i = 0; i < n->damage_count && i < ROWS_SHOWN; i++) {
        nb__text_string(out, "  DAMAGED: ");
        nightly_append_words(out, n->damages[i]);
        nb__text_string(out, "\n");
    }
    more(out, (n->damage_count > ROWS_SHOWN ? n->damage_count - ROWS_SHOWN : 0) + n->damages_other,
         " damages: nightbook journal verify");
    if (n->hole_count + n->holes_other + n->damage_count == 0)
        nb__text_string(out, "  no holes, no damage was met\n");
}

static void questions(const nb__nightly *n, nb__text *out)
{
    heading(out, "The open questions of KIS's documents");
    if (n->part_count == 0)
        nb__text_string(out, "  nothing was seen of them\n");
    if (n->is_from_recording)
        nb__text_string(out, "  counted over the recording, in which approval keys are not\n");
    for (uint32_t i = 0; i < n->part_count; i++) {
        nb__text_printf(out, n->part_count > 1 ? "\n---- part %u of %u ----\n" : "\n", i + 1,
                        n->part_count);
        nb__text_append(out, n->parts[i].words.data, n->parts[i].words.size_bytes);
    }
}

void nb__nightly_print_text(const nb__nightly *n, nb__text *out)
{
    title(n, out);
    records(n, out);
    rate(n, out);
    links(n, out);
    slots(n, out);
    checks(n, out);
    latency(n, out);
    extremes(n, out);
    keys(n, out);
    recorder(n, out);
    questions(n, out);
}
