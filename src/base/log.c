/* SPDX-License-Identifier: Apache-2.0 */
/* One line an event on stderr, written by one write so that lines of several processes do not mix.
 */
#include "base/base.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static nb__log_level least_level = NB__LOG_INFO;

void nb__log_set_level(nb__log_level least)
{
    least_level = least;
}

/* Later lines are indented, so that no peer's words can look like a line of ours. */
static void append_lines(nb__text *line, char *sentence)
{
    for (;;) {
        size_t size = strcspn(sentence, "\n");
        bool is_last = sentence[size] == '\0';
        nb__make_printable(sentence, size);
        nb__text_append(line, sentence, size);
        sentence += size + 1;
        nb__text_string(line, is_last || sentence[0] == ' ' ? "\n" : "\n  ");
        if (is_last)
            return;
    }
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
    append_lines(&line, sentence);
    if (!line.is_failed && write(STDERR_FILENO, line.data, line.size_bytes) < 0) {
        /* nowhere left to say it */
    }
    nb__text_fini(&line);
}
