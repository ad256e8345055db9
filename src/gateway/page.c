/* SPDX-License-Identifier: Apache-2.0 */
/* The plain status page: no script, no foreign resource, every value escaped. */
#include "inside.h"
#include <inttypes.h>
#include <stdio.h>

#define BOOKS_MAX 100

void page_escape(nb__text *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            nb__text_string(out, "&amp;");
            break;
        case '<':
            nb__text_string(out, "&lt;");
            break;
        case '>':
            nb__text_string(out, "&gt;");
            break;
        case '"':
            nb__text_string(out, "&quot;");
            break;
        default:
            nb__text_append(out, text, 1);
        }
    }
}

static void row(nb__text *out, const char *name, const char *value)
{
    nb__text_string(out, "<tr><th>");
    page_escape(out, name);
    nb__text_string(out, "</th><td>");
    page_escape(out, value);
    nb__text_string(out, "</td></tr>\n");
}

static void print_feed(const nb__gateway *g, nb__text *out)
{
    char session[40], lost[96], replay[256], recorder[700];
    int64_t session_ns = gateway_session_ns(g), down_ns = nb__plant_down_ns(g->plant);
    nb__kst_print(session, session_ns, 0);
    nb__text_string(out, "<table>\n");
    row(out, "feed", nb__plant_feed_name(g->plant));
    row(out, "link", feeds_state(g));
    if (!nb__plant_is_up(g->plant))
        row(out, "because", nb__plant_reason(g->plant));
    if (g->is_lost)
        row(out, "lost", "clients were closed with 1012; new ones are answered 503 until it is up");
    else if (down_ns > 0 && g->config.on_loss_ns != INT64_MAX) {
        snprintf(lost, sizeof lost, "in %" PRId64 " s: then clients are closed with 1012",
                 (g->config.on_loss_ns - down_ns) / NB__NS_PER_S);
        row(out, "lost", lost);
    }
    recording_words(g, recorder, sizeof recorder);
    row(out, "recorder", recorder);
    row(out, "session time", session);
    replay_words(g, replay, sizeof replay);
    if (replay[0] != '\0')
        row(out, "replay", replay);
    row(out, "phase", nb_phase_name(nb_night_at(nb__plant_calendar(g->plant), session_ns).phase));
    nb__text_printf(out, "<tr><th>clients</th><td>%" PRIu64 "</td></tr>\n", g->counters.clients);
    nb__text_printf(out, "<tr><th>registrations</th><td>%u</td></tr>\n</table>\n",
                    feeds_slots_used(g));
}

static void cell(nb__text *out, const char *text)
{
    nb__text_string(out, "<td class=\"t\">");
    page_escape(out, text);
    nb__text_string(out, "</td>");
}

static void print_links(const nb__gateway *g, nb__text *out)
{
    nb__text_string(out, "<h2>Links</h2>\n<table class=\"books\"><tr><th class=\"t\">appkey</th>"
                         "<th class=\"t\">address</th><th class=\"t\">state</th>"
                         "<th>registrations</th><th>attempts</th><th class=\"t\">why</th></tr>\n");
    for (uint32_t i = 0; i < nb__plant_feed_count(g->plant); i++) {
        nb__feed_view view = nb__plant_feed_at(g->plant, i);
        const nb__session_config *config = nb__session_config_of(view.session);
        nb__text_string(out, view.is_up ? "<tr>" : "<tr class=\"down\">");
        cell(out, view.name);
        cell(out, view.address);
        cell(out, nb__session_state_name(nb__session_state_of(view.session)));
        nb__text_printf(out, "<td>%u of %u</td><td>%u", nb__session_slots_used(view.session),
                        config->registrations_max,
                        nb__session_budget_used(view.session, gateway_mono_ns(g)));
        if (config->connects_max > 0)
            nb__text_printf(out, " of %u", config->connects_max);
        nb__text_string(out, "</td>");
        cell(out, nb__session_reason(view.session));
        nb__text_string(out, "</tr>\n");
    }
    nb__text_string(out, "</table>\n");
}

/* One side's best level; empty cells where there is none. */
static void print_level(nb__text *out, const nb_level *level, int decimals, bool is_bid)
{
    char price[NB_PRICE_TEXT_MAX], quantity[16] = "";
    nb_price_print(price, level->price, decimals);
    if (level->price != NB_PRICE_UNDEF && level->quantity != NB_INT32_UNDEF)
        snprintf(quantity, sizeof quantity, "%d", level->quantity);
    nb__text_printf(out, "<td>%s</td><td>%s</td>", is_bid ? quantity : price,
                    is_bid ? price : quantity);
}

static void print_book(const nb__gateway *g, const nb__topic *topic, const nb__book *book,
                       nb__text *out)
{
    const nb__instrument *instrument = gateway_instrument(g, nb__span(topic->tr_key));
    nb__text_string(out, book->quote.flags & NB_BOOK_STALE ? "<tr class=\"stale\"><td class=\"t\">"
                                                           : "<tr><td class=\"t\">");
    page_escape(out, topic->tr_id);
    nb__text_string(out, "</td><td class=\"t\">");
    page_escape(out, topic->tr_key);
    nb__text_string(out, "</td><td class=\"t\">");
    page_escape(out, instrument == NULL ? "" : instrument->name);
    nb__text_string(out, "</td>");
    print_level(out, &book->quote.bid[0], book->quote.decimals, true);
    print_level(out, &book->quote.ask[0], book->quote.decimals, false);
    nb__text_printf(out, "<td>%" PRIu64 "</td><td class=\"t\">", book->update_count);
    for (int f = 0; f < NB_BOOK_FLAG_COUNT; f++)
        if ((book->quote.flags >> f & 1) != 0)
            nb__text_printf(out, "%s ", nb_book_flag_word(f));
    nb__text_string(out, "</td></tr>\n");
}

static void print_books(const nb__gateway *g, nb__text *out)
{
    const nb__topics *topics = nb__plant_topics(g->plant);
    uint32_t printed = 0, count = nb__topics_count(topics);
    nb__text_string(out,
                    "<h2>Books</h2>\n<table class=\"books\"><tr><th class=\"t\">TR</th>"
                    "<th class=\"t\">key</th><th class=\"t\">name</th><th>size</th><th>bid</th>"
                    "<th>ask</th><th>size</th><th>updates</th><th class=\"t\">flags</th></tr>\n");
    for (uint32_t i = 0; i < count && printed < BOOKS_MAX; i++) {
        const nb__book *book = nb__books_at(nb__plant_books(g->plant), i);
        if (book == NULL)
            continue;
        printed++;
        print_book(g, nb__topics_at(topics, i), book, out);
    }
    nb__text_printf(
        out,
        "</table>\n<p>The first %u; all of them are at <a href=\"/v1/books\">/v1/books</a>.</p>\n",
        printed);
}

static void print_counters(const nb__gateway *g, nb__text *out)
{
    counter_table tables[GATEWAY_TABLES];
    gateway_tables(g, tables);
    nb__text_string(out, "<h2>Counters</h2>\n<table>\n");
    for (size_t t = 0; t < GATEWAY_TABLES; t++) {
        for (size_t i = 0; i < tables[t].count; i++) {
            nb__text_string(out, "<tr><th>");
            page_escape(out, tables[t].rows[i].name);
            nb__text_printf(out, "</th><td>%" PRIu64 "</td><td>", counter_value(&tables[t], i));
            page_escape(out, tables[t].rows[i].help);
            nb__text_string(out, "</td></tr>\n");
        }
    }
    nb__text_string(out, "</table>\n");
}

void page_print(const nb__gateway *g, nb__text *out)
{
    const char *banner = nb__feed_kind_banner(gateway_feed_kind(g));
    nb__text_string(out,
                    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
    page_escape(out, banner);
    nb__text_string(
        out, " - nightbook</title><meta http-equiv=\"refresh\" content=\"2\">\n"
             "<style>body{font-family:monospace;margin:2em}h1{border-bottom:2px solid}"
             "th{text-align:left;font-weight:normal;padding-right:2em}td{padding-right:1em}"
             ".books th,.books td{text-align:right;padding:0 .8em 0 0}.books .t{text-align:left}"
             ".stale{color:gray}.down{font-weight:bold}"
             ".alarm{background:#c00;color:#fff;font-weight:bold;padding:.5em}</style></"
             "head>\n<body><h1>");
    page_escape(out, banner);
    nb__text_string(out, "</h1>\n");
    recording_print_alarm(g, out);
    print_feed(g, out);
    print_links(g, out);
    nb__text_printf(
        out,
        "<p>A KIS client connects to <code>ws://127.0.0.1:%u</code>. Also here: <a "
        "href=\"/v1/status\">"
        "/v1/status</a>, <a href=\"/v1/slots\">/v1/slots</a>, "
        "<a href=\"/v1/books\">/v1/books</a>, <a href=\"/v1/evidence\">/v1/evidence</a>, "
        "<a href=\"/metrics\">/metrics</a>, "
        "<a href=\"/healthz\">/healthz</a>.</p>\n",
        nb__gateway_port(g));
    print_books(g, out);
    print_counters(g, out);
    nb__text_string(out, "</body></html>\n");
}
