/* SPDX-License-Identifier: Apache-2.0 */
/* Master files: real rows in and out byte for byte, what is refused, zips, products and ticks. */
#include "guard.h"
#include "kis/kis.h"
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>

/* 위클리, 미니, 코스닥150 in cp949, as the files have them */
#define WEEKLY "\xC0\xA7\xC5\xAC\xB8\xAE"
#define MINI "\xB9\xCC\xB4\xCF"
#define KOSDAQ150 "\xC4\xDA\xBD\xBA\xB4\xDA\x31\x35\x30"

static const char eurex_row[] =
    "5B01610A41KR4B016AA412C 202610 1,097.5                        201097.50 2001     KOSPI200     "
    "                           ";
static const char cme_row[] =
    "1A01612   KR4A016C0004F 202612                                 00000.0012001     KOSPI200     "
    "                           ";
static const char index_rows[] =
    "1|A01612|KR4A016C0004|F 202612| |00000.00|1|2001|KOSPI200\n"
    "B|A05610|KR4A056A0007|" MINI "F 202610| |00000.00|1|2001|KOSPI200\n"
    "5|B01610A51|KR4B016AA511|C 202610 1,125.0|1|01125.00| |2001|KOSPI200\n"
    "6|C01610745|KR4C016A7452|P 202610   745.0|3|00745.00| |2001|KOSPI200\n"
    "L|B09FEWA49|KR4B09FEA490|" WEEKLY "C 2609W4 1,120.0|3|01120.00| |2001|KOSPI200\n"
    "N|BAFBZWA49|KR4BAFBZA490|" WEEKLY "M C 2609W4 1,120.0|3|01120.00| |2001|KOSPI200\n"
    "L|B09FCW945|KR4B09FC9450|" WEEKLY "C 2609W1   945.0|2|00945.00| |2001|KOSPI200\n"
    "J|B06610001|KR4B066A0011|" KOSDAQ150 "C 202610 1,275|2|01275.00| |3003|KSQ150\n";

static nb_err parse(nb__master_kind kind, const char *text, nb__master *master, nb_error *error)
{
    guard g = guard_copy(text, strlen(text));
    nb_err err = nb__master_parse(kind, (nb_span){g.data, g.size_bytes}, master, error);
    guard_free(&g);
    return err;
}

static void assert_row(const nb__instrument *row, const char *code, const char *name, char right,
                       nb__product product, const char *expiry, nb_price strike)
{
    assert_string_equal(row->code, code);
    assert_string_equal(row->name, name);
    assert_int_equal(row->right, right);
    assert_int_equal(row->product, product);
    assert_string_equal(row->expiry, expiry);
    assert_true(row->strike == strike);
}

static void a_night_option_by_byte_offsets(void **state)
{
    (void)state;
    assert_int_equal(strlen(eurex_row), 121);
    nb__master master = {0};
    assert_int_equal(parse(NB__MASTER_EUREX, eurex_row, &master, NULL), NB_OK);
    assert_int_equal(master.count, 1);
    assert_row(&master.rows[0], "B01610A41", "C 202610 1,097.5", 'C', NB__PRODUCT_KOSPI200,
               "202610", INT64_C(1097500000000));
    assert_int_equal(master.rows[0].kind, '5');
    assert_string_equal(master.rows[0].standard_code, "KR4B016AA412");
    assert_int_equal(master.rows[0].atm_class, '2');
    assert_int_equal(master.rows[0].month_class, ' ');
    assert_string_equal(master.rows[0].underlying_code, "2001");
    assert_string_equal(master.rows[0].underlying_name, "KOSPI200");
    nb__master_fini(&master);
}

static void korean_names_keep_the_offsets(void **state)
{
    (void)state;
    char row[160];
    nb__master master = {0};
    int size = snprintf(row, sizeof row, "O%-9sKR4CAFBZA490%-40s3%s %-9s%-40s\r\n", "CAFBZWA49",
                        WEEKLY "M P 2609W4 1,120.0", "01120.00", "2001", "KOSPI200");
    assert_int_equal(size, 123);
    assert_int_equal(parse(NB__MASTER_EUREX, row, &master, NULL), NB_OK);
    assert_row(&master.rows[0], "CAFBZWA49", "위클리M P 2609W4 1,120.0", 'P',
               NB__PRODUCT_KOSPI200_WEEKLY_MON, "2609W4", INT64_C(1120000000000));
    assert_int_equal(master.rows[0].atm_class, '3');
    nb__master_fini(&master);
}

static void a_night_future_has_no_strike(void **state)
{
    (void)state;
    assert_int_equal(strlen(cme_row), 121);
    nb__master master = {0};
    assert_int_equal(parse(NB__MASTER_CME, cme_row, &master, NULL), NB_OK);
    assert_row(&master.rows[0], "A01612", "F 202612", 'F', NB__PRODUCT_KOSPI200, "202612",
               NB_PRICE_UNDEF);
    assert_int_equal(master.rows[0].month_class, '1');
    assert_string_equal(master.rows[0].underlying_code, "2001");
    nb__master_fini(&master);
}

/* KIS's own sample cuts these rows elsewhere (name to 63, strike to 72): a spread's would do too.
 */
static void a_spread_of_night_futures(void **state)
{
    (void)state;
    char rows[300];
    snprintf(rows, sizeof rows, "%s\n2D0161201 KR4D01612016%-40s 00000.001%-9s%-40s\n", cme_row,
             "SP 2612-2703", "2001", "KOSPI200");
    nb__master master = {0};
    assert_int_equal(parse(NB__MASTER_CME, rows, &master, NULL), NB_OK);
    assert_int_equal(master.count, 2);
    assert_row(&master.rows[1], "D0161201", "SP 2612-2703", 'S', NB__PRODUCT_OTHER_FUTURE, "",
               NB_PRICE_UNDEF);
    assert_int_equal(master.rows[1].kind, '2');
    assert_string_equal(master.rows[1].underlying_code, "2001");
    assert_string_equal(master.rows[1].underlying_name, "KOSPI200");
    nb__master_fini(&master);
}

/* Kinds 1-S of the index file: right and product by the code where it tells, else by the kind. */
static void every_kind_is_read(void **state)
{
    (void)state;
    static const struct {
        char kind;
        const char *code;
        char right;
        nb__product product;
    } cases[] = {
        {'1', "A01612", 'F', NB__PRODUCT_KOSPI200},
        {'2', "D0161201", 'S', NB__PRODUCT_OTHER_FUTURE},
        {'3', "A06612", 'F', NB__PRODUCT_KOSDAQ150_FUTURE},
        {'3', "X06612", 'F', NB__PRODUCT_KOSDAQ150_FUTURE},
        {'7', "A04610", 'F', NB__PRODUCT_OTHER_FUTURE},
        {'9', "AA4612", 'F', NB__PRODUCT_OTHER_FUTURE},
        {'B', "A05610", 'F', NB__PRODUCT_KOSPI200_MINI_FUTURE},
        {'C', "D0561001", 'S', NB__PRODUCT_OTHER_FUTURE},
        {'5', "B01610A51", 'C', NB__PRODUCT_KOSPI200},
        {'6', "C01610A51", 'P', NB__PRODUCT_KOSPI200},
        {'D', "B05610A51", 'C', NB__PRODUCT_KOSPI200_MINI},
        {'E', "C05610A51", 'P', NB__PRODUCT_KOSPI200_MINI},
        {'J', "B06610001", 'C', NB__PRODUCT_KOSDAQ150},
        {'K', "C06610001", 'P', NB__PRODUCT_KOSDAQ150},
        {'L', "B09FEWA49", 'C', NB__PRODUCT_KOSPI200_WEEKLY_THU},
        {'M', "C09FEWA49", 'P', NB__PRODUCT_KOSPI200_WEEKLY_THU},
        {'N', "BAFBZWA49", 'C', NB__PRODUCT_KOSPI200_WEEKLY_MON},
        {'O', "CAFBZWA49", 'P', NB__PRODUCT_KOSPI200_WEEKLY_MON},
        {'P', "BAJ36W117", 'C', NB__PRODUCT_KOSDAQ150},
        {'Q', "CAJ36W117", 'P', NB__PRODUCT_KOSDAQ150},
        {'R', "BAK48W120", 'C', NB__PRODUCT_KOSDAQ150},
        {'S', "CAK48W120", 'P', NB__PRODUCT_KOSDAQ150},
        {'S', "X99999999", 'P', NB__PRODUCT_KOSDAQ150},
        {'Z', "X99999999", ' ', NB__PRODUCT_UNKNOWN},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        char line[128];
        snprintf(line, sizeof line, "%c|%s|KR4C016A7452|X 202612| |01100.00| |2001|KOSPI200\n",
                 cases[i].kind, cases[i].code);
        nb__master master = {0};
        assert_int_equal(parse(NB__MASTER_INDEX, line, &master, NULL), NB_OK);
        assert_int_equal(master.rows[0].kind, cases[i].kind);
        assert_int_equal(master.rows[0].right, cases[i].right);
        assert_int_equal(master.rows[0].product, cases[i].product);
        nb__master_fini(&master);
    }
}

static void the_index_file_has_every_product(void **state)
{
    (void)state;
    nb__master master = {0};
    assert_int_equal(parse(NB__MASTER_INDEX, index_rows, &master, NULL), NB_OK);
    assert_int_equal(master.count, 8);
    const nb__instrument *rows = master.rows;
    assert_row(&rows[0], "A01612", "F 202612", 'F', NB__PRODUCT_KOSPI200, "202612", NB_PRICE_UNDEF);
    assert_row(&rows[1], "A05610", "미니F 202610", 'F', NB__PRODUCT_KOSPI200_MINI_FUTURE, "202610",
               NB_PRICE_UNDEF);
    assert_row(&rows[3], "C01610745", "P 202610   745.0", 'P', NB__PRODUCT_KOSPI200, "202610",
               INT64_C(745000000000));
    assert_row(&rows[4], "B09FEWA49", "위클리C 2609W4 1,120.0", 'C',
               NB__PRODUCT_KOSPI200_WEEKLY_THU, "2609W4", INT64_C(1120000000000));
    assert_row(&rows[5], "BAFBZWA49", "위클리M C 2609W4 1,120.0", 'C',
               NB__PRODUCT_KOSPI200_WEEKLY_MON, "2609W4", INT64_C(1120000000000));
    assert_row(&rows[7], "B06610001", "코스닥150C 202610 1,275", 'C', NB__PRODUCT_KOSDAQ150,
               "202610", INT64_C(1275000000000));
    nb__master_fini(&master);
}

static void what_is_written_is_what_was_read(void **state)
{
    (void)state;
    const struct {
        nb__master_kind kind;
        const char *text;
    } cases[] = {
        {NB__MASTER_EUREX, eurex_row}, {NB__MASTER_CME, cme_row}, {NB__MASTER_INDEX, index_rows}};
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__master master = {0}, again = {0};
        nb__text out = {0};
        assert_int_equal(parse(cases[i].kind, cases[i].text, &master, NULL), NB_OK);
        assert_int_equal(nb__master_print(cases[i].kind, &master, &out, NULL), NB_OK);
        assert_memory_equal(out.data, cases[i].text, strlen(cases[i].text));
        assert_int_equal(parse(cases[i].kind, out.data, &again, NULL), NB_OK);
        assert_int_equal(again.count, master.count);
        assert_memory_equal(again.rows, master.rows, master.count * sizeof *master.rows);
        nb__text_fini(&out);
        nb__master_fini(&master);
        nb__master_fini(&again);
    }
}

static void each_file_gets_its_own_products(void **state)
{
    (void)state;
    nb__master master = {0}, options = {0}, futures = {0};
    nb__text out = {0};
    assert_int_equal(parse(NB__MASTER_INDEX, index_rows, &master, NULL), NB_OK);
    assert_int_equal(nb__master_print(NB__MASTER_EUREX, &master, &out, NULL), NB_OK);
    assert_int_equal(out.size_bytes, 6 * 122);
    assert_int_equal(parse(NB__MASTER_EUREX, out.data, &options, NULL), NB_OK);
    assert_memory_equal(options.rows, master.rows + 2, 6 * sizeof *master.rows);
    nb__text_clear(&out);
    assert_int_equal(nb__master_print(NB__MASTER_CME, &master, &out, NULL), NB_OK);
    assert_int_equal(parse(NB__MASTER_CME, out.data, &futures, NULL), NB_OK);
    assert_int_equal(futures.count, 2);
    assert_memory_equal(futures.rows, master.rows, 2 * sizeof *master.rows);
    nb__text_fini(&out);
    nb__master_fini(&master);
    nb__master_fini(&options);
    nb__master_fini(&futures);
}

static void growth_and_line_ends_are_survived(void **state)
{
    (void)state;
    const char *const good[] = {
        "1|A01612|KR4A016C0004|F 202612| |00000.00|1|2001|KOSPI200",
        "1|A01612|KR4A016C0004|F 202612| |00000.00|1|2001|KOSPI200\r\n\r\n",
        "1|A01612|KR4A016C0004|F 202612| |00000.00|1|2001|KOSPI200|new|fields\n",
        "1|A01612|KR4A016C0004|F 202612||0|1||\n",             /* empty marks and names */
        "Z|A01612|KR4A016C0004|F 202612| ||1|2001|KOSPI200\n", /* a kind of tomorrow */
    };
    for (size_t i = 0; i < NB__COUNT_OF(good); i++) {
        nb__master master = {0};
        assert_int_equal(parse(NB__MASTER_INDEX, good[i], &master, NULL), NB_OK);
        assert_int_equal(master.count, 1);
        assert_row(&master.rows[0], "A01612", "F 202612", 'F', NB__PRODUCT_KOSPI200, "202612",
                   NB_PRICE_UNDEF);
        nb__master_fini(&master);
    }
    char longer[256];
    nb__master master = {0};
    snprintf(longer, sizeof longer, "%sNEW\n%.89s\n", eurex_row, eurex_row);
    assert_int_equal(parse(NB__MASTER_EUREX, longer, &master, NULL), NB_OK);
    assert_int_equal(master.count, 2);
    assert_memory_equal(&master.rows[0], &master.rows[1], sizeof master.rows[0]);
    nb__master_fini(&master);
}

static void all_rows_or_none_with_line_and_reason(void **state)
{
    (void)state;
#define GOOD "1|A01612|KR4A016C0004|F 202612| |00000.00|1|2001|KOSPI200\n"
    const struct {
        nb__master_kind kind;
        const char *text, *reason;
        size_t offset_bytes;
    } cases[] = {
        {NB__MASTER_EUREX, "", "has no rows", 0},
        {NB__MASTER_INDEX, "\n\r\n", "has no rows", 0},
        {NB__MASTER_INDEX, GOOD "5|B01610A51\n", "line 2: fewer than 9 fields", 58},
        {NB__MASTER_INDEX, GOOD "5|B01610A51|KR4B016AA511|C|1|1.2.3| |2001|K\n",
         "line 2: the strike", 58 + 29},
        {NB__MASTER_INDEX, "5|B01610A51|KR4B016AA511|C|1|-1| |2001|K\n", "line 1: the strike", 29},
        {NB__MASTER_INDEX, "5|B01610A51|KR4B016AA511|C|1|0| |2001|K\n", "without a strike", 29},
        {NB__MASTER_INDEX, "5|C01610A51|KR4C016AA511|C|1|5| |2001|K\n", "call or put", 0},
        {NB__MASTER_INDEX, "5|B01|KR4B016AA511|C|1|5| |2001|K\n", "short code", 2},
        {NB__MASTER_INDEX, "5|b01610a51|KR4B016AA511|C|1|5| |2001|K\n", "short code", 2},
        {NB__MASTER_INDEX, "5|B01610A5100|KR4B016AA511|C|1|5| |2001|K\n", "short code", 2},
        {NB__MASTER_INDEX, "5|B01610A51|KR4B|C|1|5| |2001|K\n", "standard code", 12},
        {NB__MASTER_INDEX, "5|B01610A51|KR4B016AA511||1|5| |2001|K\n", "name", 25},
        {NB__MASTER_INDEX, "5|B01610A51|KR4B016AA511|\xC0|1|5| |2001|K\n", "cp949", 25},
        {NB__MASTER_INDEX, "5|B01610A51|KR4B016AA511|C\t|1|5| |2001|K\n", "control", 26},
        {NB__MASTER_INDEX, "|B01610A51|KR4B016AA511|C|1|5| |2001|K\n", "kind", 0},
        {NB__MASTER_INDEX, "5|B01610A51|KR4B016AA511|C|11|5| |2001|K\n", "ATM", 27},
        {NB__MASTER_INDEX, "5|B01610A51|KR4B016AA511|C|1|5|22|2001|K\n", "month", 31},
        {NB__MASTER_INDEX, "5|B01610A51|KR4B016AA511|C|\xC0|5| |2001|K\n", "ATM", 27},
        {NB__MASTER_EUREX, "5B01610A41KR4B016AA412C 202610 1,097.5\n", "shorter than", 0},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb__master master = {0};
        nb_error error = {0};
        assert_int_equal(parse(NB__MASTER_INDEX, GOOD, &master, NULL), NB_OK);
        assert_int_equal(parse(cases[i].kind, cases[i].text, &master, &error), NB_E_MASTER);
        assert_int_equal(master.count, 1);
        if (strstr(error.detail, cases[i].reason) == NULL)
            fail_msg("%s: %s", cases[i].text, error.detail);
        assert_int_equal(error.offset_bytes, cases[i].offset_bytes);
        nb__master_fini(&master);
    }
}

static void a_file_cut_anywhere_gives_whole_rows_or_none(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof index_rows; size++) {
        guard g = guard_copy(index_rows, size);
        nb__master master = {0};
        nb_err err =
            nb__master_parse(NB__MASTER_INDEX, (nb_span){g.data, g.size_bytes}, &master, NULL);
        assert_true(err == NB_OK ? master.count > 0 : master.count == 0);
        nb__master_fini(&master);
        guard_free(&g);
    }
}

static void what_does_not_fit_is_not_written(void **state)
{
    (void)state;
    nb__instrument row = {.code = "B01610A51",
                          .standard_code = "KR4B016AA511",
                          .name = "C 202610",
                          .kind = '5',
                          .right = 'C',
                          .strike = NB_PRICE_ONE,
                          .atm_class = ' ',
                          .month_class = ' '};
    nb__master master = {.rows = &row, .count = 1, .capacity = 1};
    nb__text out = {0};
    nb__text_string(&out, "before");
    assert_int_equal(nb__master_print(NB__MASTER_CME, &master, &out, NULL), NB_E_MASTER);
    memcpy(row.name, "12345678901234567890123456789012345678901", 42);
    assert_int_equal(nb__master_print(NB__MASTER_EUREX, &master, &out, NULL), NB_E_MASTER);
    memcpy(row.name, "∀x☃", sizeof "∀x☃");
    assert_int_equal(nb__master_print(NB__MASTER_EUREX, &master, &out, NULL), NB_E_MASTER);
    memcpy(row.name, "C|P", sizeof "C|P");
    assert_int_equal(nb__master_print(NB__MASTER_INDEX, &master, &out, NULL), NB_E_MASTER);
    memcpy(row.name, "C", sizeof "C");
    row.strike = 100000 * NB_PRICE_ONE;
    assert_int_equal(nb__master_print(NB__MASTER_EUREX, &master, &out, NULL), NB_E_MASTER);
    row.strike = NB_PRICE_ONE / 1000;
    assert_int_equal(nb__master_print(NB__MASTER_EUREX, &master, &out, NULL), NB_OK);
    assert_memory_equal(out.data, "before5B01610A51", 16);
    nb__text_fini(&out);
}

/* ---- zip ---- */

static void a_zip_holds_one_file_and_gives_it_back(void **state)
{
    (void)state;
    nb__text zip = {0}, again = {0}, out = {0};
    assert_int_equal(nb__zip_write("fo_idx_code_mts.mst", NB__SPAN(index_rows), &zip, NULL), NB_OK);
    assert_int_equal(nb__zip_write("fo_idx_code_mts.mst", NB__SPAN(index_rows), &again, NULL),
                     NB_OK);
    assert_int_equal(zip.size_bytes, again.size_bytes);
    assert_memory_equal(zip.data, again.data, zip.size_bytes);

    size_t size = sizeof index_rows - 1;
    guard g = guard_copy(zip.data, zip.size_bytes);
    nb__text_string(&out, "+");
    assert_int_equal(nb__zip_read((nb_span){g.data, g.size_bytes}, size, &out, NULL), NB_OK);
    assert_int_equal(out.size_bytes, size + 1);
    assert_memory_equal(out.data + 1, index_rows, size);
    nb_error error = {0};
    assert_int_equal(nb__zip_read((nb_span){g.data, g.size_bytes}, size - 1, &out, &error),
                     NB_E_LIMIT);
    assert_int_equal(out.size_bytes, size + 1);
    guard_free(&g);
    for (size_t cut = 0; cut < zip.size_bytes; cut++) {
        g = guard_copy(zip.data, cut);
        nb_err err = nb__zip_read((nb_span){g.data, g.size_bytes}, 1 << 20, &out, NULL);
        assert_true(err == NB_OK || err == NB_E_MASTER);
        guard_free(&g);
    }
    nb__text_fini(&zip);
    nb__text_fini(&again);
    nb__text_fini(&out);
}

static void a_bomb_is_stopped_while_it_unpacks(void **state)
{
    (void)state;
    nb__text large = {0}, zip = {0}, out = {0};
    size_t size = 32 << 20;
    char *to = nb__text_reserve(&large, size);
    memset(to, ' ', size);
    large.size_bytes = size;
    assert_int_equal(nb__zip_write("bomb", nb__text_view(&large), &zip, NULL), NB_OK);
    assert_true(zip.size_bytes < 64 << 10);
    nb_error error = {0};
    assert_int_equal(nb__zip_read(nb__text_view(&zip), 1 << 20, &out, &error), NB_E_LIMIT);
    assert_int_equal(out.size_bytes, 0);
    assert_true(out.capacity_bytes < 3 << 20);
    nb__text_fini(&large);
    nb__text_fini(&zip);
    nb__text_fini(&out);
}

static la_ssize_t append(struct archive *archive, void *out, const void *data, size_t size_bytes)
{
    (void)archive;
    nb__text_append(out, data, size_bytes);
    return (la_ssize_t)size_bytes;
}

/* A zip with members "hi" of the given names; one that ends in '/' is a folder. */
static void make_zip(nb__text *out, int name_count, const char *const *names, const char *options)
{
    struct archive *zip = archive_write_new();
    nb__text_clear(out);
    assert_int_equal(archive_write_set_format_zip(zip), ARCHIVE_OK);
    assert_int_equal(archive_write_set_options(zip, options), ARCHIVE_OK);
    assert_int_equal(archive_write_set_passphrase(zip, "secret"), ARCHIVE_OK);
    archive_write_set_bytes_in_last_block(zip, 1);
    assert_int_equal(archive_write_open2(zip, out, NULL, append, NULL, NULL), ARCHIVE_OK);
    for (int i = 0; i < name_count; i++) {
        bool is_folder = strchr(names[i], '/') != NULL;
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, names[i]);
        archive_entry_set_filetype(entry, is_folder ? AE_IFDIR : AE_IFREG);
        archive_entry_set_size(entry, is_folder ? 0 : 2);
        assert_int_equal(archive_write_header(zip, entry), ARCHIVE_OK);
        assert_int_equal(archive_write_data(zip, "hi", is_folder ? 0 : 2), is_folder ? 0 : 2);
        archive_entry_free(entry);
    }
    assert_int_equal(archive_write_close(zip), ARCHIVE_OK);
    archive_write_free(zip);
}

static void assert_refused(const nb__text *zip, const char *reason)
{
    nb__text out = {0};
    nb_error error = {0};
    assert_int_equal(nb__zip_read(nb__text_view(zip), 100, &out, &error), NB_E_MASTER);
    if (strstr(error.detail, reason) == NULL)
        fail_msg("%s: %s", reason, error.detail);
    assert_int_equal(out.size_bytes, 0);
    nb__text_fini(&out);
}

static void zips_that_are_not_one_plain_file_are_refused(void **state)
{
    (void)state;
    const char stored[] = "zip:compression=store", encrypted[] = "zip:encryption=traditional";
    const char *const names[] = {"a.mst", "b.mst", "folder/"};
    nb__text zip = {0}, out = {0};
    make_zip(&zip, 1, names, stored);
    assert_int_equal(nb__zip_read(nb__text_view(&zip), 100, &out, NULL), NB_OK);
    assert_string_equal(out.data, "hi");
    char *content = memmem(zip.data, zip.size_bytes, "hi", 2);
    *content = 'H'; /* the checksum says otherwise */
    assert_refused(&zip, "damaged");
    make_zip(&zip, 0, names, stored);
    assert_refused(&zip, "empty");
    make_zip(&zip, 2, names, stored);
    assert_refused(&zip, "more than one");
    make_zip(&zip, 1, names + 2, stored);
    assert_refused(&zip, "no file");
    make_zip(&zip, 1, names, encrypted);
    assert_refused(&zip, "encrypted");
    nb__text_clear(&zip);
    assert_refused(&zip, "not a zip");
    nb__text_string(&zip, "<html>403 Forbidden</html>");
    assert_refused(&zip, "not a zip");
    nb__text_fini(&zip);
    nb__text_fini(&out);
}

/* ---- products and ticks ---- */

static void products_by_code(void **state)
{
    (void)state;
    const struct {
        const char *code;
        nb__product product;
    } cases[] = {
        {"B01610A48", NB__PRODUCT_KOSPI200},
        {"C01610745", NB__PRODUCT_KOSPI200},
        {"A01612", NB__PRODUCT_KOSPI200},
        {"201W09370", NB__PRODUCT_KOSPI200},
        {"301V06362", NB__PRODUCT_KOSPI200},
        {"101W09", NB__PRODUCT_KOSPI200},
        {"101W9000", NB__PRODUCT_KOSPI200},
        {"B05610A48", NB__PRODUCT_KOSPI200_MINI},
        {"205W09370", NB__PRODUCT_KOSPI200_MINI},
        {"A05610", NB__PRODUCT_KOSPI200_MINI_FUTURE},
        {"C09FEWA49", NB__PRODUCT_KOSPI200_WEEKLY_THU},
        {"BAFBZWA49", NB__PRODUCT_KOSPI200_WEEKLY_MON},
        {"C06610A48", NB__PRODUCT_KOSDAQ150},
        {"CAK48WZEG", NB__PRODUCT_KOSDAQ150},
        {"A06612", NB__PRODUCT_KOSDAQ150_FUTURE},
        {"A75612", NB__PRODUCT_OTHER_FUTURE},
        {"D01696CS", NB__PRODUCT_OTHER_FUTURE},
        {"B11612345", NB__PRODUCT_UNKNOWN},
        {"005930", NB__PRODUCT_UNKNOWN},
        {"105560", NB__PRODUCT_UNKNOWN}, /* a stock, not a mini future */
        {"B01", NB__PRODUCT_UNKNOWN},
        {"", NB__PRODUCT_UNKNOWN},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        guard g = guard_copy(cases[i].code, strlen(cases[i].code));
        if (nb__product_of_code((nb_span){g.data, g.size_bytes}) != cases[i].product)
            fail_msg("%s", cases[i].code);
        guard_free(&g);
    }
}

static void ticks_by_product_and_price(void **state)
{
    (void)state;
    const struct {
        nb__product product;
        int price_cents, tick_cents;
    } cases[] = {
        {NB__PRODUCT_KOSPI200, 999, 1},
        {NB__PRODUCT_KOSPI200, 1000, 5},
        {NB__PRODUCT_KOSPI200, 110000, 5},
        {NB__PRODUCT_KOSPI200_WEEKLY_THU, 999, 1},
        {NB__PRODUCT_KOSPI200_WEEKLY_THU, 1000, 5},
        {NB__PRODUCT_KOSPI200_WEEKLY_MON, 1, 1},
        {NB__PRODUCT_KOSPI200_WEEKLY_MON, 1005, 5},
        {NB__PRODUCT_KOSPI200_MINI, 299, 1},
        {NB__PRODUCT_KOSPI200_MINI, 300, 2},
        {NB__PRODUCT_KOSPI200_MINI, 998, 2},
        {NB__PRODUCT_KOSPI200_MINI, 1000, 5},
        {NB__PRODUCT_KOSDAQ150, 4990, 10},
        {NB__PRODUCT_KOSDAQ150, 5000, 50},
        {NB__PRODUCT_KOSPI200_MINI_FUTURE, 110000, 2},
        {NB__PRODUCT_KOSDAQ150_FUTURE, 130000, 10},
        {NB__PRODUCT_OTHER_FUTURE, 100, 0},
        {NB__PRODUCT_UNKNOWN, 100, 0},
    };
    const nb_price cent = NB_PRICE_ONE / 100;
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++)
        assert_int_equal(nb__tick_e9(cases[i].product, cases[i].price_cents * cent),
                         cases[i].tick_cents * cent);
    assert_int_equal(nb__tick_e9(NB__PRODUCT_KOSPI200, 10 * NB_PRICE_ONE - 1), cent);
    assert_int_equal(nb__tick_e9(NB__PRODUCT_KOSPI200, NB_PRICE_UNDEF), 0);
}

static void a_file_of_endless_rows_is_refused(void **state)
{
    (void)state;
    nb__text file = {0};
    for (int i = 0; i <= 100000; i++)
        nb__text_printf(&file, "%s\n", eurex_row);
    nb__master master = {0};
    nb_error error = {0};
    nb_span text = nb__text_view(&file);
    assert_int_equal(nb__master_parse(NB__MASTER_EUREX, text, &master, &error), NB_E_MASTER);
    assert_string_equal(error.detail, "fo_eurex_code.mst line 100001: too many rows");
    assert_int_equal(error.offset_bytes, (size_t)100000 * (strlen(eurex_row) + 1));
    assert_int_equal(master.count, 0);
    text.size_bytes = error.offset_bytes;
    assert_int_equal(nb__master_parse(NB__MASTER_EUREX, text, &master, &error), NB_OK);
    nb__master_fini(&master);
    nb__text_fini(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_night_option_by_byte_offsets),
        cmocka_unit_test(korean_names_keep_the_offsets),
        cmocka_unit_test(a_night_future_has_no_strike),
        cmocka_unit_test(a_spread_of_night_futures),
        cmocka_unit_test(every_kind_is_read),
        cmocka_unit_test(the_index_file_has_every_product),
        cmocka_unit_test(what_is_written_is_what_was_read),
        cmocka_unit_test(each_file_gets_its_own_products),
        cmocka_unit_test(growth_and_line_ends_are_survived),
        cmocka_unit_test(all_rows_or_none_with_line_and_reason),
        cmocka_unit_test(a_file_cut_anywhere_gives_whole_rows_or_none),
        cmocka_unit_test(what_does_not_fit_is_not_written),
        cmocka_unit_test(a_zip_holds_one_file_and_gives_it_back),
        cmocka_unit_test(a_bomb_is_stopped_while_it_unpacks),
        cmocka_unit_test(zips_that_are_not_one_plain_file_are_refused),
        cmocka_unit_test(products_by_code),
        cmocka_unit_test(ticks_by_product_and_price),
        cmocka_unit_test(a_file_of_endless_rows_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
