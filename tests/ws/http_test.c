/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1: golden requests and responses, each also cut at every byte and against guard pages;
 * printing; look-ups. */
#include "guard.h"
#include "transcript.h"

static const nb__http_limits limits = {.head_max_bytes = 256, .body_max_bytes = 32};

typedef struct golden {
    const char *name, *bytes, *events;
} golden;

#define H "Host: h\r\n"
#define GET "GET / HTTP/1.1\r\n" H
#define POST "POST /p HTTP/1.1\r\n" H
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define NEXT "GET /next HTTP/1.1\r\n" H "\r\n"
#define GOT_NEXT "GET /next {Host=h} "
#define GOT_CHUNKED "POST /p {Host=h, Transfer-Encoding=chunked} "
#define C2 "1;extension\r\nx\r\n1\r\nx\r\n"
#define C8 C2 C2 C2 C2
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X250 X50 X50 X50 X50 X50

static const golden requests[] = {
    {"nothing", "", ""},
    {"half a line", "GET / HT", ""},
    {"GET", GET "\r\n", "GET / {Host=h} "},
    {"path and query", "GET /a/b?c=d?e HTTP/1.1\r\n" H "\r\n", "GET /a/b?c=d?e {Host=h} "},
    {"an empty query", "GET /a? HTTP/1.1\r\n" H "\r\n", "GET /a? {Host=h} "},
    {"the path is not decoded", "GET /%2e%2E/%00 HTTP/1.1\r\n" H "\r\n",
     "GET /%2e%2E/%00 {Host=h} "},
    {"any method", "M-SEARCH! /x HTTP/1.1\r\n" H "\r\n", "M-SEARCH! /x {Host=h} "},
    {"OPTIONS *", "OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS * {Host=h} "},
    {"CONNECT", "CONNECT h:443 HTTP/1.1\r\n" H "\r\n", "CONNECT h:443 {Host=h} "},
    {"absolute form", "GET http://h/a?b HTTP/1.1\r\n" H "\r\n", "GET /a?b {Host=h} "},
    {"absolute form without a path", "GET WS://h HTTP/1.1\r\n" H "\r\n", "GET / {Host=h} "},
    {"absolute form with a query only", "GET http://h?q HTTP/1.1\r\n" H "\r\n",
     "GET /?q {Host=h} "},
    {"absolute form of another host", "GET http://evil/ HTTP/1.1\r\n" H "\r\n",
     "error 400: the target names another host than the Host header"},
    {"blanks around values", "GET / HTTP/1.1\r\nHost: \t h \t\r\nA:b\r\nC:\r\n\r\n",
     "GET / {Host=h, A=b, C=} "},
    {"bytes beyond ASCII in a value", GET "A: \xED\x98\xB8\r\n\r\n",
     "GET / {Host=h, A=\xED\x98\xB8} "},
    {"pipelined", GET "\r\n" NEXT, "GET / {Host=h} ; " GOT_NEXT},
    {"a blank line before", "\r\n" GET "\r\n\r\n" NEXT, "GET / {Host=h} ; " GOT_NEXT},
    {"two blank lines before", "\r\n\r\n" GET "\r\n", "error 400: the start line is empty"},
    {"nothing is read after the last", GET "Connection: close\r\n\r\n" NEXT,
     "GET / last {Host=h, Connection=close} "},
    {"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "GET / 1.0 last "},
    {"HTTP/1.0 kept alive", "GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n" NEXT,
     "GET / 1.0 {Connection=x, Keep-Alive} ; " GOT_NEXT},
    {"HTTP/1.2 is read as 1.1", "GET / HTTP/1.2\r\n" H "\r\n", "GET / {Host=h} "},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
     "error 505: only HTTP/1.0 and HTTP/1.1 are spoken here"},
    {"HTTP/0.9", "GET /\r\n", "error 400: the request line is not METHOD TARGET VERSION"},
    {"no such version", "GET / HTTP/1.x\r\n", "error 400: the start line has no HTTP version"},
    {"lower case version", "GET / http/1.1\r\n", "error 400: the start line has no HTTP version"},
    {"two blanks", "GET  / HTTP/1.1\r\n", "error 400: the start line has no HTTP version"},
    {"a blank at the end", "GET / HTTP/1.1 \r\n", "error 400: the start line has no HTTP version"},
    {"a method that is no token", "G(T / HTTP/1.1\r\n",
     "error 400: the request's method is no token"},
    {"a target that is no path", "GET x HTTP/1.1\r\n",
     "error 400: the request's target is no path"},
    {"* is for OPTIONS", "GET * HTTP/1.1\r\n", "error 400: the request's target is no path"},
    {"a fragment", "GET /a#b HTTP/1.1\r\n", "error 400: the request's target has a fragment"},
    {"a target beyond ASCII", "GET /\xED\x98\xB8 HTTP/1.1\r\n",
     "error 400: the request's target is empty or not plain ASCII"},
    {"TLS on a plain port", "\x16\x03\x01\x02", "error 400: the head holds a control character"},
    {"bare LF", "GET / HTTP/1.1\nHost: h\n\n", "error 400: a line does not end with one CR LF"},
    {"LF alone", "\n", "error 400: a line does not end with one CR LF"},
    {"CR in a line", "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
     "error 400: a line does not end with one CR LF"},
    {"CR CR LF", "GET / HTTP/1.1\r\r\n", "error 400: a line does not end with one CR LF"},
    {"a control character", GET "A: \x01\r\n", "error 400: the head holds a control character"},
    {"DEL", GET "A: \x7F\r\n", "error 400: the head holds a control character"},
    {"a folded header", GET "A: b\r\n c\r\n\r\n", "error 400: a header is folded over two lines"},
    {"folded with a tab", GET "\tA: b\r\n\r\n", "error 400: a header is folded over two lines"},
    {"a blank before the colon", GET "A : b\r\n\r\n",
     "error 400: a header's name is no token followed by ':'"},
    {"no colon", GET "Rubbish\r\n\r\n", "error 400: a header's name is no token followed by ':'"},
    {"an empty name", GET ": b\r\n\r\n", "error 400: a header's name is no token followed by ':'"},
    {"no Host", "GET / HTTP/1.1\r\n\r\n", "error 400: there is no Host header"},
    {"two Hosts", GET "HOST: h\r\n\r\n", "error 400: there are several Host headers"},
    {"two Hosts in 1.0", "GET / HTTP/1.0\r\n" H H "\r\n",
     "error 400: there are several Host headers"},
    {"a Host that is none", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
     "error 400: the Host header is no host"},
    {"a Host with a user", "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n",
     "error 400: the Host header is no host"},
    {"an IPv6 Host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / {Host=[::1]:80} "},
    {"1.0 that says both", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n" NEXT,
     "GET / 1.0 last {Connection=keep-alive, close} "},
    {"a request line too long", "GET /" X250 " HTTP/1.1\r\n",
     "error 414: the request line is longer than the limit"},
    {"an endless line", X250 X250, "error 414: the request line is longer than the limit"},
    {"headers too long", GET "A: " X250 "\r\n\r\n", "error 431: the head is longer than the limit"},
    {"an upgrade, and what follows it",
     GET "Connection: keep-alive, UPGRADE\r\nUpgrade: WebSocket\r\n\r\n",
     "GET / upgrade {Host=h, Connection=keep-alive, UPGRADE, Upgrade=WebSocket} "},
    {"h2c is ignored", GET "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n" NEXT,
     "GET / {Host=h, Connection=Upgrade, HTTP2-Settings, Upgrade=h2c} ; " GOT_NEXT},
    /* bodies by length */
    {"a body", POST "Content-Length: 5\r\n\r\nHello" NEXT,
     "POST /p {Host=h, Content-Length=5} Hello; " GOT_NEXT},
    {"an empty body", POST "Content-Length: 0\r\n\r\n" NEXT,
     "POST /p {Host=h, Content-Length=0} ; " GOT_NEXT},
    {"no length, no body", POST "\r\n" NEXT, "POST /p {Host=h} ; " GOT_NEXT},
    {"an unfinished body", POST "Content-Length: 5\r\n\r\nHell", ""},
    {"a body as long as allowed", POST "Content-Length: 32\r\n\r\n01234567890123456789012345678901",
     "POST /p {Host=h, Content-Length=32} 01234567890123456789012345678901"},
    {"a body too long", POST "Content-Length: 33\r\n\r\n",
     "error 413: the body is longer than the limit"},
    {"a length beyond numbers", POST "Content-Length: 99999999999999999999\r\n\r\n",
     "error 413: Content-Length is beyond any limit"},
    {"the same length twice", POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
     "POST /p {Host=h, Content-Length=1, Content-Length=1} x"},
    {"the same length as a list", POST "Content-Length: 1, 1\r\n\r\nx",
     "POST /p {Host=h, Content-Length=1, 1} x"},
    {"two lengths", POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
     "error 400: Content-Length is told twice and differs"},
    {"two lengths as a list", POST "Content-Length: 1,2\r\n\r\nxx",
     "error 400: Content-Length is told twice and differs"},
    {"a negative length", POST "Content-Length: -1\r\n\r\n",
     "error 400: Content-Length is no number"},
    {"a length with a sign", POST "Content-Length: +1\r\n\r\n",
     "error 400: Content-Length is no number"},
    {"a hexadecimal length", POST "Content-Length: 0x1\r\n\r\n",
     "error 400: Content-Length is no number"},
    {"an empty length", POST "Content-Length:\r\n\r\n", "error 400: Content-Length is empty"},
    {"a length of commas", POST "Content-Length: ,\r\n\r\n",
     "error 400: Content-Length is no number"},
    {"length and chunks", POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
     "error 400: both Content-Length and Transfer-Encoding are given"},
    /* chunks */
    {"chunks", CHUNKED "5\r\nHello\r\n1;a=\"b\"\r\n \r\nA \r\n0123456789\r\n0\r\n\r\n" NEXT,
     GOT_CHUNKED "Hello 0123456789; " GOT_NEXT},
    {"many chunks", CHUNKED C8 C8 C8 C8 "0\r\n\r\n",
     GOT_CHUNKED "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
    {"no chunks", CHUNKED "0\r\n\r\n" NEXT, GOT_CHUNKED "; " GOT_NEXT},
    {"leading zeros", CHUNKED "000\r\n\r\n", GOT_CHUNKED},
    {"trailers are dropped", CHUNKED "1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n" NEXT,
     GOT_CHUNKED "x; " GOT_NEXT},
    {"trailers too long", CHUNKED "0\r\nA: " X250 "\r\n\r\n",
     "error 431: the head is longer than the limit"},
    {"chunks as long as allowed",
     CHUNKED "1f\r\n0123456789012345678901234567890\r\n1\r\nx\r\n0\r\n\r\n",
     GOT_CHUNKED "0123456789012345678901234567890x"},
    {"chunks too long together", CHUNKED "1f\r\n0123456789012345678901234567890\r\n2\r\nxx\r\n",
     "error 413: the body is longer than the limit"},
    {"a chunk too long", CHUNKED "21\r\n", "error 413: the body is longer than the limit"},
    {"a chunk of 2^60", CHUNKED "fffffffffffffff\r\n",
     "error 413: the body is longer than the limit"},
    {"a size of 16 digits", CHUNKED "1000000000000000\r\n",
     "error 400: a chunk does not begin with its size"},
    {"no size", CHUNKED "\r\n", "error 400: a chunk does not begin with its size"},
    {"a size that is no number", CHUNKED "x\r\n",
     "error 400: a chunk does not begin with its size"},
    {"a size with a sign", CHUNKED "-1\r\n", "error 400: a chunk does not begin with its size"},
    {"rubbish behind a size", CHUNKED "1 x\r\n", "error 400: a chunk does not begin with its size"},
    {"an extension too long", CHUNKED "1;" X250 X50 "\r\n",
     "error 400: a chunk's size line is too long"},
    {"a size line with bare LF", CHUNKED "1\nx\r\n",
     "error 400: a line does not end with one CR LF"},
    {"a chunk longer than its size", CHUNKED "1\r\nxy\r\n",
     "error 400: a chunk is longer than its size"},
    {"gzip", POST "Transfer-Encoding: gzip, chunked\r\n\r\n",
     "error 501: the only transfer coding known here is chunked"},
    {"identity", POST "Transfer-Encoding: identity\r\n\r\n",
     "error 501: the only transfer coding known here is chunked"},
    {"chunked twice", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     "error 501: the only transfer coding known here is chunked"},
    {"chunks in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
     "error 400: HTTP/1.0 has no Transfer-Encoding"},
    /* Expect */
    {"100-continue", POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx" NEXT,
     "continue; POST /p {Host=h, Expect=100-Continue, Content-Length=1} x; " GOT_NEXT},
    {"100-continue without a body", POST "Expect: 100-continue\r\n\r\n",
     "POST /p {Host=h, Expect=100-continue} "},
    {"100-continue for a body too long", POST "Expect: 100-continue\r\nContent-Length: 99\r\n\r\n",
     "error 413: the body is longer than the limit"},
    {"another expectation", POST "Expect: miracles\r\n\r\n",
     "error 417: the only expectation known here is 100-continue"},
};

static const golden responses[] = {
    {"nothing", "", ""},
    {"200", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 204 No Content\r\n\r\n",
     "200 {Content-Length=2} ok; 204 "},
    {"without a reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "200 {Content-Length=0} "},
    {"with an empty reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
     "200 {Content-Length=0} "},
    {"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
     "200 {Transfer-Encoding=chunked} ok"},
    {"until the end", "HTTP/1.1 200 OK\r\n\r\nall of it", "eof 200 last all of it"},
    {"until the end, empty", "HTTP/1.0 200 OK\r\n\r\n", "eof 200 1.0 last "},
    {"until the end, too long", "HTTP/1.1 200 OK\r\n\r\n012345678901234567890123456789012",
     "error 502: the body is longer than the limit"},
    {"the end comes too soon", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHell", ""},
    {"100 is skipped",
     "HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
     "200 {Content-Length=0} "},
    {"101 is not",
     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
     "101 upgrade {Upgrade=websocket, Connection=Upgrade} "},
    {"304 has no body",
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
     "304 {Content-Length=9} ; 204 "},
    {"no version", "200 OK\r\n", "error 502: the start line has no HTTP version"},
    {"HTTP/2", "HTTP/2 200\r\n", "error 502: the start line has no HTTP version"},
    {"two digits", "HTTP/1.1 20 OK\r\n",
     "error 502: the answer's status is no number of three digits"},
    {"099", "HTTP/1.1 099 OK\r\n", "error 502: the answer's status is no number of three digits"},
    {"four digits", "HTTP/1.1 2000 OK\r\n",
     "error 502: the answer's status is no number of three digits"},
    {"a blank line before", "\r\nHTTP/1.1 200 OK\r\n", "error 502: the start line is empty"},
};

static void expect_same(const golden *c, nb__ws_role role, nb_span input, pieces cut,
                        const char *whole)
{
    nb__text text = {0};
    nb__text_string(&text, "");
    transcript_http(&text, role, limits, input, cut, true);
    if (strcmp(text.data, whole) != 0)
        fail_msg("%s, in pieces of %u: %s", c->name, cut.sizes[0], text.data);
    nb__text_fini(&text);
}

static void expect_same_at_guards(const golden *c, nb__ws_role role, nb_span input)
{
    for (int is_front = 0; is_front < 2; is_front++) {
        guard g = (is_front ? guard_copy_front : guard_copy)(input.data, input.size_bytes);
        nb__http http;
        nb__http_init(&http, role, limits);
        const char *at = g.data, *end = at + g.size_bytes;
        while (nb__http_next(&http, &at, end) != NB__HTTP_MORE)
            continue;
        if (at != end)
            fail_msg("%s: MORE with bytes left", c->name);
        nb__http_fini(&http);
        guard_free(&g);
    }
}

static void run_golden(const golden *c, nb__ws_role role)
{
    nb_span input = nb__span(c->bytes);
    nb__text whole = {0};
    nb__text_string(&whole, "");
    transcript_http(&whole, role, limits, input, (pieces){0}, true);
    if (strcmp(whole.data, c->events) != 0)
        fail_msg("%s: expected \"%s\", got \"%s\"", c->name, c->events, whole.data);
    expect_same_at_guards(c, role, input);
    for (size_t size = 1; size < 250 && size < input.size_bytes; size++) {
        uint8_t first = (uint8_t)size;
        expect_same(c, role, input, (pieces){(uint8_t[]){first}, 1}, whole.data);
        expect_same(c, role, input, (pieces){(uint8_t[]){first, 0}, 2}, whole.data);
        expect_same(c, role, input, (pieces){(uint8_t[]){first, 1, 0}, 3}, whole.data);
    }
    nb__text_fini(&whole);
}

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(requests); i++)
        run_golden(&requests[i], NB__WS_SERVER);
}

static void test_responses(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(responses); i++)
        run_golden(&responses[i], NB__WS_CLIENT);
}

static void test_nul_is_refused(void **state)
{
    (void)state;
    static const char bytes[] = "GET / HTTP/1.1\r\nHost: h\0x\r\n\r\n";
    nb__text text = {0};
    transcript_http(&text, NB__WS_SERVER, limits, (nb_span){bytes, sizeof bytes - 1}, (pieces){0},
                    false);
    assert_string_equal(text.data, "error 400: the head holds a control character");
    nb__text_fini(&text);
}

static void test_too_many_headers(void **state)
{
    (void)state;
    nb__http_limits wide = {.head_max_bytes = 4096};
    for (int count = NB__HTTP_HEADERS_MAX; count <= NB__HTTP_HEADERS_MAX + 1; count++) {
        nb__text input = {0}, text = {0};
        nb__text_string(&input, "GET / HTTP/1.0\r\n");
        for (int i = 0; i < count; i++)
            nb__text_string(&input, "A: b\r\n");
        nb__text_string(&input, "\r\n");
        transcript_http(&text, NB__WS_SERVER, wide, nb__text_view(&input), (pieces){0}, false);
        assert_int_equal(strcmp(text.data, "error 431: there are too many headers") == 0,
                         count > NB__HTTP_HEADERS_MAX);
        nb__text_fini(&input);
        nb__text_fini(&text);
    }
}

static void test_idle_holds_no_memory(void **state)
{
    (void)state;
    nb__http http;
    nb__http_init(&http, NB__WS_SERVER, limits);
    const char *at = POST "Content-Length: 1\r\n\r\nx", *end = at + strlen(at);
    assert_int_equal(nb__http_next(&http, &at, end), NB__HTTP_MESSAGE);
    assert_non_null(http.head.data);
    assert_int_equal(nb__http_next(&http, &at, end), NB__HTTP_MORE);
    assert_null(http.head.data);
    assert_null(http.body.data);
    nb__http_fini(&http);
}

/* After an upgrade, what follows the head belongs to the WebSocket and is left in place. */
static void test_upgrade_leaves_the_rest(void **state)
{
    (void)state;
    static const char bytes[] = GET "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x80";
    nb__http http;
    nb__http_init(&http, NB__WS_SERVER, limits);
    const char *at = bytes, *end = bytes + sizeof bytes - 1;
    assert_int_equal(nb__http_next(&http, &at, end), NB__HTTP_MESSAGE);
    assert_true(http.message.is_upgrade);
    assert_ptr_equal(at, end - 2);
    nb__http_fini(&http);
}

/* ---- look-ups and printing ---- */

static void test_lookups(void **state)
{
    (void)state;
    nb__http_message message = {
        .headers = {{NB__SPAN("Connection"), NB__SPAN("keep-alive, Upgrade")},
                    {NB__SPAN("X"), NB__SPAN("1")},
                    {NB__SPAN("x"), NB__SPAN("2")},
                    {NB__SPAN("CONNECTION"), NB__SPAN(" , te")}},
        .header_count = 4};
    assert_true(nb__span_is(nb__http_header_find(&message, "X"), "1"));
    assert_null(nb__http_header_find(&message, "Y").data);
    assert_int_equal(nb__http_header_count(&message, "x"), 2);
    assert_int_equal(nb__http_header_count(&message, "Y"), 0);
    assert_true(nb__http_header_has(&message, "connection", "UPGRADE"));
    assert_true(nb__http_header_has(&message, "connection", "TE"));
    assert_false(nb__http_header_has(&message, "connection", "keep"));
    assert_false(nb__http_header_has(&message, "connection", ""));
    assert_string_equal(nb__http_reason(404), "Not Found");
    assert_string_equal(nb__http_reason(299), "Unknown");
}

static void test_print_response(void **state)
{
    (void)state;
    nb__text out = {0};
    nb__http_response_append(&out, 200, INT64_C(784111777) * NB__NS_PER_S, "text/plain", "X: y\r\n",
                             NB__SPAN("ok"), true);
    assert_string_equal(out.data, "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 "
                                  "GMT\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n"
                                  "Connection: keep-alive\r\nX: y\r\n\r\nok");
    nb__text_clear(&out);
    nb__http_response_append(&out, 204, NB_TIME_UNDEF, "text/plain", NULL, NB__SPAN("ignored"),
                             false);
    assert_string_equal(out.data, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    nb__text_fini(&out);
}

static void test_print_date(void **state)
{
    (void)state;
    static const struct {
        int64_t s;
        const char *text;
    } rows[] = {{0, "Thu, 01 Jan 1970 00:00:00 GMT"},
                {951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},
                {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
                {1795532399, "Tue, 24 Nov 2026 14:59:59 GMT"}, /* 23:59:59 in Seoul */
                {INT64_C(9223372036), "Fri, 11 Apr 2262 23:47:16 GMT"},
                {-1, ""}};
    for (size_t i = 0; i < NB__COUNT_OF(rows); i++) {
        char out[NB__HTTP_DATE_SIZE];
        nb__http_date_print(out, rows[i].s * NB__NS_PER_S);
        assert_string_equal(out, rows[i].text);
    }
}

static void test_print_request_reads_back(void **state)
{
    (void)state;
    nb__text out = {0}, text = {0};
    nb__http_request_append(&out, "POST", "h:1", "/a?b", "X: y\r\n", NB__SPAN("body"));
    nb__http_request_append(&out, "GET", "h", "/", "", (nb_span){0});
    nb__http_request_append(&out, "POST", "h", "/", NULL, (nb_span){0});
    transcript_http(&text, NB__WS_SERVER, limits, nb__text_view(&out), (pieces){0}, false);
    assert_string_equal(text.data,
                        "POST /a?b {Host=h:1, Content-Length=4, X=y} body; GET / {Host=h} ; "
                        "POST / {Host=h, Content-Length=0} ");
    nb__text_fini(&out);
    nb__text_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_nul_is_refused),
        cmocka_unit_test(test_too_many_headers),
        cmocka_unit_test(test_idle_holds_no_memory),
        cmocka_unit_test(test_upgrade_leaves_the_rest),
        cmocka_unit_test(test_lookups),
        cmocka_unit_test(test_print_response),
        cmocka_unit_test(test_print_date),
        cmocka_unit_test(test_print_request_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
