/* SPDX-License-Identifier: Apache-2.0 */
/**
 * masters: which codes exist, fetched from the feed's own server, and which of them lie nearest the
 * money.
 */
#ifndef NB_PLANT_MASTERS_H
#define NB_PLANT_MASTERS_H

#include "plant/plant.h"

enum { NB__MASTER_FILES = 2 }; /* night options, night futures */

typedef struct nb__masters nb__masters;

typedef struct nb__master_fetch {
    nb__masters *masters;
    nb__master_kind kind;
    nb__fetch *fetch; /**< NULL: not under way */
} nb__master_fetch;

struct nb__masters {
    nb__loop *loop;
    nb__address address; /**< of the server; the path is the files' */
    nb__master master;
    nb__master_fetch files[NB__MASTER_FILES];
    int under_way;
    bool is_settled; /**< loaded, or known not to be there */
    void (*loaded)(void *self);
    void *self;
};

void nb__masters_init(nb__masters *masters, nb__loop *loop, const nb__address *feed,
                      void (*loaded)(void *), void *self);
void nb__masters_fini(nb__masters *masters);
/** Fetch what is not there yet, in the background; loaded() comes once, when something was loaded.
 */
void nb__masters_start(nb__masters *masters);

/**
 * The codes worth a registration, best first: the front KOSPI200 future, then options by expiry
 * rank and distance from the money (nearest.c).
 *
 * @param[out] out  Room for master->count pointers into the master.
 * @return how many.  Cost: allocates; 0 when memory is exhausted.
 */
size_t nb__nearest(const nb__master *master, const nb__instrument **out);

#endif
