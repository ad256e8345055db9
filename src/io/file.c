/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files, and random bytes from the kernel. */
#include "io/io.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define CHUNK_BYTES 65536

static nb_err read_all(int fd, const char *name, size_t size_max, nb__text *text, nb_error *error)
{
    for (;;) {
        char *to = nb__text_reserve(text, CHUNK_BYTES);
        if (to == NULL)
            return nb__fail(error, NB_E_MEMORY, 0, "%.100s: memory is exhausted", name);
        ssize_t size = read(fd, to, CHUNK_BYTES);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return nb__fail(error, NB_E_SYSTEM, 0, "%.100s: %s", name, strerrordesc_np(errno));
        text->size_bytes += (size_t)size;
        text->data[text->size_bytes] = '\0';
        if (size == 0)
            return NB_OK;
        if (text->size_bytes > size_max)
            return nb__fail(error, NB_E_LIMIT, size_max, "%.100s: more than %zu bytes", name,
                            size_max);
    }
}

nb_err nb__file_read(const char *path, size_t size_max, nb__text *out, nb_error *error)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return nb__fail(error, NB_E_SYSTEM, 0, "%.100s: %s", path, strerrordesc_np(errno));
    nb__text text = {0};
    nb_err err = read_all(fd, is_stdin ? "standard input" : path, size_max, &text, error);
    if (!is_stdin)
        close(fd);
    if (err != NB_OK) {
        nb__text_fini(&text);
        return err;
    }
    nb__text_fini(out);
    *out = text;
    return NB_OK;
}

void nb__random_bytes(void *out, size_t size_bytes)
{
    char *at = out;
    while (size_bytes > 0) {
        ssize_t size = getrandom(at, size_bytes, 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0) {
            fputs("nightbook: io: the kernel gives no random bytes\n", stderr);
            abort();
        }
        at += size;
        size_bytes -= (size_t)size;
    }
}
