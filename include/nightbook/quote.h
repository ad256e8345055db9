/* SPDX-License-Identifier: Apache-2.0 */
/**
 * One record of a book TR (H0EUASP0, H0MFASP0) as a typed quote, and back to KIS's text.
 *
 * Decides nothing about the market: whether a book is crossed or stale is the book's matter
 * (book.h).
 */
#ifndef NIGHTBOOK_QUOTE_H
#define NIGHTBOOK_QUOTE_H

#include <nightbook/frame.h>
#include <nightbook/price.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NB_LEVELS 5

typedef struct nb_level {
    nb_price price;   /**< NB_PRICE_UNDEF: no level */
    int32_t quantity; /**< contracts; NB_INT32_UNDEF: blank on the wire */
    int32_t count;    /**< orders; NB_INT32_UNDEF: not told (KIS sends 0 or blank) */
} nb_level;

/** A five-level book. 256 bytes, four cache lines; level 1 (best) first. */
typedef struct nb_quote {
    int64_t recv_ns;  /**< receive time, UTC; set by the caller, decode leaves NB_TIME_UNDEF */
    int64_t event_ns; /**< exchange time, UTC; set by the caller (night.h), decode leaves
                         NB_TIME_UNDEF */
    nb_level ask[NB_LEVELS];
    nb_level bid[NB_LEVELS];
    int64_t total_ask_count, total_bid_count;       /**< orders; NB_INT_UNDEF: not told */
    int64_t total_ask_quantity, total_bid_quantity; /**< contracts; NB_INT_UNDEF: blank */
    int64_t total_ask_change, total_bid_change;     /**< contracts, signed; NB_INT_UNDEF: blank */
    int32_t time_hhmmss;  /**< as sent: HHMMSS, hours 0–29; NB_INT32_UNDEF: blank */
    uint32_t flags;       /**< NB_BOOK_* of book.h; set by the book, decode leaves 0 */
    uint16_t field_count; /**< fields of the record on the wire; more than documented is drift */
    uint16_t tr_index;    /**< nb_tr_at(tr_index); UINT16_MAX for a row of another table */
    uint8_t decimals;     /**< most decimals of any price in the record; encode writes so many */
    char key[NB_TR_KEY_MAX + 1]; /**< KIS short code, NUL-terminated */
    uint8_t reserved[6];         /**< zero */
} nb_quote;

/**
 * Decode one record of a book TR.
 *
 * The checked scalar decoder: the reference for any faster one.
 *
 * @param tr         A row with is_book.
 * @param record     One record's bytes, without a trailing '^'. Borrowed for the call.
 * @param[out] out   Written on NB_OK only. Prices in 1e-9 points, NB_PRICE_UNDEF where KIS sends a
 * blank, or 0 with quantity 0 or blank; counts NB_INT32_UNDEF where KIS sends 0 or a blank.
 * @param[out] error May be NULL. Code, byte offset in `record`, and the field's name in detail.
 * @retval NB_E_ARGUMENT  Not a book TR.
 * @retval NB_E_WIDTH  Fewer fields than documented.
 * @retval NB_E_FIELD  A field is not of its kind.
 * @retval NB_E_RANGE  A number does not fit (prices int64 in 1e-9, level counts and quantities
 * int32). Cost: one pass; no allocation, locale or errno.   Threads: any.   Source: KIS 실시간-033,
 * 실시간-065.
 */
NB_API nb_err nb_quote_decode(const nb_tr *tr, nb_span record, nb_quote *out, nb_error *error);

/**
 * Write a quote as KIS does: one record, `decimals` decimals, undefined prices as zero (as a
 * blank beside a quantity: only a blank is read so), undefined counts as 0, other undefined numbers
 * as a blank. Decoding and encoding what KIS sends gives the
 * same bytes for the documented fields (a field past them is not kept in nb_quote).
 *
 * @param[out] out  Not NUL-terminated.
 * @retval NB_E_LIMIT  `capacity_bytes` is too small; `*size_bytes` unchanged.
 */
NB_API nb_err nb_quote_encode(const nb_tr *tr, const nb_quote *quote, char *out,
                              size_t capacity_bytes, size_t *size_bytes);

#define NB_QUOTE_TEXT_MAX 1024 /**< bytes that nb_quote_encode() may need */

#ifdef __cplusplus
}
#endif
#endif
