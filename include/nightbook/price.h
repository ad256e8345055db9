/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Exact prices: int64_t in units of 1e-9 index points (the convention of DBN).
 *
 * Decides nothing about ticks or "no level"; the reader of a field does (quote.h).
 */
#ifndef NIGHTBOOK_PRICE_H
#define NIGHTBOOK_PRICE_H

#include <nightbook/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int64_t nb_price; /**< 1e-9 points */

#define NB_PRICE_UNDEF INT64_MAX         /**< no such level, or not told */
#define NB_PRICE_ONE INT64_C(1000000000) /**< 1 point */
#define NB_PRICE_DECIMALS_MAX 9
#define NB_PRICE_TEXT_MAX 24 /**< bytes that nb_price_print() may write, its NUL included */

/**
 * Read decimal text: `-?[0-9]+(\.[0-9]{1,9})?`, all of it. No sign '+', exponent, blank, `nan` or
 * locale.
 *
 * @param[out] out       1e-9 points.
 * @param[out] decimals  May be NULL. Digits after the point, 0–9.
 * @retval NB_OK
 * @retval NB_E_FIELD   Not such a number; `error->offset_bytes` is the first byte not accepted.
 * @retval NB_E_RANGE   More than 9 decimals, or beyond int64 (INT64_MAX itself is NB_PRICE_UNDEF
 * and refused).
 */
NB_API nb_err nb_price_parse(nb_span text, nb_price *out, int *decimals, nb_error *error);

/**
 * Write a price with exactly `decimals` decimals, or more where fewer would lose a digit.
 *
 * @param out   NB_PRICE_TEXT_MAX bytes. NUL-terminated. NB_PRICE_UNDEF gives "".
 * @return bytes written without the NUL.
 */
NB_API size_t nb_price_print(char out[NB_PRICE_TEXT_MAX], nb_price price, int decimals);

#ifdef __cplusplus
}
#endif
#endif
