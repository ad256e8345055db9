/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clock that a nightbook server states in its upgrade answer, and what its clients make of it:
 *
 *     Nightbook-Clock: sim; session=2026-11-20T18:00:00.000+09:00; speed=10
 *
 * A live server's clock is everybody's: there our own time is the better one, and `session` says
 * nothing new.
 */
#include "night.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SPEED_MAX_E9 (INT64_C(1000000) * NB_PRICE_ONE)

static const struct {
    const char *name, *banner;
} feed_kinds[] = {
    [NB__FEED_LIVE] = {"live", "LIVE"},
    [NB__FEED_SIM] = {"sim", "SIMULATED"},
    [NB__FEED_REPLAY] = {"replay", "REPLAY"},
    [NB__FEED_OTHER] = {"other", "UNVERIFIED"},
};

const char *nb__feed_kind_name(nb__feed_kind kind)
{
    return feed_kinds[kind].name;
}

const char *nb__feed_kind_banner(nb__feed_kind kind)
{
    return feed_kinds[kind].banner;
}

nb__session_clock nb__session_clock_live(void)
{
    return (nb__session_clock){.kind = NB__FEED_OTHER, .speed = 1};
}

int64_t nb__session_clock_at(const nb__session_clock *clock, int64_t real_ns)
{
    int64_t passed_ns, session_ns;
    if (real_ns == NB_TIME_UNDEF || __builtin_sub_overflow(real_ns, clock->at_real_ns, &passed_ns))
        return NB_TIME_UNDEF;
    if (clock->speed < 1 || clock->speed > 1) {
        double scaled_ns = (double)passed_ns * clock->speed;
        if (!(scaled_ns > -9e18 && scaled_ns < 9e18))
            return NB_TIME_UNDEF;
        passed_ns = (int64_t)scaled_ns;
    }
    return __builtin_add_overflow(clock->at_session_ns, passed_ns, &session_ns) ? NB_TIME_UNDEF
                                                                                : session_ns;
}

size_t nb__session_clock_print(char out[128], const nb__session_clock *clock, int64_t real_ns)
{
    char session[40], speed[NB_PRICE_TEXT_MAX];
    nb__kst_print(session, nb__session_clock_at(clock, real_ns), 3);
    /* by way of a decimal in 1e-9: printf's own would follow the locale */
    nb_price_print(speed, (nb_price)(clock->speed * 1e6 + 0.5) * 1000, 0);
    return (size_t)snprintf(out, 128, "Nightbook-Clock: %s; session=%s; speed=%s\r\n",
                            nb__feed_kind_name(clock->kind), session, speed);
}

static bool parse_kind(nb_span word, nb__feed_kind *out)
{
    for (size_t i = 0; i < NB__COUNT_OF(feed_kinds); i++) {
        if (nb__span_is(word, feed_kinds[i].name)) {
            *out = (nb__feed_kind)i;
            return true;
        }
    }
    return false;
}

/* Cut what stands before the next ';' off `*rest`, without blanks around it. */
static nb_span take_part(nb_span *rest)
{
    const char *end = memchr(rest->data, ';', rest->size_bytes);
    nb_span part = {rest->data, end != NULL ? (size_t)(end - rest->data) : rest->size_bytes};
    size_t taken = part.size_bytes + (end != NULL);
    rest->data += taken;
    rest->size_bytes -= taken;
    return nb__span_trim(part);
}

static bool starts_with(nb_span *span, const char *prefix)
{
    size_t size = strlen(prefix);
    if (span->size_bytes < size || memcmp(span->data, prefix, size) != 0)
        return false;
    span->data += size;
    span->size_bytes -= size;
    return true;
}

bool nb__session_clock_parse(nb_span value, int64_t real_ns, nb__session_clock *out)
{
    if (value.size_bytes == 0)
        return false;
    nb__session_clock clock = {.at_real_ns = real_ns, .speed = 1};
    if (!parse_kind(take_part(&value), &clock.kind))
        return false;
    bool has_session = false;
    while (value.size_bytes > 0) {
        nb_span part = take_part(&value);
        if (starts_with(&part, "session=")) {
            has_session = nb__kst_parse(part, &clock.at_session_ns);
            if (!has_session)
                return false;
        } else if (starts_with(&part, "speed=")) {
            nb_price speed_e9;
            if (nb_price_parse(part, &speed_e9, NULL, NULL) != NB_OK || speed_e9 < 0 ||
                speed_e9 > SPEED_MAX_E9)
                return false;
            clock.speed = (double)speed_e9 / (double)NB_PRICE_ONE;
        } /* what a later version adds is passed over */
    }
    bool has_own_time = clock.kind == NB__FEED_SIM || clock.kind == NB__FEED_REPLAY;
    if (has_own_time && !has_session)
        return false;
    if (!has_own_time) {
        clock.at_session_ns = real_ns;
        clock.speed = 1;
    }
    *out = clock;
    return true;
}

/* `pattern`: 'd' is a digit, anything else itself. */
static bool matches(const char *at, const char *pattern)
{
    for (; *pattern != '\0'; at++, pattern++) {
        if (*pattern == 'd' ? *at < '0' || *at > '9' : *at != *pattern)
            return false;
    }
    return true;
}

static int two_digits(const char *at)
{
    return (at[0] - '0') * 10 + (at[1] - '0');
}

bool nb__kst_parse(nb_span text, int64_t *utc_ns)
{
    static const char head[] = "dddd-dd-ddTdd:dd:dd", zone[] = "+09:00";
    size_t head_size = sizeof head - 1, zone_size = sizeof zone - 1;
    if (text.size_bytes < head_size + zone_size || !matches(text.data, head) ||
        !matches(text.data + text.size_bytes - zone_size, zone))
        return false;
    const char *at = text.data;
    int date = (two_digits(at) * 100 + two_digits(at + 2)) * 10000 + two_digits(at + 5) * 100 +
               two_digits(at + 8);
    int hour = two_digits(at + 11), minute = two_digits(at + 14), second = two_digits(at + 17);
    if (!nb__date_is_valid(date) || date >= 22000101 || hour > 23 || minute > 59 || second > 59)
        return false;
    nb_span fraction = {at + head_size, text.size_bytes - head_size - zone_size};
    int64_t ns = 0;
    if (fraction.size_bytes > 0) {
        if (fraction.data[0] != '.' || fraction.size_bytes < 2 || fraction.size_bytes > 10)
            return false;
        for (size_t i = 1; i <= 9; i++) {
            char c = i < fraction.size_bytes ? fraction.data[i] : '0';
            if (c < '0' || c > '9')
                return false;
            ns = ns * 10 + (c - '0');
        }
    }
    *utc_ns = nb__kst_ns(date, hour * 10000 + minute * 100 + second) + ns;
    return true;
}
