/* SPDX-License-Identifier: Apache-2.0 */
/**
 * session, L2: one client conversation with KIS (or one who speaks like it), as a pure state
 * machine.
 *
 * Owns: the approval key's life, connect and back-off, the registrations (at most
 * `registrations_max`, one request in flight, paced), PINGPONG, the watchdog. Does not own:
 * sockets, HTTP, clocks, the data. The caller feeds events with a monotonic time and does what
 * nb__session_next() asks for.
 *
 *     IDLE ─▶ APPROVING ─▶ CONNECTING ─▶ UP ─▶ (lost) ─▶ WAITING ─▶ CONNECTING …
 *
 * The approval key is kept for a night: a fresh one at a night's first connect, after OPSP0011
 * (once), and when the old one is a day old.
 */
#ifndef NB_SESSION_H
#define NB_SESSION_H

#include "base/base.h"
#include "kis/kis.h"

typedef enum nb__registration_state {
    NB__REG_NONE,      /**< not wanted */
    NB__REG_PENDING,   /**< wanted; request not yet sent or answered */
    NB__REG_CONFIRMED, /**< OPSP0000 or OPSP0002 */
    NB__REG_REJECTED,  /**< refused for good; `answer` says how */
    NB__REG_LINGERING  /**< confirmed, nobody wants it; given back after linger_ns or when its slot
                          is needed */
} nb__registration_state;
const char *nb__registration_state_name(nb__registration_state state);

/** Who wants a registration; a higher one takes the slot of a lower one. */
typedef enum nb__want {
    NB__WANT_NOBODY,
    NB__WANT_WINDOW, /**< nightbook's own choice: strikes around the money; yields to clients */
    NB__WANT_CLIENT, /**< at least one client asked */
    NB__WANT_PINNED  /**< named in the configuration; never yields */
} nb__want;

typedef struct nb__session_config {
    uint32_t registrations_max; /**< 41 at KIS */
    char custtype;              /**< 'P' or 'B' */
    bool pingpong_as_text;      /**< false: PONG frame, as the official sample */
    int64_t request_gap_ns; /**< pause after an answer before the next request; 50–100 ms at KIS */
    int64_t answer_timeout_ns; /**< a request without an answer: retried once, then the link is
                                  dropped */
    int64_t watchdog_ns;       /**< no frame at all for so long: the link is dropped */
    int64_t linger_ns;         /**< how long an unwanted registration stays */
    int64_t backoff_min_ns,
        backoff_max_ns; /**< doubled each failure, ± 20 % jitter; reset after data flowed 30 s */
    int64_t in_use_wait_ns; /**< after OPSP8996, ≥ 60 s; longer each time in a row, to 10 min */
    uint32_t connects_max;  /**< connect budget: so many attempts (an approval if one is needed, and
                               a connection), 40 at most … */
    int64_t
        connects_window_ns; /**< … within so long; then the breaker is open. connects_max 0: none */
    uint64_t seed;          /**< jitter */
} nb__session_config;
/** KIS's manners: 41, 'P', PONG, 80 ms, 10 s, 45 s, 10 min, 1–60 s, 60 s, 4 in 10 min. */
nb__session_config nb__session_config_default(void);

typedef enum nb__session_state {
    NB__SESSION_IDLE,
    NB__SESSION_APPROVING,
    NB__SESSION_CONNECTING,
    NB__SESSION_UP,
    NB__SESSION_WAITING,
    NB__SESSION_RESTING /**< outside its hours: no link is wanted */
} nb__session_state;
const char *nb__session_state_name(nb__session_state state);

typedef struct nb__session nb__session;
/** @param topics  Shared; outlives the session. All memory is taken here. */
nb__session *nb__session_new(const nb__session_config *config, nb__topics *topics,
                             uint32_t topics_max);
void nb__session_free(nb__session *session);

/* ---- what the caller wants ---- */
/**
 * Want a topic, also for one more reason. Takes a free slot, else a lingering one, else that of the
 * WINDOW topic with the highest rank (when `who` is CLIENT or PINNED), else, for PINNED, of a
 * client's (which is then REJECTED with OPSP0008). Asked for in the order PINNED, CLIENT, WINDOW by
 * rank; after a reconnect too. A PINNED or WINDOW topic that loses its slot stays wanted and
 * PENDING and takes the next one that comes free, until it is released.
 *
 * @param rank  WINDOW only: how far from the money; wanting it again gives it a new rank.
 * @retval NB_OK       pending, confirmed, or back from lingering; see nb__session_registration().
 * @retval NB_E_LIMIT  every slot is held by someone as important: answer OPSP0008. Nothing changed.
 */
nb_err nb__session_want(nb__session *session, uint32_t topic, nb__want who, uint32_t rank,
                        int64_t now_ns);
/** One reason less (the last client left, the window moved on). Without any, a topic lingers for
 * linger_ns after its last client left; one that no client wanted is given back at once. */
void nb__session_release(nb__session *session, uint32_t topic, nb__want who, int64_t now_ns);

typedef struct nb__registration {
    nb__registration_state state;
    nb__want who;
    nb__answer answer; /**< KIS's last answer about it, without its secrets */
} nb__registration;
/** Valid until the next call. */
const nb__registration *nb__session_registration(const nb__session *session, uint32_t topic);
uint32_t nb__session_slots_used(const nb__session *session);
/** How many more could be wanted now without taking a slot from one who wants it: free and
 * lingering ones, within the limit that the server last showed. */
uint32_t nb__session_slots_free(const nb__session *session);

/* ---- hours: the caller knows the calendar ---- */
/** No link is wanted; one that is up is closed politely. `until` is for people ("until Mon 17:45").
 */
void nb__session_rest(nb__session *session, const char *until, int64_t now_ns);
/** The hours begin: connect, with a fresh approval key. A new session is awake. */
void nb__session_wake(nb__session *session, int64_t now_ns);
/** KIS ends every link at about this time (07:50): a loss now is none of anyone's failure, and the
 * next try waits until it is over. */
void nb__session_expect_stop(nb__session *session, int64_t until_ns);

/* ---- what outlives the process: the connect budget, waits, approval back-off; no secret ---- */
/** One line of text, ≤ 1 KiB, in real time; see manners.c for its form. */
void nb__session_memory_print(const nb__session *session, int64_t now_ns, int64_t now_real_ns,
                              nb__text *out);
/**
 * Before the first nb__session_next(). A clock that went forward shortens a wait by no more than it
 * moved; one that went back makes none longer than the longest there is.
 * @retval NB_E_FRAME  Not understood: the budget counts as spent just now, so that a broken file
 * never makes connects faster.
 */
nb_err nb__session_memory_parse(nb__session *session, nb_span text, int64_t now_ns,
                                int64_t now_real_ns, nb_error *error);

/* ---- what happened ---- */
void nb__session_on_approved(nb__session *session, const char *approval_key, int64_t now_ns);
/** `class_`: how long to wait (kis.h). The words of a server may be given as they are. */
void nb__session_on_approval_failed(nb__session *session, nb__approval_class class_,
                                    const char *reason, int64_t now_ns);
/** Before on_closed() or on_approval_failed(): the attempt reached nobody (no such name, no
 * network, nobody listens). It costs this process no budget; the back-off goes on, and the memory
 * keeps it until the next attempt. */
void nb__session_on_unreached(nb__session *session);
void nb__session_on_opened(nb__session *session, int64_t now_ns);
void nb__session_on_alive(nb__session *session, int64_t now_ns); /**< any frame */
/** @return true: data, the caller passes it on. False: control, dealt with (an answer, PINGPONG,
 * unknown JSON). */
bool nb__session_on_message(nb__session *session, nb_span text, int64_t now_ns);
void nb__session_on_closed(nb__session *session, const char *reason, int64_t now_ns);
/** What the last control message was; `*answer`, if it was one, without its secrets. Valid until
 * the next message. */
nb__server_message nb__session_heard(const nb__session *session, const nb__answer **answer);

/** The memory could not be written (said at once after NB__ACT_SAVE): the attempt that was about to
 * begin keeps the budget's mean distance from the last one and from the session's begin, so that a
 * process that crashes in a loop and cannot remember does not connect in a loop. */
void nb__session_on_unsaved(nb__session *session, int64_t now_ns);

/* ---- what to do next ---- */
typedef enum nb__action_kind {
    NB__ACT_WAIT,         /**< nothing until wake_ns (INT64_MAX: until an event) */
    NB__ACT_APPROVE,      /**< get an approval key, then on_approved / on_approval_failed */
    NB__ACT_CONNECT,      /**< open the link, then on_opened / on_closed */
    NB__ACT_SEND_TEXT,    /**< send `text`; holds the approval key: never log it */
    NB__ACT_SEND_PONG,    /**< send `text` as a PONG frame */
    NB__ACT_DISCONNECT,   /**< close the link (bounded), then on_closed */
    NB__ACT_REGISTRATION, /**< `topic` changed its state: tell who wants it */
    NB__ACT_LINK,         /**< the link went up or down (`is_up`), `text` says why */
    NB__ACT_SAVE          /**< write nb__session_memory_print() now; given before every attempt and
                               after what lengthens a wait. When that fails: nb__session_on_unsaved() */
} nb__action_kind;
typedef struct nb__action {
    nb__action_kind kind;
    nb_span text; /**< valid until the next call */
    uint32_t topic;
    bool is_up;
    int64_t wake_ns;
} nb__action;
/** Call after every event and at wake_ns, until it says WAIT. */
void nb__session_next(nb__session *session, int64_t now_ns, nb__action *out);

typedef struct nb__session_counters {
    uint64_t connects, losses, approvals, approval_failures, requests, answers, answers_unknown,
        answers_refused, answer_timeouts, pingpongs, watchdog_drops, evictions, in_use,
        breaker_openings, is_breaker_open, /**< gauge: the connect budget is spent */
        up;                                /**< gauge: 1 while UP */
} nb__session_counters;
extern const nb__metric nb__session_metrics[];
extern const size_t nb__session_metric_count;
const nb__session_counters *nb__session_count(const nb__session *session);
nb__session_state nb__session_state_of(const nb__session *session);
const nb__session_config *nb__session_config_of(const nb__session *session);
/** Why the link is down and what is waited for, for people; "" when up. */
const char *nb__session_reason(const nb__session *session);
/** What the server's last PINGPONG said of the time, UTC ns, to the second; NB_TIME_UNDEF: nothing.
 */
int64_t nb__session_pingpong_time(const nb__session *session);
/** Put the reason into words again: a time that it names ("next try in 312 s") goes on. */
void nb__session_retell(nb__session *session, int64_t now_ns);
/** When the link went down (or the session began or woke); meaningless while up or resting. */
int64_t nb__session_down_since_ns(const nb__session *session);
/** Attempts within the budget's window. */
uint32_t nb__session_budget_used(const nb__session *session, int64_t now_ns);
/** WAITING: when the next attempt begins. Else INT64_MAX. */
int64_t nb__session_next_try_ns(const nb__session *session);

#endif
