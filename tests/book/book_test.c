/* SPDX-License-Identifier: Apache-2.0 */
/* Each flag: set where the rule says so, and not beside it. Then what the books keep, count and
 * allocate. */
#include "book/book.h"
#include "guard.h"
#include <stdlib.h>
#include <string.h>

#define POINTS(value) ((nb_price)((value)*100 + 0.5) * (NB_PRICE_ONE / 100))

/* A sound book around 3.00: five levels a side, totals equal to their sums, counts told. */
static nb_quote sound(void)
{
    nb_quote quote = {.recv_ns = nb__kst_ns(20261120, 190159),
                      .event_ns = nb__kst_ns(20261120, 190159),
                      .total_ask_count = 15,
                      .total_bid_count = 15,
                      .total_ask_quantity = 150,
                      .total_bid_quantity = 150,
                      .total_ask_change = 0,
                      .total_bid_change = 0,
                      .key = "B01612745"};
    for (int i = 0; i < NB_LEVELS; i++) {
        quote.ask[i] = (nb_level){POINTS(3.01) + i * POINTS(0.01), 10 * (i + 1), i + 1};
        quote.bid[i] = (nb_level){POINTS(3.00) - i * POINTS(0.01), 10 * (i + 1), i + 1};
    }
    return quote;
}

static const nb_level no_level = {NB_PRICE_UNDEF, 0, NB_INT32_UNDEF};

/* The flags that a lone quote gets. */
static uint32_t flags_of(nb_quote quote, nb__product product)
{
    nb__books *books = nb__books_new(1);
    nb__books_apply(books, 0, product, &quote);
    assert_int_equal(nb__books_at(books, 0)->quote.flags, quote.flags);
    nb__books_free(books);
    return quote.flags;
}

/* The flags of `next` when it follows `before`. */
static uint32_t flags_after(nb_quote before, nb_quote next)
{
    nb__books *books = nb__books_new(1);
    nb__books_apply(books, 0, NB__PRODUCT_UNKNOWN, &before);
    nb__books_apply(books, 0, NB__PRODUCT_UNKNOWN, &next);
    nb__books_free(books);
    return next.flags;
}

static void test_sound(void **state)
{
    (void)state;
    assert_int_equal(flags_of(sound(), NB__PRODUCT_KOSPI200), 0);
    nb_quote empty = sound();
    for (int i = 0; i < NB_LEVELS; i++)
        empty.ask[i] = empty.bid[i] = no_level;
    assert_int_equal(flags_of(empty, NB__PRODUCT_KOSPI200),
                     0); /* auctions and far strikes: no level at all */
    nb_quote one_sided = sound();
    for (int i = 0; i < NB_LEVELS; i++)
        one_sided.bid[i] = no_level;
    assert_int_equal(flags_of(one_sided, NB__PRODUCT_KOSPI200), 0);
    nb_quote shallow = sound(); /* three levels a side, as in KIS's own sample */
    shallow.ask[3] = shallow.ask[4] = shallow.bid[3] = shallow.bid[4] = no_level;
    assert_int_equal(flags_of(shallow, NB__PRODUCT_KOSPI200), 0);
}

static void test_crossed_and_locked(void **state)
{
    (void)state;
    nb_quote quote = sound();
    quote.bid[0].price = quote.ask[0].price;
    assert_int_equal(flags_of(quote, NB__PRODUCT_KOSPI200), NB_BOOK_LOCKED);
    quote.bid[0].price = quote.ask[0].price + 1;
    assert_int_equal(flags_of(quote, NB__PRODUCT_UNKNOWN), NB_BOOK_CROSSED);
    quote.ask[0] = no_level; /* without a best ask nothing is crossed, but the order is broken */
    assert_int_equal(flags_of(quote, NB__PRODUCT_UNKNOWN), NB_BOOK_ORDER);
}

static void test_order(void **state)
{
    (void)state;
    for (int i = 1; i < NB_LEVELS; i++) {
        nb_quote quote = sound();
        quote.ask[i].price = quote.ask[i - 1].price; /* a price stands twice */
        assert_int_equal(flags_of(quote, NB__PRODUCT_KOSPI200), NB_BOOK_ORDER);
        quote = sound();
        quote.bid[i].price = quote.bid[i - 1].price;
        assert_int_equal(flags_of(quote, NB__PRODUCT_KOSPI200), NB_BOOK_ORDER);
        quote = sound();
        quote.ask[i].price = quote.ask[i - 1].price - POINTS(0.05);
        assert_true(flags_of(quote, NB__PRODUCT_KOSPI200) & NB_BOOK_ORDER);
        quote = sound();
        quote.bid[i].price = quote.bid[i - 1].price + POINTS(0.05);
        assert_true(flags_of(quote, NB__PRODUCT_KOSPI200) & NB_BOOK_ORDER);
        quote = sound();
        quote.bid[i - 1] = no_level; /* a level after an empty one */
        assert_int_equal(flags_of(quote, NB__PRODUCT_KOSPI200), NB_BOOK_ORDER);
    }
}

static void test_off_tick(void **state)
{
    (void)state;
    nb_quote quote = sound();
    quote.ask[4].price += POINTS(0.01) / 2;
    assert_int_equal(flags_of(quote, NB__PRODUCT_KOSPI200), NB_BOOK_OFF_TICK);
    assert_int_equal(flags_of(quote, NB__PRODUCT_UNKNOWN),
                     0); /* what has no known tick is off none */
    quote = sound();
    for (int i = 0; i < NB_LEVELS; i++) { /* from 10 points on the tick is 0.05 */
        quote.ask[i].price = POINTS(10.05) + i * POINTS(0.05);
        quote.bid[i].price = POINTS(10.00) - i * POINTS(0.01);
    }
    assert_int_equal(flags_of(quote, NB__PRODUCT_KOSPI200), 0);
    quote.ask[0].price = POINTS(10.01);
    assert_int_equal(flags_of(quote, NB__PRODUCT_KOSPI200), NB_BOOK_OFF_TICK);
}

static void test_total(void **state)
{
    (void)state;
    nb_quote quote = sound();
    quote.total_bid_quantity = 149;
    assert_int_equal(flags_of(quote, NB__PRODUCT_KOSPI200), NB_BOOK_TOTAL);
    quote = sound();
    quote.total_ask_count = 14;
    assert_int_equal(flags_of(quote, NB__PRODUCT_KOSPI200), NB_BOOK_TOTAL);
    quote = sound(); /* a total may cover more than five levels */
    quote.total_ask_quantity = quote.total_bid_count = INT64_MAX;
    assert_int_equal(flags_of(quote, NB__PRODUCT_KOSPI200), 0);
    quote = sound(); /* not told: below nothing */
    quote.total_ask_quantity = quote.total_bid_quantity = NB_INT_UNDEF;
    quote.total_ask_count = quote.total_bid_count = NB_INT_UNDEF;
    assert_int_equal(flags_of(quote, NB__PRODUCT_KOSPI200), 0);
    quote = sound(); /* not told by the levels, but by the total */
    for (int i = 0; i < NB_LEVELS; i++) {
        quote.ask[i].quantity = quote.bid[i].quantity = NB_INT32_UNDEF;
        quote.ask[i].count = quote.bid[i].count = NB_INT32_UNDEF;
    }
    quote.total_ask_quantity = quote.total_ask_count = 0;
    assert_int_equal(flags_of(quote, NB__PRODUCT_KOSPI200), 0);
    quote = sound(); /* the largest numbers there are do not wrap */
    for (int i = 0; i < NB_LEVELS; i++)
        quote.ask[i].quantity = INT32_MAX;
    assert_int_equal(flags_of(quote, NB__PRODUCT_KOSPI200), NB_BOOK_TOTAL);
}

static void test_change(void **state)
{
    (void)state;
    nb_quote before = sound(), next = sound();
    next.total_ask_quantity = 157;
    next.total_ask_change = 7;
    next.total_bid_quantity = 160;
    next.total_bid_change = 10;
    assert_int_equal(flags_after(before, next), 0);
    next.total_ask_change = 6;
    assert_int_equal(flags_after(before, next), NB_BOOK_CHANGE);
    next.total_ask_change = NB_INT_UNDEF; /* blank: nothing to compare */
    assert_int_equal(flags_after(before, next), 0);
    before.total_ask_quantity = NB_INT_UNDEF;
    next.total_ask_change = 6;
    assert_int_equal(flags_after(before, next), 0);
    before = sound();
    next.total_bid_change = -10;
    next.total_ask_change = 7;
    assert_int_equal(flags_after(before, next), NB_BOOK_CHANGE);
    next.total_bid_change = 5;
    assert_int_equal(flags_of(next, NB__PRODUCT_KOSPI200), 0); /* the first has no predecessor */
    next = sound(); /* a difference beyond 64 bits is no change that was sent */
    before.total_bid_quantity = INT64_MIN + 1;
    next.total_bid_quantity = INT64_MAX;
    assert_int_equal(flags_after(before, next), NB_BOOK_CHANGE);
}

static void test_backward(void **state)
{
    (void)state;
    nb_quote before = sound(), next = sound();
    assert_int_equal(flags_after(before, next), 0); /* the same second is no step back */
    next.event_ns -= NB__NS_PER_S;
    assert_int_equal(flags_after(before, next), NB_BOOK_BACKWARD);
    next.event_ns = NB_TIME_UNDEF;
    assert_int_equal(flags_after(before, next), 0);
    before.event_ns = NB_TIME_UNDEF;
    next.event_ns = 0;
    assert_int_equal(flags_after(before, next), 0);
}

static void test_callers_flags(void **state)
{
    (void)state;
    nb_quote quote = sound();
    quote.flags = UINT32_MAX;
    assert_int_equal(flags_of(quote, NB__PRODUCT_KOSPI200), NB_BOOK_DRIFT | NB_BOOK_FAR_TIME);
}

static void test_product_of_a_topic(void **state)
{
    (void)state;
    nb__books *books = nb__books_new(2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(nb__books_product(books, 0, NB__SPAN("B01612A46")), NB__PRODUCT_KOSPI200);
        assert_int_equal(nb__books_product(books, 1, NB__SPAN("??")), NB__PRODUCT_UNKNOWN);
        assert_int_equal(nb__books_product(books, NB__TOPIC_NONE, NB__SPAN("B06612A46")),
                         NB__PRODUCT_KOSDAQ150);
        nb__books_forget(books);
    }
    nb__books_free(books);
    nb__books_free(NULL);
}

static void test_stale(void **state)
{
    (void)state;
    nb__books *books = nb__books_new(8);
    nb_quote quote = sound();
    nb__books_set_stale(books); /* nothing there yet */
    nb__books_apply(books, 3, NB__PRODUCT_KOSPI200, &quote);
    nb__books_apply(books, 7, NB__PRODUCT_KOSPI200, &quote);
    nb__books_set_stale(books);
    nb__books_set_stale(books); /* counted once */
    assert_int_equal(nb__books_at(books, 3)->quote.flags, NB_BOOK_STALE);
    assert_int_equal(nb__books_at(books, 7)->quote.flags, NB_BOOK_STALE);
    assert_null(nb__books_at(books, 0));
    assert_int_equal(nb__books_count(books)->flags[7], 2);
    quote.total_ask_change = 99; /* over a known gap the difference is no hint */
    nb__books_apply(books, 3, NB__PRODUCT_KOSPI200, &quote);
    assert_int_equal(nb__books_at(books, 3)->quote.flags, 0);
    assert_int_equal(nb__books_at(books, 7)->quote.flags, NB_BOOK_STALE);
    nb__books_apply(books, 3, NB__PRODUCT_KOSPI200, &quote); /* and from here on it is one again */
    assert_int_equal(quote.flags, NB_BOOK_CHANGE);
    nb__books_free(books);
}

static void test_stale_at_one_topic(void **state)
{
    (void)state;
    nb__books *books = nb__books_new(8);
    nb_quote quote = sound();
    nb__books_apply(books, 3, NB__PRODUCT_KOSPI200, &quote);
    nb__books_apply(books, 7, NB__PRODUCT_KOSPI200, &quote);
    nb__books_set_stale_at(books, 7);
    nb__books_set_stale_at(books, 7);              /* counted once */
    nb__books_set_stale_at(books, 0);              /* no book yet */
    nb__books_set_stale_at(books, 8);              /* beyond the table */
    nb__books_set_stale_at(books, NB__TOPIC_NONE); /* none */
    assert_int_equal(nb__books_at(books, 3)->quote.flags, 0);
    assert_int_equal(nb__books_at(books, 7)->quote.flags, NB_BOOK_STALE);
    assert_int_equal(nb__books_count(books)->flags[7], 1);
    nb__books_free(books);
}

static void test_kept_and_counted(void **state)
{
    (void)state;
    nb__books *books = nb__books_new(2);
    assert_null(nb__books_at(books, 0));
    assert_null(nb__books_at(books, 2));
    assert_null(nb__books_at(books, NB__TOPIC_NONE));
    nb_quote quote = sound(), locked = sound();
    locked.bid[0].price = locked.ask[0].price;
    nb__books_apply(books, 1, NB__PRODUCT_KOSPI200, &quote);
    nb__books_apply(books, 1, NB__PRODUCT_KOSPI200, &locked);
    nb__books_apply(books, 2, NB__PRODUCT_KOSPI200,
                    &locked); /* no room: checked and counted, not kept */
    nb__books_apply(books, NB__TOPIC_NONE, NB__PRODUCT_KOSPI200, &locked);
    assert_int_equal(locked.flags, NB_BOOK_LOCKED);
    const nb__book *book = nb__books_at(books, 1);
    assert_int_equal(book->update_count, 2);
    locked.flags = book->quote.flags;
    assert_memory_equal(&book->quote, &locked, sizeof locked);
    const nb__book_counters *counters = nb__books_count(books);
    assert_int_equal(counters->records, 4);
    assert_int_equal(counters->books, 1);
    assert_int_equal(counters->flags[1], 3);
    assert_int_equal(counters->flags[0], 0);
    nb__books_apply(books, 0, NB__PRODUCT_KOSPI200, &quote);
    assert_int_equal(counters->books, 2);
    nb__books_free(books);
}

static void test_words_and_metrics(void **state)
{
    (void)state;
    assert_string_equal(nb_book_flag_word(0), "crossed");
    assert_string_equal(nb_book_flag_word(9), "backward");
    assert_null(nb_book_flag_word(10));
    assert_null(nb_book_flag_word(-1));
    assert_int_equal(nb__book_metric_count, 2 + NB_BOOK_FLAG_COUNT);
    const nb__metric *drift = &nb__book_metrics[2 + 6];
    assert_string_equal(drift->name, "book_drift_total");
    assert_int_equal(drift->offset_bytes,
                     offsetof(nb__book_counters, flags) + 6 * sizeof(uint64_t));
}

/* KIS's own sample, 실시간-033: three levels a side, counts not told, ICDC 5 and 0. */
static void test_kis_sample(void **state)
{
    (void)state;
    static const char record[] = "301V06362^190159^2.98^2.99^3.00^0.00^0.00^2.97^2.96^2.95^0.00^0."
                                 "00^0^0^0^0^0^0^0^0^0^0^1^3^12^0^0^9^21^16"
                                 "^0^0^0^0^16^46^5^0";
    nb_quote quote;
    assert_int_equal(
        nb_quote_decode(nb_tr_find(NB__SPAN("H0EUASP0")), NB__SPAN(record), &quote, NULL), NB_OK);
    assert_int_equal(flags_of(quote, nb__product_of_code(NB__SPAN("301V06362"))), 0);
    nb_quote next = quote;
    assert_int_equal(flags_after(quote, next),
                     NB_BOOK_CHANGE); /* the same record again: 5 more were promised */
}

/* Any quotes at all, in any order: every flag agrees with a second, slower statement of its rule.
 */
static void test_random(void **state)
{
    (void)state;
    nb__random random;
    nb__random_init(&random, 20261120);
    nb__books *books = nb__books_new(4);
    nb_quote last[4];
    bool has_last[4] = {false};
    for (int round = 0; round < 20000; round++) {
        nb_quote quote = sound();
        uint32_t topic = (uint32_t)nb__random_below(&random, 4);
        for (int i = 0; i < NB_LEVELS; i++) {
            if (nb__random_below(&random, 8) == 0)
                quote.ask[i].price = nb__random_below(&random, 3) ? POINTS(3.00) : NB_PRICE_UNDEF;
            if (nb__random_below(&random, 8) == 0)
                quote.bid[i].price = nb__random_below(&random, 3) ? POINTS(3.01) : NB_PRICE_UNDEF;
        }
        quote.total_ask_quantity += (int64_t)nb__random_below(&random, 3) - 1;
        quote.total_ask_change = (int64_t)nb__random_below(&random, 3) - 1;
        nb__books_apply(books, topic, NB__PRODUCT_UNKNOWN, &quote);
        bool both = quote.ask[0].price != NB_PRICE_UNDEF && quote.bid[0].price != NB_PRICE_UNDEF;
        assert_int_equal(!!(quote.flags & NB_BOOK_CROSSED),
                         both && quote.bid[0].price > quote.ask[0].price);
        assert_int_equal(!!(quote.flags & NB_BOOK_LOCKED),
                         both && quote.bid[0].price == quote.ask[0].price);
        assert_int_equal(!!(quote.flags & NB_BOOK_TOTAL), quote.total_ask_quantity < 150);
        bool is_expected =
            !has_last[topic] ||
            (quote.total_ask_quantity - last[topic].total_ask_quantity == quote.total_ask_change);
        assert_int_equal(!(quote.flags & NB_BOOK_CHANGE), is_expected);
        last[topic] = quote;
        has_last[topic] = true;
    }
    nb__books_free(books);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_crossed_and_locked),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_off_tick),
        cmocka_unit_test(test_total),
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_backward),
        cmocka_unit_test(test_callers_flags),
        cmocka_unit_test(test_product_of_a_topic),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_stale_at_one_topic),
        cmocka_unit_test(test_kept_and_counted),
        cmocka_unit_test(test_words_and_metrics),
        cmocka_unit_test(test_kis_sample),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
