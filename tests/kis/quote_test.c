/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes: KIS's own samples exactly, undefined values, every bad field with its offset and name,
 * and the way back. */
#include "guard.h"
#include "records.h"
#include <stdio.h>
#include <string.h>

static const nb_tr *option(void)
{
    return nb_tr_find(NB__SPAN("H0EUASP0"));
}

static const nb_tr *future(void)
{
    return nb_tr_find(NB__SPAN("H0MFASP0"));
}

static nb_quote decode(const nb_tr *tr, const char *text)
{
    nb_quote quote;
    nb_error error = {0};
    if (nb_quote_decode(tr, nb__span(text), &quote, &error) != NB_OK)
        fail_msg("%s: %s", text, error.detail);
    return quote;
}

static void check_level(const nb_level *level, nb_price price, int32_t quantity, int32_t count)
{
    assert_int_equal(level->price, price);
    assert_int_equal(level->quantity, quantity);
    assert_int_equal(level->count, count);
}

static void the_portals_option(void **state)
{
    (void)state;
    nb_quote q = decode(option(), RECORD_OPTION);
    assert_string_equal(q.key, "301V06362");
    assert_int_equal(q.time_hhmmss, 190159);
    check_level(&q.ask[0], 2980000000, 1, NB_INT32_UNDEF);
    check_level(&q.ask[1], 2990000000, 3, NB_INT32_UNDEF);
    check_level(&q.ask[2], 3000000000, 12, NB_INT32_UNDEF);
    check_level(&q.ask[3], NB_PRICE_UNDEF, 0, NB_INT32_UNDEF);
    check_level(&q.ask[4], NB_PRICE_UNDEF, 0, NB_INT32_UNDEF);
    check_level(&q.bid[0], 2970000000, 9, NB_INT32_UNDEF);
    check_level(&q.bid[1], 2960000000, 21, NB_INT32_UNDEF);
    check_level(&q.bid[2], 2950000000, 16, NB_INT32_UNDEF);
    check_level(&q.bid[3], NB_PRICE_UNDEF, 0, NB_INT32_UNDEF);
    assert_int_equal(q.total_ask_count, NB_INT_UNDEF);
    assert_int_equal(q.total_ask_quantity, 16);
    assert_int_equal(q.total_bid_quantity, 46);
    assert_int_equal(q.total_ask_change, 5);
    assert_int_equal(q.total_bid_change, 0);
    assert_int_equal(q.recv_ns, NB_TIME_UNDEF);
    assert_int_equal(q.event_ns, NB_TIME_UNDEF);
    assert_int_equal(q.flags, 0);
    assert_int_equal(q.field_count, 38);
    assert_ptr_equal(nb_tr_at(q.tr_index), option());
    assert_int_equal(q.decimals, 2);
}

static void the_portals_future(void **state)
{
    (void)state;
    nb_quote q = decode(future(), RECORD_FUTURE "^0^0^0^0^^000000^2");
    assert_string_equal(q.key, "101V06");
    check_level(&q.ask[2], 367450000000, 21, NB_INT32_UNDEF);
    check_level(&q.bid[0], 367300000000, 2, NB_INT32_UNDEF);
    assert_int_equal(q.total_ask_change, NB_INT_UNDEF);
    assert_int_equal(q.total_bid_change, 0);
    assert_int_equal(q.field_count, 45);
    assert_ptr_equal(nb_tr_at(q.tr_index), future());
}

/* A record with one field in another's place: `index` counts from 0. */
static void with_field(int index, const char *text, nb__text *out)
{
    nb_span rest = NB__SPAN(RECORD_OPTION);
    nb__text_clear(out);
    for (int i = 0; rest.size_bytes > 0 || i < 38; i++) {
        nb_span field = nb_record_key(rest);
        if (i > 0)
            nb__text_append(out, "^", 1);
        if (i == index)
            nb__text_string(out, text);
        else
            nb__text_append(out, field.data, field.size_bytes);
        size_t taken = field.size_bytes + (field.size_bytes < rest.size_bytes);
        rest.data += taken;
        rest.size_bytes -= taken;
    }
}

enum {
    KEY = 0,
    TIME = 1,
    ASK1 = 2,
    ASK4 = 5,
    COUNT1 = 12,
    QUANTITY1 = 22,
    QUANTITY4 = 25,
    TOTAL_COUNT = 32,
    TOTAL = 34,
    CHANGE = 36,
    LAST = 37
};

static void values_in_every_form(void **state)
{
    (void)state;
    const struct {
        int index;
        const char *text;
        size_t offset; /* in nb_quote */
        int size;
        int64_t value;
    } cases[] = {
#define AT(member) offsetof(nb_quote, member), (int)sizeof(((nb_quote *)0)->member)
        {ASK1, "1080.30", AT(ask[0].price), 1080300000000},
        {ASK1, "-0.35", AT(ask[0].price), -350000000},
        {ASK1, "0.000000001", AT(ask[0].price), 1},
        {ASK1, "1.123456789", AT(ask[0].price), 1123456789},
        {ASK1, "7", AT(ask[0].price), 7000000000},
        {ASK1, "0000000000000000000000001.50", AT(ask[0].price), 1500000000},
        {ASK1, "9223372036.854775806", AT(ask[0].price), INT64_MAX - 1},
        {ASK1, "-9223372036.854775808", AT(ask[0].price), INT64_MIN},
        {ASK1, "0.00", AT(ask[0].price), 0}, /* its quantity is 1: a price of zero */
        {ASK1, "", AT(ask[0].price), NB_PRICE_UNDEF},
        {ASK4, "0.00", AT(ask[3].price), NB_PRICE_UNDEF}, /* its quantity is 0: no level */
        {ASK4, "-0", AT(ask[3].price), NB_PRICE_UNDEF},
        {ASK4, "5.00", AT(ask[3].price), 5000000000},
        {QUANTITY4, "", AT(ask[3].price),
         NB_PRICE_UNDEF}, /* 0.00 with a blank quantity: no level */
        {QUANTITY4, "", AT(ask[3].quantity), NB_INT32_UNDEF},
        {QUANTITY1, "0", AT(ask[0].quantity), 0},
        {QUANTITY1, "0007", AT(ask[0].quantity), 7},
        {QUANTITY1, "2147483647", AT(ask[0].quantity), INT32_MAX},
        {QUANTITY1, "000000000000000000000000000042", AT(ask[0].quantity), 42},
        {COUNT1, "0", AT(ask[0].count), NB_INT32_UNDEF},
        {COUNT1, "", AT(ask[0].count), NB_INT32_UNDEF},
        {COUNT1, "31", AT(ask[0].count), 31},
        {TOTAL_COUNT, "000", AT(total_ask_count), NB_INT_UNDEF},
        {TOTAL_COUNT, "2147483648", AT(total_ask_count), INT64_C(2147483648)},
        {TOTAL, "9223372036854775807", AT(total_ask_quantity), INT64_MAX},
        {TOTAL, "", AT(total_ask_quantity), NB_INT_UNDEF},
        {CHANGE, "-1234", AT(total_ask_change), -1234},
        {CHANGE, "-9223372036854775807", AT(total_ask_change), -INT64_MAX},
        {CHANGE, "", AT(total_ask_change), NB_INT_UNDEF},
        {LAST, "", AT(total_bid_change), NB_INT_UNDEF},
        {TIME, "000000", AT(time_hhmmss), 0},
        {TIME, "011442", AT(time_hhmmss), 11442},
        {TIME, "295959", AT(time_hhmmss), 295959},
        {TIME, "", AT(time_hhmmss), NB_INT32_UNDEF},
#undef AT
    };
    nb__text text = {0};
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        with_field(cases[i].index, cases[i].text, &text);
        nb_quote quote = decode(option(), text.data);
        int64_t value = 0;
        int32_t narrow = 0;
        memcpy(cases[i].size == 8 ? (void *)&value : (void *)&narrow,
               (const char *)&quote + cases[i].offset, (size_t)cases[i].size);
        if ((cases[i].size == 8 ? value : narrow) != cases[i].value)
            fail_msg("field %d '%s': %lld", cases[i].index, cases[i].text,
                     (long long)value + narrow);
    }
    nb__text_fini(&text);
}

static void bad_fields_are_named(void **state)
{
    (void)state;
    const struct {
        int index;
        const char *text;
        nb_err code;
        size_t at; /* in the field */
        const char *words;
    } cases[] = {
        {KEY, "", NB_E_FIELD, 0, "field optn_shrn_iscd: ends too early for a code of 1-12 A-Z 0-9"},
        {KEY, "b01610A48", NB_E_FIELD, 0, "field optn_shrn_iscd: 'b' does not belong"},
        {KEY, "B01610A481234", NB_E_FIELD, 12, "field optn_shrn_iscd: '4' does not belong"},
        {TIME, "1901", NB_E_FIELD, 4, "field bsop_hour: ends too early for a time HHMMSS"},
        {TIME, "1901590", NB_E_FIELD, 6, "field bsop_hour: '0'"},
        {TIME, "300000", NB_E_FIELD, 0, "field bsop_hour: '3'"},
        {TIME, "196000", NB_E_FIELD, 2, "field bsop_hour: '6'"},
        {TIME, "190060", NB_E_FIELD, 4, "field bsop_hour: '6'"},
        {TIME, "19:159", NB_E_FIELD, 2, "field bsop_hour: ':'"},
        {ASK1, "2.9x", NB_E_FIELD, 3,
         "field optn_askp1: 'x' does not belong into a decimal number"},
        {ASK1, "+2.98", NB_E_FIELD, 0, "field optn_askp1: '+'"},
        {ASK1, ".98", NB_E_FIELD, 0, "field optn_askp1: '.'"},
        {ASK1, "2.", NB_E_FIELD, 2, "field optn_askp1: ends too early"},
        {ASK1, "-", NB_E_FIELD, 1, "field optn_askp1: ends too early"},
        {ASK1, "--2", NB_E_FIELD, 1, "field optn_askp1: '-'"},
        {ASK1, "2.9.8", NB_E_FIELD, 3, "field optn_askp1: '.'"},
        {ASK1, "1e3", NB_E_FIELD, 1, "field optn_askp1: 'e'"},
        {ASK1, "nan", NB_E_FIELD, 0, "field optn_askp1: 'n'"},
        {ASK1, " 2.98", NB_E_FIELD, 0, "field optn_askp1: byte 0x20"},
        {ASK1, "2.98\n", NB_E_FIELD, 4, "field optn_askp1: byte 0x0a"},
        {ASK1, "2\xff", NB_E_FIELD, 1, "field optn_askp1: byte 0xff"},
        {ASK1, "1.1234567890", NB_E_RANGE, 0, "field optn_askp1: more than 9 decimals"},
        {ASK1, "9223372036.854775807", NB_E_RANGE, 0,
         "field optn_askp1: more than 64 bits in 1e-9"},
        {ASK1, "-9223372036.854775809", NB_E_RANGE, 0,
         "field optn_askp1: more than 64 bits in 1e-9"},
        {ASK1, "9223372037", NB_E_RANGE, 0, "field optn_askp1: more than 64 bits in 1e-9"},
        {ASK1, "99999999999999999999999", NB_E_RANGE, 0,
         "field optn_askp1: more than 64 bits in 1e-9"},
        {QUANTITY1, "-1", NB_E_FIELD, 0,
         "field askp_rsqn1: '-' does not belong into a whole number"},
        {QUANTITY1, "1.0", NB_E_FIELD, 1, "field askp_rsqn1: '.'"},
        {QUANTITY1, "2147483648", NB_E_RANGE, 0, "field askp_rsqn1: more than 32 bits"},
        {COUNT1, "99999999999999999999", NB_E_RANGE, 0, "field askp_csnu1: more than 32 bits"},
        {TOTAL, "9223372036854775808", NB_E_RANGE, 0, "field total_askp_rsqn: more than 64 bits"},
        {CHANGE, "-9223372036854775808", NB_E_RANGE, 0,
         "field total_askp_rsqn_icdc: more than 64 bits"},
        {CHANGE, "5-", NB_E_FIELD, 1, "field total_askp_rsqn_icdc: '-'"},
        {LAST, "x", NB_E_FIELD, 0, "field total_bidp_rsqn_icdc: 'x'"},
    };
    nb__text text = {0};
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        with_field(cases[i].index, cases[i].text, &text);
        nb_span field = nb__text_view(&text);
        for (int j = 0; j < cases[i].index; j++)
            field.data += nb_record_key((nb_span){field.data, strlen(field.data)}).size_bytes + 1;
        nb_quote quote, before;
        memset(&quote, 0x5a, sizeof quote);
        before = quote;
        nb_error error = {0};
        nb_err code = nb_quote_decode(option(), nb__text_view(&text), &quote, &error);
        size_t offset = (size_t)(field.data - text.data) + cases[i].at;
        if (code != cases[i].code || error.code != code || error.offset_bytes != offset ||
            strncmp(error.detail, cases[i].words, strlen(cases[i].words)) != 0)
            fail_msg("field %d '%s': %s at %zu (expected %zu): %s", cases[i].index, cases[i].text,
                     nb_error_name(code), error.offset_bytes, offset, error.detail);
        assert_memory_equal(&quote, &before, sizeof quote);
        assert_int_equal(nb_quote_decode(option(), nb__text_view(&text), &quote, NULL), code);
    }
    nb__text_fini(&text);
}

static void prices_are_those_of_nb_price_parse(void **state)
{
    (void)state;
    nb__random random;
    nb__random_init(&random, 7);
    nb__text text = {0};
    for (int round = 0; round < 50000; round++) {
        char price[32];
        size_t size = nb__random_below(&random, 24) + 1;
        for (size_t i = 0; i < size; i++)
            price[i] = "0123456789..-90"[nb__random_below(&random, 15)];
        price[size] = '\0';
        nb_price expected = 0;
        int decimals = 0;
        nb_err code = nb_price_parse(nb__span(price), &expected, &decimals, NULL);
        with_field(ASK1, price, &text);
        nb_quote quote;
        nb_err got = nb_quote_decode(option(), nb__text_view(&text), &quote, NULL);
        if ((code == NB_OK) != (got == NB_OK) || (code == NB_OK && quote.ask[0].price != expected))
            fail_msg("%s: %s, %s", price, nb_error_name(code), nb_error_name(got));
        if (code == NB_OK)
            assert_int_equal(quote.decimals, decimals > 2 ? decimals : 2);
    }
    nb__text_fini(&text);
}

/* Decode `size` bytes that end, and that begin, at an unmapped page. */
static nb_err decode_guarded(const nb_tr *tr, const char *text, size_t size, nb_quote *quote)
{
    guard back = guard_copy(text, size), front = guard_copy_front(text, size);
    nb_error error = {0};
    nb_err code = nb_quote_decode(tr, (nb_span){back.data, size}, quote, &error);
    assert_int_equal(nb_quote_decode(tr, (nb_span){front.data, size}, quote, NULL), code);
    assert_true(code == NB_OK || error.offset_bytes <= size);
    guard_free(&back);
    guard_free(&front);
    return code;
}

/* A record cut anywhere is refused; cut within the last field it is a shorter number or a blank,
 * which KIS sends too. */
static void cut_at_every_byte_between_guard_pages(void **state)
{
    (void)state;
    const char *texts[] = {RECORD_OPTION, RECORD_FUTURE};
    const nb_tr *trs[] = {option(), future()};
    for (int i = 0; i < 2; i++) {
        size_t last = (size_t)(strrchr(texts[i], '^') - texts[i]) + 1;
        for (size_t size = 0; size <= strlen(texts[i]); size++) {
            nb_quote quote, before;
            memset(&quote, 0x5a, sizeof quote);
            before = quote;
            nb_err code = decode_guarded(trs[i], texts[i], size, &quote);
            assert_true(size < last ? code == NB_E_WIDTH || code == NB_E_FIELD : code == NB_OK);
            if (code != NB_OK)
                assert_memory_equal(&quote, &before, sizeof quote);
        }
    }
    nb_quote quote;
    assert_int_equal(nb_quote_decode(option(), (nb_span){NULL, 0}, &quote, NULL), NB_E_FIELD);
}

static void a_foreign_byte_anywhere_is_refused(void **state)
{
    (void)state;
    const char foreign[] = {'x', '\0', '|', ' ', '\xff', '/', ':'};
    for (size_t at = 0; at < strlen(RECORD_OPTION); at++)
        for (size_t i = 0; i < sizeof foreign; i++) {
            char text[] = RECORD_OPTION;
            text[at] = foreign[i];
            nb_quote quote;
            nb_error error = {0};
            nb_err code =
                nb_quote_decode(option(), (nb_span){text, sizeof text - 1}, &quote, &error);
            assert_true(code == NB_E_FIELD || code == NB_E_WIDTH);
            assert_int_equal(error.offset_bytes, at);
        }
}

/* Decode, and encode into exactly as many bytes as are needed, at a guard page. */
static void check_round_trip(const nb_tr *tr, const char *text)
{
    nb_quote quote = decode(tr, text);
    size_t size = strlen(text), written = 0;
    guard room = guard_copy(text, size);
    memset(room.data, 'x', size);
    assert_int_equal(nb_quote_encode(tr, &quote, room.data, size, &written), NB_OK);
    if (written != size || memcmp(room.data, text, size) != 0)
        fail_msg("%s came back as %.*s", text, (int)written, room.data);
    guard_free(&room);
}

static void the_portals_records_come_back(void **state)
{
    (void)state;
    check_round_trip(option(), RECORD_OPTION);
    check_round_trip(future(), RECORD_FUTURE);
}

static void random_records_come_back(void **state)
{
    (void)state;
    nb__random random;
    nb__random_init(&random, 20260722);
    nb__text text = {0};
    for (int round = 0; round < 20000; round++) {
        record_random(&random, round % 4 == 0 ? (int)nb__random_below(&random, 10) : 2, &text);
        check_round_trip(round % 2 == 0 ? option() : future(), text.data);
    }
    nb__text_fini(&text);
}

/* What KIS does not send comes back as the same quote, if not as the same bytes. */
static void odd_records_keep_their_meaning(void **state)
{
    (void)state;
    const struct {
        int index;
        const char *text;
    } cases[] = {{ASK1, ""},   {ASK1, "007.5"}, {ASK4, ""},    {QUANTITY1, ""},
                 {COUNT1, ""}, {TIME, ""},      {CHANGE, "-0"}};
    nb__text text = {0};
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        with_field(cases[i].index, cases[i].text, &text);
        nb_quote first = decode(option(), text.data);
        char out[NB_QUOTE_TEXT_MAX];
        size_t size;
        assert_int_equal(nb_quote_encode(option(), &first, out, sizeof out, &size), NB_OK);
        nb_quote second;
        assert_int_equal(nb_quote_decode(option(), (nb_span){out, size}, &second, NULL), NB_OK);
        assert_memory_equal(&first, &second, sizeof first);
    }
    nb__text_fini(&text);
}

static void encode_needs_its_room(void **state)
{
    (void)state;
    nb_quote quote = decode(option(), RECORD_OPTION);
    size_t needed = strlen(RECORD_OPTION);
    for (size_t capacity = 0; capacity < needed; capacity++) {
        guard room = guard_copy(RECORD_OPTION, capacity);
        size_t size = 12345;
        assert_int_equal(nb_quote_encode(option(), &quote, room.data, capacity, &size), NB_E_LIMIT);
        assert_int_equal(size, 12345);
        guard_free(&room);
    }
}

static void the_longest_text_fits(void **state)
{
    (void)state;
    nb_quote quote;
    memset(&quote, 0x80, sizeof quote); /* large negative numbers everywhere */
    quote.time_hhmmss = INT32_MAX;
    char out[NB_QUOTE_TEXT_MAX];
    size_t size = 0;
    assert_int_equal(nb_quote_encode(option(), &quote, out, sizeof out, &size), NB_OK);
    assert_true(size > 500);
}

static void only_books_are_quotes(void **state)
{
    (void)state;
    nb_tr tr = *option();
    nb_quote quote;
    assert_int_equal(nb_quote_decode(&tr, NB__SPAN(RECORD_OPTION), &quote, NULL), NB_OK);
    assert_int_equal(quote.tr_index, UINT16_MAX); /* a row of another table */
    tr.is_book = false;
    assert_int_equal(nb_quote_decode(&tr, NB__SPAN(RECORD_OPTION), &quote, NULL), NB_E_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_portals_option),
        cmocka_unit_test(the_portals_future),
        cmocka_unit_test(values_in_every_form),
        cmocka_unit_test(bad_fields_are_named),
        cmocka_unit_test(prices_are_those_of_nb_price_parse),
        cmocka_unit_test(cut_at_every_byte_between_guard_pages),
        cmocka_unit_test(a_foreign_byte_anywhere_is_refused),
        cmocka_unit_test(the_portals_records_come_back),
        cmocka_unit_test(random_records_come_back),
        cmocka_unit_test(odd_records_keep_their_meaning),
        cmocka_unit_test(encode_needs_its_room),
        cmocka_unit_test(the_longest_text_fits),
        cmocka_unit_test(only_books_are_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
