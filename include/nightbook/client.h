/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A small blocking client for any server that speaks KIS's WebSocket protocol: KIS's look-alike, a
 * nightbook gateway, or another program's.
 *
 * It connects once, subscribes with one request in flight, answers PINGPONG and PING, and gives
 * every message. It does not reconnect: a lost link is an event, and what to do is the caller's
 * choice. One thread per client. It refuses KIS's own address: the live session belongs to
 * `nightbook serve`.
 */
#ifndef NIGHTBOOK_CLIENT_H
#define NIGHTBOOK_CLIENT_H

#include <nightbook/quote.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nb_client nb_client;

typedef enum nb_event_kind {
    NB_EVENT_DATA,   /**< a data frame: `text` is the whole message, `frame` its split head */
    NB_EVENT_ANSWER, /**< KIS's JSON answer to a (un)subscribe: tr_id, tr_key, rt_cd, msg_cd, msg1
                      */
    NB_EVENT_MARK,   /**< a nightbook mark, when the address asked for `/+marks` */
    NB_EVENT_OTHER,  /**< any other text; shown, never interpreted */
    NB_EVENT_CLOSED  /**< the link is gone; `detail` says how */
} nb_event_kind;

/** One event. All spans are borrowed until the next call on the client. */
typedef struct nb_event {
    nb_event_kind kind;
    int64_t recv_ns;    /**< CLOCK_REALTIME at the read, UTC */
    int64_t session_ns; /**< recv_ns on the server's stated session clock; equals recv_ns when it
                           states none */
    nb_span text;       /**< the message's bytes */
    nb_frame frame;     /**< DATA only; record_count is 0 when the head could not be split */
    char tr_id[NB_TR_ID_MAX + 1], tr_key[NB_TR_KEY_MAX + 1]; /**< ANSWER only */
    char rt_cd[4], msg_cd[16], msg1[128];                    /**< ANSWER only */
    char detail[160];                                        /**< CLOSED only */
} nb_event;

/**
 * Connect. Gets an approval key at the same address over plain HTTP first (loopback servers answer
 * it; where there is none, the key is empty).
 *
 * @param url  `ws://HOST[:PORT][/path]`. A path's first segment may hold nightbook's opt-ins
 * (`/+last+marks`).
 * @param timeout_ms  For connecting and the upgrade.
 * @retval NB_E_ARGUMENT  The address is not valid, or is KIS's own.
 * @retval NB_E_REFUSED   Nothing listens there.
 * @retval NB_E_SYSTEM    Unreachable, or no such host; detail has the system's words.
 * @retval NB_E_PROTOCOL  The server's answer is no WebSocket upgrade.
 * @retval NB_E_CLOSED    It disconnected without an answer.
 * @retval NB_E_TIMEOUT
 */
NB_API nb_err nb_client_open(const char *url, int timeout_ms, nb_client **out, nb_error *error);
/** Send Close, wait for its answer up to a second, and free. NULL is accepted. */
NB_API void nb_client_close(nb_client *client);

/** Whose data it is, as the server states it: "live", "sim", "replay", or "other" (it states
 * nothing). Static. */
NB_API const char *nb_client_feed(const nb_client *client);

/** Queue a registration; it is sent, one in flight, from within nb_client_next(). The answer comes
 * as an event. */
NB_API nb_err nb_client_subscribe(nb_client *client, const char *tr_id, const char *tr_key,
                                  nb_error *error);

/**
 * End a wait in nb_client_next(), the running one or the next, with NB_E_TIMEOUT. The one function
 * that may be called from a signal handler or another thread.
 */
NB_API void nb_client_wake(nb_client *client);

/**
 * Wait for the next event.
 *
 * @param timeout_ms  -1: for ever.
 * @retval NB_OK         `*out` is filled. CLOSED is given again on every further call.
 * @retval NB_E_TIMEOUT  Nothing within the time.
 */
NB_API nb_err nb_client_next(nb_client *client, int timeout_ms, nb_event *out, nb_error *error);

#ifdef __cplusplus
}
#endif
#endif
