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
 *     IDLE ─▶ APPROVING ─▶ CONNECTING ─▶ UP ─▶ (lost) ─▶ WAITING ─▶ APPROVING …
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
    NB__WANT_OWN,    /**< nightbook's own choice: keys nearest the money */
    NB__WANT_CLIENT, /**< at least one client asked */
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
    int64_t in_use_wait_ns; /**< after OPSP8996, ≥ 60 s */
    uint64_t seed;          /**< jitter */
} nb__session_config;
/** KIS's manners: 41, 'P', PONG, 80 ms, 10 s, 45 s, 10 min, 1–60 s, 60 s. */
nb__session_config nb__session_config_default(void);

typedef enum nb__session_state {
    NB__SESSION_IDLE,
    NB__SESSION_APPROVING,
    NB__SESSION_CONNECTING,
    NB__SESSION_UP,
    NB__SESSION_WAITING
} nb__session_state;
const char *nb__session_state_name(nb__session_state state);

typedef struct nb__session nb__session;
/** @param topics  Shared; outlives the session. All memory is taken here. */
nb__session *nb__session_new(const nb__session_config *config, nb__topics *topics,
                             uint32_t topics_max);
void nb__session_free(nb__session *session);

/* ---- what the caller wants ---- */
/**
 * Want a topic. Raises who wants it; takes a free slot, else a lingering one, else an OWN one
 * farther down the list (when `who` is CLIENT).
 * @retval NB_OK       pending, confirmed, or back from lingering; see nb__session_registration().
 * @retval NB_E_LIMIT  every slot is held by someone as important: answer OPSP0008.
 */
nb_err nb__session_want(nb__session *session, uint32_t topic, nb__want who, int64_t now_ns);
/** The last client left: falls back to OWN when that was wanted too, else lingers. */
void nb__session_release(nb__session *session, uint32_t topic, int64_t now_ns);

typedef struct nb__registration {
    nb__registration_state state;
    nb__want who;
    nb__answer answer; /**< KIS's last answer about it (iv and key wiped) */
} nb__registration;
/** Valid until the next call. */
const nb__registration *nb__session_registration(const nb__session *session, uint32_t topic);
uint32_t nb__session_slots_used(const nb__session *session);

/* ---- what happened ---- */
void nb__session_on_approved(nb__session *session, const char *approval_key, int64_t now_ns);
void nb__session_on_approval_failed(nb__session *session, const char *reason, int64_t now_ns);
void nb__session_on_opened(nb__session *session, int64_t now_ns);
void nb__session_on_alive(nb__session *session, int64_t now_ns); /**< any frame */
/** @return true: data, the caller passes it on. False: control, dealt with (an answer, PINGPONG,
 * unknown JSON). */
bool nb__session_on_message(nb__session *session, nb_span text, int64_t now_ns);
void nb__session_on_closed(nb__session *session, const char *reason, int64_t now_ns);

/* ---- what to do next ---- */
typedef enum nb__action_kind {
    NB__ACT_WAIT,         /**< nothing until wake_ns (INT64_MAX: until an event) */
    NB__ACT_APPROVE,      /**< get an approval key, then on_approved / on_approval_failed */
    NB__ACT_CONNECT,      /**< open the link, then on_opened / on_closed */
    NB__ACT_SEND_TEXT,    /**< send `text`; holds the approval key: never log it */
    NB__ACT_SEND_PONG,    /**< send `text` as a PONG frame */
    NB__ACT_DISCONNECT,   /**< close the link (bounded), then on_closed */
    NB__ACT_REGISTRATION, /**< `topic` changed its state: tell who wants it */
    NB__ACT_LINK          /**< the link went up or down (`is_up`), `text` says why */
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
        answers_refused, answer_timeouts, pingpongs, watchdog_drops, evictions,
        up; /**< up: gauge, 1 while UP */
} nb__session_counters;
extern const nb__metric nb__session_metrics[];
extern const size_t nb__session_metric_count;
const nb__session_counters *nb__session_count(const nb__session *session);
nb__session_state nb__session_state_of(const nb__session *session);
/** Why the link is down and what is waited for, for people; "" when up. */
const char *nb__session_reason(const nb__session *session);

#endif
