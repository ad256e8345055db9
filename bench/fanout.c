/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fan-out: 250-byte messages to n WebSocket clients over loopback, nightbook beside its peers in
 * one interleaved run.
 *
 *   this process: feed ──▶ server (a process of its own) ──▶ n clients (this process)
 *
 * A burst of W messages is written to the feed; the next one goes when every client has the last.
 * Told: deliveries a second, and the server's CPU a delivery (its own process clock).
 */
#include "base/base.h"
#include "bench.h"
#include "io/io.h"
#include "kis/kis.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAYLOAD_BYTES 250
#define FRAME_BYTES (PAYLOAD_BYTES + 4)
#define CLIENTS_MAX 10000
#define BURST_MAX 64
#define ROUNDS_MAX 9

typedef struct feed {
    nb__loop *loop;
    nb__server *server;
    nb__peer *peer; /* nightbook's session, once it is there */
} feed;

typedef struct run {
    const char *name;
    const char *argv[10]; /* {} is the feed's address; none: messages go to its stdin */
    pid_t pid;
    int in, out;
    uint16_t port;
    double rate[ROUNDS_MAX], cpu_us[ROUNDS_MAX];
} run;

static int client_fds[CLIENTS_MAX];
static size_t client_bytes[CLIENTS_MAX];
static feed the_feed;
extern char **environ;

static void die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- the feed that nightbook connects to: the least that is KIS ---- */

static void feed_request(void *self, nb__peer *peer, const nb__http_message *request)
{
    (void)self;
    bool is_approval = nb__span_is(request->path, "/oauth2/Approval");
    nb__peer_respond(peer, is_approval ? 200 : 404, "application/json", "",
                     nb__span(is_approval ? "{\"approval_key\":\"bench\"}" : "{}"));
}

static int feed_upgrade(void *self, nb__peer *peer, const nb__http_message *request,
                        nb__text *headers, const char **detail)
{
    (void)self, (void)peer, (void)request, (void)headers, (void)detail;
    return 101;
}

static void feed_opened(void *self, nb__peer *peer)
{
    ((feed *)self)->peer = peer;
}

static void feed_message(void *self, nb__peer *peer, const nb__ws_event *event)
{
    (void)self, (void)peer, (void)event;
}

static void feed_closed(void *self, nb__peer *peer, const char *detail)
{
    (void)peer, (void)detail;
    ((feed *)self)->peer = NULL;
}

static void feed_open(feed *f)
{
    static nb__server_handler handler = {.request = feed_request,
                                         .upgrade = feed_upgrade,
                                         .opened = feed_opened,
                                         .message = feed_message,
                                         .closed = feed_closed};
    nb_error error = {0};
    nb__server_config config = nb__server_config_default();
    handler.self = f;
    if (nb__listen_parse("127.0.0.1:0", &config.listen, &error) != NB_OK ||
        nb__loop_new(&f->loop, &error) != NB_OK ||
        nb__server_open(f->loop, &config, &handler, &f->server, &error) != NB_OK) {
        fprintf(stderr, "bench: %s\n", error.detail);
        exit(1);
    }
}

/* ---- the message ---- */

static void message_make(char out[PAYLOAD_BYTES + 2])
{
    nb__text text = {0};
    nb__text_string(&text, "0|H0EUASP0|001|B01612745^190159");
    for (int i = 0; i < 10; i++)
        nb__text_string(&text, "^2.98");
    for (int i = 0; i < 25; i++)
        nb__text_string(&text, "^12");
    nb__text_string(&text, "^");
    while (text.size_bytes < PAYLOAD_BYTES)
        nb__text_append(&text, text.size_bytes == PAYLOAD_BYTES - 1 ? "5" : "0", 1);
    memcpy(out, text.data, PAYLOAD_BYTES);
    out[PAYLOAD_BYTES] = '\n';
    out[PAYLOAD_BYTES + 1] = '\0';
    nb__text_fini(&text);
}

/* ---- servers ---- */

static void server_start(run *r)
{
    int to[2], from[2];
    if (pipe(to) != 0 || pipe(from) != 0)
        die("pipe");
    char address[64];
    snprintf(address, sizeof address, "ws://127.0.0.1:%u", nb__server_port(the_feed.server));
    char *argv[10] = {0};
    for (int i = 0; i < 9 && r->argv[i] != NULL; i++)
        argv[i] = strcmp(r->argv[i], "{}") == 0 ? address : (char *)(uintptr_t)r->argv[i];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    bool is_ours = strcmp(r->name, "nightbook") == 0; /* tells its port on stderr */
    posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from[1], is_ours ? STDERR_FILENO : STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, to[1]);
    posix_spawn_file_actions_addclose(&actions, from[0]);
    if (posix_spawnp(&r->pid, argv[0], &actions, NULL, argv, environ) != 0)
        die(argv[0]);
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    r->in = to[1];
    r->out = from[0];
    fcntl(r->out, F_SETFL, O_NONBLOCK);
    char text[4096];
    size_t held = 0;
    unsigned port = 0;
    for (int64_t end = bench_now_ns() + 10 * NB__NS_PER_S; port == 0 && bench_now_ns() < end;) {
        nb__loop_turn(the_feed.loop, 1);
        ssize_t got = read(r->out, text + held, sizeof text - 1 - held);
        held += got > 0 ? (size_t)got : 0;
        text[held] = '\0';
        const char *at = is_ours ? strstr(text, "listening ws://127.0.0.1:") : text;
        if (at != NULL && strchr(at, '\n') != NULL)
            sscanf(is_ours ? at + strlen("listening ws://127.0.0.1:") : at, "%u", &port);
    }
    if (port == 0)
        die("the server told no port");
    r->port = (uint16_t)port;
    while (is_ours && the_feed.peer == NULL)
        nb__loop_turn(the_feed.loop, 10);
}

static void server_stop(run *r)
{
    kill(r->pid, SIGTERM);
    close(r->in);
    close(r->out);
    waitpid(r->pid, NULL, 0);
    while (the_feed.peer != NULL)
        nb__loop_turn(the_feed.loop, 10);
}

static double server_cpu_ns(const run *r)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(r->pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        die("cpu clock");
    return (double)used.tv_sec * 1e9 + (double)used.tv_nsec;
}

static void server_feed(const run *r, const char *message, int burst)
{
    if (strcmp(r->name, "nightbook") == 0) {
        for (int i = 0; i < burst; i++)
            nb__peer_send_text(the_feed.peer, (nb_span){message, PAYLOAD_BYTES});
        nb__loop_turn(the_feed.loop, 0);
        return;
    }
    static char lines[BURST_MAX * (PAYLOAD_BYTES + 1)];
    for (int i = 0; i < burst; i++)
        memcpy(lines + i * (PAYLOAD_BYTES + 1), message, PAYLOAD_BYTES + 1);
    size_t size = (size_t)burst * (PAYLOAD_BYTES + 1);
    if (write(r->in, lines, size) != (ssize_t)size)
        die("write to the server");
}

/* ---- clients ---- */

static int client_connect(uint16_t port)
{
    static const char upgrade[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char answer[2048];
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        send(fd, upgrade, sizeof upgrade - 1, MSG_NOSIGNAL) < 0 ||
        recv(fd, answer, sizeof answer, 0) < 12 || strncmp(answer + 9, "101", 3) != 0)
        die("client");
    return fd;
}

static void client_subscribe(int fd)
{
    nb__text out = {0}, request = {0};
    nb__request all = {.is_register = true, .custtype = 'P', .approval_key = "bench"};
    nb__topic_make(NB__SPAN("H0EUASP0"), NB__SPAN("*"), &all.topic);
    nb__request_print(&all, &request);
    static const uint8_t mask[4] = {1, 2, 3, 4};
    nb__ws_frame_append(&out, NB__WS_TEXT, nb__text_view(&request), mask);
    char answer[2048];
    if (send(fd, out.data, out.size_bytes, MSG_NOSIGNAL) < 0 ||
        recv(fd, answer, sizeof answer, 0) <= 0)
        die("subscribe");
    nb__text_fini(&out);
    nb__text_fini(&request);
}

static int clients_open(const run *r, size_t count)
{
    int epoll_fd = epoll_create1(0);
    for (size_t i = 0; i < count; i++) {
        client_fds[i] = client_connect(r->port);
        if (strcmp(r->name, "nightbook") == 0)
            client_subscribe(client_fds[i]);
        fcntl(client_fds[i], F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, client_fds[i], &event);
        client_bytes[i] = 0;
    }
    return epoll_fd;
}

/* Read until every client has `wanted` bytes in all. */
static void clients_wait(const run *r, int epoll_fd, size_t count, size_t wanted)
{
    static char scratch[1 << 16];
    struct epoll_event events[512];
    size_t done = 0;
    while (done < count) {
        int ready = epoll_wait(epoll_fd, events, 512, 5000);
        if (ready <= 0) {
            fprintf(stderr, "bench: %s: %zu of %zu clients have their %zu bytes\n", r->name, done,
                    count, wanted);
            exit(1);
        }
        for (int i = 0; i < ready; i++) {
            size_t index = events[i].data.u64;
            ssize_t got = recv(client_fds[index], scratch, sizeof scratch, 0);
            if (got <= 0)
                die("a client was closed");
            client_bytes[index] += (size_t)got;
            done += client_bytes[index] == wanted;
        }
    }
}

static void measure(run *r, size_t count, int burst, double seconds, int round)
{
    char message[PAYLOAD_BYTES + 2];
    message_make(message);
    server_start(r);
    int epoll_fd = clients_open(r, count);
    size_t wanted = 0;
    double cpu = 0;
    int64_t begin = 0, bursts = 0;
    for (int i = 0;; i++) {
        if (i == 3) { /* the first bursts warm up */
            begin = bench_now_ns();
            cpu = server_cpu_ns(r);
        }
        server_feed(r, message, burst);
        wanted += (size_t)burst * FRAME_BYTES;
        clients_wait(r, epoll_fd, count, wanted);
        bursts += i >= 3;
        if (i >= 6 && (double)(bench_now_ns() - begin) > seconds * 1e9)
            break;
    }
    double deliveries = (double)bursts * burst * (double)count;
    r->rate[round] = deliveries / ((double)(bench_now_ns() - begin) / 1e9) / 1e3;
    r->cpu_us[round] = (server_cpu_ns(r) - cpu) / deliveries / 1e3;
    for (size_t i = 0; i < count; i++)
        close(client_fds[i]);
    close(epoll_fd);
    server_stop(r);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: bench_fanout NIGHTBOOK BARE WS_SERVER.mjs [SECONDS [ROUNDS]]\n");
        return 64;
    }
    double seconds = argc > 4 ? (double)strtoul(argv[4], NULL, 10) : 1;
    int rounds = argc > 5 ? (int)strtoul(argv[5], NULL, 10) : 5;
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    feed_open(&the_feed);
    run runs[] = {
        {.name = "bare C, one send a client a message", .argv = {argv[2], "send"}},
        {.name = "bare C, shared ring, merged send", .argv = {argv[2], "ring"}},
        {.name = "npm ws", .argv = {"node", argv[3]}},
        {.name = "nightbook",
         .argv = {argv[1], "serve", "--feed", "{}", "--keys", "0", "--listen", "127.0.0.1:0"}},
    };
    static const struct {
        size_t clients;
        int burst;
    } cases[] = {{1000, 1}, {1000, 16}, {1000, 64}, {5000, 16}};
    printf("thousand deliveries a second, median (quartiles); server CPU µs a delivery; %d rounds "
           "interleaved\n\n",
           rounds);
    printf("| server | clients | burst W | k deliveries/s | CPU µs |\n|---|---|---|---|---|\n");
    for (size_t c = 0; c < NB__COUNT_OF(cases); c++) {
        for (int round = 0; round < rounds; round++)
            for (size_t r = 0; r < NB__COUNT_OF(runs); r++)
                measure(&runs[r], cases[c].clients, cases[c].burst, seconds, round);
        for (size_t r = 0; r < NB__COUNT_OF(runs); r++) {
            double low, high, median = bench_median(runs[r].rate, (size_t)rounds, &low, &high), a,
                              b;
            double cpu = bench_median(runs[r].cpu_us, (size_t)rounds, &a, &b);
            printf("| %s | %zu | %d | %.0f (%.0f–%.0f) | %.3f |\n", runs[r].name, cases[c].clients,
                   cases[c].burst, median, low, high, cpu);
            fflush(stdout);
        }
    }
    return 0;
}
