/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a night for its report: lines of the recording, evidence beside it, sizes on disk. */
#include "report_night.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVIDENCE_MAX ((size_t)4 << 20)
#define PREFIX "evidence-"
#define SUFFIX ".json"
#define DATE_BYTES 8         /* YYYYMMDD */
#define STOP_LINES 65536     /* looked for so often */
#define DAMAGES_READ_MAX 100 /* of a recording that is nothing but damage */
#define FILE_MODE 0600

/* ---- evidence ---- */

typedef struct finding {
    nb__evidence_files *files;
    int wanted;
} finding;

/* `evidence-YYYYMMDD….json`: its date; 0: none of ours. */
static int evidence_date(const char *name)
{
    size_t size = strlen(name), head = sizeof PREFIX - 1, tail = sizeof SUFFIX - 1;
    uint64_t date = 0;
    bool is_ours = size >= head + DATE_BYTES + tail && size < 256 &&
                   strncmp(name, PREFIX, head) == 0 && strcmp(name + size - tail, SUFFIX) == 0 &&
                   nb__span_to_u64((nb_span){name + head, DATE_BYTES}, &date) &&
                   nb__date_is_valid((int)date);
    return is_ours ? (int)date : 0;
}

static void take_file(void *self, const nb__disk_entry *entry)
{
    finding *f = self;
    nb__evidence_files *files = f->files;
    int date = evidence_date(entry->name);
    if (date == 0 || (f->wanted != 0 && date != f->wanted) || date < files->date)
        return;
    if (date > files->date) {
        files->date = date;
        files->count = files->left_out = 0;
    }
    if (files->count < NB__EVIDENCE_PARTS_MAX)
        snprintf(files->names[files->count++], sizeof files->names[0], "%s", entry->name);
    else
        files->left_out++;
}

static int by_name(const void *a, const void *b)
{
    return strverscmp(a, b); /* part 10 after part 9 */
}

nb_err nb__evidence_find(const char *directory, int date, nb__evidence_files *out, nb_error *error)
{
    finding f = {out, date};
    out->date = 0;
    out->count = out->left_out = 0;
    if (!nb__span_copy(nb__span(directory), out->directory, sizeof out->directory))
        return nb__fail(error, NB_E_LIMIT, 0, "%.150s: the path is too long", directory);
    nb_err err = nb__disk_list(directory, take_file, &f, error);
    if (err != NB_OK && err != NB_E_NOT_FOUND)
        return err;
    qsort(out->names, out->count, sizeof out->names[0], by_name);
    return NB_OK;
}

nb_err nb__evidence_read(const nb__evidence_files *files, size_t index, nb__text *out,
                         nb_error *error)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", files->directory, files->names[index]) >=
        sizeof path)
        return nb__fail(error, NB_E_LIMIT, 0, "%.150s: the path is too long", files->directory);
    return nb__file_read(path, EVIDENCE_MAX, out, error);
}

/* Evidence that cannot be read, or is another feed's, is left out: the recording says more. */
static void add_evidence(nb__nightly *nightly, const char *directory, int date)
{
    nb__evidence_files *files = calloc(1, sizeof *files);
    if (files != NULL && nb__evidence_find(directory, date, files, NULL) == NB_OK)
        for (size_t i = 0; i < files->count; i++) {
            nb__text json = {0};
            if (nb__evidence_read(files, i, &json, NULL) == NB_OK)
                (void)nb__nightly_evidence(nightly, nb__text_view(&json), NULL);
            nb__text_fini(&json);
        }
    free(files);
}

/* ---- the recording ---- */

static void measure(nb__nightly *nightly, const char *path, uint64_t text_bytes)
{
    nb__nightly_disk disk = {.text_bytes = text_bytes};
    nb__catalogue catalogue;
    if (nb__catalogue_read(path, &catalogue, NULL) != NB_OK)
        return;
    for (size_t i = 0; i < catalogue.count; i++) {
        disk.segments++;
        disk.packed_segments += catalogue.segments[i].is_packed;
        disk.plain_bytes += catalogue.segments[i].plain_bytes;
        disk.packed_bytes += catalogue.segments[i].packed_bytes;
    }
    nb__catalogue_fini(&catalogue);
    nb__nightly_set_disk(nightly, &disk);
}

static nb_err read_lines(nb__nightly *nightly, nb__recording *recording, const volatile bool *stop,
                         nb_error *error)
{
    nb__entry entry;
    nb_error damage;
    uint64_t lines = 0, damages = 0;
    for (;;) {
        nb__recording_step step = nb__recording_next(recording, &entry, &damage);
        if (step == NB__RECORDING_END)
            return NB_OK;
        if (step == NB__RECORDING_DAMAGE) {
            if (damages++ < DAMAGES_READ_MAX)
                nb__nightly_damage(nightly, damage.detail);
            continue;
        }
        const nb__nightly_line line = {.recv_ns = entry.line.recv_ns,
                                       .session_ns = entry.session_ns,
                                       .link = entry.line.link,
                                       .kind = entry.line.kind,
                                       .message = entry.message,
                                       .from = entry.link};
        nb__nightly_feed(nightly, &line);
        if (++lines % STOP_LINES == 0 && stop != NULL && *stop)
            return nb__fail(error, NB_E_CLOSED, 0, "ended before the recording was read");
    }
}

static nb_err read_recording(const char *path, const nb_calendar *calendar,
                             const volatile bool *stop, nb__nightly **out, nb_error *error)
{
    nb__recording *recording = NULL;
    nb_err err = nb__recording_open(path, &recording, error);
    if (err != NB_OK)
        return err;
    *out = nb__nightly_new(calendar, nb__recording_night(recording));
    err = *out == NULL ? nb__fail(error, NB_E_MEMORY, 0, "no memory for a report")
                       : read_lines(*out, recording, stop, error);
    if (err == NB_OK)
        measure(*out, path, nb__recording_count(recording).plain_bytes);
    nb__recording_close(recording);
    return err;
}

nb_err nb__report_night(const char *path, const char *evidence_directory, int date,
                        const nb_calendar *calendar, const volatile bool *stop, nb__nightly **out,
                        nb_error *error)
{
    nb__nightly *nightly = NULL;
    nb_err err = NB_OK;
    if (path != NULL)
        err = read_recording(path, calendar, stop, &nightly, error);
    else if ((nightly = nb__nightly_new(calendar, date)) == NULL)
        err = nb__fail(error, NB_E_MEMORY, 0, "no memory for a report");
    if (err != NB_OK) {
        nb__nightly_free(nightly);
        return err;
    }
    date = path != NULL ? nb__nightly_trade_date(nightly) : date;
    if (evidence_directory != NULL && date != NB_DATE_UNDEF)
        add_evidence(nightly, evidence_directory, date);
    nb__nightly_end(nightly);
    *out = nightly;
    return NB_OK;
}

/* ---- files ---- */

nb_err nb__report_write(const nb__nightly *nightly, const char *directory, nb_error *error)
{
    static const struct {
        const char *name;
        void (*print)(const nb__nightly *nightly, nb__text *out);
    } files[] = {{"report.json", nb__nightly_print_json},
                 {"report.txt", nb__nightly_print_text},
                 {"report.html", nb__nightly_print_html}};
    nb_err err = NB_OK;
    for (size_t i = 0; err == NB_OK && i < NB__COUNT_OF(files); i++) {
        char path[PATH_MAX];
        nb__text text = {0};
        files[i].print(nightly, &text);
        if (text.is_failed)
            err = nb__fail(error, NB_E_MEMORY, 0, "no memory for %s", files[i].name);
        else if ((size_t)snprintf(path, sizeof path, "%s/%s", directory, files[i].name) >=
                 sizeof path)
            err = nb__fail(error, NB_E_LIMIT, 0, "%.150s: the path is too long", directory);
        else
            err = nb__file_write(path, nb__text_view(&text), FILE_MODE, error);
        nb__text_fini(&text);
    }
    return err;
}
