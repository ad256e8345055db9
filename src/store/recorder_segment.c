/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment's begin and end. The first write of each holds its start mark, the links that are up,
 * and what was lost before it; only then is it ours. Never is anything appended to an older one.
 */
#include "care.h"
#include "recorder.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_NS (60 * NB__NS_PER_S)
/* The links come up five minutes before order receipt: what they say then is the night's already */
#define AHEAD_NS (20 * MINUTE_NS)
#define NUMBER_TRIES 100
#define ROTATE_AGAIN_NS (60 * NB__NS_PER_S)

/* ---- nights ---- */

void recorder_follow_night(nb__recorder *r, int64_t recv_ns)
{
    int64_t session_ns = nb__session_clock_at(&r->clock, recv_ns);
    int night = NB_DATE_UNDEF;
    r->minute_begin_ns = r->minute_end_ns = 0; /* looked at with each line */
    if (session_ns != NB_TIME_UNDEF) {
        night = nb_trade_date(r->config.calendar, session_ns + AHEAD_NS);
        r->minute_begin_ns = session_ns - session_ns % MINUTE_NS;
        r->minute_end_ns = r->minute_begin_ns + MINUTE_NS;
    }
    if (night == NB_DATE_UNDEF)
        night = r->night != 0 ? r->night : nb__kst_civil(recv_ns).date;
    if (night == r->night)
        return;
    r->night = night;
    if (r->sheet != NULL)
        recorder_segment_end(r, "another night");
    r->night_bytes = 0;
}

/* ---- numbers ---- */

typedef struct highest {
    int night;
    uint32_t number;
} highest;

/* Whatever stands behind the name (.log, .log.zst, .log.zst.tmp, .damaged-…), its number is taken.
 */
static void see_number(void *self, const nb__disk_entry *entry)
{
    highest *h = self;
    int night;
    uint32_t number;
    if (care_segment_of(entry->name, &night, &number) && night == h->night && number > h->number)
        h->number = number;
}

static nb_err follow_numbers(nb__recorder *r, const char *directory, nb_error *error)
{
    if (r->numbered_night == r->night)
        return NB_OK;
    highest h = {.night = r->night};
    nb_err err = nb__disk_list(directory, see_number, &h, error);
    if (err != NB_OK)
        return err;
    if (r->number_night == r->night && r->number > h.number)
        h.number = r->number; /* of ours that was removed: its name is in marks */
    r->numbered_night = r->number_night = r->night;
    r->number = h.number;
    return NB_OK;
}

/* ---- the file ---- */

static void sheet_discard(nb__recorder *r, sheet *s)
{
    nb__disk_close(s->fd);
    if (nb__disk_remove(s->path, NULL) == NB_OK && s->number == r->number)
        r->number--;
    free(s);
}

/* The next number that no file has. */
static nb_err sheet_make_file(nb__recorder *r, sheet *s, int *reason, nb_error *error)
{
    for (int i = 0; i < NUMBER_TRIES; i++) {
        s->number = ++r->number;
        nb__journal_name_print(s->name, s->night, s->number);
        snprintf(s->path, sizeof s->path, "%.*s/%s.log", (int)sizeof s->directory - 64,
                 s->directory, s->name);
        nb_err err = nb__disk_create(s->path, &s->fd, reason, error);
        if (err == NB_OK)
            return NB_OK;
        if (*reason != EEXIST) {
            r->number--;
            return err;
        }
    }
    return NB_E_SYSTEM;
}

/* @return NULL: words, and the errno where it is known. */
static sheet *sheet_create(nb__recorder *r, int *reason, nb_error *error)
{
    *reason = 0;
    sheet *s = recorder_prepare(r, error) == NB_OK ? calloc(1, sizeof *s) : NULL;
    if (s == NULL)
        return NULL;
    recorder_sheet_init(r, s);
    s->night = r->night;
    memcpy(s->journal, r->directory, sizeof s->journal);
    s->begin_mono_ns = nb__loop_mono_ns(r->loop);
    snprintf(s->directory, sizeof s->directory, "%.*s/%08d", (int)sizeof r->directory - 64,
             r->directory, r->night);
    nb_err err = nb__directory_make(s->directory, error);
    if (err == NB_OK)
        err = follow_numbers(r, s->directory, error);
    if (err == NB_OK)
        err = sheet_make_file(r, s, reason, error);
    if (err == NB_OK)
        return s;
    free(s);
    return NULL;
}

/* ---- begin ---- */

static void put_start(nb__recorder *r, const sheet *s, int64_t recv_ns)
{
    nb__journal_start start = {
        .format = NB__JOURNAL_FORMAT, .feed = r->feed_kind, .night = s->night, .after = r->after};
    snprintf(start.version, sizeof start.version, "%s", NB_VERSION);
    snprintf(start.host, sizeof start.host, "%s", r->host);
    snprintf(start.segment, sizeof start.segment, "%s", s->name);
    memcpy(start.run, r->run, sizeof start.run);
    nb__journal_start_print(&start, &r->mark);
    recorder_put(r, recv_ns, 0, NB__JOURNAL_START);
}

static void put_links(nb__recorder *r, int64_t recv_ns)
{
    for (size_t i = 0; i < RECORDER_LINKS_MAX; i++) {
        recorder_link *link = &r->links[i];
        if (!link->is_up || !link->is_recorded)
            continue;
        nb__journal_connect connect = link->connect;
        connect.is_continued = true;
        nb__journal_connect_print(&connect, recv_ns, &r->mark);
        recorder_put(r, recv_ns, link->number, NB__JOURNAL_CONNECT);
    }
}

static bool sheet_begin(nb__recorder *r, sheet *s, int64_t recv_ns, const nb__journal_disk *disk,
                        int *reason, nb_error *error)
{
    nb__journal_writer_begin(r->writer);
    r->pending = r->unproved = (tally){0};
    put_start(r, s, recv_ns);
    put_links(r, recv_ns);
    if (disk != NULL) {
        nb__journal_disk_print(disk, &r->mark);
        recorder_put(r, recv_ns, 0, NB__JOURNAL_DISK);
    }
    nb_span pending = nb__journal_writer_pending(r->writer);
    size_t written_bytes;
    nb_err err = nb__disk_write(s->fd, pending, &written_bytes, reason, error);
    if (err != NB_OK) {
        nb__fail_in(error, "%.150s", s->path);
        nb__journal_writer_begin(r->writer);
        r->pending = (tally){0};
        sheet_discard(r, s);
        return false;
    }
    nb__journal_writer_took(r->writer);
    r->counters.lines += r->pending.lines;
    r->counters.bytes += pending.size_bytes;
    r->counters.writes++;
    r->counters.segments++;
    r->night_bytes += pending.size_bytes;
    r->pending = (tally){0};
    r->sheet = s;
    r->proved_ns = recorder_now_ns(r);
    if (r->synced_ns == 0) /* nothing came before */
        r->synced_ns = recv_ns;
    if (s->night != r->cared_night)
        recorder_care_wish(r); /* the night before is over */
    r->cared_night = s->night;
    recorder_written(r);
    recorder_state_update(r);
    nb__log(NB__LOG_INFO, "journal", "recording to %s", s->path);
    return true;
}

bool recorder_segment_open(nb__recorder *r, int64_t recv_ns, const nb__journal_disk *disk,
                           int *reason, nb_error *error)
{
    sheet *s = sheet_create(r, reason, error);
    return s != NULL && sheet_begin(r, s, recv_ns, disk, reason, error);
}

/* ---- end ---- */

void recorder_segment_drop(nb__recorder *r)
{
    sheet *s = r->sheet;
    memcpy(r->after.segment, s->name, sizeof s->name);
    r->after.size_bytes = nb__journal_writer_size(r->writer);
    r->after.xxh3 = nb__journal_writer_xxh3(r->writer);
    nb__journal_writer_begin(r->writer);
    r->pending = (tally){0};
    r->sheet = NULL;
    recorder_finish(r, s);
    recorder_state_update(r);
}

void recorder_segment_end(nb__recorder *r, const char *reason)
{
    int64_t now_ns = recorder_now_ns(r);
    nb__journal_stop_print(reason, &r->mark);
    recorder_put(r, now_ns, 0, NB__JOURNAL_STOP);
    nb__journal_writer_sum(r->writer, now_ns);
    if (recorder_write_pending(r))
        recorder_segment_drop(r);
}

static void rotation_failed(nb__recorder *r, const nb_error *error)
{
    r->rotate_mono_ns = nb__loop_mono_ns(r->loop) + ROTATE_AGAIN_NS;
    if (!r->is_rotation_failing)
        nb__log(NB__LOG_WARN, "journal",
                "a new segment cannot be begun: %s\n%s is written on meanwhile, and a new one "
                "tried each minute; make %.200s writable for this user",
                error->detail, r->sheet->name, r->directory);
    r->is_rotation_failing = true;
}

/* The new one is made first: as long as the old file takes lines, nothing is lost. */
void recorder_segment_rotate(nb__recorder *r)
{
    int reason = 0;
    nb_error error = {.code = NB_OK, .detail = "memory is exhausted"};
    char words[64];
    if (!recorder_has_link(r)) {
        recorder_segment_end(r, "no link is up");
        return;
    }
    sheet *next = sheet_create(r, &reason, &error);
    if (next == NULL) {
        rotation_failed(r, &error);
        return;
    }
    snprintf(words, sizeof words, "goes on in %s", next->name);
    recorder_segment_end(r, words);
    if (r->sheet != NULL || r->trouble.is_on) { /* its end could not be written: that is seen to */
        sheet_discard(r, next);
        return;
    }
    r->is_rotation_failing = false;
    if (!sheet_begin(r, next, recorder_now_ns(r), NULL, &reason, &error))
        recorder_trouble_enter(r, reason, error.detail);
}
