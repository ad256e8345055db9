/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the configuration: which files, and whether they may be read. A default file that is not
 * there is fine; a named one that is not, or any that is broken, is an error and never ignored. */
#include "configuration.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define FILE_MAX_BYTES ((size_t)64 << 10)

static const char *lookup(const char *name)
{
    return getenv(name);
}

static bool is_missing(const char *path)
{
    struct stat about; /* a link to nothing is there, and broken */
    return lstat(path, &about) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

static bool path_beside(char out[PATH_MAX], const char *what, const char *name)
{
    char directory[PATH_MAX];
    if (!nb__xdg_path(what, directory, sizeof directory))
        return false;
    return snprintf(out, PATH_MAX, "%s%s%s", directory, name[0] != '\0' ? "/" : "", name) <
           PATH_MAX;
}

/* ---- defaults that depend on the user's places and the feed ---- */

/* So that `nightbook config` says it: there is no such file, and none is needed. */
static nb_err say_missing(nb__settings *settings, const char *name, const char *path,
                          nb_error *error)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    return nb__settings_set(settings, name, copy, NB__FROM_DEFAULT, "default, not there", error);
}

static nb_err set_default(nb__settings *settings, const char *name, const char *text,
                          nb_error *error)
{
    if (nb__settings_is_given(settings, name))
        return NB_OK;
    return nb__settings_set(settings, name, text, NB__FROM_DEFAULT, NULL, error);
}

static nb_err set_default_path(nb__settings *settings, const char *name, const char *what,
                               const char *file, nb_error *error)
{
    char path[PATH_MAX];
    return path_beside(path, what, file) ? set_default(settings, name, path, error) : NB_OK;
}

static nb_err set_default_places(nb__settings *settings, nb_error *error)
{
    char path[PATH_MAX];
    const char *home = getenv("HOME");
    nb_err err = set_default_path(settings, "config", "config", "config.yaml", error);
    if (err == NB_OK)
        err = set_default_path(settings, "state-dir", "state", "", error);
    if (err == NB_OK)
        err = set_default_path(settings, "master-dir", "data", "masters", error);
    if (err == NB_OK && home != NULL && home[0] == '/' &&
        snprintf(path, sizeof path, "%s/KIS/config/kis_devlp.yaml", home) < (int)sizeof path)
        err = set_default(settings, "kis-devlp", path, error);
    return err;
}

/* A live feed is recorded by itself, another one when it is asked for. */
static nb_err set_default_journal(nb__settings *settings, bool is_kis, nb_error *error)
{
    nb__address ops;
    bool is_live = is_kis &&
                   nb__address_parse(nb__settings_text(settings, "ops"), &ops, NULL) == NB_OK &&
                   nb__configuration_is_kis(&ops);
    return is_live ? set_default_path(settings, "journal", "data", "journal", error)
                   : set_default(settings, "journal", NB__JOURNAL_NONE, error);
}

/* ---- files ---- */

/* A configuration that cannot be read is one kind of error, whoever says so. */
static nb_err fail_file(nb_error *error)
{
    if (error->code == NB_E_MEMORY)
        return error->code;
    error->code = NB_E_CONFIG;
    return NB_E_CONFIG;
}

static nb_err read_own_file(nb__settings *settings, nb_error *error)
{
    const char *path = nb__settings_text(settings, "config");
    bool is_named = nb__settings_is_given(settings, "config");
    nb__text text = {0};
    nb_error refusal = {.code = NB_OK}; /* others may read it: then it must hold no secret */
    if (path == NULL)
        return NB_OK;
    if (!is_named && is_missing(path))
        return say_missing(settings, "config", path, error);
    nb_err err = nb__file_read_own(path, FILE_MAX_BYTES, &text, &refusal, error);
    if (err == NB_OK)
        err = nb__settings_read_yaml(settings, nb__text_view(&text), path, error);
    else if (is_named)
        nb__fail_in(error, "--config");
    nb__text_wipe(&text);
    if (err == NB_OK && refusal.code != NB_OK && nb__settings_file_has_secrets(settings)) {
        *error = refusal;
        err = refusal.code;
    }
    return err == NB_OK ? NB_OK : fail_file(error);
}

static nb_err read_devlp(nb__settings *settings, nb_error *error)
{
    const char *path = nb__settings_text(settings, "kis-devlp");
    nb__text text = {0};
    if (path == NULL)
        return NB_OK;
    if (!nb__settings_is_given(settings, "kis-devlp") && is_missing(path))
        return say_missing(settings, "kis-devlp", path, error);
    nb_err err = nb__file_read_secret(path, FILE_MAX_BYTES, &text, error);
    if (err == NB_OK)
        err = nb__settings_read_devlp(settings, nb__text_view(&text), path, error);
    nb__text_wipe(&text);
    return err == NB_OK ? NB_OK : fail_file(error);
}

/* ---- no core file while a secret may be in memory ---- */

typedef struct cores {
    struct rlimit limit;
    int is_dumpable;
} cores;

static cores cores_forbid(void)
{
    cores before = {{RLIM_INFINITY, RLIM_INFINITY}, prctl(PR_GET_DUMPABLE)};
    getrlimit(RLIMIT_CORE, &before.limit);
    (void)prctl(PR_SET_DUMPABLE, 0);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, before.limit.rlim_max});
    return before;
}

static void cores_allow(const cores *before)
{
    setrlimit(RLIMIT_CORE, &before->limit);
    (void)prctl(PR_SET_DUMPABLE, before->is_dumpable);
}

const char *nb__configuration_path(const nb__settings *settings)
{
    const char *path = nb__settings_text(settings, "config");
    return path != NULL ? path : "";
}

nb_err nb__configuration_read(nb__settings *settings, nb_error *error)
{
    const nb__appkey *appkeys;
    cores before = cores_forbid();
    nb_err err = set_default_places(settings, error);
    if (err == NB_OK)
        err = read_own_file(settings, error);
    if (err != NB_OK)
        return err;
    bool is_kis = strcmp(nb__settings_text(settings, "feed"), "kis") == 0;
    if (is_kis)
        err = nb__settings_read_environment(settings, lookup, error);
    if (err == NB_OK && is_kis && nb__settings_appkeys(settings, &appkeys) == 0)
        err = read_devlp(settings, error);
    if (err == NB_OK)
        err =
            set_default(settings, "listen", is_kis ? "127.0.0.1:21000" : "127.0.0.1:31000", error);
    if (err == NB_OK)
        err = set_default_journal(settings, is_kis, error);
    if (err == NB_OK && strcmp(nb__settings_text(settings, "feed"), "sim") != 0)
        err = set_default(settings, "slots", "41", error);
    if (err == NB_OK && !is_kis && !nb__settings_file_has_secrets(settings))
        cores_allow(&before);
    return err;
}
