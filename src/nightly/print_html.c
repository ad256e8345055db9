/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report as a page by itself: one file, no script, nothing fetched (a policy in it says so to
 * the browser), light and dark. Every text of a recording goes through nightly_append_html().
 */
#include "inside.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEYS_LISTED 2000

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n";
static const char style[] =
    "<style>\n"
    ":root{--back:#fbfbf9;--card:#fff;--ink:#1c2330;--soft:#667085;--line:#dfe3e8;--data:#2563a8;"
    "--fill:#2563a833;--lost:#c2410c;--rest:#8891a0;--good:#15803d;--warn:#b45309}\n"
    "@media (prefers-color-scheme:dark){:root{--back:#12161c;--card:#1a2028;--ink:#e6e9ee;"
    "--soft:#98a2b3;--line:#2c3540;--data:#7ab4f0;--fill:#7ab4f033;--lost:#fb923c;--rest:#6b7688;"
    "--good:#4ade80;--warn:#fbbf24}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--ink);"
    "font:15px/1.5 system-ui,\"Noto Sans KR\",sans-serif}\n"
    "main{max-width:1120px;margin:0 auto;padding:24px 20px 60px}h1{font-size:24px;margin:0}"
    "h2{font-size:17px;margin:34px 0 10px}p{margin:6px 0}.soft{color:var(--soft)}\n"
    ".banner{display:inline-block;padding:1px 9px;border-radius:4px;border:1px "
    "solid;font-size:13px;"
    "vertical-align:3px;margin-left:8px;color:var(--warn)}.banner.live{color:var(--good)}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;"
    "margin:18px 0}.tile{background:var(--card);border:1px solid var(--line);border-radius:6px;"
    "padding:9px 13px}.tile b{display:block;font-size:20px;font-weight:600}"
    ".tile span{color:var(--soft);font-size:13px}.tile.bad b{color:var(--lost)}\n"
    "figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:6px;"
    "padding:10px;overflow-x:auto}svg{display:block;width:100%;min-width:700px;height:auto}\n"
    ".grid{stroke:var(--line);fill:none}.axis{fill:var(--soft);font-size:11px}"
    ".key{fill:var(--ink);font:11px ui-monospace,monospace}"
    ".rate{fill:var(--fill);stroke:var(--data)}.strip{stroke:var(--data);stroke-width:8;fill:none}"
    ".gap{fill:var(--lost);opacity:.35}.rest{fill:var(--rest);opacity:.25}"
    ".session{stroke:var(--soft);stroke-dasharray:3 3;fill:none}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse;width:100%;background:var(--card);"
    "border:1px solid var(--line);font-size:13.5px}th,td{padding:4px 9px;text-align:left;"
    "border-bottom:1px solid var(--line);vertical-align:top}th{color:var(--soft);font-weight:500}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "td.t{white-space:nowrap}\n"
    "pre{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:12px;"
    "overflow-x:auto;font:12.5px/1.45 ui-monospace,monospace}\n"
    "</style></head><body><main>\n";

void nightly_append_html(nb__text *out, nb_span text)
{
    nb__text clean = {0};
    nb__text_append(&clean, text.data, text.size_bytes);
    if (clean.is_failed) {
        out->is_failed = true;
        return;
    }
    nb__make_printable(clean.data, clean.size_bytes);
    for (size_t i = 0; i < clean.size_bytes; i++) {
        const char *as = NULL;
        switch (clean.data[i]) {
        case '&':
            as = "&amp;";
            break;
        case '<':
            as = "&lt;";
            break;
        case '>':
            as = "&gt;";
            break;
        case '"':
            as = "&quot;";
            break;
        case '\'':
            as = "&#39;";
            break;
        default:
            nb__text_append(out, clean.data + i, 1);
        }
        if (as != NULL)
            nb__text_string(out, as);
    }
    nb__text_fini(&clean);
}

static void words(nb__text *out, const char *text)
{
    nightly_append_html(out, nb__span(text));
}

/* ---- tables ---- */

static void cell(nb__text *out, const char *text)
{
    nb__text_string(out, "<td>");
    words(out, text);
    nb__text_string(out, "</td>");
}

static void time_cell(nb__text *out, int64_t ns)
{
    char when[40];
    nb__text_printf(out, "<td class=\"t\">%s</td>", nightly_when(ns, when));
}

static void count_cell(nb__text *out, uint64_t count)
{
    nb__text_printf(out, "<td class=\"n\">%" PRIu64 "</td>", count);
}

static void begin_table(nb__text *out, const char *header)
{
    nb__text_printf(out, "<div class=\"wide\"><table><tr>%s</tr>\n", header);
}

static void end_table(nb__text *out, uint64_t beyond)
{
    nb__text_string(out, "</table></div>\n");
    if (beyond > 0)
        nb__text_printf(out, "<p class=\"soft\">and %" PRIu64 " more</p>\n", beyond);
}

/* ---- the head ---- */

static void title(const nb__nightly *n, nb__text *out)
{
    int date = nb__nightly_trade_date(n);
    char from[40], to[40];
    nb__text_printf(out, "%s<title>The night of %04d-%02d-%02d, %s</title>\n%s", head, date / 10000,
                    date / 100 % 100, date % 100, nb__feed_kind_banner(n->kind), style);
    nb__text_printf(out,
                    "<h1>The night of %04d-%02d-%02d<span class=\"banner%s\">%s</span></h1>\n<p "
                    "class=\"soft\">",
                    date / 10000, date / 100 % 100, date % 100,
                    n->kind == NB__FEED_LIVE ? " live" : "", nb__feed_kind_banner(n->kind));
    if (n->first_ns == NB_TIME_UNDEF) {
        nb__text_string(out, "nothing was recorded</p>\n");
        return;
    }
    nb__text_printf(out, "recorded from %s to %s, Korean time, by nightbook ",
                    nightly_when(n->first_ns, from), nightly_when(n->last_ns, to));
    words(out, n->version);
    nb__text_string(out, " on ");
    words(out, n->host);
    nb__text_string(out, "</p>\n");
    if (n->kind != NB__FEED_LIVE)
        nb__text_string(out, "<p>This was not KIS: it tells what the feed above does.</p>\n");
}

static void tile(nb__text *out, bool is_bad, const char *value, const char *name)
{
    nb__text_printf(out, "<div class=\"tile%s\"><b>%s</b><span>%s</span></div>\n",
                    is_bad ? " bad" : "", value, name);
}

static void count_tile(nb__text *out, bool is_bad, uint64_t count, const char *name)
{
    char digits[24], value[32];
    size_t size = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, count), at = 0;
    for (size_t i = 0; i <= size; i++) { /* 8,000,011; the NUL too */
        if (i > 0 && i < size && (size - i) % 3 == 0)
            value[at++] = ',';
        value[at++] = digits[i];
    }
    tile(out, is_bad, value, name);
}

static void tiles(const nb__nightly *n, nb__text *out)
{
    uint64_t drops = 0, flagged = 0;
    int64_t down_ns = 0;
    char text[40];
    for (uint32_t i = 0; i < n->feed_count; i++) {
        drops += n->feeds[i].drops;
        down_ns += n->feeds[i].down_ns;
    }
    for (uint32_t i = 0; i < n->key_count; i++)
        flagged += n->keys[i].flagged;
    nb__text_string(out, "<div class=\"tiles\">\n");
    count_tile(out, false, n->frames, "frames");
    count_tile(out, false, n->records, "records");
    count_tile(out, false, n->key_count, "keys");
    count_tile(out, drops > 0, drops, "links lost");
    tile(out, down_ns > 0, nightly_span(down_ns, text), "of the session without a link");
    count_tile(out, false, flagged, "books with a flag");
    count_tile(out, n->drift_count > 0, n->drift_count + n->drifts_other, "kinds of drift");
    count_tile(out, n->refused > 0, n->refused, "slots refused");
    count_tile(out, n->hole_count > 0, n->hole_count + n->holes_other, "holes of the recorder");
    if (n->has_disk)
        tile(out, false, nightly_bytes(n->disk.plain_bytes + n->disk.packed_bytes, text),
             "on disk");
    const part_row *part = n->part_count > 0 ? &n->parts[n->part_count - 1] : NULL;
    if (part != NULL && part->has_latency)
        tile(out, false, nightly_latency(part->p99_ns, text), "our own path, p99");
    nb__text_string(out, "</div>\n");
}

static void pictures(const nb__nightly *n, nb__text *out)
{
    char when[40];
    nb__text_string(out, "<h2>Frames a minute</h2>\n<figure>\n");
    if (n->busiest_minute.count == 0)
        nb__text_string(out, "<p>no frame came</p>\n");
    nightly_picture_rate(n, out);
    nb__text_string(out, "</figure>\n");
    if (n->busiest_minute.count > 0)
        nb__text_printf(out,
                        "<p class=\"soft\">busiest minute %s with %" PRIu64 " frames; dashed: "
                        "continuous trading begins and ends; orange: a lost link</p>\n",
                        nightly_when(n->busiest_minute.at_ns, when), n->busiest_minute.count);
    nb__text_string(out, "<h2>Coverage of each key</h2>\n<figure>\n");
    uint32_t beyond = nightly_picture_coverage(n, out);
    nb__text_string(out,
                    "</figure>\n<p class=\"soft\">each stroke is a minute with a record; right: "
                    "share of the continuous session's minutes");
    if (beyond > 0)
        nb__text_printf(out, "; %u keys with fewer records are in the table only", beyond);
    nb__text_string(out, "</p>\n");
}

/* ---- links, slots, checks ---- */

static void links(const nb__nightly *n, nb__text *out)
{
    char span[40];
    nb__text_string(out, "<h2>Links and gaps</h2>\n");
    begin_table(out, "<th>appkey</th><th class=\"n\">links</th><th class=\"n\">lost</th>"
                     "<th class=\"n\">without it</th><th class=\"n\">most slots</th>");
    for (uint32_t i = 0; i < n->feed_count; i++) {
        const feed_row *feed = &n->feeds[i];
        nb__text_string(out, "<tr>");
        cell(out, feed->label);
        count_cell(out, feed->connects);
        count_cell(out, feed->drops);
        nb__text_printf(out, "<td class=\"n\">%s</td>", nightly_span(feed->down_ns, span));
        count_cell(out, feed->registered_most);
        nb__text_string(out, "</tr>\n");
    }
    end_table(out, 0);
    if (n->gap_count == 0)
        return;
    nb__text_string(out, "<p></p>");
    begin_table(out,
                "<th>from</th><th>to</th><th class=\"n\">long</th><th>appkey</th><th>why</th>");
    for (uint32_t i = 0; i < n->gap_count; i++) {
        const gap_row *gap = &n->gaps[i];
        nb__text_string(out, "<tr>");
        time_cell(out, gap->when.from_ns);
        if (gap->when.to_ns == NB_TIME_UNDEF)
            cell(out, "not back");
        else
            time_cell(out, gap->when.to_ns);
        nb__text_printf(out, "<td class=\"n\">%s</td>", nightly_span(nightly_gap_ns(n, gap), span));
        cell(out, n->feeds[gap->feed].label);
        nb__text_string(out, gap->is_rest ? "<td>wanted: " : "<td>");
        words(out, gap->reason);
        nb__text_string(out, "</td></tr>\n");
    }
    end_table(out, n->gaps_other);
}

static void slots(const nb__nightly *n, nb__text *out)
{
    nb__text_printf(out,
                    "<h2>Slots</h2>\n<p>at most %u registered at once; %" PRIu64
                    " confirmed, %" PRIu64 " given back, %" PRIu64 " refused</p>\n",
                    n->registered_most, n->confirmed, n->given_back, n->refused);
    if (n->refusal_count == 0)
        return;
    begin_table(out, "<th>first</th><th>TR</th><th>key</th><th class=\"n\">times</th><th>code</th>"
                     "<th>words</th>");
    for (uint32_t i = 0; i < n->refusal_count; i++) {
        const refusal_row *row = &n->refusals[i];
        nb__text_string(out, "<tr>");
        time_cell(out, row->first_ns);
        cell(out, row->tr_id);
        cell(out, row->tr_key);
        count_cell(out, row->count);
        cell(out, row->msg_cd);
        cell(out, row->msg1);
        nb__text_string(out, "</tr>\n");
    }
    end_table(out, n->refusals_other);
}

static void checks(const nb__nightly *n, nb__text *out)
{
    const uint64_t *counts = nb__books_count(n->books)->flags;
    nb__text_string(out, "<h2>Drift and flags of books</h2>\n");
    for (uint32_t i = 0; i < n->drift_count; i++) {
        char when[40];
        nb__text_string(out, "<p>");
        words(out, n->drifts[i].tr_id);
        nb__text_printf(out, " came with %d fields, documented are %d, first %s</p>\n",
                        n->drifts[i].fields, n->drifts[i].documented,
                        nightly_when(n->drifts[i].first_ns, when));
    }
    begin_table(out, "<th>flag</th><th class=\"n\">books</th>");
    for (int bit = 0; bit < NB_BOOK_FLAG_COUNT; bit++) {
        nb__text_string(out, "<tr>");
        cell(out, nb_book_flag_word(bit));
        count_cell(out, counts[bit]);
        nb__text_string(out, "</tr>\n");
    }
    end_table(out, 0);
}

static void latency(const nb__nightly *n, nb__text *out)
{
    bool is_known = false;
    nb__text_string(out, "<h2>Latency of our own path</h2>\n");
    for (uint32_t i = 0; i < n->part_count; i++)
        is_known |= n->parts[i].has_latency;
    if (!is_known) {
        nb__text_string(out, "<p class=\"soft\">not known: only the evidence of a running server "
                             "has it</p>\n");
        return;
    }
    begin_table(out, "<th class=\"n\">frames</th><th class=\"n\">p50</th><th class=\"n\">p99</th>"
                     "<th class=\"n\">p99.9</th><th class=\"n\">most</th>");
    for (uint32_t i = 0; i < n->part_count; i++) {
        const part_row *part = &n->parts[i];
        const int64_t values[] = {part->p50_ns, part->p99_ns, part->p999_ns, part->max_ns};
        char text[40];
        if (!part->has_latency)
            continue;
        nb__text_string(out, "<tr>");
        count_cell(out, (uint64_t)part->frames);
        for (size_t v = 0; v < NB__COUNT_OF(values); v++)
            nb__text_printf(out, "<td class=\"n\">%s</td>", nightly_latency(values[v], text));
        nb__text_string(out, "</tr>\n");
    }
    end_table(out, 0);
}

/* ---- keys ---- */

static void key_row_of(const nb__nightly *n, const key_row *key, nb__text *out)
{
    const nb__topic *topic = nightly_topic(n, key);
    char spread[NB_PRICE_TEXT_MAX] = "-", span[40], first[40], last[40];
    uint32_t share = nightly_share(n, key);
    bool is_quiet = key->silence.from_ns != NB_TIME_UNDEF;
    nb__text_string(out, "<tr>");
    cell(out, topic->tr_id);
    cell(out, nb__topic_shown_key(topic));
    count_cell(out, key->records);
    nb__text_printf(out, "<td class=\"t\">%s</td><td class=\"t\">%s</td>",
                    key->records > 0 ? nightly_when(key->first_ns, first) + 6 : "-",
                    key->records > 0 ? nightly_when(key->last_ns, last) + 6 : "-");
    nb__text_printf(out, "<td class=\"n\">%u.%02u%%</td>", share / 100, share % 100);
    count_cell(out, key->flagged);
    if (key->spread_e9 != NB_PRICE_UNDEF)
        nb_price_print(spread, key->spread_e9, 2);
    nb__text_printf(out, "<td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"t\">%s</td>",
                    spread,
                    is_quiet ? nightly_span(key->silence.to_ns - key->silence.from_ns, span) : "-",
                    is_quiet ? nightly_when(key->silence.from_ns, first) + 6 : "-");
    nb__text_string(out, "</tr>\n");
}

static void keys(const nb__nightly *n, nb__text *out)
{
    char span[40], from[40];
    uint32_t shown = n->key_count < KEYS_LISTED ? n->key_count : KEYS_LISTED;
    nb__text_string(out, "<h2>Keys, their widest spread and longest silence</h2>\n");
    if (n->silence.from_ns != NB_TIME_UNDEF)
        nb__text_printf(out, "<p>longest silence of all: %s from %s</p>\n",
                        nightly_span(n->silence.to_ns - n->silence.from_ns, span),
                        nightly_when(n->silence.from_ns, from));
    begin_table(out,
                "<th>TR</th><th>key</th><th class=\"n\">records</th><th>first</th><th>last</th>"
                "<th class=\"n\">minutes</th><th class=\"n\">flagged</th>"
                "<th class=\"n\">widest spread</th><th class=\"n\">longest silence</th>"
                "<th>from</th>");
    for (uint32_t i = 0; i < shown; i++)
        key_row_of(n, &n->keys[n->order[i]], out);
    end_table(out, n->key_count - shown);
}

/* ---- the recording, the questions ---- */

static void recorder(const nb__nightly *n, nb__text *out)
{
    char from[40], to[40], text[40];
    nb__text_string(out, "<h2>The recording</h2>\n");
    if (n->has_disk) {
        nb__text_printf(out, "<p>%s on disk in %" PRIu64 " segments, %" PRIu64 " of them packed",
                        nightly_bytes(n->disk.plain_bytes + n->disk.packed_bytes, text),
                        n->disk.segments, n->disk.packed_segments);
        nb__text_printf(out, "; %s of lines</p>\n", nightly_bytes(n->disk.text_bytes, text));
    }
    for (uint32_t i = 0; i < n->hole_count; i++) {
        nb__text_printf(out, "<p><b>NOT RECORDING</b> %s to %s, %" PRIu64 " lines lost: ",
                        nightly_when(n->holes[i].when.from_ns, from),
                        nightly_when(n->holes[i].when.to_ns, to), n->holes[i].lost_lines);
        words(out, n->holes[i].reason);
        nb__text_string(out, "</p>\n");
    }
    for (uint32_t i = 0; i < n->step_count; i++)
        nb__text_printf(out, "<p>the clock was set at %s by %.3f s</p>\n",
                        nightly_when(n->steps[i].at_ns, from), (double)n->steps[i].step_ns / 1e9);
    for (uint32_t i = 0; i < n->damage_count; i++) {
        nb__text_string(out, "<p><b>damaged:</b> ");
        words(out, n->damages[i]);
        nb__text_string(out, "</p>\n");
    }
    if (n->hole_count + n->damage_count == 0)
        nb__text_string(out, "<p>no holes, no damage was met</p>\n");
}

static void pre(nb__text *out, const nb__text *text)
{
    nb_span left = nb__text_view(text);
    nb__text_string(out, "<pre>");
    while (left.size_bytes > 0) { /* line ends stay */
        const char *end = memchr(left.data, '\n', left.size_bytes);
        size_t size = end == NULL ? left.size_bytes : (size_t)(end - left.data);
        nightly_append_html(out, (nb_span){left.data, size});
        nb__text_string(out, "\n");
        size += end != NULL;
        left = (nb_span){left.data + size, left.size_bytes - size};
    }
    nb__text_string(out, "</pre>\n");
}

static void questions(const nb__nightly *n, nb__text *out)
{
    nb__text_string(out, "<h2>The open questions of KIS's documents</h2>\n");
    if (n->is_from_recording)
        nb__text_string(out, "<p class=\"soft\">counted over the recording, in which approval keys "
                             "are not</p>\n");
    for (uint32_t i = 0; i < n->part_count; i++)
        pre(out, &n->parts[i].words);
}

void nb__nightly_print_html(const nb__nightly *n, nb__text *out)
{
    title(n, out);
    tiles(n, out);
    pictures(n, out);
    links(n, out);
    slots(n, out);
    checks(n, out);
    latency(n, out);
    keys(n, out);
    recorder(n, out);
    questions(n, out);
    nb__text_string(out, "</main></body></html>\n");
}
