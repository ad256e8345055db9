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
#include "money.h"
#include <stdlib.h>
#include <string.h>

typedef struct group {
    nb__product product;
    uint64_t expiry; /* in order of time */
    money marks;
    nb_price money; /* the strike at the money */
    uint32_t rank;  /* 0: the product's front expiry */
} group;

typedef struct candidate {
    const nb__instrument *row;
    uint64_t class_;   /* product family and rank, or the futures' place */
    nb_price distance; /* from the money */
} candidate;

/* ---- groups ---- */

static group *group_of(group *groups, size_t *count, const nb__instrument *row)
{
    uint64_t expiry = nb__expiry_order(row);
    for (size_t i = *count;
         i-- > 0;) /* rows of a group lie together: the last one is the likeliest */
        if (groups[i].product == row->product && groups[i].expiry == expiry)
            return &groups[i];
    groups[*count] = (group){.product = row->product, .expiry = expiry, .marks = money_init()};
    return &groups[(*count)++];
}

static void groups_finish(group *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        group *g = &groups[i];
        g->money = money_or_middle(&g->marks);
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

static size_t collect(const nb__master *master, group *groups, candidate *out)
{
    size_t group_count = 0, count = 0;
    const nb__instrument *front = NULL; /* the front KOSPI200 future */
    for (size_t i = 0; i < master->count; i++) {
        const nb__instrument *row = &master->rows[i];
        if (money_is_option(row))
            money_learn(&group_of(groups, &group_count, row)->marks, row);
        else if (row->right == 'F' && row->product == NB__PRODUCT_KOSPI200 &&
                 (front == NULL || nb__expiry_order(row) < nb__expiry_order(front)))
            front = row;
    }
    groups_finish(groups, group_count);
    for (size_t i = 0; i < master->count; i++) {
        const nb__instrument *row = &master->rows[i];
        if (money_is_option(row)) {
            const group *g = group_of(groups, &group_count, row);
            out[count++] = (candidate){.row = row,
                                       .class_ = family_of(row->product) * FAMILY + g->rank,
                                       .distance = money_distance(row->strike, g->money)};
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
