/* SPDX-License-Identifier: Apache-2.0 */
/**
 * base, L0: spans, errors, numbers, times, text buffers, metrics rows, log. Everything else stands
 * on it.
 *
 * Pure but for nb__log(), which writes one line to stderr and is the one place here that reads a
 * clock.
 */
#ifndef NB_BASE_H
#define NB_BASE_H

#include <nightbook/error.h>
#include <nightbook/price.h>
#include <nightbook/types.h>
#include <stdarg.h>

#define NB__NS_PER_US INT64_C(1000)
#define NB__NS_PER_MS INT64_C(1000000)
#define NB__NS_PER_S INT64_C(1000000000)
#define NB__NS_PER_DAY (INT64_C(86400) * NB__NS_PER_S)
#define NB__KST_OFFSET_NS (INT64_C(9) * 3600 * NB__NS_PER_S)

#define NB__COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define NB__PRINTF(format_index, first_index)                                                      \
    __attribute__((format(printf, format_index, first_index)))

/* ---- spans ---- */

#define NB__SPAN(literal) ((nb_span){(literal), sizeof(literal) - 1})
nb_span nb__span(const char *text); /**< of a NUL-terminated string; NULL gives an empty span */
bool nb__span_is(nb_span span, const char *text);
bool nb__span_equal(nb_span a, nb_span b);
bool nb__span_is_nocase(nb_span span, const char *text); /**< ASCII only */
nb_span nb__span_trim(nb_span span); /**< without blanks and tabs at both ends */
/** Copy into `out` and end with NUL. @return false, `out` "" when it does not fit. */
bool nb__span_copy(nb_span span, char *out, size_t capacity_bytes);
/** Strict decimal digits, 1–18 of them. @return false for anything else. */
bool nb__span_to_u64(nb_span span, uint64_t *out);

#define NB__INTEGER_TEXT_MAX 24 /**< bytes that nb__integer_print() may write, its NUL included */
/** Decimal, as `%d` has it. @return its length without the NUL. */
size_t nb__integer_print(char out[NB__INTEGER_TEXT_MAX], int64_t value);

/** Whether a typing slip lies between them: one or two letters wrong, missing, too many, or
 * swapped. */
bool nb__word_is_near(const char *word, const char *other);

/* ---- errors ---- */

/** Fill `error` (may be NULL) and return `code`, so that a failing function ends in one line. The
 * detail is made printable: it may quote a peer. */
nb_err nb__fail(nb_error *error, nb_err code, size_t offset_bytes, const char *format, ...)
    NB__PRINTF(4, 5);
/** Put a clause before what `error` says ("master fo_eurex_code.mst: …"). Keeps code and offset;
 * returns the code (NB_E_INTERNAL when `error` is NULL: return your own then). */
nb_err nb__fail_in(nb_error *error, const char *format, ...) NB__PRINTF(2, 3);

/* ---- times and dates (KST civil calendar; dates are integers YYYYMMDD) ---- */

typedef struct nb__civil {
    int date;    /**< YYYYMMDD */
    int hhmmss;  /**< 000000–235959 */
    int ns;      /**< 0–999999999 */
    int weekday; /**< 0 Sunday … 6 Saturday */
} nb__civil;

nb__civil nb__kst_civil(int64_t utc_ns);
/** UTC ns of a KST date at HHMMSS (hours 0–29). */
int64_t nb__kst_ns(int date, int hhmmss);
int nb__date_add(int date, int days);
int nb__date_weekday(int date); /**< 0 Sunday … 6 Saturday */
/** A day of the years 1970–2261: those whose nanoseconds fit an int64_t. */
bool nb__date_is_valid(int date);
/** "2026-11-20T18:00:00.123456789+09:00"; `digits` of the fraction, 0–9. `out` holds 40 bytes.
 * @return its length. */
size_t nb__kst_print(char out[40], int64_t utc_ns, int digits);

/* ---- text buffers: growable bytes for what is built once and sent ---- */

/** Caller's memory, `{0}` is ready for use. An allocation that fails sets is_failed; later appends
 * do nothing. */
typedef struct nb__text {
    char *data; /**< NUL after the last byte whenever capacity_bytes > 0 */
    size_t size_bytes, capacity_bytes;
    bool is_failed;
} nb__text;

void nb__text_fini(nb__text *text);
void nb__text_wipe(nb__text *text);  /**< the same for what may be secret: overwritten first */
void nb__text_clear(nb__text *text); /**< keeps the memory */
void nb__text_append(nb__text *text, const void *data, size_t size_bytes);
void nb__text_string(nb__text *text, const char *string);
void nb__text_printf(nb__text *text, const char *format, ...) NB__PRINTF(2, 3);
/** A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void nb__text_json(nb__text *text, nb_span value);
/** Make room for `size_bytes` more and return where they go; NULL on failure. Follow with
 * `text->size_bytes += n`. */
char *nb__text_reserve(nb__text *text, size_t size_bytes);
nb_span nb__text_view(const nb__text *text);

/** Length of the longest valid UTF-8 prefix (shortest form, no surrogates, ≤ U+10FFFF). */
size_t nb__utf8_valid_prefix(nb_span span);
/** Replace each byte that is not part of valid UTF-8 by '?', in place. @return how many were
 * replaced. */
size_t nb__utf8_scrub(char *data, size_t size_bytes);

/** Fit for a terminal and a log, in place: control characters (line ends too) and bytes that are
 * not UTF-8 become '?'. For the words of peers. */
void nb__make_printable(char *data, size_t size_bytes);

/* ---- metrics: a struct of uint64_t counters and a table that names them ---- */

typedef struct nb__metric {
    const char *name; /**< without the `nightbook_` prefix; counters end in `_total` */
    const char *help;
    size_t offset_bytes; /**< of a uint64_t in the struct it describes */
    bool is_gauge;
} nb__metric;

/* ---- histogram: how long things took, from nanoseconds to years, in 15 KiB (hist.c) ---- */

#define NB__HIST_BUCKETS 1888
/** Caller's memory; `{0}` is empty. */
typedef struct nb__hist {
    uint64_t counts[NB__HIST_BUCKETS];
    uint64_t count;
    uint64_t sum; /**< of all values, exact; wraps */
    int64_t max;  /**< exact */
} nb__hist;
/** `count` times the same value; what is below 0 counts as 0. O(1). */
void nb__hist_add(nb__hist *hist, int64_t value, uint64_t count);
/** The least value that so many of a million are not above; 990 000 is p99. Never less than the
 * truth, and less than 1/32 more; 1 000 000 is `max`. 0: empty. */
int64_t nb__hist_quantile(const nb__hist *hist, uint32_t parts_per_million);

/* ---- random numbers: seeded, repeatable, for jitter and simulation; never for secrets ---- */

typedef struct nb__random {
    uint64_t state[4];
} nb__random;
void nb__random_init(nb__random *random, uint64_t seed);
uint64_t nb__random_next(nb__random *random);
/** Uniform in [0, bound), bound > 0. */
uint64_t nb__random_below(nb__random *random, uint64_t bound);

/* ---- log: one line an event on stderr ---- */

typedef enum nb__log_level {
    NB__LOG_DEBUG,
    NB__LOG_INFO,
    NB__LOG_WARN,
    NB__LOG_ERROR
} nb__log_level;
void nb__log_set_level(nb__log_level least);
typedef enum nb__log_form {
    NB__LOG_WORDS, /**< `nightbook: [warning: ]ROOM: sentence`, hints indented: one-shot commands */
    NB__LOG_KEYVALUE, /**< `time=… level=warning room=feed msg="…" hint="…"`, one line an event:
                         serve, sim */
    NB__LOG_JSON      /**< the same as one JSON object */
} nb__log_form;
/** Once, at the start. Under systemd (JOURNAL_STREAM names our stderr) a line begins with its
 * priority `<4>` and has no time. */
void nb__log_set_form(nb__log_form form);
/** From here on every occurrence of `secret` (≥ 4 bytes) in any line becomes `***`, also where
 * escapes are within it. At most 64: the first 32 stay, later ones (each night's keys) take turns.
 * Copies, wiped at exit. A second defence: no caller logs one. */
void nb__log_hide(const char *secret);
/** Hide them in `text` too, in place, as a line would: words of peers on their way to a file.
 * @return how many were there. */
size_t nb__log_hide_in(char *text);
/** Whether any of them is within these bytes, which may be anything but are looked at only up to
 * 64 KiB: beyond that the answer is yes. */
bool nb__log_is_hidden_in(nb_span bytes);
/**
 * One event. A second line, after '\n', is the hint: what happens next and what the reader can do.
 * At most 1 KiB, made printable. Rate-limited by the distinct-error rule: a warning or error whose
 * format was told 10 times within a minute is counted, and told again with `repeated=N` when the
 * minute is over (with the next event of any kind, or at exit). Threads: any.
 */
void nb__log(nb__log_level level, const char *room, const char *format, ...) NB__PRINTF(3, 4);

#endif
