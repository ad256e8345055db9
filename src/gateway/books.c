/* SPDX-License-Identifier: Apache-2.0 */
/* The latest books as JSON: names and values as `nightbook decode` has them, and more. */
#include "inside.h"
#include <inttypes.h>
#include <string.h>

#define PAGE_BYTES ((size_t)4 << 20)

static void print_time(const char *name, int64_t ns, nb__text *out)
{
    if (ns == NB_TIME_UNDEF)
        nb__text_printf(out, ",\"%s\":null", name);
    else
        nb__text_printf(out, ",\"%s\":%" PRId64, name, ns);
}

/* Where nb_quote keeps a number as 32 bits: in its levels, but for the prices. */
static int64_t number_at(const nb_quote *quote, const nb_field *field)
{
    const char *at = (const char *)quote + field->quote_offset;
    size_t offset = (size_t)field->quote_offset;
    bool is_level =
        offset >= offsetof(nb_quote, ask) && offset < offsetof(nb_quote, total_ask_count);
    if (is_level && field->kind != NB_KIND_PRICE) {
        int32_t small;
        memcpy(&small, at, sizeof small);
        return small == NB_INT32_UNDEF ? NB_INT_UNDEF : small;
    }
    int64_t number;
    memcpy(&number, at, sizeof number);
    return number;
}

static void print_field(const nb_quote *quote, const nb_field *field, nb__text *out)
{
    nb__text_printf(out, ",\"%s\":", field->name);
    if (field->kind == NB_KIND_CODE) {
        nb__text_json(out, nb__span(quote->key));
    } else if (field->kind == NB_KIND_TIME) {
        if (quote->time_hhmmss == NB_INT32_UNDEF)
            nb__text_string(out, "null");
        else
            nb__text_printf(out, "\"%06d\"", quote->time_hhmmss);
    } else if (field->kind == NB_KIND_PRICE) {
        char price[NB_PRICE_TEXT_MAX];
        size_t size = nb_price_print(price, number_at(quote, field), quote->decimals);
        nb__text_string(out, size > 0 ? price : "null");
    } else {
        int64_t number = number_at(quote, field);
        if (number == NB_INT_UNDEF)
            nb__text_string(out, "null");
        else
            nb__text_printf(out, "%" PRId64, number);
    }
}

/* The members of a book's object, and its closing brace. */
static void print_book(const nb__gateway *g, const nb__topic *topic, const nb__book *book,
                       nb__text *out)
{
    const nb_quote *quote = &book->quote;
    const nb_tr *tr = nb_tr_at(quote->tr_index);
    nb__text_string(out, "\"tr_id\":");
    nb__text_json(out, nb__span(topic->tr_id));
    nb__text_string(out, ",\"tr_key\":");
    nb__text_json(out, nb__span(topic->tr_key));
    print_time("recv_ns", quote->recv_ns, out);
    print_time("event_ns", quote->event_ns, out);
    if (quote->event_ns == NB_TIME_UNDEF) {
        nb__text_string(out, ",\"trade_date\":null");
    } else {
        int date = nb_trade_date(nb__plant_calendar(g->plant), quote->event_ns);
        nb__text_printf(out, ",\"trade_date\":\"%04d-%02d-%02d\"", date / 10000, date / 100 % 100,
                        date % 100);
    }
    nb__text_printf(out, ",\"update_count\":%" PRIu64 ",\"flags\":[", book->update_count);
    const char *comma = "";
    for (int i = 0; i < NB_BOOK_FLAG_COUNT; i++) {
        if ((quote->flags >> i & 1) == 0)
            continue;
        nb__text_printf(out, "%s\"%s\"", comma, nb_book_flag_word(i));
        comma = ",";
    }
    nb__text_string(out, "]");
    for (int i = 0; tr != NULL && i < tr->field_count; i++)
        if (tr->fields[i].quote_offset >= 0)
            print_field(quote, &tr->fields[i], out);
    nb__text_string(out, "}");
}

static void print_opening(const nb__gateway *g, nb__text *out)
{
    nb__feed_kind kind = gateway_feed_kind(g);
    nb__text_printf(out, "{\"banner\":\"%s\",\"feed\":\"%s\",\"is_up\":%s,",
                    nb__feed_kind_banner(kind), nb__feed_kind_name(kind),
                    nb__plant_is_up(g->plant) ? "true" : "false");
}

void books_print_all(const nb__gateway *g, nb_span tr_id, uint64_t after, nb__text *out)
{
    const nb__topics *topics = nb__plant_topics(g->plant);
    uint32_t count = nb__topics_count(topics), printed = 0;
    uint32_t next = after < count ? (uint32_t)after : count;
    print_opening(g, out);
    nb__text_string(out, "\"books\":[");
    for (; next < count && out->size_bytes < PAGE_BYTES; next++) {
        const nb__topic *topic = nb__topics_at(topics, next);
        const nb__book *book = nb__books_at(nb__plant_books(g->plant), next);
        if (book == NULL || (tr_id.size_bytes > 0 && !nb__span_is(tr_id, topic->tr_id)))
            continue;
        nb__text_string(out, printed++ == 0 ? "\n{" : ",\n{");
        print_book(g, topic, book, out);
    }
    nb__text_printf(out, "\n],\"count\":%u,\"next\":", printed);
    if (next < count)
        nb__text_printf(out, "\"/v1/books%s%.*s?after=%u\"}\n", tr_id.size_bytes > 0 ? "/" : "",
                        (int)tr_id.size_bytes, tr_id.size_bytes > 0 ? tr_id.data : "", next);
    else
        nb__text_string(out, "null}\n");
}

bool books_print_one(const nb__gateway *g, nb_span tr_id, nb_span tr_key, nb__text *out)
{
    nb__topic topic;
    const nb__topics *topics = nb__plant_topics(g->plant);
    if (!nb__topic_make(tr_id, tr_key, &topic))
        return false;
    uint32_t index = nb__topics_find(topics, &topic);
    const nb__book *book =
        index == NB__TOPIC_NONE ? NULL : nb__books_at(nb__plant_books(g->plant), index);
    if (book == NULL)
        return false;
    print_opening(g, out);
    print_book(g, &topic, book, out);
    nb__text_string(out, "\n");
    return true;
}
