/* SPDX-License-Identifier: Apache-2.0 */
/* Codes that the master does not have, told with those that may have been meant. */
#include "codes.h"
#include <stdlib.h>
#include <string.h>

#define LOGGED_MAX 20 /* a program with a stale list names hundreds */
#define NEAR_MAX 3

/* The night TRs whose keys are codes of the masters; an order notice's key is an HTS id. */
static bool has_code(const nb__topic *topic)
{
    static const char *const trs[] = {"H0EUASP0", "H0EUCNT0", "H0EUANC0", "H0MFASP0", "H0MFCNT0"};
    for (size_t i = 0; i < NB__COUNT_OF(trs); i++)
        if (strcmp(topic->tr_id, trs[i]) == 0)
            return true;
    return false;
}

bool nb__codes_init(nb__codes *codes, uint32_t topics_max)
{
    *codes = (nb__codes){.is_told = calloc(topics_max, 1), .topics_max = topics_max};
    return codes->is_told != NULL;
}

void nb__codes_fini(nb__codes *codes)
{
    free(codes->is_told);
    *codes = (nb__codes){0};
}

void nb__codes_forget(nb__codes *codes)
{
    memset(codes->is_told, 0, codes->topics_max);
    codes->logged = 0;
}

static void tell(nb__codes *codes, const nb__symbols *symbols, const nb__topic *topic)
{
    if (codes->logged++ >= LOGGED_MAX)
        return;
    const nb__instrument *rows[NEAR_MAX];
    size_t count = nb__symbols_near(symbols, nb__span(topic->tr_key), rows, NEAR_MAX);
    nb__text near = {0};
    for (size_t i = 0; i < count; i++)
        nb__text_printf(&near, "%s%s (%s)", i == 0 ? "\nnear: " : ", ", rows[i]->code,
                        rows[i]->name);
    nb__log(NB__LOG_WARN, "codes",
            "%s %s is not in the master; it is asked for all the same, and KIS may accept it and "
            "stay silent%s",
            topic->tr_id, topic->tr_key, near.size_bytes > 0 ? near.data : "");
    nb__text_fini(&near);
    if (codes->logged == LOGGED_MAX)
        nb__log(NB__LOG_WARN, "codes",
                "further codes that the master does not have are only counted\n"
                "the list that these come from is probably another night's: nightbook symbols");
}

bool nb__codes_check(nb__codes *codes, const nb__symbols *symbols, const nb__topic *topic,
                     uint32_t index)
{
    if (symbols == NULL || index >= codes->topics_max || codes->is_told[index] ||
        !has_code(topic) || nb__symbols_find(symbols, nb__span(topic->tr_key)) != NULL)
        return false;
    codes->is_told[index] = 1;
    tell(codes, symbols, topic);
    return true;
}
