/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows by columns into a Parquet file: the way from the driver's thread to DuckDB's (copy.c).
 */
#ifndef NB_EXPORT_COPY_H
#define NB_EXPORT_COPY_H

#include "duckdb.h"
#include "export.h"
#include <pthread.h>

#define ROWS 2048  /* DuckDB's vector; looked at when it is loaded */
#define BATCHES 64 /* a row group: rows are read while DuckDB compresses those before */
#define COLUMNS_MAX 1024
#define DECIMAL_WIDTH 18
#define DECIMAL_SCALE 9
#define NAME_BYTES 64

typedef enum cell_kind { CELL_TEXT, CELL_INT64, CELL_INT32, CELL_DECIMAL, CELL_TIME } cell_kind;

typedef struct column {
    char name[NAME_BYTES];
    cell_kind kind;
    bool is_date; /* CELL_INT32: days since 1970 */
} column;

typedef struct text_cell {
    uint32_t offset, size_bytes; /* in the batch's texts */
} text_cell;

/* A column of a batch: up to 8 bytes a row, and which rows have a value. */
typedef struct cells {
    union {
        int64_t numbers[ROWS]; /* INT64, DECIMAL in 1e-9, TIME in microseconds */
        int32_t small[ROWS];
        text_cell texts[ROWS];
    } data;
    uint64_t has[ROWS / 64];
} cells;

typedef struct batch {
    uint32_t rows;
    nb__text texts; /* valid UTF-8 */
    cells *columns; /* column_count of them */
} batch;

typedef struct copy {
    column columns[COLUMNS_MAX]; /* filled before copy_open() */
    uint32_t column_count;
    batch *filling; /* the driver's; NULL: the next is not taken yet */

    /* private */
    duck_database database;
    duck_connection connection;
    char *sql;
    pthread_t thread;
    bool is_running;
    batch batches[BATCHES];
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    uint64_t filled, emptied;           /* batches since the start; filled - emptied wait */
    bool is_ended, is_dropped, is_over; /* no more comes; fail; DuckDB has finished, or failed */
    nb_err result;
    nb_error result_error;
} copy;

/** Load DuckDB and let it begin. Whatever it returns, copy_close() follows. */
nb_err copy_open(copy *c, const nb__export_begin *begin, nb_error *error);
/** The next empty batch into `filling`; waits while all are full. @retval NB_E_SYSTEM …  DuckDB has
 * failed: its words. */
nb_err copy_take(copy *c, nb_error *error);
/** `filling` is full, or the last. */
void copy_hand_over(copy *c);
/** The file is whole on NB_OK. Everything is freed. */
nb_err copy_close(copy *c, bool is_dropped, nb_error *error);

#endif
