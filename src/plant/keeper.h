/* SPDX-License-Identifier: Apache-2.0 */
/**
 * keeper: the evidence of a night and its file, DIRECTORY/evidence-YYYYMMDD.json.
 *
 * The file is written whole each minute in which frames (or refusals) came, at the night's end and
 * at the plant's. One that an earlier process of the same night left is kept as
 * evidence-YYYYMMDD.2.json, .3 and so on, so that nothing is lost.
 */
#ifndef NB_PLANT_KEEPER_H
#define NB_PLANT_KEEPER_H

#include "plant/plant.h"

typedef struct nb__keeper {
    nb__loop *loop;
    const nb_calendar *calendar;
    nb__evidence *evidence; /**< NULL: not kept */
    char directory[400];
    int trade_date;      /**< 0: nothing began yet */
    int64_t date_end_ns; /**< session time from and until which trade_date is known to hold */
    int64_t date_begin_ns;
    bool is_dirty;   /**< frames or refusals came since the file was written */
    bool is_ours;    /**< the file of this trade date is this process's */
    bool is_failing; /**< the disk; told once */
    bool is_reported;
    bool is_kind_known; /**< a link came up and said what the feed is */
    nb__timer timer;
    const nb__session_clock *clock; /**< the plant's */
    void (*tell)(void *self, nb__notice_kind kind, const char *detail);
    void *self;
} nb__keeper;

/** `directory` NULL: nothing is kept. */
nb_err nb__keeper_open(nb__keeper *keeper, nb__loop *loop, const nb__plant_config *config,
                       nb__topics *topics, const nb__session_clock *clock, nb_error *error);
void nb__keeper_close(nb__keeper *keeper); /**< writes first */

/** Each record of a frame that was split; `quote` NULL: it is no book. */
void nb__keeper_record(nb__keeper *keeper, const nb__plant_frame *frame, const nb__record *record,
                       const nb_quote *quote, int64_t session_ns);
/** Once a frame, after its records: split or encrypted. `field_count`: of one record. */
void nb__keeper_frame_end(nb__keeper *keeper, const nb__plant_frame *frame, int field_count,
                          int64_t session_ns);
/** A control message of a feed; `answer`, if it is one, without its secrets. */
void nb__keeper_control(nb__keeper *keeper, uint32_t feed, nb__server_message kind,
                        const nb__answer *answer, int64_t recv_ns);
/** An answer for an approval key; `error_code` "": there is one. */
void nb__keeper_approval(nb__keeper *keeper, uint32_t feed, const char *error_code,
                         const char *words);
void nb__keeper_link(nb__keeper *keeper, uint32_t feed, bool is_up, const char *reason,
                     int64_t recv_ns);

#endif
