/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The look-alike's server, private to the room.
 *
 *     server.c        life, the session clock, what runs by time: frames, PINGPONG, the next night
 *     delivery.c      a frame to those who registered its keys
 *     conversation.c  a WebSocket client's requests and their answers
 *     http.c          approval, token, master files, the plain page
 *     approval.c      which approval keys were issued
 *     truth.c         the file of all records made
 *     fault_run.c     faults that strike by time: cuts, the Friday restart, what was held back
 *     fault_line.c    faults of what is sent to one client
 *     fault_http.c    faults of the approval
 *
 * Without faults a client has no line, and each place that could offer an opportunity tests one
 * bit.
 */
#ifndef NB_SIM_SERVER_H
#define NB_SIM_SERVER_H

#include "fault.h"
#include "market.h"
#include "sim.h"
#include <stdio.h>

/** With any_approval_key a key is its own appkey. */
#define NB__SIM_APPKEY_MAX NB__APPROVAL_KEY_MAX

/* ---- approval.c ---- */

#define NB__SIM_APPROVALS_MAX 16384 /**< power of two; the oldest is forgotten */
#define NB__SIM_APPROVAL_LIFE_NS NB__NS_PER_DAY
#define NB__SIM_APPROVAL_SIZE 36

typedef struct nb__sim_approval {
    char key[NB__SIM_APPROVAL_SIZE + 1];
    char appkey[64];
    int64_t issued_mono_ns;
} nb__sim_approval;

typedef struct nb__sim_approvals {
    nb__sim_approval *rows;
    uint32_t issued_count;
    uint32_t mask; /* hides the row's number in its key */
} nb__sim_approvals;
nb_err nb__sim_approvals_init(nb__sim_approvals *approvals);
void nb__sim_approvals_fini(nb__sim_approvals *approvals);
/** @return the new key, valid until NB__SIM_APPROVALS_MAX more were issued. */
const char *nb__sim_approval_issue(nb__sim_approvals *approvals, const char *appkey,
                                   int64_t mono_ns);
/** @return the appkey behind a key that was issued here and is younger than a day; NULL when there
 * is none. */
const char *nb__sim_approval_find(const nb__sim_approvals *approvals, const char *key,
                                  int64_t mono_ns);

/* ---- what faults keep ---- */

/** Bytes that wait for their time. */
typedef struct nb__sim_parcel {
    struct nb__sim_parcel *next;
    int64_t due_mono_ns;
    int64_t gap_ns;   /**< between single bytes; −1: all at once */
    bool is_awaiting; /**< held back for the next answer */
    size_t size_bytes, sent_bytes;
    char bytes[];
} nb__sim_parcel;

typedef struct nb__sim_parcels {
    nb__sim_parcel *first, *last;
    size_t size_bytes;
} nb__sim_parcels;

/** What faults keep for a client. */
typedef struct nb__sim_line {
    nb__sim_parcels outbox;  /**< framed bytes, in the order of sending */
    nb__sim_parcels answers; /**< texts of answers */
    nb__text pack;           /**< a frame that gathers records */
    uint32_t pack_count, pack_extra_fields;
    int64_t pack_due_mono_ns;
    int64_t pingpong_mono_ns; /**< when the late PINGPONG comes; 0: none is owed */
    int64_t cut_mono_ns;      /**< when cut_kind strikes; INT64_MAX: never */
    int64_t half_open_ns;     /**< how long it then lasts */
    bool is_cut_inside;       /**< not before its next message, and within that */
    int64_t reset_mono_ns;    /**< when a half-open connection is noticed; INT64_MAX: never */
    uint8_t cut_kind;
    bool is_tearing; /**< its next message is the last, and only begins */
    bool is_mute;
} nb__sim_line;

/** An approval that is answered later. */
typedef struct nb__sim_slow {
    struct nb__sim_slow *next;
    nb__peer *peer;
    int64_t due_mono_ns;
    int status;
    nb__text body;
} nb__sim_slow;

/** How often an appkey asked for approval. */
typedef struct nb__sim_lockout {
    char appkey[64];
    int64_t minute_mono_ns, end_mono_ns;
    int64_t count;
} nb__sim_lockout;
#define NB__SIM_LOCKOUTS_MAX 32

/* ---- clients ---- */

typedef struct nb__sim_registration {
    nb__topic topic;
    uint32_t series_index; /**< UINT32_MAX: accepted, and silent for ever */
} nb__sim_registration;

typedef struct nb__sim_client nb__sim_client;
struct nb__sim_client {
    nb__sim *sim;
    nb__peer *peer;
    nb__sim_client *previous, *next;
    bool is_session; /**< its approval key was accepted */
    char appkey[NB__SIM_APPKEY_MAX + 1];
    uint64_t secret; /**< iv and key of its answers come from it */
    nb__sim_registration *registrations;
    uint32_t registration_count, registration_capacity;
    int64_t sent_mono_ns;  /**< last traffic to it */
    int64_t asked_mono_ns; /**< of the first PINGPONG since it last gave a sign of life; 0: none */
    uint32_t record_mask;  /**< records of the frame in hand that it gets */
    nb__sim_client *next_touched;
    nb__sim_line *line; /**< NULL: there are no faults */
};

/** Clients that registered one series. */
typedef struct nb__sim_subscribers {
    nb__sim_client **clients;
    uint32_t count, capacity;
} nb__sim_subscribers;

typedef struct nb__sim_hold {
    char appkey[NB__SIM_APPKEY_MAX + 1];
    int64_t end_mono_ns;
} nb__sim_hold;
#define NB__SIM_HOLDS_MAX 32

struct nb__sim {
    nb__sim_config config;
    nb__loop *loop;
    nb__server *server;
    nb__timer frame_timer, pingpong_timer;
    nb__market *market;
    nb_night night;
    nb__session_clock clock;
    int64_t at_mono_ns; /**< of clock.at_session_ns */
    nb__sim_client *clients;
    nb__sim_subscribers *subscribers; /**< by series */
    nb__sim_approvals approvals;
    nb__sim_hold holds[NB__SIM_HOLDS_MAX];
    uint32_t hold_at;
    FILE *truth;
    nb__text truth_text;
    nb__sim_frame frame; /**< the one in hand */
    char record_texts[NB__SIM_RECORDS_MAX][NB__SIM_RECORD_TEXT_MAX];
    size_t record_sizes[NB__SIM_RECORDS_MAX];
    nb__text answer;
    char atm_code[10];
    bool is_down;
    nb__sim_schedule schedule;
    nb__timer fault_timer;
    int64_t start_mono_ns; /**< 0 of the schedule's clock */
    nb__sim_damage damage; /**< of the frame in hand */
    nb__text framed;       /**< the message in hand */
    nb__sim_slow *slow;    /**< approvals that are answered later */
    nb__sim_lockout lockouts[NB__SIM_LOCKOUTS_MAX];
    uint32_t lockout_at;
    int64_t restart_mono_ns; /**< when the Friday restart begins; INT64_MAX: not */
    int64_t refused_ns;      /**< for how long it then refuses */
    int64_t listen_mono_ns;  /**< when it listens again; INT64_MAX: it does */
};

/* ---- conversation.c ---- */
void nb__sim_client_opened(void *self, nb__peer *peer);
void nb__sim_client_message(void *self, nb__peer *peer, const nb__ws_event *event);
void nb__sim_client_alive(void *self, nb__peer *peer);
bool nb__sim_client_control(void *self, nb__peer *peer, const nb__ws_event *event);
void nb__sim_client_closed(void *self, nb__peer *peer, const char *detail);
/** PINGPONG to the idle, an end to those who leave it unanswered. */
void nb__sim_clients_pingpong(nb__sim *sim, int64_t now_mono_ns);
void nb__sim_client_pingpong(nb__sim_client *client, int64_t now_mono_ns);
/** Forget a client's registrations; it goes on. */
void nb__sim_client_unregister_all(nb__sim_client *client);
/** Its appkey's session is over: registrations go, the hold begins. */
void nb__sim_client_end_session(nb__sim_client *client);

/* ---- delivery.c ---- */
/** @return false when there is no memory. */
bool nb__sim_subscribe(nb__sim *sim, uint32_t series_index, nb__sim_client *client);
void nb__sim_unsubscribe(nb__sim *sim, uint32_t series_index, nb__sim_client *client);
/** Whether anybody registered one of sim->frame's keys. */
bool nb__sim_is_wanted(const nb__sim *sim);
/** Send sim->frame, as sim->damage leaves it, to all who registered one of its keys. */
void nb__sim_deliver(nb__sim *sim, int64_t now_mono_ns);

/* ---- http.c ---- */
#define NB__SIM_JSON_TYPE "application/json;charset=UTF-8"
void nb__sim_request(void *self, nb__peer *peer, const nb__http_message *request);

/* ---- fault_run.c ---- */
void nb__sim_faults_run(nb__timer *timer, int64_t now_mono_ns);
/** A client is there: plan its end where a fault wants it. */
void nb__sim_faults_opened(nb__sim_client *client);
/** Run at `at_mono_ns` at the latest. */
void nb__sim_faults_wake(nb__sim *sim, int64_t at_mono_ns);
/** Log it, where that is wanted. */
void nb__sim_fault_tell(const nb__sim *sim, const nb__sim_fault *fault, const char *whom);
nb__sim_armed *nb__sim_strike_now(nb__sim *sim, nb__sim_fault_kind kind, const char *whom);
/** Offer an opportunity. @param whom  A peer's name, for the log; NULL: too frequent to be told.
 * @return NULL when none is taken. */
static inline nb__sim_armed *nb__sim_strike(nb__sim *sim, nb__sim_fault_kind kind, const char *whom)
{
    return (sim->schedule.kinds >> kind & 1) == 0 ? NULL : nb__sim_strike_now(sim, kind, whom);
}

/* ---- fault_line.c ---- */
/** @return false when there is no memory. */
bool nb__sim_line_open(nb__sim_client *client);
void nb__sim_line_close(nb__sim_client *client);
/** End it as line->cut_kind says: EOF or RST. */
void nb__sim_line_end(nb__sim_client *client);
/** Nothing more is sent to it, and what waits is dropped. */
void nb__sim_line_mute(nb__sim_client *client);
void nb__sim_line_send(nb__sim_client *client, nb_span text);
void nb__sim_line_answer(nb__sim_client *client, nb_span text);
/** A data frame of so many records. */
void nb__sim_line_frame(nb__sim_client *client, nb_span text, uint32_t record_count);
/** Whether PINGPONG is sent now: it is not when it is late or missing. */
bool nb__sim_line_pings(nb__sim_client *client, int64_t now_mono_ns);
/** Send what is due. @return when the next is; INT64_MAX: nothing waits. */
int64_t nb__sim_line_run(nb__sim_client *client, int64_t now_mono_ns);

/* ---- fault_http.c ---- */
/** @return 0: no fault refuses this approval; else the HTTP status, and the body. */
int nb__sim_fault_approval(nb__sim *sim, nb__peer *peer, const char *appkey, nb__text *body);
/** Answer an approval, now or later. */
void nb__sim_fault_respond(nb__sim *sim, nb__peer *peer, int status, nb_span body);
int64_t nb__sim_slow_run(nb__sim *sim, int64_t now_mono_ns);
void nb__sim_slow_fini(nb__sim *sim);

/* ---- truth.c ---- */
nb_err nb__sim_truth_open(nb__sim *sim, nb_error *error);
void nb__sim_truth_write(nb__sim *sim); /**< sim->frame; nothing when there is no file */
void nb__sim_truth_flush(nb__sim *sim);
void nb__sim_truth_close(nb__sim *sim);

#endif
