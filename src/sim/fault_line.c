/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What faults do to all that is sent to one client.
 *
 *   answers ── missing, late, out of order ──┐
 *   PINGPONG ── missing, late ───────────────┼─▶ fragments ─▶ latency, single bytes ─▶ peer
 *   frames ── garbage, bursts ───────────────┘                    (the outbox)
 *
 * What waits keeps its order. The WebSocket layer's own answers (PONG, Close) do not pass here.
 */
#include "server.h"
#include <stdlib.h>
#include <string.h>

#define OUTBOX_BYTES_MAX ((size_t)16 << 20)
#define FRAME_HEAD_BYTES 15 /* 0|H0EUASP0|001| */

/* ---- parcels ---- */

static nb__sim_parcel *parcel_push(nb__sim_parcels *parcels, nb_span bytes, int64_t due_mono_ns)
{
    nb__sim_parcel *parcel = malloc(sizeof *parcel + bytes.size_bytes);
    if (parcel == NULL)
        return NULL;
    *parcel =
        (nb__sim_parcel){.due_mono_ns = due_mono_ns, .gap_ns = -1, .size_bytes = bytes.size_bytes};
    memcpy(parcel->bytes, bytes.data, bytes.size_bytes);
    *(parcels->first == NULL ? &parcels->first : &parcels->last->next) = parcel;
    parcels->last = parcel;
    parcels->size_bytes += bytes.size_bytes;
    return parcel;
}

static nb__sim_parcel *parcel_take(nb__sim_parcels *parcels)
{
    nb__sim_parcel *parcel = parcels->first;
    parcels->first = parcel->next;
    parcels->size_bytes -= parcel->size_bytes;
    return parcel;
}

static void parcels_fini(nb__sim_parcels *parcels)
{
    while (parcels->first != NULL)
        free(parcel_take(parcels));
    parcels->last = NULL;
}

/* ---- life ---- */

bool nb__sim_line_open(nb__sim_client *client)
{
    nb__sim *sim = client->sim;
    if (sim->schedule.count == 0)
        return true;
    nb__sim_line *line = calloc(1, sizeof *line);
    if (line == NULL)
        return false;
    line->cut_mono_ns = line->reset_mono_ns = INT64_MAX;
    client->line = line;
    return true;
}

void nb__sim_line_close(nb__sim_client *client)
{
    nb__sim_line *line = client->line;
    if (line == NULL)
        return;
    parcels_fini(&line->outbox);
    parcels_fini(&line->answers);
    nb__text_fini(&line->pack);
    free(line);
    client->line = NULL;
}

void nb__sim_line_mute(nb__sim_client *client)
{
    nb__sim_line *line = client->line;
    line->is_mute = true;
    line->pack_count = 0;
    line->pingpong_mono_ns = 0;
    parcels_fini(&line->outbox);
    parcels_fini(&line->answers);
}

/* No memory, or it does not keep up: it loses the connection, as at a real server. */
static void give_up(nb__sim_client *client)
{
    nb__sim_line_mute(client);
    nb__peer_abort(client->peer);
}

/* ---- the end ---- */

void nb__sim_line_end(nb__sim_client *client)
{
    nb__sim_line_mute(client);
    client->asked_mono_ns = 0;
    nb__sim_client_end_session(client);
    if (client->line->cut_kind == NB__FAULT_EOF)
        nb__peer_eof(client->peer);
    else
        nb__peer_reset(client->peer);
}

/* What goes out is the message's first half, behind all that waits: so a server's last buffer ends
 * when its process dies. Half a head when there is nothing else to cut. */
static void tear(nb__sim_client *client, nb_span framed)
{
    nb__sim_parcels *outbox = &client->line->outbox;
    const struct iovec half = {(char *)framed.data, (framed.size_bytes + 1) / 2};
    size_t taken_bytes;
    for (const nb__sim_parcel *parcel = outbox->first; parcel != NULL; parcel = parcel->next)
        nb__peer_send_bytes(client->peer, (nb_span){parcel->bytes + parcel->sent_bytes,
                                                    parcel->size_bytes - parcel->sent_bytes});
    if (client->line->cut_kind == NB__FAULT_EOF)
        nb__peer_send_bytes(client->peer, (nb_span){half.iov_base, half.iov_len});
    else /* a reset drops what is queued */
        (void)nb__peer_write(client->peer, &half, 1, &taken_bytes);
    nb__sim_line_end(client);
}

/* ---- the outbox ---- */

/* One send a byte, so that each leaves in a packet of its own. @return bytes that were given. */
static size_t put_single(nb__peer *peer, const char *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        const struct iovec iov = {(char *)bytes + i, 1};
        size_t taken_bytes;
        if (nb__peer_write(peer, &iov, 1, &taken_bytes) != NB_OK)
            return size_bytes;
        if (taken_bytes == 0) { /* the socket is full: what is left is queued as it is */
            nb__peer_send_bytes(peer, (nb_span){bytes + i, size_bytes - i});
            return size_bytes;
        }
    }
    return size_bytes;
}

/* @return whether all of it is given. */
static bool put_parcel(nb__peer *peer, nb__sim_parcel *parcel, int64_t now_mono_ns)
{
    size_t left_bytes = parcel->size_bytes - parcel->sent_bytes;
    const char *from = parcel->bytes + parcel->sent_bytes;
    if (parcel->gap_ns < 0) {
        nb__peer_send_bytes(peer, (nb_span){from, left_bytes});
        return true;
    }
    if (parcel->gap_ns == 0) {
        put_single(peer, from, left_bytes);
        return true;
    }
    while (parcel->sent_bytes < parcel->size_bytes && parcel->due_mono_ns <= now_mono_ns) {
        parcel->sent_bytes += put_single(peer, parcel->bytes + parcel->sent_bytes, 1);
        parcel->due_mono_ns += parcel->gap_ns;
    }
    return parcel->sent_bytes == parcel->size_bytes;
}

static void run_outbox(nb__sim_client *client, int64_t now_mono_ns)
{
    nb__sim_parcels *outbox = &client->line->outbox;
    while (outbox->first != NULL && outbox->first->due_mono_ns <= now_mono_ns &&
           put_parcel(client->peer, outbox->first, now_mono_ns))
        free(parcel_take(outbox));
}

/* Append the text as one message of `pieces` WebSocket frames. */
static void frame_text(nb_span text, size_t pieces, nb__text *out)
{
    if (pieces > text.size_bytes)
        pieces = text.size_bytes;
    for (size_t i = 0, at = 0; i < pieces; i++) {
        size_t size_bytes = text.size_bytes * (i + 1) / pieces - at;
        uint8_t head[NB__WS_HEAD_MAX];
        size_t head_bytes =
            nb__ws_head_print(head, i == 0 ? NB__WS_TEXT : NB__WS_CONTINUATION, size_bytes, NULL);
        if (i + 1 < pieces)
            head[0] &= 0x7F; /* more comes: no FIN */
        nb__text_append(out, head, head_bytes);
        nb__text_append(out, text.data + at, size_bytes);
        at += size_bytes;
    }
    if (pieces == 0) /* an empty message */
        nb__ws_frame_append(out, NB__WS_TEXT, text, NULL);
}

static void queue_framed(nb__sim_client *client, nb_span framed, int64_t delay_ns, int64_t gap_ns)
{
    nb__sim_parcels *outbox = &client->line->outbox;
    int64_t due_mono_ns = nb__loop_mono_ns(client->sim->loop) + delay_ns;
    if (outbox->first != NULL && outbox->last->due_mono_ns > due_mono_ns)
        due_mono_ns = outbox->last->due_mono_ns;
    nb__sim_parcel *parcel = outbox->size_bytes + framed.size_bytes > OUTBOX_BYTES_MAX
                                 ? NULL
                                 : parcel_push(outbox, framed, due_mono_ns);
    if (parcel == NULL) {
        give_up(client);
        return;
    }
    parcel->gap_ns = gap_ns;
    nb__sim_faults_wake(client->sim, outbox->first->due_mono_ns);
}

void nb__sim_line_send(nb__sim_client *client, nb_span text)
{
    nb__sim *sim = client->sim;
    if (client->line->is_mute)
        return;
    client->sent_mono_ns = nb__loop_mono_ns(sim->loop);
    const nb__sim_armed *pieces = nb__sim_strike(sim, NB__FAULT_FRAGMENTS, NULL);
    const nb__sim_armed *single = nb__sim_strike(sim, NB__FAULT_ONE_BYTE, NULL);
    nb__sim_armed *latency = nb__sim_strike(sim, NB__FAULT_LATENCY, NULL);
    nb__text_clear(&sim->framed);
    frame_text(text, pieces == NULL ? 1 : (size_t)pieces->fault.values[0], &sim->framed);
    if (sim->framed.is_failed) {
        nb__text_fini(&sim->framed);
        give_up(client);
        return;
    }
    nb_span framed = nb__text_view(&sim->framed);
    if (client->line->is_tearing) {
        tear(client, framed);
        return;
    }
    int64_t gap_ns = single == NULL ? -1 : single->fault.values[0];
    int64_t delay_ns = latency == NULL ? 0
                                       : nb__sim_armed_draw_ns(latency, latency->fault.values[0],
                                                               latency->fault.values[1]);
    if (client->line->outbox.first != NULL || delay_ns > 0 || gap_ns > 0)
        queue_framed(client, framed, delay_ns, gap_ns);
    else if (gap_ns == 0)
        put_single(client->peer, framed.data, framed.size_bytes);
    else
        nb__peer_send_bytes(client->peer, framed);
}

/* ---- answers ---- */

static void hold_answer(nb__sim_client *client, nb_span text, int64_t due_mono_ns, bool is_awaiting)
{
    nb__sim_parcels *answers = &client->line->answers;
    if (answers->first != NULL && answers->last->due_mono_ns > due_mono_ns)
        due_mono_ns = answers->last->due_mono_ns;
    nb__sim_parcel *parcel = parcel_push(answers, text, due_mono_ns);
    if (parcel == NULL) {
        give_up(client);
        return;
    }
    parcel->is_awaiting = is_awaiting;
    nb__sim_faults_wake(client->sim, due_mono_ns);
}

/* The parcel is no longer in the list: what is sent may end the client and empty that. */
static void send_answer(nb__sim_client *client, nb__sim_parcel *parcel)
{
    nb__sim_line_send(client, (nb_span){parcel->bytes, parcel->size_bytes});
    free(parcel);
}

void nb__sim_line_answer(nb__sim_client *client, nb_span text)
{
    nb__sim *sim = client->sim;
    nb__sim_parcels *answers = &client->line->answers;
    const char *whom = nb__peer_name(client->peer);
    int64_t now_mono_ns = nb__loop_mono_ns(sim->loop);
    if (client->line->is_mute || nb__sim_strike(sim, NB__FAULT_ANSWER_MISSING, whom) != NULL)
        return;
    if (answers->first != NULL && answers->first->is_awaiting) {
        nb__sim_parcel *waiting = parcel_take(answers);
        nb__sim_line_send(client, text);
        send_answer(client, waiting);
        return;
    }
    const nb__sim_armed *late = nb__sim_strike(sim, NB__FAULT_ANSWER_LATE, whom);
    const nb__sim_armed *order =
        late != NULL ? NULL : nb__sim_strike(sim, NB__FAULT_ANSWER_ORDER, whom);
    if (late != NULL)
        hold_answer(client, text, now_mono_ns + late->fault.values[0], false);
    else if (order != NULL && answers->first == NULL)
        hold_answer(client, text, now_mono_ns + order->fault.values[0], true);
    else if (answers->first != NULL)
        hold_answer(client, text, now_mono_ns, false);
    else
        nb__sim_line_send(client, text);
}

/* ---- frames ---- */

static void flush_pack(nb__sim_client *client)
{
    nb__sim_line *line = client->line;
    if (line->pack_count == 0)
        return;
    char count[4];
    snprintf(count, sizeof count, "%03u", line->pack_count % 1000);
    memcpy(line->pack.data + FRAME_HEAD_BYTES - 4, count, 3);
    line->pack_count = 0;
    nb__sim_line_send(client, nb__text_view(&line->pack));
    nb__text_clear(&line->pack);
}

static void pack_frame(nb__sim_client *client, const nb__sim_fault *fault, nb_span text,
                       uint32_t record_count)
{
    nb__sim_line *line = client->line;
    uint32_t extra_fields = client->sim->damage.extra_fields;
    bool fits = line->pack_count > 0 && line->pack_extra_fields == extra_fields &&
                memcmp(line->pack.data, text.data, FRAME_HEAD_BYTES - 4) == 0 &&
                line->pack_count + record_count <= fault->values[0];
    if (!fits)
        flush_pack(client);
    line->pack_extra_fields = extra_fields;
    if (line->pack_count == 0) {
        nb__text_append(&line->pack, text.data, text.size_bytes);
        line->pack_due_mono_ns = nb__loop_mono_ns(client->sim->loop) + fault->values[1];
        nb__sim_faults_wake(client->sim, line->pack_due_mono_ns);
    } else {
        nb__text_string(&line->pack, "^");
        nb__text_append(&line->pack, text.data + FRAME_HEAD_BYTES,
                        text.size_bytes - FRAME_HEAD_BYTES);
    }
    if (line->pack.is_failed) {
        line->pack_count = 0;
        give_up(client);
        return;
    }
    line->pack_count += record_count;
    if (line->pack_count >= fault->values[0])
        flush_pack(client);
}

void nb__sim_line_frame(nb__sim_client *client, nb_span text, uint32_t record_count)
{
    nb__sim *sim = client->sim;
    const nb__sim_damage *damage = &sim->damage;
    if (client->line->is_mute)
        return;
    if (nb__sim_damage_has(damage, NB__FAULT_GARBAGE)) {
        char garbage[NB__SIM_GARBAGE_MAX];
        size_t size_bytes = nb__sim_damage_garbage(damage, garbage);
        flush_pack(client);
        nb__sim_line_send(client, (nb_span){garbage, size_bytes});
    }
    bool is_odd = nb__sim_damage_is_lossy(damage) || nb__sim_damage_has(damage, NB__FAULT_NOT_UTF8);
    const nb__sim_armed *burst = is_odd ? NULL : nb__sim_strike(sim, NB__FAULT_BURST, NULL);
    if (burst != NULL) {
        pack_frame(client, &burst->fault, text, record_count);
        return;
    }
    flush_pack(client);
    text.size_bytes = nb__sim_damage_cut(damage, text.size_bytes);
    nb__sim_line_send(client, text);
}

/* ---- PINGPONG ---- */

bool nb__sim_line_pings(nb__sim_client *client, int64_t now_mono_ns)
{
    nb__sim *sim = client->sim;
    nb__sim_line *line = client->line;
    const char *whom = nb__peer_name(client->peer);
    if (line->is_mute || line->pingpong_mono_ns != 0)
        return false;
    if (nb__sim_strike(sim, NB__FAULT_PINGPONG_MISSING, whom) != NULL) {
        client->sent_mono_ns = now_mono_ns; /* it is the next one's turn, an idle time from now */
        return false;
    }
    const nb__sim_armed *late = nb__sim_strike(sim, NB__FAULT_PINGPONG_LATE, whom);
    if (late == NULL)
        return true;
    line->pingpong_mono_ns = now_mono_ns + late->fault.values[0];
    nb__sim_faults_wake(sim, line->pingpong_mono_ns);
    return false;
}

/* ---- by time ---- */

int64_t nb__sim_line_run(nb__sim_client *client, int64_t now_mono_ns)
{
    nb__sim_line *line = client->line;
    if (line->pingpong_mono_ns != 0 && line->pingpong_mono_ns <= now_mono_ns) {
        line->pingpong_mono_ns = 0;
        nb__sim_client_pingpong(client, now_mono_ns);
    }
    while (line->answers.first != NULL && line->answers.first->due_mono_ns <= now_mono_ns)
        send_answer(client, parcel_take(&line->answers));
    if (line->pack_count > 0 && line->pack_due_mono_ns <= now_mono_ns)
        flush_pack(client);
    run_outbox(client, now_mono_ns);
    const int64_t dues[] = {
        line->pingpong_mono_ns != 0 ? line->pingpong_mono_ns : INT64_MAX,
        line->answers.first != NULL ? line->answers.first->due_mono_ns : INT64_MAX,
        line->pack_count > 0 ? line->pack_due_mono_ns : INT64_MAX,
        line->outbox.first != NULL ? line->outbox.first->due_mono_ns : INT64_MAX};
    int64_t next_ns = INT64_MAX;
    for (size_t i = 0; i < NB__COUNT_OF(dues); i++)
        next_ns = dues[i] < next_ns ? dues[i] : next_ns;
    return next_ns;
}
