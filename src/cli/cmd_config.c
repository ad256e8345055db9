/* SPDX-License-Identifier: Apache-2.0 */
/* nightbook config: the settings in force, each with where it came from; a file to begin with. */
#include "cli/cli.h"
#include "serve.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char explanation[] =
    "Prints the settings that `nightbook serve` would use with the same flags, each with where it "
    "came from; secrets are\n"
    "masked. docs/config.md tells what wins over what. With --init it writes a file of comments, "
    "every setting and its\n"
    "default, for you alone (mode 0600); it never overwrites one.\n"
    "\n"
    "  nightbook config --init                            ~/.config/nightbook/config.yaml\n"
    "  nightbook config --feed kis                        is all there for a live night?\n"
    "\n"
    "Exit codes: 0 serve can start, 64 wrong use, 78 the configuration is broken or incomplete.\n";

typedef struct arguments {
    bool is_json, is_init, is_document;
    const char *path;
} arguments;

static void print_text(nb__text *text)
{
    if (text->data != NULL)
        fwrite(text->data, 1, text->size_bytes, stdout);
    nb__text_fini(text);
}

/* ---- --init ---- */

static nb_err make_directory_of(const char *path, nb_error *error)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return NB_OK;
    if (!nb__span_copy((nb_span){path, (size_t)(slash - path)}, directory, sizeof directory))
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.80s: too long", path);
    return access(directory, F_OK) == 0 ? NB_OK : nb__directory_make(directory, error);
}

/* Created by us or not at all: two at once cannot overwrite each other either. */
static nb_err write_new(const char *path, nb_span content, nb_error *error)
{
    nb_err err = make_directory_of(path, error);
    if (err != NB_OK)
        return err;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST)
        return nb__fail(error, NB_E_CONFIG, 0,
                        "%.100s: it is there already, and is left as it is; name another place: "
                        "nightbook config --init PATH",
                        path);
    if (fd < 0)
        return nb__fail(error, NB_E_SYSTEM, 0, "%.100s: %s", path, strerrordesc_np(errno));
    errno = ENOSPC; /* of a write that took a part */
    bool is_written = write(fd, content.data, content.size_bytes) == (ssize_t)content.size_bytes;
    int why = errno;
    is_written = close(fd) == 0 && is_written;
    if (is_written)
        return NB_OK;
    unlink(path);
    return nb__fail(error, NB_E_SYSTEM, 0, "%.100s: %s", path, strerrordesc_np(why));
}

static nb_err init(const nb__settings *settings, const char *given, nb_error *error)
{
    char directory[PATH_MAX], path[PATH_MAX];
    nb__text text = {0};
    if (given == NULL)
        given = nb__settings_text(settings, "config");
    if (given == NULL) {
        if (!nb__xdg_path("config", directory, sizeof directory) ||
            snprintf(path, sizeof path, "%s/config.yaml", directory) >= (int)sizeof path)
            return nb__fail(error, NB_E_ARGUMENT, 0,
                            "HOME is not set; name a place: nightbook config --init PATH");
        given = path;
    }
    nb__settings_print_template(&text);
    nb_err err = text.is_failed ? nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted")
                                : write_new(given, nb__text_view(&text), error);
    nb__text_fini(&text);
    if (err == NB_OK)
        printf("wrote %s, readable by you alone; every line is a comment with its default\n"
               "  live:  put `feed: kis` and your appkey into it (or leave the appkey in "
               "~/KIS/config/kis_devlp.yaml)\n"
               "  check: nightbook config\n",
               given);
    return err;
}

/* ---- the settings ---- */

/* What is there is printed even when it is not enough: the error says what is missing. */
static nb_err show(nb__settings *settings, bool is_json, nb_error *error)
{
    static nb__serve serve; /* 16 KiB; nothing of it is opened */
    nb__text text = {0};
    nb_err err = nb__configuration_read(settings, error);
    if (err != NB_OK)
        return err;
    nb__settings_print(settings, is_json, &text);
    print_text(&text);
    fflush(stdout);
    serve.settings = settings;
    err = nb__configuration_judge(settings, &serve.configuration, error);
    if (err == NB_OK)
        err = nb__serve_read_files(&serve, error);
    nb_calendar_free(serve.calendar);
    nb__text_wipe(&serve.client_key_text);
    return err;
}

static nb_err run(nb__settings *settings, const arguments *a, nb_error *error)
{
    nb__text text = {0};
    if (a->path != NULL && !a->is_init)
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.60s: a path goes with --init only", a->path);
    if (a->is_init)
        return init(settings, a->path, error);
    if (!a->is_document)
        return show(settings, a->is_json, error);
    nb__settings_print_document(&text);
    print_text(&text);
    return NB_OK;
}

int nb__command_config(int argc, char **argv)
{
    arguments a = {0};
    nb__settings *settings = nb__settings_new();
    nb_error error = {0};
    if (settings == NULL) {
        nb__fail(&error, NB_E_MEMORY, 0, "memory is exhausted");
        return nb__command_failed("config", &error);
    }
    nb__option options[4 + NB__OPTIONS_OF_SETTINGS_MAX] = {
        {"json", NULL, "print JSON", NB__OPTION_FLAG, &a.is_json, 0, 0},
        {"init", NULL, "write a commented file to PATH (default: nightbook's own file's place)",
         NB__OPTION_FLAG, &a.is_init, 0, 0},
        {"document", NULL, NULL, NB__OPTION_FLAG, &a.is_document, 0, 0}};
    nb__options_of_settings(settings, options + 3);
    const nb__usage usage = {"config", "[--json] [--init [PATH]] [OPTIONS of serve]", explanation,
                             options, 1};
    size_t operand_count = 0;
    int exit_code = nb__options_parse(&usage, argc, argv, &a.path, &operand_count);
    if (exit_code < 0) {
        nb_err err = run(settings, &a, &error);
        exit_code = err == NB_OK ? 0 : nb__command_failed("config", &error);
    }
    nb__settings_free(settings);
    return exit_code;
}
