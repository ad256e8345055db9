/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The book of one series. A fair price gives where the best levels lie; below them prices follow at
 * KRX's ticks with gaps that belong to the price (so that a level stays where it is), quantities
 * stay until something changes them, and the farther from the money, the wider and thinner. At
 * least one number changes in each record.
 *
 * Invariant of a continuous book: bid < ask, levels in price order without holes, totals ≥ the sum
 * of the levels.
 */
#include "market.h"
#include <math.h>
#include <string.h>

#define NS_PER_YEAR (365.0 * 86400 * 1e9)
#define CARRY_A_YEAR 0.015
#define GAP_STEPS_MAX 60 /* ticks looked at for five levels */
#define LIQUIDITY_COUNT 5

/* by liquidity, 0 far from the money … 4 at the money */
static const int level_counts[LIQUIDITY_COUNT] = {1, 2, 4, 5, 5};
static const int half_spread_ticks[LIQUIDITY_COUNT] = {12, 6, 3, 2, 1};
static const uint32_t gaps_of_16[LIQUIDITY_COUNT] = {10, 8, 5, 2, 1};
static const uint64_t quantity_bounds[LIQUIDITY_COUNT] = {6, 12, 25, 60, 120};

/* What stays the same while one book is made. */
typedef struct making {
    const nb__sim_series *series;
    nb__random *random;
    uint32_t series_index;
    int liquidity;
} making;

int32_t nb__sim_tick_cents(const nb__sim_series *series, int32_t price_cents)
{
    return nb__sim_series_is_future(series) || price_cents >= 1000 ? 5 : 1;
}

static int32_t step(const nb__sim_series *series, int32_t price_cents, bool is_up)
{
    if (is_up)
        return price_cents + nb__sim_tick_cents(series, price_cents);
    return price_cents - nb__sim_tick_cents(series, price_cents - 1);
}

static int32_t floor_to_tick(const nb__sim_series *series, double cents)
{
    int32_t whole = cents > 0 ? (int32_t)cents : 0;
    return whole - whole % nb__sim_tick_cents(series, whole);
}

static int32_t ceil_to_tick(const nb__sim_series *series, double cents)
{
    int32_t price = floor_to_tick(series, cents);
    return (double)price < cents || price == 0 ? step(series, price, true) : price;
}

/* A number that belongs to a price of a series for ever. */
static uint32_t price_hash(const making *m, int32_t price_cents)
{
    uint64_t x =
        ((uint64_t)m->series_index << 32 | (uint32_t)price_cents) * UINT64_C(0x9E3779B97F4A7C15);
    x ^= x >> 29;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    return (uint32_t)(x >> 32);
}

static bool chance(nb__random *random, uint64_t one_in)
{
    return nb__random_below(random, one_in) == 0;
}

static int liquidity_of(const nb__sim_series *series, double forward)
{
    if (nb__sim_series_is_future(series))
        return 4;
    int forward_cents = (int)(forward * 100), away = series->strike_cents - forward_cents;
    bool in_the_money = (away < 0) == (series->instrument.right == 'C');
    int basis_points = (away < 0 ? -away : away) * 100 / (forward_cents / 100);
    int liquidity = basis_points < 150    ? 4
                    : basis_points < 350  ? 3
                    : basis_points < 700  ? 2
                    : basis_points < 1100 ? 1
                                          : 0;
    if (series->reach == 2 || series->reach == 3 || (in_the_money && basis_points > 350))
        liquidity -= liquidity > 0;
    return liquidity;
}

static double fair_cents(const nb__sim_series *series, double forward, int64_t at_ns)
{
    double years = (double)(series->expiry_ns - at_ns) / NS_PER_YEAR;
    if (years < 1e-4)
        years = 1e-4;
    double own = forward * (1 + CARRY_A_YEAR * years) / series->divisor;
    if (nb__sim_series_is_future(series))
        return own * 100;
    return 100 * nb__sim_option_price(own, series->strike_cents / 100.0, years,
                                      series->instrument.right == 'C');
}

static int32_t new_quantity(const making *m)
{
    uint64_t bound = quantity_bounds[m->liquidity];
    uint64_t a = nb__random_below(m->random, bound), b = nb__random_below(m->random, bound);
    return 1 + (int32_t)(a < b ? a : b);
}

static int32_t quantity_before(const nb__sim_side *before, int32_t price_cents)
{
    for (int i = 0; i < NB__SIM_LEVELS; i++)
        if (before->level[i].price_cents == price_cents)
            return before->level[i].quantity;
    return 0;
}

static void set_quantity(const making *m, nb__sim_level *level, int32_t quantity)
{
    int32_t lot = 1 + (int32_t)(price_hash(m, level->price_cents) >> 8) % 6;
    level->quantity = quantity;
    level->count = m->series->tells_counts ? (quantity + lot - 1) / lot : 0;
}

/* Levels from `best` away from the other side; 0 means that nobody is there. */
static void fill_levels(const making *m, int32_t best, bool is_ask, int count,
                        const nb__sim_side *before, nb__sim_side *out)
{
    int filled = 0;
    int32_t price = best;
    for (int i = 0; i < GAP_STEPS_MAX && filled < count && price > 0; i++) {
        if (filled == 0 || (price_hash(m, price) & 15) >= gaps_of_16[m->liquidity]) {
            nb__sim_level *level = &out->level[filled++];
            level->price_cents = price;
            int32_t kept = quantity_before(before, price);
            set_quantity(m, level, kept > 0 ? kept : new_quantity(m));
        }
        price = step(m->series, price, is_ask);
    }
}

static int filled_count(const nb__sim_side *side)
{
    int count = 0;
    while (count < NB__SIM_LEVELS && side->level[count].price_cents > 0)
        count++;
    return count;
}

/* Give one level another quantity. @return false when there is none. */
static bool disturb(const making *m, nb__sim_side *side)
{
    int count = filled_count(side);
    if (count == 0)
        return false;
    nb__sim_level *level = &side->level[nb__random_below(m->random, (uint64_t)count)];
    int32_t quantity = new_quantity(m);
    set_quantity(m, level, quantity == level->quantity ? quantity + 1 : quantity);
    return true;
}

/* Totals cover what lies behind the fifth level; a book with fewer levels has nothing behind. */
static void sum_side(const making *m, int32_t *beyond, const nb__sim_side *before,
                     nb__sim_side *side)
{
    if (filled_count(side) < NB__SIM_LEVELS)
        *beyond = 0;
    else if (*beyond == 0 || chance(m->random, 4))
        *beyond = (int32_t)nb__random_below(m->random, 8 * quantity_bounds[m->liquidity]);
    side->total_quantity = *beyond;
    side->total_count = m->series->tells_counts ? (*beyond + 3) / 4 : 0;
    for (int i = 0; i < NB__SIM_LEVELS; i++) {
        side->total_quantity += side->level[i].quantity;
        side->total_count += side->level[i].count;
    }
    side->change = side->total_quantity - before->total_quantity;
}

/* Where the best levels lie, 0 for a side that is empty. */
static void best_prices(const making *m, double fair, nb__sim_mode mode, int32_t *bid, int32_t *ask)
{
    double tick = nb__sim_tick_cents(m->series, (int32_t)fair);
    double half = half_spread_ticks[m->liquidity] * tick, most = tick + fair / 3;
    half = half < most ? half : most;
    double middle = fair + m->series->lean_ticks * tick;
    *bid = floor_to_tick(m->series, middle - half / 2);
    *ask = ceil_to_tick(m->series, middle + half / 2);
    if (*ask <= *bid)
        *ask = step(m->series, *bid, true);
    if (mode == NB__SIM_CONTINUOUS)
        return;
    uint64_t over = chance(m->random, 2) ? nb__random_below(m->random, 7) : 0;
    for (; over > 0 && *bid > 0; over--) { /* orders that the auction will match */
        *bid = step(m->series, *bid, true);
        if (*ask > 1)
            *ask = step(m->series, *ask, false);
    }
    if (mode == NB__SIM_AUCTION_EMPTY && chance(m->random, 2))
        *bid = *ask = 0;
    else if (mode == NB__SIM_AUCTION_EMPTY && chance(m->random, 3))
        *bid = 0;
}

static bool same_levels(const nb__sim_side *a, const nb__sim_side *b)
{
    return memcmp(a->level, b->level, sizeof a->level) == 0;
}

void nb__sim_make_record(nb__sim_series *series, uint32_t series_index, double forward,
                         int64_t at_ns, nb__sim_mode mode, nb__random *random, nb__sim_record *out)
{
    static const nb__sim_record nothing;
    const nb__sim_record *before = series->is_told ? &series->last : &nothing;
    double own = forward / series->divisor;
    making m = {series, random, series_index, liquidity_of(series, own)};
    if (chance(random, 16)) {
        series->lean_ticks += (int32_t)nb__random_below(random, 3) - 1;
        series->lean_ticks = series->lean_ticks > 1    ? 1
                             : series->lean_ticks < -1 ? -1
                                                       : series->lean_ticks;
    }
    int32_t bid, ask;
    best_prices(&m, fair_cents(series, forward, at_ns), mode, &bid, &ask);
    int count = level_counts[m.liquidity] - (int)(m.liquidity < 4 && chance(random, 3));
    nb__sim_record record = {.series_index = series_index, .hhmmss = nb__kst_civil(at_ns).hhmmss};
    fill_levels(&m, ask, true, count > 0 ? count : 1, &before->ask, &record.ask);
    fill_levels(&m, bid, false, count, &before->bid, &record.bid);
    bool is_same = same_levels(&record.ask, &before->ask) && same_levels(&record.bid, &before->bid);
    if (is_same || chance(random, 2)) {
        bool is_ask = chance(random, 2);
        if (!disturb(&m, is_ask ? &record.ask : &record.bid))
            disturb(&m, is_ask ? &record.bid : &record.ask);
    }
    sum_side(&m, &series->ask_beyond, &before->ask, &record.ask);
    sum_side(&m, &series->bid_beyond, &before->bid, &record.bid);
    series->last = record;
    series->is_told = true;
    *out = record;
}

bool nb__sim_is_crossed(const nb__sim_record *record)
{
    int32_t bid = record->bid.level[0].price_cents, ask = record->ask.level[0].price_cents;
    return bid > 0 && ask > 0 && bid >= ask;
}
