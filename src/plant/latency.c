/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a frame is with us: from the read of its bytes to the end of the turn in which they
 * left, by the monotonic clock. Always on: a row a read, one clock read a turn.
 *
 * What a client's full socket keeps back is not in it. A frame that left in the middle of a large
 * turn counts as if it had left at its end.
 */
#include "inside.h"

void nb__latency_frame(nb__plant *plant, int64_t recv_ns)
{
    nb__latency *latency = &plant->latency;
    if (latency->row_count > 0 && latency->rows[latency->row_count - 1].recv_ns == recv_ns) {
        latency->rows[latency->row_count - 1].frames++;
        return;
    }
    if (latency->row_count == LATENCY_ROWS_MAX) { /* with those that came before it: never less */
        latency->rows[LATENCY_ROWS_MAX - 1].frames++;
        return;
    }
    latency->rows[latency->row_count++] = (nb__latency_row){recv_ns, 1};
}

/* When it was read: the time stamp is of the clock that may be set, and in a replay of another day.
 * What cannot be of this turn counts from the turn's begin, which is earlier. */
static int64_t read_mono_ns(const nb__loop *loop, int64_t recv_ns, int64_t now_mono_ns)
{
    int64_t begin_ns = nb__loop_mono_ns(loop), begin_real_ns = nb__loop_real_ns(loop);
    if (recv_ns < begin_real_ns || recv_ns - begin_real_ns > now_mono_ns - begin_ns)
        return begin_ns;
    return begin_ns + (recv_ns - begin_real_ns);
}

static void turn_ended(nb__hook *hook)
{
    nb__plant *plant = (nb__plant *)((char *)hook - offsetof(nb__plant, latency.hook));
    nb__latency *latency = &plant->latency;
    if (latency->row_count == 0)
        return;
    int64_t now_ns = nb__clock_mono_ns();
    for (uint32_t i = 0; i < latency->row_count; i++) {
        const nb__latency_row *row = &latency->rows[i];
        int64_t took_ns = now_ns - read_mono_ns(plant->loop, row->recv_ns, now_ns);
        nb__hist_add(&latency->hist, took_ns, row->frames);
        if (plant->keeper.evidence != NULL)
            nb__evidence_latency(plant->keeper.evidence, took_ns, row->frames);
    }
    latency->row_count = 0;
}

void nb__latency_hook(nb__plant *plant)
{
    plant->latency.hook.turn_end = turn_ended;
    nb__hook_remove(plant->loop, &plant->latency.hook);
    nb__hook_add(plant->loop, &plant->latency.hook);
}

void nb__latency_unhook(nb__plant *plant)
{
    nb__hook_remove(plant->loop, &plant->latency.hook);
}

const nb__hist *nb__plant_latency(const nb__plant *plant)
{
    return &plant->latency.hist;
}
