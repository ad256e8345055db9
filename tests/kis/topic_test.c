/* SPDX-License-Identifier: Apache-2.0 */
/* Topics: dense numbers, found again, never given back, never more than there is room for. */
#include "guard.h"
#include "kis/kis.h"
#include <stdio.h>
#include <string.h>

static nb__topic topic_of(unsigned number)
{
    char key[13];
    nb__topic topic;
    snprintf(key, sizeof key, "B%07u", number);
    assert_true(nb__topic_make(NB__SPAN("H0EUASP0"), nb__span(key), &topic));
    return topic;
}

static void names_have_limits(void **state)
{
    (void)state;
    const struct {
        nb_span tr_id, tr_key;
        bool is_good;
    } cases[] = {
        {NB__SPAN("H0EUASP0"), NB__SPAN("B01610A48"), true},
        {NB__SPAN("H"), NB__SPAN("*"), true},
        {NB__SPAN("123456789012345"), NB__SPAN("123456789012"), true},
        {NB__SPAN("1234567890123456"), NB__SPAN("A"), false},
        {NB__SPAN("A"), NB__SPAN("1234567890123"), false},
        {NB__SPAN(""), NB__SPAN("A"), false},
        {NB__SPAN("A"), NB__SPAN(""), false},
        {NB__SPAN("A"), {NULL, 0}, false},
        {NB__SPAN("A\0B"), NB__SPAN("A"), false},
        {NB__SPAN("A"), NB__SPAN("A\0B"), false},
        {NB__SPAN("A^"), NB__SPAN("A"), false},
        {NB__SPAN("A"), NB__SPAN("A|"), false},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        guard tr_id = guard_copy(cases[i].tr_id.data, cases[i].tr_id.size_bytes);
        guard tr_key = guard_copy(cases[i].tr_key.data == NULL ? "" : cases[i].tr_key.data,
                                  cases[i].tr_key.size_bytes);
        nb__topic topic;
        memset(&topic, 'x', sizeof topic);
        assert_int_equal(nb__topic_make((nb_span){tr_id.data, tr_id.size_bytes},
                                        (nb_span){tr_key.data, tr_key.size_bytes}, &topic),
                         cases[i].is_good);
        if (cases[i].is_good) {
            nb__topic expected = {0};
            memcpy(expected.tr_id, cases[i].tr_id.data, cases[i].tr_id.size_bytes);
            memcpy(expected.tr_key, cases[i].tr_key.data, cases[i].tr_key.size_bytes);
            assert_memory_equal(&topic, &expected, sizeof topic);
        }
        guard_free(&tr_id);
        guard_free(&tr_key);
    }
}

static void numbers_are_dense_and_stay(void **state)
{
    (void)state;
    const unsigned count = 5000;
    nb__topics *topics = nb__topics_new(count);
    assert_non_null(topics);
    for (unsigned i = 0; i < count; i++) {
        nb__topic topic = topic_of(i);
        assert_int_equal(nb__topics_find(topics, &topic), NB__TOPIC_NONE);
        assert_int_equal(nb__topics_intern(topics, &topic), i);
        assert_int_equal(nb__topics_count(topics), i + 1);
    }
    nb__topic one_more = topic_of(count);
    assert_int_equal(nb__topics_intern(topics, &one_more), NB__TOPIC_NONE);
    assert_int_equal(nb__topics_count(topics), count);
    for (unsigned i = 0; i < count; i++) {
        nb__topic topic = topic_of(i);
        assert_int_equal(nb__topics_find(topics, &topic), i);
        assert_int_equal(nb__topics_intern(topics, &topic), i);
        assert_memory_equal(nb__topics_at(topics, i), &topic, sizeof topic);
    }
    assert_int_equal(nb__topics_find(topics, &one_more), NB__TOPIC_NONE);
    assert_null(nb__topics_at(topics, count));
    assert_null(nb__topics_at(topics, NB__TOPIC_NONE));
    nb__topics_free(topics);
}

static void the_tr_is_part_of_the_name(void **state)
{
    (void)state;
    nb__topics *topics = nb__topics_new(2);
    nb__topic book, trade;
    assert_true(nb__topic_make(NB__SPAN("H0EUASP0"), NB__SPAN("B01610A48"), &book));
    assert_true(nb__topic_make(NB__SPAN("H0EUCNT0"), NB__SPAN("B01610A48"), &trade));
    assert_int_equal(nb__topics_intern(topics, &book), 0);
    assert_int_equal(nb__topics_intern(topics, &trade), 1);
    nb__topics_free(topics);
}

static void sizes_at_the_edge(void **state)
{
    (void)state;
    nb__topic topic = topic_of(1);
    nb__topics *none = nb__topics_new(0);
    assert_int_equal(nb__topics_find(none, &topic), NB__TOPIC_NONE);
    assert_int_equal(nb__topics_intern(none, &topic), NB__TOPIC_NONE);
    nb__topics_free(none);
    assert_null(nb__topics_new(UINT32_MAX));
    nb__topics_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_limits),
        cmocka_unit_test(numbers_are_dense_and_stay),
        cmocka_unit_test(the_tr_is_part_of_the_name),
        cmocka_unit_test(sizes_at_the_edge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
