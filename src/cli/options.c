/* SPDX-License-Identifier: Apache-2.0 */
/* Options: one table a command gives parsing, --help and messages. Long names only; the last of
 * several wins. */
#include "cli/cli.h"
#include <stdio.h>
#include <string.h>

#define WORD_MAX_BYTES 32
#define HELP_COLUMNS 84

int nb__command_failed(const char *context, const nb_error *error)
{
    fprintf(stderr, "nightbook: %s: %s [%s]\n", context, error->detail, nb_error_name(error->code));
    return (int)nb_error_class_of(error->code);
}

/* ---- help ---- */

static void print_option(const char *name, const char *metavar, const char *help)
{
    char head[64];
    snprintf(head, sizeof head, "--%s%s%s", name, metavar != NULL ? " " : "",
             metavar != NULL ? metavar : "");
    if (strlen(head) <= 24)
        printf("  %-24s %s\n", head, help);
    else
        printf("  %s\n  %-24s %s\n", head, "", help);
}

/* A setting: its words with their default, broken into lines, under its section's heading. */
static void print_setting(const nb__option *option, const char **section)
{
    const nb__setting *row = nb__settings_row(nb__span(option->name));
    nb__text words = {0};
    nb__text_string(&words, row->help);
    nb__setting_print_default(row, &words);
    if (strcmp(*section, row->section) != 0)
        printf("\n%s:\n", row->section);
    *section = row->section;
    char *line = words.data != NULL ? words.data : (char[]){""};
    for (const char *name = option->name; line != NULL;) {
        char *rest = NULL;
        if (strlen(line) > HELP_COLUMNS)
            for (char *at = line; at <= line + HELP_COLUMNS; at++)
                if (*at == ' ')
                    rest = at;
        if (rest != NULL)
            *rest++ = '\0';
        if (name != NULL)
            print_option(name, option->metavar, line);
        else
            printf("  %-24s %s\n", "", line);
        name = NULL;
        line = rest;
    }
    nb__text_fini(&words);
}

void nb__usage_print(const nb__usage *usage)
{
    const char *section = "";
    printf("usage: nightbook %s %s\n\n", usage->command, usage->synopsis);
    for (const nb__option *option = usage->options; option->name != NULL; option++)
        if (option->help != NULL && option->type != NB__OPTION_SETTING)
            print_option(option->name, option->metavar, option->help);
    print_option("help", NULL, "print this");
    for (const nb__option *option = usage->options; option->name != NULL; option++)
        if (option->type == NB__OPTION_SETTING)
            print_setting(option, &section);
    if (usage->text != NULL)
        printf("\n%s", usage->text);
}

size_t nb__options_of_settings(nb__settings *settings, nb__option out[NB__OPTIONS_OF_SETTINGS_MAX])
{
    size_t count, written = 0;
    const nb__setting *table = nb__settings_table(&count);
    for (size_t i = 0; i < count && written < NB__OPTIONS_OF_SETTINGS_MAX; i++)
        if (table[i].where != NB__SETTING_FILE_ONLY)
            out[written++] = (nb__option){
                table[i].name, table[i].metavar, table[i].help, NB__OPTION_SETTING, settings, 0, 0};
    return written;
}

/* ---- values ---- */

static nb_err fail_range(const nb__option *option, const char *text, nb_error *error)
{
    return nb__fail(error, NB_E_ARGUMENT, 0, "--%s %.40s: a number of %.15g-%.15g is expected",
                    option->name, text, option->min, option->max);
}

static nb_err set_number(const nb__option *option, const char *text, nb_error *error)
{
    uint64_t number;
    bool is_number = nb__span_to_u64(nb__span(text), &number);
    if (!is_number || (double)number < option->min || (double)number > option->max)
        return fail_range(option, text, error);
    if (option->type == NB__OPTION_U64)
        *(uint64_t *)option->out = number;
    else if (number <= UINT32_MAX)
        *(uint32_t *)option->out = (uint32_t)number;
    else
        return fail_range(option, text, error);
    return NB_OK;
}

static nb_err set_double(const nb__option *option, const char *text, nb_error *error)
{
    nb_price exact; /* no locale, no surprises; nine decimals are enough for an option */
    if (nb_price_parse(nb__span(text), &exact, NULL, NULL) != NB_OK)
        return fail_range(option, text, error);
    double number = (double)exact / (double)NB_PRICE_ONE;
    if (number < option->min || number > option->max)
        return fail_range(option, text, error);
    *(double *)option->out = number;
    return NB_OK;
}

static nb_err set_value(const nb__option *option, const char *text, nb_error *error)
{
    nb__option_list *list = option->out;
    switch (option->type) {
    case NB__OPTION_FLAG:
        *(bool *)option->out = true;
        return NB_OK;
    case NB__OPTION_STRING:
        *(const char **)option->out = text;
        return NB_OK;
    case NB__OPTION_U32:
    case NB__OPTION_U64:
        return set_number(option, text, error);
    case NB__OPTION_DOUBLE:
        return set_double(option, text, error);
    case NB__OPTION_LIST:
        if (list->count == NB__OPTION_LIST_MAX)
            return nb__fail(error, NB_E_ARGUMENT, 0, "--%s is given more than %d times",
                            option->name, NB__OPTION_LIST_MAX);
        list->items[list->count++] = text;
        return NB_OK;
    case NB__OPTION_SETTING:
        return nb__settings_set(option->out, option->name, text, NB__FROM_FLAG, NULL, error);
    }
    return nb__fail(error, NB_E_INTERNAL, 0, "--%s has no type", option->name);
}

/* ---- parsing ---- */

/* A setting that is no flag, since a command line is seen by all. */
static bool is_for_file_only(const nb__usage *usage, nb_span name)
{
    const nb__setting *row = nb__settings_row(name);
    const nb__option *option = usage->options;
    while (option->name != NULL && option->type != NB__OPTION_SETTING)
        option++;
    return option->name != NULL && row != NULL && row->where == NB__SETTING_FILE_ONLY;
}

static nb_err fail_unknown(const nb__usage *usage, nb_span name, nb_error *error)
{
    char word[WORD_MAX_BYTES + 1];
    const char *near = NULL;
    if (is_for_file_only(usage, name))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "--%.*s: a command line is seen by all; put it into nightbook's own file",
                        (int)name.size_bytes, name.data);
    if (nb__span_copy(name, word, sizeof word))
        for (const nb__option *option = usage->options; option->name != NULL; option++)
            if (nb__word_is_near(word, option->name))
                near = option->name;
    int size = name.size_bytes > 40 ? 40 : (int)name.size_bytes;
    if (near != NULL)
        return nb__fail(error, NB_E_ARGUMENT, 0, "there is no option --%.*s; did you mean --%s?",
                        size, name.data, near);
    return nb__fail(error, NB_E_ARGUMENT, 0,
                    "there is no option --%.*s; `nightbook %s --help` lists them all", size,
                    name.data, usage->command);
}

/* It stands alone. */
static bool is_switch(const nb__option *option)
{
    return option->type == NB__OPTION_FLAG ||
           (option->type == NB__OPTION_SETTING && option->metavar == NULL);
}

/* Take the option at argv[*at], and the next argument where the value is there. */
static nb_err take_option(const nb__usage *usage, int argc, char **argv, int *at, nb_error *error)
{
    const char *word = argv[*at] + 2, *equals = strchr(word, '=');
    nb_span name = {word, equals != NULL ? (size_t)(equals - word) : strlen(word)};
    const nb__option *option = usage->options;
    while (option->name != NULL && !nb__span_is(name, option->name))
        option++;
    if (option->name == NULL)
        return fail_unknown(usage, name, error);
    if (is_switch(option) && equals != NULL)
        return nb__fail(error, NB_E_ARGUMENT, 0, "--%s takes no value", option->name);
    const char *value = equals != NULL ? equals + 1 : "yes";
    if (!is_switch(option) && equals == NULL) {
        if (*at + 1 == argc)
            return nb__fail(error, NB_E_ARGUMENT, 0, "--%s needs a value: %s", option->name,
                            option->metavar);
        value = argv[++*at];
    }
    return set_value(option, value, error);
}

static nb_err take_operand(const nb__usage *usage, const char *word, const char **operands,
                           size_t *count, nb_error *error)
{
    if (*count == usage->operands_max)
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.60s: one argument too many", word);
    operands[(*count)++] = word;
    return NB_OK;
}

int nb__options_parse(const nb__usage *usage, int argc, char **argv, const char **operands,
                      size_t *operand_count)
{
    bool is_only_operands = false;
    nb_error error;
    *operand_count = 0;
    for (int at = 1; at < argc; at++) {
        const char *word = argv[at];
        nb_err code = NB_OK;
        if (is_only_operands || word[0] != '-' || word[1] == '\0') {
            code = take_operand(usage, word, operands, operand_count, &error);
        } else if (strcmp(word, "--") == 0) {
            is_only_operands = true;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            nb__usage_print(usage);
            return 0;
        } else if (word[1] != '-') {
            code = nb__fail(&error, NB_E_ARGUMENT, 0,
                            "%.40s: options have long names; see `nightbook %s --help`", word,
                            usage->command);
        } else {
            code = take_option(usage, argc, argv, &at, &error);
        }
        if (code != NB_OK)
            return nb__command_failed(usage->command, &error);
    }
    return -1;
}
