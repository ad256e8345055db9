/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/slots: who has which registration and why, and who has none. */
#include "inside.h"
#include <inttypes.h>

#define ROWS_MAX 4096 /* listed; the rest is counted */
#define NEAR_MAX 3

/* A code that no master has: what may have been meant. */
static void print_near(const nb__gateway *g, const nb__topic *topic, nb__text *out)
{
    const nb__instrument *near[NEAR_MAX];
    const nb__symbols *symbols = nb__plant_symbols(g->plant);
    nb_span code = nb__span(nb__topic_shown_key(topic));
    size_t count = symbols == NULL ? 0 : nb__symbols_near(symbols, code, near, NEAR_MAX);
    nb__text_string(out, ",\"name\":null,\"near\":[");
    for (size_t i = 0; i < count; i++) {
        nb__text_string(out, i == 0 ? "" : ",");
        nb__text_json(out, nb__span(near[i]->code));
    }
    nb__text_string(out, "]");
}

static void print_answer(const nb__registration *registration, nb__text *out)
{
    const nb__answer *answer = &registration->answer;
    if (answer->msg_cd[0] == '\0') {
        nb__text_string(out, ",\"msg_cd\":null,\"msg1\":null");
        return;
    }
    nb__text_string(out, ",\"msg_cd\":");
    nb__text_json(out, nb__span(answer->msg_cd));
    nb__text_string(out, ",\"msg1\":");
    nb__text_json(out, nb__span(answer->msg1));
}

static void print_row(const nb__gateway *g, const nb__plan_row *row, nb__text *out)
{
    const nb__topic *topic = nb__topics_at(nb__plant_topics(g->plant), row->topic);
    uint32_t clients =
        row->topic < g->fan.topic_count ? g->fan.topics[row->topic].subscriber_count : 0;
    bool has_slot = row->session < nb__plant_feed_count(g->plant);
    nb__text_string(out, "{\"tr_id\":");
    nb__text_json(out, nb__span(topic->tr_id));
    nb__text_string(out, ",\"tr_key\":");
    nb__text_json(out, nb__span(nb__topic_shown_key(topic)));
    if (row->instrument != NULL) {
        nb__text_string(out, ",\"name\":");
        nb__text_json(out, nb__span(row->instrument->name));
    } else {
        print_near(g, topic, out);
    }
    nb__text_string(out, ",\"feed\":");
    if (has_slot)
        nb__text_json(out, nb__span(nb__plant_feed_at(g->plant, row->session).name));
    else
        nb__text_string(out, "null");
    nb__text_printf(out,
                    ",\"state\":\"%s\",\"is_pinned\":%s,\"is_client\":%s,\"is_window\":%s,"
                    "\"clients\":%u",
                    nb__registration_state_name(row->registration->state),
                    row->is_pinned ? "true" : "false", row->is_client ? "true" : "false",
                    row->is_window ? "true" : "false", clients);
    print_answer(row->registration, out);
    nb__text_string(out, ",\"reason\":");
    nb__text_json(out, nb__span(row->reason));
    nb__text_string(out, "}");
}

static void print_windows(const nb__plan *plan, nb__text *out)
{
    uint32_t printed = 0;
    nb__text_string(out, ",\n\"windows\":[");
    for (uint32_t i = 0; i < NB__PLAN_WINDOWS_MAX; i++) {
        nb__plan_forward forward = nb__plan_forward_of(plan, i);
        char price[NB_PRICE_TEXT_MAX];
        if (forward.price == NB_PRICE_UNDEF)
            continue;
        nb_price_print(price, forward.price, 2);
        nb__text_printf(out, "%s{\"forward\":%s,\"source\":", printed++ == 0 ? "" : ",", price);
        nb__text_json(out, nb__span(forward.source));
        nb__text_string(out, "}");
    }
    nb__text_string(out, "]");
}

void slots_print(const nb__gateway *g, nb__text *out)
{
    const nb__plan *plan = nb__plant_plan(g->plant);
    const nb__plan_counters *counters = nb__plan_count(plan);
    uint32_t cursor = 0, printed = 0, left_out = 0, states[NB__REG_LINGERING + 1] = {0};
    uint32_t without_slot = 0;
    nb__plan_row row;
    nb__text_printf(out, "{\"banner\":\"%s\",\"slots_max\":%" PRIu64 ",\"slots_used\":%" PRIu64,
                    nb__feed_kind_banner(gateway_feed_kind(g)), counters->slots_max,
                    counters->slots_used);
    print_windows(plan, out);
    nb__text_string(out, ",\n\"slots\":[");
    while (nb__plan_next_row(plan, &cursor, &row)) {
        states[row.registration->state]++;
        without_slot +=
            row.session == NB__PLAN_NOWHERE && row.registration->state != NB__REG_REJECTED;
        if (printed == ROWS_MAX) {
            left_out++;
            continue;
        }
        nb__text_string(out, printed++ == 0 ? "\n" : ",\n");
        print_row(g, &row, out);
    }
    nb__text_string(out, "],\n\"totals\":{");
    for (uint32_t state = NB__REG_PENDING; state <= NB__REG_LINGERING; state++)
        nb__text_printf(out, "\"%s\":%u,",
                        nb__registration_state_name((nb__registration_state)state), states[state]);
    nb__text_printf(out, "\"without_slot\":%u,\"left_out\":%u}}\n", without_slot, left_out);
}
