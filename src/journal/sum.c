/* SPDX-License-Identifier: Apache-2.0 */
/* The payload of a sum, {"bytes":N,"xxh3":"0123456789abcdef"}: byte for byte this form, since its
 * own first part is hashed. */
#include "inside.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BYTES_KEY "{\"bytes\":"
#define XXH3_KEY "," NB__JOURNAL_SUM_KEY
#define TAIL "\"}"

void nb__journal_hex_print(char out[NB__JOURNAL_HEX_DIGITS], uint64_t value)
{
    for (size_t i = NB__JOURNAL_HEX_DIGITS; i-- > 0; value >>= 4)
        out[i] = "0123456789abcdef"[value & 15];
}

bool nb__journal_hex_parse(nb_span digits, uint64_t *out)
{
    if (digits.size_bytes != NB__JOURNAL_HEX_DIGITS)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < NB__JOURNAL_HEX_DIGITS; i++) {
        char c = digits.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *out = value;
    return true;
}

size_t nb__journal_sum_head_print(char out[NB__JOURNAL_SUM_MAX], uint64_t size_bytes)
{
    return (size_t)snprintf(out, NB__JOURNAL_SUM_MAX, BYTES_KEY "%" PRIu64 XXH3_KEY, size_bytes);
}

static bool skip(nb_span *rest, const char *what)
{
    size_t size = strlen(what);
    if (rest->size_bytes < size || memcmp(rest->data, what, size) != 0)
        return false;
    rest->data += size;
    rest->size_bytes -= size;
    return true;
}

bool nb__journal_sum_parse(nb_span payload, uint64_t *size_bytes, uint64_t *xxh3)
{
    if (!skip(&payload, BYTES_KEY))
        return false;
    nb_span digits = {payload.data, 0};
    while (digits.size_bytes < payload.size_bytes && payload.data[digits.size_bytes] >= '0' &&
           payload.data[digits.size_bytes] <= '9')
        digits.size_bytes++;
    if (!nb__span_to_u64(digits, size_bytes) || (digits.data[0] == '0' && digits.size_bytes > 1))
        return false;
    payload.data += digits.size_bytes;
    payload.size_bytes -= digits.size_bytes;
    return skip(&payload, XXH3_KEY) &&
           payload.size_bytes == NB__JOURNAL_HEX_DIGITS + strlen(TAIL) &&
           memcmp(payload.data + NB__JOURNAL_HEX_DIGITS, TAIL, strlen(TAIL)) == 0 &&
           nb__journal_hex_parse((nb_span){payload.data, NB__JOURNAL_HEX_DIGITS}, xxh3);
}
