/* SPDX-License-Identifier: Apache-2.0 */
/* What a first reading found: codes, TRs, the first and the last time. */
#include "inside.h"
#include <stdlib.h>

#define CODES_AT_FIRST 256

static nb_err add_code(nb__export_survey *survey, const nb__export_row *row, nb_error *error)
{
    size_t capacity = survey->code_count == 0 ? 0 : CODES_AT_FIRST;
    while (capacity != 0 && capacity < survey->code_count)
        capacity *= 2;
    if (survey->code_count == capacity) { /* full: it always is a power of two */
        size_t more = capacity == 0 ? CODES_AT_FIRST : 2 * capacity;
        void *codes = realloc(survey->codes, more * sizeof *survey->codes);
        if (codes == NULL)
            return nb__fail(error, NB_E_MEMORY, 0, "no memory for %zu codes", more);
        survey->codes = codes;
    }
    nb__export_survey_code *code = &survey->codes[survey->code_count++];
    *code = (nb__export_survey_code){.session_first_ns = row->session_ns,
                                     .session_last_ns = row->session_ns};
    nb__span_copy(row->key, code->code, sizeof code->code);
    return NB_OK;
}

static void add_tr(nb__export_survey *survey, const nb__export_row *row)
{
    for (size_t i = 0; i < survey->tr_count; i++)
        if (nb__span_is(row->frame->tr_id, survey->trs[i].tr_id)) {
            survey->trs[i].records++;
            return;
        }
    if (survey->tr_count == NB__COUNT_OF(survey->trs))
        return;
    nb__export_survey_tr *tr = &survey->trs[survey->tr_count++];
    *tr = (nb__export_survey_tr){.tr = row->frame->tr, .records = 1};
    nb__span_copy(row->frame->tr_id, tr->tr_id, sizeof tr->tr_id);
}

static void widen(int64_t *first_ns, int64_t *last_ns, int64_t ns)
{
    if (ns == NB_TIME_UNDEF)
        return;
    *first_ns = *first_ns == NB_TIME_UNDEF || ns < *first_ns ? ns : *first_ns;
    *last_ns = *last_ns == NB_TIME_UNDEF || ns > *last_ns ? ns : *last_ns;
}

nb_err nb__export_survey_add(nb__export_survey *survey, const nb__export_row *row, nb_error *error)
{
    if (survey->records == 0)
        survey->session_first_ns = survey->session_last_ns = NB_TIME_UNDEF;
    if (row->code_index == survey->code_count && add_code(survey, row, error) != NB_OK)
        return NB_E_MEMORY;
    nb__export_survey_code *code = &survey->codes[row->code_index];
    code->records++;
    widen(&code->session_first_ns, &code->session_last_ns, row->session_ns);
    widen(&survey->session_first_ns, &survey->session_last_ns, row->session_ns);
    survey->frames = row->frame_number;
    survey->records++;
    add_tr(survey, row);
    return NB_OK;
}

void nb__export_survey_fini(nb__export_survey *survey)
{
    free(survey->codes);
    *survey = (nb__export_survey){0};
}
