/* SPDX-License-Identifier: Apache-2.0 */
/** Frames whose prices walk, so that they compress as a night's do: for benchmarks and large tests.
 */
#ifndef NB_BENCH_WALK_H
#define NB_BENCH_WALK_H

#include "base/base.h"
#include <string.h>

#define WALK_KEYS 200
#define FRAME_MAX 320

/** Books of 200 codes, each a walk of its own; the text of one is made anew for each frame. */
typedef struct walk {
    nb__random random;
    int mid[WALK_KEYS]; /* hundredths */
    int quantity[WALK_KEYS][10];
    int second;
    char text[FRAME_MAX];
} walk;

static inline void walk_init(walk *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    nb__random_init(&w->random, seed);
    for (int k = 0; k < WALK_KEYS; k++) {
        w->mid[k] = 100 + (int)nb__random_below(&w->random, 900);
        for (int i = 0; i < 10; i++)
            w->quantity[k][i] = 1 + (int)nb__random_below(&w->random, 60);
    }
}

static inline char *walk_number(char *at, int value)
{
    char digits[12];
    int count = 0;
    do
        digits[count++] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    while (count > 0)
        *at++ = digits[--count];
    *at++ = '^';
    return at;
}

static inline char *walk_price(char *at, int hundredths)
{
    at = walk_number(at, hundredths / 100);
    at[-1] = '.';
    *at++ = (char)('0' + hundredths / 10 % 10);
    *at++ = (char)('0' + hundredths % 10);
    *at++ = '^';
    return at;
}

static inline char *walk_head(char *at, int key, int second)
{
    static const char head[] = "0|H0EUASP0|001|B01612", hour[] = "^18";
    memcpy(at, head, sizeof head - 1);
    at += sizeof head - 1;
    *at++ = (char)('A' + key / 100);
    *at++ = (char)('0' + key / 10 % 10);
    *at++ = (char)('0' + key % 10);
    memcpy(at, hour, sizeof hour - 1);
    at += sizeof hour - 1;
    const int rest[] = {second / 600 % 6, second / 60 % 10, second / 10 % 6, second % 10};
    for (size_t i = 0; i < NB__COUNT_OF(rest); i++)
        *at++ = (char)('0' + rest[i]);
    *at++ = '^';
    return at;
}

/** One frame of 38 fields. Valid until the next call. */
static inline nb_span walk_next(walk *w)
{
    uint64_t dice = nb__random_next(&w->random);
    int key = (int)(dice % WALK_KEYS), level = (int)(dice >> 8) & 7, total[2] = {0};
    w->mid[key] += (dice >> 16 & 15) == 0 ? ((dice >> 20 & 1) != 0 ? 1 : -1) : 0;
    w->mid[key] = w->mid[key] < 20 ? 20 : w->mid[key];
    w->quantity[key][level] = 1 + (int)(dice >> 24 & 63);
    w->second += (dice >> 32 & 1023) == 0;
    char *at = w->text;
    at = walk_head(at, key, w->second);
    for (int i = 0; i < 10; i++)
        at = walk_price(at, i < 5 ? w->mid[key] + 1 + i : w->mid[key] + 4 - i);
    for (int i = 0; i < 10; i++) /* orders */
        at = walk_number(at, 1 + w->quantity[key][i] / 5);
    for (int i = 0; i < 10; i++) {
        at = walk_number(at, w->quantity[key][i]);
        total[i / 5] += w->quantity[key][i];
    }
    at = walk_number(at, total[0] / 5 + 5);
    at = walk_number(at, total[1] / 5 + 5);
    at = walk_number(at, total[0]);
    at = walk_number(at, total[1]);
    at = walk_number(at, 0);
    at = walk_number(at, 0);
    return (nb_span){w->text, (size_t)(at - 1 - w->text)};
}

#endif
