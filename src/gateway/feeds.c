/* SPDX-License-Identifier: Apache-2.0 */
/* Each appkey's link: what it is, how it is, what it waits for. */
#include "inside.h"
#include <inttypes.h>

uint32_t feeds_slots_used(const nb__gateway *g)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < nb__plant_feed_count(g->plant); i++)
        used += nb__session_slots_used(nb__plant_feed_at(g->plant, i).session);
    return used;
}

bool feeds_any_up(const nb__gateway *g)
{
    bool is_any = false;
    for (uint32_t i = 0; i < nb__plant_feed_count(g->plant); i++)
        is_any |= nb__plant_feed_at(g->plant, i).is_up;
    return is_any;
}

const char *feeds_state(const nb__gateway *g)
{
    uint32_t resting = 0, count = nb__plant_feed_count(g->plant);
    for (uint32_t i = 0; i < count; i++)
        resting +=
            nb__session_state_of(nb__plant_feed_at(g->plant, i).session) == NB__SESSION_RESTING;
    if (resting == count)
        return "resting";
    return nb__plant_is_up(g->plant) ? "up" : g->is_lost ? "lost" : "down";
}

/* A point of the monotonic clock as a time of day; null when it is none of now. */
static void print_time(const nb__gateway *g, nb__text *out, const char *name, int64_t mono_ns,
                       bool is_told)
{
    char text[40];
    if (!is_told) {
        nb__text_printf(out, ",\"%s\":null", name);
        return;
    }
    nb__kst_print(text, nb__loop_real_ns(g->loop) - gateway_mono_ns(g) + mono_ns, 0);
    nb__text_printf(out, ",\"%s\":\"%s\"", name, text);
}

static void print_session(const nb__gateway *g, const nb__feed_view *view, nb__text *out)
{
    const nb__session *session = view->session;
    const nb__session_config *config = nb__session_config_of(session);
    nb__session_state state = nb__session_state_of(session);
    int64_t now_ns = gateway_mono_ns(g), next_ns = nb__session_next_try_ns(session);
    bool is_down = !view->is_up && state != NB__SESSION_RESTING;
    bool is_waiting = state == NB__SESSION_WAITING && next_ns != INT64_MAX;
    nb__text_printf(out, ",\"state\":\"%s\",\"reason\":", nb__session_state_name(state));
    nb__text_json(out, nb__span(nb__session_reason(session)));
    print_time(g, out, "down_since", nb__session_down_since_ns(session), is_down);
    print_time(g, out, "next_try", next_ns, is_waiting);
    if (config->connects_max > 0)
        nb__text_printf(out, ",\"budget_max\":%u", config->connects_max);
    else
        nb__text_string(out, ",\"budget_max\":null");
    nb__text_printf(out,
                    ",\"budget_used\":%u,\"budget_window_s\":%" PRId64
                    ",\"registrations\":%u,\"registrations_max\":%u,\"counters\":{",
                    nb__session_budget_used(session, now_ns),
                    config->connects_window_ns / NB__NS_PER_S, nb__session_slots_used(session),
                    config->registrations_max);
    counter_table table = session_table(session);
    for (size_t i = 0; i < table.count; i++)
        nb__text_printf(out, "%s\"%s\":%" PRIu64, i == 0 ? "" : ",", table.rows[i].name,
                        counter_value(&table, i));
    nb__text_string(out, "}");
}

void feeds_print(const nb__gateway *g, nb__text *out)
{
    nb__text_string(out, "\"feeds\":[");
    for (uint32_t i = 0; i < nb__plant_feed_count(g->plant); i++) {
        nb__feed_view view = nb__plant_feed_at(g->plant, i);
        nb__text_string(out, i == 0 ? "\n{\"name\":" : ",\n{\"name\":");
        nb__text_json(out, nb__span(view.name));
        nb__text_string(out, ",\"address\":");
        nb__text_json(out, nb__span(view.address));
        if (view.appkey_hash[0] == '\0')
            nb__text_string(out, ",\"appkey_hash\":null");
        else
            nb__text_printf(out, ",\"appkey_hash\":\"%s\"", view.appkey_hash);
        nb__text_printf(out, ",\"is_live\":%s,\"is_up\":%s", view.is_live ? "true" : "false",
                        view.is_up ? "true" : "false");
        print_session(g, &view, out);
        nb__text_string(out, "}");
    }
    nb__text_string(out, "]");
}
