/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sessions as places for topics. A topic lives on one session (`entry.session`), with every
 * reason that there is to want it; it changes its session only as a whole.
 *
 * A session is up, or near (down for less than a minute, or while no other one is up), or away.
 * What is wanted of a session that is away is parked: it stays there until another one has room.
 */
#include "inside.h"

bool has_reason(const entry *e)
{
    return e->wants_pinned || e->wants_client || e->wants_window;
}

bool is_window_only(const entry *e)
{
    return e->wants_window && !e->wants_pinned && !e->wants_client;
}

nb__registration_state state_at_home(const nb__plan *plan, uint32_t topic)
{
    uint8_t home = plan->entries[topic].session;
    return home == NB__PLAN_NOWHERE ? NB__REG_NONE
                                    : nb__session_registration(plan->sessions[home], topic)->state;
}

bool is_parked(const nb__plan *plan, const entry *e)
{
    return e->session != NB__PLAN_NOWHERE && has_reason(e) && plan->seats[e->session].is_away;
}

bool holds_slot(const nb__plan *plan, uint32_t topic)
{
    nb__registration_state state = state_at_home(plan, topic);
    return has_reason(&plan->entries[topic]) &&
           (state == NB__REG_PENDING || state == NB__REG_CONFIRMED);
}

bool lingers(const nb__plan *plan, uint32_t topic)
{
    return !has_reason(&plan->entries[topic]) && state_at_home(plan, topic) == NB__REG_LINGERING;
}

/* ---- the active topics ---- */

void activate(nb__plan *plan, uint32_t topic)
{
    entry *e = &plan->entries[topic];
    if (e->at != PLAN_NONE)
        return;
    e->at = plan->active_count;
    plan->active[plan->active_count++] = topic;
}

static void deactivate(nb__plan *plan, uint32_t topic)
{
    entry *e = &plan->entries[topic];
    uint32_t last = plan->active[--plan->active_count];
    plan->active[e->at] = last;
    plan->entries[last].at = e->at;
    e->at = PLAN_NONE;
}

/* ---- looking at the sessions ---- */

static void count_slots(nb__plan *plan, uint8_t session)
{
    plan->seats[session].free = nb__session_slots_free(plan->sessions[session]);
    plan->seats[session].used = nb__session_slots_used(plan->sessions[session]);
}

void seats_survey(nb__plan *plan, int64_t now_ns)
{
    bool is_any_up = false;
    for (uint32_t i = 0; i < plan->session_count; i++)
        is_any_up |= nb__session_state_of(plan->sessions[i]) == NB__SESSION_UP;
    for (uint32_t i = 0; i < plan->session_count; i++) {
        const nb__session *session = plan->sessions[i];
        seats *s = &plan->seats[i];
        nb__session_state state = nb__session_state_of(session);
        if (state == NB__SESSION_UP && !s->is_up)
            s->up_since_ns = now_ns;
        s->is_up = state == NB__SESSION_UP;
        s->is_away = is_any_up && !s->is_up && state != NB__SESSION_RESTING &&
                     now_ns - nb__session_down_since_ns(session) >= PLAN_AWAY_NS;
        count_slots(plan, (uint8_t)i);
    }
}

void seats_census(nb__plan *plan, int64_t now_ns)
{
    nb__plan_counters *c = &plan->counters;
    for (uint32_t i = 0; i < plan->session_count; i++)
        plan->seats[i].wanted = plan->seats[i].lingering = plan->seats[i].clients = 0;
    c->pinned = c->windows = c->pinned_without_slot = 0;
    for (uint32_t i = plan->active_count; i-- > 0;) {
        uint32_t topic = plan->active[i];
        entry *e = &plan->entries[topic];
        bool holds = holds_slot(plan, topic);
        c->pinned += e->pin != 0 && holds;
        c->pinned_without_slot += e->pin != 0 && !holds;
        c->windows += is_window_only(e) && holds;
        if (e->wants_client && e->session != NB__PLAN_NOWHERE)
            plan->seats[e->session].clients++;
        if (holds) {
            plan->seats[e->session].wanted++;
        } else if (lingers(plan, topic)) {
            plan->seats[e->session].lingering++;
            e->left_ns = now_ns;
        } else if (!has_reason(e) && e->pin == 0 && !is_wished(plan, topic)) {
            deactivate(plan, topic);
        }
    }
    c->slots_max = c->slots_used = 0;
    for (uint32_t i = 0; i < plan->session_count; i++) {
        const seats *s = &plan->seats[i];
        uint32_t held = s->used - (s->lingering < s->used ? s->lingering : s->used);
        c->slots_used += held;
        c->slots_max += held + s->free;
    }
}

uint32_t seats_free(const nb__plan *plan)
{
    uint32_t free = 0;
    for (uint32_t i = 0; i < plan->session_count; i++)
        free += plan->seats[i].is_away ? 0 : plan->seats[i].free;
    return free;
}

static bool is_in_tier(const seats *s, int tier)
{
    return tier == TIER_UP ? s->is_up : tier == TIER_NEAR ? !s->is_away : true;
}

uint8_t roomiest(const nb__plan *plan, int tier)
{
    uint8_t best = NB__PLAN_NOWHERE;
    for (uint8_t i = 0; i < plan->session_count; i++) {
        const seats *s = &plan->seats[i];
        if (is_in_tier(s, tier) && s->free > 0 &&
            (best == NB__PLAN_NOWHERE || s->free > plan->seats[best].free))
            best = i;
    }
    return best;
}

/* `session` NB__PLAN_NOWHERE: of any session of the tier. */
static uint32_t farthest_at(const nb__plan *plan, int tier, uint8_t session, int64_t rank)
{
    uint32_t found = PLAN_NONE;
    for (uint32_t i = 0; i < plan->active_count; i++) {
        uint32_t topic = plan->active[i];
        const entry *e = &plan->entries[topic];
        if (is_window_only(e) && e->rank > rank && is_in_tier(&plan->seats[e->session], tier) &&
            (session == NB__PLAN_NOWHERE || session == e->session) && holds_slot(plan, topic)) {
            found = topic;
            rank = e->rank;
        }
    }
    return found;
}

uint32_t farthest(const nb__plan *plan, int tier, int64_t rank)
{
    return farthest_at(plan, tier, NB__PLAN_NOWHERE, rank);
}

/* ---- one topic, one reason ---- */

static bool *reason_of(entry *e, nb__want who)
{
    return who == NB__WANT_PINNED   ? &e->wants_pinned
           : who == NB__WANT_CLIENT ? &e->wants_client
                                    : &e->wants_window;
}

bool seat_at(nb__plan *plan, uint32_t topic, nb__want who, uint8_t session, int64_t now_ns)
{
    entry *e = &plan->entries[topic];
    if (nb__session_want(plan->sessions[session], topic, who, e->rank, now_ns) != NB_OK)
        return false;
    e->session = session;
    if (who == NB__WANT_WINDOW)
        e->told_rank = e->rank;
    *reason_of(e, who) = true;
    activate(plan, topic);
    count_slots(plan, session);
    return true;
}

void unseat(nb__plan *plan, uint32_t topic, nb__want who, int64_t now_ns)
{
    entry *e = &plan->entries[topic];
    nb__session_release(plan->sessions[e->session], topic, who, now_ns);
    *reason_of(e, who) = false;
    if (!has_reason(e))
        e->left_ns = now_ns;
    count_slots(plan, e->session);
}

void unseat_wholly(nb__plan *plan, uint32_t topic, int64_t now_ns)
{
    for (nb__want who = NB__WANT_PINNED; who > NB__WANT_NOBODY; who--)
        if (*reason_of(&plan->entries[topic], who))
            unseat(plan, topic, who, now_ns);
}

/* ---- room for who is more important than windows ---- */

/* The farthest keys go until a slot is free. (One may have none itself: KIS had less room.) */
static uint8_t evict_at(nb__plan *plan, int tier, uint8_t session, int64_t now_ns)
{
    uint32_t victim;
    while ((victim = farthest_at(plan, tier, session, -1)) != PLAN_NONE) {
        unseat(plan, victim, NB__WANT_WINDOW, now_ns);
        plan->counters.window_yields++;
        /* what it lost is not asked for again at once */
        plan->round_ns = now_ns + plan->config.move_gap_ns;
        if (plan->seats[plan->entries[victim].session].free > 0)
            return plan->entries[victim].session;
    }
    return NB__PLAN_NOWHERE;
}

/* The session does not say so. It asks for a giving back first of all, and drops a link that leaves
 * requests unanswered: what is not answered after a while is on no wire, as what was lost with its
 * link. */
bool is_going_back(const nb__plan *plan, uint32_t topic, int64_t now_ns)
{
    const entry *e = &plan->entries[topic];
    if (e->session == NB__PLAN_NOWHERE || has_reason(e) || e->left_ns == NB_TIME_UNDEF)
        return false;
    const seats *s = &plan->seats[e->session];
    const nb__registration *r = nb__plan_registration(plan, topic);
    if (!s->is_up || s->up_since_ns > e->left_ns || r->state != NB__REG_NONE)
        return false;
    return now_ns - e->left_ns <
           (r->answer.code == NB__OPSP_UNSUBSCRIBED ? PLAN_ANSWER_NS : PLAN_GIVE_BACK_NS);
}

/* It must not come over two sessions at a time. */
static uint8_t old_home(nb__plan *plan, uint32_t topic, int64_t now_ns)
{
    const entry *e = &plan->entries[topic];
    if (!is_going_back(plan, topic, now_ns))
        return NB__PLAN_NOWHERE;
    return plan->seats[e->session].free > 0 ? e->session
                                            : evict_at(plan, TIER_UP, e->session, now_ns);
}

uint8_t room_for(nb__plan *plan, uint32_t topic, int tier_max, int64_t now_ns)
{
    uint8_t session = old_home(plan, topic, now_ns);
    static const struct {
        int tier;
        bool by_eviction;
    } ways[] = {{TIER_UP, false},  {TIER_NEAR, false}, {TIER_UP, true},
                {TIER_NEAR, true}, {TIER_ANY, false},  {TIER_ANY, true}};
    for (size_t i = 0; i < NB__COUNT_OF(ways) && session == NB__PLAN_NOWHERE; i++) {
        if (ways[i].tier > tier_max)
            continue;
        session = ways[i].by_eviction ? evict_at(plan, ways[i].tier, NB__PLAN_NOWHERE, now_ns)
                                      : roomiest(plan, ways[i].tier);
    }
    return session;
}

/* With all its reasons, and as `who`, the most important of them. The new place is taken before the
 * old one is given up: both happen before either session asks KIS anything. */
bool move_to(nb__plan *plan, uint32_t topic, nb__want who, uint8_t session, int64_t now_ns)
{
    const entry before = plan->entries[topic];
    if (session == before.session)
        return seat_at(plan, topic, who, session, now_ns);
    if (nb__session_want(plan->sessions[session], topic, who, before.rank, now_ns) != NB_OK)
        return false;
    unseat_wholly(plan, topic, now_ns);
    const bool wants[] = {[NB__WANT_WINDOW] = before.wants_window,
                          [NB__WANT_CLIENT] = before.wants_client,
                          [NB__WANT_PINNED] = before.wants_pinned};
    (void)seat_at(plan, topic, who, session, now_ns);
    for (nb__want other = NB__WANT_PINNED; other > NB__WANT_NOBODY; other--)
        if (wants[other])
            (void)seat_at(plan, topic, other, session, now_ns); /* it has its slot there */
    return true;
}

/* ---- pinned keys ---- */

static bool seat_pinned(nb__plan *plan, uint32_t topic, uint8_t session, int64_t now_ns)
{
    entry *e = &plan->entries[topic];
    if (has_reason(e) ? !move_to(plan, topic, NB__WANT_PINNED, session, now_ns)
                      : !seat_at(plan, topic, NB__WANT_PINNED, session, now_ns))
        return false;
    e->is_slotless = false;
    return true;
}

/* No slot is free and no window holds one: a client's is taken, by the session's own choice. Where
 * it waits already it would only wait again. */
static bool take_from_client(nb__plan *plan, uint32_t topic, int64_t now_ns)
{
    const entry *e = &plan->entries[topic];
    for (int tier = TIER_UP; tier < TIER_COUNT; tier++)
        for (uint8_t i = 0; i < plan->session_count; i++)
            if (is_in_tier(&plan->seats[i], tier) && !(e->wants_pinned && e->session == i) &&
                seat_pinned(plan, topic, i, now_ns))
                return true;
    return false;
}

void pinned_first(nb__plan *plan, int64_t now_ns)
{
    for (uint32_t i = 0; i < plan->pin_count; i++) {
        uint32_t topic = plan->pins[i];
        const entry *e = &plan->entries[topic];
        if (e->wants_pinned && !e->is_slotless)
            continue;
        if (!e->wants_pinned && holds_slot(plan, topic) && !is_parked(plan, e)) {
            (void)seat_at(plan, topic, NB__WANT_PINNED, e->session, now_ns);
            continue;
        }
        uint8_t session = room_for(plan, topic, TIER_ANY, now_ns);
        if (session != NB__PLAN_NOWHERE ? !seat_pinned(plan, topic, session, now_ns)
                                        : !take_from_client(plan, topic, now_ns))
            return; /* those after it in the configuration find none either */
    }
}

/* ---- what a session has no slot for, although it took the wish: KIS had less room than told ----
 */

static uint32_t last_waiting(const nb__plan *plan, uint8_t session, bool is_pinned)
{
    uint32_t found = PLAN_NONE;
    for (uint32_t i = 0; i < plan->active_count; i++) {
        uint32_t topic = plan->active[i];
        const entry *e = &plan->entries[topic];
        bool is_meant = is_pinned ? e->wants_pinned && !e->is_slotless : is_window_only(e);
        if (e->session != session || !is_meant || state_at_home(plan, topic) != NB__REG_PENDING)
            continue;
        const entry *last = found == PLAN_NONE ? NULL : &plan->entries[found];
        if (last == NULL || (is_pinned ? e->pin > last->pin : e->rank > last->rank))
            found = topic;
    }
    return found;
}

static uint32_t slotless_count(const seats *s)
{
    uint32_t held = s->used - (s->lingering < s->used ? s->lingering : s->used);
    return s->wanted > held ? s->wanted - held : 0;
}

/* Window keys come back by a later round, pinned ones by pinned_first(). */
void shed_slotless(nb__plan *plan, int64_t now_ns)
{
    for (uint32_t i = 0; i < plan->pin_count; i++) {
        entry *e = &plan->entries[plan->pins[i]];
        const nb__registration *r = nb__plan_registration(plan, plan->pins[i]);
        e->is_slotless =
            e->wants_pinned && r->state == NB__REG_REJECTED && r->answer.code == NB__OPSP_MAX_OVER;
    }
    for (uint8_t i = 0; i < plan->session_count; i++) {
        uint32_t topic;
        for (uint32_t count = slotless_count(&plan->seats[i]); count > 0; count--) {
            if ((topic = last_waiting(plan, i, false)) != PLAN_NONE) {
                unseat(plan, topic, NB__WANT_WINDOW, now_ns);
            } else if ((topic = last_waiting(plan, i, true)) != PLAN_NONE) {
                plan->entries[topic].is_slotless = true;
            }
        }
    }
}

/* ---- what is parked ---- */

static bool move_one(nb__plan *plan, uint32_t topic, int64_t now_ns)
{
    if (!is_parked(plan, &plan->entries[topic]))
        return false;
    nb__want who = plan->entries[topic].wants_pinned ? NB__WANT_PINNED : NB__WANT_CLIENT;
    uint8_t session = room_for(plan, topic, TIER_UP, now_ns);
    if (session == NB__PLAN_NOWHERE || !move_to(plan, topic, who, session, now_ns))
        return false;
    plan->counters.moved_sessions++;
    return true;
}

/* Pinned keys in their order, then clients': where they get data now. They stay there when the
 * session comes back. */
bool move_parked(nb__plan *plan, int64_t now_ns)
{
    bool is_changed = false, is_any = false;
    for (uint32_t i = 0; i < plan->session_count; i++)
        is_any |= plan->seats[i].is_away;
    if (!is_any)
        return false;
    for (uint32_t i = 0; i < plan->pin_count; i++)
        is_changed |= move_one(plan, plan->pins[i], now_ns);
    for (uint32_t i = 0; i < plan->active_count; i++) {
        uint32_t topic = plan->active[i];
        if (plan->entries[topic].wants_client && !plan->entries[topic].wants_pinned)
            is_changed |= move_one(plan, topic, now_ns);
    }
    return is_changed;
}
