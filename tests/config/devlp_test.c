/* SPDX-License-Identifier: Apache-2.0 */
/* kis_devlp.yaml: keys and HTS id, whatever else stands in it; placeholders and paper keys are
 * named. */
#include "config/config.h"
#include "guard.h"
#include <string.h>

#define KEY "PSabcdefghijklmnopqrstuvwxyz01234567"
#define PAPER "PSVTcdefghijklmnopqrstuvwxyz01234567"
#define SECRET "s3cr3t/s3cr3t+s3cr3t/s3cr3t+s3cr3t=="

static nb_err read_text(nb__settings *settings, const char *text, nb_error *error)
{
    guard g = guard_copy(text, strlen(text));
    nb_err err =
        nb__settings_read_devlp(settings, (nb_span){g.data, g.size_bytes}, "d.yaml", error);
    guard_free(&g);
    return err;
}

static const char *const taken[] = {
    "my_app: " KEY "\nmy_sec: " SECRET "\n",
    "my_app: \"" KEY "\"\nmy_sec: '" SECRET "'\nmy_htsid: \"사용자 HTS ID\"\n",
    /* paper keys beside live ones, filled in or not */
    "my_app: " KEY "\nmy_sec: " SECRET "\npaper_app: " PAPER "\npaper_sec: " SECRET "\n",
    "my_app: " KEY "\nmy_sec: " SECRET "\npaper_app: \"모의투자 앱키\"\npaper_sec:\n",
    /* keys of the user's own, of any type, aliases and tags too */
    "accounts: &a\n  - {name: x, n: [1, [2, {y: z}]]}\nmore: *a\n? [odd]\n: 1\n<<: {q: 1}\n"
    "when: !!timestamp 2026-11-20\nmy_app: " KEY "\nmy_sec: " SECRET "\nmy_prod: 03\n",
    /* an address that points at nightbook is never read */
    "ops: ws://127.0.0.1:31000\nprod: http://evil.example\nmy_app: " KEY "\nmy_sec: " SECRET "\n",
};

static void test_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(taken); i++) {
        nb__settings *settings = nb__settings_new();
        nb_error error = {0};
        const nb__appkey *keys;
        if (read_text(settings, taken[i], &error) != NB_OK)
            fail_msg("%s: %s", taken[i], error.detail);
        assert_int_equal(nb__settings_appkeys(settings, &keys), 1);
        assert_string_equal(keys[0].appkey, KEY);
        assert_string_equal(keys[0].secret, SECRET);
        assert_string_equal(keys[0].hts_id, "");
        assert_int_equal(keys[0].custtype, 'P');
        assert_string_equal(nb__settings_text(settings, "ops"),
                            "ws://ops.koreainvestment.com:21000");
        assert_string_equal(nb__settings_origin(settings, "prod"), "default");
        nb__settings_free(settings);
    }
}

typedef struct refusal {
    const char *text, *words;
} refusal;

static const refusal refusals[] = {
    {"", "not filled in: my_app, my_sec;"},
    {"my_agent: x\n", "not filled in: my_app, my_sec;"},
    /* KIS's sample as it is */
    {"my_app: \"앱키\"\nmy_sec: \"앱키 시크릿\"\npaper_app: \"모의투자 앱키\"\n"
     "paper_sec: \"모의투자 앱키 시크릿\"\nmy_htsid: \"사용자 HTS ID\"\n",
     "not filled in: my_app, my_sec, my_htsid"},
    {"my_app: \"여기에 실전투자 앱키 입력\"\nmy_sec: " SECRET "\n", "d.yaml:1: my_app still holds"},
    {"my_app: " KEY "\nmy_sec: \"앱키 시크릿\"\n", "d.yaml:2: my_sec still holds"},
    {"my_app: " KEY "\n", "there is no my_sec in it"},
    {"my_app: ''\nmy_sec: " SECRET "\n", "d.yaml:1: my_app is empty"},
    {"my_app: PSshort\nmy_sec: " SECRET "\n", "my_app is too short"},
    {"my_app: " KEY KEY "\nmy_sec: " SECRET "\n", "my_app is too long"},
    {"my_app: [" KEY "]\nmy_sec: " SECRET "\n", "d.yaml:1:9: my_app: one text"},
    {"my_app: " KEY "\nmy_app: " KEY "\nmy_sec: " SECRET "\n", "d.yaml:2:"},
    {"my_app: \"앱키\"\nmy_sec: \"앱키 시크릿\"\npaper_app: " PAPER "\npaper_sec: " SECRET "\n",
     "only the paper keys"},
    {"my_app: " PAPER "\nmy_sec: " SECRET "\npaper_app: " PAPER "\n", "no paper version"},
    {"my_app: " KEY "\nmy_sec: \xbd\xc3\xc5\xa9\xb8\xb4\n", "d.yaml:2:9: bytes that are not UTF-8"},
    {"my_app: '" KEY "\n", "this is not YAML"},
    {"- my_app\n", "lines of `name: value`"},
    {"a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "nested deeper than 32"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(refusals); i++) {
        nb__settings *settings = nb__settings_new();
        nb_error error = {0};
        const nb__appkey *keys;
        assert_int_equal(read_text(settings, refusals[i].text, &error), NB_E_CONFIG);
        if (strstr(error.detail, refusals[i].words) == NULL)
            fail_msg("%s: expected %s, is %s", refusals[i].text, refusals[i].words, error.detail);
        assert_null(strstr(error.detail, KEY));
        assert_null(strstr(error.detail, SECRET));
        assert_int_equal(nb__settings_appkeys(settings, &keys), 0);
        nb__settings_free(settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_taken),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
