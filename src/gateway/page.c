/* SPDX-License-Identifier: Apache-2.0 */
/* The plain status page: no script, no foreign resource, every value escaped. */
#include "inside.h"
#include <inttypes.h>

#define BOOKS_MAX 100

static void escape(nb__text *out, const char *text)
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
    escape(out, name);
    nb__text_string(out, "</th><td>");
    escape(out, value);
    nb__text_string(out, "</td></tr>\n");
}

static void print_feed(const nb__gateway *g, nb__text *out)
{
    char session[40];
    const nb__session *upstream = nb__plant_session(g->plant);
    int64_t session_ns = gateway_session_ns(g);
    nb__kst_print(session, session_ns, 0);
    nb__text_string(out, "<table>\n");
    row(out, "feed", nb__plant_feed_name(g->plant));
    row(out, "link", nb__plant_is_up(g->plant) ? "up" : "down");
    if (!nb__plant_is_up(g->plant))
        row(out, "because", nb__session_reason(upstream));
    row(out, "session time", session);
    row(out, "phase", nb_phase_name(nb_night_at(nb__plant_calendar(g->plant), session_ns).phase));
    nb__text_printf(out, "<tr><th>clients</th><td>%" PRIu64 "</td></tr>\n", g->counters.clients);
    nb__text_printf(out, "<tr><th>registrations</th><td>%u</td></tr>\n</table>\n",
                    nb__session_slots_used(upstream));
}

static void print_price(nb__text *out, nb_price price, int decimals)
{
    char text[NB_PRICE_TEXT_MAX];
    nb_price_print(text, price, decimals);
    nb__text_printf(out, "<td>%s</td>", text);
}

static void print_books(const nb__gateway *g, nb__text *out)
{
    const nb__topics *topics = nb__plant_topics(g->plant);
    uint32_t printed = 0, count = nb__topics_count(topics);
    nb__text_string(
        out,
        "<h2>Books</h2>\n<table><tr><th>TR</th><th>key</th><th>bid</th><th>ask</th><th>updates</th>"
        "<th>flags</th></tr>\n");
    for (uint32_t i = 0; i < count && printed < BOOKS_MAX; i++) {
        const nb__book *book = nb__books_at(nb__plant_books(g->plant), i);
        if (book == NULL)
            continue;
        printed++;
        nb__text_string(out, "<tr><td>");
        escape(out, nb__topics_at(topics, i)->tr_id);
        nb__text_string(out, "</td><td>");
        escape(out, nb__topics_at(topics, i)->tr_key);
        nb__text_string(out, "</td>");
        print_price(out, book->quote.bid[0].price, book->quote.decimals);
        print_price(out, book->quote.ask[0].price, book->quote.decimals);
        nb__text_printf(out, "<td>%" PRIu64 "</td><td>", book->update_count);
        for (int f = 0; f < NB_BOOK_FLAG_COUNT; f++)
            if ((book->quote.flags >> f & 1) != 0)
                nb__text_printf(out, "%s ", nb_book_flag_word(f));
        nb__text_string(out, "</td></tr>\n");
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
            escape(out, tables[t].rows[i].name);
            nb__text_printf(out, "</th><td>%" PRIu64 "</td><td>", counter_value(&tables[t], i));
            escape(out, tables[t].rows[i].help);
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
    escape(out, banner);
    nb__text_string(
        out, " - nightbook</title><meta http-equiv=\"refresh\" content=\"5\">\n"
             "<style>body{font-family:monospace;margin:2em}th{text-align:left;font-weight:normal;"
             "padding-right:2em}td{padding-right:1em}h1{border-bottom:2px "
             "solid}</style></head>\n<body><h1>");
    escape(out, banner);
    nb__text_string(out, "</h1>\n");
    print_feed(g, out);
    nb__text_printf(
        out,
        "<p>A KIS client connects to <code>ws://127.0.0.1:%u</code>. Also here: <a "
        "href=\"/v1/status\">"
        "/v1/status</a>, <a href=\"/v1/books\">/v1/books</a>, <a href=\"/metrics\">/metrics</a>, "
        "<a href=\"/healthz\">/healthz</a>.</p>\n",
        nb__gateway_port(g));
    print_books(g, out);
    print_counters(g, out);
    nb__text_string(out, "</body></html>\n");
}
