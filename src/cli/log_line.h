/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of a user's log: where its frame begins, and when it was received.
 */
#ifndef NB_CLI_LOG_LINE_H
#define NB_CLI_LOG_LINE_H

#include "kis/kis.h"

typedef enum nb__log_line_kind {
    NB__LINE_FRAME,
    NB__LINE_CONTROL, /* JSON: an answer, a PINGPONG, a request */
    NB__LINE_NOTHING  /* blank, or a '#' comment */
} nb__log_line_kind;

typedef struct nb__log_line {
    nb__log_line_kind kind;
    nb_span frame;        /* from its `0|` or `1|` to the line's end; into the line */
    int64_t recv_ns;      /* NB_TIME_UNDEF: the line tells none */
    bool is_time_strange; /* words stand before the frame, and no time is found in them */
} nb__log_line;

/**
 * Find frame and time in a line (without its '\n').
 *
 * Before the frame may stand anything. A time in it is taken: at the very start 10 digits (seconds
 * since 1970, with or without a fraction), 13 (ms), 16 (us) or 19 (ns); or anywhere the first date
 * and time `2026-11-20 18:00:01,123` (also T, '.', no fraction, no seconds), KST unless a zone
 * follows. Offsets of errors count in the line.
 *
 * @retval NB_E_FRAME  No frame in it, or a frame within JSON.
 */
nb_err nb__log_line_read(nb_span line, nb__log_line *out, nb_error *error);

/** Where someone left out a part of a frame ("...", "…"): its offset, SIZE_MAX when nothing is left
 * out. */
size_t nb__elision_find(nb_span payload);

#endif
