/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of batches between the driver, who has rows, and DuckDB, who asks for them in a table
 * function of ours and writes them into the file.
 *
 *     copy_take(), copy_hand_over() ─▶ ring of BATCHES ─▶ next_rows() ─▶ COPY … TO path
 *     the driver's thread ············· mutex ············ DuckDB's thread
 *
 * A batch is the driver's from take to hand-over and DuckDB's from then until it is given back.
 * Order is file order, since one thread asks. Memory is the ring and a row group or two, however
 * long the night.
 */
#include "copy.h"
#include <nightbook/nightbook.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* ---- the ring ---- */

/* Wait for an empty batch. @retval NB_E_…  DuckDB has failed: its words. */
nb_err copy_take(copy *c, nb_error *error)
{
    nb_err err = NB_OK;
    pthread_mutex_lock(&c->mutex);
    while (c->filled - c->emptied == BATCHES && !c->is_over)
        pthread_cond_wait(&c->changed, &c->mutex);
    if (c->is_over) {
        err = c->result != NB_OK ? c->result : NB_E_INTERNAL;
        *error = c->result_error;
    }
    batch *b = &c->batches[c->filled % BATCHES];
    pthread_mutex_unlock(&c->mutex);
    if (err != NB_OK)
        return err;
    for (uint32_t i = 0; i < c->column_count; i++)
        memset(b->columns[i].has, 0, sizeof b->columns[i].has);
    nb__text_clear(&b->texts);
    b->rows = 0;
    c->filling = b;
    return NB_OK;
}

void copy_hand_over(copy *c)
{
    c->filling = NULL;
    pthread_mutex_lock(&c->mutex);
    c->filled++;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mutex);
}

/* On DuckDB's thread. @return NULL: that was all, or it was dropped. */
static const batch *take_filled(copy *c, bool *is_dropped)
{
    pthread_mutex_lock(&c->mutex);
    while (c->filled == c->emptied && !c->is_ended && !c->is_dropped)
        pthread_cond_wait(&c->changed, &c->mutex);
    const batch *b =
        c->is_dropped || c->filled == c->emptied ? NULL : &c->batches[c->emptied % BATCHES];
    *is_dropped = c->is_dropped;
    pthread_mutex_unlock(&c->mutex);
    return b;
}

static void give_back(copy *c)
{
    pthread_mutex_lock(&c->mutex);
    c->emptied++;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mutex);
}

/* ---- rows out: on DuckDB's thread ---- */

static duck_type type_of(const column *c)
{
    switch (c->kind) {
    case CELL_DECIMAL:
        return duck_calls.create_decimal_type(DECIMAL_WIDTH, DECIMAL_SCALE);
    case CELL_INT64:
        return duck_calls.create_logical_type(DUCK_BIGINT);
    case CELL_INT32:
        return duck_calls.create_logical_type(c->is_date ? DUCK_DATE : DUCK_INTEGER);
    case CELL_TIME:
        return duck_calls.create_logical_type(DUCK_TIMESTAMP_TZ);
    case CELL_TEXT:
        break;
    }
    return duck_calls.create_logical_type(DUCK_VARCHAR);
}

static void tell_columns(duck_info info)
{
    const copy *c = duck_calls.bind_get_extra_info(info);
    for (uint32_t i = 0; i < c->column_count; i++) {
        duck_type type = type_of(&c->columns[i]);
        duck_calls.bind_add_result_column(info, c->columns[i].name, type);
        duck_calls.destroy_logical_type(&type);
    }
}

static void tell_threads(duck_info info)
{
    duck_calls.init_set_max_threads(info, 1);
}

static void copy_texts(duck_vector vector, const batch *b, const cells *from)
{
    for (uint32_t row = 0; row < b->rows; row++) {
        if ((from->has[row / 64] >> row % 64 & 1) == 0)
            continue;
        text_cell text = from->data.texts[row];
        duck_calls.vector_assign_string_element_len(vector, row, b->texts.data + text.offset,
                                                    text.size_bytes);
    }
}

static void copy_cells(duck_vector vector, const batch *b, const column *c, const cells *from)
{
    if (c->kind == CELL_TEXT)
        copy_texts(vector, b, from);
    else if (c->kind == CELL_INT32)
        memcpy(duck_calls.vector_get_data(vector), from->data.small, b->rows * sizeof(int32_t));
    else
        memcpy(duck_calls.vector_get_data(vector), from->data.numbers, b->rows * sizeof(int64_t));
    duck_calls.vector_ensure_validity_writable(vector);
    memcpy(duck_calls.vector_get_validity(vector), from->has, sizeof from->has);
}

static void next_rows(duck_info info, duck_chunk chunk)
{
    copy *c = duck_calls.function_get_extra_info(info);
    bool is_dropped = false;
    const batch *b = take_filled(c, &is_dropped);
    if (is_dropped)
        duck_calls.function_set_error(info, "the export was ended");
    if (b == NULL) {
        duck_calls.data_chunk_set_size(chunk, 0); /* the end */
        return;
    }
    for (uint32_t i = 0; i < c->column_count; i++)
        copy_cells(duck_calls.data_chunk_get_vector(chunk, i), b, &c->columns[i], &b->columns[i]);
    duck_calls.data_chunk_set_size(chunk, b->rows);
    give_back(c);
}

static void *run_copy(void *self)
{
    copy *c = self;
    nb_error error = {0};
    nb_err err = duck_run(c->connection, c->sql, &error);
    pthread_mutex_lock(&c->mutex);
    c->is_over = true;
    c->result = err;
    c->result_error = error;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

/* ---- the whole ---- */

static void append_quoted(nb__text *sql, const char *text)
{
    nb__text_string(sql, "'");
    for (; *text != '\0'; text++)
        nb__text_append(sql, *text == '\'' ? "''" : text, *text == '\'' ? 2 : 1);
    nb__text_string(sql, "'");
}

static nb_err say_copy(copy *c, const nb__export_begin *begin, nb_error *error)
{
    nb__text sql = {0};
    nb__text_string(&sql, "COPY (SELECT * FROM nightbook_rows()) TO ");
    append_quoted(&sql, begin->path);
    nb__text_string(&sql, " (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 122880, "
                          "USE_TMP_FILE false, KV_METADATA {nightbook: ");
    append_quoted(&sql, nb_version());
    nb__text_string(&sql, ", feed: ");
    append_quoted(&sql, nb__feed_kind_banner(begin->feed_kind));
    nb__text_printf(&sql, ", night: '%d'})", begin->night);
    if (sql.is_failed) {
        nb__text_fini(&sql);
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    }
    c->sql = sql.data;
    return NB_OK;
}

static nb_err register_rows(copy *c, nb_error *error)
{
    duck_function function = duck_calls.create_table_function();
    duck_calls.table_function_set_name(function, "nightbook_rows");
    duck_calls.table_function_set_extra_info(function, c, NULL);
    duck_calls.table_function_set_bind(function, tell_columns);
    duck_calls.table_function_set_init(function, tell_threads);
    duck_calls.table_function_set_function(function, next_rows);
    int state = duck_calls.register_table_function(c->connection, function);
    duck_calls.destroy_table_function(&function);
    return state == DUCK_OK ? NB_OK
                            : nb__fail(error, NB_E_SYSTEM, 0, "DuckDB refuses a table function");
}

static nb_err make_batches(copy *c, nb_error *error)
{
    for (size_t i = 0; i < BATCHES; i++) {
        c->batches[i].columns = calloc(c->column_count, sizeof(cells));
        if (c->batches[i].columns == NULL)
            return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    }
    return NB_OK;
}

/* Signals are the driver's thread's. */
static nb_err start_copy(copy *c, nb_error *error)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int reason = pthread_create(&c->thread, NULL, run_copy, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    c->is_running = reason == 0;
    return reason == 0 ? NB_OK
                       : nb__fail(error, NB_E_SYSTEM, 0, "a thread: %s", strerrordesc_np(reason));
}

static void end_copy(copy *c, bool is_dropped)
{
    if (!c->is_running)
        return;
    pthread_mutex_lock(&c->mutex);
    c->is_ended = true;
    c->is_dropped = is_dropped;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mutex);
    pthread_join(c->thread, NULL);
    c->is_running = false;
}

nb_err copy_open(copy *c, const nb__export_begin *begin, nb_error *error)
{
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->changed, NULL);
    nb_err err = duck_load(begin->duckdb, error);
    if (err == NB_OK && duck_calls.vector_size() != ROWS)
        err = nb__fail(error, NB_E_CONFIG, 0, "this DuckDB works with other vectors than %d rows",
                       ROWS);
    if (err == NB_OK)
        err = make_batches(c, error);
    if (err == NB_OK)
        err = say_copy(c, begin, error);
    if (err == NB_OK)
        err = duck_open(&c->database, &c->connection, error);
    if (err == NB_OK)
        err = register_rows(c, error);
    return err == NB_OK ? start_copy(c, error) : err;
}

nb_err copy_close(copy *c, bool is_dropped, nb_error *error)
{
    end_copy(c, is_dropped);
    nb_err err = c->result;
    if (err != NB_OK && error != NULL)
        *error = c->result_error;
    if (c->connection != NULL)
        duck_calls.disconnect(&c->connection);
    if (c->database != NULL)
        duck_calls.close(&c->database);
    for (size_t i = 0; i < BATCHES; i++) {
        nb__text_fini(&c->batches[i].texts);
        free(c->batches[i].columns);
    }
    pthread_mutex_destroy(&c->mutex);
    pthread_cond_destroy(&c->changed);
    free(c->sql);
    return err;
}
