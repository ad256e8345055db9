/* SPDX-License-Identifier: Apache-2.0 */
/* nightbook replay: serve, with a recorded night for a feed. */
#include "cli/cli.h"
#include "serve.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char explanation[] =
    "PATH is a night's directory or one file of it, a night's trade date (2026-11-23) in the "
    "journal, or last (default).\n"
    "The same client code that runs at night runs on Sunday: same address form, same JSON, same "
    "frames, in the same order\n"
    "for each client every time, at the pace of the slowest client. Event times, trade dates and "
    "books are those of the night.\n"
    "\n"
    "  nightbook replay                                   the last night, as it was\n"
    "  nightbook replay 2026-11-23 --from 23:10 --speed 10\n"
    "  nightbook replay ./20261123 --speed max --exit     as fast as clients take it\n"
    "  curl -H 'Content-Type: application/json' -d '{\"pause\":true}' "
    "http://127.0.0.1:31000/v1/replay\n"
    "\n"
    "It stays until SIGINT or SIGTERM, at its end too, so that it can be moved back "
    "(docs/replay.md); "
    "with --exit it ends by\n"
    "itself. Exit codes: 0, 64 wrong use or no such night, 71 the system refused (a port in use), "
    "78 the configuration.\n";

/* What makes no sense of a recorded night. */
static bool is_of_replay(const char *section, const char *name)
{
    static const char *const names[] = {"config", "speed", "master-dir", "holidays", "journal"};
    if (strcmp(section, "Replay") == 0 || strcmp(section, "Telling") == 0 ||
        (strcmp(section, "Clients") == 0 && strcmp(name, "on-loss") != 0))
        return true;
    for (size_t i = 0; i < NB__COUNT_OF(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void select_options(nb__settings *settings, nb__option out[NB__OPTIONS_OF_SETTINGS_MAX + 1])
{
    nb__option all[NB__OPTIONS_OF_SETTINGS_MAX];
    size_t count = nb__options_of_settings(settings, all), written = 0;
    for (int round = 0; round < 2; round++) { /* its own ones first */
        for (size_t i = 0; i < count; i++) {
            const char *section = nb__settings_row(nb__span(all[i].name))->section;
            bool is_own = strcmp(section, "Replay") == 0 || strcmp(all[i].name, "speed") == 0;
            if (is_of_replay(section, all[i].name) && is_own == (round == 0))
                out[written++] = all[i];
        }
    }
}

static int replay(nb__serve *s, const char *place)
{
    nb_error error = {0};
    nb__text feed = {0};
    nb__text_printf(&feed, "replay:%s", place);
    nb_err err = feed.is_failed ? nb__fail(&error, NB_E_MEMORY, 0, "memory is exhausted")
                                : nb__settings_set(s->settings, "feed", feed.data, NB__FROM_FLAG,
                                                   "the command", &error);
    nb__text_fini(&feed);
    if (err == NB_OK)
        return nb__serve_live(s, "replay");
    nb__settings_free(s->settings);
    return nb__command_failed("replay", &error);
}

int nb__command_replay(int argc, char **argv)
{
    nb__serve *s = calloc(1, sizeof *s);
    nb__option options[1 + NB__OPTIONS_OF_SETTINGS_MAX] = {{0}};
    const nb__usage usage = {"replay", "[PATH] [OPTIONS]", explanation, options, 1};
    const char *place = "last";
    size_t operand_count = 0;
    if (s == NULL || (s->settings = nb__settings_new()) == NULL) {
        nb_error error;
        free(s);
        nb__fail(&error, NB_E_MEMORY, 0, "memory is exhausted");
        return nb__command_failed("replay", &error);
    }
    select_options(s->settings, options);
    int exit_code = nb__options_parse(&usage, argc, argv, &place, &operand_count);
    if (exit_code < 0)
        exit_code = replay(s, place);
    else
        nb__settings_free(s->settings);
    free(s);
    return exit_code;
}
