/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of the test's own, gone afterwards. */
#ifndef NB_TEST_IO_FOLDER_H
#define NB_TEST_IO_FOLDER_H

#include "guard.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static inline int folder_new(void **state)
{
    (void)state;
    memcpy(folder, "/tmp/nightbook-test-XXXXXX", 27);
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static inline int folder_drop(const char *path, const struct stat *about, int kind, struct FTW *at)
{
    (void)about;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline int folder_remove(void **state)
{
    (void)state;
    return nftw(folder, folder_drop, 8, FTW_DEPTH | FTW_PHYS);
}

/* FOLDER/NAME, in one of a few buffers that take turns. */
static inline const char *in_folder(const char *name)
{
    static char paths[4][256];
    static int turn_index;
    char *path = paths[turn_index++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

#endif
