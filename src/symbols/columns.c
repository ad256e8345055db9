/* SPDX-License-Identifier: Apache-2.0 */
/* How wide a terminal shows text: its own table, so that the answer does not depend on a locale. */
#include "symbols/symbols.h"

typedef struct range {
    uint32_t first, last;
} range;

/* Unicode's East Asian wide and full-width characters, in blocks. */
static const range wide[] = {
    {0x1100, 0x115F}, {0x2E80, 0x303E}, {0x3041, 0x33FF},   {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},
    {0xA000, 0xA4CF}, {0xA960, 0xA97F}, {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
    {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}, {0x1F300, 0x1F64F}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD},
};

/* Combining marks, the second and third part of a Hangul syllable in parts, joiners. */
static const range without_width[] = {
    {0x0000, 0x001F}, {0x007F, 0x009F}, {0x0300, 0x036F},
    {0x1160, 0x11FF}, {0x200B, 0x200F}, {0xFE00, 0xFE0F},
};

static bool is_in(uint32_t character, const range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (character >= ranges[i].first && character <= ranges[i].last)
            return true;
    return false;
}

/* `text` begins with a whole, valid character. */
static uint32_t take_character(nb_span *text)
{
    static const uint8_t masks[] = {0x7F, 0x1F, 0x0F, 0x07};
    const unsigned char *bytes = (const unsigned char *)text->data;
    size_t more = bytes[0] < 0x80 ? 0 : bytes[0] < 0xE0 ? 1 : bytes[0] < 0xF0 ? 2 : 3;
    uint32_t character = bytes[0] & masks[more];
    for (size_t i = 1; i <= more; i++)
        character = character << 6 | (bytes[i] & 0x3F);
    *text = (nb_span){text->data + more + 1, text->size_bytes - more - 1};
    return character;
}

size_t nb__text_columns(nb_span text)
{
    size_t columns = 0;
    while (text.size_bytes > 0) {
        nb_span valid = {text.data, nb__utf8_valid_prefix(text)};
        size_t taken = valid.size_bytes;
        while (valid.size_bytes > 0) {
            uint32_t character = take_character(&valid);
            if (!is_in(character, without_width, NB__COUNT_OF(without_width)))
                columns += is_in(character, wide, NB__COUNT_OF(wide)) ? 2 : 1;
        }
        text = (nb_span){text.data + taken, text.size_bytes - taken};
        if (text.size_bytes > 0) { /* a byte that is none: shown as one '?' */
            columns++;
            text = (nb_span){text.data + 1, text.size_bytes - 1};
        }
    }
    return columns;
}
