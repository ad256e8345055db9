/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes against their sums, in any pieces.
 *
 *     proved or damaged, told │ open: no sum yet                        │ to come
 *     ────────────────────────┼───────────┬─────────────────────────────┤
 *                             open_offset │ window: what a sum may cover
 *                                         window_offset
 *
 * What stands behind the last sum waits in the window, since only the next sum says where its span
 * begins: when the sum before is destroyed, that is later than `open_offset`, and what lies between
 * is damaged. A recorder closes a span at NB__JOURNAL_SPAN_BYTES, so no sum covers more than a span
 * and a line; bytes without a sum that are further back leave the window (hostile files only), and
 * memory stays bounded.
 *
 * Counts are taken from lines when their fate is known: those of damaged spans are not counted.
 */
#include "inside.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SPAN_MAX (NB__JOURNAL_SPAN_BYTES + NB__JOURNAL_LINE_MAX)
#define WINDOW_MAX (3 * SPAN_MAX) /* it is cut back to at most 2 of them beyond this */
#define SLICE_BYTES ((size_t)1 << 20)
#define SUSPECTS_MAX 256 /* beyond it the last one grows */

typedef struct suspect {
    uint64_t offset_bytes, size_bytes;
    char words[96];
} suspect;

/* What lines say. */
typedef struct tally {
    uint64_t lines, frames, frame_bytes, sums;
    int64_t recv_first_ns, recv_last_ns; /* NB_TIME_UNDEF: no line */
    bool is_stopped, is_repaired;
    nb__journal_after was;
} tally;

struct nb__journal_check {
    void (*found)(void *self, const nb__damage *damage);
    void *self;
    nb__journal_findings findings;
    nb_error error; /* feeding is over: a newer format, no memory */
    XXH3_state_t *whole;
    nb__text window;
    uint64_t window_offset, open_offset;
    uint64_t tail_offset; /* lines before it are in `tail`; before the window in an endless line */
    size_t line_begin, searched; /* of the window: the line that is not whole yet */
    tally tail;                  /* of open lines that left the window, at the end of all */
    suspect suspects[SUSPECTS_MAX];
    size_t suspect_count;
    bool has_first, is_first_start, is_first_repair, is_settled;
    nb__journal_start start;
};

nb__journal_check *nb__journal_check_new(void (*found)(void *self, const nb__damage *damage),
                                         void *self)
{
    nb__journal_check *check = calloc(1, sizeof *check);
    if (check == NULL)
        return NULL;
    check->found = found;
    check->self = self;
    check->findings.recv_first_ns = check->findings.recv_last_ns = NB_TIME_UNDEF;
    check->tail.recv_first_ns = check->tail.recv_last_ns = NB_TIME_UNDEF;
    check->whole = XXH3_createState();
    if (check->whole == NULL) {
        free(check);
        return NULL;
    }
    XXH3_64bits_reset(check->whole);
    return check;
}

void nb__journal_check_free(nb__journal_check *check)
{
    if (check == NULL)
        return;
    nb__text_fini(&check->window);
    XXH3_freeState(check->whole);
    free(check);
}

static void tell(nb__journal_check *check, nb__damage_kind kind, uint64_t offset_bytes,
                 uint64_t size_bytes, const char *words)
{
    nb__damage damage = {.kind = kind, .offset_bytes = offset_bytes, .size_bytes = size_bytes};
    snprintf(damage.words, sizeof damage.words, "%s", words);
    check->findings.damages++;
    if (check->found != NULL)
        check->found(check->self, &damage);
}

static nb_err stop_feeding(nb__journal_check *check, nb_error *error)
{
    if (error != NULL)
        *error = check->error;
    return check->error.code;
}

/* ---- lines and what they say ---- */

static void widen(tally *sum, int64_t first_ns, int64_t last_ns)
{
    if (first_ns == NB_TIME_UNDEF)
        return;
    if (sum->recv_first_ns == NB_TIME_UNDEF || first_ns < sum->recv_first_ns)
        sum->recv_first_ns = first_ns;
    if (sum->recv_last_ns == NB_TIME_UNDEF || last_ns > sum->recv_last_ns)
        sum->recv_last_ns = last_ns;
}

static void count_line(tally *sum, const nb__journal_line *line)
{
    sum->lines++;
    widen(sum, line->recv_ns, line->recv_ns);
    nb__journal_repair repair;
    switch (line->kind) {
    case NB__JOURNAL_FRAME:
        sum->frames++;
        sum->frame_bytes += nb__journal_message_bytes(line);
        break;
    case NB__JOURNAL_SUM:
        sum->sums++;
        break;
    case NB__JOURNAL_STOP:
        sum->is_stopped = true;
        break;
    case NB__JOURNAL_REPAIR:
        if (!sum->is_repaired && nb__journal_repair_parse(line->payload, &repair, NULL) == NB_OK) {
            sum->is_repaired = true;
            sum->was = repair.was;
        }
        break;
    default:
        break;
    }
}

static void add_tally(nb__journal_findings *to, const tally *from)
{
    to->lines += from->lines;
    to->frames += from->frames;
    to->frame_bytes += from->frame_bytes;
    to->sums += from->sums;
    to->is_stopped |= from->is_stopped;
    if (from->is_repaired && !to->is_repaired) {
        to->is_repaired = true;
        to->was = from->was;
    }
    tally both = {.recv_first_ns = to->recv_first_ns, .recv_last_ns = to->recv_last_ns};
    widen(&both, from->recv_first_ns, from->recv_last_ns);
    to->recv_first_ns = both.recv_first_ns;
    to->recv_last_ns = both.recv_last_ns;
}

static void add_suspect(nb__journal_check *check, uint64_t offset_bytes, uint64_t size_bytes,
                        const char *words)
{
    suspect *last = check->suspect_count == 0 ? NULL : &check->suspects[check->suspect_count - 1];
    bool is_next = last != NULL && last->offset_bytes + last->size_bytes == offset_bytes;
    if (is_next || check->suspect_count == SUSPECTS_MAX) {
        last->size_bytes = offset_bytes + size_bytes - last->offset_bytes;
        return;
    }
    last = &check->suspects[check->suspect_count++];
    last->offset_bytes = offset_bytes;
    last->size_bytes = size_bytes;
    snprintf(last->words, sizeof last->words, "%.95s", words);
}

static bool is_clean(nb_span payload)
{
    for (size_t i = 0; i < payload.size_bytes; i++)
        if ((unsigned char)payload.data[i] < 0x20 || payload.data[i] == 0x7F)
            return false;
    return nb__utf8_valid_prefix(payload) == payload.size_bytes;
}

static bool has_json(nb__journal_kind kind)
{
    return kind != NB__JOURNAL_FRAME && kind != NB__JOURNAL_PINGPONG && kind != NB__JOURNAL_UNKNOWN;
}

/* A line that no sum proves. @return why it is none; NULL: it is one. */
static const char *doubt(const nb__journal_check *check, nb_span text, nb__journal_line *line,
                         nb_error *error)
{
    if (text.size_bytes >= NB__JOURNAL_LINE_MAX)
        return "a line longer than any";
    if (nb__journal_line_parse(text, line, error) != NB_OK)
        return error->detail;
    if (!is_clean(line->payload))
        return "a line with bytes that no recorder writes";
    if (line->kind == NB__JOURNAL_SUM) /* one of the right form had closed its span */
        return "a sum that is none";
    if (has_json(line->kind) && !nb__journal_is_mark(line->payload))
        return "a mark that is not JSON";
    bool is_over = check->findings.is_stopped || check->tail.is_stopped;
    if (is_over && line->kind != NB__JOURNAL_REPAIR)
        return "a line behind the stop mark";
    return NULL;
}

/* The window's byte at an offset of the file. */
static const char *at_offset(const nb__journal_check *check, uint64_t offset_bytes)
{
    return check->window.data + (offset_bytes - check->window_offset);
}

static uint64_t window_end(const nb__journal_check *check)
{
    return check->window_offset + check->window.size_bytes;
}

/* Whole lines of the window that end at `end_offset` or before go into the tail. */
static void scan_tail(nb__journal_check *check, uint64_t end_offset)
{
    for (;;) {
        uint64_t begin = check->tail_offset;
        uint64_t from = begin < check->window_offset ? check->window_offset : begin;
        if (from >= end_offset)
            return;
        const char *data = at_offset(check, from);
        const char *end = memchr(data, '\n', (size_t)(end_offset - from));
        if (end == NULL)
            return;
        nb_span text = {data, (size_t)(end - data)};
        uint64_t size = from - begin + text.size_bytes + 1;
        nb__journal_line line;
        nb_error error;
        const char *why =
            from > begin ? "a line longer than any" : doubt(check, text, &line, &error);
        if (why != NULL)
            add_suspect(check, begin, size, why);
        else
            count_line(&check->tail, &line);
        check->tail_offset = begin + size;
    }
}

static void count_proved(nb__journal_check *check, uint64_t begin, uint64_t end)
{
    tally sum = {.recv_first_ns = NB_TIME_UNDEF, .recv_last_ns = NB_TIME_UNDEF};
    const char *at = at_offset(check, begin), *stop = at_offset(check, end);
    while (at < stop) {
        const char *line_end = memchr(at, '\n', (size_t)(stop - at));
        nb__journal_line line;
        if (nb__journal_line_parse((nb_span){at, (size_t)(line_end - at)}, &line, NULL) == NB_OK)
            count_line(&sum, &line);
        at = line_end + 1;
    }
    add_tally(&check->findings, &sum);
    check->findings.proved_bytes += end - begin;
}

/* ---- the first line ---- */

/* "0.2.0" against ours; what is no such number is later. */
static bool is_later_version(const char *version)
{
    nb_span theirs = nb__span(version), ours = nb__span(NB_VERSION);
    for (int part = 0; part < 3; part++) {
        uint64_t number[2];
        nb_span *rest[2] = {&theirs, &ours};
        for (int i = 0; i < 2; i++) {
            const char *dot = memchr(rest[i]->data, '.', rest[i]->size_bytes);
            size_t size = dot == NULL ? rest[i]->size_bytes : (size_t)(dot - rest[i]->data);
            if (!nb__span_to_u64((nb_span){rest[i]->data, size}, &number[i]))
                return true;
            size += dot != NULL;
            *rest[i] = (nb_span){rest[i]->data + size, rest[i]->size_bytes - size};
        }
        if (number[0] != number[1])
            return number[0] > number[1];
    }
    return theirs.size_bytes > 0;
}

static nb_err refuse_newer(nb__journal_check *check, nb_span payload)
{
    nb__journal_start start;
    return nb__journal_start_parse(payload, &start, &check->error);
}

/* A newer format is believed at once when a newer nightbook wrote it: a flipped bit does not make
 * both. Otherwise when the sum fits, see believe(). */
static nb_err see_first(nb__journal_check *check, nb_span text)
{
    nb__journal_line line;
    check->has_first = true;
    if (nb__journal_line_parse(text, &line, NULL) != NB_OK || line.link != 0)
        return NB_OK;
    check->is_first_repair = line.kind == NB__JOURNAL_REPAIR;
    if (line.kind != NB__JOURNAL_START ||
        nb__journal_start_read(line.payload, &check->start, NULL) != NB_OK)
        return NB_OK;
    check->is_first_start = true;
    if (check->start.format > NB__JOURNAL_FORMAT && is_later_version(check->start.version))
        return refuse_newer(check, line.payload);
    return NB_OK;
}

/* The first line's fate is known. */
static nb_err settle_first(nb__journal_check *check, bool is_damaged, bool is_proved)
{
    if (check->is_settled)
        return NB_OK;
    check->is_settled = true;
    if (is_damaged || !check->has_first)
        return NB_OK;
    bool is_newer = check->is_first_start && check->start.format > NB__JOURNAL_FORMAT;
    if (is_newer && is_proved) {
        nb__text payload = {0};
        nb__journal_start_print(&check->start, &payload);
        nb_err err = payload.is_failed ? nb__fail(&check->error, NB_E_MEMORY, 0, "start mark")
                                       : refuse_newer(check, nb__text_view(&payload));
        nb__text_fini(&payload);
        return err;
    }
    if (check->is_first_start && !is_newer) {
        check->findings.has_start = true;
        check->findings.start = check->start;
    } else if (!check->is_first_repair) {
        tell(check, NB__DAMAGE_START, 0, 0, "it does not begin with a start mark");
    }
    return NB_OK;
}

/* ---- sums ---- */

/* From here on nothing is open. */
static void close_span(nb__journal_check *check, uint64_t end)
{
    check->open_offset = check->tail_offset = end;
    check->tail = (tally){.recv_first_ns = NB_TIME_UNDEF, .recv_last_ns = NB_TIME_UNDEF};
    check->suspect_count = 0;
}

static void condemn(nb__journal_check *check, uint64_t there_bytes, uint64_t counted_bytes,
                    uint64_t end)
{
    char words[sizeof((nb__damage *)NULL)->words];
    if (there_bytes == counted_bytes)
        snprintf(words, sizeof words, "the sum does not fit: something in these bytes changed");
    else
        snprintf(words, sizeof words,
                 "the sum does not fit: it counts %" PRIu64 " bytes, %" PRIu64 " stand before it",
                 counted_bytes, there_bytes);
    (void)settle_first(check, true, false); /* an error is for what is proved */
    tell(check, NB__DAMAGE_SPAN, check->open_offset, end - check->open_offset, words);
}

static nb_err believe(nb__journal_check *check, uint64_t begin, uint64_t end)
{
    nb_err err = settle_first(check, begin > 0 && check->open_offset == 0, true);
    if (err != NB_OK)
        return err;
    if (begin > check->open_offset)
        tell(check, NB__DAMAGE_SPAN, check->open_offset, begin - check->open_offset,
             "the sum at its end is destroyed, and nothing proves these bytes");
    count_proved(check, begin, end);
    return NB_OK;
}

/* A line of the window, of the form of a sum or not. */
static nb_err see_line(nb__journal_check *check, nb_span text)
{
    nb__journal_line line;
    uint64_t counted_bytes, xxh3;
    if (!check->has_first) {
        nb_err err = see_first(check, text);
        if (err != NB_OK)
            return err;
    }
    if (text.size_bytes > NB__JOURNAL_HEAD_MAX + NB__JOURNAL_SUM_MAX ||
        nb__journal_line_parse(text, &line, NULL) != NB_OK || line.kind != NB__JOURNAL_SUM ||
        line.link != 0 || !nb__journal_sum_parse(line.payload, &counted_bytes, &xxh3))
        return NB_OK;
    uint64_t begin = check->window_offset + (uint64_t)(text.data - check->window.data);
    uint64_t end = begin + text.size_bytes + 1, there_bytes = begin - check->open_offset;
    uint64_t kept_bytes = begin - check->window_offset;
    nb_err err = NB_OK;
    bool fits = counted_bytes <= there_bytes && counted_bytes <= kept_bytes;
    if (fits) {
        const char *from = text.data - counted_bytes;
        size_t head_bytes = text.size_bytes - NB__JOURNAL_HEX_DIGITS - 2; /* "} */
        fits = XXH3_64bits(from, counted_bytes + head_bytes) == xxh3;
    }
    if (fits)
        err = believe(check, begin - counted_bytes, end);
    else
        condemn(check, there_bytes, counted_bytes, end);
    close_span(check, end);
    return err;
}

/* ---- feeding ---- */

static void drop_front(nb__journal_check *check, uint64_t offset_bytes)
{
    size_t count = (size_t)(offset_bytes - check->window_offset);
    if (count == 0)
        return;
    check->window.size_bytes -= count;
    memmove(check->window.data, check->window.data + count, check->window.size_bytes);
    check->window_offset = offset_bytes;
    check->line_begin = check->line_begin < count ? 0 : check->line_begin - count;
    check->searched -= count;
}

/* Nothing but what a sum may still cover, and a line that is not counted yet, stays. */
static void slide(nb__journal_check *check)
{
    if (check->open_offset > check->window_offset)
        drop_front(check, check->open_offset);
    if (check->window.size_bytes <= WINDOW_MAX)
        return;
    uint64_t cut = window_end(check) - SPAN_MAX;
    check->has_first = true; /* if it was not seen yet, it is longer than any */
    scan_tail(check, cut);
    drop_front(check, cut - check->tail_offset > NB__JOURNAL_LINE_MAX ? cut : check->tail_offset);
}

static nb_err feed_slice(nb__journal_check *check, nb_span bytes)
{
    nb__text_append(&check->window, bytes.data, bytes.size_bytes);
    if (check->window.is_failed)
        return nb__fail(&check->error, NB_E_MEMORY, 0, "checking a segment");
    check->findings.size_bytes += bytes.size_bytes;
    XXH3_64bits_update(check->whole, bytes.data, bytes.size_bytes);
    for (;;) {
        const char *from = check->window.data + check->searched;
        const char *end = memchr(from, '\n', check->window.size_bytes - check->searched);
        if (end == NULL)
            break;
        const char *begin = check->window.data + check->line_begin;
        check->line_begin = check->searched = (size_t)(end - check->window.data) + 1;
        nb_err err = see_line(check, (nb_span){begin, (size_t)(end - begin)});
        if (err != NB_OK)
            return err;
    }
    check->searched = check->window.size_bytes;
    slide(check);
    return NB_OK;
}

nb_err nb__journal_check_feed(nb__journal_check *check, nb_span bytes, nb_error *error)
{
    while (bytes.size_bytes > 0) {
        if (check->error.code != NB_OK)
            return stop_feeding(check, error);
        size_t size = bytes.size_bytes < SLICE_BYTES ? bytes.size_bytes : SLICE_BYTES;
        if (feed_slice(check, (nb_span){bytes.data, size}) != NB_OK)
            return stop_feeding(check, error);
        bytes.data += size;
        bytes.size_bytes -= size;
    }
    return NB_OK;
}

static void end_tail(nb__journal_check *check)
{
    scan_tail(check, window_end(check));
    (void)settle_first(check, false, false);
    for (size_t i = 0; i < check->suspect_count; i++) {
        const suspect *one = &check->suspects[i];
        tell(check, NB__DAMAGE_LINE, one->offset_bytes, one->size_bytes, one->words);
    }
    if (check->tail_offset < window_end(check))
        tell(check, NB__DAMAGE_TORN, check->tail_offset, window_end(check) - check->tail_offset,
             "the last line has no end");
    add_tally(&check->findings, &check->tail);
    close_span(check, window_end(check));
}

const nb__journal_findings *nb__journal_check_end(nb__journal_check *check)
{
    if (check->error.code == NB_OK)
        end_tail(check);
    check->findings.xxh3 = XXH3_64bits_digest(check->whole);
    return &check->findings;
}
