/* SPDX-License-Identifier: Apache-2.0 */
/**
 * config, L1: the settings of nightbook: one table for flags, file, help, man page and
 * docs/config.md; where each value came from; and the two YAML files, nightbook's own (strict) and
 * KIS's kis_devlp.yaml (keys and HTS id only). Pure: takes the files' bytes, knows no path, file or
 * environment.
 */
#ifndef NB_CONFIG_H
#define NB_CONFIG_H

#include "base/base.h"

typedef enum nb__setting_type {
    NB__SETTING_FLAG,
    NB__SETTING_STRING,
    NB__SETTING_NUMBER,  /**< an integer within min–max */
    NB__SETTING_DECIMAL, /**< with a fraction, within min–max */
    NB__SETTING_CHOICE,  /**< one of `choices` */
    NB__SETTING_LIST     /**< texts; a flag that may be given several times, a YAML sequence */
} nb__setting_type;

typedef enum nb__setting_where {
    NB__SETTING_EVERYWHERE,
    NB__SETTING_FLAG_ONLY, /**< sim's seed, a file's path … */
    NB__SETTING_FILE_ONLY  /**< secrets: a command line is seen by all */
} nb__setting_where;

/** A row of the table (settings.c). X-macro ids: NB__SET_FEED, NB__SET_LISTEN … */
typedef struct nb__setting {
    const char *name; /**< "on-loss": the flag --on-loss; in the file on_loss */
    const char
        *section; /**< heading in docs and in `config --init`: "Feed", "Clients", "Slots" … */
    const char *metavar;  /**< "ADDR:PORT"; NULL for a flag */
    const char *help;     /**< one sentence; the default is said by `fallback` */
    const char *fallback; /**< as it would be typed; NULL: none */
    nb__setting_type type;
    nb__setting_where where;
    double min, max;
    const char *choices; /**< "night|day|both|always" */
    bool is_secret;
} nb__setting;

#define NB__APPKEYS_MAX 16

/** Secrets are wiped by nb__settings_fini(). */
typedef struct nb__appkey {
    char name[32]; /**< a label for logs and status: "main" */
    char appkey[64], secret[256], hts_id[32];
    char custtype;    /**< 'P' or 'B' */
    char origin[300]; /**< "/home/u/.config/nightbook/config.yaml:3", "environment KIS_APP_KEY" … */
} nb__appkey;

typedef struct nb__settings nb__settings; /**< heap; see settings.c */
nb__settings *nb__settings_new(void);
void nb__settings_free(nb__settings *settings);

const nb__setting *nb__settings_table(size_t *count);

/** Set one by its name; a later origin wins over an earlier one (file < environment < flag: call in
 * that order).
 * @retval NB_E_ARGUMENT  no such setting (near names told), wrong type, out of range. */
nb_err nb__settings_set(nb__settings *settings, const char *name, const char *text,
                        const char *origin, nb_error *error);
/** nightbook's own file. Unknown keys, duplicates, aliases, anchors, tags, wrong types, more than
 * one document, bytes that are not UTF-8 are errors that name `path`, line and column. All or
 * nothing. */
nb_err nb__settings_read_yaml(nb__settings *settings, nb_span text, const char *path,
                              nb_error *error);
/** KIS's kis_devlp.yaml: my_app, my_sec, my_htsid; paper_app only to tell a paper key by. Never an
 * address. Placeholders that were not filled in are an error which names them. Used only when there
 * is no appkey yet. */
nb_err nb__settings_read_devlp(nb__settings *settings, nb_span text, const char *path,
                               nb_error *error);
/** Environment: KIS_APP_KEY with KIS_APP_SECRET | KIS_SECRET_KEY | KIS_SECRET (two different ones
 * are an error). */
nb_err nb__settings_read_environment(nb__settings *settings, const char *(*get)(const char *name),
                                     nb_error *error);

bool nb__settings_is_given(const nb__settings *settings, const char *name);
const char *nb__settings_text(const nb__settings *settings, const char *name); /**< NULL: none */
bool nb__settings_flag(const nb__settings *settings, const char *name);
uint64_t nb__settings_number(const nb__settings *settings, const char *name);
double nb__settings_decimal(const nb__settings *settings, const char *name);
size_t nb__settings_list(const nb__settings *settings, const char *name, const char *const **items);
const char *nb__settings_origin(const nb__settings *settings, const char *name);
size_t nb__settings_appkeys(const nb__settings *settings, const nb__appkey **out);

/** Every effective setting with its origin, secrets masked (`PS…(36)`); as text or JSON. */
void nb__settings_print(const nb__settings *settings, bool as_json, nb__text *out);
/** The commented file of `nightbook config --init`. */
void nb__settings_print_template(nb__text *out);
/** docs/config.md. */
void nb__settings_print_document(nb__text *out);

#endif
