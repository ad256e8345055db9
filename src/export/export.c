/* SPDX-License-Identifier: Apache-2.0 */
/* One export: look first where the format needs it, read, write, and give OUT its name last. */
#include "inside.h"

static nb_err check_format(const nb__export_how *how, nb_error *error)
{
    nb_span out = nb__span(how->out);
    bool is_zst =
        out.size_bytes > 4 && nb__span_is((nb_span){out.data + out.size_bytes - 4, 4}, ".zst");
    if (nb__span_is(out, "-") && !how->format->is_streamed)
        return nb__fail(error, NB_E_ARGUMENT, 0, "-o -: %s goes to a file only", how->format->name);
    if (is_zst && how->format->is_compressed)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "-o %.100s: %s is compressed in itself; leave .zst away", how->out,
                        how->format->name);
    return NB_OK;
}

/* ---- the first reading ---- */

static nb_err survey_row(void *self, const nb__export_row *row, nb_error *error)
{
    return nb__export_survey_add(self, row, error);
}

static nb_err fail_empty(const nb__export_how *how, const nb__export_counters *counters,
                         nb_error *error)
{
    return nb__fail(error, NB_E_NOT_FOUND, 0,
                    "%.120s: nothing to export: %llu frames were read, and no record of them is "
                    "%s; no file was made",
                    how->path, (unsigned long long)counters->frames,
                    how->format->is_books_only ? "a book that was asked for" : "one asked for");
}

static nb_err survey(nb__export_reader *reader, const nb__export_how *how, nb__export_survey *found,
                     nb__export_counters *counters, nb_error *error)
{
    nb__export_run run = {.is_survey = true, .take = survey_row, .self = found};
    nb_err err = nb__export_reader_run(reader, &run, counters, error);
    found->frames = counters->frames;
    if (err == NB_OK && found->records == 0)
        err = fail_empty(how, counters, error);
    return err;
}

/* ---- the writing ---- */

typedef struct job {
    const nb__export_how *how;
    const nb__export_survey *survey; /* NULL: none */
    void *format_self;
} job;

static nb_err write_row(void *self, const nb__export_row *row, nb_error *error)
{
    job *j = self;
    if (j->survey != NULL && row->code_index >= j->survey->code_count)
        return nb__fail(error, NB_E_INTERNAL, 0, "the recording changed while it was exported");
    return j->how->format->record(j->format_self, row, error);
}

static nb_err run_format(job *j, nb__export_reader *reader, nb__export_out *out,
                         nb__export_counters *counters, nb_error *error)
{
    const nb__export_format *format = j->how->format;
    nb__export_begin begin = {.out = format->writes_path ? NULL : out,
                              .path = nb__export_out_path(out),
                              .survey = j->survey,
                              .calendar = j->how->calendar,
                              .duckdb = j->how->duckdb,
                              .stop = j->how->stop};
    nb__export_reader_origin(reader, &begin.feed_kind, &begin.night);
    nb_err err = format->open(&begin, &j->format_self, error);
    if (err != NB_OK)
        return err;
    nb__export_run run = {.needs_values = format->needs_values,
                          .is_quiet = j->survey != NULL,
                          .frames_max = j->survey != NULL ? j->survey->frames : 0,
                          .take = write_row,
                          .self = j};
    err = nb__export_reader_run(reader, &run, counters, error);
    if (err == NB_OK && counters->records == 0)
        err = fail_empty(j->how, counters, error);
    if (err == NB_OK)
        return format->close(j->format_self, error);
    format->drop(j->format_self);
    return err;
}

static nb_err write_out(const nb__export_how *how, nb__export_reader *reader,
                        const nb__export_survey *found, nb__export_counters *counters,
                        nb_error *error)
{
    job j = {.how = how, .survey = found};
    nb__export_out *out;
    nb_err err = nb__export_out_open(how->out, how->is_forced, how->format->is_compressed,
                                     !how->format->writes_path, &out, error);
    if (err != NB_OK)
        return err;
    err = run_format(&j, reader, out, counters, error);
    if (err != NB_OK) {
        nb__export_out_drop(out);
        return err;
    }
    err = nb__export_out_finish(out, how->is_forced, &counters->bytes, error);
    if (err == NB_OK)
        nb__export_reader_tell_missing(reader);
    return err;
}

nb_err nb__export(const nb__export_how *how, nb__export_counters *counters, nb_error *error)
{
    nb__export_reader *reader = NULL;
    nb__export_survey found = {0};
    *counters = (nb__export_counters){0};
    nb_err err = check_format(how, error);
    if (err == NB_OK)
        err = nb__export_out_check(how->out, how->is_forced, error);
    if (err == NB_OK)
        err = nb__export_reader_open(how, &reader, error);
    if (err == NB_OK && how->format->needs_survey)
        err = survey(reader, how, &found, counters, error);
    if (err == NB_OK)
        err = write_out(how, reader, how->format->needs_survey ? &found : NULL, counters, error);
    nb__export_survey_fini(&found);
    nb__export_reader_close(reader);
    return err;
}
