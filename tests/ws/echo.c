/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_echo: a WebSocket echo server made of rooms ws and io, for conformance suites
 * (tests/ws/conformance.py, Autobahn).
 *
 *     ws_echo [--listen ADDR:PORT]        (127.0.0.1:0: a port of the kernel's choice)
 *
 * Prints `listening ws://ADDR:PORT` on stdout, sends every text and binary message back, and ends
 * on SIGINT or SIGTERM. PING and Close are answered by room io.
 */
#include "io/io.h"
#include <stdio.h>
#include <string.h>

#define MESSAGE_MAX_BYTES ((size_t)32 << 20)
/* A client may send four of the largest messages before it reads the first. */
#define OUTPUT_MAX_BYTES (4 * MESSAGE_MAX_BYTES)

static void on_request(void *self, nb__peer *peer, const nb__http_message *request)
{
    (void)self;
    (void)request;
    nb__peer_respond(peer, 426, "text/plain", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
                     NB__SPAN("this is a WebSocket echo\n"));
}

static int on_upgrade(void *self, nb__peer *peer, const nb__http_message *request,
                      nb__text *extra_headers, const char **detail)
{
    (void)self;
    (void)peer;
    (void)request;
    (void)extra_headers;
    (void)detail;
    return 101;
}

static void on_opened(void *self, nb__peer *peer)
{
    (void)self;
    (void)peer;
}

static void on_message(void *self, nb__peer *peer, const nb__ws_event *event)
{
    (void)self;
    if (event->opcode == NB__WS_TEXT) {
        nb__peer_send_text(peer, event->payload);
        return;
    }
    nb__text frame = {0};
    nb__ws_frame_append(&frame, event->opcode, event->payload, NULL);
    if (frame.is_failed)
        nb__peer_close(peer, 1011, NB__SPAN("memory is exhausted"));
    else
        nb__peer_send_bytes(peer, nb__text_view(&frame));
    nb__text_fini(&frame);
}

static nb_err serve(nb__loop *loop, const nb__server_config *config, nb_error *error)
{
    static const nb__server_handler handler = {
        .request = on_request, .upgrade = on_upgrade, .opened = on_opened, .message = on_message};
    nb__server *server;
    nb_err code = nb__loop_stop_on_signals(loop, error);
    if (code == NB_OK)
        code = nb__server_open(loop, config, &handler, &server, error);
    if (code != NB_OK)
        return code;
    bool is_v6 = strchr(config->listen.host, ':') != NULL;
    printf("listening ws://%s%s%s:%u\n", is_v6 ? "[" : "", config->listen.host, is_v6 ? "]" : "",
           nb__server_port(server));
    fflush(stdout);
    code = nb__loop_run(loop);
    nb__server_shutdown(server);
    nb__server_close(server);
    return code;
}

int main(int argc, char **argv)
{
    nb_error error = {0};
    nb__server_config config = nb__server_config_default();
    config.message_max_bytes = MESSAGE_MAX_BYTES;
    config.output_max_bytes = OUTPUT_MAX_BYTES;
    bool has_listen = argc == 3 && strcmp(argv[1], "--listen") == 0;
    if (argc != 1 && !has_listen) {
        fprintf(stderr, "usage: %s [--listen ADDR:PORT]\n", argv[0]);
        return NB_CLASS_USAGE;
    }
    nb__loop *loop;
    nb_err code = nb__listen_parse(has_listen ? argv[2] : "127.0.0.1:0", &config.listen, &error);
    if (code == NB_OK)
        code = nb__loop_new(&loop, &error);
    if (code == NB_OK) {
        code = serve(loop, &config, &error);
        nb__loop_free(loop);
    }
    if (code != NB_OK)
        fprintf(stderr, "ws_echo: %s\n", error.detail);
    return (int)nb_error_class_of(code);
}
