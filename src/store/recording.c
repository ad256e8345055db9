/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of a recording in their order, across segments and nights, within a range of session
 * time. Blocks of whole lines come from part.c; here each is cut into lines, and each line gets its
 * link and its time. Nothing is allocated a line, and a payload without escapes is not copied.
 *
 *     catalogue ─▶ part, part, part … ─▶ block ─▶ line, line, line …
 */
#include "reading.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening ---- */

static bool is_segment_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    int night;
    uint32_t number;
    return nb__journal_name_parse(nb__span(slash == NULL ? path : slash + 1), &night, &number) !=
           NB__JOURNAL_FILE_NONE;
}

/* By journal.json, in the directory above the nights; then by the first start mark. */
static nb_err find_feed(nb__recording *r, nb_error *error)
{
    char directory[NB__STORE_PATH_MAX];
    bool is_known = false;
    nb__feed_kind kind = NB__FEED_OTHER;
    int size = snprintf(directory, sizeof directory, "%s/..", r->parts[0].segment.directory);
    if (size > 0 && (size_t)size < sizeof directory &&
        nb__store_feed_kind(directory, &is_known, &kind, error) == NB_E_VERSION)
        return NB_E_VERSION;
    r->feed = is_known ? kind : NB__FEED_OTHER;
    for (size_t i = 0; i < r->part_count; i++)
        if (r->parts[i].has_start) {
            r->feed = r->parts[i].start.feed;
            break;
        }
    return NB_OK;
}

static nb_err init_parts(nb__recording *r, nb_error *error)
{
    nb_err err = NB_OK;
    assert(r->catalogue.count > 0);
    r->parts = calloc(r->catalogue.count, sizeof *r->parts);
    if (r->parts == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    while (err == NB_OK && r->part_count < r->catalogue.count) {
        err = part_init(&r->parts[r->part_count], &r->catalogue.segments[r->part_count], &r->block,
                        &r->counters, error);
        r->part_count++;
    }
    return err == NB_OK ? find_feed(r, error) : err;
}

nb_err nb__recording_open(const char *path, nb__recording **out, nb_error *error)
{
    nb__recording *r = calloc(1, sizeof *r);
    if (r == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    r->range = (nb__recording_range){NB_TIME_UNDEF, NB_TIME_UNDEF};
    r->block.unpack = nb__unpack_new();
    nb_err err = r->block.unpack == NULL ? nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted")
                                         : nb__catalogue_read(path, &r->catalogue, error);
    if (err == NB_OK) {
        r->is_one_file = is_segment_file(r->catalogue.path);
        err = init_parts(r, error);
    }
    if (err != NB_OK) {
        nb__recording_close(r);
        return err;
    }
    *out = r;
    return NB_OK;
}

void nb__recording_close(nb__recording *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->part_count; i++)
        part_fini(&r->parts[i]);
    free(r->parts);
    nb__catalogue_fini(&r->catalogue);
    nb__unpack_free(r->block.unpack);
    nb__text_fini(&r->block.file);
    nb__text_fini(&r->block.plain);
    nb__text_fini(&r->message);
    nb__journal_links_fini(&r->links);
    free(r);
}

nb_err nb__recording_seek(nb__recording *r, nb__recording_range range, nb_error *error)
{
    if (range.from_ns != NB_TIME_UNDEF && range.to_ns != NB_TIME_UNDEF &&
        range.from_ns > range.to_ns)
        return nb__fail(error, NB_E_ARGUMENT, 0, "the range ends before it begins");
    if (r->part_index < r->part_count)
        part_close(&r->parts[r->part_index]);
    r->range = range;
    r->part_index = 0;
    r->stage = STAGE_MISSING;
    r->at = r->end = r->escape = NULL;
    return NB_OK;
}

/* ---- which parts and rows the range needs ---- */

bool part_is_live(const nb__recording *r, const part *p)
{
    return (p->has_start ? p->start.feed : r->feed) == NB__FEED_LIVE;
}

static bool part_is_needed(const nb__recording *r, const part *p)
{
    if (p->is_unreadable)
        return true;
    if (!p->is_packed) { /* the last one may have grown since */
        nb__packed_row row = {.session_min_ns = p->first_ns,
                              .session_max_ns = p->last_ns,
                              .recv_min_ns = INT64_MAX,
                              .recv_max_ns = INT64_MIN};
        return !p->has_totals || p == &r->parts[r->part_count - 1] ||
               row_is_needed(&row, false, r->range);
    }
    for (size_t i = 0; i < p->packed.row_count; i++)
        if (row_is_needed(&p->packed.rows[i], part_is_live(r, p), r->range))
            return true;
    return p->packed.row_count == 0;
}

/* ---- whose the lines are ---- */

static void forget_links(nb__recording *r, const part *p)
{
    r->links.count = r->links.found_index = 0;
    r->links.is_live = part_is_live(r, p);
}

/* Rows were passed over: marks of the index, so many bytes of them, stand for them. */
static void note_marks(nb__recording *r, const part *p, size_t size_bytes)
{
    const char *at = p->packed.marks, *end = at + size_bytes;
    forget_links(r, p);
    while (at < end) {
        nb__journal_line mark;
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (line_end == NULL)
            break;
        if (nb__journal_line_parse((nb_span){at, (size_t)(line_end - at)}, &mark, NULL) == NB_OK)
            nb__journal_links_note(&r->links, &mark);
        at = line_end + 1;
    }
}

/* Rows that the range does not need are passed over when the index tells whose the lines behind
 * them are; else one is read that is not needed. */
static block_step packed_block(nb__recording *r, part *p, nb_error *damage)
{
    size_t first = p->row_index, known_bytes = 0;
    while (p->row_index < p->packed.row_count &&
           !row_is_needed(&p->packed.rows[p->row_index], part_is_live(r, p), r->range))
        p->row_index++;
    if (p->row_index == p->packed.row_count)
        return BLOCK_END;
    if (p->row_index != first && p->packed.has_index &&
        !marks_before(&p->packed, p->row_index, &known_bytes))
        p->row_index = first;
    else if (p->row_index != first)
        r->has_skipped = true;
    if (r->has_skipped && p->packed.has_index) {
        (void)marks_before(&p->packed, p->row_index, &known_bytes);
        note_marks(r, p, known_bytes);
    }
    block_step step = part_row(p, &r->block, &r->counters, damage);
    r->has_skipped = step == BLOCK_DAMAGE;
    return step;
}

/* ---- from part to part ---- */

static void name_part(const part *p, nb_error *damage)
{
    char name[NB__JOURNAL_NAME_BYTES];
    nb__journal_name_print(name, p->segment.night, p->segment.number);
    nb__fail_in(damage, "segment %s", name);
}

/* Numbers are given without a hole: one that is not there is missing. */
static bool is_missing_before(const nb__recording *r, size_t part_index, nb_error *damage)
{
    const nb__segment *segment = &r->parts[part_index].segment;
    bool is_first = part_index == 0 || r->parts[part_index - 1].segment.night != segment->night;
    uint32_t expected = is_first ? 1 : r->parts[part_index - 1].segment.number + 1;
    if (r->is_one_file || segment->number <= expected ||
        (!part_is_needed(r, &r->parts[part_index]) &&
         (is_first || !part_is_needed(r, &r->parts[part_index - 1]))))
        return false;
    char name[NB__JOURNAL_NAME_BYTES], last[NB__JOURNAL_NAME_BYTES];
    nb__journal_name_print(name, segment->night, expected);
    nb__journal_name_print(last, segment->night, segment->number - 1);
    if (segment->number - expected == 1)
        nb__fail(damage, NB_E_JOURNAL, 0, "segment %s is missing", name);
    else
        nb__fail(damage, NB_E_JOURNAL, 0, "segments %s to %s are missing", name, last);
    return true;
}

static void go_on(nb__recording *r)
{
    part_close(&r->parts[r->part_index]);
    r->part_index++;
    r->stage = STAGE_MISSING;
}

/* One step towards the first line of a part. @return BLOCK_END: that line may be read. */
static block_step enter(nb__recording *r, part *p, nb_error *damage)
{
    nb_err err;
    switch (r->stage++) {
    case STAGE_MISSING:
        return is_missing_before(r, r->part_index, damage) ? BLOCK_DAMAGE : BLOCK_LINES;
    case STAGE_OPEN:
        if (!part_is_needed(r, p)) {
            go_on(r);
            return BLOCK_LINES;
        }
        err = p->is_unreadable ? NB_E_JOURNAL : part_open(p, &r->block, &r->counters, damage);
        if (err != NB_OK) {
            if (p->is_unreadable)
                *damage = p->trouble;
            name_part(p, damage);
            go_on(r);
            return BLOCK_DAMAGE;
        }
        forget_links(r, p);
        r->has_skipped = false;
        return BLOCK_LINES;
    case STAGE_TROUBLE:
        if (p->trouble.code == NB_OK)
            return BLOCK_LINES;
        *damage = p->trouble;
        name_part(p, damage);
        return BLOCK_DAMAGE;
    case STAGE_LINES:
        break;
    }
    r->stage = STAGE_LINES;
    return BLOCK_END;
}

/* The next block with lines. */
static block_step next_block(nb__recording *r, nb_error *damage)
{
    while (r->part_index < r->part_count) {
        part *p = &r->parts[r->part_index];
        bool is_last = r->part_index + 1 == r->part_count;
        block_step step = enter(r, p, damage);
        if (step == BLOCK_DAMAGE)
            return step;
        if (step == BLOCK_LINES)
            continue;
        step = p->is_packed ? packed_block(r, p, damage)
                            : part_piece(p, &r->block, is_last, &r->counters, damage);
        if (step == BLOCK_END) {
            if (is_last && !p->is_packed)
                return step; /* more may come */
            go_on(r);
            continue;
        }
        if (step == BLOCK_DAMAGE) {
            name_part(p, damage);
            if (p->is_unreadable)
                go_on(r);
            return step;
        }
        r->at = r->block.lines.data;
        r->end = r->at + r->block.lines.size_bytes;
        r->escape = NULL;
        return step;
    }
    return BLOCK_END;
}

/* ---- lines ---- */

/* From `at` on stands what is no line: all of it, up to the next line that is one. */
static nb__recording_step pass_damage(nb__recording *r, const nb_error *why, nb_error *damage)
{
    const char *begin = r->at;
    nb__journal_line line;
    do {
        const char *end = memchr(r->at, '\n', (size_t)(r->end - r->at));
        r->at = end == NULL ? r->end : end + 1;
        end = r->at == r->end ? NULL : memchr(r->at, '\n', (size_t)(r->end - r->at));
        if (end != NULL &&
            nb__journal_line_parse((nb_span){r->at, (size_t)(end - r->at)}, &line, NULL) == NB_OK)
            break;
    } while (r->at < r->end);
    uint64_t offset = r->block.offset_bytes + (uint64_t)(begin - r->block.lines.data);
    nb__fail(damage, NB_E_JOURNAL, (size_t)offset,
             "%zu bytes from byte %llu on are no line of a journal (%.80s); they are passed over",
             (size_t)(r->at - begin), (unsigned long long)offset, why->detail);
    name_part(&r->parts[r->part_index], damage);
    r->counters.damages++;
    return NB__RECORDING_DAMAGE;
}

static bool is_in_range(nb__recording_range range, int64_t session_ns)
{
    if (range.from_ns == NB_TIME_UNDEF && range.to_ns == NB_TIME_UNDEF)
        return true;
    return session_ns != NB_TIME_UNDEF &&
           (range.from_ns == NB_TIME_UNDEF || session_ns >= range.from_ns) &&
           (range.to_ns == NB_TIME_UNDEF || session_ns < range.to_ns);
}

/* @return false: no memory. */
static bool fill(nb__recording *r, const char *begin, nb__entry *out)
{
    out->text = (nb_span){begin, (size_t)(r->at - begin) - 1};
    const nb__segment *segment = &r->parts[r->part_index].segment;
    out->link = out->line.link == 0 ? NULL : nb__journal_links_find(&r->links, out->line.link);
    out->night = segment->night;
    out->segment_number = segment->number;
    out->offset_bytes = r->block.offset_bytes + (uint64_t)(begin - r->block.lines.data);
    out->message = out->line.payload;
    if (!out->line.is_escaped)
        return true;
    nb__text_clear(&r->message);
    char *to = nb__text_reserve(&r->message, out->line.payload.size_bytes);
    if (to == NULL)
        return false;
    out->message = (nb_span){to, nb__journal_unescape(out->line.payload, to)};
    return true;
}

/* Hardly a line has escapes: they are looked for in the block, not line by line. */
static nb_err parse_line(nb__recording *r, const char *begin, const char *end,
                         nb__journal_line *out, nb_error *why)
{
    nb_span text = {begin, (size_t)(end - begin)};
    if (r->escape < begin || r->escape == NULL) {
        r->escape = memchr(begin, '\\', (size_t)(r->end - begin));
        r->escape = r->escape == NULL ? r->end : r->escape;
    }
    return r->escape < end ? nb__journal_line_parse(text, out, why)
                           : nb__journal_line_parse_clean(text, out, why);
}

/* The lines of the block up to one of the range. @return END: none is left in it. */
static nb__recording_step next_line(nb__recording *r, nb__entry *out, nb_error *damage)
{
    while (r->at < r->end) {
        nb_error why; /* written on failure only: clearing it costs as much as the parsing */
        const char *begin = r->at, *end = memchr(begin, '\n', (size_t)(r->end - begin));
        nb_err err = end == NULL ? nb__fail(&why, NB_E_FRAME, 0, "it has no end")
                                 : parse_line(r, begin, end, &out->line, &why);
        if (err != NB_OK)
            return pass_damage(r, &why, damage);
        r->at = end + 1;
        r->counters.lines++;
        if (out->line.kind == NB__JOURNAL_CONNECT || out->line.kind == NB__JOURNAL_START)
            nb__journal_links_note(&r->links, &out->line);
        out->session_ns = nb__journal_links_session_ns(&r->links, &out->line);
        if (!is_in_range(r->range, out->session_ns))
            continue;
        if (fill(r, begin, out))
            return NB__RECORDING_LINE;
        nb__fail(damage, NB_E_MEMORY, 0, "memory is exhausted: a line is passed over");
        r->counters.damages++;
        return NB__RECORDING_DAMAGE;
    }
    return NB__RECORDING_END;
}

nb__recording_step nb__recording_next(nb__recording *r, nb__entry *out, nb_error *damage)
{
    nb_error ignored;
    if (damage == NULL)
        damage = &ignored;
    for (;;) {
        nb__recording_step step = next_line(r, out, damage);
        if (step != NB__RECORDING_END)
            return step;
        block_step next = next_block(r, damage);
        if (next == BLOCK_END)
            return NB__RECORDING_END;
        if (next == BLOCK_DAMAGE) {
            r->counters.damages++;
            return NB__RECORDING_DAMAGE;
        }
    }
}

/* ---- what is known of it ---- */

nb__recording_counters nb__recording_count(const nb__recording *r)
{
    nb__recording_counters counters = r->counters;
    for (size_t i = 0; i < r->part_count; i++)
        counters.frames_total += r->parts[i].packed.row_count;
    return counters;
}

nb__feed_kind nb__recording_feed_kind(const nb__recording *r)
{
    return r->feed;
}

int nb__recording_night(const nb__recording *r)
{
    return r->parts[0].segment.night;
}
