/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: kis base */
/* Any bytes as a client's and a server's message; what is read, written and read again is the same.
 */
#include "kis/kis.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void try_client(nb_span text)
{
    nb__request request, again;
    nb__opsp code;
    nb__client_message kind = nb__client_message_parse(text, &request, &code);
    require((kind == NB__CLIENT_INVALID) == (code != NB__OPSP_COUNT));
    if (kind != NB__CLIENT_REQUEST)
        return;
    nb__text out = {0};
    nb__request_print(&request, &out);
    if (out.size_bytes <= NB__CONTROL_MESSAGE_MAX) {
        require(nb__client_message_parse(nb__text_view(&out), &again, &code) == NB__CLIENT_REQUEST);
        require(memcmp(&request, &again, sizeof again) == 0);
    }
    nb__text_fini(&out);
}

static void try_server(nb_span text)
{
    nb__answer answer, again;
    if (nb__server_message_parse(text, &answer) != NB__SERVER_ANSWER)
        return;
    nb__text out = {0};
    bool has_secret = answer.iv[0] != '\0';
    require(has_secret == (strlen(answer.key) == 32) && (!has_secret || strlen(answer.iv) == 16));
    nb__answer_print_as(&answer, NULL, has_secret ? answer.iv : NULL, answer.key, &out);
    require(nb__server_message_parse(nb__text_view(&out), &again) == NB__SERVER_ANSWER);
    require(again.code == answer.code && again.reaction == answer.reaction);
    require(again.is_encrypted == answer.is_encrypted);
    require(strcmp(again.rt_cd, answer.rt_cd) == 0 && strcmp(again.msg_cd, answer.msg_cd) == 0);
    require(strcmp(again.msg1, answer.msg1) == 0);
    require(strcmp(again.iv, answer.iv) == 0 && strcmp(again.key, answer.key) == 0);
    nb__text_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    nb_span text = {(const char *)data, size_bytes};
    nb__approval_request request;
    nb__approval_answer answer;
    nb_error error;
    try_client(text);
    try_server(text);
    (void)nb__approval_request_parse(text, &request);
    if (nb__approval_answer_parse(text, &answer, &error) == NB_OK)
        require(answer.approval_key[0] != '\0' || answer.error_code[0] != '\0' ||
                answer.error_text[0] != '\0');
    return 0;
}
