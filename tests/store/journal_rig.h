/* SPDX-License-Identifier: Apache-2.0 */
/** Journals on disk as a recorder leaves them, and what a reader without any speed makes of them.
 */
#ifndef NB_TEST_JOURNAL_RIG_H
#define NB_TEST_JOURNAL_RIG_H

#include "guard.h"
#include "store/store.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RIG_NIGHT 20261123
#define RIG_BEGIN_NS INT64_C(1795165200000000000) /* 2026-11-20 18:00:00 KST */

typedef struct rig {
    char journal[64], night[96];
    nb__journal_writer *writer;
    nb__text plain; /* of the segment that is written */
    uint32_t number;
    nb__feed_kind feed;
} rig;

static inline void rig_open(rig *r, nb__feed_kind feed)
{
    *r = (rig){.feed = feed, .writer = nb__journal_writer_new()};
    snprintf(r->journal, sizeof r->journal, "/tmp/nb-store-XXXXXX");
    assert_non_null(mkdtemp(r->journal));
    snprintf(r->night, sizeof r->night, "%s/%d", r->journal, RIG_NIGHT);
    assert_int_equal(mkdir(r->night, 0700), 0);
    assert_non_null(r->writer);
}

static inline void rig_remove(void *self, const nb__disk_entry *entry)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", (const char *)self, entry->name);
    if (entry->is_directory)
        nb__disk_list(path, rig_remove, path, NULL);
    assert_int_equal(remove(path), 0);
}

static inline void rig_close(rig *r)
{
    nb__journal_writer_free(r->writer);
    nb__text_fini(&r->plain);
    nb__disk_list(r->journal, rig_remove, r->journal, NULL);
    assert_int_equal(rmdir(r->journal), 0);
}

/* ---- lines ---- */

static inline void rig_line(rig *r, int64_t recv_ns, uint32_t link, nb__journal_kind kind,
                            nb_span payload)
{
    assert_true(nb__journal_writer_line(r->writer, recv_ns, link, kind, payload));
}

static inline void rig_take(rig *r)
{
    nb_span pending = nb__journal_writer_pending(r->writer);
    nb__text_append(&r->plain, pending.data, pending.size_bytes);
    nb__journal_writer_took(r->writer);
}

static inline void rig_sum(rig *r, int64_t recv_ns)
{
    nb__journal_writer_sum(r->writer, recv_ns);
}

static inline void rig_begin(rig *r, int64_t recv_ns)
{
    nb__text payload = {0};
    nb__journal_start start = {.format = NB__JOURNAL_FORMAT,
                               .version = "0.1.0",
                               .host = "desk",
                               .feed = r->feed,
                               .night = RIG_NIGHT,
                               .run = "00000000000000ab"};
    r->number++;
    nb__journal_name_print(start.segment, RIG_NIGHT, r->number);
    if (r->number > 1) {
        nb__journal_name_print(start.after.segment, RIG_NIGHT, r->number - 1);
        start.after.size_bytes = nb__journal_writer_size(r->writer);
        start.after.xxh3 = nb__journal_writer_xxh3(r->writer);
    }
    nb__journal_writer_begin(r->writer);
    nb__text_clear(&r->plain);
    nb__journal_start_print(&start, &payload);
    rig_line(r, recv_ns, 0, NB__JOURNAL_START, nb__text_view(&payload));
    nb__text_fini(&payload);
}

static inline void rig_connect(rig *r, int64_t recv_ns, uint32_t link, nb__session_clock clock,
                               bool is_continued)
{
    nb__text payload = {0};
    nb__journal_connect connect = {
        .address = "ws://127.0.0.1:31000", .clock = clock, .is_continued = is_continued};
    snprintf(connect.feed, sizeof connect.feed, "key%u", (unsigned)link);
    nb__journal_connect_print(&connect, recv_ns, &payload);
    rig_line(r, recv_ns, link, NB__JOURNAL_CONNECT, nb__text_view(&payload));
    nb__text_fini(&payload);
}

static inline void rig_frame(rig *r, int64_t recv_ns, uint32_t link, unsigned i)
{
    char text[128];
    int size = snprintf(text, sizeof text, "0|H0EUASP0|001|B016%05u^1800%02u^%u.%02u^%u", i % 40,
                        i % 60, i % 9, i % 100, i * 7 % 1000);
    rig_line(r, recv_ns, link, NB__JOURNAL_FRAME, (nb_span){text, (size_t)size});
}

static inline void rig_stop(rig *r, int64_t recv_ns)
{
    nb__text payload = {0};
    nb__journal_stop_print("rotated", &payload);
    rig_line(r, recv_ns, 0, NB__JOURNAL_STOP, nb__text_view(&payload));
    nb__text_fini(&payload);
    rig_sum(r, recv_ns);
    rig_take(r);
}

/* ---- files ---- */

static inline void rig_path(const rig *r, uint32_t number, const char *suffix, char out[160])
{
    snprintf(out, 160, "%s/%d-%06u.log%s", r->night, RIG_NIGHT, (unsigned)number, suffix);
}

static inline void rig_write(const rig *r, uint32_t number, const char *suffix, nb_span content)
{
    char path[160];
    rig_path(r, number, suffix, path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content.data, 1, content.size_bytes, file), content.size_bytes);
    assert_int_equal(fclose(file), 0);
}

static inline void rig_drop(const rig *r, uint32_t number, const char *suffix)
{
    char path[160];
    rig_path(r, number, suffix, path);
    assert_int_equal(remove(path), 0);
}

static inline void rig_write_plain(const rig *r, uint32_t number, nb_span plain)
{
    rig_write(r, number, "", plain);
}

/* The packed bytes; the caller's to free. */
static inline nb__text rig_packed(nb_span plain, size_t frame_bytes)
{
    nb__text out = {0};
    nb__pack *pack = nb__pack_new(1, frame_bytes);
    assert_non_null(pack);
    assert_int_equal(nb__pack_feed(pack, plain, &out, NULL), NB_OK);
    assert_int_equal(nb__pack_end(pack, &out, NULL), NB_OK);
    nb__pack_free(pack);
    return out;
}

static inline void rig_write_packed(const rig *r, uint32_t number, nb_span plain,
                                    size_t frame_bytes)
{
    nb__text packed = rig_packed(plain, frame_bytes);
    rig_write(r, number, ".zst", nb__text_view(&packed));
    nb__text_fini(&packed);
}

/* ---- reading ---- */

static inline nb__recording *rig_read(const char *path)
{
    nb__recording *recording = NULL;
    nb_error error = {0};
    if (nb__recording_open(path, &recording, &error) != NB_OK)
        fail_msg("%s: %s", path, error.detail);
    return recording;
}

typedef struct rig_count {
    uint64_t lines, damages;
    char words[512]; /* of the first damages */
} rig_count;

/* All lines to `out` as they stand in the file, each followed by '\n'. `out` may be NULL. */
static inline rig_count rig_read_all(nb__recording *recording, nb__text *out)
{
    rig_count count = {0};
    nb__entry entry;
    for (;;) {
        nb_error damage = {0};
        nb__recording_step step = nb__recording_next(recording, &entry, &damage);
        if (step == NB__RECORDING_END)
            return count;
        if (step == NB__RECORDING_DAMAGE) {
            size_t size = strlen(count.words);
            assert_int_not_equal(damage.code, NB_OK);
            snprintf(count.words + size, sizeof count.words - size, "%s\n", damage.detail);
            count.damages++;
            continue;
        }
        count.lines++;
        if (out != NULL)
            nb__journal_line_print(out, entry.line.recv_ns, entry.line.link, entry.line.kind,
                                   entry.message);
    }
}

#endif
