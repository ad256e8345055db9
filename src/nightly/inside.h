/* SPDX-License-Identifier: Apache-2.0 */
/* nightly's own: what is kept of a night. Lists have a limit; what finds no place is counted. */
#ifndef NB_NIGHTLY_INSIDE_H
#define NB_NIGHTLY_INSIDE_H

#include "book/book.h"
#include "evidence/evidence.h"
#include "kis/kis.h"
#include "nightly.h"

#define TOPICS_MAX 65536
#define FEEDS_MAX 17   /* the last one stands for all beyond 16 appkeys */
#define LINKS_MAX 1024 /* of one run; older ones are forgotten */
#define GAPS_MAX 512
#define CAUSES_MAX 32
#define CODES_MAX 48
#define REFUSALS_MAX 64
#define DRIFTS_MAX 32
#define STEPS_MAX 64
#define HOLES_MAX 64
#define DAMAGES_MAX 64
#define PARTS_MAX 16
#define WORDS_MAX 160

#define MINUTE_NS (60 * NB__NS_PER_S)
#define AHEAD_NS (360 * MINUTE_NS) /* before order receipt */
#define MINUTES_MAX 7200           /* five days: a long weekend belongs to one trade date */
#define TEN 10                     /* minutes of one place in a strip */

typedef struct interval {
    int64_t from_ns, to_ns; /* NB_TIME_UNDEF from: none */
} interval;

typedef struct key_row {
    uint32_t topic, feed;
    uint64_t records, flagged, flags[NB_BOOK_FLAG_COUNT];
    int64_t first_ns, last_ns;
    bool is_registered;
    int64_t
        quiet_since_ns; /* its last record, or its success; NB_TIME_UNDEF: nothing is expected */
    interval silence;   /* the longest within the session, over no gap */
    nb_price spread_e9, spread_ask, spread_bid; /* the widest; NB_PRICE_UNDEF: none */
    int64_t spread_ns;
    uint32_t continuous_minutes; /* with a record */
    uint64_t minutes[MINUTES_MAX / 64 + 1];
} key_row;

typedef struct feed_row {
    char label[32];
    uint32_t links_up, connects, drops, registered, registered_most;
    int64_t down_ns;    /* by gaps that nobody wanted, within the session */
    uint32_t gap_index; /* of the gap that is not over, + 1; 0: none */
    interval gap;       /* the same when the list is full */
    bool is_gap_rest;
} feed_row;

typedef struct link_row {
    uint32_t number, feed;
    bool is_up;
} link_row;

typedef struct gap_row {
    uint32_t feed;
    interval when; /* to NB_TIME_UNDEF: not over */
    bool is_rest;
    char reason[WORDS_MAX];
} gap_row;

typedef struct cause_row {
    char reason[WORDS_MAX];
    uint64_t count;
} cause_row;

typedef struct code_row {
    char msg_cd[16], rt_cd[4], msg1[128];
    uint64_t count;
} code_row;

typedef struct refusal_row {
    char tr_id[16], tr_key[32], msg_cd[16], msg1[128];
    uint64_t count;
    int64_t first_ns;
} refusal_row;

typedef struct drift_row {
    char tr_id[16];
    int fields, documented;
    int64_t first_ns;
    uint64_t count;
} drift_row;

typedef struct hole_row {
    interval when; /* receive time: the recorder's own */
    uint64_t lost_lines, lost_bytes;
    char reason[WORDS_MAX];
} hole_row;

typedef struct part_row {
    nb__text json, words;
    bool has_latency;
    int64_t frames, p50_ns, p99_ns, p999_ns, max_ns;
} part_row;

typedef struct minute_row {
    uint32_t frames, records;
} minute_row;

typedef struct best {
    uint64_t count;
    int64_t at_ns;
} best;

struct nb__nightly {
    const nb_calendar *calendar;
    nb_night night; /* by the first session time; start_date NB_DATE_UNDEF: nothing came */
    int64_t base_ns;
    int64_t first_ns, last_ns;           /* session time of any line; NB_TIME_UNDEF */
    int64_t recv_first_ns, recv_last_ns; /* of frames, least and most; NB_TIME_UNDEF */
    int directory_night;
    nb__feed_kind kind;
    char version[24], host[64], run[17];
    bool has_start, is_stopped, is_ended, has_disk;
    bool is_from_recording; /* the one part is of our own evidence */
    uint64_t runs;

    uint64_t kinds[NB__JOURNAL_UNKNOWN + 1];
    uint64_t frames, frame_bytes, records, books_decoded, unsplit, bad_records, unknown_records,
        keyless, encrypted, untimed, outside, keys_refused;
    uint32_t minute_first, minute_last; /* with a frame */
    minute_row minutes[MINUTES_MAX];
    int64_t second; /* the one that is counted */
    uint64_t second_frames;
    best busiest_second, busiest_minute;
    int64_t quiet_since_ns;
    interval silence; /* of all */

    nb__topics *topics;
    nb__books *books;
    nb__evidence *evidence;
    uint32_t *key_of; /* of a topic: its row + 1; 0: none */
    key_row *keys;
    uint32_t *order; /* rows, most records first; made at the end */
    uint32_t key_count, key_capacity;
    uint32_t registered, registered_most;

    /* of each list below: rows, and what found no place */
    uint32_t feed_count, link_count, link_found, gap_count, cause_count, code_count, refusal_count,
        drift_count, step_count, hole_count, damage_count, part_count;
    uint64_t gaps_other, causes_other, codes_other, refusals_other, drifts_other, steps_other,
        holes_other, damages_other;
    uint64_t confirmed, given_back, refused;
    feed_row feeds[FEEDS_MAX];
    link_row links[LINKS_MAX];
    gap_row gaps[GAPS_MAX];
    cause_row causes[CAUSES_MAX];
    code_row codes[CODES_MAX];
    refusal_row refusals[REFUSALS_MAX];
    drift_row drifts[DRIFTS_MAX];
    struct {
        int64_t at_ns, step_ns;
    } steps[STEPS_MAX];
    hole_row holes[HOLES_MAX];
    char damages[DAMAGES_MAX][WORDS_MAX];
    nb__nightly_disk disk;
    part_row parts[PARTS_MAX];
};

/* ---- nightly.c ---- */
/** The row of a (TR, key); NULL: no key, or no place. */
key_row *nightly_key(nb__nightly *n, nb_span tr_id, nb_span tr_key);
/** Ends a silence at `to_ns` and keeps it when it is the longest, within the session. */
void nightly_silence(const nb__nightly *n, interval *longest, int64_t from_ns, int64_t to_ns);
bool nightly_is_reset(const nb__nightly *n); /* no line with a time came yet */

/* ---- marks.c: all lines but frames ---- */
void nightly_mark(nb__nightly *n, const nb__nightly_line *line);
feed_row *nightly_feed_of(nb__nightly *n, const nb__nightly_line *line);
/** The gaps that are not over end here, and what was expected of keys. */
void nightly_close_gaps(nb__nightly *n);

/* ---- words.c: what all prints share ---- */
/** "11-20 18:00:05"; "not known". */
const char *nightly_when(int64_t ns, char out[40]);
/** "1 h 02 min", "3 min 05 s", "4.250 s" */
const char *nightly_span(int64_t ns, char out[40]);
const char *nightly_bytes(uint64_t bytes, char out[40]);
/** "12.3 us", "1.25 ms" */
const char *nightly_latency(int64_t ns, char out[40]);
/** Hundredths of a per cent of the continuous session in which the key had a record. */
uint32_t nightly_share(const nb__nightly *n, const key_row *key);
uint32_t nightly_continuous_minutes(const nb__nightly *n);
/** Minutes with a record among those of [from, from + count). */
uint32_t nightly_minutes(const key_row *key, uint32_t from, uint32_t count);
/** The picture's range of minutes, [from, to): the session, and frames before or after it. */
void nightly_range(const nb__nightly *n, uint32_t *from, uint32_t *to);
/** -1: one of them is not known, or they are too far apart to tell. */
int64_t nightly_between_ns(int64_t from_ns, int64_t to_ns);
int64_t nightly_gap_ns(const nb__nightly *n, const gap_row *gap);
const nb__topic *nightly_topic(const nb__nightly *n, const key_row *key);
/** Appends `text` without what a terminal obeys. */
void nightly_append_words(nb__text *out, const char *text);

/* ---- print_html.c, picture.c ---- */
/** Text that is only text in HTML, also within an attribute. */
void nightly_append_html(nb__text *out, nb_span text);
/** An <svg>: frames a minute over the night, with gaps. */
void nightly_picture_rate(const nb__nightly *n, nb__text *out);
/** An <svg>: in which minutes each key had a record. @return how many keys found no place. */
uint32_t nightly_picture_coverage(const nb__nightly *n, nb__text *out);

#endif
