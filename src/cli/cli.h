/* SPDX-License-Identifier: Apache-2.0 */
/**
 * cli, L7: one file a subcommand and their table (main.c). Exit codes are the error's class
 * (error.h, sysexits).
 */
#ifndef NB_CLI_H
#define NB_CLI_H

#include "config/config.h"

typedef struct nb__command {
    const char *name;
    const char *summary;               /**< one line for `nightbook --help` */
    int (*run)(int argc, char **argv); /**< argv[0] is the command's name; returns the exit code */
} nb__command;

int nb__command_config(int argc, char **argv);
int nb__command_decode(int argc, char **argv);
int nb__command_doctor(int argc, char **argv);
int nb__command_export(int argc, char **argv);
int nb__command_journal(int argc, char **argv);
int nb__command_replay(int argc, char **argv);
int nb__command_report(int argc, char **argv);
int nb__command_serve(int argc, char **argv);
int nb__command_sim(int argc, char **argv);
int nb__command_slots(int argc, char **argv);
int nb__command_symbols(int argc, char **argv);
int nb__command_tap(int argc, char **argv);

/* ---- options (options.c): one table gives parsing, --help and messages ---- */

typedef enum nb__option_type {
    NB__OPTION_FLAG,   /**< bool: set to true */
    NB__OPTION_STRING, /**< const char * */
    NB__OPTION_U32,    /**< uint32_t, within min–max */
    NB__OPTION_U64,    /**< uint64_t, within min–max */
    NB__OPTION_DOUBLE, /**< double, within min–max */
    NB__OPTION_LIST,   /**< nb__option_list: may be given several times */
    NB__OPTION_SETTING /**< nb__settings: the row of that name says all; see
                          nb__options_of_settings() */
} nb__option_type;

#define NB__OPTION_LIST_MAX 16
typedef struct nb__option_list {
    const char *items[NB__OPTION_LIST_MAX];
    size_t count;
} nb__option_list;

typedef struct nb__option {
    const char *name;    /**< "listen" for --listen; NULL ends the table */
    const char *metavar; /**< "ADDR:PORT"; NULL for a flag */
    const char *help;    /**< a sentence; defaults are said in it; NULL: not shown in --help */
    nb__option_type type;
    void *out;
    double min, max; /**< numbers */
} nb__option;

typedef struct nb__usage {
    const char *command;  /**< "decode" */
    const char *synopsis; /**< "[OPTIONS] [FILE|-]" */
    const char *text;     /**< paragraphs after the options: what it does, examples, exit codes */
    const nb__option *options;
    size_t operands_max;
} nb__usage;

#define NB__OPTIONS_OF_SETTINGS_MAX 64
/** A row for each setting that may be a flag. @return how many; no end is written. */
size_t nb__options_of_settings(nb__settings *settings, nb__option out[NB__OPTIONS_OF_SETTINGS_MAX]);

/**
 * Parse `--name value`, `--name=value`, `--flag`, `--`, operands, and `--help` (printed to stdout).
 *
 * @param[out] operands  At least usage->operands_max places.
 * @return -1: go on; else the exit code (0 after --help, 64 after a message to stderr that names
 * the option).
 */
int nb__options_parse(const nb__usage *usage, int argc, char **argv, const char **operands,
                      size_t *operand_count);
void nb__usage_print(const nb__usage *usage);
/** Print `nightbook: CONTEXT: detail [E_CODE]` and give the exit code of the error. */
int nb__command_failed(const char *context, const nb_error *error);

#endif
