/* SPDX-License-Identifier: Apache-2.0 */
/* DBN byte by byte: the metadata and one record as databento's layout has them, written out here.
 */
#include "export_rig.h"

#define METADATA_OF_ONE (8 + 352) /* 100 + 20 + 71 + 158, to the next 8 */

static void put(nb__text *out, uint64_t value, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        char byte = (char)(value >> 8 * i & 0xFF);
        nb__text_append(out, &byte, 1);
    }
}

static void put_name(nb__text *out, const char *name, size_t size_bytes)
{
    nb__text_string(out, name);
    for (size_t i = strlen(name); i < size_bytes; i++)
        nb__text_append(out, "", 1);
}

static void put_metadata(nb__text *out, uint64_t first_ns, uint64_t last_ns,
                         const char *const *codes, const char *const *ids, size_t count)
{
    nb__text_append(out, "DBN\x03", 4);
    uint64_t size = 100 + 20 + count * 71 + count * (71 + 4 + 4 + 4 + 71);
    put(out, (size + 7) / 8 * 8, 4);
    put_name(out, "XKRX.NIGHT", 16);
    put(out, 2, 2);
    put(out, first_ns, 8);
    put(out, last_ns + 1, 8);
    put(out, 0, 8);
    nb__text_append(out, "\x01\x00\x00", 3);
    put(out, 71, 2);
    put_name(out, "", 53);
    put(out, 0, 4);
    put(out, count, 4);
    for (size_t i = 0; i < count; i++)
        put_name(out, codes[i], 71);
    put(out, 0, 4);
    put(out, 0, 4);
    put(out, count, 4);
    for (size_t i = 0; i < count; i++) {
        put_name(out, codes[i], 71);
        put(out, 1, 4);
        put(out, 20261120, 4);
        put(out, 20261121, 4);
        put_name(out, ids[i], 71);
    }
    while (out->size_bytes % 8 != 0)
        nb__text_append(out, "", 1);
}

static void put_level(nb__text *out, uint64_t bid, uint64_t ask, uint32_t bid_size,
                      uint32_t ask_size, uint32_t bid_count, uint32_t ask_count)
{
    put(out, bid, 8);
    put(out, ask, 8);
    put(out, bid_size, 4);
    put(out, ask_size, 4);
    put(out, bid_count, 4);
    put(out, ask_count, 4);
}

static nb__text export_dbn(rig *r, const char *suffix)
{
    char path[128];
    nb__text out = {0};
    nb_error error = {0};
    nb__export_counters counters;
    snprintf(path, sizeof path, "%s/out%s", r->journal, suffix);
    nb__export_how how = {.path = r->night,
                          .format = nb__export_format_find("dbn"),
                          .out = path,
                          .calendar = nb_calendar_builtin()};
    if (nb__export(&how, &counters, &error) != NB_OK)
        fail_msg("%s", error.detail);
    assert_int_equal(nb__file_read(path, (size_t)1 << 20, &out, &error), NB_OK);
    assert_int_equal(out.size_bytes, counters.bytes);
    assert_int_equal(remove(path), 0);
    return out;
}

static void begin(rig *r)
{
    nb__session_clock clock = nb__session_clock_live();
    clock.kind = NB__FEED_LIVE;
    rig_open(r, NB__FEED_LIVE);
    rig_begin(r, RIG_BEGIN_NS);
    rig_connect(r, RIG_BEGIN_NS, 1, clock, false);
}

static void a_book_is_368_bytes_of_this(void **state)
{
    (void)state;
    rig r;
    nb__text expected = {0};
    const char *codes[] = {"B01612745"}, *ids[] = {"2796891099"}; /* FNV-1a */
    int64_t recv_ns = RIG_BEGIN_NS + 1250 * NB__NS_PER_MS;
    begin(&r);
    raw_frame(&r, recv_ns, 1,
              "0|H0EUASP0|001|B01612745^180001^2.98^2.99^3.00^^0.00^-2.97^2.96^0.00^0.00^0.00"
              "^5^0^^2^0^6^7^0^0^0^1^3^^4^0^9^21^0^0^0^15^40^16^46^-1234^-1");
    end_segment(&r, recv_ns + 1);
    put_metadata(&expected, (uint64_t)recv_ns, (uint64_t)recv_ns, codes, ids, 1);
    assert_int_equal(expected.size_bytes, METADATA_OF_ONE);
    nb__text_append(&expected, "\x5C\x0A\x00\x00", 4);
    put(&expected, 2796891099u, 4);
    put(&expected, (uint64_t)(RIG_BEGIN_NS + NB__NS_PER_S), 8);
    put(&expected, INT64_MAX, 8);
    put(&expected, UINT32_MAX, 4);
    nb__text_append(&expected, "MN", 2);
    put(&expected, 128 + 16, 1);
    put(&expected, 0, 1);
    put(&expected, (uint64_t)recv_ns, 8);
    put(&expected, 250000000, 4);
    put(&expected, 1, 4);
    put_level(&expected, (uint64_t)-2970000000, 2980000000, 9, 1, 6, 5);
    put_level(&expected, 2960000000, 2990000000, 21, 3, 7, 0);
    put_level(&expected, INT64_MAX, 3000000000, 0, UINT32_MAX, 0,
              0); /* a price without its number */
    put_level(&expected, INT64_MAX, INT64_MAX, 0, 4, 0, 2);
    for (int i = 4; i < 10; i++)
        put_level(&expected, INT64_MAX, INT64_MAX, 0, 0, 0, 0);
    assert_int_equal(expected.size_bytes, METADATA_OF_ONE + 368);
    nb__text got = export_dbn(&r, "");
    assert_int_equal(got.size_bytes, expected.size_bytes);
    for (size_t i = 0; i < got.size_bytes; i++)
        if (got.data[i] != expected.data[i])
            fail_msg("byte %zu: %02x, expected %02x", i, (uint8_t)got.data[i],
                     (uint8_t)expected.data[i]);
    nb__text_fini(&got);
    nb__text_fini(&expected);
    rig_close(&r);
}

static void two_codes_of_one_hash_have_two_ids(void **state)
{
    (void)state;
    rig r;
    nb__text expected = {0};
    const char *codes[] = {"C01112789", "B01612745", "C01349192", "301V06362"};
    const char *ids[] = {"149455883", "2796891099", "149455884", "1909464084"};
    begin(&r);
    for (int i = 0; i < 8; i++)
        book_frame(&r, RIG_BEGIN_NS + i, 1, codes[i % 4], "", 300, 1, 0);
    end_segment(&r, RIG_BEGIN_NS + 9);
    put_metadata(&expected, (uint64_t)RIG_BEGIN_NS, (uint64_t)RIG_BEGIN_NS + 7, codes, ids, 4);
    nb__text got = export_dbn(&r, "");
    assert_int_equal(got.size_bytes, expected.size_bytes + 8 * 368);
    assert_memory_equal(got.data, expected.data, expected.size_bytes);
    for (size_t i = 0; i < 8; i++) {
        uint32_t id, sequence;
        uint64_t ts_event;
        int32_t delta;
        const char *record = got.data + expected.size_bytes + i * 368;
        memcpy(&id, record + 4, sizeof id);
        memcpy(&ts_event, record + 8, sizeof ts_event);
        memcpy(&delta, record + 40, sizeof delta);
        memcpy(&sequence, record + 44, sizeof sequence);
        assert_int_equal(id, strtoul(ids[i % 4], NULL, 10));
        assert_true(ts_event == UINT64_MAX && delta == 0); /* a record without a time */
        assert_int_equal(sequence, i + 1);
    }
    nb__text_fini(&got);
    nb__text_fini(&expected);
    rig_close(&r);
}

static void flags_and_deltas_that_do_not_fit(void **state)
{
    (void)state;
    rig r;
    begin(&r);
    book_frame(&r, RIG_BEGIN_NS + 4 * 3600 * NB__NS_PER_S, 1, "B01612745", "180000", 300, 1, 0);
    book_frame(&r, RIG_BEGIN_NS, 1, "B01612745", "220000", 300, 9, 5);
    end_segment(&r, RIG_BEGIN_NS + 1);
    nb__text got = export_dbn(&r, "");
    const char *records = got.data + METADATA_OF_ONE;
    int32_t first, second;
    memcpy(&first, records + 40, 4);
    memcpy(&second, records + 368 + 40, 4);
    assert_true(first == INT32_MAX && second == INT32_MIN);
    assert_int_equal((uint8_t)records[30], 128 + 16 + 8);
    assert_int_equal((uint8_t)records[368 + 30], 128 + 16 + 8 + 4);
    nb__text_fini(&got);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_book_is_368_bytes_of_this),
        cmocka_unit_test(two_codes_of_one_hash_have_two_ids),
        cmocka_unit_test(flags_and_deltas_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
