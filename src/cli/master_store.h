/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The master files on this machine: one directory with the zips as KIS's download server names
 * them.
 *
 *     fo_eurex_code.mst.zip      night options
 *     fo_cme_code.mst.zip        night futures
 *     fo_idx_code_mts.mst.zip    the day's index futures and options, the same codes
 *
 * Each is a last good copy: it is replaced whole, by one that was read whole before.
 */
#ifndef NB_CLI_MASTER_STORE_H
#define NB_CLI_MASTER_STORE_H

#include "symbols/symbols.h"

#define NB__MASTER_FILES 3
#define NB__STORE_PATH_MAX 4352 /* PATH_MAX and a file's name */
#define NB__MASTER_ZIP_MAX ((size_t)16 << 20)
#define NB__MASTER_TEXT_MAX ((size_t)64 << 20)

extern const nb__master_kind nb__master_kinds[NB__MASTER_FILES];

typedef struct nb__store {
    nb__master master; /**< night options, night futures, then the day's */
    size_t night_count;
    nb__symbols *symbols; /**< all codes; a code of the night by its night row */
    nb__master day_rows;  /**< borrows: the rows after the night's */
    nb__symbols *day;
    bool is_here[NB__MASTER_FILES];
    int64_t newest_s; /**< UTC, when the newest file was written; 0: there is none */
} nb__store;

/** DIR/NAME.mst.zip. A path that is too long is no file. */
void nb__store_path(const char *directory, nb__master_kind kind, char out[NB__STORE_PATH_MAX]);

/**
 * Read a master file, packed or not, whole.
 *
 * @retval NB_E_MASTER, NB_E_LIMIT  Not one, truncated, too large; `master` is as before.
 */
nb_err nb__store_read_bytes(nb__master_kind kind, nb_span bytes, nb__master *master,
                            nb_error *error);
/** The copy that is kept. @retval NB_E_NOT_FOUND  there is none */
nb_err nb__store_read_file(const char *directory, nb__master_kind kind, nb__master *master,
                           int64_t *written_s, nb_error *error);

/**
 * Read what is kept. A file that cannot be read is told on stderr, and left out.
 *
 * @retval NB_E_NOT_FOUND  No master file there; with what to do.
 */
nb_err nb__store_open(const char *directory, nb__store *out, nb_error *error);
void nb__store_close(nb__store *store);
bool nb__store_is_night(const nb__store *store, const nb__instrument *row);
bool nb__store_is_day(const nb__store *store, const nb__instrument *row);

/** `nightbook symbols update`. */
typedef struct nb__store_update {
    const char *directory;
    const char *from;    /**< URL, FILE or DIR */
    const char *ca_file; /**< NULL: the system's */
    bool is_forced;      /**< take also a file with less than half of the rows */
} nb__store_update;
/** Prints a line a file. @return the exit code: of the first file that failed. */
int nb__store_update_run(const nb__store_update *update);

#endif
