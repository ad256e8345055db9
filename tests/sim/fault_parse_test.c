/* SPDX-License-Identifier: Apache-2.0 */
/* Faults without sockets: what a person types, when they strike under a test's clock, and what they
 * do to a frame's text. */
#include "guard.h"
#include "sim/fault.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S NB__NS_PER_S
#define MS NB__NS_PER_MS

/* From a copy that ends at an unmapped page. */
static nb_err parse(const char *text, nb__sim_fault *out, nb_error *error)
{
    guard g = guard_copy(text, strlen(text));
    nb_err err = nb__sim_fault_parse((nb_span){g.data, g.size_bytes}, out, error);
    guard_free(&g);
    return err;
}

static nb_err add_script(nb__sim_faults *faults, const char *text, nb_error *error)
{
    guard g = guard_copy(text, strlen(text));
    nb_err err = nb__sim_faults_add_script(faults, (nb_span){g.data, g.size_bytes}, error);
    guard_free(&g);
    return err;
}

/* ---- the table ---- */

static void every_row_is_whole_and_its_defaults_are_in_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__FAULT_COUNT; i++) {
        const nb__sim_fault_row *row = nb__sim_fault_at(i);
        assert_non_null(row->name);
        assert_true(strlen(row->help) > 10 && row->every >= 1);
        for (size_t k = 0; k < NB__SIM_FAULT_PARAMS_MAX && row->params[k].name != NULL; k++)
            assert_in_range(row->params[k].value, row->params[k].least, row->params[k].most);
        nb__sim_fault fault, made = nb__sim_fault_make((nb__sim_fault_kind)i);
        assert_int_equal(parse(row->name, &fault, NULL), NB_OK);
        assert_int_equal(fault.kind, i);
        assert_memory_equal(fault.values, made.values, sizeof fault.values);
        for (size_t k = i + 1; k < NB__FAULT_COUNT; k++)
            assert_string_not_equal(row->name, nb__sim_fault_at(k)->name);
        nb__text printed = {0}; /* what is printed is read back */
        nb__text_printf(&printed, "%s:", row->name);
        nb__sim_fault_print_params(row, &printed);
        assert_int_equal(parse(printed.data, &fault, NULL), NB_OK);
        assert_memory_equal(fault.values, made.values, sizeof fault.values);
        assert_int_equal(fault.every, made.every);
        nb__text_fini(&printed);
    }
}

static void what_is_typed_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int kind;
        int64_t values[NB__SIM_FAULT_PARAMS_MAX];
        int64_t every, first, chance_e9;
    } cases[] = {
        {"eof", NB__FAULT_EOF, {10 * S}, 1, 0, NB_PRICE_ONE},
        {"in-use:3600", NB__FAULT_IN_USE, {3600 * S}, 1, 0, NB_PRICE_ONE},
        {" in-use : 60 ", NB__FAULT_IN_USE, {60 * S}, 1, 0, NB_PRICE_ONE},
        {"garbage:every=100", NB__FAULT_GARBAGE, {0}, 100, 0, NB_PRICE_ONE},
        {"latency:200ms,jitter:50ms", NB__FAULT_LATENCY, {200 * MS, 50 * MS}, 1, 0, NB_PRICE_ONE},
        {"latency:jitter=1.5s, delay=2m",
         NB__FAULT_LATENCY,
         {120 * S, 1500 * MS},
         1,
         0,
         NB_PRICE_ONE},
        {"latency:1us", NB__FAULT_LATENCY, {1000}, 1, 0, NB_PRICE_ONE},
        {"hold:1h", NB__FAULT_HOLD, {3600 * S}, 1, 0, NB_PRICE_ONE},
        {"hold:240h", NB__FAULT_HOLD, {10 * NB__NS_PER_DAY}, 1, 0, NB_PRICE_ONE},
        {"full:0,first=3", NB__FAULT_FULL, {0}, 1, 3, NB_PRICE_ONE},
        {"bad-approval:no", NB__FAULT_BAD_APPROVAL, {0}, 1, 0, NB_PRICE_ONE},
        {"approval-refused:EGW00207", NB__FAULT_APPROVAL_REFUSED, {207, 403}, 1, 0, NB_PRICE_ONE},
        {"truncated:chance=0.25,every=2", NB__FAULT_TRUNCATED, {0}, 2, 0, NB_PRICE_ONE / 4},
        {"truncated:chance=1%", NB__FAULT_TRUNCATED, {0}, 10, 0, NB_PRICE_ONE / 100},
        {"half-open:5,jitter=6,lasts=7",
         NB__FAULT_HALF_OPEN,
         {5 * S, 6 * S, 7 * S},
         1,
         0,
         NB_PRICE_ONE},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__sim_fault fault;
        nb_error error = {0};
        if (parse(cases[i].text, &fault, &error) != NB_OK)
            fail_msg("%s: %s", cases[i].text, error.detail);
        assert_int_equal(fault.kind, cases[i].kind);
        assert_int_equal(fault.when, NB__SIM_WHEN_ALWAYS);
        for (size_t k = 0; k < NB__SIM_FAULT_PARAMS_MAX; k++)
            if (cases[i].values[k] != 0 || k == 0)
                assert_int_equal(fault.values[k], cases[i].values[k]);
        assert_int_equal(fault.every, cases[i].every);
        assert_int_equal(fault.first, cases[i].first);
        assert_int_equal(fault.chance_e9, cases[i].chance_e9);
    }
}

static void what_is_wrong_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "there is no fault \"\""},
        {"garbge", "did you mean garbage?"},
        {"eoff:5", "did you mean eof?"},
        {"nothing-near-at-all-and-long", "--help"},
        {"eof:", "\"\" is no after"},
        {"eof:5,", "eof has no \"\""},
        {"eof:5,6",
         "eof has no \"6\"; it takes after=10s, jitter=0s, inside=no, every=1, chance=1, first=0"},
        {"garbage:5", "garbage has no \"5\""},
        {"eof:until=5", "eof has no \"until\""},
        {"eof:after=5,after=6", "eof has after twice"},
        {"eof:5,after=6", "eof has after twice"},
        {"eof:every=1,every=2", "eof has every twice"},
        {"eof:-5", "\"-5\" is no after"},
        {"eof:5d", "\"5d\" is no after; a time"},
        {"eof:.5", "is no after"},
        {"eof:241h", "is no after"},
        {"eof:99999999999999999999", "is no after"},
        {"full:1.5", "a whole number of 0"},
        {"extra-fields:21", "a whole number of 1"},
        {"burst:1", "a whole number of 2"},
        {"eof:every=0", "a whole number of 1"},
        {"eof:chance=2", "a probability"},
        {"eof:chance=101%", "a probability"},
        {"eof:chance=%", "a probability"},
        {"bad-approval:maybe", "yes or no"},
        {"approval-refused:EGW1", "a code as EGW00103"},
        {"approval-refused:ABC00103", "a code as EGW00103"},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__sim_fault fault;
        nb_error error = {0};
        assert_int_equal(parse(cases[i].text, &fault, &error), NB_E_ARGUMENT);
        if (strstr(error.detail, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].text, error.detail);
    }
    nb__sim_fault fault; /* a NUL is no mark */
    assert_int_equal(nb__sim_fault_parse((nb_span){"eof\0:5", 6}, &fault, NULL), NB_E_ARGUMENT);
}

static void a_list_has_its_limit(void **state)
{
    (void)state;
    nb__sim_faults faults = {0};
    nb_error error = {0};
    for (int i = 0; i < NB__SIM_FAULTS_MAX; i++)
        assert_int_equal(nb__sim_faults_add(&faults, NB__SPAN("eof"), &error), NB_OK);
    assert_int_equal(nb__sim_faults_add(&faults, NB__SPAN("eof"), &error), NB_E_LIMIT);
    assert_int_equal(add_script(&faults, "+1s eof", &error), NB_E_LIMIT);
    assert_int_equal(faults.count, NB__SIM_FAULTS_MAX);
    nb__sim_faults_fini(&faults);
}

/* ---- scripts ---- */

static void a_script_is_read_line_by_line(void **state)
{
    (void)state;
    nb__sim_faults faults = {0};
    nb_error error = {0};
    const char *script = "# comment only\n"
                         "\n"
                         "+30s in-use:60\r\n"
                         "18:05:00\tsilent   # of the night\n"
                         "  +10s..+40s latency:200ms,jitter:50ms\n"
                         "05:59..06:00:30 eof:3s\n"
                         "+1.5 friday-restart:5s";
    if (add_script(&faults, script, &error) != NB_OK)
        fail_msg("%s", error.detail);
    static const struct {
        int kind, when, line;
        bool is_session_time;
        int64_t begin, end, value;
    } expected[] = {
        {NB__FAULT_IN_USE, NB__SIM_WHEN_AT, 3, false, 30 * S, 0, 60 * S},
        {NB__FAULT_SILENT, NB__SIM_WHEN_AT, 4, true, 180500, 0, 0},
        {NB__FAULT_LATENCY, NB__SIM_WHEN_BETWEEN, 5, false, 10 * S, 40 * S, 200 * MS},
        {NB__FAULT_EOF, NB__SIM_WHEN_BETWEEN, 6, true, 295900, 300030, 3 * S},
        {NB__FAULT_FRIDAY_RESTART, NB__SIM_WHEN_AT, 7, false, 1500 * MS, 0, 5 * S},
    };
    assert_int_equal(faults.count, NB__COUNT_OF(expected));
    for (size_t i = 0; i < NB__COUNT_OF(expected); i++) {
        const nb__sim_fault *fault = &faults.items[i];
        assert_int_equal(fault->kind, expected[i].kind);
        assert_int_equal(fault->when, expected[i].when);
        assert_int_equal(fault->line, expected[i].line);
        assert_int_equal(fault->is_session_time, expected[i].is_session_time);
        assert_int_equal(fault->begin, expected[i].begin);
        assert_int_equal(fault->end, expected[i].end);
        assert_int_equal(fault->values[0], expected[i].value);
    }
    assert_int_equal(faults.items[4].values[1], 0); /* at an instant: at once */
    nb__sim_faults_fini(&faults);
}

static void a_script_with_an_error_adds_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"+1s eof\n+x eof\n", "line 2: \"+x\" is no time"},
        {"eof", "line 1: \"eof\" is no time"},
        {"+1s", "line 1: there is a time and no fault"},
        {"+1s # eof", "line 1: there is a time and no fault"},
        {"+1s eoff", "line 1: there is no fault \"eoff\"; did you mean eof?"},
        {"+1s eof rst", "no fault \"eof rst\""},
        {"\n\n+5s..+5s eof", "line 3: +5s..+5s: the end has to come after"},
        {"+5s..18:00 eof", "both of one kind"},
        {"18:00..17:59 eof", "has to come after"},
        {"12:00 eof", "\"12:00\" is no time"},
        {"18:60 eof", "is no time"},
        {"1800 eof", "is no time"},
        {"18.00 eof", "is no time"},
        {"..+5s eof", "\"\" is no time"},
        {"+5s.. eof", "\"\" is no time"},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__sim_faults faults = {0};
        nb_error error = {0};
        assert_int_equal(nb__sim_faults_add(&faults, NB__SPAN("rst"), NULL), NB_OK);
        assert_int_equal(add_script(&faults, cases[i].text, &error), NB_E_ARGUMENT);
        if (strstr(error.detail, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].text, error.detail);
        assert_int_equal(faults.count, 1);
        nb__sim_faults_fini(&faults);
    }
    char wide[600] = "+1s eof";
    memset(wide + 7, '_', sizeof wide - 8);
    wide[sizeof wide - 1] = '\0';
    nb__sim_faults faults = {0};
    assert_int_equal(add_script(&faults, wide, NULL), NB_E_ARGUMENT);
    nb__sim_faults_fini(&faults);
}

/* ---- when ---- */

static nb__sim_schedule schedule_of(const char *script, const char *always, uint64_t seed)
{
    nb__sim_faults faults = {0};
    nb__sim_schedule schedule;
    nb_error error = {0};
    if (always != NULL)
        assert_int_equal(nb__sim_faults_add(&faults, nb__span(always), NULL), NB_OK);
    if (script != NULL && add_script(&faults, script, &error) != NB_OK)
        fail_msg("%s", error.detail);
    const nb__sim_start start = {nb__kst_ns(20261120, 180000), 20261120, 10};
    assert_int_equal(nb__sim_schedule_init(&schedule, faults.items, faults.count, seed, &start),
                     NB_OK);
    nb__sim_faults_fini(&faults);
    return schedule;
}

static bool strikes(nb__sim_schedule *schedule, nb__sim_fault_kind kind, int64_t elapsed_ns)
{
    return nb__sim_schedule_strike(schedule, kind, elapsed_ns) != NULL;
}

static void faults_are_on_at_their_times(void **state)
{
    (void)state;
    nb__sim_schedule s = schedule_of("+30s in-use:60\n"
                                     "+10s..+40s latency:1s\n"
                                     "18:10 truncated:every=1\n" /* at 10 × speed: +60 s */
                                     "18:05..18:10 blanks:every=1\n"
                                     "00:00 one-byte\n"
                                     "+5s eof\n"
                                     "17:55 rst\n"        /* before the start: never */
                                     "17:55 fragments\n", /* … but this is on since */
                                     "full:3", 1);
    static const struct {
        int kind;
        int64_t on_ns, off_ns; /* off 0: never */
    } cases[] = {
        {NB__FAULT_IN_USE, 30 * S, 90 * S},   {NB__FAULT_LATENCY, 10 * S, 40 * S},
        {NB__FAULT_TRUNCATED, 60 * S, 0},     {NB__FAULT_BLANKS, 30 * S, 60 * S},
        {NB__FAULT_ONE_BYTE, 6 * 360 * S, 0}, {NB__FAULT_FULL, 0, 0},
        {NB__FAULT_FRAGMENTS, 0, 0},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__sim_fault_kind kind = (nb__sim_fault_kind)cases[i].kind;
        if (cases[i].on_ns > 0)
            assert_false(strikes(&s, kind, cases[i].on_ns - 1));
        assert_true(strikes(&s, kind, cases[i].on_ns));
        if (cases[i].off_ns > 0) {
            assert_true(strikes(&s, kind, cases[i].off_ns - 1));
            assert_false(strikes(&s, kind, cases[i].off_ns));
        } else {
            assert_true(strikes(&s, kind, 1000000 * S));
        }
    }
    assert_false(strikes(&s, NB__FAULT_GARBAGE, 0)); /* not asked for */
    assert_true(strikes(&s, NB__FAULT_EOF, 5 * S));
    assert_false(strikes(&s, NB__FAULT_EOF, 5 * S + MS)); /* an instant */
    assert_false(strikes(&s, NB__FAULT_RST, 0));
    nb__sim_schedule_fini(&s);
}

static void in_use_between_lasts_as_long_as_said(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        int64_t end_ns;
    } cases[] = {{"+10s..+500s in-use", 500 * S},
                 {"+10s..+500s in-use:20", 30 * S},
                 {"+10s..+12s in-use:20", 12 * S}};
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__sim_schedule s = schedule_of(cases[i].script, NULL, 1);
        assert_true(strikes(&s, NB__FAULT_IN_USE, cases[i].end_ns - 1));
        assert_false(strikes(&s, NB__FAULT_IN_USE, cases[i].end_ns));
        nb__sim_schedule_fini(&s);
    }
}

static void begins_are_told_once_and_in_time(void **state)
{
    (void)state;
    nb__sim_schedule s = schedule_of("+2s eof\n+1s rst\n17:55 rst\n", "silent", 1);
    assert_int_equal(nb__sim_schedule_next_ns(&s), 0);
    assert_int_equal(nb__sim_schedule_begun(&s, 0)->fault.kind, NB__FAULT_SILENT);
    assert_null(nb__sim_schedule_begun(&s, 0)); /* what lies before the start is not told */
    assert_int_equal(nb__sim_schedule_next_ns(&s), 1 * S);
    assert_int_equal(nb__sim_schedule_begun(&s, 1 * S)->fault.kind, NB__FAULT_RST);
    assert_null(nb__sim_schedule_begun(&s, 2 * S - 1));
    assert_int_equal(nb__sim_schedule_begun(&s, 3 * S)->fault.kind, NB__FAULT_EOF);
    assert_int_equal(nb__sim_schedule_next_ns(&s), INT64_MAX);
    nb__sim_schedule_fini(&s);
}

/* ---- which ---- */

static uint64_t pattern(const char *fault, uint64_t seed)
{
    nb__sim_schedule s = schedule_of(NULL, fault, seed);
    uint64_t taken = 0;
    for (int i = 0; i < 64; i++)
        taken |= (uint64_t)strikes(&s, NB__FAULT_GARBAGE, i) << i;
    nb__sim_schedule_fini(&s);
    return taken;
}

static void opportunities_are_taken_as_asked_for(void **state)
{
    (void)state;
    assert_true(pattern("garbage:every=1", 1) == UINT64_MAX);
    assert_true(pattern("garbage:every=4", 1) == UINT64_C(0x8888888888888888));
    assert_true(pattern("garbage:every=1,first=5", 1) == 0x1F);
    assert_true(pattern("garbage:every=8,first=2", 1) == 0x8080);
    assert_true(pattern("garbage:every=1,chance=0", 1) == 0);
    int half = __builtin_popcountll(pattern("garbage:every=1,chance=0.5", 7));
    assert_in_range(half, 20, 44);
    assert_true(pattern("garbage:every=1,chance=50%", 7) ==
                pattern("garbage:every=1,chance=0.5", 7));
    assert_true(pattern("garbage:every=1,chance=0.5", 7) !=
                pattern("garbage:every=1,chance=0.5", 8));
    assert_int_equal(__builtin_popcountll(pattern("garbage:every=1,chance=0.5,first=6", 7)), 6);
}

static void jitter_stays_in_its_range(void **state)
{
    (void)state;
    nb__sim_schedule s = schedule_of(NULL, "latency", 3);
    int64_t least_ns = INT64_MAX, most_ns = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t ns = nb__sim_armed_draw_ns(&s.rows[0], 10 * S, 5 * S);
        least_ns = ns < least_ns ? ns : least_ns;
        most_ns = ns > most_ns ? ns : most_ns;
    }
    assert_in_range(least_ns, 10 * S, 10 * S + 100 * MS);
    assert_in_range(most_ns, 15 * S - 100 * MS, 15 * S);
    assert_int_equal(nb__sim_armed_draw_ns(&s.rows[0], 7, 0), 7);
    nb__sim_schedule_fini(&s);
}

/* ---- what they do to a frame ---- */

#define RECORD                                                                                     \
    "B01612A46^200000^1.00^2.00^3.00^4.00^5.00^6.00^7.00^8.00^9.00^10.00^1^2^3^4^5^6^7^8^9^10^11^" \
    "12^13^14^15^16^17^18^19^20^21^22^23^24^25^26"

static nb__sim_damage damage_of(const char *fault)
{
    nb__sim_schedule s = schedule_of(NULL, fault, 1);
    nb__sim_damage damage = nb__sim_damage_plan(&s, 0, 42);
    nb__sim_schedule_fini(&s);
    return damage;
}

/* @return how many fields there are; `blanks` of them empty. */
static int count_fields(const char *text, size_t size_bytes, int *blanks)
{
    int fields = 1;
    *blanks = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        bool is_mark = text[i] == '^';
        fields += is_mark;
        *blanks += is_mark && (i + 1 == size_bytes || text[i + 1] == '^');
    }
    return fields;
}

static size_t damage_record(const char *fault, uint32_t index, char out[NB__SIM_RECORD_TEXT_MAX])
{
    nb__sim_damage damage = damage_of(fault);
    memcpy(out, RECORD, sizeof RECORD);
    return nb__sim_damage_record(&damage, index, out, sizeof RECORD - 1);
}

static void records_are_damaged_as_asked_for(void **state)
{
    (void)state;
    char text[NB__SIM_RECORD_TEXT_MAX], again[NB__SIM_RECORD_TEXT_MAX];
    int blanks;
    size_t size_bytes = damage_record("eof", 0, text);
    assert_int_equal(size_bytes, sizeof RECORD - 1);
    assert_memory_equal(text, RECORD, size_bytes);

    size_bytes = damage_record("middle-field:2", 0, text);
    assert_int_equal(count_fields(text, size_bytes, &blanks), 39);
    assert_memory_equal(text, "B01612A46^200000^0^1.00^2.00", 28);
    size_bytes = damage_record("middle-field:37", 0, text);
    assert_memory_equal(text + size_bytes - 8, "^25^0^26", 8);

    for (uint32_t count = 1; count <= 36; count++) {
        char fault[32];
        snprintf(fault, sizeof fault, "blanks:%u,every=1", count);
        size_bytes = damage_record(fault, 0, text);
        assert_int_equal(count_fields(text, size_bytes, &blanks), 38);
        assert_int_equal(blanks, count);
        assert_memory_equal(text, "B01612A46^200000^", 17);
        assert_int_equal(damage_record(fault, 0, again), size_bytes);
        assert_memory_equal(text, again, size_bytes);
    }
    assert_true(damage_record("blanks:3,every=1", 1, again) != size_bytes ||
                memcmp(text, again, size_bytes) != 0);

    size_bytes = damage_record("not-utf8:every=1", 0, text);
    assert_memory_equal(text, RECORD, sizeof RECORD - 1);
    assert_int_equal(nb__utf8_valid_prefix((nb_span){text, size_bytes}), sizeof RECORD);
    assert_int_equal(count_fields(text, size_bytes, &blanks), 39);
}

static void frames_are_cut_and_garbage_is_bounded(void **state)
{
    (void)state;
    nb__sim_damage damage = damage_of("truncated:every=1");
    for (damage.seed = 0; damage.seed < 2000; damage.seed++) {
        size_t size_bytes = nb__sim_damage_cut(&damage, 400);
        assert_in_range(size_bytes, 1, 300);
    }
    assert_int_equal(nb__sim_damage_cut(&damage, 3), 3);
    assert_int_equal(damage_of("eof").kinds, 0);
    damage = damage_of("garbage:every=1");
    bool is_empty = false, is_json = false, is_headed = false;
    for (damage.seed = 0; damage.seed < 2000; damage.seed++) {
        guard g = guard_copy((char[NB__SIM_GARBAGE_MAX]){0}, NB__SIM_GARBAGE_MAX);
        size_t size_bytes = nb__sim_damage_garbage(&damage, g.data);
        assert_in_range(size_bytes, 0, NB__SIM_GARBAGE_MAX);
        assert_int_equal(nb__utf8_valid_prefix((nb_span){g.data, size_bytes}), size_bytes);
        is_empty |= size_bytes == 0;
        is_json |= size_bytes > 0 && g.data[0] == '{';
        is_headed |= size_bytes > 12 && memcmp(g.data, "0|H0EUASP0|0", 12) == 0;
        guard_free(&g);
    }
    assert_true(is_empty && is_json && is_headed);
}

static void the_truth_is_told_what_happened(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *says;
    } cases[] = {
        {"eof", ""},
        {"garbage:every=1", ",\"faults\":[\"garbage\"]"},
        {"extra-fields:2", ",\"faults\":[\"extra-fields\"]"},
        {"truncated:every=1", ",\"damaged\":true,\"faults\":[\"truncated\"]"},
        {"blanks:every=1", ",\"damaged\":true,\"faults\":[\"blanks\"]"},
        {"middle-field", ",\"damaged\":true,\"faults\":[\"middle-field\"]"},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__sim_damage damage = damage_of(cases[i].fault);
        nb__text text = {0};
        nb__sim_damage_print(&damage, &text);
        assert_string_equal(text.size_bytes > 0 ? text.data : "", cases[i].says);
        nb__text_fini(&text);
    }
    nb__sim_schedule s = schedule_of("+0s not-utf8:every=1\n+0s blanks:every=1", NULL, 1);
    nb__sim_damage damage = nb__sim_damage_plan(&s, 0, 1);
    nb__text text = {0};
    nb__sim_damage_print(&damage, &text);
    assert_string_equal(text.data, ",\"damaged\":true,\"faults\":[\"blanks\",\"not-utf8\"]");
    nb__text_fini(&text);
    nb__sim_schedule_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole_and_its_defaults_are_in_range),
        cmocka_unit_test(what_is_typed_is_read),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(a_list_has_its_limit),
        cmocka_unit_test(a_script_is_read_line_by_line),
        cmocka_unit_test(a_script_with_an_error_adds_nothing),
        cmocka_unit_test(faults_are_on_at_their_times),
        cmocka_unit_test(in_use_between_lasts_as_long_as_said),
        cmocka_unit_test(begins_are_told_once_and_in_time),
        cmocka_unit_test(opportunities_are_taken_as_asked_for),
        cmocka_unit_test(jitter_stays_in_its_range),
        cmocka_unit_test(records_are_damaged_as_asked_for),
        cmocka_unit_test(frames_are_cut_and_garbage_is_bounded),
        cmocka_unit_test(the_truth_is_told_what_happened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
