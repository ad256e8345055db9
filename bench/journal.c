/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What recording costs.
 *
 *   bench_journal store DIR           the recorder alone beside SQLite (WAL, one insert a frame,
 *                                     prepared, a transaction a turn) and a bare write()
 *   bench_journal serve PROGRAM DIR   `nightbook serve` with and without --journal: this process is
 *                                     its feed and its one client; the server's CPU a frame
 *
 * Turns of W frames, 1 to 1024; interleaved rounds, medians with quartiles. Prices walk, so that
 * the bytes compress as a night's do.
 */
#include "bench.h"
#include "journal_feed.h"
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 7
#define STORE_FRAMES 400000
#define SERVE_NS (NB__NS_PER_S / 2)

extern char **environ;
static const size_t bursts[] = {1, 16, 64, 1024};

static void die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void check(nb_err err, const nb_error *error)
{
    if (err == NB_OK)
        return;
    fprintf(stderr, "bench: %s\n", error->detail);
    exit(1);
}

/* What the thread of a process's loop has run, without its helpers. */
static double loop_ns(pid_t pid)
{
    char path[64];
    unsigned long long ran = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)pid, (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%llu", &ran) != 1)
        die(path);
    fclose(file);
    return (double)ran;
}

static double cpu_ns(clockid_t clock)
{
    struct timespec used;
    if (clock_gettime(clock, &used) != 0)
        die("cpu clock");
    return (double)used.tv_sec * 1e9 + (double)used.tv_nsec;
}

/* ---- the recorder, SQLite, and a bare write, in this process ---- */

typedef struct way {
    const char *name;
    void (*open)(const char *directory);
    void (*frame)(nb_span frame, int64_t recv_ns);
    void (*turn)(void);
    void (*close)(void);
    double ns[ROUNDS];
} way;

static nb__loop *loop;
static nb__recorder *recorder;

static void tell(void *self, nb__recorder_event event, const char *words)
{
    (void)self;
    fprintf(stderr, "bench: recorder %d: %s\n", (int)event, words);
}

static void recorder_open(const char *directory)
{
    nb_error error = {0};
    char path[600];
    snprintf(path, sizeof path, "%s/recorder", directory);
    nb__recorder_config config = nb__recorder_config_default();
    config.directory = path;
    config.is_asked_for = true;
    config.pack_level = 0;
    config.calendar = nb_calendar_builtin();
    check(nb__loop_new(&loop, &error), &error);
    check(nb__recorder_open(loop, &config, NB__FEED_SIM, tell, NULL, &recorder, &error), &error);
    nb__session_clock clock = nb__session_clock_live();
    clock.kind = NB__FEED_SIM;
    nb__recorder_connect(recorder, 0, "bench", "ws://127.0.0.1:1", &clock, nb__clock_real_ns());
}

static void recorder_frame(nb_span frame, int64_t recv_ns)
{
    nb__recorder_line(recorder, 0, NB__JOURNAL_FRAME, frame, recv_ns);
}

static void recorder_turn(void)
{
    nb__recorder_write(recorder);
}

static void recorder_close(void)
{
    nb__loop_turn(loop, 0);
    nb__recorder_close(recorder, "bench");
    nb__loop_free(loop);
}

static sqlite3 *base;
static sqlite3_stmt *insert, *begin, *commit;
static bool is_in_turn;

static void sql(const char *words)
{
    if (sqlite3_exec(base, words, NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "bench: sqlite: %s\n", sqlite3_errmsg(base));
        exit(1);
    }
}

static void sqlite_open(const char *directory)
{
    char path[600];
    snprintf(path, sizeof path, "%s/sqlite.db", directory);
    if (sqlite3_open(path, &base) != SQLITE_OK)
        die("sqlite");
    sql("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        "CREATE TABLE frames(recv_ns INTEGER, link INTEGER, payload TEXT)");
    sqlite3_prepare_v2(base, "INSERT INTO frames VALUES(?,1,?)", -1, &insert, NULL);
    sqlite3_prepare_v2(base, "BEGIN", -1, &begin, NULL);
    sqlite3_prepare_v2(base, "COMMIT", -1, &commit, NULL);
}

static void step(sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE)
        die("sqlite step");
    sqlite3_reset(statement);
}

static void sqlite_frame(nb_span frame, int64_t recv_ns)
{
    if (!is_in_turn)
        step(begin);
    is_in_turn = true;
    sqlite3_bind_int64(insert, 1, recv_ns);
    sqlite3_bind_text(insert, 2, frame.data, (int)frame.size_bytes, SQLITE_STATIC);
    step(insert);
}

static void sqlite_turn(void)
{
    step(commit);
    is_in_turn = false;
}

static void sqlite_close(void)
{
    sqlite3_finalize(insert);
    sqlite3_finalize(begin);
    sqlite3_finalize(commit);
    sqlite3_close(base);
}

/* The least that can be done: the frame's bytes and a line end, one write a turn. */
static FILE *bare;

static void bare_open(const char *directory)
{
    char path[600];
    snprintf(path, sizeof path, "%s/bare.log", directory);
    bare = fopen(path, "w");
    if (bare == NULL || setvbuf(bare, NULL, _IOFBF, 1 << 20) != 0)
        die(path);
}

static void bare_frame(nb_span frame, int64_t recv_ns)
{
    (void)recv_ns;
    if (fwrite(frame.data, 1, frame.size_bytes, bare) != frame.size_bytes ||
        putc_unlocked('\n', bare) == EOF)
        die("write");
}

static void bare_turn(void)
{
    if (fflush(bare) != 0)
        die("write");
}

static void bare_close(void)
{
    fclose(bare);
}

static void empty(const char *directory)
{
    char command[700];
    snprintf(command, sizeof command, "rm -rf '%s' && mkdir '%s'", directory, directory);
    if (system(command) != 0)
        die(directory);
}

/* The loop turns as often as it would with a real feed that brings so much. */
static void run_way(way *w, const char *directory, size_t burst, int round, walk *prices)
{
    empty(directory);
    w->open(directory);
    size_t frames = burst == 1 ? STORE_FRAMES / 4 : STORE_FRAMES;
    double before = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    int64_t recv_ns = nb__clock_real_ns();
    for (size_t done = 0; done < frames; done += burst) {
        for (size_t i = 0; i < burst; i++)
            w->frame(walk_next(prices), recv_ns + (int64_t)(done + i));
        w->turn();
    }
    double after = cpu_ns(CLOCK_THREAD_CPUTIME_ID), used = after - before;
    for (size_t done = 0; done < frames; done++)
        (void)walk_next(prices);
    double made_ns = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - after;
    w->close();
    w->ns[round] = (used - made_ns) / (double)frames;
}

static void print_median(const char *name, size_t burst, double *values)
{
    double low, high, median = bench_median(values, ROUNDS, &low, &high);
    printf("| %s | %zu | %.0f (%.0f–%.0f) | %.2f |\n", name, burst, median, low, high,
           1e3 / median);
    fflush(stdout);
}

static int bench_store(const char *directory)
{
    static walk prices;
    way ways[] = {
        {"a bare write a turn", bare_open, bare_frame, bare_turn, bare_close, {0}},
        {"**the recorder**", recorder_open, recorder_frame, recorder_turn, recorder_close, {0}},
        {"SQLite, WAL", sqlite_open, sqlite_frame, sqlite_turn, sqlite_close, {0}},
    };
    walk_init(&prices, 1);
    printf("ns of this thread a frame, median (quartiles) of %d rounds interleaved; millions a "
           "second\n\n| how | frames a turn | ns a frame | M/s |\n|---|---|---|---|\n",
           ROUNDS);
    for (size_t b = 0; b < NB__COUNT_OF(bursts); b++) {
        for (int round = 0; round < ROUNDS; round++)
            for (size_t w = 0; w < NB__COUNT_OF(ways); w++)
                run_way(&ways[w], directory, bursts[b], round, &prices);
        for (size_t w = 0; w < NB__COUNT_OF(ways); w++)
            print_median(ways[w].name, bursts[b], ways[w].ns);
    }
    empty(directory);
    return 0;
}

/* ---- nightbook serve with and without ---- */

typedef struct variant {
    const char *name;
    bool is_recording;
    pid_t pid;
    clockid_t clock;
    int client_fd;
    double cpu_ns[ROUNDS], loop_ns[ROUNDS];
} variant;

static feed the_feed;

static uint16_t read_port(int fd)
{
    char text[4096];
    size_t held = 0;
    unsigned port = 0;
    for (int64_t end = bench_now_ns() + 10 * NB__NS_PER_S; port == 0 && bench_now_ns() < end;) {
        nb__loop_turn(the_feed.loop, 1);
        ssize_t got = read(fd, text + held, sizeof text - 1 - held);
        held += got > 0 ? (size_t)got : 0;
        text[held] = '\0';
        const char *at = strstr(text, "listening ws://127.0.0.1:");
        if (at != NULL && strchr(at, '\n') != NULL)
            sscanf(at + strlen("listening ws://127.0.0.1:"), "%u", &port);
    }
    if (port == 0)
        die("the server told no port");
    return (uint16_t)port;
}

static void serve_start(variant *v, const char *program, const char *directory)
{
    int from[2];
    char address[64];
    const char *journal = v->is_recording ? directory : "none";
    snprintf(address, sizeof address, "ws://127.0.0.1:%u", nb__server_port(the_feed.server));
    const char *argv[] = {program,    "serve",       "--feed",    address, "--keys",       "0",
                          "--listen", "127.0.0.1:0", "--journal", journal, "--pack-level", "0",
                          NULL};
    if (pipe(from) != 0)
        die("pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDERR_FILENO);
    posix_spawn_file_actions_addclose(&actions, from[0]);
    if (posix_spawnp(&v->pid, program, &actions, NULL, (char **)(uintptr_t)argv, environ) != 0)
        die(program);
    posix_spawn_file_actions_destroy(&actions);
    close(from[1]);
    fcntl(from[0], F_SETFL, O_NONBLOCK);
    uint16_t port = read_port(from[0]);
    while (the_feed.peer == NULL)
        nb__loop_turn(the_feed.loop, 10);
    v->client_fd = feed_client(port);
    if (clock_getcpuclockid(v->pid, &v->clock) != 0)
        die("cpu clock");
    close(from[0]);
}

static void serve_stop(variant *v)
{
    kill(v->pid, SIGTERM);
    close(v->client_fd);
    waitpid(v->pid, NULL, 0);
    while (the_feed.peer != NULL)
        nb__loop_turn(the_feed.loop, 10);
}

/* A turn of W frames; the next one when the client has the last. */
static void serve_measure(variant *v, size_t burst, int round, walk *prices)
{
    uint64_t frames = 0, wanted = 0, has = 0;
    double before = 0, loop_before = 0;
    int64_t begin_ns = 0;
    for (int i = 0;; i++) {
        if (i == 5) {
            before = cpu_ns(v->clock);
            loop_before = loop_ns(v->pid);
            begin_ns = bench_now_ns();
            frames = 0;
        }
        for (size_t k = 0; k < burst; k++)
            wanted += feed_send(&the_feed, walk_next(prices));
        nb__loop_turn(the_feed.loop, 0);
        feed_receive(&the_feed, v->client_fd, wanted, &has);
        frames += burst;
        if (i >= 10 && bench_now_ns() - begin_ns > SERVE_NS)
            break;
    }
    v->cpu_ns[round] = (cpu_ns(v->clock) - before) / (double)frames;
    v->loop_ns[round] = (loop_ns(v->pid) - loop_before) / (double)frames;
}

static void print_serve(const char *name, size_t burst, double *loop_times, double *cpu_times,
                        bool has_rate)
{
    double low, high, median = bench_median(loop_times, ROUNDS, &low, &high);
    printf("| %s | %zu | %.0f (%.0f–%.0f) |", name, burst, median, low, high);
    median = bench_median(cpu_times, ROUNDS, &low, &high);
    printf(" %.0f (%.0f–%.0f) |", median, low, high);
    if (has_rate)
        printf(" %.2f |\n", 1e3 / median);
    else
        printf(" |\n");
    fflush(stdout);
}

static int bench_serve(const char *program, const char *directory)
{
    static walk prices;
    static const size_t turns[] = {1, 16, 64, 1024, 8192};
    variant variants[] = {{.name = "not recorded"}, {.name = "**recorded**", .is_recording = true}};
    walk_init(&prices, 1);
    feed_open(&the_feed);
    printf(
        "the server's CPU a frame, ns, median (quartiles) of %d rounds interleaved; M/s: what one "
        "core sustains at that\n\n| nightbook serve, one client of `*` | frames a turn | the loop "
        "| "
        "with the helper threads | M/s a core |\n|---|---|---|---|---|\n",
        ROUNDS);
    for (size_t t = 0; t < NB__COUNT_OF(turns); t++) {
        double extra_cpu[ROUNDS], extra_loop[ROUNDS];
        for (int round = 0; round < ROUNDS; round++) {
            for (size_t i = 0; i < NB__COUNT_OF(variants); i++) {
                empty(directory);
                serve_start(&variants[i], program, directory);
                serve_measure(&variants[i], turns[t], round, &prices);
                serve_stop(&variants[i]);
            }
            extra_cpu[round] = variants[1].cpu_ns[round] - variants[0].cpu_ns[round];
            extra_loop[round] = variants[1].loop_ns[round] - variants[0].loop_ns[round];
        }
        for (size_t i = 0; i < NB__COUNT_OF(variants); i++)
            print_serve(variants[i].name, turns[t], variants[i].loop_ns, variants[i].cpu_ns, true);
        print_serve("the difference", turns[t], extra_loop, extra_cpu, false);
    }
    empty(directory);
    return 0;
}

int main(int argc, char **argv)
{
    nb__log_set_level(NB__LOG_WARN);
    if (argc == 3 && strcmp(argv[1], "store") == 0)
        return bench_store(argv[2]);
    if (argc == 4 && strcmp(argv[1], "serve") == 0)
        return bench_serve(argv[2], argv[3]);
    fprintf(stderr, "usage: bench_journal store DIR | bench_journal serve NIGHTBOOK DIR\n");
    return 64;
}
