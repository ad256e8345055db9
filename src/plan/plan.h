/* SPDX-License-Identifier: Apache-2.0 */
/**
 * plan, L3: who gets which of the registrations that the appkeys allow. Pure.
 *
 *     pinned keys        from the configuration; first, never evicted
 *     client keys        what clients ask for
 *     windows            strikes around the money of an expiry; follow the forward, yield to
 * clients, leave `reserve` slots free
 *
 * It decides over all sessions together: a topic lives on one of them. A session (session room)
 * asks KIS, keeps what KIS answered, and knows its own slots; the plan only wants and releases.
 * Never computes a strike or an expiry out of a code: the master's rows say them.
 */
#ifndef NB_PLAN_H
#define NB_PLAN_H

#include "base/base.h"
#include "book/book.h"
#include "kis/kis.h"
#include "session/session.h"
#include "symbols/symbols.h"

#define NB__PLAN_SESSIONS_MAX 16
#define NB__PLAN_WINDOWS_MAX 8
#define NB__PLAN_PINNED_MAX 512
#define NB__PLAN_NOWHERE UINT8_MAX

/** `[PRODUCT/]EXPIRY:N`: the strike at the money and N on each side, calls and puts. */
typedef struct nb__plan_window {
    nb__product
        product;    /**< NB__PRODUCT_UNKNOWN: of the KOSPI200 family, whichever expires first */
    char expiry[8]; /**< serial as in the master, `202612`, `2611W4`; "": the nearest */
    uint32_t strikes_each_side;
} nb__plan_window;
/** Read "nearest:8", "mini/nearest:5", "202612:10", "thu/2611W4:3". Products: kospi200 mini thu mon
 * kosdaq150. @retval NB_E_ARGUMENT  with words. */
nb_err nb__plan_window_parse(nb_span text, nb__plan_window *out, nb_error *error);
/** Read "H0EUASP0:B01612A45", or a code alone (B…, C… an option's book, A… a future's). */
nb_err nb__plan_pin_parse(nb_span text, nb__topic *out, nb_error *error);

typedef struct nb__plan_config {
    nb__topic pinned[NB__PLAN_PINNED_MAX];
    uint32_t pinned_count;
    nb__plan_window windows[NB__PLAN_WINDOWS_MAX];
    uint32_t window_count; /**< 0 with pinned_count 0 and nearest_max 0: the front night future and
                              nearest:8, as far as slots - reserve allow */
    uint32_t reserve;      /**< slots that windows leave free, over all appkeys; 5 */
    uint32_t nearest_max;  /**< instead of windows: so many codes nearest the money by the master's
                              marks, any product (simulated feeds: all of them); 0: none */
    int64_t move_gap_ns;   /**< all that nightbook changes by itself happens in rounds, one at most
                              in so long: each window moves or grows by one strike, or topics leave a
                              session that is away; 30 s */
    uint32_t hysteresis_percent; /**< of a strike step, beyond half of it, before it moves; 25 */
} nb__plan_config;
nb__plan_config nb__plan_config_default(void);

typedef struct nb__plan nb__plan;
/** @param topics,sessions  Shared; outlive the plan. All memory is taken here. */
nb__plan *nb__plan_new(const nb__plan_config *config, nb__topics *topics, uint32_t topics_max,
                       nb__session *const *sessions, uint32_t session_count);
void nb__plan_free(nb__plan *plan);

/** The codes that trade now (another night: another master). Windows and ranks are made anew;
 * wishes for what is no longer listed end. `master` outlives the next call. */
void nb__plan_set_master(nb__plan *plan, const nb__master *master, int64_t now_ns);
/**
 * Look at the forward again: the front night future's book, else put-call parity of the chain's own
 * books, else the master's mark. Moves windows as far as they are due, retries what had no slot,
 * and moves topics of a session that has been away for over 20 s to one that is up and has
 * room. Cheap when nothing is due: call it each turn. @return when to call again at the latest.
 */
int64_t nb__plan_follow(nb__plan *plan, const nb__books *books, int64_t now_ns);

/** A client wants a topic. @retval NB_E_LIMIT  No session has room: answer OPSP0008. */
nb_err nb__plan_want(nb__plan *plan, uint32_t topic, int64_t now_ns);
/** The last client left. */
void nb__plan_release(nb__plan *plan, uint32_t topic, int64_t now_ns);
/** How many topics of clients live on that session, as of the last look (100 ms): when it is down
 * they have no data. */
uint32_t nb__plan_clients_at(const nb__plan *plan, uint32_t session);
/** As the session that holds it (or last held it) says; state NONE when none does. */
const nb__registration *nb__plan_registration(const nb__plan *plan, uint32_t topic);

/** One row of `nightbook slots`. */
typedef struct nb__plan_row {
    uint32_t topic;
    uint8_t session; /**< index; NB__PLAN_NOWHERE: no slot */
    bool is_pinned, is_client, is_window;
    const nb__registration *registration;
    const nb__instrument *instrument; /**< NULL: not in the master */
    char reason[96]; /**< "pinned", "3 strikes above the money of 202612", "no slot: 41 of 41 are
                        taken by pinned keys and clients" … */
} nb__plan_row;
/** Rows of all wanted or held topics, in priority order. Begin with *cursor = 0. @return false at
 * the end. Not for every frame. */
bool nb__plan_next_row(const nb__plan *plan, uint32_t *cursor, nb__plan_row *out);

typedef struct nb__plan_forward {
    nb_price price;     /**< NB_PRICE_UNDEF: not known */
    const char *source; /**< "A01612 book", "put-call parity", "master's mark", "none" */
} nb__plan_forward;
nb__plan_forward nb__plan_forward_of(const nb__plan *plan, uint32_t window);

typedef struct nb__plan_counters {
    uint64_t slots_max, slots_used, pinned, windows, /**< gauges, as of the last look */
        pinned_without_slot, window_moves, window_yields, refused, moved_sessions;
} nb__plan_counters;
extern const nb__metric nb__plan_metrics[];
extern const size_t nb__plan_metric_count;
const nb__plan_counters *nb__plan_count(const nb__plan *plan);

/**
 * The codes nearest the money, best first: the front KOSPI200 future, then options by expiry rank
 * and distance from the money (nearest.c).
 *
 * @param[out] out  Room for master->count pointers into the master.
 * @return how many.  Cost: allocates; 0 when memory is exhausted.
 */
size_t nb__nearest(const nb__master *master, const nb__instrument **out);

#endif
