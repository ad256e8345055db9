/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recorder in a loop, with real files, under clocks and disk troubles of the test's own: the
 * program's definitions of clock_gettime(), write(), fdatasync() and statvfs() stand before libc's.
 *
 * What the recorder was given is kept; what is on disk is compared with it, segment by segment.
 */
#ifndef NB_TEST_RECORDER_RIG_H
#define NB_TEST_RECORDER_RIG_H

#include "guard.h"
#include "store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define NIGHT 20261123
#define NIGHT_BEGIN_NS INT64_C(1795165200000000000) /* 2026-11-20 18:00:00 KST, of that night */

/* ---- clocks and disk as the test wants them ---- */

static atomic_llong fake_mono_ns, fake_real_ns; /* added to the kernel's */
static atomic_int write_errno;                  /* 0: none */
static atomic_llong write_room = -1;            /* bytes until it fails; -1: no end */
static atomic_int write_failures;               /* so often, then it works again; 0: for ever */
static atomic_int write_ms, sync_errno, sync_ms, sync_count;
static atomic_ullong fake_free_bytes, fake_total_bytes; /* total 0: the kernel's */

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *out)
{
    int code = (int)syscall(SYS_clock_gettime, clock, out);
    int64_t add_ns = clock == CLOCK_MONOTONIC  ? atomic_load(&fake_mono_ns)
                     : clock == CLOCK_REALTIME ? atomic_load(&fake_real_ns)
                                               : 0;
    int64_t ns = (int64_t)out->tv_sec * NB__NS_PER_S + out->tv_nsec + add_ns;
    *out = (struct timespec){(time_t)(ns / NB__NS_PER_S), (long)(ns % NB__NS_PER_S)};
    return code;
}

static inline void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * NB__NS_PER_MS}, NULL);
}

/* Only appends to a segment fail: O_APPEND tells them. */
__attribute__((visibility("default"))) ssize_t write(int fd, const void *data, size_t size)
{
    bool is_segment = (fcntl(fd, F_GETFL) & O_APPEND) != 0 && fd > 2;
    long long room = atomic_load(&write_room);
    if (is_segment && atomic_load(&write_ms) > 0)
        sleep_ms(atomic_load(&write_ms));
    if (is_segment && room >= 0) {
        if (room == 0) {
            if (atomic_load(&write_failures) > 0 && atomic_fetch_sub(&write_failures, 1) == 1)
                atomic_store(&write_room, -1);
            errno = atomic_load(&write_errno);
            return -1;
        }
        size = size > (size_t)room ? (size_t)room : size;
        atomic_fetch_sub(&write_room, (long long)size);
    }
    return syscall(SYS_write, fd, data, size);
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    atomic_fetch_add(&sync_count, 1);
    if (atomic_load(&sync_ms) > 0)
        sleep_ms(atomic_load(&sync_ms));
    if (atomic_load(&sync_errno) != 0) {
        errno = atomic_load(&sync_errno);
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

__attribute__((visibility("default"))) int statvfs(const char *path, struct statvfs *out)
{
    struct stat about;
    if (stat(path, &about) != 0)
        return -1;
    uint64_t total = atomic_load(&fake_total_bytes), left = atomic_load(&fake_free_bytes);
    total = total == 0 ? (uint64_t)1 << 40 : total;
    *out = (struct statvfs){.f_frsize = 1, .f_blocks = total, .f_bavail = left == 0 ? total : left};
    return 0;
}

/* Both clocks go on, without waiting. */
static inline void pass_ns(int64_t ns)
{
    atomic_fetch_add(&fake_mono_ns, ns);
    atomic_fetch_add(&fake_real_ns, ns);
}

/* ---- the rig ---- */

#define SENT_MAX 4096

typedef struct rig {
    char folder[64], journal[96];
    nb__loop *loop;
    nb__recorder *recorder;
    nb__recorder_config config;
    nb_error error;
    int troubles, backs, spaces;
    char words[256];
    int sent; /* frames are numbered */
} rig;

static inline int rig_drop(const char *path, const struct stat *about, int kind, struct FTW *at)
{
    (void)about;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline void rig_tell(void *self, nb__recorder_event event, const char *words)
{
    rig *r = self;
    r->troubles += event == NB__RECORDER_TROUBLE;
    r->backs += event == NB__RECORDER_BACK;
    r->spaces += event == NB__RECORDER_SPACE;
    snprintf(r->words, sizeof r->words, "%s", words);
}

/* The clock stands at 2026-11-20 18:30 KST. */
static inline void rig_init(rig *r)
{
    struct timespec now;
    *r = (rig){.folder = "/tmp/nb-recorder-XXXXXX"};
    assert_non_null(mkdtemp(r->folder));
    snprintf(r->journal, sizeof r->journal, "%s/journal", r->folder);
    r->config = nb__recorder_config_default();
    r->config.directory = r->journal;
    r->config.sync_ns = 20 * NB__NS_PER_MS;
    r->config.pack_level = 0;
    atomic_store(&write_room, -1);
    atomic_store(&write_errno, ENOSPC);
    atomic_store(&write_failures, 0);
    atomic_store(&write_ms, 0);
    atomic_store(&sync_errno, 0);
    atomic_store(&sync_ms, 0);
    atomic_store(&fake_total_bytes, 0);
    atomic_store(&fake_free_bytes, 0);
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    atomic_store(&fake_mono_ns, 0);
    atomic_store(&fake_real_ns, NIGHT_BEGIN_NS + 1800 * NB__NS_PER_S -
                                    ((int64_t)now.tv_sec * NB__NS_PER_S + now.tv_nsec));
    assert_int_equal(nb__loop_new(&r->loop, NULL), NB_OK);
    nb__log_set_level(getenv("SHOW") ? NB__LOG_DEBUG : NB__LOG_ERROR + 1);
}

static inline void rig_fini(rig *r)
{
    nb__recorder_close(r->recorder, "the test ends");
    nb__loop_free(r->loop);
    nftw(r->folder, rig_drop, 8, FTW_DEPTH | FTW_PHYS);
}

static inline nb_err rig_open(rig *r, nb__feed_kind expected)
{
    r->recorder = NULL;
    return nb__recorder_open(r->loop, &r->config, expected, rig_tell, r, &r->recorder, &r->error);
}

static inline void rig_begin(rig *r)
{
    rig_init(r);
    assert_int_equal(rig_open(r, NB__FEED_LIVE), NB_OK);
}

static inline void rig_close(rig *r, const char *reason)
{
    nb__recorder_close(r->recorder, reason);
    r->recorder = NULL;
}

static inline void turn(rig *r)
{
    assert_int_equal(nb__loop_turn(r->loop, 1), NB_OK);
}

#define TURN_UNTIL(r, condition)                                                                   \
    do {                                                                                           \
        for (int left_ = 4000; left_ > 0 && !(condition); left_--)                                 \
            turn(r);                                                                               \
        assert_true(condition);                                                                    \
    } while (0)

static inline nb__session_clock clock_of(nb__feed_kind kind)
{
    nb__session_clock clock = nb__session_clock_live();
    clock.kind = kind;
    return clock;
}

static inline void connect_as(rig *r, uint32_t feed, nb__feed_kind kind)
{
    nb__session_clock clock = clock_of(kind);
    char name[16];
    snprintf(name, sizeof name, "key%u", feed);
    nb__recorder_connect(r->recorder, feed, name, "ws://127.0.0.1:21000", &clock,
                         nb__clock_real_ns());
}

/* Its number, so that each can be told from any other. */
static inline void send_frame(rig *r, uint32_t feed)
{
    char text[64];
    int size = snprintf(text, sizeof text, "0|H0EUASP0|001|%06d^x", r->sent++);
    nb__recorder_line(r->recorder, feed, NB__JOURNAL_FRAME, (nb_span){text, (size_t)size},
                      nb__clock_real_ns());
}

static inline void send_frames(rig *r, uint32_t feed, int count)
{
    for (int i = 0; i < count; i++)
        send_frame(r, feed);
}

static inline nb__recorder_counters counters(const rig *r)
{
    return *nb__recorder_look(r->recorder).counters;
}

static inline const char *state(const rig *r)
{
    return nb__recorder_look(r->recorder).state;
}

/* ---- what is on disk ---- */

typedef struct found {
    int segments, starts, connects, continued, gaps, clocks, stops, disks, sums, others;
    int numbers[SENT_MAX], number_count; /* of frames, in order */
    int64_t clock_step_ns;
    uint64_t lost_lines;
    nb__journal_disk disk;  /* the last */
    nb__journal_after last; /* what the next one must name */
    nb__journal_start start;
    uint32_t link; /* of the last frame */
    bool is_stopped;
    char stop[64], other[64]; /* payloads of the last; the other's own bytes */
    uint64_t damages;
} found;

static inline void see_damage(void *self, const nb__damage *damage)
{
    (void)damage;
    ((found *)self)->damages++;
}

static inline void see_line(found *f, const nb__journal_line *line)
{
    nb__journal_connect connect;
    switch (line->kind) {
    case NB__JOURNAL_FRAME:
        assert_true(f->number_count < SENT_MAX);
        f->numbers[f->number_count++] = (int)strtol(line->payload.data + 15, NULL, 10);
        f->link = line->link;
        break;
    case NB__JOURNAL_START:
        assert_int_equal(nb__journal_start_parse(line->payload, &f->start, NULL), NB_OK);
        assert_int_equal(line->link, 0);
        f->starts++;
        break;
    case NB__JOURNAL_CONNECT:
        assert_int_equal(nb__journal_connect_parse(line->payload, line->recv_ns, &connect, NULL),
                         NB_OK);
        f->connects++;
        f->continued += connect.is_continued;
        break;
    case NB__JOURNAL_CLOCK:
        assert_int_equal(nb__journal_clock_parse(line->payload, &f->clock_step_ns, NULL), NB_OK);
        f->clocks++;
        break;
    case NB__JOURNAL_DISK:
        assert_int_equal(nb__journal_disk_parse(line->payload, &f->disk, NULL), NB_OK);
        f->lost_lines += f->disk.lost_lines;
        f->disks++;
        break;
    case NB__JOURNAL_STOP:
        snprintf(f->stop, sizeof f->stop, "%.*s", (int)line->payload.size_bytes,
                 line->payload.data);
        f->stops++;
        break;
    case NB__JOURNAL_GAP:
        f->gaps++;
        break;
    case NB__JOURNAL_SUM:
        f->sums++;
        break;
    default:
        f->others++;
        assert_true(line->payload.size_bytes < sizeof f->other);
        f->other[nb__journal_unescape(line->payload, f->other)] = '\0';
        break;
    }
}

/* A plain segment: good by its sums, its lines, and what it says of its predecessor. */
static inline void see_segment(found *f, const char *path, const char *name)
{
    nb__text text = {0};
    assert_int_equal(nb__file_read(path, (size_t)1 << 30, &text, NULL), NB_OK);
    nb__journal_check *check = nb__journal_check_new(see_damage, f);
    assert_int_equal(nb__journal_check_feed(check, nb__text_view(&text), NULL), NB_OK);
    const nb__journal_findings *findings = nb__journal_check_end(check);
    f->is_stopped = findings->is_stopped;
    nb__journal_check_free(check);
    for (size_t at = 0; at < text.size_bytes;) {
        const char *end = memchr(text.data + at, '\n', text.size_bytes - at);
        assert_non_null(end); /* whole lines only */
        nb__journal_line line;
        nb_span bytes = {text.data + at, (size_t)(end - text.data) - at};
        assert_int_equal(nb__journal_line_parse(bytes, &line, NULL), NB_OK);
        bool is_first = at == 0;
        assert_int_equal(line.kind == NB__JOURNAL_START, is_first);
        see_line(f, &line);
        at += bytes.size_bytes + 1;
    }
    assert_string_equal(f->start.segment, name);
    if (f->segments > 0) {
        assert_string_equal(f->start.after.segment, f->last.segment);
        assert_int_equal(f->start.after.size_bytes, f->last.size_bytes);
        assert_int_equal(f->start.after.xxh3, f->last.xxh3);
    }
    snprintf(f->last.segment, sizeof f->last.segment, "%.23s", name);
    f->last.size_bytes = text.size_bytes;
    f->last.xxh3 = XXH3_64bits(text.data, text.size_bytes);
    f->segments++;
    nb__text_fini(&text);
}

/* All plain segments of all nights, in order. */
static inline void look(const rig *r, found *f)
{
    nb__catalogue catalogue;
    *f = (found){0};
    if (nb__catalogue_read(r->journal, &catalogue, NULL) != NB_OK)
        return;
    for (size_t i = 0; i < catalogue.count; i++) {
        char path[NB__STORE_PATH_MAX], name[NB__JOURNAL_NAME_BYTES];
        const nb__segment *segment = &catalogue.segments[i];
        nb__segment_path(segment, false, path);
        nb__journal_name_print(name, segment->night, segment->number);
        see_segment(f, path, name);
    }
    nb__catalogue_fini(&catalogue);
}

/* Each frame that was sent is there once and in order, but for those the marks call lost. */
static inline void assert_all_but_lost(const rig *r, const found *f, uint64_t marks_lost)
{
    for (int i = 1; i < f->number_count; i++)
        assert_true(f->numbers[i] > f->numbers[i - 1]);
    assert_int_equal(f->number_count + (int)(f->lost_lines - marks_lost), r->sent);
    assert_int_equal(f->damages, 0);
}

static inline void in_journal(const rig *r, const char *name, char out[256])
{
    snprintf(out, 256, "%s/%s", r->journal, name);
}

#endif
