/* SPDX-License-Identifier: Apache-2.0 */
/* One line an event on stderr, written by one write so that lines of several processes do not mix.
 */
#include "base/base.h"
#include <stdio.h>
#include <unistd.h>

static nb__log_level least_level = NB__LOG_INFO;

void nb__log_set_level(nb__log_level least)
{
    least_level = least;
}

void nb__log(nb__log_level level, const char *room, const char *format, ...)
{
    static const char *const words[] = {"debug: ", "", "warning: ", "error: "};
    if (level < least_level)
        return;
    nb__text line = {0};
    nb__text_printf(&line, "nightbook: %s%s: ", words[level], room);
    char sentence[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    nb__text_string(&line, sentence);
    nb__text_append(&line, "\n", 1);
    if (!line.is_failed && write(STDERR_FILENO, line.data, line.size_bytes) < 0) {
        /* nowhere left to say it */
    }
    nb__text_fini(&line);
}
