/* SPDX-License-Identifier: Apache-2.0 */
/* A recording made by the test, line by line, in a directory of its own. */
#ifndef NB_TESTS_REPLAY_TAPE_H
#define NB_TESTS_REPLAY_TAPE_H

#include "guard.h"
#include "journal/journal.h"
#include "store/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifndef UNUSED
#define UNUSED __attribute__((unused))
#endif
#define TAPE_NIGHT 20261123 /* the night that starts on Friday 20 November, 18:00 */

typedef struct tape {
    char directory[64], night[96];
    nb__journal_writer *writer;
    uint32_t segment;
    char run[17];
    int64_t now_ns; /* of the next line */
} tape;

static UNUSED int64_t at(int date, int hhmmss)
{
    return nb__kst_ns(date, hhmmss);
}

static UNUSED void tape_line(tape *t, uint32_t link, nb__journal_kind kind, const char *payload)
{
    assert_true(nb__journal_writer_line(t->writer, t->now_ns, link, kind, nb__span(payload)));
}

static UNUSED void tape_text(tape *t, uint32_t link, nb__journal_kind kind, nb__text *text)
{
    assert_true(nb__journal_writer_line(t->writer, t->now_ns, link, kind, nb__text_view(text)));
    nb__text_fini(text);
}

static UNUSED void tape_start(tape *t)
{
    nb__journal_start start = {.format = NB__JOURNAL_FORMAT,
                               .version = "0.1.0",
                               .host = "test",
                               .feed = NB__FEED_LIVE,
                               .night = TAPE_NIGHT};
    nb__text text = {0};
    nb__journal_writer_begin(t->writer);
    nb__journal_name_print(start.segment, TAPE_NIGHT, ++t->segment);
    memcpy(start.run, t->run, sizeof start.run);
    nb__journal_start_print(&start, &text);
    tape_text(t, 0, NB__JOURNAL_START, &text);
}

static UNUSED void tape_connect_as(tape *t, uint32_t link, const nb__session_clock *clock,
                                   bool is_continued)
{
    nb__journal_connect connect = {.feed = "main",
                                   .address = "ws://127.0.0.1:1",
                                   .clock = *clock,
                                   .is_continued = is_continued};
    nb__text text = {0};
    nb__journal_connect_print(&connect, t->now_ns, &text);
    tape_text(t, link, NB__JOURNAL_CONNECT, &text);
}

static UNUSED void tape_connect(tape *t, uint32_t link)
{
    nb__session_clock live = nb__session_clock_live();
    live.kind = NB__FEED_LIVE;
    tape_connect_as(t, link, &live, false);
}

static UNUSED void tape_gap(tape *t, uint32_t link, const char *reason, bool is_rest)
{
    nb__journal_gap gap = {.is_rest = is_rest};
    nb__text text = {0};
    snprintf(gap.reason, sizeof gap.reason, "%s", reason);
    nb__journal_gap_print(&gap, &text);
    tape_text(t, link, NB__JOURNAL_GAP, &text);
}

static UNUSED void tape_clock(tape *t, int64_t step_ns)
{
    nb__text text = {0};
    nb__journal_clock_print(step_ns, &text);
    tape_text(t, 0, NB__JOURNAL_CLOCK, &text);
}

static UNUSED void tape_frame(tape *t, uint32_t link, const char *message)
{
    tape_line(t, link, NB__JOURNAL_FRAME, message);
}

/* What was written so far becomes the segment's file. */
static UNUSED void tape_end(tape *t)
{
    char path[160], name[NB__JOURNAL_NAME_BYTES];
    nb__journal_writer_sum(t->writer, t->now_ns);
    nb_span bytes = nb__journal_writer_pending(t->writer);
    nb__journal_name_print(name, TAPE_NIGHT, t->segment);
    snprintf(path, sizeof path, "%s/%s.log", t->night, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size_bytes, file), bytes.size_bytes);
    assert_int_equal(fclose(file), 0);
    nb__journal_writer_took(t->writer);
}

static UNUSED int tape_open(tape *t)
{
    *t = (tape){.run = "00000000000000a1", .now_ns = at(20261120, 180000)};
    snprintf(t->directory, sizeof t->directory, "/tmp/nb-replay-XXXXXX");
    if (mkdtemp(t->directory) == NULL)
        return -1;
    snprintf(t->night, sizeof t->night, "%s/%d", t->directory, TAPE_NIGHT);
    t->writer = nb__journal_writer_new();
    return t->writer == NULL ? -1 : mkdir(t->night, 0700);
}

static UNUSED int tape_close(tape *t)
{
    char command[96];
    nb__journal_writer_free(t->writer);
    snprintf(command, sizeof command, "rm -rf '%s'", t->directory);
    return system(command);
}

#endif
