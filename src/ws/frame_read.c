/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket frames in (RFC 6455, 5.2):
 *
 *      byte 0       byte 1        then                         then              then
 *     F RSV OPCODE  M LENGTH(7)   length of 16 or 64 bits      mask, 4 bytes     payload
 *                                 when LENGTH is 126 or 127    when M is set
 *
 * Whatever the pieces in which the bytes come, the events are the same: every decision is taken at
 * a byte of the stream, never at the end of a piece. Each payload byte is touched a fixed number of
 * times (unmask, check, and a copy if its message is not whole in the input), so a message of any
 * number of frames costs linear time.
 */
#include "mask.h"
#include "utf8.h"
#include "ws/ws.h"
#include <string.h>

/* What the client role keeps between two messages. */
#define KEEP_MAX_BYTES ((size_t)64 << 10)

_Static_assert(sizeof(nb__ws) <= 200, "a gateway holds one for each idle connection");

void nb__ws_init(nb__ws *ws, nb__ws_role role, size_t message_max_bytes)
{
    *ws = (nb__ws){.role = (uint8_t)role, .message_max_bytes = message_max_bytes};
}

void nb__ws_fini(nb__ws *ws)
{
    nb__text_fini(&ws->message);
    nb__text_fini(&ws->control);
}

static bool is_control(uint8_t opcode)
{
    return (opcode & 8) != 0;
}

static void text_release(const nb__ws *ws, nb__text *text)
{
    if (text->capacity_bytes == 0)
        return;
    if (ws->role == NB__WS_CLIENT && text->capacity_bytes <= KEEP_MAX_BYTES && !ws->is_over)
        nb__text_clear(text);
    else
        nb__text_fini(text);
}

/* Give back what the last event pointed into. */
static void delivered_release(nb__ws *ws)
{
    if (!ws->in_message)
        text_release(ws, &ws->message);
    if (!ws->in_frame || !is_control(ws->opcode))
        text_release(ws, &ws->control);
}

static void end_reading(nb__ws *ws)
{
    ws->is_over = true;
    ws->in_frame = false;
    ws->in_message = false;
}

/* @return false, so that a failing step ends in one line */
static bool fail(nb__ws *ws, nb__ws_event *event, uint16_t close_code, const char *detail)
{
    end_reading(ws);
    *event = (nb__ws_event){.kind = NB__WS_EVENT_ERROR, .close_code = close_code, .detail = detail};
    return false;
}

/* ---- frame heads ---- */

/* What the first two bytes tell already. */
static bool head_check(nb__ws *ws, nb__ws_event *event)
{
    uint8_t opcode = ws->head[0] & 0x0F, length = ws->head[1] & 0x7F;
    bool is_final = (ws->head[0] & 0x80) != 0, is_masked = (ws->head[1] & 0x80) != 0;
    if ((ws->head[0] & 0x70) != 0)
        return fail(ws, event, 1002, "a reserved bit is set and no extension was agreed");
    if ((opcode & 7) > 2)
        return fail(ws, event, 1002, "the opcode is reserved");
    if (ws->role == NB__WS_SERVER && !is_masked)
        return fail(ws, event, 1002, "a client's frame is not masked");
    if (ws->role == NB__WS_CLIENT && is_masked)
        return fail(ws, event, 1002, "a server's frame is masked");
    if (is_control(opcode) && !is_final)
        return fail(ws, event, 1002, "a control frame is fragmented");
    if (is_control(opcode) && length > 125)
        return fail(ws, event, 1002, "a control frame is longer than 125 bytes");
    if (opcode == NB__WS_CONTINUATION && !ws->in_message)
        return fail(ws, event, 1002, "a continuation frame continues nothing");
    if ((opcode == NB__WS_TEXT || opcode == NB__WS_BINARY) && ws->in_message)
        return fail(ws, event, 1002, "a new message begins before the last one's final frame");
    return true;
}

static size_t head_size(const nb__ws *ws)
{
    uint8_t length = ws->head[1] & 0x7F;
    return 2 +
           (length == 126   ? 2u
            : length == 127 ? 8u
                            : 0u) +
           (ws->role == NB__WS_SERVER ? 4u : 0u);
}

static bool frame_begin(nb__ws *ws, nb__ws_event *event)
{
    uint8_t length = ws->head[1] & 0x7F;
    size_t length_bytes = length == 126 ? 2 : length == 127 ? 8 : 0;
    uint64_t size = length_bytes == 0 ? length : 0;
    for (size_t i = 0; i < length_bytes; i++)
        size = size << 8 | ws->head[2 + i];
    if ((size >> 63) != 0)
        return fail(ws, event, 1002, "the top bit of a 64-bit length is set");
    if ((length_bytes == 2 && size < 126) || (length_bytes == 8 && size <= UINT16_MAX))
        return fail(ws, event, 1002, "a length is not in its shortest form");
    ws->opcode = ws->head[0] & 0x0F;
    ws->is_final = (ws->head[0] & 0x80) != 0;
    if (!is_control(ws->opcode)) {
        /* message.size_bytes never exceeds the limit: this check keeps it so */
        if (size > ws->message_max_bytes - ws->message.size_bytes)
            return fail(ws, event, 1009, "the message is longer than the limit");
        if (ws->opcode != NB__WS_CONTINUATION) {
            ws->message_opcode = ws->opcode;
            ws->in_message = true;
            ws->is_utf8 = true;
            ws->utf8 = (nb__ws_utf8){0};
        }
    }
    if (ws->role == NB__WS_SERVER)
        memcpy(ws->mask, ws->head + 2 + length_bytes, sizeof ws->mask);
    ws->frame_size_bytes = ws->frame_left_bytes = size;
    ws->in_frame = true;
    return true;
}

/* @return whether a frame has begun; otherwise all bytes are taken, or there is an error */
static bool head_take(nb__ws *ws, char **at, char *end, nb__ws_event *event)
{
    size_t had = ws->head_size_bytes;
    size_t left = (size_t)(end - *at), room = sizeof ws->head - had;
    size_t copied = left < room ? left : room;
    memcpy(ws->head + had, *at, copied);
    size_t have = had + copied;
    if (have >= 2 && !head_check(ws, event))
        return false;
    if (have < 2 || have < head_size(ws)) {
        ws->head_size_bytes = (uint8_t)have;
        *at = end;
        return false;
    }
    *at += head_size(ws) - had;
    ws->head_size_bytes = 0;
    return frame_begin(ws, event);
}

/* ---- payloads ---- */

static void close_read(nb__ws *ws, nb_span body, nb__ws_event *event)
{
    nb__ws_utf8 utf8 = {0};
    uint16_t code = 1005;
    if (body.size_bytes == 1) {
        fail(ws, event, 1002, "a Close frame has half a code");
        return;
    }
    if (body.size_bytes >= 2) {
        code = (uint16_t)((uint8_t)body.data[0] << 8 | (uint8_t)body.data[1]);
        body.data += 2;
        body.size_bytes -= 2;
        if (!nb__ws_close_code_is_valid(code)) {
            fail(ws, event, 1002, "a Close frame has a code that none may carry");
            return;
        }
    }
    bool is_utf8 = nb__ws_utf8_feed(&utf8, body) && utf8.left_count == 0;
    if (!is_utf8 && ws->role == NB__WS_SERVER) {
        fail(ws, event, 1007, "a Close frame's reason is not UTF-8");
        return;
    }
    end_reading(ws);
    *event = (nb__ws_event){.kind = NB__WS_EVENT_CLOSE,
                            .opcode = NB__WS_CLOSE,
                            .payload = body,
                            .is_utf8 = is_utf8,
                            .close_code = code};
}

/* Put a piece behind what is held. A whole payload in one piece is used where it lies. @return
 * false: no memory */
static bool gather(nb__text *held, nb_span *piece, bool is_last)
{
    if (is_last && held->size_bytes == 0)
        return true;
    nb__text_append(held, piece->data, piece->size_bytes);
    *piece = nb__text_view(held);
    return !held->is_failed;
}

static void control_take(nb__ws *ws, nb_span piece, nb__ws_event *event)
{
    if (!gather(&ws->control, &piece, !ws->in_frame)) {
        fail(ws, event, 1011, "memory is exhausted");
        return;
    }
    if (ws->in_frame)
        return;
    if (ws->opcode == NB__WS_CLOSE) {
        close_read(ws, piece, event);
        return;
    }
    *event =
        (nb__ws_event){.kind = ws->opcode == NB__WS_PING ? NB__WS_EVENT_PING : NB__WS_EVENT_PONG,
                       .opcode = (nb__ws_opcode)ws->opcode,
                       .payload = piece};
}

static void data_take(nb__ws *ws, nb_span piece, nb__ws_event *event)
{
    bool is_text = ws->message_opcode == NB__WS_TEXT;
    bool is_last = ws->is_final && !ws->in_frame;
    if (is_text && ws->is_utf8)
        ws->is_utf8 = nb__ws_utf8_feed(&ws->utf8, piece) && !(is_last && ws->utf8.left_count > 0);
    if (is_text && !ws->is_utf8 && ws->role == NB__WS_SERVER) {
        fail(ws, event, 1007, "a text message is not UTF-8");
        return;
    }
    if (!gather(&ws->message, &piece, is_last)) {
        fail(ws, event, 1011, "memory is exhausted");
        return;
    }
    if (!is_last)
        return;
    ws->in_message = false;
    *event = (nb__ws_event){.kind = NB__WS_EVENT_MESSAGE,
                            .opcode = (nb__ws_opcode)ws->message_opcode,
                            .payload = piece,
                            .is_utf8 = is_text && ws->is_utf8};
}

static void payload_take(nb__ws *ws, char **at, const char *end, nb__ws_event *event)
{
    uint64_t left = (uint64_t)(end - *at);
    size_t size = (size_t)(ws->frame_left_bytes < left ? ws->frame_left_bytes : left);
    nb_span piece = {*at, size};
    if (ws->role == NB__WS_SERVER)
        nb__ws_mask(*at, size, ws->mask, ws->frame_size_bytes - ws->frame_left_bytes);
    *at += size;
    ws->frame_left_bytes -= size;
    ws->in_frame = ws->frame_left_bytes > 0;
    if (is_control(ws->opcode))
        control_take(ws, piece, event);
    else
        data_take(ws, piece, event);
}

void nb__ws_next(nb__ws *ws, char **at, char *end, nb__ws_event *event)
{
    *event = (nb__ws_event){.kind = NB__WS_EVENT_MORE};
    delivered_release(ws);
    if (*at == end)
        return;
    while (!ws->is_over && event->kind == NB__WS_EVENT_MORE) {
        if (!ws->in_frame && !head_take(ws, at, end, event))
            break;
        payload_take(ws, at, end, event);
        if (ws->in_frame)
            break;
    }
    if (ws->is_over && event->kind != NB__WS_EVENT_CLOSE)
        *at = end;
}

bool nb__ws_is_between(const nb__ws *ws)
{
    return !ws->in_frame && !ws->in_message && ws->head_size_bytes == 0;
}
