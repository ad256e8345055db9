/* SPDX-License-Identifier: Apache-2.0 */
/* The settings: values in the table's order, each with where it came from. A higher origin wins
 * over a lower one, in whichever order they are read. Texts are wiped before they are freed. */
#include "settings.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

nb__settings *nb__settings_new(void)
{
    nb__settings *settings = calloc(1, sizeof *settings);
    if (settings == NULL)
        return NULL;
    settings->appkeys = calloc(NB__APPKEYS_MAX, sizeof *settings->appkeys);
    if (settings->appkeys != NULL)
        return settings;
    free(settings);
    return NULL;
}

void nb__setting_value_clear(nb__setting_value *value)
{
    for (size_t i = 0; i < value->count; i++) {
        explicit_bzero(value->items[i], strlen(value->items[i]));
        free(value->items[i]);
    }
    free(value->items);
    *value = (nb__setting_value){.from = NB__FROM_DEFAULT};
}

void nb__settings_free(nb__settings *settings)
{
    if (settings == NULL)
        return;
    for (size_t i = 0; i < NB__SETTINGS_COUNT; i++)
        nb__setting_value_clear(&settings->values[i]);
    explicit_bzero(settings->appkeys, NB__APPKEYS_MAX * sizeof *settings->appkeys);
    free(settings->appkeys);
    free(settings);
}

void nb__settings_overlay(nb__settings *settings, nb__settings *read)
{
    for (size_t i = 0; i < NB__SETTINGS_COUNT; i++) {
        nb__setting_value *mine = &settings->values[i], *theirs = &read->values[i];
        if (theirs->from <= mine->from)
            continue;
        nb__setting_value_clear(mine);
        *mine = *theirs;
        *theirs = (nb__setting_value){.from = NB__FROM_DEFAULT};
    }
    for (size_t i = 0; i < read->appkey_count; i++)
        nb__appkeys_add(settings, &read->appkeys[i], read->appkeys_from, NULL);
    settings->has_file_secrets = settings->has_file_secrets || read->has_file_secrets;
}

/* ---- checks ---- */

static bool parse_decimal(const char *text, double *out)
{
    nb_price exact; /* no locale, no surprises; nine decimals are enough for a setting */
    if (nb_price_parse(nb__span(text), &exact, NULL, NULL) != NB_OK)
        return false;
    *out = (double)exact / (double)NB_PRICE_ONE;
    return true;
}

static nb_err check_number(const nb__setting *row, const char *text, nb_error *error)
{
    uint64_t integer = 0;
    double number = 0;
    bool is_number = row->type == NB__SETTING_NUMBER ? nb__span_to_u64(nb__span(text), &integer)
                                                     : parse_decimal(text, &number);
    if (row->type == NB__SETTING_NUMBER)
        number = (double)integer;
    if (is_number && number >= row->min && number <= row->max)
        return NB_OK;
    if (row->choices != NULL)
        return strcmp(text, row->choices) == 0
                   ? NB_OK
                   : nb__fail(error, NB_E_ARGUMENT, 0, "a number of %.15g-%.15g or %s is expected",
                              row->min, row->max, row->choices);
    return nb__fail(error, NB_E_ARGUMENT, 0, "%s of %.15g-%.15g is expected",
                    row->type == NB__SETTING_NUMBER ? "a whole number" : "a number", row->min,
                    row->max);
}

static nb_err check_choice(const nb__setting *row, const char *text, nb_error *error)
{
    for (const char *at = row->choices; *at != '\0';) {
        size_t size = strcspn(at, "|");
        if (nb__span_is((nb_span){at, size}, text))
            return NB_OK;
        at += size + (at[size] == '|');
    }
    return nb__fail(error, NB_E_ARGUMENT, 0, "one of %s is expected", row->choices);
}

nb_err nb__setting_check(const nb__setting *row, const char *text, nb_error *error)
{
    size_t size = strlen(text);
    if (size == 0)
        return nb__fail(error, NB_E_ARGUMENT, 0, "it has no value");
    if (size > NB__SETTING_TEXT_MAX)
        return nb__fail(error, NB_E_ARGUMENT, 0, "it is longer than %zu bytes",
                        NB__SETTING_TEXT_MAX);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return nb__fail(error, NB_E_ARGUMENT, 0,
                            "it holds a control character; one line of text is expected");
    switch (row->type) {
    case NB__SETTING_NUMBER:
    case NB__SETTING_DECIMAL:
        return check_number(row, text, error);
    case NB__SETTING_CHOICE:
        return check_choice(row, text, error);
    case NB__SETTING_SWITCH:
        return strcmp(text, "yes") == 0
                   ? NB_OK
                   : nb__fail(error, NB_E_ARGUMENT, 0, "it is given alone, without a value");
    case NB__SETTING_STRING:
    case NB__SETTING_LIST:
    case NB__SETTING_APPKEYS:
        break;
    }
    return NB_OK;
}

/* ---- setting ---- */

nb__setting_value *nb__setting_value_of(const nb__settings *settings, const nb__setting *row)
{
    size_t count;
    const nb__setting *table = nb__settings_table(&count);
    return (nb__setting_value *)&settings->values[row - table];
}

nb_err nb__setting_put(nb__settings *settings, const nb__setting *row, const char *text,
                       nb__from from, const char *origin, nb_error *error)
{
    nb__setting_value *value = nb__setting_value_of(settings, row);
    if (from < value->from)
        return NB_OK;
    bool grows = row->type == NB__SETTING_LIST && from == value->from;
    if (grows && value->count >= (size_t)row->max)
        return nb__fail(error, NB_E_ARGUMENT, 0, "it is given more than %g times", row->max);
    char *copy = strdup(text);
    size_t count = grows ? value->count : 0;
    char **items = malloc((count + 1) * sizeof *items);
    if (copy == NULL || items == NULL) {
        free(copy);
        free(items);
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    }
    if (grows && count > 0) {
        memcpy(items, value->items, count * sizeof *items);
        free(value->items);
    } else {
        nb__setting_value_clear(value);
    }
    items[count] = copy;
    value->items = items;
    value->count = count + 1;
    value->from = from;
    snprintf(value->origin, sizeof value->origin, "%s", origin);
    return NB_OK;
}

static nb_err fail_name(const char *name, nb_error *error)
{
    size_t count;
    const nb__setting *table = nb__settings_table(&count);
    for (size_t i = 0; i < count; i++)
        if (nb__word_is_near(name, table[i].name))
            return nb__fail(error, NB_E_ARGUMENT, 0, "there is no setting %.40s; did you mean %s?",
                            name, table[i].name);
    return nb__fail(error, NB_E_ARGUMENT, 0, "there is no setting %.40s", name);
}

nb_err nb__settings_set(nb__settings *settings, const char *name, const char *text, nb__from from,
                        const char *origin, nb_error *error)
{
    const nb__setting *row = nb__settings_row(nb__span(name));
    char flag[64];
    if (row == NULL)
        return fail_name(name, error);
    if (from == NB__FROM_FLAG && row->where == NB__SETTING_FILE_ONLY)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "--%s: a command line is seen by all; put it into nightbook's own file",
                        name);
    if (origin == NULL) {
        snprintf(flag, sizeof flag, from == NB__FROM_FLAG ? "flag --%s" : "default", name);
        origin = flag;
    }
    nb_err err = nb__setting_check(row, text, error);
    if (err == NB_OK)
        err = nb__setting_put(settings, row, text, from, origin, error);
    if (err == NB_OK)
        return NB_OK;
    if (row->is_secret || from != NB__FROM_FLAG)
        nb__fail_in(error, from == NB__FROM_FLAG ? "--%s" : "%s", name);
    else
        nb__fail_in(error, "--%s %.40s", name, text);
    return err;
}

/* ---- reading ---- */

static const nb__setting *row_of(const char *name)
{
    const nb__setting *row = nb__settings_row(nb__span(name));
    assert(row != NULL);
    return row;
}

const char *nb__settings_text(const nb__settings *settings, const char *name)
{
    const nb__setting *row = row_of(name);
    const nb__setting_value *value = nb__setting_value_of(settings, row);
    return value->count > 0 ? value->items[0] : row->fallback;
}

bool nb__settings_is_given(const nb__settings *settings, const char *name)
{
    return nb__settings_from(settings, name) != NB__FROM_DEFAULT;
}

nb__from nb__settings_from(const nb__settings *settings, const char *name)
{
    return nb__setting_value_of(settings, row_of(name))->from;
}

uint64_t nb__settings_number(const nb__settings *settings, const char *name)
{
    const char *text = nb__settings_text(settings, name);
    uint64_t number = 0;
    if (text != NULL)
        (void)nb__span_to_u64(nb__span(text), &number);
    return number;
}

double nb__settings_decimal(const nb__settings *settings, const char *name)
{
    const char *text = nb__settings_text(settings, name);
    double number = 0;
    if (text != NULL && !parse_decimal(text, &number))
        return INFINITY; /* its word */
    return number;
}

size_t nb__settings_list(const nb__settings *settings, const char *name, const char *const **items)
{
    const nb__setting_value *value = nb__setting_value_of(settings, row_of(name));
    *items = (const char *const *)value->items;
    return value->count;
}

const char *nb__settings_origin(const nb__settings *settings, const char *name)
{
    const nb__setting_value *value = nb__setting_value_of(settings, row_of(name));
    return value->origin[0] != '\0' ? value->origin : "default";
}

bool nb__settings_file_has_secrets(const nb__settings *settings)
{
    return settings->has_file_secrets;
}

nb_err nb__settings_fail(const nb__settings *settings, const char *name, nb_error *error,
                         const char *format, ...)
{
    char words[sizeof error->detail];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    if (nb__settings_from(settings, name) == NB__FROM_FLAG)
        return nb__fail(error, NB_E_ARGUMENT, 0, "--%s: %s", name, words);
    if (!nb__settings_is_given(settings, name))
        return nb__fail(error, NB_E_CONFIG, 0, "%s: %s", name, words);
    char in_file[64]; /* as it is written there */
    (void)nb__span_copy(nb__span(name), in_file, sizeof in_file);
    for (char *at = in_file; *at != '\0'; at++)
        *at = *at == '-' ? '_' : *at;
    return nb__fail(error, NB_E_CONFIG, 0, "%s: %s: %s", nb__settings_origin(settings, name),
                    in_file, words);
}
