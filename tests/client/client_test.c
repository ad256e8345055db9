/* SPDX-License-Identifier: Apache-2.0 */
/* The client against a server of this program's own, on another thread, that answers by the key
 * asked for. */
#include "guard.h"
#include "io/io.h"
#include "kis/kis.h"
#include "night/night.h"
#include <nightbook/client.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define FRAME_A "0|H0EUASP0|001|B01610A48^190159^1^2"
#define FRAME_B "0|H0EUASP0|002|B01610A48^190159^1^2^B01610A49^190159^3^4"
#define APPROVAL_KEY "0b3c5d6e-approval-key-of-the-test"
#define TIMEOUT_MS 10000

/* ---- the server ---- */

typedef struct stub {
    pthread_t thread;
    nb__loop *loop;
    nb__server *server;
    nb__watch stop;
    int pipe_fds[2];
    uint16_t port;
    bool has_approval;
    atomic_int request_count, alive_count, upgrade_count, close_count;
    char last_key[NB__APPROVAL_KEY_MAX + 1];
} stub;

static void stub_request(void *self, nb__peer *peer, const nb__http_message *request)
{
    stub *s = self;
    nb__approval_request approval;
    if (s->has_approval && nb__span_is(request->path, "/oauth2/Approval") &&
        nb__approval_request_parse(request->body, &approval) && strlen(approval.appkey) == 36)
        nb__peer_respond(peer, 200, "application/json", "",
                         NB__SPAN("{\"approval_key\":\"" APPROVAL_KEY "\"}"));
    else
        nb__peer_respond(peer, 404, "text/plain", "", NB__SPAN("no"));
}

static int stub_upgrade(void *self, nb__peer *peer, const nb__http_message *request,
                        nb__text *headers, const char **detail)
{
    (void)peer;
    stub *s = self;
    s->upgrade_count++;
    if (nb__span_is(request->path, "/refused")) {
        *detail = "not here";
        return 403;
    }
    if (nb__span_is(request->path, "/sim"))
        nb__text_string(
            headers, "Nightbook-Clock: sim; session=2025-12-30T18:00:00.000+09:00; speed=10\r\n");
    if (nb__span_is(request->path, "/nonsense"))
        nb__text_string(headers, "Nightbook-Clock: tomorrow\r\n");
    return 101;
}

static void answer(nb__peer *peer, nb__opsp code, const nb__topic *topic)
{
    nb__text text = {0};
    nb__answer_print(code, topic, NULL, NULL, &text);
    nb__peer_send_text(peer, nb__text_view(&text));
    nb__text_fini(&text);
}

static void stub_message(void *self, nb__peer *peer, const nb__ws_event *event)
{
    stub *s = self;
    nb__request request;
    nb__opsp code;
    if (nb__client_message_parse(event->payload, &request, &code) != NB__CLIENT_REQUEST)
        return;
    s->request_count++;
    memcpy(s->last_key, request.approval_key, sizeof s->last_key);
    const char *key = request.topic.tr_key;
    if (strcmp(key, "SILENT") == 0)
        return;
    if (strcmp(key, "CLOSE") == 0) {
        nb__peer_close(peer, 1008, NB__SPAN("too slow"));
        return;
    }
    if (strcmp(key, "ABORT") == 0) {
        nb__peer_abort(peer);
        return;
    }
    if (strcmp(key, "FULL") == 0) {
        answer(peer, NB__OPSP_MAX_OVER, &request.topic);
        return;
    }
    if (strcmp(key, "NONAME") == 0) {
        answer(peer, NB__OPSP_BAD_JSON, &request.topic);
        return;
    }
    if (strcmp(key, "SCRUB") == 0) {
        nb__answer refusal = {.rt_cd = "1", .msg_cd = "OPSP0011"};
        snprintf(refusal.msg1, sizeof refusal.msg1, "invalid approval : %.100s : NOT FOUND",
                 request.approval_key);
        nb__text text = {0};
        nb__answer_print_as(&refusal, &request.topic, NULL, NULL, &text);
        nb__peer_send_text(peer, nb__text_view(&text));
        nb__text_fini(&text);
        return;
    }
    answer(peer, NB__OPSP_SUBSCRIBED, &request.topic);
    if (strcmp(key, "FRAMES") == 0) {
        nb__peer_send_text(peer, NB__SPAN(FRAME_A));
        nb__peer_send_text(peer, NB__SPAN(FRAME_B));
    } else if (strcmp(key, "OTHERS") == 0) {
        nb__peer_send_text(
            peer, NB__SPAN("{\"header\":{\"tr_id\":\"NIGHTBOOK\"},\"body\":{\"mark\":\"up\"}}"));
        nb__peer_send_text(peer, NB__SPAN("hello"));
        nb__peer_send_text(peer, NB__SPAN(""));
        nb__peer_send_text(peer, NB__SPAN("0|H0EUASP0|000|x"));
        nb__peer_send_text(peer, NB__SPAN("0|H0EUASP0|001|\xff\xfe"));
    } else if (strcmp(key, "PINGPONG") == 0) {
        char text[64];
        size_t size = nb__pingpong_print(text, nb__kst_ns(20261120, 190000));
        nb__peer_send_text(peer, (nb_span){text, size});
    }
}

static void stub_alive(void *self, nb__peer *peer)
{
    (void)peer;
    ((stub *)self)->alive_count++;
}

static void stub_opened(void *self, nb__peer *peer)
{
    (void)self;
    (void)peer;
}

static void stub_closed(void *self, nb__peer *peer, const char *detail)
{
    (void)peer;
    (void)detail;
    ((stub *)self)->close_count++;
}

static void stub_stop(nb__watch *watch, uint32_t events)
{
    (void)events;
    nb__loop_stop(((stub *)(void *)((char *)watch - offsetof(stub, stop)))->loop);
}

static void *stub_run(void *self)
{
    nb__loop_run(((stub *)self)->loop);
    return NULL;
}

static int stub_setup(void **state)
{
    static stub s;
    s = (stub){.has_approval = true};
    nb__server_config config = nb__server_config_default();
    assert_int_equal(nb__listen_parse("127.0.0.1:0", &config.listen, NULL), NB_OK);
    nb__server_handler handler = {.self = &s,
                                  .request = stub_request,
                                  .upgrade = stub_upgrade,
                                  .opened = stub_opened,
                                  .message = stub_message,
                                  .alive = stub_alive,
                                  .closed = stub_closed};
    assert_int_equal(nb__loop_new(&s.loop, NULL), NB_OK);
    assert_int_equal(nb__server_open(s.loop, &config, &handler, &s.server, NULL), NB_OK);
    s.port = nb__server_port(s.server);
    assert_int_equal(pipe(s.pipe_fds), 0);
    s.stop = (nb__watch){s.pipe_fds[0], stub_stop};
    assert_int_equal(nb__watch_add(s.loop, &s.stop, EPOLLIN), NB_OK);
    assert_int_equal(pthread_create(&s.thread, NULL, stub_run, &s), 0);
    *state = &s;
    return 0;
}

static int stub_teardown(void **state)
{
    stub *s = *state;
    assert_int_equal(write(s->pipe_fds[1], "x", 1), 1);
    pthread_join(s->thread, NULL);
    nb__watch_remove(s->loop, &s->stop);
    nb__server_close(s->server);
    nb__loop_free(s->loop);
    close(s->pipe_fds[0]);
    close(s->pipe_fds[1]);
    return 0;
}

/* ---- the client's side ---- */

static nb_client *open_at(const stub *s, const char *path)
{
    char url[64];
    nb_client *client = NULL;
    nb_error error;
    snprintf(url, sizeof url, "ws://127.0.0.1:%u%s", s->port, path);
    if (nb_client_open(url, TIMEOUT_MS, &client, &error) != NB_OK)
        fail_msg("%s", error.detail);
    return client;
}

static void subscribe(nb_client *client, const char *key)
{
    assert_int_equal(nb_client_subscribe(client, "H0EUASP0", key, NULL), NB_OK);
}

static nb_event next(nb_client *client)
{
    nb_event event;
    nb_error error;
    if (nb_client_next(client, TIMEOUT_MS, &event, &error) != NB_OK)
        fail_msg("%s", error.detail);
    return event;
}

static void test_answer_and_frames(void **state)
{
    stub *s = *state;
    nb_client *client = open_at(s, "/tryitout");
    subscribe(client, "FRAMES");
    nb_event event = next(client);
    assert_int_equal(event.kind, NB_EVENT_ANSWER);
    assert_string_equal(event.tr_id, "H0EUASP0");
    assert_string_equal(event.tr_key, "FRAMES");
    assert_string_equal(event.rt_cd, "0");
    assert_string_equal(event.msg_cd, "OPSP0000");
    assert_string_equal(event.msg1, "SUBSCRIBE SUCCESS");
    event = next(client);
    assert_int_equal(event.kind, NB_EVENT_DATA);
    assert_true(nb__span_is(event.text, FRAME_A));
    assert_int_equal(event.frame.record_count, 1);
    event = next(client);
    assert_true(nb__span_is(event.text, FRAME_B));
    assert_int_equal(event.frame.record_count, 2);
    assert_true(event.recv_ns > 0 && event.session_ns == event.recv_ns);
    assert_string_equal(nb_client_feed(client), "other");
    assert_string_equal(s->last_key, APPROVAL_KEY);
    nb_client_close(client);
}

static void test_no_approval(void **state)
{
    stub *s = *state;
    s->has_approval = false;
    nb_client *client = open_at(s, "");
    subscribe(client, "OK");
    assert_int_equal(next(client).kind, NB_EVENT_ANSWER);
    assert_string_equal(s->last_key, "");
    nb_client_close(client);
}

static void test_one_in_flight(void **state)
{
    stub *s = *state;
    nb_client *client = open_at(s, "/");
    static const char *const keys[] = {"A", "FULL", "NONAME", "B"};
    static const char *const codes[] = {"OPSP0000", "OPSP0008", "OPSP9999", "OPSP0000"};
    for (size_t i = 0; i < NB__COUNT_OF(keys); i++)
        subscribe(client, keys[i]);
    for (size_t i = 0; i < NB__COUNT_OF(keys); i++) {
        nb_event event = next(client);
        assert_int_equal(event.kind, NB_EVENT_ANSWER);
        assert_int_equal(s->request_count,
                         i + 1); /* the next one waits for this answer to be taken */
        assert_string_equal(event.tr_key, keys[i]); /* also where KIS answers "(null)" */
        assert_string_equal(event.msg_cd, codes[i]);
    }
    nb_client_close(client);
}

/* Slow: a server that answers nothing holds up the next request for five seconds, not for ever. */
static void test_unanswered(void **state)
{
    stub *s = *state;
    nb_client *client = open_at(s, "/");
    subscribe(client, "SILENT");
    subscribe(client, "A");
    nb_event event;
    assert_int_equal(nb_client_next(client, 200, &event, NULL), NB_E_TIMEOUT);
    assert_int_equal(s->request_count, 1);
    event = next(client);
    assert_string_equal(event.tr_key, "A");
    nb_client_close(client);
}

static void test_secret_is_scrubbed(void **state)
{
    nb_client *client = open_at(*state, "/");
    subscribe(client, "SCRUB");
    nb_event event = next(client);
    assert_string_equal(event.msg_cd, "OPSP0011");
    assert_string_equal(event.msg1, "invalid approval : *** : NOT FOUND");
    nb_client_close(client);
}

static void test_other_messages(void **state)
{
    nb_client *client = open_at(*state, "/");
    subscribe(client, "OTHERS");
    assert_int_equal(next(client).kind, NB_EVENT_ANSWER);
    assert_int_equal(next(client).kind, NB_EVENT_MARK);
    nb_event event = next(client);
    assert_int_equal(event.kind, NB_EVENT_OTHER);
    assert_true(nb__span_is(event.text, "hello"));
    event = next(client);
    assert_int_equal(event.kind, NB_EVENT_OTHER);
    assert_int_equal(event.text.size_bytes, 0);
    event = next(client);
    assert_int_equal(event.kind, NB_EVENT_DATA);
    assert_int_equal(event.frame.record_count, 0); /* no head to split, and given all the same */
    nb_records records;
    assert_int_equal(nb_records_begin(&event.frame, &records, NULL), NB_E_FRAME);
    event = next(client);
    assert_int_equal(event.kind,
                     NB_EVENT_DATA); /* bytes that are not UTF-8 are no reason to close */
    assert_memory_equal(event.text.data + 15, "\xff\xfe", 2);
    nb_client_close(client);
}

static void test_pingpong(void **state)
{
    stub *s = *state;
    nb_client *client = open_at(s, "/");
    subscribe(client, "PINGPONG");
    assert_int_equal(next(client).kind, NB_EVENT_ANSWER);
    int before = s->alive_count;
    nb_event event;
    assert_int_equal(nb_client_next(client, 100, &event, NULL), NB_E_TIMEOUT); /* it is no event */
    for (int i = 0; i < 100 && s->alive_count == before; i++)
        usleep(10000);
    assert_int_equal(s->alive_count, before + 1);
    nb_client_close(client);
}

static void test_closed_with_words(void **state)
{
    nb_client *client = open_at(*state, "/");
    subscribe(client, "FRAMES");
    subscribe(client, "CLOSE");
    for (int i = 0; i < 3; i++)
        assert_int_not_equal(next(client).kind, NB_EVENT_CLOSED);
    for (int i = 0; i < 3; i++) { /* and again on every further call */
        nb_event event = next(client);
        assert_int_equal(event.kind, NB_EVENT_CLOSED);
        assert_non_null(strstr(event.detail, "1008"));
        assert_non_null(strstr(event.detail, "too slow"));
    }
    nb_error error;
    assert_int_equal(nb_client_subscribe(client, "H0EUASP0", "A", &error), NB_E_CLOSED);
    nb_client_close(client);
}

static void test_lost(void **state)
{
    nb_client *client = open_at(*state, "/");
    subscribe(client, "ABORT");
    nb_event event = next(client);
    assert_int_equal(event.kind, NB_EVENT_CLOSED);
    assert_true(event.detail[0] != '\0');
    nb_client_close(client);
}

static void test_closes_politely(void **state)
{
    stub *s = *state;
    nb_client *client = open_at(s, "/");
    subscribe(client, "FRAMES");
    (void)next(client);
    int64_t before_ns = nb__clock_mono_ns();
    nb_client_close(client);
    assert_true(nb__clock_mono_ns() - before_ns < NB__NS_PER_S);
    for (int i = 0; i < 100 && s->close_count == 0; i++)
        usleep(10000);
    assert_int_equal(s->close_count, 1);
    nb_client_close(NULL);
}

static void test_server_clock(void **state)
{
    nb_client *client = open_at(*state, "/sim");
    assert_string_equal(nb_client_feed(client), "sim");
    subscribe(client, "FRAMES");
    nb_event event = next(client);
    int64_t passed_ns = event.session_ns - nb__kst_ns(20251230, 180000);
    assert_true(passed_ns >= 0 &&
                passed_ns < 600 * NB__NS_PER_S); /* ten session seconds a second */
    assert_int_equal(nb_trade_date(nb_calendar_builtin(), event.session_ns), 20260102);
    nb_client_close(client);
    client = open_at(*state, "/nonsense");
    assert_string_equal(nb_client_feed(client), "other");
    nb_client_close(client);
}

static void *wake_soon(void *client)
{
    usleep(50000);
    nb_client_wake(client);
    return NULL;
}

static void test_wake(void **state)
{
    nb_client *client = open_at(*state, "/");
    pthread_t thread;
    nb_event event;
    assert_int_equal(pthread_create(&thread, NULL, wake_soon, client), 0);
    assert_int_equal(nb_client_next(client, -1, &event, NULL), NB_E_TIMEOUT);
    pthread_join(thread, NULL);
    nb_client_wake(client); /* before the wait */
    assert_int_equal(nb_client_next(client, -1, &event, NULL), NB_E_TIMEOUT);
    assert_int_equal(nb_client_next(client, 0, &event, NULL),
                     NB_E_TIMEOUT); /* each wake ends one wait */
    nb_client_close(client);
}

static void test_cannot_open(void **state)
{
    stub *s = *state;
    nb_client *client = NULL;
    nb_error error;
    static const struct {
        const char *url, *words;
    } arguments[] = {
        {"ws://ops.koreainvestment.com:21000", "nightbook serve"},
        {"ws://OPS.KoreaInvestment.com.:21000/tryitout", "nightbook serve"},
        {"ws://koreainvestment.com", "nightbook serve"},
        {"http://127.0.0.1:31000", "ws://"},
        {"wss://127.0.0.1:31000", "TLS"},
        {"127.0.0.1:31000", "ws://"},
        {"", "ws://"},
    };
    for (size_t i = 0; i < NB__COUNT_OF(arguments); i++) {
        assert_int_equal(nb_client_open(arguments[i].url, 1000, &client, &error), NB_E_ARGUMENT);
        if (strstr(error.detail, arguments[i].words) == NULL)
            fail_msg("%s: %s", arguments[i].url, error.detail);
    }
    assert_int_equal(nb_client_open("ws://127.0.0.1:31000", 0, &client, &error), NB_E_ARGUMENT);
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/refused", s->port);
    assert_int_equal(nb_client_open(url, TIMEOUT_MS, &client, &error), NB_E_PROTOCOL);
    assert_non_null(strstr(error.detail, "403"));
    assert_int_equal(nb_client_open(url, TIMEOUT_MS, &client, NULL), NB_E_PROTOCOL);
    assert_null(client);
}

/* A port that was free a moment ago. */
static void test_nobody_listens(void **state)
{
    (void)state;
    nb__loop *loop;
    nb__server *server;
    nb__server_config config = nb__server_config_default();
    nb__server_handler handler = {.self = NULL,
                                  .request = stub_request,
                                  .upgrade = stub_upgrade,
                                  .opened = stub_opened,
                                  .message = stub_message,
                                  .alive = stub_alive,
                                  .closed = stub_closed};
    assert_int_equal(nb__listen_parse("127.0.0.1:0", &config.listen, NULL), NB_OK);
    assert_int_equal(nb__loop_new(&loop, NULL), NB_OK);
    assert_int_equal(nb__server_open(loop, &config, &handler, &server, NULL), NB_OK);
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u", nb__server_port(server));
    nb__server_close(server);
    nb__loop_free(loop);
    nb_client *client;
    nb_error error;
    assert_int_equal(nb_client_open(url, TIMEOUT_MS, &client, &error), NB_E_REFUSED);
    assert_non_null(strstr(error.detail, "refused"));
}

static void test_subscribe_arguments(void **state)
{
    nb_client *client = open_at(*state, "/");
    static const char *const pairs[][2] = {{"", "A"},
                                           {"H0EUASP0", ""},
                                           {"H0EUASP0", "1234567890123"},
                                           {"H0EUASP012345678", "A"},
                                           {"H0|", "A"}};
    for (size_t i = 0; i < NB__COUNT_OF(pairs); i++)
        assert_int_equal(nb_client_subscribe(client, pairs[i][0], pairs[i][1], NULL),
                         NB_E_ARGUMENT);
    nb_client_close(client);
}

#define CLIENT_TEST(f) cmocka_unit_test_setup_teardown(f, stub_setup, stub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLIENT_TEST(test_answer_and_frames),
        CLIENT_TEST(test_no_approval),
        CLIENT_TEST(test_one_in_flight),
        CLIENT_TEST(test_unanswered),
        CLIENT_TEST(test_secret_is_scrubbed),
        CLIENT_TEST(test_other_messages),
        CLIENT_TEST(test_pingpong),
        CLIENT_TEST(test_closed_with_words),
        CLIENT_TEST(test_lost),
        CLIENT_TEST(test_closes_politely),
        CLIENT_TEST(test_server_clock),
        CLIENT_TEST(test_wake),
        CLIENT_TEST(test_cannot_open),
        CLIENT_TEST(test_nobody_listens),
        CLIENT_TEST(test_subscribe_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
