/* SPDX-License-Identifier: Apache-2.0 */
/* What a person types for the look-alike: what is taken, and the words for what is not. */
#include "guard.h"
#include "sim/sim.h"
#include <string.h>

static void session_times_are_read(void **state)
{
    (void)state;
    int64_t now_ns = nb__kst_ns(20261122, 234800),
            at_ns = 0; /* a Sunday: the last night was Friday's */
    assert_int_equal(nb__sim_at_parse(NB__SPAN("18:00"), NULL, now_ns, &at_ns, NULL), NB_OK);
    assert_int_equal(at_ns, nb__kst_ns(20261120, 180000));
    assert_int_equal(nb__sim_at_parse(NB__SPAN("05:59:30"), NULL, now_ns, &at_ns, NULL), NB_OK);
    assert_int_equal(at_ns, nb__kst_ns(20261121, 55930));
    assert_int_equal(nb__sim_at_parse(NB__SPAN("25:00"), NULL, now_ns, &at_ns, NULL),
                     NB_OK); /* as KIS's bars */
    assert_int_equal(at_ns, nb__kst_ns(20261121, 10000));
    assert_int_equal(
        nb__sim_at_parse(NB__SPAN("2026-11-19T19:00:00+09:00"), NULL, now_ns, &at_ns, NULL), NB_OK);
    static const char *const bad[] = {"12:00", "06:00", "17:49:59", "30:00",
                                      "1800",  "",      "18-00",    "2026-11-22T18:00:00+09:00"};
    for (size_t i = 0; i < NB__COUNT_OF(bad); i++)
        assert_int_equal(nb__sim_at_parse(nb__span(bad[i]), NULL, now_ns, &at_ns, NULL),
                         NB_E_ARGUMENT);
    assert_int_equal(at_ns, nb__kst_ns(20261119, 190000));
}

static void a_closed_time_is_told_with_that_night(void **state)
{
    (void)state;
    static const struct {
        const char *at, *says;
    } cases[] = {
        /* CSAT day, the night before it and the one after */
        {"2026-11-19T18:30:00+09:00", "the one that starts on 2026-11-19 runs from 18:50 to 06:00"},
        {"2026-11-18T17:30:00+09:00", "the one that starts on 2026-11-18 runs from 17:50 to 06:00"},
        {"2026-11-20T06:00:00+09:00", "the one that starts on 2026-11-20 runs from 17:50 to 06:00"},
        /* a weekend; the small hours belong to the evening before */
        {"2026-11-22T18:00:00+09:00",
         "none starts on 2026-11-22, the next one starts on 2026-11-23 at 17:50"},
        {"2026-11-23T03:00:00+09:00",
         "none starts on 2026-11-22, the next one starts on 2026-11-23 at 17:50"},
        /* of the last night, Friday's */
        {"12:00", "the one that starts on 2026-11-20 runs from 17:50 to 06:00"},
        {"06:00", "the one that starts on 2026-11-20 runs from 17:50 to 06:00"},
    };
    int64_t now_ns = nb__kst_ns(20261122, 234800), at_ns = 7;
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb_error error = {0};
        assert_int_equal(nb__sim_at_parse(nb__span(cases[i].at), NULL, now_ns, &at_ns, &error),
                         NB_E_ARGUMENT);
        if (strstr(error.detail, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].at, error.detail);
    }
    assert_int_equal(at_ns, 7);
    /* a night that opens late, asked for by time of day */
    nb_error error = {0};
    now_ns = nb__kst_ns(20261120, 30000);
    assert_int_equal(nb__sim_at_parse(NB__SPAN("18:30"), NULL, now_ns, &at_ns, &error),
                     NB_E_ARGUMENT);
    assert_non_null(strstr(error.detail, "2026-11-19 runs from 18:50"));
}

static void refusals_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *tr_key, *msg_cd;
    } good[] = {{"B01612A40=OPSP0007", "B01612A40", "OPSP0007"},
                {"*=OPSP8996", "*", "OPSP8996"},
                {"ABCDEFGHIJKL=OPSP4242", "ABCDEFGHIJKL", "OPSP4242"},
                {"A=B=OPSP0017", "A=B", "OPSP0017"}};
    for (size_t i = 0; i < NB__COUNT_OF(good); i++) {
        guard text = guard_copy(good[i].text, strlen(good[i].text));
        nb__sim_refusal refusal;
        assert_int_equal(
            nb__sim_refusal_parse((nb_span){text.data, text.size_bytes}, &refusal, NULL), NB_OK);
        guard_free(&text);
        assert_string_equal(refusal.tr_key, good[i].tr_key);
        assert_string_equal(refusal.msg_cd, good[i].msg_cd);
    }
    static const struct {
        const char *text, *says;
    } bad[] = {{"", "KEY=CODE"},
               {"B01612A40", "KEY=CODE"},
               {"=OPSP0007", "no tr_key"},
               {"ABCDEFGHIJKLM=OPSP0007", "no tr_key"},
               {"A^B=OPSP0007", "no tr_key"},
               {"B01612A40=", "no code"},
               {"B01612A40=OPSP", "no code"},
               {"B01612A40=OPSP00070", "no code"},
               {"B01612A40=OPSP00x7", "no code"},
               {"B01612A40=EGW00101", "no code"},
               {"B01612A40=opsp0007", "no code"},
               {"B01612A40=OPSP0000", "success"},
               {"B01612A40=OPSP0001", "success"}};
    for (size_t i = 0; i < NB__COUNT_OF(bad); i++) {
        nb__sim_refusal refusal = {.tr_key = "as it was"};
        nb_error error = {0};
        assert_int_equal(nb__sim_refusal_parse(nb__span(bad[i].text), &refusal, &error),
                         NB_E_ARGUMENT);
        if (strstr(error.detail, bad[i].says) == NULL)
            fail_msg("%s: %s", bad[i].text, error.detail);
        assert_string_equal(refusal.tr_key, "as it was");
    }
}

static void refusals_of_one_key_and_too_many_are_refused(void **state)
{
    (void)state;
    nb__sim_config config = nb__sim_config_default();
    nb_error error = {0};
    assert_int_equal(nb__sim_refusals_add(&config, NB__SPAN("A=OPSP0007"), &error), NB_OK);
    assert_int_equal(nb__sim_refusals_add(&config, NB__SPAN("A=OPSP0009"), &error), NB_E_ARGUMENT);
    assert_non_null(strstr(error.detail, "OPSP0007 already"));
    assert_int_equal(nb__sim_refusals_add(&config, NB__SPAN("*=OPSP0009"), &error), NB_OK);
    for (char text[] = "B=OPSP0007"; config.refusal_count < NB__SIM_REFUSALS_MAX; text[0]++)
        assert_int_equal(nb__sim_refusals_add(&config, nb__span(text), &error), NB_OK);
    assert_int_equal(nb__sim_refusals_add(&config, NB__SPAN("Z=OPSP0007"), &error), NB_E_LIMIT);
    assert_string_equal(config.refusals[1].tr_key, "*");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_times_are_read),
        cmocka_unit_test(a_closed_time_is_told_with_that_night),
        cmocka_unit_test(refusals_are_read),
        cmocka_unit_test(refusals_of_one_key_and_too_many_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
