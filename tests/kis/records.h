/* SPDX-License-Identifier: Apache-2.0 */
/* Records as KIS sends them, verbatim and made from a seed, for the tests of decoding. */
#ifndef NB_TEST_RECORDS_H
#define NB_TEST_RECORDS_H

#include "kis/kis.h"

/* KIS's portal: H0EUASP0 실시간-033 and H0MFASP0 실시간-065 (its documented part; the first ICDC is
 * blank). */
#define RECORD_OPTION                                                                              \
    "301V06362^190159^2.98^2.99^3.00^0.00^0.00^2.97^2.96^2.95^0.00^0.00^0^0^0^0^0^0^0^0^0^0^1^3^"  \
    "12"                                                                                           \
    "^0^0^9^21^16^0^0^0^0^16^46^5^0"
#define RECORD_FUTURE                                                                              \
    "101V06^190215^367.35^367.40^367.45^0.00^0.00^367.30^367.25^367.20^0.00^0.00^0^0^0^0^0^0^0^0^" \
    "0"                                                                                            \
    "^0^24^21^21^0^0^2^28^20^0^0^0^0^0^0^^0"

/* A record of the shape that KIS sends: `decimals` in each price, empty levels last, counts told or
 * all 0. */
static inline void record_random(nb__random *random, int decimals, nb__text *out)
{
    int levels[2] = {(int)nb__random_below(random, 6), (int)nb__random_below(random, 6)};
    uint64_t counts_max = nb__random_below(random, 2) * 1000;
    char price[NB_PRICE_TEXT_MAX];
    int64_t unit = 1;
    for (int i = decimals; i < 9; i++)
        unit *= 10;
    nb__text_clear(out);
    nb__text_printf(out, "B%08u^%02u%02u%02u", (unsigned)nb__random_below(random, 100000000),
                    (unsigned)nb__random_below(random, 30), (unsigned)nb__random_below(random, 60),
                    (unsigned)nb__random_below(random, 60));
    for (int i = 0; i < 10; i++) {
        bool is_there = i % 5 < levels[i / 5];
        int64_t units = is_there ? (int64_t)nb__random_below(random, 200000) + 1 : 0;
        nb_price_print(price, units * unit, decimals);
        nb__text_printf(out, "^%s", price);
    }
    for (int i = 0; i < 10; i++)
        nb__text_printf(out, "^%u", (unsigned)nb__random_below(random, counts_max + 1));
    for (int i = 0; i < 10; i++)
        nb__text_printf(out, "^%u",
                        i % 5 < levels[i / 5] ? (unsigned)nb__random_below(random, 5000) + 1 : 0);
    for (int i = 0; i < 4; i++)
        nb__text_printf(out, "^%u", (unsigned)nb__random_below(random, 1u << (8 * i)));
    for (int i = 0; i < 2; i++)
        if (nb__random_below(random, 8) == 0)
            nb__text_string(out, "^");
        else
            nb__text_printf(out, "^%d", (int)nb__random_below(random, 2001) - 1000);
}

#endif
