/* SPDX-License-Identifier: Apache-2.0 */
/* A plant in one loop with a server that plays KIS: approval, clock, masters, registrations. Each
 * test file uses what it needs. */
#ifndef NB_TESTS_PLANT_RIG_H
#define NB_TESTS_PLANT_RIG_H

#include "guard.h"
#include "plant/plant.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOOK                                                                                       \
    "180001^2.98^2.99^3.00^0.00^0.00^2.97^2.96^2.95^0.00^0.00^0^0^0^0^0^0^0^0^0^0^1^3^12^0^0^"     \
    "9^21^16^0^0^0^0^16^46^5^0"
#define ASKED_MAX 64
#define PEERS_MAX 4
#define NOTICES_MAX 32
#define UNUSED __attribute__((unused))

typedef struct rig_notice {
    nb__notice_kind kind;
    char feed[64], detail[512];
} rig_notice;

typedef struct rig {
    nb__loop *loop;
    nb__server *server;
    nb__plant *plant;
    nb__peer *peer;             /* the link that came last */
    nb__peer *peers[PEERS_MAX]; /* all, in the order in which they came; NULL: gone */
    nb__feed_config feeds[2];
    nb__live_config lives[2];
    nb__plant_config config;
    char directory[64]; /* of this test alone */
    char url[64];
    /* how the server behaves */
    bool has_masters, has_approval, is_clockless;
    bool hangs_up; /* when it is asked for the futures' master */
    bool is_master_broken;
    bool is_mute; /* no answers to registrations */
    int first_strike, start_date, hhmmss;
    int approval_status;          /* 0: 200 with a key */
    const char *approval_refusal; /* its body then */
    nb__opsp answer;              /* to registrations; SUBSCRIBED */
    /* what it saw */
    int approvals, opened, masters, refused;
    char approval_body[512];
    char asked[ASKED_MAX][16];
    uint32_t asked_count, given_back;
    bool is_wrong_key;
    /* what the sink saw */
    int ups, downs, frames, registrations;
    uint32_t mark_feed, frame_feed;
    char reason[256];
    bool is_multi;
    rig_notice notices[NOTICES_MAX];
    uint32_t notice_count;
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
    if (r->is_master_broken)
        zip.size_bytes /= 2;
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
        if (r->approval_status != 0)
            nb__peer_respond(peer, r->approval_status, "application/json", "",
                             nb__span(r->approval_refusal));
        else
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
    r->peer = r->peers[r->opened % PEERS_MAX] = peer;
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
    if (r->is_mute)
        return;
    code = request.is_register ? r->answer : NB__OPSP_UNSUBSCRIBED;
    nb__answer_print(code, &request.topic, "0123456789abcdef", "0123456789abcdef0123456789abcdef",
                     &text);
    nb__peer_send_text(peer, nb__text_view(&text));
    nb__text_fini(&text);
}

static void on_closed(void *self, nb__peer *peer, const char *detail)
{
    (void)detail;
    rig *r = self;
    if (r->peer == peer)
        r->peer = NULL;
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (r->peers[i] == peer)
            r->peers[i] = NULL;
}

/* ---- the sink ---- */

static void sink_frame(void *self, const nb__plant_frame *frame)
{
    rig *r = self;
    r->frames++;
    r->frame_feed = frame->feed;
    r->is_multi = !frame->is_one_key;
}

static void sink_mark(void *self, const nb__mark *mark)
{
    rig *r = self;
    if (mark->kind == NB__MARK_LINK_UP)
        r->ups++;
    else
        r->downs++;
    r->mark_feed = mark->feed;
    snprintf(r->reason, sizeof r->reason, "%s", mark->reason);
}

static void sink_registration(void *self, uint32_t topic)
{
    (void)topic;
    ((rig *)self)->registrations++;
}

static void on_notice(void *self, const nb__notice *notice)
{
    rig *r = self;
    assert_true(r->notice_count < NOTICES_MAX);
    rig_notice *kept = &r->notices[r->notice_count++];
    kept->kind = notice->kind;
    snprintf(kept->feed, sizeof kept->feed, "%s", notice->feed);
    snprintf(kept->detail, sizeof kept->detail, "%s", notice->detail);
}

static UNUSED uint32_t notices_of(const rig *r, nb__notice_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->notice_count; i++)
        count += r->notices[i].kind == kind;
    return count;
}

/* ---- the rig ---- */

static UNUSED int open_rig(void **state)
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
    snprintf(r->directory, sizeof r->directory, "/tmp/nb-plant-XXXXXX");
    if (mkdtemp(r->directory) == NULL)
        return -1;
    snprintf(r->url, sizeof r->url, "ws://127.0.0.1:%u", (unsigned)nb__server_port(r->server));
    r->has_masters = r->has_approval = true;
    r->answer = NB__OPSP_SUBSCRIBED;
    r->first_strike = 1100;
    r->start_date = 20261120;
    r->hhmmss = 180000;
    r->feeds[0] =
        (nb__feed_config){.session = nb__session_config_default(), .kind = NB__FEED_OTHER};
    r->feeds[0].session.request_gap_ns = 0;
    r->feeds[0].session.backoff_min_ns = 20 * NB__NS_PER_MS;
    r->feeds[0].session.connects_max = 0;
    r->config = (nb__plant_config){.feeds = r->feeds,
                                   .feed_count = 1,
                                   .plan = nb__plan_config_default(),
                                   .topics_max = 256,
                                   .calendar = nb_calendar_builtin()};
    r->config.plan.nearest_max = 3;
    *state = r;
    return nb__address_parse(r->url, &r->feeds[0].address, NULL) == NB_OK ? 0 : -1;
}

static UNUSED void start(rig *r)
{
    assert_int_equal(nb__plant_open(r->loop, &r->config, &r->plant, NULL), NB_OK);
    nb__plant_add_sink(r->plant, &(nb__sink){r, sink_frame, sink_mark, sink_registration});
    nb__plant_on_notice(r->plant, on_notice, r);
}

static UNUSED void stop(rig *r)
{
    nb__plant_close(r->plant);
    r->plant = NULL;
}

static UNUSED int close_rig(void **state)
{
    rig *r = *state;
    nb__plant_close(r->plant);
    nb__server_close(r->server);
    nb__loop_free(r->loop);
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", r->directory);
    int status = system(command);
    free(r);
    return status;
}

/* Turn until `condition`, so many seconds at most. */
#define UNTIL_WITHIN(r, seconds, condition)                                                        \
    do {                                                                                           \
        int64_t until_ns_ = nb__clock_mono_ns() + (seconds)*NB__NS_PER_S;                          \
        while (!(condition)) {                                                                     \
            assert_true(nb__clock_mono_ns() < until_ns_);                                          \
            nb__loop_turn((r)->loop, 5);                                                           \
        }                                                                                          \
    } while (0)
#define UNTIL(r, condition) UNTIL_WITHIN(r, 5, condition)

static UNUSED uint32_t topic_of(rig *r, const char *key)
{
    nb__topic topic;
    assert_true(nb__topic_make(NB__SPAN("H0EUASP0"), nb__span(key), &topic));
    return nb__topics_intern(nb__plant_topics(r->plant), &topic);
}

static UNUSED void say(rig *r, const char *text)
{
    nb__peer_send_text(r->peer, nb__span(text));
}

static UNUSED const nb__session *session_of(const rig *r, uint32_t feed)
{
    return nb__plant_feed_at(r->plant, feed).session;
}

#endif
