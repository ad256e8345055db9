/* SPDX-License-Identifier: Apache-2.0 */
/* What the gateway's files know of each other. */
#ifndef NB_GATEWAY_INSIDE_H
#define NB_GATEWAY_INSIDE_H

#include "access.h"
#include "fanout.h"
#include "hold.h"

#define GATEWAY_SECRETS_MAX 16 /* TRs whose iv and key one client session remembers */

/* What KIS gives with SUBSCRIBE SUCCESS: one pair a session and TR. */
typedef struct client_secret {
    char tr_id[NB_TR_ID_MAX + 1], iv[17], key[33];
} client_secret;

typedef struct client {
    fan_client fan; /* first: the fan hands it back */
    uint64_t serial;
    int64_t opened_ns, pinged_ns;
    int64_t unanswered_ns; /* the first PINGPONG since the client's last frame; 0: none */
    client_secret *secrets;
    uint8_t secret_count;
    bool wants_last, wants_marks, wants_gaps, follows_clock, is_authorised;
} client;

/* A subscription that is answered with success at `at_ns` if KIS has not answered by then. */
typedef struct waiting {
    uint64_t serial;
    uint32_t client, topic;
    int64_t at_ns;
} waiting;

struct nb__gateway {
    nb__loop *loop;
    nb__plant *plant;
    nb__server *server;
    nb__gateway_config config;
    nb__gateway_counters counters;
    nb__session_clock stated; /* what connected clients were told in Nightbook-Clock */
    access access;
    fan fan;
    hold hold;
    nb__hook hook;
    nb__timer sweep, wait, loss;
    nb__text text;  /* scratch: the message or body that is being made */
    nb__text words; /* scratch: the refusal that upgrade() hands to io */
    waiting *waits; /* in the order of their times, since all wait equally long */
    size_t wait_first, wait_count, wait_capacity;
    uint32_t *releases; /* topics to look at when the turn ends: does anyone still want them? */
    size_t release_count, release_capacity;
    uint64_t last_serial;
    int64_t bulk_bytes, bulk_ns; /* long answers given lately (rest.c) */
    int64_t logged_ns;           /* a line about a slow client at most each second */
    uint32_t client_topics;
    bool is_shut;
    bool is_lost; /* the feed, for on_loss_ns: nobody may connect */
};

static inline int64_t gateway_mono_ns(const nb__gateway *g)
{
    return nb__loop_mono_ns(g->loop);
}

/* ---- subscribe.c: the conversation ---- */
void conversation_message(nb__gateway *g, client *c, const nb__ws_event *event);
/* KIS has decided about a registration. */
void conversation_registration(nb__gateway *g, uint32_t topic);
/* Answers that have waited long enough. */
void conversation_expire(nb__gateway *g, int64_t now_ns);
void conversation_leave(nb__gateway *g, client *c);
/* Topics that nobody wants any more go back to the plant. */
void conversation_release(nb__gateway *g);

/* ---- gateway.c ---- */
/* Close a client's connection; it is gone for all that comes. */
void gateway_end_client(client *c, uint16_t code, const char *words);
/* By the symbols where there are any, else by the master. NULL: no such code. */
const nb__instrument *gateway_instrument(const nb__gateway *g, nb_span code);

/* ---- loss.c: what a lost feed does to clients ---- */
/* Each turn: close all once it is down for long enough, let them in again when it is back. */
void loss_check(nb__gateway *g);
/* Whether an upgrade is refused now; adds Retry-After and the words. */
#define LOSS_WORDS_BYTES 160
bool loss_refuses(nb__gateway *g, nb__text *extra_headers, char words[LOSS_WORDS_BYTES]);

/* ---- hold.c: what a replay waits for ---- */
void hold_open(nb__gateway *g);
void hold_close(nb__gateway *g);
/* Clients that have a subscription. */
uint32_t hold_subscribed(const nb__gateway *g);
/* Who keeps it waiting, and for how long. @return false: nobody. */
bool hold_slow(const nb__gateway *g, char *name, size_t capacity_bytes, int64_t *held_ns);
/* What the recording's links do. */
void hold_mark(nb__gateway *g, const nb__mark *mark);
/* Where a link was lost, those who asked for it lose theirs. */
void hold_drop(nb__gateway *g, const char *reason);
bool hold_refuses(const nb__gateway *g, bool asks_for_gaps);

/* ---- replay.c: /v1/replay ---- */
#define REPLAY_WORDS_BYTES 320
/* @return false: the feed is no replay. */
bool replay_print(const nb__gateway *g, nb__text *out);
void replay_words(const nb__gateway *g, char *out, size_t capacity_bytes); /* "": it is none */
bool replay_command(nb__gateway *g, nb_span body, char words[REPLAY_WORDS_BYTES]);

/* ---- marks.c ---- */
void marks_welcome(nb__gateway *g, client *c);
void marks_send(nb__gateway *g, const nb__mark *mark);
/* To those who follow the clock: it is another one from here on. */
void marks_clock(nb__gateway *g);

/* ---- rest.c ---- */
void rest_request(nb__gateway *g, nb__peer *peer, const nb__http_message *request);

/* ---- recording.c: the journal, and our own latency ---- */
/* Of a plant without a recorder: state "off", and why. */
nb__recorder_view recording_look(const nb__gateway *g);
int64_t recording_synced_age_ns(const nb__gateway *g, const nb__recorder_view *view);
void recording_print(const nb__gateway *g, nb__text *out); /* "recorder", "latency" of the status */
void recording_print_alarm(const nb__gateway *g, nb__text *out);
void recording_words(const nb__gateway *g, char *out, size_t capacity_bytes);

/* ---- feeds.c, status.c, slots.c, books.c, metrics.c, page.c: what rest.c answers with ---- */
/* One object for each appkey's link. */
void feeds_print(const nb__gateway *g, nb__text *out);
/* In a few words: "up", "resting", "lost", "down". */
const char *feeds_state(const nb__gateway *g);
bool feeds_any_up(const nb__gateway *g);
/* Registrations that all sessions hold. */
uint32_t feeds_slots_used(const nb__gateway *g);
void slots_print(const nb__gateway *g, nb__text *out);
void status_print(const nb__gateway *g, nb__text *out);
/* From topic number `after` on, of one TR (empty: all), 4 MiB at once; says where to go on. */
void books_print_all(const nb__gateway *g, nb_span tr_id, uint64_t after, nb__text *out);
/* @return false: there is no such book. */
bool books_print_one(const nb__gateway *g, nb_span tr_id, nb_span tr_key, nb__text *out);
void metrics_print(const nb__gateway *g, nb__text *out);
void page_print(const nb__gateway *g, nb__text *out);
void page_escape(nb__text *out, const char *text);

/* The kind of feed as its clock states it. */
nb__feed_kind gateway_feed_kind(const nb__gateway *g);
/* Session time now. */
int64_t gateway_session_ns(const nb__gateway *g);

typedef struct counter_table {
    const char *room; /* the name of its object in /v1/status */
    const nb__metric *rows;
    size_t count;
    const void *counters;
} counter_table;
#define GATEWAY_TABLES 6
void gateway_tables(const nb__gateway *g, counter_table out[GATEWAY_TABLES]);
/* Those of one link. */
counter_table session_table(const nb__session *session);
uint64_t counter_value(const counter_table *table, size_t row);

#endif
