/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers: a binary heap of the callers' own structs, 1-based, earliest on top. Each timer knows its
 * index, so that it is moved or removed in O(log n). timers[i]->heap_index == i holds for 1 <= i <=
 * count.
 */
#include "loop.h"
#include <stdio.h>
#include <stdlib.h>

static void place(nb__heap *heap, size_t index, nb__timer *timer)
{
    heap->timers[index] = timer;
    timer->heap_index = index;
}

static void rise(nb__heap *heap, size_t index, nb__timer *timer)
{
    for (; index > 1 && heap->timers[index / 2]->at_mono_ns > timer->at_mono_ns; index /= 2)
        place(heap, index, heap->timers[index / 2]);
    place(heap, index, timer);
}

static void sink(nb__heap *heap, size_t index, nb__timer *timer)
{
    for (size_t child; (child = index * 2) <= heap->count; index = child) {
        if (child < heap->count &&
            heap->timers[child + 1]->at_mono_ns < heap->timers[child]->at_mono_ns)
            child++;
        if (heap->timers[child]->at_mono_ns >= timer->at_mono_ns)
            break;
        place(heap, index, heap->timers[child]);
    }
    place(heap, index, timer);
}

/* A timer that is silently lost would hang what waits for it, so running out of memory here ends
 * the process. */
static void grow(nb__heap *heap)
{
    size_t capacity = heap->capacity == 0 ? 32 : heap->capacity * 2;
    nb__timer **timers = realloc(heap->timers, capacity * sizeof(nb__timer *));
    if (timers == NULL) {
        fputs("nightbook: io: memory is exhausted, a timer cannot be set\n", stderr);
        abort();
    }
    heap->timers = timers;
    heap->capacity = capacity;
}

void nb__heap_set(nb__heap *heap, nb__timer *timer, int64_t at_mono_ns)
{
    if (heap->is_firing && at_mono_ns <= heap->now_mono_ns)
        at_mono_ns = heap->now_mono_ns + 1; /* next turn: neither twice in this one nor for ever */
    if (timer->heap_index != 0) {
        int64_t before_ns = timer->at_mono_ns;
        timer->at_mono_ns = at_mono_ns;
        if (at_mono_ns < before_ns)
            rise(heap, timer->heap_index, timer);
        else
            sink(heap, timer->heap_index, timer);
        return;
    }
    if (heap->count + 1 >= heap->capacity)
        grow(heap);
    timer->at_mono_ns = at_mono_ns;
    rise(heap, ++heap->count, timer);
}

void nb__heap_remove(nb__heap *heap, nb__timer *timer)
{
    size_t index = timer->heap_index;
    if (index == 0)
        return;
    timer->heap_index = 0;
    nb__timer *last = heap->timers[heap->count--];
    if (last == timer)
        return;
    if (index > 1 && heap->timers[index / 2]->at_mono_ns > last->at_mono_ns)
        rise(heap, index, last);
    else
        sink(heap, index, last);
}

void nb__heap_fire(nb__heap *heap, int64_t now_mono_ns)
{
    heap->is_firing = true;
    heap->now_mono_ns = now_mono_ns;
    while (heap->count > 0 && heap->timers[1]->at_mono_ns <= now_mono_ns) {
        nb__timer *timer = heap->timers[1];
        nb__heap_remove(heap, timer);
        timer->fire(timer, now_mono_ns);
    }
    heap->is_firing = false;
}
