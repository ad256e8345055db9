/* SPDX-License-Identifier: Apache-2.0 */
/* nightbook report: what a night showed of the questions that only a live night can answer. */
#include "cli/cli.h"
#include "evidence/evidence.h"
#include "io/io.h"
#include "stdout.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVIDENCE_MAX ((size_t)4 << 20)
#define PREFIX "evidence-"
#define SUFFIX ".json"
#define DATE_BYTES 8 /* YYYYMMDD */
#define PARTS_MAX 64 /* of one night: one for each start of serve */

typedef struct report {
    const char *what; /* a date, a file, NULL: the newest */
    const char *directory;
    bool is_json;
    char own_directory[PATH_MAX];
    char date[DATE_BYTES + 1];
    char parts[PARTS_MAX][NAME_MAX + 1];
    size_t part_count, left_out;
} report;

/* `evidence-YYYYMMDD….json` */
static bool is_evidence(const char *name)
{
    size_t size = strlen(name), head = sizeof PREFIX - 1, tail = sizeof SUFFIX - 1;
    return size >= head + DATE_BYTES + tail && size <= NAME_MAX &&
           strncmp(name, PREFIX, head) == 0 && strspn(name + head, "0123456789") == DATE_BYTES &&
           strcmp(name + size - tail, SUFFIX) == 0;
}

/* "2026-11-23" or "20261123". @return false: it is no date, and so a file. */
static bool read_date(const char *text, char out[DATE_BYTES + 1])
{
    size_t digits = 0;
    for (size_t i = 0; text[i] != '\0'; i++) {
        bool is_dash = text[i] == '-' && (i == 4 || i == 7);
        if (is_dash)
            continue;
        if (text[i] < '0' || text[i] > '9' || digits == DATE_BYTES)
            return false;
        out[digits++] = text[i];
    }
    out[digits] = '\0';
    uint64_t date = 0;
    return digits == DATE_BYTES && nb__span_to_u64(nb__span(out), &date) &&
           nb__date_is_valid((int)date);
}

static int by_name(const void *a, const void *b)
{
    return strverscmp(a, b); /* part 10 after part 9 */
}

/* Keep the files of the wanted date, or of the newest. */
static void take(report *r, const char *name)
{
    const char *date = name + sizeof PREFIX - 1;
    bool is_newest = r->what == NULL && strncmp(date, r->date, DATE_BYTES) > 0;
    if (is_newest) {
        memcpy(r->date, date, DATE_BYTES);
        r->part_count = r->left_out = 0;
    }
    if (strncmp(date, r->date, DATE_BYTES) != 0)
        return;
    if (r->part_count < PARTS_MAX)
        snprintf(r->parts[r->part_count++], sizeof r->parts[0], "%s", name);
    else
        r->left_out++;
}

static nb_err find(report *r, nb_error *error)
{
    DIR *directory = opendir(r->directory);
    if (directory == NULL && errno != ENOENT)
        return nb__fail(error, NB_E_SYSTEM, 0, "%.150s: %s", r->directory, strerrordesc_np(errno));
    for (const struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;)
        if (is_evidence(entry->d_name))
            take(r, entry->d_name);
    if (directory != NULL)
        closedir(directory);
    qsort(r->parts, r->part_count, sizeof r->parts[0], by_name);
    if (r->part_count > 0)
        return NB_OK;
    return r->what != NULL
               ? nb__fail(error, NB_E_NOT_FOUND, 0, "no evidence of %.20s in %.150s", r->what,
                          r->directory)
               : nb__fail(error, NB_E_NOT_FOUND, 0,
                          "no evidence in %.120s: `nightbook serve --feed kis` keeps it there "
                          "during a night",
                          r->directory);
}

static nb_err print_file(const report *r, const char *path, nb_error *error)
{
    nb__text json = {0}, words = {0};
    nb_err err = nb__file_read(path, EVIDENCE_MAX, &json, error);
    if (err == NB_OK) {
        err = nb__evidence_report(nb__text_view(&json), &words, error);
        if (err != NB_OK)
            (void)nb__fail_in(error, "%.100s", path);
    }
    if (err == NB_OK)
        err = r->is_json ? nb__stdout_write_json(&json, error) : nb__stdout_write(&words, error);
    nb__text_fini(&json);
    nb__text_fini(&words);
    return err;
}

static nb_err run(report *r, nb_error *error)
{
    if (r->what != NULL && !read_date(r->what, r->date))
        return print_file(r, r->what, error);
    if (r->directory == NULL) {
        if (!nb__xdg_path("state", r->own_directory, sizeof r->own_directory))
            return nb__fail(error, NB_E_NOT_FOUND, 0,
                            "HOME is not set: say where the evidence is with --dir DIR");
        r->directory = r->own_directory;
    }
    nb_err err = find(r, error);
    for (size_t i = 0; err == NB_OK && i < r->part_count; i++) {
        char path[PATH_MAX];
        if (i > 0 && !r->is_json)
            printf("\n---- part %zu of %zu: nightbook was started again ----\n\n", i + 1,
                   r->part_count);
        if ((size_t)snprintf(path, sizeof path, "%s/%s", r->directory, r->parts[i]) >= sizeof path)
            return nb__fail(error, NB_E_LIMIT, 0, "%.150s: the path is too long", r->directory);
        err = print_file(r, path, error);
    }
    if (err == NB_OK && r->left_out > 0)
        fprintf(stderr,
                "nightbook: report: %zu further parts of that night are not shown\n"
                "  name one: nightbook report FILE\n",
                r->left_out);
    return err;
}

static const char explanation[] =
    "KIS's documents leave questions open: how wide a record is, whether order counts are told, "
    "what an auction sends,\n"
    "how long OPSP8996 lasts, and others (docs/report.md). `nightbook serve --feed kis` keeps what "
    "each night shows of\n"
    "them; this prints it. Nothing is guessed: what did not come is \"not seen\".\n"
    "\n"
    "  nightbook report                   the newest night\n"
    "  nightbook report 2026-11-23        the night of that trade date\n"
    "  nightbook report FILE --json       a file, as it is\n"
    "\n"
    "Exit codes: 0, 64 there is none, 65 the file is not one of nightbook's.\n";

int nb__command_report(int argc, char **argv)
{
    report *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NB_CLASS_SYSTEM;
    const nb__option options[] = {
        {"json", NULL, "print the JSON itself; several parts of a night follow one another",
         NB__OPTION_FLAG, &r->is_json, 0, 0},
        {"dir", "DIR", "where evidence-YYYYMMDD.json lies (default ~/.local/state/nightbook)",
         NB__OPTION_STRING, &r->directory, 0, 0},
        {0}};
    const nb__usage usage = {"report", "[DATE|FILE] [OPTIONS]", explanation, options, 1};
    size_t operand_count = 0;
    int exit_code = nb__options_parse(&usage, argc, argv, &r->what, &operand_count);
    nb_error error;
    signal(SIGPIPE, SIG_IGN); /* a write sees EPIPE */
    if (exit_code < 0)
        exit_code = run(r, &error) == NB_OK ? 0 : nb__command_failed("report", &error);
    free(r);
    return exit_code;
}
