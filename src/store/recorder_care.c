/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits for the disk, on two helper threads: one syncs and closes, the other packs and prunes,
 * so that no sync ever waits for zstd. And the timers that ask for it: a sum each second with
 * traffic, a sync each sync_ns with something written, a look around each minute.
 *
 * A segment's file is closed by the sync thread alone, after the last job that uses it.
 */
#include "recorder.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLDER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define SLOW_SYNC_NS NB__NS_PER_S
#define LEAVE_NS (2 * NB__NS_PER_S)
#define MINUTE_NS (60 * NB__NS_PER_S)
#define PACK_AGAIN_NS (600 * NB__NS_PER_S)
#define MEAN_NIGHTS 10

/* ---- sync ---- */

static void sync_run(nb__job *job)
{
    sheet *s = HOLDER(job, sheet, sync);
    sync_result *result = &s->result;
    int64_t begin_ns = nb__clock_mono_ns();
    *result = (sync_result){.err = NB_OK};
    result->is_gone = !nb__disk_is_at(s->fd, s->path);
    result->err = nb__disk_sync(s->fd, &result->reason, &result->error);
    if (result->err == NB_OK && !s->is_named && !result->is_gone)
        s->is_named = nb__disk_sync_directory(s->directory, NULL) == NB_OK &&
                      nb__disk_sync_directory(s->journal, NULL) == NB_OK;
    result->took_ns = nb__clock_mono_ns() - begin_ns;
    if (s->wants_space)
        result->has_space =
            nb__disk_space(s->directory, &result->free_bytes, &result->total_bytes, NULL) == NB_OK;
}

static void space_note(nb__recorder *r, uint64_t free_bytes, uint64_t total_bytes);
static void care_start(nb__recorder *r);

static void sync_count(nb__recorder *r, const sync_result *result)
{
    uint64_t took_us = (uint64_t)(result->took_ns / NB__NS_PER_US);
    r->counters.syncs++;
    r->counters.slow_syncs += result->took_ns > SLOW_SYNC_NS;
    if (took_us > r->counters.sync_max_us)
        r->counters.sync_max_us = took_us;
}

static void sync_done(nb__job *job)
{
    sheet *s = HOLDER(job, sheet, sync);
    nb__recorder *r = s->recorder;
    const sync_result *result = &s->result;
    s->is_syncing = false;
    sync_count(r, result);
    if (result->has_space) {
        r->wants_space = false;
        space_note(r, result->free_bytes, result->total_bytes);
    }
    if (s != r->sheet) { /* it was left meanwhile; its last sync is told of no failure before */
        if (result->err != NB_OK && !result->is_gone)
            recorder_sync_failed(r, s, result->reason, &result->error);
        return;
    }
    if (result->is_gone) {
        recorder_segment_gone(r);
        return;
    }
    r->unproved.lines -= s->sync_unproved.lines;
    r->unproved.frames -= s->sync_unproved.frames;
    r->unproved.bytes -= s->sync_unproved.bytes;
    r->proved_ns = s->sync_before_ns;
    if (result->err != NB_OK) {
        recorder_sync_failed(r, s, result->reason, &result->error);
        return;
    }
    r->synced_ns = s->sync_before_ns;
    recorder_sync_good(r);
}

static void sync_start(nb__recorder *r)
{
    nb__recorder_write(r);
    sheet *s = r->sheet;
    if (s == NULL || s->is_syncing)
        return;
    r->is_dirty = false;
    s->is_syncing = true;
    s->sync_before_ns = nb__loop_real_ns(r->loop);
    s->sync_unproved = r->unproved;
    s->wants_space = r->wants_space;
    nb__worker_add(r->syncer, &s->sync);
}

static void sync_fired(nb__timer *timer, int64_t now_mono_ns)
{
    nb__recorder *r = HOLDER(timer, nb__recorder, sync_timer);
    if (r->sheet == NULL || !r->is_dirty)
        return;
    if (r->sheet->is_syncing) /* the last one takes its time */
        nb__timer_set(r->loop, timer, now_mono_ns + r->config.sync_ns);
    else
        sync_start(r);
}

static void sum_fired(nb__timer *timer, int64_t now_mono_ns)
{
    (void)now_mono_ns;
    nb__recorder *r = HOLDER(timer, nb__recorder, sum_timer);
    if (r->sheet == NULL || !nb__journal_writer_has_open_span(r->writer))
        return;
    nb__journal_writer_sum(r->writer, nb__loop_real_ns(r->loop));
    nb__recorder_write(r);
}

void recorder_written(nb__recorder *r)
{
    int64_t now_ns = nb__loop_mono_ns(r->loop);
    r->is_dirty = true;
    if (r->sync_timer.heap_index == 0)
        nb__timer_set(r->loop, &r->sync_timer, now_ns + r->config.sync_ns);
    if (r->sum_timer.heap_index == 0 && nb__journal_writer_has_open_span(r->writer))
        nb__timer_set(r->loop, &r->sum_timer, now_ns + NB__JOURNAL_SPAN_NS);
}

/* ---- a segment's end ---- */

static void finish_run(nb__job *job)
{
    sheet *s = HOLDER(job, sheet, finish);
    s->result.err = nb__disk_sync(s->fd, &s->result.reason, &s->result.error);
    nb__disk_close(s->fd);
}

static void ending_remove(nb__recorder *r, const sheet *s)
{
    for (sheet **at = &r->ending; *at != NULL; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            return;
        }
}

static void finish_done(nb__job *job)
{
    sheet *s = HOLDER(job, sheet, finish);
    nb__recorder *r = s->recorder;
    if (s->result.err != NB_OK && !s->is_gone)
        recorder_sync_failed(r, s, s->result.reason, &s->result.error);
    if (!s->is_gone)
        recorder_pack_wish(r, s->night, s->number);
    ending_remove(r, s);
    free(s);
    care_start(r);
}

void recorder_sheet_init(nb__recorder *r, sheet *s)
{
    *s = (sheet){.sync = {.run = sync_run, .done = sync_done},
                 .finish = {.run = finish_run, .done = finish_done},
                 .recorder = r,
                 .fd = -1};
}

void recorder_finish(nb__recorder *r, sheet *s)
{
    s->next = r->ending;
    r->ending = s;
    nb__worker_add(r->syncer, &s->finish);
}

/* ---- pack ---- */

static void packing_run(nb__job *job)
{
    packing *p = HOLDER(job, packing, job);
    nb__catalogue catalogue;
    p->err = nb__catalogue_read(p->path, &catalogue, &p->error);
    if (p->err != NB_OK)
        return;
    const nb__segment *segment = &catalogue.segments[0];
    p->err = segment->is_plain ? nb__pack_segment(segment, p->level, &p->is_stopped, &p->error)
                               : NB_E_NOT_FOUND;
    nb__catalogue_fini(&catalogue);
}

/* The first that need not wait yet. @return false: none. */
static bool take_wish(nb__recorder *r, pack_wish *out)
{
    for (size_t i = 0; i < r->wish_count; i++) {
        if (nb__loop_mono_ns(r->loop) < r->wishes[i].from_mono_ns)
            continue;
        *out = r->wishes[i];
        memmove(r->wishes + i, r->wishes + i + 1, (--r->wish_count - i) * sizeof *r->wishes);
        return true;
    }
    return false;
}

static void pack_next(nb__recorder *r)
{
    packing *p = &r->packing;
    if (p->is_running || !take_wish(r, &p->wish))
        return;
    char name[NB__JOURNAL_NAME_BYTES];
    nb__journal_name_print(name, p->wish.night, p->wish.number);
    snprintf(p->path, sizeof p->path, "%.*s/%08d/%s.log", (int)sizeof r->directory - 64,
             r->directory, p->wish.night, name);
    p->level = r->config.pack_level;
    p->is_running = true;
    nb__worker_add(r->packer, &p->job);
}

static void pack_wish_add(nb__recorder *r, const pack_wish *wish)
{
    if (r->wish_count == r->wish_capacity) {
        size_t capacity = r->wish_capacity == 0 ? 16 : 2 * r->wish_capacity;
        pack_wish *wishes = realloc(r->wishes, capacity * sizeof *wishes);
        if (wishes == NULL)
            return; /* it is packed at the next start */
        r->wishes = wishes;
        r->wish_capacity = capacity;
    }
    r->wishes[r->wish_count++] = *wish;
}

static void pack_failed(nb__recorder *r, const packing *p)
{
    bool is_soon = p->err != NB_E_JOURNAL; /* else it will not get better by itself */
    r->counters.pack_failures++;
    nb__log(NB__LOG_WARN, "journal", "%s\nit stays as it is, and readable; it is tried again %s",
            p->error.detail, is_soon ? "in 10 minutes" : "at the next start");
    if (!is_soon)
        return;
    pack_wish again = p->wish;
    again.from_mono_ns = nb__loop_mono_ns(r->loop) + PACK_AGAIN_NS;
    pack_wish_add(r, &again);
}

static void packing_done(nb__job *job)
{
    packing *p = HOLDER(job, packing, job);
    nb__recorder *r = HOLDER(p, nb__recorder, packing);
    p->is_running = false;
    if (p->err == NB_OK)
        r->counters.packed++;
    else if (p->err != NB_E_NOT_FOUND) /* pruned, or packed by hand, meanwhile */
        pack_failed(r, p);
    pack_next(r);
    if (!p->is_running)
        recorder_care_wish(r); /* how large is a night now? */
}

void recorder_pack_wish(nb__recorder *r, int night, uint32_t number)
{
    if (r->config.pack_level == 0)
        return;
    pack_wish_add(r, &(pack_wish){night, number, 0});
    pack_next(r);
}

/* ---- retention, and how large a night is ---- */

static void see_removed(void *self, int night, uint64_t size_bytes)
{
    care *c = self;
    if (c->removed_nights++ == 0)
        c->removed_first = night;
    c->removed_last = night;
    c->removed_bytes += size_bytes;
}

/* On disk, of the last nights that are over. */
static double mean_bytes(const care *c)
{
    nb__catalogue catalogue;
    uint64_t sum_bytes = 0;
    int nights = 0, night = 0;
    if (nb__catalogue_read(c->directory, &catalogue, NULL) != NB_OK)
        return -1;
    for (size_t i = catalogue.count; i > 0; i--) {
        const nb__segment *segment = &catalogue.segments[i - 1];
        if (segment->night == c->limits.current_night)
            continue;
        if (segment->night != night && ++nights > MEAN_NIGHTS)
            break;
        night = segment->night;
        sum_bytes += segment->plain_bytes + segment->packed_bytes;
    }
    nb__catalogue_fini(&catalogue);
    nights = nights > MEAN_NIGHTS ? MEAN_NIGHTS : nights;
    return nights == 0 ? -1 : (double)sum_bytes / nights;
}

static void care_run(nb__job *job)
{
    care *c = HOLDER(job, care, job);
    c->err = NB_OK;
    if (c->limits.keep_nights > 0 || c->limits.keep_bytes > 0)
        c->err = nb__prune(c->directory, &c->limits, see_removed, c, &c->error);
    c->night_mean_bytes = mean_bytes(c);
}

static void care_start(nb__recorder *r)
{
    care *c = &r->care;
    if (c->is_running || !c->is_wanted || r->ending != NULL)
        return; /* what is ending is still held, and keeps its night */
    c->is_running = true;
    c->is_wanted = false;
    c->removed_nights = c->removed_bytes = 0;
    snprintf(c->directory, sizeof c->directory, "%s", r->directory);
    c->limits = (nb__prune_limits){.keep_nights = r->config.keep_nights,
                                   .keep_bytes = r->config.keep_bytes,
                                   .current_night = r->night};
    nb__worker_add(r->packer, &c->job);
}

static void care_done(nb__job *job)
{
    care *c = HOLDER(job, care, job);
    nb__recorder *r = HOLDER(c, nb__recorder, care);
    c->is_running = false;
    r->night_mean_bytes = c->night_mean_bytes;
    r->counters.removed_nights += c->removed_nights;
    if (c->removed_nights == 1)
        nb__log(NB__LOG_INFO, "journal", "removed the night of %d, beyond what is kept (%.1f MB)",
                c->removed_first, (double)c->removed_bytes / 1e6);
    else if (c->removed_nights > 1)
        nb__log(NB__LOG_INFO, "journal",
                "removed %llu nights, %d to %d, beyond what is kept (%.1f MB)",
                (unsigned long long)c->removed_nights, c->removed_first, c->removed_last,
                (double)c->removed_bytes / 1e6);
    if (c->err != NB_OK && c->err != NB_E_NOT_FOUND)
        nb__log(NB__LOG_WARN, "journal", "old nights cannot be removed: %s", c->error.detail);
    care_start(r);
}

void recorder_care_wish(nb__recorder *r)
{
    r->care.is_wanted = true;
    care_start(r);
}

/* ---- space ---- */

static void space_note(nb__recorder *r, uint64_t free_bytes, uint64_t total_bytes)
{
    r->free_bytes = free_bytes;
    r->total_bytes = total_bytes;
    double left = r->night_mean_bytes > 0 ? (double)free_bytes / r->night_mean_bytes : -1;
    bool is_short = (left >= 0 && left < 2) || free_bytes < total_bytes / 20;
    int64_t now_ns = nb__loop_mono_ns(r->loop);
    if (!is_short || !r->is_open ||
        (r->space_told_mono_ns != 0 && now_ns - r->space_told_mono_ns < NB__NS_PER_DAY))
        return;
    char words[256], room[64] = "";
    r->space_told_mono_ns = now_ns;
    if (left >= 0)
        snprintf(room, sizeof room, ", room for %.1f nights of %.0f MB", left,
                 r->night_mean_bytes / 1e6);
    snprintf(words, sizeof words, "%.0f MB (%.1f %%) are left on the disk of %.120s%s",
             (double)free_bytes / 1e6,
             total_bytes > 0 ? 100 * (double)free_bytes / (double)total_bytes : 0, r->directory,
             room);
    nb__log(NB__LOG_WARN, "journal",
            "%s\nmake room, or let old nights go: `nightbook journal prune`, or --keep-nights or "
            "--keep-bytes",
            words);
    recorder_tell(r, NB__RECORDER_SPACE, words);
}

void recorder_space_look(nb__recorder *r)
{
    uint64_t free_bytes, total_bytes;
    if (nb__disk_space(r->directory, &free_bytes, &total_bytes, NULL) == NB_OK)
        space_note(r, free_bytes, total_bytes);
}

/* ---- each minute ---- */

/* A segment of a night that is over, or that nothing comes for, need not wait for the next line to
 * be ended and packed. */
static void end_idle_segment(nb__recorder *r)
{
    recorder_follow_night(r, recorder_now_ns(r));
    if (r->sheet != NULL && !recorder_has_link(r) &&
        nb__loop_mono_ns(r->loop) - r->sheet->begin_mono_ns >= r->config.segment_ns)
        recorder_segment_end(r, "no link is up");
}

static void minute_fired(nb__timer *timer, int64_t now_mono_ns)
{
    nb__recorder *r = HOLDER(timer, nb__recorder, minute_timer);
    nb__timer_set(r->loop, timer, now_mono_ns + MINUTE_NS);
    if (r->sheet != NULL)
        end_idle_segment(r);
    if (r->sheet != NULL) {
        r->wants_space = true;
        sync_start(r);
    } else if (r->is_taken)
        recorder_space_look(r);
    pack_next(r);
}

static void retry_fired(nb__timer *timer, int64_t now_mono_ns)
{
    (void)now_mono_ns;
    nb__recorder *r = HOLDER(timer, nb__recorder, retry_timer);
    if (r->trouble.is_on)
        recorder_trouble_retry(r);
}

/* ---- begin and end ---- */

nb_err recorder_care_open(nb__recorder *r, nb_error *error)
{
    r->sum_timer.fire = sum_fired;
    r->sync_timer.fire = sync_fired;
    r->retry_timer.fire = retry_fired;
    r->minute_timer.fire = minute_fired;
    r->packing.job = (nb__job){.run = packing_run, .done = packing_done};
    r->care.job = (nb__job){.run = care_run, .done = care_done};
    nb_err err = nb__worker_new(r->loop, "journal-sync", &r->syncer, error);
    if (err == NB_OK)
        err = nb__worker_new(r->loop, "journal-pack", &r->packer, error);
    if (err != NB_OK)
        return err;
    nb__worker_calm(r->packer);
    nb__timer_set(r->loop, &r->minute_timer, nb__clock_mono_ns() + MINUTE_NS);
    return NB_OK;
}

/* The last sync is waited for, but not for ever: what a dead disk holds stays where it is. */
bool recorder_care_close(nb__recorder *r)
{
    nb__timer_cancel(r->loop, &r->sum_timer);
    nb__timer_cancel(r->loop, &r->sync_timer);
    nb__timer_cancel(r->loop, &r->retry_timer);
    nb__timer_cancel(r->loop, &r->minute_timer);
    __atomic_store_n(&r->packing.is_stopped, true, __ATOMIC_RELAXED);
    int64_t until_ns = nb__clock_mono_ns() + LEAVE_NS;
    bool is_synced = r->syncer == NULL || nb__worker_leave(r->syncer, LEAVE_NS);
    int64_t left_ns = until_ns - nb__clock_mono_ns();
    bool is_packed = r->packer == NULL || nb__worker_leave(r->packer, left_ns > 0 ? left_ns : 0);
    if (!is_synced || !is_packed)
        nb__log(NB__LOG_WARN, "journal",
                "the disk takes more than %d s to %s: the last of it is left to the system",
                (int)(LEAVE_NS / NB__NS_PER_S), is_synced ? "end a pack" : "sync");
    for (sheet *s; is_synced && (s = r->ending) != NULL;) {
        r->ending = s->next;
        free(s);
    }
    return is_packed;
}
