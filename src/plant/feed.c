/* SPDX-License-Identifier: Apache-2.0 */
/* The feed: what the session asks for is done here; what happens on the link is told to the
 * session. */
#include "feed.h"
#include <stdio.h>
#include <string.h>

#define TIMEOUT_NS                                                                                 \
    (10 * NB__NS_PER_S) /* of the approval, and of the connection and its upgrade                  \
                         */
#define APPROVAL_MAX 8192
#define CLOSE_NORMAL 1000

static void pump(nb__feed *feed);

static int64_t now_ns(const nb__feed *feed)
{
    return nb__loop_mono_ns(feed->loop);
}

/* ---- the approval key ---- */

static void approval_answered(nb__feed *feed, int status, const nb__http_message *answer)
{
    nb__approval_answer words = {0};
    char reason[256];
    nb_err err = nb__approval_answer_parse(answer->body, &words, NULL);
    if (status == 404) /* a server without approval: it does not look at keys either */
        nb__session_on_approved(feed->session, "", now_ns(feed));
    else if (status == 200 && err == NB_OK && words.approval_key[0] != '\0')
        nb__session_on_approved(feed->session, words.approval_key, now_ns(feed));
    else {
        snprintf(reason, sizeof reason, "its /oauth2/Approval answered %d %s %s", status,
                 words.error_code, words.error_text);
        nb__session_on_approval_failed(feed->session, reason, now_ns(feed));
    }
    explicit_bzero(&words, sizeof words);
}

static void approval_done(void *self, int status, const nb__http_message *answer,
                          const nb_error *error)
{
    nb__feed *feed = self;
    feed->approval = NULL;
    if (status == 0)
        nb__session_on_approval_failed(feed->session, error->detail, now_ns(feed));
    else
        approval_answered(feed, status, answer);
    pump(feed);
}

/* The key goes in clear, so only over loopback (nb__feed_open() sees to that), and it is none of
 * KIS's. */
static void ask_approval(nb__feed *feed)
{
    nb__address address = feed->address;
    address.is_ws = false;
    snprintf(address.path, sizeof address.path, "/oauth2/Approval");
    nb__text body = {0};
    nb__approval_request_print(feed->appkey, "nightbook", &body);
    nb_error error = {0};
    nb_err err = body.is_failed ? nb__fail(&error, NB_E_MEMORY, 0, "memory is exhausted")
                                : nb__fetch_start(feed->loop, "POST", &address,
                                                  "Content-Type: application/json; utf-8\r\n",
                                                  nb__text_view(&body), APPROVAL_MAX, TIMEOUT_NS,
                                                  approval_done, feed, &feed->approval, &error);
    nb__text_fini(&body);
    if (err != NB_OK)
        nb__session_on_approval_failed(feed->session, error.detail, now_ns(feed));
}

/* ---- the link ---- */

static void link_opened(void *self, const nb__http_message *answer)
{
    nb__feed *feed = self;
    nb__session_clock clock = nb__session_clock_live();
    clock.kind = feed->kind;
    nb_span stated = nb__http_header_find(answer, "Nightbook-Clock");
    if (stated.data != NULL && !nb__session_clock_parse(stated, nb__clock_real_ns(), &clock))
        nb__log(NB__LOG_WARN, "feed",
                "%s states a clock that is not one; taken for an ordinary server", feed->name);
    feed->clock = clock;
    nb__session_on_opened(feed->session, now_ns(feed));
    pump(feed);
}

static void link_message(void *self, const nb__ws_event *event, int64_t recv_ns)
{
    nb__feed *feed = self;
    uint64_t unknown = nb__session_count(feed->session)->answers_unknown;
    if (nb__session_on_message(feed->session, event->payload, now_ns(feed))) {
        /* the bytes lie in the link's own read buffer, ours until the next event */
        feed->handler.message(feed->handler.self, (char *)event->payload.data,
                              event->payload.size_bytes, recv_ns);
        return;
    }
    bool is_known = nb__session_count(feed->session)->answers_unknown == unknown;
    feed->handler.control(feed->handler.self, is_known);
    pump(feed);
}

static void link_alive(void *self)
{
    nb__feed *feed = self;
    nb__session_on_alive(feed->session, now_ns(feed));
}

static void link_closed(void *self, const nb_error *error)
{
    nb__feed *feed = self;
    feed->link = NULL;
    nb__session_on_closed(feed->session, error->detail, now_ns(feed));
    pump(feed);
}

static void open_link(nb__feed *feed)
{
    const nb__link_handler handler = {.self = feed,
                                      .opened = link_opened,
                                      .message = link_message,
                                      .alive = link_alive,
                                      .closed = link_closed};
    nb_error error = {0};
    if (nb__link_open(feed->loop, &feed->address, TIMEOUT_NS, &handler, &feed->link, &error) !=
        NB_OK)
        nb__session_on_closed(feed->session, error.detail, now_ns(feed));
}

/* ---- what the session asks for ---- */

static void tell_link(nb__feed *feed, bool is_up)
{
    if (is_up && feed->logged[0] != '\0') { /* only what was told as down is told as up */
        nb__log(NB__LOG_INFO, "feed", "the link to %s is up (%s)", feed->name,
                nb__feed_kind_banner(feed->clock.kind));
        feed->logged[0] = '\0';
    }
    feed->handler.link(feed->handler.self, is_up, &feed->clock, nb__session_reason(feed->session));
}

/* A wait and its cause, once a cause: a server that stays away for hours is one line. */
static void tell_waiting(nb__feed *feed)
{
    const char *reason = nb__session_reason(feed->session);
    const char *semicolon = strrchr(reason, ';');
    size_t size = semicolon == NULL ? strlen(reason) : (size_t)(semicolon - reason);
    if (strlen(feed->logged) == size && strncmp(feed->logged, reason, size) == 0)
        return;
    snprintf(feed->logged, sizeof feed->logged, "%.*s", (int)size, reason);
    nb__log(NB__LOG_WARN, "feed", "%s: %s", feed->name, reason);
}

static void act(nb__feed *feed, const nb__action *action)
{
    switch (action->kind) {
    case NB__ACT_APPROVE:
        ask_approval(feed);
        break;
    case NB__ACT_CONNECT:
        open_link(feed);
        break;
    case NB__ACT_SEND_TEXT:
        nb__link_send(feed->link, NB__WS_TEXT, action->text);
        break;
    case NB__ACT_SEND_PONG:
        nb__link_send(feed->link, NB__WS_PONG, action->text);
        break;
    case NB__ACT_DISCONNECT:
        nb__link_close(feed->link, CLOSE_NORMAL);
        break;
    case NB__ACT_REGISTRATION:
        feed->handler.registration(feed->handler.self, action->topic);
        break;
    case NB__ACT_LINK:
        tell_link(feed, action->is_up);
        break;
    case NB__ACT_WAIT:
        break;
    }
}

static void pump(nb__feed *feed)
{
    nb__action action;
    for (;;) {
        nb__session_next(feed->session, now_ns(feed), &action);
        if (feed->is_shut && action.kind != NB__ACT_LINK && action.kind != NB__ACT_REGISTRATION)
            return;
        if (action.kind == NB__ACT_WAIT)
            break;
        act(feed, &action);
    }
    if (nb__session_state_of(feed->session) == NB__SESSION_WAITING)
        tell_waiting(feed);
    if (action.wake_ns == INT64_MAX)
        nb__timer_cancel(feed->loop, &feed->timer);
    else
        nb__timer_set(feed->loop, &feed->timer, action.wake_ns);
}

static void timer_fired(nb__timer *timer, int64_t now_mono_ns)
{
    (void)now_mono_ns;
    pump((nb__feed *)((char *)timer - offsetof(nb__feed, timer)));
}

/* ---- the door ---- */

nb_err nb__feed_open(nb__feed *feed, nb__loop *loop, const nb__plant_config *config,
                     nb__topics *topics, const nb__feed_handler *handler, nb_error *error)
{
    *feed = (nb__feed){.loop = loop,
                       .address = config->feed,
                       .kind = config->feed_kind,
                       .handler = *handler,
                       .clock = nb__session_clock_live(),
                       .timer = {.fire = timer_fired}};
    feed->clock.kind = config->feed_kind;
    bool is_v6 = strchr(config->feed.host, ':') != NULL;
    snprintf(feed->name, sizeof feed->name, is_v6 ? "ws://[%s]:%u" : "ws://%s:%u",
             config->feed.host, (unsigned)config->feed.port);
    if (config->feed.is_tls)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "feed %s: wss is not spoken; KIS's own feed is plain ws", feed->name);
    if (!nb__host_is_loopback(config->feed.host))
        return nb__fail(
            error, NB_E_ARGUMENT, 0,
            "feed %s is not on this machine: its approval key would go over the network in clear",
            feed->name);
    /* A name of its own for each process: two of them may share one look-alike, each with its one
     * session. */
    uint64_t number;
    nb__random_bytes(&number, sizeof number);
    snprintf(feed->appkey, sizeof feed->appkey, "nightbook-%016llx", (unsigned long long)number);
    feed->session = nb__session_new(&config->session, topics, config->topics_max);
    if (feed->session == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "feed: memory is exhausted");
    nb__feed_stir(feed);
    return NB_OK;
}

void nb__feed_stir(nb__feed *feed)
{
    nb__timer_set(feed->loop, &feed->timer, now_ns(feed));
}

void nb__feed_shut(nb__feed *feed)
{
    feed->is_shut = true;
    nb__timer_cancel(feed->loop, &feed->timer);
    if (feed->approval != NULL)
        nb__fetch_cancel(feed->approval);
    feed->approval = NULL;
    if (feed->link != NULL)
        nb__link_close(feed->link, CLOSE_NORMAL);
}

void nb__feed_close(nb__feed *feed)
{
    if (feed->loop != NULL)
        nb__timer_cancel(feed->loop, &feed->timer);
    if (feed->approval != NULL)
        nb__fetch_cancel(feed->approval);
    if (feed->link != NULL)
        nb__link_abort(feed->link);
    nb__session_free(feed->session);
    *feed = (nb__feed){0};
}
