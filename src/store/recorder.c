/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder's door: links and their lines, and the turn's one write.
 *
 * A line costs a copy into the writer's buffer; nb__recorder_write() hands all of them to the
 * kernel with one write(), before anyone is shown any. All else (files, nights, trouble, helper
 * threads) is beside that way, in recorder_*.c.
 */
#include "recorder.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_NS (50 * NB__NS_PER_MS) /* the clock was set, not only read late */
#define SLOW_WRITE_NS (50 * NB__NS_PER_MS)
#define CLOSE_NS (2 * NB__NS_PER_S)
#define SEGMENT_BYTES ((uint64_t)256 << 20)
#define SEGMENT_NS (3600 * NB__NS_PER_S)
#define PACK_LEVEL                                                                                 \
    6 /* an eighth smaller than 1, and read faster; 94 MB/s are enough behind the scenes */

nb__recorder_config nb__recorder_config_default(void)
{
    return (nb__recorder_config){.sync_ns = NB__NS_PER_S,
                                 .segment_bytes = SEGMENT_BYTES,
                                 .segment_ns = SEGMENT_NS,
                                 .pack_level = PACK_LEVEL};
}

void recorder_tell(nb__recorder *r, nb__recorder_event event, const char *words)
{
    if (r->is_open && r->tell != NULL)
        r->tell(r->self, event, words);
}

/* ---- lines ---- */

/* Two clocks are read one after the other: the pair with least between them. */
static int64_t clock_offset_ns(void)
{
    int64_t least_ns = INT64_MAX, offset_ns = 0;
    for (int i = 0; i < 3; i++) {
        int64_t before_ns = nb__clock_mono_ns(), real_ns = nb__clock_real_ns();
        int64_t took_ns = nb__clock_mono_ns() - before_ns;
        if (took_ns >= least_ns)
            continue;
        least_ns = took_ns;
        offset_ns = real_ns - before_ns;
    }
    return offset_ns;
}

static bool is_step(int64_t moved_ns)
{
    return moved_ns > STEP_NS || moved_ns < -STEP_NS;
}

/* Once a turn, before its first line: was the clock set since the last one? The loop may have been
 * held up between its two readings, so a step is looked at again. */
static void follow_clock(nb__recorder *r)
{
    r->turn_mono_ns = nb__loop_mono_ns(r->loop);
    int64_t offset_ns = nb__loop_real_ns(r->loop) - r->turn_mono_ns;
    if (!is_step(offset_ns - r->offset_ns)) {
        r->offset_ns = offset_ns;
        return;
    }
    offset_ns = clock_offset_ns();
    int64_t step_ns = offset_ns - r->offset_ns;
    r->offset_ns = offset_ns;
    if (!is_step(step_ns))
        return;
    r->counters.clock_steps++;
    nb__log(NB__LOG_WARN, "journal", "the system's clock was set: it moved by %+.3f s",
            (double)step_ns / 1e9);
    if (r->sheet == NULL)
        return;
    nb__journal_clock_print(step_ns, &r->mark);
    recorder_put(r, nb__clock_real_ns(), 0, NB__JOURNAL_CLOCK);
}

static void too_long(nb__recorder *r, size_t size_bytes)
{
    r->counters.lost_lines++;
    r->counters.lost_bytes += size_bytes;
    if (r->is_said_too_long)
        return;
    r->is_said_too_long = true;
    nb__log(NB__LOG_ERROR, "journal",
            "a message of %zu bytes is not recorded: it is too long, or memory is exhausted",
            size_bytes);
}

static void append(nb__recorder *r, uint32_t link, nb__journal_kind kind, nb_span payload,
                   int64_t recv_ns)
{
    if (r->turn_mono_ns != nb__loop_mono_ns(r->loop))
        follow_clock(r);
    int64_t session_ns = nb__session_clock_at(&r->clock, recv_ns);
    if (session_ns < r->minute_begin_ns || session_ns >= r->minute_end_ns)
        recorder_follow_night(r, recv_ns);
    if (r->sheet == NULL && !recorder_segment_want(r, recv_ns)) {
        if (kind != NB__JOURNAL_CONNECT) /* which is said again when there is a segment */
            recorder_lose(r, recv_ns, payload.size_bytes);
        return;
    }
    if (!nb__journal_writer_line(r->writer, recv_ns, link, kind, payload)) {
        too_long(r, payload.size_bytes);
        return;
    }
    r->pending.lines++;
    r->pending.frames += kind == NB__JOURNAL_FRAME;
    r->pending.bytes += payload.size_bytes;
}

void recorder_put(nb__recorder *r, int64_t recv_ns, uint32_t link, nb__journal_kind kind)
{
    nb_span payload = nb__text_view(&r->mark);
    if (!r->mark.is_failed && nb__journal_writer_line(r->writer, recv_ns, link, kind, payload)) {
        r->pending.lines++;
        r->pending.bytes += payload.size_bytes;
    }
    nb__text_clear(&r->mark);
    r->mark.is_failed = false;
}

void nb__recorder_line(nb__recorder *r, uint32_t feed, nb__journal_kind kind, nb_span payload,
                       int64_t recv_ns)
{
    assert(feed < RECORDER_LINKS_MAX);
    const recorder_link *link = &r->links[feed];
    if (link->is_recorded)
        append(r, link->number, kind, payload, recv_ns);
}

/* ---- links ---- */

static nb__feed_kind kind_of(const nb__recorder *r, nb__feed_kind stated)
{
    return stated == NB__FEED_OTHER && r->config.counts_unstated_as_live ? NB__FEED_LIVE : stated;
}

static bool is_wanted(const nb__recorder *r, nb__feed_kind kind)
{
    return kind == NB__FEED_LIVE || r->config.is_asked_for;
}

static void set_off(nb__recorder *r, nb__feed_kind kind)
{
    snprintf(r->off_reason, sizeof r->off_reason,
             "the feed is %s, and only live ones are recorded unasked; --journal DIR records it",
             nb__feed_kind_banner(kind));
}

bool recorder_has_link(const nb__recorder *r)
{
    for (size_t i = 0; i < RECORDER_LINKS_MAX; i++)
        if (r->links[i].is_up && r->links[i].is_recorded)
            return true;
    return false;
}

/* Another kind than what is recorded at this moment: one journal is of one kind. */
static void refuse(nb__recorder *r, const recorder_link *link, nb__feed_kind kind)
{
    snprintf(r->refusal, sizeof r->refusal,
             "'%.31s' is %s, and this journal records a feed that is %s: it is not recorded",
             link->connect.feed, nb__feed_kind_banner(kind), nb__feed_kind_banner(r->feed_kind));
    nb__log(NB__LOG_ERROR, "journal",
            "NOT RECORDING: %s\ngive it a nightbook and a --journal of "
            "its own",
            r->refusal);
}

/* @return whether the link is recorded. */
static bool admit(nb__recorder *r, recorder_link *link, nb__feed_kind kind)
{
    link->is_refused = false;
    if (!is_wanted(r, kind)) {
        set_off(r, kind);
        nb__log(NB__LOG_INFO, "journal", "not recorded: %s", r->off_reason);
        return false;
    }
    if (r->has_feed_kind && kind != r->feed_kind && (r->sheet != NULL || recorder_has_link(r))) {
        refuse(r, link, kind);
        link->is_refused = true;
        return false;
    }
    r->feed_kind = kind;
    r->has_feed_kind = true;
    return true;
}

void nb__recorder_connect(nb__recorder *r, uint32_t feed, const char *name, const char *address,
                          const nb__session_clock *clock, int64_t recv_ns)
{
    assert(feed < RECORDER_LINKS_MAX);
    recorder_link *link = &r->links[feed];
    link->is_up = false; /* not yet among those that a segment restates */
    link->number = ++r->link_count;
    link->connect = (nb__journal_connect){.clock = *clock};
    snprintf(link->connect.feed, sizeof link->connect.feed, "%s", name);
    snprintf(link->connect.address, sizeof link->connect.address, "%s", address);
    link->is_recorded = admit(r, link, kind_of(r, clock->kind));
    if (link->is_recorded) {
        r->clock = *clock;
        r->minute_end_ns = r->minute_begin_ns; /* its session time may be another */
        nb__text connect = {0};
        nb__journal_connect_print(&link->connect, recv_ns, &connect);
        append(r, link->number, NB__JOURNAL_CONNECT, nb__text_view(&connect), recv_ns);
        nb__text_fini(&connect);
    }
    link->is_up = true;
    recorder_state_update(r);
    if (link->is_refused)
        recorder_tell(r, NB__RECORDER_TROUBLE, r->refusal);
}

void nb__recorder_gap(nb__recorder *r, uint32_t feed, const char *reason, bool is_rest,
                      int64_t recv_ns)
{
    assert(feed < RECORDER_LINKS_MAX);
    recorder_link *link = &r->links[feed];
    if (!link->is_up)
        return;
    if (link->is_recorded) { /* and up still: a segment that this line begins restates it */
        nb__text words = {0};
        nb__journal_gap gap = {.is_rest = is_rest};
        snprintf(gap.reason, sizeof gap.reason, "%s", reason);
        nb__journal_gap_print(&gap, &words);
        append(r, link->number, NB__JOURNAL_GAP, nb__text_view(&words), recv_ns);
        nb__text_fini(&words);
    }
    link->is_up = false;
    recorder_state_update(r);
}

/* ---- the turn's write ---- */

static void count_written(nb__recorder *r, size_t size_bytes, int64_t took_ns)
{
    nb__recorder_counters *c = &r->counters;
    uint64_t took_us = (uint64_t)(took_ns / NB__NS_PER_US);
    c->writes++;
    c->bytes += size_bytes;
    c->slow_writes += took_ns > SLOW_WRITE_NS;
    c->write_max_us = took_us > c->write_max_us ? took_us : c->write_max_us;
    c->lines += r->pending.lines;
    c->frames += r->pending.frames;
    r->night_bytes += size_bytes;
    r->unproved.lines += r->pending.lines;
    r->unproved.frames += r->pending.frames;
    r->unproved.bytes += r->pending.bytes;
    r->pending = (tally){0};
}

bool recorder_write_pending(nb__recorder *r)
{
    nb_span pending = nb__journal_writer_pending(r->writer);
    if (pending.size_bytes == 0)
        return true;
    assert(r->sheet != NULL);
    nb_error error;
    size_t written_bytes;
    int reason = 0;
    int64_t begin_ns = nb__clock_mono_ns();
    nb_err err = nb__disk_write(r->sheet->fd, pending, &written_bytes, &reason, &error);
    int64_t took_ns = nb__clock_mono_ns() - begin_ns;
    if (err != NB_OK) {
        recorder_write_failed(r, written_bytes, reason, &error);
        return false;
    }
    nb__journal_writer_took(r->writer);
    count_written(r, pending.size_bytes, took_ns);
    recorder_written(r);
    return true;
}

void nb__recorder_write(nb__recorder *r)
{
    if (r->sheet == NULL || nb__journal_writer_pending(r->writer).size_bytes == 0 ||
        !recorder_write_pending(r))
        return;
    int64_t now_ns = nb__loop_mono_ns(r->loop);
    if (now_ns >= r->rotate_mono_ns &&
        (nb__journal_writer_size(r->writer) >= r->config.segment_bytes ||
         now_ns - r->sheet->begin_mono_ns >= r->config.segment_ns))
        recorder_segment_rotate(r);
}

/* ---- the door ---- */

static nb_err open_parts(nb__recorder *r, const nb__recorder_config *config, nb_error *error)
{
    unsigned char run[8];
    nb__random_bytes(run, sizeof run);
    for (size_t i = 0; i < sizeof run; i++)
        snprintf(r->run + 2 * i, 3, "%02x", run[i]);
    nb__host_name(r->host);
    r->clock = nb__session_clock_live();
    r->offset_ns = clock_offset_ns();
    r->state_ns = recorder_now_ns(r);
    r->night_mean_bytes = -1;
    if (r->config.calendar == NULL)
        r->config.calendar = nb_calendar_builtin();
    if (!nb__span_copy(nb__span(config->directory), r->directory, sizeof r->directory - 64) ||
        r->directory[0] == '\0')
        return nb__fail(error, NB_E_ARGUMENT, 0, "'%.100s' is no path of a directory",
                        config->directory);
    r->writer = nb__journal_writer_new();
    if (r->writer == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    return recorder_care_open(r, error);
}

/* What the user must decide fails; a disk that cannot be written is tried again. */
static nb_err open_place(nb__recorder *r, nb__feed_kind expected, nb_error *error)
{
    nb_error own = {.code = NB_OK};
    bool is_known = expected != NB__FEED_OTHER; /* else its first link tells */
    if (is_known && !is_wanted(r, expected)) {
        set_off(r, expected);
        return NB_OK;
    }
    if (is_known) {
        r->feed_kind = expected;
        r->has_feed_kind = true;
    }
    nb_err err = recorder_take(r, &own);
    if (err == NB_E_BUSY || err == NB_E_VERSION || err == NB_E_CONFIG || err == NB_E_MEMORY) {
        if (error != NULL)
            *error = own;
        return err;
    }
    if (err != NB_OK)
        recorder_trouble_enter(r, 0, own.detail);
    return NB_OK;
}

static void recorder_free(nb__recorder *r)
{
    bool is_left = !recorder_care_close(r);
    nb__disk_close(r->lock_fd);
    nb__journal_writer_free(r->writer);
    nb__text_fini(&r->mark);
    free(r->wishes);
    if (!is_left)
        free(r);
}

nb_err nb__recorder_open(nb__loop *loop, const nb__recorder_config *config, nb__feed_kind expected,
                         void (*tell)(void *self, nb__recorder_event event, const char *words),
                         void *self, nb__recorder **out, nb_error *error)
{
    nb__recorder *r = calloc(1, sizeof *r);
    if (r == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    r->config = *config;
    r->loop = loop;
    r->tell = tell;
    r->self = self;
    r->lock_fd = -1;
    nb_err err = open_parts(r, config, error);
    if (err == NB_OK)
        err = open_place(r, expected, error);
    if (err != NB_OK) {
        recorder_free(r);
        return err;
    }
    r->config.directory = r->directory;
    r->is_open = true;
    recorder_state_update(r);
    *out = r;
    return NB_OK;
}

void nb__recorder_close(nb__recorder *r, const char *reason)
{
    if (r == NULL)
        return;
    r->is_open = false; /* nobody to tell any more */
    if (r->sheet != NULL)
        recorder_write_pending(r);
    if (r->trouble.is_on && r->trouble.has_lost)
        recorder_trouble_retry(r); /* the hole is marked if it can be */
    if (r->trouble.is_on && r->trouble.has_lost)
        nb__log(NB__LOG_ERROR, "journal",
                "it ends NOT RECORDING: %llu lines are lost, and no mark says so",
                (unsigned long long)r->trouble.lost_lines);
    if (r->sheet != NULL)
        recorder_segment_end(r, reason);
    if (r->sheet != NULL) /* that went wrong, and on in a new one */
        recorder_segment_drop(r);
    recorder_free(r);
}
