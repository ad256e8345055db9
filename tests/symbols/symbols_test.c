/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a code: product, right, expiry, tick, multiplier; the index; near codes; columns.
 */
#include "rows.h"
#include <stdio.h>

typedef struct world {
    nb__master master;
    nb__symbols *symbols;
} world;

static void world_init(world *w)
{
    *w = (world){0};
    rows_read(rows_utf8, &w->master);
    w->symbols = nb__symbols_new(&w->master);
    assert_non_null(w->symbols);
}

static void world_fini(world *w)
{
    nb__symbols_free(w->symbols);
    nb__master_fini(&w->master);
}

static const nb__instrument *find(const world *w, const char *code)
{
    guard g = guard_copy(code, strlen(code));
    const nb__instrument *row = nb__symbols_find(w->symbols, (nb_span){g.data, g.size_bytes});
    guard_free(&g);
    return row;
}

/* Every kind of row: product, right, strike, last trading day (2026: Chuseok closes 09-24, 09-25).
 */
static void every_kind_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *code, *product, *name;
        char right, atm_class;
        int64_t strike_points;
        int expiry_date;
        int64_t multiplier_krw;
    } cases[] = {
        {"A01609", "kospi200", "F 202609", 'F', ' ', 0, 20260910, 250000},
        {"A06609", "kosdaq150-future", "코스닥150F 202609", 'F', ' ', 0, 20260910, 10000},
        {"B01610A51", "kospi200", "C 202610 1,125.0", 'C', '1', 1125, 20261008, 250000},
        {"B09FEWA49", "thu", "위클리C 2609W4 1,120.0", 'C', '3', 1120, 20260923, 250000},
        {"BAFBZWA49", "mon", "위클리M C 2609W4 1,120.0", 'C', '3', 1120, 20260928, 250000},
        {"B09FCW945", "thu", "위클리C 2609W1   945.0", 'C', '2', 945, 20260903, 250000},
        {"D0161201", "other", "SP 2612-2703", 'S', ' ', 0, 0, 0},
        {"A04610", "other", "변동성F 202610", 'F', ' ', 0, 0, 0},
        {"AA4612", "other", "고배당50   F 202612", 'F', ' ', 0, 0, 0},
        {"A05610", "mini-future", "미니F 202610", 'F', ' ', 0, 20261008, 50000},
        {"D0561001", "other", "미니SP 2610-2611", 'S', ' ', 0, 0, 0},
        {"C01610745", "kospi200", "P 202610   745.0", 'P', '3', 745, 20261008, 250000},
        {"B05612A41", "mini", "미니C 202612 1,100.0", 'C', '2', 1100, 20261210, 50000},
        {"C05612A41", "mini", "미니P 202612 1,100.0", 'P', '3', 1100, 20261210, 50000},
        {"C09FEWA49", "thu", "위클리P 2609W4 1,120.0", 'P', '2', 1120, 20260923, 250000},
        {"CAFBZWA49", "mon", "위클리M P 2609W4 1,120.0", 'P', '2', 1120, 20260928, 250000},
        {"B06610001", "kosdaq150", "코스닥150C 202610 1,275", 'C', '2', 1275, 20261008, 10000},
        {"C06610001", "kosdaq150", "코스닥150P 202610   950", 'P', '3', 950, 20261008, 10000},
        {"BAJ36W117", "kosdaq150", "코스닥위클리C 2609W4 1,175", 'C', '2', 1175, 20260923, 10000},
        {"CAJ36W117", "kosdaq150", "코스닥위클리P 2609W4 1,175", 'P', '3', 1175, 20260923, 10000},
        {"BAK48W120", "kosdaq150", "코스닥위클리M C 2609W4 1,200", 'C', '2', 1200, 20260928, 10000},
        {"CAK48W120", "kosdaq150", "코스닥위클리M P 2609W4 1,200", 'P', '3', 1200, 20260928, 10000},
        {"X99612000", "unknown", "새상품 202612", ' ', ' ', 0, 0, 0},
    };
    world w;
    world_init(&w);
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        const nb__instrument *row = find(&w, cases[i].code);
        bool is_sure = false;
        assert_non_null(row);
        assert_string_equal(nb__product_word(row->product), cases[i].product);
        assert_string_equal(row->name, cases[i].name);
        assert_int_equal(row->right, cases[i].right);
        assert_int_equal(row->atm_class, cases[i].atm_class);
        int64_t strike = cases[i].strike_points * NB_PRICE_ONE;
        assert_true(row->strike == (strike == 0 ? NB_PRICE_UNDEF : strike));
        assert_int_equal(nb__expiry_date(nb_calendar_builtin(), row, &is_sure),
                         cases[i].expiry_date);
        assert_int_equal(is_sure, cases[i].expiry_date != 0);
        assert_int_equal(nb__multiplier_krw(row->product), cases[i].multiplier_krw);
        bool has_tick = nb__tick_words(row->product)[0] != '\0';
        assert_int_equal(has_tick, nb__tick_e9(row->product, 1100 * NB_PRICE_ONE) != 0);
    }
    world_fini(&w);
}

/* The table of words says the tick that nb__tick_e9() gives. */
static void tick_words_tell_the_ticks(void **state)
{
    (void)state;
    for (int p = NB__PRODUCT_UNKNOWN; p <= NB__PRODUCT_KOSDAQ150_FUTURE; p++) {
        nb__product product = (nb__product)p;
        const char *words = nb__tick_words(product);
        for (int points = 1; points < 2000; points++) {
            nb_price tick = nb__tick_e9(product, points * NB_PRICE_ONE);
            char text[NB_PRICE_TEXT_MAX + 1] = "";
            text[nb_price_print(
                text, tick,
                product == NB__PRODUCT_KOSDAQ150 || product == NB__PRODUCT_KOSDAQ150_FUTURE ? 1
                                                                                            : 2)] =
                '\0';
            assert_true(tick == 0 ? words[0] == '\0' : strstr(words, text) != NULL);
        }
        assert_int_equal(nb__product_by_word(nb__span(nb__product_word(product))), product);
        assert_true(nb__product_name(product)[0] != '\0');
        assert_true(nb__product_korean(product)[0] != '\0');
    }
    assert_int_equal(nb__product_by_word(NB__SPAN("KOSDAQ150")), NB__PRODUCT_KOSDAQ150);
    assert_int_equal(nb__product_by_word(NB__SPAN("")), NB__PRODUCT_UNKNOWN);
    assert_int_equal(nb__product_by_word(NB__SPAN("thursday")), NB__PRODUCT_UNKNOWN);
}

static nb__instrument serial(nb__product product, const char *expiry)
{
    nb__instrument row = {.product = product};
    snprintf(row.expiry, sizeof row.expiry, "%s", expiry);
    return row;
}

static void serials_grow_with_time(void **state)
{
    (void)state;
    static const struct {
        nb__product product;
        const char *expiry;
    } in_order[] = {
        {NB__PRODUCT_KOSPI200_WEEKLY_THU, "2609W1"},
        {NB__PRODUCT_KOSPI200_WEEKLY_MON, "2609W1"},
        {NB__PRODUCT_KOSPI200, "202609"},
        {NB__PRODUCT_KOSPI200_WEEKLY_MON, "2609W2"},
        {NB__PRODUCT_KOSPI200_WEEKLY_THU, "2609W3"},
        {NB__PRODUCT_KOSPI200_WEEKLY_MON, "2609W3"},
        {NB__PRODUCT_KOSPI200_WEEKLY_THU, "2609W4"},
        {NB__PRODUCT_KOSPI200_WEEKLY_MON, "2609W4"},
        {NB__PRODUCT_KOSPI200_WEEKLY_THU, "2610W1"},
        {NB__PRODUCT_KOSPI200_MINI, "202610"},
        {NB__PRODUCT_KOSDAQ150, "202612"},
        {NB__PRODUCT_KOSPI200, "202701"},
    };
    uint64_t before = 0;
    for (size_t i = 0; i < NB__COUNT_OF(in_order); i++) {
        nb__instrument row = serial(in_order[i].product, in_order[i].expiry);
        assert_true(nb__expiry_order(&row) > before);
        before = nb__expiry_order(&row);
    }
    static const char *const none[] = {"",       "2026",   "202613", "202600", "2609W0",
                                       "2609W6", "26W904", "2609WX", "W",      "189912"};
    for (size_t i = 0; i < NB__COUNT_OF(none); i++) {
        nb__instrument row = serial(NB__PRODUCT_KOSPI200, none[i]);
        bool is_sure = true;
        assert_true(nb__expiry_order(&row) == UINT64_MAX);
        assert_int_equal(nb__expiry_date(nb_calendar_builtin(), &row, &is_sure), 0);
        assert_false(is_sure);
    }
}

/* Closed days move a monthly and a Thursday forward, a Monday back; beyond the holiday file it is
 * said. */
static void holidays_move_the_last_day(void **state)
{
    (void)state;
    static const struct {
        nb__product product;
        const char *expiry;
        int date;
        bool is_sure;
    } cases[] = {
        {NB__PRODUCT_KOSPI200, "202612", 20261210, true},
        {NB__PRODUCT_KOSPI200_WEEKLY_THU, "2609W4", 20260923, true}, /* Chuseok */
        {NB__PRODUCT_KOSPI200_WEEKLY_THU, "2612W5", 20261230, true}, /* year's end */
        {NB__PRODUCT_KOSPI200_WEEKLY_MON, "2605W4", 20260526, true}, /* Buddha's birthday */
        {NB__PRODUCT_KOSPI200_WEEKLY_MON, "2602W3", 20260219, true}, /* Seollal */
        {NB__PRODUCT_KOSPI200_WEEKLY_THU, "2609W5", 0, false},       /* no fifth Thursday */
        {NB__PRODUCT_KOSPI200, "203512", 20351213, false},
        {NB__PRODUCT_OTHER_FUTURE, "202612", 0, false},
        {NB__PRODUCT_UNKNOWN, "202612", 0, false},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__instrument row = serial(cases[i].product, cases[i].expiry);
        bool is_sure;
        assert_int_equal(nb__expiry_date(nb_calendar_builtin(), &row, &is_sure), cases[i].date);
        assert_int_equal(is_sure, cases[i].is_sure);
    }
}

static void the_index_finds_each_code_once(void **state)
{
    (void)state;
    world w;
    world_init(&w);
    size_t rows = w.master.count;
    for (size_t i = 0; i < rows; i++)
        assert_ptr_equal(find(&w, w.master.rows[i].code), &w.master.rows[i]);
    static const char *const none[] = {"",          "B",          "B01612A4",       "B01612A411",
                                       "b01612a41", "B01612A42 ", "B0161299999999", "한글"};
    for (size_t i = 0; i < NB__COUNT_OF(none); i++)
        assert_null(find(&w, none[i]));
    assert_null(nb__symbols_find(w.symbols, NB__SPAN("B01612A41\0")));
    world_fini(&w);

    world_init(&w); /* the same rows a second time, as the index file repeats the night's */
    nb__symbols_free(w.symbols);
    rows_read(rows_utf8, &w.master);
    assert_int_equal(w.master.count, 2 * rows);
    w.symbols = nb__symbols_new(&w.master);
    assert_int_equal(nb__symbols_count(w.symbols), rows);
    for (size_t i = 0; i < rows; i++)
        assert_ptr_equal(find(&w, w.master.rows[rows + i].code), &w.master.rows[i]);
    world_fini(&w);
}

static void rows_are_read_in_order_of_expiry(void **state)
{
    (void)state;
    world w;
    world_init(&w);
    for (size_t i = 1; i < nb__symbols_count(w.symbols); i++) {
        const nb__instrument *a = nb__symbols_at(w.symbols, i - 1);
        const nb__instrument *b = nb__symbols_at(w.symbols, i);
        assert_true(nb__expiry_order(a) <= nb__expiry_order(b));
        if (nb__expiry_order(a) == nb__expiry_order(b))
            assert_true(a->product <= b->product || b->product == NB__PRODUCT_OTHER_FUTURE ||
                        b->product == NB__PRODUCT_UNKNOWN);
    }
    world_fini(&w);
    nb__master none = {0};
    nb__symbols *empty = nb__symbols_new(&none);
    assert_int_equal(nb__symbols_count(empty), 0);
    assert_null(nb__symbols_find(empty, NB__SPAN("A01612")));
    nb__symbols_free(empty);
    nb__symbols_free(NULL);
}

static void slips_are_forgiven(void **state)
{
    (void)state;
    static const struct {
        const char *asked, *first;
    } cases[] = {
        {"B01612A14", "B01612A41"},                              /* two swapped */
        {"B0161A41", "B01612A41"},                               /* one missing */
        {"B01612A411", "B01612A41"},                             /* one too many */
        {"1A01612", "A01612"},                                   /* kind and code read as one */
        {"b01612a41", "B01612A41"},                              /* small letters */
        {" A01612 ", "A01612"},      {"B01609A41", "B01612A41"}, /* a stale serial */
        {"A01606", "A01609"},        {"C01612A42", "C01612A41"}, /* one character another */
        {"B09FCWA49", "B09FEWA49"},
    };
    world w;
    world_init(&w);
    const nb__instrument *out[8];
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        guard g = guard_copy(cases[i].asked, strlen(cases[i].asked));
        size_t count = nb__symbols_near(w.symbols, (nb_span){g.data, g.size_bytes}, out, 8);
        guard_free(&g);
        if (count == 0 || strcmp(out[0]->code, cases[i].first) != 0)
            fail_msg("%s: %s", cases[i].asked, count == 0 ? "none" : out[0]->code);
    }
    assert_int_equal(nb__symbols_near(w.symbols, NB__SPAN("B01609A41"), out, 8), 2);
    assert_string_equal(out[1]->code, "B01702A41"); /* a stale serial is never another product's */
    assert_int_equal(nb__symbols_near(w.symbols, NB__SPAN("B01612A42"), out, 8), 2);
    assert_int_equal(nb__symbols_near(w.symbols, NB__SPAN("B01612A42"), out, 1), 1);
    assert_int_equal(nb__symbols_near(w.symbols, NB__SPAN("B01612A42"), NULL, 0), 0);
    static const char *const far[] = {"", "A", "ZZZZZZZZZ", "B01612A41B01612A41", "201W09370"};
    for (size_t i = 0; i < NB__COUNT_OF(far); i++)
        assert_int_equal(nb__symbols_near(w.symbols, nb__span(far[i]), out, 8), 0);
    world_fini(&w);
}

static void a_file_replaces_its_like(void **state)
{
    (void)state;
    static const struct {
        nb__master_kind kind;
        const char *rights; /* of the new file's rows */
        size_t kept_count;
        const char *reason; /* NULL: it may */
    } cases[] = {
        {NB__MASTER_EUREX, "CP", 0, NULL},
        {NB__MASTER_EUREX, "CPC", 6, NULL},
        {NB__MASTER_EUREX, "CPC", 7, "3 codes, less than half of the 7"},
        {NB__MASTER_EUREX, "CPC", SIZE_MAX, "less than half"},
        {NB__MASTER_EUREX, "FS", 0, "no option"},
        {NB__MASTER_EUREX, "FSP", 2, NULL},
        {NB__MASTER_CME, "FS", 4, NULL},
        {NB__MASTER_CME, "F", 3, "less than half"},
        {NB__MASTER_CME, "CP", 0, "no future"},
        {NB__MASTER_INDEX, "CP", 0, NULL},
        {NB__MASTER_INDEX, "F", 1, NULL},
        {NB__MASTER_INDEX, "F", 3, "less than half"},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__instrument rows[4] = {0};
        nb__master fresh = {.rows = rows, .count = strlen(cases[i].rights)};
        nb_error error = {0};
        for (size_t j = 0; j < fresh.count; j++)
            rows[j].right = cases[i].rights[j];
        nb_err err = nb__master_may_replace(cases[i].kind, &fresh, cases[i].kept_count, &error);
        assert_int_equal(err, cases[i].reason == NULL ? NB_OK : NB_E_MASTER);
        assert_true(cases[i].reason == NULL || strstr(error.detail, cases[i].reason) != NULL);
    }
}

static void hangul_takes_two_columns(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
    } cases[] = {
        {"", 0},
        {"C 202610", 8},
        {"위클리M C", 9},
        {"코스닥150", 9},
        {"é", 1},
        {"e\xCC\x81", 1},
        {"漢字", 4},
        {"ＡＢ", 4},
        {"·", 1},
        {"\xFF", 1},
        {"위\xEC\x9C", 4},
        {"🌙", 2},
        {"\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", 2}, /* 한, in parts */
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        guard g = guard_copy(cases[i].text, strlen(cases[i].text));
        assert_int_equal(nb__text_columns((nb_span){g.data, g.size_bytes}), cases[i].columns);
        guard_free(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_known),
        cmocka_unit_test(tick_words_tell_the_ticks),
        cmocka_unit_test(serials_grow_with_time),
        cmocka_unit_test(holidays_move_the_last_day),
        cmocka_unit_test(the_index_finds_each_code_once),
        cmocka_unit_test(rows_are_read_in_order_of_expiry),
        cmocka_unit_test(slips_are_forgiven),
        cmocka_unit_test(a_file_replaces_its_like),
        cmocka_unit_test(hangul_takes_two_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
