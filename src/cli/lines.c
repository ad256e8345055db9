/* SPDX-License-Identifier: Apache-2.0 */
/* Lines with read(2), so that a line that came through a pipe is never held back until a buffer is
 * full. */
#include "lines.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAPACITY_BYTES (NB__LINE_MAX_BYTES + 65536)

nb_err nb__lines_open(nb__lines *lines, const char *path, nb_error *error)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return nb__fail(error, errno == ENOENT ? NB_E_NOT_FOUND : NB_E_SYSTEM, 0,
                        "cannot be opened: %s", strerror(errno));
    *lines = (nb__lines){.fd = fd, .buffer = malloc(CAPACITY_BYTES)};
    if (lines->buffer == NULL) {
        nb__lines_close(lines);
        return nb__fail(error, NB_E_MEMORY, 0, "no memory to read it");
    }
    return NB_OK;
}

void nb__lines_close(nb__lines *lines)
{
    if (lines->fd != STDIN_FILENO)
        close(lines->fd);
    free(lines->buffer);
    lines->buffer = NULL;
}

/* Without a '\n' in sight: wait for more, give up on a line that is too long, or take the file's
 * last line. */
static nb__lines_state take_without_newline(nb__lines *lines, nb_span *line)
{
    size_t size = lines->end - lines->start;
    lines->searched = lines->end;
    if (lines->is_skipping || size > NB__LINE_MAX_BYTES) {
        lines->is_skipping = true;
        lines->start = lines->end = lines->searched = 0;
        if (!lines->is_ended)
            return NB__LINES_NEED;
        lines->is_skipping = false;
        lines->number++;
        return NB__LINES_TOO_LONG;
    }
    if (!lines->is_ended)
        return NB__LINES_NEED;
    if (size == 0)
        return NB__LINES_END;
    *line = (nb_span){lines->buffer + lines->start, size};
    lines->start = lines->end;
    lines->number++;
    return NB__LINES_TAKEN;
}

nb__lines_state nb__lines_take(nb__lines *lines, nb_span *line)
{
    const char *from = lines->buffer + lines->searched;
    const char *newline = memchr(from, '\n', lines->end - lines->searched);
    if (newline == NULL)
        return take_without_newline(lines, line);
    *line =
        (nb_span){lines->buffer + lines->start, (size_t)(newline - (lines->buffer + lines->start))};
    lines->start = lines->searched = (size_t)(newline - lines->buffer) + 1;
    lines->number++;
    bool is_too_long = lines->is_skipping || line->size_bytes > NB__LINE_MAX_BYTES;
    lines->is_skipping = false;
    return is_too_long ? NB__LINES_TOO_LONG : NB__LINES_TAKEN;
}

nb_err nb__lines_fill(nb__lines *lines, nb_error *error)
{
    size_t size = lines->end - lines->start;
    if (lines->start > 0) {
        memmove(lines->buffer, lines->buffer + lines->start, size);
        lines->searched -= lines->start;
        lines->start = 0;
        lines->end = size;
    }
    ssize_t got;
    do {
        got = read(lines->fd, lines->buffer + size, CAPACITY_BYTES - size);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return nb__fail(error, NB_E_SYSTEM, 0, "cannot be read: %s", strerror(errno));
    lines->end += (size_t)got;
    lines->is_ended = got == 0;
    return NB_OK;
}
