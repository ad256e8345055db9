/* SPDX-License-Identifier: Apache-2.0 */
/* Master files, written: what the look-alike publishes. Reading them gives the same instruments. */
#include "master.h"
#include <string.h>

#define FIELD_MAX 128 /* bytes of a cp949 field, with room to notice that it is too long */

typedef struct writer {
    nb__master_kind file;
    nb__cp949 cp949;
    nb_error *error;
    const nb__instrument *row;
    nb__text *out;
} writer;

static nb_err fail(const writer *w, const char *reason)
{
    if (w->cp949.is_missing)
        reason = "Korean text, and this machine's iconv does not know CP949";
    return nb__fail(w->error, NB_E_MASTER, 0, "%s, %s: %s", nb__master_file_name(w->file),
                    w->row->code, reason);
}

static bool belongs(nb__master_kind file, const nb__instrument *row)
{
    bool is_option = row->right == 'C' || row->right == 'P';
    return file == NB__MASTER_INDEX || is_option == (file == NB__MASTER_EUREX);
}

/* `01097.50`: eight bytes, two decimals; futures have 00000.00 */
static nb_err write_strike(const writer *w, char out[9])
{
    char text[NB_PRICE_TEXT_MAX];
    nb_price strike = w->row->strike == NB_PRICE_UNDEF ? 0 : w->row->strike;
    size_t size = nb_price_print(text, strike, 2);
    if (strike < 0 || size > 8)
        return fail(w, "the strike does not fit 00000.00");
    memset(out, '0', 8);
    memcpy(out + 8 - size, text, size);
    out[8] = '\0';
    return NB_OK;
}

static bool is_clean(nb_span text)
{
    for (size_t i = 0; i < text.size_bytes; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7F || text.data[i] == '|')
            return false;
    return true;
}

/* Append one field in cp949; padded in a fixed-width file, joined by '|' in the other. */
static nb_err write_field(writer *w, int field, nb_span value)
{
    char bytes[FIELD_MAX];
    bool is_fixed = w->file != NB__MASTER_INDEX;
    size_t width = is_fixed ? (size_t)(nb__master_offsets[field + 1] - nb__master_offsets[field])
                            : sizeof bytes;
    ptrdiff_t size = nb__cp949_convert(&w->cp949, value, bytes, sizeof bytes);
    if (size < 0 || (size_t)size > width || !is_clean(value))
        return fail(w, "a name or code does not fit its field, or has no form in cp949");
    nb__text_append(w->out, bytes, (size_t)size);
    if (is_fixed) {
        memset(bytes, ' ', sizeof bytes);
        nb__text_append(w->out, bytes, width - (size_t)size);
    } else if (field + 1 < NB__MASTER_FIELDS) {
        nb__text_append(w->out, "|", 1);
    }
    return NB_OK;
}

static nb_err write_row(writer *w)
{
    const nb__instrument *row = w->row;
    char strike[9];
    nb_err err = write_strike(w, strike);
    const nb_span fields[NB__MASTER_FIELDS] = {
        {&row->kind, 1},
        nb__span(row->code),
        nb__span(row->standard_code),
        nb__span(row->name),
        {&row->atm_class, 1},
        {strike, 8},
        {&row->month_class, 1},
        nb__span(row->underlying_code),
        nb__span(row->underlying_name),
    };
    for (int i = 0; i < NB__MASTER_FIELDS && err == NB_OK; i++)
        err = write_field(w, i, fields[i]);
    nb__text_append(w->out, "\n", 1);
    return err;
}

nb_err nb__master_print(nb__master_kind kind, const nb__master *master, nb__text *out,
                        nb_error *error)
{
    writer w = {.file = kind, .cp949.is_encoder = true, .error = error, .out = out};
    size_t size_before = out->size_bytes;
    nb_err err = NB_OK;
    for (size_t i = 0; i < master->count && err == NB_OK; i++) {
        w.row = &master->rows[i];
        if (belongs(kind, w.row))
            err = write_row(&w);
    }
    nb__cp949_fini(&w.cp949);
    if (err == NB_OK && out->is_failed)
        err = nb__fail(error, NB_E_MEMORY, 0, "no memory for %s", nb__master_file_name(kind));
    if (err == NB_OK && out->size_bytes == size_before)
        err = nb__fail(error, NB_E_MASTER, 0, "no instrument belongs into %s",
                       nb__master_file_name(kind));
    if (err != NB_OK && out->capacity_bytes > 0) {
        out->size_bytes = size_before;
        out->data[size_before] = '\0';
    }
    return err;
}
