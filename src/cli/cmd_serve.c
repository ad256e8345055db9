/* SPDX-License-Identifier: Apache-2.0 */
/* nightbook serve: one session to a feed, books of what it sends, and KIS's own protocol for any
 * number of clients. */
#include "cli/cli.h"
#include "serve.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READY_WAIT_NS NB__NS_PER_S
#define GOODBYE_NS NB__NS_PER_S /* nb__plant_shutdown() promises to be done within it */

static const char explanation[] =
    "To its clients it is KIS: any WebSocket path, the same JSON, codes and frames. A client of "
    "KIS's night feed works\n"
    "when its address is changed to the one printed here. docs/gateway.md tells what it can do "
    "beyond that.\n"
    "\n"
    "  nightbook serve                                    a simulated market, every code of it\n"
    "  nightbook serve --at 18:00 --speed 60              the same, an hour a minute\n"
    "  nightbook serve --feed kis                         live: docs/live.md\n"
    "  nightbook serve --feed ws://127.0.0.1:31000 --listen 127.0.0.1:31001\n"
    "  nightbook serve --feed replay:2026-11-23           a recorded night: nightbook replay\n"
    "\n"
    "Every option but --config and --at is a line of ~/.config/nightbook/config.yaml too "
    "(docs/config.md), and secrets are\n"
    "that only; `nightbook config` shows what is in force. http://ADDR:PORT/v1/books has the "
    "books, "
    "/v1/status what it does.\n"
    "It ends on SIGINT or SIGTERM. Exit codes: 0 ended by a signal, 64 wrong use, 71 the system "
    "refused (a port in use),\n"
    "75 another process holds the appkey, 78 the configuration is broken or incomplete.\n";

/* ---- ready ---- */

static void say_ready(nb__serve *s)
{
    s->is_ready = true;
    nb__timer_cancel(s->loop, &s->timer);
    nb__hook_remove(s->loop, &s->hook);
    nb__serve_say_ready(s);
}

/* Ready is when clients can be told what the feed is and which code to try; or after a second
 * without that. */
static void turn_ended(nb__hook *hook)
{
    nb__serve *s = (nb__serve *)((char *)hook - offsetof(nb__serve, hook));
    bool has_code = nb__plant_atm_code(s->plant)[0] != '\0';
    bool is_replay = s->configuration.feed == NB__CHOICE_REPLAY;
    if (!s->is_ready && nb__plant_is_up(s->plant) && (has_code || is_replay))
        say_ready(s);
}

static void ready_timer(nb__timer *timer, int64_t now_mono_ns)
{
    (void)now_mono_ns;
    nb__serve *s = (nb__serve *)((char *)timer - offsetof(nb__serve, timer));
    if (!s->is_ready)
        say_ready(s);
}

static void say_calendar(const nb__serve *s)
{
    int64_t at_ns = s->sim != NULL ? nb__sim_session_ns(s->sim) : nb__clock_real_ns();
    if (!nb_night_at(nb__serve_calendar(s), at_ns).is_calendar_known)
        nb__log(NB__LOG_WARN, "serve",
                "the holiday file does not reach %d: every weekday of it is taken for a business "
                "day\n"
                "give a newer one with --holidays FILE",
                nb__kst_civil(at_ns).date / 10000);
}

/* ---- the life ---- */

/* Flags are in the settings already. */
static nb_err configure(nb__serve *s, nb_error *error)
{
    nb_err err = nb__configuration_read(s->settings, error);
    if (err == NB_OK)
        err = nb__configuration_judge(s->settings, &s->configuration, error);
    if (err != NB_OK)
        return err;
    bool is_json = strcmp(nb__settings_text(s->settings, "log"), "json") == 0;
    nb__log_set_form(is_json ? NB__LOG_JSON : NB__LOG_KEYVALUE);
    return NB_OK;
}

static nb_err run(nb__serve *s, nb_error *error)
{
    s->hook.turn_end = turn_ended;
    nb__hook_add(s->loop, &s->hook);
    s->timer.fire = ready_timer;
    nb__timer_set(s->loop, &s->timer, nb__clock_mono_ns() + READY_WAIT_NS);
    say_calendar(s);
    nb__serve_replay_begin(s);
    nb__serve_report_begin(s);
    nb_err err = nb__loop_run(s->loop);
    nb__serve_report_end(s);
    nb__serve_replay_end(s);
    return err == NB_OK ? NB_OK : nb__fail(error, err, 0, "the event loop failed");
}

/* Close frames to all, and a moment for them to leave. */
static void say_goodbye(nb__serve *s)
{
    if (s->configuration.feed == NB__CHOICE_KIS)
        nb__log(NB__LOG_INFO, "serve", "ended by a signal");
    nb__gateway_shutdown(s->gateway);
    nb__plant_shutdown(s->plant);
    int64_t until_ns = nb__clock_mono_ns() + GOODBYE_NS;
    do
        nb__loop_turn(s->loop, 10);
    while (nb__plant_is_up(s->plant) && nb__clock_mono_ns() < until_ns);
    nb__loop_turn(s->loop, 10);
}

static int fail(const char *command, const nb_error *error, bool is_port)
{
    int exit_code = nb__command_failed(command, error);
    if (is_port)
        fprintf(stderr,
                "  when another nightbook or program is there, stop it or choose another place: "
                "--listen 127.0.0.1:PORT\n"
                "  (PORT 0: any free one); the address must be one of this machine\n");
    if (error->code == NB_E_CONFIG)
        fprintf(stderr,
                "  nothing is served until that is mended; `nightbook config` shows what is "
                "in force\n");
    return exit_code;
}

int nb__serve_live(nb__serve *s, const char *command)
{
    nb_error error = {0};
    nb_err err = configure(s, &error);
    if (err == NB_OK)
        err = nb__serve_open(s, &error);
    if (err == NB_OK) {
        err = run(s, &error);
        say_goodbye(s);
    }
    bool is_port = err == NB_E_SYSTEM && s->plant != NULL && s->gateway == NULL;
    nb__serve_close(s);
    return err == NB_OK ? 0 : fail(command, &error, is_port);
}

int nb__command_serve(int argc, char **argv)
{
    nb__serve *s = calloc(1, sizeof *s);
    nb__option options[1 + NB__OPTIONS_OF_SETTINGS_MAX] = {{0}};
    const nb__usage usage = {"serve", "[OPTIONS]", explanation, options, 0};
    size_t operand_count = 0;
    if (s == NULL || (s->settings = nb__settings_new()) == NULL) {
        nb_error error;
        free(s);
        nb__fail(&error, NB_E_MEMORY, 0, "memory is exhausted");
        return nb__command_failed("serve", &error);
    }
    nb__options_of_settings(s->settings, options);
    int exit_code = nb__options_parse(&usage, argc, argv, NULL, &operand_count);
    if (exit_code < 0)
        exit_code = nb__serve_live(s, "serve");
    else
        nb__settings_free(s->settings);
    free(s);
    return exit_code;
}
