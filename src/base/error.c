/* SPDX-License-Identifier: Apache-2.0 */
/* The error table as text, and how an error is filled on the way up. */
#include "base/base.h"
#include <stdio.h>
#include <string.h>

typedef struct error_row {
    nb_err code;
    nb_error_class class_;
    const char *name, *sentence;
} error_row;

static const error_row rows[] = {
#define ROW(name, value, class_, sentence) {value, NB_CLASS_##class_, "NB_" #name, sentence},
    NB_ERROR_TABLE(ROW)
#undef ROW
};

static const error_row *row_of(nb_err code)
{
    static const error_row unknown = {NB_E_INTERNAL, NB_CLASS_FATAL, "NB_E_?",
                                      "not an error of nightbook"};
    for (size_t i = 0; i < NB__COUNT_OF(rows); i++)
        if (rows[i].code == code)
            return &rows[i];
    return &unknown;
}

const char *nb_error_name(nb_err code)
{
    return row_of(code)->name;
}

const char *nb_error_sentence(nb_err code)
{
    return row_of(code)->sentence;
}

nb_error_class nb_error_class_of(nb_err code)
{
    return row_of(code)->class_;
}

nb_err nb__fail(nb_error *error, nb_err code, size_t offset_bytes, const char *format, ...)
{
    if (error != NULL) {
        va_list args;
        va_start(args, format);
        error->code = code;
        error->offset_bytes = offset_bytes;
        vsnprintf(error->detail, sizeof error->detail, format, args);
        va_end(args);
        nb__make_printable(error->detail, strlen(error->detail));
    }
    return code;
}

nb_err nb__fail_in(nb_error *error, const char *format, ...)
{
    if (error == NULL)
        return NB_E_INTERNAL;
    char clause[sizeof error->detail];
    va_list args;
    va_start(args, format);
    vsnprintf(clause, sizeof clause, format, args);
    va_end(args);
    char joined[2 * sizeof error->detail + 4];
    snprintf(joined, sizeof joined, "%s: %s", clause, error->detail);
    joined[sizeof error->detail - 1] = '\0';
    memcpy(error->detail, joined, sizeof error->detail);
    nb__make_printable(error->detail, strlen(error->detail));
    return error->code;
}
