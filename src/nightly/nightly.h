/* SPDX-License-Identifier: Apache-2.0 */
/**
 * nightly, L3: what a recorded night was, as a report: coverage, rate, gaps, flags, slots,
 * silences, the open questions. Pure: lines of a recording in, text, JSON and HTML out. Says only
 * what the lines and the evidence show; what is not known is "not known".
 *
 * All times of a report are session time (live: the receive time). docs/report.md says what each
 * number is.
 */
#ifndef NB_NIGHTLY_H
#define NB_NIGHTLY_H

#include "base/base.h"
#include "journal/journal.h"
#include "night/night.h"

#define NB__NIGHTLY_VERSION 1 /**< of the JSON */

typedef struct nb__nightly nb__nightly;
/** Some 60 MB, then 1 KB a key. NULL: no memory. `calendar` outlives it.
 * @param night  Of the recording's directory, YYYYMMDD; 0: not known. */
nb__nightly *nb__nightly_new(const nb_calendar *calendar, int night);
void nb__nightly_free(nb__nightly *nightly);

/** One line of the recording, borrowed for the call. */
typedef struct nb__nightly_line {
    int64_t recv_ns;
    int64_t session_ns; /**< NB_TIME_UNDEF: not known */
    uint32_t link;
    nb__journal_kind kind;
    nb_span message;                 /**< the payload's own bytes */
    const nb__journal_connect *from; /**< its link's connect mark; NULL: none */
} nb__nightly_line;
/** Lines in the order of the recording. Total: any bytes are counted as what they are. No
 * allocation a line but for a new key. */
void nb__nightly_feed(nb__nightly *nightly, const nb__nightly_line *line);
/** Something of the recording was passed over. */
void nb__nightly_damage(nb__nightly *nightly, const char *words);

typedef struct nb__nightly_disk {
    uint64_t segments, packed_segments;
    uint64_t plain_bytes, packed_bytes; /**< as they lie on the disk */
    uint64_t text_bytes;                /**< of the lines, unpacked */
} nb__nightly_disk;
void nb__nightly_set_disk(nb__nightly *nightly, const nb__nightly_disk *disk);
/**
 * What the running server wrote down (evidence-YYYYMMDD.json): latencies and approvals are only
 * there. Several parts of a night in their order, at most 16. Without any, the open questions are
 * answered from the recording. After the lines.
 * @retval NB_E_JSON  It is none of ours: nothing is taken.
 * @retval NB_E_NOT_FOUND  It is of a feed of another kind than the recording, or none of its frames
 * came while the recording's did. Nothing is taken.
 * @retval NB_E_LIMIT, NB_E_MEMORY
 */
nb_err nb__nightly_evidence(nb__nightly *nightly, nb_span json, nb_error *error);
/** After the last line, once, before anything is printed. */
void nb__nightly_end(nb__nightly *nightly);

/** Of the session that the lines tell of; without any, of the directory. NB_DATE_UNDEF: not known.
 */
int nb__nightly_trade_date(const nb__nightly *nightly);
uint64_t nb__nightly_damages(const nb__nightly *nightly); /**< parts that were passed over */
/** Whether a frame came. */
bool nb__nightly_has_frames(const nb__nightly *nightly);
/** One JSON object, versioned. */
void nb__nightly_print_json(const nb__nightly *nightly, nb__text *out);
/** For a terminal of 100 columns; no byte of a peer that a terminal obeys. */
void nb__nightly_print_text(const nb__nightly *nightly, nb__text *out);
/** A page by itself: no script, nothing fetched, light and dark. */
void nb__nightly_print_html(const nb__nightly *nightly, nb__text *out);

#endif
