/* SPDX-License-Identifier: Apache-2.0 */
/* The server as an HTTP/1.1 server, over real loopback sockets. */
#include "harness.h"
#include <malloc.h>
#include <sys/resource.h>

static void check(harness *h, const char *request, const char *answer_begins,
                  const char *answer_holds)
{
    int fd = raw_connect(h);
    nb__text got = {0};
    raw_text(fd, request);
    if (!raw_expect(h, fd, &got, answer_holds, 2000) ||
        strncmp(got.data, answer_begins, strlen(answer_begins)) != 0)
        fail_msg("'%.40s' was answered '%s'", request, got.size_bytes > 0 ? got.data : "");
    nb__text_fini(&got);
    close(fd);
}

static void requests_are_answered(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    check(h, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\n", "X-Test: 1\r\n\r\n/a");
    check(h, "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody", "HTTP/1.1 200",
          "\r\n\r\n/bbody");
    check(h,
          "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
          "HTTP/1.1 200", "\r\n\r\n/cabc");
    check(h, "POST / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
          "HTTP/1.1 405", "Allow: GET\r\n");
    check(h, "garbage\r\n\r\n", "HTTP/1.1 400", "\r\n\r\n400 ");
    assert_int_equal(nb__server_count(h->server)->http_requests, 4);
    assert_int_equal(nb__server_count(h->server)->http_errors, 1);
    harness_free(h);
}

static void a_request_that_comes_byte_by_byte_is_one_request(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    int fd = raw_connect(h);
    nb__text got = {0};
    const char *request = "POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
    for (const char *at = request; *at != '\0'; at++) {
        raw_send(fd, at, 1);
        turn(h, 1);
    }
    assert_true(raw_expect(h, fd, &got, "/slowabc", 2000));
    nb__text_fini(&got);
    close(fd);
    harness_free(h);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    int fd = raw_connect(h);
    nb__text got = {0};
    raw_text(fd, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n"
                 "GET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_true(raw_expect(h, fd, &got, NULL, 2000));
    const char *one = strstr(got.data, "\r\n\r\n/1"), *two = strstr(got.data, "\r\n\r\n/2"),
               *three = strstr(got.data, "\r\n\r\n/3");
    assert_true(one != NULL && two > one && three > two);
    assert_int_equal(nb__server_count(h->server)->writes,
                     1); /* all that came together left together */
    nb__text_fini(&got);
    close(fd);
    harness_free(h);
}

static void the_next_request_waits_until_the_first_is_answered(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    h->holds_requests = true;
    int fd = raw_connect(h);
    nb__text got = {0};
    raw_text(fd, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
    turn(h, 5);
    raw_text(fd, "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
    turn(h, 5);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(h->requests, i);
        nb__peer *peer = h->held;
        assert_non_null(peer);
        h->held = NULL;
        nb__peer_respond(peer, 200, "text/plain", "", NB__SPAN("late"));
        turn(h, 5);
    }
    assert_int_equal(h->requests, 3);
    turn(h, 2);
    assert_true(raw_expect(h, fd, &got, "late", 2000));
    nb__text_fini(&got);
    close(fd);
    harness_free(h);
}

static void a_client_that_leaves_before_its_answer_harms_nobody(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    h->holds_requests = true;
    int fd = raw_connect(h);
    raw_text(fd, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
    turn(h, 5);
    assert_non_null(h->held);
    struct linger reset = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    turn(h, 5);
    assert_int_equal(nb__server_connection_count(h->server), 1); /* kept for the answer's sake */
    nb__peer_respond(h->held, 200, "text/plain", "", NB__SPAN("late"));
    turn(h, 2);
    assert_int_equal(nb__server_connection_count(h->server), 0);
    harness_free(h);
}

static void expect_100_continue_is_answered(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    int fd = raw_connect(h);
    nb__text got = {0};
    raw_text(fd,
             "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    assert_true(raw_expect(h, fd, &got, "HTTP/1.1 100 Continue\r\n\r\n", 2000));
    raw_text(fd, "abc");
    assert_true(raw_expect(h, fd, &got, "/eabc", 2000));
    nb__text_fini(&got);
    close(fd);
    harness_free(h);
}

static void a_half_closed_client_still_gets_its_answer(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    int fd = raw_connect(h);
    nb__text got = {0};
    raw_text(fd, "GET /nc HTTP/1.1\r\nHost: h\r\n\r\n");
    shutdown(fd, SHUT_WR);
    assert_true(raw_expect(h, fd, &got, NULL, 2000));
    assert_non_null(strstr(got.data, "\r\n\r\n/nc"));
    nb__text_fini(&got);
    close(fd);
    harness_free(h);
}

static void slow_headers_end_in_408(void **state)
{
    (void)state;
    harness *h = harness_new();
    h->config.head_timeout_ns = 100 * NB__NS_PER_MS;
    harness_listen(h);
    int slow = raw_connect(h), silent = raw_connect(h);
    nb__text got = {0};
    int64_t start = nb__clock_mono_ns();
    for (int i = 0; i < 8; i++) { /* a byte now and then does not help */
        raw_text(slow, "G");
        turn(h, 10);
    }
    assert_true(raw_expect(h, slow, &got, NULL, 2000));
    assert_true(nb__clock_mono_ns() - start < NB__NS_PER_S);
    assert_memory_equal(got.data, "HTTP/1.1 408", 12);
    nb__text_clear(&got);
    assert_true(raw_expect(h, silent, &got, NULL, 2000));
    assert_int_equal(got.size_bytes, 0);
    assert_int_equal(nb__server_count(h->server)->timeouts >= 2, 1);
    nb__text_fini(&got);
    close(slow);
    close(silent);
    harness_free(h);
}

static void the_second_request_of_a_connection_has_its_own_deadline(void **state)
{
    (void)state;
    harness *h = harness_new();
    h->config.head_timeout_ns = 100 * NB__NS_PER_MS;
    h->config.idle_timeout_ns = 10 * NB__NS_PER_S;
    harness_listen(h);
    int fd = raw_connect(h);
    nb__text got = {0};
    raw_text(fd, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(raw_expect(h, fd, &got, "/1", 2000));
    assert_false(raw_expect(h, fd, &got, NULL, 200)); /* idle: that is allowed */
    raw_text(fd, "GET /2 HT");
    assert_true(raw_expect(h, fd, &got, "HTTP/1.1 408", 2000));
    nb__text_fini(&got);
    close(fd);
    harness_free(h);
}

static void idle_keep_alive_connections_are_closed(void **state)
{
    (void)state;
    harness *h = harness_new();
    h->config.idle_timeout_ns = 80 * NB__NS_PER_MS;
    harness_listen(h);
    int fd = raw_connect(h);
    nb__text got = {0};
    raw_text(fd, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(raw_expect(h, fd, &got, "/1", 2000));
    nb__text_clear(&got);
    assert_true(raw_expect(h, fd, &got, NULL, 2000));
    assert_int_equal(got.size_bytes, 0);
    assert_int_equal(nb__server_connection_count(h->server), 0);
    nb__text_fini(&got);
    close(fd);
    harness_free(h);
}

static void the_client_over_the_limit_reads_503(void **state)
{
    (void)state;
    harness *h = harness_new();
    h->config.connections_max = 2;
    harness_listen(h);
    int a = raw_connect(h), b = raw_connect(h);
    turn(h, 3);
    int c = raw_connect(h);
    nb__text got = {0};
    raw_text(c, UPGRADE); /* has sent already: a plain close would reset its connection */
    assert_true(raw_expect(h, c, &got, NULL, 2000));
    assert_memory_equal(got.data, "HTTP/1.1 503", 12);
    assert_non_null(strstr(got.data, "connection limit"));
    assert_int_equal(nb__server_count(h->server)->refused_full, 1);
    assert_int_equal(nb__server_connection_count(h->server), 2);
    close(a);
    close(c);
    turn(h, 3);
    check(h, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200", "/a"); /* room again */
    close(b);
    nb__text_fini(&got);
    harness_free(h);
}

static void heads_and_bodies_are_capped(void **state)
{
    (void)state;
    harness *h = harness_new();
    h->config.http_limits = (nb__http_limits){1000, 1000};
    harness_listen(h);
    nb__text request = {0};
    nb__text_string(&request, "GET / HTTP/1.1\r\nHost: h\r\nX: ");
    for (int i = 0; i < 200; i++)
        nb__text_string(&request, "0123456789");
    nb__text_string(&request, "\r\n\r\n");
    check(h, request.data, "HTTP/1.1 431", "\r\n\r\n431");
    check(h, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", "HTTP/1.1 413",
          "\r\n\r\n413");
    nb__text_fini(&request);
    harness_free(h);
}

static void a_large_answer_reaches_a_slow_reader_whole(void **state)
{
    (void)state;
    harness *h = harness_new();
    h->holds_requests = true;
    h->config.output_max_bytes = 1000; /* holds for frames, not for answers */
    h->config.send_buffer_bytes = 4096;
    harness_listen(h);
    int fd = raw_connect(h);
    raw_text(fd, "GET /1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    turn(h, 5);
    size_t size = (size_t)4 << 20;
    char *body = malloc(size);
    memset(body, 'b', size);
    nb__peer_respond(h->held, 200, "text/plain", "", (nb_span){body, size});
    nb__text got = {0};
    assert_true(raw_expect(h, fd, &got, NULL, 10000));
    assert_true(got.size_bytes > size);
    assert_memory_equal(got.data + got.size_bytes - size, body, size);
    free(body);
    nb__text_fini(&got);
    close(fd);
    harness_free(h);
}

static void a_slow_reader_that_makes_progress_is_not_idle(void **state)
{
    (void)state;
    harness *h = harness_new();
    h->holds_requests = true;
    h->config.idle_timeout_ns = 150 * NB__NS_PER_MS;
    h->config.send_buffer_bytes = 4096;
    harness_listen(h);
    int fd = raw_connect(h), small = 32768;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    raw_text(fd, "GET /1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    turn(h, 5);
    size_t size = (size_t)1 << 20, got = 0;
    char *body = calloc(1, size);
    nb__peer_respond(h->held, 200, "text/plain", "", (nb_span){body, size});
    int64_t start = nb__clock_mono_ns(), next = start;
    ssize_t part = -1;
    while (part != 0 && nb__clock_mono_ns() - start < 5 * NB__NS_PER_S) {
        nb__loop_turn(h->loop, 1);
        if (nb__clock_mono_ns() < next)
            continue;
        next += 10 * NB__NS_PER_MS;
        part = recv(fd, body, 20000, 0);
        assert_true(part >= 0 || errno == EAGAIN);
        got += part > 0 ? (size_t)part : 0;
    }
    assert_true(got > size);
    assert_true(nb__clock_mono_ns() - start > 300 * NB__NS_PER_MS);
    free(body);
    close(fd);
    harness_free(h);
}

static void when_descriptors_run_out_clients_are_refused_and_nothing_spins(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    int held[2000], count = 0, fd = raw_connect(h);
    while (count < 2000 && (held[count] = dup(fd)) >= 0) /* main() lowers the limit to 512 */
        count++;
    assert_true(count > 100 && count < 2000);
    nb__text got = {0};
    assert_true(raw_expect(h, fd, &got, NULL, 2000)); /* closed */
    assert_int_equal(nb__server_count(h->server)->refused_full, 1);
    for (int i = 0; i < count; i++)
        close(held[i]);
    close(fd);
    assert_false(raw_expect(h, -1, &got, "x", 1));
    turn(h, 200); /* accepting may pause for 100 ms */
    check(h, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200", "/a");
    nb__text_fini(&got);
    harness_free(h);
}

static void listening_fails_with_words(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    nb__server_config config = h->config;
    nb__server *second = NULL;
    nb_error error = {0};
    config.listen.port = h->port;
    assert_int_equal(nb__server_open(h->loop, &config, &h->handler, &second, &error), NB_E_SYSTEM);
    assert_non_null(strstr(error.detail, "listen on 127.0.0.1:"));
    assert_non_null(strstr(error.detail, "Address already in use"));
    assert_null(second);
    harness_free(h);
}

static void it_listens_on_ipv6_too(void **state)
{
    (void)state;
    harness *h = harness_new();
    assert_int_equal(nb__listen_parse("[::1]:0", &h->config.listen, NULL), NB_OK);
    harness_listen(h);
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(h->port)};
    to.sin6_addr = in6addr_loopback;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    h->holds_requests = true;
    raw_text(fd, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
    turn(h, 5);
    assert_memory_equal(nb__peer_name(h->held), "[::1]:", 6);
    assert_true(nb__peer_is_loopback(h->held));
    nb__peer_respond(h->held, 204, "", "", NB__SPAN(""));
    close(fd);
    harness_free(h);
}

/* What an answered request held is given back at once, not when the next one comes. */
static void an_idle_connection_holds_no_request(void **state)
{
    (void)state;
    enum { CLIENTS = 20, BODY_BYTES = 60000 };
    harness *h = harness_new();
    harness_listen(h);
    nb__text request = {0};
    nb__text_printf(&request, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n",
                    BODY_BYTES);
    char *body = nb__text_reserve(&request, BODY_BYTES);
    memset(body, 'x', BODY_BYTES);
    request.size_bytes += BODY_BYTES;
    int fds[CLIENTS];
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < CLIENTS; i++) {
        nb__text got = {0};
        fds[i] = raw_connect(h);
        raw_send(fds[i], request.data, request.size_bytes);
        assert_true(raw_expect(h, fds[i], &got, "xxx", 2000));
        nb__text_fini(&got);
    }
    turn(h, 2);
    size_t after = mallinfo2().uordblks; /* 0 under a sanitizer */
    assert_true(after < before + (size_t)CLIENTS * 4096);
    assert_int_equal(h->requests, CLIENTS);
    for (int i = 0; i < CLIENTS; i++) { /* and the next request is read as ever */
        nb__text got = {0};
        raw_send(fds[i], request.data, request.size_bytes);
        assert_true(raw_expect(h, fds[i], &got, "xxx", 2000));
        nb__text_fini(&got);
        close(fds[i]);
    }
    nb__text_fini(&request);
    harness_free(h);
}

int main(void)
{
    struct rlimit limit = {512, 512};
    setrlimit(RLIMIT_NOFILE, &limit);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered),
        cmocka_unit_test(a_request_that_comes_byte_by_byte_is_one_request),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(the_next_request_waits_until_the_first_is_answered),
        cmocka_unit_test(a_client_that_leaves_before_its_answer_harms_nobody),
        cmocka_unit_test(expect_100_continue_is_answered),
        cmocka_unit_test(a_half_closed_client_still_gets_its_answer),
        cmocka_unit_test(slow_headers_end_in_408),
        cmocka_unit_test(the_second_request_of_a_connection_has_its_own_deadline),
        cmocka_unit_test(idle_keep_alive_connections_are_closed),
        cmocka_unit_test(the_client_over_the_limit_reads_503),
        cmocka_unit_test(heads_and_bodies_are_capped),
        cmocka_unit_test(a_large_answer_reaches_a_slow_reader_whole),
        cmocka_unit_test(a_slow_reader_that_makes_progress_is_not_idle),
        cmocka_unit_test(when_descriptors_run_out_clients_are_refused_and_nothing_spins),
        cmocka_unit_test(listening_fails_with_words),
        cmocka_unit_test(it_listens_on_ipv6_too),
        cmocka_unit_test(an_idle_connection_holds_no_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
