/* SPDX-License-Identifier: Apache-2.0 */
/* What people see: a row for each topic that is wanted, wished for or held, with its reason; and
 * the counters. */
#include "inside.h"
#include <stdio.h>
#include <string.h>

/* ---- reasons ---- */

static void say(nb__plan_row *row, const char *format, ...) NB__PRINTF(2, 3);

static void say(nb__plan_row *row, const char *format, ...)
{
    size_t size = strlen(row->reason);
    if (size > 0 && size + 2 < sizeof row->reason) {
        memcpy(row->reason + size, "; ", 3);
        size += 2;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(row->reason + size, sizeof row->reason - size, format, arguments);
    va_end(arguments);
}

static void say_wish(const nb__plan *plan, const entry *e, nb__plan_row *row)
{
    if (e->window == PLAN_IS_FRONT) {
        say(row, "front night future");
        return;
    }
    if (e->window == PLAN_IS_NEAREST) {
        say(row, "number %u from the money", (unsigned)e->rank + 1);
        return;
    }
    const window *w = &plan->windows[e->window];
    const char *word = nb__product_word(w->product);
    int distance = e->strikes < 0 ? -e->strikes : e->strikes;
    if (distance == 0)
        say(row, "at the money of %s %s", word, w->expiry);
    else
        say(row, "%d strike%s %s the money of %s %s", distance, distance == 1 ? "" : "s",
            e->strikes < 0 ? "below" : "above", word, w->expiry);
}

/* Night TRs take codes of the night's masters; other TRs have other keys. */
static bool is_of_master(const nb__topic *topic)
{
    return (memcmp(topic->tr_id, "H0EU", 4) == 0 || memcmp(topic->tr_id, "H0MF", 4) == 0) &&
           memcmp(topic->tr_id + 4, "CNI", 3) != 0;
}

static void say_slot(const nb__plan *plan, const entry *e, bool is_wish, nb__plan_row *row)
{
    const nb__registration *r = row->registration;
    if (has_reason(e) && r->state == NB__REG_REJECTED) {
        say(row, "refused: %s", r->answer.msg_cd);
    } else if (row->session != NB__PLAN_NOWHERE) {
        if (plan->seats[row->session].is_away)
            say(row, "its session is away");
    } else if (e->pin != 0) {
        say(row, "no slot: %u of %u are taken by pinned keys", (unsigned)plan->counters.slots_used,
            (unsigned)plan->counters.slots_max);
    } else if (is_wish && plan->reserve > 0) {
        say(row, "no slot: clients and the reserve of %u go first", (unsigned)plan->reserve);
    } else {
        say(row, "no slot: %u of %u are taken", (unsigned)plan->counters.slots_used,
            (unsigned)plan->counters.slots_max);
    }
}

static void fill(const nb__plan *plan, uint32_t topic, nb__plan_row *row)
{
    const entry *e = &plan->entries[topic];
    const nb__topic *name = nb__topics_at(plan->topics, topic);
    bool is_wish = is_wished(plan, topic);
    *row = (nb__plan_row){.topic = topic,
                          .session = NB__PLAN_NOWHERE,
                          .is_pinned = e->pin != 0,
                          .is_client = e->wants_client,
                          .is_window = is_wish || e->wants_window,
                          .registration = nb__plan_registration(plan, topic)};
    if (holds_slot(plan, topic) || row->registration->state == NB__REG_LINGERING)
        row->session = e->session;
    if (is_wish)
        row->instrument = e->instrument;
    else if (plan->symbols != NULL)
        row->instrument = nb__symbols_find(plan->symbols, nb__span(name->tr_key));
    if (e->pin != 0)
        say(row, "pinned");
    if (row->instrument == NULL && plan->master != NULL && e->pin != 0 && is_of_master(name))
        say(row, "not in the master: is the code right?");
    if (e->wants_client)
        say(row, "asked for by clients");
    if (is_wish)
        say_wish(plan, e, row);
    if (e->pin == 0 && !e->wants_client && !row->is_window)
        say(row, "nobody asks for it any more, given back soon");
    else
        say_slot(plan, e, is_wish, row);
}

/* ---- the walk ---- */

static uint64_t order_of(const nb__plan *plan, uint32_t topic)
{
    const entry *e = &plan->entries[topic];
    if (e->pin != 0)
        return e->pin;
    if (e->wants_client)
        return (UINT64_C(1) << 32) + topic;
    if (e->wants_window || is_wished(plan, topic))
        return (UINT64_C(2) << 32) + e->rank;
    return (UINT64_C(3) << 32) + topic;
}

bool nb__plan_next_row(const nb__plan *plan, uint32_t *cursor, nb__plan_row *out)
{
    if (*cursor == 0) {
        *plan->row_count = 0;
        for (uint32_t i = 0; i < plan->active_count; i++) {
            uint32_t topic = plan->active[i];
            if (has_reason(&plan->entries[topic]) || plan->entries[topic].pin != 0 ||
                is_wished(plan, topic) || lingers(plan, topic))
                plan->rows[(*plan->row_count)++] = (wish){order_of(plan, topic), topic};
        }
        sort_by_order(plan->rows, *plan->row_count);
    }
    if (*cursor >= *plan->row_count)
        return false;
    fill(plan, plan->rows[(*cursor)++].topic, out);
    return true;
}

const nb__registration *nb__plan_registration(const nb__plan *plan, uint32_t topic)
{
    static const nb__registration none;
    if (topic >= plan->topics_max || plan->entries[topic].session == NB__PLAN_NOWHERE)
        return &none;
    return nb__session_registration(plan->sessions[plan->entries[topic].session], topic);
}

/* ---- counters ---- */

#define METRIC(field, metric_name, metric_help, gauge)                                             \
    {                                                                                              \
        metric_name, metric_help, offsetof(nb__plan_counters, field), gauge                        \
    }
const nb__metric nb__plan_metrics[] = {
    METRIC(slots_max, "plan_slots_max", "Registrations that all appkeys allow now.", true),
    METRIC(slots_used, "plan_slots_used", "Registrations held for somebody.", true),
    METRIC(pinned, "plan_pinned", "Pinned keys that have a slot.", true),
    METRIC(windows, "plan_windows", "Keys held for windows alone.", true),
    METRIC(pinned_without_slot, "plan_pinned_without_slot", "Pinned keys that have no slot.", true),
    METRIC(window_moves, "plan_window_moves_total", "Windows moved by one strike.", false),
    METRIC(window_yields, "plan_window_yields_total",
           "Window keys given up for a client's or a pinned key.", false),
    METRIC(refused, "plan_refused_total", "Wishes of clients for which there was no slot.", false),
    METRIC(moved_sessions, "plan_moved_sessions_total",
           "Topics moved to another session because theirs was away.", false),
};
const size_t nb__plan_metric_count = NB__COUNT_OF(nb__plan_metrics);

const nb__plan_counters *nb__plan_count(const nb__plan *plan)
{
    return &plan->counters;
}
