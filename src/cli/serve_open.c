/* SPDX-License-Identifier: Apache-2.0 */
/* serve: from the configuration to open rooms. */
#include "misbehave.h"
#include "serve.h"
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define DESCRIPTORS_SPARE 96 /* besides the clients': feeds, look-alike, epoll, timers, files */
#define SMALL_FILE_MAX ((size_t)1 << 20)

const nb_calendar *nb__serve_calendar(const nb__serve *s)
{
    return s->calendar != NULL ? s->calendar : nb_calendar_builtin();
}

/* ---- files ---- */

static nb_err read_calendar(nb__serve *s, nb_error *error)
{
    const char *path = nb__settings_text(s->settings, "holidays");
    nb__text text = {0};
    nb_error why = {0};
    if (path == NULL)
        return NB_OK;
    nb_err err = nb__file_read(path, SMALL_FILE_MAX, &text, &why);
    if (err == NB_OK)
        err = nb_calendar_parse(nb__text_view(&text), &s->calendar, &why);
    nb__text_fini(&text);
    return err == NB_OK ? NB_OK
                        : nb__settings_fail(s->settings, "holidays", error, "%s", why.detail);
}

static nb_err add_client_key(nb__serve *s, const char *key, const char *from, nb_error *error)
{
    if (s->client_key_count == NB__CLIENT_KEYS_MAX)
        return nb__settings_fail(s->settings, from, error, "more than %d keys",
                                 NB__CLIENT_KEYS_MAX);
    s->client_keys[s->client_key_count++] = key;
    nb__log_hide(key);
    return NB_OK;
}

/* Keys of a file join those of the settings; the text stays as long as the server. */
static nb_err read_client_keys(nb__serve *s, nb_error *error)
{
    const char *path = nb__settings_text(s->settings, "client-key-file"), *const * items;
    nb_error why = {0};
    nb_err err = NB_OK;
    size_t count = nb__settings_list(s->settings, "client-key", &items);
    for (size_t i = 0; err == NB_OK && i < count; i++)
        err = add_client_key(s, items[i], "client-key", error);
    if (err != NB_OK || path == NULL)
        return err;
    if (nb__file_read_secret(path, SMALL_FILE_MAX, &s->client_key_text, &why) != NB_OK)
        return nb__settings_fail(s->settings, "client-key-file", error, "%s", why.detail);
    for (char *line = s->client_key_text.data; err == NB_OK && line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        line[strcspn(line, " \t\r")] = '\0';
        if (*line != '\0' && *line != '#')
            err = add_client_key(s, line, "client-key-file", error);
        line = end == NULL ? NULL : end + 1;
    }
    if (err == NB_OK && s->client_key_count == count)
        return nb__settings_fail(s->settings, "client-key-file", error, "there is no key in it");
    return err;
}

/* ---- secrets ---- */

/* No core file and no other process may read what this one holds; and no line may show it. Reading
 * the configuration forbade core files for as long as nothing raises the limit; this is for good.
 */
void nb__serve_guard_secrets(const nb__serve *s)
{
    const nb__configuration *c = &s->configuration;
    if (c->feed != NB__CHOICE_KIS && !nb__settings_file_has_secrets(s->settings) &&
        !nb__settings_is_given(s->settings, "client-key") &&
        !nb__settings_is_given(s->settings, "client-key-file"))
        return;
    struct rlimit none = {0, 0};
    if (prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
        nb__log(NB__LOG_WARN, "serve",
                "a core file of this process would hold secrets\n"
                "forbid it: ulimit -c 0");
    for (size_t i = 0; i < c->appkey_count; i++) {
        nb__log_hide(c->appkeys[i].appkey);
        nb__log_hide(c->appkeys[i].secret);
        nb__log_hide(c->appkeys[i].hts_id);
    }
}

/* ---- the feed ---- */

static nb_err open_sim(nb__serve *s, nb__address *feed, nb_error *error)
{
    const nb__settings *settings = s->settings;
    const char *at = nb__settings_text(settings, "at");
    nb__sim_config config = nb__sim_config_default();
    nb__sim_faults faults = {0};
    nb_err err = nb__listen_parse("127.0.0.1:0", &config.server.listen, error);
    config.registrations_max = s->configuration.slots;
    config.calendar = nb__serve_calendar(s);
    config.seed = nb__settings_number(settings, "seed");
    config.speed = nb__settings_decimal(settings, "speed");
    config.rate = nb__settings_decimal(settings, "rate");
    if (err == NB_OK && at != NULL)
        err = nb__sim_at_parse(nb__span(at), config.calendar, nb__clock_real_ns(), &config.at_ns,
                               error);
    if (err == NB_OK)
        err = nb__misbehave_settle(settings, &config, &faults, error);
    if (err == NB_OK)
        err = nb__sim_open(s->loop, &config, &s->sim, error);
    nb__sim_faults_fini(&faults);
    if (err != NB_OK)
        return err;
    char url[40];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u", (unsigned)nb__sim_port(s->sim));
    return nb__address_parse(url, feed, error);
}

static nb__session_config session_of(const nb__serve *s)
{
    const nb__settings *settings = s->settings;
    nb__session_config session = nb__session_config_default();
    bool is_kis = s->configuration.feed == NB__CHOICE_KIS;
    session.registrations_max = s->configuration.slots;
    session.custtype = nb__settings_text(settings, "custtype")[0];
    session.pingpong_as_text = strcmp(nb__settings_text(settings, "pingpong"), "text") == 0;
    session.watchdog_ns = (int64_t)nb__settings_number(settings, "watchdog") * NB__NS_PER_S;
    session.linger_ns = (int64_t)nb__settings_number(settings, "linger") * NB__NS_PER_S;
    session.connects_window_ns =
        (int64_t)nb__settings_number(settings, "connects-window") * NB__NS_PER_S;
    session.connects_max = is_kis || nb__settings_is_given(settings, "connects")
                               ? (uint32_t)nb__settings_number(settings, "connects")
                               : 0;
    if (!is_kis) /* the feed is on this machine */
        session.request_gap_ns = s->configuration.feed == NB__CHOICE_SIM ? 0 : 5 * NB__NS_PER_MS;
    return session;
}

/* An appkey's own feed. */
static void fill_live(const nb__serve *s, size_t index, nb__live_config *live,
                      nb__feed_config *feed)
{
    const nb__configuration *c = &s->configuration;
    const nb__appkey *appkey = &c->appkeys[index];
    *live = (nb__live_config){
        .appkey = appkey->appkey,
        .secret = appkey->secret,
        .approval = c->approval,
        .ca_file = nb__settings_text(s->settings, "ca-file"),
        .ops_address = nb__settings_text(s->settings, "ops-address"),
        .is_builtin = c->is_builtin,
        .hours = c->hours,
        .state_directory = nb__settings_text(s->settings, "state-dir"),
    };
    feed->name = appkey->name;
    feed->session.custtype = appkey->custtype;
    feed->live = live;
}

/* As far as it is known before the feed speaks: what stands at another address than KIS's says
 * itself what it is. */
static nb__feed_kind kind_of(const nb__configuration *c)
{
    return c->feed == NB__CHOICE_SIM      ? NB__FEED_SIM
           : c->feed == NB__CHOICE_REPLAY ? NB__FEED_REPLAY
           : c->is_builtin                ? NB__FEED_LIVE
                                          : NB__FEED_OTHER;
}

static nb__recorder_config recorder_of(const nb__serve *s)
{
    const nb__settings *settings = s->settings;
    nb__recorder_config config = nb__recorder_config_default();
    config.directory = s->configuration.journal;
    config.sync_ns = (int64_t)nb__settings_number(settings, "journal-sync") * NB__NS_PER_MS;
    config.segment_bytes = nb__settings_number(settings, "segment-size") << 20;
    config.segment_ns = (int64_t)nb__settings_number(settings, "segment-time") * NB__NS_PER_S;
    config.keep_nights = (uint32_t)nb__settings_number(settings, "keep-nights");
    config.keep_bytes = s->configuration.keep_bytes;
    config.pack_level = (int)nb__settings_number(settings, "pack-level");
    config.is_asked_for = nb__settings_from(settings, "journal") == NB__FROM_FLAG;
    config.counts_unstated_as_live = s->configuration.feed == NB__CHOICE_KIS;
    config.calendar = nb__serve_calendar(s);
    return config;
}

/* Names of codes, where there are any; nothing is fetched for the past. */
static const char *kept_masters(const nb__serve *s)
{
    const char *directory = nb__settings_text(s->settings, "master-dir");
    nb__disk_entry entry;
    bool is_there = directory != NULL && nb__disk_stat(directory, &entry, NULL) == NB_OK;
    return is_there && entry.is_directory ? directory : NULL;
}

nb_err nb__serve_open_plant(nb__serve *s, bool keeps_records, nb_error *error)
{
    nb__configuration *c = &s->configuration;
    nb__feed_config feeds[NB__APPKEYS_MAX];
    nb__live_config lives[NB__APPKEYS_MAX];
    bool is_kis = c->feed == NB__CHOICE_KIS;
    const char *state_directory = nb__settings_text(s->settings, "state-dir");
    nb__plant_config config = {.feeds = feeds,
                               .feed_count = is_kis ? (uint32_t)c->appkey_count : 1,
                               .plan = c->plan,
                               .topics_max = 65536,
                               .calendar = nb__serve_calendar(s),
                               .listen_port = c->listen.port};
    nb__recorder_config recorder = recorder_of(s);
    nb__replay_config replay;
    nb_err err = c->feed == NB__CHOICE_SIM ? open_sim(s, &c->link, error) : NB_OK;
    for (uint32_t i = 0; i < config.feed_count; i++) {
        feeds[i] =
            (nb__feed_config){.address = c->link, .kind = kind_of(c), .session = session_of(s)};
        nb__random_bytes(&feeds[i].session.seed, sizeof feeds[i].session.seed);
        if (c->feed == NB__CHOICE_SIM)
            feeds[i].name = "sim"; /* its port is another one each time; a night's link is one */
        if (is_kis)
            fill_live(s, i, &lives[i], &feeds[i]);
    }
    if (c->feed == NB__CHOICE_REPLAY) {
        err = nb__serve_replay_config(s, &replay, error);
        feeds[0].session = nb__replay_session_config(config.topics_max);
        feeds[0].replay = &replay;
        config.master_directory = kept_masters(s);
    }
    if (is_kis) {
        config.master_directory = nb__settings_text(s->settings, "master-dir");
        config.master_address = c->masters;
        config.evidence_directory = keeps_records ? state_directory : NULL;
    }
    bool has_journal = nb__settings_text(s->settings, "journal") != NULL;
    if (is_kis && (config.master_directory == NULL || state_directory == NULL || !has_journal))
        return nb__fail(error, NB_E_CONFIG, 0,
                        "HOME is not set: name places with state_dir, master_dir and journal");
    config.recorder = keeps_records && c->journal != NULL ? &recorder : NULL;
    config.recorder_kind = kind_of(c);
    if (err == NB_OK)
        err = nb__plant_open(s->loop, &config, &s->plant, error);
    if (err == NB_OK)
        nb__plant_on_notice(s->plant, nb__serve_tell, s);
    return err;
}

/* ---- clients ---- */

/* As many descriptors as the system lets us have; clients beyond them are refused in words, not by
 * accept(). */
static uint32_t clients_max_of(const nb__serve *s)
{
    uint32_t wanted = (uint32_t)nb__settings_number(s->settings, "clients-max");
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    if (limit.rlim_cur <= DESCRIPTORS_SPARE || wanted <= limit.rlim_cur - DESCRIPTORS_SPARE)
        return wanted;
    uint32_t possible = (uint32_t)(limit.rlim_cur - DESCRIPTORS_SPARE);
    if (nb__settings_is_given(s->settings, "clients-max"))
        nb__log(NB__LOG_WARN, "serve",
                "clients-max %u: the limit of open files allows %u (ulimit -Hn)", (unsigned)wanted,
                (unsigned)possible);
    return possible;
}

static void copy_list(const nb__settings *settings, const char *name, const char **out, size_t room)
{
    const char *const *items;
    size_t count = nb__settings_list(settings, name, &items);
    for (size_t i = 0; i < count && i < room; i++)
        out[i] = items[i];
}

static nb__gateway_config gateway_of(const nb__serve *s)
{
    nb__gateway_config config = nb__gateway_config_default();
    config.server.listen = s->configuration.listen;
    config.on_loss_ns = s->configuration.on_loss_ns;
    config.replay_wait = (uint32_t)nb__settings_number(s->settings, "wait");
    config.drops_gaps = strcmp(nb__settings_text(s->settings, "gaps"), "drop") == 0;
    copy_list(s->settings, "allow-host", config.allowed_hosts, NB__COUNT_OF(config.allowed_hosts));
    copy_list(s->settings, "allow-origin", config.allowed_origins,
              NB__COUNT_OF(config.allowed_origins));
    memcpy(config.client_keys, s->client_keys, sizeof config.client_keys);
    return config;
}

static nb_err open_gateway(nb__serve *s, nb_error *error)
{
    nb__gateway_config config = gateway_of(s);
    config.server.connections_max = clients_max_of(s);
    return nb__gateway_open(s->loop, s->plant, &config, &s->gateway, error);
}

/* ---- all ---- */

nb_err nb__serve_read_files(nb__serve *s, nb_error *error)
{
    nb_error why = {0};
    nb_err err = read_calendar(s, error);
    if (err == NB_OK)
        err = read_client_keys(s, error);
    if (err != NB_OK)
        return err;
    nb__gateway_config config = gateway_of(s);
    if (nb__gateway_config_check(&config, &why) == NB_OK)
        return NB_OK;
    return nb__settings_fail(s->settings, s->client_key_count > 0 ? "client-key" : "listen", error,
                             "%s", why.detail);
}

nb_err nb__serve_open(nb__serve *s, nb_error *error)
{
    nb__serve_guard_secrets(s);
    nb_err err = nb__serve_read_files(s, error);
    if (err == NB_OK)
        err = nb__loop_new(&s->loop, error);
    if (err == NB_OK)
        err = nb__loop_stop_on_signals(s->loop, error);
    s->notify.loop = s->loop;
    s->notify.command = nb__settings_text(s->settings, "notify");
    if (err == NB_OK)
        err = nb__serve_open_plant(s, true, error);
    if (err == NB_OK)
        err = open_gateway(s, error);
    return err;
}

void nb__serve_close(nb__serve *s)
{
    if (s->gateway != NULL)
        nb__gateway_close(s->gateway);
    nb__plant_close(s->plant);
    if (s->sim != NULL)
        nb__sim_close(s->sim);
    nb__loop_free(s->loop);
    nb_calendar_free(s->calendar);
    nb__text_wipe(&s->client_key_text);
    nb__settings_free(s->settings);
    s->settings = NULL;
#ifdef __has_feature
#if __has_feature(address_sanitizer)
    (void)prctl(PR_SET_DUMPABLE, 1); /* its leak checker reads this process */
#endif
#endif
}
