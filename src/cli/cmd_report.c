/* SPDX-License-Identifier: Apache-2.0 */
/* nightbook report: what a night was, from its recording and what the server wrote down; without a
 * recording, what the evidence shows of the questions that only a live night can answer. */
#include "cli/cli.h"
#include "evidence/evidence.h"
#include "io/io.h"
#include "journal_command.h"
#include "report_night.h"
#include "stdout.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVIDENCE_MAX ((size_t)4 << 20)
#define DATE_BYTES 8 /* YYYYMMDD */

typedef struct report {
    const char *what; /* a date, a file or directory, NULL: the newest */
    const char *state_directory, *journal;
    const char *holidays;
    bool is_json, is_html;
    char own_state[NB__STORE_PATH_MAX], own_journal[NB__STORE_PATH_MAX], place[NB__STORE_PATH_MAX];
    nb_calendar *calendar; /* read from a file; NULL: the built-in one */
    nb__evidence_files evidence;
} report;

/* "2026-11-23" or "20261123". @return 0: it is no date, and so a file. */
static int read_date(const char *text)
{
    char digits[DATE_BYTES + 1];
    size_t count = 0;
    for (size_t i = 0; text[i] != '\0'; i++) {
        bool is_dash = text[i] == '-' && (i == 4 || i == 7);
        if (is_dash)
            continue;
        if (text[i] < '0' || text[i] > '9' || count == DATE_BYTES)
            return 0;
        digits[count++] = text[i];
    }
    digits[count] = '\0';
    uint64_t date = 0;
    bool is_date = count == DATE_BYTES && nb__span_to_u64(nb__span(digits), &date) &&
                   nb__date_is_valid((int)date);
    return is_date ? (int)date : 0;
}

/* ---- evidence alone ---- */

static nb_err print_evidence(const report *r, const nb__text *json, const char *name,
                             nb_error *error)
{
    nb__text words = {0};
    nb_err err = nb__evidence_report(nb__text_view(json), &words, error);
    if (err != NB_OK)
        (void)nb__fail_in(error, "%.100s", name);
    else
        err = r->is_json ? nb__stdout_write_json(json, error) : nb__stdout_write(&words, error);
    nb__text_fini(&words);
    return err;
}

static nb_err print_file(const report *r, const char *path, nb_error *error)
{
    nb__text json = {0};
    nb_err err = nb__file_read(path, EVIDENCE_MAX, &json, error);
    if (err == NB_OK)
        err = print_evidence(r, &json, path, error);
    nb__text_fini(&json);
    return err;
}

static nb_err print_parts(const report *r, nb_error *error)
{
    const nb__evidence_files *files = &r->evidence;
    nb_err err = NB_OK;
    for (size_t i = 0; err == NB_OK && i < files->count; i++) {
        nb__text json = {0};
        if (i > 0 && !r->is_json)
            printf("\n---- part %zu of %zu: nightbook was started again ----\n\n", i + 1,
                   files->count);
        err = nb__evidence_read(files, i, &json, error);
        if (err == NB_OK)
            err = print_evidence(r, &json, files->names[i], error);
        nb__text_fini(&json);
    }
    if (err == NB_OK && files->left_out > 0)
        fprintf(stderr,
                "nightbook: report: %zu further parts of that night are not shown\n"
                "  name one: nightbook report FILE\n",
                files->left_out);
    return err;
}

/* ---- a night ---- */

static nb_err print_night(report *r, const char *path, int date, nb_error *error)
{
    nb__nightly *nightly = NULL;
    nb__text text = {0};
    const nb_calendar *calendar = r->calendar != NULL ? r->calendar : nb_calendar_builtin();
    nb_err err = nb__report_night(path, r->state_directory, date, calendar, NULL, &nightly, error);
    if (err != NB_OK)
        return err;
    if (r->is_html)
        nb__nightly_print_html(nightly, &text);
    else if (r->is_json)
        nb__nightly_print_json(nightly, &text);
    else
        nb__nightly_print_text(nightly, &text);
    err = r->is_json ? nb__stdout_write_json(&text, error) : nb__stdout_write(&text, error);
    nb__text_fini(&text);
    nb__nightly_free(nightly);
    return err;
}

/* The directory of a night in a journal; the newest when `date` is 0. @return false: none. */
static bool find_night(const char *journal, int date, char directory[NB__STORE_PATH_MAX],
                       int *found)
{
    nb__catalogue catalogue;
    *found = 0;
    if (journal == NULL || nb__catalogue_read(journal, &catalogue, NULL) != NB_OK)
        return false;
    for (size_t i = 0; i < catalogue.count; i++)
        if (catalogue.segments[i].night == date || (date == 0 && catalogue.segments[i].night > 0)) {
            *found = catalogue.segments[i].night; /* by night: the last one is the newest */
            memcpy(directory, catalogue.segments[i].directory, NB__STORE_PATH_MAX);
        }
    nb__catalogue_fini(&catalogue);
    return *found != 0;
}

/* A recording, a file of evidence, or a report that was written. */
static nb_err print_path(report *r, nb_error *error)
{
    char directory[NB__STORE_PATH_MAX];
    nb__disk_entry entry;
    int night;
    uint32_t number;
    nb_err err = nb__disk_stat(r->what, &entry, error);
    if (err == NB_E_NOT_FOUND && r->journal != NULL &&
        nb__journal_place(r->journal, r->what, r->place, NULL) == NB_OK) {
        r->what = r->place; /* a segment by its name, `last` */
        err = nb__disk_stat(r->place, &entry, error);
    }
    if (err != NB_OK)
        return err;
    const char *slash = strrchr(r->what, '/');
    bool is_segment = nb__journal_name_parse(nb__span(slash == NULL ? r->what : slash + 1), &night,
                                             &number) != NB__JOURNAL_FILE_NONE;
    if (is_segment)
        return print_night(r, r->what, 0, error);
    if (!entry.is_directory)
        return print_file(r, r->what, error);
    if (!find_night(r->what, 0, directory, &night))
        return nb__fail(error, NB_E_NOT_FOUND, 0, "%.150s holds no recording", r->what);
    return print_night(r, directory, 0, error);
}

/* As serve has them by default: from nightbook's own file, else in the user's home. */
static nb_err find_places(report *r, nb_error *error)
{
    nb_err err = NB_OK;
    if (r->state_directory == NULL) {
        err = nb__state_default(r->own_state, error);
        r->state_directory = err == NB_OK && r->own_state[0] != '\0' ? r->own_state : NULL;
    }
    if (err == NB_OK && r->journal == NULL) {
        err = nb__journal_default(NULL, r->own_journal, error);
        r->journal = err == NB_OK ? r->own_journal : NULL;
    }
    if (err == NB_E_ARGUMENT && (r->state_directory != NULL || r->what != NULL))
        return NB_OK; /* no home: what is named is enough */
    return err == NB_E_ARGUMENT
               ? nb__fail(error, NB_E_NOT_FOUND, 0,
                          "HOME is not set: say where the recordings are with --journal DIR, and "
                          "the evidence with --dir DIR")
               : err;
}

/* The newest of both, or of that date. */
static nb_err print_date(report *r, int date, nb_error *error)
{
    char directory[NB__STORE_PATH_MAX];
    int night;
    bool has_night = find_night(r->journal, date, directory, &night);
    if (r->state_directory != NULL) {
        nb_err err = nb__evidence_find(r->state_directory, date, &r->evidence, error);
        if (err != NB_OK && !has_night)
            return err;
    }
    if (has_night && night >= r->evidence.date)
        return print_night(r, directory, 0, error);
    if (r->evidence.count > 0)
        return r->is_html ? print_night(r, NULL, r->evidence.date, error) : print_parts(r, error);
    const char *journal = r->journal != NULL ? r->journal : "?";
    const char *state = r->state_directory != NULL ? r->state_directory : "?";
    return date != 0 ? nb__fail(error, NB_E_NOT_FOUND, 0,
                                "nothing of %.20s: no recording in %.80s, no evidence in %.80s",
                                r->what, journal, state)
                     : nb__fail(error, NB_E_NOT_FOUND, 0,
                                "no recording in %.70s, no evidence in %.70s: `nightbook serve "
                                "--feed kis` keeps them there during a night",
                                journal, state);
}

static nb_err run(report *r, nb_error *error)
{
    int date = r->what == NULL ? 0 : read_date(r->what);
    if (r->is_json && r->is_html)
        return nb__fail(error, NB_E_ARGUMENT, 0, "--json or --html, not both");
    nb_err err = find_places(r, error);
    if (err == NB_OK && r->holidays != NULL) {
        nb__text text = {0};
        err = nb__file_read(r->holidays, EVIDENCE_MAX, &text, error);
        if (err == NB_OK)
            err = nb_calendar_parse(nb__text_view(&text), &r->calendar, error);
        nb__text_fini(&text);
    }
    if (err != NB_OK)
        return err;
    return r->what != NULL && date == 0 ? print_path(r, error) : print_date(r, date, error);
}

static const char explanation[] =
    "What a night was: coverage of each key, frames and records, the rate, gaps and lost links "
    "with "
    "their causes, drift,\n"
    "flags of books, latency of our own path, widest spreads and longest silences, slots, bytes on "
    "disk, holes, and what\n"
    "the night showed of the questions that KIS's documents leave open (docs/report.md). Nothing "
    "is "
    "guessed: what did not\n"
    "come is \"not seen\". Without a recording it prints what the server wrote down. At the end of "
    "each night `serve` writes\n"
    "report.txt, report.json and report.html beside the night's segments by itself.\n"
    "\n"
    "  nightbook report                        the newest night\n"
    "  nightbook report 2026-11-23             the night of that trade date\n"
    "  nightbook report 20261123 --html > night.html\n"
    "  nightbook report PATH                   a night's directory, a segment, or a file of "
    "evidence\n"
    "\n"
    "Exit codes: 0, 64 there is none, 65 the file is not one of nightbook's, 71 it cannot be "
    "read.\n";

int nb__command_report(int argc, char **argv)
{
    report *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NB_CLASS_SYSTEM;
    const nb__option options[] = {
        {"json", NULL, "print JSON; of evidence the file itself, parts one after another",
         NB__OPTION_FLAG, &r->is_json, 0, 0},
        {"html", NULL, "print a page by itself, with pictures", NB__OPTION_FLAG, &r->is_html, 0, 0},
        {"journal", "DIR",
         "where the nights are recorded (default ~/.local/share/nightbook/journal)",
         NB__OPTION_STRING, &r->journal, 0, 0},
        {"dir", "DIR", "where evidence-YYYYMMDD.json lies (default ~/.local/state/nightbook)",
         NB__OPTION_STRING, &r->state_directory, 0, 0},
        {"holidays", "FILE", "closed days, newer than the built-in ones", NB__OPTION_STRING,
         &r->holidays, 0, 0},
        {0}};
    const nb__usage usage = {"report", "[DATE|PATH] [OPTIONS]", explanation, options, 1};
    size_t operand_count = 0;
    int exit_code = nb__options_parse(&usage, argc, argv, &r->what, &operand_count);
    nb_error error;
    signal(SIGPIPE, SIG_IGN); /* a write sees EPIPE */
    if (exit_code < 0)
        exit_code = run(r, &error) == NB_OK ? 0 : nb__command_failed("report", &error);
    nb_calendar_free(r->calendar);
    free(r);
    return exit_code;
}
