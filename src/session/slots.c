/* SPDX-License-Identifier: Apache-2.0 */
/* Slots: who holds one, who yields, and what to ask next. Every change of an entry ends in
 * refresh(), which derives the state that callers see, keeps the counts, and puts the topic into or
 * out of the list of active ones. */
#include "slots.h"
#include <stdlib.h>
#include <string.h>

#define REFUSALS_MAX 3
#define UNANSWERED_MAX 2

/* What is to be asked about a topic, in this order; GIVE_BACK goes first, so that the server never
 * has more than `max`. */
enum { WORK_NONE, WORK_GIVE_BACK, WORK_ASK_PINNED, WORK_ASK_CLIENT, WORK_ASK_WINDOW };

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

static bool wants(const nb__slot_entry *entry, nb__want who)
{
    return (entry->wants & 1u << who) != 0;
}

static bool is_wanted(const nb__slot_entry *entry)
{
    return entry->wants != 0;
}

/* The most important one who wants it. */
static nb__want who_of(const nb__slot_entry *entry)
{
    return wants(entry, NB__WANT_PINNED)   ? NB__WANT_PINNED
           : wants(entry, NB__WANT_CLIENT) ? NB__WANT_CLIENT
           : wants(entry, NB__WANT_WINDOW) ? NB__WANT_WINDOW
                                           : NB__WANT_NOBODY;
}

/* What is our own choice waits for a slot and takes the next that is free; a client's does not. */
static bool is_patient(const nb__slot_entry *entry)
{
    return wants(entry, NB__WANT_PINNED) || wants(entry, NB__WANT_WINDOW);
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
    nb__want who = who_of(entry);
    return who == NB__WANT_PINNED   ? WORK_ASK_PINNED
           : who == NB__WANT_CLIENT ? WORK_ASK_CLIENT
                                    : WORK_ASK_WINDOW;
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
        entry->linger_until_ns = INT64_MIN;
    }

    slots->work_count[entry->work]--;
    entry->work = work_of(entry);
    slots->work_count[entry->work]++;

    nb__registration_state state = state_of(entry);
    seen->who = who_of(entry);
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

/* ---- who holds a slot ---- */

/* Of two that are wanted by the same: whether `a`, later in the list, yields before `b`. */
static bool yields_before(const nb__slot_entry *a, const nb__slot_entry *b)
{
    switch (who_of(a)) {
    case NB__WANT_NOBODY: /* what lingers shortest from now */
        return a->linger_until_ns < b->linger_until_ns;
    case NB__WANT_WINDOW: /* what is farthest from the money */
        return a->rank >= b->rank;
    case NB__WANT_CLIENT:
    case NB__WANT_PINNED: /* what was wanted last */
        break;
    }
    return true;
}

/* The holder of a slot that yields first, if it is less important than `who`. */
static uint32_t victim_for(const nb__slots *slots, nb__want who)
{
    uint32_t victim = NB__TOPIC_NONE;
    for (uint32_t topic = slots->first; topic != NB__TOPIC_NONE;
         topic = slots->entries[topic].next) {
        const nb__slot_entry *entry = &slots->entries[topic];
        nb__want holder = who_of(entry);
        if (!entry->in_slot || holder >= who)
            continue;
        if (victim == NB__TOPIC_NONE || holder < who_of(&slots->entries[victim]) ||
            (holder == who_of(&slots->entries[victim]) &&
             yields_before(entry, &slots->entries[victim])))
            victim = topic;
    }
    return victim;
}

static void take_slot_away(nb__slots *slots, uint32_t topic)
{
    set_in_slot(slots, &slots->entries[topic], false);
    refresh(slots, topic);
}

/* A client's topic without a slot, although KIS never refused it: the answer that says so. */
static void answer_full(nb__slots *slots, uint32_t topic)
{
    const nb__opsp_row *row = nb__opsp_at(NB__OPSP_MAX_OVER);
    nb__answer *answer = &slots->registrations[topic].answer;
    *answer = (nb__answer){.code = NB__OPSP_MAX_OVER, .reaction = row->reaction};
    nb__span_copy(nb__span(row->rt_cd), answer->rt_cd, sizeof answer->rt_cd);
    nb__span_copy(nb__span(row->msg_cd), answer->msg_cd, sizeof answer->msg_cd);
    nb__span_copy(nb__span(row->msg1), answer->msg1, sizeof answer->msg1);
}

static void evict(nb__slots *slots, uint32_t topic)
{
    nb__slot_entry *entry = &slots->entries[topic];
    if (wants(entry, NB__WANT_CLIENT)) {
        entry->is_rejected = true; /* a client hears of it; ours wait for the next free slot */
        answer_full(slots, topic);
    }
    take_slot_away(slots, topic);
    slots->evictions++;
}

static bool make_room(nb__slots *slots, nb__want who)
{
    while (slots->slot_count >= slots->limit) {
        uint32_t victim = victim_for(slots, who);
        if (victim == NB__TOPIC_NONE)
            return false;
        evict(slots, victim);
    }
    return true;
}

nb_err nb__slots_want(nb__slots *slots, uint32_t topic, nb__want who, uint32_t rank)
{
    if (topic >= slots->topics_max || who <= NB__WANT_NOBODY || who > NB__WANT_PINNED)
        return NB_E_ARGUMENT;
    nb__slot_entry *entry = &slots->entries[topic];
    bool has_room = entry->is_banned || entry->in_slot || make_room(slots, who);
    bool is_waiting = who != NB__WANT_CLIENT && wants(entry, who);
    if (!has_room && !is_waiting)
        return NB_E_LIMIT;
    entry->wants |= (uint8_t)(1u << who);
    if (who == NB__WANT_WINDOW)
        entry->rank = rank;
    if (entry->is_banned) {
        refresh(slots, topic);
        note(slots, topic); /* whoever asks hears of it, also when the state is not new */
        return NB_OK;
    }
    if (entry->is_rejected && has_room) {
        entry->is_rejected = false;
        entry->refusals = 0;
        entry->not_before_ns = INT64_MIN;
    }
    if (has_room)
        set_in_slot(slots, entry, true);
    refresh(slots, topic);
    return NB_OK;
}

void nb__slots_release(nb__slots *slots, uint32_t topic, nb__want who, int64_t now_ns)
{
    if (topic >= slots->topics_max || who <= NB__WANT_NOBODY || who > NB__WANT_PINNED ||
        !wants(&slots->entries[topic], who))
        return;
    nb__slot_entry *entry = &slots->entries[topic];
    entry->wants &= (uint8_t) ~(1u << who);
    if (who == NB__WANT_CLIENT) {
        entry->linger_until_ns = now_ns + slots->linger_ns;
        if (slots->registrations[topic].answer.code == NB__OPSP_MAX_OVER)
            entry->is_rejected = false; /* final for the client, not for our own choice */
    }
    if (!is_wanted(entry)) {
        entry->is_rejected = false;
        if (!entry->on_wire || entry->linger_until_ns <= now_ns)
            set_in_slot(slots, entry, false);
    }
    slots->house_ns = INT64_MIN;
    refresh(slots, topic);
}

uint32_t nb__slots_free(const nb__slots *slots)
{
    uint32_t held = 0;
    for (uint32_t topic = slots->first; topic != NB__TOPIC_NONE; topic = slots->entries[topic].next)
        held += slots->entries[topic].in_slot && is_wanted(&slots->entries[topic]);
    return slots->limit > held ? slots->limit - held : 0;
}

/* ---- the next request ---- */

static bool is_waiting_for_slot(const nb__slot_entry *entry)
{
    return !entry->in_slot && is_patient(entry) && !entry->is_rejected && !entry->is_banned;
}

static void give_slot(nb__slots *slots, uint32_t topic)
{
    set_in_slot(slots, &slots->entries[topic], true);
    refresh(slots, topic);
}

/* Pinned ones that lost their slot to a lower limit come first, then windows by rank as far as
 * slots are free. */
static void seat_waiting(nb__slots *slots)
{
    for (uint32_t topic = slots->first; topic != NB__TOPIC_NONE;
         topic = slots->entries[topic].next) {
        const nb__slot_entry *entry = &slots->entries[topic];
        if (is_waiting_for_slot(entry) && wants(entry, NB__WANT_PINNED) &&
            make_room(slots, NB__WANT_PINNED))
            give_slot(slots, topic);
    }
    while (slots->slot_count < slots->limit) {
        uint32_t best = NB__TOPIC_NONE;
        for (uint32_t topic = slots->first; topic != NB__TOPIC_NONE;
             topic = slots->entries[topic].next) {
            if (is_waiting_for_slot(&slots->entries[topic]) &&
                (best == NB__TOPIC_NONE || slots->entries[topic].rank < slots->entries[best].rank))
                best = topic;
        }
        if (best == NB__TOPIC_NONE)
            return;
        give_slot(slots, best);
    }
}

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
        if (!is_lingering(entry))
            continue;
        if (now_ns >= entry->linger_until_ns)
            take_slot_away(slots, topic);
        else if (entry->linger_until_ns < house_ns)
            house_ns = entry->linger_until_ns;
    }
    seat_waiting(slots);
    if (house_ns < slots->house_ns)
        slots->house_ns = house_ns;
}

/* The first topic in the list with that work which may be asked about now; of windows the one
 * nearest the money. */
static uint32_t find_work(nb__slots *slots, uint8_t work, int64_t now_ns)
{
    uint32_t found = NB__TOPIC_NONE;
    if (slots->work_count[work] == 0)
        return found;
    for (uint32_t topic = slots->first; topic != NB__TOPIC_NONE;
         topic = slots->entries[topic].next) {
        const nb__slot_entry *entry = &slots->entries[topic];
        if (entry->work != work)
            continue;
        if (now_ns < entry->not_before_ns) {
            if (entry->not_before_ns < slots->due_ns)
                slots->due_ns = entry->not_before_ns;
            continue;
        }
        if (work != WORK_ASK_WINDOW)
            return topic;
        if (found == NB__TOPIC_NONE || entry->rank < slots->entries[found].rank)
            found = topic;
    }
    return found;
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
    if (is_register && slots->wire_count < slots->max)
        for (uint8_t work = WORK_ASK_PINNED; topic == NB__TOPIC_NONE && work <= WORK_ASK_WINDOW;
             work++)
            topic = find_work(slots, work, now_ns);
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

/* Of the windows that the server was not asked for yet, those farthest from the money lose the
 * slots that it does not have. */
static void shrink_to_limit(nb__slots *slots)
{
    while (slots->slot_count > slots->limit) {
        uint32_t far = NB__TOPIC_NONE;
        for (uint32_t topic = slots->first; topic != NB__TOPIC_NONE;
             topic = slots->entries[topic].next) {
            const nb__slot_entry *entry = &slots->entries[topic];
            if (entry->in_slot && !entry->on_wire && who_of(entry) == NB__WANT_WINDOW &&
                (far == NB__TOPIC_NONE || entry->rank >= slots->entries[far].rank))
                far = topic;
        }
        if (far == NB__TOPIC_NONE)
            return;
        take_slot_away(slots, far);
    }
}

/* The server has no room: as many as it has now are its limit, for a while. The less important
 * yield; ours without a slot wait for one, a client's hears that there is none. */
static void refuse_as_full(nb__slots *slots, nb__slot_entry *entry, int64_t now_ns)
{
    slots->limit = slots->wire_count - slots->work_count[WORK_GIVE_BACK];
    slots->limit_until_ns = now_ns + slots->full_pause_ns;
    if (slots->full_pause_ns < 10 * slots->pause_max_ns)
        slots->full_pause_ns *= 2;
    set_in_slot(slots, entry, false);
    shrink_to_limit(slots);
    nb__want who = who_of(entry);
    if (who > NB__WANT_WINDOW && make_room(slots, who))
        set_in_slot(slots, entry, true);
    else if (wants(entry, NB__WANT_CLIENT))
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
    entry->unanswered = 0;
    if (request->is_register || !entry->is_rejected) /* else the refusal is what counts */
        seen->answer = *answer;
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
    seat_waiting(slots);
    for (uint32_t topic = slots->first; topic != NB__TOPIC_NONE;
         topic = slots->entries[topic].next) {
        nb__slot_entry *entry = &slots->entries[topic];
        if (!entry->is_rejected || entry->is_banned || !make_room(slots, who_of(entry)))
            continue;
        entry->is_rejected = false;
        set_in_slot(slots, entry, true);
        refresh(slots, topic);
    }
}

void nb__slots_unanswered(nb__slots *slots, const nb__slot_request *request)
{
    nb__slot_entry *entry = &slots->entries[request->topic];
    nb__answer *said = &slots->registrations[request->topic].answer;
    if (!request->is_register || ++entry->unanswered < UNANSWERED_MAX)
        return;
    *said = (nb__answer){.rt_cd = "1",
                         .msg_cd = "NB_NO_ANSWER",
                         .msg1 = "two links were lost because the server leaves this unanswered; "
                                 "not asked again tonight",
                         .code = NB__OPSP_COUNT,
                         .reaction = NB__REACT_FATAL};
    reject(slots, entry, true);
    refresh(slots, request->topic);
}

void nb__slots_new_night(nb__slots *slots)
{
    for (uint32_t topic = 0; topic < slots->topics_max; topic++) {
        nb__slot_entry *entry = &slots->entries[topic];
        entry->unanswered = 0;
        entry->is_rejected |= entry->is_banned && is_wanted(entry); /* until it has a slot */
        entry->is_banned = false;
    }
    forgive(slots);
    slots->house_ns = slots->due_ns = INT64_MIN;
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
