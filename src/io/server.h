/* SPDX-License-Identifier: Apache-2.0 */
/* What server.c (listening, accepting, deadlines) and peer.c (one connection) know of each other.
 */
#ifndef NB_IO_SERVER_H
#define NB_IO_SERVER_H

#include "loop.h"
#include "socket.h"

/** Each kind lasts the same for all peers, so a list in the order of entry is in the order of its
 * deadlines. */
typedef enum nb__deadline_kind {
    NB__DEADLINE_HEAD,  /**< a request, or a message, must be whole */
    NB__DEADLINE_IDLE,  /**< keep-alive without a request; an answer that is not taken */
    NB__DEADLINE_CLOSE, /**< the other end must close */
    NB__DEADLINE_KINDS,
    NB__DEADLINE_NONE = NB__DEADLINE_KINDS
} nb__deadline_kind;

typedef enum nb__peer_state {
    NB__PEER_HTTP,    /**< reads requests, one at a time */
    NB__PEER_OPEN,    /**< WebSocket */
    NB__PEER_CLOSING, /**< our Close is sent; theirs is awaited */
    NB__PEER_DRAIN,   /**< all is said: flush, shut down, throw away input until theirs ends */
    NB__PEER_GONE     /**< fd closed, will be buried */
} nb__peer_state;

/** The HTTP half of a peer's life; given back at the upgrade. */
typedef struct nb__peer_http {
    nb__http http;
    nb__text waiting;  /**< bytes that came behind a request which is not answered yet */
    bool is_requested; /**< the handler owes an answer */
    bool is_head;      /**< … without a body */
    bool is_partial;   /**< some bytes of the next request are in */
    bool is_reading;   /**< requests_read() runs: do not enter it again */
} nb__peer_http;

/** All that an idle WebSocket client costs here (peer.c watches its size). */
struct nb__peer {
    nb__watch watch;
    nb__chore flush, bury;
    nb__server *server;
    nb__peer *next, *prev;     /**< of the server's list */
    nb__peer *later, *earlier; /**< of its deadline's list */
    int64_t deadline_mono_ns;
    void *user;
    nb__peer_http *http; /**< NULL after the upgrade */
    nb__output output;
    const char *detail; /**< why it closes; static */
    nb__ws ws;
    uint32_t interest; /**< epoll events asked for */
    uint8_t state, deadline_kind;
    bool is_opened; /**< closed() is owed */
    bool is_paused, is_write_wanted, is_input_ended, is_refused, is_loopback, is_muted;
    char name[NB__SOCKET_NAME_BYTES];
};

typedef struct nb__deadline_list {
    nb__peer *first, *last;
    int64_t duration_ns;
} nb__deadline_list;

struct nb__server {
    nb__watch watch;        /**< the listening socket; fd -1 after the shutdown */
    nb__timer timer;        /**< the earliest deadline of all */
    nb__timer accept_timer; /**< when accepting had to pause */
    nb__chore bury;
    nb__loop *loop;
    nb__server_config config;
    nb__server_handler handler;
    nb__server_counters counters;
    nb__deadline_list deadlines[NB__DEADLINE_KINDS];
    nb__peer *peers;
    uint32_t peer_count, refused_count;
    int spare_fd; /**< given up to accept and refuse when no descriptor is left */
    uint16_t port;
    bool is_shut;
};

/* server.c */
void nb__deadline_set(nb__peer *peer, nb__deadline_kind kind);
void nb__peer_forget(nb__peer *peer); /**< out of the server's lists */

/* peer.c */
/** Takes the fd, also when it fails. */
void nb__peer_new(nb__server *server, int fd, const struct sockaddr_storage *address,
                  bool is_refused);
void nb__peer_expired(nb__peer *peer);
void nb__peer_shutdown(nb__peer *peer);
/** Disconnect; closed() follows at the turn's end. `detail` is static; the first one counts. */
void nb__peer_end(nb__peer *peer, const char *detail);
void nb__peer_flush(nb__peer *peer);
/** Bytes were appended to the queue: flush it at the turn's end, or end the peer when it is too
 * long. */
void nb__peer_output_grown(nb__peer *peer);
/** Nothing more will be queued: flush, then wait for the other end's end. */
void nb__peer_drain(nb__peer *peer, const char *detail);
void nb__peer_interest_update(nb__peer *peer);

/* peer_http.c */
#define NB__HTTP_OUTPUT_HIGH_BYTES 65536 /**< pipelined requests wait while this much is unsent */
void nb__peer_requests_read(nb__peer *peer, char *data, size_t size_bytes);
void nb__peer_requests_resume(nb__peer *peer);
bool nb__peer_http_wants_input(const nb__peer *peer);
/** Answer without the handler, and close. For peers in NB__PEER_HTTP. */
void nb__peer_http_refuse(nb__peer *peer, int status, const char *detail);
void nb__peer_http_free(nb__peer *peer);

/* peer_ws.c */
void nb__peer_frames_read(nb__peer *peer, char *at, char *end);

#endif
