/* SPDX-License-Identifier: Apache-2.0 */
/* The user's program: what it gets, what it does not get, how it ends. */
#include "folder.h"
#include "io/io.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static nb__loop *loop;

static int loop_new(void **state)
{
    return folder_new(state) == 0 && nb__loop_new(&loop, NULL) == NB_OK ? 0 : -1;
}

static int loop_free(void **state)
{
    nb__loop_free(loop);
    return folder_remove(state);
}

typedef struct ended {
    int count, status;
} ended;

static void on_ended(void *self, int status)
{
    ended *e = self;
    e->count++;
    e->status = status;
}

static ended run(const char *command, nb_span input, int64_t timeout_ns)
{
    ended e = {0};
    nb_error error = {0};
    if (nb__child_run(loop, command, input, timeout_ns, on_ended, &e, &error) != NB_OK)
        fail_msg("%s", error.detail);
    assert_int_equal(e.count, 0);
    for (int64_t until = nb__clock_mono_ns() + 10 * NB__NS_PER_S;
         e.count == 0 && nb__clock_mono_ns() < until;)
        nb__loop_turn(loop, 10);
    assert_int_equal(e.count, 1);
    return e;
}

/* Run COMMAND > FOLDER/out and return what is there; it is the caller's. */
static nb__text output_of(const char *command, nb_span input)
{
    char line[512];
    nb__text out = {0};
    snprintf(line, sizeof line, "{ %s ; } > %s/out", command, folder);
    assert_int_equal(run(line, input, 5 * NB__NS_PER_S).status, 0);
    assert_int_equal(nb__file_read(in_folder("out"), 1 << 20, &out, NULL), NB_OK);
    return out;
}

static bool has_line(const nb__text *text, const char *start)
{
    const char *at = text->data;
    size_t size = strlen(start);
    while (at != NULL && *at != '\0') {
        if (strncmp(at, start, size) == 0)
            return true;
        at = strchr(at, '\n');
        at = at == NULL ? NULL : at + 1;
    }
    return false;
}

static void it_gets_its_input_and_then_the_end(void **state)
{
    (void)state;
    char all[4096];
    memset(all, 'n', sizeof all);
    nb__text out = output_of("cat", NB__SPAN("{\"event\":\"breaker\"}\n"));
    assert_string_equal(out.data, "{\"event\":\"breaker\"}\n");
    nb__text_fini(&out);
    out = output_of("wc -c", (nb_span){all, sizeof all});
    assert_int_equal(strtol(out.data, NULL, 10), 4096);
    nb__text_fini(&out);
    out = output_of("wc -c", NB__SPAN(""));
    assert_int_equal(strtol(out.data, NULL, 10), 0);
    nb__text_fini(&out);
    nb_error error;
    assert_int_equal(nb__child_run(loop, "cat", (nb_span){all, 4097}, 1, NULL, NULL, &error),
                     NB_E_ARGUMENT);
    /* one that never reads is no trouble */
    assert_int_equal(run("exit 0", (nb_span){all, 4096}, NB__NS_PER_S).status, 0);
}

static void its_status_is_told(void **state)
{
    (void)state;
    assert_int_equal(WEXITSTATUS(run("exit 7", NB__SPAN(""), NB__NS_PER_S).status), 7);
    assert_int_equal(WEXITSTATUS(run("/no/such/program 2>&-", NB__SPAN(""), NB__NS_PER_S).status),
                     127);
    /* nobody listens: still run */
    assert_int_equal(nb__child_run(loop, "true", NB__SPAN(""), NB__NS_PER_S, NULL, NULL, NULL),
                     NB_OK);
    for (int i = 0; i < 50; i++)
        nb__loop_turn(loop, 2);
}

static void it_inherits_no_secret(void **state)
{
    (void)state;
    static const char *const secret[] = {"KIS_APP_KEY",    "KIS_SECRET",      "KIS_ANYTHING",
                                         "MY_APPKEY",      "my_app_secret",   "X_APPROVAL_KEY",
                                         "KIS_SECRET_KEY", "OTHER_SECRET_KEY"};
    for (size_t i = 0; i < NB__COUNT_OF(secret); i++)
        setenv(secret[i], "planted-secret", 1);
    setenv("TELEGRAM_TOKEN", "mine", 1);
    setenv("NOT_KIS_", "mine", 1);
    nb__text out = output_of("env", NB__SPAN(""));
    for (size_t i = 0; i < NB__COUNT_OF(secret); i++)
        unsetenv(secret[i]);
    assert_null(strstr(out.data, "planted-secret"));
    assert_true(has_line(&out, "TELEGRAM_TOKEN=mine\n"));
    assert_true(has_line(&out, "NOT_KIS_=mine\n"));
    assert_true(has_line(&out, "PATH="));
    nb__text_fini(&out);
}

static void it_inherits_no_descriptor(void **state)
{
    (void)state;
    int open_fd = open("/dev/null", O_RDONLY); /* without CLOEXEC, as a library's may be */
    nb__text out = output_of("ls /proc/self/fd", NB__SPAN(""));
    assert_string_equal(out.data, "0\n1\n2\n3\n"); /* 3: ls reads the directory */
    nb__text_fini(&out);
    close(open_fd);
}

static void it_gets_signals_as_they_are_by_default(void **state)
{
    (void)state;
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, &before); /* as nb__loop_stop_on_signals() does */
    assert_int_equal(WTERMSIG(run("kill -PIPE $$", NB__SPAN(""), NB__NS_PER_S).status), SIGPIPE);
    assert_int_equal(WTERMSIG(run("kill -TERM $$", NB__SPAN(""), NB__NS_PER_S).status), SIGTERM);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Gone, or a zombie that nobody of ours has to reap. */
static bool is_dead(pid_t pid)
{
    char path[40];
    nb__text text = {0};
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    bool is_gone =
        nb__file_read(path, 4096, &text, NULL) != NB_OK || strstr(text.data, ") Z ") != NULL;
    nb__text_fini(&text);
    return is_gone;
}

static void it_is_killed_after_its_time_with_all_it_started(void **state)
{
    (void)state;
    char line[256];
    nb__text pids = {0};
    snprintf(line, sizeof line, "trap '' TERM; sleep 600 & echo $! $$ > %s; sleep 600",
             in_folder("pids"));
    int64_t start = nb__clock_mono_ns();
    ended e = run(line, NB__SPAN(""), 300 * NB__NS_PER_MS);
    int64_t took = nb__clock_mono_ns() - start;
    assert_true(WIFSIGNALED(e.status) && WTERMSIG(e.status) == SIGKILL);
    assert_true(took >= 300 * NB__NS_PER_MS && took < 3 * NB__NS_PER_S);
    assert_int_equal(nb__file_read(in_folder("pids"), 100, &pids, NULL), NB_OK);
    char *at = pids.data;
    pid_t below = (pid_t)strtol(at, &at, 10), shell = (pid_t)strtol(at, NULL, 10);
    assert_true(below > 1 && shell > 1);
    for (int i = 0; i < 1000 && !is_dead(below); i++)
        nanosleep(&(struct timespec){.tv_nsec = NB__NS_PER_MS}, NULL);
    assert_true(is_dead(below));
    assert_true(is_dead(shell));
    nb__text_fini(&pids);
}

static void several_run_at_once_and_no_more_than_a_few(void **state)
{
    (void)state;
    ended e[16] = {{0}};
    nb_error error;
    int64_t start = nb__clock_mono_ns();
    for (int i = 0; i < 16; i++) {
        char line[64];
        snprintf(line, sizeof line, "sleep 0.5; exit %d", i);
        assert_int_equal(
            nb__child_run(loop, line, NB__SPAN(""), 9 * NB__NS_PER_S, on_ended, &e[i], NULL),
            NB_OK);
    }
    assert_int_equal(nb__child_run(loop, "TOKEN=planted true", NB__SPAN(""), 1, NULL, NULL, &error),
                     NB_E_LIMIT);
    assert_non_null(strstr(error.detail, "16 such programs"));
    assert_null(strstr(error.detail, "planted"));
    int count = 0;
    while (count < 16 && nb__clock_mono_ns() - start < 8 * NB__NS_PER_S) {
        nb__loop_turn(loop, 10);
        count = 0;
        for (int i = 0; i < 16; i++)
            count += e[i].count;
    }
    for (int i = 0; i < 16; i++) {
        assert_int_equal(e[i].count, 1);
        assert_int_equal(WEXITSTATUS(e[i].status), i);
    }
    assert_int_equal(run("true", NB__SPAN(""), NB__NS_PER_S).status, 0);
}

static void what_still_runs_when_the_loop_ends_goes_on(void **state)
{
    (void)state;
    char line[256];
    ended e = {0};
    snprintf(line, sizeof line, "sleep 0.3; echo told > %s", in_folder("late"));
    assert_int_equal(nb__child_run(loop, line, NB__SPAN(""), NB__NS_PER_S, on_ended, &e, NULL),
                     NB_OK);
    nb__loop_free(loop);
    loop = NULL;
    for (int i = 0; i < 300 && access(in_folder("late"), F_OK) != 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10 * NB__NS_PER_MS}, NULL);
    assert_int_equal(access(in_folder("late"), F_OK), 0);
    assert_int_equal(e.count, 0);
    assert_true(wait(NULL) > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, loop_new, loop_free)
    const struct CMUnitTest tests[] = {
        TEST(it_gets_its_input_and_then_the_end),
        TEST(its_status_is_told),
        TEST(it_inherits_no_secret),
        TEST(it_inherits_no_descriptor),
        TEST(it_gets_signals_as_they_are_by_default),
        TEST(it_is_killed_after_its_time_with_all_it_started),
        TEST(several_run_at_once_and_no_more_than_a_few),
        TEST(what_still_runs_when_the_loop_ends_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
