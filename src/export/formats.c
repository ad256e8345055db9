/* SPDX-License-Identifier: Apache-2.0 */
/* Which formats there are. */
#include "export.h"
#include <string.h>

static const nb__export_format *const formats[] = {
    &nb__export_csv, &nb__export_jsonl, &nb__export_dbn, &nb__export_parquet, &nb__export_npz,
};

const nb__export_format *nb__export_format_at(size_t index)
{
    return index < NB__COUNT_OF(formats) ? formats[index] : NULL;
}

const nb__export_format *nb__export_format_find(const char *name)
{
    for (size_t i = 0; i < NB__COUNT_OF(formats); i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    return NULL;
}
