/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The TRs that nightbook knows field by field: rows generated from schema/kis.schema.
 *
 * A TR that is not here is still passed on, routed and counted; only its fields have no names.
 */
#ifndef NIGHTBOOK_TR_H
#define NIGHTBOOK_TR_H

#include <nightbook/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NB_TR_ID_MAX 15   /**< bytes of a tr_id, without NUL; KIS's are 8 */
#define NB_TR_KEY_MAX 12  /**< bytes of a tr_key, without NUL (KIS 실시간-033: length 12) */
#define NB_FIELDS_MAX 128 /**< documented fields of one TR */

/** What the text of a field is. The wire has text only; this says how it is read. */
typedef enum nb_kind {
    NB_KIND_CODE,  /**< 1–12 of [A-Z0-9]: the routing key */
    NB_KIND_TIME,  /**< HHMMSS in KST, hours 00–29 */
    NB_KIND_PRICE, /**< decimal in 1e-9; a level's price `0…` with its quantity 0 means no level */
    NB_KIND_COUNT,    /**< number of orders; 0 means "not told" */
    NB_KIND_QUANTITY, /**< contracts, ≥ 0 */
    NB_KIND_CHANGE,   /**< contracts, may be negative */
    NB_KIND_DECIMAL,  /**< any decimal, `nan` allowed and undefined */
    NB_KIND_TEXT      /**< anything */
} nb_kind;

typedef struct nb_field {
    const char *name;    /**< KIS's name in lower case: `optn_askp1` */
    const char *name_ko; /**< KIS's Korean name, UTF-8 */
    const char *unit;    /**< "point", "order", "contract", "" … */
    nb_kind kind;
    int16_t quote_offset; /**< where nb_quote keeps it, in bytes; -1: nowhere */
} nb_field;

typedef struct nb_tr {
    const char *id;    /**< "H0EUASP0" */
    const char *title; /**< English, one line */
    const char *title_ko;
    const nb_field *fields;
    uint16_t field_count;     /**< documented width */
    uint16_t field_count_min; /**< narrowest version ever seen or documented */
    bool is_book;             /**< records decode to nb_quote */
} nb_tr;

/** @return the row of `tr_id`, or NULL. Static, immutable. */
NB_API const nb_tr *nb_tr_find(nb_span tr_id);
/** @return the i-th row, NULL past the last. */
NB_API const nb_tr *nb_tr_at(size_t index);

#ifdef __cplusplus
}
#endif
#endif
