/* SPDX-License-Identifier: Apache-2.0 */
/* Instruments for people and for programs: a table, JSON lines, and all that is known of one. */
#ifndef NB_CLI_SYMBOLS_PRINT_H
#define NB_CLI_SYMBOLS_PRINT_H

#include "master_store.h"

/** A table with a head; every column as wide as its widest value on a terminal. */
void nb__symbols_print_table(const nb__store *store, const nb__instrument *const *rows,
                             size_t count, nb__text *out);
/** One flat object and a newline. What is not known is null. */
void nb__symbols_print_json(const nb__store *store, const nb__instrument *row, nb__text *out);
/** `nightbook symbols show`: some lines. */
void nb__symbols_print_all(const nb__store *store, const nb__instrument *row, nb__text *out);

#endif
