/* SPDX-License-Identifier: Apache-2.0 */
/* The ring against a plain list: what it still has is what was put, and what it has lost is the
 * oldest. */
#include "gateway/ring.h"
#include "guard.h"
#include <stdlib.h>
#include <string.h>

static void sizes_are_powers_of_two(void **state)
{
    (void)state;
    ring r;
    assert_int_equal(ring_init(&r, 5000, 16), NB_E_ARGUMENT);
    assert_int_equal(ring_init(&r, 4096, 17), NB_E_ARGUMENT);
    assert_int_equal(ring_init(&r, 2048, 16), NB_E_ARGUMENT);
    assert_int_equal(ring_init(&r, 4096, 8), NB_E_ARGUMENT);
    assert_int_equal(ring_init(&r, 4096, 16), NB_OK);
    ring_fini(&r);
}

static void a_message_too_long_for_the_ring_is_refused(void **state)
{
    (void)state;
    ring r;
    ring_message like = {0};
    assert_int_equal(ring_init(&r, 4096, 16), NB_OK);
    assert_null(ring_put(&r, &like, 1025));
    assert_int_equal(r.head, 0);
    assert_non_null(ring_put(&r, &like, 1024));
    assert_int_equal(r.head, 1);
    ring_fini(&r);
}

static void the_oldest_row_is_overwritten_first(void **state)
{
    (void)state;
    ring r;
    assert_int_equal(ring_init(&r, 4096, 16), NB_OK);
    for (uint32_t i = 0; i < 40; i++) {
        ring_message like = {.topic = i};
        memset(ring_put(&r, &like, 3), (int)i, 3);
        assert_int_equal(r.tail, i < 16 ? 0 : i - 15);
        assert_int_equal(ring_at(&r, i)->topic, i);
    }
    assert_false(ring_has(&r, 23));
    assert_true(ring_has(&r, 24));
    assert_true(ring_has(&r, 39));
    assert_false(ring_has(&r, 40));
    ring_fini(&r);
}

/* Messages of random sizes, each filled with its number: every one that the ring says it has is
 * whole. */
static void what_is_there_is_whole(void **state)
{
    (void)state;
    ring r;
    nb__random random;
    nb__random_init(&random, 7);
    assert_int_equal(ring_init(&r, 4096, 64), NB_OK);
    for (uint32_t i = 0; i < 5000; i++) {
        ring_message like = {.topic = i};
        size_t size = 1 + (size_t)nb__random_below(&random, i % 100 == 0 ? 1024 : 200);
        memset(ring_put(&r, &like, size), (int)(i & 0xff), size);
        uint64_t bytes = 0;
        for (uint64_t s = r.tail; s < r.head; s++) {
            nb_span view = ring_view(&r, ring_at(&r, s));
            assert_true(view.data >= r.bytes && view.data + view.size_bytes <= r.bytes + 4096);
            assert_int_equal(ring_at(&r, s)->topic, s);
            for (size_t b = 0; b < view.size_bytes; b++)
                assert_int_equal((unsigned char)view.data[b], s & 0xff);
            bytes += view.size_bytes;
        }
        assert_true(bytes <= 4096);
        assert_true(r.head - r.tail <= 64);
        assert_true(i < 3 ||
                    r.head - r.tail >= 3); /* nothing is given up before its place is needed */
    }
    ring_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_powers_of_two),
        cmocka_unit_test(a_message_too_long_for_the_ring_is_refused),
        cmocka_unit_test(the_oldest_row_is_overwritten_first),
        cmocka_unit_test(what_is_there_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
