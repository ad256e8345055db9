/* SPDX-License-Identifier: Apache-2.0 */
/* Appkeys: what can be one, where they come from, and which of several origins wins: all of one
 * origin, never a mixture. */
#include "settings.h"
#include <stdio.h>
#include <string.h>

#define SECRET_MIN_BYTES 8

const char *nb__secret_fault(const char *text, size_t least_bytes, size_t capacity_bytes)
{
    size_t size = strlen(text);
    if (size == 0)
        return "is empty";
    if (strncmp(text, "YOUR", 4) == 0 || strncmp(text, "your", 4) == 0)
        return "still holds the sample's text";
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~' || strchr("\"\\<>", text[i]) != NULL)
            return "still holds a sample's text, or characters that KIS gives to nobody";
    if (size < least_bytes)
        return "is too short";
    if (size >= capacity_bytes)
        return "is too long";
    return NULL;
}

nb_err nb__appkeys_add(nb__settings *settings, const nb__appkey *appkey, nb__from from,
                       nb_error *error)
{
    if (from < settings->appkeys_from)
        return NB_OK;
    if (from > settings->appkeys_from) {
        explicit_bzero(settings->appkeys, NB__APPKEYS_MAX * sizeof *settings->appkeys);
        settings->appkey_count = 0;
        settings->appkeys_from = from;
    }
    if (settings->appkey_count == NB__APPKEYS_MAX)
        return nb__fail(error, NB_E_CONFIG, 0, "more than %d appkeys", NB__APPKEYS_MAX);
    settings->appkeys[settings->appkey_count++] = *appkey;
    return NB_OK;
}

size_t nb__settings_appkeys(nb__settings *settings, const nb__appkey **out)
{
    const char *hts_id = nb__settings_text(settings, "hts-id");
    for (size_t i = 0; i < settings->appkey_count; i++) {
        nb__appkey *appkey = &settings->appkeys[i];
        if (appkey->custtype == '\0')
            appkey->custtype = nb__settings_text(settings, "custtype")[0];
        bool is_older = settings->appkeys_from < NB__FROM_FILE; /* nightbook's own file wins */
        if (hts_id != NULL && (appkey->hts_id[0] == '\0' || is_older))
            (void)nb__span_copy(nb__span(hts_id), appkey->hts_id, sizeof appkey->hts_id);
    }
    *out = settings->appkeys;
    return settings->appkey_count;
}

/* ---- environment ---- */

static const char *get_filled(const char *(*get)(const char *name), const char *name)
{
    const char *text = get(name);
    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* The secret under any of its names; two that differ are an error. */
static nb_err find_secret(const char *(*get)(const char *name), const char **secret,
                          const char **its_name, nb_error *error)
{
    static const char *const names[] = {"KIS_APP_SECRET", "KIS_SECRET_KEY", "KIS_SECRET"};
    for (size_t i = 0; i < NB__COUNT_OF(names); i++) {
        const char *text = get_filled(get, names[i]);
        if (text != NULL && *secret == NULL) {
            *secret = text;
            *its_name = names[i];
        } else if (text != NULL && strcmp(text, *secret) != 0) {
            return nb__fail(error, NB_E_CONFIG, 0,
                            "environment: %s and %s are both set and differ; unset one", *its_name,
                            names[i]);
        }
    }
    return NB_OK;
}

nb_err nb__settings_read_environment(nb__settings *settings, const char *(*get)(const char *name),
                                     nb_error *error)
{
    const char *key = get_filled(get, "KIS_APP_KEY"), *secret = NULL, *name = "KIS_APP_SECRET";
    nb__appkey appkey = {.name = "main", .origin = "environment KIS_APP_KEY"};
    nb_err err = find_secret(get, &secret, &name, error);
    if (err != NB_OK || (key == NULL && secret == NULL))
        return err;
    if (key == NULL || secret == NULL)
        return nb__fail(error, NB_E_CONFIG, 0, "environment: %s is set and %s is not",
                        key != NULL ? "KIS_APP_KEY" : name,
                        key != NULL ? "KIS_APP_SECRET" : "KIS_APP_KEY");
    const char *fault = nb__secret_fault(key, SECRET_MIN_BYTES, sizeof appkey.appkey);
    if (fault != NULL)
        return nb__fail(error, NB_E_CONFIG, 0, "environment: KIS_APP_KEY %s", fault);
    fault = nb__secret_fault(secret, SECRET_MIN_BYTES, sizeof appkey.secret);
    if (fault != NULL)
        return nb__fail(error, NB_E_CONFIG, 0, "environment: %s %s", name, fault);
    (void)nb__span_copy(nb__span(key), appkey.appkey, sizeof appkey.appkey);
    (void)nb__span_copy(nb__span(secret), appkey.secret, sizeof appkey.secret);
    err = nb__appkeys_add(settings, &appkey, NB__FROM_ENVIRONMENT, error);
    explicit_bzero(&appkey, sizeof appkey);
    return err;
}
