/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading packed segments: seek table, index, zstd frames. Every byte is hostile: each length is
 * checked against what there is before it is used, and nothing is allocated that is larger than the
 * bytes that ask for it, but for a frame's plain text, which has a limit.
 */
#include "packed.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
/* for the name of one parameter, which a shared libzstd knows too */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

static nb_err fail_frame(nb_error *error, size_t offset, const char *words)
{
    return nb__fail(error, NB_E_FRAME, offset, "%s", words);
}

static nb_err fail_memory(nb_error *error)
{
    return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
}

/* ---- seek table ---- */

nb_err nb__packed_footer(nb_span footer, size_t *seek_table_bytes, nb_error *error)
{
    if (footer.size_bytes != NB__PACKED_FOOTER_BYTES)
        return fail_frame(error, 0, "no seek table: it is too short");
    if (u32_get(footer.data + 5) != SEEKABLE_MAGIC)
        return fail_frame(error, 5, "no seek table at its end");
    if (footer.data[4] != 0)
        return fail_frame(error, 4, "its seek table is of another form");
    size_t row_count = u32_get(footer.data);
    if (row_count > NB__PACKED_ROWS_MAX + 1)
        return fail_frame(error, 0, "its seek table has too many rows");
    *seek_table_bytes = SKIPPABLE_HEAD_BYTES + row_count * SEEK_ROW_BYTES + NB__PACKED_FOOTER_BYTES;
    return NB_OK;
}

/* Magic, size and footer of the seek table say the same. */
static nb_err check_table(nb_span table, size_t *row_count, nb_error *error)
{
    size_t size = 0;
    if (table.size_bytes < SKIPPABLE_HEAD_BYTES + NB__PACKED_FOOTER_BYTES)
        return fail_frame(error, 0, "its seek table is cut");
    nb_span footer = {table.data + table.size_bytes - NB__PACKED_FOOTER_BYTES,
                      NB__PACKED_FOOTER_BYTES};
    nb_err err = nb__packed_footer(footer, &size, error);
    if (err != NB_OK)
        return err;
    if (size != table.size_bytes || u32_get(table.data) != SEEK_TABLE_MAGIC ||
        u32_get(table.data + 4) != size - SKIPPABLE_HEAD_BYTES)
        return fail_frame(error, 0, "its seek table contradicts itself");
    *row_count = u32_get(footer.data);
    return NB_OK;
}

/* Only the last row, the index, may have no plain bytes. */
static nb_err read_seek_rows(nb_span table, size_t count, nb__packed *out, nb_error *error)
{
    uint64_t packed_offset = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = SKIPPABLE_HEAD_BYTES + i * SEEK_ROW_BYTES;
        nb__packed_row row = {.packed_offset = packed_offset,
                              .packed_bytes = u32_get(table.data + at),
                              .plain_offset = out->plain_bytes,
                              .plain_bytes = u32_get(table.data + at + 4),
                              .recv_min_ns = INT64_MIN,
                              .recv_max_ns = INT64_MAX,
                              .session_min_ns = INT64_MIN,
                              .session_max_ns = INT64_MAX};
        bool is_index = row.plain_bytes == 0 && i + 1 == count;
        if (row.packed_bytes <= SKIPPABLE_HEAD_BYTES || row.plain_bytes > NB__PACKED_PLAIN_MAX ||
            (row.plain_bytes == 0 && !is_index))
            return fail_frame(error, at, "its seek table has a row that cannot be");
        packed_offset += row.packed_bytes;
        out->plain_bytes += row.plain_bytes;
        out->rows[i] = row;
    }
    return NB_OK;
}

nb_err nb__packed_seek_table(nb_span table, uint64_t file_bytes, nb__packed *out,
                             size_t *index_bytes, nb_error *error)
{
    nb__packed packed = {0};
    size_t count = 0;
    nb_err err = check_table(table, &count, error);
    if (err != NB_OK)
        return err;
    packed.rows = calloc(count + 1, sizeof *packed.rows);
    if (packed.rows == NULL)
        return fail_memory(error);
    err = read_seek_rows(table, count, &packed, error);
    const nb__packed_row *last = count > 0 ? &packed.rows[count - 1] : packed.rows;
    if (err == NB_OK && last->packed_offset + last->packed_bytes + table.size_bytes != file_bytes)
        err = fail_frame(error, 0, "its seek table is of a file of another size");
    if (err != NB_OK) {
        free(packed.rows);
        return err;
    }
    bool has_index = count > 0 && last->plain_bytes == 0;
    *index_bytes = has_index ? (size_t)last->packed_bytes : 0;
    packed.row_count = count - has_index;
    nb__packed_fini(out);
    *out = packed;
    return NB_OK;
}

/* ---- index ---- */

/* Head, sizes and hash; `content` is what the skippable frame holds. */
static nb_err check_index(nb_span content, const nb__packed *packed, nb_error *error)
{
    size_t least = INDEX_HEAD_BYTES + packed->row_count * INDEX_ROW_BYTES + INDEX_HASH_BYTES;
    if (content.size_bytes < least || memcmp(content.data, INDEX_WORD, INDEX_WORD_BYTES) != 0)
        return fail_frame(error, 0, "its index is of another form");
    if (u32_get(content.data + 8) != packed->row_count ||
        u32_get(content.data + 12) != content.size_bytes - least ||
        u64_get(content.data + 16) != packed->plain_bytes)
        return fail_frame(error, 8, "its index contradicts its seek table");
    size_t hashed = content.size_bytes - INDEX_HASH_BYTES;
    if (XXH3_64bits(content.data, hashed) != u64_get(content.data + hashed))
        return fail_frame(error, hashed, "its index is damaged");
    for (size_t i = 0; i < packed->row_count; i++) {
        size_t at = INDEX_HEAD_BYTES + i * INDEX_ROW_BYTES + 32;
        if (u64_get(content.data + at) != packed->rows[i].plain_offset)
            return fail_frame(error, at, "its index contradicts its seek table");
    }
    return NB_OK;
}

static void read_index_row(const char *at, nb__packed_row *row)
{
    row->recv_min_ns = (int64_t)u64_get(at);
    row->recv_max_ns = (int64_t)u64_get(at + 8);
    row->session_min_ns = (int64_t)u64_get(at + 16);
    row->session_max_ns = (int64_t)u64_get(at + 24);
    row->lines = u32_get(at + 40);
    row->frames = u32_get(at + 44);
    row->packed_xxh3 = u64_get(at + 48);
}

nb_err nb__packed_index(nb__packed *packed, nb_span index, nb_error *error)
{
    if (index.size_bytes < SKIPPABLE_HEAD_BYTES || u32_get(index.data) != INDEX_MAGIC ||
        u32_get(index.data + 4) != index.size_bytes - SKIPPABLE_HEAD_BYTES)
        return fail_frame(error, 0, "its index is of another form");
    nb_span content = {index.data + SKIPPABLE_HEAD_BYTES, index.size_bytes - SKIPPABLE_HEAD_BYTES};
    nb_err err = check_index(content, packed, error);
    if (err != NB_OK)
        return err;
    size_t marks_bytes = u32_get(content.data + 12);
    char *marks = malloc(marks_bytes + 1);
    if (marks == NULL)
        return fail_memory(error);
    const char *rows = content.data + INDEX_HEAD_BYTES;
    for (size_t i = 0; i < packed->row_count; i++)
        read_index_row(rows + i * INDEX_ROW_BYTES, &packed->rows[i]);
    memcpy(marks, rows + packed->row_count * INDEX_ROW_BYTES, marks_bytes);
    marks[marks_bytes] = '\0';
    free(packed->marks);
    packed->marks = marks;
    packed->marks_bytes = marks_bytes;
    packed->plain_xxh3 = u64_get(content.data + 24);
    packed->has_index = true;
    return NB_OK;
}

void nb__packed_fini(nb__packed *packed)
{
    free(packed->rows);
    free(packed->marks);
    *packed = (nb__packed){0};
}

/* ---- frames ---- */

nb_err nb__packed_frame_size(nb_span bytes, size_t *size_bytes, bool *is_skippable, nb_error *error)
{
    uint32_t magic = bytes.size_bytes >= SKIPPABLE_HEAD_BYTES ? u32_get(bytes.data) : 0;
    bool is_skipped = (magic & ~UINT32_C(0xF)) == SKIPPABLE_MAGIC;
    if (!is_skipped && magic != ZSTD_MAGIC)
        return fail_frame(error, 0, "no zstd frame begins here");
    size_t size = is_skipped ? SKIPPABLE_HEAD_BYTES + (size_t)u32_get(bytes.data + 4)
                             : ZSTD_findFrameCompressedSize(bytes.data, bytes.size_bytes);
    if ((!is_skipped && ZSTD_isError(size)) || size > bytes.size_bytes)
        return fail_frame(error, 0, "the zstd frame that begins here is damaged or cut");
    *size_bytes = size;
    *is_skippable = is_skipped;
    return NB_OK;
}

struct nb__unpack {
    ZSTD_DCtx *zstd;
};

nb__unpack *nb__unpack_new(void)
{
    nb__unpack *unpack = malloc(sizeof *unpack);
    if (unpack == NULL)
        return NULL;
    unpack->zstd = ZSTD_createDCtx();
    if (unpack->zstd == NULL) {
        free(unpack);
        return NULL;
    }
    return unpack;
}

void nb__unpack_free(nb__unpack *unpack)
{
    if (unpack == NULL)
        return;
    ZSTD_freeDCtx(unpack->zstd);
    free(unpack);
}

static nb_err unpack_frame(nb__unpack *unpack, nb_span packed, nb__text *plain, nb_error *error)
{
    size_t frame_bytes = 0;
    bool is_skippable = false;
    nb__text_clear(plain);
    nb_err err = nb__packed_frame_size(packed, &frame_bytes, &is_skippable, error);
    if (err != NB_OK)
        return err;
    if (is_skippable || frame_bytes != packed.size_bytes)
        return fail_frame(error, frame_bytes, "no single zstd frame");
    unsigned long long size = ZSTD_getFrameContentSize(packed.data, packed.size_bytes);
    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR)
        return fail_frame(error, 0, "the zstd frame does not say its size");
    if (size > NB__PACKED_PLAIN_MAX)
        return nb__fail(error, NB_E_LIMIT, 0,
                        "the zstd frame says it holds %llu bytes; more than "
                        "%zu are never packed into one",
                        size, NB__PACKED_PLAIN_MAX);
    char *to = nb__text_reserve(plain, (size_t)size);
    if (to == NULL)
        return fail_memory(error);
    size_t done =
        ZSTD_decompressDCtx(unpack->zstd, to, (size_t)size, packed.data, packed.size_bytes);
    if (ZSTD_isError(done) || done != size)
        return nb__fail(error, NB_E_FRAME, 0, "the zstd frame is damaged: %s",
                        ZSTD_isError(done) ? ZSTD_getErrorName(done) : "its size is another");
    plain->size_bytes = (size_t)size;
    to[size] = '\0';
    return NB_OK;
}

/* A libzstd that does not know the parameter computes the checksum all the same. */
static void check_or_not(nb__unpack *unpack, ZSTD_forceIgnoreChecksum_e how)
{
    (void)!ZSTD_isError(ZSTD_DCtx_setParameter(unpack->zstd, ZSTD_d_forceIgnoreChecksum, (int)how));
}

nb_err nb__unpack_frame(nb__unpack *unpack, nb_span packed, nb__text *plain, nb_error *error)
{
    check_or_not(unpack, ZSTD_d_validateChecksum);
    return unpack_frame(unpack, packed, plain, error);
}

nb_err nb__unpack_proved(nb__unpack *unpack, nb_span packed, uint64_t packed_xxh3, nb__text *plain,
                         nb_error *error)
{
    if (XXH3_64bits(packed.data, packed.size_bytes) != packed_xxh3) {
        nb__text_clear(plain);
        return fail_frame(error, 0, "the zstd frame is not the one that was packed");
    }
    check_or_not(unpack, ZSTD_d_ignoreChecksum);
    return unpack_frame(unpack, packed, plain, error);
}
