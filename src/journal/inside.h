/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share: the pieces of a line, and what a check wants of marks. */
#ifndef NB_JOURNAL_INSIDE_H
#define NB_JOURNAL_INSIDE_H

#include "journal/journal.h"

/** "RECV_NS LINK KIND " is shorter: 19 + 1 + 10 + 1 + word + 1. */
#define NB__JOURNAL_HEAD_MAX 48
/** `out` is overwritten up to its end. A clock before 1970 has no form here and is printed as 0.
 * @return the head's length. */
size_t nb__journal_head_print(char out[NB__JOURNAL_HEAD_MAX], int64_t recv_ns, uint32_t link,
                              nb__journal_kind kind);
/** Copy `payload` to `out`, which holds it. @return false: something in it must be escaped, and
 * `out` is of no use. */
bool nb__journal_copy_clean(nb_span payload, char *out);
/** @param out  NULL: only count. @return the escaped form's length. */
size_t nb__journal_escape(nb_span payload, char *out);

/** @return where the first '\\' stands that begins no \\xHH; the payload's size: all do. */
size_t nb__journal_check_escapes(nb_span payload, bool *is_escaped);

#define NB__JOURNAL_SUM_KEY "\"xxh3\":\"" /**< the hash covers its line up to here */
#define NB__JOURNAL_HEX_DIGITS 16
/** No sum line is longer. */
#define NB__JOURNAL_SUM_MAX 128
/** Only what nb__journal_sum() writes is a sum. */
bool nb__journal_sum_parse(nb_span payload, uint64_t *size_bytes, uint64_t *xxh3);
/** `{"bytes":N,"xxh3":"`, what the hash covers of the payload. */
size_t nb__journal_sum_head_print(char out[NB__JOURNAL_SUM_MAX], uint64_t size_bytes);
/** 16 lower-case hex digits, no NUL. */
void nb__journal_hex_print(char out[NB__JOURNAL_HEX_DIGITS], uint64_t value);
bool nb__journal_hex_parse(nb_span digits, uint64_t *out);

/** A start mark of any format: of a newer one only `format` and `version` are sure to be filled.
 * @retval NB_E_JSON */
nb_err nb__journal_start_read(nb_span payload, nb__journal_start *out, nb_error *error);
/** A JSON object, as the payload of every mark is. */
bool nb__journal_is_mark(nb_span payload);

#endif
