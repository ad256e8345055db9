/* SPDX-License-Identifier: Apache-2.0 */
/** What bench_journal feeds with: the least server that is KIS, and a client. */
#ifndef NB_BENCH_JOURNAL_FEED_H
#define NB_BENCH_JOURNAL_FEED_H

#include "bench.h"
#include "io/io.h"
#include "kis/kis.h"
#include "store/store.h"
#include "walk.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the feed that nightbook connects to: the least that is KIS ---- */

typedef struct feed {
    nb__loop *loop;
    nb__server *server;
    nb__peer *peer; /**< nightbook's session, once it is there */
} feed;

static inline void feed_request(void *self, nb__peer *peer, const nb__http_message *request)
{
    (void)self;
    bool is_approval = nb__span_is(request->path, "/oauth2/Approval");
    nb__peer_respond(peer, is_approval ? 200 : 404, "application/json", "",
                     nb__span(is_approval ? "{\"approval_key\":\"bench\"}" : "{}"));
}

static inline int feed_upgrade(void *self, nb__peer *peer, const nb__http_message *request,
                               nb__text *headers, const char **detail)
{
    (void)self, (void)peer, (void)request, (void)headers, (void)detail;
    return 101;
}

static inline void feed_opened(void *self, nb__peer *peer)
{
    ((feed *)self)->peer = peer;
}

static inline void feed_message(void *self, nb__peer *peer, const nb__ws_event *event)
{
    (void)self, (void)peer, (void)event;
}

static inline void feed_closed(void *self, nb__peer *peer, const char *detail)
{
    (void)peer, (void)detail;
    ((feed *)self)->peer = NULL;
}

static inline void feed_open(feed *f)
{
    static nb__server_handler handler = {.request = feed_request,
                                         .upgrade = feed_upgrade,
                                         .opened = feed_opened,
                                         .message = feed_message,
                                         .closed = feed_closed};
    nb_error error = {0};
    nb__server_config config = nb__server_config_default();
    handler.self = f;
    config.output_max_bytes = (size_t)64 << 20; /* a whole turn waits for the socket */
    if (nb__listen_parse("127.0.0.1:0", &config.listen, &error) != NB_OK ||
        nb__loop_new(&f->loop, &error) != NB_OK ||
        nb__server_open(f->loop, &config, &handler, &f->server, &error) != NB_OK) {
        fprintf(stderr, "bench: %s\n", error.detail);
        exit(1);
    }
}

/** @return the bytes that a client gets for it: the frame and a WebSocket head of four. */
static inline size_t feed_send(feed *f, nb_span frame)
{
    nb__peer_send_text(f->peer, frame);
    return frame.size_bytes + 4;
}

/* ---- its client: everything of the book TR ---- */

static inline void feed_fail(const char *what)
{
    perror(what);
    exit(1);
}

static inline int feed_client(uint16_t port)
{
    static const char upgrade[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    static const uint8_t mask[4] = {1, 2, 3, 4};
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer[2048];
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        send(fd, upgrade, sizeof upgrade - 1, MSG_NOSIGNAL) < 0 ||
        recv(fd, answer, sizeof answer, 0) < 12 || strncmp(answer + 9, "101", 3) != 0)
        feed_fail("client");
    nb__text out = {0}, request = {0};
    nb__request all = {.is_register = true, .custtype = 'P', .approval_key = "bench"};
    nb__topic_make(NB__SPAN("H0EUASP0"), NB__SPAN("*"), &all.topic);
    nb__request_print(&all, &request);
    nb__ws_frame_append(&out, NB__WS_TEXT, nb__text_view(&request), mask);
    if (send(fd, out.data, out.size_bytes, MSG_NOSIGNAL) < 0 ||
        recv(fd, answer, sizeof answer, 0) <= 0)
        feed_fail("subscribe");
    nb__text_fini(&out);
    nb__text_fini(&request);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/** Until the client has `wanted` bytes in all; the feed sends what is left of its turn meanwhile.
 */
static inline void feed_receive(feed *f, int fd, uint64_t wanted, uint64_t *has)
{
    static char scratch[1 << 20];
    int64_t idle_since_ns = bench_now_ns();
    while (*has < wanted) {
        ssize_t got = recv(fd, scratch, sizeof scratch, 0);
        if (got > 0) {
            *has += (uint64_t)got;
            idle_since_ns = bench_now_ns();
            continue;
        }
        if (got == 0 || bench_now_ns() - idle_since_ns > 5 * NB__NS_PER_S)
            feed_fail("the client was closed, or gets nothing");
        if (nb__peer_queued_bytes(f->peer) > 0)
            nb__loop_turn(f->loop, 0);
    }
}

#endif
