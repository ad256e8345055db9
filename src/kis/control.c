/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control messages, both ways and both roles: what a client asks, what KIS answers, PINGPONG.
 *
 * Reads with jansson, whatever the order of keys; writes by hand, in KIS's order and spacing,
 * because there are clients that compare text. A wrong type is an answer code, never a guess.
 */
#include "json.h"
#include "master.h"
#include <stdio.h>
#include <string.h>

/* ---- reading: what a client sent ---- */

static nb__opsp read_header(const json_t *header, nb__request *request)
{
    if (json_object_get(header, "custtype") == NULL)
        return NB__OPSP_NO_CUSTTYPE;
    nb_span custtype = nb__json_string(header, "custtype");
    if (!nb__span_is(custtype, "P") && !nb__span_is(custtype, "B"))
        return NB__OPSP_BAD_CUSTTYPE;
    nb_span tr_type = nb__json_string(header, "tr_type");
    if (!nb__span_is(tr_type, "1") && !nb__span_is(tr_type, "2"))
        return NB__OPSP_BAD_TR_TYPE;
    request->custtype = custtype.data[0];
    request->is_register = tr_type.data[0] == '1';
    return NB__OPSP_COUNT;
}

static nb__opsp read_body(const json_t *body, nb__request *request)
{
    const json_t *input = json_object_get(body, "input");
    if (!json_is_object(input))
        return NB__OPSP_NO_INPUT;
    if (json_object_get(input, "tr_key") == NULL)
        return NB__OPSP_NO_TR_KEY;
    nb_span tr_id = nb__json_string(input, "tr_id"), tr_key = nb__json_string(input, "tr_key");
    nb__topic topic; /* tried with a good tr_id first: which of the two is wrong? */
    if (!nb__topic_make(NB__SPAN("-"), tr_key, &topic))
        return NB__OPSP_PARSE_TR_KEY;
    if (!nb__topic_make(tr_id, tr_key, &topic))
        return NB__OPSP_BAD_TR_ID;
    request->topic = topic;
    return NB__OPSP_COUNT;
}

/* NB__OPSP_COUNT: a good request. */
static nb__opsp read_request(const json_t *root, nb__request *request)
{
    const json_t *header = json_object_get(root, "header"), *body = json_object_get(root, "body");
    if (root == NULL)
        return NB__OPSP_BAD_JSON;
    if (!json_is_object(header))
        return NB__OPSP_NO_HEADER;
    nb__opsp code = read_header(header, request);
    if (code != NB__OPSP_COUNT)
        return code;
    if (!json_is_object(body))
        return NB__OPSP_NO_BODY;
    code = read_body(body, request);
    if (code != NB__OPSP_COUNT)
        return code;
    /* none is an empty one; one that is no text, or longer than any key, was never issued */
    if (json_object_get(header, "approval_key") != NULL &&
        (!json_is_string(json_object_get(header, "approval_key")) ||
         !nb__json_copy(header, "approval_key", request->approval_key,
                        sizeof request->approval_key)))
        return NB__OPSP_BAD_APPROVAL;
    return NB__OPSP_COUNT;
}

nb__client_message nb__client_message_parse(nb_span text, nb__request *request, nb__opsp *code)
{
    *request = (nb__request){0};
    *code = NB__OPSP_COUNT;
    json_t *root = nb__json_load(text);
    json_t *header = json_object_get(root, "header");
    nb__client_message kind = NB__CLIENT_PINGPONG;
    if (!nb__span_is(nb__json_string(header, "tr_id"), "PINGPONG")) {
        *code = read_request(root, request);
        kind = *code == NB__OPSP_COUNT ? NB__CLIENT_REQUEST : NB__CLIENT_INVALID;
    }
    nb__json_wipe(header, "approval_key");
    json_decref(root);
    return kind;
}

/* ---- reading: what a server sent ---- */

static void read_answer(const json_t *header, json_t *body, nb__answer *answer)
{
    nb__json_copy(header, "tr_id", answer->tr_id, sizeof answer->tr_id);
    nb__json_copy(header, "tr_key", answer->tr_key, sizeof answer->tr_key);
    answer->is_encrypted = nb__span_is(nb__json_string(header, "encrypt"), "Y");
    nb__json_copy(body, "rt_cd", answer->rt_cd, sizeof answer->rt_cd);
    nb__json_copy(body, "msg_cd", answer->msg_cd, sizeof answer->msg_cd);
    nb__json_copy_prose(body, "msg1", answer->msg1, sizeof answer->msg1);
    answer->code = nb__opsp_find(nb__span(answer->msg_cd));
    answer->reaction = nb__opsp_at(answer->code)->reaction;
    if (answer->reaction == NB__REACT_UNKNOWN && strcmp(answer->rt_cd, "0") == 0)
        answer->reaction = NB__REACT_DONE;

    json_t *output = json_object_get(body, "output");
    nb_span iv = nb__json_string(output, "iv"), key = nb__json_string(output, "key");
    /* only the two together, and only at full length, open anything */
    if (iv.size_bytes == sizeof answer->iv - 1 && key.size_bytes == sizeof answer->key - 1) {
        nb__span_copy(iv, answer->iv, sizeof answer->iv);
        nb__span_copy(key, answer->key, sizeof answer->key);
    }
    nb__json_wipe(output, "iv");
    nb__json_wipe(output, "key");
}

/* An answer whose Korean words are no UTF-8 is an answer all the same: unheard it would be asked
 * for again, and the link given up. No byte of a cp949 character is a quote or a backslash. */
static json_t *load_answer(nb_span text)
{
    char words[NB__CONTROL_MESSAGE_MAX];
    json_t *root = nb__json_load(text);
    if (root != NULL || text.size_bytes > sizeof words ||
        nb__utf8_valid_prefix(text) == text.size_bytes)
        return root;
    nb__cp949 cp949 = {0};
    ptrdiff_t size_bytes = nb__cp949_convert(&cp949, text, words, sizeof words);
    nb__cp949_fini(&cp949);
    if (size_bytes < 0) { /* nor cp949 */
        memcpy(words, text.data, text.size_bytes);
        (void)nb__utf8_scrub(words, text.size_bytes);
        size_bytes = (ptrdiff_t)text.size_bytes;
    }
    root = nb__json_load((nb_span){words, (size_t)size_bytes});
    explicit_bzero(words, sizeof words);
    return root;
}

nb__server_message nb__server_message_parse(nb_span text, nb__answer *answer)
{
    *answer = (nb__answer){.code = NB__OPSP_COUNT, .reaction = NB__REACT_UNKNOWN};
    json_t *root = load_answer(text);
    const json_t *header = json_object_get(root, "header");
    json_t *body = json_object_get(root, "body");
    nb_span tr_id = nb__json_string(header, "tr_id");
    nb__server_message kind = NB__SERVER_OTHER;
    if (nb__span_is(tr_id, "PINGPONG")) {
        kind = NB__SERVER_PINGPONG;
    } else if (nb__span_is(tr_id, "NIGHTBOOK")) {
        read_answer(header, body, answer);
        answer->code = NB__OPSP_COUNT; /* it answers nothing */
        answer->reaction = NB__REACT_UNKNOWN;
        kind = NB__SERVER_MARK;
    } else if (json_object_get(body, "rt_cd") != NULL || json_object_get(body, "msg_cd") != NULL) {
        read_answer(header, body, answer);
        kind = NB__SERVER_ANSWER;
    }
    json_decref(root);
    return kind;
}

/* ---- writing ---- */

static void print_member(nb__text *out, const char *before, const char *value)
{
    nb__text_string(out, before);
    nb__text_json(out, nb__span(value));
}

void nb__request_print(const nb__request *request, nb__text *out)
{
    const char custtype[2] = {request->custtype, '\0'};
    /* all at once: growth would leave copies of the key in freed memory */
    nb__text_reserve(out, 6 * strlen(request->approval_key) + 512);
    print_member(out, "{\"header\":{\"approval_key\":", request->approval_key);
    print_member(out, ",\"custtype\":", custtype);
    print_member(out, ",\"tr_type\":", request->is_register ? "1" : "2");
    print_member(
        out, ",\"content-type\":\"utf-8\"},\"body\":{\"input\":{\"tr_id\":", request->topic.tr_id);
    print_member(out, ",\"tr_key\":", request->topic.tr_key);
    nb__text_string(out, "}}}");
}

void nb__answer_print_as(const nb__answer *answer, const nb__topic *topic, const char *iv,
                         const char *key, nb__text *out)
{
    bool is_nameless = topic == NULL || strcmp(answer->rt_cd, "9") == 0;
    nb__text_reserve(out, 512);
    print_member(out, "{\"header\":{\"tr_id\":", is_nameless ? "(null)" : topic->tr_id);
    print_member(out, ",\"tr_key\":", is_nameless ? "" : topic->tr_key);
    print_member(out, ",\"encrypt\":", answer->is_encrypted ? "Y" : "N");
    print_member(out, "},\"body\":{\"rt_cd\":", answer->rt_cd);
    print_member(out, ",\"msg_cd\":", answer->msg_cd);
    print_member(out, ",\"msg1\":", answer->msg1);
    if (iv != NULL && key != NULL) {
        print_member(out, ",\"output\":{\"iv\":", iv);
        print_member(out, ",\"key\":", key);
        nb__text_string(out, "}");
    }
    nb__text_string(out, "}}");
}

void nb__answer_print(nb__opsp code, const nb__topic *topic, const char *iv, const char *key,
                      nb__text *out)
{
    const nb__opsp_row *row = nb__opsp_at(code);
    nb__answer answer = {.code = code};
    nb__span_copy(nb__span(row->rt_cd), answer.rt_cd, sizeof answer.rt_cd);
    nb__span_copy(nb__span(row->msg_cd), answer.msg_cd, sizeof answer.msg_cd);
    nb__span_copy(nb__span(row->msg1), answer.msg1, sizeof answer.msg1);
    nb__answer_print_as(&answer, topic, iv, key, out);
}

size_t nb__pingpong_print(char out[64], int64_t utc_ns)
{
    nb__civil now = nb__kst_civil(utc_ns);
    int size = snprintf(out, 64, "{\"header\":{\"tr_id\":\"PINGPONG\",\"datetime\":\"%08d%06d\"}}",
                        now.date, now.hhmmss);
    return size > 0 && size < 64 ? (size_t)size : 0;
}

int64_t nb__pingpong_time(nb_span text)
{
    static const char name[] = "\"datetime\"";
    const char *at = memmem(text.data, text.size_bytes, name, sizeof name - 1);
    uint64_t digits;
    if (at == NULL)
        return NB_TIME_UNDEF;
    const char *end = text.data + text.size_bytes;
    for (at += sizeof name - 1; at < end && (*at == ' ' || *at == ':' || *at == '"');)
        at++;
    if (end - at < 15 || at[14] != '"' || !nb__span_to_u64((nb_span){at, 14}, &digits))
        return NB_TIME_UNDEF;
    int date = (int)(digits / 1000000), hhmmss = (int)(digits % 1000000);
    bool is_time = nb__date_is_valid(date) && hhmmss / 10000 < 24 && hhmmss / 100 % 100 < 60 &&
                   hhmmss % 100 < 60;
    return is_time ? nb__kst_ns(date, hhmmss) : NB_TIME_UNDEF;
}
