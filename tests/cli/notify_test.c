/* SPDX-License-Identifier: Apache-2.0 */
/* Which notices are told, and as what. */
#include "cli/notify.h"
#include "guard.h"
#include <stdio.h>
#include <string.h>

static nb__notice notice_of(nb__notice_kind kind, const char *feed)
{
    return (nb__notice){kind, INT64_C(1795340096) * NB__NS_PER_S, feed, "it said \"no\"\n"};
}

static void test_ten_minutes_a_kind_and_feed(void **state)
{
    (void)state;
    static nb__notify notify;
    nb__notice lost = notice_of(NB__NOTICE_LINK_LOST, "main");
    nb__notice other = notice_of(NB__NOTICE_LINK_LOST, "second");
    nb__notice back = notice_of(NB__NOTICE_LINK_BACK, "main");
    uint32_t left_out = 99;
    int64_t now_ns = 5 * NB__NS_PER_S; /* a machine that began just now */
    assert_true(nb__notify_is_due(&notify, &lost, now_ns, &left_out));
    assert_int_equal(left_out, 0);
    assert_true(nb__notify_is_due(&notify, &other, now_ns, &left_out));
    assert_true(nb__notify_is_due(&notify, &back, now_ns, &left_out));
    for (int i = 0; i < 3; i++)
        assert_false(nb__notify_is_due(&notify, &lost, now_ns + i, &left_out));
    assert_false(nb__notify_is_due(&notify, &lost, now_ns + NB__NOTIFY_GAP_NS - 1, &left_out));
    assert_true(nb__notify_is_due(&notify, &lost, now_ns + NB__NOTIFY_GAP_NS, &left_out));
    assert_int_equal(left_out, 4);
    assert_true(nb__notify_is_due(&notify, &lost, now_ns + 2 * NB__NOTIFY_GAP_NS, &left_out));
    assert_int_equal(left_out, 0);
}

/* More feeds than rows: memory is bounded, and new ones are still told. */
static void test_many_feeds(void **state)
{
    (void)state;
    static nb__notify notify;
    char feed[32];
    uint32_t left_out;
    for (int i = 0; i < 3 * NB__NOTIFY_ROWS_MAX; i++) {
        snprintf(feed, sizeof feed, "feed%d", i);
        nb__notice notice = notice_of(NB__NOTICE_DRIFT, feed);
        assert_true(nb__notify_is_due(&notify, &notice, i, &left_out));
    }
    assert_int_equal(notify.row_count, NB__NOTIFY_ROWS_MAX);
}

/* As many run as may: what is not told is counted, and the next one of its kind says so. */
static void test_what_finds_no_room_is_counted(void **state)
{
    (void)state;
    static nb__notify notify;
    nb__notice lost = notice_of(NB__NOTICE_LINK_LOST, "main");
    uint32_t left_out = 99;
    assert_int_equal(nb__loop_new(&notify.loop, NULL), NB_OK);
    notify.command = "false";
    notify.running_count = NB__NOTIFY_RUNNING_MAX;
    nb__notify_tell(&notify, &lost);
    nb__notify_tell(&notify, &lost);
    assert_int_equal(notify.running_count, NB__NOTIFY_RUNNING_MAX);
    assert_true(nb__notify_is_due(&notify, &lost, nb__loop_mono_ns(notify.loop), &left_out));
    assert_int_equal(left_out, 2);
    nb__loop_free(notify.loop);
}

static void test_line(void **state)
{
    (void)state;
    nb__text out = {0};
    nb__notice notice = notice_of(NB__NOTICE_IN_USE, "main");
    nb__notify_print(&notice, 2, &out);
    assert_string_equal(out.data, "{\"time\":\"2026-11-22T18:34:56+09:00\",\"event\":\"in_use\","
                                  "\"feed\":\"main\",\"detail\":\"it said \\\"no\\\"\\n\","
                                  "\"left_out\":2}\n");
    nb__text_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_minutes_a_kind_and_feed), cmocka_unit_test(test_many_feeds),
        cmocka_unit_test(test_what_finds_no_room_is_counted), cmocka_unit_test(test_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
