/* SPDX-License-Identifier: Apache-2.0 */
/**
 * How the split-comparing fuzz targets read their input: one byte N & 7, that many sizes of pieces,
 * then the bytes to feed. Included after tests/ws/transcript.h.
 */
#ifndef NB_FUZZ_PIECES_H
#define NB_FUZZ_PIECES_H

static const pieces one_byte_pieces = {(const uint8_t[]){1}, 1};

static inline pieces pieces_take(const uint8_t *data, size_t size_bytes, nb_span *input)
{
    size_t count = size_bytes == 0 ? 0 : data[0] & 7;
    size_t head = size_bytes == 0 ? 0 : 1;
    if (count > size_bytes - head)
        count = size_bytes - head;
    *input = (nb_span){(const char *)data + head + count, size_bytes - head - count};
    return (pieces){data + head, count};
}

static inline void expect_equal(const nb__text *a, const nb__text *b)
{
    if (nb__span_equal(nb__text_view(a), nb__text_view(b)))
        return;
    fprintf(stderr, "whole:  %.*s\npieces: %.*s\n", (int)a->size_bytes, a->data, (int)b->size_bytes,
            b->data);
    abort();
}

#endif
