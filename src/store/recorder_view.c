/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder's state and counters, for status, metrics and people. */
#include "recorder.h"
#include <string.h>

#define COUNTER(name, field, help)                                                                 \
    {                                                                                              \
        "journal_" name, help, offsetof(nb__recorder_counters, field), false                       \
    }
#define GAUGE(name, field, help)                                                                   \
    {                                                                                              \
        "journal_" name, help, offsetof(nb__recorder_counters, field), true                        \
    }

const nb__metric nb__recorder_metrics[] = {
    GAUGE("recording", is_recording, "1 while a link is up and what comes is recorded"),
    GAUGE("not_recording", is_troubled, "1 while what should be recorded is not: NOT RECORDING"),
    COUNTER("lines_total", lines, "lines written"),
    COUNTER("frames_total", frames, "lines that are data messages"),
    COUNTER("bytes_total", bytes, "bytes written"),
    COUNTER("writes_total", writes, "write calls, one a turn"),
    COUNTER("slow_writes_total", slow_writes, "write calls that took over 50 ms"),
    COUNTER("syncs_total", syncs, "times the disk was waited for, on a helper thread"),
    COUNTER("slow_syncs_total", slow_syncs, "syncs that took over 1 s"),
    COUNTER("segments_total", segments, "segments begun"),
    COUNTER("packed_total", packed, "segments packed"),
    COUNTER("pack_failures_total", pack_failures, "segments that could not be packed"),
    COUNTER("holes_total", holes, "times it came to NOT RECORDING"),
    COUNTER("lost_lines_total", lost_lines, "lines that were not recorded"),
    COUNTER("lost_bytes_total", lost_bytes, "bytes of messages that were not recorded"),
    COUNTER("clock_steps_total", clock_steps, "times the system's clock was set by over 50 ms"),
    COUNTER("removed_nights_total", removed_nights, "old nights removed"),
    GAUGE("write_max_microseconds", write_max_us, "longest write call"),
    GAUGE("sync_max_microseconds", sync_max_us, "longest sync"),
};
const size_t nb__recorder_metric_count = NB__COUNT_OF(nb__recorder_metrics);

/* Read now, not at the turn's begin: it is compared with receive times of this turn. */
int64_t recorder_now_ns(const nb__recorder *r)
{
    (void)r;
    return nb__clock_real_ns();
}

static recorder_state state_of(const nb__recorder *r)
{
    bool has_recorded = false, has_other = false, has_refused = false;
    for (size_t i = 0; i < RECORDER_LINKS_MAX; i++) {
        has_recorded |= r->links[i].is_up && r->links[i].is_recorded;
        has_other |= r->links[i].is_up && !r->links[i].is_recorded;
        has_refused |= r->links[i].is_up && r->links[i].is_refused;
    }
    if (r->trouble.is_on || r->trouble.is_unsynced || has_refused)
        return RECORDER_TROUBLED;
    if (has_recorded)
        return RECORDER_ON;
    return has_other || (r->off_reason[0] != '\0' && !r->is_taken) ? RECORDER_OFF
                                                                   : RECORDER_WAITING;
}

void recorder_state_update(nb__recorder *r)
{
    recorder_state state = state_of(r);
    r->counters.is_recording = state == RECORDER_ON;
    r->counters.is_troubled = state == RECORDER_TROUBLED;
    if (state == r->state)
        return;
    r->state = state;
    r->state_ns = recorder_now_ns(r);
}

static const char *reason_of(const nb__recorder *r)
{
    switch (r->state) {
    case RECORDER_ON:
        return "";
    case RECORDER_OFF:
        return r->off_reason;
    case RECORDER_WAITING:
        return "no link is up";
    default:
        return r->trouble.is_on || r->trouble.is_unsynced ? r->trouble.words : r->refusal;
    }
}

/* Nothing came since the last sync: then all that came is on the disk. */
static int64_t synced_ns(const nb__recorder *r)
{
    bool is_clean = r->sheet != NULL && !r->is_dirty && !r->sheet->is_syncing &&
                    r->synced_ns != 0 && !r->trouble.is_unsynced &&
                    nb__journal_writer_pending(r->writer).size_bytes == 0;
    return is_clean ? nb__loop_real_ns(r->loop) : r->synced_ns;
}

nb__recorder_view nb__recorder_look(const nb__recorder *r)
{
    static const char *const states[] = {
        [RECORDER_WAITING] = "waiting",
        [RECORDER_ON] = "recording",
        [RECORDER_TROUBLED] = "NOT RECORDING",
        [RECORDER_OFF] = "off",
    };
    return (nb__recorder_view){
        .state = states[r->state],
        .reason = reason_of(r),
        .since_ns = r->state_ns,
        .directory = r->directory,
        .segment = r->sheet != NULL ? r->sheet->name : "",
        .segment_bytes = r->sheet != NULL ? nb__journal_writer_size(r->writer) : 0,
        .night_bytes = r->night_bytes,
        .disk_free_bytes = r->free_bytes,
        .nights_left = r->night_mean_bytes > 0 ? (double)r->free_bytes / r->night_mean_bytes : -1,
        .synced_ns = synced_ns(r),
        .counters = &r->counters,
    };
}
