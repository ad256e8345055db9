/* SPDX-License-Identifier: Apache-2.0 */
/* A long run of the recorder with rotation and packing, verified whole afterwards: every frame is
 * there. NB_LONG: a hundred million. */
#include "../../bench/bench.h"
#include "../../bench/walk.h"
#include "guard.h"
#include "store/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_FRAMES                                                                                \
    65536 /* made once and sent again and again: what is measured is the recorder                  \
           */
#define FRAMES_A_TURN 1000
#define UNPACKED_MAX 6 /* segments: packing is slower than writing, and the disk is finite */

typedef struct run {
    nb__loop *loop;
    nb__recorder *recorder;
    char directory[64];
    char *frames;
    uint32_t ends[KEPT_FRAMES];
} run;

static void tell(void *self, nb__recorder_event event, const char *words)
{
    (void)self;
    if (event != NB__RECORDER_SPACE)
        fail_msg("%s", words);
}

static void make_frames(run *r)
{
    static walk prices;
    nb__text text = {0};
    walk_init(&prices, 7);
    for (size_t i = 0; i < KEPT_FRAMES; i++) {
        nb_span frame = walk_next(&prices);
        nb__text_append(&text, frame.data, frame.size_bytes);
        r->ends[i] = (uint32_t)text.size_bytes;
    }
    assert_false(text.is_failed);
    r->frames = text.data;
}

static void open_recorder(run *r, bool is_long)
{
    nb_error error = {0};
    snprintf(r->directory, sizeof r->directory, "long-run-XXXXXX"); /* on the disk, not in /tmp */
    assert_non_null(mkdtemp(r->directory));
    nb__recorder_config config = nb__recorder_config_default();
    config.directory = r->directory;
    config.is_asked_for = true;
    config.calendar = nb_calendar_builtin();
    if (!is_long)
        config.segment_bytes = 4 << 20;
    assert_int_equal(nb__loop_new(&r->loop, &error), NB_OK);
    if (nb__recorder_open(r->loop, &config, NB__FEED_SIM, tell, NULL, &r->recorder, &error) !=
        NB_OK)
        fail_msg("%s", error.detail);
    nb__session_clock clock = nb__session_clock_live();
    clock.kind = NB__FEED_SIM;
    nb__recorder_connect(r->recorder, 0, "long", "ws://127.0.0.1:1", &clock, nb__clock_real_ns());
}

/* Turns of the loop until so few segments wait to be packed. */
static void wait_for_packing(run *r, uint64_t unpacked_max)
{
    const nb__recorder_counters *counters = nb__recorder_look(r->recorder).counters;
    while (counters->segments - counters->packed > unpacked_max) {
        assert_int_equal(counters->pack_failures, 0);
        nb__loop_turn(r->loop, 20);
    }
}

static void write_frames(run *r, uint64_t count)
{
    for (uint64_t done = 0; done < count;) {
        int64_t recv_ns = nb__clock_real_ns();
        for (int i = 0; i < FRAMES_A_TURN && done < count; i++, done++) {
            size_t at = done % KEPT_FRAMES, begin = at == 0 ? 0 : r->ends[at - 1];
            nb__recorder_line(r->recorder, 0, NB__JOURNAL_FRAME,
                              (nb_span){r->frames + begin, r->ends[at] - begin}, recv_ns);
        }
        nb__recorder_write(r->recorder);
        nb__loop_turn(r->loop, 0);
        wait_for_packing(r, UNPACKED_MAX);
    }
}

static uint64_t verify_all(const run *r, uint64_t *disk_bytes, uint64_t *plain_bytes)
{
    nb__catalogue catalogue;
    nb__verify_report reports[2], *before = NULL;
    nb_error error = {0};
    uint64_t frames = 0;
    assert_int_equal(nb__catalogue_read(r->directory, &catalogue, &error), NB_OK);
    for (size_t i = 0; i < catalogue.count; i++) {
        nb__verify_report *now = &reports[i % 2];
        if (nb__verify_segment(&catalogue.segments[i], before, now, &error) != NB_OK)
            fail_msg("%s", error.detail);
        if (!now->is_good)
            fail_msg("segment %u: %s", (unsigned)catalogue.segments[i].number, now->words);
        frames += now->findings.frames;
        *plain_bytes += now->findings.size_bytes;
        *disk_bytes += catalogue.segments[i].packed_bytes + catalogue.segments[i].plain_bytes;
        if (before != NULL)
            nb__verify_fini(before);
        before = now;
    }
    if (before != NULL)
        nb__verify_fini(before);
    nb__catalogue_fini(&catalogue);
    return frames;
}

static void every_frame_of_a_long_run_is_there(void **state)
{
    (void)state;
    static run r;
    const char *wish = getenv("NB_LONG");
    bool is_long = wish != NULL && wish[0] != '\0';
    uint64_t count = is_long ? 100000000 : 100000, disk_bytes = 0, plain_bytes = 0;
    nb__log_set_level(NB__LOG_WARN);
    make_frames(&r);
    open_recorder(&r, is_long);
    int64_t begin_ns = bench_now_ns();
    write_frames(&r, count);
    wait_for_packing(&r, 1);
    int64_t written_ns = bench_now_ns();
    assert_int_equal(nb__recorder_look(r.recorder).counters->lost_lines, 0);
    assert_true(nb__recorder_look(r.recorder).counters->segments > 2);
    nb__recorder_close(r.recorder, "the end");
    assert_int_equal(verify_all(&r, &disk_bytes, &plain_bytes), count);
    int64_t end_ns = bench_now_ns();
    printf(
        "%llu frames: written and packed in %.1f s, verified in %.1f s; %.2f GB plain, %.2f GB on "
        "disk\n",
        (unsigned long long)count, (double)(written_ns - begin_ns) / 1e9,
        (double)(end_ns - written_ns) / 1e9, (double)plain_bytes / 1e9, (double)disk_bytes / 1e9);
    nb__loop_free(r.loop);
    free(r.frames);
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", r.directory);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_frame_of_a_long_run_is_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
