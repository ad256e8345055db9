/* SPDX-License-Identifier: Apache-2.0 */
/**
 * player: a replay as the plant's feed (player.c), and the session of a feed that has no server
 * (feed_replay.c).
 */
#ifndef NB_PLANT_PLAYER_H
#define NB_PLANT_PLAYER_H

#include "plant/plant.h"

struct nb__feed;

typedef struct nb__player {
    nb__replay *source; /**< NULL: the feed is no replay */
    nb__timer timer;
    nb__gate gate;
    nb__gate_state state; /**< as it was last looked at */
    uint8_t origin;       /**< of the frame that is given: which recorded link, for staleness */
    uint32_t down_count;  /**< recorded links whose gap was told and not its end */
    nb__text text;        /**< the message that is given, ours to change */
    bool is_end_told;
    bool is_linked;  /**< the journal of this replay knows that a link is up */
    int64_t recv_ns; /**< of the last item */
} nb__player;

nb_err nb__player_open(nb__plant *plant, const nb__replay_config *config, nb_error *error);
void nb__player_close(nb__plant *plant);
/** The plant ends: nothing comes any more. */
void nb__player_shut(nb__plant *plant);

/** Do what the session asks for, in place of a server. */
void nb__replay_feed_act(struct nb__feed *feed, const nb__action *action);
nb_err nb__replay_feed_open(struct nb__feed *feed, const char *path);
void nb__replay_feed_close(struct nb__feed *feed);

#endif
