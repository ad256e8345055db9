/* SPDX-License-Identifier: Apache-2.0 */
/* What a person typed, as conditions on a row. Inside the room. */
#ifndef NB_SYMBOLS_QUERY_H
#define NB_SYMBOLS_QUERY_H

#include "index.h"

#define NB__QUERY_WORDS_MAX 16
#define NB__QUERY_PIECES_MAX 8
#define NB__QUERY_WORD_MAX 63 /* bytes: as long as a name can be */

typedef enum nb__piece_kind {
    NB__PIECE_ANY, /**< "night": every row of a night's master */
    NB__PIECE_WEEKLY,
    NB__PIECE_MONTHLY,
    NB__PIECE_THURSDAY,
    NB__PIECE_MONDAY,
    NB__PIECE_MINI,
    NB__PIECE_KOSPI,
    NB__PIECE_KOSDAQ,
    NB__PIECE_FUTURE,
    NB__PIECE_OPTION,
    NB__PIECE_SPREAD,
    NB__PIECE_CALL,
    NB__PIECE_PUT,
    NB__PIECE_ATM,
    NB__PIECE_ITM,
    NB__PIECE_OTM,
    NB__PIECE_EXPIRY, /**< those of year, month, week that are not 0 */
    NB__PIECE_NUMBER  /**< a strike, or when it looks like one the expiry too */
} nb__piece_kind;

typedef struct nb__piece {
    nb__piece_kind kind;
    int year, month, week;
    nb_price strike;
} nb__piece;

/** One word: a code's beginning, else pieces which all must fit, else a part of the name. */
typedef struct nb__word {
    char text[NB__QUERY_WORD_MAX + 1]; /**< small letters */
    bool is_code;
    nb__piece pieces[NB__QUERY_PIECES_MAX];
    size_t piece_count;
} nb__word;

typedef struct nb__query {
    nb__word words[NB__QUERY_WORDS_MAX];
    size_t word_count;
    bool says_mini; /**< only then a mini is meant by "kospi200" */
} nb__query;

/** @return false: more or longer words than any row could fit. */
bool nb__query_parse(const nb__symbols *symbols, nb_span words, nb__query *query);
bool nb__query_fits(const nb__query *query, const nb__instrument *row);

#endif
