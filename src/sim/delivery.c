/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One frame to those who registered its keys. Each record is printed once, each different selection
 * of records is framed once (nearly always there is only one), and clients get the framed bytes.
 */
#include "server.h"
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX (NB__WS_HEAD_MAX + 32 + NB__SIM_RECORDS_MAX * (NB__SIM_RECORD_TEXT_MAX + 1))

typedef struct framed {
    char bytes[FRAME_MAX];
    size_t size_bytes, head_bytes;
    uint32_t record_mask; /* 0: not made yet */
} framed;

bool nb__sim_subscribe(nb__sim *sim, uint32_t series_index, nb__sim_client *client)
{
    nb__sim_subscribers *subscribers = &sim->subscribers[series_index];
    if (subscribers->count == subscribers->capacity) {
        uint32_t capacity = subscribers->capacity < 4 ? 4 : 2 * subscribers->capacity;
        void *clients = realloc(subscribers->clients, capacity * sizeof(nb__sim_client *));
        if (clients == NULL)
            return false;
        subscribers->clients = clients;
        subscribers->capacity = capacity;
    }
    subscribers->clients[subscribers->count++] = client;
    return true;
}

void nb__sim_unsubscribe(nb__sim *sim, uint32_t series_index, nb__sim_client *client)
{
    nb__sim_subscribers *subscribers = &sim->subscribers[series_index];
    for (uint32_t i = 0; i < subscribers->count; i++) {
        if (subscribers->clients[i] == client) {
            subscribers->clients[i] = subscribers->clients[--subscribers->count];
            return;
        }
    }
}

static void print_record(nb__sim *sim, uint32_t i)
{
    sim->record_sizes[i] =
        nb__sim_record_print(nb__market_chain(sim->market), &sim->frame.records[i],
                             sim->damage.extra_fields, sim->record_texts[i]);
    if (sim->damage.kinds != 0)
        sim->record_sizes[i] =
            nb__sim_damage_record(&sim->damage, i, sim->record_texts[i], sim->record_sizes[i]);
}

/* Print the records that anybody wants, and note in each client which. @return them, linked. */
static nb__sim_client *touch_clients(nb__sim *sim)
{
    nb__sim_client *touched = NULL;
    for (uint32_t i = 0; i < sim->frame.record_count; i++) {
        const nb__sim_record *record = &sim->frame.records[i];
        const nb__sim_subscribers *subscribers = &sim->subscribers[record->series_index];
        if (subscribers->count > 0)
            print_record(sim, i);
        for (uint32_t k = 0; k < subscribers->count; k++) {
            nb__sim_client *client = subscribers->clients[k];
            if (client->record_mask == 0) {
                client->next_touched = touched;
                touched = client;
            }
            client->record_mask |= UINT32_C(1) << i;
        }
    }
    return touched;
}

/* `E|TR|CCC|` and the records of the mask, behind a WebSocket head. */
static void frame_records(const nb__sim *sim, uint32_t record_mask, framed *out)
{
    const nb__sim_chain *chain = nb__market_chain(sim->market);
    const char *tr_id = nb__sim_series_tr_id(&chain->series[sim->frame.records[0].series_index]);
    char *payload = out->bytes + NB__WS_HEAD_MAX, *to = payload;
    int count = __builtin_popcount(record_mask);
    to += snprintf(to, 32, "0|%s|%03d|", tr_id, count);
    for (uint32_t i = 0; i < sim->frame.record_count; i++) {
        if ((record_mask >> i & 1) == 0)
            continue;
        memcpy(to, sim->record_texts[i], sim->record_sizes[i]);
        to += sim->record_sizes[i];
        *to++ = '^';
    }
    to--; /* records are joined by '^', nothing follows the last */
    size_t payload_bytes = (size_t)(to - payload);
    uint8_t head[NB__WS_HEAD_MAX];
    size_t head_bytes = nb__ws_head_print(head, NB__WS_TEXT, payload_bytes, NULL);
    memmove(out->bytes + head_bytes, payload, payload_bytes);
    memcpy(out->bytes, head, head_bytes);
    out->head_bytes = head_bytes;
    out->size_bytes = head_bytes + payload_bytes;
    out->record_mask = record_mask;
}

bool nb__sim_is_wanted(const nb__sim *sim)
{
    for (uint32_t i = 0; i < sim->frame.record_count; i++)
        if (sim->subscribers[sim->frame.records[i].series_index].count > 0)
            return true;
    return false;
}

void nb__sim_deliver(nb__sim *sim, int64_t now_mono_ns)
{
    framed made;
    made.record_mask = 0;
    made.size_bytes = made.head_bytes = 0;
    nb__sim_client *client = touch_clients(sim), *next;
    for (; client != NULL; client = next) {
        next = client->next_touched; /* a client may be gone after the send */
        if (client->record_mask != made.record_mask)
            frame_records(sim, client->record_mask, &made);
        client->record_mask = 0;
        if (client->line != NULL) {
            nb_span text = {made.bytes + made.head_bytes, made.size_bytes - made.head_bytes};
            nb__sim_line_frame(client, text, (uint32_t)__builtin_popcount(made.record_mask));
            continue;
        }
        client->sent_mono_ns = now_mono_ns;
        nb__peer_send_bytes(client->peer, (nb_span){made.bytes, made.size_bytes});
    }
}
