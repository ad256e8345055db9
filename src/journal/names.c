/* SPDX-License-Identifier: Apache-2.0 */
/* Names of segments and their files. */
#include "journal/journal.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DATE_DIGITS 8
#define NUMBER_DIGITS 6
#define PLAIN ".log"
#define PACKED ".log.zst"

const char *nb__journal_kind_name(nb__journal_kind kind)
{
    static const char *const words[] = {
#define KIND_WORD(name, word, what) word,
        NB__JOURNAL_KINDS(KIND_WORD)
#undef KIND_WORD
    };
    return (size_t)kind < NB__COUNT_OF(words) ? words[kind] : "?";
}

void nb__journal_name_print(char out[NB__JOURNAL_NAME_BYTES], int night, uint32_t number)
{
    snprintf(out, NB__JOURNAL_NAME_BYTES, "%0*d-%0*" PRIu32, DATE_DIGITS, night, NUMBER_DIGITS,
             number);
}

nb__journal_file nb__journal_name_parse(nb_span file_name, int *night, uint32_t *number)
{
    const char *dot = memchr(file_name.data, '.', file_name.size_bytes);
    size_t stem = dot == NULL ? 0 : (size_t)(dot - file_name.data);
    uint64_t date, count;
    if (stem < DATE_DIGITS + 1 + NUMBER_DIGITS || file_name.data[DATE_DIGITS] != '-' ||
        !nb__span_to_u64((nb_span){file_name.data, DATE_DIGITS}, &date) ||
        !nb__span_to_u64((nb_span){file_name.data + DATE_DIGITS + 1, stem - DATE_DIGITS - 1},
                         &count) ||
        !nb__date_is_valid((int)date) || count == 0 || count > UINT32_MAX)
        return NB__JOURNAL_FILE_NONE;
    char canonical[NB__JOURNAL_NAME_BYTES];
    nb__journal_name_print(canonical, (int)date, (uint32_t)count);
    if (!nb__span_is((nb_span){file_name.data, stem}, canonical))
        return NB__JOURNAL_FILE_NONE;
    nb_span suffix = {dot, file_name.size_bytes - stem};
    nb__journal_file kind = nb__span_is(suffix, PLAIN)    ? NB__JOURNAL_FILE_PLAIN
                            : nb__span_is(suffix, PACKED) ? NB__JOURNAL_FILE_PACKED
                                                          : NB__JOURNAL_FILE_NONE;
    if (kind != NB__JOURNAL_FILE_NONE) {
        *night = (int)date;
        *number = (uint32_t)count;
    }
    return kind;
}
