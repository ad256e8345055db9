/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conversation: what KIS would answer, and when.
 *
 *     subscribe ─▶ KIS's answer is known ──▶ the same answer, at once
 *               ─▶ KIS is asked ──▶ (wait) ▶ the same answer, or success after answer_wait_ns
 *               ─▶ the link is down ───────▶ success at once; status says pending
 *     refused later ───────────────────────▶ KIS's words to all who have it; it ends for them
 *
 * A subscription gets frames from its answer on, never before it.
 */
#include "inside.h"
#include <stdlib.h>
#include <string.h>

static void answer(nb__gateway *g, client *c, nb__opsp code, const nb__topic *topic)
{
    nb__text_clear(&g->text);
    nb__answer_print(code, topic, NULL, NULL, &g->text);
    fan_send(&g->fan, &c->fan, nb__text_view(&g->text));
}

/* ---- successes: each has an iv and a key, the same for a TR as long as the session lasts ---- */

static void secret_make(client_secret *secret)
{
    static const char hex[] = "0123456789abcdef", letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t random[16 + 32];
    nb__random_bytes(random, sizeof random);
    for (size_t i = 0; i < 16; i++)
        secret->iv[i] = hex[random[i] & 15];
    for (size_t i = 0; i < 32; i++)
        secret->key[i] = letters[random[16 + i] & 31];
    explicit_bzero(random, sizeof random);
}

static const client_secret *secret_of(client *c, const char *tr_id, client_secret *spare)
{
    for (size_t i = 0; i < c->secret_count; i++)
        if (strcmp(c->secrets[i].tr_id, tr_id) == 0)
            return &c->secrets[i];
    client_secret *at = spare;
    if (c->secret_count < GATEWAY_SECRETS_MAX) {
        client_secret *rows = realloc(c->secrets, (c->secret_count + 1u) * sizeof *rows);
        if (rows != NULL) {
            c->secrets = rows;
            at = &rows[c->secret_count++];
        }
    }
    *at = (client_secret){0};
    (void)nb__span_copy(nb__span(tr_id), at->tr_id, sizeof at->tr_id);
    secret_make(at);
    return at;
}

static void answer_success(nb__gateway *g, client *c, nb__opsp code, const nb__topic *topic)
{
    client_secret spare;
    const client_secret *secret = secret_of(c, topic->tr_id, &spare);
    nb__text_clear(&g->text);
    nb__answer_print(code, topic, secret->iv, secret->key, &g->text);
    fan_send(&g->fan, &c->fan, nb__text_view(&g->text));
}

static void accept_subscription(nb__gateway *g, client *c, fan_subscription *subscription)
{
    uint32_t topic = subscription->topic;
    fan_activate(&g->fan, &c->fan, subscription);
    answer_success(g, c, NB__OPSP_SUBSCRIBED, nb__topics_at(nb__plant_topics(g->plant), topic));
    if (c->wants_last)
        fan_send_last(&g->fan, &c->fan, topic);
}

/* ---- going back to the plant ---- */

static void look_at_later(nb__gateway *g, uint32_t topic)
{
    if (g->fan.topics[topic].subscriber_count > 0 || !g->fan.topics[topic].is_wanted)
        return;
    if (g->release_count == g->release_capacity) {
        size_t capacity = g->release_capacity == 0 ? 64 : g->release_capacity * 2;
        uint32_t *releases = realloc(g->releases, capacity * sizeof *releases);
        if (releases == NULL) {
            g->fan.topics[topic].is_wanted = false;
            nb__plant_release(g->plant, topic);
            return;
        }
        g->releases = releases;
        g->release_capacity = capacity;
    }
    g->releases[g->release_count++] = topic;
}

void conversation_release(nb__gateway *g)
{
    for (size_t i = 0; i < g->release_count; i++) {
        fan_topic *row = &g->fan.topics[g->releases[i]];
        if (row->subscriber_count > 0 || !row->is_wanted)
            continue;
        row->is_wanted = false;
        nb__plant_release(g->plant, g->releases[i]);
    }
    g->release_count = 0;
}

static void drop(nb__gateway *g, client *c, fan_subscription *subscription)
{
    uint32_t topic = subscription->topic;
    fan_unsubscribe(&g->fan, &c->fan, subscription);
    g->counters.subscriptions--;
    look_at_later(g, topic);
}

void conversation_leave(nb__gateway *g, client *c)
{
    while (c->fan.subscription_count > 0)
        drop(g, c, &c->fan.subscriptions[c->fan.subscription_count - 1]);
}

/* ---- waiting for KIS ---- */

static bool wait_push(nb__gateway *g, const waiting *entry)
{
    bool is_at_end = g->wait_first + g->wait_count == g->wait_capacity;
    if (is_at_end && g->wait_count >= g->wait_capacity / 2) {
        size_t capacity = g->wait_capacity == 0 ? 64 : g->wait_capacity * 2;
        waiting *waits = realloc(g->waits, capacity * sizeof *waits);
        if (waits == NULL)
            return false;
        g->waits = waits;
        g->wait_capacity = capacity;
    } else if (is_at_end) { /* half of it is free again: moving is cheap */
        if (g->wait_count > 0)
            memmove(g->waits, g->waits + g->wait_first, g->wait_count * sizeof *g->waits);
        g->wait_first = 0;
    }
    g->waits[g->wait_first + g->wait_count++] = *entry;
    if (g->wait_count == 1)
        nb__timer_set(g->loop, &g->wait, entry->at_ns);
    return true;
}

void conversation_expire(nb__gateway *g, int64_t now_ns)
{
    while (g->wait_count > 0 && g->waits[g->wait_first].at_ns <= now_ns) {
        waiting entry = g->waits[g->wait_first++];
        g->wait_count--;
        client *c =
            entry.client < g->fan.client_top ? (client *)g->fan.clients[entry.client] : NULL;
        if (c == NULL || c->serial != entry.serial || c->fan.is_gone)
            continue;
        fan_subscription *subscription = fan_subscription_find(&c->fan, entry.topic);
        if (subscription != NULL && subscription->is_waiting)
            accept_subscription(g, c, subscription);
    }
    if (g->wait_count > 0)
        nb__timer_set(g->loop, &g->wait, g->waits[g->wait_first].at_ns);
}

static nb__registration_state state_of(const nb__gateway *g, uint32_t topic)
{
    const nb__registration *registration = nb__plant_registration(g->plant, topic);
    return registration == NULL ? NB__REG_NONE : registration->state;
}

static void refuse_as_kis(nb__gateway *g, client *c, uint32_t topic)
{
    const nb__registration *registration = nb__plant_registration(g->plant, topic);
    nb__text_clear(&g->text);
    nb__answer_print_as(&registration->answer, nb__topics_at(nb__plant_topics(g->plant), topic),
                        NULL, NULL, &g->text);
    fan_send(&g->fan, &c->fan, nb__text_view(&g->text));
}

void conversation_registration(nb__gateway *g, uint32_t topic)
{
    fan_topic *row = topic < g->fan.topic_count ? &g->fan.topics[topic] : NULL;
    nb__registration_state state = state_of(g, topic);
    if (row == NULL)
        return;
    while (state == NB__REG_REJECTED && row->subscriber_count > 0) {
        const fan_subscriber *last = &row->subscribers[row->subscriber_count - 1];
        client *c = (client *)g->fan.clients[last->client & ~FAN_WAITING];
        refuse_as_kis(g, c, topic);
        drop(g, c, &c->fan.subscriptions[last->slot]);
    }
    if (state != NB__REG_CONFIRMED && state != NB__REG_LINGERING)
        return;
    for (uint32_t i = 0; i < row->subscriber_count; i++) {
        if ((row->subscribers[i].client & FAN_WAITING) == 0)
            continue;
        client *c = (client *)g->fan.clients[row->subscribers[i].client & ~FAN_WAITING];
        accept_subscription(g, c, &c->fan.subscriptions[row->subscribers[i].slot]);
    }
}

/* ---- requests ---- */

/* A code of the master, or `*`, of a TR that we know: there are only so many of them. */
static bool is_known_name(const nb__gateway *g, const nb__topic *topic)
{
    bool is_star = strcmp(topic->tr_key, "*") == 0;
    if (is_star && strcmp(topic->tr_id, "*") == 0)
        return true;
    return nb_tr_find(nb__span(topic->tr_id)) != NULL &&
           (is_star || gateway_instrument(g, nb__span(topic->tr_key)) != NULL);
}

/* Topics are never given back: clients may make only so many, so that the feed's own always find
   room.
   @return NB__TOPIC_NONE when this one may not be made. */
static uint32_t intern(nb__gateway *g, const nb__topic *topic)
{
    nb__topics *topics = nb__plant_topics(g->plant);
    uint32_t index = nb__topics_find(topics, topic);
    bool is_full = g->client_topics >= g->config.client_topics_max;
    if (index != NB__TOPIC_NONE || (is_full && !is_known_name(g, topic)))
        return index;
    index = nb__topics_intern(topics, topic);
    g->client_topics += index != NB__TOPIC_NONE && !is_full;
    return index;
}

static void subscribe_star(nb__gateway *g, client *c, uint32_t topic, const nb__topic *name)
{
    if (fan_subscribe(&g->fan, &c->fan, topic, true, false) != NB_OK) {
        answer(g, c, NB__OPSP_INTERNAL, name);
        return;
    }
    g->counters.subscriptions++;
    answer_success(g, c, NB__OPSP_SUBSCRIBED, name);
    if (c->wants_last)
        fan_send_all_last(&g->fan, &c->fan);
}

/* @return NB__OPSP_SUBSCRIBED, or what to answer instead. */
static nb__opsp want(nb__gateway *g, uint32_t topic)
{
    fan_topic *row = fan_topic_at(&g->fan, topic);
    if (row == NULL)
        return NB__OPSP_INTERNAL;
    if (row->is_wanted)
        return NB__OPSP_SUBSCRIBED;
    nb_err err = nb__plant_want(g->plant, topic);
    row->is_wanted = err == NB_OK;
    if (err == NB_OK)
        return NB__OPSP_SUBSCRIBED;
    return err == NB_E_LIMIT ? NB__OPSP_MAX_OVER : NB__OPSP_INTERNAL;
}

static void subscribe_key(nb__gateway *g, client *c, uint32_t topic, const nb__topic *name)
{
    nb__opsp code = want(g, topic);
    nb__registration_state state = state_of(g, topic);
    bool is_known = state == NB__REG_CONFIRMED || state == NB__REG_LINGERING;
    bool must_wait = !is_known && feeds_any_up(g);
    if (code == NB__OPSP_SUBSCRIBED && state == NB__REG_REJECTED) {
        refuse_as_kis(g, c, topic);
        look_at_later(g, topic);
        return;
    }
    if (code == NB__OPSP_SUBSCRIBED && fan_subscribe(&g->fan, &c->fan, topic, false, true) != NB_OK)
        code = NB__OPSP_INTERNAL;
    if (code != NB__OPSP_SUBSCRIBED) {
        answer(g, c, code, name);
        return;
    }
    g->counters.subscriptions++;
    waiting entry = {.serial = c->serial,
                     .client = c->fan.index,
                     .topic = topic,
                     .at_ns = gateway_mono_ns(g) + g->config.answer_wait_ns};
    if (!must_wait || !wait_push(g, &entry))
        accept_subscription(g, c, fan_subscription_find(&c->fan, topic));
}

static void subscribe(nb__gateway *g, client *c, const nb__topic *name)
{
    uint32_t topic = nb__topics_find(nb__plant_topics(g->plant), name);
    if (topic != NB__TOPIC_NONE && fan_subscription_find(&c->fan, topic) != NULL) {
        answer(g, c, NB__OPSP_ALREADY, name);
        return;
    }
    bool is_full = c->fan.subscription_count >= g->config.subscriptions_max;
    topic = is_full ? NB__TOPIC_NONE : intern(g, name);
    if (topic == NB__TOPIC_NONE)
        answer(g, c, NB__OPSP_MAX_OVER, name);
    else if (strcmp(name->tr_key, "*") == 0)
        subscribe_star(g, c, topic, name);
    else
        subscribe_key(g, c, topic, name);
}

static void unsubscribe(nb__gateway *g, client *c, const nb__topic *name)
{
    uint32_t topic = nb__topics_find(nb__plant_topics(g->plant), name);
    fan_subscription *subscription =
        topic == NB__TOPIC_NONE ? NULL : fan_subscription_find(&c->fan, topic);
    if (subscription == NULL) {
        answer(g, c, NB__OPSP_NOT_SUBSCRIBED, name);
        return;
    }
    if (subscription->is_waiting) /* its own answer comes first */
        accept_subscription(g, c, subscription);
    drop(g, c, subscription);
    answer_success(g, c, NB__OPSP_UNSUBSCRIBED, name);
}

static bool authorise(nb__gateway *g, client *c, const char *approval_key)
{
    if (!c->is_authorised && access_approval_known(&g->access, approval_key, gateway_mono_ns(g))) {
        c->is_authorised = true;
        marks_welcome(g, c);
    }
    return c->is_authorised;
}

void conversation_message(nb__gateway *g, client *c, const nb__ws_event *event)
{
    nb__request request;
    nb__opsp code = NB__OPSP_BAD_JSON;
    nb__client_message kind = nb__client_message_parse(event->payload, &request, &code);
    if (kind == NB__CLIENT_PINGPONG || c->fan.is_gone)
        return;
    g->counters.requests++;
    g->hold.asked_ns = gateway_mono_ns(g);
    if (kind != NB__CLIENT_REQUEST) {
        g->counters.requests_invalid++;
        answer(g, c, code, NULL);
        return;
    }
    bool is_authorised = authorise(g, c, request.approval_key);
    explicit_bzero(request.approval_key, sizeof request.approval_key);
    if (!is_authorised) {
        g->counters.refused_key++;
        answer(g, c, NB__OPSP_BAD_APPROVAL, &request.topic);
    } else if (request.is_register) {
        subscribe(g, c, &request.topic);
    } else {
        unsubscribe(g, c, &request.topic);
    }
}
