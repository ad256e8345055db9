/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Master files, read: all rows or none, with line and reason.
 *
 * Rows may grow at their end (KIS does that without notice): what lies past the known fields is not
 * read. A kind that is not known is kept. What would be a wrong book is refused: a call that says
 * put, an option without a strike.
 */
#include "master.h"
#include <stdlib.h>
#include <string.h>

const uint8_t nb__master_offsets[NB__MASTER_FIELDS + 1] = {0, 1, 10, 22, 62, 63, 71, 72, 81, 121};

typedef struct reader {
    nb__master_kind file;
    nb__cp949 cp949;
    nb_error *error;
    const char *start; /* of the file */
    size_t line_number;
    nb_span fields[NB__MASTER_FIELDS];
    nb__instrument *row;
} reader;

void nb__master_fini(nb__master *master)
{
    free(master->rows);
    *master = (nb__master){0};
}

const char *nb__master_file_name(nb__master_kind kind)
{
    switch (kind) {
    case NB__MASTER_EUREX:
        return "fo_eurex_code.mst";
    case NB__MASTER_CME:
        return "fo_cme_code.mst";
    case NB__MASTER_INDEX:
        break;
    }
    return "fo_idx_code_mts.mst";
}

static nb_err fail(const reader *r, const char *at, const char *reason)
{
    if (r->cp949.is_missing)
        reason = "Korean text, and this machine's iconv does not know CP949";
    return nb__fail(r->error, NB_E_MASTER, (size_t)(at - r->start), "%s line %zu: %s",
                    nb__master_file_name(r->file), r->line_number, reason);
}

/* ---- a line into its nine fields ---- */

static nb_err split_fixed(reader *r, nb_span line)
{
    const uint8_t *offsets = nb__master_offsets;
    if (line.size_bytes <= offsets[NB__MASTER_UNDERLYING_NAME])
        return fail(r, line.data, "shorter than a row of 121 bytes");
    for (int i = 0; i < NB__MASTER_FIELDS; i++) { /* trailing blanks of the last field may be cut */
        size_t end = offsets[i + 1] < line.size_bytes ? offsets[i + 1] : line.size_bytes;
        r->fields[i] = (nb_span){line.data + offsets[i], end - offsets[i]};
    }
    return NB_OK;
}

static nb_err split_bars(reader *r, nb_span line)
{
    const char *at = line.data, *end = line.data + line.size_bytes;
    for (int i = 0; i < NB__MASTER_FIELDS; i++) {
        if (at == NULL)
            return fail(r, line.data, "fewer than 9 fields between '|'");
        const char *bar = memchr(at, '|', (size_t)(end - at));
        r->fields[i] = (nb_span){at, (size_t)((bar == NULL ? end : bar) - at)};
        at = bar == NULL ? NULL : bar + 1;
    }
    return NB_OK;
}

/* ---- fields into an instrument ---- */

/* one byte of ASCII; a missing one is a blank, half a Korean character means that columns moved */
static bool read_mark(nb_span field, char *out)
{
    *out = field.size_bytes == 0 ? ' ' : field.data[0];
    return field.size_bytes <= 1 && (unsigned char)*out < 0x80;
}

static bool read_code(nb_span field, size_t min_bytes, char *out, size_t capacity_bytes)
{
    nb_span code = nb__span_trim(field);
    for (size_t i = 0; i < code.size_bytes; i++)
        if (!(code.data[i] >= '0' && code.data[i] <= '9') &&
            !(code.data[i] >= 'A' && code.data[i] <= 'Z'))
            return false;
    return code.size_bytes >= min_bytes && nb__span_copy(code, out, capacity_bytes);
}

static bool read_text(reader *r, nb_span field, char *out, size_t capacity_bytes)
{
    ptrdiff_t size = nb__cp949_convert(&r->cp949, nb__span_trim(field), out, capacity_bytes - 1);
    out[size < 0 ? 0 : size] = '\0';
    return size >= 0;
}

/* blank or 0: none */
static bool read_strike(nb_span field, nb_price *out)
{
    nb_span text = nb__span_trim(field);
    *out = 0;
    if (text.size_bytes > 0 && nb_price_parse(text, out, NULL, NULL) != NB_OK)
        return false;
    if (*out == 0)
        *out = NB_PRICE_UNDEF;
    return *out > 0;
}

static bool is_expiry(nb_span word)
{
    if (word.size_bytes != 6)
        return false;
    for (size_t i = 0; i < 6; i++) {
        bool is_digit = word.data[i] >= '0' && word.data[i] <= '9';
        if (!is_digit && !(i == 4 && word.data[i] == 'W'))
            return false;
    }
    return true;
}

/* The first word of the name that looks like 202610 or 2609W4; spreads have none. */
static void find_expiry(const char *name, char *out, size_t capacity_bytes)
{
    nb_span rest = nb__span(name);
    while (rest.size_bytes > 0) {
        const char *blank = memchr(rest.data, ' ', rest.size_bytes);
        size_t size = blank == NULL ? rest.size_bytes : (size_t)(blank - rest.data);
        nb_span word = {rest.data, size};
        if (is_expiry(word)) {
            nb__span_copy(word, out, capacity_bytes);
            return;
        }
        size_t taken = blank == NULL ? size : size + 1;
        rest = (nb_span){rest.data + taken, rest.size_bytes - taken};
    }
}

static nb_err classify(const reader *r)
{
    nb__instrument *row = r->row;
    const nb__master_kind_row *kind = nb__master_kind_find(row->kind);
    nb_span code = nb__span(row->code);
    char by_code = nb__right_of_code(code);
    bool is_option_by_code = by_code == 'C' || by_code == 'P';
    row->right = kind == NULL ? by_code : kind->right;
    bool is_option = row->right == 'C' || row->right == 'P';
    if (is_option && is_option_by_code && row->right != by_code)
        return fail(r, r->fields[NB__MASTER_KIND].data, "kind and code disagree on call or put");
    if (is_option && row->strike == NB_PRICE_UNDEF)
        return fail(r, r->fields[NB__MASTER_STRIKE].data, "an option without a strike");
    row->product = nb__product_of_code(code);
    if (row->product == NB__PRODUCT_UNKNOWN && kind != NULL)
        row->product = kind->product;
    return NB_OK;
}

static nb_err read_row(reader *r)
{
    nb__instrument *row = r->row;
    const nb_span *f = r->fields;
    *row = (nb__instrument){0};
    if (!read_mark(f[NB__MASTER_KIND], &row->kind) || row->kind == ' ')
        return fail(r, f[NB__MASTER_KIND].data, "the kind is not one letter or digit");
    if (!read_code(f[NB__MASTER_CODE], 6, row->code, sizeof row->code))
        return fail(r, f[NB__MASTER_CODE].data, "the short code is not 6-9 of A-Z and 0-9");
    if (!read_code(f[NB__MASTER_STANDARD_CODE], 12, row->standard_code, sizeof row->standard_code))
        return fail(r, f[NB__MASTER_STANDARD_CODE].data,
                    "the standard code is not 12 of A-Z and 0-9");
    if (!read_text(r, f[NB__MASTER_NAME], row->name, sizeof row->name) || row->name[0] == '\0')
        return fail(r, f[NB__MASTER_NAME].data, "the name is missing, too long or not cp949");
    if (!read_mark(f[NB__MASTER_ATM], &row->atm_class))
        return fail(r, f[NB__MASTER_ATM].data, "the ATM class is not one byte");
    if (!read_strike(f[NB__MASTER_STRIKE], &row->strike))
        return fail(r, f[NB__MASTER_STRIKE].data, "the strike is no price");
    if (!read_mark(f[NB__MASTER_MONTH], &row->month_class))
        return fail(r, f[NB__MASTER_MONTH].data, "the month class is not one byte");
    if (!read_code(f[NB__MASTER_UNDERLYING], 0, row->underlying_code, sizeof row->underlying_code))
        return fail(r, f[NB__MASTER_UNDERLYING].data,
                    "the underlying's code is not 0-9 of A-Z and 0-9");
    if (!read_text(r, f[NB__MASTER_UNDERLYING_NAME], row->underlying_name,
                   sizeof row->underlying_name))
        return fail(r, f[NB__MASTER_UNDERLYING_NAME].data,
                    "the underlying's name is too long or not cp949");
    find_expiry(row->name, row->expiry, sizeof row->expiry);
    return classify(r);
}

/* ---- the file ---- */

static nb_err make_room(const reader *r, const char *at, nb__master *master)
{
    if (master->count >= NB__MASTER_ROWS_MAX)
        return fail(r, at, "too many rows");
    if (master->count < master->capacity)
        return NB_OK;
    size_t capacity = master->capacity < 256 ? 256 : 2 * master->capacity;
    nb__instrument *rows = reallocarray(master->rows, capacity, sizeof *rows);
    if (rows == NULL)
        return nb__fail(r->error, NB_E_MEMORY, 0, "no memory for %zu instruments", capacity);
    master->rows = rows;
    master->capacity = capacity;
    return NB_OK;
}

static bool has_control(nb_span line, const char **at)
{
    for (size_t i = 0; i < line.size_bytes; i++) {
        unsigned char c = (unsigned char)line.data[i];
        if (c < 0x20 || c == 0x7F) {
            *at = line.data + i;
            return true;
        }
    }
    return false;
}

static nb_err read_line(reader *r, nb_span line, nb__master *master)
{
    const char *at;
    if (has_control(line, &at))
        return fail(r, at, "a control character");
    nb_err err = make_room(r, line.data, master);
    if (err == NB_OK)
        err = r->file == NB__MASTER_INDEX ? split_bars(r, line) : split_fixed(r, line);
    if (err != NB_OK)
        return err;
    r->row = &master->rows[master->count];
    err = read_row(r);
    if (err == NB_OK)
        master->count++;
    return err;
}

/* Takes one line off `rest`, without its LF or CRLF. */
static nb_span next_line(nb_span *rest)
{
    const char *eol = memchr(rest->data, '\n', rest->size_bytes);
    size_t size = eol == NULL ? rest->size_bytes : (size_t)(eol - rest->data);
    nb_span line = {rest->data, size};
    size_t taken = eol == NULL ? size : size + 1;
    *rest = (nb_span){rest->data + taken, rest->size_bytes - taken};
    if (line.size_bytes > 0 && line.data[line.size_bytes - 1] == '\r')
        line.size_bytes--;
    return line;
}

nb_err nb__master_parse(nb__master_kind kind, nb_span text, nb__master *master, nb_error *error)
{
    reader r = {.file = kind, .error = error, .start = text.data};
    size_t count_before = master->count;
    nb_err err = NB_OK;
    while (err == NB_OK && text.size_bytes > 0) {
        nb_span line = next_line(&text);
        r.line_number++;
        if (line.size_bytes > 0)
            err = read_line(&r, line, master);
    }
    if (err == NB_OK && master->count == count_before)
        err = nb__fail(error, NB_E_MASTER, 0, "%s has no rows", nb__master_file_name(kind));
    if (err != NB_OK)
        master->count = count_before;
    nb__cp949_fini(&r.cp949);
    return err;
}
