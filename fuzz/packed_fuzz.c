/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: journal base */
/* Any bytes as a packed segment: read by its seek table, and frame after frame; and any bytes as a
 * plain one: packed, and read back the same. */
#include "journal/journal.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

/* Rows lie within the file, one behind the other. */
static void check_rows(const nb__packed *packed, uint64_t file_bytes)
{
    uint64_t packed_offset = 0, plain_offset = 0;
    for (size_t i = 0; i < packed->row_count; i++) {
        const nb__packed_row *row = &packed->rows[i];
        require(row->packed_offset == packed_offset && row->plain_offset == plain_offset);
        packed_offset += row->packed_bytes;
        plain_offset += row->plain_bytes;
        require(packed_offset <= file_bytes && row->plain_bytes <= NB__PACKED_PLAIN_MAX);
    }
    require(plain_offset == packed->plain_bytes);
}

/* @return whether all of it can be had. */
static bool read_frames(nb_span file, const nb__packed *packed, nb__text *plain)
{
    nb__unpack *unpack = nb__unpack_new();
    nb__text frame = {0};
    bool is_good = true;
    require(unpack != NULL);
    for (size_t i = 0; i < packed->row_count; i++) {
        const nb__packed_row *row = &packed->rows[i];
        nb_span bytes = {file.data + row->packed_offset, (size_t)row->packed_bytes};
        is_good &= nb__unpack_frame(unpack, bytes, &frame, NULL) == NB_OK &&
                   frame.size_bytes == row->plain_bytes;
        if (is_good && plain != NULL)
            nb__text_append(plain, frame.data, frame.size_bytes);
    }
    nb__text_fini(&frame);
    nb__unpack_free(unpack);
    return is_good;
}

static bool open_packed(nb_span file, nb__packed *packed)
{
    size_t table_bytes, index_bytes;
    nb_span footer = {file.data + file.size_bytes - NB__PACKED_FOOTER_BYTES,
                      NB__PACKED_FOOTER_BYTES};
    if (file.size_bytes < NB__PACKED_FOOTER_BYTES ||
        nb__packed_footer(footer, &table_bytes, NULL) != NB_OK || table_bytes > file.size_bytes)
        return false;
    nb_span table = {file.data + file.size_bytes - table_bytes, table_bytes};
    if (nb__packed_seek_table(table, file.size_bytes, packed, &index_bytes, NULL) != NB_OK)
        return false;
    check_rows(packed, file.size_bytes);
    require(index_bytes + table_bytes <= file.size_bytes);
    nb_span index = {table.data - index_bytes, index_bytes};
    if (nb__packed_index(packed, index, NULL) == NB_OK)
        require(packed->has_index && packed->marks != NULL);
    return true;
}

static void try_packed(nb_span file)
{
    nb__packed packed = {0};
    if (open_packed(file, &packed))
        read_frames(file, &packed, NULL);
    nb__packed_fini(&packed);
    size_t at = 0, size = 0;
    bool is_skippable;
    while (at < file.size_bytes &&
           nb__packed_frame_size((nb_span){file.data + at, file.size_bytes - at}, &size,
                                 &is_skippable, NULL) == NB_OK) {
        require(size > 0 && size <= file.size_bytes - at);
        at += size;
    }
}

static void try_plain(nb_span plain, size_t frame_bytes, size_t piece_bytes)
{
    nb__pack *pack = nb__pack_new(1, frame_bytes);
    nb__text out = {0}, again = {0};
    nb__packed packed = {0};
    require(pack != NULL);
    for (size_t at = 0; at < plain.size_bytes; at += piece_bytes) {
        size_t left = plain.size_bytes - at;
        nb_span piece = {plain.data + at, left < piece_bytes ? left : piece_bytes};
        require(nb__pack_feed(pack, piece, &out, NULL) == NB_OK);
    }
    require(nb__pack_end(pack, &out, NULL) == NB_OK);
    require(open_packed(nb__text_view(&out), &packed) && packed.has_index);
    require(read_frames(nb__text_view(&out), &packed, &again));
    require(nb__span_equal(nb__text_view(&again), plain));
    require(packed.plain_xxh3 == nb__pack_plain_xxh3(pack));
    nb__packed_fini(&packed);
    nb__text_fini(&out);
    nb__text_fini(&again);
    nb__pack_free(pack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    nb_span file = {(const char *)data, size_bytes};
    try_packed(file);
    if (size_bytes >= 2)
        try_plain((nb_span){file.data + 2, size_bytes - 2}, data[0], (size_t)data[1] + 1);
    return 0;
}
