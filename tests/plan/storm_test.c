/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan in a storm, from a seed: clients come and go, the forward walks, sessions drop and come
 * back, KIS has fewer slots than told, the master changes. After every look of the plan:
 *
 *     a topic is held by one session at most, and is on one server at most
 *     no session holds more than it was told
 *     no pinned key is without a slot while a client or a window has one
 *     windows grow only as far as the reserve stays free
 *     windows grow and topics move at most once a gap, and a window by one strike
 *     a client is refused only when pinned keys and clients have every slot
 *     what a client was promised is asked for, confirmed or visibly refused
 *
 * and when the storm is over all that fits is there, and nothing is asked of KIS any more.
 *
 *     plan_storm_test [SEEDS [FIRST]]
 */
#include "rig.h"

enum { STEPS = 300, POOL = 60 };

typedef struct storm {
    rig *r;
    nb__random random;
    uint64_t seed;
    int64_t told, gap_ns;
    uint32_t asked[TOPICS_MAX], asked_count; /* what clients were promised */
    bool is_asked[TOPICS_MAX];
    double forward;
    bool is_marked;
    bool is_fill_ok; /* the next look may place windows anew */
    int64_t changed_ns;
    uint8_t home[TOPICS_MAX]; /* before a look: where what was held lived */
    bool was_window[TOPICS_MAX];
} storm;

static uint64_t below(storm *s, uint64_t bound)
{
    return nb__random_below(&s->random, bound);
}

#define require(s, is_so)                                                                          \
    do {                                                                                           \
        if (!(is_so))                                                                              \
            fail_msg("seed %llu, %.1f s: not %s", (unsigned long long)(s)->seed,                   \
                     (double)((s)->r->now_ns - 1000 * S) / 1e9, #is_so);                           \
    } while (0)

/* ---- what there is ---- */

static void make_master(storm *s, int night)
{
    rig *r = s->r;
    double money = 1050 + 2.5 * (double)below(s, 40), mark = s->is_marked ? money : 0;
    const char *month = night % 2 == 0 ? "202612" : "202701";
    r->master.count = 0;
    add_future(r, NB__PRODUCT_KOSPI200, night % 2 == 0 ? "202612" : "202703");
    add_chain(r, NB__PRODUCT_KOSPI200, month, money - 50, money + 50, mark);
    if (below(s, 2) == 0)
        add_chain(r, NB__PRODUCT_KOSPI200_WEEKLY_THU, night % 2 == 0 ? "2611W4" : "2612W3",
                  money - 30, money + 30, mark);
    s->forward = money;
}

static storm *storm_open(uint64_t seed)
{
    storm *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->seed = seed;
    nb__random_init(&s->random, seed);
    s->told = (int64_t)(4 + below(s, 38));
    s->r = rig_open_paced((uint32_t)(1 + below(s, 4)), (uint32_t)s->told,
                          (int64_t)(80 * below(s, 2)) * MS);
    rig *r = s->r;
    s->is_marked = below(s, 4) != 0;
    s->gap_ns = r->config.move_gap_ns = (int64_t)(1 + below(s, 30)) * S;
    r->config.reserve = (uint32_t)below(s, 9);
    for (uint64_t i = below(s, 3) == 0 ? below(s, 40) : below(s, 6); i > 0; i--) {
        char text[32];
        snprintf(text, sizeof text, "H0STCNT0:%06u", (unsigned)below(s, 2 * POOL));
        pin(r, text);
    }
    static const char *const specs[] = {"nearest:8", "202612:3", "thu/nearest:4", "nearest:20"};
    for (uint64_t i = below(s, 4); i > 0; i--)
        window_spec(r, specs[below(s, NB__COUNT_OF(specs))]);
    s->changed_ns = INT64_MIN / 2;
    rig_plan(r);
    make_master(s, 0);
    return s;
}

static void storm_close(storm *s)
{
    rig_close(s->r);
    free(s);
}

static const nb__registration *at(const storm *s, uint32_t session, uint32_t topic)
{
    return nb__session_registration(s->r->sessions[session], topic);
}

static bool is_held_at(const storm *s, uint32_t session, uint32_t topic)
{
    nb__registration_state state = at(s, session, topic)->state;
    return state == NB__REG_PENDING || state == NB__REG_CONFIRMED;
}

static bool is_away(const storm *s, uint32_t session)
{
    bool is_any_up = false;
    for (uint32_t i = 0; i < s->r->session_count; i++)
        is_any_up |= nb__session_state_of(s->r->sessions[i]) == NB__SESSION_UP;
    const nb__session *session_at = s->r->sessions[session];
    return is_any_up && nb__session_state_of(session_at) != NB__SESSION_UP &&
           s->r->now_ns - nb__session_down_since_ns(session_at) >= 20 * S;
}

/* ---- the invariants ---- */

static void check_topics(storm *s)
{
    rig *r = s->r;
    bool is_pinned_left = false, is_other_held = false;
    uint32_t count = nb__topics_count(r->topics);
    for (uint32_t topic = 0; topic < count; topic++) {
        uint32_t holders = 0;
        nb__want who = NB__WANT_NOBODY;
        for (uint32_t i = 0; i < r->session_count; i++) {
            holders += is_held_at(s, i, topic) || at(s, i, topic)->state == NB__REG_LINGERING;
            if (is_held_at(s, i, topic))
                who = at(s, i, topic)->who;
        }
        require(s, holders <= 1);
        require(s, served(r, topic) <= 1);
        is_other_held |= who == NB__WANT_CLIENT || who == NB__WANT_WINDOW;
        if (s->is_asked[topic])
            require(s, state_of(r, topic) == NB__REG_PENDING ||
                           state_of(r, topic) == NB__REG_CONFIRMED ||
                           state_of(r, topic) == NB__REG_REJECTED);
    }
    for (uint32_t i = 0; i < r->config.pinned_count; i++) {
        uint32_t topic = nb__topics_find(r->topics, &r->config.pinned[i]);
        is_pinned_left |=
            state_of(r, topic) != NB__REG_PENDING && state_of(r, topic) != NB__REG_CONFIRMED;
    }
    require(s, !is_pinned_left || !is_other_held);
}

static void check_sessions(storm *s)
{
    for (uint32_t i = 0; i < s->r->session_count; i++) {
        require(s, nb__session_slots_used(s->r->sessions[i]) <= (uint32_t)s->told);
        require(s, s->r->servers[i].count <= (uint32_t)s->told);
    }
    const nb__plan_counters *c = nb__plan_count(s->r->plan);
    require(s, c->slots_used <= c->slots_max);
    require(s, c->slots_max <= (uint64_t)s->told * s->r->session_count);
}

static uint32_t free_slots(const storm *s)
{
    uint32_t free = 0;
    for (uint32_t i = 0; i < s->r->session_count; i++)
        free += is_away(s, i) ? 0 : nb__session_slots_free(s->r->sessions[i]);
    return free;
}

/* What windows hold where it counts, and where everything lives. */
static uint32_t note_homes(storm *s)
{
    uint32_t windows = 0, count = nb__topics_count(s->r->topics);
    for (uint32_t topic = 0; topic < count; topic++) {
        s->home[topic] = NB__PLAN_NOWHERE;
        s->was_window[topic] = false;
        for (uint32_t i = 0; i < s->r->session_count; i++) {
            if (!is_held_at(s, i, topic))
                continue;
            s->home[topic] = (uint8_t)i;
            s->was_window[topic] = at(s, i, topic)->who == NB__WANT_WINDOW;
            windows += s->was_window[topic] && !is_away(s, i);
        }
    }
    return windows;
}

static void check_growth(storm *s, uint32_t windows_before)
{
    rig *r = s->r;
    uint32_t windows = 0, grown = 0, moved = 0, count = nb__topics_count(r->topics);
    for (uint32_t topic = 0; topic < count; topic++)
        for (uint32_t i = 0; i < r->session_count; i++) {
            if (!is_held_at(s, i, topic))
                continue;
            nb__want who = at(s, i, topic)->who;
            windows += who == NB__WANT_WINDOW && !is_away(s, i);
            grown += who == NB__WANT_WINDOW && s->home[topic] != i;
            moved += who == NB__WANT_CLIENT && s->home[topic] != i;
        }
    if (windows > windows_before)
        require(s, free_slots(s) >= r->config.reserve);
    if (grown + moved == 0 || s->is_fill_ok)
        return;
    require(s, r->now_ns - s->changed_ns >= s->gap_ns);
    require(s, grown == 0 || moved == 0);
    uint32_t window_count = r->config.window_count;
    require(s, grown <= (window_count > 0 ? 2 * window_count : 3)); /* and the future, by default */
    s->changed_ns = r->now_ns;
}

static void look(storm *s)
{
    rig *r = s->r;
    pump(r);
    uint32_t windows = note_homes(s);
    r->follow_ns = nb__plan_follow(r->plan, r->books, r->now_ns);
    require(s, r->follow_ns > r->now_ns);
    check_topics(s);
    check_sessions(s);
    check_growth(s, windows);
    s->is_fill_ok = !s->is_marked; /* without marks the forward may place a window at any time */
    pump(r);
}

static uint64_t requests_of(const storm *s)
{
    uint64_t requests = 0;
    for (uint32_t i = 0; i < s->r->session_count; i++)
        requests += s->r->servers[i].requests;
    return requests;
}

/* Time passes: sessions have their turns as long as there is something to ask. */
static void pass(storm *s, int64_t ns)
{
    rig *r = s->r;
    int64_t until_ns = r->now_ns + ns;
    uint64_t before = 0;
    for (int idle = 0; idle < 3 && r->now_ns + 100 * MS < until_ns;) {
        r->now_ns += 100 * MS;
        pump(r);
        idle = requests_of(s) == before ? idle + 1 : 0;
        before = requests_of(s);
    }
    r->now_ns = until_ns;
}

/* ---- what happens ---- */

static uint32_t any_topic(storm *s)
{
    rig *r = s->r;
    if (below(s, 3) == 0) {
        const nb__instrument *row = &r->rows[below(s, r->master.count)];
        return topic_of(r, row->right == 'F' ? "H0MFASP0" : "H0EUASP0", row->code);
    }
    return stock(r, (unsigned)below(s, POOL));
}

static void client_wants(storm *s)
{
    rig *r = s->r;
    uint32_t topic = any_topic(s);
    nb_err err = nb__plan_want(r->plan, topic, r->now_ns);
    if (err == NB_OK && !s->is_asked[topic]) {
        s->is_asked[topic] = true;
        s->asked[s->asked_count++] = topic;
    }
    if (err == NB_OK)
        return;
    require(s, err == NB_E_LIMIT);
    for (uint32_t i = 0; i < r->session_count; i++) {
        require(s, nb__session_slots_free(r->sessions[i]) == 0);
        for (uint32_t other = 0; other < nb__topics_count(r->topics); other++)
            require(s, at(s, i, other)->state != NB__REG_CONFIRMED ||
                           at(s, i, other)->who != NB__WANT_WINDOW);
    }
}

static void client_leaves(storm *s, uint32_t index)
{
    uint32_t topic = s->asked[index];
    s->asked[index] = s->asked[--s->asked_count];
    s->is_asked[topic] = false;
    nb__plan_release(s->r->plan, topic, s->r->now_ns);
}

/* As the gateway does: who is refused is told, and its wish is over. */
static void drop_refused(storm *s)
{
    for (uint32_t i = s->asked_count; i-- > 0;)
        if (state_of(s->r, s->asked[i]) == NB__REG_REJECTED)
            client_leaves(s, i);
}

static void walk(storm *s)
{
    rig *r = s->r;
    s->forward += ((double)below(s, 21) - 10) / 4;
    const nb__instrument *row = &r->rows[0];
    uint32_t topic = topic_of(r, "H0MFASP0", row->code);
    if (below(s, 20) == 0)
        nb__books_set_stale(r->books);
    else
        quote(r, topic, s->forward - 0.1, s->forward + 0.1);
}

static void trouble(storm *s, int *night)
{
    rig *r = s->r;
    uint32_t i = (uint32_t)below(s, r->session_count);
    switch (below(s, 8)) {
    case 0:
    case 1:
        cut(r, i, below(s, 2) == 0);
        break;
    case 2:
    case 3:
        r->servers[i].is_reachable = true;
        break;
    case 4:
        r->servers[i].limit = (uint32_t)below(s, (uint64_t)s->told + 1);
        break;
    case 5:
        r->servers[i].limit = (uint32_t)s->told;
        break;
    case 6:
        if (below(s, 4) == 0)
            make_master(s, ++*night);
        nb__plan_set_master(r->plan, &r->master, r->now_ns);
        s->is_fill_ok = true;
        s->changed_ns = r->now_ns;
        break;
    default:
        pass(s, (int64_t)below(s, 90) * S); /* a quiet time */
        break;
    }
}

static void calm(storm *s)
{
    rig *r = s->r;
    for (uint32_t i = 0; i < r->session_count; i++) {
        r->servers[i].is_reachable = true;
        r->servers[i].limit = (uint32_t)s->told;
    }
    for (int i = 0; i < 500; i++) { /* lower limits are tried again after minutes */
        pass(s, i < 50 ? S : 12 * S);
        look(s);
        drop_refused(s);
    }
}

static void check_calm(storm *s)
{
    rig *r = s->r;
    uint64_t requests = requests_of(s);
    for (uint32_t i = 0; i < s->asked_count; i++)
        require(s, served(r, s->asked[i]) == 1);
    uint32_t cursor = 0, slots = (uint32_t)s->told * r->session_count, pins = 0;
    nb__plan_row row;
    while (nb__plan_next_row(r->plan, &cursor, &row)) {
        require(s, row.reason[0] != '\0');
        if (row.is_pinned && pins++ < slots)
            require(s, served(r, row.topic) == 1);
        if (row.is_window && row.session == NB__PLAN_NOWHERE)
            require(s, free_slots(s) <= r->config.reserve);
    }
    for (int i = 0; i < 60; i++) {
        pass(s, 10 * S);
        look(s);
    }
    require(s, requests_of(s) == requests);
}

static void weather(uint64_t seed)
{
    storm *s = storm_open(seed);
    rig *r = s->r;
    int night = 0;
    bool is_late = below(s, 2) == 0; /* the master comes after the links */
    if (is_late)
        look(s);
    nb__plan_set_master(r->plan, &r->master, r->now_ns);
    s->is_fill_ok = true;
    s->changed_ns = r->now_ns;
    for (int step = 0; step < STEPS; step++) {
        pass(s, below(s, 4) == 0 ? (int64_t)below(s, 20) * S + S : 100 * MS);
        for (uint64_t i = below(s, 4); i > 0; i--)
            client_wants(s);
        if (s->asked_count > 0 && below(s, 3) == 0)
            client_leaves(s, (uint32_t)below(s, s->asked_count));
        if (below(s, 100) == 0)
            while (s->asked_count > 0)
                client_leaves(s, 0);
        walk(s);
        if (below(s, 6) == 0)
            trouble(s, &night);
        look(s);
        drop_refused(s);
    }
    calm(s);
    check_calm(s);
    storm_close(s);
}

static uint64_t seeds = 300, first = 1;

static void many_storms(void **state)
{
    (void)state;
    for (uint64_t seed = first; seed < first + seeds; seed++)
        weather(seed);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        (void)nb__span_to_u64(nb__span(argv[1]), &seeds);
    if (argc > 2)
        (void)nb__span_to_u64(nb__span(argv[2]), &first);
    const struct CMUnitTest tests[] = {cmocka_unit_test(many_storms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
