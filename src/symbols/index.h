/* SPDX-License-Identifier: Apache-2.0 */
/* The index, inside the room. */
#ifndef NB_SYMBOLS_INDEX_H
#define NB_SYMBOLS_INDEX_H

#include "symbols/symbols.h"

struct nb__symbols {
    const nb__instrument **by_code; /* owns the memory of both */
    const nb__instrument **by_expiry;
    size_t count;
};

#endif
