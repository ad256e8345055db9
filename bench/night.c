/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_night DIR RECORDS: a whole night on disk, packed, out of the look-alike's market, with what
 * happens in one: registrations, refusals, two lost links, a clock that was set, a full disk.
 *
 * The same night each time. It is made without waiting for it, so it passes by the recorder; the
 * bytes are the writer's and the packer's own.
 */
#include "io/io.h"
#include "journal/journal.h"
#include "sim/market.h"
#include "store/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_DATE 20261120
#define NIGHT 20261123
#define SEGMENT_BYTES ((size_t)256 << 20)
#define KEYS 240
#define RECORDS_A_FRAME 1.18 /* the market's mean, as measured; the run ends at RECORDS */

typedef struct making {
    const char *directory;
    char night[512];
    nb__journal_writer *writer;
    nb__text plain, payload;
    nb__journal_start start;
    uint32_t number;
    uint32_t link; /* number of the session */
    bool is_up;
} making;

static void die(const char *what)
{
    fprintf(stderr, "bench_night: %s\n", what);
    exit(1);
}

static void check(nb_err err, const nb_error *error)
{
    if (err != NB_OK)
        die(error->detail);
}

static void take(making *m)
{
    nb_span pending = nb__journal_writer_pending(m->writer);
    nb__text_append(&m->plain, pending.data, pending.size_bytes);
    nb__journal_writer_took(m->writer);
}

static void line(making *m, int64_t recv_ns, uint32_t link, nb__journal_kind kind, nb_span payload)
{
    if (!nb__journal_writer_line(m->writer, recv_ns, link, kind, payload))
        die("no memory");
}

/* The payload is printed already. */
static void mark(making *m, int64_t recv_ns, uint32_t link, nb__journal_kind kind)
{
    line(m, recv_ns, link, kind, nb__text_view(&m->payload));
    nb__text_clear(&m->payload);
}

static void connect_mark(making *m, int64_t recv_ns, bool is_continued)
{
    const nb__journal_connect connect = {
        .feed = "main",
        .address = "ws://ops.koreainvestment.com:21000",
        .clock = {.kind = NB__FEED_LIVE, .at_real_ns = 0, .at_session_ns = 0, .speed = 1},
        .is_continued = is_continued};
    m->link += !is_continued;
    nb__journal_connect_print(&connect, recv_ns, &m->payload);
    mark(m, recv_ns, m->link, NB__JOURNAL_CONNECT);
    m->is_up = true;
}

static void begin_segment(making *m, int64_t recv_ns)
{
    m->number++;
    if (m->number > 1) {
        memcpy(m->start.after.segment, m->start.segment, sizeof m->start.segment);
        m->start.after.size_bytes = nb__journal_writer_size(m->writer);
        m->start.after.xxh3 = nb__journal_writer_xxh3(m->writer);
    }
    nb__journal_name_print(m->start.segment, NIGHT, m->number);
    nb__journal_writer_begin(m->writer);
    nb__text_clear(&m->plain);
    nb__journal_start_print(&m->start, &m->payload);
    mark(m, recv_ns, 0, NB__JOURNAL_START);
    if (m->number > 1 && m->is_up)
        connect_mark(m, recv_ns, true);
}

static void end_segment(making *m, int64_t recv_ns, const char *reason)
{
    char path[600];
    nb_error error = {0};
    nb__text packed = {0};
    nb__pack *pack = nb__pack_new(6, 0);
    nb__journal_stop_print(reason, &m->payload);
    mark(m, recv_ns, 0, NB__JOURNAL_STOP);
    nb__journal_writer_sum(m->writer, recv_ns);
    take(m);
    if (pack == NULL)
        die("no memory");
    check(nb__pack_feed(pack, nb__text_view(&m->plain), &packed, &error), &error);
    check(nb__pack_end(pack, &packed, &error), &error);
    nb__pack_free(pack);
    snprintf(path, sizeof path, "%s/%s.log.zst", m->night, m->start.segment);
    check(nb__file_write(path, nb__text_view(&packed), 0600, &error), &error);
    nb__text_fini(&packed);
}

static void answer(making *m, int64_t recv_ns, const char *key, nb__opsp code)
{
    const nb__opsp_row *row = nb__opsp_at(code);
    nb__journal_answer mark_of = {.tr_id = "H0EUASP0"};
    snprintf(mark_of.tr_key, sizeof mark_of.tr_key, "%s", key);
    snprintf(mark_of.rt_cd, sizeof mark_of.rt_cd, "%s", row->rt_cd);
    snprintf(mark_of.msg_cd, sizeof mark_of.msg_cd, "%s", row->msg_cd);
    snprintf(mark_of.msg1, sizeof mark_of.msg1, "%s", row->msg1);
    nb__journal_answer_print(&mark_of, &m->payload);
    mark(m, recv_ns, m->link, NB__JOURNAL_ANSWER);
}

static void lose(making *m, int64_t recv_ns, const char *reason)
{
    nb__journal_gap gap = {.is_rest = false};
    snprintf(gap.reason, sizeof gap.reason, "%s", reason);
    nb__journal_gap_print(&gap, &m->payload);
    mark(m, recv_ns, m->link, NB__JOURNAL_GAP);
    m->is_up = false;
}

/* What else happens in this night, at its times. */
static void events(making *m, const nb_night *night, int64_t now_ns, int *step)
{
    static const int minutes[] = {200, 203, 400, 401, 520, 530};
    if (*step >= (int)NB__COUNT_OF(minutes) ||
        now_ns < night->open_ns + minutes[*step] * 60 * NB__NS_PER_S)
        return;
    nb__journal_disk disk = {.reason = "No space left on device",
                             .since_ns = now_ns - 90 * NB__NS_PER_S,
                             .lost_lines = 1234,
                             .lost_bytes = 300000};
    switch ((*step)++) {
    case 0:
        lose(m, now_ns, "the server ended the connection without a Close frame");
        break;
    case 2:
        lose(m, now_ns, "silent for 45 s: taken for dead");
        break;
    case 4:
        nb__journal_clock_print(-87 * NB__NS_PER_MS, &m->payload);
        mark(m, now_ns, 0, NB__JOURNAL_CLOCK);
        break;
    case 5:
        nb__journal_disk_print(&disk, &m->payload);
        mark(m, now_ns, 0, NB__JOURNAL_DISK);
        break;
    default:
        connect_mark(m, now_ns, false);
        break;
    }
}

static uint64_t put_frame(making *m, const nb__sim_chain *chain, const nb__sim_frame *frame,
                          int64_t recv_ns)
{
    static char text[64 + NB__SIM_RECORDS_MAX * NB__SIM_RECORD_TEXT_MAX];
    const nb__sim_series *first = &chain->series[frame->records[0].series_index];
    size_t size = (size_t)snprintf(text, sizeof text, "0|%s|%03u|", nb__sim_series_tr_id(first),
                                   (unsigned)frame->record_count);
    for (uint32_t i = 0; i < frame->record_count; i++) {
        if (i > 0)
            text[size++] = '^';
        size += nb__sim_record_print(chain, &frame->records[i], 0, text + size);
    }
    line(m, recv_ns, m->link, NB__JOURNAL_FRAME, (nb_span){text, size});
    return frame->record_count;
}

static void make(making *m, uint64_t wanted)
{
    nb_error error = {0};
    nb__market *market = NULL;
    nb_night night = nb_night_at(nb_calendar_builtin(), nb__kst_ns(START_DATE, 180000));
    double seconds = (double)(night.end_ns - night.receipt_ns) / 1e9;
    const nb__market_config config = {
        .seed = 1,
        .calendar = nb_calendar_builtin(),
        .night = night,
        .start_ns = night.receipt_ns,
        .frames_a_second = (double)wanted / RECORDS_A_FRAME / seconds,
        .keys_max = KEYS,
    };
    check(nb__market_new(&config, &market, &error), &error);
    uint64_t records = 0, frames = 0;
    int step = 0;
    begin_segment(m, night.receipt_ns);
    connect_mark(m, night.receipt_ns + 1, false);
    const nb__sim_chain *chain = nb__market_chain(market);
    for (uint32_t i = 0, asked = 0; i < chain->count && asked < 43; i++) {
        const nb__sim_series *series = &chain->series[i];
        if (!series->trades || nb__sim_series_is_future(series))
            continue;
        asked++;
        answer(m, night.receipt_ns + 80 * NB__NS_PER_MS * asked, series->instrument.code,
               asked <= 41 ? NB__OPSP_SUBSCRIBED : NB__OPSP_MAX_OVER);
    }
    int64_t at_ns;
    while ((at_ns = nb__market_next_ns(market)) != INT64_MAX && records < wanted) {
        nb__sim_frame frame;
        int64_t recv_ns = at_ns + 2 * NB__NS_PER_MS + (int64_t)(frames * 7919 % 1000000);
        events(m, &night, recv_ns, &step);
        nb__market_next(market, &frame);
        if (m->is_up) {
            records += put_frame(m, chain, &frame, recv_ns);
            frames++;
        }
        if ((frames & 255) != 0)
            continue;
        take(m);
        if (m->plain.size_bytes > SEGMENT_BYTES) {
            end_segment(m, recv_ns, "rotated");
            begin_segment(m, recv_ns);
        }
    }
    end_segment(m, night.end_ns + NB__NS_PER_S, "the night is over");
    printf("%s: %llu records in %llu frames, %u segments\n", m->night, (unsigned long long)records,
           (unsigned long long)frames, (unsigned)m->number);
    nb__market_free(market);
}

int main(int argc, char **argv)
{
    making m = {.writer = nb__journal_writer_new(),
                .start = {.format = NB__JOURNAL_FORMAT,
                          .version = NB_VERSION,
                          .host = "bench",
                          .feed = NB__FEED_LIVE,
                          .night = NIGHT,
                          .run = "00000000000000ab"}};
    nb_error error = {0};
    uint64_t wanted = 0;
    char path[600];
    if (argc != 3 || !nb__span_to_u64(nb__span(argv[2]), &wanted) || wanted == 0)
        die("usage: bench_night DIR RECORDS");
    m.directory = argv[1];
    snprintf(m.night, sizeof m.night, "%s/%d", m.directory, NIGHT);
    check(nb__directory_make(m.night, &error), &error);
    snprintf(path, sizeof path, "%s/journal.json", m.directory);
    check(nb__file_write(path, NB__SPAN("{\"nightbook_journal\":1,\"feed\":\"live\"}\n"), 0600,
                         &error),
          &error);
    make(&m, wanted);
    nb__journal_writer_free(m.writer);
    nb__text_fini(&m.plain);
    nb__text_fini(&m.payload);
    return 0;
}
