/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The words every nightbook header uses: export mark, byte spans, and what "undefined" is.
 *
 * Times are int64_t nanoseconds and say so in their name (`recv_ns`, `event_ns`): UTC since 1970
 * unless the name says `mono` (CLOCK_MONOTONIC). Functions are safe from any thread on distinct
 * objects unless their header says otherwise; none uses the locale or errno for its result.
 */
#ifndef NIGHTBOOK_TYPES_H
#define NIGHTBOOK_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define NB_API __attribute__((visibility("default")))
#else
#define NB_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Borrowed bytes, not NUL-terminated. Valid as long as the function that returned it says. */
typedef struct nb_span {
    const char *data;
    size_t size_bytes;
} nb_span;

/** A time that is not known. */
#define NB_TIME_UNDEF INT64_MIN
/** A count or quantity that KIS did not tell. */
#define NB_INT_UNDEF INT64_MIN
#define NB_INT32_UNDEF INT32_MIN
/** A trade date that is not known; otherwise dates are the integer YYYYMMDD. */
#define NB_DATE_UNDEF 0

#ifdef __cplusplus
}
#endif
#endif
