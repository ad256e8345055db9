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
    NB__SETTING_STRING,
    NB__SETTING_NUMBER,  /**< an integer within min–max */
    NB__SETTING_DECIMAL, /**< with a fraction, within min–max; or one of `choices`, which reads
                            as INFINITY */
    NB__SETTING_CHOICE,  /**< one of `choices` */
    NB__SETTING_SWITCH,  /**< a flag without a value: "yes" where it is given; flags only */
    /** At most `max` texts: a flag that may be given several times, a YAML sequence. */
    NB__SETTING_LIST,
    /** A YAML sequence of mappings: name, app_key, app_secret, hts_id, custtype. */
    NB__SETTING_APPKEYS
} nb__setting_type;

typedef enum nb__setting_where {
    NB__SETTING_EVERYWHERE,
    NB__SETTING_FLAG_ONLY, /**< what would make no sense in a file: its own path … */
    NB__SETTING_FILE_ONLY  /**< secrets: a command line is seen by all */
} nb__setting_where;

/** A row of the table (table.c). */
typedef struct nb__setting {
    const char *name;     /**< "on-loss": the flag --on-loss; in the file on_loss */
    const char *section;  /**< heading in help, docs and in `config --init` */
    const char *metavar;  /**< "ADDR:PORT" */
    const char *help;     /**< one sentence, without its default */
    const char *fallback; /**< the default as it would be typed; NULL: none */
    /** Words for a default that depends on others; NULL: `fallback` says it. */
    const char *otherwise;
    const char *example; /**< a value for `config --init` where there is no default */
    nb__setting_type type;
    nb__setting_where where;
    double min, max;
    const char *choices; /**< "night|day|both|always" */
    bool is_secret;
} nb__setting;

const nb__setting *nb__settings_table(size_t *count);
/** NULL: there is none of that name. */
const nb__setting *nb__settings_row(nb_span name);

/** Where a value came from. A higher one wins over a lower one, whichever is read first. */
typedef enum nb__from {
    NB__FROM_DEFAULT,
    NB__FROM_DEVLP,
    NB__FROM_FILE,
    NB__FROM_ENVIRONMENT,
    NB__FROM_FLAG
} nb__from;

#define NB__APPKEYS_MAX 16

typedef struct nb__appkey {
    char name[32]; /**< a label for logs and status: "main" */
    char appkey[64], secret[256], hts_id[32];
    char custtype;    /**< 'P' or 'B' */
    char origin[300]; /**< "/home/u/.config/nightbook/config.yaml:3", "environment KIS_APP_KEY" … */
} nb__appkey;

/** Heap; what it holds is wiped when it is freed or replaced. NULL: memory is exhausted. */
typedef struct nb__settings nb__settings;
nb__settings *nb__settings_new(void);
void nb__settings_free(nb__settings *settings);

/**
 * Set one by its name. A list grows by values of the same `from` and is replaced by a higher one.
 *
 * @param origin  For people; NULL: "default", "flag --NAME".
 * @retval NB_E_ARGUMENT  no such setting (near names told), not of its type, out of range.
 * @retval NB_E_MEMORY
 */
nb_err nb__settings_set(nb__settings *settings, const char *name, const char *text, nb__from from,
                        const char *origin, nb_error *error);
/**
 * nightbook's own file. Unknown keys, duplicates, aliases, anchors, tags, wrong types, more than
 * one document, more than 64 KiB, bytes that are not UTF-8 are errors that name `path`, line and
 * column, and quote no value: it may be a secret. All or nothing.
 *
 * @retval NB_E_CONFIG
 */
nb_err nb__settings_read_yaml(nb__settings *settings, nb_span text, const char *path,
                              nb_error *error);
/**
 * KIS's kis_devlp.yaml: my_app, my_sec, my_htsid; paper_app and paper_sec only to tell a paper key
 * by. Never an address. Placeholders that were not filled in are an error which names them. Used
 * only when there is no appkey of another origin.
 *
 * @retval NB_E_CONFIG  Not YAML, a placeholder, a paper key; with what to do.
 */
nb_err nb__settings_read_devlp(nb__settings *settings, nb_span text, const char *path,
                               nb_error *error);
/** Environment: KIS_APP_KEY with KIS_APP_SECRET | KIS_SECRET_KEY | KIS_SECRET (two different ones
 * are an error, one half without the other too). Empty ones are none. */
nb_err nb__settings_read_environment(nb__settings *settings, const char *(*get)(const char *name),
                                     nb_error *error);

/* The names below must be in the table: another one is a defect of the caller (assert). */

bool nb__settings_is_given(const nb__settings *settings, const char *name); /**< not by default */
const char *nb__settings_text(const nb__settings *settings, const char *name); /**< NULL: none */
uint64_t nb__settings_number(const nb__settings *settings, const char *name);
double nb__settings_decimal(const nb__settings *settings, const char *name);
size_t nb__settings_list(const nb__settings *settings, const char *name, const char *const **items);
const char *nb__settings_origin(const nb__settings *settings, const char *name);
nb__from nb__settings_from(const nb__settings *settings, const char *name);
/** Call when all is read: rows without custtype or HTS id get those of the settings. */
size_t nb__settings_appkeys(nb__settings *settings, const nb__appkey **out);
/** Whether nightbook's own file gave a secret, so that nobody else may read it. */
bool nb__settings_file_has_secrets(const nb__settings *settings);

/** A value that only its user can judge is wrong: "--pin: …" [NB_E_ARGUMENT] when a flag gave it,
 * else "config.yaml:7: pin: …" [NB_E_CONFIG]. */
nb_err nb__settings_fail(const nb__settings *settings, const char *name, nb_error *error,
                         const char *format, ...) NB__PRINTF(4, 5);

/** Every effective setting with its origin, secrets masked (`PS…(36)`); as text or JSON. */
void nb__settings_print(nb__settings *settings, bool as_json, nb__text *out);
/** The commented file of `nightbook config --init`. */
void nb__settings_print_template(nb__text *out);
/** docs/config.md. */
void nb__settings_print_document(nb__text *out);
/** The default of a row in words: " (default 41)"; "" when it has none. */
void nb__setting_print_default(const nb__setting *row, nb__text *out);

#endif
