/* SPDX-License-Identifier: Apache-2.0 */
/* What a repair finds out elsewhere: marks of lost frames in the index, and what the next segment
 * says that this one was. */
#include "repairing.h"
#include <string.h>

/* The next line of `*rest` with its '\n'; size 0: no whole one is left. */
static nb_span next_line(nb_span *rest)
{
    const char *end = rest->size_bytes == 0 ? NULL : memchr(rest->data, '\n', rest->size_bytes);
    if (end == NULL)
        return (nb_span){0};
    nb_span line = {rest->data, (size_t)(end - rest->data) + 1};
    rest->data += line.size_bytes;
    rest->size_bytes -= line.size_bytes;
    return line;
}

static bool parse(nb_span text, nb__journal_line *line)
{
    return text.size_bytes > 0 &&
           nb__journal_line_parse((nb_span){text.data, text.size_bytes - 1}, line, NULL) == NB_OK;
}

/* ---- marks of lost frames ---- */

/* The index's marks in order; those of the frames that can be had are gone over one by one. */
typedef struct matching {
    repairing *r;
    nb_span rest;
} matching;

/* A mark that a frame holds: those before it in the index are lost ones. */
static void match(matching *m, nb_span text)
{
    nb_span rest = m->rest;
    for (nb_span mark; (mark = next_line(&rest)).size_bytes > 0;) {
        if (!nb__span_equal(mark, text))
            continue;
        size_t before = (size_t)(mark.data - m->rest.data);
        nb__text_append(&m->r->lost_marks, m->rest.data, before);
        m->rest = rest;
        return;
    }
}

static nb_err match_piece(void *self, const piece *one, nb_error *error)
{
    matching *m = self;
    nb_span rest = one->bytes;
    nb__journal_line line;
    (void)error;
    for (nb_span text; (text = next_line(&rest)).size_bytes > 0;)
        if (parse(text, &line) &&
            (line.kind == NB__JOURNAL_START || line.kind == NB__JOURNAL_CONNECT ||
             line.kind == NB__JOURNAL_REPAIR))
            match(m, text);
    return NB_OK;
}

nb_err find_lost_marks(repairing *r, nb_error *error)
{
    const nb__packed *packed = &r->s.source.packed;
    if (!r->is_packed || !packed->has_index || r->s.source.lost_frames == 0)
        return NB_OK;
    matching m = {.r = r, .rest = {packed->marks, packed->marks_bytes}};
    nb_err err = source_each(&r->s.source, match_piece, &m, error);
    nb__text_append(&r->lost_marks, m.rest.data, m.rest.size_bytes);
    return err == NB_OK && r->lost_marks.is_failed
               ? nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted")
               : err;
}

/* The lost row whose times a mark lies in; else the first lost one. */
static size_t owner_of(const repairing *r, int64_t recv_ns)
{
    const source *from = &r->s.source;
    size_t first = from->packed.row_count;
    for (size_t i = from->packed.row_count; i-- > 0;)
        if (from->is_lost[i])
            first = i;
    for (size_t i = first; i < from->packed.row_count; i++) {
        const nb__packed_row *row = &from->packed.rows[i];
        if (from->is_lost[i] && row->recv_min_ns <= recv_ns && recv_ns <= row->recv_max_ns)
            return i;
    }
    return first;
}

nb_err lost_marks_of(const repairing *r, size_t row_index, nb__text *out)
{
    nb_span rest = nb__text_view(&r->lost_marks);
    nb__journal_line line;
    for (nb_span text; (text = next_line(&rest)).size_bytes > 0;)
        if (parse(text, &line) && owner_of(r, line.recv_ns) == row_index)
            nb__text_append(out, text.data, text.size_bytes);
    return out->is_failed ? NB_E_MEMORY : NB_OK;
}

/* ---- what it was ---- */

typedef struct reading {
    nb__journal_start start;
    bool has_start;
} reading;

/* Only the first piece's first line is wanted. */
static nb_err take_start(void *self, const piece *one, nb_error *error)
{
    reading *out = self;
    nb_span rest = one->bytes;
    nb__journal_line line;
    (void)error;
    out->has_start = one->bytes.data != NULL && parse(next_line(&rest), &line) &&
                     line.kind == NB__JOURNAL_START &&
                     nb__journal_start_parse(line.payload, &out->start, NULL) == NB_OK;
    return NB_E_CLOSED;
}

static bool read_start(const nb__segment *segment, nb__journal_start *out)
{
    char path[NB__STORE_PATH_MAX];
    source s;
    reading found = {0};
    nb__segment_path(segment, segment->is_packed, path);
    if (path[0] == '\0' || source_open(path, segment->is_packed, &s, NULL) != NB_OK)
        return false;
    source_each(&s, take_start, &found, NULL);
    source_close(&s);
    *out = found.start;
    return found.has_start;
}

/* The segment of the journal that stands next to `segment`. */
static bool find_neighbour(const nb__segment *segment, bool is_after, nb__segment *out)
{
    char journal[NB__STORE_PATH_MAX];
    nb__catalogue catalogue;
    bool has_found = false;
    if (!care_journal_path(segment->directory, journal) ||
        nb__catalogue_read(journal, &catalogue, NULL) != NB_OK)
        return false;
    for (size_t i = 0; i < catalogue.count; i++) {
        const nb__segment *one = &catalogue.segments[i];
        bool is_same = one->night == segment->night && one->number == segment->number;
        bool is_later = one->night > segment->night ||
                        (one->night == segment->night && one->number > segment->number);
        if (is_same || is_later != is_after)
            continue;
        *out = *one;
        has_found = true;
        if (is_after)
            break;
    }
    nb__catalogue_fini(&catalogue);
    return has_found;
}

/* @return false: nothing follows it that names it. */
static bool ask_successor(const nb__segment *segment, const char *name, nb__journal_after *out)
{
    nb__segment next;
    nb__journal_start start;
    bool has_found = find_neighbour(segment, true, &next) && read_start(&next, &start) &&
                     strcmp(start.after.segment, name) == 0;
    if (has_found)
        *out = start.after;
    return has_found;
}

/* A start mark in a span that is damaged somewhere: it is what it was when it names the segment
 * that stands before it as that one is. Where none stands before it, nothing could tell. */
void judge_start(repairing *r)
{
    nb__segment before;
    nb__journal_start start;
    survey s;
    char path[NB__STORE_PATH_MAX], name[NB__JOURNAL_NAME_BYTES];
    bool is_hit = r->s.hole_count > 0 && r->s.holes[0].begin == 0;
    r->is_start_sure = true;
    if (!is_hit || r->s.holes[0].is_lost || !find_neighbour(r->segment, false, &before) ||
        !read_start(r->segment, &start))
        return;
    nb__journal_name_print(name, before.night, before.number);
    nb__segment_path(&before, before.is_packed, path);
    r->is_start_sure = false;
    if (strcmp(start.after.segment, name) != 0 || path[0] == '\0' ||
        survey_file(path, before.is_packed, &s, NULL) != NB_OK)
        return;
    const nb__journal_findings *is = &s.findings;
    r->is_start_sure = (start.after.size_bytes == is->size_bytes && start.after.xxh3 == is->xxh3) ||
                       (is->is_repaired && start.after.size_bytes == is->was.size_bytes &&
                        start.after.xxh3 == is->was.xxh3);
    survey_fini(&s);
}

nb_err find_was(repairing *r, nb_error *error)
{
    const nb__journal_findings *findings = &r->s.findings;
    const nb__packed *packed = &r->s.source.packed;
    char name[NB__JOURNAL_NAME_BYTES];
    nb__journal_name_print(name, r->segment->night, r->segment->number);
    if (findings->is_repaired) {
        r->was = findings->was;
        return NB_OK;
    }
    if (ask_successor(r->segment, name, &r->was))
        return NB_OK;
    r->was = (nb__journal_after){.size_bytes = findings->size_bytes, .xxh3 = findings->xxh3};
    if (r->is_packed && packed->has_index) {
        r->was.size_bytes = packed->plain_bytes;
        r->was.xxh3 = packed->plain_xxh3;
    } else if (r->s.source.lost_frames > 0) {
        r->was.xxh3 = 0; /* nobody knows */
    }
    return nb__span_copy(nb__span(name), r->was.segment, sizeof r->was.segment)
               ? NB_OK
               : nb__fail(error, NB_E_INTERNAL, 0, "the name of a segment is too long");
}
