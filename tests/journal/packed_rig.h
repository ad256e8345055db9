/* SPDX-License-Identifier: Apache-2.0 */
/** A small night, packed, and read back with every length at a guard page. */
#ifndef NB_TEST_PACKED_RIG_H
#define NB_TEST_PACKED_RIG_H

#include "guard.h"
#include "journal/journal.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define BEGIN_NS INT64_C(1795424400000000000) /* 2026-11-23 18:00 KST */
#define SIM_AHEAD_NS (INT64_C(3600) * NB__NS_PER_S)

static inline void rig_line(nb__text *out, int64_t recv_ns, uint32_t link, nb__journal_kind kind,
                            const char *payload)
{
    nb__journal_line_print(out, recv_ns, link, kind, nb__span(payload));
}

static inline void rig_start(nb__text *out, int64_t recv_ns, nb__feed_kind feed)
{
    nb__text payload = {0};
    nb__journal_start start = {.format = NB__JOURNAL_FORMAT,
                               .version = "0.1.0",
                               .host = "desk",
                               .feed = feed,
                               .night = 20261123,
                               .segment = "20261123-000001",
                               .run = "00000000000000ab"};
    nb__journal_start_print(&start, &payload);
    rig_line(out, recv_ns, 0, NB__JOURNAL_START, payload.data);
    nb__text_fini(&payload);
}

static inline void rig_connect(nb__text *out, int64_t recv_ns, uint32_t link, nb__feed_kind kind,
                               int64_t session_ns)
{
    nb__text payload = {0};
    nb__journal_connect connect = {
        .feed = "main", .address = "ws://127.0.0.1:31000", .clock = {kind, recv_ns, session_ns, 1}};
    nb__journal_connect_print(&connect, recv_ns, &payload);
    rig_line(out, recv_ns, link, NB__JOURNAL_CONNECT, payload.data);
    nb__text_fini(&payload);
}

/* Line i of a night: a frame that differs a little from the one before. */
static inline void rig_frame(nb__text *out, int64_t recv_ns, uint32_t link, unsigned i)
{
    nb__text payload = {0};
    nb__text_printf(&payload, "0|H0EUASP0|001|B01611390^1800%02u^%u.%02u^%u^0.00^7", i % 60, i % 9,
                    i % 100, i * 7 % 1000);
    rig_line(out, recv_ns, link, NB__JOURNAL_FRAME, payload.data);
    nb__text_fini(&payload);
}

/** start, connect, `frames` frames a millisecond apart. */
static inline void rig_night(nb__text *out, nb__feed_kind feed, unsigned frames)
{
    int64_t ahead_ns = feed == NB__FEED_LIVE ? 0 : SIM_AHEAD_NS;
    rig_start(out, BEGIN_NS, feed);
    rig_connect(out, BEGIN_NS + 1, 1, feed, BEGIN_NS + 1 + ahead_ns);
    for (unsigned i = 0; i < frames; i++)
        rig_frame(out, BEGIN_NS + 2 + (int64_t)i * NB__NS_PER_MS, 1, i);
}

static inline void rig_pack(nb_span plain, size_t frame_bytes, nb__text *out)
{
    nb_error error;
    nb__pack *pack = nb__pack_new(3, frame_bytes);
    assert_non_null(pack);
    assert_int_equal(nb__pack_feed(pack, plain, out, &error), NB_OK);
    assert_int_equal(nb__pack_end(pack, out, &error), NB_OK);
    assert_int_equal(nb__pack_plain_size(pack), plain.size_bytes);
    assert_int_equal(nb__pack_plain_xxh3(pack), XXH3_64bits(plain.data, plain.size_bytes));
    nb__pack_free(pack);
}

/** Footer, seek table, index of a whole file; each at its own guard page. */
static inline nb_err rig_open(nb_span file, nb__packed *packed, nb_error *error)
{
    size_t table_bytes = 0, index_bytes = 0;
    if (file.size_bytes < NB__PACKED_FOOTER_BYTES)
        return NB_E_FRAME;
    guard footer =
        guard_copy(file.data + file.size_bytes - NB__PACKED_FOOTER_BYTES, NB__PACKED_FOOTER_BYTES);
    nb_err err = nb__packed_footer((nb_span){footer.data, footer.size_bytes}, &table_bytes, error);
    guard_free(&footer);
    if (err != NB_OK || table_bytes > file.size_bytes)
        return NB_E_FRAME;
    guard table = guard_copy(file.data + file.size_bytes - table_bytes, table_bytes);
    err = nb__packed_seek_table((nb_span){table.data, table_bytes}, file.size_bytes, packed,
                                &index_bytes, error);
    guard_free(&table);
    if (err != NB_OK || index_bytes == 0)
        return NB_E_FRAME;
    assert_true(index_bytes + table_bytes <= file.size_bytes);
    guard index = guard_copy(file.data + file.size_bytes - table_bytes - index_bytes, index_bytes);
    err = nb__packed_index(packed, (nb_span){index.data, index_bytes}, error);
    guard_free(&index);
    return err;
}

/** Everything there is to prove, proved. `plain`, when not NULL, gets the whole. */
static inline bool rig_is_good(nb_span file, nb__text *plain, nb_error *error)
{
    nb__packed packed = {0};
    nb__text frame = {0}, whole = {0};
    nb__unpack *unpack = nb__unpack_new();
    assert_non_null(unpack);
    bool is_good = rig_open(file, &packed, error) == NB_OK;
    for (size_t i = 0; is_good && i < packed.row_count; i++) {
        const nb__packed_row *row = &packed.rows[i];
        assert_true(row->packed_offset + row->packed_bytes <= file.size_bytes);
        guard bytes = guard_copy(file.data + row->packed_offset, (size_t)row->packed_bytes);
        nb_span span = {bytes.data, bytes.size_bytes};
        is_good = nb__unpack_frame(unpack, span, &frame, error) == NB_OK &&
                  frame.size_bytes == row->plain_bytes &&
                  XXH3_64bits(span.data, span.size_bytes) == row->packed_xxh3;
        guard_free(&bytes);
        if (is_good)
            nb__text_append(&whole, frame.data, frame.size_bytes);
    }
    is_good = is_good && XXH3_64bits(whole.data, whole.size_bytes) == packed.plain_xxh3;
    if (is_good && plain != NULL)
        nb__text_append(plain, whole.data, whole.size_bytes);
    nb__unpack_free(unpack);
    nb__packed_fini(&packed);
    nb__text_fini(&frame);
    nb__text_fini(&whole);
    return is_good;
}

#endif
