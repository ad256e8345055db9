/* SPDX-License-Identifier: Apache-2.0 */
/**
 * feed: an appkey's session carried over io. Asks for the approval key, opens the link, sends what
 * the session says, and gives out data messages, link changes and registration changes. Looks into
 * no data frame. Its parts in other files: feed_live.c (what KIS itself needs), hours.c (when a
 * session is wanted), tell.c (what people are told).
 */
#ifndef NB_PLANT_FEED_H
#define NB_PLANT_FEED_H

#include "https/https.h"
#include "plant/plant.h"

typedef struct nb__feed nb__feed;

typedef struct nb__feed_handler {
    void *self;
    void (*message)(void *self, nb__feed *feed, char *text, size_t size_bytes, int64_t recv_ns);
    /** A control message, dealt with: nb__session_heard(). `text` may hold secrets. */
    void (*control)(void *self, nb__feed *feed, nb_span text, bool is_known, int64_t recv_ns);
    /** The link went up (the clock that its server states is feed->clock) or down (`reason`). */
    void (*link)(void *self, nb__feed *feed, bool is_up, const char *reason);
    void (*registration)(void *self, nb__feed *feed, uint32_t topic);
    void (*clock)(void *self, nb__feed *feed); /**< its server states another one */
    /** An answer for an approval key; `error_code` "": there is one. `words` scrubbed. */
    void (*approval)(void *self, nb__feed *feed, const char *error_code, const char *words);
    void (*notice)(void *self, nb__feed *feed, nb__notice_kind kind, const char *detail);
    void (*changed)(void *self, nb__feed *feed); /**< after every event, when all is done */
} nb__feed_handler;

/** What only a feed to KIS has. */
typedef struct nb__live {
    nb__live_config config;
    uint16_t listen_port;
    nb__appkey_lock *lock;
    nb__https *approval;
    nb__timer hours_timer;
    nb__opening opening;
    int64_t stop_until_ns; /**< the forced stop that the session was told of; monotonic */
    bool is_save_failed;
    char appkey_hash[17];
} nb__live;

struct nb__feed {
    nb__loop *loop;
    uint32_t index;
    nb__address address;
    nb__feed_kind kind; /**< when the server states no clock */
    const nb_calendar *calendar;
    nb__feed_handler handler;
    nb__session *session;
    nb__session_clock clock;
    nb__link *link;
    nb__fetch *approval; /**< over plain http */
    nb__timer timer;
    nb__live live;
    nb__text answer; /**< of a replay: what KIS would say */
    bool is_live, is_replay, is_up, is_shut;
    bool is_accepted;  /**< a registration went through over the link that is up */
    char refusal[200]; /**< why we close the link that just opened; "" */
    char appkey[40];   /**< a name of our own, for a server of this machine */
    char name[300];    /**< label; the url when it has none */
    char url[300];     /**< ws://HOST:PORT */
    /* tell.c */
    bool is_up_told, is_full_told;
    char logged[256];   /**< the cause last told, so that a server which stays away is told once */
    const char *advice; /**< what the user can do about the approval; NULL */
    int64_t up_since_ns, lost_since_ns; /**< NB_TIME_UNDEF: not lost */
    uint64_t in_use_seen;
    nb__approval_class approval_class; /**< of the last failure */
    bool is_approval_failed, is_approval_told, is_in_use_told, is_breaker_told, is_loss_told;
};

/** The feed's memory stays where it is until nb__feed_close(). Starts in the loop's next turn.
 * @retval NB_E_BUSY  Another process holds the appkey. */
nb_err nb__feed_open(nb__feed *feed, nb__loop *loop, const nb__plant_config *config, uint32_t index,
                     nb__topics *topics, const nb__feed_handler *handler, nb_error *error);
/** Close the link politely and stay away. */
void nb__feed_shut(nb__feed *feed);
void nb__feed_close(nb__feed *feed);
/** A wish changed: do what the session wants in this or the next turn, not inside the caller. */
void nb__feed_stir(nb__feed *feed);
/** Do what the session wants. */
void nb__feed_pump(nb__feed *feed);
/** An approval answer (status 0: none, `failure` says why) goes to the session. */
void nb__feed_on_approval(nb__feed *feed, int status, nb_span body, const nb_error *failure);
/** The question could not even be sent. */
void nb__feed_approval_unasked(nb__feed *feed, const nb_error *failure);
int64_t nb__feed_now_ns(const nb__feed *feed);

/* ---- feed_live.c ---- */
nb_err nb__live_open(nb__feed *feed, const nb__live_config *config, uint16_t listen_port,
                     nb_error *error);
void nb__live_close(nb__feed *feed);
void nb__live_ask_approval(nb__feed *feed);
void nb__live_save(nb__feed *feed);
nb__link_options nb__live_link_options(const nb__feed *feed);

/* ---- hours.c ---- */
/** Rest, wake, or expect KIS's stop, as the calendar says at `now_real_ns`; comes again by timer,
 * at least each minute, so that a clock that was set and a machine that slept are noticed. */
void nb__hours_follow(nb__feed *feed, int64_t now_real_ns);
void nb__hours_begin(nb__feed *feed, int64_t now_real_ns);

/* ---- tell.c ---- */
void nb__tell_link(nb__feed *feed, bool is_up);
/** After a pump: a wait and its cause, and what is worth a notice. */
void nb__tell_state(nb__feed *feed);
void nb__tell_registration(nb__feed *feed, uint32_t topic);
/** OPSP0008 below the 41. */
void nb__tell_full(nb__feed *feed);
/** Lost for over a minute, or back for good? @return when to look again. */
int64_t nb__tell_loss(nb__feed *feed);

#endif
