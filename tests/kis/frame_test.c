/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: heads, strides with drift and blanks, and that no byte outside the message is read. */
#include "guard.h"
#include "kis/kis.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTION                                                                                     \
    "301V06362^190159^2.98^2.99^3.00^0.00^0.00^2.97^2.96^2.95^0.00^0.00^0^0^0^0^0^0^0^0^0^0^1^3^"  \
    "12"                                                                                           \
    "^0^0^9^21^16^0^0^0^0^16^46^5^0"
#define FUTURE                                                                                     \
    "101V06^190215^367.35^367.40^367.45^0.00^0.00^367.30^367.25^367.20^0.00^0.00^0^0^0^0^0^0^0^0^" \
    "0"                                                                                            \
    "^0^24^21^21^0^0^2^28^20^0^0^0^0^0^0^^0^0^0^0^0^^000000^2^"

static void heads(void **state)
{
    (void)state;
    const struct {
        const char *text;
        nb_err code;
        size_t offset_bytes;
    } cases[] = {
        {"0|H0EUASP0|001|a^b", NB_OK, 0},
        {"1|H0IFCNI0|999|x", NB_OK, 0},
        {"0|X|001|", NB_OK, 0},
        {"0|ABCDEFGHIJKLMNO|010|x", NB_OK, 0},
        {"", NB_E_FRAME, 0},
        {"0", NB_E_FRAME, 0},
        {"2|H0EUASP0|001|a", NB_E_FRAME, 0},
        {" 0|H0EUASP0|001|a", NB_E_FRAME, 0},
        {"{\"header\":{}}", NB_E_FRAME, 0},
        {"0H0EUASP0|001|a", NB_E_FRAME, 1},
        {"0||001|a", NB_E_FRAME, 2},
        {"0|H0-UASP0|001|a", NB_E_FRAME, 4},
        {"0|ABCDEFGHIJKLMNOP|001|a", NB_E_FRAME, 18},
        {"0|H0EUASP0", NB_E_FRAME, 10},
        {"0|H0EUASP0|", NB_E_FRAME, 11},
        {"0|H0EUASP0|01|a", NB_E_FRAME, 13},
        {"0|H0EUASP0|0 1|a", NB_E_FRAME, 12},
        {"0|H0EUASP0|000|a", NB_E_FRAME, 11},
        {"0|H0EUASP0|001", NB_E_FRAME, 14},
        {"0|H0EUASP0|0010|a", NB_E_FRAME, 14},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb_frame frame;
        nb_error error = {0};
        nb_err code = nb_frame_split(nb__span(cases[i].text), &frame, &error);
        if (code != cases[i].code || error.offset_bytes != cases[i].offset_bytes)
            fail_msg("%s: %s at %zu: %s", cases[i].text, nb_error_name(code), error.offset_bytes,
                     error.detail);
        assert_int_equal(error.code, code);
    }
}

static void a_head_has_its_parts(void **state)
{
    (void)state;
    nb_frame frame;
    assert_int_equal(nb_frame_split(NB__SPAN("0|H0MFASP0|017|A01609^x"), &frame, NULL), NB_OK);
    assert_true(nb__span_is(frame.tr_id, "H0MFASP0"));
    assert_true(nb__span_is(frame.payload, "A01609^x"));
    assert_true(nb__span_is(nb_record_key(frame.payload), "A01609"));
    assert_ptr_equal(frame.tr, nb_tr_find(NB__SPAN("H0MFASP0")));
    assert_int_equal(frame.record_count, 17);
    assert_false(frame.is_encrypted);
    assert_int_equal(nb_frame_split(NB__SPAN("1|H0IFCNI0|001|AAAA"), &frame, NULL), NB_OK);
    assert_true(frame.is_encrypted);
    assert_null(frame.tr);
    nb_records records;
    assert_int_equal(nb_records_begin(&frame, &records, NULL), NB_E_ENCRYPTED);
}

static void keys(void **state)
{
    (void)state;
    assert_true(nb__span_is(nb_record_key(NB__SPAN("A01609")), "A01609"));
    assert_true(nb__span_is(nb_record_key(NB__SPAN("^x")), ""));
    assert_true(nb__span_is(nb_record_key((nb_span){NULL, 0}), ""));
}

/* Strides: `record` is what the first record should be. An unknown TR has any width from 1 on. */
static void strides(void **state)
{
    (void)state;
    const struct {
        const char *name, *text;
        nb_err code;
        int stride, drift;
        const char *first, *last;
    } cases[] = {
        {"documented", "0|H0EUASP0|001|" OPTION, NB_OK, 38, 0, OPTION, OPTION},
        {"trailing blank", "0|H0EUASP0|001|" OPTION "^", NB_OK, 38, 0, OPTION, OPTION},
        {"two records", "0|H0EUASP0|002|" OPTION "^" OPTION, NB_OK, 38, 0, OPTION, OPTION},
        {"two and a trailing blank", "0|H0EUASP0|002|" OPTION "^" OPTION "^", NB_OK, 38, 0, OPTION,
         OPTION},
        {"wider by one", "0|H0EUASP0|002|" OPTION "^1^" OPTION "^2", NB_OK, 39, 1, OPTION "^1",
         OPTION "^2"},
        {"portal's future of 46", "0|H0MFASP0|001|" FUTURE, NB_OK, 45, 7, NULL, NULL},
        {"each ends with a blank", "0|H0MFASP0|002|" FUTURE "^" FUTURE, NB_OK, 46, 8, FUTURE,
         FUTURE},
        {"narrow", "0|H0EUASP0|001|301V06362^190159^2.98", NB_E_WIDTH, 0, 0, NULL, NULL},
        {"empty", "0|H0EUASP0|001|", NB_E_WIDTH, 0, 0, NULL, NULL},
        {"cut in the second", "0|H0EUASP0|002|" OPTION "^301V06362^190159^2.98", NB_E_STRIDE, 0, 0,
         NULL, NULL},
        {"cut where it divides", "0|H0EUASP0|002|" OPTION "^301V06362^190159", NB_E_WIDTH, 0, 0,
         NULL, NULL},
        {"unknown", "0|X|002|a^b^c^d", NB_OK, 2, 0, "a^b", "c^d"},
        {"unknown, its own blanks", "0|X|002|a^^c^", NB_OK, 2, 0, "a^", "c^"},
        {"unknown, trailing blank", "0|X|003|a^b^c^", NB_OK, 1, 0, "a", "c"},
        {"unknown, rest", "0|X|002|a^b^c", NB_E_STRIDE, 0, 0, NULL, NULL},
        {"unknown, empty", "0|X|001|", NB_OK, 1, 0, "", ""},
        {"unknown, two and empty", "0|X|002|", NB_E_STRIDE, 0, 0, NULL, NULL},
        {"unknown, two empty", "0|X|002|^", NB_OK, 1, 0, "", ""},
        {"unknown, one caret", "0|X|001|^", NB_OK, 1, 0, "", ""},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        nb_frame frame;
        nb_records records;
        nb_span record, last = {0};
        nb_error error = {0};
        assert_int_equal(nb_frame_split(nb__span(cases[i].text), &frame, &error), NB_OK);
        nb_err code = nb_records_begin(&frame, &records, &error);
        if (code != cases[i].code)
            fail_msg("%s: %s, %s", cases[i].name, nb_error_name(code), error.detail);
        if (code != NB_OK) {
            assert_int_equal(error.offset_bytes, frame.payload.size_bytes);
            continue;
        }
        if (records.stride != cases[i].stride || records.drift != cases[i].drift)
            fail_msg("%s: stride %d, drift %d", cases[i].name, records.stride, records.drift);
        for (int left = frame.record_count; left > 0; left--) {
            assert_true(nb_records_next(&records, &record));
            if (left == frame.record_count && cases[i].first != NULL)
                assert_true(nb__span_is(record, cases[i].first));
            last = record;
        }
        assert_false(nb_records_next(&records, &record));
        assert_false(nb_records_next(&records, &record));
        if (cases[i].last != NULL)
            assert_true(nb__span_is(last, cases[i].last));
    }
}

/* The records with '^' between them are the payload again, but for one dropped trailing blank. */
static void check_walk(nb_span message)
{
    nb_frame frame;
    nb_records records;
    nb_span record;
    if (nb_frame_split(message, &frame, NULL) != NB_OK ||
        nb_records_begin(&frame, &records, NULL) != NB_OK)
        return;
    size_t at = 0;
    int count = 0;
    while (nb_records_next(&records, &record)) {
        at += count > 0;
        assert_ptr_equal(record.size_bytes > 0 ? record.data : frame.payload.data + at,
                         frame.payload.data + at);
        int fields = 1;
        for (size_t i = 0; i < record.size_bytes; i++)
            fields += record.data[i] == '^';
        assert_int_equal(fields, records.stride);
        at += record.size_bytes;
        count++;
    }
    assert_int_equal(count, frame.record_count);
    assert_true(at == frame.payload.size_bytes || at + 1 == frame.payload.size_bytes);
}

static void cut_at_every_byte_between_guard_pages(void **state)
{
    (void)state;
    const char *texts[] = {"0|H0EUASP0|001|" OPTION, "0|H0MFASP0|002|" FUTURE "^" FUTURE,
                           "0|H0STCNT0|003|a^b^c^d^e^f^"};
    for (size_t i = 0; i < NB__COUNT_OF(texts); i++)
        for (size_t size = 0; size <= strlen(texts[i]); size++) {
            guard back = guard_copy(texts[i], size), front = guard_copy_front(texts[i], size);
            check_walk((nb_span){back.data, size});
            check_walk((nb_span){front.data, size});
            guard_free(&back);
            guard_free(&front);
        }
}

static void random_payloads_walk_whole(void **state)
{
    (void)state;
    nb__random random;
    nb__random_init(&random, 20260720);
    for (int round = 0; round < 20000; round++) {
        char text[128];
        int size = snprintf(text, sizeof text, "0|T%d|%03d|", round % 7,
                            (int)nb__random_below(&random, 8) + 1);
        int end = size + (int)nb__random_below(&random, 60);
        for (; size < end; size++)
            text[size] = "^^^01."[nb__random_below(&random, 6)];
        check_walk((nb_span){text, (size_t)size});
    }
}

static void the_table_of_trs(void **state)
{
    (void)state;
    assert_non_null(nb_tr_at(0));
    assert_ptr_equal(nb_tr_find(NB__SPAN("H0EUASP0")), nb_tr_at(0));
    assert_null(nb_tr_find(NB__SPAN("H0EUASP")));
    assert_null(nb_tr_find(NB__SPAN("H0EUASP00")));
    assert_null(nb_tr_find((nb_span){NULL, 0}));
    size_t count = 0;
    for (const nb_tr *tr; (tr = nb_tr_at(count)) != NULL; count++)
        assert_ptr_equal(nb_tr_find(nb__span(tr->id)), tr);
    assert_int_equal(count, 2);
    assert_null(nb_tr_at(SIZE_MAX));
}

/* Long payloads, blanks by the thousand, and records of any length: each is where a plain count of
 * '^' says. */
static void many_records_lie_where_they_are_counted(void **state)
{
    (void)state;
    nb__random random;
    nb__random_init(&random, 7);
    for (int round = 0; round < 300; round++) {
        int count = 1 + (int)nb__random_below(&random, round % 10 == 0 ? 999 : 40);
        int stride = 1 + (int)nb__random_below(&random, 60);
        uint64_t longest = round % 3 == 0 ? 1 : 1 + nb__random_below(&random, 24);
        nb__text text = {0};
        nb__text_printf(&text, "0|X|%03d|", count);
        size_t *begins = calloc((size_t)count + 1, sizeof *begins);
        for (int i = 0; i < count * stride; i++) {
            if (i % stride == 0)
                begins[i / stride] = text.size_bytes;
            for (uint64_t size = nb__random_below(&random, longest); size > 0; size--)
                nb__text_append(&text, &"a]_`0"[nb__random_below(&random, 5)], 1);
            nb__text_append(&text, "^", i + 1 < count * stride); /* the last ends with no '^' */
        }
        nb__text_append(&text, "z", 1);
        begins[count] = text.size_bytes + 1;
        guard g = guard_copy(text.data, text.size_bytes);
        nb_frame frame;
        nb_records records;
        nb_span record;
        assert_int_equal(nb_frame_split((nb_span){g.data, g.size_bytes}, &frame, NULL), NB_OK);
        assert_int_equal(nb_records_begin(&frame, &records, NULL), NB_OK);
        assert_int_equal(records.stride, stride);
        for (int i = 0; i < count; i++) {
            assert_true(nb_records_next(&records, &record));
            assert_ptr_equal(record.data, g.data + begins[i]);
            assert_int_equal(record.size_bytes, begins[i + 1] - begins[i] - 1);
        }
        assert_false(nb_records_next(&records, &record));
        guard_free(&g);
        free(begins);
        nb__text_fini(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads),
        cmocka_unit_test(a_head_has_its_parts),
        cmocka_unit_test(keys),
        cmocka_unit_test(strides),
        cmocka_unit_test(cut_at_every_byte_between_guard_pages),
        cmocka_unit_test(random_payloads_walk_whole),
        cmocka_unit_test(many_records_lie_where_they_are_counted),
        cmocka_unit_test(the_table_of_trs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
