/* SPDX-License-Identifier: Apache-2.0 */
/* The ring. Invariant: rows tail…head-1 describe bytes within the last size_bytes. */
#include "ring.h"
#include <stdlib.h>

static bool is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

nb_err ring_init(ring *r, size_t size_bytes, uint32_t message_max)
{
    if (!is_power_of_two(size_bytes) || size_bytes < 4096 || !is_power_of_two(message_max) ||
        message_max < 16)
        return NB_E_ARGUMENT;
    char *bytes = malloc(size_bytes);
    ring_message *messages = calloc(message_max, sizeof *messages);
    if (bytes == NULL || messages == NULL) {
        free(bytes);
        free(messages);
        return NB_E_MEMORY;
    }
    *r = (ring){
        .bytes = bytes, .messages = messages, .size_bytes = size_bytes, .message_max = message_max};
    return NB_OK;
}

void ring_fini(ring *r)
{
    free(r->bytes);
    free(r->messages);
    *r = (ring){0};
}

char *ring_put(ring *r, const ring_message *like, size_t size_bytes)
{
    if (size_bytes > r->size_bytes / 4)
        return NULL;
    uint64_t offset = r->at_bytes & (r->size_bytes - 1);
    if (offset + size_bytes > r->size_bytes)
        r->at_bytes += r->size_bytes - offset;
    uint64_t end = r->at_bytes + size_bytes;
    while (r->tail < r->head && (r->head - r->tail == r->message_max ||
                                 ring_at(r, r->tail)->at_bytes + r->size_bytes < end))
        r->tail++;
    ring_message *message = &r->messages[r->head & (r->message_max - 1)];
    *message = *like;
    message->at_bytes = r->at_bytes;
    message->size_bytes = (uint32_t)size_bytes;
    r->at_bytes = end;
    r->head++;
    return r->bytes + (message->at_bytes & (r->size_bytes - 1));
}
