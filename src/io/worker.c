/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A helper thread for what waits for the disk.
 *
 *   add() -> waiting -> run() on the thread -> finished -> eventfd -> done() at a turn's end
 *
 * One mutex guards both lists; a job is in one of them, or is the one that runs. What run() wrote
 * is seen by done(): the mutex lies between them. The memory of a freed worker outlives the turn,
 * since its chore may be queued or running then.
 */
#include "loop.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAME_BYTES 16 /* the kernel's limit, with its NUL */
#define NICE 10
#define IO_CLASS_IDLE (3 << 13) /* IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0) */
#define IO_WHO_PROCESS 1

typedef struct jobs {
    nb__job *first, *last;
} jobs;

struct nb__worker {
    nb__watch watch;
    nb__chore tell, bury;
    nb__loop *loop;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t is_wanted, is_idle;
    jobs waiting, finished; /* under the mutex, like the three below */
    bool is_over, is_calm, is_running;
    struct nb__worker *next_left;
    char name[NAME_BYTES];
};

static _Atomic(nb__worker *) left; /* whose job ran on: they stay for ever, and are not lost */

static void job_push(jobs *list, nb__job *job)
{
    job->next = NULL;
    if (list->last == NULL)
        list->first = job;
    else
        list->last->next = job;
    list->last = job;
}

static nb__job *job_pop(jobs *list)
{
    nb__job *job = list->first;
    if (job == NULL)
        return NULL;
    list->first = job->next;
    if (list->first == NULL)
        list->last = NULL;
    return job;
}

/* ---- the thread ---- */

/* Of this thread alone: Linux keeps both for each thread, whatever POSIX says of the process. */
static void thread_calm(void)
{
    setpriority(PRIO_PROCESS, 0, NICE);
    syscall(SYS_ioprio_set, IO_WHO_PROCESS, 0, IO_CLASS_IDLE);
}

static void *thread_run(void *argument)
{
    nb__worker *worker = argument;
    bool is_calm = false;
    pthread_mutex_lock(&worker->mutex);
    while (!worker->is_over) {
        nb__job *job = job_pop(&worker->waiting);
        if (job == NULL) {
            pthread_cond_wait(&worker->is_wanted, &worker->mutex);
            continue;
        }
        bool gets_calm = worker->is_calm && !is_calm;
        worker->is_running = true;
        pthread_mutex_unlock(&worker->mutex);
        if (gets_calm)
            thread_calm();
        is_calm |= gets_calm;
        job->run(job);
        pthread_mutex_lock(&worker->mutex);
        worker->is_running = false;
        job_push(&worker->finished, job);
        pthread_cond_signal(&worker->is_idle);
        (void)!write(worker->watch.fd, &(uint64_t){1}, sizeof(uint64_t));
    }
    pthread_mutex_unlock(&worker->mutex);
    return NULL;
}

/* No signal is ever this thread's: signalfd and the handlers belong to the loop's. */
static int thread_start(nb__worker *worker)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&worker->thread, NULL, thread_run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code == 0)
        pthread_setname_np(worker->thread, worker->name);
    return code;
}

/* ---- the loop's side ---- */

static void watch_ready(nb__watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    nb__worker *worker = NB__HOLDER(watch, nb__worker, watch);
    uint64_t count;
    (void)!read(watch->fd, &count, sizeof count);
    nb__loop_flush_later(worker->loop, &worker->tell);
}

static void tell_run(nb__chore *chore)
{
    nb__worker *worker = NB__HOLDER(chore, nb__worker, tell);
    for (;;) {
        pthread_mutex_lock(&worker->mutex);
        nb__job *job = worker->is_over ? NULL : job_pop(&worker->finished);
        pthread_mutex_unlock(&worker->mutex);
        if (job == NULL)
            return;
        job->done(job);
    }
}

static void bury_run(nb__chore *chore)
{
    nb__worker *worker = NB__HOLDER(chore, nb__worker, bury);
    pthread_mutex_destroy(&worker->mutex);
    pthread_cond_destroy(&worker->is_wanted);
    pthread_cond_destroy(&worker->is_idle);
    free(worker);
}

static void locks_init(nb__worker *worker)
{
    pthread_condattr_t by_mono;
    pthread_condattr_init(&by_mono);
    pthread_condattr_setclock(&by_mono, CLOCK_MONOTONIC);
    pthread_mutex_init(&worker->mutex, NULL);
    pthread_cond_init(&worker->is_wanted, NULL);
    pthread_cond_init(&worker->is_idle, &by_mono);
    pthread_condattr_destroy(&by_mono);
}

nb_err nb__worker_new(nb__loop *loop, const char *name, nb__worker **out, nb_error *error)
{
    nb__worker *worker = calloc(1, sizeof *worker);
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), reason = errno;
    if (worker == NULL || fd < 0)
        goto failed;
    *worker = (nb__worker){.watch = {fd, watch_ready}, .loop = loop};
    worker->tell.run = tell_run;
    worker->bury.run = bury_run;
    nb__span_copy((nb_span){name, strnlen(name, NAME_BYTES - 1)}, worker->name, NAME_BYTES);
    locks_init(worker);
    if (nb__watch_add(loop, &worker->watch, EPOLLIN) != NB_OK) {
        reason = errno;
        goto failed;
    }
    reason = thread_start(worker);
    if (reason == 0) {
        *out = worker;
        return NB_OK;
    }
    nb__watch_remove(loop, &worker->watch);
failed:
    if (fd >= 0)
        close(fd);
    free(worker);
    return nb__fail(error, NB_E_SYSTEM, 0, "no helper thread '%.15s': %s", name,
                    strerrordesc_np(reason));
}

void nb__worker_add(nb__worker *worker, nb__job *job)
{
    pthread_mutex_lock(&worker->mutex);
    job_push(&worker->waiting, job);
    pthread_cond_signal(&worker->is_wanted);
    pthread_mutex_unlock(&worker->mutex);
}

void nb__worker_calm(nb__worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    worker->is_calm = true;
    pthread_mutex_unlock(&worker->mutex);
}

/* Under the mutex. @return whether nothing waits or runs any more. */
static bool wait_idle(nb__worker *worker, int64_t timeout_ns)
{
    int64_t until_ns = nb__clock_mono_ns() + timeout_ns;
    const struct timespec until = {(time_t)(until_ns / NB__NS_PER_S),
                                   (long)(until_ns % NB__NS_PER_S)};
    int code = 0;
    while ((worker->is_running || worker->waiting.first != NULL) && code == 0)
        code = pthread_cond_timedwait(&worker->is_idle, &worker->mutex, &until);
    return !worker->is_running;
}

/* Under the mutex, which it gives back. */
static void end(nb__worker *worker)
{
    worker->is_over = true;
    pthread_cond_signal(&worker->is_wanted);
    pthread_mutex_unlock(&worker->mutex);
    nb__watch_remove(worker->loop, &worker->watch);
}

static void join(nb__worker *worker)
{
    pthread_join(worker->thread, NULL);
    close(worker->watch.fd);
    nb__loop_bury_later(worker->loop, &worker->bury);
}

bool nb__worker_leave(nb__worker *worker, int64_t timeout_ns)
{
    pthread_mutex_lock(&worker->mutex);
    bool is_idle = wait_idle(worker, timeout_ns);
    end(worker);
    if (is_idle) {
        join(worker);
        return true;
    }
    pthread_detach(worker->thread); /* it will take the mutex and write to the eventfd */
    worker->next_left = atomic_exchange(&left, worker);
    return false;
}

void nb__worker_free(nb__worker *worker)
{
    if (worker == NULL)
        return;
    pthread_mutex_lock(&worker->mutex);
    end(worker);
    join(worker);
}
