/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the windows wish for, the most wanted first: the front night future, then of all windows
 * what lies nearest their money. A topic that two windows wish for has its better place.
 */
#include "inside.h"
#include <stdlib.h>

bool is_wished(const nb__plan *plan, uint32_t topic)
{
    return plan->entries[topic].stamp == plan->stamp;
}

/* ---- heap sort: no memory, and no bad case ---- */

static void sift(wish *items, uint32_t at, uint32_t count)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= count)
            return;
        if (child + 1 < count && items[child + 1].order > items[child].order)
            child++;
        if (items[child].order <= items[at].order)
            return;
        wish swapped = items[at];
        items[at] = items[child];
        items[child] = swapped;
        at = child;
    }
}

void sort_by_order(wish *items, uint32_t count)
{
    for (uint32_t at = count / 2; at-- > 0;)
        sift(items, at, count);
    for (uint32_t last = count; last-- > 1;) {
        wish swapped = items[0];
        items[0] = items[last];
        items[last] = swapped;
        sift(items, 0, last);
    }
}

/* ---- making them ---- */

static void add(nb__plan *plan, const nb__instrument *row, uint32_t topic, uint32_t rank,
                uint8_t kind, int32_t strikes)
{
    if (topic == PLAN_NONE || plan->wish_count == plan->wish_max)
        return;
    entry *e = &plan->entries[topic];
    if (e->stamp == plan->stamp && e->rank <= rank)
        return;
    bool is_second = e->stamp == plan->stamp;
    e->instrument = row;
    e->rank = rank;
    e->window = kind;
    e->strikes = strikes;
    e->stamp = plan->stamp;
    activate(plan, topic);
    for (uint32_t i = 0; is_second && i < plan->wish_count; i++)
        if (plan->wishes[i].topic == topic) {
            plan->wishes[i].order = rank;
            return;
        }
    plan->wishes[plan->wish_count++] = (wish){rank, topic};
}

static uint32_t topic_of(nb__plan *plan, const nb__instrument *row, uint32_t *topic)
{
    if (row != NULL && *topic == PLAN_NONE)
        *topic = chain_topic(plan, row);
    return *topic;
}

/* Both of one strike. Unequal ranks leave no doubt who yields first. */
static void add_strike(nb__plan *plan, uint8_t index, int32_t strikes)
{
    window *w = &plan->windows[index];
    strike *at = &w->strikes[(int64_t)w->center + strikes];
    uint32_t distance = (uint32_t)(strikes < 0 ? -strikes : strikes);
    uint32_t rank = 1 + ((distance * NB__PLAN_WINDOWS_MAX + index) * 2 + (strikes > 0 ? 1 : 0)) * 2;
    add(plan, at->call, topic_of(plan, at->call, &at->call_topic), rank, index, strikes);
    add(plan, at->put, topic_of(plan, at->put, &at->put_topic), rank + 1, index, strikes);
}

void wishes_make(nb__plan *plan)
{
    plan->stamp++;
    plan->wish_count = 0;
    if (plan->front != NULL)
        add(plan, plan->front, chain_topic(plan, plan->front), 0, PLAN_IS_FRONT, 0);
    for (uint8_t i = 0; i < plan->window_count; i++) {
        const window *w = &plan->windows[i];
        if (w->center == PLAN_NONE)
            continue;
        int64_t reach = w->spec.strikes_each_side;
        for (int64_t d = -reach; d <= reach; d++)
            if (w->center + d >= 0 && w->center + d < w->strike_count)
                add_strike(plan, i, (int32_t)d);
    }
    sort_by_order(plan->wishes, plan->wish_count);
}

void wishes_make_nearest(nb__plan *plan)
{
    plan->stamp++;
    plan->wish_count = 0;
    const nb__instrument **rows = calloc(plan->master->count + 1, sizeof(const nb__instrument *));
    size_t count = rows == NULL ? 0 : nb__nearest(plan->master, rows);
    for (size_t i = 0; i < count && plan->wish_count < plan->config.nearest_max; i++)
        add(plan, rows[i], chain_topic(plan, rows[i]), plan->wish_count, PLAN_IS_NEAREST, 0);
    free(rows);
}
