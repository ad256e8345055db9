/* SPDX-License-Identifier: Apache-2.0 */
/* Where a segment's files lie. */
#include "store/store.h"
#include <stdio.h>

void nb__segment_path(const nb__segment *segment, bool is_packed, char out[NB__STORE_PATH_MAX])
{
    char name[NB__JOURNAL_NAME_BYTES];
    nb__journal_name_print(name, segment->night, segment->number);
    int size = snprintf(out, NB__STORE_PATH_MAX, "%s/%s.log%s", segment->directory, name,
                        is_packed ? ".zst" : "");
    if (size >= NB__STORE_PATH_MAX)
        out[0] = '\0';
}
