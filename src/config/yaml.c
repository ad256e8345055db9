/* SPDX-License-Identifier: Apache-2.0 */
/* YAML as events. Scalars stay text ("03" is "03"); libyaml's own words never quote the text, and
 * neither do ours: it may be a secret. No recursion: nesting has a limit. */
#include "yaml.h"
#include <stdio.h>
#include <string.h>

/* ---- places ---- */

/* libyaml counts characters, an nb_error bytes. */
static size_t byte_of(nb_span text, size_t characters)
{
    size_t at = 0;
    while (at < text.size_bytes && characters > 0) {
        at++;
        while (at < text.size_bytes && ((unsigned char)text.data[at] & 0xC0) == 0x80)
            at++;
        characters--;
    }
    return at;
}

static nb_err fail_at(nb__yaml *yaml, size_t line, size_t column, size_t offset_bytes,
                      const char *words)
{
    size_t size = strlen(yaml->path);
    const char *path = size > 100 ? yaml->path + size - 100 : yaml->path;
    return nb__fail(yaml->error, NB_E_CONFIG, offset_bytes + yaml->mark_bytes, "%s:%zu:%zu: %s",
                    path, line, column, words);
}

static nb_err fail_mark(nb__yaml *yaml, yaml_mark_t mark, const char *words)
{
    return fail_at(yaml, mark.line + 1, mark.column + 1, byte_of(yaml->text, mark.index), words);
}

/* A byte before which all is UTF-8. */
static nb_err fail_byte(nb__yaml *yaml, size_t offset_bytes, const char *words)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < offset_bytes; i++) {
        unsigned char byte = (unsigned char)yaml->text.data[i];
        if (byte == '\n') {
            line++;
            column = 1;
        } else if ((byte & 0xC0) != 0x80) {
            column++;
        }
    }
    return fail_at(yaml, line, column, offset_bytes, words);
}

nb_err nb__yaml_fail(nb__yaml *yaml, const char *format, ...)
{
    char words[256];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    return fail_mark(yaml, yaml->event.start_mark, words);
}

/* ---- events ---- */

static nb_err fail_parser(nb__yaml *yaml)
{
    const yaml_parser_t *parser = &yaml->parser;
    char words[200], begun[64] = "";
    if (parser->error == YAML_MEMORY_ERROR)
        return nb__fail(yaml->error, NB_E_MEMORY, 0, "memory is exhausted");
    if (parser->error == YAML_READER_ERROR)
        return fail_byte(yaml,
                         parser->problem_offset < yaml->text.size_bytes ? parser->problem_offset
                                                                        : yaml->text.size_bytes,
                         "a control character, which YAML does not allow");
    /* a quote that nobody closed is noticed at the end of the file */
    if (parser->context != NULL && parser->context_mark.line < parser->problem_mark.line)
        snprintf(begun, sizeof begun, " that begins on line %zu", parser->context_mark.line + 1);
    snprintf(words, sizeof words, "this is not YAML: %s%s%s%s",
             parser->problem != NULL ? parser->problem : "not understood",
             parser->context != NULL ? ", " : "", parser->context != NULL ? parser->context : "",
             begun);
    return fail_mark(yaml, parser->problem_mark, words);
}

static const yaml_char_t *anchor_of(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor;
    default:
        return NULL;
    }
}

static const yaml_char_t *tag_of(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.tag;
    default:
        return NULL;
    }
}

static nb_err check_strict(nb__yaml *yaml)
{
    const yaml_event_t *event = &yaml->event;
    if (event->type == YAML_ALIAS_EVENT)
        return nb__yaml_fail(yaml, "aliases (*name) are not taken here; write the value out");
    if (anchor_of(event) != NULL)
        return nb__yaml_fail(yaml, "anchors (&name) are not taken here");
    if (tag_of(event) != NULL)
        return nb__yaml_fail(yaml, "tags (!name) are not taken here");
    if (event->type == YAML_DOCUMENT_START_EVENT &&
        event->data.document_start.tag_directives.start !=
            event->data.document_start.tag_directives.end)
        return nb__yaml_fail(yaml, "%%TAG is not taken here");
    return NB_OK;
}

nb_err nb__yaml_next(nb__yaml *yaml)
{
    if (yaml->has_event)
        yaml_event_delete(&yaml->event);
    yaml->has_event = yaml_parser_parse(&yaml->parser, &yaml->event) != 0;
    if (!yaml->has_event)
        return fail_parser(yaml);
    return yaml->is_strict ? check_strict(yaml) : NB_OK;
}

bool nb__yaml_is(const nb__yaml *yaml, yaml_event_type_t type)
{
    return yaml->has_event && yaml->event.type == type;
}

nb_err nb__yaml_init(nb__yaml *yaml, nb_span text, const char *path, bool is_strict, bool *is_empty,
                     nb_error *error)
{
    size_t mark_bytes = text.size_bytes >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    text = (nb_span){mark_bytes > 0 ? text.data + mark_bytes : text.data,
                     text.size_bytes - mark_bytes};
    *yaml = (nb__yaml){.mark_bytes = mark_bytes,
                       .is_strict = is_strict,
                       .text = text,
                       .path = path,
                       .error = error};
    if (!yaml_parser_initialize(&yaml->parser))
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    if (text.size_bytes > NB__YAML_TEXT_MAX)
        return nb__fail(error, NB_E_CONFIG, 0, "%.100s: larger than %zu KiB", path,
                        NB__YAML_TEXT_MAX >> 10);
    size_t valid = nb__utf8_valid_prefix(text);
    if (valid < text.size_bytes)
        return fail_byte(yaml, valid, "bytes that are not UTF-8 (CP949?); save the file as UTF-8");
    yaml_parser_set_encoding(&yaml->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&yaml->parser,
                                 (const unsigned char *)(text.size_bytes > 0 ? text.data : ""),
                                 text.size_bytes);
    nb_err err = NB_OK;
    do
        err = nb__yaml_next(yaml);
    while (err == NB_OK && (nb__yaml_is(yaml, YAML_STREAM_START_EVENT) ||
                            nb__yaml_is(yaml, YAML_DOCUMENT_START_EVENT)));
    *is_empty = nb__yaml_is(yaml, YAML_STREAM_END_EVENT) ||
                (nb__yaml_is(yaml, YAML_SCALAR_EVENT) && nb__yaml_is_null(yaml));
    return err;
}

void nb__yaml_fini(nb__yaml *yaml)
{
    if (yaml->has_event)
        yaml_event_delete(&yaml->event);
    yaml_parser_delete(&yaml->parser);
}

nb_err nb__yaml_skip(nb__yaml *yaml)
{
    for (size_t depth = 0;;) {
        if (nb__yaml_is(yaml, YAML_SEQUENCE_START_EVENT) ||
            nb__yaml_is(yaml, YAML_MAPPING_START_EVENT))
            depth++;
        else if (nb__yaml_is(yaml, YAML_SEQUENCE_END_EVENT) ||
                 nb__yaml_is(yaml, YAML_MAPPING_END_EVENT))
            depth--;
        if (depth == 0)
            return NB_OK;
        if (depth > NB__YAML_DEPTH_MAX)
            return nb__yaml_fail(yaml, "nested deeper than %d", NB__YAML_DEPTH_MAX);
        nb_err err = nb__yaml_next(yaml);
        if (err != NB_OK)
            return err;
    }
}

nb_err nb__yaml_end(nb__yaml *yaml)
{
    nb_err err = nb__yaml_next(yaml);
    if (err == NB_OK && nb__yaml_is(yaml, YAML_DOCUMENT_END_EVENT))
        err = nb__yaml_next(yaml);
    if (err == NB_OK && !nb__yaml_is(yaml, YAML_STREAM_END_EVENT))
        return nb__yaml_fail(yaml, "a second document; one is expected");
    return err;
}

/* ---- scalars ---- */

const char *nb__yaml_scalar(const nb__yaml *yaml, size_t *size_bytes)
{
    *size_bytes = yaml->event.data.scalar.length;
    return (const char *)yaml->event.data.scalar.value;
}

bool nb__yaml_is_null(const nb__yaml *yaml)
{
    size_t size;
    nb_span text = {nb__yaml_scalar(yaml, &size), 0};
    text.size_bytes = size;
    return yaml->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (size == 0 || nb__span_is(text, "~") || nb__span_is_nocase(text, "null"));
}

size_t nb__yaml_line(const nb__yaml *yaml)
{
    return yaml->event.start_mark.line + 1;
}
