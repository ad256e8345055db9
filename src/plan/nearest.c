/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which codes to register first. Options are grouped by product and expiry; each group has its
 * strike at the money, by the master's own marks. Then
 *
 *     the front KOSPI200 future
 *     rank 0: front monthly, front Thursday weekly, front Monday weekly, mixed by distance
 *             from their money, call before put
 *     rank 1: the expiries after those, and so on
 *     then the same of mini KOSPI200, KOSDAQ150 and what else there is; the other futures last
 *
 * Never computes a strike or an expiry out of a code: the master's rows say them.
 */
#include "plan/plan.h"
#include <stdlib.h>
#include <string.h>

typedef struct group {
    nb__product product;
    uint64_t expiry;       /* in order of time */
    nb_price money;        /* the strike at the money; until it is known NB_PRICE_UNDEF */
    nb_price below, above; /* the strikes just below and above the money, by ITM and OTM marks */
    nb_price least, most;
    uint32_t rank; /* 0: the product's front expiry */
} group;

typedef struct candidate {
    const nb__instrument *row;
    uint64_t class_;   /* product family and rank, or the futures' place */
    nb_price distance; /* from the money */
} candidate;

/* "202610" (the second Thursday) and "2609W4" on one scale. */
static uint64_t expiry_order(const nb__instrument *row)
{
    uint64_t month = 0, week = 2;
    const char *text = row->expiry;
    size_t size = strlen(text);
    const char *w = strchr(text, 'W');
    if (w != NULL && nb__span_to_u64((nb_span){text, (size_t)(w - text)}, &month) &&
        nb__span_to_u64(nb__span(w + 1), &week))
        return month * 10 + week;
    if (size == 6 && nb__span_to_u64(nb__span(text), &month))
        return month % 10000 * 10 + 2;
    return UINT64_MAX;
}

static bool is_option(const nb__instrument *row)
{
    return (row->right == 'C' || row->right == 'P') && row->strike != NB_PRICE_UNDEF;
}

/* ---- groups ---- */

static group *group_of(group *groups, size_t *count, const nb__instrument *row)
{
    uint64_t expiry = expiry_order(row);
    for (size_t i = *count;
         i-- > 0;) /* rows of a group lie together: the last one is the likeliest */
        if (groups[i].product == row->product && groups[i].expiry == expiry)
            return &groups[i];
    groups[*count] = (group){.product = row->product,
                             .expiry = expiry,
                             .money = NB_PRICE_UNDEF,
                             .below = INT64_MIN,
                             .above = INT64_MAX,
                             .least = INT64_MAX,
                             .most = INT64_MIN};
    return &groups[(*count)++];
}

static void group_learn(group *g, const nb__instrument *row)
{
    nb_price strike = row->strike;
    if (strike < g->least)
        g->least = strike;
    if (strike > g->most)
        g->most = strike;
    if (row->atm_class == '1')
        g->money = strike;
    bool is_marked = row->atm_class == '2' || row->atm_class == '3';
    bool is_below =
        (row->atm_class == '2') == (row->right == 'C'); /* a call in the money, a put out of it */
    if (is_marked && is_below && strike > g->below)
        g->below = strike;
    if (is_marked && !is_below && strike < g->above)
        g->above = strike;
}

/* a/2 + b/2 without overflow; half a unit of 1e-9 does not matter */
static nb_price middle(nb_price a, nb_price b)
{
    return a / 2 + b / 2;
}

static void groups_finish(group *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        group *g = &groups[i];
        if (g->money == NB_PRICE_UNDEF && g->below != INT64_MIN && g->above != INT64_MAX)
            g->money = middle(g->below, g->above);
        if (g->money == NB_PRICE_UNDEF)
            g->money = middle(g->least, g->most);
        for (size_t j = 0; j < count; j++)
            g->rank += groups[j].product == g->product && groups[j].expiry < g->expiry;
    }
}

/* ---- the order ---- */

static uint64_t family_of(nb__product product)
{
    switch (product) {
    case NB__PRODUCT_KOSPI200:
    case NB__PRODUCT_KOSPI200_WEEKLY_THU:
    case NB__PRODUCT_KOSPI200_WEEKLY_MON:
        return 1;
    case NB__PRODUCT_KOSPI200_MINI:
        return 2;
    case NB__PRODUCT_KOSDAQ150:
        return 3;
    default:
        return 4;
    }
}

enum { FAMILY = 1000000, OTHER_FUTURES = 9 * FAMILY };

static int sign(bool is_less, bool is_more)
{
    return (int)is_more - (int)is_less;
}

static int compare(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    int by_class = sign(x->class_<y->class_, x->class_> y->class_);
    if (by_class != 0)
        return by_class;
    int by_distance = sign(x->distance<y->distance, x->distance> y->distance);
    if (by_distance != 0)
        return by_distance;
    int by_product = sign(x->row->product<y->row->product, x->row->product> y->row->product);
    if (by_product != 0)
        return by_product;
    int by_right = sign(x->row->right<y->row->right, x->row->right> y->row->right);
    return by_right != 0 ? by_right : strcmp(x->row->code, y->row->code);
}

static nb_price distance_of(nb_price strike, nb_price money)
{
    nb_price distance;
    if (__builtin_sub_overflow(strike, money, &distance) || distance == INT64_MIN)
        return INT64_MAX;
    return distance < 0 ? -distance : distance;
}

static size_t collect(const nb__master *master, group *groups, candidate *out)
{
    size_t group_count = 0, count = 0;
    const nb__instrument *front = NULL; /* the front KOSPI200 future */
    for (size_t i = 0; i < master->count; i++) {
        const nb__instrument *row = &master->rows[i];
        if (is_option(row))
            group_learn(group_of(groups, &group_count, row), row);
        else if (row->right == 'F' && row->product == NB__PRODUCT_KOSPI200 &&
                 (front == NULL || expiry_order(row) < expiry_order(front)))
            front = row;
    }
    groups_finish(groups, group_count);
    for (size_t i = 0; i < master->count; i++) {
        const nb__instrument *row = &master->rows[i];
        if (is_option(row)) {
            const group *g = group_of(groups, &group_count, row);
            out[count++] = (candidate){.row = row,
                                       .class_ = family_of(row->product) * FAMILY + g->rank,
                                       .distance = distance_of(row->strike, g->money)};
        } else if (row->right == 'F') {
            out[count++] = (candidate){.row = row, .class_ = row == front ? 0 : OTHER_FUTURES};
        }
    }
    return count;
}

size_t nb__nearest(const nb__master *master, const nb__instrument **out)
{
    group *groups = calloc(master->count + 1, sizeof *groups);
    candidate *candidates = calloc(master->count + 1, sizeof *candidates);
    size_t count = 0;
    if (groups != NULL && candidates != NULL)
        count = collect(master, groups, candidates);
    if (count > 0)
        qsort(candidates, count, sizeof *candidates, compare);
    for (size_t i = 0; i < count; i++)
        out[i] = candidates[i].row;
    free(groups);
    free(candidates);
    return count;
}
