/* SPDX-License-Identifier: Apache-2.0 */
/* Who may talk to us: golden tables for Host, Origin, the opt-in segment, and keys. */
#include "gateway/access.h"
#include "guard.h"
#include <string.h>

static nb__gateway_config config_of(const char *listen)
{
    nb__gateway_config config = {0};
    strncpy(config.server.listen.host, listen, sizeof config.server.listen.host - 1);
    return config;
}

static nb__http_message request_of(const char *host, const char *origin)
{
    nb__http_message request = {.method = NB__SPAN("GET"), .path = NB__SPAN("/")};
    if (host != NULL)
        request.headers[request.header_count++] =
            (nb__http_header){NB__SPAN("Host"), nb__span(host)};
    if (origin != NULL)
        request.headers[request.header_count++] =
            (nb__http_header){NB__SPAN("origin"), nb__span(origin)};
    return request;
}

static void host_and_origin(void **state)
{
    (void)state;
    static const struct {
        const char *host, *origin;
        int status;
    } cases[] = {
        {"127.0.0.1:31000", NULL, 0},
        {"127.0.0.1", NULL, 0},
        {"localhost:31000", NULL, 0},
        {"LocalHost", NULL, 0},
        {"[::1]:31000", NULL, 0},
        {"[::1]", NULL, 0},
        {"ops.koreainvestment.com:21000", NULL, 0},
        {"desk.example:31000", NULL, 0},
        {NULL, NULL, 421},
        {"", NULL, 421},
        {"evil.example", NULL, 421},
        {"evil.example:31000", NULL, 421},
        {"127.0.0.1.evil.example", NULL, 421},
        {"localhost.evil.example", NULL, 421},
        {"localhost.", NULL, 421},
        {"127.0.0.1:", NULL, 421},
        {"127.0.0.1:31000x", NULL, 421},
        {"127.0.0.1@evil.example", NULL, 421},
        {"evil.example@127.0.0.1", NULL, 421},
        {"[::1", NULL, 421},
        {"[::1]x", NULL, 421},
        {"192.168.0.5", NULL, 421},
        {"127.0.0.1:31000", "http://127.0.0.1:31000", 0},
        {"127.0.0.1:31000", "HTTP://127.0.0.1:31000", 0},
        {"ops.koreainvestment.com:21000", "http://ops.koreainvestment.com:21000", 0},
        {"127.0.0.1:31000", "https://desk.example", 0},
        {"127.0.0.1:31000", "null", 403},
        {"127.0.0.1:31000", "", 403},
        {"127.0.0.1:31000", "http://127.0.0.1", 403},
        {"127.0.0.1:31000", "http://localhost:31000", 403},
        {"127.0.0.1:31000", "https://127.0.0.1:31000", 403},
        {"127.0.0.1:31000", "http://evil.example", 403},
        {"127.0.0.1:31000", "http://127.0.0.1:31000.evil.example", 403},
        {"127.0.0.1:31000", "http://", 403},
        {"evil.example", "http://evil.example", 421},
    };
    nb__gateway_config config = config_of("127.0.0.1");
    config.allowed_hosts[3] = "desk.example";
    config.allowed_origins[0] = "https://desk.example";
    access a;
    assert_int_equal(access_init(&a, &config, NULL), NB_OK);
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        const char *detail = "";
        nb__http_message request = request_of(cases[i].host, cases[i].origin);
        int status = access_check(&a, &request, &detail);
        if (status != cases[i].status)
            fail_msg("Host %s Origin %s: %d, not %d", cases[i].host, cases[i].origin, status,
                     cases[i].status);
        assert_true((status == 0) == (detail[0] == '\0'));
    }
    access_fini(&a);
}

static void a_header_given_twice_is_refused(void **state)
{
    (void)state;
    nb__gateway_config config = config_of("127.0.0.1");
    access a;
    const char *detail;
    assert_int_equal(access_init(&a, &config, NULL), NB_OK);
    nb__http_message request = request_of("127.0.0.1", "http://127.0.0.1");
    assert_int_equal(access_check(&a, &request, &detail), 0);
    request.headers[request.header_count++] =
        (nb__http_header){NB__SPAN("Origin"), NB__SPAN("http://127.0.0.1")};
    assert_int_equal(access_check(&a, &request, &detail), 403);
    request = request_of("127.0.0.1", NULL);
    request.headers[request.header_count++] =
        (nb__http_header){NB__SPAN("host"), NB__SPAN("127.0.0.1")};
    assert_int_equal(access_check(&a, &request, &detail), 421);
    access_fini(&a);
}

static void beyond_loopback_needs_client_keys(void **state)
{
    (void)state;
    static const char *const beyond[] = {"0.0.0.0", "::", "192.168.0.5", "desk.example"};
    static const char *const loopback[] = {"127.0.0.1", "127.1.2.3", "::1", "localhost"};
    access a;
    nb_error error;
    for (size_t i = 0; i < NB__COUNT_OF(beyond); i++) {
        nb__gateway_config config = config_of(beyond[i]);
        assert_int_equal(access_init(&a, &config, &error), NB_E_ARGUMENT);
        assert_non_null(strstr(error.detail, "client keys"));
        config.client_keys[5] = "a-key";
        assert_int_equal(access_init(&a, &config, NULL), NB_OK);
        access_fini(&a);
    }
    for (size_t i = 0; i < NB__COUNT_OF(loopback); i++) {
        nb__gateway_config config = config_of(loopback[i]);
        assert_int_equal(access_init(&a, &config, NULL), NB_OK);
        access_fini(&a);
    }
}

static void on_all_addresses_a_literal_is_ours(void **state)
{
    (void)state;
    nb__gateway_config config = config_of("0.0.0.0");
    config.client_keys[0] = "a-key";
    access a;
    const char *detail;
    assert_int_equal(access_init(&a, &config, NULL), NB_OK);
    static const char *const ours[] = {"192.168.0.5:31000", "[fe80::1]:31000", "127.0.0.1"};
    static const char *const not_ours[] = {"evil.example", "a.b", "1.2.3.4.evil"};
    for (size_t i = 0; i < 3; i++) {
        nb__http_message request = request_of(ours[i], NULL);
        assert_int_equal(access_check(&a, &request, &detail), 0);
        request = request_of(not_ours[i], NULL);
        assert_int_equal(access_check(&a, &request, &detail), 421);
    }
    access_fini(&a);
}

static void the_opt_in_segment(void **state)
{
    (void)state;
    static const struct {
        const char *path, *rest, *flags, *key; /* flags NULL: refused */
    } cases[] = {
        {"/", "/", "", NULL},
        {"/tryitout", "/tryitout", "", NULL},
        {"/tryitout/+last", "/tryitout/+last", "", NULL},
        {"/+last", "/", "l", NULL},
        {"/+last/", "/", "l", NULL},
        {"/+last+marks/tryitout/H0EUASP0", "/tryitout/H0EUASP0", "lm", NULL},
        {"/+conflate+tidy+last+marks", "/", "lmct", NULL},
        {"/+last+last", "/", "l", NULL},
        {"/+key=SECRET/x", "/x", "", "SECRET"},
        {"/+last+key=SE-CR.ET_~+tidy", "/", "lt", "SE-CR.ET_~"},
        {"/+", "/", NULL, NULL},
        {"/++last", "/", NULL, NULL},
        {"/+last+", "/", NULL, NULL},
        {"/+LAST", "/", NULL, NULL},
        {"/+lastmarks", "/", NULL, NULL},
        {"/+key=", "/", NULL, NULL},
        {"/+key", "/", NULL, NULL},
        {"/+last+foo\"bar", "/", NULL, NULL},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        guard path = guard_copy(cases[i].path, strlen(cases[i].path));
        access_options options;
        char detail[160] = "", flags[8] = "";
        bool is_good =
            access_options_parse((nb_span){path.data, path.size_bytes}, &options, detail);
        if (is_good != (cases[i].flags != NULL))
            fail_msg("%s", cases[i].path);
        if (!is_good) {
            assert_non_null(
                strstr(detail, "known are last, marks, conflate, tidy, gaps and key=KEY"));
        } else {
            size_t n = 0;
            if (options.last)
                flags[n++] = 'l';
            if (options.marks)
                flags[n++] = 'm';
            if (options.conflate)
                flags[n++] = 'c';
            if (options.tidy)
                flags[n++] = 't';
            assert_string_equal(flags, cases[i].flags);
            assert_true(nb__span_is(options.path, cases[i].rest));
            assert_int_equal(options.has_key, cases[i].key != NULL);
            assert_true(cases[i].key == NULL || nb__span_is(options.key, cases[i].key));
        }
        guard_free(&path);
    }
}

static void a_key_is_never_in_a_log_or_an_error(void **state)
{
    (void)state;
    char out[64], detail[160];
    access_options options;
    access_mask(NB__SPAN("/+last+key=SECRET+tidy/try?x=1"), out, sizeof out);
    assert_string_equal(out, "/+last+key=***+tidy/try?x=1");
    access_mask(NB__SPAN("/+key=SECRET"), out, sizeof out);
    assert_string_equal(out, "/+key=***");
    access_mask(NB__SPAN("/a\nb/+key=PATH"), out, sizeof out);
    assert_string_equal(out, "/a?b/+key=***"); /* in the wrong segment, and secret all the same */
    access_mask(NB__SPAN("/+last+KEY=SECRET/try"), out, sizeof out);
    assert_string_equal(out, "/+last+KEY=***/try");
    access_mask(NB__SPAN("/+last/try?x=1&key=SECRET&y=2"), out, sizeof out);
    assert_string_equal(out, "/+last/try?x=1&key=***&y=2");
    for (size_t size = 1; size < 24; size++) {
        char small[24];
        access_mask(NB__SPAN("/+last+key=SECRET+tidy/try"), small, size);
        assert_true(strlen(small) < size);
        assert_null(strstr(small, "SE"));
    }
    assert_false(access_options_parse(NB__SPAN("/+keySECRET"), &options, detail));
    assert_null(strstr(detail, "SECRET"));
}

static void client_keys(void **state)
{
    (void)state;
    nb__gateway_config config = config_of("127.0.0.1");
    access a;
    static const char *const bad[] = {
        "",
        "a/b",
        "a+b",
        "a b",
        "\xEA\xB0\x80",
        "a%20",
        "0123456789012345678901234567890123456789012345678901234567890123"};
    for (size_t i = 0; i < NB__COUNT_OF(bad); i++) {
        config.client_keys[0] = bad[i];
        assert_int_equal(access_init(&a, &config, NULL), NB_E_ARGUMENT);
    }
    config.client_keys[0] = "first-key";
    config.client_keys[1] = "second-key";
    assert_int_equal(access_init(&a, &config, NULL), NB_OK);
    assert_true(access_has_key(&a, NB__SPAN("first-key")));
    assert_true(access_has_key(&a, NB__SPAN("second-key")));
    assert_false(access_has_key(&a, NB__SPAN("second-ke")));
    assert_false(access_has_key(&a, NB__SPAN("second-key2")));
    assert_false(access_has_key(&a, NB__SPAN("")));
    nb__http_message request = request_of("localhost", NULL);
    assert_false(access_bearer(&a, &request));
    request.headers[request.header_count++] =
        (nb__http_header){NB__SPAN("Authorization"), NB__SPAN("bearer first-key")};
    assert_true(access_bearer(&a, &request));
    request.headers[1].value = NB__SPAN("Basic first-key");
    assert_false(access_bearer(&a, &request));
    access_fini(&a);
}

static void approval_keys_are_remembered_for_a_day(void **state)
{
    (void)state;
    nb__gateway_config config = config_of("127.0.0.1");
    config.client_keys[0] = "first-key";
    access a;
    char key[ACCESS_APPROVAL_BYTES], other[ACCESS_APPROVAL_BYTES];
    uint8_t random[16];
    int64_t now = 5 * NB__NS_PER_S;
    assert_int_equal(access_init(&a, &config, NULL), NB_OK);
    assert_false(access_approval_known(&a, "00000000-0000-0000-0000-000000000000", now));
    memset(random, 0xa5, sizeof random);
    access_approval_issue(&a, random, now, key);
    assert_int_equal(strlen(key), 36);
    assert_true(access_approval_known(&a, key, now + NB__NS_PER_DAY - 1));
    assert_false(access_approval_known(&a, key, now + NB__NS_PER_DAY));
    for (size_t i = 0; i < 36; i++) { /* every character counts */
        memcpy(other, key, sizeof other);
        other[i] = other[i] == '0' ? '1' : '0';
        assert_false(access_approval_known(&a, other, now));
    }
    assert_false(access_approval_known(&a, "", now));
    for (int i = 0; i < ACCESS_APPROVAL_MAX - 1; i++)
        access_approval_issue(&a, random, now, other);
    assert_true(access_approval_known(&a, key, now));
    random[5] ^= 1;
    access_approval_issue(&a, random, now, other); /* takes the oldest one's place */
    assert_false(access_approval_known(&a, key, now));
    assert_true(access_approval_known(&a, other, now));
    access_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_and_origin),
        cmocka_unit_test(a_header_given_twice_is_refused),
        cmocka_unit_test(beyond_loopback_needs_client_keys),
        cmocka_unit_test(on_all_addresses_a_literal_is_ours),
        cmocka_unit_test(the_opt_in_segment),
        cmocka_unit_test(a_key_is_never_in_a_log_or_an_error),
        cmocka_unit_test(client_keys),
        cmocka_unit_test(approval_keys_are_remembered_for_a_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
