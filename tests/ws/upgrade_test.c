/* SPDX-License-Identifier: Apache-2.0 */
/* The handshake: what the server accepts, RFC 6455's own example, and both roles against each
 * other. */
#include "guard.h"
#include "transcript.h"

static const nb__http_limits limits = {.head_max_bytes = 4096, .body_max_bytes = 64};

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
#define GET "GET /any/path HTTP/1.1\r\nHost: h\r\n"

static const struct {
    const char *name, *request;
    int status;
} checks[] = {
    {"all there", GET UPGRADE VERSION KEY "\r\n", 101},
    {"names and tokens in any case",
     GET "UPGRADE: WebSocket\r\nconnection: upgrade\r\nSEC-websocket-VERSION: 13\r\n" KEY "\r\n",
     101},
    {"with offers, declined by silence",
     GET UPGRADE VERSION KEY
     "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
     "Sec-WebSocket-Protocol: chat, kis\r\n\r\n",
     101},
    {"POST", "POST / HTTP/1.1\r\nHost: h\r\n" UPGRADE VERSION KEY "\r\n", 405},
    {"a plain GET", GET "\r\n", 426},
    {"no Connection: upgrade", GET "Upgrade: websocket\r\nConnection: close\r\n" VERSION KEY "\r\n",
     426},
    {"h2c", GET "Upgrade: h2c\r\nConnection: Upgrade\r\n" VERSION KEY "\r\n", 426},
    {"HTTP/1.0", "GET / HTTP/1.0\r\n" UPGRADE VERSION KEY "\r\n", 400},
    {"no version", GET UPGRADE KEY "\r\n", 426},
    {"version 8", GET UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n", 426},
    {"two versions", GET UPGRADE KEY VERSION VERSION "\r\n", 426},
    {"no key", GET UPGRADE VERSION "\r\n", 400},
    {"two keys", GET UPGRADE VERSION KEY KEY "\r\n", 400},
    {"an empty key", GET UPGRADE VERSION "Sec-WebSocket-Key:\r\n\r\n", 400},
    {"a key of 15 bytes", GET UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n\r\n",
     400},
    {"a key of 17 bytes", GET UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQA=\r\n\r\n",
     400},
    {"a key with a wrong character",
     GET UPGRADE VERSION "Sec-WebSocket-Key: dGhl-HNhbXBsZSBub25jZQ==\r\n\r\n", 400},
    {"a body", GET UPGRADE VERSION KEY "Content-Length: 1\r\n\r\nx", 400},
};

static nb__http read_one(nb__ws_role role, const char *bytes)
{
    nb__http http;
    nb__http_init(&http, role, limits);
    const char *at = bytes;
    assert_int_equal(nb__http_next(&http, &at, bytes + strlen(bytes)), NB__HTTP_MESSAGE);
    return http;
}

static void test_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(checks); i++) {
        nb__http http = read_one(NB__WS_SERVER, checks[i].request);
        const char *detail = NULL;
        int status = nb__ws_upgrade_check(&http.message, &detail);
        if (status != checks[i].status)
            fail_msg("%s: %d %s", checks[i].name, status, detail);
        assert_non_null(detail);
        nb__http_fini(&http);
    }
}

static void test_rfc_example(void **state)
{
    (void)state;
    nb__http http = read_one(NB__WS_SERVER, GET UPGRADE VERSION KEY "\r\n");
    nb__text out = {0};
    nb__ws_upgrade_append(&out, &http.message, "X-Nightbook-Clock: sim\r\n");
    assert_string_equal(
        out.data, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                  "X-Nightbook-Clock: sim\r\n\r\n");
    nb__text_fini(&out);
    nb__http_fini(&http);
}

static void test_unchecked_key_gives_no_answer(void **state)
{
    (void)state;
    nb__http http = read_one(NB__WS_SERVER, GET "\r\n");
    nb__text out = {0};
    nb__ws_upgrade_append(&out, &http.message, NULL);
    assert_true(out.is_failed);
    nb__text_fini(&out);
    nb__http_fini(&http);
}

static void test_both_roles(void **state)
{
    (void)state;
    nb__text request = {0}, answer = {0};
    char accept[29];
    static const uint8_t nonce[16] = "the sample nonce";
    nb__ws_connect_append(&request, "127.0.0.1:31000", "/+last/tryitout", nonce, NULL, accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    nb__http server = read_one(NB__WS_SERVER, request.data);
    const char *detail;
    assert_int_equal(nb__ws_upgrade_check(&server.message, &detail), 101);
    assert_true(nb__span_is(server.message.path, "/+last/tryitout"));
    nb__ws_upgrade_append(&answer, &server.message, "");
    nb__http client = read_one(NB__WS_CLIENT, answer.data);
    assert_int_equal(nb__ws_connect_check(&client.message, accept, NULL), NB_OK);
    nb__http_fini(&server);
    nb__http_fini(&client);
    nb__text_fini(&request);
    nb__text_fini(&answer);
}

#define SWITCH "HTTP/1.1 101 Switching Protocols\r\n"
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

static void test_connect_check(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *words;
    } answers[] = {
        {SWITCH UPGRADE ACCEPT "\r\n", NULL},
        {SWITCH UPGRADE ACCEPT "Sec-WebSocket-Extensions:\r\n\r\n", NULL},
        {"HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n", "503 Service Unavailable"},
        {SWITCH ACCEPT "\r\n", "Upgrade: websocket"},
        {SWITCH UPGRADE "\r\n", "Sec-WebSocket-Accept"},
        {SWITCH UPGRADE ACCEPT ACCEPT "\r\n", "Sec-WebSocket-Accept"},
        {SWITCH UPGRADE "Sec-WebSocket-Accept: S3PPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
         "Sec-WebSocket-Accept"},
        {SWITCH UPGRADE ACCEPT "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "extension"},
    };
    for (size_t i = 0; i < NB__COUNT_OF(answers); i++) {
        nb__http http = read_one(NB__WS_CLIENT, answers[i].answer);
        nb_error error = {0};
        nb_err code = nb__ws_connect_check(&http.message, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", &error);
        assert_int_equal(code, answers[i].words == NULL ? NB_OK : NB_E_PROTOCOL);
        if (answers[i].words != NULL && strstr(error.detail, answers[i].words) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", error.detail, answers[i].words);
        nb__http_fini(&http);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_rfc_example),
        cmocka_unit_test(test_unchecked_key_gives_no_answer),
        cmocka_unit_test(test_both_roles),
        cmocka_unit_test(test_connect_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
