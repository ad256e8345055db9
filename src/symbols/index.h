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

/** Of a Monday weekly; KOSDAQ150's is told from its Thursday's by the code only. */
bool nb__expires_on_monday(const nb__instrument *row);
/** Whether its code begins with `text`, in small letters. */
bool nb__code_begins(const nb__instrument *row, nb_span text);

#endif
