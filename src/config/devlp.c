/* SPDX-License-Identifier: Apache-2.0 */
/* KIS's own kis_devlp.yaml: keys and HTS id only, never an address, since users point its `ops` at
 * nightbook. Whatever else is in it, also of a type that KIS never wrote, is passed over. */
#include "settings.h"
#include "yaml.h"
#include <stdio.h>
#include <string.h>

#define KEY_MIN_BYTES 20 /* KIS's have 36 and 180 */

enum { MY_APP, MY_SEC, MY_HTSID, PAPER_APP, PAPER_SEC, COUNT };
static const char *const names[COUNT] = {"my_app", "my_sec", "my_htsid", "paper_app", "paper_sec"};

typedef struct found {
    char text[COUNT][256]; /* "": not there, or no text */
    size_t lines[COUNT];
} found;

static nb_err take_value(nb__yaml *yaml, size_t which, found *out)
{
    size_t size;
    bool is_paper = which >= PAPER_APP;
    if (out->lines[which] != 0 && !is_paper)
        return nb__yaml_fail(yaml, "%s is given twice, first on line %zu", names[which],
                             out->lines[which]);
    out->lines[which] = nb__yaml_line(yaml);
    if (!nb__yaml_is(yaml, YAML_SCALAR_EVENT))
        return is_paper ? nb__yaml_skip(yaml)
                        : nb__yaml_fail(yaml, "%s: one text is expected", names[which]);
    nb_span text = {nb__yaml_scalar(yaml, &size), 0};
    text.size_bytes = nb__yaml_is_null(yaml) ? 0 : size;
    bool fits = memchr(text.data, '\0', text.size_bytes) == NULL &&
                nb__span_copy(text, out->text[which], sizeof out->text[which]);
    if (!fits && !is_paper)
        return nb__yaml_fail(yaml, "%s is too long to be one of KIS's", names[which]);
    return NB_OK;
}

static nb_err take_pair(nb__yaml *yaml, found *out)
{
    size_t size, which = 0;
    if (nb__yaml_is(yaml, YAML_SCALAR_EVENT)) {
        nb_span key = {nb__yaml_scalar(yaml, &size), 0};
        key.size_bytes = size;
        while (which < COUNT && !nb__span_is(key, names[which]))
            which++;
    } else {
        which = COUNT;
    }
    nb_err err = nb__yaml_skip(yaml);
    if (err == NB_OK)
        err = nb__yaml_next(yaml);
    if (err == NB_OK)
        err = which < COUNT ? take_value(yaml, which, out) : nb__yaml_skip(yaml);
    return err;
}

static nb_err take_file(nb__yaml *yaml, found *out)
{
    if (!nb__yaml_is(yaml, YAML_MAPPING_START_EVENT))
        return nb__yaml_fail(yaml, "lines of `name: value` are expected, as in KIS's sample");
    nb_err err = nb__yaml_next(yaml);
    while (err == NB_OK && !nb__yaml_is(yaml, YAML_MAPPING_END_EVENT)) {
        err = take_pair(yaml, out);
        if (err == NB_OK)
            err = nb__yaml_next(yaml);
    }
    return err;
}

/* What is wrong with what was found, and what to do about it. */
static nb_err check(const found *f, const char *path, nb_error *error)
{
    const char *key_fault = nb__secret_fault(f->text[MY_APP], KEY_MIN_BYTES, 64);
    const char *secret_fault = nb__secret_fault(f->text[MY_SEC], KEY_MIN_BYTES, 256);
    const char *id_fault =
        f->text[MY_HTSID][0] == '\0' ? NULL : nb__secret_fault(f->text[MY_HTSID], 1, 32);
    bool is_paper = nb__secret_fault(f->text[PAPER_APP], KEY_MIN_BYTES, 64) == NULL;
    if (key_fault != NULL && is_paper)
        return nb__fail(
            error, NB_E_CONFIG, 0,
            "%.80s: only the paper keys are filled in, and KIS's night feed has no paper "
            "version; fill in my_app and my_sec",
            path);
    if (key_fault != NULL && secret_fault != NULL)
        return nb__fail(error, NB_E_CONFIG, 0,
                        "%.80s: not filled in: my_app, my_sec%s; put your live appkey and secret "
                        "there, or into nightbook's own file",
                        path, id_fault != NULL ? ", my_htsid" : "");
    if (key_fault != NULL || secret_fault != NULL) {
        size_t which = key_fault != NULL ? MY_APP : MY_SEC;
        const char *fault = key_fault != NULL ? key_fault : secret_fault;
        if (f->lines[which] == 0)
            return nb__fail(error, NB_E_CONFIG, 0, "%.80s: there is no %s in it", path,
                            names[which]);
        return nb__fail(error, NB_E_CONFIG, 0, "%.80s:%zu: %s %s", path, f->lines[which],
                        names[which], fault);
    }
    if (strcmp(f->text[MY_APP], f->text[PAPER_APP]) == 0)
        return nb__fail(error, NB_E_CONFIG, 0,
                        "%.80s:%zu: my_app is the same as paper_app: a paper key, and KIS's night "
                        "feed has no paper version; if it is the live one, empty paper_app",
                        path, f->lines[MY_APP]);
    return NB_OK;
}

static nb_err use(nb__settings *settings, const found *f, const char *path, nb_error *error)
{
    nb__appkey appkey = {.name = "main"};
    (void)nb__span_copy(nb__span(f->text[MY_APP]), appkey.appkey, sizeof appkey.appkey);
    (void)nb__span_copy(nb__span(f->text[MY_SEC]), appkey.secret, sizeof appkey.secret);
    if (nb__secret_fault(f->text[MY_HTSID], 1, sizeof appkey.hts_id) == NULL)
        (void)nb__span_copy(nb__span(f->text[MY_HTSID]), appkey.hts_id, sizeof appkey.hts_id);
    snprintf(appkey.origin, sizeof appkey.origin, "%.270s:%zu", path, f->lines[MY_APP]);
    nb_err err = nb__appkeys_add(settings, &appkey, NB__FROM_DEVLP, error);
    explicit_bzero(&appkey, sizeof appkey);
    return err;
}

nb_err nb__settings_read_devlp(nb__settings *settings, nb_span text, const char *path,
                               nb_error *error)
{
    found f = {0};
    nb__yaml yaml;
    bool is_empty = false;
    nb_err err = nb__yaml_init(&yaml, text, path, false, &is_empty, error);
    if (err == NB_OK && !is_empty)
        err = take_file(&yaml, &f);
    nb__yaml_fini(&yaml);
    if (err == NB_OK)
        err = check(&f, path, error);
    if (err == NB_OK)
        err = use(settings, &f, path, error);
    explicit_bzero(&f, sizeof f);
    return err;
}
