/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket frames: golden cases, each also cut at every byte and against guard pages; printing;
 * memory. */
#include "guard.h"
#include "transcript.h"

#define MESSAGE_MAX ((size_t)70000)

typedef struct golden {
    const char *name, *frames, *events;
} golden;

/*
 * Frames are written as FIRST_BYTE:payload, joined by '|'. FIRST_BYTE is hex: 81 final text, 01
 * text to be continued, 80 final continuation, 88 Close. `=hex` are raw bytes. `*N` as payload
 * means N times 'x'. The server's frames come masked with changing masks.
 */
static void frame_build(nb__text *out, unsigned first, nb_span payload, bool is_masked)
{
    uint8_t mask[4] = {(uint8_t)(0x37 + payload.size_bytes), 0xFA, 0x21, 0x3D};
    uint8_t bit = is_masked ? 0x80 : 0;
    size_t n = payload.size_bytes;
    uint8_t small[2] = {(uint8_t)first, (uint8_t)(bit | (n < 126 ? n : n < 65536 ? 126 : 127))};
    uint8_t medium[2] = {(uint8_t)(n >> 8), (uint8_t)n};
    uint8_t large[8] = {0, 0, 0, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), medium[0], medium[1]};
    nb__text_append(out, small, 2);
    if (n >= 65536)
        nb__text_append(out, large, 8);
    else if (n >= 126)
        nb__text_append(out, medium, 2);
    if (is_masked)
        nb__text_append(out, mask, 4);
    for (size_t i = 0; i < n; i++) {
        char c = (char)(is_masked ? (uint8_t)payload.data[i] ^ mask[i % 4] : payload.data[i]);
        nb__text_append(out, &c, 1);
    }
}

static unsigned hex_byte(const char *at)
{
    char digits[3] = {at[0], at[1], '\0'};
    return (unsigned)strtoul(digits, NULL, 16);
}

static void item_build(nb__text *out, nb_span item, bool is_masked)
{
    if (item.data[0] == '=') {
        for (size_t i = 1; i + 1 < item.size_bytes; i += 2) {
            char byte = (char)hex_byte(item.data + i);
            nb__text_append(out, &byte, 1);
        }
        return;
    }
    nb_span payload = {item.data + 3, item.size_bytes - 3};
    nb__text many = {0};
    if (payload.size_bytes > 1 && payload.data[0] == '*') {
        for (unsigned long n = strtoul(payload.data + 1, NULL, 10); n > 0; n--)
            nb__text_append(&many, "x", 1);
        payload = nb__text_view(&many);
    }
    frame_build(out, hex_byte(item.data), payload, is_masked);
    nb__text_fini(&many);
}

static nb__text frames_build(const char *frames, bool is_masked)
{
    nb__text out = {0};
    while (*frames != '\0') {
        size_t size = strcspn(frames, "|");
        item_build(&out, (nb_span){frames, size}, is_masked);
        frames += size + (frames[size] == '|');
    }
    return out;
}

static void expect_same(const golden *c, nb__ws_role role, nb_span input, pieces cut,
                        const char *whole)
{
    nb__text text = {0};
    nb__text_string(&text, "");
    transcript_ws(&text, role, MESSAGE_MAX, input, cut);
    if (strcmp(text.data, whole) != 0)
        fail_msg("%s, in pieces of %u %u …: %s", c->name, cut.sizes[0],
                 cut.count > 1 ? cut.sizes[1] : 0, text.data);
    nb__text_fini(&text);
}

static void expect_same_at_guards(const golden *c, nb__ws_role role, nb_span input,
                                  const char *whole)
{
    for (int is_front = 0; is_front < 2; is_front++) {
        guard g = (is_front ? guard_copy_front : guard_copy)(input.data, input.size_bytes);
        nb__text text = {0};
        nb__text_string(&text, "");
        nb__ws ws;
        nb__ws_init(&ws, role, MESSAGE_MAX);
        transcript_ws_piece(&text, &ws, g.data, g.data + g.size_bytes);
        nb__ws_fini(&ws);
        if (strcmp(text.data, whole) != 0)
            fail_msg("%s, at a guard page: %s", c->name, text.data);
        nb__text_fini(&text);
        guard_free(&g);
    }
}

static void run_golden(const golden *c, nb__ws_role role)
{
    nb__text input = frames_build(c->frames, role == NB__WS_SERVER), whole = {0};
    nb__text_string(&whole, "");
    transcript_ws(&whole, role, MESSAGE_MAX, nb__text_view(&input), (pieces){0});
    if (strcmp(whole.data, c->events) != 0)
        fail_msg("%s: expected \"%s\", got \"%s\"", c->name, c->events, whole.data);
    expect_same_at_guards(c, role, nb__text_view(&input), whole.data);
    for (unsigned size = 1; size < 20; size++)
        expect_same(c, role, nb__text_view(&input), (pieces){&(uint8_t){(uint8_t)size}, 1},
                    whole.data);
    /* in two, at every byte, then in three */
    for (size_t at = 1; at < input.size_bytes && at < 250; at++) {
        expect_same(c, role, nb__text_view(&input), (pieces){(uint8_t[]){(uint8_t)at, 0}, 2},
                    whole.data);
        expect_same(c, role, nb__text_view(&input), (pieces){(uint8_t[]){(uint8_t)at, 1, 0}, 3},
                    whole.data);
    }
    nb__text_fini(&input);
    nb__text_fini(&whole);
}

/* Cases that both roles read alike. */
static const golden both[] = {
    {"nothing", "", ""},
    {"an empty text", "81:", "text "},
    {"a text", "81:Hello", "text Hello"},
    {"a binary", "82:\xFF\xFE", "binary \xFF\xFE"},
    {"Korean", "81:\xED\x98\xB8\xEA\xB0\x80", "text \xED\x98\xB8\xEA\xB0\x80"},
    {"125 bytes", "81:*125",
     "text xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
    {"126 bytes, then another", "81:*126|81:y",
     "text "
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; text y"},
    {"65535 bytes", "82:*65535|89:", "binary 65535 bytes 52ea6f54e3c56bbf; ping "},
    {"65536 bytes", "82:*65536|89:", "binary 65536 bytes a9c6f43f08762325; ping "},
    {"as long as allowed", "02:*40000|80:*30000|89:", "binary 70000 bytes 940217a24a8c22e5; ping "},
    {"one byte too long", "82:*70001", "error 1009: the message is longer than the limit"},
    {"too long by its third fragment", "02:*40000|00:*30000|80:x",
     "error 1009: the message is longer than the limit"},
    {"an empty fragment at the limit",
     "02:*40000|00:*30000|80:|8A:", "binary 70000 bytes 940217a24a8c22e5; pong "},
    {"fragments", "01:Hel|00:|80:lo", "text Hello"},
    {"empty fragments", "01:|00:|80:", "text "},
    {"empty fragments around all of it", "01:|80:Hello|81:x", "text Hello; text x"},
    {"all in the first fragment", "01:Hello|80:", "text Hello"},
    {"control frames between fragments", "01:He|89:a|00:l|8A:b|80:lo|89:c",
     "ping a; pong b; text Hello; ping c"},
    {"a close between fragments", "01:He|88:\x03\xE8|80:llo", "close 1000 "},
    {"pings", "89:|89:\xFF|8A:abc", "ping ; ping \xFF; pong abc"},
    {"a ping of 125 bytes", "89:*125",
     "ping "
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
    {"a ping of 126 bytes", "89:*126", "error 1002: a control frame is longer than 125 bytes"},
    {"a fragmented ping", "09:a|80:b", "error 1002: a control frame is fragmented"},
    {"a fragmented close", "08:|80:", "error 1002: a control frame is fragmented"},
    {"RSV1", "81:a|C1:Hello",
     "text a; error 1002: a reserved bit is set and no extension was agreed"},
    {"RSV2", "A1:Hello", "error 1002: a reserved bit is set and no extension was agreed"},
    {"RSV3", "91:Hello", "error 1002: a reserved bit is set and no extension was agreed"},
    {"RSV1 on a ping", "C9:", "error 1002: a reserved bit is set and no extension was agreed"},
    {"opcode 3", "83:", "error 1002: the opcode is reserved"},
    {"opcode 7", "87:a", "error 1002: the opcode is reserved"},
    {"opcode 11", "81:a|8B:", "text a; error 1002: the opcode is reserved"},
    {"opcode 15", "8F:", "error 1002: the opcode is reserved"},
    {"a continuation of nothing", "80:a", "error 1002: a continuation frame continues nothing"},
    {"a continuation after the last", "01:a|80:b|80:c",
     "text ab; error 1002: a continuation frame continues nothing"},
    {"a text within a text", "01:a|81:b",
     "error 1002: a new message begins before the last one's final frame"},
    {"a binary within a text", "01:a|02:b",
     "error 1002: a new message begins before the last one's final frame"},
    {"an empty close", "88:|81:late", "close 1005 "},
    {"half a close code", "88:\x03", "error 1002: a Close frame has half a code"},
    {"close 1000 with a reason",
     "88:\x03\xE8"
     "bye",
     "close 1000 bye"},
    {"close 1003", "88:\x03\xEB", "close 1003 "},
    {"close 1004", "88:\x03\xEC", "error 1002: a Close frame has a code that none may carry"},
    {"close 1005", "88:\x03\xED", "error 1002: a Close frame has a code that none may carry"},
    {"close 1006", "88:\x03\xEE", "error 1002: a Close frame has a code that none may carry"},
    {"close 1007", "88:\x03\xEF", "close 1007 "},
    {"close 1011", "88:\x03\xF3", "close 1011 "},
    {"close 1014", "88:\x03\xF6", "close 1014 "},
    {"close 1015", "88:\x03\xF7", "error 1002: a Close frame has a code that none may carry"},
    {"close 1016", "88:\x03\xF8", "error 1002: a Close frame has a code that none may carry"},
    {"close 999", "88:\x03\xE7", "error 1002: a Close frame has a code that none may carry"},
    {"close 2999", "88:\x0B\xB7", "error 1002: a Close frame has a code that none may carry"},
    {"close 3000", "88:\x0B\xB8", "close 3000 "},
    {"close 4999", "88:\x13\x87", "close 4999 "},
    {"close 5000", "88:\x13\x88", "error 1002: a Close frame has a code that none may carry"},
    {"close 65535", "88:\xFF\xFF", "error 1002: a Close frame has a code that none may carry"},
    {"bytes after a close are nobody's", "88:\x03\xE8|FF:rubbish|81:x", "close 1000 "},
    {"a close whose length is 126", "88:*126",
     "error 1002: a control frame is longer than 125 bytes"},
};

/* What only the server role refuses; raw bytes are given with their masks. */
static const golden server[] = {
    {"RFC 6455, 5.7: a masked Hello", "=818537fa213d7f9f4d5158", "text Hello"},
    {"not masked", "=810548656c6c6f", "error 1002: a client's frame is not masked"},
    {"an empty ping that is not masked", "=8900", "error 1002: a client's frame is not masked"},
    {"125 in 16 bits", "=81FE007D", ""},
    {"125 in 16 bits, with its mask", "=81FE007D01020304",
     "error 1002: a length is not in its shortest form"},
    {"65535 in 64 bits", "=82FF000000000000FFFF01020304",
     "error 1002: a length is not in its shortest form"},
    {"the top bit of 64", "=82FF800000000000000001020304",
     "error 1002: the top bit of a 64-bit length is set"},
    {"2^63 - 1 bytes", "=82FF7FFFFFFFFFFFFFFF01020304",
     "error 1009: the message is longer than the limit"},
    {"a lone continuation byte", "81:a\x80", "error 1007: a text message is not UTF-8"},
    {"an overlong slash", "81:\xC0\xAF", "error 1007: a text message is not UTF-8"},
    {"an overlong E0 9F BF", "81:\xE0\x9F\xBF", "error 1007: a text message is not UTF-8"},
    {"an overlong F0 8F BF BF", "81:\xF0\x8F\xBF\xBF", "error 1007: a text message is not UTF-8"},
    {"an overlong C1 BF", "81:\xC1\xBF", "error 1007: a text message is not UTF-8"},
    {"five bytes", "81:\xF8\x88\x80\x80\x80", "error 1007: a text message is not UTF-8"},
    {"U+0800, U+10000, U+D7FF", "81:\xE0\xA0\x80\xF0\x90\x80\x80\xED\x9F\xBF",
     "text \xE0\xA0\x80\xF0\x90\x80\x80\xED\x9F\xBF"},
    {"a surrogate", "81:\xED\xA0\x80", "error 1007: a text message is not UTF-8"},
    {"past U+10FFFF", "81:\xF4\x90\x80\x80", "error 1007: a text message is not UTF-8"},
    {"U+10FFFF", "81:\xF4\x8F\xBF\xBF", "text \xF4\x8F\xBF\xBF"},
    {"a cut character at the end", "81:\xEC\x98", "error 1007: a text message is not UTF-8"},
    {"a character over two fragments", "01:\xED\x98|80:\xB8", "text \xED\x98\xB8"},
    {"a character over three, with a ping", "01:\xF0\x9F|89:p|00:\x98|80:\x80",
     "ping p; text \xF0\x9F\x98\x80"},
    {"wrong in the second fragment, told before the third",
     "01:\xCE\xBA|00:\xF4\x90|89:", "error 1007: a text message is not UTF-8"},
    {"a fragment that ends in a character, then a wrong byte", "01:\xCE|00:x",
     "error 1007: a text message is not UTF-8"},
    {"an unfinished character at the final, empty fragment",
     "01:\xCE|80:", "error 1007: a text message is not UTF-8"},
    {"binary is not looked at", "82:\xC0\xAF", "binary \xC0\xAF"},
    {"a reason that is not UTF-8", "88:\x03\xE8\xC0\xAF",
     "error 1007: a Close frame's reason is not UTF-8"},
    {"a reason that is cut", "88:\x03\xE8\xED\x98",
     "error 1007: a Close frame's reason is not UTF-8"},
};

static const golden client[] = {
    {"RFC 6455, 5.7: Hello", "=810548656c6c6f", "text Hello"},
    {"masked", "=818537fa213d7f9f4d5158", "error 1002: a server's frame is masked"},
    {"125 in 16 bits", "=817E007D", "error 1002: a length is not in its shortest form"},
    {"the top bit of 64", "=827F8000000000000000",
     "error 1002: the top bit of a 64-bit length is set"},
    {"2^63 - 1 bytes", "=827F7FFFFFFFFFFFFFFF", "error 1009: the message is longer than the limit"},
    {"text that is not UTF-8 is delivered", "81:a\x80|81:b", "text-not-utf8 a\x80; text b"},
    {"a cut character", "81:\xEC\x98|81:b", "text-not-utf8 \xEC\x98; text b"},
    {"fragments that are not UTF-8", "01:\xC0|00:\xAF|89:|80:x|81:y",
     "ping ; text-not-utf8 \xC0\xAFx; text y"},
    {"a character over two fragments", "01:\xED\x98|80:\xB8", "text \xED\x98\xB8"},
    {"a reason that is not UTF-8", "88:\x03\xE8\xC0\xAF", "close-not-utf8 1000 \xC0\xAF"},
};

static void test_golden(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(both); i++) {
        run_golden(&both[i], NB__WS_SERVER);
        run_golden(&both[i], NB__WS_CLIENT);
    }
    for (size_t i = 0; i < NB__COUNT_OF(server); i++)
        run_golden(&server[i], NB__WS_SERVER);
    for (size_t i = 0; i < NB__COUNT_OF(client); i++)
        run_golden(&client[i], NB__WS_CLIENT);
}

/* A wrong byte is told when it comes, not at the frame's end. */
static void test_fails_fast(void **state)
{
    (void)state;
    nb__text input = frames_build("81:\xCE\xBA\xF4\x90\x80\x80more", true);
    nb__ws ws;
    nb__ws_init(&ws, NB__WS_SERVER, MESSAGE_MAX);
    nb__ws_event event;
    char *at = input.data;
    nb__ws_next(&ws, &at, input.data + 6 + 3, &event);
    assert_int_equal(event.kind, NB__WS_EVENT_MORE);
    nb__ws_next(&ws, &at, input.data + 6 + 4, &event);
    assert_int_equal(event.kind, NB__WS_EVENT_ERROR);
    assert_int_equal(event.close_code, 1007);
    nb__ws_fini(&ws);
    nb__text_fini(&input);
}

static void test_whole_message_is_not_copied(void **state)
{
    (void)state;
    for (int role = NB__WS_SERVER; role <= NB__WS_CLIENT; role++) {
        nb__text input = frames_build("81:Hello|01:|80:World|89:ping", role == NB__WS_SERVER);
        nb__ws ws;
        nb__ws_init(&ws, (nb__ws_role)role, MESSAGE_MAX);
        char *at = input.data, *end = at + input.size_bytes;
        for (int i = 0; i < 3; i++) {
            nb__ws_event event;
            nb__ws_next(&ws, &at, end, &event);
            assert_int_not_equal(event.kind, NB__WS_EVENT_MORE);
            assert_true(event.payload.data >= input.data && event.payload.data < end);
            assert_ptr_equal(event.payload.data + event.payload.size_bytes, at);
        }
        nb__ws_fini(&ws);
        nb__text_fini(&input);
    }
}

static void test_idle_holds_no_memory(void **state)
{
    (void)state;
    nb__text input = frames_build("01:Hello|89:ping|80:World", true);
    nb__ws ws;
    nb__ws_init(&ws, NB__WS_SERVER, MESSAGE_MAX);
    nb__text text = {0};
    for (size_t i = 0; i < input.size_bytes; i++)
        transcript_ws_piece(&text, &ws, input.data + i, input.data + i + 1);
    assert_string_equal(text.data, "ping ping; text HelloWorld");
    assert_null(ws.message.data);
    assert_null(ws.control.data);
    nb__text_fini(&text);
    nb__text_fini(&input);
}

/* Autobahn 9: fragments of few bytes must not cost a copy of the whole message each. */
static void test_many_small_fragments(void **state)
{
    (void)state;
    enum { SIZE = 4 << 20 };
    for (size_t step = 1; step <= 64; step *= 64) {
        nb__text input = {0};
        char bytes[64];
        memset(bytes, 'x', sizeof bytes);
        for (size_t at = 0; at < SIZE; at += step)
            frame_build(&input, (at == 0 ? 1u : 0u) | (at + step == SIZE ? 0x80u : 0u),
                        (nb_span){bytes, step}, true);
        nb__ws ws;
        nb__ws_init(&ws, NB__WS_SERVER, SIZE);
        char *at = input.data;
        nb__ws_event event;
        nb__ws_next(&ws, &at, input.data + input.size_bytes, &event);
        assert_int_equal(event.kind, NB__WS_EVENT_MESSAGE);
        assert_int_equal(event.payload.size_bytes, SIZE);
        nb__ws_fini(&ws);
        nb__text_fini(&input);
    }
}

/* ---- printing ---- */

static void test_head_print(void **state)
{
    (void)state;
    static const uint8_t mask[4] = {1, 2, 3, 4};
    static const struct {
        uint64_t size;
        const char *head;
    } heads[] = {
        {0, "\x81\x00"},
        {125, "\x81\x7D"},
        {126, "\x81\x7E\x00\x7E"},
        {65535, "\x81\x7E\xFF\xFF"},
        {65536, "\x81\x7F\x00\x00\x00\x00\x00\x01\x00\x00"},
    };
    static const size_t sizes[] = {2, 2, 4, 4, 10};
    for (size_t i = 0; i < NB__COUNT_OF(heads); i++) {
        uint8_t out[NB__WS_HEAD_MAX];
        assert_int_equal(nb__ws_head_print(out, NB__WS_TEXT, heads[i].size, NULL), sizes[i]);
        assert_memory_equal(out, heads[i].head, sizes[i]);
        assert_int_equal(nb__ws_head_print(out, NB__WS_TEXT, heads[i].size, mask), sizes[i] + 4);
        assert_int_equal(out[1], (uint8_t)heads[i].head[1] | 0x80);
        assert_memory_equal(out + sizes[i], mask, 4);
    }
}

static void test_frame_round_trip(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 3, 7, 8, 9, 17, 125, 126, 4096, 65535, 65536};
    static const uint8_t mask[4] = {0x11, 0x80, 0xFF, 0x07};
    char *payload = malloc(65536);
    for (size_t i = 0; i < 65536; i++)
        payload[i] = (char)(i * 7 + i / 256);
    for (size_t i = 0; i < NB__COUNT_OF(sizes); i++)
        for (int role = NB__WS_SERVER; role <= NB__WS_CLIENT; role++) {
            nb__text out = {0}, expected = {0}, got = {0};
            nb__ws_event event = {.kind = NB__WS_EVENT_MESSAGE,
                                  .opcode = NB__WS_BINARY,
                                  .payload = {payload, sizes[i]}};
            nb__ws_frame_append(&out, NB__WS_BINARY, event.payload,
                                role == NB__WS_SERVER ? mask : NULL);
            transcript_ws_event(&expected, &event);
            transcript_ws(&got, (nb__ws_role)role, MESSAGE_MAX, nb__text_view(&out), (pieces){0});
            assert_string_equal(got.data, expected.data);
            nb__text_fini(&out);
            nb__text_fini(&expected);
            nb__text_fini(&got);
        }
    free(payload);
}

static void expect_close(uint16_t code, const char *reason, const char *events)
{
    nb__text out = {0}, got = {0};
    nb__ws_close_append(&out, code, nb__span(reason), NULL);
    transcript_ws(&got, NB__WS_CLIENT, MESSAGE_MAX, nb__text_view(&out), (pieces){0});
    assert_string_equal(got.data, events);
    nb__text_fini(&out);
    nb__text_fini(&got);
}

static void test_close_print(void **state)
{
    (void)state;
    char reason[200], events[200];
    expect_close(1000, "bye", "close 1000 bye");
    expect_close(1008, NULL, "close 1008 ");
    expect_close(1005, "not sent", "close 1005 ");
    expect_close(1006, "", "close 1005 ");
    expect_close(1001, "a\xFF", "close 1001 a?");
    /* 122 bytes and a character of three: the character does not fit and is not cut in two */
    memset(reason, 'x', 122);
    memcpy(reason + 122, "\xED\x98\xB8", 4);
    snprintf(events, sizeof events, "close 1011 %.122s", reason);
    expect_close(1011, reason, events);
}

static void test_closed_reader_takes_all(void **state)
{
    (void)state;
    nb__text input = frames_build("88:|81:late", true);
    nb__ws ws;
    nb__ws_init(&ws, NB__WS_SERVER, MESSAGE_MAX);
    nb__ws_event event;
    char *at = input.data, *end = at + input.size_bytes;
    nb__ws_next(&ws, &at, end, &event);
    assert_int_equal(event.kind, NB__WS_EVENT_CLOSE);
    nb__ws_next(&ws, &at, end, &event);
    assert_int_equal(event.kind, NB__WS_EVENT_MORE);
    assert_ptr_equal(at, end);
    nb__ws_fini(&ws);
    nb__text_fini(&input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_fails_fast),
        cmocka_unit_test(test_whole_message_is_not_copied),
        cmocka_unit_test(test_idle_holds_no_memory),
        cmocka_unit_test(test_many_small_fragments),
        cmocka_unit_test(test_head_print),
        cmocka_unit_test(test_frame_round_trip),
        cmocka_unit_test(test_close_print),
        cmocka_unit_test(test_closed_reader_takes_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
