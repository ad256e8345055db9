/* SPDX-License-Identifier: Apache-2.0 */
/* nightbook journal verify, repair, pack, prune: segment after segment, each told. */
#include "journal_command.h"
#include "stdout.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DAMAGES_SHOWN 20
#define MISSING_SHOWN 400
#define DEFAULT_LEVEL 6

/* What the verbs go over, and what came of it. */
typedef struct round {
    const nb__journal_command *command;
    nb__catalogue catalogue;
    nb__text out;
    bool has_progress;
    uint64_t done_bytes, all_bytes;
    uint64_t good, bad, missing, left_out;
    uint64_t broken; /* of the bad: whole in itself, but what it follows is not */
    nb_err err;
    nb_error error;
} round;

static uint64_t bytes_of(const nb__segment *segment)
{
    return segment->is_packed ? segment->packed_bytes : segment->plain_bytes;
}

/* ---- what a person sees on the way ---- */

static void show_progress(round *r, const nb__segment *segment)
{
    char name[NB__JOURNAL_NAME_BYTES];
    if (!isatty(STDERR_FILENO))
        return;
    nb__journal_name_print(name, segment->night, segment->number);
    fprintf(stderr, "\r\033[K%s  %3.0f %%", name,
            r->all_bytes == 0 ? 0 : 100.0 * (double)r->done_bytes / (double)r->all_bytes);
    fflush(stderr);
    r->has_progress = true;
}

static void flush(round *r)
{
    if (r->has_progress)
        fputs("\r\033[K", stderr);
    r->has_progress = false;
    if (r->err == NB_OK)
        r->err = nb__stdout_write(&r->out, &r->error);
    nb__text_clear(&r->out);
}

static bool begin(round *r, const nb__journal_command *command)
{
    *r = (round){.command = command};
    r->err = nb__catalogue_read(command->path, &r->catalogue, &r->error);
    for (size_t i = 0; i < r->catalogue.count; i++)
        r->all_bytes += bytes_of(&r->catalogue.segments[i]);
    return r->err == NB_OK;
}

static int end(round *r)
{
    flush(r);
    nb__text_fini(&r->out);
    nb__catalogue_fini(&r->catalogue);
    if (r->err != NB_OK)
        return nb__journal_failed(r->command, &r->error);
    return r->bad + r->missing > 0 ? NB_CLASS_DATA : 0;
}

/* ---- verify ---- */

static void print_damage(const nb__damage *damage, nb__text *out)
{
    nb__text_printf(out, "    %" PRIu64 " bytes from byte %" PRIu64 ": %s\n", damage->size_bytes,
                    damage->offset_bytes, damage->words);
}

/* Nothing of it is damaged: there is nothing that repair could drop. */
static bool is_whole(const nb__verify_report *v)
{
    return v->findings.damages == 0 && (!v->segment.is_packed || v->is_packed_good);
}

static void print_report(const nb__verify_report *v, const char *name, nb__text *out)
{
    const nb__journal_findings *f = &v->findings;
    char plain[24], packed[24];
    nb__journal_size_print(plain, f->size_bytes);
    nb__journal_size_print(packed, v->segment.packed_bytes);
    nb__text_printf(out, "%s  %-7s  %s%s%s, %" PRIu64 " lines, %" PRIu64 " frames%s\n", name,
                    v->is_good    ? "good"
                    : is_whole(v) ? "BROKEN"
                                  : "DAMAGED",
                    plain, v->segment.is_packed ? " in " : " plain",
                    v->segment.is_packed ? packed : "", f->lines, f->frames,
                    f->is_stopped ? "" : ", not stopped");
    if (v->words[0] != '\0')
        nb__text_printf(out, "    %s\n", v->words);
    size_t shown = v->damage_count < DAMAGES_SHOWN ? v->damage_count : DAMAGES_SHOWN;
    for (size_t i = 0; i < shown; i++)
        print_damage(&v->damages[i], out);
    if (f->damages > shown)
        nb__text_printf(out, "    %" PRIu64 " more places (--json lists up to 1000)\n",
                        f->damages - shown);
}

static const char *kind_word(nb__damage_kind kind)
{
    switch (kind) {
    case NB__DAMAGE_SPAN:
        return "span";
    case NB__DAMAGE_TORN:
        return "torn";
    case NB__DAMAGE_LINE:
        return "line";
    case NB__DAMAGE_START:
        break;
    }
    return "start";
}

static void print_report_json(const nb__verify_report *v, const char *name, nb__text *out)
{
    const nb__journal_findings *f = &v->findings;
    nb__text_printf(
        out,
        "{\"segment\":\"%s\",\"state\":\"%s\",\"plain_bytes\":%" PRIu64 ",\"packed_bytes\":%" PRIu64
        ",\"xxh3\":\"%016" PRIx64 "\",\"lines\":%" PRIu64 ",\"frames\":%" PRIu64
        ",\"sums\":%" PRIu64 ",\"proved_bytes\":%" PRIu64 ",\"is_stopped\":%s,\"words\":",
        name, v->is_good ? "good" : "damaged", f->size_bytes, v->segment.packed_bytes, f->xxh3,
        f->lines, f->frames, f->sums, f->proved_bytes, f->is_stopped ? "true" : "false");
    nb__text_json(out, nb__span(v->words));
    nb__text_printf(out, ",\"damages\":%" PRIu64 ",\"places\":[", f->damages);
    for (size_t i = 0; i < v->damage_count; i++) {
        const nb__damage *damage = &v->damages[i];
        nb__text_printf(
            out, "%s{\"kind\":\"%s\",\"offset\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"words\":",
            i == 0 ? "" : ",", kind_word(damage->kind), damage->offset_bytes, damage->size_bytes);
        nb__text_json(out, nb__span(damage->words));
        nb__text_string(out, "}");
    }
    nb__text_string(out, "]}\n");
}

/* Numbers are given without a hole. A night's first segment is its first, unless one was named. */
static void print_missing(round *r, size_t index)
{
    const nb__segment *all = r->catalogue.segments, *segment = &all[index];
    bool is_first = index == 0 || all[index - 1].night != segment->night;
    uint32_t number = is_first ? 1 : all[index - 1].number + 1;
    nb__disk_entry entry = {0};
    (void)nb__disk_stat(r->command->path, &entry, NULL);
    if (!entry.is_directory)
        return;
    for (; number < segment->number; number++) {
        char name[NB__JOURNAL_NAME_BYTES];
        nb__journal_name_print(name, segment->night, number);
        nb__text_printf(&r->out,
                        r->command->is_json ? "{\"segment\":\"%s\",\"state\":\"missing\"}\n"
                                            : "%s  MISSING\n",
                        name);
        if (++r->missing >= MISSING_SHOWN)
            break; /* a number out of all measure */
    }
}

static void print_verified(const round *r, nb__text *out)
{
    char bytes[24];
    nb__journal_size_print(bytes, r->done_bytes);
    if (r->bad + r->missing == 0)
        nb__text_printf(out, "%zu segment%s, %s: all good\n", r->catalogue.count,
                        r->catalogue.count == 1 ? "" : "s", bytes);
    else
        nb__text_printf(
            out,
            "%zu segment%s: %" PRIu64 " good, %" PRIu64 " damaged, %" PRIu64 " broken, %" PRIu64
            " missing%s\n",
            r->catalogue.count, r->catalogue.count == 1 ? "" : "s", r->good, r->bad - r->broken,
            r->broken, r->missing,
            r->bad > r->broken ? "; `nightbook journal repair` drops only what is damaged" : "");
}

int nb__command_journal_verify(const nb__journal_command *command)
{
    round r;
    nb__verify_report reports[2] = {0};
    bool has_before = false;
    if (!begin(&r, command))
        return nb__journal_failed(command, &r.error);
    for (size_t i = 0; i < r.catalogue.count && r.err == NB_OK; i++) {
        const nb__segment *segment = &r.catalogue.segments[i];
        nb__verify_report *now = &reports[i % 2], *before = &reports[(i + 1) % 2];
        char name[NB__JOURNAL_NAME_BYTES];
        nb__journal_name_print(name, segment->night, segment->number);
        print_missing(&r, i);
        show_progress(&r, segment);
        nb__verify_fini(now);
        r.err = nb__verify_segment(segment, has_before ? before : NULL, now, &r.error);
        if (r.err != NB_OK) {
            nb__fail_in(&r.error, "%s", name);
            break;
        }
        has_before = true;
        r.done_bytes += bytes_of(segment);
        *(now->is_good ? &r.good : &r.bad) += 1;
        r.broken += !now->is_good && is_whole(now);
        if (command->is_json)
            print_report_json(now, name, &r.out);
        else
            print_report(now, name, &r.out);
        flush(&r);
    }
    if (!command->is_json && r.err == NB_OK)
        print_verified(&r, &r.out);
    nb__verify_fini(&reports[0]);
    nb__verify_fini(&reports[1]);
    return end(&r);
}

/* ---- repair ---- */

static void print_repaired_words(const char *name, const nb__repair_result *result, nb__text *out)
{
    nb__text_printf(out, "%s  ", name);
    if (result->dropped_spans > 0)
        nb__text_printf(out, "repaired: %" PRIu64 " place%s, %" PRIu64 " bytes dropped",
                        result->dropped_spans, result->dropped_spans == 1 ? "" : "s",
                        result->dropped_bytes);
    else if (result->is_rebuilt)
        nb__text_string(out, "repaired: no line is missing, its packed form was damaged");
    else
        nb__text_string(out, "good, unchanged");
    if (result->kept_in[0] != '\0')
        nb__text_printf(out, "; kept as %s", result->kept_in);
    else if (result->dropped_spans > 0)
        nb__text_string(out, "; the disk gives nothing of them to keep");
    nb__text_string(out, "\n");
}

static void print_repaired(round *r, const char *name, const nb__repair_result *result)
{
    bool is_changed = result->dropped_spans > 0 || result->is_rebuilt;
    r->good += !is_changed;
    if (!r->command->is_json) {
        print_repaired_words(name, result, &r->out);
        return;
    }
    nb__text_printf(&r->out,
                    "{\"segment\":\"%s\",\"is_changed\":%s,\"dropped_spans\":%" PRIu64
                    ",\"dropped_bytes\":%" PRIu64 ",\"kept_in\":",
                    name, is_changed ? "true" : "false", result->dropped_spans,
                    result->dropped_bytes);
    nb__text_json(&r->out, nb__span(result->kept_in));
    nb__text_string(&r->out, "}\n");
}

int nb__command_journal_repair(const nb__journal_command *command)
{
    round r;
    if (!begin(&r, command))
        return nb__journal_failed(command, &r.error);
    for (size_t i = 0; i < r.catalogue.count && r.err == NB_OK; i++) {
        const nb__segment *segment = &r.catalogue.segments[i];
        nb__repair_result result = {0};
        char name[NB__JOURNAL_NAME_BYTES];
        show_progress(&r, segment);
        r.err = nb__repair_segment(segment, &result, &r.error);
        r.done_bytes += bytes_of(segment);
        nb__journal_name_print(name, segment->night, segment->number);
        if (r.err == NB_OK)
            print_repaired(&r, name, &result);
        else
            (void)nb__fail_in(&r.error, "%s", name);
        flush(&r);
    }
    return end(&r);
}

/* ---- pack ---- */

static volatile bool stop_asked;

static void ask_stop(int number)
{
    (void)number;
    stop_asked = true;
}

static void pack_one(round *r, size_t index)
{
    const nb__segment *segment = &r->catalogue.segments[index];
    uint32_t level = r->command->level > 0 ? r->command->level : DEFAULT_LEVEL;
    char name[NB__JOURNAL_NAME_BYTES], plain[24], packed[24], path[NB__STORE_PATH_MAX];
    nb__journal_name_print(name, segment->night, segment->number);
    nb__segment_path(segment, false, path);
    if (nb__disk_is_held(path)) {
        nb__text_printf(&r->out, "%s  is being recorded: left as it is\n", name);
        r->left_out++;
        return;
    }
    r->err = nb__pack_segment(segment, (int)level, &stop_asked, &r->error);
    if (r->err != NB_OK) {
        (void)nb__fail_in(&r->error, "%s", name);
        return;
    }
    nb__disk_entry entry = {0};
    nb__segment_path(segment, true, path);
    (void)nb__disk_stat(path, &entry, NULL);
    nb__journal_size_print(plain, segment->plain_bytes);
    nb__journal_size_print(packed, entry.size_bytes);
    nb__text_printf(&r->out, "%s  packed: %s to %s\n", name, plain, packed);
    r->good++;
}

int nb__command_journal_pack(const nb__journal_command *command)
{
    round r;
    if (!begin(&r, command))
        return nb__journal_failed(command, &r.error);
    struct sigaction action = {.sa_handler = ask_stop, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    for (size_t i = 0; i < r.catalogue.count && r.err == NB_OK && !stop_asked; i++) {
        const nb__segment *segment = &r.catalogue.segments[i];
        r.done_bytes += bytes_of(segment);
        if (!segment->is_plain)
            continue;
        show_progress(&r, segment);
        pack_one(&r, i);
        flush(&r);
    }
    if (r.err == NB_OK && r.good + r.left_out == 0)
        nb__text_string(&r.out, "all segments are packed already\n");
    return end(&r);
}

/* ---- prune ---- */

static void on_removed(void *self, int night, uint64_t size_bytes)
{
    round *r = self;
    char bytes[24];
    nb__journal_size_print(bytes, size_bytes);
    nb__text_printf(&r->out, "%04d-%02d-%02d  %s  %s\n", night / 10000, night / 100 % 100,
                    night % 100, r->command->is_trial ? "would be removed" : "removed", bytes);
    r->good++;
    r->done_bytes += size_bytes;
}

int nb__command_journal_prune(const nb__journal_command *command)
{
    round r = {.command = command};
    char bytes[24];
    nb__prune_limits limits = {.keep_nights = command->keep_nights, .is_trial = command->is_trial};
    if (command->keep_bytes != NULL)
        r.err = nb__journal_size_parse(command->keep_bytes, &limits.keep_bytes, &r.error);
    if (r.err == NB_OK && command->keep_bytes != NULL && limits.keep_bytes == 0)
        r.err = nb__fail(&r.error, NB_E_ARGUMENT, 0, "--keep-bytes: more than nothing is expected");
    if (r.err == NB_OK)
        r.err = nb__prune(command->path, &limits, on_removed, &r, &r.error);
    nb__journal_size_print(bytes, r.done_bytes);
    if (r.err == NB_OK && r.good == 0)
        nb__text_string(&r.out, "nothing is beyond what is kept\n");
    else if (r.err == NB_OK)
        nb__text_printf(&r.out, "%" PRIu64 " night%s, %s\n", r.good, r.good == 1 ? "" : "s", bytes);
    return end(&r);
}
