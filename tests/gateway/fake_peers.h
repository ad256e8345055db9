/* SPDX-License-Identifier: Apache-2.0 */
/* Peers without sockets for the fan-out: each takes as many bytes as the test lets it, and keeps
 * them. */
#ifndef FAKE_PEERS_H
#define FAKE_PEERS_H

#include "gateway/fanout.h"
#include "guard.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct fake_peer {
    fan_client client;
    const struct fake *of;
    nb__text received, queue;
    size_t room_bytes; /* what the "kernel" takes until the next call of fake_drain() */
    bool is_write_wanted, is_slow;
    uint64_t writes;
} fake_peer;

typedef struct fake {
    fan fan;
    uint64_t synced_head; /* what the journal has */
    nb__topics *topics;
    nb__gateway_counters counters;
    nb__record records[NB_FRAME_RECORDS_MAX];
} fake;

static nb_err fake_write(void *peer_, const struct iovec *iov, int iov_count, size_t *taken_bytes)
{
    fake_peer *peer = peer_;
    *taken_bytes = 0;
    assert_int_equal(peer->queue.size_bytes, 0);
    assert_int_equal(peer->of->synced_head, peer->of->fan.ring.head); /* journal first */
    assert_true(iov_count > 0 && iov_count <= 1024);
    peer->writes++;
    for (int i = 0; i < iov_count; i++) {
        size_t size = iov[i].iov_len < peer->room_bytes ? iov[i].iov_len : peer->room_bytes;
        if (size > 0)
            nb__text_append(&peer->received, iov[i].iov_base, size);
        peer->room_bytes -= size;
        *taken_bytes += size;
        if (size < iov[i].iov_len) {
            peer->is_write_wanted = true;
            return NB_OK;
        }
    }
    return NB_OK;
}

static void fake_sync(void *self)
{
    fake *f = self;
    f->synced_head = f->fan.ring.head;
}

static void fake_queue(void *peer_, nb_span framed)
{
    fake_peer *peer = peer_;
    assert_true(peer->is_write_wanted);
    nb__text_append(&peer->queue, framed.data, framed.size_bytes);
}

static void fake_slow(void *self, fan_client *client)
{
    (void)self;
    ((fake_peer *)client->peer)->is_slow = true;
}

static inline void fake_open(fake *f, size_t ring_bytes, uint32_t ring_messages,
                             uint32_t pending_max)
{
    nb__gateway_config config = {
        .ring_bytes = ring_bytes, .ring_messages = ring_messages, .pending_max = pending_max};
    config.server.connections_max = 64;
    memset(f, 0, sizeof *f);
    f->topics = nb__topics_new(4096);
    assert_non_null(f->topics);
    const fan_io io = {
        .self = f, .sync = fake_sync, .write = fake_write, .queue = fake_queue, .slow = fake_slow};
    assert_int_equal(fan_init(&f->fan, &config, &io, f->topics, &f->counters), NB_OK);
}

static inline void fake_close(fake *f)
{
    fan_fini(&f->fan);
    nb__topics_free(f->topics);
}

static inline void fake_join(fake *f, fake_peer *peer)
{
    peer->client.peer = peer;
    peer->of = f;
    peer->room_bytes = SIZE_MAX;
    assert_true(fan_join(&f->fan, &peer->client));
}

static inline void fake_leave(fake *f, fake_peer *peer)
{
    fan_leave(&f->fan, &peer->client);
    nb__text_fini(&peer->received);
    nb__text_fini(&peer->queue);
}

/* The kernel has room for `room_bytes` more: the queue first, then the fan is told. */
static inline void fake_drain(fake *f, fake_peer *peer, size_t room_bytes)
{
    peer->room_bytes = room_bytes;
    if (!peer->is_write_wanted)
        return;
    size_t size = peer->queue.size_bytes < room_bytes ? peer->queue.size_bytes : room_bytes;
    nb__text_append(&peer->received, peer->queue.data == NULL ? "" : peer->queue.data, size);
    if (size > 0) {
        memmove(peer->queue.data, peer->queue.data + size, peer->queue.size_bytes - size);
        peer->queue.size_bytes -= size;
        peer->room_bytes -= size;
    }
    if (peer->queue.size_bytes > 0 || peer->room_bytes == 0)
        return;
    peer->is_write_wanted = false;
    fan_writable(&f->fan, &peer->client);
}

static inline uint32_t fake_topic(fake *f, const char *tr_id, const char *tr_key)
{
    nb__topic topic;
    assert_true(nb__topic_make(nb__span(tr_id), nb__span(tr_key), &topic));
    return nb__topics_intern(f->topics, &topic);
}

static inline void fake_subscribe(fake *f, fake_peer *peer, const char *tr_id, const char *tr_key)
{
    assert_int_equal(fan_subscribe(&f->fan, &peer->client, fake_topic(f, tr_id, tr_key),
                                   strcmp(tr_key, "*") == 0, false),
                     NB_OK);
}

static inline void fake_unsubscribe(fake *f, fake_peer *peer, const char *tr_id, const char *tr_key)
{
    fan_subscription *at = fan_subscription_find(&peer->client, fake_topic(f, tr_id, tr_key));
    assert_non_null(at);
    fan_unsubscribe(&f->fan, &peer->client, at);
}

/* As the plant does it. */
static inline void fake_frame(fake *f, const char *text)
{
    nb__plant_frame frame = {.bytes = nb__span(text), .records = f->records};
    nb_records walk;
    assert_int_equal(nb_frame_split(frame.bytes, &frame.head, NULL), NB_OK);
    nb_span record;
    nb__topic topic;
    if (nb_records_begin(&frame.head, &walk, NULL) == NB_OK) {
        frame.is_split = frame.is_one_key = true;
        while (nb_records_next(&walk, &record)) {
            bool has_key = nb__topic_make(frame.head.tr_id, nb_record_key(record), &topic);
            nb__record *at = &f->records[frame.record_count++];
            *at = (nb__record){has_key ? nb__topics_intern(f->topics, &topic) : NB__TOPIC_NONE,
                               record};
            frame.is_one_key &= at->topic == f->records[0].topic;
        }
    } else {
        bool has_key = !frame.head.is_encrypted &&
                       nb__topic_make(frame.head.tr_id, nb_record_key(frame.head.payload), &topic);
        f->records[0] = (nb__record){
            has_key ? nb__topics_intern(f->topics, &topic) : NB__TOPIC_NONE, frame.head.payload};
        frame.record_count = 1;
    }
    fan_frame(&f->fan, &frame);
}

/* The next text message that a peer has received, from `*at` on. @return false: no more. */
static inline bool fake_next(const fake_peer *peer, size_t *at, nb_span *text)
{
    size_t left = peer->received.size_bytes - *at, head = 2, size;
    if (left == 0)
        return false;
    const unsigned char *bytes = (const unsigned char *)peer->received.data + *at;
    assert_true(left >= 2);
    assert_int_equal(bytes[0], 0x81);
    size = bytes[1];
    if (size == 126) {
        head = 4;
        size = (size_t)(bytes[2] << 8 | bytes[3]);
    }
    assert_true(size < 127 || head == 4);
    assert_true(left >= head + size);
    *text = (nb_span){(const char *)bytes + head, size};
    *at += head + size;
    return true;
}

/* All that has come since `*at` is exactly these messages, NULL at the end. */
static inline void fake_expect(const fake_peer *peer, size_t *at, const char *const *texts)
{
    nb_span text;
    for (; *texts != NULL; texts++) {
        assert_true(fake_next(peer, at, &text));
        assert_int_equal(text.size_bytes, strlen(*texts));
        assert_memory_equal(text.data, *texts, text.size_bytes);
    }
    assert_false(fake_next(peer, at, &text));
}
#define FAKE_EXPECT(peer, at, ...) fake_expect(peer, at, (const char *const[]){__VA_ARGS__, NULL})

/* A record of H0EUASP0 whose first ask tells it from the others. */
static inline void fake_book(char out[256], const char *key, unsigned number)
{
    snprintf(out, 256,
             "%s^190159^%u.00^0.00^0.00^0.00^0.00^1.00^0.00^0.00^0.00^0.00^1^0^0^0^0^1^0^0^0^0^7^0^"
             "0^0^0^8^0^0^0^0^1^1^7^"
             "8^0^0",
             key, number);
}

#endif
