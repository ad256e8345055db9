/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve: what only a replay needs: where the night is, its first lines, a line of progress and the
 * Enter key on a terminal, and its end.
 */
#include "journal_command.h"
#include "serve.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PROGRESS_NS (500 * NB__NS_PER_MS)

/* ---- from the settings ---- */

/* Nights are looked for where they are recorded: the file's line, or the usual place. */
static nb_err find_night(nb__serve *s, nb_error *error)
{
    const nb__settings *settings = s->settings;
    bool is_in_file = nb__settings_from(settings, "journal") == NB__FROM_FILE &&
                      strcmp(nb__settings_text(settings, "journal"), NB__JOURNAL_NONE) != 0;
    char journal[NB__STORE_PATH_MAX];
    nb_err err = nb__journal_default(is_in_file ? nb__settings_text(settings, "journal") : NULL,
                                     journal, error);
    if (err != NB_OK) /* without a home only a path can be meant */
        snprintf(journal, sizeof journal, ".");
    return nb__journal_place(journal, s->configuration.replay, s->replay_path, error);
}

static bool is_switched_on(const nb__serve *s, const char *name)
{
    return nb__settings_is_given(s->settings, name);
}

nb_err nb__serve_replay_config(nb__serve *s, nb__replay_config *out, nb_error *error)
{
    const nb__settings *settings = s->settings;
    bool is_by_flag = nb__settings_from(settings, "speed") == NB__FROM_FLAG;
    nb_err err = find_night(s, error);
    if (err != NB_OK)
        return err;
    *out = (nb__replay_config){
        .path = s->replay_path,
        .calendar = nb__serve_calendar(s),
        .from = nb__settings_text(settings, "from"),
        .to = nb__settings_text(settings, "to"),
        /* the file's line is the look-alike's */
        .speed = is_by_flag ? nb__settings_decimal(settings, "speed") : 1,
        .is_loop = is_switched_on(s, "loop"),
        .is_paused = is_switched_on(s, "step"),
    };
    return NB_OK;
}

/* ---- the first lines ---- */

static void print_speed(char out[32], double speed)
{
    if (isinf(speed))
        snprintf(out, 32, "max");
    else
        snprintf(out, 32, "%.6g", speed);
}

void nb__serve_replay_facts(const nb__serve *s, nb__text *out)
{
    nb__replay_view view;
    nb__gate_state gate;
    char from[40], to[40], speed[32];
    if (!nb__plant_replay(s->plant, &view, &gate))
        return;
    nb__kst_print(from, view.from_ns, 0);
    nb__kst_print(to, view.to_ns, 0);
    print_speed(speed, view.speed);
    unsigned wait = (unsigned)nb__settings_number(s->settings, "wait");
    nb__text_printf(out,
                    "\n  replay:       %s, recorded %s, night %d\n"
                    "                %.19s to %.19s, speed %s",
                    view.path, nb__feed_kind_name(view.recorded), view.night, from, to, speed);
    if (view.is_paused)
        nb__text_string(out, "; paused: Enter sends a frame");
    if (wait > 0)
        nb__text_printf(out, "; begins when %u client%s subscribed", wait,
                        wait == 1 ? " has" : "s have");
    nb__text_string(out, "\n  control:      /v1/replay: docs/replay.md");
}

/* ---- progress ---- */

/* One line, over itself: the cursor stays at its begin, so that a line of the log takes its place.
 */
static void print_progress(const nb__serve *s)
{
    nb__replay_view view;
    nb__gate_state gate;
    char time[40] = "", speed[32];
    if (!nb__plant_replay(s->plant, &view, &gate))
        return;
    if (view.session_ns != NB_TIME_UNDEF)
        nb__kst_print(time, view.session_ns, 0);
    print_speed(speed, view.speed);
    const char *state = view.is_ended              ? "at its end"
                        : gate == NB__GATE_AWAITED ? "waits for clients"
                        : view.is_paused           ? "paused"
                        : gate == NB__GATE_FULL    ? "waits for a slow client"
                                                   : "plays";
    fprintf(stderr, "REPLAY %.19s %5.1f %%  speed %s, %llu frames, %s\033[K\r", time,
            view.progress * 100, speed, (unsigned long long)view.frames, state);
}

static void progress_fired(nb__timer *timer, int64_t now_mono_ns)
{
    nb__serve *s = (nb__serve *)((char *)timer - offsetof(nb__serve, progress));
    print_progress(s);
    nb__timer_set(s->loop, timer, now_mono_ns + PROGRESS_NS);
}

/* Enter: one frame more, of a replay that is paused. */
static void key_pressed(nb__watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    nb__serve *s = (nb__serve *)((char *)watch - offsetof(nb__serve, keyboard));
    char keys[256];
    ssize_t size = read(watch->fd, keys, sizeof keys);
    uint64_t frames = 0;
    nb__replay_view view;
    nb__gate_state gate;
    if (size <= 0) {
        nb__watch_remove(s->loop, watch);
        s->has_keyboard = false;
        return;
    }
    for (ssize_t i = 0; i < size; i++)
        frames += keys[i] == '\n';
    if (frames > 0 && nb__plant_replay(s->plant, &view, &gate) && view.is_paused)
        (void)nb__plant_replay_command(s->plant, &(nb__replay_command){.step = frames}, NULL);
}

/* ---- the end ---- */

static void turn_ended(nb__hook *hook)
{
    nb__serve *s = (nb__serve *)((char *)hook - offsetof(nb__serve, replay_hook));
    nb__replay_view view;
    nb__gate_state gate;
    if (nb__plant_replay(s->plant, &view, &gate) && view.is_ended &&
        nb__gateway_is_drained(s->gateway))
        nb__loop_stop(s->loop);
}

void nb__serve_replay_begin(nb__serve *s)
{
    if (s->configuration.feed != NB__CHOICE_REPLAY)
        return;
    s->progress.fire = progress_fired;
    s->replay_hook.turn_end = turn_ended;
    bool is_words = strcmp(nb__settings_text(s->settings, "log"), "json") != 0;
    s->has_progress = is_words && isatty(STDERR_FILENO);
    if (s->has_progress)
        nb__timer_set(s->loop, &s->progress, nb__clock_mono_ns() + PROGRESS_NS);
    if (is_switched_on(s, "exit"))
        nb__hook_add(s->loop, &s->replay_hook);
    s->keyboard = (nb__watch){.fd = STDIN_FILENO, .ready = key_pressed};
    s->has_keyboard = is_switched_on(s, "step") && isatty(STDIN_FILENO) &&
                      nb__watch_add(s->loop, &s->keyboard, EPOLLIN) == NB_OK;
}

void nb__serve_replay_end(nb__serve *s)
{
    if (s->configuration.feed != NB__CHOICE_REPLAY || s->loop == NULL)
        return;
    nb__timer_cancel(s->loop, &s->progress);
    if (is_switched_on(s, "exit"))
        nb__hook_remove(s->loop, &s->replay_hook);
    if (s->has_keyboard)
        nb__watch_remove(s->loop, &s->keyboard);
    if (s->has_progress)
        fputs("\n", stderr);
}
