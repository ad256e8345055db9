/* SPDX-License-Identifier: Apache-2.0 */
/* What a person types for the look-alike: a session time, a registration to refuse. */
#include "sim.h"
#include <string.h>

#define SHOWN_BYTES_MAX 40 /* of what was typed, in a message about it */

static int shown_bytes(nb_span text)
{
    return (int)(text.size_bytes < SHOWN_BYTES_MAX ? text.size_bytes : SHOWN_BYTES_MAX);
}

/* ---- session times ---- */

/* HH:MM or HH:MM:SS of a night. */
static bool parse_time_of_day(nb_span text, const nb_night *night, int64_t *ns)
{
    char whole[9] = "00:00:00";
    memcpy(whole, text.data, text.size_bytes);
    char digits[] = {whole[0], whole[1], whole[3], whole[4], whole[6], whole[7]};
    int hhmmss = nb_hhmmss_parse((nb_span){digits, sizeof digits});
    if (whole[2] != ':' || whole[5] != ':' || hhmmss < 0)
        return false;
    *ns = nb__kst_ns(night->start_date, hhmmss < 120000 ? hhmmss + 240000 : hhmmss);
    return true;
}

static int hour_of(int64_t ns)
{
    return nb__kst_civil(ns).hhmmss / 10000;
}

static int minute_of(int64_t ns)
{
    return nb__kst_civil(ns).hhmmss / 100 % 100;
}

/* Say when the night that was meant is open: it may open late, and on some days none starts. */
static nb_err fail_closed(nb_span text, int date, const nb_night *night, nb_error *error)
{
    int year = night->start_date / 10000, month = night->start_date / 100 % 100,
        day = night->start_date % 100;
    if (night->start_date != date)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "no night session is open at %.*s: none starts on %04d-%02d-%02d, the next "
                        "one starts on %04d-%02d-%02d at %02d:%02d",
                        shown_bytes(text), text.data, date / 10000, date / 100 % 100, date % 100,
                        year, month, day, hour_of(night->receipt_ns), minute_of(night->receipt_ns));
    return nb__fail(error, NB_E_ARGUMENT, 0,
                    "no night session is open at %.*s: the one that starts on %04d-%02d-%02d runs "
                    "from %02d:%02d to %02d:%02d",
                    shown_bytes(text), text.data, year, month, day, hour_of(night->receipt_ns),
                    minute_of(night->receipt_ns), hour_of(night->end_ns), minute_of(night->end_ns));
}

nb_err nb__sim_at_parse(nb_span text, const nb_calendar *calendar, int64_t now_ns, int64_t *at_ns,
                        nb_error *error)
{
    if (calendar == NULL)
        calendar = nb_calendar_builtin();
    nb_night night = nb_night_before(calendar, now_ns);
    int date = night.start_date;
    int64_t ns;
    if (text.size_bytes == 5 || text.size_bytes == 8) {
        if (!parse_time_of_day(text, &night, &ns))
            return nb__fail(error, NB_E_ARGUMENT, 0,
                            "\"%.*s\" is no time of day; give HH:MM or HH:MM:SS", shown_bytes(text),
                            text.data);
    } else if (nb__kst_parse(text, &ns)) {
        nb__civil civil = nb__kst_civil(ns);
        night = nb_night_at(calendar, ns);
        /* the small hours belong to the evening before */
        date = civil.hhmmss < 60000 ? nb__date_add(civil.date, -1) : civil.date;
    } else {
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "\"%.*s\" is no time; give HH:MM, HH:MM:SS or 2026-11-20T18:00:00+09:00",
                        shown_bytes(text), text.data);
    }
    if (nb_night_before(calendar, ns).phase == NB_PHASE_CLOSED)
        return fail_closed(text, date, &night, error);
    *at_ns = ns;
    return NB_OK;
}

/* ---- refusals ---- */

static bool is_code(nb_span text)
{
    uint64_t number;
    return text.size_bytes == 8 && memcmp(text.data, "OPSP", 4) == 0 &&
           nb__span_to_u64((nb_span){text.data + 4, 4}, &number);
}

nb_err nb__sim_refusal_parse(nb_span text, nb__sim_refusal *out, nb_error *error)
{
    const char *equals = text.size_bytes == 0 ? NULL : memrchr(text.data, '=', text.size_bytes);
    if (equals == NULL)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "\"%.*s\" is no refusal; give KEY=CODE, as B01612A40=OPSP8992",
                        shown_bytes(text), text.data);
    nb_span key = {text.data, (size_t)(equals - text.data)};
    nb_span code = {equals + 1, text.size_bytes - key.size_bytes - 1};
    nb__topic topic; /* any TR: what is asked is whether a registration can have this key */
    if (!nb__topic_make(NB__SPAN("-"), key, &topic))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "\"%.*s\" is no tr_key: 1-12 bytes, or * for every key", shown_bytes(key),
                        key.data);
    if (!is_code(code))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "\"%.*s\" is no code of KIS's; give OPSP and four digits, as OPSP8992",
                        shown_bytes(code), code.data);
    if (strcmp(nb__opsp_at(nb__opsp_find(code))->rt_cd, "0") == 0)
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.*s is a success, no refusal", shown_bytes(code),
                        code.data);
    memcpy(out->tr_key, topic.tr_key, sizeof out->tr_key);
    nb__span_copy(code, out->msg_cd, sizeof out->msg_cd);
    return NB_OK;
}

/* An answer a key: of two for one key, one would never be heard. */
nb_err nb__sim_refusals_add(nb__sim_config *config, nb_span text, nb_error *error)
{
    nb__sim_refusal refusal;
    if (config->refusal_count == NB__SIM_REFUSALS_MAX)
        return nb__fail(error, NB_E_LIMIT, 0, "more than %d refusals", NB__SIM_REFUSALS_MAX);
    nb_err err = nb__sim_refusal_parse(text, &refusal, error);
    if (err != NB_OK)
        return err;
    for (uint32_t i = 0; i < config->refusal_count; i++)
        if (strcmp(config->refusals[i].tr_key, refusal.tr_key) == 0)
            return nb__fail(error, NB_E_ARGUMENT, 0, "%s is to be refused with %s already",
                            refusal.tr_key, config->refusals[i].msg_cd);
    config->refusals[config->refusal_count++] = refusal;
    return NB_OK;
}
