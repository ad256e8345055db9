/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DBN, version 3, schema mbp-10: the layout that databento publishes and its readers read.
 *
 *     0  "DBN" 3   4  length of what follows, a multiple of 8
 *     8  16 dataset  2 schema  8 start  8 end  8 limit  1 stype_in  1 stype_out  1 ts_out
 *        2 size of a symbol  53 reserved  4 schema definition (0)
 *     …  symbols, partial, not found: count and names each; mappings: name, count, from, to, id
 *     …  0 to the next multiple of 8, then records of 368 bytes
 *
 * All little-endian. The metadata stands first and names every code, so the recording is read
 * twice. Dates of mappings are UTC and cover the whole file: readers look a code up by the date of
 * ts_recv. What KIS sends and mbp-10 has no place for: docs/export.md.
 */
#include "inside.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 3
#define DATASET "XKRX.NIGHT"
#define DATASET_BYTES 16
#define SYMBOL_BYTES 71
#define RESERVED_BYTES 53
#define FIXED_BYTES 100
#define SCHEMA_MBP_10 2
#define STYPE_INSTRUMENT_ID 0
#define STYPE_RAW_SYMBOL 1
#define RTYPE_MBP_10 0x0A
#define PUBLISHER 0
#define DBN_LEVELS 10
#define UNDEF_TIME UINT64_MAX
#define UNDEF_SIZE UINT32_MAX
#define UNDEF_PRICE INT64_MAX

enum { /* flags of a record */
       F_LAST = 1 << 7,
       F_MBP = 1 << 4,
       F_BAD_TS_RECV = 1 << 3,
       F_MAYBE_BAD_BOOK = 1 << 2
};

typedef struct pair {
    int64_t bid_px, ask_px;
    uint32_t bid_sz, ask_sz, bid_ct, ask_ct;
} pair;
typedef struct mbp_10 {
    uint8_t length; /* in words of 4 bytes */
    uint8_t rtype;
    uint16_t publisher_id;
    uint32_t instrument_id;
    uint64_t ts_event;
    int64_t price;
    uint32_t size;
    char action, side;
    uint8_t flags, depth;
    uint64_t ts_recv;
    int32_t ts_in_delta;
    uint32_t sequence;
    pair levels[DBN_LEVELS];
} mbp_10;
_Static_assert(sizeof(pair) == 32, "as in DBN");
_Static_assert(sizeof(mbp_10) == 368 && _Alignof(mbp_10) == 8, "as in DBN");
_Static_assert(offsetof(mbp_10, price) == 16 && offsetof(mbp_10, flags) == 30 &&
                   offsetof(mbp_10, ts_recv) == 32 && offsetof(mbp_10, sequence) == 44 &&
                   offsetof(mbp_10, levels) == 48,
               "as in DBN");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "DBN is little-endian, as every desk is");
_Static_assert(NB_PRICE_UNDEF == UNDEF_PRICE, "prices are DBN's own");

typedef struct dbn {
    nb__export_out *out;
    uint32_t *ids; /* by code_index */
} dbn;

/* ---- instrument ids ---- */

/* FNV-1a of the code's bytes: the same code has the same id in every file, and anyone can tell it.
 */
static uint32_t hash_code(const char *code)
{
    uint32_t hash = UINT32_C(2166136261);
    for (; *code != '\0'; code++)
        hash = (hash ^ (uint8_t)*code) * UINT32_C(16777619);
    return hash;
}

static bool is_taken(const uint32_t *ids, size_t count, uint32_t id)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* Two codes of one hash in one file: the later one takes the next number. */
static void make_ids(const nb__export_survey *survey, uint32_t *ids)
{
    for (size_t i = 0; i < survey->code_count; i++) {
        uint32_t id = hash_code(survey->codes[i].code);
        while (id == 0 || is_taken(ids, i, id))
            id++;
        ids[i] = id;
    }
}

/* ---- metadata ---- */

static void put(nb__text *out, uint64_t value, size_t size_bytes)
{
    nb__text_append(out, &value, size_bytes);
}

static void put_name(nb__text *out, const char *name, size_t size_bytes)
{
    static const char zeros[SYMBOL_BYTES];
    size_t name_bytes = strlen(name); /* a code has 12 bytes at most, the dataset 10 */
    nb__text_append(out, name, name_bytes);
    nb__text_append(out, zeros, size_bytes - name_bytes);
}

static int utc_date(int64_t ns)
{
    if (ns < NB__KST_OFFSET_NS)
        ns = NB__KST_OFFSET_NS; /* not known, or of no recording */
    return nb__kst_civil(ns - NB__KST_OFFSET_NS).date;
}

static uint64_t time_of(int64_t ns)
{
    return ns < 0 ? UNDEF_TIME : (uint64_t)ns; /* NB_TIME_UNDEF is below 0 too */
}

static void put_mappings(nb__text *out, const nb__export_survey *survey, const uint32_t *ids)
{
    int from = utc_date(survey->session_first_ns);
    int to = nb__date_add(utc_date(survey->session_last_ns), 1);
    put(out, survey->code_count, 4);
    for (size_t i = 0; i < survey->code_count; i++) {
        char id[16];
        snprintf(id, sizeof id, "%lu", (unsigned long)ids[i]);
        put_name(out, survey->codes[i].code, SYMBOL_BYTES);
        put(out, 1, 4);
        put(out, (uint64_t)from, 4);
        put(out, (uint64_t)to, 4);
        put_name(out, id, SYMBOL_BYTES);
    }
}

static void put_metadata(nb__text *out, const nb__export_survey *survey, const uint32_t *ids)
{
    nb__text body = {0};
    put_name(&body, DATASET, DATASET_BYTES);
    put(&body, SCHEMA_MBP_10, 2);
    put(&body, time_of(survey->session_first_ns), 8);
    put(&body, time_of(survey->session_last_ns) + 1, 8); /* exclusive */
    put(&body, 0, 8);                                    /* no limit */
    put(&body, STYPE_RAW_SYMBOL, 1);
    put(&body, STYPE_INSTRUMENT_ID, 1);
    put(&body, 0, 1); /* no ts_out */
    put(&body, SYMBOL_BYTES, 2);
    put_name(&body, "", RESERVED_BYTES);
    put(&body, 0, 4); /* no schema definition */
    put(&body, survey->code_count, 4);
    for (size_t i = 0; i < survey->code_count; i++)
        put_name(&body, survey->codes[i].code, SYMBOL_BYTES);
    put(&body, 0, 4); /* partial */
    put(&body, 0, 4); /* not found */
    put_mappings(&body, survey, ids);
    while (body.size_bytes % 8 != 0 && !body.is_failed)
        put(&body, 0, 1);
    nb__text_append(out, "DBN", 3);
    put(out, VERSION, 1);
    put(out, body.size_bytes, 4);
    nb__text_append(out, body.data, body.size_bytes);
    out->is_failed |= body.is_failed;
    nb__text_fini(&body);
}

/* ---- a record ---- */

/* How long before ts_recv the exchange sent it; the clocks differ, and KIS tells whole seconds. */
static int32_t delta_of(const nb__export_row *row)
{
    int64_t delta_ns;
    if (row->event_ns == NB_TIME_UNDEF || row->session_ns == NB_TIME_UNDEF)
        return 0;
    if (__builtin_sub_overflow(row->session_ns, row->event_ns, &delta_ns))
        return row->session_ns > row->event_ns ? INT32_MAX : INT32_MIN;
    return delta_ns > INT32_MAX ? INT32_MAX : delta_ns < INT32_MIN ? INT32_MIN : (int32_t)delta_ns;
}

static uint8_t flags_of(uint32_t flags)
{
    return (uint8_t)(F_LAST | F_MBP | (flags & NB_BOOK_FAR_TIME ? F_BAD_TS_RECV : 0) |
                     (flags & NB_BOOK_CHANGE ? F_MAYBE_BAD_BOOK : 0));
}

static void put_side(const nb_level *level, int64_t *px, uint32_t *sz, uint32_t *ct)
{
    *px = level->price;
    *sz = level->quantity == NB_INT32_UNDEF ? UNDEF_SIZE : (uint32_t)level->quantity;
    *ct = level->count == NB_INT32_UNDEF ? 0 : (uint32_t)level->count;
    if (level->price == NB_PRICE_UNDEF && level->quantity == NB_INT32_UNDEF)
        *sz = 0; /* an empty level, as DBN has it */
}

static nb_err write_record(void *self, const nb__export_row *row, nb_error *error)
{
    dbn *d = self;
    mbp_10 record = {.length = sizeof record / 4,
                     .rtype = RTYPE_MBP_10,
                     .publisher_id = PUBLISHER,
                     .instrument_id = d->ids[row->code_index],
                     .ts_event = time_of(row->event_ns),
                     .price = UNDEF_PRICE,
                     .size = UNDEF_SIZE,
                     .action = 'M',
                     .side = 'N',
                     .flags = flags_of(row->flags),
                     .ts_recv = time_of(row->session_ns),
                     .ts_in_delta = delta_of(row),
                     .sequence = (uint32_t)row->frame_number};
    for (int i = 0; i < DBN_LEVELS; i++) {
        pair *levels = &record.levels[i];
        levels->bid_px = levels->ask_px = UNDEF_PRICE;
        if (i >= NB_LEVELS)
            continue;
        put_side(&row->quote->bid[i], &levels->bid_px, &levels->bid_sz, &levels->bid_ct);
        put_side(&row->quote->ask[i], &levels->ask_px, &levels->ask_sz, &levels->ask_ct);
    }
    return nb__export_out_write(d->out, (nb_span){(const char *)&record, sizeof record}, error);
}

/* ---- the format ---- */

static void drop(void *self)
{
    dbn *d = self;
    free(d->ids);
    free(d);
}

static nb_err open_dbn(const nb__export_begin *begin, void **self, nb_error *error)
{
    nb__text metadata = {0};
    nb_err err = NB_E_MEMORY;
    dbn *d = calloc(1, sizeof *d);
    uint32_t *ids = calloc(begin->survey->code_count, sizeof *ids);
    if (d != NULL && ids != NULL) {
        d->out = begin->out;
        d->ids = ids;
        make_ids(begin->survey, ids);
        put_metadata(&metadata, begin->survey, ids);
        err = metadata.is_failed ? NB_E_MEMORY : NB_OK;
    }
    if (err == NB_OK)
        err = nb__export_out_write(d->out, nb__text_view(&metadata), error);
    else
        nb__fail(error, err, 0, "no memory for the names of %zu codes", begin->survey->code_count);
    nb__text_fini(&metadata);
    if (err == NB_OK) {
        *self = d;
    } else {
        free(ids);
        free(d);
    }
    return err;
}

static nb_err finish(void *self, nb_error *error)
{
    (void)error;
    drop(self);
    return NB_OK;
}

const nb__export_format nb__export_dbn = {
    .name = "dbn",
    .summary = "databento's binary encoding, version 3, schema mbp-10: books only",
    .needs_survey = true,
    .is_books_only = true,
    .open = open_dbn,
    .record = write_record,
    .close = finish,
    .drop = drop,
};
