/* SPDX-License-Identifier: Apache-2.0 */
/* base: the histogram. A quantile is never less than the truth and less than 1/32 more, for values
 * of every size. */
#include "base/base.h"
#include "guard.h"
#include <stdlib.h>
#include <string.h>

#define VALUES 20000

static nb__hist hist;

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Smallest value that `ppm` of a million of them are not above, by sorting. */
static int64_t truth(const int64_t *sorted, size_t count, uint32_t ppm)
{
    uint64_t rank = (count * (uint64_t)ppm + 999999) / 1000000;
    return sorted[rank == 0 ? 0 : rank - 1];
}

static void assert_near(int64_t told, int64_t true_value)
{
    assert_true(told >= true_value);
    assert_true(told - true_value <= true_value / 32);
}

static void quantiles_are_within_their_bound(void **state)
{
    (void)state;
    static int64_t values[VALUES];
    static const uint32_t ppms[] = {1,      1000,   100000, 250000, 500000,
                                    900000, 990000, 999000, 999900, 1000000};
    nb__random random;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        nb__random_init(&random, seed);
        memset(&hist, 0, sizeof hist);
        for (size_t i = 0; i < VALUES; i++) { /* every size is as likely as any other */
            uint64_t shift = nb__random_below(&random, 63) + 1;
            values[i] = (int64_t)(nb__random_next(&random) >> shift);
            nb__hist_add(&hist, values[i], 1);
        }
        qsort(values, VALUES, sizeof values[0], compare);
        for (size_t q = 0; q < NB__COUNT_OF(ppms); q++)
            assert_near(nb__hist_quantile(&hist, ppms[q]), truth(values, VALUES, ppms[q]));
        assert_int_equal(hist.count, VALUES);
        assert_int_equal(hist.max, values[VALUES - 1]);
    }
}

/* Around each power of two, where the buckets change their width. */
static void each_edge_is_within_its_bound(void **state)
{
    (void)state;
    for (int bit = 0; bit < 63; bit++)
        for (int64_t by = -40; by <= 40; by++) {
            int64_t value = (int64_t)(UINT64_C(1) << bit) + by;
            if (value < 0)
                continue;
            memset(&hist, 0, sizeof hist);
            nb__hist_add(&hist, value, 3);
            nb__hist_add(&hist, INT64_MAX, 1); /* so that no quantile below is cut to the max */
            assert_near(nb__hist_quantile(&hist, 500000), value);
        }
}

static void small_values_are_exact(void **state)
{
    (void)state;
    memset(&hist, 0, sizeof hist);
    assert_int_equal(nb__hist_quantile(&hist, 500000), 0);
    for (int64_t value = 0; value < 64; value++)
        nb__hist_add(&hist, value, 10);
    assert_int_equal(nb__hist_quantile(&hist, 500000), 31);
    assert_int_equal(nb__hist_quantile(&hist, 1000000), 63);
    assert_int_equal(nb__hist_quantile(&hist, 1), 0);
    assert_int_equal(hist.sum, 63 * 64 / 2 * 10);
}

static void many_at_once_and_below_nothing(void **state)
{
    (void)state;
    memset(&hist, 0, sizeof hist);
    nb__hist_add(&hist, -5, 1);
    nb__hist_add(&hist, 7, 0);
    assert_int_equal(hist.max, 0);
    nb__hist_add(&hist, 1000, UINT64_C(1) << 50); /* ranks of such counts do not overflow */
    nb__hist_add(&hist, 5000, UINT64_C(1) << 40);
    assert_near(nb__hist_quantile(&hist, 500000), 1000);
    assert_near(nb__hist_quantile(&hist, 999900), 5000);
    nb__hist_add(&hist, INT64_MAX, 1);
    assert_int_equal(nb__hist_quantile(&hist, 1000000), INT64_MAX);
    assert_int_equal(hist.max, INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_within_their_bound),
        cmocka_unit_test(each_edge_is_within_its_bound),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(many_at_once_and_below_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
