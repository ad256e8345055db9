/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a replay waits for.
 *
 *     N clients have subscribed, and nobody has asked for a second   it begins
 *     a client has half of what may wait for it                      time stands until it read on
 *     a client chose conflation                                      it is not waited for, unless
 *                                                                    trades and answers pile up
 *     a gap was played, and clients' connections ended with it       until they are back, 30 s
 *
 * The second is for clients that ask for their keys one by one, as KIS wants it: whoever begins to
 * play at the first key gives the others another night each time.
 */
#include "inside.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SETTLE_NS NB__NS_PER_S
#define BACK_NS (30 * NB__NS_PER_S)
#define SLOW_TOLD_NS (10 * NB__NS_PER_S)

static bool has_subscribed(const client *c)
{
    for (uint32_t i = 0; i < c->fan.subscription_count; i++)
        if (!c->fan.subscriptions[i].is_waiting)
            return true;
    return false;
}

uint32_t hold_subscribed(const nb__gateway *g)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->fan.client_top; i++) {
        const client *c = (const client *)g->fan.clients[i];
        count += c != NULL && !c->fan.is_gone && has_subscribed(c);
    }
    return count;
}

/* ---- the gate ---- */

/* They are there, and done with asking. */
static bool are_there(nb__gateway *g, uint32_t wanted)
{
    int64_t settled_ns = g->hold.asked_ns + SETTLE_NS;
    if (hold_subscribed(g) < wanted)
        return false;
    if (gateway_mono_ns(g) >= settled_ns)
        return true;
    nb__timer_set(g->loop, &g->hold.timer, settled_ns);
    return false;
}

static bool is_awaiting(nb__gateway *g)
{
    hold *h = &g->hold;
    if (!h->is_started)
        h->is_started = g->config.replay_wait == 0 || are_there(g, g->config.replay_wait);
    if (!h->is_started)
        return true;
    if (h->awaited == 0 || h->awaited_until_ns == INT64_MAX) /* what a gap holds goes on */
        return false;
    if (gateway_mono_ns(g) < h->awaited_until_ns && !are_there(g, h->awaited))
        return true;
    h->awaited = 0;
    return false;
}

/* Whether all have room, by a look at each; remembers who has least. */
static bool look_at_all(nb__gateway *g)
{
    hold *h = &g->hold;
    uint64_t most = 0;
    for (uint32_t i = 0; i < g->fan.client_top; i++) {
        const client *c = (const client *)g->fan.clients[i];
        uint64_t lag = c == NULL || c->fan.is_gone ? 0 : fan_behind(&g->fan, &c->fan);
        if (lag <= most)
            continue;
        most = lag;
        h->slow_index = i;
        h->slow_serial = c->serial;
    }
    return most == 0;
}

static void tell_slow(nb__gateway *g)
{
    hold *h = &g->hold;
    char name[80];
    int64_t held_ns;
    if (h->is_slow_told || !hold_slow(g, name, sizeof name, &held_ns) || held_ns < SLOW_TOLD_NS)
        return;
    h->is_slow_told = true;
    nb__log(NB__LOG_WARN, "replay",
            "client %s has read too little for %" PRId64 " s: the replay waits for it\n"
            "end that client, or let it ask for the latest of each key: ws://HOST:PORT/+conflate/",
            name, held_ns / NB__NS_PER_S);
}

static bool has_room(nb__gateway *g)
{
    hold *h = &g->hold;
    const ring *r = &g->fan.ring;
    if (h->had_room && r->head - h->seen_head < g->fan.pending_max / 8 &&
        r->at_bytes - h->seen_at_bytes < r->size_bytes / 8)
        return true; /* nobody's room can be used up yet */
    bool had_room = h->had_room;
    h->had_room = look_at_all(g);
    h->seen_head = r->head;
    h->seen_at_bytes = r->at_bytes;
    if (h->had_room)
        return true;
    if (had_room) {
        h->slow_since_ns = gateway_mono_ns(g);
        h->is_slow_told = false;
    }
    tell_slow(g);
    if (!h->is_slow_told)
        nb__timer_set(g->loop, &h->timer, h->slow_since_ns + SLOW_TOLD_NS);
    return false;
}

static nb__gate_state look(void *self)
{
    nb__gateway *g = self;
    if (is_awaiting(g))
        return NB__GATE_AWAITED;
    return has_room(g) ? NB__GATE_OPEN : NB__GATE_FULL;
}

bool hold_slow(const nb__gateway *g, char *name, size_t capacity_bytes, int64_t *held_ns)
{
    const hold *h = &g->hold;
    if (h->had_room || h->slow_index >= g->fan.client_top)
        return false;
    const client *c = (const client *)g->fan.clients[h->slow_index];
    if (c == NULL || c->serial != h->slow_serial)
        return false;
    snprintf(name, capacity_bytes, "%s", nb__peer_name(c->fan.peer));
    *held_ns = gateway_mono_ns(g) - h->slow_since_ns;
    return true;
}

/* ---- gaps that are played ---- */

static bool wants_gaps(const nb__gateway *g, bool asks)
{
    return asks || g->config.drops_gaps;
}

/* As KIS's own connection ended when the recorder's did. What came before it leaves first. */
void hold_drop(nb__gateway *g, const char *reason)
{
    hold *h = &g->hold;
    if (!h->is_patient || g->is_shut)
        return;
    uint32_t subscribed = hold_subscribed(g), dropped = 0;
    char words[124];
    int size = snprintf(words, sizeof words, "the recorded link was lost here: %s", reason);
    if (size >= (int)sizeof words)
        words[nb__utf8_valid_prefix((nb_span){words, sizeof words - 1})] = '\0';
    fan_flush(&g->fan);
    for (uint32_t i = 0; i < g->fan.client_top; i++) {
        client *c = (client *)g->fan.clients[i];
        if (c == NULL || c->fan.is_gone || !wants_gaps(g, c->wants_gaps))
            continue;
        dropped += has_subscribed(c);
        g->counters.gap_closed++;
        gateway_end_client(c, 1012, words);
    }
    if (dropped == 0)
        return;
    h->awaited = subscribed > h->awaited ? subscribed : h->awaited;
    h->awaited_until_ns = INT64_MAX;
}

/* The last link that was down is up again. */
static void gap_ends(nb__gateway *g)
{
    hold *h = &g->hold;
    if (h->awaited == 0)
        return;
    h->awaited_until_ns = gateway_mono_ns(g) + BACK_NS;
    nb__timer_set(g->loop, &h->timer, h->awaited_until_ns);
}

bool hold_refuses(const nb__gateway *g, bool asks_for_gaps)
{
    return g->hold.gap_count > 0 && wants_gaps(g, asks_for_gaps);
}

void hold_mark(nb__gateway *g, const nb__mark *mark)
{
    hold *h = &g->hold;
    if (!h->is_patient)
        return;
    if (mark->kind == NB__MARK_MOVED)
        h->gap_count = h->awaited = 0;
    else if (mark->kind == NB__MARK_LINK_DOWN)
        h->gap_count++;
    else if (mark->kind == NB__MARK_LINK_UP && h->gap_count > 0 && --h->gap_count == 0)
        gap_ends(g);
}

/* ---- life ---- */

/* A turn is all that it takes: its end looks. */
static void timer_fired(nb__timer *timer, int64_t now_ns)
{
    (void)timer;
    (void)now_ns;
}

void hold_open(nb__gateway *g)
{
    nb__replay_view view;
    nb__gate_state state;
    g->hold.timer.fire = timer_fired;
    g->hold.had_room = true;
    g->hold.is_patient = nb__plant_replay(g->plant, &view, &state);
    if (!g->hold.is_patient)
        return;
    g->fan.is_patient = true;
    nb__plant_set_gate(g->plant, &(nb__gate){g, look});
}

void hold_close(nb__gateway *g)
{
    nb__timer_cancel(g->loop, &g->hold.timer);
    if (g->hold.is_patient)
        nb__plant_set_gate(g->plant, NULL);
}

bool nb__gateway_is_drained(const nb__gateway *g)
{
    for (uint32_t i = 0; i < g->fan.client_top; i++) {
        const fan_client *c = g->fan.clients[i];
        if (c != NULL && !c->is_gone &&
            (c->list_count > 0 || (c->star_mask != 0 && c->cursor < g->fan.ring.head) ||
             c->catch_up != FAN_CATCH_NONE || nb__peer_queued_bytes(c->peer) > 0))
            return false;
    }
    return true;
}
