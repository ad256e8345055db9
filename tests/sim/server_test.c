/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The look-alike over real sockets, client and server in one loop: every answer of KIS's table that
 * it gives, what it sends, and when it lets go.
 */
#include "rig.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void refusals_of_approval_are_kis_s(void **state)
{
    (void)state;
    static const struct {
        const char *path, *body;
        int status;
        const char *says;
    } cases[] = {
        {"/oauth2/Approval", "[", 400, "EGW00101"},
        {"/oauth2/Approval", "{}", 400, "EGW00115"},
        {"/oauth2/Approval", "{\"grant_type\":\"x\"}", 400, "EGW00116"},
        {"/oauth2/Approval", "{\"grant_type\":\"client_credentials\"}", 403, "EGW00102"},
        {"/oauth2/Approval", "{\"grant_type\":\"client_credentials\",\"appkey\":\"a\"}", 403,
         "EGW00104"},
        {"/oauth2/tokenP",
         "{\"grant_type\":\"client_credentials\",\"appkey\":\"a\",\"appsecret\":\"b\"}", 200,
         "\"access_token_token_expired\":\"2020-01-01 00:00:00\""},
        {"/oauth2/tokenP", "{}", 400, "error_code"},
        {"/tryitout/H0EUASP0", "{}", 404, "\"rt_cd\":\"1\",\"msg_cd\":"},
        {"/uapi/domestic-stock/v1/trading", "{}", 404, "stays at KIS"},
    };
    nb__sim_config config = config_new();
    world w = world_new(&config);
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        exchange e = fetch(&w, "POST", cases[i].path, cases[i].body);
        assert_int_equal(e.status, cases[i].status);
        if (strstr(e.body.data, cases[i].says) == NULL)
            fail_msg("%s %s gives %s", cases[i].path, cases[i].body, e.body.data);
        nb__text_fini(&e.body);
    }
    exchange page = fetch(&w, "GET", "/", "");
    assert_int_equal(page.status, 200);
    assert_int_equal(strncmp(page.body.data, "SIMULATED", 9), 0);
    nb__text_fini(&page.body);
    world_free(&w);
}

static bool has_code(const nb__master *master, const char *code)
{
    for (size_t i = 0; i < master->count; i++)
        if (strcmp(master->rows[i].code, code) == 0)
            return true;
    return false;
}

static void masters_are_in_kis_s_formats(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        nb__master_kind kind;
        const char *code;
    } cases[] = {
        {"/common/master/fo_eurex_code.mst.zip", NB__MASTER_EUREX, "B01612A40"},
        {"/common/master/fo_cme_code.mst.zip", NB__MASTER_CME, "A01612"},
        {"/common/master/fo_idx_code_mts.mst.zip", NB__MASTER_INDEX, "C01612A40"},
    };
    nb__sim_config config = config_new();
    world w = world_new(&config);
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        char bare_path[64];
        snprintf(bare_path, sizeof bare_path, "%.*s", (int)strlen(cases[i].path) - 4,
                 cases[i].path);
        exchange zip = fetch(&w, "GET", cases[i].path, ""), bare = fetch(&w, "GET", bare_path, "");
        assert_int_equal(zip.status, 200);
        nb__text content = {0};
        assert_int_equal(nb__zip_read(nb__text_view(&zip.body), 1 << 20, &content, NULL), NB_OK);
        assert_int_equal(content.size_bytes, bare.body.size_bytes);
        assert_memory_equal(content.data, bare.body.data, content.size_bytes);
        nb__master master = {0};
        assert_int_equal(nb__master_parse(cases[i].kind, nb__text_view(&content), &master, NULL),
                         NB_OK);
        assert_true(has_code(&master, cases[i].code));
        assert_false(has_code(&master, "101W9000"));
        if (cases[i].kind == NB__MASTER_EUREX) {
            assert_true(master.count > 600);
            assert_int_equal(content.size_bytes,
                             master.count * 122); /* 121 bytes and the line's end */
            assert_true(has_code(&master, nb__sim_atm_code(w.sim)));
        }
        nb__master_fini(&master);
        nb__text_fini(&content);
        nb__text_fini(&zip.body);
        nb__text_fini(&bare.body);
    }
    world_free(&w);
}

/* ---- answers ---- */

static void each_request_gets_kis_s_answer(void **state)
{
    (void)state;
    nb__sim_config config = config_new();
    world w = world_new(&config);
    char approval[NB__APPROVAL_KEY_MAX + 1];
    approve(&w, "APPKEY", approval);
    client *c = connect_client(&w);

    nb__answer answer = ask(c, "no such key", "1", "H0EUASP0", "B01612A40");
    ASSERT_CODE(answer, BAD_APPROVAL);
    assert_string_equal(answer.rt_cd, "1");
    assert_string_equal(answer.tr_id, "H0EUASP0");

    answer = ask(c, approval, "1", "H0EUASP0", "NOSUCHCODE");
    ASSERT_CODE(answer, SUBSCRIBED);
    assert_string_equal(answer.rt_cd, "0");
    assert_string_equal(answer.msg1, "SUBSCRIBE SUCCESS");
    assert_string_equal(answer.tr_key, "NOSUCHCODE");
    assert_int_equal(strlen(answer.iv), 16);
    assert_int_equal(strlen(answer.key), 32);
    nb__answer other = ask(c, "any key will do from here on", "1", "H0IOCNT0", "B01612A40");
    ASSERT_CODE(other, SUBSCRIBED);
    assert_string_not_equal(other.key, answer.key);
    nb__answer again = ask(c, approval, "1", "H0EUASP0", "NOSUCHCODE");
    ASSERT_CODE(again, ALREADY);
    assert_string_equal(again.rt_cd, "1");
    assert_string_equal(again.key, "");
    again = ask(c, approval, "2", "H0EUASP0", "NOSUCHCODE");
    ASSERT_CODE(again, UNSUBSCRIBED);
    again = ask(c, approval, "2", "H0EUASP0", "NOSUCHCODE");
    ASSERT_CODE(again, NOT_SUBSCRIBED);
    again = ask(c, approval, "1", "H0EUASP0", "NOSUCHCODE");
    ASSERT_CODE(again, SUBSCRIBED);
    assert_string_equal(again.key, answer.key); /* one a TR and session */
    static const char *const no_tr_ids[] = {"nonsense",  "NOSUCH",    "NOSUCH00",
                                            "H1EUASP0",  "H0EUASP",   "H0EUASp0",
                                            "H0EUASP00", "H0EUASP0x", "D0EUASP0"};
    for (size_t i = 0; i < NB__COUNT_OF(no_tr_ids); i++) {
        again = ask(c, approval, "1", no_tr_ids[i], "B01612A40");
        ASSERT_CODE(again, BAD_TR_ID);
        assert_string_equal(again.tr_id, "(null)");
    }
    static const char *const tr_ids[] = {"H0STCNT0", "HDFSCNT0", "HDFFF020"};
    for (size_t i = 0; i < NB__COUNT_OF(tr_ids); i++) {
        again = ask(c, approval, "1", tr_ids[i], "B01612A40");
        ASSERT_CODE(again, SUBSCRIBED);
    }
    client_free(c);
    world_free(&w);
}

static void bad_json_is_answered_and_survived(void **state)
{
    (void)state;
    static const struct {
        const char *text, *code;
    } cases[] = {
        {"hello", "OPSP9999"},
        {"{\"header\":{},\"header\":{}}", "OPSP9999"},
        {"{}", "OPSP9998"},
        {"{\"header\":{\"tr_type\":\"1\"}}", "OPSP9997"},
        {"{\"header\":{\"custtype\":\"X\",\"tr_type\":\"1\"}}", "OPSP8998"},
        {"{\"header\":{\"custtype\":\"P\",\"tr_type\":\"3\"}}", "OPSP8997"},
        {"{\"header\":{\"custtype\":\"P\",\"tr_type\":\"1\"}}", "OPSP9992"},
        {"{\"header\":{\"custtype\":\"P\",\"tr_type\":\"1\"},\"body\":{}}", "OPSP9991"},
        {"{\"header\":{\"custtype\":\"P\",\"tr_type\":\"1\"},\"body\":{\"input\":{\"tr_id\":"
         "\"H0EUASP0\"}}}",
         "OPSP9990"},
        {"{\"header\":{\"custtype\":\"P\",\"tr_type\":\"1\"},\"body\":{\"input\":{\"tr_id\":"
         "\"H0EUASP0\","
         "\"tr_key\":\"MORETHANTWELVE\"}}}",
         "OPSP8993"},
    };
    nb__sim_config config = config_new();
    world w = world_new(&config);
    client *c = connect_client(&w);
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__answer answer;
        assert_int_equal(nb__server_message_parse(nb__span(ask_raw(c, cases[i].text)), &answer),
                         NB__SERVER_ANSWER);
        assert_string_equal(answer.msg_cd, cases[i].code);
        assert_string_equal(answer.rt_cd, "9");
        assert_string_equal(answer.tr_id, "(null)");
    }
    assert_false(c->is_closed);
    client_free(c);
    world_free(&w);
}

static void refuse(nb__sim_config *config, const char *text)
{
    nb__sim_refusal *refusal = &config->refusals[config->refusal_count++];
    assert_int_equal(nb__sim_refusal_parse(nb__span(text), refusal, NULL), NB_OK);
}

static void a_refused_key_is_not_registered(void **state)
{
    (void)state;
    nb__sim_config config = config_new();
    refuse(&config, "*=OPSP4242");
    refuse(&config, "B01612A40=OPSP0007");
    refuse(&config, "B01612A42=OPSP8992");
    world w = world_new(&config);
    char approval[NB__APPROVAL_KEY_MAX + 1];
    approve(&w, "APPKEY", approval);
    client *c = connect_client(&w);
    nb__answer answer = ask(c, "no such key", "1", "H0EUASP0", "B01612A40");
    ASSERT_CODE(answer, BAD_APPROVAL); /* the session comes first */
    for (int i = 0; i < 2; i++) {      /* however often */
        answer = ask(c, approval, "1", "H0EUASP0", "B01612A40");
        ASSERT_CODE(answer, INTERNAL);
        assert_string_equal(answer.tr_key, "B01612A40");
    }
    answer = ask(c, approval, "1", "H0EUASP0", "B01612A42");
    ASSERT_CODE(answer, BAD_TR_KEY);
    assert_string_equal(answer.tr_id, "(null)");
    answer = ask(c, approval, "1", "H0MFASP0", "A01612");
    assert_string_equal(answer.msg_cd, "OPSP4242");
    assert_string_equal(answer.rt_cd, "1");
    assert_string_equal(answer.msg1, "UNKNOWN");
    assert_int_equal(answer.reaction, NB__REACT_UNKNOWN);
    answer = ask(c, approval, "2", "H0EUASP0", "B01612A40");
    ASSERT_CODE(answer, NOT_SUBSCRIBED);
    assert_null(next_text(c, '0', 200 * NB__NS_PER_MS));
    client_free(c);
    world_free(&w);
}

static void the_42nd_registration_is_refused_and_the_41_go_on(void **state)
{
    (void)state;
    nb__sim_config config = config_new();
    world w = world_new(&config);
    char approval[NB__APPROVAL_KEY_MAX + 1], code[16];
    approve(&w, "APPKEY", approval);
    client *c = connect_client(&w);
    for (int i = 0; i < 40; i++) {
        snprintf(code, sizeof code, "B01612A%02d", i);
        nb__answer answer = ask(c, approval, "1", "H0EUASP0", code);
        ASSERT_CODE(answer, SUBSCRIBED);
    }
    nb__answer last = ask(c, approval, "1", "H0MFASP0", "A01612"),
               over = ask(c, approval, "1", "H0EUASP0", "B01612A60");
    ASSERT_CODE(last, SUBSCRIBED);
    ASSERT_CODE(over, MAX_OVER);
    assert_string_equal(over.rt_cd, "1");
    assert_non_null(next_text(c, '0', PATIENCE_NS));
    nb__answer gone = ask(c, approval, "2", "H0EUASP0", "B01612A05"),
               now = ask(c, approval, "1", "H0EUASP0", "B01612A60");
    ASSERT_CODE(gone, UNSUBSCRIBED);
    ASSERT_CODE(now, SUBSCRIBED);
    client_free(c);
    world_free(&w);
}

static void one_session_an_appkey(void **state)
{
    (void)state;
    nb__sim_config config = config_new();
    config.appkey_hold_ns = 300 * NB__NS_PER_MS;
    world w = world_new(&config);
    char approval[NB__APPROVAL_KEY_MAX + 1], newer[NB__APPROVAL_KEY_MAX + 1],
        other[NB__APPROVAL_KEY_MAX + 1];
    approve(&w, "ONE", approval);
    approve(&w, "ONE", newer); /* frees nothing */
    approve(&w, "TWO", other);
    client *first = connect_client(&w), *second = connect_client(&w), *third = connect_client(&w);
    nb__answer answer = ask(first, approval, "1", "H0EUASP0", "B01612A40");
    ASSERT_CODE(answer, SUBSCRIBED);
    answer = ask(second, newer, "1", "H0EUASP0", "B01612A40");
    ASSERT_CODE(answer, IN_USE);
    assert_string_equal(answer.rt_cd, "9");
    assert_string_equal(answer.tr_id, "(null)");
    answer = ask(third, other, "1", "H0EUASP0", "B01612A40");
    ASSERT_CODE(answer, SUBSCRIBED);
    assert_null(next_text(second, '0', 200 * NB__NS_PER_MS)); /* open, silent */
    assert_false(second->is_closed);
    client_free(first);
    answer = ask(second, newer, "1", "H0EUASP0", "B01612A40");
    ASSERT_CODE(answer, IN_USE); /* held after the disconnect */
    turn_for(&w, 400 * NB__NS_PER_MS);
    answer = ask(second, newer, "1", "H0EUASP0", "B01612A40");
    ASSERT_CODE(answer, SUBSCRIBED);
    client_free(second);
    client_free(third);
    world_free(&w);
}

static void any_approval_key_when_asked_for(void **state)
{
    (void)state;
    nb__sim_config config = config_new();
    config.any_approval_key = true;
    world w = world_new(&config);
    client *c = connect_client(&w), *same = connect_client(&w), *other = connect_client(&w);
    nb__answer answer = ask(c, "pasted", "1", "H0EUASP0", "B01612A40");
    ASSERT_CODE(answer, SUBSCRIBED);
    answer = ask(same, "pasted", "1", "H0EUASP0", "B01612A40");
    ASSERT_CODE(answer, IN_USE);
    answer = ask(other, "another", "1", "H0EUASP0", "B01612A40");
    ASSERT_CODE(answer, SUBSCRIBED);
    client_free(c);
    client_free(same);
    client_free(other);
    world_free(&w);
}

/* ---- data ---- */

static char truth_path[] = "/tmp/nightbook-truth-XXXXXX";

/* The records of one key in the truth file, each as its line without the frame's numbers. */
static nb__text read_truth(void)
{
    nb__text text = {0};
    assert_int_equal(nb__file_read(truth_path, 64 << 20, &text, NULL), NB_OK);
    return text;
}

/* Whether the truth holds exactly this record: its key, time, best bid and totals. */
static bool truth_has(const nb__text *truth, const nb_quote *quote, const char *tr_id)
{
    char head[160], tail[200];
    snprintf(head, sizeof head,
             "\"tr_id\":\"%s\",\"tr_key\":\"%s\",\"hhmmss\":%d,\"ask_price_e9\":[%" PRId64 ",",
             tr_id, quote->key, quote->time_hhmmss, quote->ask[0].price);
    snprintf(tail, sizeof tail,
             "\"total_bid_quantity\":%" PRId64 ",\"total_bid_count\":%" PRId64
             ",\"total_bid_change\":%" PRId64 "}",
             quote->total_bid_quantity,
             quote->total_bid_count == NB_INT_UNDEF ? 0 : quote->total_bid_count,
             quote->total_bid_change);
    for (const char *at = truth->data; (at = strstr(at, head)) != NULL; at++) {
        const char *end = strchr(at, '\n');
        const char *found = strstr(at, tail);
        if (found != NULL && found < end)
            return true;
    }
    return false;
}

static int check_frame(const char *text, const nb__text *truth, const char *keys, uint64_t *several)
{
    nb_frame frame;
    nb_records records;
    nb_span record;
    nb_error error = {0};
    assert_int_equal(nb_frame_split(nb__span(text), &frame, &error), NB_OK);
    if (nb_records_begin(&frame, &records, &error) != NB_OK)
        fail_msg("%s: %s", text, error.detail);
    *several += frame.record_count > 1;
    int count = 0;
    char tr_id[16];
    nb__span_copy(frame.tr_id, tr_id, sizeof tr_id);
    for (; nb_records_next(&records, &record); count++) {
        nb_quote quote;
        assert_int_equal(nb_quote_decode(frame.tr, record, &quote, &error), NB_OK);
        assert_non_null(strstr(keys, quote.key)); /* registered ones only */
        if (!truth_has(truth, &quote, tr_id))
            fail_msg("not in the truth: %s", text);
    }
    return count;
}

static void clients_get_their_keys_records_and_the_truth_has_them(void **state)
{
    (void)state;
    assert_true(mkstemp(truth_path) >= 0);
    nb__sim_config config = config_new();
    config.truth_path = truth_path;
    config.rate = 1000;
    config.keys_max = 20;
    world w = world_new(&config);
    char approval[NB__APPROVAL_KEY_MAX + 1], atm[10];
    memcpy(atm, nb__sim_atm_code(w.sim), sizeof atm);
    approve(&w, "A", approval);
    client *c = connect_client(&w);
    const struct {
        const char *tr_id, *tr_key;
    } registrations[] = {{"H0EUASP0", atm},      {"H0EUASP0", "301V06362"},
                         {"H0MFASP0", "A01612"}, {"H0EUASP0", "101W9000"},
                         {"H0MFASP0", "101W09"}, {"H0EUASP0", "A01612"}};
    char keys[128] = "";
    for (size_t i = 0; i < NB__COUNT_OF(registrations); i++) {
        nb__answer answer = ask(c, approval, "1", registrations[i].tr_id, registrations[i].tr_key);
        ASSERT_CODE(answer, SUBSCRIBED);
        snprintf(keys + strlen(keys), sizeof keys - strlen(keys), "%s ", registrations[i].tr_key);
    }
    turn_for(&w, 2 * NB__NS_PER_S);
    nb__text truth = read_truth();
    uint64_t several = 0;
    int records = 0;
    bool has_future = false;
    for (size_t i = 0; i < c->count; i++) {
        if (c->texts[i][0] != '0')
            continue;
        records += check_frame(c->texts[i], &truth, keys, &several);
        has_future |= strncmp(c->texts[i], "0|H0MFASP0|", 11) == 0;
        assert_null(
            strstr(c->texts[i], "H0EUASP0|001|A01612")); /* that TR has no such key: silent */
    }
    assert_true(records > 100 && several > 0 && has_future);
    nb__text_fini(&truth);
    client_free(c);
    world_free(&w);
    unlink(truth_path);
}

static void the_upgrade_states_the_clock(void **state)
{
    (void)state;
    nb__sim_config config = config_new();
    config.speed = 10;
    world w = world_new(&config);
    client *c = connect_client(&w);
    nb__session_clock clock;
    int64_t now_ns = nb__clock_real_ns();
    assert_true(nb__session_clock_parse(nb__span(c->clock), now_ns, &clock));
    assert_int_equal(clock.kind, NB__FEED_SIM);
    assert_true(clock.speed > 9.99 && clock.speed < 10.01);
    int64_t gap_ns = nb__session_clock_at(&clock, now_ns) - config.at_ns;
    assert_in_range(gap_ns, 0, 20 * NB__NS_PER_S);
    client_free(c);
    world_free(&w);
}

/* ---- time ---- */

static void silence_brings_pingpong_and_then_the_end(void **state)
{
    (void)state;
    nb__sim_config config = config_new();
    config.speed = 100; /* time-outs run on real time all the same */
    config.pingpong_idle_ns = 300 * NB__NS_PER_MS;
    config.pingpong_timeout_ns = 900 * NB__NS_PER_MS;
    world w = world_new(&config);
    client *mute = connect_client(&w), *echo = connect_client(&w), *pong = connect_client(&w);
    int64_t start_ns = nb__clock_mono_ns();
    assert_null(next_text(mute, '{', 200 * NB__NS_PER_MS));
    const char *text = next_text(mute, '{', PATIENCE_NS);
    assert_non_null(text);
    assert_int_equal(strlen(text), 59);
    assert_int_equal(
        strncmp(text, "{\"header\":{\"tr_id\":\"PINGPONG\",\"datetime\":\"2026112", 49), 0);
    while (!mute->is_closed && nb__clock_mono_ns() - start_ns < PATIENCE_NS) {
        const char *asked;
        while (echo->read < echo->count && (asked = echo->texts[echo->read++]) != NULL)
            nb__link_send(echo->link, NB__WS_TEXT, nb__span(asked));
        for (; pong->read < pong->count; pong->read++)
            nb__link_send(pong->link, NB__WS_PONG, nb__span(pong->texts[pong->read]));
        nb__loop_turn(w.loop, 5);
    }
    int64_t lived_ns = nb__clock_mono_ns() - start_ns;
    assert_true(mute->is_closed);
    assert_in_range(lived_ns, 1100 * NB__NS_PER_MS, 2500 * NB__NS_PER_MS);
    assert_non_null(strstr(mute->detail, "without a Close frame"));
    turn_for(&w, 100 * NB__NS_PER_MS);
    assert_false(echo->is_closed);
    assert_false(pong->is_closed);
    client_free(mute);
    client_free(echo);
    client_free(pong);
    world_free(&w);
}

static void data_keeps_pingpong_away(void **state)
{
    (void)state;
    nb__sim_config config = config_new();
    config.any_approval_key = true;
    config.pingpong_idle_ns = 500 * NB__NS_PER_MS;
    config.rate = 5000;
    world w = world_new(&config);
    client *c = connect_client(&w);
    nb__answer answer = ask(c, "x", "1", "H0MFASP0", "A01612");
    ASSERT_CODE(answer, SUBSCRIBED);
    assert_null(next_text(c, '{', 1500 * NB__NS_PER_MS));
    client_free(c);
    world_free(&w);
}

static void the_morning_drops_all_and_the_next_night_begins(void **state)
{
    (void)state;
    nb__sim_config config = config_new();
    assert_int_equal(
        nb__sim_at_parse(NB__SPAN("2026-11-21T05:59:50+09:00"), NULL, 0, &config.at_ns, NULL),
        NB_OK);
    config.speed = 20;
    config.any_approval_key = true;
    world w = world_new(&config);
    client *c = connect_client(&w);
    nb__answer answer = ask(c, "x", "1", "H0MFASP0", "A01612");
    ASSERT_CODE(answer, SUBSCRIBED);
    for (int64_t end_ns = nb__clock_mono_ns() + PATIENCE_NS;
         !c->is_closed && nb__clock_mono_ns() < end_ns;)
        nb__loop_turn(w.loop, 5);
    assert_non_null(strstr(c->detail, "without a Close frame"));
    client *next = connect_client(&w);
    assert_non_null(
        strstr(next->clock, "session=2026-11-23T17:50")); /* a Friday's next night is Monday's */
    answer = ask(next, "x", "1", "H0MFASP0", "A01612");
    ASSERT_CODE(answer, SUBSCRIBED);
    const char *frame = next_text(next, '0', PATIENCE_NS);
    assert_non_null(frame);
    assert_non_null(strstr(frame, "|A01612^175"));
    client_free(c);
    client_free(next);
    world_free(&w);
}

static void bad_configurations_are_refused(void **state)
{
    (void)state;
    nb__loop *loop;
    nb__sim *sim = NULL;
    nb_error error = {0};
    assert_int_equal(nb__loop_new(&loop, NULL), NB_OK);
    nb__sim_config config = config_new();
    config.speed = 0;
    assert_int_equal(nb__sim_open(loop, &config, &sim, &error), NB_E_ARGUMENT);
    config = config_new();
    config.rate = -1;
    assert_int_equal(nb__sim_open(loop, &config, &sim, &error), NB_E_ARGUMENT);
    config = config_new();
    config.at_ns = nb__kst_ns(20261120, 120000);
    assert_int_equal(nb__sim_open(loop, &config, &sim, &error), NB_E_ARGUMENT);
    config = config_new();
    config.refusal_count = NB__SIM_REFUSALS_MAX + 1;
    assert_int_equal(nb__sim_open(loop, &config, &sim, &error), NB_E_ARGUMENT);
    config = config_new();
    config.truth_path = "/nonexistent/truth";
    assert_int_equal(nb__sim_open(loop, &config, &sim, &error), NB_E_SYSTEM);
    assert_non_null(strstr(error.detail, "/nonexistent/truth"));
    assert_null(sim);
    nb__loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_of_approval_are_kis_s),
        cmocka_unit_test(masters_are_in_kis_s_formats),
        cmocka_unit_test(each_request_gets_kis_s_answer),
        cmocka_unit_test(bad_json_is_answered_and_survived),
        cmocka_unit_test(a_refused_key_is_not_registered),
        cmocka_unit_test(the_42nd_registration_is_refused_and_the_41_go_on),
        cmocka_unit_test(one_session_an_appkey),
        cmocka_unit_test(any_approval_key_when_asked_for),
        cmocka_unit_test(clients_get_their_keys_records_and_the_truth_has_them),
        cmocka_unit_test(the_upgrade_states_the_clock),
        cmocka_unit_test(silence_brings_pingpong_and_then_the_end),
        cmocka_unit_test(data_keeps_pingpong_away),
        cmocka_unit_test(the_morning_drops_all_and_the_next_night_begins),
        cmocka_unit_test(bad_configurations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
