/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as people write them: ws://HOST:PORT/path to connect to, ADDR:PORT to listen on. No
 * look-ups here. */
#include "io/io.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

typedef struct scheme {
    const char *prefix;
    bool is_ws, is_tls;
} scheme;

static const scheme schemes[] = {
    {"ws://", true, false},
    {"wss://", true, true},
    {"http://", false, false},
    {"https://", false, true},
};

static bool is_host_name(nb_span host)
{
    for (size_t i = 0; i < host.size_bytes; i++) {
        unsigned char c = (unsigned char)host.data[i];
        if (c >= 0x80 || (!isalnum(c) && c != '-' && c != '.' && c != '_'))
            return false;
    }
    return host.size_bytes > 0;
}

static bool port_read(nb_span text, uint16_t *out)
{
    uint64_t port;
    if (text.size_bytes > 5 || !nb__span_to_u64(text, &port) || port > 65535)
        return false;
    *out = (uint16_t)port;
    return true;
}

/* HOST, HOST:PORT, [V6], [V6]:PORT. *has_port tells which; an empty HOST is left to the caller. */
static nb_err authority_read(nb_span text, nb__address *out, bool *has_port, nb_error *error)
{
    nb_span host = text, port = {NULL, 0};
    const char *colon = memchr(text.data, ':', text.size_bytes), *end = text.data + text.size_bytes;
    bool is_bracketed = text.size_bytes > 0 && text.data[0] == '[';
    if (is_bracketed) {
        const char *bracket = memchr(text.data, ']', text.size_bytes);
        if (bracket == NULL || (bracket + 1 < end && bracket[1] != ':'))
            return nb__fail(error, NB_E_ARGUMENT, 0, "an IPv6 address is written [::1]:PORT");
        host = (nb_span){text.data + 1, (size_t)(bracket - text.data - 1)};
        colon = bracket + 1 < end ? bracket + 1 : NULL;
    } else if (colon != NULL) {
        host.size_bytes = (size_t)(colon - text.data);
    }
    *has_port = colon != NULL;
    if (colon != NULL) {
        port = (nb_span){colon + 1, (size_t)(end - colon - 1)};
        if (memchr(port.data, ':', port.size_bytes) != NULL)
            return nb__fail(error, NB_E_ARGUMENT, 0, "an IPv6 address is written [::1]:PORT");
        if (!port_read(port, &out->port))
            return nb__fail(error, NB_E_ARGUMENT, (size_t)(port.data - text.data),
                            "'%.*s' is no port (0-65535)", (int)(port.size_bytes % 100), port.data);
    }
    if (!nb__span_copy(host, out->host, sizeof out->host))
        return nb__fail(error, NB_E_ARGUMENT, 0, "the host name is too long");
    struct in6_addr v6;
    if (is_bracketed ? inet_pton(AF_INET6, out->host, &v6) != 1
                     : host.size_bytes > 0 && !is_host_name(host))
        return nb__fail(error, NB_E_ARGUMENT, 0, "'%.100s' is no host name or address", out->host);
    return NB_OK;
}

static nb_err path_read(nb_span text, nb__address *out, nb_error *error)
{
    for (size_t i = 0; i < text.size_bytes; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~' || text.data[i] == '#')
            return nb__fail(error, NB_E_ARGUMENT, i, "a path holds printable ASCII without '#'");
    bool has_slash = text.size_bytes > 0 && text.data[0] == '/';
    char *to = out->path;
    if (!has_slash)
        *to++ = '/';
    if (!nb__span_copy(text, to, sizeof out->path - (has_slash ? 0 : 1)))
        return nb__fail(error, NB_E_ARGUMENT, 0, "the path is longer than %zu bytes",
                        sizeof out->path - 1);
    return NB_OK;
}

nb_err nb__address_parse(const char *url, nb__address *out, nb_error *error)
{
    nb__address address = {0};
    const char *rest = NULL;
    for (size_t i = 0; i < NB__COUNT_OF(schemes); i++) {
        size_t size = strlen(schemes[i].prefix);
        if (strncasecmp(url, schemes[i].prefix, size) != 0)
            continue;
        rest = url + size;
        address.is_ws = schemes[i].is_ws;
        address.is_tls = schemes[i].is_tls;
    }
    if (rest == NULL)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "'%.80s' is no address: write ws://HOST:PORT or http://HOST:PORT", url);
    size_t size = strcspn(rest, "/?#");
    bool has_port;
    nb_err err = authority_read((nb_span){rest, size}, &address, &has_port, error);
    if (err == NB_OK)
        err = path_read(nb__span(rest + size), &address, error);
    if (err == NB_OK && address.host[0] == '\0')
        err = nb__fail(error, NB_E_ARGUMENT, 0, "there is no host");
    if (err == NB_OK && has_port && address.port == 0)
        err = nb__fail(error, NB_E_ARGUMENT, 0, "nobody listens on port 0");
    if (err != NB_OK) {
        nb__fail_in(error, "address %.80s", url);
        return err;
    }
    if (!has_port)
        address.port = address.is_tls ? 443 : 80;
    *out = address;
    return NB_OK;
}

nb_err nb__listen_parse(const char *text, nb__address *out, nb_error *error)
{
    nb__address address = {.path = "/"};
    bool has_port = true;
    nb_err err = NB_OK;
    if (!port_read(nb__span(text), &address.port))
        err = authority_read(nb__span(text), &address, &has_port, error);
    if (err == NB_OK && !has_port)
        err = nb__fail(error, NB_E_ARGUMENT, 0, "there is no port; 0 lets the kernel choose");
    if (err != NB_OK) {
        nb__fail_in(error, "listen on '%.80s'", text);
        return err;
    }
    if (address.host[0] == '\0')
        memcpy(address.host, "127.0.0.1", sizeof "127.0.0.1");
    *out = address;
    return NB_OK;
}

bool nb__host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (strcasecmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}
