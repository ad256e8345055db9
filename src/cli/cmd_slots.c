/* SPDX-License-Identifier: Apache-2.0 */
/* nightbook slots: who has which of the registrations that KIS allows, from a running serve. */
#include "cli/cli.h"
#include "io/io.h"
#include "stdout.h"
#include "symbols/symbols.h"
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_NS (5 * NB__NS_PER_S)
#define BODY_MAX ((size_t)32 << 20)
#define CELL_MAX 160
#define COLUMNS 7

typedef struct slots {
    nb__loop *loop;
    const char *url; /* NULL: where serve listens by default */
    bool is_json, is_done;
    int status;
    nb__text body;
    nb_error error;
} slots;

/* live, and what is not */
static const char *const default_urls[] = {"http://127.0.0.1:21000", "http://127.0.0.1:31000"};

/* ---- asking ---- */

static void on_answer(void *self, int status, const nb__http_message *answer, const nb_error *error)
{
    slots *s = self;
    s->is_done = true;
    s->status = status;
    if (status == 0)
        s->error = *error;
    else
        nb__text_append(&s->body, answer->body.data, answer->body.size_bytes);
}

/* `url` may hold a client key in its path: it is never printed. */
static nb_err ask(slots *s, const char *url, nb__address *address, nb_error *error)
{
    nb__fetch *fetch;
    nb_err err = nb__address_parse(url, address, error);
    if (err != NB_OK)
        return err;
    size_t size = strlen(address->path);
    while (size > 0 && address->path[size - 1] == '/')
        address->path[--size] = '\0';
    if (address->is_tls || size + sizeof "/v1/slots" > sizeof address->path)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "an address like http://127.0.0.1:21000 is expected");
    memcpy(address->path + size, "/v1/slots", sizeof "/v1/slots");
    s->is_done = false;
    nb__text_clear(&s->body);
    err = nb__fetch_start(s->loop, "GET", address, "", (nb_span){0}, BODY_MAX, TIMEOUT_NS,
                          on_answer, s, &fetch, error);
    while (err == NB_OK && !s->is_done)
        err = nb__loop_turn(s->loop, -1);
    if (err == NB_OK && s->status == 0) {
        *error = s->error;
        err = error->code;
    }
    return err == NB_OK && s->body.is_failed
               ? nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted")
               : err;
}

/* ---- the table ---- */

static const char *const titles[COLUMNS] = {"TR",     "KEY",      "NAME", "STATE",
                                            "APPKEY", "KIS SAID", "WHY"};

typedef struct line {
    char cells[COLUMNS][CELL_MAX];
} line;

/* A text for a terminal; "" when it is none. */
static void set(char cell[CELL_MAX], const json_t *value)
{
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    size_t size = strnlen(text, CELL_MAX - 1);
    memcpy(cell, text, size);
    cell[size] = '\0';
    cell[nb__utf8_valid_prefix((nb_span){cell, size})] = '\0';
    nb__make_printable(cell, strlen(cell));
}

static void add(char cell[CELL_MAX], const char *before, const char *text)
{
    size_t size = strlen(cell);
    int printed = snprintf(cell + size, CELL_MAX - size, "%s%s", before, text);
    if (printed >= (int)(CELL_MAX - size)) /* cut: not within a character */
        cell[nb__utf8_valid_prefix(nb__span(cell))] = '\0';
}

/* A code that no master has, and what may have been meant. */
static void add_near(char cell[CELL_MAX], const json_t *row)
{
    const json_t *near = json_object_get(row, "near");
    char code[CELL_MAX];
    for (size_t i = 0; i < json_array_size(near); i++) {
        set(code, json_array_get(near, i));
        add(cell, i == 0 ? "; no such code, near it: " : " ", code);
    }
}

static void fill(line *out, const json_t *row)
{
    static const char *const names[COLUMNS] = {"tr_id", "tr_key", "name",  "state",
                                               "feed",  "msg_cd", "reason"};
    for (int i = 0; i < COLUMNS; i++)
        set(out->cells[i], json_object_get(row, names[i]));
    char words[CELL_MAX];
    set(words, json_object_get(row, "msg1"));
    if (strcmp(out->cells[5], "OPSP0000") != 0) /* success needs no words */
        add(out->cells[5], words[0] == '\0' ? "" : " ", words);
    add_near(out->cells[6], row);
}

static void print_line(const line *l, const size_t widths[COLUMNS], nb__text *out)
{
    size_t blanks = 0;
    for (int i = 0; i < COLUMNS; i++) {
        if (widths[i] == 0)
            continue;
        size_t columns = nb__text_columns(nb__span(l->cells[i]));
        if (columns > 0) {
            nb__text_printf(out, "%*s%s", (int)blanks, "", l->cells[i]);
            blanks = 0;
        }
        blanks += widths[i] - columns + 2;
    }
    nb__text_string(out, "\n");
}

/* Columns that are empty throughout are left out. */
static void print_table(const json_t *rows, nb__text *out)
{
    size_t widths[COLUMNS] = {0};
    line l;
    for (size_t r = 0; r < json_array_size(rows); r++) {
        fill(&l, json_array_get(rows, r));
        for (int i = 0; i < COLUMNS; i++) {
            size_t columns = nb__text_columns(nb__span(l.cells[i]));
            widths[i] = columns > widths[i] ? columns : widths[i];
        }
    }
    for (int i = 0; i < COLUMNS; i++) {
        snprintf(l.cells[i], sizeof l.cells[i], "%s", titles[i]);
        if (widths[i] > 0 && strlen(titles[i]) > widths[i])
            widths[i] = strlen(titles[i]);
    }
    if (json_array_size(rows) > 0)
        print_line(&l, widths, out);
    for (size_t r = 0; r < json_array_size(rows); r++) {
        fill(&l, json_array_get(rows, r));
        print_line(&l, widths, out);
    }
}

static long long number(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

static void print_summary(const json_t *root, nb__text *out)
{
    const json_t *totals = json_object_get(root, "totals"), *windows;
    char banner[CELL_MAX], source[CELL_MAX];
    set(banner, json_object_get(root, "banner"));
    nb__text_printf(out,
                    "%s  %lld of %lld slots are taken: %lld confirmed, %lld pending, %lld "
                    "rejected, %lld lingering; %lld without a slot\n",
                    banner, number(root, "slots_used"), number(root, "slots_max"),
                    number(totals, "confirmed"), number(totals, "pending"),
                    number(totals, "rejected"), number(totals, "lingering"),
                    number(totals, "without_slot"));
    if (number(totals, "left_out") > 0)
        nb__text_printf(out, "%lld rows are not listed\n", number(totals, "left_out"));
    windows = json_object_get(root, "windows");
    for (size_t i = 0; i < json_array_size(windows); i++) {
        const json_t *window = json_array_get(windows, i);
        set(source, json_object_get(window, "source"));
        nb__text_printf(out, "a window follows %.2f (%s)\n",
                        json_number_value(json_object_get(window, "forward")), source);
    }
}

/* ---- what came ---- */

static nb_err refused(const slots *s, const json_t *root, nb_error *error)
{
    char words[CELL_MAX];
    set(words, json_object_get(root, "msg1"));
    if (words[0] == '\0')
        snprintf(words, sizeof words, "is it a `nightbook serve` of this version?");
    return nb__fail(error, NB_E_REFUSED, 0, "it answers %d: %s%s", s->status, words,
                    s->status == 401 ? "; give http://HOST:PORT/+key=KEY" : "");
}

static nb_err print(const slots *s, nb_error *error)
{
    json_error_t where;
    json_t *root = json_loadb(s->body.data == NULL ? "" : s->body.data, s->body.size_bytes,
                              JSON_REJECT_DUPLICATES, &where);
    nb_err err = NB_OK;
    nb__text out = {0};
    if (s->status != 200)
        err = refused(s, root, error);
    else if (!json_is_array(json_object_get(root, "slots")))
        err = nb__fail(error, NB_E_JSON, 0, "its answer is not what `nightbook serve` gives");
    else if (!s->is_json) {
        print_table(json_object_get(root, "slots"), &out);
        print_summary(root, &out);
    }
    json_decref(root);
    if (err == NB_OK)
        err = s->is_json ? nb__stdout_write_json(&s->body, error) : nb__stdout_write(&out, error);
    nb__text_fini(&out);
    return err;
}

static nb_err run(slots *s, nb_error *error)
{
    nb__address address = {0};
    nb_err err = nb__loop_new(&s->loop, error);
    if (err != NB_OK)
        return err;
    if (s->url != NULL) {
        err = ask(s, s->url, &address, error);
    } else {
        for (size_t i = 0; i < NB__COUNT_OF(default_urls); i++) {
            err = ask(s, default_urls[i], &address, error);
            if (err == NB_OK)
                break;
        }
        if (err != NB_OK)
            return nb__fail(error, NB_E_REFUSED, 0,
                            "no `nightbook serve` answers at 127.0.0.1:21000 or :31000; start "
                            "one, or say where it listens");
    }
    if (err != NB_OK) /* which names the place */
        return err;
    err = print(s, error);
    if (err != NB_OK)
        (void)nb__fail_in(error, "%.60s:%u", address.host, (unsigned)address.port);
    return err;
}

static const char explanation[] =
    "KIS allows an appkey 41 registrations. This asks a running `nightbook serve` who has them and "
    "why: pinned keys\n"
    "first, then what clients ask for, then windows of strikes around the money. Without URL it "
    "looks at\n"
    "http://127.0.0.1:21000 (live), then http://127.0.0.1:31000.\n"
    "\n"
    "  nightbook slots\n"
    "  nightbook slots http://127.0.0.1:31001 --json\n"
    "  nightbook slots http://desk:21000/+key=KEY        where client keys are asked for\n"
    "\n"
    "Exit codes: 0, 64 wrong use, 75 no answer in time, 76 nobody answers or it is refused.\n";

int nb__command_slots(int argc, char **argv)
{
    slots s = {0};
    const nb__option options[] = {
        {"json", NULL, "as /v1/slots answers (docs/gateway.md)", NB__OPTION_FLAG, &s.is_json, 0, 0},
        {0}};
    const nb__usage usage = {"slots", "[URL] [--json]", explanation, options, 1};
    size_t operand_count = 0;
    int exit_code = nb__options_parse(&usage, argc, argv, &s.url, &operand_count);
    nb_error error;
    signal(SIGPIPE, SIG_IGN); /* a write sees EPIPE */
    if (exit_code < 0)
        exit_code = run(&s, &error) == NB_OK ? 0 : nb__command_failed("slots", &error);
    nb__text_fini(&s.body);
    nb__loop_free(s.loop);
    return exit_code;
}
