/* SPDX-License-Identifier: Apache-2.0 */
/**
 * store, L5: the journal on disk. Recorder (one a directory, in a loop), reading of nights and
 * segments, verify, repair, pack, prune. The form of what lies there is `journal`'s.
 */
#ifndef NB_STORE_H
#define NB_STORE_H

#include "base/base.h"
#include "io/io.h"
#include "journal/journal.h"
#include "night/night.h"

#define NB__STORE_PATH_MAX 1024

/* ---- catalogue (catalogue.c): what lies where ---- */

typedef struct nb__segment {
    char directory[NB__STORE_PATH_MAX]; /**< of the night */
    int night;
    uint32_t number;
    bool is_plain, is_packed;           /**< both: a pack was interrupted */
    uint64_t plain_bytes, packed_bytes; /**< on disk; 0: not there */
    int64_t changed_ns;
} nb__segment;
typedef struct nb__catalogue {
    nb__segment *segments; /**< by night and number */
    size_t count;
    char path[NB__STORE_PATH_MAX];
} nb__catalogue;
/**
 * @param path  A journal (all its nights), a night's directory, or one segment's file.
 * @retval NB_E_NOT_FOUND  Nothing there, or nothing of ours in it.
 */
nb_err nb__catalogue_read(const char *path, nb__catalogue *out, nb_error *error);
void nb__catalogue_fini(nb__catalogue *catalogue);
/** The plain or packed file of a segment. */
void nb__segment_path(const nb__segment *segment, bool is_packed, char out[NB__STORE_PATH_MAX]);
/** What journal.json says a directory holds. @return OTHER when there is none. @retval NB_E_VERSION
 */
nb_err nb__store_feed_kind(const char *directory, bool *is_known, nb__feed_kind *kind,
                           nb_error *error);

/* ---- recorder (recorder.c and its parts) ---- */

typedef struct nb__recorder_config {
    const char *directory;
    int64_t sync_ns;        /**< fdatasync so often; default 1 s */
    uint64_t segment_bytes; /**< a new segment at the latest after so much; default 256 MiB */
    int64_t segment_ns;     /**< … and so long; default 1 h */
    uint32_t keep_nights;   /**< older ones are removed; 0: all are kept */
    uint64_t keep_bytes;    /**< oldest nights are removed beyond it; 0: all are kept */
    int pack_level;         /**< 1–19; 0: segments stay plain. Default 6 */
    bool is_asked_for; /**< the user named the directory: feeds that are not live are recorded */
    /** A server that states nothing of itself counts as live: the user said it is (--feed kis at an
     * address of his own). */
    bool counts_unstated_as_live;
    const nb_calendar *calendar;
} nb__recorder_config;
nb__recorder_config nb__recorder_config_default(void);

typedef struct nb__recorder nb__recorder;

typedef enum nb__recorder_event {
    NB__RECORDER_TROUBLE, /**< NOT RECORDING from now on */
    NB__RECORDER_BACK,    /**< recording again; the hole is marked */
    NB__RECORDER_SPACE    /**< the disk will be full within two nights at the present rate, or 5 %
                             are left */
} nb__recorder_event;

/**
 * Take the directory (and make it). A disk that cannot be written is no failure here: the recorder
 * then says NOT RECORDING and tries again each 2 s.
 *
 * @param tell  Words for people, without a line end; called on the loop. The recorder has logged
 * them already.
 * @retval NB_E_BUSY     Another recorder holds the directory.
 * @retval NB_E_VERSION  A newer nightbook wrote it.
 * @retval NB_E_CONFIG   It holds nights of another kind than `expected` (live into simulated).
 */
nb_err nb__recorder_open(nb__loop *loop, const nb__recorder_config *config, nb__feed_kind expected,
                         void (*tell)(void *self, nb__recorder_event event, const char *words),
                         void *self, nb__recorder **out, nb_error *error);
/** Writes, syncs (bounded: it waits for the disk), ends the segment; an unfinished pack stays for
 * the next start. */
void nb__recorder_close(nb__recorder *recorder, const char *reason);

/** A link came up. Decides whether this feed is recorded at all (`clock->kind`): one that is not
 * live only when it was asked for, and never into a directory that holds live nights. */
void nb__recorder_connect(nb__recorder *recorder, uint32_t feed, const char *name,
                          const char *address, const nb__session_clock *clock, int64_t recv_ns);
/** … and down. */
void nb__recorder_gap(nb__recorder *recorder, uint32_t feed, const char *reason, bool is_rest,
                      int64_t recv_ns);
/** A message of a feed's link, raw; FRAME, PINGPONG, or a mark's payload (ANSWER, DRIFT, NOTICE,
 * OTHER). Copied into the turn's buffer: no system call, no allocation. */
void nb__recorder_line(nb__recorder *recorder, uint32_t feed, nb__journal_kind kind,
                       nb_span payload, int64_t recv_ns);
/** Hand all that came to the kernel: one write. Before any of it leaves for anyone. Cheap when
 * there is nothing. */
void nb__recorder_write(nb__recorder *recorder);

typedef struct nb__recorder_counters {
    uint64_t is_recording, is_troubled, /**< gauges: NOT RECORDING is is_troubled */
        lines, frames, bytes, writes, slow_writes /**< over 50 ms */, syncs, slow_syncs, segments,
        packed, pack_failures, holes, lost_lines, lost_bytes, clock_steps, removed_nights,
        write_max_us, sync_max_us; /**< gauges */
} nb__recorder_counters;
extern const nb__metric nb__recorder_metrics[];
extern const size_t nb__recorder_metric_count;

typedef struct nb__recorder_view {
    const char *state;  /**< "recording", "NOT RECORDING", "waiting" (no link yet), "off" (this
                           feed is not recorded) */
    const char *reason; /**< why not; "" */
    int64_t since_ns;   /**< UTC, of the state */
    const char *directory;
    const char *segment;                 /**< "20261123-000001"; "": none is open */
    uint64_t segment_bytes, night_bytes; /**< plain bytes written of it, and of this night in this
                                            run */
    uint64_t disk_free_bytes;            /**< as last looked at */
    double nights_left;                  /**< at the mean of the last nights; < 0: not known */
    int64_t synced_ns;                   /**< UTC: what came before is on the disk */
    const nb__recorder_counters *counters;
} nb__recorder_view;
nb__recorder_view nb__recorder_look(const nb__recorder *recorder);

/* ---- reading (recording.c): a night's lines in order, across segments ---- */

typedef struct nb__recording nb__recording;

typedef struct nb__recording_range {
    int64_t from_ns, to_ns; /**< session time; NB_TIME_UNDEF: open. [from, to) */
} nb__recording_range;

typedef struct nb__entry {
    nb_span text;          /**< as it stands, without its '\n'; valid until the next call */
    nb__journal_line line; /**< payload still escaped; valid until the next call */
    nb_span message;       /**< the payload's own bytes; valid until the next call */
    int64_t session_ns;    /**< recv_ns by the clock of its link; of the recorder's own marks, of
                              the link that came up last */
    const nb__journal_connect *link; /**< of its link; NULL: link 0, or its mark is lost */
    int night;
    uint32_t segment_number;
    uint64_t offset_bytes; /**< in the plain segment */
} nb__entry;

typedef enum nb__recording_step {
    NB__RECORDING_LINE,
    NB__RECORDING_DAMAGE, /**< words tell what was passed over; go on */
    NB__RECORDING_END
} nb__recording_step;

/**
 * What lies at `path` now. Of a segment's two files the packed one is read when it is good as far
 * as its index and its first and last frame show. A plain one is checked against its sums when its
 * reading begins, so that no line of a damaged span is handed out; lines behind the last sum are.
 *
 * @param path  As nb__catalogue_read(). @retval NB_E_NOT_FOUND, NB_E_VERSION
 */
nb_err nb__recording_open(const char *path, nb__recording **out, nb_error *error);
/** From here on only lines of the range (marks of links before it are known all the same). Reads
 * only the zstd frames that the range needs. May be called again, also to go back. */
nb_err nb__recording_seek(nb__recording *recording, nb__recording_range range, nb_error *error);
/**
 * The next line of the range, in the order of arrival.
 *
 * @param[out] damage  Words that name the segment, on DAMAGE; its offset is of the plain bytes, but
 * of a zstd frame, whose is of the packed file. May be NULL. A segment that cannot be read or is
 * missing is DAMAGE too.
 * @return END: nothing more is there now. The last segment may be written to still: a later call
 * goes on with whole lines that came to it; segments that were begun later need a new open.
 */
nb__recording_step nb__recording_next(nb__recording *recording, nb__entry *out, nb_error *damage);
typedef struct nb__recording_counters {
    uint64_t frames_read, frames_total; /**< zstd frames decompressed, and there */
    uint64_t bytes_read, plain_bytes, lines, damages;
} nb__recording_counters;
nb__recording_counters nb__recording_count(const nb__recording *recording);
/** First and last session time that any index or line shows; NB_TIME_UNDEF: no line. Reads plain
 * segments whole the first time. */
void nb__recording_bounds(nb__recording *recording, int64_t *first_ns, int64_t *last_ns);
typedef struct nb__recording_totals {
    uint32_t segments, packed;          /**< of them packed */
    uint64_t plain_bytes, packed_bytes; /**< on disk, of the files that are read */
    uint64_t lines, frames;
    uint64_t damages; /**< that showed on the way: what was not read was not checked */
    uint64_t repairs, repaired_bytes; /**< places where a repair dropped bytes; how many, as far as
                                         their number is known */
    int64_t first_ns, last_ns;        /**< session time; NB_TIME_UNDEF: no line */
    int64_t changed_ns;               /**< UTC, of its newest file */
    bool is_stopped;                  /**< its last segment ends with a stop mark */
} nb__recording_totals;
/** The whole recording, range or not, without moving in it: from the indexes of packed segments and
 * the last frame of the last; plain segments are read whole, again only when they grew. */
void nb__recording_total(nb__recording *recording, nb__recording_totals *out);
nb__feed_kind nb__recording_feed_kind(const nb__recording *recording); /**< of its first segment */
int nb__recording_night(const nb__recording *recording);               /**< of its first segment */
void nb__recording_close(nb__recording *recording);

/** "23:10", "23:10:05.250" within the night of that trade date: hours from 17 on are the evening on
 * which it starts, those before 08 the next calendar day, those between the trade date's own day.
 * Or with the day, "2026-11-20T23:10". KST. @retval NB_E_ARGUMENT */
nb_err nb__night_time_parse(nb_span text, const nb_calendar *calendar, int night, int64_t *ns,
                            nb_error *error);

/* ---- care (verify.c, repair.c, packer.c, prune.c) ---- */

typedef struct nb__verify_report {
    nb__segment segment;
    nb__journal_findings findings;
    nb__damage *damages; /**< at most 1000 are kept; findings.damages counts all */
    size_t damage_count;
    bool is_packed_good; /**< of a packed one: each frame, index, seek table, hash of the whole */
    char words[256];     /**< about the file as a whole: cannot be read, is not its predecessor's
                            follower …; also what is worth knowing of a good one; "" */
    bool is_good;        /**< nothing is missing or damaged; a torn tail counts as damage only of a
                            segment that has a follower */
} nb__verify_report;
/**
 * Verify one segment; of its two files the packed one when it is good. A file that cannot be read
 * is a finding.
 *
 * @param before  The report of the segment before it; NULL: it is the first, or the only one that
 * is looked at. A predecessor that is missing is named; when its whole night is gone, that is no
 * damage.
 * @retval NB_E_VERSION, NB_E_MEMORY  Nothing to free.
 */
nb_err nb__verify_segment(const nb__segment *segment, const nb__verify_report *before,
                          nb__verify_report *out, nb_error *error);
void nb__verify_fini(nb__verify_report *report);

typedef struct nb__repair_result {
    uint64_t dropped_bytes, dropped_spans; /**< plain bytes, as far as their number is known */
    char kept_in[NB__STORE_PATH_MAX];      /**< the last file with damaged bytes; "": none */
    bool is_rebuilt; /**< index and seek table were made anew; with dropped_spans 0: nothing else
                        was wrong. Neither: nothing was */
} nb__repair_result;
/**
 * Drop what is damaged, and nothing behind it, with a repair mark in its place. The bytes are kept
 * beside the segment as NAME.damaged-OFFSET (a zstd frame: .zst). Whole or not at all; what comes
 * out is verified before it takes the old one's place. Safe to be killed at any step.
 *
 * @retval NB_E_BUSY  A recorder writes to it, or something packs or repairs in its directory.
 * @retval NB_E_NOT_FOUND, NB_E_SYSTEM, NB_E_MEMORY, NB_E_VERSION
 */
nb_err nb__repair_segment(const nb__segment *segment, nb__repair_result *out, nb_error *error);

/** Write NAME.log.zst.tmp, sync, read back and compare, rename, sync the directory, remove the
 * plain one, sync the directory. Safe to be killed at any step, and to be run again. `stop` (may be
 * NULL) is looked at between frames: true ends it early with NB_E_BUSY and nothing changed. */
nb_err nb__pack_segment(const nb__segment *segment, int level, const volatile bool *stop,
                        nb_error *error);

typedef struct nb__prune_limits {
    uint32_t keep_nights;
    uint64_t keep_bytes;
    int current_night; /**< never removed; 0: the newest is not */
    bool is_trial;     /**< only say what would go */
} nb__prune_limits;
/** @param removed  Called for each night that went (or would). */
nb_err nb__prune(const char *directory, const nb__prune_limits *limits,
                 void (*removed)(void *self, int night, uint64_t size_bytes), void *self,
                 nb_error *error);

#endif
