/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New master files for the store: from KIS's download server, or from a file or directory at hand.
 *
 * A file is taken when it can be read whole and has not lost more than half of its codes: else it
 * is half done, or not what it is named. Until then the copy that is kept stays, so that nothing
 * that fails here costs anything. The files stand alone: one may fail while the others are taken.
 */
#include "cli/cli.h"
#include "https/https.h"
#include "io/io.h"
#include "master_store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TIMEOUT_NS (60 * NB__NS_PER_S)

typedef struct item {
    nb__master_kind kind;
    bool is_wanted;
    nb__address address; /* of a download */
    nb__https *https;    /* NULL: not under way */
    nb__text bytes;
    nb_err err;
    nb_error error;
    struct update *all;
} item;

typedef struct update {
    const nb__store_update *asked;
    nb__loop *loop;
    item items[NB__MASTER_FILES];
    int under_way;
    bool is_unreached; /* a download without any answer */
} update;

/* ---- from a server ---- */

static void take_answer(item *it, const nb__https_answer *answer)
{
    if (answer->status == 0) {
        it->error = answer->error;
        it->err = answer->error.code;
        it->all->is_unreached = true;
    } else if (answer->status != 200) {
        it->err =
            nb__fail(&it->error, NB_E_REFUSED, 0, "the server answers HTTP %d", answer->status);
    } else {
        nb__text_append(&it->bytes, answer->body.data, answer->body.size_bytes);
        if (it->bytes.is_failed)
            it->err = nb__fail(&it->error, NB_E_MEMORY, 0, "memory is exhausted");
    }
    if (it->err != NB_OK)
        nb__fail_in(&it->error, "%s", nb__master_file_name(it->kind));
}

static void fetched(void *self, const nb__https_answer *answer)
{
    item *it = self;
    it->https = NULL;
    take_answer(it, answer);
    if (--it->all->under_way == 0)
        nb__loop_stop(it->all->loop);
}

static nb_err fetch_start(update *u, item *it, nb_error *error)
{
    char url[1024];
    const char *from = u->asked->from;
    bool has_slash = from[strlen(from) - 1] == '/';
    int size = snprintf(url, sizeof url, "%s%s%s.zip", from, has_slash ? "" : "/",
                        nb__master_file_name(it->kind));
    if (size >= (int)sizeof url)
        return nb__fail(error, NB_E_ARGUMENT, 0, "--from: the address is too long");
    nb_err err = nb__address_parse(url, &it->address, error);
    if (err != NB_OK)
        return err;
    const nb__https_request request = {.method = "GET",
                                       .address = &it->address,
                                       .ca_file = u->asked->ca_file,
                                       .body_max_bytes = NB__MASTER_ZIP_MAX,
                                       .timeout_ns = TIMEOUT_NS};
    err = nb__https_start(u->loop, &request, fetched, it, &it->https, error);
    if (err == NB_OK) {
        it->is_wanted = true;
        u->under_way++;
    }
    return err;
}

static nb_err fetch_all(update *u, nb_error *error)
{
    nb_err err = nb__loop_new(&u->loop, error);
    for (size_t i = 0; i < NB__MASTER_FILES && err == NB_OK; i++)
        err = fetch_start(u, &u->items[i], error);
    if (err == NB_OK)
        err = nb__loop_run(u->loop);
    for (size_t i = 0; i < NB__MASTER_FILES; i++)
        if (u->items[i].https != NULL)
            nb__https_cancel(u->items[i].https);
    if (u->loop != NULL)
        nb__loop_free(u->loop);
    return err;
}

/* ---- from files ---- */

static void read_into(item *it, const char *path)
{
    it->is_wanted = true;
    it->err = nb__file_read(path, NB__MASTER_TEXT_MAX, &it->bytes, &it->error);
}

/* A browser's second copy is "fo_cme_code.mst (1).zip": the beginning of the name decides. */
static nb_err read_file(update *u, const char *path, nb_error *error)
{
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
    for (size_t i = 0; i < NB__MASTER_FILES; i++) {
        const char *known = nb__master_file_name(u->items[i].kind);
        if (strncmp(name, known, strcspn(known, ".")) != 0)
            continue;
        read_into(&u->items[i], path);
        return NB_OK;
    }
    return nb__fail(error, NB_E_ARGUMENT, 0,
                    "--from %.80s: a file is known by its name, fo_eurex_code.mst, fo_cme_code.mst "
                    "or fo_idx_code_mts.mst, with or without .zip",
                    path);
}

static nb_err read_directory(update *u, const char *directory, nb_error *error)
{
    size_t found = 0;
    for (size_t i = 0; i < NB__MASTER_FILES; i++) {
        char path[NB__STORE_PATH_MAX];
        struct stat about;
        const char *name = nb__master_file_name(u->items[i].kind);
        snprintf(path, sizeof path, "%s/%s.zip", directory, name);
        if (stat(path, &about) != 0)
            snprintf(path, sizeof path, "%s/%s", directory, name);
        if (stat(path, &about) != 0)
            continue;
        read_into(&u->items[i], path);
        found++;
    }
    if (found > 0)
        return NB_OK;
    return nb__fail(error, NB_E_NOT_FOUND, 0,
                    "--from %.80s: none of fo_eurex_code.mst, fo_cme_code.mst, fo_idx_code_mts.mst "
                    "is in it, packed or not",
                    directory);
}

static nb_err gather(update *u, nb_error *error)
{
    struct stat about;
    const char *from = u->asked->from;
    if (strstr(from, "://") != NULL)
        return fetch_all(u, error);
    if (stat(from, &about) == 0 && S_ISDIR(about.st_mode))
        return read_directory(u, from, error);
    return read_file(u, from, error);
}

/* ---- what came, into the store ---- */

static nb_err write_item(const update *u, item *it, nb_error *error)
{
    char path[NB__STORE_PATH_MAX];
    const char *name = nb__master_file_name(it->kind);
    nb__text zip = {0};
    nb_err err = NB_OK;
    nb__store_path(u->asked->directory, it->kind, path);
    bool is_packed = it->bytes.size_bytes >= 2 && memcmp(it->bytes.data, "PK", 2) == 0;
    if (!is_packed)
        err = nb__zip_write(name, nb__text_view(&it->bytes), &zip, error);
    if (err == NB_OK && (is_packed ? &it->bytes : &zip)->size_bytes > NB__MASTER_ZIP_MAX)
        err = nb__fail(error, NB_E_MASTER, 0, "%s: larger than %zu MiB packed", name,
                       NB__MASTER_ZIP_MAX >> 20); /* it would not be read back */
    if (err == NB_OK)
        err = nb__directory_make(u->asked->directory, error);
    if (err == NB_OK)
        err = nb__file_write(path, nb__text_view(is_packed ? &it->bytes : &zip), 0644, error);
    nb__text_fini(&zip);
    return err;
}

static nb_err store(const update *u, item *it)
{
    nb__master fresh = {0}, kept = {0};
    int64_t written_s;
    nb_error unused;
    nb_err err = it->err;
    if (err == NB_OK)
        err = nb__store_read_bytes(it->kind, nb__text_view(&it->bytes), &fresh, &it->error);
    bool is_short = false;
    nb_err err_kept =
        nb__store_read_file(u->asked->directory, it->kind, &kept, &written_s, &unused);
    if (err == NB_OK) {
        err = nb__master_may_replace(it->kind, &fresh, u->asked->is_forced ? 0 : kept.count,
                                     &it->error);
        is_short = err != NB_OK && nb__master_may_replace(it->kind, &fresh, 0, NULL) == NB_OK;
    }
    if (err == NB_OK)
        err = write_item(u, it, &it->error);
    if (err == NB_OK) {
        printf("%-20s %6zu codes", nb__master_file_name(it->kind), fresh.count);
        if (err_kept == NB_OK)
            printf(", before %zu", kept.count);
        printf("\n");
    } else {
        nb__command_failed("symbols update", &it->error);
        if (err_kept == NB_OK)
            fprintf(stderr, "  the copy that is kept stays: %zu codes%s\n", kept.count,
                    is_short ? "; --force takes a file with fewer" : "");
    }
    nb__master_fini(&fresh);
    nb__master_fini(&kept);
    return err;
}

/* KIS's own script turns the verification of TLS off; what to do when ours fails. */
static void say_other_way(const update *u)
{
    const char *from = u->asked->from;
    fprintf(
        stderr,
        "  What is kept stays. nightbook verifies whom it talks to; KIS's own sample script does "
        "not. Fetch the files\n"
        "  by a browser or `curl -O %s%s%s.zip` (-k skips\n"
        "  the verification: only on a network that you trust), and hand them over:\n"
        "  nightbook symbols update --from FILE|DIR\n",
        from, from[strlen(from) - 1] == '/' ? "" : "/", nb__master_file_name(NB__MASTER_EUREX));
}

static nb_err store_all(update *u)
{
    nb_err first = NB_OK;
    for (size_t i = 0; i < NB__MASTER_FILES; i++) {
        nb_err err = u->items[i].is_wanted ? store(u, &u->items[i]) : NB_OK;
        if (first == NB_OK)
            first = err;
    }
    if (u->is_unreached)
        say_other_way(u);
    return first;
}

int nb__store_update_run(const nb__store_update *asked)
{
    nb_error error;
    update *u = calloc(1, sizeof *u);
    if (u == NULL)
        return NB_CLASS_SYSTEM;
    u->asked = asked;
    for (size_t i = 0; i < NB__MASTER_FILES; i++) {
        u->items[i].all = u;
        u->items[i].kind = nb__master_kinds[i];
    }
    nb_err err = gather(u, &error);
    if (err != NB_OK)
        nb__command_failed("symbols update", &error);
    else
        err = store_all(u);
    for (size_t i = 0; i < NB__MASTER_FILES; i++)
        nb__text_fini(&u->items[i].bytes);
    free(u);
    return (int)nb_error_class_of(err);
}
