/* SPDX-License-Identifier: Apache-2.0 */
/* Control messages: KIS's own lines both ways, every refusal, and bytes that mean harm. */
#include "guard.h"
#include "kis/kis.h"
#include <stdio.h>
#include <string.h>

/* ---- lines as KIS and its clients write them ---- */

#define KEY "35xxxxxa-bxxa-4xxb-87xxx-f56xxxxxxxxxx"
static const char portal_request[] =
    "{\"header\":{\"approval_key\":\"" KEY
    "\",\"custtype\":\"P\",\"tr_type\":\"1\",\"content-type\":"
    "\"utf-8\"},\"body\":{\"input\":{\"tr_id\":\"H0EUASP0\",\"tr_key\":\"301V06362\"}}}";
static const char
    legacy_request[] = /* the official sample's literal: one blank after approval_key */
    "{\"header\":{\"approval_key\": \"" KEY
    "\",\"custtype\":\"P\",\"tr_type\":\"1\",\"content-type\":"
    "\"utf-8\"},\"body\":{\"input\":{\"tr_id\":\"H0EUASP0\",\"tr_key\":\"301V06362\"}}}";
static const char reordered_request[] =
    " {\"body\": {\"input\": {\"tr_key\": \"301V06362\", \"tr_id\": \"H0EUASP0\"}},\n \"header\": "
    "{\"content-type\": \"utf-8\", \"tr_type\": \"1\", \"personalseckey\": \"1\", \"appkey\": 7, "
    "\"custtype\": \"P\", \"approval_key\": \"" KEY "\"}}\r\n";
static const char subscribed_line[] = "{\"header\":{\"tr_id\":\"H0EUASP0\",\"tr_key\":"
                                      "\"301V06362\",\"encrypt\":\"N\"},\"body\":{\"rt_cd\":"
                                      "\"0\",\"msg_cd\":\"OPSP0000\",\"msg1\":\"SUBSCRIBE "
                                      "SUCCESS\",\"output\":{\"iv\":\"0123456789abcdef\","
                                      "\"key\":\"abcdefghijklmnopabcdefghijklmnop\"}}}";
static const char pingpong_line[] =
    "{\"header\":{\"tr_id\":\"PINGPONG\",\"datetime\":\"20231004160455\"}}";
static const char in_use_line[] = "{\"header\":{\"tr_id\":\"(null)\",\"tr_key\":\"\",\"encrypt\":"
                                  "\"N\"},\"body\":{\"rt_cd\":\"9\","
                                  "\"msg_cd\":\"OPSP8996\",\"msg1\":\"ALREADY IN USE appkey\"}}";
static const char hts_id_line[] = "{\"header\":{\"tr_id\":\"(null)\"},\"body\":{\"rt_cd\":\"9\","
                                  "\"msg_cd\":\"OPSP0017\",\"msg1\":\"ERROR "
                                  ": htsid가잘못되었습니다\"}}";
static const char already_line[] =
    "{\"header\":{\"tr_id\":\"H0IOCNT0\",\"tr_key\":\"B01610A51\",\"encrypt\":\"N\"},\"body\":{"
    "\"rt_cd\":"
    "\"1\",\"msg_cd\":\"OPSP0002\",\"msg1\":\"ALREADY IN SUBSCRIBE\"}}";
static const char full_line[] =
    "{\"header\":{\"tr_id\":\"H0STCNT0\",\"tr_key\":\"005930\"},\"body\":{"
    "\"rt_cd\":\"1\",\"msg_cd\":\"OPSP0008\",\"msg1\":\"MAX SUBSCRIBE OVER\"}}";
static const char approval_line[] =
    "{\"header\":{\"tr_id\":\"H0STCNT0\",\"tr_key\":\"000660\",\"encrypt\":\"N\"},\"body\":{\"rt_"
    "cd\":\"1\","
    "\"msg_cd\":\"OPSP0011\",\"msg1\":\"invalid approval : NOT FOUND\"}}";
static const char unsubscribed_line[] =
    "{\"header\":{\"tr_id\":\"H0EUCNT0\",\"tr_key\":\"B01610A51\",\"encrypt\":\"N\"},\"body\":{"
    "\"rt_cd\":"
    "\"0\",\"msg_cd\":\"OPSP0001\",\"msg1\":\"UNSUBSCRIBE SUCCESS\"}}";

static void assert_text(nb__text *text, const char *expected)
{
    assert_false(text->is_failed);
    assert_string_equal(text->data, expected);
    assert_int_equal(text->size_bytes, strlen(expected));
    nb__text_fini(text);
}

/* Parse at a guard page, so that an over-read crashes. */
static nb__client_message parse_client(const char *text, size_t size_bytes, nb__request *request,
                                       nb__opsp *code)
{
    guard g = guard_copy(text, size_bytes);
    nb__client_message kind =
        nb__client_message_parse((nb_span){g.data, g.size_bytes}, request, code);
    guard_free(&g);
    return kind;
}

static nb__server_message parse_server(const char *text, nb__answer *answer)
{
    guard g = guard_copy(text, strlen(text));
    nb__server_message kind = nb__server_message_parse((nb_span){g.data, g.size_bytes}, answer);
    guard_free(&g);
    return kind;
}

/* ---- requests ---- */

static void requests_of_every_sample_are_read(void **state)
{
    (void)state;
    const char *const texts[] = {portal_request, legacy_request, reordered_request};
    for (size_t i = 0; i < NB__COUNT_OF(texts); i++) {
        nb__request request;
        nb__opsp code;
        assert_int_equal(parse_client(texts[i], strlen(texts[i]), &request, &code),
                         NB__CLIENT_REQUEST);
        assert_int_equal(code, NB__OPSP_COUNT);
        assert_string_equal(request.topic.tr_id, "H0EUASP0");
        assert_string_equal(request.topic.tr_key, "301V06362");
        assert_string_equal(request.approval_key, KEY);
        assert_int_equal(request.custtype, 'P');
        assert_true(request.is_register);
        nb__text out = {0};
        nb__request_print(&request, &out);
        assert_text(&out, portal_request);
    }
}

static void deregistration_of_a_corporation_goes_round(void **state)
{
    (void)state;
    nb__request request = {.custtype = 'B', .approval_key = "k\"\\\n가", .is_register = false},
                again;
    assert_true(nb__topic_make(NB__SPAN("H0MFASP0"), NB__SPAN("A01612"), &request.topic));
    nb__text out = {0};
    nb__opsp code;
    nb__request_print(&request, &out);
    assert_int_equal(parse_client(out.data, out.size_bytes, &again, &code), NB__CLIENT_REQUEST);
    assert_memory_equal(&request, &again, sizeof again);
    nb__text_fini(&out);
}

#define HEADER "\"header\":{\"approval_key\":\"k\",\"custtype\":\"P\",\"tr_type\":\"1\"}"
#define BODY "\"body\":{\"input\":{\"tr_id\":\"H0EUASP0\",\"tr_key\":\"A01612\"}}"
#define BODY_OF(input) "{" HEADER ",\"body\":{\"input\":{" input "}}}"
#define HEADER_OF(header) "{\"header\":{" header "}," BODY "}"

static const struct {
    const char *text;
    nb__opsp code;
} refusals[] = {
    {"", NB__OPSP_BAD_JSON},
    {"hello", NB__OPSP_BAD_JSON},
    {"{" HEADER "," BODY "}}", NB__OPSP_BAD_JSON},
    {"{" HEADER "," BODY "," BODY "}", NB__OPSP_BAD_JSON},
    {BODY_OF("\"tr_id\":\"H0EUASP0\",\"tr_key\":\"A01\",\"tr_key\":\"A02\""), NB__OPSP_BAD_JSON},
    {BODY_OF("\"tr_id\":\"H0EUASP0\",\"tr_key\":\"A01\\u0000612\""), NB__OPSP_BAD_JSON},
    {BODY_OF("\"tr_id\":\"H0EUASP0\",\"tr_key\":\"A01\xFF"
             "612\""),
     NB__OPSP_BAD_JSON},
    {BODY_OF("\"tr_id\":\"H0EUASP0\",\"tr_key\":\"\\ud800\""), NB__OPSP_BAD_JSON},
    {BODY_OF("\"tr_id\":\"H0EUASP0\",\"tr_key\":\"A01612\",\"x\":1e999"), NB__OPSP_BAD_JSON},
    {BODY_OF("\"tr_id\":\"H0EUASP0\",\"tr_key\":\"A01612\",\"x\":NaN"), NB__OPSP_BAD_JSON},
    {"[]", NB__OPSP_NO_HEADER},
    {"{}", NB__OPSP_NO_HEADER},
    {"{\"header\":\"x\"}", NB__OPSP_NO_HEADER},
    {HEADER_OF(""), NB__OPSP_NO_CUSTTYPE},
    {HEADER_OF("\"custtype\":\"X\",\"tr_type\":\"1\""), NB__OPSP_BAD_CUSTTYPE},
    {HEADER_OF("\"custtype\":\"\",\"tr_type\":\"1\""), NB__OPSP_BAD_CUSTTYPE},
    {HEADER_OF("\"custtype\":1,\"tr_type\":\"1\""), NB__OPSP_BAD_CUSTTYPE},
    {HEADER_OF("\"custtype\":\"P\""), NB__OPSP_BAD_TR_TYPE},
    {HEADER_OF("\"custtype\":\"P\",\"tr_type\":\"3\""), NB__OPSP_BAD_TR_TYPE},
    {HEADER_OF("\"custtype\":\"P\",\"tr_type\":1"), NB__OPSP_BAD_TR_TYPE},
    {HEADER_OF("\"custtype\":\"P\",\"tr_type\":null"), NB__OPSP_BAD_TR_TYPE},
    {"{" HEADER "}", NB__OPSP_NO_BODY},
    {"{" HEADER ",\"body\":[]}", NB__OPSP_NO_BODY},
    {"{" HEADER ",\"body\":{}}", NB__OPSP_NO_INPUT},
    {"{" HEADER ",\"body\":{\"input\":\"A01612\"}}", NB__OPSP_NO_INPUT},
    {BODY_OF("\"tr_id\":\"H0EUASP0\""), NB__OPSP_NO_TR_KEY},
    {BODY_OF("\"tr_id\":\"H0EUASP0\",\"tr_key\":\"\""), NB__OPSP_PARSE_TR_KEY},
    {BODY_OF("\"tr_id\":\"H0EUASP0\",\"tr_key\":101"), NB__OPSP_PARSE_TR_KEY},
    {BODY_OF("\"tr_id\":\"H0EUASP0\",\"tr_key\":[\"A\"]"), NB__OPSP_PARSE_TR_KEY},
    {BODY_OF("\"tr_id\":\"H0EUASP0\",\"tr_key\":\"A01612|1\""), NB__OPSP_PARSE_TR_KEY},
    {BODY_OF("\"tr_id\":\"H0EUASP0\",\"tr_key\":\"1234567890123\""), NB__OPSP_PARSE_TR_KEY},
    {BODY_OF("\"tr_key\":\"A01612\""), NB__OPSP_BAD_TR_ID},
    {BODY_OF("\"tr_id\":\"\",\"tr_key\":\"A01612\""), NB__OPSP_BAD_TR_ID},
    {BODY_OF("\"tr_id\":7,\"tr_key\":\"A01612\""), NB__OPSP_BAD_TR_ID},
    {BODY_OF("\"tr_id\":\"1234567890123456\",\"tr_key\":\"A01612\""), NB__OPSP_BAD_TR_ID},
    {HEADER_OF("\"custtype\":\"P\",\"tr_type\":\"1\",\"approval_key\":1"), NB__OPSP_BAD_APPROVAL},
};

static void every_refusal_has_kis_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(refusals); i++) {
        nb__request request;
        nb__opsp code = NB__OPSP_COUNT;
        nb__client_message kind =
            parse_client(refusals[i].text, strlen(refusals[i].text), &request, &code);
        if (kind != NB__CLIENT_INVALID || code != refusals[i].code)
            fail_msg("%s gives %s", refusals[i].text, nb__opsp_at(code)->msg_cd);
    }
}

static void long_and_deep_messages_are_refused(void **state)
{
    (void)state;
    nb__request request;
    nb__opsp code;
    nb__text text = {0};
    nb__text_string(&text, "{" HEADER "," BODY);
    while (text.size_bytes < NB__CONTROL_MESSAGE_MAX - 1)
        nb__text_string(&text, " ");
    nb__text_string(&text, "}");
    assert_int_equal(parse_client(text.data, text.size_bytes, &request, &code), NB__CLIENT_REQUEST);
    nb__text_string(&text, " ");
    assert_int_equal(parse_client(text.data, text.size_bytes, &request, &code), NB__CLIENT_INVALID);
    assert_int_equal(code, NB__OPSP_BAD_JSON);

    nb__text_clear(&text);
    while (text.size_bytes < NB__CONTROL_MESSAGE_MAX)
        nb__text_string(&text, "[");
    assert_int_equal(parse_client(text.data, text.size_bytes, &request, &code), NB__CLIENT_INVALID);
    assert_int_equal(code, NB__OPSP_BAD_JSON);

    nb__text_clear(&text);
    nb__text_string(&text, "{" BODY
                           ",\"header\":{\"custtype\":\"P\",\"tr_type\":\"1\",\"approval_key\":\"");
    for (int i = 0; i <= NB__APPROVAL_KEY_MAX; i++)
        nb__text_string(&text, "k");
    nb__text_string(&text, "\"}}");
    assert_int_equal(parse_client(text.data, text.size_bytes, &request, &code), NB__CLIENT_INVALID);
    assert_int_equal(code, NB__OPSP_BAD_APPROVAL);
    assert_string_equal(request.topic.tr_key, "A01612"); /* the answer names it */
    assert_string_equal(request.approval_key, "");
    nb__text_fini(&text);
}

static void a_message_cut_anywhere_is_bad_json(void **state)
{
    (void)state;
    nb__request request;
    nb__opsp code;
    for (size_t size = 0; size < sizeof portal_request - 1; size++) {
        assert_int_equal(parse_client(portal_request, size, &request, &code), NB__CLIENT_INVALID);
        assert_int_equal(code, NB__OPSP_BAD_JSON);
    }
}

static void pingpong_is_known_by_its_tr_id_alone(void **state)
{
    (void)state;
    nb__request request;
    nb__opsp code;
    const char extra[] =
        "{\"x\":[1],\"header\":{\"custtype\":7,\"tr_id\":\"PINGPONG\"},\"body\":null}";
    assert_int_equal(parse_client(extra, strlen(extra), &request, &code), NB__CLIENT_PINGPONG);
    assert_int_equal(parse_client(pingpong_line, strlen(pingpong_line), &request, &code),
                     NB__CLIENT_PINGPONG);
    char out[64];
    assert_int_equal(nb__pingpong_print(out, nb__kst_ns(20231004, 160455)), 59);
    assert_string_equal(out, pingpong_line);
    assert_int_equal(nb__pingpong_time(nb__span(pingpong_line)), nb__kst_ns(20231004, 160455));
    assert_int_equal(nb__pingpong_time(NB__SPAN("{\"datetime\" : \"20231004160455\"}")),
                     nb__kst_ns(20231004, 160455));
    static const char *const none[] = {"",
                                       "{}",
                                       "\"datetime\"",
                                       "\"datetime\":\"2023100416045",
                                       "\"datetime\":\"20231304160455\"",
                                       "\"datetime\":\"20231004246055\"",
                                       "\"datetime\":\"2023100416045x\""};
    for (size_t i = 0; i < NB__COUNT_OF(none); i++)
        assert_int_equal(nb__pingpong_time(nb__span(none[i])), NB_TIME_UNDEF);
}

/* ---- answers ---- */

static void every_line_of_a_server_is_read(void **state)
{
    (void)state;
    const struct {
        const char *line, *tr_id, *tr_key, *rt_cd;
        nb__opsp code;
        nb__reaction reaction;
    } cases[] = {
        {subscribed_line, "H0EUASP0", "301V06362", "0", NB__OPSP_SUBSCRIBED, NB__REACT_DONE},
        {in_use_line, "(null)", "", "9", NB__OPSP_IN_USE, NB__REACT_IN_USE},
        {hts_id_line, "(null)", "", "9", NB__OPSP_BAD_HTS_ID, NB__REACT_FATAL},
        {already_line, "H0IOCNT0", "B01610A51", "1", NB__OPSP_ALREADY, NB__REACT_DONE},
        {full_line, "H0STCNT0", "005930", "1", NB__OPSP_MAX_OVER, NB__REACT_FULL},
        {approval_line, "H0STCNT0", "000660", "1", NB__OPSP_BAD_APPROVAL, NB__REACT_REISSUE},
        {unsubscribed_line, "H0EUCNT0", "B01610A51", "0", NB__OPSP_UNSUBSCRIBED, NB__REACT_DONE},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__answer answer;
        assert_int_equal(parse_server(cases[i].line, &answer), NB__SERVER_ANSWER);
        assert_string_equal(answer.tr_id, cases[i].tr_id);
        assert_string_equal(answer.tr_key, cases[i].tr_key);
        assert_string_equal(answer.rt_cd, cases[i].rt_cd);
        assert_int_equal(answer.code, cases[i].code);
        assert_int_equal(answer.reaction, cases[i].reaction);
        assert_string_equal(answer.msg1, nb__opsp_at(cases[i].code)->msg1);
        assert_false(answer.is_encrypted);
    }
    nb__answer answer;
    parse_server(subscribed_line, &answer);
    assert_string_equal(answer.iv, "0123456789abcdef");
    assert_string_equal(answer.key, "abcdefghijklmnopabcdefghijklmnop");
    assert_int_equal(parse_server(pingpong_line, &answer), NB__SERVER_PINGPONG);
}

/* KIS's servers have sent Korean in cp949; what is neither still names its code. */
static void an_answer_in_another_encoding_is_heard(void **state)
{
    (void)state;
    static const char before[] = "{\"header\":{\"tr_id\":\"(null)\"},\"body\":{\"rt_cd\":\"9\","
                                 "\"msg_cd\":\"OPSP0017\",\"msg1\":\"ERROR : ";
    static const struct {
        const char *bytes, *msg1;
    } cases[] = {
        {"htsid\xB0\xA1\xC0\xDF\xB8\xF8", "ERROR : htsid가잘못"}, /* cp949 */
        {"\xB0\xA1\xFF", "ERROR : ???"},                          /* nor that */
        {"\xE0\xA1", "ERROR : 胥"}, /* the beginning of a UTF-8 character, and a cp949 one */
        {"\xB0", "ERROR : ?"},      /* half a character: the quote after it stays a quote */
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        char line[256];
        nb__answer answer;
        snprintf(line, sizeof line, "%s%s\"}}", before, cases[i].bytes);
        assert_int_equal(parse_server(line, &answer), NB__SERVER_ANSWER);
        assert_int_equal(answer.code, NB__OPSP_BAD_HTS_ID);
        assert_string_equal(answer.rt_cd, "9");
        assert_string_equal(answer.msg1, cases[i].msg1);
    }
    nb__answer answer;
    assert_int_equal(parse_server("\xB0\xA1", &answer), NB__SERVER_OTHER);
}

static void answers_are_written_as_kis_writes_them(void **state)
{
    (void)state;
    const struct {
        const char *line, *tr_id, *tr_key, *iv, *key;
        nb__opsp code;
    } cases[] = {
        {subscribed_line, "H0EUASP0", "301V06362", "0123456789abcdef",
         "abcdefghijklmnopabcdefghijklmnop", NB__OPSP_SUBSCRIBED},
        {in_use_line, "H0EUASP0", "301V06362", NULL, NULL, NB__OPSP_IN_USE},
        {already_line, "H0IOCNT0", "B01610A51", NULL, NULL, NB__OPSP_ALREADY},
        {approval_line, "H0STCNT0", "000660", NULL, NULL, NB__OPSP_BAD_APPROVAL},
        {unsubscribed_line, "H0EUCNT0", "B01610A51", NULL, NULL, NB__OPSP_UNSUBSCRIBED},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__topic topic;
        nb__text out = {0};
        assert_true(nb__topic_make(nb__span(cases[i].tr_id), nb__span(cases[i].tr_key), &topic));
        nb__answer_print(cases[i].code, &topic, cases[i].iv, cases[i].key, &out);
        assert_text(&out, cases[i].line);
    }
    nb__text out = {0};
    nb__answer_print(NB__OPSP_IN_USE, NULL, NULL, NULL, &out);
    assert_text(&out, in_use_line);
}

static void every_code_goes_round(void **state)
{
    (void)state;
    nb__topic topic;
    assert_true(nb__topic_make(NB__SPAN("H0EUASP0"), NB__SPAN("B01610A48"), &topic));
    for (int code = 0; code < NB__OPSP_COUNT; code++) {
        const nb__opsp_row *row = nb__opsp_at((nb__opsp)code);
        nb__text out = {0}, again = {0};
        nb__answer answer;
        nb__answer_print((nb__opsp)code, &topic, NULL, NULL, &out);
        assert_int_equal(parse_server(out.data, &answer), NB__SERVER_ANSWER);
        assert_int_equal(answer.code, code);
        assert_int_equal(answer.reaction, row->reaction);
        assert_string_equal(answer.msg1, row->msg1);
        assert_string_equal(answer.tr_id, row->rt_cd[0] == '9' ? "(null)" : "H0EUASP0");
        nb__answer_print_as(&answer, &topic, NULL, NULL, &again);
        assert_text(&again, out.data);
        nb__text_fini(&out);
    }
    assert_int_equal(nb__opsp_find(NB__SPAN("OPSP000")), NB__OPSP_COUNT);
    assert_int_equal(nb__opsp_at(NB__OPSP_COUNT)->reaction, NB__REACT_UNKNOWN);
}

static void what_nobody_expects_is_survived(void **state)
{
    (void)state;
    const struct {
        const char *text;
        nb__server_message kind;
        nb__reaction reaction;
    } cases[] = {
        {"{\"body\":{\"rt_cd\":\"0\",\"msg_cd\":\"OPSP4711\"}}", NB__SERVER_ANSWER, NB__REACT_DONE},
        {"{\"body\":{\"rt_cd\":\"1\",\"msg_cd\":\"OPSP4711\"}}", NB__SERVER_ANSWER,
         NB__REACT_UNKNOWN},
        {"{\"body\":{\"rt_cd\":0}}", NB__SERVER_ANSWER, NB__REACT_DONE},
        {"{\"header\":[],\"body\":{\"msg_cd\":null}}", NB__SERVER_ANSWER, NB__REACT_UNKNOWN},
        {"{\"header\":{\"tr_id\":\"NIGHTBOOK\"},\"body\":{\"rt_cd\":\"0\"}}", NB__SERVER_MARK,
         NB__REACT_UNKNOWN},
        {"{\"header\":{\"tr_id\":\"H0EUASP0\"}}", NB__SERVER_OTHER, NB__REACT_UNKNOWN},
        {"{\"body\":\"OPSP0000\"}", NB__SERVER_OTHER, NB__REACT_UNKNOWN},
        {"output: { iv: '50a65578c4f7500f', key: 'molrrntztvzothjqkzsitawgikersupf' }",
         NB__SERVER_OTHER, NB__REACT_UNKNOWN},
        {"10:00:27,289 ... TR_KEY=, RT_CD=9, MSG=JSON PARSING ERROR : header not found",
         NB__SERVER_OTHER, NB__REACT_UNKNOWN},
        {"10:00:57,586 ... sent 1000 (OK); no close frame received", NB__SERVER_OTHER,
         NB__REACT_UNKNOWN},
        {"{\"body\":{\"rt_cd\":\"1\",\"msg1\":\"\xB0\xA1\"}}", NB__SERVER_ANSWER,
         NB__REACT_UNKNOWN},
        {"", NB__SERVER_OTHER, NB__REACT_UNKNOWN},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__answer answer;
        assert_int_equal(parse_server(cases[i].text, &answer), cases[i].kind);
        assert_int_equal(answer.reaction, cases[i].reaction);
        assert_int_equal(answer.code, NB__OPSP_COUNT);
    }
}

static void odd_secrets_and_long_words_are_cut_or_left_out(void **state)
{
    (void)state;
    nb__answer answer;
    parse_server(
        "{\"header\":{\"tr_id\":\"12345678901234567\",\"encrypt\":\"Y\"},\"body\":{\"rt_cd\":\"0\","
        "\"output\":{\"iv\":\"0123456789abcde\",\"key\":\"abcdefghijklmnopabcdefghijklmnop\"}}}",
        &answer);
    assert_string_equal(answer.tr_id, "");
    assert_string_equal(answer.iv, "");
    assert_string_equal(answer.key, "");
    assert_true(answer.is_encrypted);

    nb__text text = {0};
    nb__text_string(&text, "{\"body\":{\"rt_cd\":\"1\",\"msg1\":\"");
    for (int i = 0; i < 100; i++)
        nb__text_string(&text, "가");
    nb__text_string(&text, "\"}}");
    parse_server(text.data, &answer);
    assert_int_equal(strlen(answer.msg1), 255); /* 85 whole characters */
    assert_int_equal(nb__utf8_valid_prefix(nb__span(answer.msg1)), 255);

    nb__text_clear(&text);
    nb__text_string(&text, "{\"body\":{\"rt_cd\":\"1\",\"msg1\":\"");
    for (int i = 0; i < 300; i++)
        nb__text_string(&text, "x");
    nb__text_string(&text, "\"}}");
    parse_server(text.data, &answer);
    assert_int_equal(strlen(answer.msg1), 255);
    nb__text_fini(&text);
}

/* ---- approval ---- */

static void approval_goes_both_ways(void **state)
{
    (void)state;
    nb__text out = {0};
    nb__approval_request request;
    nb__approval_request_print("PSapp", "se\"cret", &out);
    assert_true(nb__approval_request_parse(nb__text_view(&out), &request));
    assert_string_equal(request.grant_type, "client_credentials");
    assert_string_equal(request.appkey, "PSapp");
    assert_string_equal(request.secretkey, "se\"cret");
    assert_text(&out, "{\"grant_type\":\"client_credentials\",\"appkey\":\"PSapp\",\"secretkey\":"
                      "\"se\\\"cret\"}");

    assert_true(nb__approval_request_parse(NB__SPAN("{\"appkey\":[]}"), &request));
    assert_string_equal(request.appkey, "");
    assert_false(nb__approval_request_parse(NB__SPAN("[\"appkey\"]"), &request));
    assert_false(nb__approval_request_parse(NB__SPAN("appkey=1"), &request));
}

static void approval_answers_are_keys_or_errors(void **state)
{
    (void)state;
    nb__approval_answer answer;
    nb_error error = {0};
    assert_int_equal(
        nb__approval_answer_parse(NB__SPAN("{\"approval_key\":\"" KEY "\"}"), &answer, &error),
        NB_OK);
    assert_string_equal(answer.approval_key, KEY);
    assert_string_equal(answer.error_code, "");

    assert_int_equal(
        nb__approval_answer_parse(
            NB__SPAN("{\"error_code\":\"EGW00103\",\"error_description\":\"유효하지 않은 "
                     "AppKey입니다.\"}"),
            &answer, &error),
        NB_OK);
    assert_string_equal(answer.approval_key, "");
    assert_string_equal(answer.error_code, "EGW00103");
    assert_string_equal(answer.error_text, "유효하지 않은 AppKey입니다.");

    assert_int_equal(
        nb__approval_answer_parse(
            NB__SPAN("{\"rt_cd\":\"1\",\"msg_cd\":\"EGW00133\",\"msg1\":\"once a minute\"}"),
            &answer, &error),
        NB_OK);
    assert_string_equal(answer.error_code, "EGW00133");
    assert_string_equal(answer.error_text, "once a minute");

    const char *const bad[] = {
        "", "<html>", "[]", "{}", "{\"approval_key\":\"\"}", "{\"approval_key\":5}"};
    for (size_t i = 0; i < NB__COUNT_OF(bad); i++) {
        assert_int_equal(nb__approval_answer_parse(nb__span(bad[i]), &answer, &error), NB_E_JSON);
        assert_string_equal(answer.error_code, "EGW00133"); /* unchanged */
    }
}

static void secrets_are_scrubbed(void **state)
{
    (void)state;
    const struct {
        const char *text, *secret, *scrubbed;
    } cases[] = {
        {"invalid approval : abcd", "abcd", "invalid approval : ***"},
        {"abcdabcd.abcd", "abcd", "******.***"},
        {"aaaaaaa", "aaaa", "***aaa"},
        {"abc", "abcd", "abc"},
        {"abc", "abc", "abc"},
        {"abc", "", "abc"},
        {"abc", NULL, "abc"},
        {"", "abcd", ""},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        guard g = guard_copy(cases[i].text, strlen(cases[i].text) + 1);
        nb__scrub(g.data, cases[i].secret);
        assert_string_equal(g.data, cases[i].scrubbed);
        for (size_t j = strlen(g.data); j < g.size_bytes; j++)
            assert_int_equal(g.data[j], 0);
        guard_free(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_of_every_sample_are_read),
        cmocka_unit_test(deregistration_of_a_corporation_goes_round),
        cmocka_unit_test(every_refusal_has_kis_code),
        cmocka_unit_test(long_and_deep_messages_are_refused),
        cmocka_unit_test(a_message_cut_anywhere_is_bad_json),
        cmocka_unit_test(pingpong_is_known_by_its_tr_id_alone),
        cmocka_unit_test(every_line_of_a_server_is_read),
        cmocka_unit_test(an_answer_in_another_encoding_is_heard),
        cmocka_unit_test(answers_are_written_as_kis_writes_them),
        cmocka_unit_test(every_code_goes_round),
        cmocka_unit_test(what_nobody_expects_is_survived),
        cmocka_unit_test(odd_secrets_and_long_words_are_cut_or_left_out),
        cmocka_unit_test(approval_goes_both_ways),
        cmocka_unit_test(approval_answers_are_keys_or_errors),
        cmocka_unit_test(secrets_are_scrubbed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
