/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/status: what the feed is, each of its links, whether it flows, who asked for what, every
 * counter. */
#include "inside.h"
#include <inttypes.h>

#define REGISTRATIONS_MAX 4096 /* listed; all are counted */

static void print_loss(const nb__gateway *g, nb__text *out)
{
    int64_t on_loss_ns = g->config.on_loss_ns, down_ns = nb__plant_down_ns(g->plant);
    nb__text_printf(out, ",\"is_lost\":%s,\"down_s\":%" PRId64 ",\"on_loss_s\":",
                    g->is_lost ? "true" : "false", down_ns / NB__NS_PER_S);
    if (on_loss_ns == INT64_MAX)
        nb__text_string(out, "null");
    else
        nb__text_printf(out, "%" PRId64, on_loss_ns / NB__NS_PER_S);
}

static void print_feed(const nb__gateway *g, nb__text *out)
{
    char session[40];
    const nb__session_clock *clock = nb__plant_clock(g->plant);
    int64_t session_ns = gateway_session_ns(g);
    nb_night night = nb_night_at(nb__plant_calendar(g->plant), session_ns);
    nb__kst_print(session, session_ns, 3);
    nb__text_printf(out,
                    "{\"banner\":\"%s\",\"version\":\"%s\",\"feed\":{\"kind\":\"%s\",\"name\":",
                    nb__feed_kind_banner(clock->kind), NB_VERSION, nb__feed_kind_name(clock->kind));
    nb__text_json(out, nb__span(nb__plant_feed_name(g->plant)));
    nb__text_printf(out, ",\"is_up\":%s,\"state\":\"%s\",\"reason\":",
                    nb__plant_is_up(g->plant) ? "true" : "false", feeds_state(g));
    nb__text_json(out, nb__span(nb__plant_reason(g->plant)));
    print_loss(g, out);
    nb__text_printf(out,
                    ",\"session_time\":\"%s\",\"speed\":%.6g,\"phase\":\"%s\",\"trade_date\":\"%"
                    "04d-%02d-%02d\"",
                    session, clock->speed, nb_phase_name(night.phase), night.trade_date / 10000,
                    night.trade_date / 100 % 100, night.trade_date % 100);
    nb__text_printf(out, ",\"is_calendar_known\":%s,\"registrations\":%u,\"instruments\":%zu},\n",
                    night.is_calendar_known ? "true" : "false", feeds_slots_used(g),
                    nb__plant_master(g->plant)->count);
    feeds_print(g, out);
}

static void print_registration(const nb__gateway *g, uint32_t index,
                               const nb__registration *registration, nb__text *out)
{
    const nb__topic *topic = nb__topics_at(nb__plant_topics(g->plant), index);
    uint32_t clients = index < g->fan.topic_count ? g->fan.topics[index].subscriber_count : 0;
    nb__text_string(out, "{\"tr_id\":");
    nb__text_json(out, nb__span(topic->tr_id));
    nb__text_string(out, ",\"tr_key\":");
    nb__text_json(out, nb__span(nb__topic_shown_key(topic)));
    nb__text_printf(out, ",\"state\":\"%s\",\"clients\":%u,\"msg_cd\":",
                    nb__registration_state_name(registration->state), clients);
    nb__text_json(out, nb__span(registration->answer.msg_cd));
    nb__text_string(out, ",\"msg1\":");
    nb__text_json(out, nb__span(registration->answer.msg1));
    nb__text_string(out, "}");
}

static void print_registrations(const nb__gateway *g, nb__text *out)
{
    uint32_t counts[5] = {0}, printed = 0, count = nb__topics_count(nb__plant_topics(g->plant));
    nb__text_string(out, ",\n\"registrations\":[");
    for (uint32_t i = 0; i < count; i++) {
        const nb__registration *registration = nb__plant_registration(g->plant, i);
        if (registration == NULL || registration->state == NB__REG_NONE)
            continue;
        counts[registration->state]++;
        if (printed == REGISTRATIONS_MAX)
            continue;
        nb__text_string(out, printed++ == 0 ? "\n" : ",\n");
        print_registration(g, i, registration, out);
    }
    nb__text_string(out, "],\n\"registration_counts\":{");
    for (uint32_t state = NB__REG_PENDING; state <= NB__REG_LINGERING; state++)
        nb__text_printf(out, "%s\"%s\":%u", state == NB__REG_PENDING ? "" : ",",
                        nb__registration_state_name((nb__registration_state)state), counts[state]);
    nb__text_string(out, "}");
}

static void print_counters(const nb__gateway *g, nb__text *out)
{
    counter_table tables[GATEWAY_TABLES];
    gateway_tables(g, tables);
    nb__text_string(out, ",\n\"counters\":{");
    for (size_t t = 0; t < GATEWAY_TABLES; t++) {
        nb__text_printf(out, "%s\n\"%s\":{", t == 0 ? "" : ",", tables[t].room);
        for (size_t i = 0; i < tables[t].count; i++)
            nb__text_printf(out, "%s\"%s\":%" PRIu64, i == 0 ? "" : ",", tables[t].rows[i].name,
                            counter_value(&tables[t], i));
        nb__text_string(out, "}");
    }
    nb__text_string(out, "}");
}

void status_print(const nb__gateway *g, nb__text *out)
{
    const nb__gateway_config *config = &g->config;
    print_feed(g, out);
    nb__text_printf(
        out,
        ",\n\"gateway\":{\"clients\":%" PRIu64 ",\"clients_max\":%u,\"subscriptions\":%" PRIu64
        ",\"subscriptions_max\":%u,\"ring_bytes\":%zu,\"pending_max\":%u,\"needs_client_key\":%s}",
        g->counters.clients, config->server.connections_max, g->counters.subscriptions,
        config->subscriptions_max, config->ring_bytes, config->pending_max,
        g->access.key_count > 0 ? "true" : "false");
    if (g->hold.is_patient) {
        nb__text_string(out, ",\n\"replay\":");
        (void)replay_print(g, out);
    }
    recording_print(g, out);
    print_registrations(g, out);
    print_counters(g, out);
    nb__text_string(out, "}\n");
}
