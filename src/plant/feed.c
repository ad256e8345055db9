/* SPDX-License-Identifier: Apache-2.0 */
/* The feed: what the session asks for is done here; what happens on the link is told to the
 * session. */
#include "feed.h"
#include "player.h"
#include <stdio.h>
#include <string.h>

/* of the approval, and of the connection and its upgrade */
#define TIMEOUT_NS (10 * NB__NS_PER_S)
#define APPROVAL_MAX 8192
#define CLOSE_NORMAL 1000

int64_t nb__feed_now_ns(const nb__feed *feed)
{
    return nb__loop_mono_ns(feed->loop);
}

/* ---- the approval key ---- */

static void approval_refused(nb__feed *feed, int status, nb__approval_answer *words,
                             const char *failure)
{
    char reason[512];
    feed->approval_class = nb__approval_class_of(status, words->error_code, &feed->advice);
    feed->is_approval_failed = true;
    if (feed->is_live) { /* a server may repeat what it was sent */
        nb__scrub(words->error_text, feed->live.config.appkey);
        nb__scrub(words->error_text, feed->live.config.secret);
    }
    if (status == 0)
        snprintf(reason, sizeof reason, "%s", failure);
    else
        snprintf(reason, sizeof reason, "%s answered %d %s %s",
                 feed->is_live ? feed->live.config.approval.host : "its /oauth2/Approval", status,
                 words->error_code, words->error_text);
    if (status != 0)
        feed->handler.approval(feed->handler.self, feed,
                               words->error_code[0] != '\0' ? words->error_code : "?",
                               words->error_text);
    nb__session_on_approval_failed(feed->session, feed->approval_class, reason,
                                   nb__feed_now_ns(feed));
}

static void approved(nb__feed *feed, const char *approval_key)
{
    feed->is_approval_failed = feed->is_approval_told = false;
    if (feed->is_live)
        nb__log_hide(approval_key);
    feed->handler.approval(feed->handler.self, feed, "", "");
    nb__session_on_approved(feed->session, approval_key, nb__feed_now_ns(feed));
}

/* Nobody saw what failed so: the name could not be looked up, there is no network, nobody listens.
 */
static bool is_unreached(const nb_error *error)
{
    return error->code == NB_E_SYSTEM || error->code == NB_E_REFUSED;
}

void nb__feed_approval_unasked(nb__feed *feed, const nb_error *failure)
{
    if (is_unreached(failure))
        nb__session_on_unreached(feed->session);
    nb__session_on_approval_failed(feed->session, NB__APPROVAL_RETRY, failure->detail,
                                   nb__feed_now_ns(feed));
}

void nb__feed_on_approval(nb__feed *feed, int status, nb_span body, const nb_error *failure)
{
    if (status == 0 && is_unreached(failure))
        nb__session_on_unreached(feed->session);
    nb__approval_answer words = {0};
    nb_err err = status == 0 ? NB_E_CLOSED : nb__approval_answer_parse(body, &words, NULL);
    if (status == 404 && !feed->is_live) /* without approval: it does not look at keys either */
        approved(feed, "");
    else if (status == 200 && err == NB_OK && words.approval_key[0] != '\0')
        approved(feed, words.approval_key);
    else
        approval_refused(feed, status, &words, status == 0 ? failure->detail : "");
    explicit_bzero(&words, sizeof words);
    nb__feed_pump(feed);
}

static void approval_done(void *self, int status, const nb__http_message *answer,
                          const nb_error *error)
{
    nb__feed *feed = self;
    feed->approval = NULL;
    nb__feed_on_approval(feed, status, status == 0 ? (nb_span){0} : answer->body, error);
}

/* The key goes in clear, so only over loopback (open_local() sees to that), and it is none of
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
        nb__feed_approval_unasked(feed, &error);
}

/* ---- the link ---- */

/* Whoever answers at KIS's own address with a nightbook's header is none: a hosts file, or another
 * one's listener. @return false: refused. */
static bool is_whom_we_meant(nb__feed *feed, nb_span stated)
{
    if (stated.data == NULL || !feed->is_live || !feed->live.config.is_builtin)
        return true;
    snprintf(feed->refusal, sizeof feed->refusal,
             "a nightbook answers at KIS's address, not KIS: refused (is %.90s redirected here?)",
             feed->address.host);
    nb__link_close(feed->link, CLOSE_NORMAL);
    return false;
}

static void link_opened(void *self, const nb__http_message *answer)
{
    nb__feed *feed = self;
    nb__session_clock clock = nb__session_clock_live();
    clock.kind = feed->kind;
    nb_span stated = nb__http_header_find(answer, "Nightbook-Clock");
    if (!is_whom_we_meant(feed, stated))
        return;
    if (stated.data != NULL && !nb__session_clock_parse(stated, nb__clock_real_ns(), &clock))
        nb__log(NB__LOG_WARN, "feed",
                "%s states a clock that is not one; taken for an ordinary server", feed->name);
    feed->clock = clock;
    nb__session_on_opened(feed->session, nb__feed_now_ns(feed));
    nb__feed_pump(feed);
}

/* A nightbook that replays was moved. */
static void follow_clock(nb__feed *feed, int64_t recv_ns)
{
    const nb__answer *mark;
    if (feed->is_live || nb__session_heard(feed->session, &mark) != NB__SERVER_MARK ||
        strcmp(mark->msg_cd, "NB_CLOCK") != 0 ||
        !nb__session_clock_parse(nb__span(mark->msg1), recv_ns, &feed->clock))
        return;
    feed->handler.clock(feed->handler.self, feed);
}

static void link_message(void *self, const nb__ws_event *event, int64_t recv_ns)
{
    nb__feed *feed = self;
    uint64_t unknown = nb__session_count(feed->session)->answers_unknown;
    if (feed->refusal[0] != '\0')
        return;
    if (nb__session_on_message(feed->session, event->payload, nb__feed_now_ns(feed))) {
        /* the bytes lie in the link's own read buffer, ours until the next event */
        feed->handler.message(feed->handler.self, feed, (char *)event->payload.data,
                              event->payload.size_bytes, recv_ns);
        return;
    }
    follow_clock(feed, recv_ns);
    bool is_known = nb__session_count(feed->session)->answers_unknown == unknown;
    feed->handler.control(feed->handler.self, feed, event->payload, is_known, recv_ns);
    nb__feed_pump(feed);
}

static void link_alive(void *self)
{
    nb__feed *feed = self;
    nb__session_on_alive(feed->session, nb__feed_now_ns(feed));
}

static void link_closed(void *self, const nb_error *error)
{
    nb__feed *feed = self;
    char reason[256];
    feed->link = NULL;
    snprintf(reason, sizeof reason, "%s", feed->refusal[0] != '\0' ? feed->refusal : error->detail);
    feed->refusal[0] = '\0';
    if (is_unreached(error))
        nb__session_on_unreached(feed->session); /* of a link that was open it is nothing */
    nb__session_on_closed(feed->session, reason, nb__feed_now_ns(feed));
    nb__feed_pump(feed);
}

static void open_link(nb__feed *feed)
{
    const nb__link_handler handler = {.self = feed,
                                      .opened = link_opened,
                                      .message = link_message,
                                      .alive = link_alive,
                                      .closed = link_closed};
    nb__link_options options = feed->is_live ? nb__live_link_options(feed) : (nb__link_options){0};
    options.timeout_ns = TIMEOUT_NS;
    if (!feed->is_live) /* KIS is sent nothing that it does not know */
        options.extra_headers = "Nightbook-Clock: follow\r\n";
    nb_error error = {0};
    if (nb__link_open(feed->loop, &feed->address, &options, &handler, &feed->link, &error) == NB_OK)
        return;
    if (is_unreached(&error))
        nb__session_on_unreached(feed->session);
    nb__session_on_closed(feed->session, error.detail, nb__feed_now_ns(feed));
}

/* ---- what the session asks for ---- */

static void act(nb__feed *feed, const nb__action *action)
{
    bool is_of_link = action->kind == NB__ACT_APPROVE || action->kind == NB__ACT_CONNECT ||
                      action->kind == NB__ACT_SEND_TEXT || action->kind == NB__ACT_SEND_PONG ||
                      action->kind == NB__ACT_DISCONNECT;
    if (feed->is_replay && is_of_link) {
        nb__replay_feed_act(feed, action);
        return;
    }
    switch (action->kind) {
    case NB__ACT_APPROVE:
        if (feed->is_live)
            nb__live_ask_approval(feed);
        else
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
        nb__tell_registration(feed, action->topic);
        feed->handler.registration(feed->handler.self, feed, action->topic);
        break;
    case NB__ACT_LINK:
        nb__tell_link(feed, action->is_up);
        feed->handler.link(feed->handler.self, feed, action->is_up,
                           nb__session_reason(feed->session));
        break;
    case NB__ACT_SAVE:
        nb__live_save(feed);
        break;
    case NB__ACT_WAIT:
        break;
    }
}

void nb__feed_pump(nb__feed *feed)
{
    nb__action action;
    for (;;) {
        nb__session_next(feed->session, nb__feed_now_ns(feed), &action);
        if (action.kind == NB__ACT_WAIT)
            break;
        act(feed, &action);
    }
    if (action.wake_ns == INT64_MAX)
        nb__timer_cancel(feed->loop, &feed->timer);
    else
        nb__timer_set(feed->loop, &feed->timer, action.wake_ns);
    nb__tell_state(feed);
    feed->handler.changed(feed->handler.self, feed);
}

static void timer_fired(nb__timer *timer, int64_t now_mono_ns)
{
    (void)now_mono_ns;
    nb__feed_pump((nb__feed *)((char *)timer - offsetof(nb__feed, timer)));
}

/* ---- the door ---- */

static nb_err open_local(nb__feed *feed, nb_error *error)
{
    if (!nb__host_is_loopback(feed->address.host))
        return nb__fail(
            error, NB_E_ARGUMENT, 0,
            "feed %s is not on this machine: its approval key would go over the network in clear",
            feed->url);
    /* A name of its own for each process: two of them may share one look-alike, each with its one
     * session. */
    uint64_t number;
    nb__random_bytes(&number, sizeof number);
    snprintf(feed->appkey, sizeof feed->appkey, "nightbook-%016llx", (unsigned long long)number);
    return NB_OK;
}

static void set_names(nb__feed *feed, const char *label)
{
    bool is_v6 = strchr(feed->address.host, ':') != NULL;
    snprintf(feed->url, sizeof feed->url, is_v6 ? "ws://[%s]:%u" : "ws://%s:%u", feed->address.host,
             (unsigned)feed->address.port);
    snprintf(feed->name, sizeof feed->name, "%s", label != NULL ? label : feed->url);
}

nb_err nb__feed_open(nb__feed *feed, nb__loop *loop, const nb__plant_config *config, uint32_t index,
                     nb__topics *topics, const nb__feed_handler *handler, nb_error *error)
{
    const nb__feed_config *mine = &config->feeds[index];
    *feed = (nb__feed){.loop = loop,
                       .index = index,
                       .address = mine->address,
                       .kind = mine->kind,
                       .calendar = config->calendar,
                       .handler = *handler,
                       .clock = nb__session_clock_live(),
                       .timer = {.fire = timer_fired},
                       .is_live = mine->live != NULL,
                       .lost_since_ns = nb__clock_mono_ns()};
    feed->clock.kind = mine->kind;
    set_names(feed, mine->name);
    if (mine->address.is_tls)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "feed %s: wss is not spoken; KIS's own feed is plain ws", feed->url);
    feed->session = nb__session_new(&mine->session, topics, config->topics_max);
    if (feed->session == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "feed: memory is exhausted");
    nb_err err = mine->replay != NULL ? nb__replay_feed_open(feed, mine->replay->path)
                 : mine->live != NULL ? nb__live_open(feed, mine->live, config->listen_port, error)
                                      : open_local(feed, error);
    if (err == NB_OK)
        nb__feed_stir(feed);
    return err;
}

void nb__feed_stir(nb__feed *feed)
{
    nb__timer_set(feed->loop, &feed->timer, nb__feed_now_ns(feed));
}

void nb__feed_shut(nb__feed *feed)
{
    if (feed->is_shut)
        return;
    feed->is_shut = true;
    nb__session_rest(feed->session, "for good: nightbook ends", nb__feed_now_ns(feed));
    nb__feed_stir(feed);
}

void nb__feed_close(nb__feed *feed)
{
    if (feed->loop == NULL)
        return;
    nb__timer_cancel(feed->loop, &feed->timer);
    if (feed->approval != NULL)
        nb__fetch_cancel(feed->approval);
    if (feed->link != NULL)
        nb__link_abort(feed->link);
    if (feed->is_live)
        nb__live_close(feed);
    nb__replay_feed_close(feed);
    nb__session_free(feed->session);
    explicit_bzero(feed, sizeof *feed);
}
