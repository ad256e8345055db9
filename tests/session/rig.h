/* SPDX-License-Identifier: Apache-2.0 */
/* A session under a test's own clock, and short words for what a test says and expects. */
#ifndef NB_SESSION_RIG_H
#define NB_SESSION_RIG_H

#include "guard.h"
#include "session/session.h"
#include <stdio.h>
#include <string.h>

#define TOPICS_MAX 64
#define MS NB__NS_PER_MS
#define S NB__NS_PER_S

typedef struct rig {
    nb__topics *topics;
    nb__session *session;
    int64_t now_ns;
    nb__action action; /* the last one */
    uint32_t save_count;
} rig;

static inline nb__session_config rig_config(uint32_t registrations_max)
{
    nb__session_config config = nb__session_config_default();
    config.registrations_max = registrations_max;
    config.connects_max = 0; /* tests of the budget set their own */
    return config;
}

static inline rig rig_open(const nb__session_config *config)
{
    rig r = {.topics = nb__topics_new(TOPICS_MAX), .now_ns = 1000 * S};
    assert_non_null(r.topics);
    r.session = nb__session_new(config, r.topics, TOPICS_MAX);
    assert_non_null(r.session);
    return r;
}

static inline void rig_close(rig *r)
{
    nb__session_free(r->session);
    nb__topics_free(r->topics);
}

static inline uint32_t topic_of(rig *r, const char *key)
{
    nb__topic topic;
    assert_true(nb__topic_make(NB__SPAN("H0EUASP0"), nb__span(key), &topic));
    return nb__topics_intern(r->topics, &topic);
}

/* The next action that is not about a registration or the memory. */
static inline nb__action_kind next(rig *r)
{
    do {
        nb__session_next(r->session, r->now_ns, &r->action);
        r->save_count += r->action.kind == NB__ACT_SAVE;
    } while (r->action.kind == NB__ACT_REGISTRATION || r->action.kind == NB__ACT_SAVE);
    return r->action.kind;
}

/* Let time pass until the session wants to do something. */
static inline nb__action_kind wait_next(rig *r)
{
    while (next(r) == NB__ACT_WAIT) {
        assert_true(r->action.wake_ns != INT64_MAX);
        assert_true(r->action.wake_ns > r->now_ns);
        r->now_ns = r->action.wake_ns;
    }
    return r->action.kind;
}

/* From APPROVE or CONNECT on. */
static inline void finish_up(rig *r)
{
    if (r->action.kind == NB__ACT_APPROVE) {
        nb__session_on_approved(r->session, "the-approval-key", r->now_ns);
        next(r);
    }
    assert_int_equal(r->action.kind, NB__ACT_CONNECT);
    nb__session_on_opened(r->session, r->now_ns);
    assert_int_equal(next(r), NB__ACT_LINK);
    assert_true(r->action.is_up);
}

/* With an approval when the session asks for one. */
static inline void connect_up(rig *r)
{
    wait_next(r);
    finish_up(r);
}

/* The request in `action`. */
static inline nb__request asked(rig *r)
{
    nb__request request;
    nb__opsp code;
    assert_int_equal(r->action.kind, NB__ACT_SEND_TEXT);
    assert_int_equal(nb__client_message_parse(r->action.text, &request, &code), NB__CLIENT_REQUEST);
    return request;
}

static inline void expect_request(rig *r, const char *key, bool is_register)
{
    assert_int_equal(wait_next(r), NB__ACT_SEND_TEXT);
    nb__request request = asked(r);
    assert_string_equal(request.topic.tr_key, key);
    assert_int_equal(request.is_register, is_register);
}

static inline bool say(rig *r, const char *text)
{
    return nb__session_on_message(r->session, nb__span(text), r->now_ns);
}

static inline void answer(rig *r, nb__opsp code, const char *key)
{
    nb__topic topic;
    assert_true(nb__topic_make(NB__SPAN("H0EUASP0"), nb__span(key), &topic));
    nb__text text = {0};
    nb__answer_print(code, &topic, "0123456789abcdef", "0123456789abcdef0123456789abcdef", &text);
    assert_false(nb__session_on_message(r->session, nb__text_view(&text), r->now_ns));
    nb__text_fini(&text);
}

static inline const nb__registration *seen(rig *r, const char *key)
{
    return nb__session_registration(r->session, topic_of(r, key));
}

static inline void expect_state(rig *r, const char *key, nb__registration_state state)
{
    assert_string_equal(nb__registration_state_name(seen(r, key)->state),
                        nb__registration_state_name(state));
}

static inline nb_err try_want(rig *r, const char *key, nb__want who, uint32_t rank)
{
    return nb__session_want(r->session, topic_of(r, key), who, rank, r->now_ns);
}

/* Windows in the order in which they are wanted: the last is the farthest. */
static inline void want(rig *r, const char *key, nb__want who)
{
    assert_int_equal(try_want(r, key, who, nb__topics_count(r->topics)), NB_OK);
}

static inline void release_as(rig *r, const char *key, nb__want who)
{
    nb__session_release(r->session, topic_of(r, key), who, r->now_ns);
}

static inline void release(rig *r, const char *key)
{
    release_as(r, key, NB__WANT_CLIENT);
}

static inline void confirm(rig *r, const char *key)
{
    expect_request(r, key, true);
    answer(r, NB__OPSP_SUBSCRIBED, key);
    expect_state(r, key, NB__REG_CONFIRMED);
}

#endif
