/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: symbols kis base */
/*
 * The first byte chooses: 'm' a master file of which every row must be found again, else words that
 * are searched in a small master. Whatever is typed, the rows told are the master's, once, in
 * order.
 */
#include "symbols/symbols.h"
#include <stdlib.h>
#include <string.h>

#define OUT_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static const char rows[] =
    "1|A01612|KR4A016C0004|F 202612| |00000.00|1|2001|KOSPI200\n"
    "2|D0161201|KR4D01612016|SP 2612-2703| |00000.00|1|2001|KOSPI200\n"
    "5|B01612A41|KR4B016CA411|C 202612 1,100.0|2|01100.00| |2001|KOSPI200\n"
    "6|C01612A41|KR4C016CA410|P 202612 1,100.0|1|01100.00| |2001|KOSPI200\n"
    "D|B05612A41|KR4B056CA418|\xB9\xCC\xB4\xCF"
    "C 202612 1,100.0|3|01100.00| |2001|KOSPI200\n"
    "M|C09FEWA49|KR4C09FEA499|\xC0\xA7\xC5\xAC\xB8\xAEP 2609W4 1,120.0|2|01120.00| |2001|KOSPI200\n"
    "O|CAFBZWA49|KR4CAFBZA499|\xC0\xA7\xC5\xAC\xB8\xAEM P 2609W4 1,120.0|2|01120.00| |2001|K\n"
    "S|CAK48W120|KR4CAK481202|K 2609W4 1,200|3|01200.00| |3003|KSQ150\n";

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static size_t place_of(const nb__symbols *symbols, const nb__instrument *row)
{
    size_t at = 0;
    while (at < nb__symbols_count(symbols) && nb__symbols_at(symbols, at) != row)
        at++;
    require(at < nb__symbols_count(symbols));
    return at;
}

static void try_words(const nb__symbols *symbols, nb_span words)
{
    const nb__instrument *out[OUT_MAX];
    size_t count = nb__symbols_search(symbols, words, out, OUT_MAX);
    require(count <= nb__symbols_count(symbols));
    for (size_t i = 1; i < count && i < OUT_MAX; i++)
        require(place_of(symbols, out[i - 1]) < place_of(symbols, out[i]));
    count = nb__symbols_near(symbols, words, out, OUT_MAX);
    for (size_t i = 0; i < count; i++)
        place_of(symbols, out[i]);
    require(nb__text_columns(words) <= words.size_bytes);
    require(nb__symbols_find(symbols, words) == NULL || words.size_bytes >= 6);
    nb__product_by_word(words);
}

static void try_rows(const nb__master *master, const nb__symbols *symbols)
{
    const nb__instrument *out[OUT_MAX];
    bool is_sure;
    for (size_t i = 0; i < master->count && i < 200; i++) {
        const nb__instrument *row = &master->rows[i];
        nb_span code = nb__span(row->code);
        const nb__instrument *found = nb__symbols_find(symbols, code);
        require(found != NULL && strcmp(found->code, row->code) == 0 && found <= row);
        require(nb__symbols_near(symbols, code, out, 1) == 1 && out[0] == found);
        int date = nb__expiry_date(nb_calendar_builtin(), row, &is_sure);
        require(date == 0 || nb__date_is_valid(date));
        require(date == 0 || nb__expiry_order(row) != UINT64_MAX);
        nb__symbols_search(symbols, nb__span(row->name), out, OUT_MAX);
    }
}

static void try_master(nb_span text)
{
    nb__master master = {0};
    if (nb__master_parse(NB__MASTER_INDEX, text, &master, NULL) == NB_OK) {
        nb__symbols *symbols = nb__symbols_new(&master);
        require(symbols != NULL && nb__symbols_count(symbols) <= master.count);
        try_rows(&master, symbols);
        nb__symbols_free(symbols);
    }
    nb__master_fini(&master);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static nb__master master;
    static nb__symbols *symbols;
    if (symbols == NULL) {
        require(nb__master_parse(NB__MASTER_INDEX, NB__SPAN(rows), &master, NULL) == NB_OK);
        symbols = nb__symbols_new(&master);
    }
    if (size_bytes == 0)
        return 0;
    nb_span rest = {(const char *)data + 1, size_bytes - 1};
    if (data[0] == 'm')
        try_master(rest);
    else
        try_words(symbols, rest);
    return 0;
}
