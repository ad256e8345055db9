/* SPDX-License-Identifier: Apache-2.0 */
/** Small recordings of books, and a format of the tests' own that keeps the rows it is given. */
#ifndef NB_TEST_EXPORT_RIG_H
#define NB_TEST_EXPORT_RIG_H

#include "../store/journal_rig.h"
#include "export/inside.h"

#define ROWS_MAX 4096

typedef struct seen {
    char key[16];
    int64_t recv_ns, session_ns, event_ns;
    int trade_date;
    uint32_t flags, link, record_index, code_index;
    uint64_t frame_number;
    bool is_resumed, has_quote, has_row;
} seen;

static struct probe {
    seen rows[ROWS_MAX];
    size_t count;
    size_t survey_codes;
    uint64_t survey_frames;
    bool is_closed, is_dropped;
    nb_err fails_with; /* of record(), at row `fails_at` */
    size_t fails_at;
    void (*at_open)(void *self); /* between the two readings */
    void *self;
} probe;

static inline nb_err probe_open(const nb__export_begin *begin, void **self, nb_error *error)
{
    (void)error;
    if (begin->survey != NULL) {
        probe.survey_codes = begin->survey->code_count;
        probe.survey_frames = begin->survey->frames;
    }
    if (probe.at_open != NULL)
        probe.at_open(probe.self);
    *self = &probe;
    return NB_OK;
}

static inline nb_err probe_record(void *self, const nb__export_row *row, nb_error *error)
{
    assert_ptr_equal(self, &probe);
    if (probe.fails_with != NB_OK && probe.count == probe.fails_at)
        return nb__fail(error, probe.fails_with, 0, "as told");
    assert_true(probe.count < ROWS_MAX);
    seen *s = &probe.rows[probe.count++];
    *s = (seen){.recv_ns = row->recv_ns,
                .session_ns = row->session_ns,
                .event_ns = row->event_ns,
                .trade_date = row->trade_date,
                .flags = row->flags,
                .link = row->link,
                .record_index = row->record_index,
                .code_index = row->code_index,
                .frame_number = row->frame_number,
                .is_resumed = row->is_resumed,
                .has_quote = row->quote != NULL,
                .has_row = row->row != NULL};
    assert_true(nb__span_copy(row->key, s->key, sizeof s->key));
    if (row->quote != NULL) {
        assert_int_equal(row->quote->flags, row->flags);
        assert_int_equal(row->quote->event_ns, row->event_ns);
        assert_string_equal(row->quote->key, s->key);
    }
    if (row->row != NULL) {
        assert_int_equal(row->row->trade_date, row->trade_date);
        assert_int_equal(row->row->event_ns, row->event_ns);
        assert_int_equal(row->row->recv_ns, row->recv_ns);
    }
    return NB_OK;
}

static inline nb_err probe_close(void *self, nb_error *error)
{
    (void)self;
    (void)error;
    probe.is_closed = true;
    return NB_OK;
}

static inline void probe_drop(void *self)
{
    (void)self;
    probe.is_dropped = true;
}

static nb__export_format probe_format = {.name = "probe",
                                         .open = probe_open,
                                         .record = probe_record,
                                         .close = probe_close,
                                         .drop = probe_drop};

/* ---- recordings ---- */

/* One record: best ask and bid in 1/100 with quantities, all else 0. */
static inline size_t book_record(char *out, size_t capacity, const char *code, const char *time,
                                 int ask, int bid, int ask_quantity, int total, int change)
{
    int size = snprintf(out, capacity,
                        "%s^%s^%d.%02d^0.00^0.00^0.00^0.00^%d.%02d^0.00^0.00^0.00^0.00"
                        "^0^0^0^0^0^0^0^0^0^0^%d^0^0^0^0^1^0^0^0^0^0^0^%d^1^%d^0",
                        code, time, ask / 100, ask % 100, bid / 100, bid % 100, ask_quantity, total,
                        change);
    assert_true(size > 0 && (size_t)size < capacity);
    return (size_t)size;
}

static inline void book_frame(rig *r, int64_t recv_ns, uint32_t link, const char *code,
                              const char *time, int ask, int total, int change)
{
    char text[400] = "0|H0EUASP0|001|";
    size_t head = strlen(text);
    size_t size = head + book_record(text + head, sizeof text - head, code, time, ask, ask - 5, 3,
                                     total, change);
    rig_line(r, recv_ns, link, NB__JOURNAL_FRAME, (nb_span){text, size});
}

static inline void raw_frame(rig *r, int64_t recv_ns, uint32_t link, const char *text)
{
    rig_line(r, recv_ns, link, NB__JOURNAL_FRAME, nb__span(text));
}

static inline void raw_mark(rig *r, int64_t recv_ns, uint32_t link, nb__journal_kind kind,
                            const char *payload)
{
    rig_line(r, recv_ns, link, kind, nb__span(payload));
}

static inline void end_segment(rig *r, int64_t recv_ns)
{
    rig_stop(r, recv_ns);
    rig_write_plain(r, r->number, nb__text_view(&r->plain));
}

/* ---- exporting ---- */

typedef struct notes {
    char words[8][300];
    size_t count;
} notes;

static inline void take_note(void *self, const char *words)
{
    notes *n = self;
    if (n->count < NB__COUNT_OF(n->words))
        snprintf(n->words[n->count], sizeof n->words[0], "%s", words);
    n->count++;
}

static inline nb__export_how probe_how(const rig *r, char out[128])
{
    memset(&probe, 0, sizeof probe);
    probe_format.needs_survey = probe_format.needs_values = probe_format.is_books_only = false;
    snprintf(out, 128, "%s/out", r->journal);
    return (nb__export_how){.path = r->night,
                            .format = &probe_format,
                            .out = out,
                            .is_forced = true,
                            .calendar = nb_calendar_builtin()};
}

static inline void assert_no_file(const rig *r, const char *prefix)
{
    char command[200];
    snprintf(command, sizeof command, "ls %s/%s* >/dev/null 2>&1", r->journal, prefix);
    assert_int_not_equal(system(command), 0);
}

#endif
