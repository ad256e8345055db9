/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets which bytes, in which order, in how many writes, whatever the sockets take at a time. */
#include "allocations.h"
#include "fake_peers.h"
#include <stdio.h>

#define SMALL_RING (1u << 16)

static void one_key_passes_as_it_came(void **state)
{
    (void)state;
    fake f;
    fake_peer a = {0}, b = {0}, star = {0};
    size_t at_a = 0, at_b = 0, at_star = 0;
    fake_open(&f, SMALL_RING, 256, 64);
    fake_join(&f, &a);
    fake_join(&f, &b);
    fake_join(&f, &star);
    fake_subscribe(&f, &a, "XTR", "K1");
    fake_subscribe(&f, &b, "XTR", "K2");
    fake_subscribe(&f, &star, "XTR", "*");
    fake_frame(&f, "0|XTR|001|K1^1");
    fake_frame(&f, "0|XTR|002|K2^1^K2^2^");
    fake_frame(&f, "0|OTHER|001|K1^1");
    fan_flush(&f.fan);
    FAKE_EXPECT(&a, &at_a, "0|XTR|001|K1^1");
    FAKE_EXPECT(&b, &at_b, "0|XTR|002|K2^1^K2^2^");
    FAKE_EXPECT(&star, &at_star, "0|XTR|001|K1^1", "0|XTR|002|K2^1^K2^2^");
    assert_int_equal(a.writes, 1);
    assert_int_equal(star.writes, 1);
    fake_leave(&f, &a);
    fake_leave(&f, &b);
    fake_leave(&f, &star);
    fake_close(&f);
}

static void keys_that_differ_are_parted(void **state)
{
    (void)state;
    fake f;
    fake_peer a = {0}, both = {0}, star = {0};
    size_t at_a = 0, at_both = 0, at_star = 0;
    fake_open(&f, SMALL_RING, 256, 64);
    fake_join(&f, &a);
    fake_join(&f, &both);
    fake_join(&f, &star);
    fake_subscribe(&f, &a, "XTR", "K1");
    fake_subscribe(&f, &both, "XTR", "K1");
    fake_subscribe(&f, &both, "XTR", "K2");
    fake_subscribe(&f, &star, "*", "*");
    fake_frame(&f, "0|XTR|004|K1^1^K2^1^K3^9^K1^2");
    fan_flush(&f.fan);
    FAKE_EXPECT(&a, &at_a, "0|XTR|002|K1^1^K1^2");
    FAKE_EXPECT(&both, &at_both, "0|XTR|002|K1^1^K1^2", "0|XTR|001|K2^1");
    FAKE_EXPECT(&star, &at_star, "0|XTR|004|K1^1^K2^1^K3^9^K1^2");
    fake_leave(&f, &a);
    fake_leave(&f, &both);
    fake_leave(&f, &star);
    fake_close(&f);
}

static void what_cannot_be_split_goes_to_its_first_key(void **state)
{
    (void)state;
    fake f;
    fake_peer a = {0}, b = {0}, notices = {0};
    size_t at_a = 0, at_b = 0, at_notices = 0;
    fake_open(&f, SMALL_RING, 256, 64);
    fake_join(&f, &a);
    fake_join(&f, &b);
    fake_join(&f, &notices);
    fake_subscribe(&f, &a, "XTR", "K1");
    fake_subscribe(&f, &b, "XTR", "K2");
    fake_subscribe(&f, &notices, "H0EUCNI0", "myhtsid");
    fake_frame(&f, "0|XTR|002|K1^1^K2^1^K3");
    fake_frame(&f, "1|H0EUCNI0|001|U0lOVEhFVElDLUNJUEhFUlRFWFQ=");
    fan_flush(&f.fan);
    FAKE_EXPECT(&a, &at_a, "0|XTR|002|K1^1^K2^1^K3");
    fake_expect(&b, &at_b, (const char *const[]){NULL});
    FAKE_EXPECT(&notices, &at_notices, "1|H0EUCNI0|001|U0lOVEhFVElDLUNJUEhFUlRFWFQ=");
    fake_leave(&f, &a);
    fake_leave(&f, &b);
    fake_leave(&f, &notices);
    fake_close(&f);
}

static void a_star_and_a_key_give_each_frame_once(void **state)
{
    (void)state;
    fake f;
    fake_peer c = {0};
    size_t at = 0;
    fake_open(&f, SMALL_RING, 256, 64);
    fake_join(&f, &c);
    fake_subscribe(&f, &c, "XTR", "K1");
    fake_frame(&f, "0|XTR|001|K1^0");
    fake_subscribe(&f, &c, "XTR", "*");
    fake_subscribe(&f, &c, "YTR", "K1");
    fake_frame(&f, "0|XTR|001|K1^1");
    fake_frame(&f, "0|YTR|001|K1^2");
    fake_frame(&f, "0|YTR|001|K2^3");
    fake_frame(&f, "0|YTR|002|K1^4^K2^4");
    fake_frame(&f, "0|XTR|002|K1^5^K2^5");
    fake_unsubscribe(&f, &c, "XTR", "*");
    fake_frame(&f, "0|XTR|001|K2^6");
    fake_frame(&f, "0|XTR|001|K1^7");
    fan_flush(&f.fan);
    FAKE_EXPECT(&c, &at, "0|XTR|001|K1^0", "0|XTR|001|K1^1", "0|YTR|001|K1^2", "0|YTR|001|K1^4",
                "0|XTR|002|K1^5^K2^5", "0|XTR|001|K1^7");
    fake_leave(&f, &c);
    fake_close(&f);
}

static void answers_keep_their_place_when_the_socket_is_full(void **state)
{
    (void)state;
    fake f;
    fake_peer c = {0};
    size_t at = 0;
    fake_open(&f, SMALL_RING, 256, 64);
    fake_join(&f, &c);
    fake_subscribe(&f, &c, "XTR", "K1");
    c.room_bytes = 5; /* cuts the first frame */
    fake_frame(&f, "0|XTR|001|K1^1");
    fan_flush(&f.fan);
    assert_true(c.client.is_blocked);
    fake_frame(&f, "0|XTR|001|K1^2");
    fan_send(&f.fan, &c.client, NB__SPAN("answer"));
    fake_unsubscribe(&f, &c, "XTR", "K1");
    fan_send(&f.fan, &c.client, NB__SPAN("gone"));
    fake_frame(&f, "0|XTR|001|K1^3");
    fan_flush(&f.fan);
    fake_drain(&f, &c, SIZE_MAX);
    fan_flush(&f.fan);
    FAKE_EXPECT(&c, &at, "0|XTR|001|K1^1", "0|XTR|001|K1^2", "answer", "gone");
    fake_leave(&f, &c);
    fake_close(&f);
}

static void who_waits_for_an_answer_gets_no_frames(void **state)
{
    (void)state;
    fake f;
    fake_peer c = {0};
    size_t at = 0;
    fake_open(&f, SMALL_RING, 256, 64);
    fake_join(&f, &c);
    uint32_t topic = fake_topic(&f, "XTR", "K1");
    assert_int_equal(fan_subscribe(&f.fan, &c.client, topic, false, true), NB_OK);
    fake_frame(&f, "0|XTR|001|K1^1");
    fan_activate(&f.fan, &c.client, fan_subscription_find(&c.client, topic));
    fake_frame(&f, "0|XTR|001|K1^2");
    fan_flush(&f.fan);
    FAKE_EXPECT(&c, &at, "0|XTR|001|K1^2");
    fake_leave(&f, &c);
    fake_close(&f);
}

static void tidy_is_one_record_of_the_documented_width(void **state)
{
    (void)state;
    fake f;
    fake_peer tidy = {0}, plain = {0}, star = {0};
    size_t at_tidy = 0, at_plain = 0, at_star = 0;
    char one[256], two[256], wide[300], both[600], first[300], second[300], cut[320];
    fake_open(&f, SMALL_RING, 256, 64);
    fake_book(one, "K1", 1);
    fake_book(two, "K2", 2);
    snprintf(wide, sizeof wide, "%s^EXTRA^7", one);
    fake_join(&f, &plain);
    fake_subscribe(&f, &plain, "H0EUASP0", "K1");
    snprintf(cut, sizeof cut, "0|H0EUASP0|001|%s", wide);
    fake_frame(&f, cut); /* before any tidy client is there */
    tidy.client.is_tidy = star.client.is_tidy = true;
    fake_join(&f, &tidy);
    fake_join(&f, &star);
    fake_subscribe(&f, &tidy, "H0EUASP0", "K1");
    fake_subscribe(&f, &star, "H0EUASP0", "*");
    fan_send_last(&f.fan, &tidy.client, fake_topic(&f, "H0EUASP0", "K1"));
    fan_send_last(&f.fan, &plain.client, fake_topic(&f, "H0EUASP0", "K1"));
    snprintf(both, sizeof both, "0|H0EUASP0|002|%s^EXTRA^7^%s^EXTRA^7", one, two);
    snprintf(first, sizeof first, "0|H0EUASP0|001|%s", one);
    snprintf(second, sizeof second, "0|H0EUASP0|001|%s", two);
    fake_frame(&f, both);
    fake_frame(&f, first);
    fan_flush(&f.fan);
    FAKE_EXPECT(&tidy, &at_tidy, first, first, first);
    FAKE_EXPECT(&star, &at_star, first, second, first);
    FAKE_EXPECT(&plain, &at_plain, cut, cut, cut, first);
    fake_leave(&f, &tidy);
    fake_leave(&f, &star);
    fake_frame(&f, cut); /* nobody is tidy now; the next one makes nobody cut all values again */
    nb_span kept = fan_last(&f.fan.topics[fake_topic(&f, "H0EUASP0", "K1")], true);
    assert_int_equal(kept.size_bytes, 4 + strlen(first));
    fake_leave(&f, &plain);
    fake_close(&f);
}

static void last_values_come_once_and_never_go_back(void **state)
{
    (void)state;
    fake f;
    fake_peer star = {0};
    size_t at = 0;
    fake_open(&f, SMALL_RING, 256, 64);
    fake_frame(&f, "0|XTR|001|K1^1");
    fake_frame(&f, "0|XTR|002|K2^1^K3^1");
    fake_frame(&f, "0|YTR|001|K4^1");
    fake_join(&f, &star);
    star.room_bytes = 0;
    fake_subscribe(&f, &star, "XTR", "*");
    fan_send(&f.fan, &star.client, NB__SPAN("SUCCESS"));
    fan_send_all_last(&f.fan, &star.client);
    fan_flush(&f.fan);
    fake_frame(&f, "0|XTR|001|K2^2");
    fake_drain(&f, &star, SIZE_MAX);
    fan_flush(&f.fan);
    FAKE_EXPECT(&star, &at, "SUCCESS", "0|XTR|001|K2^2", "0|XTR|001|K1^1", "0|XTR|001|K3^1");
    fake_frame(&f, "0|XTR|001|K1^2");
    fan_flush(&f.fan);
    FAKE_EXPECT(&star, &at, "0|XTR|001|K1^2");
    fake_leave(&f, &star);
    fake_close(&f);
}

static void the_slow_are_closed_and_nobody_else_notices(void **state)
{
    (void)state;
    fake f;
    fake_peer slow = {0}, star = {0}, good = {0};
    size_t at = 0, count = 0;
    nb_span text;
    fake_open(&f, SMALL_RING, 256, 64);
    fake_join(&f, &slow);
    fake_join(&f, &star);
    fake_join(&f, &good);
    slow.room_bytes = star.room_bytes = 0;
    fake_subscribe(&f, &slow, "XTR", "K1");
    fake_subscribe(&f, &star, "XTR", "*");
    fake_subscribe(&f, &good, "XTR", "K1");
    for (int i = 0; i < 1000; i++) {
        fake_frame(&f, "0|XTR|001|K1^1");
        fan_flush(&f.fan);
        assert_int_equal(slow.is_slow, i >= 64);
    }
    assert_true(star.is_slow); /* the ring has gone past it */
    assert_false(good.is_slow);
    assert_int_equal(f.counters.slow_closed, 2);
    while (fake_next(&good, &at, &text))
        count++;
    assert_int_equal(count, 1000);
    fake_leave(&f, &slow);
    fake_leave(&f, &star);
    fake_leave(&f, &good);
    fake_close(&f);
}

/* ---- conflation ---- */

/* Receives while slow; then each key's newest value has come, no key ever went back, and nothing
 * else is lost. */
static void check_conflated(const fake_peer *peer, const unsigned newest[10], unsigned trades,
                            unsigned answers)
{
    unsigned seen[10] = {0}, next_trade = 0, next_answer = 0;
    size_t at = 0;
    nb_span text;
    while (fake_next(peer, &at, &text)) {
        char copy[512];
        unsigned key, number;
        assert_true(nb__span_copy(text, copy, sizeof copy));
        if (sscanf(copy, "0|H0EUASP0|001|K%u^190159^%u.00", &key, &number) == 2) {
            assert_true(number >= seen[key]);
            seen[key] = number;
        } else if (sscanf(copy, "0|XTR|001|K0^%u", &number) == 1) {
            assert_int_equal(number, next_trade++);
        } else {
            assert_int_equal(sscanf(copy, "answer %u", &number), 1);
            assert_int_equal(number, next_answer++);
        }
    }
    for (unsigned key = 0; key < 10; key++)
        assert_int_equal(seen[key], newest[key]);
    assert_int_equal(next_trade, trades);
    assert_int_equal(next_answer, answers);
}

static void conflate(bool is_star, uint64_t seed)
{
    fake f;
    fake_peer c = {.client = {.is_conflating = true}};
    unsigned newest[10] = {0}, trades = 0, answers = 0;
    char record[256], frame[300];
    nb__random random;
    nb__random_init(&random, seed);
    fake_open(&f, 1u << 18, 2048, 512);
    fake_join(&f, &c);
    if (is_star) {
        fake_subscribe(&f, &c, "H0EUASP0", "*");
        fake_subscribe(&f, &c, "XTR", "K0");
    }
    for (unsigned key = 0; key < 10 && !is_star; key++) {
        snprintf(record, sizeof record, "K%u", key);
        fake_subscribe(&f, &c, "H0EUASP0", record);
    }
    if (!is_star)
        fake_subscribe(&f, &c, "XTR", "K0");
    for (unsigned i = 1; i < 20000; i++) {
        unsigned key = (unsigned)nb__random_below(&random, 10);
        char name[8];
        snprintf(name, sizeof name, "K%u", key);
        fake_book(record, name, i);
        snprintf(frame, sizeof frame, "0|H0EUASP0|001|%s", record);
        fake_frame(&f, frame);
        newest[key] = i;
        if (i % 64 == 0) {
            snprintf(frame, sizeof frame, "0|XTR|001|K0^%u", trades++);
            fake_frame(&f, frame);
        }
        if (i % 500 == 0) {
            snprintf(frame, sizeof frame, "answer %u", answers++);
            fan_send(&f.fan, &c.client, nb__span(frame));
        }
        if (i % 16 == 0)
            fan_flush(&f.fan);
        if (i % 64 == 0)
            fake_drain(&f, &c, (size_t)nb__random_below(&random, 3000));
        assert_false(c.is_slow);
    }
    fan_flush(&f.fan);
    while (c.client.is_blocked || c.is_write_wanted) {
        fake_drain(&f, &c, 777);
        fan_flush(&f.fan);
    }
    check_conflated(&c, newest, trades, answers);
    assert_true(f.counters.conflated > 1000);
    fake_leave(&f, &c);
    fake_close(&f);
}

/* Who is waited for may have more than pending_max waiting, but not more than there is. */
static void what_waits_for_the_awaited_has_an_end(void **state)
{
    (void)state;
    fake f;
    fake_peer deaf = {0};
    fake_open(&f, SMALL_RING, 256, 64);
    f.fan.is_patient = true;
    fake_join(&f, &deaf);
    deaf.room_bytes = 0;
    for (int i = 0; i < 200; i++) {
        fan_send(&f.fan, &deaf.client, NB__SPAN("an answer"));
        fan_flush(&f.fan);
    }
    assert_false(deaf.is_slow); /* over 64 */
    for (int i = 0; i < 10000 && !deaf.is_slow; i++) {
        fan_send(&f.fan, &deaf.client, NB__SPAN("an answer"));
        fan_flush(&f.fan);
    }
    assert_true(deaf.is_slow);
    assert_true(f.fan.ring.head < 300);
    fake_leave(&f, &deaf);
    fake_close(&f);
}

static void conflation_brings_the_latest_of_each_key(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        conflate(false, seed);
        conflate(true, seed);
    }
}

static void what_is_no_book_does_not_conflate(void **state)
{
    (void)state;
    fake f;
    fake_peer c = {.client = {.is_conflating = true}};
    fake_open(&f, SMALL_RING, 1024, 300);
    fake_join(&f, &c);
    c.room_bytes = 0;
    fake_subscribe(&f, &c, "XTR", "K1");
    for (int i = 0; i < 400; i++) {
        fake_frame(&f, "0|XTR|001|K1^1");
        fan_flush(&f.fan);
    }
    assert_true(c.is_slow);
    fake_leave(&f, &c);
    fake_close(&f);
}

/* ---- against a model: random clients, subscriptions, frames, answers, and sockets that take
 * random amounts ---- */

#define MODEL_CLIENTS 12
#define MODEL_KEYS 6

typedef struct model_client {
    fake_peer peer;
    nb__text expected;                                /* messages, each with a NUL */
    bool is_subscribed[2][MODEL_KEYS], is_starred[3]; /* the third: every TR */
} model_client;

static const char *const model_trs[] = {"XTR", "YTR", "*"};

static void model_expect(model_client *c, const char *text)
{
    nb__text_append(&c->expected, text, strlen(text) + 1);
}

static void model_frame(fake *f, model_client *clients, nb__random *random, unsigned *number)
{
    char frame[256], part[256], keyed[32];
    unsigned tr = (unsigned)nb__random_below(random, 2),
             count = 1 + (unsigned)nb__random_below(random, 3), keys[3];
    int at = snprintf(frame, sizeof frame, "0|%s|%03u|", model_trs[tr], count);
    bool is_one_key = true;
    unsigned first_number = *number + 1;
    for (unsigned i = 0; i < count; i++) {
        keys[i] = (unsigned)nb__random_below(random, MODEL_KEYS);
        is_one_key &= keys[i] == keys[0];
        at += snprintf(frame + at, sizeof frame - (size_t)at, "%sK%u^%u", i == 0 ? "" : "^",
                       keys[i], ++*number);
    }
    fake_frame(f, frame);
    for (unsigned n = 0; n < MODEL_CLIENTS; n++) {
        model_client *c = &clients[n];
        if (c->is_starred[tr] || c->is_starred[2]) {
            model_expect(c, frame);
            continue;
        }
        for (unsigned i = 0; i < count; i++) {
            unsigned own = 0;
            bool is_first = true;
            if (!c->is_subscribed[tr][keys[i]])
                continue;
            part[0] = '\0';
            for (unsigned j = 0; j < count; j++) {
                is_first &= j >= i || keys[j] != keys[i];
                if (keys[j] != keys[i])
                    continue;
                snprintf(keyed, sizeof keyed, "%sK%u^%u", own++ == 0 ? "" : "^", keys[j],
                         first_number + j);
                strncat(part, keyed, sizeof part - strlen(part) - 1);
            }
            if (!is_first)
                continue;
            char whole[300];
            snprintf(whole, sizeof whole, "0|%s|%03u|%s", model_trs[tr], own, part);
            model_expect(c, is_one_key ? frame : whole);
        }
    }
}

static void model_change(fake *f, model_client *c, nb__random *random)
{
    unsigned tr = (unsigned)nb__random_below(random, 2),
             key = (unsigned)nb__random_below(random, MODEL_KEYS);
    char name[8];
    bool *flag;
    if (nb__random_below(random, 4) == 0) {
        tr = (unsigned)nb__random_below(random, 3);
        flag = &c->is_starred[tr];
        snprintf(name, sizeof name, "*");
    } else {
        flag = &c->is_subscribed[tr][key];
        snprintf(name, sizeof name, "K%u", key);
    }
    *flag = !*flag;
    if (*flag)
        fake_subscribe(f, &c->peer, model_trs[tr], name);
    else
        fake_unsubscribe(f, &c->peer, model_trs[tr], name);
    fan_send(&f->fan, &c->peer.client, *flag ? NB__SPAN("subscribed") : NB__SPAN("unsubscribed"));
    model_expect(c, *flag ? "subscribed" : "unsubscribed");
}

static void model_check(const model_client *c)
{
    size_t at = 0, expected = 0;
    nb_span text;
    while (fake_next(&c->peer, &at, &text)) {
        assert_true(expected < c->expected.size_bytes);
        const char *want = c->expected.data + expected;
        assert_int_equal(text.size_bytes, strlen(want));
        assert_memory_equal(text.data, want, text.size_bytes);
        expected += strlen(want) + 1;
    }
    assert_int_equal(expected, c->expected.size_bytes);
}

static void every_client_gets_exactly_its_messages(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        fake f;
        model_client *clients = calloc(MODEL_CLIENTS, sizeof *clients);
        nb__random random;
        unsigned number = 0;
        nb__random_init(&random, seed);
        fake_open(&f, 1u << 20, 1u << 15, 1u << 14);
        for (unsigned n = 0; n < MODEL_CLIENTS; n++)
            fake_join(&f, &clients[n].peer);
        for (unsigned i = 0; i < 3000; i++) {
            model_client *c = &clients[nb__random_below(&random, MODEL_CLIENTS)];
            switch (nb__random_below(&random, 8)) {
            case 0:
                model_change(&f, c, &random);
                break;
            case 1:
                fan_flush(&f.fan);
                break;
            case 3:
                fan_send(&f.fan, &c->peer.client, NB__SPAN("between"));
                model_expect(c, "between");
                break;
            case 2:
                fake_drain(&f, &c->peer, (size_t)nb__random_below(&random, 200));
                break;
            default:
                model_frame(&f, clients, &random, &number);
            }
        }
        for (unsigned n = 0; n < MODEL_CLIENTS; n++) {
            fan_flush(&f.fan);
            while (clients[n].peer.client.is_blocked) {
                fake_drain(&f, &clients[n].peer, SIZE_MAX);
                fan_flush(&f.fan);
            }
            model_check(&clients[n]);
            nb__text_fini(&clients[n].expected);
        }
        for (unsigned n = 0; n < MODEL_CLIENTS; n++)
            fake_leave(&f, &clients[n].peer);
        assert_int_equal(f.fan.star_count, 0);
        for (uint32_t t = 0; t < f.fan.topic_count; t++)
            assert_int_equal(f.fan.topics[t].subscriber_count, 0);
        fake_close(&f);
        free(clients);
    }
}

/* ---- cost ---- */

static void a_turn_is_one_write_a_client_and_no_allocation(void **state)
{
    (void)state;
    fake f;
    fake_peer *peers = calloc(64, sizeof *peers);
    char key[8], frame[300], record[256];
    fake_open(&f, 1u << 20, 1u << 13, 1024);
    for (unsigned n = 0; n < 64; n++) {
        fake_join(&f, &peers[n]);
        nb__text_reserve(&peers[n].received,
                         4u << 20); /* the fake's own memory is not what is counted */
        for (unsigned k = 0; k < 10 && n % 2 == 0; k++) {
            snprintf(key, sizeof key, "K%u", k);
            fake_subscribe(&f, &peers[n], "H0EUASP0", key);
        }
        if (n % 2 == 1)
            fake_subscribe(&f, &peers[n], "H0EUASP0", "*");
    }
    for (unsigned round = 0; round < 101; round++) {
        uint64_t writes = f.counters.writes, deliveries = f.counters.deliveries;
#if COUNTS_ALLOCATIONS
        uint64_t before = allocations;
#endif
        for (unsigned i = 0; i < 40; i++) {
            snprintf(key, sizeof key, "K%u", i % 10);
            fake_book(record, key, i);
            snprintf(frame, sizeof frame, "0|H0EUASP0|001|%s", record);
            fake_frame(&f, frame);
        }
        fan_flush(&f.fan);
        if (round == 0)
            continue; /* topics and lists are made */
#if COUNTS_ALLOCATIONS
        assert_int_equal(allocations - before, 0);
#endif
        assert_int_equal(f.counters.writes - writes, 64);
        assert_int_equal(f.counters.deliveries - deliveries, 64 * 40);
    }
    for (unsigned n = 0; n < 64; n++)
        fake_leave(&f, &peers[n]);
    free(peers);
    fake_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_key_passes_as_it_came),
        cmocka_unit_test(keys_that_differ_are_parted),
        cmocka_unit_test(what_cannot_be_split_goes_to_its_first_key),
        cmocka_unit_test(a_star_and_a_key_give_each_frame_once),
        cmocka_unit_test(answers_keep_their_place_when_the_socket_is_full),
        cmocka_unit_test(who_waits_for_an_answer_gets_no_frames),
        cmocka_unit_test(tidy_is_one_record_of_the_documented_width),
        cmocka_unit_test(last_values_come_once_and_never_go_back),
        cmocka_unit_test(the_slow_are_closed_and_nobody_else_notices),
        cmocka_unit_test(what_waits_for_the_awaited_has_an_end),
        cmocka_unit_test(conflation_brings_the_latest_of_each_key),
        cmocka_unit_test(what_is_no_book_does_not_conflate),
        cmocka_unit_test(every_client_gets_exactly_its_messages),
        cmocka_unit_test(a_turn_is_one_write_a_client_and_no_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
