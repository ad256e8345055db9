/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment as a reader sees it. Of its two files the packed one is read when it is whole as far as
 * a look at its end, first and last frame shows; a packed one without a good index is read from its
 * begin, frame by frame.
 *
 * Not here: which segments, which lines, whose they are (recording.c).
 */
#include "reading.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES ((size_t)1 << 20)
#define HEAD_BYTES ((size_t)1 << 16)  /* holds any start mark */
#define ROW_MAX ((uint64_t)256 << 20) /* of a packed frame */
#define DAMAGES_MAX ((size_t)1 << 20)

static nb_err fail_memory(nb_error *error)
{
    return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
}

/* ---- opening ---- */

/* Beyond what can be kept the last one grows: a reader gets too little rather than what is wrong.
 */
static void on_damage(void *self, const nb__damage *damage)
{
    part *p = self;
    uint64_t end = damage->offset_bytes + damage->size_bytes;
    if (damage->kind != NB__DAMAGE_SPAN && damage->kind != NB__DAMAGE_LINE)
        return;
    if (p->damage_count == p->damage_capacity && p->damage_count < DAMAGES_MAX) {
        size_t capacity = p->damage_capacity == 0 ? 16 : p->damage_capacity * 2;
        span *grown = realloc(p->damages, capacity * sizeof *grown);
        if (grown != NULL) {
            p->damages = grown;
            p->damage_capacity = capacity;
        }
    }
    if (p->damage_count < p->damage_capacity)
        p->damages[p->damage_count++] = (span){damage->offset_bytes, end, damage->kind};
    else if (p->damage_count > 0)
        p->damages[p->damage_count - 1].end = end;
}

/* Which spans of a plain segment are damaged: their lines must not be taken for what came. */
static nb_err find_damages(part *p, uint64_t size_bytes, block *b, nb_error *error)
{
    nb__journal_check *check = nb__journal_check_new(on_damage, p);
    char *to = nb__text_reserve(&b->plain, PIECE_BYTES);
    size_t size = PIECE_BYTES;
    nb_err err = check == NULL || to == NULL ? fail_memory(error) : NB_OK;
    p->damage_count = 0;
    p->checked_bytes = size_bytes;
    for (uint64_t at = 0; err == NB_OK && at < size_bytes && size == PIECE_BYTES; at += size) {
        err = nb__disk_read_at(p->fd, at, to, PIECE_BYTES, &size, error);
        if (err == NB_OK)
            err = nb__journal_check_feed(check, (nb_span){to, size}, error);
    }
    if (check != NULL)
        nb__journal_check_end(check);
    nb__journal_check_free(check);
    return err;
}

void part_close(part *p)
{
    nb__disk_close(p->fd);
    p->fd = -1;
}

/* The file that was chosen, from its begin. */
static nb_err part_start(part *p, block *b, nb_error *error)
{
    char path[NB__STORE_PATH_MAX];
    uint64_t size_bytes = 0;
    part_close(p);
    nb__segment_path(&p->segment, p->is_packed, path);
    nb_err err = nb__disk_open(path, &p->fd, &size_bytes, error);
    if (err != NB_OK) {
        p->fd = -1;
        return err;
    }
    p->offset_bytes = 0;
    p->row_index = p->damage_index = 0;
    if (!p->is_packed && p->checked_bytes != size_bytes)
        err = find_damages(p, size_bytes, b, error);
    if (err != NB_OK)
        part_close(p);
    return err;
}

/* ---- blocks of lines ---- */

static block_step fail_row(const part *p, size_t row_index, const nb_error *why, nb_error *damage)
{
    const nb__packed_row *row = &p->packed.rows[row_index];
    nb__fail(damage, NB_E_JOURNAL, row->packed_offset,
             "zstd frame %zu of %zu, at byte %" PRIu64 " of the packed file, cannot be read (%.80s)"
             ": its %" PRIu64 " plain bytes are passed over",
             row_index + 1, p->packed.row_count, row->packed_offset, why->detail, row->plain_bytes);
    return BLOCK_DAMAGE;
}

block_step part_row(part *p, block *b, nb__recording_counters *counters, nb_error *damage)
{
    if (p->row_index >= p->packed.row_count)
        return BLOCK_END;
    nb_error why = {0};
    size_t row_index = p->row_index++;
    nb__packed_row *row = &p->packed.rows[row_index];
    nb_err err = row->packed_bytes > ROW_MAX
                     ? nb__fail(&why, NB_E_LIMIT, 0, "it is too large")
                     : read_bytes(p->fd, row->packed_offset, (size_t)row->packed_bytes, &b->file,
                                  counters, &why);
    counters->frames_read++;
    if (err == NB_OK)
        err = p->packed.has_index
                  ? nb__unpack_proved(b->unpack, nb__text_view(&b->file), row->packed_xxh3,
                                      &b->plain, &why)
                  : nb__unpack_frame(b->unpack, nb__text_view(&b->file), &b->plain, &why);
    if (err != NB_OK)
        return fail_row(p, row_index, &why, damage);
    counters->plain_bytes += b->plain.size_bytes;
    b->lines = nb__text_view(&b->plain);
    b->offset_bytes = row->plain_offset;
    if (row->plain_bytes == 0) { /* a walk over frames learns it now */
        row->plain_bytes = b->plain.size_bytes;
        if (row_index + 1 < p->packed.row_count)
            row[1].plain_offset = row->plain_offset + row->plain_bytes;
    }
    return BLOCK_LINES;
}

/* Nothing more, or a line without an end: of a segment that is written to still it may come. */
static block_step end_of_plain(part *p, size_t left_bytes, bool is_last, nb_error *damage)
{
    if (left_bytes == 0 || is_last)
        return BLOCK_END;
    nb__fail(damage, NB_E_JOURNAL, p->offset_bytes,
             "torn: the last %zu bytes, from byte %" PRIu64 ", are no whole line", left_bytes,
             p->offset_bytes);
    p->offset_bytes += left_bytes;
    return BLOCK_DAMAGE;
}

/* A span whose sum does not fit, or what is no line, begins here: past it. */
static bool skip_span(part *p, nb_error *damage)
{
    while (p->damage_index < p->damage_count && p->damages[p->damage_index].end <= p->offset_bytes)
        p->damage_index++;
    if (p->damage_index == p->damage_count || p->damages[p->damage_index].begin > p->offset_bytes)
        return false;
    const span *bad = &p->damages[p->damage_index++];
    nb__fail(damage, NB_E_JOURNAL, (size_t)p->offset_bytes,
             "%" PRIu64 " bytes from byte %" PRIu64 " on are passed over: %s",
             bad->end - p->offset_bytes, p->offset_bytes,
             bad->kind == NB__DAMAGE_SPAN ? "their sum does not fit, something in them changed"
                                          : "they are no line of a journal");
    p->offset_bytes = bad->end;
    return true;
}

/* How much may be read before the next damaged span begins. */
static size_t room_of(const part *p, size_t wanted_bytes)
{
    if (p->damage_index == p->damage_count)
        return wanted_bytes;
    uint64_t room = p->damages[p->damage_index].begin - p->offset_bytes;
    return room < wanted_bytes ? (size_t)room : wanted_bytes;
}

block_step part_piece(part *p, block *b, bool is_last, nb__recording_counters *counters,
                      nb_error *damage)
{
    if (skip_span(p, damage))
        return BLOCK_DAMAGE;
    for (size_t wanted = PIECE_BYTES;; wanted *= 2) {
        size_t asked = room_of(p, wanted), size = 0;
        nb__text_clear(&b->plain);
        char *to = nb__text_reserve(&b->plain, asked);
        nb_err err = to == NULL
                         ? fail_memory(damage)
                         : nb__disk_read_at(p->fd, p->offset_bytes, to, asked, &size, damage);
        if (err != NB_OK) {
            part_close(p);
            p->is_unreadable = true;
            return BLOCK_DAMAGE;
        }
        counters->bytes_read += size;
        const char *end = size == 0 ? NULL : memrchr(to, '\n', size);
        bool is_cut = asked < wanted && size == asked; /* by a damaged span */
        if (end == NULL && size == asked && !is_cut && wanted <= NB__JOURNAL_LINE_MAX)
            continue; /* a line longer than that */
        if (end == NULL && size < asked)
            return end_of_plain(p, size, is_last, damage);
        /* what is no line, before a span or beyond all measure, is told by who reads it */
        size_t whole = end == NULL ? size : (size_t)(end - to) + 1;
        b->plain.size_bytes = whole;
        b->lines = nb__text_view(&b->plain);
        b->offset_bytes = p->offset_bytes;
        p->offset_bytes += whole;
        counters->plain_bytes += whole;
        return BLOCK_LINES;
    }
}

/* ---- which file, and its start mark ---- */

static nb_err note_start(part *p, nb_span line, nb_error *error)
{
    nb__journal_line parsed;
    if (nb__journal_line_parse(line, &parsed, NULL) != NB_OK || parsed.kind != NB__JOURNAL_START)
        return NB_OK;
    nb_err err = nb__journal_start_parse(parsed.payload, &p->start, error);
    p->has_start = err == NB_OK;
    return err == NB_E_VERSION ? err : NB_OK;
}

static nb_err look_plain(part *p, block *b, nb__recording_counters *counters, nb_error *error)
{
    char path[NB__STORE_PATH_MAX];
    int fd;
    uint64_t size_bytes;
    nb__segment_path(&p->segment, false, path);
    nb_err err = nb__disk_open(path, &fd, &size_bytes, error);
    if (err != NB_OK)
        return err;
    err = read_bytes(fd, 0, size_bytes < HEAD_BYTES ? (size_t)size_bytes : HEAD_BYTES, &b->file,
                     counters, error);
    nb__disk_close(fd);
    if (err == NB_OK)
        err = note_start(p, first_line(nb__text_view(&b->file)), error);
    if (err == NB_E_VERSION) { /* or a flipped bit: its sum tells */
        err = part_start(p, b, error);
        part_close(p);
    }
    return err;
}

/* A packed one beside a plain one counts when it is good: its end, and frames at both ends. */
static nb_err check_packed(part *p, block *b, nb__recording_counters *counters, nb_error *error)
{
    nb_error damage = {0};
    if (!p->packed.has_index || p->trouble.code != NB_OK)
        return nb__fail(error, NB_E_JOURNAL, 0, "its index cannot be used");
    nb_err err = p->packed.row_count == 0 ? NB_OK : part_start(p, b, error);
    for (int i = 0; i < 2 && err == NB_OK && p->packed.row_count > 0; i++) {
        p->row_index = i == 0 ? 0 : p->packed.row_count - 1;
        if (part_row(p, b, counters, &damage) != BLOCK_LINES) {
            *error = damage;
            err = damage.code;
        }
    }
    part_close(p);
    return err;
}

static nb_err look_packed(part *p, block *b, nb__recording_counters *counters, nb_error *error)
{
    p->is_packed = true;
    nb_err err = read_packed(&p->segment, b, &p->packed, counters, &p->trouble, error);
    if (err == NB_OK && p->segment.is_plain)
        err = check_packed(p, b, counters, error);
    if (err == NB_OK && p->packed.marks_bytes > 0)
        err = note_start(p, first_line((nb_span){p->packed.marks, p->packed.marks_bytes}), error);
    return err;
}

/* `err` of both its files: no reader gets further, but the next segment may be good. */
static nb_err settle(part *p, nb_err err, const nb_error *why, nb_error *error)
{
    if (err == NB_E_VERSION || err == NB_E_MEMORY) {
        char name[NB__JOURNAL_NAME_BYTES];
        if (error == NULL)
            return err;
        nb__journal_name_print(name, p->segment.night, p->segment.number);
        *error = *why;
        return nb__fail_in(error, "%s", name);
    }
    if (err != NB_OK) {
        p->is_unreadable = true;
        p->trouble = *why;
    }
    return NB_OK;
}

nb_err part_init(part *p, const nb__segment *segment, block *scratch,
                 nb__recording_counters *counters, nb_error *error)
{
    nb_error why = {0};
    *p = (part){.segment = *segment, .fd = -1};
    nb_err err = NB_OK;
    if (segment->is_packed) {
        err = look_packed(p, scratch, counters, &why);
        if (err == NB_OK || err == NB_E_VERSION || err == NB_E_MEMORY || !segment->is_plain)
            return settle(p, err, &why, error);
        nb__packed_fini(&p->packed);
        p->is_packed = false;
        nb__fail(&p->trouble, NB_E_JOURNAL, 0,
                 "the packed file is not good (%.120s): the plain one beside it is read",
                 why.detail);
    }
    err = look_plain(p, scratch, counters, &why);
    if (err == NB_E_NOT_FOUND && !segment->is_packed) {
        p->segment.is_plain = false; /* packed since the directory was listed, or removed */
        p->segment.is_packed = true;
        err = look_packed(p, scratch, counters, &why);
    }
    return settle(p, err, &why, error);
}

void part_fini(part *p)
{
    part_close(p);
    nb__packed_fini(&p->packed);
    free(p->damages);
    p->damages = NULL;
    p->damage_count = p->damage_capacity = 0;
}

nb_err part_open(part *p, block *b, nb__recording_counters *counters, nb_error *error)
{
    nb_err err = part_start(p, b, error);
    if (err != NB_E_NOT_FOUND || p->is_packed)
        return err;
    nb__segment segment = p->segment; /* packed since it was looked at? */
    part_fini(p);
    err = part_init(p, &segment, b, counters, error);
    if (err != NB_OK)
        return err;
    if (p->is_unreadable)
        return nb__fail(error, p->trouble.code, p->trouble.offset_bytes, "%s", p->trouble.detail);
    return part_start(p, b, error);
}
