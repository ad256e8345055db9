/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: journal */
/*
 * A segment that the input writes (lines and sums of any sizes) and then damages (flipped bits,
 * bytes cut out and put in), or the input itself as a segment. Whatever it is, the check tells the
 * same in any pieces, in order, without overlaps; nothing is told of what was not damaged; and
 * where a sum is behind every damage, each one is told.
 *
 *     byte 0      0: the rest is the segment. else the script:
 *     pairs       (what, how much): 0–5 a line of so many bytes, 6 a sum
 *                 7 the script ends; the rest is groups of four bytes: how, where (2), what
 */
#include "journal/journal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

typedef struct story {
    nb__text text;
    uint64_t end;
    size_t count;
} story;

static void found(void *self, const nb__damage *damage)
{
    story *out = self;
    require(damage->offset_bytes >= out->end);
    out->end = damage->offset_bytes + damage->size_bytes;
    out->count++;
    nb__text_printf(&out->text, "%d %lu+%lu %s\n", (int)damage->kind,
                    (unsigned long)damage->offset_bytes, (unsigned long)damage->size_bytes,
                    damage->words);
}

static story tell(nb_span bytes, size_t piece_bytes, nb__journal_findings *findings)
{
    story out = {0};
    nb__journal_check *check = nb__journal_check_new(found, &out);
    nb_err err = NB_OK;
    while (err == NB_OK && bytes.size_bytes > 0) {
        size_t size = bytes.size_bytes < piece_bytes ? bytes.size_bytes : piece_bytes;
        err = nb__journal_check_feed(check, (nb_span){bytes.data, size}, NULL);
        bytes.data += size;
        bytes.size_bytes -= size;
    }
    *findings = *nb__journal_check_end(check);
    require(findings->damages == out.count && findings->proved_bytes <= findings->size_bytes);
    require(err == NB_E_VERSION || out.end <= findings->size_bytes);
    nb__text_printf(&out.text, "error %d\n", err);
    if (err == NB_OK)
        nb__text_printf(&out.text, "%lu %lu %lu %lu %lu %ld %ld %d\n",
                        (unsigned long)findings->lines, (unsigned long)findings->frames,
                        (unsigned long)findings->frame_bytes, (unsigned long)findings->sums,
                        (unsigned long)findings->proved_bytes, (long)findings->recv_first_ns,
                        (long)findings->recv_last_ns, findings->has_start);
    nb__journal_check_free(check);
    return out;
}

static void compare(nb_span bytes)
{
    nb__journal_findings findings, other;
    story whole = tell(bytes, SIZE_MAX, &findings);
    for (size_t piece = 1; piece < 200; piece = piece * 5 + 2) {
        story parts = tell(bytes, piece, &other);
        require(nb__span_equal(nb__text_view(&whole.text), nb__text_view(&parts.text)));
        nb__text_fini(&parts.text);
    }
    nb__text_fini(&whole.text);
}

static size_t write_segment(const uint8_t *data, size_t size_bytes, nb__text *out)
{
    nb__journal_writer *writer = nb__journal_writer_new();
    nb__journal_writer_line(writer, 1, 0, NB__JOURNAL_REPAIR, NB__SPAN("{}"));
    size_t at = 0;
    for (; at + 2 <= size_bytes && (data[at] & 7) != 7; at += 2) {
        size_t left = size_bytes - at, size = data[at + 1] < left ? data[at + 1] : left;
        if ((data[at] & 7) == 6)
            nb__journal_writer_sum(writer, (int64_t)at);
        else
            nb__journal_writer_line(writer, (int64_t)at, 1, NB__JOURNAL_FRAME,
                                    (nb_span){(const char *)data + at, size});
    }
    nb__journal_writer_sum(writer, 2);
    nb_span pending = nb__journal_writer_pending(writer);
    nb__text_append(out, pending.data, pending.size_bytes);
    nb__journal_writer_free(writer);
    return at;
}

static void damage_segment(const uint8_t *data, size_t size_bytes, nb__text *text)
{
    for (size_t at = 0; at + 4 <= size_bytes && text->size_bytes > 0; at += 4) {
        size_t place = (data[at + 1] * (size_t)256 + data[at + 2]) % text->size_bytes;
        size_t rest = text->size_bytes - place, cut = data[at + 3] < rest ? data[at + 3] : rest;
        if (data[at] % 3 == 0) {
            text->data[place] = (char)(text->data[place] ^ data[at + 3]);
        } else if (data[at] % 3 == 1) {
            memmove(text->data + place, text->data + place + cut, rest - cut);
            text->size_bytes -= cut;
        } else {
            char put = (char)data[at + 3];
            nb__text_append(text, "x", 1);
            memmove(text->data + place + 1, text->data + place, rest);
            text->data[place] = put;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes == 0)
        return 0;
    if (data[0] == 0) {
        compare((nb_span){(const char *)data + 1, size_bytes - 1});
        return 0;
    }
    nb__text good = {0}, bad = {0}, fenced = {0};
    size_t used = 1 + write_segment(data + 1, size_bytes - 1, &good);
    nb__journal_findings findings;
    story none = tell(nb__text_view(&good), SIZE_MAX, &findings);
    require(none.count == 0 && findings.proved_bytes == good.size_bytes);
    nb__text_append(&bad, good.data, good.size_bytes);
    damage_segment(data + used, size_bytes - used, &bad);
    compare(nb__text_view(&bad));
    /* with the good one before and behind it: what is not proved is told */
    nb__text_append(&fenced, good.data, good.size_bytes);
    nb__text_append(&fenced, bad.data, bad.size_bytes);
    nb__text_append(&fenced, good.data, good.size_bytes);
    story told = tell(nb__text_view(&fenced), SIZE_MAX, &findings);
    require(findings.proved_bytes >= 2 * good.size_bytes);
    require((findings.proved_bytes == fenced.size_bytes) == (told.count == 0));
    nb__text_fini(&told.text);
    nb__text_fini(&none.text);
    nb__text_fini(&fenced);
    nb__text_fini(&good);
    nb__text_fini(&bad);
    return 0;
}
