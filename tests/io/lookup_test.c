/* SPDX-License-Identifier: Apache-2.0 */
/* Names looked up in a helper thread, numbers in place of names, and what a link must not reach. */
#include "harness.h"
#include "io/stream.h"
#include "resolver.h"
#include <ifaddrs.h>
#include <netinet/tcp.h>
#include <time.h>

typedef struct caller {
    nb__link *link;
    int opened, closed;
    nb_error error;
} caller;

static void c_opened(void *self, const nb__http_message *answer)
{
    (void)answer;
    ((caller *)self)->opened++;
}

static void c_message(void *self, const nb__ws_event *event, int64_t recv_ns)
{
    (void)self;
    (void)event;
    (void)recv_ns;
}

static void c_closed(void *self, const nb_error *error)
{
    caller *c = self;
    c->closed++;
    c->error = *error;
}

static nb_err call(harness *h, caller *c, const char *host, uint16_t port,
                   const nb__link_options *options, nb_error *error)
{
    nb__address address = {.port = port, .path = "/", .is_ws = true};
    snprintf(address.host, sizeof address.host, "%s", host);
    nb__link_handler handler = {c, c_opened, c_message, NULL, c_closed};
    *c = (caller){0};
    return nb__link_open(h->loop, &address, options, &handler, &c->link, error);
}

#define UNTIL(h, condition)                                                                        \
    for (int left_ = 3000; left_ > 0 && !(condition); left_--)                                     \
    turn(h, 1)

static const nb__link_options in_a_second = {.timeout_ns = NB__NS_PER_S};

static void names_that_fail_are_told_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *host, *words;
    } cases[] = {
        {"none.test", "connect to none.test:80: no such host name ("},
        {"again.test", "connect to again.test:80: the name cannot be looked up now ("},
        {"system.test", "connect to system.test:80: the name cannot be looked up: Too many open"},
    };
    harness *h = harness_new();
    harness_listen(h);
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        caller c;
        assert_int_equal(call(h, &c, cases[i].host, 80, &in_a_second, NULL), NB_OK);
        assert_int_equal(c.closed, 0);
        UNTIL(h, c.closed);
        assert_int_equal(c.closed, 1);
        assert_int_equal(c.error.code, NB_E_SYSTEM);
        assert_memory_equal(c.error.detail, cases[i].words, strlen(cases[i].words));
    }
    harness_free(h);
}

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * NB__NS_PER_MS}, NULL);
}

/* The thread lives in a resolver that hangs; the loop turns, the time-out is kept. */
static void a_resolver_that_hangs_holds_nothing_up(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    nb__link_options soon = {.timeout_ns = 150 * NB__NS_PER_MS};
    caller slow, quick, aborted;
    resolver_block(true);
    int returned = resolver_count(&resolver_returned);
    int64_t start = nb__clock_mono_ns();
    assert_int_equal(call(h, &slow, "slow.test", h->port, &soon, NULL), NB_OK);
    assert_int_equal(call(h, &aborted, "slow.test", h->port, &soon, NULL), NB_OK);
    assert_int_equal(call(h, &quick, "127.0.0.1", h->port, &soon, NULL), NB_OK);
    UNTIL(h, quick.opened);
    assert_int_equal(quick.opened, 1);
    assert_int_equal(slow.closed, 0);
    nb__link_abort(aborted.link);
    UNTIL(h, slow.closed);
    assert_true(nb__clock_mono_ns() - start < NB__NS_PER_S);
    assert_int_equal(slow.error.code, NB_E_TIMEOUT);
    assert_non_null(strstr(slow.error.detail, "the name was not looked up within 150 ms"));
    assert_int_equal(aborted.closed, 0);
    nb__link_abort(quick.link);
    turn(h, 3);
    harness_free(h); /* the loop is gone, two threads still hang */
    for (int i = 0; i < 2000 && resolver_count(&resolver_inside) < 2; i++)
        sleep_ms(1);
    resolver_block(false);
    for (int i = 0; i < 2000 && resolver_count(&resolver_returned) < returned + 2; i++)
        sleep_ms(1);
    assert_int_equal(resolver_count(&resolver_returned), returned + 2);
    assert_false(resolver_saw_signals);
}

static void a_slow_name_is_used_when_it_comes(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    caller c, none;
    resolver_block(true);
    assert_int_equal(call(h, &c, "slow.test", h->port, &in_a_second, NULL), NB_OK);
    assert_int_equal(call(h, &none, "slow-none.test", h->port, &in_a_second, NULL), NB_OK);
    turn(h, 20);
    assert_false(c.opened || c.closed || none.closed);
    resolver_block(false);
    UNTIL(h, c.opened && none.closed);
    assert_int_equal(c.opened, 1);
    assert_non_null(strstr(none.error.detail, "no such host name"));
    nb__link_close(c.link, 1000);
    UNTIL(h, c.closed);
    harness_free(h);
}

static void look_ups_that_hang_are_limited(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    caller c[40];
    resolver_block(true);
    sleep_ms(20); /* threads of the test before are past their end */
    for (int i = 0; i < 40; i++)
        assert_int_equal(call(h, &c[i], "slow.test", h->port, &in_a_second, NULL), NB_OK);
    turn(h, 5);
    int refused = 0;
    for (int i = 0; i < 40; i++) {
        if (!c[i].closed) {
            nb__link_abort(c[i].link);
            continue;
        }
        refused++;
        assert_int_equal(c[i].error.code, NB_E_LIMIT);
        assert_non_null(strstr(c[i].error.detail, "32 look-ups hang already"));
    }
    assert_in_range(refused, 8, 12); /* a thread of the test before may be at its very end */
    resolver_block(false);
    for (int i = 0; i < 1000; i++) { /* and are given back */
        sleep_ms(2);
        assert_int_equal(call(h, &c[0], "loop.test", h->port, &in_a_second, NULL), NB_OK);
        UNTIL(h, c[0].opened || c[0].closed);
        if (c[0].opened)
            break;
    }
    assert_true(c[0].opened);
    nb__link_abort(c[0].link);
    turn(h, 2);
    harness_free(h);
}

static void a_one_shot_command_waits_for_a_name(void **state)
{
    (void)state;
    static const struct {
        const char *host, *number;
    } good[] = {{"loop.test", "127.0.0.1"},
                {"loop6.test", "::1"},
                {"192.0.2.7", "192.0.2.7"},
                {"2001:db8::1", "2001:db8::1"}};
    char out[64], small[8];
    nb_error error;
    for (size_t i = 0; i < NB__COUNT_OF(good); i++) {
        assert_int_equal(nb__host_lookup(good[i].host, out, sizeof out, &error), NB_OK);
        assert_string_equal(out, good[i].number);
    }
    assert_int_equal(nb__host_lookup("none.test", out, sizeof out, &error), NB_E_SYSTEM);
    assert_memory_equal(error.detail, "look up none.test: no such host name (", 38);
    assert_int_equal(nb__host_lookup("loop.test", small, sizeof small, &error), NB_E_ARGUMENT);
    resolver_block(true);
    int64_t start = nb__clock_mono_ns();
    assert_int_equal(nb__host_lookup("slow.test", out, sizeof out, &error), NB_E_TIMEOUT);
    assert_in_range(nb__clock_mono_ns() - start, 9 * NB__NS_PER_S, 20 * NB__NS_PER_S);
    resolver_block(false);
}

/* ---- what must not be reached ---- */

/* The program's own definition stands before libc's: a sandbox without netlink has no list. */
static bool has_interfaces = true;

__attribute__((visibility("default"))) int getifaddrs(struct ifaddrs **out)
{
    int (*real)(struct ifaddrs **) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "getifaddrs");
    errno = EAFNOSUPPORT;
    return has_interfaces ? real(out) : -1;
}

/* An address of this machine that is not loopback. */
static bool own_number(char out[INET6_ADDRSTRLEN])
{
    struct ifaddrs *list, *at;
    bool is_found = false;
    assert_int_equal(getifaddrs(&list), 0);
    for (at = list; at != NULL && !is_found; at = at->ifa_next) {
        if (at->ifa_addr == NULL || at->ifa_addr->sa_family != AF_INET)
            continue;
        const struct sockaddr_in *v4 = (const void *)at->ifa_addr;
        is_found = ntohl(v4->sin_addr.s_addr) >> 24 != 127 &&
                   inet_ntop(AF_INET, &v4->sin_addr, out, INET6_ADDRSTRLEN) != NULL;
    }
    freeifaddrs(list);
    return is_found;
}

static void our_own_listener_is_never_reached(void **state)
{
    (void)state;
    char own[INET6_ADDRSTRLEN] = "127.0.0.1";
    bool has_own = own_number(own);
    if (!has_own)
        print_message("no interface but loopback: that case is left out\n");
    const char *hosts[] = {"loop.test", "loop2.test", "loop6.test", "mapped.test",
                           "any.test",  "any6.test",  "localhost",  "127.0.0.1",
                           "::1",       "127.9.9.9",  own};
    harness *h = harness_new();
    harness_listen(h);
    for (size_t i = 0; i < NB__COUNT_OF(hosts); i++)
        for (int way = 0; way < 3; way++) { /* by the port, any port, without netlink */
            caller c;
            has_interfaces = way != 2;
            nb__link_options options = {.timeout_ns = NB__NS_PER_S};
            options.refused_port = way != 1 ? h->port : 0;
            options.refuses_loopback = way == 1;
            assert_int_equal(call(h, &c, hosts[i], h->port, &options, NULL), NB_OK);
            UNTIL(h, c.closed || c.opened);
            if (c.opened || c.error.code != NB_E_CONFIG ||
                strstr(c.error.detail, way != 1 ? "nightbook's own listener" : "this machine") ==
                    NULL ||
                strstr(c.error.detail, "ops_address:") == NULL)
                fail_msg("%s: %s", hosts[i], c.error.detail);
        }
    has_interfaces = true;
    assert_int_equal(nb__server_count(h->server)->accepted, 0);
    harness_free(h);
}

/* KIS listens on the port that is our own listener's by default. A broadcast number stands for
 * another machine's here: the kernel refuses it, and nothing is sent. */
static void the_same_port_elsewhere_may_be_reached(void **state)
{
    (void)state;
    harness *h = harness_new();
    for (int way = 0; way < 2; way++) {
        caller c;
        nb__link_options options = {.timeout_ns = NB__NS_PER_S, .refused_port = 21000};
        options.refuses_loopback = way == 1;
        assert_int_equal(call(h, &c, "255.255.255.255", 21000, &options, NULL), NB_OK);
        UNTIL(h, c.closed || c.opened);
        assert_int_equal(c.error.code, NB_E_SYSTEM);
    }
    harness_free(h);
}

static void the_words_of_a_refusal_name_the_hosts_file(void **state)
{
    (void)state;
    harness *h = harness_new();
    harness_listen(h);
    caller c;
    char want[256];
    nb__link_options options = {.timeout_ns = NB__NS_PER_S, .refused_port = h->port};
    assert_int_equal(call(h, &c, "loop.test", h->port, &options, NULL), NB_OK);
    UNTIL(h, c.closed);
    snprintf(want, sizeof want,
             "connect to loop.test:%u: the name is 127.0.0.1 here (hosts file?); that is "
             "nightbook's own listener, not KIS: ops_address: must name KIS's real address",
             h->port);
    assert_string_equal(c.error.detail, want);
    options.refused_port = (uint16_t)(h->port ^ 1); /* another port of this machine: may be */
    assert_int_equal(call(h, &c, "loop.test", h->port, &options, NULL), NB_OK);
    UNTIL(h, c.opened);
    assert_int_equal(c.opened, 1);
    nb__link_abort(c.link);
    turn(h, 2);
    harness_free(h);
}

/* ---- a number in place of the name ---- */

static char host_header[256];

static int u_upgrade(void *self, nb__peer *peer, const nb__http_message *request,
                     nb__text *extra_headers, const char **detail)
{
    (void)self;
    (void)peer;
    (void)extra_headers;
    *detail = "";
    (void)nb__span_copy(nb__http_header_find(request, "host"), host_header, sizeof host_header);
    return 101;
}

static void a_number_stands_for_the_name(void **state)
{
    (void)state;
    harness *h = harness_new();
    h->handler.upgrade = u_upgrade;
    harness_listen(h);
    char with_port[32], want[96];
    snprintf(with_port, sizeof with_port, "127.0.0.1:%u", h->port);
    const char *numbers[] = {"127.0.0.1", with_port};
    for (size_t i = 0; i < NB__COUNT_OF(numbers); i++) {
        caller c;
        uint16_t port = i == 0 ? h->port : 21000;
        nb__link_options options = {.timeout_ns = NB__NS_PER_S, .numeric = numbers[i]};
        /* a look-up of this name would fail */
        assert_int_equal(call(h, &c, "none.test", port, &options, NULL), NB_OK);
        UNTIL(h, c.opened || c.closed);
        assert_int_equal(c.opened, 1);
        snprintf(want, sizeof want, "none.test:%u", port);
        assert_string_equal(host_header, want);
        nb__link_abort(c.link);
        turn(h, 2);
    }
    caller c;
    nb__link_options options = {.timeout_ns = NB__NS_PER_S, .numeric = with_port};
    options.refused_port = h->port; /* a number of our own is no better */
    assert_int_equal(call(h, &c, "none.test", 21000, &options, NULL), NB_OK);
    UNTIL(h, c.closed);
    snprintf(want, sizeof want, "connect to none.test:21000 at %s: that is", with_port);
    assert_memory_equal(c.error.detail, want, strlen(want));
    harness_free(h);
}

static void numbers_are_checked_at_once(void **state)
{
    (void)state;
    static const char *const bad[] = {"kis.example",   "localhost", "1.2.3",     "21000",
                                      "1.2.3.4:",      "1.2.3.4:0", "1.2.3.4:x", "[::1",
                                      "1.2.3.4:70000", "1.2.3.4/",  "::1:21000x"};
    static const char *const good[] = {"127.0.0.1", "127.0.0.1:1", "::1", "[::1]", "[::1]:1"};
    harness *h = harness_new();
    harness_listen(h);
    caller c;
    nb_error error;
    nb__link_options options = {.timeout_ns = NB__NS_PER_S};
    for (size_t i = 0; i < NB__COUNT_OF(bad); i++) {
        options.numeric = bad[i];
        if (call(h, &c, "none.test", 1, &options, &error) != NB_E_ARGUMENT ||
            strstr(error.detail, "is no number") == NULL)
            fail_msg("%s", bad[i]);
    }
    options.refuses_loopback = true;
    for (size_t i = 0; i < NB__COUNT_OF(good); i++) {
        options.numeric = good[i];
        assert_int_equal(call(h, &c, "none.test", 1, &options, &error), NB_OK);
        UNTIL(h, c.closed);
        assert_int_equal(c.error.code, NB_E_CONFIG);
    }
    harness_free(h);
}

/* ---- the kernel is told how long silence may last ---- */

static void s_connected(nb__stream *stream)
{
    (void)stream;
}

static void s_buried(nb__stream *stream)
{
    nb__stream_fini(stream);
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

static void silence_is_limited_when_asked(void **state)
{
    (void)state;
    static const nb__stream_owner owner = {.connected = s_connected, .buried = s_buried};
    harness *h = harness_new();
    harness_listen(h);
    nb__address address = {.host = "127.0.0.1", .port = h->port, .path = "/"};
    for (int asked = 0; asked < 2; asked++) {
        nb__stream stream = {0};
        nb__link_options options = {.timeout_ns = NB__NS_PER_S};
        options.user_timeout_ns = asked * 30 * NB__NS_PER_S;
        assert_int_equal(nb__stream_start(&stream, h->loop, &owner, &address, &options, NULL),
                         NB_OK);
        int fd = stream.watch.fd;
        assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), asked * 30000);
        assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), asked);
        if (asked) {
            assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 10);
            assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
        }
        nb__stream_end(&stream, NB_E_CLOSED, "done");
        turn(h, 2);
    }
    harness_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_fail_are_told_in_words),
        cmocka_unit_test(a_resolver_that_hangs_holds_nothing_up),
        cmocka_unit_test(a_slow_name_is_used_when_it_comes),
        cmocka_unit_test(look_ups_that_hang_are_limited),
        cmocka_unit_test(a_one_shot_command_waits_for_a_name),
        cmocka_unit_test(our_own_listener_is_never_reached),
        cmocka_unit_test(the_same_port_elsewhere_may_be_reached),
        cmocka_unit_test(the_words_of_a_refusal_name_the_hosts_file),
        cmocka_unit_test(a_number_stands_for_the_name),
        cmocka_unit_test(numbers_are_checked_at_once),
        cmocka_unit_test(silence_is_limited_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
