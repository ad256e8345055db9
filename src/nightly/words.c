/* SPDX-License-Identifier: Apache-2.0 */
/* Times, spans, bytes and shares in words, the same in every form of the report. */
#include "inside.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LAST_NS (INT64_C(7258118400) * NB__NS_PER_S) /* 2200 */

const char *nightly_when(int64_t ns, char out[40])
{
    if (ns < 0 || ns >= LAST_NS) {
        snprintf(out, 40, "not known");
        return out;
    }
    nb__kst_print(out, ns, 0); /* 2026-11-20T18:00:05+09:00 */
    memmove(out, out + 5, 14);
    out[5] = ' ';
    out[14] = '\0';
    return out;
}

const char *nightly_span(int64_t ns, char out[40])
{
    int64_t seconds = ns / NB__NS_PER_S;
    if (ns < 0)
        snprintf(out, 40, "not known");
    else if (seconds >= 3600)
        snprintf(out, 40, "%" PRId64 " h %02d min", seconds / 3600, (int)(seconds / 60 % 60));
    else if (seconds >= 60)
        snprintf(out, 40, "%d min %02d s", (int)(seconds / 60), (int)(seconds % 60));
    else
        snprintf(out, 40, "%d.%03d s", (int)seconds, (int)(ns % NB__NS_PER_S / NB__NS_PER_MS));
    return out;
}

const char *nightly_bytes(uint64_t bytes, char out[40])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;
    double value = (double)bytes;
    for (; value >= 1024 && unit + 1 < NB__COUNT_OF(units); unit++)
        value /= 1024;
    snprintf(out, 40, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return out;
}

const char *nightly_latency(int64_t ns, char out[40])
{
    if (ns < 1000)
        snprintf(out, 40, "%" PRId64 " ns", ns);
    else if (ns < NB__NS_PER_MS)
        snprintf(out, 40, "%.1f us", (double)ns / 1e3);
    else
        snprintf(out, 40, "%.2f ms", (double)ns / 1e6);
    return out;
}

uint32_t nightly_continuous_minutes(const nb__nightly *n)
{
    return nightly_is_reset(n) ? 0
                               : (uint32_t)((n->night.closing_ns - n->night.open_ns) / MINUTE_NS);
}

uint32_t nightly_share(const nb__nightly *n, const key_row *key)
{
    uint32_t all = nightly_continuous_minutes(n);
    return all == 0 ? 0 : (uint32_t)((uint64_t)key->continuous_minutes * 10000 / all);
}

uint32_t nightly_minutes(const key_row *key, uint32_t from, uint32_t count)
{
    uint32_t found = 0;
    for (uint32_t i = from; i < from + count && i < MINUTES_MAX; i++)
        found += key->minutes[i / 64] >> i % 64 & 1;
    return found;
}

/* In whole tens, so that a strip's places begin at :00, :10 … */
void nightly_range(const nb__nightly *n, uint32_t *from, uint32_t *to)
{
    *from = *to = 0;
    if (nightly_is_reset(n))
        return;
    *from = AHEAD_NS / MINUTE_NS;
    *to = *from + (uint32_t)((n->night.end_ns - n->night.receipt_ns) / MINUTE_NS);
    if (n->minute_first < *from)
        *from = n->minute_first / TEN * TEN;
    if (n->minute_last >= *to)
        *to = (n->minute_last / TEN + 1) * TEN;
}

int64_t nightly_between_ns(int64_t from_ns, int64_t to_ns)
{
    int64_t ns;
    if (from_ns == NB_TIME_UNDEF || to_ns == NB_TIME_UNDEF ||
        __builtin_sub_overflow(to_ns, from_ns, &ns))
        return -1;
    return ns;
}

int64_t nightly_gap_ns(const nb__nightly *n, const gap_row *gap)
{
    return nightly_between_ns(gap->when.from_ns,
                              gap->when.to_ns == NB_TIME_UNDEF ? n->last_ns : gap->when.to_ns);
}

const nb__topic *nightly_topic(const nb__nightly *n, const key_row *key)
{
    return nb__topics_at(n->topics, key->topic);
}

void nightly_append_words(nb__text *out, const char *text)
{
    size_t before = out->size_bytes;
    nb__text_string(out, text);
    if (!out->is_failed)
        nb__make_printable(out->data + before, out->size_bytes - before);
}
