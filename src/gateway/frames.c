/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the feed into the ring, and from the ring onto lists.
 *
 *     all records of one key   one message, as it came         keyed, `*`
 *     keys differ              one message, as it came         `*`
 *                              one a key with subscribers,     keyed
 *                              its records under a new head
 *     not tidy already         one a record, cut to its width  +tidy, if there is anyone
 *     cannot be split          one message, as it came         subscribers of the first key, `*`
 *     encrypted                one message, as it came         all who subscribed to its TR, `*`
 */
#include "fanout.h"
#include <string.h>

/* Space for a text message's payload in the ring, its head already written. */
static char *place(fan *f, const ring_message *like, size_t payload_bytes)
{
    uint8_t head[NB__WS_HEAD_MAX];
    size_t head_size = nb__ws_head_print(head, NB__WS_TEXT, payload_bytes, NULL);
    char *at = ring_put(&f->ring, like, head_size + payload_bytes);
    if (at == NULL) {
        f->counters->dropped_too_long++;
        return NULL;
    }
    memcpy(at, head, head_size);
    f->counters->messages++;
    return at + head_size;
}

/* Onto the lists of the topic's subscribers; who gets it by `*` has it already. */
static void deliver(fan *f, uint32_t topic, const ring_message *like)
{
    if (topic >= f->topic_count)
        return;
    uint64_t sequence = f->ring.head - 1;
    const fan_topic *row = &f->topics[topic];
    for (uint32_t i = 0; i < row->subscriber_count; i++) {
        if ((row->subscribers[i].client & FAN_WAITING) != 0)
            continue;
        fan_client *c = f->clients[row->subscribers[i].client];
        if ((like->audience & (c->is_tidy ? RING_TO_KEYED_TIDY : RING_TO_KEYED)) == 0 ||
            fan_star_covers(c, like->tr))
            continue;
        if (c->star_mask != 0)
            fan_settle(f, c);
        fan_list_append(f, c, sequence, like->is_book);
    }
}

static bool put_whole(fan *f, const ring_message *like, nb_span bytes)
{
    char *at = place(f, like, bytes.size_bytes);
    if (at != NULL)
        memcpy(at, bytes.data, bytes.size_bytes);
    return at != NULL;
}

char *fan_put_head(char *at, nb_span tr_id, uint32_t count)
{
    *at++ = '0';
    *at++ = '|';
    memcpy(at, tr_id.data, tr_id.size_bytes);
    at += tr_id.size_bytes;
    *at++ = '|';
    *at++ = (char)('0' + count / 100 % 10);
    *at++ = (char)('0' + count / 10 % 10);
    *at++ = (char)('0' + count % 10);
    *at++ = '|';
    return at;
}

/* The records of one key out of a frame of several, joined as they were. */
static void put_key(fan *f, const nb__plant_frame *frame, uint32_t first, const ring_message *like)
{
    size_t size = 0;
    uint32_t count = 0;
    for (uint32_t i = first; i < frame->record_count; i++) {
        if (frame->records[i].topic != like->topic)
            continue;
        size += frame->records[i].bytes.size_bytes + (count > 0);
        count++;
    }
    char *at = place(f, like, FAN_HEAD_BYTES + frame->head.tr_id.size_bytes + size);
    if (at == NULL)
        return;
    at = fan_put_head(at, frame->head.tr_id, count);
    for (uint32_t i = first; i < frame->record_count && count > 0; i++) {
        nb_span record = frame->records[i].bytes;
        if (frame->records[i].topic != like->topic)
            continue;
        memcpy(at, record.data, record.size_bytes);
        at += record.size_bytes;
        if (--count > 0)
            *at++ = '^';
    }
    deliver(f, like->topic, like);
}

static void put_keys(fan *f, const nb__plant_frame *frame, ring_message like)
{
    uint64_t stamp = ++f->frame_stamp;
    like.audience = RING_TO_KEYED;
    for (uint32_t i = 0; i < frame->record_count; i++) {
        like.topic = frame->records[i].topic;
        fan_topic *row = like.topic < f->topic_count ? &f->topics[like.topic] : NULL;
        if (row == NULL || row->subscriber_count == 0 || row->frame_stamp == stamp)
            continue;
        row->frame_stamp = stamp;
        put_key(f, frame, i, &like);
    }
}

/* ---- +tidy ---- */

static bool is_tidy_already(const nb__plant_frame *frame)
{
    if (!frame->is_split)
        return true;
    return frame->record_count == 1 &&
           fan_cut(frame->head.tr, frame->records[0].bytes).size_bytes ==
               frame->head.payload.size_bytes;
}

static void put_tidy(fan *f, const nb__plant_frame *frame, ring_message like)
{
    like.audience = RING_TO_KEYED_TIDY | RING_TO_STAR_TIDY;
    for (uint32_t i = 0; i < frame->record_count; i++) {
        nb_span record = fan_cut(frame->head.tr, frame->records[i].bytes);
        like.topic = frame->records[i].topic;
        char *at =
            place(f, &like, FAN_HEAD_BYTES + frame->head.tr_id.size_bytes + record.size_bytes);
        if (at == NULL)
            continue;
        memcpy(fan_put_head(at, frame->head.tr_id, 1), record.data, record.size_bytes);
        deliver(f, like.topic, &like);
    }
}

/* ---- a frame ---- */

/* Whose key it is cannot be read: it goes to everyone who registered anything of its TR, once. */
static void deliver_by_tr(fan *f, nb_span tr_id)
{
    for (uint32_t i = 0; i < f->client_top; i++) {
        fan_client *c = f->clients[i];
        bool has = false;
        for (uint32_t s = 0; c != NULL && s < c->subscription_count && !has; s++)
            has = !c->subscriptions[s].is_waiting && !c->subscriptions[s].is_star &&
                  nb__span_is(tr_id, nb__topics_at(f->names, c->subscriptions[s].topic)->tr_id);
        if (has && !fan_star_covers(c, fan_tr(f, tr_id, false, false)))
            fan_give(f, c, f->ring.head - 1);
    }
}

static void keep_last_values(fan *f, const nb__plant_frame *frame, uint8_t tr)
{
    for (uint32_t i = 0; i < frame->record_count; i++) {
        fan_topic *row = frame->records[i].topic == NB__TOPIC_NONE
                             ? NULL
                             : fan_topic_at(f, frame->records[i].topic);
        if (row == NULL)
            continue;
        row->tr = tr;
        fan_keep_last(f, row, &frame->head, frame->records[i].bytes);
    }
}

/* Flush within a turn, before the ring or a list loses what a socket could still have taken. */
static void flush_when_far(fan *f)
{
    if (f->ring.head - f->flushed_head >= f->ring.message_max / 4 ||
        f->ring.head - f->flushed_head >= f->pending_max / 2 ||
        f->ring.at_bytes - f->flushed_at_bytes >= f->ring.size_bytes / 4)
        fan_flush(f);
}

void fan_frame(fan *f, const nb__plant_frame *frame)
{
    flush_when_far(f);
    bool is_book = frame->is_split && frame->head.tr != NULL && frame->head.tr->is_book;
    ring_message like = {.topic =
                             frame->record_count > 0 ? frame->records[0].topic : NB__TOPIC_NONE,
                         .audience = RING_TO_STAR,
                         .is_book = is_book};
    like.tr = fan_tr(f, frame->head.tr_id, frame->head.tr != NULL && frame->head.tr->is_book,
                     frame->head.tr_id.size_bytes > 0);
    bool is_keyed = !frame->head.is_encrypted && (frame->is_one_key || !frame->is_split);
    bool is_tidy = f->tidy_count == 0 || is_tidy_already(frame);
    if (is_keyed)
        like.audience |= RING_TO_KEYED;
    if (is_tidy)
        like.audience |= (uint8_t)(RING_TO_STAR_TIDY | (is_keyed ? RING_TO_KEYED_TIDY : 0));
    bool is_put = put_whole(f, &like, frame->bytes);
    if (is_put && is_keyed)
        deliver(f, like.topic, &like);
    if (is_put && frame->head.is_encrypted)
        deliver_by_tr(f, frame->head.tr_id);
    if (!frame->is_split)
        return;
    if (!is_keyed)
        put_keys(f, frame, like);
    if (!is_tidy)
        put_tidy(f, frame, like);
    keep_last_values(f, frame, like.tr);
}

/* ---- own messages ---- */

uint64_t fan_put(fan *f, nb_span text)
{
    flush_when_far(f);
    ring_message like = {.topic = NB__TOPIC_NONE};
    return put_whole(f, &like, text) ? f->ring.head - 1 : UINT64_MAX;
}

void fan_give(fan *f, fan_client *c, uint64_t sequence)
{
    if (sequence == UINT64_MAX)
        return;
    fan_settle(f, c);
    fan_list_append(f, c, sequence, false);
}

void fan_send(fan *f, fan_client *c, nb_span text)
{
    fan_give(f, c, fan_put(f, text));
}

void fan_send_last(fan *f, fan_client *c, uint32_t topic)
{
    nb_span framed =
        topic < f->topic_count ? fan_last(&f->topics[topic], c->is_tidy) : (nb_span){0};
    ring_message like = {.topic = NB__TOPIC_NONE};
    char *at = framed.size_bytes > 0 ? ring_put(&f->ring, &like, framed.size_bytes) : NULL;
    if (at == NULL)
        return;
    memcpy(at, framed.data, framed.size_bytes);
    f->counters->messages++;
    fan_give(f, c, f->ring.head - 1);
}

void fan_send_all_last(fan *f, fan_client *c)
{
    if (c->catch_up == FAN_CATCH_CONFLATE) {
        c->missed_from = 0; /* the next round brings all */
    } else {
        c->catch_up = FAN_CATCH_LAST;
        c->catch_since = f->ring.head;
        c->catch_next = 0;
    }
    fan_mark_dirty(f, c);
}
