/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record as KIS writes it, by hand and not by the kis room's encoder: what the tests compare with
 * the decoder has to come from somewhere else. Field order of H0EUASP0 and H0MFASP0:
 *
 *     code ^ HHMMSS ^ ask prices 5 ^ bid prices 5 ^ ask counts 5 ^ bid counts 5
 *     ^ ask quantities 5 ^ bid quantities 5 ^ total counts ask, bid ^ total quantities ask, bid
 *     ^ changes of these ask, bid
 */
#include "market.h"
#include <inttypes.h>

#define CENT_E9 (NB_PRICE_ONE / 100)

static char *put_number(char *to, int64_t value)
{
    char digits[24];
    size_t count = 0;
    uint64_t left = value < 0 ? UINT64_C(0) - (uint64_t)value : (uint64_t)value;
    do {
        digits[count++] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0)
        *to++ = '-';
    while (count > 0)
        *to++ = digits[--count];
    return to;
}

static char *put_field(char *to, int64_t value)
{
    *to++ = '^';
    return put_number(to, value);
}

static char *put_prices(char *to, const nb__sim_side *side)
{
    for (int i = 0; i < NB__SIM_LEVELS; i++) {
        int32_t cents = side->level[i].price_cents;
        to = put_field(to, cents / 100);
        *to++ = '.';
        *to++ = (char)('0' + cents / 10 % 10);
        *to++ = (char)('0' + cents % 10);
    }
    return to;
}

static char *put_counts(char *to, const nb__sim_side *side)
{
    for (int i = 0; i < NB__SIM_LEVELS; i++)
        to = put_field(to, side->level[i].count);
    return to;
}

static char *put_quantities(char *to, const nb__sim_side *side)
{
    for (int i = 0; i < NB__SIM_LEVELS; i++)
        to = put_field(to, side->level[i].quantity);
    return to;
}

size_t nb__sim_record_print(const nb__sim_chain *chain, const nb__sim_record *record,
                            uint32_t extra_fields, char *out)
{
    const char *code = chain->series[record->series_index].instrument.code;
    char *to = out;
    while (*code != '\0')
        *to++ = *code++;
    *to++ = '^';
    for (int32_t scale = 100000; scale > 0; scale /= 10)
        *to++ = (char)('0' + record->hhmmss / scale % 10);
    to = put_prices(to, &record->ask);
    to = put_prices(to, &record->bid);
    to = put_counts(to, &record->ask);
    to = put_counts(to, &record->bid);
    to = put_quantities(to, &record->ask);
    to = put_quantities(to, &record->bid);
    to = put_field(to, record->ask.total_count);
    to = put_field(to, record->bid.total_count);
    to = put_field(to, record->ask.total_quantity);
    to = put_field(to, record->bid.total_quantity);
    to = put_field(to, record->ask.change);
    to = put_field(to, record->bid.change);
    for (uint32_t i = 0; i < extra_fields && i < NB__SIM_EXTRA_FIELDS_MAX; i++)
        to = put_field(to, 0);
    return (size_t)(to - out);
}

static void truth_side(const char *name, const nb__sim_side *side, nb__text *out)
{
    nb__text_printf(out, ",\"%s_price_e9\":[", name);
    for (int i = 0; i < NB__SIM_LEVELS; i++) {
        if (side->level[i].price_cents == 0)
            nb__text_string(out, i == 0 ? "null" : ",null");
        else
            nb__text_printf(out, "%s%" PRId64, i == 0 ? "" : ",",
                            side->level[i].price_cents * CENT_E9);
    }
    nb__text_printf(out, "],\"%s_quantity\":[", name);
    for (int i = 0; i < NB__SIM_LEVELS; i++)
        nb__text_printf(out, "%s%d", i == 0 ? "" : ",", side->level[i].quantity);
    nb__text_printf(out, "],\"%s_count\":[", name);
    for (int i = 0; i < NB__SIM_LEVELS; i++)
        nb__text_printf(out, "%s%d", i == 0 ? "" : ",", side->level[i].count);
    nb__text_printf(out,
                    "],\"total_%s_quantity\":%" PRId64 ",\"total_%s_count\":%" PRId64
                    ",\"total_%s_change\":%" PRId64,
                    name, side->total_quantity, name, side->total_count, name, side->change);
}

void nb__sim_truth_print(const nb__sim_chain *chain, const nb__sim_frame *frame,
                         uint32_t record_index, const char *remarks, nb__text *out)
{
    const nb__sim_record *record = &frame->records[record_index];
    const nb__sim_series *series = &chain->series[record->series_index];
    nb__text_printf(out,
                    "{\"frame\":%" PRIu64 ",\"record\":%u,\"at_ns\":%" PRId64
                    ",\"tr_id\":\"%s\",\"tr_key\":\"%s\",\"hhmmss\":%d",
                    frame->number, record_index, frame->at_ns, nb__sim_series_tr_id(series),
                    series->instrument.code, record->hhmmss);
    truth_side("ask", &record->ask, out);
    truth_side("bid", &record->bid, out);
    nb__text_string(out, remarks);
    nb__text_string(out, "}\n");
}
