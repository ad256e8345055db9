/* SPDX-License-Identifier: Apache-2.0 */
/* How near two words are: what "did you mean" stands on. */
#include "base/base.h"
#include <string.h>

#define WORD_MAX_BYTES 32

/* Damerau's distance (neighbours swapped count once); 99 for words too long to be a slip. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[WORD_MAX_BYTES + 1][WORD_MAX_BYTES + 1];
    size_t a_size = strlen(a), b_size = strlen(b);
    if (a_size > WORD_MAX_BYTES || b_size > WORD_MAX_BYTES)
        return 99;
    for (size_t i = 0; i <= a_size; i++)
        rows[i][0] = i;
    for (size_t j = 0; j <= b_size; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_size; i++)
        for (size_t j = 1; j <= b_size; j++) {
            size_t least = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (rows[i - 1][j] + 1 < least)
                least = rows[i - 1][j] + 1;
            if (rows[i][j - 1] + 1 < least)
                least = rows[i][j - 1] + 1;
            bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (is_swap && rows[i - 2][j - 2] + 1 < least)
                least = rows[i - 2][j - 2] + 1;
            rows[i][j] = least;
        }
    return rows[a_size][b_size];
}

bool nb__word_is_near(const char *word, const char *other)
{
    return distance(word, other) <= (strlen(other) > 4 ? 2 : 1);
}
