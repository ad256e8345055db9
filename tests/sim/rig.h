/* SPDX-License-Identifier: Apache-2.0 */
/** The look-alike over real sockets, client and server in one loop: what its tests share. */
#ifndef NB_TEST_SIM_RIG_H
#define NB_TEST_SIM_RIG_H

#include "guard.h"
#include "sim/sim.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXTS_MAX 4096
#define PATIENCE_NS (10 * NB__NS_PER_S)

typedef struct world {
    nb__loop *loop;
    nb__sim *sim;
} world;

/* ---- a client ---- */

typedef struct client {
    world *world;
    nb__link *link;
    bool is_open, is_closed;
    char *texts[TEXTS_MAX];
    size_t count, read, odd_count; /**< odd: texts that are not UTF-8 */
    char clock[128], detail[256];
} client;

static inline void on_opened(void *self, const nb__http_message *answer)
{
    client *c = self;
    c->is_open = true;
    nb__span_copy(nb__http_header_find(answer, "Nightbook-Clock"), c->clock, sizeof c->clock);
}

static inline void on_message(void *self, const nb__ws_event *event, int64_t recv_ns)
{
    (void)recv_ns;
    client *c = self;
    c->odd_count += !event->is_utf8;
    if (c->count < TEXTS_MAX)
        c->texts[c->count++] = strndup(event->payload.data, event->payload.size_bytes);
}

static inline void on_closed(void *self, const nb_error *error)
{
    client *c = self;
    c->is_closed = true;
    c->link = NULL;
    memcpy(c->detail, error->detail, sizeof c->detail);
}

static inline world world_new(const nb__sim_config *config)
{
    world w = {0};
    nb_error error = {0};
    assert_int_equal(nb__loop_new(&w.loop, &error), NB_OK);
    if (nb__sim_open(w.loop, config, &w.sim, &error) != NB_OK)
        fail_msg("%s", error.detail);
    return w;
}

static inline void world_free(world *w)
{
    nb__sim_shutdown(w->sim);
    for (int i = 0; i < 10; i++)
        nb__loop_turn(w->loop, 1);
    nb__sim_close(w->sim);
    nb__loop_turn(w->loop, 0);
    nb__loop_free(w->loop);
}

static inline nb__sim_config config_new(void)
{
    nb__sim_config config = nb__sim_config_default();
    config.server.listen.port = 0;
    config.rate = 2000;
    assert_int_equal(
        nb__sim_at_parse(NB__SPAN("2026-11-20T21:00:00+09:00"), NULL, 0, &config.at_ns, NULL),
        NB_OK);
    return config;
}

static inline void turn_for(world *w, int64_t ns)
{
    int64_t end_ns = nb__clock_mono_ns() + ns;
    while (nb__clock_mono_ns() < end_ns)
        nb__loop_turn(w->loop, 5);
}

static inline nb__address address_of(world *w, const char *scheme)
{
    char url[64];
    snprintf(url, sizeof url, "%s://127.0.0.1:%u/tryitout/H0EUASP0", scheme, nb__sim_port(w->sim));
    nb__address address;
    assert_int_equal(nb__address_parse(url, &address, NULL), NB_OK);
    return address;
}

static inline client *connect_client(world *w)
{
    client *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->world = w;
    nb__address address = address_of(w, "ws");
    const nb__link_options options = {.timeout_ns = PATIENCE_NS};
    const nb__link_handler handler = {c, on_opened, on_message, NULL, on_closed};
    assert_int_equal(nb__link_open(w->loop, &address, &options, &handler, &c->link, NULL), NB_OK);
    for (int64_t end_ns = nb__clock_mono_ns() + PATIENCE_NS;
         !c->is_open && nb__clock_mono_ns() < end_ns;)
        nb__loop_turn(w->loop, 5);
    assert_true(c->is_open);
    return c;
}

static inline void client_free(client *c)
{
    if (c->link != NULL)
        nb__link_abort(c->link);
    for (size_t i = 0; i < c->count; i++)
        free(c->texts[i]);
    turn_for(c->world, 20 * NB__NS_PER_MS);
    free(c);
}

/* The next text that begins with `first`; others are passed over. NULL when none comes in time. */
static inline const char *next_text(client *c, char first, int64_t patience_ns)
{
    int64_t end_ns = nb__clock_mono_ns() + patience_ns;
    for (;;) {
        while (c->read < c->count)
            if (c->texts[c->read++][0] == first)
                return c->texts[c->read - 1];
        if (c->is_closed || nb__clock_mono_ns() > end_ns)
            return NULL;
        nb__loop_turn(c->world->loop, 5);
    }
}

static inline const char *ask_raw(client *c, const char *text)
{
    nb__link_send(c->link, NB__WS_TEXT, nb__span(text));
    const char *answer = next_text(c, '{', PATIENCE_NS);
    if (answer == NULL)
        fail_msg("no answer to %s", text);
    return answer;
}

static inline nb__answer ask(client *c, const char *approval, const char *type, const char *tr_id,
                             const char *tr_key)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"header\":{\"approval_key\":\"%s\",\"custtype\":\"P\",\"tr_type\":\"%s\",\"content-"
             "type\":\"utf-8\"},"
             "\"body\":{\"input\":{\"tr_id\":\"%s\",\"tr_key\":\"%s\"}}}",
             approval, type, tr_id, tr_key);
    nb__answer answer;
    const char *got = ask_raw(c, text);
    assert_int_equal(nb__server_message_parse(nb__span(got), &answer), NB__SERVER_ANSWER);
    return answer;
}

#define ASSERT_CODE(answer, code)                                                                  \
    assert_string_equal((answer).msg_cd, nb__opsp_at(NB__OPSP_##code)->msg_cd)

/* ---- HTTP ---- */

typedef struct exchange {
    int status;
    bool is_done;
    nb__text body;
} exchange;

static inline void on_fetched(void *self, int status, const nb__http_message *answer,
                              const nb_error *error)
{
    (void)error;
    exchange *e = self;
    e->status = status;
    e->is_done = true;
    if (answer != NULL)
        nb__text_append(&e->body, answer->body.data, answer->body.size_bytes);
}

static inline exchange fetch(world *w, const char *method, const char *path, const char *body)
{
    exchange e = {0};
    nb__address address = address_of(w, "http");
    snprintf(address.path, sizeof address.path, "%s", path);
    nb__fetch *fetching;
    assert_int_equal(nb__fetch_start(w->loop, method, &address,
                                     "Content-Type: application/json\r\n", nb__span(body), 4 << 20,
                                     PATIENCE_NS, on_fetched, &e, &fetching, NULL),
                     NB_OK);
    while (!e.is_done)
        nb__loop_turn(w->loop, 5);
    nb__loop_turn(w->loop, 0);
    return e;
}

static inline void approve(world *w, const char *appkey, char out[NB__APPROVAL_KEY_MAX + 1])
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"grant_type\":\"client_credentials\",\"appkey\":\"%s\",\"secretkey\":\"s\"}",
             appkey);
    exchange e = fetch(w, "POST", "/oauth2/Approval", body);
    assert_int_equal(e.status, 200);
    nb__approval_answer answer;
    assert_int_equal(nb__approval_answer_parse(nb__text_view(&e.body), &answer, NULL), NB_OK);
    assert_int_equal(strlen(answer.approval_key), 36);
    /* `approval_key` alone: a sample makes a named tuple of the answer */
    assert_int_equal(e.body.size_bytes, strlen("{\"approval_key\":\"\"}") + 36);
    memcpy(out, answer.approval_key, sizeof answer.approval_key);
    nb__text_fini(&e.body);
}

#endif
