/* SPDX-License-Identifier: Apache-2.0 */
/* Borrowed bytes: comparing, copying, reading digits; and UTF-8. */
#include "base/base.h"
#include <string.h>

nb_span nb__span(const char *text)
{
    return (nb_span){text, text == NULL ? 0 : strlen(text)};
}

bool nb__span_equal(nb_span a, nb_span b)
{
    return a.size_bytes == b.size_bytes &&
           (a.size_bytes == 0 || memcmp(a.data, b.data, a.size_bytes) == 0);
}

bool nb__span_is(nb_span span, const char *text)
{
    return nb__span_equal(span, nb__span(text));
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool nb__span_is_nocase(nb_span span, const char *text)
{
    if (span.size_bytes != strlen(text))
        return false;
    for (size_t i = 0; i < span.size_bytes; i++)
        if (lower(span.data[i]) != lower(text[i]))
            return false;
    return true;
}

nb_span nb__span_trim(nb_span span)
{
    while (span.size_bytes > 0 && (span.data[0] == ' ' || span.data[0] == '\t')) {
        span.data++;
        span.size_bytes--;
    }
    while (span.size_bytes > 0 &&
           (span.data[span.size_bytes - 1] == ' ' || span.data[span.size_bytes - 1] == '\t'))
        span.size_bytes--;
    return span;
}

bool nb__span_copy(nb_span span, char *out, size_t capacity_bytes)
{
    bool fits = span.size_bytes < capacity_bytes;
    size_t size_bytes = fits ? span.size_bytes : 0;
    if (size_bytes > 0)
        memcpy(out, span.data, size_bytes);
    out[size_bytes] = '\0';
    return fits;
}

bool nb__span_to_u64(nb_span span, uint64_t *out)
{
    if (span.size_bytes == 0 || span.size_bytes > 18)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < span.size_bytes; i++) {
        if (span.data[i] < '0' || span.data[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(span.data[i] - '0');
    }
    *out = value;
    return true;
}

/* Length of the valid sequence at `at`, 0 when there is none. */
static size_t utf8_sequence(const unsigned char *at, size_t left)
{
    unsigned char first = at[0];
    if (first < 0x80)
        return 1;
    size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || size > left)
        return 0;
    /* the second byte's range excludes longer forms, surrogates, and what lies past U+10FFFF */
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    return size;
}

size_t nb__utf8_valid_prefix(nb_span span)
{
    const unsigned char *data = (const unsigned char *)span.data;
    size_t at = 0;
    while (at < span.size_bytes) {
        uint64_t word;
        if (span.size_bytes - at >= sizeof word) { /* eight ASCII bytes at a time */
            memcpy(&word, data + at, sizeof word);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof word;
                continue;
            }
        }
        size_t size = utf8_sequence(data + at, span.size_bytes - at);
        if (size == 0)
            return at;
        at += size;
    }
    return at;
}

size_t nb__utf8_scrub(char *data, size_t size_bytes)
{
    size_t replaced = 0, at = 0;
    for (;;) {
        at += nb__utf8_valid_prefix((nb_span){data + at, size_bytes - at});
        if (at == size_bytes)
            return replaced;
        data[at++] = '?';
        replaced++;
    }
}

void nb__make_printable(char *data, size_t size_bytes)
{
    nb__utf8_scrub(data, size_bytes);
    for (size_t i = 0; i < size_bytes; i++) {
        unsigned char byte = (unsigned char)data[i];
        if (byte < 0x20 || byte == 0x7F)
            data[i] = '?';
        else if (byte == 0xC2 && (unsigned char)data[i + 1] < 0xA0) /* U+0080–U+009F */
            data[i] = data[i + 1] = '?';
    }
}
