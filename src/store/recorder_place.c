/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking the directory: its lock, the one kind of feed it is for, and what earlier runs left in it:
 * the predecessor of our first segment, segments to pack, half-written packs.
 */
#include "care.h"
#include "reading.h"
#include "recorder.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define CHUNK_BYTES ((size_t)1 << 20)
#define TEMPORARY ".tmp"

static void print_path(const nb__recorder *r, const char *name, char out[NB__STORE_PATH_MAX])
{
    if (snprintf(out, NB__STORE_PATH_MAX, "%s/%s", r->directory, name) >= NB__STORE_PATH_MAX)
        out[0] = '\0';
}

/* ---- the kind ---- */

static nb_err fail_kind(const nb__recorder *r, nb_error *error)
{
    return nb__fail(error, NB_E_CONFIG, 0,
                    "%.100s holds nights that are %s, and the feed is %s: one journal is of one "
                    "kind; name another directory with --journal",
                    r->directory, nb__feed_kind_banner(r->kind),
                    nb__feed_kind_banner(r->feed_kind));
}

static bool is_of_feeds_kind(const nb__recorder *r)
{
    return !r->is_kind_known || !r->has_feed_kind || r->kind == r->feed_kind;
}

/* A live night is live whatever journal.json says. One segment a night is looked at. */
static nb_err look_at_nights(nb__recorder *r, const nb__catalogue *catalogue, nb_error *error)
{
    block scratch = {0};
    nb__recording_counters counters = {0};
    nb_err err = NB_OK;
    int night = 0;
    for (size_t i = 0; i < catalogue->count && err == NB_OK; i++) {
        const nb__segment *segment = &catalogue->segments[i];
        part p = {0};
        if (segment->night == night || (r->is_kind_known && r->kind == NB__FEED_LIVE))
            continue;
        err = part_init(&p, segment, &scratch, &counters, error);
        if (err == NB_OK && p.has_start) {
            night = segment->night;
            if (!r->is_kind_known || p.start.feed == NB__FEED_LIVE)
                r->kind = p.start.feed;
            r->is_kind_known = true;
        }
        part_fini(&p);
    }
    nb__text_fini(&scratch.file);
    nb__text_fini(&scratch.plain);
    nb__unpack_free(scratch.unpack);
    return err;
}

/* journal.json of no use is no reason to stop: the nights say the same. */
static nb_err read_kind(nb__recorder *r, const nb__catalogue *catalogue, nb_error *error)
{
    nb_error own;
    nb_err err = nb__store_feed_kind(r->directory, &r->is_kind_known, &r->kind, &own);
    if (err == NB_E_JSON) {
        nb__log(NB__LOG_WARN, "journal", "%s\nit is written anew", own.detail);
        r->is_kind_known = false;
    } else if (err != NB_OK) {
        if (error != NULL)
            *error = own;
        return err;
    }
    bool is_stated = r->is_kind_known;
    err = look_at_nights(r, catalogue, error);
    if (err == NB_OK && !is_of_feeds_kind(r))
        return fail_kind(r, error);
    r->is_kind_known &= is_stated || !r->has_feed_kind; /* else it is written at the first link */
    return err;
}

static nb_err write_kind(nb__recorder *r, nb_error *error)
{
    char path[NB__STORE_PATH_MAX], text[96];
    print_path(r, "journal.json", path);
    int size = snprintf(text, sizeof text, "{\"nightbook_journal\":%d,\"feed\":\"%s\"}\n",
                        NB__JOURNAL_FORMAT, nb__feed_kind_name(r->feed_kind));
    nb_err err = nb__file_write(path, (nb_span){text, (size_t)size}, RECORDER_FILE_MODE, error);
    if (err != NB_OK)
        return err;
    r->kind = r->feed_kind;
    r->is_kind_known = true;
    return NB_OK;
}

/* ---- the predecessor ---- */

static nb_err hash_plain(const char *path, nb__journal_after *out, nb_error *error)
{
    int fd;
    uint64_t size_bytes;
    size_t read_bytes = 1;
    nb_err err = nb__disk_open(path, &fd, &size_bytes, error);
    if (err != NB_OK)
        return err;
    XXH3_state_t *hash = XXH3_createState();
    char *chunk = malloc(CHUNK_BYTES);
    if (hash == NULL || chunk == NULL)
        err = nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    else
        XXH3_64bits_reset(hash);
    out->size_bytes = 0;
    while (err == NB_OK && read_bytes > 0) {
        err = nb__disk_read_at(fd, out->size_bytes, chunk, CHUNK_BYTES, &read_bytes, error);
        if (err == NB_OK)
            XXH3_64bits_update(hash, chunk, read_bytes);
        out->size_bytes += read_bytes;
    }
    if (err == NB_OK)
        out->xxh3 = XXH3_64bits_digest(hash);
    free(chunk);
    XXH3_freeState(hash);
    nb__disk_close(fd);
    return err;
}

/* The newest segment that is there, as it lies; of a packed one its index knows. One that cannot be
 * read is named all the same. */
static void find_predecessor(nb__recorder *r, const nb__catalogue *catalogue)
{
    r->after = (nb__journal_after){.segment = ""};
    if (catalogue->count == 0)
        return;
    const nb__segment *newest = &catalogue->segments[catalogue->count - 1];
    nb__journal_name_print(r->after.segment, newest->night, newest->number);
    block scratch = {0};
    nb__recording_counters counters = {0};
    part p = {0};
    nb_error error = {.code = NB_OK};
    char path[NB__STORE_PATH_MAX];
    int64_t begin_ns = nb__clock_mono_ns();
    nb_err err = part_init(&p, newest, &scratch, &counters, &error);
    if (err == NB_OK && p.is_packed && p.packed.has_index) {
        r->after.size_bytes = p.packed.plain_bytes;
        r->after.xxh3 = p.packed.plain_xxh3;
    } else if (newest->is_plain) {
        nb__segment_path(newest, false, path);
        err = hash_plain(path, &r->after, &error);
    }
    if (err != NB_OK)
        nb__log(NB__LOG_WARN, "journal",
                "%s, the last segment of an earlier run, cannot be read: %s\nnightbook journal "
                "verify '%.200s'",
                r->after.segment, error.detail, r->directory);
    nb__log(NB__LOG_DEBUG, "journal", "the predecessor %s was hashed in %.1f ms", r->after.segment,
            (double)(nb__clock_mono_ns() - begin_ns) / 1e6);
    part_fini(&p);
    nb__text_fini(&scratch.file);
    nb__text_fini(&scratch.plain);
    nb__unpack_free(scratch.unpack);
}

/* ---- what an interrupted pack left ---- */

typedef struct leftovers {
    const char *directory;
    nb__text paths; /* each with a NUL */
} leftovers;

static void see_leftover(void *self, const nb__disk_entry *entry)
{
    leftovers *l = self;
    size_t size = strlen(entry->name), tail = sizeof TEMPORARY - 1;
    int night;
    uint32_t number;
    if (entry->is_directory || size <= tail || strcmp(entry->name + size - tail, TEMPORARY) != 0 ||
        !care_segment_of(entry->name, &night, &number)) /* others' are nobody's business */
        return;
    nb__text_printf(&l->paths, "%s/%s", l->directory, entry->name);
    nb__text_append(&l->paths, "", 1);
}

static void remove_leftovers(const char *directory)
{
    leftovers l = {.directory = directory};
    int lock;
    if (care_lock(directory, &lock, NULL) != NB_OK)
        return; /* someone is at it */
    nb__disk_list(directory, see_leftover, &l, NULL);
    for (size_t at = 0; !l.paths.is_failed && at < l.paths.size_bytes;
         at += strlen(l.paths.data + at) + 1)
        if (nb__disk_remove(l.paths.data + at, NULL) == NB_OK)
            nb__log(NB__LOG_INFO, "journal", "removed %s, which an earlier run left unfinished",
                    l.paths.data + at);
    nb__text_fini(&l.paths);
    care_unlock(directory, lock);
}

static void see_segments(nb__recorder *r, const nb__catalogue *catalogue)
{
    const char *directory = "";
    for (size_t i = 0; i < catalogue->count; i++) {
        const nb__segment *segment = &catalogue->segments[i];
        if (strcmp(directory, segment->directory) != 0)
            remove_leftovers(segment->directory);
        directory = segment->directory;
        if (segment->is_plain)
            recorder_pack_wish(r, segment->night, segment->number);
    }
}

/* ---- taking it ---- */

static nb_err take_locked(nb__recorder *r, nb_error *error)
{
    nb__catalogue catalogue = {0};
    nb_err err = nb__catalogue_read(r->directory, &catalogue, error);
    if (err != NB_OK && err != NB_E_NOT_FOUND)
        return err;
    err = read_kind(r, &catalogue, error);
    if (err == NB_OK) {
        if (r->after.segment[0] == '\0') /* else it is one of our own */
            find_predecessor(r, &catalogue);
        see_segments(r, &catalogue);
        r->numbered_night = 0;
    }
    nb__catalogue_fini(&catalogue);
    return err;
}

nb_err recorder_take(nb__recorder *r, nb_error *error)
{
    char path[NB__STORE_PATH_MAX];
    print_path(r, "lock", path);
    nb_err err = nb__directory_make(r->directory, error);
    if (err == NB_OK)
        err = nb__disk_lock(path, &r->lock_fd, error);
    if (err != NB_OK)
        return err;
    err = take_locked(r, error);
    if (err != NB_OK) {
        nb__disk_close(r->lock_fd);
        r->lock_fd = -1;
        return err;
    }
    r->is_taken = true;
    recorder_space_look(r);
    recorder_care_wish(r);
    return NB_OK;
}

void recorder_untake(nb__recorder *r)
{
    char path[NB__STORE_PATH_MAX];
    print_path(r, "lock", path);
    r->numbered_night = 0;
    if (!r->is_taken || nb__disk_is_at(r->lock_fd, path))
        return;
    nb__disk_close(r->lock_fd);
    r->lock_fd = -1;
    r->is_taken = r->is_kind_known = false;
}

nb_err recorder_prepare(nb__recorder *r, nb_error *error)
{
    nb_err err = r->is_taken ? NB_OK : recorder_take(r, error);
    if (err == NB_OK && !is_of_feeds_kind(r))
        return fail_kind(r, error);
    if (err == NB_OK && !r->is_kind_known)
        err = write_kind(r, error);
    return err;
}
