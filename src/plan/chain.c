/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A window's chain: the strikes of one expiry in order, each with its call and its put, by the
 * master's rows alone.
 *
 *     strikes    1097.5     1100.0     1102.5     …
 *     call       B01612…    B01612…    B01612…
 *     put        C01612…    C01612…    —            not listed
 */
#include "inside.h"
#include "money.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_of_family(nb__product product)
{
    return product == NB__PRODUCT_KOSPI200 || product == NB__PRODUCT_KOSPI200_WEEKLY_THU ||
           product == NB__PRODUCT_KOSPI200_WEEKLY_MON;
}

static bool is_meant(const nb__plan_window *spec, const nb__instrument *row)
{
    if (!money_is_option(row))
        return false;
    if (spec->product == NB__PRODUCT_UNKNOWN ? !is_of_family(row->product)
                                             : row->product != spec->product)
        return false;
    return spec->expiry[0] == '\0' || strcmp(row->expiry, spec->expiry) == 0;
}

/* Any row of the expiry that comes first; of two on one day that of the bigger product. */
static const nb__instrument *first_to_expire(const nb__master *master, const nb__plan_window *spec)
{
    const nb__instrument *first = NULL;
    uint64_t first_order = UINT64_MAX;
    for (size_t i = 0; i < master->count; i++) {
        const nb__instrument *row = &master->rows[i];
        if (!is_meant(spec, row))
            continue;
        uint64_t order = nb__expiry_order(row);
        if (order < first_order ||
            (order == first_order && order != UINT64_MAX && row->product < first->product)) {
            first = row;
            first_order = order;
        }
    }
    return first;
}

static int compare_strikes(const void *a, const void *b)
{
    const strike *x = a, *y = b;
    return (x->price > y->price) - (x->price < y->price);
}

/* Sorted halves of a strike become one. Of two rows for the same place the first stays. */
static uint32_t merge(strike *strikes, uint32_t count)
{
    uint32_t merged = 0;
    for (uint32_t i = 0; i < count; i++) {
        strike *last = merged == 0 ? NULL : &strikes[merged - 1];
        if (last == NULL || last->price != strikes[i].price) {
            strikes[merged++] = strikes[i];
            continue;
        }
        if (last->call == NULL)
            last->call = strikes[i].call;
        if (last->put == NULL)
            last->put = strikes[i].put;
    }
    return merged;
}

static void fill(window *w, const nb__master *master, const nb__instrument *first)
{
    uint64_t order = nb__expiry_order(first);
    money marks = money_init();
    uint32_t count = 0;
    for (size_t i = 0; i < master->count; i++) {
        const nb__instrument *row = &master->rows[i];
        if (row->product != first->product || !is_meant(&w->spec, row) ||
            nb__expiry_order(row) != order)
            continue;
        money_learn(&marks, row);
        w->strikes[count++] = (strike){.price = row->strike,
                                       .call = row->right == 'C' ? row : NULL,
                                       .put = row->right == 'P' ? row : NULL,
                                       .call_topic = PLAN_NONE,
                                       .put_topic = PLAN_NONE};
    }
    qsort(w->strikes, count, sizeof *w->strikes, compare_strikes);
    w->strike_count = merge(w->strikes, count);
    w->mark = money_marked(&marks);
}

const nb__instrument *chain_front_future(const nb__master *master, nb__product product)
{
    const nb__instrument *front = NULL;
    for (size_t i = 0; i < master->count; i++) {
        const nb__instrument *row = &master->rows[i];
        if (row->right == 'F' && row->product == product &&
            (front == NULL || nb__expiry_order(row) < nb__expiry_order(front)))
            front = row;
    }
    return front;
}

uint32_t chain_topic(nb__plan *plan, const nb__instrument *row)
{
    nb__topic topic;
    nb_span tr_id = row->right == 'F' ? NB__SPAN("H0MFASP0") : NB__SPAN("H0EUASP0");
    if (!nb__topic_make(tr_id, nb__span(row->code), &topic))
        return PLAN_NONE;
    uint32_t index = nb__topics_intern(plan->topics, &topic);
    return index < plan->topics_max ? index : PLAN_NONE;
}

uint32_t chain_nearest(const window *w, nb_price price)
{
    uint32_t nearest = PLAN_NONE;
    nb_price least = INT64_MAX;
    for (uint32_t i = 0; i < w->strike_count; i++) {
        nb_price distance = money_distance(w->strikes[i].price, price);
        if (nearest == PLAN_NONE || distance < least) {
            nearest = i;
            least = distance;
        }
    }
    return nearest;
}

void chain_fini(window *w)
{
    free(w->strikes);
    w->strikes = NULL;
    w->strike_count = 0;
    w->center = PLAN_NONE;
    w->mark = NB_PRICE_UNDEF;
    w->future_topic = PLAN_NONE;
    w->product = w->spec.product;
    memcpy(w->expiry, w->spec.expiry, sizeof w->expiry);
}

void chain_find(nb__plan *plan, window *w)
{
    window before = *w;
    /* the strike at the money now, for a chain that goes on while its forward is known */
    nb_price center = w->center == PLAN_NONE || !w->is_forward_live ? NB_PRICE_UNDEF
                                                                    : w->strikes[w->center].price;
    chain_fini(w);
    const nb__instrument *first = first_to_expire(plan->master, &w->spec);
    if (first == NULL || (w->strikes = calloc(plan->master->count, sizeof *w->strikes)) == NULL)
        return;
    fill(w, plan->master, first);
    w->product = first->product;
    memcpy(w->expiry, first->expiry, sizeof w->expiry);
    bool goes_on = before.product == w->product && strcmp(before.expiry, w->expiry) == 0;
    nb_price start = goes_on && center != NB_PRICE_UNDEF ? center : w->mark;
    if (start != NB_PRICE_UNDEF)
        w->center = chain_nearest(w, start);
    nb__product future =
        w->product == NB__PRODUCT_KOSDAQ150 ? NB__PRODUCT_KOSDAQ150_FUTURE : NB__PRODUCT_KOSPI200;
    const nb__instrument *front = chain_front_future(plan->master, future);
    if (front != NULL) {
        w->future_topic = chain_topic(plan, front);
        snprintf(w->future_source, sizeof w->future_source, "%s book", front->code);
    }
}
