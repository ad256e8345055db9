/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that a WebSocket server can do with a message for n clients. `bare send`: one send a
 * client a message, as most servers do. `bare ring`: all that came is kept in one buffer, a
 * client's cursor into it, one send a client a turn.
 *
 * Messages come on stdin, each a line; the port is the first line on stdout. Any request is
 * answered 101.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 20000
#define RING_BYTES ((size_t)1 << 24)

typedef struct client {
    int fd;
    uint64_t sent; /* position in the stream of framed bytes */
} client;

static client clients[CLIENTS_MAX];
static size_t client_count;
static char ring[RING_BYTES];
static uint64_t framed; /* bytes framed since the start; RING_BYTES is a multiple of no frame, so
                           wrapping is by two sends */

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void answer_upgrade(int epoll_fd, int fd)
{
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\n\r\n";
    char request[2048];
    if (recv(fd, request, sizeof request, 0) <= 0)
        return;
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    if (send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0 || client_count == CLIENTS_MAX)
        return;
    clients[client_count++] = (client){fd, framed};
}

/* The kernel's buffers are large enough for what the benchmark has outstanding; a short send is a
 * defect of the run. */
static void send_all(int fd, const char *data, size_t size_bytes)
{
    while (size_bytes > 0) {
        ssize_t sent = send(fd, data, size_bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return;
        if (sent > 0) {
            data += sent;
            size_bytes -= (size_t)sent;
        }
    }
}

static void ring_put(const char *data, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++)
        ring[(framed + i) % RING_BYTES] = data[i];
    framed += size_bytes;
}

static void ring_flush(void)
{
    for (size_t i = 0; i < client_count; i++) {
        while (clients[i].sent < framed) {
            size_t at = clients[i].sent % RING_BYTES, left = (size_t)(framed - clients[i].sent);
            size_t part = left < RING_BYTES - at ? left : RING_BYTES - at;
            send_all(clients[i].fd, ring + at, part);
            clients[i].sent += part;
        }
    }
}

static void deliver(const char *line, size_t size_bytes, bool is_merged)
{
    char frame[1024] = {(char)0x81, 126, (char)(size_bytes >> 8), (char)(size_bytes & 255)};
    memcpy(frame + 4, line, size_bytes);
    if (is_merged) {
        ring_put(frame, size_bytes + 4);
        return;
    }
    for (size_t i = 0; i < client_count; i++)
        send_all(clients[i].fd, frame, size_bytes + 4);
}

static void read_feed(bool is_merged)
{
    static char input[1 << 20];
    static size_t held;
    ssize_t got = read(STDIN_FILENO, input + held, sizeof input - held);
    if (got <= 0)
        exit(0);
    held += (size_t)got;
    char *at = input;
    for (char *end; (end = memchr(at, '\n', held - (size_t)(at - input))) != NULL; at = end + 1)
        deliver(at, (size_t)(end - at), is_merged);
    held -= (size_t)(at - input);
    memmove(input, at, held);
    if (is_merged)
        ring_flush();
}

int main(int argc, char **argv)
{
    if (argc != 2 || (strcmp(argv[1], "send") != 0 && strcmp(argv[1], "ring") != 0)) {
        fprintf(stderr, "usage: bare send|ring\n");
        return 64;
    }
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll_fd = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 4096) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        fail("listen");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
    event.data.fd = STDIN_FILENO;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    for (;;) {
        struct epoll_event events[256];
        int count = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO) {
                read_feed(argv[1][0] == 'r');
            } else if (fd == listener) {
                int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK), one = 1;
                if (accepted < 0)
                    continue;
                setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = accepted};
                epoll_ctl(epoll_fd, EPOLL_CTL_ADD, accepted, &event);
            } else {
                answer_upgrade(epoll_fd, fd);
            }
        }
    }
}
