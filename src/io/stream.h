/* SPDX-License-Identifier: Apache-2.0 */
/* A client's TCP connection, on which link and fetch stand: look-up, connect, time-out, output
 * queue, reads. */
#ifndef NB_IO_STREAM_H
#define NB_IO_STREAM_H

#include "lookup.h"
#include "socket.h"

/** "HOST:PORT" or "HOST:PORT at NUMBER:PORT". */
#define NB__STREAM_NAME_BYTES (2 * NB__HOST_PORT_BYTES + 4)

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
    nb__lookup *lookup; /**< while it runs */
    /** All addresses of the name, and the one to try when this one fails. */
    struct addrinfo *found, *next;
    nb__address address; /**< with the number in place of the name when one was given */
    int64_t timeout_ns, user_timeout_ns;
    uint16_t refused_port;
    bool refuses_loopback;
    nb__output output;
    const char *doing; /**< "connect to", "upgrade at" …: the first words of every error */
    int64_t recv_ns;   /**< UTC, right after the read */
    bool is_connected, is_write_watched, is_ended;
    nb_error error; /**< why it ended, or will end */
    char name[NB__STREAM_NAME_BYTES];
};

/**
 * @retval NB_E_ARGUMENT  options->numeric is no number; nothing was started. Whatever else goes
 * wrong is told through buried(), at the end of a turn.
 */
nb_err nb__stream_start(nb__stream *stream, nb__loop *loop, const nb__stream_owner *owner,
                        const nb__address *address, const nb__link_options *options,
                        nb_error *error);
/** timed_out() on the way to the first answer: end it, saying what was being waited for. */
void nb__stream_end_late(nb__stream *stream);
/** Send stream->output at the turn's end. */
void nb__stream_flush_later(nb__stream *stream);
/**
 * Disconnect, once; buried() follows at the turn's end. The error reads "DOING NAME: words"; an
 * error that the owner has put into stream->error before stands instead of these words.
 */
void nb__stream_end(nb__stream *stream, nb_err code, const char *format, ...) NB__PRINTF(3, 4);
void nb__stream_fini(nb__stream *stream);

#endif
