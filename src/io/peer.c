/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One accepted connection: its socket, output queue, and end.
 *
 *   HTTP ─upgrade─▶ OPEN ─our Close─▶ CLOSING ─their Close─▶ DRAIN ─▶ GONE ─turn's end─▶ freed
 *     └─last answer──────┴─their Close, error─────────────────┘
 *
 * DRAIN flushes, shuts our side down and throws away what still comes, for at most the close
 * time-out: closing a socket that holds unread bytes would reset the connection, and our last words
 * might be lost.
 */
#include "server.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define HTTP_READ_BYTES 16384 /* what a client may make us hold behind an unanswered request */
#define WS_READ_BYTES ((size_t)256 << 10)

_Static_assert(sizeof(nb__peer) <= 368, "all that an idle WebSocket client costs here");

/* ---- the end ---- */

static void peer_bury(nb__chore *chore)
{
    nb__peer *peer = NB__HOLDER(chore, nb__peer, bury);
    const nb__server_handler *handler = &peer->server->handler;
    nb__peer_forget(
        peer); /* first: closed() may close the server, which buries all that it knows */
    if (peer->is_opened && handler->closed != NULL)
        handler->closed(handler->self, peer, peer->detail);
    nb__peer_http_free(peer);
    nb__ws_fini(&peer->ws);
    nb__output_fini(&peer->output);
    free(peer);
}

void nb__peer_end(nb__peer *peer, const char *detail)
{
    if (peer->state == NB__PEER_GONE)
        return;
    peer->state = NB__PEER_GONE;
    if (peer->detail == NULL)
        peer->detail = detail;
    nb__deadline_set(peer, NB__DEADLINE_NONE);
    nb__watch_remove(peer->server->loop, &peer->watch);
    close(peer->watch.fd);
    peer->watch.fd = -1;
    bool is_owed_answer = peer->http != NULL && peer->http->is_requested;
    if (!is_owed_answer) /* else nb__peer_respond() buries it: the handler still holds it */
        nb__loop_bury_later(peer->server->loop, &peer->bury);
}

void nb__peer_drain(nb__peer *peer, const char *detail)
{
    if (peer->state >= NB__PEER_DRAIN || peer->is_muted)
        return;
    bool is_http = peer->state == NB__PEER_HTTP;
    peer->state = NB__PEER_DRAIN;
    if (peer->detail == NULL)
        peer->detail = detail;
    nb__deadline_set(peer, is_http ? NB__DEADLINE_IDLE : NB__DEADLINE_CLOSE);
    nb__loop_flush_later(peer->server->loop, &peer->flush);
}

static void peer_drained(nb__peer *peer)
{
    if (peer->is_input_ended) {
        nb__peer_end(peer, peer->detail);
        return;
    }
    shutdown(peer->watch.fd, SHUT_WR);
    nb__deadline_set(peer, NB__DEADLINE_CLOSE);
}

/* ---- what epoll is asked for ---- */

static bool wants_input(const nb__peer *peer)
{
    if (peer->is_input_ended || peer->is_paused)
        return false;
    return peer->state != NB__PEER_HTTP || nb__peer_http_wants_input(peer);
}

void nb__peer_interest_update(nb__peer *peer)
{
    if (peer->state == NB__PEER_GONE)
        return;
    uint32_t interest = (wants_input(peer) ? (uint32_t)EPOLLIN : 0) |
                        (peer->is_write_wanted ? (uint32_t)EPOLLOUT : 0);
    if (interest == peer->interest)
        return;
    peer->interest = interest;
    nb__watch_change(peer->server->loop, &peer->watch, interest);
}

/* ---- writing ---- */

void nb__peer_flush(nb__peer *peer)
{
    if (peer->state == NB__PEER_GONE)
        return;
    if (peer->output.text.is_failed) {
        nb__peer_end(peer, "memory is exhausted");
        return;
    }
    if (peer->is_muted) {
        nb__output_fini(&peer->output);
        return;
    }
    bool had_output = nb__output_left(&peer->output) > 0;
    size_t taken_bytes;
    if (!nb__output_send(&peer->output, peer->watch.fd, &taken_bytes)) {
        nb__peer_end(peer, "the connection broke while writing");
        return;
    }
    nb__server_counters *counters = &peer->server->counters;
    counters->writes += had_output;
    counters->bytes_out += taken_bytes;
    if (nb__output_left(&peer->output) > 0)
        peer->is_write_wanted = true; /* until EPOLLOUT: nb__peer_write() may wait for it too */
    if (!peer->is_write_wanted && peer->state == NB__PEER_DRAIN)
        peer_drained(peer);
    else if (peer->is_write_wanted && taken_bytes > 0 && peer->deadline_kind == NB__DEADLINE_IDLE)
        nb__deadline_set(peer, NB__DEADLINE_IDLE); /* a slow reader makes progress */
    nb__peer_interest_update(peer);
}

static void flush_run(nb__chore *chore)
{
    nb__peer *peer = NB__HOLDER(chore, nb__peer, flush);
    nb__peer_flush(peer);
    if (peer->state == NB__PEER_HTTP)
        nb__peer_requests_resume(peer);
}

void nb__peer_output_grown(nb__peer *peer)
{
    if (nb__output_left(&peer->output) > peer->server->config.output_max_bytes)
        nb__peer_end(peer, "it reads too slowly: its output queue is full");
    else if (!peer->is_write_wanted)
        nb__loop_flush_later(peer->server->loop, &peer->flush);
}

void nb__peer_send_text(nb__peer *peer, nb_span text)
{
    if (peer->state != NB__PEER_OPEN)
        return;
    nb__ws_frame_append(&peer->output.text, NB__WS_TEXT, text, NULL);
    nb__peer_output_grown(peer);
}

void nb__peer_send_bytes(nb__peer *peer, nb_span framed)
{
    if (peer->state != NB__PEER_OPEN)
        return;
    nb__text_append(&peer->output.text, framed.data, framed.size_bytes);
    nb__peer_output_grown(peer);
}

size_t nb__peer_queued_bytes(const nb__peer *peer)
{
    return nb__output_left(&peer->output);
}

nb_err nb__peer_write(nb__peer *peer, const struct iovec *iov, int iov_count, size_t *taken_bytes)
{
    *taken_bytes = 0;
    if (peer->state == NB__PEER_OPEN && nb__output_left(&peer->output) > 0)
        nb__peer_flush(peer);
    if (peer->state != NB__PEER_OPEN)
        return NB_E_CLOSED;
    if (peer->is_write_wanted)
        return NB_OK;
    size_t total_bytes = 0;
    for (int i = 0; i < iov_count; i++)
        total_bytes += iov[i].iov_len;
    struct msghdr message = {.msg_iov = (struct iovec *)iov,
                             .msg_iovlen = (size_t)(iov_count < 1024 ? iov_count : 1024)};
    ssize_t size = sendmsg(peer->watch.fd, &message, MSG_NOSIGNAL);
    if (size < 0 && errno != EAGAIN && errno != EINTR) {
        nb__peer_end(peer, "the connection broke while writing");
        return NB_E_CLOSED;
    }
    *taken_bytes = size > 0 ? (size_t)size : 0;
    peer->server->counters.writes++;
    peer->server->counters.bytes_out += *taken_bytes;
    if (*taken_bytes < total_bytes) {
        peer->is_write_wanted = true;
        nb__peer_interest_update(peer);
    }
    return NB_OK;
}

/* ---- reading ---- */

static void peer_input_ended(nb__peer *peer)
{
    peer->is_input_ended = true;
    if (peer->state == NB__PEER_HTTP && nb__output_left(&peer->output) > 0)
        nb__peer_drain(peer, "the client disconnected");
    else if (peer->state != NB__PEER_DRAIN || nb__output_left(&peer->output) == 0)
        nb__peer_end(peer, "the client disconnected without a Close frame");
}

static void peer_read(nb__peer *peer)
{
    nb__server *server = peer->server;
    char *buffer = nb__loop_read_buffer(server->loop);
    size_t room = peer->state == NB__PEER_HTTP ? HTTP_READ_BYTES : WS_READ_BYTES;
    ssize_t size = recv(peer->watch.fd, buffer, room, 0);
    if (size < 0) {
        if (errno != EAGAIN && errno != EINTR)
            nb__peer_end(peer, "the connection was reset");
        return;
    }
    server->counters.bytes_in += (uint64_t)size;
    if (size == 0)
        peer_input_ended(peer);
    else if (peer->state == NB__PEER_HTTP)
        nb__peer_requests_read(peer, buffer, (size_t)size);
    else if (peer->state != NB__PEER_DRAIN)
        nb__peer_frames_read(peer, buffer, buffer + size);
}

static void peer_writable(nb__peer *peer)
{
    const nb__server_handler *handler = &peer->server->handler;
    peer->is_write_wanted = false;
    nb__peer_flush(peer);
    if (peer->is_write_wanted)
        return;
    if (peer->state == NB__PEER_HTTP)
        nb__peer_requests_resume(peer);
    else if (peer->state == NB__PEER_OPEN && handler->writable != NULL)
        handler->writable(handler->self, peer);
}

static void peer_ready(nb__watch *watch, uint32_t epoll_events)
{
    nb__peer *peer = NB__HOLDER(watch, nb__peer, watch);
    if (epoll_events & EPOLLOUT)
        peer_writable(peer);
    if (peer->state != NB__PEER_GONE && (epoll_events & EPOLLIN) && wants_input(peer))
        peer_read(peer);
    else if (epoll_events & (EPOLLHUP | EPOLLERR))
        nb__peer_end(peer, "the connection was reset");
    nb__peer_interest_update(peer);
}

/* ---- life ---- */

void nb__peer_new(nb__server *server, int fd, const struct sockaddr_storage *address,
                  bool is_refused)
{
    nb__peer *peer = calloc(1, sizeof *peer);
    nb__peer_http *http = calloc(1, sizeof *http);
    if (peer == NULL || http == NULL) {
        free(peer);
        free(http);
        close(fd);
        return;
    }
    peer->watch = (nb__watch){.fd = fd, .ready = peer_ready};
    peer->flush.run = flush_run;
    peer->bury.run = peer_bury;
    peer->server = server;
    peer->http = http;
    peer->deadline_kind = NB__DEADLINE_NONE;
    peer->is_refused = is_refused;
    peer->is_loopback = nb__socket_is_loopback(address);
    nb__socket_name(address, peer->name);
    nb__http_init(&http->http, NB__WS_SERVER, server->config.http_limits);
    peer->next = server->peers;
    if (server->peers != NULL)
        server->peers->prev = peer;
    server->peers = peer;
    server->peer_count++;
    server->refused_count += is_refused;
    peer->interest = EPOLLIN;
    if (nb__watch_add(server->loop, &peer->watch, EPOLLIN) != NB_OK) {
        nb__peer_end(peer, "epoll refused");
        return;
    }
    nb__deadline_set(peer, NB__DEADLINE_HEAD);
    if (is_refused)
        nb__peer_http_refuse(peer, 503, "the connection limit is reached; try again later");
}

void nb__peer_expired(nb__peer *peer)
{
    static const char not_whole[] = "a message was not whole in time";
    if (peer->state == NB__PEER_HTTP && peer->http->is_partial) {
        nb__peer_http_refuse(peer, 408, "the request was not whole in time");
    } else if (peer->state == NB__PEER_OPEN) {
        nb__peer_close(peer, 1008, nb__span(not_whole));
        peer->detail = not_whole;
    } else {
        nb__peer_end(peer, "it took too long");
    }
}

void nb__peer_shutdown(nb__peer *peer)
{
    if (peer->state == NB__PEER_OPEN)
        nb__peer_close(peer, 1001, NB__SPAN("the server ends"));
    else if (peer->state == NB__PEER_HTTP && !peer->http->is_requested)
        nb__peer_drain(peer, "the server ends");
    nb__peer_flush(peer);
}

void nb__peer_close(nb__peer *peer, uint16_t code, nb_span reason)
{
    if (peer->state == NB__PEER_HTTP) {
        nb__peer_drain(peer, "closed by the server");
        return;
    }
    if (peer->state != NB__PEER_OPEN)
        return;
    nb__ws_close_append(&peer->output.text, code, reason, NULL);
    peer->state = NB__PEER_CLOSING;
    peer->detail = "closed by the server";
    nb__deadline_set(peer, NB__DEADLINE_CLOSE);
    nb__loop_flush_later(peer->server->loop, &peer->flush);
}

void nb__peer_abort(nb__peer *peer)
{
    nb__peer_end(peer, "aborted by the server");
}

void nb__peer_pause(nb__peer *peer, bool is_paused)
{
    peer->is_paused = is_paused;
    nb__peer_interest_update(peer);
}

void *nb__peer_user(const nb__peer *peer)
{
    return peer->user;
}

void nb__peer_set_user(nb__peer *peer, void *user)
{
    peer->user = user;
}

const char *nb__peer_name(const nb__peer *peer)
{
    return peer->name;
}

bool nb__peer_is_loopback(const nb__peer *peer)
{
    return peer->is_loopback;
}
