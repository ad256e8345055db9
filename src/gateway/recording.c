/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what comes is recorded, and how long a frame is with us: for status, metrics and page. */
#include "inside.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NOBODY_ASKED "nothing is recorded: `--journal DIR` would"

nb__recorder_view recording_look(const nb__gateway *g)
{
    static const nb__recorder_counters none;
    nb__recorder_view view;
    if (nb__plant_recording(g->plant, &view))
        return view;
    return (nb__recorder_view){.state = "off",
                               .reason = NOBODY_ASKED,
                               .directory = "",
                               .segment = "",
                               .nights_left = -1,
                               .counters = &none};
}

static bool is_lost(const nb__recorder_view *view)
{
    return strcmp(view->state, "NOT RECORDING") == 0;
}

/* ---- status ---- */

static void print_words(nb__text *out, const char *name, const char *words)
{
    nb__text_printf(out, ",\"%s\":", name);
    if (words[0] == '\0')
        nb__text_string(out, "null");
    else
        nb__text_json(out, nb__span(words));
}

static void print_ages(const nb__gateway *g, const nb__recorder_view *view, nb__text *out)
{
    char since[40];
    nb__kst_print(since, view->since_ns, 3);
    print_words(out, "since", view->since_ns > 0 ? since : "");
    if (view->synced_ns > 0)
        nb__text_printf(out, ",\"synced_age_ms\":%" PRId64,
                        recording_synced_age_ns(g, view) / NB__NS_PER_MS);
    else
        nb__text_string(out, ",\"synced_age_ms\":null");
    if (view->nights_left >= 0)
        nb__text_printf(out, ",\"nights_left\":%.1f", view->nights_left);
    else
        nb__text_string(out, ",\"nights_left\":null");
}

void recording_print(const nb__gateway *g, nb__text *out)
{
    nb__recorder_view view = recording_look(g);
    const nb__recorder_counters *counters = view.counters;
    nb__text_printf(out, ",\n\"recorder\":{\"state\":\"%s\"", view.state);
    print_words(out, "reason", view.reason);
    print_words(out, "directory", view.directory);
    print_words(out, "segment", view.segment);
    print_ages(g, &view, out);
    nb__text_printf(out,
                    ",\"segment_bytes\":%" PRIu64 ",\"night_bytes\":%" PRIu64 ",\"lines\":%" PRIu64
                    ",\"bytes\":%" PRIu64 ",\"holes\":%" PRIu64 ",\"lost_lines\":%" PRIu64
                    ",\"lost_bytes\":%" PRIu64 ",\"disk_free_bytes\":%" PRIu64 "}",
                    view.segment_bytes, view.night_bytes, counters->lines, counters->bytes,
                    counters->holes, counters->lost_lines, counters->lost_bytes,
                    view.disk_free_bytes);
    const nb__hist *hist = nb__plant_latency(g->plant);
    nb__text_printf(out,
                    ",\n\"latency\":{\"frames\":%" PRIu64 ",\"p50_ns\":%" PRId64
                    ",\"p99_ns\":%" PRId64 ",\"p999_ns\":%" PRId64 ",\"max_ns\":%" PRId64 "}",
                    hist->count, nb__hist_quantile(hist, 500000), nb__hist_quantile(hist, 990000),
                    nb__hist_quantile(hist, 999000), hist->max);
}

int64_t recording_synced_age_ns(const nb__gateway *g, const nb__recorder_view *view)
{
    int64_t age_ns = nb__loop_real_ns(g->loop) - view->synced_ns;
    return age_ns > 0 ? age_ns : 0; /* the clock was set, or it is of this turn */
}

/* ---- page ---- */

void recording_print_alarm(const nb__gateway *g, nb__text *out)
{
    nb__recorder_view view = recording_look(g);
    if (!is_lost(&view))
        return;
    nb__text_string(out, "<p class=\"alarm\">NOT RECORDING: ");
    page_escape(out, view.reason);
    nb__text_string(out, "</p>\n");
}

/* "recording to DIR, segment 20261123-000001 of 12.3 MB; lost 0 lines" */
void recording_words(const nb__gateway *g, char *out, size_t capacity_bytes)
{
    nb__recorder_view view = recording_look(g);
    if (view.segment[0] == '\0') {
        snprintf(out, capacity_bytes, "%s%s%s", view.state, view.reason[0] != '\0' ? ": " : "",
                 view.reason);
        return;
    }
    snprintf(out, capacity_bytes, "%s to %s: segment %s, %.1f MB; %" PRIu64 " lines lost",
             view.state, view.directory, view.segment, (double)view.segment_bytes / 1e6,
             view.counters->lost_lines);
}
