/* SPDX-License-Identifier: Apache-2.0 */
/**
 * feed: a session carried over io. Asks for the approval key, opens the link, sends what the
 * session says, and gives out data messages, link changes and registration changes. Looks into no
 * data frame.
 */
#ifndef NB_PLANT_FEED_H
#define NB_PLANT_FEED_H

#include "plant/plant.h"

typedef struct nb__feed_handler {
    void *self;
    void (*message)(void *self, char *text, size_t size_bytes, int64_t recv_ns);
    void (*control)(void *self, bool is_known); /**< a control message, dealt with */
    /** The link went up (the clock that its server states is `clock`) or down (`reason`). */
    void (*link)(void *self, bool is_up, const nb__session_clock *clock, const char *reason);
    void (*registration)(void *self, uint32_t topic);
} nb__feed_handler;

typedef struct nb__feed {
    nb__loop *loop;
    nb__address address;
    nb__feed_kind kind; /**< when the server states no clock */
    nb__feed_handler handler;
    nb__session *session;
    nb__session_clock clock;
    nb__link *link;
    nb__fetch *approval;
    nb__timer timer;
    bool is_shut;
    char appkey[40];
    char name[300];   /**< ws://HOST:PORT */
    char logged[256]; /**< the cause last told, so that a server which stays away is told once */
} nb__feed;

/** The feed's memory stays where it is until nb__feed_close(). Starts in the loop's next turn. */
nb_err nb__feed_open(nb__feed *feed, nb__loop *loop, const nb__plant_config *config,
                     nb__topics *topics, const nb__feed_handler *handler, nb_error *error);
/** Close the link politely and stay away. */
void nb__feed_shut(nb__feed *feed);
void nb__feed_close(nb__feed *feed);
/** A wish changed: do what the session wants in this or the next turn, not inside the caller. */
void nb__feed_stir(nb__feed *feed);

#endif
