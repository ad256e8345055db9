/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults over real sockets, client and server in one loop: those that act by time and those whose
 * effect on our own link matters. tests/integration/fault_itest.py sees each from outside, down to
 * the bytes.
 */
#include "rig.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS NB__NS_PER_MS

/* A look-alike with these faults, ';' between. */
static world world_with(const char *texts)
{
    nb__sim_config config = config_new();
    nb__sim_faults faults = {0};
    nb_error error = {0};
    for (const char *at = texts; *at != '\0';) {
        size_t size_bytes = strcspn(at, ";");
        if (nb__sim_faults_add(&faults, (nb_span){at, size_bytes}, &error) != NB_OK)
            fail_msg("%s", error.detail);
        at += size_bytes + (at[size_bytes] == ';');
    }
    config.any_approval_key = true;
    config.keys_max = 20;
    config.faults = faults.items;
    config.fault_count = faults.count;
    world w = world_new(&config);
    nb__sim_faults_fini(&faults); /* borrowed for the call only */
    return w;
}

static client *session_on(world *w, const char *key)
{
    client *c = connect_client(w);
    nb__answer answer = ask(c, key, "1", "H0MFASP0", "A01612");
    ASSERT_CODE(answer, SUBSCRIBED);
    return c;
}

static bool wait_closed(client *c, int64_t patience_ns)
{
    for (int64_t end_ns = nb__clock_mono_ns() + patience_ns;
         !c->is_closed && nb__clock_mono_ns() < end_ns;)
        nb__loop_turn(c->world->loop, 5);
    return c->is_closed;
}

static void send_request(client *c, const char *tr_key)
{
    char text[256];
    snprintf(text, sizeof text,
             "{\"header\":{\"approval_key\":\"x\",\"custtype\":\"P\",\"tr_type\":\"1\",\"content-"
             "type\":\"utf-8\"},\"body\":{\"input\":{\"tr_id\":\"H0EUASP0\",\"tr_key\":\"%s\"}}}",
             tr_key);
    nb__link_send(c->link, NB__WS_TEXT, nb__span(text));
}

/* ---- sessions ---- */

static void in_use_ends_and_hold_follows_a_disconnect(void **state)
{
    (void)state;
    world w = world_with("in-use:300ms;hold:500ms");
    client *c = connect_client(&w);
    nb__answer answer = ask(c, "x", "1", "H0MFASP0", "A01612");
    ASSERT_CODE(answer, IN_USE);
    assert_string_equal(answer.tr_id, "(null)");
    turn_for(&w, 350 * MS);
    answer = ask(c, "x", "1", "H0MFASP0", "A01612");
    ASSERT_CODE(answer, SUBSCRIBED);
    client_free(c);
    client *next = connect_client(&w);
    answer = ask(next, "x", "1", "H0MFASP0", "A01612");
    ASSERT_CODE(answer, IN_USE);
    answer = ask(next, "another appkey", "1", "H0MFASP0", "A01612");
    ASSERT_CODE(answer, SUBSCRIBED);
    client_free(next);
    turn_for(&w, 550 * MS);
    next = session_on(&w, "x");
    client_free(next);
    world_free(&w);
}

static void several_appkeys_have_a_session_each(void **state)
{
    (void)state;
    world w = world_with("full:2");
    client *clients[3];
    for (int i = 0; i < 3; i++)
        clients[i] = session_on(&w, i == 0 ? "a" : i == 1 ? "b" : "c");
    for (int i = 0; i < 3; i++) { /* the limit is each one's own */
        nb__answer answer = ask(clients[i], "x", "1", "H0EUASP0", "X1");
        ASSERT_CODE(answer, SUBSCRIBED);
        answer = ask(clients[i], "x", "1", "H0EUASP0", "X2");
        ASSERT_CODE(answer, MAX_OVER);
        assert_non_null(next_text(clients[i], '0', PATIENCE_NS));
    }
    for (int i = 0; i < 3; i++)
        client_free(clients[i]);
    world_free(&w);
}

static void bad_approval_says_the_key(void **state)
{
    (void)state;
    world w = world_with("bad-approval:first=1");
    client *c = connect_client(&w);
    nb__answer answer = ask(c, "my-approval-key", "1", "H0MFASP0", "A01612");
    ASSERT_CODE(answer, BAD_APPROVAL);
    assert_string_equal(answer.msg1, "invalid approval : NOT FOUND my-approval-key");
    answer = ask(c, "my-approval-key", "1", "H0MFASP0", "A01612");
    ASSERT_CODE(answer, SUBSCRIBED);
    client_free(c);
    world_free(&w);
}

static void approval_is_slow_and_then_locked_out(void **state)
{
    (void)state;
    static const char body[] =
        "{\"grant_type\":\"client_credentials\",\"appkey\":\"A\",\"secretkey\":\"s\"}";
    world w = world_with("approval-slow:200ms;approval-lockout:2");
    for (int i = 0; i < 3; i++) {
        int64_t begin_ns = nb__clock_mono_ns();
        exchange e = fetch(&w, "POST", "/oauth2/Approval", body);
        assert_in_range(nb__clock_mono_ns() - begin_ns, 190 * MS, 2000 * MS);
        assert_int_equal(e.status, i < 2 ? 200 : 403);
        assert_non_null(strstr(e.body.data, i < 2 ? "approval_key" : "EGW00103"));
        nb__text_fini(&e.body);
    }
    world_free(&w);
}

static void a_slow_approval_may_be_left_open(void **state)
{
    (void)state;
    world w = world_with("approval-slow:60s");
    exchange e = {0};
    nb__address address = address_of(&w, "http");
    snprintf(address.path, sizeof address.path, "/oauth2/Approval");
    nb__fetch *fetching;
    assert_int_equal(
        nb__fetch_start(w.loop, "POST", &address, "",
                        NB__SPAN("{\"grant_type\":\"client_credentials\",\"appkey\":\"A\","
                                 "\"secretkey\":\"s\"}"),
                        1000, PATIENCE_NS, on_fetched, &e, &fetching, NULL),
        NB_OK);
    turn_for(&w, 100 * MS);
    assert_false(e.is_done);
    nb__fetch_cancel(fetching); /* it left; the look-alike ends with the answer still owed */
    turn_for(&w, 50 * MS);
    world_free(&w);
}

/* ---- answers and PINGPONG ---- */

static void answers_keep_their_order_but_for_the_one_held_back(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *order;
    } cases[] = {
        {"answer-late:100ms,every=2", "ABCD"}, /* what follows a late one waits behind it */
        {"answer-order:every=2", "ACBD"},
        {"answer-missing:every=3", "ABD"},
        {"answer-order:every=1,wait=100ms,first=1", "BACD"},
        {"latency:50ms,jitter=50ms", "ABCD"}};
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        world w = world_with(cases[i].fault);
        client *c = connect_client(&w);
        for (char name[] = "A"; name[0] <= 'D'; name[0]++)
            send_request(c, name);
        char got[8] = "";
        for (const char *text; strlen(got) < 7 && (text = next_text(c, '{', 400 * MS)) != NULL;) {
            nb__answer answer;
            assert_int_equal(nb__server_message_parse(nb__span(text), &answer), NB__SERVER_ANSWER);
            got[strlen(got) + 1] = '\0';
            got[strlen(got)] = answer.tr_key[0];
        }
        assert_string_equal(got, cases[i].order);
        client_free(c);
        world_free(&w);
    }
}

static void pingpong_faults_hold_with_time_outs(void **state)
{
    (void)state;
    nb__sim_config config = config_new();
    nb__sim_faults faults = {0};
    assert_int_equal(nb__sim_faults_add(&faults, NB__SPAN("pingpong-missing"), NULL), NB_OK);
    config.faults = faults.items;
    config.fault_count = faults.count;
    config.pingpong_idle_ns = 100 * MS;
    config.pingpong_timeout_ns = 200 * MS;
    world w = world_new(&config);
    nb__sim_faults_fini(&faults);
    client *c = connect_client(&w);
    turn_for(&w, 800 * MS); /* nobody was asked, so nobody is cut off */
    assert_int_equal(c->count, 0);
    assert_false(c->is_closed);
    client_free(c);
    world_free(&w);
}

static void a_ping_ends_the_connection(void **state)
{
    (void)state;
    world w = world_with("ping-close:1008");
    client *c = session_on(&w, "x");
    nb__link_send(c->link, NB__WS_PONG, NB__SPAN("unasked"));
    turn_for(&w, 100 * MS);
    assert_false(c->is_closed);
    nb__link_send(c->link, NB__WS_PING, NB__SPAN("keep-alive"));
    assert_true(wait_closed(c, 3 * NB__NS_PER_S));
    assert_non_null(strstr(c->detail, "1008"));
    client_free(c);
    world_free(&w);
}

/* ---- how links die ---- */

static void cuts_look_as_they_are_called(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *says;
    } cases[] = {{"eof:200ms", "without a Close frame"},
                 {"rst:200ms", "reset"},
                 {"friday-restart:1s,after=200ms", "1001"}};
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        world w = world_with(cases[i].fault);
        client *c = session_on(&w, "x");
        assert_true(wait_closed(c, 3 * NB__NS_PER_S));
        if (strcasestr(c->detail, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].fault, c->detail);
        client_free(c);
        world_free(&w);
    }
}

static void a_silent_link_holds_its_appkey_until_the_client_goes(void **state)
{
    (void)state;
    static const char *const faults[] = {"silent:200ms", "half-open:200ms,lasts=600ms"};
    for (size_t i = 0; i < NB__COUNT_OF(faults); i++) {
        world w = world_with(faults[i]);
        client *c = session_on(&w, "x");
        turn_for(&w, 300 * MS);
        size_t count = c->count;
        send_request(c, "X1");
        nb__link_send(c->link, NB__WS_PING, NB__SPAN("?"));
        turn_for(&w, 150 * MS);
        assert_int_equal(c->count, count);
        assert_false(c->is_closed);
        client *other = connect_client(&w);
        nb__answer answer = ask(other, "x", "1", "H0MFASP0", "A01612");
        ASSERT_CODE(answer, IN_USE);
        client_free(other);
        if (i == 0) {
            nb__link_close(c->link, 1000); /* never answered: bounded by the client */
            assert_true(wait_closed(c, 3 * NB__NS_PER_S));
        } else {
            assert_true(wait_closed(c, 3 * NB__NS_PER_S)); /* the look-alike noticed */
            assert_non_null(strcasestr(c->detail, "reset"));
        }
        turn_for(&w, 50 * MS);
        other = connect_client(&w);
        answer = ask(other, "x", "1", "H0MFASP0", "A01612");
        ASSERT_CODE(answer, SUBSCRIBED);
        client_free(other);
        client_free(c);
        world_free(&w);
    }
}

static int try_connect(world *w)
{
    nb__address address = address_of(w, "http");
    exchange e = {0};
    nb__fetch *fetching;
    snprintf(address.path, sizeof address.path, "/");
    assert_int_equal(nb__fetch_start(w->loop, "GET", &address, "", NB__SPAN(""), 100000,
                                     PATIENCE_NS, on_fetched, &e, &fetching, NULL),
                     NB_OK);
    while (!e.is_done)
        nb__loop_turn(w->loop, 5);
    nb__text_fini(&e.body);
    return e.status;
}

static void after_the_restart_the_same_port_listens(void **state)
{
    (void)state;
    world w = world_with("friday-restart:600ms,after=100ms");
    uint16_t port = nb__sim_port(w.sim);
    assert_int_equal(try_connect(&w), 200);
    turn_for(&w, 200 * MS);
    assert_int_equal(try_connect(&w), 0);
    turn_for(&w, 700 * MS);
    assert_int_equal(try_connect(&w), 200);
    assert_int_equal(nb__sim_port(w.sim), port);
    client *c = session_on(&w, "x");
    client_free(c);
    world_free(&w);
}

static void a_restart_may_be_the_last_thing(void **state)
{
    (void)state;
    world w = world_with("friday-restart:600s,after=50ms");
    client *c = session_on(&w, "x");
    assert_true(wait_closed(c, 3 * NB__NS_PER_S));
    client_free(c);
    world_free(&w); /* while it refuses */
}

/* ---- data ---- */

static void a_link_survives_what_comes_over_it(void **state)
{
    (void)state;
    static const char *const faults[] = {
        "garbage:every=2", "truncated:every=2",  "not-utf8:every=2", "fragments:7",
        "one-byte",        "burst:20,wait=50ms", "blanks:every=2",   "middle-field:every=2",
        "one-byte:1us"};
    for (size_t i = 0; i < NB__COUNT_OF(faults); i++) {
        world w = world_with(faults[i]);
        client *c = session_on(&w, "x");
        turn_for(&w, 300 * MS);
        if (c->is_closed)
            fail_msg("%s: %s", faults[i], c->detail);
        assert_true(c->count > 2);
        assert_true((c->odd_count > 0) == (strncmp(faults[i], "not-utf8", 8) == 0));
        client_free(c);
        world_free(&w);
    }
}

static void bursts_leave_no_record_behind(void **state)
{
    (void)state;
    world w = world_with("burst:20,wait=200ms");
    client *c = session_on(&w, "x");
    nb__answer answer = ask(c, "x", "1", "H0EUASP0", nb__sim_atm_code(w.sim));
    ASSERT_CODE(answer, SUBSCRIBED);
    turn_for(&w, 600 * MS);
    int record_count = 0, frame_count = 0, other = 0;
    for (size_t i = 0; i < c->count; i++) {
        nb_frame frame;
        nb_records records;
        nb_span record;
        if (c->texts[i][0] != '0')
            continue;
        assert_int_equal(nb_frame_split(nb__span(c->texts[i]), &frame, NULL), NB_OK);
        assert_int_equal(nb_records_begin(&frame, &records, NULL), NB_OK);
        int count = 0;
        while (nb_records_next(&records, &record))
            count++;
        assert_int_equal(count, frame.record_count);
        record_count += count;
        frame_count++;
        other += nb__span_is(frame.tr_id, "H0EUASP0");
    }
    assert_true(record_count >= 2 * frame_count); /* without it nearly all have one */
    assert_true(other > 0);                       /* a frame holds one TR */
    client_free(c);
    world_free(&w);
}

static void latency_waits_for_a_client_that_leaves(void **state)
{
    (void)state;
    world w = world_with("latency:60s;burst:20,wait=60s;answer-late:60s");
    client *c = connect_client(&w);
    send_request(c, "X1");
    turn_for(&w, 200 * MS);
    assert_int_equal(c->count, 0);
    client_free(c); /* what waited goes with it */
    world_free(&w);
}

static void too_many_faults_are_refused(void **state)
{
    (void)state;
    nb__loop *loop;
    nb__sim *sim = NULL;
    assert_int_equal(nb__loop_new(&loop, NULL), NB_OK);
    nb__sim_config config = config_new();
    config.fault_count = NB__SIM_FAULTS_MAX + 1;
    assert_int_equal(nb__sim_open(loop, &config, &sim, NULL), NB_E_ARGUMENT);
    nb__loop_free(loop);
}

/* An answer waits for the next one, and that one is torn: nothing is left to send. */
static void the_end_within_an_answer_leaves_none_behind(void **state)
{
    (void)state;
    world w = world_with("answer-order:every=1,first=1;eof:after=1ms,inside=yes");
    client *c = connect_client(&w);
    send_request(c, "B01612A40");
    for (int64_t end_ns = nb__clock_mono_ns() + 50 * MS; nb__clock_mono_ns() < end_ns;)
        nb__loop_turn(w.loop, 5);
    assert_false(c->is_closed);
    send_request(c, "B01612A42");
    assert_true(wait_closed(c, 2 * NB__NS_PER_S));
    client_free(c);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_use_ends_and_hold_follows_a_disconnect),
        cmocka_unit_test(several_appkeys_have_a_session_each),
        cmocka_unit_test(bad_approval_says_the_key),
        cmocka_unit_test(approval_is_slow_and_then_locked_out),
        cmocka_unit_test(a_slow_approval_may_be_left_open),
        cmocka_unit_test(answers_keep_their_order_but_for_the_one_held_back),
        cmocka_unit_test(pingpong_faults_hold_with_time_outs),
        cmocka_unit_test(a_ping_ends_the_connection),
        cmocka_unit_test(cuts_look_as_they_are_called),
        cmocka_unit_test(a_silent_link_holds_its_appkey_until_the_client_goes),
        cmocka_unit_test(after_the_restart_the_same_port_listens),
        cmocka_unit_test(a_restart_may_be_the_last_thing),
        cmocka_unit_test(a_link_survives_what_comes_over_it),
        cmocka_unit_test(bursts_leave_no_record_behind),
        cmocka_unit_test(latency_waits_for_a_client_that_leaves),
        cmocka_unit_test(too_many_faults_are_refused),
        cmocka_unit_test(the_end_within_an_answer_leaves_none_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
