/* SPDX-License-Identifier: Apache-2.0 */
/* What a calendar is made of; private to night. */
#ifndef NB_NIGHT_CALENDAR_H
#define NB_NIGHT_CALENDAR_H

#include "night.h"

/* Bounds every walk over days: 4096 closed days on end are eleven years. */
#define DATES_MAX 4096

enum { LIST_KNOWN, LIST_CLOSED, LIST_CSAT, LIST_COUNT };

typedef struct list {
    const int *items; /* ascending, no two equal: years, or dates YYYYMMDD */
    size_t count;
} list;

struct nb_calendar {
    list lists[LIST_COUNT];
    int memory[]; /* of a calendar that was read; none in the built-in one */
};

/* Whether the night of that date opens an hour late (CSAT, the university entrance examination). */
bool calendar_is_csat(const nb_calendar *calendar, int date);

#endif
