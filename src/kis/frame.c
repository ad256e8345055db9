/* SPDX-License-Identifier: Apache-2.0 */
/* Data frames: the head `E|TR|CCC|`, and the walk over records of one stride. Knows no kinds. */
#include "kis/kis.h"
#include <string.h>

static bool is_tr_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

nb_err nb_frame_split(nb_span message, nb_frame *out, nb_error *error)
{
    const char *data = message.data;
    size_t size = message.size_bytes;
    if (size < 2 || (data[0] != '0' && data[0] != '1'))
        return nb__fail(error, NB_E_FRAME, 0, "a frame begins with 0| or 1|");
    if (data[1] != '|')
        return nb__fail(error, NB_E_FRAME, 1, "a frame begins with 0| or 1|");
    size_t at = 2;
    while (at < size && at - 2 <= NB_TR_ID_MAX && is_tr_byte(data[at]))
        at++;
    size_t tr_size = at - 2;
    if (tr_size == 0 || tr_size > NB_TR_ID_MAX || at == size || data[at] != '|')
        return nb__fail(error, NB_E_FRAME, at, "the TR is 1-%d letters, digits or '_', then '|'",
                        NB_TR_ID_MAX);
    at++;
    int record_count = 0;
    for (size_t end = at + 3; at < end; at++) {
        if (at == size || !is_digit(data[at]))
            return nb__fail(error, NB_E_FRAME, at, "the number of records is three digits");
        record_count = record_count * 10 + (data[at] - '0');
    }
    if (record_count == 0)
        return nb__fail(error, NB_E_FRAME, at - 3, "the number of records is 000");
    if (at == size || data[at] != '|')
        return nb__fail(error, NB_E_FRAME, at, "'|' is missing after the number of records");
    at++;
    nb_span tr_id = {data + 2, tr_size};
    *out = (nb_frame){.tr_id = tr_id,
                      .payload = {data + at, size - at},
                      .tr = nb_tr_find(tr_id),
                      .record_count = record_count,
                      .is_encrypted = data[0] == '1'};
    return NB_OK;
}

/* Sixteen bytes compared at once, in the compiler's own portable form. A byte of it counts to 255.
 */
typedef unsigned char bytes16 __attribute__((vector_size(16)));
#define ROUNDS_MAX 255

static inline bytes16 carets_of(const char *at)
{
    bytes16 bytes;
    memcpy(&bytes, at, sizeof bytes);
    return (bytes16)(bytes == '^') & 1;
}

static inline size_t sum_of(bytes16 counts)
{
    uint64_t halves[2], pairs = UINT64_C(0x00FF00FF00FF00FF);
    memcpy(halves, &counts, sizeof halves);
    uint64_t sums = (halves[0] & pairs) + (halves[0] >> 8 & pairs) + (halves[1] & pairs) +
                    (halves[1] >> 8 & pairs);
    return (size_t)(sums * UINT64_C(0x0001000100010001) >> 48);
}

static size_t count_fields(nb_span payload)
{
    size_t count = 1, i = 0;
    while (i + sizeof(bytes16) <= payload.size_bytes) {
        bytes16 counts = {0};
        for (int round = 0; round < ROUNDS_MAX && i + sizeof counts <= payload.size_bytes;
             round++, i += sizeof counts)
            counts += carets_of(payload.data + i);
        count += sum_of(counts);
    }
    for (; i < payload.size_bytes; i++)
        count += payload.data[i] == '^';
    return count;
}

static bool divides(size_t fields, const nb_frame *frame, size_t stride_min)
{
    size_t records = (size_t)frame->record_count;
    return fields % records == 0 && fields / records >= stride_min;
}

/* Says what is missing at the payload's end; of a TR that is known, which field. */
static nb_err stride_fail(const nb_frame *frame, size_t fields, nb_error *error)
{
    const nb_tr *tr = frame->tr;
    size_t records = (size_t)frame->record_count, end = frame->payload.size_bytes;
    nb_err code = fields % records != 0 ? NB_E_STRIDE : NB_E_WIDTH;
    if (tr != NULL && fields < records * tr->field_count)
        return nb__fail(error, code, end, "field %s: missing; %zu fields instead of %zu (%zu x %s)",
                        tr->fields[fields % tr->field_count].name, fields,
                        records * tr->field_count, records, tr->id);
    return nb__fail(error, code, end, "%zu fields do not divide into %zu records", fields, records);
}

nb_err nb_records_begin(const nb_frame *frame, nb_records *out, nb_error *error)
{
    nb_span payload = frame->payload;
    if (frame->record_count < 1)
        return nb__fail(error, NB_E_FRAME, 0, "the frame's head was never split");
    if (frame->is_encrypted)
        return nb__fail(error, NB_E_ENCRYPTED, 0, "the payload is encrypted");
    size_t stride_min = frame->tr != NULL ? frame->tr->field_count_min : 1;
    size_t fields = count_fields(payload);
    bool is_blank_last = payload.size_bytes > 0 && payload.data[payload.size_bytes - 1] == '^';
    if (is_blank_last && divides(fields - 1, frame, stride_min)) {
        fields--;
        payload.size_bytes--;
    } else if (!divides(fields, frame, stride_min)) {
        return stride_fail(frame, fields - is_blank_last, error);
    }
    int stride = (int)(fields / (size_t)frame->record_count);
    const char *data = payload.size_bytes > 0 ? payload.data : "";
    *out = (nb_records){.at = data,
                        .end = data + payload.size_bytes,
                        .left = frame->record_count,
                        .stride = stride,
                        .drift = frame->tr != NULL ? stride - frame->tr->field_count : 0};
    return NB_OK;
}

bool nb_records_next(nb_records *records, nb_span *record)
{
    if (records->left == 0)
        return false;
    const char *first = records->at, *at = records->end;
    if (--records->left > 0) {
        size_t carets = (size_t)records->stride; /* begin() counted: enough of them are there */
        for (at = first; records->end - at >= (ptrdiff_t)sizeof(bytes16); at += sizeof(bytes16)) {
            size_t here = sum_of(carets_of(at));
            if (here >= carets)
                break;
            carets -= here;
        }
        for (;; at++) {
            carets -= *at == '^';
            if (carets == 0)
                break;
        }
        records->at = at + 1;
    } else {
        records->at = at;
    }
    *record = (nb_span){first, (size_t)(at - first)};
    return true;
}

nb_span nb_record_key(nb_span record)
{
    const char *caret = record.size_bytes > 0 ? memchr(record.data, '^', record.size_bytes) : NULL;
    if (caret != NULL)
        record.size_bytes = (size_t)(caret - record.data);
    return record;
}
