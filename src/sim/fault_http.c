/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of the approval: refused, locked out, slow. */
#include "server.h"
#include <stdlib.h>
#include <string.h>

#define MINUTE_NS (60 * NB__NS_PER_S)
#define LOCKOUT_CODE 103
#define LOCKOUT_STATUS 403

static const char *text_of(int64_t code)
{
    static const struct {
        int code;
        const char *text;
    } texts[] = {
        {101, "유효하지 않은 요청입니다."},
        {103, "유효하지 않은 AppKey입니다."},
        {105, "유효하지 않은 AppSecret입니다."},
        {133, "접근토큰 발급 잠시 후 다시 시도하세요(1분당 1회)"},
        {201, "초당 거래건수를 초과하였습니다."},
        {206, "API 사용 권한이 없습니다."},
        {207, "IP주소가 유효하지 않습니다."},
        {300, "Gateway 라우팅 오류가 발생했습니다."},
        {301, "연결 시간이 초과되었습니다."},
        {302, "거래시간이 초과되었습니다."},
    };
    for (size_t i = 0; i < NB__COUNT_OF(texts); i++)
        if (texts[i].code == code)
            return texts[i].text;
    return "UNKNOWN";
}

static void print_refusal(int64_t code, nb__text *body)
{
    nb__text_printf(body, "{\"error_description\":\"%s\",\"error_code\":\"EGW%05d\"}",
                    text_of(code), (int)code);
}

/* ---- lock-out ---- */

static nb__sim_lockout *find_lockout(nb__sim *sim, const char *appkey)
{
    for (size_t i = 0; i < NB__SIM_LOCKOUTS_MAX; i++)
        if (strcmp(sim->lockouts[i].appkey, appkey) == 0)
            return &sim->lockouts[i];
    nb__sim_lockout *row = &sim->lockouts[sim->lockout_at++ % NB__SIM_LOCKOUTS_MAX];
    *row = (nb__sim_lockout){0};
    nb__span_copy(nb__span(appkey), row->appkey, sizeof row->appkey);
    return row;
}

/* Count the request. A key that is locked out stays so for its time, however often it asks. */
static bool is_locked_out(nb__sim *sim, const char *appkey, const nb__sim_fault *fault)
{
    int64_t now_mono_ns = nb__loop_mono_ns(sim->loop);
    nb__sim_lockout *row = find_lockout(sim, appkey);
    if (row->end_mono_ns > now_mono_ns)
        return true;
    if (row->count == 0 || now_mono_ns - row->minute_mono_ns >= MINUTE_NS) {
        row->minute_mono_ns = now_mono_ns;
        row->count = 0;
    }
    if (++row->count <= fault->values[0])
        return false;
    row->count = 0;
    row->end_mono_ns = now_mono_ns + fault->values[1];
    return true;
}

int nb__sim_fault_approval(nb__sim *sim, nb__peer *peer, const char *appkey, nb__text *body)
{
    const nb__sim_armed *refused =
        nb__sim_strike(sim, NB__FAULT_APPROVAL_REFUSED, nb__peer_name(peer));
    if (refused != NULL) {
        print_refusal(refused->fault.values[0], body);
        return (int)refused->fault.values[1];
    }
    const nb__sim_armed *lockout = nb__sim_strike(sim, NB__FAULT_APPROVAL_LOCKOUT, NULL);
    if (lockout == NULL || !is_locked_out(sim, appkey, &lockout->fault))
        return 0;
    nb__sim_fault_tell(sim, &lockout->fault, nb__peer_name(peer));
    print_refusal(LOCKOUT_CODE, body);
    return LOCKOUT_STATUS;
}

/* ---- slow ---- */

void nb__sim_fault_respond(nb__sim *sim, nb__peer *peer, int status, nb_span body)
{
    const nb__sim_armed *slow = nb__sim_strike(sim, NB__FAULT_APPROVAL_SLOW, nb__peer_name(peer));
    nb__sim_slow *held = slow == NULL ? NULL : calloc(1, sizeof *held);
    if (held == NULL) {
        nb__peer_respond(peer, status, NB__SIM_JSON_TYPE, "", body);
        return;
    }
    held->peer = peer;
    held->status = status;
    held->due_mono_ns = nb__loop_mono_ns(sim->loop) + slow->fault.values[0];
    nb__text_append(&held->body, body.data, body.size_bytes);
    held->next = sim->slow;
    sim->slow = held;
    nb__sim_faults_wake(sim, held->due_mono_ns);
}

static void slow_free(nb__sim_slow *held)
{
    if (held->body.data != NULL)
        explicit_bzero(held->body.data, held->body.size_bytes);
    nb__text_fini(&held->body);
    free(held);
}

int64_t nb__sim_slow_run(nb__sim *sim, int64_t now_mono_ns)
{
    int64_t next_ns = INT64_MAX;
    for (nb__sim_slow **at = &sim->slow, *held; (held = *at) != NULL;) {
        if (held->due_mono_ns > now_mono_ns) {
            next_ns = held->due_mono_ns < next_ns ? held->due_mono_ns : next_ns;
            at = &held->next;
            continue;
        }
        *at = held->next;
        nb__peer_respond(held->peer, held->status, NB__SIM_JSON_TYPE, "",
                         nb__text_view(&held->body));
        slow_free(held);
    }
    return next_ns;
}

void nb__sim_slow_fini(nb__sim *sim)
{
    for (nb__sim_slow *held; (held = sim->slow) != NULL;) {
        sim->slow = held->next;
        slow_free(held);
    }
}
