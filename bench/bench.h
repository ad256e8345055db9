/* SPDX-License-Identifier: Apache-2.0 */
/** What the benchmarks share: a clock, and medians with their spread. */
#ifndef NB_BENCH_H
#define NB_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>

static inline int64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/** Sorts; median and the quartiles around it. */
static inline double bench_median(double *values, size_t count, double *low, double *high)
{
    qsort(values, count, sizeof *values, bench_compare);
    *low = values[count / 4];
    *high = values[count - 1 - count / 4];
    return values[count / 2];
}

#endif
