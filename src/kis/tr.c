/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in table of TRs: rows generated from schema/kis.schema by script/generate. */
#include "field.h"
#include "quote_wide.h"
#include <string.h>

#include "tr_rows.inc"

const nb_tr *nb_tr_find(nb_span tr_id)
{
    for (size_t i = 0; i < NB__COUNT_OF(tr_rows); i++)
        if (nb__span_is(tr_id, tr_rows[i].id))
            return &tr_rows[i];
    return NULL;
}

const nb_tr *nb_tr_at(size_t index)
{
    return index < NB__COUNT_OF(tr_rows) ? &tr_rows[index] : NULL;
}

uint16_t nb__tr_index(const nb_tr *tr)
{
    for (size_t i = 0; i < NB__COUNT_OF(tr_rows); i++)
        if (tr == &tr_rows[i])
            return (uint16_t)i;
    return UINT16_MAX;
}

const quote_lanes *nb__quote_lanes_at(uint16_t tr_index)
{
    return &tr_lanes[tr_index];
}
