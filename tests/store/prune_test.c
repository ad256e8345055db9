/* SPDX-License-Identifier: Apache-2.0 */
/* Old nights go, oldest first; the current one and what is not ours stay. */
#include "step_rig.h"

typedef struct said {
    int nights[16];
    uint64_t sizes[16];
    int count;
} said;

static void on_removed(void *self, int night, uint64_t size_bytes)
{
    said *s = self;
    s->nights[s->count] = night;
    s->sizes[s->count++] = size_bytes;
}

static void put(const rig *r, int night, const char *name, size_t size_bytes)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%d", r->journal, night);
    if (mkdir(path, 0700) != 0)
        assert_int_equal(errno, EEXIST);
    snprintf(path, sizeof path, "%s/%d/%s", r->journal, night, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (size_t i = 0; i < size_bytes; i++)
        fputc('x', file);
    assert_int_equal(fclose(file), 0);
}

static bool is_there(const rig *r, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", r->journal, name);
    return access(path, F_OK) == 0;
}

/* Nights 20261116 to 20261120, 100 bytes each. */
static void begin(rig *r)
{
    rig_open(r, NB__FEED_SIM);
    assert_int_equal(rmdir(r->night), 0);
    for (int night = 20261116; night <= 20261120; night++) {
        char name[64];
        snprintf(name, sizeof name, "%d-000001.log.zst", night);
        put(r, night, name, 60);
        snprintf(name, sizeof name, "%d-000002.log", night);
        put(r, night, name, 40);
    }
}

static said prune(const rig *r, nb__prune_limits limits)
{
    said s = {0};
    nb_error error = {0};
    if (nb__prune(r->journal, &limits, on_removed, &s, &error) != NB_OK)
        fail_msg("%s", error.detail);
    return s;
}

static void test_nights(void **state)
{
    (void)state;
    rig r;
    begin(&r);
    said s = prune(&r, (nb__prune_limits){.keep_nights = 3, .is_trial = true});
    assert_int_equal(s.count, 2);
    assert_true(is_there(&r, "20261116"));
    s = prune(&r, (nb__prune_limits){.keep_nights = 3});
    assert_int_equal(s.count, 2);
    assert_int_equal(s.nights[0], 20261116);
    assert_int_equal(s.nights[1], 20261117);
    assert_int_equal(s.sizes[0], 100);
    assert_false(is_there(&r, "20261116") || is_there(&r, "20261117"));
    assert_true(is_there(&r, "20261118/20261118-000002.log"));
    assert_int_equal(prune(&r, (nb__prune_limits){.keep_nights = 3}).count, 0);
    assert_int_equal(prune(&r, (nb__prune_limits){0}).count, 0);
    rig_close(&r);
}

static void test_bytes(void **state)
{
    (void)state;
    rig r;
    begin(&r);
    assert_int_equal(prune(&r, (nb__prune_limits){.keep_bytes = 500}).count, 0);
    assert_int_equal(prune(&r, (nb__prune_limits){.keep_bytes = 499}).count, 1);
    assert_int_equal(prune(&r, (nb__prune_limits){.keep_bytes = 201}).count, 2);
    assert_true(is_there(&r, "20261119") && !is_there(&r, "20261118"));
    assert_int_equal(prune(&r, (nb__prune_limits){.keep_bytes = 1}).count, 1);
    assert_true(is_there(&r, "20261120/20261120-000001.log.zst")); /* the newest never goes */
    rig_close(&r);
}

static void test_current_night(void **state)
{
    (void)state;
    rig r;
    begin(&r);
    nb__prune_limits limits = {.keep_nights = 1, .current_night = 20261118};
    said s = prune(&r, limits);
    assert_int_equal(s.count, 2); /* nor what is later: a clock that was ahead */
    assert_true(is_there(&r, "20261118") && is_there(&r, "20261119") && is_there(&r, "20261120"));
    rig_close(&r);
}

/* Names that nightbook writes go; others stay, and their directory with them. */
static void test_whose(void **state)
{
    (void)state;
    rig r;
    begin(&r);
    static const char *const ours[] = {
        "20261116-000003.log.tmp",
        "20261116-000003.log.zst.tmp",
        "20261116-000003.damaged-0",
        "20261116-000003.damaged-12-2.zst",
        "20261116-000003.damaged-12.tmp",
        "report.json",
        "report.html",
        "report.txt",
        "report.json.new-Ab12Cd",
        "20261116-1000000.log",
    };
    static const char *const theirs[] = {
        "notes.txt",    "20261116-000001.log.bak", "20261117-000001.log",
        "report.jsonx", "20261116-1.log",          "x20261116-000001.log",
    };
    for (size_t i = 0; i < NB__COUNT_OF(ours); i++)
        put(&r, 20261116, ours[i], 1);
    for (size_t i = 0; i < NB__COUNT_OF(theirs); i++)
        put(&r, 20261116, theirs[i], 1);
    put(&r, 20261001, "holiday.jpg", 1000); /* no night of ours at all */
    char path[200];
    snprintf(path, sizeof path, "%s/20261116/deeper", r.journal);
    assert_int_equal(mkdir(path, 0700), 0);
    said s = prune(&r, (nb__prune_limits){.keep_nights = 4});
    assert_int_equal(s.count, 1);
    assert_int_equal(s.sizes[0], 100 + NB__COUNT_OF(ours));
    for (size_t i = 0; i < NB__COUNT_OF(ours); i++) {
        snprintf(path, sizeof path, "20261116/%s", ours[i]);
        assert_false(is_there(&r, path));
    }
    for (size_t i = 0; i < NB__COUNT_OF(theirs); i++) {
        snprintf(path, sizeof path, "20261116/%s", theirs[i]);
        assert_true(is_there(&r, path));
    }
    assert_true(is_there(&r, "20261116/deeper") && is_there(&r, "20261001/holiday.jpg"));
    assert_false(is_there(&r, "20261116/care.lock"));
    assert_int_equal(prune(&r, (nb__prune_limits){.keep_nights = 4}).count, 0);
    rig_close(&r);
}

static nb_err prune_job(void *self)
{
    nb__prune_limits limits = {.keep_nights = 3};
    nb_error error = {0};
    return nb__prune(((const rig *)self)->journal, &limits, NULL, NULL, &error);
}

/* What a killed one leaves of a night is its begin. */
static void test_killed_at_every_step(void **state)
{
    (void)state;
    for (int at = 1;; at++) {
        rig r;
        begin(&r);
        bool is_killed = step_kill(at, STEP_AFTER, prune_job, &r);
        bool has_first = is_there(&r, "20261116/20261116-000001.log.zst");
        assert_true(has_first || !is_there(&r, "20261116/20261116-000002.log"));
        assert_true(is_there(&r, "20261118/20261118-000002.log"));
        assert_int_equal(prune_job(&r), NB_OK);
        assert_false(is_there(&r, "20261116/20261116-000001.log.zst"));
        assert_false(is_there(&r, "20261117"));
        rig_close(&r);
        if (!is_killed)
            break;
    }
}

static void test_busy_and_away(void **state)
{
    (void)state;
    rig r;
    begin(&r);
    char path[200];
    int lock;
    snprintf(path, sizeof path, "%s/20261117/care.lock", r.journal);
    assert_int_equal(nb__disk_lock(path, &lock, NULL), NB_OK);
    assert_int_equal(prune_job(&r), NB_E_BUSY); /* something packs there: the oldest went */
    assert_false(is_there(&r, "20261116"));
    assert_true(is_there(&r, "20261117/20261117-000001.log.zst"));
    nb__disk_close(lock);
    assert_int_equal(prune_job(&r), NB_OK);
    nb__prune_limits limits = {.keep_nights = 1};
    assert_int_equal(nb__prune("/nowhere/at/all", &limits, NULL, NULL, NULL), NB_E_NOT_FOUND);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nights),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_current_night),
        cmocka_unit_test(test_whose),
        cmocka_unit_test(test_killed_at_every_step),
        cmocka_unit_test(test_busy_and_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
