/* SPDX-License-Identifier: Apache-2.0 */
/* nightbook journal cat: the lines of a recording that were asked for, as they stand in it. */
#include "journal_command.h"
#include <errno.h>
#include <inttypes.h>
#include <nightbook/nightbook.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FLUSH_BYTES ((size_t)1 << 17)
#define CODES_MAX 8192
#define DAMAGES_TOLD 100

typedef struct cat {
    const nb__journal_command *command;
    nb__recording *recording;
    nb_span *codes; /* in order */
    size_t code_count;
    nb_span tr;
    unsigned kinds;  /* a bit a kind; 0: all */
    bool has_filter; /* --codes or --tr */
    nb__text out;
    uint64_t damages;
    bool is_closed; /* the reader has seen enough */
} cat;

/* ---- what was asked for ---- */

static int by_bytes(const void *a, const void *b)
{
    const nb_span *x = a, *y = b;
    size_t size = x->size_bytes < y->size_bytes ? x->size_bytes : y->size_bytes;
    int order = memcmp(x->data, y->data, size);
    return order != 0 ? order : (x->size_bytes > y->size_bytes) - (x->size_bytes < y->size_bytes);
}

/* The next word of a list with commas. @return false: none is left. */
static bool take_word(const char **at, nb_span *word)
{
    while (**at == ',' || **at == ' ')
        ++*at;
    size_t size = strcspn(*at, ", ");
    *word = (nb_span){*at, size};
    *at += size;
    return size > 0;
}

static nb_err read_codes(cat *c, const char *text, nb_error *error)
{
    nb_span word;
    c->codes = calloc(CODES_MAX, sizeof *c->codes);
    if (c->codes == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    while (take_word(&text, &word)) {
        if (c->code_count == CODES_MAX)
            return nb__fail(error, NB_E_LIMIT, 0, "--codes: more than %d", CODES_MAX);
        c->codes[c->code_count++] = word;
    }
    if (c->code_count == 0)
        return nb__fail(error, NB_E_ARGUMENT, 0, "--codes: a code is expected, like B01612745");
    qsort(c->codes, c->code_count, sizeof *c->codes, by_bytes);
    return NB_OK;
}

static nb_err read_kinds(cat *c, const char *text, nb_error *error)
{
    nb_span word;
    while (take_word(&text, &word)) {
        int kind = 0;
        while (kind < NB__JOURNAL_UNKNOWN &&
               !nb__span_is(word, nb__journal_kind_name((nb__journal_kind)kind)))
            kind++;
        if (kind < NB__JOURNAL_UNKNOWN) {
            c->kinds |= 1U << kind;
            continue;
        }
        char all[200] = "";
        for (int k = 0; k < NB__JOURNAL_UNKNOWN; k++)
            snprintf(all + strlen(all), sizeof all - strlen(all), " %s",
                     nb__journal_kind_name((nb__journal_kind)k));
        return nb__fail(error, NB_E_ARGUMENT, 0, "--kinds %.*s: one of%s",
                        (int)(word.size_bytes < 30 ? word.size_bytes : 30), word.data, all);
    }
    return c->kinds != 0 ? NB_OK : nb__fail(error, NB_E_ARGUMENT, 0, "--kinds: a kind is expected");
}

/* The trade date by whose hours times are meant; 0: more than one night. */
static int find_night(const cat *c, nb__recording *probe)
{
    nb__entry entry;
    nb__recording_step step;
    nb__catalogue catalogue;
    int night = 0;
    if (nb__catalogue_read(c->command->path, &catalogue, NULL) != NB_OK)
        return 0;
    bool is_one = catalogue.segments[0].night == catalogue.segments[catalogue.count - 1].night;
    if (is_one)
        night = catalogue.segments[0].night;
    nb__catalogue_fini(&catalogue);
    if (!is_one || nb__recording_feed_kind(probe) == NB__FEED_LIVE)
        return night;
    /* a feed with a clock of its own lies under the day on which it was received */
    while ((step = nb__recording_next(probe, &entry, NULL)) != NB__RECORDING_END)
        if (step == NB__RECORDING_LINE && entry.session_ns != NB_TIME_UNDEF)
            return nb_trade_date(nb_calendar_builtin(), entry.session_ns);
    return night;
}

static nb_err read_time(const char *name, const char *text, int night, int64_t *ns, nb_error *error)
{
    if (text == NULL)
        return NB_OK;
    nb_err err = nb__night_time_parse(nb__span(text), nb_calendar_builtin(), night, ns, error);
    if (err != NB_OK)
        (void)nb__fail_in(error, "--%s", name);
    return err;
}

static nb_err seek(cat *c, nb_error *error)
{
    const nb__journal_command *command = c->command;
    nb__recording_range range = {NB_TIME_UNDEF, NB_TIME_UNDEF};
    if (command->from == NULL && command->to == NULL)
        return NB_OK;
    nb__recording *probe; /* so that what it reads is not counted */
    nb_err err = nb__recording_open(command->path, &probe, error);
    if (err != NB_OK)
        return err;
    int night = find_night(c, probe);
    nb__recording_close(probe);
    err = read_time("from", command->from, night, &range.from_ns, error);
    if (err == NB_OK)
        err = read_time("to", command->to, night, &range.to_ns, error);
    if (err == NB_OK)
        err = nb__recording_seek(c->recording, range, error);
    return err;
}

static nb_err prepare(cat *c, nb_error *error)
{
    const nb__journal_command *command = c->command;
    nb_err err = NB_OK;
    if (command->codes != NULL)
        err = read_codes(c, command->codes, error);
    if (err == NB_OK && command->kinds != NULL)
        err = read_kinds(c, command->kinds, error);
    c->tr = nb__span(command->tr);
    c->has_filter = command->codes != NULL || command->tr != NULL;
    if (err == NB_OK)
        err = nb__recording_open(command->path, &c->recording, error);
    return err == NB_OK ? seek(c, error) : err;
}

/* ---- which lines ---- */

static bool has_code(const cat *c, nb_span key)
{
    return bsearch(&key, c->codes, c->code_count, sizeof *c->codes, by_bytes) != NULL;
}

/* A code stands first in any of its records. What cannot be cut into records has one key. */
static bool has_any_code(const cat *c, const nb_frame *frame)
{
    nb_records records;
    nb_span record;
    if (frame->record_count == 1 || nb_records_begin(frame, &records, NULL) != NB_OK)
        return has_code(c, nb_record_key(frame->payload));
    while (nb_records_next(&records, &record))
        if (has_code(c, nb_record_key(record)))
            return true;
    return false;
}

static bool is_wanted_frame(const cat *c, nb_span message)
{
    nb_frame frame;
    if (nb_frame_split(message, &frame, NULL) != NB_OK)
        return false;
    if (c->tr.size_bytes > 0 && !nb__span_equal(c->tr, frame.tr_id))
        return false;
    return c->code_count == 0 || has_any_code(c, &frame);
}

/* --codes and --tr choose among frames; --kinds chooses kinds, beside those frames when both are
 * given. */
static bool is_wanted(const cat *c, const nb__entry *entry)
{
    nb__journal_kind kind = entry->line.kind;
    if (kind == NB__JOURNAL_FRAME && c->has_filter)
        return is_wanted_frame(c, entry->message);
    if (c->kinds != 0)
        return kind < NB__JOURNAL_UNKNOWN && (c->kinds & 1U << kind) != 0;
    return !c->has_filter;
}

/* ---- output ---- */

static nb_err flush(cat *c, nb_error *error)
{
    const char *at = c->out.data;
    size_t left = c->out.size_bytes;
    if (c->out.is_failed)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    while (left > 0) {
        ssize_t size = write(STDOUT_FILENO, at, left);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EPIPE) {
            c->is_closed = true;
            break;
        }
        if (size < 0)
            return nb__fail(error, NB_E_SYSTEM, 0, "stdout: %s", strerrordesc_np(errno));
        at += size;
        left -= (size_t)size;
    }
    nb__text_clear(&c->out);
    return NB_OK;
}

static void print_entry(cat *c, const nb__entry *entry)
{
    nb_span text = c->command->is_raw ? entry->message : entry->text;
    nb__text_append(&c->out, text.data, text.size_bytes);
    nb__text_append(&c->out, "\n", 1);
}

static void say_damage(cat *c, const nb_error *damage)
{
    if (c->damages++ < DAMAGES_TOLD)
        fprintf(stderr, "nightbook: journal cat: %s [%s]\n", damage->detail,
                nb_error_name(damage->code));
}

static void say_end(const cat *c)
{
    nb__recording_counters count = nb__recording_count(c->recording);
    if (c->damages > DAMAGES_TOLD)
        fprintf(stderr, "nightbook: journal cat: %" PRIu64 " more places are damaged\n",
                c->damages - DAMAGES_TOLD);
    if (c->command->counts_reads)
        fprintf(stderr,
                "nightbook: journal cat: %" PRIu64 " of %" PRIu64 " zstd frames read; %" PRIu64
                " bytes from disk, %" PRIu64 " plain, %" PRIu64 " lines looked at\n",
                count.frames_read, count.frames_total, count.bytes_read, count.plain_bytes,
                count.lines);
}

static nb_err print_all(cat *c, nb_error *error)
{
    nb__entry entry;
    nb_error damage;
    nb__recording_step step;
    nb_err err = NB_OK;
    while (err == NB_OK && !c->is_closed &&
           (step = nb__recording_next(c->recording, &entry, &damage)) != NB__RECORDING_END) {
        if (step == NB__RECORDING_DAMAGE)
            say_damage(c, &damage);
        else if (is_wanted(c, &entry))
            print_entry(c, &entry);
        if (c->out.size_bytes >= FLUSH_BYTES || c->out.is_failed)
            err = flush(c, error);
    }
    return err == NB_OK && !c->is_closed ? flush(c, error) : err;
}

int nb__command_journal_cat(const nb__journal_command *command)
{
    cat c = {.command = command};
    nb_error error;
    nb_err err = prepare(&c, &error);
    if (err == NB_OK)
        err = print_all(&c, &error);
    if (err == NB_OK)
        say_end(&c);
    int exit_code = err != NB_OK    ? nb__journal_failed(command, &error)
                    : c.damages > 0 ? NB_CLASS_DATA
                                    : 0;
    nb__recording_close(c.recording);
    nb__text_fini(&c.out);
    free(c.codes);
    return exit_code;
}
