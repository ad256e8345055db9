/* SPDX-License-Identifier: Apache-2.0 */
/**
 * plant, L5: feed -> check -> book -> sinks, one loop, in order.
 *
 * A feed is a KIS-protocol server reached by a session (feed.c). The plant asks kis for each
 * frame's TR, count and stride, decodes book records, updates the books, and offers the same bytes
 * to every sink. It decides nothing about clients: that is the gateway's.
 */
#ifndef NB_PLANT_H
#define NB_PLANT_H

#include "base/base.h"
#include "book/book.h"
#include "io/io.h"
#include "kis/kis.h"
#include "night/night.h"
#include "session/session.h"

typedef struct nb__record {
    uint32_t topic; /**< NB__TOPIC_NONE: no valid key, or the topic table is full */
    nb_span bytes;  /**< as on the wire, without its joining '^' */
} nb__record;

/** A frame as sinks see it. Valid during the call. */
typedef struct nb__plant_frame {
    nb_span bytes; /**< the whole message: the wire's bytes (what is not UTF-8 replaced by '?') */
    nb_frame head;
    int64_t recv_ns; /**< UTC */
    bool is_split;   /**< records are known; else records[0] holds the first key's topic and the
                        payload */
    bool is_one_key; /**< all records are of records[0].topic: pass the frame as it came */
    uint32_t record_count;
    const nb__record *records;
} nb__plant_frame;

typedef enum nb__mark_kind {
    NB__MARK_LINK_UP,  /**< the feed's link is up; a gap ends */
    NB__MARK_LINK_DOWN /**< a gap begins: what happens now is not seen */
} nb__mark_kind;
typedef struct nb__mark {
    nb__mark_kind kind;
    int64_t recv_ns;
    const char *reason;
} nb__mark;

typedef struct nb__sink {
    void *self;
    void (*frame)(void *self, const nb__plant_frame *frame);
    void (*mark)(void *self, const nb__mark *mark);
    /** KIS decided about a registration (confirmed, rejected): nb__plant_registration() has the
     * words. */
    void (*registration)(void *self, uint32_t topic);
} nb__sink;

typedef struct nb__plant_config {
    nb__address feed;        /**< ws://HOST:PORT/… of a KIS-protocol server */
    nb__feed_kind feed_kind; /**< as stated or asked for; a Nightbook-Clock header corrects OTHER */
    nb__session_config session;
    uint32_t topics_max;   /**< default 65536 */
    uint32_t own_keys_max; /**< register so many codes nearest the money from the feed's master; 0:
                              none */
    const nb_calendar *calendar;
} nb__plant_config;

typedef struct nb__plant nb__plant;
nb_err nb__plant_open(nb__loop *loop, const nb__plant_config *config, nb__plant **out,
                      nb_error *error);
/** Close the link politely and stay away; nb__plant_is_up() tells when that is done (within 1 s).
 */
void nb__plant_shutdown(nb__plant *plant);
void nb__plant_close(nb__plant *plant);
void nb__plant_add_sink(nb__plant *plant, const nb__sink *sink); /**< at most 4 */

/** A frame from a feed. Public for tests and replays: the plant's whole effect depends on these
 * bytes and times. */
void nb__plant_on_message(nb__plant *plant, char *text, size_t size_bytes, int64_t recv_ns);

/* ---- for the gateway ---- */
nb__topics *nb__plant_topics(nb__plant *plant);
const nb__books *nb__plant_books(const nb__plant *plant);
/** A client wants a topic. @retval NB_E_LIMIT  answer OPSP0008. Rate-limited upstream by the
 * session. */
nb_err nb__plant_want(nb__plant *plant, uint32_t topic);
void nb__plant_release(nb__plant *plant, uint32_t topic);
const nb__registration *nb__plant_registration(const nb__plant *plant, uint32_t topic);
bool nb__plant_is_up(const nb__plant *plant);
const nb__master *nb__plant_master(const nb__plant *plant); /**< empty until it is loaded */
/** A master file ("fo_eurex_code.mst.zip") as the feed's server gave it, valid until the next turn.
 * Empty: it has none. */
nb_span nb__plant_master_zip(const nb__plant *plant, nb_span name);
/** An option code at the money by the master, to paste; "" until it is loaded. */
const char *nb__plant_atm_code(const nb__plant *plant);
const nb_calendar *nb__plant_calendar(const nb__plant *plant);

const nb__session_clock *nb__plant_clock(const nb__plant *plant);

typedef struct nb__plant_counters {
    uint64_t frames, records, bytes, frames_unsplit, records_bad, records_drifted, frames_encrypted,
        frames_unknown_tr, bytes_scrubbed, topics_refused, other_messages;
} nb__plant_counters;
extern const nb__metric nb__plant_metrics[];
extern const size_t nb__plant_metric_count;
const nb__plant_counters *nb__plant_count(const nb__plant *plant);
const nb__session *nb__plant_session(const nb__plant *plant);
const char *nb__plant_feed_name(const nb__plant *plant);

#endif
