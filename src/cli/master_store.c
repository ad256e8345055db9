/* SPDX-License-Identifier: Apache-2.0 */
/* The master files that are kept on this machine, read: the last good copies. */
#include "master_store.h"
#include "cli/cli.h"
#include "io/io.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

const nb__master_kind nb__master_kinds[NB__MASTER_FILES] = {NB__MASTER_EUREX, NB__MASTER_CME,
                                                            NB__MASTER_INDEX};

void nb__store_path(const char *directory, nb__master_kind kind, char out[NB__STORE_PATH_MAX])
{
    snprintf(out, NB__STORE_PATH_MAX, "%s/%s.zip", directory, nb__master_file_name(kind));
}

/* ---- one file ---- */

static bool is_zip(nb_span bytes)
{
    return bytes.size_bytes >= 2 && memcmp(bytes.data, "PK", 2) == 0;
}

/* A page that says that the file is not here, an error in JSON … */
static bool is_markup(nb_span bytes)
{
    return bytes.size_bytes > 0 && (bytes.data[0] == '<' || bytes.data[0] == '{');
}

nb_err nb__store_read_bytes(nb__master_kind kind, nb_span bytes, nb__master *master,
                            nb_error *error)
{
    nb__text unpacked = {0};
    nb_err err = NB_OK;
    if (bytes.size_bytes == 0)
        return nb__fail(error, NB_E_MASTER, 0, "%s: the file is empty", nb__master_file_name(kind));
    if (is_markup(bytes))
        return nb__fail(error, NB_E_MASTER, 0, "%s: a page of text came instead of the file",
                        nb__master_file_name(kind));
    if (is_zip(bytes)) {
        err = nb__zip_read(bytes, NB__MASTER_TEXT_MAX, &unpacked, error);
        if (err == NB_E_LIMIT) /* nobody's setting: such a file is no master file */
            err = error->code = NB_E_MASTER;
        if (err != NB_OK)
            nb__fail_in(error, "%s", nb__master_file_name(kind));
        bytes = nb__text_view(&unpacked);
    }
    if (err == NB_OK)
        err = nb__master_parse(kind, bytes, master, error);
    nb__text_fini(&unpacked);
    return err;
}

nb_err nb__store_read_file(const char *directory, nb__master_kind kind, nb__master *master,
                           int64_t *written_s, nb_error *error)
{
    char path[NB__STORE_PATH_MAX];
    struct stat about;
    nb__text bytes = {0};
    nb__store_path(directory, kind, path);
    if (stat(path, &about) != 0 && errno == ENOENT)
        return nb__fail(error, NB_E_NOT_FOUND, 0, "%.200s: there is no such file", path);
    nb_err err = nb__file_read(path, NB__MASTER_ZIP_MAX, &bytes, error);
    if (err == NB_OK)
        err = nb__store_read_bytes(kind, nb__text_view(&bytes), master, error);
    if (err == NB_OK)
        *written_s = about.st_mtim.tv_sec;
    nb__text_fini(&bytes);
    return err;
}

/* ---- all of them ---- */

static nb_err read_all(const char *directory, nb__store *out, nb_error *error)
{
    nb_err worst = NB_OK;
    for (size_t i = 0; i < NB__MASTER_FILES; i++) {
        int64_t written_s = 0;
        nb_error why;
        nb_err err =
            nb__store_read_file(directory, nb__master_kinds[i], &out->master, &written_s, &why);
        out->is_here[i] = err == NB_OK;
        if (written_s > out->newest_s)
            out->newest_s = written_s;
        if (nb__master_kinds[i] != NB__MASTER_INDEX)
            out->night_count = out->master.count;
        if (err == NB_OK || err == NB_E_NOT_FOUND)
            continue;
        nb__command_failed("symbols", &why);
        fprintf(stderr, "  it is left out; `nightbook symbols update` brings a whole one\n");
        worst = err;
    }
    if (out->master.count > 0)
        return NB_OK;
    return nb__fail(error, worst != NB_OK ? worst : NB_E_NOT_FOUND, 0,
                    "no master file in %.150s: `nightbook symbols update` fetches them", directory);
}

nb_err nb__store_open(const char *directory, nb__store *out, nb_error *error)
{
    *out = (nb__store){0};
    nb_err err = read_all(directory, out, error);
    if (err == NB_OK) {
        out->day_rows.rows = out->master.rows + out->night_count;
        out->day_rows.count = out->master.count - out->night_count;
        out->symbols = nb__symbols_new(&out->master);
        out->day = nb__symbols_new(&out->day_rows);
        if (out->symbols == NULL || out->day == NULL)
            err = nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    }
    if (err != NB_OK)
        nb__store_close(out);
    return err;
}

void nb__store_close(nb__store *store)
{
    nb__symbols_free(store->symbols);
    nb__symbols_free(store->day);
    nb__master_fini(&store->master);
    *store = (nb__store){0};
}

bool nb__store_is_night(const nb__store *store, const nb__instrument *row)
{
    return (size_t)(row - store->master.rows) < store->night_count;
}

bool nb__store_is_day(const nb__store *store, const nb__instrument *row)
{
    return nb__symbols_find(store->day, nb__span(row->code)) != NULL;
}
