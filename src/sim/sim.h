/* SPDX-License-Identifier: Apache-2.0 */
/**
 * sim, L6: the KIS look-alike. A market that is deterministic from a seed (market.c, pure) behind a server that
 * behaves as KIS does (server.c). Keeps its own truth: it may not include book/.
 */
#ifndef NB_SIM_H
#define NB_SIM_H

#include "base/base.h"
#include "io/io.h"
#include "kis/kis.h"
#include "night/night.h"

typedef struct nb__sim_config {
    nb__server_config server;    /**< default 127.0.0.1:31000 */
    uint64_t seed;               /**< default 1 */
    uint32_t registrations_max;  /**< 41; the in-process one has room for the whole chain */
    bool one_session_an_appkey;  /**< OPSP8996 for the second socket; true */
    double speed;                /**< session seconds a real second; 1 */
    double rate;                 /**< mean frames a real second over the whole chain; 200 */
    int64_t at_ns;               /**< session clock at the start, UTC ns; NB_TIME_UNDEF: now, or outside night hours
                                      18:00 of the last night */
    uint32_t keys_max;           /**< codes that trade, nearest the money; 0: all */
    const nb_calendar *calendar;
    const char *truth_path;      /**< write each record made, one JSON a line (tests); NULL: none */
} nb__sim_config;
nb__sim_config nb__sim_config_default(void);

typedef struct nb__sim nb__sim;
nb_err nb__sim_open(nb__loop *loop, const nb__sim_config *config, nb__sim **out, nb_error *error);
uint16_t nb__sim_port(const nb__sim *sim);
/** A code that trades at the money now, to paste. */
const char *nb__sim_atm_code(const nb__sim *sim);
void nb__sim_shutdown(nb__sim *sim);
void nb__sim_close(nb__sim *sim);

#endif
