/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the recorder's files know of each other. Private to store.
 *
 *   recorder.c          the door: links, lines, the turn's one write, rotation
 *   recorder_place.c    taking the directory: lock, kind, what lies there already
 *   recorder_segment.c  a segment's begin and end, numbers, nights
 *   recorder_trouble.c  what cannot be written: the hole, trying again, going on
 *   recorder_care.c     what helper threads do: sync, pack, prune, looking at the space
 *   recorder_view.c     state and counters for people
 *
 * Invariant: the writer holds lines only while `sheet` is open; what it holds belongs to that.
 */
#ifndef NB_STORE_RECORDER_H
#define NB_STORE_RECORDER_H

#include "store/store.h"

#define RECORDER_LINKS_MAX 64
#define RECORDER_FILE_MODE 0600

typedef struct tally {
    uint64_t lines, frames, bytes; /* bytes: of messages, as they came */
} tally;

typedef struct recorder_link {
    uint32_t number; /* of its session in this run; 0: never came up */
    bool is_up, is_recorded, is_refused;
    nb__journal_connect connect;
} recorder_link;

/* What the sync thread found; its own until done(). */
typedef struct sync_result {
    nb_err err;
    int reason;
    nb_error error;
    bool is_gone;
    int64_t took_ns;
    uint64_t free_bytes, total_bytes;
    bool has_space;
} sync_result;

/* An open segment. When it is ended, the sync thread's until finish is done. */
typedef struct sheet {
    nb__job sync, finish;
    nb__recorder *recorder;
    struct sheet *next; /* of those that are ending */
    int fd;
    int night;
    uint32_t number;
    char name[NB__JOURNAL_NAME_BYTES];
    char journal[NB__STORE_PATH_MAX], directory[NB__STORE_PATH_MAX], path[NB__STORE_PATH_MAX];
    int64_t begin_mono_ns;
    bool is_syncing, wants_space, is_gone;
    bool is_named;          /* its name is on the disk too */
    int64_t sync_before_ns; /* what came before is in the sync that runs */
    tally sync_unproved;    /* what of `unproved` is in it */
    sync_result result;
} sheet;

typedef struct trouble {
    bool is_on;       /* nothing is written */
    bool is_unsynced; /* it is written, and does not reach the disk */
    int reason;       /* errno; 0: words tell */
    char words[256];
    char logged[256]; /* the last words that were logged */
    bool is_told;
    int64_t hole_ns; /* recv_ns of the first line that was lost; else when it began */
    bool has_lost;
    uint64_t lost_lines, lost_bytes;
    int64_t delay_ns;        /* until the next try */
    int64_t over_mono_ns;    /* when the last one was over */
    int64_t at_once_mono_ns; /* when it was last gone on without waiting */
} trouble;

typedef struct pack_wish {
    int night;
    uint32_t number;
    int64_t from_mono_ns; /* not before */
} pack_wish;

typedef enum recorder_state {
    RECORDER_WAITING,
    RECORDER_ON,
    RECORDER_TROUBLED,
    RECORDER_OFF
} recorder_state;

typedef struct packing {
    nb__job job;
    bool is_running;
    volatile bool is_stopped;
    char path[NB__STORE_PATH_MAX];
    pack_wish wish;
    int level;
    nb_err err;
    nb_error error;
} packing;

typedef struct care {
    nb__job job;
    bool is_running, is_wanted;
    char directory[NB__STORE_PATH_MAX];
    nb__prune_limits limits;
    nb_err err;
    nb_error error;
    uint64_t removed_nights, removed_bytes;
    int removed_first, removed_last;
    double night_mean_bytes; /* < 0: not known */
} care;

struct nb__recorder {
    nb__recorder_config config;
    char directory[NB__STORE_PATH_MAX];
    nb__loop *loop;
    void (*tell)(void *self, nb__recorder_event event, const char *words);
    void *self;
    bool is_open;       /* may tell */
    bool is_taken;      /* the directory is ours */
    bool is_kind_known; /* of the directory */
    bool has_feed_kind;
    bool is_rotation_failing, is_dirty, is_said_too_long, wants_space;

    /* the directory */
    int lock_fd;
    nb__feed_kind kind;      /* of the directory */
    nb__feed_kind feed_kind; /* of what is recorded */
    char run[17], host[64];
    nb__journal_after after; /* the predecessor of the next segment */

    /* the segment */
    nb__journal_writer *writer;
    nb__text mark; /* a payload in the making */
    sheet *sheet, *ending;
    tally pending;  /* in the writer */
    tally unproved; /* written since it was last seen that the file is still where it was */
    int64_t proved_ns;
    int64_t rotate_mono_ns; /* not before */
    uint64_t night_bytes;

    /* nights, in session time */
    nb__session_clock clock;
    int night; /* 0: none yet */
    int64_t minute_begin_ns, minute_end_ns;
    int cared_night;    /* for which it was last looked whether nights must go */
    int numbered_night; /* which was looked through for numbers; 0: none */
    int number_night;   /* of `number`, the highest there */
    uint32_t number;

    /* clocks */
    int64_t turn_mono_ns, offset_ns;

    recorder_link links[RECORDER_LINKS_MAX];
    uint32_t link_count;
    char refusal[256]; /* of the last link that must not be recorded here */

    trouble trouble;
    nb__timer sum_timer, sync_timer, retry_timer, minute_timer;
    nb__worker *syncer, *packer;
    int64_t synced_ns;
    int64_t unsynced_mono_ns; /* when a segment was last left since it could not be synced */

    pack_wish *wishes;
    size_t wish_count, wish_capacity;
    packing packing;
    care care;

    uint64_t free_bytes, total_bytes;
    double night_mean_bytes;
    int64_t space_told_mono_ns; /* 0: never */

    recorder_state state;
    char off_reason[256];
    int64_t state_ns;
    nb__recorder_counters counters;
};

/* ---- recorder.c ---- */
/* A mark of the recorder's own, payload in r->mark, which is emptied. */
void recorder_put(nb__recorder *r, int64_t recv_ns, uint32_t link, nb__journal_kind kind);
/* Hand what is pending to the kernel. @return false: it did not go, and what follows is done. */
bool recorder_write_pending(nb__recorder *r);
bool recorder_has_link(const nb__recorder *r); /* one that is up and recorded */
void recorder_tell(nb__recorder *r, nb__recorder_event event, const char *words);

/* ---- recorder_place.c ---- */
/* Lock the directory, see what it holds. Makes it. */
nb_err recorder_take(nb__recorder *r, nb_error *error);
/* Ready for a segment: taken, of the feed's kind, with its journal.json. */
nb_err recorder_prepare(nb__recorder *r, nb_error *error);
/* The directory or its lock was removed: forget that it was taken. */
void recorder_untake(nb__recorder *r);

/* ---- recorder_segment.c ---- */
/* A new segment in the present night, with its marks, written. @param hole  NULL: none. */
bool recorder_segment_open(nb__recorder *r, int64_t recv_ns, const nb__journal_disk *hole,
                           int *reason, nb_error *error);
/* Stop mark, sum, write, and give it to the helpers. */
void recorder_segment_end(nb__recorder *r, const char *reason);
/* Give it to the helpers as it is; it is the predecessor of the next. */
void recorder_segment_drop(nb__recorder *r);
/* A new one at once; when that cannot be, the old one goes on. */
void recorder_segment_rotate(nb__recorder *r);
/* Which night `recv_ns` belongs to; ends the segment of another one. */
void recorder_follow_night(nb__recorder *r, int64_t recv_ns);

/* ---- recorder_trouble.c ---- */
/* A write failed after `written_bytes` of what is pending. */
void recorder_write_failed(nb__recorder *r, size_t written_bytes, int reason,
                           const nb_error *error);
/* NOT RECORDING from now on. */
void recorder_trouble_enter(nb__recorder *r, int reason, const char *words);
void recorder_trouble_retry(nb__recorder *r);
/* The segment's file is gone, or the disk does not take it: go on in a new one. */
void recorder_segment_gone(nb__recorder *r);
/* `s`: the present segment, or one that was left since. */
void recorder_sync_failed(nb__recorder *r, const sheet *s, int reason, const nb_error *error);
/* A sync of the present segment went well. */
void recorder_sync_good(nb__recorder *r);
/* A line that is not written. */
void recorder_lose(nb__recorder *r, int64_t recv_ns, size_t size_bytes);
/* A segment is wanted and none is open. @return false: there is trouble. */
bool recorder_segment_want(nb__recorder *r, int64_t recv_ns);

/* ---- recorder_care.c ---- */
nb_err recorder_care_open(nb__recorder *r, nb_error *error);
/* @return false: the disk holds a helper up that uses `r` still: it must stay where it is. */
bool recorder_care_close(nb__recorder *r);
void recorder_written(nb__recorder *r); /* arm what follows a write */
void recorder_sheet_init(nb__recorder *r, sheet *s);
void recorder_finish(nb__recorder *r, sheet *s);
void recorder_pack_wish(nb__recorder *r, int night, uint32_t number);
void recorder_care_wish(nb__recorder *r); /* prune, and look at the nights */
void recorder_space_look(nb__recorder *r);

/* ---- recorder_view.c ---- */
void recorder_state_update(nb__recorder *r);
int64_t recorder_now_ns(const nb__recorder *r); /* UTC */

#endif
