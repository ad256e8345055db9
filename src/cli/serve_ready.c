/* SPDX-License-Identifier: Apache-2.0 */
/* serve: the first lines: what is served, where, from which feed, and what happens next. */
#include "serve.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void append_place(nb__text *out, const nb__serve *s)
{
    const char *host = s->configuration.listen.host;
    nb__text_printf(out, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
                    (unsigned)nb__gateway_port(s->gateway));
}

static void append_time(nb__text *out, int64_t utc_ns)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    nb__civil c = nb__kst_civil(utc_ns);
    nb__text_printf(out, "%s %02d:%02d", days[c.weekday], c.hhmmss / 10000, c.hhmmss / 100 % 100);
}

static void append_appkeys(nb__text *out, const nb__serve *s)
{
    const nb__configuration *c = &s->configuration;
    for (size_t i = 0; i < c->appkey_count; i++) {
        char hash[17];
        nb__appkey_hash(c->appkeys[i].appkey, hash);
        nb__text_printf(out, "%s%s (%s)", i > 0 ? ", " : "", c->appkeys[i].name, hash);
    }
}

static void append_hours(nb__text *out, const nb__serve *s)
{
    const nb__configuration *c = &s->configuration;
    nb__opening now = nb__opening_at(nb__serve_calendar(s), c->hours, nb__clock_real_ns());
    nb__text_printf(out, "%s KST", nb__hours_name(c->hours));
    if (c->hours == NB__HOURS_ALWAYS || now.changes_ns == INT64_MAX)
        return;
    nb__text_string(out, now.is_open ? "; connects now, rests from " : "; rests until ");
    append_time(out, now.changes_ns);
}

static void append_kis(nb__text *out, const nb__serve *s)
{
    const nb__configuration *c = &s->configuration;
    nb__text_printf(out, "\n  feed:         %s ws://%s:%u, %s ",
                    c->is_builtin ? "KIS," : "not KIS's own address:", c->link.host,
                    (unsigned)c->link.port, c->appkey_count > 1 ? "appkeys" : "appkey");
    append_appkeys(out, s);
    nb__text_string(out, "\n  hours:        ");
    append_hours(out, s);
    nb__text_printf(out, "\n  slots:        %zu; `nightbook slots` shows who has them",
                    c->appkey_count * c->slots);
}

static void append_recording(nb__text *out, const nb__serve *s)
{
    nb__recorder_view view;
    nb__text_string(out, "\n  journal:      ");
    if (!nb__plant_recording(s->plant, &view))
        nb__text_string(out, "nothing is recorded: --journal DIR would");
    else if (strcmp(view.state, "recording") == 0)
        nb__text_printf(out, "recording to %s", view.directory);
    else if (strcmp(view.state, "waiting") == 0)
        nb__text_printf(out, "recording to %s as soon as the feed is up", view.directory);
    else if (strcmp(view.state, "off") == 0)
        nb__text_printf(out, "nothing is recorded: %s", view.reason);
    else
        nb__text_printf(out, "NOT RECORDING: %s", view.reason);
}

static void append_facts(nb__text *out, const nb__serve *s, const char *code)
{
    const char *key = s->client_key_count > 0 ? "/+key=YOUR_KEY" : "";
    nb__text_printf(out, "\n  see it move:  %s tap ws://", program_invocation_name);
    append_place(out, s); /* to paste: as this program was called itself */
    nb__text_printf(out, "%s --codes %s\n  status:       http://", key,
                    code[0] != '\0' ? code : "'*'");
    append_place(out, s);
    nb__text_string(out, "/");
    if (s->configuration.feed == NB__CHOICE_KIS)
        append_kis(out, s);
    if (s->configuration.feed == NB__CHOICE_WS)
        nb__text_printf(out, "\n  feed:         %s, %s", nb__plant_feed_name(s->plant),
                        nb__plant_is_up(s->plant) ? "up" : nb__plant_reason(s->plant));
    nb__serve_replay_facts(s, out);
    if (s->configuration.feed != NB__CHOICE_REPLAY || s->configuration.journal != NULL)
        append_recording(out, s);
}

void nb__serve_say_ready(nb__serve *s)
{
    const char *code = s->sim != NULL ? nb__sim_atm_code(s->sim) : nb__plant_atm_code(s->plant);
    nb__text out = {0};
    nb__text_printf(&out, "%s listening ws://",
                    nb__feed_kind_banner(nb__plant_clock(s->plant)->kind));
    append_place(&out, s);
    if (code[0] != '\0')
        nb__text_printf(&out, "  at the money: H0EUASP0 %s", code);
    append_facts(&out, s, code);
    if (out.is_failed)
        nb__log(NB__LOG_WARN, "serve", "memory is exhausted");
    else if (strcmp(nb__settings_text(s->settings, "log"), "json") == 0)
        nb__log(NB__LOG_INFO, "serve", "%s", out.data);
    else
        fprintf(stderr, "%s\n", out.data);
    nb__text_fini(&out);
}
