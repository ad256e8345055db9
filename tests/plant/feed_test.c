/* SPDX-License-Identifier: Apache-2.0 */
/* A plant in one loop with a server that plays KIS: approval, clock, masters, own keys, frames,
 * loss and return. */
#include "guard.h"
#include "plant/plant.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOOK                                                                                       \
    "180001^2.98^2.99^3.00^0.00^0.00^2.97^2.96^2.95^0.00^0.00^0^0^0^0^0^0^0^0^0^0^1^3^12^0^0^"     \
    "9^21^16^0^0^0^0^16^46^5^0"
#define ASKED_MAX 64

typedef struct rig {
    nb__loop *loop;
    nb__server *server;
    nb__plant *plant;
    nb__peer *peer; /* the plant's link */
    nb__plant_config config;
    /* how the server behaves */
    bool has_masters, has_approval, is_clockless;
    bool hangs_up; /* when it is asked for the futures' master */
    int first_strike, start_date, hhmmss;
    /* what it saw */
    int approvals, opened, masters, refused;
    char approval_body[512];
    char asked[ASKED_MAX][16];
    uint32_t asked_count, given_back;
    bool is_wrong_key;
    /* what the sink saw */
    int ups, downs, frames, registrations;
    char reason[256];
    bool is_multi;
} rig;

/* ---- the server that plays KIS ---- */

static void respond_master(const rig *r, nb__peer *peer, nb__master_kind kind)
{
    static const char row[] = "%c%-9s%-12s%-40s%c%05d.00%c%-9s%-40s\n";
    nb__text text = {0}, zip = {0};
    for (int strike = r->first_strike; strike < r->first_strike + 5; strike++) {
        char code[16];
        snprintf(code, sizeof code, "B016129%02u", (unsigned)strike % 100);
        nb__text_printf(&text, row, '5', code, "KR4B016AA412", "C 202612", ' ', strike, '2', "2001",
                        "KOSPI200");
    }
    assert_int_equal(nb__zip_write(nb__master_file_name(kind), nb__text_view(&text), &zip, NULL),
                     NB_OK);
    nb__peer_respond(peer, 200, "application/zip", "", nb__text_view(&zip));
    nb__text_fini(&text);
    nb__text_fini(&zip);
}

static void on_request(void *self, nb__peer *peer, const nb__http_message *request)
{
    rig *r = self;
    if (nb__span_is(request->path, "/oauth2/Approval") && r->has_approval) {
        assert_true(nb__span_is(request->method, "POST"));
        r->approvals++;
        nb__span_copy(request->body, r->approval_body, sizeof r->approval_body);
        nb__peer_respond(peer, 200, "application/json", "",
                         NB__SPAN("{\"approval_key\":\"key-of-the-test\"}"));
    } else if (nb__span_is(request->path, "/common/master/fo_eurex_code.mst.zip") &&
               r->has_masters) {
        r->masters++;
        respond_master(r, peer, NB__MASTER_EUREX);
    } else {
        bool is_futures = nb__span_is(request->path, "/common/master/fo_cme_code.mst.zip");
        if (is_futures && r->hangs_up)
            nb__peer_abort(peer);
        else
            r->refused += is_futures;
        nb__peer_respond(peer, 404, "text/plain", "", NB__SPAN("no"));
    }
}

static int on_upgrade(void *self, nb__peer *peer, const nb__http_message *request, nb__text *extra,
                      const char **detail)
{
    (void)peer;
    (void)request;
    (void)detail;
    char header[128];
    const rig *r = self;
    nb__session_clock clock = {NB__FEED_SIM, nb__clock_real_ns(),
                               nb__kst_ns(r->start_date, r->hhmmss), 1};
    if (!r->is_clockless) {
        nb__session_clock_print(header, &clock, clock.at_real_ns);
        nb__text_string(extra, header);
    }
    return 101;
}

static void on_opened(void *self, nb__peer *peer)
{
    rig *r = self;
    r->peer = peer;
    r->opened++;
}

static void on_message(void *self, nb__peer *peer, const nb__ws_event *event)
{
    rig *r = self;
    nb__request request;
    nb__opsp code;
    nb__client_message kind = nb__client_message_parse(event->payload, &request, &code);
    if (kind != NB__CLIENT_REQUEST)
        return;
    assert_true(r->asked_count < ASKED_MAX);
    nb__text text = {0};
    if (request.is_register)
        snprintf(r->asked[r->asked_count++], sizeof r->asked[0], "%s", request.topic.tr_key);
    else
        r->given_back++;
    r->is_wrong_key |= strcmp(request.approval_key, r->has_approval ? "key-of-the-test" : "") != 0;
    code = request.is_register ? NB__OPSP_SUBSCRIBED : NB__OPSP_UNSUBSCRIBED;
    nb__answer_print(code, &request.topic, "0123456789abcdef", "0123456789abcdef0123456789abcdef",
                     &text);
    nb__peer_send_text(peer, nb__text_view(&text));
    nb__text_fini(&text);
}

static void on_closed(void *self, nb__peer *peer, const char *detail)
{
    (void)peer;
    (void)detail;
    ((rig *)self)->peer = NULL;
}

/* ---- the sink ---- */

static void sink_frame(void *self, const nb__plant_frame *frame)
{
    rig *r = self;
    r->frames++;
    r->is_multi = !frame->is_one_key;
}

static void sink_mark(void *self, const nb__mark *mark)
{
    rig *r = self;
    if (mark->kind == NB__MARK_LINK_UP)
        r->ups++;
    else
        r->downs++;
    snprintf(r->reason, sizeof r->reason, "%s", mark->reason);
}

static void sink_registration(void *self, uint32_t topic)
{
    (void)topic;
    ((rig *)self)->registrations++;
}

/* ---- the rig ---- */

static int open_rig(void **state)
{
    rig *r = calloc(1, sizeof *r);
    nb__server_config config = nb__server_config_default();
    const nb__server_handler handler = {.self = r,
                                        .request = on_request,
                                        .upgrade = on_upgrade,
                                        .opened = on_opened,
                                        .message = on_message,
                                        .closed = on_closed};
    nb__log_set_level(NB__LOG_ERROR);
    if (r == NULL || nb__loop_new(&r->loop, NULL) != NB_OK ||
        nb__listen_parse("127.0.0.1:0", &config.listen, NULL) != NB_OK ||
        nb__server_open(r->loop, &config, &handler, &r->server, NULL) != NB_OK)
        return -1;
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u", (unsigned)nb__server_port(r->server));
    r->has_masters = r->has_approval = true;
    r->first_strike = 1100;
    r->start_date = 20261120;
    r->hhmmss = 180000;
    r->config = (nb__plant_config){.session = nb__session_config_default(),
                                   .feed_kind = NB__FEED_OTHER,
                                   .topics_max = 256,
                                   .own_keys_max = 3,
                                   .calendar = nb_calendar_builtin()};
    r->config.session.request_gap_ns = 0;
    r->config.session.backoff_min_ns = 20 * NB__NS_PER_MS;
    *state = r;
    return nb__address_parse(url, &r->config.feed, NULL) == NB_OK ? 0 : -1;
}

static void start(rig *r)
{
    assert_int_equal(nb__plant_open(r->loop, &r->config, &r->plant, NULL), NB_OK);
    nb__plant_add_sink(r->plant, &(nb__sink){r, sink_frame, sink_mark, sink_registration});
}

static int close_rig(void **state)
{
    rig *r = *state;
    nb__plant_close(r->plant);
    nb__server_close(r->server);
    nb__loop_free(r->loop);
    free(r);
    return 0;
}

/* Turn until `condition`, five seconds at most. */
#define UNTIL(r, condition)                                                                        \
    do {                                                                                           \
        int64_t until_ns_ = nb__clock_mono_ns() + 5 * NB__NS_PER_S;                                \
        while (!(condition)) {                                                                     \
            assert_true(nb__clock_mono_ns() < until_ns_);                                          \
            nb__loop_turn((r)->loop, 5);                                                           \
        }                                                                                          \
    } while (0)

static uint32_t topic_of(rig *r, const char *key)
{
    nb__topic topic;
    assert_true(nb__topic_make(NB__SPAN("H0EUASP0"), nb__span(key), &topic));
    return nb__topics_intern(nb__plant_topics(r->plant), &topic);
}

static void say(rig *r, const char *text)
{
    nb__peer_send_text(r->peer, nb__span(text));
}

/* ---- the cases ---- */

static void approval_clock_masters_and_own_keys(void **state)
{
    rig *r = *state;
    start(r);
    assert_false(nb__plant_is_up(r->plant));
    UNTIL(r, r->asked_count == 3);
    UNTIL(r, r->registrations >= 3);
    assert_true(nb__plant_is_up(r->plant));
    assert_int_equal(r->approvals, 1);
    assert_non_null(strstr(r->approval_body, "\"appkey\":\"nightbook-"));
    assert_false(r->is_wrong_key);
    assert_int_equal(nb__plant_clock(r->plant)->kind, NB__FEED_SIM);
    assert_int_equal(nb__plant_master(r->plant)->count, 5);
    assert_string_equal(r->asked[0], "B01612902"); /* no marks: the middle of the chain */
    assert_string_equal(nb__plant_atm_code(r->plant), "B01612902");
    uint32_t last = topic_of(r, r->asked[2]);
    UNTIL(r, nb__plant_registration(r->plant, last)->state == NB__REG_CONFIRMED);
    assert_int_equal(r->ups, 1);
    assert_int_equal(nb__session_count(nb__plant_session(r->plant))->up, 1);
}

static void a_server_with_nothing_but_the_socket(void **state)
{
    rig *r = *state;
    r->has_approval = r->has_masters = false;
    r->is_clockless = true;
    start(r);
    UNTIL(r, r->ups == 1);
    assert_int_equal(nb__plant_want(r->plant, topic_of(r, "B01612A46")), NB_OK);
    uint32_t topic = topic_of(r, "B01612A46");
    UNTIL(r, nb__plant_registration(r->plant, topic)->state == NB__REG_CONFIRMED);
    assert_true(r->registrations > 0);
    assert_false(r->is_wrong_key); /* the empty key */
    assert_int_equal(nb__plant_clock(r->plant)->kind, NB__FEED_OTHER);
    assert_string_equal(nb__plant_atm_code(r->plant), "");
}

static void frames_arrive_with_the_stated_clocks_time(void **state)
{
    rig *r = *state;
    start(r);
    UNTIL(r, r->ups == 1);
    say(r, "0|H0EUASP0|002|B01612A46^" BOOK "^B01612A47^" BOOK);
    say(r, "{\"something\":\"new\"}");
    UNTIL(r, nb__plant_count(r->plant)->other_messages == 1);
    assert_int_equal(r->frames, 1);
    assert_true(r->is_multi);
    const nb__book *book = nb__books_at(nb__plant_books(r->plant), topic_of(r, "B01612A46"));
    assert_non_null(book);
    assert_int_equal(book->quote.event_ns, nb__kst_ns(20261120, 180001));
    assert_int_equal(book->quote.flags & (NB_BOOK_FAR_TIME | NB_BOOK_STALE), 0);
}

static void pingpong_is_answered(void **state)
{
    rig *r = *state;
    start(r);
    UNTIL(r, r->ups == 1);
    say(r, "{\"header\":{\"tr_id\":\"PINGPONG\",\"datetime\":\"20261120180000\"}}");
    UNTIL(r, nb__session_count(nb__plant_session(r->plant))->pingpongs == 1);
    assert_int_equal(nb__plant_count(r->plant)->other_messages, 0);
    assert_int_equal(r->frames, 0);
}

/* Next night's series are others; the same night's masters are not asked for again. */
static void another_night_has_other_masters(void **state)
{
    rig *r = *state;
    static const char name[] = "fo_eurex_code.mst.zip";
    start(r);
    UNTIL(r, r->asked_count == 3);
    assert_int_equal(r->masters, 1);
    nb__text zip = {0};
    nb_span first = nb__plant_master_zip(r->plant, NB__SPAN(name));
    assert_true(first.size_bytes > 0);
    assert_int_equal(nb__zip_read(first, 1u << 20, &zip, NULL), NB_OK);
    assert_non_null(strstr(zip.data, "B01612902"));
    nb__text_fini(&zip);
    assert_int_equal(nb__plant_master_zip(r->plant, NB__SPAN("fo_cme_code.mst.zip")).size_bytes, 0);
    assert_int_equal(nb__plant_master_zip(r->plant, NB__SPAN("fo_eurex_code.mst")).size_bytes, 0);
    assert_int_equal(nb__plant_master_zip(r->plant, NB__SPAN("zip")).size_bytes, 0);
    r->hhmmss = 300100; /* the night is over, and the next one has no masters yet */
    nb__peer_abort(r->peer);
    UNTIL(r, r->asked_count == 6);
    assert_int_equal(r->masters, 1);
    r->hhmmss = 175000;
    r->start_date = 20261123;
    r->first_strike = 1110;
    nb__peer_abort(r->peer);
    UNTIL(r, r->masters == 2 && r->asked_count >= 10); /* three again, and new ones */
    assert_string_equal(r->asked[r->asked_count - 1], "B01612912");
    assert_int_equal(nb__plant_master(r->plant)->count, 5);
    assert_string_equal(nb__plant_atm_code(r->plant), "B01612912");
}

static void a_master_that_did_not_come_is_asked_for_again(void **state)
{
    rig *r = *state;
    r->hangs_up = true;
    start(r);
    UNTIL(r, r->asked_count == 3);
    r->hangs_up = false;
    nb__peer_abort(r->peer);
    UNTIL(r, r->asked_count == 6);
    assert_int_equal(r->masters, 1);
    UNTIL(r, r->refused == 1);
    nb__peer_abort(r->peer);
    UNTIL(r, r->asked_count == 9);
    assert_int_equal(r->refused, 1); /* once told that there is none, it is believed */
}

static void a_lost_link_makes_books_stale_and_comes_back(void **state)
{
    rig *r = *state;
    start(r);
    UNTIL(r, r->asked_count == 3);
    uint32_t topic = topic_of(r, "B01612902");
    say(r, "0|H0EUASP0|001|B01612902^" BOOK);
    UNTIL(r, r->frames == 1);
    nb__peer_abort(r->peer);
    UNTIL(r, r->downs == 1);
    assert_true(strlen(r->reason) > 0);
    assert_false(nb__plant_is_up(r->plant));
    assert_true(nb__books_at(nb__plant_books(r->plant), topic)->quote.flags & NB_BOOK_STALE);
    UNTIL(r, r->asked_count == 6); /* all come back */
    assert_int_equal(r->ups, 2);
    assert_int_equal(r->approvals, 2);
    say(r, "0|H0EUASP0|001|B01612902^" BOOK);
    UNTIL(r, r->frames == 2);
    assert_false(nb__books_at(nb__plant_books(r->plant), topic)->quote.flags & NB_BOOK_STALE);
}

static void clients_share_what_own_keys_leave(void **state)
{
    rig *r = *state;
    r->config.session.registrations_max = 3;
    r->config.session.linger_ns = 0;
    start(r);
    UNTIL(r, r->asked_count == 3);
    assert_int_equal(nb__plant_want(r->plant, topic_of(r, "NEW1")), NB_OK);
    UNTIL(r, r->asked_count == 4); /* the farthest own key yielded */
    assert_int_equal(r->given_back, 1);
    assert_int_equal(nb__plant_registration(r->plant, topic_of(r, r->asked[2]))->state,
                     NB__REG_PENDING);
    nb__plant_release(r->plant, topic_of(r, "NEW1"));
    UNTIL(r, r->asked_count == 5); /* and comes back after it left */
    assert_string_equal(r->asked[4], r->asked[2]);
}

static void shutting_down_closes_the_link(void **state)
{
    rig *r = *state;
    start(r);
    UNTIL(r, r->ups == 1);
    nb__plant_shutdown(r->plant);
    UNTIL(r, !nb__plant_is_up(r->plant));
    for (int i = 0; i < 20; i++)
        nb__loop_turn(r->loop, 5);
    assert_int_equal(r->opened, 1);
}

static void closing_in_every_early_state_is_clean(void **state)
{
    rig *r = *state;
    for (int turns = 0; turns < 12; turns++) {
        start(r);
        for (int i = 0; i < turns; i++)
            nb__loop_turn(r->loop, 1);
        nb__plant_close(r->plant);
        r->plant = NULL;
        nb__loop_turn(r->loop, 0);
    }
}

static void a_feed_beyond_this_machine_is_refused(void **state)
{
    rig *r = *state;
    nb_error error = {0};
    assert_int_equal(nb__address_parse("ws://192.0.2.1:21000", &r->config.feed, NULL), NB_OK);
    assert_int_equal(nb__plant_open(r->loop, &r->config, &r->plant, &error), NB_E_ARGUMENT);
    assert_non_null(strstr(error.detail, "in clear"));
    assert_null(r->plant);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(approval_clock_masters_and_own_keys),
        T(another_night_has_other_masters),
        T(a_master_that_did_not_come_is_asked_for_again),
        T(a_server_with_nothing_but_the_socket),
        T(frames_arrive_with_the_stated_clocks_time),
        T(pingpong_is_answered),
        T(a_lost_link_makes_books_stale_and_comes_back),
        T(clients_share_what_own_keys_leave),
        T(shutting_down_closes_the_link),
        T(closing_in_every_early_state_is_clean),
        T(a_feed_beyond_this_machine_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
