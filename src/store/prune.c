/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Old nights go, oldest first, until the limits are kept. Only files that nightbook itself writes
 * are removed, by their names; a night's directory goes when that leaves it empty.
 *
 * A night is removed from its last segment to its first: killed in between, what is left is the
 * night's begin, without a hole in it.
 */
#include "care.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct night {
    int date;
    uint64_t size_bytes;
    bool is_empty; /* left of one whose removal was killed, or just made */
    char directory[NB__STORE_PATH_MAX];
} night;

typedef struct pruning {
    night *nights; /* by date */
    size_t count, capacity;
    const char *path;
    bool is_failed;
} pruning;

/* ---- names ---- */

static bool starts_with(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* NAME.log, .log.zst, their .tmp, NAME.damaged-…; `*number` of the segment. */
static bool is_of_segment(const char *name, int date, uint32_t *number)
{
    const char *dot = strchr(name, '.');
    int of_night;
    if (dot == NULL || !care_segment_of(name, &of_night, number) || of_night != date)
        return false;
    static const char *const suffixes[] = {".log", ".log.zst", ".log.tmp", ".log.zst.tmp"};
    for (size_t i = 0; i < NB__COUNT_OF(suffixes); i++)
        if (strcmp(dot, suffixes[i]) == 0)
            return true;
    return starts_with(dot, ".damaged-");
}

static bool is_other_of_ours(const char *name)
{
    static const char *const names[] = {"report.json", "report.txt", "report.html"};
    for (size_t i = 0; i < NB__COUNT_OF(names); i++) {
        size_t size = strlen(names[i]);
        if (starts_with(name, names[i]) && /* or on its way there when nightbook was killed */
            (name[size] == '\0' || starts_with(name + size, ".new-")))
            return true;
    }
    return false;
}

/* ---- a night ---- */

typedef struct listing {
    int date;
    struct listed {
        char name[256];
        uint32_t number; /* 0: of no segment */
    } * files;
    size_t count, capacity;
    uint64_t size_bytes;
    bool has_others; /* but for the lock of one that was killed */
    bool is_failed;
} listing;

static void on_file(void *self, const nb__disk_entry *entry)
{
    listing *l = self;
    uint32_t number = 0;
    if (entry->is_directory ||
        (!is_of_segment(entry->name, l->date, &number) && !is_other_of_ours(entry->name))) {
        l->has_others |= strcmp(entry->name, "care.lock") != 0;
        return;
    }
    l->size_bytes += entry->size_bytes;
    if (l->count == l->capacity) {
        size_t capacity = l->capacity == 0 ? 64 : l->capacity * 2;
        struct listed *files = realloc(l->files, capacity * sizeof *files);
        if (files == NULL) {
            l->is_failed = true;
            return;
        }
        l->files = files;
        l->capacity = capacity;
    }
    struct listed *file = &l->files[l->count++];
    file->number = number;
    snprintf(file->name, sizeof file->name, "%s", entry->name);
}

static nb_err list_night(int date, const char *directory, listing *out, nb_error *error)
{
    *out = (listing){.date = date};
    nb_err err = nb__disk_list(directory, on_file, out, error);
    if (err == NB_OK && out->is_failed)
        err = nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    if (err != NB_OK) {
        free(out->files);
        out->files = NULL;
    }
    return err;
}

static int last_first(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    return x->number < y->number ? 1 : x->number > y->number ? -1 : strcmp(x->name, y->name);
}

static void on_any(void *self, const nb__disk_entry *entry)
{
    (void)entry;
    *(bool *)self = true;
}

/* What others put there stays, and with it the directory. */
static nb_err remove_directory(const char *directory, nb_error *error)
{
    bool is_full = false;
    nb_err err = nb__disk_list(directory, on_any, &is_full, error);
    return err == NB_OK && !is_full ? nb__disk_remove(directory, error) : err;
}

/* The newest night is never removed; a recorder whose clock was set back may be in another. */
static bool is_written(const night *one, const listing *l)
{
    char path[NB__STORE_PATH_MAX];
    for (size_t i = 0; i < l->count; i++)
        if (snprintf(path, sizeof path, "%s/%s", one->directory, l->files[i].name) <
                (int)sizeof path &&
            nb__disk_is_held(path))
            return true;
    return false;
}

static nb_err remove_night(const night *one, nb_error *error)
{
    listing l;
    int lock;
    nb_err err = care_lock(one->directory, &lock, error);
    if (err != NB_OK)
        return err;
    err = list_night(one->date, one->directory, &l, error);
    if (err == NB_OK && l.count > 0)
        qsort(l.files, l.count, sizeof *l.files, last_first);
    if (err == NB_OK && is_written(one, &l))
        err = nb__fail(error, NB_E_BUSY, 0, "%.150s: a recorder writes there", one->directory);
    for (size_t i = 0; err == NB_OK && i < l.count; i++) {
        char path[NB__STORE_PATH_MAX];
        int size = snprintf(path, sizeof path, "%s/%s", one->directory, l.files[i].name);
        err = size < 0 || (size_t)size >= sizeof path
                  ? nb__fail(error, NB_E_ARGUMENT, 0, "%.100s…: the path is too long", path)
                  : nb__disk_remove(path, error);
    }
    free(l.files);
    care_unlock(one->directory, lock);
    return err == NB_OK ? remove_directory(one->directory, error) : err;
}

/* ---- nights ---- */

static void on_night(void *self, const nb__disk_entry *entry)
{
    pruning *p = self;
    uint64_t date;
    if (!entry->is_directory || strlen(entry->name) != 8 ||
        !nb__span_to_u64(nb__span(entry->name), &date) || !nb__date_is_valid((int)date))
        return;
    if (p->count == p->capacity) {
        size_t capacity = p->capacity == 0 ? 32 : p->capacity * 2;
        night *nights = realloc(p->nights, capacity * sizeof *nights);
        if (nights == NULL) {
            p->is_failed = true;
            return;
        }
        p->nights = nights;
        p->capacity = capacity;
    }
    night *one = &p->nights[p->count++];
    *one = (night){.date = (int)date};
    int size = snprintf(one->directory, sizeof one->directory, "%s/%s", p->path, entry->name);
    p->is_failed |= size < 0 || (size_t)size >= sizeof one->directory;
}

static int by_date(const void *a, const void *b)
{
    const night *x = a, *y = b;
    return x->date < y->date ? -1 : x->date > y->date;
}

/* Nights with files of ours, with their sizes; others are nobody's business. */
static nb_err list_nights(pruning *p, nb_error *error)
{
    nb_err err = nb__disk_list(p->path, on_night, p, error);
    if (err == NB_OK && p->is_failed)
        err = nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    size_t kept = 0;
    for (size_t i = 0; err == NB_OK && i < p->count; i++) {
        listing l;
        err = list_night(p->nights[i].date, p->nights[i].directory, &l, error);
        if (err != NB_OK)
            break;
        p->nights[i].size_bytes = l.size_bytes;
        p->nights[i].is_empty = l.count == 0;
        if (l.count > 0 || !l.has_others)
            p->nights[kept++] = p->nights[i];
        free(l.files);
    }
    p->count = kept;
    if (kept > 0)
        qsort(p->nights, kept, sizeof *p->nights, by_date);
    return err;
}

/* The one that never goes, nor what is later. */
static int current_of(const pruning *p, const nb__prune_limits *limits)
{
    int current = limits->current_night;
    for (size_t i = 0; limits->current_night == 0 && i < p->count; i++)
        if (!p->nights[i].is_empty)
            current = p->nights[i].date;
    return current;
}

static nb_err prune_nights(const pruning *p, const nb__prune_limits *limits,
                           void (*removed)(void *self, int night, uint64_t size_bytes), void *self,
                           nb_error *error)
{
    uint64_t left_bytes = 0;
    size_t left = 0;
    int current = current_of(p, limits);
    for (size_t i = 0; i < p->count; i++) {
        left += !p->nights[i].is_empty;
        left_bytes += p->nights[i].size_bytes;
    }
    for (size_t i = 0; i < p->count && p->nights[i].date < current; i++) {
        const night *one = &p->nights[i];
        bool is_over = (limits->keep_nights > 0 && left > limits->keep_nights) ||
                       (limits->keep_bytes > 0 && left_bytes > limits->keep_bytes);
        if (!is_over && !one->is_empty)
            continue;
        nb_err err = limits->is_trial ? NB_OK : remove_night(one, error);
        if (err != NB_OK)
            return err;
        if (one->is_empty)
            continue;
        left--;
        left_bytes -= one->size_bytes;
        if (removed != NULL)
            removed(self, one->date, one->size_bytes);
    }
    return NB_OK;
}

nb_err nb__prune(const char *directory, const nb__prune_limits *limits,
                 void (*removed)(void *self, int night, uint64_t size_bytes), void *self,
                 nb_error *error)
{
    pruning p = {.path = directory};
    nb_err err = list_nights(&p, error);
    if (err == NB_OK)
        err = prune_nights(&p, limits, removed, self, error);
    free(p.nights);
    return err;
}
