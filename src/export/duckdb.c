/* SPDX-License-Identifier: Apache-2.0 */
/* Loading DuckDB: from one absolute path, of one version, cut off from all it would do by itself.
 */
#include "duckdb.h"
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef NB_LIBDIR
#define NB_LIBDIR "/usr/local/lib"
#endif
#define USUAL_PLACE NB_LIBDIR "/nightbook/libduckdb.so"

duck duck_calls;

static nb_err absent(const char *path, int reason, nb_error *error)
{
    return nb__fail(error, NB_E_NOT_FOUND, 0,
                    "%.110s: %s. DuckDB's library writes Parquet: `script/setup --duckdb`, or "
                    "npm install " DUCK_PACKAGE " and --duckdb PATH/libduckdb.so",
                    path, strerrordesc_np(reason));
}

/* "v1.5.6" is of 1.5. */
static bool is_our_version(const char *version)
{
    size_t size = strlen(DUCK_VERSION);
    version += *version == 'v';
    return strncmp(version, DUCK_VERSION, size) == 0 && version[size] == '.';
}

static nb_err find_calls(void *library, const char *path, nb_error *error)
{
    duck calls;
    const char *missing = NULL;
#define DUCK_FIND(returns, name, arguments)                                                        \
    {                                                                                              \
        void *symbol = dlsym(library, "duckdb_" #name);                                            \
        missing = symbol == NULL ? #name : missing;                                                \
        memcpy(&calls.name, &symbol, sizeof symbol);                                               \
    }
    DUCK_CALLS(DUCK_FIND)
#undef DUCK_FIND
    if (calls.library_version == NULL)
        return nb__fail(error, NB_E_CONFIG, 0, "%.200s is a library, but not DuckDB's", path);
    const char *version = calls.library_version();
    if (!is_our_version(version))
        return nb__fail(error, NB_E_CONFIG, 0,
                        "%.110s is DuckDB %.20s; nightbook works with " DUCK_VERSION
                        " (npm install " DUCK_PACKAGE ")",
                        path, version);
    if (missing != NULL)
        return nb__fail(error, NB_E_CONFIG, 0, "%.200s lacks duckdb_%s", path, missing);
    duck_calls = calls;
    return NB_OK;
}

nb_err duck_load(const char *path, nb_error *error)
{
    char absolute[PATH_MAX];
    if (duck_calls.library_version != NULL)
        return NB_OK;
    if (path == NULL || path[0] == '\0')
        path = USUAL_PLACE;
    if (realpath(path, absolute) == NULL) /* a bare name would be searched for by dlopen() */
        return absent(path, errno, error);
    void *library = dlopen(absolute, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *words = dlerror();
        return nb__fail(error, NB_E_SYSTEM, 0, "DuckDB's library cannot be loaded: %.300s",
                        words == NULL ? absolute : words);
    }
    return find_calls(library, absolute, error); /* it is never unloaded: it has threads */
}

/* What it would otherwise do by itself. threads: rows come in order, from one thread. */
static const char *const settings[][2] = {
    {"threads", "1"},
    {"memory_limit", "512MB"},
    {"preserve_insertion_order", "true"},
    {"autoinstall_known_extensions", "false"},
    {"autoload_known_extensions", "false"},
    {"allow_community_extensions", "false"},
    {"allow_persistent_secrets", "false"},
    {"temp_directory", ""},
};

nb_err duck_open(duck_database *database, duck_connection *connection, nb_error *error)
{
    const duck *calls = &duck_calls;
    duck_config config = NULL;
    char *words = NULL;
    nb_err err = NB_OK;
    if (calls->create_config(&config) != DUCK_OK)
        return nb__fail(error, NB_E_MEMORY, 0, "DuckDB gives no configuration");
    for (size_t i = 0; err == NB_OK && i < NB__COUNT_OF(settings); i++)
        if (calls->set_config(config, settings[i][0], settings[i][1]) != DUCK_OK)
            err = nb__fail(error, NB_E_CONFIG, 0, "DuckDB does not know the setting %s",
                           settings[i][0]);
    if (err == NB_OK && calls->open_ext(NULL, database, config, &words) != DUCK_OK)
        err = nb__fail(error, NB_E_SYSTEM, 0, "DuckDB does not start: %.300s",
                       words == NULL ? "it does not say why" : words);
    if (words != NULL)
        calls->free(words);
    calls->destroy_config(&config);
    if (err != NB_OK || calls->connect(*database, connection) == DUCK_OK)
        return err;
    calls->close(database);
    return nb__fail(error, NB_E_SYSTEM, 0, "DuckDB starts, but gives no connection");
}

nb_err duck_run(duck_connection connection, const char *sql, nb_error *error)
{
    const duck *calls = &duck_calls;
    duck_result result;
    nb_err err = NB_OK;
    memset(&result, 0, sizeof result);
    if (calls->query(connection, sql, &result) != DUCK_OK) {
        const char *words = calls->result_error(&result);
        err = nb__fail(error, NB_E_SYSTEM, 0, "DuckDB: %.300s",
                       words == NULL ? "it does not say why" : words);
    }
    calls->destroy_result(&result);
    return err;
}
