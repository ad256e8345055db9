/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npz in hftbacktest's event layout: one array a code, of its feed events.
 *
 *     ev u8 · exch_ts i8 · local_ts i8 · px f8 · qty f8 · order_id u8 · ival i8 · fval f8     64
 * bytes
 *
 * A record is five levels a side; the events are what changed between two records of a code, so
 * that the book they build holds at any time exactly the levels that KIS showed:
 *
 *     first record, or the link was down  ─▶  clear (both sides), then each level as a snapshot
 * event a level went                        ─▶  depth event, quantity 0 a level came, its quantity
 * or count changed  ─▶  depth event
 *
 * An array's length stands before it, and codes come mixed: events are spooled in blocks to a file
 * that has no name, and put together at the end. What cannot be said: docs/export.md.
 */
#include "inside.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_EVENTS 256
#define NPY_HEAD_BYTES 256 /* a multiple of 64, as numpy and hftbacktest align it */
#define ZIP_CHUNK_BYTES ((size_t)1 << 20)

enum { /* kinds, and bits above them */
       DEPTH_EVENT = 1,
       DEPTH_CLEAR_EVENT = 3,
       DEPTH_SNAPSHOT_EVENT = 4
};
#define EXCH_EVENT (UINT64_C(1) << 31)
#define LOCAL_EVENT (UINT64_C(1) << 30)
#define BUY_EVENT (UINT64_C(1) << 29)
#define SELL_EVENT (UINT64_C(1) << 28)

typedef struct event {
    uint64_t ev;
    int64_t exch_ts, local_ts;
    double px, qty;
    uint64_t order_id;
    int64_t ival;
    double fval;
} event;
_Static_assert(sizeof(event) == 64, "as in hftbacktest");
static const char descr[] =
    "[('ev', '<u8'), ('exch_ts', '<i8'), ('local_ts', '<i8'), ('px', '<f8'), ('qty', '<f8'), "
    "('order_id', '<u8'), ('ival', '<i8'), ('fval', '<f8')]";

typedef struct block {
    uint64_t offset_bytes;
    uint32_t events;
} block;
typedef struct array { /* of one code */
    nb_level bid[NB_LEVELS], ask[NB_LEVELS];
    bool has_book;
    event *waiting; /* BLOCK_EVENTS of them */
    uint32_t waiting_count;
    block *blocks;
    size_t block_count, block_capacity;
    uint64_t event_count;
} array;
typedef struct npz {
    nb__export_out *out;
    const nb__export_survey *survey;
    const volatile bool *stop;
    array *arrays;
    int spool;
    uint64_t spool_bytes;
    char *chunk;
    nb_error *error; /* of the call that runs: libarchive's callbacks fill it */
    nb_err code;
} npz;

/* ---- the spool ---- */

static nb_err fail_spool(int reason, nb_error *error)
{
    return nb__fail(error, NB_E_SYSTEM, 0, "the spool beside OUT: %s; nothing is left of it",
                    strerrordesc_np(reason));
}

static nb_err add_block(array *a, uint64_t offset_bytes, nb_error *error)
{
    if (a->block_count == a->block_capacity) {
        size_t capacity = a->block_capacity == 0 ? 16 : 2 * a->block_capacity;
        block *blocks = realloc(a->blocks, capacity * sizeof *blocks);
        if (blocks == NULL)
            return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
        a->blocks = blocks;
        a->block_capacity = capacity;
    }
    a->blocks[a->block_count++] = (block){offset_bytes, a->waiting_count};
    return NB_OK;
}

static nb_err spool_block(npz *n, array *a, nb_error *error)
{
    const char *at = (const char *)a->waiting;
    size_t left = a->waiting_count * sizeof(event);
    if (add_block(a, n->spool_bytes, error) != NB_OK)
        return NB_E_MEMORY;
    while (left > 0) {
        ssize_t size = pwrite(n->spool, at, left, (off_t)n->spool_bytes);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return fail_spool(size < 0 ? errno : ENOSPC, error);
        at += size;
        left -= (size_t)size;
        n->spool_bytes += (uint64_t)size;
    }
    a->waiting_count = 0;
    return NB_OK;
}

static nb_err read_block(const npz *n, const block *b, event *out, nb_error *error)
{
    char *to = (char *)out;
    size_t left = b->events * sizeof(event);
    uint64_t at = b->offset_bytes;
    while (left > 0) {
        ssize_t size = pread(n->spool, to, left, (off_t)at);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return fail_spool(size < 0 ? errno : EIO, error);
        to += size;
        at += (uint64_t)size;
        left -= (size_t)size;
    }
    return NB_OK;
}

/* ---- events of a record ---- */

typedef struct stamp {
    uint64_t bits; /* EXCH_EVENT, LOCAL_EVENT */
    int64_t exch_ts, local_ts;
} stamp;

static nb_err add_event(npz *n, array *a, const stamp *when, uint64_t kind, const nb_level *level,
                        nb_error *error)
{
    event *e = &a->waiting[a->waiting_count++];
    *e = (event){.ev = when->bits | kind, .exch_ts = when->exch_ts, .local_ts = when->local_ts};
    if (level != NULL) {
        e->px = (double)level->price / (double)NB_PRICE_ONE; /* the nearest, as of its text */
        e->qty = level->quantity;
        e->ival = level->count == NB_INT32_UNDEF ? 0 : level->count;
    }
    a->event_count++;
    return a->waiting_count < BLOCK_EVENTS ? NB_OK : spool_block(n, a, error);
}

static bool is_level(const nb_level *level)
{
    return level->price != NB_PRICE_UNDEF && level->quantity > 0; /* blank is below 0 */
}

static const nb_level *find(const nb_level side[NB_LEVELS], nb_price price)
{
    for (int i = 0; i < NB_LEVELS; i++)
        if (is_level(&side[i]) && side[i].price == price)
            return &side[i];
    return NULL;
}

static nb_err remove_gone(npz *n, array *a, const stamp *when, uint64_t side_bit,
                          const nb_level before[NB_LEVELS], const nb_level now[NB_LEVELS],
                          nb_error *error)
{
    nb_err err = NB_OK;
    for (int i = 0; i < NB_LEVELS && err == NB_OK; i++) {
        nb_level gone = {before[i].price, 0, NB_INT32_UNDEF};
        if (is_level(&before[i]) && find(now, before[i].price) == NULL)
            err = add_event(n, a, when, DEPTH_EVENT | side_bit, &gone, error);
    }
    return err;
}

static nb_err add_changed(npz *n, array *a, const stamp *when, uint64_t side_bit,
                          const nb_level *before, const nb_level now[NB_LEVELS], nb_error *error)
{
    nb_err err = NB_OK;
    uint64_t kind = before == NULL ? DEPTH_SNAPSHOT_EVENT : DEPTH_EVENT;
    for (int i = 0; i < NB_LEVELS && err == NB_OK; i++) {
        const nb_level *old = before != NULL ? find(before, now[i].price) : NULL;
        bool is_same =
            old != NULL && old->quantity == now[i].quantity && old->count == now[i].count;
        if (is_level(&now[i]) && !is_same)
            err = add_event(n, a, when, kind | side_bit, &now[i], error);
    }
    return err;
}

static nb_err write_record(void *self, const nb__export_row *row, nb_error *error)
{
    npz *n = self;
    array *a = &n->arrays[row->code_index];
    const nb_quote *q = row->quote;
    stamp when = {LOCAL_EVENT, 0, row->session_ns};
    if (row->event_ns != NB_TIME_UNDEF)
        when = (stamp){EXCH_EVENT | LOCAL_EVENT, row->event_ns, row->session_ns};
    if (a->waiting == NULL && (a->waiting = malloc(BLOCK_EVENTS * sizeof(event))) == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    bool is_new = row->is_resumed || !a->has_book;
    nb_err err = NB_OK;
    if (is_new) {
        err = add_event(n, a, &when, DEPTH_CLEAR_EVENT, NULL, error);
    } else { /* first what went, so that a book that moved is never crossed on the way */
        err = remove_gone(n, a, &when, BUY_EVENT, a->bid, q->bid, error);
        if (err == NB_OK)
            err = remove_gone(n, a, &when, SELL_EVENT, a->ask, q->ask, error);
    }
    if (err == NB_OK)
        err = add_changed(n, a, &when, BUY_EVENT, is_new ? NULL : a->bid, q->bid, error);
    if (err == NB_OK)
        err = add_changed(n, a, &when, SELL_EVENT, is_new ? NULL : a->ask, q->ask, error);
    memcpy(a->bid, q->bid, sizeof a->bid);
    memcpy(a->ask, q->ask, sizeof a->ask);
    a->has_book = true;
    return err;
}

/* ---- the archive ---- */

static void print_head(char head[NPY_HEAD_BYTES], uint64_t event_count)
{
    static const char magic[8] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0}; /* version 1.0 */
    uint16_t size = NPY_HEAD_BYTES - 10;
    memset(head, ' ', NPY_HEAD_BYTES);
    memcpy(head, magic, sizeof magic);
    memcpy(head + 8, &size, sizeof size);
    char words[NPY_HEAD_BYTES - 10];
    int length =
        snprintf(words, sizeof words, "{'descr': %s, 'fortran_order': False, 'shape': (%llu,), }",
                 descr, (unsigned long long)event_count);
    memcpy(head + 10, words, (size_t)length);
    head[NPY_HEAD_BYTES - 1] = '\n';
}

static la_ssize_t zip_write(struct archive *zip, void *self, const void *data, size_t size_bytes)
{
    npz *n = self;
    if (n->code != NB_OK)
        return (la_ssize_t)size_bytes; /* it ends at once; nothing more is written */
    n->code = nb__export_out_write(n->out, (nb_span){data, size_bytes}, n->error);
    if (n->code == NB_OK)
        return (la_ssize_t)size_bytes;
    archive_set_error(zip, EIO, "cannot be written");
    return -1;
}

static nb_err zip_failed(npz *n, struct archive *zip)
{
    if (n->code != NB_OK)
        return n->code;
    const char *reason = archive_error_string(zip);
    return nb__fail(n->error, NB_E_SYSTEM, 0, "the archive: %s", reason != NULL ? reason : "?");
}

/* Hand `size_bytes` to the archive, gathered: its deflate likes long writes. */
static nb_err zip_put(npz *n, struct archive *zip, size_t *held_bytes, const void *data,
                      size_t size_bytes, bool is_last)
{
    memcpy(n->chunk + *held_bytes, data, size_bytes);
    *held_bytes += size_bytes;
    if (!is_last && *held_bytes + BLOCK_EVENTS * sizeof(event) <= ZIP_CHUNK_BYTES)
        return NB_OK;
    la_ssize_t written = archive_write_data(zip, n->chunk, *held_bytes);
    bool is_good = written == (la_ssize_t)*held_bytes;
    *held_bytes = 0;
    return is_good ? NB_OK : zip_failed(n, zip);
}

static nb_err zip_events(npz *n, struct archive *zip, const array *a)
{
    char head[NPY_HEAD_BYTES];
    event events[BLOCK_EVENTS];
    size_t held_bytes = 0;
    print_head(head, a->event_count);
    nb_err err = zip_put(n, zip, &held_bytes, head, sizeof head,
                         a->block_count == 0 && a->waiting_count == 0);
    for (size_t i = 0; i < a->block_count && err == NB_OK; i++) {
        bool is_last = i + 1 == a->block_count && a->waiting_count == 0;
        err = read_block(n, &a->blocks[i], events, n->error);
        if (err == NB_OK && n->stop != NULL && *n->stop)
            err = nb__fail(n->error, NB_E_CLOSED, 0, "interrupted");
        if (err == NB_OK)
            err =
                zip_put(n, zip, &held_bytes, events, a->blocks[i].events * sizeof(event), is_last);
    }
    if (err == NB_OK && a->waiting_count > 0)
        err = zip_put(n, zip, &held_bytes, a->waiting, a->waiting_count * sizeof(event), true);
    return err;
}

static nb_err zip_array(npz *n, struct archive *zip, const array *a, const char *name)
{
    char path[40];
    struct archive_entry *entry = archive_entry_new();
    if (entry == NULL)
        return nb__fail(n->error, NB_E_MEMORY, 0, "memory is exhausted");
    snprintf(path, sizeof path, "%s.npy", name);
    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)(NPY_HEAD_BYTES + a->event_count * sizeof(event)));
    nb_err err =
        archive_write_header(zip, entry) == ARCHIVE_OK ? zip_events(n, zip, a) : zip_failed(n, zip);
    archive_entry_free(entry);
    return err;
}

static nb_err zip_all(npz *n, struct archive *zip)
{
    if (archive_write_set_format_zip(zip) != ARCHIVE_OK ||
        archive_write_set_format_option(zip, "zip", "compression-level", "1") != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(zip, 1) != ARCHIVE_OK ||
        archive_write_open2(zip, n, NULL, zip_write, NULL, NULL) != ARCHIVE_OK)
        return zip_failed(n, zip);
    nb_err err = NB_OK;
    const nb__export_survey *survey = n->survey;
    for (size_t i = 0; i < survey->code_count && err == NB_OK; i++)
        err = zip_array(n, zip, &n->arrays[i],
                        survey->code_count == 1 ? "data" : survey->codes[i].code);
    if (err == NB_OK && archive_write_close(zip) != ARCHIVE_OK)
        err = zip_failed(n, zip);
    return err != NB_OK ? err : n->code;
}

/* ---- the format ---- */

static void drop(void *self)
{
    npz *n = self;
    for (size_t i = 0; n->arrays != NULL && i < n->survey->code_count; i++) {
        free(n->arrays[i].waiting);
        free(n->arrays[i].blocks);
    }
    free(n->arrays);
    free(n->chunk);
    if (n->spool >= 0)
        close(n->spool);
    free(n);
}

static nb_err open_spool(npz *n, const char *beside, nb_error *error)
{
    char path[NB__STORE_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s.spool", beside);
    n->spool = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (n->spool < 0)
        return nb__fail(error, NB_E_SYSTEM, 0, "%.120s: cannot be made: %s", path,
                        strerrordesc_np(errno));
    unlink(path); /* gone with us, however we end */
    return NB_OK;
}

static nb_err open_npz(const nb__export_begin *begin, void **self, nb_error *error)
{
    npz *n = calloc(1, sizeof *n);
    if (n == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    *n = (npz){.out = begin->out,
               .survey = begin->survey,
               .stop = begin->stop,
               .arrays = calloc(begin->survey->code_count, sizeof *n->arrays),
               .chunk = malloc(ZIP_CHUNK_BYTES),
               .spool = -1};
    nb_err err = n->arrays != NULL && n->chunk != NULL
                     ? open_spool(n, begin->path, error)
                     : nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    if (err != NB_OK)
        drop(n);
    else
        *self = n;
    return err;
}

static nb_err finish(void *self, nb_error *error)
{
    npz *n = self;
    struct archive *zip = archive_write_new();
    n->error = error;
    nb_err err =
        zip != NULL ? zip_all(n, zip) : nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    if (zip != NULL && err != NB_OK) {
        n->code = err; /* freeing must not write */
        archive_write_fail(zip);
    }
    archive_write_free(zip);
    drop(n);
    return err;
}

const nb__export_format nb__export_npz = {
    .name = "npz",
    .summary = "numpy, hftbacktest's event layout: books only, an array a code",
    .needs_survey = true,
    .is_books_only = true,
    .is_compressed = true,
    .open = open_npz,
    .record = write_record,
    .close = finish,
    .drop = drop,
};
