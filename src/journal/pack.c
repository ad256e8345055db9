/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain segment in, packed segment out.
 *
 * Invariant: `plain` holds what no zstd frame has taken yet; its first `whole_bytes` are whole
 * lines and are told in `row`, what follows is the line that is still coming:
 *
 *     | line\n | line\n | line\n | li…
 *     |<------ whole_bytes ----->|<- partial ->|
 *
 * A frame is closed before the line that would make it larger than frame_bytes. Only a line longer
 * than any may be is cut: damage must not cost memory without end.
 */
#include "packed.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#define LEVEL_MIN 1
#define LEVEL_MAX 19
#define LEVEL_LAZY_MAX 12
#define MATCH_MIN 7
#define WINDOW_LOG 23 /* a frame is one segment of zstd's: no more window than its content */

struct nb__pack {
    ZSTD_CCtx *zstd;
    XXH3_state_t *hash;
    size_t frame_bytes;
    nb__text plain;
    size_t whole_bytes;
    nb__packed_row row; /* of the frame that is coming */
    nb__packed_row *rows;
    size_t row_count, row_capacity;
    uint64_t plain_bytes; /* fed */
    nb__text marks;
    nb__journal_links links;
};

static void row_begin(nb__pack *pack)
{
    uint64_t offset = pack->row.plain_offset + pack->row.plain_bytes;
    pack->row = (nb__packed_row){.plain_offset = offset,
                                 .recv_min_ns = INT64_MAX,
                                 .recv_max_ns = INT64_MIN,
                                 .session_min_ns = INT64_MAX,
                                 .session_max_ns = INT64_MIN};
}

/* Lines repeat in long stretches: short matches cost more to read than they save. The levels that
 * weigh each match know that by themselves. */
static bool zstd_set(ZSTD_CCtx *zstd, int level)
{
    level = level < LEVEL_MIN ? LEVEL_MIN : level > LEVEL_MAX ? LEVEL_MAX : level;
    if (level <= LEVEL_LAZY_MAX &&
        ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_minMatch, MATCH_MIN)))
        return false;
    return !ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, level)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, WINDOW_LOG)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 1)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1));
}

nb__pack *nb__pack_new(int level, size_t frame_bytes)
{
    nb__pack *pack = calloc(1, sizeof *pack);
    if (pack == NULL)
        return NULL;
    pack->frame_bytes = frame_bytes == 0 ? NB__PACK_FRAME_BYTES : frame_bytes;
    if (pack->frame_bytes > NB__JOURNAL_LINE_MAX)
        pack->frame_bytes = NB__JOURNAL_LINE_MAX;
    pack->zstd = ZSTD_createCCtx();
    pack->hash = XXH3_createState();
    row_begin(pack);
    if (pack->zstd != NULL && pack->hash != NULL && zstd_set(pack->zstd, level) &&
        XXH3_64bits_reset(pack->hash) == XXH_OK)
        return pack;
    nb__pack_free(pack);
    return NULL;
}

void nb__pack_free(nb__pack *pack)
{
    if (pack == NULL)
        return;
    ZSTD_freeCCtx(pack->zstd);
    XXH3_freeState(pack->hash);
    nb__text_fini(&pack->plain);
    nb__text_fini(&pack->marks);
    nb__journal_links_fini(&pack->links);
    free(pack->rows);
    free(pack);
}

static nb_err fail_memory(nb_error *error)
{
    return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
}

/* ---- frames ---- */

static nb_err row_append(nb__pack *pack, nb_error *error)
{
    if (pack->row_count == NB__PACKED_ROWS_MAX)
        return nb__fail(error, NB_E_LIMIT, 0, "it needs more than %zu zstd frames",
                        NB__PACKED_ROWS_MAX);
    if (pack->row_count == pack->row_capacity) {
        size_t capacity = pack->row_capacity == 0 ? 64 : pack->row_capacity * 2;
        nb__packed_row *rows = realloc(pack->rows, capacity * sizeof *rows);
        if (rows == NULL)
            return fail_memory(error);
        pack->rows = rows;
        pack->row_capacity = capacity;
    }
    pack->rows[pack->row_count++] = pack->row;
    row_begin(pack);
    return NB_OK;
}

/* The first `size_bytes` of plain become a zstd frame. */
static nb_err frame_close(nb__pack *pack, size_t size_bytes, nb__text *out, nb_error *error)
{
    if (size_bytes == 0)
        return NB_OK;
    size_t room = ZSTD_compressBound(size_bytes);
    char *to = nb__text_reserve(out, room);
    if (to == NULL)
        return fail_memory(error);
    size_t packed_bytes = ZSTD_compress2(pack->zstd, to, room, pack->plain.data, size_bytes);
    if (ZSTD_isError(packed_bytes))
        return nb__fail(error, NB_E_MEMORY, 0, "zstd: %s", ZSTD_getErrorName(packed_bytes));
    out->size_bytes += packed_bytes;
    pack->row.packed_bytes = packed_bytes;
    pack->row.plain_bytes = size_bytes;
    pack->row.packed_xxh3 = XXH3_64bits(to, packed_bytes);
    pack->plain.size_bytes -= size_bytes;
    memmove(pack->plain.data, pack->plain.data + size_bytes, pack->plain.size_bytes);
    pack->whole_bytes = 0;
    return row_append(pack, error);
}

/* ---- lines ---- */

static void note_time(int64_t ns, int64_t *min_ns, int64_t *max_ns)
{
    if (ns == NB_TIME_UNDEF)
        return;
    if (ns < *min_ns)
        *min_ns = ns;
    if (ns > *max_ns)
        *max_ns = ns;
}

/* A whole line, with its '\n'. */
static nb_err note_line(nb__pack *pack, nb_span text, nb_error *error)
{
    nb__packed_row *row = &pack->row;
    nb__journal_line line;
    row->lines++;
    if (nb__journal_line_parse((nb_span){text.data, text.size_bytes - 1}, &line, NULL) != NB_OK)
        return NB_OK;
    row->frames += line.kind == NB__JOURNAL_FRAME;
    if (!nb__journal_links_note(&pack->links, &line))
        return fail_memory(error);
    note_time(line.recv_ns, &row->recv_min_ns, &row->recv_max_ns);
    note_time(nb__journal_links_session_ns(&pack->links, &line), &row->session_min_ns,
              &row->session_max_ns);
    if (line.kind != NB__JOURNAL_START && line.kind != NB__JOURNAL_CONNECT &&
        line.kind != NB__JOURNAL_REPAIR)
        return NB_OK;
    if (text.size_bytes > NB__PACKED_MARKS_MAX - pack->marks.size_bytes)
        return nb__fail(error, NB_E_LIMIT, 0,
                        "it holds more than %zu bytes of start, connect and "
                        "repair marks",
                        NB__PACKED_MARKS_MAX);
    nb__text_append(&pack->marks, text.data, text.size_bytes);
    return pack->marks.is_failed ? fail_memory(error) : NB_OK;
}

/* The line that was coming is whole. */
static nb_err line_end(nb__pack *pack, nb__text *out, nb_error *error)
{
    if (pack->plain.size_bytes > pack->frame_bytes) {
        nb_err err = frame_close(pack, pack->whole_bytes, out, error);
        if (err != NB_OK)
            return err;
    }
    size_t begin = pack->whole_bytes;
    pack->whole_bytes = pack->plain.size_bytes;
    nb_span text = {pack->plain.data + begin, pack->whole_bytes - begin};
    nb_err err = note_line(pack, text, error);
    if (err == NB_OK && pack->whole_bytes >= pack->frame_bytes)
        err = frame_close(pack, pack->whole_bytes, out, error);
    return err;
}

/* It is longer than any line: a frame before it, and one of what there is of it. */
static nb_err line_cut(nb__pack *pack, nb__text *out, nb_error *error)
{
    nb_err err = frame_close(pack, pack->whole_bytes, out, error);
    return err != NB_OK ? err : frame_close(pack, pack->plain.size_bytes, out, error);
}

nb_err nb__pack_feed(nb__pack *pack, nb_span plain, nb__text *out, nb_error *error)
{
    XXH3_64bits_update(pack->hash, plain.data, plain.size_bytes);
    pack->plain_bytes += plain.size_bytes;
    while (plain.size_bytes > 0) {
        size_t room = NB__JOURNAL_LINE_MAX - (pack->plain.size_bytes - pack->whole_bytes);
        size_t seen = plain.size_bytes < room ? plain.size_bytes : room;
        const char *end = memchr(plain.data, '\n', seen);
        size_t size = end != NULL ? (size_t)(end - plain.data) + 1 : seen;
        nb__text_append(&pack->plain, plain.data, size);
        if (pack->plain.is_failed)
            return fail_memory(error);
        plain.data += size;
        plain.size_bytes -= size;
        nb_err err = end != NULL    ? line_end(pack, out, error)
                     : size == room ? line_cut(pack, out, error)
                                    : NB_OK;
        if (err != NB_OK)
            return err;
    }
    return NB_OK;
}

/* ---- index and seek table ---- */

static void index_row_put(nb__text *out, const nb__packed_row *row)
{
    u64_put(out, (uint64_t)row->recv_min_ns);
    u64_put(out, (uint64_t)row->recv_max_ns);
    u64_put(out, (uint64_t)row->session_min_ns);
    u64_put(out, (uint64_t)row->session_max_ns);
    u64_put(out, row->plain_offset);
    u32_put(out, row->lines);
    u32_put(out, row->frames);
    u64_put(out, row->packed_xxh3);
}

/* @return its size with the skippable head. */
static size_t index_put(const nb__pack *pack, nb__text *out)
{
    size_t size = INDEX_HEAD_BYTES + pack->row_count * INDEX_ROW_BYTES + pack->marks.size_bytes +
                  INDEX_HASH_BYTES;
    u32_put(out, INDEX_MAGIC);
    u32_put(out, (uint32_t)size);
    size_t begin = out->size_bytes;
    nb__text_append(out, INDEX_WORD, INDEX_WORD_BYTES);
    u32_put(out, (uint32_t)pack->row_count);
    u32_put(out, (uint32_t)pack->marks.size_bytes);
    u64_put(out, pack->plain_bytes);
    u64_put(out, nb__pack_plain_xxh3(pack));
    for (size_t i = 0; i < pack->row_count; i++)
        index_row_put(out, &pack->rows[i]);
    nb__text_append(out, pack->marks.data, pack->marks.size_bytes);
    if (!out->is_failed)
        u64_put(out, XXH3_64bits(out->data + begin, out->size_bytes - begin));
    return SKIPPABLE_HEAD_BYTES + size;
}

static void seek_table_put(const nb__pack *pack, size_t index_bytes, nb__text *out)
{
    size_t row_count = pack->row_count + 1;
    u32_put(out, SEEK_TABLE_MAGIC);
    u32_put(out, (uint32_t)(row_count * SEEK_ROW_BYTES + NB__PACKED_FOOTER_BYTES));
    for (size_t i = 0; i < pack->row_count; i++) {
        u32_put(out, (uint32_t)pack->rows[i].packed_bytes);
        u32_put(out, (uint32_t)pack->rows[i].plain_bytes);
    }
    u32_put(out, (uint32_t)index_bytes);
    u32_put(out, 0);
    u32_put(out, (uint32_t)row_count);
    nb__text_append(out, "", 1); /* no checksums */
    u32_put(out, SEEKABLE_MAGIC);
}

nb_err nb__pack_end(nb__pack *pack, nb__text *out, nb_error *error)
{
    nb_err err = NB_OK;
    if (pack->plain.size_bytes > pack->frame_bytes) /* whole lines, then the torn one */
        err = frame_close(pack, pack->whole_bytes, out, error);
    if (err == NB_OK)
        err = frame_close(pack, pack->plain.size_bytes, out, error);
    if (err != NB_OK)
        return err;
    seek_table_put(pack, index_put(pack, out), out);
    return out->is_failed ? fail_memory(error) : NB_OK;
}

uint64_t nb__pack_plain_xxh3(const nb__pack *pack)
{
    return XXH3_64bits_digest(pack->hash);
}

uint64_t nb__pack_plain_size(const nb__pack *pack)
{
    return pack->plain_bytes;
}
