/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: session kis base */
/*
 * The memory of connects, read under a clock from its first bytes. What must hold for any text: the
 * first attempt begins within the longest wait there is; a memory that is not accepted is a spent
 * budget; and one that is comes back as it was once it went through print and parse.
 */
#include "session/session.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

#define LONGEST_NS (INT64_C(67) * 60 * NB__NS_PER_S)

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static nb__session *open_session(nb__topics *topics)
{
    nb__session_config config = nb__session_config_default();
    nb__session *session = nb__session_new(&config, topics, 1);
    require(session != NULL);
    return session;
}

/* @return when the first attempt begins. */
static int64_t first_attempt_ns(nb__session *session, int64_t now_ns)
{
    nb__action action;
    for (int i = 0; i < 100; i++) {
        nb__session_next(session, now_ns, &action);
        if (action.kind == NB__ACT_APPROVE)
            return now_ns;
        if (action.kind == NB__ACT_WAIT)
            now_ns = action.wake_ns;
    }
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    int64_t now_ns = NB__NS_PER_DAY, real_ns = 0;
    if (size_bytes < sizeof real_ns)
        return 0;
    memcpy(&real_ns, data, sizeof real_ns);
    nb_span text = {(const char *)data + sizeof real_ns, size_bytes - sizeof real_ns};
    nb__topics *topics = nb__topics_new(1);
    nb__session *session = open_session(topics), *again = open_session(topics);
    bool is_read = nb__session_memory_parse(session, text, now_ns, real_ns, NULL) == NB_OK;
    require(is_read || nb__session_budget_used(session, now_ns) == 4);
    nb__text first = {0}, second = {0};
    nb__session_memory_print(session, now_ns, real_ns, &first);
    require(first.size_bytes <= 1024);
    require(nb__session_memory_parse(again, nb__text_view(&first), now_ns, real_ns, NULL) == NB_OK);
    nb__session_memory_print(again, now_ns, real_ns, &second);
    if (real_ns > 0 && real_ns < INT64_MAX / 4)
        require(nb__span_equal(nb__text_view(&first), nb__text_view(&second)));
    int64_t begins_ns = first_attempt_ns(session, now_ns);
    require(begins_ns - now_ns <= LONGEST_NS);
    require(is_read || begins_ns - now_ns >= 600 * NB__NS_PER_S);
    nb__text_fini(&first);
    nb__text_fini(&second);
    nb__session_free(session);
    nb__session_free(again);
    nb__topics_free(topics);
    return 0;
}
