/* SPDX-License-Identifier: Apache-2.0 */
/* `nightbook doctor`: what its files share. */
#ifndef NB_CLI_DOCTOR_H
#define NB_CLI_DOCTOR_H

#include "serve.h"

typedef enum nb__verdict {
    NB__VERDICT_OK,
    NB__VERDICT_WARN,
    NB__VERDICT_FAIL,
    NB__VERDICT_SKIP
} nb__verdict;

typedef struct nb__check {
    nb__verdict verdict;
    const char *name, *appkey; /**< appkey "": of the machine */
    char detail[400], todo[300];
} nb__check;

#define NB__DOCTOR_CHECKS_MAX 160 /* a dozen, and eight an appkey */

typedef struct nb__doctor {
    nb__serve serve; /**< settings, configuration, loop, plant: no gateway */
    bool is_json;
    const char *code;   /**< to register; NULL: the front night future */
    const char *appkey; /**< label of the one under examination; "" */
    nb__check checks[NB__DOCTOR_CHECKS_MAX];
    size_t check_count;
    int exit_code; /**< of the first failure that has one of its own */
} nb__doctor;

/** A line of the result. `todo` may be NULL. */
void nb__doctor_say(nb__doctor *doctor, nb__verdict verdict, const char *name, const char *todo,
                    const char *format, ...) NB__PRINTF(5, 6);
/** Whether that check failed; NULL: any. */
bool nb__doctor_has_failed(const nb__doctor *doctor, const char *name);

/* ---- doctor_way.c: files, and the way to KIS ---- */
void nb__doctor_check_files(nb__doctor *doctor);
/** Clock, names, TLS. */
void nb__doctor_check_way(nb__doctor *doctor);
/* ---- doctor_session.c: one appkey ---- */
/** `obstacle`: why it need not be tried, so that no connect is spent; NULL: none. */
void nb__doctor_check_session(nb__doctor *doctor, const char *obstacle);

#endif
