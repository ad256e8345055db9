/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The distinct-error rule: each different warning is told ten times a minute, then counted. A
 * table of fixed size, under the caller's clock.
 */
#include "log.h"
#include <string.h>

static uint64_t hash(uint64_t seed, const char *text)
{
    for (; *text != '\0'; text++)
        seed = (seed ^ (unsigned char)*text) * UINT64_C(1099511628211); /* FNV-1a */
    return seed * UINT64_C(1099511628211);
}

uint64_t log_gate_key(const char *room, const char *format)
{
    uint64_t key = hash(hash(UINT64_C(14695981039346656037), room), format);
    return key == 0 ? 1 : key;
}

/* The row of `key`; else a free one; else the one that began longest ago. */
static log_row *row_for(log_gate *gate, uint64_t key)
{
    log_row *oldest = &gate->rows[0];
    for (size_t i = 0; i < LOG_GATE_ROWS; i++) {
        log_row *row = &gate->rows[i];
        if (row->key == key)
            return row;
        if (oldest->key != 0 && (row->key == 0 || row->since_ns < oldest->since_ns))
            oldest = row;
    }
    return oldest;
}

bool log_gate_pass(log_gate *gate, uint64_t key, int64_t now_ns, uint64_t *repeated, log_row **held)
{
    log_row *row = row_for(gate, key);
    *repeated = 0;
    if (row->key != key || now_ns - row->since_ns >= LOG_GATE_WINDOW_NS) {
        *repeated = row->key == key ? row->held : 0;
        *row = (log_row){.key = key, .since_ns = now_ns};
    }
    if (row->told < LOG_GATE_TOLD_MAX) {
        row->told++;
        return true;
    }
    row->held++;
    *held = row;
    return false;
}

bool log_gate_take(log_gate *gate, uint64_t key, int64_t now_ns, log_row *out)
{
    const log_row *pushed = key == 0 ? NULL : row_for(gate, key);
    for (size_t i = 0; i < LOG_GATE_ROWS; i++) {
        log_row *row = &gate->rows[i];
        bool is_over = now_ns == INT64_MAX || now_ns - row->since_ns >= LOG_GATE_WINDOW_NS;
        if (row->held == 0 || row->key == key || (!is_over && row != pushed))
            continue;
        *out = *row;
        row->held = 0;
        return true;
    }
    return false;
}
