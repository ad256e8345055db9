/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder in wide registers gives what the scalar one gives, or leaves the record to it: every
 * byte of a record changed, cut and doubled, at a guard page on both sides, in every alignment. */
#include "guard.h"
#include "kis/quote_wide.h"
#include "records.h"
#include <stdio.h>
#include <string.h>

#define SAMPLE_FULL                                                                                \
    "B01612A45^295959^11.80^11.85^11.90^11.95^12.00^11.75^11.70^11.65^11.60^11.55^1^2^3^4^5^6^7^"  \
    "8^9^10^11^12^13^14^15^16^17^18^19^20^15^40^65^90^-12^7"
#define SAMPLE_EXTREME                                                                             \
    "A^000000^12345.67^0.01^9.99^10.00^99999.99^0.00^0.00^0.00^0.00^0.00^0^0^0^0^0^0^0^0^0^0^"     \
    "99999999^0^00000001^7^0^0^0^0^0^0^1^0^99999999^0^-9999999^-0^one more^^"

static const char *const samples[] = {RECORD_OPTION, SAMPLE_FULL, SAMPLE_EXTREME};

static int wide_count;

static void same(nb_span record)
{
    nb_quote wide, scalar;
    memset(&wide, 0x5A, sizeof wide);
    memset(&scalar, 0x5A, sizeof scalar);
    const nb_quote before = wide;
    nb_err code = nb__quote_decode_scalar(nb_tr_at(0), record, &scalar, NULL);
    if (!nb__quote_decode_wide(nb__quote_lanes_at(0), 0, record, &wide)) {
        assert_memory_equal(&wide, &before, sizeof wide);
        return;
    }
    wide_count++;
    if (code != NB_OK || memcmp(&wide, &scalar, sizeof wide) != 0)
        fail_msg("%.*s", (int)record.size_bytes, record.data);
}

static void same_text(const char *text, size_t size)
{
    same((nb_span){text, size});
}

static void what_kis_sends_is_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(samples); i++) {
        wide_count = 0;
        same(nb__span(samples[i]));
        assert_int_equal(wide_count, 1);
    }
}

static void every_byte_changed(void **state)
{
    (void)state;
    char text[512];
    for (size_t i = 0; i < NB__COUNT_OF(samples); i++) {
        size_t size = strlen(samples[i]);
        for (size_t at = 0; at < size; at++)
            for (int byte = 0; byte < 256; byte++) {
                memcpy(text, samples[i], size);
                text[at] = (char)byte;
                same_text(text, size);
            }
    }
}

static void every_byte_left_out_or_put_in(void **state)
{
    (void)state;
    static const char extra[] = "^.-0909AZ/:@ n";
    char text[512];
    for (size_t i = 0; i < NB__COUNT_OF(samples); i++) {
        size_t size = strlen(samples[i]);
        for (size_t at = 0; at <= size; at++) {
            same_text(samples[i], at);
            for (size_t k = 0; k + 1 < sizeof extra; k++) {
                memcpy(text, samples[i], at);
                text[at] = extra[k];
                memcpy(text + at + 1, samples[i] + at, size - at);
                same_text(text, size + 1);
            }
            memcpy(text, samples[i], at);
            memcpy(text + at, samples[i] + at + (at < size), size - at - (at < size));
            same_text(text, size - (at < size));
        }
    }
}

/* Two fields of random kinds of text at once, and lengths up to beyond what one register set holds.
 */
static void fields_at_random(void **state)
{
    (void)state;
    static const char *const odd[] = {"",     "-1",        "-",        "1.2",        "12.345",
                                      "0",    "123456789", "12345678", "-1234567",   "-12345678",
                                      "0.00", "123456.78", "00000.00", "2147483648", ".50",
                                      "1.-2", "-1.25",     "1^2",      "nan",        "9.9"};
    nb__random random;
    nb__random_init(&random, 7);
    wide_count = 0;
    for (int i = 0; i < 200000; i++) {
        char text[1024];
        size_t size = 0;
        uint64_t first = nb__random_below(&random, 76), second = nb__random_below(&random, 120);
        size_t fields =
            38 + (nb__random_below(&random, 4) == 0 ? nb__random_below(&random, 60) : 0);
        for (size_t f = 0; f < fields; f++) {
            const char *word = odd[nb__random_below(&random, NB__COUNT_OF(odd))];
            char plain[16];
            unsigned number = (unsigned)nb__random_below(&random, 100000);
            snprintf(plain, sizeof plain,
                     f == 0              ? "B%u"
                     : f == 1            ? "1%u"
                     : f >= 2 && f <= 11 ? "%u.25"
                                         : "%u",
                     f == 1 ? 10000 + number / 2 : number);
            bool is_odd = f == first || f == second;
            size += (size_t)snprintf(text + size, sizeof text - size, "%s%s", f == 0 ? "" : "^",
                                     is_odd ? word : plain);
        }
        same_text(text, size);
    }
    assert_in_range(wide_count, 10000, 199999); /* neither all nor none */
}

static void nothing_outside_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(samples); i++)
        for (size_t size = 0; size <= strlen(samples[i]); size++) {
            guard tail = guard_copy(samples[i], size), head = guard_copy_front(samples[i], size);
            same_text(tail.data, size);
            same_text(head.data, size);
            guard_free(&tail);
            guard_free(&head);
        }
}

static void every_alignment(void **state)
{
    (void)state;
    _Alignas(64) char text[512];
    for (size_t shift = 0; shift < 64; shift++) {
        memcpy(text + shift, samples[1], strlen(samples[1]));
        same_text(text + shift, strlen(samples[1]));
    }
}

int main(void)
{
    if (!nb__quote_wide_is_possible()) {
        puts("SKIPPED: this CPU has no AVX-512 with VBMI2; the scalar decoder does it all here");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_kis_sends_is_decoded),     cmocka_unit_test(every_byte_changed),
        cmocka_unit_test(every_byte_left_out_or_put_in), cmocka_unit_test(fields_at_random),
        cmocka_unit_test(nothing_outside_is_read),       cmocka_unit_test(every_alignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
