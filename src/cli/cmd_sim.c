/* SPDX-License-Identifier: Apache-2.0 */
/* nightbook sim: the KIS look-alike on its own. */
#include "cli/cli.h"
#include "misbehave.h"
#include <stdio.h>
#include <string.h>

typedef struct arguments {
    const char *listen, *at, *script;
    double hold_s, pingpong_s, pingpong_timeout_s;
    bool many_sessions, is_quiet;
    nb__option_list refusals, faults;
    nb__sim_faults armed;
    nb__sim_config config;
} arguments;

static const char explanation[] =
    "KIS has no paper version of the night feed; this is one. Point your client's WebSocket at the "
    "address it prints,\n"
    "and its approval at http:// of the same address: any appkey and secret will do. Its market is "
    "made from the seed:\n"
    "the same seed, session time, speed, rate and keys give the same records. Prices are "
    "SIMULATED.\n"
    "\n"
    "  nightbook sim --at 18:00 --speed 60\n"
    "  nightbook sim --listen 127.0.0.1:0 --rate 5000 --truth truth.jsonl\n"
    "  nightbook sim --fault eof:30s --fault garbage:every=100\n"
    "\n"
    "It ends on SIGINT or SIGTERM. docs/simulator.md says all that it does, and where it differs "
    "from KIS.\n"
    "\n";

static int parse(arguments *a, int argc, char **argv)
{
    const nb__option options[] = {
        {"listen", "ADDR:PORT",
         "where to listen; port 0 is the kernel's choice (default 127.0.0.1:31000)",
         NB__OPTION_STRING, &a->listen, 0, 0},
        {"seed", "N", "which market (default 1)", NB__OPTION_U64, &a->config.seed, 0, 1e18},
        {"speed", "X", "session seconds a real second (default 1)", NB__OPTION_DOUBLE,
         &a->config.speed, 0.001, 1e6},
        {"rate", "N", "mean frames a real second over the whole chain (default 200)",
         NB__OPTION_DOUBLE, &a->config.rate, 0.01, 1e6},
        {"keys", "N", "options that trade, nearest the money; 0: all (default)", NB__OPTION_U32,
         &a->config.keys_max, 0, 100000},
        {"at", "TIME",
         "session time at the start: HH:MM[:SS] of the running or last night, or a whole date-time "
         "(default: now, outside night hours 18:00 of the last night)",
         NB__OPTION_STRING, &a->at, 0, 0},
        {"registrations", "N", "of one session (default 41, as at KIS)", NB__OPTION_U32,
         &a->config.registrations_max, 1, 1e6},
        {"any-approval-key", NULL, "accept approval keys that were not issued here",
         NB__OPTION_FLAG, &a->config.any_approval_key, 0, 0},
        {"many-sessions", NULL, "allow several WebSockets an appkey (KIS: one)", NB__OPTION_FLAG,
         &a->many_sessions, 0, 0},
        {"hold", "SECONDS",
         "keep an appkey in use for so long after its disconnect, as KIS does (default 0)",
         NB__OPTION_DOUBLE, &a->hold_s, 0, 1e6},
        {"pingpong", "SECONDS", "of silence before a PINGPONG (default 10)", NB__OPTION_DOUBLE,
         &a->pingpong_s, 0.1, 1e6},
        {"pingpong-timeout", "SECONDS",
         "before an unanswered PINGPONG ends the connection (default 100)", NB__OPTION_DOUBLE,
         &a->pingpong_timeout_s, 0.1, 1e6},
        {"extra-fields", "N",
         "fields at the end of each record that no document has, as KIS adds them (default 0); "
         "--fault extra-fields:N is the same",
         NB__OPTION_U32, &a->config.extra_fields, 0, 20},
        {"refuse", "KEY=CODE",
         "answer registrations of KEY with CODE, as B01612A40=OPSP8992; KEY * is every other key; "
         "up to 16",
         NB__OPTION_LIST, &a->refusals, 0, 0},
        {"fault", "NAME[:PARAMS]", "misbehave, see below; up to 16", NB__OPTION_LIST, &a->faults, 0,
         0},
        {"fault-script", "FILE", "misbehave at the times in FILE, see below", NB__OPTION_STRING,
         &a->script, 0, 0},
        {"truth", "FILE", "write each record made to FILE, one JSON a line", NB__OPTION_STRING,
         &a->config.truth_path, 0, 0},
        {"quiet", NULL, "do not log connects and refusals", NB__OPTION_FLAG, &a->is_quiet, 0, 0},
        {0}};
    nb__text text = {0};
    nb__text_string(&text, explanation);
    nb__sim_faults_print_help(&text);
    const nb__usage usage = {"sim", "[OPTIONS]", text.is_failed ? explanation : text.data, options,
                             0};
    size_t operand_count = 0;
    int exit_code = nb__options_parse(&usage, argc, argv, NULL, &operand_count);
    nb__text_fini(&text);
    return exit_code;
}

static nb_err settle_refusals(arguments *a, nb_error *error)
{
    for (size_t i = 0; i < a->refusals.count; i++)
        if (nb__sim_refusals_add(&a->config, nb__span(a->refusals.items[i]), error) != NB_OK)
            return nb__fail_in(error, "--refuse");
    return NB_OK;
}

static nb_err settle_faults(arguments *a, nb_error *error)
{
    for (size_t i = 0; i < a->faults.count; i++)
        if (nb__sim_faults_add(&a->armed, nb__span(a->faults.items[i]), error) != NB_OK)
            return nb__fail_in(error, "--fault");
    nb_err err = a->script == NULL ? NB_OK : nb__misbehave_script(&a->armed, a->script, error);
    a->config.faults = a->armed.items;
    a->config.fault_count = a->armed.count;
    return err;
}

/* From what was typed to what the look-alike takes. */
static nb_err settle(arguments *a, nb_error *error)
{
    a->config.one_session_an_appkey = !a->many_sessions;
    a->config.is_talkative = !a->is_quiet;
    a->config.appkey_hold_ns = (int64_t)(a->hold_s * 1e9);
    a->config.pingpong_idle_ns = (int64_t)(a->pingpong_s * 1e9);
    a->config.pingpong_timeout_ns = (int64_t)(a->pingpong_timeout_s * 1e9);
    nb_err err = settle_refusals(a, error);
    if (err == NB_OK)
        err = settle_faults(a, error);
    if (err == NB_OK && a->listen != NULL)
        err = nb__listen_parse(a->listen, &a->config.server.listen, error);
    if (err == NB_OK && a->at != NULL)
        err = nb__sim_at_parse(nb__span(a->at), NULL, nb__clock_real_ns(), &a->config.at_ns, error);
    return err;
}

static void warn_beyond_loopback(const nb__address *listen)
{
    if (!nb__host_is_loopback(listen->host))
        nb__log(NB__LOG_WARN, "sim",
                "--listen %s: others on the network can connect, and appkeys sent here travel "
                "in clear\n  use made-up ones; 127.0.0.1 keeps it to this machine",
                listen->host);
}

static void say_ready(nb__sim *sim, const nb__sim_config *config)
{
    char time[40];
    nb__kst_print(time, nb__sim_session_ns(sim), 0);
    bool is_v6 = strchr(config->server.listen.host, ':') != NULL;
    fprintf(
        stderr,
        "SIMULATED night market, seed %llu, session time %s, speed %g; at the money: H0EUASP0 %s\n",
        (unsigned long long)config->seed, time, config->speed, nb__sim_atm_code(sim));
    fprintf(stderr, "listening ws://%s%s%s:%u\n", is_v6 ? "[" : "", config->server.listen.host,
            is_v6 ? "]" : "", nb__sim_port(sim));
}

static nb_err serve(nb__loop *loop, const nb__sim_config *config, nb_error *error)
{
    nb__sim *sim;
    warn_beyond_loopback(&config->server.listen);
    nb_err err = nb__loop_stop_on_signals(loop, error);
    if (err == NB_OK)
        err = nb__sim_open(loop, config, &sim, error);
    if (err != NB_OK)
        return err;
    say_ready(sim, config);
    err = nb__loop_run(loop);
    nb__sim_shutdown(sim);
    nb__sim_close(sim);
    return err == NB_OK ? NB_OK : nb__fail(error, err, 0, "the event loop failed");
}

int nb__command_sim(int argc, char **argv)
{
    arguments a = {.pingpong_s = 10, .pingpong_timeout_s = 100, .config = nb__sim_config_default()};
    int exit_code = parse(&a, argc, argv);
    if (exit_code >= 0)
        return exit_code;
    nb__log_set_form(NB__LOG_KEYVALUE);
    nb_error error = {0};
    nb__loop *loop = NULL;
    nb_err err = settle(&a, &error);
    if (err == NB_OK)
        err = nb__loop_new(&loop, &error);
    if (err == NB_OK)
        err = serve(loop, &a.config, &error);
    nb__loop_free(loop);
    nb__sim_faults_fini(&a.armed);
    return err == NB_OK ? 0 : nb__command_failed("sim", &error);
}
