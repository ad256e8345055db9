/* SPDX-License-Identifier: Apache-2.0 */
/* Slots: who holds one, who yields, and what to ask next. Every change of an entry ends in
 * refresh(), which derives the state that callers see, keeps the counts, and puts the topic into or
 * out of the list of active ones. */
#include "slots.h"
#include <stdlib.h>
#include <string.h>

#define REFUSALS_MAX 3

/* What is to be asked about a topic; GIVE_BACK goes first, so that the server never has more than
 * `max`. */
enum { WORK_NONE, WORK_GIVE_BACK, WORK_ASK_CLIENT, WORK_ASK_OWN };

bool nb__slots_init(nb__slots *slots, const nb__session_config *config, uint32_t topics_max)
{
    *slots = (nb__slots){.topics_max = topics_max,
                         .first = NB__TOPIC_NONE,
                         .last = NB__TOPIC_NONE,
                         .work_count = {[WORK_NONE] = topics_max},
                         .max = config->registrations_max,
                         .limit = config->registrations_max,
                         .limit_until_ns = INT64_MAX,
                         .pause_ns = config->backoff_min_ns,
                         .pause_max_ns = config->backoff_max_ns,
                         .full_pause_ns = config->backoff_max_ns,
                         .linger_ns = config->linger_ns};
    slots->entries = calloc(topics_max, sizeof *slots->entries);
    slots->registrations = calloc(topics_max, sizeof *slots->registrations);
    slots->notes = calloc(topics_max, sizeof *slots->notes);
    return slots->entries != NULL && slots->registrations != NULL && slots->notes != NULL;
}

void nb__slots_fini(nb__slots *slots)
{
    free(slots->entries);
    free(slots->registrations);
    free(slots->notes);
    *slots = (nb__slots){0};
}

/* ---- the list of active topics ---- */

static void list_append(nb__slots *slots, uint32_t topic)
{
    nb__slot_entry *entry = &slots->entries[topic];
    entry->previous = slots->last;
    entry->next = NB__TOPIC_NONE;
    if (slots->last != NB__TOPIC_NONE)
        slots->entries[slots->last].next = topic;
    else
        slots->first = topic;
    slots->last = topic;
    entry->is_active = true;
}

static void list_remove(nb__slots *slots, uint32_t topic)
{
    nb__slot_entry *entry = &slots->entries[topic];
    if (entry->previous != NB__TOPIC_NONE)
        slots->entries[entry->previous].next = entry->next;
    else
        slots->first = entry->next;
    if (entry->next != NB__TOPIC_NONE)
        slots->entries[entry->next].previous = entry->previous;
    else
        slots->last = entry->previous;
    entry->is_active = false;
}

/* ---- what an entry is ---- */

static bool is_wanted(const nb__slot_entry *entry)
{
    return entry->wants_client || entry->wants_own;
}

static bool is_lingering(const nb__slot_entry *entry)
{
    return entry->in_slot && entry->on_wire && !is_wanted(entry);
}

static nb__registration_state state_of(const nb__slot_entry *entry)
{
    if (is_wanted(entry)) {
        if (entry->is_rejected || entry->is_banned)
            return NB__REG_REJECTED;
        return entry->in_slot && entry->on_wire && !entry->is_in_flight ? NB__REG_CONFIRMED
                                                                        : NB__REG_PENDING;
    }
    return is_lingering(entry) ? NB__REG_LINGERING : NB__REG_NONE;
}

static uint8_t work_of(const nb__slot_entry *entry)
{
    if (entry->is_in_flight || entry->in_slot == entry->on_wire)
        return WORK_NONE;
    if (entry->on_wire)
        return WORK_GIVE_BACK;
    return entry->wants_client ? WORK_ASK_CLIENT : WORK_ASK_OWN;
}

static void note(nb__slots *slots, uint32_t topic)
{
    nb__slot_entry *entry = &slots->entries[topic];
    if (entry->is_noted)
        return;
    entry->is_noted = true;
    uint32_t at = (uint32_t)(((uint64_t)slots->note_at + slots->note_count) % slots->topics_max);
    slots->notes[at] = topic;
    slots->note_count++;
}

static void refresh(nb__slots *slots, uint32_t topic)
{
    nb__slot_entry *entry = &slots->entries[topic];
    nb__registration *seen = &slots->registrations[topic];
    bool is_active = is_wanted(entry) || entry->in_slot || entry->on_wire;
    if (is_active && !entry->is_active)
        list_append(slots, topic);
    if (!is_active && entry->is_active) {
        list_remove(slots, topic);
        entry->was_had = false;
    }

    slots->work_count[entry->work]--;
    entry->work = work_of(entry);
    slots->work_count[entry->work]++;

    nb__registration_state state = state_of(entry);
    seen->who = entry->wants_client ? NB__WANT_CLIENT
                : entry->wants_own  ? NB__WANT_WINDOW
                                    : NB__WANT_NOBODY;
    if (seen->state != state) {
        seen->state = state;
        note(slots, topic);
    }
    slots->due_ns = INT64_MIN;
}

static void set_in_slot(nb__slots *slots, nb__slot_entry *entry, bool in_slot)
{
    if (entry->in_slot == in_slot)
        return;
    entry->in_slot = in_slot;
    slots->slot_count = in_slot ? slots->slot_count + 1 : slots->slot_count - 1;
    slots->house_ns = INT64_MIN;
}

static void set_on_wire(nb__slots *slots, nb__slot_entry *entry, bool on_wire)
{
    if (entry->on_wire == on_wire)
        return;
    entry->on_wire = on_wire;
    slots->wire_count = on_wire ? slots->wire_count + 1 : slots->wire_count - 1;
}

static void take_slot_away(nb__slots *slots, uint32_t topic)
{
    set_in_slot(slots, &slots->entries[topic], false);
    refresh(slots, topic);
}

/* ---- who holds a slot ---- */

/* The one who yields to `who`: what lingers shortest from now, else (to a client) the last of our
 * own choice. */
static uint32_t victim_for(const nb__slots *slots, nb__want who)
{
    uint32_t victim = NB__TOPIC_NONE;
    int64_t least_ns = INT64_MAX;
    for (uint32_t topic = slots->first; topic != NB__TOPIC_NONE;
         topic = slots->entries[topic].next) {
        const nb__slot_entry *entry = &slots->entries[topic];
        if (is_lingering(entry) && entry->linger_until_ns < least_ns) {
            least_ns = entry->linger_until_ns;
            victim = topic;
        }
    }
    if (victim != NB__TOPIC_NONE || who != NB__WANT_CLIENT)
        return victim;
    for (uint32_t topic = slots->last; topic != NB__TOPIC_NONE;
         topic = slots->entries[topic].previous) {
        const nb__slot_entry *entry = &slots->entries[topic];
        if (entry->in_slot && !entry->wants_client && entry->wants_own)
            return topic;
    }
    return NB__TOPIC_NONE;
}

static bool make_room(nb__slots *slots, nb__want who)
{
    while (slots->slot_count >= slots->limit) {
        uint32_t victim = victim_for(slots, who);
        if (victim == NB__TOPIC_NONE)
            return false;
        take_slot_away(slots, victim);
        slots->evictions++;
    }
    return true;
}

nb_err nb__slots_want(nb__slots *slots, uint32_t topic, nb__want who)
{
    if (topic >= slots->topics_max || who == NB__WANT_NOBODY)
        return NB_E_ARGUMENT;
    nb__slot_entry *entry = &slots->entries[topic];
    if (!entry->is_banned && !entry->in_slot && !make_room(slots, who))
        return NB_E_LIMIT;
    if (who == NB__WANT_WINDOW && !entry->wants_own && entry->is_active)
        list_remove(slots,
                    topic); /* goes to the end: the list's order is the order of our own choice */
    if (who == NB__WANT_CLIENT)
        entry->wants_client = true;
    else
        entry->wants_own = true;
    if (entry->is_banned) {
        refresh(slots, topic);
        note(slots, topic); /* whoever asks hears of it, also when the state is not new */
        return NB_OK;
    }
    if (entry->is_rejected) {
        entry->is_rejected = false;
        entry->refusals = 0;
        entry->not_before_ns = INT64_MIN;
    }
    set_in_slot(slots, entry, true);
    refresh(slots, topic);
    return NB_OK;
}

void nb__slots_release(nb__slots *slots, uint32_t topic, int64_t now_ns)
{
    if (topic >= slots->topics_max || !slots->entries[topic].wants_client)
        return;
    nb__slot_entry *entry = &slots->entries[topic];
    entry->wants_client = false;
    if (!entry->wants_own) {
        entry->linger_until_ns = now_ns + slots->linger_ns;
        entry->is_rejected = false;
        if (!entry->on_wire)
            set_in_slot(slots, entry, false);
    }
    slots->house_ns = INT64_MIN;
    refresh(slots, topic);
}

/* ---- the next request ---- */

/* End what has lingered, try a lower limit again, give free slots to our own that lost theirs. */
static void keep_house(nb__slots *slots, int64_t now_ns)
{
    if (now_ns >= slots->limit_until_ns) {
        slots->limit = slots->max;
        slots->limit_until_ns = INT64_MAX;
    }
    int64_t house_ns = slots->limit_until_ns;
    slots->house_ns = INT64_MAX; /* until a slot comes free on the way: then once more */
    uint32_t next;
    for (uint32_t topic = slots->first; topic != NB__TOPIC_NONE; topic = next) {
        nb__slot_entry *entry = &slots->entries[topic];
        next = entry->next;
        if (is_lingering(entry)) {
            if (now_ns >= entry->linger_until_ns)
                take_slot_away(slots, topic);
            else if (entry->linger_until_ns < house_ns)
                house_ns = entry->linger_until_ns;
        } else if (!entry->in_slot && entry->wants_own && !entry->is_rejected &&
                   !entry->is_banned && slots->slot_count < slots->limit) {
            set_in_slot(slots, entry, true);
            refresh(slots, topic);
        }
    }
    if (house_ns < slots->house_ns)
        slots->house_ns = house_ns;
}

/* The first topic in the list with that work which may be asked about now. */
static uint32_t find_work(nb__slots *slots, uint8_t work, int64_t now_ns)
{
    if (slots->work_count[work] == 0)
        return NB__TOPIC_NONE;
    for (uint32_t topic = slots->first; topic != NB__TOPIC_NONE;
         topic = slots->entries[topic].next) {
        const nb__slot_entry *entry = &slots->entries[topic];
        if (entry->work != work)
            continue;
        if (now_ns >= entry->not_before_ns)
            return topic;
        if (entry->not_before_ns < slots->due_ns)
            slots->due_ns = entry->not_before_ns;
    }
    return NB__TOPIC_NONE;
}

bool nb__slots_next_request(nb__slots *slots, int64_t now_ns, nb__slot_request *out)
{
    if (now_ns < slots->due_ns)
        return false;
    while (now_ns >= slots->house_ns)
        keep_house(slots, now_ns);
    slots->due_ns = slots->house_ns;
    uint32_t topic = find_work(slots, WORK_GIVE_BACK, now_ns);
    bool is_register = topic == NB__TOPIC_NONE;
    if (is_register && slots->wire_count < slots->max) {
        topic = find_work(slots, WORK_ASK_CLIENT, now_ns);
        if (topic == NB__TOPIC_NONE)
            topic = find_work(slots, WORK_ASK_OWN, now_ns);
    }
    if (topic == NB__TOPIC_NONE)
        return false;
    nb__slot_entry *entry = &slots->entries[topic];
    entry->is_in_flight = true;
    set_on_wire(slots, entry, true); /* from the moment of asking the server may have it */
    refresh(slots, topic);
    *out = (nb__slot_request){topic, is_register};
    return true;
}

/* ---- answers ---- */

static int64_t pause_after(const nb__slots *slots, uint8_t refusals)
{
    int64_t pause_ns = slots->pause_ns;
    for (uint8_t i = 1; i < refusals && pause_ns < slots->pause_max_ns; i++)
        pause_ns *= 2;
    return pause_ns < slots->pause_max_ns ? pause_ns : slots->pause_max_ns;
}

static void refuse_for_now(nb__slots *slots, nb__slot_entry *entry, int64_t now_ns)
{
    if (entry->refusals < UINT8_MAX)
        entry->refusals++;
    entry->not_before_ns = now_ns + pause_after(slots, entry->refusals);
}

static void reject(nb__slots *slots, nb__slot_entry *entry, bool is_for_good)
{
    entry->is_rejected = is_wanted(entry);
    entry->is_banned = is_for_good;
    set_in_slot(slots, entry, false);
}

/* The server has no room: as many as it has now are its limit, for a while. Ours yield to a
 * client's. */
static void refuse_as_full(nb__slots *slots, nb__slot_entry *entry, int64_t now_ns)
{
    slots->limit = slots->wire_count - slots->work_count[WORK_GIVE_BACK];
    slots->limit_until_ns = now_ns + slots->full_pause_ns;
    if (slots->full_pause_ns < 10 * slots->pause_max_ns)
        slots->full_pause_ns *= 2;
    set_in_slot(slots, entry, false);
    for (uint32_t topic = slots->last; topic != NB__TOPIC_NONE && slots->slot_count > slots->limit;
         topic = slots->entries[topic].previous) {
        nb__slot_entry *other = &slots->entries[topic];
        if (other->in_slot && !other->on_wire && !other->wants_client)
            take_slot_away(slots, topic);
    }
    if (!entry->wants_client)
        return; /* one of ours, or nobody's any more: keep_house() gives ours a slot when there is
                   one */
    if (make_room(slots, NB__WANT_CLIENT))
        set_in_slot(slots, entry, true);
    else
        reject(slots, entry, false);
}

static void ask_refused(nb__slots *slots, nb__slot_entry *entry, nb__reaction reaction,
                        int64_t now_ns)
{
    set_on_wire(slots, entry, false);
    if (reaction == NB__REACT_FATAL)
        reject(slots, entry, true);
    else if (!is_wanted(entry))
        set_in_slot(slots, entry, false);
    else if (reaction == NB__REACT_FULL)
        refuse_as_full(slots, entry, now_ns);
    else if (reaction == NB__REACT_REISSUE || reaction == NB__REACT_IN_USE)
        return; /* the session's matter: the link goes, the wish stays */
    else if (entry->refusals >= REFUSALS_MAX ||
             (reaction == NB__REACT_UNKNOWN && !entry->was_had)) /* nothing says "later" in it */
        reject(slots, entry, false);
    else
        refuse_for_now(slots, entry, now_ns);
}

static bool is_done(const nb__answer *answer)
{
    return answer->reaction == NB__REACT_DONE ||
           (answer->reaction == NB__REACT_UNKNOWN && strcmp(answer->rt_cd, "0") == 0);
}

bool nb__slots_answered(nb__slots *slots, const nb__slot_request *request, const nb__answer *answer,
                        int64_t now_ns)
{
    nb__slot_entry *entry = &slots->entries[request->topic];
    nb__registration *seen = &slots->registrations[request->topic];
    entry->is_in_flight = false;
    seen->answer = *answer;
    explicit_bzero(seen->answer.iv, sizeof seen->answer.iv);
    explicit_bzero(seen->answer.key, sizeof seen->answer.key);
    bool done = is_done(answer);
    if (done) {
        entry->was_had = true;
        entry->refusals = 0;
        entry->not_before_ns = INT64_MIN;
    }
    if (!request->is_register &&
        (answer->reaction == NB__REACT_RETRY || (answer->reaction == NB__REACT_UNKNOWN && !done)))
        refuse_for_now(slots, entry, now_ns); /* the server still has it: asked until it gives in */
    else if (!request->is_register)
        set_on_wire(slots, entry, false);
    else if (!done)
        ask_refused(slots, entry, answer->reaction, now_ns);
    refresh(slots, request->topic);
    return done;
}

/* What was refused on the link that is gone is asked for again, as far as there are slots. */
static void forgive(nb__slots *slots)
{
    for (uint32_t topic = slots->first; topic != NB__TOPIC_NONE;
         topic = slots->entries[topic].next) {
        nb__slot_entry *entry = &slots->entries[topic];
        if (!entry->is_rejected || entry->is_banned ||
            !make_room(slots, entry->wants_client ? NB__WANT_CLIENT : NB__WANT_WINDOW))
            continue;
        entry->is_rejected = false;
        set_in_slot(slots, entry, true);
        refresh(slots, topic);
    }
}

void nb__slots_lost(nb__slots *slots)
{
    uint32_t next;
    for (uint32_t topic = slots->first; topic != NB__TOPIC_NONE; topic = next) {
        nb__slot_entry *entry = &slots->entries[topic];
        next = entry->next;
        entry->is_in_flight = false;
        entry->refusals = 0;
        entry->not_before_ns = INT64_MIN;
        set_on_wire(slots, entry, false);
        if (!is_wanted(entry))
            set_in_slot(slots, entry, false);
        refresh(slots, topic);
    }
    slots->limit = slots->max;
    slots->limit_until_ns = INT64_MAX;
    slots->full_pause_ns = slots->pause_max_ns;
    slots->house_ns = slots->due_ns = INT64_MIN;
    forgive(slots);
}

bool nb__slots_next_note(nb__slots *slots, uint32_t *topic)
{
    if (slots->note_count == 0)
        return false;
    *topic = slots->notes[slots->note_at];
    slots->note_at = (slots->note_at + 1) % slots->topics_max;
    slots->note_count--;
    slots->entries[*topic].is_noted = false;
    return true;
}
