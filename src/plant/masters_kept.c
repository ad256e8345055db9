/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masters in a directory: NAME.mst.zip, each the last good copy.
 *
 *     a copy is fresh     while it was written after this night's fetch time (some minutes before
 *                         the links open), or between nights less than a day ago
 *     a download          is parsed whole before it replaces the copy, atomically; what is broken
 *                         or cut is refused whole, told, and the last good copy stays
 *     a failure           is tried again after 1, 2, 4 … 60 minutes
 *     another program     (nightbook symbols update) may replace a copy: it is read again
 *
 * Looked at once a minute of real time, so that a clock that was set or a machine that slept
 * changes nothing.
 */
#include "masters.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LOOK_NS (60 * NB__NS_PER_S)
#define AHEAD_MIN_NS (900 * NB__NS_PER_S) /* 17:35; links open at 17:45 */
#define AHEAD_SPREAD_S 300                /* not all of the world's nightbooks at once */
#define PAUSE_MIN_NS (60 * NB__NS_PER_S)
#define PAUSE_MAX_NS (3600 * NB__NS_PER_S)
#define FETCH_TIMEOUT_NS (60 * NB__NS_PER_S)
#define FILE_MODE 0644

static void print_path(const nb__masters *masters, const nb__master_file *file, char out[512])
{
    snprintf(out, 512, "%s/%s.zip", masters->directory, nb__master_file_name(file->kind));
}

/* When the copy was written; 0: there is none. */
static int64_t written_ns(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return 0;
    return (int64_t)info.st_mtim.tv_sec * NB__NS_PER_S + info.st_mtim.tv_nsec;
}

static void print_copy(const nb__master_file *file, char out[96])
{
    char when[40];
    if (file->zip.size_bytes == 0) {
        snprintf(out, 96, "there is no copy of it");
        return;
    }
    nb__kst_print(when, file->kept_ns, 0);
    snprintf(out, 96, "the copy of %.16s stays in use", when);
}

/* ---- copies ---- */

/* A copy that is new to us. @return whether it is a good one. */
static bool read_copy(nb__masters *masters, nb__master_file *file)
{
    char path[512];
    print_path(masters, file, path);
    int64_t at_ns = written_ns(path);
    if (at_ns == 0 || at_ns == file->seen_ns)
        return false;
    file->seen_ns = at_ns;
    nb_error error = {0};
    nb__text zip = {0};
    nb__master scratch = {0};
    nb_err err = nb__file_read(path, NB__MASTER_ZIP_MAX, &zip, &error);
    if (err == NB_OK)
        err = nb__masters_read(file->kind, nb__text_view(&zip), &scratch, &error);
    nb__master_fini(&scratch);
    if (err != NB_OK) {
        nb__log(NB__LOG_WARN, "master", "%s is refused whole: %s\nit is fetched anew", path,
                error.detail);
        nb__text_fini(&zip);
        return false;
    }
    nb__text_fini(&file->zip);
    file->zip = zip;
    file->kept_ns = at_ns;
    return true;
}

static void keep(nb__masters *masters, nb__master_file *file, nb_span zip)
{
    char path[512];
    nb_error error = {0};
    nb__text copy = {0};
    nb__text_append(&copy, zip.data, zip.size_bytes);
    if (copy.is_failed) {
        nb__text_fini(&copy);
        return;
    }
    nb__text_fini(&file->zip);
    file->zip = copy;
    file->kept_ns = nb__clock_real_ns();
    print_path(masters, file, path);
    if (nb__file_write(path, zip, FILE_MODE, &error) == NB_OK) {
        file->kept_ns = file->seen_ns = written_ns(path);
        return;
    }
    nb__log(NB__LOG_WARN, "master",
            "%s\nthe new file is used now, but is not there after a restart without a network",
            error.detail);
    masters->disk(masters->self, error.detail);
}

/* ---- downloads ---- */

static void failed(nb__master_file *file, const char *why)
{
    nb__masters *masters = file->masters;
    file->pause_ns = file->pause_ns == 0 ? PAUSE_MIN_NS : 2 * file->pause_ns;
    if (file->pause_ns > PAUSE_MAX_NS)
        file->pause_ns = PAUSE_MAX_NS;
    file->retry_ns = nb__loop_mono_ns(masters->loop) + file->pause_ns;
    if (strcmp(file->told, why) == 0) /* once a cause */
        return;
    char copy[96];
    print_copy(file, copy);
    snprintf(file->told, sizeof file->told, "%s", why);
    nb__log(NB__LOG_WARN, "master",
            "%s from %s: %s; %s\ntried again in %lld min, then less often; or fetch it yourself: "
            "nightbook symbols update --from FILE",
            nb__master_file_name(file->kind), masters->source.host, file->told, copy,
            (long long)(file->pause_ns / (60 * NB__NS_PER_S)));
}

static void downloaded(void *self, const nb__https_answer *answer)
{
    nb__master_file *file = self;
    nb__masters *masters = file->masters;
    nb_error error = {0};
    nb__master scratch = {0};
    char words[32];
    file->https = NULL;
    snprintf(words, sizeof words, "HTTP %d", answer->status);
    if (answer->status == 0)
        failed(file, answer->error.detail);
    else if (answer->status != 200)
        failed(file, words);
    else if (nb__masters_read(file->kind, answer->body, &scratch, &error) != NB_OK)
        failed(file, error.detail);
    else {
        nb__log(NB__LOG_INFO, "master", "%s: %zu codes, fetched", nb__master_file_name(file->kind),
                scratch.count);
        file->pause_ns = 0;
        file->told[0] = '\0';
        keep(masters, file, answer->body);
        nb__masters_settle(masters);
    }
    nb__master_fini(&scratch);
}

static void download(nb__masters *masters, nb__master_file *file)
{
    nb_error error = {0};
    nb__address address = masters->source;
    size_t size = strlen(address.path);
    bool has_slash = size > 0 && address.path[size - 1] == '/';
    snprintf(address.path + size, sizeof address.path - size, "%s%s.zip", has_slash ? "" : "/",
             nb__master_file_name(file->kind));
    const nb__https_request request = {.method = "GET",
                                       .address = &address,
                                       .ca_file = masters->ca_file,
                                       .body_max_bytes = NB__MASTER_ZIP_MAX,
                                       .timeout_ns = FETCH_TIMEOUT_NS};
    if (nb__https_start(masters->loop, &request, downloaded, file, &file->https, &error) != NB_OK)
        failed(file, error.detail);
}

/* ---- when ---- */

/* Copies written before this are not this night's. */
static int64_t fresh_since_ns(const nb__masters *masters, int64_t now_ns)
{
    nb_night night = nb_night_at(masters->calendar, now_ns);
    if (night.receipt_ns != NB_TIME_UNDEF && now_ns >= night.receipt_ns - masters->ahead_ns)
        return night.receipt_ns - masters->ahead_ns;
    return now_ns - NB__NS_PER_DAY;
}

static void look(nb__masters *masters)
{
    int64_t now_ns = nb__clock_real_ns(), now_mono_ns = nb__clock_mono_ns();
    int64_t since_ns = fresh_since_ns(masters, now_ns);
    bool is_new = false;
    for (size_t i = 0; i < NB__MASTER_FILES; i++) {
        nb__master_file *file = &masters->files[i];
        is_new |= read_copy(masters, file);
        bool is_fresh = file->kept_ns >= since_ns && file->kept_ns <= now_ns + NB__NS_PER_DAY;
        if (!is_fresh && file->https == NULL && now_mono_ns >= file->retry_ns &&
            masters->source.host[0] != '\0')
            download(masters, file);
    }
    if (is_new)
        nb__masters_settle(masters);
    nb__timer_set(masters->loop, &masters->timer, now_mono_ns + LOOK_NS);
}

static void timer_fired(nb__timer *timer, int64_t now_mono_ns)
{
    (void)now_mono_ns;
    look((nb__masters *)((char *)timer - offsetof(nb__masters, timer)));
}

/* In the loop's first turn: who is told of the master is not made yet. */
void nb__kept_begin(nb__masters *masters)
{
    uint64_t spread;
    nb__random_bytes(&spread, sizeof spread);
    masters->ahead_ns = AHEAD_MIN_NS + (int64_t)(spread % AHEAD_SPREAD_S) * NB__NS_PER_S;
    masters->timer.fire = timer_fired;
    nb__timer_set(masters->loop, &masters->timer, nb__clock_mono_ns());
}

void nb__kept_end(nb__masters *masters)
{
    if (masters->directory[0] == '\0')
        return;
    nb__timer_cancel(masters->loop, &masters->timer);
    for (size_t i = 0; i < NB__MASTER_FILES; i++)
        if (masters->files[i].https != NULL)
            nb__https_cancel(masters->files[i].https);
}
