/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One record as a row to print: what `decode` and others that print records share.
 */
#ifndef NB_CLI_ROW_H
#define NB_CLI_ROW_H

#include "kis/kis.h"
#include <nightbook/night.h>

#define NB__ROW_FLAGS_MAX 4

typedef struct nb__row {
    nb_span tr_id;
    nb_span tr_key;   /* the record's first field; empty when the payload is encrypted */
    int64_t recv_ns;  /* NB_TIME_UNDEF: not known */
    int64_t event_ns; /* NB_TIME_UNDEF: neither a receive time nor a date is known, or the record
                         has no time */
    int trade_date;   /* NB_DATE_UNDEF with event_ns */
    bool is_calendar_known;               /* false: the holiday file does not reach trade_date */
    const char *flags[NB__ROW_FLAGS_MAX]; /* "drift" … */
    size_t flag_count;
    const nb_tr *tr; /* NULL: an unknown TR, or an encrypted payload */
    bool is_encrypted;
    nb_span record, extra; /* as on the wire; `extra` is what stands after the documented fields */
    bool has_extra;
    nb__value values[NB_FIELDS_MAX]; /* tr->field_count of them */
} nb__row;

/**
 * Read one record of a frame into a row.
 *
 * @param record   One record; the payload when the frame is encrypted (it is not looked at).
 * @param recv_ns  NB_TIME_UNDEF when it is not known.
 * @param evening  Without a receive time: the date on which the record's night starts.
 * NB_DATE_UNDEF: not known either.
 * @retval NB_E_WIDTH, NB_E_FIELD, NB_E_RANGE  Offset in `record`; the row is not to be printed.
 */
nb_err nb__row_read(const nb_frame *frame, nb_span record, int64_t recv_ns, int evening,
                    const nb_calendar *calendar, nb__row *row, nb_error *error);

/** One flat JSON object and a newline. */
void nb__row_print_json(const nb__row *row, nb__text *out);
/** The columns' names and a newline, then the values: two rows of one TR have the same columns. */
void nb__row_print_csv_header(const nb__row *row, nb__text *out);
void nb__row_print_csv(const nb__row *row, nb__text *out);

#endif
