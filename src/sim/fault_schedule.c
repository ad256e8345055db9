/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which faults are on, and which opportunities they take. Time is what the caller says: nanoseconds
 * since the look-alike's start.
 */
#include "fault.h"
#include <stdlib.h>

/* ---- when ---- */

static int64_t add_ns(int64_t ns, int64_t more_ns)
{
    int64_t sum_ns;
    return __builtin_add_overflow(ns, more_ns, &sum_ns) ? INT64_MAX : sum_ns;
}

static int64_t elapsed_of(const nb__sim_fault *fault, int64_t at, const nb__sim_start *start)
{
    if (!fault->is_session_time)
        return at;
    int64_t session_ns = nb__kst_ns(start->night_date, (int)at);
    return (int64_t)((double)(session_ns - start->at_session_ns) / start->speed);
}

/* How long it is on by its own account, from its begin; INT64_MAX: for good. */
static int64_t own_length_ns(const nb__sim_fault *fault)
{
    bool is_bounded = fault->kind == NB__FAULT_IN_USE &&
                      (fault->when != NB__SIM_WHEN_BETWEEN || (fault->given & 1) != 0);
    if (is_bounded)
        return fault->values[0];
    bool is_instant = fault->when == NB__SIM_WHEN_AT && (nb__sim_fault_at(fault->kind)->is_cut ||
                                                         fault->kind == NB__FAULT_FRIDAY_RESTART);
    return is_instant ? 1 : INT64_MAX;
}

static void set_window(nb__sim_armed *row, const nb__sim_start *start)
{
    const nb__sim_fault *fault = &row->fault;
    bool is_always = fault->when == NB__SIM_WHEN_ALWAYS;
    row->begin_ns = is_always ? 0 : elapsed_of(fault, fault->begin, start);
    row->end_ns = add_ns(row->begin_ns, own_length_ns(fault));
    if (fault->when != NB__SIM_WHEN_BETWEEN)
        return;
    int64_t end_ns = elapsed_of(fault, fault->end, start);
    if (end_ns < row->end_ns)
        row->end_ns = end_ns;
}

/* ---- life ---- */

nb_err nb__sim_schedule_init(nb__sim_schedule *schedule, const nb__sim_fault *faults,
                             uint32_t count, uint64_t seed, const nb__sim_start *start)
{
    *schedule = (nb__sim_schedule){0};
    if (count == 0)
        return NB_OK;
    schedule->rows = calloc(count, sizeof *schedule->rows);
    if (schedule->rows == NULL)
        return NB_E_MEMORY;
    schedule->count = count;
    for (uint32_t i = 0; i < count; i++) {
        nb__sim_armed *row = &schedule->rows[i];
        row->fault = faults[i];
        set_window(row, start);
        row->is_begun = row->end_ns <= 0; /* over before the start: never told */
        nb__random_init(&row->random, seed * UINT64_C(0x100000001B3) + i + 1);
        schedule->kinds |= UINT64_C(1) << faults[i].kind;
    }
    return NB_OK;
}

void nb__sim_schedule_fini(nb__sim_schedule *schedule)
{
    free(schedule->rows);
    *schedule = (nb__sim_schedule){0};
}

/* ---- strikes ---- */

bool nb__sim_armed_strike(nb__sim_armed *row, int64_t elapsed_ns)
{
    const nb__sim_fault *fault = &row->fault;
    if (elapsed_ns < row->begin_ns || elapsed_ns >= row->end_ns)
        return false;
    row->opportunity_count++;
    if (row->opportunity_count % fault->every != 0)
        return false;
    if (fault->first > 0 && row->strike_count >= fault->first)
        return false;
    if (fault->chance_e9 < NB_PRICE_ONE &&
        (int64_t)nb__random_below(&row->random, NB_PRICE_ONE) >= fault->chance_e9)
        return false;
    row->strike_count++;
    return true;
}

nb__sim_armed *nb__sim_schedule_strike(nb__sim_schedule *schedule, nb__sim_fault_kind kind,
                                       int64_t elapsed_ns)
{
    if ((schedule->kinds >> kind & 1) == 0)
        return NULL;
    for (uint32_t i = 0; i < schedule->count; i++) {
        nb__sim_armed *row = &schedule->rows[i];
        if (row->fault.kind == kind && nb__sim_armed_strike(row, elapsed_ns))
            return row;
    }
    return NULL;
}

int64_t nb__sim_armed_draw_ns(nb__sim_armed *row, int64_t base_ns, int64_t jitter_ns)
{
    if (jitter_ns <= 0)
        return base_ns;
    return base_ns + (int64_t)nb__random_below(&row->random, (uint64_t)jitter_ns + 1);
}

/* ---- begins ---- */

nb__sim_armed *nb__sim_schedule_begun(nb__sim_schedule *schedule, int64_t elapsed_ns)
{
    for (uint32_t i = 0; i < schedule->count; i++) {
        nb__sim_armed *row = &schedule->rows[i];
        if (row->is_begun || row->begin_ns > elapsed_ns)
            continue;
        row->is_begun = true;
        return row;
    }
    return NULL;
}

int64_t nb__sim_schedule_next_ns(const nb__sim_schedule *schedule)
{
    int64_t next_ns = INT64_MAX;
    for (uint32_t i = 0; i < schedule->count; i++)
        if (!schedule->rows[i].is_begun && schedule->rows[i].begin_ns < next_ns)
            next_ns = schedule->rows[i].begin_ns;
    return next_ns;
}
