/* SPDX-License-Identifier: Apache-2.0 */
/* `nightbook serve`: what its files share. */
#ifndef NB_CLI_SERVE_H
#define NB_CLI_SERVE_H

#include "configuration.h"
#include "gateway/gateway.h"
#include "notify.h"
#include "sim/sim.h"

typedef struct nb__serve_report nb__serve_report;

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
    struct nb__serve_report *report; /**< NULL: nothing is recorded (serve_report.c) */
    /* of a replay (serve_replay.c) */
    char replay_path[NB__STORE_PATH_MAX];
    nb__timer progress;
    nb__hook replay_hook;
    nb__watch keyboard;
    bool has_progress, has_keyboard;
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
/** From the settings to the end, which frees them. `command` for messages. @return the exit code.
 */
int nb__serve_live(nb__serve *serve, const char *command);

/* ---- the report at a night's end (serve_report.c) ---- */
/** A notice of the plant: to the user's program; the end of a night begins its report first. */
void nb__serve_tell(void *serve, const nb__notice *notice);
void nb__serve_report_begin(nb__serve *serve); /**< nothing when nothing is recorded */
void nb__serve_report_end(nb__serve *serve);   /**< one that is under way is given up */

/* ---- of a replay (serve_replay.c) ---- */
/** @retval NB_E_NOT_FOUND  No such night. */
nb_err nb__serve_replay_config(nb__serve *serve, nb__replay_config *out, nb_error *error);
void nb__serve_replay_facts(const nb__serve *serve, nb__text *out);
/** Progress, keys and its end; nothing when the feed is no replay. */
void nb__serve_replay_begin(nb__serve *serve);
void nb__serve_replay_end(nb__serve *serve);

#endif
