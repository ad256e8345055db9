/* SPDX-License-Identifier: Apache-2.0 */
/**
 * hold: a replay waits for its clients (hold.c). It begins when enough of them have subscribed,
 * stands while one that did not choose conflation has much waiting, and after a gap that it played
 * waits a while for those whose connection it ended.
 */
#ifndef NB_GATEWAY_HOLD_H
#define NB_GATEWAY_HOLD_H

#include "plant/plant.h"

typedef struct hold {
    bool is_patient;          /**< the feed is a replay */
    bool is_started;          /**< enough clients were there */
    int64_t asked_ns;         /**< a client's last request */
    uint32_t gap_count;       /**< recorded links that are down now */
    uint32_t awaited;         /**< after a gap: so many subscribed clients are waited for … */
    int64_t awaited_until_ns; /**< … until then; INT64_MAX: the gap lasts */
    /* the last look at what all clients have waiting */
    uint64_t seen_head, seen_at_bytes;
    bool had_room;
    uint32_t slow_index; /**< who had most waiting, valid while !had_room */
    uint64_t slow_serial;
    int64_t slow_since_ns;
    bool is_slow_told;
    nb__timer timer; /**< only wakes the loop */
} hold;

#endif
