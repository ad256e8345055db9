/* SPDX-License-Identifier: Apache-2.0 */
/* How soon an approval that failed may be tried again, for every code of KIS and for none. */
#include "guard.h"
#include "kis/kis.h"
#include <string.h>

static const struct {
    int status;
    const char *error_code;
    nb__approval_class class_;
    const char *advice; /* a word of it */
} failures[] = {
    {0, "", NB__APPROVAL_RETRY, "network"},
    {500, "", NB__APPROVAL_RETRY, "inside KIS"},
    {503, "", NB__APPROVAL_RETRY, "inside KIS"},
    {500, "EGW00300", NB__APPROVAL_RETRY, "inside KIS"},
    {500, "EGW00301", NB__APPROVAL_RETRY, "too long"},
    {403, "EGW00133", NB__APPROVAL_PACED, "one a minute"},
    {500, "EGW00201", NB__APPROVAL_PACED, "a second"},
    {429, "", NB__APPROVAL_PACED, "too many"},
    {403, "EGW00103", NB__APPROVAL_LOCKED, "appkey"},
    {403, "EGW00105", NB__APPROVAL_LOCKED, "secret"},
    {403, "", NB__APPROVAL_LOCKED, "rarely"},
    {200, "", NB__APPROVAL_LOCKED, "rarely"},
    {302, "", NB__APPROVAL_LOCKED, "rarely"},
    {403, "EGW00999", NB__APPROVAL_LOCKED, "rarely"},
    {500, "EGW00999", NB__APPROVAL_LOCKED, "rarely"},
    {403, "EGW0010", NB__APPROVAL_LOCKED, "rarely"},
    {403, "EGW00206", NB__APPROVAL_REFUSED, "right"},
    {403, "EGW00207", NB__APPROVAL_REFUSED, "IP address"},
    {403, "EGW02004", NB__APPROVAL_REFUSED, "paper"},
    {400, "EGW00101", NB__APPROVAL_REFUSED, "check"},
    {400, "EGW00102", NB__APPROVAL_REFUSED, "appkey"},
    {400, "EGW00104", NB__APPROVAL_REFUSED, "secret"},
    {400, "EGW00115", NB__APPROVAL_REFUSED, "grant_type"},
    {400, "EGW00116", NB__APPROVAL_REFUSED, "grant_type"},
    {403, "EGW00302", NB__APPROVAL_CLOSED, "hours"},
};

static void every_failure_has_a_class_and_advice(void **state)
{
    (void)state;
    for (size_t i = 0; i < NB__COUNT_OF(failures); i++) {
        const char *advice = NULL;
        nb__approval_class class_ =
            nb__approval_class_of(failures[i].status, failures[i].error_code, &advice);
        if (class_ != failures[i].class_ || strstr(advice, failures[i].advice) == NULL)
            fail_msg("%d %s: %s, %s", failures[i].status, failures[i].error_code,
                     nb__approval_class_name(class_), advice);
    }
}

static void classes_have_names(void **state)
{
    (void)state;
    assert_string_equal(nb__approval_class_name(NB__APPROVAL_RETRY), "retry");
    assert_string_equal(nb__approval_class_name(NB__APPROVAL_CLOSED), "closed");
    assert_string_equal(nb__approval_class_name((nb__approval_class)99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failure_has_a_class_and_advice),
        cmocka_unit_test(classes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
