/* SPDX-License-Identifier: Apache-2.0 */
/* Masters kept in a directory: used without a network, fetched when they are old, replaced whole or
 * not at all; and codes that they do not have. */
#include "plant/inside.h"
#include "rig.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#define NAME "fo_eurex_code.mst.zip"

static void path_of(const rig *r, const char *name, char out[160])
{
    snprintf(out, 160, "%s/masters/%s", r->directory, name);
}

static void print_master(const char *code, nb__text *zip)
{
    nb__text text = {0};
    nb__text_printf(&text, "%c%-9s%-12s%-40s%c%05d.00%c%-9s%-40s\n", '5', code, "KR4B016AA412",
                    "C 202612", ' ', 1100, '2', "2001", "KOSPI200");
    assert_int_equal(nb__zip_write("fo_eurex_code.mst", nb__text_view(&text), zip, NULL), NB_OK);
    nb__text_fini(&text);
}

/* A copy as a former run left it, so many hours ago. */
static void leave_copy(const rig *r, const char *name, nb_span content, int hours)
{
    char path[160];
    path_of(r, name, path);
    assert_int_equal(nb__file_write(path, content, 0644, NULL), NB_OK);
    struct timespec times[2] = {{.tv_sec = time(NULL) - 3600 * hours}};
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void leave_master(const rig *r, int hours)
{
    nb__text zip = {0};
    print_master("B01600001", &zip);
    leave_copy(r, NAME, nb__text_view(&zip), hours);
    nb__text_fini(&zip);
}

static const nb__instrument *find(const rig *r, const char *code)
{
    const nb__symbols *symbols = nb__plant_symbols(r->plant);
    return symbols == NULL ? NULL : nb__symbols_find(symbols, nb__span(code));
}

static int open_kept(void **state)
{
    static char directory[160];
    if (open_rig(state) != 0)
        return -1;
    rig *r = *state;
    snprintf(directory, sizeof directory, "%s/masters", r->directory);
    r->config.master_directory = directory;
    r->config.master_address = r->feeds[0].address;
    r->config.master_address.is_ws = false;
    snprintf(r->config.master_address.path, sizeof r->config.master_address.path,
             "/common/master/");
    return nb__directory_make(directory, NULL) == NB_OK ? 0 : -1;
}

static void the_last_good_copy_serves_without_a_network(void **state)
{
    rig *r = *state;
    r->config.master_address.host[0] = '\0';
    leave_master(r, 1000);
    start(r);
    UNTIL(r, find(r, "B01600001") != NULL);
    assert_string_equal(nb__plant_atm_code(r->plant), "B01600001");
    assert_true(nb__plant_master_zip(r->plant, NB__SPAN(NAME)).size_bytes > 0);
    UNTIL(r, r->asked_count == 1);
    assert_int_equal(r->masters, 0);
}

static void a_missing_one_is_fetched_and_kept(void **state)
{
    rig *r = *state;
    char path[160];
    nb__text content = {0};
    nb__master master = {0};
    start(r);
    UNTIL(r, find(r, "B01612902") != NULL);
    assert_int_equal(r->masters, 1);
    path_of(r, NAME, path);
    assert_int_equal(nb__file_read(path, 1u << 20, &content, NULL), NB_OK);
    assert_int_equal(nb__masters_read(NB__MASTER_EUREX, nb__text_view(&content), &master, NULL),
                     NB_OK);
    assert_int_equal(master.count, 5);
    nb__master_fini(&master);
    nb__text_fini(&content);
    stop(r); /* fresh now: not fetched again */
    start(r);
    UNTIL(r, find(r, "B01612902") != NULL);
    for (int i = 0; i < 10; i++)
        nb__loop_turn(r->loop, 5);
    assert_int_equal(r->masters, 1);
}

static void an_old_one_serves_until_the_new_one_is_here(void **state)
{
    rig *r = *state;
    leave_master(r, 1000);
    start(r);
    UNTIL(r, find(r, "B01600001") != NULL);
    UNTIL(r, find(r, "B01612902") != NULL);
    assert_null(find(r, "B01600001"));
}

static void a_broken_download_leaves_the_last_good_copy(void **state)
{
    rig *r = *state;
    char path[160];
    struct stat before, after;
    leave_master(r, 1000);
    path_of(r, NAME, path);
    assert_int_equal(stat(path, &before), 0);
    r->is_master_broken = true;
    start(r);
    UNTIL(r, r->masters == 1);
    for (int i = 0; i < 20; i++)
        nb__loop_turn(r->loop, 5);
    assert_non_null(find(r, "B01600001"));
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(r->masters, 1); /* tried again in a minute */
    nb__master_file *file = &r->plant->masters.files[0];
    assert_true(file->told[0] != '\0');
    int64_t first_ns = file->pause_ns;
    r->is_master_broken = false;
    file->retry_ns = 0;
    nb__timer_set(r->loop, &r->plant->masters.timer, nb__clock_mono_ns());
    UNTIL(r, find(r, "B01612902") != NULL);
    assert_int_equal(first_ns, 60 * NB__NS_PER_S);
    assert_int_equal(file->pause_ns, 0);
}

static void a_failed_download_pauses_longer_each_time(void **state)
{
    rig *r = *state;
    r->has_masters = false; /* 404 */
    start(r);
    nb__master_file *file = &r->plant->masters.files[0];
    for (int64_t minutes = 1; minutes <= 64; minutes *= 2) {
        UNTIL(r, file->pause_ns == (minutes > 60 ? 60 : minutes) * 60 * NB__NS_PER_S &&
                     file->https == NULL && file->retry_ns > nb__clock_mono_ns());
        file->retry_ns = 0;
        nb__timer_set(r->loop, &r->plant->masters.timer, nb__clock_mono_ns());
        nb__loop_turn(r->loop, 0);
    }
}

static void a_broken_copy_is_refused_and_fetched_anew(void **state)
{
    rig *r = *state;
    leave_copy(r, NAME, NB__SPAN("PK no zip at all"), 0);
    start(r);
    UNTIL(r, find(r, "B01612902") != NULL);
    assert_int_equal(r->masters, 1);
}

/* nightbook symbols update, or a person. */
static void a_copy_that_another_program_replaced_is_read(void **state)
{
    rig *r = *state;
    nb__text zip = {0};
    r->config.master_address.host[0] = '\0';
    leave_master(r, 5);
    start(r);
    UNTIL(r, find(r, "B01600001") != NULL);
    print_master("B01600002", &zip);
    leave_copy(r, NAME, nb__text_view(&zip), 1);
    nb__text_fini(&zip);
    nb__timer_set(r->loop, &r->plant->masters.timer, nb__clock_mono_ns());
    UNTIL(r, find(r, "B01600002") != NULL);
    leave_copy(r, NAME, NB__SPAN("cut"), 0);
    nb__timer_set(r->loop, &r->plant->masters.timer, nb__clock_mono_ns());
    for (int i = 0; i < 10; i++)
        nb__loop_turn(r->loop, 5);
    assert_non_null(find(r, "B01600002"));
}

static void the_index_speaks_when_the_nights_own_are_missing(void **state)
{
    rig *r = *state;
    nb__text zip = {0};
    static const char rows[] =
        "5|B01600009|KR4B016AA412|C 202612 1,100.0|1|1100.00|2|2001|KOSPI200\n";
    assert_int_equal(nb__zip_write("fo_idx_code_mts.mst", NB__SPAN(rows), &zip, NULL), NB_OK);
    r->config.master_address.host[0] = '\0';
    leave_copy(r, "fo_idx_code_mts.mst.zip", nb__text_view(&zip), 1);
    nb__text_fini(&zip);
    start(r);
    UNTIL(r, find(r, "B01600009") != NULL);
    leave_master(r, 1);
    nb__timer_set(r->loop, &r->plant->masters.timer, nb__clock_mono_ns());
    UNTIL(r, find(r, "B01600001") != NULL);
    assert_null(find(r, "B01600009"));
    assert_true(nb__plant_master_zip(r->plant, NB__SPAN("fo_idx_code_mts.mst.zip")).size_bytes > 0);
}

static void codes_that_it_does_not_have_are_counted_once(void **state)
{
    rig *r = *state;
    nb__topic topic;
    leave_master(r, 0);
    r->config.master_address.host[0] = '\0';
    start(r);
    uint32_t early = topic_of(r, "B01699999"); /* wanted before there is a master */
    assert_int_equal(nb__plant_want(r->plant, early), NB_OK);
    assert_int_equal(nb__plant_count(r->plant)->codes_unknown, 0);
    UNTIL(r, find(r, "B01600001") != NULL);
    assert_int_equal(nb__plant_count(r->plant)->codes_unknown, 1);
    uint32_t slip = topic_of(r, "B01600007");
    for (int i = 0; i < 3; i++)
        assert_int_equal(nb__plant_want(r->plant, slip), NB_OK);
    assert_int_equal(nb__plant_count(r->plant)->codes_unknown, 2);
    assert_true(nb__topic_make(NB__SPAN("H0STASP0"), NB__SPAN("005930"), &topic)); /* not ours */
    nb__plant_want(r->plant, nb__topics_intern(nb__plant_topics(r->plant), &topic));
    assert_true(nb__topic_make(NB__SPAN("H0EUCNI0"), NB__SPAN("myhtsid"), &topic));
    nb__plant_want(r->plant, nb__topics_intern(nb__plant_topics(r->plant), &topic));
    nb__plant_want(r->plant, topic_of(r, "B01600001"));
    assert_int_equal(nb__plant_count(r->plant)->codes_unknown, 2);
    UNTIL(r, nb__plant_registration(r->plant, slip)->state == NB__REG_CONFIRMED); /* still asked */
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_kept, close_rig)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_last_good_copy_serves_without_a_network),
        T(a_missing_one_is_fetched_and_kept),
        T(an_old_one_serves_until_the_new_one_is_here),
        T(a_broken_download_leaves_the_last_good_copy),
        T(a_failed_download_pauses_longer_each_time),
        T(a_broken_copy_is_refused_and_fetched_anew),
        T(a_copy_that_another_program_replaced_is_read),
        T(the_index_speaks_when_the_nights_own_are_missing),
        T(codes_that_it_does_not_have_are_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
