/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop: epoll, level-triggered.
 *
 *   turn = wait · handle what is ready · fire due timers · flush · hooks · flush and bury until
 * nothing is left
 *
 * The wait lasts until something is ready or the earliest timer is due; nothing else wakes it.
 * Objects never free themselves inside a callback: they queue their burial, which is the last thing
 * of the turn.
 */
#include "loop.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 512

typedef struct chores {
    nb__chore *first, *last;
} chores;

struct nb__loop {
    int epoll_fd;
    bool is_stopped, has_no_pwait2;
    int64_t mono_ns, real_ns;
    nb__heap heap;
    nb__hook *hooks, *hook_next; /* hook_next: of the hook that runs now, so that hooks may be
                                    removed meanwhile */
    chores flushes, burials;
    nb__kept *kept;
    char *read_buffer;
    int event_at, event_count; /* of this turn: [event_at, event_count) are not handled yet */
    struct epoll_event events[EVENTS_MAX];
};

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * NB__NS_PER_S + now.tv_nsec;
}

int64_t nb__clock_mono_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t nb__clock_real_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

nb_err nb__loop_new(nb__loop **out, nb_error *error)
{
    nb__loop *loop = calloc(1, sizeof *loop);
    char *read_buffer = malloc(NB__READ_BUFFER_BYTES);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop == NULL || read_buffer == NULL || epoll_fd < 0) {
        int reason = errno;
        if (epoll_fd >= 0)
            close(epoll_fd);
        free(read_buffer);
        free(loop);
        return nb__fail(error, NB_E_SYSTEM, 0, "event loop: %s", strerrordesc_np(reason));
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error of that write */
    loop->epoll_fd = epoll_fd;
    loop->read_buffer = read_buffer;
    loop->mono_ns = nb__clock_mono_ns();
    loop->real_ns = nb__clock_real_ns();
    *out = loop;
    return NB_OK;
}

static nb__chore *chore_pop(chores *list)
{
    nb__chore *chore = list->first;
    if (chore == NULL)
        return NULL;
    list->first = chore->next;
    if (list->first == NULL)
        list->last = NULL;
    chore->is_queued = false;
    return chore;
}

static void chore_push(chores *list, nb__chore *chore)
{
    if (chore->is_queued)
        return;
    chore->is_queued = true;
    chore->next = NULL;
    if (list->last == NULL)
        list->first = chore;
    else
        list->last->next = chore;
    list->last = chore;
}

void nb__loop_flush_later(nb__loop *loop, nb__chore *chore)
{
    chore_push(&loop->flushes, chore);
}

void nb__loop_bury_later(nb__loop *loop, nb__chore *chore)
{
    chore_push(&loop->burials, chore);
}

static void flush_all(nb__loop *loop)
{
    for (nb__chore *chore; (chore = chore_pop(&loop->flushes)) != NULL;)
        chore->run(chore);
}

/* A burial frees what a queued flush may point to, and its callback may queue new ones: flush
 * before each. */
static void flush_and_bury_all(nb__loop *loop)
{
    flush_all(loop);
    for (nb__chore *chore; (chore = chore_pop(&loop->burials)) != NULL;) {
        chore->run(chore);
        flush_all(loop);
    }
}

void nb__loop_free(nb__loop *loop)
{
    if (loop == NULL)
        return;
    flush_and_bury_all(loop);
    for (nb__kept *kept; (kept = loop->kept) != NULL;) {
        nb__loop_unkeep(kept);
        kept->release(kept);
    }
    close(loop->epoll_fd);
    free(loop->heap.timers);
    free(loop->read_buffer);
    free(loop);
}

void nb__loop_stop(nb__loop *loop)
{
    loop->is_stopped = true;
}

bool nb__loop_is_stopped(const nb__loop *loop)
{
    return loop->is_stopped;
}

int64_t nb__loop_mono_ns(const nb__loop *loop)
{
    return loop->mono_ns;
}

int64_t nb__loop_real_ns(const nb__loop *loop)
{
    return loop->real_ns;
}

char *nb__loop_read_buffer(nb__loop *loop)
{
    return loop->read_buffer;
}

void nb__loop_keep(nb__loop *loop, nb__kept *kept)
{
    kept->next = loop->kept;
    kept->at = &loop->kept;
    if (kept->next != NULL)
        kept->next->at = &kept->next;
    loop->kept = kept;
}

void nb__loop_unkeep(nb__kept *kept)
{
    *kept->at = kept->next;
    if (kept->next != NULL)
        kept->next->at = kept->at;
}

/* ---- a turn ---- */

/* @return how long to wait; -1 for ever. */
static int64_t wait_ns(const nb__loop *loop, int timeout_ms)
{
    if (loop->flushes.first != NULL || loop->burials.first != NULL)
        return 0;
    int64_t wait = timeout_ms < 0 ? -1 : timeout_ms * NB__NS_PER_MS;
    if (loop->heap.count == 0 || wait == 0)
        return wait;
    int64_t at = loop->heap.timers[1]->at_mono_ns, now = nb__clock_mono_ns();
    int64_t left = at > now ? at - now : 0;
    return wait < 0 || left < wait ? left : wait;
}

static int epoll_ns(nb__loop *loop, int64_t wait)
{
    if (!loop->has_no_pwait2) {
        struct timespec ts = {(time_t)(wait / NB__NS_PER_S), (long)(wait % NB__NS_PER_S)};
        int count =
            epoll_pwait2(loop->epoll_fd, loop->events, EVENTS_MAX, wait < 0 ? NULL : &ts, NULL);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM))
            return count;
        loop->has_no_pwait2 = true; /* a kernel before 5.11, or a sandbox */
    }
    int64_t ms = wait < 0 ? -1 : (wait + NB__NS_PER_MS - 1) / NB__NS_PER_MS;
    return epoll_wait(loop->epoll_fd, loop->events, EVENTS_MAX, ms > 60000 ? 60000 : (int)ms);
}

static void run_hooks(nb__loop *loop)
{
    for (nb__hook *hook = loop->hooks; hook != NULL; hook = loop->hook_next) {
        loop->hook_next = hook->next;
        hook->turn_end(hook);
    }
    loop->hook_next = NULL;
}

nb_err nb__loop_turn(nb__loop *loop, int timeout_ms)
{
    int count = epoll_ns(loop, wait_ns(loop, timeout_ms));
    if (count < 0 && errno != EINTR)
        return NB_E_SYSTEM;
    loop->mono_ns = nb__clock_mono_ns();
    loop->real_ns = nb__clock_real_ns();
    loop->event_count = count > 0 ? count : 0;
    loop->event_at = 0;
    while (loop->event_at < loop->event_count) {
        struct epoll_event event = loop->events[loop->event_at++];
        nb__watch *watch = event.data.ptr;
        if (watch != NULL)
            watch->ready(watch, event.events);
    }
    nb__heap_fire(&loop->heap, loop->mono_ns);
    flush_all(loop);
    run_hooks(loop);
    flush_and_bury_all(loop);
    return NB_OK;
}

nb_err nb__loop_run(nb__loop *loop)
{
    nb_err err = NB_OK;
    while (!loop->is_stopped && err == NB_OK)
        err = nb__loop_turn(loop, -1);
    return err;
}

/* ---- watches, timers, hooks ---- */

nb_err nb__watch_add(nb__loop *loop, nb__watch *watch, uint32_t epoll_events)
{
    struct epoll_event event = {.events = epoll_events, .data = {.ptr = watch}};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) == 0 ? NB_OK : NB_E_SYSTEM;
}

void nb__watch_change(nb__loop *loop, nb__watch *watch, uint32_t epoll_events)
{
    struct epoll_event event = {.events = epoll_events, .data = {.ptr = watch}};
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
}

void nb__watch_remove(nb__loop *loop, nb__watch *watch)
{
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    for (int i = loop->event_at; i < loop->event_count; i++)
        if (loop->events[i].data.ptr == watch)
            loop->events[i].data.ptr = NULL;
}

void nb__timer_set(nb__loop *loop, nb__timer *timer, int64_t at_mono_ns)
{
    nb__heap_set(&loop->heap, timer, at_mono_ns);
}

void nb__timer_cancel(nb__loop *loop, nb__timer *timer)
{
    nb__heap_remove(&loop->heap, timer);
}

void nb__hook_add(nb__loop *loop, nb__hook *hook)
{
    nb__hook **at = &loop->hooks;
    while (*at != NULL)
        at = &(*at)->next;
    hook->next = NULL;
    *at = hook;
}

void nb__hook_remove(nb__loop *loop, nb__hook *hook)
{
    for (nb__hook **at = &loop->hooks; *at != NULL; at = &(*at)->next) {
        if (*at != hook)
            continue;
        *at = hook->next;
        if (loop->hook_next == hook)
            loop->hook_next = hook->next;
        return;
    }
}
