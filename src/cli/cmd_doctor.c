/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nightbook doctor: from the configuration to the first frame, one thing after the other, in plain
 * words.
 *
 *     config ─▶ secrets ─▶ clock, dns, tls ─▶ for each appkey: lock ─▶ approval ─▶ connect ─▶
 *                                             subscription ─▶ pingpong ─▶ data
 *
 * It asks KIS by the same plant that `serve` has, so that lock, connect budget and back-off hold
 * here too; it only looks at how far the session comes.
 */
#include "cli/cli.h"
#include "doctor.h"
#include <stdio.h>
#include <string.h>

static const char explanation[] =
    "Checks what a live night needs, in order: configuration, modes of the files with secrets, "
    "clock, names, TLS; then for "
    "each\n"
    "appkey its lock, approval key, connection, one registration (the front night future, or "
    "--code), PINGPONG, and data or\n"
    "silence. Each line is ok, warn, fail or skip, with what to do. It takes about half a minute "
    "an appkey and counts as one\n"
    "of its connects (4 in 10 minutes); it does not run while `nightbook serve` holds the appkey.\n"
    "\n"
    "Exit codes: 0 nothing failed, 64 wrong use, 75 another process holds the appkey or the "
    "connect budget is spent, 76 KIS\n"
    "or the way to it failed, 78 the configuration is broken or incomplete.\n";

static const char *const state_names[] = {"ok", "warn", "fail", "skip"};

void nb__doctor_say(nb__doctor *doctor, nb__verdict verdict, const char *name, const char *todo,
                    const char *format, ...)
{
    if (doctor->check_count == NB__DOCTOR_CHECKS_MAX)
        return;
    nb__check *check = &doctor->checks[doctor->check_count++];
    *check = (nb__check){.verdict = verdict, .name = name, .appkey = doctor->appkey};
    va_list args;
    va_start(args, format);
    vsnprintf(check->detail, sizeof check->detail, format, args);
    va_end(args);
    nb__make_printable(check->detail, strlen(check->detail));
    snprintf(check->todo, sizeof check->todo, "%s", todo == NULL ? "" : todo);
    if (doctor->is_json)
        return;
    char title[64];
    snprintf(title, sizeof title, "%s%s%s", check->name, check->appkey[0] != '\0' ? " " : "",
             check->appkey);
    printf(" %-5s %-22s %s\n", state_names[verdict], title, check->detail);
    if (check->todo[0] != '\0')
        printf("       %-22s %s\n", "", check->todo);
    fflush(stdout);
}

bool nb__doctor_has_failed(const nb__doctor *doctor, const char *name)
{
    for (size_t i = 0; i < doctor->check_count; i++)
        if (doctor->checks[i].verdict == NB__VERDICT_FAIL &&
            (name == NULL || strcmp(doctor->checks[i].name, name) == 0))
            return true;
    return false;
}

static void print_json(const nb__doctor *doctor)
{
    nb__text text = {0};
    nb__text_printf(&text, "{\"is_ok\":%s,\"checks\":[",
                    nb__doctor_has_failed(doctor, NULL) ? "false" : "true");
    for (size_t i = 0; i < doctor->check_count; i++) {
        const nb__check *check = &doctor->checks[i];
        nb__text_printf(&text, "%s\n{\"check\":\"%s\",\"appkey\":", i == 0 ? "" : ",", check->name);
        nb__text_json(&text, nb__span(check->appkey));
        nb__text_printf(&text, ",\"verdict\":\"%s\",\"detail\":", state_names[check->verdict]);
        nb__text_json(&text, nb__span(check->detail));
        nb__text_string(&text, ",\"todo\":");
        nb__text_json(&text, nb__span(check->todo));
        nb__text_string(&text, "}");
    }
    nb__text_string(&text, "]}\n");
    if (text.data != NULL)
        fwrite(text.data, 1, text.size_bytes, stdout);
    nb__text_fini(&text);
}

/* ---- what is on this machine ---- */

static bool check_config(nb__doctor *doctor)
{
    nb__serve *s = &doctor->serve;
    nb_error error = {0};
    nb_err err = NB_OK;
    if (nb__settings_from(s->settings, "feed") != NB__FROM_FLAG)
        err = nb__settings_set(s->settings, "feed", "kis", NB__FROM_FLAG, "doctor", &error);
    if (err == NB_OK)
        err = nb__configuration_read(s->settings, &error);
    if (err == NB_OK)
        err = nb__configuration_judge(s->settings, &s->configuration, &error);
    if (err == NB_OK && s->configuration.feed != NB__CHOICE_KIS)
        err = nb__fail(&error, NB_E_ARGUMENT, 0, "doctor is for the feed kis; it takes no other");
    if (err != NB_OK) {
        nb__doctor_say(
            doctor, NB__VERDICT_FAIL, "config",
            "`nightbook config` shows what is in force; docs/config.md tells each setting", "%s",
            error.detail);
        doctor->exit_code = (int)nb_error_class_of(err);
        return false;
    }
    const nb__configuration *c = &s->configuration;
    nb__doctor_say(doctor, NB__VERDICT_OK, "config", NULL,
                   "%zu appkey%s, the first from %s; hours %s", c->appkey_count,
                   c->appkey_count == 1 ? "" : "s", c->appkeys[0].origin, nb__hours_name(c->hours));
    if (!c->is_builtin)
        nb__doctor_say(doctor, NB__VERDICT_WARN, "config",
                       "for a live night leave ops and prod out", "ops is %.100s: that is not KIS",
                       nb__settings_text(s->settings, "ops"));
    return true;
}

/* ---- the verdict ---- */

/* Who failed first decides. */
static int exit_code_of(const nb__doctor *doctor)
{
    if (doctor->exit_code != 0 || !nb__doctor_has_failed(doctor, NULL))
        return doctor->exit_code;
    return NB_CLASS_PEER;
}

static int examine(nb__doctor *doctor)
{
    nb__serve *s = &doctor->serve;
    if (!check_config(doctor))
        return doctor->exit_code;
    nb__serve_guard_secrets(s);
    nb__log_set_level(NB__LOG_ERROR + 1); /* the checks tell what the log would */
    nb__doctor_check_files(doctor);
    nb__doctor_check_way(doctor);
    bool is_blocked = nb__doctor_has_failed(doctor, "tls") || nb__doctor_has_failed(doctor, "dns");
    const nb__appkey *appkeys = s->configuration.appkeys;
    for (size_t i = 0, count = s->configuration.appkey_count; i < count; i++) {
        doctor->appkey = appkeys[i].name;
        s->configuration.appkeys = &appkeys[i];
        s->configuration.appkey_count = 1;
        nb__doctor_check_session(doctor, is_blocked ? "there is no way to KIS" : NULL);
    }
    doctor->appkey = "";
    return exit_code_of(doctor);
}

int nb__command_doctor(int argc, char **argv)
{
    static nb__doctor doctor; /* 100 KiB of checks and plan */
    doctor = (nb__doctor){.appkey = "", .serve.settings = nb__settings_new()};
    nb_error error = {0};
    if (doctor.serve.settings == NULL) {
        nb__fail(&error, NB_E_MEMORY, 0, "memory is exhausted");
        return nb__command_failed("doctor", &error);
    }
    nb__option options[3 + NB__OPTIONS_OF_SETTINGS_MAX] = {
        {"json", NULL, "print JSON", NB__OPTION_FLAG, &doctor.is_json, 0, 0},
        {"code", "CODE", "register this one (default: the front night future)", NB__OPTION_STRING,
         &doctor.code, 0, 0}};
    nb__options_of_settings(doctor.serve.settings, options + 2);
    const nb__usage usage = {"doctor", "[--json] [--code CODE] [OPTIONS of serve]", explanation,
                             options, 0};
    size_t operand_count = 0;
    int exit_code = nb__options_parse(&usage, argc, argv, NULL, &operand_count);
    if (exit_code < 0) {
        exit_code = examine(&doctor);
        if (doctor.is_json)
            print_json(&doctor);
    }
    nb__serve_close(&doctor.serve);
    return exit_code;
}
