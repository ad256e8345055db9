/* SPDX-License-Identifier: Apache-2.0 */
/* What evidence keeps: counters in tables of fixed size. What finds no place in a table is counted
 * as "other". */
#ifndef NB_EVIDENCE_INSIDE_H
#define NB_EVIDENCE_INSIDE_H

#include "evidence.h"

#define EVIDENCE_VERSION 1 /* of the JSON */

#define FEEDS_MAX 16
#define TRS_MAX 24
#define WIDTHS_MAX 8
#define RECORDS_TOP 32 /* records a frame are counted one by one below that */
#define GAP_BUCKETS 24 /* [2^b, 2^(b+1)) ms; the first also all below, the last all above */
#define KEY_BUCKETS 14 /* the same of one key */
#define DECIMALS_TOP 9 /* NB_PRICE_DECIMALS_MAX */
#define PRODUCT_COUNT (NB__PRODUCT_KOSDAQ150_FUTURE + 1)
#define CODES_MAX 48
#define EPISODES_MAX 32
#define LOSSES_MAX 64
#define APPROVAL_CODES_MAX 8
#define SNAPSHOT_NS (200 * NB__NS_PER_MS) /* a first frame within it may be a snapshot */
#define OLD_BOOK_NS (3 * NB__NS_PER_S)    /* and is one when its own time lies so far back */

typedef enum evidence_phase {
    PHASE_OPENING,    /* order receipt before the opening auction */
    PHASE_CONTINUOUS, /* includes the moment of the opening auction */
    PHASE_CLOSING,    /* order receipt before the closing auction */
    PHASE_AFTER,      /* from 06:00 on, two hours long */
    PHASE_CLOSED,     /* any other time */
    PHASE_COUNT
} evidence_phase;
extern const char *const evidence_phase_names[PHASE_COUNT];

typedef struct phase_stats {
    uint64_t frames, books, crossed, locked, one_sided, empty; /* of books: at level 1 */
    int64_t first_ns, last_ns;                                 /* session time of frames */
} phase_stats;

/* What a side's total is to the sum of its five levels. */
typedef struct total_stats {
    uint64_t equal, above, below;
} total_stats;

typedef struct width_stats {
    int fields;
    uint64_t frames;
} width_stats;

typedef struct tr_stats {
    char tr_id[NB_TR_ID_MAX + 1];
    int documented;           /* fields; 0: no such TR in the schema */
    int ask_index, bid_index; /* fields of the best prices; -1: none */
    uint64_t frames, records, encrypted, undecoded;
    width_stats widths[WIDTHS_MAX];
    uint64_t widths_other;
    uint64_t records_a_frame[RECORDS_TOP + 1]; /* the last: so many or more */
    uint32_t records_most;
    phase_stats phases[PHASE_COUNT];
    /* books */
    uint64_t books, counts_told, counts_none;           /* order counts at levels: any, all 0 */
    uint64_t total_counts_told;                         /* total order counts */
    total_stats full_sides, short_sides;                /* with five levels, with fewer */
    uint64_t decimals[PRODUCT_COUNT][DECIMALS_TOP + 1]; /* as written, of best prices */
    /* time between frames of a key */
    uint64_t gaps[GAP_BUCKETS];
    uint64_t gaps_judged, gaps_at_200ms, gaps_below_200ms; /* of those up to 2 s */
} tr_stats;

/* One topic; 64 bytes, since there are many. */
typedef struct key_stats {
    int64_t last_ns;      /* receive time of its last frame; 0: none */
    int64_t confirmed_ns; /* SUBSCRIBE SUCCESS whose first frame has not come; 0: none */
    uint64_t last_hash;   /* of its last record */
    uint32_t frames, frame_serial, gap_least_us;
    uint16_t gaps[KEY_BUCKETS]; /* halved when one is full */
} key_stats;
_Static_assert(sizeof(key_stats) == 64, "one cache line");

typedef struct code_stats {
    char msg_cd[16], rt_cd[4], msg1[128], tr_id[NB_TR_ID_MAX + 1];
    uint64_t count;
    int64_t first_ns;
} code_stats;

/* OPSP8996 without a success between. */
typedef struct in_use_episode {
    uint32_t feed;
    uint64_t count;
    int64_t lost_ns, first_ns, last_ns, cleared_ns; /* 0: not known, not yet */
} in_use_episode;

typedef struct link_loss {
    uint32_t feed;
    int64_t lost_ns, back_ns; /* back 0: not yet */
    char reason[160];
} link_loss;

typedef struct approval_code {
    char code[16], words[112];
    uint64_t count;
} approval_code;

typedef struct feed_stats {
    int64_t lost_ns, pingpong_ns, approval_ns; /* the last of each; 0: none */
    uint32_t in_use, loss; /* index + 1 of the episode, of the loss that is not over */
} feed_stats;

struct nb__evidence {
    nb__topics *topics;
    const nb_calendar *calendar;
    int trade_date;
    nb__feed_kind kind;
    bool is_kind_known;
    int64_t first_ns, last_ns; /* receive times of whatever was shown; 0: nothing was */
    int64_t lost_ns;           /* of the last loss of any link; no gap reaches over it */

    evidence_phase phase; /* until phase_until_ns of session time */
    int64_t phase_from_ns, phase_until_ns;

    tr_stats trs[TRS_MAX];
    uint32_t tr_count;
    uint64_t frames_other_tr;
    uint32_t frame_serial;

    int64_t lag_least_ns; /* receipt less a book's own time: a clock that is off shows in it */
    bool is_lag_known;
    uint64_t confirmed, snapshot_same, snapshot_other, snapshot_first, snapshot_old, snapshot_later;

    code_stats codes[CODES_MAX];
    uint32_t code_count;
    uint64_t codes_other;

    in_use_episode episodes[EPISODES_MAX];
    uint32_t episode_count;
    uint64_t episodes_other;

    link_loss losses[LOSSES_MAX];
    uint32_t loss_count;
    uint64_t losses_other, ups;

    uint64_t pingpongs, pingpong_gaps;
    int64_t pingpong_least_ns, pingpong_most_ns, pingpong_sum_ns;

    uint64_t approvals_given;
    int64_t approval_gap_given_ns;   /* the shortest after which a key was given; 0: none */
    int64_t approval_gap_refused_ns; /* the longest after which "too often" came; 0: none */
    approval_code approval_codes[APPROVAL_CODES_MAX];
    uint32_t approval_code_count;
    uint64_t approval_codes_other;

    nb__hist latency; /* ns */

    feed_stats feeds[FEEDS_MAX];
    uint32_t topics_max;
    key_stats keys[];
};

/* Something of this night was shown. */
void evidence_seen(nb__evidence *evidence, int64_t recv_ns);

#endif
