/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment again, without what is damaged.
 *
 * Invariant: each byte that was given out is hashed by `span` until a sum tells it; so what comes
 * out is valid wherever what stayed was. A sum of the original is passed on as it is when it fits;
 * when bytes that it counts were dropped, the same line tells the bytes that are left. A sum that
 * does not fit although nothing was dropped before it is damage that the caller left in: an error,
 * never a new proof.
 */
#include "inside.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SUM_TAIL "\"}\n"

struct nb__mend {
    char segment[NB__JOURNAL_NAME_BYTES];
    bool is_start_sure;       /* when it goes, it is saved */
    int64_t recv_ns;          /* of the last line that stayed */
    XXH3_state_t *span;       /* given out since the last sum */
    uint64_t span_bytes;      /* as many */
    bool has_dropped;         /* since the last sum of the original */
    bool has_line;            /* anything was given out */
    nb__text partial;         /* a line that stays, or one that goes, not whole yet */
    bool is_dropping;         /* what waits in `partial` goes */
    nb__text saved;           /* lines out of what goes */
    size_t saved_start_bytes; /* the first of them, when it is the start mark */
};

nb__mend *nb__mend_new(const char *segment, bool is_start_sure, int64_t recv_ns)
{
    nb__mend *mend = calloc(1, sizeof *mend);
    if (mend == NULL)
        return NULL;
    mend->span = XXH3_createState();
    if (mend->span == NULL ||
        !nb__span_copy(nb__span(segment), mend->segment, sizeof mend->segment)) {
        nb__mend_free(mend);
        return NULL;
    }
    mend->recv_ns = recv_ns;
    mend->is_start_sure = is_start_sure;
    XXH3_64bits_reset(mend->span);
    return mend;
}

void nb__mend_free(nb__mend *mend)
{
    if (mend == NULL)
        return;
    XXH3_freeState(mend->span);
    nb__text_fini(&mend->partial);
    nb__text_fini(&mend->saved);
    free(mend);
}

static nb_err fail_memory(nb_error *error)
{
    return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
}

static void give(nb__mend *mend, nb_span bytes, nb__text *out)
{
    nb__text_append(out, bytes.data, bytes.size_bytes);
    XXH3_64bits_update(mend->span, bytes.data, bytes.size_bytes);
    mend->span_bytes += bytes.size_bytes;
    mend->has_line |= bytes.size_bytes > 0;
}

/* ---- sums ---- */

static void span_begin(nb__mend *mend)
{
    XXH3_64bits_reset(mend->span);
    mend->span_bytes = 0;
}

/* The span ends with a sum of all that was given out since the last. */
static void give_sum(nb__mend *mend, int64_t recv_ns, nb__text *out)
{
    char head[NB__JOURNAL_HEAD_MAX], sum[NB__JOURNAL_SUM_MAX], digits[NB__JOURNAL_HEX_DIGITS];
    uint64_t size_bytes = mend->span_bytes;
    give(mend, (nb_span){head, nb__journal_head_print(head, recv_ns, 0, NB__JOURNAL_SUM)}, out);
    give(mend, (nb_span){sum, nb__journal_sum_head_print(sum, size_bytes)}, out);
    nb__journal_hex_print(digits, XXH3_64bits_digest(mend->span));
    nb__text_append(out, digits, sizeof digits);
    nb__text_string(out, SUM_TAIL);
    span_begin(mend);
}

/* `text`: a whole line of the form of a sum, with its '\n'. */
static nb_err keep_sum(nb__mend *mend, nb_span text, uint64_t size_bytes, uint64_t xxh3,
                       nb__text *out, nb_error *error)
{
    size_t hashed = text.size_bytes - NB__JOURNAL_HEX_DIGITS - (sizeof SUM_TAIL - 1);
    bool has_dropped = mend->has_dropped, fits = size_bytes == mend->span_bytes;
    mend->has_dropped = false;
    if (!fits && has_dropped) {
        give_sum(mend, mend->recv_ns, out);
        return NB_OK;
    }
    if (fits) {
        XXH3_64bits_update(mend->span, text.data, hashed);
        fits = XXH3_64bits_digest(mend->span) == xxh3;
        span_begin(mend);
    }
    if (!fits)
        return nb__fail(error, NB_E_JOURNAL, 0,
                        "a sum does not fit, and nothing was dropped before it");
    nb__text_append(out, text.data, text.size_bytes);
    return NB_OK;
}

/* ---- lines ---- */

static nb_err keep_line(nb__mend *mend, nb_span text, nb__text *out, nb_error *error)
{
    nb__journal_line line;
    uint64_t size_bytes, xxh3;
    if (nb__journal_line_parse((nb_span){text.data, text.size_bytes - 1}, &line, NULL) == NB_OK) {
        mend->recv_ns = line.recv_ns;
        if (line.kind == NB__JOURNAL_SUM && line.link == 0 &&
            nb__journal_sum_parse(line.payload, &size_bytes, &xxh3))
            return keep_sum(mend, text, size_bytes, xxh3, out, error);
    }
    give(mend, text, out);
    return NB_OK;
}

/* Only what the lines that stay cannot be read without. */
static bool is_worth_saving(const nb__mend *mend, const nb__journal_line *line)
{
    nb__journal_start start;
    nb__journal_connect connect;
    nb__journal_repair repair;
    switch (line->kind) {
    case NB__JOURNAL_START:
        return line->link == 0 && mend->is_start_sure && !mend->has_line &&
               mend->saved.size_bytes == 0 &&
               nb__journal_start_parse(line->payload, &start, NULL) == NB_OK &&
               strcmp(start.segment, mend->segment) == 0;
    case NB__JOURNAL_CONNECT:
        return line->link != 0 &&
               nb__journal_connect_parse(line->payload, line->recv_ns, &connect, NULL) == NB_OK;
    case NB__JOURNAL_REPAIR:
        return line->link == 0 && nb__journal_repair_parse(line->payload, &repair, NULL) == NB_OK;
    default:
        return false;
    }
}

static void drop_line(nb__mend *mend, nb_span text)
{
    nb__journal_line line;
    if (nb__journal_line_parse((nb_span){text.data, text.size_bytes - 1}, &line, NULL) == NB_OK &&
        is_worth_saving(mend, &line)) {
        nb__text_append(&mend->saved, text.data, text.size_bytes);
        if (line.kind == NB__JOURNAL_START)
            mend->saved_start_bytes = text.size_bytes;
    }
}

/* A line that changes sides before its end is no line on either. */
static void take_side(nb__mend *mend, bool is_dropping)
{
    if (mend->is_dropping != is_dropping)
        nb__text_clear(&mend->partial);
    mend->is_dropping = is_dropping;
}

/* The next whole line, of what waits and of `*bytes`; without data: there is none yet. */
static nb_span take_line(nb__mend *mend, nb_span *bytes)
{
    const char *end = bytes->size_bytes == 0 ? NULL : memchr(bytes->data, '\n', bytes->size_bytes);
    size_t size = end == NULL ? bytes->size_bytes : (size_t)(end - bytes->data) + 1;
    nb_span text = {bytes->data, size};
    bool is_whole_here = end != NULL && mend->partial.size_bytes == 0;
    if (!is_whole_here)
        nb__text_append(&mend->partial, bytes->data, size);
    bytes->data += size;
    bytes->size_bytes -= size;
    if (is_whole_here)
        return text;
    return end == NULL ? (nb_span){0} : nb__text_view(&mend->partial);
}

nb_err nb__mend_keep(nb__mend *mend, nb_span bytes, nb__text *out, nb_error *error)
{
    take_side(mend, false);
    while (bytes.size_bytes > 0) {
        nb_span text = take_line(mend, &bytes);
        if (mend->partial.is_failed)
            return fail_memory(error);
        if (text.data == NULL)
            break;
        nb_err err = keep_line(mend, text, out, error);
        if (err != NB_OK)
            return err;
        nb__text_clear(&mend->partial);
    }
    return out->is_failed ? fail_memory(error) : NB_OK;
}

nb_err nb__mend_drop(nb__mend *mend, nb_span bytes, nb_error *error)
{
    take_side(mend, true);
    while (bytes.size_bytes > 0) {
        nb_span text = take_line(mend, &bytes);
        if (mend->partial.is_failed)
            return fail_memory(error);
        if (text.data == NULL)
            break;
        drop_line(mend, text);
        nb__text_clear(&mend->partial);
    }
    return mend->saved.is_failed ? fail_memory(error) : NB_OK;
}

/* A segment begins with its start mark, or where that is lost with the repair. */
nb_err nb__mend_repair(nb__mend *mend, const nb__journal_repair *repair, nb__text *out,
                       nb_error *error)
{
    nb__text payload = {0}, line = {0};
    nb_span saved = nb__text_view(&mend->saved), start = {saved.data, mend->saved_start_bytes};
    nb__text_clear(&mend->partial);
    nb__journal_repair_print(repair, &payload);
    nb__journal_line_print(&line, mend->recv_ns, 0, NB__JOURNAL_REPAIR, nb__text_view(&payload));
    bool is_failed = payload.is_failed || line.is_failed;
    give(mend, start, out);
    give(mend, nb__text_view(&line), out);
    if (saved.size_bytes > start.size_bytes)
        give(mend, (nb_span){saved.data + start.size_bytes, saved.size_bytes - start.size_bytes},
             out);
    give_sum(mend, mend->recv_ns, out);
    nb__text_clear(&mend->saved);
    mend->saved_start_bytes = 0;
    mend->has_dropped = true;
    nb__text_fini(&payload);
    nb__text_fini(&line);
    return is_failed || out->is_failed ? fail_memory(error) : NB_OK;
}

nb_err nb__mend_end(nb__mend *mend, nb__text *out, nb_error *error)
{
    give(mend, nb__text_view(&mend->partial), out);
    nb__text_clear(&mend->partial);
    return out->is_failed ? fail_memory(error) : NB_OK;
}
