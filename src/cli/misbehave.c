/* SPDX-License-Identifier: Apache-2.0 */
/* Faults and refusals of the look-alike: from a script's file and from settings. */
#include "misbehave.h"
#include "io/io.h"

#define SCRIPT_BYTES_MAX ((size_t)1 << 20)

nb_err nb__misbehave_script(nb__sim_faults *faults, const char *path, nb_error *error)
{
    nb__text text = {0};
    nb_err err = nb__file_read(path, SCRIPT_BYTES_MAX, &text, error);
    if (err == NB_OK) {
        err = nb__sim_faults_add_script(faults, nb__text_view(&text), error);
        if (err != NB_OK)
            nb__fail_in(error, "%.100s", path);
    }
    nb__text_fini(&text);
    return err;
}

nb_err nb__misbehave_settle(const nb__settings *settings, nb__sim_config *config,
                            nb__sim_faults *faults, nb_error *error)
{
    const char *script = nb__settings_text(settings, "fault-script"), *const * items;
    nb_error why = {0};
    size_t count = nb__settings_list(settings, "refuse", &items);
    for (size_t i = 0; i < count; i++)
        if (nb__sim_refusals_add(config, nb__span(items[i]), &why) != NB_OK)
            return nb__settings_fail(settings, "refuse", error, "%s", why.detail);
    count = nb__settings_list(settings, "fault", &items);
    for (size_t i = 0; i < count; i++)
        if (nb__sim_faults_add(faults, nb__span(items[i]), &why) != NB_OK)
            return nb__settings_fail(settings, "fault", error, "%s", why.detail);
    if (script != NULL && nb__misbehave_script(faults, script, &why) != NB_OK)
        return nb__settings_fail(settings, "fault-script", error, "%s", why.detail);
    config->faults = faults->items;
    config->fault_count = faults->count;
    return NB_OK;
}
