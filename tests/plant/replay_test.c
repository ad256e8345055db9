/* SPDX-License-Identifier: Apache-2.0 */
/* A recorded night goes the way of a live one: the same books, quote by quote; and what a plant
 * does with a feed that can wait and move. */
#include "../replay/tape.h"
#include "rig.h"
#include <math.h>

#define FRAMES 3000
#define MS NB__NS_PER_MS
#define S NB__NS_PER_S

/* ---- what comes out, frame by frame ---- */

typedef struct stream {
    nb__plant *plant;
    uint64_t digests[2 * FRAMES];
    size_t count;
    int ups, downs, holes, moves;
    char reason[256];
    int64_t mark_recv_ns, recv_ns;
} stream;

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    for (const unsigned char *at = data, *end = at + size; at < end; at++)
        hash = (hash ^ *at) * UINT64_C(1099511628211);
    return hash;
}

static uint64_t mix_quote(uint64_t hash, const nb__book *book)
{
    const nb_quote *q = &book->quote;
    int trade_date = nb_trade_date(nb_calendar_builtin(), q->event_ns);
    hash = mix(hash, &q->recv_ns, sizeof q->recv_ns);
    hash = mix(hash, &q->event_ns, sizeof q->event_ns);
    hash = mix(hash, &trade_date, sizeof trade_date);
    hash = mix(hash, &q->flags, sizeof q->flags);
    for (int i = 0; i < NB_LEVELS; i++) {
        hash = mix(hash, &q->ask[i].price, sizeof q->ask[i].price);
        hash = mix(hash, &q->ask[i].quantity, sizeof q->ask[i].quantity);
        hash = mix(hash, &q->bid[i].price, sizeof q->bid[i].price);
        hash = mix(hash, &q->bid[i].count, sizeof q->bid[i].count);
    }
    hash = mix(hash, &q->total_ask_quantity, sizeof q->total_ask_quantity);
    return mix(hash, &book->update_count, sizeof book->update_count);
}

static void stream_frame(void *self, const nb__plant_frame *frame)
{
    stream *s = self;
    uint64_t hash = mix(UINT64_C(14695981039346656037), frame->bytes.data, frame->bytes.size_bytes);
    for (uint32_t i = 0; i < frame->record_count; i++) {
        uint32_t topic = frame->records[i].topic;
        if (topic == NB__TOPIC_NONE)
            continue;
        const nb__topic *name = nb__topics_at(nb__plant_topics(s->plant), topic);
        hash = mix(hash, name->tr_id, strlen(name->tr_id));
        hash = mix(hash, name->tr_key, strlen(name->tr_key));
        const nb__book *book = nb__books_at(nb__plant_books(s->plant), topic);
        if (book != NULL)
            hash = mix_quote(hash, book);
    }
    assert_true(s->count < NB__COUNT_OF(s->digests));
    s->digests[s->count++] = hash;
    s->recv_ns = frame->recv_ns;
}

static void stream_mark(void *self, const nb__mark *mark)
{
    stream *s = self;
    s->ups += mark->kind == NB__MARK_LINK_UP;
    s->downs += mark->kind == NB__MARK_LINK_DOWN;
    s->holes += mark->kind == NB__MARK_HOLE;
    s->moves += mark->kind == NB__MARK_MOVED;
    s->mark_recv_ns = mark->recv_ns;
    snprintf(s->reason, sizeof s->reason, "%s", mark->reason);
}

static void stream_registration(void *self, uint32_t topic)
{
    (void)self;
    (void)topic;
}

static void listen_to(stream *s, nb__plant *plant)
{
    *s = (stream){.plant = plant};
    nb__plant_add_sink(plant, &(nb__sink){s, stream_frame, stream_mark, stream_registration});
}

/* ---- replaying ---- */

typedef struct replayed {
    nb__loop *loop;
    nb__plant *plant;
    nb__replay_config config;
    stream out;
    nb__gate_state gate;
    int asked;
} replayed;

static nb__gate_state look(void *self)
{
    replayed *p = self;
    p->asked++;
    return p->gate;
}

static void replay_open_as(replayed *p, nb__loop *loop, const tape *t, double speed, bool is_loop)
{
    nb_error error = {0};
    *p = (replayed){.loop = loop,
                    .config = {.path = t->directory,
                               .calendar = nb_calendar_builtin(),
                               .speed = speed,
                               .is_loop = is_loop}};
    nb__feed_config feed = {
        .kind = NB__FEED_REPLAY, .session = nb__replay_session_config(256), .replay = &p->config};
    const nb__plant_config config = {.feeds = &feed,
                                     .feed_count = 1,
                                     .plan = nb__plan_config_default(),
                                     .topics_max = 256,
                                     .calendar = nb_calendar_builtin()};
    if (nb__plant_open(loop, &config, &p->plant, &error) != NB_OK)
        fail_msg("%s", error.detail);
    listen_to(&p->out, p->plant);
}

static void replay_open(replayed *p, nb__loop *loop, const tape *t, double speed)
{
    replay_open_as(p, loop, t, speed, false);
}

static nb__replay_view view(const replayed *p)
{
    nb__replay_view view;
    nb__gate_state gate;
    assert_true(nb__plant_replay(p->plant, &view, &gate));
    return view;
}

static void command(replayed *p, const nb__replay_command *what)
{
    nb_error error = {0};
    if (nb__plant_replay_command(p->plant, what, &error) != NB_OK)
        fail_msg("%s", error.detail);
}

static void turns(replayed *p, int count)
{
    for (int i = 0; i < count; i++)
        nb__loop_turn(p->loop, 1);
}

/* ---- a live night, and its recording beside it ---- */

static const char *const keys[] = {"B01612A40", "B01612A42", "B01612A45", "C01612A45",
                                   "C01612A47", "B05612A10", "B09611B42"};

static void print_record(nb__text *out, nb__random *random, const char *key, int hhmmss)
{
    unsigned base = (unsigned)nb__random_below(random, 500) + 100;
    unsigned crossed = nb__random_below(random, 50) == 0 ? 30 : 0;
    nb__text_printf(out, "%s^%06d", key, hhmmss);
    for (unsigned i = 1; i <= 3; i++)
        nb__text_printf(out, "^%u.%02u", (base + i) / 100, (base + i) % 100);
    nb__text_string(out, "^0.00^0.00");
    for (unsigned i = 0; i < 3; i++)
        nb__text_printf(out, "^%u.%02u", (base + crossed - i) / 100, (base + crossed - i) % 100);
    nb__text_string(out, "^0.00^0.00");
    for (int i = 0; i < 20; i++)
        nb__text_printf(out, "^%u", (unsigned)nb__random_below(random, i % 5 < 3 ? 90 : 1));
    nb__text_printf(out, "^%u^%u^%u^%u^%u^%d", (unsigned)nb__random_below(random, 300),
                    (unsigned)nb__random_below(random, 300), (unsigned)nb__random_below(random, 9),
                    (unsigned)nb__random_below(random, 9), (unsigned)nb__random_below(random, 40),
                    (int)nb__random_below(random, 40) - 20);
}

static void print_frame(nb__text *out, nb__random *random, int64_t session_ns)
{
    uint64_t what = nb__random_below(random, 40);
    int hhmmss = nb__kst_civil(session_ns).hhmmss;
    uint32_t count =
        nb__random_below(random, 4) == 0 ? 1 + (uint32_t)nb__random_below(random, 4) : 1;
    nb__text_clear(out);
    if (what == 0)
        nb__text_string(out, "0|XTR|001|K1^trade");
    else if (what == 1)
        nb__text_string(out, "0|H0EUASP0|002|B01612A40^1^2^3"); /* cannot be split */
    else if (what == 2)
        nb__text_string(out, "garbage \xff\xfe \\ bytes");
    else if (what == 3)
        hhmmss = 120000; /* far away */
    if (what < 3)
        return;
    nb__text_printf(out, "0|H0EUASP0|%03u|", (unsigned)count);
    size_t first = nb__random_below(random, NB__COUNT_OF(keys));
    for (uint32_t i = 0; i < count; i++) {
        nb__text_string(out, i > 0 ? "^" : "");
        print_record(out, random, keys[(first + i) % NB__COUNT_OF(keys)], hhmmss);
        nb__text_string(out, what == 4 ? "^extra" : ""); /* drift */
    }
}

typedef struct live {
    rig *rig;
    tape *tape;
    stream out;
    nb__random random;
    nb__text text;
} live;

static void cut_a_link(live *l)
{
    rig *r = l->rig;
    int downs = r->downs, ups = r->ups;
    nb__peer *peer = NULL;
    for (size_t i = 0; i < PEERS_MAX; i++)
        peer = r->peers[i] != NULL ? r->peers[i] : peer;
    assert_non_null(peer);
    nb__peer_abort(peer);
    UNTIL(r, r->downs == downs + 1);
    tape_gap(l->tape, r->mark_feed + 1, r->reason, false);
    uint32_t feed = r->mark_feed;
    /* the others go on meanwhile */
    print_frame(&l->text, &l->random, l->tape->now_ns);
    tape_line(l->tape, 2 - feed, NB__JOURNAL_FRAME, l->text.data);
    nb__plant_on_message(r->plant, 1 - feed, l->text.data, l->text.size_bytes, l->tape->now_ns);
    UNTIL(r, r->ups == ups + 1);
    tape_connect(l->tape, feed + 1);
}

static void live_night(live *l)
{
    rig *r = l->rig;
    tape *t = l->tape;
    tape_start(t);
    tape_connect(t, 1);
    tape_connect(t, 2);
    for (int i = 0; i < FRAMES; i++) {
        uint32_t feed = (uint32_t)nb__random_below(&l->random, 2);
        t->now_ns += (int64_t)nb__random_below(&l->random, 28 * (uint64_t)S);
        print_frame(&l->text, &l->random, t->now_ns);
        tape_line(t, feed + 1, NB__JOURNAL_FRAME, l->text.data);
        nb__plant_on_message(r->plant, feed, l->text.data, l->text.size_bytes, t->now_ns);
        if (i % 1000 == 500)
            cut_a_link(l);
    }
    tape_end(t);
}

static void two_appkeys(rig *r)
{
    r->is_clockless = true; /* the frames carry times of the night that the test plays */
    r->has_masters = false;
    r->config.plan.nearest_max = 0;
    r->feeds[1] = r->feeds[0];
    r->config.feed_count = 2;
    start(r);
    UNTIL(r, r->ups == 2);
}

static void expect_same_books(nb__plant *a, nb__plant *b)
{
    uint32_t compared = 0;
    for (uint32_t i = 0; i < nb__topics_count(nb__plant_topics(a)); i++) {
        const nb__topic *name = nb__topics_at(nb__plant_topics(a), i);
        const nb__book *first = nb__books_at(nb__plant_books(a), i);
        const nb__book *second =
            nb__books_at(nb__plant_books(b), nb__topics_find(nb__plant_topics(b), name));
        assert_int_equal(first == NULL, second == NULL);
        if (first == NULL)
            continue;
        compared++;
        assert_true(mix_quote(0, first) == mix_quote(0, second));
    }
    assert_int_equal(compared, NB__COUNT_OF(keys));
}

static void books_come_out_as_they_did_live(void **state)
{
    rig *r = *state;
    tape t;
    static live l;
    static replayed p;
    assert_int_equal(tape_open(&t), 0);
    l = (live){.rig = r, .tape = &t};
    nb__random_init(&l.random, 20261120);
    two_appkeys(r);
    listen_to(&l.out, r->plant);
    live_night(&l);
    assert_true(t.now_ns > at(20261121, 50000)); /* over midnight */
    assert_true(l.out.downs == 3 && l.out.count == FRAMES + 3);
    replay_open(&p, r->loop, &t, INFINITY);
    UNTIL(r, view(&p).is_ended);
    assert_int_equal(p.out.count, l.out.count);
    for (size_t i = 0; i < l.out.count; i++)
        if (p.out.digests[i] != l.out.digests[i])
            fail_msg("frame %zu came out differently", i);
    assert_int_equal(p.out.downs, 3);
    expect_same_books(r->plant, p.plant);
    assert_memory_equal(nb__books_count(nb__plant_books(r->plant)),
                        nb__books_count(nb__plant_books(p.plant)), sizeof(nb__book_counters));
    assert_memory_equal(nb__plant_count(r->plant), nb__plant_count(p.plant),
                        offsetof(nb__plant_counters, topics_refused));
    nb__plant_close(p.plant);
    nb__text_fini(&l.text);
    assert_int_equal(tape_close(&t), 0);
}

/* ---- what a plant does with it ---- */

/* f0, f1 … each 10 ms, with a book's record each. */
static void record_books(tape *t, int frames)
{
    char text[400];
    tape_start(t);
    tape_connect(t, 1);
    for (int i = 0; i < frames; i++) {
        t->now_ns = at(20261120, 180000) + i * 10 * MS;
        snprintf(text, sizeof text, "0|H0EUASP0|001|%s^%s", keys[i % 3], BOOK);
        tape_frame(t, 1, text);
    }
    tape_end(t);
}

static void a_closed_gate_stops_it_and_nothing_is_lost(void **state)
{
    rig *r = *state;
    tape t;
    static replayed p;
    assert_int_equal(tape_open(&t), 0);
    record_books(&t, 100);
    replay_open(&p, r->loop, &t, INFINITY);
    p.gate = NB__GATE_AWAITED;
    nb__plant_set_gate(p.plant, &(nb__gate){&p, look});
    turns(&p, 5);
    assert_int_equal(p.out.count, 0);
    const nb__session_clock *clock = nb__plant_clock(p.plant);
    assert_int_equal(clock->kind, NB__FEED_REPLAY);
    assert_int_equal(clock->at_session_ns, at(20261120, 180000));
    assert_true(clock->speed <= 0);
    int asked = p.asked;
    turns(&p, 3);
    assert_int_equal(p.asked, asked); /* it does not spin */
    nb__plant_pull(p.plant);
    turns(&p, 3);
    assert_int_equal(p.out.count, 0);
    p.gate = NB__GATE_OPEN;
    nb__plant_pull(p.plant);
    UNTIL(r, p.out.count == 100);
    assert_true(p.asked >= 100); /* before each frame */
    assert_int_equal(p.out.recv_ns, at(20261120, 180000) + 990 * MS);
    nb__plant_set_gate(p.plant, NULL);
    nb__plant_close(p.plant);
    assert_int_equal(tape_close(&t), 0);
}

/* Clients, signals and requests have their turn, whatever little there is to play. */
static void a_turn_has_an_end(void **state)
{
    rig *r = *state;
    tape t;
    static replayed p;
    assert_int_equal(tape_open(&t), 0);
    tape_start(&t);
    tape_connect(&t, 1);
    tape_frame(&t, 1, "0|T|001|a");
    for (int i = 0; i < 10000; i++)
        tape_gap(&t, 1, "lost", true), tape_connect(&t, 1);
    tape_end(&t);
    replay_open(&p, r->loop, &t, INFINITY);
    UNTIL(r, p.out.count == 1);
    turns(&p, 1);
    assert_in_range(p.out.downs, 1, 9000);
    UNTIL(r, p.out.downs == 10000);
    nb__plant_close(p.plant);
    assert_int_equal(tape_close(&t), 0);
}

static void a_round_has_a_turn_of_its_own(void **state)
{
    rig *r = *state;
    tape t;
    static replayed p;
    assert_int_equal(tape_open(&t), 0);
    record_books(&t, 1);
    replay_open_as(&p, r->loop, &t, INFINITY, true);
    turns(&p, 2);
    uint64_t rounds = view(&p).rounds;
    turns(&p, 10);
    assert_in_range(view(&p).rounds, rounds + 5, rounds + 10);
    nb__plant_close(p.plant);
    assert_int_equal(tape_close(&t), 0);
}

static void any_key_is_taken_at_once(void **state)
{
    rig *r = *state;
    tape t;
    static replayed p;
    assert_int_equal(tape_open(&t), 0);
    record_books(&t, 1);
    replay_open(&p, r->loop, &t, 1);
    turns(&p, 2);
    assert_true(nb__plant_is_up(p.plant));
    for (int i = 0; i < 200; i++) {
        char key[16];
        nb__topic topic;
        snprintf(key, sizeof key, "K%d", i);
        assert_true(nb__topic_make(NB__SPAN("H0EUASP0"), nb__span(key), &topic));
        uint32_t index = nb__topics_intern(nb__plant_topics(p.plant), &topic);
        assert_int_equal(nb__plant_want(p.plant, index), NB_OK);
    }
    turns(&p, 3);
    for (uint32_t i = 0; i < 200; i++)
        assert_int_equal(nb__plant_registration(p.plant, i)->state,
                         i == 0 ? NB__REG_NONE : NB__REG_CONFIRMED);
    nb__plant_shutdown(p.plant);
    UNTIL(r, !nb__plant_is_up(p.plant));
    nb__plant_close(p.plant);
    assert_int_equal(tape_close(&t), 0);
}

static void another_place_forgets_the_books(void **state)
{
    rig *r = *state;
    tape t;
    static replayed p;
    nb_error error = {0};
    assert_int_equal(tape_open(&t), 0);
    record_books(&t, 200);
    replay_open(&p, r->loop, &t, INFINITY);
    UNTIL(r, view(&p).is_ended);
    uint32_t topic = 0;
    while (nb__books_at(nb__plant_books(p.plant), topic) == NULL)
        topic++;
    command(&p, &(nb__replay_command){
                    .seek = NB__SPAN("18:00:01"), .has_pause = true, .is_paused = true});
    assert_int_equal(p.out.moves, 1);
    assert_non_null(strstr(p.out.reason, "2026-11-20T18:00:01.000"));
    assert_null(nb__books_at(nb__plant_books(p.plant), topic));
    assert_int_equal(nb__plant_clock(p.plant)->at_session_ns, at(20261120, 180001));
    turns(&p, 3);
    assert_int_equal(p.out.count, 200);
    command(&p, &(nb__replay_command){.step = 3});
    UNTIL(r, p.out.count == 203);
    turns(&p, 3);
    assert_int_equal(p.out.count, 203);
    assert_int_equal(p.out.recv_ns, at(20261120, 180001) + 20 * MS);
    assert_int_equal(
        nb__plant_replay_command(
            p.plant, &(nb__replay_command){.seek = NB__SPAN("03:00"), .step = 9}, &error),
        NB_E_ARGUMENT);
    assert_non_null(strstr(error.detail, "outside"));
    turns(&p, 3);
    assert_int_equal(p.out.count, 203); /* not half of a command */
    command(&p, &(nb__replay_command){.has_speed = true, .speed = 1, .has_pause = true});
    int64_t begin_ns = nb__clock_mono_ns();
    UNTIL(r, p.out.count == 300);
    int64_t took_ns = nb__clock_mono_ns() - begin_ns;
    assert_true(took_ns > 950 * MS && took_ns < 3 * S); /* 97 of 10 ms each */
    nb__plant_close(p.plant);
    assert_int_equal(tape_close(&t), 0);
}

static void keys_that_end_and_holes_make_books_stale(void **state)
{
    rig *r = *state;
    tape t;
    static replayed p;
    nb__text text = {0};
    nb__journal_answer answer = {.tr_id = "H0EUASP0",
                                 .tr_key = "B01612A40",
                                 .rt_cd = "0",
                                 .msg_cd = "OPSP0001",
                                 .msg1 = "UNSUBSCRIBE SUCCESS"};
    nb__journal_disk disk = {.reason = "full"};
    assert_int_equal(tape_open(&t), 0);
    tape_start(&t);
    tape_connect(&t, 1);
    tape_frame(&t, 1, "0|H0EUASP0|001|B01612A40^" BOOK);
    tape_frame(&t, 1, "0|H0EUASP0|001|B01612A42^" BOOK);
    nb__journal_answer_print(&answer, &text);
    tape_text(&t, 1, NB__JOURNAL_ANSWER, &text);
    t.now_ns += S / 2;
    tape_line(&t, 1, NB__JOURNAL_PINGPONG, "{}");
    nb__journal_disk_print(&disk, &text);
    tape_text(&t, 0, NB__JOURNAL_DISK, &text);
    tape_frame(&t, 1, "0|XTR|001|K^1");
    tape_end(&t);
    replay_open(&p, r->loop, &t, 1);
    UNTIL(r, p.out.count == 2);
    turns(&p, 3);
    const nb__books *books = nb__plant_books(p.plant);
    assert_true(nb__books_at(books, 0)->quote.flags & NB_BOOK_STALE);
    assert_false(nb__books_at(books, 1)->quote.flags & NB_BOOK_STALE);
    UNTIL(r, p.out.holes == 1);
    assert_true(nb__books_at(books, 1)->quote.flags & NB_BOOK_STALE);
    UNTIL(r, p.out.count == 3);
    nb__plant_close(p.plant);
    assert_int_equal(tape_close(&t), 0);
}

static void times_between_frames_are_kept(void **state)
{
    rig *r = *state;
    tape t;
    static replayed p;
    int64_t errors_ns[100], last_ns = 0;
    int count = 0;
    assert_int_equal(tape_open(&t), 0);
    record_books(&t, 100);
    replay_open(&p, r->loop, &t, 1);
    for (size_t seen = 0; seen < 100;) {
        nb__loop_turn(r->loop, -1);
        int64_t now_ns = nb__clock_mono_ns();
        if (p.out.count == seen)
            continue;
        if (seen > 0)
            errors_ns[count++] = llabs(now_ns - last_ns - (int64_t)(p.out.count - seen) * 10 * MS);
        last_ns = now_ns;
        seen = p.out.count;
    }
    for (int i = 0; i < count; i++) /* the median */
        for (int j = i + 1; j < count; j++)
            if (errors_ns[j] < errors_ns[i]) {
                int64_t swap = errors_ns[i];
                errors_ns[i] = errors_ns[j];
                errors_ns[j] = swap;
            }
    if (errors_ns[count / 2] >= MS)
        fail_msg("median error %lld ns", (long long)errors_ns[count / 2]);
    print_message("median error of the times between frames: %lld us\n",
                  (long long)errors_ns[count / 2] / 1000);
    nb__plant_close(p.plant);
    assert_int_equal(tape_close(&t), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)
    const struct CMUnitTest tests[] = {
        TEST(books_come_out_as_they_did_live),
        TEST(a_closed_gate_stops_it_and_nothing_is_lost),
        TEST(a_turn_has_an_end),
        TEST(a_round_has_a_turn_of_its_own),
        TEST(any_key_is_taken_at_once),
        TEST(another_place_forgets_the_books),
        TEST(keys_that_end_and_holes_make_books_stale),
        TEST(times_between_frames_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
