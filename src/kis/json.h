/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON from outside, read strictly: no duplicate keys, no NUL, only UTF-8, at most
 * NB__CONTROL_MESSAGE_MAX bytes.
 */
#ifndef NB_KIS_JSON_H
#define NB_KIS_JSON_H

#include "kis/kis.h"
#include <jansson.h>

/** NULL when the text is not such JSON. The caller ends it with json_decref(). */
json_t *nb__json_load(nb_span text);
/** A member that is a string, borrowed from `object`; `data` is NULL when it is none. */
nb_span nb__json_string(const json_t *object, const char *name);
/** Copy a string or an integer as text. @return false, `out` "" when it is none or too long. */
bool nb__json_copy(const json_t *object, const char *name, char *out, size_t capacity_bytes);
/** The same for prose: what is too long is cut between two characters. */
bool nb__json_copy_prose(const json_t *object, const char *name, char *out, size_t capacity_bytes);
/** Overwrite a secret member, so that it does not stay in freed memory. */
void nb__json_wipe(json_t *object, const char *name);

#endif
