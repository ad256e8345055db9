/* SPDX-License-Identifier: Apache-2.0 */
/* Writing to standard output: all of it, or an error in words. */
#include "stdout.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

nb_err nb__stdout_write(const nb__text *text, nb_error *error)
{
    nb_span rest = nb__text_view(text);
    if (text->is_failed)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    fflush(stdout);
    while (rest.size_bytes > 0) {
        ssize_t size = write(STDOUT_FILENO, rest.data, rest.size_bytes);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EPIPE)
            return NB_OK;
        if (size < 0)
            return nb__fail(error, NB_E_SYSTEM, 0, "stdout: %s", strerrordesc_np(errno));
        rest = (nb_span){rest.data + size, rest.size_bytes - (size_t)size};
    }
    return NB_OK;
}

/* Bytes at `at` that a terminal takes for a command; 0: none. */
static size_t control_bytes(const char *at, const char *end)
{
    if (*at == 0x7F)
        return 1;
    bool is_c1 = (unsigned char)at[0] == 0xC2 && at + 1 < end && (unsigned char)at[1] < 0xA0;
    return is_c1 ? 2 : 0;
}

nb_err nb__stdout_write_json(const nb__text *json, nb_error *error)
{
    nb__text out = {0};
    const char *end = json->data + json->size_bytes, *from = json->data;
    for (const char *at = from; at < end; at++) {
        size_t size = control_bytes(at, end);
        if (size == 0)
            continue;
        nb__text_append(&out, from, (size_t)(at - from));
        nb__text_printf(&out, "\\u%04x", (unsigned char)at[size - 1]);
        at += size - 1;
        from = at + 1;
    }
    nb__text_append(&out, from, (size_t)(end - from));
    nb_err err = nb__stdout_write(&out, error);
    nb__text_fini(&out);
    return err;
}
