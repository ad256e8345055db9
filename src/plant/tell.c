/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people are told of a feed. A server that stays away for hours is one line and one notice: a
 * cause is told when it is new, and its end once. A link that opens only to be refused (OPSP8996)
 * has not come back.
 */
#include "feed.h"
#include <stdio.h>
#include <string.h>

#define LOST_NS (60 * NB__NS_PER_S)  /* down for so long is worth a notice */
#define SOUND_NS (10 * NB__NS_PER_S) /* up for so long, it has come back */

static void notice(nb__feed *feed, nb__notice_kind kind, const char *detail)
{
    feed->handler.notice(feed->handler.self, feed, kind, detail);
}

/* ---- the link ---- */

/* What was told as down is told as up, and of an appkey the first time too. */
static void tell_up(nb__feed *feed)
{
    if (feed->logged[0] == '\0' && (feed->is_up_told || !feed->is_live))
        return;
    feed->is_up_told = true;
    feed->logged[0] = '\0';
    nb__log(NB__LOG_INFO, "feed", "the link to %s is up (%s)", feed->name,
            nb__feed_kind_banner(feed->clock.kind));
}

void nb__tell_link(nb__feed *feed, bool is_up)
{
    int64_t now_ns = nb__feed_now_ns(feed);
    feed->is_up = is_up;
    feed->is_accepted = feed->is_full_told = false;
    if (is_up) {
        feed->up_since_ns = now_ns;
        if (!feed->is_in_use_told)
            tell_up(feed);
    } else if (feed->lost_since_ns == NB_TIME_UNDEF) {
        feed->lost_since_ns = now_ns;
    }
}

void nb__tell_registration(nb__feed *feed, uint32_t topic)
{
    if (nb__session_registration(feed->session, topic)->state != NB__REG_CONFIRMED)
        return;
    feed->is_in_use_told = feed->is_breaker_told = false;
    feed->is_accepted = feed->is_up;
    if (feed->is_up)
        tell_up(feed);
}

void nb__tell_full(nb__feed *feed)
{
    char words[200];
    uint32_t has = nb__session_slots_used(feed->session);
    uint32_t max = nb__session_config_of(feed->session)->registrations_max;
    if (feed->is_full_told || has >= max)
        return;
    feed->is_full_told = true;
    snprintf(words, sizeof words,
             "OPSP0008 MAX SUBSCRIBE OVER: only %u of %u registrations are had", (unsigned)has,
             (unsigned)max);
    nb__log(
        NB__LOG_WARN, "feed",
        "%s: %s\n"
        "KIS may still count an old session; more are tried from time to time, pinned keys first",
        feed->name, words);
    notice(feed, NB__NOTICE_REFUSED, words);
}

/* ---- waits ---- */

/* @return what the reader can do; NULL: nothing. */
static const char *hint_of(const nb__feed *feed)
{
    const nb__session_counters *count = nb__session_count(feed->session);
    if (count->in_use != feed->in_use_seen)
        return "close it, or put a second appkey into config.yaml; KIS may hold the session for a "
               "while after it ended";
    if (feed->is_approval_failed)
        return feed->advice;
    if (count->is_breaker_open)
        return "KIS blocks who connects too often, so nightbook waits; it goes on by itself";
    return NULL;
}

/* A wait and its cause, once a cause; the last clause says how long. */
static void tell_waiting(nb__feed *feed)
{
    const char *reason = nb__session_reason(feed->session);
    const char *semicolon = strrchr(reason, ';');
    size_t size = semicolon == NULL ? strlen(reason) : (size_t)(semicolon - reason);
    if (strlen(feed->logged) == size && strncmp(feed->logged, reason, size) == 0)
        return;
    snprintf(feed->logged, sizeof feed->logged, "%.*s", (int)size, reason);
    const char *hint = hint_of(feed);
    nb__log(NB__LOG_WARN, "feed", "%s: %s%s%s", feed->name, reason, hint == NULL ? "" : "\n",
            hint == NULL ? "" : hint);
}

static void notice_troubles(nb__feed *feed)
{
    const nb__session_counters *count = nb__session_count(feed->session);
    const char *reason = nb__session_reason(feed->session);
    if (count->in_use != feed->in_use_seen) {
        feed->in_use_seen = count->in_use;
        if (!feed->is_in_use_told)
            notice(feed, NB__NOTICE_IN_USE, reason);
        feed->is_in_use_told = true;
    }
    if (count->is_breaker_open && !feed->is_breaker_told) {
        feed->is_breaker_told = true;
        notice(feed, NB__NOTICE_BREAKER, reason);
    }
    bool is_serious = feed->is_approval_failed && feed->approval_class != NB__APPROVAL_RETRY &&
                      feed->approval_class != NB__APPROVAL_PACED;
    if (is_serious && !feed->is_approval_told) {
        char detail[400];
        snprintf(detail, sizeof detail, "%s (%s)", reason, feed->advice);
        feed->is_approval_told = true;
        notice(feed, NB__NOTICE_APPROVAL, detail);
    }
}

void nb__tell_state(nb__feed *feed)
{
    if (nb__session_state_of(feed->session) != NB__SESSION_WAITING)
        return;
    tell_waiting(feed);
    notice_troubles(feed);
}

/* ---- lost and back ---- */

static int64_t back(nb__feed *feed, int64_t now_ns)
{
    if (feed->lost_since_ns == NB_TIME_UNDEF)
        return INT64_MAX;
    if (now_ns - feed->up_since_ns < SOUND_NS)
        return feed->up_since_ns + SOUND_NS;
    if (feed->is_loss_told) {
        char detail[80];
        snprintf(detail, sizeof detail, "it was away for %lld s",
                 (long long)((feed->up_since_ns - feed->lost_since_ns) / NB__NS_PER_S));
        notice(feed, NB__NOTICE_LINK_BACK, detail);
    }
    feed->is_loss_told = false;
    feed->lost_since_ns = NB_TIME_UNDEF;
    return INT64_MAX;
}

int64_t nb__tell_loss(nb__feed *feed)
{
    int64_t now_ns = nb__feed_now_ns(feed);
    if (feed->is_up)
        return back(feed, now_ns);
    if (nb__session_state_of(feed->session) == NB__SESSION_RESTING) {
        feed->is_loss_told = false;
        feed->lost_since_ns = NB_TIME_UNDEF;
        return INT64_MAX;
    }
    if (feed->lost_since_ns == NB_TIME_UNDEF) /* it wakes */
        feed->lost_since_ns = now_ns;
    int64_t since_ns = feed->lost_since_ns;
    if (feed->is_live && feed->live.stop_until_ns > since_ns)
        since_ns = feed->live.stop_until_ns; /* KIS's own stop is no loss */
    if (feed->is_loss_told)
        return INT64_MAX;
    if (now_ns < since_ns + LOST_NS)
        return since_ns + LOST_NS;
    feed->is_loss_told = true;
    notice(feed, NB__NOTICE_LINK_LOST, nb__session_reason(feed->session));
    return INT64_MAX;
}
