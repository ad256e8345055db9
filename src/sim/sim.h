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

/* ---- faults (docs/simulator.md) ---- */

#define NB__SIM_FAULT_PARAMS_MAX 3
#define NB__SIM_FAULTS_MAX 1024

typedef enum nb__sim_when {
    NB__SIM_WHEN_ALWAYS,  /**< `--fault`: from the start on */
    NB__SIM_WHEN_AT,      /**< from an instant on; what cuts connections, at that instant only */
    NB__SIM_WHEN_BETWEEN, /**< from one instant up to another */
} nb__sim_when;

/** One fault as it was asked for. Made by nb__sim_faults_add(); the fields are the room's. */
typedef struct nb__sim_fault {
    uint8_t kind; /**< row of the table in fault.c */
    uint8_t when;
    uint8_t given;        /**< bit i: values[i] was said */
    bool is_session_time; /**< begin and end are KST times of the night, else ns since the start */
    uint32_t line;        /**< of the script; 0: not from one */
    int64_t begin, end;   /**< ns; HHMMSS, hours 17–30, when is_session_time */
    int64_t values[NB__SIM_FAULT_PARAMS_MAX]; /**< times in ns */
    int64_t every, first, chance_e9;          /**< which of its opportunities it takes */
} nb__sim_fault;

/** Heap; `{0}` is empty. */
typedef struct nb__sim_faults {
    nb__sim_fault *items;
    uint32_t count, capacity;
} nb__sim_faults;
/**
 * Read `NAME[:VALUE][,KEY=VALUE…]` as "garbage:every=100".
 *
 * @retval NB_E_ARGUMENT  No such fault (a near name is told) or parameter, or a value out of range.
 * @retval NB_E_LIMIT     NB__SIM_FAULTS_MAX are there.
 */
nb_err nb__sim_faults_add(nb__sim_faults *faults, nb_span text, nb_error *error);
/** Read a script: a line is `TIME FAULT` or `TIME..TIME FAULT`, from `#` on a comment. All of it or
 * nothing; the error names the line. */
nb_err nb__sim_faults_add_script(nb__sim_faults *faults, nb_span text, nb_error *error);
void nb__sim_faults_fini(nb__sim_faults *faults);
/** The list of all faults with their parameters and defaults, for --help. */
void nb__sim_faults_print_help(nb__text *out);

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
    /** At the end of each record, in no document, 0–20; the fault extra-fields does the same; 0. */
    uint32_t extra_fields;
    nb__sim_refusal refusals[NB__SIM_REFUSALS_MAX];
    uint32_t refusal_count;      /**< 0 */
    const nb__sim_fault *faults; /**< borrowed for nb__sim_open(); NULL: none */
    uint32_t fault_count;        /**< 0 */
    const char *truth_path;      /**< each record made, one JSON a line (tests); NULL: none */
    bool is_talkative;           /**< log connects and refusals; false */
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
/** One more of them. @retval NB_E_ARGUMENT  As above, or that key is refused already.
 * @retval NB_E_LIMIT */
nb_err nb__sim_refusals_add(nb__sim_config *config, nb_span text, nb_error *error);

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
