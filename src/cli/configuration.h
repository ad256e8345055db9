/* SPDX-License-Identifier: Apache-2.0 */
/* From flags, files and environment to what the rooms take: where the files are, whether they may
 * be read, and what only other rooms can judge (addresses, pins, windows). */
#ifndef NB_CLI_CONFIGURATION_H
#define NB_CLI_CONFIGURATION_H

#include "config/config.h"
#include "io/io.h"
#include "night/night.h"
#include "plan/plan.h"

typedef enum nb__feed_choice {
    NB__CHOICE_SIM,
    NB__CHOICE_KIS,
    NB__CHOICE_WS,
    NB__CHOICE_REPLAY
} nb__feed_choice;

/** Borrows the settings. */
typedef struct nb__configuration {
    nb__feed_choice feed;
    nb__address listen;
    nb__address link;     /**< KIS: ops; WS: the feed */
    nb__address approval; /**< KIS: prod and its path */
    nb__address masters;  /**< KIS; host "": never fetched */
    bool is_builtin;      /**< KIS: ops is KIS's own */
    nb__hours hours;
    int64_t on_loss_ns; /**< INT64_MAX: keep */
    uint32_t slots;
    nb__plan_config plan;
    const nb__appkey *appkeys;
    size_t appkey_count; /**< 0 unless KIS */
    const char *journal; /**< NULL: nothing is recorded */
    uint64_t keep_bytes; /**< of it; 0: all */
    const char *replay;  /**< REPLAY: what stands behind `replay:` */
} nb__configuration;

/**
 * Read nightbook's own file, and for the feed kis the environment and kis_devlp.yaml; the flags are
 * in `settings` already. Puts defaults that depend on the user's places and the feed in place.
 *
 * @retval NB_E_CONFIG  A file is broken, readable by others though it holds secrets, or missing
 * though it was named.
 */
nb_err nb__configuration_read(nb__settings *settings, nb_error *error);
/**
 * Judge what was read.
 *
 * @retval NB_E_CONFIG    incomplete or wrong; with what to do
 * @retval NB_E_ARGUMENT  the same of a flag
 */
nb_err nb__configuration_judge(nb__settings *settings, nb__configuration *out, nb_error *error);
#define NB__JOURNAL_NONE "none"
/** Whether it is KIS's own WebSocket server. */
bool nb__configuration_is_kis(const nb__address *ops);
/** nightbook's own file, where it is or would be. "": there is no home. */
const char *nb__configuration_path(const nb__settings *settings);

#endif
