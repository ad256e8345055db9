/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a master file that was read whole may take the place of the last good copy. */
#include "symbols/symbols.h"

/* Options are in one night file and futures in the other: either under the other's name would pass
 * for a night without options. */
static bool has_its_products(nb__master_kind kind, const nb__master *fresh)
{
    for (size_t i = 0; i < fresh->count; i++) {
        bool is_option = fresh->rows[i].right == 'C' || fresh->rows[i].right == 'P';
        if (kind == NB__MASTER_INDEX || is_option == (kind == NB__MASTER_EUREX))
            return true;
    }
    return false;
}

nb_err nb__master_may_replace(nb__master_kind kind, const nb__master *fresh, size_t kept_count,
                              nb_error *error)
{
    if (!has_its_products(kind, fresh))
        return nb__fail(error, NB_E_MASTER, 0, "%s: there is no %s in it: is it another file?",
                        nb__master_file_name(kind), kind == NB__MASTER_EUREX ? "option" : "future");
    if (kept_count > fresh->count && kept_count - fresh->count > fresh->count)
        return nb__fail(error, NB_E_MASTER, 0, "%s: %zu codes, less than half of the %zu kept",
                        nb__master_file_name(kind), fresh->count, kept_count);
    return NB_OK;
}
