/* SPDX-License-Identifier: Apache-2.0 */
/**
 * evidence, L3: what the wire shows of the questions that only a live night can answer
 * (../shared facts, docs/correctness.md): widths, records a frame, order counts, totals against
 * levels, decimals, auction frames, snapshot after subscribing, rt_cd of each code, how long
 * OPSP8996 lasted, time between frames of a key. Pure; counts only what it was shown, invents
 * nothing.
 */
#ifndef NB_EVIDENCE_H
#define NB_EVIDENCE_H

#include "base/base.h"
#include "kis/kis.h"
#include "night/night.h"

typedef struct nb__evidence nb__evidence;
/** `topics` are shared. All memory is taken here (a few MiB). */
nb__evidence *nb__evidence_new(nb__topics *topics, uint32_t topics_max,
                               const nb_calendar *calendar);
void nb__evidence_free(nb__evidence *evidence);
/** A new night: forget. */
void nb__evidence_begin(nb__evidence *evidence, int trade_date);
int nb__evidence_trade_date(const nb__evidence *evidence);

/** A frame whose records are known. No allocation. `session_ns`: session time (recv_ns when live).
 */
void nb__evidence_frame(nb__evidence *evidence, const nb_frame *head, nb_span record,
                        uint32_t topic, int64_t session_ns);
/** Once a frame, after its records. */
void nb__evidence_frame_end(nb__evidence *evidence, const nb_frame *head, uint32_t record_count,
                            int field_count);
/** An answer of KIS, scrubbed; `feed`: which appkey. */
void nb__evidence_answer(nb__evidence *evidence, uint32_t feed, const nb__answer *answer,
                         int64_t recv_ns);
/** A link of that appkey went up or down. */
void nb__evidence_link(nb__evidence *evidence, uint32_t feed, bool is_up, const char *reason,
                       int64_t recv_ns);

/** The whole as one JSON object, versioned; what was not seen is null. */
void nb__evidence_print_json(const nb__evidence *evidence, nb__text *out);
/** That JSON as a report for people: each question of the list, what was seen, how often, and "not
 * seen" where it was not. @retval NB_E_JSON  It is none of ours. */
nb_err nb__evidence_report(nb_span json, nb__text *out, nb_error *error);

#endif
