/* SPDX-License-Identifier: Apache-2.0 */
/* OUT appears whole or not at all, and nothing that is there is lost. */
#include "export_rig.h"
#include <zstd.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/nb-out-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    nb__disk_list(folder, rig_remove, folder, NULL);
    return rmdir(folder);
}

static const char *path_of(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static nb__export_out *must_open(const char *path, bool is_forced)
{
    nb__export_out *out = NULL;
    nb_error error = {0};
    if (nb__export_out_open(path, is_forced, false, true, &out, &error) != NB_OK)
        fail_msg("%s", error.detail);
    return out;
}

static void assert_holds(const char *path, const char *content)
{
    nb__text text = {0};
    assert_int_equal(nb__file_read(path, (size_t)64 << 20, &text, NULL), NB_OK);
    assert_int_equal(text.size_bytes, strlen(content));
    assert_memory_equal(text.data != NULL ? text.data : "", content, text.size_bytes);
    nb__text_fini(&text);
}

static void assert_one_file(const char *name)
{
    char command[256];
    snprintf(command, sizeof command, "test \"$(ls -A %s)\" = '%s'", folder, name);
    assert_int_equal(system(command), 0);
}

static void it_is_there_when_it_is_whole(void **state)
{
    (void)state;
    uint64_t size;
    nb__export_out *out = must_open(path_of("a"), false);
    assert_int_equal(nb__export_out_write(out, nb__span("some "), NULL), NB_OK);
    assert_int_not_equal(access(path_of("a"), F_OK), 0);
    assert_int_equal(nb__export_out_write(out, nb__span("words"), NULL), NB_OK);
    assert_int_equal(nb__export_out_finish(out, false, &size, NULL), NB_OK);
    assert_int_equal(size, 10);
    assert_holds(path_of("a"), "some words");
    assert_one_file("a");
}

static void what_is_dropped_is_gone(void **state)
{
    (void)state;
    nb__export_out *out = must_open(path_of("a"), false);
    assert_int_equal(nb__export_out_write(out, nb__span("some "), NULL), NB_OK);
    nb__export_out_drop(out);
    assert_one_file("");
}

static void a_file_that_came_meanwhile_stays(void **state)
{
    (void)state;
    uint64_t size;
    nb_error error = {0};
    nb__export_out *out = must_open(path_of("a"), false);
    nb__export_out_write(out, nb__span("ours"), NULL);
    assert_int_equal(nb__file_write(path_of("a"), nb__span("theirs"), 0600, NULL), NB_OK);
    assert_int_equal(nb__export_out_finish(out, false, &size, &error), NB_E_ARGUMENT);
    assert_non_null(strstr(error.detail, "left as it is"));
    assert_holds(path_of("a"), "theirs");
    assert_one_file("a");
    out = must_open(path_of("a"), true);
    nb__export_out_write(out, nb__span("ours"), NULL);
    assert_int_equal(nb__export_out_finish(out, true, &size, &error), NB_OK);
    assert_holds(path_of("a"), "ours");
}

static void places_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *words;
    } rows[] = {{"x/y", "no directory"},
                {"20261123-000001.log", "recording"},
                {"20261123-000001.log.zst", "recording"},
                {"journal.json", "recording"},
                {"", "a file's name"},
                {".", "no file"}};
    for (size_t i = 0; i < NB__COUNT_OF(rows); i++) {
        nb__export_out *out = NULL;
        nb_error error = {0};
        assert_int_equal(
            nb__export_out_open(path_of(rows[i].name), true, false, true, &out, &error),
            NB_E_ARGUMENT);
        assert_non_null(strstr(error.detail, rows[i].words));
    }
    assert_one_file("");
}

/* Bytes of any size through zstd come back, in one frame with a checksum. */
static void zst_is_one_frame(void **state)
{
    (void)state;
    nb__random random;
    nb__random_init(&random, 3);
    nb__text plain = {0}, packed = {0};
    uint64_t size;
    nb__export_out *out = must_open(path_of("a.zst"), false);
    while (plain.size_bytes < 3000000) {
        char bytes[700];
        size_t count = (size_t)nb__random_below(&random, sizeof bytes);
        for (size_t i = 0; i < count; i++)
            bytes[i] = (char)(nb__random_below(&random, 3) == 0 ? nb__random_next(&random) : 'a');
        nb__text_append(&plain, bytes, count);
        assert_int_equal(nb__export_out_write(out, (nb_span){bytes, count}, NULL), NB_OK);
    }
    assert_int_equal(nb__export_out_finish(out, false, &size, NULL), NB_OK);
    assert_int_equal(nb__file_read(path_of("a.zst"), (size_t)64 << 20, &packed, NULL), NB_OK);
    assert_int_equal(ZSTD_findFrameCompressedSize(packed.data, packed.size_bytes), size);
    assert_int_equal(packed.size_bytes, size);
    char *back = malloc(plain.size_bytes);
    assert_int_equal(ZSTD_decompress(back, plain.size_bytes, packed.data, packed.size_bytes),
                     plain.size_bytes);
    assert_memory_equal(back, plain.data, plain.size_bytes);
    assert_true(packed.data[4] & 4); /* Content_Checksum_flag */
    free(back);
    nb__text_fini(&plain);
    nb__text_fini(&packed);
}

static void columns_point_into_the_quote(void **state)
{
    (void)state;
    assert_int_equal(nb__export_column_count, 36);
    assert_string_equal(nb__export_columns[0].name, "ask_price_1");
    assert_string_equal(nb__export_columns[29].name, "bid_count_5");
    assert_int_equal(nb__export_columns[29].quote_offset, offsetof(nb_quote, bid[4].count));
    assert_string_equal(nb__export_columns[35].name, "total_bid_change");
    for (size_t i = 0; i < nb__export_column_count; i++)
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(nb__export_columns[i].quote_offset,
                                 nb__export_columns[j].quote_offset);
            assert_string_not_equal(nb__export_columns[i].name, nb__export_columns[j].name);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_there_when_it_is_whole, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_is_dropped_is_gone, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_file_that_came_meanwhile_stays, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(places_that_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(zst_is_one_frame, make_folder, remove_folder),
        cmocka_unit_test(columns_point_into_the_quote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
