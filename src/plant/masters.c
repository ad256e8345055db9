/* SPDX-License-Identifier: Apache-2.0 */
/* The master files of the feed's server: GET /common/master/NAME.mst.zip, as KIS's download server
 * has them. They are kept as they came, and the master is read from all that are kept. */
#include "masters.h"
#include <stdio.h>
#include <string.h>

#define ZIP_MAX ((size_t)16 << 20)
#define FILE_MAX ((size_t)64 << 20)
#define TIMEOUT_NS (10 * NB__NS_PER_S)

static nb_err read_zip(const nb__master_fetch *file, nb__master *master)
{
    nb_error error = {0};
    nb__text content = {0};
    nb_err err = nb__zip_read(nb__text_view(&file->zip), FILE_MAX, &content, &error);
    if (err == NB_OK)
        err = nb__master_parse(file->kind, nb__text_view(&content), master, &error);
    nb__text_fini(&content);
    if (err != NB_OK)
        nb__log(NB__LOG_WARN, "master",
                "%s from port %u: %s\nits codes are not registered by nightbook itself",
                nb__master_file_name(file->kind), (unsigned)file->masters->address.port,
                error.detail);
    return err;
}

/* No request is under way any more: what came takes effect. */
static void settle(nb__masters *masters)
{
    nb__master master = {0};
    bool is_answered = true;
    for (size_t i = 0; i < NB__MASTER_FILES; i++) {
        nb__master_fetch *file = &masters->files[i];
        is_answered &= file->is_answered;
        if (file->zip.size_bytes > 0 && read_zip(file, &master) != NB_OK)
            nb__text_fini(&file->zip);
    }
    if (master.count > 0) {
        nb__master_fini(&masters->master);
        masters->master = master;
        masters->loaded(masters->self);
    } else if (is_answered) {
        nb__log(NB__LOG_INFO, "master",
                "the feed offers no master files: only codes that clients ask for are registered");
    }
}

static void fetched(void *self, int status, const nb__http_message *answer, const nb_error *error)
{
    nb__master_fetch *file = self;
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
        settle(masters);
}

void nb__masters_init(nb__masters *masters, nb__loop *loop, const nb__address *feed,
                      void (*loaded)(void *), void *self)
{
    *masters = (nb__masters){.loop = loop, .address = *feed, .loaded = loaded, .self = self};
    masters->address.is_ws = false;
    static const nb__master_kind kinds[NB__MASTER_FILES] = {NB__MASTER_EUREX, NB__MASTER_CME};
    for (size_t i = 0; i < NB__MASTER_FILES; i++)
        masters->files[i] = (nb__master_fetch){.masters = masters, .kind = kinds[i]};
}

static void fetch(nb__masters *masters, nb__master_fetch *file)
{
    nb_error error = {0};
    snprintf(masters->address.path, sizeof masters->address.path, NB__MASTER_FOLDER "%s.zip",
             nb__master_file_name(file->kind));
    if (nb__fetch_start(masters->loop, "GET", &masters->address, "", NB__SPAN(""), ZIP_MAX,
                        TIMEOUT_NS, fetched, file, &file->fetch, &error) == NB_OK)
        masters->under_way++;
    else
        nb__log(NB__LOG_WARN, "master", "%s: %s", nb__master_file_name(file->kind), error.detail);
}

void nb__masters_start(nb__masters *masters, int night)
{
    if (masters->under_way > 0)
        return;
    bool is_new = night != masters->night;
    masters->night = night;
    for (size_t i = 0; i < NB__MASTER_FILES; i++)
        if (is_new || !masters->files[i].is_answered)
            fetch(masters, &masters->files[i]);
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
    for (size_t i = 0; i < NB__MASTER_FILES; i++) {
        if (masters->files[i].fetch != NULL)
            nb__fetch_cancel(masters->files[i].fetch);
        nb__text_fini(&masters->files[i].zip);
    }
    nb__master_fini(&masters->master);
    *masters = (nb__masters){0};
}
