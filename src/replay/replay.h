/* SPDX-License-Identifier: Apache-2.0 */
/**
 * replay, L5: a recorded night as a source that gives out what is due, in the recording's order,
 * with its own receive times and clocks. It holds no socket and reads no clock: the caller tells it
 * the time.
 *
 * Time between lines is that of the recorded receive times, with steps of the recorder's clock
 * taken out; where it runs backwards all the same, nothing passes. A replay without `from` begins
 * with its first frame: what was recorded before it (the link came up, nobody traded yet) takes no
 * time.
 */
#ifndef NB_REPLAY_H
#define NB_REPLAY_H

#include "base/base.h"
#include "journal/journal.h"
#include "night/night.h"
#include "store/store.h"

#define NB__REPLAY_SPEED_MIN 0.001
#define NB__REPLAY_SPEED_MAX 1e6 /**< beyond it: INFINITY, "max" */

typedef struct nb__replay_config {
    const char *path; /**< a night's directory, one segment, or a journal of one night */
    const nb_calendar *calendar;
    const char *from, *to; /**< words of nb__night_time_parse(); NULL: all of it */
    double speed;          /**< INFINITY: as fast as it is taken */
    bool is_loop;          /**< begin anew at the end */
    bool is_paused;        /**< wait for a step, or for the pause to end */
} nb__replay_config;

typedef struct nb__replay nb__replay;
/**
 * @retval NB_E_NOT_FOUND  Nothing there, or nothing of ours in it.
 * @retval NB_E_ARGUMENT   Several nights, or `from` and `to` that are no times of it.
 * @retval NB_E_VERSION    A newer nightbook wrote it.
 */
nb_err nb__replay_open(const nb__replay_config *config, int64_t mono_ns, nb__replay **out,
                       nb_error *error);
void nb__replay_close(nb__replay *replay);

typedef enum nb__replay_kind {
    NB__REPLAY_FRAME,      /**< `message`, as it came */
    NB__REPLAY_END_OF_KEY, /**< KIS confirmed that `topic_tr`, `topic_key` is given back */
    NB__REPLAY_UP,         /**< that link came up */
    NB__REPLAY_DOWN,       /**< … and went down */
    NB__REPLAY_HOLE, /**< all links: lines are missing (disk trouble, damage); up again at once */
    NB__REPLAY_BEGIN /**< another round of a loop: forget what came before */
} nb__replay_kind;

typedef struct nb__replay_item {
    nb__replay_kind kind;
    int64_t recv_ns; /**< as recorded */
    uint32_t link;   /**< as recorded; 0: none in particular */
    /** Of that link, as recorded, but its kind is REPLAY. Valid until the next item. */
    const nb__session_clock *clock;
    nb_span message; /**< FRAME; valid until the next item */
    char tr_id[16], tr_key[32];
    const char *reason; /**< DOWN, HOLE; "" else */
    bool is_rest;       /**< DOWN: it was ended on purpose */
} nb__replay_item;

typedef enum nb__replay_step {
    NB__REPLAY_ITEM,
    NB__REPLAY_WAIT, /**< nothing is due before `*due_ns`, monotonic (INT64_MAX: before a command)
                      */
    NB__REPLAY_ENDED /**< nothing is left */
} nb__replay_step;
/** What is due now, one at a time. */
nb__replay_step nb__replay_next(nb__replay *replay, int64_t mono_ns, nb__replay_item *out,
                                int64_t *due_ns);

/* ---- commands ---- */
/** While it is held, time stands, and nothing is due: clients that are waited for. */
void nb__replay_hold(nb__replay *replay, bool is_held, int64_t mono_ns);
void nb__replay_set_speed(nb__replay *replay, double speed, int64_t mono_ns);
void nb__replay_pause(nb__replay *replay, bool is_paused, int64_t mono_ns);
/** Pause, and give out so many frames more. */
void nb__replay_step_frames(nb__replay *replay, uint64_t frames, int64_t mono_ns);
/** A session time within from and to. @retval NB_E_ARGUMENT  It is no time, or lies outside. */
nb_err nb__replay_time_parse(const nb__replay *replay, nb_span words, int64_t *session_ns,
                             nb_error *error);
/** Go there; what was given out before it is for the caller to forget. */
nb_err nb__replay_seek(nb__replay *replay, int64_t session_ns, int64_t mono_ns, nb_error *error);

/* ---- what it is ---- */
typedef struct nb__replay_view {
    const char *path;
    int night;               /**< YYYYMMDD */
    nb__feed_kind recorded;  /**< what the recorder's feed was */
    int64_t from_ns, to_ns;  /**< session time, of what is played; NB_TIME_UNDEF: it is empty */
    int64_t session_ns;      /**< where it is; NB_TIME_UNDEF: nowhere yet */
    nb__session_clock clock; /**< to be stated to clients; speed 0 while it stands or is at max */
    double speed;            /**< asked for; INFINITY: max */
    double progress;         /**< 0–1 */
    bool is_paused, is_held, is_ended, is_loop;
    uint64_t steps_left;
    uint64_t frames, rounds, damages; /**< given out; begun; spans that could not be read */
} nb__replay_view;
nb__replay_view nb__replay_look(nb__replay *replay, int64_t mono_ns, int64_t real_ns);

#endif
