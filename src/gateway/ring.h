/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The bounded ring of framed messages: what goes to clients lies here once, whoever gets it.
 *
 * Two rings side by side: bytes, and one row a message. Positions in both only grow; the low bits
 * are the place. A message never wraps: what is left at the end is skipped (▒).
 *
 *     rows   … | tail ………………… head-1 | (next)          sequence numbers
 *     bytes  … | ████ ███████ ▒ ██████ |
 *
 * What is older than `tail` is overwritten: whoever still wanted it is slow. Nobody is asked,
 * nothing is counted.
 */
#ifndef NB_GATEWAY_RING_H
#define NB_GATEWAY_RING_H

#include "base/base.h"

/** Who a message is for, when it goes to more than one client. */
enum {
    RING_TO_KEYED = 1u << 0,      /**< subscribers of its topic … */
    RING_TO_KEYED_TIDY = 1u << 1, /**< … who asked for +tidy */
    RING_TO_STAR = 1u << 2,       /**< `*` clients of its TR … */
    RING_TO_STAR_TIDY = 1u << 3   /**< … who asked for +tidy */
};

typedef struct ring_message {
    uint64_t at_bytes;   /**< position; its low bits are the offset */
    uint32_t size_bytes; /**< WebSocket head and payload */
    uint32_t topic;
    uint8_t audience; /**< RING_TO_*; 0: only those who hold its sequence */
    uint8_t tr;       /**< number of its TR among the delivered ones */
    bool is_book;     /**< may be conflated */
} ring_message;

typedef struct ring {
    char *bytes;
    ring_message *messages;
    uint64_t size_bytes, message_max; /**< powers of two */
    uint64_t head, tail;              /**< sequences: next one, oldest still there */
    uint64_t at_bytes;                /**< position of the next byte */
} ring;

/** @retval NB_E_ARGUMENT  Sizes are not powers of two ≥ 4 KiB and ≥ 16.  @retval NB_E_MEMORY */
nb_err ring_init(ring *r, size_t size_bytes, uint32_t message_max);
void ring_fini(ring *r);
/**
 * Make room for the next message (its sequence is `head` before the call), overwriting the oldest
 * ones.
 * @return where its `size_bytes` go; NULL when it is longer than a quarter of the ring.
 */
char *ring_put(ring *r, const ring_message *like, size_t size_bytes);

static inline bool ring_has(const ring *r, uint64_t sequence)
{
    return sequence >= r->tail && sequence < r->head;
}

static inline const ring_message *ring_at(const ring *r, uint64_t sequence)
{
    return &r->messages[sequence & (r->message_max - 1)];
}

static inline nb_span ring_view(const ring *r, const ring_message *message)
{
    return (nb_span){r->bytes + (message->at_bytes & (r->size_bytes - 1)), message->size_bytes};
}

#endif
