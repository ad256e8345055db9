/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: how far an appkey's session comes. The plant does it; this looks on. */
#include "doctor.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE_NS (15 * NB__NS_PER_S) /* for each step */
#define LISTEN_NS (25 * NB__NS_PER_S)   /* PINGPONG comes after 10–20 s without data */
#define TURN_MS 50
#define OFFSET_WARN_S 2

static const nb__session *session_of(const nb__doctor *doctor)
{
    return nb__plant_feed_at(doctor->serve.plant, 0).session;
}

static const nb__session_counters *counters_of(const nb__doctor *doctor)
{
    return nb__session_count(session_of(doctor));
}

/* Let the plant work until `is_reached`, the session gives up, or patience ends. */
static bool wait_for(nb__doctor *doctor, bool (*is_reached)(const nb__doctor *),
                     int64_t patience_ns)
{
    int64_t end_ns = nb__clock_mono_ns() + patience_ns;
    while (!is_reached(doctor)) {
        bool is_waiting = nb__session_state_of(session_of(doctor)) == NB__SESSION_WAITING;
        if (is_waiting || nb__clock_mono_ns() >= end_ns || nb__loop_is_stopped(doctor->serve.loop))
            return false;
        nb__loop_turn(doctor->serve.loop, TURN_MS);
    }
    return true;
}

static void skip(nb__doctor *doctor, const char *const *names, size_t count, const char *why)
{
    for (size_t i = 0; i < count; i++)
        nb__doctor_say(doctor, NB__VERDICT_SKIP, names[i], NULL, "%s", why);
}

static void fail_by_reason(nb__doctor *doctor, const char *name, const char *todo)
{
    const char *reason = nb__session_reason(session_of(doctor));
    nb__doctor_say(doctor, NB__VERDICT_FAIL, name, todo, "%s",
                   reason[0] != '\0' ? reason : "no answer in time");
}

/* ---- the steps ---- */

/* With one registration only: --code, or the front night future by the master. */
static nb_err open_plant(nb__doctor *doctor, nb_error *error)
{
    nb__serve *s = &doctor->serve;
    nb__configuration *c = &s->configuration;
    c->hours = NB__HOURS_ALWAYS; /* whoever asks wants to know now */
    c->plan = nb__plan_config_default();
    if (doctor->code == NULL)
        c->plan.nearest_max = 1;
    else if (nb__plan_pin_parse(nb__span(doctor->code), &c->plan.pinned[c->plan.pinned_count++],
                                error) != NB_OK)
        return error->code;
    nb_err err = s->loop == NULL ? nb__loop_new(&s->loop, error) : NB_OK;
    return err == NB_OK ? nb__serve_open_plant(s, false, error) : err;
}

static bool check_lock(nb__doctor *doctor)
{
    nb_error error = {0};
    nb_err err = open_plant(doctor, &error);
    if (err == NB_OK) {
        nb__doctor_say(doctor, NB__VERDICT_OK, "lock", NULL,
                       "no other process of this machine holds the appkey");
        return true;
    }
    doctor->exit_code = (int)nb_error_class_of(err);
    nb__doctor_say(
        doctor, NB__VERDICT_FAIL, "lock",
        err == NB_E_BUSY
            ? "it has the session already: ask it instead, `nightbook slots` and its /v1/status"
            : NULL,
        "%s", error.detail);
    return false;
}

static bool is_approved(const nb__doctor *doctor)
{
    return counters_of(doctor)->approvals > 0;
}

static bool check_approval(nb__doctor *doctor)
{
    if (wait_for(doctor, is_approved, PATIENCE_NS)) {
        nb__doctor_say(doctor, NB__VERDICT_OK, "approval", NULL, "KIS gave an approval key");
        return true;
    }
    if (counters_of(doctor)->is_breaker_open)
        doctor->exit_code = NB_CLASS_RETRY;
    fail_by_reason(doctor, "approval",
                   counters_of(doctor)->is_breaker_open
                       ? "KIS blocks who connects too often: run it again after that time"
                       : "KIS locks out who insists: mend what it says, and wait a few minutes");
    return false;
}

static bool is_open(const nb__doctor *doctor)
{
    return counters_of(doctor)->connects > 0;
}

static bool check_connect(nb__doctor *doctor)
{
    if (wait_for(doctor, is_open, PATIENCE_NS)) {
        nb__doctor_say(doctor, NB__VERDICT_OK, "connect", NULL, "%s",
                       nb__plant_feed_at(doctor->serve.plant, 0).address);
        return true;
    }
    fail_by_reason(doctor, "connect",
                   "does a firewall let port 21000 out? is ops_address right, if you set it?");
    return false;
}

/* The one registration that is wanted; NULL: none yet. */
static const nb__registration *registration_of(const nb__doctor *doctor, nb__plan_row *row)
{
    uint32_t cursor = 0;
    return nb__plan_next_row(nb__plant_plan(doctor->serve.plant), &cursor, row) ? row->registration
                                                                                : NULL;
}

static bool is_answered(const nb__doctor *doctor)
{
    nb__plan_row row;
    const nb__registration *registration = registration_of(doctor, &row);
    return registration != NULL &&
           (registration->state == NB__REG_CONFIRMED || registration->state == NB__REG_REJECTED);
}

static bool check_subscription(nb__doctor *doctor)
{
    nb__plan_row row;
    bool is_in_time = wait_for(doctor, is_answered, PATIENCE_NS);
    const nb__registration *registration = registration_of(doctor, &row);
    if (registration == NULL) {
        nb__doctor_say(doctor, NB__VERDICT_FAIL, "subscription",
                       "`nightbook symbols update`, or name one with --code",
                       "no code is known: there are no master files");
        return false;
    }
    const nb__topic *topic = nb__topics_at(nb__plant_topics(doctor->serve.plant), row.topic);
    if (is_in_time && registration->state == NB__REG_CONFIRMED) {
        nb__doctor_say(doctor, NB__VERDICT_OK, "subscription", NULL, "%s %s: %s %s", topic->tr_id,
                       topic->tr_key, registration->answer.msg_cd, registration->answer.msg1);
        return true;
    }
    if (is_in_time)
        nb__doctor_say(doctor, NB__VERDICT_FAIL, "subscription",
                       "docs/live.md tells what each code means", "%s %s: %s %s", topic->tr_id,
                       topic->tr_key, registration->answer.msg_cd, registration->answer.msg1);
    else
        fail_by_reason(doctor, "subscription",
                       "OPSP8996: close whatever else uses the appkey, and wait");
    return false;
}

static bool is_heard(const nb__doctor *doctor)
{
    return counters_of(doctor)->pingpongs > 0;
}

static void check_silence(nb__doctor *doctor)
{
    const nb__plant_counters *count = nb__plant_count(doctor->serve.plant);
    int64_t now_ns = nb__clock_real_ns();
    nb_phase phase = nb_night_at(nb__serve_calendar(&doctor->serve), now_ns).phase;
    if (count->frames > 0)
        nb__doctor_say(doctor, NB__VERDICT_OK, "data", NULL,
                       "%" PRIu64 " frames, %" PRIu64 " records", count->frames, count->records);
    else if (phase == NB_PHASE_CLOSED)
        nb__doctor_say(doctor, NB__VERDICT_OK, "data", NULL,
                       "silence, as it should be: no night session is open now");
    else
        nb__doctor_say(doctor, NB__VERDICT_WARN, "data",
                       "silence of one code is normal at night; try --code with one that trades",
                       "none in %d s although the night is open", (int)(LISTEN_NS / NB__NS_PER_S));
}

/* KIS's own clock, as the feed has it: to the second, heard just now. */
static void say_pingpong(nb__doctor *doctor)
{
    int64_t said_ns = nb__session_pingpong_time(session_of(doctor));
    int64_t offset_s = (nb__clock_real_ns() - said_ns) / NB__NS_PER_S;
    bool is_apart = offset_s > OFFSET_WARN_S || offset_s < -OFFSET_WARN_S;
    if (said_ns == NB_TIME_UNDEF)
        nb__doctor_say(doctor, NB__VERDICT_WARN, "pingpong", NULL,
                       "heard and answered; its datetime is none");
    else if (doctor->serve.configuration.is_builtin || !is_apart)
        nb__doctor_say(doctor, is_apart ? NB__VERDICT_WARN : NB__VERDICT_OK, "pingpong",
                       is_apart ? "set this machine's clock: sudo timedatectl set-ntp true" : NULL,
                       "heard and answered; this clock is %lld s %s its datetime",
                       (long long)(offset_s < 0 ? -offset_s : offset_s),
                       offset_s < 0 ? "behind" : "ahead of");
    else
        nb__doctor_say(doctor, NB__VERDICT_OK, "pingpong", NULL,
                       "heard and answered; its datetime is a look-alike's own");
}

static void check_life(nb__doctor *doctor)
{
    bool is_pinged = wait_for(doctor, is_heard, LISTEN_NS);
    if (is_pinged)
        say_pingpong(doctor);
    else if (nb__session_state_of(session_of(doctor)) != NB__SESSION_UP)
        fail_by_reason(doctor, "pingpong", "the link did not hold");
    else if (nb__plant_count(doctor->serve.plant)->frames > 0)
        nb__doctor_say(doctor, NB__VERDICT_OK, "pingpong", NULL,
                       "none came: KIS sends it on an idle link only");
    else
        nb__doctor_say(doctor, NB__VERDICT_WARN, "pingpong",
                       "known of KIS: after 10 to 20 s without data", "none in %d s, and no data",
                       (int)(LISTEN_NS / NB__NS_PER_S));
    check_silence(doctor);
}

/* Polite: a Close frame, and the second that it may take. */
static void close_plant(nb__doctor *doctor)
{
    nb__serve *s = &doctor->serve;
    if (s->plant == NULL)
        return;
    nb__plant_shutdown(s->plant);
    int64_t end_ns = nb__clock_mono_ns() + NB__NS_PER_S;
    while (nb__plant_is_up(s->plant) && nb__clock_mono_ns() < end_ns)
        nb__loop_turn(s->loop, TURN_MS);
    nb__plant_close(s->plant);
    s->plant = NULL;
}

void nb__doctor_check_session(nb__doctor *doctor, const char *obstacle)
{
    static bool (*const steps[])(nb__doctor *) = {check_lock, check_approval, check_connect,
                                                  check_subscription};
    static const char *const names[] = {"lock",         "approval", "connect",
                                        "subscription", "pingpong", "data"};
    size_t done = 0;
    if (obstacle != NULL) {
        skip(doctor, names, NB__COUNT_OF(names), obstacle);
        return;
    }
    while (done < NB__COUNT_OF(steps) && steps[done](doctor))
        done++;
    if (done == NB__COUNT_OF(steps))
        check_life(doctor);
    else
        skip(doctor, names + done + 1, NB__COUNT_OF(names) - done - 1,
             "what comes before it failed");
    close_plant(doctor);
}
