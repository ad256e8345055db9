/* SPDX-License-Identifier: Apache-2.0 */
/* A segment as a reader sees it: which of its files, its places and times, its next block of whole
 * lines. Private to store. */
#ifndef NB_STORE_READING_H
#define NB_STORE_READING_H

#include "store/store.h"

typedef struct span {
    uint64_t begin, end; /* of the plain bytes */
    nb__damage_kind kind;
} span;

/* Caller's; opened for reading by part_open(). */
typedef struct part {
    nb__segment segment;
    bool is_packed;     /* which of its files is read */
    nb_error trouble;   /* code NB_OK: none. What a reader is told once: no file can be read, the
                           packed one is not good, or it must be read without its index */
    bool is_unreadable; /* `trouble` says why */
    nb__packed packed;  /* rows of a packed one; without an index all times are open */
    nb__journal_start start;
    bool has_start;
    bool has_totals;           /* what follows is known */
    int64_t first_ns, last_ns; /* session times; first > last: no line has one */
    uint64_t lines, frames, found_damages, repairs, repaired_bytes;
    bool is_stopped;      /* of one that was read whole: it ends with a stop mark */
    uint64_t total_bytes; /* of the file, when it was looked at */
    span *damages;        /* plain one: what its sums, or its form, say is damaged, in order */
    size_t damage_count, damage_capacity;
    uint64_t checked_bytes; /* of the file, when they were looked for */

    /* while it is open */
    int fd;
    uint64_t offset_bytes; /* plain one: what was not read yet begins here */
    size_t row_index;      /* packed one: the row that comes next */
    size_t damage_index;   /* plain one: the next of `damages` */
} part;

/* What a block of lines needs, shared by all parts of a recording. */
typedef struct block {
    nb__text file, plain; /* bytes as they lie on disk; lines */
    nb__unpack *unpack;
    nb_span lines;         /* whole lines, of `plain` */
    uint64_t offset_bytes; /* of the first, in the plain segment */
} block;

typedef enum block_step {
    BLOCK_LINES,
    BLOCK_DAMAGE, /* words; go on */
    BLOCK_END
} block_step;

/* Choose its file, read its start mark and its index. A segment that cannot be read is no error:
 * `is_unreadable`. @retval NB_E_VERSION, NB_E_MEMORY */
nb_err part_init(part *p, const nb__segment *segment, block *scratch,
                 nb__recording_counters *counters, nb_error *error);
void part_fini(part *p);
/* From its begin. @retval NB_E_SYSTEM and others: it cannot be read; words. */
nb_err part_open(part *p, block *b, nb__recording_counters *counters, nb_error *error);
void part_close(part *p);
/* The row `row_index` of a packed one, and go on to the next. */
block_step part_row(part *p, block *b, nb__recording_counters *counters, nb_error *damage);
/* The next whole lines of a plain one. @param is_last  It may be written to still: a line without
 * an end is no damage, and after the end more may come. */
block_step part_piece(part *p, block *b, bool is_last, nb__recording_counters *counters,
                      nb_error *damage);

/* ---- part_packed.c ---- */

/* `size_bytes` at `offset_bytes`, all of them, replacing `out`. */
nb_err read_bytes(int fd, uint64_t offset_bytes, size_t size_bytes, nb__text *out,
                  nb__recording_counters *counters, nb_error *error);
/* Up to the first line's end, without it; data NULL when there is none. */
nb_span first_line(nb_span bytes);
/* The rows of a packed file. @param[out] trouble  Set when it must be read without its index. */
nb_err read_packed(const nb__segment *segment, block *b, nb__packed *packed,
                   nb__recording_counters *counters, nb_error *trouble, nb_error *error);
/* Whether lines of the row may lie in the range. */
bool row_is_needed(const nb__packed_row *row, bool is_live, nb__recording_range range);
/*
 * How the marks of the index stand to a row: all before `*known_bytes` come before it.
 * @return false: the clock was set back around them, so that times do not tell; `*known_bytes` is
 * then the best guess.
 */
bool marks_before(const nb__packed *packed, size_t row_index, size_t *known_bytes);

/* ---- recording.c, totals.c ---- */

/* What is told of a part before its first line. */
typedef enum stage { STAGE_MISSING, STAGE_OPEN, STAGE_TROUBLE, STAGE_LINES } stage;

struct nb__recording {
    nb__catalogue catalogue;
    bool is_one_file; /* what lies before it is not asked for */
    part *parts;
    size_t part_count;
    nb__feed_kind feed;

    nb__recording_range range;
    size_t part_index; /* the one that is read */
    stage stage;
    bool has_skipped; /* rows of it: whose the next lines are must be asked of the index */
    block block;
    const char *at, *end; /* lines of the block that were not taken */
    const char *escape;   /* the first '\\' of them, or `end`; NULL: not looked for */
    nb__journal_links links;
    nb__text message;
    nb__recording_counters counters;
};

/* Without a connect mark, receive time is session time. */
bool part_is_live(const nb__recording *r, const part *p);

#endif
