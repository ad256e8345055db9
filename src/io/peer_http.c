/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP half of a peer: one request at a time, answered in order; errors, 100-continue, and the
 * upgrade.
 *
 * While a request is unanswered nothing more is read from the socket; what came behind it in the
 * same read waits in http->waiting. The handler answers inside request() or later, exactly once;
 * until then the peer is not freed.
 */
#include "server.h"
#include <stdlib.h>
#include <string.h>

#define TEXT_PLAIN "text/plain; charset=utf-8"

void nb__peer_http_free(nb__peer *peer)
{
    if (peer->http == NULL)
        return;
    nb__http_fini(&peer->http->http);
    nb__text_fini(&peer->http->waiting);
    free(peer->http);
    peer->http = NULL;
}

static bool is_blocked(const nb__peer *peer)
{
    return peer->http->is_requested || nb__output_left(&peer->output) > NB__HTTP_OUTPUT_HIGH_BYTES;
}

bool nb__peer_http_wants_input(const nb__peer *peer)
{
    return !is_blocked(peer) && peer->http->waiting.size_bytes == 0;
}

/* ---- answers ---- */

static void answer_append(nb__peer *peer, int status, const char *content_type,
                          const char *extra_headers, nb_span body, bool keep_alive)
{
    nb__text *text = &peer->output.text;
    nb__http_response_append(text, status, nb__clock_real_ns(), content_type, extra_headers, body,
                             keep_alive);
    bool has_body = status != 204 && status != 304;
    if (peer->http->is_head && has_body && !text->is_failed) /* as for GET, without the body */
        text->size_bytes -= body.size_bytes;
    nb__loop_flush_later(peer->server->loop, &peer->flush);
}

void nb__peer_http_refuse(nb__peer *peer, int status, const char *detail)
{
    char body[256];
    nb__text text = {0};
    nb__text_printf(&text, "%d %s: %s\n", status, nb__http_reason(status), detail);
    (void)nb__span_copy(nb__text_view(&text), body, sizeof body);
    nb__text_fini(&text);
    peer->http->is_head = false;
    answer_append(peer, status, TEXT_PLAIN, "", nb__span(body), false);
    nb__peer_drain(peer, detail);
}

void nb__peer_respond(nb__peer *peer, int status, const char *content_type,
                      const char *extra_headers, nb_span body)
{
    nb__peer_http *http = peer->http;
    if (http == NULL || !http->is_requested)
        return;
    http->is_requested = false;
    if (peer->state == NB__PEER_GONE) { /* it left before its answer */
        nb__loop_bury_later(peer->server->loop, &peer->bury);
        return;
    }
    if (peer->state != NB__PEER_HTTP)
        return;
    bool keep_alive = http->http.message.keep_alive && !peer->server->is_shut;
    answer_append(peer, status, content_type, extra_headers == NULL ? "" : extra_headers, body,
                  keep_alive);
    if (!keep_alive)
        nb__peer_drain(peer, "answered");
    else
        nb__deadline_set(peer, NB__DEADLINE_IDLE);
}

/* ---- the upgrade ---- */

static void upgrade_accept(nb__peer *peer, const nb__http_message *request, const char *headers)
{
    nb__server *server = peer->server;
    nb__ws_upgrade_append(&peer->output.text, request, headers);
    nb__loop_flush_later(server->loop, &peer->flush);
    server->counters.upgrades++;
    nb__deadline_set(peer, NB__DEADLINE_NONE);
    nb__ws_init(&peer->ws, NB__WS_SERVER, server->config.message_max_bytes);
    peer->state = NB__PEER_OPEN;
    peer->is_opened = true;
    nb__peer_http_free(peer);
    server->handler.opened(server->handler.self, peer);
}

static void upgrade_handle(nb__peer *peer, const nb__http_message *request)
{
    const nb__server_handler *handler = &peer->server->handler;
    const char *detail = "";
    nb__text headers = {0};
    int status = nb__ws_upgrade_check(request, &detail);
    if (status == 426)
        nb__text_string(&headers, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
    if (status == 405)
        nb__text_string(&headers, "Allow: GET\r\n");
    if (status == 101 && handler->upgrade == NULL) {
        status = 404;
        detail = "there is no WebSocket here";
    } else if (status == 101) {
        status = handler->upgrade(handler->self, peer, request, &headers, &detail);
    }
    const char *extra = headers.size_bytes > 0 ? headers.data : "";
    if (peer->state != NB__PEER_HTTP) {
        /* the handler closed it */
    } else if (headers.is_failed) {
        nb__peer_end(peer, "memory is exhausted");
    } else if (status == 101) {
        upgrade_accept(peer, request, extra);
    } else {
        answer_append(peer, status, TEXT_PLAIN, extra, nb__span(detail), false);
        nb__peer_drain(peer, "the upgrade was refused");
    }
    nb__text_fini(&headers);
}

/* ---- requests ---- */

static void request_handle(nb__peer *peer, const nb__http_message *request)
{
    nb__server *server = peer->server;
    server->counters.http_requests++;
    peer->http->is_partial = false;
    peer->http->is_head = nb__span_is(request->method, "HEAD");
    nb__deadline_set(peer, NB__DEADLINE_NONE);
    if (request->is_upgrade) {
        upgrade_handle(peer, request);
        return;
    }
    peer->http->is_requested = true;
    if (server->handler.request != NULL)
        server->handler.request(server->handler.self, peer, request);
    else
        nb__peer_respond(peer, 404, TEXT_PLAIN, "", NB__SPAN("there is nothing here\n"));
}

static void continue_send(nb__peer *peer)
{
    nb__text_string(&peer->output.text, "HTTP/1.1 100 Continue\r\n\r\n");
    nb__loop_flush_later(peer->server->loop, &peer->flush);
}

/* @return whether to go on with the next event. */
static bool http_event_handle(nb__peer *peer, nb__http_event event)
{
    nb__peer_http *http = peer->http;
    switch (event) {
    case NB__HTTP_CONTINUE:
        continue_send(peer);
        return true;
    case NB__HTTP_MESSAGE:
        request_handle(peer, &http->http.message);
        return true;
    case NB__HTTP_ERROR:
        peer->server->counters.http_errors++;
        nb__peer_http_refuse(peer, http->http.error_status, http->http.error_detail);
        return false;
    case NB__HTTP_MORE:
        break;
    }
    return false;
}

/* Bytes of the next request are in: it must be whole within head_timeout_ns from now on; the first
 * since the accept. */
static void partial_begin(nb__peer *peer)
{
    if (peer->http->is_partial)
        return;
    peer->http->is_partial = true;
    if (peer->deadline_kind != NB__DEADLINE_HEAD)
        nb__deadline_set(peer, NB__DEADLINE_HEAD);
}

static void wait_with(nb__peer *peer, const char *data, size_t size_bytes)
{
    nb__text_append(&peer->http->waiting, data, size_bytes);
    if (peer->http->waiting.is_failed) /* to go on without them would misread what follows */
        nb__peer_end(peer, "memory is exhausted");
}

void nb__peer_requests_read(nb__peer *peer, char *data, size_t size_bytes)
{
    const char *at = data, *end = data + size_bytes;
    peer->http->is_reading = true;
    while (peer->state == NB__PEER_HTTP && !is_blocked(peer) && at < end) {
        nb__http_event event;
        partial_begin(peer);
        do
            event = nb__http_next(&peer->http->http, &at, end);
        while (http_event_handle(peer, event) && event == NB__HTTP_CONTINUE);
    }
    if (peer->http != NULL)
        peer->http->is_reading = false;
    if (peer->state == NB__PEER_OPEN)
        nb__peer_frames_read(peer, data + (at - data), data + size_bytes);
    else if (peer->state == NB__PEER_HTTP && at < end)
        wait_with(peer, at, (size_t)(end - at));
}

void nb__peer_requests_resume(nb__peer *peer)
{
    nb__peer_http *http = peer->http;
    if (http->is_reading || is_blocked(peer))
        return;
    if (http->waiting.size_bytes == 0) {
        const char *nothing = "";
        nb__http_next(&http->http, &nothing, nothing); /* gives back the answered request */
        return;
    }
    nb__text waiting = http->waiting;
    http->waiting = (nb__text){0};
    nb__peer_requests_read(peer, waiting.data, waiting.size_bytes);
    nb__text_fini(&waiting);
    nb__peer_interest_update(peer);
}
