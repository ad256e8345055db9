/* SPDX-License-Identifier: Apache-2.0 */
/* Which codes are registered first: fronts before later expiries, near before far, calls before
 * puts. */
#include "guard.h"
#include "plan/plan.h"
#include <stdio.h>
#include <string.h>

#define ROWS_MAX 256

typedef struct chain {
    nb__instrument rows[ROWS_MAX];
    nb__master master;
} chain;

static void add(chain *c, nb__product product, char right, const char *expiry, int strike,
                char atm_class)
{
    nb__instrument *row = &c->rows[c->master.count];
    c->master.rows = c->rows;
    *row = (nb__instrument){.right = right,
                            .product = product,
                            .strike = strike == 0 ? NB_PRICE_UNDEF : strike * NB_PRICE_ONE,
                            .atm_class = atm_class};
    snprintf(row->expiry, sizeof row->expiry, "%s", expiry);
    snprintf(row->name, sizeof row->name, "%c%d %s %d", right, (int)product, expiry, strike);
    snprintf(row->code, sizeof row->code, "%03u", (unsigned)c->master.count % 1000);
    c->master.count++;
}

static void add_pair(chain *c, nb__product product, const char *expiry, int strike, int money)
{
    char call = money == 0 ? ' ' : strike == money ? '1' : strike < money ? '2' : '3';
    char put = money == 0 ? ' ' : strike == money ? '1' : strike > money ? '2' : '3';
    add(c, product, 'C', expiry, strike, call);
    add(c, product, 'P', expiry, strike, put);
}

static void expect(const chain *c, const char *const *names, size_t count)
{
    const nb__instrument *out[ROWS_MAX];
    assert_int_equal(nb__nearest(&c->master, out), c->master.count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(out[i]->name, names[i]);
}

static void fronts_are_mixed_by_distance_after_the_future(void **state)
{
    (void)state;
    chain c = {0};
    for (int strike = 1090; strike <= 1110; strike += 10) {
        add_pair(&c, NB__PRODUCT_KOSPI200, "202701", strike, 1100);
        add_pair(&c, NB__PRODUCT_KOSPI200, "202612", strike, 1100);
        add_pair(&c, NB__PRODUCT_KOSPI200_WEEKLY_THU, "2611W4", strike, 1100);
    }
    add(&c, NB__PRODUCT_KOSPI200, 'F', "202703", 0, ' ');
    add(&c, NB__PRODUCT_KOSPI200, 'F', "202612", 0, ' ');
    add(&c, NB__PRODUCT_OTHER_FUTURE, 'F', "202611", 0, ' ');
    static const char *const names[] = {
        "F1 202612 0",    "C1 202612 1100", "P1 202612 1100", "C3 2611W4 1100", "P3 2611W4 1100",
        "C1 202612 1090", "C1 202612 1110", "P1 202612 1090", "P1 202612 1110", "C3 2611W4 1090",
        "C3 2611W4 1110", "P3 2611W4 1090", "P3 2611W4 1110", "C1 202701 1100",
    };
    expect(&c, names, NB__COUNT_OF(names));
}

static void minis_and_kosdaq_come_after_the_big_ones(void **state)
{
    (void)state;
    chain c = {0};
    add_pair(&c, NB__PRODUCT_KOSDAQ150, "202612", 1500, 1500);
    add_pair(&c, NB__PRODUCT_KOSPI200_MINI, "202612", 1100, 1100);
    add_pair(&c, NB__PRODUCT_KOSPI200, "202712", 900, 1100);
    add_pair(&c, NB__PRODUCT_KOSPI200, "202712", 1100, 1100);
    static const char *const names[] = {"C1 202712 1100", "P1 202712 1100", "C1 202712 900",
                                        "P1 202712 900",  "C2 202612 1100", "P2 202612 1100"};
    expect(&c, names, NB__COUNT_OF(names));
}

static void without_a_mark_the_money_lies_between_in_and_out(void **state)
{
    (void)state;
    chain c = {0};
    for (int strike = 1000; strike <= 1300; strike += 10)
        add_pair(&c, NB__PRODUCT_KOSPI200, "202612", strike,
                 1044); /* no strike is the money itself */
    static const char *const names[] = {"C1 202612 1040", "C1 202612 1050"};
    const nb__instrument *out[ROWS_MAX];
    nb__nearest(&c.master, out);
    assert_true(strcmp(out[0]->name, names[0]) == 0 || strcmp(out[0]->name, names[1]) == 0);
    assert_int_equal(out[0]->right, 'C');
}

static void without_any_marks_the_middle_of_the_chain(void **state)
{
    (void)state;
    chain c = {0};
    for (int strike = 1000; strike <= 1040; strike += 10)
        add_pair(&c, NB__PRODUCT_KOSPI200, "202612", strike, 0);
    static const char *const names[] = {"C1 202612 1020", "P1 202612 1020"};
    expect(&c, names, NB__COUNT_OF(names));
}

static void odd_rows_do_no_harm(void **state)
{
    (void)state;
    chain c = {0};
    const nb__instrument *out[ROWS_MAX];
    assert_int_equal(nb__nearest(&c.master, out), 0);
    add(&c, NB__PRODUCT_KOSPI200, 'C', "", 1100, '1');
    add(&c, NB__PRODUCT_UNKNOWN, 'P', "W", 1100, 'x');
    add(&c, NB__PRODUCT_KOSPI200, 'C', "2612W4", 0, '1'); /* an option without a strike */
    c.rows[0].strike = INT64_MAX - 1;
    c.rows[1].strike = INT64_MIN + 1;
    assert_int_equal(nb__nearest(&c.master, out), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fronts_are_mixed_by_distance_after_the_future),
        cmocka_unit_test(minis_and_kosdaq_come_after_the_big_ones),
        cmocka_unit_test(without_a_mark_the_money_lies_between_in_and_out),
        cmocka_unit_test(without_any_marks_the_middle_of_the_chain),
        cmocka_unit_test(odd_rows_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
