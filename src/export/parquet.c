/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parquet: one row a record. Which columns there are, and a record's values in them; DuckDB writes
 * the file (copy.c).
 *
 * Exact: prices are DECIMAL(18,9), which is our 1e-9 integer as it is; what does not fit ends the
 * export. Not told is NULL. Columns: docs/export.md.
 */
#include "copy.h"
#include "export.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECIMAL_MOST INT64_C(999999999999999999)
#define TEXTS_MAX ((size_t)16 << 20) /* a batch with so much text goes before it is full */
#define TRS_MAX NB__COUNT_OF(((nb__export_survey *)0)->trs)

/* The fixed ones, in this order; those of the TRs and books follow. */
enum {
    AT_TR_ID,
    AT_TR_KEY,
    AT_RECV_NS,
    AT_RECV,
    AT_EVENT_NS,
    AT_EVENT,
    AT_TRADE_DATE,
    AT_FLAGS,
    AT_EXTRA,
    AT_FIELDS,
    FIXED_COLUMNS
};
static const column fixed[FIXED_COLUMNS] = {
    [AT_TR_ID] = {"tr_id", CELL_TEXT, false},           [AT_TR_KEY] = {"tr_key", CELL_TEXT, false},
    [AT_RECV_NS] = {"recv_ns", CELL_INT64, false},      [AT_RECV] = {"recv", CELL_TIME, false},
    [AT_EVENT_NS] = {"event_ns", CELL_INT64, false},    [AT_EVENT] = {"event", CELL_TIME, false},
    [AT_TRADE_DATE] = {"trade_date", CELL_INT32, true}, [AT_FLAGS] = {"flags", CELL_TEXT, false},
    [AT_EXTRA] = {"extra", CELL_TEXT, false},           [AT_FIELDS] = {"fields", CELL_TEXT, false},
};

/* Where the fields of a TR go. */
typedef struct place {
    const nb_tr *tr;
    uint16_t columns[NB_FIELDS_MAX];
} place;

typedef struct parquet {
    copy copy;
    uint32_t book_at; /* the normalised book's first column; 0: there is none */
    place places[TRS_MAX];
    size_t place_count;
} parquet;

/* ---- columns ---- */

static uint16_t add_column(parquet *p, const char *name, const char *tr_id, cell_kind kind)
{
    const char *between = "", *tail = "";
    for (uint32_t i = 0; i < p->copy.column_count; i++) {
        if (strcasecmp(p->copy.columns[i].name, name) != 0)
            continue;
        if (p->copy.columns[i].kind == kind && i >= FIXED_COLUMNS)
            return (uint16_t)i; /* the same in another TR */
        between = "_";
        tail = tr_id;
    }
    if (p->copy.column_count == COLUMNS_MAX)
        return UINT16_MAX;
    column *c = &p->copy.columns[p->copy.column_count];
    snprintf(c->name, sizeof c->name, "%.40s%s%s", name, between, tail);
    c->kind = kind;
    return (uint16_t)p->copy.column_count++;
}

static cell_kind kind_of(nb_kind kind)
{
    switch (kind) {
    case NB_KIND_PRICE:
    case NB_KIND_DECIMAL:
        return CELL_DECIMAL;
    case NB_KIND_COUNT:
    case NB_KIND_QUANTITY:
    case NB_KIND_CHANGE:
        return CELL_INT64;
    case NB_KIND_CODE:
    case NB_KIND_TIME:
    case NB_KIND_TEXT:
        break;
    }
    return CELL_TEXT;
}

static nb_err choose_columns(parquet *p, const nb__export_survey *survey, nb_error *error)
{
    bool has_book = false, is_full = false;
    memcpy(p->copy.columns, fixed, sizeof fixed);
    p->copy.column_count = FIXED_COLUMNS;
    for (size_t i = 0; i < survey->tr_count && i < TRS_MAX; i++) {
        const nb_tr *tr = survey->trs[i].tr;
        if (tr == NULL)
            continue;
        has_book |= tr->is_book;
        place *at = &p->places[p->place_count++];
        at->tr = tr;
        for (int f = 0; f < tr->field_count; f++) {
            at->columns[f] = add_column(p, tr->fields[f].name, tr->id, kind_of(tr->fields[f].kind));
            is_full |= at->columns[f] == UINT16_MAX;
        }
    }
    p->book_at = has_book ? p->copy.column_count : 0;
    for (size_t i = 0; has_book && i < nb__export_column_count; i++) {
        static const cell_kind kinds[] = {[NB__EXPORT_PRICE] = CELL_DECIMAL,
                                          [NB__EXPORT_INT32] = CELL_INT32,
                                          [NB__EXPORT_INT64] = CELL_INT64};
        is_full |= add_column(p, nb__export_columns[i].name, "",
                              kinds[nb__export_columns[i].type]) == UINT16_MAX;
    }
    return is_full ? nb__fail(error, NB_E_LIMIT, 0, "over %d columns: choose TRs with --tr",
                              COLUMNS_MAX)
                   : NB_OK;
}

/* ---- rows in ---- */

static uint64_t *has_word(parquet *p, uint32_t column_index, uint32_t row)
{
    return &p->copy.filling->columns[column_index].has[row / 64];
}

static void put_number(parquet *p, uint32_t column_index, int64_t value)
{
    uint32_t row = p->copy.filling->rows;
    p->copy.filling->columns[column_index].data.numbers[row] = value;
    *has_word(p, column_index, row) |= UINT64_C(1) << row % 64;
}

static void put_small(parquet *p, uint32_t column_index, int32_t value)
{
    uint32_t row = p->copy.filling->rows;
    p->copy.filling->columns[column_index].data.small[row] = value;
    *has_word(p, column_index, row) |= UINT64_C(1) << row % 64;
}

/* Bytes that are not UTF-8 become U+FFFD, as in jsonl. */
static void append_utf8(nb__text *texts, nb_span text)
{
    while (text.size_bytes > 0) {
        size_t valid = nb__utf8_valid_prefix(text);
        nb__text_append(texts, text.data, valid);
        if (valid < text.size_bytes) {
            nb__text_string(texts, "\xEF\xBF\xBD");
            valid++;
        }
        text.data += valid;
        text.size_bytes -= valid;
    }
}

static void put_text(parquet *p, uint32_t column_index, nb_span text)
{
    batch *b = p->copy.filling;
    size_t before = b->texts.size_bytes;
    append_utf8(&b->texts, text);
    b->columns[column_index].data.texts[b->rows] =
        (text_cell){(uint32_t)before, (uint32_t)(b->texts.size_bytes - before)};
    *has_word(p, column_index, b->rows) |= UINT64_C(1) << b->rows % 64;
}

static int32_t days_of(int date)
{
    return (int32_t)((nb__kst_ns(date, 0) + NB__KST_OFFSET_NS) / NB__NS_PER_DAY);
}

/* To the microsecond, downwards also before 1970. */
static int64_t us_of(int64_t ns)
{
    return ns / 1000 - (ns % 1000 < 0);
}

static void put_times(parquet *p, const nb__export_row *row)
{
    put_number(p, AT_RECV_NS, row->recv_ns);
    put_number(p, AT_RECV, us_of(row->recv_ns));
    if (row->event_ns != NB_TIME_UNDEF) {
        put_number(p, AT_EVENT_NS, row->event_ns);
        put_number(p, AT_EVENT, us_of(row->event_ns));
    }
    if (row->trade_date != NB_DATE_UNDEF)
        put_small(p, AT_TRADE_DATE, days_of(row->trade_date));
}

static void put_flags(parquet *p, const nb__row *row)
{
    char words[NB__ROW_FLAGS_MAX * 16];
    size_t size = 0;
    for (size_t i = 0; i < row->flag_count; i++) {
        int added =
            snprintf(words + size, sizeof words - size, i == 0 ? "%s" : " %s", row->flags[i]);
        size += (size_t)added < sizeof words - size ? (size_t)added : 0;
    }
    put_text(p, AT_FLAGS, (nb_span){words, size});
}

static nb_err put_decimal(parquet *p, uint32_t column_index, int64_t value,
                          const nb__export_row *row, nb_error *error)
{
    if (value > DECIMAL_MOST || value < -DECIMAL_MOST) {
        char number[NB_PRICE_TEXT_MAX];
        nb_price_print(number, value, 0);
        return nb__fail(error, NB_E_RANGE, 0,
                        "%s of %.*s at %" PRId64 " is %s: more than Parquet's DECIMAL(%d,%d) here "
                        "holds; csv and jsonl take it, or leave the code out with --codes",
                        p->copy.columns[column_index].name, (int)row->key.size_bytes, row->key.data,
                        row->recv_ns, number, DECIMAL_WIDTH, DECIMAL_SCALE);
    }
    put_number(p, column_index, value);
    return NB_OK;
}

static nb_err put_fields(parquet *p, const place *at, const nb__export_row *row, nb_error *error)
{
    for (int f = 0; f < at->tr->field_count; f++) {
        const nb__value *value = &row->row->values[f];
        uint32_t column_index = at->columns[f];
        nb_err err = NB_OK;
        if (value->is_undefined)
            continue;
        if (p->copy.columns[column_index].kind == CELL_TEXT)
            put_text(p, column_index, value->text);
        else if (p->copy.columns[column_index].kind == CELL_INT64)
            put_number(p, column_index, value->number);
        else
            err = put_decimal(p, column_index, value->number, row, error);
        if (err != NB_OK)
            return err;
    }
    return NB_OK;
}

static nb_err put_book(parquet *p, const nb__export_row *row, nb_error *error)
{
    const char *quote = (const char *)row->quote;
    nb_err err = NB_OK;
    for (size_t i = 0; err == NB_OK && i < nb__export_column_count; i++) {
        uint32_t column_index = p->book_at + (uint32_t)i;
        int64_t number;
        int32_t small;
        switch (nb__export_columns[i].type) {
        case NB__EXPORT_INT32:
            memcpy(&small, quote + nb__export_columns[i].quote_offset, sizeof small);
            if (small != NB_INT32_UNDEF)
                put_small(p, column_index, small);
            break;
        case NB__EXPORT_INT64:
            memcpy(&number, quote + nb__export_columns[i].quote_offset, sizeof number);
            if (number != NB_INT_UNDEF)
                put_number(p, column_index, number);
            break;
        case NB__EXPORT_PRICE:
            memcpy(&number, quote + nb__export_columns[i].quote_offset, sizeof number);
            if (number != NB_PRICE_UNDEF)
                err = put_decimal(p, column_index, number, row, error);
            break;
        }
    }
    return err;
}

static const place *place_of(const parquet *p, const nb_tr *tr)
{
    for (size_t i = 0; i < p->place_count; i++)
        if (p->places[i].tr == tr)
            return &p->places[i];
    return NULL;
}

/* ---- the whole ---- */

static void drop(void *self)
{
    parquet *p = self;
    (void)copy_close(&p->copy, true, NULL);
    free(p);
}

static nb_err open_parquet(const nb__export_begin *begin, void **self, nb_error *error)
{
    parquet *p = calloc(1, sizeof *p);
    if (p == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    nb_err err = choose_columns(p, begin->survey, error);
    if (err != NB_OK) {
        free(p);
        return err;
    }
    err = copy_open(&p->copy, begin, error);
    if (err == NB_OK)
        *self = p;
    else
        drop(p);
    return err;
}

static nb_err put_record(void *self, const nb__export_row *row, nb_error *error)
{
    parquet *p = self;
    const place *at = row->row->tr == NULL ? NULL : place_of(p, row->row->tr);
    nb_error ignored;
    error = error == NULL ? &ignored : error;
    nb_err err = p->copy.filling == NULL ? copy_take(&p->copy, error) : NB_OK;
    if (err != NB_OK)
        return err;
    put_text(p, AT_TR_ID, row->row->tr_id);
    put_text(p, AT_TR_KEY, row->key);
    put_times(p, row);
    put_flags(p, row->row);
    if (row->row->has_extra)
        put_text(p, AT_EXTRA, row->row->extra);
    if (at == NULL)
        put_text(p, AT_FIELDS, row->record);
    else
        err = put_fields(p, at, row, error);
    if (err == NB_OK && row->quote != NULL && p->book_at > 0)
        err = put_book(p, row, error);
    if (err == NB_OK && p->copy.filling->texts.is_failed)
        err = nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    if (err != NB_OK)
        return err;
    p->copy.filling->rows++;
    if (p->copy.filling->rows == ROWS || p->copy.filling->texts.size_bytes > TEXTS_MAX)
        copy_hand_over(&p->copy);
    return NB_OK;
}

static nb_err close_parquet(void *self, nb_error *error)
{
    parquet *p = self;
    if (p->copy.filling != NULL)
        copy_hand_over(&p->copy);
    nb_err err = copy_close(&p->copy, false, error);
    free(p);
    return err;
}

const nb__export_format nb__export_parquet = {
    .name = "parquet",
    .summary = "one row a record, KIS's names and normalised columns, for DuckDB, pandas, R …",
    .needs_survey = true,
    .needs_values = true,
    .writes_path = true,
    .is_compressed = true,
    .open = open_parquet,
    .record = put_record,
    .close = close_parquet,
    .drop = drop,
};
