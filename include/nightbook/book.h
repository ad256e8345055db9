/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What is odd about a book: flags, never silently. None of them drops a frame.
 *
 * Source of each rule: docs/correctness.md.
 */
#ifndef NIGHTBOOK_BOOK_H
#define NIGHTBOOK_BOOK_H

#include <nightbook/quote.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, bit, word, meaning). `word` is what JSON and screens show. */
#define NB_BOOK_FLAG_TABLE(X)                                                                      \
    X(CROSSED, 0, "crossed", "best bid above best ask")                                            \
    X(LOCKED, 1, "locked", "best bid equals best ask")                                             \
    X(ORDER, 2, "order", "levels not in price order, or a level after an empty one")               \
    X(OFF_TICK, 3, "off_tick", "a price is no multiple of the product's tick")                     \
    X(TOTAL, 4, "total", "a total is below the sum of its levels")                                 \
    X(CHANGE, 5, "change", "ICDC is not the difference of totals: a frame may have been missed")   \
    X(DRIFT, 6, "drift", "the record is wider than documented")                                    \
    X(STALE, 7, "stale", "the link that feeds it is down, or its key was given back")              \
    X(FAR_TIME, 8, "far_time", "the exchange time lies over an hour from the receive time")        \
    X(BACKWARD, 9, "backward", "the exchange time went back")

enum {
#define NB_BOOK_FLAG_ENUM(name, bit, word, meaning) NB_BOOK_##name = 1u << (bit),
    NB_BOOK_FLAG_TABLE(NB_BOOK_FLAG_ENUM)
#undef NB_BOOK_FLAG_ENUM
        NB_BOOK_FLAG_COUNT = 10
};

/** @return the word of bit `index` ("crossed"), NULL past the last. Static. */
NB_API const char *nb_book_flag_word(int index);

#ifdef __cplusplus
}
#endif
#endif
