/* SPDX-License-Identifier: Apache-2.0 */
/** Inside journal: numbers and places that who packs and who reads packed segments share. The
 * layout stands in journal.h. */
#ifndef NB_JOURNAL_PACKED_H
#define NB_JOURNAL_PACKED_H

#include "journal/journal.h"

#define ZSTD_MAGIC UINT32_C(0xFD2FB528)
#define SKIPPABLE_MAGIC UINT32_C(0x184D2A50) /* to …5F */
#define INDEX_MAGIC UINT32_C(0x184D2A5B)
#define SEEK_TABLE_MAGIC UINT32_C(0x184D2A5E)
#define SEEKABLE_MAGIC UINT32_C(0x8F92EAB1)
#define SKIPPABLE_HEAD_BYTES 8
#define SEEK_ROW_BYTES 8
#define INDEX_WORD "NBINDEX1"
#define INDEX_WORD_BYTES 8
#define INDEX_HEAD_BYTES 32
#define INDEX_ROW_BYTES 56
#define INDEX_HASH_BYTES 8

static inline uint32_t u32_get(const char *at)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++)
        value |= (uint32_t)(unsigned char)at[i] << 8 * i;
    return value;
}

static inline uint64_t u64_get(const char *at)
{
    return u32_get(at) | (uint64_t)u32_get(at + 4) << 32;
}

static inline void u32_put(nb__text *out, uint32_t value)
{
    char bytes[4];
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (char)(value >> 8 * i);
    nb__text_append(out, bytes, sizeof bytes);
}

static inline void u64_put(nb__text *out, uint64_t value)
{
    u32_put(out, (uint32_t)value);
    u32_put(out, (uint32_t)(value >> 32));
}

#endif
