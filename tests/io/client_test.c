/* SPDX-License-Identifier: Apache-2.0 */
/* link and fetch: against our own server, and against a raw socket that answers badly. */
#include "harness.h"
#include "io/stream.h"
#include <netdb.h>

/* ---- link ---- */

typedef struct recorder {
    nb__link *link;
    nb__text got; /* each message and '|' */
    char clock[32];
    nb_error error;
    int opened, closed, alive;
    int64_t recv_ns;
    bool closes_on_open, aborts_on_message;
} recorder;

static void r_opened(void *self, const nb__http_message *answer)
{
    recorder *r = self;
    r->opened++;
    (void)nb__span_copy(nb__http_header_find(answer, "x-clock"), r->clock, sizeof r->clock);
    if (r->closes_on_open)
        nb__link_close(r->link, 1000);
}

static void r_message(void *self, const nb__ws_event *event, int64_t recv_ns)
{
    recorder *r = self;
    nb__text_append(&r->got, event->payload.data, event->payload.size_bytes);
    nb__text_append(&r->got, "|", 1);
    r->recv_ns = recv_ns;
    if (r->aborts_on_message)
        nb__link_abort(r->link);
}

static void r_alive(void *self)
{
    ((recorder *)self)->alive++;
}

static void r_closed(void *self, const nb_error *error)
{
    recorder *r = self;
    r->closed++;
    r->error = *error;
    r->link = NULL;
}

static nb__address address_of(const char *scheme, uint16_t port, const char *path)
{
    char url[256];
    nb__address address;
    snprintf(url, sizeof url, "%s://127.0.0.1:%u%s", scheme, port, path);
    assert_int_equal(nb__address_parse(url, &address, NULL), NB_OK);
    return address;
}

static void link_to(nb__loop *loop, recorder *r, uint16_t port, int64_t timeout_ns)
{
    nb__address address = address_of("ws", port, "/tryitout");
    nb__link_handler handler = {r, r_opened, r_message, r_alive, r_closed};
    nb__link_options options = {.timeout_ns = timeout_ns, .user_timeout_ns = timeout_ns};
    assert_int_equal(nb__link_open(loop, &address, &options, &handler, &r->link, NULL), NB_OK);
}

static const nb__link_options a_second = {.timeout_ns = NB__NS_PER_S};

#define TURN_UNTIL(h, condition)                                                                   \
    for (int left = 3000; left > 0 && !(condition); left--)                                        \
    turn(h, 1)

static void a_link_opens_echoes_and_closes(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    recorder r = {0};
    link_to(h->loop, &r, h->port, NB__NS_PER_S);
    TURN_UNTIL(h, r.opened);
    assert_int_equal(r.opened, 1);
    assert_string_equal(r.clock, "sim");
    int64_t before = nb__clock_real_ns();
    nb__link_send(r.link, NB__WS_TEXT, NB__SPAN("one"));
    nb__link_send(r.link, NB__WS_TEXT, NB__SPAN("two"));
    TURN_UNTIL(h, r.got.size_bytes == 8);
    assert_memory_equal(r.got.data, "one|two|", 8);
    assert_true(r.recv_ns >= before && r.recv_ns <= nb__clock_real_ns());
    assert_int_equal(r.alive, 2);
    nb__link_close(r.link, 1000);
    nb__link_send(r.link, NB__WS_TEXT, NB__SPAN("too late"));
    TURN_UNTIL(h, r.closed && h->closed);
    assert_int_equal(r.closed, 1);
    assert_int_equal(r.error.code, NB_E_CLOSED);
    assert_non_null(strstr(r.error.detail, "closed as asked (code 1000)"));
    assert_int_equal(h->messages, 2);
    assert_string_equal(h->closed_detail, "closed by the client");
    nb__text_fini(&r.got);
    harness_free(h);
}

static void the_end_of_the_server_is_told_with_its_code(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    recorder r = {0};
    link_to(h->loop, &r, h->port, NB__NS_PER_S);
    TURN_UNTIL(h, r.opened);
    nb__server_shutdown(h->server);
    TURN_UNTIL(h, r.closed);
    assert_int_equal(r.closed, 1);
    assert_int_equal(r.error.code, NB_E_CLOSED);
    assert_non_null(strstr(r.error.detail, "closed by the other end (code 1001) the server ends"));
    harness_free(h);
}

static void a_large_message_goes_both_ways(void **state)
{
    (void)state;
    harness *h = harness_new();
    h->config.message_max_bytes = (size_t)4 << 20;
    h->config.output_max_bytes = (size_t)8 << 20;
    harness_listen(h);
    recorder r = {0};
    link_to(h->loop, &r, h->port, NB__NS_PER_S);
    TURN_UNTIL(h, r.opened);
    size_t size = (size_t)3 << 20;
    char *bytes = malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)('a' + i % 23);
    nb__link_send(r.link, NB__WS_TEXT, (nb_span){bytes, size});
    TURN_UNTIL(h, r.got.size_bytes > 0 || r.closed);
    assert_int_equal(r.got.size_bytes, size + 1);
    assert_memory_equal(r.got.data, bytes, size);
    free(bytes);
    nb__link_abort(r.link);
    turn(h, 3);
    assert_int_equal(r.closed, 0); /* aborted: no callback */
    nb__text_fini(&r.got);
    harness_free(h);
}

static void a_link_may_be_closed_and_aborted_in_its_callbacks(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    recorder a = {.closes_on_open = true}, b = {.aborts_on_message = true};
    link_to(h->loop, &a, h->port, NB__NS_PER_S);
    link_to(h->loop, &b, h->port, NB__NS_PER_S);
    TURN_UNTIL(h, a.closed && b.opened);
    assert_int_equal(a.closed, 1);
    nb__link_send(b.link, NB__WS_TEXT, NB__SPAN("one"));
    nb__link_send(b.link, NB__WS_TEXT, NB__SPAN("two"));
    TURN_UNTIL(h, b.got.size_bytes > 0 && h->closed == 2);
    assert_int_equal(b.got.size_bytes, 4); /* nothing after the abort */
    assert_int_equal(b.closed, 0);
    nb__text_fini(&b.got);
    harness_free(h);
}

static uint16_t free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    close(fd);
    return ntohs(at.sin_port);
}

static void a_refused_connection_is_told_later(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    recorder r = {0};
    uint16_t port = free_port();
    link_to(h->loop, &r, port, NB__NS_PER_S);
    assert_int_equal(r.closed, 0); /* never inside nb__link_open() */
    TURN_UNTIL(h, r.closed);
    char want[100];
    snprintf(want, sizeof want, "connect to 127.0.0.1:%u: Connection refused", port);
    assert_string_equal(r.error.detail, want);
    assert_int_equal(r.error.code, NB_E_REFUSED);
    harness_free(h);
}

static void a_name_is_looked_up_and_one_that_does_not_exist_is_told(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    recorder r = {0}, none = {0};
    nb__link_handler handler = {&r, r_opened, r_message, NULL, r_closed};
    nb__address address = address_of("ws", h->port, "/");
    memcpy(address.host, "localhost", 10);
    assert_int_equal(nb__link_open(h->loop, &address, &a_second, &handler, &r.link, NULL), NB_OK);
    memcpy(address.host, "1.2.3.4.5", 10);
    handler.self = &none;
    assert_int_equal(nb__link_open(h->loop, &address, &a_second, &handler, &none.link, NULL),
                     NB_OK);
    TURN_UNTIL(h, (r.opened || r.closed) && none.closed);
    assert_int_equal(r.opened, 1);
    assert_int_equal(none.closed, 1);
    assert_non_null(strstr(none.error.detail, "connect to 1.2.3.4.5:"));
    nb__link_abort(r.link);
    turn(h, 2);
    harness_free(h);
}

/* A stream with two addresses: nobody listens on the first. */
static int stream_was_connected, stream_was_buried;

static void s_connected(nb__stream *stream)
{
    (void)stream;
    stream_was_connected++;
}

static void s_buried(nb__stream *stream)
{
    stream_was_buried++;
    nb__stream_fini(stream);
}

static void the_next_address_of_a_name_is_tried(void **state)
{
    (void)state;
    static const nb__stream_owner owner = {.connected = s_connected, .buried = s_buried};
    harness *h = harness_new();
    harness_listen(h);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(h->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct addrinfo good = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    good.ai_addr = (struct sockaddr *)&to;
    good.ai_addrlen = sizeof to;
    nb__stream stream = {0};
    nb__address refused = address_of("ws", free_port(), "/");
    assert_int_equal(nb__stream_start(&stream, h->loop, &owner, &refused, &a_second, NULL), NB_OK);
    assert_false(stream.is_ended);
    stream.next = &good;
    TURN_UNTIL(h, stream_was_connected || stream_was_buried);
    assert_int_equal(stream_was_connected, 1);
    nb__stream_end(&stream, NB_E_CLOSED, "done");
    turn(h, 2);
    assert_int_equal(stream_was_buried, 1);
    harness_free(h);
}

static void tls_is_refused_at_once(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    nb__address address = address_of("wss", 443, "/");
    nb__link_handler handler = {0};
    nb__link *link;
    nb_error error;
    assert_int_equal(nb__link_open(h->loop, &address, &a_second, &handler, &link, &error),
                     NB_E_ARGUMENT);
    harness_free(h);
}

/* ---- a server of our own making, that answers what it is told ---- */

typedef struct bad_server {
    int listen_fd, fd;
    uint16_t port;
} bad_server;

static bad_server bad_listen(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    bad_server s = {socket(AF_INET, SOCK_STREAM, 0), -1, 0};
    assert_int_equal(bind(s.listen_fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(s.listen_fd, 5), 0);
    assert_int_equal(getsockname(s.listen_fd, (struct sockaddr *)&at, &size), 0);
    s.port = ntohs(at.sin_port);
    return s;
}

/* Accept and read the client's request. */
static void bad_accept(harness *h, bad_server *s, nb__text *got)
{
    s->fd = accept(s->listen_fd, NULL, NULL);
    assert_true(s->fd >= 0);
    fcntl(s->fd, F_SETFL, O_NONBLOCK);
    assert_true(raw_expect(h, s->fd, got, "\r\n\r\n", 2000));
}

static void bad_close(bad_server *s)
{
    if (s->fd >= 0)
        close(s->fd);
    close(s->listen_fd);
}

static void bad_upgrades_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *words;
        nb_err code;
        bool closes;
    } cases[] = {
        {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "503", 0, false},
        {"HTTP/1.1 403 Forbidden\r\n\r\nno", "403", 0, true},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
         "Accept", NB_E_PROTOCOL, false},
        {"SSH-2.0-OpenSSH\r\n\r\n", "upgrade at", NB_E_PROTOCOL, false},
        {"", "disconnected without an answer", NB_E_CLOSED, true},
        {"HTTP/1.1 10", "disconnected without an answer", NB_E_CLOSED, true},
        {"", "no answer within 150 ms", NB_E_TIMEOUT, false},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        harness *h = harness_new();
        bad_server s = bad_listen();
        recorder r = {0};
        nb__text got = {0};
        link_to(h->loop, &r, s.port, 150 * NB__NS_PER_MS);
        bad_accept(h, &s, &got);
        raw_text(s.fd, cases[i].answer);
        if (cases[i].closes)
            shutdown(s.fd, SHUT_WR);
        TURN_UNTIL(h, r.closed);
        if (r.closed != 1 || r.opened != 0 || strstr(r.error.detail, cases[i].words) == NULL ||
            (cases[i].code != 0 && r.error.code != cases[i].code))
            fail_msg("case %zu: '%s'", i, r.error.detail);
        nb__text_fini(&got);
        bad_close(&s);
        harness_free(h);
    }
}

static void a_server_that_never_answers_our_close_is_left_after_a_second(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    recorder r = {0};
    link_to(h->loop, &r, h->port, NB__NS_PER_S);
    TURN_UNTIL(h, r.opened);
    nb__peer_pause(h->last_peer, true);
    int64_t start = nb__clock_mono_ns();
    nb__link_close(r.link, 1000);
    TURN_UNTIL(h, r.closed);
    int64_t took = nb__clock_mono_ns() - start;
    assert_true(took >= NB__NS_PER_S - NB__NS_PER_MS && took < 2 * NB__NS_PER_S);
    assert_non_null(strstr(r.error.detail, "did not answer our Close"));
    harness_free(h);
}

static void a_reset_link_is_told(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    recorder r = {0};
    link_to(h->loop, &r, h->port, NB__NS_PER_S);
    TURN_UNTIL(h, r.opened);
    nb__peer_abort(h->last_peer);
    TURN_UNTIL(h, r.closed);
    assert_non_null(strstr(r.error.detail, "without a Close frame"));
    harness_free(h);
}

/* ---- fetch ---- */

typedef struct fetched {
    int count, status;
    char body[64];
    nb_error error;
} fetched;

static void f_done(void *self, int status, const nb__http_message *answer, const nb_error *error)
{
    fetched *f = self;
    f->count++;
    f->status = status;
    if (status != 0)
        (void)nb__span_copy(answer->body, f->body, sizeof f->body);
    else
        f->error = *error;
}

static nb__fetch *fetch_from(nb__loop *loop, fetched *f, uint16_t port, const char *body)
{
    nb__address address = address_of("http", port, "/oauth2/Approval");
    nb__fetch *fetch = NULL;
    assert_int_equal(nb__fetch_start(loop, body == NULL ? "GET" : "POST", &address,
                                     "Content-Type: application/json\r\n", nb__span(body), 50,
                                     200 * NB__NS_PER_MS, f_done, f, &fetch, NULL),
                     NB_OK);
    return fetch;
}

static void fetch_posts_and_gets(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    fetched get = {0}, post = {0};
    fetch_from(h->loop, &get, h->port, NULL);
    fetch_from(h->loop, &post, h->port, "{\"a\":1}");
    TURN_UNTIL(h, get.count && post.count);
    assert_int_equal(get.status, 200);
    assert_string_equal(get.body, "/oauth2/Approval");
    assert_int_equal(post.status, 200);
    assert_string_equal(post.body, "/oauth2/Approval{\"a\":1}");
    harness_free(h);
}

static void fetch_reads_every_kind_of_answer(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *body;
        nb_err code;
        bool closes;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", 0, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
         "chunked\r\n\r\n2\r\nch\r\n4;x=y\r\nunks\r\n0\r\n\r\n",
         "chunks", 0, false},
        {"HTTP/1.1 200 OK\r\n\r\nto the end", "to the end", 0, true},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx", "x",
         0, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nonly a part", NULL, NB_E_CLOSED, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 51\r\n\r\n", NULL, NB_E_PROTOCOL, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nonly a part", NULL, NB_E_TIMEOUT, false},
        {"nonsense\r\n\r\n", NULL, NB_E_PROTOCOL, false},
        {"", NULL, NB_E_CLOSED, true},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        harness *h = harness_new();
        bad_server s = bad_listen();
        fetched f = {0};
        nb__text got = {0};
        fetch_from(h->loop, &f, s.port, "{}");
        bad_accept(h, &s, &got);
        assert_non_null(strstr(got.data, "Connection: close\r\n"));
        assert_memory_equal(got.data, "POST /oauth2/Approval HTTP/1.1\r\n", 32);
        for (const char *at = cases[i].answer; *at != '\0'; at++) {
            (void)!send(s.fd, at, 1, MSG_NOSIGNAL);
            if (i % 2 == 0) /* byte by byte, or all at once */
                nb__loop_turn(h->loop, 1);
        }
        if (cases[i].closes)
            shutdown(s.fd, SHUT_WR);
        TURN_UNTIL(h, f.count);
        if (f.count != 1 || (cases[i].body == NULL ? f.status != 0 || f.error.code != cases[i].code
                                                   : strcmp(f.body, cases[i].body) != 0))
            fail_msg("case %zu: status %d, body '%s', '%s'", i, f.status, f.body, f.error.detail);
        nb__text_fini(&got);
        bad_close(&s);
        harness_free(h);
    }
}

static void a_cancelled_fetch_says_nothing(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    fetched f = {0};
    nb__fetch *fetch = fetch_from(h->loop, &f, h->port, NULL);
    nb__fetch_cancel(fetch);
    turn(h, 20);
    assert_int_equal(f.count, 0);
    f = (fetched){0};
    fetch_from(h->loop, &f, free_port(), NULL);
    assert_int_equal(f.count, 0);
    TURN_UNTIL(h, f.count);
    assert_non_null(strstr(f.error.detail, "Connection refused"));
    harness_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_opens_echoes_and_closes),
        cmocka_unit_test(the_end_of_the_server_is_told_with_its_code),
        cmocka_unit_test(a_large_message_goes_both_ways),
        cmocka_unit_test(a_link_may_be_closed_and_aborted_in_its_callbacks),
        cmocka_unit_test(a_refused_connection_is_told_later),
        cmocka_unit_test(a_name_is_looked_up_and_one_that_does_not_exist_is_told),
        cmocka_unit_test(the_next_address_of_a_name_is_tried),
        cmocka_unit_test(tls_is_refused_at_once),
        cmocka_unit_test(bad_upgrades_are_told),
        cmocka_unit_test(a_server_that_never_answers_our_close_is_left_after_a_second),
        cmocka_unit_test(a_reset_link_is_told),
        cmocka_unit_test(fetch_posts_and_gets),
        cmocka_unit_test(fetch_reads_every_kind_of_answer),
        cmocka_unit_test(a_cancelled_fetch_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
