/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Master files, inside the room: their layouts, and the cp949 text in them.
 *
 *     fo_eurex_code.mst, fo_cme_code.mst: one struct of KIS's, fixed width, offsets in BYTES
 *
 *     0    1         10          22         62  63       71    72         81              121
 *     |kind|code     |standard   |name      |ATM|strike  |month|underlying|underlying name|EOL
 *      5    B01610A41 KR4B016AA412 C 202610…  2  01097.50       2001       KOSPI200
 *
 *     fo_idx_code_mts.mst: the same nine fields, unpadded, joined by '|'
 */
#ifndef NB_KIS_MASTER_H
#define NB_KIS_MASTER_H

#include "kis/kis.h"
#include <iconv.h>

#define NB__MASTER_FIELDS 9
#define NB__MASTER_ROWS_MAX 100000 /* the longest file seen has about 10 000 */

typedef enum nb__master_field {
    NB__MASTER_KIND,
    NB__MASTER_CODE,
    NB__MASTER_STANDARD_CODE,
    NB__MASTER_NAME,
    NB__MASTER_ATM,
    NB__MASTER_STRIKE,
    NB__MASTER_MONTH,
    NB__MASTER_UNDERLYING,
    NB__MASTER_UNDERLYING_NAME
} nb__master_field;

/** Where each field of a fixed-width row starts; the last entry is the row's width. */
extern const uint8_t nb__master_offsets[NB__MASTER_FIELDS + 1];

/** A value of the kind column. */
typedef struct nb__master_kind_row {
    char kind, right;
    nb__product product; /* when the code's prefix does not tell */
} nb__master_kind_row;
/** NULL when unknown: KIS adds kinds without notice. */
const nb__master_kind_row *nb__master_kind_find(char kind);
/** 'C', 'P', 'F', 'S' by a short code's first letter; ' ' when it does not tell. */
char nb__right_of_code(nb_span code);

/** cp949 <-> UTF-8; opens at the first text that is not ASCII. Caller's memory, `{0}`. */
typedef struct nb__cp949 {
    iconv_t handle;
    bool is_open, is_encoder;
    bool is_missing; /**< this machine's C library cannot convert cp949 */
} nb__cp949;
/** @return bytes written to `out`, or -1: not convertible, too long, or is_missing. */
ptrdiff_t nb__cp949_convert(nb__cp949 *cp949, nb_span text, char *out, size_t capacity_bytes);
void nb__cp949_fini(nb__cp949 *cp949);

#endif
