/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The look-alike's market, private to the room. Pure: no clock, socket, file or libm function whose
 * last bit may differ between machines, so a seed gives the same records everywhere.
 *
 *     schedule.c   when: steps of 250 ms move the forward and the mood; frames lie between them
 *     chain.c      which: the series of a night, their codes, names and weights
 *     smile.c      at what price: Black-76 with a smile
 *     maker.c      the book: five levels a side, totals, ICDC
 *     record.c     the text: KIS's fields, and the truth as JSON
 *
 * The caller only decides when a frame is let out; nothing here depends on when or how often it
 * asks.
 */
#ifndef NB_SIM_MARKET_H
#define NB_SIM_MARKET_H

#include "base/base.h"
#include "kis/kis.h"
#include "night/night.h"

#define NB__SIM_LEVELS 5
#define NB__SIM_RECORDS_MAX 20      /**< records of one frame */
#define NB__SIM_RECORD_TEXT_MAX 704 /**< 38 fields, extra ones and what faults add included */
#define NB__SIM_EXTRA_FIELDS_MAX 20
#define NB__SIM_TAIL_NS (5 * NB__NS_PER_S) /**< late frames after 06:00 */

/* ---- smile.c ---- */

/** Price in points of an option on a forward, discount factor 1. @param years > 0. */
double nb__sim_option_price(double forward, double strike, double years, bool is_call);

/* ---- records ---- */

/** An empty level is all zero. */
typedef struct nb__sim_level {
    int32_t price_cents; /**< 0.01 points */
    int32_t quantity, count;
} nb__sim_level;

typedef struct nb__sim_side {
    nb__sim_level level[NB__SIM_LEVELS]; /**< best first */
    int64_t total_quantity, total_count; /**< the whole book, not only the five levels */
    int64_t change; /**< total_quantity − that of the key's previous record */
} nb__sim_side;

typedef struct nb__sim_record {
    uint32_t series_index;
    int32_t hhmmss;
    nb__sim_side ask, bid;
} nb__sim_record;

typedef struct nb__sim_frame {
    uint64_t number; /**< 1, 2, 3 … since the market's start */
    int64_t at_ns;   /**< session time, UTC */
    uint32_t record_count;
    nb__sim_record records[NB__SIM_RECORDS_MAX]; /**< all of one TR */
} nb__sim_frame;

/* ---- chain.c ---- */

typedef struct nb__sim_series {
    nb__instrument instrument;
    bool is_listed;    /**< in the master; KIS's stale sample codes trade without being in it */
    bool tells_counts; /**< false: counts are 0, as in the Eurex era */
    uint8_t
        reach; /**< 0 front expiry, 1 weekly, 2 second month, 3 third, 4 future, 5 KIS's samples */
    int64_t expiry_ns;    /**< 15:20 KST of the last trading day */
    int32_t strike_cents; /**< 0: future */
    int32_t divisor;      /**< of the forward: 3 for a series from when KOSPI200 stood near 365 */
    bool trades;
    uint32_t weight;
    nb__sim_record last; /**< the book as last told */
    bool is_told;
    int32_t lean_ticks;             /**< the maker's slow bias */
    int32_t ask_beyond, bid_beyond; /**< quantity behind the fifth level */
} nb__sim_series;

typedef struct nb__sim_chain {
    nb__sim_series *series;
    uint32_t count;
    uint32_t *by_code; /**< series indexes in the order of their codes */
} nb__sim_chain;

/**
 * The series that trade in the night that starts on `start_date`: three months, the next Thursday
 * and Monday weekly, the front future, KIS's sample codes. @param forward_cents  where strikes are
 * centred and ATM classes are taken.
 * @param keys_max  options that trade, nearest the money; 0: all.
 */
nb_err nb__sim_chain_make(const nb_calendar *calendar, int start_date, int32_t forward_cents,
                          uint32_t keys_max, nb__sim_chain *out);
void nb__sim_chain_fini(nb__sim_chain *chain);
/** @return its index, UINT32_MAX when there is none. */
uint32_t nb__sim_chain_find(const nb__sim_chain *chain, nb_span code);
const char *nb__sim_series_tr_id(const nb__sim_series *series); /**< H0EUASP0 or H0MFASP0 */
static inline bool nb__sim_series_is_future(const nb__sim_series *series)
{
    return series->strike_cents == 0;
}

/* ---- maker.c ---- */

typedef enum nb__sim_mode {
    NB__SIM_CONTINUOUS,
    NB__SIM_AUCTION,       /**< books may be crossed */
    NB__SIM_AUCTION_EMPTY, /**< the first minutes of the opening: often nothing yet */
} nb__sim_mode;

int32_t nb__sim_tick_cents(const nb__sim_series *series, int32_t price_cents);
/** Make the next record of a series from its last one, and remember it as told. */
void nb__sim_make_record(nb__sim_series *series, uint32_t series_index, double forward,
                         int64_t at_ns, nb__sim_mode mode, nb__random *random, nb__sim_record *out);
bool nb__sim_is_crossed(const nb__sim_record *record); /**< or locked */

/* ---- record.c ---- */

/** KIS's 38 fields joined by '^', then `extra_fields` more. @return bytes written, at most
 * NB__SIM_RECORD_TEXT_MAX. */
size_t nb__sim_record_print(const nb__sim_chain *chain, const nb__sim_record *record,
                            uint32_t extra_fields, char *out);
/** One line of JSON with the integers behind the text; `remarks` are more members: `,"name":…`, or
 * "". */
void nb__sim_truth_print(const nb__sim_chain *chain, const nb__sim_frame *frame,
                         uint32_t record_index, const char *remarks, nb__text *out);

/* ---- schedule.c ---- */

typedef struct nb__market_config {
    uint64_t seed;
    const nb_calendar *calendar;
    nb_night night;         /**< the night that is traded */
    int64_t start_ns;       /**< first instant of it, receipt_ns … end_ns */
    double frames_a_second; /**< mean, of session time */
    uint32_t keys_max;
} nb__market_config;

typedef struct nb__market nb__market;
nb_err nb__market_new(const nb__market_config *config, nb__market **out, nb_error *error);
void nb__market_free(nb__market *market);
/** Session time of the next frame; INT64_MAX when the night is over. */
int64_t nb__market_next_ns(const nb__market *market);
/** Make the next frame. Only while nb__market_next_ns() is not INT64_MAX. */
void nb__market_next(nb__market *market, nb__sim_frame *out);
const nb__sim_chain *nb__market_chain(const nb__market *market);
int32_t nb__market_forward_cents(const nb__market *market);
/** Index of the front month's call nearest the forward. */
uint32_t nb__market_atm(const nb__market *market);

#endif
