/* SPDX-License-Identifier: Apache-2.0 */
/* A plan over real sessions, each with a KIS of a few lines, under a test's own clock. */
#ifndef NB_PLAN_RIG_H
#define NB_PLAN_RIG_H

#include "guard.h"
#include "plan/plan.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPICS_MAX 4096
#define ROWS_MAX 1024
#define MS NB__NS_PER_MS
#define S NB__NS_PER_S
#define GAP (30 * S)

/* What KIS has of one appkey. */
typedef struct server {
    bool has[TOPICS_MAX];
    uint32_t count;
    uint32_t limit;    /* as it is; the session was told another one */
    bool is_reachable; /* new links are taken */
    uint64_t requests;
} server;

typedef struct rig {
    nb__topics *topics;
    nb__books *books;
    nb__session *sessions[NB__PLAN_SESSIONS_MAX];
    server servers[NB__PLAN_SESSIONS_MAX];
    uint32_t session_count;
    nb__plan *plan;
    nb__plan_config config;
    nb__instrument rows[ROWS_MAX];
    nb__master master;
    int64_t now_ns;
    int64_t follow_ns; /* when the plan wants to be asked again */
} rig;

/* ---- masters ---- */

static inline nb__instrument *add_row(rig *r, nb__product product, char right, const char *expiry,
                                      nb_price strike, char atm_class)
{
    assert_true(r->master.count < ROWS_MAX);
    nb__instrument *row = &r->rows[r->master.count];
    r->master.rows = r->rows;
    *row = (nb__instrument){.right = right,
                            .product = product,
                            .strike = strike,
                            .atm_class = atm_class,
                            .month_class = ' '};
    snprintf(row->expiry, sizeof row->expiry, "%s", expiry);
    /* a code of its own for every expiry and strike */
    char digit = (char)('0' + (int)product);
    unsigned tenths = strike == NB_PRICE_UNDEF ? 0 : (unsigned)(strike / (NB_PRICE_ONE / 10));
    if (right == 'F')
        snprintf(row->code, sizeof row->code, "A%c%.4s", digit, expiry + 2);
    else
        snprintf(row->code, sizeof row->code, "%c%c%c%c%05u", right == 'C' ? 'B' : 'C', digit,
                 expiry[3], expiry[5], tenths % 100000);
    r->master.count++;
    return row;
}

#define POINTS(n) ((nb_price)((n)*1000 + 0.5) * (NB_PRICE_ONE / 1000))

/* Strikes 2.5 apart around `money`; `money` 0: no marks. */
static inline void add_chain(rig *r, nb__product product, const char *expiry, double from,
                             double to, double money)
{
    for (double k = from; k <= to; k += 2.5) {
        char call = money == 0 ? ' ' : k == money ? '1' : k < money ? '2' : '3';
        char put = money == 0 ? ' ' : k == money ? '1' : k > money ? '2' : '3';
        add_row(r, product, 'C', expiry, POINTS(k), call);
        add_row(r, product, 'P', expiry, POINTS(k), put);
    }
}

static inline void add_future(rig *r, nb__product product, const char *expiry)
{
    add_row(r, product, 'F', expiry, NB_PRICE_UNDEF, ' ');
}

/* The usual night: a month and a week, 1000–1200, the money at 1100, two futures. */
static inline void usual_master(rig *r)
{
    add_future(r, NB__PRODUCT_KOSPI200, "202703");
    add_future(r, NB__PRODUCT_KOSPI200, "202612");
    add_chain(r, NB__PRODUCT_KOSPI200, "202612", 1000, 1200, 1100);
}

static inline const char *code_at(const rig *r, nb__product product, const char *expiry, char right,
                                  double strike)
{
    for (size_t i = 0; i < r->master.count; i++) {
        const nb__instrument *row = &r->rows[i];
        if (row->product == product && row->right == right && strcmp(row->expiry, expiry) == 0 &&
            (right == 'F' || row->strike == POINTS(strike)))
            return row->code;
    }
    fail_msg("no %c %s %g", right, expiry, strike);
    return NULL;
}

/* ---- life ---- */

static inline rig *rig_open_paced(uint32_t session_count, uint32_t registrations_max,
                                  int64_t request_gap_ns)
{
    rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->topics = nb__topics_new(TOPICS_MAX);
    r->books = nb__books_new(TOPICS_MAX);
    r->session_count = session_count;
    r->now_ns = 1000 * S;
    r->config = nb__plan_config_default();
    for (uint32_t i = 0; i < session_count; i++) {
        nb__session_config config = nb__session_config_default();
        config.registrations_max = registrations_max;
        config.request_gap_ns = request_gap_ns;
        config.connects_max = 0;
        config.seed = i;
        r->sessions[i] = nb__session_new(&config, r->topics, TOPICS_MAX);
        assert_non_null(r->sessions[i]);
        r->servers[i] = (server){.limit = registrations_max, .is_reachable = true};
    }
    return r;
}

static inline rig *rig_open(uint32_t session_count, uint32_t registrations_max)
{
    return rig_open_paced(session_count, registrations_max, 0);
}

static inline void rig_plan(rig *r)
{
    r->plan = nb__plan_new(&r->config, r->topics, TOPICS_MAX, r->sessions, r->session_count);
    assert_non_null(r->plan);
}

static inline void rig_close(rig *r)
{
    nb__plan_free(r->plan);
    for (uint32_t i = 0; i < r->session_count; i++)
        nb__session_free(r->sessions[i]);
    nb__books_free(r->books);
    nb__topics_free(r->topics);
    free(r);
}

static inline void window_spec(rig *r, const char *text)
{
    nb_err err =
        nb__plan_window_parse(nb__span(text), &r->config.windows[r->config.window_count++], NULL);
    assert_int_equal(err, NB_OK);
}

static inline void pin(rig *r, const char *text)
{
    nb_err err =
        nb__plan_pin_parse(nb__span(text), &r->config.pinned[r->config.pinned_count++], NULL);
    assert_int_equal(err, NB_OK);
}

/* ---- KIS ---- */

static inline void answer_request(rig *r, uint32_t index, nb_span text)
{
    server *s = &r->servers[index];
    nb__request request;
    nb__opsp code;
    assert_int_equal(nb__client_message_parse(text, &request, &code), NB__CLIENT_REQUEST);
    uint32_t topic = nb__topics_find(r->topics, &request.topic);
    assert_true(topic < TOPICS_MAX);
    s->requests++;
    if (!request.is_register) {
        code = s->has[topic] ? NB__OPSP_UNSUBSCRIBED : NB__OPSP_NOT_SUBSCRIBED;
        s->count -= s->has[topic];
        s->has[topic] = false;
    } else if (s->has[topic]) {
        code = NB__OPSP_ALREADY;
    } else if (s->count >= s->limit) {
        code = NB__OPSP_MAX_OVER;
    } else if (strncmp(request.topic.tr_key, "BAD", 3) == 0) {
        code = NB__OPSP_BAD_TR_KEY;
    } else {
        code = NB__OPSP_SUBSCRIBED;
        s->has[topic] = true;
        s->count++;
    }
    nb__text out = {0};
    nb__answer_print(code, &request.topic, "0123456789abcdef", "0123456789abcdef0123456789abcdef",
                     &out);
    (void)nb__session_on_message(r->sessions[index], nb__text_view(&out), r->now_ns);
    nb__text_fini(&out);
}

static inline void forget_all(rig *r, uint32_t index)
{
    memset(r->servers[index].has, 0, sizeof r->servers[index].has);
    r->servers[index].count = 0;
}

/* All that a session wants to do now. */
static inline void pump_one(rig *r, uint32_t index)
{
    nb__session *session = r->sessions[index];
    nb__action action;
    for (int guard_count = 0; guard_count < 100000; guard_count++) {
        nb__session_next(session, r->now_ns, &action);
        switch (action.kind) {
        case NB__ACT_WAIT:
            return;
        case NB__ACT_APPROVE:
            nb__session_on_approved(session, "the-approval-key", r->now_ns);
            break;
        case NB__ACT_CONNECT:
            if (r->servers[index].is_reachable)
                nb__session_on_opened(session, r->now_ns);
            else
                nb__session_on_closed(session, "refused", r->now_ns);
            break;
        case NB__ACT_SEND_TEXT:
            answer_request(r, index, action.text);
            break;
        case NB__ACT_DISCONNECT:
            forget_all(r, index);
            nb__session_on_closed(session, "closed", r->now_ns);
            break;
        case NB__ACT_SEND_PONG:
        case NB__ACT_REGISTRATION:
        case NB__ACT_LINK:
        case NB__ACT_SAVE:
            break;
        }
    }
    fail_msg("a session that never waits");
}

static inline void pump(rig *r)
{
    for (uint32_t i = 0; i < r->session_count; i++) {
        if (nb__session_state_of(r->sessions[i]) == NB__SESSION_UP)
            nb__session_on_alive(r->sessions[i], r->now_ns);
        pump_one(r, i);
    }
}

/* A turn of the loop, as the plant does it. */
static inline void turn(rig *r)
{
    pump(r);
    r->follow_ns = nb__plan_follow(r->plan, r->books, r->now_ns);
    pump(r);
}

static inline void run(rig *r, int64_t ns)
{
    int64_t until_ns = r->now_ns + ns;
    turn(r);
    while (r->now_ns < until_ns) {
        int64_t step_ns = until_ns - r->now_ns;
        r->now_ns += step_ns < 100 * MS ? step_ns : 100 * MS;
        turn(r);
    }
}

static inline void cut(rig *r, uint32_t index, bool is_reachable)
{
    r->servers[index].is_reachable = is_reachable;
    forget_all(r, index);
    nb__session_on_closed(r->sessions[index], "cut", r->now_ns);
}

/* Another night's master, or this night's again. */
static inline void set_master(rig *r)
{
    nb__plan_set_master(r->plan, &r->master, r->now_ns);
    turn(r);
}

/* ---- what a test says and asks ---- */

static inline uint32_t topic_of(rig *r, const char *tr_id, const char *key)
{
    nb__topic topic;
    assert_true(nb__topic_make(nb__span(tr_id), nb__span(key), &topic));
    return nb__topics_intern(r->topics, &topic);
}

static inline uint32_t option(rig *r, char right, double strike)
{
    return topic_of(r, "H0EUASP0", code_at(r, NB__PRODUCT_KOSPI200, "202612", right, strike));
}

static inline uint32_t future(rig *r)
{
    return topic_of(r, "H0MFASP0", code_at(r, NB__PRODUCT_KOSPI200, "202612", 'F', 0));
}

/* Any other topic, number `i`. */
static inline uint32_t stock(rig *r, unsigned i)
{
    char key[13];
    snprintf(key, sizeof key, "%06u", i);
    return topic_of(r, "H0STCNT0", key);
}

static inline nb_err want(rig *r, uint32_t topic)
{
    nb_err err = nb__plan_want(r->plan, topic, r->now_ns);
    pump(r);
    return err;
}

static inline void release(rig *r, uint32_t topic)
{
    nb__plan_release(r->plan, topic, r->now_ns);
    pump(r);
}

static inline nb__registration_state state_of(rig *r, uint32_t topic)
{
    return nb__plan_registration(r->plan, topic)->state;
}

/* On how many sessions' servers it is. */
static inline uint32_t served(const rig *r, uint32_t topic)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->session_count; i++)
        count += r->servers[i].has[topic];
    return count;
}

static inline uint32_t served_in_all(const rig *r)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->session_count; i++)
        count += r->servers[i].count;
    return count;
}

static inline bool find_row(rig *r, uint32_t topic, nb__plan_row *out)
{
    uint32_t cursor = 0;
    while (nb__plan_next_row(r->plan, &cursor, out))
        if (out->topic == topic)
            return true;
    return false;
}

static inline void expect_reason(rig *r, uint32_t topic, const char *reason)
{
    nb__plan_row row;
    assert_true(find_row(r, topic, &row));
    assert_string_equal(row.reason, reason);
}

/* A book with one level on each side; 0: that side is empty. */
static inline void quote(rig *r, uint32_t topic, double bid, double ask)
{
    nb_quote q = {.recv_ns = r->now_ns, .event_ns = NB_TIME_UNDEF};
    for (int i = 0; i < NB_LEVELS; i++)
        q.ask[i] = q.bid[i] = (nb_level){NB_PRICE_UNDEF, 0, NB_INT32_UNDEF};
    if (bid > 0)
        q.bid[0] = (nb_level){POINTS(bid), 1, NB_INT32_UNDEF};
    if (ask > 0)
        q.ask[0] = (nb_level){POINTS(ask), 1, NB_INT32_UNDEF};
    q.total_ask_count = q.total_bid_count = q.total_ask_quantity = q.total_bid_quantity =
        q.total_ask_change = q.total_bid_change = NB_INT_UNDEF;
    nb__books_apply(r->books, topic, NB__PRODUCT_UNKNOWN, &q);
}

static inline void set_forward(rig *r, double points)
{
    quote(r, future(r), points - 0.05, points + 0.05);
}

static inline rig *usual(uint32_t session_count, uint32_t registrations_max)
{
    rig *r = rig_open(session_count, registrations_max);
    usual_master(r);
    return r;
}

/* The plan, its links and its master: a second later all is as it will be. */
static inline void begin(rig *r)
{
    rig_plan(r);
    pump(r);
    set_master(r);
    run(r, S);
}

#endif
