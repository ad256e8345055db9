/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: config base */
/* kis_devlp.yaml: an appkey or a refusal, and never an address. */
#include "config/config.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    nb__settings *settings = nb__settings_new();
    nb_error error = {0};
    const nb__appkey *appkeys;
    nb_err err = nb__settings_read_devlp(settings, (nb_span){(const char *)data, size_bytes},
                                         "devlp.yaml", &error);
    size_t count = nb__settings_appkeys(settings, &appkeys), rows;
    require(err == error.code);
    require(err == NB_OK ? count == 1 : err == NB_E_CONFIG && count == 0);
    if (count == 1)
        require(strlen(appkeys[0].appkey) >= 20 && strlen(appkeys[0].secret) >= 20);
    const nb__setting *table = nb__settings_table(&rows);
    for (size_t i = 0; i < rows; i++)
        require(!nb__settings_is_given(settings, table[i].name));
    nb__settings_free(settings);
    return 0;
}
