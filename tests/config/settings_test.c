/* SPDX-License-Identifier: Apache-2.0 */
/* Origins and their order, flags, the environment, what is printed (and what never is), and that
 * the file to begin with says the defaults. */
#include "config/config.h"
#include "guard.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define KEY "PSkeyKEYkeyKEYkey"
#define SECRET "secretSECRETsecretSECRET"
#define HTS_ID "trader77"
#define FILE_TEXT                                                                                  \
    "log: json\nhours: day\npin: [A, B]\nhts_id: " HTS_ID "\nclient_key: [client-SECRET-1]\n"      \
    "app_key: " KEY "\napp_secret: " SECRET "\n"
#define DEVLP_TEXT                                                                                 \
    "my_app: PSdevlpdevlpdevlpdevlp\nmy_sec: devlpSECRETdevlpSECRET\nmy_htsid: other\n"

static void must(nb_err err, const nb_error *error)
{
    if (err != NB_OK)
        fail_msg("%s", error->detail);
}

static const char *environment[8][2];

static const char *get(const char *name)
{
    for (size_t i = 0; environment[i][0] != NULL; i++)
        if (strcmp(environment[i][0], name) == 0)
            return environment[i][1];
    return NULL;
}

static void set_environment(const char *const pairs[][2], size_t count)
{
    memset(environment, 0, sizeof environment);
    if (count > 0)
        memcpy(environment, pairs, count * sizeof environment[0]);
}

/* Read all sources in the order that the digits of `order` say. */
static nb__settings *read_in(const char *order)
{
    nb__settings *s = nb__settings_new();
    nb_error error = {0};
    for (; *order != '\0'; order++) {
        if (*order == 'd')
            must(nb__settings_read_devlp(s, NB__SPAN(DEVLP_TEXT), "d.yaml", &error), &error);
        else if (*order == 'f')
            must(nb__settings_read_yaml(s, NB__SPAN(FILE_TEXT), "c.yaml", &error), &error);
        else if (*order == 'e')
            must(nb__settings_read_environment(s, get, &error), &error);
        else if (*order == '-')
            must(nb__settings_set(s, "hours", "both", NB__FROM_FLAG, NULL, &error), &error);
    }
    return s;
}

static void test_order_of_origins(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"KIS_APP_KEY", "PSenvironmentKEY"},
                                           {"KIS_SECRET", "environmentSECRET"}};
    static const char *const orders[] = {"dfe-", "-efd", "e-fd", "fd-e"};
    set_environment(pairs, 2);
    for (size_t i = 0; i < NB__COUNT_OF(orders); i++) {
        nb__settings *s = read_in(orders[i]);
        const nb__appkey *keys;
        assert_string_equal(nb__settings_text(s, "hours"), "both");
        assert_string_equal(nb__settings_origin(s, "hours"), "flag --hours");
        assert_string_equal(nb__settings_text(s, "log"), "json");
        assert_string_equal(nb__settings_origin(s, "log"), "c.yaml:1");
        assert_int_equal(nb__settings_appkeys(s, &keys), 1);
        assert_string_equal(keys[0].appkey, "PSenvironmentKEY");
        assert_string_equal(keys[0].hts_id, HTS_ID);
        nb__settings_free(s);
    }
}

static void test_order_of_appkeys(void **state)
{
    (void)state;
    const nb__appkey *keys;
    set_environment(NULL, 0);
    nb__settings *s = read_in("dfe");
    assert_int_equal(nb__settings_appkeys(s, &keys), 1);
    assert_string_equal(keys[0].appkey, KEY);
    nb__settings_free(s);
    s = read_in("fd");
    assert_int_equal(nb__settings_appkeys(s, &keys), 1);
    assert_string_equal(keys[0].appkey, KEY);
    nb__settings_free(s);
    s = read_in("d");
    assert_int_equal(nb__settings_appkeys(s, &keys), 1);
    assert_string_equal(keys[0].appkey, "PSdevlpdevlpdevlpdevlp");
    assert_string_equal(keys[0].hts_id, "other");
    assert_string_equal(keys[0].origin, "d.yaml:1");
    nb_error error = {0};
    must(nb__settings_read_yaml(s, NB__SPAN("hts_id: mine\n"), "c.yaml", &error), &error);
    assert_int_equal(nb__settings_appkeys(s, &keys), 1);
    assert_string_equal(keys[0].hts_id, "mine");
    nb__settings_free(s);
}

static void test_flags(void **state)
{
    (void)state;
    nb_error error = {0};
    const char *const *items;
    nb__settings *s = read_in("f");
    must(nb__settings_set(s, "pin", "C", NB__FROM_FLAG, NULL, &error), &error);
    must(nb__settings_set(s, "pin", "D", NB__FROM_FLAG, NULL, &error), &error);
    assert_int_equal(nb__settings_list(s, "pin", &items),
                     2); /* a flag's list replaces the file's */
    assert_string_equal(items[0], "C");
    must(nb__settings_set(s, "reserve", "1", NB__FROM_FLAG, NULL, &error), &error);
    must(nb__settings_set(s, "reserve", "2", NB__FROM_FLAG, NULL, &error), &error);
    assert_int_equal(nb__settings_number(s, "reserve"), 2); /* the last one wins */

    assert_int_equal(nb__settings_set(s, "linger", "ten", NB__FROM_FLAG, NULL, &error),
                     NB_E_ARGUMENT);
    assert_string_equal(error.detail, "--linger ten: a whole number of 0-86400 is expected");
    assert_int_equal(nb__settings_number(s, "linger"), 600);
    assert_int_equal(nb__settings_set(s, "lingre", "1", NB__FROM_FLAG, NULL, &error),
                     NB_E_ARGUMENT);
    assert_non_null(strstr(error.detail, "did you mean linger?"));
    assert_int_equal(nb__settings_set(s, "app-key", KEY, NB__FROM_FLAG, NULL, &error),
                     NB_E_ARGUMENT);
    assert_non_null(strstr(error.detail, "seen by all"));
    assert_null(strstr(error.detail, KEY));

    must(nb__settings_set(s, "listen", "1:2", NB__FROM_DEFAULT, NULL, &error), &error);
    assert_string_equal(nb__settings_text(s, "listen"), "1:2");
    assert_false(nb__settings_is_given(s, "listen"));
    assert_int_equal(nb__settings_fail(s, "pin", &error, "bad %d", 1), NB_E_ARGUMENT);
    assert_string_equal(error.detail, "--pin: bad 1");
    assert_int_equal(nb__settings_fail(s, "log", &error, "bad"), NB_E_CONFIG);
    assert_string_equal(error.detail, "c.yaml:1: log: bad");
    nb__settings_free(s);
}

typedef struct environment_case {
    const char *pairs[3][2];
    const char *words; /* NULL: taken */
    size_t appkeys;
} environment_case;

static const environment_case environment_cases[] = {
    {{{"PATH", "/bin"}}, NULL, 0},
    {{{"KIS_APP_KEY", ""}, {"KIS_SECRET", ""}}, NULL, 0},
    {{{"KIS_APP_KEY", KEY}, {"KIS_APP_SECRET", SECRET}}, NULL, 1},
    {{{"KIS_APP_KEY", KEY}, {"KIS_SECRET_KEY", SECRET}}, NULL, 1},
    {{{"KIS_APP_KEY", KEY}, {"KIS_SECRET", SECRET}, {"KIS_SECRET_KEY", SECRET}}, NULL, 1},
    {{{"KIS_APP_KEY", KEY}, {"KIS_SECRET", SECRET "x"}, {"KIS_APP_SECRET", SECRET}},
     "KIS_APP_SECRET and KIS_SECRET are both set and differ",
     0},
    {{{"KIS_APP_KEY", KEY}}, "KIS_APP_KEY is set and KIS_APP_SECRET is not", 0},
    {{{"KIS_SECRET_KEY", SECRET}}, "KIS_SECRET_KEY is set and KIS_APP_KEY is not", 0},
    {{{"KIS_APP_KEY", "앱키"}, {"KIS_SECRET", SECRET}}, "KIS_APP_KEY still holds", 0},
    {{{"KIS_APP_KEY", KEY}, {"KIS_SECRET", "x"}}, "KIS_SECRET is too short", 0},
};

static void test_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(environment_cases); i++) {
        const environment_case *c = &environment_cases[i];
        nb__settings *s = nb__settings_new();
        nb_error error = {0};
        const nb__appkey *keys;
        set_environment(c->pairs, NB__COUNT_OF(c->pairs));
        nb_err err = nb__settings_read_environment(s, get, &error);
        assert_int_equal(err, c->words == NULL ? NB_OK : NB_E_CONFIG);
        if (c->words != NULL && strstr(error.detail, c->words) == NULL)
            fail_msg("expected %s, is %s", c->words, error.detail);
        assert_null(strstr(error.detail, SECRET));
        assert_int_equal(nb__settings_appkeys(s, &keys), c->appkeys);
        nb__settings_free(s);
    }
}

/* ---- what is printed ---- */

static bool holds_secret(const nb__text *text)
{
    return strstr(text->data, KEY) != NULL || strstr(text->data, SECRET) != NULL ||
           strstr(text->data, HTS_ID) != NULL || strstr(text->data, "client-SECRET") != NULL;
}

static void test_print_masks(void **state)
{
    (void)state;
    nb__settings *s = read_in("f-");
    for (int as_json = 0; as_json <= 1; as_json++) {
        nb__text out = {0};
        nb__settings_print(s, as_json != 0, &out);
        assert_false(out.is_failed);
        assert_false(holds_secret(&out));
        assert_non_null(strstr(out.data, "PS…(17)"));
        assert_non_null(strstr(out.data, "…(24)"));
        assert_non_null(strstr(out.data, "…(15)"));
        assert_non_null(strstr(out.data, "flag --hours"));
        assert_non_null(strstr(out.data, "c.yaml:6"));
        assert_non_null(strstr(out.data, "A"));
        nb__text_fini(&out);
    }
    nb__settings_free(s);
}

/* Take the # off of every line that is a setting. */
static void uncomment(const nb__text *from, bool only_defaults, nb__text *out)
{
    for (const char *line = from->data; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        nb_span name = {line + 1, strcspn(line, ":") < size ? strcspn(line, ":") - 1 : 0};
        char word[64];
        const nb__setting *row = NULL;
        if (line[0] == '#' && line[1] != ' ' && nb__span_copy(name, word, sizeof word)) {
            for (char *at = word; *at != '\0'; at++)
                *at = *at == '_' ? '-' : *at;
            row = nb__settings_row(nb__span(word));
            assert_non_null(row);
        }
        if (row != NULL && (only_defaults ? row->fallback != NULL : !row->is_secret))
            nb__text_append(out, line + 1, size); /* with its end */
        line += size + (line[size] == '\n');
    }
}

static void test_template_says_the_defaults(void **state)
{
    (void)state;
    nb__text template = {0}, defaults = {0}, all = {0};
    nb_error error = {0};
    nb__settings_print_template(&template);
    nb__settings *s = nb__settings_new();
    must(nb__settings_read_yaml(s, nb__text_view(&template), "t", &error), &error);
    uncomment(&template, true, &defaults);
    must(nb__settings_read_yaml(s, nb__text_view(&defaults), "t", &error), &error);
    size_t count, given = 0;
    const nb__setting *table = nb__settings_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (table[i].fallback == NULL || table[i].where == NB__SETTING_FLAG_ONLY)
            continue;
        given++;
        assert_true(nb__settings_is_given(s, table[i].name));
        assert_string_equal(nb__settings_text(s, table[i].name), table[i].fallback);
    }
    assert_true(given > 15);
    uncomment(&template, false, &all); /* examples are of the right kind too */
    nb__settings_free(s);
    s = nb__settings_new();
    must(nb__settings_read_yaml(s, nb__text_view(&all), "t", &error), &error);
    for (size_t i = 0; i < count; i++)
        assert_true(table[i].is_secret || table[i].where == NB__SETTING_FLAG_ONLY ||
                    nb__settings_is_given(s, table[i].name));
    nb__settings_free(s);
    nb__text_fini(&template);
    nb__text_fini(&defaults);
    nb__text_fini(&all);
}

static void test_switches_and_words(void **state)
{
    (void)state;
    nb_error error = {0};
    nb__settings *s = nb__settings_new();
    assert_false(nb__settings_is_given(s, "loop"));
    must(nb__settings_set(s, "loop", "yes", NB__FROM_FLAG, NULL, &error), &error);
    assert_true(nb__settings_is_given(s, "loop"));
    assert_int_equal(nb__settings_set(s, "loop", "no", NB__FROM_FLAG, NULL, &error), NB_E_ARGUMENT);
    must(nb__settings_set(s, "speed", "max", NB__FROM_FLAG, NULL, &error), &error);
    assert_true(isinf(nb__settings_decimal(s, "speed")));
    assert_int_equal(nb__settings_set(s, "speed", "min", NB__FROM_FLAG, NULL, &error),
                     NB_E_ARGUMENT);
    assert_non_null(strstr(error.detail, "or max is expected"));
    assert_int_equal(nb__settings_set(s, "rate", "max", NB__FROM_FLAG, NULL, &error),
                     NB_E_ARGUMENT);
    nb__text json = {0};
    nb__settings_print(s, true, &json);
    assert_non_null(strstr(json.data, "\"speed\",\"value\":\"max\""));
    nb__text_fini(&json);
    nb__settings_free(s);
}

/* The table itself: names are words, defaults and examples are of their kind. */
static void test_table(void **state)
{
    (void)state;
    size_t count;
    const nb__setting *table = nb__settings_table(&count);
    nb_error error = {0};
    nb__settings *s = nb__settings_new();
    for (size_t i = 0; i < count; i++) {
        const nb__setting *row = &table[i];
        assert_ptr_equal(nb__settings_row(nb__span(row->name)), row);
        assert_int_equal(strspn(row->name, "abcdefghijklmnopqrstuvwxyz-"), strlen(row->name));
        assert_true(row->help[strlen(row->help) - 1] != '.');
        bool is_switch = row->type == NB__SETTING_SWITCH;
        assert_int_equal(row->metavar == NULL, is_switch);
        assert_true(!is_switch || row->where == NB__SETTING_FLAG_ONLY);
        assert_non_null(row->section);
        if (row->fallback != NULL)
            must(nb__settings_set(s, row->name, row->fallback, NB__FROM_FILE, "t", &error), &error);
        assert_true(row->where == NB__SETTING_FLAG_ONLY || row->fallback != NULL ||
                    row->example != NULL);
        assert_true(!row->is_secret || row->where == NB__SETTING_FILE_ONLY ||
                    strcmp(row->name, "client-key") == 0);
    }
    nb__settings_free(s);
    nb__text document = {0};
    nb__settings_print_document(&document);
    for (size_t i = 0; i < count; i++)
        assert_non_null(strstr(document.data, table[i].help));
    nb__text_fini(&document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_origins),
        cmocka_unit_test(test_order_of_appkeys),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_print_masks),
        cmocka_unit_test(test_template_says_the_defaults),
        cmocka_unit_test(test_switches_and_words),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
