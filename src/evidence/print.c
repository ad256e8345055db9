/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole as one JSON object. What was not seen is null, never 0: a reader must not take "nobody
 * looked" for "it does not happen".
 *
 * Pairs [what, how often] stand for histograms; times of day are those of the session, in KST.
 */
#include "inside.h"
#include <inttypes.h>
#include <string.h>

#define KEYS_SHOWN 24 /* those with the most frames */

static const char *const product_words[PRODUCT_COUNT] = {
    [NB__PRODUCT_UNKNOWN] = "unknown",
    [NB__PRODUCT_KOSPI200] = "kospi200",
    [NB__PRODUCT_KOSPI200_MINI] = "mini",
    [NB__PRODUCT_KOSPI200_WEEKLY_THU] = "thu",
    [NB__PRODUCT_KOSPI200_WEEKLY_MON] = "mon",
    [NB__PRODUCT_KOSDAQ150] = "kosdaq150",
    [NB__PRODUCT_OTHER_FUTURE] = "other",
    [NB__PRODUCT_KOSPI200_MINI_FUTURE] = "mini_future",
    [NB__PRODUCT_KOSDAQ150_FUTURE] = "kosdaq150_future",
};

/* Opens on the first item, separates the others; closes what was opened. */
typedef struct list {
    nb__text *out;
    uint32_t count;
} list;

static void list_next(list *items)
{
    nb__text_string(items->out, items->count++ == 0 ? "[" : ",");
}

static void list_end(const list *items)
{
    nb__text_string(items->out, items->count == 0 ? "null" : "]");
}

static void print_name(nb__text *out, const char *name)
{
    nb__text_printf(out, ",\"%s\":", name);
}

static void print_string(nb__text *out, const char *name, const char *value)
{
    print_name(out, name);
    nb__text_json(out, nb__span(value));
}

static void print_count(nb__text *out, const char *name, uint64_t count)
{
    nb__text_printf(out, ",\"%s\":%" PRIu64, name, count);
}

/* A time of the session, or a receive time; 0 is none. */
static void print_time(nb__text *out, const char *name, int64_t utc_ns)
{
    char text[40];
    nb__kst_print(text, utc_ns, 3);
    if (utc_ns == 0)
        nb__text_printf(out, ",\"%s\":null", name);
    else
        nb__text_printf(out, ",\"%s\":\"%s\"", name, text);
}

/* Milliseconds; 0 is none. */
static void print_span(nb__text *out, const char *name, int64_t ns)
{
    if (ns <= 0)
        nb__text_printf(out, ",\"%s\":null", name);
    else
        nb__text_printf(out, ",\"%s\":%" PRId64, name, (ns + NB__NS_PER_MS / 2) / NB__NS_PER_MS);
}

/* ---- TRs ---- */

static void print_pairs(nb__text *out, const char *name, const uint64_t *counts, size_t count)
{
    list pairs = {.out = out};
    print_name(out, name);
    for (size_t i = 0; i < count; i++) {
        if (counts[i] == 0)
            continue;
        list_next(&pairs);
        nb__text_printf(out, "[%zu,%" PRIu64 "]", i, counts[i]);
    }
    list_end(&pairs);
}

static void print_widths(nb__text *out, const tr_stats *tr)
{
    list widths = {.out = out};
    print_name(out, "widths");
    for (size_t i = 0; i < WIDTHS_MAX && tr->widths[i].frames > 0; i++) {
        list_next(&widths);
        nb__text_printf(out, "[%d,%" PRIu64 "]", tr->widths[i].fields, tr->widths[i].frames);
    }
    list_end(&widths);
    print_count(out, "widths_other", tr->widths_other);
}

static void print_phases(nb__text *out, const tr_stats *tr)
{
    nb__text_string(out, ",\"phases\":{");
    for (size_t i = 0; i < PHASE_COUNT; i++) {
        const phase_stats *phase = &tr->phases[i];
        nb__text_printf(out, "%s\"%s\":", i == 0 ? "" : ",", evidence_phase_names[i]);
        if (phase->frames == 0 && phase->books == 0) {
            nb__text_string(out, "null");
            continue;
        }
        nb__text_printf(out, "{\"frames\":%" PRIu64, phase->frames);
        print_time(out, "first", phase->first_ns);
        print_time(out, "last", phase->last_ns);
        print_count(out, "books", phase->books);
        print_count(out, "crossed", phase->crossed);
        print_count(out, "locked", phase->locked);
        print_count(out, "one_sided", phase->one_sided);
        print_count(out, "empty", phase->empty);
        nb__text_string(out, "}");
    }
    nb__text_string(out, "}");
}

static void print_totals(nb__text *out, const char *name, const total_stats *total)
{
    print_name(out, name);
    if (total->equal + total->above + total->below == 0)
        nb__text_string(out, "null");
    else
        nb__text_printf(out, "{\"equal\":%" PRIu64 ",\"above\":%" PRIu64 ",\"below\":%" PRIu64 "}",
                        total->equal, total->above, total->below);
}

static void print_decimals(nb__text *out, const tr_stats *tr)
{
    list rows = {.out = out};
    print_name(out, "decimals");
    for (size_t p = 0; p < PRODUCT_COUNT; p++) {
        for (size_t d = 0; d <= DECIMALS_TOP; d++) {
            if (tr->decimals[p][d] == 0)
                continue;
            list_next(&rows);
            nb__text_printf(out, "[\"%s\",%zu,%" PRIu64 "]", product_words[p], d,
                            tr->decimals[p][d]);
        }
    }
    list_end(&rows);
}

static void print_books(nb__text *out, const tr_stats *tr)
{
    if (tr->books == 0) {
        nb__text_string(out, ",\"books\":null");
        return;
    }
    nb__text_printf(out, ",\"books\":{\"count\":%" PRIu64, tr->books);
    print_count(out, "order_counts_told", tr->counts_told);
    print_count(out, "order_counts_none", tr->counts_none);
    print_count(out, "total_order_counts_told", tr->total_counts_told);
    print_totals(out, "totals_of_five_levels", &tr->full_sides);
    print_totals(out, "totals_of_fewer_levels", &tr->short_sides);
    print_decimals(out, tr);
    nb__text_string(out, "}");
}

static void print_thinning(nb__text *out, const tr_stats *tr)
{
    if (tr->gaps_judged == 0) {
        nb__text_string(out, ",\"thinning\":null");
        return;
    }
    nb__text_printf(out,
                    ",\"thinning\":{\"gaps\":%" PRIu64 ",\"at_200ms\":%" PRIu64
                    ",\"below_200ms\":%" PRIu64 "}",
                    tr->gaps_judged, tr->gaps_at_200ms, tr->gaps_below_200ms);
}

static void print_tr(nb__text *out, const tr_stats *tr)
{
    nb__text_string(out, "{\"tr_id\":");
    nb__text_json(out, nb__span(tr->tr_id));
    if (tr->documented == 0)
        nb__text_string(out, ",\"documented_fields\":null");
    else
        print_count(out, "documented_fields", (uint64_t)tr->documented);
    print_count(out, "frames", tr->frames);
    print_count(out, "records", tr->records);
    print_count(out, "encrypted", tr->encrypted);
    print_count(out, "undecoded", tr->undecoded);
    print_widths(out, tr);
    print_pairs(out, "records_a_frame", tr->records_a_frame, RECORDS_TOP + 1);
    print_count(out, "records_most", tr->records_most);
    print_phases(out, tr);
    print_books(out, tr);
    print_pairs(out, "gaps_log2_ms", tr->gaps, GAP_BUCKETS);
    print_thinning(out, tr);
    nb__text_string(out, "}");
}

/* ---- keys ---- */

/* The middle of the bucket in which the median lies, in ms; -1: no gap was seen. */
static int64_t median_ms(const key_stats *key)
{
    uint32_t sum = 0, so_far = 0;
    for (size_t i = 0; i < KEY_BUCKETS; i++)
        sum += key->gaps[i];
    if (sum == 0)
        return -1;
    for (size_t i = 0; i < KEY_BUCKETS; i++) {
        so_far += key->gaps[i];
        if (so_far * 2 >= sum)
            return (INT64_C(3) << i) / 2;
    }
    return -1;
}

/* The busiest keys, busiest first. @return how many. */
static size_t busiest(const nb__evidence *evidence, uint32_t out[KEYS_SHOWN])
{
    size_t count = 0;
    uint32_t topics = nb__topics_count(evidence->topics);
    for (uint32_t t = 0; t < topics && t < evidence->topics_max; t++) {
        uint32_t frames = evidence->keys[t].frames;
        if (frames == 0 || (count == KEYS_SHOWN && frames <= evidence->keys[out[count - 1]].frames))
            continue;
        size_t at = count < KEYS_SHOWN ? count++ : KEYS_SHOWN - 1;
        for (; at > 0 && evidence->keys[out[at - 1]].frames < frames; at--)
            out[at] = out[at - 1];
        out[at] = t;
    }
    return count;
}

static void print_keys(const nb__evidence *evidence, nb__text *out)
{
    uint32_t shown[KEYS_SHOWN], silent = 0, with_frames = 0, topics;
    list keys = {.out = out};
    size_t count = busiest(evidence, shown);
    nb__text_string(out, ",\n\"keys\":");
    for (size_t i = 0; i < count; i++) {
        const nb__topic *name = nb__topics_at(evidence->topics, shown[i]);
        const key_stats *key = &evidence->keys[shown[i]];
        int64_t median = median_ms(key);
        list_next(&keys);
        nb__text_string(out, "\n{\"tr_id\":");
        nb__text_json(out, nb__span(name->tr_id));
        print_string(out, "tr_key", nb__topic_shown_key(name));
        print_count(out, "frames", key->frames);
        if (median < 0 || key->gap_least_us == UINT32_MAX) /* none, or none below 71 minutes */
            nb__text_string(out, ",\"gap_least_ms\":null,\"gap_median_ms\":null}");
        else
            nb__text_printf(out, ",\"gap_least_ms\":%u.%03u,\"gap_median_ms\":%" PRId64 "}",
                            key->gap_least_us / 1000, key->gap_least_us % 1000, median);
    }
    list_end(&keys);
    topics = nb__topics_count(evidence->topics);
    for (uint32_t t = 0; t < topics && t < evidence->topics_max; t++) {
        with_frames += evidence->keys[t].frames > 0;
        silent += evidence->keys[t].confirmed_ns != 0;
    }
    print_count(out, "keys_with_frames", with_frames);
    print_count(out, "keys_confirmed_and_silent", silent);
}

/* ---- answers, approvals, links ---- */

static void print_snapshot(const nb__evidence *evidence, nb__text *out)
{
    if (evidence->confirmed == 0) {
        nb__text_string(out, ",\n\"snapshot\":null");
        return;
    }
    nb__text_printf(out, ",\n\"snapshot\":{\"confirmed\":%" PRIu64, evidence->confirmed);
    print_count(out, "within_ms", SNAPSHOT_NS / NB__NS_PER_MS);
    print_count(out, "first_of_key", evidence->snapshot_first);
    print_count(out, "same_as_last", evidence->snapshot_same);
    print_count(out, "other_than_last", evidence->snapshot_other);
    print_count(out, "of_an_earlier_time", evidence->snapshot_old);
    print_count(out, "later", evidence->snapshot_later);
    nb__text_string(out, "}");
}

static void print_codes(const nb__evidence *evidence, nb__text *out)
{
    list codes = {.out = out};
    nb__text_string(out, ",\n\"codes\":");
    for (uint32_t i = 0; i < evidence->code_count; i++) {
        const code_stats *code = &evidence->codes[i];
        list_next(&codes);
        nb__text_string(out, "\n{\"msg_cd\":");
        nb__text_json(out, nb__span(code->msg_cd));
        print_string(out, "rt_cd", code->rt_cd);
        print_string(out, "msg1", code->msg1);
        print_string(out, "tr_id", code->tr_id);
        print_count(out, "count", code->count);
        print_time(out, "first", code->first_ns);
        nb__text_string(out, "}");
    }
    list_end(&codes);
    print_count(out, "codes_other", evidence->codes_other);
}

static void print_in_use(const nb__evidence *evidence, nb__text *out)
{
    list episodes = {.out = out};
    nb__text_string(out, ",\n\"in_use\":");
    for (uint32_t i = 0; i < evidence->episode_count; i++) {
        const in_use_episode *episode = &evidence->episodes[i];
        list_next(&episodes);
        nb__text_printf(out, "\n{\"feed\":%u", episode->feed);
        print_count(out, "count", episode->count);
        print_time(out, "lost", episode->lost_ns);
        print_time(out, "first", episode->first_ns);
        print_time(out, "last", episode->last_ns);
        print_time(out, "cleared", episode->cleared_ns);
        nb__text_string(out, "}");
    }
    list_end(&episodes);
    print_count(out, "in_use_other", evidence->episodes_other);
}

static void print_approvals(const nb__evidence *evidence, nb__text *out)
{
    if (evidence->approvals_given + evidence->approval_code_count == 0) {
        nb__text_string(out, ",\n\"approvals\":null");
        return;
    }
    nb__text_printf(out, ",\n\"approvals\":{\"given\":%" PRIu64, evidence->approvals_given);
    print_span(out, "shortest_gap_given_ms", evidence->approval_gap_given_ns);
    print_span(out, "longest_gap_too_often_ms", evidence->approval_gap_refused_ns);
    print_name(out, "refused");
    list codes = {.out = out};
    for (uint32_t i = 0; i < evidence->approval_code_count; i++) {
        const approval_code *code = &evidence->approval_codes[i];
        list_next(&codes);
        nb__text_string(out, "{\"error_code\":");
        nb__text_json(out, nb__span(code->code));
        print_string(out, "words", code->words);
        print_count(out, "count", code->count);
        nb__text_string(out, "}");
    }
    list_end(&codes);
    print_count(out, "refused_other", evidence->approval_codes_other);
    nb__text_string(out, "}");
}

static void print_pingpong(const nb__evidence *evidence, nb__text *out)
{
    if (evidence->pingpongs == 0) {
        nb__text_string(out, ",\n\"pingpong\":null");
        return;
    }
    uint64_t gaps = evidence->pingpong_gaps;
    nb__text_printf(out, ",\n\"pingpong\":{\"count\":%" PRIu64, evidence->pingpongs);
    print_count(out, "gaps", gaps);
    print_span(out, "least_ms", gaps == 0 ? 0 : evidence->pingpong_least_ns);
    print_span(out, "mean_ms", gaps == 0 ? 0 : evidence->pingpong_sum_ns / (int64_t)gaps);
    print_span(out, "most_ms", gaps == 0 ? 0 : evidence->pingpong_most_ns);
    nb__text_string(out, "}");
}

static void print_losses(const nb__evidence *evidence, nb__text *out)
{
    list losses = {.out = out};
    nb__text_string(out, ",\n\"losses\":");
    for (uint32_t i = 0; i < evidence->loss_count; i++) {
        const link_loss *loss = &evidence->losses[i];
        list_next(&losses);
        nb__text_printf(out, "\n{\"feed\":%u", loss->feed);
        print_time(out, "lost", loss->lost_ns);
        print_time(out, "back", loss->back_ns);
        print_string(out, "reason", loss->reason);
        nb__text_string(out, "}");
    }
    list_end(&losses);
    print_count(out, "losses_other", evidence->losses_other);
    print_count(out, "links_up", evidence->ups);
}

static void print_latency(const nb__evidence *evidence, nb__text *out)
{
    const nb__hist *hist = &evidence->latency;
    if (hist->count == 0) {
        nb__text_string(out, ",\n\"latency\":null");
        return;
    }
    nb__text_printf(out,
                    ",\n\"latency\":{\"frames\":%" PRIu64 ",\"p50_ns\":%" PRId64
                    ",\"p99_ns\":%" PRId64 ",\"p999_ns\":%" PRId64 ",\"max_ns\":%" PRId64 "}",
                    hist->count, nb__hist_quantile(hist, 500000), nb__hist_quantile(hist, 990000),
                    nb__hist_quantile(hist, 999000), hist->max);
}

void nb__evidence_print_json(const nb__evidence *evidence, nb__text *out)
{
    int date = evidence->trade_date;
    list trs = {.out = out};
    nb__text_printf(out, "{\"nightbook_evidence\":%d,\"banner\":", EVIDENCE_VERSION);
    if (evidence->is_kind_known)
        nb__text_printf(out, "\"%s\"", nb__feed_kind_banner(evidence->kind));
    else
        nb__text_string(out, "null");
    nb__text_printf(out, ",\"trade_date\":\"%04d-%02d-%02d\"", date / 10000, date / 100 % 100,
                    date % 100);
    print_time(out, "first", evidence->first_ns);
    print_time(out, "last", evidence->last_ns);
    nb__text_string(out, ",\n\"trs\":");
    for (uint32_t i = 0; i < evidence->tr_count; i++) {
        list_next(&trs);
        nb__text_string(out, "\n");
        print_tr(out, &evidence->trs[i]);
    }
    list_end(&trs);
    print_count(out, "frames_other_tr", evidence->frames_other_tr);
    print_snapshot(evidence, out);
    print_codes(evidence, out);
    print_in_use(evidence, out);
    print_approvals(evidence, out);
    print_pingpong(evidence, out);
    print_losses(evidence, out);
    print_latency(evidence, out);
    print_keys(evidence, out);
    nb__text_string(out, "}\n");
}
