/* SPDX-License-Identifier: Apache-2.0 */
/* The few things that control messages need of jansson, always with the same strictness. */
#include "json.h"
#include <stdio.h>
#include <string.h>

json_t *nb__json_load(nb_span text)
{
    if (text.size_bytes == 0 || text.size_bytes > NB__CONTROL_MESSAGE_MAX)
        return NULL;
    return json_loadb(text.data, text.size_bytes, JSON_REJECT_DUPLICATES, NULL);
}

nb_span nb__json_string(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return (nb_span){json_string_value(value), json_string_length(value)};
}

bool nb__json_copy(const json_t *object, const char *name, char *out, size_t capacity_bytes)
{
    const json_t *value = json_object_get(object, name);
    char digits[24];
    nb_span text = nb__json_string(object, name);
    if (json_is_integer(value)) {
        int size =
            snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        text = (nb_span){digits, (size_t)size};
    }
    return nb__span_copy(text, out, capacity_bytes) && text.data != NULL;
}

bool nb__json_copy_prose(const json_t *object, const char *name, char *out, size_t capacity_bytes)
{
    nb_span text = nb__json_string(object, name);
    if (text.size_bytes >= capacity_bytes)
        text.size_bytes = nb__utf8_valid_prefix((nb_span){text.data, capacity_bytes - 1});
    return nb__span_copy(text, out, capacity_bytes) && text.data != NULL;
}

void nb__json_wipe(json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    if (json_is_string(value)) /* jansson's own copy; it has no call that wipes */
        explicit_bzero((char *)json_string_value(value), json_string_length(value));
}
