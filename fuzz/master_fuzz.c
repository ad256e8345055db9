/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: kis base */
/*
 * The first byte chooses: 0–2 a master file of that kind, else a zip. Rows that can be read and
 * written are the same when they are read again.
 */
#include "kis/kis.h"
#include <stdlib.h>
#include <string.h>

#define SIZE_MAX_BYTES (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

/* Rows that were read: written and read again they are the same; the other files take what is
 * theirs. */
static void write_and_read(nb__master_kind kind, const nb__master *master, bool is_all)
{
    nb__master again = {0};
    nb__text out = {0};
    nb_error error = {0};
    if (nb__master_print(kind, master, &out, &error) == NB_OK) {
        require(nb__master_parse(kind, nb__text_view(&out), &again, &error) == NB_OK);
        require(is_all ? again.count == master->count : again.count <= master->count);
        for (size_t i = 0; is_all && i < master->count; i++)
            require(memcmp(&master->rows[i], &again.rows[i], sizeof *again.rows) == 0);
    } else {
        require(out.size_bytes == 0);
    }
    nb__text_fini(&out);
    nb__master_fini(&again);
}

static void try_master(nb__master_kind kind, nb_span text)
{
    nb__master master = {0};
    nb_error error = {0};
    if (nb__master_parse(kind, text, &master, &error) != NB_OK) {
        require(master.count == 0 && error.offset_bytes <= text.size_bytes);
    } else {
        for (size_t i = 0; i < master.count; i++)
            require(nb__tick_e9(master.rows[i].product, master.rows[i].strike) >= 0);
        write_and_read(NB__MASTER_INDEX, &master, true);
        write_and_read(NB__MASTER_EUREX, &master, false);
        write_and_read(NB__MASTER_CME, &master, false);
    }
    nb__master_fini(&master);
}

static void try_zip(nb_span zip)
{
    nb__text out = {0}, again = {0}, packed = {0};
    nb_error error;
    if (nb__zip_read(zip, SIZE_MAX_BYTES, &out, &error) == NB_OK) {
        require(out.size_bytes <= SIZE_MAX_BYTES);
        require(nb__zip_write("a.mst", nb__text_view(&out), &packed, &error) == NB_OK);
        require(nb__zip_read(nb__text_view(&packed), out.size_bytes, &again, &error) == NB_OK);
        require(nb__span_equal(nb__text_view(&again), nb__text_view(&out)));
    } else {
        require(out.size_bytes == 0);
    }
    nb__text_fini(&out);
    nb__text_fini(&again);
    nb__text_fini(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes == 0)
        return 0;
    nb_span rest = {(const char *)data + 1, size_bytes - 1};
    if (data[0] <= NB__MASTER_INDEX)
        try_master((nb__master_kind)data[0], rest);
    else
        try_zip(rest);
    return 0;
}
