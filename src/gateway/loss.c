/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lost feed, passed on. At KIS a client notices a loss because its own connection ends, and its
 * safety logic runs then (orders are cancelled, a human is called). Behind a gateway that keeps
 * everyone connected it never would: so a link that is down for on_loss_ns ends the clients'
 * connections with 1012, and nobody gets in before it is up again.
 *
 * A feed that rests (outside its hours) is no loss. REST, page and metrics stay.
 */
#include "inside.h"
#include <stdio.h>
#include <string.h>

#define CLOSE_REASON_MAX 123 /* RFC 6455: 125 bytes with the code */
#define RETRY_MAX_S 60

/* "the feed is lost: WHY", cut at a whole character. `out` holds size_max bytes and a NUL. */
static void print_words(const nb__gateway *g, char *out, size_t size_max)
{
    int printed = snprintf(out, size_max + 1, "the feed is lost: %s", nb__plant_reason(g->plant));
    size_t size = printed < 0 ? 0 : strlen(out);
    if ((size_t)printed > size)
        out[size = nb__utf8_valid_prefix((nb_span){out, size})] = '\0';
    nb__make_printable(out, size);
}

/* What is pending leaves first. */
static void close_all(nb__gateway *g)
{
    fan_flush(&g->fan);
    char words[CLOSE_REASON_MAX + 1];
    print_words(g, words, CLOSE_REASON_MAX);
    for (uint32_t i = 0; i < g->fan.client_top; i++) {
        client *c = (client *)g->fan.clients[i];
        if (c == NULL || c->fan.is_gone)
            continue;
        g->counters.loss_closed++;
        gateway_end_client(c, 1012, words);
    }
}

static void lose(nb__gateway *g, int64_t down_ns)
{
    g->is_lost = true;
    nb__log(NB__LOG_WARN, "gateway",
            "the feed is down for %lld s: %s\n"
            "clients are closed with 1012 and new ones answered 503 until it is up, as at KIS; "
            "--on-loss keep would keep them",
            (long long)(down_ns / NB__NS_PER_S), nb__plant_reason(g->plant));
    close_all(g);
}

void loss_check(nb__gateway *g)
{
    if (g->config.on_loss_ns == INT64_MAX || g->is_shut)
        return;
    int64_t down_ns = nb__plant_down_ns(g->plant);
    if (g->is_lost) {
        if (down_ns > 0)
            return;
        g->is_lost = false;
        nb__log(NB__LOG_INFO, "gateway", "the feed is no longer lost: clients may connect again");
    } else if (down_ns > 0 && down_ns >= g->config.on_loss_ns) {
        if (!nb__plant_is_up(g->plant)) /* else it opened just now: its first answer decides */
            lose(g, down_ns);
    } else if (down_ns > 0) {
        nb__timer_set(g->loop, &g->loss,
                      gateway_mono_ns(g) + g->config.on_loss_ns - down_ns + NB__NS_PER_MS);
    }
}

/* Seconds to the earliest next try of a link, 1–60. */
static int64_t retry_after_s(const nb__gateway *g)
{
    int64_t now_ns = gateway_mono_ns(g), next_ns = INT64_MAX;
    for (uint32_t i = 0; i < nb__plant_feed_count(g->plant); i++) {
        int64_t try_ns = nb__session_next_try_ns(nb__plant_feed_at(g->plant, i).session);
        next_ns = try_ns < next_ns ? try_ns : next_ns;
    }
    if (next_ns == INT64_MAX || next_ns <= now_ns)
        return 1;
    int64_t wait_s = (next_ns - now_ns) / NB__NS_PER_S + 1;
    return wait_s < RETRY_MAX_S ? wait_s : RETRY_MAX_S;
}

bool loss_refuses(nb__gateway *g, nb__text *extra_headers, char words[LOSS_WORDS_BYTES])
{
    if (!g->is_lost)
        return false;
    g->counters.loss_refused++;
    nb__text_printf(extra_headers, "Retry-After: %lld\r\n", (long long)retry_after_s(g));
    print_words(g, words, LOSS_WORDS_BYTES - 1);
    return true;
}
