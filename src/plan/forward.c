/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the money is now, in integers:
 *
 *     1  the middle of the front night future's book
 *     2  put-call parity of the chain's own books: the median of F = K + C - P over the strikes
 *        nearest the money. Discounting is left aside: (C - P) times a month's interest is far
 *        below a strike step.
 *     3  the master's mark
 *
 * A window follows 1 and 2; by the mark it is only placed: what was learnt of the money before the
 * books fell silent is better than the day's close.
 *
 * A book counts when it comes in now (confirmed, not stale), is not crossed, has both sides, and is
 * no wider than one percent: what is wider says too little about a strike step.
 */
#include "inside.h"
#include "money.h"

enum { PAIRS_MAX = 7, WIDTH_DIVISOR = 100 };

/* The middle of a book and its width. @return false: it tells nothing now. */
static bool middle_of(const nb__plan *plan, const nb__books *books, uint32_t topic,
                      nb_price *middle, nb_price *width)
{
    if (topic == PLAN_NONE || plan->entries[topic].session == NB__PLAN_NOWHERE)
        return false;
    nb__registration_state state = state_at_home(plan, topic);
    if (state != NB__REG_CONFIRMED && state != NB__REG_LINGERING)
        return false;
    const nb__book *book = nb__books_at(books, topic);
    if (book == NULL || (book->quote.flags & (NB_BOOK_STALE | NB_BOOK_CROSSED)) != 0)
        return false;
    nb_price bid = book->quote.bid[0].price, ask = book->quote.ask[0].price;
    if (bid == NB_PRICE_UNDEF || ask == NB_PRICE_UNDEF || bid <= 0 || ask < bid)
        return false;
    *width = ask - bid;
    *middle = bid + *width / 2;
    return true;
}

static bool by_parity(const nb__plan *plan, const nb__books *books, const strike *at,
                      nb_price *forward)
{
    nb_price call, put, call_width, put_width, difference;
    if (!middle_of(plan, books, at->call_topic, &call, &call_width) ||
        !middle_of(plan, books, at->put_topic, &put, &put_width))
        return false;
    nb_price most = at->price / WIDTH_DIVISOR;
    if (call_width > most || put_width > most - call_width)
        return false;
    return !__builtin_sub_overflow(call, put, &difference) &&
           !__builtin_add_overflow(at->price, difference, forward) && *forward > 0 &&
           *forward != NB_PRICE_UNDEF;
}

static nb_price median(nb_price *values, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t j = i; j > 0 && values[j] < values[j - 1]; j--) {
            nb_price value = values[j];
            values[j] = values[j - 1];
            values[j - 1] = value;
        }
    nb_price low = values[(count - 1) / 2], high = values[count / 2];
    return low + (high - low) / 2;
}

static nb_price parity(const nb__plan *plan, const window *w, const nb__books *books)
{
    nb_price values[PAIRS_MAX];
    uint32_t count = 0;
    for (uint32_t d = 0; d <= w->spec.strikes_each_side && count < PAIRS_MAX; d++) {
        if (d <= w->center && by_parity(plan, books, &w->strikes[w->center - d], &values[count]))
            count++;
        if (d > 0 && count < PAIRS_MAX && d < w->strike_count - w->center &&
            by_parity(plan, books, &w->strikes[w->center + d], &values[count]))
            count++;
    }
    return count == 0 ? NB_PRICE_UNDEF : median(values, count);
}

void forward_look(nb__plan *plan, window *w, const nb__books *books)
{
    nb_price price, width;
    w->is_forward_live = true;
    if (middle_of(plan, books, w->future_topic, &price, &width) && width <= price / WIDTH_DIVISOR) {
        w->forward = (nb__plan_forward){price, w->future_source};
        return;
    }
    price = w->center == PLAN_NONE ? NB_PRICE_UNDEF : parity(plan, w, books);
    if (price != NB_PRICE_UNDEF) {
        w->forward = (nb__plan_forward){price, "put-call parity"};
        return;
    }
    w->is_forward_live = false;
    w->forward = (nb__plan_forward){w->mark, w->mark == NB_PRICE_UNDEF ? "none" : "master's mark"};
}

int forward_step(const nb__plan *plan, const window *w)
{
    if (!w->is_forward_live || w->center == PLAN_NONE)
        return 0;
    const strike *at = &w->strikes[w->center];
    bool is_up = w->forward.price > at->price;
    if (is_up ? w->center + 1 == w->strike_count : w->center == 0)
        return 0;
    nb_price next = is_up ? at[1].price : at[-1].price;
    nb_price step = money_distance(next, at->price);
    nb_price away = money_distance(w->forward.price, at->price), least;
    /* half a step, and the hysteresis beyond it; strikes are far coarser than 1e-7 */
    if (__builtin_mul_overflow(step / 100, 50 + (nb_price)plan->config.hysteresis_percent, &least))
        return 0;
    return away <= least ? 0 : is_up ? 1 : -1;
}

nb__plan_forward nb__plan_forward_of(const nb__plan *plan, uint32_t index)
{
    if (index >= plan->window_count)
        return (nb__plan_forward){NB_PRICE_UNDEF, "none"};
    return plan->windows[index].forward;
}
