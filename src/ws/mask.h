/* SPDX-License-Identifier: Apache-2.0 */
/** Masking (RFC 6455, 5.3): XOR with four bytes over and over. Its own inverse. */
#ifndef NB_WS_MASK_H
#define NB_WS_MASK_H

#include <stddef.h>
#include <stdint.h>

/** Mask or unmask in place. @param at_bytes  How far into the frame's payload `data` begins. */
void nb__ws_mask(char *data, size_t size_bytes, const uint8_t mask[4], uint64_t at_bytes);

#endif
