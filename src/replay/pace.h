/* SPDX-License-Identifier: Apache-2.0 */
/**
 * pace: when what stands at a place of a recording is due. Pure: the caller tells the time.
 *
 *     recorded   recv ──┬──┬───────┬─(clock set by step_ns)─┬──▶    steps taken out, never
 * backwards place      0      3  5       12                       14      ns since the begin due
 * anchor_mono + (place - anchor_place) / speed
 *
 * The anchor is set anew whenever speed or pause change, and after every hold, so that a hold
 * delays what comes and never makes it hurry.
 */
#ifndef NB_REPLAY_PACE_H
#define NB_REPLAY_PACE_H

#include "base/base.h"

typedef struct pace {
    double speed; /**< recorded seconds a second; INFINITY: as fast as it is taken */
    bool is_paused, is_held;
    uint64_t steps_left;    /**< frames that go although it is paused */
    int64_t anchor_mono_ns, /**< then … */
        anchor_place_ns;    /**< … the replay stood here */
    int64_t place_ns;       /**< of the line that was placed last */
    int64_t recv_ns;        /**< when that was received; NB_TIME_UNDEF: none since the begin */
} pace;

/** At place 0, now. Speed, pause, hold and steps stay. */
void pace_begin(pace *p, int64_t mono_ns);
/** The place of the next line. `step_ns`: by how much the clock was set since the line before. */
int64_t pace_place(pace *p, int64_t recv_ns, int64_t step_ns);
/** The first line stands `place_ns` behind the begin. */
void pace_place_first(pace *p, int64_t recv_ns, int64_t place_ns);
/** When it is due: INT64_MIN at once, INT64_MAX not before something changes. */
int64_t pace_due_ns(const pace *p, int64_t place_ns);
/** It was given out at `mono_ns`. @param is_frame  Counts as a step. */
void pace_passed(pace *p, int64_t place_ns, bool is_frame, int64_t mono_ns);
/** Where the replay is; it waits at `next_place_ns` for what stands there. */
int64_t pace_at(const pace *p, int64_t mono_ns, int64_t next_place_ns);

void pace_set_speed(pace *p, double speed, int64_t mono_ns, int64_t next_place_ns);
void pace_pause(pace *p, bool is_paused, int64_t mono_ns, int64_t next_place_ns);
void pace_step(pace *p, uint64_t frames, int64_t mono_ns, int64_t next_place_ns);
/** Somebody is not ready: time stands until it is let go. */
void pace_hold(pace *p, bool is_held, int64_t mono_ns, int64_t next_place_ns);

#endif
