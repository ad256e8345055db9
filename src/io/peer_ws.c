/* SPDX-License-Identifier: Apache-2.0 */
/* The WebSocket half of a peer: frames in, PONG and Close answered here, messages handed on. */
#include "server.h"

static void close_answer(nb__peer *peer, uint16_t code, const char *detail)
{
    if (peer->state == NB__PEER_OPEN)
        nb__ws_close_append(&peer->output.text, code, NB__SPAN(""), NULL);
    nb__peer_drain(peer, detail);
}

static void event_handle(nb__peer *peer, const nb__ws_event *event)
{
    const nb__server_handler *handler = &peer->server->handler;
    if (event->kind == NB__WS_EVENT_ERROR) {
        peer->server->counters.protocol_errors++;
        close_answer(peer, event->close_code, event->detail);
        return;
    }
    if (event->kind == NB__WS_EVENT_CLOSE) {
        close_answer(peer, event->close_code, "closed by the client");
        return;
    }
    if (peer->state != NB__PEER_OPEN) /* our Close is sent: nothing but theirs counts */
        return;
    if (event->kind != NB__WS_EVENT_MESSAGE && handler->control != NULL &&
        !handler->control(handler->self, peer, event))
        return;
    if (handler->alive != NULL)
        handler->alive(handler->self, peer);
    if (peer->state != NB__PEER_OPEN)
        return;
    if (event->kind == NB__WS_EVENT_PING) {
        nb__ws_frame_append(&peer->output.text, NB__WS_PONG, event->payload, NULL);
        nb__peer_output_grown(peer);
    } else if (event->kind == NB__WS_EVENT_MESSAGE) {
        handler->message(handler->self, peer, event);
    }
}

/* A message must be whole within head_timeout_ns of its first byte: held bytes are memory. */
static void deadline_follow(nb__peer *peer, bool is_new)
{
    bool has_deadline = peer->deadline_kind == NB__DEADLINE_HEAD;
    bool is_unfinished = !nb__ws_is_between(&peer->ws);
    if (is_unfinished && (is_new || !has_deadline))
        nb__deadline_set(peer, NB__DEADLINE_HEAD);
    else if (!is_unfinished && has_deadline)
        nb__deadline_set(peer, NB__DEADLINE_NONE);
}

void nb__peer_frames_read(nb__peer *peer, char *at, char *end)
{
    bool is_new = false; /* what is unfinished now began behind a message of this read */
    while (peer->state == NB__PEER_OPEN || peer->state == NB__PEER_CLOSING) {
        nb__ws_event event;
        nb__ws_next(&peer->ws, &at, end, &event);
        if (event.kind == NB__WS_EVENT_MORE)
            break;
        is_new |= event.kind == NB__WS_EVENT_MESSAGE;
        event_handle(peer, &event);
    }
    if (peer->state == NB__PEER_OPEN)
        deadline_follow(peer, is_new);
}
