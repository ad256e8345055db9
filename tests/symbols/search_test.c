/* SPDX-License-Identifier: Apache-2.0 */
/* What people type, in Korean and English, and the rows that they mean. */
#include "rows.h"
#include <stdio.h>

static const struct {
    const char *words, *codes; /* in order, joined by a blank */
} queries[] = {
    {"위클리 풋 1120", "C09FEWA49 CAFBZWA49"},
    {"위클리풋1120", "C09FEWA49 CAFBZWA49"},
    {"kospi200 call 202612 1100", "B01612A41"},
    {"코스피200 콜 202612 1,100.0", "B01612A41"},
    {"KOSPI200 CALL 2612 1100.00", "B01612A41"},
    {"call 202612 1100", "B01612A41 B05612A41"},
    {"mini call 202612 1100", "B05612A41"},
    {"미니 코스피200 콜", "B05612A41"},
    {"미니풋 12월물", "C05612A41"},
    {"k200 put 1100", "C01612A41"},
    {"p1100", "C01612A41 C05612A41"},
    {"c 1120 12월", "B01612A49"},
    {"dec call 1120", "B01612A49"},
    {"2026-12 call 1120", "B01612A49"},
    {"feb", "B01702A41"},
    {"2027년 콜", "B01702A41"},
    {"2026년 12월 콜 1120", "B01612A49"},
    {"26년12월콜1120", "B01612A49"},
    {"목 위클리 콜", "B09FCW945 B09FEWA49 BAJ36W117"},
    {"thu weekly call kospi", "B09FCW945 B09FEWA49"},
    {"코스피200 위클리(월)", "BAFBZWA49 CAFBZWA49"},
    {"위클리M 콜 코스피", "BAFBZWA49"},
    {"monday put 2609W4", "CAFBZWA49 CAK48W120"},
    {"w1", "B09FCW945"},
    {"9월 4주차 목 kospi200", "B09FEWA49 C09FEWA49"},
    {"2609w4 call 1120", "B09FEWA49 BAFBZWA49"},
    {"weekly 945", "B09FCW945"},
    {"코스닥150 위클리", "BAJ36W117 CAJ36W117 BAK48W120 CAK48W120"},
    {"kosdaq150 monthly option", "C06610001 B06610001"},
    {"kq150 call", "BAJ36W117 BAK48W120 B06610001"},
    {"코스닥위클리M", "BAK48W120 CAK48W120"},
    {"atm", "B01610A51"},
    {"등가 콜", "B01610A51"},
    {"otm put 2612", "C01612A41 C05612A41"},
    {"외가격 풋 코스닥 월물", "C06610001"},
    {"내가 2610", "B06610001"},
    {"선물", "A01609 A06609 A05610 A04610 A01612 AA4612"},
    {"kospi200 future", "A01609 A01612"},
    {"mini future", "A05610"},
    {"f202612", "A01612 AA4612"},
    {"kosdaq futures", "A06609"},
    {"spread", "D0161201 D0561001"},
    {"kospi 스프레드", "D0161201"},
    {"미니 sp", "D0561001"},
    {"변동성", "A04610"},
    {"고배당 선물", "AA4612"},
    {"2612-2703", "D0161201"},
    {"B01612", "B01612A41 B01612A49"},
    {"b01612a41", "B01612A41"},
    {"c01 1100", "C01612A41"},
    {"야간 콜 1120 202612", "B01612A49"},
    {"옵션 745", "C01610745"},
    {"새상품", "X99612000"},
    {"  call\t1125  ", "B01610A51"},
    /* what fits nothing */
    {"call put", ""},
    {"1121", ""},
    {"1120.5", ""},
    {"13월", ""},
    {"w9", ""},
    {"B01610A48", ""},
    {"nosuchname", ""},
    {"1.2.3", ""},
    {"위클리 xyz", ""},
    {"a b c d e f g h i j k l m n o p q r s t", ""},
    {"1234567890123456789012345678901234567890123456789012345678901234", ""},
};

static void words_find_the_rows_that_are_meant(void **state)
{
    (void)state;
    nb__master master = {0};
    rows_read(rows_utf8, &master);
    nb__symbols *symbols = nb__symbols_new(&master);
    for (size_t i = 0; i < NB__COUNT_OF(queries); i++) {
        const nb__instrument *out[64];
        char codes[1024] = "";
        guard g = guard_copy(queries[i].words, strlen(queries[i].words));
        size_t count = nb__symbols_search(symbols, (nb_span){g.data, g.size_bytes}, out, 64);
        guard_free(&g);
        for (size_t j = 0; j < count; j++) {
            size_t size = strlen(codes);
            snprintf(codes + size, sizeof codes - size, "%s%s", j > 0 ? " " : "", out[j]->code);
        }
        if (strcmp(codes, queries[i].codes) != 0)
            fail_msg("\"%s\": %s instead of %s", queries[i].words, codes, queries[i].codes);
    }
    nb__symbols_free(symbols);
    nb__master_fini(&master);
}

static void no_words_are_all_rows_and_max_is_kept(void **state)
{
    (void)state;
    nb__master master = {0};
    rows_read(rows_utf8, &master);
    nb__symbols *symbols = nb__symbols_new(&master);
    const nb__instrument *out[4] = {NULL};
    assert_int_equal(nb__symbols_search(symbols, NB__SPAN(" \t"), out, 3), master.count);
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(out[i], nb__symbols_at(symbols, i));
    assert_null(out[3]);
    assert_int_equal(nb__symbols_search(symbols, (nb_span){0}, NULL, 0), master.count);
    assert_int_equal(nb__symbols_search(symbols, NB__SPAN("call"), NULL, 0), 11);
    assert_int_equal(nb__symbols_search(symbols, NB__SPAN("call\0put"), NULL, 0), 0);
    nb__symbols_free(symbols);
    nb__master_fini(&master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_find_the_rows_that_are_meant),
        cmocka_unit_test(no_words_are_all_rows_and_max_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
