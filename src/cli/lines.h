/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of a file or pipe, each as soon as it is there, in bounded memory.
 */
#ifndef NB_CLI_LINES_H
#define NB_CLI_LINES_H

#include "base/base.h"

#define NB__LINE_MAX_BYTES (1u << 20) /* without its '\n' */

/** Caller's; opened by nb__lines_open(). */
typedef struct nb__lines {
    int fd;
    bool is_skipping; /* in a line that is too long: its rest is thrown away */
    bool is_ended;
    int64_t number; /* of the line taken last, from 1 */
    char *buffer;
    size_t start, end, searched; /* the bytes not yet taken; up to `searched` there is no '\n' */
} nb__lines;

typedef enum nb__lines_state {
    NB__LINES_TAKEN,    /* `line` is filled, until the next call */
    NB__LINES_TOO_LONG, /* a line over NB__LINE_MAX_BYTES went by */
    NB__LINES_NEED,     /* fill first */
    NB__LINES_END
} nb__lines_state;

/** @param path  "-" is the standard input. @retval NB_E_NOT_FOUND, NB_E_SYSTEM, NB_E_MEMORY */
nb_err nb__lines_open(nb__lines *lines, const char *path, nb_error *error);
void nb__lines_close(nb__lines *lines);
nb__lines_state nb__lines_take(nb__lines *lines, nb_span *line);
/** Read once; blocks. At the end of the file the next takes give the last line, and then the end.
 */
nb_err nb__lines_fill(nb__lines *lines, nb_error *error);

#endif
