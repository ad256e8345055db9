/* SPDX-License-Identifier: Apache-2.0 */
/**
 * KIS data frames: `E|TR|CCC|f^f^…` — split the head, then walk the records.
 *
 * Knows no kinds and no market. Pure and total: any bytes give a result or an error. Nothing is
 * copied: all spans point into the message.
 *
 *     0|H0EUASP0|002|B01612745^190159^…^0|B01612746^…       (records follow one another, joined by
 * '^') E TR       CCC payload
 */
#ifndef NIGHTBOOK_FRAME_H
#define NIGHTBOOK_FRAME_H

#include <nightbook/tr.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NB_FRAME_RECORDS_MAX 999

typedef struct nb_frame {
    nb_span tr_id;
    nb_span payload;   /**< everything after the third '|' */
    const nb_tr *tr;   /**< NULL when the schema does not know it */
    int record_count;  /**< CCC, 1–999 */
    bool is_encrypted; /**< E is '1' */
} nb_frame;

/**
 * Split a message's head.
 *
 * @retval NB_E_FRAME  E is not 0/1, TR not 1–15 of [A-Za-z0-9_], CCC not three digits or 000;
 * offset tells where.
 */
NB_API nb_err nb_frame_split(nb_span message, nb_frame *out, nb_error *error);

/** A walk over the records of one frame. */
typedef struct nb_records {
    const char *at, *end; /**< private */
    int left;             /**< records not yet taken */
    int stride;           /**< fields a record on the wire */
    int drift;            /**< stride − documented width; 0 for an unknown TR */
} nb_records;

/**
 * Begin a walk: count fields, drop one empty trailing field where that is what makes them divide,
 * find the stride.
 *
 * The trailing field is dropped first; only if the rest does not divide by CCC, or is narrower than
 * every known version of the TR, the field is kept (a record may end with a blank of its own).
 *
 * @retval NB_E_FRAME      `frame` was never split: its record_count is 0 (nb_event of a head that
 * could not be).
 * @retval NB_E_ENCRYPTED  The payload is base64 cipher text, not fields.
 * @retval NB_E_STRIDE     fields / CCC leaves a rest.
 * @retval NB_E_WIDTH      stride < tr->field_count_min.
 */
NB_API nb_err nb_records_begin(const nb_frame *frame, nb_records *out, nb_error *error);

/** Take the next record's bytes (without the '^' that joins it to the next). @return false after
 * the last. */
NB_API bool nb_records_next(nb_records *records, nb_span *record);

/** The first field of a record or payload: the routing key. May be empty. */
NB_API nb_span nb_record_key(nb_span record);

#ifdef __cplusplus
}
#endif
#endif
