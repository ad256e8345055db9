/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: plan session symbols night book kis base */
/* Any bytes as a window and as a pinned key of the configuration: read or refused with words; what
 * is read, written and read again is the same. */
#include "plan/plan.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void try_window(nb_span text)
{
    nb__plan_window window, again;
    nb_error error = {0};
    nb_err err = nb__plan_window_parse(text, &window, &error);
    require(err == NB_OK || (err == NB_E_ARGUMENT && error.detail[0] != '\0'));
    if (err != NB_OK)
        return;
    char words[64];
    bool has_product = window.product != NB__PRODUCT_UNKNOWN;
    int size = snprintf(words, sizeof words, "%s%s%s:%u",
                        has_product ? nb__product_word(window.product) : "", has_product ? "/" : "",
                        window.expiry[0] == '\0' ? "nearest" : window.expiry,
                        (unsigned)window.strikes_each_side);
    require(size > 0 && (size_t)size < sizeof words);
    require(nb__plan_window_parse(nb__span(words), &again, NULL) == NB_OK);
    require(window.product == again.product && strcmp(window.expiry, again.expiry) == 0 &&
            window.strikes_each_side == again.strikes_each_side);
}

static void try_pin(nb_span text)
{
    nb__topic topic, again;
    nb_error error = {0};
    nb_err err = nb__plan_pin_parse(text, &topic, &error);
    require(err == NB_OK || (err == NB_E_ARGUMENT && error.detail[0] != '\0'));
    if (err != NB_OK)
        return;
    char words[64];
    (void)snprintf(words, sizeof words, "%s:%s", topic.tr_id, topic.tr_key);
    require(nb__plan_pin_parse(nb__span(words), &again, NULL) == NB_OK);
    require(memcmp(&topic, &again, sizeof topic) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    nb_span text = {(const char *)data, size_bytes};
    try_window(text);
    try_pin(text);
    return 0;
}
