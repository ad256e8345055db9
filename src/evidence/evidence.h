/* SPDX-License-Identifier: Apache-2.0 */
/**
 * evidence, L3: what the wire shows of the questions that only a live night can answer
 * (docs/report.md lists them): widths, records a frame, order counts, totals against levels,
 * decimals, auction frames, snapshot after subscribing, rt_cd of each code, how long OPSP8996
 * lasted, time between frames of a key. Pure; counts only what it was shown, invents nothing.
 */
#ifndef NB_EVIDENCE_H
#define NB_EVIDENCE_H

#include "base/base.h"
#include "kis/kis.h"
#include "night/night.h"

typedef struct nb__evidence nb__evidence;
/** `topics` are shared; both outlive it. All memory is taken here (64 bytes a topic). NULL: none
 * left. */
nb__evidence *nb__evidence_new(nb__topics *topics, uint32_t topics_max,
                               const nb_calendar *calendar);
void nb__evidence_free(nb__evidence *evidence);
/** A new night: forget. */
void nb__evidence_begin(nb__evidence *evidence, int trade_date);
int nb__evidence_trade_date(const nb__evidence *evidence);
/** What the feed is, when it is known; one that is not LIVE is never called so again this night. */
void nb__evidence_feed_kind(nb__evidence *evidence, nb__feed_kind kind);

/** One record of a frame that could be split. */
typedef struct nb__evidence_record {
    nb_span record;        /**< its bytes */
    uint32_t topic;        /**< NB__TOPIC_NONE: has no valid key */
    const nb_quote *quote; /**< decoded and dated; NULL: no book TR, or it does not decode */
    int64_t recv_ns;       /**< UTC: what lies between frames */
    int64_t session_ns;    /**< session time (recv_ns when live): which phase it is */
} nb__evidence_record;
/** Each record of a frame. O(1), no allocation. */
void nb__evidence_frame(nb__evidence *evidence, const nb_frame *head,
                        const nb__evidence_record *record);
/** Once a frame, after its records: split or encrypted (record_count 0). `field_count`: of one
 * record (the stride). */
void nb__evidence_frame_end(nb__evidence *evidence, const nb_frame *head, uint32_t record_count,
                            int field_count, int64_t session_ns);
/** An answer of KIS, scrubbed; `feed`: which appkey. */
void nb__evidence_answer(nb__evidence *evidence, uint32_t feed, const nb__answer *answer,
                         int64_t recv_ns);
/** A PINGPONG of KIS. */
void nb__evidence_pingpong(nb__evidence *evidence, uint32_t feed, int64_t recv_ns);
/** KIS answered for an approval key; `error_code` "": it gave one. `words` scrubbed; may be "". */
void nb__evidence_approval(nb__evidence *evidence, uint32_t feed, const char *error_code,
                           const char *words, int64_t recv_ns);
/** A link of that appkey went up or down. `reason` NULL: we ended it, which is no loss. */
void nb__evidence_link(nb__evidence *evidence, uint32_t feed, bool is_up, const char *reason,
                       int64_t recv_ns);

/** So many frames were `took_ns` with us, from the read to the end of the turn. */
void nb__evidence_latency(nb__evidence *evidence, int64_t took_ns, uint64_t frames);

/** The whole as one JSON object, versioned; what was not seen is null. */
void nb__evidence_print_json(const nb__evidence *evidence, nb__text *out);
/** That JSON as a report for people: each question of the list, what was seen, how often, and "not
 * seen" where it was not. @retval NB_E_JSON  It is none of ours; `out` is as before. */
nb_err nb__evidence_report(nb_span json, nb__text *out, nb_error *error);

#endif
