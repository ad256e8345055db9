/* SPDX-License-Identifier: Apache-2.0 */
/** A small proper segment from the writer: start, connect, spans of a few frames, stop. */
#ifndef NB_TEST_SEGMENT_H
#define NB_TEST_SEGMENT_H

#include "journal/journal.h"
#include <stdio.h>
#include <string.h>

#define SEGMENT_NS INT64_C(1795424400123456789) /* 2026-11-23T18:00:00.123456789 KST */
#define SEGMENT_SPANS_MAX 16

typedef struct segment {
    nb__text bytes;
    size_t span_ends[SEGMENT_SPANS_MAX]; /**< behind the sum line */
    size_t span_count;
    uint64_t lines, frames, frame_bytes;
} segment;

static inline void segment_take(segment *out, nb__journal_writer *writer)
{
    nb_span pending = nb__journal_writer_pending(writer);
    nb__text_append(&out->bytes, pending.data, pending.size_bytes);
    nb__journal_writer_took(writer);
}

static inline void segment_sum(segment *out, nb__journal_writer *writer, int64_t recv_ns)
{
    nb__journal_writer_sum(writer, recv_ns);
    segment_take(out, writer);
    out->span_ends[out->span_count++] = out->bytes.size_bytes;
    out->lines++;
}

static inline void segment_frame(segment *out, nb__journal_writer *writer, unsigned i)
{
    char payload[80];
    int size = snprintf(payload, sizeof payload, "0|H0EUASP0|001|B01611390^1800%02u^%u.%02u^7", i,
                        i % 9, i);
    nb__journal_writer_line(writer, SEGMENT_NS + (int64_t)i * 1000, 1, NB__JOURNAL_FRAME,
                            (nb_span){payload, (size_t)size});
    out->lines++;
    out->frames++;
    out->frame_bytes += (uint64_t)size;
}

static inline void segment_mark(segment *out, nb__journal_writer *writer, uint32_t link,
                                nb__journal_kind kind, nb__text *payload)
{
    nb__journal_writer_line(writer, SEGMENT_NS, link, kind, nb__text_view(payload));
    nb__text_clear(payload);
    out->lines++;
}

/** `spans` sums; the first span begins with start and connect, the last one ends with stop. */
static inline segment segment_make(unsigned spans, unsigned frames_a_span)
{
    segment out = {0};
    nb__text payload = {0};
    nb__journal_writer *writer = nb__journal_writer_new();
    nb__journal_start start = {.format = NB__JOURNAL_FORMAT,
                               .version = "0.1.0",
                               .host = "desk",
                               .feed = NB__FEED_LIVE,
                               .night = 20261123,
                               .segment = "20261123-000001",
                               .run = "00000000000000ab"};
    nb__journal_start_print(&start, &payload);
    segment_mark(&out, writer, 0, NB__JOURNAL_START, &payload);
    nb__journal_connect connect = {"main", "ws://127.0.0.1:31000", {NB__FEED_LIVE, 0, 0, 1}, false};
    nb__journal_connect_print(&connect, SEGMENT_NS, &payload);
    segment_mark(&out, writer, 1, NB__JOURNAL_CONNECT, &payload);
    for (unsigned i = 0; i < spans; i++) {
        for (unsigned frame = 0; frame < frames_a_span; frame++)
            segment_frame(&out, writer, i * frames_a_span + frame);
        if (i + 1 == spans) {
            nb__journal_stop_print("a test", &payload);
            segment_mark(&out, writer, 0, NB__JOURNAL_STOP, &payload);
        }
        segment_sum(&out, writer, SEGMENT_NS + (int64_t)i * NB__NS_PER_S);
    }
    nb__journal_writer_free(writer);
    nb__text_fini(&payload);
    return out;
}

#endif
