/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The decoder in wide registers: a whole record at once, on CPUs that can (AVX-512 with VBMI2).
 *
 * It takes what KIS sends at all times and gives exactly what the checked scalar decoder gives;
 * anything else it leaves to that one, which is the reference.
 */
#ifndef NB_KIS_QUOTE_WIDE_H
#define NB_KIS_QUOTE_WIDE_H

#include "kis/kis.h"

#define QUOTE_LANES 40 /* 5 registers of 8 fields */
#define QUOTE_LANE_NONE UINT8_MAX

/**
 * Which field of a TR goes where: lane by lane in nb_quote's order,
 *     0–7 price of levels 0–7 (ask 1–5, bid 1–3)      16–23 quantity of levels 0–7
 *     8–9 price of levels 8–9                         24–31 count of levels 0–7
 *    10–15 the six totals                             32–33 quantity, 34–35 count of levels 8–9
 * Lanes 36–39 are spare.
 */
typedef struct quote_lanes {
    uint8_t field[QUOTE_LANES];
    bool is_usable; /* code, time, and those 36, each with its place and nothing else */
} quote_lanes;

/** For the row's generated table. */
void nb__quote_lanes_of(const nb_tr *tr, quote_lanes *out);
/** The built-in TR's own. */
const quote_lanes *nb__quote_lanes_at(uint16_t tr_index);
bool nb__quote_wide_is_possible(void); /**< this CPU has what it needs */
/** Reads nothing outside `record`. @return false: not decoded, `*out` unchanged. */
bool nb__quote_decode_wide(const quote_lanes *lanes, uint16_t tr_index, nb_span record,
                           nb_quote *out);
/** The checked scalar decoder alone: the reference. */
nb_err nb__quote_decode_scalar(const nb_tr *tr, nb_span record, nb_quote *out, nb_error *error);

#endif
