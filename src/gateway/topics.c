/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics and their subscribers. A client's subscription and its row in the topic's list know each
 * other's place, so that both are removed in one step, whoever else is there:
 *
 *     client.subscriptions[slot] = {topic, place}      topic.subscribers[place] = {client, slot}
 */
#include "fanout.h"
#include <stdlib.h>
#include <string.h>

fan_topic *fan_topic_at(fan *f, uint32_t topic)
{
    if (topic >= f->topic_capacity) {
        uint64_t capacity = f->topic_capacity == 0 ? 256 : f->topic_capacity;
        while (capacity <= topic)
            capacity *= 2;
        fan_topic *topics = realloc(f->topics, capacity * sizeof *topics);
        if (topics == NULL)
            return NULL;
        memset(topics + f->topic_capacity, 0, (capacity - f->topic_capacity) * sizeof *topics);
        f->topics = topics;
        f->topic_capacity = (uint32_t)capacity;
    }
    if (topic >= f->topic_count) {
        for (uint32_t i = f->topic_count; i <= topic; i++)
            f->topics[i].tr = FAN_TR_MAX;
        f->topic_count = topic + 1;
    }
    return &f->topics[topic];
}

fan_subscription *fan_subscription_find(const fan_client *c, uint32_t topic)
{
    for (uint32_t i = 0; i < c->subscription_count; i++)
        if (c->subscriptions[i].topic == topic)
            return &c->subscriptions[i];
    return NULL;
}

/* ---- TR numbers and `*` ---- */

static uint8_t tr_find(const fan *f, nb_span tr_id)
{
    for (uint32_t i = 0; i < f->tr_count; i++)
        if (nb__span_is(tr_id, f->trs[i]))
            return (uint8_t)i;
    return FAN_TR_MAX;
}

static uint64_t star_bit(const fan *f, uint32_t topic)
{
    nb_span tr_id = nb__span(nb__topics_at(f->names, topic)->tr_id);
    if (nb__span_is(tr_id, "*"))
        return FAN_ALL;
    uint8_t tr = tr_find(f, tr_id);
    return tr < FAN_TR_MAX ? UINT64_C(1) << tr : 0;
}

/* The filter follows the subscriptions. What was pending under the old one must be settled before.
 */
static void star_update(fan *f, fan_client *c)
{
    uint64_t mask = 0;
    bool has_star = false;
    for (uint32_t i = 0; i < c->subscription_count; i++) {
        if (!c->subscriptions[i].is_star)
            continue;
        mask |= star_bit(f, c->subscriptions[i].topic);
        has_star = true;
    }
    if (has_star && mask == 0)
        mask = FAN_STAR_NOTHING;
    if (c->catch_up == FAN_CATCH_CONFLATE || mask == 0)
        c->catch_next = 0; /* the rows that it walks have changed */
    if (c->catch_up == FAN_CATCH_LAST && mask == 0)
        c->catch_up = FAN_CATCH_NONE;
    if (c->star_mask == 0 && mask != 0) {
        c->cursor = f->ring.head;
        c->star_at = f->star_count;
        f->stars[f->star_count++] = c->index;
    } else if (c->star_mask != 0 && mask == 0) {
        f->star_count--;
        f->stars[c->star_at] = f->stars[f->star_count];
        f->clients[f->stars[c->star_at]]->star_at = c->star_at;
        c->star_at = FAN_NONE;
    }
    c->star_mask = mask;
}

/* Only a `*` can change the filter: a client with thousands of keys is not looked through for each
   key that comes or goes. */
static void rows_changed(fan *f, fan_client *c, bool is_star)
{
    if (is_star)
        star_update(f, c);
    else if (c->catch_up == FAN_CATCH_CONFLATE)
        c->catch_next = 0; /* it walks these rows */
}

uint8_t fan_tr(fan *f, nb_span tr_id, bool is_book, bool make)
{
    uint8_t found = tr_find(f, tr_id);
    if (found < FAN_TR_MAX || !make || f->tr_count == FAN_TR_MAX ||
        !nb__span_copy(tr_id, f->trs[f->tr_count], sizeof f->trs[0]))
        return found;
    uint8_t tr = (uint8_t)f->tr_count++;
    if (is_book)
        f->book_trs |= UINT64_C(1) << tr;
    for (uint32_t i = 0; i < f->star_count; i++) /* some of them may have waited for this TR */
        star_update(f, f->clients[f->stars[i]]);
    return tr;
}

/* ---- subscriptions ---- */

static bool make_room(fan_topic *topic, fan_client *c)
{
    if (c->subscription_count == c->subscription_capacity) {
        uint32_t capacity = c->subscription_capacity == 0 ? 4 : c->subscription_capacity * 2;
        fan_subscription *rows = realloc(c->subscriptions, capacity * sizeof *rows);
        if (rows == NULL)
            return false;
        c->subscriptions = rows;
        c->subscription_capacity = capacity;
    }
    if (topic->subscriber_count == topic->subscriber_capacity) {
        uint32_t capacity = topic->subscriber_capacity == 0 ? 4 : topic->subscriber_capacity * 2;
        fan_subscriber *rows = realloc(topic->subscribers, capacity * sizeof *rows);
        if (rows == NULL)
            return false;
        topic->subscribers = rows;
        topic->subscriber_capacity = capacity;
    }
    return true;
}

nb_err fan_subscribe(fan *f, fan_client *c, uint32_t topic, bool is_star, bool is_waiting)
{
    fan_topic *row = fan_topic_at(f, topic);
    if (row == NULL || !make_room(row, c))
        return NB_E_MEMORY;
    fan_settle(f, c);
    c->subscriptions[c->subscription_count] = (fan_subscription){.topic = topic,
                                                                 .place = row->subscriber_count,
                                                                 .is_waiting = is_waiting,
                                                                 .is_star = is_star};
    row->subscribers[row->subscriber_count++] = (fan_subscriber){
        .client = c->index | (is_waiting ? FAN_WAITING : 0), .slot = c->subscription_count++};
    rows_changed(f, c, is_star);
    return NB_OK;
}

void fan_activate(fan *f, fan_client *c, fan_subscription *subscription)
{
    if (!subscription->is_waiting)
        return;
    fan_settle(f, c);
    subscription->is_waiting = false;
    f->topics[subscription->topic].subscribers[subscription->place].client = c->index;
}

/* Take it out of both lists; the last one of each moves into its place. */
static void unlink_subscription(fan *f, fan_client *c, fan_subscription *subscription)
{
    fan_topic *topic = &f->topics[subscription->topic];
    uint32_t place = subscription->place;
    topic->subscribers[place] = topic->subscribers[--topic->subscriber_count];
    if (place < topic->subscriber_count) {
        fan_subscriber *moved = &topic->subscribers[place];
        f->clients[moved->client & ~FAN_WAITING]->subscriptions[moved->slot].place = place;
    }
    *subscription = c->subscriptions[--c->subscription_count];
    uint32_t slot = (uint32_t)(subscription - c->subscriptions);
    if (slot < c->subscription_count)
        f->topics[subscription->topic].subscribers[subscription->place].slot = slot;
}

void fan_unsubscribe(fan *f, fan_client *c, fan_subscription *subscription)
{
    bool is_star = subscription->is_star;
    fan_settle(f, c);
    unlink_subscription(f, c, subscription);
    rows_changed(f, c, is_star);
}

/* ---- last values ---- */

nb_span fan_cut(const nb_tr *tr, nb_span record)
{
    const char *at = record.data, *end = record.data + record.size_bytes;
    for (uint32_t left = tr == NULL ? 0 : tr->field_count; left > 0; left--) {
        const char *mark = memchr(at, '^', (size_t)(end - at));
        if (mark == NULL)
            return record;
        if (left == 1)
            return (nb_span){record.data, (size_t)(mark - record.data)};
        at = mark + 1;
    }
    return record;
}

/* A whole framed message of one record. @return its end. */
static char *put_message(char *at, nb_span tr_id, nb_span record)
{
    uint8_t head[NB__WS_HEAD_MAX];
    size_t payload = FAN_HEAD_BYTES + tr_id.size_bytes + record.size_bytes;
    size_t head_size = nb__ws_head_print(head, NB__WS_TEXT, payload, NULL);
    memcpy(at, head, head_size);
    at = fan_put_head(at + head_size, tr_id, 1);
    memcpy(at, record.data, record.size_bytes);
    return at + record.size_bytes;
}

void fan_keep_last(fan *f, fan_topic *topic, const nb_frame *head, nb_span record)
{
    topic->last_sequence = f->ring.head - 1;
    f->counters->last_bytes -= topic->last_size_bytes + topic->last_tidy_size_bytes;
    topic->last_size_bytes = topic->last_tidy_size_bytes = 0; /* better none than an older one */
    if (record.size_bytes > FAN_LAST_MAX)
        return;
    nb_span tidy = f->keeps_tidy ? fan_cut(head->tr, record) : record;
    bool is_cut = tidy.size_bytes < record.size_bytes;
    size_t overhead = NB__WS_HEAD_MAX + FAN_HEAD_BYTES + head->tr_id.size_bytes;
    size_t needed = overhead + record.size_bytes + (is_cut ? overhead + tidy.size_bytes : 0);
    if (needed > topic->last_capacity_bytes) {
        uint32_t capacity = (uint32_t)((needed + 63) / 64 * 64);
        char *bytes = realloc(topic->last, capacity);
        if (bytes == NULL)
            return;
        topic->last = bytes;
        topic->last_capacity_bytes = capacity;
    }
    char *end = put_message(topic->last, head->tr_id, record);
    topic->last_size_bytes = (uint32_t)(end - topic->last);
    if (is_cut)
        topic->last_tidy_size_bytes = (uint32_t)(put_message(end, head->tr_id, tidy) - end);
    f->counters->last_bytes += topic->last_size_bytes + topic->last_tidy_size_bytes;
}

nb_span fan_last(const fan_topic *topic, bool is_tidy)
{
    if (is_tidy && topic->last_tidy_size_bytes > 0)
        return (nb_span){topic->last + topic->last_size_bytes, topic->last_tidy_size_bytes};
    return (nb_span){topic->last, topic->last_size_bytes};
}

void fan_forget_last(fan *f)
{
    for (uint32_t i = 0; i < f->topic_count; i++)
        f->topics[i].last_size_bytes = f->topics[i].last_tidy_size_bytes = 0;
    f->counters->last_bytes = 0;
}

void fan_tidy_last(fan *f)
{
    char copy[FAN_LAST_MAX];
    f->keeps_tidy = true;
    for (uint32_t i = 0; i < f->topic_count; i++) {
        fan_topic *topic = &f->topics[i];
        if (topic->last_size_bytes == 0)
            continue;
        nb_frame head = {.tr_id = nb__span(nb__topics_at(f->names, i)->tr_id)};
        head.tr = nb_tr_find(head.tr_id);
        size_t head_size = (topic->last[1] == 126 ? 4 : 2) + FAN_HEAD_BYTES + head.tr_id.size_bytes;
        nb_span record = {copy, topic->last_size_bytes - head_size};
        memcpy(copy, topic->last + head_size, record.size_bytes);
        uint64_t sequence = topic->last_sequence;
        fan_keep_last(f, topic, &head, record);
        topic->last_sequence = sequence;
    }
}
