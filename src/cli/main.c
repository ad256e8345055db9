/* SPDX-License-Identifier: Apache-2.0 */
/* The program: a table of subcommands. */
#include "cli/cli.h"
#include <nightbook/nightbook.h>
#include <stdio.h>
#include <string.h>

static const nb__command commands[] = {
    {"config", "the settings in force, each with where it came from; or a file to begin with",
     nb__command_config},
    {"decode", "print raw KIS frames, one a line, as JSON or CSV", nb__command_decode},
    {"doctor", "checks from the configuration to the first frame of KIS, with what to do",
     nb__command_doctor},
    {"export", "a recording into csv, jsonl, DBN, Parquet or numpy", nb__command_export},
    {"journal", "the recorded nights: list, show, verify, repair, pack, prune",
     nb__command_journal},
    {"replay", "a recorded night once more, over the same protocol", nb__command_replay},
    {"report", "what a night was: coverage, gaps, latency, and what it showed of KIS's wire",
     nb__command_report},
    {"serve", "one session to a feed, its books, and the same protocol for many clients",
     nb__command_serve},
    {"sim", "be KIS's night feed: a look-alike with a market of its own", nb__command_sim},
    {"slots", "who has which of the registrations that KIS allows, and why", nb__command_slots},
    {"symbols", "which codes exist: fetch KIS's master files, list, show and find",
     nb__command_symbols},
    {"tap", "print what a KIS-protocol server sends, as JSON, CSV or raw frames", nb__command_tap},
    {NULL, NULL, NULL},
};

static void print_help(FILE *to)
{
    fprintf(to, "usage: nightbook COMMAND [OPTIONS]\n"
                "The KRX night-options order book from KIS, held, served and simulated.\n\n"
                "commands:\n");
    for (const nb__command *command = commands; command->name != NULL; command++)
        fprintf(to, "  %-8s %s\n", command->name, command->summary);
    fprintf(to, "\n`nightbook COMMAND --help` tells a command's options; `nightbook --version` the "
                "version.\n");
}

static const nb__command *find(const char *name)
{
    for (const nb__command *command = commands; command->name != NULL; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

static int unknown(const char *name)
{
    const char *near = NULL;
    for (const nb__command *command = commands; command->name != NULL; command++)
        if (nb__word_is_near(name, command->name))
            near = command->name;
    nb_error error;
    if (near != NULL)
        nb__fail(&error, NB_E_ARGUMENT, 0, "there is no such command; did you mean %s?", near);
    else
        nb__fail(&error, NB_E_ARGUMENT, 0,
                 "there is no such command; `nightbook --help` lists them all");
    return nb__command_failed(name, &error);
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return NB_CLASS_USAGE;
    }
    if (is_one_of(argv[1], "--version", "-V", "version")) {
        printf("nightbook %s\n", nb_version());
        return 0;
    }
    if (is_one_of(argv[1], "--help", "-h", "help") && argc == 2) {
        print_help(stdout);
        return 0;
    }
    bool is_help = strcmp(argv[1], "help") == 0;
    const nb__command *command = find(argv[is_help ? 2 : 1]);
    if (command == NULL)
        return unknown(argv[is_help ? 2 : 1]);
    if (is_help) {
        char help[] = "--help", *arguments[] = {argv[2], help, NULL};
        return command->run(2, arguments);
    }
    return command->run(argc - 1, argv + 1);
}
