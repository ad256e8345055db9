/* SPDX-License-Identifier: Apache-2.0 */
/* What KRX's products are called, what a point of them is worth, and their tick in words. One table
 * for people and for the configuration; the tick as a number is nb__tick_e9()'s. */
#include "symbols/symbols.h"

typedef struct product_row {
    nb__product product;
    const char *word, *name, *korean, *tick;
    int64_t multiplier_krw;
} product_row;

static const product_row products[] = {
    {NB__PRODUCT_UNKNOWN, "unknown", "unknown product", "알 수 없는 상품", "", 0},
    {NB__PRODUCT_KOSPI200, "kospi200", "KOSPI200", "코스피200", "0.01 below 10, else 0.05", 250000},
    {NB__PRODUCT_KOSPI200_MINI, "mini", "mini KOSPI200", "미니코스피200",
     "0.01 below 3, 0.02 below 10, else 0.05 (from 3 on not verified)", 50000},
    {NB__PRODUCT_KOSPI200_WEEKLY_THU, "thu", "KOSPI200 weekly (Thu)", "코스피200 위클리(목)",
     "0.01 below 10, else 0.05", 250000},
    {NB__PRODUCT_KOSPI200_WEEKLY_MON, "mon", "KOSPI200 weekly (Mon)", "코스피200 위클리(월)",
     "0.01 below 10, else 0.05", 250000},
    {NB__PRODUCT_KOSDAQ150, "kosdaq150", "KOSDAQ150", "코스닥150", "0.1 below 50, else 0.5", 10000},
    {NB__PRODUCT_OTHER_FUTURE, "other", "other future or spread", "기타 선물·스프레드", "", 0},
    {NB__PRODUCT_KOSPI200_MINI_FUTURE, "mini-future", "mini KOSPI200 future", "미니코스피200 선물",
     "0.02", 50000},
    {NB__PRODUCT_KOSDAQ150_FUTURE, "kosdaq150-future", "KOSDAQ150 future", "코스닥150 선물", "0.1",
     10000},
};

static const product_row *row_of(nb__product product)
{
    for (size_t i = 0; i < NB__COUNT_OF(products); i++)
        if (products[i].product == product)
            return &products[i];
    return &products[0];
}

const char *nb__product_name(nb__product product)
{
    return row_of(product)->name;
}

const char *nb__product_word(nb__product product)
{
    return row_of(product)->word;
}

const char *nb__product_korean(nb__product product)
{
    return row_of(product)->korean;
}

nb__product nb__product_by_word(nb_span word)
{
    for (size_t i = 0; i < NB__COUNT_OF(products); i++)
        if (nb__span_is_nocase(word, products[i].word))
            return products[i].product;
    return NB__PRODUCT_UNKNOWN;
}

int64_t nb__multiplier_krw(nb__product product)
{
    return row_of(product)->multiplier_krw;
}

const char *nb__tick_words(nb__product product)
{
    return row_of(product)->tick;
}
