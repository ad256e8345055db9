/* SPDX-License-Identifier: Apache-2.0 */
/* The file of all records made, subscribed or not: what tests compare with what came out of the
 * other end. */
#include "server.h"
#include <errno.h>
#include <string.h>

nb_err nb__sim_truth_open(nb__sim *sim, nb_error *error)
{
    if (sim->config.truth_path == NULL)
        return NB_OK;
    sim->truth = fopen(sim->config.truth_path, "wbe");
    if (sim->truth == NULL)
        return nb__fail(error, NB_E_SYSTEM, 0, "truth file %s: %s", sim->config.truth_path,
                        strerror(errno));
    return NB_OK;
}

void nb__sim_truth_write(nb__sim *sim)
{
    if (sim->truth == NULL)
        return;
    nb__text remarks = {0};
    nb__sim_damage_print(&sim->damage, &remarks);
    for (uint32_t i = 0; i < sim->frame.record_count; i++)
        nb__sim_truth_print(nb__market_chain(sim->market), &sim->frame, i,
                            remarks.size_bytes > 0 ? remarks.data : "", &sim->truth_text);
    sim->truth_text.is_failed |= remarks.is_failed;
    nb__text_fini(&remarks);
}

/* A truth with holes would fail tests for the wrong reason: it ends here, and says so. */
void nb__sim_truth_flush(nb__sim *sim)
{
    nb__text *text = &sim->truth_text;
    if (sim->truth == NULL || (text->size_bytes == 0 && !text->is_failed))
        return;
    bool is_written = !text->is_failed &&
                      fwrite(text->data, 1, text->size_bytes, sim->truth) == text->size_bytes &&
                      fflush(sim->truth) == 0;
    nb__text_clear(text);
    if (is_written)
        return;
    nb__log(NB__LOG_ERROR, "sim", "truth file %s: %s\n  it ends here; the market goes on",
            sim->config.truth_path, strerror(errno));
    fclose(sim->truth);
    sim->truth = NULL;
}

void nb__sim_truth_close(nb__sim *sim)
{
    nb__sim_truth_flush(sim);
    if (sim->truth != NULL)
        fclose(sim->truth);
    sim->truth = NULL;
    nb__text_fini(&sim->truth_text);
}
