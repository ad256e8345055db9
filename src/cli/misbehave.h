/* SPDX-License-Identifier: Apache-2.0 */
/* How the look-alike is told to misbehave, by `nightbook sim` and by the feed sim of `serve`. */
#ifndef NB_CLI_MISBEHAVE_H
#define NB_CLI_MISBEHAVE_H

#include "config/config.h"
#include "sim/sim.h"

/** Add a script's faults. @retval NB_E_SYSTEM  The file cannot be read. Else as
 * nb__sim_faults_add_script(). */
nb_err nb__misbehave_script(nb__sim_faults *faults, const char *path, nb_error *error);
/**
 * What the settings fault, fault-script and refuse say.
 *
 * @param faults  `{0}`; `config` borrows it, the caller frees it, after a failure too.
 */
nb_err nb__misbehave_settle(const nb__settings *settings, nb__sim_config *config,
                            nb__sim_faults *faults, nb_error *error);

#endif
