/* SPDX-License-Identifier: Apache-2.0 */
/* nightbook serve: one session to a feed, books of what it sends, and KIS's own protocol for any
 * number of clients. */
#include "cli/cli.h"
#include "gateway/gateway.h"
#include "sim/sim.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define NOT_GIVEN_U32 UINT32_MAX
#define NOT_GIVEN_U64 UINT64_MAX
#define SIM_SLOTS 20000 /* room for every code of the look-alike's chain */
#define FEED_SLOTS 41   /* what KIS gives an appkey */
#define SLOTS_FOR_CLIENTS 5
#define DESCRIPTORS_SPARE 64 /* besides the clients': feed, look-alike, epoll, timers, files */
#define READY_WAIT_NS NB__NS_PER_S
#define GOODBYE_NS (250 * NB__NS_PER_MS)
#define SMALL_FILE_MAX ((size_t)1 << 20)

typedef struct arguments {
    const char *feed, *listen, *at, *holidays, *client_key_file;
    uint64_t seed;
    double speed, rate;
    uint32_t own_keys, slots, clients_max, linger_s;
    nb__option_list client_keys, allowed_hosts, allowed_origins;
} arguments;

/* One running server; everything in one loop. */
typedef struct server {
    arguments arguments;
    bool is_sim; /* the feed is our own look-alike */
    nb__loop *loop;
    nb__sim *sim;
    nb__plant *plant;
    nb__gateway *gateway;
    nb_calendar *calendar; /* read from a file; NULL: the built-in one */
    nb__text client_key_text;
    nb__address listen;
    bool is_ready;
    nb__hook hook;
    nb__timer timer;
} server;

static const char explanation[] =
    "To its clients it is KIS: any WebSocket path, the same JSON, codes and frames. A client of "
    "KIS's night feed works\n"
    "when its address is changed to the one printed here. docs/gateway.md tells what it can do "
    "beyond that.\n"
    "\n"
    "  nightbook serve                                    a simulated market, every code of it\n"
    "  nightbook serve --at 18:00 --speed 60              the same, an hour a minute\n"
    "  nightbook serve --feed ws://127.0.0.1:31000 --listen 127.0.0.1:31001\n"
    "\n"
    "http://ADDR:PORT/v1/books has the books, /v1/status what it does. It ends on SIGINT or "
    "SIGTERM.\n"
    "Exit codes: 0 ended by a signal, 64 wrong use, 71 the system refused (a port in use).\n";

static int parse(arguments *a, int argc, char **argv)
{
    const nb__option options[] = {
        {"feed", "FEED",
         "sim (default): an in-process look-alike; ws://HOST:PORT: a KIS-protocol server on this "
         "machine",
         NB__OPTION_STRING, &a->feed, 0, 0},
        {"listen", "ADDR:PORT",
         "where clients connect; port 0 is the kernel's choice (default 127.0.0.1:31000)",
         NB__OPTION_STRING, &a->listen, 0, 0},
        {"keys", "N",
         "codes registered by nightbook itself, nearest the money (default: sim all, else 5 less "
         "than slots)",
         NB__OPTION_U32, &a->own_keys, 0, 1e5},
        {"slots", "N", "registrations that the feed allows (default: sim all, else 41)",
         NB__OPTION_U32, &a->slots, 1, 1e5},
        {"linger", "SECONDS",
         "keep a registration so long after its last client left (default 600)", NB__OPTION_U32,
         &a->linger_s, 0, 86400},
        {"clients-max", "N", "clients at once; the next one gets 503 (default 20000)",
         NB__OPTION_U32, &a->clients_max, 1, 1e6},
        {"client-key-file", "FILE",
         "keys that clients must show, one a line; must be readable by you alone (chmod 600)",
         NB__OPTION_STRING, &a->client_key_file, 0, 0},
        {"client-key", "KEY", "one such key; others on this machine can see it in the process list",
         NB__OPTION_LIST, &a->client_keys, 0, 0},
        {"allow-host", "NAME", "a further name under which clients reach this server",
         NB__OPTION_LIST, &a->allowed_hosts, 0, 0},
        {"allow-origin", "ORIGIN", "a web origin whose pages may connect", NB__OPTION_LIST,
         &a->allowed_origins, 0, 0},
        {"holidays", "FILE", "closed days instead of the built-in ones", NB__OPTION_STRING,
         &a->holidays, 0, 0},
        {"seed", "N", "sim: which market (default 1)", NB__OPTION_U64, &a->seed, 0, 1e18},
        {"speed", "X", "sim: session seconds a real second (default 1)", NB__OPTION_DOUBLE,
         &a->speed, 0.001, 1e6},
        {"rate", "N", "sim: mean frames a real second over the whole chain (default 200)",
         NB__OPTION_DOUBLE, &a->rate, 0.01, 1e6},
        {"at", "TIME", "sim: session time at the start, HH:MM[:SS] or a whole date-time",
         NB__OPTION_STRING, &a->at, 0, 0},
        {0}};
    const nb__usage usage = {"serve", "[OPTIONS]", explanation, options, 0};
    size_t operand_count = 0;
    return nb__options_parse(&usage, argc, argv, NULL, &operand_count);
}

/* ---- from what was typed to what the rooms take ---- */

static nb_err check_feed(const arguments *a, nb_error *error)
{
    bool is_sim = strcmp(a->feed, "sim") == 0;
    if (strcmp(a->feed, "kis") == 0)
        return nb__fail(
            error, NB_E_ARGUMENT, 0,
            "--feed kis: live data from KIS is not in this version; it has sim and ws://HOST:PORT");
    if (!is_sim && strncmp(a->feed, "ws://", 5) != 0)
        return nb__fail(error, NB_E_ARGUMENT, 0, "--feed %.60s: a feed is sim or ws://HOST:PORT",
                        a->feed);
    bool has_sim_option = a->seed != NOT_GIVEN_U64 || a->speed > 0 || a->rate > 0 || a->at != NULL;
    if (!is_sim && has_sim_option)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "--seed, --speed, --rate and --at are the in-process look-alike's: not "
                        "with --feed %.60s",
                        a->feed);
    if (a->own_keys != NOT_GIVEN_U32 && a->slots != NOT_GIVEN_U32 && a->own_keys > a->slots)
        return nb__fail(error, NB_E_ARGUMENT, 0, "--keys %u: more than the %u slots",
                        (unsigned)a->own_keys, (unsigned)a->slots);
    return NB_OK;
}

/* A server that is its own feed would look up and stay silent for ever. */
static nb_err check_places(server *s, nb_error *error)
{
    nb__address feed;
    nb_err err = nb__listen_parse(s->arguments.listen, &s->listen, error);
    if (err != NB_OK || s->is_sim)
        return err;
    err = nb__address_parse(s->arguments.feed, &feed, error);
    if (err != NB_OK || feed.port != s->listen.port ||
        (strcmp(feed.host, s->listen.host) != 0 && strcmp(feed.host, "localhost") != 0))
        return err;
    return nb__fail(error, NB_E_ARGUMENT, 0,
                    "--feed %.60s: this server would listen there itself; choose another place "
                    "for its clients, like --listen 127.0.0.1:%u",
                    s->arguments.feed, feed.port == UINT16_MAX ? 31000 : feed.port + 1u);
}

static nb_err read_calendar(server *s, nb_error *error)
{
    if (s->arguments.holidays == NULL)
        return NB_OK;
    nb__text text = {0};
    nb_err err = nb__file_read(s->arguments.holidays, SMALL_FILE_MAX, &text, error);
    if (err == NB_OK && nb_calendar_parse(nb__text_view(&text), &s->calendar, error) != NB_OK)
        err = nb__fail_in(error, "--holidays %.80s", s->arguments.holidays);
    nb__text_fini(&text);
    return err;
}

/* Keys of a file join those of the command line; the text stays as long as the server. */
static nb_err read_client_keys(server *s, nb_error *error)
{
    const char *path = s->arguments.client_key_file;
    struct stat info;
    if (path == NULL)
        return NB_OK;
    if (stat(path, &info) == 0 && (info.st_mode & 077) != 0)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "--client-key-file %.80s: others can read it; chmod 600 it first", path);
    nb_err err = nb__file_read(path, SMALL_FILE_MAX, &s->client_key_text, error);
    if (err != NB_OK)
        return err;
    nb__option_list *keys = &s->arguments.client_keys;
    for (char *line = s->client_key_text.data; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        line[strcspn(line, " \t\r")] = '\0';
        if (*line != '\0' && *line != '#') {
            if (keys->count == NB__OPTION_LIST_MAX)
                return nb__fail(error, NB_E_LIMIT, 0, "--client-key-file %.80s: more than %d keys",
                                path, NB__OPTION_LIST_MAX);
            keys->items[keys->count++] = line;
        }
        line = end == NULL ? NULL : end + 1;
    }
    if (keys->count == 0)
        return nb__fail(error, NB_E_ARGUMENT, 0, "--client-key-file %.80s: there is no key in it",
                        path);
    return NB_OK;
}

static const nb_calendar *calendar_of(const server *s)
{
    return s->calendar != NULL ? s->calendar : nb_calendar_builtin();
}

static uint32_t slots_of(const server *s)
{
    if (s->arguments.slots != NOT_GIVEN_U32)
        return s->arguments.slots;
    return s->is_sim ? SIM_SLOTS : FEED_SLOTS;
}

static uint32_t own_keys_of(const server *s)
{
    uint32_t slots = slots_of(s);
    if (s->arguments.own_keys != NOT_GIVEN_U32)
        return s->arguments.own_keys < slots ? s->arguments.own_keys : slots;
    if (s->is_sim)
        return slots;
    return slots > SLOTS_FOR_CLIENTS ? slots - SLOTS_FOR_CLIENTS : 0;
}

/* As many descriptors as the system lets us have; clients beyond them are refused in words, not by
 * accept(). */
static uint32_t clients_max_of(const server *s, uint32_t default_max)
{
    uint32_t wanted =
        s->arguments.clients_max != NOT_GIVEN_U32 ? s->arguments.clients_max : default_max;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    if (limit.rlim_cur <= DESCRIPTORS_SPARE || wanted <= limit.rlim_cur - DESCRIPTORS_SPARE)
        return wanted;
    uint32_t possible = (uint32_t)(limit.rlim_cur - DESCRIPTORS_SPARE);
    if (s->arguments.clients_max != NOT_GIVEN_U32)
        nb__log(NB__LOG_WARN, "serve",
                "--clients-max %u: the limit of open files allows %u (ulimit -Hn)",
                (unsigned)wanted, (unsigned)possible);
    return possible;
}

/* ---- opening ---- */

static nb_err open_sim(server *s, nb__address *feed, nb_error *error)
{
    const arguments *a = &s->arguments;
    nb__sim_config config = nb__sim_config_default();
    nb_err err = nb__listen_parse("127.0.0.1:0", &config.server.listen, error);
    config.registrations_max = slots_of(s);
    config.calendar = calendar_of(s);
    if (a->seed != NOT_GIVEN_U64)
        config.seed = a->seed;
    if (a->speed > 0)
        config.speed = a->speed;
    if (a->rate > 0)
        config.rate = a->rate;
    if (err == NB_OK && a->at != NULL)
        err = nb__sim_at_parse(nb__span(a->at), config.calendar, nb__clock_real_ns(), &config.at_ns,
                               error);
    if (err == NB_OK)
        err = nb__sim_open(s->loop, &config, &s->sim, error);
    if (err != NB_OK)
        return err;
    char url[40];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u", (unsigned)nb__sim_port(s->sim));
    return nb__address_parse(url, feed, error);
}

static nb_err open_plant(server *s, nb_error *error)
{
    nb__plant_config config = {.session = nb__session_config_default(),
                               .feed_kind = s->is_sim ? NB__FEED_SIM : NB__FEED_OTHER,
                               .topics_max = 65536,
                               .own_keys_max = own_keys_of(s),
                               .calendar = calendar_of(s)};
    config.session.registrations_max = slots_of(s);
    config.session.request_gap_ns =
        s->is_sim ? 0 : 5 * NB__NS_PER_MS; /* the feed is on this machine */
    nb__random_bytes(&config.session.seed, sizeof config.session.seed);
    if (s->arguments.linger_s != NOT_GIVEN_U32)
        config.session.linger_ns = (int64_t)s->arguments.linger_s * NB__NS_PER_S;
    nb_err err = s->is_sim ? open_sim(s, &config.feed, error)
                           : nb__address_parse(s->arguments.feed, &config.feed, error);
    return err == NB_OK ? nb__plant_open(s->loop, &config, &s->plant, error) : err;
}

static void copy_list(const nb__option_list *list, const char **out, size_t room)
{
    for (size_t i = 0; i < list->count && i < room; i++)
        out[i] = list->items[i];
}

static nb_err open_gateway(server *s, nb_error *error)
{
    const arguments *a = &s->arguments;
    nb__gateway_config config = nb__gateway_config_default();
    config.server.listen = s->listen;
    config.server.connections_max = clients_max_of(s, config.server.connections_max);
    copy_list(&a->allowed_hosts, config.allowed_hosts, NB__COUNT_OF(config.allowed_hosts));
    copy_list(&a->allowed_origins, config.allowed_origins, NB__COUNT_OF(config.allowed_origins));
    copy_list(&a->client_keys, config.client_keys, NB__COUNT_OF(config.client_keys));
    return nb__gateway_open(s->loop, s->plant, &config, &s->gateway, error);
}

/* ---- ready ---- */

static void say_ready(server *s)
{
    s->is_ready = true;
    nb__timer_cancel(s->loop, &s->timer);
    nb__hook_remove(s->loop, &s->hook);
    char place[280];
    bool is_v6 = strchr(s->listen.host, ':') != NULL;
    snprintf(place, sizeof place, is_v6 ? "[%s]:%u" : "%s:%u", s->listen.host,
             (unsigned)nb__gateway_port(s->gateway));
    const char *code = s->sim != NULL ? nb__sim_atm_code(s->sim) : nb__plant_atm_code(s->plant);
    bool has_code = code[0] != '\0';
    const char *key = s->arguments.client_keys.count > 0 ? "/+key=YOUR_KEY" : "";
    fprintf(stderr,
            "%s listening ws://%s%s%s\n"
            "  see it move:  %s tap ws://%s%s --codes %s\n"
            "  status:       http://%s/\n",
            nb__feed_kind_banner(nb__plant_clock(s->plant)->kind), place,
            has_code ? "  at the money: H0EUASP0 " : "", code, program_invocation_name, place, key,
            has_code ? code : "'*'", place); /* to paste: as this program was called itself */
    if (!s->is_sim)
        fprintf(stderr, "  feed:         %s, %s\n", nb__plant_feed_name(s->plant),
                nb__plant_is_up(s->plant) ? "up" : nb__session_reason(nb__plant_session(s->plant)));
}

/* Ready is when clients can be told what the feed is and which code to try; or after a second
 * without that. */
static void turn_ended(nb__hook *hook)
{
    server *s = (server *)((char *)hook - offsetof(server, hook));
    if (!s->is_ready && nb__plant_is_up(s->plant) && nb__plant_atm_code(s->plant)[0] != '\0')
        say_ready(s);
}

static void ready_timer(nb__timer *timer, int64_t now_mono_ns)
{
    (void)now_mono_ns;
    server *s = (server *)((char *)timer - offsetof(server, timer));
    if (!s->is_ready)
        say_ready(s);
}

static void say_calendar(const server *s)
{
    int64_t at_ns = s->sim != NULL ? nb__sim_session_ns(s->sim) : nb__clock_real_ns();
    if (!nb_night_at(calendar_of(s), at_ns).is_calendar_known)
        nb__log(NB__LOG_WARN, "serve",
                "the holiday file does not reach %d: every weekday of it is taken for a business "
                "day\n"
                "give a newer one with --holidays FILE",
                nb__kst_civil(at_ns).date / 10000);
}

/* ---- the life ---- */

static nb_err open_all(server *s, nb_error *error)
{
    nb_err err = check_feed(&s->arguments, error);
    s->is_sim = strcmp(s->arguments.feed, "sim") == 0;
    if (err == NB_OK)
        err = check_places(s, error);
    if (err == NB_OK)
        err = read_calendar(s, error);
    if (err == NB_OK)
        err = read_client_keys(s, error);
    if (err == NB_OK)
        err = nb__loop_new(&s->loop, error);
    if (err == NB_OK)
        err = nb__loop_stop_on_signals(s->loop, error);
    if (err == NB_OK)
        err = open_plant(s, error);
    if (err == NB_OK)
        err = open_gateway(s, error);
    return err;
}

static nb_err run(server *s, nb_error *error)
{
    s->hook.turn_end = turn_ended;
    nb__hook_add(s->loop, &s->hook);
    s->timer.fire = ready_timer;
    nb__timer_set(s->loop, &s->timer, nb__clock_mono_ns() + READY_WAIT_NS);
    say_calendar(s);
    nb_err err = nb__loop_run(s->loop);
    return err == NB_OK ? NB_OK : nb__fail(error, err, 0, "the event loop failed");
}

/* Close frames to all, and a moment for them to leave. */
static void say_goodbye(server *s)
{
    nb__gateway_shutdown(s->gateway);
    nb__plant_shutdown(s->plant);
    int64_t until_ns = nb__clock_mono_ns() + GOODBYE_NS;
    do
        nb__loop_turn(s->loop, 10);
    while (nb__plant_is_up(s->plant) && nb__clock_mono_ns() < until_ns);
    nb__loop_turn(s->loop, 10);
}

static void close_all(server *s)
{
    if (s->gateway != NULL)
        nb__gateway_close(s->gateway);
    nb__plant_close(s->plant);
    if (s->sim != NULL)
        nb__sim_close(s->sim);
    nb__loop_free(s->loop);
    nb_calendar_free(s->calendar);
    if (s->client_key_text.data != NULL)
        explicit_bzero(s->client_key_text.data, s->client_key_text.capacity_bytes);
    nb__text_fini(&s->client_key_text);
}

int nb__command_serve(int argc, char **argv)
{
    server s = {.arguments = {.feed = "sim",
                              .listen = "127.0.0.1:31000",
                              .seed = NOT_GIVEN_U64,
                              .own_keys = NOT_GIVEN_U32,
                              .slots = NOT_GIVEN_U32,
                              .clients_max = NOT_GIVEN_U32,
                              .linger_s = NOT_GIVEN_U32}};
    int exit_code = parse(&s.arguments, argc, argv);
    if (exit_code >= 0)
        return exit_code;
    nb_error error = {0};
    nb_err err = open_all(&s, &error);
    if (err == NB_OK) {
        err = run(&s, &error);
        say_goodbye(&s);
    }
    bool is_port = err == NB_E_SYSTEM && s.plant != NULL && s.gateway == NULL;
    close_all(&s);
    if (err == NB_OK)
        return 0;
    exit_code = nb__command_failed("serve", &error);
    if (is_port)
        fprintf(stderr,
                "  when another nightbook or program is there, stop it or choose another place: "
                "--listen 127.0.0.1:PORT\n"
                "  (PORT 0: any free one); the address must be one of this machine\n");
    return exit_code;
}
