/* SPDX-License-Identifier: Apache-2.0 */
/* `nightbook serve`: what its files share. */
#ifndef NB_CLI_SERVE_H
#define NB_CLI_SERVE_H

#include "configuration.h"
#include "gateway/gateway.h"
#include "notify.h"
#include "sim/sim.h"

/** One running server; everything in one loop. */
typedef struct nb__serve {
    nb__settings *settings; /**< its texts outlive the rooms */
    nb__configuration configuration;
    nb__loop *loop;
    nb__sim *sim; /**< NULL: the feed is not our own look-alike */
    nb__plant *plant;
    nb__gateway *gateway;
    nb_calendar *calendar; /**< read from a file; NULL: the built-in one */
    nb__text client_key_text;
    const char *client_keys[NB__CLIENT_KEYS_MAX];
    size_t client_key_count;
    nb__notify notify;
    bool is_ready;
    nb__hook hook;
    nb__timer timer;
} nb__serve;

const nb_calendar *nb__serve_calendar(const nb__serve *serve);
/** Files, loop, feed, plant, gateway, in this order (serve_open.c). What was opened before a
 * failure stays for nb__serve_close(). */
nb_err nb__serve_open(nb__serve *serve, nb_error *error);
void nb__serve_close(nb__serve *serve);
/** The files that settings name, and what they and the settings say of clients: judged, nothing
 * opened. */
nb_err nb__serve_read_files(nb__serve *serve, nb_error *error);
/** Of those, for who wants the plant alone: secrets out of reach of cores and logs; the loop's
 * feeds and the plant. */
void nb__serve_guard_secrets(const nb__serve *serve);
/** `keeps_records`, journal and evidence: not when somebody only looks whether all is well. */
nb_err nb__serve_open_plant(nb__serve *serve, bool keeps_records, nb_error *error);
/** The lines that tell what is served and what happens next (serve_ready.c). */
void nb__serve_say_ready(nb__serve *serve);

#endif
