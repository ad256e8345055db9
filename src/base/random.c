/* SPDX-License-Identifier: Apache-2.0 */
/* xoshiro256** seeded by splitmix64 (Blackman and Vigna, public domain algorithms): repeatable, not
 * for secrets. */
#include "base/base.h"

static uint64_t rotate(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

void nb__random_init(nb__random *random, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++) {
        seed += UINT64_C(0x9E3779B97F4A7C15);
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
        random->state[i] = z ^ (z >> 31);
    }
}

uint64_t nb__random_next(nb__random *random)
{
    uint64_t *s = random->state, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t nb__random_below(nb__random *random, uint64_t bound)
{
    uint64_t threshold = (UINT64_C(0) - bound) % bound; /* rejects the uneven rest */
    for (;;) {
        uint64_t value = nb__random_next(random);
        if (value >= threshold)
            return value % bound;
    }
}
