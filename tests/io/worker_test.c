/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs on a helper thread: their order, where done() is called, and every way to end. */
#include "guard.h"
#include "io/io.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef struct errand {
    nb__job job;
    int number, sleep_ms, nice;
    nb__worker *frees, *adds_to;
    struct errand *adds;
    pthread_t ran_on;
    char thread_name[16];
    unsigned char work[4096];
} errand;

static pthread_t loop_thread;
static int order[4096], done_count;
static atomic_int run_count;

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * NB__NS_PER_MS}, NULL);
}

static void errand_run(nb__job *job)
{
    errand *e = (errand *)(void *)job;
    e->ran_on = pthread_self();
    pthread_getname_np(e->ran_on, e->thread_name, sizeof e->thread_name);
    e->nice = getpriority(PRIO_PROCESS, 0);
    memset(e->work, e->number & 0xff, sizeof e->work); /* seen whole by done() */
    sleep_ms(e->sleep_ms);
    atomic_fetch_add(&run_count, 1);
}

static void errand_done(nb__job *job)
{
    errand *e = (errand *)(void *)job;
    assert_true(pthread_equal(pthread_self(), loop_thread));
    assert_false(pthread_equal(e->ran_on, loop_thread));
    for (size_t i = 0; i < sizeof e->work; i++)
        assert_int_equal(e->work[i], e->number & 0xff);
    order[done_count++] = e->number;
    if (e->adds != NULL)
        nb__worker_add(e->adds_to, &e->adds->job);
    if (e->frees != NULL)
        nb__worker_free(e->frees);
}

static errand errand_of(int number)
{
    return (errand){.job = {.run = errand_run, .done = errand_done}, .number = number};
}

static nb__loop *loop_new(void)
{
    nb__loop *loop;
    assert_int_equal(nb__loop_new(&loop, NULL), NB_OK);
    loop_thread = pthread_self();
    done_count = 0;
    atomic_store(&run_count, 0);
    return loop;
}

static nb__worker *worker_new(nb__loop *loop, const char *name)
{
    nb__worker *worker;
    assert_int_equal(nb__worker_new(loop, name, &worker, NULL), NB_OK);
    return worker;
}

static void turn_until(nb__loop *loop, int count)
{
    for (int i = 0; i < 5000 && done_count < count; i++)
        assert_int_equal(nb__loop_turn(loop, 10), NB_OK);
    assert_int_equal(done_count, count);
}

static void jobs_are_done_in_order_on_the_loop(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    nb__loop *loop = loop_new();
    nb__worker *worker = worker_new(loop, "a name that is too long");
    errand *errands = calloc(MANY, sizeof *errands);
    for (int i = 0; i < MANY; i++) {
        errands[i] = errand_of(i);
        nb__worker_add(worker, &errands[i].job);
        if (i % 100 == 0)
            nb__loop_turn(loop, 0);
    }
    turn_until(loop, MANY);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(order[i], i);
    assert_string_equal(errands[0].thread_name, "a name that is ");
    nb__worker_free(worker);
    free(errands);
    nb__loop_free(loop);
}

static void the_loop_turns_while_a_job_runs(void **state)
{
    (void)state;
    nb__loop *loop = loop_new();
    nb__worker *worker = worker_new(loop, "slow");
    errand slow = errand_of(1);
    slow.sleep_ms = 200;
    nb__worker_add(worker, &slow.job);
    int64_t begin_ns = nb__clock_mono_ns(), longest_ns = 0;
    for (int64_t at_ns = begin_ns; done_count == 0 && at_ns < begin_ns + 5 * NB__NS_PER_S;) {
        nb__loop_turn(loop, 1);
        int64_t now_ns = nb__clock_mono_ns();
        longest_ns = now_ns - at_ns > longest_ns ? now_ns - at_ns : longest_ns;
        at_ns = now_ns;
    }
    assert_int_equal(done_count, 1);
    assert_true(longest_ns < 150 * NB__NS_PER_MS);
    nb__worker_free(worker);
    nb__loop_free(loop);
}

static void a_done_adds_the_next(void **state)
{
    (void)state;
    nb__loop *loop = loop_new();
    nb__worker *worker = worker_new(loop, "chain");
    errand a = errand_of(1), b = errand_of(2);
    a.adds = &b;
    a.adds_to = worker;
    nb__worker_add(worker, &a.job);
    turn_until(loop, 2);
    assert_int_equal(order[1], 2);
    nb__worker_free(worker);
    nb__loop_free(loop);
}

/* The second is finished too, and its done() must not come. */
static void a_done_may_free_the_worker(void **state)
{
    (void)state;
    nb__loop *loop = loop_new();
    nb__worker *worker = worker_new(loop, "ends");
    errand a = errand_of(1), b = errand_of(2);
    a.frees = worker;
    nb__worker_add(worker, &a.job);
    nb__worker_add(worker, &b.job);
    for (int i = 0; i < 5000 && atomic_load(&run_count) < 2; i++)
        sleep_ms(1);
    turn_until(loop, 1);
    for (int i = 0; i < 5; i++)
        nb__loop_turn(loop, 1);
    assert_int_equal(done_count, 1);
    nb__loop_free(loop);
}

static void freeing_waits_for_the_one_that_runs(void **state)
{
    (void)state;
    nb__loop *loop = loop_new();
    nb__worker *worker = worker_new(loop, "busy");
    errand a = errand_of(1), b = errand_of(2);
    a.sleep_ms = 100;
    nb__worker_add(worker, &a.job);
    nb__worker_add(worker, &b.job);
    sleep_ms(30);
    nb__worker_free(worker);
    assert_int_equal(atomic_load(&run_count), 1);
    nb__loop_turn(loop, 1);
    assert_int_equal(done_count, 0);
    nb__worker_free(NULL);
    nb__loop_free(loop); /* in the turn after or not at all: the memory goes with the loop */
}

static void leaving_waits_so_long_and_no_longer(void **state)
{
    (void)state;
    nb__loop *loop = loop_new();
    nb__worker *quick = worker_new(loop, "quick"), *slow = worker_new(loop, "slow");
    static errand a, b, c; /* for ever */
    a = errand_of(1);
    b = errand_of(2);
    c = errand_of(3);
    a.sleep_ms = 50;
    b.sleep_ms = 600;
    nb__worker_add(quick, &a.job);
    nb__worker_add(quick, &c.job);
    nb__worker_add(slow, &b.job);
    sleep_ms(20);
    assert_true(nb__worker_leave(quick, NB__NS_PER_S));
    assert_int_equal(atomic_load(&run_count), 2); /* the one that waited too */
    int64_t begin_ns = nb__clock_mono_ns();
    assert_false(nb__worker_leave(slow, 100 * NB__NS_PER_MS));
    assert_true(nb__clock_mono_ns() - begin_ns < 400 * NB__NS_PER_MS);
    nb__loop_turn(loop, 1);
    nb__loop_free(loop);
    for (int i = 0; i < 5000 && atomic_load(&run_count) < 3; i++)
        sleep_ms(1);
    assert_int_equal(atomic_load(&run_count), 3);
    assert_int_equal(done_count, 0);
    sleep_ms(20); /* its last steps, within memory that stays */
}

static void a_calm_worker_yields_and_no_other_does(void **state)
{
    (void)state;
    nb__loop *loop = loop_new();
    nb__worker *calm = worker_new(loop, "calm"), *other = worker_new(loop, "other");
    errand a = errand_of(1), b = errand_of(2);
    nb__worker_calm(calm);
    nb__worker_add(calm, &a.job);
    turn_until(loop, 1);
    nb__worker_add(other, &b.job);
    turn_until(loop, 2);
    assert_int_equal(a.nice, 10);
    assert_int_equal(b.nice, getpriority(PRIO_PROCESS, 0));
    nb__worker_free(calm);
    nb__worker_free(other);
    nb__loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_done_in_order_on_the_loop),
        cmocka_unit_test(the_loop_turns_while_a_job_runs),
        cmocka_unit_test(a_done_adds_the_next),
        cmocka_unit_test(a_done_may_free_the_worker),
        cmocka_unit_test(freeing_waits_for_the_one_that_runs),
        cmocka_unit_test(leaving_waits_so_long_and_no_longer),
        cmocka_unit_test(a_calm_worker_yields_and_no_other_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
