/* SPDX-License-Identifier: Apache-2.0 */
/* What was read, judged: addresses, pins, windows, and whether it is enough for the feed. `serve`
 * and `config` come through here, so that one says what the other does. */
#include "configuration.h"
#include "journal_command.h"
#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SIM_SLOTS 20000 /* room for every code of the look-alike's chain */
#define KIS_SLOTS 41    /* what KIS gives an appkey */
#define LOCAL_MOVE_GAP_NS (100 * NB__NS_PER_MS)
#define JOURNAL_PATH_MAX 900 /* what the names of nights and segments leave of a path */
#define KIS_HOST "ops.koreainvestment.com"
#define KIS_WATCHDOG_MIN_S 25
#define KIS_CONNECTS_MAX 10 /* in 10 minutes; KIS blocks who comes back too eagerly */

static nb_err fail_address(const nb__settings *settings, const char *name, nb_error *error,
                           const nb_error *why)
{
    return nb__settings_fail(settings, name, error, "%s", why->detail);
}

/* ---- the feed ---- */

bool nb__configuration_is_kis(const nb__address *ops)
{
    return nb__span_is_nocase(nb__span(ops->host), KIS_HOST);
}

static nb_err judge_replay(const nb__settings *settings, const char *path, nb__configuration *out,
                           nb_error *error)
{
    if (path[0] == '\0')
        return nb__settings_fail(settings, "feed", error,
                                 "replay:PATH: a night's directory, its trade date, or last");
    out->replay = path;
    return NB_OK;
}

static nb_err judge_feed(const nb__settings *settings, nb__configuration *out, nb_error *error)
{
    static const char *const of_sim[] = {"seed", "rate", "at", "fault", "fault-script", "refuse"};
    static const char *const of_replay[] = {"from", "to", "loop", "step", "exit", "wait", "gaps"};
    static const char replay[] = "replay:";
    const char *feed = nb__settings_text(settings, "feed");
    nb_error why = {0};
    out->feed = strcmp(feed, "sim") == 0                        ? NB__CHOICE_SIM
                : strcmp(feed, "kis") == 0                      ? NB__CHOICE_KIS
                : strncmp(feed, replay, sizeof replay - 1) == 0 ? NB__CHOICE_REPLAY
                                                                : NB__CHOICE_WS;
    for (size_t i = 0; i < NB__COUNT_OF(of_sim) && out->feed != NB__CHOICE_SIM; i++)
        if (nb__settings_from(settings, of_sim[i]) == NB__FROM_FLAG)
            return nb__settings_fail(settings, of_sim[i], error,
                                     "it is the in-process look-alike's, and the feed is %.60s",
                                     feed);
    for (size_t i = 0; i < NB__COUNT_OF(of_replay) && out->feed != NB__CHOICE_REPLAY; i++)
        if (nb__settings_from(settings, of_replay[i]) == NB__FROM_FLAG)
            return nb__settings_fail(settings, of_replay[i], error,
                                     "it is a replay's, and the feed is %.60s", feed);
    if (out->feed == NB__CHOICE_REPLAY)
        return judge_replay(settings, feed + sizeof replay - 1, out, error);
    if (out->feed == NB__CHOICE_SIM && isinf(nb__settings_decimal(settings, "speed")))
        return nb__settings_fail(settings, "speed", error,
                                 "max is a replay's; a number is expected");
    if (out->feed != NB__CHOICE_SIM && nb__settings_from(settings, "speed") == NB__FROM_FLAG)
        return nb__settings_fail(settings, "speed", error,
                                 "it is the look-alike's and a replay's, and the feed is %.60s",
                                 feed);
    if (out->feed != NB__CHOICE_WS)
        return NB_OK;
    if (strncmp(feed, "ws://", 5) != 0)
        return nb__settings_fail(settings, "feed", error,
                                 "a feed is sim, kis, ws://HOST:PORT or replay:PATH");
    if (nb__address_parse(feed, &out->link, &why) != NB_OK)
        return fail_address(settings, "feed", error, &why);
    return NB_OK;
}

/* https, or http to this machine: an appkey, or what codes exist, never travels in clear. */
static nb_err judge_https(const nb__settings *settings, const char *name, const char *path,
                          nb__address *out, nb_error *error)
{
    nb_error why = {0};
    if (nb__address_parse(nb__settings_text(settings, name), out, &why) != NB_OK)
        return fail_address(settings, name, error, &why);
    if (out->is_ws || (!out->is_tls && !nb__host_is_loopback(out->host)))
        return nb__settings_fail(settings, name, error,
                                 "https:// is expected, or http:// to this machine");
    size_t size = strlen(out->path);
    while (size > 0 && out->path[size - 1] == '/')
        out->path[--size] = '\0';
    if (size + strlen(path) >= sizeof out->path)
        return nb__settings_fail(settings, name, error, "its path is too long");
    memcpy(out->path + size, path, strlen(path) + 1);
    return NB_OK;
}

static bool is_numeric_address(const char *text)
{
    char host[64];
    struct in6_addr any;
    size_t size = text[0] == '[' ? strcspn(text, "]") : strcspn(text, ":");
    bool is_bracketed = text[0] == '[';
    if (inet_pton(AF_INET6, text, &any) == 1)
        return true;
    if (!nb__span_copy((nb_span){text + is_bracketed, size - is_bracketed}, host, sizeof host))
        return false;
    const char *rest = text + size + is_bracketed;
    uint64_t port = 1;
    if (text[size] == '\0' ? is_bracketed : rest[0] != '\0' && rest[0] != ':')
        return false;
    if (text[size] != '\0' && rest[0] == ':' && !nb__span_to_u64(nb__span(rest + 1), &port))
        return false;
    return port >= 1 && port <= UINT16_MAX &&
           inet_pton(is_bracketed ? AF_INET6 : AF_INET, host, &any) == 1;
}

static nb_err judge_manners(const nb__settings *settings, nb_error *error)
{
    uint64_t connects = nb__settings_number(settings, "connects");
    uint64_t window_s = nb__settings_number(settings, "connects-window");
    uint64_t slots = nb__settings_number(settings, "slots");
    if (connects * 600 > KIS_CONNECTS_MAX * window_s)
        return nb__settings_fail(
            settings, nb__settings_is_given(settings, "connects") ? "connects" : "connects-window",
            error, "more than %d connects in 10 minutes: KIS blocks who comes back so eagerly",
            KIS_CONNECTS_MAX);
    if (nb__settings_number(settings, "watchdog") < KIS_WATCHDOG_MIN_S)
        return nb__settings_fail(
            settings, "watchdog", error,
            "less than %d s: KIS speaks only every 10 to 20 s on a quiet link, and each "
            "link that is dropped costs a connect",
            KIS_WATCHDOG_MIN_S);
    if (slots > KIS_SLOTS)
        return nb__settings_fail(settings, "slots", error,
                                 "KIS gives an appkey %d registrations; more of them need more "
                                 "appkeys",
                                 KIS_SLOTS);
    return NB_OK;
}

static nb_err judge_kis(nb__settings *settings, nb__configuration *out, nb_error *error)
{
    const char *numeric = nb__settings_text(settings, "ops-address");
    nb_error why = {0};
    out->appkey_count = nb__settings_appkeys(settings, &out->appkeys);
    if (out->appkey_count == 0)
        return nb__fail(error, NB_E_CONFIG, 0,
                        "feed kis: no appkey; put app_key and app_secret into %.80s (`nightbook "
                        "config --init` writes it), or set KIS_APP_KEY and KIS_APP_SECRET",
                        nb__configuration_path(settings));
    if (nb__address_parse(nb__settings_text(settings, "ops"), &out->link, &why) != NB_OK)
        return fail_address(settings, "ops", error, &why);
    if (!out->link.is_ws || out->link.is_tls)
        return nb__settings_fail(settings, "ops", error, "ws://HOST:PORT is expected");
    out->is_builtin = nb__configuration_is_kis(&out->link);
    if (numeric != NULL && !is_numeric_address(numeric))
        return nb__settings_fail(settings, "ops-address", error,
                                 "a number like 210.107.75.39 is expected, or with :PORT");
    nb_err err = judge_https(settings, "prod", "/oauth2/Approval", &out->approval, error);
    if (err == NB_OK && strcmp(nb__settings_text(settings, "masters"), "none") != 0)
        err = judge_https(settings, "masters", "/", &out->masters, error);
    return err == NB_OK && out->is_builtin ? judge_manners(settings, error) : err;
}

/* ---- clients ---- */

/* A server that is its own feed would look up and stay silent for ever. */
static nb_err judge_listen(const nb__settings *settings, nb__configuration *out, nb_error *error)
{
    nb_error why = {0};
    if (nb__listen_parse(nb__settings_text(settings, "listen"), &out->listen, &why) != NB_OK)
        return fail_address(settings, "listen", error, &why);
    if (out->feed == NB__CHOICE_SIM || out->feed == NB__CHOICE_REPLAY ||
        out->link.port != out->listen.port ||
        (strcmp(out->link.host, out->listen.host) != 0 && !nb__host_is_loopback(out->link.host)))
        return NB_OK;
    return nb__settings_fail(settings, out->feed == NB__CHOICE_KIS ? "ops" : "feed", error,
                             "this is nightbook's own listener; choose another place for its "
                             "clients, like --listen 127.0.0.1:%u",
                             out->link.port == UINT16_MAX ? 31000 : out->link.port + 1U);
}

static nb_err judge_on_loss(const nb__settings *settings, nb__configuration *out, nb_error *error)
{
    const char *text = nb__settings_text(settings, "on-loss");
    uint64_t seconds = 30;
    if (strcmp(text, "keep") == 0) {
        out->on_loss_ns = INT64_MAX;
        return NB_OK;
    }
    bool is_close = strncmp(text, "close", 5) == 0 && (text[5] == '\0' || text[5] == ':');
    if (!is_close || (text[5] == ':' && !nb__span_to_u64(nb__span(text + 6), &seconds)) ||
        seconds > 86400)
        return nb__settings_fail(settings, "on-loss", error,
                                 "keep, close or close:SECONDS is expected");
    out->on_loss_ns = (int64_t)seconds * NB__NS_PER_S;
    return NB_OK;
}

/* ---- the journal ---- */

static nb_err judge_journal(const nb__settings *settings, nb__configuration *out, nb_error *error)
{
    const char *directory = nb__settings_text(settings, "journal");
    nb_error why = {0};
    if (nb__journal_size_parse(nb__settings_text(settings, "keep-bytes"), &out->keep_bytes, &why) !=
        NB_OK)
        return fail_address(settings, "keep-bytes", error, &why);
    if (directory == NULL || strcmp(directory, NB__JOURNAL_NONE) == 0)
        return NB_OK;
    if (directory[0] == '\0' || strlen(directory) > JOURNAL_PATH_MAX)
        return nb__settings_fail(settings, "journal", error,
                                 "a directory is expected, or none; its name has 1 to %d bytes",
                                 JOURNAL_PATH_MAX);
    /* that line of the file is for live nights: an evening of playing is not to end up there */
    if ((out->feed == NB__CHOICE_KIS && out->is_builtin) ||
        nb__settings_from(settings, "journal") == NB__FROM_FLAG)
        out->journal = directory;
    return NB_OK;
}

/* ---- slots ---- */

static nb_err judge_keys(const nb__settings *settings, nb__configuration *out, nb_error *error)
{
    uint64_t keys = nb__settings_number(settings, "keys");
    bool has_keys = nb__settings_is_given(settings, "keys");
    bool is_planned = out->plan.pinned_count > 0 || out->plan.window_count > 0;
    uint32_t spare = out->slots > out->plan.reserve ? out->slots - out->plan.reserve : 0;
    if (has_keys && nb__settings_is_given(settings, "slots") && keys > out->slots)
        return nb__settings_fail(settings, "keys", error, "more than the %u slots",
                                 (unsigned)out->slots);
    if (has_keys)
        out->plan.nearest_max = keys < out->slots ? (uint32_t)keys : out->slots;
    else if (!is_planned && out->feed == NB__CHOICE_SIM)
        out->plan.nearest_max = out->slots;
    else if (!is_planned && out->feed == NB__CHOICE_WS)
        out->plan.nearest_max = spare;
    return NB_OK;
}

static nb_err judge_plan(const nb__settings *settings, nb__configuration *out, nb_error *error)
{
    const char *const *items;
    nb_error why = {0};
    out->plan = nb__plan_config_default();
    out->plan.reserve = (uint32_t)nb__settings_number(settings, "reserve");
    if (out->feed != NB__CHOICE_KIS) /* on this machine nobody counts how often we ask */
        out->plan.move_gap_ns = LOCAL_MOVE_GAP_NS;
    out->slots = nb__settings_is_given(settings, "slots")
                     ? (uint32_t)nb__settings_number(settings, "slots")
                     : (out->feed == NB__CHOICE_SIM ? SIM_SLOTS : KIS_SLOTS);
    size_t count = nb__settings_list(settings, "pin", &items);
    for (size_t i = 0; i < count && i < NB__PLAN_PINNED_MAX; i++) {
        if (nb__plan_pin_parse(nb__span(items[i]), &out->plan.pinned[i], &why) != NB_OK)
            return fail_address(settings, "pin", error, &why);
        out->plan.pinned_count++;
    }
    count = nb__settings_list(settings, "window", &items);
    for (size_t i = 0; i < count && i < NB__PLAN_WINDOWS_MAX; i++) {
        if (nb__plan_window_parse(nb__span(items[i]), &out->plan.windows[i], &why) != NB_OK)
            return fail_address(settings, "window", error, &why);
        out->plan.window_count++;
    }
    return judge_keys(settings, out, error);
}

nb_err nb__configuration_judge(nb__settings *settings, nb__configuration *out, nb_error *error)
{
    *out = (nb__configuration){0};
    nb_err err = judge_feed(settings, out, error);
    if (!nb__hours_parse(nb__span(nb__settings_text(settings, "hours")), &out->hours))
        return nb__fail(error, NB_E_INTERNAL, 0, "hours are not those of the calendar");
    if (err == NB_OK && out->feed == NB__CHOICE_KIS)
        err = judge_kis(settings, out, error);
    if (err == NB_OK)
        err = judge_listen(settings, out, error);
    if (err == NB_OK)
        err = judge_on_loss(settings, out, error);
    if (err == NB_OK)
        err = judge_journal(settings, out, error);
    return err == NB_OK ? judge_plan(settings, out, error) : err;
}
