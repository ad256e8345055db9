/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's TCP connection. A name may have several addresses (localhost: ::1 and 127.0.0.1): each
 * is tried in turn within one time-out. Ends exactly once, through nb__stream_end().
 */
#include "stream.h"
#include <arpa/inet.h>
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
    nb__fail(&stream->error, code, 0, "%s %.90s: %s", stream->doing, stream->name, words);
    nb__timer_cancel(stream->loop, &stream->timer);
    if (stream->lookup != NULL)
        nb__lookup_cancel(stream->lookup);
    stream->lookup = NULL;
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

void nb__stream_end_late(nb__stream *stream)
{
    long long timeout_ms = stream->timeout_ns / NB__NS_PER_MS;
    if (stream->lookup != NULL)
        nb__stream_end(stream, NB_E_TIMEOUT,
                       "the name was not looked up within %lld ms: do the name servers answer?",
                       timeout_ms);
    else
        nb__stream_end(stream, NB_E_TIMEOUT, "no answer within %lld ms", timeout_ms);
}

/* ---- connect ---- */

/* An address of this machine that the owner must not reach. One such address ends the attempt even
 * when the name has others: whoever pointed it here did not mean them. @return whether it ended. */
static bool stream_refuse(nb__stream *stream, const struct addrinfo *at)
{
    bool is_own_port = nb__socket_port(at->ai_addr) == stream->refused_port;
    if ((!stream->refuses_loopback && !is_own_port) || !nb__socket_is_this_machine(at->ai_addr))
        return false;
    char number[INET6_ADDRSTRLEN] = "?";
    getnameinfo(at->ai_addr, at->ai_addrlen, number, sizeof number, NULL, 0, NI_NUMERICHOST);
    char is_what[INET6_ADDRSTRLEN + 40] = "";
    if (strcmp(number, stream->address.host) != 0)
        snprintf(is_what, sizeof is_what, "the name is %s here (hosts file?); ", number);
    nb__stream_end(stream, NB_E_CONFIG,
                   "%sthat is %s, not KIS: ops_address: must name KIS's real address", is_what,
                   is_own_port ? "nightbook's own listener" : "this machine");
    return true;
}

/* @return 0, or why this address cannot be tried. */
static int connect_one(nb__stream *stream, const struct addrinfo *at)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    nb__socket_no_delay(fd);
    if (stream->user_timeout_ns > 0) {
        unsigned unanswered_ms = (unsigned)(stream->user_timeout_ns / NB__NS_PER_MS);
        int third_s = (int)(stream->user_timeout_ns / 3 / NB__NS_PER_S);
        nb__socket_keep_alive(fd, third_s > 0 ? third_s : 1, third_s > 0 ? third_s : 1);
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof unanswered_ms);
    }
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
        if (stream_refuse(stream, at))
            return;
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

/* ---- start ---- */

static void stream_found(void *self, struct addrinfo *found, const char *words)
{
    nb__stream *stream = self;
    stream->lookup = NULL;
    stream->found = found;
    stream->next = found;
    if (found == NULL)
        nb__stream_end(stream, NB_E_SYSTEM, "%s", words);
    else
        connect_next(stream, ECONNREFUSED);
}

/* "210.107.75.39", "210.107.75.39:21000", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:21000" */
static nb_err number_read(const char *text, nb__address *address, nb_error *error)
{
    struct in6_addr any;
    char url[NB__HOST_PORT_BYTES];
    nb__address parsed = {.port = 0};
    if (inet_pton(AF_INET6, text, &any) == 1) { /* without brackets no port can follow */
        snprintf(address->host, sizeof address->host, "%s", text);
        return NB_OK;
    }
    snprintf(url, sizeof url, "ws://%s", text);
    if (text[strcspn(text, "/?#")] != '\0' || nb__address_parse(url, &parsed, NULL) != NB_OK ||
        (inet_pton(AF_INET, parsed.host, &any) != 1 && inet_pton(AF_INET6, parsed.host, &any) != 1))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "'%.80s' is no number: write ADDR or ADDR:PORT, such as 203.0.113.7:21000",
                        text);
    const char *colon = strrchr(text, ':'), *bracket = strrchr(text, ']');
    if (colon != NULL && (bracket == NULL || colon > bracket))
        address->port = parsed.port;
    memcpy(address->host, parsed.host, sizeof address->host);
    return NB_OK;
}

static nb_err address_choose(nb__stream *stream, const nb__address *address, const char *numeric,
                             nb_error *error)
{
    char name[NB__HOST_PORT_BYTES], number[NB__HOST_PORT_BYTES];
    stream->address = *address;
    nb__address_print(address, name);
    snprintf(stream->name, sizeof stream->name, "%s", name);
    if (numeric == NULL || numeric[0] == '\0')
        return NB_OK;
    nb_err err = number_read(numeric, &stream->address, error);
    if (err != NB_OK)
        return err;
    nb__address_print(&stream->address, number);
    if (strcmp(name, number) != 0)
        snprintf(stream->name, sizeof stream->name, "%s at %s", name, number);
    return NB_OK;
}

nb_err nb__stream_start(nb__stream *stream, nb__loop *loop, const nb__stream_owner *owner,
                        const nb__address *address, const nb__link_options *options,
                        nb_error *error)
{
    nb_error failure = {.code = NB_OK};
    stream->loop = loop;
    stream->owner = owner;
    stream->doing = "connect to";
    stream->watch = (nb__watch){.fd = -1, .ready = stream_ready};
    stream->timer.fire = stream_timed_out;
    stream->flush.run = stream_flush;
    stream->bury.run = stream_bury;
    stream->timeout_ns = options->timeout_ns;
    stream->user_timeout_ns = options->user_timeout_ns;
    stream->refused_port = options->refused_port;
    stream->refuses_loopback = options->refuses_loopback;
    if (address_choose(stream, address, options->numeric, error) != NB_OK)
        return NB_E_ARGUMENT;
    nb__timer_set(loop, &stream->timer, nb__clock_mono_ns() + options->timeout_ns);
    const nb__address *to = &stream->address;
    struct addrinfo *number = nb__lookup_number(to->host, to->port);
    if (number != NULL)
        stream_found(stream, number, "");
    else if (nb__lookup_start(loop, to->host, to->port, stream_found, stream, &stream->lookup,
                              &failure) != NB_OK)
        nb__stream_end(stream, failure.code, "%s", failure.detail);
    return NB_OK;
}
