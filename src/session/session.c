/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session: the link's life, one paced request in flight, PINGPONG, the watchdog, back-off.
 *
 * An attempt is one approval, if a key is needed, and one connection. It begins in one place,
 * begin_attempt(), when every gate of gate_of() is open, and is written down before (NB__ACT_SAVE).
 * Which registration is asked for next is the slots' matter (slots.c); what KIS blocks us for is
 * remembered in manners.c. Nothing allocates after nb__session_new(). There is no PING.
 */
#include "manners.h"
#include "slots.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ECHO_MAX 1024    /* a PINGPONG is 59 bytes; a longer "PINGPONG" than this is not answered */
#define PONG_MAX 125     /* RFC 6455 5.5: what a control frame holds */
#define REQUEST_MAX 8192 /* an approval key of 512 bytes, each escaped as \u00xx, and all else */
#define SOUND_LINK_NS (30 * NB__NS_PER_S)      /* data for so long resets the back-off */
#define KEY_LIFE_NS (23 * 3600 * NB__NS_PER_S) /* of 24 h: a stale one may silence the data */

typedef struct flight {
    nb__slot_request request;
    int64_t sent_ns;
    int send_count; /* 0: nothing is in flight */
} flight;

struct nb__session {
    nb__session_config config;
    nb__topics *topics;
    nb__slots slots;
    nb__manners manners;
    nb__session_counters counters;
    nb__session_state state;
    flight flight;
    int64_t began_ns; /* the first event or question */
    int64_t down_since_ns;
    int64_t backoff_until_ns;            /* after a failure */
    int64_t next_try_ns;                 /* WAITING: all gates are open then */
    int64_t stop_until_ns;               /* KIS ends every link until then */
    int64_t key_ns;                      /* when the approval key came */
    int64_t alive_ns;                    /* the last frame of any kind */
    int64_t send_at_ns;                  /* no request before */
    int64_t data_first_ns, data_last_ns; /* on this link; NB_TIME_UNDEF: none yet */
    int failures;                        /* in a row, for the back-off */
    bool is_reissued; /* a fresh approval key has been tried and no registration went through since
                       */
    bool is_straggler_due; /* a request was sent twice and answered once */
    bool is_retry_now;     /* the next wait is none */
    bool is_action_due;    /* APPROVE or CONNECT of this state is not given out yet */
    bool is_attempt_new;   /* nothing of the attempt is given out yet */
    bool is_key_good;      /* the next connection may use the key that we have */
    bool is_save_due;
    bool is_resting; /* no link is wanted; what is under way ends first */
    bool is_closing, is_close_due;
    bool is_link_noted;
    nb__random random;
    nb__request request; /* holds the approval key */
    nb__text text;       /* the request as sent; holds it too */
    char echo[ECHO_MAX];
    size_t echo_bytes;
    char cause[160], reason[288], rest_until[48];
};

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

/* ---- reasons: for people, without the approval key and without control characters ---- */

static void set_cause(nb__session *session, const char *what, const char *why)
{
    char *cause = session->cause;
    snprintf(cause, sizeof session->cause, "%s%s", what, why);
    nb__scrub(cause, session->request.approval_key);
    nb__make_printable(cause, strlen(cause)); /* a peer's words may be cut within a character */
}

static void set_reason(nb__session *session, const char *what_next)
{
    snprintf(session->reason, sizeof session->reason, "%s%s%s", session->cause,
             session->cause[0] != '\0' ? "; " : "", what_next);
}

/* ---- when to try ---- */

typedef enum gate { GATE_OPEN, GATE_WAIT, GATE_STOP, GATE_BUDGET } gate;

static bool has_good_key(const nb__session *session, int64_t now_ns)
{
    return session->is_key_good && now_ns - session->key_ns < KEY_LIFE_NS;
}

static int64_t later(int64_t a_ns, int64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

/* The gate that opens last, and when. */
static gate gate_of(const nb__session *session, int64_t now_ns, int64_t *opens_ns)
{
    gate last = GATE_WAIT;
    *opens_ns = later(session->backoff_until_ns, session->manners.in_use_until_ns);
    if (!has_good_key(session, now_ns))
        *opens_ns = later(*opens_ns, session->manners.approval_until_ns);
    if (session->stop_until_ns > *opens_ns) {
        last = GATE_STOP;
        *opens_ns = session->stop_until_ns;
    }
    if (nb__manners_free_ns(&session->manners) > *opens_ns) {
        last = GATE_BUDGET;
        *opens_ns = nb__manners_free_ns(&session->manners);
    }
    return now_ns >= *opens_ns ? GATE_OPEN : last;
}

/* "10 min", "90 s" */
static void print_span(char out[32], int64_t span_ns)
{
    long long seconds = (long long)((span_ns + NB__NS_PER_S - 1) / NB__NS_PER_S);
    if (seconds >= 60 && seconds % 60 == 0)
        snprintf(out, 32, "%lld min", seconds / 60);
    else
        snprintf(out, 32, "%lld s", seconds);
}

/* The breaker's words are for the log too, which knows a new state by all but the last clause. */
static void tell_wait(nb__session *session, gate closed, int64_t now_ns)
{
    char next[160], window[32];
    long long seconds =
        (long long)((session->next_try_ns - now_ns + NB__NS_PER_S - 1) / NB__NS_PER_S);
    print_span(window, session->config.connects_window_ns);
    uint32_t used = nb__manners_used(&session->manners, now_ns);
    if (closed == GATE_BUDGET)
        snprintf(next, sizeof next, "connect budget spent: %u in %s; next try in %lld s", used,
                 window, seconds);
    else if (closed == GATE_STOP)
        snprintf(next, sizeof next, "KIS ends every link at about this time; next try in %lld s",
                 seconds);
    else if (session->manners.attempts_max > 0)
        snprintf(next, sizeof next, "next try in %lld s (%u of %u used in %s)", seconds, used,
                 session->manners.attempts_max, window);
    else
        snprintf(next, sizeof next, "next try in %lld s", seconds);
    set_reason(session, next);
}

static void wait_until(nb__session *session, gate closed, int64_t until_ns, int64_t now_ns)
{
    if (closed == GATE_BUDGET && session->counters.is_breaker_open == 0)
        session->counters.breaker_openings++;
    session->counters.is_breaker_open = closed == GATE_BUDGET;
    session->state = NB__SESSION_WAITING;
    session->next_try_ns = until_ns;
    tell_wait(session, closed, now_ns);
}

static void begin_attempt(nb__session *session, int64_t now_ns)
{
    nb__manners_attempt(&session->manners, now_ns);
    session->counters.is_breaker_open = 0;
    session->state = has_good_key(session, now_ns) ? NB__SESSION_CONNECTING : NB__SESSION_APPROVING;
    session->next_try_ns = INT64_MAX;
    session->is_action_due = session->is_attempt_new = session->is_save_due = true;
    set_reason(session, "connecting");
}

/* Begin an attempt if every gate is open; else wait. */
static void try_now(nb__session *session, int64_t now_ns)
{
    int64_t opens_ns;
    gate closed = gate_of(session, now_ns, &opens_ns);
    if (closed == GATE_OPEN)
        begin_attempt(session, now_ns);
    else
        wait_until(session, closed, opens_ns, now_ns);
}

/* The next wait: doubled each failure with ± 20 % jitter, so that many clients of a restarted
 * server come one by one. */
static int64_t back_off_ns(nb__session *session)
{
    int64_t wait_ns = session->config.backoff_min_ns, max_ns = session->config.backoff_max_ns;
    for (int i = 0; i < session->failures && wait_ns < max_ns; i++)
        wait_ns *= 2;
    if (wait_ns > max_ns)
        wait_ns = max_ns;
    if (session->failures < INT_MAX)
        session->failures++;
    return wait_ns / 100 * (int64_t)(80 + nb__random_below(&session->random, 41));
}

static void go_to_rest(nb__session *session)
{
    session->state = NB__SESSION_RESTING;
    session->next_try_ns = INT64_MAX;
    session->is_action_due = session->is_attempt_new = session->is_retry_now = false;
    session->counters.is_breaker_open = 0;
    session->cause[0] = '\0';
    char words[sizeof session->rest_until + 32];
    snprintf(words, sizeof words, "resting %s", session->rest_until);
    set_reason(session, words);
}

/* After an attempt that failed or a link that was lost. A loss while KIS ends every link is no
 * failure. */
static void wait_and_retry(nb__session *session, int64_t now_ns)
{
    if (session->is_resting) {
        go_to_rest(session);
        return;
    }
    bool is_free = session->is_retry_now || now_ns < session->stop_until_ns;
    session->is_retry_now = false;
    session->backoff_until_ns = is_free ? now_ns : now_ns + back_off_ns(session);
    int64_t opens_ns;
    gate closed = gate_of(session, now_ns, &opens_ns);
    wait_until(session, closed, opens_ns, now_ns);
}

/* ---- the link's life ---- */

/* Give the link up from our side; the cause is set. */
static void drop_link(nb__session *session)
{
    if (session->state != NB__SESSION_UP || session->is_closing)
        return;
    session->is_closing = session->is_close_due = true;
    set_reason(session, "closing the link");
}

void nb__session_on_approved(nb__session *session, const char *approval_key, int64_t now_ns)
{
    if (session->state != NB__SESSION_APPROVING)
        return;
    if (strlen(approval_key) > NB__APPROVAL_KEY_MAX) {
        nb__session_on_approval_failed(session, NB__APPROVAL_LOCKED,
                                       "the approval key is longer than 512 bytes", now_ns);
        return;
    }
    explicit_bzero(session->request.approval_key, sizeof session->request.approval_key);
    memcpy(session->request.approval_key, approval_key, strlen(approval_key));
    session->counters.approvals++;
    session->is_key_good = true;
    session->key_ns = now_ns;
    nb__manners_approved(&session->manners);
    if (session->is_resting) {
        go_to_rest(session);
        return;
    }
    nb__manners_attempt_goes_on(&session->manners, now_ns);
    session->state = NB__SESSION_CONNECTING;
    session->is_action_due = session->is_save_due = true;
}

void nb__session_on_approval_failed(nb__session *session, nb__approval_class class_,
                                    const char *reason, int64_t now_ns)
{
    if (session->state != NB__SESSION_APPROVING)
        return;
    session->counters.approval_failures++;
    set_cause(session, "no approval key: ", reason);
    nb__manners_approval_failed(&session->manners, class_, &session->random, now_ns);
    session->is_save_due = class_ != NB__APPROVAL_RETRY;
    wait_and_retry(session, now_ns);
}

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
        set_cause(session, "outside the hours", "");
        drop_link(session);
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
        set_cause(session, was_up ? "link lost: " : "cannot connect: ", reason);
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
    wait_and_retry(session, now_ns);
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
    if (is_twice && !is_done && flying->request.is_register &&
        answer->reaction != NB__REACT_FATAL) {
        set_cause(session, "asked twice and refused: unclear whether the server has it", "");
        drop_link(session); /* it forgets; a guess could take a registration too many */
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
        set_cause(session, words, " (another program holds this appkey's only session)");
        session->counters.in_use++;
        nb__manners_in_use(&session->manners, &session->random, now_ns);
        session->is_save_due = true;
        drop_link(session);
    } else if (answer->reaction == NB__REACT_REISSUE) {
        set_cause(session, "the server refuses the approval key: ", words);
        session->is_retry_now =
            !session->is_reissued; /* once at once; then back off like any failure */
        session->is_reissued = true;
        session->is_key_good = false;
        drop_link(session);
    }
}

static void on_pingpong(nb__session *session, nb_span text)
{
    session->counters.pingpongs++;
    if (text.size_bytes > sizeof session->echo)
        return;
    memcpy(session->echo, text.data, text.size_bytes);
    session->echo_bytes = text.size_bytes;
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
    if (session->state != NB__SESSION_UP || session->is_closing)
        return false;
    nb__answer answer;
    nb__server_message kind = nb__server_message_parse(text, &answer);
    if (kind == NB__SERVER_PINGPONG) {
        on_pingpong(session, text);
    } else if (kind == NB__SERVER_ANSWER) {
        nb__scrub(answer.msg1, session->request.approval_key);
        on_answer(session, &answer, now_ns);
        explicit_bzero(&answer, sizeof answer);
    } else if (kind == NB__SERVER_OTHER) {
        session->counters.answers_unknown++;
    }
    return false;
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
        set_cause(session, "the server leaves a request unanswered", "");
        drop_link(session);
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
        set_cause(session, "the link is silent: not even a PINGPONG came", "");
        drop_link(session);
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

/* The session's first moment: what it has been down since. */
static void note_begin(nb__session *session, int64_t now_ns)
{
    if (session->began_ns == NB_TIME_UNDEF)
        session->began_ns = session->down_since_ns = now_ns;
}

void nb__session_next(nb__session *session, int64_t now_ns, nb__action *out)
{
    note_begin(session, now_ns);
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
        try_now(session, now_ns);
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

/* ---- hours ---- */

void nb__session_rest(nb__session *session, const char *until, int64_t now_ns)
{
    note_begin(session, now_ns);
    session->is_resting = true;
    snprintf(session->rest_until, sizeof session->rest_until, "%s", until);
    nb__make_printable(session->rest_until, strlen(session->rest_until));
    bool is_under_way =
        (session->state == NB__SESSION_APPROVING || session->state == NB__SESSION_CONNECTING) &&
        !session->is_action_due;
    if (session->state == NB__SESSION_UP && !session->is_closing) {
        set_cause(session, "outside the hours", "");
        drop_link(session);
    } else if (session->state != NB__SESSION_UP && !is_under_way) {
        go_to_rest(session);
    }
}

void nb__session_wake(nb__session *session, int64_t now_ns)
{
    note_begin(session, now_ns);
    session->is_resting = session->is_key_good = session->is_reissued = false;
    if (session->state != NB__SESSION_RESTING)
        return;
    session->failures = 0;
    session->down_since_ns = session->backoff_until_ns = now_ns;
    session->cause[0] = '\0';
    int64_t opens_ns;
    gate closed = gate_of(session, now_ns, &opens_ns);
    wait_until(session, closed, later(opens_ns, now_ns), now_ns);
}

void nb__session_expect_stop(nb__session *session, int64_t until_ns)
{
    session->stop_until_ns = until_ns;
}

/* ---- the memory ---- */

void nb__session_memory_print(const nb__session *session, int64_t now_ns, int64_t now_real_ns,
                              nb__text *out)
{
    nb__manners_print(&session->manners, now_ns, now_real_ns, out);
}

nb_err nb__session_memory_parse(nb__session *session, nb_span text, int64_t now_ns,
                                int64_t now_real_ns, nb_error *error)
{
    note_begin(session, now_ns);
    nb_err err = nb__manners_parse(&session->manners, text, now_ns, now_real_ns, error);
    if (session->manners.in_use_until_ns > now_ns)
        set_cause(session, "OPSP8996 ALREADY IN USE appkey, still waited out from before", "");
    else if (session->manners.approval_until_ns > now_ns)
        set_cause(session, "the approval was refused, still waited out from before", "");
    return err;
}

void nb__session_on_unsaved(nb__session *session, int64_t now_ns)
{
    if (!session->is_attempt_new || session->manners.attempts_max == 0)
        return;
    nb__manners_attempt_withdrawn(&session->manners);
    int64_t seldom_ns = nb__manners_seldom_ns(&session->manners, session->began_ns);
    if (now_ns >= seldom_ns) {
        nb__manners_attempt(&session->manners, now_ns);
        return;
    }
    session->is_action_due = session->is_attempt_new = false;
    set_cause(session, "the record of connects cannot be saved, so they are kept rare", "");
    wait_until(session, GATE_WAIT, seldom_ns, now_ns);
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

const char *nb__session_reason(const nb__session *session)
{
    return session->reason;
}

const nb__session_counters *nb__session_count(const nb__session *session)
{
    return &session->counters;
}
