/* SPDX-License-Identifier: Apache-2.0 */
/**
 * To end at any step: the program's own write(), fsync(), fdatasync(), rename() and remove() stand
 * before libc's, and the n-th call of any of them kills the process (before, in the middle of, or
 * after it), or fails. The product knows nothing of it. What is synced needs no disk here: a
 * process that is killed loses nothing that the kernel has.
 */
#ifndef NB_TEST_STEP_RIG_H
#define NB_TEST_STEP_RIG_H

#include "journal_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

typedef enum step_kind { STEP_BEFORE, STEP_HALF, STEP_AFTER, STEP_FAILS } step_kind;
#define STEP_KINDS 4
#define STEP_KILLED 99

static struct {
    int at, count; /* from 1; 0: never */
    step_kind kind;
    int code;                            /* of STEP_FAILS */
    void (*also)(void *self, int count); /* called before each */
    void *self;
} steps;

static inline bool step_is_due(void)
{
    steps.count++;
    if (steps.also != NULL)
        steps.also(steps.self, steps.count);
    return steps.at != 0 && steps.count == steps.at;
}

/* @return true: it fails. */
static inline bool step_before(bool is_due)
{
    if (is_due && steps.kind == STEP_BEFORE)
        _exit(STEP_KILLED);
    errno = is_due && steps.kind == STEP_FAILS ? steps.code : errno;
    return is_due && steps.kind == STEP_FAILS;
}

static inline long step_after(bool is_due, long result)
{
    if (is_due && steps.kind != STEP_FAILS)
        _exit(STEP_KILLED);
    return result;
}

__attribute__((visibility("default"))) ssize_t write(int fd, const void *data, size_t size)
{
    if (fd <= 2)
        return syscall(SYS_write, fd, data, size);
    bool is_due = step_is_due();
    if (step_before(is_due))
        return -1;
    if (is_due && steps.kind == STEP_HALF)
        size /= 2;
    return step_after(is_due, syscall(SYS_write, fd, data, size));
}

__attribute__((visibility("default"))) int fsync(int fd)
{
    bool is_due = step_is_due();
    return step_before(is_due) ? -1 : (int)step_after(is_due, fd < 0);
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    bool is_due = step_is_due();
    return step_before(is_due) ? -1 : (int)step_after(is_due, fd < 0);
}

__attribute__((visibility("default"))) int rename(const char *from, const char *to)
{
    bool is_due = step_is_due();
    return step_before(is_due)
               ? -1
               : (int)step_after(is_due, syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

__attribute__((visibility("default"))) int remove(const char *path)
{
    bool is_due = step_is_due();
    if (step_before(is_due))
        return -1;
    long result = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (result != 0 && (errno == EISDIR || errno == ENOTDIR))
        result = syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
    return (int)step_after(is_due, result);
}

/** Run `what` in a process of its own, which ends at step `at`. @return whether it was killed;
 * false: it came to its end before that step. */
static inline bool step_kill(int at, step_kind kind, nb_err (*what)(void *self), void *self)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        steps.count = 0;
        steps.at = at;
        steps.kind = kind;
        _exit(what(self) == NB_OK ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), 1);
    return WEXITSTATUS(status) == STEP_KILLED;
}

/** Run `what` here with step `at` failing. @return whether that step was reached. */
static inline bool step_fail(int at, int code, nb_err (*what)(void *self), void *self, nb_err *err)
{
    steps.count = 0;
    steps.at = at;
    steps.kind = STEP_FAILS;
    steps.code = code;
    *err = what(self);
    steps.at = 0;
    return steps.count >= at;
}

/* ---- what lies in the night's directory ---- */

static inline bool rig_has(const rig *r, uint32_t number, const char *suffix)
{
    char path[160];
    rig_path(r, number, suffix, path);
    return access(path, F_OK) == 0;
}

typedef struct rig_list {
    char names[4096];
    int count;
} rig_list;

static inline void rig_on_name(void *self, const nb__disk_entry *entry)
{
    rig_list *list = self;
    size_t size = strlen(list->names);
    snprintf(list->names + size, sizeof list->names - size, "%s\n", entry->name);
    list->count++;
}

static inline rig_list rig_names(const rig *r)
{
    rig_list list = {0};
    assert_int_equal(nb__disk_list(r->night, rig_on_name, &list, NULL), NB_OK);
    return list;
}

static inline nb__segment rig_segment(const rig *r, uint32_t number)
{
    nb__catalogue catalogue;
    nb__segment segment = {0};
    assert_int_equal(nb__catalogue_read(r->night, &catalogue, NULL), NB_OK);
    for (size_t i = 0; i < catalogue.count; i++)
        if (catalogue.segments[i].number == number)
            segment = catalogue.segments[i];
    assert_int_equal(segment.number, number);
    nb__catalogue_fini(&catalogue);
    return segment;
}

static inline nb__text rig_file(const char *path)
{
    nb__text text = {0};
    nb_error error = {0};
    if (nb__file_read(path, (size_t)1 << 30, &text, &error) != NB_OK)
        fail_msg("%s", error.detail);
    return text;
}

/** All lines that a reader of the journal sees, in order, are `plain`. */
static inline void rig_expect_lines(const rig *r, nb_span plain)
{
    nb__text seen = {0};
    nb__recording *recording = rig_read(r->journal);
    rig_count count = rig_read_all(recording, &seen);
    nb__recording_close(recording);
    if (count.damages > 0)
        fail_msg("%s", count.words);
    assert_int_equal(seen.size_bytes, plain.size_bytes);
    assert_memory_equal(seen.data, plain.data, plain.size_bytes);
    nb__text_fini(&seen);
}

/* ---- a night ---- */

static inline nb__session_clock rig_clock(void)
{
    return (nb__session_clock){NB__FEED_SIM, RIG_BEGIN_NS, RIG_BEGIN_NS + 60 * NB__NS_PER_S, 1};
}

/** A segment of `spans` sums with `frames` frames each, ended; its bytes are in `plain`. */
static inline void rig_usual(rig *r, unsigned spans, unsigned frames)
{
    int64_t at = RIG_BEGIN_NS + (int64_t)(r->number + 1) * 3600 * NB__NS_PER_S;
    rig_begin(r, at);
    rig_connect(r, at + 1, 1, rig_clock(), r->number > 1);
    for (unsigned i = 0; i < spans; i++) {
        for (unsigned k = 0; k < frames; k++)
            rig_frame(r, at + 2 + ((int64_t)i * frames + k) * NB__NS_PER_MS, 1, i * frames + k);
        rig_sum(r, at + (int64_t)(i + 1) * frames * NB__NS_PER_MS);
    }
    rig_stop(r, at + 1800 * NB__NS_PER_S);
}

#endif
