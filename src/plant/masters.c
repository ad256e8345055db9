/* SPDX-License-Identifier: Apache-2.0 */
/* The master files of the feed's server: GET /common/master/NAME.mst.zip, as KIS's download server
 * has them. */
#include "masters.h"
#include <stdio.h>
#include <string.h>

#define ZIP_MAX ((size_t)16 << 20)
#define FILE_MAX ((size_t)64 << 20)
#define TIMEOUT_NS (10 * NB__NS_PER_S)

static nb_err read_zip(nb__masters *masters, nb__master_kind kind, nb_span zip)
{
    nb_error error = {0};
    nb__text content = {0};
    nb_err err = nb__zip_read(zip, FILE_MAX, &content, &error);
    if (err == NB_OK)
        err = nb__master_parse(kind, nb__text_view(&content), &masters->master, &error);
    nb__text_fini(&content);
    if (err != NB_OK)
        nb__log(NB__LOG_WARN, "master",
                "%s from port %u: %s\nits codes are not registered by nightbook itself",
                nb__master_file_name(kind), (unsigned)masters->address.port, error.detail);
    return err;
}

static void settle(nb__masters *masters)
{
    if (masters->under_way > 0)
        return;
    if (masters->master.count > 0) {
        masters->is_settled = true;
        masters->loaded(masters->self);
    } else if (masters->is_settled) {
        nb__log(NB__LOG_INFO, "master",
                "the feed offers no master files: only codes that clients ask for are registered");
    }
}

static void fetched(void *self, int status, const nb__http_message *answer, const nb_error *error)
{
    nb__master_fetch *file = self;
    nb__masters *masters = file->masters;
    file->fetch = NULL;
    masters->under_way--;
    if (status == 200)
        masters->is_settled |= read_zip(masters, file->kind, answer->body) == NB_OK;
    else if (status != 0)
        masters->is_settled = true; /* it answers, and has none: not asked again */
    else
        nb__log(NB__LOG_WARN, "master", "%s: %s; fetched again when the link comes up",
                nb__master_file_name(file->kind), error->detail);
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

void nb__masters_start(nb__masters *masters)
{
    if (masters->is_settled || masters->under_way > 0)
        return;
    for (size_t i = 0; i < NB__MASTER_FILES; i++) {
        nb__master_fetch *file = &masters->files[i];
        nb_error error = {0};
        snprintf(masters->address.path, sizeof masters->address.path, "/common/master/%s.zip",
                 nb__master_file_name(file->kind));
        if (nb__fetch_start(masters->loop, "GET", &masters->address, "", NB__SPAN(""), ZIP_MAX,
                            TIMEOUT_NS, fetched, file, &file->fetch, &error) == NB_OK)
            masters->under_way++;
        else
            nb__log(NB__LOG_WARN, "master", "%s: %s", nb__master_file_name(file->kind),
                    error.detail);
    }
}

void nb__masters_fini(nb__masters *masters)
{
    for (size_t i = 0; i < NB__MASTER_FILES; i++)
        if (masters->files[i].fetch != NULL)
            nb__fetch_cancel(masters->files[i].fetch);
    nb__master_fini(&masters->master);
    *masters = (nb__masters){0};
}
