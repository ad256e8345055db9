/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A WebSocket client connection.
 *
 *     CONNECTING ─connected─▶ UPGRADING ─101─▶ OPEN ─Close sent or received─▶ CLOSING
 *         └───────────────────────┴─────────────┴─────────────────────────────────┴────▶ closed()
 *
 * Any failure on the way leads to closed(), and then it is freed. After our Close, messages are
 * read but no longer delivered; the other end has one second to close the connection.
 */
#include "stream.h"
#include <stdlib.h>

#define CLOSE_TIMEOUT_NS NB__NS_PER_S
#define MESSAGE_MAX_BYTES ((size_t)8 << 20)
#define OUTPUT_MAX_BYTES ((size_t)8 << 20)
#define ANSWER_HEAD_MAX_BYTES ((size_t)32 << 10)
#define ANSWER_BODY_MAX_BYTES ((size_t)64 << 10)

typedef enum link_state { LINK_CONNECTING, LINK_UPGRADING, LINK_OPEN, LINK_CLOSING } link_state;

struct nb__link {
    nb__stream stream;
    nb__link_handler handler;
    link_state state;
    bool is_aborted;
    nb__address address;
    const char *extra_headers;
    nb__ws ws;
    nb__http http;
    char accept[29];
};

static nb__link *link_of(nb__stream *stream)
{
    return NB__HOLDER(stream, nb__link, stream);
}

static void frame_send(nb__link *link, nb__ws_opcode opcode, nb_span payload)
{
    uint8_t mask[4];
    nb__random_bytes(mask, sizeof mask); /* RFC 6455, 5.3: no mask may tell the next one */
    if (nb__output_left(&link->stream.output) + payload.size_bytes > OUTPUT_MAX_BYTES) {
        nb__stream_end(&link->stream, NB_E_LIMIT, "it takes nothing, and %zu bytes are waiting",
                       nb__output_left(&link->stream.output));
        return;
    }
    nb__ws_frame_append(&link->stream.output.text, opcode, payload, mask);
    nb__stream_flush_later(&link->stream);
}

static void close_send(nb__link *link, uint16_t code)
{
    uint8_t mask[4];
    nb__random_bytes(mask, sizeof mask);
    nb__ws_close_append(&link->stream.output.text, code, NB__SPAN(""), mask);
    nb__stream_flush_later(&link->stream);
    link->state = LINK_CLOSING;
    nb__timer_set(link->stream.loop, &link->stream.timer, nb__clock_mono_ns() + CLOSE_TIMEOUT_NS);
}

/* ---- frames ---- */

/* What the other end said is remembered as the error now; the connection itself may stay for the
 * close time-out. */
static void close_received(nb__link *link, const nb__ws_event *event)
{
    bool is_ours = link->state == LINK_CLOSING;
    if (!is_ours)
        close_send(link, event->close_code);
    link->stream.doing = "link to";
    nb_span reason = event->payload;
    nb__fail(&link->stream.error, NB_E_CLOSED, 0, "closed %s (code %u)%s%.*s",
             is_ours ? "as asked" : "by the other end", event->close_code,
             reason.size_bytes > 0 ? " " : "", reason.size_bytes > 80 ? 80 : (int)reason.size_bytes,
             reason.size_bytes > 0 ? reason.data : "");
    if (is_ours)
        nb__stream_end(&link->stream, NB_E_CLOSED, "closed");
}

static void event_handle(nb__link *link, const nb__ws_event *event)
{
    const nb__link_handler *handler = &link->handler;
    if (event->kind == NB__WS_EVENT_CLOSE) {
        close_received(link, event);
        return;
    }
    if (link->state != LINK_OPEN)
        return;
    if (event->kind == NB__WS_EVENT_ERROR) {
        close_send(link, event->close_code);
        nb__fail(&link->stream.error, NB_E_PROTOCOL, 0, "%s", event->detail);
        return;
    }
    if (handler->alive != NULL)
        handler->alive(handler->self);
    if (link->stream.is_ended || link->state != LINK_OPEN)
        return;
    if (event->kind == NB__WS_EVENT_PING)
        frame_send(link, NB__WS_PONG, event->payload);
    else if (event->kind == NB__WS_EVENT_MESSAGE)
        handler->message(handler->self, event, link->stream.recv_ns);
}

static void frames_read(nb__link *link, char *at, char *end)
{
    while (!link->stream.is_ended) {
        nb__ws_event event;
        nb__ws_next(&link->ws, &at, end, &event);
        if (event.kind == NB__WS_EVENT_MORE)
            return;
        event_handle(link, &event);
    }
}

/* ---- the upgrade ---- */

static void link_connected(nb__stream *stream)
{
    nb__link *link = link_of(stream);
    uint8_t nonce[16];
    nb__random_bytes(nonce, sizeof nonce);
    stream->doing = "upgrade at";
    link->state = LINK_UPGRADING;
    char host[NB__HOST_PORT_BYTES];
    nb__address_print(&link->address, host);
    nb__ws_connect_append(&stream->output.text, host, link->address.path, nonce,
                          link->extra_headers, link->accept);
    nb__stream_flush_later(stream);
}

static void link_open(nb__link *link)
{
    link->state = LINK_OPEN;
    link->stream.doing = "link to";
    nb__timer_cancel(link->stream.loop, &link->stream.timer);
    link->handler.opened(link->handler.self, &link->http.message);
    nb__http_fini(&link->http);
    nb__http_init(&link->http, NB__WS_CLIENT, (nb__http_limits){0, 0});
}

/* @return how many bytes belonged to the answer; the rest are frames. */
static size_t answer_read(nb__link *link, const char *data, size_t size_bytes)
{
    const char *at = data;
    nb_error error = {0};
    switch (nb__http_next(&link->http, &at, data + size_bytes)) {
    case NB__HTTP_MORE:
    case NB__HTTP_CONTINUE:
        break;
    case NB__HTTP_ERROR:
        nb__stream_end(&link->stream, NB_E_PROTOCOL, "%s", link->http.error_detail);
        break;
    case NB__HTTP_MESSAGE:
        if (nb__ws_connect_check(&link->http.message, link->accept, &error) == NB_OK)
            link_open(link);
        else
            nb__stream_end(&link->stream, error.code, "%s", error.detail);
        break;
    }
    return (size_t)(at - data);
}

static void link_received(nb__stream *stream, char *data, size_t size_bytes)
{
    nb__link *link = link_of(stream);
    size_t used_bytes = 0;
    if (link->state == LINK_UPGRADING)
        used_bytes = answer_read(link, data, size_bytes);
    if (link->state >= LINK_OPEN)
        frames_read(link, data + used_bytes, data + size_bytes);
}

/* ---- the end ---- */

static void link_ended(nb__stream *stream)
{
    nb__link *link = link_of(stream);
    if (link->state == LINK_UPGRADING && nb__http_eof(&link->http)) {
        nb_error error = {0};
        if (nb__ws_connect_check(&link->http.message, link->accept, &error) != NB_OK) {
            nb__stream_end(stream, error.code, "%s", error.detail);
            return;
        }
    }
    nb__stream_end(stream, NB_E_CLOSED,
                   link->state == LINK_UPGRADING ? "it disconnected without an answer"
                                                 : "it disconnected without a Close frame");
}

static void link_timed_out(nb__stream *stream)
{
    nb__link *link = link_of(stream);
    if (link->state == LINK_CLOSING) {
        nb__stream_end(stream, NB_E_CLOSED, "the other end did not answer our Close within 1 s");
        return;
    }
    nb__stream_end_late(stream);
}

static void link_free(nb__link *link)
{
    nb__ws_fini(&link->ws);
    nb__http_fini(&link->http);
    nb__stream_fini(&link->stream);
    free(link);
}

static void link_buried(nb__stream *stream)
{
    nb__link *link = link_of(stream);
    if (!link->is_aborted)
        link->handler.closed(link->handler.self, &stream->error);
    link_free(link);
}

static const nb__stream_owner link_owner = {link_connected, link_received, link_ended,
                                            link_timed_out, link_buried};

/* ---- the door ---- */

nb_err nb__link_open(nb__loop *loop, const nb__address *address, const nb__link_options *options,
                     const nb__link_handler *handler, nb__link **out, nb_error *error)
{
    if (address->is_tls)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "TLS (wss://) is not spoken; KIS's real-time data is plain ws://");
    nb__link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "link: memory is exhausted");
    link->handler = *handler;
    link->address = *address;
    link->extra_headers = options->extra_headers;
    nb__ws_init(&link->ws, NB__WS_CLIENT, MESSAGE_MAX_BYTES);
    nb__http_init(&link->http, NB__WS_CLIENT,
                  (nb__http_limits){ANSWER_HEAD_MAX_BYTES, ANSWER_BODY_MAX_BYTES});
    nb_err err = nb__stream_start(&link->stream, loop, &link_owner, address, options, error);
    if (err == NB_OK)
        *out = link;
    else
        link_free(link);
    return err;
}

void nb__link_send(nb__link *link, nb__ws_opcode opcode, nb_span payload)
{
    if (link->state == LINK_OPEN && !link->stream.is_ended)
        frame_send(link, opcode, payload);
}

void nb__link_close(nb__link *link, uint16_t code)
{
    if (link->stream.is_ended || link->state == LINK_CLOSING)
        return;
    if (link->state == LINK_OPEN)
        close_send(link, code);
    else
        nb__stream_end(&link->stream, NB_E_CLOSED, "given up before it opened");
}

void nb__link_abort(nb__link *link)
{
    link->is_aborted = true;
    nb__stream_end(&link->stream, NB_E_CLOSED, "aborted");
}
