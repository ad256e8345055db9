/* SPDX-License-Identifier: Apache-2.0 */
/* The version, from the one place that has it: the project line of CMakeLists.txt. */
#include <nightbook/nightbook.h>

const char *nb_version(void)
{
    return NB_VERSION;
}
