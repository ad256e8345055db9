/* SPDX-License-Identifier: Apache-2.0 */
/* What KIS does over HTTP around the WebSocket: approval keys, a token, the master files; and a
 * plain page. */
#include "server.h"
#include <stdlib.h>
#include <string.h>

#define MASTER_FOLDER "/common/master/"

/* ---- approval and token ---- */

/* KIS's refusals at its gateway. */
typedef struct refusal {
    int status;
    const char *error_code, *error_text;
} refusal;

static const refusal bad_request = {400, "EGW00101", "유효하지 않은 요청입니다."};
static const refusal no_grant_type = {400, "EGW00115", "grant_type은 필수입니다."};
static const refusal bad_grant_type = {400, "EGW00116", "지원하지 않는 grant_type입니다."};
static const refusal no_appkey = {403, "EGW00102", "AppKey는 필수입니다."};
static const refusal no_secret = {403, "EGW00104", "AppSecret은 필수입니다."};

static void refuse(nb__peer *peer, const refusal *why)
{
    nb__text body = {0};
    nb__text_printf(&body, "{\"error_description\":\"%s\",\"error_code\":\"%s\"}", why->error_text,
                    why->error_code);
    nb__peer_respond(peer, why->status, NB__SIM_JSON_TYPE, "", nb__text_view(&body));
    nb__text_fini(&body);
}

/* @return what is wrong with the request, NULL for nothing. */
static const refusal *check_credentials(nb_span body, bool needs_secret, nb__approval_request *out)
{
    if (!nb__approval_request_parse(body, out))
        return &bad_request;
    if (out->grant_type[0] == '\0')
        return &no_grant_type;
    if (strcmp(out->grant_type, "client_credentials") != 0)
        return &bad_grant_type;
    if (out->appkey[0] == '\0')
        return &no_appkey;
    return needs_secret && out->secretkey[0] == '\0' ? &no_secret : NULL;
}

/* Any appkey and secret will do: there is nobody to check them with. They are neither kept in logs
 * nor told. */
static void answer_approval(nb__sim *sim, nb__peer *peer, nb_span request)
{
    nb__approval_request credentials;
    const refusal *why = check_credentials(request, true, &credentials);
    explicit_bzero(credentials.secretkey, sizeof credentials.secretkey);
    if (why != NULL) {
        refuse(peer, why);
        return;
    }
    nb__text body = {0};
    int status = nb__sim_fault_approval(sim, peer, credentials.appkey, &body);
    if (status == 0) {
        status = 200;
        nb__text_printf(&body, "{\"approval_key\":\"%s\"}",
                        nb__sim_approval_issue(&sim->approvals, credentials.appkey,
                                               nb__loop_mono_ns(sim->loop)));
    }
    nb__sim_fault_respond(sim, peer, status, nb__text_view(&body));
    nb__text_fini(&body);
}

/* A token that has long expired: KIS's sample programs keep a live one in a file for the day. */
static void answer_token(nb__peer *peer, nb_span request)
{
    nb__approval_request credentials;
    const refusal *why = check_credentials(request, false, &credentials);
    explicit_bzero(&credentials, sizeof credentials);
    if (why != NULL) {
        refuse(peer, why);
        return;
    }
    uint64_t noise[4];
    nb__random_bytes(noise, sizeof noise);
    nb__text body = {0};
    nb__text_string(&body, "{\"access_token\":\"SIMULATED.");
    for (size_t i = 0; i < NB__COUNT_OF(noise); i++)
        nb__text_printf(&body, "%016llx", (unsigned long long)noise[i]);
    nb__text_string(
        &body,
        "\",\"access_token_token_expired\":\"2020-01-01 00:00:00\",\"token_type\":\"Bearer\","
        "\"expires_in\":0}");
    nb__peer_respond(peer, 200, NB__SIM_JSON_TYPE, "", nb__text_view(&body));
    nb__text_fini(&body);
}

/* ---- master files ---- */

static nb_err print_master(const nb__sim *sim, nb__master_kind kind, nb__text *out, nb_error *error)
{
    const nb__sim_chain *chain = nb__market_chain(sim->market);
    nb__master master = {.rows = calloc(chain->count, sizeof *master.rows),
                         .capacity = chain->count};
    if (master.rows == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "no memory for the master file");
    for (uint32_t i = 0; i < chain->count; i++)
        if (chain->series[i].is_listed)
            master.rows[master.count++] = chain->series[i].instrument;
    nb_err err = nb__master_print(kind, &master, out, error);
    nb__master_fini(&master);
    return err;
}

static void answer_master(const nb__sim *sim, nb__peer *peer, nb__master_kind kind, bool is_zip)
{
    nb__text content = {0}, zip = {0};
    nb_error error = {0};
    nb_err err = print_master(sim, kind, &content, &error);
    if (err == NB_OK && is_zip)
        err = nb__zip_write(nb__master_file_name(kind), nb__text_view(&content), &zip, &error);
    if (err != NB_OK)
        nb__peer_respond(peer, 500, "text/plain", "", nb__span(error.detail));
    else if (is_zip)
        nb__peer_respond(peer, 200, "application/zip", "", nb__text_view(&zip));
    else
        nb__peer_respond(peer, 200, "text/plain; charset=euc-kr", "", nb__text_view(&content));
    nb__text_fini(&content);
    nb__text_fini(&zip);
}

/* @return false when the path is no master file's. */
static bool try_master(const nb__sim *sim, nb__peer *peer, nb_span path)
{
    static const nb__master_kind kinds[] = {NB__MASTER_EUREX, NB__MASTER_CME, NB__MASTER_INDEX};
    size_t folder_bytes = sizeof MASTER_FOLDER - 1;
    if (path.size_bytes <= folder_bytes || memcmp(path.data, MASTER_FOLDER, folder_bytes) != 0)
        return false;
    nb_span name = {path.data + folder_bytes, path.size_bytes - folder_bytes};
    bool is_zip = name.size_bytes > 4 && memcmp(name.data + name.size_bytes - 4, ".zip", 4) == 0;
    if (is_zip)
        name.size_bytes -= 4;
    for (size_t i = 0; i < NB__COUNT_OF(kinds); i++) {
        if (nb__span_is(name, nb__master_file_name(kinds[i]))) {
            answer_master(sim, peer, kinds[i], is_zip);
            return true;
        }
    }
    return false;
}

/* ---- the rest ---- */

static void answer_page(nb__sim *sim, nb__peer *peer)
{
    char time[40];
    nb__kst_print(time, nb__sim_session_ns(sim), 0);
    nb__text body = {0};
    nb__text_printf(
        &body,
        "SIMULATED. This is nightbook's look-alike of KIS's night feed; no price here is real.\n\n"
        "session time   %s, speed %g, seed %llu\n"
        "WebSocket      ws://127.0.0.1:%u, any path\n"
        "approval key   POST /oauth2/Approval, any appkey and secretkey\n"
        "master files   " MASTER_FOLDER "fo_eurex_code.mst.zip, fo_cme_code.mst.zip, "
        "fo_idx_code_mts.mst.zip\n"
        "at the money   H0EUASP0 %s\n",
        time, sim->config.speed, (unsigned long long)sim->config.seed, nb__sim_port(sim),
        nb__sim_atm_code(sim));
    nb__peer_respond(peer, 200, "text/plain; charset=utf-8", "", nb__text_view(&body));
    nb__text_fini(&body);
}

static void answer_unknown(nb__peer *peer, const nb__http_message *request)
{
    bool is_tryitout =
        request->path.size_bytes >= 9 && memcmp(request->path.data, "/tryitout", 9) == 0;
    const char *advice =
        is_tryitout ? "real-time TRs come over WebSocket: connect to ws:// at this address and "
                      "register them there"
                    : "this look-alike has the night feed only; the rest stays at KIS";
    nb__text body = {0};
    nb__text_printf(&body, "{\"rt_cd\":\"1\",\"msg_cd\":\"EGW00404\",\"msg1\":\"%s\"}", advice);
    nb__peer_respond(peer, 404, NB__SIM_JSON_TYPE, "", nb__text_view(&body));
    nb__text_fini(&body);
}

void nb__sim_request(void *self, nb__peer *peer, const nb__http_message *request)
{
    nb__sim *sim = self;
    bool is_get = nb__span_is(request->method, "GET"),
         is_post = nb__span_is(request->method, "POST");
    if (is_post && nb__span_is(request->path, "/oauth2/Approval"))
        answer_approval(sim, peer, request->body);
    else if (is_post && nb__span_is(request->path, "/oauth2/tokenP"))
        answer_token(peer, request->body);
    else if (is_get && nb__span_is(request->path, "/"))
        answer_page(sim, peer);
    else if (!is_get || !try_master(sim, peer, request->path))
        answer_unknown(peer, request);
}
