/* SPDX-License-Identifier: Apache-2.0 */
/* The program: a table of subcommands. */
#include "cli/cli.h"
#include <nightbook/nightbook.h>
#include <stdio.h>
#include <string.h>

static const nb__command commands[] = {
    {NULL, NULL, NULL},
};

const char *nb_version(void);
const char *nb_version(void)
{
    return NB_VERSION;
}

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)commands;
    return 0;
}
