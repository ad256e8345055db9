/* SPDX-License-Identifier: Apache-2.0 */
/* What those who change a night's files share: their lock, and files that appear whole. */
#include "care.h"
#include <stdio.h>
#include <string.h>

#define LOCK_NAME "/care.lock"

bool care_path(char out[NB__STORE_PATH_MAX], const char *path, const char *suffix)
{
    int size = snprintf(out, NB__STORE_PATH_MAX, "%s%s", path, suffix);
    return size >= 0 && size < NB__STORE_PATH_MAX;
}

static nb_err fail_long(const char *path, nb_error *error)
{
    return nb__fail(error, NB_E_ARGUMENT, 0, "%.100s…: the path is too long", path);
}

/* Removed while it is held: nobody else takes a file that has no name. */
nb_err care_lock(const char *directory, int *fd, nb_error *error)
{
    char path[NB__STORE_PATH_MAX];
    if (!care_path(path, directory, LOCK_NAME))
        return fail_long(directory, error);
    nb_err err = nb__disk_lock(path, fd, error);
    if (err == NB_E_BUSY)
        nb__fail_in(error, "something packs or repairs there; try again when it is done");
    return err;
}

void care_unlock(const char *directory, int fd)
{
    char path[NB__STORE_PATH_MAX];
    if (care_path(path, directory, LOCK_NAME))
        nb__disk_remove(path, NULL);
    nb__disk_close(fd);
}

bool care_journal_path(const char *directory, char out[NB__STORE_PATH_MAX])
{
    return care_path(out, directory, "/..");
}

bool care_segment_of(const char *file_name, int *night, uint32_t *number)
{
    char name[NB__JOURNAL_NAME_BYTES + 8];
    int size = snprintf(name, sizeof name, "%.*s.log", (int)strcspn(file_name, "."), file_name);
    return size > 0 && (size_t)size < sizeof name &&
           nb__journal_name_parse(nb__span(name), night, number) == NB__JOURNAL_FILE_PLAIN;
}

bool care_is_newest(const nb__segment *segment)
{
    char journal[NB__STORE_PATH_MAX];
    nb__catalogue catalogue;
    if (!care_journal_path(segment->directory, journal) ||
        nb__catalogue_read(journal, &catalogue, NULL) != NB_OK)
        return true;
    const nb__segment *last = &catalogue.segments[catalogue.count - 1];
    bool is_newest = last->night < segment->night ||
                     (last->night == segment->night && last->number <= segment->number);
    nb__catalogue_fini(&catalogue);
    return is_newest;
}

/* ---- files ---- */

nb_err care_file_create(care_file *file, const char *path, nb_error *error)
{
    file->fd = -1;
    if (!care_path(file->path, path, ""))
        return fail_long(path, error);
    nb_err err = nb__disk_remove(path, error); /* of one that was killed */
    return err == NB_OK ? nb__disk_create(path, &file->fd, NULL, error) : err;
}

nb_err care_file_write(care_file *file, nb_span bytes, nb_error *error)
{
    size_t written;
    nb_err err = nb__disk_write(file->fd, bytes, &written, NULL, error);
    if (err != NB_OK)
        nb__fail_in(error, "%.100s", file->path);
    return err;
}

nb_err care_file_sync(care_file *file, nb_error *error)
{
    nb_err err = nb__disk_sync(file->fd, NULL, error);
    if (err != NB_OK)
        nb__fail_in(error, "%.100s", file->path);
    nb__disk_close(file->fd);
    file->fd = -1;
    return err;
}

void care_file_drop(care_file *file)
{
    nb__disk_close(file->fd);
    file->fd = -1;
    nb__disk_remove(file->path, NULL);
}
