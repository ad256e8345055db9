/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: kis base */
/* Frames: a walk that succeeds takes the whole payload, as many records as the head says, all of
 * one stride. */
#include "kis/kis.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool is_so)
{
    if (!is_so)
        abort();
}

static int fields_of(nb_span record)
{
    int fields = 1;
    for (size_t i = 0; i < record.size_bytes; i++)
        fields += record.data[i] == '^';
    return fields;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    nb_frame frame;
    nb_records records;
    nb_span record;
    nb_error error;
    nb_err code = nb_frame_split((nb_span){(const char *)data, size_bytes}, &frame, &error);
    if (code != NB_OK) {
        require(error.code == code && error.offset_bytes <= size_bytes);
        return 0;
    }
    require(frame.record_count >= 1 && frame.record_count <= NB_FRAME_RECORDS_MAX);
    require(frame.tr_id.size_bytes >= 1 && frame.tr_id.size_bytes <= NB_TR_ID_MAX);
    code = nb_records_begin(&frame, &records, &error);
    if (code != NB_OK) {
        require(error.code == code && error.offset_bytes <= frame.payload.size_bytes);
        return 0;
    }
    size_t taken = 0;
    int count = 0;
    for (; nb_records_next(&records, &record); count++) {
        require(fields_of(record) == records.stride);
        require(nb_record_key(record).size_bytes <= record.size_bytes);
        taken += record.size_bytes + (count > 0);
    }
    require(count == frame.record_count);
    require(frame.payload.size_bytes - taken <= 1);
    return 0;
}
