/* SPDX-License-Identifier: Apache-2.0 */
/* The evidence of a night: begun at a new trade date, shown every frame, written to its file. */
#include "keeper.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WRITE_NS (60 * NB__NS_PER_S)
#define MINUTE_NS (60 * NB__NS_PER_S)
/* The links come up five minutes before order receipt: what they say then is the night's already */
#define AHEAD_NS (20 * MINUTE_NS)
#define LATE_NS (10 * MINUTE_NS) /* frames after 06:00 are one of the questions */
#define OLDER_MAX 999
#define FILE_MODE 0600

static int64_t session_now_ns(const nb__keeper *keeper)
{
    return nb__session_clock_at(keeper->clock, nb__clock_real_ns());
}

/* ---- the file ---- */

static void print_path(const nb__keeper *keeper, int number, char out[512])
{
    if (number == 1)
        snprintf(out, 512, "%s/evidence-%08d.json", keeper->directory, keeper->trade_date);
    else
        snprintf(out, 512, "%s/evidence-%08d.%d.json", keeper->directory, keeper->trade_date,
                 number);
}

/* Of an earlier process of the same night: kept by the first number that is free. */
static void keep_older(const nb__keeper *keeper)
{
    char path[512], older[512];
    print_path(keeper, 1, path);
    if (access(path, F_OK) != 0)
        return;
    int number = 2;
    for (; number < OLDER_MAX; number++) {
        print_path(keeper, number, older);
        if (access(older, F_OK) != 0)
            break;
    }
    if (rename(path, older) == 0)
        nb__log(NB__LOG_INFO, "evidence", "this night's evidence of an earlier run is kept as %s",
                older);
}

static void write_failed(nb__keeper *keeper, const char *why)
{
    if (keeper->is_failing)
        return;
    keeper->is_failing = true;
    nb__log(NB__LOG_WARN, "evidence",
            "the evidence of this night cannot be written: %s\n"
            "it is kept in memory and tried again each minute; make room in %s",
            why, keeper->directory);
    keeper->tell(keeper->self, NB__NOTICE_DISK, why);
}

/* Each minute without waiting for the disk: that is milliseconds, and seconds at worst, in which no
 * frame would be passed on. At a night's end it is waited for. */
static void write_file(nb__keeper *keeper, bool is_final)
{
    if (!keeper->is_dirty)
        return;
    if (!keeper->is_ours)
        keep_older(keeper);
    keeper->is_ours = true;
    char path[512];
    nb_error error = {0};
    nb__text text = {0};
    print_path(keeper, 1, path);
    nb__evidence_print_json(keeper->evidence, &text);
    nb_err (*write)(const char *, nb_span, unsigned, nb_error *) =
        is_final ? nb__file_write : nb__file_write_soon;
    nb_err err = text.is_failed ? nb__fail(&error, NB_E_MEMORY, 0, "memory is exhausted")
                                : write(path, nb__text_view(&text), FILE_MODE, &error);
    nb__text_fini(&text);
    if (err != NB_OK) {
        write_failed(keeper, error.detail);
        return;
    }
    keeper->is_dirty = keeper->is_failing = false;
}

/* ---- nights ---- */

/* Which night an instant belongs to; looked at once a minute of session time. */
static void follow_date(nb__keeper *keeper, int64_t session_ns)
{
    if (session_ns >= keeper->date_begin_ns && session_ns < keeper->date_end_ns)
        return;
    int date = nb_trade_date(keeper->calendar, session_ns + AHEAD_NS);
    keeper->date_begin_ns = session_ns - session_ns % MINUTE_NS;
    keeper->date_end_ns = keeper->date_begin_ns + MINUTE_NS;
    if (date == keeper->trade_date || date == NB_DATE_UNDEF)
        return;
    write_file(keeper, true);
    keeper->trade_date = date;
    keeper->is_dirty = keeper->is_ours = keeper->is_reported = false;
    nb__evidence_begin(keeper->evidence, date);
    if (keeper->is_kind_known)
        nb__evidence_feed_kind(keeper->evidence, keeper->clock->kind);
}

/* The night is over and its evidence written: whoever reads the report is told. */
static void report(nb__keeper *keeper, int64_t session_ns)
{
    nb_night night = nb_night_before(keeper->calendar, session_ns);
    if (keeper->is_reported || !keeper->is_ours || keeper->is_failing ||
        night.phase != NB_PHASE_CLOSED || night.trade_date != keeper->trade_date ||
        session_ns < night.end_ns + LATE_NS)
        return;
    keeper->is_reported = true;
    char path[512];
    print_path(keeper, 1, path);
    nb__log(NB__LOG_INFO, "evidence", "the night of %d is over: what was seen is in %s\n%s",
            keeper->trade_date, path, "nightbook report");
    keeper->tell(keeper->self, NB__NOTICE_REPORT, path);
}

static void timer_fired(nb__timer *timer, int64_t now_mono_ns)
{
    nb__keeper *keeper = (nb__keeper *)((char *)timer - offsetof(nb__keeper, timer));
    write_file(keeper, false);
    report(keeper, session_now_ns(keeper));
    nb__timer_set(keeper->loop, timer, now_mono_ns + WRITE_NS);
}

/* ---- the door ---- */

nb_err nb__keeper_open(nb__keeper *keeper, nb__loop *loop, const nb__plant_config *config,
                       nb__topics *topics, const nb__session_clock *clock, nb_error *error)
{
    if (config->evidence_directory == NULL)
        return NB_OK;
    keeper->loop = loop;
    keeper->calendar = config->calendar;
    keeper->clock = clock;
    keeper->timer.fire = timer_fired;
    if (!nb__span_copy(nb__span(config->evidence_directory), keeper->directory,
                       sizeof keeper->directory))
        return nb__fail(error, NB_E_ARGUMENT, 0, "the evidence directory's name is too long");
    nb_err err = nb__directory_make(keeper->directory, error);
    if (err != NB_OK)
        return err;
    keeper->evidence = nb__evidence_new(topics, config->topics_max, config->calendar);
    if (keeper->evidence == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "no memory for the evidence");
    nb__timer_set(loop, &keeper->timer, nb__clock_mono_ns() + WRITE_NS);
    return NB_OK;
}

void nb__keeper_close(nb__keeper *keeper)
{
    if (keeper->evidence == NULL)
        return;
    nb__timer_cancel(keeper->loop, &keeper->timer);
    write_file(keeper, true);
    nb__evidence_free(keeper->evidence);
    keeper->evidence = NULL;
}

void nb__keeper_record(nb__keeper *keeper, const nb__plant_frame *frame, const nb__record *record,
                       const nb_quote *quote, int64_t session_ns)
{
    if (keeper->evidence == NULL)
        return;
    follow_date(keeper, session_ns);
    const nb__evidence_record seen = {.record = record->bytes,
                                      .topic = record->topic,
                                      .quote = quote,
                                      .recv_ns = frame->recv_ns,
                                      .session_ns = session_ns};
    nb__evidence_frame(keeper->evidence, &frame->head, &seen);
}

void nb__keeper_frame_end(nb__keeper *keeper, const nb__plant_frame *frame, int field_count,
                          int64_t session_ns)
{
    if (keeper->evidence == NULL)
        return;
    follow_date(keeper, session_ns);
    nb__evidence_frame_end(keeper->evidence, &frame->head,
                           frame->is_split ? frame->record_count : 0, field_count, session_ns);
    keeper->is_dirty = true;
}

void nb__keeper_control(nb__keeper *keeper, uint32_t feed, nb__server_message kind,
                        const nb__answer *answer, int64_t recv_ns)
{
    if (keeper->evidence == NULL)
        return;
    follow_date(keeper, nb__session_clock_at(keeper->clock, recv_ns));
    if (kind == NB__SERVER_PINGPONG)
        nb__evidence_pingpong(keeper->evidence, feed, recv_ns);
    if (kind != NB__SERVER_ANSWER)
        return;
    nb__evidence_answer(keeper->evidence, feed, answer, recv_ns);
    keeper->is_dirty |= strcmp(answer->rt_cd, "0") != 0; /* a success alone is no evidence */
}

void nb__keeper_approval(nb__keeper *keeper, uint32_t feed, const char *error_code,
                         const char *words)
{
    if (keeper->evidence == NULL)
        return;
    int64_t now_ns = nb__clock_real_ns();
    follow_date(keeper, nb__session_clock_at(keeper->clock, now_ns));
    nb__evidence_approval(keeper->evidence, feed, error_code, words, now_ns);
    keeper->is_dirty |= error_code[0] != '\0';
}

void nb__keeper_link(nb__keeper *keeper, uint32_t feed, bool is_up, const char *reason,
                     int64_t recv_ns)
{
    if (keeper->evidence == NULL)
        return;
    follow_date(keeper, nb__session_clock_at(keeper->clock, recv_ns));
    if (is_up) {
        keeper->is_kind_known = true;
        nb__evidence_feed_kind(keeper->evidence, keeper->clock->kind);
    }
    nb__evidence_link(keeper->evidence, feed, is_up, reason, recv_ns);
}
