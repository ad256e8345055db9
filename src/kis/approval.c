/* SPDX-License-Identifier: Apache-2.0 */
/* POST /oauth2/Approval, both roles. Appkey, secret and approval key are secrets: never logged. */
#include "json.h"
#include <string.h>

void nb__approval_request_print(const char *appkey, const char *secret, nb__text *out)
{
    /* all at once: growth would leave copies of the secret in freed memory */
    nb__text_reserve(out, 6 * (strlen(appkey) + strlen(secret)) + 128);
    nb__text_string(out, "{\"grant_type\":\"client_credentials\",\"appkey\":");
    nb__text_json(out, nb__span(appkey));
    nb__text_string(out, ",\"secretkey\":");
    nb__text_json(out, nb__span(secret));
    nb__text_string(out, "}");
}

bool nb__approval_request_parse(nb_span body, nb__approval_request *out)
{
    *out = (nb__approval_request){0};
    json_t *root = nb__json_load(body);
    bool is_object = json_is_object(root);
    nb__json_copy(root, "grant_type", out->grant_type, sizeof out->grant_type);
    nb__json_copy(root, "appkey", out->appkey, sizeof out->appkey);
    nb__json_copy(root, "secretkey", out->secretkey, sizeof out->secretkey);
    nb__json_wipe(root, "appkey");
    nb__json_wipe(root, "secretkey");
    json_decref(root);
    return is_object;
}

static nb_err read_answer(const json_t *root, nb__approval_answer *out, nb_error *error)
{
    nb_span key = nb__json_string(root, "approval_key");
    if (key.size_bytes > NB__APPROVAL_KEY_MAX)
        return nb__fail(error, NB_E_JSON, 0, "the approval key is longer than %d bytes",
                        NB__APPROVAL_KEY_MAX);
    if (key.size_bytes > 0) {
        nb__span_copy(key, out->approval_key, sizeof out->approval_key);
        return NB_OK;
    }
    if (!nb__json_copy(root, "error_code", out->error_code, sizeof out->error_code))
        nb__json_copy(root, "msg_cd", out->error_code, sizeof out->error_code);
    if (!nb__json_copy_prose(root, "error_description", out->error_text, sizeof out->error_text))
        nb__json_copy_prose(root, "msg1", out->error_text, sizeof out->error_text);
    if (out->error_code[0] == '\0' && out->error_text[0] == '\0')
        return nb__fail(error, NB_E_JSON, 0, "neither an approval key nor an error in the answer");
    return NB_OK;
}

nb_err nb__approval_answer_parse(nb_span body, nb__approval_answer *out, nb_error *error)
{
    json_t *root = nb__json_load(body);
    if (!json_is_object(root)) {
        json_decref(root);
        return nb__fail(error, NB_E_JSON, 0,
                        "the approval answer is no JSON object of at most %d bytes",
                        NB__CONTROL_MESSAGE_MAX);
    }
    nb__approval_answer answer = {0};
    nb_err err = read_answer(root, &answer, error);
    if (err == NB_OK)
        *out = answer;
    explicit_bzero(&answer, sizeof answer);
    nb__json_wipe(root, "approval_key");
    json_decref(root);
    return err;
}
