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
 */
#ifndef NB_SIM_SERVER_H
#define NB_SIM_SERVER_H

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
};

/* ---- conversation.c ---- */
void nb__sim_client_opened(void *self, nb__peer *peer);
void nb__sim_client_message(void *self, nb__peer *peer, const nb__ws_event *event);
void nb__sim_client_alive(void *self, nb__peer *peer);
void nb__sim_client_closed(void *self, nb__peer *peer, const char *detail);
/** PINGPONG to the idle, an end to those who leave it unanswered. */
void nb__sim_clients_pingpong(nb__sim *sim, int64_t now_mono_ns);
/** Forget a client's registrations; it goes on. */
void nb__sim_client_unregister_all(nb__sim_client *client);

/* ---- delivery.c ---- */
/** @return false when there is no memory. */
bool nb__sim_subscribe(nb__sim *sim, uint32_t series_index, nb__sim_client *client);
void nb__sim_unsubscribe(nb__sim *sim, uint32_t series_index, nb__sim_client *client);
/** Send sim->frame to all who registered one of its keys. */
void nb__sim_deliver(nb__sim *sim, int64_t now_mono_ns);

/* ---- http.c ---- */
void nb__sim_request(void *self, nb__peer *peer, const nb__http_message *request);

/* ---- truth.c ---- */
nb_err nb__sim_truth_open(nb__sim *sim, nb_error *error);
void nb__sim_truth_write(nb__sim *sim); /**< sim->frame; nothing when there is no file */
void nb__sim_truth_flush(nb__sim *sim);
void nb__sim_truth_close(nb__sim *sim);

#endif
