/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening half of the server: accept, refuse, deadlines, shutdown.
 *
 * A turn accepts at most ACCEPTS_PER_TURN, so that ten thousand clients that come at once starve
 * nobody. Deadlines are lists in order, one for each kind: setting and dropping one is O(1), and
 * only the earliest of all arms a timer.
 */
#include "server.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 256
#define REFUSED_MAX                                                                                \
    64 /* refused peers that are kept until they have read why; more are just closed */
#define ACCEPT_PAUSE_NS (100 * NB__NS_PER_MS)

nb__server_config nb__server_config_default(void)
{
    return (nb__server_config){
        .listen = {.host = "127.0.0.1", .path = "/"},
        .connections_max = 20000,
        .http_limits = {.head_max_bytes = 16384, .body_max_bytes = 65536},
        .message_max_bytes = 65536,
        .output_max_bytes = (size_t)1 << 20,
        .head_timeout_ns = 10 * NB__NS_PER_S,
        .idle_timeout_ns = 60 * NB__NS_PER_S,
        .close_timeout_ns = NB__NS_PER_S,
    };
}

/* ---- deadlines ---- */

static void deadline_arm(nb__server *server)
{
    int64_t at = INT64_MAX;
    for (size_t i = 0; i < NB__DEADLINE_KINDS; i++) {
        const nb__peer *first = server->deadlines[i].first;
        if (first != NULL && first->deadline_mono_ns < at)
            at = first->deadline_mono_ns;
    }
    if (at == INT64_MAX)
        nb__timer_cancel(server->loop, &server->timer);
    else if (server->timer.heap_index == 0 || server->timer.at_mono_ns != at)
        nb__timer_set(server->loop, &server->timer, at);
}

static void deadline_unlink(nb__peer *peer)
{
    if (peer->deadline_kind == NB__DEADLINE_NONE)
        return;
    nb__deadline_list *list = &peer->server->deadlines[peer->deadline_kind];
    *(peer->earlier == NULL ? &list->first : &peer->earlier->later) = peer->later;
    *(peer->later == NULL ? &list->last : &peer->later->earlier) = peer->earlier;
    peer->later = peer->earlier = NULL;
    peer->deadline_kind = NB__DEADLINE_NONE;
}

void nb__deadline_set(nb__peer *peer, nb__deadline_kind kind)
{
    nb__server *server = peer->server;
    deadline_unlink(peer);
    if (kind != NB__DEADLINE_NONE) {
        nb__deadline_list *list = &server->deadlines[kind];
        peer->deadline_kind = (uint8_t)kind;
        peer->deadline_mono_ns = nb__clock_mono_ns() + list->duration_ns;
        peer->earlier = list->last;
        *(list->last == NULL ? &list->first : &list->last->later) = peer;
        list->last = peer;
    }
    deadline_arm(server);
}

static void deadline_fire(nb__timer *timer, int64_t now_mono_ns)
{
    nb__server *server = NB__HOLDER(timer, nb__server, timer);
    for (size_t i = 0; i < NB__DEADLINE_KINDS; i++) {
        nb__peer *peer;
        while ((peer = server->deadlines[i].first) != NULL &&
               peer->deadline_mono_ns <= now_mono_ns) {
            deadline_unlink(peer);
            server->counters.timeouts++;
            nb__peer_expired(peer);
        }
    }
    deadline_arm(server);
}

/* ---- accept ---- */

void nb__peer_forget(nb__peer *peer)
{
    nb__server *server = peer->server;
    *(peer->prev == NULL ? &server->peers : &peer->prev->next) = peer->next;
    if (peer->next != NULL)
        peer->next->prev = peer->prev;
    server->peer_count--;
    server->refused_count -= peer->is_refused;
}

/* No descriptor is left. Give up the spare one, take the client off the queue, and get the spare
 * one back. */
static bool accept_with_spare(nb__server *server)
{
    if (server->spare_fd < 0)
        return false;
    close(server->spare_fd);
    int fd = accept4(server->watch.fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        server->counters.refused_full++;
        close(fd);
    }
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd >= 0;
}

static void accept_pause(nb__server *server)
{
    nb__watch_change(server->loop, &server->watch, 0);
    nb__timer_set(server->loop, &server->accept_timer, nb__clock_mono_ns() + ACCEPT_PAUSE_NS);
}

static void accept_again(nb__timer *timer, int64_t now_mono_ns)
{
    (void)now_mono_ns;
    nb__server *server = NB__HOLDER(timer, nb__server, accept_timer);
    if (server->spare_fd < 0)
        server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    nb__watch_change(server->loop, &server->watch, EPOLLIN);
}

static void peer_welcome(nb__server *server, int fd, const struct sockaddr_storage *address)
{
    bool is_full = server->peer_count - server->refused_count >= server->config.connections_max;
    server->counters.accepted += !is_full;
    server->counters.refused_full += is_full;
    if (is_full && server->refused_count >= REFUSED_MAX)
        close(fd);
    else
        nb__peer_new(server, fd, address, is_full);
}

static void accept_ready(nb__watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    nb__server *server = NB__HOLDER(watch, nb__server, watch);
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage address = {0};
        socklen_t size = sizeof address;
        int fd =
            accept4(watch->fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            peer_welcome(server, fd, &address);
            continue;
        }
        if (errno == EAGAIN)
            return;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            if (accept_with_spare(server))
                continue;
            accept_pause(server);
            return;
        }
        /* else this one client has gone already: the next */
    }
}

/* ---- life ---- */

static void server_bury(nb__chore *chore)
{
    free(NB__HOLDER(chore, nb__server, bury));
}

static void listening_end(nb__server *server)
{
    nb__timer_cancel(server->loop, &server->accept_timer);
    if (server->watch.fd >= 0) {
        nb__watch_remove(server->loop, &server->watch);
        close(server->watch.fd);
        server->watch.fd = -1;
    }
    if (server->spare_fd >= 0)
        close(server->spare_fd);
    server->spare_fd = -1;
}

nb_err nb__server_open(nb__loop *loop, const nb__server_config *config,
                       const nb__server_handler *handler, nb__server **out, nb_error *error)
{
    nb__server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "server: memory is exhausted");
    server->loop = loop;
    server->config = *config;
    server->handler = *handler;
    server->deadlines[NB__DEADLINE_HEAD].duration_ns = config->head_timeout_ns;
    server->deadlines[NB__DEADLINE_IDLE].duration_ns = config->idle_timeout_ns;
    server->deadlines[NB__DEADLINE_CLOSE].duration_ns = config->close_timeout_ns;
    server->timer.fire = deadline_fire;
    server->accept_timer.fire = accept_again;
    server->bury.run = server_bury;
    server->watch.ready = accept_ready;
    nb_err err = nb__socket_listen(&config->listen, config->send_buffer_bytes, &server->watch.fd,
                                   &server->port, error);
    if (err != NB_OK) {
        free(server);
        return err;
    }
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nb__watch_add(loop, &server->watch, EPOLLIN) != NB_OK) {
        err = nb__fail(error, NB_E_SYSTEM, 0, "listen: %s", strerrordesc_np(errno));
        listening_end(server);
        free(server);
        return err;
    }
    *out = server;
    return NB_OK;
}

uint16_t nb__server_port(const nb__server *server)
{
    return server->port;
}

uint32_t nb__server_connection_count(const nb__server *server)
{
    return server->peer_count - server->refused_count;
}

const nb__server_counters *nb__server_count(const nb__server *server)
{
    return &server->counters;
}

void nb__server_shutdown(nb__server *server)
{
    if (server->is_shut)
        return;
    server->is_shut = true;
    listening_end(server);
    for (nb__peer *peer = server->peers; peer != NULL; peer = peer->next)
        nb__peer_shutdown(peer);
}

void nb__server_close(nb__server *server)
{
    if (server == NULL)
        return;
    server->is_shut = true;
    listening_end(server);
    for (nb__peer *peer = server->peers, *next; peer != NULL; peer = next) {
        next = peer->next;
        nb__peer_end(peer, "the server is closed");
        if (peer->is_opened && server->handler.closed != NULL) {
            peer->is_opened = false;
            server->handler.closed(server->handler.self, peer, peer->detail);
        }
        nb__loop_bury_later(server->loop, &peer->bury);
    }
    nb__timer_cancel(server->loop, &server->timer);
    nb__loop_bury_later(server->loop, &server->bury);
}
