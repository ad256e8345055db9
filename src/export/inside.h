/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this room share, and nobody else sees.
 */
#ifndef NB_EXPORT_INSIDE_H
#define NB_EXPORT_INSIDE_H

#include "export.h"

/* ---- row.c ---- */

/* nb__row_read() without the times: recv_ns, event_ns, trade_date, is_calendar_known are the
 * caller's to set. */
nb_err nb__row_read_fields(const nb_frame *frame, nb_span record, nb__row *row, nb_error *error);
/* The flags of a book in words, instead of what nb__row_read() found. */
void nb__row_set_flags(nb__row *row, uint32_t flags);

/* ---- out.c: a file that appears whole or not at all ---- */

/** Before anything is read: may OUT be made? @retval NB_E_ARGUMENT  As below. */
nb_err nb__export_out_check(const char *path, bool is_forced, nb_error *error);
/**
 * @param path       "-": stdout. What ends in .zst is compressed, unless `is_plain`.
 * @param is_forced  What stands there is replaced at the end.
 * @param is_made    The temporary file is made now; false: a format makes it by its path.
 * @retval NB_E_ARGUMENT  It is there; it is no file; it is one of a recording; its directory is not
 * there.
 * @retval NB_E_SYSTEM
 */
nb_err nb__export_out_open(const char *path, bool is_forced, bool is_plain, bool is_made,
                           nb__export_out **out, nb_error *error);
const char *nb__export_out_path(const nb__export_out *out); /* the temporary file's */
/* Everything on the disk under its name. Frees `out` also on failure, when nothing is left. */
nb_err nb__export_out_finish(nb__export_out *out, bool is_forced, uint64_t *size_bytes,
                             nb_error *error);
void nb__export_out_drop(nb__export_out *out); /* nothing is left */

/* ---- reader.c: a recording as rows ---- */

typedef struct nb__export_reader nb__export_reader;
/** @retval NB_E_ARGUMENT, NB_E_NOT_FOUND, NB_E_VERSION, NB_E_MEMORY */
nb_err nb__export_reader_open(const nb__export_how *how, nb__export_reader **out, nb_error *error);
void nb__export_reader_close(nb__export_reader *reader);
/* Of the recording's first segment. */
void nb__export_reader_origin(const nb__export_reader *reader, nb__feed_kind *kind, int *night);
typedef nb_err nb__export_take(void *self, const nb__export_row *row, nb_error *error);
typedef struct nb__export_run {
    bool needs_values;
    bool is_survey;      /* the first of two readings */
    bool is_quiet;       /* the second: what is damaged was told */
    uint64_t frames_max; /* ends after so many: a recording may grow meanwhile. 0: no end */
    nb__export_take *take;
    void *self;
} nb__export_run;
/** From the beginning, each row to take(), until it fails. */
nb_err nb__export_reader_run(nb__export_reader *reader, const nb__export_run *run,
                             nb__export_counters *counters, nb_error *error);
/* Codes that were asked for and did not come in the last run, each to how->note. */
void nb__export_reader_tell_missing(const nb__export_reader *reader);

/* ---- survey.c: the first reading ---- */

/* `survey` zeroed by the caller. */
nb_err nb__export_survey_add(nb__export_survey *survey, const nb__export_row *row, nb_error *error);
void nb__export_survey_fini(nb__export_survey *survey);

#endif
