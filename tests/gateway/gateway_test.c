/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway over real sockets with a plant that the test plays: the conversation, opt-ins, REST,
 * access, time-outs. */
#include "desk.h"

/* ---- the conversation ---- */

static void two_clients_one_registration(void **state)
{
    (void)state;
    desk d;
    caller a, b;
    desk_open(&d);
    desk_listen(&d);
    call(&d, &a, "");
    call(&d, &b, "/tryitout/H0EUASP0");
    assert_non_null(strstr(a.clock, "sim; session="));
    ask(&a, '1', "XTR", "K1");
    nb__answer first = hear_answer(&a, "OPSP0000", "K1");
    ask(&b, '1', "XTR", "K1");
    nb__answer second = hear_answer(&b, "OPSP0000", "K1");
    assert_string_not_equal(first.key, second.key);
    ask(&a, '1', "XTR", "K2");
    nb__answer again = hear_answer(&a, "OPSP0000", "K2");
    assert_string_equal(first.key, again.key); /* one pair a session and TR */
    assert_string_equal(first.iv, again.iv);
    ask(&a, '1', "XTR", "K1");
    hear_answer(&a, "OPSP0002", "K1");
    assert_int_equal(d.plant->wants, 2);
    stub_frame(d.plant, "0|XTR|001|K1^1", NOON_NS);
    hear_exactly(&a, "0|XTR|001|K1^1");
    hear_exactly(&b, "0|XTR|001|K1^1");
    ask(&a, '2', "XTR", "K1");
    hear_answer(&a, "OPSP0001", "K1");
    ask(&a, '2', "XTR", "K1");
    hear_answer(&a, "OPSP0003", "K1");
    assert_int_equal(d.plant->releases, 0);
    hang_up(&b);
    UNTIL(&d, d.plant->releases == 1);
    stub_frame(d.plant, "0|XTR|001|K1^2", NOON_NS);
    hear_nothing(&a);
    assert_int_equal(nb__gateway_count(d.gateway)->subscriptions, 1);
    hang_up(&a);
    UNTIL(&d, nb__gateway_count(d.gateway)->clients == 0);
    assert_int_equal(d.plant->releases, 2);
    desk_close(&d);
}

static void what_kis_would_not_read(void **state)
{
    (void)state;
    desk d;
    caller c;
    desk_open(&d);
    d.config.subscriptions_max = 2;
    desk_listen(&d);
    call(&d, &c, "/");
    say(&c, "garbage");
    assert_string_equal(hear_answer(&c, "OPSP9999", "").tr_id, "(null)");
    say(&c, "{}");
    hear_answer(&c, "OPSP9998", "");
    ask(&c, '3', "XTR", "K1");
    hear_answer(&c, "OPSP8997", "");
    ask(&c, '1', "XTR", "1234567890123");
    hear_answer(&c, "OPSP8993", "");
    ask(&c, '1', "XTR", "K1");
    hear_answer(&c, "OPSP0000", "K1");
    ask(&c, '1', "XTR", "*");
    hear_answer(&c, "OPSP0000", "*");
    ask(&c, '1', "XTR", "K2");
    hear_answer(&c, "OPSP0008", "K2");
    assert_int_equal(d.plant->wants, 1);
    ask(&c, '2', "XTR", "*");
    hear_answer(&c, "OPSP0001", "*");
    d.plant->slots = 1;
    ask(&c, '1', "XTR", "K2");
    hear_answer(&c, "OPSP0008", "K2");
    stub_frame(d.plant, "0|XTR|001|K1^1", NOON_NS);
    hear_exactly(&c, "0|XTR|001|K1^1");
    assert_int_equal(nb__gateway_count(d.gateway)->requests_invalid, 4);
    hang_up(&c);
    desk_close(&d);
}

static uint64_t server_writes(desk *d, nb__text *answer)
{
    unsigned long long writes = 0;
    assert_int_equal(http(d, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", answer), 200);
    const char *at = strstr(answer->data, "\nnightbook_server_writes_total ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\nnightbook_server_writes_total %llu", &writes), 1);
    return writes;
}

static void a_turn_is_one_system_call_a_client(void **state)
{
    (void)state;
    desk d;
    caller keyed, star;
    nb__text answer = {0};
    char frame[64];
    desk_open(&d);
    desk_listen(&d);
    call(&d, &keyed, "");
    call(&d, &star, "");
    ask(&keyed, '1', "XTR", "K1");
    hear_answer(&keyed, "OPSP0000", "K1");
    ask(&star, '1', "XTR", "*");
    hear_answer(&star, "OPSP0000", "*");
    uint64_t before = server_writes(&d, &answer);
    for (unsigned i = 0; i < 50; i++) {
        snprintf(frame, sizeof frame, "0|XTR|001|K1^%u", i);
        stub_frame(d.plant, frame, NOON_NS);
    }
    for (unsigned i = 0; i < 50; i++) {
        snprintf(frame, sizeof frame, "0|XTR|001|K1^%u", i);
        hear_exactly(&keyed, frame);
        hear_exactly(&star, frame);
    }
    assert_int_equal(server_writes(&d, &answer) - before,
                     2 + 1); /* and the first answer with the counters */
    nb__text_fini(&answer);
    hang_up(&keyed);
    hang_up(&star);
    desk_close(&d);
}

static void made_up_codes_do_not_crowd_out_real_ones(void **state)
{
    (void)state;
    desk d;
    caller flood, good;
    char key[16];
    static nb__instrument real[] = {{.code = "B01612745"}};
    desk_open(&d);
    d.config.client_topics_max = 10;
    d.plant->master = (nb__master){.rows = real, .count = 1, .capacity = 1};
    d.plant->symbols = nb__symbols_new(&d.plant->master);
    desk_listen(&d);
    call(&d, &flood, "");
    call(&d, &good, "");
    for (unsigned i = 0; i < 20; i++) {
        snprintf(key, sizeof key, "K%u", i);
        ask(&flood, '1', "XTR", key);
        hear_answer(&flood, i < 10 ? "OPSP0000" : "OPSP0008", key);
        ask(&flood, '2', "XTR", key);
        hear_answer(&flood, i < 10 ? "OPSP0001" : "OPSP0003", key);
    }
    ask(&good, '1', "XTR", "NEW");
    hear_answer(&good, "OPSP0008", "NEW");
    ask(&good, '1', "H0EUASP0", "B01612745");
    hear_answer(&good, "OPSP0000", "B01612745");
    ask(&good, '1', "H0EUASP0", "*");
    hear_answer(&good, "OPSP0000", "*");
    ask(&good, '1', "*", "*");
    hear_answer(&good, "OPSP0000", "*");
    hang_up(&flood);
    hang_up(&good);
    desk_close(&d);
}

static void the_answer_waits_for_kis(void **state)
{
    (void)state;
    desk d;
    caller a, b;
    desk_open(&d);
    d.plant->confirms_at_once = false;
    d.config.answer_wait_ns = 300 * NB__NS_PER_MS;
    desk_listen(&d);
    call(&d, &a, "");
    call(&d, &b, "");
    ask(&a, '1', "XTR", "K1");
    ask(&b, '1', "XTR", "K1");
    ask(&b, '1', "XTR", "K2");
    hear_nothing(&a);
    stub_frame(d.plant, "0|XTR|001|K1^0", NOON_NS);
    hear_nothing(&a); /* no frame before the answer */
    stub_decide(d.plant, "XTR", "K1", NB__OPSP_SUBSCRIBED);
    hear_answer(&a, "OPSP0000", "K1");
    hear_answer(&b, "OPSP0000", "K1");
    stub_decide(d.plant, "XTR", "K2", NB__OPSP_BAD_HTS_ID);
    hear_answer(&b, "OPSP0017", ""); /* with KIS's own words; rt_cd 9 has no key */
    assert_int_equal(nb__gateway_count(d.gateway)->subscriptions, 2);
    UNTIL(&d, d.plant->releases == 1);
    ask(&a, '1', "XTR", "K3");
    hear_answer(&a, "OPSP0000", "K3"); /* KIS says nothing: after answer_wait_ns */
    stub_decide(d.plant, "XTR", "K3", NB__OPSP_BAD_TR_KEY);
    hear_answer(&a, "OPSP8992", "");
    stub_frame(d.plant, "0|XTR|001|K3^1", NOON_NS);
    stub_frame(d.plant, "0|XTR|001|K1^1", NOON_NS);
    hear_exactly(&a, "0|XTR|001|K1^1");
    hang_up(&a);
    hang_up(&b);
    desk_close(&d);
}

static void while_the_link_is_down_success_comes_at_once(void **state)
{
    (void)state;
    desk d;
    caller c;
    desk_open(&d);
    d.plant->confirms_at_once = d.plant->is_up = false;
    d.config.answer_wait_ns = 3600 * NB__NS_PER_S;
    desk_listen(&d);
    call(&d, &c, "");
    ask(&c, '1', "XTR", "K1");
    hear_answer(&c, "OPSP0000", "K1");
    d.plant->is_up = true;
    ask(&c, '1', "XTR", "K2");
    ask(&c, '2', "XTR", "K2"); /* its success comes before that of the end */
    hear_answer(&c, "OPSP0000", "K2");
    hear_answer(&c, "OPSP0001", "K2");
    hang_up(&c);
    desk_close(&d);
}

/* ---- opt-ins ---- */

static void marks_and_last_values(void **state)
{
    (void)state;
    desk d;
    caller plain, more;
    desk_open(&d);
    desk_listen(&d);
    stub_frame(d.plant, "0|XTR|002|K1^1^K1^2", NOON_NS);
    call(&d, &plain, "");
    call(&d, &more, "/+last+marks/tryitout");
    assert_non_null(strstr(hear(&more), "\"msg_cd\":\"NB_FEED\""));
    ask(&plain, '1', "XTR", "K1");
    hear_answer(&plain, "OPSP0000", "K1");
    ask(&more, '1', "XTR", "K1");
    hear_answer(&more, "OPSP0000", "K1");
    hear_exactly(&more, "0|XTR|001|K1^2");
    ask(&more, '1', "XTR", "*");
    hear_answer(&more, "OPSP0000", "*");
    hear_exactly(&more, "0|XTR|001|K1^2");
    nb__mark mark = {.kind = NB__MARK_LINK_DOWN, .recv_ns = NOON_NS, .reason = "it \"fell\""};
    d.plant->sink.mark(d.plant->sink.self, &mark);
    mark = (nb__mark){.kind = NB__MARK_LINK_UP, .recv_ns = NOON_NS, .reason = ""};
    d.plant->sink.mark(d.plant->sink.self, &mark);
    const char *text = hear(&more);
    assert_non_null(strstr(text, "NB_GAP_BEGIN"));
    assert_non_null(strstr(text, "it \\\"fell\\\""));
    assert_non_null(strstr(text, "\"banner\":\"SIMULATED\""));
    assert_non_null(strstr(hear(&more), "\"NB_GAP_END\",\"msg1\":\"the feed is up\""));
    stub_frame(d.plant, "0|XTR|001|K1^3", NOON_NS);
    hear_exactly(&plain, "0|XTR|001|K1^3");
    hear_exactly(&more, "0|XTR|001|K1^3");
    hear_nothing(&more);
    hang_up(&plain);
    hang_up(&more);
    desk_close(&d);
}

static void an_unknown_word_is_told(void **state)
{
    (void)state;
    desk d;
    caller c;
    desk_open(&d);
    desk_listen(&d);
    call_start(&d, &c, "/+lats/tryitout");
    UNTIL(&d, c.is_closed);
    assert_non_null(strstr(c.error, "400"));
    hang_up(&c);
    desk_close(&d);
}

/* ---- quiet clients ---- */

static void quiet_clients_get_pingpong(void **state)
{
    (void)state;
    desk d;
    caller silent, echo, pong;
    desk_open(&d);
    d.config.pingpong_idle_ns = 60 * NB__NS_PER_MS;
    d.config.pingpong_timeout_ns = 300 * NB__NS_PER_MS;
    desk_listen(&d);
    call(&d, &silent, "");
    call(&d, &echo, "");
    call(&d, &pong, "");
    for (int i = 0; i < 8; i++) {
        const char *text = hear(&echo);
        assert_int_equal(strlen(text), 59);
        assert_memory_equal(text, "{\"header\":{\"tr_id\":\"PINGPONG\"", 29);
        say(&echo, text);
        nb__link_send(pong.link, NB__WS_PONG, nb__span(hear(&pong)));
    }
    UNTIL(&d, silent.is_closed);
    assert_false(echo.is_closed);
    assert_false(pong.is_closed);
    assert_int_equal(nb__gateway_count(d.gateway)->idle_closed, 1);
    assert_int_equal(nb__gateway_count(d.gateway)->requests, 0);
    hang_up(&silent);
    hang_up(&echo);
    hang_up(&pong);
    desk_close(&d);
}

/* ---- plain HTTP ---- */

static void routes(void **state)
{
    (void)state;
    static const struct {
        const char *request, *words;
        int status;
    } cases[] = {
        {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "\r\n\r\nok SIMULATED\n", 200},
        {"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n", "\r\n\r\n{\"banner\":\"SIMULATED\"",
         200},
        {"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n", "\"name\":\"stub <&\\\">\"", 200},
        {"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
         "\nnightbook_feed_info{kind=\"sim\"} 1\n", 200},
        {"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
         "\n# TYPE nightbook_gateway_messages_total counter\n", 200},
        {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "<h1>SIMULATED</h1>", 200},
        {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "stub &lt;&amp;&quot;&gt;", 200},
        {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "Content-Security-Policy: default-src 'none'",
         200},
        {"GET /common/master/fo_eurex_code.mst.zip HTTP/1.1\r\nHost: localhost\r\n\r\n",
         "application/zip\r\n", 200},
        {"GET /common/master/fo_eurex_code.mst.zip HTTP/1.1\r\nHost: localhost\r\n\r\n",
         "\r\n\r\nPK-of-the-feed", 200},
        {"GET /common/master/fo_cme_code.mst.zip HTTP/1.1\r\nHost: localhost\r\n\r\n",
         "NB_NO_MASTER", 404},
        {"GET /common/master HTTP/1.1\r\nHost: localhost\r\n\r\n", "NB_NO_MASTER", 404},
        {"GET /common/master/fo_eurex_code.mst.zip HTTP/1.1\r\nHost: evil.example\r\n\r\n",
         "NB_HOST", 421},
        {"GET /v1/books HTTP/1.1\r\nHost: localhost\r\n\r\n", "\"tr_key\":\"B01612745\"", 200},
        {"GET /v1/books/H0EUASP0/B01612745 HTTP/1.1\r\nHost: localhost\r\n\r\n",
         "\"optn_askp1\":2.98", 200},
        {"GET /v1/books/H0EUASP0/B01612745 HTTP/1.1\r\nHost: localhost\r\n\r\n",
         "\"optn_askp4\":null", 200},
        {"GET /v1/books/H0EUASP0/B01612745 HTTP/1.1\r\nHost: localhost\r\n\r\n",
         "\"bsop_hour\":\"190159\"", 200},
        {"GET /v1/books/H0EUASP0/NONE HTTP/1.1\r\nHost: localhost\r\n\r\n", "NB_NO_BOOK", 404},
        {"GET /v1/booksX HTTP/1.1\r\nHost: localhost\r\n\r\n", "NB_NOT_HERE", 404},
        {"POST /v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", "Allow: GET",
         405},
        {"GET /oauth2/Approval HTTP/1.1\r\nHost: localhost\r\n\r\n", "Allow: POST", 405},
        {"GET /uapi/domestic-futureoption/v1/quotations/inquire-price HTTP/1.1\r\nHost: "
         "localhost\r\n\r\n",
         "\"msg1\":\"nightbook serves KIS's WebSocket only; REST stays at KIS: "
         "https://openapi.koreainvestment.com:9443\"",
         404},
        {"POST /tryitout/H0EUASP0 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
         "/tryitout/H0EUASP0 and send", 426},
        {"GET /+bad/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n", "known are last", 400},
        {"GET /v1/status HTTP/1.1\r\nHost: evil.example\r\n\r\n", "NB_HOST", 421},
        {"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n", "NB_ORIGIN", 403},
        {"POST /oauth2/Approval HTTP/1.1\r\nHost: localhost\r\nContent-Length: 68\r\n\r\n"
         "{\"grant_type\":\"client_credentials\",\"appkey\":\"any\",\"secretkey\":\"any\"}",
         "\r\n\r\n{\"approval_key\":\"", 200},
        {"POST /oauth2/Approval HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n[]",
         "EGW00101", 400},
        {"POST /oauth2/tokenP HTTP/1.1\r\nHost: localhost\r\nContent-Length: 68\r\n\r\n"
         "{\"grant_type\":\"client_credentials\",\"appkey\":\"any\",\"appsecret\":\"any\"}",
         "\"access_token_token_expired\":\"2000-", 200},
    };
    desk d;
    nb__text answer = {0};
    desk_open(&d);
    d.plant->master_zip = "PK-of-the-feed";
    desk_listen(&d);
    stub_frame(d.plant,
               "0|H0EUASP0|001|B01612745^190159^2.98^2.99^3.00^0.00^0.00^2.97^2.96^2.95^0.00^0.00^"
               "0^0^0^0^0^0^0^0^0^0^1^3^12^0^0"
               "^9^21^16^0^0^0^0^16^46^5^0",
               NOON_NS);
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        int status = http(&d, cases[i].request, &answer);
        if (status != cases[i].status || strstr(answer.data, cases[i].words) == NULL)
            fail_msg("%s\n%d instead of %d:\n%s", cases[i].request, status, cases[i].status,
                     answer.data);
        assert_null(strcasestr(answer.data, "Access-Control-"));
    }
    d.plant->is_up = false;
    assert_int_equal(http(&d, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", &answer), 503);
    d.plant->clock.kind = NB__FEED_LIVE;
    assert_int_equal(
        http(&d,
             "POST /oauth2/tokenP HTTP/1.1\r\nHost: localhost\r\nContent-Length: 68\r\n\r\n"
             "{\"grant_type\":\"client_credentials\",\"appkey\":\"any\",\"appsecret\":\"any\"}",
             &answer),
        404);
    nb__text_fini(&answer);
    desk_close(&d);
}

/* ---- client keys ---- */

static void with_client_keys(void **state)
{
    (void)state;
    desk d;
    caller stranger, in_address, approved;
    nb__text answer = {0};
    char text[500], key[64];
    desk_open(&d);
    d.config.client_keys[0] = "desk-key-1";
    desk_listen(&d);
    assert_int_equal(http(&d, "GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n", &answer), 401);
    assert_int_equal(
        http(&d, "GET /+key=desk-key-2/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n", &answer),
        401);
    assert_int_equal(
        http(&d, "GET /+key=desk-key-1/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n", &answer),
        200);
    assert_int_equal(
        http(
            &d,
            "GET /v1/books HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer desk-key-1\r\n\r\n",
            &answer),
        200);
    assert_int_equal(
        http(&d,
             "POST /oauth2/Approval HTTP/1.1\r\nHost: localhost\r\nContent-Length: 68\r\n\r\n"
             "{\"grant_type\":\"client_credentials\",\"appkey\":\"any\",\"secretkey\":\"any\"}",
             &answer),
        403);
    assert_non_null(strstr(answer.data, "EGW00103"));
    assert_int_equal(
        http(&d,
             "POST /oauth2/Approval HTTP/1.1\r\nHost: localhost\r\nContent-Length: 75\r\n\r\n"
             "{\"grant_type\":\"client_credentials\",\"appkey\":\"desk-key-1\",\"secretkey\":"
             "\"any\"}",
             &answer),
        200);
    const char *at = strstr(answer.data, "approval_key\":\"");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "approval_key\":\"%40[^\"]", key), 1);

    call(&d, &stranger, "/+marks/");
    ask(&stranger, '1', "XTR", "K1");
    hear_answer(&stranger, "OPSP0011", "K1"); /* and no mark before it */
    call(&d, &in_address, "/+key=desk-key-1/tryitout");
    ask(&in_address, '1', "XTR", "K1");
    hear_answer(&in_address, "OPSP0000", "K1");
    call(&d, &approved, "");
    snprintf(text, sizeof text,
             "{\"body\":{\"input\":{\"tr_key\":\"K1\",\"tr_id\":\"XTR\"}},\"header\":{\"tr_type\":"
             "\"1\",\"custtype\":\"P\","
             "\"approval_key\":\"%s\"}}",
             key);
    say(&approved, text);
    hear_answer(&approved, "OPSP0000", "K1");
    stub_frame(d.plant, "0|XTR|001|K1^1", NOON_NS);
    hear_exactly(&in_address, "0|XTR|001|K1^1");
    hear_exactly(&approved, "0|XTR|001|K1^1");
    hear_nothing(&stranger);
    hang_up(&stranger);
    hang_up(&in_address);
    hang_up(&approved);
    call_start(&d, &stranger, "/+key=desk-key-2/");
    UNTIL(&d, stranger.is_closed);
    assert_non_null(strstr(stranger.error, "401"));
    hang_up(&stranger);
    nb__text_fini(&answer);
    desk_close(&d);
}

static void beyond_loopback_it_does_not_open(void **state)
{
    (void)state;
    desk d;
    nb_error error = {0};
    desk_open(&d);
    (void)nb__listen_parse("0.0.0.0:0", &d.config.server.listen, NULL);
    assert_int_equal(nb__gateway_open(d.loop, d.plant, &d.config, &d.gateway, &error),
                     NB_E_ARGUMENT);
    assert_non_null(strstr(error.detail, "client keys"));
    nb__loop_free(d.loop);
    stub_close(d.plant);
}

static void a_slow_client_is_closed_and_the_others_go_on(void **state)
{
    (void)state;
    desk d;
    caller good;
    char frame[1100] = "0|XTR|001|K1^";
    desk_open(&d);
    d.config.pending_max = 64;
    d.config.server.send_buffer_bytes = 4096;
    desk_listen(&d);
    int fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(nb__gateway_port(d.gateway))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    nb__text request = {0};
    char accept[29];
    const uint8_t nonce[16] = {1}, mask[4] = {1, 2, 3, 4};
    nb__ws_connect_append(&request, "localhost", "/", nonce, NULL, accept);
    nb__ws_frame_append(&request, NB__WS_TEXT,
                        NB__SPAN("{\"header\":{\"custtype\":\"P\",\"tr_type\":\"1\"},\"body\":{"
                                 "\"input\":{\"tr_id\":\"XTR\","
                                 "\"tr_key\":\"K1\"}}}"),
                        mask);
    assert_int_equal(write(fd, request.data, request.size_bytes), (ssize_t)request.size_bytes);
    nb__text_fini(&request);
    call(&d, &good, "");
    ask(&good, '1', "XTR", "K1");
    hear_answer(&good, "OPSP0000", "K1");
    memset(frame + strlen(frame), 'x', 1000);
    for (int i = 0; i < 3000 && nb__gateway_count(d.gateway)->slow_closed == 0; i++) {
        stub_frame(d.plant, frame, NOON_NS);
        hear_exactly(&good, frame);
    }
    assert_int_equal(nb__gateway_count(d.gateway)->slow_closed, 1);
    UNTIL(&d, nb__gateway_count(d.gateway)->clients == 1); /* although it reads nothing */
    stub_frame(d.plant, frame, NOON_NS);
    hear_exactly(&good, frame);
    close(fd);
    hang_up(&good);
    desk_close(&d);
}

static void stub_mark(desk *d, nb__mark_kind kind)
{
    const nb__mark mark = {.kind = kind, .recv_ns = NOON_NS, .reason = "a test"};
    d->plant->is_up = kind == NB__MARK_LINK_UP;
    d->plant->sink.mark(d->plant->sink.self, &mark);
}

/* The feed comes back with this clock. */
static void come_back(desk *d, nb__feed_kind kind, int64_t session_ns, double speed)
{
    stub_mark(d, NB__MARK_LINK_DOWN);
    d->plant->clock = (nb__session_clock){kind, nb__clock_real_ns(), session_ns, speed};
    stub_mark(d, NB__MARK_LINK_UP);
}

static int64_t session_now(const desk *d)
{
    return nb__session_clock_at(&d->plant->clock, nb__clock_real_ns());
}

static void another_clock_takes_another_connection(void **state)
{
    (void)state;
    const int64_t night_ns = nb__kst_ns(20261120, 180000);
    desk d;
    caller c;
    desk_open(&d);
    d.plant->clock = (nb__session_clock){NB__FEED_SIM, nb__clock_real_ns(), night_ns, 60};
    desk_listen(&d);
    call(&d, &c, "/+last");
    ask(&c, '1', "XTR", "K1");
    hear_answer(&c, "OPSP0000", "K1");

    come_back(&d, NB__FEED_SIM, session_now(&d) + 50 * NB__NS_PER_S, 60); /* within a minute */
    stub_frame(d.plant, "0|XTR|001|K1^1", NOON_NS);
    hear_exactly(&c, "0|XTR|001|K1^1");
    assert_false(c.is_closed);

    const struct {
        nb__feed_kind kind;
        int64_t step_ns;
        double speed;
    } changes[] = {{NB__FEED_SIM, 600 * NB__NS_PER_S, 60}, /* a seek, the next night */
                   {NB__FEED_SIM, -600 * NB__NS_PER_S, 60},
                   {NB__FEED_SIM, 0, 10},
                   {NB__FEED_LIVE, 0, 10}};
    for (size_t i = 0; i < NB__COUNT_OF(changes); i++) {
        stub_frame(d.plant, "0|XTR|001|K1^2", NOON_NS); /* pending: it leaves before the Close */
        come_back(&d, changes[i].kind, session_now(&d) + changes[i].step_ns, changes[i].speed);
        hear_exactly(&c, "0|XTR|001|K1^2");
        UNTIL(&d, c.is_closed);
        assert_non_null(strstr(c.error, "code 1012"));
        assert_non_null(strstr(c.error, "clock"));
        assert_int_equal(nb__gateway_count(d.gateway)->clock_closed, i + 1);
        hang_up(&c);
        call(&d, &c, "");
        assert_non_null(strstr(c.clock, nb__feed_kind_name(changes[i].kind)));
        ask(&c, '1', "XTR", "K1");
        hear_answer(&c, "OPSP0000", "K1");
    }
    hang_up(&c);
    desk_close(&d);
}

int main(void)
{
    nb__log_set_level(NB__LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_clients_one_registration),
        cmocka_unit_test(what_kis_would_not_read),
        cmocka_unit_test(a_turn_is_one_system_call_a_client),
        cmocka_unit_test(made_up_codes_do_not_crowd_out_real_ones),
        cmocka_unit_test(the_answer_waits_for_kis),
        cmocka_unit_test(while_the_link_is_down_success_comes_at_once),
        cmocka_unit_test(marks_and_last_values),
        cmocka_unit_test(an_unknown_word_is_told),
        cmocka_unit_test(quiet_clients_get_pingpong),
        cmocka_unit_test(another_clock_takes_another_connection),
        cmocka_unit_test(routes),
        cmocka_unit_test(with_client_keys),
        cmocka_unit_test(beyond_loopback_it_does_not_open),
        cmocka_unit_test(a_slow_client_is_closed_and_the_others_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
