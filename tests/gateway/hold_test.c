/* SPDX-License-Identifier: Apache-2.0 */
/* A replay behind the gateway: what it waits for, what a gap does, who is told of its clock, and
 * /v1/replay. */
#include "desk.h"
#include <math.h>

#define FRAME_BYTES 1000

static nb__gate_state gate(desk *d)
{
    return d->plant->gate.look(d->plant->gate.self);
}

static void turn(desk *d, int times)
{
    for (int i = 0; i < times; i++)
        nb__loop_turn(d->loop, 1);
}

static void open_replay(desk *d)
{
    desk_open(d);
    d->config.pending_max = 64;
    d->config.server.send_buffer_bytes = 4096;
    d->plant->is_replay = true;
    d->plant->clock =
        (nb__session_clock){NB__FEED_REPLAY, nb__clock_real_ns(), nb__kst_ns(20261120, 180000), 1};
    d->plant->replay = (nb__replay_view){.path = "/nights/\"20261123\"",
                                         .night = 20261123,
                                         .recorded = NB__FEED_LIVE,
                                         .from_ns = nb__kst_ns(20261120, 180000),
                                         .to_ns = nb__kst_ns(20261121, 60000),
                                         .session_ns = nb__kst_ns(20261120, 231000),
                                         .speed = INFINITY,
                                         .progress = 0.25,
                                         .frames = 7};
}

static void play_mark(desk *d, nb__mark_kind kind, bool is_rest)
{
    const nb__mark mark = {
        .kind = kind, .recv_ns = NOON_NS, .reason = "KIS closed it", .is_rest = is_rest};
    d->plant->sink.mark(d->plant->sink.self, &mark);
}

/* ---- clients that read nothing ---- */

static int call_deaf(const desk *d, const char *path, const char *tr_id, const char *key)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(nb__gateway_port(d->gateway))};
    char accept[29], ask_text[200];
    const uint8_t nonce[16] = {1}, mask[4] = {1, 2, 3, 4};
    nb__text request = {0};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    snprintf(ask_text, sizeof ask_text,
             "{\"header\":{\"custtype\":\"P\",\"tr_type\":\"1\"},\"body\":{\"input\":{\"tr_id\":"
             "\"%s\",\"tr_key\":\"%s\"}}}",
             tr_id, key);
    nb__ws_connect_append(&request, "localhost", path, nonce, NULL, accept);
    nb__ws_frame_append(&request, NB__WS_TEXT, nb__span(ask_text), mask);
    assert_int_equal(write(fd, request.data, request.size_bytes), (ssize_t)request.size_bytes);
    nb__text_fini(&request);
    return fd;
}

static void ask_more(int fd, const char *tr_id, int keys)
{
    const uint8_t mask[4] = {1, 2, 3, 4};
    nb__text text = {0}, frames = {0};
    for (int i = 0; i < keys; i++) {
        nb__text_clear(&text);
        nb__text_printf(&text,
                        "{\"header\":{\"custtype\":\"P\",\"tr_type\":\"1\"},\"body\":{"
                        "\"input\":{\"tr_id\":\"%s\",\"tr_key\":\"K%d\"}}}",
                        tr_id, i);
        nb__ws_frame_append(&frames, NB__WS_TEXT, nb__text_view(&text), mask);
    }
    assert_int_equal(write(fd, frames.data, frames.size_bytes), (ssize_t)frames.size_bytes);
    nb__text_fini(&text);
    nb__text_fini(&frames);
}

/* Until the gate closes, `most` frames at most. @return how many it took. */
static int fill(desk *d, const char *head, int most)
{
    char frame[FRAME_BYTES + 64];
    int count = 0;
    snprintf(frame, sizeof frame, "%s", head);
    memset(frame + strlen(head), 'x', FRAME_BYTES);
    frame[strlen(head) + FRAME_BYTES] = '\0';
    while (count < most) {
        if (gate(d) != NB__GATE_OPEN) {
            turn(d, 30); /* what was not sent yet is sent, and the kernel takes its time */
            if (gate(d) != NB__GATE_OPEN)
                return count;
        }
        stub_frame(d->plant, frame, NOON_NS);
        count++;
    }
    return count;
}

/* What the socket gives until nothing more comes. @return bytes. */
static size_t drain(desk *d, int fd)
{
    static char bytes[65536];
    size_t total = 0;
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    for (int quiet = 0; quiet < 20;) {
        ssize_t size = read(fd, bytes, sizeof bytes);
        total += size > 0 ? (size_t)size : 0;
        quiet = size > 0 ? 0 : quiet + 1;
        turn(d, 1);
    }
    return total;
}

/* ---- the begin ---- */

static void it_begins_when_all_are_there_and_done_with_asking(void **state)
{
    (void)state;
    desk d;
    caller one, two;
    open_replay(&d);
    d.config.replay_wait = 2;
    desk_listen(&d);
    assert_int_equal(gate(&d), NB__GATE_AWAITED);
    call(&d, &one, "");
    ask(&one, '1', "XTR", "K1");
    hear_answer(&one, "OPSP0000", "K1");
    call(&d, &two, "");
    turn(&d, 3);
    assert_int_equal(gate(&d), NB__GATE_AWAITED); /* connected is not subscribed */
    ask(&two, '1', "XTR", "*");
    hear_answer(&two, "OPSP0000", "*");
    int64_t asked_ns = nb__clock_mono_ns();
    assert_int_equal(gate(&d), NB__GATE_AWAITED);
    while (nb__clock_mono_ns() - asked_ns < 500 * NB__NS_PER_MS)
        turn(&d, 10);
    ask(&two, '1', "XTR", "K2"); /* not done yet */
    hear_answer(&two, "OPSP0000", "K2");
    while (nb__clock_mono_ns() - asked_ns < 1100 * NB__NS_PER_MS)
        turn(&d, 10);
    assert_int_equal(gate(&d), NB__GATE_AWAITED);
    uint32_t pulls = d.plant->pulls;
    UNTIL(&d, gate(&d) == NB__GATE_OPEN);
    assert_true(d.plant->pulls > pulls); /* the plant is told without being asked */
    hang_up(&one);
    hang_up(&two);
    turn(&d, 5);
    assert_int_equal(gate(&d), NB__GATE_OPEN); /* begun is begun */
    desk_close(&d);
}

/* ---- the pace ---- */

static void the_slowest_sets_the_pace_and_loses_nothing(void **state)
{
    (void)state;
    desk d;
    char name[200];
    nb__text answer = {0};
    open_replay(&d);
    d.config.replay_wait = 0;
    desk_listen(&d);
    int fd = call_deaf(&d, "/", "XTR", "K1");
    UNTIL(&d, nb__gateway_count(d.gateway)->subscriptions == 1);
    int sent = 0;
    for (int rounds = 0; rounds < 20 && gate(&d) == NB__GATE_OPEN; rounds++) {
        sent += fill(&d, "0|XTR|001|K1^", 100000);
        for (int64_t begin_ns = nb__clock_mono_ns();
             nb__clock_mono_ns() - begin_ns < 300 * NB__NS_PER_MS;)
            turn(&d, 5); /* until the kernel has taken all that it will */
    }
    assert_true(sent > 32 && sent < 100000);
    assert_int_equal(gate(&d), NB__GATE_FULL);
    assert_false(nb__gateway_is_drained(d.gateway));
    assert_int_equal(nb__gateway_count(d.gateway)->slow_closed, 0);
    d.plant->gate_state = NB__GATE_FULL;
    assert_int_equal(http(&d, "GET /v1/replay HTTP/1.1\r\nHost: localhost\r\n\r\n", &answer), 200);
    assert_non_null(strstr(answer.data, "\"state\":\"held\""));
    snprintf(name, sizeof name, "\"held_by\":{\"client\":\"127.0.0.1:");
    assert_non_null(strstr(answer.data, name));
    uint32_t pulls = d.plant->pulls;
    size_t got = drain(&d, fd);
    assert_int_equal(gate(&d), NB__GATE_OPEN);
    assert_true(d.plant->pulls > pulls);
    sent += fill(&d, "0|XTR|001|K1^", 20);
    got += drain(&d, fd);
    assert_true(nb__gateway_is_drained(d.gateway));
    assert_true(got > (size_t)sent * FRAME_BYTES); /* all, and what stands around them */
    assert_int_equal(nb__gateway_count(d.gateway)->deliveries, (uint64_t)sent + 1);
    nb__text_fini(&answer);
    close(fd);
    desk_close(&d);
}

/* A frame of a hundred keys is a hundred messages for one client: more than may wait at all. */
static void one_frame_may_be_more_than_a_list(void **state)
{
    (void)state;
    desk d;
    nb__text frame = {0};
    open_replay(&d);
    d.config.replay_wait = 0;
    desk_listen(&d);
    int fd = call_deaf(&d, "/", "XTR", "K100");
    ask_more(fd, "XTR", 100);
    UNTIL(&d, nb__gateway_count(d.gateway)->subscriptions == 101);
    nb__text_string(&frame, "0|XTR|100|");
    for (int i = 0; i < 100; i++)
        nb__text_printf(&frame, "%sK%d^%0300d", i > 0 ? "^" : "", i, 0);
    int frames = 0;
    for (; frames < 1000 && gate(&d) == NB__GATE_OPEN; frames++) {
        stub_frame(d.plant, frame.data, NOON_NS);
        turn(&d, 20);
    }
    assert_true(frames < 1000);
    assert_int_equal(nb__gateway_count(d.gateway)->slow_closed, 0);
    drain(&d, fd);
    assert_int_equal(gate(&d), NB__GATE_OPEN);
    assert_int_equal(nb__gateway_count(d.gateway)->deliveries, 101 + 100 * (uint64_t)frames);
    nb__text_fini(&frame);
    close(fd);
    desk_close(&d);
}

static void a_star_client_holds_it_by_the_ring(void **state)
{
    (void)state;
    desk d;
    open_replay(&d);
    d.config.replay_wait = 0;
    d.config.pending_max = 4096;
    d.config.ring_bytes = 65536;
    desk_listen(&d);
    int fd = call_deaf(&d, "/", "*", "*");
    UNTIL(&d, nb__gateway_count(d.gateway)->subscriptions == 1);
    int sent = fill(&d, "0|XTR|001|K1^", 100000);
    assert_true(sent > 10 && sent < 1000);
    assert_int_equal(gate(&d), NB__GATE_FULL);
    size_t got = drain(&d, fd);
    assert_true(got > (size_t)sent * FRAME_BYTES);
    assert_int_equal(gate(&d), NB__GATE_OPEN);
    assert_int_equal(nb__gateway_count(d.gateway)->slow_closed, 0);
    close(fd);
    turn(&d, 5);
    desk_close(&d);
}

static void who_chose_conflation_holds_nobody(void **state)
{
    (void)state;
    desk d;
    open_replay(&d);
    d.config.replay_wait = 0;
    desk_listen(&d);
    int fd = call_deaf(&d, "/+conflate/", "H0EUASP0", "B01612A45");
    int trades = call_deaf(&d, "/+conflate/", "XTR", "K1");
    UNTIL(&d, nb__gateway_count(d.gateway)->subscriptions == 2);
    char frame[400];
    snprintf(frame, sizeof frame,
             "0|H0EUASP0|001|B01612A45^180001^2.98^2.99^3.00^0.00^0.00^2.97^2.96^2.95^0.00^0.00^0^"
             "0^0^0^0^0^0^0^0^0^1^3^12^0^0^9^21^16^0^0^0^0^16^46^5^0");
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(gate(&d), NB__GATE_OPEN);
        stub_frame(d.plant, frame, NOON_NS);
        if (i % 16 == 15)
            turn(&d, 1);
    }
    assert_true(nb__gateway_count(d.gateway)->conflated > 100);
    /* what does not conflate is waited for all the same */
    int sent = fill(&d, "0|XTR|001|K1^", 100000);
    assert_true(sent < 100000);
    assert_int_equal(nb__gateway_count(d.gateway)->slow_closed, 0);
    assert_true(drain(&d, trades) > (size_t)sent * FRAME_BYTES);
    assert_int_equal(gate(&d), NB__GATE_OPEN);
    close(fd);
    close(trades);
    desk_close(&d);
}

static void nobody_is_closed_for_being_silent(void **state)
{
    (void)state;
    desk d;
    caller c;
    open_replay(&d);
    d.config.pingpong_idle_ns = 20 * NB__NS_PER_MS;
    d.config.pingpong_timeout_ns = 40 * NB__NS_PER_MS;
    desk_listen(&d);
    call(&d, &c, "");
    ask(&c, '1', "XTR", "K1");
    hear_answer(&c, "OPSP0000", "K1");
    int64_t begin_ns = nb__clock_mono_ns();
    while (nb__clock_mono_ns() - begin_ns < 300 * NB__NS_PER_MS)
        turn(&d, 5);
    assert_true(nb__gateway_count(d.gateway)->pingpongs > 1);
    assert_int_equal(nb__gateway_count(d.gateway)->idle_closed, 0);
    assert_false(c.is_closed);
    hang_up(&c);
    desk_close(&d);
}

/* ---- gaps ---- */

static void a_gap_drops_who_asked_and_waits_until_they_are_back(void **state)
{
    (void)state;
    desk d;
    caller plain, asks, again;
    open_replay(&d);
    d.config.replay_wait = 0;
    desk_listen(&d);
    call(&d, &plain, "/+marks");
    call(&d, &asks, "/+gaps/tryitout");
    ask(&plain, '1', "XTR", "K1");
    ask(&asks, '1', "XTR", "K1");
    hear(&plain);
    hear_answer(&plain, "OPSP0000", "K1");
    hear_answer(&asks, "OPSP0000", "K1");
    stub_frame(d.plant, "0|XTR|001|K1^1", NOON_NS);
    play_mark(&d, NB__MARK_LINK_DOWN, false);
    UNTIL(&d, asks.is_closed);
    hear_exactly(&asks, "0|XTR|001|K1^1"); /* what came before it came */
    assert_non_null(strstr(asks.error, "1012"));
    assert_non_null(strstr(asks.error, "the recorded link was lost here: KIS closed it"));
    hear_exactly(&plain, "0|XTR|001|K1^1");
    const char *mark = hear(&plain);
    assert_non_null(strstr(mark, "NB_GAP_BEGIN"));
    assert_non_null(strstr(mark, "\"is_up\":false"));
    assert_false(plain.is_closed);
    assert_int_equal(gate(&d), NB__GATE_OPEN); /* the gap itself goes on */
    call_start(&d, &again, "/+gaps");
    UNTIL(&d, again.is_closed);
    assert_non_null(strstr(again.error, "503"));
    play_mark(&d, NB__MARK_LINK_UP, false);
    assert_non_null(strstr(hear(&plain), "NB_GAP_END"));
    assert_int_equal(gate(&d), NB__GATE_AWAITED);
    call(&d, &again, "/+gaps");
    assert_int_equal(gate(&d), NB__GATE_AWAITED);
    ask(&again, '1', "XTR", "K1");
    hear_answer(&again, "OPSP0000", "K1");
    assert_int_equal(gate(&d), NB__GATE_AWAITED); /* it may ask for more */
    UNTIL(&d, gate(&d) == NB__GATE_OPEN);
    assert_int_equal(nb__gateway_count(d.gateway)->gap_closed, 1);
    /* where the recorder itself rested, nobody was dropped */
    play_mark(&d, NB__MARK_LINK_DOWN, true);
    turn(&d, 5);
    assert_false(again.is_closed);
    hang_up(&plain);
    hang_up(&asks);
    hang_up(&again);
    desk_close(&d);
}

static void gaps_for_all(void **state)
{
    (void)state;
    desk d;
    caller c;
    open_replay(&d);
    d.config.drops_gaps = true;
    d.config.replay_wait = 0;
    desk_listen(&d);
    call(&d, &c, "");
    play_mark(&d, NB__MARK_LINK_DOWN, false);
    play_mark(&d, NB__MARK_LINK_UP, false);
    UNTIL(&d, c.is_closed);
    assert_int_equal(gate(&d), NB__GATE_OPEN); /* it had subscribed to nothing */
    hang_up(&c);
    desk_close(&d);
}

/* ---- the clock ---- */

static void who_follows_the_clock_is_told(void **state)
{
    (void)state;
    desk d;
    caller follows, marks, plain;
    open_replay(&d);
    d.config.replay_wait = 0;
    desk_listen(&d);
    call(&d, &plain, "/+last");
    call(&d, &marks, "/+marks");
    hear(&marks);
    /* as our own clients do */
    nb__address address;
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u", nb__gateway_port(d.gateway));
    assert_int_equal(nb__address_parse(url, &address, NULL), NB_OK);
    follows = (caller){.d = &d};
    const nb__link_handler handler = {
        .self = &follows, .opened = on_opened, .message = on_message, .closed = on_closed};
    const nb__link_options options = {.timeout_ns = NB__NS_PER_S,
                                      .extra_headers = "Nightbook-Clock: follow\r\n"};
    assert_int_equal(nb__link_open(d.loop, &address, &options, &handler, &follows.link, NULL),
                     NB_OK);
    UNTIL(&d, follows.is_open);
    assert_non_null(strstr(follows.clock, "replay; session=2026-11-20T18:00:0"));
    ask(&plain, '1', "XTR", "K1");
    hear_answer(&plain, "OPSP0000", "K1");
    stub_frame(d.plant, "0|XTR|001|K1^1", NOON_NS);
    hear_exactly(&plain, "0|XTR|001|K1^1");
    /* moved to another hour */
    d.plant->clock.at_real_ns = nb__clock_real_ns();
    d.plant->clock.at_session_ns = nb__kst_ns(20261121, 30000) + NB__NS_PER_S / 2;
    play_mark(&d, NB__MARK_MOVED, false);
    assert_non_null(strstr(hear(&marks), "NB_MOVED"));
    assert_non_null(strstr(hear(&marks), "NB_CLOCK"));
    const char *text = hear(&follows);
    if (strstr(text, "\"msg1\":\"replay; session=2026-11-21T03:00:0") == NULL)
        fail_msg("%s", text);
    assert_non_null(strstr(text, "speed=1\""));
    /* paused */
    d.plant->clock.speed = 0;
    assert_non_null(strstr(hear(&follows), "speed=0\""));
    hear(&marks);
    hear_nothing(&follows);
    hear_nothing(&plain);
    assert_false(plain.is_closed);
    /* nothing of before is given as a last value */
    ask(&plain, '2', "XTR", "K1");
    hear_answer(&plain, "OPSP0001", "K1");
    ask(&plain, '1', "XTR", "K1");
    hear_answer(&plain, "OPSP0000", "K1");
    hear_nothing(&plain);
    assert_int_equal(nb__gateway_count(d.gateway)->last_bytes, 0);
    assert_int_equal(nb__gateway_count(d.gateway)->clock_closed, 0);
    hang_up(&plain);
    hang_up(&marks);
    hang_up(&follows);
    desk_close(&d);
}

/* ---- /v1/replay ---- */

static int post(desk *d, const char *type, const char *body, size_t size, nb__text *answer)
{
    nb__text request = {0};
    nb__text_printf(&request,
                    "POST /v1/replay HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n"
                    "Content-Length: %zu\r\n\r\n",
                    type, size);
    nb__text_append(&request, body, size);
    nb__text_append(&request, "", 1);
    int status = http(d, request.data, answer);
    nb__text_fini(&request);
    return status;
}

static void commands(void **state)
{
    (void)state;
    desk d;
    nb__text answer = {0};
    static const char json[] = "application/json";
    open_replay(&d);
    desk_listen(&d);
#define POST(body) post(&d, json, body, strlen(body), &answer)
    assert_int_equal(POST("{\"speed\":10}"), 200);
    assert_true(d.plant->command.has_speed && fabs(d.plant->command.speed - 10) < 1e-9);
    assert_false(d.plant->command.has_pause);
    assert_non_null(strstr(answer.data, "\"state\":\"playing\",\"path\":\"/nights/\\\"20261123"));
    assert_non_null(strstr(answer.data, "\"speed\":\"max\""));
    assert_non_null(strstr(answer.data, "\"progress\":0.25"));
    assert_non_null(strstr(answer.data, "\"session_time\":\"2026-11-20T23:10:00.000+09:00\""));
    assert_int_equal(POST("{\"speed\":\"max\",\"pause\":false}"), 200);
    assert_true(isinf(d.plant->command.speed) && d.plant->command.has_pause);
    assert_false(d.plant->command.is_paused);
    assert_int_equal(POST(" {\"step\":3}\n"), 200);
    assert_int_equal(d.plant->command.step, 3);
    assert_int_equal(
        post(&d, "Application/JSON; charset=utf-8", "{\"seek\":\"23:10\"}", 16, &answer), 200);
    assert_int_equal(d.plant->commands, 4);
    nb__text_fini(&answer);
    desk_close(&d);
}

static void hostile_commands(void **state)
{
    (void)state;
    static const struct {
        const char *body, *words;
    } cases[] = {
        {"", "not JSON"},
        {"{", "not JSON"},
        {"[]", "one JSON object"},
        {"\"max\"", "not JSON"},
        {"null", "not JSON"},
        {"{}", "nothing is asked for"},
        {"{\"speed\":10,\"speed\":20}", "not JSON"},
        {"{\"speed\":10}{\"speed\":10}", "not JSON"},
        {"{\"speed\":0}", "0.001-1000000"},
        {"{\"speed\":-1}", "0.001-1000000"},
        {"{\"speed\":1e7}", "0.001-1000000"},
        {"{\"speed\":1e999}", "not JSON"},
        {"{\"speed\":NaN}", "not JSON"},
        {"{\"speed\":true}", "a number or"},
        {"{\"speed\":\"fast\"}", "a number or"},
        {"{\"pause\":1}", "true or false"},
        {"{\"pause\":\"true\"}", "true or false"},
        {"{\"step\":0}", "whole number"},
        {"{\"step\":1.5}", "whole number"},
        {"{\"step\":1000000001}", "whole number"},
        {"{\"step\":99999999999999999999}", "not JSON"},
        {"{\"step\":1,\"pause\":false}", "step pauses"},
        {"{\"seek\":23}", "a time of the night"},
        {"{\"seek\":\"\"}", "a time of the night"},
        {"{\"seek\":\"99:99\"}", "no such time"},
        {"{\"speed\":10,\"seek\":\"99:99\"}", "no such time"},
        {"{\"spede\":10}", "there is no command spede"},
        {"{\"speed\":10,\"x\\u001b[31m\":1}", "there is no command"},
        {"{\"\xff\":1}", "not JSON"},
        {"{\"seek\":\"a\\u0000b\"}", "not JSON"},
    };
    desk d;
    nb__text answer = {0};
    open_replay(&d);
    desk_listen(&d);
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        assert_int_equal(
            post(&d, "application/json", cases[i].body, strlen(cases[i].body), &answer), 400);
        if (strstr(answer.data, cases[i].words) == NULL)
            fail_msg("%s: %s", cases[i].body, answer.data);
        assert_null(strchr(answer.data, 0x1b));
    }
    static char large[60000];
    memset(large, ' ', sizeof large);
    assert_int_equal(post(&d, "application/json", large, sizeof large, &answer), 400);
    memset(large, '[', sizeof large);
    assert_int_equal(post(&d, "application/json", large, 4096, &answer), 400);
    static const char *const types[] = {"text/plain", "application/x-www-form-urlencoded", "",
                                        "application/jsonp", "multipart/form-data; boundary=x"};
    for (size_t i = 0; i < NB__COUNT_OF(types); i++)
        assert_int_equal(post(&d, types[i], "{\"speed\":10}", 12, &answer), 415);
    assert_int_equal(http(&d,
                          "POST /v1/replay HTTP/1.1\r\nHost: localhost\r\nOrigin: "
                          "http://evil.example\r\nContent-Type: application/json\r\n"
                          "Content-Length: 12\r\n\r\n{\"speed\":10}",
                          &answer),
                     403);
    assert_int_equal(http(&d,
                          "POST /v1/replay HTTP/1.1\r\nHost: evil.example\r\nContent-Type: "
                          "application/json\r\nContent-Length: 12\r\n\r\n{\"speed\":10}",
                          &answer),
                     421);
    assert_int_equal(http(&d, "DELETE /v1/replay HTTP/1.1\r\nHost: localhost\r\n\r\n", &answer),
                     405);
    assert_non_null(strstr(answer.data, "Allow: GET, HEAD, POST"));
    assert_int_equal(d.plant->commands, 0); /* nothing of all that was done */
    nb__text_fini(&answer);
    desk_close(&d);
}

static void a_feed_that_is_no_replay_has_none(void **state)
{
    (void)state;
    desk d;
    nb__text answer = {0};
    desk_open(&d);
    desk_listen(&d);
    assert_int_equal(http(&d, "GET /v1/replay HTTP/1.1\r\nHost: localhost\r\n\r\n", &answer), 404);
    assert_int_equal(post(&d, "application/json", "{\"speed\":10}", 12, &answer), 404);
    assert_null(d.plant->gate.look);
    nb__text_fini(&answer);
    desk_close(&d);
}

int main(void)
{
    nb__log_set_level(NB__LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_when_all_are_there_and_done_with_asking),
        cmocka_unit_test(the_slowest_sets_the_pace_and_loses_nothing),
        cmocka_unit_test(one_frame_may_be_more_than_a_list),
        cmocka_unit_test(a_star_client_holds_it_by_the_ring),
        cmocka_unit_test(who_chose_conflation_holds_nobody),
        cmocka_unit_test(nobody_is_closed_for_being_silent),
        cmocka_unit_test(a_gap_drops_who_asked_and_waits_until_they_are_back),
        cmocka_unit_test(gaps_for_all),
        cmocka_unit_test(who_follows_the_clock_is_told),
        cmocka_unit_test(commands),
        cmocka_unit_test(hostile_commands),
        cmocka_unit_test(a_feed_that_is_no_replay_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
