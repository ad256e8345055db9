/* SPDX-License-Identifier: Apache-2.0 */
/* YAML as events (libyaml), scalars as text, with line and column for every complaint. */
#ifndef NB_CONFIG_YAML_H
#define NB_CONFIG_YAML_H

#include "base/base.h"
#include <yaml.h>

#define NB__YAML_TEXT_MAX ((size_t)64 << 10)
#define NB__YAML_DEPTH_MAX 32

typedef struct nb__yaml {
    yaml_parser_t parser;
    yaml_event_t event; /**< the present one */
    bool has_event;
    bool is_strict;    /**< aliases, anchors, tags and a second document are errors */
    nb_span text;      /**< borrowed, behind its byte order mark */
    size_t mark_bytes; /**< of that mark */
    const char *path;  /**< for messages; borrowed */
    nb_error *error;
} nb__yaml;

/**
 * Begin: checks size and UTF-8, reads up to the first node. The caller's memory; nb__yaml_fini()
 * also after a failure.
 *
 * @param[out] is_empty  No node at all: nothing but comments.
 * @retval NB_E_CONFIG
 */
nb_err nb__yaml_init(nb__yaml *yaml, nb_span text, const char *path, bool is_strict, bool *is_empty,
                     nb_error *error);
void nb__yaml_fini(nb__yaml *yaml);
nb_err nb__yaml_next(nb__yaml *yaml);
/** The present node (a value) and all in it; the present event is then its last. */
nb_err nb__yaml_skip(nb__yaml *yaml);
/** After the last node: nothing may follow. */
nb_err nb__yaml_end(nb__yaml *yaml);

bool nb__yaml_is(const nb__yaml *yaml, yaml_event_type_t type);
/** The present scalar's text, NUL-terminated, and its size. */
const char *nb__yaml_scalar(const nb__yaml *yaml, size_t *size_bytes);
/** A plain scalar that other readers take for null: nothing, ~, null. */
bool nb__yaml_is_null(const nb__yaml *yaml);
size_t nb__yaml_line(const nb__yaml *yaml); /**< of the present event, from 1 */
/** "PATH:LINE:COLUMN: words" at the present event. */
nb_err nb__yaml_fail(nb__yaml *yaml, const char *format, ...) NB__PRINTF(2, 3);

#endif
