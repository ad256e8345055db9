/* SPDX-License-Identifier: Apache-2.0 */
/** The plant's inside, for the files of this room. */
#ifndef NB_PLANT_INSIDE_H
#define NB_PLANT_INSIDE_H

#include "codes.h"
#include "feed.h"
#include "keeper.h"
#include "masters.h"
#include "player.h"

#define SINKS_MAX 4
#define WIDTHS_MAX 64
#define LATENCY_ROWS_MAX 16

/** A width of a TR that was told once. */
typedef struct nb__width {
    const nb_tr *tr;
    int stride;
} nb__width;

/** Frames of one read. */
typedef struct nb__latency_row {
    int64_t recv_ns;
    uint64_t frames;
} nb__latency_row;

typedef struct nb__latency {
    nb__hist hist;
    nb__latency_row rows[LATENCY_ROWS_MAX]; /**< of this turn */
    uint32_t row_count;
    nb__hook hook; /**< behind those of all sinks */
} nb__latency;

struct nb__plant {
    nb__loop *loop;
    nb__feed *feeds;
    uint32_t feed_count;
    nb__plan *plan;
    nb__masters masters;
    nb__master traded; /* of those rows the ones whose last day is after over_date; the plan's */
    int over_date;
    nb__codes codes;
    nb__keeper keeper;
    nb__topics *topics;
    nb__books *books;
    uint8_t *feed_of; /**< by topic: which feed brought its last record */
    const nb_calendar *calendar;
    nb__session_clock clock; /**< of the link that came up last */
    nb__hook hook;
    nb__timer plan_timer, loss_timer;
    int64_t plan_due_ns, plan_look_ns;
    bool has_news; /**< a frame or a link change in this turn: the plan looks */
    bool is_open, is_shut;
    uint64_t refusals_told; /**< by code: bit nb__opsp */
    char atm_code[sizeof((nb__instrument *)NULL)->code];
    char feed_name[340];
    char reason[400];
    nb__sink sinks[SINKS_MAX];
    size_t sink_count;
    void (*tell)(void *self, const nb__notice *notice);
    void *tell_self;
    nb__width widths[WIDTHS_MAX];
    uint32_t width_count;
    nb__plant_counters counters;
    nb__player player;
    nb__recorder *recorder; /**< NULL: not recorded */
    nb__text mark;          /**< scratch: the mark that is being made */
    bool is_syncing;
    nb__latency latency;
    nb__record records[NB_FRAME_RECORDS_MAX];
};

/** To the listener; `feed` NULL: the whole plant. */
void nb__plant_tell(nb__plant *plant, nb__notice_kind kind, const nb__feed *feed,
                    const char *format, ...) NB__PRINTF(4, 5);

/* scribe.c: all of these do nothing when nothing is recorded */
nb_err nb__scribe_open(nb__plant *plant, const nb__plant_config *config, nb_error *error);
void nb__scribe_close(nb__plant *plant);
void nb__scribe_message(nb__plant *plant, uint32_t feed, nb_span text, int64_t recv_ns);
void nb__scribe_drift(nb__plant *plant, const nb__plant_frame *frame, int field_count);
void nb__scribe_control(nb__plant *plant, uint32_t feed, nb_span text, nb__server_message kind,
                        const nb__answer *answer, int64_t recv_ns);
void nb__scribe_link(nb__plant *plant, const nb__feed *feed, bool is_up, bool is_rest,
                     const char *reason, int64_t recv_ns);

/* latency.c */
void nb__latency_frame(nb__plant *plant, int64_t recv_ns);
/** Be the last hook of the turn again: a sink has added its own. */
void nb__latency_hook(nb__plant *plant);
void nb__latency_unhook(nb__plant *plant);

/* frames.c */
void nb__frames_set_stale(nb__plant *plant, uint32_t feed);

#endif
