/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A WebSocket client's requests, answered as KIS answers them.
 *
 * The first request whose approval key is good makes the socket the session of that key's appkey;
 * KIS looks at no key after that, and neither do we. A second socket on the appkey gets OPSP8996
 * and stays open and silent.
 */
#include "server.h"
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

void nb__sim_client_opened(void *self, nb__peer *peer)
{
    nb__sim *sim = self;
    nb__sim_client *client = calloc(1, sizeof *client);
    if (client != NULL) {
        client->sim = sim;
        client->peer = peer;
    }
    if (client == NULL || !nb__sim_line_open(client)) {
        free(client);
        nb__peer_abort(peer);
        return;
    }
    client->sent_mono_ns = nb__loop_mono_ns(sim->loop);
    nb__random_bytes(&client->secret, sizeof client->secret);
    client->next = sim->clients;
    if (sim->clients != NULL)
        sim->clients->previous = client;
    sim->clients = client;
    nb__peer_set_user(peer, client);
    if (sim->config.is_talkative)
        nb__log(NB__LOG_INFO, "sim", "%s connected", nb__peer_name(peer));
    if (client->line != NULL)
        nb__sim_faults_opened(client);
}

void nb__sim_client_unregister_all(nb__sim_client *client)
{
    for (uint32_t i = 0; i < client->registration_count; i++)
        if (client->registrations[i].series_index != UINT32_MAX)
            nb__sim_unsubscribe(client->sim, client->registrations[i].series_index, client);
    client->registration_count = 0;
}

static void hold_appkey(nb__sim *sim, const nb__sim_client *client)
{
    if (!client->is_session)
        return;
    const nb__sim_armed *fault = nb__sim_strike(sim, NB__FAULT_HOLD, nb__peer_name(client->peer));
    int64_t hold_ns = sim->config.appkey_hold_ns;
    if (fault != NULL && fault->fault.values[0] > hold_ns)
        hold_ns = fault->fault.values[0];
    if (hold_ns <= 0)
        return;
    nb__sim_hold *hold = &sim->holds[sim->hold_at++ % NB__SIM_HOLDS_MAX];
    memcpy(hold->appkey, client->appkey, sizeof hold->appkey);
    hold->end_mono_ns = nb__loop_mono_ns(sim->loop) + hold_ns;
}

void nb__sim_client_end_session(nb__sim_client *client)
{
    hold_appkey(client->sim, client);
    client->is_session = false;
    nb__sim_client_unregister_all(client);
}

void nb__sim_client_closed(void *self, nb__peer *peer, const char *detail)
{
    nb__sim *sim = self;
    nb__sim_client *client = nb__peer_user(peer);
    if (client == NULL)
        return;
    if (sim->config.is_talkative)
        nb__log(NB__LOG_INFO, "sim", "%s is gone: %s; it had %u registrations", nb__peer_name(peer),
                detail, client->registration_count);
    nb__sim_client_end_session(client);
    nb__sim_line_close(client);
    if (client->previous != NULL)
        client->previous->next = client->next;
    else
        sim->clients = client->next;
    if (client->next != NULL)
        client->next->previous = client->previous;
    nb__peer_set_user(peer, NULL);
    free(client->registrations);
    free(client);
}

void nb__sim_client_alive(void *self, nb__peer *peer)
{
    (void)self;
    nb__sim_client *client = nb__peer_user(peer);
    if (client != NULL)
        client->asked_mono_ns = 0;
}

/* false: the PING stays without its PONG. */
bool nb__sim_client_control(void *self, nb__peer *peer, const nb__ws_event *event)
{
    nb__sim *sim = self;
    const nb__sim_client *client = nb__peer_user(peer);
    bool is_ping = event->kind == NB__WS_EVENT_PING;
    if (client == NULL || (!is_ping && client->asked_mono_ns != 0))
        return true;
    const nb__sim_armed *row = nb__sim_strike(sim, NB__FAULT_PING_CLOSE, nb__peer_name(peer));
    if (row == NULL || (!is_ping && row->fault.values[1] == 0))
        return true;
    if (row->fault.values[0] == 0)
        nb__peer_eof(peer);
    else
        nb__peer_close(peer, (uint16_t)row->fault.values[0], NB__SPAN(""));
    return false;
}

static void send_text(nb__sim_client *client, nb_span text)
{
    if (client->line != NULL) {
        nb__sim_line_send(client, text);
        return;
    }
    client->sent_mono_ns = nb__loop_mono_ns(client->sim->loop);
    nb__peer_send_text(client->peer, text);
}

void nb__sim_client_pingpong(nb__sim_client *client, int64_t now_mono_ns)
{
    if (client->asked_mono_ns == 0)
        client->asked_mono_ns = now_mono_ns;
    char text[64];
    size_t size_bytes = nb__pingpong_print(text, nb__sim_session_ns(client->sim));
    send_text(client, (nb_span){text, size_bytes});
}

void nb__sim_clients_pingpong(nb__sim *sim, int64_t now_mono_ns)
{
    nb__sim_client *next;
    for (nb__sim_client *client = sim->clients; client != NULL; client = next) {
        next = client->next;
        if (client->asked_mono_ns != 0 &&
            now_mono_ns - client->asked_mono_ns >= sim->config.pingpong_timeout_ns) {
            nb__peer_abort(client->peer);
            continue;
        }
        if (now_mono_ns - client->sent_mono_ns < sim->config.pingpong_idle_ns)
            continue;
        if (client->line == NULL || nb__sim_line_pings(client, now_mono_ns))
            nb__sim_client_pingpong(client, now_mono_ns);
    }
}

/* ---- who is it ---- */

static bool is_in_use(const nb__sim *sim, const char *appkey)
{
    if (!sim->config.one_session_an_appkey)
        return false;
    for (const nb__sim_client *other = sim->clients; other != NULL; other = other->next)
        if (other->is_session && strcmp(other->appkey, appkey) == 0)
            return true;
    int64_t now_mono_ns = nb__loop_mono_ns(sim->loop);
    for (size_t i = 0; i < NB__SIM_HOLDS_MAX; i++)
        if (sim->holds[i].end_mono_ns > now_mono_ns && strcmp(sim->holds[i].appkey, appkey) == 0)
            return true;
    return false;
}

/* NB__OPSP_COUNT: this socket is the appkey's session. */
static nb__opsp begin_session(nb__sim_client *client, const char *approval_key)
{
    nb__sim *sim = client->sim;
    if (client->is_session)
        return NB__OPSP_COUNT;
    const char *appkey =
        nb__sim_approval_find(&sim->approvals, approval_key, nb__loop_mono_ns(sim->loop));
    if (appkey == NULL && !sim->config.any_approval_key)
        return NB__OPSP_BAD_APPROVAL;
    if (appkey == NULL)
        appkey = approval_key;
    const char *whom = nb__peer_name(client->peer);
    if (is_in_use(sim, appkey) || nb__sim_strike(sim, NB__FAULT_IN_USE, whom) != NULL)
        return NB__OPSP_IN_USE;
    nb__span_copy(nb__span(appkey), client->appkey, sizeof client->appkey);
    client->is_session = true;
    return NB__OPSP_COUNT;
}

/* ---- registrations ---- */

static nb__sim_registration *find_registration(nb__sim_client *client, const nb__topic *topic)
{
    for (uint32_t i = 0; i < client->registration_count; i++)
        if (memcmp(&client->registrations[i].topic, topic, sizeof *topic) == 0)
            return &client->registrations[i];
    return NULL;
}

/* The series behind a topic; UINT32_MAX for all that KIS would accept and say nothing about. */
static uint32_t series_of(const nb__sim *sim, const nb__topic *topic)
{
    const nb__sim_chain *chain = nb__market_chain(sim->market);
    uint32_t index = nb__sim_chain_find(chain, nb__span(topic->tr_key));
    bool is_its_tr = index != UINT32_MAX &&
                     strcmp(nb__sim_series_tr_id(&chain->series[index]), topic->tr_id) == 0;
    return is_its_tr ? index : UINT32_MAX;
}

static bool reserve_registration(nb__sim_client *client)
{
    if (client->registration_count < client->registration_capacity)
        return true;
    uint32_t capacity = client->registration_capacity < 8 ? 8 : 2 * client->registration_capacity;
    void *registrations = realloc(client->registrations, capacity * sizeof *client->registrations);
    if (registrations == NULL)
        return false;
    client->registrations = registrations;
    client->registration_capacity = capacity;
    return true;
}

static bool is_full(const nb__sim_client *client)
{
    const nb__sim_armed *fault = nb__sim_strike(client->sim, NB__FAULT_FULL, NULL);
    return client->registration_count >= client->sim->config.registrations_max ||
           (fault != NULL && client->registration_count >= fault->fault.values[0]);
}

static nb__opsp add_registration(nb__sim_client *client, const nb__topic *topic)
{
    if (find_registration(client, topic) != NULL)
        return NB__OPSP_ALREADY;
    if (is_full(client))
        return NB__OPSP_MAX_OVER;
    uint32_t series_index = series_of(client->sim, topic);
    if (!reserve_registration(client) ||
        (series_index != UINT32_MAX && !nb__sim_subscribe(client->sim, series_index, client)))
        return NB__OPSP_INTERNAL;
    client->registrations[client->registration_count++] =
        (nb__sim_registration){*topic, series_index};
    return NB__OPSP_SUBSCRIBED;
}

static nb__opsp remove_registration(nb__sim_client *client, const nb__topic *topic)
{
    nb__sim_registration *registration = find_registration(client, topic);
    if (registration == NULL)
        return NB__OPSP_NOT_SUBSCRIBED;
    if (registration->series_index != UINT32_MAX)
        nb__sim_unsubscribe(client->sim, registration->series_index, client);
    *registration = client->registrations[--client->registration_count];
    return NB__OPSP_UNSUBSCRIBED;
}

/* ---- requests ---- */

/* KIS's real-time TR ids: H0 or HD, then six capitals and digits. */
static bool is_tr_id(const char *text)
{
    return strlen(text) == 8 && text[0] == 'H' && (text[1] == '0' || text[1] == 'D') &&
           strspn(text + 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == 6;
}

/* iv of 16 hex digits, key of 32 small letters; the same again for that TR on that socket. */
static void secrets_of(const nb__sim_client *client, const char *tr_id, char iv[17], char key[33])
{
    uint64_t seed = client->secret;
    for (const char *c = tr_id; *c != '\0'; c++)
        seed = (seed ^ (unsigned char)*c) * UINT64_C(0x100000001B3);
    nb__random random;
    nb__random_init(&random, seed);
    for (int i = 0; i < 16; i++)
        iv[i] = "0123456789abcdef"[nb__random_below(&random, 16)];
    for (int i = 0; i < 32; i++)
        key[i] = (char)('a' + nb__random_below(&random, 26));
    iv[16] = key[32] = '\0';
}

static void answer(nb__sim_client *client, const nb__answer *said, const nb__topic *topic)
{
    nb__sim *sim = client->sim;
    char iv[17], key[33];
    bool is_success =
        topic != NULL && (said->code == NB__OPSP_SUBSCRIBED || said->code == NB__OPSP_UNSUBSCRIBED);
    if (is_success)
        secrets_of(client, topic->tr_id, iv, key);
    else if (sim->config.is_talkative) /* in the table's words: msg1 may hold an approval key */
        nb__log(NB__LOG_INFO, "sim", "%s gets %s %s for %s %s", nb__peer_name(client->peer),
                said->msg_cd, nb__opsp_at(said->code)->msg1, topic == NULL ? "?" : topic->tr_id,
                topic == NULL ? "?" : topic->tr_key);
    if (nb__sim_strike(sim, NB__FAULT_ANSWER_NULL, nb__peer_name(client->peer)) != NULL)
        topic = NULL;
    nb__text_clear(&sim->answer);
    nb__answer_print_as(said, topic, is_success ? iv : NULL, is_success ? key : NULL, &sim->answer);
    if (sim->answer.is_failed)
        return;
    if (client->line != NULL)
        nb__sim_line_answer(client, nb__text_view(&sim->answer));
    else
        send_text(client, nb__text_view(&sim->answer));
}

static nb__answer words_of(nb__opsp code)
{
    const nb__opsp_row *row = nb__opsp_at(code);
    nb__answer said = {.code = code};
    nb__span_copy(nb__span(row->msg_cd), said.msg_cd, sizeof said.msg_cd);
    nb__span_copy(nb__span(row->rt_cd), said.rt_cd, sizeof said.rt_cd);
    nb__span_copy(nb__span(row->msg1), said.msg1, sizeof said.msg1);
    return said;
}

/* KIS's msg1 may hold the key that it does not know: no client may log that. */
static nb__answer words_of_bad_approval(const nb__sim_fault *fault, const char *approval_key)
{
    nb__answer said = words_of(NB__OPSP_BAD_APPROVAL);
    size_t size_bytes = strlen(said.msg1);
    if (fault->values[0] != 0)
        snprintf(said.msg1 + size_bytes, sizeof said.msg1 - size_bytes, " %.200s", approval_key);
    return said;
}

static nb__answer words_of_refusal(const nb__sim_refusal *refusal)
{
    nb__opsp code = nb__opsp_find(nb__span(refusal->msg_cd));
    if (code != NB__OPSP_COUNT)
        return words_of(code);
    nb__answer said = {.code = code, .rt_cd = "1", .msg1 = "UNKNOWN"};
    nb__span_copy(nb__span(refusal->msg_cd), said.msg_cd, sizeof said.msg_cd);
    return said;
}

/* NULL: registrations of the key are answered as they deserve. */
static const nb__sim_refusal *find_refusal(const nb__sim_config *config, const char *tr_key)
{
    const nb__sim_refusal *every = NULL;
    for (uint32_t i = 0; i < config->refusal_count; i++) {
        if (strcmp(config->refusals[i].tr_key, tr_key) == 0)
            return &config->refusals[i];
        if (strcmp(config->refusals[i].tr_key, "*") == 0)
            every = &config->refusals[i];
    }
    return every;
}

static nb__answer handle(nb__sim_client *client, const nb__request *request)
{
    const nb__topic *topic = &request->topic;
    const nb__sim_armed *bad =
        client->is_session
            ? NULL
            : nb__sim_strike(client->sim, NB__FAULT_BAD_APPROVAL, nb__peer_name(client->peer));
    if (bad != NULL)
        return words_of_bad_approval(&bad->fault, request->approval_key);
    nb__opsp code = begin_session(client, request->approval_key);
    if (code != NB__OPSP_COUNT)
        return words_of(code);
    const nb__sim_refusal *refusal =
        request->is_register ? find_refusal(&client->sim->config, topic->tr_key) : NULL;
    if (refusal != NULL)
        return words_of_refusal(refusal);
    if (!is_tr_id(topic->tr_id))
        return words_of(NB__OPSP_BAD_TR_ID);
    return words_of(request->is_register ? add_registration(client, topic)
                                         : remove_registration(client, topic));
}

void nb__sim_client_message(void *self, nb__peer *peer, const nb__ws_event *event)
{
    (void)self;
    nb__sim_client *client = nb__peer_user(peer);
    if (client == NULL)
        return;
    nb__request request;
    nb__opsp code;
    nb__answer said;
    switch (nb__client_message_parse(event->payload, &request, &code)) {
    case NB__CLIENT_PINGPONG:
        break; /* alive() has seen it */
    case NB__CLIENT_INVALID:
        said = words_of(code);
        answer(client, &said, NULL);
        break;
    case NB__CLIENT_REQUEST:
        said = handle(client, &request);
        answer(client, &said, &request.topic);
        break;
    }
}
