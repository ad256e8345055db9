/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index: two orders over the master's rows, made once.
 *
 *     by_code     sorted by code, one row a code: of several the first in the master, so that the
 *                 files read first win
 *     by_expiry   the same rows as a person reads them: nearest expiry, product, strike, call
 *                 before put; rows without a serial (spreads) last
 */
#include "index.h"
#include <stdlib.h>
#include <string.h>

static int compare_codes(const void *a, const void *b)
{
    const nb__instrument *left = *(const nb__instrument *const *)a;
    const nb__instrument *right = *(const nb__instrument *const *)b;
    int by_code = strcmp(left->code, right->code);
    return by_code != 0 ? by_code : (left > right) - (left < right);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Futures, which have no strike, come before options. */
static int compare_strikes(nb_price a, nb_price b)
{
    nb_price left = a == NB_PRICE_UNDEF ? -1 : a, right = b == NB_PRICE_UNDEF ? -1 : b;
    return (left > right) - (left < right);
}

/* What nightbook does not know comes last. */
static uint64_t product_order(nb__product product)
{
    bool is_other = product == NB__PRODUCT_UNKNOWN || product == NB__PRODUCT_OTHER_FUTURE;
    return (uint64_t)product + (is_other ? 100 : 0);
}

static int compare_readers(const void *a, const void *b)
{
    const nb__instrument *left = *(const nb__instrument *const *)a;
    const nb__instrument *right = *(const nb__instrument *const *)b;
    int order = compare_numbers(nb__expiry_order(left), nb__expiry_order(right));
    if (order == 0)
        order = compare_numbers(product_order(left->product), product_order(right->product));
    if (order == 0)
        order = compare_strikes(left->strike, right->strike);
    if (order == 0)
        order = compare_numbers((unsigned char)left->right, (unsigned char)right->right);
    return order != 0 ? order : strcmp(left->code, right->code);
}

static size_t drop_duplicates(const nb__instrument **rows, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || strcmp(rows[kept - 1]->code, rows[i]->code) != 0)
            rows[kept++] = rows[i];
    return kept;
}

nb__symbols *nb__symbols_new(const nb__master *master)
{
    size_t room = master->count > 0 ? master->count : 1;
    nb__symbols *symbols = calloc(1, sizeof *symbols);
    const nb__instrument **rows = calloc(2 * room, sizeof(const nb__instrument *));
    if (symbols == NULL || rows == NULL) {
        free(symbols);
        free(rows);
        return NULL;
    }
    for (size_t i = 0; i < master->count; i++)
        rows[i] = &master->rows[i];
    qsort(rows, master->count, sizeof *rows, compare_codes);
    symbols->count = drop_duplicates(rows, master->count);
    symbols->by_code = rows;
    symbols->by_expiry = rows + room;
    memcpy(symbols->by_expiry, rows, symbols->count * sizeof *rows);
    qsort(symbols->by_expiry, symbols->count, sizeof *rows, compare_readers);
    return symbols;
}

void nb__symbols_free(nb__symbols *symbols)
{
    if (symbols != NULL)
        free(symbols->by_code);
    free(symbols);
}

size_t nb__symbols_count(const nb__symbols *symbols)
{
    return symbols->count;
}

const nb__instrument *nb__symbols_at(const nb__symbols *symbols, size_t index)
{
    return symbols->by_expiry[index];
}

const nb__instrument *nb__symbols_find(const nb__symbols *symbols, nb_span code)
{
    char text[sizeof((nb__instrument *)NULL)->code];
    if (memchr(code.data, '\0', code.size_bytes) != NULL || !nb__span_copy(code, text, sizeof text))
        return NULL;
    size_t low = 0, high = symbols->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(symbols->by_code[middle]->code, text);
        if (order == 0)
            return symbols->by_code[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool nb__code_begins(const nb__instrument *row, nb_span text)
{
    for (size_t i = 0; i < text.size_bytes; i++) {
        char c = row->code[i];
        if ((c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c) != text.data[i])
            return false; /* also at the code's end */
    }
    return true;
}
