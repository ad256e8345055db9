/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When things happen. The night is cut into steps of 250 ms from 17:50 on; each moves the forward
 * and now and then the mood (quiet, plain, busy, burst), out of a random stream of its own. So
 * forward and chain at 23:00 of a night depend on the seed and the date alone, wherever the session
 * clock began. Frames come between the steps, at random distances whose mean the mood sets, out of
 * a second stream.
 *
 *     17:50 ······ 18:00 ───────────────────────── 05:50 ······ 06:00 ─ +5 s
 *      crossed, empty │ burst: auction's books uncross   crossed │ late frames that uncross
 */
#include "market.h"
#include <stdlib.h>

#define STEP_NS (250 * NB__NS_PER_MS)
#define EMPTY_NS (180 * NB__NS_PER_S) /* of the opening receipt, in which books begin to fill */
#define WEIGHTS_NS (10 * NB__NS_PER_S)
#define STEP_SIGMA_E6                                                                              \
    INT64_C(29000) /* 0.058 points a second's root: a volatility of about 0.25 a year */
#define UNIFORM_SUM_SIGMA INT64_C(53510) /* of the sum of eight 16-bit numbers */
#define JUMP_ONE_IN UINT64_C(7200)       /* steps: one in half an hour */
#define FORWARD_LOW_E6 INT64_C(1075000000)
#define FORWARD_SPREAD_E6 UINT64_C(50000000)
#define SEVERAL_ONE_IN 32

typedef enum mood { MOOD_QUIET, MOOD_PLAIN, MOOD_BUSY, MOOD_BURST, MOOD_COUNT } mood;
/* shares of time in per cent, and rates whose mean by these shares is 1 */
static const uint64_t mood_shares[MOOD_COUNT] = {30, 50, 15, 5};
static const double mood_rates[MOOD_COUNT] = {0.25, 0.8, 1.9, 4.8};

struct nb__market {
    nb__market_config config;
    nb__sim_chain chain;
    nb__random path_random, frame_random;
    int64_t forward_e6, anchor_e6;
    int64_t step_ns; /* the next step's instant */
    mood mood;
    int64_t mood_end_ns;
    uint64_t *weight_sums; /* of series 0 … i */
    int64_t weights_end_ns;
    int64_t next_ns;
    uint64_t frame_count;
    uint32_t sweep_at; /* series before it are known to be uncrossed */
    bool was_auction;
};

/* ---- the path: forward and mood ---- */

static int64_t gauss(nb__random *random, int64_t sigma_e6)
{
    int64_t sum = -4 * INT64_C(65535);
    for (int word = 0; word < 2; word++) {
        uint64_t bits = nb__random_next(random);
        for (int i = 0; i < 4; i++, bits >>= 16)
            sum += (int64_t)(bits & 0xFFFF);
    }
    return sum * sigma_e6 / UNIFORM_SUM_SIGMA;
}

static void set_mood(nb__market *m, mood to, uint64_t seconds)
{
    m->mood = to;
    m->mood_end_ns = m->step_ns + (int64_t)seconds * NB__NS_PER_S;
}

static void draw_mood(nb__market *m)
{
    uint64_t at = nb__random_below(&m->path_random, 100);
    int to = 0;
    while (to < MOOD_BURST && at >= mood_shares[to])
        at -= mood_shares[to++];
    set_mood(m, (mood)to, 2 + nb__random_below(&m->path_random, 12));
}

static bool covers(const nb__market *m, int64_t instant_ns)
{
    return instant_ns >= m->step_ns && instant_ns < m->step_ns + STEP_NS;
}

static void take_step(nb__market *m)
{
    int64_t move = gauss(&m->path_random, STEP_SIGMA_E6);
    move += (m->anchor_e6 - m->forward_e6) / 400000; /* a night does not run away */
    if (nb__random_below(&m->path_random, JUMP_ONE_IN) == 0) {
        int64_t size = 1000000 + (int64_t)nb__random_below(&m->path_random, 3000000);
        move += nb__random_below(&m->path_random, 2) == 0 ? size : -size;
        set_mood(m, MOOD_BURST, 8);
    } else if (covers(m, m->config.night.open_ns) || covers(m, m->config.night.end_ns)) {
        set_mood(m, MOOD_BURST, 5);
    } else if (m->step_ns >= m->mood_end_ns) {
        draw_mood(m);
    }
    int64_t limit = m->anchor_e6 * 8 / 100; /* KRX's first tier: ± 8 % */
    m->forward_e6 += move;
    if (m->forward_e6 > m->anchor_e6 + limit)
        m->forward_e6 = m->anchor_e6 + limit;
    if (m->forward_e6 < m->anchor_e6 - limit)
        m->forward_e6 = m->anchor_e6 - limit;
    m->step_ns += STEP_NS;
}

static void walk_to(nb__market *m, int64_t at_ns)
{
    while (m->step_ns <= at_ns)
        take_step(m);
}

/* ---- weights: which series moves next ---- */

static uint32_t weight_of(const nb__sim_series *series, int64_t forward_cents)
{
    static const int64_t by_reach[] = {4000, 3000, 1000, 300};
    if (!series->trades || series->reach >= NB__COUNT_OF(by_reach))
        return 0;
    int64_t away = (series->strike_cents - forward_cents) / 100, base = by_reach[series->reach];
    bool in_the_money = (away < 0) == (series->instrument.right == 'C');
    int64_t weight = base * 225 / (225 + away * away) / (in_the_money ? 2 : 1);
    return weight > 4 ? (uint32_t)weight : 4;
}

static void weigh(nb__market *m, int64_t at_ns)
{
    uint64_t options = 0, sum = 0;
    for (uint32_t i = 0; i < m->chain.count; i++) {
        nb__sim_series *series = &m->chain.series[i];
        series->weight = weight_of(series, m->forward_e6 / 10000);
        options += series->weight;
    }
    for (uint32_t i = 0; i < m->chain.count; i++) {
        nb__sim_series *series = &m->chain.series[i];
        if (series->reach == 4)
            series->weight = (uint32_t)(options / 10 + 1);
        if (series->reach == 5)
            series->weight = (uint32_t)(options / 60 + 1);
        sum += series->weight;
        m->weight_sums[i] = sum;
    }
    m->weights_end_ns = at_ns + WEIGHTS_NS;
}

static uint32_t draw_series(nb__market *m)
{
    uint64_t at = nb__random_below(&m->frame_random, m->weight_sums[m->chain.count - 1]);
    uint32_t low = 0, high = m->chain.count - 1;
    while (low < high) { /* the first whose sum is above */
        uint32_t middle = low + (high - low) / 2;
        if (m->weight_sums[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The next series whose book the auction left crossed; chain.count when there is none. */
static uint32_t crossed_series(nb__market *m)
{
    while (m->sweep_at < m->chain.count) {
        const nb__sim_series *series = &m->chain.series[m->sweep_at];
        if (series->is_told && nb__sim_is_crossed(&series->last))
            break;
        m->sweep_at++;
    }
    return m->sweep_at;
}

/* ---- frames ---- */

static nb__sim_mode mode_at(const nb__market *m, int64_t at_ns)
{
    const nb_night *night = &m->config.night;
    if (at_ns < night->receipt_ns + EMPTY_NS && at_ns < night->open_ns)
        return NB__SIM_AUCTION_EMPTY;
    if (at_ns < night->open_ns || (at_ns >= night->closing_ns && at_ns < night->end_ns))
        return NB__SIM_AUCTION;
    return NB__SIM_CONTINUOUS;
}

static void draw_next_ns(nb__market *m, int64_t from_ns)
{
    double mean_ns = 1e9 / (m->config.frames_a_second * mood_rates[m->mood]);
    uint64_t bound = mean_ns < 1e15 ? 1 + (uint64_t)(2 * mean_ns) : UINT64_C(2000000000000000);
    m->next_ns = from_ns + 1 + (int64_t)nb__random_below(&m->frame_random, bound);
    if (m->next_ns < m->config.night.end_ns)
        return;
    if (from_ns < m->config.night.end_ns)
        m->sweep_at = 0;
    if (m->next_ns >= m->config.night.end_ns + NB__SIM_TAIL_NS ||
        crossed_series(m) == m->chain.count)
        m->next_ns = INT64_MAX;
}

static void add_record(nb__market *m, nb__sim_frame *frame, uint32_t series_index,
                       nb__sim_mode mode)
{
    nb__sim_make_record(&m->chain.series[series_index], series_index, (double)m->forward_e6 / 1e6,
                        frame->at_ns, mode, &m->frame_random,
                        &frame->records[frame->record_count++]);
}

/* A news item: one key several times, or several options at once. */
static void add_several(nb__market *m, nb__sim_frame *frame, uint32_t first, nb__sim_mode mode)
{
    uint64_t a = nb__random_below(&m->frame_random, NB__SIM_RECORDS_MAX - 1);
    uint64_t b = nb__random_below(&m->frame_random, NB__SIM_RECORDS_MAX - 1);
    uint32_t more = 1 + (uint32_t)(a < b ? a : b);
    bool is_one_key = nb__sim_series_is_future(&m->chain.series[first]) ||
                      nb__random_below(&m->frame_random, 2) == 0;
    while (more-- > 0) {
        uint32_t index = is_one_key ? first : draw_series(m);
        if (!nb__sim_series_is_future(&m->chain.series[index]) || is_one_key)
            add_record(m, frame, index, mode);
    }
}

void nb__market_next(nb__market *m, nb__sim_frame *out)
{
    int64_t at_ns = m->next_ns;
    walk_to(m, at_ns);
    if (at_ns >= m->weights_end_ns)
        weigh(m, at_ns);
    nb__sim_mode mode = mode_at(m, at_ns);
    if (mode == NB__SIM_CONTINUOUS && m->was_auction)
        m->sweep_at = 0;
    m->was_auction = mode != NB__SIM_CONTINUOUS;
    out->number = ++m->frame_count;
    out->at_ns = at_ns;
    out->record_count = 0;
    uint32_t crossed = m->was_auction ? m->chain.count : crossed_series(m);
    if (crossed < m->chain.count) {
        add_record(m, out, crossed, mode);
    } else {
        uint32_t index = draw_series(m);
        add_record(m, out, index, mode);
        if (nb__random_below(&m->frame_random, SEVERAL_ONE_IN) == 0)
            add_several(m, out, index, mode);
    }
    draw_next_ns(m, at_ns);
}

int64_t nb__market_next_ns(const nb__market *m)
{
    return m->next_ns;
}

/* ---- life ---- */

nb_err nb__market_new(const nb__market_config *config, nb__market **out, nb_error *error)
{
    nb__market *m = calloc(1, sizeof *m);
    if (m == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "no memory for the market");
    m->config = *config;
    uint64_t night_seed =
        config->seed * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)config->night.start_date;
    nb__random_init(&m->path_random, night_seed);
    nb__random_init(&m->frame_random, ~night_seed);
    m->anchor_e6 = FORWARD_LOW_E6 + (int64_t)nb__random_below(&m->path_random, FORWARD_SPREAD_E6);
    m->forward_e6 = m->anchor_e6;
    m->step_ns = m->mood_end_ns = config->night.receipt_ns;
    nb_err err = nb__sim_chain_make(config->calendar, config->night.start_date,
                                    (int32_t)(m->anchor_e6 / 10000), config->keys_max, &m->chain);
    if (err == NB_OK) {
        m->weight_sums = calloc(m->chain.count, sizeof *m->weight_sums);
        err = m->weight_sums == NULL ? NB_E_MEMORY : NB_OK;
    }
    if (err != NB_OK) {
        nb__market_free(m);
        return nb__fail(error, err, 0, "no memory for the market");
    }
    m->sweep_at = m->chain.count;
    walk_to(m, config->start_ns);
    weigh(m, config->start_ns);
    draw_next_ns(m, config->start_ns);
    *out = m;
    return NB_OK;
}

void nb__market_free(nb__market *m)
{
    if (m == NULL)
        return;
    nb__sim_chain_fini(&m->chain);
    free(m->weight_sums);
    free(m);
}

const nb__sim_chain *nb__market_chain(const nb__market *m)
{
    return &m->chain;
}

int32_t nb__market_forward_cents(const nb__market *m)
{
    return (int32_t)(m->forward_e6 / 10000);
}

uint32_t nb__market_atm(const nb__market *m)
{
    uint32_t best = 0;
    int32_t best_away = INT32_MAX, forward_cents = nb__market_forward_cents(m);
    for (uint32_t i = 0; i < m->chain.count; i++) {
        const nb__sim_series *series = &m->chain.series[i];
        int32_t away = series->strike_cents - forward_cents;
        away = away < 0 ? -away : away;
        if (series->reach == 0 && series->trades && series->instrument.right == 'C' &&
            away < best_away) {
            best = i;
            best_away = away;
        }
    }
    return best;
}
