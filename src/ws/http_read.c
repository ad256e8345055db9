/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 in, requests or responses.
 *
 *     START ── HEADERS ─┬───────────────────────────────────────────────────── MESSAGE
 *                       ├─ BODY (Content-Length) ──────────────────────────────┤
 *                       ├─ BODY_TO_EOF (responses without a length) ───────────┤
 *                       └─ CHUNK_SIZE ─ CHUNK_DATA ─ CHUNK_END ─ … ─ TRAILERS ─┘
 *
 * `head` holds the head's lines for as long as the message lives, and behind them the chunk-size or
 * trailer line that is being read. The spans of `message` point into it and are moved along when it
 * moves. As in the WebSocket reader, every decision is taken at a byte of the stream, never at the
 * end of a piece.
 */
#include "http_head.h"
#include <string.h>

enum {
    START,
    HEADERS,
    BODY,
    BODY_TO_EOF,
    CHUNK_SIZE,
    CHUNK_DATA,
    CHUNK_END,
    TRAILERS,
    WHOLE,
    OVER
};

#define CHUNK_LINE_MAX_BYTES ((size_t)256)

void nb__http_init(nb__http *http, nb__ws_role role, nb__http_limits limits)
{
    memset(http, 0, sizeof *http);
    http->role = role;
    http->limits = limits;
}

void nb__http_fini(nb__http *http)
{
    nb__text_fini(&http->head);
    nb__text_fini(&http->body);
}

static void message_begin(nb__http *http, int state)
{
    nb__http_fini(http);
    memset(&http->message, 0, sizeof http->message);
    http->state = state;
    http->is_blank_skipped = false;
    http->line_at_bytes = http->head_size_bytes = 0;
    http->body_left_bytes = 0;
}

static nb__http_event fail(nb__http *http, int status, const char *detail)
{
    http->state = OVER;
    http->error_status = http->role == NB__WS_SERVER ? status : 502;
    http->error_detail = detail;
    return NB__HTTP_ERROR;
}

static nb__http_event whole(nb__http *http)
{
    http->state = WHOLE;
    http->message.body = nb__text_view(&http->body);
    return NB__HTTP_MESSAGE;
}

/* ---- lines ---- */

static void span_move(nb_span *span, uintptr_t from, size_t size_bytes, const char *to)
{
    uintptr_t at = (uintptr_t)span->data;
    if (span->data != NULL && at >= from && at - from <= size_bytes)
        span->data = to + (at - from);
}

/* Append to `head`; when that moves it, the message's spans go along. */
static bool head_append(nb__http *http, const char *data, size_t size_bytes)
{
    uintptr_t from = (uintptr_t)http->head.data;
    size_t held = http->head.size_bytes;
    nb__text_append(&http->head, data, size_bytes);
    const char *to = http->head.data;
    nb__http_message *message = &http->message;
    if (http->head.is_failed || from == 0 || from == (uintptr_t)to)
        return !http->head.is_failed;
    nb_span *start_line[] = {&message->method, &message->target, &message->path, &message->query};
    for (size_t i = 0; i < NB__COUNT_OF(start_line); i++)
        span_move(start_line[i], from, held, to);
    for (size_t i = 0; i < message->header_count; i++) {
        span_move(&message->headers[i].name, from, held, to);
        span_move(&message->headers[i].value, from, held, to);
    }
    return true;
}

static bool has_control(const char *data, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        unsigned char c = (unsigned char)data[i];
        if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7F)
            return true;
    }
    return false;
}

/**
 * Collect a line. MORE: all bytes are taken, it is not whole. MESSAGE: it is, and `line` is its
 * text without CR LF.
 *
 * @param size_max    `head` may not grow beyond it,
 * @param status_max  or else this status.
 */
static nb__http_event line_take(nb__http *http, const char **at, const char *end, size_t size_max,
                                int status_max, nb_span *line)
{
    size_t left = (size_t)(end - *at);
    size_t room = size_max > http->head.size_bytes ? size_max - http->head.size_bytes : 0;
    size_t seen = left < room ? left : room;
    const char *feed = seen == 0 ? NULL : memchr(*at, '\n', seen);
    size_t size = feed == NULL ? seen : (size_t)(feed - *at) + 1;
    if (has_control(*at, size))
        return fail(http, 400, "the head holds a control character");
    if (feed == NULL && left > room)
        return fail(http, status_max,
                    status_max == 414   ? "the request line is longer than the limit"
                    : status_max == 431 ? "the head is longer than the limit"
                                        : "a chunk's size line is too long");
    if (!head_append(http, *at, size))
        return fail(http, 503, "memory is exhausted");
    *at += size;
    if (feed == NULL)
        return NB__HTTP_MORE;
    size = http->head.size_bytes - http->line_at_bytes;
    *line = (nb_span){http->head.data + http->line_at_bytes, size};
    http->line_at_bytes = http->head.size_bytes;
    if (size < 2 || memchr(line->data, '\r', size) != line->data + size - 2)
        return fail(http, 400, "a line does not end with one CR LF");
    line->size_bytes -= 2;
    return NB__HTTP_MESSAGE;
}

/* ---- the head ---- */

static nb__http_event start_step(nb__http *http, const char **at, const char *end)
{
    nb_span line;
    nb__http_event event = line_take(http, at, end, http->limits.head_max_bytes, 414, &line);
    if (event != NB__HTTP_MESSAGE)
        return event;
    if (line.size_bytes == 0) {
        /* RFC 9112, 2.2: some clients send a line too much after a body */
        if (http->is_blank_skipped || http->role == NB__WS_CLIENT)
            return fail(http, 400, "the start line is empty");
        message_begin(http, START);
        http->is_blank_skipped = true;
        return NB__HTTP_MORE;
    }
    const char *detail = NULL;
    int status = http->role == NB__WS_SERVER ? nb__http_request_line(&http->message, line, &detail)
                                             : nb__http_status_line(&http->message, line, &detail);
    if (status != 0)
        return fail(http, status, detail);
    http->state = HEADERS;
    return NB__HTTP_MORE;
}

static nb__http_event body_begin(nb__http *http, const nb__http_framing *framing)
{
    switch (framing->kind) {
    case NB__HTTP_BODY_NONE:
        return whole(http);
    case NB__HTTP_BODY_LENGTH:
        if (framing->length_bytes > http->limits.body_max_bytes)
            return fail(http, 413, "the body is longer than the limit");
        http->body_left_bytes = framing->length_bytes;
        http->state = BODY;
        break;
    case NB__HTTP_BODY_CHUNKED:
        http->state = CHUNK_SIZE;
        break;
    case NB__HTTP_BODY_TO_EOF:
        http->state = BODY_TO_EOF;
        break;
    }
    return framing->is_continue_expected ? NB__HTTP_CONTINUE : NB__HTTP_MORE;
}

static nb__http_event headers_step(nb__http *http, const char **at, const char *end)
{
    nb_span line;
    nb__http_event event = line_take(http, at, end, http->limits.head_max_bytes, 431, &line);
    if (event != NB__HTTP_MESSAGE)
        return event;
    const char *detail = NULL;
    nb__http_message *message = &http->message;
    if (line.size_bytes > 0) {
        int status = nb__http_header_line(message, line, &detail);
        return status != 0 ? fail(http, status, detail) : NB__HTTP_MORE;
    }
    http->head_size_bytes = http->head.size_bytes;
    if (http->role == NB__WS_CLIENT && message->status < 200 && message->status != 101) {
        message_begin(http, START);
        return NB__HTTP_MORE;
    }
    nb__http_framing framing;
    int status = nb__http_head_finish(message, http->role, &framing, &detail);
    return status != 0 ? fail(http, status, detail) : body_begin(http, &framing);
}

/* ---- the body ---- */

/* Take up to `size_max` bytes of body. */
static nb__http_event body_take(nb__http *http, const char **at, const char *end, uint64_t size_max)
{
    size_t size = (size_t)(end - *at);
    if (size > size_max)
        size = (size_t)size_max;
    if (size > http->limits.body_max_bytes - http->body.size_bytes)
        return fail(http, 413, "the body is longer than the limit");
    nb__text_append(&http->body, *at, size);
    *at += size;
    return http->body.is_failed ? fail(http, 503, "memory is exhausted") : NB__HTTP_MORE;
}

static nb__http_event body_step(nb__http *http, const char **at, const char *end)
{
    const char *from = *at;
    nb__http_event event = body_take(http, at, end, http->body_left_bytes);
    if (event != NB__HTTP_MORE)
        return event;
    http->body_left_bytes -= (uint64_t)(*at - from);
    if (http->body_left_bytes > 0)
        return NB__HTTP_MORE;
    if (http->state == BODY)
        return whole(http);
    http->state = CHUNK_END;
    return NB__HTTP_MORE;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "1a;extension": the extension is ignored. @return false when there is no size of 1–15 digits. */
static bool chunk_size_read(nb_span line, uint64_t *size_bytes)
{
    size_t digits = 0;
    *size_bytes = 0;
    while (digits < line.size_bytes && digits < 16 && hex_digit(line.data[digits]) >= 0)
        *size_bytes = *size_bytes << 4 | (uint64_t)hex_digit(line.data[digits++]);
    nb_span rest = nb__span_trim((nb_span){line.data + digits, line.size_bytes - digits});
    return digits > 0 && digits < 16 && (rest.size_bytes == 0 || rest.data[0] == ';');
}

/* A line behind the head that is forgotten once it is read. */
static nb__http_event passing_line_take(nb__http *http, const char **at, const char *end,
                                        nb_span *line)
{
    size_t size_max = http->head_size_bytes + CHUNK_LINE_MAX_BYTES;
    nb__http_event event = line_take(http, at, end, size_max, 400, line);
    if (event == NB__HTTP_MESSAGE)
        http->head.size_bytes = http->line_at_bytes = http->head_size_bytes;
    return event;
}

static nb__http_event chunk_size_step(nb__http *http, const char **at, const char *end)
{
    nb_span line = {0};
    nb__http_event event = passing_line_take(http, at, end, &line);
    if (event != NB__HTTP_MESSAGE)
        return event;
    uint64_t size;
    if (!chunk_size_read(line, &size))
        return fail(http, 400, "a chunk does not begin with its size");
    if (size > http->limits.body_max_bytes - http->body.size_bytes)
        return fail(http, 413, "the body is longer than the limit");
    http->body_left_bytes = size;
    http->state = size == 0 ? TRAILERS : CHUNK_DATA;
    return NB__HTTP_MORE;
}

static nb__http_event chunk_end_step(nb__http *http, const char **at, const char *end)
{
    nb_span line = {0};
    nb__http_event event = passing_line_take(http, at, end, &line);
    if (event != NB__HTTP_MESSAGE)
        return event;
    if (line.size_bytes > 0)
        return fail(http, 400, "a chunk is longer than its size");
    http->state = CHUNK_SIZE;
    return NB__HTTP_MORE;
}

/* Trailers count against the head's limit and are dropped. */
static nb__http_event trailers_step(nb__http *http, const char **at, const char *end)
{
    nb_span line;
    nb__http_event event = line_take(http, at, end, http->limits.head_max_bytes, 431, &line);
    if (event != NB__HTTP_MESSAGE)
        return event;
    return line.size_bytes == 0 ? whole(http) : NB__HTTP_MORE;
}

static nb__http_event step(nb__http *http, const char **at, const char *end)
{
    switch (http->state) {
    case START:
        return start_step(http, at, end);
    case HEADERS:
        return headers_step(http, at, end);
    case BODY:
    case CHUNK_DATA:
        return body_step(http, at, end);
    case BODY_TO_EOF:
        return body_take(http, at, end, UINT64_MAX);
    case CHUNK_SIZE:
        return chunk_size_step(http, at, end);
    case CHUNK_END:
        return chunk_end_step(http, at, end);
    case TRAILERS:
        return trailers_step(http, at, end);
    default: /* OVER */
        *at = end;
        return NB__HTTP_MORE;
    }
}

nb__http_event nb__http_next(nb__http *http, const char **at, const char *end)
{
    if (http->state == WHOLE)
        message_begin(http, http->message.keep_alive ? START : OVER);
    else if (http->state == OVER && http->head.data != NULL)
        message_begin(http, OVER);
    while (*at != end) {
        nb__http_event event = step(http, at, end);
        if (event == NB__HTTP_ERROR)
            *at = end;
        if (event != NB__HTTP_MORE)
            return event;
    }
    return NB__HTTP_MORE;
}

bool nb__http_eof(nb__http *http)
{
    if (http->state != BODY_TO_EOF)
        return false;
    whole(http);
    return true;
}
