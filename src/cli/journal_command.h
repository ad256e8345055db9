/* SPDX-License-Identifier: Apache-2.0 */
/* `nightbook journal`: what its verbs share. */
#ifndef NB_CLI_JOURNAL_COMMAND_H
#define NB_CLI_JOURNAL_COMMAND_H

#include "cli/cli.h"
#include "store/store.h"

typedef struct nb__journal_command {
    const char *verb;
    const char *operand; /**< as given; NULL: none */
    const char *dir, *from, *to, *codes, *tr, *kinds, *keep_bytes;
    uint32_t keep_nights, level;
    bool is_json, is_raw, counts_reads, is_trial;
    char journal[NB__STORE_PATH_MAX]; /**< --dir, or where serve records by default */
    char path[NB__STORE_PATH_MAX];    /**< what the operand names */
} nb__journal_command;

/* ---- places (journal_place.c) ---- */

/** --dir, or what nightbook's own file says, or $XDG_DATA_HOME/nightbook/journal.
 * @retval NB_E_ARGUMENT  No HOME. @retval NB_E_CONFIG  The file is broken. */
nb_err nb__journal_default(const char *dir, char out[NB__STORE_PATH_MAX], nb_error *error);
/** Where nightbook's own file says that DuckDB's library is; "": nothing. */
nb_err nb__duckdb_default(char out[NB__STORE_PATH_MAX], nb_error *error);
/** Where evidence is kept: nightbook's own file, or the user's state directory; "": no HOME. */
nb_err nb__state_default(char out[NB__STORE_PATH_MAX], nb_error *error);
/**
 * What a person names: a path; or within the journal a night by its trade date (2026-11-23,
 * 20261123), a segment by its name (20261123-000001); "last": the newest night.
 *
 * @retval NB_E_NOT_FOUND  Nothing is called so.
 */
nb_err nb__journal_place(const char *journal, const char *operand, char out[NB__STORE_PATH_MAX],
                         nb_error *error);
/** "50000000", "50G", "1.5T": 1024s. @retval NB_E_ARGUMENT */
nb_err nb__journal_size_parse(const char *text, uint64_t *bytes, nb_error *error);
/** "61.0 MiB", "812 B". */
void nb__journal_size_print(char out[24], uint64_t bytes);
/** "18:00:00" of the session time, "-" of none. */
void nb__journal_clock_text(char out[16], int64_t ns);

/* ---- verbs: each gives the exit code ---- */
int nb__command_journal_ls(const nb__journal_command *command);     /* journal_ls.c */
int nb__command_journal_info(const nb__journal_command *command);   /* journal_info.c */
int nb__command_journal_verify(const nb__journal_command *command); /* journal_care.c */
int nb__command_journal_repair(const nb__journal_command *command);
int nb__command_journal_pack(const nb__journal_command *command);
int nb__command_journal_prune(const nb__journal_command *command);
int nb__command_journal_cat(const nb__journal_command *command); /* journal_cat.c */

/** Print `nightbook: journal VERB: detail [E_CODE]` and give the exit code of the error. */
int nb__journal_failed(const nb__journal_command *command, const nb_error *error);

#endif
