/* SPDX-License-Identifier: Apache-2.0 */
/**
 * sim, L6: the KIS look-alike. A market that is deterministic from a seed (market.c, pure) behind a
 * server that behaves as KIS does (server.c). Keeps its own truth: it may not include book/.
 */
#ifndef NB_SIM_H
#define NB_SIM_H

#include "base/base.h"
#include "io/io.h"
#include "kis/kis.h"
#include "night/night.h"

#define NB__SIM_REFUSALS_MAX 16

/** How registrations of one key are answered; nothing is registered. */
typedef struct nb__sim_refusal {
    char tr_key[16]; /**< "*": those of every key that has no refusal of its own */
    char msg_cd[9];  /**< "OPSP8992"; one that the OPSP table lacks: rt_cd "1", "UNKNOWN" */
} nb__sim_refusal;

/** Defaults stand behind the semicolons. */
typedef struct nb__sim_config {
    nb__server_config server; /**< 127.0.0.1:31000 */
    uint64_t seed;            /**< 1 */
    /** 41; the in-process one has room for the whole chain. */
    uint32_t registrations_max;
    bool one_session_an_appkey;  /**< OPSP8996 for the second socket; true */
    bool any_approval_key;       /**< a key not issued here is its own appkey; false */
    int64_t appkey_hold_ns;      /**< OPSP8996 for so long after a disconnect; 0 */
    int64_t pingpong_idle_ns;    /**< nothing sent for so long: PINGPONG; 10 s */
    int64_t pingpong_timeout_ns; /**< no frame for so long after it: cut off; 100 s */
    double speed;                /**< session seconds a real second; 1 */
    double rate;                 /**< mean frames a real second over the whole chain; 200 */
    /** Session time at the start; NB_TIME_UNDEF: now, or by day 18:00 of the last night. */
    int64_t at_ns;
    /** Options that trade, nearest the money; 0: all. Futures and KIS's samples always do. */
    uint32_t keys_max;
    const nb_calendar *calendar; /**< NULL: the built-in one */
    uint32_t extra_fields;       /**< at the end of each record, in no document, 0–20; 0 */
    nb__sim_refusal refusals[NB__SIM_REFUSALS_MAX];
    uint32_t refusal_count; /**< 0 */
    const char *truth_path; /**< each record made, one JSON a line (tests); NULL: none */
    bool is_talkative;      /**< log connects and refusals; false */
} nb__sim_config;
nb__sim_config nb__sim_config_default(void);

/**
 * Read a session time for `at_ns`: "18:00", "18:00:30" (of the running night, else the last one),
 * or a whole "2026-11-20T18:00:00+09:00" as nb__kst_parse() has it.
 *
 * @retval NB_E_ARGUMENT  No such time, or one at which no night session is open.
 */
nb_err nb__sim_at_parse(nb_span text, const nb_calendar *calendar, int64_t now_ns, int64_t *at_ns,
                        nb_error *error);

/**
 * Read "KEY=CODE" for `refusals`.
 *
 * @retval NB_E_ARGUMENT  Not of that form, no tr_key, or no code that refuses.
 */
nb_err nb__sim_refusal_parse(nb_span text, nb__sim_refusal *out, nb_error *error);

typedef struct nb__sim nb__sim;
/**
 * Open the market and its server.
 *
 * @param config  Borrowed for the call; the calendar (NULL: the built-in one) for the sim's life.
 * @retval NB_E_ARGUMENT  A number is out of its range, or at_ns lies outside every night.
 * @retval NB_E_SYSTEM    Cannot listen, or cannot write the truth file.
 * Cost: a few ms.   Threads: the loop's.
 */
nb_err nb__sim_open(nb__loop *loop, const nb__sim_config *config, nb__sim **out, nb_error *error);
uint16_t nb__sim_port(const nb__sim *sim);
/** An H0EUASP0 code that trades at the money now, to paste. Valid until the next call. */
const char *nb__sim_atm_code(nb__sim *sim);
/** Session time now, UTC ns. */
int64_t nb__sim_session_ns(const nb__sim *sim);
/** Close 1001 to all clients and stop accepting; the market stands still from here on. */
void nb__sim_shutdown(nb__sim *sim);
void nb__sim_close(nb__sim *sim);

#endif
