/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A finished segment becomes a packed one, in steps that may each be the last:
 *
 *     write NAME.log.zst.tmp, sync    readers: the plain one; a next run writes it anew
 *     read back, compare              "
 *     rename to NAME.log.zst          readers: both are there and equal, the packed one counts
 *     sync the directory              "
 *     remove NAME.log, sync           readers: the packed one
 *
 * The plain one goes only when every byte of it was read back out of the packed one. Errors leave
 * it.
 */
#include "care.h"
#include <stdio.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)1 << 20)

typedef struct packing {
    char plain[NB__STORE_PATH_MAX], packed[NB__STORE_PATH_MAX], temporary[NB__STORE_PATH_MAX];
    const nb__segment *segment;
    const char *directory;
    const volatile bool *stop;
    source from; /* the plain one */
} packing;

static nb_err fail_stop(nb_error *error)
{
    return nb__fail(error, NB_E_BUSY, 0, "stopped before it was packed; the plain one stays");
}

static bool is_stopped(const packing *p)
{
    return p->stop != NULL && __atomic_load_n(p->stop, __ATOMIC_RELAXED);
}

/* ---- write ---- */

typedef struct writing {
    const packing *p;
    nb__pack *pack;
    nb__text out;
    care_file file;
} writing;

static nb_err write_out(writing *w, nb_error *error)
{
    nb_err err = care_file_write(&w->file, nb__text_view(&w->out), error);
    nb__text_clear(&w->out);
    return err;
}

static nb_err take_plain(void *self, const piece *one, nb_error *error)
{
    writing *w = self;
    if (is_stopped(w->p))
        return fail_stop(error);
    nb_err err = nb__pack_feed(w->pack, one->bytes, &w->out, error);
    return err == NB_OK ? write_out(w, error) : err;
}

static nb_err write_packed(packing *p, int level, nb_error *error)
{
    writing w = {.p = p, .pack = nb__pack_new(level, 0)};
    if (w.pack == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    nb_err err = care_file_create(&w.file, p->temporary, error);
    if (err == NB_OK) {
        err = source_each(&p->from, take_plain, &w, error);
        if (err == NB_OK)
            err = nb__pack_end(w.pack, &w.out, error);
        if (err == NB_OK)
            err = write_out(&w, error);
        if (err == NB_OK)
            err = care_file_sync(&w.file, error);
        if (err != NB_OK)
            care_file_drop(&w.file);
    }
    nb__pack_free(w.pack);
    nb__text_fini(&w.out);
    return err;
}

/* ---- read back ---- */

typedef struct comparing {
    const packing *p;
    source *plain;
    uint64_t equal_bytes;
} comparing;

static nb_err take_packed(void *self, const piece *one, nb_error *error)
{
    comparing *c = self;
    if (is_stopped(c->p))
        return fail_stop(error);
    if (one->bytes.data == NULL)
        return nb__fail(error, NB_E_JOURNAL, 0, "zstd frame %zu: %.100s", one->row_index + 1,
                        one->words);
    nb_err err = source_raw(c->plain, one->offset_bytes, one->size_bytes, error);
    if (err != NB_OK)
        return err;
    if (memcmp(c->plain->raw.data, one->bytes.data, one->bytes.size_bytes) != 0)
        return nb__fail(error, NB_E_JOURNAL, (size_t)one->offset_bytes,
                        "zstd frame %zu is not what stands in the plain file", one->row_index + 1);
    c->equal_bytes += one->bytes.size_bytes;
    return NB_OK;
}

/* All of the packed file is good, and its plain bytes are the plain file, byte for byte. */
static nb_err compare(packing *p, const char *path, nb_error *error)
{
    source packed;
    nb_err err = source_open(path, true, &packed, error);
    if (err != NB_OK)
        return err;
    comparing c = {.p = p, .plain = &p->from};
    if (packed.table_error.code != NB_OK)
        err = nb__fail(error, NB_E_JOURNAL, 0, "the seek table: %.120s", packed.table_error.detail);
    else if (packed.index_error.code != NB_OK)
        err = nb__fail(error, NB_E_JOURNAL, 0, "the index: %.120s", packed.index_error.detail);
    else
        err = source_each(&packed, take_packed, &c, error);
    source_close(&packed);
    if (err == NB_OK && c.equal_bytes != p->from.plain_bytes)
        err = nb__fail(error, NB_E_JOURNAL, 0, "it holds another number of bytes");
    return err;
}

/* Nobody wrote to the plain one meanwhile. */
static nb_err check_still(const packing *p, nb_error *error)
{
    nb__disk_entry now;
    nb_err err = nb__disk_stat(p->plain, &now, error);
    return err == NB_OK && now.size_bytes != p->from.plain_bytes
               ? nb__fail(error, NB_E_BUSY, 0, "it is still being written to")
               : err;
}

/* ---- steps ---- */

static nb_err remove_plain(const packing *p, nb_error *error)
{
    nb_err err = check_still(p, error);
    if (err == NB_OK)
        err = nb__disk_remove(p->plain, error);
    return err == NB_OK ? nb__disk_sync_directory(p->directory, error) : err;
}

static nb_err pack_anew(packing *p, int level, nb_error *error)
{
    nb_err err = write_packed(p, level, error);
    if (err != NB_OK)
        return err;
    err = compare(p, p->temporary, error);
    if (err == NB_OK)
        err = check_still(p, error);
    if (err == NB_OK)
        err = nb__disk_rename(p->temporary, p->packed, error);
    if (err != NB_OK) {
        nb__disk_remove(p->temporary, NULL);
        return err;
    }
    err = nb__disk_sync_directory(p->directory, error);
    return err == NB_OK ? remove_plain(p, error) : err;
}

/* Both are there: one was killed before it removed the plain one, or one of them was damaged since.
 * Nothing of either is thrown away before they are equal. */
static nb_err pack_again(packing *p, int level, nb_error *error)
{
    nb_error why = {0};
    survey packed;
    nb_err err = compare(p, p->packed, &why);
    if (err == NB_OK) {
        nb__disk_remove(p->temporary, NULL);
        err = nb__disk_sync_directory(p->directory, error);
        return err == NB_OK ? remove_plain(p, error) : err;
    }
    if (err != NB_E_JOURNAL) {
        if (error != NULL)
            *error = why;
        return err;
    }
    err = survey_file(p->packed, true, &packed, error);
    if (err != NB_OK)
        return err;
    bool is_good = packed.is_packed_good;
    survey_fini(&packed);
    if (is_good)
        return nb__fail(error, NB_E_JOURNAL, 0,
                        "%.80s: the packed file beside it is good and holds other bytes, and is "
                        "what readers take; look at both, and move one of them away",
                        p->plain);
    char kept[NB__STORE_PATH_MAX];
    err = care_keep(p->packed, p->segment, 0, ".zst", kept, error);
    return err == NB_OK ? pack_anew(p, level, error) : err;
}

static nb_err pack_locked(packing *p, int level, nb_error *error)
{
    nb__disk_entry entry;
    nb_err err = source_open(p->plain, false, &p->from, error);
    bool has_packed = nb__disk_stat(p->packed, &entry, NULL) == NB_OK;
    if (err == NB_E_NOT_FOUND && has_packed) {
        nb__disk_remove(p->temporary, NULL);
        return NB_OK; /* done by another */
    }
    if (err != NB_OK)
        return err;
    err = has_packed ? pack_again(p, level, error) : pack_anew(p, level, error);
    source_close(&p->from);
    return err;
}

nb_err nb__pack_segment(const nb__segment *segment, int level, const volatile bool *stop,
                        nb_error *error)
{
    packing p = {
        .segment = segment, .directory = segment->directory, .stop = stop, .from = {.fd = -1}};
    nb__segment_path(segment, false, p.plain);
    nb__segment_path(segment, true, p.packed);
    if (p.plain[0] == '\0' || p.packed[0] == '\0' || !care_path(p.temporary, p.packed, ".tmp"))
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.100s…: the path is too long",
                        segment->directory);
    if (nb__disk_is_held(p.plain))
        return nb__fail(error, NB_E_BUSY, 0, "%.150s: a recorder writes to it", p.plain);
    int lock;
    nb_err err = care_lock(segment->directory, &lock, error);
    if (err != NB_OK)
        return err;
    err = pack_locked(&p, level, error);
    care_unlock(segment->directory, lock);
    if (err != NB_OK && err != NB_E_BUSY)
        nb__fail_in(error, "%.100s: not packed", p.plain);
    return err;
}
