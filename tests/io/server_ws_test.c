/* SPDX-License-Identifier: Apache-2.0 */
/* The server as a WebSocket server, over real loopback sockets. */
#include "harness.h"
#include <sys/epoll.h>

static void messages_are_echoed_and_pings_answered(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    int fd = raw_upgrade(h);
    nb__text got = {0};
    raw_frame(fd, NB__WS_TEXT, "hello");
    raw_frame(fd, NB__WS_PING, "are you there");
    assert_true(raw_expect(h, fd, &got,
                           "\x8a\x0d"
                           "are you there",
                           2000));
    assert_memory_equal(got.data, "\x81\x05hello", 7);
    assert_int_equal(h->messages, 1);
    assert_int_equal(h->alive, 2);
    nb__text_clear(&got);
    raw_frame(fd, NB__WS_CLOSE,
              "\x03\xe8"
              "bye"); /* 1000 */
    assert_true(raw_expect(h, fd, &got, NULL, 2000));
    assert_int_equal(got.size_bytes, 4);
    assert_memory_equal(got.data, "\x88\x02\x03\xe8", 4);
    close(fd);
    turn(h, 3);
    assert_int_equal(h->closed, 1);
    assert_string_equal(h->closed_detail, "closed by the client");
    nb__text_fini(&got);
    harness_free(h);
}

static void frames_right_behind_the_upgrade_are_read(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    nb__text all = {0}, frame = masked(NB__WS_TEXT, "early");
    nb__text_string(&all, UPGRADE);
    nb__text_append(&all, frame.data, frame.size_bytes);
    for (size_t cut = 0; cut <= all.size_bytes; cut++) { /* in two reads, cut anywhere */
        int fd = raw_connect(h);
        nb__text got = {0};
        raw_send(fd, all.data, cut);
        turn(h, 2);
        raw_send(fd, all.data + cut, all.size_bytes - cut);
        assert_true(raw_expect(h, fd, &got,
                               "\x81\x05"
                               "early",
                               2000));
        assert_non_null(strstr(got.data, "X-Clock: sim\r\n"));
        nb__text_fini(&got);
        close(fd);
    }
    nb__text_fini(&all);
    nb__text_fini(&frame);
    harness_free(h);
}

static void an_upgrade_that_waited_behind_a_request_works_too(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    h->holds_requests = true;
    int fd = raw_connect(h);
    nb__text all = {0}, got = {0}, frame = masked(NB__WS_TEXT, "early");
    nb__text_string(&all, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n" UPGRADE);
    nb__text_append(&all, frame.data, frame.size_bytes);
    raw_send(fd, all.data, all.size_bytes);
    turn(h, 3);
    nb__peer_respond(h->held, 200, "text/plain", "", NB__SPAN("first"));
    assert_true(raw_expect(h, fd, &got,
                           "\x81\x05"
                           "early",
                           2000));
    assert_true(strstr(got.data, "first") < strstr(got.data, "HTTP/1.1 101"));
    nb__text_fini(&all);
    nb__text_fini(&got);
    nb__text_fini(&frame);
    close(fd);
    harness_free(h);
}

static void a_refused_upgrade_says_why(void **state)
{
    (void)state;
    harness *h = harness_new();
    h->upgrade_status = 421;
    harness_listen(h);
    int fd = raw_connect(h);
    nb__text got = {0};
    raw_text(fd, UPGRADE);
    assert_true(raw_expect(h, fd, &got, NULL, 2000));
    assert_memory_equal(got.data, "HTTP/1.1 421", 12);
    assert_non_null(strstr(got.data, "not this host"));
    assert_int_equal(h->opened, 0);
    nb__text_fini(&got);
    close(fd);
    harness_free(h);
}

static void a_wrong_version_is_told_the_right_one(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    int fd = raw_connect(h);
    nb__text got = {0};
    raw_text(fd, "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n");
    assert_true(raw_expect(h, fd, &got, NULL, 2000));
    assert_memory_equal(got.data, "HTTP/1.1 426", 12);
    assert_non_null(strstr(got.data, "Sec-WebSocket-Version: 13\r\n"));
    nb__text_fini(&got);
    close(fd);
    harness_free(h);
}

static void frames_that_come_byte_by_byte_are_whole_messages(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    int fd = raw_upgrade(h);
    nb__text frame = masked(NB__WS_TEXT, "slowly"), got = {0};
    for (size_t i = 0; i < frame.size_bytes; i++) {
        raw_send(fd, frame.data + i, 1);
        turn(h, 1);
    }
    assert_true(raw_expect(h, fd, &got, "\x81\x06slowly", 2000));
    assert_int_equal(h->messages, 1);
    nb__text_fini(&frame);
    nb__text_fini(&got);
    close(fd);
    harness_free(h);
}

static void a_protocol_error_is_told_before_the_end(void **state)
{
    (void)state;
    harness *h = harness_new();
    h->config.message_max_bytes = 1000;
    harness_listen(h);
    static const struct {
        const char *bytes, *close;
    } cases[] = {
        {"\x81\x05hello", "\x88\x02\x03\xea"},                    /* not masked: 1002 */
        {"\xc1\x80\x01\x02\x03\x04", "\x88\x02\x03\xea"},         /* reserved bit: 1002 */
        {"\x81\x81\x01\x02\x03\x04\xfe", "\x88\x02\x03\xef"},     /* not UTF-8: 1007 */
        {"\x81\xfe\x04\x00\x01\x02\x03\x04", "\x88\x02\x03\xf1"}, /* 1024 bytes: 1009 */
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        int fd = raw_upgrade(h);
        nb__text got = {0};
        size_t size = i == 3 ? 8 : i == 0 ? 7 : strlen(cases[i].bytes);
        raw_send(fd, cases[i].bytes, size);
        for (int k = 0; k < 100; k++) /* goes on sending: must not cost it the Close */
            raw_text(fd, "more and more");
        assert_true(raw_expect(h, fd, &got, NULL, 3000));
        if (got.size_bytes < 4 || memcmp(got.data, cases[i].close, 4) != 0)
            fail_msg("case %zu: got %zu bytes, code %d", i, got.size_bytes,
                     got.size_bytes >= 4 ? (got.data[2] & 255) << 8 | (got.data[3] & 255) : 0);
        nb__text_fini(&got);
        close(fd);
    }
    turn(h, 3);
    assert_int_equal(h->closed, NB__COUNT_OF(cases));
    assert_int_equal(nb__server_count(h->server)->protocol_errors, NB__COUNT_OF(cases));
    harness_free(h);
}

static void half_open_and_reset_clients_are_closed_once(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    int a = raw_upgrade(h), b = raw_upgrade(h), c = raw_upgrade(h);
    shutdown(a, SHUT_WR);
    struct linger reset = {1, 0};
    raw_send(b, "\x81", 1); /* amid a frame */
    turn(h, 2);
    setsockopt(b, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(b);
    turn(h, 5);
    assert_int_equal(h->closed, 2);
    close(c);
    turn(h, 5);
    assert_int_equal(h->closed, 3);
    assert_int_equal(nb__server_connection_count(h->server), 0);
    close(a);
    harness_free(h);
}

static void a_handler_may_close_or_abort_in_its_callback(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    int fd = raw_upgrade(h);
    nb__text got = {0};
    h->closes_on_message = true;
    raw_frame(fd, NB__WS_TEXT, "one");
    raw_frame(fd, NB__WS_TEXT, "two");
    assert_true(raw_expect(h, fd, &got, "enough", 2000));
    assert_memory_equal(got.data, "\x88\x08\x03\xf0", 4); /* 1008, nothing behind it */
    assert_int_equal(h->messages, 1);
    raw_frame(fd, NB__WS_CLOSE, "\x03\xf0");
    assert_true(raw_expect(h, fd, &got, NULL, 2000));
    assert_int_equal(got.size_bytes, 10);
    close(fd);
    h->aborts_on_message = true;
    fd = raw_upgrade(h);
    nb__text_clear(&got);
    raw_frame(fd, NB__WS_TEXT, "one");
    raw_expect(h, fd, &got, NULL, 2000);
    assert_int_equal(got.size_bytes, 0);
    assert_int_equal(h->closed, 2);
    assert_string_equal(h->closed_detail, "aborted by the server");
    nb__text_fini(&got);
    close(fd);
    harness_free(h);
}

static void a_client_that_never_answers_a_close_is_cut_off(void **state)
{
    (void)state;
    harness *h = harness_new();
    h->config.close_timeout_ns = 80 * NB__NS_PER_MS;
    harness_listen(h);
    int fd = raw_upgrade(h);
    nb__peer_close(h->last_peer, 1008, NB__SPAN("x"));
    int64_t start = nb__clock_mono_ns();
    while (h->closed == 0 && nb__clock_mono_ns() - start < 3 * NB__NS_PER_S)
        turn(h, 1);
    int64_t took = nb__clock_mono_ns() - start;
    assert_true(took >= 79 * NB__NS_PER_MS && took < NB__NS_PER_S);
    close(fd);
    harness_free(h);
}

static void an_overfull_queue_ends_the_peer(void **state)
{
    (void)state;
    harness *h = harness_new();
    h->config.output_max_bytes = 100000;
    h->config.send_buffer_bytes = 4096;
    harness_listen(h);
    int fd = raw_upgrade(h);
    static char bytes[10000];
    memset(bytes, 'x', sizeof bytes);
    for (int i = 0; i < 10000 && h->closed == 0; i++) {
        if (h->last_peer != NULL) {
            nb__peer_send_text(h->last_peer, (nb_span){bytes, sizeof bytes});
            assert_true(nb__peer_queued_bytes(h->last_peer) <= 100000 + sizeof bytes + 4);
        }
        nb__loop_turn(h->loop, 0);
    }
    assert_int_equal(h->closed, 1);
    assert_non_null(strstr(h->closed_detail, "too slowly"));
    close(fd);
    harness_free(h);
}

static void direct_writes_keep_order_and_tell_when_there_is_room(void **state)
{
    (void)state;
    harness *h = harness_new();
    h->config.send_buffer_bytes = 4096;
    harness_listen(h);
    int fd = raw_upgrade(h);
    nb__peer *peer = h->last_peer;
    size_t sent = 0, taken = 0, total = (size_t)8 << 20;
    char *bytes = malloc(total);
    for (size_t i = 0; i < total; i++)
        bytes[i] = (char)(i * 2654435761u >> 24);
    nb__peer_send_bytes(peer, (nb_span){bytes, 10}); /* queued first, so it must leave first */
    sent = 10;
    nb__text got = {0};
    int turns = 0, writables = 0;
    for (; got.size_bytes < total && turns < 200000; turns++) {
        if (sent < total && (turns == 0 || h->writables > writables)) {
            writables = h->writables;
            struct iovec iov[2] = {{bytes + sent, 1}, {bytes + sent + 1, total - sent - 1}};
            assert_int_equal(nb__peer_write(peer, iov, total - sent > 1 ? 2 : 1, &taken), NB_OK);
            sent += taken;
        }
        char buffer[65536];
        ssize_t size = recv(fd, buffer, sizeof buffer, 0);
        if (size > 0)
            nb__text_append(&got, buffer, (size_t)size);
        nb__loop_turn(h->loop, size > 0 ? 0 : 1);
    }
    assert_int_equal(got.size_bytes, total);
    assert_memory_equal(got.data, bytes, total);
    assert_true(h->writables > 1);
    nb__peer_abort(peer);
    struct iovec iov = {bytes, 1};
    assert_int_equal(nb__peer_write(peer, &iov, 1, &taken), NB_E_CLOSED);
    assert_int_equal(taken, 0);
    free(bytes);
    nb__text_fini(&got);
    close(fd);
    harness_free(h);
}

#define FLOOD_BYTES ((size_t)8 << 20)

typedef struct flood {
    char *bytes;
    size_t sent_bytes, queued_bytes;
} flood;

/* A flush that was asked for before the write, and finds nothing to do after it, must not forget
 * that the writer waits. */
static void flood_on(nb__peer *peer, flood *f)
{
    size_t taken = 0;
    struct iovec iov = {f->bytes, FLOOD_BYTES - f->sent_bytes};
    nb__peer_send_bytes(peer, NB__SPAN("queued"));
    f->queued_bytes += sizeof "queued" - 1;
    assert_int_equal(nb__peer_write(peer, &iov, 1, &taken), NB_OK);
    f->sent_bytes += taken;
}

static flood the_flood;

static void flood_writable(void *self, nb__peer *peer)
{
    (void)self;
    if (the_flood.sent_bytes < FLOOD_BYTES)
        flood_on(peer, &the_flood);
}

static void room_is_told_although_a_flush_came_between(void **state)
{
    (void)state;
    harness *h = harness_new();
    h->config.send_buffer_bytes = 4096;
    h->handler.writable = flood_writable;
    harness_listen(h);
    int fd = raw_upgrade(h);
    the_flood = (flood){.bytes = calloc(1, FLOOD_BYTES)};
    flood_on(h->last_peer, &the_flood);
    nb__text got = {0};
    for (int i = 0; i < 1000 && the_flood.sent_bytes < FLOOD_BYTES; i++)
        raw_expect(h, fd, &got, "never", 10);
    assert_int_equal(the_flood.sent_bytes, FLOOD_BYTES);
    raw_expect(h, fd, &got, "never", 100);
    assert_int_equal(got.size_bytes, FLOOD_BYTES + the_flood.queued_bytes);
    nb__text_fini(&got);
    free(the_flood.bytes);
    close(fd);
    harness_free(h);
}

static void a_message_that_is_never_whole_ends_the_peer(void **state)
{
    (void)state;
    static const char *const beginnings[] = {
        "\x81",                              /* half a head */
        "\x81\xfe\x0f\xff\x01\x02\x03\x04x", /* a frame of 4095 bytes */
        "\x01\x81\x01\x02\x03\x04x",         /* one fragment of several */
    };
    harness *h = harness_new();
    h->config.head_timeout_ns = 100 * NB__NS_PER_MS;
    harness_listen(h);
    for (size_t i = 0; i < NB__COUNT_OF(beginnings); i++) {
        int fd = raw_upgrade(h);
        nb__text got = {0};
        raw_frame(fd, NB__WS_TEXT, "whole");
        raw_text(fd, beginnings[i]);
        assert_true(raw_expect(h, fd, &got, NULL, 2000));
        turn(h, 3);
        assert_int_equal(h->closed, i + 1);
        assert_string_equal(h->closed_detail, "a message was not whole in time");
        nb__text_fini(&got);
        close(fd);
    }
    int fd = raw_upgrade(h); /* whole ones, however split, leave no deadline behind */
    raw_text(fd, "\x81");
    turn(h, 2);
    raw_text(fd, "\x81\x01\x02\x03\x04x");
    for (int i = 0; i < 200; i++)
        turn(h, 1);
    assert_int_equal(h->closed, NB__COUNT_OF(beginnings));
    close(fd);
    harness_free(h);
}

static void close_server(void *self, nb__peer *peer, const char *detail)
{
    harness *h = self;
    h_closed(self, peer, detail);
    nb__server_close(h->server);
    h->server = NULL;
}

static void the_server_may_be_closed_in_closed(void **state)
{
    (void)state;
    harness *h = harness_new();
    h->handler.closed = close_server;
    harness_listen(h);
    int a = raw_upgrade(h), b = raw_upgrade(h);
    close(a);
    for (int i = 0; i < 100 && h->closed < 2; i++) {
        turn(h, 1);
        h->handler.closed = h_closed;
    }
    assert_int_equal(h->closed, 2);
    close(b);
    harness_free(h);
}

static void a_paused_peer_is_not_read(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    int fd = raw_upgrade(h);
    nb__peer_pause(h->last_peer, true);
    raw_frame(fd, NB__WS_TEXT, "x");
    turn(h, 5);
    assert_int_equal(h->messages, 0);
    nb__peer_pause(h->last_peer, false);
    turn(h, 5);
    assert_int_equal(h->messages, 1);
    close(fd);
    harness_free(h);
}

static void a_flood_of_pings_from_one_that_never_reads_is_bounded(void **state)
{
    (void)state;
    harness *h = harness_new();
    h->config.output_max_bytes = 50000;
    h->config.send_buffer_bytes = 4096;
    harness_listen(h);
    int fd = raw_upgrade(h);
    nb__text pings = {0};
    for (int i = 0; i < 2000; i++) {
        nb__text frame = masked(NB__WS_PING, "0123456789012345678901234567890123456789");
        nb__text_append(&pings, frame.data, frame.size_bytes);
        nb__text_fini(&frame);
    }
    for (int i = 0; i < 2000 && h->closed == 0; i++) {
        (void)!send(fd, pings.data, pings.size_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
        nb__loop_turn(h->loop, 0);
    }
    assert_int_equal(h->closed, 1);
    nb__text_fini(&pings);
    close(fd);
    harness_free(h);
}

static void a_thousand_clients_come_stay_and_go(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    harness *h = harness_new();
    harness_listen(h);
    static int fds[COUNT];
    for (int i = 0; i < COUNT; i++) {
        fds[i] = raw_connect(h);
        raw_text(fds[i], UPGRADE);
        if (i % 50 == 0)
            turn(h, 1);
    }
    for (int i = 0; i < 1000 && h->opened < COUNT; i++)
        turn(h, 1);
    assert_int_equal(h->opened, COUNT);
    for (int i = 0; i < COUNT; i++)
        raw_frame(fds[i], NB__WS_TEXT, "all");
    for (int i = 0; i < 1000 && h->messages < COUNT; i++)
        turn(h, 1);
    for (int i = 0; i < COUNT; i++) {
        nb__text got = {0};
        assert_true(raw_expect(h, fds[i], &got,
                               "\x81\x03"
                               "all",
                               2000));
        nb__text_fini(&got);
        close(fds[i]);
    }
    for (int i = 0; i < 1000 && h->closed < COUNT; i++)
        turn(h, 1);
    assert_int_equal(h->closed, COUNT);
    assert_int_equal(nb__server_connection_count(h->server), 0);
    harness_free(h);
}

static void shutdown_says_1001_to_all_at_once(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    int a = raw_upgrade(h), b = raw_upgrade(h), idle = raw_connect(h);
    turn(h, 3);
    nb__server_shutdown(h->server); /* no turn after it: what the sockets take is already out */
    int fds[] = {a, b};
    for (size_t i = 0; i < 2; i++) {
        char got[64];
        assert_true(recv(fds[i], got, sizeof got, 0) > 4);
        assert_memory_equal(got + 2, "\x03\xe9", 2);
    }
    char byte;
    assert_int_equal(recv(idle, &byte, 1, 0), 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(h->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int late = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(late, (struct sockaddr *)&to, sizeof to), -1);
    close(late);
    close(a);
    close(b);
    close(idle);
    turn(h, 3);
    assert_int_equal(h->closed, 2);
    harness_free(h);
}

static void an_idle_server_is_never_woken(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    int fd = raw_upgrade(h);
    turn(h, 3);
    int64_t start = nb__clock_mono_ns();
    nb__loop_turn(h->loop, 300); /* one turn, which nothing ends early: no deadline is set */
    assert_true(nb__clock_mono_ns() - start >= 300 * NB__NS_PER_MS);
    close(fd);
    harness_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_echoed_and_pings_answered),
        cmocka_unit_test(frames_right_behind_the_upgrade_are_read),
        cmocka_unit_test(an_upgrade_that_waited_behind_a_request_works_too),
        cmocka_unit_test(a_refused_upgrade_says_why),
        cmocka_unit_test(a_wrong_version_is_told_the_right_one),
        cmocka_unit_test(frames_that_come_byte_by_byte_are_whole_messages),
        cmocka_unit_test(a_protocol_error_is_told_before_the_end),
        cmocka_unit_test(half_open_and_reset_clients_are_closed_once),
        cmocka_unit_test(a_handler_may_close_or_abort_in_its_callback),
        cmocka_unit_test(a_client_that_never_answers_a_close_is_cut_off),
        cmocka_unit_test(an_overfull_queue_ends_the_peer),
        cmocka_unit_test(direct_writes_keep_order_and_tell_when_there_is_room),
        cmocka_unit_test(room_is_told_although_a_flush_came_between),
        cmocka_unit_test(a_message_that_is_never_whole_ends_the_peer),
        cmocka_unit_test(the_server_may_be_closed_in_closed),
        cmocka_unit_test(a_paused_peer_is_not_read),
        cmocka_unit_test(a_flood_of_pings_from_one_that_never_reads_is_bounded),
        cmocka_unit_test(a_thousand_clients_come_stay_and_go),
        cmocka_unit_test(shutdown_says_1001_to_all_at_once),
        cmocka_unit_test(an_idle_server_is_never_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
