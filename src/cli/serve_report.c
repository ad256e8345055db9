/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report that `serve` writes by itself when a night is over, beside the night's segments.
 *
 *     clock passes the end, or the plant says `report` (its evidence is written)
 *       └─▶ helper thread: recording ─▶ report.json, .txt, .html ─▶ notice `report` with the path
 *
 * The loop never waits for it: it reads the whole night, which takes seconds. Night and end are
 * those of session time, so that a simulated night that takes a minute has its report, too.
 */
#include "report_night.h"
#include "serve.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATE_NS (600 * NB__NS_PER_S) /* of session time: late frames are of the night */
#define EVIDENCE_LATE_NS                                                                           \
    (900 * NB__NS_PER_S) /* live: the plant says when its evidence is there                        \
                          */
#define LOOK_NS (200 * NB__NS_PER_MS)
#define LOOK_LIVE_NS (30 * NB__NS_PER_S)
#define AGAIN_NS (5 * NB__NS_PER_S)

struct nb__serve_report {
    nb__serve *serve;
    nb__timer timer, again;
    nb__worker *worker;
    nb__job job;
    int trade_date, reported_date;      /* of the night that is seen; of the last one reported */
    char directory[NB__STORE_PATH_MAX]; /* of what is recorded now; "": nothing is */
    bool is_running, is_second_try;
    /* of the job */
    char night[NB__STORE_PATH_MAX];
    const char *evidence_directory;
    volatile bool stop;
    nb_err err;
    nb_error error;
    uint64_t damages;
};

/* ---- on the helper thread ---- */

static void make_report(nb__job *job)
{
    nb__serve_report *r = (nb__serve_report *)((char *)job - offsetof(nb__serve_report, job));
    nb__nightly *nightly = NULL;
    r->damages = 0;
    r->err = nb__report_night(r->night, r->evidence_directory, 0, nb__serve_calendar(r->serve),
                              &r->stop, &nightly, &r->error);
    if (r->err != NB_OK)
        return;
    r->damages = nb__nightly_damages(nightly);
    r->err = nb__report_write(nightly, r->night, &r->error);
    nb__nightly_free(nightly);
}

/* ---- on the loop ---- */

static void report_made(nb__job *job)
{
    nb__serve_report *r = (nb__serve_report *)((char *)job - offsetof(nb__serve_report, job));
    nb__serve *s = r->serve;
    char path[NB__STORE_PATH_MAX + 32];
    r->is_running = false;
    if (r->err != NB_OK) {
        nb__log(NB__LOG_WARN, "report",
                "the report of %s could not be written: %s\n"
                "when that is mended: nightbook report %s",
                r->night, r->error.detail, r->night);
        return;
    }
    if (r->damages > 0 && !r->is_second_try) { /* a segment may have been packed under our eyes */
        r->is_second_try = true;
        nb__timer_set(s->loop, &r->again, nb__loop_mono_ns(s->loop) + AGAIN_NS);
        return;
    }
    snprintf(path, sizeof path, "%s/report.html", r->night);
    nb__log(NB__LOG_INFO, "report", "the night is over: its report is %s\nnightbook report %s",
            path, r->night);
    const nb__notice notice = {.kind = NB__NOTICE_REPORT,
                               .recv_ns = nb__loop_real_ns(s->loop),
                               .feed = nb__plant_feed_name(s->plant),
                               .detail = path};
    nb__notify_tell(&s->notify, &notice);
}

static void add_job(nb__serve_report *r)
{
    nb_error error;
    if (r->worker == NULL) {
        if (nb__worker_new(r->serve->loop, "nb-report", &r->worker, &error) != NB_OK) {
            nb__log(NB__LOG_WARN, "report", "no report of this night: %s\nnightbook report",
                    error.detail);
            return;
        }
        nb__worker_calm(r->worker);
    }
    r->is_running = true;
    nb__worker_add(r->worker, &r->job);
}

static void start(nb__serve_report *r)
{
    if (r->is_running || r->directory[0] == '\0' || r->trade_date == r->reported_date)
        return;
    r->reported_date = r->trade_date;
    r->is_second_try = false;
    memcpy(r->night, r->directory, sizeof r->night);
    add_job(r);
}

static void try_again(nb__timer *timer, int64_t now_mono_ns)
{
    (void)now_mono_ns;
    nb__serve_report *r = (nb__serve_report *)((char *)timer - offsetof(nb__serve_report, again));
    if (!r->is_running)
        add_job(r);
}

/* Where the segment lies that is written now; the last one when none is. */
static void note_directory(nb__serve_report *r)
{
    nb__recorder_view view;
    int night;
    uint32_t number;
    char name[NB__JOURNAL_NAME_BYTES + 8];
    if (!nb__plant_recording(r->serve->plant, &view) || view.segment[0] == '\0')
        return;
    snprintf(name, sizeof name, "%s.log", view.segment);
    if (nb__journal_name_parse(nb__span(name), &night, &number) != NB__JOURNAL_FILE_NONE &&
        snprintf(r->directory, sizeof r->directory, "%s/%d", view.directory, night) >=
            (int)sizeof r->directory)
        r->directory[0] = '\0';
}

static void look(nb__timer *timer, int64_t now_mono_ns)
{
    nb__serve_report *r = (nb__serve_report *)((char *)timer - offsetof(nb__serve_report, timer));
    nb__serve *s = r->serve;
    const nb__session_clock *clock = nb__plant_clock(s->plant);
    int64_t now_ns = nb__session_clock_at(clock, nb__loop_real_ns(s->loop));
    nb_night night = nb_night_before(nb__serve_calendar(s), now_ns);
    int64_t late_ns = nb__plant_evidence(s->plant) != NULL ? EVIDENCE_LATE_NS : LATE_NS;
    if (night.phase != NB_PHASE_CLOSED) {
        if (r->trade_date != night.trade_date)
            start(r); /* a look-alike goes from one night to the next */
        r->trade_date = night.trade_date;
        note_directory(r);
    } else if (r->trade_date == night.trade_date && night.trade_date != NB_DATE_UNDEF &&
               now_ns >= night.end_ns + late_ns) {
        start(r);
    }
    bool is_live = clock->kind == NB__FEED_LIVE; /* others may run at any speed, or not yet say */
    nb__timer_set(s->loop, timer, now_mono_ns + (is_live ? LOOK_LIVE_NS : LOOK_NS));
}

void nb__serve_tell(void *self, const nb__notice *notice)
{
    nb__serve *s = self;
    if (notice->kind == NB__NOTICE_REPORT && s->report != NULL && s->report->directory[0] != '\0')
        start(s->report); /* it tells when it is written */
    else
        nb__notify_tell(&s->notify, notice);
}

void nb__serve_report_begin(nb__serve *s)
{
    nb__recorder_view view;
    if (!nb__plant_recording(s->plant, &view) || (s->report = calloc(1, sizeof *s->report)) == NULL)
        return;
    nb__serve_report *r = s->report;
    r->serve = s;
    r->timer.fire = look;
    r->again.fire = try_again;
    r->job.run = make_report;
    r->job.done = report_made;
    r->evidence_directory =
        nb__plant_evidence(s->plant) != NULL ? nb__settings_text(s->settings, "state-dir") : NULL;
    nb__timer_set(s->loop, &r->timer, nb__loop_mono_ns(s->loop) + LOOK_NS);
}

void nb__serve_report_end(nb__serve *s)
{
    nb__serve_report *r = s->report;
    if (r == NULL)
        return;
    nb__timer_cancel(s->loop, &r->timer);
    nb__timer_cancel(s->loop, &r->again);
    r->stop = true;
    if (r->worker != NULL)
        nb__worker_free(r->worker);
    free(r);
    s->report = NULL;
}
