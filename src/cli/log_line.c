/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of users' logs: the frame in them and the time before it. A time is read exactly or not at
 * all. */
#include "log_line.h"
#include <string.h>

#define YEAR_MAX 2199                       /* int64 nanoseconds reach to 2262 */
#define NS_END INT64_C(7258118400000000000) /* 2200-01-01 UTC */

static bool is_digit_at(nb_span text, size_t at)
{
    return at < text.size_bytes && text.data[at] >= '0' && text.data[at] <= '9';
}

static bool is_at(nb_span text, size_t at, char byte)
{
    return at < text.size_bytes && text.data[at] == byte;
}

static bool is_word_at(nb_span text, size_t at)
{
    return is_digit_at(text, at) ||
           (at < text.size_bytes && ((text.data[at] | 32) >= 'a') && ((text.data[at] | 32) <= 'z'));
}

static size_t digits_at(nb_span text, size_t at)
{
    size_t count = 0;
    while (is_digit_at(text, at + count))
        count++;
    return count;
}

/* Exactly `count` digits. @return -1 when they are not there. */
static int number_at(nb_span text, size_t at, size_t count)
{
    int number = 0;
    if (digits_at(text, at) < count)
        return -1;
    for (size_t i = 0; i < count; i++)
        number = number * 10 + (text.data[at + i] - '0');
    return number;
}

/* 1-9 digits as a fraction of a second, in ns. @return false for more: they would be lost. */
static bool fraction_at(nb_span text, size_t at, size_t count, int64_t *ns)
{
    if (count == 0 || count > 9)
        return false;
    *ns = number_at(text, at, count);
    for (size_t i = count; i < 9; i++)
        *ns *= 10;
    return true;
}

/* ---- times ---- */

/*
 * 10 digits are seconds since 1970 (with a fraction or without), 13 milli-, 16 micro-, 19
 * nanoseconds. No other count is taken: 14 digits are rather 20261120180001.
 */
static bool read_epoch(nb_span text, int64_t *out)
{
    size_t digits = digits_at(text, 0), at = digits;
    int64_t ns = 0, rest_ns = 0;
    if (digits != 10 && digits != 13 && digits != 16 && digits != 19)
        return false;
    for (size_t i = 0; i < digits; i++)
        if (__builtin_mul_overflow(ns, 10, &ns) ||
            __builtin_add_overflow(ns, text.data[i] - '0', &ns))
            return false;
    for (size_t i = digits; i < 19; i++)
        if (__builtin_mul_overflow(ns, 10, &ns))
            return false;
    if (digits == 10 && is_at(text, at, '.')) {
        size_t count = digits_at(text, at + 1);
        if (!fraction_at(text, at + 1, count, &rest_ns))
            return false;
        at += 1 + count;
    }
    if (is_word_at(text, at) || is_at(text, at, '.') || is_at(text, at, '-') || ns >= NS_END)
        return false;
    *out = ns + rest_ns;
    return true;
}

/* `Z`, `UTC`, `GMT`, `KST`, `+09:00`, `+0900`, `+09`; also after a blank, but then not `+09`: `
 * -01` may be a word. */
static int64_t read_zone(nb_span text, size_t at)
{
    static const struct {
        const char *word;
        int64_t offset_ns;
    } words[] = {{"Z", 0}, {"UTC", 0}, {"GMT", 0}, {"KST", NB__KST_OFFSET_NS}};
    bool is_apart = is_at(text, at, ' ');
    at += is_apart;
    for (size_t i = 0; i < NB__COUNT_OF(words); i++) {
        size_t size = strlen(words[i].word);
        if (at + size <= text.size_bytes && memcmp(text.data + at, words[i].word, size) == 0 &&
            !is_word_at(text, at + size))
            return words[i].offset_ns;
    }
    if (!is_at(text, at, '+') && !is_at(text, at, '-'))
        return NB__KST_OFFSET_NS;
    int64_t sign = text.data[at] == '-' ? -1 : 1;
    int hours = number_at(text, at + 1, 2);
    size_t minutes_at = at + 3 + is_at(text, at + 3, ':');
    int minutes = number_at(text, minutes_at, 2);
    size_t end = minutes >= 0 ? minutes_at + 2 : at + 3;
    if (hours < 0 || hours > 14 || minutes > 59 || is_word_at(text, end) ||
        (minutes < 0 && is_apart))
        return NB__KST_OFFSET_NS;
    return sign * (hours * 3600 + (minutes > 0 ? minutes : 0) * 60) * NB__NS_PER_S;
}

/* `2026-11-20 18:00:01,123+09:00` at `at`. */
static bool read_date_time(nb_span text, size_t at, int64_t *out)
{
    int year = number_at(text, at, 4), month = number_at(text, at + 5, 2),
        day = number_at(text, at + 8, 2);
    if (year < 0 || month < 0 || day < 0 || !is_at(text, at + 4, '-') ||
        !is_at(text, at + 7, '-') || (!is_at(text, at + 10, 'T') && !is_at(text, at + 10, ' ')))
        return false;
    int date = year * 10000 + month * 100 + day;
    int hour = number_at(text, at + 11, 2), minute = number_at(text, at + 14, 2), second = 0;
    int64_t fraction_ns = 0;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || !is_at(text, at + 13, ':') ||
        !nb__date_is_valid(date) || year > YEAR_MAX)
        return false;
    at += 16;
    if (is_at(text, at, ':')) {
        second = number_at(text, at + 1, 2);
        if (second < 0 || second > 59)
            return false;
        at += 3;
        size_t digits = digits_at(text, at + 1);
        if ((is_at(text, at, '.') || is_at(text, at, ',')) && digits > 0) {
            if (!fraction_at(text, at + 1, digits, &fraction_ns))
                return false;
            at += 1 + digits;
        }
    }
    if (is_digit_at(text, at))
        return false;
    *out = nb__kst_ns(date, hour * 10000 + minute * 100 + second) + NB__KST_OFFSET_NS +
           fraction_ns - read_zone(text, at);
    return true;
}

/* The time in what stands before the frame. */
static int64_t read_time(nb_span before)
{
    int64_t ns;
    nb_span first = before;
    while (first.size_bytes > 0 && (first.data[0] == '[' || first.data[0] == '(')) {
        first.data++;
        first.size_bytes--;
    }
    if (read_epoch(first, &ns))
        return ns;
    for (size_t at = 0; at + 16 <= before.size_bytes; at++)
        if (is_at(before, at + 4, '-') && !is_word_at(before, at - 1) &&
            read_date_time(before, at, &ns))
            return ns;
    return NB_TIME_UNDEF;
}

/* ---- the frame ---- */

/* A frame's head stands here: right at a word's beginning. */
static bool may_begin_frame(nb_span line, size_t at)
{
    return (is_at(line, at, '0') || is_at(line, at, '1')) && is_at(line, at + 1, '|') &&
           (at == 0 || !is_word_at(line, at - 1));
}

/* @return false when there is none; `error` then tells about what looked most like one. */
static bool find_frame(nb_span line, size_t *frame_at, nb_error *error)
{
    bool is_first = true;
    nb__fail(error, NB_E_FRAME, 0, "there is no frame 0|TR|CCC|... in this line");
    for (size_t at = 0; at + 1 < line.size_bytes; at++) {
        nb_frame frame;
        nb_error reason = {0};
        if (!may_begin_frame(line, at))
            continue;
        nb_span rest = {line.data + at, line.size_bytes - at};
        if (nb_frame_split(rest, &frame, is_first ? &reason : NULL) == NB_OK) {
            *frame_at = at;
            return true;
        }
        if (is_first) {
            *error = reason;
            error->offset_bytes += at;
        }
        is_first = false;
    }
    return false;
}

/* A log may quote its frames: '0|H0EUASP0|…'. */
static void drop_quote(nb_span line, size_t frame_at, nb_span *frame)
{
    char before = frame_at > 0 ? line.data[frame_at - 1] : '\0';
    bool is_quote = before == '\'' || before == '"';
    if (is_quote && frame->size_bytes > 0 && frame->data[frame->size_bytes - 1] == before)
        frame->size_bytes--;
}

nb_err nb__log_line_read(nb_span line, nb__log_line *out, nb_error *error)
{
    nb_span text = line;
    if (text.size_bytes > 0 && text.data[text.size_bytes - 1] == '\r')
        text.size_bytes--;
    text = nb__span_trim(text);
    *out = (nb__log_line){.kind = NB__LINE_NOTHING, .recv_ns = NB_TIME_UNDEF};
    if (text.size_bytes == 0 || text.data[0] == '#')
        return NB_OK;
    size_t skipped = (size_t)(text.data - line.data), frame_at = 0;
    nb_error reason;
    bool is_json = text.data[0] == '{' && text.data[text.size_bytes - 1] == '}';
    bool has_frame = find_frame(text, &frame_at, &reason);
    if (!has_frame && (is_json || memmem(text.data, text.size_bytes, "{\"header\"", 9) != NULL)) {
        out->kind = NB__LINE_CONTROL;
        return NB_OK;
    }
    if (!has_frame)
        return nb__fail(error, reason.code, skipped + reason.offset_bytes, "%s", reason.detail);
    if (text.data[0] == '{')
        return nb__fail(error, NB_E_FRAME, skipped + frame_at,
                        "the frame stands within JSON; give the frame's text alone");
    nb_span before = nb__span_trim((nb_span){text.data, frame_at});
    out->kind = NB__LINE_FRAME;
    out->frame = (nb_span){text.data + frame_at, text.size_bytes - frame_at};
    drop_quote(text, frame_at, &out->frame);
    out->recv_ns = read_time(before);
    out->is_time_strange = before.size_bytes > 0 && out->recv_ns == NB_TIME_UNDEF;
    return NB_OK;
}

static size_t dots_at(nb_span text, size_t at)
{
    static const char ellipsis[] = "\xE2\x80\xA6";
    size_t left = text.size_bytes - at;
    bool is_there = left >= 3 && (memcmp(text.data + at, "...", 3) == 0 ||
                                  memcmp(text.data + at, ellipsis, 3) == 0);
    return is_there ? 3 : 0;
}

size_t nb__elision_find(nb_span payload)
{
    for (size_t at = 0; at < payload.size_bytes; at++) {
        size_t size = dots_at(payload, at);
        bool is_field = (at == 0 || payload.data[at - 1] == '^') && is_at(payload, at + size, '^');
        if (size > 0 && (is_field || at + size == payload.size_bytes))
            return at;
    }
    return SIZE_MAX;
}
