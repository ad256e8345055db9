/* SPDX-License-Identifier: Apache-2.0 */
/**
 * masters: which codes exist, fetched from the feed's own server, and which of them lie nearest the
 * money.
 */
#ifndef NB_PLANT_MASTERS_H
#define NB_PLANT_MASTERS_H

#include "plant/plant.h"

enum { NB__MASTER_FILES = 2 }; /* night options, night futures */
#define NB__MASTER_FOLDER "/common/master/"

typedef struct nb__masters nb__masters;

typedef struct nb__master_fetch {
    nb__masters *masters;
    nb__master_kind kind;
    nb__fetch *fetch; /**< NULL: not under way */
    nb__text zip;     /**< as it came; empty: there is none */
    bool is_answered; /**< asked, and told: with a file, or that there is none */
} nb__master_fetch;

struct nb__masters {
    nb__loop *loop;
    nb__address address; /**< of the server; the path is the files' */
    nb__master master;
    nb__master_fetch files[NB__MASTER_FILES];
    int under_way;
    int night; /**< start date of the night that the files were asked for */
    void (*loaded)(void *self);
    void *self;
};

void nb__masters_init(nb__masters *masters, nb__loop *loop, const nb__address *feed,
                      void (*loaded)(void *), void *self);
void nb__masters_fini(nb__masters *masters);
/** Fetch in the background what was not answered yet, and in another night all: its series are
 * others. What is there stays until then. loaded() comes each time that there is something new. */
void nb__masters_start(nb__masters *masters, int night);
/** A file ("fo_eurex_code.mst.zip") as it came. Empty: it is not there. */
nb_span nb__masters_zip(const nb__masters *masters, nb_span name);

#endif
