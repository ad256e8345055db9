/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DuckDB's C library, loaded at run time: the calls that parquet.c makes, and no more.
 *
 * Its own header is not in this tree and not needed to build: the calls stand here with their types
 * as DuckDB 1.5 documents them (duckdb.h, "stable since v0.3–v1.1"). Nothing of DuckDB is linked; a
 * machine without it lacks Parquet only.
 */
#ifndef NB_EXPORT_DUCKDB_H
#define NB_EXPORT_DUCKDB_H

#include "base/base.h"

#define DUCK_VERSION "1.5" /* major.minor; tests/integration/package.json pins the whole */
#define DUCK_PACKAGE "@duckdb/node-bindings-linux-x64@1.5.6-r.1"
#define DUCK_OK 0

typedef uint64_t duck_index;
typedef struct duck_database_ *duck_database;
typedef struct duck_connection_ *duck_connection;
typedef struct duck_config_ *duck_config;
typedef struct duck_function_ *duck_function;
typedef struct duck_type_ *duck_type;
typedef struct duck_chunk_ *duck_chunk;
typedef struct duck_vector_ *duck_vector;
typedef struct duck_info_ *duck_info; /* of bind, init and function: three types over there */

/* duckdb_result: six words, of which only the library reads any. */
typedef struct duck_result {
    duck_index deprecated_counts[3];
    void *deprecated_columns;
    char *deprecated_error;
    void *internal;
} duck_result;

/* duckdb_type, as far as used */
typedef enum duck_type_id {
    DUCK_INTEGER = 4,
    DUCK_BIGINT = 5,
    DUCK_DATE = 13,
    DUCK_VARCHAR = 17,
    DUCK_TIMESTAMP_TZ = 31
} duck_type_id;

/* X(what it returns, name without duckdb_, arguments) */
#define DUCK_CALLS(X)                                                                              \
    X(const char *, library_version, (void))                                                       \
    X(void, free, (void *memory))                                                                  \
    X(duck_index, vector_size, (void))                                                             \
    X(int, create_config, (duck_config * out))                                                     \
    X(int, set_config, (duck_config config, const char *name, const char *value))                  \
    X(void, destroy_config, (duck_config * config))                                                \
    X(int, open_ext,                                                                               \
      (const char *path, duck_database *out, duck_config config, char **error_to_free))            \
    X(void, close, (duck_database * database))                                                     \
    X(int, connect, (duck_database database, duck_connection * out))                               \
    X(void, disconnect, (duck_connection * connection))                                            \
    X(int, query, (duck_connection connection, const char *sql, duck_result *out))                 \
    X(const char *, result_error, (duck_result * result))                                          \
    X(void, destroy_result, (duck_result * result))                                                \
    X(duck_function, create_table_function, (void))                                                \
    X(void, destroy_table_function, (duck_function * function))                                    \
    X(void, table_function_set_name, (duck_function function, const char *name))                   \
    X(void, table_function_set_extra_info,                                                         \
      (duck_function function, void *extra, void (*destroy)(void *extra)))                         \
    X(void, table_function_set_bind, (duck_function function, void (*bind)(duck_info)))            \
    X(void, table_function_set_init, (duck_function function, void (*init)(duck_info)))            \
    X(void, table_function_set_function,                                                           \
      (duck_function function, void (*rows)(duck_info, duck_chunk)))                               \
    X(int, register_table_function, (duck_connection connection, duck_function function))          \
    X(void *, bind_get_extra_info, (duck_info info))                                               \
    X(void, bind_add_result_column, (duck_info info, const char *name, duck_type type))            \
    X(void, init_set_max_threads, (duck_info info, duck_index threads))                            \
    X(void *, function_get_extra_info, (duck_info info))                                           \
    X(void, function_set_error, (duck_info info, const char *words))                               \
    X(duck_type, create_logical_type, (int type_id))                                               \
    X(duck_type, create_decimal_type, (uint8_t width, uint8_t scale))                              \
    X(void, destroy_logical_type, (duck_type * type))                                              \
    X(duck_vector, data_chunk_get_vector, (duck_chunk chunk, duck_index column))                   \
    X(void, data_chunk_set_size, (duck_chunk chunk, duck_index rows))                              \
    X(void *, vector_get_data, (duck_vector vector))                                               \
    X(void, vector_ensure_validity_writable, (duck_vector vector))                                 \
    X(uint64_t *, vector_get_validity, (duck_vector vector))                                       \
    X(void, vector_assign_string_element_len,                                                      \
      (duck_vector vector, duck_index row, const char *text, duck_index size_bytes))

typedef struct duck {
#define DUCK_MEMBER(returns, name, arguments) returns(*name) arguments;
    DUCK_CALLS(DUCK_MEMBER)
#undef DUCK_MEMBER
} duck;

/** The calls; valid after duck_load(). One library a process: DuckDB's callbacks bring us no
 * pointer of ours before a call is made. */
extern duck duck_calls;

/**
 * Load the library and find its calls. The first one that loads stays until the process ends.
 *
 * @param path  The file, absolute or from here; NULL: $libdir/nightbook/libduckdb.so.
 * @retval NB_E_NOT_FOUND  No such file: words say where it comes from and where it belongs.
 * @retval NB_E_CONFIG     It is another major.minor than DUCK_VERSION, or lacks a call.
 * @retval NB_E_SYSTEM     It is no library that this machine loads.
 */
nb_err duck_load(const char *path, nb_error *error);

/**
 * A database in memory that reaches for nothing: no extension is installed or loaded by itself, no
 * spill file, no secrets in the home directory.
 */
nb_err duck_open(duck_database *database, duck_connection *connection, nb_error *error);

/** Run one statement. `error` gets DuckDB's words. */
nb_err duck_run(duck_connection connection, const char *sql, nb_error *error);

#endif
