/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `nightbook decode`: raw frames, one a line, to JSON or CSV.
 *
 * Nothing vanishes silently: a line is printed, or named on stderr, or counted in the notes at the
 * end. A line that cannot be read never stops the rest.
 */
#include "cli/cli.h"
#include "export/export.h"
#include "lines.h"
#include "log_line.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAMED_TRS_MAX 64
#define FLUSH_BYTES (1u << 16)

/* A TR whose frames were printed without names. */
typedef struct named_tr {
    char id[NB_TR_ID_MAX + 1];
    bool is_encrypted;
    uint64_t frames;
} named_tr;

typedef struct decoder {
    const char *file; /* for messages */
    bool is_csv;
    int evening; /* of --date */
    const nb_calendar *calendar;
    nb__row row;
    nb__text out;
    char csv_tr_id[NB_TR_ID_MAX + 1]; /* the header printed last */
    bool csv_is_encrypted;
    named_tr named[NAMED_TRS_MAX];
    size_t named_count;
    uint64_t named_more; /* frames of TRs beyond the table */
    uint64_t lines, bad_lines, records, controls, strange_times, unknown_dates;
} decoder;

/* ---- output ---- */

/* @return false when stdout takes no more; `*code` is then the exit code. */
static bool flush(decoder *d, int *code)
{
    const char *at = d->out.data;
    size_t left = d->out.size_bytes;
    if (d->out.is_failed) {
        nb_error error;
        nb__fail(&error, NB_E_MEMORY, 0, "no memory for the output");
        *code = nb__command_failed("decode", &error);
        return false;
    }
    while (left > 0) {
        ssize_t size = write(STDOUT_FILENO, at, left);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0) {
            nb_error error;
            *code = 0; /* the reader has seen enough: `| head` */
            if (errno != EPIPE) {
                nb__fail(&error, NB_E_SYSTEM, 0, "stdout: %s", strerror(errno));
                *code = nb__command_failed("decode", &error);
            }
            return false;
        }
        at += size;
        left -= (size_t)size;
    }
    nb__text_clear(&d->out);
    return true;
}

static void report(const decoder *d, int64_t line_number, const nb_error *error)
{
    fprintf(stderr, "nightbook: decode: %s:%" PRId64 ": offset %zu, %s [%s]\n", d->file,
            line_number, error->offset_bytes, error->detail, nb_error_name(error->code));
}

static void print_row(decoder *d)
{
    const nb__row *row = &d->row;
    d->records++;
    if (!row->is_calendar_known)
        d->unknown_dates++;
    if (!d->is_csv) {
        nb__row_print_json(row, &d->out);
        return;
    }
    if (!nb__span_is(row->tr_id, d->csv_tr_id) || d->csv_is_encrypted != row->is_encrypted) {
        nb__row_print_csv_header(row, &d->out);
        nb__span_copy(row->tr_id, d->csv_tr_id, sizeof d->csv_tr_id);
        d->csv_is_encrypted = row->is_encrypted;
    }
    nb__row_print_csv(row, &d->out);
}

/* ---- frames ---- */

/* Count a frame that is named only, for the note at the end. */
static void name_frame(decoder *d, const nb_frame *frame)
{
    for (size_t i = 0; i < d->named_count; i++)
        if (nb__span_is(frame->tr_id, d->named[i].id) &&
            d->named[i].is_encrypted == frame->is_encrypted) {
            d->named[i].frames++;
            return;
        }
    if (d->named_count == NAMED_TRS_MAX) {
        d->named_more++;
        return;
    }
    named_tr *named = &d->named[d->named_count++];
    nb__span_copy(frame->tr_id, named->id, sizeof named->id);
    named->is_encrypted = frame->is_encrypted;
    named->frames = 1;
}

/* Put "record 2 of 3: " before the error of a record of several. */
static void say_which(nb_error *error, int index, int count)
{
    if (count > 1)
        nb__fail_in(error, "record %d of %d", index, count);
}

/* Every record that can be read is printed; the first that cannot makes the line a bad one. */
static nb_err decode_records(decoder *d, const nb_frame *frame, int64_t recv_ns, nb_error *error)
{
    nb_records records;
    nb_err first_code = nb_records_begin(frame, &records, error);
    if (first_code != NB_OK)
        return first_code;
    nb_span record;
    for (int index = 1; nb_records_next(&records, &record); index++) {
        nb_error reason;
        nb_err code =
            nb__row_read(frame, record, recv_ns, d->evening, d->calendar, &d->row, &reason);
        if (code == NB_OK) {
            print_row(d);
        } else if (first_code == NB_OK) {
            first_code = code;
            say_which(&reason, index, frame->record_count);
            *error = reason;
            error->offset_bytes += (size_t)(record.data - frame->payload.data);
        }
    }
    return first_code;
}

static nb_err decode_frame(decoder *d, nb_span text, int64_t recv_ns, nb_error *error)
{
    nb_frame frame;
    nb_err code = nb_frame_split(text, &frame, error);
    if (code != NB_OK)
        return code;
    size_t payload_at = (size_t)(frame.payload.data - text.data);
    if (frame.is_encrypted) {
        code =
            nb__row_read(&frame, frame.payload, recv_ns, d->evening, d->calendar, &d->row, error);
        if (code == NB_OK)
            print_row(d);
        name_frame(d, &frame);
        return code;
    }
    size_t elision_at = nb__elision_find(frame.payload);
    if (elision_at != SIZE_MAX)
        return nb__fail(error, NB_E_FIELD, payload_at + elision_at,
                        "the frame of %.*s is cut short here (dots stand for what was left out)",
                        (int)frame.tr_id.size_bytes, frame.tr_id.data);
    code = decode_records(d, &frame, recv_ns, error);
    if (code != NB_OK)
        error->offset_bytes += payload_at;
    else if (frame.tr == NULL)
        name_frame(d, &frame);
    return code;
}

static nb_err decode_line(decoder *d, nb_span line, nb_error *error)
{
    nb__log_line log;
    nb_err code = nb__log_line_read(line, &log, error);
    if (code != NB_OK)
        return code;
    if (log.kind == NB__LINE_CONTROL)
        d->controls++;
    if (log.kind != NB__LINE_FRAME)
        return NB_OK;
    d->strange_times += log.is_time_strange;
    code = decode_frame(d, log.frame, log.recv_ns, error);
    if (code != NB_OK)
        error->offset_bytes += (size_t)(log.frame.data - line.data);
    return code;
}

/* ---- lines ---- */

static nb_span without_bom(nb_span line, int64_t number)
{
    if (number == 1 && line.size_bytes >= 3 && memcmp(line.data, "\xEF\xBB\xBF", 3) == 0) {
        line.data += 3;
        line.size_bytes -= 3;
    }
    return line;
}

static void take_line(decoder *d, nb__lines_state state, nb_span line, int64_t number)
{
    nb_error error;
    nb_err code;
    d->lines++;
    if (state == NB__LINES_TOO_LONG)
        code = nb__fail(&error, NB_E_LIMIT, NB__LINE_MAX_BYTES, "the line is longer than %u bytes",
                        NB__LINE_MAX_BYTES);
    else
        code = decode_line(d, without_bom(line, number), &error);
    if (code == NB_OK)
        return;
    d->bad_lines++;
    report(d, number, &error);
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void print_notes(const decoder *d)
{
    const char *head = "nightbook: decode:";
    for (size_t i = 0; i < d->named_count; i++)
        fprintf(stderr, "%s TR %s is %s; %" PRIu64 " frame%s named only\n", head, d->named[i].id,
                d->named[i].is_encrypted ? "encrypted" : "not in the schema", d->named[i].frames,
                plural(d->named[i].frames));
    if (d->named_more > 0)
        fprintf(stderr, "%s more TRs are not in the schema; %" PRIu64 " frame%s named only\n", head,
                d->named_more, plural(d->named_more));
    if (d->controls > 0)
        fprintf(stderr, "%s %" PRIu64 " control message%s (JSON) skipped\n", head, d->controls,
                plural(d->controls));
    if (d->strange_times > 0)
        fprintf(stderr,
                "%s %" PRIu64
                " frame%s after words without a time that is known: recv_ns is null\n",
                head, d->strange_times, plural(d->strange_times));
    if (d->unknown_dates > 0)
        fprintf(stderr,
                "%s %" PRIu64
                " trade date%s beyond the holiday file: weekdays taken for business days\n",
                head, d->unknown_dates, plural(d->unknown_dates));
    if (d->bad_lines > 0)
        fprintf(stderr,
                "%s %" PRIu64 " of %" PRIu64 " lines were bad; %" PRIu64 " record%s printed\n",
                head, d->bad_lines, d->lines, d->records, plural(d->records));
}

static int decode_all(decoder *d, nb__lines *lines)
{
    int code = 0;
    nb_error error;
    for (;;) {
        nb_span line = {0};
        nb__lines_state state = nb__lines_take(lines, &line);
        if (state == NB__LINES_END)
            break;
        if (state != NB__LINES_NEED)
            take_line(d, state, line, lines->number);
        if ((state == NB__LINES_NEED || d->out.size_bytes >= FLUSH_BYTES) && !flush(d, &code))
            return code;
        if (state == NB__LINES_NEED && nb__lines_fill(lines, &error) != NB_OK) {
            print_notes(d);
            nb__fail_in(&error, "%s", d->file);
            return nb__command_failed("decode", &error);
        }
    }
    if (!flush(d, &code))
        return code;
    print_notes(d);
    return d->bad_lines > 0 ? NB_CLASS_DATA : 0;
}

/* ---- the command ---- */

static const char help_text[] =
    "Reads raw frames of KIS (E|TR|CCC|field^field^...), one a line, and prints each record: as a "
    "flat JSON\n"
    "object a line, or as CSV with a header wherever the TR changes. Without a FILE, or for -, it "
    "reads stdin.\n"
    "\n"
    "Anything may stand before a frame. A time there becomes recv_ns: at the line's start 10 "
    "digits (seconds\n"
    "since 1970, also with a fraction), 13 (ms), 16 (us) or 19 (ns); or anywhere 2026-11-20 "
    "18:00:01,123 (also T,\n"
    "'.', and a zone; KST without one). From it come event_ns and trade_date, which are null "
    "without it. Blank\n"
    "lines and # comments are skipped, JSON control messages counted. Records of a TR that is not "
    "in the\n"
    "schema have their fields in a list; encrypted ones are named only.\n"
    "\n"
    "Exit code: 0; 65 when a line could not be read (each is told on stderr with its line and "
    "offset; the rest\n"
    "is printed); 64 wrong usage; 71 the system refused. More: docs/decode.md, docs/fields.md.\n"
    "\n"
    "  nightbook decode night.log > night.jsonl\n"
    "  tail -f client.log | nightbook decode --csv -\n";

static nb_err read_date(const char *text, int *date, nb_error *error)
{
    nb_span span = nb__span(text);
    uint64_t year = 0, month = 0, day = 0;
    bool is_date = span.size_bytes == 10 && text[4] == '-' && text[7] == '-' &&
                   nb__span_to_u64((nb_span){text, 4}, &year) &&
                   nb__span_to_u64((nb_span){text + 5, 2}, &month) &&
                   nb__span_to_u64((nb_span){text + 8, 2}, &day);
    *date = (int)(year * 10000 + month * 100 + day);
    if (!is_date || !nb__date_is_valid(*date) || year > 2199)
        return nb__fail(error, NB_E_ARGUMENT, 0, "--date %.40s: a day is expected, like 2026-11-20",
                        text);
    return NB_OK;
}

int nb__command_decode(int argc, char **argv)
{
    static decoder d; /* its row is large */
    bool is_json = false;
    const char *date = NULL, *operands[1] = {"-"};
    size_t operand_count;
    const nb__option options[] = {
        {"json", NULL, "a flat JSON object a record (default)", NB__OPTION_FLAG, &is_json, 0, 0},
        {"csv", NULL, "comma-separated values", NB__OPTION_FLAG, &d.is_csv, 0, 0},
        {"date", "YYYY-MM-DD", "the evening on which the night of frames without a time began",
         NB__OPTION_STRING, &date, 0, 0},
        {NULL, NULL, NULL, NB__OPTION_FLAG, NULL, 0, 0}};
    const nb__usage usage = {"decode", "[OPTIONS] [FILE|-]", help_text, options, 1};
    int code = nb__options_parse(&usage, argc, argv, operands, &operand_count);
    if (code >= 0)
        return code;
    nb_error error;
    nb__lines lines;
    if (is_json && d.is_csv) {
        nb__fail(&error, NB_E_ARGUMENT, 0, "--json and --csv exclude each other");
        return nb__command_failed("decode", &error);
    }
    d.evening = NB_DATE_UNDEF;
    if (date != NULL && read_date(date, &d.evening, &error) != NB_OK)
        return nb__command_failed("decode", &error);
    d.file = strcmp(operands[0], "-") == 0 ? "stdin" : operands[0];
    d.calendar = nb_calendar_builtin();
    if (nb__lines_open(&lines, operands[0], &error) != NB_OK) {
        nb__fail_in(&error, "%s", d.file);
        return nb__command_failed("decode", &error);
    }
    signal(SIGPIPE, SIG_IGN); /* a closed stdout is seen by write */
    code = decode_all(&d, &lines);
    nb__lines_close(&lines);
    nb__text_fini(&d.out);
    return code;
}
