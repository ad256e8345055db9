/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of a segment: RECV_NS LINK KIND PAYLOAD\n
 *
 * What is printed here and parsed again is the same, for any payload: bytes that could break a line
 * or a terminal, and bytes that are no UTF-8, stand as \xHH. KIS's data messages hold none of them,
 * so they are copied and looked at in one pass.
 */
#include "inside.h"
#include <string.h>

#define RECV_DIGITS_MAX 19 /* of INT64_MAX */
#define LINK_DIGITS_MAX 10 /* of UINT32_MAX */
#define ESCAPE_BYTES 4     /* \xHH */

static const char hex_digits[] = "0123456789abcdef";

/* ---- print ---- */

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

/* Eight digits at once: 4 + 4, then 2 + 2, then 1 + 1, each half in its own part of the word. */
static void print_eight_digits(char *out, uint32_t value)
{
    uint64_t fours = value / 10000 | (uint64_t)(value % 10000) << 32;
    uint64_t hundreds = fours * 10486 >> 20 & UINT64_C(0x0000007F0000007F);
    uint64_t pairs = ((fours - 100 * hundreds) << 16) + hundreds;
    uint64_t tens = pairs * 103 >> 10 & UINT64_C(0x000F000F000F000F);
    uint64_t digits = ((pairs - 10 * tens) << 8) + tens + UINT64_C(0x3030303030303030);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    digits = __builtin_bswap64(digits);
#endif
    memcpy(out, &digits, sizeof digits);
}

/* @return where it ends. */
static char *print_short(char *out, uint64_t value)
{
    char digits[20];
    char *at = digits + sizeof digits;
    while (value >= 100) {
        at -= 2;
        memcpy(at, digit_pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        at -= 2;
        memcpy(at, digit_pairs + value * 2, 2);
    } else {
        *--at = (char)('0' + value);
    }
    size_t size_bytes = (size_t)(digits + sizeof digits - at);
    memcpy(out, at, size_bytes);
    return out + size_bytes;
}

static char *print_number(char *out, uint64_t value)
{
    const uint64_t eight = UINT64_C(100000000);
    if (value < UINT64_C(1000000000000000000))
        return print_short(out, value);
    out = print_short(out, value / eight / eight); /* a time of our days has 19 digits */
    print_eight_digits(out, (uint32_t)(value / eight % eight));
    print_eight_digits(out + 8, (uint32_t)(value % eight));
    return out + 16;
}

size_t nb__journal_head_print(char out[NB__JOURNAL_HEAD_MAX], int64_t recv_ns, uint32_t link,
                              nb__journal_kind kind)
{
    char *at = print_number(out, recv_ns < 0 ? 0 : (uint64_t)recv_ns);
    *at++ = ' ';
    at = print_number(at, link);
    *at++ = ' ';
    for (const char *word = nb__journal_kind_name(kind); *word != '\0'; word++)
        *at++ = *word;
    *at++ = ' ';
    return (size_t)(at - out);
}

static bool must_escape(unsigned char byte)
{
    return byte < 0x20 || byte == 0x7F || byte == '\\';
}

/* Sixteen bytes compared at once, in the compiler's own portable form. A signed byte below 0x20 is
 * a control character or not ASCII. */
typedef signed char bytes16 __attribute__((vector_size(16)));

static inline bytes16 copy16(const char *from, char *to)
{
    bytes16 bytes;
    memcpy(&bytes, from, sizeof bytes);
    memcpy(to, &bytes, sizeof bytes);
    return (bytes < 0x20) | (bytes == 0x7F) | (bytes == '\\');
}

bool nb__journal_copy_clean(nb_span payload, char *out)
{
    size_t size = payload.size_bytes, at = 0;
    if (size < sizeof(bytes16)) {
        bool is_clean = true;
        for (; at < size; at++) {
            out[at] = payload.data[at];
            is_clean &= (signed char)out[at] >= 0x20 && !must_escape((unsigned char)out[at]);
        }
        return is_clean;
    }
    bytes16 found = {0};
    for (; at + sizeof found <= size; at += sizeof found)
        found |= copy16(payload.data + at, out + at);
    found |= copy16(payload.data + size - sizeof found, out + size - sizeof found);
    uint64_t halves[2];
    memcpy(halves, &found, sizeof halves);
    return (halves[0] | halves[1]) == 0;
}

static size_t put_escaped(char *out, size_t at, unsigned char byte)
{
    if (out != NULL) {
        out[at] = '\\';
        out[at + 1] = 'x';
        out[at + 2] = hex_digits[byte >> 4];
        out[at + 3] = hex_digits[byte & 15];
    }
    return at + ESCAPE_BYTES;
}

size_t nb__journal_escape(nb_span payload, char *out)
{
    size_t size = 0, valid_end = 0;
    for (size_t i = 0; i < payload.size_bytes; i++) {
        unsigned char byte = (unsigned char)payload.data[i];
        if (i == valid_end)
            valid_end += nb__utf8_valid_prefix((nb_span){payload.data + i, payload.size_bytes - i});
        if (i == valid_end) {
            size = put_escaped(out, size, byte);
            valid_end++;
        } else if (must_escape(byte)) {
            size = put_escaped(out, size, byte);
        } else {
            if (out != NULL)
                out[size] = (char)byte;
            size++;
        }
    }
    return size;
}

void nb__journal_line_print(nb__text *out, int64_t recv_ns, uint32_t link, nb__journal_kind kind,
                            nb_span payload)
{
    char head[NB__JOURNAL_HEAD_MAX];
    size_t head_bytes = nb__journal_head_print(head, recv_ns, link, kind);
    nb__text_append(out, head, head_bytes);
    char *to = nb__text_reserve(out, payload.size_bytes + 1);
    if (to == NULL)
        return;
    size_t size_bytes = payload.size_bytes;
    if (!nb__journal_copy_clean(payload, to)) {
        size_bytes = nb__journal_escape(payload, NULL);
        to = nb__text_reserve(out, size_bytes + 1);
        if (to == NULL)
            return;
        nb__journal_escape(payload, to);
    }
    out->size_bytes += size_bytes;
    nb__text_append(out, "\n", 1);
}

/* ---- parse ---- */

/* Eight ASCII digits, first digit in the lowest byte. @return false: not all are digits. */
static bool eight_digits(const char *at, uint64_t *value)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    uint64_t digits = word ^ UINT64_C(0x3030303030303030);
    if (((digits + UINT64_C(0x7676767676767676)) | digits) & UINT64_C(0x8080808080808080))
        return false;
    digits = digits * 10 + (digits >> 8);
    *value = (((digits & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x000F424000000064)) +
              (((digits >> 16) & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x0000271000000001))) >>
             32;
    return true;
}

/* Digits at `*at`, no more than `digits_max`, without a needless 0 before them, then a blank.
 * Leaves `*at` behind the blank, or at the byte that is not accepted. */
static bool take_number(nb_span text, size_t *at, size_t digits_max, uint64_t most, uint64_t *out)
{
    uint64_t value = 0;
    size_t begin = *at;
    for (; *at < text.size_bytes && *at - begin < digits_max; ++*at) {
        unsigned digit = (unsigned)(unsigned char)text.data[*at] - '0';
        if (digit > 9)
            break;
        value = value * 10 + digit; /* 19 digits fit */
    }
    if (*at == begin || *at == text.size_bytes || text.data[*at] != ' ' || value > most ||
        (text.data[begin] == '0' && *at - begin > 1))
        return false;
    ++*at;
    *out = value;
    return true;
}

/* The same for what every line of our days begins with: 19 digits. */
static bool take_recv(nb_span text, size_t *at, uint64_t *out)
{
    uint64_t high, middle;
    const char *data = text.data;
    if (text.size_bytes > RECV_DIGITS_MAX && data[RECV_DIGITS_MAX] == ' ' && data[0] != '0' &&
        eight_digits(data, &high) && eight_digits(data + 8, &middle)) {
        unsigned a = (unsigned)(unsigned char)data[16] - '0';
        unsigned b = (unsigned)(unsigned char)data[17] - '0';
        unsigned c = (unsigned)(unsigned char)data[18] - '0';
        uint64_t value =
            (high * UINT64_C(100000000) + middle) * 1000 + a * UINT64_C(100) + b * UINT64_C(10) + c;
        if (a <= 9 && b <= 9 && c <= 9 && value <= INT64_MAX) {
            *at = RECV_DIGITS_MAX + 1;
            *out = value;
            return true;
        }
    }
    return take_number(text, at, RECV_DIGITS_MAX, INT64_MAX, out);
}

/* A word of [a-z] and a blank. Leaves `*at` behind the blank, or at the byte not accepted. */
static bool take_kind(nb_span text, size_t *at, nb__journal_kind *out)
{
    static const char frame[] = "frame ";
    const size_t frame_bytes = sizeof frame - 1;
    if (text.size_bytes - *at >= frame_bytes &&
        memcmp(text.data + *at, frame, frame_bytes) == 0) { /* nearly all */
        *at += frame_bytes;
        *out = NB__JOURNAL_FRAME;
        return true;
    }
    size_t begin = *at;
    while (*at < text.size_bytes && text.data[*at] >= 'a' && text.data[*at] <= 'z')
        ++*at;
    if (*at == begin || *at == text.size_bytes || text.data[*at] != ' ')
        return false;
    nb_span word = {text.data + begin, *at - begin};
    nb__journal_kind kind = NB__JOURNAL_FRAME;
    while (kind < NB__JOURNAL_UNKNOWN && !nb__span_is(word, nb__journal_kind_name(kind)))
        kind++;
    ++*at;
    *out = kind;
    return true;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the escape at `at` stands for; -1: it is none. */
static int escaped_byte(nb_span payload, size_t at)
{
    if (payload.size_bytes - at < ESCAPE_BYTES || payload.data[at + 1] != 'x')
        return -1;
    int high = hex_value(payload.data[at + 2]), low = hex_value(payload.data[at + 3]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static const char *find_escape(nb_span payload, size_t at)
{
    return at == payload.size_bytes ? NULL
                                    : memchr(payload.data + at, '\\', payload.size_bytes - at);
}

size_t nb__journal_check_escapes(nb_span payload, bool *is_escaped)
{
    const char *found = find_escape(payload, 0);
    *is_escaped = found != NULL;
    while (found != NULL) {
        size_t at = (size_t)(found - payload.data);
        if (escaped_byte(payload, at) < 0)
            return at;
        found = find_escape(payload, at + ESCAPE_BYTES);
    }
    return payload.size_bytes;
}

nb_err nb__journal_line_parse_clean(nb_span text, nb__journal_line *out, nb_error *error)
{
    uint64_t recv_ns, link;
    nb__journal_kind kind;
    size_t at = 0;
    if (!take_recv(text, &at, &recv_ns))
        return nb__fail(error, NB_E_JOURNAL, at,
                        "a line begins with its time, nanoseconds in decimal");
    if (!take_number(text, &at, LINK_DIGITS_MAX, UINT32_MAX, &link))
        return nb__fail(error, NB_E_JOURNAL, at, "after its time a line has the number of a link");
    if (!take_kind(text, &at, &kind))
        return nb__fail(error, NB_E_JOURNAL, at, "after its link a line has a kind, a word of a-z");
    nb_span payload = {text.data + at, text.size_bytes - at};
    *out = (nb__journal_line){(int64_t)recv_ns, (uint32_t)link, kind, false, payload};
    return NB_OK;
}

nb_err nb__journal_line_parse(nb_span text, nb__journal_line *out, nb_error *error)
{
    nb__journal_line line = {0};
    nb_err err = nb__journal_line_parse_clean(text, &line, error);
    if (err != NB_OK)
        return err;
    size_t good_bytes = nb__journal_check_escapes(line.payload, &line.is_escaped);
    if (good_bytes < line.payload.size_bytes)
        return nb__fail(error, NB_E_JOURNAL, (size_t)(line.payload.data - text.data) + good_bytes,
                        "a backslash begins \\xHH with two of 0-9 and a-f");
    *out = line;
    return NB_OK;
}

/* An escaped byte stands as four. */
size_t nb__journal_message_bytes(const nb__journal_line *line)
{
    size_t size = line->payload.size_bytes;
    const char *at = line->payload.data, *end = at + line->payload.size_bytes;
    while (line->is_escaped && at < end && (at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        size -= 3;
        at++;
    }
    return size;
}

size_t nb__journal_unescape(nb_span payload, char *out)
{
    size_t size = 0, at = 0;
    while (at < payload.size_bytes) {
        const char *found = find_escape(payload, at);
        size_t end = found == NULL ? payload.size_bytes : (size_t)(found - payload.data);
        memmove(out + size, payload.data + at, end - at);
        size += end - at;
        at = end;
        if (found == NULL)
            break;
        int byte = escaped_byte(payload, at);
        out[size++] = byte < 0 ? '\\' : (char)byte;
        at += byte < 0 ? 1 : ESCAPE_BYTES;
    }
    return size;
}
