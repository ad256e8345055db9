/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 heads (RFC 9112): start lines, header lines, and the rules that say how long the body
 * is. Where the RFC lets a recipient choose between repairing and refusing, this refuses: two
 * readings of one request are how requests are smuggled.
 */
#include "http_head.h"
#include <string.h>

static int refuse(int status, const char **detail, const char *words)
{
    *detail = words;
    return status;
}

/* ---- characters ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_token(nb_span span)
{
    for (size_t i = 0; i < span.size_bytes; i++) {
        char c = span.data[i];
        if (!is_letter(c) && !is_digit(c) && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return span.size_bytes > 0;
}

/* Visible ASCII, but none of `without`. */
static bool is_visible(nb_span span, const char *without)
{
    for (size_t i = 0; i < span.size_bytes; i++) {
        unsigned char c = (unsigned char)span.data[i];
        if (c <= ' ' || c >= 0x7F || strchr(without, c) != NULL)
            return false;
    }
    return true;
}

/* Take what stands before `mark` and drop the mark. @return false when there is none. */
static bool split(nb_span *rest, char mark, nb_span *out)
{
    const char *at = rest->size_bytes == 0 ? NULL : memchr(rest->data, mark, rest->size_bytes);
    if (at == NULL)
        return false;
    *out = (nb_span){rest->data, (size_t)(at - rest->data)};
    rest->data += out->size_bytes + 1;
    rest->size_bytes -= out->size_bytes + 1;
    return true;
}

/* ---- start lines ---- */

/* "HTTP/1.0" or "HTTP/1.1"; a later 1.x is read as 1.1 */
static int version_read(nb_span word, int *minor, const char **detail)
{
    if (word.size_bytes != 8 || memcmp(word.data, "HTTP/", 5) != 0 || !is_digit(word.data[5]) ||
        word.data[6] != '.' || !is_digit(word.data[7]))
        return refuse(400, detail, "the start line has no HTTP version");
    if (word.data[5] != '1')
        return refuse(505, detail, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    *minor = word.data[7] == '0' ? 0 : 1;
    return 0;
}

/* Drop "scheme://authority". @return false when the target does not begin so. */
static bool absolute_form(nb_span *target, nb_span *authority)
{
    static const char *const schemes[] = {"http://", "https://", "ws://", "wss://"};
    for (size_t i = 0; i < NB__COUNT_OF(schemes); i++) {
        size_t size = strlen(schemes[i]);
        if (target->size_bytes < size ||
            !nb__span_is_nocase((nb_span){target->data, size}, schemes[i]))
            continue;
        target->data += size;
        target->size_bytes -= size;
        size_t host = 0;
        while (host < target->size_bytes && target->data[host] != '/' && target->data[host] != '?')
            host++;
        *authority = (nb_span){target->data, host};
        target->data += host;
        target->size_bytes -= host;
        return true;
    }
    return false;
}

static int target_read(nb__http_message *message, const char **detail)
{
    nb_span rest = message->target, authority;
    bool is_absolute = absolute_form(&rest, &authority);
    bool is_other = nb__span_is(message->method, "CONNECT") ||
                    (nb__span_is(message->method, "OPTIONS") && nb__span_is(rest, "*"));
    if (!is_absolute && !is_other && rest.data[0] != '/')
        return refuse(400, detail, "the request's target is no path");
    if (memchr(message->target.data, '#', message->target.size_bytes) != NULL)
        return refuse(400, detail, "the request's target has a fragment");
    message->path = rest;
    message->query = (nb_span){0};
    if (split(&rest, '?', &message->path))
        message->query = rest;
    if (is_absolute && message->path.size_bytes == 0)
        message->path = NB__SPAN("/");
    return 0;
}

int nb__http_request_line(nb__http_message *message, nb_span line, const char **detail)
{
    nb_span rest = line;
    if (!split(&rest, ' ', &message->method) || !split(&rest, ' ', &message->target))
        return refuse(400, detail, "the request line is not METHOD TARGET VERSION");
    int status = version_read(rest, &message->version_minor, detail);
    if (status != 0)
        return status;
    if (!is_token(message->method))
        return refuse(400, detail, "the request's method is no token");
    if (message->target.size_bytes == 0 || !is_visible(message->target, ""))
        return refuse(400, detail, "the request's target is empty or not plain ASCII");
    return target_read(message, detail);
}

int nb__http_status_line(nb__http_message *message, nb_span line, const char **detail)
{
    nb_span rest = line, version, code;
    if (!split(&rest, ' ', &version))
        return refuse(400, detail, "the answer does not begin with a status line");
    int status = version_read(version, &message->version_minor, detail);
    if (status != 0)
        return status;
    uint64_t number;
    if (!split(&rest, ' ', &code)) /* the reason, and the blank before it, are often left out */
        code = rest;
    if (code.size_bytes != 3 || !nb__span_to_u64(code, &number) || number < 100)
        return refuse(400, detail, "the answer's status is no number of three digits");
    message->status = (int)number;
    return 0;
}

/* ---- header lines ---- */

int nb__http_header_line(nb__http_message *message, nb_span line, const char **detail)
{
    nb_span name, value = line;
    if (line.data[0] == ' ' || line.data[0] == '\t')
        return refuse(400, detail, "a header is folded over two lines");
    if (!split(&value, ':', &name) || !is_token(name))
        return refuse(400, detail, "a header's name is no token followed by ':'");
    if (message->header_count == NB__HTTP_HEADERS_MAX)
        return refuse(431, detail, "there are too many headers");
    message->headers[message->header_count++] = (nb__http_header){name, nb__span_trim(value)};
    return 0;
}

nb_span nb__http_header_find(const nb__http_message *message, const char *name)
{
    for (size_t i = 0; i < message->header_count; i++)
        if (nb__span_is_nocase(message->headers[i].name, name))
            return message->headers[i].value;
    return (nb_span){0};
}

size_t nb__http_header_count(const nb__http_message *message, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < message->header_count; i++)
        count += nb__span_is_nocase(message->headers[i].name, name);
    return count;
}

bool nb__http_list_next(nb_span *rest, nb_span *element)
{
    while (rest->size_bytes > 0) {
        if (!split(rest, ',', element)) {
            *element = *rest;
            *rest = (nb_span){0};
        }
        *element = nb__span_trim(*element);
        if (element->size_bytes > 0)
            return true;
    }
    return false;
}

bool nb__http_header_has(const nb__http_message *message, const char *name, const char *token)
{
    for (size_t i = 0; i < message->header_count; i++) {
        if (!nb__span_is_nocase(message->headers[i].name, name))
            continue;
        nb_span rest = message->headers[i].value, element;
        while (nb__http_list_next(&rest, &element))
            if (nb__span_is_nocase(element, token))
                return true;
    }
    return false;
}

/* ---- what the head says about the body ---- */

static bool is_all_digits(nb_span span)
{
    for (size_t i = 0; i < span.size_bytes; i++)
        if (!is_digit(span.data[i]))
            return false;
    return span.size_bytes > 0;
}

/* Every Content-Length, and every element of one, must be the same number. */
static int length_read(const nb__http_message *message, uint64_t *length, const char **detail)
{
    bool is_known = false;
    for (size_t i = 0; i < message->header_count; i++) {
        if (!nb__span_is_nocase(message->headers[i].name, "Content-Length"))
            continue;
        nb_span rest = message->headers[i].value, element;
        if (rest.size_bytes == 0)
            return refuse(400, detail, "Content-Length is empty");
        while (nb__http_list_next(&rest, &element)) {
            uint64_t value;
            if (!is_all_digits(element))
                return refuse(400, detail, "Content-Length is no number");
            if (!nb__span_to_u64(element, &value))
                return refuse(413, detail, "Content-Length is beyond any limit");
            if (is_known && value != *length)
                return refuse(400, detail, "Content-Length is told twice and differs");
            *length = value;
            is_known = true;
        }
        if (!is_known)
            return refuse(400, detail, "Content-Length is no number");
    }
    return 0;
}

static int framing_read(const nb__http_message *message, nb__ws_role role,
                        nb__http_framing *framing, const char **detail)
{
    bool has_length = nb__http_header_count(message, "Content-Length") > 0;
    size_t coding_count = nb__http_header_count(message, "Transfer-Encoding");
    *framing = (nb__http_framing){.kind = NB__HTTP_BODY_NONE};
    if (coding_count > 0) {
        if (has_length)
            return refuse(400, detail, "both Content-Length and Transfer-Encoding are given");
        if (message->version_minor == 0)
            return refuse(400, detail, "HTTP/1.0 has no Transfer-Encoding");
        if (coding_count > 1 ||
            !nb__span_is_nocase(nb__http_header_find(message, "Transfer-Encoding"), "chunked"))
            return refuse(501, detail, "the only transfer coding known here is chunked");
        framing->kind = NB__HTTP_BODY_CHUNKED;
    } else if (has_length) {
        int status = length_read(message, &framing->length_bytes, detail);
        if (status != 0)
            return status;
        if (framing->length_bytes > 0)
            framing->kind = NB__HTTP_BODY_LENGTH;
    } else if (role == NB__WS_CLIENT) {
        framing->kind = NB__HTTP_BODY_TO_EOF;
    }
    if (role == NB__WS_CLIENT &&
        (message->status < 200 || message->status == 204 || message->status == 304))
        *framing = (nb__http_framing){.kind = NB__HTTP_BODY_NONE};
    return 0;
}

static int host_check(const nb__http_message *message, const char **detail)
{
    size_t count = nb__http_header_count(message, "Host");
    if (count > 1)
        return refuse(400, detail, "there are several Host headers");
    if (count == 0 && message->version_minor == 1)
        return refuse(400, detail, "there is no Host header");
    nb_span rest = message->target, authority, host = nb__http_header_find(message, "Host");
    if (!is_visible(host, "/?#@\"\\<>^`{|}"))
        return refuse(400, detail, "the Host header is no host");
    if (count == 1 && absolute_form(&rest, &authority) && !nb__span_equal(host, authority))
        return refuse(400, detail, "the target names another host than the Host header");
    return 0;
}

static int expect_read(const nb__http_message *message, nb__http_framing *framing,
                       const char **detail)
{
    nb_span expect = nb__http_header_find(message, "Expect");
    if (expect.data == NULL || message->version_minor == 0)
        return 0;
    if (!nb__span_is_nocase(expect, "100-continue"))
        return refuse(417, detail, "the only expectation known here is 100-continue");
    framing->is_continue_expected = framing->kind != NB__HTTP_BODY_NONE;
    return 0;
}

int nb__http_head_finish(nb__http_message *message, nb__ws_role role, nb__http_framing *framing,
                         const char **detail)
{
    message->keep_alive =
        !nb__http_header_has(message, "Connection", "close") &&
        (message->version_minor == 1 || nb__http_header_has(message, "Connection", "keep-alive"));
    message->is_upgrade = nb__http_header_has(message, "Connection", "upgrade") &&
                          nb__http_header_has(message, "Upgrade", "websocket");
    int status = framing_read(message, role, framing, detail);
    if (status == 0 && role == NB__WS_SERVER)
        status = host_check(message, detail);
    if (status == 0 && role == NB__WS_SERVER)
        status = expect_read(message, framing, detail);
    if (framing->kind == NB__HTTP_BODY_TO_EOF)
        message->keep_alive = false;
    return status;
}
