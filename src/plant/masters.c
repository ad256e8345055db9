/* SPDX-License-Identifier: Apache-2.0 */
/* The master files of the feed's server: GET /common/master/NAME.mst.zip, as KIS's download server
 * has them. They are kept as they came, and the master is read from all that are there. */
#include "masters.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)64 << 20)
#define TIMEOUT_NS (10 * NB__NS_PER_S)

/* ---- from files to the master ---- */

nb_err nb__masters_read(nb__master_kind kind, nb_span zip, nb__master *master, nb_error *error)
{
    nb__text content = {0};
    nb_err err = nb__zip_read(zip, FILE_MAX, &content, error);
    if (err == NB_OK)
        err = nb__master_parse(kind, nb__text_view(&content), master, error);
    nb__text_fini(&content);
    return err;
}

static void read_file(nb__master_file *file, nb__master *master)
{
    nb_error error = {0};
    if (file->zip.size_bytes == 0 ||
        nb__masters_read(file->kind, nb__text_view(&file->zip), master, &error) == NB_OK)
        return;
    nb__text_fini(&file->zip);
    nb__log(NB__LOG_WARN, "master", "%s: %s\nits codes are not registered by nightbook itself",
            nb__master_file_name(file->kind), error.detail);
}

/* The new one takes the place of the old one; who borrowed that is told before it goes. */
static void replace(nb__masters *masters, nb__master *master)
{
    nb__master *old_master = masters->master;
    nb__symbols *old_symbols = masters->symbols;
    masters->master = master;
    masters->symbols = nb__symbols_new(master);
    masters->loaded(masters->self);
    nb__symbols_free(old_symbols);
    nb__master_fini(old_master);
    free(old_master);
}

void nb__masters_settle(nb__masters *masters)
{
    nb__master *master = calloc(1, sizeof *master);
    if (master == NULL)
        return;
    for (size_t i = 0; i < NB__MASTER_FILES; i++) {
        nb__master_file *file = &masters->files[i];
        if (file->kind != NB__MASTER_INDEX || master->count == 0)
            read_file(file, master);
    }
    if (master->count > 0) {
        replace(masters, master);
        return;
    }
    nb__master_fini(master);
    free(master);
}

/* ---- from the feed's server ---- */

/* No request is under way any more: what came takes effect. */
static void all_fetched(nb__masters *masters)
{
    bool has_file = false, is_answered = true;
    for (size_t i = 0; i < NB__MASTER_FILES; i++) {
        const nb__master_file *file = &masters->files[i];
        is_answered &= file->is_answered || file->kind == NB__MASTER_INDEX;
        has_file |= file->zip.size_bytes > 0;
    }
    if (has_file)
        nb__masters_settle(masters);
    else if (is_answered)
        nb__log(NB__LOG_INFO, "master",
                "the feed offers no master files: only codes that clients ask for are registered");
}

static void fetched(void *self, int status, const nb__http_message *answer, const nb_error *error)
{
    nb__master_file *file = self;
    nb__masters *masters = file->masters;
    file->fetch = NULL;
    file->is_answered = status != 0;
    if (status == 200) {
        nb__text_fini(&file->zip);
        nb__text_append(&file->zip, answer->body.data, answer->body.size_bytes);
        if (file->zip.is_failed)
            nb__text_fini(&file->zip);
    } else if (status == 0) {
        nb__log(NB__LOG_WARN, "master", "%s: %s; fetched again when the link comes up",
                nb__master_file_name(file->kind), error->detail);
    }
    if (--masters->under_way == 0)
        all_fetched(masters);
}

static void fetch(nb__masters *masters, nb__master_file *file)
{
    nb_error error = {0};
    snprintf(masters->address.path, sizeof masters->address.path, NB__MASTER_FOLDER "%s.zip",
             nb__master_file_name(file->kind));
    if (nb__fetch_start(masters->loop, "GET", &masters->address, "", NB__SPAN(""),
                        NB__MASTER_ZIP_MAX, TIMEOUT_NS, fetched, file, &file->fetch,
                        &error) == NB_OK)
        masters->under_way++;
    else
        nb__log(NB__LOG_WARN, "master", "%s: %s", nb__master_file_name(file->kind), error.detail);
}

void nb__masters_link_up(nb__masters *masters, int night)
{
    if (masters->under_way > 0 || masters->address.host[0] == '\0')
        return;
    bool is_new = night != masters->night;
    masters->night = night;
    for (size_t i = 0; i < NB__MASTER_FILES; i++) {
        nb__master_file *file = &masters->files[i];
        if (file->kind != NB__MASTER_INDEX && (is_new || !file->is_answered))
            fetch(masters, file);
    }
}

/* ---- the door ---- */

nb_err nb__masters_init(nb__masters *masters, nb__loop *loop, const nb__plant_config *config,
                        const nb__address *server, nb_error *error)
{
    static const nb__master_kind kinds[NB__MASTER_FILES] = {NB__MASTER_EUREX, NB__MASTER_CME,
                                                            NB__MASTER_INDEX};
    masters->loop = loop;
    masters->calendar = config->calendar;
    masters->master = calloc(1, sizeof *masters->master);
    if (masters->master == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    for (size_t i = 0; i < NB__MASTER_FILES; i++)
        masters->files[i] = (nb__master_file){.masters = masters, .kind = kinds[i]};
    if (config->master_directory == NULL) {
        if (server != NULL)
            masters->address = *server;
        masters->address.is_ws = false;
        return NB_OK;
    }
    if (!nb__span_copy(nb__span(config->master_directory), masters->directory,
                       sizeof masters->directory))
        return nb__fail(error, NB_E_ARGUMENT, 0, "the master directory's name is too long");
    masters->source = config->master_address;
    nb_err err = nb__directory_make(masters->directory, error);
    if (err == NB_OK)
        nb__kept_begin(masters);
    return err;
}

nb_span nb__masters_zip(const nb__masters *masters, nb_span name)
{
    static const char ending[] = ".zip";
    size_t size = sizeof ending - 1;
    if (name.size_bytes < size || memcmp(name.data + name.size_bytes - size, ending, size) != 0)
        return (nb_span){0};
    name.size_bytes -= size;
    for (size_t i = 0; i < NB__MASTER_FILES; i++)
        if (nb__span_is(name, nb__master_file_name(masters->files[i].kind)))
            return nb__text_view(&masters->files[i].zip);
    return (nb_span){0};
}

void nb__masters_fini(nb__masters *masters)
{
    if (masters->master == NULL)
        return;
    nb__kept_end(masters);
    for (size_t i = 0; i < NB__MASTER_FILES; i++) {
        if (masters->files[i].fetch != NULL)
            nb__fetch_cancel(masters->files[i].fetch);
        nb__text_fini(&masters->files[i].zip);
    }
    nb__symbols_free(masters->symbols);
    nb__master_fini(masters->master);
    free(masters->master);
    *masters = (nb__masters){0};
}
