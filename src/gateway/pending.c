/* SPDX-License-Identifier: Apache-2.0 */
/* What a client has pending: list, cursor, catch-up; how a slow one is brought up to date. */
#include "fanout.h"
#include <stdlib.h>

/* A list entry: a sequence, and whether a last value can stand for it when it is overwritten. */
#define ENTRY_BOOK (UINT64_C(1) << 63)
#define LIST_START 16u

static uint64_t entry_at(const fan_client *c, uint32_t index)
{
    return c->list[(c->list_first + index) & (c->list_capacity - 1)];
}

bool fan_star_covers(const fan_client *c, uint8_t tr)
{
    return (c->star_mask >> tr & 1) != 0;
}

bool fan_star_wants(const fan_client *c, const ring_message *message)
{
    return fan_star_covers(c, message->tr) &&
           (message->audience & (c->is_tidy ? RING_TO_STAR_TIDY : RING_TO_STAR)) != 0;
}

/* ---- the walk over what is pending ---- */

fan_walk fan_walk_begin(const fan_client *c)
{
    return (fan_walk){.cursor = c->cursor, .catch_next = c->catch_next};
}

void fan_walk_commit(fan_client *c, const fan_walk *walk)
{
    if (walk->list_taken > 0)
        c->list_first = (c->list_first + walk->list_taken) & (c->list_capacity - 1);
    c->list_count -= walk->list_taken;
    c->cursor = walk->cursor;
    c->catch_next = walk->catch_next;
}

static bool catches_up_with(const fan *f, const fan_client *c, const fan_topic *topic)
{
    if (topic->last_size_bytes == 0)
        return false;
    if (c->catch_up == FAN_CATCH_LAST)
        return topic->last_sequence < c->catch_since;
    return topic->last_sequence >= c->catch_since && (f->book_trs >> topic->tr & 1) != 0;
}

/* First its own keys that no `*` covers (they only conflate), then all topics that `*` covers. */
static bool catch_up_next(const fan *f, const fan_client *c, fan_walk *walk, nb_span *bytes)
{
    uint32_t own = c->catch_up == FAN_CATCH_CONFLATE ? c->subscription_count : 0;
    uint32_t end = own + (c->star_mask != 0 ? f->topic_count : 0);
    while (walk->catch_next < end) {
        uint32_t at = walk->catch_next++;
        const fan_subscription *key = at < own ? &c->subscriptions[at] : NULL;
        const fan_topic *topic = &f->topics[key != NULL ? key->topic : at - own];
        bool is_covered = fan_star_covers(c, topic->tr);
        bool is_wanted = key == NULL ? is_covered : !is_covered && !key->is_waiting;
        if (is_wanted && catches_up_with(f, c, topic)) {
            *bytes = fan_last(topic, c->is_tidy);
            return true;
        }
    }
    return false;
}

fan_step fan_walk_next(const fan *f, const fan_client *c, fan_walk *walk, nb_span *bytes)
{
    if (walk->list_taken < c->list_count) {
        uint64_t sequence = entry_at(c, walk->list_taken) & ~ENTRY_BOOK;
        if (!ring_has(&f->ring, sequence))
            return FAN_STEP_LOST;
        *bytes = ring_view(&f->ring, ring_at(&f->ring, sequence));
        walk->list_taken++;
        return FAN_STEP_MESSAGE;
    }
    if (c->star_mask != 0 && walk->cursor < f->ring.head) {
        if (walk->cursor < f->ring.tail)
            return FAN_STEP_LOST;
        while (walk->cursor < f->ring.head) {
            const ring_message *message = ring_at(&f->ring, walk->cursor++);
            if (fan_star_wants(c, message)) {
                *bytes = ring_view(&f->ring, message);
                return FAN_STEP_MESSAGE;
            }
        }
    }
    if (c->catch_up != FAN_CATCH_NONE && catch_up_next(f, c, walk, bytes))
        return FAN_STEP_MESSAGE;
    return FAN_STEP_END;
}

/* ---- the list ---- */

static bool list_grow(fan_client *c)
{
    uint32_t capacity = c->list_capacity == 0 ? LIST_START : c->list_capacity * 2;
    uint64_t *list = capacity > c->list_capacity ? malloc(capacity * sizeof *list) : NULL;
    if (list == NULL)
        return false;
    for (uint32_t i = 0; i < c->list_count; i++)
        list[i] = entry_at(c, i);
    free(c->list);
    c->list = list;
    c->list_capacity = capacity;
    c->list_first = 0;
    return true;
}

static bool list_push(const fan *f, fan_client *c, uint64_t entry)
{
    /* who is not blocked is flushed before its list can grow far; the end is for those who are: of
     * more than the ring holds, the first is lost already */
    uint64_t most = f->is_patient ? f->ring.message_max : f->pending_max;
    if (c->is_blocked && c->list_count >= most)
        return false;
    if (c->list_count == c->list_capacity && !list_grow(c))
        return false;
    c->list[(c->list_first + c->list_count++) & (c->list_capacity - 1)] = entry;
    return true;
}

/* A book message will not be sent; its key's last value stands for it. */
static void note_missed(fan *f, fan_client *c, uint64_t sequence)
{
    if (c->catch_up == FAN_CATCH_CONFLATE &&
        c->catch_next > 0) { /* this round may have passed the key */
        if (sequence < c->missed_from)
            c->missed_from = sequence;
    } else if (c->catch_up == FAN_CATCH_CONFLATE) {
        if (sequence < c->catch_since)
            c->catch_since = sequence;
    } else {
        c->catch_since = c->catch_up == FAN_CATCH_LAST ? 0 : sequence;
        c->catch_up = FAN_CATCH_CONFLATE;
        c->catch_next = 0;
        c->missed_from = UINT64_MAX;
    }
    f->counters->conflated++;
}

static bool append(fan *f, fan_client *c, uint64_t sequence, bool is_book)
{
    uint32_t conflate_at = f->pending_max < FAN_CONFLATE_AT ? f->pending_max : FAN_CONFLATE_AT;
    if (c->is_conflating && c->is_blocked && c->list_count >= conflate_at &&
        c->catch_up != FAN_CATCH_CONFLATE && !fan_absorb(f, c))
        return false;
    if (is_book && c->catch_up == FAN_CATCH_CONFLATE) {
        note_missed(f, c, sequence);
        return true;
    }
    return list_push(f, c, sequence | (is_book ? ENTRY_BOOK : 0));
}

void fan_list_append(fan *f, fan_client *c, uint64_t sequence, bool is_book)
{
    if (c->is_slow || c->is_gone)
        return;
    c->is_slow = !append(f, c, sequence, is_book);
    if (!c->is_blocked || c->is_slow)
        fan_mark_dirty(f, c);
}

void fan_settle(fan *f, fan_client *c)
{
    if (c->star_mask == 0 || c->is_gone)
        return;
    if (c->cursor < f->ring.tail && (!c->is_conflating || !fan_absorb(f, c)))
        c->is_slow = true;
    for (; c->cursor < f->ring.head && !c->is_slow; c->cursor++) {
        const ring_message *message = ring_at(&f->ring, c->cursor);
        if (fan_star_wants(c, message))
            fan_list_append(f, c, c->cursor, message->is_book);
    }
    c->cursor = f->ring.head;
    if (c->is_slow)
        fan_mark_dirty(f, c);
}

/* ---- those who are waited for ---- */

/* The first that a last value does not stand for. */
static uint64_t oldest_of_list(const fan *f, const fan_client *c)
{
    for (uint32_t i = 0; i < c->list_count; i++)
        if (!c->is_conflating || (entry_at(c, i) & ENTRY_BOOK) == 0)
            return entry_at(c, i) & ~ENTRY_BOOK;
    return f->ring.head;
}

uint64_t fan_behind(const fan *f, const fan_client *c)
{
    uint64_t oldest = oldest_of_list(f, c);
    if (c->star_mask != 0 && !c->is_conflating && c->cursor < oldest)
        oldest = c->cursor;
    uint64_t lag = f->ring.head - oldest;
    if (lag == 0)
        return 0;
    bool is_far = c->list_count >= f->pending_max / 2 || lag >= f->ring.message_max / 2 ||
                  !ring_has(&f->ring, oldest) ||
                  f->ring.at_bytes - ring_at(&f->ring, oldest)->at_bytes >= f->ring.size_bytes / 2;
    return is_far ? lag : 0;
}

/* ---- conflation ---- */

static bool absorb_list(fan *f, fan_client *c)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->list_count; i++) {
        uint64_t entry = entry_at(c, i);
        if ((entry & ENTRY_BOOK) != 0)
            note_missed(f, c, entry & ~ENTRY_BOOK);
        else if (ring_has(&f->ring, entry))
            c->list[(c->list_first + kept++) & (c->list_capacity - 1)] = entry;
        else
            return false;
    }
    c->list_count = kept;
    return true;
}

bool fan_absorb(fan *f, fan_client *c)
{
    if (!absorb_list(f, c))
        return false;
    if (c->star_mask == 0)
        return true;
    if (c->cursor < f->ring.tail) {
        /* what it was is not known any more; it can be made good only if all that this client gets
         * is books */
        if ((c->star_mask & ~f->book_trs) != 0)
            return false;
        note_missed(f, c, c->cursor);
        c->cursor = f->ring.tail;
    }
    for (; c->cursor < f->ring.head; c->cursor++) {
        const ring_message *message = ring_at(&f->ring, c->cursor);
        if (!fan_star_wants(c, message))
            continue;
        if (message->is_book)
            note_missed(f, c, c->cursor);
        else if (!list_push(f, c, c->cursor))
            return false;
    }
    return true;
}
