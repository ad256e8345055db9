/* SPDX-License-Identifier: Apache-2.0 */
/* The settings as people read them: what is in force and why, the file to begin with, the document.
 * A secret is shown by its first two letters and its length at most. */
#include "settings.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 40

static void append_masked(nb__text *out, const char *secret, size_t shown_bytes)
{
    nb__text_append(out, secret, shown_bytes); /* an appkey has 8 bytes at least */
    nb__text_printf(out, "…(%zu)", strlen(secret));
}

static void append_file_name(nb__text *out, const char *name)
{
    for (; *name != '\0'; name++)
        nb__text_append(out, *name == '-' ? "_" : name, 1);
}

static bool is_shown(const nb__setting *row)
{
    return row->type != NB__SETTING_APPKEYS && strcmp(row->name, "app-key") != 0 &&
           strcmp(row->name, "app-secret") != 0;
}

/* A value in one text: items of a list behind one another; "" when there is none. */
static void append_value(nb__text *out, const nb__settings *settings, const nb__setting *row)
{
    const nb__setting_value *value = nb__setting_value_of(settings, row);
    if (value->count == 0 && row->fallback != NULL)
        nb__text_string(out, row->fallback);
    for (size_t i = 0; i < value->count; i++) {
        nb__text_string(out, i > 0 ? ", " : "");
        if (row->is_secret)
            append_masked(out, value->items[i], 0);
        else
            nb__text_string(out, value->items[i]);
    }
}

/* ---- for people ---- */

static void print_row(const nb__settings *settings, const nb__setting *row, nb__text *out)
{
    nb__text value = {0};
    append_value(&value, settings, row);
    const char *text = value.size_bytes > 0 ? value.data : "-";
    bool is_plain = value.size_bytes == 0 && row->otherwise != NULL;
    nb__text_printf(out, "  %-16s %-36s  %s%s\n", row->name, text,
                    nb__settings_origin(settings, row->name), is_plain ? ": " : "");
    if (is_plain && out->size_bytes > 0) { /* the default in words, on the same line */
        out->size_bytes--;
        nb__text_printf(out, "%s\n", row->otherwise);
    }
    nb__text_fini(&value);
}

static void print_words(nb__settings *settings, nb__text *out)
{
    const nb__appkey *appkeys;
    size_t count, appkey_count = nb__settings_appkeys(settings, &appkeys);
    const nb__setting *table = nb__settings_table(&count);
    const char *section = "";
    for (size_t i = 0; i < count; i++) {
        if (strcmp(section, table[i].section) != 0)
            nb__text_printf(out, "%s%s\n", i > 0 ? "\n" : "", table[i].section);
        section = table[i].section;
        if (is_shown(&table[i]))
            print_row(settings, &table[i], out);
        if (table[i].type != NB__SETTING_APPKEYS)
            continue;
        for (size_t k = 0; k < appkey_count; k++) {
            nb__text_printf(out, "  %-16s %s ", "appkey", appkeys[k].name);
            append_masked(out, appkeys[k].appkey, 2);
            nb__text_string(out, ", secret ");
            append_masked(out, appkeys[k].secret, 0);
            nb__text_printf(out, ", %c%s  %s\n", appkeys[k].custtype,
                            appkeys[k].hts_id[0] != '\0' ? ", HTS id" : "", appkeys[k].origin);
        }
        if (appkey_count == 0)
            nb__text_printf(out, "  %-16s %-36s  only the feed kis needs one\n", "appkey", "-");
    }
}

/* ---- for programs ---- */

static void append_json_masked(nb__text *out, const char *secret, size_t shown_bytes)
{
    nb__text text = {0};
    append_masked(&text, secret, shown_bytes);
    nb__text_json(out, nb__text_view(&text));
    nb__text_fini(&text);
}

static void print_json_row(const nb__settings *settings, const nb__setting *row, nb__text *out)
{
    const nb__setting_value *value = nb__setting_value_of(settings, row);
    nb__text_string(out, "{\"name\":");
    nb__text_json(out, nb__span(row->name));
    nb__text_string(out, ",\"value\":");
    if (row->type == NB__SETTING_LIST) {
        for (size_t i = 0; i < value->count; i++) {
            nb__text_string(out, i == 0 ? "[" : ",");
            if (row->is_secret)
                append_json_masked(out, value->items[i], 0);
            else
                nb__text_json(out, nb__span(value->items[i]));
        }
        nb__text_string(out, value->count == 0 ? "[]" : "]");
    } else if (nb__settings_text(settings, row->name) == NULL) {
        nb__text_string(out, "null");
    } else if (row->type == NB__SETTING_NUMBER) {
        nb__text_printf(out, "%" PRIu64, nb__settings_number(settings, row->name));
    } else if (row->type == NB__SETTING_DECIMAL) {
        double number = nb__settings_decimal(settings, row->name);
        if (isinf(number))
            nb__text_json(out, nb__span(nb__settings_text(settings, row->name)));
        else
            nb__text_printf(out, "%.15g", number);
    } else {
        nb__text text = {0};
        append_value(&text, settings, row);
        nb__text_json(out, nb__text_view(&text));
        nb__text_fini(&text);
    }
    nb__text_string(out, ",\"origin\":");
    nb__text_json(out, nb__span(nb__settings_origin(settings, row->name)));
    nb__text_string(out, "}");
}

static void print_json(nb__settings *settings, nb__text *out)
{
    const nb__appkey *appkeys;
    size_t count, appkey_count = nb__settings_appkeys(settings, &appkeys);
    const nb__setting *table = nb__settings_table(&count);
    const char *comma = "";
    nb__text_string(out, "{\"settings\":[");
    for (size_t i = 0; i < count; i++) {
        if (!is_shown(&table[i]))
            continue;
        nb__text_printf(out, "%s\n", comma);
        print_json_row(settings, &table[i], out);
        comma = ",";
    }
    nb__text_string(out, "],\n\"appkeys\":[");
    for (size_t i = 0; i < appkey_count; i++) {
        nb__text_printf(out, "%s\n{\"name\":", i > 0 ? "," : "");
        nb__text_json(out, nb__span(appkeys[i].name));
        nb__text_string(out, ",\"app_key\":");
        append_json_masked(out, appkeys[i].appkey, 2);
        nb__text_string(out, ",\"app_secret\":");
        append_json_masked(out, appkeys[i].secret, 0);
        nb__text_string(out, ",\"hts_id\":");
        if (appkeys[i].hts_id[0] != '\0')
            append_json_masked(out, appkeys[i].hts_id, 0);
        else
            nb__text_string(out, "null");
        nb__text_printf(out, ",\"custtype\":\"%c\",\"origin\":", appkeys[i].custtype);
        nb__text_json(out, nb__span(appkeys[i].origin));
        nb__text_string(out, "}");
    }
    nb__text_string(out, "]}\n");
}

void nb__settings_print(nb__settings *settings, bool as_json, nb__text *out)
{
    if (as_json)
        print_json(settings, out);
    else
        print_words(settings, out);
}

/* ---- the file to begin with ---- */

/* A comment of lines of at most 96 columns. */
static void append_comment(nb__text *out, const char *words)
{
    size_t column = 0;
    while (*words != '\0') {
        size_t size = strcspn(words, " ");
        if (column == 0 || column + 1 + size > 96) {
            nb__text_string(out, column == 0 ? "# " : "\n# ");
            column = 1;
        } else {
            nb__text_string(out, " ");
        }
        nb__text_append(out, words, size);
        column += 1 + size;
        words += size + (words[size] == ' ');
    }
    nb__text_string(out, "\n");
}

void nb__settings_print_template(nb__text *out)
{
    size_t count;
    const nb__setting *table = nb__settings_table(&count);
    const char *section = "";
    nb__text_string(out,
                    "# nightbook's settings. All lines are comments: what stands behind a name "
                    "is its default, or an\n# example where there is none. Take the # off to "
                    "change one; `nightbook config` shows what is in\n# force. Keep this file "
                    "to yourself (chmod 600): it may hold secrets.\n");
    for (size_t i = 0; i < count; i++) {
        const nb__setting *row = &table[i];
        if (row->where == NB__SETTING_FLAG_ONLY)
            continue;
        if (strcmp(section, row->section) != 0)
            nb__text_printf(out, "\n# ---- %s ----\n", row->section);
        section = row->section;
        nb__text words = {0};
        nb__text_string(&words, row->help);
        if (row->fallback == NULL)
            nb__setting_print_default(row, &words);
        nb__text_string(out, "\n");
        append_comment(out, words.data != NULL ? words.data : "");
        nb__text_fini(&words);
        nb__text_string(out, "#");
        append_file_name(out, row->name);
        nb__text_printf(out, ":%s%s\n", row->type == NB__SETTING_APPKEYS ? "" : " ",
                        row->fallback != NULL ? row->fallback : row->example);
    }
}

/* ---- the document ---- */

static void append_cell(nb__text *out, const char *words)
{
    for (; *words != '\0'; words++) {
        if (*words == '|')
            nb__text_string(out, "\\");
        nb__text_append(out, words, 1);
    }
}

static void append_row(nb__text *out, const nb__setting *row)
{
    nb__text_string(out, "| ");
    if (row->where == NB__SETTING_FLAG_ONLY) {
        nb__text_string(out, "—");
    } else {
        nb__text_string(out, "`");
        append_file_name(out, row->name);
        nb__text_string(out, "`");
    }
    nb__text_string(out, " | ");
    if (row->where == NB__SETTING_FILE_ONLY) {
        nb__text_string(out, "—");
    } else {
        nb__text_printf(out, "`--%s%s", row->name, row->metavar != NULL ? " " : "");
        append_cell(out, row->metavar != NULL ? row->metavar : "");
        nb__text_string(out, "`");
    }
    nb__text_string(out, " | ");
    if (row->otherwise != NULL)
        append_cell(out, row->otherwise);
    else if (row->fallback != NULL)
        nb__text_printf(out, "`%s`", row->fallback);
    else
        nb__text_string(out, "—");
    nb__text_string(out, " | ");
    append_cell(out, row->help);
    nb__text_string(out, " |\n");
}

static const char introduction[] =
    "# Configuration\n"
    "\n"
    "Made from the program's table of settings by script/generate-commands.\n"
    "\n"
    "Each setting is a flag of `nightbook serve` and a line of nightbook's own file,\n"
    "`~/.config/nightbook/config.yaml` (or `$XDG_CONFIG_HOME/nightbook/config.yaml`, or "
    "`--config FILE`).\n"
    "`nightbook config --init` writes that file with every setting as a comment; `nightbook "
    "config` prints what is in force\n"
    "and where each value came from, secrets masked, and ends with 78 when `serve` would.\n"
    "\n"
    "| wins over those above it | what it gives |\n"
    "|---|---|\n"
    "| defaults | the tables below |\n"
    "| `~/KIS/config/kis_devlp.yaml`, KIS's own file | `my_app`, `my_sec`, `my_htsid` only, "
    "and only when no appkey is given elsewhere; never an address |\n"
    "| nightbook's own file | everything but what is a flag only |\n"
    "| environment `KIS_APP_KEY`, `KIS_APP_SECRET` (or `KIS_SECRET_KEY`, `KIS_SECRET`) | one "
    "appkey, instead of all others |\n"
    "| flags | everything but secrets; a list given by flags replaces the file's |\n"
    "\n"
    "Live data needs `feed: kis` (or `--feed kis`) and an appkey; nothing else reaches KIS, "
    "and a broken or incomplete\n"
    "configuration is an error (exit 78), never a reason to serve the look-alike instead. A "
    "file that holds secrets and that\n"
    "others can read is refused, and nightbook's own file also when others can write it, with "
    "the command that mends it.\n"
    "\n"
    "nightbook's own file is YAML in UTF-8, at most 64 KiB: lines of `name: value`, values as "
    "text (`03` stays `03`), lists as\n"
    "`[A, B]` or as lines of `- A`. Names that are no setting, a name twice, aliases, anchors, "
    "tags, merges, a value of the\n"
    "wrong kind and bytes that are not UTF-8 are errors with line and column.\n";

void nb__settings_print_document(nb__text *out)
{
    size_t count;
    const nb__setting *table = nb__settings_table(&count);
    const char *section = "";
    nb__text_string(out, introduction);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(section, table[i].section) != 0)
            nb__text_printf(out,
                            "\n## %s\n\n| in the file | as a flag | default | what it is |\n"
                            "|---|---|---|---|\n",
                            table[i].section);
        section = table[i].section;
        append_row(out, &table[i]);
    }
    nb__text_string(out,
                    "\nSeveral appkeys, each with its own session and 41 registrations:\n"
                    "\n```yaml\nfeed: kis\nappkeys:\n  - name: main\n    app_key: YOUR_APP_KEY\n"
                    "    app_secret: YOUR_APP_SECRET\n  - name: second\n"
                    "    app_key: ANOTHER_APP_KEY\n    app_secret: ITS_SECRET\n"
                    "    custtype: B\nwindow: [nearest:8]\n```\n");
}
