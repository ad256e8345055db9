/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 in pieces. Whole characters go through base's fast check; only the character that a piece
 * cuts, and the one that is wrong, are walked byte by byte. A wrong character is told by its first
 * byte that cannot be right (F4 90 already, not F4 90 80 80), so that a peer learns of it before
 * its message is complete.
 */
#include "utf8.h"

static bool lead_byte(nb__ws_utf8 *utf8, uint8_t byte)
{
    *utf8 = (nb__ws_utf8){.left_count = 0, .low = 0x80, .high = 0xBF};
    if (byte < 0x80)
        return true;
    if (byte < 0xC2 || byte > 0xF4)
        return false;
    utf8->left_count = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
    /* the second byte's range excludes longer forms, surrogates, and what lies past U+10FFFF */
    if (byte == 0xE0)
        utf8->low = 0xA0;
    else if (byte == 0xED)
        utf8->high = 0x9F;
    else if (byte == 0xF0)
        utf8->low = 0x90;
    else if (byte == 0xF4)
        utf8->high = 0x8F;
    return true;
}

static bool next_byte(nb__ws_utf8 *utf8, uint8_t byte)
{
    if (utf8->left_count == 0)
        return lead_byte(utf8, byte);
    if (byte < utf8->low || byte > utf8->high)
        return false;
    utf8->left_count--;
    utf8->low = 0x80;
    utf8->high = 0xBF;
    return true;
}

bool nb__ws_utf8_feed(nb__ws_utf8 *utf8, nb_span piece)
{
    size_t at = 0;
    while (utf8->left_count > 0 && at < piece.size_bytes)
        if (!next_byte(utf8, (uint8_t)piece.data[at++]))
            return false;
    if (at == piece.size_bytes)
        return true;
    at += nb__utf8_valid_prefix((nb_span){piece.data + at, piece.size_bytes - at});
    while (at < piece.size_bytes)
        if (!next_byte(utf8, (uint8_t)piece.data[at++]))
            return false;
    return true;
}
