/* SPDX-License-Identifier: Apache-2.0 */
/* A repair that is under way. Private to repair.c and repair_marks.c. */
#ifndef NB_STORE_REPAIRING_H
#define NB_STORE_REPAIRING_H

#include "care.h"

typedef struct repairing {
    const nb__segment *segment;
    char path[NB__STORE_PATH_MAX], temporary[NB__STORE_PATH_MAX];
    bool is_packed;
    survey s;
    char (*kept)[NB__STORE_PATH_MAX]; /* a hole: the file with its bytes; "": it has none */
    nb__journal_after was;
    bool is_start_sure;  /* the start mark, though it goes, says what it always said */
    nb__text lost_marks; /* lines of the index's marks that no frame that can be had holds */
    nb__repair_result result;
} repairing;

/* Fill lost_marks. */
nb_err find_lost_marks(repairing *r, nb_error *error);
/* Those of one lost row: by their time; what is of no row's time goes to the first. */
nb_err lost_marks_of(const repairing *r, size_t row_index, nb__text *out);
/* Fill `was`: what the segment's first repair says, or what its successor names, or what it is. */
nb_err find_was(repairing *r, nb_error *error);
/* Fill is_start_sure: the index had it, or the segment before it is what it names. */
void judge_start(repairing *r);

#endif
