/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of faults, and what a person types for one. The table is the one source: --help prints
 * it, near names come from it, and a test holds docs/simulator.md against it.
 */
#include "fault.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define S NB__NS_PER_S
#define MS NB__NS_PER_MS
#define LONGEST (10 * NB__NS_PER_DAY)
#define SHOWN_BYTES_MAX 40 /* of what was typed, in a message about it */

#define TIME(name, value)                                                                          \
    {                                                                                              \
        name, NB__PARAM_TIME, value, 0, LONGEST                                                    \
    }
#define COUNT(name, value, least, most)                                                            \
    {                                                                                              \
        name, NB__PARAM_COUNT, value, least, most                                                  \
    }
#define FLAG(name, value)                                                                          \
    {                                                                                              \
        name, NB__PARAM_FLAG, value, 0, 1                                                          \
    }
#define CODE(name, value)                                                                          \
    {                                                                                              \
        name, NB__PARAM_CODE, value, 1, 99999                                                      \
    }
#define NONE                                                                                       \
    {                                                                                              \
        0                                                                                          \
    }
#define WHEN TIME("after", 10 * S), TIME("jitter", 0)

enum { PLAIN, CUTS, DAMAGES };
#define ROW(kind, does, name_, every_, help_, ...)                                                 \
    [NB__FAULT_##kind] = {.name = name_,                                                           \
                          .help = help_,                                                           \
                          .params = {__VA_ARGS__},                                                 \
                          .every = every_,                                                         \
                          .is_cut = (does) == CUTS,                                                \
                          .is_damage = (does) == DAMAGES}

static const nb__sim_fault_row table[NB__FAULT_COUNT] = {
    ROW(IN_USE, PLAIN, "in-use", 1, "OPSP8996 for every new session, for so long from now on",
        TIME("seconds", 60 * S)),
    ROW(HOLD, PLAIN, "hold", 1,
        "OPSP8996 for so long after each disconnect, as KIS does; --hold is the same",
        TIME("seconds", 60 * S)),
    ROW(FULL, PLAIN, "full", 1, "OPSP0008 once so many are registered, below the 41",
        COUNT("count", 20, 0, 1000000)),
    ROW(BAD_APPROVAL, PLAIN, "bad-approval", 1,
        "OPSP0011 for a good approval key, which msg1 then holds", FLAG("echo", 1)),
    ROW(APPROVAL_REFUSED, PLAIN, "approval-refused", 1,
        "POST /oauth2/Approval is refused with this code", CODE("code", 105),
        COUNT("status", 403, 400, 599)),
    ROW(APPROVAL_SLOW, PLAIN, "approval-slow", 1, "POST /oauth2/Approval is answered so much later",
        TIME("seconds", 10 * S)),
    ROW(APPROVAL_LOCKOUT, PLAIN, "approval-lockout", 1,
        "EGW00103 although the appkey is fine, once it asked more than so often within a minute",
        COUNT("count", 3, 0, 1000000), TIME("lasts", 60 * S)),
    ROW(ANSWER_LATE, PLAIN, "answer-late", 1, "a request is answered so much later",
        TIME("delay", 2 * S)),
    ROW(ANSWER_MISSING, PLAIN, "answer-missing", 3, "a request is done, and never answered", NONE),
    ROW(ANSWER_ORDER, PLAIN, "answer-order", 2,
        "an answer waits for the next one, at most so long, and comes behind it",
        TIME("wait", 1 * S)),
    ROW(ANSWER_NULL, PLAIN, "answer-null", 1, "an answer's header has tr_id (null) and no tr_key",
        NONE),
    ROW(PINGPONG_LATE, PLAIN, "pingpong-late", 1, "PINGPONG comes so much later",
        TIME("delay", 20 * S)),
    ROW(PINGPONG_MISSING, PLAIN, "pingpong-missing", 1, "no PINGPONG", NONE),
    ROW(PING_CLOSE, PLAIN, "ping-close", 1,
        "a client's PING ends the connection; with pong=yes a PONG that nobody asked for does so "
        "too; code 0 sends no Close",
        COUNT("code", 1002, 0, 4999), FLAG("pong", 0)),
    ROW(SILENT, CUTS, "silent", 1, "the connection stays open, and not a byte comes any more",
        WHEN),
    ROW(HALF_OPEN, CUTS, "half-open", 1,
        "as silent, and nothing that the client sends is read; after so long the look-alike "
        "notices and resets it",
        WHEN, TIME("lasts", 60 * S)),
    ROW(EOF, CUTS, "eof", 1,
        "the connection ends without a Close frame; with inside=yes within the next message", WHEN,
        FLAG("inside", 0)),
    ROW(RST, CUTS, "rst", 1, "the connection is reset; with inside=yes within the next message",
        WHEN, FLAG("inside", 0)),
    ROW(FRIDAY_RESTART, PLAIN, "friday-restart", 1,
        "every connection ends with Close 1001, and new ones are refused for so long",
        TIME("seconds", 30 * S), TIME("after", 60 * S)),
    ROW(BURST, PLAIN, "burst", 1, "records gather, at most so long, and come in frames of so many",
        COUNT("records", NB__SIM_RECORDS_MAX, 2, NB__SIM_RECORDS_MAX), TIME("wait", 1 * S)),
    ROW(EXTRA_FIELDS, PLAIN, "extra-fields", 1,
        "fields at each record's end that no document has; --extra-fields is the same",
        COUNT("count", 1, 1, NB__SIM_EXTRA_FIELDS_MAX)),
    ROW(MIDDLE_FIELD, DAMAGES, "middle-field", 1,
        "one more field after so many: the rest is shifted", COUNT("after", 2, 1, 37)),
    ROW(BLANKS, DAMAGES, "blanks", 10, "so many fields of each record are blank",
        COUNT("count", 3, 1, 36)),
    ROW(TRUNCATED, DAMAGES, "truncated", 10, "a frame's text ends too early", NONE),
    ROW(GARBAGE, PLAIN, "garbage", 10, "a message that is no frame comes before a frame", NONE),
    ROW(NOT_UTF8, PLAIN, "not-utf8", 10,
        "each record ends with a field of CP949 bytes, in a text message", NONE),
    ROW(FRAGMENTS, PLAIN, "fragments", 1, "a message comes in so many WebSocket frames",
        COUNT("pieces", 3, 2, 1000)),
    ROW(ONE_BYTE, PLAIN, "one-byte", 1, "each byte is sent on its own, with such a gap between",
        TIME("gap", 0)),
    ROW(LATENCY, PLAIN, "latency", 1, "messages come so much later, in their order",
        TIME("delay", 100 * MS), TIME("jitter", 0)),
};

/* What every fault takes besides. The default of `every` is the row's. */
static const nb__sim_param common[] = {COUNT("every", 0, 1, 1000000000),
                                       {"chance", NB__PARAM_CHANCE, NB_PRICE_ONE, 0, NB_PRICE_ONE},
                                       COUNT("first", 0, 0, 1000000000)};

const nb__sim_fault_row *nb__sim_fault_at(size_t kind)
{
    return &table[kind];
}

nb__sim_fault nb__sim_fault_make(nb__sim_fault_kind kind)
{
    const nb__sim_fault_row *row = &table[kind];
    nb__sim_fault fault = {.kind = (uint8_t)kind,
                           .when = NB__SIM_WHEN_ALWAYS,
                           .every = row->every,
                           .chance_e9 = NB_PRICE_ONE};
    for (size_t i = 0; i < NB__SIM_FAULT_PARAMS_MAX; i++)
        fault.values[i] = row->params[i].value;
    return fault;
}

/* ---- values ---- */

/* Digits with a point and a unit. `scale`: what one whole unit is in the result. */
static bool parse_scaled(nb_span text, int64_t scale, int64_t most, int64_t *out)
{
    nb_price exact;
    if (nb_price_parse(text, &exact, NULL, NULL) != NB_OK || exact < 0)
        return false;
    int64_t whole = exact / NB_PRICE_ONE, part = exact % NB_PRICE_ONE;
    if (whole > most / scale)
        return false;
    *out = whole * scale + (int64_t)((double)part * ((double)scale / (double)NB_PRICE_ONE) + 0.5);
    return *out <= most;
}

bool nb__sim_time_parse(nb_span text, int64_t *ns)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"us", NB__NS_PER_US}, {"ms", MS}, {"s", S}, {"m", 60 * S}, {"h", 3600 * S}};
    size_t digits_bytes = 0;
    while (digits_bytes < text.size_bytes &&
           ((text.data[digits_bytes] >= '0' && text.data[digits_bytes] <= '9') ||
            text.data[digits_bytes] == '.'))
        digits_bytes++;
    nb_span digits = {text.data, digits_bytes},
            unit = {text.data + digits_bytes, text.size_bytes - digits_bytes};
    if (unit.size_bytes == 0)
        return parse_scaled(digits, S, LONGEST, ns);
    for (size_t i = 0; i < NB__COUNT_OF(units); i++)
        if (nb__span_is(unit, units[i].name))
            return parse_scaled(digits, units[i].ns, LONGEST, ns);
    return false;
}

static bool parse_chance(nb_span text, int64_t *out)
{
    if (text.size_bytes > 0 && text.data[text.size_bytes - 1] == '%')
        return parse_scaled((nb_span){text.data, text.size_bytes - 1}, NB_PRICE_ONE / 100,
                            NB_PRICE_ONE, out);
    return parse_scaled(text, NB_PRICE_ONE, NB_PRICE_ONE, out);
}

static bool parse_count(nb_span text, int64_t *out)
{
    uint64_t number;
    if (!nb__span_to_u64(text, &number))
        return false;
    *out = (int64_t)number; /* at most 18 digits */
    return true;
}

static bool parse_flag(nb_span text, int64_t *out)
{
    *out = nb__span_is(text, "yes");
    return *out == 1 || nb__span_is(text, "no");
}

static bool parse_code(nb_span text, int64_t *out)
{
    return text.size_bytes == 8 && memcmp(text.data, "EGW", 3) == 0 &&
           parse_count((nb_span){text.data + 3, 5}, out);
}

static bool parse_value(nb__sim_param_kind kind, nb_span text, int64_t *out)
{
    switch (kind) {
    case NB__PARAM_TIME:
        return nb__sim_time_parse(text, out);
    case NB__PARAM_COUNT:
        return parse_count(text, out);
    case NB__PARAM_CHANCE:
        return parse_chance(text, out);
    case NB__PARAM_FLAG:
        return parse_flag(text, out);
    case NB__PARAM_CODE:
        return parse_code(text, out);
    }
    return false;
}

/* ---- printing ---- */

static void print_time(int64_t ns, nb__text *out)
{
    if (ns % S == 0)
        nb__text_printf(out, "%" PRId64 "s", ns / S);
    else
        nb__text_printf(out, "%" PRId64 "ms", ns / MS);
}

static void print_value(nb__sim_param_kind kind, int64_t value, nb__text *out)
{
    if (kind == NB__PARAM_TIME)
        print_time(value, out);
    else if (kind == NB__PARAM_FLAG)
        nb__text_string(out, value != 0 ? "yes" : "no");
    else if (kind == NB__PARAM_CODE)
        nb__text_printf(out, "EGW%05" PRId64, value);
    else if (kind == NB__PARAM_CHANCE)
        nb__text_printf(out, "%g", (double)value / (double)NB_PRICE_ONE);
    else
        nb__text_printf(out, "%" PRId64, value);
}

void nb__sim_fault_print_params(const nb__sim_fault_row *row, nb__text *out)
{
    for (size_t i = 0; i < NB__SIM_FAULT_PARAMS_MAX && row->params[i].name != NULL; i++) {
        nb__text_printf(out, "%s=", row->params[i].name);
        print_value(row->params[i].kind, row->params[i].value, out);
        nb__text_string(out, ", ");
    }
    nb__text_printf(out, "every=%" PRId64, row->every);
}

void nb__sim_faults_print_help(nb__text *out)
{
    nb__text_string(out,
                    "Faults, NAME[:VALUE][,KEY=VALUE…], with their defaults. VALUE is that of "
                    "the first key. A time is\n"
                    "seconds, or has a unit: 200ms, 1.5s, 2m. Of what it could strike a fault "
                    "takes each every-th, with\n"
                    "the probability chance (0.01, 1%), and the first so many with first.\n\n");
    for (size_t i = 0; i < NB__FAULT_COUNT; i++) {
        nb__text_printf(out, "  %-18s", table[i].name);
        nb__sim_fault_print_params(&table[i], out);
        nb__text_printf(out, "\n  %-18s%s\n", "", table[i].help);
    }
    nb__text_string(out, "\nA line of --fault-script is a time and a fault: +30s in-use:60, "
                         "18:05:00 silent, +10s..+40s latency:200ms.\n"
                         "+ counts real seconds from the start; HH:MM:SS is session time. # begins "
                         "a comment.\n");
}

/* ---- errors ---- */

static int shown_bytes(nb_span text)
{
    return (int)(text.size_bytes < SHOWN_BYTES_MAX ? text.size_bytes : SHOWN_BYTES_MAX);
}

static nb_err fail_name(nb_span name, nb_error *error)
{
    char word[24];
    const char *near = NULL;
    if (nb__span_copy(name, word, sizeof word))
        for (size_t i = 0; i < NB__FAULT_COUNT && near == NULL; i++)
            if (nb__word_is_near(word, table[i].name))
                near = table[i].name;
    if (near != NULL)
        return nb__fail(error, NB_E_ARGUMENT, 0, "there is no fault \"%.*s\"; did you mean %s?",
                        shown_bytes(name), name.data, near);
    return nb__fail(error, NB_E_ARGUMENT, 0,
                    "there is no fault \"%.*s\"; `nightbook sim --help` lists them all",
                    shown_bytes(name), name.data);
}

static nb_err fail_key(const nb__sim_fault_row *row, nb_span key, nb_error *error)
{
    nb__text known = {0};
    nb__sim_fault_print_params(row, &known);
    nb_err err =
        nb__fail(error, NB_E_ARGUMENT, 0, "%s has no \"%.*s\"; it takes %s, chance=1, first=0",
                 row->name, shown_bytes(key), key.data, known.is_failed ? "" : known.data);
    nb__text_fini(&known);
    return err;
}

static nb_err fail_value(const nb__sim_fault_row *row, const nb__sim_param *param, nb_span value,
                         nb_error *error)
{
    static const char *const kinds[] = {[NB__PARAM_TIME] = "a time as 60, 1.5s or 200ms",
                                        [NB__PARAM_COUNT] = "a whole number",
                                        [NB__PARAM_CHANCE] = "a probability as 0.01 or 1%",
                                        [NB__PARAM_FLAG] = "yes or no",
                                        [NB__PARAM_CODE] = "a code as EGW00103"};
    if (param->kind == NB__PARAM_COUNT)
        return nb__fail(
            error, NB_E_ARGUMENT, 0,
            "%s: \"%.*s\" is no %s; a whole number of %" PRId64 "–%" PRId64 " is expected",
            row->name, shown_bytes(value), value.data, param->name, param->least, param->most);
    return nb__fail(error, NB_E_ARGUMENT, 0, "%s: \"%.*s\" is no %s; %s is expected", row->name,
                    shown_bytes(value), value.data, param->name, kinds[param->kind]);
}

/* ---- parsing ---- */

/* Cut `text` at the first of two marks. @return false when there is none: all of it is `head`. */
static bool split(nb_span text, char mark, char other, nb_span *head, nb_span *rest)
{
    size_t at = 0;
    while (at < text.size_bytes && text.data[at] != mark && text.data[at] != other)
        at++;
    bool is_split = at < text.size_bytes;
    *rest = (nb_span){text.data + at + is_split, text.size_bytes - at - is_split};
    *head = nb__span_trim((nb_span){text.data, at});
    return is_split;
}

/* The place of a key's value in the fault; NULL when the fault has no such key. `bit` tells keys
 * apart. */
static int64_t *find_place(const nb__sim_fault_row *row, nb_span key, nb__sim_fault *fault,
                           const nb__sim_param **param, unsigned *bit)
{
    int64_t *const places[] = {&fault->every, &fault->chance_e9, &fault->first};
    for (unsigned i = 0; i < NB__SIM_FAULT_PARAMS_MAX && row->params[i].name != NULL; i++) {
        if (nb__span_is(key, row->params[i].name)) {
            *param = &row->params[i];
            *bit = i;
            return &fault->values[i];
        }
    }
    for (unsigned i = 0; i < NB__COUNT_OF(common); i++) {
        if (nb__span_is(key, common[i].name)) {
            *param = &common[i];
            *bit = NB__SIM_FAULT_PARAMS_MAX + i;
            return places[i];
        }
    }
    return NULL;
}

static nb_err take_param(const nb__sim_fault_row *row, nb_span text, bool is_first,
                         nb__sim_fault *fault, nb_error *error)
{
    nb_span key, value;
    bool is_named = split(text, '=', ':', &key, &value);
    value = nb__span_trim(value);
    if (!is_named) {
        if (!is_first || row->params[0].name == NULL)
            return fail_key(row, key, error);
        value = key;
        key = nb__span(row->params[0].name);
    }
    const nb__sim_param *param;
    unsigned bit;
    int64_t number, *place = find_place(row, key, fault, &param, &bit);
    if (place == NULL)
        return fail_key(row, key, error);
    if ((fault->given >> bit & 1) != 0)
        return nb__fail(error, NB_E_ARGUMENT, 0, "%s has %s twice", row->name, param->name);
    if (!parse_value(param->kind, value, &number) || number < param->least || number > param->most)
        return fail_value(row, param, value, error);
    *place = number;
    fault->given = (uint8_t)(fault->given | 1u << bit);
    return NB_OK;
}

nb_err nb__sim_fault_parse(nb_span text, nb__sim_fault *out, nb_error *error)
{
    nb_span name, param, rest;
    bool has_more = split(text, ':', ':', &name, &rest);
    size_t kind = 0;
    while (kind < NB__FAULT_COUNT && !nb__span_is(name, table[kind].name))
        kind++;
    if (kind == NB__FAULT_COUNT)
        return fail_name(name, error);
    nb__sim_fault fault = nb__sim_fault_make((nb__sim_fault_kind)kind);
    for (bool is_first = true; has_more; is_first = false) {
        has_more = split(rest, ',', ',', &param, &rest);
        nb_err err = take_param(&table[kind], param, is_first, &fault, error);
        if (err != NB_OK)
            return err;
    }
    *out = fault;
    return NB_OK;
}

/* ---- the list ---- */

nb_err nb__sim_faults_append(nb__sim_faults *faults, const nb__sim_fault *fault, nb_error *error)
{
    if (faults->count == NB__SIM_FAULTS_MAX)
        return nb__fail(error, NB_E_LIMIT, 0, "more than %d faults", NB__SIM_FAULTS_MAX);
    if (faults->count == faults->capacity) {
        uint32_t capacity = faults->capacity == 0 ? 8 : 2 * faults->capacity;
        nb__sim_fault *items = realloc(faults->items, capacity * sizeof *items);
        if (items == NULL)
            return nb__fail(error, NB_E_MEMORY, 0, "no memory for faults");
        faults->items = items;
        faults->capacity = capacity;
    }
    faults->items[faults->count++] = *fault;
    return NB_OK;
}

nb_err nb__sim_faults_add(nb__sim_faults *faults, nb_span text, nb_error *error)
{
    nb__sim_fault fault;
    nb_err err = nb__sim_fault_parse(text, &fault, error);
    return err == NB_OK ? nb__sim_faults_append(faults, &fault, error) : err;
}

void nb__sim_faults_fini(nb__sim_faults *faults)
{
    free(faults->items);
    *faults = (nb__sim_faults){0};
}
