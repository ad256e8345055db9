/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report for people: each question that only a live night can answer, and what was seen.
 *
 * It reads the JSON of print.c and trusts none of it: a file may be cut, old or another's. What is
 * missing or of another type is "not seen"; every text is made printable.
 */
#include "inside.h"
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#define JSON_MAX ((size_t)4 << 20)
#define NOT_SEEN "   not seen\n"
#define TEXT_MAX 160
#define NUMBER_MAX INT64_C(1000000000000000) /* no count of ours: sums of such cannot overflow */

typedef struct report {
    nb__text *out;
    const json_t *root;
} report;

/* ---- reading: anything may be missing ---- */

static int64_t integer_of(const json_t *value)
{
    int64_t integer = json_is_integer(value) ? json_integer_value(value) : 0;
    return integer < 0 || integer > NUMBER_MAX ? 0 : integer;
}

static int64_t number(const json_t *object, const char *name)
{
    return integer_of(json_object_get(object, name));
}

static bool has(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return value != NULL && !json_is_null(value);
}

static int64_t item(const json_t *array, size_t index)
{
    return integer_of(json_array_get(array, index));
}

/* A text fit for a terminal, cut; "" when it is none. */
static const char *printable(const json_t *value, char out[TEXT_MAX])
{
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    size_t size = strnlen(text, TEXT_MAX - 1);
    memcpy(out, text, size);
    out[size] = '\0';
    nb__make_printable(out, size);
    return out;
}

static const char *string(const json_t *object, const char *name, char out[TEXT_MAX])
{
    return printable(json_object_get(object, name), out);
}

/* "2026-11-20T18:00:00.123+09:00" as "11-20 18:00:00"; "" when it is none. */
static const char *when(const json_t *object, const char *name, char out[TEXT_MAX])
{
    string(object, name, out);
    if (strlen(out) < 19 || out[10] != 'T')
        return "";
    out[10] = ' ';
    out[19] = '\0';
    return out + 5;
}

static void heading(const report *r, const char *question)
{
    nb__text_printf(r->out, "\n%s\n", question);
}

/* ---- the questions of each TR ---- */

/* One line or more of a TR; @return false: nothing was seen. */
typedef bool tr_section(const report *r, const json_t *tr, const char *tr_id);

static void each_tr(const report *r, const char *question, tr_section *section)
{
    const json_t *trs = json_object_get(r->root, "trs");
    bool is_seen = false;
    char tr_id[TEXT_MAX];
    heading(r, question);
    for (size_t i = 0; i < json_array_size(trs); i++) {
        const json_t *tr = json_array_get(trs, i);
        is_seen |= section(r, tr, string(tr, "tr_id", tr_id));
    }
    if (!is_seen)
        nb__text_string(r->out, NOT_SEEN);
}

static bool say_widths(const report *r, const json_t *tr, const char *tr_id)
{
    const json_t *widths = json_object_get(tr, "widths");
    int64_t documented = number(tr, "documented_fields");
    for (size_t i = 0; i < json_array_size(widths); i++) {
        const json_t *pair = json_array_get(widths, i);
        nb__text_printf(r->out, "   %-9s %" PRId64 " fields in %" PRId64 " frames", tr_id,
                        item(pair, 0), item(pair, 1));
        if (documented == 0)
            nb__text_string(r->out, ", a TR without documentation here\n");
        else if (item(pair, 0) == documented)
            nb__text_string(r->out, ", as documented\n");
        else
            nb__text_printf(r->out, ", DOCUMENTED ARE %" PRId64 "\n", documented);
    }
    if (number(tr, "widths_other") > 0)
        nb__text_printf(r->out, "   %-9s yet other widths in %" PRId64 " frames\n", tr_id,
                        number(tr, "widths_other"));
    if (number(tr, "encrypted") > 0)
        nb__text_printf(r->out, "   %-9s %" PRId64 " encrypted frames: their fields are not seen\n",
                        tr_id, number(tr, "encrypted"));
    return json_array_size(widths) > 0 || number(tr, "encrypted") > 0;
}

static bool say_records(const report *r, const json_t *tr, const char *tr_id)
{
    const json_t *pairs = json_object_get(tr, "records_a_frame");
    if (json_array_size(pairs) == 0)
        return false;
    nb__text_printf(r->out, "   %-9s", tr_id);
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *pair = json_array_get(pairs, i);
        nb__text_printf(r->out, "%s%" PRId64 "%s in %" PRId64 "%s", i == 0 ? " " : ", ",
                        item(pair, 0), item(pair, 0) == RECORDS_TOP ? " or more" : "",
                        item(pair, 1), i == 0 ? " frames" : "");
    }
    nb__text_printf(r->out, "; at most %" PRId64 "\n", number(tr, "records_most"));
    return true;
}

static bool say_counts(const report *r, const json_t *tr, const char *tr_id)
{
    const json_t *books = json_object_get(tr, "books");
    if (!json_is_object(books))
        return false;
    int64_t told = number(books, "order_counts_told"), none = number(books, "order_counts_none");
    if (told + none == 0)
        return false;
    nb__text_printf(r->out, "   %-9s %s: told in %" PRId64 " books, all 0 in %" PRId64, tr_id,
                    told == 0   ? "always 0"
                    : none == 0 ? "filled"
                                : "sometimes filled",
                    told, none);
    nb__text_printf(r->out, "; total order counts told in %" PRId64 "\n",
                    number(books, "total_order_counts_told"));
    return true;
}

static void say_total(const report *r, const char *tr_id, const char *which, const json_t *totals)
{
    if (!json_is_object(totals))
        return;
    nb__text_printf(r->out,
                    "   %-9s %s: equal to the levels' sum %" PRId64 ", above it %" PRId64
                    ", below it %" PRId64 "\n",
                    tr_id, which, number(totals, "equal"), number(totals, "above"),
                    number(totals, "below"));
}

/* A total of the whole book is never below its five levels; one damaged frame in a hundred decides
 * nothing. */
static const char *total_verdict(const json_t *full)
{
    int64_t above = number(full, "above"), below = number(full, "below");
    int64_t all = number(full, "equal") + above + below;
    if (below * 100 > all)
        return "neither the levels nor more: look at the frames";
    return above * 100 > all ? "the whole book" : "the five levels only, as far as was seen";
}

static bool say_totals(const report *r, const json_t *tr, const char *tr_id)
{
    const json_t *books = json_object_get(tr, "books");
    const json_t *full = json_object_get(books, "totals_of_five_levels");
    const json_t *fewer = json_object_get(books, "totals_of_fewer_levels");
    say_total(r, tr_id, "sides with five levels", full);
    say_total(r, tr_id, "sides with fewer", fewer);
    if (json_is_object(full))
        nb__text_printf(r->out, "   %-9s so a total covers %s\n", tr_id, total_verdict(full));
    return json_is_object(full) || json_is_object(fewer);
}

static bool say_decimals(const report *r, const json_t *tr, const char *tr_id)
{
    const json_t *rows = json_object_get(json_object_get(tr, "books"), "decimals");
    char product[TEXT_MAX];
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        nb__text_printf(r->out, "   %-9s %-16s %" PRId64 " decimals in %" PRId64 " best prices\n",
                        tr_id, printable(json_array_get(row, 0), product), item(row, 1),
                        item(row, 2));
    }
    return json_array_size(rows) > 0;
}

static bool say_phases(const report *r, const json_t *tr, const char *tr_id)
{
    static const char *const titles[PHASE_COUNT] = {
        "opening receipt", "continuous", "closing receipt", "after 06:00", "outside the night"};
    const json_t *phases = json_object_get(tr, "phases");
    char first[TEXT_MAX], last[TEXT_MAX];
    bool is_seen = false;
    for (size_t i = 0; i < PHASE_COUNT; i++) {
        const json_t *phase = json_object_get(phases, evidence_phase_names[i]);
        if (!json_is_object(phase)) {
            if (i != PHASE_CLOSED)
                nb__text_printf(r->out, "   %-9s %-17s not seen\n", tr_id, titles[i]);
            continue;
        }
        is_seen = true;
        nb__text_printf(r->out, "   %-9s %-17s %" PRId64 " frames, %s to %s", tr_id, titles[i],
                        number(phase, "frames"), when(phase, "first", first),
                        when(phase, "last", last));
        if (number(phase, "books") > 0)
            nb__text_printf(r->out,
                            "; of %" PRId64 " books %" PRId64 " crossed, %" PRId64
                            " locked, %" PRId64 " one-sided, %" PRId64 " empty",
                            number(phase, "books"), number(phase, "crossed"),
                            number(phase, "locked"), number(phase, "one_sided"),
                            number(phase, "empty"));
        nb__text_string(r->out, "\n");
    }
    return is_seen;
}

static bool say_thinning(const report *r, const json_t *tr, const char *tr_id)
{
    const json_t *thinning = json_object_get(tr, "thinning");
    int64_t gaps = number(thinning, "gaps"), at = number(thinning, "at_200ms");
    int64_t below = number(thinning, "below_200ms");
    if (gaps == 0)
        return false;
    int64_t at_percent = at * 100 / gaps, below_percent = below * 100 / gaps;
    const char *verdict = gaps < 100          ? "too few to tell"
                          : below_percent > 5 ? "not thinned out every 0.2 s"
                          : at_percent > 50
                              ? "THINNED OUT every 0.2 s"
                              : "PERHAPS LIMITED to one in 0.2 s: hardly any is shorter";
    nb__text_printf(r->out,
                    "   %-9s %s: of %" PRId64 " gaps up to 2 s, %" PRId64
                    " %% lie at multiples of 0.2 s (10 %% by chance), %" PRId64 " %% are shorter\n",
                    tr_id, verdict, gaps, at_percent, below_percent);
    return true;
}

/* "<2 ms", "<1.02 s", "8389 s or more" */
static void print_bucket(nb__text *out, int64_t bucket)
{
    bool is_last = bucket >= GAP_BUCKETS - 1;
    double ms = (double)(INT64_C(1) << (is_last ? GAP_BUCKETS - 1 : bucket + 1));
    nb__text_string(out, is_last ? "" : "<");
    if (ms < 1000)
        nb__text_printf(out, "%.0f ms", ms);
    else
        nb__text_printf(out, ms < 10000 ? "%.2f s" : "%.0f s", ms / 1000);
    nb__text_string(out, is_last ? " or more" : "");
}

static bool say_gaps(const report *r, const json_t *tr, const char *tr_id)
{
    const json_t *pairs = json_object_get(tr, "gaps_log2_ms");
    if (json_array_size(pairs) == 0)
        return false;
    nb__text_printf(r->out, "   %-9s", tr_id);
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *pair = json_array_get(pairs, i);
        nb__text_string(r->out, i == 0 ? " " : ", ");
        print_bucket(r->out, item(pair, 0));
        nb__text_printf(r->out, ": %" PRId64, item(pair, 1));
    }
    nb__text_string(r->out, "\n");
    return true;
}

/* ---- the questions of the whole ---- */

static void say_keys(const report *r)
{
    const json_t *keys = json_object_get(r->root, "keys");
    char tr_id[TEXT_MAX], tr_key[TEXT_MAX];
    if (json_array_size(keys) > 0)
        nb__text_string(r->out, "   busiest keys            frames   shortest ms   median ms\n");
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *key = json_array_get(keys, i);
        double least = json_number_value(json_object_get(key, "gap_least_ms"));
        nb__text_printf(r->out, "   %-9s %-12s %8" PRId64, string(key, "tr_id", tr_id),
                        string(key, "tr_key", tr_key), number(key, "frames"));
        if (has(key, "gap_median_ms"))
            nb__text_printf(r->out, " %13.3f %11" PRId64 "\n", least < 0 ? 0 : least,
                            number(key, "gap_median_ms"));
        else
            nb__text_string(r->out, "             -           -\n");
    }
    nb__text_printf(
        r->out, "   %" PRId64 " keys had frames; %" PRId64 " confirmed ones had none since\n",
        number(r->root, "keys_with_frames"), number(r->root, "keys_confirmed_and_silent"));
}

/* Sent as a rule, snapshots are nearly all of the first frames; a lone one may be chance. */
static const char *snapshot_verdict(int64_t signs, int64_t first_frames)
{
    if (signs == 0)
        return "no sign of a snapshot";
    return signs * 2 > first_frames ? "SNAPSHOTS ARE SENT" : "too few to be a rule";
}

static void say_snapshot(const report *r)
{
    const json_t *s = json_object_get(r->root, "snapshot");
    heading(r, "7. Does a snapshot follow SUBSCRIBE SUCCESS?");
    if (!json_is_object(s)) {
        nb__text_string(r->out, NOT_SEEN);
        return;
    }
    int64_t first = number(s, "first_of_key"), same = number(s, "same_as_last");
    int64_t other = number(s, "other_than_last"), old = number(s, "of_an_earlier_time");
    int64_t later = number(s, "later");
    nb__text_printf(r->out,
                    "   of %" PRId64 " successes, a frame came within %" PRId64
                    " ms: equal to the last known %" PRId64 ", another %" PRId64
                    ", the key's first ever %" PRId64 "; it came later %" PRId64 " times\n",
                    number(s, "confirmed"), number(s, "within_ms"), same, other, first, later);
    nb__text_printf(r->out, "   %" PRId64 " of these frames were of an earlier time: %s\n", old,
                    snapshot_verdict(old > same ? old : same, first + same + other + later));
}

static void say_codes(const report *r)
{
    const json_t *codes = json_object_get(r->root, "codes");
    char msg_cd[TEXT_MAX], rt_cd[TEXT_MAX], msg1[TEXT_MAX];
    heading(r, "8. Which rt_cd has each code?");
    if (json_array_size(codes) == 0)
        nb__text_string(r->out, NOT_SEEN);
    for (size_t i = 0; i < json_array_size(codes); i++) {
        const json_t *code = json_array_get(codes, i);
        string(code, "msg_cd", msg_cd);
        string(code, "rt_cd", rt_cd);
        nb__opsp known = nb__opsp_find(nb__span(msg_cd));
        bool is_known = known != NB__OPSP_COUNT;
        nb__text_printf(r->out, "   %-9s rt_cd %s, %" PRId64 " times: %s%s\n", msg_cd, rt_cd,
                        number(code, "count"), string(code, "msg1", msg1),
                        !is_known                                       ? "  (NOT IN OUR TABLE)"
                        : strcmp(nb__opsp_at(known)->rt_cd, rt_cd) != 0 ? "  (OUR TABLE DIFFERS)"
                                                                        : "");
    }
    if (number(r->root, "codes_other") > 0)
        nb__text_printf(r->out, "   and %" PRId64 " answers with yet other codes\n",
                        number(r->root, "codes_other"));
}

static void say_in_use(const report *r)
{
    const json_t *episodes = json_object_get(r->root, "in_use");
    char lost[TEXT_MAX], first[TEXT_MAX], last[TEXT_MAX], cleared[TEXT_MAX];
    heading(r, "9. How long does OPSP8996 ALREADY IN USE last?");
    if (json_array_size(episodes) == 0)
        nb__text_string(r->out, NOT_SEEN);
    for (size_t i = 0; i < json_array_size(episodes); i++) {
        const json_t *episode = json_array_get(episodes, i);
        bool has_loss = has(episode, "lost"), is_over = has(episode, "cleared");
        nb__text_printf(r->out, "   appkey %" PRId64 ": %s%s%s, %" PRId64 " times until %s, %s%s\n",
                        number(episode, "feed") + 1, when(episode, "first", first),
                        has_loss ? ", the link before it ended " : "",
                        has_loss ? when(episode, "lost", lost) : "", number(episode, "count"),
                        when(episode, "last", last), is_over ? "free again at " : "not free again",
                        is_over ? when(episode, "cleared", cleared) : "");
    }
    if (number(r->root, "in_use_other") > 0)
        nb__text_printf(r->out, "   and %" PRId64 " more such answers\n",
                        number(r->root, "in_use_other"));
}

static void say_span(const report *r, const char *words, const json_t *object, const char *name)
{
    if (has(object, name))
        nb__text_printf(r->out, "   %s %" PRId64 ".%03" PRId64 " s\n", words,
                        number(object, name) / 1000, number(object, name) % 1000);
    else
        nb__text_printf(r->out, "   %s not seen\n", words);
}

static void say_approvals(const report *r)
{
    const json_t *approvals = json_object_get(r->root, "approvals");
    const json_t *refused = json_object_get(approvals, "refused");
    char code[TEXT_MAX], words[TEXT_MAX];
    heading(r, "11. How often may an approval key be asked for?");
    if (!json_is_object(approvals)) {
        nb__text_string(r->out, NOT_SEEN);
        return;
    }
    nb__text_printf(r->out, "   approval keys given: %" PRId64 "\n", number(approvals, "given"));
    say_span(r, "shortest pause after which one was given:", approvals, "shortest_gap_given_ms");
    say_span(r, "longest pause after which it was \"too often\":", approvals,
             "longest_gap_too_often_ms");
    for (size_t i = 0; i < json_array_size(refused); i++) {
        const json_t *row = json_array_get(refused, i);
        nb__text_printf(r->out, "   refused with %s, %" PRId64 " times: %s\n",
                        string(row, "error_code", code), number(row, "count"),
                        string(row, "words", words));
    }
}

static void say_pingpong(const report *r)
{
    const json_t *pingpong = json_object_get(r->root, "pingpong");
    heading(r, "12. How often does PINGPONG come?");
    if (!json_is_object(pingpong)) {
        nb__text_string(r->out, NOT_SEEN);
        return;
    }
    nb__text_printf(r->out, "   %" PRId64 " times\n", number(pingpong, "count"));
    say_span(r, "shortest time between two:", pingpong, "least_ms");
    say_span(r, "mean:", pingpong, "mean_ms");
    say_span(r, "longest:", pingpong, "most_ms");
}

static void say_losses(const report *r)
{
    const json_t *losses = json_object_get(r->root, "losses");
    char lost[TEXT_MAX], back[TEXT_MAX], reason[TEXT_MAX];
    heading(r, "13. When was the link lost, and why?");
    if (json_array_size(losses) == 0)
        nb__text_string(r->out, number(r->root, "links_up") > 0 ? "   never\n" : NOT_SEEN);
    for (size_t i = 0; i < json_array_size(losses); i++) {
        const json_t *loss = json_array_get(losses, i);
        nb__text_printf(r->out, "   appkey %" PRId64 ": %s to %s: %s\n", number(loss, "feed") + 1,
                        when(loss, "lost", lost),
                        has(loss, "back") ? when(loss, "back", back) : "(not back)",
                        string(loss, "reason", reason));
    }
    if (number(r->root, "losses_other") > 0)
        nb__text_printf(r->out, "   and %" PRId64 " more\n", number(r->root, "losses_other"));
}

/* ---- the whole ---- */

static void say_title(const report *r)
{
    char banner[TEXT_MAX], date[TEXT_MAX], first[TEXT_MAX], last[TEXT_MAX];
    string(r->root, "banner", banner);
    nb__text_printf(r->out, "The night of trade date %s, %s\n", string(r->root, "trade_date", date),
                    banner[0] == '\0' ? "feed not known" : banner);
    if (has(r->root, "first"))
        nb__text_printf(r->out, "seen from %s to %s (KST)\n", when(r->root, "first", first),
                        when(r->root, "last", last));
    else
        nb__text_string(r->out, "nothing was seen\n");
    if (strcmp(banner, "LIVE") != 0)
        nb__text_string(r->out, "This was not KIS: it tells what the feed above does.\n");
}

static void say_all(const report *r)
{
    say_title(r);
    each_tr(r, "1. How many fields has a record?", say_widths);
    each_tr(r, "2. How many records has a frame?", say_records);
    each_tr(r, "3. Are order counts told, or 0?", say_counts);
    each_tr(r, "4. Do totals cover five levels or the whole book?", say_totals);
    each_tr(r, "5. How many decimals have prices?", say_decimals);
    each_tr(r, "6. What comes in the auctions and after 06:00?", say_phases);
    say_snapshot(r);
    say_codes(r);
    say_in_use(r);
    each_tr(r, "10. Are frames thinned out? (gaps between frames of a key)", say_thinning);
    each_tr(r, "    and how long are the gaps?", say_gaps);
    say_keys(r);
    say_approvals(r);
    say_pingpong(r);
    say_losses(r);
}

nb_err nb__evidence_report(nb_span json, nb__text *out, nb_error *error)
{
    json_error_t where;
    if (json.size_bytes > JSON_MAX)
        return nb__fail(error, NB_E_JSON, 0, "it is too long for evidence that nightbook wrote");
    json_t *root = json_loadb(json.size_bytes == 0 ? "" : json.data, json.size_bytes,
                              JSON_REJECT_DUPLICATES, &where);
    if (root == NULL)
        return nb__fail(error, NB_E_JSON, where.position < 0 ? 0 : (size_t)where.position,
                        "line %d: %s", where.line, where.text);
    const json_t *version = json_object_get(root, "nightbook_evidence");
    if (!json_is_integer(version) || json_integer_value(version) != EVIDENCE_VERSION) {
        bool is_ours = json_is_integer(version);
        json_decref(root);
        return nb__fail(error, NB_E_JSON, 0,
                        is_ours ? "the evidence is of another version of nightbook"
                                : "it is JSON, but no evidence that nightbook wrote");
    }
    size_t before_bytes = out->size_bytes;
    say_all(&(report){.out = out, .root = root});
    json_decref(root);
    if (!out->is_failed)
        return NB_OK;
    out->size_bytes = before_bytes;
    return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
}
