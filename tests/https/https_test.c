/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTPS against a real TLS server with an authority of its own (server.py): what is believed, what
 * is refused and in which words, every limit, and a cancel in each state.
 */
#include "../io/folder.h"
#include "../io/resolver.h"
#include "https/https.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

/* ---- the server ---- */

static pid_t server_pid;
static int server_stdin;
static nb__loop *loop;
static char ca_file[128], stranger_file[128];

static struct {
    const char *name;
    uint16_t port;
} ports[] = {{"good", 0},    {"expired", 0},    {"misnamed", 0},
             {"unknown", 0}, {"selfsigned", 0}, {"plain", 0}};

static uint16_t port_of(const char *name)
{
    for (size_t i = 0; i < NB__COUNT_OF(ports); i++)
        if (strcmp(ports[i].name, name) == 0)
            return ports[i].port;
    fail_msg("no server %s", name);
    return 0;
}

static int server_start(void **state)
{
    int in[2], out[2];
    char line[100];
    if (folder_new(state) != 0 || pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        return -1;
    server_pid = fork();
    if (server_pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl("/usr/bin/python3", "python3", NB_SOURCE_DIR "/tests/https/server.py", folder,
              (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    server_stdin = in[1];
    FILE *lines = fdopen(out[0], "r");
    while (fgets(line, sizeof line, lines) != NULL && strcmp(line, "ready\n") != 0)
        for (size_t i = 0; i < NB__COUNT_OF(ports); i++) {
            size_t size = strlen(ports[i].name);
            if (strncmp(line, ports[i].name, size) == 0 && line[size] == ' ')
                ports[i].port = (uint16_t)strtoul(line + size, NULL, 10);
        }
    bool is_ready = strcmp(line, "ready\n") == 0;
    fclose(lines);
    setenv("SSLKEYLOGFILE", in_folder("keylog"), 1); /* libcurl reads it once, at its start */
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", folder);
    snprintf(stranger_file, sizeof stranger_file, "%s/stranger.pem", folder);
    return is_ready && nb__loop_new(&loop, NULL) == NB_OK ? 0 : -1;
}

static int server_stop(void **state)
{
    nb__loop_free(loop);
    close(server_stdin);
    waitpid(server_pid, NULL, 0);
    return folder_remove(state);
}

/* ---- an exchange ---- */

typedef struct exchange {
    nb__https *https;
    int count, status;
    int64_t date_s;
    char body[8192];
    size_t body_bytes;
    nb_error error;
    int64_t timeout_ns;
    size_t body_max_bytes;
    const char *method, *ca_file, *content_type, *scheme, *body_sent;
} exchange;

static void on_done(void *self, const nb__https_answer *answer)
{
    exchange *x = self;
    x->count++;
    x->status = answer->status;
    x->date_s = answer->date_s;
    x->body_bytes = answer->body.size_bytes;
    x->error = answer->error;
    snprintf(x->body, sizeof x->body, "%.*s", (int)answer->body.size_bytes,
             answer->body.size_bytes == 0 ? "" : answer->body.data); /* its beginning */
}

static nb_err start(exchange *x, const char *host, uint16_t port, const char *path, nb_error *error)
{
    nb__address address;
    char url[300];
    const char *scheme = x->scheme == NULL ? "https" : x->scheme;
    snprintf(url, sizeof url, "%s://%s:%u%s", scheme, host, port, path);
    assert_int_equal(nb__address_parse(url, &address, NULL), NB_OK);
    nb__https_request request = {
        .method = x->method == NULL ? "GET" : x->method,
        .address = &address,
        .content_type = x->content_type,
        .body = nb__span(x->body_sent),
        .ca_file = x->ca_file == NULL ? ca_file : x->ca_file,
        .body_max_bytes = x->body_max_bytes == 0 ? 4096 : x->body_max_bytes,
        .timeout_ns = x->timeout_ns == 0 ? 10 * NB__NS_PER_S : x->timeout_ns};
    return nb__https_start(loop, &request, on_done, x, &x->https, error);
}

static void wait_for(exchange *x)
{
    for (int64_t until = nb__clock_mono_ns() + 20 * NB__NS_PER_S;
         x->count == 0 && nb__clock_mono_ns() < until;)
        nb__loop_turn(loop, 10);
    assert_int_equal(x->count, 1);
}

static void get(exchange *x, const char *server, const char *path)
{
    nb_error error = {0};
    if (start(x, "127.0.0.1", port_of(server), path, &error) != NB_OK)
        fail_msg("%s", error.detail);
    assert_int_equal(x->count, 0); /* never inside nb__https_start() */
    wait_for(x);
}

static void expect_error(const exchange *x, nb_err code, const char *words)
{
    if (x->status != 0 || x->error.code != code || strstr(x->error.detail, words) == NULL)
        fail_msg("status %d, %s '%s' in place of %s '%s'", x->status, nb_error_name(x->error.code),
                 x->error.detail, nb_error_name(code), words);
    if (strncmp(x->error.detail, "http", 4) != 0) /* on what it failed comes first */
        fail_msg("'%s'", x->error.detail);
}

static void turns(int count)
{
    for (int i = 0; i < count; i++)
        nb__loop_turn(loop, 1);
}

/* ---- what goes well ---- */

static void a_known_authority_is_believed(void **state)
{
    (void)state;
    exchange x = {0}, named = {0};
    get(&x, "good", "/echo?0");
    assert_int_equal(x.status, 200);
    assert_int_equal(x.date_s, 1795338000); /* Sun, 22 Nov 2026 09:00:00 GMT */
    assert_memory_equal(x.body, "GET /echo?0 HTTP/1.1\r\n", 22);
    assert_non_null(strstr(x.body, "\r\nUser-Agent: nightbook/" NB_VERSION));
    assert_null(strstr(x.body, "Accept-Encoding"));
    assert_int_equal(start(&named, "localhost", port_of("good"), "/echo", NULL), NB_OK);
    wait_for(&named);
    assert_int_equal(named.status, 200);
}

static void a_body_is_posted_and_is_ours(void **state)
{
    (void)state;
    char body[] = "{\"appkey\":\"PS\",\"secretkey\":\"x\"}";
    exchange x = {.method = "POST", .content_type = "application/json; charset=utf-8"};
    x.body_sent = body;
    assert_int_equal(start(&x, "127.0.0.1", port_of("good"), "/echo", NULL), NB_OK);
    memset(body, '#', sizeof body - 1); /* it was copied */
    wait_for(&x);
    assert_int_equal(x.status, 200);
    assert_memory_equal(x.body, "POST /echo HTTP/1.1\r\n", 21);
    assert_non_null(strstr(x.body, "\r\nContent-Type: application/json; charset=utf-8\r\n"));
    assert_non_null(strstr(x.body, "\r\n\r\n{\"appkey\":\"PS\",\"secretkey\":\"x\"}"));
    assert_null(strstr(x.body, "Expect:"));
    exchange empty = {.method = "POST"};
    get(&empty, "good", "/echo");
    assert_non_null(strstr(empty.body, "\r\nContent-Length: 0"));
    assert_null(strstr(empty.body, "Content-Type:"));
}

static void a_large_body_goes_out(void **state)
{
    (void)state;
    size_t size = 1500000; /* more than a socket takes at once, and more than "Expect:" begins at */
    char *body = malloc(size + 1);
    memset(body, 'b', size);
    body[size] = '\0';
    exchange x = {.method = "POST", .body_sent = body, .body_max_bytes = size + 4096};
    get(&x, "good", "/echo");
    assert_int_equal(x.status, 200);
    assert_true(x.body_bytes > size);
    assert_null(strstr(x.body, "Expect:"));
    free(body);
}

static void any_status_is_an_answer(void **state)
{
    (void)state;
    exchange forbidden = {0}, redirect = {0}, no_date = {0};
    get(&forbidden, "good", "/forbidden");
    assert_int_equal(forbidden.status, 403);
    assert_string_equal(forbidden.body, "{\"error_code\":\"EGW00103\"}");
    get(&redirect, "good", "/redirect");
    assert_int_equal(redirect.status, 302); /* and not 200: nobody went there */
    assert_string_equal(redirect.body, "");
    get(&no_date, "good", "/no-date");
    assert_int_equal(no_date.status, 200);
    assert_int_equal(no_date.date_s, 0);
}

static void plain_http_is_for_this_machine_only(void **state)
{
    (void)state;
    static const char *const far[] = {"192.0.2.1", "loop.test", "openapi.example", "10.0.0.1",
                                      "localhost.example"};
    nb_error error;
    exchange x = {.scheme = "http"};
    get(&x, "plain", "/echo");
    assert_int_equal(x.status, 200);
    x = (exchange){.scheme = "http"};
    assert_int_equal(start(&x, "localhost", port_of("plain"), "/echo", NULL), NB_OK);
    wait_for(&x);
    assert_int_equal(x.status, 200);
    for (size_t i = 0; i < NB__COUNT_OF(far); i++) {
        x = (exchange){.scheme = "http"};
        assert_int_equal(start(&x, far[i], port_of("plain"), "/echo", &error), NB_E_ARGUMENT);
        assert_non_null(strstr(error.detail, "with this machine only"));
        turns(3);
        assert_int_equal(x.count, 0);
    }
    x = (exchange){.scheme = "wss"};
    assert_int_equal(start(&x, "localhost", 1, "/", &error), NB_E_ARGUMENT);
    x = (exchange){.method = "DELETE"};
    assert_int_equal(start(&x, "localhost", 1, "/", &error), NB_E_ARGUMENT);
}

/* ---- whom it does not believe ---- */

static void certificates_that_do_not_hold_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *server, *words;
    } cases[] = {
        {"unknown", "signed by an authority not known here"},
        {"selfsigned", "signed by an authority not known here"},
        {"expired", "certificate has expired; if this machine's clock (20"},
        {"misnamed", "certificate is for another name"},
        {"plain", "TLS cannot be agreed on"},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        exchange x = {.method = "POST", .body_sent = "{\"secretkey\":\"planted\"}"};
        get(&x, cases[i].server, "/echo");
        expect_error(&x, NB_E_PROTOCOL, cases[i].words);
        assert_null(strstr(x.error.detail, "planted"));
    }
    exchange stranger = {.ca_file = stranger_file}; /* these authorities and no others */
    get(&stranger, "good", "/echo");
    expect_error(&stranger, NB_E_PROTOCOL, "not known here");
    stranger = (exchange){.ca_file = stranger_file};
    get(&stranger, "unknown", "/echo");
    assert_int_equal(stranger.status, 200);
    exchange none = {.ca_file = "/no/such/file.pem"};
    get(&none, "good", "/echo");
    expect_error(&none, NB_E_CONFIG, "the file of authorities cannot be used");
}

/* ---- what the environment says does not count ---- */

static void proxies_and_netrc_are_not_taken(void **state)
{
    (void)state;
    static const char *const variables[] = {"http_proxy", "https_proxy", "HTTPS_PROXY",
                                            "all_proxy",  "ALL_PROXY",   "HTTP_PROXY"};
    static const char netrc[] = "machine 127.0.0.1 login planted password planted\n";
    for (size_t i = 0; i < NB__COUNT_OF(variables); i++)
        setenv(variables[i], "http://127.0.0.1:1", 1);
    assert_int_equal(nb__file_write(in_folder(".netrc"), nb__span(netrc), 0600, NULL), NB_OK);
    setenv("HOME", folder, 1);
    setenv("NETRC", in_folder(".netrc"), 1);
    exchange x = {0}, plain = {.scheme = "http"};
    get(&x, "good", "/echo");
    get(&plain, "plain", "/echo");
    for (size_t i = 0; i < NB__COUNT_OF(variables); i++)
        unsetenv(variables[i]);
    assert_int_equal(x.status, 200);
    assert_int_equal(plain.status, 200);
    assert_null(strstr(x.body, "Authorization"));
    assert_null(strstr(plain.body, "Proxy"));
    assert_int_equal(access(in_folder("keylog"), F_OK), -1); /* the keys of TLS stay here */
}

/* ---- limits ---- */

static void an_answer_is_never_larger_than_asked(void **state)
{
    (void)state;
    exchange fits = {.body_max_bytes = 5000}, told = {.body_max_bytes = 5000};
    exchange chunks = {.body_max_bytes = 5000}, headers = {0};
    get(&fits, "good", "/large?5000");
    assert_int_equal(fits.status, 200);
    assert_int_equal(fits.body_bytes, 5000);
    get(&told, "good", "/large?5001");
    expect_error(&told, NB_E_LIMIT, "larger than the 5000 bytes");
    get(&chunks, "good", "/chunks");
    expect_error(&chunks, NB_E_LIMIT, "larger than the 5000 bytes");
    get(&headers, "good", "/headers");
    expect_error(&headers, NB_E_LIMIT, "larger than");
}

/* A listener whose connections are never accepted. */
static int mute_listen(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)!connect(fd, (struct sockaddr *)&to, sizeof to);
    return fd;
}

static void time_is_limited_and_says_what_was_waited_for(void **state)
{
    (void)state;
    uint16_t port;
    int mute = mute_listen(&port);
    assert_int_equal(listen(mute, 5), 0);
    exchange silent = {.timeout_ns = 400 * NB__NS_PER_MS};
    exchange drip = silent, tls = silent, name = silent, unreached = silent;
    int64_t begin = nb__clock_mono_ns();
    get(&silent, "good", "/silent");
    int64_t took = nb__clock_mono_ns() - begin;
    assert_in_range(took, 390 * NB__NS_PER_MS, 3 * NB__NS_PER_S);
    expect_error(&silent, NB_E_TIMEOUT, "no whole answer within 40");
    get(&drip, "good", "/drip");
    expect_error(&drip, NB_E_TIMEOUT, "no whole answer within");
    assert_int_equal(start(&tls, "127.0.0.1", port, "/", NULL), NB_OK);
    wait_for(&tls);
    expect_error(&tls, NB_E_TIMEOUT, "TLS was not agreed on within");
    uint16_t full_port; /* a queue of one, taken: the kernel drops the next SYN */
    int full = mute_listen(&full_port), taken[4];
    assert_int_equal(listen(full, 0), 0);
    for (int i = 0; i < 4; i++)
        taken[i] = connect_to(full_port);
    assert_int_equal(start(&unreached, "127.0.0.1", full_port, "/", NULL), NB_OK);
    wait_for(&unreached);
    expect_error(&unreached, NB_E_TIMEOUT, "no connection within");
    for (int i = 0; i < 4; i++)
        close(taken[i]);
    close(full);
    resolver_block(true);
    assert_int_equal(start(&name, "slow.test", port, "/", NULL), NB_OK);
    wait_for(&name);
    expect_error(&name, NB_E_TIMEOUT, "the name was not looked up");
    close(mute);
}

static void failures_are_told_apart(void **state)
{
    (void)state;
    uint16_t port;
    int mute = mute_listen(&port); /* bound, not listening */
    exchange refused = {0}, name = {0}, cut = {0}, nothing = {0}, garbage = {0};
    assert_int_equal(start(&refused, "127.0.0.1", port, "/", NULL), NB_OK);
    wait_for(&refused);
    expect_error(&refused, NB_E_REFUSED, "Connection refused");
    assert_int_equal(start(&name, "none.test", 443, "/", NULL), NB_OK);
    wait_for(&name);
    expect_error(&name, NB_E_SYSTEM, "https://none.test:443: the name cannot be looked up");
    get(&cut, "good", "/cut");
    expect_error(&cut, NB_E_CLOSED, "disconnected before its answer was whole");
    get(&nothing, "good", "/nothing");
    expect_error(&nothing, NB_E_CLOSED, "disconnected before its answer was whole");
    get(&garbage, "good", "/garbage");
    expect_error(&garbage, NB_E_PROTOCOL, "no answer in HTTP");
    close(mute);
}

/* ---- cancel ---- */

static int fds_open(void)
{
    int count = 0;
    for (int fd = 0; fd < 200; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void a_cancel_in_each_state_is_the_end(void **state)
{
    (void)state;
    static const char *const paths[] = {"/silent", "/drip", "/chunks", "/echo"};
    int before = fds_open();
    for (int many = 0; many < 40; many++) { /* after as many turns: connect, TLS, request, answer */
        exchange x = {.body_max_bytes = (size_t)1 << 30};
        nb_err err = start(&x, "127.0.0.1", port_of("good"), paths[many % 4], NULL);
        assert_int_equal(err, NB_OK);
        for (int i = 0; i < many / 4 && x.count == 0; i++)
            nb__loop_turn(loop, 2);
        bool was_done = x.count == 1;
        if (!was_done)
            nb__https_cancel(x.https);
        turns(3);
        assert_int_equal(x.count, was_done);
    }
    assert_int_equal(fds_open(), before);
}

/* A resolver that hangs: the loop turns, a cancel returns at once, and so does the end. */
static void a_name_server_that_hangs_holds_nothing_up(void **state)
{
    (void)state;
    exchange slow = {0}, cancelled = {0}, quick = {0};
    resolver_block(true);
    int returned = resolver_count(&resolver_returned);
    int64_t begin = nb__clock_mono_ns();
    assert_int_equal(start(&cancelled, "slow.test", port_of("good"), "/echo", NULL), NB_OK);
    assert_int_equal(start(&slow, "slow.test", port_of("good"), "/echo", NULL), NB_OK);
    get(&quick, "good", "/echo");
    assert_int_equal(quick.status, 200);
    int64_t cancel_begin = nb__clock_mono_ns();
    nb__https_cancel(cancelled.https);
    assert_true(nb__clock_mono_ns() - cancel_begin < 200 * NB__NS_PER_MS);
    assert_true(nb__clock_mono_ns() - begin < 5 * NB__NS_PER_S);
    for (int i = 0; i < 2000 && resolver_count(&resolver_inside) == 0; i++)
        turns(1);
    resolver_block(false);
    wait_for(&slow); /* its certificate is for another name, so it got there */
    expect_error(&slow, NB_E_PROTOCOL, "for another name");
    for (int i = 0; i < 2000 && resolver_count(&resolver_returned) < returned + 2; i++)
        turns(1);
    assert_int_equal(cancelled.count, 0);
}

/* The process ends at once too, with a look-up of each kind under way. */
static void the_end_of_the_process_waits_for_no_name_server(void **state)
{
    (void)state;
    int status = -1;
    resolver_block(true);
    int64_t begin = nb__clock_mono_ns();
    pid_t pid = fork();
    if (pid == 0) {
        nb__loop *own;
        exchange x = {0}, left = {0};
        nb__link *link;
        nb__address address = {.host = "slow.test", .port = 80, .path = "/"};
        nb__link_options options = {.timeout_ns = NB__NS_PER_S};
        nb__link_handler handler = {0};
        if (nb__loop_new(&own, NULL) != NB_OK ||
            nb__link_open(own, &address, &options, &handler, &link, NULL) != NB_OK)
            _exit(1);
        nb__loop_free(loop); /* our copy of it */
        loop = own;
        if (start(&x, "slow.test", 443, "/", NULL) != NB_OK ||
            start(&left, "slow.test", 443, "/", NULL) != NB_OK)
            _exit(2);
        for (int i = 0; i < 2000 && resolver_count(&resolver_inside) < 3; i++)
            turns(1);
        nb__link_abort(link);
        nb__https_cancel(x.https);
        nb__https_cancel(left.https);
        nb__loop_free(own);
        exit(resolver_count(&resolver_inside) == 3 ? 0 : 3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(nb__clock_mono_ns() - begin < 5 * NB__NS_PER_S);
    resolver_block(false);
}

typedef struct pair {
    exchange first, second;
} pair;

static void on_first(void *self, const nb__https_answer *answer)
{
    pair *p = self;
    on_done(&p->first, answer);
    nb__https_cancel(p->first.https); /* too late, and harmless */
    assert_int_equal(start(&p->second, "127.0.0.1", port_of("good"), "/echo", NULL), NB_OK);
}

static void another_may_be_started_when_one_ends(void **state)
{
    (void)state;
    pair p = {0};
    nb__address address = {.host = "127.0.0.1", .path = "/echo", .is_tls = true};
    address.port = port_of("good");
    nb__https_request request = {.method = "GET", .address = &address, .ca_file = ca_file};
    request.body_max_bytes = 1000;
    request.timeout_ns = 5 * NB__NS_PER_S;
    assert_int_equal(nb__https_start(loop, &request, on_first, &p, &p.first.https, NULL), NB_OK);
    wait_for(&p.second);
    assert_int_equal(p.first.status, 200);
    assert_int_equal(p.second.status, 200);
}

static void several_at_once(void **state)
{
    (void)state;
    exchange x[20];
    memset(x, 0, sizeof x);
    for (int i = 0; i < 20; i++)
        assert_int_equal(start(&x[i], "127.0.0.1", port_of("good"), "/echo", NULL), NB_OK);
    for (int i = 0; i < 20; i++)
        wait_for(&x[i]);
    for (int i = 0; i < 20; i++)
        assert_int_equal(x[i].status, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_authority_is_believed),
        cmocka_unit_test(a_body_is_posted_and_is_ours),
        cmocka_unit_test(a_large_body_goes_out),
        cmocka_unit_test(any_status_is_an_answer),
        cmocka_unit_test(plain_http_is_for_this_machine_only),
        cmocka_unit_test(certificates_that_do_not_hold_are_told_apart),
        cmocka_unit_test(proxies_and_netrc_are_not_taken),
        cmocka_unit_test(an_answer_is_never_larger_than_asked),
        cmocka_unit_test(time_is_limited_and_says_what_was_waited_for),
        cmocka_unit_test(failures_are_told_apart),
        cmocka_unit_test(a_cancel_in_each_state_is_the_end),
        cmocka_unit_test(a_name_server_that_hangs_holds_nothing_up),
        cmocka_unit_test(the_end_of_the_process_waits_for_no_name_server),
        cmocka_unit_test(another_may_be_started_when_one_ends),
        cmocka_unit_test(several_at_once),
    };
    return cmocka_run_group_tests(tests, server_start, server_stop);
}
