/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with one file of a segment: zstd frames that cannot be had, and spans and lines
 * that their sums disprove, as one list of holes.
 *
 * A lost zstd frame goes to the checker as a line of blanks of its size, so that the offsets behind
 * it stay true. What the checker finds there is no new damage: the frames around it have checksums
 * of their own.
 */
#include "care.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANK_BYTES 4096

typedef struct surveyor {
    survey *out;
    nb__journal_check *check;
    hole *lost; /* rows: their damage is told when the bytes come, the checker's later */
    size_t lost_count, lost_capacity;
    bool is_failed;
} surveyor;

static bool grow(hole **holes, size_t count, size_t *capacity)
{
    if (count < *capacity)
        return true;
    size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    hole *grown = realloc(*holes, wanted * sizeof *grown);
    if (grown == NULL)
        return false;
    *holes = grown;
    *capacity = wanted;
    return true;
}

/* Inclusive at both ends: a lost row of unknown size has none. */
static bool touches_lost(const surveyor *v, const nb__damage *damage)
{
    uint64_t begin = damage->offset_bytes, end = begin + damage->size_bytes;
    for (size_t i = v->lost_count; i-- > 0;) {
        const hole *lost = &v->lost[i];
        bool is_apart = lost->begin == lost->end || begin == end
                            ? lost->end < begin || end < lost->begin
                            : lost->end <= begin || end <= lost->begin;
        if (!is_apart)
            return true;
    }
    return false;
}

static void on_damage(void *self, const nb__damage *damage)
{
    surveyor *v = self;
    survey *out = v->out;
    if (touches_lost(v, damage))
        return;
    if (!grow(&out->holes, out->hole_count, &out->hole_capacity)) {
        v->is_failed = true;
        return;
    }
    out->holes[out->hole_count++] = (hole){.begin = damage->offset_bytes,
                                           .end = damage->offset_bytes + damage->size_bytes,
                                           .damage = *damage};
}

static nb_err feed_blanks(surveyor *v, uint64_t size_bytes, nb_error *error)
{
    char blanks[BLANK_BYTES];
    memset(blanks, ' ', sizeof blanks);
    nb_err err = NB_OK;
    while (err == NB_OK && size_bytes > 1) {
        size_t size = size_bytes - 1 < BLANK_BYTES ? (size_t)(size_bytes - 1) : BLANK_BYTES;
        err = nb__journal_check_feed(v->check, (nb_span){blanks, size}, error);
        size_bytes -= size;
    }
    return err == NB_OK && size_bytes == 1 ? nb__journal_check_feed(v->check, NB__SPAN("\n"), error)
                                           : err;
}

static nb_err take_lost(surveyor *v, const piece *one, nb_error *error)
{
    const nb__packed *packed = &v->out->source.packed;
    if (!grow(&v->lost, v->lost_count, &v->lost_capacity))
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    hole *lost = &v->lost[v->lost_count++];
    *lost = (hole){.begin = one->offset_bytes,
                   .end = one->offset_bytes + one->size_bytes,
                   .is_lost = true,
                   .row_index = one->row_index,
                   .damage = {.kind = NB__DAMAGE_SPAN,
                              .offset_bytes = one->offset_bytes,
                              .size_bytes = one->size_bytes}};
    snprintf(lost->damage.words, sizeof lost->damage.words,
             "zstd frame %zu of %zu, at byte %" PRIu64 " of the packed file: %.70s",
             one->row_index + 1, packed->row_count, packed->rows[one->row_index].packed_offset,
             one->words);
    return feed_blanks(v, one->size_bytes, error);
}

static nb_err take_piece(void *self, const piece *one, nb_error *error)
{
    surveyor *v = self;
    return one->bytes.data == NULL ? take_lost(v, one, error)
                                   : nb__journal_check_feed(v->check, one->bytes, error);
}

/* ---- the end of it ---- */

static int by_place(const void *a, const void *b)
{
    const hole *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

static bool merge_lost(surveyor *v)
{
    survey *out = v->out;
    for (size_t i = 0; i < v->lost_count; i++) {
        if (!grow(&out->holes, out->hole_count, &out->hole_capacity))
            return false;
        out->holes[out->hole_count++] = v->lost[i];
    }
    if (v->lost_count > 0)
        qsort(out->holes, out->hole_count, sizeof *out->holes, by_place);
    return true;
}

/* A start mark that is missing is no finding of its own where the bytes that held it are one. */
static void settle_start(survey *s)
{
    if (s->hole_count < 2 || s->holes[0].damage.kind != NB__DAMAGE_START || s->holes[1].begin > 0)
        return;
    s->hole_count--;
    memmove(s->holes, s->holes + 1, s->hole_count * sizeof *s->holes);
}

static void judge_packed(survey *s)
{
    const source *from = &s->source;
    bool is_whole = s->findings.size_bytes == from->packed.plain_bytes &&
                    s->findings.xxh3 == from->packed.plain_xxh3;
    if (from->table_error.code != NB_OK)
        snprintf(s->words, sizeof s->words, "the seek table: %.120s", from->table_error.detail);
    else if (from->index_error.code != NB_OK)
        snprintf(s->words, sizeof s->words, "the index: %.120s", from->index_error.detail);
    else if (from->lost_frames == 0 && !is_whole)
        snprintf(s->words, sizeof s->words, "its plain bytes are not those that were packed");
    s->is_packed_good = s->words[0] == '\0' && from->lost_frames == 0;
}

static nb_err look(surveyor *v, nb_error *error)
{
    survey *s = v->out;
    nb_err err = source_each(&s->source, take_piece, v, error);
    s->findings = *nb__journal_check_end(v->check);
    if (err == NB_OK && (v->is_failed || !merge_lost(v)))
        err = nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    if (err != NB_OK)
        return err;
    settle_start(s);
    s->findings.damages = s->hole_count;
    if (s->source.is_packed)
        judge_packed(s);
    return NB_OK;
}

nb_err survey_file(const char *path, bool is_packed, survey *out, nb_error *error)
{
    survey s = {0};
    nb_err err = source_open(path, is_packed, &s.source, error);
    if (err != NB_OK)
        return err;
    surveyor v = {.out = &s};
    v.check = nb__journal_check_new(on_damage, &v);
    err =
        v.check == NULL ? nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted") : look(&v, error);
    nb__journal_check_free(v.check);
    free(v.lost);
    if (err != NB_OK) {
        survey_fini(&s);
        return err;
    }
    *out = s;
    return NB_OK;
}

void survey_fini(survey *s)
{
    source_close(&s->source);
    free(s->holes);
    s->holes = NULL;
    s->hole_count = s->hole_capacity = 0;
}
