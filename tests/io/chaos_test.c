/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many clients that do anything at any time, and a handler that does too: seeded, repeatable. It
 * must survive (run it with sanitizers), keep its limits, and tell closed() exactly once for each
 * opened() (harness_free() asserts that).
 */
#include "harness.h"

enum { SLOTS = 24, STEPS = 6000, HELD_MAX = 64 };

typedef struct chaos {
    nb__random random;
    nb__peer *open[SLOTS * 4];
    size_t open_count;
    nb__peer *held[HELD_MAX];
    size_t held_count;
    int responded, requested;
} chaos;

static chaos c;

static uint64_t below(uint64_t bound)
{
    return nb__random_below(&c.random, bound);
}

static nb__peer *any_open(void)
{
    return c.open_count == 0 ? NULL : c.open[below(c.open_count)];
}

static void respond(nb__peer *peer)
{
    static char body[20000];
    c.responded++;
    nb__peer_respond(peer, 200, "text/plain", "", (nb_span){body, below(3) * 9000});
}

static void act(nb__peer *peer)
{
    static char bytes[3000];
    struct iovec iov[2] = {{bytes, below(3000)}, {bytes, below(100)}};
    size_t taken;
    switch (peer == NULL ? 9 : below(9)) {
    case 0:
        nb__peer_abort(peer);
        break;
    case 1:
        nb__peer_close(peer, 1008, NB__SPAN("chaos"));
        break;
    case 2:
    case 3:
        nb__peer_send_text(peer, (nb_span){bytes, below(3000)});
        break;
    case 4:
        nb__peer_pause(peer, true);
        break;
    case 5:
    case 6:
        nb__peer_pause(peer, false);
        break;
    case 7:
        (void)nb__peer_write(peer, iov, 2, &taken);
        break;
    default:
        break;
    }
}

static void c_request(void *self, nb__peer *peer, const nb__http_message *request)
{
    (void)self;
    (void)request;
    c.requested++;
    if (below(2) == 0 || c.held_count == HELD_MAX)
        respond(peer);
    else
        c.held[c.held_count++] = peer;
    act(any_open());
}

static int c_upgrade(void *self, nb__peer *peer, const nb__http_message *request, nb__text *headers,
                     const char **detail)
{
    (void)self;
    (void)request;
    nb__text_string(headers, "X: y\r\n");
    *detail = "chaos";
    if (below(20) == 0)
        nb__peer_abort(peer);
    return below(10) == 0 || c.open_count == NB__COUNT_OF(c.open) ? 403 : 101;
}

static void c_opened(void *self, nb__peer *peer)
{
    h_opened(self, peer);
    c.open[c.open_count++] = peer;
    if (below(4) == 0)
        act(peer);
}

static void c_message(void *self, nb__peer *peer, const nb__ws_event *event)
{
    (void)self;
    if (below(3) == 0)
        nb__peer_send_text(peer, event->payload);
    act(peer);
    act(any_open());
}

static void c_writable(void *self, nb__peer *peer)
{
    (void)self;
    act(peer);
}

static void c_closed(void *self, nb__peer *peer, const char *detail)
{
    h_closed(self, peer, detail);
    assert_true(detail != NULL && detail[0] != '\0');
    for (size_t i = 0; i < c.open_count; i++)
        if (c.open[i] == peer)
            c.open[i] = c.open[--c.open_count];
    act(any_open());
}

static void client_send(int fd)
{
    nb__text bytes = {0};
    nb__text frame = masked(below(2) ? NB__WS_TEXT : NB__WS_PING, "0123456789");
    switch (below(7)) {
    case 0:
        nb__text_string(&bytes, UPGRADE);
        break;
    case 1:
        nb__text_string(&bytes,
                        "GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
        nb__text_string(&bytes, below(2) ? UPGRADE : "");
        break;
    case 2:
        nb__text_string(&bytes, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
        break;
    case 3:
        nb__text_string(&bytes, below(8) ? "" : "\xff\xff garbage \r\n\r\n");
        break;
    default:
        nb__text_append(&bytes, frame.data, frame.size_bytes);
    }
    size_t cut = below(3) == 0 ? below(bytes.size_bytes + 1) : bytes.size_bytes;
    (void)!send(fd, bytes.data, cut, MSG_NOSIGNAL | MSG_DONTWAIT);
    nb__text_fini(&bytes);
    nb__text_fini(&frame);
}

static void client_leave(int fd)
{
    struct linger reset = {1, 0};
    if (below(2))
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
}

static void client_step(harness *h, int *fd)
{
    char buffer[4096];
    if (*fd < 0) {
        *fd = raw_connect(h);
        return;
    }
    switch (below(12)) {
    case 0:
        client_leave(*fd);
        *fd = -1;
        break;
    case 1:
        shutdown(*fd, SHUT_WR);
        break;
    case 2:
    case 3:
        (void)!recv(*fd, buffer, sizeof buffer, 0);
        break;
    default:
        client_send(*fd);
    }
}

static void run(uint64_t seed)
{
    print_message("seed %llu\n", (unsigned long long)seed);
    memset(&c, 0, sizeof c);
    nb__random_init(&c.random, seed);
    harness *h = harness_new();
    h->handler = (nb__server_handler){.self = h,
                                      .request = c_request,
                                      .upgrade = c_upgrade,
                                      .opened = c_opened,
                                      .message = c_message,
                                      .writable = c_writable,
                                      .closed = c_closed};
    h->config.connections_max = SLOTS - 2;
    h->config.send_buffer_bytes = 4096;
    h->config.output_max_bytes = 20000;
    h->config.head_timeout_ns = 20 * NB__NS_PER_MS;
    h->config.idle_timeout_ns = 30 * NB__NS_PER_MS;
    h->config.close_timeout_ns = 10 * NB__NS_PER_MS;
    harness_listen(h);
    int fds[SLOTS];
    memset(fds, -1, sizeof fds);
    for (int step = 0; step < STEPS; step++) {
        client_step(h, &fds[below(SLOTS)]);
        while (c.held_count > 0 && below(6) == 0)
            respond(c.held[--c.held_count]);
        if (below(3) == 0)
            assert_int_equal(nb__loop_turn(h->loop, below(40) == 0 ? 12 : 0), NB_OK);
        assert_true(nb__server_connection_count(h->server) <= SLOTS - 2);
    }
    for (size_t i = 0; i < SLOTS; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (seed % 2 == 0)
        nb__server_shutdown(h->server);
    while (c.held_count > 0 && seed % 3 != 0) /* else the server goes with requests unanswered */
        respond(c.held[--c.held_count]);
    if (seed % 3 == 1) {
        for (size_t i = 0; i < c.open_count; i++)
            nb__peer_pause(c.open[i], false);
        for (int i = 0; i < 200 && nb__server_connection_count(h->server) > 0; i++) {
            turn(h, 1);
            while (c.held_count > 0) /* requests that had waited behind others */
                respond(c.held[--c.held_count]);
        }
        assert_int_equal(c.requested, c.responded);
        if (seed % 2 == 0) /* after a shutdown nobody stays */
            assert_int_equal(nb__server_connection_count(h->server), 0);
    }
    assert_true(h->opened > 20);
    harness_free(h);
}

static void chaos_is_survived(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++)
        run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(chaos_is_survived)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
