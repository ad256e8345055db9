/* SPDX-License-Identifier: Apache-2.0 */
/* KIS's answer codes, out of the table in kis.h. */
#include "kis/kis.h"

static const nb__opsp_row rows[] = {
#define OPSP_ROW(name, code, rt_cd, text, reaction) {code, rt_cd, text, NB__REACT_##reaction},
    NB__OPSP_TABLE(OPSP_ROW)
#undef OPSP_ROW
        {"", "", "", NB__REACT_UNKNOWN}, /* NB__OPSP_COUNT */
};

const nb__opsp_row *nb__opsp_at(nb__opsp code)
{
    return &rows[(unsigned)code < NB__OPSP_COUNT ? (unsigned)code : NB__OPSP_COUNT];
}

nb__opsp nb__opsp_find(nb_span msg_cd)
{
    unsigned i = 0;
    while (i < NB__OPSP_COUNT && !nb__span_is(msg_cd, rows[i].msg_cd))
        i++;
    return (nb__opsp)i;
}
