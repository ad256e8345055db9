/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cannot be written.
 *
 *     a write fails           cut back to the last whole line, leave the file, NOT RECORDING; a new
 *                             segment is tried each 2 s (at once where that may help)
 *     the file is gone        what came since it was last seen is lost; a new segment at once
 *     a sync fails            the file is never trusted again: a new segment at once, told until a
 *                             sync goes well; where none does, one new segment a minute
 *
 * The first segment behind a hole has a `disk` mark: since when, why, how much was lost. Frames are
 * passed on all the while: that is what this room must never stop.
 */
#include "recorder.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RETRY_NS (2 * NB__NS_PER_S)
#define RETRY_MAX_NS (64 * NB__NS_PER_S)
#define FLAP_NS (10 * NB__NS_PER_S) /* trouble so soon after the last: wait longer */
#define UNSYNCED_NS (60 * NB__NS_PER_S)

static const char *remedy(int reason)
{
    switch (reason) {
    case ENOSPC:
        return "the disk is full: make room on it";
    case EDQUOT:
        return "this user's quota is spent: make room, or have it raised";
    case EFBIG:
        return "a file may not grow so large here: raise `ulimit -f`";
    case ENOENT:
        return "leave it where it is while nightbook records";
    case EROFS:
        return "the file system is read-only: dmesg says why; mount -o remount,rw";
    case EACCES:
    case EPERM:
        return "this user may not write there: chown or chmod it";
    case EIO:
        return "the disk does not work: dmesg and smartctl say more";
    case EMFILE:
    case ENFILE:
        return "too many files are open: raise `ulimit -n`";
    default:
        return "make the directory writable for this user, with room on its disk";
    }
}

/* ---- what is lost ---- */

void recorder_lose(nb__recorder *r, int64_t recv_ns, size_t size_bytes)
{
    trouble *t = &r->trouble;
    if (!t->has_lost)
        t->hole_ns = recv_ns;
    t->has_lost = true;
    t->lost_lines++;
    t->lost_bytes += size_bytes;
    r->counters.lost_lines++;
    r->counters.lost_bytes += size_bytes;
}

/* Lines since then may be lost too. */
static void widen_hole(trouble *t, int64_t since_ns)
{
    if (since_ns < t->hole_ns)
        t->hole_ns = since_ns;
    t->has_lost = true;
}

/* Cut the next line off `*lines`. @return false: there is none. */
static bool take_line(nb_span *lines, nb__journal_line *out)
{
    while (lines->size_bytes > 0) {
        const char *end = memchr(lines->data, '\n', lines->size_bytes);
        if (end == NULL)
            return false;
        nb_span line = {lines->data, (size_t)(end - lines->data)};
        lines->data += line.size_bytes + 1;
        lines->size_bytes -= line.size_bytes + 1;
        if (nb__journal_line_parse(line, out, NULL) == NB_OK)
            return true;
    }
    return false;
}

static void lose_lines(nb__recorder *r, nb_span lines)
{
    for (nb__journal_line line; take_line(&lines, &line);)
        if (line.kind != NB__JOURNAL_SUM && line.kind != NB__JOURNAL_STOP)
            recorder_lose(r, line.recv_ns, nb__journal_message_bytes(&line));
}

static void count_lines(nb__recorder *r, nb_span lines)
{
    for (nb__journal_line line; take_line(&lines, &line);) {
        r->counters.lines += line.kind != NB__JOURNAL_SUM;
        r->counters.frames += line.kind == NB__JOURNAL_FRAME;
    }
}

/* Lines that were meant for the segment before. */
static void put_lines(nb__recorder *r, nb_span lines)
{
    nb__text message = {0};
    for (nb__journal_line line; take_line(&lines, &line);) {
        if (line.kind == NB__JOURNAL_SUM || line.kind == NB__JOURNAL_STOP)
            continue;
        nb__text_clear(&message);
        char *to = nb__text_reserve(&message, line.payload.size_bytes + 1);
        size_t size = to == NULL ? 0 : nb__journal_unescape(line.payload, to);
        if (to == NULL || !nb__journal_writer_line(r->writer, line.recv_ns, line.link, line.kind,
                                                   (nb_span){to, size})) {
            recorder_lose(r, line.recv_ns, nb__journal_message_bytes(&line));
            continue;
        }
        r->pending.lines++;
        r->pending.frames += line.kind == NB__JOURNAL_FRAME;
        r->pending.bytes += size;
    }
    nb__text_fini(&message);
    recorder_write_pending(r);
}

/* ---- in and out ---- */

static void log_trouble(trouble *t)
{
    if (strcmp(t->words, t->logged) == 0)
        return;
    memcpy(t->logged, t->words, sizeof t->logged);
    nb__log(NB__LOG_ERROR, "journal",
            "NOT RECORDING: %s\n%s. It is tried again by itself; what comes meanwhile is passed "
            "on, and is not recorded",
            t->words, remedy(t->reason));
}

void recorder_trouble_enter(nb__recorder *r, int reason, const char *words)
{
    trouble *t = &r->trouble;
    int64_t now_ns = nb__clock_mono_ns();
    if (!t->is_on) {
        bool is_flapping = t->over_mono_ns != 0 && now_ns - t->over_mono_ns < FLAP_NS;
        t->delay_ns = !is_flapping                     ? RETRY_NS
                      : t->delay_ns < RETRY_MAX_NS / 2 ? 2 * t->delay_ns
                                                       : RETRY_MAX_NS;
        t->is_on = true;
        t->is_told = t->has_lost = false;
        t->logged[0] = '\0';
        t->lost_lines = t->lost_bytes = 0;
        t->hole_ns = recorder_now_ns(r);
        r->counters.holes++;
    }
    t->reason = reason;
    snprintf(t->words, sizeof t->words, "%s", words);
    log_trouble(t);
    nb__timer_set(r->loop, &r->retry_timer, now_ns + t->delay_ns);
    recorder_state_update(r);
    if (t->is_told || !r->is_open)
        return;
    t->is_told = true;
    recorder_tell(r, NB__RECORDER_TROUBLE, t->words);
}

static void trouble_over(nb__recorder *r, const nb__journal_disk *hole)
{
    trouble *t = &r->trouble;
    char words[256];
    int64_t now_ns = recorder_now_ns(r);
    t->is_on = false;
    t->over_mono_ns = nb__clock_mono_ns();
    nb__timer_cancel(r->loop, &r->retry_timer);
    if (r->sheet != NULL)
        snprintf(words, sizeof words,
                 "recording again, in %s: %.1f s and %llu lines (%llu bytes) are missing, and a "
                 "mark says so",
                 r->sheet->name, (double)(now_ns - hole->since_ns) / 1e9,
                 (unsigned long long)hole->lost_lines, (unsigned long long)hole->lost_bytes);
    else
        snprintf(words, sizeof words, "%.200s can be written again", r->directory);
    nb__log(NB__LOG_WARN, "journal", "%s", words);
    recorder_state_update(r);
    if (t->is_told && !t->is_unsynced) /* else when a sync goes well */
        recorder_tell(r, NB__RECORDER_BACK, words);
}

void recorder_trouble_retry(nb__recorder *r)
{
    trouble *t = &r->trouble;
    int reason = 0;
    nb_error error = {.code = NB_OK, .detail = "memory is exhausted"};
    nb__journal_disk hole = {
        .since_ns = t->hole_ns, .lost_lines = t->lost_lines, .lost_bytes = t->lost_bytes};
    snprintf(hole.reason, sizeof hole.reason, "%s", t->words);
    recorder_space_look(r);
    bool is_over;
    if (t->has_lost || recorder_has_link(r)) {
        int64_t now_ns = recorder_now_ns(r);
        recorder_follow_night(r, now_ns);
        is_over = recorder_segment_open(r, now_ns, &hole, &reason, &error);
    } else
        is_over = r->is_taken || recorder_take(r, &error) == NB_OK;
    if (is_over)
        trouble_over(r, &hole);
    else
        recorder_trouble_enter(r, reason, error.detail);
}

bool recorder_segment_want(nb__recorder *r, int64_t recv_ns)
{
    int reason = 0;
    nb_error error = {.code = NB_OK, .detail = "memory is exhausted"};
    if (r->trouble.is_on)
        return false;
    if (recorder_segment_open(r, recv_ns, NULL, &reason, &error))
        return true;
    recorder_trouble_enter(r, reason, error.detail);
    return false;
}

/* ---- a write failed ---- */

/* Where waiting changes nothing, a new file may. Not again and again. */
static bool may_help_at_once(nb__recorder *r, int reason)
{
    trouble *t = &r->trouble;
    int64_t now_ns = nb__clock_mono_ns();
    if (reason == ENOSPC || reason == EDQUOT || reason == EROFS ||
        (t->at_once_mono_ns != 0 && now_ns - t->at_once_mono_ns < RETRY_NS))
        return false;
    t->at_once_mono_ns = now_ns;
    return true;
}

/* The segment is left and there is trouble; `rest` goes into a new one, or is lost. */
static void go_on(nb__recorder *r, int reason, nb_span rest)
{
    if (may_help_at_once(r, reason))
        recorder_trouble_retry(r);
    if (r->sheet != NULL)
        put_lines(r, rest);
    else
        lose_lines(r, rest);
}

static size_t whole_lines(nb_span bytes)
{
    const char *last = bytes.size_bytes == 0 ? NULL : memrchr(bytes.data, '\n', bytes.size_bytes);
    return last == NULL ? 0 : (size_t)(last + 1 - bytes.data);
}

/* What is pending from `at_bytes` on, as a copy: the writer begins anew. */
static nb__text take_rest(nb__recorder *r, size_t at_bytes)
{
    nb__text rest = {0};
    nb_span pending = nb__journal_writer_pending(r->writer);
    nb__text_append(&rest, pending.data + at_bytes, pending.size_bytes - at_bytes);
    nb__journal_writer_took_some(r->writer, at_bytes);
    return rest;
}

void recorder_write_failed(nb__recorder *r, size_t written_bytes, int reason, const nb_error *error)
{
    nb_error cut;
    nb_span pending = nb__journal_writer_pending(r->writer);
    size_t kept = whole_lines((nb_span){pending.data, written_bytes});
    uint64_t whole_bytes = nb__journal_writer_size(r->writer) + kept;
    if (nb__disk_truncate(r->sheet->fd, whole_bytes, &cut) != NB_OK)
        nb__log(NB__LOG_WARN, "journal",
                "%s may end within a line: %s\nnightbook journal verify '%.200s'", r->sheet->name,
                cut.detail, r->directory);
    count_lines(r, (nb_span){pending.data, kept});
    r->counters.bytes += kept;
    nb__text rest = take_rest(r, kept);
    char words[256];
    snprintf(words, sizeof words, "%.160s %.80s", r->sheet->path, error->detail);
    recorder_segment_drop(r);
    recorder_trouble_enter(r, reason, words);
    go_on(r, reason, nb__text_view(&rest));
    nb__text_fini(&rest);
}

/* ---- the file is gone, or does not reach the disk ---- */

void recorder_segment_gone(nb__recorder *r)
{
    char words[256];
    snprintf(words, sizeof words, "%.200s was removed while it was written", r->sheet->path);
    nb__text rest = take_rest(r, 0);
    tally lost = r->unproved;
    int64_t since_ns = r->proved_ns;
    r->sheet->is_gone = true;
    recorder_segment_drop(r);
    recorder_untake(r);
    recorder_trouble_enter(r, ENOENT, words);
    trouble *t = &r->trouble;
    widen_hole(t, since_ns);
    t->lost_lines += lost.lines;
    t->lost_bytes += lost.bytes;
    r->counters.lost_lines += lost.lines;
    r->counters.lost_bytes += lost.bytes;
    go_on(r, ENOENT, nb__text_view(&rest));
    nb__text_fini(&rest);
}

void recorder_sync_failed(nb__recorder *r, const sheet *s, int reason, const nb_error *error)
{
    trouble *t = &r->trouble;
    int64_t now_ns = nb__clock_mono_ns();
    bool is_first = !t->is_unsynced;
    nb__journal_disk hole = {.since_ns = r->synced_ns};
    snprintf(hole.reason, sizeof hole.reason, "%.160s %.80s", s->path, error->detail);
    if (t->is_on) { /* its mark will say so */
        nb__log(NB__LOG_WARN, "journal", "%s", hole.reason);
        widen_hole(t, hole.since_ns);
        return;
    }
    if (!is_first && now_ns - r->unsynced_mono_ns < UNSYNCED_NS)
        return; /* told, and left not long ago: what comes is written all the same */
    r->unsynced_mono_ns = now_ns;
    t->is_unsynced = true;
    int open_reason = 0;
    nb_error open_error = {.code = NB_OK, .detail = "memory is exhausted"};
    nb__text rest = take_rest(r, 0);
    if (r->sheet != NULL)
        recorder_segment_drop(r);
    if (recorder_segment_open(r, recorder_now_ns(r), &hole, &open_reason, &open_error))
        put_lines(r, nb__text_view(&rest));
    else {
        recorder_trouble_enter(r, open_reason, open_error.detail);
        widen_hole(t, hole.since_ns);
        lose_lines(r, nb__text_view(&rest));
    }
    nb__text_fini(&rest);
    if (!is_first || t->is_on)
        return;
    t->reason = reason;
    snprintf(t->words, sizeof t->words, "%s", hole.reason);
    r->counters.holes++;
    nb__log(NB__LOG_ERROR, "journal",
            "NOT RECORDING for certain: %s\n%s. It is written on, in a new segment, and may not "
            "outlive a power cut",
            t->words, remedy(reason));
    recorder_state_update(r);
    recorder_tell(r, NB__RECORDER_TROUBLE, t->words);
}

void recorder_sync_good(nb__recorder *r)
{
    trouble *t = &r->trouble;
    if (!t->is_unsynced)
        return;
    t->is_unsynced = false;
    nb__log(NB__LOG_WARN, "journal", "what is recorded reaches the disk again, in %s",
            r->sheet->name);
    recorder_state_update(r);
    recorder_tell(r, NB__RECORDER_BACK, "what is recorded reaches the disk again");
}
