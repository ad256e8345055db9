/* SPDX-License-Identifier: Apache-2.0 */
/* The plan's life, what clients want, and the look around. */
#include "inside.h"
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

static void take_config(nb__plan *plan, const nb__plan_config *config)
{
    plan->config = *config;
    plan->reserve = config->nearest_max > 0 ? 0 : config->reserve;
    plan->window_count = (uint8_t)(config->nearest_max > 0 ? 0 : config->window_count);
    memcpy(plan->config.windows, config->windows, sizeof plan->config.windows);
    if (config->window_count == 0 && config->pinned_count == 0 && config->nearest_max == 0) {
        plan->has_front = true;
        plan->window_count = 1;
        plan->config.windows[0] = (nb__plan_window){.strikes_each_side = 8};
    }
    plan->wish_max = plan->has_front;
    for (uint32_t i = 0; i < plan->window_count; i++) {
        window *w = &plan->windows[i];
        w->spec = plan->config.windows[i];
        w->forward = (nb__plan_forward){NB_PRICE_UNDEF, "none"};
        chain_fini(w);
        plan->wish_max += 2 * (2 * w->spec.strikes_each_side + 1);
    }
}

static void take_pins(nb__plan *plan)
{
    for (uint32_t i = 0; i < plan->config.pinned_count; i++) {
        uint32_t topic = nb__topics_intern(plan->topics, &plan->config.pinned[i]);
        if (topic >= plan->topics_max || plan->entries[topic].pin != 0)
            continue;
        plan->pins[plan->pin_count++] = topic;
        plan->entries[topic].pin = (uint16_t)plan->pin_count;
        activate(plan, topic);
    }
}

nb__plan *nb__plan_new(const nb__plan_config *config, nb__topics *topics, uint32_t topics_max,
                       nb__session *const *sessions, uint32_t session_count)
{
    nb__plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL)
        return NULL;
    plan->topics = topics;
    plan->topics_max = topics_max;
    plan->session_count =
        (uint8_t)(session_count < NB__PLAN_SESSIONS_MAX ? session_count : NB__PLAN_SESSIONS_MAX);
    memcpy(plan->sessions, sessions, plan->session_count * sizeof(nb__session *));
    plan->stamp = 1;
    plan->look_ns = plan->round_ns = INT64_MIN;
    take_config(plan, config);
    plan->entries = calloc(topics_max, sizeof *plan->entries);
    plan->active = calloc(topics_max, sizeof *plan->active);
    plan->rows = calloc(topics_max, sizeof *plan->rows);
    plan->row_count = calloc(1, sizeof *plan->row_count);
    plan->wishes = calloc(plan->wish_max + 1, sizeof *plan->wishes);
    if (plan->entries == NULL || plan->active == NULL || plan->rows == NULL ||
        plan->row_count == NULL || plan->wishes == NULL) {
        nb__plan_free(plan);
        return NULL;
    }
    for (uint32_t i = 0; i < topics_max; i++)
        plan->entries[i] =
            (entry){.at = PLAN_NONE, .session = NB__PLAN_NOWHERE, .left_ns = NB_TIME_UNDEF};
    take_pins(plan);
    return plan;
}

void nb__plan_free(nb__plan *plan)
{
    if (plan == NULL)
        return;
    for (uint32_t i = 0; i < plan->window_count; i++)
        chain_fini(&plan->windows[i]);
    nb__symbols_free(plan->symbols);
    free(plan->entries);
    free(plan->active);
    free(plan->rows);
    free(plan->row_count);
    free(plan->wishes);
    free(plan);
}

/* ---- the master ---- */

static bool make_room_for_nearest(nb__plan *plan)
{
    size_t most = plan->master->count;
    if (most > plan->config.nearest_max)
        most = plan->config.nearest_max;
    if (most <= plan->wish_max)
        return true;
    wish *wishes = calloc(most, sizeof *wishes);
    if (wishes == NULL)
        return false;
    free(plan->wishes);
    plan->wishes = wishes;
    plan->wish_max = (uint32_t)most;
    plan->wish_count = 0;
    return true;
}

void nb__plan_set_master(nb__plan *plan, const nb__master *master, int64_t now_ns)
{
    plan->master = master;
    nb__symbols_free(plan->symbols);
    plan->symbols = nb__symbols_new(master);
    plan->front = plan->has_front ? chain_front_future(master, NB__PRODUCT_KOSPI200) : NULL;
    for (uint32_t i = 0; i < plan->window_count; i++)
        chain_find(plan, &plan->windows[i]);
    seats_survey(plan, now_ns);
    pinned_first(plan, now_ns);
    if (plan->config.nearest_max == 0)
        wishes_make(plan);
    else if (make_room_for_nearest(plan))
        wishes_make_nearest(plan);
    (void)windows_apply(plan, true, now_ns);
    plan->round_ns = now_ns + plan->config.move_gap_ns;
    plan->look_ns = now_ns;
    seats_census(plan, now_ns);
}

/* ---- the look around ---- */

/* A window whose money nobody knew until now. */
static bool place_windows(nb__plan *plan)
{
    bool is_any = false;
    for (uint32_t i = 0; i < plan->window_count; i++) {
        window *w = &plan->windows[i];
        if (w->center != PLAN_NONE || w->strike_count == 0 || !w->is_forward_live)
            continue;
        w->center = chain_nearest(w, w->forward.price);
        is_any = true;
    }
    return is_any;
}

/* When a session that is down now will have been away for long enough. */
static int64_t next_away_ns(const nb__plan *plan)
{
    int64_t next_ns = INT64_MAX;
    bool is_any_up = false;
    for (uint32_t i = 0; i < plan->session_count; i++) {
        const nb__session *session = plan->sessions[i];
        is_any_up |= plan->seats[i].is_up;
        if (plan->seats[i].is_up || plan->seats[i].is_away ||
            nb__session_state_of(session) == NB__SESSION_RESTING)
            continue;
        int64_t away_ns = nb__session_down_since_ns(session) + PLAN_AWAY_NS;
        next_ns = away_ns < next_ns ? away_ns : next_ns;
    }
    return is_any_up ? next_ns : INT64_MAX;
}

int64_t nb__plan_follow(nb__plan *plan, const nb__books *books, int64_t now_ns)
{
    if (now_ns < plan->look_ns)
        return plan->look_ns;
    plan->look_ns = now_ns + PLAN_LOOK_NS;
    seats_survey(plan, now_ns);
    seats_census(plan, now_ns);
    shed_slotless(plan, now_ns);
    pinned_first(plan, now_ns);
    for (uint32_t i = 0; i < plan->window_count; i++)
        forward_look(plan, &plan->windows[i], books);
    if (place_windows(plan)) {
        wishes_make(plan);
        (void)windows_apply(plan, true, now_ns);
        plan->round_ns = now_ns + plan->config.move_gap_ns;
    }
    if (now_ns >= plan->round_ns && (move_parked(plan, now_ns) || round_try(plan, now_ns)))
        plan->round_ns = now_ns + plan->config.move_gap_ns;
    seats_census(plan, now_ns);
    int64_t away_ns = next_away_ns(plan);
    return plan->round_ns > now_ns && plan->round_ns < away_ns ? plan->round_ns : away_ns;
}

uint32_t nb__plan_clients_at(const nb__plan *plan, uint32_t session)
{
    return plan->seats[session].clients;
}

/* ---- clients ---- */

/* Where it lives or lingers it needs no slot; but not of a session that is away while another has
 * room. */
static bool want_at_home(nb__plan *plan, uint32_t topic, int64_t now_ns)
{
    const entry *e = &plan->entries[topic];
    if (e->session == NB__PLAN_NOWHERE || is_parked(plan, e) ||
        (!has_reason(e) && !lingers(plan, topic)))
        return false;
    return seat_at(plan, topic, NB__WANT_CLIENT, e->session, now_ns);
}

static bool want_elsewhere(nb__plan *plan, uint32_t topic, int64_t now_ns)
{
    const entry *e = &plan->entries[topic];
    bool lives = has_reason(e), can_stay = is_parked(plan, e);
    uint8_t session = room_for(plan, topic, can_stay ? TIER_UP : TIER_ANY, now_ns);
    if (session == NB__PLAN_NOWHERE && can_stay) {
        if (seat_at(plan, topic, NB__WANT_CLIENT, e->session, now_ns))
            return true;
        session = room_for(plan, topic, TIER_ANY, now_ns);
    }
    if (session == NB__PLAN_NOWHERE)
        return false;
    return lives ? move_to(plan, topic, NB__WANT_CLIENT, session, now_ns)
                 : seat_at(plan, topic, NB__WANT_CLIENT, session, now_ns);
}

nb_err nb__plan_want(nb__plan *plan, uint32_t topic, int64_t now_ns)
{
    if (topic >= plan->topics_max)
        return NB_E_ARGUMENT;
    seats_survey(plan, now_ns);
    pinned_first(plan, now_ns);
    if (want_at_home(plan, topic, now_ns) || want_elsewhere(plan, topic, now_ns))
        return NB_OK;
    plan->counters.refused++;
    return NB_E_LIMIT;
}

void nb__plan_release(nb__plan *plan, uint32_t topic, int64_t now_ns)
{
    if (topic >= plan->topics_max || !plan->entries[topic].wants_client)
        return;
    const entry *e = &plan->entries[topic];
    seats_survey(plan, now_ns);
    /* a window would take it up again: it stays, if the reserve allows */
    if (is_wished(plan, topic) && !e->wants_window && holds_slot(plan, topic) &&
        !is_parked(plan, e) && seats_free(plan) >= plan->reserve)
        (void)seat_at(plan, topic, NB__WANT_WINDOW, e->session, now_ns);
    unseat(plan, topic, NB__WANT_CLIENT, now_ns);
}
