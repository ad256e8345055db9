/* SPDX-License-Identifier: Apache-2.0 */
/* A night's recording and evidence to a report: what `nightbook report` and the end of a session
 * share. */
#ifndef NB_CLI_REPORT_NIGHT_H
#define NB_CLI_REPORT_NIGHT_H

#include "nightly/nightly.h"
#include "store/store.h"

#define NB__EVIDENCE_PARTS_MAX 64 /* of one night: one for each start of serve */

/* Files evidence-YYYYMMDD.json, .2.json … of one night. */
typedef struct nb__evidence_files {
    char directory[NB__STORE_PATH_MAX];
    int date; /* YYYYMMDD; 0: there is none */
    char names[NB__EVIDENCE_PARTS_MAX][256];
    size_t count, left_out;
} nb__evidence_files;
/** @param date  0: the newest. Finding none is no failure. @retval NB_E_SYSTEM  `directory` cannot
 * be read. */
nb_err nb__evidence_find(const char *directory, int date, nb__evidence_files *out, nb_error *error);
nb_err nb__evidence_read(const nb__evidence_files *files, size_t index, nb__text *out,
                         nb_error *error);

/**
 * Read a recording whole. Threads: any; touches no loop.
 *
 * @param path  A night's directory or a segment's file; NULL: no recording, the evidence alone.
 * @param evidence_directory  May be NULL.
 * @param date  Without a recording: whose evidence.
 * @param stop  May be NULL; looked at now and then: NB_E_CLOSED.
 */
nb_err nb__report_night(const char *path, const char *evidence_directory, int date,
                        const nb_calendar *calendar, const volatile bool *stop, nb__nightly **out,
                        nb_error *error);
/** report.json, report.txt, report.html into a directory, each whole or not at all. */
nb_err nb__report_write(const nb__nightly *nightly, const char *directory, nb_error *error);

#endif
