/* SPDX-License-Identifier: Apache-2.0 */
/* A server on a port of the kernel's choice and raw client sockets, all turned by one loop in one
 * thread. */
#ifndef NB_TEST_IO_HARNESS_H
#define NB_TEST_IO_HARNESS_H

#include "guard.h"
#include "io/io.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct harness {
    nb__loop *loop;
    nb__server *server;
    nb__server_config config;
    nb__server_handler handler;
    uint16_t port;
    int opened, closed, messages, alive, requests, writables;
    nb__peer *last_peer;
    nb__peer *held; /* a request that is answered later */
    bool holds_requests, closes_on_message, aborts_on_message;
    char closed_detail[128];
    int upgrade_status;
} harness;

/* ---- handler: echoes messages, answers "METHOD path\n" + body ---- */

static inline void h_request(void *self, nb__peer *peer, const nb__http_message *request)
{
    harness *h = self;
    h->requests++;
    if (h->holds_requests) {
        h->held = peer;
        return;
    }
    nb__text body = {0};
    nb__text_append(&body, request->path.data, request->path.size_bytes);
    nb__text_append(&body, request->body.data, request->body.size_bytes);
    nb__peer_respond(peer, 200, "text/plain", "X-Test: 1\r\n", nb__text_view(&body));
    nb__text_fini(&body);
}

static inline int h_upgrade(void *self, nb__peer *peer, const nb__http_message *request,
                            nb__text *extra_headers, const char **detail)
{
    (void)peer;
    (void)request;
    harness *h = self;
    nb__text_string(extra_headers, "X-Clock: sim\r\n");
    *detail = "not this host";
    return h->upgrade_status;
}

static inline void h_opened(void *self, nb__peer *peer)
{
    harness *h = self;
    h->opened++;
    h->last_peer = peer;
}

static inline void h_message(void *self, nb__peer *peer, const nb__ws_event *event)
{
    harness *h = self;
    h->messages++;
    if (h->aborts_on_message)
        nb__peer_abort(peer);
    if (h->closes_on_message)
        nb__peer_close(peer, 1008, NB__SPAN("enough"));
    nb__peer_send_text(peer, event->payload);
}

static inline void h_alive(void *self, nb__peer *peer)
{
    (void)peer;
    ((harness *)self)->alive++;
}

static inline void h_writable(void *self, nb__peer *peer)
{
    (void)peer;
    ((harness *)self)->writables++;
}

static inline void h_closed(void *self, nb__peer *peer, const char *detail)
{
    harness *h = self;
    h->closed++;
    if (peer == h->last_peer)
        h->last_peer = NULL;
    snprintf(h->closed_detail, sizeof h->closed_detail, "%s", detail);
}

static inline harness *harness_new(void)
{
    harness *h = calloc(1, sizeof *h);
    assert_int_equal(nb__loop_new(&h->loop, NULL), NB_OK);
    h->config = nb__server_config_default();
    h->upgrade_status = 101;
    h->handler = (nb__server_handler){.self = h,
                                      .request = h_request,
                                      .upgrade = h_upgrade,
                                      .opened = h_opened,
                                      .message = h_message,
                                      .alive = h_alive,
                                      .writable = h_writable,
                                      .closed = h_closed};
    return h;
}

static inline void harness_listen(harness *h)
{
    nb_error error = {0};
    if (nb__server_open(h->loop, &h->config, &h->handler, &h->server, &error) != NB_OK)
        fail_msg("%s", error.detail);
    h->port = nb__server_port(h->server);
    assert_int_not_equal(h->port, 0);
}

static inline void harness_free(harness *h)
{
    nb__server_close(h->server);
    nb__loop_free(h->loop);
    assert_int_equal(h->opened, h->closed); /* each opened peer was told to be closed, once */
    free(h);
}

static inline void turn(harness *h, int times)
{
    for (int i = 0; i < times; i++)
        assert_int_equal(nb__loop_turn(h->loop, 1), NB_OK);
}

/* ---- raw clients ---- */

static inline int raw_connect(harness *h)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(h->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static inline void raw_send(int fd, const void *data, size_t size_bytes)
{
    assert_int_equal(send(fd, data, size_bytes, MSG_NOSIGNAL), (ssize_t)size_bytes);
}

static inline void raw_text(int fd, const char *text)
{
    raw_send(fd, text, strlen(text));
}

/* Turn the loop until `words` came (NULL: until the end of the stream) or `ms` are over. @return
 * whether they did. */
static inline bool raw_expect(harness *h, int fd, nb__text *got, const char *words, int ms)
{
    int64_t until = nb__clock_mono_ns() + ms * NB__NS_PER_MS;
    while (nb__clock_mono_ns() < until) {
        char buffer[65536];
        ssize_t size = recv(fd, buffer, sizeof buffer, 0);
        if (size > 0)
            nb__text_append(got, buffer, (size_t)size);
        if (words != NULL && got->size_bytes > 0 &&
            memmem(got->data, got->size_bytes, words, strlen(words)) != NULL)
            return true;
        if (size == 0)
            return words == NULL;
        if (size < 0 && errno != EAGAIN)
            return false; /* reset: the last bytes might have been lost */
        if (size < 0)
            turn(h, 1);
    }
    return false;
}

#define UPGRADE                                                                                    \
    "GET /tryitout HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"   \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

static inline int raw_upgrade(harness *h)
{
    int fd = raw_connect(h);
    nb__text got = {0};
    raw_text(fd, UPGRADE);
    assert_true(raw_expect(h, fd, &got, "\r\n\r\n", 2000));
    assert_memory_equal(got.data, "HTTP/1.1 101", 12);
    nb__text_fini(&got);
    return fd;
}

static inline nb__text masked(nb__ws_opcode opcode, const char *text)
{
    static const uint8_t mask[4] = {1, 2, 3, 4};
    nb__text frame = {0};
    nb__ws_frame_append(&frame, opcode, nb__span(text), mask);
    return frame;
}

static inline void raw_frame(int fd, nb__ws_opcode opcode, const char *text)
{
    nb__text frame = masked(opcode, text);
    raw_send(fd, frame.data, frame.size_bytes);
    nb__text_fini(&frame);
}

#endif
