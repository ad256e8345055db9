/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Faults, private to the room. Pure: the table, what a person types, and when a fault strikes under
 * any clock.
 *
 *     fault.c           the table, `NAME:PARAMS`, the list for --help
 *     fault_script.c    `TIME[..TIME] NAME:PARAMS`, a line each
 *     fault_schedule.c  which faults are on, and which of its opportunities each one takes
 *     fault_frame.c     what they do to a data frame's text
 *
 * A fault has opportunities: a connection, a request, a message, a frame. Of those that come while
 * it is on it takes each `every`-th, with the probability `chance`, at most `first` of them. The
 * draws of one fault come from the seed and its place in the list alone, so the same opportunities
 * are taken again.
 */
#ifndef NB_SIM_FAULT_H
#define NB_SIM_FAULT_H

#include "market.h"
#include "sim.h"

typedef enum nb__sim_fault_kind {
    NB__FAULT_IN_USE,
    NB__FAULT_HOLD,
    NB__FAULT_FULL,
    NB__FAULT_BAD_APPROVAL,
    NB__FAULT_APPROVAL_REFUSED,
    NB__FAULT_APPROVAL_SLOW,
    NB__FAULT_APPROVAL_LOCKOUT,
    NB__FAULT_ANSWER_LATE,
    NB__FAULT_ANSWER_MISSING,
    NB__FAULT_ANSWER_ORDER,
    NB__FAULT_ANSWER_NULL,
    NB__FAULT_PINGPONG_LATE,
    NB__FAULT_PINGPONG_MISSING,
    NB__FAULT_PING_CLOSE,
    NB__FAULT_SILENT,
    NB__FAULT_HALF_OPEN,
    NB__FAULT_EOF,
    NB__FAULT_RST,
    NB__FAULT_FRIDAY_RESTART,
    NB__FAULT_BURST,
    NB__FAULT_EXTRA_FIELDS,
    NB__FAULT_MIDDLE_FIELD,
    NB__FAULT_BLANKS,
    NB__FAULT_TRUNCATED,
    NB__FAULT_GARBAGE,
    NB__FAULT_NOT_UTF8,
    NB__FAULT_FRAGMENTS,
    NB__FAULT_ONE_BYTE,
    NB__FAULT_LATENCY,
    NB__FAULT_COUNT
} nb__sim_fault_kind;

/* ---- fault.c ---- */

typedef enum nb__sim_param_kind {
    NB__PARAM_TIME,   /**< "60", "1.5s", "200ms", "2m": ns */
    NB__PARAM_COUNT,  /**< a whole number */
    NB__PARAM_CHANCE, /**< "0.01", "1%": 1e-9 */
    NB__PARAM_FLAG,   /**< "yes", "no" */
    NB__PARAM_CODE    /**< "EGW00103": 103 */
} nb__sim_param_kind;

typedef struct nb__sim_param {
    const char *name; /**< NULL: no such parameter */
    nb__sim_param_kind kind;
    int64_t value; /**< the default */
    int64_t least, most;
} nb__sim_param;

typedef struct nb__sim_fault_row {
    const char *name;
    const char *help; /**< what a client meets */
    /** The first one's name may be left out: "full:20". */
    nb__sim_param params[NB__SIM_FAULT_PARAMS_MAX];
    int64_t every;  /**< its default */
    bool is_cut;    /**< strikes connections, each `after` its begin */
    bool is_damage; /**< of records: what a client gets is no longer what was made */
} nb__sim_fault_row;

const nb__sim_fault_row *nb__sim_fault_at(size_t kind); /**< below NB__FAULT_COUNT */
/** One fault, always on. Same errors as nb__sim_faults_add(). */
nb_err nb__sim_fault_parse(nb_span text, nb__sim_fault *out, nb_error *error);
/** A fault with all its defaults. */
nb__sim_fault nb__sim_fault_make(nb__sim_fault_kind kind);
/** "200ms", "60" (seconds), "1.5m" to ns, up to 10 days. */
bool nb__sim_time_parse(nb_span text, int64_t *ns);
/** "delay=100ms, jitter=0s, every=1": the parameters of a row and their defaults. */
void nb__sim_fault_print_params(const nb__sim_fault_row *row, nb__text *out);
nb_err nb__sim_faults_append(nb__sim_faults *faults, const nb__sim_fault *fault, nb_error *error);

/* ---- fault_schedule.c ---- */

typedef struct nb__sim_armed {
    nb__sim_fault fault;
    int64_t begin_ns, end_ns; /**< since the start */
    nb__random random;
    int64_t opportunity_count, strike_count;
    bool is_begun; /**< told by nb__sim_schedule_begun() */
} nb__sim_armed;

typedef struct nb__sim_schedule {
    nb__sim_armed *rows;
    uint32_t count;
    uint64_t kinds; /**< bit k: there is a fault of kind k */
} nb__sim_schedule;

/** How session times become times since the start. */
typedef struct nb__sim_start {
    int64_t at_session_ns;
    int night_date; /**< on which the night starts */
    double speed;
} nb__sim_start;

/** @retval NB_E_MEMORY */
nb_err nb__sim_schedule_init(nb__sim_schedule *schedule, const nb__sim_fault *faults,
                             uint32_t count, uint64_t seed, const nb__sim_start *start);
void nb__sim_schedule_fini(nb__sim_schedule *schedule);
/** Offer an opportunity. @return the row that takes it, NULL when none does. */
nb__sim_armed *nb__sim_schedule_strike(nb__sim_schedule *schedule, nb__sim_fault_kind kind,
                                       int64_t elapsed_ns);
/** Offer it to this row alone. */
bool nb__sim_armed_strike(nb__sim_armed *row, int64_t elapsed_ns);
/** The next row that has begun and was not told yet; NULL when there is none. */
nb__sim_armed *nb__sim_schedule_begun(nb__sim_schedule *schedule, int64_t elapsed_ns);
/** When the next untold row begins; INT64_MAX when none is left. */
int64_t nb__sim_schedule_next_ns(const nb__sim_schedule *schedule);
/** `base_ns` and up to `jitter_ns` more, from the row's own draws. */
int64_t nb__sim_armed_draw_ns(nb__sim_armed *row, int64_t base_ns, int64_t jitter_ns);

/* ---- fault_frame.c ---- */

/** What the frame in hand suffers; `{0}` is nothing. The same for every client that gets it. */
typedef struct nb__sim_damage {
    uint32_t kinds;        /**< bit k − NB__FAULT_EXTRA_FIELDS: kind k struck */
    uint32_t extra_fields; /**< more fields at each record's end */
    uint32_t middle_after; /**< one more field after so many */
    uint32_t blank_count;  /**< fields of each record that become blank */
    uint64_t seed;         /**< of everything that is drawn for it */
} nb__sim_damage;

nb__sim_damage nb__sim_damage_plan(nb__sim_schedule *schedule, int64_t elapsed_ns, uint64_t seed);
bool nb__sim_damage_has(const nb__sim_damage *damage, nb__sim_fault_kind kind);
/** Whether records are no longer what was made. */
bool nb__sim_damage_is_lossy(const nb__sim_damage *damage);
/** Change one record's text in place (`capacity` NB__SIM_RECORD_TEXT_MAX). @return its new size. */
size_t nb__sim_damage_record(const nb__sim_damage *damage, uint32_t record_index, char *text,
                             size_t size_bytes);
/** @return how many of a frame's `size_bytes` bytes are sent. */
size_t nb__sim_damage_cut(const nb__sim_damage *damage, size_t size_bytes);
/** A message that is no frame. @return its size, at most NB__SIM_GARBAGE_MAX. */
#define NB__SIM_GARBAGE_MAX 256
size_t nb__sim_damage_garbage(const nb__sim_damage *damage, char out[NB__SIM_GARBAGE_MAX]);
/** `,"damaged":true,"faults":["truncated"]` for the truth; nothing when there is nothing. */
void nb__sim_damage_print(const nb__sim_damage *damage, nb__text *out);

#endif
