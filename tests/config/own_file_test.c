/* SPDX-License-Identifier: Apache-2.0 */
/* nightbook's own file: what is taken, and for everything else the line, the column and the words.
 */
#include "config/config.h"
#include "guard.h"
#include <stdio.h>
#include <string.h>

#define KEY "PSkeyKEYkeyKEYkey"
#define SECRET "secretSECRETsecretSECRET"

static nb_err read_text(nb__settings *settings, const char *text, size_t size, nb_error *error)
{
    guard g = guard_copy(text, size);
    nb_err err = nb__settings_read_yaml(settings, (nb_span){g.data, g.size_bytes}, "c.yaml", error);
    guard_free(&g);
    return err;
}

static nb__settings *read_ok(const char *text)
{
    nb__settings *settings = nb__settings_new();
    nb_error error = {0};
    if (read_text(settings, text, strlen(text), &error) != NB_OK)
        fail_msg("%s: %s", text, error.detail);
    return settings;
}

static void test_values(void **state)
{
    (void)state;
    nb__settings *s = read_ok("# mine\nfeed: kis\nhours: both\non_loss: 'close:5'\nconnects: 03\n"
                              "speed: 2.5\npin: [A01612, B01612A45]\nwindow:\n  - nearest:8\n"
                              "notify: >-\n  run\n  this\n");
    const char *const *items;
    assert_string_equal(nb__settings_text(s, "feed"), "kis");
    assert_string_equal(nb__settings_origin(s, "feed"), "c.yaml:2");
    assert_string_equal(nb__settings_text(s, "on-loss"), "close:5");
    assert_string_equal(nb__settings_text(s, "connects"), "03"); /* text stays text */
    assert_int_equal(nb__settings_number(s, "connects"), 3);
    assert_true(nb__settings_decimal(s, "speed") > 2.49 && nb__settings_decimal(s, "speed") < 2.51);
    assert_int_equal(nb__settings_list(s, "pin", &items), 2);
    assert_string_equal(items[1], "B01612A45");
    assert_int_equal(nb__settings_list(s, "window", &items), 1);
    assert_string_equal(nb__settings_origin(s, "window"), "c.yaml:8");
    assert_string_equal(nb__settings_text(s, "notify"), "run this");
    assert_int_equal(nb__settings_list(s, "allow-host", &items), 0);
    assert_false(nb__settings_is_given(s, "log"));
    assert_string_equal(nb__settings_text(s, "log"), "keyvalue");
    assert_string_equal(nb__settings_origin(s, "log"), "default");
    assert_null(nb__settings_text(s, "ca-file"));
    assert_false(nb__settings_file_has_secrets(s));
    nb__settings_free(s);
}

static void test_nothing_is_a_file_too(void **state)
{
    (void)state;
    static const char *const texts[] = {"",      "# only a comment\n",
                                        "---\n", "---\n...\n",
                                        "\n\n",  "\xEF\xBB\xBF# from an editor of Windows\r\n"};
    for (size_t i = 0; i < NB__COUNT_OF(texts); i++)
        nb__settings_free(read_ok(texts[i]));
    nb__settings *s = read_ok("\xEF\xBB\xBF"
                              "feed: kis\r\nlog: json\r\n");
    assert_string_equal(nb__settings_text(s, "log"), "json");
    nb__settings_free(s);
}

static void test_appkeys(void **state)
{
    (void)state;
    const nb__appkey *keys;
    nb__settings *s = read_ok("custtype: B\nhts_id: trader1\nappkeys:\n"
                              "  - name: main\n    app_key: " KEY "\n    app_secret: " SECRET "\n"
                              "    custtype: P\n    hts_id: own\n"
                              "  - {app_key: " KEY "2, app_secret: " SECRET "}\n");
    assert_int_equal(nb__settings_appkeys(s, &keys), 2);
    assert_string_equal(keys[0].name, "main");
    assert_string_equal(keys[0].appkey, KEY);
    assert_string_equal(keys[0].secret, SECRET);
    assert_string_equal(keys[0].hts_id, "own");
    assert_int_equal(keys[0].custtype, 'P');
    assert_string_equal(keys[0].origin, "c.yaml:4");
    assert_string_equal(keys[1].name, "key2");
    assert_string_equal(keys[1].hts_id, "trader1");
    assert_int_equal(keys[1].custtype, 'B');
    assert_true(nb__settings_file_has_secrets(s));
    nb__settings_free(s);

    s = read_ok("app_key: " KEY "\napp_secret: " SECRET "\n");
    assert_int_equal(nb__settings_appkeys(s, &keys), 1);
    assert_string_equal(keys[0].name, "main");
    assert_string_equal(keys[0].origin, "c.yaml:1");
    assert_int_equal(keys[0].custtype, 'P');
    assert_string_equal(keys[0].hts_id, "");
    nb__settings_free(s);
}

typedef struct refusal {
    const char *text, *place, *words;
} refusal;

static const refusal refusals[] = {
    {"feed kis\n", "1:1", "lines of `name: value`"},
    {"- feed\n", "1:1", "lines of `name: value`"},
    {"feed: sim\nfede: kis\n", "2:1", "did you mean feed?"},
    {"on-loss: keep\n", "1:1", "did you mean on_loss?"},
    {"wholly_other: 1\n", "1:1", "no setting wholly_other"},
    {"PSaSecretPastedHere: 1\n", "1:1", "this key is not a setting"},
    {"at: '18:00'\n", "1:1", "at is a flag only: --at"},
    {"config: x\n", "1:1", "flag only"},
    {"feed: sim\nlog: json\nfeed: kis\n", "3:1", "feed is given twice, first on line 1"},
    {"feed:\n", "1:6", "feed has no value"},
    {"feed: ~\n", "1:7", "feed has no value"},
    {"feed: ''\n", "1:7", "it has no value"},
    {"feed: [kis]\n", "1:7", "one value is expected"},
    {"feed: {a: b}\n", "1:7", "one value is expected"},
    {"pin: A01612\n", "1:6", "a list is expected"},
    {"pin: []\n", "1:7", "the list is empty"},
    {"pin: [[A]]\n", "1:7", "a list of texts"},
    {"pin:\n- A\n-\n", "3:2", "pin has no value"},
    {"hours: evening\n", "1:8", "one of night|day|both|always"},
    {"hours: [night]\n", "1:8", "one value"},
    {"connects: many\n", "1:11", "a whole number of 1-100"},
    {"connects: 0\n", "1:11", "a whole number of 1-100"},
    {"connects: 4.0\n", "1:11", "a whole number"},
    {"connects: -4\n", "1:11", "a whole number"},
    {"rate: fast\n", "1:7", "a number of 0.01-1000000"},
    {"notify: \"a\\nb\"\n", "1:9", "control character"},
    {"notify: \"a\\0b\"\n", "1:9", "NUL"},
    {"feed: &a sim\nlog: json\n", "1:7", "anchors"},
    {"feed: &a sim\nlog: *a\n", "1:7", "anchors"},
    {"log: *a\n", "1:6", "aliases"},
    {"<<: {feed: sim}\n", "1:1", "merges"},
    {"feed: !!str sim\n", "1:7", "tags"},
    {"feed: !mine sim\n", "1:7", "tags"},
    {"--- !!map\nfeed: sim\n", "1:5", "tags"},
    {"%TAG ! tag:x,2000:\n---\nfeed: sim\n", "1:1", "%TAG"},
    {"? [a]\n: b\n", "1:3", "the name of a setting"},
    {"feed: sim\n---\nlog: json\n", "2:1", "a second document"},
    {"feed: 'sim\n", "2:1", "quoted scalar that begins on line 1"},
    {"feed: sim\n\tlog: json\n", "2:", "this is not YAML"},
    {"feed: sim: kis\n", "1:10", "this is not YAML"},
    {"feed: {a: [b}\n", "1:", "one value is expected"},
    {"feed: sim\n# \xbf\xec\xb8\xae\n", "2:3", "not UTF-8 (CP949?)"},
    {"# 한글\nfeed: \xb0\xb0\n", "2:7", "not UTF-8"},
    {"# 한글 \x01\n", "1:6", "control character"},
    {"appkeys: main\n", "1:10", "appkeys: a list is expected"},
    {"appkeys: []\n", "1:11", "the list is empty"},
    {"appkeys:\n- main\n", "2:3", "an appkey is a mapping"},
    {"appkeys:\n- app_key: " KEY "\n", "3:1", "no app_secret"},
    {"appkeys:\n- app_secret: " SECRET "\n", "3:1", "no app_key"},
    {"appkeys:\n- appkey: " KEY "\n", "2:3", "none of them"},
    {"appkeys:\n- app_key: " KEY "\n  app_key: " KEY "\n", "3:3", "app_key is given twice"},
    {"appkeys:\n- app_key: [" KEY "]\n", "2:12", "one text"},
    {"appkeys:\n- app_key:\n", "2:11", "app_key has no value"},
    {"appkeys:\n- app_key: YOUR_APP_KEY\n", "2:12", "still holds the sample's text"},
    {"appkeys:\n- app_key: 앱키\n", "2:12", "still holds a sample's text"},
    {"appkeys:\n- app_key: short\n", "2:12", "too short"},
    {"appkeys:\n- name: 'a b'\n", "2:9", "is a label"},
    {"appkeys:\n- custtype: X\n", "2:13", "one of P|B"},
    {"appkeys:\n- {name: a, app_key: " KEY ", app_secret: " SECRET "}\n"
     "- {name: a, app_key: " KEY "2, app_secret: " SECRET "}\n",
     "3:", "two appkeys have the name a"},
    {"appkeys:\n- {app_key: " KEY ", app_secret: " SECRET "}\n"
     "- {app_key: " KEY ", app_secret: " SECRET "}\n",
     "3:", "one session an appkey"},
    {"app_key: " KEY "\n", "1:", "there is no app_secret with it"},
    {"app_secret: " SECRET "\n", "1:", "there is no app_key with it"},
    {"app_key: YOUR_APP_KEY\napp_secret: " SECRET "\n", "1:", "still holds the sample's text"},
    {"app_key: " KEY "\napp_secret: YOUR_APP_SECRET\n", "2:", "still holds the sample's text"},
    {"hts_id: 사용자\n", "1:", "sample's text"},
    {"app_key: " KEY "\napp_secret: " SECRET "\nappkeys:\n- {app_key: " KEY "2, app_secret: " SECRET
     "}\n",
     "1:", "appkeys are given as well"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(refusals); i++) {
        const refusal *r = &refusals[i];
        nb__settings *settings = nb__settings_new();
        nb_error error = {0};
        char place[40];
        snprintf(place, sizeof place, "c.yaml:%s", r->place);
        nb_err err = read_text(settings, r->text, strlen(r->text), &error);
        if (err != NB_E_CONFIG || error.code != err)
            fail_msg("%s: taken, or %s", r->text, nb_error_name(err));
        if (strncmp(error.detail, place, strlen(place)) != 0 ||
            strstr(error.detail, r->words) == NULL)
            fail_msg("%s: expected %s … %s, is %s", r->text, place, r->words, error.detail);
        assert_true(error.offset_bytes <= strlen(r->text));
        /* no value is quoted, and nothing of the file counts */
        assert_null(strstr(error.detail, KEY));
        assert_null(strstr(error.detail, SECRET));
        assert_null(strstr(error.detail, "PSaSecret"));
        assert_false(nb__settings_is_given(settings, "feed"));
        assert_false(nb__settings_is_given(settings, "log"));
        nb__settings_free(settings);
    }
}

/* Line and column as an editor shows them, the offset in bytes as the file has them. */
static void test_places(void **state)
{
    (void)state;
    static const char text[] = "\xEF\xBB\xBF# 한\r\nfeed: 'sim'\r\nhours: 밤\r\n";
    static const char bad[] = "\xEF\xBB\xBF# 한\xC7";
    nb_error error = {0};
    nb__settings *settings = nb__settings_new();
    assert_int_equal(read_text(settings, text, sizeof text - 1, &error), NB_E_CONFIG);
    assert_int_equal(strncmp(error.detail, "c.yaml:3:8: hours", 17), 0);
    assert_int_equal(error.offset_bytes, strstr(text, "밤") - text);
    assert_int_equal(read_text(settings, bad, sizeof bad - 1, &error), NB_E_CONFIG);
    assert_int_equal(strncmp(error.detail, "c.yaml:1:4: bytes", 17), 0);
    assert_int_equal(error.offset_bytes, sizeof bad - 2);
    nb__settings_free(settings);
}

/* Cut at every byte it is read or refused, never half: and never read past its end. */
static void test_cuts(void **state)
{
    (void)state;
    static const char text[] = "feed: kis # 한글\nwindow: ['nearest:8']\nappkeys:\n- name: main\n"
                               "  app_key: \"" KEY "\"\n  app_secret: |-\n    " SECRET "\n";
    for (size_t size = 0; size < sizeof text; size++) {
        nb__settings *settings = nb__settings_new();
        nb_error error = {0};
        const nb__appkey *keys;
        if (read_text(settings, text, size, &error) != NB_OK) {
            assert_int_equal(error.code, NB_E_CONFIG);
            assert_false(nb__settings_is_given(settings, "feed"));
            assert_int_equal(nb__settings_appkeys(settings, &keys), 0);
        }
        nb__settings_free(settings);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    static char text[70000];
    nb_error error = {0};
    nb__settings *settings = nb__settings_new();
    memset(text, '#', sizeof text);
    assert_int_equal(read_text(settings, text, sizeof text, &error), NB_E_CONFIG);
    assert_non_null(strstr(error.detail, "64 KiB"));
    assert_int_equal(read_text(settings, text, 65536, &error), NB_OK);
    memset(text, '[', 60000); /* deep nesting costs no stack */
    assert_int_equal(read_text(settings, text, 60000, &error), NB_E_CONFIG);
    memcpy(text, "notify: ", 8);
    memset(text + 8, 'x', 5000);
    assert_int_equal(read_text(settings, text, 5008, &error), NB_E_CONFIG);
    assert_non_null(strstr(error.detail, "longer than 4096"));
    nb__settings_free(settings);
}

/* 17 appkeys, 9 windows: limits are told where they are passed. */
static void test_counts(void **state)
{
    (void)state;
    nb__text text = {0};
    nb_error error = {0};
    nb__settings *settings = nb__settings_new();
    nb__text_string(&text, "appkeys:\n");
    for (int i = 1; i <= NB__APPKEYS_MAX + 1; i++)
        nb__text_printf(&text, "- {app_key: " KEY "%d, app_secret: " SECRET "}\n", i);
    assert_int_equal(read_text(settings, text.data, text.size_bytes, &error), NB_E_CONFIG);
    assert_non_null(strstr(error.detail, "c.yaml:18:"));
    assert_non_null(strstr(error.detail, "more than 16 appkeys"));
    nb__text_fini(&text);
    const char *windows = "window: [a, b, c, d, e, f, g, h, i]\n";
    assert_int_equal(read_text(settings, windows, strlen(windows), &error), NB_E_CONFIG);
    assert_non_null(strstr(error.detail, "more than 8 times"));
    nb__settings_free(settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_nothing_is_a_file_too),
        cmocka_unit_test(test_appkeys), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_places),  cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_sizes),   cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
