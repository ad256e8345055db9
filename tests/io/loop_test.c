/* SPDX-License-Identifier: Apache-2.0 */
/* The loop alone: timers, hooks, watches that go away, signals, and that nothing wakes an idle
 * loop. */
#include "guard.h"
#include "io/io.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static nb__loop *loop_new(void)
{
    nb__loop *loop;
    assert_int_equal(nb__loop_new(&loop, NULL), NB_OK);
    return loop;
}

/* ---- timers ---- */

typedef struct alarm_clock {
    nb__timer timer;
    int id;
} alarm_clock;

static int fired[4096], fired_count;

static void alarm_fire(nb__timer *timer, int64_t now_mono_ns)
{
    assert_true(now_mono_ns >= timer->at_mono_ns);
    fired[fired_count++] = ((alarm_clock *)timer)->id;
}

static void timers_fire_in_order_and_can_be_moved_and_cancelled(void **state)
{
    (void)state;
    nb__loop *loop = loop_new();
    static alarm_clock clocks[500];
    memset(clocks, 0, sizeof clocks);
    int64_t base = nb__clock_mono_ns() - NB__NS_PER_S;
    fired_count = 0;
    nb__random random;
    nb__random_init(&random, 7);
    for (int i = 0; i < 500; i++) {
        clocks[i] = (alarm_clock){{.fire = alarm_fire}, i};
        nb__timer_set(loop, &clocks[i].timer, (int64_t)nb__random_below(&random, 1000));
    }
    for (int i = 0; i < 500; i++) /* moved: 0 last … 499 first; every tenth then cancelled */
        nb__timer_set(loop, &clocks[i].timer, base - i);
    for (int i = 0; i < 500; i += 10)
        nb__timer_cancel(loop, &clocks[i].timer);
    nb__timer_cancel(loop, &clocks[0].timer); /* again: harmless */
    nb__loop_turn(loop, 0);
    assert_int_equal(fired_count, 450);
    for (int i = 1; i < fired_count; i++)
        assert_true(fired[i] < fired[i - 1]);
    nb__loop_free(loop);
}

typedef struct repeater {
    nb__timer timer;
    nb__loop *loop;
    int count;
} repeater;

static void repeat_fire(nb__timer *timer, int64_t now_mono_ns)
{
    repeater *r = (repeater *)timer;
    r->count++;
    nb__timer_set(r->loop, timer, now_mono_ns); /* due at once: must not hang the turn */
}

static void a_timer_that_sets_itself_again_waits_for_the_next_turn(void **state)
{
    (void)state;
    repeater r = {{.fire = repeat_fire}, loop_new(), 0};
    nb__timer_set(r.loop, &r.timer, 0);
    nb__loop_turn(r.loop, -1);
    assert_int_equal(r.count, 1);
    nb__loop_turn(r.loop, -1);
    assert_int_equal(r.count, 2);
    nb__loop_free(r.loop);
}

/* One that is late and catches up must neither fire twice in a turn nor keep others from firing. */
static void past_fire(nb__timer *timer, int64_t now_mono_ns)
{
    (void)now_mono_ns;
    repeater *r = (repeater *)timer;
    r->count++;
    nb__timer_set(r->loop, timer, 1);
}

static void a_timer_set_into_the_past_starves_no_other(void **state)
{
    (void)state;
    nb__loop *loop = loop_new();
    repeater late = {{.fire = past_fire}, loop, 0};
    alarm_clock other = {{.fire = alarm_fire}, 1}, third = {{.fire = alarm_fire}, 2};
    fired_count = 0;
    nb__timer_set(loop, &late.timer, 0);
    nb__timer_set(loop, &other.timer, 2);
    nb__timer_set(loop, &third.timer, 3);
    nb__loop_turn(loop, -1);
    assert_int_equal(late.count, 1);
    assert_int_equal(fired_count, 2);
    nb__loop_turn(loop, -1);
    assert_int_equal(late.count, 2);
    nb__loop_free(loop);
}

static void an_idle_loop_makes_no_wake_ups(void **state)
{
    (void)state;
    nb__loop *loop = loop_new();
    alarm_clock clock = {{.fire = alarm_fire}, 1};
    struct rusage before, after;
    fired_count = 0;
    int64_t start = nb__clock_mono_ns();
    nb__timer_set(loop, &clock.timer, start + 300 * NB__NS_PER_MS);
    getrusage(RUSAGE_SELF, &before);
    nb__loop_turn(loop, -1); /* one turn, one wait */
    getrusage(RUSAGE_SELF, &after);
    assert_int_equal(fired_count, 1);
    assert_true(nb__clock_mono_ns() - start >= 300 * NB__NS_PER_MS);
    assert_true(after.ru_nvcsw - before.ru_nvcsw <= 2);
    nb__loop_free(loop);
}

static void a_turn_ends_at_its_timeout_before_a_later_timer(void **state)
{
    (void)state;
    nb__loop *loop = loop_new();
    alarm_clock clock = {{.fire = alarm_fire}, 1};
    fired_count = 0;
    nb__timer_set(loop, &clock.timer, nb__clock_mono_ns() + NB__NS_PER_S);
    nb__loop_turn(loop, 10);
    assert_int_equal(fired_count, 0);
    nb__loop_free(loop);
}

/* ---- hooks ---- */

typedef struct counter_hook {
    nb__hook hook;
    nb__loop *loop;
    nb__hook *removes;
    int count;
} counter_hook;

static void hook_run(nb__hook *hook)
{
    counter_hook *h = (counter_hook *)hook;
    h->count++;
    if (h->removes != NULL)
        nb__hook_remove(h->loop, h->removes);
}

static void hooks_may_remove_themselves_and_the_next(void **state)
{
    (void)state;
    nb__loop *loop = loop_new();
    counter_hook a = {{.turn_end = hook_run}, loop, NULL, 0}, b = a, c = a;
    a.removes = &b.hook;
    c.removes = &c.hook;
    nb__hook_add(loop, &a.hook);
    nb__hook_add(loop, &b.hook);
    nb__hook_add(loop, &c.hook);
    nb__loop_turn(loop, 0);
    nb__loop_turn(loop, 0);
    assert_int_equal(a.count, 2);
    assert_int_equal(b.count, 0);
    assert_int_equal(c.count, 1);
    nb__loop_free(loop);
}

/* ---- watches ---- */

typedef struct pipe_watch {
    nb__watch watch;
    nb__loop *loop;
    struct pipe_watch *kills;
    int count;
} pipe_watch;

static void pipe_ready(nb__watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    pipe_watch *p = (pipe_watch *)watch;
    p->count++;
    nb__watch_remove(p->loop, &p->kills->watch);
}

static void an_event_of_a_watch_that_was_removed_in_this_turn_is_dropped(void **state)
{
    (void)state;
    nb__loop *loop = loop_new();
    int fds[2][2];
    pipe_watch a = {{.ready = pipe_ready}, loop, NULL, 0}, b = a;
    assert_int_equal(pipe(fds[0]), 0);
    assert_int_equal(pipe(fds[1]), 0);
    a.watch.fd = fds[0][0];
    b.watch.fd = fds[1][0];
    a.kills = &b; /* whichever comes first removes the other */
    b.kills = &a;
    assert_int_equal(nb__watch_add(loop, &a.watch, EPOLLIN), NB_OK);
    assert_int_equal(nb__watch_add(loop, &b.watch, EPOLLIN), NB_OK);
    assert_int_equal(write(fds[0][1], "x", 1), 1);
    assert_int_equal(write(fds[1][1], "x", 1), 1);
    nb__loop_turn(loop, -1);
    assert_int_equal(a.count + b.count, 1);
    for (int i = 0; i < 4; i++)
        close(fds[i / 2][i % 2]);
    nb__loop_free(loop);
}

/* ---- signals ---- */

/* A child that stops on the first signal and then cleans up for ever. @return its exit status after
 * `signals`. */
static int child_status(const int *signals, int count, bool hangs)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        nb__loop *loop;
        if (nb__loop_new(&loop, NULL) != NB_OK || nb__loop_stop_on_signals(loop, NULL) != NB_OK ||
            write(ready[1], "r", 1) != 1)
            _exit(99);
        nb__loop_run(loop);
        if (write(ready[1], "s", 1) != 1)
            _exit(98);
        while (hangs)
            pause();
        _exit(nb__loop_is_stopped(loop) ? 42 : 97);
    }
    char got;
    for (int i = 0; i < count; i++) {
        assert_int_equal(read(ready[0], &got, 1), 1);
        kill(pid, signals[i]);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(ready[0]);
    close(ready[1]);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void the_first_signal_stops_the_loop(void **state)
{
    (void)state;
    assert_int_equal(child_status((int[]){SIGTERM}, 1, false), 42);
    assert_int_equal(child_status((int[]){SIGINT}, 1, false), 42);
}

static void the_second_signal_ends_a_program_that_hangs(void **state)
{
    (void)state;
    assert_int_equal(child_status((int[]){SIGTERM, SIGINT}, 2, true), 128 + SIGINT);
    assert_int_equal(child_status((int[]){SIGINT, SIGTERM}, 2, true), 128 + SIGTERM);
}

/* ---- files ---- */

static void files_are_read_whole_within_the_limit(void **state)
{
    (void)state;
    char path[] = "/tmp/nb-io-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static char bytes[200000];
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(write(fd, bytes, sizeof bytes), sizeof bytes);
    close(fd);
    nb__text text = {0};
    nb_error error = {0};
    assert_int_equal(nb__file_read(path, sizeof bytes, &text, &error), NB_OK);
    assert_int_equal(text.size_bytes, sizeof bytes);
    assert_memory_equal(text.data, bytes, sizeof bytes);
    assert_int_equal(nb__file_read(path, sizeof bytes - 1, &text, &error), NB_E_LIMIT);
    assert_int_equal(text.size_bytes, sizeof bytes); /* unchanged */
    unlink(path);
    assert_int_equal(nb__file_read(path, 10, &text, &error), NB_E_SYSTEM);
    assert_non_null(strstr(error.detail, path));
    assert_non_null(strstr(error.detail, "No such file"));
    assert_int_equal(nb__file_read("/", 10, &text, &error), NB_E_SYSTEM);
    nb__text_fini(&text);
}

static void random_bytes_differ(void **state)
{
    (void)state;
    uint8_t a[1000] = {0}, b[1000] = {0};
    nb__random_bytes(a, sizeof a);
    nb__random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 980, (uint8_t[20]){0}, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_and_can_be_moved_and_cancelled),
        cmocka_unit_test(a_timer_that_sets_itself_again_waits_for_the_next_turn),
        cmocka_unit_test(a_timer_set_into_the_past_starves_no_other),
        cmocka_unit_test(an_idle_loop_makes_no_wake_ups),
        cmocka_unit_test(a_turn_ends_at_its_timeout_before_a_later_timer),
        cmocka_unit_test(hooks_may_remove_themselves_and_the_next),
        cmocka_unit_test(an_event_of_a_watch_that_was_removed_in_this_turn_is_dropped),
        cmocka_unit_test(the_first_signal_stops_the_loop),
        cmocka_unit_test(the_second_signal_ends_a_program_that_hangs),
        cmocka_unit_test(files_are_read_whole_within_the_limit),
        cmocka_unit_test(random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
