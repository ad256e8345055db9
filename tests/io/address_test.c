/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as people write them, good and bad. */
#include "guard.h"
#include "io/io.h"
#include <string.h>

typedef struct url_case {
    const char *url, *host, *path; /* host NULL: must be refused */
    uint16_t port;
    bool is_ws, is_tls;
} url_case;

static const url_case urls[] = {
    {"ws://127.0.0.1:31000", "127.0.0.1", "/", 31000, true, false},
    {"ws://127.0.0.1:31000/", "127.0.0.1", "/", 31000, true, false},
    {"WS://ops.koreainvestment.com:21000/tryitout/H0EUASP0", "ops.koreainvestment.com",
     "/tryitout/H0EUASP0", 21000, true, false},
    {"ws://h/+last+marks/tryitout?a=1&b=/x", "h", "/+last+marks/tryitout?a=1&b=/x", 80, true,
     false},
    {"ws://h?x=1", "h", "/?x=1", 80, true, false},
    {"wss://h", "h", "/", 443, true, true},
    {"http://localhost:8080/v1/books", "localhost", "/v1/books", 8080, false, false},
    {"https://openapi.koreainvestment.com:9443/oauth2/Approval", "openapi.koreainvestment.com",
     "/oauth2/Approval", 9443, false, true},
    {"ws://[::1]:31000/x", "::1", "/x", 31000, true, false},
    {"ws://[::1]", "::1", "/", 80, true, false},
    {"127.0.0.1:31000", NULL, NULL, 0, false, false},
    {"", NULL, NULL, 0, false, false},
    {"ws://", NULL, NULL, 0, false, false},
    {"ws:///path", NULL, NULL, 0, false, false},
    {"ws://:80", NULL, NULL, 0, false, false},
    {"ws://h:", NULL, NULL, 0, false, false},
    {"ws://h:0", NULL, NULL, 0, false, false},
    {"ws://h:65536", NULL, NULL, 0, false, false},
    {"ws://h:-1", NULL, NULL, 0, false, false},
    {"ws://h:8a", NULL, NULL, 0, false, false},
    {"ws://h:1:2", NULL, NULL, 0, false, false},
    {"ws://::1:80", NULL, NULL, 0, false, false},
    {"ws://[::1", NULL, NULL, 0, false, false},
    {"ws://[::1]80", NULL, NULL, 0, false, false},
    {"ws://[zz]:80", NULL, NULL, 0, false, false},
    {"ws://user:pw@h/", NULL, NULL, 0, false, false},
    {"ws://h h/", NULL, NULL, 0, false, false},
    {"ws://h\r\nX: y/", NULL, NULL, 0, false, false},
    {"ws://h/a b", NULL, NULL, 0, false, false},
    {"ws://h/a\r\nX: y", NULL, NULL, 0, false, false},
    {"ws://h/#x", NULL, NULL, 0, false, false},
    {"ws://h#x", NULL, NULL, 0, false, false},
    {"ws://h/\xed\x95\x9c", NULL, NULL, 0, false, false},
    {"ftp://h/", NULL, NULL, 0, false, false},
};

static void urls_are_read_or_refused_with_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(urls); i++) {
        const url_case *want = &urls[i];
        nb__address got = {.port = 7};
        nb_error error = {0};
        nb_err err = nb__address_parse(want->url, &got, &error);
        if (want->host == NULL) {
            if (err != NB_E_ARGUMENT || error.detail[0] == '\0' || got.port != 7)
                fail_msg("'%s' must be refused", want->url);
            continue;
        }
        if (err != NB_OK)
            fail_msg("%s: %s", want->url, error.detail);
        assert_string_equal(got.host, want->host);
        assert_string_equal(got.path, want->path);
        assert_int_equal(got.port, want->port);
        assert_int_equal(got.is_ws, want->is_ws);
        assert_int_equal(got.is_tls, want->is_tls);
    }
}

static void long_hosts_and_paths_are_refused(void **state)
{
    (void)state;
    char url[1200] = "ws://";
    nb__address got;
    nb_error error;
    memset(url + 5, 'a', 255);
    assert_int_equal(nb__address_parse(url, &got, NULL), NB_OK);
    url[260] = 'a';
    assert_int_equal(nb__address_parse(url, &got, &error), NB_E_ARGUMENT);
    memset(url, 0, sizeof url);
    memcpy(url, "ws://h/", 7);
    memset(url + 7, 'a', 510);
    assert_int_equal(nb__address_parse(url, &got, NULL), NB_OK);
    url[517] = 'a';
    assert_int_equal(nb__address_parse(url, &got, &error), NB_E_ARGUMENT);
    memset(url, 0, sizeof url);
    memcpy(url, "ws://h?", 7); /* one '/' is added */
    memset(url + 7, 'a', 510);
    assert_int_equal(nb__address_parse(url, &got, &error), NB_E_ARGUMENT);
}

typedef struct listen_case {
    const char *text, *host;
    uint16_t port;
} listen_case;

static const listen_case listens[] = {
    {"127.0.0.1:31000", "127.0.0.1", 31000},
    {"0.0.0.0:0", "0.0.0.0", 0},
    {"[::1]:8080", "::1", 8080},
    {":21000", "127.0.0.1", 21000},
    {"21000", "127.0.0.1", 21000},
    {"0", "127.0.0.1", 0},
    {"localhost:1", "localhost", 1},
    {"", NULL, 0},
    {":", NULL, 0},
    {"127.0.0.1", NULL, 0},
    {"[::1]", NULL, 0},
    {"::1:80", NULL, 0},
    {"70000", NULL, 0},
    {"h:70000", NULL, 0},
    {"h h:1", NULL, 0},
    {"ws://h:1", NULL, 0},
};

static void listen_addresses_are_read_or_refused_with_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(listens); i++) {
        const listen_case *want = &listens[i];
        nb__address got = {0};
        nb_error error = {0};
        nb_err err = nb__listen_parse(want->text, &got, &error);
        if (want->host == NULL) {
            if (err != NB_E_ARGUMENT || error.detail[0] == '\0')
                fail_msg("'%s' must be refused", want->text);
            continue;
        }
        if (err != NB_OK)
            fail_msg("%s: %s", want->text, error.detail);
        assert_string_equal(got.host, want->host);
        assert_int_equal(got.port, want->port);
    }
}

static void loopback_is_told_from_the_rest(void **state)
{
    (void)state;
    static const char *const yes[] = {"127.0.0.1", "127.9.8.7", "::1", "localhost", "LocalHost"};
    static const char *const no[] = {
        "128.0.0.1", "0.0.0.0", "::", "localhost.evil.com", "127.1", ""};
    for (size_t i = 0; i < NB__COUNT_OF(yes); i++)
        assert_true(nb__host_is_loopback(yes[i]));
    for (size_t i = 0; i < NB__COUNT_OF(no); i++)
        assert_false(nb__host_is_loopback(no[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_read_or_refused_with_words),
        cmocka_unit_test(long_hosts_and_paths_are_refused),
        cmocka_unit_test(listen_addresses_are_read_or_refused_with_words),
        cmocka_unit_test(loopback_is_told_from_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
