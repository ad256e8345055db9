/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's TCP connection. A name may have several addresses (localhost: ::1 and 127.0.0.1): each
 * is tried in turn within one time-out. Ends exactly once, through nb__stream_end().
 */
#include "stream.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static void stream_close_fd(nb__stream *stream)
{
    if (stream->watch.fd < 0)
        return;
    nb__watch_remove(stream->loop, &stream->watch);
    close(stream->watch.fd);
    stream->watch.fd = -1;
}

void nb__stream_end(nb__stream *stream, nb_err code, const char *format, ...)
{
    if (stream->is_ended)
        return;
    stream->is_ended = true;
    char words[sizeof stream->error.detail];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    if (stream->error.code != NB_OK) { /* the owner knows better */
        code = stream->error.code;
        memcpy(words, stream->error.detail, sizeof words);
    }
    nb__fail(&stream->error, code, 0, "%s %.60s: %s", stream->doing, stream->name, words);
    nb__timer_cancel(stream->loop, &stream->timer);
    stream_close_fd(stream);
    nb__loop_bury_later(stream->loop, &stream->bury);
}

void nb__stream_fini(nb__stream *stream)
{
    if (stream->found != NULL)
        freeaddrinfo(stream->found);
    nb__output_fini(&stream->output);
}

static void stream_fail(nb__stream *stream, int reason)
{
    nb_err code = NB_E_SYSTEM;
    if (reason == ECONNREFUSED)
        code = NB_E_REFUSED;
    else if (reason == ETIMEDOUT)
        code = NB_E_TIMEOUT;
    else if (reason == ECONNRESET || reason == EPIPE)
        code = NB_E_CLOSED;
    nb__stream_end(stream, code, "%s", strerrordesc_np(reason));
}

/* ---- connect ---- */

/* @return 0, or why this address cannot be tried. */
static int connect_one(nb__stream *stream, const struct addrinfo *at)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    unsigned unanswered_ms = 30000;
    nb__socket_no_delay(fd);
    nb__socket_keep_alive(fd, 15, 5);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof unanswered_ms);
    stream->watch.fd = fd;
    if ((connect(fd, at->ai_addr, at->ai_addrlen) == 0 || errno == EINPROGRESS) &&
        nb__watch_add(stream->loop, &stream->watch, EPOLLOUT) == NB_OK)
        return 0;
    int reason = errno;
    close(fd);
    stream->watch.fd = -1;
    return reason;
}

static void connect_next(nb__stream *stream, int reason)
{
    while (stream->next != NULL) {
        const struct addrinfo *at = stream->next;
        stream->next = at->ai_next;
        reason = connect_one(stream, at);
        if (reason == 0)
            return;
    }
    stream_fail(stream, reason);
}

static void connect_ready(nb__stream *stream)
{
    int reason = 0;
    socklen_t size = sizeof reason;
    if (getsockopt(stream->watch.fd, SOL_SOCKET, SO_ERROR, &reason, &size) != 0)
        reason = errno;
    if (reason != 0) {
        stream_close_fd(stream);
        connect_next(stream, reason);
        return;
    }
    stream->is_connected = true;
    nb__watch_change(stream->loop, &stream->watch, EPOLLIN);
    freeaddrinfo(stream->found);
    stream->found = NULL;
    stream->next = NULL;
    stream->owner->connected(stream);
}

/* ---- bytes ---- */

static void stream_send(nb__stream *stream)
{
    size_t taken_bytes;
    if (stream->is_ended || !stream->is_connected)
        return;
    if (stream->output.text.is_failed) {
        nb__stream_end(stream, NB_E_MEMORY, "memory is exhausted");
        return;
    }
    if (!nb__output_send(&stream->output, stream->watch.fd, &taken_bytes)) {
        stream_fail(stream, errno);
        return;
    }
    bool has_left = nb__output_left(&stream->output) > 0;
    if (has_left != stream->is_write_watched)
        nb__watch_change(stream->loop, &stream->watch, has_left ? EPOLLIN | EPOLLOUT : EPOLLIN);
    stream->is_write_watched = has_left;
}

static void stream_read(nb__stream *stream)
{
    char *buffer = nb__loop_read_buffer(stream->loop);
    ssize_t size = recv(stream->watch.fd, buffer, NB__READ_BUFFER_BYTES, 0);
    int reason = errno;
    stream->recv_ns = nb__clock_real_ns();
    if (size > 0)
        stream->owner->received(stream, buffer, (size_t)size);
    else if (size == 0)
        stream->owner->ended(stream);
    else if (reason != EAGAIN && reason != EINTR)
        stream_fail(stream, reason);
}

static void stream_ready(nb__watch *watch, uint32_t epoll_events)
{
    nb__stream *stream = NB__HOLDER(watch, nb__stream, watch);
    if (!stream->is_connected) {
        connect_ready(stream);
        return;
    }
    if (epoll_events & EPOLLOUT)
        stream_send(stream);
    if (!stream->is_ended && (epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        stream_read(stream);
}

static void stream_flush(nb__chore *chore)
{
    stream_send(NB__HOLDER(chore, nb__stream, flush));
}

static void stream_bury(nb__chore *chore)
{
    nb__stream *stream = NB__HOLDER(chore, nb__stream, bury);
    stream->owner->buried(stream);
}

static void stream_timed_out(nb__timer *timer, int64_t now_mono_ns)
{
    (void)now_mono_ns;
    nb__stream *stream = NB__HOLDER(timer, nb__stream, timer);
    stream->owner->timed_out(stream);
}

void nb__stream_flush_later(nb__stream *stream)
{
    if (!stream->is_ended && !stream->is_write_watched)
        nb__loop_flush_later(stream->loop, &stream->flush);
}

void nb__stream_start(nb__stream *stream, nb__loop *loop, const nb__stream_owner *owner,
                      const nb__address *address, int64_t timeout_ns)
{
    stream->loop = loop;
    stream->owner = owner;
    stream->doing = "connect to";
    stream->watch = (nb__watch){.fd = -1, .ready = stream_ready};
    stream->timer.fire = stream_timed_out;
    stream->flush.run = stream_flush;
    stream->bury.run = stream_bury;
    nb__address_print(address, stream->name);
    char service[8];
    snprintf(service, sizeof service, "%u", address->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    int code = getaddrinfo(address->host, service, &hints, &stream->found);
    if (code != 0) {
        stream->found = NULL;
        nb__stream_end(stream, NB_E_SYSTEM, "%s", gai_strerror(code));
        return;
    }
    stream->next = stream->found;
    nb__timer_set(loop, &stream->timer, nb__clock_mono_ns() + timeout_ns);
    connect_next(stream, ECONNREFUSED);
}
