/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of one live segment: lines as they are printed, and the sums between them.
 *
 *     taken by the caller │ pending (buffer)
 *     ────────────────────┼──────────────┬─────────────┐
 *     … sum │ lines …     │ hashed lines │ lines       │
 *                                        hashed_bytes  buffer.size_bytes
 *
 * Lines are hashed in bulk, when they are taken or a sum is due, not one by one: that is several
 * times cheaper. In the steady state nothing is allocated: the buffer keeps its size, and always
 * has room for one more sum.
 */
#include "inside.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct nb__journal_writer {
    nb__text buffer;
    size_t hashed_bytes; /* of the buffer, by `span` */
    size_t span_bytes;   /* since the last sum */
    uint64_t taken_bytes;
    XXH3_state_t *span, *whole; /* of what was hashed since the last sum; of what was taken */
    int64_t head_ns;            /* whose head is this: the next line's is often the same */
    uint32_t head_link;
    nb__journal_kind head_kind;
    size_t head_bytes;
    char head[NB__JOURNAL_HEAD_MAX];
};

nb__journal_writer *nb__journal_writer_new(void)
{
    nb__journal_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL)
        return NULL;
    writer->span = XXH3_createState();
    writer->whole = XXH3_createState();
    if (writer->span == NULL || writer->whole == NULL ||
        nb__text_reserve(&writer->buffer, NB__JOURNAL_SPAN_BYTES) == NULL) {
        nb__journal_writer_free(writer);
        return NULL;
    }
    nb__journal_writer_begin(writer);
    return writer;
}

void nb__journal_writer_free(nb__journal_writer *writer)
{
    if (writer == NULL)
        return;
    nb__text_fini(&writer->buffer);
    XXH3_freeState(writer->span);
    XXH3_freeState(writer->whole);
    free(writer);
}

void nb__journal_writer_begin(nb__journal_writer *writer)
{
    nb__text_clear(&writer->buffer);
    writer->hashed_bytes = writer->span_bytes = 0;
    writer->taken_bytes = 0;
    XXH3_64bits_reset(writer->span);
    XXH3_64bits_reset(writer->whole);
}

static void hash_span(nb__journal_writer *writer)
{
    XXH3_64bits_update(writer->span, writer->buffer.data + writer->hashed_bytes,
                       writer->buffer.size_bytes - writer->hashed_bytes);
    writer->hashed_bytes = writer->buffer.size_bytes;
}

/* Room for `size_bytes` and a sum, so that a span that a line fills can always be closed. */
static char *reserve(nb__journal_writer *writer, size_t size_bytes)
{
    char *to = nb__text_reserve(&writer->buffer, size_bytes + NB__JOURNAL_SUM_MAX);
    writer->buffer.is_failed = false; /* what it holds is whole; this line is what is lost */
    return to;
}

static void make_head(nb__journal_writer *writer, int64_t recv_ns, uint32_t link,
                      nb__journal_kind kind)
{
    if (writer->head_bytes > 0 && writer->head_ns == recv_ns && writer->head_link == link &&
        writer->head_kind == kind)
        return;
    writer->head_bytes = nb__journal_head_print(writer->head, recv_ns, link, kind);
    writer->head_ns = recv_ns;
    writer->head_link = link;
    writer->head_kind = kind;
}

bool nb__journal_writer_line(nb__journal_writer *writer, int64_t recv_ns, uint32_t link,
                             nb__journal_kind kind, nb_span payload)
{
    const size_t room = NB__JOURNAL_LINE_MAX - NB__JOURNAL_HEAD_MAX - 1;
    if (payload.size_bytes > room)
        return false;
    char *to = reserve(writer, payload.size_bytes + NB__JOURNAL_HEAD_MAX + 1);
    if (to == NULL)
        return false;
    make_head(writer, recv_ns, link, kind);
    memcpy(to, writer->head, sizeof writer->head);
    size_t size_bytes = payload.size_bytes;
    if (!nb__journal_copy_clean(payload, to + writer->head_bytes)) {
        size_bytes = nb__journal_escape(payload, NULL);
        to = size_bytes > room ? NULL : reserve(writer, size_bytes + NB__JOURNAL_HEAD_MAX + 1);
        if (to == NULL)
            return false;
        memcpy(to, writer->head, sizeof writer->head);
        nb__journal_escape(payload, to + writer->head_bytes);
    }
    size_bytes += writer->head_bytes;
    to[size_bytes++] = '\n';
    writer->buffer.size_bytes += size_bytes;
    writer->span_bytes += size_bytes;
    if (writer->span_bytes >= NB__JOURNAL_SPAN_BYTES)
        nb__journal_writer_sum(writer, recv_ns);
    return true;
}

bool nb__journal_writer_has_open_span(const nb__journal_writer *writer)
{
    return writer->span_bytes > 0;
}

void nb__journal_writer_sum(nb__journal_writer *writer, int64_t recv_ns)
{
    char *to = writer->span_bytes == 0 ? NULL : reserve(writer, 0);
    if (to == NULL)
        return;
    char head[NB__JOURNAL_HEAD_MAX], payload[NB__JOURNAL_SUM_MAX];
    size_t head_bytes = nb__journal_head_print(head, recv_ns, 0, NB__JOURNAL_SUM);
    size_t payload_bytes = nb__journal_sum_head_print(payload, writer->span_bytes);
    memcpy(to, head, head_bytes);
    memcpy(to + head_bytes, payload, payload_bytes);
    writer->buffer.size_bytes += head_bytes + payload_bytes;
    hash_span(writer);

    static const char tail[] = {'"', '}', '\n'};
    char rest[NB__JOURNAL_HEX_DIGITS + sizeof tail];
    nb__journal_hex_print(rest, XXH3_64bits_digest(writer->span));
    memcpy(rest + NB__JOURNAL_HEX_DIGITS, tail, sizeof tail);
    memcpy(to + head_bytes + payload_bytes, rest, sizeof rest);
    writer->buffer.size_bytes += sizeof rest;
    writer->hashed_bytes = writer->buffer.size_bytes;
    writer->span_bytes = 0;
    XXH3_64bits_reset(writer->span);
}

nb_span nb__journal_writer_pending(const nb__journal_writer *writer)
{
    return nb__text_view(&writer->buffer);
}

void nb__journal_writer_took(nb__journal_writer *writer)
{
    hash_span(writer);
    XXH3_64bits_update(writer->whole, writer->buffer.data, writer->buffer.size_bytes);
    writer->taken_bytes += writer->buffer.size_bytes;
    writer->hashed_bytes = 0;
    writer->buffer.size_bytes = 0;
}

void nb__journal_writer_took_some(nb__journal_writer *writer, size_t size_bytes)
{
    assert(size_bytes <= writer->buffer.size_bytes);
    XXH3_64bits_update(writer->whole, writer->buffer.data, size_bytes);
    writer->taken_bytes += size_bytes;
    nb__text_clear(&writer->buffer);
    writer->hashed_bytes = writer->span_bytes = 0;
}

uint64_t nb__journal_writer_size(const nb__journal_writer *writer)
{
    return writer->taken_bytes;
}

uint64_t nb__journal_writer_xxh3(const nb__journal_writer *writer)
{
    return XXH3_64bits_digest(writer->whole);
}
