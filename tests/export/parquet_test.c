/* SPDX-License-Identifier: Apache-2.0 */
/* parquet: rows in, a file out, read back by DuckDB itself, value by value. Needs the library that
 * `npm ci` in tests/integration brings; without it only what is said of its absence is tested. */
#include "export/export.h"
#include "guard.h"
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY                                                                                    \
    NB_SOURCE_DIR                                                                                  \
    "/tests/integration/node_modules/@duckdb/node-bindings-linux-x64/libduckdb.so"
#define OPTION "H0EUASP0"
#define FUTURE "H0MFASP0"
#define T0 INT64_C(1795424400123456789) /* 2026-11-23 18:00 KST and a bit */
#define MANY 130000                     /* more than a row group of 122880 */

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
/* DuckDB is built without it: what its threads do to one another looks like races. Ours stay. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libduckdb.so\ncalled_from_lib:libstdc++.so\n";
}
#endif
#endif

static char folder[] = "/tmp/nb-parquet-XXXXXX";

/* DuckDB's older, convenient calls, for reading: not those under test */
typedef struct reader {
    void *library, *database, *connection;
    struct {
        uint64_t deprecated[3];
        void *pointers[3];
    } result;
    int (*open)(const char *path, void **out);
    int (*connect)(void *database, void **out);
    int (*query)(void *connection, const char *sql, void *result);
    char *(*value_varchar)(void *result, uint64_t column, uint64_t row);
    uint64_t (*row_count)(void *result);
    void (*destroy_result)(void *result);
    void (*release)(void *memory);
    void (*disconnect)(void **connection);
    void (*close)(void **database);
} reader;

static void *call(const reader *r, const char *name)
{
    void *symbol = dlsym(r->library, name);
    assert_non_null(symbol);
    return symbol;
}

#define CALL(r, member, name)                                                                      \
    do {                                                                                           \
        void *symbol_ = call(r, name);                                                             \
        memcpy(&(r)->member, &symbol_, sizeof symbol_);                                            \
    } while (0)

static void reader_open(reader *r)
{
    *r = (reader){.library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL)};
    assert_non_null(r->library);
    CALL(r, open, "duckdb_open");
    CALL(r, connect, "duckdb_connect");
    CALL(r, query, "duckdb_query");
    CALL(r, value_varchar, "duckdb_value_varchar");
    CALL(r, row_count, "duckdb_row_count");
    CALL(r, destroy_result, "duckdb_destroy_result");
    CALL(r, release, "duckdb_free");
    CALL(r, disconnect, "duckdb_disconnect");
    CALL(r, close, "duckdb_close");
    assert_int_equal(r->open(NULL, &r->database), 0);
    assert_int_equal(r->connect(r->database, &r->connection), 0);
    assert_int_equal(r->query(r->connection, "SET TimeZone = 'Asia/Seoul'", &r->result), 0);
    r->destroy_result(&r->result);
}

static void reader_close(reader *r)
{
    r->disconnect(&r->connection);
    r->close(&r->database);
}

/* One value of one row, as text; "NULL". FILE in the question is the file, quoted. */
static void expect(reader *r, const char *question, const char *path, const char *wanted)
{
    char sql[1024];
    const char *file = strstr(question, "FILE");
    snprintf(sql, sizeof sql, "%.*s'%s'%s", (int)(file - question), question, path, file + 4);
    assert_int_equal(r->query(r->connection, sql, &r->result), 0);
    assert_int_equal(r->row_count(&r->result), 1);
    char *got = r->value_varchar(&r->result, 0, 0);
    assert_string_equal(got == NULL ? "NULL" : got, wanted);
    r->release(got);
    r->destroy_result(&r->result);
}

/* ---- rows ---- */

typedef struct rows {
    const nb__export_format *format;
    void *self;
    nb__export_survey survey;
    char path[128];
    nb_frame frame;
    nb_quote quote;
    nb__row row;
    nb_error error;
} rows;

static void rows_survey(rows *r, const char *const *trs, size_t count)
{
    memset(r, 0, sizeof *r);
    r->format = &nb__export_parquet;
    for (size_t i = 0; i < count; i++) {
        nb__export_survey_tr *tr = &r->survey.trs[r->survey.tr_count++];
        snprintf(tr->tr_id, sizeof tr->tr_id, "%s", trs[i]);
        tr->tr = nb_tr_find(nb__span(trs[i]));
    }
}

static nb_err rows_open(rows *r, const char *name, const char *library)
{
    snprintf(r->path, sizeof r->path, "%s/%s", folder, name);
    nb__export_begin begin = {.path = r->path,
                              .survey = &r->survey,
                              .feed_kind = NB__FEED_SIM,
                              .night = 20261123,
                              .calendar = nb_calendar_builtin(),
                              .duckdb = library};
    return r->format->open(&begin, &r->self, &r->error);
}

static nb_err rows_put(rows *r, const char *tr_id, const char *record, int64_t recv_ns)
{
    r->frame = (nb_frame){.tr_id = nb__span(tr_id), .tr = nb_tr_find(nb__span(tr_id))};
    r->frame.payload = nb__span(record);
    r->frame.record_count = 1;
    assert_int_equal(nb__row_read(&r->frame, r->frame.payload, recv_ns, NB_DATE_UNDEF,
                                  nb_calendar_builtin(), &r->row, &r->error),
                     NB_OK);
    nb__export_row row = {.frame = &r->frame,
                          .record = r->frame.payload,
                          .key = nb_record_key(r->frame.payload),
                          .recv_ns = recv_ns,
                          .session_ns = recv_ns,
                          .event_ns = r->row.event_ns,
                          .trade_date = r->row.trade_date,
                          .row = &r->row};
    if (r->frame.tr != NULL && r->frame.tr->is_book) {
        assert_int_equal(nb_quote_decode(r->frame.tr, row.record, &r->quote, &r->error), NB_OK);
        row.quote = &r->quote;
    }
    return r->format->record(r->self, &row, &r->error);
}

/* An option's book: `price` of the best ask, levels below it empty, the rest as KIS sends it. */
static const char *book(const char *key, const char *price, int quantity)
{
    static char record[512];
    snprintf(record, sizeof record,
             "%s^180001^%s^0.00^0.00^0.00^0.00^1080.00^0.00^0.00^0.00^0.00^"
             "0^0^0^0^0^0^0^0^0^0^%d^0^0^0^0^3^0^0^0^0^0^0^%d^3^-7^0",
             key, price, quantity, quantity);
    return record;
}

static void test_values(void **state)
{
    static const char *const trs[] = {OPTION, FUTURE, "H0EUCNT0"};
    rows *r = calloc(1, sizeof *r);
    reader d;
    (void)state;
    if (access(LIBRARY, R_OK) != 0)
        skip();
    rows_survey(r, trs, 3);
    assert_int_equal(rows_open(r, "it's.parquet", LIBRARY), NB_OK);
    assert_int_equal(rows_put(r, OPTION, book("B01610A45", "1080.30", 12), T0), NB_OK);
    assert_int_equal(rows_put(r, OPTION, book("B01610A48", "0.000000001", 0), T0 + 1), NB_OK);
    assert_int_equal(rows_put(r, OPTION, book("B01610A48", "0.00", 0), T0 + 2), NB_OK);
    assert_int_equal(rows_put(r, FUTURE, book("A01609", "999999999.999999999", 5), T0 + 3), NB_OK);
    assert_int_equal(rows_put(r, "H0EUCNT0", "B01610A45^180002^x\xFFy^한글", T0 + 4), NB_OK);
    assert_int_equal(r->format->close(r->self, &r->error), NB_OK);

    char path[64];
    snprintf(path, sizeof path, "%s/it''s.parquet", folder);
    reader_open(&d);
    expect(&d, "SELECT count(*) FROM FILE", path, "5");
    expect(&d, "SELECT string_agg(recv_ns, ' ') FROM FILE", path,
           "1795424400123456789 1795424400123456790 1795424400123456791 1795424400123456792 "
           "1795424400123456793");
    expect(&d, "SELECT typeof(recv)||typeof(event)||typeof(trade_date) FROM FILE LIMIT 1", path,
           "TIMESTAMP WITH TIME ZONETIMESTAMP WITH TIME ZONEDATE");
    expect(&d, "SELECT recv::VARCHAR FROM FILE LIMIT 1", path, "2026-11-23 18:00:00.123456+09");
    expect(&d, "SELECT event::VARCHAR FROM FILE LIMIT 1", path, "2026-11-23 18:00:01+09");
    expect(&d, "SELECT event_ns FROM FILE LIMIT 1", path, "1795424401000000000");
    expect(&d, "SELECT trade_date::VARCHAR FROM FILE LIMIT 1", path, "2026-11-24");
    expect(&d, "SELECT typeof(optn_askp1) FROM FILE LIMIT 1", path, "DECIMAL(18,9)");
    expect(&d, "SELECT string_agg(coalesce(optn_askp1::VARCHAR, '-'), ' ') FROM FILE", path,
           "1080.300000000 0.000000001 - - -");
    expect(&d, "SELECT string_agg(coalesce(futs_askp1::VARCHAR, '-'), ' ') FROM FILE", path,
           "- - - 999999999.999999999 -");
    expect(&d, "SELECT string_agg(coalesce(ask_price_1::VARCHAR, '-'), ' ') FROM FILE", path,
           "1080.300000000 0.000000001 - 999999999.999999999 -");
    expect(&d, "SELECT string_agg(coalesce(ask_quantity_1::VARCHAR, '-'), ' ') FROM FILE", path,
           "12 0 0 5 -");
    expect(&d, "SELECT string_agg(coalesce(total_askp_rsqn_icdc::VARCHAR, '-'), ' ') FROM FILE",
           path, "-7 -7 -7 -7 -");
    expect(&d, "SELECT count(askp_csnu1) FROM FILE", path, "0"); /* 0: not told */
    expect(&d, "SELECT string_agg(coalesce(bsop_hour, '-'), ' ') FROM FILE", path,
           "180001 180001 180001 180001 -");
    expect(&d, "SELECT string_agg(tr_id || tr_key || flags, ' ') FROM FILE", path,
           "H0EUASP0B01610A45 H0EUASP0B01610A48 H0EUASP0B01610A48 H0MFASP0A01609 "
           "H0EUCNT0B01610A45unknown_tr");
    expect(&d, "SELECT string_agg(fields, '|') FROM FILE", path,
           "B01610A45^180002^x\xEF\xBF\xBDy^한글");
    expect(&d, "SELECT count(extra) FROM FILE", path, "0");
    expect(&d,
           "SELECT string_agg(key::VARCHAR || '=' || value::VARCHAR, ' ' ORDER BY key::VARCHAR) "
           "FROM parquet_kv_metadata(FILE)",
           path, "feed=SIMULATED night=20261123 nightbook=" NB_VERSION);
    reader_close(&d);
    free(r);
}

/* Columns are those of the TRs that came. */
static void test_columns(void **state)
{
    static const char *const trs[] = {"H0EUCNT0"};
    rows *r = calloc(1, sizeof *r);
    reader d;
    (void)state;
    if (access(LIBRARY, R_OK) != 0)
        skip();
    rows_survey(r, trs, 1);
    assert_int_equal(rows_open(r, "plain.parquet", LIBRARY), NB_OK);
    assert_int_equal(rows_put(r, "H0EUCNT0", "B01610A45^180002", T0), NB_OK);
    assert_int_equal(r->format->close(r->self, &r->error), NB_OK);
    reader_open(&d);
    expect(&d, "SELECT string_agg(column_name, ' ') FROM (DESCRIBE FROM FILE)", r->path,
           "tr_id tr_key recv_ns recv event_ns event trade_date flags extra fields");
    reader_close(&d);
    free(r);
}

/* A field more than documented is drift, and stays. */
static void test_extra(void **state)
{
    static const char *const trs[] = {OPTION};
    rows *r = calloc(1, sizeof *r);
    char record[600];
    reader d;
    (void)state;
    if (access(LIBRARY, R_OK) != 0)
        skip();
    rows_survey(r, trs, 1);
    assert_int_equal(rows_open(r, "extra.parquet", LIBRARY), NB_OK);
    snprintf(record, sizeof record, "%s^new^^7", book("B01610A45", "1.05", 1));
    assert_int_equal(rows_put(r, OPTION, record, T0), NB_OK);
    assert_int_equal(r->format->close(r->self, &r->error), NB_OK);
    reader_open(&d);
    expect(&d, "SELECT flags || ' ' || extra FROM FILE", r->path, "drift new^^7");
    reader_close(&d);
    free(r);
}

/* Order and every value over several row groups; the driver is far ahead of DuckDB at times. */
static void test_many(void **state)
{
    static const char *const trs[] = {OPTION};
    rows *r = calloc(1, sizeof *r);
    char price[32];
    reader d;
    (void)state;
    if (access(LIBRARY, R_OK) != 0)
        skip();
    rows_survey(r, trs, 1);
    assert_int_equal(rows_open(r, "many.parquet", LIBRARY), NB_OK);
    for (int i = 0; i < MANY; i++) {
        snprintf(price, sizeof price, "%d.%02d", i / 100, i % 100);
        assert_int_equal(rows_put(r, OPTION, book("B01610A45", price, 1 + i % 1000), T0 + i),
                         NB_OK);
    }
    assert_int_equal(r->format->close(r->self, &r->error), NB_OK);
    reader_open(&d);
    expect(&d,
           "SELECT count(*) FROM (SELECT *, row_number() OVER () - 1 AS i FROM FILE) WHERE "
           "recv_ns = 1795424400123456789 + i AND optn_askp1 = (i / 100)::DECIMAL(18,9) AND "
           "ask_price_1 = optn_askp1 AND askp_rsqn1 = 1 + i % 1000 AND total_askp_rsqn = "
           "askp_rsqn1",
           r->path, "130000");
    expect(&d, "SELECT count(DISTINCT row_group_id) FROM parquet_metadata(FILE)", r->path, "2");
    reader_close(&d);
    free(r);
}

/* What does not fit is no other number: the export ends, and says which. */
static void test_range(void **state)
{
    static const char *const trs[] = {OPTION};
    rows *r = calloc(1, sizeof *r);
    (void)state;
    if (access(LIBRARY, R_OK) != 0)
        skip();
    rows_survey(r, trs, 1);
    assert_int_equal(rows_open(r, "range.parquet", LIBRARY), NB_OK);
    assert_int_equal(rows_put(r, OPTION, book("B01610A45", "1.00", 1), T0), NB_OK);
    assert_int_equal(rows_put(r, OPTION, book("B01610A45", "1000000000.00", 1), T0), NB_E_RANGE);
    assert_non_null(strstr(r->error.detail, "optn_askp1 of B01610A45"));
    assert_non_null(strstr(r->error.detail, "1000000000"));
    r->format->drop(r->self);
    free(r);
}

/* Dropped at any moment: nothing hangs. */
static void test_drop(void **state)
{
    static const char *const trs[] = {OPTION};
    static const int counts[] = {0, 1, 2047, 2048, 2049, 30000};
    (void)state;
    if (access(LIBRARY, R_OK) != 0)
        skip();
    for (size_t i = 0; i < NB__COUNT_OF(counts); i++) {
        rows *r = calloc(1, sizeof *r);
        char name[32];
        rows_survey(r, trs, 1);
        snprintf(name, sizeof name, "drop%d.parquet", counts[i]);
        assert_int_equal(rows_open(r, name, LIBRARY), NB_OK);
        for (int n = 0; n < counts[i]; n++)
            assert_int_equal(rows_put(r, OPTION, book("B01610A45", "1.00", 1), T0 + n), NB_OK);
        r->format->drop(r->self);
        free(r);
    }
}

/* A full disk, or a path that cannot be: DuckDB's words, and the driver does not wait for ever. */
static void test_disk(void **state)
{
    static const char *const trs[] = {OPTION};
    rows *r = calloc(1, sizeof *r);
    nb_err err = NB_OK;
    (void)state;
    if (access(LIBRARY, R_OK) != 0)
        skip();
    rows_survey(r, trs, 1);
    assert_int_equal(rows_open(r, "no/such/folder.parquet", LIBRARY), NB_OK);
    for (int n = 0; n < 100000 && err == NB_OK; n++)
        err = rows_put(r, OPTION, book("B01610A45", "1.00", 1), T0 + n);
    assert_int_equal(err, NB_E_SYSTEM);
    assert_non_null(strstr(r->error.detail, "No such file"));
    r->format->drop(r->self);
    rows_survey(r, trs, 1);
    assert_int_equal(rows_open(r, "no/such/folder.parquet", LIBRARY), NB_OK);
    err = rows_put(r, OPTION, book("B01610A45", "1.00", 1), T0);
    if (err != NB_OK) /* DuckDB was quicker */
        r->format->drop(r->self);
    else
        err = r->format->close(r->self, &r->error); /* only the end sees it */
    assert_int_equal(err, NB_E_SYSTEM);
    free(r);
}

/* ---- before the library is loaded: it stays for the process ---- */

static void test_absent(void **state)
{
    static const char *const trs[] = {OPTION};
    rows *r = calloc(1, sizeof *r);
    (void)state;
    rows_survey(r, trs, 1);
    assert_int_equal(rows_open(r, "x.parquet", "/no/such/libduckdb.so"), NB_E_NOT_FOUND);
    assert_non_null(strstr(r->error.detail, "/no/such/libduckdb.so: No such file"));
    assert_non_null(strstr(r->error.detail, "script/setup --duckdb"));
    assert_non_null(strstr(r->error.detail, "@duckdb/node-bindings-linux-x64@1.5.6-r.1"));
    assert_int_equal(rows_open(r, "x.parquet", NB_SOURCE_DIR "/README.md"), NB_E_SYSTEM);
    assert_int_equal(rows_open(r, "x.parquet", "/lib/x86_64-linux-gnu/libm.so.6"), NB_E_CONFIG);
    assert_non_null(strstr(r->error.detail, "not DuckDB's"));
    assert_int_not_equal(rows_open(r, "x.parquet", "libm.so.6"), NB_OK); /* nothing is searched */
    assert_int_equal(r->error.code, NB_E_NOT_FOUND);
    free(r);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absent),  cmocka_unit_test(test_values),
        cmocka_unit_test(test_columns), cmocka_unit_test(test_extra),
        cmocka_unit_test(test_many),    cmocka_unit_test(test_range),
        cmocka_unit_test(test_drop),    cmocka_unit_test(test_disk),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
