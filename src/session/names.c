/* SPDX-License-Identifier: Apache-2.0 */
/* What a session's states and counters are called, for people and for metrics. */
#include "session/session.h"

const char *nb__session_state_name(nb__session_state state)
{
    static const char *const names[] = {"idle", "approving", "connecting",
                                        "up",   "waiting",   "resting"};
    return (size_t)state < NB__COUNT_OF(names) ? names[state] : "?";
}

const char *nb__registration_state_name(nb__registration_state state)
{
    static const char *const names[] = {"none", "pending", "confirmed", "rejected", "lingering"};
    return (size_t)state < NB__COUNT_OF(names) ? names[state] : "?";
}

#define METRIC(field, metric_name, metric_help, gauge)                                             \
    {                                                                                              \
        metric_name, metric_help, offsetof(nb__session_counters, field), gauge                     \
    }
const nb__metric nb__session_metrics[] = {
    METRIC(connects, "session_connects_total", "Links opened to the feed.", false),
    METRIC(losses, "session_losses_total", "Links lost after they were open.", false),
    METRIC(approvals, "session_approvals_total", "Approval keys received.", false),
    METRIC(approval_failures, "session_approval_failures_total", "Approval keys not received.",
           false),
    METRIC(requests, "session_requests_total", "Registration requests sent, repeats too.", false),
    METRIC(answers, "session_answers_total", "Answers received.", false),
    METRIC(answers_unknown, "session_answers_unknown_total",
           "Control messages with an unknown code, or that answer nothing asked.", false),
    METRIC(answers_refused, "session_answers_refused_total", "Requests refused.", false),
    METRIC(answer_timeouts, "session_answer_timeouts_total", "Requests not answered in time.",
           false),
    METRIC(pingpongs, "session_pingpongs_total", "PINGPONG messages received.", false),
    METRIC(watchdog_drops, "session_watchdog_drops_total",
           "Links given up because they were silent.", false),
    METRIC(evictions, "session_evictions_total",
           "Registrations given back because a slot was needed.", false),
    METRIC(in_use, "session_in_use_total",
           "Refusals because another session holds the appkey (OPSP8996).", false),
    METRIC(breaker_openings, "session_breaker_openings_total",
           "Times that the connect budget was spent.", false),
    METRIC(is_breaker_open, "session_breaker_open", "1 while the connect budget is spent.", true),
    METRIC(up, "session_up", "1 while the link to the feed is open.", true),
};
const size_t nb__session_metric_count = NB__COUNT_OF(nb__session_metrics);
