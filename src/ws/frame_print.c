/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket frames out: heads, whole frames, Close, and the masking that both directions share. */
#include "mask.h"
#include "ws/ws.h"
#include <string.h>

void nb__ws_mask(char *data, size_t size_bytes, const uint8_t mask[4], uint64_t at_bytes)
{
    uint8_t key[8];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = mask[(at_bytes + i) & 3];
    uint64_t key_word;
    memcpy(&key_word, key, sizeof key_word);
    size_t i = 0;
    for (; i + sizeof key_word <= size_bytes; i += sizeof key_word) {
        uint64_t word;
        memcpy(&word, data + i, sizeof word);
        word ^= key_word;
        memcpy(data + i, &word, sizeof word);
    }
    for (; i < size_bytes; i++)
        data[i] = (char)((uint8_t)data[i] ^ key[i & 7]);
}

size_t nb__ws_head_print(uint8_t out[NB__WS_HEAD_MAX], nb__ws_opcode opcode, uint64_t size_bytes,
                         const uint8_t mask[4])
{
    uint8_t mask_bit = mask == NULL ? 0 : 0x80;
    int length_bytes = size_bytes < 126 ? 0 : size_bytes <= UINT16_MAX ? 2 : 8;
    out[0] = (uint8_t)(0x80 | opcode);
    out[1] = mask_bit | (uint8_t)(length_bytes == 0 ? size_bytes : length_bytes == 2 ? 126 : 127);
    size_t at = 2;
    for (int shift = 8 * (length_bytes - 1); shift >= 0; shift -= 8)
        out[at++] = (uint8_t)(size_bytes >> shift);
    if (mask != NULL) {
        memcpy(out + at, mask, 4);
        at += 4;
    }
    return at;
}

void nb__ws_frame_append(nb__text *out, nb__ws_opcode opcode, nb_span payload,
                         const uint8_t mask[4])
{
    uint8_t head[NB__WS_HEAD_MAX];
    size_t head_size = nb__ws_head_print(head, opcode, payload.size_bytes, mask);
    /* both or nothing: a head without its payload would spoil the stream */
    if (payload.size_bytes > SIZE_MAX - sizeof head - 1 ||
        nb__text_reserve(out, head_size + payload.size_bytes) == NULL) {
        out->is_failed = true;
        return;
    }
    nb__text_append(out, head, head_size);
    size_t at = out->size_bytes;
    nb__text_append(out, payload.data, payload.size_bytes);
    if (mask != NULL)
        nb__ws_mask(out->data + at, payload.size_bytes, mask, 0);
}

bool nb__ws_close_code_is_valid(uint16_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

void nb__ws_close_append(nb__text *out, uint16_t code, nb_span reason, const uint8_t mask[4])
{
    char body[125];
    size_t size = 0;
    if (nb__ws_close_code_is_valid(code)) {
        body[0] = (char)(code >> 8);
        body[1] = (char)(code & 0xFF);
        size_t cut = reason.size_bytes;
        if (cut > sizeof body - 2) {
            cut = sizeof body - 2;
            while (cut > 0 && ((uint8_t)reason.data[cut] & 0xC0) == 0x80)
                cut--;
        }
        if (cut > 0)
            memcpy(body + 2, reason.data, cut);
        nb__utf8_scrub(body + 2, cut);
        size = 2 + cut;
    }
    nb__ws_frame_append(out, NB__WS_CLOSE, (nb_span){body, size}, mask);
}
