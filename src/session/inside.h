/* SPDX-License-Identifier: Apache-2.0 */
/* A session's inside, shared by session.c and attempt.c. */
#ifndef NB_SESSION_INSIDE_H
#define NB_SESSION_INSIDE_H

#include "manners.h"
#include "slots.h"

#define ECHO_MAX 1024 /* a PINGPONG is 59 bytes; a longer "PINGPONG" than this is not answered */

typedef struct flight {
    nb__slot_request request;
    int64_t sent_ns;
    int send_count; /* 0: nothing is in flight */
} flight;

struct nb__session {
    nb__session_config config;
    nb__topics *topics;
    nb__slots slots;
    nb__manners manners;
    nb__session_counters counters;
    nb__session_state state;
    flight flight;
    int64_t began_ns; /* the first event or question */
    int64_t down_since_ns;
    int64_t backoff_until_ns;            /* after a failure */
    int64_t next_try_ns;                 /* WAITING: all gates are open then */
    int64_t stop_until_ns;               /* KIS ends every link until then */
    int64_t key_ns;                      /* when the approval key came */
    int64_t alive_ns;                    /* the last frame of any kind */
    int64_t send_at_ns;                  /* no request before */
    int64_t data_first_ns, data_last_ns; /* on this link; NB_TIME_UNDEF: none yet */
    int failures;                        /* in a row, for the back-off */
    bool is_reissued; /* a fresh approval key has been tried and no registration went through since
                       */
    bool is_straggler_due;    /* a request was sent twice and answered once */
    bool is_retry_now;        /* the next wait is none */
    bool is_action_due;       /* APPROVE or CONNECT of this state is not given out yet */
    int64_t pingpong_time_ns; /* as the last one says; NB_TIME_UNDEF */
    bool is_attempt_seen;     /* by a server: its approval came */
    bool is_attempt_new;      /* nothing of the attempt is given out yet */
    bool is_key_good;         /* the next connection may use the key that we have */
    bool is_save_due;
    bool is_resting; /* no link is wanted; what is under way ends first */
    bool is_closing, is_close_due;
    bool is_link_noted;
    nb__random random;
    nb__server_message heard_kind;
    nb__answer heard;    /* the last one; its iv and key are wiped, the approval key scrubbed */
    nb__request request; /* holds the approval key */
    nb__text text;       /* the request as sent; holds it too */
    char echo[ECHO_MAX];
    size_t echo_bytes;
    char cause[160], reason[384], rest_until[48];
};

/* ---- attempt.c ---- */

/* The session's first moment: what it has been down since. */
void session_note_begin(nb__session *session, int64_t now_ns);
void session_set_cause(nb__session *session, const char *what, const char *why);
/* Begin an attempt if every gate is open; else wait. */
void session_try_now(nb__session *session, int64_t now_ns);
/* After an attempt that failed or a link that was lost. */
void session_wait_and_retry(nb__session *session, int64_t now_ns);
/* Give the link up from our side; the cause is set. */
void session_drop_link(nb__session *session);

#endif
