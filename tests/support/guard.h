/* SPDX-License-Identifier: Apache-2.0 */
/** Bytes whose last one is followed (and first one preceded) by an unmapped page: an over-read
 * crashes. */
#ifndef NB_TEST_GUARD_H
#define NB_TEST_GUARD_H

/* cmocka.h needs these before it, in any order but its own */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct guard {
    char *data; /**< ends exactly at the unmapped page */
    size_t size_bytes;
    void *pages;
    size_t pages_bytes;
} guard;

/** A copy of `data` ending at a guard page (writable). */
guard guard_copy(const void *data, size_t size_bytes);
/** A copy of `data` beginning right after a guard page. */
guard guard_copy_front(const void *data, size_t size_bytes);
void guard_free(guard *g);

#endif
