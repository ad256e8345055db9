/* SPDX-License-Identifier: Apache-2.0 */
/* What a well-mannered server never does to its peers, and a look-alike's faults do. */
#include "server.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BACKLOG 1024

void nb__peer_reset(nb__peer *peer)
{
    if (peer->state == NB__PEER_GONE)
        return;
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(peer->watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    nb__peer_end(peer, "reset by the server");
}

void nb__peer_eof(nb__peer *peer)
{
    nb__peer_drain(peer, "ended by the server without a Close frame");
}

void nb__peer_mute(nb__peer *peer)
{
    peer->is_muted = true;
    nb__peer_flush(peer);
}

/* A socket that is bound and does not listen keeps the port, and the kernel answers RST. It was
 * given the port by its number: after that, shutdown() does not let go of it. */
static nb_err refuse(nb__server *server, nb_error *error)
{
    nb__address address = server->config.listen;
    address.port = server->port;
    nb__watch_remove(server->loop, &server->watch);
    close(server->watch.fd);
    server->watch.fd = -1;
    nb_err err = nb__socket_listen(&address, server->config.send_buffer_bytes, &server->watch.fd,
                                   &server->port, error);
    if (err == NB_OK)
        shutdown(server->watch.fd, SHUT_RDWR);
    return err;
}

static nb_err accept_again(nb__server *server, nb_error *error)
{
    if (server->watch.fd >= 0 && listen(server->watch.fd, BACKLOG) == 0 &&
        nb__watch_add(server->loop, &server->watch, EPOLLIN) == NB_OK)
        return NB_OK;
    return nb__fail(error, NB_E_SYSTEM, 0, "listen again on port %u: %s", server->port,
                    strerrordesc_np(errno));
}

nb_err nb__server_refuse(nb__server *server, bool is_refusing, nb_error *error)
{
    if (server->is_shut)
        return NB_OK;
    nb__timer_cancel(server->loop, &server->accept_timer);
    return is_refusing ? refuse(server, error) : accept_again(server, error);
}
