/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocking client: a loop of its own, one link, and a queue between them.
 *
 *     socket ─▶ link ─▶ on_message(): copied to `arena`, one `item` each
 *                  nb_client_next(): pops them one by one, turns the loop when none is left
 *
 * What a turn brought is handed out before the loop turns again, so that memory is bounded by one
 * turn (1 MiB and one message) and a slow caller is a slow reader of its socket, nothing else.
 * PINGPONG is answered when its turn comes.
 *
 * Requests: one in flight. KIS answers refusals of the whole request without naming it ("(null)"),
 * so an answer belongs to the request in flight when it names that or nothing.
 */
#include "client.h"
#include "io/io.h"
#include "kis/kis.h"
#include "night/night.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define APPROVAL_TIMEOUT_NS                                                                        \
    (2 * NB__NS_PER_S) /* of a server that has none, and does not say so                           \
                        */
#define APPROVAL_ANSWER_MAX ((size_t)16 << 10)
#define ANSWER_TIMEOUT_NS                                                                          \
    (5 * NB__NS_PER_S) /* then the next request is sent: some servers answer nothing */
#define CLOSE_TIMEOUT_NS NB__NS_PER_S
#define LINK_SILENT_NS (30 * NB__NS_PER_S)
#define REQUESTS_MAX 65536

typedef struct item {
    size_t offset_bytes, size_bytes; /* in the arena */
    int64_t recv_ns;
} item;

struct nb_client {
    nb__loop *loop;
    nb__link *link; /* NULL before it was opened and after it was closed */
    bool is_open, is_closed, is_fetched;
    bool wants_marks; /* the address asked for them */
    nb_error closed;  /* how the link ended */
    char approval_key[NB__APPROVAL_KEY_MAX + 1];
    nb__session_clock clock;
    nb__watch wake; /* an eventfd; written by nb_client_wake() */
    bool is_woken;

    nb__text arena;
    item *items;
    size_t item_at, item_count, item_capacity;

    nb__topic *requests;
    size_t request_at, request_count, request_capacity;
    bool is_in_flight; /* requests[request_at - 1] */
    int64_t answer_until_mono_ns;
};

/* ---- memory that grows by doubling ---- */

/* Room for one more; NULL, and everything as it was, when memory is exhausted. */
static void *grow(void *items, size_t count, size_t *capacity, size_t item_bytes)
{
    if (count < *capacity)
        return items;
    size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
    void *grown = reallocarray(items, wanted, item_bytes);
    if (grown != NULL)
        *capacity = wanted;
    return grown;
}

/* ---- what the link tells ---- */

static void end(nb_client *client, const nb_error *error)
{
    client->is_closed = true;
    client->closed = *error;
}

static void on_opened(void *self, const nb__http_message *answer)
{
    nb_client *client = self;
    client->is_open = true;
    nb_span stated = nb__http_header_find(answer, "Nightbook-Clock");
    if (stated.data != NULL)
        nb__session_clock_parse(stated, nb__loop_real_ns(client->loop), &client->clock);
}

static void on_message(void *self, const nb__ws_event *event, int64_t recv_ns)
{
    nb_client *client = self;
    item *items = grow(client->items, client->item_count, &client->item_capacity, sizeof *items);
    size_t offset_bytes = client->arena.size_bytes;
    if (items != NULL) {
        client->items = items;
        nb__text_append(&client->arena, event->payload.data, event->payload.size_bytes);
    }
    if (items == NULL || client->arena.is_failed) {
        nb_error error;
        nb__fail(&error, NB_E_MEMORY, 0, "memory is exhausted by what one turn brought");
        end(client, &error);
        return;
    }
    items[client->item_count++] = (item){offset_bytes, event->payload.size_bytes, recv_ns};
}

static void on_closed(void *self, const nb_error *error)
{
    nb_client *client = self;
    client->link = NULL;
    if (!client->is_closed)
        end(client, error);
}

static void on_wake(nb__watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    nb_client *client = (nb_client *)(void *)((char *)watch - offsetof(nb_client, wake));
    uint64_t count;
    client->is_woken = read(watch->fd, &count, sizeof count) == (ssize_t)sizeof count;
}

/* ---- opening ---- */

static bool is_kis_host(const char *host)
{
    static const char domain[] = "koreainvestment.com";
    size_t size = strlen(host), domain_size = sizeof domain - 1;
    if (size > 0 && host[size - 1] == '.')
        size--;
    if (size < domain_size || strncasecmp(host + size - domain_size, domain, domain_size) != 0)
        return false;
    return size == domain_size || host[size - domain_size - 1] == '.';
}

static nb_err check_url(const char *url, nb__address *address, nb_error *error)
{
    nb_err err = nb__address_parse(url, address, error);
    if (err != NB_OK)
        return err;
    if (!address->is_ws)
        return nb__fail(error, NB_E_ARGUMENT, 0, /* not the whole of it: a path may hold a key */
                        "http://%.80s is no WebSocket address: ws://HOST:PORT", address->host);
    if (is_kis_host(address->host))
        return nb__fail(
            error, NB_E_ARGUMENT, 0,
            "%.80s is KIS itself: an appkey has one session, and it belongs to `nightbook serve`",
            address->host);
    return NB_OK;
}

static void on_approval(void *self, int status, const nb__http_message *answer,
                        const nb_error *error)
{
    nb_client *client = self;
    nb__approval_answer approval;
    client->is_fetched = true;
    if (status == 0)
        client->closed = *error; /* for wait_approval() to judge */
    else if (status == 200 && nb__approval_answer_parse(answer->body, &approval, NULL) == NB_OK)
        memcpy(client->approval_key, approval.approval_key, sizeof client->approval_key);
}

/*
 * An appkey of this client's own, in KIS's length: a look-alike lets one appkey have one session,
 * and two clients are two sessions. It is no secret and opens nothing.
 */
static void print_request(nb__text *body)
{
    uint8_t random[13];
    char appkey[37] = "nightbook-", secret[181];
    nb__random_bytes(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(appkey + 10 + 2 * i, 3, "%02X", random[i]);
    memset(secret, 'n', sizeof secret - 1);
    secret[sizeof secret - 1] = '\0';
    nb__approval_request_print(appkey, secret, body);
}

/* A server that has no Approval, refuses, or is silent there, gets an empty key; one that cannot be
 * reached is told. */
static nb_err fetch_approval(nb_client *client, const nb__address *address, int64_t timeout_ns,
                             nb_error *error)
{
    nb__address at = *address;
    at.is_ws = false;
    nb__span_copy(NB__SPAN("/oauth2/Approval"), at.path, sizeof at.path);
    nb__text body = {0};
    print_request(&body);
    nb_err err =
        nb__fetch_start(client->loop, "POST", &at, "Content-Type: application/json; utf-8\r\n",
                        nb__text_view(&body), APPROVAL_ANSWER_MAX,
                        timeout_ns < APPROVAL_TIMEOUT_NS ? timeout_ns : APPROVAL_TIMEOUT_NS,
                        on_approval, client, NULL, error);
    nb__text_fini(&body);
    while (err == NB_OK && !client->is_fetched)
        err = nb__loop_turn(client->loop, -1);
    if (err == NB_OK &&
        (client->closed.code == NB_E_REFUSED || client->closed.code == NB_E_SYSTEM)) {
        err = client->closed.code;
        if (error != NULL)
            *error = client->closed;
    }
    client->closed = (nb_error){.code = NB_OK};
    return err;
}

static nb_err open_link(nb_client *client, const nb__address *address, int64_t timeout_ns,
                        nb_error *error)
{
    nb__link_handler handler = {client, on_opened, on_message, NULL, on_closed};
    const nb__link_options options = {.timeout_ns = timeout_ns,
                                      .user_timeout_ns = LINK_SILENT_NS,
                                      .extra_headers = "Nightbook-Clock: follow\r\n"};
    nb_err err = nb__link_open(client->loop, address, &options, &handler, &client->link, error);
    while (err == NB_OK && !client->is_open && !client->is_closed)
        err = nb__loop_turn(client->loop, -1);
    if (err == NB_OK && !client->is_open) {
        err = client->closed.code;
        if (error != NULL)
            *error = client->closed;
    }
    return err;
}

/* A word of the first path segment, if that begins with '+'. */
static bool asks_for_marks(const char *path)
{
    static const char word[] = "+marks";
    size_t size = strcspn(path + 1, "/?");
    const char *at = strncmp(path, "/+", 2) == 0 ? strstr(path, word) : NULL;
    return at != NULL && at < path + 1 + size && strchr("+/?", at[sizeof word - 1]) != NULL;
}

static nb_err open_wake(nb_client *client, nb_error *error)
{
    client->wake.ready = on_wake;
    client->wake.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (client->wake.fd < 0 || nb__watch_add(client->loop, &client->wake, EPOLLIN) != NB_OK)
        return nb__fail(error, NB_E_SYSTEM, 0, "eventfd: %s", strerrordesc_np(errno));
    return NB_OK;
}

nb_err nb_client_open(const char *url, int timeout_ms, nb_client **out, nb_error *error)
{
    nb__address address;
    nb_err err = check_url(url, &address, error);
    if (err != NB_OK)
        return err;
    if (timeout_ms <= 0)
        return nb__fail(error, NB_E_ARGUMENT, 0, "a time-out of %d ms leaves no time", timeout_ms);
    nb_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "client: memory is exhausted");
    client->clock = nb__session_clock_live();
    client->wants_marks = asks_for_marks(address.path);
    client->wake.fd = -1;
    int64_t timeout_ns = timeout_ms * NB__NS_PER_MS;
    err = nb__loop_new(&client->loop, error);
    if (err == NB_OK)
        err = open_wake(client, error);
    if (err == NB_OK)
        err = fetch_approval(client, &address, timeout_ns, error);
    if (err == NB_OK)
        err = open_link(client, &address, timeout_ns, error);
    if (err != NB_OK) {
        nb_client_close(client);
        return err;
    }
    *out = client;
    return NB_OK;
}

void nb_client_close(nb_client *client)
{
    if (client == NULL)
        return;
    if (client->link != NULL) {
        int64_t until_ns = nb__clock_mono_ns() + CLOSE_TIMEOUT_NS;
        nb__link_close(client->link, 1000);
        while (client->link != NULL && nb__clock_mono_ns() < until_ns &&
               nb__loop_turn(client->loop, 100) == NB_OK)
            nb__text_clear(&client->arena);
        if (client->link != NULL)
            nb__link_abort(client->link);
    }
    if (client->wake.fd >= 0) {
        nb__watch_remove(client->loop, &client->wake);
        close(client->wake.fd);
    }
    nb__loop_free(client->loop);
    nb__text_fini(&client->arena);
    free(client->items);
    free(client->requests);
    explicit_bzero(client->approval_key, sizeof client->approval_key);
    free(client);
}

const char *nb_client_feed(const nb_client *client)
{
    return nb__feed_kind_name(client->clock.kind);
}

/* ---- requests ---- */

nb_err nb_client_subscribe(nb_client *client, const char *tr_id, const char *tr_key,
                           nb_error *error)
{
    nb__topic topic;
    if (client->is_closed)
        return nb__fail(error, NB_E_CLOSED, 0, "the link is closed");
    if (!nb__topic_make(nb__span(tr_id), nb__span(tr_key), &topic))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "'%.20s' '%.20s' is no TR (1-15) and key (1-12 characters)", tr_id, tr_key);
    if (client->request_count == REQUESTS_MAX)
        return nb__fail(error, NB_E_LIMIT, 0, "%d registrations were asked for already",
                        REQUESTS_MAX);
    nb__topic *requests =
        grow(client->requests, client->request_count, &client->request_capacity, sizeof topic);
    if (requests == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "registrations: memory is exhausted");
    client->requests = requests;
    requests[client->request_count++] = topic;
    return NB_OK;
}

static void send_next_request(nb_client *client, int64_t now_ns)
{
    if (client->is_in_flight && now_ns < client->answer_until_mono_ns)
        return;
    client->is_in_flight = false;
    if (client->request_at == client->request_count || client->link == NULL)
        return;
    nb__request request = {
        .topic = client->requests[client->request_at++], .is_register = true, .custtype = 'P'};
    memcpy(request.approval_key, client->approval_key, sizeof request.approval_key);
    nb__text text = {0};
    nb__request_print(&request, &text);
    nb__link_send(client->link, NB__WS_TEXT, nb__text_view(&text));
    nb__text_fini(&text);
    client->is_in_flight = true;
    client->answer_until_mono_ns = now_ns + ANSWER_TIMEOUT_NS;
}

/* ---- events ---- */

/* As much of `from` as fits, cut between characters. */
static void copy_cut(char *to, size_t capacity_bytes, const char *from)
{
    nb_span text = nb__span(from);
    if (text.size_bytes >= capacity_bytes)
        text.size_bytes = capacity_bytes - 1;
    text.size_bytes = nb__utf8_valid_prefix(text);
    memcpy(to, text.data, text.size_bytes);
    to[text.size_bytes] = '\0';
}

static void read_answer(nb_client *client, nb__answer *answer, nb_event *out)
{
    out->kind = NB_EVENT_ANSWER;
    if (client->is_in_flight) {
        const nb__topic *asked = &client->requests[client->request_at - 1];
        bool is_nameless = answer->tr_id[0] == '\0' || strcmp(answer->tr_id, "(null)") == 0;
        if (is_nameless || (strcmp(answer->tr_id, asked->tr_id) == 0 &&
                            strcmp(answer->tr_key, asked->tr_key) == 0)) {
            client->is_in_flight = false;
            copy_cut(answer->tr_id, sizeof answer->tr_id, asked->tr_id);
            copy_cut(answer->tr_key, sizeof answer->tr_key, asked->tr_key);
        }
    }
    if (client->approval_key[0] != '\0')
        nb__scrub(answer->msg1, client->approval_key); /* KIS quotes it in OPSP0011 */
    copy_cut(out->tr_id, sizeof out->tr_id, answer->tr_id);
    copy_cut(out->tr_key, sizeof out->tr_key, answer->tr_key);
    copy_cut(out->rt_cd, sizeof out->rt_cd, answer->rt_cd);
    copy_cut(out->msg_cd, sizeof out->msg_cd, answer->msg_cd);
    copy_cut(out->msg1, sizeof out->msg1, answer->msg1);
}

/* KIS takes a PONG frame with the same text, which is what its own samples send; a longer text goes
 * back as text. */
static void answer_pingpong(nb_client *client, nb_span text)
{
    if (client->link != NULL)
        nb__link_send(client->link, text.size_bytes <= 125 ? NB__WS_PONG : NB__WS_TEXT, text);
}

/* @return false when the message was the link's own business. */
static bool read_message(nb_client *client, const item *message, nb_event *out)
{
    *out = (nb_event){.kind = NB_EVENT_OTHER,
                      .recv_ns = message->recv_ns,
                      .session_ns = nb__session_clock_at(&client->clock, message->recv_ns),
                      .text = {client->arena.data + message->offset_bytes, message->size_bytes}};
    if (message->size_bytes == 0) {
        out->text.data = "";
        return true;
    }
    if (out->text.data[0] == '0' || out->text.data[0] == '1') {
        out->kind = NB_EVENT_DATA;
        nb_frame frame;
        if (nb_frame_split(out->text, &frame, NULL) == NB_OK)
            out->frame = frame;
        return true;
    }
    nb__answer answer;
    switch (nb__server_message_parse(out->text, &answer)) {
    case NB__SERVER_PINGPONG:
        answer_pingpong(client, out->text);
        return false;
    case NB__SERVER_ANSWER:
        read_answer(client, &answer, out);
        break;
    case NB__SERVER_MARK:
        out->kind = NB_EVENT_MARK;
        if (strcmp(answer.msg_cd, "NB_CLOCK") != 0)
            break;
        /* a replay was moved: what follows is dated by this */
        nb__session_clock_parse(nb__span(answer.msg1), message->recv_ns, &client->clock);
        return client->wants_marks;
    case NB__SERVER_OTHER:
        break;
    }
    explicit_bzero(&answer, sizeof answer);
    return true;
}

static bool pop(nb_client *client, nb_event *out)
{
    while (client->item_at < client->item_count) {
        if (read_message(client, &client->items[client->item_at++], out))
            return true;
    }
    client->item_at = client->item_count = 0;
    nb__text_clear(&client->arena);
    return false;
}

static int ms_until(int64_t until_ns, int64_t now_ns)
{
    int64_t ms = (until_ns - now_ns + NB__NS_PER_MS - 1) / NB__NS_PER_MS;
    return ms < 0 ? 0 : ms > INT32_MAX ? INT32_MAX : (int)ms;
}

nb_err nb_client_next(nb_client *client, int timeout_ms, nb_event *out, nb_error *error)
{
    int64_t now_ns = nb__clock_mono_ns(),
            until_ns = timeout_ms < 0 ? INT64_MAX : now_ns + timeout_ms * NB__NS_PER_MS;
    for (bool has_turned = false;; has_turned = true) {
        if (pop(client, out))
            return NB_OK;
        if (client->is_closed) {
            *out = (nb_event){
                .kind = NB_EVENT_CLOSED, .recv_ns = NB_TIME_UNDEF, .session_ns = NB_TIME_UNDEF};
            copy_cut(out->detail, sizeof out->detail, client->closed.detail);
            return NB_OK;
        }
        if (client->is_woken) {
            client->is_woken = false;
            return nb__fail(error, NB_E_TIMEOUT, 0, "woken");
        }
        now_ns = nb__clock_mono_ns();
        if (now_ns >= until_ns && has_turned)
            return nb__fail(error, NB_E_TIMEOUT, 0, "nothing within %d ms", timeout_ms);
        send_next_request(client, now_ns);
        int64_t wait_until_ns = client->is_in_flight && client->answer_until_mono_ns < until_ns
                                    ? client->answer_until_mono_ns
                                    : until_ns;
        int wait_ms = wait_until_ns == INT64_MAX ? -1 : ms_until(wait_until_ns, now_ns);
        if (nb__loop_turn(client->loop, wait_ms) != NB_OK)
            return nb__fail(error, NB_E_SYSTEM, 0, "waiting: %s", strerrordesc_np(errno));
    }
}

void nb_client_wake(nb_client *client)
{
    int saved = errno;
    uint64_t one = 1;
    ssize_t written = write(client->wake.fd, &one, sizeof one);
    (void)written; /* full means that a wake is already there */
    errno = saved;
}
