/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A histogram whose buckets grow with the value: each doubling is cut into 32.
 *
 *     value     0 … 31    32 … 63    64,65 … 126,127    128–131 … 252–255   …
 *     bucket    0 … 31    32 … 63    64    … 95         96      … 127       …
 *
 * A bucket is at most a 32nd of its least value wide, and a quantile is told as the bucket's upper
 * edge: never less than the truth, and less than 1/32 more.
 */
#include "base/base.h"

#define SUB_BITS 5
#define SUB_COUNT (1u << SUB_BITS)
#define MILLION UINT64_C(1000000)

_Static_assert(NB__HIST_BUCKETS == (62 - SUB_BITS + 2) * SUB_COUNT, "up to INT64_MAX");

static size_t bucket_of(uint64_t value)
{
    if (value < SUB_COUNT)
        return (size_t)value;
    unsigned top = 63u - (unsigned)__builtin_clzll(value); /* SUB_BITS–62 */
    unsigned sub = (unsigned)(value >> (top - SUB_BITS)) & (SUB_COUNT - 1);
    return (size_t)(top - SUB_BITS + 1) * SUB_COUNT + sub;
}

static int64_t upper_edge(size_t bucket)
{
    if (bucket < SUB_COUNT)
        return (int64_t)bucket;
    unsigned shift = (unsigned)(bucket / SUB_COUNT) - 1;
    uint64_t next = (uint64_t)(SUB_COUNT + bucket % SUB_COUNT + 1) << shift;
    return (int64_t)(next - 1);
}

void nb__hist_add(nb__hist *hist, int64_t value, uint64_t count)
{
    if (value < 0)
        value = 0;
    hist->counts[bucket_of((uint64_t)value)] += count;
    hist->count += count;
    hist->sum += (uint64_t)value * count;
    if (count > 0 && value > hist->max)
        hist->max = value;
}

int64_t nb__hist_quantile(const nb__hist *hist, uint32_t parts_per_million)
{
    if (hist->count == 0)
        return 0;
    uint64_t rest = hist->count % MILLION * parts_per_million;
    uint64_t rank = hist->count / MILLION * parts_per_million + (rest + MILLION - 1) / MILLION;
    uint64_t so_far = 0;
    if (rank >= hist->count)
        return hist->max;
    for (size_t i = 0; i < NB__HIST_BUCKETS; i++) {
        so_far += hist->counts[i];
        if (so_far >= rank && so_far > 0)
            return upper_edge(i) < hist->max ? upper_edge(i) : hist->max;
    }
    return hist->max;
}
