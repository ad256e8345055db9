/* SPDX-License-Identifier: Apache-2.0 */
/**
 * slots: which topics are wanted, which hold one of the session's slots, which the server has; and
 * so the next request.
 *
 * Two sets over the topics, and the work is what lies between them:
 *
 *     in_slot   what shall be registered, |in_slot| <= limit
 *     on_wire   what the server has or may have, |on_wire| <= max
 *
 *     asked for    in_slot without on_wire
 *     given back   on_wire without in_slot, always first
 *
 * A registration's state is derived from these and from who wants it, in one place (slots.c,
 * refresh()). Knows no link, no pacing and no approval key.
 */
#ifndef NB_SESSION_SLOTS_H
#define NB_SESSION_SLOTS_H

#include "session/session.h"

typedef struct nb__slot_entry {
    int64_t not_before_ns;   /**< refused for now: not asked again before */
    int64_t linger_until_ns; /**< unwanted: given back then; it is the last client's leave that
                                counts */
    uint32_t next,
        previous;       /**< in the list of active topics, in the order in which they were wanted */
    uint32_t rank;      /**< WINDOW: the highest yields first and is asked for last */
    uint8_t refusals;   /**< "try again" in a row */
    uint8_t unanswered; /**< links in a row that were given up because of it */
    uint8_t work;       /**< what is to be asked about it (slots.c) */
    uint8_t wants;      /**< bits `1 << nb__want`: the reasons to want it */
    bool is_active, in_slot, on_wire, is_in_flight;
    bool is_rejected; /**< no more asking on this link */
    bool is_banned;   /**< refused for good: no asking on any link */
    bool is_noted;    /**< waits in `notes` */
    bool was_had;     /**< the server had it once since it became active */
} nb__slot_entry;

typedef struct nb__slots {
    nb__slot_entry *entries;         /**< by topic */
    nb__registration *registrations; /**< by topic, what callers see */
    uint32_t *notes;                 /**< ring of topics whose state changed, each at most once */
    uint32_t topics_max, note_at, note_count;
    uint32_t first, last; /**< active topics; NB__TOPIC_NONE ends the list */
    uint32_t work_count[5];
    uint32_t slot_count, wire_count;
    uint32_t max, limit;            /**< configured; what the server has room for as it last said */
    int64_t limit_until_ns;         /**< a lower limit is tried again then */
    int64_t pause_ns, pause_max_ns; /**< first and longest pause after "try again" */
    int64_t full_pause_ns;          /**< pause after the next "full" */
    int64_t linger_ns;
    int64_t
        house_ns;   /**< nothing ends or comes back to its slot before, unless something changes */
    int64_t due_ns; /**< nothing to ask before, unless something changes */
    uint64_t evictions;
} nb__slots;

bool nb__slots_init(nb__slots *slots, const nb__session_config *config, uint32_t topics_max);
void nb__slots_fini(nb__slots *slots);

nb_err nb__slots_want(nb__slots *slots, uint32_t topic, nb__want who, uint32_t rank);
void nb__slots_release(nb__slots *slots, uint32_t topic, nb__want who, int64_t now_ns);
uint32_t nb__slots_free(const nb__slots *slots);

typedef struct nb__slot_request {
    uint32_t topic;
    bool is_register;
} nb__slot_request;
/** The next request that may be sent now, marked as in flight. @return false: none before
 * `slots->due_ns`. */
bool nb__slots_next_request(nb__slots *slots, int64_t now_ns, nb__slot_request *out);
/** The server answered the request in flight. @return whether it is now as asked. */
bool nb__slots_answered(nb__slots *slots, const nb__slot_request *request, const nb__answer *answer,
                        int64_t now_ns);
/** Asked twice, and no answer: the link is given up. A topic that costs a second link is asked for
 * no more, until another night. */
void nb__slots_unanswered(nb__slots *slots, const nb__slot_request *request);
/** Another night: what was refused for good may be had now (a weekly that was not listed yet). */
void nb__slots_new_night(nb__slots *slots);
/** The link is gone and the server forgets: what is wanted is asked for again on the next one. */
void nb__slots_lost(nb__slots *slots);

/** The next topic whose state changed. @return false: none. */
bool nb__slots_next_note(nb__slots *slots, uint32_t *topic);

#endif
