/* SPDX-License-Identifier: Apache-2.0 */
/**
 * symbols, L2: what can be said of a code by its master row: product, expiry, tick, multiplier; and
 * finding codes by words, Korean or English. Pure: files and downloads are io's and the caller's.
 */
#ifndef NB_SYMBOLS_H
#define NB_SYMBOLS_H

#include "base/base.h"
#include "kis/kis.h"
#include "night/night.h"

/** Names of a product: "KOSPI200 weekly (Thu)", the short one of the configuration "thu", Korean.
 */
const char *nb__product_name(nb__product product);
const char *nb__product_word(nb__product product);
const char *nb__product_korean(nb__product product);
nb__product nb__product_by_word(nb_span word); /**< UNKNOWN when it is none */
/** Won a point; 0: not known. Source: KRX's table. */
int64_t nb__multiplier_krw(nb__product product);
/** "0.01 below 10, else 0.05"; "" when not known. */
const char *nb__tick_words(nb__product product);

/** "202612" (second Thursday) and "2611W4" (of a Monday weekly: fourth Monday) on one scale that
 * grows with time: the nominal day YYYYMMDD, holidays left aside. UINT64_MAX: no serial. */
uint64_t nb__expiry_order(const nb__instrument *row);
/**
 * Last trading day, YYYYMMDD, by KRX's rule and the calendar; 0: not known (no serial, or a product
 * whose rule is not).
 * @param[out] is_sure  The calendar knows that year's holidays.
 */
int nb__expiry_date(const nb_calendar *calendar, const nb__instrument *row, bool *is_sure);

/**
 * Whether a file that was read whole may take the place of a copy with `kept_count` rows (0: there
 * is none). What lost more than half of its codes is half done, or not what it is named.
 * @retval NB_E_MASTER  It may not: that, or options and futures under each other's name.
 */
nb_err nb__master_may_replace(nb__master_kind kind, const nb__master *fresh, size_t kept_count,
                              nb_error *error);

/** Index over a master; borrows it. Of rows with the same code the first one counts. Immutable. */
typedef struct nb__symbols nb__symbols;
nb__symbols *nb__symbols_new(const nb__master *master); /**< NULL: no memory */
void nb__symbols_free(nb__symbols *symbols);
const nb__instrument *nb__symbols_find(const nb__symbols *symbols, nb_span code);
size_t nb__symbols_count(const nb__symbols *symbols); /**< codes */
/** In the order of nb__symbols_search(). `index` < count. */
const nb__instrument *nb__symbols_at(const nb__symbols *symbols, size_t index);
/** Codes that a slip may have meant, likeliest first: two neighbours swapped, one too many or
 * missing; a stale serial of the same strike; one character another. @return how many of at most
 * `max`. */
size_t nb__symbols_near(const nb__symbols *symbols, nb_span code, const nb__instrument **out,
                        size_t max);

/**
 * Find by words: each must fit. Product (위클리, weekly, 월 mon, 목 thu, 미니, mini, 코스닥150,
 * kosdaq150, 선물, future, 스프레드 …; kospi200 alone means no mini), right (콜 call c, 풋 put p),
 * expiry (202612, 2612, 2026-12, 12월, dec, 2611W4, w4), strike (1120, 1,120.0), money (atm 등가,
 * itm, otm), a code or its beginning, else a part of the name. Words may run together:
 * 위클리풋1120. Nearest expiry first, then by product, strike, call before put; without words all
 * rows.
 *
 * @param[out] out  At most `max` rows, in order. @return how many there are in all.  Cost: one pass
 * over the master, no allocation.
 */
size_t nb__symbols_search(const nb__symbols *symbols, nb_span words, const nb__instrument **out,
                          size_t max);

/** Columns that a terminal takes for UTF-8 text: 2 for Hangul and other wide characters. */
size_t nb__text_columns(nb_span text);

#endif
