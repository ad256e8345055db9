/* SPDX-License-Identifier: Apache-2.0 */
/* A whole answer to standard output. */
#ifndef NB_CLI_STDOUT_H
#define NB_CLI_STDOUT_H

#include "base/base.h"

/** A reader that has enough (EPIPE) is no failure; the caller ignores SIGPIPE.
 * @retval NB_E_SYSTEM  @retval NB_E_MEMORY  The text's allocation failed. */
nb_err nb__stdout_write(const nb__text *text, nb_error *error);
/** The same of JSON that was parsed and is another's: DEL and U+0080–U+009F, which terminals obey,
 * become `\u00XX`. They stand within strings only, so that it says the same. */
nb_err nb__stdout_write_json(const nb__text *json, nb_error *error);

#endif
