/* SPDX-License-Identifier: Apache-2.0 */
/**
 * gateway, L6: the downstream server. To clients it is KIS: WebSocket on any path, same JSON, codes
 * and frames; beside it REST, metrics and a status page. A sink of the plant.
 *
 * Fan-out: one bounded ring of framed messages with sequence numbers, no reference counts; a client
 * holds a cursor (`*`) or a bounded list of sequences (keys). A turn's end sends all that a client
 * has pending in one writev. Nothing here allocates or formats per frame.
 */
#ifndef NB_GATEWAY_H
#define NB_GATEWAY_H

#include "plant/plant.h"

#define NB__CLIENT_KEYS_MAX 16

typedef struct nb__gateway_config {
    nb__server_config server;    /**< listen, connections_max … */
    size_t ring_bytes;           /**< power of two; default 64 MiB */
    uint32_t ring_messages;      /**< power of two; default 1 << 18 */
    uint32_t pending_max;        /**< messages a keyed client may have waiting; default 4096 */
    uint32_t subscriptions_max;  /**< of one client; default 4096 */
    uint32_t client_topics_max;  /**< codes that clients may name since the start; the master's
                                    always. Default 32768 */
    int64_t pingpong_idle_ns;    /**< 10 s */
    int64_t pingpong_timeout_ns; /**< 100 s */
    int64_t answer_wait_ns;      /**< 900 ms: after that SUBSCRIBE SUCCESS is given and status says
                                    pending */
    int64_t on_loss_ns;   /**< the link down for so long: clients are closed with 1012 and the next
                             ones answered 503 until it is up, as at KIS; INT64_MAX: they are kept.
                             Default 30 s */
    uint32_t replay_wait; /**< a replay begins when so many clients have subscribed; default 1 */
    bool drops_gaps; /**< where a replay's link was lost, every client's connection ends; else only
                        of those who asked (`/+gaps`) */
    const char *allowed_hosts[16]; /**< names beside the listen address and localhost */
    const char *allowed_origins[16];
    const char *client_keys[NB__CLIENT_KEYS_MAX]; /**< required beyond loopback */
} nb__gateway_config;
nb__gateway_config nb__gateway_config_default(void);

/** What nb__gateway_open() would refuse of it: names, client keys, a place beyond loopback without
 * any.
 * @retval NB_E_ARGUMENT */
nb_err nb__gateway_config_check(const nb__gateway_config *config, nb_error *error);

typedef struct nb__gateway nb__gateway;
/**
 * @retval NB_E_ARGUMENT  Listening beyond loopback without client keys.
 * @retval NB_E_SYSTEM    Cannot listen.
 */
nb_err nb__gateway_open(nb__loop *loop, nb__plant *plant, const nb__gateway_config *config,
                        nb__gateway **out, nb_error *error);
uint16_t nb__gateway_port(const nb__gateway *gateway);
/** Close 1001 to all clients, flush, stop accepting. */
void nb__gateway_shutdown(nb__gateway *gateway);
void nb__gateway_close(nb__gateway *gateway);
/** The kernel has all that is for clients. */
bool nb__gateway_is_drained(const nb__gateway *gateway);

typedef struct nb__gateway_counters {
    uint64_t clients, clients_total, subscriptions, messages, deliveries, delivered_bytes, writes,
        conflated, slow_closed, refused_host, refused_origin, refused_key, requests,
        requests_invalid, pingpongs, idle_closed,
        clock_closed,     /**< closed with 1012: the feed's clock is another one */
        loss_closed,      /**< closed with 1012: the feed is lost */
        loss_refused,     /**< upgrades answered 503 meanwhile */
        gap_closed,       /**< closed with 1012: a replay's link was lost there */
        dropped_too_long, /**< messages longer than a quarter of the ring */
        last_bytes;       /**< held as last values */
} nb__gateway_counters;
extern const nb__metric nb__gateway_metrics[];
extern const size_t nb__gateway_metric_count;
const nb__gateway_counters *nb__gateway_count(const nb__gateway *gateway);

#endif
