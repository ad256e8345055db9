/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nightbook symbols: which codes exist, from KIS's master files kept on this machine. Only `update`
 * reaches out; all others work without a network.
 */
#include "cli/cli.h"
#include "configuration.h"
#include "io/io.h"
#include "master_store.h"
#include "stdout.h"
#include "symbols_print.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPERANDS_MAX 32
#define NEAR_MAX 5
#define STALE_S (INT64_C(4) * 86400) /* longer than a weekend and a holiday: weeklies changed */

typedef struct arguments {
    const char *config, *directory, *from, *ca_file, *product, *expiry, *right;
    bool is_json, is_forced;
    const char *operands[OPERANDS_MAX];
    size_t operand_count;
    nb__settings *settings; /* masters, master-dir, ca-file: of nightbook's own file, or flags */
    nb__product product_wanted;
    char right_wanted; /* 0: any */
} arguments;

static const char explanation[] =
    "What can be registered at KIS, from its master files: night options (fo_eurex_code.mst), "
    "night futures\n"
    "(fo_cme_code.mst) and the day's index futures and options (fo_idx_code_mts.mst), whose codes "
    "are the same.\n"
    "\n"
    "  nightbook symbols update                       fetch the files; what is kept stays when one "
    "is broken\n"
    "  nightbook symbols update --from ~/Downloads    take them from there, packed or not\n"
    "  nightbook symbols list --product thu --right put\n"
    "  nightbook symbols show B01612A45               all that is known of a code\n"
    "  nightbook symbols find 위클리 풋 1120\n"
    "  nightbook symbols find kospi200 call 202612 1100 --json\n"
    "\n"
    "Words of find: a product (kospi200 mini 위클리 weekly 목 thu 월 mon 코스닥150 future 스프레드 "
    "…), call c 콜, put p\n"
    "풋, an expiry (202612 2612 12월 2611W4 w4), a strike, atm itm otm, a code's beginning, or a "
    "part of the name; each\n"
    "must fit. A last day with ? stands on a year whose holidays are not known.\n"
    "\n"
    "The files are kept in $XDG_DATA_HOME/nightbook/masters (~/.local/share/nightbook/masters). A "
    "file that is broken, or\n"
    "has less than half of the codes of the one before, is not taken.\n"
    "\n"
    "Exit code 0, 64 when nothing is found (what is near goes to stderr), else the failure's.\n";

/* ---- output ---- */

/* @return the exit code. */
static int write_out(const nb__text *out)
{
    nb_error error;
    return nb__stdout_write(out, &error) == NB_OK ? 0 : nb__command_failed("symbols", &error);
}

static int print_rows(const arguments *a, const nb__store *store, const nb__instrument *const *rows,
                      size_t count)
{
    nb__text out = {0};
    if (!a->is_json)
        nb__symbols_print_table(store, rows, count, &out);
    for (size_t i = 0; i < count && a->is_json; i++)
        nb__symbols_print_json(store, rows[i], &out);
    int exit_code = write_out(&out);
    nb__text_fini(&out);
    return exit_code;
}

/* ---- nothing found: what is near ---- */

static void say_near(const nb__instrument *const *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "%s%s (%s)", i == 0 ? "  near: " : ", ", rows[i]->code, rows[i]->name);
    if (count > 0)
        fputc('\n', stderr);
}

static int code_unknown(const nb__store *store, const char *code)
{
    const nb__instrument *near[NEAR_MAX];
    nb_error error;
    nb__fail(&error, NB_E_NOT_FOUND, 0, "%.40s: no master file here lists this code", code);
    int exit_code = nb__command_failed("symbols", &error);
    say_near(near, nb__symbols_near(store->symbols, nb__span(code), near, NEAR_MAX));
    return exit_code;
}

/* The words but one, joined. */
static void join(const arguments *a, size_t without, nb__text *out)
{
    nb__text_clear(out);
    for (size_t i = 1; i < a->operand_count; i++) {
        if (i == without)
            continue;
        nb__text_string(out, a->operands[i]);
        nb__text_string(out, " ");
    }
}

static nb_price distance(const nb__instrument *row, nb_price strike)
{
    if (row->strike == NB_PRICE_UNDEF)
        return INT64_MAX;
    return row->strike > strike ? row->strike - strike : strike - row->strike;
}

/* Bring the `max` rows whose strikes lie nearest to the front, nearest first. */
static void pick_nearest(const nb__instrument **rows, size_t count, size_t max, nb_price strike)
{
    for (size_t i = 0; i < max; i++) {
        size_t best = i;
        for (size_t j = i + 1; j < count; j++)
            if (distance(rows[j], strike) < distance(rows[best], strike))
                best = j;
        const nb__instrument *row = rows[best];
        rows[best] = rows[i];
        rows[i] = row;
    }
}

/* The word without which something fits. A strike that does not exist shows its neighbours. */
static void say_word_in_the_way(const arguments *a, const nb__store *store,
                                const nb__instrument **rows)
{
    nb__text words = {0};
    size_t total = nb__symbols_count(store->symbols);
    for (size_t i = 1; i < a->operand_count; i++) {
        nb_price strike;
        join(a, i, &words);
        size_t count = nb__symbols_search(store->symbols, nb__text_view(&words), rows, total);
        if (count == 0)
            continue;
        size_t shown = count < NEAR_MAX ? count : NEAR_MAX;
        if (nb_price_parse(nb__span(a->operands[i]), &strike, NULL, NULL) == NB_OK && strike > 0)
            pick_nearest(rows, count, shown, strike);
        fprintf(stderr, "  without %.60s %zu fit%s\n", a->operands[i], count,
                count == 1 ? "s" : "");
        say_near(rows, shown);
        break;
    }
    nb__text_fini(&words);
}

static int nothing_fits(const arguments *a, const nb__store *store, const nb__instrument **rows)
{
    nb_error error;
    bool has_filters = a->product != NULL || a->expiry != NULL || a->right != NULL;
    bool has_words = a->operand_count > 1;
    nb__fail(&error, NB_E_NOT_FOUND, 0, "no code fits %.80s%s",
             !has_words              ? "these filters"
             : a->operand_count == 2 ? a->operands[1]
                                     : "all of these words",
             has_words && has_filters ? " and the filters" : "");
    int exit_code = nb__command_failed("symbols", &error);
    const nb__instrument *near[NEAR_MAX];
    if (a->operand_count == 2)
        say_near(near, nb__symbols_near(store->symbols, nb__span(a->operands[1]), near, NEAR_MAX));
    else if (has_words && !has_filters)
        say_word_in_the_way(a, store, rows);
    return exit_code;
}

/* ---- list, find, show ---- */

static bool passes(const arguments *a, const nb__instrument *row)
{
    return (a->product == NULL || row->product == a->product_wanted) &&
           (a->right_wanted == 0 || row->right == a->right_wanted) &&
           (a->expiry == NULL || nb__span_is_nocase(nb__span(a->expiry), row->expiry));
}

static int find_rows(const arguments *a, const nb__store *store)
{
    size_t total = nb__symbols_count(store->symbols), count = 0;
    const nb__instrument **rows = calloc(total, sizeof(const nb__instrument *));
    nb__text words = {0};
    join(a, 0, &words);
    if (rows == NULL || words.is_failed) {
        free(rows);
        nb__text_fini(&words);
        return NB_CLASS_SYSTEM;
    }
    size_t found = nb__symbols_search(store->symbols, nb__text_view(&words), rows, total);
    for (size_t i = 0; i < found; i++)
        if (passes(a, rows[i]))
            rows[count++] = rows[i];
    int exit_code = count > 0 ? print_rows(a, store, rows, count) : nothing_fits(a, store, rows);
    nb__text_fini(&words);
    free(rows);
    return exit_code;
}

static int show(const arguments *a, const nb__store *store)
{
    nb__text out = {0};
    int exit_code = 0;
    for (size_t i = 1; i < a->operand_count; i++) {
        const nb__instrument *row = nb__symbols_find(store->symbols, nb__span(a->operands[i]));
        if (row == NULL)
            exit_code = code_unknown(store, a->operands[i]);
        else if (a->is_json)
            nb__symbols_print_json(store, row, &out);
        else
            nb__symbols_print_all(store, row, &out);
    }
    int failed = write_out(&out);
    nb__text_fini(&out);
    return failed != 0 ? failed : exit_code;
}

static void say_age(const nb__store *store)
{
    int64_t age_s = nb__clock_real_ns() / NB__NS_PER_S - store->newest_s;
    if (age_s > STALE_S)
        fprintf(stderr,
                "nightbook: symbols: the master files are %lld days old: `nightbook symbols "
                "update`\n",
                (long long)(age_s / 86400));
}

static int use_store(const arguments *a)
{
    nb__store store;
    nb_error error;
    if (nb__store_open(nb__settings_text(a->settings, "master-dir"), &store, &error) != NB_OK)
        return nb__command_failed("symbols", &error);
    say_age(&store);
    int exit_code = strcmp(a->operands[0], "show") == 0 ? show(a, &store) : find_rows(a, &store);
    nb__store_close(&store);
    return exit_code;
}

static int update(const arguments *a)
{
    nb_error error;
    const char *from = a->from != NULL ? a->from : nb__settings_text(a->settings, "masters");
    if (strcmp(from, "none") == 0) {
        nb__settings_fail(a->settings, "masters", &error, "none: give --from URL, FILE or DIR");
        return nb__command_failed("symbols", &error);
    }
    const nb__store_update wanted = {.directory = nb__settings_text(a->settings, "master-dir"),
                                     .from = from,
                                     .ca_file = nb__settings_text(a->settings, "ca-file"),
                                     .is_forced = a->is_forced};
    return nb__store_update_run(&wanted);
}

/* ---- arguments ---- */

static nb_err read_product(arguments *a, nb_error *error)
{
    a->product_wanted = nb__product_by_word(nb__span(a->product));
    if (a->product_wanted != NB__PRODUCT_UNKNOWN)
        return NB_OK;
    char words[160] = "";
    for (int p = NB__PRODUCT_KOSPI200; p <= NB__PRODUCT_KOSDAQ150_FUTURE; p++)
        snprintf(words + strlen(words), sizeof words - strlen(words), " %s",
                 nb__product_word((nb__product)p));
    return nb__fail(error, NB_E_ARGUMENT, 0, "--product %.40s: one of%s", a->product, words);
}

static nb_err read_right(arguments *a, nb_error *error)
{
    static const char *const words[] = {"call", "put", "future", "spread"};
    for (size_t i = 0; i < NB__COUNT_OF(words); i++)
        if (nb__span_is_nocase(nb__span(a->right), words[i]))
            a->right_wanted = "CPFS"[i];
    return a->right_wanted != 0 ? NB_OK
                                : nb__fail(error, NB_E_ARGUMENT, 0,
                                           "--right %.40s: call, put, future or spread", a->right);
}

/* What an option is for, and how many words a verb takes. */
static nb_err check_verb(const arguments *a, nb_error *error)
{
    const char *verb = a->operand_count > 0 ? a->operands[0] : "";
    bool is_update = strcmp(verb, "update") == 0, is_list = strcmp(verb, "list") == 0;
    bool is_find = strcmp(verb, "find") == 0, is_show = strcmp(verb, "show") == 0;
    if (!is_update && !is_list && !is_find && !is_show)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "%.40s%supdate, list, show or find is expected; see `nightbook symbols "
                        "--help`",
                        verb, verb[0] == '\0' ? "" : ": ");
    if (!is_update && (a->from != NULL || a->ca_file != NULL || a->is_forced))
        return nb__fail(error, NB_E_ARGUMENT, 0, "--from, --ca-file and --force go with update");
    if (is_update && a->is_json)
        return nb__fail(error, NB_E_ARGUMENT, 0, "--json goes with list, show and find");
    if (!is_list && !is_find && (a->product != NULL || a->expiry != NULL || a->right != NULL))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "--product, --expiry and --right go with list and find");
    if ((is_update || is_list) && a->operand_count > 1)
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.60s: %s takes no words%s", a->operands[1], verb,
                        is_list ? "; `nightbook symbols find` does" : "");
    if ((is_show || is_find) && a->operand_count == 1)
        return nb__fail(error, NB_E_ARGUMENT, 0, "%s needs %s", verb,
                        is_show ? "a code" : "words: `nightbook symbols find 위클리 풋 1120`");
    return NB_OK;
}

static nb_err set(nb__settings *settings, const char *name, const char *text, nb_error *error)
{
    return text == NULL ? NB_OK
                        : nb__settings_set(settings, name, text, NB__FROM_FLAG, NULL, error);
}

/* As `serve` reads them, but for the keys: which codes exist is nobody's secret. */
static nb_err read_settings(const arguments *a, nb_error *error)
{
    nb_err err = set(a->settings, "feed", "sim", error);
    if (err == NB_OK)
        err = set(a->settings, "config", a->config, error);
    if (err == NB_OK)
        err = set(a->settings, "master-dir", a->directory, error);
    if (err == NB_OK)
        err = set(a->settings, "ca-file", a->ca_file, error);
    if (err == NB_OK)
        err = nb__configuration_read(a->settings, error);
    if (err == NB_OK && nb__settings_text(a->settings, "master-dir") == NULL)
        err = nb__fail(error, NB_E_ARGUMENT, 0, "HOME is not set: give --dir");
    return err;
}

static int run(arguments *a)
{
    nb_error error;
    nb_err err = check_verb(a, &error);
    if (err == NB_OK && a->product != NULL)
        err = read_product(a, &error);
    if (err == NB_OK && a->right != NULL)
        err = read_right(a, &error);
    if (err == NB_OK)
        err = read_settings(a, &error);
    if (err != NB_OK)
        return nb__command_failed("symbols", &error);
    signal(SIGPIPE, SIG_IGN); /* a write sees EPIPE */
    return strcmp(a->operands[0], "update") == 0 ? update(a) : use_store(a);
}

int nb__command_symbols(int argc, char **argv)
{
    arguments a = {.settings = nb__settings_new()};
    const nb__option options[] = {
        {"from", "URL|FILE|DIR",
         "update: where from (default: the setting masters, KIS's server); http only of this "
         "machine",
         NB__OPTION_STRING, &a.from, 0, 0},
        {"force", NULL, "update: take also a file with less than half of the codes kept",
         NB__OPTION_FLAG, &a.is_forced, 0, 0},
        {"ca-file", "FILE", "update: authorities to verify https by, PEM (default: the system's)",
         NB__OPTION_STRING, &a.ca_file, 0, 0},
        {"dir", "DIR", "where the files are kept (default: the setting master_dir)",
         NB__OPTION_STRING, &a.directory, 0, 0},
        {"config", "FILE", "nightbook's own file, for masters, master_dir, ca_file",
         NB__OPTION_STRING, &a.config, 0, 0},
        {"product", "WORD", "list, find: kospi200, mini, thu, mon, kosdaq150, mini-future …",
         NB__OPTION_STRING, &a.product, 0, 0},
        {"expiry", "SERIAL", "list, find: as in the names, 202612 or 2611W4", NB__OPTION_STRING,
         &a.expiry, 0, 0},
        {"right", "WORD", "list, find: call, put, future or spread", NB__OPTION_STRING, &a.right, 0,
         0},
        {"json", NULL, "list, show, find: one flat object a line", NB__OPTION_FLAG, &a.is_json, 0,
         0},
        {0}};
    const nb__usage usage = {"symbols", "update|list|show CODE…|find WORDS… [OPTIONS]", explanation,
                             options, OPERANDS_MAX};
    if (a.settings == NULL)
        return NB_CLASS_SYSTEM;
    int exit_code = nb__options_parse(&usage, argc, argv, a.operands, &a.operand_count);
    if (exit_code < 0)
        exit_code = run(&a);
    nb__settings_free(a.settings);
    return exit_code;
}
