/* SPDX-License-Identifier: Apache-2.0 */
/* csv and jsonl: the record as `nightbook decode` prints it, with the flags of the book. */
#include "inside.h"
#include <stdlib.h>

#define BATCH_BYTES ((size_t)64 << 10)

typedef struct writer {
    nb__export_out *out;
    nb__text text;
    bool is_csv, has_header;
    char tr_id[NB_TR_ID_MAX + 1]; /* of the header printed last */
} writer;

static nb_err flush(writer *w, nb_error *error)
{
    if (w->text.is_failed)
        return nb__fail(error, NB_E_MEMORY, 0, "no memory for a row");
    nb_err err = nb__export_out_write(w->out, nb__text_view(&w->text), error);
    nb__text_clear(&w->text);
    return err;
}

static nb_err open_text(const nb__export_begin *begin, bool is_csv, void **self, nb_error *error)
{
    writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    w->out = begin->out;
    w->is_csv = is_csv;
    *self = w;
    return NB_OK;
}

static nb_err open_csv(const nb__export_begin *begin, void **self, nb_error *error)
{
    return open_text(begin, true, self, error);
}

static nb_err open_jsonl(const nb__export_begin *begin, void **self, nb_error *error)
{
    return open_text(begin, false, self, error);
}

static void print_csv(writer *w, const nb__row *row)
{
    if (!w->has_header || !nb__span_is(row->tr_id, w->tr_id)) {
        nb__row_print_csv_header(row, &w->text);
        nb__span_copy(row->tr_id, w->tr_id, sizeof w->tr_id);
        w->has_header = true;
    }
    nb__row_print_csv(row, &w->text);
}

static nb_err take(void *self, const nb__export_row *row, nb_error *error)
{
    writer *w = self;
    if (w->is_csv)
        print_csv(w, row->row);
    else
        nb__row_print_json(row->row, &w->text);
    return w->text.size_bytes < BATCH_BYTES && !w->text.is_failed ? NB_OK : flush(w, error);
}

static void drop(void *self)
{
    writer *w = self;
    nb__text_fini(&w->text);
    free(w);
}

static nb_err finish(void *self, nb_error *error)
{
    nb_err err = flush(self, error);
    drop(self);
    return err;
}

const nb__export_format nb__export_csv = {
    .name = "csv",
    .summary = "comma-separated, with a header wherever the TR changes, as of nightbook decode",
    .needs_values = true,
    .is_streamed = true,
    .open = open_csv,
    .record = take,
    .close = finish,
    .drop = drop,
};
const nb__export_format nb__export_jsonl = {
    .name = "jsonl",
    .summary = "a flat JSON object a line, as of nightbook decode",
    .needs_values = true,
    .is_streamed = true,
    .open = open_jsonl,
    .record = take,
    .close = finish,
    .drop = drop,
};
