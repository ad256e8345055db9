/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording as rows: lines, frames, records, times, books, in the order of the file.
 *
 *     start mark of another run ─▶ new books           gap mark      ─▶ that link's books are stale
 *     frame ─▶ head ─▶ records ─▶ chosen? ─▶ decoded, dated, through the books ─▶ take()
 *
 * It follows src/plant/frames.c step by step, so that flags come out as they did live: whatever a
 * link brought went through the same nb__books_apply() in the same order. What cannot be read is
 * counted, and the first of it told; nothing stops the rest.
 */
#include "inside.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPICS_MAX 65536
#define TRS_MAX 64
#define BAD_TOLD_MAX 10 /* more are only counted */
#define DAMAGES_TOLD_MAX 20
#define PROGRESS_LINES 4096
#define HOUR_NS (3600 * NB__NS_PER_S)

struct nb__export_reader {
    const nb__export_how *how;
    nb__recording *recording;
    nb__recording_range range;
    char trs[TRS_MAX][NB_TR_ID_MAX + 1];
    size_t tr_count;     /* 0: all */
    uint64_t file_bytes; /* of all segments, to tell how far we are */
    nb__topics *wanted;  /* codes; NULL: all */
    bool *is_seen;       /* of those, in this run */

    /* one run */
    const nb__export_run *asked;
    nb__export_counters *counters;
    nb__topics *topics, *codes; /* (TR, key), as the plant's; keys alone, in order of appearance */
    nb__books *books;
    uint32_t *link_of; /* of each topic: which link feeds its book */
    char run[sizeof(((nb__journal_start *)0)->run)];
    uint32_t bad_told;
    uint64_t read_before_bytes; /* by the runs before */
    int64_t hour_ns;            /* the hour that trade_date is of */
    int trade_date;
    nb__row row;
};

/* ---- what was asked for ---- */

static nb_span next_item(nb_span *list)
{
    const char *comma = memchr(list->data, ',', list->size_bytes);
    size_t size = comma != NULL ? (size_t)(comma - list->data) : list->size_bytes;
    nb_span item = nb__span_trim((nb_span){list->data, size});
    size_t taken = comma != NULL ? size + 1 : size;
    *list = (nb_span){list->data + taken, list->size_bytes - taken};
    return item;
}

static size_t count_items(nb_span list)
{
    size_t count = list.size_bytes > 0;
    for (size_t i = 0; i < list.size_bytes; i++)
        count += list.data[i] == ',';
    return count;
}

static nb_err read_codes(nb__export_reader *reader, nb_error *error)
{
    nb_span list = reader->how->codes;
    size_t count = count_items(list);
    if (count == 0)
        return NB_OK;
    if (count > TOPICS_MAX)
        return nb__fail(error, NB_E_ARGUMENT, 0, "--codes: at most %d", TOPICS_MAX);
    reader->wanted = nb__topics_new((uint32_t)count);
    reader->is_seen = calloc(count, sizeof *reader->is_seen);
    if (reader->wanted == NULL || reader->is_seen == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    while (list.size_bytes > 0) {
        nb_span code = next_item(&list);
        nb__topic name;
        if (!nb__topic_make(NB__SPAN("-"), code, &name))
            return nb__fail(error, NB_E_ARGUMENT, 0,
                            "--codes: \"%.*s\" is no code: 1-12 letters and digits each, with "
                            "commas between",
                            (int)(code.size_bytes < 40 ? code.size_bytes : 40), code.data);
        nb__topics_intern(reader->wanted, &name);
    }
    return NB_OK;
}

static nb_err read_trs(nb__export_reader *reader, nb_error *error)
{
    nb_span list = reader->how->trs;
    while (list.size_bytes > 0) {
        nb_span tr = next_item(&list);
        nb__topic name;
        if (!nb__topic_make(tr, NB__SPAN("-"), &name))
            return nb__fail(error, NB_E_ARGUMENT, 0, "--tr: \"%.*s\" is no TR, like H0EUASP0",
                            (int)(tr.size_bytes < 40 ? tr.size_bytes : 40), tr.data);
        if (reader->tr_count == TRS_MAX)
            return nb__fail(error, NB_E_ARGUMENT, 0, "--tr: at most %d", TRS_MAX);
        memcpy(reader->trs[reader->tr_count++], name.tr_id, sizeof name.tr_id);
    }
    return NB_OK;
}

static nb_err read_time(nb__export_reader *reader, const char *option, nb_span text, int64_t *ns,
                        nb_error *error)
{
    *ns = NB_TIME_UNDEF;
    if (text.size_bytes == 0)
        return NB_OK;
    int night = nb__recording_night(reader->recording);
    nb_err err = nb__night_time_parse(text, reader->how->calendar, night, ns, error);
    if (err != NB_OK)
        nb__fail_in(error, "%s", option);
    return err;
}

static nb_err read_range(nb__export_reader *reader, nb_error *error)
{
    const nb__export_how *how = reader->how;
    nb__recording_range *range = &reader->range;
    nb_err err = read_time(reader, "--from", how->from, &range->from_ns, error);
    if (err == NB_OK)
        err = read_time(reader, "--until", how->until, &range->to_ns, error);
    if (err == NB_OK && range->from_ns != NB_TIME_UNDEF && range->to_ns != NB_TIME_UNDEF &&
        range->to_ns <= range->from_ns)
        err = nb__fail(error, NB_E_ARGUMENT, 0, "--until %.*s is not after --from %.*s",
                       (int)how->until.size_bytes, how->until.data, (int)how->from.size_bytes,
                       how->from.data);
    return err;
}

/* ---- opening ---- */

static nb_err make_tables(nb__export_reader *reader, nb_error *error)
{
    reader->topics = nb__topics_new(TOPICS_MAX);
    reader->codes = nb__topics_new(TOPICS_MAX);
    reader->books = nb__books_new(TOPICS_MAX);
    reader->link_of = calloc(TOPICS_MAX, sizeof *reader->link_of);
    if (reader->topics == NULL || reader->codes == NULL || reader->books == NULL ||
        reader->link_of == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "no memory for the books");
    return NB_OK;
}

static void free_tables(nb__export_reader *reader)
{
    nb__topics_free(reader->topics);
    nb__topics_free(reader->codes);
    nb__books_free(reader->books);
    free(reader->link_of);
    reader->topics = reader->codes = NULL;
    reader->books = NULL;
    reader->link_of = NULL;
}

static void measure(nb__export_reader *reader)
{
    nb__catalogue catalogue;
    if (nb__catalogue_read(reader->how->path, &catalogue, NULL) != NB_OK)
        return;
    for (size_t i = 0; i < catalogue.count; i++) {
        const nb__segment *segment = &catalogue.segments[i];
        reader->file_bytes += segment->is_packed ? segment->packed_bytes : segment->plain_bytes;
    }
    nb__catalogue_fini(&catalogue);
}

nb_err nb__export_reader_open(const nb__export_how *how, nb__export_reader **out, nb_error *error)
{
    nb__export_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    reader->how = how;
    nb_err err = nb__recording_open(how->path, &reader->recording, error);
    if (err == NB_OK) {
        measure(reader);
        err = read_range(reader, error);
    }
    if (err == NB_OK)
        err = read_codes(reader, error);
    if (err == NB_OK)
        err = read_trs(reader, error);
    if (err != NB_OK)
        nb__export_reader_close(reader);
    else
        *out = reader;
    return err;
}

void nb__export_reader_close(nb__export_reader *reader)
{
    if (reader == NULL)
        return;
    free_tables(reader);
    nb__topics_free(reader->wanted);
    free(reader->is_seen);
    if (reader->recording != NULL)
        nb__recording_close(reader->recording);
    free(reader);
}

void nb__export_reader_origin(const nb__export_reader *reader, nb__feed_kind *kind, int *night)
{
    *kind = nb__recording_feed_kind(reader->recording);
    *night = nb__recording_night(reader->recording);
}

/* ---- what is told ---- */

static void note(const nb__export_reader *reader, const char *words)
{
    if (!reader->asked->is_quiet && reader->how->note != NULL)
        reader->how->note(reader->how->self, words);
}

static void tell_damage(nb__export_reader *reader, const nb_error *damage)
{
    reader->counters->damages++;
    if (reader->counters->damages <= DAMAGES_TOLD_MAX)
        note(reader, damage->detail);
    if (reader->counters->damages == DAMAGES_TOLD_MAX)
        note(reader, "more damage is only counted; `nightbook journal verify` lists all of it");
}

static void tell_bad(nb__export_reader *reader, const nb__entry *entry, const char *what,
                     const nb_error *error)
{
    char words[400], segment[NB__JOURNAL_NAME_BYTES];
    if (reader->bad_told++ >= BAD_TOLD_MAX)
        return;
    nb__journal_name_print(segment, entry->night, entry->segment_number);
    snprintf(words, sizeof words, "%s: byte %" PRIu64 ": a %s cannot be read: %s [%s]%s", segment,
             entry->offset_bytes, what, error->detail, nb_error_name(error->code),
             reader->bad_told == BAD_TOLD_MAX ? "; more of the kind are only counted" : "");
    note(reader, words);
}

void nb__export_reader_tell_missing(const nb__export_reader *reader)
{
    uint32_t count = reader->wanted != NULL ? nb__topics_count(reader->wanted) : 0;
    for (uint32_t i = 0; i < count; i++) {
        char words[100];
        snprintf(words, sizeof words, "%s: no record of it in what was read",
                 nb__topics_at(reader->wanted, i)->tr_key);
        if (!reader->is_seen[i] && reader->how->note != NULL) /* what was asked is over by now */
            reader->how->note(reader->how->self, words);
    }
}

/* ---- marks ---- */

static nb_err begin_run(nb__export_reader *reader, const nb__entry *entry, nb_error *error)
{
    nb__journal_start start;
    if (nb__journal_start_parse(entry->message, &start, NULL) != NB_OK ||
        strcmp(start.run, reader->run) == 0)
        return NB_OK;
    memcpy(reader->run, start.run, sizeof reader->run);
    nb__books_free(reader->books);
    reader->books = nb__books_new(TOPICS_MAX);
    return reader->books != NULL ? NB_OK : nb__fail(error, NB_E_MEMORY, 0, "no memory for books");
}

static void end_link(nb__export_reader *reader, uint32_t link)
{
    uint32_t count = nb__topics_count(reader->topics);
    for (uint32_t topic = 0; topic < count; topic++)
        if (reader->link_of[topic] == link)
            nb__books_set_stale_at(reader->books, topic);
}

/* A key was given back: its book is of the past. */
static void end_book(nb__export_reader *reader, nb_span message)
{
    nb__journal_answer answer;
    nb__topic name;
    if (nb__journal_answer_parse(message, &answer, NULL) == NB_OK &&
        nb__opsp_find(nb__span(answer.msg_cd)) == NB__OPSP_UNSUBSCRIBED &&
        nb__topic_make(nb__span(answer.tr_id), nb__span(answer.tr_key), &name))
        nb__books_set_stale_at(reader->books, nb__topics_find(reader->topics, &name));
}

/* ---- records ---- */

static int trade_date_of(nb__export_reader *reader, int64_t event_ns)
{
    if (event_ns == NB_TIME_UNDEF)
        return NB_DATE_UNDEF;
    int64_t hour_ns = event_ns - event_ns % HOUR_NS;
    if (hour_ns != reader->hour_ns || reader->trade_date == NB_DATE_UNDEF) {
        /* receipt begins within an hour: only a whole hour of one date is kept */
        int date = nb_trade_date(reader->how->calendar, event_ns);
        bool is_whole = event_ns >= 0 && date == nb_trade_date(reader->how->calendar, hour_ns) &&
                        date == nb_trade_date(reader->how->calendar, hour_ns + HOUR_NS - 1);
        reader->hour_ns = hour_ns;
        reader->trade_date = is_whole ? date : NB_DATE_UNDEF;
        return date;
    }
    return reader->trade_date;
}

static uint32_t intern(nb__topics *topics, nb_span tr_id, nb_span key)
{
    nb__topic name;
    return nb__topic_make(tr_id, key, &name) ? nb__topics_intern(topics, &name) : NB__TOPIC_NONE;
}

static bool is_wanted(nb__export_reader *reader, nb_span key)
{
    nb__topic name;
    if (reader->wanted == NULL)
        return true;
    if (!nb__topic_make(NB__SPAN("-"), key, &name))
        return false;
    uint32_t index = nb__topics_find(reader->wanted, &name);
    if (index != NB__TOPIC_NONE)
        reader->is_seen[index] = true;
    return index != NB__TOPIC_NONE;
}

static nb_err read_book(nb__export_reader *reader, nb__export_row *row, int drift, nb_quote *quote,
                        nb_error *error)
{
    bool is_far = false;
    uint32_t topic = intern(reader->topics, row->frame->tr_id, row->key);
    if (topic == NB__TOPIC_NONE)
        return nb__fail(error, NB_E_FIELD, 0, "its key is none, or there are over %d", TOPICS_MAX);
    nb_err err = nb_quote_decode(row->frame->tr, row->record, quote, error);
    if (err != NB_OK)
        return err;
    quote->recv_ns = row->recv_ns;
    quote->event_ns = nb_event_time(quote->time_hhmmss, row->session_ns, &is_far);
    quote->flags = (is_far ? NB_BOOK_FAR_TIME : 0u) | (drift > 0 ? NB_BOOK_DRIFT : 0u);
    const nb__book *before = nb__books_at(reader->books, topic);
    row->is_resumed = before == NULL || (before->quote.flags & NB_BOOK_STALE) != 0;
    reader->link_of[topic] = row->link;
    nb__books_apply(reader->books, topic,
                    nb__books_product(reader->books, topic, nb__span(quote->key)), quote);
    row->quote = quote;
    row->event_ns = quote->event_ns;
    row->flags = quote->flags;
    return NB_OK;
}

static uint32_t flags_of(const nb__row *row)
{
    uint32_t flags = 0;
    for (size_t i = 0; i < row->flag_count; i++)
        for (int bit = 0; bit < NB_BOOK_FLAG_COUNT; bit++)
            if (strcmp(row->flags[i], nb_book_flag_word(bit)) == 0)
                flags |= 1u << bit;
    return flags;
}

/* Times are dated by the link's clock; recv_ns stays our own. */
static nb_err read_values(nb__export_reader *reader, nb__export_row *row, nb_error *error)
{
    nb__row *values = &reader->row;
    nb_err err;
    if (row->quote != NULL) {
        err = nb__row_read_fields(row->frame, row->record, values, error);
        values->event_ns = row->event_ns;
        nb__row_set_flags(values, row->flags);
    } else {
        err = nb__row_read(row->frame, row->record, row->session_ns, NB_DATE_UNDEF,
                           reader->how->calendar, values, error);
    }
    if (err != NB_OK)
        return err;
    values->recv_ns = row->recv_ns;
    row->row = values;
    if (row->quote == NULL) {
        row->event_ns = values->event_ns;
        row->flags = flags_of(values);
    }
    return NB_OK;
}

static void count_row(nb__export_counters *counters, const nb__export_row *row)
{
    counters->records++;
    counters->unknown_tr += row->frame->tr == NULL;
    counters->far_times += (row->flags & NB_BOOK_FAR_TIME) != 0;
    counters->drifted += (row->flags & NB_BOOK_DRIFT) != 0;
}

static nb_err give_row(nb__export_reader *reader, nb__export_row *row, nb_error *error)
{
    row->code_index = intern(reader->codes, NB__SPAN("-"), row->key);
    row->trade_date = trade_date_of(reader, row->event_ns);
    if (row->row != NULL)
        reader->row.trade_date = row->trade_date;
    reader->counters->unknown_dates += row->trade_date != NB_DATE_UNDEF &&
                                       !nb_calendar_knows(reader->how->calendar, row->trade_date);
    nb_err err = reader->asked->take(reader->asked->self, row, error);
    if (err == NB_OK)
        count_row(reader->counters, row);
    return err;
}

/* @return what take() says; a record that cannot be read is counted and told. */
static nb_err use_record(nb__export_reader *reader, const nb__entry *entry, nb__export_row *row,
                         int drift, nb_error *error)
{
    nb_error reason;
    nb_quote quote;
    bool is_book = row->frame->tr != NULL && row->frame->tr->is_book;
    row->key = nb_record_key(row->record);
    row->event_ns = NB_TIME_UNDEF;
    row->quote = NULL;
    row->row = NULL;
    row->is_resumed = false;
    row->flags = 0;
    if (!is_wanted(reader, row->key))
        return NB_OK;
    if (!is_book && reader->how->format->is_books_only) {
        reader->counters->left_out++;
        return NB_OK;
    }
    nb_err err = is_book ? read_book(reader, row, drift, &quote, &reason) : NB_OK;
    if (err == NB_OK && (reader->asked->needs_values || !is_book))
        err = read_values(reader, row, &reason);
    if (err != NB_OK) {
        reader->counters->bad_records++;
        tell_bad(reader, entry, "record", &reason);
        return NB_OK;
    }
    return give_row(reader, row, error);
}

/* ---- frames ---- */

static bool is_wanted_tr(const nb__export_reader *reader, nb_span tr_id)
{
    for (size_t i = 0; i < reader->tr_count; i++)
        if (nb__span_is(tr_id, reader->trs[i]))
            return true;
    return reader->tr_count == 0;
}

static nb_err use_frame(nb__export_reader *reader, const nb__entry *entry, nb_error *error)
{
    nb_frame frame;
    nb_records walk;
    nb_error reason;
    reader->counters->frames++;
    nb_err err = nb_frame_split(entry->message, &frame, &reason);
    if (err == NB_OK && !is_wanted_tr(reader, frame.tr_id))
        return NB_OK;
    if (err == NB_OK && frame.is_encrypted) {
        reader->counters->encrypted++;
        return NB_OK;
    }
    if (err == NB_OK)
        err = nb_records_begin(&frame, &walk, &reason);
    if (err != NB_OK) {
        reader->counters->bad_frames++;
        tell_bad(reader, entry, "frame", &reason);
        return NB_OK;
    }
    nb__export_row row = {.frame = &frame,
                          .recv_ns = entry->line.recv_ns,
                          .session_ns = entry->session_ns,
                          .night = entry->night,
                          .link = entry->line.link,
                          .frame_number = reader->counters->frames};
    for (; err == NB_OK && nb_records_next(&walk, &row.record); row.record_index++)
        err = use_record(reader, entry, &row, walk.drift, error);
    return err;
}

static nb_err use_line(nb__export_reader *reader, const nb__entry *entry, nb_error *error)
{
    switch (entry->line.kind) {
    case NB__JOURNAL_FRAME:
        return use_frame(reader, entry, error);
    case NB__JOURNAL_START:
        return begin_run(reader, entry, error);
    case NB__JOURNAL_GAP:
        end_link(reader, entry->line.link);
        return NB_OK;
    case NB__JOURNAL_ANSWER:
        end_book(reader, entry->message);
        return NB_OK;
    default:
        return NB_OK;
    }
}

/* ---- a run ---- */

static void tell_progress(const nb__export_reader *reader)
{
    const nb__export_how *how = reader->how;
    if (how->progress == NULL || reader->file_bytes == 0)
        return;
    uint64_t read_bytes =
        nb__recording_count(reader->recording).bytes_read - reader->read_before_bytes;
    double part = (double)read_bytes / (double)reader->file_bytes;
    how->progress(how->self, reader->asked->is_survey, part < 1 ? part : 1,
                  reader->counters->records);
}

static nb_err run_lines(nb__export_reader *reader, nb_error *error)
{
    uint64_t frames_max = reader->asked->frames_max;
    nb_err err = NB_OK;
    for (uint64_t lines = 1; err == NB_OK; lines++) {
        nb__entry entry;
        nb_error damage;
        nb__recording_step step = nb__recording_next(reader->recording, &entry, &damage);
        if (step == NB__RECORDING_END)
            break;
        if (reader->how->stop != NULL && *reader->how->stop)
            return nb__fail(error, NB_E_CLOSED, 0, "interrupted");
        if (step == NB__RECORDING_DAMAGE) {
            tell_damage(reader, &damage);
            continue;
        }
        if (lines % PROGRESS_LINES == 0)
            tell_progress(reader);
        err = use_line(reader, &entry, error);
        if (frames_max > 0 && reader->counters->frames >= frames_max)
            break;
    }
    return err;
}

nb_err nb__export_reader_run(nb__export_reader *reader, const nb__export_run *run,
                             nb__export_counters *counters, nb_error *error)
{
    *counters = (nb__export_counters){0};
    reader->asked = run;
    reader->counters = counters;
    reader->bad_told = 0;
    reader->run[0] = '\0';
    reader->trade_date = NB_DATE_UNDEF;
    reader->read_before_bytes = nb__recording_count(reader->recording).bytes_read;
    if (reader->is_seen != NULL)
        memset(reader->is_seen, 0, nb__topics_count(reader->wanted) * sizeof *reader->is_seen);
    free_tables(reader);
    nb_err err = make_tables(reader, error);
    if (err == NB_OK)
        err = nb__recording_seek(reader->recording, reader->range, error);
    return err == NB_OK ? run_lines(reader, error) : err;
}
