/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nightbook journal: the recorded nights, looked at and kept in order. The verbs are in
 * journal_*.c; here are their options and their help.
 */
#include "journal_command.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* What an option may go with, and what a verb takes. */
enum {
    TAKES_JSON = 1 << 0,
    TAKES_LINES = 1 << 1, /* what of a recording: cat */
    TAKES_KEEP = 1 << 2,
    TAKES_LEVEL = 1 << 3,
    NEEDS_PATH = 1 << 4,
    MEANS_LAST = 1 << 5, /* without PATH the newest night, not the whole journal */
    TAKES_NO_PATH = 1 << 6
};

typedef struct verb {
    const char *name;
    int (*run)(const nb__journal_command *command);
    unsigned flags;
} verb;

static const verb verbs[] = {
    {"ls", nb__command_journal_ls, TAKES_JSON},
    {"info", nb__command_journal_info, TAKES_JSON | MEANS_LAST},
    {"cat", nb__command_journal_cat, TAKES_LINES | MEANS_LAST},
    {"verify", nb__command_journal_verify, TAKES_JSON},
    {"repair", nb__command_journal_repair, TAKES_JSON | NEEDS_PATH},
    {"pack", nb__command_journal_pack, TAKES_LEVEL},
    {"prune", nb__command_journal_prune, TAKES_KEEP | TAKES_NO_PATH},
};

static const char explanation[] =
    "`nightbook serve` records every live night: each frame as it came, with its receive time, "
    "and marks of what\n"
    "the recorder knows. A journal is a directory of nights (by trade date), a night one of "
    "segments: NAME.log, plain\n"
    "text that is written to, and NAME.log.zst, finished and packed (zstdcat reads it).\n"
    "\n"
    "PATH  a journal, a night's directory or a segment's file; or within the journal a night by "
    "its trade date\n"
    "      (2026-11-23), a segment by its name (20261123-000001), or `last`, the newest night.\n"
    "\n"
    "  ls [PATH]      the nights: segments, bytes, first and last session time, frames, state. "
    "Default: the whole journal\n"
    "  info [PATH]    one recording in detail: runs, links, gaps, answers, kinds, TRs and keys, "
    "index. Default: last\n"
    "  cat [PATH]     its lines as they were recorded, to stdout. Default: last\n"
    "  verify [PATH]  every byte against its sums and hashes; damage is named with its place. "
    "Default: the whole journal\n"
    "  repair PATH    drop what is damaged and nothing behind it; the bytes are kept beside the "
    "segment\n"
    "  pack [PATH]    pack finished segments now (serve does it by itself)\n"
    "  prune          remove the oldest nights beyond --keep-nights or --keep-bytes; never the "
    "newest\n"
    "\n"
    "Examples:\n"
    "  nightbook journal ls\n"
    "  nightbook journal cat 2026-11-23 --from 23:10 --to 23:20 --codes B01612745,B01612746\n"
    "  nightbook journal cat last --kinds connect,gap,answer     what happened to the links\n"
    "  nightbook journal cat last --tr H0EUASP0 | nightbook decode --csv > night.csv\n"
    "  nightbook journal verify && nightbook journal prune --keep-nights 250 --dry-run\n"
    "\n"
    "Times are KST within the night: 23:10, 05:59:30.250, or with the day 2026-11-20T23:10. A "
    "simulated or replayed\n"
    "feed has times of its own: its session's. cat seeks by the index and reads only the zstd "
    "frames it needs.\n"
    "\n"
    "Exit code: 0 when all is well; 65 when something is damaged, missing or torn, or a newer "
    "nightbook wrote it (cat and\n"
    "info go on behind damage, ls only says so); 64 wrong usage, or nothing is there; 75 a "
    "recorder writes to it; 71 the\n"
    "system refused. More: docs/journal.md.\n";

int nb__journal_failed(const nb__journal_command *command, const nb_error *error)
{
    char context[40];
    snprintf(context, sizeof context, "journal %.20s", command->verb);
    return nb__command_failed(context, error);
}

/* ---- arguments ---- */

static nb_err fail_verb(const char *given, nb_error *error)
{
    const char *near = NULL;
    for (size_t i = 0; i < NB__COUNT_OF(verbs) && given != NULL; i++)
        if (nb__word_is_near(given, verbs[i].name))
            near = verbs[i].name;
    if (near != NULL)
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.40s: did you mean %s?", given, near);
    return nb__fail(error, NB_E_ARGUMENT, 0,
                    "%.40s%sls, info, cat, verify, repair, pack or prune is expected; see "
                    "`nightbook journal --help`",
                    given == NULL ? "" : given, given == NULL ? "" : ": ");
}

static nb_err check_options(const nb__journal_command *c, const verb *v, nb_error *error)
{
    bool has_lines = c->from != NULL || c->to != NULL || c->codes != NULL || c->tr != NULL ||
                     c->kinds != NULL || c->is_raw || c->counts_reads;
    if (c->is_json && !(v->flags & TAKES_JSON))
        return nb__fail(error, NB_E_ARGUMENT, 0, "--json goes with ls, info, verify and repair");
    if (has_lines && !(v->flags & TAKES_LINES))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "--from, --to, --codes, --tr, --kinds, --raw and --count-reads go with "
                        "cat");
    bool has_keep = c->keep_nights > 0 || c->keep_bytes != NULL;
    if ((has_keep || c->is_trial) && !(v->flags & TAKES_KEEP))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "--keep-nights, --keep-bytes and --dry-run go with prune");
    if (!has_keep && v->flags & TAKES_KEEP)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "how much is to be kept? Give --keep-nights N or --keep-bytes SIZE");
    if (c->level > 0 && !(v->flags & TAKES_LEVEL))
        return nb__fail(error, NB_E_ARGUMENT, 0, "--level goes with pack");
    if (c->operand == NULL && v->flags & NEEDS_PATH)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "%s changes files: say which, a journal, a night or a segment", v->name);
    if (c->operand != NULL && v->flags & TAKES_NO_PATH)
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.60s: %s takes no PATH; --dir names the journal",
                        c->operand, v->name);
    return NB_OK;
}

static nb_err find_place(nb__journal_command *c, const verb *v, nb_error *error)
{
    nb_err err = nb__journal_default(c->dir, c->journal, error);
    if (err != NB_OK && c->operand != NULL && /* a path needs no journal around it */
        nb__journal_place("", c->operand, c->path, &(nb_error){0}) == NB_OK)
        return NB_OK;
    const char *place = c->operand != NULL      ? c->operand
                        : v->flags & MEANS_LAST ? "last"
                                                : c->journal;
    return err == NB_OK ? nb__journal_place(c->journal, place, c->path, error) : err;
}

static int run(nb__journal_command *c)
{
    const verb *v = NULL;
    nb_error error;
    for (size_t i = 0; i < NB__COUNT_OF(verbs) && c->verb != NULL; i++)
        if (strcmp(c->verb, verbs[i].name) == 0)
            v = &verbs[i];
    if (v == NULL) {
        (void)fail_verb(c->verb, &error);
        return nb__command_failed("journal", &error);
    }
    nb_err err = check_options(c, v, &error);
    if (err == NB_OK)
        err = find_place(c, v, &error);
    if (err != NB_OK)
        return nb__journal_failed(c, &error);
    signal(SIGPIPE, SIG_IGN); /* a write sees EPIPE */
    return v->run(c);
}

int nb__command_journal(int argc, char **argv)
{
    nb__journal_command c = {0};
    const char *operands[2] = {NULL, NULL};
    size_t operand_count = 0;
    const nb__option options[] = {
        {"dir", "DIR",
         "the journal (default: $XDG_DATA_HOME/nightbook/journal, else "
         "~/.local/share/nightbook/journal)",
         NB__OPTION_STRING, &c.dir, 0, 0},
        {"from", "TIME", "cat: session time from which on", NB__OPTION_STRING, &c.from, 0, 0},
        {"to", "TIME", "cat: session time before which", NB__OPTION_STRING, &c.to, 0, 0},
        {"codes", "A,B,..", "cat: frames with a record of one of these codes only",
         NB__OPTION_STRING, &c.codes, 0, 0},
        {"tr", "TR", "cat: frames of this TR only", NB__OPTION_STRING, &c.tr, 0, 0},
        {"kinds", "A,B,..",
         "cat: lines of these kinds only: frame, answer, connect, gap … With --codes or --tr: "
         "these beside the frames",
         NB__OPTION_STRING, &c.kinds, 0, 0},
        {"raw", NULL, "cat: the message alone, as it came", NB__OPTION_FLAG, &c.is_raw, 0, 0},
        {"count-reads", NULL, "cat: say on stderr how many zstd frames were read", NB__OPTION_FLAG,
         &c.counts_reads, 0, 0},
        {"keep-nights", "N", "prune: so many nights stay", NB__OPTION_U32, &c.keep_nights, 1,
         100000},
        {"keep-bytes", "SIZE", "prune: so many bytes stay, like 50G", NB__OPTION_STRING,
         &c.keep_bytes, 0, 0},
        {"dry-run", NULL, "prune: only say what would go", NB__OPTION_FLAG, &c.is_trial, 0, 0},
        {"level", "N", "pack: zstd's, 1 (fast) to 19 (small); default 6", NB__OPTION_U32, &c.level,
         1, 19},
        {"json", NULL, "ls, info, verify, repair: one object a line", NB__OPTION_FLAG, &c.is_json,
         0, 0},
        {0}};
    const nb__usage usage = {"journal", "ls|info|cat|verify|repair|pack|prune [PATH] [OPTIONS]",
                             explanation, options, 2};
    int exit_code = nb__options_parse(&usage, argc, argv, operands, &operand_count);
    if (exit_code >= 0)
        return exit_code;
    c.verb = operands[0];
    c.operand = operands[1];
    return run(&c);
}
