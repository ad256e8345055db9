/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generator behind script/generate: reads a schema on stdin and prints what is made of it on
 * stdout. Uses the parser of the product, so that both always agree.
 */
#include "kis/kis.h"
#include <stdio.h>
#include <string.h>

static const char *const kind_words[] = {"code",     "time",   "price",   "count",
                                         "quantity", "change", "decimal", "text"};

static void print_fields_doc(const nb__schema *schema, nb__text *out)
{
    nb__text_string(
        out,
        "<!-- Generated from schema/kis.schema by script/generate. Do not edit. -->\n"
        "# The TRs that nightbook knows field by field\n\n"
        "Names are KIS's in lower case: the columns of `nightbook decode`. Kinds are explained in "
        "`include/nightbook/tr.h`.\nA TR that is not here is passed on, routed and counted all the "
        "same; only its fields have no names.\n");
    for (size_t i = 0; i < schema->count; i++) {
        const nb_tr *tr = &schema->trs[i];
        nb__text_printf(out, "\n## %s: %s\n\n%s. %d fields", tr->id, tr->title, tr->title_ko,
                        tr->field_count);
        if (tr->field_count_min < tr->field_count)
            nb__text_printf(out, ", %d in its narrowest version", tr->field_count_min);
        nb__text_string(out, tr->is_book ? "; a book of five levels.\n" : ".\n");
        nb__text_string(out,
                        "\n| # | field | kind | unit | Korean name |\n|--:|---|---|---|---|\n");
        for (int j = 0; j < tr->field_count; j++) {
            const nb_field *field = &tr->fields[j];
            nb__text_printf(out, "| %d | `%s` | %s | %s | %s |\n", j + 1, field->name,
                            kind_words[field->kind], field->unit, field->name_ko);
        }
    }
}

/* A cell of a Markdown table: its bars are not columns. */
static void print_cell(const char *words, nb__text *out)
{
    for (; *words != '\0'; words++) {
        if (*words == '|')
            nb__text_append(out, "\\", 1);
        nb__text_append(out, words, 1);
    }
}

static void print_errors_doc(nb__text *out)
{
    static const struct {
        const char *name, *sentence, *class_;
        int value, exit_code;
    } rows[] = {
#define ROW(name, value, class_, sentence)                                                         \
    {"NB_" #name, sentence, #class_, value, (int)NB_CLASS_##class_},
        NB_ERROR_TABLE(ROW)
#undef ROW
    };
    nb__text_string(
        out, "<!-- Generated from include/nightbook/error.h by script/generate. Do not edit. -->\n"
             "# Errors\n\n"
             "A command that fails ends with the exit code of its error's class (sysexits). "
             "Classes: USAGE "
             "(the caller asked for\nsomething that cannot be), DATA (bytes are not what they "
             "should be), "
             "FATAL (a defect of nightbook), SYSTEM (the\noperating system refused), RETRY (may go "
             "through "
             "later), PEER (the other end broke the protocol or refused).\n\n"
             "| error | value | class | exit code | meaning |\n|---|--:|---|--:|---|\n");
    for (size_t i = 0; i < NB__COUNT_OF(rows); i++) {
        nb__text_printf(out, "| `%s` | %d | %s | %d | ", rows[i].name, rows[i].value,
                        rows[i].class_, rows[i].exit_code);
        print_cell(rows[i].sentence, out);
        nb__text_string(out, " |\n");
    }
}

static void read_stdin(nb__text *text)
{
    char chunk[4096];
    for (size_t size; (size = fread(chunk, 1, sizeof chunk, stdin)) > 0;)
        nb__text_append(text, chunk, size);
}

int main(int argc, char **argv)
{
    const char *what = argc == 2 ? argv[1] : "";
    nb__text text = {0}, out = {0};
    nb__schema *schema = NULL;
    nb_error error = {0};
    read_stdin(&text);
    if (nb__schema_parse(nb__text_view(&text), &schema, &error) != NB_OK) {
        fprintf(stderr, "generate: schema: %s [%s]\n", error.detail, nb_error_name(error.code));
        return 65;
    }
    if (strcmp(what, "rows") == 0)
        nb__schema_print_c(schema, &out);
    else if (strcmp(what, "fields") == 0)
        print_fields_doc(schema, &out);
    else if (strcmp(what, "errors") == 0)
        print_errors_doc(&out);
    bool is_written = out.size_bytes > 0 && !out.is_failed &&
                      fwrite(out.data, 1, out.size_bytes, stdout) == out.size_bytes &&
                      fflush(stdout) == 0;
    if (!is_written)
        fprintf(stderr, "usage: generate rows|fields|errors < schema/kis.schema\n");
    nb__text_fini(&text);
    nb__text_fini(&out);
    nb__schema_free(schema);
    return is_written ? 0 : 64;
}
