/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: config base */
/* nightbook's own file: read whole or refused with a place inside it; what was read can be printed,
 * and no secret of it is. */
#include "config/config.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void print(nb__settings *settings, bool as_json)
{
    const nb__appkey *appkeys;
    nb__text out = {0};
    nb__settings_print(settings, as_json, &out);
    require(!out.is_failed && out.size_bytes > 0);
    require(nb__utf8_valid_prefix(nb__text_view(&out)) == out.size_bytes);
    size_t count = nb__settings_appkeys(settings, &appkeys);
    for (size_t i = 0; i < count; i++)
        require(strlen(appkeys[i].secret) < 20 || strstr(out.data, appkeys[i].secret) == NULL ||
                strcmp(appkeys[i].secret, appkeys[i].origin) == 0);
    nb__text_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    nb_span text = {(const char *)data, size_bytes};
    nb__settings *settings = nb__settings_new();
    nb_error error = {0};
    nb_err err = nb__settings_read_yaml(settings, text, "fuzz.yaml", &error);
    require(err == error.code);
    require(err == NB_OK || (err == NB_E_CONFIG && error.offset_bytes <= size_bytes));
    if (err == NB_OK) {
        print(settings, false);
        print(settings, true);
    }
    nb__settings_free(settings);
    return 0;
}
