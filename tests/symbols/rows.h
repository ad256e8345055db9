/* SPDX-License-Identifier: Apache-2.0 */
/* Master rows for the tests of symbols: every kind of fo_idx_code_mts.mst. REAL: as KIS published
 * them; the others are built after them, for kinds, strikes and expiries that no real row shows. */
#ifndef NB_TESTS_SYMBOLS_ROWS_H
#define NB_TESTS_SYMBOLS_ROWS_H

#include "guard.h"
#include "kis/kis.h"
#include "symbols/symbols.h"
#include <iconv.h>
#include <string.h>

static const char rows_utf8[] =
    "1|A01609|KR4A01690002|F 202609| |00000.00|1|2001|KOSPI200\n"                    /* REAL */
    "1|A01612|KR4A016C0004|F 202612| |00000.00|2|2001|KOSPI200\n"                    /* REAL */
    "3|A06609|KR4A06690007|코스닥150F 202609| |00000.00|1|3003|KSQ150\n"             /* REAL */
    "5|B01610A51|KR4B016AA511|C 202610 1,125.0|1|01125.00| |2001|KOSPI200\n"         /* REAL */
    "L|B09FEWA49|KR4B09FEA490|위클리C 2609W4 1,120.0|3|01120.00| |2001|KOSPI200\n"   /* REAL */
    "N|BAFBZWA49|KR4BAFBZA490|위클리M C 2609W4 1,120.0|3|01120.00| |2001|KOSPI200\n" /* REAL */
    "L|B09FCW945|KR4B09FC9450|위클리C 2609W1   945.0|2|00945.00| |2001|KOSPI200\n"   /* REAL */
    "2|D0161201|KR4D01612016|SP 2612-2703| |00000.00|1|2001|KOSPI200\n"
    "7|A04610|KR4A046A0000|변동성F 202610| |00000.00|1|0503|VKOSPI\n"
    "9|AA4612|KR4AA46C0000|고배당50   F 202612| |00000.00|1|0163|고배당50\n"
    "B|A05610|KR4A056A0007|미니F 202610| |00000.00|1|2001|KOSPI200\n"
    "C|D0561001|KR4D05610014|미니SP 2610-2611| |00000.00|1|2001|KOSPI200\n"
    "5|B01612A41|KR4B016CA411|C 202612 1,100.0|2|01100.00| |2001|KOSPI200\n"
    "5|B01702A41|KR4B0172A414|C 202702 1,100.0|2|01100.00| |2001|KOSPI200\n"
    "5|B01612A49|KR4B016CA494|C 202612 1,120.0|3|01120.00| |2001|KOSPI200\n"
    "6|C01612A41|KR4C016CA410|P 202612 1,100.0|3|01100.00| |2001|KOSPI200\n"
    "6|C01610745|KR4C016A7452|P 202610   745.0|3|00745.00| |2001|KOSPI200\n"
    "D|B05612A41|KR4B056CA418|미니C 202612 1,100.0|2|01100.00| |2001|KOSPI200\n"
    "E|C05612A41|KR4C056CA417|미니P 202612 1,100.0|3|01100.00| |2001|KOSPI200\n"
    "M|C09FEWA49|KR4C09FEA499|위클리P 2609W4 1,120.0|2|01120.00| |2001|KOSPI200\n"
    "O|CAFBZWA49|KR4CAFBZA499|위클리M P 2609W4 1,120.0|2|01120.00| |2001|KOSPI200\n"
    "J|B06610001|KR4B066A0011|코스닥150C 202610 1,275|2|01275.00| |3003|KSQ150\n"
    "K|C06610001|KR4C066A0010|코스닥150P 202610   950|3|00950.00| |3003|KSQ150\n"
    "P|BAJ36W117|KR4BAJ361175|코스닥위클리C 2609W4 1,175|2|01175.00| |3003|KSQ150\n"
    "Q|CAJ36W117|KR4CAJ361174|코스닥위클리P 2609W4 1,175|3|01175.00| |3003|KSQ150\n"
    "R|BAK48W120|KR4BAK481203|코스닥위클리M C 2609W4 1,200|2|01200.00| |3003|KSQ150\n"
    "S|CAK48W120|KR4CAK481202|코스닥위클리M P 2609W4 1,200|3|01200.00| |3003|KSQ150\n"
    "Z|X99612000|KR4X996C0000|새상품 202612| |00000.00| |9999|NEW\n"; /* a kind of tomorrow */

/** The rows as KIS sends them, in cp949, parsed. */
static inline void rows_read(const char *utf8, nb__master *master)
{
    char cp949[8192];
    char *from = (char *)utf8, *to = cp949;
    size_t from_bytes = strlen(utf8), to_bytes = sizeof cp949;
    iconv_t converter = iconv_open("CP949", "UTF-8");
    assert_true(converter != (iconv_t)-1);
    assert_int_equal(iconv(converter, &from, &from_bytes, &to, &to_bytes), 0);
    iconv_close(converter);
    guard g = guard_copy(cp949, (size_t)(to - cp949));
    nb_error error = {0};
    if (nb__master_parse(NB__MASTER_INDEX, (nb_span){g.data, g.size_bytes}, master, &error) !=
        NB_OK)
        fail_msg("%s", error.detail);
    guard_free(&g);
}

#endif
