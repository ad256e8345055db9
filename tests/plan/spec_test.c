/* SPDX-License-Identifier: Apache-2.0 */
/* The words of windows and pinned keys: what is read, and what is refused with words. */
#include "guard.h"
#include "plan/plan.h"
#include <stdio.h>
#include <string.h>

static nb_err parse_window(const char *text, nb__plan_window *out, nb_error *error)
{
    guard g = guard_copy(text, strlen(text));
    nb_err err = nb__plan_window_parse((nb_span){g.data, g.size_bytes}, out, error);
    guard_free(&g);
    return err;
}

static nb_err parse_pin(const char *text, nb__topic *out, nb_error *error)
{
    guard g = guard_copy(text, strlen(text));
    nb_err err = nb__plan_pin_parse((nb_span){g.data, g.size_bytes}, out, error);
    guard_free(&g);
    return err;
}

static void windows_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        nb__plan_window window;
    } rows[] = {
        {"nearest:8", {NB__PRODUCT_UNKNOWN, "", 8}},
        {"nearest:0", {NB__PRODUCT_UNKNOWN, "", 0}},
        {"mini/nearest:5", {NB__PRODUCT_KOSPI200_MINI, "", 5}},
        {"202612:10", {NB__PRODUCT_UNKNOWN, "202612", 10}},
        {"thu/2611W4:3", {NB__PRODUCT_KOSPI200_WEEKLY_THU, "2611W4", 3}},
        {"mon/nearest:200", {NB__PRODUCT_KOSPI200_WEEKLY_MON, "", 200}},
        {"kosdaq150/202612:4", {NB__PRODUCT_KOSDAQ150, "202612", 4}},
        {" kospi200/202701:7 ", {NB__PRODUCT_KOSPI200, "202701", 7}},
    };
    for (size_t i = 0; i < NB__COUNT_OF(rows); i++) {
        nb__plan_window window;
        assert_int_equal(parse_window(rows[i].text, &window, NULL), NB_OK);
        assert_int_equal(window.product, rows[i].window.product);
        assert_string_equal(window.expiry, rows[i].window.expiry);
        assert_int_equal(window.strikes_each_side, rows[i].window.strikes_each_side);
    }
}

static void odd_windows_are_refused_with_words(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "nearest",
                                        ":",
                                        "nearest:",
                                        "nearest:x",
                                        "nearest:-1",
                                        "nearest:201",
                                        "near:8",
                                        "20261:8",
                                        "202613:8",
                                        "202600:8",
                                        "2611W6:8",
                                        "2611W0:8",
                                        "2611W:8",
                                        "/nearest:8",
                                        "gold/nearest:8",
                                        "other/nearest:8",
                                        "mini/:3",
                                        "mini/nearest",
                                        "nearest:8:9",
                                        "nearest: 8",
                                        "26 1W4:3",
                                        "unknown/nearest:1"};
    for (size_t i = 0; i < NB__COUNT_OF(texts); i++) {
        nb__plan_window window = {.strikes_each_side = 77};
        nb_error error = {0};
        assert_int_equal(parse_window(texts[i], &window, &error), NB_E_ARGUMENT);
        assert_int_equal(window.strikes_each_side, 77);
        assert_true(strlen(error.detail) > 20);
    }
    nb__plan_window window;
    nb_error error = {0};
    (void)parse_window("mini/2612X1:3", &window, &error);
    assert_string_equal(error.detail,
                        "'2612X1' is no expiry: nearest, a month as 202612, or a week as 2611W4");
    assert_int_equal(error.offset_bytes, 5);
}

static void pins_are_read(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"H0EUASP0:B01612A45", "H0EUASP0", "B01612A45"},
        {"B01612A45", "H0EUASP0", "B01612A45"},
        {"C0161010", "H0EUASP0", "C0161010"},
        {"A01612", "H0MFASP0", "A01612"},
        {"H0STCNT0:005930", "H0STCNT0", "005930"},
        {"H0EUCNI0:my_id", "H0EUCNI0", "my_id"},
        {" B01612A45\t", "H0EUASP0", "B01612A45"},
    };
    for (size_t i = 0; i < NB__COUNT_OF(rows); i++) {
        nb__topic topic;
        assert_int_equal(parse_pin(rows[i][0], &topic, NULL), NB_OK);
        assert_string_equal(topic.tr_id, rows[i][1]);
        assert_string_equal(topic.tr_key, rows[i][2]);
    }
}

static void odd_pins_are_refused_with_words(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "005930",
                                        "D01612",
                                        "B0161",
                                        "B016120000",
                                        "b01612a45",
                                        "H0EUASP0:",
                                        ":B01612A45",
                                        "H0EUASP0:B0161 2",
                                        "H0EUASP0:B01612A45B0161",
                                        "h0euasp0:B01612A45",
                                        "H0EUASP0H0EUASP0:B01612A45",
                                        "H0EUASP0:B0^1",
                                        "H0EUASP0:\x80\x81"};
    for (size_t i = 0; i < NB__COUNT_OF(texts); i++) {
        nb__topic topic = {.tr_id = "kept"};
        nb_error error = {0};
        assert_int_equal(parse_pin(texts[i], &topic, &error), NB_E_ARGUMENT);
        assert_string_equal(topic.tr_id, "kept");
        assert_true(strlen(error.detail) > 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_read),
        cmocka_unit_test(odd_windows_are_refused_with_words),
        cmocka_unit_test(pins_are_read),
        cmocka_unit_test(odd_pins_are_refused_with_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
