/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of the log: which events are told, what is hidden in them, how a line looks. */
#ifndef NB_BASE_LOG_H
#define NB_BASE_LOG_H

#include "base.h"

#define LOG_SENTENCE_MAX 1024 /* bytes of an event, hint included, and a NUL */
#define LOG_ROOM_MAX 16

/* ---- the gate: the distinct-error rule ---- */

#define LOG_GATE_ROWS 32
#define LOG_GATE_TOLD_MAX 10
#define LOG_GATE_WINDOW_NS (60 * NB__NS_PER_S)

/* One distinct event: a room and a format. */
typedef struct log_row {
    uint64_t key; /* 0: free */
    int64_t since_ns;
    uint64_t held; /* not told since then */
    uint32_t told;
    nb__log_level level;
    char room[LOG_ROOM_MAX];
    char sentence[LOG_SENTENCE_MAX]; /* the last one that was held, hidden already */
} log_row;

typedef struct log_gate {
    log_row rows[LOG_GATE_ROWS];
} log_gate;

uint64_t log_gate_key(const char *room, const char *format); /* never 0 */
/*
 * Whether an event is told now. When it is, `*repeated` is how often it was held since it was told
 * last. When it is not, `*held` is its row, for the words.
 *
 * A new event in a full table takes the row that began longest ago; take what that row holds first
 * (log_gate_take).
 */
bool log_gate_pass(log_gate *gate, uint64_t key, int64_t now_ns, uint64_t *repeated,
                   log_row **held);
/* A row other than `key`'s whose minute is over (or any, for `now_ns` INT64_MAX) and that still
 * holds something; or the one that `key`, being new, would push out (0: none). Copied out and
 * emptied.
 * @return false: none. */
bool log_gate_take(log_gate *gate, uint64_t key, int64_t now_ns, log_row *out);

/* ---- secrets ---- */

#define LOG_SECRETS_MAX 64
#define LOG_SECRETS_KEPT 32 /* the first ones stay; later ones (keys of a night) take turns */

typedef struct log_secrets {
    char *items[LOG_SECRETS_MAX]; /* heap */
    size_t count, next, longest_bytes;
} log_secrets;

void log_secrets_add(log_secrets *secrets, const char *secret);
void log_secrets_wipe(log_secrets *secrets);
/* Put `***` for every secret, also one that is written with JSON's or an address's escapes. In
 * place; the text never grows. @return how many. */
size_t log_secrets_hide(const log_secrets *secrets, char *text);

/* ---- lines ---- */

typedef struct log_event {
    nb__log_level level;
    const char *room;
    char *sentence; /* hint after the first '\n'; changed in place */
    uint64_t repeated;
    int64_t real_ns;
    bool is_journal; /* `<4>` before the line, no time */
} log_event;
/* One event in its form, with its line end. */
void log_line_print(nb__log_form form, const log_event *event, const log_secrets *secrets,
                    nb__text *out);

#endif
