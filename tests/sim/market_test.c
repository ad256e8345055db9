/* SPDX-License-Identifier: Apache-2.0 */
/* The market: the same seed gives the same night, however it is asked for, and every record is a
 * lawful book. */
#include "guard.h"
#include "sim/market.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NIGHT_DATE 20261120
#define HASH_START UINT64_C(0xCBF29CE484222325)

static nb__market *market_at(uint64_t seed, int hhmmss, double frames_a_second, uint32_t keys_max)
{
    int64_t start_ns = nb__kst_ns(NIGHT_DATE, hhmmss);
    nb__market_config config = {.seed = seed,
                                .calendar = nb_calendar_builtin(),
                                .night = nb_night_before(nb_calendar_builtin(), start_ns),
                                .start_ns = start_ns,
                                .frames_a_second = frames_a_second,
                                .keys_max = keys_max};
    nb__market *market = NULL;
    assert_int_equal(nb__market_new(&config, &market, NULL), NB_OK);
    return market;
}

static uint64_t hash_bytes(uint64_t hash, const char *data, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++)
        hash = (hash ^ (unsigned char)data[i]) * UINT64_C(0x100000001B3);
    return hash;
}

static uint64_t hash_frame(uint64_t hash, const nb__market *market, const nb__sim_frame *frame)
{
    char text[NB__SIM_RECORD_TEXT_MAX];
    for (uint32_t i = 0; i < frame->record_count; i++) {
        size_t size = nb__sim_record_print(nb__market_chain(market), &frame->records[i], 0, text);
        hash = hash_bytes(hash, text, size);
    }
    return hash_bytes(hash, (const char *)&frame->at_ns, sizeof frame->at_ns);
}

/* Let out all frames up to `end_ns`, in as many calls as `chunk_ns` makes. */
static uint64_t run(nb__market *market, int64_t from_ns, int64_t end_ns, int64_t chunk_ns)
{
    uint64_t hash = HASH_START;
    nb__sim_frame frame;
    for (int64_t now_ns = from_ns; now_ns < end_ns;) {
        now_ns = now_ns + chunk_ns < end_ns ? now_ns + chunk_ns : end_ns;
        while (nb__market_next_ns(market) <= now_ns) {
            nb__market_next(market, &frame);
            hash = hash_frame(hash, market, &frame);
        }
    }
    return hash;
}

static uint64_t run_minute(uint64_t seed, int64_t chunk_ns)
{
    nb__market *market = market_at(seed, 175930, 400, 0);
    int64_t from_ns = nb__kst_ns(NIGHT_DATE, 175930);
    uint64_t hash = run(market, from_ns, from_ns + 60 * NB__NS_PER_S, chunk_ns);
    nb__market_free(market);
    return hash;
}

static void the_seed_decides_every_record(void **state)
{
    (void)state;
    uint64_t hash = run_minute(7, 60 * NB__NS_PER_S);
    assert_true(hash == run_minute(7, 60 * NB__NS_PER_S));
    assert_true(hash == run_minute(7, NB__NS_PER_MS));
    assert_true(hash == run_minute(7, 777 * NB__NS_PER_MS));
    assert_true(hash != run_minute(8, 60 * NB__NS_PER_S));
}

/* The bytes themselves: another compiler, libm or machine has to make the same ones. */
static void a_known_seed_gives_known_records(void **state)
{
    (void)state;
    nb__market *market = market_at(1, 200000, 200, 0);
    nb__sim_frame frame;
    uint64_t hash = HASH_START;
    for (int i = 0; i < 5000; i++) {
        nb__market_next(market, &frame);
        hash = hash_frame(hash, market, &frame);
    }
    nb__market_free(market);
    if (hash != UINT64_C(0x6E7C7665B16E8F2D))
        fail_msg("the records of seed 1 are others than they were: hash 0x%llx",
                 (unsigned long long)hash);
}

static void the_forward_is_the_nights_wherever_the_clock_starts(void **state)
{
    (void)state;
    nb__market *early = market_at(3, 180000, 50, 0), *late = market_at(3, 183000, 50, 0);
    int64_t at_ns = nb__kst_ns(NIGHT_DATE, 184000);
    run(early, nb__kst_ns(NIGHT_DATE, 180000), at_ns, NB__NS_PER_S);
    run(late, nb__kst_ns(NIGHT_DATE, 183000), at_ns, NB__NS_PER_S);
    /* frames come 20 ms apart and steps 250: the last frames of both are in the same step or the
     * one before */
    assert_int_equal(nb__market_forward_cents(early), nb__market_forward_cents(late));
    assert_int_equal(nb__market_chain(early)->count, nb__market_chain(late)->count);
    nb__market_free(early);
    nb__market_free(late);
}

/* ---- every record is lawful ---- */

typedef struct seen {
    int64_t ask_total, bid_total;
    bool is_told;
} seen;

static void check_side(const nb__sim_series *series, const nb__sim_side *side, bool is_ask)
{
    int64_t quantity = 0, count = 0;
    bool is_ended = false;
    for (int i = 0; i < NB__SIM_LEVELS; i++) {
        const nb__sim_level *level = &side->level[i];
        quantity += level->quantity;
        count += level->count;
        if (level->price_cents == 0) {
            is_ended = true;
            assert_int_equal(level->quantity, 0);
            assert_int_equal(level->count, 0);
            continue;
        }
        assert_false(is_ended);
        assert_true(level->price_cents > 0 && level->quantity > 0);
        assert_true(series->tells_counts ? level->count > 0 && level->count <= level->quantity
                                         : level->count == 0);
        if (i > 0)
            assert_true(is_ask ? level->price_cents > level[-1].price_cents
                               : level->price_cents < level[-1].price_cents);
        nb_price price = (nb_price)level->price_cents * (NB_PRICE_ONE / 100);
        nb_price tick = nb__sim_series_is_future(series)
                            ? 5 * (NB_PRICE_ONE / 100)
                            : nb__tick_e9(series->instrument.product, price);
        assert_true(tick > 0 && price % tick == 0);
    }
    assert_true(side->total_quantity >= quantity);
    assert_true(side->total_count >= count);
}

typedef struct tally {
    uint64_t frames, records, several, same_key, mixed, crossed, empty, in_auction, after_end;
    uint32_t most;
} tally;

static void check_record(const nb__sim_chain *chain, const nb__sim_record *record, seen *keys,
                         nb_phase phase, tally *t)
{
    const nb__sim_series *series = &chain->series[record->series_index];
    seen *key = &keys[record->series_index];
    check_side(series, &record->ask, true);
    check_side(series, &record->bid, false);
    assert_int_equal(record->ask.change, record->ask.total_quantity - key->ask_total);
    assert_int_equal(record->bid.change, record->bid.total_quantity - key->bid_total);
    *key = (seen){record->ask.total_quantity, record->bid.total_quantity, true};
    bool is_crossed = nb__sim_is_crossed(record);
    t->crossed += is_crossed;
    t->empty += record->ask.level[0].price_cents == 0;
    t->records++;
    if (phase == NB_PHASE_CONTINUOUS || phase == NB_PHASE_CLOSED) {
        assert_false(is_crossed);
        assert_true(record->ask.level[0].price_cents > 0);
    }
}

static void check_frame(const nb__market *market, const nb__sim_frame *frame, seen *keys, tally *t)
{
    const nb__sim_chain *chain = nb__market_chain(market);
    nb_phase phase = nb_night_before(nb_calendar_builtin(), frame->at_ns).phase;
    assert_true(frame->record_count >= 1 && frame->record_count <= NB__SIM_RECORDS_MAX);
    const char *tr_id = nb__sim_series_tr_id(&chain->series[frame->records[0].series_index]);
    bool is_mixed = false;
    for (uint32_t i = 0; i < frame->record_count; i++) {
        const nb__sim_series *series = &chain->series[frame->records[i].series_index];
        assert_string_equal(nb__sim_series_tr_id(series), tr_id);
        assert_int_equal(frame->records[i].hhmmss, nb__kst_civil(frame->at_ns).hhmmss);
        is_mixed |= frame->records[i].series_index != frame->records[0].series_index;
        check_record(chain, &frame->records[i], keys, phase, t);
    }
    t->frames++;
    t->several += frame->record_count > 1;
    t->mixed += is_mixed;
    t->same_key += frame->record_count > 1 && !is_mixed;
    t->most = frame->record_count > t->most ? frame->record_count : t->most;
    t->in_auction += phase == NB_PHASE_OPENING_RECEIPT || phase == NB_PHASE_CLOSING_RECEIPT;
    t->after_end += phase == NB_PHASE_CLOSED;
}

static tally check_night(int hhmmss, double frames_a_second, int64_t end_ns)
{
    nb__market *market = market_at(5, hhmmss, frames_a_second, 0);
    seen *keys = calloc(nb__market_chain(market)->count, sizeof *keys);
    assert_non_null(keys);
    tally t = {0};
    nb__sim_frame frame;
    int64_t last_ns = 0;
    while (nb__market_next_ns(market) <= end_ns && nb__market_next_ns(market) != INT64_MAX) {
        nb__market_next(market, &frame);
        assert_true(frame.at_ns > last_ns);
        assert_int_equal(frame.number, t.frames + 1);
        last_ns = frame.at_ns;
        check_frame(market, &frame, keys, &t);
    }
    free(keys);
    nb__market_free(market);
    return t;
}

static void every_record_of_a_night_is_a_lawful_book(void **state)
{
    (void)state;
    tally t = check_night(175000, 5, INT64_MAX);
    assert_in_range(t.frames, 150000, 290000); /* 43 800 s at 5 a second */
    assert_true(t.several > t.frames / 60 && t.several < t.frames / 15);
    assert_true(t.mixed > 0 && t.same_key > 0);
    assert_int_equal(t.most, NB__SIM_RECORDS_MAX);
    assert_true(t.in_auction > 0);
}

static void auctions_cross_and_the_open_uncrosses(void **state)
{
    (void)state;
    tally t = check_night(175000, 200, nb__kst_ns(NIGHT_DATE, 180100));
    assert_true(t.crossed > t.in_auction / 10);
    assert_true(t.empty > 1000);
    tally end = check_night(295500, 200, INT64_MAX);
    assert_true(end.crossed > 0);
    assert_true(end.after_end > 0); /* the closing auction's books, told after 06:00 */
}

static void stretches_are_quiet_and_busy(void **state)
{
    (void)state;
    nb__market *market = market_at(1, 190000, 200, 0);
    int64_t second_ns = nb__kst_ns(NIGHT_DATE, 190000);
    int quiet = 0, busy = 0;
    uint64_t all = 0;
    nb__sim_frame frame;
    for (int second = 0; second < 3600; second++) {
        int count = 0;
        for (second_ns += NB__NS_PER_S; nb__market_next_ns(market) <= second_ns; count++)
            nb__market_next(market, &frame);
        quiet += count < 70;
        busy += count > 600;
        all += (uint64_t)count;
    }
    nb__market_free(market);
    assert_true(quiet > 300);
    assert_true(busy > 30);
    assert_in_range(all, 3600 * 150, 3600 * 250);
}

/* ---- the chain ---- */

static const nb__sim_series *find(const nb__market *market, const char *code)
{
    uint32_t index = nb__sim_chain_find(nb__market_chain(market), nb__span(code));
    return index == UINT32_MAX ? NULL : &nb__market_chain(market)->series[index];
}

static void the_chain_is_named_as_kis_names_it(void **state)
{
    (void)state;
    nb__market *market = market_at(1, 200000, 200, 0);
    const nb__sim_series *call = find(market, "B01612A48");
    assert_non_null(call);
    assert_string_equal(call->instrument.name, "C 202612 1,120.0");
    assert_true(call->instrument.strike == 1120 * NB_PRICE_ONE);
    assert_int_equal(call->instrument.kind, '5');
    assert_string_equal(nb__sim_series_tr_id(call), "H0EUASP0");
    const nb__sim_series *put = find(market, "C01612972");
    assert_non_null(put);
    assert_string_equal(put->instrument.name, "P 202612   972.5");
    assert_non_null(find(market, "A01612"));
    assert_string_equal(nb__sim_series_tr_id(find(market, "A01612")), "H0MFASP0");
    assert_non_null(find(market, "101W9000"));
    assert_string_equal(nb__sim_series_tr_id(find(market, "101W9000")), "H0EUASP0");
    assert_non_null(find(market, "101W09"));
    assert_string_equal(nb__sim_series_tr_id(find(market, "101W09")), "H0MFASP0");
    assert_non_null(find(market, "301V06362"));
    assert_string_equal(nb__sim_series_tr_id(find(market, "301V06362")), "H0EUASP0");
    assert_null(find(market, "B01612A4"));
    assert_null(find(market, "B01612A480"));
    assert_null(find(market, ""));
    const nb__sim_chain *chain = nb__market_chain(market);
    assert_true(chain->count > 600);
    for (uint32_t i = 1; i < chain->count; i++)
        assert_true(strcmp(chain->series[chain->by_code[i - 1]].instrument.code,
                           chain->series[chain->by_code[i]].instrument.code) < 0);
    nb__market_free(market);
}

typedef struct chain_case {
    int start_date;
    const char *code, *name, *standard_code; /* NULL: no such series that night */
    int last_day;
} chain_case;

/* Rows of KIS's own files, and what the calendar does to last days. */
static const chain_case chain_cases[] = {
    {20260831, "B01610A41", "C 202610 1,102.5", "KR4B016AA412", 20261008},
    {20260922, "B09FEWA49", "위클리C 2609W4 1,120.0", "KR4B09FEA490",
     20260923}, /* 24th closed: forward */
    {20260922, "BAFBZWA49", "위클리M C 2609W4 1,120.0", "KR4BAFBZA490", 20260928},
    {20260901, "B09FCWA49", "위클리C 2609W1 1,120.0", NULL, 20260903},
    {20261002, "BAFCAWA49", "위클리M C 2610W1 1,120.0", NULL,
     20261006}, /* 5th closed: pushed back */
    {20261209, "B01612A48", "C 202612 1,120.0", NULL, 20261210},
    {20261210, "B01612A48", NULL, NULL, 0}, /* its last day is the night's start */
    {20261210, "A01703", "F 202703", NULL, 20270311},
};

static void last_days_follow_the_calendar(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(chain_cases); i++) {
        const chain_case *c = &chain_cases[i];
        nb__sim_chain chain;
        assert_int_equal(
            nb__sim_chain_make(nb_calendar_builtin(), c->start_date, 111000, 0, &chain), NB_OK);
        uint32_t index = nb__sim_chain_find(&chain, nb__span(c->code));
        if ((index != UINT32_MAX) != (c->name != NULL))
            fail_msg("%s on %d", c->code, c->start_date);
        if (c->name != NULL) {
            const nb__sim_series *series = &chain.series[index];
            assert_string_equal(series->instrument.name, c->name);
            assert_int_equal(series->expiry_ns, nb__kst_ns(c->last_day, 152000));
            if (c->standard_code != NULL)
                assert_string_equal(series->instrument.standard_code, c->standard_code);
        }
        nb__sim_chain_fini(&chain);
    }
}

static void keys_trade_nearest_the_money(void **state)
{
    (void)state;
    nb__market *market = market_at(2, 200000, 200, 10);
    nb__sim_frame frame;
    for (int i = 0; i < 20000; i++)
        nb__market_next(market, &frame);
    uint32_t options = 0;
    const nb__sim_chain *chain = nb__market_chain(market);
    for (uint32_t i = 0; i < chain->count; i++) {
        const nb__sim_series *series = &chain->series[i];
        assert_true(series->trades || !series->is_told);
        if (series->is_listed && !nb__sim_series_is_future(series))
            options += series->is_told;
    }
    assert_int_equal(options, 10);
    nb__market_free(market);
}

/* ---- prices ---- */

static void prices_keep_parity_and_order(void **state)
{
    (void)state;
    for (int strike = 900; strike < 1300; strike += 5) {
        double call = nb__sim_option_price(1100, strike, 0.05, true);
        double put = nb__sim_option_price(1100, strike, 0.05, false);
        double gap = call - put - (1100 - strike);
        assert_true(gap < 0.001 && gap > -0.001);
        assert_true(call > nb__sim_option_price(1100, strike + 5, 0.05, true) - 0.001);
        assert_true(call < nb__sim_option_price(1100, strike, 0.1, true) + 0.001);
    }
    /* Black-76 at the money: F × (2N(σ√T/2) − 1), σ = 0.19 + 0.02 / (1 + 12T) */
    double price = nb__sim_option_price(1000, 1000, 1.0 / 12, true);
    assert_true(price > 23.02 && price < 23.04);
}

/* ---- text ---- */

static void a_record_is_kis_text_and_its_decoder_reads_the_truth(void **state)
{
    (void)state;
    nb__market *market = market_at(9, 175000, 100, 0);
    nb__sim_frame frame;
    for (int n = 0; n < 20000; n++) {
        nb__market_next(market, &frame);
        const nb__sim_record *record = &frame.records[frame.record_count - 1];
        const nb__sim_series *series = &nb__market_chain(market)->series[record->series_index];
        char text[NB__SIM_RECORD_TEXT_MAX];
        size_t size = nb__sim_record_print(nb__market_chain(market), record, n % 3 ? 0 : 4, text);
        assert_true(size < sizeof text);
        nb_quote quote;
        nb_error error = {0};
        if (nb_quote_decode(nb_tr_find(nb__span(nb__sim_series_tr_id(series))),
                            (nb_span){text, size}, &quote, &error) != NB_OK)
            fail_msg("%.*s: %s", (int)size, text, error.detail);
        assert_string_equal(quote.key, series->instrument.code);
        assert_int_equal(quote.time_hhmmss, record->hhmmss);
        assert_int_equal(quote.field_count, n % 3 ? 38 : 42);
        assert_int_equal(quote.decimals, 2);
        for (int i = 0; i < NB__SIM_LEVELS; i++) {
            int32_t cents = record->bid.level[i].price_cents;
            assert_int_equal(quote.bid[i].price,
                             cents == 0 ? NB_PRICE_UNDEF : cents * (NB_PRICE_ONE / 100));
            assert_int_equal(quote.ask[i].quantity, record->ask.level[i].quantity);
        }
        assert_int_equal(quote.total_ask_quantity, record->ask.total_quantity);
        assert_int_equal(quote.total_bid_change, record->bid.change);
    }
    nb__market_free(market);
}

static void a_known_record_prints_as_kis_does(void **state)
{
    (void)state;
    nb__market *market = market_at(1, 200000, 200, 0);
    nb__sim_record record = {
        .series_index = nb__sim_chain_find(nb__market_chain(market), NB__SPAN("301V06362")),
        .hhmmss = 190159,
        .ask = {{{298, 1, 0}, {299, 3, 0}, {300, 12, 0}, {0, 0, 0}, {0, 0, 0}}, 16, 0, 5},
        .bid = {{{297, 9, 0}, {296, 21, 0}, {295, 16, 0}, {0, 0, 0}, {0, 0, 0}}, 46, 0, 0},
    };
    static const char expected[] = "301V06362^190159^2.98^2.99^3.00^0.00^0.00^2.97^2.96^2.95^0.00^"
                                   "0.00^0^0^0^0^0^0^0^0^0^0^1^3^12^0^0^9^21^16^0"
                                   "^0^0^0^16^46^5^0"; /* KIS's own example */
    char text[NB__SIM_RECORD_TEXT_MAX];
    size_t size = nb__sim_record_print(nb__market_chain(market), &record, 0, text);
    assert_int_equal(size, sizeof expected - 1);
    assert_memory_equal(text, expected, size);
    nb__market_free(market);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seed_decides_every_record),
        cmocka_unit_test(a_known_seed_gives_known_records),
        cmocka_unit_test(the_forward_is_the_nights_wherever_the_clock_starts),
        cmocka_unit_test(every_record_of_a_night_is_a_lawful_book),
        cmocka_unit_test(auctions_cross_and_the_open_uncrosses),
        cmocka_unit_test(stretches_are_quiet_and_busy),
        cmocka_unit_test(the_chain_is_named_as_kis_names_it),
        cmocka_unit_test(last_days_follow_the_calendar),
        cmocka_unit_test(keys_trade_nearest_the_money),
        cmocka_unit_test(prices_keep_parity_and_order),
        cmocka_unit_test(a_record_is_kis_text_and_its_decoder_reads_the_truth),
        cmocka_unit_test(a_known_record_prints_as_kis_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
