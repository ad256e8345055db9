/* SPDX-License-Identifier: Apache-2.0 */
/* Counters: our own and the server's tables, and all of them as Prometheus text (format 0.0.4). */
#include "inside.h"
#include <inttypes.h>
#include <string.h>

#define METRIC(field, name, help, is_gauge)                                                        \
    {                                                                                              \
        name, help, offsetof(nb__gateway_counters, field), is_gauge                                \
    }

const nb__metric nb__gateway_metrics[] = {
    METRIC(clients, "gateway_clients", "WebSocket clients that are connected.", true),
    METRIC(clients_total, "gateway_clients_joined_total", "WebSocket clients that came.", false),
    METRIC(subscriptions, "gateway_subscriptions", "Subscriptions of all clients.", true),
    METRIC(messages, "gateway_messages_total", "Messages put into the ring.", false),
    METRIC(deliveries, "gateway_deliveries_total", "Messages handed to clients' sockets.", false),
    METRIC(delivered_bytes, "gateway_delivered_bytes_total", "Bytes handed to clients' sockets.",
           false),
    METRIC(writes, "gateway_writes_total",
           "Writes that carried them; each holds all that was pending.", false),
    METRIC(conflated, "gateway_conflated_total", "Book frames not sent to a slow +conflate client.",
           false),
    METRIC(slow_closed, "gateway_slow_closed_total",
           "Clients closed with 1008 because they read too slowly.", false),
    METRIC(refused_host, "gateway_refused_host_total", "Requests with a foreign Host.", false),
    METRIC(refused_origin, "gateway_refused_origin_total", "Requests with a foreign Origin.",
           false),
    METRIC(refused_key, "gateway_refused_key_total",
           "Requests without a valid client key or approval key.", false),
    METRIC(requests, "gateway_requests_total", "Messages of clients, PINGPONG echoes aside.",
           false),
    METRIC(requests_invalid, "gateway_requests_invalid_total",
           "Of these, such as KIS would not read.", false),
    METRIC(pingpongs, "gateway_pingpongs_total", "PINGPONG messages sent to quiet clients.", false),
    METRIC(idle_closed, "gateway_idle_closed_total",
           "Clients closed because they answered no PINGPONG, or showed no key in time.", false),
    METRIC(clock_closed, "gateway_clock_closed_total",
           "Clients closed with 1012 because the feed's clock became another one.", false),
    METRIC(dropped_too_long, "gateway_dropped_too_long_total",
           "Messages longer than a quarter of the ring.", false),
    METRIC(last_bytes, "gateway_last_bytes", "Bytes held as last values.", true),
};
const size_t nb__gateway_metric_count = NB__COUNT_OF(nb__gateway_metrics);

#undef METRIC
#define METRIC(field, name, help)                                                                  \
    {                                                                                              \
        name, help, offsetof(nb__server_counters, field), false                                    \
    }
static const nb__metric server_metrics[] = {
    METRIC(accepted, "server_accepted_total", "Connections accepted."),
    METRIC(refused_full, "server_refused_full_total",
           "Connections refused with 503: the maximum is reached."),
    METRIC(http_requests, "server_http_requests_total", "HTTP requests read."),
    METRIC(http_errors, "server_http_errors_total", "HTTP requests that were not valid."),
    METRIC(upgrades, "server_upgrades_total", "Upgrades to WebSocket."),
    METRIC(protocol_errors, "server_protocol_errors_total",
           "Clients that broke the WebSocket protocol."),
    METRIC(timeouts, "server_timeouts_total", "Connections that took too long."),
    METRIC(bytes_in, "server_received_bytes_total", "Bytes received."),
    METRIC(bytes_out, "server_sent_bytes_total", "Bytes sent."),
    METRIC(writes, "server_writes_total", "Write system calls."),
};

void gateway_tables(const nb__gateway *g, counter_table out[GATEWAY_TABLES])
{
    const nb__plant *plant = g->plant;
    out[0] =
        (counter_table){"feed", nb__plant_metrics, nb__plant_metric_count, nb__plant_count(plant)};
    out[1] = (counter_table){"session", nb__session_metrics, nb__session_metric_count,
                             nb__session_count(nb__plant_session(plant))};
    out[2] = (counter_table){"book", nb__book_metrics, nb__book_metric_count,
                             nb__books_count(nb__plant_books(plant))};
    out[3] =
        (counter_table){"gateway", nb__gateway_metrics, nb__gateway_metric_count, &g->counters};
    out[4] = (counter_table){"server", server_metrics, NB__COUNT_OF(server_metrics),
                             nb__server_count(g->server)};
}

uint64_t counter_value(const counter_table *table, size_t row)
{
    uint64_t value;
    memcpy(&value, (const char *)table->counters + table->rows[row].offset_bytes, sizeof value);
    return value;
}

void metrics_print(const nb__gateway *g, nb__text *out)
{
    nb__feed_kind kind = gateway_feed_kind(g);
    nb__text_printf(
        out,
        "# HELP nightbook_feed_info What the feed is: live, sim, replay or other (%s now).\n"
        "# TYPE nightbook_feed_info gauge\nnightbook_feed_info{kind=\"%s\"} 1\n",
        nb__feed_kind_banner(kind), nb__feed_kind_name(kind));
    nb__text_printf(out,
                    "# HELP nightbook_feed_up 1 while the feed's link is up.\n"
                    "# TYPE nightbook_feed_up gauge\nnightbook_feed_up %d\n",
                    nb__plant_is_up(g->plant));
    nb__text_printf(
        out,
        "# HELP nightbook_feed_registrations Registrations that the feed's session holds.\n"
        "# TYPE nightbook_feed_registrations gauge\nnightbook_feed_registrations %u\n",
        nb__session_slots_used(nb__plant_session(g->plant)));
    counter_table tables[GATEWAY_TABLES];
    gateway_tables(g, tables);
    for (size_t t = 0; t < GATEWAY_TABLES; t++) {
        for (size_t i = 0; i < tables[t].count; i++) {
            const nb__metric *row = &tables[t].rows[i];
            nb__text_printf(
                out, "# HELP nightbook_%s %s\n# TYPE nightbook_%s %s\nnightbook_%s %" PRIu64 "\n",
                row->name, row->help, row->name, row->is_gauge ? "gauge" : "counter", row->name,
                counter_value(&tables[t], i));
        }
    }
}
