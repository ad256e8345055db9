/* SPDX-License-Identifier: Apache-2.0 */
/**
 * codes: is what somebody subscribes in the master? KIS accepts a code that does not exist and
 * stays silent for ever; so it is asked for all the same, and told here, once a code.
 */
#ifndef NB_PLANT_CODES_H
#define NB_PLANT_CODES_H

#include "plant/plant.h"

typedef struct nb__codes {
    uint8_t *is_told; /**< by topic, of this master */
    uint32_t topics_max;
    uint32_t logged; /**< of this master: the rest is only counted */
} nb__codes;

bool nb__codes_init(nb__codes *codes, uint32_t topics_max);
void nb__codes_fini(nb__codes *codes);
/** Another master: what was told before may be told again. */
void nb__codes_forget(nb__codes *codes);
/** @return whether the code is newly found to be unknown. */
bool nb__codes_check(nb__codes *codes, const nb__symbols *symbols, const nb__topic *topic,
                     uint32_t index);

#endif
