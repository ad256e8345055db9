/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's life: open, close, what io and the plant call, the sweep over quiet clients. */
#include "inside.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HOLDER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define SWEEP_MAX_NS NB__NS_PER_S
#define SWEEP_MIN_NS (10 * NB__NS_PER_MS)
#define UNAUTHORISED_MAX_NS (60 * NB__NS_PER_S) /* a connection without any key that we know */
#define CLOCK_HEADER_BYTES 128
#define CLOCK_JUMP_NS (60 * NB__NS_PER_S) /* of session time: a smaller step is nobody's harm */

nb__gateway_config nb__gateway_config_default(void)
{
    nb__gateway_config config = {
        .server = nb__server_config_default(),
        .ring_bytes = (size_t)64 << 20,
        .ring_messages = 1u << 18,
        .pending_max = 4096,
        .subscriptions_max = 4096,
        .client_topics_max = 32768,
        .pingpong_idle_ns = 10 * NB__NS_PER_S,
        .pingpong_timeout_ns = 100 * NB__NS_PER_S,
        .answer_wait_ns = 900 * NB__NS_PER_MS,
        .on_loss_ns = 30 * NB__NS_PER_S,
        .replay_wait = 1,
    };
    config.server.send_buffer_bytes =
        256 << 10; /* so that who is slow is known before his data is old */
    return config;
}

nb__feed_kind gateway_feed_kind(const nb__gateway *g)
{
    return nb__plant_clock(g->plant)->kind;
}

const nb__instrument *gateway_instrument(const nb__gateway *g, nb_span code)
{
    const nb__symbols *symbols = nb__plant_symbols(g->plant);
    return symbols == NULL ? NULL : nb__symbols_find(symbols, code);
}

int64_t gateway_session_ns(const nb__gateway *g)
{
    return nb__session_clock_at(nb__plant_clock(g->plant), nb__loop_real_ns(g->loop));
}

/* ---- how the fan reaches the sockets ---- */

static void io_sync(void *self)
{
    nb__plant_sync(((nb__gateway *)self)->plant);
}

static nb_err io_write(void *peer, const struct iovec *iov, int iov_count, size_t *taken_bytes)
{
    return nb__peer_write(peer, iov, iov_count, taken_bytes);
}

static void io_queue(void *peer, nb_span framed)
{
    nb__peer_send_bytes(peer, framed);
}

static void io_slow(void *self, fan_client *fan_client_)
{
    nb__gateway *g = self;
    nb__peer *peer = fan_client_->peer;
    if (gateway_mono_ns(g) - g->logged_ns >= NB__NS_PER_S || g->logged_ns == 0) {
        g->logged_ns = gateway_mono_ns(g);
        nb__log(NB__LOG_WARN, "gateway",
                "client %s reads too slowly and is closed with 1008\n"
                "  it can ask for the latest of each key instead: ws://HOST:PORT/+conflate/",
                nb__peer_name(peer));
    }
    nb__peer_close(peer, 1008, NB__SPAN("slow client: it did not read what it asked for"));
}

/* ---- what io calls ---- */

static void sweep_arm(nb__gateway *g)
{
    int64_t period = g->config.pingpong_idle_ns / 4;
    period = period > SWEEP_MAX_NS ? SWEEP_MAX_NS : period < SWEEP_MIN_NS ? SWEEP_MIN_NS : period;
    nb__timer_set(g->loop, &g->sweep, gateway_mono_ns(g) + period);
}

static int refuse_upgrade(nb__gateway *g, int status, const char *words, const char **detail)
{
    nb__text_clear(&g->words);
    nb__text_printf(&g->words, "%s\n", words);
    *detail = g->words.is_failed ? "refused\n" : g->words.data;
    return status;
}

/* The client is made here, where the address is known, and joins in opened(). */
static int on_upgrade(void *self, nb__peer *peer, const nb__http_message *request,
                      nb__text *extra_headers, const char **detail)
{
    nb__gateway *g = self;
    char words[LOSS_WORDS_BYTES], target[128];
    const char *sentence = "";
    access_options options;
    access_mask(request->target, target, sizeof target);
    nb__log(NB__LOG_DEBUG, "gateway", "client %s connects to %s", nb__peer_name(peer), target);
    nb__plant_sync(g->plant); /* the answer states the feed's clock, or why it is lost */
    int status = access_check(&g->access, request, &sentence);
    if (status != 0) {
        *(status == 421 ? &g->counters.refused_host : &g->counters.refused_origin) += 1;
        return refuse_upgrade(g, status, sentence, detail);
    }
    if (!access_options_parse(request->path, &options, words))
        return refuse_upgrade(g, 400, words, detail);
    bool has_bearer =
        nb__http_header_count(request, "Authorization") > 0 && g->access.key_count > 0;
    bool is_known = (options.has_key && access_has_key(&g->access, options.key)) ||
                    access_bearer(&g->access, request);
    if (g->access.key_count > 0 && (options.has_key || has_bearer) && !is_known) {
        g->counters.refused_key++;
        nb__text_string(extra_headers, "WWW-Authenticate: Bearer\r\n");
        return refuse_upgrade(g, 401, "this client key is not one of those configured", detail);
    }
    if (loss_refuses(g, extra_headers, words))
        return refuse_upgrade(g, 503, words, detail);
    if (hold_refuses(g, options.gaps)) {
        nb__text_string(extra_headers, "Retry-After: 1\r\n");
        return refuse_upgrade(g, 503, "the recorded link is down here", detail);
    }
    client *c = g->is_shut ? NULL : calloc(1, sizeof *c);
    if (c == NULL)
        return refuse_upgrade(g, 503, "no room for another client; try again later", detail);
    c->fan.peer = peer;
    c->fan.is_conflating = options.conflate;
    c->fan.is_tidy = options.tidy;
    c->wants_last = options.last;
    c->wants_marks = options.marks;
    c->wants_gaps = options.gaps;
    c->follows_clock =
        nb__span_is_nocase(nb__http_header_find(request, "Nightbook-Clock"), "follow");
    c->is_authorised = g->access.key_count == 0 || is_known;
    char header[CLOCK_HEADER_BYTES];
    const nb__session_clock *clock = g->hold.is_patient ? nb__plant_clock(g->plant) : &g->stated;
    size_t size = nb__session_clock_print(header, clock, nb__loop_real_ns(g->loop));
    nb__text_append(extra_headers, header, size);
    nb__peer_set_user(peer, c);
    return 101;
}

static void on_opened(void *self, nb__peer *peer)
{
    nb__gateway *g = self;
    client *c = nb__peer_user(peer);
    if (c == NULL || !fan_join(&g->fan, &c->fan)) {
        free(c);
        nb__peer_set_user(peer, NULL);
        nb__peer_close(peer, 1013, NB__SPAN("no room for another client"));
        return;
    }
    c->serial = ++g->last_serial;
    c->opened_ns = c->fan.sent_ns = c->pinged_ns = gateway_mono_ns(g);
    g->counters.clients++;
    g->counters.clients_total++;
    if (g->counters.clients == 1)
        sweep_arm(g);
    marks_welcome(g, c);
}

static void on_message(void *self, nb__peer *peer, const nb__ws_event *event)
{
    if (nb__peer_user(peer) != NULL)
        conversation_message(self, nb__peer_user(peer), event);
}

static void on_alive(void *self, nb__peer *peer)
{
    (void)self;
    client *c = nb__peer_user(peer);
    if (c != NULL)
        c->unanswered_ns = 0;
}

static void on_writable(void *self, nb__peer *peer)
{
    nb__gateway *g = self;
    client *c = nb__peer_user(peer);
    if (c != NULL)
        fan_writable(&g->fan, &c->fan);
}

static void on_closed(void *self, nb__peer *peer, const char *detail)
{
    nb__gateway *g = self;
    client *c = nb__peer_user(peer);
    if (c == NULL)
        return;
    nb__log(NB__LOG_DEBUG, "gateway", "client %s left: %s", nb__peer_name(peer),
            detail == NULL ? "" : detail);
    nb__peer_set_user(peer, NULL);
    c->fan.is_gone = true;
    conversation_leave(g, c);
    conversation_release(g); /* now: there may be no further turn for long */
    fan_leave(&g->fan, &c->fan);
    if (c->secrets != NULL)
        explicit_bzero(c->secrets, c->secret_count * sizeof *c->secrets);
    free(c->secrets);
    free(c);
    g->counters.clients--;
    if (g->counters.clients == 0)
        nb__timer_cancel(g->loop, &g->sweep);
}

static void on_request(void *self, nb__peer *peer, const nb__http_message *request)
{
    rest_request(self, peer, request);
}

/* ---- clients that we end ---- */

void gateway_end_client(client *c, uint16_t code, const char *words)
{
    c->fan.is_gone = true;
    nb__peer_close(c->fan.peer, code, nb__span(words));
}

static void close_quiet(nb__gateway *g, client *c, const char *words)
{
    g->counters.idle_closed++;
    gateway_end_client(c, 1008, words);
}

/* Whether who was told `stated` would date frames of `clock` wrongly, or take them for another
   kind's. Where the session runs fast, the links' milliseconds are seconds of it. */
static bool is_another_clock(const nb__session_clock *stated, const nb__session_clock *clock,
                             int64_t real_ns)
{
    int64_t stated_ns = nb__session_clock_at(stated, real_ns);
    int64_t clock_ns = nb__session_clock_at(clock, real_ns);
    int64_t apart_ns = stated_ns > clock_ns ? stated_ns - clock_ns : clock_ns - stated_ns;
    double most_ns = (double)CLOCK_JUMP_NS + clock->speed * (double)NB__NS_PER_S;
    return stated->kind != clock->kind || (double)apart_ns > most_ns ||
           fabs(stated->speed - clock->speed) > clock->speed / 1000;
}

/* A clock is stated once, in the upgrade answer: another one takes another connection. What is
   pending leaves first. */
static void follow_clock(nb__gateway *g)
{
    const nb__session_clock *clock = nb__plant_clock(g->plant);
    bool is_other = is_another_clock(&g->stated, clock, nb__loop_real_ns(g->loop));
    bool is_replay = g->stated.kind == NB__FEED_REPLAY && clock->kind == NB__FEED_REPLAY;
    if (is_other || !is_replay)
        g->stated = *clock;
    if (!is_other || g->counters.clients == 0)
        return;
    if (is_replay) { /* it moves as its user wants: who dates frames by it follows */
        marks_clock(g);
        return;
    }
    nb__log(NB__LOG_INFO, "gateway",
            "the feed's clock is another one (%s): clients are closed with 1012\n"
            "  those that connect again are told the new one",
            nb__feed_kind_banner(clock->kind));
    fan_flush(&g->fan);
    for (uint32_t i = 0; i < g->fan.client_top; i++) {
        client *c = (client *)g->fan.clients[i];
        if (c == NULL || c->fan.is_gone)
            continue;
        g->counters.clock_closed++;
        gateway_end_client(c, 1012, "the feed's clock is another one: connect again");
    }
}

static uint64_t pingpong_put(nb__gateway *g)
{
    char text[64];
    return fan_put(&g->fan, (nb_span){text, nb__pingpong_print(text, nb__loop_real_ns(g->loop))});
}

static void sweep_fire(nb__timer *timer, int64_t now_ns)
{
    nb__gateway *g = HOLDER(timer, nb__gateway, sweep);
    uint64_t pingpong = UINT64_MAX;
    for (uint32_t i = 0; i < g->fan.client_top; i++) {
        client *c = (client *)g->fan.clients[i];
        if (c == NULL || c->fan.is_gone)
            continue;
        int64_t quiet_since = c->fan.sent_ns > c->pinged_ns ? c->fan.sent_ns : c->pinged_ns;
        if (g->hold.is_patient && c->fan.is_blocked)
            continue; /* it has not read what came before */
        if (c->unanswered_ns != 0 && now_ns - c->unanswered_ns >= g->config.pingpong_timeout_ns &&
            !g->hold.is_patient) {
            close_quiet(g, c, "PINGPONG was not answered");
        } else if (!c->is_authorised && now_ns - c->opened_ns >= UNAUTHORISED_MAX_NS) {
            close_quiet(g, c, "no approval key of this server was shown");
        } else if (now_ns - quiet_since >= g->config.pingpong_idle_ns) {
            pingpong = pingpong == UINT64_MAX ? pingpong_put(g) : pingpong;
            fan_give(&g->fan, &c->fan, pingpong);
            c->pinged_ns = now_ns;
            c->unanswered_ns = c->unanswered_ns == 0 ? now_ns : c->unanswered_ns;
            g->counters.pingpongs++;
        }
    }
    if (g->counters.clients > 0)
        sweep_arm(g);
}

static void wait_fire(nb__timer *timer, int64_t now_ns)
{
    conversation_expire(HOLDER(timer, nb__gateway, wait), now_ns);
}

static void turn_end(nb__hook *hook)
{
    nb__gateway *g = HOLDER(hook, nb__gateway, hook);
    g->fan.now_ns = gateway_mono_ns(g);
    loss_check(g);
    if (g->hold.is_patient)
        follow_clock(g);
    fan_flush(&g->fan);
    conversation_release(g);
    if (g->hold.is_patient)
        nb__plant_pull(g->plant); /* there may be room now */
}

/* A turn is all that it takes: its end looks. */
static void loss_fire(nb__timer *timer, int64_t now_ns)
{
    (void)timer;
    (void)now_ns;
}

/* ---- what the plant calls ---- */

static void on_frame(void *self, const nb__plant_frame *frame)
{
    nb__gateway *g = self;
    fan_frame(&g->fan, frame);
}

static void on_mark(void *self, const nb__mark *mark)
{
    nb__gateway *g = self;
    if (mark->kind == NB__MARK_MOVED)
        fan_forget_last(&g->fan);
    if (mark->kind == NB__MARK_CLOCK) {
        follow_clock(g);
        return;
    }
    hold_mark(g, mark);
    marks_send(g, mark);
    if (mark->kind == NB__MARK_LINK_UP || mark->kind == NB__MARK_MOVED)
        follow_clock(g);
    if (mark->kind == NB__MARK_LINK_DOWN && !mark->is_rest)
        hold_drop(g, mark->reason);
}

static void on_registration(void *self, uint32_t topic)
{
    conversation_registration(self, topic);
}

/* ---- life ---- */

static nb_err open_parts(nb__gateway *g, nb_error *error)
{
    const fan_io io = {
        .self = g, .sync = io_sync, .write = io_write, .queue = io_queue, .slow = io_slow};
    nb_err err = access_init(&g->access, &g->config, error);
    if (err != NB_OK)
        return err;
    err = fan_init(&g->fan, &g->config, &io, nb__plant_topics(g->plant), &g->counters);
    if (err != NB_OK)
        return nb__fail(
            error, err, 0,
            err == NB_E_ARGUMENT
                ? "the ring's sizes must be powers of two, at least 4096 bytes and 16 messages"
                : "memory for the ring is exhausted");
    const nb__server_handler handler = {.self = g,
                                        .request = on_request,
                                        .upgrade = on_upgrade,
                                        .opened = on_opened,
                                        .message = on_message,
                                        .alive = on_alive,
                                        .writable = on_writable,
                                        .closed = on_closed};
    return nb__server_open(g->loop, &g->config.server, &handler, &g->server, error);
}

nb_err nb__gateway_open(nb__loop *loop, nb__plant *plant, const nb__gateway_config *config,
                        nb__gateway **out, nb_error *error)
{
    nb__gateway *g = calloc(1, sizeof *g);
    if (g == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    g->loop = loop;
    g->plant = plant;
    g->config = *config;
    g->stated = *nb__plant_clock(plant);
    g->sweep.fire = sweep_fire;
    g->wait.fire = wait_fire;
    g->loss.fire = loss_fire;
    g->hook.turn_end = turn_end;
    nb_err err = open_parts(g, error);
    if (err != NB_OK) {
        fan_fini(&g->fan);
        access_fini(&g->access);
        free(g);
        return err;
    }
    nb__hook_add(loop, &g->hook);
    const nb__sink sink = {
        .self = g, .frame = on_frame, .mark = on_mark, .registration = on_registration};
    nb__plant_add_sink(plant, &sink);
    hold_open(g);
    loss_check(g);
    *out = g;
    return NB_OK;
}

uint16_t nb__gateway_port(const nb__gateway *gateway)
{
    return nb__server_port(gateway->server);
}

void nb__gateway_shutdown(nb__gateway *gateway)
{
    fan_flush(&gateway->fan);
    gateway->is_shut = true;
    nb__server_shutdown(gateway->server);
}

void nb__gateway_close(nb__gateway *gateway)
{
    if (gateway == NULL)
        return;
    nb__hook_remove(gateway->loop, &gateway->hook);
    nb__server_close(gateway->server);
    nb__timer_cancel(gateway->loop, &gateway->sweep);
    nb__timer_cancel(gateway->loop, &gateway->wait);
    nb__timer_cancel(gateway->loop, &gateway->loss);
    hold_close(gateway);
    fan_fini(&gateway->fan);
    access_fini(&gateway->access);
    nb__text_fini(&gateway->text);
    nb__text_fini(&gateway->words);
    free(gateway->waits);
    free(gateway->releases);
    free(gateway);
}

const nb__gateway_counters *nb__gateway_count(const nb__gateway *gateway)
{
    return &gateway->counters;
}
