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
    METRIC(loss_closed, "gateway_loss_closed_total",
           "Clients closed with 1012 because the feed was lost for too long.", false),
    METRIC(loss_refused, "gateway_loss_refused_total",
           "Clients answered 503 because the feed is lost.", false),
    METRIC(gap_closed, "gateway_gap_closed_total",
           "Clients closed with 1012 where a replay's link was lost.", false),
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
    out[1] = (counter_table){"plan", nb__plan_metrics, nb__plan_metric_count,
                             nb__plan_count(nb__plant_plan(plant))};
    out[2] = (counter_table){"book", nb__book_metrics, nb__book_metric_count,
                             nb__books_count(nb__plant_books(plant))};
    out[3] =
        (counter_table){"gateway", nb__gateway_metrics, nb__gateway_metric_count, &g->counters};
    out[5] = (counter_table){"journal", nb__recorder_metrics, nb__recorder_metric_count,
                             recording_look(g).counters};
    out[4] = (counter_table){"server", server_metrics, NB__COUNT_OF(server_metrics),
                             nb__server_count(g->server)};
}

uint64_t counter_value(const counter_table *table, size_t row)
{
    uint64_t value;
    memcpy(&value, (const char *)table->counters + table->rows[row].offset_bytes, sizeof value);
    return value;
}

counter_table session_table(const nb__session *session)
{
    return (counter_table){"session", nb__session_metrics, nb__session_metric_count,
                           nb__session_count(session)};
}

static void print_head(nb__text *out, const char *name, const char *help, bool is_gauge)
{
    nb__text_printf(out, "# HELP nightbook_%s %s\n# TYPE nightbook_%s %s\n", name, help, name,
                    is_gauge ? "gauge" : "counter");
}

/* A link's label is the user's word: escaped as the format asks for. */
static void print_labelled(nb__text *out, const char *name, const char *feed, uint64_t value)
{
    nb__text_printf(out, "nightbook_%s{feed=\"", name);
    for (; *feed != '\0'; feed++) {
        if (*feed == '"' || *feed == '\\')
            nb__text_string(out, "\\");
        nb__text_append(out, *feed == '\n' ? " " : feed, 1);
    }
    nb__text_printf(out, "\"} %" PRIu64 "\n", value);
}

static uint64_t feed_is_up(const nb__feed_view *view)
{
    return view->is_up;
}

static uint64_t feed_is_resting(const nb__feed_view *view)
{
    return nb__session_state_of(view->session) == NB__SESSION_RESTING;
}

static uint64_t feed_registrations(const nb__feed_view *view)
{
    return nb__session_slots_used(view->session);
}

/* One line for each link. */
static void print_of_feeds(const nb__gateway *g, nb__text *out)
{
    static const struct {
        const char *name, *help;
        uint64_t (*value)(const nb__feed_view *view);
    } gauges[] = {
        {"feed_link_up", "1 while this link is up.", feed_is_up},
        {"feed_link_resting", "1 outside this link's hours: none is wanted.", feed_is_resting},
        {"feed_link_registrations", "Registrations that this link's session holds.",
         feed_registrations},
    };
    uint32_t count = nb__plant_feed_count(g->plant);
    for (size_t i = 0; i < NB__COUNT_OF(gauges); i++) {
        print_head(out, gauges[i].name, gauges[i].help, true);
        for (uint32_t f = 0; f < count; f++) {
            nb__feed_view view = nb__plant_feed_at(g->plant, f);
            print_labelled(out, gauges[i].name, view.name, gauges[i].value(&view));
        }
    }
    for (size_t i = 0; i < nb__session_metric_count; i++) {
        const nb__metric *row = &nb__session_metrics[i];
        print_head(out, row->name, row->help, row->is_gauge);
        for (uint32_t f = 0; f < count; f++) {
            nb__feed_view view = nb__plant_feed_at(g->plant, f);
            counter_table table = session_table(view.session);
            print_labelled(out, row->name, view.name, counter_value(&table, i));
        }
    }
}

static void print_gauge(nb__text *out, const char *name, const char *help, uint64_t value)
{
    print_head(out, name, help, true);
    nb__text_printf(out, "nightbook_%s %" PRIu64 "\n", name, value);
}

/* Seconds, exact to the nanosecond. */
static void print_seconds(nb__text *out, const char *name, uint64_t ns)
{
    nb__text_printf(out, "nightbook_%s %" PRIu64 ".%09" PRIu64 "\n", name, ns / NB__NS_PER_S,
                    ns % NB__NS_PER_S);
}

static void print_latency(const nb__gateway *g, nb__text *out)
{
    static const struct {
        const char *name;
        uint32_t ppm;
    } quantiles[] = {{"latency_seconds{quantile=\"0.5\"}", 500000},
                     {"latency_seconds{quantile=\"0.99\"}", 990000},
                     {"latency_seconds{quantile=\"0.999\"}", 999000}};
    const nb__hist *hist = nb__plant_latency(g->plant);
    nb__text_string(out, "# HELP nightbook_latency_seconds From the read of a frame to the end of "
                         "the turn in which it was passed on.\n"
                         "# TYPE nightbook_latency_seconds summary\n");
    for (size_t i = 0; i < NB__COUNT_OF(quantiles); i++)
        print_seconds(out, quantiles[i].name, (uint64_t)nb__hist_quantile(hist, quantiles[i].ppm));
    print_seconds(out, "latency_seconds_sum", hist->sum);
    nb__text_printf(out, "nightbook_latency_seconds_count %" PRIu64 "\n", hist->count);
    print_head(out, "latency_max_seconds", "The longest of them since the start.", true);
    print_seconds(out, "latency_max_seconds", (uint64_t)hist->max);
}

/* What is no counter of the recorder; nothing where nothing is recorded. */
static void print_recorder(const nb__gateway *g, nb__text *out)
{
    nb__recorder_view view = recording_look(g);
    if (view.directory[0] == '\0')
        return;
    print_gauge(out, "journal_disk_free_bytes", "Free on the journal's disk, as last looked at.",
                view.disk_free_bytes);
    if (view.synced_ns > 0) {
        print_head(out, "journal_synced_age_seconds", "What came before is safe from a power cut.",
                   true);
        print_seconds(out, "journal_synced_age_seconds",
                      (uint64_t)recording_synced_age_ns(g, &view));
    }
    if (view.nights_left < 0)
        return;
    print_head(out, "journal_nights_left", "Nights that fit on the disk at the present rate.",
               true);
    nb__text_printf(out, "nightbook_journal_nights_left %.2f\n", view.nights_left);
}

void metrics_print(const nb__gateway *g, nb__text *out)
{
    nb__feed_kind kind = gateway_feed_kind(g);
    nb__text_printf(
        out,
        "# HELP nightbook_feed_info What the feed is: live, sim, replay or other (%s now).\n"
        "# TYPE nightbook_feed_info gauge\nnightbook_feed_info{kind=\"%s\"} 1\n",
        nb__feed_kind_banner(kind), nb__feed_kind_name(kind));
    print_gauge(out, "feed_up", "1 while every link that is wanted is up.",
                nb__plant_is_up(g->plant));
    print_gauge(out, "feed_lost", "1 while clients are refused because the feed is lost.",
                g->is_lost);
    print_gauge(out, "feed_down_seconds",
                "How long the link that has been down longest is down; 0: none is.",
                (uint64_t)(nb__plant_down_ns(g->plant) / NB__NS_PER_S));
    print_gauge(out, "feed_registrations", "Registrations that the feed's sessions hold.",
                feeds_slots_used(g));
    print_of_feeds(g, out);
    print_recorder(g, out);
    print_latency(g, out);
    counter_table tables[GATEWAY_TABLES];
    gateway_tables(g, tables);
    for (size_t t = 0; t < GATEWAY_TABLES; t++) {
        for (size_t i = 0; i < tables[t].count; i++) {
            const nb__metric *row = &tables[t].rows[i];
            print_head(out, row->name, row->help, row->is_gauge);
            nb__text_printf(out, "nightbook_%s %" PRIu64 "\n", row->name,
                            counter_value(&tables[t], i));
        }
    }
}
