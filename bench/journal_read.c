/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_journal_read PATH [ROUNDS]: how fast a packed recording is read, on one core, each step on
 * top of the one before, interleaved in each round:
 *
 *     decompress   the zstd frames alone
 *     lines        nb__recording_next(): the bytes of each frame, its link, its session time
 *     split        nb_frame_split() and the walk over the records
 *     decode       nb_quote_decode() of each record of a book
 */
#include "bench.h"
#include "store/store.h"
#include <inttypes.h>
#include <nightbook/nightbook.h>
#include <string.h>

#define ROUNDS_MAX 64

enum { DECOMPRESS, LINES, SPLIT, DECODE, STEP_COUNT };
static const char *const names[STEP_COUNT] = {"decompress", "+ lines", "+ split", "+ decode"};

typedef struct tally {
    uint64_t plain_bytes, lines, frames, frame_bytes, records, books;
    int64_t sink; /* so that nothing is left out by the compiler */
} tally;

static void die(const char *what, const nb_error *error)
{
    fprintf(stderr, "bench_journal_read: %s: %s\n", what, error->detail);
    exit(1);
}

/* ---- the zstd frames alone ---- */

static void read_at(int fd, uint64_t offset, size_t size, nb__text *out)
{
    nb_error error = {0};
    size_t got = 0;
    nb__text_clear(out);
    char *to = nb__text_reserve(out, size);
    if (to == NULL || nb__disk_read_at(fd, offset, to, size, &got, &error) != NB_OK || got < size)
        die("read", &error);
    out->size_bytes = size;
}

static void decompress(const nb__segment *segment, nb__unpack *unpack, tally *t)
{
    static nb__text raw, plain;
    nb_error error = {0};
    nb__packed packed = {0};
    char path[NB__STORE_PATH_MAX];
    int fd;
    uint64_t file_bytes;
    size_t table_bytes, index_bytes;
    nb__segment_path(segment, true, path);
    if (nb__disk_open(path, &fd, &file_bytes, &error) != NB_OK)
        die(path, &error);
    read_at(fd, file_bytes - NB__PACKED_FOOTER_BYTES, NB__PACKED_FOOTER_BYTES, &raw);
    if (nb__packed_footer(nb__text_view(&raw), &table_bytes, &error) != NB_OK)
        die(path, &error);
    read_at(fd, file_bytes - table_bytes, table_bytes, &raw);
    if (nb__packed_seek_table(nb__text_view(&raw), file_bytes, &packed, &index_bytes, &error) !=
        NB_OK)
        die(path, &error);
    read_at(fd, file_bytes - table_bytes - index_bytes, index_bytes, &raw);
    if (nb__packed_index(&packed, nb__text_view(&raw), &error) != NB_OK)
        die(path, &error);
    for (size_t i = 0; i < packed.row_count; i++) {
        read_at(fd, packed.rows[i].packed_offset, (size_t)packed.rows[i].packed_bytes, &raw);
        if (nb__unpack_proved(unpack, nb__text_view(&raw), packed.rows[i].packed_xxh3, &plain,
                              &error) != NB_OK)
            die(path, &error);
        t->plain_bytes += plain.size_bytes;
        t->sink += plain.data[plain.size_bytes / 2];
    }
    nb__packed_fini(&packed);
    nb__disk_close(fd);
}

static void decompress_all(const char *path, tally *t)
{
    nb_error error = {0};
    nb__catalogue catalogue;
    nb__unpack *unpack = nb__unpack_new();
    if (unpack == NULL || nb__catalogue_read(path, &catalogue, &error) != NB_OK)
        die(path, &error);
    for (size_t i = 0; i < catalogue.count; i++)
        if (catalogue.segments[i].is_packed)
            decompress(&catalogue.segments[i], unpack, t);
    nb__catalogue_fini(&catalogue);
    nb__unpack_free(unpack);
}

/* ---- the recording ---- */

static void decode(const nb_tr *tr, nb_span record, tally *t)
{
    nb_quote quote;
    if (!tr->is_book || nb_quote_decode(tr, record, &quote, NULL) != NB_OK)
        return;
    t->books++;
    t->sink += quote.bid[0].price;
}

static void split(nb_span message, int step, tally *t)
{
    nb_frame frame;
    nb_records records;
    nb_span record;
    if (nb_frame_split(message, &frame, NULL) != NB_OK ||
        nb_records_begin(&frame, &records, NULL) != NB_OK)
        return;
    while (nb_records_next(&records, &record)) {
        t->records++;
        t->sink += record.data[0];
        if (step == DECODE && frame.tr != NULL)
            decode(frame.tr, record, t);
    }
}

static void read_lines(const char *path, int step, tally *t)
{
    nb_error error = {0};
    nb__recording *recording;
    nb__entry entry;
    nb__recording_step got;
    if (nb__recording_open(path, &recording, &error) != NB_OK)
        die(path, &error);
    while ((got = nb__recording_next(recording, &entry, &error)) != NB__RECORDING_END) {
        if (got == NB__RECORDING_DAMAGE)
            die(path, &error);
        t->lines++;
        if (entry.line.kind != NB__JOURNAL_FRAME)
            continue;
        t->frames++;
        t->frame_bytes += entry.message.size_bytes;
        t->sink += entry.session_ns + entry.message.data[entry.message.size_bytes - 1];
        if (step >= SPLIT)
            split(entry.message, step, t);
    }
    nb__recording_counters counters = nb__recording_count(recording);
    t->plain_bytes = counters.plain_bytes;
    nb__recording_close(recording);
}

static double run(const char *path, int step, tally *t)
{
    *t = (tally){0};
    int64_t begin_ns = bench_now_ns();
    if (step == DECOMPRESS)
        decompress_all(path, t);
    else
        read_lines(path, step, t);
    return (double)(bench_now_ns() - begin_ns);
}

/* Medians, and the best round: on a machine that others use it is nearest to what the work takes.
 */
static void print(double took_ns[STEP_COUNT][ROUNDS_MAX], size_t rounds, const tally *t)
{
    double before = 0, records = (double)t->records;
    printf("%-12s %26s %12s %14s %10s %12s\n", "", "M records/s (quartiles)", "ns a record",
           "of which here", "GB/s plain", "best, M/s");
    for (int step = 0; step < STEP_COUNT; step++) {
        double low, high, median = bench_median(took_ns[step], rounds, &low, &high);
        printf("%-12s %8.2f (%6.2f … %6.2f) %12.1f %14.1f %10.2f %12.2f\n", names[step],
               records / median * 1e3, records / high * 1e3, records / low * 1e3, median / records,
               (median - before) / records, (double)t->plain_bytes / median,
               records / took_ns[step][0] * 1e3);
        before = median;
    }
}

int main(int argc, char **argv)
{
    static double took_ns[STEP_COUNT][ROUNDS_MAX];
    size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 9;
    tally last = {0}, t;
    if (argc < 2 || rounds == 0 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_journal_read PATH [ROUNDS]\n");
        return 64;
    }
    for (int step = 0; step < STEP_COUNT; step++)
        run(argv[1], step, &last); /* into the page cache */
    for (size_t round = 0; round < rounds; round++)
        for (int step = 0; step < STEP_COUNT; step++)
            took_ns[step][round] = run(argv[1], step, &t);
    printf("%" PRIu64 " records in %" PRIu64 " frames (%.0f bytes each), %" PRIu64
           " lines, %.1f MB plain; %" PRIu64 " books decoded; %zu rounds\n\n",
           last.records, last.frames, (double)last.frame_bytes / (double)last.frames, last.lines,
           (double)last.plain_bytes / 1e6, last.books, rounds);
    print(took_ns, rounds, &last);
    return last.sink == 42; /* used */
}
