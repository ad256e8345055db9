/* SPDX-License-Identifier: Apache-2.0 */
/* What lies where: a journal's nights, a night's segments, one segment. */
#include "store/store.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATE_DIGITS 8
#define MANIFEST "journal.json"
#define MANIFEST_MAX 65536

/* One walk over directories: what was found of segments and nights. */
typedef struct walk {
    const char *directory; /* the one that is listed now */
    nb__segment *segments;
    size_t count, capacity;
    int *nights;
    size_t night_count, night_capacity;
    bool is_failed, has_manifest;
} walk;

/* ---- what was found ---- */

/* Room for one more of `size_bytes` each. */
static bool grow(void **items, size_t count, size_t *capacity, size_t size_bytes)
{
    if (count < *capacity)
        return true;
    size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    void *grown = realloc(*items, wanted * size_bytes);
    if (grown == NULL)
        return false;
    *items = grown;
    *capacity = wanted;
    return true;
}

static nb__segment *find(walk *w, int night, uint32_t number)
{
    for (size_t i = w->count; i > 0; i--) {
        nb__segment *segment = &w->segments[i - 1];
        if (strcmp(segment->directory, w->directory) != 0)
            break; /* an earlier directory's */
        if (segment->night == night && segment->number == number)
            return segment;
    }
    return NULL;
}

static nb__segment *find_or_add(walk *w, int night, uint32_t number)
{
    nb__segment *segment = find(w, night, number);
    if (segment != NULL)
        return segment;
    void *items = w->segments;
    if (strlen(w->directory) >= sizeof segment->directory ||
        !grow(&items, w->count, &w->capacity, sizeof *w->segments)) {
        w->is_failed = true;
        return NULL;
    }
    w->segments = items;
    segment = &w->segments[w->count++];
    *segment = (nb__segment){.night = night, .number = number};
    memcpy(segment->directory, w->directory, strlen(w->directory) + 1);
    return segment;
}

static void add_file(walk *w, const nb__disk_entry *entry)
{
    int night;
    uint32_t number;
    nb__journal_file file = nb__journal_name_parse(nb__span(entry->name), &night, &number);
    w->has_manifest |= strcmp(entry->name, MANIFEST) == 0;
    if (file == NB__JOURNAL_FILE_NONE)
        return;
    nb__segment *segment = find_or_add(w, night, number);
    if (segment == NULL)
        return;
    bool is_packed = file == NB__JOURNAL_FILE_PACKED;
    *(is_packed ? &segment->is_packed : &segment->is_plain) = true;
    *(is_packed ? &segment->packed_bytes : &segment->plain_bytes) = entry->size_bytes;
    if (entry->changed_ns > segment->changed_ns)
        segment->changed_ns = entry->changed_ns;
}

static bool is_night(const char *name, int *night)
{
    uint64_t date;
    if (strlen(name) != DATE_DIGITS || !nb__span_to_u64(nb__span(name), &date) ||
        !nb__date_is_valid((int)date))
        return false;
    *night = (int)date;
    return true;
}

static void on_entry(void *self, const nb__disk_entry *entry)
{
    walk *w = self;
    int night;
    if (!entry->is_directory) {
        add_file(w, entry);
        return;
    }
    if (!is_night(entry->name, &night))
        return;
    void *items = w->nights;
    if (!grow(&items, w->night_count, &w->night_capacity, sizeof *w->nights)) {
        w->is_failed = true;
        return;
    }
    w->nights = items;
    w->nights[w->night_count++] = night;
}

/* ---- the walk ---- */

static int by_number(const void *a, const void *b)
{
    const nb__segment *x = a, *y = b;
    if (x->night != y->night)
        return x->night < y->night ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static int by_date(const void *a, const void *b)
{
    const int *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* A night that is removed meanwhile (prune) is passed over. */
static nb_err walk_nights(walk *w, const char *path, nb_error *error)
{
    nb_err err = NB_OK;
    size_t count = w->night_count; /* a night holds no nights */
    if (count > 0)
        qsort(w->nights, count, sizeof *w->nights, by_date);
    for (size_t i = 0; i < count && err == NB_OK; i++) {
        char directory[NB__STORE_PATH_MAX];
        int size = snprintf(directory, sizeof directory, "%s/%08d", path, w->nights[i]);
        if (size < 0 || (size_t)size >= sizeof directory)
            return nb__fail(error, NB_E_ARGUMENT, 0, "%.100s…: the path is too long", path);
        w->directory = directory;
        err = nb__disk_list(directory, on_entry, w, error);
        w->directory = NULL;
        if (err == NB_E_NOT_FOUND)
            err = NB_OK;
    }
    return err;
}

static nb_err walk_directory(walk *w, const char *path, nb_error *error)
{
    w->directory = path;
    nb_err err = nb__disk_list(path, on_entry, w, error);
    if (err == NB_OK)
        err = walk_nights(w, path, error);
    if (err == NB_OK && w->is_failed)
        err = nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    if (err == NB_OK && w->count == 0)
        err = nb__fail(error, NB_E_NOT_FOUND, 0, "%.150s: %s", path,
                       w->has_manifest || w->night_count > 0
                           ? "a journal without a segment: nothing was recorded yet"
                           : "neither a journal nor a night: no NIGHT-NUMBER.log or .log.zst in "
                             "it");
    return err;
}

/* One file was named: that segment, with both its files. */
static nb_err walk_file(walk *w, const char *path, nb_error *error)
{
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
    char directory[NB__STORE_PATH_MAX] = ".";
    int night;
    uint32_t number;
    if (slash != NULL && !nb__span_copy((nb_span){path, slash == path ? 1 : (size_t)(slash - path)},
                                        directory, sizeof directory))
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.100s…: the path is too long", path);
    if (nb__journal_name_parse(nb__span(name), &night, &number) == NB__JOURNAL_FILE_NONE)
        return nb__fail(error, NB_E_NOT_FOUND, 0,
                        "%.150s: no segment of a journal: those are called NIGHT-NUMBER.log or "
                        ".log.zst",
                        path);
    w->directory = directory;
    nb__segment *segment = find_or_add(w, night, number);
    for (int is_packed = 0; is_packed < 2 && segment != NULL; is_packed++) {
        char file[NB__STORE_PATH_MAX];
        nb__disk_entry entry;
        nb__segment_path(segment, is_packed != 0, file);
        if (nb__disk_stat(file, &entry, NULL) != NB_OK || entry.is_directory)
            continue;
        slash = strrchr(file, '/');
        entry.name = slash == NULL ? file : slash + 1;
        add_file(w, &entry);
    }
    w->directory = NULL;
    return segment != NULL ? NB_OK : nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
}

nb_err nb__catalogue_read(const char *path, nb__catalogue *out, nb_error *error)
{
    nb__disk_entry entry;
    nb__catalogue catalogue = {0};
    if (!nb__span_copy(nb__span(path), catalogue.path, sizeof catalogue.path))
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.100s…: the path is too long", path);
    for (size_t size = strlen(catalogue.path); size > 1 && catalogue.path[size - 1] == '/';)
        catalogue.path[--size] = '\0';
    nb_err err = nb__disk_stat(catalogue.path, &entry, error);
    if (err != NB_OK)
        return err;
    walk w = {0};
    err = entry.is_directory ? walk_directory(&w, catalogue.path, error)
                             : walk_file(&w, catalogue.path, error);
    free(w.nights);
    if (err != NB_OK || w.segments == NULL) {
        free(w.segments);
        return err;
    }
    qsort(w.segments, w.count, sizeof *w.segments, by_number);
    catalogue.segments = w.segments;
    catalogue.count = w.count;
    *out = catalogue;
    return NB_OK;
}

void nb__catalogue_fini(nb__catalogue *catalogue)
{
    free(catalogue->segments);
    *catalogue = (nb__catalogue){0};
}

/* ---- journal.json ---- */

static nb_err read_manifest(const json_t *root, const char *path, bool *is_known,
                            nb__feed_kind *kind, nb_error *error)
{
    const json_t *format = json_object_get(root, "nightbook_journal");
    const char *feed = json_string_value(json_object_get(root, "feed"));
    if (!json_is_integer(format) || json_integer_value(format) < 1)
        return nb__fail(error, NB_E_JSON, 0,
                        "%.150s: not what a recorder writes: {\"nightbook_journal\":1,"
                        "\"feed\":\"live\"} and the like",
                        path);
    if (json_integer_value(format) > NB__JOURNAL_FORMAT)
        return nb__fail(error, NB_E_VERSION, 0,
                        "%.150s: a journal of format %lld, and this nightbook knows up to %d; use "
                        "the newer nightbook that wrote it",
                        path, (long long)json_integer_value(format), NB__JOURNAL_FORMAT);
    for (int i = NB__FEED_LIVE; feed != NULL && i <= NB__FEED_OTHER; i++)
        if (strcmp(feed, nb__feed_kind_name((nb__feed_kind)i)) == 0) {
            *is_known = true;
            *kind = (nb__feed_kind)i;
            return NB_OK;
        }
    return nb__fail(error, NB_E_JSON, 0, "%.150s: its feed is none of live, sim, replay, other",
                    path);
}

nb_err nb__store_feed_kind(const char *directory, bool *is_known, nb__feed_kind *kind,
                           nb_error *error)
{
    char path[NB__STORE_PATH_MAX];
    nb__disk_entry entry;
    nb__text text = {0};
    *is_known = false;
    *kind = NB__FEED_OTHER;
    int size = snprintf(path, sizeof path, "%s/" MANIFEST, directory);
    if (size < 0 || (size_t)size >= sizeof path)
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.100s…: the path is too long", directory);
    nb_err err = nb__disk_stat(path, &entry, error);
    if (err == NB_E_NOT_FOUND)
        return NB_OK;
    if (err == NB_OK)
        err = nb__file_read(path, MANIFEST_MAX, &text, error);
    if (err != NB_OK)
        return err;
    json_t *root = json_loadb(text.data == NULL ? "" : text.data, text.size_bytes,
                              JSON_REJECT_DUPLICATES, NULL);
    err = read_manifest(root, path, is_known, kind, error);
    json_decref(root);
    nb__text_fini(&text);
    return err;
}
