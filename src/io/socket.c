/* SPDX-License-Identifier: Apache-2.0 */
/* Small things about sockets that server and clients share: names, options, listening, the output
 * queue. */
#include "socket.h"
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LISTEN_BACKLOG 4096

void nb__socket_name(const struct sockaddr_storage *address, char out[NB__SOCKET_NAME_BYTES])
{
    char host[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    if (address->ss_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(out, NB__SOCKET_NAME_BYTES, "%s:%u", host, ntohs(v4->sin_port));
    } else {
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(out, NB__SOCKET_NAME_BYTES, "[%s]:%u", host, ntohs(v6->sin6_port));
    }
}

bool nb__socket_is_loopback(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    if (address->ss_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127);
}

uint16_t nb__socket_port(const struct sockaddr *address)
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    return ntohs(address->sa_family == AF_INET ? v4->sin_port : v6->sin6_port);
}

/* Every address as IPv6, so that ::ffff:10.0.0.1 is 10.0.0.1. */
static bool as_v6(const struct sockaddr *address, struct in6_addr *out)
{
    *out = (struct in6_addr){0};
    if (address == NULL || (address->sa_family != AF_INET && address->sa_family != AF_INET6))
        return false;
    if (address->sa_family == AF_INET6) {
        *out = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        return true;
    }
    out->s6_addr[10] = out->s6_addr[11] = 0xff;
    memcpy(out->s6_addr + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    return true;
}

/* The kernel sends from the very address when it is one of ours. For where no list of interfaces is
 * to be had (a sandbox without netlink): it misses an interface's second addresses. */
static bool is_own_source(const struct sockaddr *address)
{
    struct sockaddr_storage source = {0};
    struct in6_addr wanted, own;
    socklen_t size = sizeof source;
    int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    socklen_t address_bytes =
        address->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    bool is_own = connect(fd, address, address_bytes) == 0 &&
                  getsockname(fd, (struct sockaddr *)&source, &size) == 0 &&
                  as_v6((struct sockaddr *)&source, &own) && as_v6(address, &wanted) &&
                  IN6_ARE_ADDR_EQUAL(&own, &wanted);
    close(fd);
    return is_own;
}

bool nb__socket_is_this_machine(const struct sockaddr *address)
{
    struct in6_addr wanted, own;
    if (!as_v6(address, &wanted))
        return false;
    bool is_v4 = IN6_IS_ADDR_V4MAPPED(&wanted);
    if (is_v4 && (wanted.s6_addr[12] == 127 || wanted.s6_addr[12] == 0))
        return true;
    if (IN6_IS_ADDR_LOOPBACK(&wanted) || IN6_IS_ADDR_UNSPECIFIED(&wanted))
        return true;
    struct ifaddrs *interfaces = NULL;
    if (getifaddrs(&interfaces) != 0)
        return is_own_source(address);
    bool is_found = false;
    for (const struct ifaddrs *at = interfaces; at != NULL && !is_found; at = at->ifa_next)
        is_found = as_v6(at->ifa_addr, &own) && IN6_ARE_ADDR_EQUAL(&own, &wanted);
    freeifaddrs(interfaces);
    return is_found;
}

void nb__socket_keep_alive(int fd, int idle_s, int interval_s)
{
    int on = 1, count = 3;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

void nb__socket_no_delay(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void nb__address_print(const nb__address *address, char out[NB__HOST_PORT_BYTES])
{
    bool is_v6 = strchr(address->host, ':') != NULL;
    snprintf(out, NB__HOST_PORT_BYTES, is_v6 ? "[%s]:%u" : "%s:%u", address->host, address->port);
}

/* ---- listening ---- */

/* @return the fd, or -1 with errno. */
static int listen_at(const struct addrinfo *at, int send_buffer_bytes)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    nb__socket_no_delay(fd);
    nb__socket_keep_alive(fd, 60, 15);
    if (send_buffer_bytes > 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof send_buffer_bytes);
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static uint16_t port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.v6 = {0}};
    socklen_t size = sizeof address;
    getsockname(fd, &address.any, &size);
    return nb__socket_port(&address.any);
}

nb_err nb__socket_listen(const nb__address *address, int send_buffer_bytes, int *fd, uint16_t *port,
                         nb_error *error)
{
    char name[NB__HOST_PORT_BYTES], service[8];
    nb__address_print(address, name);
    snprintf(service, sizeof service, "%u", address->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(address->host, service, &hints, &found);
    if (code != 0)
        return nb__fail(error, NB_E_SYSTEM, 0, "listen on %.100s: %s", name, gai_strerror(code));
    *fd = listen_at(found, send_buffer_bytes);
    int reason = errno;
    freeaddrinfo(found);
    if (*fd < 0)
        return nb__fail(error, NB_E_SYSTEM, 0, "listen on %.100s: %s", name,
                        strerrordesc_np(reason));
    *port = port_of(*fd);
    return NB_OK;
}

/* ---- output ---- */

size_t nb__output_left(const nb__output *output)
{
    return output->text.size_bytes - output->sent_bytes;
}

void nb__output_fini(nb__output *output)
{
    nb__text_fini(&output->text);
    output->sent_bytes = 0;
}

bool nb__output_send(nb__output *output, int fd, size_t *taken_bytes)
{
    *taken_bytes = 0;
    size_t left = nb__output_left(output);
    if (left > 0) {
        ssize_t size = send(fd, output->text.data + output->sent_bytes, left, MSG_NOSIGNAL);
        if (size < 0)
            return errno == EAGAIN || errno == EINTR;
        *taken_bytes = (size_t)size;
        output->sent_bytes += (size_t)size;
    }
    left = nb__output_left(output);
    if (left == 0) {
        nb__output_fini(output);
    } else if (output->sent_bytes > left) { /* the front is mostly air: move up */
        memmove(output->text.data, output->text.data + output->sent_bytes, left);
        output->text.size_bytes = left;
        output->sent_bytes = 0;
    }
    return true;
}
