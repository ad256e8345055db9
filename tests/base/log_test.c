/* SPDX-License-Identifier: Apache-2.0 */
/* base: the log. Which events are told, how lines look, and that neither secrets nor a peer's words
 * get out of their place. */
#include "base/log.h"
#include "guard.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NIGHT_NS INT64_C(1795251600123456789) /* 2026-11-21T18:00:00.123+09:00 */

/* ---- lines ---- */

static char *print(nb__log_form form, nb__log_level level, const char *sentence, bool is_journal,
                   const log_secrets *secrets)
{
    static nb__text out;
    log_secrets none = {0};
    char *words = strdup(sentence);
    const log_event event = {.level = level,
                             .room = "feed",
                             .sentence = words,
                             .real_ns = NIGHT_NS,
                             .is_journal = is_journal};
    nb__text_clear(&out);
    log_line_print(form, &event, secrets == NULL ? &none : secrets, &out);
    free(words);
    return out.data;
}

static void each_form_in_one_line(void **state)
{
    (void)state;
    const char *said = "main: OPSP8996 \"ALREADY IN USE\"\n  waiting 60 s";
    assert_string_equal(print(NB__LOG_WORDS, NB__LOG_WARN, said, false, NULL),
                        "nightbook: warning: feed: main: OPSP8996 \"ALREADY IN USE\"\n"
                        "  waiting 60 s\n");
    assert_string_equal(print(NB__LOG_KEYVALUE, NB__LOG_WARN, said, false, NULL),
                        "time=2026-11-21T18:00:00.123+09:00 level=warning room=feed "
                        "msg=\"main: OPSP8996 \\\"ALREADY IN USE\\\"\" hint=\"waiting 60 s\"\n");
    assert_string_equal(print(NB__LOG_JSON, NB__LOG_INFO, said, false, NULL),
                        "{\"time\":\"2026-11-21T18:00:00.123+09:00\",\"level\":\"info\","
                        "\"room\":\"feed\",\"msg\":\"main: OPSP8996 \\\"ALREADY IN USE\\\"\","
                        "\"hint\":\"waiting 60 s\"}\n");
    assert_string_equal(print(NB__LOG_KEYVALUE, NB__LOG_INFO, "up", false, NULL),
                        "time=2026-11-21T18:00:00.123+09:00 level=info room=feed msg=\"up\"\n");
}

static void the_journal_gets_priorities_and_no_time(void **state)
{
    (void)state;
    assert_string_equal(print(NB__LOG_KEYVALUE, NB__LOG_ERROR, "x\ny", true, NULL),
                        "<3>level=error room=feed msg=\"x\" hint=\"y\"\n");
    assert_string_equal(print(NB__LOG_KEYVALUE, NB__LOG_DEBUG, "x", true, NULL),
                        "<7>level=debug room=feed msg=\"x\"\n");
    assert_string_equal(print(NB__LOG_JSON, NB__LOG_WARN, "x", true, NULL),
                        "<4>{\"level\":\"warning\",\"room\":\"feed\",\"msg\":\"x\"}\n");
    assert_string_equal(print(NB__LOG_WORDS, NB__LOG_INFO, "x\ny", true, NULL),
                        "<6>nightbook: feed: x\n<6>  y\n");
}

/* How often `mark` stands outside quotes, in one line whose quotes and escapes are whole. */
static size_t count_outside(const char *line, char mark)
{
    size_t count = 0;
    bool is_quoted = false;
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    for (const char *at = line; *at != '\0'; at++) {
        assert_true(((unsigned char)*at >= 0x20 || at[1] == '\0') && *at != 0x7F);
        if (is_quoted && *at == '\\')
            assert_non_null(strchr("\"\\", *++at)); /* there is nothing else left to escape */
        else if (*at == '"')
            is_quoted = !is_quoted;
        else
            count += *at == mark && !is_quoted;
    }
    assert_false(is_quoted);
    assert_int_equal(nb__utf8_valid_prefix(nb__span(line)), strlen(line));
    return count;
}

static void no_words_of_a_peer_forge_a_key_or_a_line(void **state)
{
    (void)state;
    static const char *const hostile[] = {
        "x\" level=error msg=\"forged",
        "x\\\" level=error msg=\\\"forged",
        "x\\",
        "a\nb\nc\" level=error\nnightbook: error: feed: forged",
        "a\r\nlevel=error\x1b[31m\x07\x7f",
        "a\xC2\x85z\xE2\x80\xA8w",
        "bad \xFF\xC3( bytes",
        "\n\n\n",
        "",
    };
    for (size_t i = 0; i < NB__COUNT_OF(hostile); i++) {
        char *line = print(NB__LOG_JSON, NB__LOG_WARN, hostile[i], false, NULL);
        assert_int_equal(count_outside(line, ':'), strstr(line, ",\"hint\":\"") == NULL ? 4 : 5);
        line = print(NB__LOG_KEYVALUE, NB__LOG_WARN, hostile[i], false, NULL);
        assert_int_equal(count_outside(line, '='), strstr(line, " hint=\"") == NULL ? 4 : 5);
        line = print(NB__LOG_WORDS, NB__LOG_WARN, hostile[i], false, NULL);
        for (const char *at = strchr(line, '\n'); at[1] != '\0'; at = strchr(at + 1, '\n'))
            assert_int_equal(at[1], ' ');
    }
}

/* ---- secrets ---- */

static void secrets_show_in_no_form(void **state)
{
    (void)state;
    log_secrets secrets = {0};
    const char *plain = "PSab/c+d==\"\\x";
    log_secrets_add(&secrets, plain);
    log_secrets_add(&secrets, "abc"); /* too short: it would hide words */
    log_secrets_add(&secrets, NULL);
    log_secrets_add(&secrets, plain);
    assert_int_equal(secrets.count, 1);
    static const char *const shown[] = {
        "key PSab/c+d==\"\\x end",                          /* as it is */
        "key PSab\\/c+d==\\\"\\\\x end",                    /* in JSON */
        "key PSab\\\\\\/c+d==\\\\\\\"\\\\\\\\x end",        /* in JSON in JSON */
        "key PSab%2Fc%2bd%3D%3d%22%5Cx end",                /* in an address */
        "key \\u0050Sab\\u002fc+d==\\u0022\\u005Cx end",    /* escaped where it need not be */
        "key PSab/c+d==\"\\x end\nkey PSab/c+d==\"\\x end", /* in the hint, too */
    };
    for (size_t i = 0; i < NB__COUNT_OF(shown); i++) {
        for (int form = NB__LOG_WORDS; form <= NB__LOG_JSON; form++) {
            const char *line = print((nb__log_form)form, NB__LOG_INFO, shown[i], false, &secrets);
            assert_non_null(strstr(line, "key *** end"));
            assert_null(strstr(line, "PSab"));
            assert_null(strstr(line, "c+d"));
        }
    }
    char none[] = "key PSab/c+d== is not all of it";
    assert_int_equal(log_secrets_hide(&secrets, none), 0);
    log_secrets_wipe(&secrets);
}

static void a_secret_made_by_escaping_takes_the_value_with_it(void **state)
{
    (void)state;
    log_secrets secrets = {0};
    log_secrets_add(&secrets, "a??b"); /* not in the text, but in what is shown of it */
    assert_non_null(strstr(print(NB__LOG_KEYVALUE, NB__LOG_INFO,
                                 "x a\x01\x02"
                                 "b\ny",
                                 false, &secrets),
                           " msg=\"***\" hint=\"y\"\n"));
    assert_string_equal(print(NB__LOG_WORDS, NB__LOG_INFO,
                              "x a\x01\x02"
                              "b",
                              false, &secrets),
                        "nightbook: feed: ***\n");
    log_secrets_wipe(&secrets);
}

static void the_first_secrets_stay(void **state)
{
    (void)state;
    log_secrets secrets = {0};
    char secret[32];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(secret, sizeof secret, "secret-%u.", i);
        log_secrets_add(&secrets, secret);
    }
    assert_int_equal(secrets.count, LOG_SECRETS_MAX);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(secret, sizeof secret, "secret-%u.", i);
        bool is_kept = i < LOG_SECRETS_KEPT || i >= 1000 - (LOG_SECRETS_MAX - LOG_SECRETS_KEPT);
        assert_int_equal(log_secrets_hide(&secrets, secret), is_kept);
    }
    log_secrets_wipe(&secrets);
}

/* ---- the gate ---- */

static void ten_a_minute_are_told_and_the_rest_counted(void **state)
{
    (void)state;
    static log_gate gate;
    log_row *held, taken;
    uint64_t repeated, a = log_gate_key("feed", "%s: lost"), b = log_gate_key("feed", "%s: found");
    assert_int_not_equal(a, b);
    assert_int_not_equal(a, log_gate_key("sim", "%s: lost"));
    for (int i = 0; i < 10; i++)
        assert_true(log_gate_pass(&gate, a, i * NB__NS_PER_S, &repeated, &held));
    assert_false(log_gate_pass(&gate, a, 10 * NB__NS_PER_S, &repeated, &held));
    snprintf(held->sentence, sizeof held->sentence, "last words");
    assert_false(log_gate_pass(&gate, a, 59 * NB__NS_PER_S, &repeated, &held));
    assert_true(log_gate_pass(&gate, b, 59 * NB__NS_PER_S, &repeated, &held)); /* another one */
    assert_false(log_gate_take(&gate, b, 59 * NB__NS_PER_S, &taken));          /* not over yet */
    assert_false(log_gate_take(&gate, a, 60 * NB__NS_PER_S, &taken));          /* it tells itself */
    assert_true(log_gate_pass(&gate, a, 60 * NB__NS_PER_S, &repeated, &held));
    assert_int_equal(repeated, 2);
    assert_true(log_gate_pass(&gate, a, 60 * NB__NS_PER_S, &repeated, &held));
    assert_int_equal(repeated, 0);
    for (int i = 0; i < 11; i++)
        (void)log_gate_pass(&gate, a, 61 * NB__NS_PER_S, &repeated, &held);
    snprintf(held->sentence, sizeof held->sentence, "last words");
    assert_true(log_gate_take(&gate, b, 120 * NB__NS_PER_S, &taken)); /* nobody else would */
    assert_int_equal(taken.held, 3);
    assert_string_equal(taken.sentence, "last words");
    assert_false(log_gate_take(&gate, b, 120 * NB__NS_PER_S, &taken));
}

static void a_full_table_loses_no_count(void **state)
{
    (void)state;
    static log_gate gate;
    log_row *held, taken;
    uint64_t repeated, told = 0, counted = 0;
    char format[32];
    for (unsigned i = 0; i < 3 * LOG_GATE_ROWS; i++) {
        snprintf(format, sizeof format, "event %u", i);
        uint64_t key = log_gate_key("feed", format);
        for (unsigned n = 0; n < 15; n++) {
            while (log_gate_take(&gate, key, i, &taken))
                counted += taken.held;
            told += log_gate_pass(&gate, key, i, &repeated, &held);
            counted += repeated;
        }
    }
    while (log_gate_take(&gate, 0, INT64_MAX, &taken))
        counted += taken.held;
    assert_int_equal(told, 3 * LOG_GATE_ROWS * 10);
    assert_int_equal(counted, 3 * LOG_GATE_ROWS * 5);
}

/* ---- the whole: a process with its stderr in a file ---- */

typedef void speaker(void);

static char *overhear(speaker *speak, bool is_journal)
{
    static char heard[65536];
    char path[] = "/tmp/nb-log-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    pid_t child = fork();
    if (child == 0) {
        char stream[64];
        struct stat status;
        dup2(fd, STDERR_FILENO);
        fstat(STDERR_FILENO, &status);
        snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)status.st_dev,
                 (uintmax_t)status.st_ino + !is_journal);
        setenv("JOURNAL_STREAM", stream, 1);
        speak();
        exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    ssize_t size = pread(fd, heard, sizeof heard - 1, 0);
    assert_true(size >= 0);
    heard[size] = '\0';
    close(fd);
    return heard;
}

static void speak_often(void)
{
    nb__log_set_form(NB__LOG_KEYVALUE);
    for (int i = 0; i < 25; i++)
        nb__log(NB__LOG_WARN, "feed", "lost %d", i);
    for (int i = 0; i < 25; i++)
        nb__log(NB__LOG_INFO, "feed", "info %d", i); /* never held */
    nb__log(NB__LOG_DEBUG, "feed", "not shown");
}

static void what_is_held_is_told_at_exit(void **state)
{
    (void)state;
    const char *heard = overhear(speak_often, false);
    assert_non_null(strstr(heard, "msg=\"lost 9\"\n"));
    assert_null(strstr(heard, "msg=\"lost 10\""));
    assert_non_null(strstr(heard, "msg=\"info 24\"\n"));
    assert_non_null(strstr(heard, "level=warning room=feed msg=\"lost 24\" repeated=15\n"));
    assert_null(strstr(heard, "not shown"));
    assert_memory_equal(heard, "time=20", 7);
}

static void speak_once(void)
{
    nb__log_set_form(NB__LOG_KEYVALUE);
    nb__log(NB__LOG_WARN, "feed", "lost");
}

static void the_journal_is_known_by_its_stream(void **state)
{
    (void)state;
    assert_string_equal(overhear(speak_once, true), "<4>level=warning room=feed msg=\"lost\"\n");
    assert_memory_equal(overhear(speak_once, false), "time=20", 7); /* JOURNAL_STREAM of another */
}

static void speak_long(void)
{
    char secret[181], *words = malloc(20001);
    memset(secret, 'S', 180);
    secret[180] = '\0';
    nb__log_hide(secret);
    for (size_t at = 0; at < 20000; at++) /* wherever it is cut, it is cut in a secret */
        words[at] = at % 190 < 180 ? 'S' : '-';
    words[20000] = '\0';
    nb__log(NB__LOG_INFO, "feed", "%s", words);
    words[1900] = '\0';
    nb__log(NB__LOG_INFO, "feed", "%0900d%s", 0, words);
    free(words);
}

static void no_cut_leaves_half_a_secret(void **state)
{
    (void)state;
    const char *heard = overhear(speak_long, false);
    assert_non_null(strstr(heard, "***----------***"));
    assert_null(strstr(heard, "SSSS"));
    assert_true(strlen(heard) < 2 * (LOG_SENTENCE_MAX + 100));
}

/* For what goes to a file instead of a line. */
static void hidden_words_are_found_in_other_bytes(void **state)
{
    (void)state;
    char words[] = "key sd+f/9= of sd\\/f", odd[] = "a\0sd+f/9=";
    nb__log_hide("sd+f/9=");
    assert_true(nb__log_is_hidden_in(nb__span("0|x sd+f\\/9= y")));
    assert_true(nb__log_is_hidden_in((nb_span){odd, sizeof odd - 1}));
    assert_false(nb__log_is_hidden_in(nb__span("0|H0EUASP0|001|sd+f/9")));
    assert_false(nb__log_is_hidden_in((nb_span){"", 0}));
    assert_int_equal(nb__log_hide_in(words), 1);
    assert_string_equal(words, "key *** of sd\\/f");
    char *huge = calloc(1, 70000);
    assert_non_null(huge);
    memset(huge, 'x', 65537);
    assert_true(nb__log_is_hidden_in((nb_span){huge, 65537})); /* too long to look through */
    assert_false(nb__log_is_hidden_in((nb_span){huge, 65536}));
    free(huge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_in_one_line),
        cmocka_unit_test(the_journal_gets_priorities_and_no_time),
        cmocka_unit_test(no_words_of_a_peer_forge_a_key_or_a_line),
        cmocka_unit_test(secrets_show_in_no_form),
        cmocka_unit_test(a_secret_made_by_escaping_takes_the_value_with_it),
        cmocka_unit_test(the_first_secrets_stay),
        cmocka_unit_test(ten_a_minute_are_told_and_the_rest_counted),
        cmocka_unit_test(a_full_table_loses_no_count),
        cmocka_unit_test(what_is_held_is_told_at_exit),
        cmocka_unit_test(the_journal_is_known_by_its_stream),
        cmocka_unit_test(no_cut_leaves_half_a_secret),
        cmocka_unit_test(hidden_words_are_found_in_other_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
