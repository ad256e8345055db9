/* SPDX-License-Identifier: Apache-2.0 */
/* When what stands at a place is due. Nothing here overflows, whatever times a recording holds. */
#include "pace.h"
#include <math.h>

/* Later than this (the machine slept, the disk was slow), the rest is delayed, too, and does not
 * hurry. */
#define LATE_MAX_NS (100 * NB__NS_PER_MS)

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return b > 0 ? INT64_MAX : INT64_MIN + 1;
    return sum;
}

/* `span_ns` times `factor`, at most what an int64_t holds. */
static int64_t scale(int64_t span_ns, double factor)
{
    double scaled = (double)span_ns * factor;
    return scaled < 9.2e18 ? (int64_t)scaled : INT64_MAX;
}

static bool is_standing(const pace *p)
{
    return p->is_paused || p->is_held;
}

void pace_begin(pace *p, int64_t mono_ns)
{
    p->anchor_mono_ns = mono_ns;
    p->anchor_place_ns = p->place_ns = 0;
    p->recv_ns = NB_TIME_UNDEF;
}

int64_t pace_place(pace *p, int64_t recv_ns, int64_t step_ns)
{
    int64_t passed_ns = 0;
    if (p->recv_ns != NB_TIME_UNDEF && __builtin_sub_overflow(recv_ns, p->recv_ns, &passed_ns))
        passed_ns = 0;
    if (__builtin_sub_overflow(passed_ns, step_ns, &passed_ns) || passed_ns < 0)
        passed_ns = 0;
    p->recv_ns = recv_ns;
    return p->place_ns = add(p->place_ns, passed_ns);
}

void pace_place_first(pace *p, int64_t recv_ns, int64_t place_ns)
{
    p->recv_ns = recv_ns;
    p->place_ns = place_ns > 0 ? place_ns : 0;
}

int64_t pace_due_ns(const pace *p, int64_t place_ns)
{
    if (p->is_held)
        return INT64_MAX;
    if (p->is_paused)
        return p->steps_left > 0 ? INT64_MIN : INT64_MAX;
    if (isinf(p->speed) || place_ns <= p->anchor_place_ns)
        return INT64_MIN;
    return add(p->anchor_mono_ns, scale(place_ns - p->anchor_place_ns, 1 / p->speed));
}

static void anchor(pace *p, int64_t place_ns, int64_t mono_ns)
{
    p->anchor_place_ns = place_ns;
    p->anchor_mono_ns = mono_ns;
}

void pace_passed(pace *p, int64_t place_ns, bool is_frame, int64_t mono_ns)
{
    int64_t due_ns = pace_due_ns(p, place_ns);
    if (p->is_paused || isinf(p->speed) || (due_ns > INT64_MIN && mono_ns - due_ns > LATE_MAX_NS))
        anchor(p, place_ns, mono_ns);
    if (p->is_paused && is_frame && p->steps_left > 0)
        p->steps_left--;
}

int64_t pace_at(const pace *p, int64_t mono_ns, int64_t next_place_ns)
{
    if (is_standing(p) || isinf(p->speed) || mono_ns <= p->anchor_mono_ns)
        return p->anchor_place_ns;
    int64_t at_ns = add(p->anchor_place_ns, scale(mono_ns - p->anchor_mono_ns, p->speed));
    return at_ns < next_place_ns ? at_ns : next_place_ns;
}

void pace_set_speed(pace *p, double speed, int64_t mono_ns, int64_t next_place_ns)
{
    anchor(p, pace_at(p, mono_ns, next_place_ns), mono_ns);
    p->speed = speed;
}

void pace_pause(pace *p, bool is_paused, int64_t mono_ns, int64_t next_place_ns)
{
    anchor(p, pace_at(p, mono_ns, next_place_ns), mono_ns);
    p->is_paused = is_paused;
    p->steps_left = 0;
}

void pace_step(pace *p, uint64_t frames, int64_t mono_ns, int64_t next_place_ns)
{
    uint64_t left = p->is_paused ? p->steps_left : 0;
    pace_pause(p, true, mono_ns, next_place_ns);
    p->steps_left = frames < UINT64_MAX - left ? left + frames : UINT64_MAX;
}

void pace_hold(pace *p, bool is_held, int64_t mono_ns, int64_t next_place_ns)
{
    if (p->is_held == is_held)
        return;
    anchor(p, pace_at(p, mono_ns, next_place_ns), mono_ns);
    p->is_held = is_held;
}
