/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nightbook tap: print what a KIS-protocol server sends for some codes.
 *
 * Records go to stdout, everything said about them to stderr. Lines are gathered while messages are
 * at hand and written before each wait, so that a reader never waits for what has already come, and
 * a burst costs few writes.
 */
#include "cli/cli.h"
#include "client/client.h"
#include "export/export.h"
#include "kis/kis.h"
#include "night/night.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_URL "ws://127.0.0.1:31000"
#define OPEN_TIMEOUT_MS 10000
#define OUTPUT_BYTES ((size_t)256 << 10) /* written at once when so much is gathered */
#define TEXT_SHOWN_MAX 2000              /* of a text that is no data */
#define EXIT_INTERRUPTED (128 + SIGINT)

typedef struct wish {
    nb__topic topic;
    bool is_refused;
} wish;

typedef struct tap {
    const char *url, *codes, *trs;
    uint64_t count_max; /* 0: no end */
    bool is_json, is_csv, is_raw, has_time;

    nb_client *client;
    wish *wishes;
    size_t wish_count, refused_count;
    nb__text out;
    uint64_t count;
    bool is_calendar_told;
    char csv_tr_id[NB_TR_ID_MAX + 1]; /* the header printed last */
    bool csv_is_encrypted;
    nb__row row;
} tap;

/* ---- the end by SIGINT ---- */

static nb_client *volatile interruptible;
static volatile sig_atomic_t is_interrupted;

static void interrupt(int number)
{
    (void)number;
    if (is_interrupted || interruptible == NULL)
        _exit(EXIT_INTERRUPTED); /* nothing to say goodbye to yet, or it takes too long */
    is_interrupted = 1;
    nb_client_wake(interruptible);
}

/* ---- writing ---- */

/* @return -1: go on; else the exit code. A reader that has enough (EPIPE) is no failure. */
static int write_out(tap *t)
{
    const char *at = t->out.data;
    size_t left = t->out.size_bytes;
    while (left > 0 && !is_interrupted) {
        ssize_t written = write(STDOUT_FILENO, at, left);
        if (written >= 0) {
            at += written;
            left -= (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd writable = {.fd = STDOUT_FILENO, .events = POLLOUT};
            poll(&writable, 1, -1);
        } else if (errno == EPIPE) {
            return 0;
        } else if (errno != EINTR) {
            nb_error error;
            nb__fail(&error, NB_E_SYSTEM, 0, "stdout: %s", strerrordesc_np(errno));
            return nb__command_failed("tap", &error);
        }
    }
    nb__text_clear(&t->out);
    return -1;
}

static void print_row(tap *t)
{
    if (!t->is_csv) {
        nb__row_print_json(&t->row, &t->out);
        return;
    }
    if (!nb__span_is(t->row.tr_id, t->csv_tr_id) || t->csv_is_encrypted != t->row.is_encrypted) {
        nb__row_print_csv_header(&t->row, &t->out);
        nb__span_copy(t->row.tr_id, t->csv_tr_id, sizeof t->csv_tr_id);
        t->csv_is_encrypted = t->row.is_encrypted;
    }
    nb__row_print_csv(&t->row, &t->out);
}

/* What the server sent, fit for a terminal: its bytes could drive it. */
static void say_text(const char *before, nb_span text, size_t size_max)
{
    char words[TEXT_SHOWN_MAX];
    size_t size = text.size_bytes > size_max ? size_max : text.size_bytes;
    memcpy(words, text.data, size);
    nb__make_printable(words, size);
    fprintf(stderr, "%s%.*s\n", before, (int)size, words);
}

static void say_bad_record(const nb_event *event, const nb_error *error)
{
    fprintf(stderr, "nightbook: tap: byte %zu: %s [%s]\n", error->offset_bytes, error->detail,
            nb_error_name(error->code));
    say_text("  ", event->text, 200);
}

/* Times are dated by the server's clock; recv_ns stays our own. */
static void print_record(tap *t, const nb_event *event, nb_span record)
{
    nb_error error;
    if (nb__row_read(&event->frame, record, event->session_ns, NB_DATE_UNDEF, nb_calendar_builtin(),
                     &t->row, &error) != NB_OK) {
        error.offset_bytes += (size_t)(record.data - event->text.data);
        say_bad_record(event, &error);
        return;
    }
    t->row.recv_ns = event->recv_ns;
    if (!t->row.is_calendar_known && !t->is_calendar_told) {
        t->is_calendar_told = true;
        fprintf(stderr,
                "nightbook: tap: the holidays around %d are not known: weekdays count as business "
                "days\n",
                t->row.trade_date);
    }
    print_row(t);
    t->count++;
}

static bool has_enough(const tap *t)
{
    return t->count_max > 0 && t->count >= t->count_max;
}

static void print_records(tap *t, const nb_event *event)
{
    nb_error error;
    nb_records records;
    nb_span record;
    if (event->frame.record_count == 0) {
        nb_frame frame;
        nb_frame_split(event->text, &frame, &error); /* once more, for the reason */
        say_bad_record(event, &error);
    } else if (event->frame.is_encrypted) {
        print_record(t, event, event->frame.payload);
    } else if (nb_records_begin(&event->frame, &records, &error) != NB_OK) {
        error.offset_bytes += (size_t)(event->frame.payload.data - event->text.data);
        say_bad_record(event, &error);
    } else {
        while (!has_enough(t) && nb_records_next(&records, &record))
            print_record(t, event, record);
    }
}

static void print_raw(tap *t, const nb_event *event)
{
    if (t->has_time)
        nb__text_printf(&t->out, "%" PRId64 " ", event->session_ns);
    nb__text_append(&t->out, event->text.data, event->text.size_bytes);
    nb__text_append(&t->out, "\n", 1);
    t->count++;
}

/* ---- what the server says ---- */

static void note_refusal(tap *t, const nb_event *event)
{
    if (nb__opsp_at(nb__opsp_find(nb__span(event->msg_cd)))->reaction == NB__REACT_DONE)
        return; /* ALREADY IN SUBSCRIBE: as good as a success */
    char words[300];
    snprintf(words, sizeof words, "%s %s: %s [%s]", event->tr_id, event->tr_key, event->msg1,
             event->msg_cd);
    say_text("nightbook: tap: ", nb__span(words), sizeof words);
    for (size_t i = 0; i < t->wish_count; i++) {
        wish *w = &t->wishes[i];
        if (w->is_refused || strcmp(w->topic.tr_id, event->tr_id) != 0 ||
            strcmp(w->topic.tr_key, event->tr_key) != 0)
            continue;
        w->is_refused = true;
        t->refused_count++;
    }
}

/* @return -1: go on; else the exit code. */
static int handle(tap *t, const nb_event *event)
{
    nb_error error;
    switch (event->kind) {
    case NB_EVENT_DATA:
        if (t->is_raw)
            print_raw(t, event);
        else
            print_records(t, event);
        break;
    case NB_EVENT_ANSWER:
        if (strcmp(event->rt_cd, "0") != 0)
            note_refusal(t, event);
        break;
    case NB_EVENT_MARK:
    case NB_EVENT_OTHER:
        say_text("nightbook: tap: ", event->text, TEXT_SHOWN_MAX);
        break;
    case NB_EVENT_CLOSED:
        write_out(t);
        nb__fail(&error, NB_E_CLOSED, 0, "%s", event->detail);
        return nb__command_failed("tap", &error);
    }
    if (t->out.is_failed) {
        nb__fail(&error, NB_E_MEMORY, 0, "memory is exhausted");
        return nb__command_failed("tap", &error);
    }
    if (t->refused_count == t->wish_count) {
        nb__fail(&error, NB_E_REFUSED, 0, "every registration was refused: nothing will come");
        return nb__command_failed("tap", &error);
    }
    return -1;
}

static int follow(tap *t)
{
    int exit_code = -1;
    while (exit_code < 0) {
        nb_event event;
        nb_error error;
        nb_err err = nb_client_next(t->client, 0, &event, &error);
        if (err == NB_E_TIMEOUT) { /* all that has come is printed */
            if ((exit_code = write_out(t)) >= 0)
                break;
            err = is_interrupted ? NB_E_TIMEOUT : nb_client_next(t->client, -1, &event, &error);
        }
        if (is_interrupted)
            return EXIT_INTERRUPTED;
        if (err == NB_OK)
            exit_code = handle(t, &event);
        else if (err != NB_E_TIMEOUT)
            return nb__command_failed("tap", &error);
        if (exit_code < 0 && has_enough(t)) {
            exit_code = write_out(t);
            return exit_code < 0 ? 0 : exit_code;
        }
        if (exit_code < 0 && t->out.size_bytes >= OUTPUT_BYTES)
            exit_code = write_out(t);
    }
    return exit_code;
}

/* ---- what was asked for ---- */

/* Cut what stands before the next ',' off `*rest`. */
static nb_span take_item(nb_span *rest)
{
    const char *comma = memchr(rest->data, ',', rest->size_bytes);
    nb_span item = {rest->data, comma != NULL ? (size_t)(comma - rest->data) : rest->size_bytes};
    size_t taken = item.size_bytes + (comma != NULL);
    rest->data += taken;
    rest->size_bytes -= taken;
    return nb__span_trim(item);
}

static size_t count_items(const char *list)
{
    size_t count = 1;
    for (; *list != '\0'; list++)
        count += *list == ',';
    return count;
}

/* Each TR with each code. */
static nb_err make_wishes(tap *t, nb_error *error)
{
    if (t->codes == NULL)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "--codes is missing: KIS short codes joined by ',', or '*' for all that a "
                        "nightbook gateway has");
    if (t->is_json + t->is_csv + t->is_raw > 1)
        return nb__fail(error, NB_E_ARGUMENT, 0, "--json, --csv and --raw exclude one another");
    if (t->has_time && !t->is_raw)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "--time goes with --raw; JSON and CSV hold the times anyway");
    t->wishes = calloc(count_items(t->codes) * count_items(t->trs), sizeof *t->wishes);
    if (t->wishes == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    for (nb_span trs = nb__span(t->trs); trs.size_bytes > 0;) {
        nb_span tr = take_item(&trs);
        for (nb_span codes = nb__span(t->codes); codes.size_bytes > 0;) {
            nb_span code = take_item(&codes);
            if (!nb__topic_make(tr, code, &t->wishes[t->wish_count++].topic))
                return nb__fail(error, NB_E_ARGUMENT, 0,
                                "'%.*s' '%.*s': a TR has 1-15 characters, a code 1-12",
                                tr.size_bytes > 30 ? 30 : (int)tr.size_bytes, tr.data,
                                code.size_bytes > 30 ? 30 : (int)code.size_bytes, code.data);
        }
    }
    return t->wish_count > 0 ? NB_OK
                             : nb__fail(error, NB_E_ARGUMENT, 0, "--codes and --tr name nothing");
}

/* The address without its path, which may hold a client key. */
static int origin_size(const char *url)
{
    const char *host = strstr(url, "://");
    return (int)(host == NULL ? strcspn(url, "/")
                              : (size_t)(host + 3 - url) + strcspn(host + 3, "/"));
}

static int open_failed(const tap *t, const nb_error *error)
{
    int exit_code = nb__command_failed("tap", error);
    if (error->code == NB_E_REFUSED)
        fprintf(stderr,
                "  nothing listens at %.*s: start `nightbook serve` (the gateway) or `nightbook "
                "sim` (the "
                "look-alike), or give\n  another address\n",
                origin_size(t->url), t->url);
    return exit_code;
}

static void say_connected(const tap *t)
{
    const char *feed = nb_client_feed(t->client);
    nb__feed_kind kind = NB__FEED_LIVE;
    while (kind < NB__FEED_OTHER && strcmp(feed, nb__feed_kind_name(kind)) != 0)
        kind++;
    fprintf(stderr, "nightbook: tap: %.*s %s\n", origin_size(t->url), t->url,
            nb__feed_kind_banner(kind));
}

static int run(tap *t)
{
    nb_error error;
    if (make_wishes(t, &error) != NB_OK)
        return nb__command_failed("tap", &error);
    struct sigaction action = {.sa_handler =
                                   interrupt}; /* no SA_RESTART: a write that blocks ends, too */
    sigaction(SIGINT, &action, NULL);
    if (nb_client_open(t->url, OPEN_TIMEOUT_MS, &t->client, &error) != NB_OK)
        return open_failed(t, &error);
    interruptible = t->client;
    say_connected(t);
    for (size_t i = 0; i < t->wish_count; i++) {
        const nb__topic *topic = &t->wishes[i].topic;
        if (nb_client_subscribe(t->client, topic->tr_id, topic->tr_key, &error) != NB_OK)
            return nb__command_failed("tap", &error);
    }
    return follow(t);
}

static const char explanation[] =
    "Prints records as JSON (as `nightbook decode` does), CSV or raw frames, from a nightbook "
    "gateway, the look-alike\n"
    "or any server that speaks KIS's WebSocket protocol; the address is " DEFAULT_URL
    " when none is given.\n"
    "KIS itself is refused: its one session an appkey belongs to `nightbook serve`. What is said "
    "about records goes to\n"
    "stderr: whose data it is, refusals in KIS's words, records that do not decode.\n"
    "\n"
    "  nightbook tap --codes B01612A45,C01612A45\n"
    "  nightbook tap --codes '*' --csv > night.csv            every key of a nightbook gateway\n"
    "  nightbook tap --codes '*' --raw --time | nightbook decode\n"
    "  nightbook tap ws://127.0.0.1:31000/+last --codes B01612A45 --count 1\n"
    "\n"
    "Exit code 0 after --count or when the reader has enough, 130 on SIGINT, 76 when the link is "
    "lost or all is\n"
    "refused.\n";

int nb__command_tap(int argc, char **argv)
{
    tap *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NB_CLASS_SYSTEM;
    t->url = DEFAULT_URL;
    t->trs = "H0EUASP0";
    const nb__option options[] = {
        {"codes", "A,B|*", "KIS short codes, or * for every key that a nightbook gateway has",
         NB__OPTION_STRING, &t->codes, 0, 0},
        {"tr", "TR,TR", "TRs to ask for with each code (default H0EUASP0)", NB__OPTION_STRING,
         &t->trs, 0, 0},
        {"count", "N", "end after so many records (--raw: frames)", NB__OPTION_U64, &t->count_max,
         1, 1e18},
        {"json", NULL, "one flat object a line (default)", NB__OPTION_FLAG, &t->is_json, 0, 0},
        {"csv", NULL, "comma-separated, with a header wherever the TR changes", NB__OPTION_FLAG,
         &t->is_csv, 0, 0},
        {"raw", NULL, "the frames themselves, one a line", NB__OPTION_FLAG, &t->is_raw, 0, 0},
        {"time", NULL, "before each raw frame its receive time on the server's clock, in ns",
         NB__OPTION_FLAG, &t->has_time, 0, 0},
        {0}};
    const nb__usage usage = {"tap", "[URL] --codes A,B|'*' [OPTIONS]", explanation, options, 1};
    size_t operand_count = 0;
    int exit_code = nb__options_parse(&usage, argc, argv, &t->url, &operand_count);
    if (exit_code < 0)
        exit_code = run(t);
    interruptible = NULL; /* from here on a SIGINT ends at once */
    nb_client_close(t->client);
    nb__text_fini(&t->out);
    free(t->wishes);
    free(t);
    return exit_code;
}
