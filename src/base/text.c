/* SPDX-License-Identifier: Apache-2.0 */
/* Growable text, for what is built once and sent. A failed allocation is remembered and checked
 * once, at the end. */
#include "base/base.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void nb__text_fini(nb__text *text)
{
    free(text->data);
    *text = (nb__text){0};
}

void nb__text_wipe(nb__text *text)
{
    if (text->data != NULL)
        explicit_bzero(text->data, text->capacity_bytes);
    nb__text_fini(text);
}

void nb__text_clear(nb__text *text)
{
    text->size_bytes = 0;
    text->is_failed = false;
    if (text->capacity_bytes > 0)
        text->data[0] = '\0';
}

char *nb__text_reserve(nb__text *text, size_t size_bytes)
{
    if (text->is_failed)
        return NULL;
    if (size_bytes > PTRDIFF_MAX - text->size_bytes - 1) { /* no object is larger */
        text->is_failed = true;
        return NULL;
    }
    size_t needed = text->size_bytes + size_bytes + 1;
    if (needed > text->capacity_bytes) {
        size_t capacity = text->capacity_bytes < 64 ? 64 : text->capacity_bytes;
        while (capacity < needed)
            capacity += capacity / 2 + 16;
        char *data = realloc(text->data, capacity);
        if (data == NULL) {
            text->is_failed = true;
            return NULL;
        }
        text->data = data;
        text->capacity_bytes = capacity;
    }
    return text->data + text->size_bytes;
}

void nb__text_append(nb__text *text, const void *data, size_t size_bytes)
{
    char *to = nb__text_reserve(text, size_bytes);
    if (to == NULL)
        return;
    if (size_bytes > 0)
        memcpy(to, data, size_bytes);
    to[size_bytes] = '\0';
    text->size_bytes += size_bytes;
}

void nb__text_string(nb__text *text, const char *string)
{
    nb__text_append(text, string, strlen(string));
}

void nb__text_printf(nb__text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    char small[256];
    int size = vsnprintf(small, sizeof small, format, args);
    if (size >= 0 && (size_t)size < sizeof small) {
        nb__text_append(text, small, (size_t)size);
    } else if (size >= 0) {
        char *to = nb__text_reserve(text, (size_t)size);
        if (to != NULL) {
            vsnprintf(to, (size_t)size + 1, format, again);
            text->size_bytes += (size_t)size;
        }
    } else {
        text->is_failed = true;
    }
    va_end(again);
    va_end(args);
}

static void json_escape(nb__text *text, unsigned char c)
{
    switch (c) {
    case '"':
        nb__text_string(text, "\\\"");
        break;
    case '\\':
        nb__text_string(text, "\\\\");
        break;
    case '\n':
        nb__text_string(text, "\\n");
        break;
    case '\r':
        nb__text_string(text, "\\r");
        break;
    case '\t':
        nb__text_string(text, "\\t");
        break;
    default:
        nb__text_printf(text, "\\u%04x", c);
    }
}

void nb__text_json(nb__text *text, nb_span value)
{
    nb__text_append(text, "\"", 1);
    while (value.size_bytes > 0) {
        size_t valid = nb__utf8_valid_prefix(value), at = 0;
        for (size_t i = 0; i < valid; i++) {
            unsigned char c = (unsigned char)value.data[i];
            if (c >= 0x20 && c != '"' && c != '\\')
                continue;
            nb__text_append(text, value.data + at, i - at);
            json_escape(text, c);
            at = i + 1;
        }
        nb__text_append(text, value.data + at, valid - at);
        if (valid < value.size_bytes) {
            nb__text_string(text, "\xEF\xBF\xBD");
            valid++;
        }
        value.data += valid;
        value.size_bytes -= valid;
    }
    nb__text_append(text, "\"", 1);
}

nb_span nb__text_view(const nb__text *text)
{
    return (nb_span){text->data, text->size_bytes};
}
