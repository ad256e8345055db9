/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `nightbook export`: a recording into a file of another format.
 *
 * What went in, what was left out and what was damaged is told at the end in one line each. A
 * terminal sees how far it is; a pipe sees only the end.
 */
#include "cli/cli.h"
#include "export/export.h"
#include "journal_command.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_NS (200 * NB__NS_PER_MS)
#define BAR_CELLS 24

typedef struct exporter {
    nb__export_how how;
    bool is_terminal, has_bar;
    int64_t begin_mono_ns, told_mono_ns, reading_mono_ns;
    bool was_survey;
    const char *dir; /* --dir: where nights are named */
    char path[NB__STORE_PATH_MAX], duckdb[NB__STORE_PATH_MAX];
} exporter;

/* ---- the end by a signal: what is there of OUT is removed ---- */

static volatile bool stop_asked;
static volatile sig_atomic_t stop_signal;

static void ask_stop(int number)
{
    stop_signal = number;
    stop_asked = true;
}

static void watch_signals(void)
{
    struct sigaction action = {.sa_handler = ask_stop, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL); /* a second one ends us at once */
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error of that write */
}

/* ---- what a person sees ---- */

static void clear_bar(exporter *e)
{
    if (e->has_bar)
        fprintf(stderr, "\r\033[K");
    e->has_bar = false;
}

static void show_progress(void *self, bool is_survey, double part, uint64_t records)
{
    exporter *e = self;
    int64_t now_ns = nb__clock_mono_ns();
    if (e->was_survey != is_survey) {
        e->was_survey = is_survey;
        e->reading_mono_ns = now_ns;
    }
    if (!e->is_terminal || now_ns - e->told_mono_ns < PROGRESS_NS)
        return;
    e->told_mono_ns = now_ns;
    e->has_bar = true;
    char bar[BAR_CELLS + 1], left[32] = "";
    for (int i = 0; i < BAR_CELLS; i++)
        bar[i] = (double)i < part * BAR_CELLS ? '#' : '.';
    bar[BAR_CELLS] = '\0';
    double passed_s = (double)(now_ns - e->reading_mono_ns) / 1e9;
    if (part > 0.01 && passed_s > 0.5)
        snprintf(left, sizeof left, ", %.0f s left", passed_s / part - passed_s);
    fprintf(stderr, "\r\033[K%s [%s] %3.0f %%  %.2f M records%s",
            is_survey ? "looking (1 of 2)" : "exporting", bar, part * 100, (double)records / 1e6,
            left);
    fflush(stderr);
}

static void say(void *self, const char *words)
{
    clear_bar(self);
    fprintf(stderr, "nightbook: export: %s\n", words);
}

static void say_count(uint64_t count, const char *one, const char *many)
{
    if (count > 0)
        fprintf(stderr, "nightbook: export: %" PRIu64 " %s\n", count, count == 1 ? one : many);
}

static void say_counts(const exporter *e, const nb__export_counters *c)
{
    double seconds = (double)(nb__clock_mono_ns() - e->begin_mono_ns) / 1e9;
    say_count(c->unknown_tr, "record of a TR that is not in the schema: its fields have no names",
              "records of TRs that are not in the schema: their fields have no names");
    say_count(c->left_out, "record is no book, and left out: this format holds books only",
              "records are no books, and left out: this format holds books only");
    say_count(c->encrypted, "encrypted frame left out", "encrypted frames left out");
    say_count(c->drifted, "record is wider than documented", "records are wider than documented");
    say_count(c->far_times, "exchange time lies over an hour from the receive time",
              "exchange times lie over an hour from the receive time");
    say_count(c->unknown_dates,
              "trade date beyond the holiday file: weekdays taken for business days",
              "trade dates beyond the holiday file: weekdays taken for business days");
    say_count(c->bad_frames + c->bad_records, "frame or record cannot be read, and is left out",
              "frames or records cannot be read, and are left out");
    say_count(c->damages, "place of the recording is damaged; what could be read is exported",
              "places of the recording are damaged; what could be read is exported");
    fprintf(stderr,
            "nightbook: export: %" PRIu64 " record%s of %" PRIu64 " frame%s to %s (%s, %" PRIu64
            " bytes) in %.1f s\n",
            c->records, c->records == 1 ? "" : "s", c->frames, c->frames == 1 ? "" : "s",
            strcmp(e->how.out, "-") == 0 ? "stdout" : e->how.out, e->how.format->name, c->bytes,
            seconds);
}

/* ---- what was asked for ---- */

static const char help_text[] =
    "Writes what a recording holds into a file of another format. PATH is a journal, a night's "
    "directory or one\n"
    "segment; or in the journal a night by its trade date (2026-11-23), a segment by its name, or "
    "`last`.\n"
    "OUT appears whole or not at all, and nothing is overwritten without --force. A name that ends "
    "in .zst is\n"
    "compressed (csv, jsonl, dbn); `-o -` is stdout (csv, jsonl). Without --to, OUT's ending tells "
    "the format.\n"
    "\n"
    "FORMAT: csv, jsonl   the record form of `nightbook decode`, with the flags of the book\n"
    "        dbn          databento's binary encoding, version 3, schema mbp-10 (books)\n"
    "        parquet      one row a record, through DuckDB's library\n"
    "        npz          numpy, hftbacktest's event layout, an array a code (books)\n"
    "\n"
    "Times are Korean, within the night: 23:10, 01:30:05.250, or 2026-11-20T23:10. --from counts, "
    "--until does not.\n"
    "`--to` takes a time too, as it does in `nightbook journal cat`: --to 23:20 is --until 23:20.\n"
    "\n"
    "Exit code: 0; 65 when the recording is damaged or frames in it cannot be read (all that can "
    "be is exported,\n"
    "and what cannot is told on stderr); 64 wrong usage, OUT is there, nothing to export; 71 the "
    "system refused: a\n"
    "full disk; 128 + signal when interrupted. More: docs/export.md.\n"
    "\n"
    "  nightbook export last -o night.parquet\n"
    "  nightbook export 2026-11-23 -o night.jsonl.zst --codes B01612745,C01612745\n"
    "  nightbook export last --to csv -o - --from 23:10 --until 23:20 | head\n"
    "  nightbook export ~/nights/20261123 --to dbn -o night.dbn.zst --tr H0EUASP0\n";

static bool is_time(const char *word)
{
    return word[0] >= '0' && word[0] <= '9';
}

static nb_err fail_format(const char *word, nb_error *error)
{
    const char *near = NULL;
    const nb__export_format *format;
    for (size_t i = 0; (format = nb__export_format_at(i)) != NULL; i++)
        if (nb__word_is_near(word, format->name))
            near = format->name;
    if (near != NULL)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "--to %.40s: there is no such format; did you mean %s?", word, near);
    return nb__fail(error, NB_E_ARGUMENT, 0,
                    "--to %.40s: neither a format (csv, jsonl, dbn, parquet, npz) nor a time "
                    "(23:20)",
                    word);
}

/* `--to` is a format or a time, by what it says; the last of each kind wins. */
static nb_err read_to(const nb__option_list *to, exporter *e, nb_error *error)
{
    for (size_t i = 0; i < to->count; i++) {
        const nb__export_format *format = nb__export_format_find(to->items[i]);
        if (format != NULL)
            e->how.format = format;
        else if (is_time(to->items[i]))
            e->how.until = nb__span(to->items[i]);
        else
            return fail_format(to->items[i], error);
    }
    return NB_OK;
}

/* By OUT's ending, before .zst. */
static const nb__export_format *format_of(const char *out)
{
    char name[256];
    const char *slash = strrchr(out, '/');
    snprintf(name, sizeof name, "%s", slash != NULL ? slash + 1 : out);
    size_t size = strlen(name);
    if (size > 4 && strcmp(name + size - 4, ".zst") == 0)
        name[size - 4] = '\0';
    const char *dot = strrchr(name, '.');
    return dot != NULL ? nb__export_format_find(dot + 1) : NULL;
}

/* A path, or a night or segment by its name, as `nightbook journal` takes them. */
static nb_err find_recording(exporter *e, const char *operand, nb_error *error)
{
    char journal[NB__STORE_PATH_MAX];
    e->how.path = e->path;
    if (nb__journal_default(e->dir, journal, error) != NB_OK)
        snprintf(journal, sizeof journal, "."); /* without a home only a path can be meant */
    return nb__journal_place(journal, operand, e->path, error);
}

/* The library, where only parquet needs it. */
static nb_err find_duckdb(exporter *e, nb_error *error)
{
    if (e->how.format != &nb__export_parquet || e->how.duckdb != NULL)
        return NB_OK;
    nb_err err = nb__duckdb_default(e->duckdb, error);
    if (err == NB_OK && e->duckdb[0] != '\0')
        e->how.duckdb = e->duckdb;
    return err;
}

static nb_err check(exporter *e, const nb__option_list *to, size_t operand_count, nb_error *error)
{
    if (operand_count == 0)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "which recording? A path, a night (2026-11-23) or `last` is expected");
    if (e->how.out == NULL)
        return nb__fail(error, NB_E_ARGUMENT, 0, "-o FILE is missing: where the export goes");
    if (read_to(to, e, error) != NB_OK)
        return NB_E_ARGUMENT;
    if (e->how.format == NULL)
        e->how.format = format_of(e->how.out);
    if (e->how.format == NULL)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "--to FORMAT is missing (csv, jsonl, dbn, parquet, npz), and -o %.60s does "
                        "not end in one",
                        e->how.out);
    return NB_OK;
}

/* `-o FILE` is `--out FILE`: the one short option there is, since every such program has it. */
static void spell_out(int argc, char **argv)
{
    static char out[] = "--out";
    bool is_value = false;
    for (int i = 1; i < argc; i++) {
        if (!is_value && strcmp(argv[i], "--") == 0)
            return;
        if (!is_value && strcmp(argv[i], "-o") == 0)
            argv[i] = out;
        is_value = !is_value && strncmp(argv[i], "--", 2) == 0 && strchr(argv[i], '=') == NULL &&
                   strcmp(argv[i], "--force") != 0 && strcmp(argv[i], "--help") != 0;
    }
}

/* ---- the command ---- */

static int run(exporter *e)
{
    nb_error error;
    nb__export_counters counters;
    nb_err err = nb__export(&e->how, &counters, &error);
    clear_bar(e);
    if (err == NB_E_CLOSED && stop_asked) {
        fprintf(stderr, "nightbook: export: interrupted; nothing is left of %s\n", e->how.out);
        return 128 + (int)stop_signal;
    }
    if (err == NB_E_CLOSED && strcmp(e->how.out, "-") == 0)
        return 0; /* the reader has seen enough: `| head` */
    if (err != NB_OK)
        return nb__command_failed("export", &error);
    say_counts(e, &counters);
    bool is_whole = counters.damages + counters.bad_frames + counters.bad_records == 0;
    return is_whole ? 0 : NB_CLASS_DATA;
}

int nb__command_export(int argc, char **argv)
{
    exporter e = {.how = {.calendar = nb_calendar_builtin(),
                          .stop = &stop_asked,
                          .progress = show_progress,
                          .note = say}};
    const char *codes = NULL, *trs = NULL, *from = NULL, *until = NULL, *operands[1];
    size_t operand_count;
    nb__option_list to = {0};
    const nb__option options[] = {
        {"to", "FORMAT", "csv, jsonl, dbn, parquet or npz (default: OUT's ending)", NB__OPTION_LIST,
         &to, 0, 0},
        {"out", "FILE", "-o FILE, where it goes; - is stdout", NB__OPTION_STRING, &e.how.out, 0, 0},
        {"codes", "A,B", "only these KIS short codes", NB__OPTION_STRING, &codes, 0, 0},
        {"tr", "TR,TR", "only these TRs", NB__OPTION_STRING, &trs, 0, 0},
        {"from", "TIME", "from this Korean time within the night on", NB__OPTION_STRING, &from, 0,
         0},
        {"until", "TIME", "before this time", NB__OPTION_STRING, &until, 0, 0},
        {"force", NULL, "replace FILE when it is there", NB__OPTION_FLAG, &e.how.is_forced, 0, 0},
        {"dir", "DIR", "the journal in which nights are named (default: where serve records)",
         NB__OPTION_STRING, &e.dir, 0, 0},
        {"duckdb", "FILE", "DuckDB's library for parquet (default: the usual places)",
         NB__OPTION_STRING, &e.how.duckdb, 0, 0},
        {NULL, NULL, NULL, NB__OPTION_FLAG, NULL, 0, 0}};
    const nb__usage usage = {"export", "PATH --to FORMAT -o FILE [OPTIONS]", help_text, options, 1};
    spell_out(argc, argv);
    int code = nb__options_parse(&usage, argc, argv, operands, &operand_count);
    if (code >= 0)
        return code;
    nb_error error;
    e.how.codes = nb__span(codes);
    e.how.trs = nb__span(trs);
    e.how.from = nb__span(from);
    e.how.until = nb__span(until);
    e.how.self = &e;
    if (check(&e, &to, operand_count, &error) != NB_OK || find_duckdb(&e, &error) != NB_OK ||
        find_recording(&e, operands[0], &error) != NB_OK)
        return nb__command_failed("export", &error);
    e.is_terminal = isatty(STDERR_FILENO);
    e.begin_mono_ns = e.reading_mono_ns = nb__clock_mono_ns();
    watch_signals();
    return run(&e);
}
