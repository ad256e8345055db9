/* SPDX-License-Identifier: Apache-2.0 */
/* nightbook journal ls: a line a night. */
#include "journal_command.h"
#include "stdout.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct night {
    const char *directory;
    int date;
    nb__recording_totals totals;
    nb__feed_kind feed;
    const char *state;
} night;

/* ---- what state a night is in ---- */

static const char *state_of(const night *n, const nb__segment *last)
{
    if (n->totals.damages > 0)
        return "damaged";
    if (n->totals.is_stopped)
        return "complete";
    char path[NB__STORE_PATH_MAX];
    nb__segment_path(last, false, path);
    return nb__disk_is_held(path) ? "recording" : "cut short";
}

/* ---- output ---- */

static const char *const weekdays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

static void print_row(const night *n, nb__text *out)
{
    const nb__recording_totals *t = &n->totals;
    char plain[24], packed[24], first[16], last[16];
    nb__journal_size_print(plain, t->plain_bytes);
    nb__journal_size_print(packed, t->packed_bytes);
    nb__journal_clock_text(first, t->first_ns);
    nb__journal_clock_text(last, t->last_ns);
    nb__text_printf(
        out, "%04d-%02d-%02d %s  %8" PRIu32 "  %10s  %10s  %-8s  %-8s  %11" PRIu64 "  %-6s  %s",
        n->date / 10000, n->date / 100 % 100, n->date % 100, weekdays[nb__date_weekday(n->date)],
        t->segments, plain, packed, first, last, t->frames, nb__feed_kind_name(n->feed), n->state);
    if (t->repairs > 0)
        nb__text_printf(out, ", repaired: %" PRIu64 " bytes are missing", t->repaired_bytes);
    nb__text_string(out, "\n");
}

static void print_time(const char *name, int64_t ns, nb__text *out)
{
    char text[40];
    nb__text_printf(out, ",\"%s\":", name);
    if (ns == NB_TIME_UNDEF) {
        nb__text_string(out, "null");
        return;
    }
    nb__kst_print(text, ns, 9);
    nb__text_json(out, nb__span(text));
}

static void print_json(const night *n, nb__text *out)
{
    const nb__recording_totals *t = &n->totals;
    nb__text_printf(out,
                    "{\"night\":\"%04d-%02d-%02d\",\"feed\":\"%s\",\"state\":\"%s\",\"segments\":"
                    "%" PRIu32 ",\"packed\":%" PRIu32 ",\"plain_bytes\":%" PRIu64
                    ",\"packed_bytes\":%" PRIu64 ",\"lines\":%" PRIu64 ",\"frames\":%" PRIu64
                    ",\"damages\":%" PRIu64 ",\"repairs\":%" PRIu64 ",\"repaired_bytes\":%" PRIu64,
                    n->date / 10000, n->date / 100 % 100, n->date % 100,
                    nb__feed_kind_name(n->feed), n->state, t->segments, t->packed, t->plain_bytes,
                    t->packed_bytes, t->lines, t->frames, t->damages, t->repairs,
                    t->repaired_bytes);
    print_time("first", t->first_ns, out);
    print_time("last", t->last_ns, out);
    nb__text_string(out, ",\"path\":");
    nb__text_json(out, nb__span(n->directory));
    nb__text_string(out, "}\n");
}

static void print_sum(const nb__recording_totals *sum, size_t nights, const char *path,
                      nb__text *out)
{
    char bytes[24];
    nb__journal_size_print(bytes, sum->plain_bytes + sum->packed_bytes);
    nb__text_printf(out, "%zu night%s, %s on disk, %" PRIu64 " frames: %s\n", nights,
                    nights == 1 ? "" : "s", bytes, sum->frames, path);
}

/* ---- the nights ---- */

/* A segment that was named stands for itself. */
static nb_err look(const char *path, const nb__segment *last, night *n, nb_error *error)
{
    nb__recording *recording;
    nb_err err = nb__recording_open(path, &recording, error);
    if (err != NB_OK)
        return err;
    nb__recording_total(recording, &n->totals);
    n->feed = nb__recording_feed_kind(recording);
    n->state = state_of(n, last);
    nb__recording_close(recording);
    return NB_OK;
}

static nb_err list(const nb__journal_command *command, const nb__catalogue *catalogue,
                   nb__text *out, nb_error *error)
{
    nb__recording_totals sum = {0};
    size_t nights = 0;
    nb_err err = NB_OK, newer = NB_OK;
    nb__disk_entry entry = {0};
    (void)nb__disk_stat(command->path, &entry, NULL);
    if (!command->is_json)
        nb__text_printf(out, "%-14s  %8s  %10s  %10s  %-8s  %-8s  %11s  %-6s  %s\n", "NIGHT",
                        "SEGMENTS", "PLAIN", "PACKED", "FIRST", "LAST", "FRAMES", "FEED", "STATE");
    for (size_t i = 0; i < catalogue->count && err == NB_OK; i++) {
        const nb__segment *segment = &catalogue->segments[i];
        if (i + 1 < catalogue->count &&
            strcmp(segment->directory, catalogue->segments[i + 1].directory) == 0)
            continue; /* not its last */
        night n = {.directory = segment->directory, .date = segment->night};
        err = look(entry.is_directory ? segment->directory : command->path, segment, &n, error);
        if (err == NB_E_VERSION) { /* the nights that can be read are listed all the same */
            newer = err;
            err = NB_OK;
            continue;
        }
        if (err != NB_OK)
            break;
        nights++;
        sum.plain_bytes += n.totals.plain_bytes;
        sum.packed_bytes += n.totals.packed_bytes;
        sum.frames += n.totals.frames;
        if (command->is_json)
            print_json(&n, out);
        else
            print_row(&n, out);
    }
    if (!command->is_json && err == NB_OK)
        print_sum(&sum, nights, command->path, out);
    return err != NB_OK ? err : newer;
}

int nb__command_journal_ls(const nb__journal_command *command)
{
    nb__catalogue catalogue;
    nb_error error;
    nb__text out = {0};
    nb_err err = nb__catalogue_read(command->path, &catalogue, &error);
    if (err != NB_OK)
        return nb__journal_failed(command, &error);
    err = list(command, &catalogue, &out, &error);
    nb_err written = NB_OK;
    if (err == NB_OK || err == NB_E_VERSION)
        written = nb__stdout_write(&out, err == NB_OK ? &error : NULL);
    if (err == NB_OK)
        err = written;
    nb__text_fini(&out);
    nb__catalogue_fini(&catalogue);
    return err == NB_OK ? 0 : nb__journal_failed(command, &error);
}
