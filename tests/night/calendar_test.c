/* SPDX-License-Identifier: Apache-2.0 */
/* Holiday files: what is read, what is refused and where, and that the built-in one is
 * data/holidays.txt. */
#include "guard.h"
#include "night/night.h"
#include <stdio.h>
#include <string.h>

static nb_calendar *parse(const char *text)
{
    nb_calendar *calendar = NULL;
    nb_error error = {.code = NB_OK};
    guard g = guard_copy(text, strlen(text));
    if (nb_calendar_parse((nb_span){g.data, g.size_bytes}, &calendar, &error) != NB_OK)
        fail_msg("%s", error.detail);
    guard_free(&g);
    return calendar;
}

static void test_builtin(void **state)
{
    (void)state;
    const nb_calendar *calendar = nb_calendar_builtin();
    assert_true(nb_calendar_is_business_day(calendar, 20261120));
    assert_false(nb_calendar_is_business_day(calendar, 20261121)); /* Saturday */
    assert_false(nb_calendar_is_business_day(calendar, 20261122)); /* Sunday */
    assert_false(nb_calendar_is_business_day(calendar, 20251231));
    assert_false(nb_calendar_is_business_day(calendar, 20261301)); /* no date */
    assert_false(nb_calendar_is_business_day(calendar, 0));
    assert_true(nb_calendar_knows(calendar, 20250101));
    assert_true(nb_calendar_knows(calendar, 20261231));
    assert_false(nb_calendar_knows(calendar, 20270101));
    assert_false(nb_calendar_knows(calendar, 20241231));
    assert_false(nb_calendar_knows(calendar, 20261232));
    assert_int_equal(nb_calendar_next_business_day(calendar, 20251230), 20260102);
    assert_int_equal(nb_calendar_next_business_day(calendar, 20251002), 20251010);
    assert_int_equal(nb_calendar_next_business_day(calendar, 20251301), NB_DATE_UNDEF);
    assert_int_equal(nb_calendar_next_business_day(calendar, 99991231), NB_DATE_UNDEF);
    nb_calendar_free(NULL);
}

/* The file a user starts from says the same, on every day, as what is compiled in. */
static void test_builtin_is_the_data_file(void **state)
{
    (void)state;
    static char text[65536];
    FILE *file = fopen(NB_SOURCE_DIR "/data/holidays.txt", "rb");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    nb_calendar *read = parse(text);
    const nb_calendar *builtin = nb_calendar_builtin();
    for (int date = 20240101; date < 20290101; date = nb__date_add(date, 1)) {
        assert_int_equal(nb_calendar_is_business_day(read, date),
                         nb_calendar_is_business_day(builtin, date));
        assert_int_equal(nb_calendar_knows(read, date), nb_calendar_knows(builtin, date));
        int64_t noon_ns = nb__kst_ns(date, 120000);
        assert_int_equal(nb_night_at(read, noon_ns).open_ns, nb_night_at(builtin, noon_ns).open_ns);
    }
    nb_calendar_free(read);
}

static void test_parse(void **state)
{
    (void)state;
    nb_calendar *calendar = parse("# a user's own\r\n"
                                  "\t 2030-01-02   closed\t새해 연휴 # told late\r\n"
                                  "2030-11-21 csat\r\n\r\n"
                                  "2029-12-31 closed\n" /* any order */
                                  "2030 known");        /* no newline at the end */
    assert_false(nb_calendar_is_business_day(calendar, 20300102));
    assert_false(nb_calendar_is_business_day(calendar, 20291231));
    assert_true(nb_calendar_is_business_day(calendar, 20300103));
    assert_true(nb_calendar_is_business_day(calendar, 20300101)); /* not in this file */
    assert_true(nb_calendar_knows(calendar, 20300615));
    assert_false(nb_calendar_knows(calendar, 20290615));
    assert_int_equal(nb_night_at(calendar, nb__kst_ns(20301121, 183000)).phase, NB_PHASE_CLOSED);
    assert_int_equal(nb_night_at(calendar, nb__kst_ns(20301122, 183000)).phase,
                     NB_PHASE_CONTINUOUS);
    nb_calendar_free(calendar);
    calendar = parse("");
    assert_true(nb_calendar_is_business_day(calendar, 20260101));
    assert_false(nb_calendar_knows(calendar, 20260101));
    nb_calendar_free(calendar);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t offset_bytes;
        const char *words;
    } cases[] = {
        {"2026 known\n2026-02-30 closed\n", 11, "line 2"},
        {"2026-2-03 closed", 0, "line 1"},
        {"\n\n2026-02-03 open\n", 2, "line 3"},
        {"2026-02-03\n", 0, "closed"},
        {"2026", 0, "YYYY"},
        {"2026 known x", 0, "known"},
        {"26 known", 0, "known"},
        {"2026-02-03 known", 0, "known"},
        {"2026-02-03 closed\n2026-02-03 closed again", 0, "20260203 stands there twice"},
        {"2026 known\n2026 known\n", 0, "twice"},
        {"holiday", 0, "line 1"},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb_calendar *calendar = NULL;
        nb_error error = {.code = NB_OK};
        guard g = guard_copy(cases[i].text, strlen(cases[i].text));
        assert_int_equal(nb_calendar_parse((nb_span){g.data, g.size_bytes}, &calendar, &error),
                         NB_E_CALENDAR);
        assert_null(calendar);
        assert_int_equal(error.offset_bytes, cases[i].offset_bytes);
        if (strstr(error.detail, cases[i].words) == NULL)
            fail_msg("%s: %s", cases[i].text, error.detail);
        guard_free(&g);
    }
}

static void test_too_many(void **state)
{
    (void)state;
    static char text[4097 * 18 + 1];
    int date = 20000101;
    size_t size = 0;
    for (int i = 0; i < 4096; i++, date = nb__date_add(date, 1))
        size += (size_t)snprintf(text + size, sizeof text - size, "%04d-%02d-%02d closed\n",
                                 date / 10000, date / 100 % 100, date % 100);
    nb_calendar *calendar = parse(text);
    /* eleven closed years on end are walked over, not for ever */
    assert_int_equal(nb_calendar_next_business_day(calendar, 19991231), 20110321);
    assert_int_equal(nb_night_before(calendar, nb__kst_ns(20110321, 60000)).start_date, 19991231);
    nb_calendar_free(calendar);
    snprintf(text + size, sizeof text - size, "2020-01-01 closed\n");
    nb_error error;
    nb_calendar *none = NULL;
    assert_int_equal(nb_calendar_parse(nb__span(text), &none, &error), NB_E_CALENDAR);
    assert_int_equal(error.offset_bytes, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_builtin),  cmocka_unit_test(test_builtin_is_the_data_file),
        cmocka_unit_test(test_parse),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
