/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: sim kis base */
/* Faults as people type them, and scripts of them: what parses keeps its limits, strikes without
 * harm, and leaves a record that fits its place. */
#include "sim/fault.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool is_so)
{
    if (!is_so)
        abort();
}

static void check_fault(const nb__sim_fault *fault)
{
    require(fault->kind < NB__FAULT_COUNT && fault->when <= NB__SIM_WHEN_BETWEEN);
    const nb__sim_fault_row *row = nb__sim_fault_at(fault->kind);
    for (size_t i = 0; i < NB__SIM_FAULT_PARAMS_MAX && row->params[i].name != NULL; i++)
        require(
            (fault->values[i] >= row->params[i].least && fault->values[i] <= row->params[i].most) ||
            (fault->values[i] == 0 && (fault->given >> i & 1) == 0));
    require(fault->every >= 1 && fault->first >= 0);
    require(fault->chance_e9 >= 0 && fault->chance_e9 <= NB_PRICE_ONE);
    require(fault->when != NB__SIM_WHEN_BETWEEN || fault->end > fault->begin);
}

static void check_damage(const nb__sim_damage *damage)
{
    static const char record[] =
        "B01612A46^200000^1.00^2.00^3.00^4.00^5.00^0^0^0^0^0^0^0^0^0^0^0^0^"
        "0^0^0^0^0^0^0^0^0^0^0^0^0^0^0^0^0^0^0";
    char text[NB__SIM_RECORD_TEXT_MAX], garbage[NB__SIM_GARBAGE_MAX];
    memcpy(text, record, sizeof record - 1);
    size_t size_bytes = nb__sim_damage_record(damage, 3, text, sizeof record - 1);
    require(size_bytes <= sizeof text && nb__sim_damage_cut(damage, size_bytes) <= size_bytes);
    require(nb__sim_damage_garbage(damage, garbage) <= sizeof garbage);
    nb__text truth = {0};
    nb__sim_damage_print(damage, &truth);
    nb__text_fini(&truth);
}

static void run(const nb__sim_faults *faults)
{
    const nb__sim_start start = {nb__kst_ns(20261120, 200000), 20261120, 60};
    nb__sim_schedule schedule;
    require(nb__sim_schedule_init(&schedule, faults->items, faults->count, 1, &start) == NB_OK);
    for (int64_t at_ns = 0; at_ns < 64 * NB__NS_PER_S; at_ns += NB__NS_PER_S) {
        while (nb__sim_schedule_begun(&schedule, at_ns) != NULL)
            ;
        nb__sim_damage damage = nb__sim_damage_plan(&schedule, at_ns, (uint64_t)at_ns);
        check_damage(&damage);
        for (int kind = 0; kind < NB__FAULT_COUNT; kind++) {
            nb__sim_armed *row =
                nb__sim_schedule_strike(&schedule, (nb__sim_fault_kind)kind, at_ns);
            if (row != NULL)
                (void)nb__sim_armed_draw_ns(row, at_ns, row->fault.values[1]);
        }
        require(nb__sim_schedule_next_ns(&schedule) > at_ns);
    }
    nb__sim_schedule_fini(&schedule);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    nb_span text = {(const char *)data, size_bytes};
    nb__sim_faults faults = {0};
    nb_error error = {0};
    nb_err err = nb__sim_faults_add(&faults, text, &error);
    require(faults.count == (err == NB_OK ? 1 : 0));
    require(err == NB_OK || (error.code == err && error.detail[0] != '\0'));
    uint32_t count = faults.count;
    err = nb__sim_faults_add_script(&faults, text, &error);
    require(err == NB_OK || (error.code == err && faults.count == count));
    for (uint32_t i = 0; i < faults.count; i++)
        check_fault(&faults.items[i]);
    if (faults.count <= 32)
        run(&faults);
    nb__sim_faults_fini(&faults);
    return 0;
}
