/* SPDX-License-Identifier: Apache-2.0 */
/* The columns of a book under names that are the same for every book TR. */
#include "export.h"

#define LEVEL(side, i)                                                                             \
    {#side "_price_" #i, NB__EXPORT_PRICE, offsetof(nb_quote, side[i - 1].price)},                 \
        {#side "_quantity_" #i, NB__EXPORT_INT32, offsetof(nb_quote, side[i - 1].quantity)},       \
    {                                                                                              \
#side "_count_" #i, NB__EXPORT_INT32, offsetof(nb_quote, side[i - 1].count)                \
    }
#define TOTAL(name)                                                                                \
    {                                                                                              \
#name, NB__EXPORT_INT64, offsetof(nb_quote, name)                                          \
    }

const nb__export_column nb__export_columns[] = {
    LEVEL(ask, 1),
    LEVEL(ask, 2),
    LEVEL(ask, 3),
    LEVEL(ask, 4),
    LEVEL(ask, 5),
    LEVEL(bid, 1),
    LEVEL(bid, 2),
    LEVEL(bid, 3),
    LEVEL(bid, 4),
    LEVEL(bid, 5),
    TOTAL(total_ask_quantity),
    TOTAL(total_bid_quantity),
    TOTAL(total_ask_count),
    TOTAL(total_bid_count),
    TOTAL(total_ask_change),
    TOTAL(total_bid_change),
};
const size_t nb__export_column_count = NB__COUNT_OF(nb__export_columns);
