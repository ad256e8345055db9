/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What a reader of room ws says about some bytes, as one text: "text Hello; ping x; error 1002: …".
 * The bytes are fed in pieces of chosen sizes, each in memory of exactly its size; whatever the
 * pieces, the text must be the same. Shared by the tests and the fuzz targets.
 */
#ifndef NB_TEST_TRANSCRIPT_H
#define NB_TEST_TRANSCRIPT_H

#include "ws/ws.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Sizes of the pieces, used over and over; none, or a 0, means all that is left. */
typedef struct pieces {
    const uint8_t *sizes;
    size_t count;
} pieces;

static inline void transcript_payload(nb__text *out, nb_span payload)
{
    if (payload.size_bytes <= 256) {
        nb__text_append(out, payload.data, payload.size_bytes);
        return;
    }
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < payload.size_bytes; i++)
        hash = (hash ^ (uint8_t)payload.data[i]) * UINT64_C(1099511628211);
    nb__text_printf(out, "%zu bytes %016llx", payload.size_bytes, (unsigned long long)hash);
}

static inline void transcript_ws_event(nb__text *out, const nb__ws_event *event)
{
    if (out->size_bytes > 0)
        nb__text_string(out, "; ");
    switch (event->kind) {
    case NB__WS_EVENT_MORE:
        break;
    case NB__WS_EVENT_MESSAGE:
        nb__text_string(out, event->opcode == NB__WS_BINARY ? "binary "
                             : event->is_utf8               ? "text "
                                                            : "text-not-utf8 ");
        transcript_payload(out, event->payload);
        break;
    case NB__WS_EVENT_PING:
    case NB__WS_EVENT_PONG:
        nb__text_string(out, event->kind == NB__WS_EVENT_PING ? "ping " : "pong ");
        transcript_payload(out, event->payload);
        break;
    case NB__WS_EVENT_CLOSE:
        nb__text_printf(out, "close%s %u ", event->is_utf8 ? "" : "-not-utf8", event->close_code);
        transcript_payload(out, event->payload);
        break;
    case NB__WS_EVENT_ERROR:
        nb__text_printf(out, "error %u: %s", event->close_code, event->detail);
        break;
    }
}

/** A piece of `[data, data + left)` in its own memory. */
static inline char *piece_take(const char *data, size_t left, pieces cut, size_t *index,
                               size_t *size)
{
    *size = cut.count == 0 ? 0 : cut.sizes[(*index)++ % cut.count];
    if (*size == 0 || *size > left)
        *size = left;
    char *piece = malloc(*size == 0 ? 1 : *size);
    if (piece == NULL)
        abort();
    if (*size > 0)
        memcpy(piece, data, *size);
    return piece;
}

static inline void transcript_ws_piece(nb__text *out, nb__ws *ws, char *at, char *end)
{
    nb__ws_event event;
    for (;;) {
        nb__ws_next(ws, &at, end, &event);
        if (event.kind == NB__WS_EVENT_MORE)
            break;
        transcript_ws_event(out, &event);
    }
    if (at != end)
        abort();
}

static inline void transcript_ws(nb__text *out, nb__ws_role role, size_t message_max_bytes,
                                 nb_span input, pieces cut)
{
    nb__ws ws;
    nb__ws_init(&ws, role, message_max_bytes);
    size_t index = 0, size;
    for (size_t at = 0; at < input.size_bytes; at += size) {
        char *piece = piece_take(input.data + at, input.size_bytes - at, cut, &index, &size);
        transcript_ws_piece(out, &ws, piece, piece + size);
        free(piece);
    }
    nb__ws_fini(&ws);
}

static inline void transcript_http_message(nb__text *out, const nb__http_message *message)
{
    if (message->status != 0)
        nb__text_printf(out, "%d", message->status);
    nb__text_append(out, message->method.data, message->method.size_bytes);
    if (message->path.size_bytes > 0)
        nb__text_string(out, " ");
    nb__text_append(out, message->path.data, message->path.size_bytes);
    if (message->query.data != NULL)
        nb__text_string(out, "?");
    nb__text_append(out, message->query.data, message->query.size_bytes);
    nb__text_printf(out, "%s%s%s", message->version_minor == 0 ? " 1.0" : "",
                    message->keep_alive ? "" : " last", message->is_upgrade ? " upgrade" : "");
    for (size_t i = 0; i < message->header_count; i++) {
        nb__text_string(out, i == 0 ? " {" : ", ");
        nb__text_append(out, message->headers[i].name.data, message->headers[i].name.size_bytes);
        nb__text_string(out, "=");
        nb__text_append(out, message->headers[i].value.data, message->headers[i].value.size_bytes);
    }
    nb__text_string(out, message->header_count > 0 ? "} " : " ");
    transcript_payload(out, message->body);
}

/** @param has_eof  Whether the connection ends after the input. */
static inline void transcript_http(nb__text *out, nb__ws_role role, nb__http_limits limits,
                                   nb_span input, pieces cut, bool has_eof)
{
    nb__http http;
    nb__http_init(&http, role, limits);
    size_t index = 0, size;
    for (size_t at = 0; at < input.size_bytes; at += size) {
        char *piece = piece_take(input.data + at, input.size_bytes - at, cut, &index, &size);
        const char *from = piece, *end = piece + size;
        for (nb__http_event event; (event = nb__http_next(&http, &from, end)) != NB__HTTP_MORE;) {
            nb__text_string(out, out->size_bytes > 0 ? "; " : "");
            if (event == NB__HTTP_MESSAGE)
                transcript_http_message(out, &http.message);
            else if (event == NB__HTTP_CONTINUE)
                nb__text_string(out, "continue");
            else
                nb__text_printf(out, "error %d: %s", http.error_status, http.error_detail);
        }
        if (from != end)
            abort();
        free(piece);
    }
    if (has_eof && nb__http_eof(&http)) {
        nb__text_string(out, out->size_bytes > 0 ? "; eof " : "eof ");
        transcript_http_message(out, &http.message);
    }
    nb__http_fini(&http);
}

#endif
