/* SPDX-License-Identifier: Apache-2.0 */
/**
 * plant, L5: feed -> journal -> check -> book -> sinks, one loop, in order.
 *
 * A feed is a KIS-protocol server reached by a session (feed.c). The plant gives each message to
 * the recorder first, asks kis for each frame's TR, count and stride, decodes book records, updates
 * the books, and offers the same bytes to every sink. It decides nothing about clients: that is the
 * gateway's.
 *
 * Journal first: whoever lets anything out of the process that depends on what a feed sent calls
 * nb__plant_sync() before.
 */
#ifndef NB_PLANT_H
#define NB_PLANT_H

#include "base/base.h"
#include "book/book.h"
#include "evidence/evidence.h"
#include "io/io.h"
#include "kis/kis.h"
#include "night/night.h"
#include "plan/plan.h"
#include "replay/replay.h"
#include "session/session.h"
#include "store/store.h"
#include "symbols/symbols.h"

typedef struct nb__record {
    uint32_t topic; /**< NB__TOPIC_NONE: no valid key, or the topic table is full */
    nb_span bytes;  /**< as on the wire, without its joining '^' */
} nb__record;

/** A frame as sinks see it. Valid during the call. */
typedef struct nb__plant_frame {
    nb_span bytes; /**< the whole message: the wire's bytes (what is not UTF-8 replaced by '?') */
    nb_frame head;
    int64_t recv_ns; /**< UTC */
    uint32_t feed;   /**< which appkey's link it came over */
    bool is_split;   /**< records are known; else records[0] holds the first key's topic and the
                        payload */
    bool is_one_key; /**< all records are of records[0].topic: pass the frame as it came */
    uint32_t record_count;
    const nb__record *records;
} nb__plant_frame;

typedef enum nb__mark_kind {
    NB__MARK_LINK_UP,   /**< the feed's link is up; a gap ends */
    NB__MARK_LINK_DOWN, /**< a gap begins: what happens now is not seen */
    /* of a replay */
    NB__MARK_HOLE,  /**< what happened here is not in the recording; it goes on at once */
    NB__MARK_MOVED, /**< another place of the recording: nothing before it is of use */
    NB__MARK_CLOCK  /**< the feed's server is one that replays, and states another clock */
} nb__mark_kind;
typedef struct nb__mark {
    nb__mark_kind kind;
    uint32_t feed; /**< which appkey's link */
    int64_t recv_ns;
    const char *reason;
    bool is_rest; /**< LINK_DOWN: we ended it */
} nb__mark;

typedef struct nb__sink {
    void *self;
    void (*frame)(void *self, const nb__plant_frame *frame);
    void (*mark)(void *self, const nb__mark *mark);
    /** KIS decided about a registration (confirmed, rejected): nb__plant_registration() has the
     * words. */
    void (*registration)(void *self, uint32_t topic);
} nb__sink;

/** An appkey's way to KIS. Borrowed texts outlive the plant; secrets are never logged. */
typedef struct nb__live_config {
    const char *appkey, *secret;
    nb__address approval;    /**< https://…/oauth2/Approval; http only on loopback */
    const char *ca_file;     /**< NULL: the system's */
    const char *ops_address; /**< number to connect to instead of looking the name up; NULL */
    bool is_builtin; /**< KIS's own address: whatever answers as a nightbook there is refused, and
                        so is a loopback address */
    nb__hours hours;
    const char *state_directory; /**< lock and memory of the appkey */
} nb__live_config;

typedef struct nb__feed_config {
    const char *name;    /**< label for status and logs, "main"; NULL: the address */
    nb__address address; /**< ws://HOST:PORT/… of a KIS-protocol server */
    nb__feed_kind kind;  /**< as stated or asked for; a Nightbook-Clock header corrects OTHER, and
                            LIVE when the address is not KIS's own */
    nb__session_config session;
    const nb__live_config *live; /**< NULL: a server on this machine, with its own approval */
    /** The only feed of its plant is a recording: kind REPLAY, a session of
     * nb__replay_session_config(); address and live mean nothing. NULL: it is none. */
    const nb__replay_config *replay;
} nb__feed_config;

typedef struct nb__plant_config {
    const nb__feed_config *feeds; /**< one for each appkey; borrowed for the call */
    uint32_t feed_count;          /**< 1–NB__PLAN_SESSIONS_MAX */
    nb__plan_config plan;
    uint32_t topics_max; /**< default 65536 */
    const nb_calendar *calendar;
    const char *master_directory;   /**< live: where the masters are kept, with their last good
                                       copies; NULL: from the feed's own server */
    nb__address master_address;     /**< live: https://…/common/master/; host "": never fetched */
    uint16_t listen_port;           /**< our own listener: never connected to; 0 */
    const char *evidence_directory; /**< evidence-YYYYMMDD.json is kept here, that of an earlier run
                                       of the same night as evidence-YYYYMMDD.2.json …; NULL: not
                                       kept */
    const nb__recorder_config *recorder; /**< NULL: nothing is recorded */
    nb__feed_kind recorder_kind; /**< what the feed is as far as is known before it speaks */
} nb__plant_config;

typedef struct nb__plant nb__plant;
/** @retval NB_E_BUSY  Another process of this machine holds an appkey or the journal; who, in
 * detail.
 * @retval NB_E_CONFIG, NB_E_VERSION  The journal holds another kind of nights, or a newer
 * nightbook's. */
nb_err nb__plant_open(nb__loop *loop, const nb__plant_config *config, nb__plant **out,
                      nb_error *error);
/** Close the links politely and stay away; nb__plant_is_up() tells when that is done (within 1 s).
 */
void nb__plant_shutdown(nb__plant *plant);
void nb__plant_close(nb__plant *plant);
/** At most 4. A sink that flushes at a turn's end adds its hook before: latency is measured behind
 * it. */
void nb__plant_add_sink(nb__plant *plant, const nb__sink *sink);

/** A frame from a feed. Public for tests and replays: the plant's whole effect depends on these
 * bytes and times. */
void nb__plant_on_message(nb__plant *plant, uint32_t feed, char *text, size_t size_bytes,
                          int64_t recv_ns);
/** Hand to the kernel, for the journal, all that came so far: before anything that depends on it
 * leaves the process. Cheap when there is nothing. */
void nb__plant_sync(nb__plant *plant);

/* ---- what happened, for those who tell people (notify) ---- */
typedef enum nb__notice_kind {
    NB__NOTICE_LINK_LOST, /**< down for over 60 s within its hours */
    NB__NOTICE_LINK_BACK, /**< … and up again */
    NB__NOTICE_BREAKER,   /**< the connect budget is spent */
    NB__NOTICE_IN_USE,    /**< OPSP8996 */
    NB__NOTICE_REFUSED,   /**< KIS refuses a slot or a key */
    NB__NOTICE_APPROVAL,  /**< no approval key, and the user must act or minutes are waited */
    NB__NOTICE_DRIFT,     /**< a TR came with another width than known */
    NB__NOTICE_DISK,      /**< the connect budget or the evidence cannot be written */
    NB__NOTICE_NOT_RECORDING,
    NB__NOTICE_RECORDING, /**< … again */
    NB__NOTICE_SPACE,     /**< the journal's disk will be full soon */
    NB__NOTICE_REPORT     /**< a night's report is ready */
} nb__notice_kind;
const char *nb__notice_name(nb__notice_kind kind); /**< "link_lost" … */
typedef struct nb__notice {
    nb__notice_kind kind;
    int64_t recv_ns;
    const char *feed;   /**< label */
    const char *detail; /**< words, scrubbed */
} nb__notice;
/** At most one listener. */
void nb__plant_on_notice(nb__plant *plant, void (*tell)(void *self, const nb__notice *notice),
                         void *self);

/* ---- for the gateway ---- */
nb__topics *nb__plant_topics(nb__plant *plant);
const nb__books *nb__plant_books(const nb__plant *plant);
/** A client wants a topic. @retval NB_E_LIMIT  answer OPSP0008. Rate-limited upstream by the
 * session. */
nb_err nb__plant_want(nb__plant *plant, uint32_t topic);
void nb__plant_release(nb__plant *plant, uint32_t topic);
const nb__registration *nb__plant_registration(const nb__plant *plant, uint32_t topic);
const nb__plan *nb__plant_plan(const nb__plant *plant);
/** Every feed that is not resting is up, and one at least is; after nb__plant_shutdown(): one still
 * is. */
bool nb__plant_is_up(const nb__plant *plant);
/** How long the feed that has been down longest is down; 0: none is. One that rests does not count,
 * nor one without which every key of a client has data, since the plan found it another session. A
 * link that opened is still down until a registration goes through (if any is wanted), or for 10 s:
 * it may be refused (OPSP8996). One that held for less does not begin the count anew. */
int64_t nb__plant_down_ns(const nb__plant *plant);
const nb__master *nb__plant_master(const nb__plant *plant); /**< empty until it is loaded */
const nb__symbols *
nb__plant_symbols(const nb__plant *plant); /**< of that master; NULL until then */
/** A master file ("fo_eurex_code.mst.zip") as the feed's server gave it, valid until the next turn.
 * Empty: it has none. */
nb_span nb__plant_master_zip(const nb__plant *plant, nb_span name);
/** An option code at the money by the master, to paste; "" until it is loaded. */
const char *nb__plant_atm_code(const nb__plant *plant);
const nb_calendar *nb__plant_calendar(const nb__plant *plant);
const nb__evidence *nb__plant_evidence(const nb__plant *plant); /**< NULL: not kept */

/** @return false: nothing is recorded, and was not asked for. */
bool nb__plant_recording(const nb__plant *plant, nb__recorder_view *out);
/** From the read of a frame to the end of the turn in which it was passed on, ns, since the start.
 */
const nb__hist *nb__plant_latency(const nb__plant *plant);

const nb__session_clock *nb__plant_clock(const nb__plant *plant);

/* ---- a replay (player.c) ---- */

/** Whether those who take its frames are ready for more: a replay can wait. */
typedef enum nb__gate_state {
    NB__GATE_OPEN,
    NB__GATE_FULL,   /**< somebody reads slowly: time stands until there is room */
    NB__GATE_AWAITED /**< somebody is not there yet */
} nb__gate_state;
typedef struct nb__gate {
    void *self;
    nb__gate_state (*look)(void *self); /**< asked before each frame */
} nb__gate;
/** Call nb__plant_pull() when it may have opened. */
void nb__plant_set_gate(nb__plant *plant, const nb__gate *gate);
void nb__plant_pull(nb__plant *plant); /**< cheap when the feed is no replay, or nothing waits */

/** @return false: the feed is no replay. */
bool nb__plant_replay(const nb__plant *plant, nb__replay_view *out, nb__gate_state *gate);
typedef struct nb__replay_command {
    nb_span seek; /**< empty: stay */
    bool has_speed, has_pause, is_paused;
    double speed;
    uint64_t step; /**< frames; 0: none */
} nb__replay_command;
/** In this order: seek, speed, pause, step. @retval NB_E_ARGUMENT  `seek` is no time of it; nothing
 * happened. */
nb_err nb__plant_replay_command(nb__plant *plant, const nb__replay_command *command,
                                nb_error *error);
/** Every key is taken, and silence is no fault. */
nb__session_config nb__replay_session_config(uint32_t topics_max);

/** One appkey's link, for status. */
typedef struct nb__feed_view {
    const char *name, *address; /**< label; ws://HOST:PORT */
    char appkey_hash[17];       /**< "" when not live */
    const nb__session *session;
    bool is_up, is_live;
} nb__feed_view;
uint32_t nb__plant_feed_count(const nb__plant *plant);
nb__feed_view nb__plant_feed_at(const nb__plant *plant, uint32_t feed);
/** All feeds in a few words: the address of the only one, or "3 appkeys at ws://…". */
const char *nb__plant_feed_name(const nb__plant *plant);
/** Why not all are up; "" when they are. */
const char *nb__plant_reason(const nb__plant *plant);

typedef struct nb__plant_counters {
    uint64_t frames, records, bytes, frames_unsplit, records_bad, records_drifted, frames_encrypted,
        frames_unknown_tr, bytes_scrubbed, topics_refused, other_messages, codes_unknown;
} nb__plant_counters;
extern const nb__metric nb__plant_metrics[];
extern const size_t nb__plant_metric_count;
const nb__plant_counters *nb__plant_count(const nb__plant *plant);

#endif
