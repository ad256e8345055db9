/* SPDX-License-Identifier: Apache-2.0 */
/**
 * book, L2: the latest book of each topic, its checks, flags and counters. Integers only; nothing
 * is ever dropped.
 */
#ifndef NB_BOOK_ROOM_H
#define NB_BOOK_ROOM_H

#include "base/base.h"
#include "kis/kis.h"
#include <nightbook/book.h>

typedef struct nb__book {
    nb_quote quote;        /**< the latest; its flags and times are set */
    uint64_t update_count; /**< records since the start; 0: no book yet */
} nb__book;

typedef struct nb__books nb__books;
/** One book for each topic index below `topics_max`. All memory at once. */
nb__books *nb__books_new(uint32_t topics_max);
void nb__books_free(nb__books *books);
/**
 * Check a decoded quote against KRX's rules and against its predecessor, set quote->flags, and keep
 * it.
 *
 * @param topic  One at or beyond topics_max (NB__TOPIC_NONE) is checked by itself and counted, not
 * kept.
 * @param product  Whose tick rule holds; NB__PRODUCT_UNKNOWN skips OFF_TICK.
 * @param quote  recv_ns, event_ns set; flags holds what the caller found (DRIFT, FAR_TIME) and is
 * completed here.
 *
 * Cost: O(levels), no allocation.
 */
void nb__books_apply(nb__books *books, uint32_t topic, nb__product product, nb_quote *quote);
/** The product of a topic's code, asked of the code once. `code`: the topic's own, always the same.
 */
nb__product nb__books_product(nb__books *books, uint32_t topic, nb_span code);
/** No book has come yet; counters stay. */
void nb__books_forget(nb__books *books);
/** NULL when there is none yet. */
const nb__book *nb__books_at(const nb__books *books, uint32_t topic);
/** The link is down: every book's STALE is set. A book's next record clears its own. */
void nb__books_set_stale(nb__books *books);
/** The same for one topic: its appkey's link is down, others are not; or it was given back. */
void nb__books_set_stale_at(nb__books *books, uint32_t topic);

/** One counter a flag (records that had it; STALE: books that became so) and those of the whole. */
typedef struct nb__book_counters {
    uint64_t records, books, flags[NB_BOOK_FLAG_COUNT];
} nb__book_counters;
extern const nb__metric nb__book_metrics[];
extern const size_t nb__book_metric_count;
const nb__book_counters *nb__books_count(const nb__books *books);

#endif
