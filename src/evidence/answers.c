/* SPDX-License-Identifier: Apache-2.0 */
/* What KIS's answers show: codes, how long OPSP8996 lasts, approvals, PINGPONG, losses. */
#include "inside.h"
#include <string.h>

#define PINGPONG_GAP_MAX_NS (300 * NB__NS_PER_S) /* longer ones span a loss or dense data */

/* What is too long is cut. */
static void copy_cut(char *out, size_t capacity_bytes, const char *text)
{
    size_t size = strnlen(text, capacity_bytes - 1);
    memcpy(out, text, size);
    out[size] = '\0';
    nb__make_printable(out, size);
}

static feed_stats *feed_of(nb__evidence *evidence, uint32_t feed)
{
    return feed < FEEDS_MAX ? &evidence->feeds[feed] : NULL;
}

/* ---- answers ---- */

static void count_code(nb__evidence *evidence, const nb__answer *answer, int64_t recv_ns)
{
    for (uint32_t i = 0; i < evidence->code_count; i++) {
        code_stats *code = &evidence->codes[i];
        if (strcmp(code->msg_cd, answer->msg_cd) != 0 || strcmp(code->rt_cd, answer->rt_cd) != 0)
            continue;
        code->count++;
        return;
    }
    if (evidence->code_count == CODES_MAX) {
        evidence->codes_other++;
        return;
    }
    code_stats *code = &evidence->codes[evidence->code_count++];
    *code = (code_stats){.count = 1, .first_ns = recv_ns};
    memcpy(code->msg_cd, answer->msg_cd, sizeof code->msg_cd); /* as it was read: compared above */
    memcpy(code->rt_cd, answer->rt_cd, sizeof code->rt_cd);
    copy_cut(code->msg1, sizeof code->msg1, answer->msg1);
    copy_cut(code->tr_id, sizeof code->tr_id, answer->tr_id);
}

/* A confirmed key's next frame may be a snapshot; an unsubscribed key has none. */
static void note_confirmation(nb__evidence *evidence, const nb__answer *answer, int64_t recv_ns)
{
    nb__topic name;
    bool is_end = answer->code == NB__OPSP_UNSUBSCRIBED;
    if ((answer->code != NB__OPSP_SUBSCRIBED && !is_end) ||
        !nb__topic_make(nb__span(answer->tr_id), nb__span(answer->tr_key), &name))
        return;
    uint32_t topic = nb__topics_find(evidence->topics, &name);
    if (topic >= evidence->topics_max)
        return;
    evidence->keys[topic].confirmed_ns = is_end ? 0 : recv_ns;
    evidence->confirmed += !is_end;
}

static void note_in_use(nb__evidence *evidence, uint32_t feed_index, feed_stats *feed,
                        int64_t recv_ns)
{
    if (feed->in_use == 0) {
        if (evidence->episode_count == EPISODES_MAX) {
            evidence->episodes_other++;
            return;
        }
        evidence->episodes[evidence->episode_count++] =
            (in_use_episode){.feed = feed_index, .lost_ns = feed->lost_ns, .first_ns = recv_ns};
        feed->in_use = evidence->episode_count;
    }
    in_use_episode *episode = &evidence->episodes[feed->in_use - 1];
    episode->count++;
    episode->last_ns = recv_ns;
}

void nb__evidence_answer(nb__evidence *evidence, uint32_t feed_index, const nb__answer *answer,
                         int64_t recv_ns)
{
    feed_stats *feed = feed_of(evidence, feed_index);
    evidence_seen(evidence, recv_ns);
    count_code(evidence, answer, recv_ns);
    note_confirmation(evidence, answer, recv_ns);
    if (feed == NULL)
        return;
    if (answer->code == NB__OPSP_IN_USE) {
        note_in_use(evidence, feed_index, feed, recv_ns);
    } else if (feed->in_use != 0 && answer->reaction == NB__REACT_DONE) {
        evidence->episodes[feed->in_use - 1].cleared_ns = recv_ns;
        feed->in_use = 0;
    }
}

/* ---- approvals ---- */

static void count_approval_code(nb__evidence *evidence, const char *error_code, const char *words)
{
    for (uint32_t i = 0; i < evidence->approval_code_count; i++) {
        approval_code *code = &evidence->approval_codes[i];
        if (strcmp(code->code, error_code) != 0)
            continue;
        code->count++;
        return;
    }
    if (evidence->approval_code_count == APPROVAL_CODES_MAX) {
        evidence->approval_codes_other++;
        return;
    }
    approval_code *code = &evidence->approval_codes[evidence->approval_code_count++];
    code->count = 1;
    copy_cut(code->code, sizeof code->code, error_code);
    copy_cut(code->words, sizeof code->words, words);
}

void nb__evidence_approval(nb__evidence *evidence, uint32_t feed_index, const char *error_code,
                           const char *words, int64_t recv_ns)
{
    bool is_given = error_code[0] == '\0';
    bool is_too_often = strcmp(error_code, "EGW00133") == 0 || strcmp(error_code, "EGW00201") == 0;
    evidence->approvals_given += is_given;
    evidence_seen(evidence, recv_ns);
    feed_stats *feed = feed_of(evidence, feed_index);
    int64_t gap_ns = feed == NULL || feed->approval_ns == 0 ? 0 : recv_ns - feed->approval_ns;
    if (!is_given)
        count_approval_code(evidence, error_code, words);
    if (feed != NULL)
        feed->approval_ns = recv_ns;
    if (gap_ns <= 0)
        return;
    int64_t *given = &evidence->approval_gap_given_ns;
    int64_t *refused = &evidence->approval_gap_refused_ns;
    if (is_given && (*given == 0 || gap_ns < *given))
        *given = gap_ns;
    if (is_too_often && gap_ns > *refused)
        *refused = gap_ns;
}

/* ---- the link ---- */

void nb__evidence_pingpong(nb__evidence *evidence, uint32_t feed_index, int64_t recv_ns)
{
    feed_stats *feed = feed_of(evidence, feed_index);
    evidence_seen(evidence, recv_ns);
    evidence->pingpongs++;
    if (feed == NULL)
        return;
    int64_t gap_ns = feed->pingpong_ns == 0 ? -1 : recv_ns - feed->pingpong_ns;
    feed->pingpong_ns = recv_ns;
    if (gap_ns < 0 || gap_ns > PINGPONG_GAP_MAX_NS)
        return;
    if (evidence->pingpong_gaps++ == 0)
        evidence->pingpong_least_ns = gap_ns;
    if (gap_ns < evidence->pingpong_least_ns)
        evidence->pingpong_least_ns = gap_ns;
    if (gap_ns > evidence->pingpong_most_ns)
        evidence->pingpong_most_ns = gap_ns;
    evidence->pingpong_sum_ns += gap_ns;
}

void nb__evidence_link(nb__evidence *evidence, uint32_t feed_index, bool is_up, const char *reason,
                       int64_t recv_ns)
{
    feed_stats *feed = feed_of(evidence, feed_index);
    evidence_seen(evidence, recv_ns);
    evidence->ups += is_up;
    if (feed == NULL)
        return;
    feed->pingpong_ns = 0;
    if (is_up) {
        if (feed->loss != 0)
            evidence->losses[feed->loss - 1].back_ns = recv_ns;
        feed->loss = 0;
        return;
    }
    feed->lost_ns = evidence->lost_ns = recv_ns;
    if (feed->loss != 0 || reason == NULL)
        return; /* it was not up in between: one loss; or none */
    if (evidence->loss_count == LOSSES_MAX) {
        evidence->losses_other++;
        return;
    }
    link_loss *loss = &evidence->losses[evidence->loss_count++];
    *loss = (link_loss){.feed = feed_index, .lost_ns = recv_ns};
    copy_cut(loss->reason, sizeof loss->reason, reason);
    feed->loss = evidence->loss_count;
}
