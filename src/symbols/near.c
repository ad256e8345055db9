/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codes that a slip may have meant. In this order, each by expiry:
 *
 *     0  small letters for capitals
 *     1  two neighbours swapped, one missing, one too many (also the misreading 1A01612: kind and
 *        code)
 *     2  a stale serial: all but the three characters of the expiry as asked for
 *     3  one character another
 */
#include "index.h"
#include <string.h>

#define CODE_MAX (sizeof((nb__instrument *)NULL)->code - 1)

enum { SAME, SLIPPED, STALE, MISTYPED, NOT_NEAR };

/* What is left between the first and the last character that differ. */
typedef struct difference {
    nb_span a, b;
} difference;

static difference compare(nb_span a, nb_span b)
{
    while (a.size_bytes > 0 && b.size_bytes > 0 && a.data[0] == b.data[0]) {
        a = (nb_span){a.data + 1, a.size_bytes - 1};
        b = (nb_span){b.data + 1, b.size_bytes - 1};
    }
    while (a.size_bytes > 0 && b.size_bytes > 0 &&
           a.data[a.size_bytes - 1] == b.data[b.size_bytes - 1]) {
        a.size_bytes--;
        b.size_bytes--;
    }
    return (difference){a, b};
}

static bool is_stale(nb_span code, nb_span other)
{
    size_t size = code.size_bytes;
    return size == other.size_bytes && size >= 6 && memcmp(code.data, other.data, 3) == 0 &&
           memcmp(code.data + 6, other.data + 6, size - 6) == 0;
}

static int nearness(nb_span code, nb_span other)
{
    difference d = compare(code, other);
    size_t a = d.a.size_bytes, b = d.b.size_bytes;
    bool is_swapped = a == 2 && b == 2 && d.a.data[0] == d.b.data[1] && d.a.data[1] == d.b.data[0];
    if (a + b == 0)
        return SAME;
    if (is_swapped || a + b == 1)
        return SLIPPED;
    if (is_stale(code, other))
        return STALE;
    return a == 1 && b == 1 ? MISTYPED : NOT_NEAR;
}

size_t nb__symbols_near(const nb__symbols *symbols, nb_span code, const nb__instrument **out,
                        size_t max)
{
    char text[CODE_MAX + 2];
    nb_span asked = nb__span_trim(code);
    if (asked.size_bytes < 3 || asked.size_bytes > CODE_MAX + 1)
        return 0;
    for (size_t i = 0; i < asked.size_bytes; i++) {
        char c = asked.data[i];
        text[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    asked.data = text;
    size_t count = 0;
    for (int wanted = SAME; wanted < NOT_NEAR; wanted++)
        for (size_t i = 0; i < symbols->count && count < max; i++)
            if (nearness(asked, nb__span(symbols->by_expiry[i]->code)) == wanted)
                out[count++] = symbols->by_expiry[i];
    return count;
}
