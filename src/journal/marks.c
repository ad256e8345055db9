/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks: payloads that are JSON objects, one shape a kind. Read strictly (no duplicate keys, no
 * NUL, a length cap); what a later writer adds to them is passed over. Hashes are strings of 16 hex
 * digits, since a JSON number does not hold them.
 */
#include "inside.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MARK_BYTES_MAX ((size_t)16 << 10)

/* ---- print ---- */

static void put_string(nb__text *out, const char *lead, const char *value)
{
    nb__text_string(out, lead);
    nb__text_json(out, nb__span(value));
}

static void put_number(nb__text *out, const char *lead, uint64_t value)
{
    nb__text_printf(out, "%s%" PRIu64, lead, value);
}

static void put_hash(nb__text *out, const char *lead, uint64_t value)
{
    nb__text_printf(out, "%s\"%016" PRIx64 "\"", lead, value);
}

static void put_after(nb__text *out, const char *lead, const nb__journal_after *after)
{
    nb__text_string(out, lead);
    if (after->segment[0] == '\0') {
        nb__text_string(out, "null");
        return;
    }
    put_string(out, "{\"segment\":", after->segment);
    put_number(out, ",\"bytes\":", after->size_bytes);
    put_hash(out, ",\"xxh3\":", after->xxh3);
    nb__text_string(out, "}");
}

/* ---- read ---- */

/* One object and what was wrong with it first. */
typedef struct reader {
    json_t *object;
    const char *mark; /* for words */
    nb_error *error;
    nb_err code;
} reader;

static void refuse(reader *from, const char *name, const char *what)
{
    if (from->code == NB_OK)
        from->code = nb__fail(from->error, NB_E_JSON, 0, "%s mark: \"%s\" is not %s", from->mark,
                              name, what);
}

/* The payload as JSON. It may stand as in its line or be unescaped already: of the first every '\'
 * begins \xHH, and in JSON none does. */
static reader open_mark(nb_span payload, const char *mark, nb_error *error)
{
    reader from = {.mark = mark, .error = error};
    char *plain = NULL;
    bool is_escaped;
    if (payload.size_bytes == 0 || payload.size_bytes > MARK_BYTES_MAX) {
        from.code = nb__fail(error, NB_E_JSON, 0, "%s mark: of %zu bytes; 1 to %zu can be", mark,
                             payload.size_bytes, MARK_BYTES_MAX);
        return from;
    }
    if (nb__journal_check_escapes(payload, &is_escaped) == payload.size_bytes && is_escaped) {
        plain = malloc(payload.size_bytes);
        if (plain == NULL) {
            from.code = nb__fail(error, NB_E_MEMORY, 0, "%s mark", mark);
            return from;
        }
        payload.size_bytes = nb__journal_unescape(payload, plain);
        payload.data = plain;
    }
    json_error_t where;
    from.object = json_loadb(payload.data, payload.size_bytes, JSON_REJECT_DUPLICATES, &where);
    free(plain);
    if (from.object == NULL)
        from.code = nb__fail(error, NB_E_JSON, where.position < 0 ? 0 : (size_t)where.position,
                             "%s mark: %s", mark, where.text);
    else if (!json_is_object(from.object))
        from.code = nb__fail(error, NB_E_JSON, 0, "%s mark: not a JSON object", mark);
    return from;
}

static nb_err close_mark(reader *from)
{
    json_decref(from->object);
    from->object = NULL;
    return from->code;
}

bool nb__journal_is_mark(nb_span payload)
{
    reader from = open_mark(payload, "any", NULL);
    return close_mark(&from) == NB_OK;
}

static const json_t *member(const reader *from, const char *name)
{
    return from->code == NB_OK ? json_object_get(from->object, name) : NULL;
}

static nb_span read_string(reader *from, const char *name)
{
    const json_t *value = member(from, name);
    if (!json_is_string(value)) {
        refuse(from, name, "a string");
        return (nb_span){"", 0};
    }
    return (nb_span){json_string_value(value), json_string_length(value)};
}

/* A name: whole or not at all. */
static void read_word(reader *from, const char *name, char *out, size_t capacity_bytes)
{
    if (!nb__span_copy(read_string(from, name), out, capacity_bytes))
        refuse(from, name, "so short as it must be");
}

/* Words for people: what is too long is cut between two characters. */
static void read_prose(reader *from, const char *name, char *out, size_t capacity_bytes)
{
    nb_span text = read_string(from, name);
    if (text.size_bytes >= capacity_bytes)
        text.size_bytes = nb__utf8_valid_prefix((nb_span){text.data, capacity_bytes - 1});
    nb__span_copy(text, out, capacity_bytes);
}

static int64_t read_integer(reader *from, const char *name, int64_t least, int64_t most)
{
    const json_t *value = member(from, name);
    int64_t number = json_is_integer(value) ? json_integer_value(value) : 0;
    if (!json_is_integer(value) || number < least || number > most) {
        refuse(from, name, "an integer that can be");
        return least;
    }
    return number;
}

static uint64_t read_count(reader *from, const char *name)
{
    return (uint64_t)read_integer(from, name, 0, INT64_MAX);
}

static bool read_bool(reader *from, const char *name)
{
    const json_t *value = member(from, name);
    if (!json_is_boolean(value))
        refuse(from, name, "true or false");
    return json_is_true(value);
}

static uint64_t read_hash(reader *from, const char *name)
{
    uint64_t value = 0;
    if (!nb__journal_hex_parse(read_string(from, name), &value))
        refuse(from, name, "16 hex digits");
    return value;
}

/* null: there was none. */
static void read_after(reader *from, const char *name, nb__journal_after *out)
{
    json_t *value = json_object_get(from->object, name);
    if (from->code != NB_OK || json_is_null(value))
        return;
    if (!json_is_object(value)) {
        refuse(from, name, "an object or null");
        return;
    }
    reader inner = {value, from->mark, from->error, NB_OK};
    read_word(&inner, "segment", out->segment, sizeof out->segment);
    if (out->segment[0] == '\0')
        refuse(&inner, "segment", "the name of one");
    out->size_bytes = read_count(&inner, "bytes");
    out->xxh3 = read_hash(&inner, "xxh3");
    from->code = inner.code;
}

/* ---- start ---- */

void nb__journal_start_print(const nb__journal_start *start, nb__text *out)
{
    nb__text_printf(out, "{\"format\":%d", start->format);
    put_string(out, ",\"version\":", start->version);
    put_string(out, ",\"host\":", start->host);
    put_string(out, ",\"feed\":", nb__feed_kind_name(start->feed));
    nb__text_printf(out, ",\"night\":%d", start->night);
    put_string(out, ",\"segment\":", start->segment);
    put_string(out, ",\"run\":", start->run);
    put_after(out, ",\"after\":", &start->after);
    nb__text_string(out, "}");
}

static nb__feed_kind read_feed(reader *from, const char *name)
{
    nb_span word = read_string(from, name);
    for (nb__feed_kind kind = NB__FEED_LIVE; kind <= NB__FEED_OTHER; kind++)
        if (nb__span_is(word, nb__feed_kind_name(kind)))
            return kind;
    refuse(from, name, "live, sim, replay or other");
    return NB__FEED_OTHER;
}

nb_err nb__journal_start_read(nb_span payload, nb__journal_start *out, nb_error *error)
{
    nb__journal_start start = {0};
    reader from = open_mark(payload, "start", error);
    start.format = (int)read_integer(&from, "format", 1, INT32_MAX);
    read_prose(&from, "version", start.version, sizeof start.version);
    if (from.code == NB_OK && start.format <= NB__JOURNAL_FORMAT) {
        uint64_t run;
        read_prose(&from, "host", start.host, sizeof start.host);
        start.feed = read_feed(&from, "feed");
        start.night = (int)read_integer(&from, "night", 0, INT32_MAX);
        if (!nb__date_is_valid(start.night))
            refuse(&from, "night", "a date");
        read_word(&from, "segment", start.segment, sizeof start.segment);
        read_word(&from, "run", start.run, sizeof start.run);
        if (!nb__journal_hex_parse(nb__span(start.run), &run))
            refuse(&from, "run", "16 hex digits");
        read_after(&from, "after", &start.after);
    }
    if (close_mark(&from) == NB_OK)
        *out = start;
    return from.code;
}

nb_err nb__journal_start_parse(nb_span payload, nb__journal_start *out, nb_error *error)
{
    nb__journal_start start;
    nb_err err = nb__journal_start_read(payload, &start, error);
    if (err != NB_OK)
        return err;
    if (start.format > NB__JOURNAL_FORMAT)
        return nb__fail(error, NB_E_VERSION, 0,
                        "nightbook %s wrote it in format %d, and this one (%s) reads format %d at "
                        "most; read it with nightbook %s or a later one",
                        start.version, start.format, NB_VERSION, NB__JOURNAL_FORMAT, start.version);
    *out = start;
    return NB_OK;
}

/* ---- connect ---- */

/* As nb__session_clock_print() has it, but to the nanosecond, so that a replay's clock is the one
 * that was. */
static void put_clock(nb__text *out, const char *lead, const nb__session_clock *clock,
                      int64_t recv_ns)
{
    char session[40], speed[NB_PRICE_TEXT_MAX];
    nb__kst_print(session, nb__session_clock_at(clock, recv_ns), 9);
    nb_price_print(speed, (nb_price)(clock->speed * 1e6 + 0.5) * 1000, 0);
    nb__text_printf(out, "%s\"%s; session=%s; speed=%s\"", lead, nb__feed_kind_name(clock->kind),
                    session, speed);
}

void nb__journal_connect_print(const nb__journal_connect *connect, int64_t recv_ns, nb__text *out)
{
    put_string(out, "{\"feed\":", connect->feed);
    put_string(out, ",\"address\":", connect->address);
    put_clock(out, ",\"clock\":", &connect->clock, recv_ns);
    nb__text_printf(out, ",\"is_continued\":%s}", connect->is_continued ? "true" : "false");
}

nb_err nb__journal_connect_parse(nb_span payload, int64_t recv_ns, nb__journal_connect *out,
                                 nb_error *error)
{
    nb__journal_connect connect = {0};
    reader from = open_mark(payload, "connect", error);
    read_prose(&from, "feed", connect.feed, sizeof connect.feed);
    read_prose(&from, "address", connect.address, sizeof connect.address);
    if (!nb__session_clock_parse(read_string(&from, "clock"), recv_ns, &connect.clock))
        refuse(&from, "clock", "a clock");
    connect.is_continued = read_bool(&from, "is_continued");
    if (close_mark(&from) == NB_OK)
        *out = connect;
    return from.code;
}

/* ---- gap, drift, notice, answer ---- */

void nb__journal_gap_print(const nb__journal_gap *gap, nb__text *out)
{
    put_string(out, "{\"reason\":", gap->reason);
    nb__text_printf(out, ",\"is_rest\":%s}", gap->is_rest ? "true" : "false");
}

nb_err nb__journal_gap_parse(nb_span payload, nb__journal_gap *out, nb_error *error)
{
    nb__journal_gap gap = {0};
    reader from = open_mark(payload, "gap", error);
    read_prose(&from, "reason", gap.reason, sizeof gap.reason);
    gap.is_rest = read_bool(&from, "is_rest");
    if (close_mark(&from) == NB_OK)
        *out = gap;
    return from.code;
}

void nb__journal_drift_print(const nb__journal_drift *drift, nb__text *out)
{
    put_string(out, "{\"tr_id\":", drift->tr_id);
    nb__text_printf(out, ",\"fields\":%d,\"documented\":%d}", drift->fields, drift->documented);
}

nb_err nb__journal_drift_parse(nb_span payload, nb__journal_drift *out, nb_error *error)
{
    nb__journal_drift drift = {0};
    reader from = open_mark(payload, "drift", error);
    read_word(&from, "tr_id", drift.tr_id, sizeof drift.tr_id);
    drift.fields = (int)read_integer(&from, "fields", 0, INT32_MAX);
    drift.documented = (int)read_integer(&from, "documented", 0, INT32_MAX);
    if (close_mark(&from) == NB_OK)
        *out = drift;
    return from.code;
}

void nb__journal_notice_print(const nb__journal_notice *notice, nb__text *out)
{
    put_string(out, "{\"tr_id\":", notice->tr_id);
    put_number(out, ",\"count\":", notice->count);
    put_number(out, ",\"bytes\":", notice->size_bytes);
    nb__text_string(out, "}");
}

nb_err nb__journal_notice_parse(nb_span payload, nb__journal_notice *out, nb_error *error)
{
    nb__journal_notice notice = {0};
    reader from = open_mark(payload, "notice", error);
    read_word(&from, "tr_id", notice.tr_id, sizeof notice.tr_id);
    notice.count = (uint32_t)read_integer(&from, "count", 0, UINT32_MAX);
    notice.size_bytes = read_count(&from, "bytes");
    if (close_mark(&from) == NB_OK)
        *out = notice;
    return from.code;
}

void nb__journal_answer_print(const nb__journal_answer *answer, nb__text *out)
{
    put_string(out, "{\"tr_id\":", answer->tr_id);
    put_string(out, ",\"tr_key\":", answer->tr_key);
    put_string(out, ",\"rt_cd\":", answer->rt_cd);
    put_string(out, ",\"msg_cd\":", answer->msg_cd);
    put_string(out, ",\"msg1\":", answer->msg1);
    nb__text_string(out, "}");
}

nb_err nb__journal_answer_parse(nb_span payload, nb__journal_answer *out, nb_error *error)
{
    nb__journal_answer answer = {0};
    reader from = open_mark(payload, "answer", error);
    read_word(&from, "tr_id", answer.tr_id, sizeof answer.tr_id);
    read_word(&from, "tr_key", answer.tr_key, sizeof answer.tr_key);
    read_word(&from, "rt_cd", answer.rt_cd, sizeof answer.rt_cd);
    read_word(&from, "msg_cd", answer.msg_cd, sizeof answer.msg_cd);
    read_prose(&from, "msg1", answer.msg1, sizeof answer.msg1);
    if (close_mark(&from) == NB_OK)
        *out = answer;
    return from.code;
}

/* ---- disk, repair, clock, stop, other ---- */

void nb__journal_disk_print(const nb__journal_disk *disk, nb__text *out)
{
    put_string(out, "{\"reason\":", disk->reason);
    nb__text_printf(out, ",\"since_ns\":%" PRId64, disk->since_ns);
    put_number(out, ",\"lost_lines\":", disk->lost_lines);
    put_number(out, ",\"lost_bytes\":", disk->lost_bytes);
    nb__text_string(out, "}");
}

nb_err nb__journal_disk_parse(nb_span payload, nb__journal_disk *out, nb_error *error)
{
    nb__journal_disk disk = {0};
    reader from = open_mark(payload, "disk", error);
    read_prose(&from, "reason", disk.reason, sizeof disk.reason);
    disk.since_ns = read_integer(&from, "since_ns", INT64_MIN, INT64_MAX);
    disk.lost_lines = read_count(&from, "lost_lines");
    disk.lost_bytes = read_count(&from, "lost_bytes");
    if (close_mark(&from) == NB_OK)
        *out = disk;
    return from.code;
}

void nb__journal_repair_print(const nb__journal_repair *repair, nb__text *out)
{
    put_number(out, "{\"offset\":", repair->offset_bytes);
    put_number(out, ",\"bytes\":", repair->size_bytes);
    put_string(out, ",\"kept_in\":", repair->kept_in);
    put_after(out, ",\"was\":", &repair->was);
    nb__text_string(out, "}");
}

nb_err nb__journal_repair_parse(nb_span payload, nb__journal_repair *out, nb_error *error)
{
    nb__journal_repair repair = {0};
    reader from = open_mark(payload, "repair", error);
    repair.offset_bytes = read_count(&from, "offset");
    repair.size_bytes = read_count(&from, "bytes");
    read_word(&from, "kept_in", repair.kept_in, sizeof repair.kept_in);
    read_after(&from, "was", &repair.was);
    if (close_mark(&from) == NB_OK)
        *out = repair;
    return from.code;
}

void nb__journal_clock_print(int64_t step_ns, nb__text *out)
{
    nb__text_printf(out, "{\"step_ns\":%" PRId64 "}", step_ns);
}

nb_err nb__journal_clock_parse(nb_span payload, int64_t *step_ns, nb_error *error)
{
    reader from = open_mark(payload, "clock", error);
    int64_t step = read_integer(&from, "step_ns", INT64_MIN, INT64_MAX);
    if (close_mark(&from) == NB_OK)
        *step_ns = step;
    return from.code;
}

void nb__journal_stop_print(const char *reason, nb__text *out)
{
    put_string(out, "{\"reason\":", reason);
    nb__text_string(out, "}");
}

void nb__journal_other_print(uint64_t size_bytes, nb__text *out)
{
    put_number(out, "{\"bytes\":", size_bytes);
    nb__text_string(out, "}");
}
