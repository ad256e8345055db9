/* SPDX-License-Identifier: Apache-2.0 */
/* `notify: COMMAND`: the user's program is run with one JSON line when somebody should know. What
 * to say and how often is pure; running it is nb__notify_tell(). */
#ifndef NB_CLI_NOTIFY_H
#define NB_CLI_NOTIFY_H

#include "plant/plant.h"

#define NB__NOTIFY_ROWS_MAX 128
#define NB__NOTIFY_GAP_NS (600 * NB__NS_PER_S)
#define NB__NOTIFY_RUNNING_MAX 4

/** Of one kind and feed at most one in ten minutes; those between are counted. */
typedef struct nb__notify_row {
    nb__notice_kind kind;
    char feed[64];
    int64_t told_mono_ns;
    uint32_t left_out;
} nb__notify_row;

/** Caller's memory, `{0}` with loop and command is ready for use. */
typedef struct nb__notify {
    nb__loop *loop;
    const char *command; /**< borrowed; NULL: nothing is run */
    nb__notify_row rows[NB__NOTIFY_ROWS_MAX];
    uint32_t row_count;
    uint32_t running_count;
} nb__notify;

/** @param[out] left_out  How many like it were left out since the last one. @return false: leave
 * this one out. */
bool nb__notify_is_due(nb__notify *notify, const nb__notice *notice, int64_t now_mono_ns,
                       uint32_t *left_out);
/** `{"time":"…","event":"link_lost","feed":"main","detail":"…","left_out":2}` and a line end. */
void nb__notify_print(const nb__notice *notice, uint32_t left_out, nb__text *out);
/** For nb__plant_on_notice(); `self` is an nb__notify. */
void nb__notify_tell(void *self, const nb__notice *notice);

#endif
