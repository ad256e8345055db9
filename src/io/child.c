/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run the user's program. It gets a process group of its own (so that the time-out ends all that it
 * started), the signals' defaults, no descriptor but the first three, and an environment without
 * what may hold our secrets. Its end is read from a pidfd in the loop: no SIGCHLD handler, nothing
 * that another child of the process could disturb. Until it is reaped its number cannot become
 * another process's, so that the kill meets only what was meant.
 *
 * When the loop is freed before, the program runs on by itself: it may be telling somebody that
 * nightbook ends. No error names the command: a token may stand in it.
 */
#include "loop.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define INPUT_MAX_BYTES 4096 /* what a pipe takes at once, always */
#define CHILDREN_MAX 16

extern char **environ;

typedef struct child {
    nb__watch watch; /* the pidfd */
    nb__timer timer;
    nb__chore bury;
    nb__kept kept;
    nb__loop *loop;
    pid_t pid;
    int status;
    void (*done)(void *self, int status);
    void *self;
} child;

static int children; /* of all loops; like them it belongs to one thread */

/* ---- the environment ---- */

/* Whether a variable's name looks as if its value were a secret of KIS. */
static bool is_secret(const char *variable)
{
    static const char *const words[] = {"APPKEY",    "APP_KEY",    "APPSECRET",   "APP_SECRET",
                                        "SECRETKEY", "SECRET_KEY", "APPROVALKEY", "APPROVAL_KEY"};
    char name[128];
    size_t size = strcspn(variable, "=");
    if (size >= sizeof name)
        size = sizeof name - 1;
    for (size_t i = 0; i < size; i++)
        name[i] = (char)toupper((unsigned char)variable[i]);
    name[size] = '\0';
    if (strncmp(name, "KIS_", 4) == 0)
        return true;
    for (size_t i = 0; i < NB__COUNT_OF(words); i++)
        if (strstr(name, words[i]) != NULL)
            return true;
    return false;
}

/* The strings stay environ's; only the list is ours. */
static char **environment_new(void)
{
    size_t count = 0, kept = 0;
    while (environ[count] != NULL)
        count++;
    char **list = malloc((count + 1) * sizeof(char *));
    if (list == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!is_secret(environ[i]))
            list[kept++] = environ[i];
    list[kept] = NULL;
    return list;
}

/* ---- the end ---- */

static void child_fini(child *it)
{
    children--;
    nb__timer_cancel(it->loop, &it->timer);
    if (it->watch.fd >= 0) {
        nb__watch_remove(it->loop, &it->watch);
        close(it->watch.fd);
    }
    free(it);
}

static void child_release(nb__kept *kept)
{
    child_fini(NB__HOLDER(kept, child, kept));
}

static void child_bury(nb__chore *chore)
{
    child *it = NB__HOLDER(chore, child, bury);
    nb__loop_unkeep(&it->kept);
    if (it->done != NULL)
        it->done(it->self, it->status);
    child_fini(it);
}

static void child_ended(nb__watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    child *it = NB__HOLDER(watch, child, watch);
    if (waitpid(it->pid, &it->status, WNOHANG) == 0)
        return;
    nb__timer_cancel(it->loop, &it->timer);
    nb__watch_remove(it->loop, watch);
    close(watch->fd);
    watch->fd = -1;
    nb__loop_bury_later(it->loop, &it->bury);
}

static void child_late(nb__timer *timer, int64_t now_mono_ns)
{
    (void)now_mono_ns;
    kill(-NB__HOLDER(timer, child, timer)->pid, SIGKILL);
}

/* ---- the start ---- */

/* @return 0 or an errno. */
static int spawn(pid_t *pid, const char *command, int input_fd)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    char **environment = environment_new();
    char *arguments[] = {(char[]){"sh"}, (char[]){"-c"}, strdup(command), NULL};
    int reason = ENOMEM;
    if (environment == NULL || arguments[2] == NULL)
        goto out;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGXFSZ);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGTERM);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input_fd, STDIN_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    reason = posix_spawn(pid, "/bin/sh", &actions, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
out:
    free(arguments[2]);
    free(environment);
    return reason;
}

/* A pipe with `input` in it and nobody to add to it. @return its read end, or -1 with errno. */
static int input_open(nb_span input)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return -1;
    ssize_t size = write(fds[1], input.data, input.size_bytes);
    int reason = errno;
    close(fds[1]);
    if (size == (ssize_t)input.size_bytes)
        return fds[0];
    close(fds[0]);
    errno = reason;
    return -1;
}

/* @return 0 or an errno; then nothing is left running. */
static int child_start(child *it, const char *command, nb_span input)
{
    int input_fd = input_open(input);
    if (input_fd < 0)
        return errno;
    int reason = spawn(&it->pid, command, input_fd);
    close(input_fd);
    if (reason != 0)
        return reason;
    it->watch.fd = (int)syscall(SYS_pidfd_open, it->pid, 0);
    if (it->watch.fd >= 0 && nb__watch_add(it->loop, &it->watch, EPOLLIN) == NB_OK)
        return 0;
    reason = errno;
    kill(-it->pid, SIGKILL);
    waitpid(it->pid, NULL, 0);
    return reason;
}

nb_err nb__child_run(nb__loop *loop, const char *command, nb_span input, int64_t timeout_ns,
                     void (*done)(void *self, int status), void *self, nb_error *error)
{
    if (input.size_bytes > INPUT_MAX_BYTES)
        return nb__fail(error, NB_E_ARGUMENT, 0, "its input is larger than %d bytes",
                        INPUT_MAX_BYTES);
    if (children >= CHILDREN_MAX)
        return nb__fail(error, NB_E_LIMIT, 0, "%d such programs are running already", CHILDREN_MAX);
    child *it = calloc(1, sizeof *it);
    if (it == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    children++;
    *it = (child){.loop = loop, .done = done, .self = self, .status = -1};
    it->watch = (nb__watch){.fd = -1, .ready = child_ended};
    it->timer.fire = child_late;
    it->bury.run = child_bury;
    it->kept.release = child_release;
    int reason = child_start(it, command, input);
    if (reason != 0) {
        child_fini(it);
        return nb__fail(error, NB_E_SYSTEM, 0, "/bin/sh cannot be started: %s",
                        strerrordesc_np(reason));
    }
    nb__loop_keep(loop, &it->kept);
    nb__timer_set(loop, &it->timer, nb__clock_mono_ns() + timeout_ns);
    return NB_OK;
}
