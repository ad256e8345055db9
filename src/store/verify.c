/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One segment against its own sums and hashes, and against its predecessor.
 *
 * Of two files of a segment the packed one is judged when it is good, else the plain one, as
 * readers do. The chain: a start mark names the segment before it, with size and hash of its plain
 * bytes as the recorder left them; what a repair changed since says so in its own mark.
 */
#include "care.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAMAGES_MAX 1000

/* Another clause about the file as a whole. */
static void NB__PRINTF(2, 3) add_words(nb__verify_report *report, const char *format, ...)
{
    size_t size = strlen(report->words);
    if (size > 0 && size + 2 < sizeof report->words)
        size += (size_t)snprintf(report->words + size, sizeof report->words - size, "; ");
    va_list args;
    va_start(args, format);
    vsnprintf(report->words + size, sizeof report->words - size, format, args);
    va_end(args);
}

/* ---- its own bytes ---- */

static nb_err keep_damages(const survey *s, nb__verify_report *report, nb_error *error)
{
    size_t count = s->hole_count < DAMAGES_MAX ? s->hole_count : DAMAGES_MAX;
    if (count == 0)
        return NB_OK;
    report->damages = calloc(count, sizeof *report->damages);
    if (report->damages == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    for (size_t i = 0; i < count; i++)
        report->damages[i] = s->holes[i].damage;
    report->damage_count = count;
    return NB_OK;
}

/* A torn tail is what a recorder that was killed leaves, or one that writes: no loss of ours, until
 * something follows it. */
static bool has_damage(const survey *s, const nb__segment *segment)
{
    if (s->hole_count == 0)
        return false;
    const hole *last = &s->holes[s->hole_count - 1];
    return s->hole_count > 1 || last->damage.kind != NB__DAMAGE_TORN || !care_is_newest(segment);
}

/* @return what survey_file() said; the report is filled when that is NB_OK. */
static nb_err look_at(const nb__segment *segment, bool is_packed, nb__verify_report *report,
                      nb_error *error)
{
    char path[NB__STORE_PATH_MAX];
    survey s;
    nb__segment_path(segment, is_packed, path);
    if (path[0] == '\0')
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.100s…: the path is too long",
                        segment->directory);
    nb_err err = survey_file(path, is_packed, &s, error);
    if (err != NB_OK)
        return err;
    free(report->damages);
    report->damages = NULL;
    report->damage_count = 0;
    report->findings = s.findings;
    report->is_packed_good = is_packed && s.is_packed_good;
    report->is_good = !has_damage(&s, segment) && (!is_packed || s.is_packed_good);
    if (s.words[0] != '\0')
        add_words(report, "%s", s.words);
    err = keep_damages(&s, report, error);
    survey_fini(&s);
    return err;
}

/* What cannot be read is a finding; only what ends all checking is an error. */
static nb_err settle(nb_err err, const nb_error *why, nb__verify_report *report, nb_error *error)
{
    if (err == NB_OK)
        return NB_OK;
    if (err == NB_E_VERSION || err == NB_E_MEMORY || err == NB_E_ARGUMENT) {
        if (error != NULL)
            *error = *why;
        return err;
    }
    report->is_good = false;
    if (err == NB_E_SYSTEM && why->offset_bytes > 0)
        add_words(report, "from byte %zu on: %s", why->offset_bytes, why->detail);
    else
        add_words(report, "%s", why->detail);
    return NB_OK;
}

static nb_err look_at_both(const nb__segment *segment, nb__verify_report *report, nb_error *error)
{
    nb_error why = {0};
    nb_err err = look_at(segment, true, report, &why);
    if (err == NB_OK && report->is_good) {
        add_words(report, "the plain file beside the packed one is left from a pack that was "
                          "interrupted: nightbook journal pack removes it");
        return NB_OK;
    }
    if (err != NB_OK)
        add_words(report, "%.100s", why.detail);
    err = look_at(segment, false, report, &why);
    if (err == NB_OK) {
        report->is_good = false;
        add_words(report, "the packed file is not good, and the plain one beside it is read");
    }
    return settle(err, &why, report, error);
}

/* ---- the chain ---- */

static void break_chain(nb__verify_report *report)
{
    report->is_good = false;
}

static bool is_same(const nb__journal_after *after, uint64_t size_bytes, uint64_t xxh3)
{
    return after->size_bytes == size_bytes && after->xxh3 == xxh3;
}

/* The one before is there: is it the one that was named? */
static void check_follower(const nb__verify_report *before, nb__verify_report *report)
{
    const nb__journal_after *after = &report->findings.start.after;
    const nb__journal_findings *is = &before->findings;
    if (is_same(after, is->size_bytes, is->xxh3) ||
        (is->is_repaired && is_same(after, is->was.size_bytes, is->was.xxh3)))
        return;
    if (!before->is_good) { /* it cannot be, and that is told there */
        add_words(report, "%s, which it follows, is damaged", after->segment);
        return;
    }
    break_chain(report);
    add_words(report,
              "it follows a %s of %" PRIu64 " bytes, xxh3 %016" PRIx64
              "; the one there has %" PRIu64 " bytes, xxh3 %016" PRIx64,
              after->segment, after->size_bytes, after->xxh3, is->size_bytes, is->xxh3);
}

/* `name`.log of a night: lies one of its files in the journal? */
static bool is_there(const nb__segment *segment, int night, uint32_t number, bool *has_night)
{
    nb__segment other = {.night = night, .number = number};
    nb__disk_entry entry;
    char path[NB__STORE_PATH_MAX];
    int size = night == segment->night
                   ? snprintf(other.directory, sizeof other.directory, "%s", segment->directory)
                   : snprintf(other.directory, sizeof other.directory, "%s/../%08d",
                              segment->directory, night);
    *has_night = size >= 0 && (size_t)size < sizeof other.directory &&
                 nb__disk_stat(other.directory, &entry, NULL) == NB_OK;
    for (int is_packed = 0; *has_night && is_packed < 2; is_packed++) {
        nb__segment_path(&other, is_packed != 0, path);
        if (path[0] != '\0' && nb__disk_stat(path, &entry, NULL) == NB_OK)
            return true;
    }
    return false;
}

/* The one before it in the list is not the one that it names. */
static void check_absent(const nb__segment *segment, const nb__verify_report *before,
                         nb__verify_report *report)
{
    const char *name = report->findings.start.after.segment;
    char file[NB__JOURNAL_NAME_BYTES + 8];
    int night;
    uint32_t number;
    bool has_night;
    snprintf(file, sizeof file, "%s.log", name);
    if (nb__journal_name_parse(nb__span(file), &night, &number) != NB__JOURNAL_FILE_PLAIN) {
        break_chain(report);
        add_words(report, "its start mark names no segment as the one before it");
    } else if (is_there(segment, night, number, &has_night)) {
        if (before != NULL) {
            break_chain(report);
            add_words(report, "it follows %s, but something else stands before it", name);
        }
    } else if (has_night || night == segment->night) {
        break_chain(report);
        add_words(report, "%s, which it follows, is missing", name);
    } else {
        add_words(report, "%s, which it follows, is of a night that is not there any more", name);
    }
}

/* Its start mark is lost: numbers are what is left. */
static void check_numbers(const nb__segment *segment, const nb__verify_report *before,
                          nb__verify_report *report)
{
    bool is_next = before != NULL && before->segment.night == segment->night;
    uint32_t first = is_next ? before->segment.number + 1 : 1;
    char from[NB__JOURNAL_NAME_BYTES], to[NB__JOURNAL_NAME_BYTES];
    if (before == NULL || segment->number <= first)
        return;
    nb__journal_name_print(from, segment->night, first);
    nb__journal_name_print(to, segment->night, segment->number - 1);
    break_chain(report);
    if (segment->number - 1 == first)
        add_words(report, "%s is missing", from);
    else
        add_words(report, "%s to %s are missing", from, to);
}

static void check_chain(const nb__segment *segment, const nb__verify_report *before,
                        nb__verify_report *report)
{
    const nb__journal_start *start = &report->findings.start;
    char name[NB__JOURNAL_NAME_BYTES], last[NB__JOURNAL_NAME_BYTES] = "";
    nb__journal_name_print(name, segment->night, segment->number);
    if (before != NULL)
        nb__journal_name_print(last, before->segment.night, before->segment.number);
    if (!report->findings.has_start) {
        check_numbers(segment, before, report);
    } else if (strcmp(start->segment, name) != 0) {
        break_chain(report);
        add_words(report, "its start mark says that it is %s", start->segment);
    } else if (start->after.segment[0] == '\0') {
        if (before != NULL)
            add_words(report, "it names no segment before it, though %s is there", last);
    } else if (before != NULL && strcmp(start->after.segment, last) == 0) {
        check_follower(before, report);
    } else {
        check_absent(segment, before, report);
    }
}

static nb_err look(const nb__segment *segment, nb__verify_report *report, nb_error *error)
{
    nb_error why = {0}, packed_why = {0};
    if (segment->is_plain && segment->is_packed)
        return look_at_both(segment, report, error);
    nb_err err = look_at(segment, segment->is_packed, report, &why);
    if (err == NB_E_NOT_FOUND && !segment->is_packed) { /* packed since it was listed */
        nb_err packed_err = look_at(segment, true, report, &packed_why);
        if (packed_err != NB_E_NOT_FOUND)
            return settle(packed_err, &packed_why, report, error);
    }
    return settle(err, &why, report, error);
}

nb_err nb__verify_segment(const nb__segment *segment, const nb__verify_report *before,
                          nb__verify_report *out, nb_error *error)
{
    nb__verify_report report = {.segment = *segment};
    nb_err err = look(segment, &report, error);
    if (err != NB_OK) {
        nb__verify_fini(&report);
        return err;
    }
    if (report.findings.size_bytes > 0 || report.is_good)
        check_chain(segment, before, &report);
    *out = report;
    return NB_OK;
}

void nb__verify_fini(nb__verify_report *report)
{
    free(report->damages);
    *report = (nb__verify_report){0};
}
