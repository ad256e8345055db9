/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema's text (schema/kis.schema tells the format) to rows of nb_tr, and the rows to C
 * source.
 *
 * A file is hostile until parsed: every count has a limit, every name its alphabet, and each error
 * its line. All rows and strings of one schema lie in one block of memory:
 *
 *     nb__schema | nb_tr[trs_max] | nb_field[fields_max] | strings, NUL after each
 */
#include "quote_wide.h"
#include <stdlib.h>
#include <string.h>

#define SCHEMA_BYTES_MAX (1u << 20)
#define TRS_MAX 256
#define NAME_MAX_BYTES 40
#define WORDS_MAX_BYTES 120

/* ---- places in nb_quote, by the end of a field's name ---- */

typedef struct place {
    const char *suffix;
    nb_kind kind;
    bool is_level;             /* followed by 1–5 */
    int16_t offset;            /* of level 1, or of the only one */
    const char *side, *member; /* their names in C; side is NULL where there is none */
} place;

#define LEVEL(suffix, kind, side, member)                                                          \
    {                                                                                              \
        suffix, NB_KIND_##kind, true, (int16_t)offsetof(nb_quote, side[0].member), #side, #member  \
    }
#define SINGLE(suffix, kind, member)                                                               \
    {                                                                                              \
        suffix, NB_KIND_##kind, false, (int16_t)offsetof(nb_quote, member), NULL, #member          \
    }

static const place places[] = {
    SINGLE("_shrn_iscd", CODE, key),
    SINGLE("bsop_hour", TIME, time_hhmmss),
    LEVEL("askp", PRICE, ask, price),
    LEVEL("bidp", PRICE, bid, price),
    LEVEL("askp_csnu", COUNT, ask, count),
    LEVEL("bidp_csnu", COUNT, bid, count),
    LEVEL("askp_rsqn", QUANTITY, ask, quantity),
    LEVEL("bidp_rsqn", QUANTITY, bid, quantity),
    SINGLE("total_askp_csnu", COUNT, total_ask_count),
    SINGLE("total_bidp_csnu", COUNT, total_bid_count),
    SINGLE("total_askp_rsqn", QUANTITY, total_ask_quantity),
    SINGLE("total_bidp_rsqn", QUANTITY, total_bid_quantity),
    SINGLE("total_askp_rsqn_icdc", CHANGE, total_ask_change),
    SINGLE("total_bidp_rsqn_icdc", CHANGE, total_bid_change),
};

static bool ends_with(nb_span name, const char *suffix)
{
    size_t size = strlen(suffix);
    return name.size_bytes >= size && memcmp(name.data + name.size_bytes - size, suffix, size) == 0;
}

/* @return the place of a book's field, NULL when it has none. */
static const place *place_of(const char *name, int *level)
{
    nb_span stem = nb__span(name);
    int last = name[stem.size_bytes - 1] - '1';
    nb_span without_level = {stem.data, stem.size_bytes - 1};
    for (size_t i = 0; i < NB__COUNT_OF(places); i++) {
        *level = places[i].is_level ? last : 0;
        if (!ends_with(places[i].is_level ? without_level : stem, places[i].suffix))
            continue;
        if (!places[i].is_level || (last >= 0 && last < NB_LEVELS))
            return &places[i];
    }
    return NULL;
}

/* ---- parsing ---- */

typedef struct parser {
    nb_span rest;      /* lines not yet taken */
    const char *start; /* of the file, for offsets */
    const char *line;  /* start of the line at hand */
    int line_number;
    nb_error *error;
    nb_tr *trs;
    size_t tr_count;
    nb_field *fields; /* the next free one */
    char *strings;    /* the next free byte */
} parser;

#define FAIL(p, ...) line_fail((p), nb__fail((p)->error, NB_E_SCHEMA, offset_of(p), __VA_ARGS__))

static size_t offset_of(const parser *p)
{
    return (size_t)(p->line - p->start);
}

static nb_err line_fail(const parser *p, nb_err code)
{
    nb__fail_in(p->error, "line %d", p->line_number);
    return code;
}

/* The next line without its end, blanks trimmed. @return false at the end of the file. */
static bool next_line(parser *p, nb_span *line)
{
    if (p->rest.size_bytes == 0)
        return false;
    const char *newline = memchr(p->rest.data, '\n', p->rest.size_bytes);
    size_t size = newline != NULL ? (size_t)(newline - p->rest.data) : p->rest.size_bytes;
    size_t taken = size + (newline != NULL);
    p->line = p->rest.data;
    p->line_number++;
    *line = (nb_span){p->rest.data, size};
    if (size > 0 && line->data[size - 1] == '\r')
        line->size_bytes--;
    *line = nb__span_trim(*line);
    p->rest.data += taken;
    p->rest.size_bytes -= taken;
    return true;
}

/* Take the bytes up to a blank. Empty when none is left. */
static nb_span next_word(nb_span *line)
{
    *line = nb__span_trim(*line);
    size_t size = 0;
    while (size < line->size_bytes && line->data[size] != ' ' && line->data[size] != '\t')
        size++;
    nb_span word = {line->data, size};
    line->data += size;
    line->size_bytes -= size;
    return word;
}

/* Take what stands before the next '|', trimmed; without one all of the rest. */
static nb_span next_part(nb_span *line)
{
    const char *bar = line->size_bytes > 0 ? memchr(line->data, '|', line->size_bytes) : NULL;
    nb_span part = *line;
    if (bar != NULL) {
        part.size_bytes = (size_t)(bar - line->data);
        line->data = bar + 1;
        line->size_bytes -= part.size_bytes + 1;
    } else {
        line->size_bytes = 0;
    }
    return nb__span_trim(part);
}

static const char *keep(parser *p, nb_span text)
{
    char *string = p->strings;
    if (text.size_bytes > 0)
        memcpy(string, text.data, text.size_bytes);
    string[text.size_bytes] = '\0';
    p->strings += text.size_bytes + 1;
    return string;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_name(nb_span text, size_t size_max)
{
    if (text.size_bytes == 0 || text.size_bytes > size_max || !is_letter(text.data[0]))
        return false;
    for (size_t i = 0; i < text.size_bytes; i++)
        if (!is_letter(text.data[i]) && !(text.data[i] >= '0' && text.data[i] <= '9') &&
            text.data[i] != '_')
            return false;
    return true;
}

/* Words for people: UTF-8, not empty, nothing that controls a terminal or ends a table's cell. */
static bool is_words(nb_span text)
{
    if (text.size_bytes == 0 || text.size_bytes > WORDS_MAX_BYTES ||
        nb__utf8_valid_prefix(text) != text.size_bytes)
        return false;
    for (size_t i = 0; i < text.size_bytes; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        bool is_c1 = byte == 0xC2 && (unsigned char)text.data[i + 1] < 0xA0; /* U+0080–U+009F */
        if (byte < 0x20 || byte == 0x7f || byte == '|' || is_c1)
            return false;
    }
    return true;
}

static bool kind_of(nb_span word, nb_kind *kind)
{
    static const char *const words[] = {"code",     "time",   "price",   "count",
                                        "quantity", "change", "decimal", "text"};
    for (size_t i = 0; i < NB__COUNT_OF(words); i++)
        if (nb__span_is(word, words[i])) {
            *kind = (nb_kind)i;
            return true;
        }
    return false;
}

static nb_err parse_tr(parser *p, nb_span line)
{
    next_word(&line); /* "tr" */
    nb_span id = next_word(&line);
    if (!is_name(id, NB_TR_ID_MAX))
        return FAIL(p, "a TR is 1-%d letters, digits or '_'", NB_TR_ID_MAX);
    for (size_t i = 0; i < p->tr_count; i++)
        if (nb__span_is(id, p->trs[i].id))
            return FAIL(p, "%s stands here twice", p->trs[i].id);
    uint64_t width, width_min;
    if (!nb__span_to_u64(next_word(&line), &width) || width == 0 || width > NB_FIELDS_MAX)
        return FAIL(p, "the width is a number of 1-%d", NB_FIELDS_MAX);
    if (!nb__span_to_u64(next_word(&line), &width_min) || width_min == 0 || width_min > width)
        return FAIL(p, "the least width is a number of 1-%d, the width", (int)width);
    nb_span shape = next_part(&line);
    bool is_book = nb__span_is(shape, "book");
    if (!is_book && !nb__span_is(shape, "plain"))
        return FAIL(p, "after the widths stands book or plain, then '|'");
    nb_span title = next_part(&line), title_ko = nb__span_trim(line);
    if (!is_words(title) || !is_words(title_ko))
        return FAIL(p, "two titles are expected, each after a '|', of at most %d bytes UTF-8",
                    WORDS_MAX_BYTES);
    if (p->tr_count == TRS_MAX)
        return FAIL(p, "more than %d TRs", TRS_MAX);
    p->trs[p->tr_count++] = (nb_tr){.id = keep(p, id),
                                    .title = keep(p, title),
                                    .title_ko = keep(p, title_ko),
                                    .fields = p->fields,
                                    .field_count = (uint16_t)width,
                                    .field_count_min = (uint16_t)width_min,
                                    .is_book = is_book};
    return NB_OK;
}

static nb_err place_field(parser *p, const nb_tr *tr, nb_field *field)
{
    int level;
    const place *where = place_of(field->name, &level);
    field->quote_offset = -1;
    if (!tr->is_book || where == NULL)
        return NB_OK;
    if (where->kind != field->kind)
        return FAIL(p, "in a book %s is of another kind", field->name);
    field->quote_offset = (int16_t)(where->offset + level * (int)sizeof(nb_level));
    for (const nb_field *other = tr->fields; other < field; other++)
        if (other->quote_offset == field->quote_offset)
            return FAIL(p, "%s has the place of %s", field->name, other->name);
    return NB_OK;
}

static nb_err parse_field(parser *p, nb_span line)
{
    if (p->tr_count == 0)
        return FAIL(p, "a field stands before any TR");
    const nb_tr *tr = &p->trs[p->tr_count - 1];
    if (p->fields - tr->fields == tr->field_count)
        return FAIL(p, "%s has more fields than its width %d", tr->id, tr->field_count);
    nb_field field = {0};
    nb_span name = next_word(&line);
    if (!is_name(name, NAME_MAX_BYTES))
        return FAIL(p, "a field's name is 1-%d letters, digits or '_'", NAME_MAX_BYTES);
    if (!kind_of(next_word(&line), &field.kind))
        return FAIL(p, "the kind is none of: code time price count quantity change decimal text");
    nb_span unit = next_word(&line), name_ko = nb__span_trim(line);
    if (!is_words(unit) || !is_words(name_ko))
        return FAIL(p, "a unit (or '-') and a Korean name are expected, UTF-8");
    char *lower = p->strings;
    field.name = keep(p, name);
    for (; *lower != '\0'; lower++)
        *lower = *lower >= 'A' && *lower <= 'Z' ? (char)(*lower + 32) : *lower;
    for (const nb_field *other = tr->fields; other < p->fields; other++)
        if (strcmp(other->name, field.name) == 0)
            return FAIL(p, "%s stands here twice", field.name);
    field.unit = keep(p, nb__span_is(unit, "-") ? NB__SPAN("") : unit);
    field.name_ko = keep(p, name_ko);
    *p->fields = field;
    nb_err code = place_field(p, tr, p->fields);
    p->fields++;
    return code;
}

static bool has_place(const nb_tr *tr, size_t offset)
{
    for (int i = 0; i < tr->field_count; i++)
        if (tr->fields[i].quote_offset == (int)offset)
            return true;
    return false;
}

/* The TR before the line at hand is complete. */
static nb_err finish_tr(parser *p)
{
    if (p->tr_count == 0)
        return NB_OK;
    const nb_tr *tr = &p->trs[p->tr_count - 1];
    if (p->fields - tr->fields != tr->field_count)
        return FAIL(p, "%s has %d fields; its width says %d", tr->id, (int)(p->fields - tr->fields),
                    tr->field_count);
    if (!tr->is_book)
        return NB_OK;
    if (tr->field_count_min != tr->field_count)
        return FAIL(p, "%s is a book: its least width is its width", tr->id);
    bool is_whole = has_place(tr, offsetof(nb_quote, time_hhmmss)) &&
                    tr->fields[0].quote_offset == (int)offsetof(nb_quote, key);
    for (size_t i = 0; i < NB_LEVELS; i++)
        is_whole = is_whole && has_place(tr, offsetof(nb_quote, ask[i].price)) &&
                   has_place(tr, offsetof(nb_quote, bid[i].price)) &&
                   has_place(tr, offsetof(nb_quote, ask[i].quantity)) &&
                   has_place(tr, offsetof(nb_quote, bid[i].quantity));
    if (!is_whole)
        return FAIL(p, "%s is a book: it begins with a code, and has a time and 5 levels", tr->id);
    return NB_OK;
}

static bool is_tr_line(nb_span line)
{
    return nb__span_is(next_word(&line), "tr");
}

static nb_err parse_lines(parser *p)
{
    nb_span line;
    while (next_line(p, &line)) {
        nb_err code = NB_OK;
        if (line.size_bytes == 0 || line.data[0] == '#')
            continue;
        if (is_tr_line(line)) {
            code = finish_tr(p);
            code = code == NB_OK ? parse_tr(p, line) : code;
        } else {
            code = parse_field(p, line);
        }
        if (code != NB_OK)
            return code;
    }
    return p->tr_count > 0 ? finish_tr(p) : FAIL(p, "no TR in it");
}

nb_err nb__schema_parse(nb_span text, nb__schema **out, nb_error *error)
{
    if (text.size_bytes > SCHEMA_BYTES_MAX)
        return nb__fail(error, NB_E_SCHEMA, SCHEMA_BYTES_MAX, "a schema has at most %u bytes",
                        SCHEMA_BYTES_MAX);
    if (text.size_bytes == 0)
        return nb__fail(error, NB_E_SCHEMA, 0, "the schema is empty");
    size_t lines = 1;
    for (size_t i = 0; i < text.size_bytes; i++)
        lines += text.data[i] == '\n';
    size_t trs_max = lines < TRS_MAX ? lines : TRS_MAX;
    /* each string is followed by at least one byte of the file, so its NUL has room */
    size_t size = sizeof(nb__schema) + trs_max * sizeof(nb_tr) + lines * sizeof(nb_field) +
                  text.size_bytes + 1;
    nb__schema *schema = calloc(1, size);
    if (schema == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "no memory for a schema of %zu bytes",
                        text.size_bytes);
    nb_tr *trs = (nb_tr *)(schema + 1);
    nb_field *fields = (nb_field *)(trs + trs_max);
    parser p = {.rest = text,
                .start = text.data,
                .line = text.data,
                .error = error,
                .trs = trs,
                .fields = fields,
                .strings = (char *)(fields + lines)};
    nb_err code = parse_lines(&p);
    if (code != NB_OK) {
        free(schema);
        return code;
    }
    *schema = (nb__schema){.trs = trs, .count = p.tr_count, .memory = schema};
    *out = schema;
    return NB_OK;
}

void nb__schema_free(nb__schema *schema)
{
    free(schema);
}

/* ---- C source ---- */

/* A C string; '?' is escaped because of trigraphs. */
static void print_string(nb__text *out, const char *string)
{
    nb__text_append(out, "\"", 1);
    for (; *string != '\0'; string++) {
        if (*string == '"' || *string == '\\' || *string == '?')
            nb__text_append(out, "\\", 1);
        nb__text_append(out, string, 1);
    }
    nb__text_append(out, "\"", 1);
}

static void print_field(const nb_field *field, nb__text *out)
{
    static const char *const kinds[] = {"CODE",     "TIME",   "PRICE",   "COUNT",
                                        "QUANTITY", "CHANGE", "DECIMAL", "TEXT"};
    nb__text_string(out, "    {");
    print_string(out, field->name);
    nb__text_string(out, ", ");
    print_string(out, field->name_ko);
    nb__text_string(out, ", ");
    print_string(out, field->unit);
    nb__text_printf(out, ", NB_KIND_%s, ", kinds[field->kind]);
    int level;
    const place *where = field->quote_offset >= 0 ? place_of(field->name, &level) : NULL;
    if (where == NULL)
        nb__text_string(out, "-1},\n");
    else if (where->is_level)
        nb__text_printf(out, "offsetof(nb_quote, %s[%d].%s)},\n", where->side, level,
                        where->member);
    else
        nb__text_printf(out, "offsetof(nb_quote, %s)},\n", where->member);
}

static void print_lanes(const nb_tr *tr, nb__text *out)
{
    quote_lanes lanes;
    nb__quote_lanes_of(tr, &lanes);
    nb__text_string(out, "    {{");
    for (int i = 0; i < QUOTE_LANES; i++)
        nb__text_printf(out, "%s%d", i == 0 ? "" : ", ", lanes.field[i]);
    nb__text_printf(out, "}, %s},\n", lanes.is_usable ? "true" : "false");
}

void nb__schema_print_c(const nb__schema *schema, nb__text *out)
{
    nb__text_string(out, "/* SPDX-License-Identifier: Apache-2.0 */\n"
                         "/* Generated from schema/kis.schema by script/generate. Do not edit. */\n"
                         "/* clang-format off */\n");
    for (size_t i = 0; i < schema->count; i++) {
        const nb_tr *tr = &schema->trs[i];
        nb__text_printf(out, "\nstatic const nb_field %s_fields[] = {\n", tr->id);
        for (int j = 0; j < tr->field_count; j++)
            print_field(&tr->fields[j], out);
        nb__text_string(out, "};\n");
    }
    nb__text_string(out, "\nstatic const nb_tr tr_rows[] = {\n");
    for (size_t i = 0; i < schema->count; i++) {
        const nb_tr *tr = &schema->trs[i];
        nb__text_printf(out, "    {\"%s\", ", tr->id);
        print_string(out, tr->title);
        nb__text_string(out, ", ");
        print_string(out, tr->title_ko);
        nb__text_printf(out, ", %s_fields, %d, %d, %s},\n", tr->id, tr->field_count,
                        tr->field_count_min, tr->is_book ? "true" : "false");
    }
    nb__text_string(out, "};\n\nstatic const quote_lanes tr_lanes[] = {\n");
    for (size_t i = 0; i < schema->count; i++)
        print_lanes(&schema->trs[i], out);
    nb__text_string(out, "};\n\n/* clang-format on */\n");
}
