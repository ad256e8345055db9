/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The player: what a replay gives out goes the way of a frame that was received, with the receive
 * time and the clock that were recorded.
 *
 *     due? ─▶ gate open? ─▶ frame ─▶ nb__plant_on_message() ─▶ books, sinks
 *                  └ no: time stands until nb__plant_pull()
 *
 * Two clocks: the feed's is the recorded link's, and dates what is in the frames; the plant's is
 * what clients are told, and follows where the replay is. A turn gives out so many bytes, so that
 * the loop stays alive at any speed.
 */
#include "player.h"
#include "inside.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define TURN_BYTES ((size_t)256 << 10)
#define ITEM_BYTES ((size_t)128) /* what is no frame costs a turn its part, too */
#define ORIGINS 200              /* recorded links that are told apart; UINT8_MAX: none */

static nb__feed *feed_of(nb__plant *plant)
{
    return &plant->feeds[0];
}

static int64_t mono_ns(const nb__plant *plant)
{
    return nb__loop_mono_ns(plant->loop);
}

static void wake(nb__plant *plant)
{
    nb__timer_set(plant->loop, &plant->player.timer, mono_ns(plant));
}

/* What clients are told; it stands while they are waited for. */
static void follow_clock(nb__plant *plant)
{
    nb__player *player = &plant->player;
    nb__replay_view view =
        nb__replay_look(player->source, mono_ns(plant), nb__loop_real_ns(plant->loop));
    plant->clock = view.clock;
    if (player->state == NB__GATE_AWAITED)
        plant->clock.speed = 0;
}

static void tell_sinks(nb__plant *plant, nb__mark_kind kind, const char *reason, int64_t recv_ns,
                       bool is_rest)
{
    const nb__mark mark = {.kind = kind, .recv_ns = recv_ns, .reason = reason, .is_rest = is_rest};
    for (size_t i = 0; i < plant->sink_count; i++)
        plant->sinks[i].mark(plant->sinks[i].self, &mark);
}

/* ---- what was recorded ---- */

static uint8_t origin_of(uint32_t link)
{
    return (uint8_t)(link % ORIGINS);
}

/* Who records a replay has it as it was recorded: times, clocks, gaps. */
static void scribe_link(nb__plant *plant, const nb__replay_item *item, bool is_up)
{
    feed_of(plant)->clock = *item->clock;
    plant->player.is_linked = is_up;
    nb__scribe_link(plant, feed_of(plant), is_up, item->is_rest, item->reason, item->recv_ns);
}

static void give_frame(nb__plant *plant, const nb__replay_item *item)
{
    nb__player *player = &plant->player;
    nb__text_clear(&player->text);
    nb__text_append(&player->text, item->message.data, item->message.size_bytes);
    if (player->text.is_failed) {
        nb__log(NB__LOG_ERROR, "replay", "memory is exhausted: a frame of %zu bytes is left out",
                item->message.size_bytes);
        nb__text_fini(&player->text);
        return;
    }
    feed_of(plant)->clock = *item->clock;
    if (!player->is_linked)
        scribe_link(plant, item, true);
    player->origin = origin_of(item->link);
    nb__plant_on_message(plant, 0, player->text.data, player->text.size_bytes, item->recv_ns);
}

static void give_down(nb__plant *plant, const nb__replay_item *item)
{
    plant->player.down_count++;
    scribe_link(plant, item, false);
    nb__frames_set_stale(plant, origin_of(item->link));
    tell_sinks(plant, NB__MARK_LINK_DOWN, item->reason, item->recv_ns, item->is_rest);
}

static void give_up(nb__plant *plant, const nb__replay_item *item)
{
    scribe_link(plant, item, true);
    if (plant->player.down_count == 0)
        return; /* the first: nobody was told that it was down */
    plant->player.down_count--;
    tell_sinks(plant, NB__MARK_LINK_UP, "", item->recv_ns, false);
}

static void give_hole(nb__plant *plant, const nb__replay_item *item)
{
    nb__books_set_stale(plant->books);
    tell_sinks(plant, NB__MARK_HOLE, item->reason, item->recv_ns, false);
}

static void give_end_of_key(nb__plant *plant, const nb__replay_item *item)
{
    nb__topic name;
    if (nb__topic_make(nb__span(item->tr_id), nb__span(item->tr_key), &name))
        nb__books_set_stale_at(plant->books, nb__topics_find(plant->topics, &name));
}

/* Another place: nothing that came before it is of use. */
static void move(nb__plant *plant, const char *words)
{
    nb__books_forget(plant->books);
    plant->player.down_count = 0;
    plant->player.is_end_told = false;
    follow_clock(plant);
    tell_sinks(plant, NB__MARK_MOVED, words, nb__loop_real_ns(plant->loop), false);
}

static void give(nb__plant *plant, const nb__replay_item *item)
{
    switch (item->kind) {
    case NB__REPLAY_FRAME:
        give_frame(plant, item);
        break;
    case NB__REPLAY_UP:
        give_up(plant, item);
        break;
    case NB__REPLAY_DOWN:
        give_down(plant, item);
        break;
    case NB__REPLAY_HOLE:
        give_hole(plant, item);
        break;
    case NB__REPLAY_END_OF_KEY:
        give_end_of_key(plant, item);
        break;
    case NB__REPLAY_BEGIN:
        move(plant, "the replay begins anew");
        break;
    }
}

/* ---- playing ---- */

static bool is_open(nb__plant *plant)
{
    nb__player *player = &plant->player;
    player->state =
        player->gate.look == NULL ? NB__GATE_OPEN : player->gate.look(player->gate.self);
    nb__replay_hold(player->source, player->state != NB__GATE_OPEN, mono_ns(plant));
    return player->state == NB__GATE_OPEN;
}

static void ended(nb__plant *plant)
{
    nb__player *player = &plant->player;
    nb__timer_cancel(plant->loop, &player->timer);
    if (player->is_end_told)
        return;
    player->is_end_told = true;
    nb__log(NB__LOG_INFO, "replay", "the replay is at its end; POST /v1/replay seeks back");
}

/* @return false: there is no more to do in this turn. */
static bool play_one(nb__plant *plant, size_t *left_bytes)
{
    nb__player *player = &plant->player;
    nb__replay_item item;
    int64_t due_ns;
    switch (nb__replay_next(player->source, mono_ns(plant), &item, &due_ns)) {
    case NB__REPLAY_WAIT:
        if (due_ns == INT64_MAX)
            nb__timer_cancel(plant->loop, &player->timer);
        else
            nb__timer_set(plant->loop, &player->timer, due_ns);
        return false;
    case NB__REPLAY_ENDED:
        ended(plant);
        return false;
    case NB__REPLAY_ITEM:
        break;
    }
    player->recv_ns = item.recv_ns;
    size_t cost_bytes = item.message.size_bytes > ITEM_BYTES ? item.message.size_bytes : ITEM_BYTES;
    give(plant, &item);
    if (cost_bytes < *left_bytes && item.kind != NB__REPLAY_BEGIN) {
        *left_bytes -= cost_bytes;
        return true;
    }
    wake(plant);
    return false;
}

static void play(nb__plant *plant)
{
    size_t left_bytes = TURN_BYTES;
    if (plant->is_shut)
        return;
    while (is_open(plant) && play_one(plant, &left_bytes))
        continue;
    follow_clock(plant);
}

static void timer_fired(nb__timer *timer, int64_t now_mono_ns)
{
    (void)now_mono_ns;
    play((nb__plant *)((char *)timer - offsetof(nb__plant, player.timer)));
}

/* ---- the door ---- */

nb_err nb__player_open(nb__plant *plant, const nb__replay_config *config, nb_error *error)
{
    nb__player *player = &plant->player;
    nb_err err = nb__replay_open(config, nb__loop_mono_ns(plant->loop), &player->source, error);
    if (err != NB_OK)
        return err;
    player->timer.fire = timer_fired;
    player->state = NB__GATE_AWAITED; /* until it was asked */
    follow_clock(plant);
    wake(plant);
    return NB_OK;
}

void nb__player_shut(nb__plant *plant)
{
    if (plant->player.source != NULL)
        nb__timer_cancel(plant->loop, &plant->player.timer);
}

void nb__player_close(nb__plant *plant)
{
    nb__player_shut(plant);
    nb__replay_close(plant->player.source);
    nb__text_fini(&plant->player.text);
    plant->player.source = NULL;
}

void nb__plant_set_gate(nb__plant *plant, const nb__gate *gate)
{
    plant->player.gate = gate != NULL ? *gate : (nb__gate){0};
}

void nb__plant_pull(nb__plant *plant)
{
    nb__player *player = &plant->player;
    if (player->source == NULL || plant->is_shut)
        return;
    if (player->state != NB__GATE_OPEN &&
        (player->gate.look == NULL || player->gate.look(player->gate.self) == NB__GATE_OPEN))
        wake(plant);
    follow_clock(plant);
}

bool nb__plant_replay(const nb__plant *plant, nb__replay_view *out, nb__gate_state *gate)
{
    if (plant->player.source == NULL)
        return false;
    *out = nb__replay_look(plant->player.source, mono_ns(plant), nb__loop_real_ns(plant->loop));
    *gate = plant->player.state;
    return true;
}

static nb_err seek(nb__plant *plant, nb_span words, nb_error *error)
{
    int64_t session_ns;
    nb__replay *source = plant->player.source;
    nb_err err = nb__replay_time_parse(source, words, &session_ns, error);
    if (err == NB_OK)
        err = nb__replay_seek(source, session_ns, mono_ns(plant), error);
    if (err != NB_OK)
        return err;
    char time[40], told[80];
    nb__kst_print(time, session_ns, 3);
    snprintf(told, sizeof told, "the replay was moved to %.23s", time);
    nb__log(NB__LOG_INFO, "replay", "%s", told);
    move(plant, told);
    return NB_OK;
}

nb_err nb__plant_replay_command(nb__plant *plant, const nb__replay_command *command,
                                nb_error *error)
{
    nb__replay *source = plant->player.source;
    int64_t now_ns = mono_ns(plant);
    if (source == NULL)
        return nb__fail(error, NB_E_ARGUMENT, 0, "the feed is no replay");
    if (command->seek.size_bytes > 0 && seek(plant, command->seek, error) != NB_OK)
        return error != NULL ? error->code : NB_E_ARGUMENT;
    if (command->has_speed)
        nb__replay_set_speed(source, command->speed, now_ns);
    if (command->has_pause)
        nb__replay_pause(source, command->is_paused, now_ns);
    if (command->step > 0)
        nb__replay_step_frames(source, command->step, now_ns);
    follow_clock(plant);
    if (!plant->is_shut)
        wake(plant);
    return NB_OK;
}
