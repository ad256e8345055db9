/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damaged bytes of a segment, kept beside it: NAME.damaged-OFFSET for plain bytes, .zst behind it
 * for a zstd frame that cannot be had. Written whole under a temporary name; of a run that was
 * killed, the file that lies there is used again when it holds the same.
 */
#include "care.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEPT_MAX 10000 /* of one offset */
#define CHUNK_BYTES ((size_t)1 << 16)

static bool is_equal(int a, int b, uint64_t size_bytes)
{
    char x[CHUNK_BYTES], y[CHUNK_BYTES];
    for (uint64_t at = 0; at < size_bytes;) {
        size_t size = 0, other = 0;
        size_t wanted = size_bytes - at < CHUNK_BYTES ? (size_t)(size_bytes - at) : CHUNK_BYTES;
        if (nb__disk_read_at(a, at, x, wanted, &size, NULL) != NB_OK ||
            nb__disk_read_at(b, at, y, wanted, &other, NULL) != NB_OK || size != wanted ||
            other != wanted || memcmp(x, y, wanted) != 0)
            return false;
        at += wanted;
    }
    return true;
}

static bool is_same_file(const char *path, const char *other)
{
    int a, b;
    uint64_t a_bytes, b_bytes;
    if (nb__disk_open(path, &a, &a_bytes, NULL) != NB_OK)
        return false;
    bool is_same = nb__disk_open(other, &b, &b_bytes, NULL) == NB_OK;
    if (is_same) {
        is_same = a_bytes == b_bytes && is_equal(a, b, a_bytes);
        nb__disk_close(b);
    }
    nb__disk_close(a);
    return is_same;
}

static bool name_of(char out[NB__STORE_PATH_MAX], const nb__segment *segment, uint64_t offset_bytes,
                    unsigned which, const char *suffix)
{
    char name[NB__JOURNAL_NAME_BYTES], again[16] = "";
    nb__journal_name_print(name, segment->night, segment->number);
    if (which > 1)
        snprintf(again, sizeof again, "-%u", which);
    int size = snprintf(out, NB__STORE_PATH_MAX, "%s/%s.damaged-%" PRIu64 "%s%s",
                        segment->directory, name, offset_bytes, again, suffix);
    return size >= 0 && size < NB__STORE_PATH_MAX;
}

nb_err care_keep(const char *from, const nb__segment *segment, uint64_t offset_bytes,
                 const char *suffix, char out[NB__STORE_PATH_MAX], nb_error *error)
{
    nb__disk_entry entry;
    for (unsigned i = 1; i < KEPT_MAX && name_of(out, segment, offset_bytes, i, suffix); i++) {
        if (nb__disk_stat(out, &entry, NULL) == NB_E_NOT_FOUND)
            return nb__disk_rename(from, out, error);
        if (is_same_file(from, out))
            return nb__disk_remove(from, error);
    }
    return nb__fail(error, NB_E_LIMIT, 0, "too many damaged files are kept beside it");
}

nb_err aside_open(aside *a, const nb__segment *segment, uint64_t offset_bytes, nb_error *error)
{
    char path[NB__STORE_PATH_MAX];
    a->segment = segment;
    a->offset_bytes = offset_bytes;
    if (!name_of(path, segment, offset_bytes, 1, ".tmp"))
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.100s…: the path is too long",
                        segment->directory);
    return care_file_create(&a->file, path, error);
}

nb_err aside_close(aside *a, const char *suffix, char out[NB__STORE_PATH_MAX], nb_error *error)
{
    nb_err err = care_file_sync(&a->file, error);
    if (err == NB_OK)
        err = care_keep(a->file.path, a->segment, a->offset_bytes, suffix, out, error);
    return err;
}
