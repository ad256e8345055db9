/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line an event on stderr, written by one write so that lines of several processes do not mix.
 *
 * This file holds what of the log is not pure, and so of base: the only one here that reads a
 * clock, the environment and what stderr is. Any thread may log.
 */
#include "log.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FORMATTED_MAX 8192 /* before secrets are hidden in it and it is cut */
#define LOOKED_AT_MAX ((size_t)64 << 10)

static nb__log_level least_level = NB__LOG_INFO;
static nb__log_form log_form = NB__LOG_WORDS;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static log_gate gate;
static log_secrets secrets;
static bool is_exit_watched;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * NB__NS_PER_S + now.tv_nsec;
}

/* JOURNAL_STREAM is "DEVICE:INODE" of the stream that systemd made: only if stderr still is it. */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    char own[48];
    if (stream == NULL || fstat(STDERR_FILENO, &status) != 0)
        return false;
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(stream, own) == 0;
}

static void write_event(nb__log_level level, const char *room, char *sentence, uint64_t repeated)
{
    const log_event event = {.level = level,
                             .room = room,
                             .sentence = sentence,
                             .repeated = repeated,
                             .real_ns = clock_ns(CLOCK_REALTIME),
                             .is_journal = is_journal()};
    nb__text line = {0};
    log_line_print(log_form, &event, &secrets, &line);
    if (!line.is_failed && write(STDERR_FILENO, line.data, line.size_bytes) < 0) {
        /* nowhere left to say it */
    }
    nb__text_fini(&line);
}

/* What was held and has nobody left to tell it: its minute is over, or its row is needed. */
static void tell_held(uint64_t key, int64_t now_ns)
{
    static log_row row;
    while (log_gate_take(&gate, key, now_ns, &row))
        write_event(row.level, row.room, row.sentence, row.held);
}

static void at_exit(void)
{
    pthread_mutex_lock(&mutex);
    tell_held(0, INT64_MAX);
    log_secrets_wipe(&secrets);
    pthread_mutex_unlock(&mutex);
}

static void watch_exit(void)
{
    if (!is_exit_watched)
        is_exit_watched = atexit(at_exit) == 0;
}

void nb__log_set_level(nb__log_level least)
{
    least_level = least;
}

void nb__log_set_form(nb__log_form form)
{
    log_form = form;
}

void nb__log_hide(const char *secret)
{
    pthread_mutex_lock(&mutex);
    watch_exit();
    log_secrets_add(&secrets, secret);
    pthread_mutex_unlock(&mutex);
}

size_t nb__log_hide_in(char *text)
{
    pthread_mutex_lock(&mutex);
    size_t hidden = log_secrets_hide(&secrets, text);
    pthread_mutex_unlock(&mutex);
    return hidden;
}

bool nb__log_is_hidden_in(nb_span bytes)
{
    static char copy[LOOKED_AT_MAX + 1];
    if (bytes.size_bytes > LOOKED_AT_MAX)
        return true;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < bytes.size_bytes; i++)
        copy[i] = bytes.data[i] == '\0' ? ' ' : bytes.data[i];
    copy[bytes.size_bytes] = '\0';
    bool is_there = log_secrets_hide(&secrets, copy) > 0;
    explicit_bzero(copy, bytes.size_bytes);
    pthread_mutex_unlock(&mutex);
    return is_there;
}

/* Hide first, then cut: half a secret at the end would not be known for one. */
static void hide_and_cut(char *formatted, bool is_truncated)
{
    (void)log_secrets_hide(&secrets, formatted);
    size_t size = strlen(formatted), tail = is_truncated ? secrets.longest_bytes * 6 : 0;
    size_t most = size > tail ? size - tail : 0; /* six bytes at most stand for one of a secret */
    most = most < LOG_SENTENCE_MAX ? most : LOG_SENTENCE_MAX - 1;
    if (size > most)
        formatted[most] = '\0';
}

static void log_locked(nb__log_level level, const char *room, const char *format, char *sentence)
{
    uint64_t repeated = 0;
    if (level >= NB__LOG_WARN) {
        log_row *held = NULL;
        uint64_t key = log_gate_key(room, format);
        int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
        tell_held(key, now_ns);
        if (!log_gate_pass(&gate, key, now_ns, &repeated, &held)) {
            watch_exit();
            held->level = level;
            snprintf(held->room, sizeof held->room, "%s", room);
            snprintf(held->sentence, sizeof held->sentence, "%s", sentence);
            return;
        }
    } else {
        tell_held(0, clock_ns(CLOCK_MONOTONIC));
    }
    write_event(level, room, sentence, repeated);
}

void nb__log(nb__log_level level, const char *room, const char *format, ...)
{
    if (level < least_level)
        return;
    char formatted[FORMATTED_MAX];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(formatted, sizeof formatted, format, args);
    va_end(args);
    if (size < 0)
        return;
    pthread_mutex_lock(&mutex);
    hide_and_cut(formatted, (size_t)size >= sizeof formatted);
    log_locked(level, room, format, formatted);
    pthread_mutex_unlock(&mutex);
    explicit_bzero(formatted, sizeof formatted);
}
