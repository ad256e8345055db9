/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A script of faults: a line is a time, or two with `..` between, then a fault.
 *
 *     # the link dies at 18:05
 *     +30s           in-use:60
 *     18:05:00       silent
 *     +10s..+40s     latency:200ms,jitter=50ms
 *
 * `+TIME` counts real seconds from the start, `HH:MM[:SS]` is session time.
 */
#include "fault.h"
#include <string.h>

#define SHOWN_BYTES_MAX 40
#define LINE_BYTES_MAX 512
/* Session times belong to the night: 17:00 in the evening to 07:00 in the morning. */
#define EVENING_HHMMSS 170000
#define MORNING_HHMMSS 70000

static int shown_bytes(nb_span text)
{
    return (int)(text.size_bytes < SHOWN_BYTES_MAX ? text.size_bytes : SHOWN_BYTES_MAX);
}

typedef struct instant {
    bool is_session_time;
    int64_t at; /* ns, or HHMMSS with hours 17–30 */
} instant;

static bool parse_time_of_day(nb_span text, int64_t *hhmmss)
{
    if ((text.size_bytes != 5 && text.size_bytes != 8) || text.data[2] != ':' ||
        (text.size_bytes == 8 && text.data[5] != ':'))
        return false;
    char digits[6] = {text.data[0], text.data[1], text.data[3], text.data[4], '0', '0'};
    if (text.size_bytes == 8)
        memcpy(digits + 4, text.data + 6, 2);
    int number = nb_hhmmss_parse((nb_span){digits, sizeof digits});
    if (number < 0 || (number >= MORNING_HHMMSS && number < EVENING_HHMMSS))
        return false;
    *hhmmss = number < MORNING_HHMMSS ? number + 240000 : number;
    return true;
}

static nb_err parse_instant(nb_span text, instant *out, nb_error *error)
{
    out->is_session_time = text.size_bytes == 0 || text.data[0] != '+';
    if (out->is_session_time
            ? parse_time_of_day(text, &out->at)
            : nb__sim_time_parse((nb_span){text.data + 1, text.size_bytes - 1}, &out->at))
        return NB_OK;
    return nb__fail(error, NB_E_ARGUMENT, 0,
                    "\"%.*s\" is no time; give +30s (from the start) or 18:05:00 (of the night)",
                    shown_bytes(text), text.data);
}

static nb_err parse_when(nb_span text, nb__sim_fault *fault, nb_error *error)
{
    const char *dots = text.size_bytes == 0 ? NULL : memmem(text.data, text.size_bytes, "..", 2);
    nb_span first = {text.data, dots != NULL ? (size_t)(dots - text.data) : text.size_bytes};
    instant begin, end;
    nb_err err = parse_instant(first, &begin, error);
    if (err != NB_OK)
        return err;
    fault->when = NB__SIM_WHEN_AT;
    fault->is_session_time = begin.is_session_time;
    fault->begin = begin.at;
    if (dots == NULL)
        return NB_OK;
    nb_span second = {dots + 2, text.size_bytes - first.size_bytes - 2};
    err = parse_instant(second, &end, error);
    if (err != NB_OK)
        return err;
    if (end.is_session_time != begin.is_session_time || end.at <= begin.at)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "%.*s: the end has to come after the begin, both of one kind",
                        shown_bytes(text), text.data);
    fault->when = NB__SIM_WHEN_BETWEEN;
    fault->end = end.at;
    return NB_OK;
}

/* At an instant, what strikes connections strikes at once unless a time is said. */
static void strike_at_once(nb__sim_fault *fault)
{
    const nb__sim_fault_row *row = nb__sim_fault_at(fault->kind);
    for (size_t i = 0; i < NB__SIM_FAULT_PARAMS_MAX; i++)
        if ((row->is_cut || fault->kind == NB__FAULT_FRIDAY_RESTART) &&
            row->params[i].name != NULL && strcmp(row->params[i].name, "after") == 0 &&
            (fault->given >> i & 1) == 0)
            fault->values[i] = 0;
}

static nb_err parse_line(nb_span line, nb__sim_fault *out, nb_error *error)
{
    size_t at = 0;
    while (at < line.size_bytes && line.data[at] != ' ' && line.data[at] != '\t')
        at++;
    nb__sim_fault when = {0};
    nb_err err = parse_when((nb_span){line.data, at}, &when, error);
    if (err != NB_OK)
        return err;
    nb_span rest = nb__span_trim((nb_span){line.data + at, line.size_bytes - at});
    if (rest.size_bytes == 0)
        return nb__fail(error, NB_E_ARGUMENT, 0, "there is a time and no fault");
    err = nb__sim_fault_parse(rest, out, error);
    if (err != NB_OK)
        return err;
    out->when = when.when;
    out->is_session_time = when.is_session_time;
    out->begin = when.begin;
    out->end = when.end;
    if (out->when == NB__SIM_WHEN_AT)
        strike_at_once(out);
    return NB_OK;
}

/* The line without its comment, its blanks and a carriage return. */
static nb_span strip(nb_span line)
{
    const char *comment = line.size_bytes == 0 ? NULL : memchr(line.data, '#', line.size_bytes);
    if (comment != NULL)
        line.size_bytes = (size_t)(comment - line.data);
    if (line.size_bytes > 0 && line.data[line.size_bytes - 1] == '\r')
        line.size_bytes--;
    return nb__span_trim(line);
}

static nb_err add_lines(nb__sim_faults *faults, nb_span text, uint32_t *line_number,
                        nb_error *error)
{
    for (size_t at = 0; at < text.size_bytes;) {
        nb_span rest = {text.data + at, text.size_bytes - at};
        const char *newline = memchr(rest.data, '\n', rest.size_bytes);
        size_t size_bytes = newline != NULL ? (size_t)(newline - rest.data) : rest.size_bytes;
        at += size_bytes + 1;
        ++*line_number;
        nb_span line = strip((nb_span){rest.data, size_bytes});
        if (line.size_bytes == 0)
            continue;
        if (line.size_bytes > LINE_BYTES_MAX)
            return nb__fail(error, NB_E_ARGUMENT, 0, "longer than %d bytes", LINE_BYTES_MAX);
        nb__sim_fault fault;
        nb_err err = parse_line(line, &fault, error);
        if (err != NB_OK)
            return err;
        fault.line = *line_number;
        err = nb__sim_faults_append(faults, &fault, error);
        if (err != NB_OK)
            return err;
    }
    return NB_OK;
}

nb_err nb__sim_faults_add_script(nb__sim_faults *faults, nb_span text, nb_error *error)
{
    uint32_t count = faults->count, line_number = 0;
    nb_err err = add_lines(faults, text, &line_number, error);
    if (err == NB_OK)
        return NB_OK;
    faults->count = count;
    nb__fail_in(error, "line %u", line_number);
    return err;
}
