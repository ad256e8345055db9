/* SPDX-License-Identifier: Apache-2.0 */
/* nightbook's own file: a mapping of settings, strictly. Read into settings of its own first, so
 * that a file counts whole or not at all. */
#include "settings.h"
#include "yaml.h"
#include <stdio.h>
#include <string.h>

#define SECRET_MIN_BYTES 8
#define NAME_MAX_BYTES 40

typedef struct reader {
    nb__yaml yaml;
    nb__settings *settings;
    const char *path;
    size_t lines[NB__SETTINGS_COUNT]; /* where each was given; 0: not yet */
} reader;

static void print_origin(char out[NB__APPKEY_ORIGIN_MAX], const reader *r, size_t line)
{
    snprintf(out, NB__APPKEY_ORIGIN_MAX, "%.270s:%zu", r->path, line);
}

/* Words for a person: a key that looks like one may be quoted, anything else may be a secret. */
static bool is_word(nb_span key)
{
    if (key.size_bytes == 0 || key.size_bytes > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < key.size_bytes; i++)
        if (!(key.data[i] >= 'a' && key.data[i] <= 'z') && key.data[i] != '_' && key.data[i] != '-')
            return false;
    return true;
}

/* The file writes on_loss for on-loss. */
static void swap_hyphens(char *word, char from, char to)
{
    for (; *word != '\0'; word++)
        if (*word == from)
            *word = to;
}

static void file_name_of(const nb__setting *row, char out[NAME_MAX_BYTES + 1])
{
    snprintf(out, NAME_MAX_BYTES + 1, "%s", row->name);
    swap_hyphens(out, '-', '_');
}

static nb_err fail_key(reader *r, nb_span key)
{
    char word[NAME_MAX_BYTES + 1], name[NAME_MAX_BYTES + 1];
    size_t count;
    const nb__setting *table = nb__settings_table(&count);
    if (nb__span_is(key, "<<"))
        return nb__yaml_fail(&r->yaml, "merges (<<) are not taken here");
    if (!is_word(key) || !nb__span_copy(key, word, sizeof word))
        return nb__yaml_fail(&r->yaml, "this key is not a setting");
    for (size_t i = 0; i < count; i++) {
        file_name_of(&table[i], name);
        if (table[i].where != NB__SETTING_FLAG_ONLY && nb__word_is_near(word, name))
            return nb__yaml_fail(&r->yaml, "there is no setting %s; did you mean %s?", word, name);
    }
    return nb__yaml_fail(&r->yaml, "there is no setting %s; `nightbook config` lists them all",
                         word);
}

/* ---- scalars and lists ---- */

static nb_err take_text(reader *r, const nb__setting *row, const char *name)
{
    size_t size;
    const char *text = nb__yaml_scalar(&r->yaml, &size);
    char origin[NB__APPKEY_ORIGIN_MAX];
    nb_error error = {0};
    if (nb__yaml_is_null(&r->yaml))
        return nb__yaml_fail(&r->yaml, "%s has no value; give one or take the line out", name);
    if (strlen(text) != size)
        return nb__yaml_fail(&r->yaml, "%s: it holds a NUL", name);
    print_origin(origin, r, r->lines[nb__setting_value_of(r->settings, row) - r->settings->values]);
    nb_err err = nb__setting_check(row, text, &error);
    if (err == NB_OK)
        err = nb__setting_put(r->settings, row, text, NB__FROM_FILE, origin, &error);
    if (err == NB_E_MEMORY)
        return nb__fail(r->yaml.error, NB_E_MEMORY, 0, "memory is exhausted");
    r->settings->has_file_secrets = r->settings->has_file_secrets || row->is_secret;
    return err == NB_OK ? NB_OK : nb__yaml_fail(&r->yaml, "%s: %s", name, error.detail);
}

static nb_err take_list(reader *r, const nb__setting *row, const char *name)
{
    if (!nb__yaml_is(&r->yaml, YAML_SEQUENCE_START_EVENT))
        return nb__yaml_fail(&r->yaml, "%s: a list is expected, as `%s: [A, B]`", name, name);
    nb_err err = nb__yaml_next(&r->yaml);
    if (err == NB_OK && nb__yaml_is(&r->yaml, YAML_SEQUENCE_END_EVENT))
        return nb__yaml_fail(&r->yaml, "%s: the list is empty; take the line out", name);
    while (err == NB_OK && !nb__yaml_is(&r->yaml, YAML_SEQUENCE_END_EVENT)) {
        if (!nb__yaml_is(&r->yaml, YAML_SCALAR_EVENT))
            return nb__yaml_fail(&r->yaml, "%s: a list of texts is expected", name);
        err = take_text(r, row, name);
        if (err == NB_OK)
            err = nb__yaml_next(&r->yaml);
    }
    return err;
}

/* ---- appkeys ---- */

typedef struct part {
    const char *name;
    size_t offset_bytes, capacity_bytes;
    size_t least_bytes; /* 0: no secret */
} part;

static const part parts[] = {
    {"name", offsetof(nb__appkey, name), sizeof((nb__appkey *)0)->name, 0},
    {"app_key", offsetof(nb__appkey, appkey), sizeof((nb__appkey *)0)->appkey, SECRET_MIN_BYTES},
    {"app_secret", offsetof(nb__appkey, secret), sizeof((nb__appkey *)0)->secret, SECRET_MIN_BYTES},
    {"hts_id", offsetof(nb__appkey, hts_id), sizeof((nb__appkey *)0)->hts_id, 1},
    {"custtype", offsetof(nb__appkey, custtype), 1, 0},
};
enum { PART_NAME, PART_KEY, PART_SECRET, PART_HTS_ID, PART_CUSTTYPE };

static bool is_label(const char *text)
{
    for (; *text != '\0'; text++)
        if (!(*text >= 'a' && *text <= 'z') && !(*text >= 'A' && *text <= 'Z') &&
            !(*text >= '0' && *text <= '9') && strchr("._-", *text) == NULL)
            return false;
    return true;
}

static nb_err take_part(reader *r, size_t which, nb__appkey *appkey)
{
    const part *p = &parts[which];
    size_t size;
    if (!nb__yaml_is(&r->yaml, YAML_SCALAR_EVENT))
        return nb__yaml_fail(&r->yaml, "%s: one text is expected", p->name);
    const char *text = nb__yaml_scalar(&r->yaml, &size), *fault = NULL;
    if (nb__yaml_is_null(&r->yaml) || size == 0)
        return nb__yaml_fail(&r->yaml, "%s has no value", p->name);
    if (strlen(text) != size)
        return nb__yaml_fail(&r->yaml, "%s: it holds a NUL", p->name);
    if (which == PART_CUSTTYPE) {
        if (strcmp(text, "P") != 0 && strcmp(text, "B") != 0)
            return nb__yaml_fail(&r->yaml, "custtype: one of P|B is expected");
        appkey->custtype = text[0];
        return NB_OK;
    }
    if (p->least_bytes > 0)
        fault = nb__secret_fault(text, p->least_bytes, p->capacity_bytes);
    else if (size >= p->capacity_bytes || !is_label(text))
        fault = "is a label of at most 31 letters, digits and ._-";
    if (fault != NULL)
        return nb__yaml_fail(&r->yaml, "%s %s", p->name, fault);
    memcpy((char *)appkey + p->offset_bytes, text, size + 1);
    return NB_OK;
}

static nb_err find_part(reader *r, uint32_t *seen, size_t *which)
{
    size_t size, at = 0;
    if (!nb__yaml_is(&r->yaml, YAML_SCALAR_EVENT))
        return nb__yaml_fail(&r->yaml, "a key of one word is expected");
    const char *text = nb__yaml_scalar(&r->yaml, &size);
    nb_span key = {text, size};
    while (at < NB__COUNT_OF(parts) && !nb__span_is(key, parts[at].name))
        at++;
    if (at == NB__COUNT_OF(parts))
        return nb__yaml_fail(&r->yaml, "an appkey has name, app_key, app_secret, hts_id and "
                                       "custtype; this key is none of them");
    if ((*seen & 1U << at) != 0)
        return nb__yaml_fail(&r->yaml, "%s is given twice", parts[at].name);
    *seen |= 1U << at;
    *which = at;
    return NB_OK;
}

/* A row is whole, and none of another row's. */
static nb_err add_appkey(reader *r, nb__appkey *appkey, uint32_t seen)
{
    nb__settings *settings = r->settings;
    if ((seen & 1U << PART_KEY) == 0 || (seen & 1U << PART_SECRET) == 0)
        return nb__yaml_fail(&r->yaml, "this appkey has no %s",
                             (seen & 1U << PART_KEY) == 0 ? "app_key" : "app_secret");
    if ((seen & 1U << PART_NAME) == 0)
        snprintf(appkey->name, sizeof appkey->name, settings->appkey_count == 0 ? "main" : "key%zu",
                 settings->appkey_count + 1);
    for (size_t i = 0; i < settings->appkey_count; i++) {
        if (strcmp(settings->appkeys[i].name, appkey->name) == 0)
            return nb__yaml_fail(&r->yaml, "two appkeys have the name %s", appkey->name);
        if (strcmp(settings->appkeys[i].appkey, appkey->appkey) == 0)
            return nb__yaml_fail(&r->yaml,
                                 "the app_key of %s again: KIS allows one session an "
                                 "appkey",
                                 settings->appkeys[i].name);
    }
    nb_error error = {0};
    nb_err err = nb__appkeys_add(settings, appkey, NB__FROM_FILE, &error);
    return err == NB_OK ? NB_OK : nb__yaml_fail(&r->yaml, "%s", error.detail);
}

static nb_err take_appkey(reader *r)
{
    nb__appkey appkey = {0};
    uint32_t seen = 0;
    size_t which = 0;
    if (!nb__yaml_is(&r->yaml, YAML_MAPPING_START_EVENT))
        return nb__yaml_fail(&r->yaml, "an appkey is a mapping: `- name: main` and below it "
                                       "app_key, app_secret");
    print_origin(appkey.origin, r, nb__yaml_line(&r->yaml));
    nb_err err = nb__yaml_next(&r->yaml);
    while (err == NB_OK && !nb__yaml_is(&r->yaml, YAML_MAPPING_END_EVENT)) {
        err = find_part(r, &seen, &which);
        if (err == NB_OK)
            err = nb__yaml_next(&r->yaml);
        if (err == NB_OK)
            err = take_part(r, which, &appkey);
        if (err == NB_OK)
            err = nb__yaml_next(&r->yaml);
    }
    if (err == NB_OK)
        err = add_appkey(r, &appkey, seen);
    explicit_bzero(&appkey, sizeof appkey);
    return err;
}

static nb_err take_appkeys(reader *r, const nb__setting *row)
{
    char origin[NB__APPKEY_ORIGIN_MAX];
    if (!nb__yaml_is(&r->yaml, YAML_SEQUENCE_START_EVENT))
        return nb__yaml_fail(&r->yaml, "appkeys: a list is expected; for one appkey app_key and "
                                       "app_secret will do");
    print_origin(origin, r, nb__yaml_line(&r->yaml));
    nb_err err = nb__yaml_next(&r->yaml);
    if (err == NB_OK && nb__yaml_is(&r->yaml, YAML_SEQUENCE_END_EVENT))
        return nb__yaml_fail(&r->yaml, "appkeys: the list is empty; take the line out");
    while (err == NB_OK && !nb__yaml_is(&r->yaml, YAML_SEQUENCE_END_EVENT)) {
        err = take_appkey(r);
        if (err == NB_OK)
            err = nb__yaml_next(&r->yaml);
    }
    (void)row;
    r->settings->has_file_secrets = true;
    return err;
}

/* app_key and app_secret on their own are the list of one. */
static nb_err take_single(reader *r)
{
    const char *key = nb__settings_text(r->settings, "app-key");
    const char *secret = nb__settings_text(r->settings, "app-secret");
    nb__appkey appkey = {.name = "main"};
    if (key == NULL && secret == NULL)
        return NB_OK;
    const char *there = key != NULL ? "app-key" : "app-secret";
    if (r->settings->appkey_count > 0)
        return nb__settings_fail(r->settings, there, r->yaml.error,
                                 "appkeys are given as well; put this one into their list");
    if (key == NULL || secret == NULL)
        return nb__settings_fail(r->settings, there, r->yaml.error, "there is no %s with it",
                                 key == NULL ? "app_key" : "app_secret");
    const char *fault = nb__secret_fault(key, SECRET_MIN_BYTES, sizeof appkey.appkey);
    if (fault != NULL)
        return nb__settings_fail(r->settings, "app-key", r->yaml.error, "it %s", fault);
    fault = nb__secret_fault(secret, SECRET_MIN_BYTES, sizeof appkey.secret);
    if (fault != NULL)
        return nb__settings_fail(r->settings, "app-secret", r->yaml.error, "it %s", fault);
    (void)nb__span_copy(nb__span(key), appkey.appkey, sizeof appkey.appkey);
    (void)nb__span_copy(nb__span(secret), appkey.secret, sizeof appkey.secret);
    snprintf(appkey.origin, sizeof appkey.origin, "%s",
             nb__settings_origin(r->settings, "app-key"));
    nb_err err = nb__appkeys_add(r->settings, &appkey, NB__FROM_FILE, r->yaml.error);
    explicit_bzero(&appkey, sizeof appkey);
    return err;
}

static nb_err check_hts_id(reader *r)
{
    const char *text = nb__settings_text(r->settings, "hts-id");
    const char *fault =
        text != NULL ? nb__secret_fault(text, 1, sizeof((nb__appkey *)0)->hts_id) : NULL;
    return fault == NULL ? NB_OK
                         : nb__settings_fail(r->settings, "hts-id", r->yaml.error, "it %s", fault);
}

/* ---- the file ---- */

static nb_err take_setting(reader *r)
{
    size_t size;
    char name[NAME_MAX_BYTES + 1];
    if (!nb__yaml_is(&r->yaml, YAML_SCALAR_EVENT))
        return nb__yaml_fail(&r->yaml, "the name of a setting is expected");
    nb_span key = {nb__yaml_scalar(&r->yaml, &size), 0};
    key.size_bytes = size;
    const nb__setting *row = NULL;
    if (memchr(key.data, '-', size) == NULL && nb__span_copy(key, name, sizeof name)) {
        swap_hyphens(name, '_', '-');
        row = nb__settings_row(nb__span(name));
    }
    if (row == NULL)
        return fail_key(r, key);
    swap_hyphens(name, '-', '_');
    if (row->where == NB__SETTING_FLAG_ONLY)
        return nb__yaml_fail(&r->yaml, "%s is a flag only: --%s", name, row->name);
    size_t *line = &r->lines[nb__setting_value_of(r->settings, row) - r->settings->values];
    if (*line != 0)
        return nb__yaml_fail(&r->yaml, "%s is given twice, first on line %zu", name, *line);
    *line = nb__yaml_line(&r->yaml);
    nb_err err = nb__yaml_next(&r->yaml);
    if (err != NB_OK)
        return err;
    if (row->type == NB__SETTING_APPKEYS)
        return take_appkeys(r, row);
    if (row->type == NB__SETTING_LIST)
        return take_list(r, row, name);
    if (!nb__yaml_is(&r->yaml, YAML_SCALAR_EVENT))
        return nb__yaml_fail(&r->yaml, "%s: one value is expected", name);
    return take_text(r, row, name);
}

static nb_err take_file(reader *r)
{
    if (!nb__yaml_is(&r->yaml, YAML_MAPPING_START_EVENT))
        return nb__yaml_fail(&r->yaml, "lines of `name: value` are expected");
    nb_err err = nb__yaml_next(&r->yaml);
    while (err == NB_OK && !nb__yaml_is(&r->yaml, YAML_MAPPING_END_EVENT)) {
        err = take_setting(r);
        if (err == NB_OK)
            err = nb__yaml_next(&r->yaml);
    }
    if (err == NB_OK)
        err = nb__yaml_end(&r->yaml);
    if (err == NB_OK)
        err = take_single(r);
    return err == NB_OK ? check_hts_id(r) : err;
}

nb_err nb__settings_read_yaml(nb__settings *settings, nb_span text, const char *path,
                              nb_error *error)
{
    reader r = {.path = path, .settings = nb__settings_new()};
    bool is_empty = false;
    if (r.settings == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    nb_err err = nb__yaml_init(&r.yaml, text, path, true, &is_empty, error);
    if (err == NB_OK)
        err = is_empty ? NB_OK : take_file(&r);
    if (err == NB_OK)
        nb__settings_overlay(settings, r.settings);
    nb__yaml_fini(&r.yaml);
    nb__settings_free(r.settings);
    return err;
}
