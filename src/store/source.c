/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plain bytes of a segment's file, plain or packed, as far as they can be had. Of a packed file
 * a zstd frame that cannot be had is a piece without bytes; when the seek table is lost, frames are
 * looked for one behind the other, and what lies between them is such a piece.
 */
#include "care.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define PIECE_BYTES ((size_t)1 << 20)
#define WINDOW_SMALL ((size_t)4 << 20) /* holds most frames */
#define WINDOW_LARGE (NB__PACKED_PLAIN_MAX + ((size_t)1 << 20))
#define INDEX_BYTES_MAX ((size_t)128 << 20)
#define MAGIC_BYTES 4
#define TRIES_MAX 1000 /* places that look like a frame and are none: chance makes one in 4 GiB */
#define ZSTD_MAGIC "\x28\xB5\x2F\xFD"
#define INDEX_MAGIC "\x5B\x2A\x4D\x18"
#define TABLE_MAGIC "\x5E\x2A\x4D\x18"
#define SKIPPABLE_HEAD_BYTES 8
#define INDEX_WORD "NBINDEX1"

static nb_err fail_memory(nb_error *error)
{
    return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
}

/* Up to `size_bytes`; at the file's end less. */
static nb_err read_some(source *s, uint64_t offset_bytes, size_t size_bytes, nb_error *error)
{
    nb__text_clear(&s->raw);
    char *to = nb__text_reserve(&s->raw, size_bytes);
    if (to == NULL)
        return fail_memory(error);
    nb_err err = nb__disk_read_at(s->fd, offset_bytes, to, size_bytes, &s->raw.size_bytes, error);
    if (err != NB_OK)
        s->raw.size_bytes = 0;
    return err;
}

nb_err source_raw(source *s, uint64_t offset_bytes, uint64_t size_bytes, nb_error *error)
{
    if (offset_bytes > s->file_bytes || size_bytes > s->file_bytes - offset_bytes)
        return nb__fail(error, NB_E_FRAME, 0, "it is cut");
    nb_err err = read_some(s, offset_bytes, (size_t)size_bytes, error);
    return err == NB_OK && s->raw.size_bytes < size_bytes
               ? nb__fail(error, NB_E_FRAME, 0, "the file became shorter")
               : err;
}

/* ---- places: by seek table and index ---- */

static nb_err read_table(source *s, size_t *table_bytes, size_t *index_bytes, nb_error *error)
{
    if (s->file_bytes < NB__PACKED_FOOTER_BYTES)
        return nb__fail(error, NB_E_FRAME, 0, "no seek table: it is too short");
    nb_err err =
        source_raw(s, s->file_bytes - NB__PACKED_FOOTER_BYTES, NB__PACKED_FOOTER_BYTES, error);
    if (err == NB_OK)
        err = nb__packed_footer(nb__text_view(&s->raw), table_bytes, error);
    if (err == NB_OK && *table_bytes > s->file_bytes)
        err = nb__fail(error, NB_E_FRAME, 0, "its seek table is larger than the file");
    if (err == NB_OK)
        err = source_raw(s, s->file_bytes - *table_bytes, *table_bytes, error);
    return err == NB_OK ? nb__packed_seek_table(nb__text_view(&s->raw), s->file_bytes, &s->packed,
                                                index_bytes, error)
                        : err;
}

static nb_err read_index(source *s, nb__packed *packed, uint64_t end, size_t index_bytes,
                         nb_error *error)
{
    if (index_bytes == 0)
        return nb__fail(error, NB_E_FRAME, 0, "it has no index");
    if (index_bytes > INDEX_BYTES_MAX)
        return nb__fail(error, NB_E_FRAME, 0, "its index is larger than any");
    nb_err err = source_raw(s, end - index_bytes, index_bytes, error);
    return err == NB_OK ? nb__packed_index(packed, nb__text_view(&s->raw), error) : err;
}

/* ---- places: frame after frame ---- */

typedef struct walk {
    source *s;
    nb__packed packed;
    size_t capacity;
    uint64_t index_offset, index_bytes;
    unsigned tries;
    bool has_lost; /* bytes that may have been frames */
} walk;

static nb_err add_row(walk *w, uint64_t offset, uint64_t size, uint64_t plain_bytes,
                      nb_error *error)
{
    nb__packed *packed = &w->packed;
    if (packed->row_count == w->capacity) {
        size_t capacity = w->capacity == 0 ? 64 : w->capacity * 2;
        nb__packed_row *rows = realloc(packed->rows, capacity * sizeof *rows);
        if (rows == NULL)
            return fail_memory(error);
        packed->rows = rows;
        w->capacity = capacity;
    }
    packed->rows[packed->row_count++] = (nb__packed_row){.packed_offset = offset,
                                                         .packed_bytes = size,
                                                         .plain_offset = packed->plain_bytes,
                                                         .plain_bytes = plain_bytes};
    packed->plain_bytes += plain_bytes;
    return NB_OK;
}

/* A skippable frame of ours: the index by its word, the seek table by its place. */
static bool is_ours(const walk *w, nb_span frame, uint64_t at)
{
    bool has_word =
        frame.size_bytes >= SKIPPABLE_HEAD_BYTES + sizeof INDEX_WORD - 1 &&
        memcmp(frame.data + SKIPPABLE_HEAD_BYTES, INDEX_WORD, sizeof INDEX_WORD - 1) == 0;
    return has_word || at + frame.size_bytes == w->s->file_bytes;
}

/* Whether a whole frame begins at the front of `bytes`: of zstd, with plain text, or of ours. */
static bool is_frame(walk *w, nb_span bytes, uint64_t at, size_t *size_bytes, bool *is_skippable)
{
    if (nb__packed_frame_size(bytes, size_bytes, is_skippable, NULL) != NB_OK)
        return false;
    nb_span frame = {bytes.data, *size_bytes};
    return *is_skippable ? is_ours(w, frame, at)
                         : nb__unpack_frame(w->s->unpack, frame, &w->s->plain, NULL) == NB_OK;
}

static bool begins_frame(const char *at)
{
    return memcmp(at, ZSTD_MAGIC, MAGIC_BYTES) == 0 || memcmp(at, INDEX_MAGIC, MAGIC_BYTES) == 0 ||
           memcmp(at, TABLE_MAGIC, MAGIC_BYTES) == 0;
}

/* A frame that begins at `at`, in a window that is large enough for it. */
static bool try_frame(walk *w, uint64_t at, size_t *size_bytes, bool *is_skippable)
{
    if (read_some(w->s, at, WINDOW_SMALL, NULL) != NB_OK)
        return false;
    if (is_frame(w, nb__text_view(&w->s->raw), at, size_bytes, is_skippable))
        return true;
    return w->s->raw.size_bytes == WINDOW_SMALL && begins_frame(w->s->raw.data) &&
           read_some(w->s, at, WINDOW_LARGE, NULL) == NB_OK &&
           is_frame(w, nb__text_view(&w->s->raw), at, size_bytes, is_skippable);
}

/* Where a frame may begin, behind `at`; the file's end: nowhere. */
static uint64_t next_magic(walk *w, uint64_t at)
{
    for (at++; at < w->s->file_bytes; at += WINDOW_SMALL - (MAGIC_BYTES - 1)) {
        if (read_some(w->s, at, WINDOW_SMALL, NULL) != NB_OK)
            continue; /* sectors that cannot be read */
        for (size_t i = 0; i + MAGIC_BYTES <= w->s->raw.size_bytes; i++)
            if (begins_frame(w->s->raw.data + i))
                return at + i;
    }
    return w->s->file_bytes;
}

/* The next frame from `*at` on; `*at` becomes its place. @return false: none. */
static bool find_frame(walk *w, uint64_t *at, size_t *size_bytes, bool *is_skippable)
{
    for (uint64_t from = *at; from < w->s->file_bytes && w->tries < TRIES_MAX; w->tries++) {
        if (try_frame(w, from, size_bytes, is_skippable)) {
            *at = from;
            return true;
        }
        from = next_magic(w, from);
    }
    return false;
}

static nb_err walk_frames(walk *w, nb_error *error)
{
    uint64_t at = 0;
    while (at < w->s->file_bytes) {
        uint64_t found = at;
        size_t size = 0;
        bool is_skippable = false, has_found = find_frame(w, &found, &size, &is_skippable);
        uint64_t lost_end = has_found ? found : w->s->file_bytes;
        nb_err err = lost_end > at ? add_row(w, at, lost_end - at, 0, error) : NB_OK;
        if (err == NB_OK && has_found && !is_skippable)
            err = add_row(w, found, size, w->s->plain.size_bytes, error);
        if (err != NB_OK)
            return err;
        w->has_lost |= lost_end > at && !(w->index_bytes > 0 && !has_found);
        if (has_found && is_skippable && found + size < w->s->file_bytes) {
            w->index_offset = found;
            w->index_bytes = size;
        }
        at = lost_end + size;
    }
    return NB_OK;
}

/* What stands behind the index when the seek table is cut or damaged is no text. */
static void forget_tail(walk *w)
{
    nb__packed *packed = &w->packed;
    const nb__packed_row *last =
        packed->row_count == 0 ? NULL : &packed->rows[packed->row_count - 1];
    if (last != NULL && w->index_bytes > 0 && last->plain_bytes == 0 &&
        last->packed_offset > w->index_offset)
        packed->row_count--;
}

/* Places by the frames themselves, when seek table or index cannot be used. They count when the
 * index bears them out, or when no frame is missing; else a seek table that is good in itself. */
static nb_err find_places(source *s, nb_error *error)
{
    walk w = {.s = s};
    nb_error index_error = {0};
    nb_err err = walk_frames(&w, error);
    forget_tail(&w);
    if (err == NB_OK)
        err = read_index(s, &w.packed, w.index_offset + w.index_bytes, (size_t)w.index_bytes,
                         &index_error);
    if (err == NB_E_MEMORY) {
        nb__packed_fini(&w.packed);
        return fail_memory(error);
    }
    bool has_table = s->table_error.code == NB_OK;
    if (has_table && w.has_lost && !w.packed.has_index) {
        nb__packed_fini(&w.packed);
        return NB_OK;
    }
    if (has_table && w.packed.has_index)
        nb__fail(&s->table_error, NB_E_FRAME, 0, "it says other sizes than the frames have");
    s->index_error = index_error;
    nb__packed_fini(&s->packed);
    s->packed = w.packed;
    return NB_OK;
}

static nb_err open_packed(source *s, nb_error *error)
{
    size_t table_bytes = 0, index_bytes = 0;
    s->unpack = nb__unpack_new();
    if (s->unpack == NULL)
        return fail_memory(error);
    nb_err err = read_table(s, &table_bytes, &index_bytes, &s->table_error);
    if (err == NB_OK)
        err = read_index(s, &s->packed, s->file_bytes - table_bytes, index_bytes, &s->index_error);
    if (err != NB_OK && err != NB_E_MEMORY)
        err = find_places(s, error);
    if (err == NB_E_MEMORY)
        return fail_memory(error);
    s->is_lost = calloc(s->packed.row_count + 1, sizeof *s->is_lost);
    if (s->is_lost == NULL)
        return fail_memory(error);
    s->plain_bytes = s->packed.plain_bytes;
    return NB_OK;
}

nb_err source_open(const char *path, bool is_packed, source *out, nb_error *error)
{
    source s = {.is_packed = is_packed};
    nb_err err = nb__disk_open(path, &s.fd, &s.file_bytes, error);
    if (err != NB_OK)
        return err;
    s.plain_bytes = s.file_bytes;
    err = is_packed ? open_packed(&s, error) : NB_OK;
    if (err != NB_OK) {
        source_close(&s);
        return err;
    }
    *out = s;
    return NB_OK;
}

void source_close(source *s)
{
    nb__disk_close(s->fd);
    nb__packed_fini(&s->packed);
    nb__unpack_free(s->unpack);
    nb__text_fini(&s->raw);
    nb__text_fini(&s->plain);
    free(s->is_lost);
    *s = (source){.fd = -1};
}

/* ---- bytes ---- */

/* The row's plain text into `plain`. */
static nb_err unpack_row(source *s, const nb__packed_row *row, nb_error *error)
{
    if (row->packed_bytes > WINDOW_LARGE)
        return nb__fail(error, NB_E_FRAME, 0, "it is larger than any");
    nb_err err = source_raw(s, row->packed_offset, row->packed_bytes, error);
    if (err == NB_OK)
        err = nb__unpack_frame(s->unpack, nb__text_view(&s->raw), &s->plain, error);
    if (err != NB_OK)
        return err;
    if (s->plain.size_bytes != row->plain_bytes)
        return nb__fail(error, NB_E_FRAME, 0, "it holds %zu bytes, not %" PRIu64,
                        s->plain.size_bytes, row->plain_bytes);
    if (s->packed.has_index && XXH3_64bits(s->raw.data, s->raw.size_bytes) != row->packed_xxh3)
        return nb__fail(error, NB_E_FRAME, 0, "it is not the frame that was packed");
    return NB_OK;
}

static nb_err each_row(source *s, source_take *take, void *self, nb_error *error)
{
    s->lost_frames = 0;
    for (size_t i = 0; i < s->packed.row_count; i++) {
        const nb__packed_row *row = &s->packed.rows[i];
        nb_error why = {0};
        nb_err err = unpack_row(s, row, &why);
        if (err == NB_E_MEMORY)
            return fail_memory(error);
        s->is_lost[i] = err != NB_OK;
        s->lost_frames += err != NB_OK;
        piece one = {.offset_bytes = row->plain_offset,
                     .size_bytes = row->plain_bytes,
                     .row_index = i,
                     .words = why.detail};
        if (err == NB_OK)
            one.bytes = nb__text_view(&s->plain);
        err = take(self, &one, error);
        if (err != NB_OK)
            return err;
    }
    return NB_OK;
}

static nb_err each_piece(source *s, source_take *take, void *self, nb_error *error)
{
    for (uint64_t at = 0; at < s->plain_bytes;) {
        uint64_t left = s->plain_bytes - at;
        nb_err err = source_raw(s, at, left < PIECE_BYTES ? left : PIECE_BYTES, error);
        if (err != NB_OK) {
            if (error != NULL)
                error->offset_bytes = (size_t)at;
            return err == NB_E_MEMORY ? err : NB_E_SYSTEM;
        }
        piece one = {
            .offset_bytes = at, .size_bytes = s->raw.size_bytes, .bytes = nb__text_view(&s->raw)};
        at += one.size_bytes;
        err = take(self, &one, error);
        if (err != NB_OK)
            return err;
    }
    return NB_OK;
}

nb_err source_each(source *s, source_take *take, void *self, nb_error *error)
{
    return s->is_packed ? each_row(s, take, self, error) : each_piece(s, take, self, error);
}
