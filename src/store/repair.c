/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment without what is damaged in it:
 *
 *     kept │ damaged span │ kept │ lost zstd frame │ kept
 *     kept │ repair, sum  │ kept │ marks of the frame, as the index has them; repair, sum │ kept
 *
 * The damaged bytes are on the disk under a name of their own before anything else changes; the new
 * file is written under a temporary name, verified, and renamed. What is not damaged is passed on
 * byte for byte, but for the one sum behind a lost frame that counted bytes of it.
 */
#include "repairing.h"
#include <stdlib.h>
#include <string.h>

#define LEVEL 7           /* it is done once */
#define LOCK_NAME "/lock" /* a recorder's, in the journal's directory */

static nb_err fail_memory(nb_error *error)
{
    return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
}

/* ---- the damaged bytes aside ---- */

typedef struct keeping {
    repairing *r;
    size_t hole_index; /* the next one of plain bytes */
    aside now;
    bool is_open;
} keeping;

static nb_err keep_lost(repairing *r, size_t index, nb_error *error)
{
    const hole *one = &r->s.holes[index];
    const nb__packed_row *row = &r->s.source.packed.rows[one->row_index];
    nb_error why = {0};
    aside kept;
    nb_err err = source_raw(&r->s.source, row->packed_offset, row->packed_bytes, &why);
    if (err == NB_E_MEMORY)
        return fail_memory(error);
    if (err != NB_OK) /* sectors that cannot be read: there is nothing to keep */
        return NB_OK;
    err = aside_open(&kept, r->segment, one->begin, error);
    if (err == NB_OK)
        err = care_file_write(&kept.file, nb__text_view(&r->s.source.raw), error);
    if (err == NB_OK)
        err = aside_close(&kept, ".zst", r->kept[index], error);
    if (err != NB_OK)
        care_file_drop(&kept.file);
    return err;
}

/* Of a piece what lies within the hole that is next. */
static nb_err keep_part(keeping *k, const piece *one, nb_error *error)
{
    const hole *now = &k->r->s.holes[k->hole_index];
    uint64_t end = one->offset_bytes + one->bytes.size_bytes;
    uint64_t from = now->begin > one->offset_bytes ? now->begin : one->offset_bytes;
    uint64_t to = now->end < end ? now->end : end;
    nb_err err = NB_OK;
    if (!k->is_open) {
        err = aside_open(&k->now, k->r->segment, now->begin, error);
        k->is_open = true;
    }
    if (err == NB_OK)
        err = care_file_write(
            &k->now.file,
            (nb_span){one->bytes.data + (from - one->offset_bytes), (size_t)(to - from)}, error);
    if (err == NB_OK && to == now->end) {
        err = aside_close(&k->now, "", k->r->kept[k->hole_index], error);
        k->is_open = err != NB_OK;
        k->hole_index++;
    }
    return err;
}

static nb_err keep_piece(void *self, const piece *one, nb_error *error)
{
    keeping *k = self;
    const survey *s = &k->r->s;
    uint64_t end = one->offset_bytes + one->bytes.size_bytes;
    nb_err err = NB_OK;
    while (err == NB_OK && one->bytes.data != NULL && k->hole_index < s->hole_count) {
        const hole *now = &s->holes[k->hole_index];
        if (now->is_lost || now->begin == now->end) /* a missing start has no bytes */
            k->hole_index++;
        else if (now->begin >= end)
            break;
        else if (err = keep_part(k, one, error), k->is_open)
            break; /* it goes on in the next piece */
    }
    return err;
}

static nb_err keep_all(repairing *r, nb_error *error)
{
    nb_err err = NB_OK;
    bool has_plain = false;
    for (size_t i = 0; err == NB_OK && i < r->s.hole_count; i++) {
        has_plain |= !r->s.holes[i].is_lost;
        if (r->s.holes[i].is_lost)
            err = keep_lost(r, i, error);
    }
    if (err != NB_OK || !has_plain)
        return err;
    keeping k = {.r = r};
    err = source_each(&r->s.source, keep_piece, &k, error);
    if (k.is_open)
        care_file_drop(&k.now.file);
    return err;
}

/* ---- the new file ---- */

typedef struct mending {
    repairing *r;
    nb__mend *mend;
    nb__pack *pack; /* NULL: it stays plain */
    nb__text plain, out;
    care_file file;
    size_t hole_index;
} mending;

/* What mend gave out, to the file. */
static nb_err write_out(mending *m, nb_error *error)
{
    nb_err err = NB_OK;
    nb_span bytes = nb__text_view(&m->plain);
    if (m->pack != NULL) {
        err = nb__pack_feed(m->pack, bytes, &m->out, error);
        bytes = nb__text_view(&m->out);
    }
    if (err == NB_OK)
        err = care_file_write(&m->file, bytes, error);
    nb__text_clear(&m->plain);
    nb__text_clear(&m->out);
    return err;
}

/* In the place of the hole that is next. */
static nb_err mark_hole(mending *m, nb_error *error)
{
    repairing *r = m->r;
    const hole *one = &r->s.holes[m->hole_index];
    nb__journal_repair repair = {
        .offset_bytes = one->begin, .size_bytes = one->end - one->begin, .was = r->was};
    const char *kept = r->kept[m->hole_index];
    const char *slash = strrchr(kept, '/');
    nb__span_copy(nb__span(slash == NULL ? kept : slash + 1), repair.kept_in,
                  sizeof repair.kept_in);
    r->result.dropped_spans++;
    r->result.dropped_bytes += repair.size_bytes;
    if (kept[0] != '\0')
        memcpy(r->result.kept_in, kept, sizeof r->result.kept_in);
    m->hole_index++;
    return nb__mend_repair(m->mend, &repair, &m->plain, error);
}

static nb_err mend_lost(mending *m, const piece *one, nb_error *error)
{
    nb__text marks = {0};
    nb_err err = lost_marks_of(m->r, one->row_index, &marks);
    if (err == NB_OK)
        err = nb__mend_drop(m->mend, nb__text_view(&marks), error);
    nb__text_fini(&marks);
    return err == NB_OK ? mark_hole(m, error) : err;
}

/* Up to the next border between what stays and what goes; `*bytes` moves on. */
static nb_err mend_part(mending *m, uint64_t *at, nb_span *bytes, nb_error *error)
{
    const survey *s = &m->r->s;
    const hole *next = m->hole_index < s->hole_count ? &s->holes[m->hole_index] : NULL;
    bool goes = next != NULL && !next->is_lost && next->begin <= *at;
    uint64_t border = goes ? next->end : next != NULL ? next->begin : UINT64_MAX;
    uint64_t room = border - *at;
    nb_span part = {bytes->data, room < bytes->size_bytes ? (size_t)room : bytes->size_bytes};
    nb_err err =
        goes ? nb__mend_drop(m->mend, part, error) : nb__mend_keep(m->mend, part, &m->plain, error);
    *at += part.size_bytes;
    bytes->data += part.size_bytes;
    bytes->size_bytes -= part.size_bytes;
    return err == NB_OK && goes && *at == next->end ? mark_hole(m, error) : err;
}

static nb_err mend_piece(void *self, const piece *one, nb_error *error)
{
    mending *m = self;
    uint64_t at = one->offset_bytes;
    nb_span bytes = one->bytes;
    nb_err err = bytes.data == NULL ? mend_lost(m, one, error) : NB_OK;
    while (err == NB_OK && bytes.size_bytes > 0)
        err = mend_part(m, &at, &bytes, error);
    return err == NB_OK ? write_out(m, error) : err;
}

static nb_err mend_all(mending *m, nb_error *error)
{
    nb_err err = source_each(&m->r->s.source, mend_piece, m, error);
    if (err == NB_OK)
        err = nb__mend_end(m->mend, &m->plain, error);
    if (err == NB_OK)
        err = write_out(m, error);
    if (err == NB_OK && m->pack != NULL)
        err = nb__pack_end(m->pack, &m->out, error);
    if (err == NB_OK)
        err = care_file_write(&m->file, nb__text_view(&m->out), error);
    return err == NB_OK ? care_file_sync(&m->file, error) : err;
}

static nb_err write_new(repairing *r, nb_error *error)
{
    char name[NB__JOURNAL_NAME_BYTES];
    int64_t first_ns = r->s.findings.recv_first_ns;
    nb__journal_name_print(name, r->segment->night, r->segment->number);
    mending m = {.r = r,
                 .mend =
                     nb__mend_new(name, r->is_start_sure,
                                  first_ns == NB_TIME_UNDEF ? r->segment->changed_ns : first_ns),
                 .pack = r->is_packed ? nb__pack_new(LEVEL, 0) : NULL};
    nb_err err = m.mend == NULL || (r->is_packed && m.pack == NULL) ? fail_memory(error) : NB_OK;
    if (err == NB_OK)
        err = care_file_create(&m.file, r->temporary, error);
    if (err == NB_OK) {
        err = mend_all(&m, error);
        if (err != NB_OK)
            care_file_drop(&m.file);
    }
    nb__mend_free(m.mend);
    nb__pack_free(m.pack);
    nb__text_fini(&m.plain);
    nb__text_fini(&m.out);
    return err;
}

static nb_err check_new(const repairing *r, nb_error *error)
{
    survey s;
    nb_err err = survey_file(r->temporary, r->is_packed, &s, error);
    if (err != NB_OK)
        return err;
    bool is_good = s.hole_count == 0 && (!r->is_packed || s.is_packed_good);
    survey_fini(&s);
    return is_good ? NB_OK
                   : nb__fail(error, NB_E_INTERNAL, 0,
                              "what came out is not good either; nothing was changed");
}

/* ---- one segment ---- */

static nb_err replace(repairing *r, nb_error *error)
{
    r->kept = calloc(r->s.hole_count + 1, sizeof *r->kept);
    if (r->kept == NULL)
        return fail_memory(error);
    nb_err err = keep_all(r, error);
    if (err == NB_OK)
        err = nb__disk_sync_directory(r->segment->directory, error);
    if (err == NB_OK)
        err = find_lost_marks(r, error);
    if (err == NB_OK)
        err = find_was(r, error);
    if (err == NB_OK)
        judge_start(r);
    if (err == NB_OK)
        err = write_new(r, error);
    if (err != NB_OK)
        return err;
    err = check_new(r, error);
    if (err == NB_OK)
        err = nb__disk_rename(r->temporary, r->path, error);
    if (err != NB_OK) {
        nb__disk_remove(r->temporary, NULL);
        return err;
    }
    return nb__disk_sync_directory(r->segment->directory, error);
}

static nb_err repair_file(repairing *r, bool is_packed, nb_error *error)
{
    r->is_packed = is_packed;
    nb__segment_path(r->segment, is_packed, r->path);
    if (r->path[0] == '\0' || !care_path(r->temporary, r->path, ".tmp"))
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.100s…: the path is too long",
                        r->segment->directory);
    nb_err err = survey_file(r->path, is_packed, &r->s, error);
    if (err != NB_OK)
        return err;
    r->result.is_rebuilt = is_packed && !r->s.is_packed_good;
    if (r->s.hole_count > 0 || r->result.is_rebuilt)
        err = replace(r, error);
    survey_fini(&r->s);
    nb__text_fini(&r->lost_marks);
    free(r->kept);
    r->kept = NULL;
    return err;
}

/* Both are there: when the packed one is good it counts, else it makes way for the plain one. */
static nb_err repair_both(repairing *r, nb_error *error)
{
    char path[NB__STORE_PATH_MAX];
    survey s;
    nb__segment_path(r->segment, true, path);
    nb_err err = survey_file(path, true, &s, error);
    if (err != NB_OK)
        return err;
    bool is_good = s.is_packed_good && s.hole_count == 0;
    survey_fini(&s);
    if (is_good)
        return NB_OK;
    err = repair_file(r, false, error);
    if (err != NB_OK)
        return err;
    r->result.is_rebuilt = true;
    err = care_keep(path, r->segment, 0, ".zst", r->result.kept_in, error);
    return err == NB_OK ? nb__disk_sync_directory(r->segment->directory, error) : err;
}

static nb_err repair_locked(repairing *r, nb_error *error)
{
    nb__disk_entry entry;
    char path[NB__STORE_PATH_MAX];
    bool is_there[2];
    for (int is_packed = 0; is_packed < 2; is_packed++) { /* it may have been packed since */
        nb__segment_path(r->segment, is_packed != 0, path);
        is_there[is_packed] = path[0] != '\0' && nb__disk_stat(path, &entry, NULL) == NB_OK;
    }
    return is_there[0] && is_there[1] ? repair_both(r, error) : repair_file(r, is_there[1], error);
}

/* The segment that a recorder writes, and the newest one of a recorder that runs. */
static nb_err check_recorder(const nb__segment *segment, nb_error *error)
{
    char journal[NB__STORE_PATH_MAX], path[NB__STORE_PATH_MAX];
    nb__segment_path(segment, false, path);
    bool is_written = nb__disk_is_held(path);
    if (!is_written && care_journal_path(segment->directory, journal) &&
        care_path(path, journal, LOCK_NAME))
        is_written = nb__disk_is_held(path) && care_is_newest(segment);
    return is_written ? nb__fail(error, NB_E_BUSY, 0, "a recorder writes to it; end it first")
                      : NB_OK;
}

nb_err nb__repair_segment(const nb__segment *segment, nb__repair_result *out, nb_error *error)
{
    repairing r = {.segment = segment};
    int lock;
    nb_err err = check_recorder(segment, error);
    if (err == NB_OK)
        err = care_lock(segment->directory, &lock, error);
    if (err != NB_OK)
        return err;
    err = repair_locked(&r, error);
    care_unlock(segment->directory, lock);
    if (err == NB_OK)
        *out = r.result;
    return err;
}
