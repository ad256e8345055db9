/* SPDX-License-Identifier: Apache-2.0 */
/* config's own: what nb__settings holds. */
#ifndef NB_CONFIG_SETTINGS_H
#define NB_CONFIG_SETTINGS_H

#include "config/config.h"

#define NB__SETTINGS_COUNT 58
#define NB__SETTING_TEXT_MAX ((size_t)4096)
#define NB__APPKEY_ORIGIN_MAX 300

/* A scalar is a list of one. Not given: from is DEFAULT and items are empty, or what the caller put
 * in place of the table's default. */
typedef struct nb__setting_value {
    nb__from from;
    char origin[NB__APPKEY_ORIGIN_MAX];
    char **items;
    size_t count;
} nb__setting_value;

struct nb__settings {
    nb__setting_value values[NB__SETTINGS_COUNT]; /* in the table's order */
    nb__appkey *appkeys;                          /* NB__APPKEYS_MAX */
    size_t appkey_count;
    nb__from appkeys_from;
    bool has_file_secrets;
};

void nb__setting_value_clear(nb__setting_value *value);
/** The words of what is wrong with a value, without quoting it: it may be a secret. */
nb_err nb__setting_check(const nb__setting *row, const char *text, nb_error *error);
/** One more item; `text` is valid. A higher `from` replaces what is there, a lower one does
 * nothing. */
nb_err nb__setting_put(nb__settings *settings, const nb__setting *row, const char *text,
                       nb__from from, const char *origin, nb_error *error);
nb__setting_value *nb__setting_value_of(const nb__settings *settings, const nb__setting *row);

/* ---- appkeys (appkeys.c) ---- */

/** Why a text cannot be an appkey or secret: "is empty", "still holds a sample's text" …; NULL: it
 * can. */
const char *nb__secret_fault(const char *text, size_t least_bytes, size_t capacity_bytes);
/** One more; a higher `from` replaces all. Names are made unique by the caller. */
nb_err nb__appkeys_add(nb__settings *settings, const nb__appkey *appkey, nb__from from,
                       nb_error *error);
/** Take what was read from a file, where nothing higher is given. `read` is left empty. */
void nb__settings_overlay(nb__settings *settings, nb__settings *read);

#endif
