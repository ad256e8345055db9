/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What faults do to the text of a data frame. Decided once a frame, so that every client that gets
 * it gets it alike, and the truth can say which frames are not what was made.
 */
#include "fault.h"
#include <stdio.h>
#include <string.h>

#define FIRST NB__FAULT_EXTRA_FIELDS
#define LAST NB__FAULT_NOT_UTF8
#define BOOK_FIELDS 38
#define KEPT_FIELDS 2 /* key and time are never blank */

static const char cp949_field[] = "^\xB0\xA1\xB3\xAA"; /* 가나, as KIS's back-ends write it */

_Static_assert(LAST - FIRST < 32, "kinds of damage fit a mask");

nb__sim_damage nb__sim_damage_plan(nb__sim_schedule *schedule, int64_t elapsed_ns, uint64_t seed)
{
    nb__sim_damage damage = {.seed = seed};
    for (int kind = FIRST; kind <= LAST; kind++) {
        const nb__sim_armed *row =
            nb__sim_schedule_strike(schedule, (nb__sim_fault_kind)kind, elapsed_ns);
        if (row == NULL)
            continue;
        damage.kinds |= UINT32_C(1) << (kind - FIRST);
        uint32_t value = (uint32_t)row->fault.values[0];
        if (kind == NB__FAULT_EXTRA_FIELDS)
            damage.extra_fields = value;
        else if (kind == NB__FAULT_MIDDLE_FIELD)
            damage.middle_after = value;
        else if (kind == NB__FAULT_BLANKS)
            damage.blank_count = value;
    }
    return damage;
}

bool nb__sim_damage_has(const nb__sim_damage *damage, nb__sim_fault_kind kind)
{
    return (damage->kinds >> (kind - FIRST) & 1) != 0;
}

bool nb__sim_damage_is_lossy(const nb__sim_damage *damage)
{
    for (int kind = FIRST; kind <= LAST; kind++)
        if (nb__sim_damage_has(damage, (nb__sim_fault_kind)kind) &&
            nb__sim_fault_at((size_t)kind)->is_damage)
            return true;
    return false;
}

/* ---- a record ---- */

static nb__random draws_of(const nb__sim_damage *damage, uint64_t stream)
{
    nb__random random;
    nb__random_init(&random, damage->seed * UINT64_C(0x9E3779B97F4A7C15) + stream);
    return random;
}

/* Where field `index` begins; the end of the text when there are fewer. */
static size_t field_begin(const char *text, size_t size_bytes, uint32_t index)
{
    size_t at = 0;
    while (index > 0 && at < size_bytes)
        index -= text[at++] == '^';
    return at;
}

static size_t insert_field(char *text, size_t size_bytes, uint32_t after)
{
    size_t at = field_begin(text, size_bytes, after);
    memmove(text + at + 2, text + at, size_bytes - at);
    text[at] = '0';
    text[at + 1] = '^';
    return size_bytes + 2;
}

static size_t blank_field(char *text, size_t size_bytes, uint32_t index)
{
    size_t begin = field_begin(text, size_bytes, index), end = begin;
    while (end < size_bytes && text[end] != '^')
        end++;
    memmove(text + begin, text + end, size_bytes - end);
    return size_bytes - (end - begin);
}

/* Each of so many fields of the document is as likely to be blank; none is chosen twice. */
static size_t blank_fields(nb__random *random, uint32_t count, char *text, size_t size_bytes)
{
    uint32_t left = BOOK_FIELDS - KEPT_FIELDS;
    for (uint32_t index = KEPT_FIELDS; index < BOOK_FIELDS && count > 0; index++, left--) {
        if (nb__random_below(random, left) >= count)
            continue;
        size_bytes = blank_field(text, size_bytes, index);
        count--;
    }
    return size_bytes;
}

size_t nb__sim_damage_record(const nb__sim_damage *damage, uint32_t record_index, char *text,
                             size_t size_bytes)
{
    if (damage->blank_count > 0) {
        nb__random random = draws_of(damage, record_index + 1);
        size_bytes = blank_fields(&random, damage->blank_count, text, size_bytes);
    }
    if (damage->middle_after > 0)
        size_bytes = insert_field(text, size_bytes, damage->middle_after);
    if (nb__sim_damage_has(damage, NB__FAULT_NOT_UTF8)) {
        memcpy(text + size_bytes, cp949_field, sizeof cp949_field - 1);
        size_bytes += sizeof cp949_field - 1;
    }
    return size_bytes;
}

/* ---- a frame ---- */

/* At least a quarter is lost: a number short of its last digit would be an unfair question. */
size_t nb__sim_damage_cut(const nb__sim_damage *damage, size_t size_bytes)
{
    if (!nb__sim_damage_has(damage, NB__FAULT_TRUNCATED) || size_bytes < 4)
        return size_bytes;
    nb__random random = draws_of(damage, 0);
    return 1 + nb__random_below(&random, size_bytes - size_bytes / 4 - 1);
}

size_t nb__sim_damage_garbage(const nb__sim_damage *damage, char out[NB__SIM_GARBAGE_MAX])
{
    static const char *const heads[] = {
        "",
        "0|",
        "0|H0EUASP0|",
        "0|H0EUASP0|001|",
        "0|H0EUASP0|999|B01^",
        "2|H0EUASP0|001|",
        "1|H0EUASP0|001|",
        "{",
        "{\"header\":{\"tr_id\":\"H0EUASP0\"},",
        "{\"header\":{\"tr_id\":\"PINGPONG\"",
        "[]",
        "^^^^",
    };
    nb__random random = draws_of(damage, UINT64_C(1) << 32);
    const char *head = heads[nb__random_below(&random, NB__COUNT_OF(heads))];
    size_t size_bytes = 0;
    for (; head[size_bytes] != '\0'; size_bytes++)
        out[size_bytes] = head[size_bytes];
    size_t end_bytes = size_bytes;
    if (nb__random_below(&random, 4) != 0) /* else the head alone, which may be nothing at all */
        end_bytes += nb__random_below(&random, 200);
    while (size_bytes < end_bytes)
        out[size_bytes++] = (char)(' ' + nb__random_below(&random, '~' - ' ' + 1));
    return size_bytes;
}

/* ---- the truth ---- */

void nb__sim_damage_print(const nb__sim_damage *damage, nb__text *out)
{
    if (damage->kinds == 0)
        return;
    nb__text_string(out, nb__sim_damage_is_lossy(damage) ? ",\"damaged\":true" : "");
    const char *separator = ",\"faults\":[";
    for (int kind = FIRST; kind <= LAST; kind++) {
        if (!nb__sim_damage_has(damage, (nb__sim_fault_kind)kind))
            continue;
        nb__text_printf(out, "%s\"%s\"", separator, nb__sim_fault_at((size_t)kind)->name);
        separator = ",";
    }
    nb__text_string(out, "]");
}
