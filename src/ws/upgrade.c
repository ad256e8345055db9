/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From HTTP to WebSocket (RFC 6455, 4): the request a client sends, the check and the answer of the
 * server, and the client's check of that answer. Extensions (permessage-deflate) and sub-protocols
 * are never agreed on.
 */
#include "ws/ws.h"
#include <openssl/evp.h>
#include <string.h>

#define KEY_SIZE_BYTES ((size_t)24)
#define ACCEPT_SIZE_BYTES ((size_t)28)

/* base64(SHA-1(key + the RFC's GUID)). @return false when libcrypto has no SHA-1 (a locked-down
 * provider) */
static bool accept_compute(const char key[KEY_SIZE_BYTES], char accept[ACCEPT_SIZE_BYTES + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[KEY_SIZE_BYTES + sizeof guid - 1];
    memcpy(text, key, KEY_SIZE_BYTES);
    memcpy(text + KEY_SIZE_BYTES, guid, sizeof guid - 1);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int digest_size = 0;
    accept[0] = '\0';
    if (EVP_Digest(text, sizeof text, digest, &digest_size, EVP_sha1(), NULL) != 1 ||
        digest_size != 20)
        return false;
    EVP_EncodeBlock((unsigned char *)accept, digest, 20);
    return true;
}

/* 22 characters of base64 and "==": sixteen bytes */
static bool key_is_valid(nb_span key)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (key.size_bytes != KEY_SIZE_BYTES || memcmp(key.data + KEY_SIZE_BYTES - 2, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < KEY_SIZE_BYTES - 2; i++)
        if (memchr(alphabet, key.data[i], sizeof alphabet - 1) == NULL)
            return false;
    return true;
}

static int refuse(int status, const char **detail, const char *words)
{
    *detail = words;
    return status;
}

int nb__ws_upgrade_check(const nb__http_message *request, const char **detail)
{
    if (!nb__span_is(request->method, "GET"))
        return refuse(405, detail, "a WebSocket begins with GET");
    if (!request->is_upgrade)
        return refuse(426, detail, "this address speaks WebSocket");
    if (request->version_minor == 0)
        return refuse(400, detail, "a WebSocket needs HTTP/1.1");
    if (nb__http_header_count(request, "Sec-WebSocket-Version") != 1 ||
        !nb__span_is(nb__http_header_find(request, "Sec-WebSocket-Version"), "13"))
        return refuse(426, detail, "only version 13 of WebSocket is spoken here");
    if (nb__http_header_count(request, "Sec-WebSocket-Key") != 1 ||
        !key_is_valid(nb__http_header_find(request, "Sec-WebSocket-Key")))
        return refuse(400, detail, "Sec-WebSocket-Key is not 16 bytes in base64");
    if (request->body.size_bytes > 0)
        return refuse(400, detail, "an upgrade request has no body");
    *detail = "";
    return 101;
}

void nb__ws_upgrade_append(nb__text *out, const nb__http_message *request,
                           const char *extra_headers)
{
    nb_span key = nb__http_header_find(request, "Sec-WebSocket-Key");
    char accept[ACCEPT_SIZE_BYTES + 1];
    if (!key_is_valid(key) || !accept_compute(key.data, accept)) {
        out->is_failed = true;
        return;
    }
    nb__text_string(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    nb__text_string(out, accept);
    nb__text_string(out, "\r\n");
    if (extra_headers != NULL)
        nb__text_string(out, extra_headers);
    nb__text_string(out, "\r\n");
}

void nb__ws_connect_append(nb__text *out, const char *host, const char *target,
                           const uint8_t nonce[16], const char *extra_headers, char accept[29])
{
    char key[KEY_SIZE_BYTES + 1];
    EVP_EncodeBlock((unsigned char *)key, nonce, 16);
    if (!accept_compute(key, accept)) {
        out->is_failed = true;
        return;
    }
    nb__text_printf(out,
                    "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
                    target, host, key, extra_headers != NULL ? extra_headers : "");
}

/* Its first line, as far as an error has room: a refusal says why. */
static int words_of(nb_span body)
{
    int size = 0;
    while ((size_t)size < body.size_bytes && size < 160 && body.data[size] != '\n' &&
           body.data[size] != '\r')
        size++;
    return size;
}

nb_err nb__ws_connect_check(const nb__http_message *response, const char accept[29],
                            nb_error *error)
{
    if (response->status != 101)
        return nb__fail(error, NB_E_PROTOCOL, 0,
                        "the server answered %d %s where 101 was expected%s%.*s", response->status,
                        nb__http_reason(response->status),
                        response->body.size_bytes > 0 ? ": " : "", words_of(response->body),
                        response->body.data);
    if (!response->is_upgrade)
        return nb__fail(error, NB_E_PROTOCOL, 0,
                        "the server's 101 does not say Upgrade: websocket, Connection: upgrade");
    if (nb__http_header_count(response, "Sec-WebSocket-Accept") != 1 ||
        !nb__span_is(nb__http_header_find(response, "Sec-WebSocket-Accept"), accept))
        return nb__fail(error, NB_E_PROTOCOL, 0,
                        "the server's Sec-WebSocket-Accept does not belong to our key");
    nb_span extensions = nb__http_header_find(response, "Sec-WebSocket-Extensions");
    if (nb__http_header_count(response, "Sec-WebSocket-Extensions") > 1 ||
        extensions.size_bytes > 0)
        return nb__fail(error, NB_E_PROTOCOL, 0,
                        "the server chose a WebSocket extension that was not offered");
    return NB_OK;
}
