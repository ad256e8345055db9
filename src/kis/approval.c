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

/* ---- what a failure means ---- */

static const char *const class_names[] = {
    [NB__APPROVAL_RETRY] = "retry",   [NB__APPROVAL_PACED] = "paced",
    [NB__APPROVAL_LOCKED] = "locked", [NB__APPROVAL_REFUSED] = "refused",
    [NB__APPROVAL_CLOSED] = "closed",
};

const char *nb__approval_class_name(nb__approval_class class_)
{
    return (size_t)class_ < NB__COUNT_OF(class_names) ? class_names[class_] : "?";
}

typedef struct failure {
    const char *code;
    nb__approval_class class_;
    const char *advice;
} failure;

static const failure failures[] = {
    {"EGW00101", NB__APPROVAL_REFUSED, "KIS cannot read the request: check appkey and secret"},
    {"EGW00102", NB__APPROVAL_REFUSED, "the appkey is missing: check the configuration"},
    {"EGW00103", NB__APPROVAL_LOCKED,
     "check the appkey; if it is right, KIS has locked it for a while after repeated failures"},
    {"EGW00104", NB__APPROVAL_REFUSED, "the secret is missing: check the configuration"},
    {"EGW00105", NB__APPROVAL_LOCKED,
     "check the secret; if it is right, KIS has locked the appkey for a while"},
    {"EGW00115", NB__APPROVAL_REFUSED, "KIS does not take the grant_type: report this"},
    {"EGW00116", NB__APPROVAL_REFUSED, "KIS misses the grant_type: report this"},
    {"EGW00133", NB__APPROVAL_PACED,
     "another program of yours just asked with this appkey: one a minute is allowed"},
    {"EGW00201", NB__APPROVAL_PACED,
     "too many requests a second with this appkey: other programs of yours count too"},
    {"EGW00206", NB__APPROVAL_REFUSED, "the appkey has no right to this: apply for it at KIS"},
    {"EGW00207", NB__APPROVAL_REFUSED, "KIS does not allow this IP address: register it at KIS"},
    {"EGW00300", NB__APPROVAL_RETRY, "trouble inside KIS; nothing to do"},
    {"EGW00301", NB__APPROVAL_RETRY, "KIS took too long; nothing to do"},
    {"EGW00302", NB__APPROVAL_CLOSED, "KIS says that it is outside its hours"},
    {"EGW02004", NB__APPROVAL_REFUSED,
     "this is a paper key; the night TRs have no paper version: use the live appkey"},
};

nb__approval_class nb__approval_class_of(int status, const char *error_code, const char **advice)
{
    for (size_t i = 0; i < NB__COUNT_OF(failures); i++) {
        if (strcmp(failures[i].code, error_code) == 0) {
            *advice = failures[i].advice;
            return failures[i].class_;
        }
    }
    if (error_code[0] == '\0' && (status < 100 || status >= 500)) {
        *advice = status < 100 ? "no answer came: check the network and KIS's notices"
                               : "trouble inside KIS; nothing to do";
        return NB__APPROVAL_RETRY;
    }
    if (status == 429) {
        *advice = "too many requests; other programs of yours count too";
        return NB__APPROVAL_PACED;
    }
    *advice = "an answer that nightbook does not know: asking rarely, so that KIS does not block "
              "the appkey";
    return NB__APPROVAL_LOCKED;
}
