/* SPDX-License-Identifier: Apache-2.0 */
/* What people write for a journal, a night, a segment, a size. */
#include "configuration.h"
#include "journal_command.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KIB 1024.0

/* What nightbook's own file says. @return NB_E_NOT_FOUND: nothing. */
static nb_err configured(const char *name, char out[NB__STORE_PATH_MAX], nb_error *error)
{
    nb__settings *settings = nb__settings_new();
    if (settings == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    nb_err err = nb__configuration_read(settings, error);
    if (err == NB_OK && !nb__settings_is_given(settings, name))
        err = NB_E_NOT_FOUND;
    const char *text = err == NB_OK ? nb__settings_text(settings, name) : NULL;
    if (err == NB_OK && !nb__span_copy(nb__span(text), out, NB__STORE_PATH_MAX))
        err = nb__fail(error, NB_E_LIMIT, 0, "%.150s: the path is too long", text);
    nb__settings_free(settings);
    return err;
}

nb_err nb__duckdb_default(char out[NB__STORE_PATH_MAX], nb_error *error)
{
    nb_err err = configured("duckdb", out, error);
    if (err == NB_E_NOT_FOUND)
        out[0] = '\0';
    else if (err == NB_OK && out[0] != '/') /* the file is read wherever the user stands */
        err = nb__fail(error, NB_E_CONFIG, 0, "duckdb: %.150s: an absolute path is expected", out);
    return err == NB_E_NOT_FOUND ? NB_OK : err;
}

nb_err nb__state_default(char out[NB__STORE_PATH_MAX], nb_error *error)
{
    nb_err err = configured("state-dir", out, error);
    if (err == NB_E_NOT_FOUND && !nb__xdg_path("state", out, NB__STORE_PATH_MAX))
        out[0] = '\0';
    return err == NB_E_NOT_FOUND ? NB_OK : err;
}

nb_err nb__journal_default(const char *dir, char out[NB__STORE_PATH_MAX], nb_error *error)
{
    static const char name[] = "/journal";
    if (dir != NULL)
        return nb__span_copy(nb__span(dir), out, NB__STORE_PATH_MAX)
                   ? NB_OK
                   : nb__fail(error, NB_E_ARGUMENT, 0, "--dir %.60s…: the path is too long", dir);
    nb_err err = configured("journal", out, error);
    if (err == NB_OK && strcmp(out, NB__JOURNAL_NONE) != 0)
        return NB_OK;
    if (err != NB_OK && err != NB_E_NOT_FOUND)
        return err;
    if (!nb__xdg_path("data", out, NB__STORE_PATH_MAX - sizeof name))
        return nb__fail(error, NB_E_ARGUMENT, 0, "HOME is not set: give --dir");
    memcpy(out + strlen(out), name, sizeof name);
    return NB_OK;
}

/* "2026-11-23" or "20261123". */
static bool is_date(const char *text, uint64_t *date)
{
    char digits[16];
    size_t size = strlen(text), count = 0;
    if (size != 8 && (size != 10 || text[4] != '-' || text[7] != '-'))
        return false;
    for (size_t i = 0; i < size; i++)
        if (size == 8 || (i != 4 && i != 7))
            digits[count++] = text[i];
    return nb__span_to_u64((nb_span){digits, count}, date) && nb__date_is_valid((int)*date);
}

static bool exists(const char *path)
{
    nb__disk_entry entry;
    return nb__disk_stat(path, &entry, NULL) == NB_OK;
}

/* A segment by its name, with or without what follows it. */
static bool find_segment(const char *journal, const char *name, char out[NB__STORE_PATH_MAX])
{
    static const char *const endings[] = {".log", ".log.zst"};
    for (size_t i = 0; i < NB__COUNT_OF(endings); i++) {
        char file[64];
        int night;
        uint32_t number;
        int size = snprintf(file, sizeof file, "%.40s%s", name,
                            strchr(name, '.') != NULL ? "" : endings[i]);
        if (size < 0 || strlen(name) > 40 ||
            nb__journal_name_parse(nb__span(file), &night, &number) == NB__JOURNAL_FILE_NONE)
            continue;
        size = snprintf(out, NB__STORE_PATH_MAX, "%s/%08d/%s", journal, night, file);
        if (size > 0 && size < NB__STORE_PATH_MAX && exists(out))
            return true;
    }
    return false;
}

static nb_err fail_no_journal(const char *journal, nb_error *error)
{
    return nb__fail(error, NB_E_NOT_FOUND, 0,
                    "%.120s: there is no journal; `nightbook serve` of a live feed makes one, or "
                    "--dir names another",
                    journal);
}

static nb_err newest(const char *journal, char out[NB__STORE_PATH_MAX], nb_error *error)
{
    nb__catalogue catalogue;
    if (!exists(journal))
        return fail_no_journal(journal, error);
    nb_err err = nb__catalogue_read(journal, &catalogue, error);
    if (err != NB_OK)
        return err;
    memcpy(out, catalogue.segments[catalogue.count - 1].directory, NB__STORE_PATH_MAX);
    nb__catalogue_fini(&catalogue);
    return NB_OK;
}

nb_err nb__journal_place(const char *journal, const char *operand, char out[NB__STORE_PATH_MAX],
                         nb_error *error)
{
    uint64_t date;
    if (!nb__span_copy(nb__span(operand), out, NB__STORE_PATH_MAX))
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.60s…: the path is too long", operand);
    if (exists(out))
        return NB_OK;
    if (strcmp(operand, "last") == 0)
        return newest(journal, out, error);
    if (is_date(operand, &date)) {
        int size = snprintf(out, NB__STORE_PATH_MAX, "%s/%08" PRIu64, journal, date);
        if (size > 0 && size < NB__STORE_PATH_MAX && exists(out))
            return NB_OK;
        return nb__fail(error, NB_E_NOT_FOUND, 0,
                        "%.20s: no night of that trade date in %.150s; `nightbook journal ls` "
                        "lists those there are",
                        operand, journal);
    }
    if (find_segment(journal, operand, out))
        return NB_OK;
    if (strcmp(operand, journal) == 0)
        return fail_no_journal(journal, error);
    return nb__fail(error, NB_E_NOT_FOUND, 0,
                    "%.80s: neither a file or directory, nor a night or segment in %.100s", operand,
                    journal);
}

nb_err nb__journal_size_parse(const char *text, uint64_t *bytes, nb_error *error)
{
    static const char units[] = "KMGT";
    nb_span number = nb__span(text);
    nb_price value;
    double factor = 1;
    const char *unit = number.size_bytes == 0 || text[number.size_bytes - 1] == '\0'
                           ? NULL
                           : memchr(units, text[number.size_bytes - 1], sizeof units - 1);
    if (unit != NULL) {
        number.size_bytes--;
        for (const char *at = units; at <= unit; at++)
            factor *= KIB;
    }
    if (nb_price_parse(number, &value, NULL, NULL) != NB_OK || value < 0 ||
        (unit == NULL && value % NB_PRICE_ONE != 0))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "%.40s: a size is expected, in bytes or like 500M, 50G, 1.5T", text);
    *bytes = (uint64_t)((double)value / (double)NB_PRICE_ONE * factor);
    return NB_OK;
}

void nb__journal_size_print(char out[24], uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes / KIB;
    size_t unit = 0;
    while (value >= 999.95 && unit + 1 < NB__COUNT_OF(units)) {
        value /= KIB;
        unit++;
    }
    if (bytes < 1000)
        snprintf(out, 24, "%u B", (unsigned)bytes);
    else
        snprintf(out, 24, "%.1f %s", value, units[unit]);
}

void nb__journal_clock_text(char out[16], int64_t ns)
{
    char text[40] = "";
    if (ns != NB_TIME_UNDEF)
        nb__kst_print(text, ns, 0);
    snprintf(out, 16, "%.8s", text[0] == '\0' ? "-" : text + 11);
}
