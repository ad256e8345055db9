/* SPDX-License-Identifier: Apache-2.0 */
/* A packed segment's places and times: from the index at its end, or frame by frame where that is
 * damaged; and what its marks tell of who was up before a row. */
#include "reading.h"
#include <stdlib.h>
#include <string.h>

#define TAIL_MAX ((uint64_t)64 << 20) /* of seek table and index: more is none of ours */
#define WALK_MAX ((uint64_t)2 << 30)  /* a file without a seek table is held whole */
#define ZSTD_MAGIC_BYTES "\x28\xB5\x2F\xFD"

static nb_err fail_memory(nb_error *error)
{
    return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
}

/* ---- bytes of a file ---- */

nb_err read_bytes(int fd, uint64_t offset_bytes, size_t size_bytes, nb__text *out,
                  nb__recording_counters *counters, nb_error *error)
{
    size_t size;
    nb__text_clear(out);
    char *to = nb__text_reserve(out, size_bytes);
    if (to == NULL)
        return fail_memory(error);
    nb_err err = nb__disk_read_at(fd, offset_bytes, to, size_bytes, &size, error);
    if (err != NB_OK)
        return err;
    out->size_bytes = size;
    counters->bytes_read += size;
    return size == size_bytes ? NB_OK
                              : nb__fail(error, NB_E_JOURNAL, 0, "the file is shorter than it was");
}

/* ---- a packed segment's places ---- */

/* Seek table and index from the file's end. @retval NB_E_FRAME  No seek table. */
static nb_err read_tail(int fd, uint64_t file_bytes, block *b, nb__packed *packed,
                        nb__recording_counters *counters, nb_error *index_error, nb_error *error)
{
    size_t table_bytes, index_bytes;
    if (file_bytes < NB__PACKED_FOOTER_BYTES)
        return nb__fail(error, NB_E_FRAME, 0, "it has no seek table");
    nb_err err = read_bytes(fd, file_bytes - NB__PACKED_FOOTER_BYTES, NB__PACKED_FOOTER_BYTES,
                            &b->file, counters, error);
    if (err == NB_OK)
        err = nb__packed_footer(nb__text_view(&b->file), &table_bytes, error);
    if (err == NB_OK && (table_bytes > file_bytes || table_bytes > TAIL_MAX))
        err = nb__fail(error, NB_E_FRAME, 0, "its seek table is larger than the file");
    if (err == NB_OK)
        err = read_bytes(fd, file_bytes - table_bytes, table_bytes, &b->file, counters, error);
    if (err == NB_OK)
        err =
            nb__packed_seek_table(nb__text_view(&b->file), file_bytes, packed, &index_bytes, error);
    if (err != NB_OK)
        return err;
    nb_err index_err = NB_E_FRAME;
    if (index_bytes == 0 || index_bytes > TAIL_MAX)
        nb__fail(index_error, NB_E_FRAME, 0, "it has no index");
    else
        index_err = read_bytes(fd, file_bytes - table_bytes - index_bytes, index_bytes, &b->file,
                               counters, index_error);
    if (index_err == NB_OK)
        nb__packed_index(packed, nb__text_view(&b->file), index_error);
    return NB_OK;
}

static bool add_row(nb__packed *packed, size_t *capacity, uint64_t offset_bytes, size_t size_bytes)
{
    if (packed->row_count == *capacity) {
        size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
        nb__packed_row *rows = realloc(packed->rows, wanted * sizeof *rows);
        if (rows == NULL)
            return false;
        packed->rows = rows;
        *capacity = wanted;
    }
    packed->rows[packed->row_count++] = (nb__packed_row){.packed_offset = offset_bytes,
                                                         .packed_bytes = size_bytes,
                                                         .recv_min_ns = INT64_MIN,
                                                         .recv_max_ns = INT64_MAX,
                                                         .session_min_ns = INT64_MIN,
                                                         .session_max_ns = INT64_MAX};
    return true;
}

/* Where the next zstd frame may begin; the end when there is none. */
static size_t next_magic(nb_span bytes, size_t at)
{
    const char *found = at >= bytes.size_bytes
                            ? NULL
                            : memmem(bytes.data + at, bytes.size_bytes - at, ZSTD_MAGIC_BYTES,
                                     sizeof ZSTD_MAGIC_BYTES - 1);
    return found == NULL ? bytes.size_bytes : (size_t)(found - bytes.data);
}

/* The rows of a file whose seek table is lost: frame after frame. What is none becomes a row too,
 * up to where a frame may begin: reading it tells of the damage. */
static nb_err walk_frames(int fd, uint64_t file_bytes, block *b, nb__packed *packed,
                          nb__recording_counters *counters, nb_error *error)
{
    size_t capacity = 0, at = 0;
    if (file_bytes > WALK_MAX)
        return nb__fail(error, NB_E_JOURNAL, 0, "it has no seek table, and is too large to search");
    nb_err err = read_bytes(fd, 0, (size_t)file_bytes, &b->file, counters, error);
    nb_span bytes = nb__text_view(&b->file);
    while (err == NB_OK && at < bytes.size_bytes) {
        size_t size;
        bool is_skippable = false;
        nb_span rest = {bytes.data + at, bytes.size_bytes - at};
        if (nb__packed_frame_size(rest, &size, &is_skippable, NULL) != NB_OK)
            size = next_magic(bytes, at + 1) - at;
        if (!is_skippable && !add_row(packed, &capacity, at, size))
            err = fail_memory(error);
        at += size;
    }
    return err;
}

nb_err read_packed(const nb__segment *segment, block *b, nb__packed *packed,
                   nb__recording_counters *counters, nb_error *trouble, nb_error *error)
{
    char path[NB__STORE_PATH_MAX];
    int fd;
    uint64_t size_bytes;
    nb__segment_path(segment, true, path);
    nb_err err = nb__disk_open(path, &fd, &size_bytes, error);
    if (err != NB_OK)
        return err;
    nb_error why = {0}, tail_error = {0};
    err = read_tail(fd, size_bytes, b, packed, counters, &why, &tail_error);
    if (err == NB_E_FRAME) {
        why = tail_error;
        err = walk_frames(fd, size_bytes, b, packed, counters, &tail_error);
    }
    nb__disk_close(fd);
    if (err != NB_OK) {
        nb__packed_fini(packed);
        return nb__fail(error, err, 0, "%s", tail_error.detail);
    }
    if (why.code != NB_OK)
        nb__fail(trouble, NB_E_JOURNAL, 0,
                 "its index cannot be used (%.100s): every frame is read; `nightbook journal "
                 "repair` makes a new one",
                 why.detail);
    return NB_OK;
}

nb_span first_line(nb_span bytes)
{
    const char *end = bytes.size_bytes == 0 ? NULL : memchr(bytes.data, '\n', bytes.size_bytes);
    return end == NULL ? (nb_span){0} : (nb_span){bytes.data, (size_t)(end - bytes.data)};
}

/* ---- rows and the range ---- */

static bool overlaps(int64_t first_ns, int64_t last_ns, nb__recording_range range)
{
    return first_ns <= last_ns && (range.to_ns == NB_TIME_UNDEF || first_ns < range.to_ns) &&
           (range.from_ns == NB_TIME_UNDEF || last_ns >= range.from_ns);
}

bool row_is_needed(const nb__packed_row *row, bool is_live, nb__recording_range range)
{
    if (range.from_ns == NB_TIME_UNDEF && range.to_ns == NB_TIME_UNDEF)
        return true;
    return overlaps(row->session_min_ns, row->session_max_ns, range) ||
           (is_live && overlaps(row->recv_min_ns, row->recv_max_ns, range));
}

bool marks_before(const nb__packed *packed, size_t row_index, size_t *known_bytes)
{
    int64_t before_max = INT64_MIN, after_min = INT64_MAX;
    for (size_t i = 0; i < packed->row_count; i++) {
        const nb__packed_row *row = &packed->rows[i];
        if (i < row_index && row->recv_max_ns > before_max)
            before_max = row->recv_max_ns;
        if (i >= row_index && row->recv_min_ns < after_min)
            after_min = row->recv_min_ns;
    }
    bool is_certain = true, is_past = false;
    size_t at = 0;
    *known_bytes = 0;
    while (at < packed->marks_bytes) {
        nb_span line = first_line((nb_span){packed->marks + at, packed->marks_bytes - at});
        nb__journal_line mark;
        at += line.size_bytes + 1;
        if (line.data == NULL || nb__journal_line_parse(line, &mark, NULL) != NB_OK)
            return false;
        bool is_before = mark.recv_ns<after_min, is_after = mark.recv_ns> before_max;
        is_certain &= is_before != is_after && !(is_past && is_before);
        is_past |= is_after;
        if (!is_past)
            *known_bytes = at;
    }
    return is_certain;
}
