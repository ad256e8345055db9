/* SPDX-License-Identifier: Apache-2.0 */
/* Small things about sockets that server and clients share. */
#ifndef NB_IO_SOCKET_H
#define NB_IO_SOCKET_H

#include "io/io.h"
#include <sys/socket.h>

/** "[ffff:…:255.255.255.255]:65535" and its NUL. */
#define NB__SOCKET_NAME_BYTES 56
/** Print "127.0.0.1:5000" or "[::1]:5000". */
void nb__socket_name(const struct sockaddr_storage *address, char out[NB__SOCKET_NAME_BYTES]);
bool nb__socket_is_loopback(const struct sockaddr_storage *address);
/** Loopback, the unspecified address, or one that an interface of this machine has. */
bool nb__socket_is_this_machine(const struct sockaddr *address);
uint16_t nb__socket_port(const struct sockaddr *address);
/** Wake a connection whose peer has vanished: after idle + 3 × interval seconds the read fails. */
void nb__socket_keep_alive(int fd, int idle_s, int interval_s);
void nb__socket_no_delay(int fd);
/** "HOST:PORT", an IPv6 number in brackets; `out` holds 272 bytes. */
#define NB__HOST_PORT_BYTES 272
void nb__address_print(const nb__address *address, char out[NB__HOST_PORT_BYTES]);
/** Bind and listen. @param[out] fd  Non-blocking; accepted sockets inherit its options. */
nb_err nb__socket_listen(const nb__address *address, int send_buffer_bytes, int *fd, uint16_t *port,
                         nb_error *error);

/**
 * Bytes on their way out. `data` is freed whenever all is sent.
 * @return false when the socket failed; errno says how. EAGAIN is no failure: the rest stays.
 */
typedef struct nb__output {
    nb__text text;
    size_t sent_bytes;
} nb__output;
size_t nb__output_left(const nb__output *output);
bool nb__output_send(nb__output *output, int fd, size_t *taken_bytes);
void nb__output_fini(nb__output *output);

#endif
