/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to addresses: getaddrinfo() may take half a minute when a name server is silent, so it runs
 * in a detached thread. The thread and the loop share a `job` on the heap, held by both; who lets
 * go last frees it. Thus a cancel never waits, and a thread that comes back late finds its own
 * memory.
 */
#include "lookup.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS_MAX 32
#define HOST_TIMEOUT_NS (10 * NB__NS_PER_S)

typedef struct lookup_job {
    char host[256], service[8]; /* written before the thread starts, then only read */
    int event_fd;
    atomic_int holders;
    atomic_bool is_done; /* set by the thread after the three below, read by the loop before them */
    int code, reason;
    struct addrinfo *found;
} lookup_job;

struct nb__lookup {
    nb__watch watch;
    nb__loop *loop;
    nb__lookup_done *done;
    void *self;
    lookup_job *job;
};

static atomic_int threads;

static struct addrinfo *ask(const char *host, const char *service, int flags, int *code)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
    struct addrinfo *found = NULL;
    *code = getaddrinfo(host, service, &hints, &found);
    return *code == 0 ? found : NULL;
}

struct addrinfo *nb__lookup_number(const char *host, uint16_t port)
{
    char service[8];
    int code;
    snprintf(service, sizeof service, "%u", port);
    return ask(host, service, AI_NUMERICHOST, &code);
}

static void job_release(lookup_job *job)
{
    if (atomic_fetch_sub(&job->holders, 1) != 1)
        return;
    if (job->found != NULL)
        freeaddrinfo(job->found);
    if (job->event_fd >= 0)
        close(job->event_fd);
    free(job);
}

static void *job_run(void *argument)
{
    lookup_job *job = argument;
    errno = 0;
    job->found = ask(job->host, job->service, 0, &job->code);
    job->reason = errno;
    atomic_store(&job->is_done, true);
    (void)!write(job->event_fd, &(uint64_t){1}, sizeof(uint64_t));
    job_release(job);
    atomic_fetch_sub(&threads, 1);
    return NULL;
}

static void words_print(const lookup_job *job, char *out, size_t capacity_bytes)
{
    if (job->code == EAI_NONAME || job->code == EAI_NODATA)
        snprintf(out, capacity_bytes, "no such host name (%s)", gai_strerror(job->code));
    else if (job->code == EAI_AGAIN)
        snprintf(
            out, capacity_bytes,
            "the name cannot be looked up now (%s): is the network up, do name servers answer?",
            gai_strerror(job->code));
    else
        snprintf(out, capacity_bytes, "the name cannot be looked up: %s",
                 job->code == EAI_SYSTEM ? strerrordesc_np(job->reason) : gai_strerror(job->code));
}

static void lookup_ready(nb__watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    nb__lookup *lookup = NB__HOLDER(watch, nb__lookup, watch);
    lookup_job *job = lookup->job;
    if (!atomic_load(&job->is_done))
        return;
    char words[160] = "";
    nb__lookup_done *done = lookup->done;
    void *self = lookup->self;
    struct addrinfo *found = job->found;
    job->found = NULL;
    if (found == NULL)
        words_print(job, words, sizeof words);
    nb__lookup_cancel(lookup);
    done(self, found, words);
}

/* No signal is ever this thread's: signalfd and the handlers belong to the loop's. */
static int thread_start(lookup_job *job)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&thread, &attributes, job_run, job);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return code;
}

static lookup_job *job_new(const char *host, uint16_t port)
{
    lookup_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    snprintf(job->host, sizeof job->host, "%s", host);
    snprintf(job->service, sizeof job->service, "%u", port);
    atomic_init(&job->holders, 1);
    atomic_init(&job->is_done, false);
    job->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return job;
}

nb_err nb__lookup_start(nb__loop *loop, const char *host, uint16_t port, nb__lookup_done *done,
                        void *self, nb__lookup **out, nb_error *error)
{
    if (atomic_fetch_add(&threads, 1) >= THREADS_MAX) {
        atomic_fetch_sub(&threads, 1);
        return nb__fail(error, NB_E_LIMIT, 0,
                        "%d look-ups hang already: do the name servers answer?", THREADS_MAX);
    }
    nb__lookup *lookup = calloc(1, sizeof *lookup);
    lookup_job *job = job_new(host, port);
    int reason = ENOMEM;
    if (lookup == NULL || job == NULL)
        goto failed;
    *lookup = (nb__lookup){{job->event_fd, lookup_ready}, loop, done, self, job};
    if (job->event_fd < 0 || nb__watch_add(loop, &lookup->watch, EPOLLIN) != NB_OK) {
        reason = errno;
        goto failed;
    }
    atomic_store(&job->holders, 2);
    reason = thread_start(job);
    if (reason == 0) {
        *out = lookup;
        return NB_OK;
    }
    atomic_store(&job->holders, 1);
    nb__watch_remove(loop, &lookup->watch);
failed:
    atomic_fetch_sub(&threads, 1);
    if (job != NULL)
        job_release(job);
    free(lookup);
    return nb__fail(error, NB_E_SYSTEM, 0, "a name cannot be looked up: %s",
                    strerrordesc_np(reason));
}

void nb__lookup_cancel(nb__lookup *lookup)
{
    nb__watch_remove(lookup->loop, &lookup->watch);
    job_release(lookup->job);
    free(lookup);
}

/* ---- the door: one name, waited for ---- */

typedef struct question {
    nb_error error;
    char number[INET6_ADDRSTRLEN];
    bool is_over;
} question;

static void question_answered(void *self, struct addrinfo *found, const char *words)
{
    question *asked = self;
    asked->is_over = true;
    if (found == NULL) {
        nb__fail(&asked->error, NB_E_SYSTEM, 0, "%s", words);
        return;
    }
    getnameinfo(found->ai_addr, found->ai_addrlen, asked->number, sizeof asked->number, NULL, 0,
                NI_NUMERICHOST);
    freeaddrinfo(found);
}

nb_err nb__host_lookup(const char *host, char *out, size_t capacity_bytes, nb_error *error)
{
    nb__loop *loop = NULL;
    nb__lookup *lookup = NULL;
    question asked = {.error = {.code = NB_OK}};
    struct addrinfo *number = nb__lookup_number(host, 0);
    nb_err err = NB_OK;
    if (number != NULL)
        question_answered(&asked, number, "");
    else
        err = nb__loop_new(&loop, &asked.error);
    if (err == NB_OK && number == NULL)
        err = nb__lookup_start(loop, host, 0, question_answered, &asked, &lookup, &asked.error);
    for (int64_t until_ns = nb__clock_mono_ns() + HOST_TIMEOUT_NS;
         err == NB_OK && !asked.is_over && nb__clock_mono_ns() < until_ns;)
        err = nb__loop_turn(loop, 100);
    if (lookup != NULL && !asked.is_over) {
        nb__lookup_cancel(lookup);
        nb__fail(&asked.error, NB_E_TIMEOUT, 0, "the name servers do not answer");
    }
    nb__loop_free(loop);
    if (asked.error.code == NB_OK && !nb__span_copy(nb__span(asked.number), out, capacity_bytes))
        nb__fail(&asked.error, NB_E_ARGUMENT, 0, "no room for its number");
    if (asked.error.code == NB_OK)
        return NB_OK;
    return nb__fail(error, asked.error.code, 0, "look up %.100s: %s", host, asked.error.detail);
}
