/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The latest book of each topic, and what is odd about it. The rules, their sources and when a flag
 * is legitimately set stand in docs/correctness.md; this file only applies them.
 *
 * Two kinds of checks: of a quote by itself (crossed, locked, order, off_tick, total) and against
 * the quote that came before it under the same topic (change, backward). A quote is never changed
 * but for its flags, and never refused.
 */
#include "book.h"
#include <stdlib.h>
#include <string.h>

struct nb__books {
    nb__book_counters counters;
    uint32_t topics_max;
    uint32_t topics_used; /* no book stands at this index or beyond */
    uint8_t *products;    /* by topic, of its code; PRODUCT_NOT_ASKED */
    nb__book items[];
};

#define PRODUCT_NOT_ASKED UINT8_MAX

/* What the caller may have found; the rest is found here. */
#define CALLER_FLAGS (NB_BOOK_DRIFT | NB_BOOK_FAR_TIME)

const char *nb_book_flag_word(int index)
{
    static const char *const words[NB_BOOK_FLAG_COUNT] = {
#define WORD(name, bit, word, meaning) [bit] = word,
        NB_BOOK_FLAG_TABLE(WORD)
#undef WORD
    };
    return index >= 0 && index < NB_BOOK_FLAG_COUNT ? words[index] : NULL;
}

const nb__metric nb__book_metrics[] = {
    {"book_records_total", "Records of book TRs that were decoded and kept.",
     offsetof(nb__book_counters, records), false},
    {"book_books", "Keys that have a book.", offsetof(nb__book_counters, books), true},
#define METRIC(name, bit, word, meaning)                                                           \
    {"book_" word "_total", "Books flagged: " meaning ".",                                         \
     offsetof(nb__book_counters, flags[bit]), false},
    NB_BOOK_FLAG_TABLE(METRIC)
#undef METRIC
};
const size_t nb__book_metric_count = NB__COUNT_OF(nb__book_metrics);

nb__books *nb__books_new(uint32_t topics_max)
{
    nb__books *books = calloc(1, sizeof *books + (size_t)topics_max * sizeof books->items[0]);
    uint8_t *products = malloc((size_t)topics_max + 1);
    if (books == NULL || products == NULL) {
        free(books);
        free(products);
        return NULL;
    }
    memset(products, PRODUCT_NOT_ASKED, (size_t)topics_max + 1);
    books->topics_max = topics_max;
    books->products = products;
    return books;
}

void nb__books_free(nb__books *books)
{
    if (books == NULL)
        return;
    free(books->products);
    free(books);
}

nb__product nb__books_product(nb__books *books, uint32_t topic, nb_span code)
{
    if (topic >= books->topics_max)
        return nb__product_of_code(code);
    uint8_t *product = &books->products[topic];
    if (*product == PRODUCT_NOT_ASKED)
        *product = (uint8_t)nb__product_of_code(code);
    return (nb__product)*product;
}

/* ---- checks of a quote by itself ---- */

static uint32_t check_best(const nb_quote *quote)
{
    nb_price ask = quote->ask[0].price, bid = quote->bid[0].price;
    if (ask == NB_PRICE_UNDEF || bid == NB_PRICE_UNDEF || bid < ask)
        return 0;
    return bid > ask ? NB_BOOK_CROSSED : NB_BOOK_LOCKED;
}

/* `direction` 1: prices rise from level to level (asks); -1: they fall (bids). */
static uint32_t check_order(const nb_level side[NB_LEVELS], int direction)
{
    for (int i = 1; i < NB_LEVELS; i++) {
        nb_price before = side[i - 1].price, price = side[i].price;
        if (price == NB_PRICE_UNDEF)
            continue;
        if (before == NB_PRICE_UNDEF || (direction > 0 ? price <= before : price >= before))
            return NB_BOOK_ORDER;
    }
    return 0;
}

static uint32_t check_tick(const nb_level side[NB_LEVELS], nb__product product)
{
    for (int i = 0; i < NB_LEVELS; i++) {
        if (side[i].price == NB_PRICE_UNDEF)
            continue;
        nb_price tick_e9 = nb__tick_e9(product, side[i].price);
        if (tick_e9 > 0 && side[i].price % tick_e9 != 0)
            return NB_BOOK_OFF_TICK;
    }
    return 0;
}

/* A total that is not told is below nothing; a level's number that is not told adds nothing. */
static uint32_t check_total(const nb_level side[NB_LEVELS], int64_t total_quantity,
                            int64_t total_count)
{
    int64_t quantity = 0, count = 0;
    for (int i = 0; i < NB_LEVELS; i++) {
        quantity += side[i].quantity == NB_INT32_UNDEF ? 0 : side[i].quantity;
        count += side[i].count == NB_INT32_UNDEF ? 0 : side[i].count;
    }
    bool is_below = (total_quantity != NB_INT_UNDEF && total_quantity < quantity) ||
                    (total_count != NB_INT_UNDEF && total_count < count);
    return is_below ? NB_BOOK_TOTAL : 0;
}

/* ---- checks against the quote before ---- */

static uint32_t check_change(int64_t total_before, int64_t total, int64_t change)
{
    int64_t difference;
    if (total_before == NB_INT_UNDEF || total == NB_INT_UNDEF || change == NB_INT_UNDEF)
        return 0;
    return __builtin_sub_overflow(total, total_before, &difference) || difference != change
               ? NB_BOOK_CHANGE
               : 0;
}

static uint32_t check_against(const nb_quote *before, const nb_quote *quote)
{
    uint32_t flags = 0;
    /* over a gap that is known of, the difference says nothing new */
    if (!(before->flags & NB_BOOK_STALE)) {
        flags |= check_change(before->total_ask_quantity, quote->total_ask_quantity,
                              quote->total_ask_change);
        flags |= check_change(before->total_bid_quantity, quote->total_bid_quantity,
                              quote->total_bid_change);
    }
    if (before->event_ns != NB_TIME_UNDEF && quote->event_ns != NB_TIME_UNDEF &&
        quote->event_ns < before->event_ns)
        flags |= NB_BOOK_BACKWARD;
    return flags;
}

static void count_flags(nb__book_counters *counters, uint32_t flags)
{
    for (; flags != 0; flags &= flags - 1)
        counters->flags[__builtin_ctz(flags)]++;
}

void nb__books_apply(nb__books *books, uint32_t topic, nb__product product, nb_quote *quote)
{
    nb__book *book = topic < books->topics_max ? &books->items[topic] : NULL;
    quote->flags &= CALLER_FLAGS;
    quote->flags |= check_best(quote);
    quote->flags |= check_order(quote->ask, 1) | check_order(quote->bid, -1);
    quote->flags |= check_tick(quote->ask, product) | check_tick(quote->bid, product);
    quote->flags |= check_total(quote->ask, quote->total_ask_quantity, quote->total_ask_count);
    quote->flags |= check_total(quote->bid, quote->total_bid_quantity, quote->total_bid_count);
    if (book != NULL && book->update_count > 0)
        quote->flags |= check_against(&book->quote, quote);
    books->counters.records++;
    count_flags(&books->counters, quote->flags);
    if (book == NULL)
        return;
    books->counters.books += book->update_count == 0;
    book->quote = *quote;
    book->update_count++;
    if (topic >= books->topics_used)
        books->topics_used = topic + 1;
}

void nb__books_forget(nb__books *books)
{
    memset(books->items, 0, books->topics_used * sizeof books->items[0]);
    books->topics_used = 0;
    books->counters.books = 0;
}

const nb__book *nb__books_at(const nb__books *books, uint32_t topic)
{
    if (topic >= books->topics_used || books->items[topic].update_count == 0)
        return NULL;
    return &books->items[topic];
}

void nb__books_set_stale_at(nb__books *books, uint32_t topic)
{
    nb__book *book = topic < books->topics_used ? &books->items[topic] : NULL;
    if (book == NULL || book->update_count == 0 || (book->quote.flags & NB_BOOK_STALE))
        return;
    book->quote.flags |= NB_BOOK_STALE;
    count_flags(&books->counters, NB_BOOK_STALE);
}

void nb__books_set_stale(nb__books *books)
{
    for (uint32_t topic = 0; topic < books->topics_used; topic++)
        nb__books_set_stale_at(books, topic);
}

const nb__book_counters *nb__books_count(const nb__books *books)
{
    return &books->counters;
}
