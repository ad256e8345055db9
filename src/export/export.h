/* SPDX-License-Identifier: Apache-2.0 */
/**
 * export, L6: a recording into the formats people work with, and the record as a row that `decode`
 * and `tap` print.
 *
 *     recording ─▶ lines ─▶ frames ─▶ records ─▶ dated, decoded, through the books ─▶ a format
 *
 * One reading (reader.c) for all formats, so that they cannot differ in their numbers; a format
 * only writes down the rows it is given. What each format says and leaves out: docs/export.md.
 */
#ifndef NB_EXPORT_H
#define NB_EXPORT_H

#include "base/base.h"
#include "book/book.h"
#include "kis/kis.h"
#include "night/night.h"
#include "store/store.h"

/* ---- a record as a row (row.c): what `decode`, `tap`, csv and jsonl print ---- */

#define NB__ROW_FLAGS_MAX 12

typedef struct nb__row {
    nb_span tr_id;
    nb_span tr_key;   /**< the record's first field; empty when the payload is encrypted */
    int64_t recv_ns;  /**< NB_TIME_UNDEF: not known */
    int64_t event_ns; /**< NB_TIME_UNDEF: neither a receive time nor a date is known, or the record
                         has no time */
    int trade_date;   /**< NB_DATE_UNDEF with event_ns */
    bool is_calendar_known;               /**< false: the holiday file does not reach trade_date */
    const char *flags[NB__ROW_FLAGS_MAX]; /**< "drift" … */
    size_t flag_count;
    const nb_tr *tr; /**< NULL: an unknown TR, or an encrypted payload */
    bool is_encrypted;
    nb_span record,
        extra; /**< as on the wire; `extra` is what stands after the documented fields */
    bool has_extra;
    nb__value values[NB_FIELDS_MAX]; /**< tr->field_count of them */
} nb__row;

/**
 * Read one record of a frame into a row.
 *
 * @param record   One record; the payload when the frame is encrypted (it is not looked at).
 * @param recv_ns  NB_TIME_UNDEF when it is not known.
 * @param evening  Without a receive time: the date on which the record's night starts.
 * NB_DATE_UNDEF: not known either.
 * @retval NB_E_WIDTH, NB_E_FIELD, NB_E_RANGE  Offset in `record`; the row is not to be printed.
 */
nb_err nb__row_read(const nb_frame *frame, nb_span record, int64_t recv_ns, int evening,
                    const nb_calendar *calendar, nb__row *row, nb_error *error);

/** One flat JSON object and a newline. */
void nb__row_print_json(const nb__row *row, nb__text *out);
/** The columns' names and a newline, then the values: two rows of one TR have the same columns. */
void nb__row_print_csv_header(const nb__row *row, nb__text *out);
void nb__row_print_csv(const nb__row *row, nb__text *out);

/* ---- what a format is given ---- */

/** One record. Everything is borrowed for the call. */
typedef struct nb__export_row {
    const nb_frame *frame; /**< its head: tr_id, tr (NULL: unknown), is_encrypted, record_count */
    nb_span record;        /**< its bytes; the payload of an encrypted frame is never given */
    nb_span key;           /**< tr_key, its first field */
    int64_t recv_ns;       /**< UTC, as recorded */
    int64_t session_ns;    /**< the same by its link's stated clock; live: recv_ns */
    int64_t event_ns;      /**< exchange time; NB_TIME_UNDEF: it has none */
    int trade_date;        /**< YYYYMMDD; NB_DATE_UNDEF with event_ns */
    int night;             /**< YYYYMMDD of the recording's directory */
    uint32_t link;         /**< number of the session, as recorded */
    uint64_t
        frame_number; /**< from 1, over all data frames read within --from and --until, whatever
                         --codes and --tr choose */
    uint32_t record_index; /**< within its frame, from 0 */
    uint32_t code_index;   /**< dense, by first appearance among the rows given: index into
                              nb__export_survey.codes where the format asked for a survey */
    uint32_t flags; /**< NB_BOOK_*: as live for books; DRIFT and FAR_TIME also for other TRs */
    const nb_quote *quote; /**< of a book TR, after the books: recv_ns, event_ns and flags are set.
                              NULL: no book TR */
    bool is_resumed;       /**< the first book of its key, or the first after its link was down */
    const nb__row *row;    /**< every field's value, KIS names, and the flags as words. NULL unless
                              the format says needs_values */
} nb__export_row;

/* Normalised columns of a book, for formats with columns. The KIS names are tr->fields[].name,
 * their values row->values[]. */
typedef enum nb__export_type {
    NB__EXPORT_PRICE, /**< nb_price: 1e-9 points, NB_PRICE_UNDEF */
    NB__EXPORT_INT32, /**< int32_t, NB_INT32_UNDEF */
    NB__EXPORT_INT64  /**< int64_t, NB_INT_UNDEF */
} nb__export_type;
typedef struct nb__export_column {
    const char *name; /**< "ask_price_1", "ask_quantity_1", "ask_count_1" … "total_bid_change" */
    nb__export_type type;
    uint16_t quote_offset; /**< in nb_quote */
} nb__export_column;
extern const nb__export_column nb__export_columns[];
extern const size_t nb__export_column_count;

/** What a first reading found, for formats that must know before their first byte. */
typedef struct nb__export_survey_code {
    char code[16];
    int64_t session_first_ns, session_last_ns;
    uint64_t records;
} nb__export_survey_code;
typedef struct nb__export_survey_tr {
    char tr_id[NB_TR_ID_MAX + 1];
    const nb_tr *tr; /**< NULL: unknown, or its payload is encrypted */
    uint64_t records;
} nb__export_survey_tr;
typedef struct nb__export_survey {
    nb__export_survey_code *codes; /**< by first appearance */
    size_t code_count;
    nb__export_survey_tr trs[64]; /**< by first appearance; more are not listed */
    size_t tr_count;
    uint64_t frames, records;
    int64_t session_first_ns, session_last_ns; /**< NB_TIME_UNDEF: no record */
} nb__export_survey;

/** Where a format's bytes go (out.c): a temporary file beside OUT, or stdout; through zstd when OUT
 * ends in .zst. */
typedef struct nb__export_out nb__export_out;
/** Copied into a buffer. @retval NB_E_SYSTEM  Full disk …: the export ends. */
nb_err nb__export_out_write(nb__export_out *out, nb_span bytes, nb_error *error);

typedef struct nb__export_begin {
    nb__export_out *out; /**< NULL for a format that writes_path */
    const char *path; /**< a name beside OUT. A format that writes_path makes that file (it is not
                         there yet); the driver syncs it, renames it to OUT, or removes it. Others
                         may make files whose names begin with it, and remove them */
    const nb__export_survey *survey; /**< NULL unless the format needs_survey; valid until close */
    nb__feed_kind feed_kind;         /**< and night: of the recording's first segment */
    int night;
    const nb_calendar *calendar;
    const char
        *duckdb; /**< where the user says DuckDB's library is; NULL: look in the usual places */
    const volatile bool *stop; /**< the user wants an end: a long call may look at it and fail with
                                  NB_E_CLOSED */
} nb__export_begin;

typedef struct nb__export_format {
    const char *name;    /**< "parquet" */
    const char *summary; /**< one line for --help */
    bool needs_survey;   /**< the recording is read twice */
    bool needs_values;   /**< nb__export_row.row is filled */
    bool is_books_only;  /**< other rows are counted as left out, and not given */
    bool writes_path;    /**< it writes begin->path itself: no stdout, no .zst */
    bool is_streamed;    /**< may go to stdout */
    bool is_compressed;  /**< OUT.zst makes no sense */
    /** `*self` on NB_OK only. */
    nb_err (*open)(const nb__export_begin *begin, void **self, nb_error *error);
    nb_err (*record)(void *self, const nb__export_row *row, nb_error *error);
    /** The end: everything is handed to out or path. Frees `self` also on failure. */
    nb_err (*close)(void *self, nb_error *error);
    /** After any failure, instead of close: frees `self`. */
    void (*drop)(void *self);
} nb__export_format;

extern const nb__export_format nb__export_csv, nb__export_jsonl, nb__export_dbn, nb__export_npz,
    nb__export_parquet;
/** By name; NULL: there is none. */
const nb__export_format *nb__export_format_find(const char *name);
const nb__export_format *nb__export_format_at(size_t index); /**< NULL past the last */

/* ---- one export (export.c) ---- */

typedef struct nb__export_how {
    const char *path;                /**< a recording, as nb__recording_open() takes it */
    const nb__export_format *format; /**< */
    const char *out;                 /**< a path; "-": stdout */
    bool is_forced;                  /**< what stands at `out` is replaced */
    nb_span codes, trs;              /**< comma-separated; empty: all */
    nb_span from, until;             /**< as nb__night_time_parse() takes them; empty: open */
    const char *duckdb;              /**< NULL: usual places */
    const nb_calendar *calendar;
    const volatile bool *stop; /**< becomes true on a signal; NULL: never */
    /** Now and then; `part` 0–1 of this reading; `is_survey`: the first of two. May be NULL. */
    void (*progress)(void *self, bool is_survey, double part, uint64_t records);
    /** What was damaged or left out, in words, without a line end. May be NULL. */
    void (*note)(void *self, const char *words);
    void *self;
} nb__export_how;

typedef struct nb__export_counters {
    uint64_t frames, records, /**< records written */
        bad_frames,           /**< heads or strides that cannot be read */
        bad_records,          /**< records that cannot be decoded */
        left_out,             /**< of a format for books only: records of other TRs */
        encrypted,            /**< frames whose payload is never shown */
        unknown_tr,           /**< records of TRs that the schema does not know; written where the
                                 format can */
        far_times, drifted, unknown_dates, damages, bytes;
} nb__export_counters;

/**
 * Export. OUT appears whole or not at all.
 *
 * @param[out] counters  Also on failure.
 * @retval NB_OK  Also when the recording was damaged: counters->damages.
 * @retval NB_E_ARGUMENT  OUT exists, or does not fit the format; a time or code is none.
 * @retval NB_E_NOT_FOUND  No recording, or nothing in it that was asked for.
 * @retval NB_E_CLOSED  `stop` became true; nothing is left behind.
 * @retval NB_E_SYSTEM, NB_E_MEMORY, NB_E_VERSION
 */
nb_err nb__export(const nb__export_how *how, nb__export_counters *counters, nb_error *error);

#endif
