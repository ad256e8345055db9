/* SPDX-License-Identifier: Apache-2.0 */
/* A client's TCP connection, on which link and fetch stand: look-up, connect, time-out, output
 * queue, reads. */
#ifndef NB_IO_STREAM_H
#define NB_IO_STREAM_H

#include "loop.h"
#include "socket.h"

struct addrinfo;

typedef struct nb__stream nb__stream;
typedef struct nb__stream_owner {
    void (*connected)(nb__stream *stream);
    void (*received)(nb__stream *stream, char *data, size_t size_bytes);
    void (*ended)(nb__stream *stream); /**< the peer will send no more; the owner ends the stream */
    void (*timed_out)(nb__stream *stream); /**< the owner ends the stream */
    void (*buried)(nb__stream *stream);    /**< the last call: tell the user, free */
} nb__stream_owner;

struct nb__stream {
    nb__watch watch;
    nb__timer timer;
    nb__chore flush, bury;
    nb__loop *loop;
    const nb__stream_owner *owner;
    struct addrinfo *found,
        *next; /**< all addresses of the name, and the one to try when this one fails */
    nb__output output;
    const char *doing; /**< "connect to", "upgrade at" …: the first words of every error */
    int64_t recv_ns;   /**< UTC, right after the read */
    bool is_connected, is_write_watched, is_ended;
    nb_error error; /**< why it ended, or will end */
    char name[NB__HOST_PORT_BYTES];
};

/** Always succeeds: what goes wrong is told through buried(), at the end of a turn. */
void nb__stream_start(nb__stream *stream, nb__loop *loop, const nb__stream_owner *owner,
                      const nb__address *address, int64_t timeout_ns);
/** Send stream->output at the turn's end. */
void nb__stream_flush_later(nb__stream *stream);
/**
 * Disconnect, once; buried() follows at the turn's end. The error reads "DOING NAME: words"; an
 * error that the owner has put into stream->error before stands instead of these words.
 */
void nb__stream_end(nb__stream *stream, nb_err code, const char *format, ...) NB__PRINTF(3, 4);
void nb__stream_fini(nb__stream *stream);

#endif
