/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the configuration: windows and pinned keys. */
#include "inside.h"
#include <string.h>

nb__plan_config nb__plan_config_default(void)
{
    return (nb__plan_config){
        .reserve = 5, .move_gap_ns = 30 * NB__NS_PER_S, .hysteresis_percent = 25};
}

/* Up to `mark`, which is taken off `rest` too. @return false: `mark` is not there. */
static bool cut(nb_span *rest, char mark, nb_span *out)
{
    const char *at = rest->size_bytes == 0 ? NULL : memchr(rest->data, mark, rest->size_bytes);
    if (at == NULL)
        return false;
    size_t size = (size_t)(at - rest->data);
    *out = (nb_span){rest->data, size};
    *rest = (nb_span){at + 1, rest->size_bytes - size - 1};
    return true;
}

static bool is_number(nb_span text, size_t at, size_t size, uint64_t least, uint64_t most)
{
    uint64_t value;
    return nb__span_to_u64((nb_span){text.data + at, size}, &value) && value >= least &&
           value <= most;
}

/* 202612 or 2611W4 */
static bool is_serial(nb_span text)
{
    if (text.size_bytes != 6)
        return false;
    if (text.data[4] == 'W')
        return is_number(text, 0, 2, 0, 99) && is_number(text, 2, 2, 1, 12) &&
               is_number(text, 5, 1, 1, 5);
    return is_number(text, 0, 4, 2000, 2099) && is_number(text, 4, 2, 1, 12);
}

static bool is_option_product(nb__product product)
{
    switch (product) {
    case NB__PRODUCT_KOSPI200:
    case NB__PRODUCT_KOSPI200_MINI:
    case NB__PRODUCT_KOSPI200_WEEKLY_THU:
    case NB__PRODUCT_KOSPI200_WEEKLY_MON:
    case NB__PRODUCT_KOSDAQ150:
        return true;
    case NB__PRODUCT_UNKNOWN:
    case NB__PRODUCT_OTHER_FUTURE:
    case NB__PRODUCT_KOSPI200_MINI_FUTURE:
    case NB__PRODUCT_KOSDAQ150_FUTURE:
        break;
    }
    return false;
}

static int quoted(nb_span text)
{
    return text.size_bytes < 40 ? (int)text.size_bytes : 40;
}

nb_err nb__plan_window_parse(nb_span text, nb__plan_window *out, nb_error *error)
{
    nb__plan_window spec = {0};
    nb_span rest = nb__span_trim(text), product, expiry;
    if (cut(&rest, '/', &product)) {
        spec.product = nb__product_by_word(product);
        if (!is_option_product(spec.product))
            return nb__fail(error, NB_E_ARGUMENT, 0,
                            "'%.*s' is no product of a window: kospi200, mini, thu, mon or "
                            "kosdaq150",
                            quoted(product), product.data);
    }
    if (!cut(&rest, ':', &expiry))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "a window is [PRODUCT/]EXPIRY:STRIKES, as nearest:8 or thu/2611W4:3, not "
                        "'%.*s'",
                        quoted(text), text.data);
    if (!nb__span_is(expiry, "nearest")) {
        if (!is_serial(expiry))
            return nb__fail(error, NB_E_ARGUMENT, (size_t)(expiry.data - text.data),
                            "'%.*s' is no expiry: nearest, a month as 202612, or a week as 2611W4",
                            quoted(expiry), expiry.data);
        nb__span_copy(expiry, spec.expiry, sizeof spec.expiry);
    }
    uint64_t strikes;
    if (!nb__span_to_u64(rest, &strikes) || strikes > PLAN_STRIKES_MAX)
        return nb__fail(error, NB_E_ARGUMENT, (size_t)(rest.data - text.data),
                        "'%.*s' is no number of strikes on each side of the money, 0 to %d",
                        quoted(rest), rest.data, PLAN_STRIKES_MAX);
    spec.strikes_each_side = (uint32_t)strikes;
    *out = spec;
    return NB_OK;
}

static bool is_plain(nb_span text, bool is_code)
{
    for (size_t i = 0; i < text.size_bytes; i++) {
        char c = text.data[i];
        bool is_code_byte = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (is_code ? !is_code_byte : c <= ' ' || c > '~')
            return false;
    }
    return true;
}

/* The book TR of a code alone; empty when the code does not tell. */
static nb_span book_of_code(nb_span code)
{
    if (code.size_bytes < 6 || code.size_bytes > 9 || !is_plain(code, true))
        return NB__SPAN("");
    switch (code.data[0]) {
    case 'A':
        return NB__SPAN("H0MFASP0");
    case 'B':
    case 'C':
        return NB__SPAN("H0EUASP0");
    default:
        return NB__SPAN("");
    }
}

nb_err nb__plan_pin_parse(nb_span text, nb__topic *out, nb_error *error)
{
    nb_span key = nb__span_trim(text), tr_id;
    bool has_tr = cut(&key, ':', &tr_id);
    if (!has_tr)
        tr_id = book_of_code(key);
    if (!has_tr && tr_id.size_bytes == 0)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "'%.*s' is no code of a night option (B…, C…) or future (A…); other keys "
                        "are written TR:KEY, as H0STCNT0:005930",
                        quoted(text), text.data);
    nb__topic topic;
    if (!is_plain(tr_id, true) || !is_plain(key, false) || !nb__topic_make(tr_id, key, &topic))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "'%.*s' is not TR:KEY, with a TR of at most %d letters and digits and a "
                        "key of at most %d characters",
                        quoted(text), text.data, NB_TR_ID_MAX, NB_TR_KEY_MAX);
    *out = topic;
    return NB_OK;
}
