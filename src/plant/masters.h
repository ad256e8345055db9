/* SPDX-License-Identifier: Apache-2.0 */
/**
 * masters: which codes exist. Two ways to the same files:
 *
 *     masters.c        from the feed's own server, a look-alike on this machine, when its link
 *                      comes up; kept in memory only
 *     masters_kept.c   a directory with the last good copies, refreshed over https for each night;
 *                      works without a network
 *
 * The master is read from all that are there. The index file speaks when the night's own two are
 * missing.
 */
#ifndef NB_PLANT_MASTERS_H
#define NB_PLANT_MASTERS_H

#include "https/https.h"
#include "plant/plant.h"

enum { NB__MASTER_FILES = 3 }; /* night options, night futures, index futures and options */
#define NB__MASTER_FOLDER "/common/master/"
#define NB__MASTER_ZIP_MAX ((size_t)16 << 20)

typedef struct nb__masters nb__masters;

typedef struct nb__master_file {
    nb__masters *masters;
    nb__master_kind kind;
    nb__text zip; /**< as it came; empty: there is none */
    /* from the feed's server */
    nb__fetch *fetch; /**< NULL: not under way */
    bool is_answered; /**< asked, and told: with a file, or that there is none */
    /* kept */
    nb__https *https;
    int64_t kept_ns;  /**< UTC: when `zip` was written; 0: there is none */
    int64_t seen_ns;  /**< the directory's copy, good or broken, that was looked at last */
    int64_t retry_ns; /**< monotonic: not fetched before */
    int64_t pause_ns; /**< the last one after a failure; 0: none */
    char told[128];   /**< why it last failed */
} nb__master_file;

struct nb__masters {
    nb__loop *loop;
    const nb_calendar *calendar;
    nb__master *master;   /**< never NULL once initialised */
    nb__symbols *symbols; /**< of that master; NULL while it is empty */
    nb__master_file files[NB__MASTER_FILES];
    /* from the feed's server */
    nb__address address; /**< of the server; the path is the files'; host "": there is none */
    int under_way;
    int night; /**< start date of the night that the files were asked for */
    /* kept */
    char directory[400]; /**< "": nothing is kept */
    nb__address source;  /**< https; host "": never fetched */
    const char *ca_file;
    nb__timer timer;
    int64_t ahead_ns; /**< so long before order receipt a night's files are fetched */
    /** There is another master; the one before is valid until this returns. */
    void (*loaded)(void *self);
    void (*disk)(void *self, const char *detail);
    void *self;
};

/** `server` NULL: the feed has no server of masters of its own. */
nb_err nb__masters_init(nb__masters *masters, nb__loop *loop, const nb__plant_config *config,
                        const nb__address *server, nb_error *error);
void nb__masters_fini(nb__masters *masters);
/** The link is up: fetch in the background what was not answered yet, and in another night all: its
 * series are others. What is there stays until then. loaded() comes each time that there is
 * something new. Nothing to do for kept ones. */
void nb__masters_link_up(nb__masters *masters, int night);
/** A file ("fo_eurex_code.mst.zip") as it came. Empty: it is not there. */
nb_span nb__masters_zip(const nb__masters *masters, nb_span name);

/* ---- between the files of this room ---- */
/** Parse a zip whole. */
nb_err nb__masters_read(nb__master_kind kind, nb_span zip, nb__master *master, nb_error *error);
/** Make the master out of the files that are there; loaded() when it has rows. */
void nb__masters_settle(nb__masters *masters);
void nb__kept_begin(nb__masters *masters);
void nb__kept_end(nb__masters *masters);

#endif
