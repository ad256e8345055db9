/* SPDX-License-Identifier: Apache-2.0 */
/* Approval keys: random UUIDs, whose first eight digits also say (masked) where the key is kept. */
#include "server.h"
#include <stdlib.h>
#include <string.h>

nb_err nb__sim_approvals_init(nb__sim_approvals *approvals)
{
    *approvals =
        (nb__sim_approvals){.rows = calloc(NB__SIM_APPROVALS_MAX, sizeof(nb__sim_approval))};
    nb__random_bytes(&approvals->mask, sizeof approvals->mask);
    return approvals->rows == NULL ? NB_E_MEMORY : NB_OK;
}

void nb__sim_approvals_fini(nb__sim_approvals *approvals)
{
    free(approvals->rows);
    *approvals = (nb__sim_approvals){0};
}

const char *nb__sim_approval_issue(nb__sim_approvals *approvals, const char *appkey,
                                   int64_t mono_ns)
{
    uint32_t number = approvals->issued_count++;
    nb__sim_approval *row = &approvals->rows[number % NB__SIM_APPROVALS_MAX];
    uint16_t noise[6];
    nb__random_bytes(noise, sizeof noise);
    snprintf(row->key, sizeof row->key, "%08x-%04x-4%03x-%04x-%04x%04x%04x",
             number ^ approvals->mask, noise[0], noise[1] & 0xFFFu, (noise[2] & 0x3FFFu) | 0x8000u,
             noise[3], noise[4], noise[5]);
    nb__span_copy(nb__span(appkey), row->appkey, sizeof row->appkey);
    row->issued_mono_ns = mono_ns;
    return row->key;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *nb__sim_approval_find(const nb__sim_approvals *approvals, const char *key,
                                  int64_t mono_ns)
{
    if (strlen(key) != NB__SIM_APPROVAL_SIZE)
        return NULL;
    uint32_t number = 0;
    for (int i = 0; i < 8; i++) {
        int value = hex_value(key[i]);
        if (value < 0)
            return NULL;
        number = number << 4 | (uint32_t)value;
    }
    const nb__sim_approval *row =
        &approvals->rows[(number ^ approvals->mask) % NB__SIM_APPROVALS_MAX];
    if (strcmp(row->key, key) != 0 || mono_ns - row->issued_mono_ns > NB__SIM_APPROVAL_LIFE_NS)
        return NULL;
    return row->appkey;
}
