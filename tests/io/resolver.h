/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A getaddrinfo() of the test's own: the program's definition stands before libc's, for us and for
 * libcurl. Names that end with ".test" are answered here, everything else by libc.
 */
#ifndef NB_TEST_IO_RESOLVER_H
#define NB_TEST_IO_RESOLVER_H

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef int resolver(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static pthread_mutex_t resolver_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t resolver_changed = PTHREAD_COND_INITIALIZER;
static bool resolver_is_blocked = true; /* "slow….test" hangs as long */
static int resolver_inside, resolver_returned;
static bool resolver_saw_signals; /* a look-up ran in a thread that takes SIGTERM */

static inline void resolver_block(bool is_blocked)
{
    pthread_mutex_lock(&resolver_mutex);
    resolver_is_blocked = is_blocked;
    pthread_cond_broadcast(&resolver_changed);
    pthread_mutex_unlock(&resolver_mutex);
}

static inline int resolver_count(const int *number)
{
    pthread_mutex_lock(&resolver_mutex);
    int count = *number;
    pthread_mutex_unlock(&resolver_mutex);
    return count;
}

static inline void resolver_hang(void)
{
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    pthread_mutex_lock(&resolver_mutex);
    resolver_saw_signals |= !sigismember(&mask, SIGTERM);
    resolver_inside++;
    while (resolver_is_blocked)
        pthread_cond_wait(&resolver_changed, &resolver_mutex);
    resolver_inside--;
    resolver_returned++;
    pthread_mutex_unlock(&resolver_mutex);
}

__attribute__((visibility("default"))) int getaddrinfo(const char *restrict name,
                                                       const char *restrict service,
                                                       const struct addrinfo *restrict hints,
                                                       struct addrinfo **restrict out)
{
    static const struct {
        const char *name, *number;
        int code;
    } rows[] = {
        {"loop.test", "127.0.0.1", 0},
        {"loop2.test", "127.3.2.1", 0},
        {"loop6.test", "::1", 0},
        {"mapped.test", "::ffff:127.0.0.1", 0},
        {"any.test", "0.0.0.0", 0},
        {"any6.test", "::", 0},
        {"none.test", NULL, EAI_NONAME},
        {"again.test", NULL, EAI_AGAIN},
        {"system.test", NULL, EAI_SYSTEM},
        {"slow.test", "127.0.0.1", 0},
        {"slow-none.test", NULL, EAI_NONAME},
    };
    resolver *real = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    bool is_number = hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0;
    for (size_t i = 0; name != NULL && !is_number && i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(name, rows[i].name) != 0)
            continue;
        if (strncmp(name, "slow", 4) == 0)
            resolver_hang();
        errno = EMFILE;
        return rows[i].code != 0 ? rows[i].code : real(rows[i].number, service, hints, out);
    }
    return real(name, service, hints, out);
}

#endif
