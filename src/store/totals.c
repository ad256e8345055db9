/* SPDX-License-Identifier: Apache-2.0 */
/* What a recording holds as a whole: from indexes where there are some, else by reading. */
#include "reading.h"
#include <string.h>

static void widen(int64_t first_ns, int64_t last_ns, int64_t *least_ns, int64_t *most_ns)
{
    if (first_ns > last_ns)
        return;
    if (first_ns < *least_ns)
        *least_ns = first_ns;
    if (last_ns > *most_ns)
        *most_ns = last_ns;
}

static void count_repair(part *p, const nb__journal_line *line)
{
    nb__journal_repair repair;
    if (line->kind != NB__JOURNAL_REPAIR ||
        nb__journal_repair_parse(line->payload, &repair, NULL) != NB_OK)
        return;
    p->repairs++;
    p->repaired_bytes += repair.size_bytes;
}

/* Without an index: by reading it, beside what is being read. */
static void total_lines(nb__recording *r, part *p, const char *path)
{
    nb__recording *one;
    nb__entry entry;
    nb__recording_step step;
    if (nb__recording_open(path, &one, NULL) != NB_OK)
        return;
    one->feed = r->feed;
    while ((step = nb__recording_next(one, &entry, NULL)) != NB__RECORDING_END) {
        if (step == NB__RECORDING_DAMAGE) {
            p->found_damages++;
            continue;
        }
        p->lines++;
        p->frames += entry.line.kind == NB__JOURNAL_FRAME;
        p->is_stopped |= entry.line.kind == NB__JOURNAL_STOP;
        count_repair(p, &entry.line);
        if (entry.session_ns != NB_TIME_UNDEF)
            widen(entry.session_ns, entry.session_ns, &p->first_ns, &p->last_ns);
    }
    r->counters.frames_read += one->counters.frames_read;
    r->counters.bytes_read += one->counters.bytes_read;
    nb__recording_close(one);
}

static void total_rows(const nb__recording *r, part *p)
{
    for (size_t i = 0; i < p->packed.row_count; i++) {
        const nb__packed_row *row = &p->packed.rows[i];
        bool has_none = row->session_min_ns > row->session_max_ns && part_is_live(r, p);
        widen(has_none ? row->recv_min_ns : row->session_min_ns,
              has_none ? row->recv_max_ns : row->session_max_ns, &p->first_ns, &p->last_ns);
        p->lines += row->lines;
        p->frames += row->frames;
    }
    nb_span rest = {p->packed.marks, p->packed.marks_bytes};
    for (nb_span text; (text = first_line(rest)).data != NULL;) {
        nb__journal_line line;
        if (nb__journal_line_parse(text, &line, NULL) == NB_OK)
            count_repair(p, &line);
        rest.data += text.size_bytes + 1;
        rest.size_bytes -= text.size_bytes + 1;
    }
}

static void total_part(nb__recording *r, part *p)
{
    char path[NB__STORE_PATH_MAX];
    nb__disk_entry entry = {0};
    nb__segment_path(&p->segment, p->is_packed, path);
    if (!p->packed.has_index)
        (void)nb__disk_stat(path, &entry, NULL);
    if (p->has_totals && p->total_bytes == entry.size_bytes)
        return;
    p->has_totals = true;
    p->total_bytes = entry.size_bytes;
    p->first_ns = INT64_MAX;
    p->last_ns = INT64_MIN;
    p->lines = p->frames = p->found_damages = p->repairs = p->repaired_bytes = 0;
    p->is_stopped = false;
    if (p->packed.has_index)
        total_rows(r, p);
    else if (!p->is_unreadable)
        total_lines(r, p, path);
    else
        p->found_damages = 1;
}

void nb__recording_bounds(nb__recording *r, int64_t *first_ns, int64_t *last_ns)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (size_t i = 0; i < r->part_count; i++) {
        total_part(r, &r->parts[i]);
        widen(r->parts[i].first_ns, r->parts[i].last_ns, &first, &last);
    }
    *first_ns = first <= last ? first : NB_TIME_UNDEF;
    *last_ns = first <= last ? last : NB_TIME_UNDEF;
}

/* Whether a packed segment ends with a stop mark: its last lines. */
static bool ends_stopped(nb__recording *r, const part *p)
{
    char path[NB__STORE_PATH_MAX];
    nb__recording *one;
    nb__entry entry;
    bool is_stopped = false;
    nb__segment_path(&p->segment, true, path);
    if (p->packed.row_count == 0 || nb__recording_open(path, &one, NULL) != NB_OK)
        return false;
    part *only = &one->parts[0];
    if (only->is_packed && part_open(only, &one->block, &one->counters, &(nb_error){0}) == NB_OK) {
        only->row_index = only->packed.row_count - 1;
        one->stage = STAGE_LINES;
        while (nb__recording_next(one, &entry, NULL) != NB__RECORDING_END)
            is_stopped |= entry.line.kind == NB__JOURNAL_STOP;
    }
    r->counters.frames_read += one->counters.frames_read;
    r->counters.bytes_read += one->counters.bytes_read;
    nb__recording_close(one);
    return is_stopped;
}

void nb__recording_total(nb__recording *r, nb__recording_totals *out)
{
    *out = (nb__recording_totals){.segments = (uint32_t)r->part_count};
    nb__recording_bounds(r, &out->first_ns, &out->last_ns);
    for (size_t i = 0; i < r->part_count; i++) {
        const part *p = &r->parts[i];
        const nb__segment *segment = &p->segment;
        out->packed += p->is_packed;
        out->plain_bytes += p->is_packed ? 0 : p->total_bytes;
        out->packed_bytes += p->is_packed ? segment->packed_bytes : 0;
        out->lines += p->lines;
        out->frames += p->frames;
        out->repairs += p->repairs;
        out->repaired_bytes += p->repaired_bytes;
        out->damages += p->found_damages + (p->trouble.code != NB_OK && !p->is_unreadable);
        if (segment->changed_ns > out->changed_ns)
            out->changed_ns = segment->changed_ns;
        if (i > 0 && segment->night == r->parts[i - 1].segment.night &&
            segment->number != r->parts[i - 1].segment.number + 1)
            out->damages++; /* some are missing */
        if (i + 1 == r->part_count)
            out->is_stopped = p->packed.has_index ? ends_stopped(r, p) : p->is_stopped;
    }
}
