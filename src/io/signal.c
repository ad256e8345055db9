/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGINT and SIGTERM: the first stops the loop, through a signalfd. From then on they have an
 * ordinary handler that ends the process, so that a second one works even if the program hangs
 * while it cleans up.
 */
#include "loop.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

typedef struct signals {
    nb__watch watch;
    nb__kept kept;
    nb__loop *loop;
    sigset_t mask_before;
} signals;

static void end_process(int number)
{
    _exit(128 + number);
}

static sigset_t signals_watched(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

static void signal_ready(nb__watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    const signals *watched = NB__HOLDER(watch, signals, watch);
    struct signalfd_siginfo info;
    if (read(watch->fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    if (nb__loop_is_stopped(watched->loop))
        _exit(128 + (int)info.ssi_signo);
    nb__loop_stop(watched->loop);
    struct sigaction action = {.sa_handler = end_process};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigset_t set = signals_watched();
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void signals_release(nb__kept *kept)
{
    signals *watched = NB__HOLDER(kept, signals, kept);
    if (watched->watch.fd >= 0) {
        nb__watch_remove(watched->loop, &watched->watch);
        close(watched->watch.fd);
    }
    pthread_sigmask(SIG_SETMASK, &watched->mask_before, NULL);
    free(watched);
}

nb_err nb__loop_stop_on_signals(nb__loop *loop, nb_error *error)
{
    signals *watched = calloc(1, sizeof *watched);
    if (watched == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "signals: memory is exhausted");
    sigset_t set = signals_watched();
    pthread_sigmask(SIG_BLOCK, &set, &watched->mask_before);
    watched->loop = loop;
    watched->kept.release = signals_release;
    watched->watch.ready = signal_ready;
    watched->watch.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (watched->watch.fd < 0 || nb__watch_add(loop, &watched->watch, EPOLLIN) != NB_OK) {
        nb_err err = nb__fail(error, NB_E_SYSTEM, 0, "signals: %s", strerrordesc_np(errno));
        signals_release(&watched->kept);
        return err;
    }
    nb__loop_keep(loop, &watched->kept);
    return NB_OK;
}
