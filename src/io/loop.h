/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room know of the loop beyond the door: chores for the turn's end, and the
 * one read buffer. */
#ifndef NB_IO_LOOP_H
#define NB_IO_LOOP_H

#include "io/io.h"

/** The struct that holds `member` at `pointer`. */
#define NB__HOLDER(pointer, type, member)                                                          \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/** Something to be done once at the turn's end. Lives in the object it is about; queueing it twice
 * is once. */
typedef struct nb__chore nb__chore;
struct nb__chore {
    void (*run)(nb__chore *chore);
    nb__chore *next;
    bool is_queued;
};

/** Write what is queued. Runs before the hooks, and again after them. */
void nb__loop_flush_later(nb__loop *loop, nb__chore *chore);
/** Say good-bye and free: runs last, in order, and only while no flush is queued. */
void nb__loop_bury_later(nb__loop *loop, nb__chore *chore);

/** Something that ends with the loop if it did not end before. */
typedef struct nb__kept nb__kept;
struct nb__kept {
    void (*release)(nb__kept *kept); /**< called by nb__loop_free(), already unkept */
    nb__kept *next, **at;
};
void nb__loop_keep(nb__loop *loop, nb__kept *kept);
void nb__loop_unkeep(nb__kept *kept);

/** All reads go here: valid until the callback returns; no connection owns a buffer. */
#define NB__READ_BUFFER_BYTES ((size_t)1 << 20)
char *nb__loop_read_buffer(nb__loop *loop);

/* timer.c: a binary heap from index 1, earliest first */
typedef struct nb__heap {
    nb__timer **timers;
    size_t count, capacity;
    bool is_firing;
    int64_t now_mono_ns; /**< while it is firing: what is set is due after it */
} nb__heap;
void nb__heap_set(nb__heap *heap, nb__timer *timer, int64_t at_mono_ns);
void nb__heap_remove(nb__heap *heap, nb__timer *timer);
/** Fire all that are due, once each; what is set meanwhile waits for the next turn. */
void nb__heap_fire(nb__heap *heap, int64_t now_mono_ns);

#endif
