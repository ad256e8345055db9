/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session: a link's life, one paced request in flight, PINGPONG, the watchdog.
 *
 * When an attempt to connect begins is attempt.c's matter, which registration is asked for next
 * slots.c's. Nothing allocates after nb__session_new(). There is no PING.
 */
#include "inside.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOUND_LINK_NS (30 * NB__NS_PER_S) /* data for so long resets the back-off */
#define PONG_MAX 125                      /* RFC 6455 5.5: what a control frame holds */
#define REQUEST_MAX 8192 /* an approval key of 512 bytes, each escaped as \u00xx, and all else */

nb__session_config nb__session_config_default(void)
{
    return (nb__session_config){.registrations_max = 41,
                                .custtype = 'P',
                                .request_gap_ns = 80 * NB__NS_PER_MS,
                                .answer_timeout_ns = 10 * NB__NS_PER_S,
                                .watchdog_ns = 45 * NB__NS_PER_S,
                                .linger_ns = 600 * NB__NS_PER_S,
                                .backoff_min_ns = NB__NS_PER_S,
                                .backoff_max_ns = 60 * NB__NS_PER_S,
                                .in_use_wait_ns = 60 * NB__NS_PER_S,
                                .connects_max = 4,
                                .connects_window_ns = 600 * NB__NS_PER_S,
                                .seed = 1};
}

nb__session *nb__session_new(const nb__session_config *config, nb__topics *topics,
                             uint32_t topics_max)
{
    nb__session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    session->config = *config;
    session->topics = topics;
    session->request.custtype = config->custtype;
    nb__random_init(&session->random, config->seed);
    nb__manners_init(&session->manners, config);
    session->began_ns = session->down_since_ns = NB_TIME_UNDEF;
    session->backoff_until_ns = session->stop_until_ns = NB__MANNERS_NONE;
    session->next_try_ns = INT64_MAX;
    if (!nb__slots_init(&session->slots, config, topics_max) ||
        nb__text_reserve(&session->text, REQUEST_MAX) == NULL) {
        nb__session_free(session);
        return NULL;
    }
    snprintf(session->reason, sizeof session->reason, "not started yet");
    return session;
}

void nb__session_free(nb__session *session)
{
    if (session == NULL)
        return;
    nb__slots_fini(&session->slots);
    if (session->text.data != NULL)
        explicit_bzero(session->text.data, session->text.capacity_bytes);
    nb__text_fini(&session->text);
    explicit_bzero(session, sizeof *session);
    free(session);
}

/* ---- the link's life ---- */

void nb__session_on_opened(nb__session *session, int64_t now_ns)
{
    if (session->state != NB__SESSION_CONNECTING)
        return;
    session->state = NB__SESSION_UP;
    session->counters.connects++;
    session->counters.up = 1;
    session->alive_ns = session->send_at_ns = now_ns;
    session->data_first_ns = session->data_last_ns = NB_TIME_UNDEF;
    session->is_link_noted = true;
    session->cause[0] = session->reason[0] = '\0';
    if (session->is_resting) {
        session_set_cause(session, "outside the hours", "");
        session_drop_link(session);
    }
}

void nb__session_on_alive(nb__session *session, int64_t now_ns)
{
    session->alive_ns = now_ns;
}

void nb__session_on_closed(nb__session *session, const char *reason, int64_t now_ns)
{
    bool was_up = session->state == NB__SESSION_UP;
    if (!was_up && session->state != NB__SESSION_CONNECTING)
        return;
    if (!session->is_closing)
        session_set_cause(session, was_up ? "link lost: " : "cannot connect: ", reason);
    if (was_up) {
        session->down_since_ns = now_ns;
        session->counters.losses += !session->is_resting;
        session->is_link_noted = true;
        if (session->data_first_ns != NB_TIME_UNDEF &&
            session->data_last_ns - session->data_first_ns >= SOUND_LINK_NS)
            session->failures = 0;
    }
    session->counters.up = 0;
    session->is_closing = session->is_close_due = session->is_straggler_due = false;
    session->flight = (flight){0};
    session->echo_bytes = 0;
    nb__slots_lost(&session->slots);
    session_wait_and_retry(session, now_ns);
}

/* ---- what the server says ---- */

/* Whether `answer` can be the one to the request in flight. With rt_cd 9 KIS names no topic: the
 * order tells. */
static bool is_answer_to(const nb__session *session, const nb__answer *answer)
{
    if (session->flight.send_count == 0)
        return false;
    const nb__topic *topic = nb__topics_at(session->topics, session->flight.request.topic);
    bool is_named = answer->tr_id[0] != '\0' && strcmp(answer->tr_id, "(null)") != 0;
    if (is_named && (strcmp(answer->tr_id, topic->tr_id) != 0 ||
                     (answer->tr_key[0] != '\0' && strcmp(answer->tr_key, topic->tr_key) != 0)))
        return false;
    if (session->flight.request.is_register)
        return answer->code != NB__OPSP_UNSUBSCRIBED && answer->code != NB__OPSP_NOT_SUBSCRIBED;
    return answer->code != NB__OPSP_SUBSCRIBED && answer->code != NB__OPSP_ALREADY;
}

static void settle_flight(nb__session *session, const nb__answer *answer, int64_t now_ns)
{
    flight *flying = &session->flight;
    bool is_done = nb__slots_answered(&session->slots, &flying->request, answer, now_ns);
    bool is_twice = flying->send_count > 1;
    flying->send_count = 0;
    if (is_done) {
        session->is_reissued = false;
        session->is_save_due |= nb__manners_not_in_use(&session->manners);
    } else {
        session->counters.answers_refused++;
    }
    /* A request that was sent twice may be answered twice: the next one waits, so that order still
     * tells. */
    session->is_straggler_due = is_twice;
    session->send_at_ns =
        now_ns + (is_twice ? session->config.answer_timeout_ns : session->config.request_gap_ns);
    if (is_twice && !is_done && answer->reaction != NB__REACT_FATAL) {
        session_set_cause(session, "asked twice and refused: unclear whether the server has it",
                          "");
        session_drop_link(session); /* it forgets; a guess could take a registration too many */
    }
}

static void on_answer(nb__session *session, const nb__answer *answer, int64_t now_ns)
{
    session->counters.answers++;
    bool is_ours = is_answer_to(session, answer);
    if (answer->reaction == NB__REACT_UNKNOWN || !is_ours)
        session->counters.answers_unknown++;
    if (is_ours) {
        settle_flight(session, answer, now_ns);
    } else if (session->is_straggler_due) {
        session->is_straggler_due = false;
        session->send_at_ns = now_ns + session->config.request_gap_ns;
    }
    char words[sizeof answer->msg_cd + sizeof answer->msg1 + 1];
    snprintf(words, sizeof words, "%s %s", answer->msg_cd, answer->msg1);
    if (answer->reaction == NB__REACT_IN_USE) {
        session_set_cause(session, words, " (another program holds this appkey's only session)");
        session->counters.in_use++;
        nb__manners_in_use(&session->manners, &session->random, now_ns);
        session->is_save_due = true;
        session_drop_link(session);
    } else if (answer->reaction == NB__REACT_REISSUE) {
        session_set_cause(session, "the server refuses the approval key: ", words);
        session->is_retry_now =
            !session->is_reissued; /* once at once; then back off like any failure */
        session->is_reissued = true;
        session->is_key_good = false;
        session_drop_link(session);
    }
}

static void on_pingpong(nb__session *session, nb_span text)
{
    session->counters.pingpongs++;
    session->pingpong_time_ns = nb__pingpong_time(text);
    if (text.size_bytes > sizeof session->echo)
        return;
    memcpy(session->echo, text.data, text.size_bytes);
    session->echo_bytes = text.size_bytes;
}

/* The one place where an answer has its secrets. */
static void hear(nb__session *session, nb_span text)
{
    nb__answer *answer = &session->heard;
    session->heard_kind = nb__server_message_parse(text, answer);
    explicit_bzero(answer->iv, sizeof answer->iv);
    explicit_bzero(answer->key, sizeof answer->key);
    nb__scrub(answer->msg1, session->request.approval_key);
}

bool nb__session_on_message(nb__session *session, nb_span text, int64_t now_ns)
{
    session->alive_ns = now_ns;
    size_t at = 0;
    while (at < text.size_bytes && strchr(" \t\r\n", text.data[at]) != NULL &&
           text.data[at] != '\0')
        at++;
    if (at == text.size_bytes || text.data[at] != '{') {
        if (session->data_first_ns == NB_TIME_UNDEF)
            session->data_first_ns = now_ns;
        session->data_last_ns = now_ns;
        return true;
    }
    hear(session, text);
    if (session->state != NB__SESSION_UP || session->is_closing)
        return false;
    if (session->heard_kind == NB__SERVER_PINGPONG)
        on_pingpong(session, text);
    else if (session->heard_kind == NB__SERVER_ANSWER)
        on_answer(session, &session->heard, now_ns);
    else if (session->heard_kind == NB__SERVER_OTHER)
        session->counters.answers_unknown++;
    return false;
}

nb__server_message nb__session_heard(const nb__session *session, const nb__answer **answer)
{
    *answer = &session->heard;
    return session->heard_kind;
}

/* ---- what to do next ---- */

static void give_text(nb__session *session, nb__action *out)
{
    const nb__slot_request *asked = &session->flight.request;
    session->request.topic = *nb__topics_at(session->topics, asked->topic);
    session->request.is_register = asked->is_register;
    nb__text_clear(&session->text);
    nb__request_print(&session->request, &session->text);
    session->counters.requests++;
    *out = (nb__action){
        .kind = NB__ACT_SEND_TEXT, .text = nb__text_view(&session->text), .topic = asked->topic};
}

/* The request in flight is overdue: ask once more, then give the link up. @return whether `out` is
 * filled. */
static bool overdue(nb__session *session, int64_t now_ns, nb__action *out)
{
    session->counters.answer_timeouts++;
    if (session->flight.send_count > 1) {
        nb__slots_unanswered(&session->slots, &session->flight.request);
        session_set_cause(session, "the server leaves a request unanswered", "");
        session_drop_link(session);
        return false;
    }
    session->flight.send_count++;
    session->flight.sent_ns = now_ns;
    give_text(session, out);
    return true;
}

/* Requests of a link that is up. @return whether `out` is filled; else *wake_ns says when to come
 * back. */
static bool next_request(nb__session *session, int64_t now_ns, nb__action *out, int64_t *wake_ns)
{
    flight *flying = &session->flight;
    if (flying->send_count > 0) {
        *wake_ns = flying->sent_ns + session->config.answer_timeout_ns;
        return now_ns >= *wake_ns && overdue(session, now_ns, out);
    }
    if (now_ns >= session->send_at_ns) {
        session->is_straggler_due = false;
        if (nb__slots_next_request(&session->slots, now_ns, &flying->request)) {
            flying->send_count = 1;
            flying->sent_ns = now_ns;
            give_text(session, out);
            return true;
        }
    }
    *wake_ns =
        session->slots.due_ns > session->send_at_ns ? session->slots.due_ns : session->send_at_ns;
    return false;
}

static void next_up(nb__session *session, int64_t now_ns, nb__action *out)
{
    int64_t silent_ns = session->alive_ns + session->config.watchdog_ns, request_ns = INT64_MAX;
    if (!session->is_closing && session->echo_bytes > 0) {
        bool as_text = session->config.pingpong_as_text || session->echo_bytes > PONG_MAX;
        *out = (nb__action){.kind = as_text ? NB__ACT_SEND_TEXT : NB__ACT_SEND_PONG,
                            .text = {session->echo, session->echo_bytes},
                            .topic = NB__TOPIC_NONE};
        session->echo_bytes = 0;
        return;
    }
    if (!session->is_closing && now_ns >= silent_ns) {
        session->counters.watchdog_drops++;
        session_set_cause(session, "the link is silent: not even a PINGPONG came", "");
        session_drop_link(session);
    }
    if (!session->is_closing && next_request(session, now_ns, out, &request_ns))
        return;
    if (session->is_close_due) {
        session->is_close_due = false;
        *out = (nb__action){.kind = NB__ACT_DISCONNECT, .text = nb__span(session->reason)};
        return;
    }
    if (!session->is_closing)
        out->wake_ns = request_ns < silent_ns ? request_ns : silent_ns;
}

void nb__session_next(nb__session *session, int64_t now_ns, nb__action *out)
{
    session_note_begin(session, now_ns);
    *out = (nb__action){.kind = NB__ACT_WAIT, .topic = NB__TOPIC_NONE, .wake_ns = INT64_MAX};
    session->counters.evictions = session->slots.evictions;
    if (session->is_link_noted) {
        session->is_link_noted = false;
        *out = (nb__action){.kind = NB__ACT_LINK,
                            .is_up = session->state == NB__SESSION_UP,
                            .text = nb__span(session->reason)};
        return;
    }
    uint32_t topic;
    if (nb__slots_next_note(&session->slots, &topic)) {
        *out = (nb__action){.kind = NB__ACT_REGISTRATION, .topic = topic};
        return;
    }
    if (session->state == NB__SESSION_IDLE ||
        (session->state == NB__SESSION_WAITING && now_ns >= session->next_try_ns))
        session_try_now(session, now_ns);
    if (session->is_save_due) {
        session->is_save_due = false;
        out->kind = NB__ACT_SAVE;
    } else if (session->state == NB__SESSION_WAITING) {
        out->wake_ns = session->next_try_ns;
    } else if (session->state == NB__SESSION_UP) {
        next_up(session, now_ns, out);
    } else if (session->is_action_due) {
        session->is_action_due = session->is_attempt_new = false;
        out->kind = session->state == NB__SESSION_APPROVING ? NB__ACT_APPROVE : NB__ACT_CONNECT;
    }
}

/* ---- wishes and views ---- */

nb_err nb__session_want(nb__session *session, uint32_t topic, nb__want who, uint32_t rank,
                        int64_t now_ns)
{
    (void)now_ns;
    return nb__slots_want(&session->slots, topic, who, rank);
}

void nb__session_release(nb__session *session, uint32_t topic, nb__want who, int64_t now_ns)
{
    nb__slots_release(&session->slots, topic, who, now_ns);
}

const nb__registration *nb__session_registration(const nb__session *session, uint32_t topic)
{
    static const nb__registration none;
    return topic < session->slots.topics_max ? &session->slots.registrations[topic] : &none;
}

uint32_t nb__session_slots_used(const nb__session *session)
{
    return session->slots.slot_count;
}

uint32_t nb__session_slots_free(const nb__session *session)
{
    return nb__slots_free(&session->slots);
}

uint32_t nb__session_budget_used(const nb__session *session, int64_t now_ns)
{
    return nb__manners_used(&session->manners, now_ns);
}

int64_t nb__session_next_try_ns(const nb__session *session)
{
    return session->next_try_ns;
}

int64_t nb__session_down_since_ns(const nb__session *session)
{
    return session->down_since_ns;
}

nb__session_state nb__session_state_of(const nb__session *session)
{
    return session->state;
}

int64_t nb__session_pingpong_time(const nb__session *session)
{
    return session->counters.pingpongs > 0 ? session->pingpong_time_ns : NB_TIME_UNDEF;
}

const char *nb__session_reason(const nb__session *session)
{
    return session->reason;
}

const nb__session_config *nb__session_config_of(const nb__session *session)
{
    return &session->config;
}

const nb__session_counters *nb__session_count(const nb__session *session)
{
    return &session->counters;
}
