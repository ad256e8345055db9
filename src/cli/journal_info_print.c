/* SPDX-License-Identifier: Apache-2.0 */
/* nightbook journal info: what was collected, for people and for programs. */
#include "journal_info.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_MS_D 1e6

/* What stands in marks may quote a peer. */
static const char *printable(char out[256], const char *text)
{
    snprintf(out, 256, "%s", text);
    nb__make_printable(out, strlen(out));
    return out;
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- for people ---- */

static void print_size(const nb__info *info, nb__text *out)
{
    const nb__recording_totals *t = &info->totals;
    char plain[24], packed[24], all[24], from[40] = "-", to[40] = "-";
    nb__journal_size_print(plain, t->plain_bytes);
    nb__journal_size_print(packed, t->packed_bytes);
    nb__journal_size_print(all, info->reads.plain_bytes);
    if (t->first_ns != NB_TIME_UNDEF) {
        nb__kst_print(from, t->first_ns, 3);
        nb__kst_print(to, t->last_ns, 3);
    }
    nb__text_printf(out, "%04d-%02d-%02d  %s  %s\n", info->night / 10000, info->night / 100 % 100,
                    info->night % 100, nb__feed_kind_banner(info->feed), info->path);
    nb__text_printf(out, "session   %s to %s%s\n", from, to,
                    t->is_stopped ? "" : "; its last segment was not ended");
    nb__text_printf(out,
                    "segments  %" PRIu32 ", %" PRIu32 " of them packed: %s plain, %s packed on "
                    "disk; %s of lines\n",
                    t->segments, t->packed, plain, packed, all);
    if (t->repairs > 0)
        nb__text_printf(out,
                        "repaired  %" PRIu64 " bytes are missing, at %" PRIu64
                        " place%s; what was damaged is kept beside them\n",
                        t->repaired_bytes, t->repairs, plural(t->repairs));
    if (info->reads.frames_total > 0)
        nb__text_printf(out, "index     %" PRIu64 " zstd frames\n", info->reads.frames_total);
    nb__text_printf(out, "lines    ");
    for (int kind = 0; kind <= NB__JOURNAL_UNKNOWN; kind++)
        if (info->kinds[kind] > 0)
            nb__text_printf(out, " %s %" PRIu64,
                            kind == NB__JOURNAL_UNKNOWN
                                ? "unknown"
                                : nb__journal_kind_name((nb__journal_kind)kind),
                            info->kinds[kind]);
    nb__text_string(out, "\n");
}

static void print_trs(const nb__info *info, nb__text *out)
{
    for (size_t i = 0; i < info->tr_count; i++) {
        const nb__info_tr *tr = &info->trs[i];
        nb__text_printf(out,
                        "%-9s %-12s %" PRIu64 " frame%s, %" PRIu64 " record%s, %" PRIu64 " key%s",
                        i == 0 ? "TRs" : "", tr->id, tr->frames, plural(tr->frames), tr->records,
                        plural(tr->records), tr->keys, plural(tr->keys));
        if (tr->unread > 0)
            nb__text_printf(out, "; %" PRIu64 " frame%s cannot be cut into records", tr->unread,
                            plural(tr->unread));
        nb__text_string(out, "\n");
    }
}

static void print_runs(const nb__info *info, nb__text *out)
{
    char host[256], version[256], at[40];
    for (size_t i = 0; i < info->run_count; i++) {
        const nb__info_run *run = &info->runs[i];
        nb__kst_print(at, run->recv_ns, 0);
        nb__text_printf(out, "%-9s %s  nightbook %s on %s, first here %s\n", i == 0 ? "runs" : "",
                        at, printable(version, run->start.version),
                        printable(host, run->start.host), run->start.segment);
    }
}

static void print_links(const nb__info *info, nb__text *out)
{
    char feed[256], address[256], reason[256], up[16], down[16];
    for (size_t i = 0; i < info->link_count; i++) {
        const nb__info_link *link = &info->links[i];
        nb__journal_clock_text(up, link->up_ns);
        nb__journal_clock_text(down, link->down_ns);
        nb__text_printf(
            out, "%-9s %s to %-8s  link %" PRIu32 " %s %s  %" PRIu64 " frame%s",
            i == 0 ? "links" : "", up, down, link->link, printable(feed, link->connect.feed),
            printable(address, link->connect.address), link->frames, plural(link->frames));
        if (link->down_ns != NB_TIME_UNDEF)
            nb__text_printf(out, "; %s%s", link->gap.is_rest ? "rest: " : "down: ",
                            printable(reason, link->gap.reason));
        nb__text_string(out, "\n");
    }
}

/* The next link of the same feed after one that went down. */
static const nb__info_link *next_of(const nb__info *info, size_t index)
{
    const char *feed = info->links[index].connect.feed;
    for (size_t i = index + 1; i < info->link_count; i++)
        if (strcmp(info->links[i].connect.feed, feed) == 0)
            return &info->links[i];
    return NULL;
}

static void print_gaps(const nb__info *info, nb__text *out)
{
    size_t count = 0;
    char feed[256], reason[256], from[16], to[16];
    for (size_t i = 0; i < info->link_count; i++) {
        const nb__info_link *link = &info->links[i], *next = next_of(info, i);
        if (link->down_ns == NB_TIME_UNDEF || link->gap.is_rest)
            continue;
        nb__journal_clock_text(from, link->down_ns);
        nb__journal_clock_text(to, next == NULL ? NB_TIME_UNDEF : next->up_ns);
        nb__text_printf(out, "%-9s %s to %-8s  %s: %s", count++ == 0 ? "gaps" : "", from, to,
                        printable(feed, link->connect.feed), printable(reason, link->gap.reason));
        if (next != NULL && next->up_ns != NB_TIME_UNDEF)
            nb__text_printf(out, " (%.3f s)",
                            (double)(next->up_ns - link->down_ns) / NS_PER_MS_D / 1e3);
        nb__text_string(out, "\n");
    }
}

static void print_answers(const nb__info *info, nb__text *out)
{
    char tr[256], code[256], words[256];
    for (size_t i = 0; i < info->answer_count; i++) {
        const nb__journal_answer *answer = &info->answers[i].answer;
        nb__text_printf(out, "%-9s %6" PRIu64 "  %s %s %s\n", i == 0 ? "answers" : "",
                        info->answers[i].count, printable(tr, answer->tr_id),
                        printable(code, answer->msg_cd), printable(words, answer->msg1));
    }
}

static void print_events(const nb__info *info, nb__text *out)
{
    char text[256], at[16];
    for (size_t i = 0; i < info->event_count; i++) {
        const nb__info_event *event = &info->events[i];
        nb__journal_clock_text(at, event->session_ns != NB_TIME_UNDEF ? event->session_ns
                                                                      : event->recv_ns);
        nb__text_printf(out, "%-9s %s  %s %s\n", i == 0 ? "noted" : "", at,
                        nb__journal_kind_name(event->kind), printable(text, event->text));
    }
}

void nb__info_print(const nb__info *info, nb__text *out)
{
    print_size(info, out);
    print_trs(info, out);
    print_runs(info, out);
    print_links(info, out);
    print_gaps(info, out);
    print_answers(info, out);
    print_events(info, out);
    if (info->left_out > 0)
        nb__text_printf(out, "%" PRIu64 " rows are not listed\n", info->left_out);
    if (info->damages > 0)
        nb__text_printf(out,
                        "damage    %" PRIu64
                        " place%s passed over; `nightbook journal verify` names "
                        "what it is\n",
                        info->damages, plural(info->damages));
}

/* ---- for programs ---- */

static void put_time(nb__text *out, const char *name, int64_t ns)
{
    char text[40];
    nb__text_printf(out, "\"%s\":", name);
    if (ns == NB_TIME_UNDEF) {
        nb__text_string(out, "null");
        return;
    }
    nb__kst_print(text, ns, 9);
    nb__text_json(out, nb__span(text));
}

static void put_text(nb__text *out, const char *name, const char *value)
{
    nb__text_printf(out, "\"%s\":", name);
    nb__text_json(out, nb__span(value));
}

static void put_links(const nb__info *info, nb__text *out)
{
    for (size_t i = 0; i < info->link_count; i++) {
        const nb__info_link *link = &info->links[i];
        bool is_up = link->down_ns == NB_TIME_UNDEF;
        nb__text_printf(out, "%s{\"link\":%" PRIu32 ",", i == 0 ? "" : ",", link->link);
        put_text(out, "run",
                 link->run_index < info->run_count ? info->runs[link->run_index].start.run : "");
        nb__text_string(out, ",");
        put_text(out, "feed", link->connect.feed);
        nb__text_string(out, ",");
        put_text(out, "address", link->connect.address);
        nb__text_string(out, ",");
        put_time(out, "up", link->up_ns);
        nb__text_string(out, ",");
        put_time(out, "down", link->down_ns);
        nb__text_printf(out, ",\"frames\":%" PRIu64 ",\"reason\":", link->frames);
        if (is_up)
            nb__text_string(out, "null");
        else
            nb__text_json(out, nb__span(link->gap.reason));
        nb__text_printf(out, ",\"is_rest\":%s}",
                        is_up               ? "null"
                        : link->gap.is_rest ? "true"
                                            : "false");
    }
}

static void put_counts(const nb__info *info, nb__text *out)
{
    bool is_first = true;
    nb__text_string(out, ",\"kinds\":{");
    for (int kind = 0; kind <= NB__JOURNAL_UNKNOWN; kind++) {
        if (info->kinds[kind] == 0)
            continue;
        nb__text_printf(out, "%s\"%s\":%" PRIu64, is_first ? "" : ",",
                        kind == NB__JOURNAL_UNKNOWN ? "unknown"
                                                    : nb__journal_kind_name((nb__journal_kind)kind),
                        info->kinds[kind]);
        is_first = false;
    }
    nb__text_string(out, "},\"trs\":[");
    for (size_t i = 0; i < info->tr_count; i++) {
        const nb__info_tr *tr = &info->trs[i];
        nb__text_printf(out, "%s{", i == 0 ? "" : ",");
        put_text(out, "tr_id", tr->id);
        nb__text_printf(out,
                        ",\"frames\":%" PRIu64 ",\"records\":%" PRIu64 ",\"keys\":%" PRIu64
                        ",\"unread_frames\":%" PRIu64 "}",
                        tr->frames, tr->records, tr->keys, tr->unread);
    }
    nb__text_string(out, "],\"answers\":[");
    for (size_t i = 0; i < info->answer_count; i++) {
        const nb__journal_answer *answer = &info->answers[i].answer;
        nb__text_printf(out, "%s{\"count\":%" PRIu64 ",", i == 0 ? "" : ",",
                        info->answers[i].count);
        put_text(out, "tr_id", answer->tr_id);
        nb__text_string(out, ",");
        put_text(out, "msg_cd", answer->msg_cd);
        nb__text_string(out, ",");
        put_text(out, "msg1", answer->msg1);
        nb__text_string(out, "}");
    }
    nb__text_string(out, "]");
}

static void put_runs(const nb__info *info, nb__text *out)
{
    for (size_t i = 0; i < info->run_count; i++) {
        const nb__info_run *run = &info->runs[i];
        nb__text_printf(out, "%s{", i == 0 ? "" : ",");
        put_text(out, "run", run->start.run);
        nb__text_string(out, ",");
        put_text(out, "version", run->start.version);
        nb__text_string(out, ",");
        put_text(out, "host", run->start.host);
        nb__text_string(out, ",");
        put_time(out, "received", run->recv_ns);
        nb__text_string(out, ",");
        put_text(out, "first_segment", run->start.segment);
        nb__text_string(out, "}");
    }
}

static void put_events(const nb__info *info, nb__text *out)
{
    for (size_t i = 0; i < info->event_count; i++) {
        const nb__info_event *event = &info->events[i];
        nb__text_printf(out, "%s{\"kind\":\"%s\",", i == 0 ? "" : ",",
                        nb__journal_kind_name(event->kind));
        put_time(out, "session", event->session_ns);
        nb__text_string(out, ",");
        put_time(out, "received", event->recv_ns);
        nb__text_string(out, ",");
        put_text(out, "text", event->text);
        nb__text_string(out, "}");
    }
}

void nb__info_print_json(const nb__info *info, nb__text *out)
{
    const nb__recording_totals *t = &info->totals;
    nb__text_printf(out, "{\"night\":\"%04d-%02d-%02d\",\"feed\":\"%s\",", info->night / 10000,
                    info->night / 100 % 100, info->night % 100, nb__feed_kind_name(info->feed));
    put_text(out, "path", info->path);
    nb__text_printf(out,
                    ",\"segments\":%" PRIu32 ",\"packed\":%" PRIu32 ",\"plain_bytes\":%" PRIu64
                    ",\"packed_bytes\":%" PRIu64 ",\"line_bytes\":%" PRIu64
                    ",\"frame_bytes\":%" PRIu64 ",\"zstd_frames\":%" PRIu64
                    ",\"is_stopped\":%s,\"damages\":%" PRIu64 ",\"repairs\":%" PRIu64
                    ",\"repaired_bytes\":%" PRIu64 ",",
                    t->segments, t->packed, t->plain_bytes, t->packed_bytes,
                    info->reads.plain_bytes, info->frame_bytes, info->reads.frames_total,
                    t->is_stopped ? "true" : "false", info->damages, t->repairs, t->repaired_bytes);
    put_time(out, "first", t->first_ns);
    nb__text_string(out, ",");
    put_time(out, "last", t->last_ns);
    put_counts(info, out);
    nb__text_string(out, ",\"runs\":[");
    put_runs(info, out);
    nb__text_string(out, "],\"links\":[");
    put_links(info, out);
    nb__text_string(out, "],\"noted\":[");
    put_events(info, out);
    nb__text_printf(out, "],\"left_out\":%" PRIu64 "}\n", info->left_out);
}
