/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What the plan is made of; private to the room.
 *
 *     spec.c      "nearest:8" and "H0EUASP0:B01612A45"
 *     money.c     the money of an expiry by the master's marks
 *     chain.c     a window's expiry: its strikes in order, its future, its mark
 *     forward.c   where the money is now, and when a window follows it
 *     wishes.c    what the windows wish for, nearest the money first
 *     seats.c     the sessions: which one has room, who yields, who moves
 *     rounds.c    what changes upstream, one strike step a gap
 *     plan.c      the door
 *     rows.c      what people see of it
 */
#ifndef NB_PLAN_INSIDE_H
#define NB_PLAN_INSIDE_H

#include "plan/plan.h"

/* A session down for so long gives its topics away, as a rule before clients are closed for it. */
#define PLAN_AWAY_NS (20 * NB__NS_PER_S)
#define PLAN_LOOK_NS (100 * NB__NS_PER_MS) /* books and sessions are looked at so often at most */
#define PLAN_ANSWER_NS (5 * NB__NS_PER_S)  /* a request in flight is answered … */
#define PLAN_GIVE_BACK_NS (30 * NB__NS_PER_S) /* … and a topic given back, or the link dropped */
#define PLAN_STRIKES_MAX 200                  /* on each side */
#define PLAN_NONE UINT32_MAX

/* ---- a topic ---- */

enum { PLAN_IS_FRONT = NB__PLAN_WINDOWS_MAX, PLAN_IS_NEAREST, PLAN_WISH_KINDS };

/* The reasons are those that the session has been told, too. */
typedef struct entry {
    const nb__instrument *instrument; /* of a wish */
    int64_t left_ns;                  /* last seen wanted or lingering; NB_TIME_UNDEF: never */
    uint32_t rank, told_rank;         /* of the wish, 0 is the most wanted; as the session has it */
    uint32_t at;                      /* place in `active`; PLAN_NONE: not there */
    uint32_t stamp;                   /* wished when it is the plan's */
    int32_t strikes;                  /* of the wish: from the money, above is positive */
    uint16_t pin;                     /* place in the configuration + 1; 0: not pinned */
    uint8_t session;                  /* where it lives or last lived */
    uint8_t window;                   /* of the wish; PLAN_IS_FRONT, PLAN_IS_NEAREST */
    bool wants_pinned, wants_client, wants_window;
    bool is_slotless; /* pinned, and its session has no slot for it after all */
} entry;

typedef struct wish {
    uint64_t order;
    uint32_t topic;
} wish;

/* ---- a window ---- */

typedef struct strike {
    nb_price price;
    const nb__instrument *call, *put; /* NULL: not listed */
    uint32_t call_topic, put_topic;   /* PLAN_NONE: not asked for yet */
} strike;

typedef struct window {
    nb__plan_window spec;
    nb__product product; /* as found in the master */
    char expiry[8];
    strike *strikes; /* ascending */
    uint32_t strike_count;
    uint32_t center;        /* the strike at the money; PLAN_NONE: not known */
    nb_price mark;          /* the master's money; NB_PRICE_UNDEF: none */
    uint32_t future_topic;  /* PLAN_NONE: none */
    char future_source[24]; /* "A01612 book" */
    nb__plan_forward forward;
    bool is_forward_live; /* by books, not by the mark */
} window;

/* ---- a session ---- */

typedef struct seats {
    uint32_t free; /* as the session says, kept up while we want and release */
    uint32_t used;
    uint32_t wanted;     /* by us, not refused */
    uint32_t lingering;  /* held for nobody */
    uint32_t clients;    /* topics of clients that live here */
    int64_t up_since_ns; /* … as it was seen */
    bool is_up, is_away;
} seats;

enum { TIER_UP, TIER_NEAR, TIER_ANY, TIER_COUNT };

struct nb__plan {
    nb__plan_config config;
    nb__topics *topics;
    uint32_t topics_max;
    nb__session *sessions[NB__PLAN_SESSIONS_MAX];
    uint8_t session_count;
    seats seats[NB__PLAN_SESSIONS_MAX];

    entry *entries;   /* by topic */
    uint32_t *active; /* topics that are wanted, wished for or held, in no order */
    uint32_t active_count;
    uint32_t pins[NB__PLAN_PINNED_MAX]; /* topics, in the order of the configuration */
    uint32_t pin_count;

    const nb__master *master;
    nb__symbols *symbols;
    window windows[NB__PLAN_WINDOWS_MAX];
    uint8_t window_count;
    bool has_front; /* also the front night future */
    const nb__instrument *front;
    uint32_t reserve;

    wish *wishes; /* nearest the money first */
    uint32_t wish_count, wish_max;
    uint32_t stamp;
    wish *rows;          /* what nb__plan_next_row() walks */
    uint32_t *row_count; /* … and how many; apart, since a plan that is shown does not change */

    int64_t look_ns;  /* no look before */
    int64_t round_ns; /* no round before */
    nb__plan_counters counters;
};

/* ---- chain.c ---- */
void chain_fini(window *w);
/* The chain of the window's expiry in the master; empty when there is none. */
void chain_find(nb__plan *plan, window *w);
const nb__instrument *chain_front_future(const nb__master *master, nb__product product);
uint32_t chain_topic(nb__plan *plan, const nb__instrument *row); /* its book's; PLAN_NONE: full */
uint32_t chain_nearest(const window *w, nb_price price);         /* index; PLAN_NONE: empty */

/* ---- forward.c ---- */
void forward_look(nb__plan *plan, window *w, const nb__books *books);
/* -1, 0, 1: the strikes that the window moves by the next time */
int forward_step(const nb__plan *plan, const window *w);

/* ---- wishes.c ---- */
void wishes_make(nb__plan *plan);
void wishes_make_nearest(nb__plan *plan);
bool is_wished(const nb__plan *plan, uint32_t topic);
void sort_by_order(wish *items, uint32_t count); /* ascending; in place, no allocation */

/* ---- seats.c ---- */
bool has_reason(const entry *e);
bool is_window_only(const entry *e);
nb__registration_state state_at_home(const nb__plan *plan, uint32_t topic);
bool is_parked(const nb__plan *plan, const entry *e);  /* wanted of a session that is away */
bool holds_slot(const nb__plan *plan, uint32_t topic); /* asked for or confirmed */
bool lingers(const nb__plan *plan, uint32_t topic);    /* held for nobody, where it lived last */
void activate(nb__plan *plan, uint32_t topic);
void seats_survey(nb__plan *plan, int64_t now_ns); /* states and free slots */
void seats_census(nb__plan *plan, int64_t now_ns); /* topics by session; the gauges */
uint32_t seats_free(const nb__plan *plan);         /* of all sessions not away */
bool seat_at(nb__plan *plan, uint32_t topic, nb__want who, uint8_t session, int64_t now_ns);
void unseat(nb__plan *plan, uint32_t topic, nb__want who, int64_t now_ns);
void unseat_wholly(nb__plan *plan, uint32_t topic, int64_t now_ns);
/* Wanted no more, and its session has not given it back yet. */
bool is_going_back(const nb__plan *plan, uint32_t topic, int64_t now_ns);
/* The session of that tier with most room; NB__PLAN_NOWHERE: none has any. */
uint8_t roomiest(const nb__plan *plan, int tier);
/* The window key farthest from the money on a session of that tier, with a rank above `rank`. */
uint32_t farthest(const nb__plan *plan, int tier, int64_t rank);
/* A slot for one more important than windows: a free one, else the farthest window key's. */
uint8_t room_for(nb__plan *plan, uint32_t topic, int tier_max, int64_t now_ns);
bool move_to(nb__plan *plan, uint32_t topic, nb__want who, uint8_t session, int64_t now_ns);
void pinned_first(nb__plan *plan, int64_t now_ns);
void shed_slotless(nb__plan *plan, int64_t now_ns);
bool move_parked(nb__plan *plan, int64_t now_ns);

/* ---- rounds.c ---- */
/* Windows to what is wished for. `is_anew`: all at once, and within slots - reserve whatever they
 * held before; else one strike a window. @return whether anything changed upstream. */
bool windows_apply(nb__plan *plan, bool is_anew, int64_t now_ns);
bool round_try(nb__plan *plan, int64_t now_ns);

#endif
