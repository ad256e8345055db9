/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Who gets what: clients, subscriptions, what each has pending, and the flush at a turn's end.
 *
 * Pure: the sockets are behind `fan_io`. What a client has pending is, in this order,
 *
 *     list      sequences of ring messages: frames of its keys, and its own answers among them
 *     cursor    (a `*` client) from there to the ring's head what its filter lets through
 *     catch-up  last values: all of them (+last with `*`), or of keys it missed (+conflate)
 *
 * and one write takes as much of it as the kernel wants. A blocked client only grows its list, up
 * to pending_max; beyond that, or when the ring overwrote what it still wanted, it is slow:
 * +conflate or closed. A delivered frame is neither formatted nor allocated; a list grows by
 * doubling, at most a few times in its life.
 */
#ifndef NB_GATEWAY_FANOUT_H
#define NB_GATEWAY_FANOUT_H

#include "gateway/gateway.h"
#include "ring.h"

#define FAN_NONE UINT32_MAX
#define FAN_TR_MAX 62      /**< TRs with a number of their own; later ones share this number */
#define FAN_ALL UINT64_MAX /**< the filter of `*` for every TR */
#define FAN_STAR_NOTHING                                                                           \
    (UINT64_C(1) << 63)   /**< `*` of a TR that the feed has not delivered yet                     \
                           */
#define FAN_IOV_MAX 1024  /**< the kernel's limit of one writev */
#define FAN_LAST_MAX 2048 /**< longest record kept as a last value */
#define FAN_CONFLATE_AT                                                                            \
    256 /**< a blocked +conflate client is brought up to date from so many messages on */

typedef struct fan_subscription {
    uint32_t topic;
    uint32_t place;  /**< in the topic's list of subscribers */
    bool is_waiting; /**< KIS has not answered yet: gets no frames */
    bool is_star;    /**< the topic is (TR, `*`) */
} fan_subscription;

typedef enum fan_catch_up {
    FAN_CATCH_NONE,
    FAN_CATCH_LAST,    /**< +last: values older than `catch_since` */
    FAN_CATCH_CONFLATE /**< +conflate: values of book TRs at or after `catch_since` */
} fan_catch_up;

/** What the fan-out knows of a client. Owned by the gateway, which embeds it. */
typedef struct fan_client {
    void *peer;
    uint64_t *list; /**< ring buffer; a power of two */
    uint32_t list_capacity, list_first, list_count;
    uint32_t index, dirty_at, star_at; /**< places in the fan's arrays; FAN_NONE */
    fan_subscription *subscriptions;
    uint32_t subscription_count, subscription_capacity;
    uint32_t catch_next; /**< next topic (`*`) or subscription to look at */
    uint64_t cursor;     /**< `*` */
    uint64_t star_mask;  /**< TR numbers wanted by `*`; 0: no `*` client */
    uint64_t catch_since;
    uint64_t missed_from; /**< what was missed since the round began; UINT64_MAX: nothing */
    int64_t sent_ns;      /**< when something was last sent */
    uint8_t catch_up;     /**< fan_catch_up */
    bool is_tidy, is_conflating;
    bool is_blocked, is_slow, is_gone;
} fan_client;

typedef struct fan_subscriber {
    uint32_t client; /**< index, FAN_WAITING added while KIS has not answered */
    uint32_t slot;   /**< in the client's subscriptions */
} fan_subscriber;
#define FAN_WAITING 0x80000000u

typedef struct fan_topic {
    fan_subscriber *subscribers;
    uint32_t subscriber_count, subscriber_capacity;
    char *last; /**< the last record as a whole framed message with count 001; behind it, if it
                   differs, the same cut */
    uint32_t last_size_bytes, last_tidy_size_bytes, last_capacity_bytes;
    uint64_t last_sequence, frame_stamp;
    uint8_t tr;
    bool is_wanted; /**< the plant was asked for it (the gateway's) */
} fan_topic;

/** How bytes leave, and what happens to the slow. */
typedef struct fan_io {
    void *self;
    /** Before the first write of a flush: what frames came is to be in the journal by then. */
    void (*sync)(void *self);
    /** Less than all taken, even nothing: fan_writable() comes. An error: fan_leave() comes. */
    nb_err (*write)(void *peer, const struct iovec *iov, int iov_count, size_t *taken_bytes);
    void (*queue)(void *peer,
                  nb_span framed); /**< behind the peer's queue, sent before the next write */
    /** Close it with 1008. fan_leave() must come later, not from within. */
    void (*slow)(void *self, fan_client *client);
} fan_io;

/** What one write of a `*` client was made of, kept for the next one at the same place. */
typedef struct fan_run {
    uint64_t from, to, mask;
    bool is_tidy;
    int iov_count;
    uint32_t message_count;
    size_t size_bytes;
} fan_run;

typedef struct fan {
    ring ring;
    fan_io io;
    const nb__topics *names;
    nb__gateway_counters *counters;
    uint32_t pending_max;
    int64_t now_ns;
    fan_client **clients; /**< by index; NULL: free */
    uint32_t *free_indexes, *dirty, *stars;
    uint32_t client_max, free_count, client_top, dirty_count, star_count, tidy_count;
    bool is_patient; /**< whoever sends waits for the slow: no list is too long */
    bool keeps_tidy; /**< a +tidy client has been here: last values are kept cut, too */
    fan_topic *topics;
    uint32_t topic_count, topic_capacity;
    char trs[FAN_TR_MAX][NB_TR_ID_MAX + 1];
    uint64_t book_trs; /**< numbers of book TRs */
    uint32_t tr_count;
    uint64_t frame_stamp, flushed_head, flushed_at_bytes;
    fan_run run; /**< whose pieces are in `iov` */
    struct iovec iov[FAN_IOV_MAX];
} fan;

/** @param names  Shared with the plant; outlives the fan. */
nb_err fan_init(fan *f, const nb__gateway_config *config, const fan_io *io, const nb__topics *names,
                nb__gateway_counters *counters);
void fan_fini(fan *f);

/* ---- clients (fanout.c) ---- */
/** @return false when client_max are there. */
bool fan_join(fan *f, fan_client *c);
/** Forget it and its subscriptions. Topics that nobody wants any more keep is_wanted. */
void fan_leave(fan *f, fan_client *c);

/* ---- subscriptions (topics.c) ---- */
/** Make sure that the row of `topic` is there. @return NULL without memory. */
fan_topic *fan_topic_at(fan *f, uint32_t topic);
/** @return the client's subscription, NULL. Valid until the next change. */
fan_subscription *fan_subscription_find(const fan_client *c, uint32_t topic);
/** @retval NB_E_MEMORY  Nothing happened. */
nb_err fan_subscribe(fan *f, fan_client *c, uint32_t topic, bool is_star, bool is_waiting);
/** Frames flow from now on. */
void fan_activate(fan *f, fan_client *c, fan_subscription *subscription);
/** Frames that came before stay pending, later ones do not come. */
void fan_unsubscribe(fan *f, fan_client *c, fan_subscription *subscription);
/** The number of a TR. @return FAN_TR_MAX when it has none (and none can be, or shall be, made). */
uint8_t fan_tr(fan *f, nb_span tr_id, bool is_book, bool make);
/** A record without what is past its documented width. */
nb_span fan_cut(const nb_tr *tr, nb_span record);
void fan_keep_last(fan *f, fan_topic *topic, const nb_frame *head, nb_span record);
/** The last value as this client gets it. Empty: there is none. */
nb_span fan_last(const fan_topic *topic, bool is_tidy);
/** None of any key. */
void fan_forget_last(fan *f);
/** The first +tidy client ever is here: cut what is held. */
void fan_tidy_last(fan *f);

/* ---- messages in (frames.c) ---- */
#define FAN_HEAD_BYTES (sizeof "0||001|" - 1) /**< and the tr_id's */
/** Write `0|TR|CCC|`. @return its end. */
char *fan_put_head(char *at, nb_span tr_id, uint32_t count);
/** A frame of the feed: into the ring, and onto the lists of those who want it. */
void fan_frame(fan *f, const nb__plant_frame *frame);
/** Put a text message into the ring for who is given its sequence. @return UINT64_MAX: too long. */
uint64_t fan_put(fan *f, nb_span text);
/** Behind everything that is pending for this client now. */
void fan_give(fan *f, fan_client *c, uint64_t sequence);
void fan_send(fan *f, fan_client *c, nb_span text);
/** The last value of one key, if there is one, as an own message. */
void fan_send_last(fan *f, fan_client *c, uint32_t topic);
/** The last values of all that the client's `*` lets through, in chunks as its socket takes them.
 */
void fan_send_all_last(fan *f, fan_client *c);

/* ---- messages out (fanout.c) ---- */
void fan_flush(fan *f);
/** The socket has room again. */
void fan_writable(fan *f, fan_client *c);

/* ---- pending (pending.c), for the two above ---- */
typedef struct fan_walk {
    uint32_t list_taken, catch_next;
    uint64_t cursor;
} fan_walk;
typedef enum fan_step { FAN_STEP_END, FAN_STEP_MESSAGE, FAN_STEP_LOST } fan_step;
fan_walk fan_walk_begin(const fan_client *c);
fan_step fan_walk_next(const fan *f, const fan_client *c, fan_walk *walk, nb_span *bytes);
void fan_walk_commit(fan_client *c, const fan_walk *walk);
/** Whether a client's `*` is for this TR. */
bool fan_star_covers(const fan_client *c, uint8_t tr);
/** Whether a `*` client's filter lets a message through. */
bool fan_star_wants(const fan_client *c, const ring_message *message);
/** One more on a client's list, or the client is slow. @param is_book  It may be conflated. */
void fan_list_append(fan *f, fan_client *c, uint64_t sequence, bool is_book);
/** Move what waits behind a `*` client's cursor to its list, so that the filter may change. */
void fan_settle(fan *f, fan_client *c);
/** Drop pending book messages: last values will do. @return false: others were lost, too. */
bool fan_absorb(fan *f, fan_client *c);
void fan_mark_dirty(fan *f, fan_client *c);
/** How many messages back that begins which still waits for a client, when it is half of what may
 * wait; 0: it has room. Of one that conflates only what does not conflate counts. */
uint64_t fan_behind(const fan *f, const fan_client *c);

#endif
