/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nightbook itself changes upstream. All of it shares one gap: a round is held at most once in
 * `move_gap_ns`, and a round is either
 *
 *     the pinned and clients' topics of a session that is away, moved to one that is up, or
 *     one strike a window: a step towards the forward, or one strike grown, or two keys exchanged
 *     for nearer ones
 *
 * Pinned keys and clients' wishes wait for no round. A window key that yields to a client begins a
 * gap, so that a window never takes back at once what it gave.
 */
#include "inside.h"

enum { KEYS_OF_A_STRIKE = 2 };

static bool is_held(const nb__plan *plan, uint32_t topic)
{
    const entry *e = &plan->entries[topic];
    return is_window_only(e) && !is_parked(plan, e) && holds_slot(plan, topic);
}

static uint32_t count_held(const nb__plan *plan)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->active_count; i++)
        count += is_held(plan, plan->active[i]);
    return count;
}

/* What no window wishes for any more. @return whether there was any. */
static bool drop_unwished(nb__plan *plan, int64_t now_ns)
{
    bool is_any = false;
    for (uint32_t i = 0; i < plan->active_count; i++) {
        uint32_t topic = plan->active[i];
        if (plan->entries[topic].wants_window && !is_wished(plan, topic)) {
            unseat(plan, topic, NB__WANT_WINDOW, now_ns);
            is_any = true;
        }
    }
    return is_any;
}

/* The keys that stay have new distances from the money. */
static void tell_rank(nb__plan *plan, uint32_t topic, int64_t now_ns)
{
    const entry *e = &plan->entries[topic];
    if (e->told_rank != e->rank && holds_slot(plan, topic))
        (void)seat_at(plan, topic, NB__WANT_WINDOW, e->session, now_ns);
}

static bool seat_wish(nb__plan *plan, uint32_t topic, uint8_t session, int64_t now_ns)
{
    return has_reason(&plan->entries[topic])
               ? move_to(plan, topic, NB__WANT_WINDOW, session, now_ns) /* it was parked */
               : seat_at(plan, topic, NB__WANT_WINDOW, session, now_ns);
}

/* Into a free slot while there are less than `most`, else into that of a key farther away. What
 * lingers comes back to its own. */
static bool seat_or_exchange(nb__plan *plan, uint32_t topic, uint32_t *held, uint32_t most,
                             int64_t now_ns)
{
    uint8_t session = lingers(plan, topic) ? plan->entries[topic].session : NB__PLAN_NOWHERE;
    if (*held < most) {
        for (int tier = TIER_UP; tier <= TIER_NEAR && session == NB__PLAN_NOWHERE; tier++)
            session = roomiest(plan, tier);
        if (session != NB__PLAN_NOWHERE) {
            ++*held;
            return seat_wish(plan, topic, session, now_ns);
        }
    }
    uint32_t victim = farthest(plan, TIER_UP, plan->entries[topic].rank);
    if (victim == PLAN_NONE)
        return false;
    unseat(plan, victim, NB__WANT_WINDOW, now_ns);
    if (session == NB__PLAN_NOWHERE)
        session = plan->entries[victim].session;
    return seat_wish(plan, topic, session, now_ns);
}

static bool seat_wishes(nb__plan *plan, uint32_t each_max, uint32_t held, uint32_t most,
                        int64_t now_ns)
{
    uint32_t taken[PLAN_WISH_KINDS] = {0};
    bool is_changed = false;
    for (uint32_t i = 0; i < plan->wish_count; i++) {
        uint32_t topic = plan->wishes[i].topic;
        const entry *e = &plan->entries[topic];
        if (e->wants_window && !is_parked(plan, e)) {
            tell_rank(plan, topic, now_ns);
            continue;
        }
        if (e->wants_pinned || e->wants_client || taken[e->window] >= each_max ||
            is_going_back(plan, topic, now_ns))
            continue;
        if (!seat_or_exchange(plan, topic, &held, most, now_ns))
            break;
        taken[e->window]++;
        is_changed = true;
    }
    return is_changed;
}

bool windows_apply(nb__plan *plan, bool is_anew, int64_t now_ns)
{
    uint32_t held = count_held(plan), free = seats_free(plan), most = 0;
    if (held + free > plan->reserve)
        most = held + free - plan->reserve;
    if (most < held && !is_anew)
        most = held; /* clients are in the reserve: windows do not grow, and do not shrink */
    bool is_changed = drop_unwished(plan, now_ns);
    held = count_held(plan);
    is_changed |= seat_wishes(plan, is_anew ? UINT32_MAX : KEYS_OF_A_STRIKE, held, most, now_ns);
    uint32_t far;
    for (held = count_held(plan); held > most; held--) {
        if ((far = farthest(plan, TIER_NEAR, -1)) == PLAN_NONE)
            break;
        unseat(plan, far, NB__WANT_WINDOW, now_ns);
        is_changed = true;
    }
    return is_changed;
}

bool round_try(nb__plan *plan, int64_t now_ns)
{
    bool is_stepped = false;
    for (uint32_t i = 0; i < plan->window_count; i++) {
        window *w = &plan->windows[i];
        int step = forward_step(plan, w);
        if (step == 0)
            continue;
        w->center = step > 0 ? w->center + 1 : w->center - 1;
        plan->counters.window_moves++;
        is_stepped = true;
    }
    if (is_stepped)
        wishes_make(plan);
    return windows_apply(plan, false, now_ns) || is_stepped;
}
