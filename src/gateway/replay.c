/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/replay: where a replay is and what it waits for (GET), and what it shall do (POST, one JSON
 * object). A command is taken whole or not at all.
 *
 *     {"speed":10} {"speed":"max"} {"pause":true} {"seek":"23:10"} {"step":1}
 */
#include "inside.h"
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BODY_MAX 4096
#define STEP_MAX INT64_C(1000000000)

/* ---- what it is ---- */

static const char *state_of(const nb__replay_view *view, nb__gate_state gate)
{
    if (view->is_ended)
        return "ended";
    if (gate == NB__GATE_AWAITED)
        return "waiting";
    if (view->is_paused)
        return view->steps_left > 0 ? "stepping" : "paused";
    return gate == NB__GATE_FULL ? "held" : "playing";
}

static void print_time(nb__text *out, const char *name, int64_t session_ns)
{
    char text[40];
    if (session_ns == NB_TIME_UNDEF) {
        nb__text_printf(out, ",\"%s\":null", name);
        return;
    }
    nb__kst_print(text, session_ns, 3);
    nb__text_printf(out, ",\"%s\":\"%s\"", name, text);
}

static void print_speed(nb__text *out, double speed)
{
    char text[NB_PRICE_TEXT_MAX];
    if (isinf(speed)) {
        nb__text_string(out, ",\"speed\":\"max\"");
        return;
    }
    nb_price_print(text, (nb_price)(speed * 1e6 + 0.5) * 1000, 0); /* printf's follows a locale */
    nb__text_printf(out, ",\"speed\":%s", text);
}

static void print_waiting(const nb__gateway *g, nb__gate_state gate, nb__text *out)
{
    const hold *h = &g->hold;
    char name[80];
    int64_t held_ns;
    uint32_t there = hold_subscribed(g),
             wanted = h->is_started ? h->awaited : g->config.replay_wait;
    if (gate == NB__GATE_AWAITED)
        nb__text_printf(out, ",\"waiting_for\":{\"clients\":%u,\"of\":%u}",
                        wanted > there ? wanted - there : 0, wanted);
    else
        nb__text_string(out, ",\"waiting_for\":null");
    if (gate != NB__GATE_FULL || !hold_slow(g, name, sizeof name, &held_ns)) {
        nb__text_string(out, ",\"held_by\":null");
        return;
    }
    nb__text_string(out, ",\"held_by\":{\"client\":");
    nb__text_json(out, nb__span(name));
    nb__text_printf(out, ",\"since_ms\":%" PRId64 "}", held_ns / NB__NS_PER_MS);
}

bool replay_print(const nb__gateway *g, nb__text *out)
{
    nb__replay_view view;
    nb__gate_state gate;
    if (!nb__plant_replay(g->plant, &view, &gate))
        return false;
    nb__text_printf(out, "{\"banner\":\"%s\",\"state\":\"%s\",\"path\":",
                    nb__feed_kind_banner(NB__FEED_REPLAY), state_of(&view, gate));
    nb__text_json(out, nb__span(view.path));
    nb__text_printf(out, ",\"recorded\":\"%s\",\"night\":\"%04d-%02d-%02d\"",
                    nb__feed_kind_name(view.recorded), view.night / 10000, view.night / 100 % 100,
                    view.night % 100);
    print_time(out, "from", view.from_ns);
    print_time(out, "to", view.to_ns);
    print_time(out, "session_time", view.session_ns);
    nb__text_printf(out, ",\"progress\":%.6f", view.progress);
    print_speed(out, view.speed);
    nb__text_printf(out, ",\"is_paused\":%s,\"is_loop\":%s", view.is_paused ? "true" : "false",
                    view.is_loop ? "true" : "false");
    print_waiting(g, gate, out);
    nb__text_printf(out,
                    ",\"steps_left\":%" PRIu64 ",\"frames\":%" PRIu64 ",\"rounds\":%" PRIu64
                    ",\"damages\":%" PRIu64 "}",
                    view.steps_left, view.frames, view.rounds, view.damages);
    return true;
}

void replay_words(const nb__gateway *g, char *out, size_t capacity_bytes)
{
    nb__replay_view view;
    nb__gate_state gate;
    char time[40] = "", speed[32] = "max", name[80] = "";
    int64_t held_ns;
    out[0] = '\0';
    if (!nb__plant_replay(g->plant, &view, &gate))
        return;
    if (view.session_ns != NB_TIME_UNDEF)
        nb__kst_print(time, view.session_ns, 0);
    if (!isinf(view.speed))
        snprintf(speed, sizeof speed, "%.6g", view.speed);
    bool is_held = gate == NB__GATE_FULL && hold_slow(g, name, sizeof name, &held_ns);
    snprintf(out, capacity_bytes, "%s%s%s at %.19s, %.1f %%, speed %s, %" PRIu64 " frames",
             state_of(&view, gate), is_held ? " by " : "", name, time, view.progress * 100, speed,
             view.frames);
}

/* ---- what it shall do ---- */

static bool fail(char words[REPLAY_WORDS_BYTES], const char *text)
{
    snprintf(words, REPLAY_WORDS_BYTES, "%s", text);
    return false;
}

static bool take_speed(const json_t *value, nb__replay_command *out, char *words)
{
    if (json_is_string(value) && strcmp(json_string_value(value), "max") == 0)
        out->speed = INFINITY;
    else if (json_is_number(value))
        out->speed = json_number_value(value);
    else
        return fail(words, "speed: a number or \"max\" is expected");
    out->has_speed = true;
    if (isinf(out->speed)
            ? json_is_string(value)
            : out->speed >= NB__REPLAY_SPEED_MIN && out->speed <= NB__REPLAY_SPEED_MAX)
        return true;
    return fail(words, "speed: a number of 0.001-1000000 or \"max\" is expected");
}

static bool take_step(const json_t *value, nb__replay_command *out, char *words)
{
    json_int_t step = json_is_integer(value) ? json_integer_value(value) : 0;
    if (step < 1 || step > STEP_MAX)
        return fail(words, "step: a whole number of frames, 1-1000000000, is expected");
    out->step = (uint64_t)step;
    return true;
}

static bool take(const char *key, const json_t *value, nb__replay_command *out, char *words)
{
    if (strcmp(key, "speed") == 0)
        return take_speed(value, out, words);
    if (strcmp(key, "step") == 0)
        return take_step(value, out, words);
    if (strcmp(key, "pause") == 0) {
        if (!json_is_boolean(value))
            return fail(words, "pause: true or false is expected");
        out->has_pause = true;
        out->is_paused = json_is_true(value);
        return true;
    }
    if (strcmp(key, "seek") == 0) {
        if (!json_is_string(value) || json_string_length(value) == 0)
            return fail(words, "seek: a time of the night is expected, like \"23:10\"");
        out->seek = (nb_span){json_string_value(value), json_string_length(value)};
        return true;
    }
    snprintf(words, REPLAY_WORDS_BYTES,
             "there is no command %.40s; known are speed, pause, seek and step", key);
    nb__make_printable(words, strlen(words));
    return false;
}

static bool run(nb__gateway *g, json_t *root, char *words)
{
    nb__replay_command command = {0};
    nb_error error = {0};
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value) if (!take(key, value, &command, words)) return false;
    if (json_object_size(root) == 0)
        return fail(words, "nothing is asked for; known are speed, pause, seek and step");
    if (command.step > 0 && command.has_pause && !command.is_paused)
        return fail(words, "step pauses: it does not go with \"pause\":false");
    if (nb__plant_replay_command(g->plant, &command, &error) == NB_OK)
        return true;
    return fail(words, error.detail);
}

bool replay_command(nb__gateway *g, nb_span body, char words[REPLAY_WORDS_BYTES])
{
    json_error_t error;
    if (body.size_bytes > BODY_MAX)
        return fail(words, "the command is longer than 4096 bytes");
    json_t *root = json_loadb(body.data == NULL ? "" : body.data, body.size_bytes,
                              JSON_REJECT_DUPLICATES, &error);
    bool is_done = false;
    if (root == NULL) {
        snprintf(words, REPLAY_WORDS_BYTES, "not JSON: %.120s (byte %d)", error.text,
                 error.position);
        nb__make_printable(words, strlen(words));
    } else if (!json_is_object(root)) {
        fail(words, "one JSON object is expected, like {\"speed\":10}");
    } else {
        is_done = run(g, root, words);
    }
    json_decref(root);
    return is_done;
}
