/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics: (TR, key) -> dense number. Open addressing over 32-byte names; nothing is ever removed,
 * so a probe ends at the first empty slot, and at most half of the slots are taken.
 *
 *     slots:  0 | 3 | 0 | 1 | 2 | 0 …     index + 1 of a name, 0: empty
 *     names:  H0EUASP0/B01610A48, H0EUASP0/C01610A48, H0MFASP0/A01612 …
 */
#include "kis/kis.h"
#include <stdlib.h>
#include <string.h>

#define TOPICS_MAX (UINT32_C(1) << 28)

struct nb__topics {
    nb__topic *names;
    uint32_t *slots;
    uint32_t count, max, slot_mask;
    uint64_t seed;
};

nb__topics *nb__topics_new(uint32_t topics_max)
{
    if (topics_max > TOPICS_MAX)
        return NULL;
    uint32_t slot_count = 2;
    while (slot_count < 2 * topics_max)
        slot_count *= 2;
    nb__topics *topics = calloc(1, sizeof *topics);
    if (topics == NULL)
        return NULL;
    topics->names = calloc(topics_max > 0 ? topics_max : 1, sizeof *topics->names);
    topics->slots = calloc(slot_count, sizeof *topics->slots);
    topics->max = topics_max;
    topics->slot_mask = slot_count - 1;
    topics->seed = (uintptr_t)topics; /* clients choose names, but not where we live */
    if (topics->names == NULL || topics->slots == NULL) {
        nb__topics_free(topics);
        return NULL;
    }
    return topics;
}

void nb__topics_free(nb__topics *topics)
{
    if (topics == NULL)
        return;
    free(topics->names);
    free(topics->slots);
    free(topics);
}

static bool is_name(nb_span text, size_t max_bytes)
{
    if (text.size_bytes == 0 || text.size_bytes > max_bytes)
        return false;
    for (size_t i = 0; i < text.size_bytes; i++)
        if (text.data[i] == '\0' || text.data[i] == '^' || text.data[i] == '|')
            return false;
    return true;
}

bool nb__topic_make(nb_span tr_id, nb_span tr_key, nb__topic *out)
{
    if (!is_name(tr_id, NB_TR_ID_MAX) || !is_name(tr_key, NB_TR_KEY_MAX))
        return false;
    *out = (nb__topic){0};
    memcpy(out->tr_id, tr_id.data, tr_id.size_bytes);
    memcpy(out->tr_key, tr_key.data, tr_key.size_bytes);
    return true;
}

const char *nb__topic_shown_key(const nb__topic *topic)
{
    return strncmp(topic->tr_id + 4, "CNI", 3) == 0 ? "***" : topic->tr_key; /* H0EUCNI0 … */
}

/* Multiply and fold four words: all that 32 bytes need, without a hash library. */
static uint32_t hash(uint64_t seed, const nb__topic *topic)
{
    uint64_t words[4], state = seed;
    _Static_assert(sizeof *topic == sizeof words, "a topic is four words, without padding");
    memcpy(words, topic, sizeof words);
    for (size_t i = 0; i < NB__COUNT_OF(words); i++) {
        state = (state ^ words[i]) * UINT64_C(0x9E3779B97F4A7C15);
        state ^= state >> 32;
    }
    return (uint32_t)state;
}

/* The slot that holds the topic, or the empty one where it would go. */
static uint32_t *slot_of(const nb__topics *topics, const nb__topic *topic)
{
    uint32_t at = hash(topics->seed, topic) & topics->slot_mask;
    while (topics->slots[at] != 0 &&
           memcmp(&topics->names[topics->slots[at] - 1], topic, sizeof *topic) != 0)
        at = (at + 1) & topics->slot_mask;
    return &topics->slots[at];
}

uint32_t nb__topics_find(const nb__topics *topics, const nb__topic *topic)
{
    uint32_t slot = *slot_of(topics, topic);
    return slot == 0 ? NB__TOPIC_NONE : slot - 1;
}

uint32_t nb__topics_intern(nb__topics *topics, const nb__topic *topic)
{
    uint32_t *slot = slot_of(topics, topic);
    if (*slot != 0)
        return *slot - 1;
    if (topics->count == topics->max)
        return NB__TOPIC_NONE;
    topics->names[topics->count] = *topic;
    *slot = ++topics->count;
    return *slot - 1;
}

const nb__topic *nb__topics_at(const nb__topics *topics, uint32_t index)
{
    return index < topics->count ? &topics->names[index] : NULL;
}

uint32_t nb__topics_count(const nb__topics *topics)
{
    return topics->count;
}
