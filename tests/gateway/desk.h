/* SPDX-License-Identifier: Apache-2.0 */
/* A gateway over real sockets with a plant that the test plays, and clients that call it. */
#ifndef DESK_H
#define DESK_H

#include "gateway/gateway.h"
#include "stub_plant.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS_MAX 2000
#define NOON_NS INT64_C(1790000000000000000)

typedef struct desk {
    nb__loop *loop;
    nb__plant *plant;
    nb__gateway *gateway;
    nb__gateway_config config;
} desk;

/* A WebSocket client. Messages are kept one after the other, each with a NUL. */
typedef struct caller {
    desk *d;
    nb__link *link;
    nb__text received;
    size_t at;
    bool is_open, is_closed;
    char clock[160], error[256];
} caller;

static inline void desk_open(desk *d)
{
    *d = (desk){.config = nb__gateway_config_default()};
    (void)nb__listen_parse("127.0.0.1:0", &d->config.server.listen, NULL);
    d->config.ring_bytes = 1u << 20;
    d->config.answer_wait_ns = 50 * NB__NS_PER_MS;
    assert_int_equal(nb__loop_new(&d->loop, NULL), NB_OK);
    d->plant = stub_open();
}

static inline void desk_listen(desk *d)
{
    nb_error error = {0};
    if (nb__gateway_open(d->loop, d->plant, &d->config, &d->gateway, &error) != NB_OK)
        fail_msg("%s", error.detail);
}

static inline void desk_close(desk *d)
{
    nb__gateway_close(d->gateway);
    nb__loop_turn(d->loop, 0);
    nb__loop_free(d->loop);
    stub_close(d->plant);
}

static inline void on_opened(void *self, const nb__http_message *answer)
{
    caller *c = self;
    c->is_open = true;
    (void)nb__span_copy(nb__http_header_find(answer, "Nightbook-Clock"), c->clock, sizeof c->clock);
}

static inline void on_message(void *self, const nb__ws_event *event, int64_t recv_ns)
{
    caller *c = self;
    (void)recv_ns;
    nb__text_append(&c->received, event->payload.data, event->payload.size_bytes);
    nb__text_append(&c->received, "", 1);
}

static inline void on_closed(void *self, const nb_error *error)
{
    caller *c = self;
    c->is_closed = true;
    snprintf(c->error, sizeof c->error, "%s", error->detail);
}

static inline void call_start(desk *d, caller *c, const char *path)
{
    char url[300];
    nb__address address;
    const nb__link_options options = {.timeout_ns = NB__NS_PER_S};
    *c = (caller){.d = d};
    snprintf(url, sizeof url, "ws://127.0.0.1:%u%s", nb__gateway_port(d->gateway), path);
    assert_int_equal(nb__address_parse(url, &address, NULL), NB_OK);
    const nb__link_handler handler = {
        .self = c, .opened = on_opened, .message = on_message, .closed = on_closed};
    assert_int_equal(nb__link_open(d->loop, &address, &options, &handler, &c->link, NULL), NB_OK);
}

#define UNTIL(d, condition)                                                                        \
    do {                                                                                           \
        for (int turns_ = 0; !(condition) && turns_ < TURNS_MAX; turns_++)                         \
            nb__loop_turn((d)->loop, 5);                                                           \
        assert_true(condition);                                                                    \
    } while (0)

static inline void call(desk *d, caller *c, const char *path)
{
    call_start(d, c, path);
    UNTIL(d, c->is_open);
}

static inline void hang_up(caller *c)
{
    if (!c->is_closed)
        nb__link_abort(c->link);
    nb__text_fini(&c->received);
}

static inline void say(caller *c, const char *text)
{
    nb__link_send(c->link, NB__WS_TEXT, nb__span(text));
}

static inline void ask(caller *c, char tr_type, const char *tr_id, const char *tr_key)
{
    char text[400];
    snprintf(text, sizeof text,
             "{\"header\":{\"approval_key\": "
             "\"any\",\"custtype\":\"P\",\"tr_type\":\"%c\",\"content-type\":\"utf-8\"},"
             "\"body\":{\"input\":{\"tr_id\":\"%s\",\"tr_key\":\"%s\"}}}",
             tr_type, tr_id, tr_key);
    say(c, text);
}

static const char *hear(caller *c)
{
    UNTIL(c->d, c->at < c->received.size_bytes);
    const char *text = c->received.data + c->at;
    c->at += strlen(text) + 1;
    return text;
}

static inline void hear_nothing(caller *c)
{
    for (int i = 0; i < 10; i++)
        nb__loop_turn(c->d->loop, 2);
    if (c->at < c->received.size_bytes)
        fail_msg("unexpected: %s", c->received.data + c->at);
}

static inline void hear_exactly(caller *c, const char *text)
{
    assert_string_equal(hear(c), text);
}

/* An answer with this code, and on success with iv and key. */
static inline nb__answer hear_answer(caller *c, const char *msg_cd, const char *tr_key)
{
    nb__answer answer;
    const char *text = hear(c);
    assert_int_equal(nb__server_message_parse(nb__span(text), &answer), NB__SERVER_ANSWER);
    if (strcmp(answer.msg_cd, msg_cd) != 0)
        fail_msg("%s instead of %s", text, msg_cd);
    assert_string_equal(answer.tr_key, tr_key);
    bool is_success = strcmp(answer.rt_cd, "0") == 0;
    assert_int_equal(strlen(answer.iv), is_success ? 16 : 0);
    assert_int_equal(strlen(answer.key), is_success ? 32 : 0);
    return answer;
}

/* Send bytes, read until the server closes (or until a whole answer with Connection: keep-alive is
 * there). */
static inline int http(desk *d, const char *request, nb__text *answer)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), status = 0;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(nb__gateway_port(d->gateway))};
    char bytes[65536];
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    nb__text_clear(answer);
    for (int i = 0; i < TURNS_MAX; i++) {
        nb__loop_turn(d->loop, 1);
        ssize_t size = read(fd, bytes, sizeof bytes);
        if (size == 0)
            break;
        if (size > 0)
            nb__text_append(answer, bytes, (size_t)size);
    }
    close(fd);
    nb__text_append(answer, "", 1);
    if (sscanf(answer->data, "HTTP/1.1 %d", &status) != 1)
        fail_msg("no answer to %s", request);
    return status;
}

#endif
