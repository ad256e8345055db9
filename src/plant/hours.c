/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a live session is wanted: as the calendar says, looked at again when it next changes and at
 * least once a minute of real time. The timers are monotonic; so a clock that was set, and a
 * machine that slept, are noticed within a minute.
 */
#include "feed.h"
#include <stdio.h>

#define LOOK_NS (60 * NB__NS_PER_S)
/* KIS ends every link at about 07:50: from two minutes before it until three after */
#define STOP_BEFORE_NS (120 * NB__NS_PER_S)
#define STOP_AFTER_NS (180 * NB__NS_PER_S)

static void hours_timer_fired(nb__timer *timer, int64_t now_mono_ns)
{
    (void)now_mono_ns;
    nb__feed *feed = (nb__feed *)((char *)timer - offsetof(nb__feed, live.hours_timer));
    nb__hours_follow(feed, nb__clock_real_ns());
}

/* "until Mon 17:45"; further than a week's days tell, with its date. */
static void print_until(int64_t changes_ns, int64_t now_real_ns, char out[48])
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    if (changes_ns == INT64_MAX) {
        snprintf(out, 48, "for as far as the calendar reaches");
        return;
    }
    nb__civil at = nb__kst_civil(changes_ns);
    int hour = at.hhmmss / 10000, minute = at.hhmmss / 100 % 100;
    if (changes_ns - now_real_ns < 6 * NB__NS_PER_DAY)
        snprintf(out, 48, "until %s %02d:%02d KST", days[at.weekday], hour, minute);
    else
        snprintf(out, 48, "until %04d-%02d-%02d %02d:%02d KST", at.date / 10000,
                 at.date / 100 % 100, at.date % 100, hour, minute);
}

static void rest(nb__feed *feed, const nb__opening *opening, int64_t now_real_ns)
{
    char until[48];
    print_until(opening->changes_ns, now_real_ns, until);
    nb__log(NB__LOG_INFO, "feed", "%s rests %s (hours: %s)", feed->name, until,
            nb__hours_name(feed->live.config.hours));
    nb__session_rest(feed->session, until, nb__feed_now_ns(feed));
}

static void wake(nb__feed *feed)
{
    nb__log(NB__LOG_INFO, "feed", "%s: the hours begin (%s)", feed->name,
            nb__hours_name(feed->live.config.hours));
    nb__session_wake(feed->session, nb__feed_now_ns(feed));
}

/* @return when to look again because of it. */
static int64_t expect_stop(nb__feed *feed, int64_t now_real_ns)
{
    int64_t stop_ns = nb__forced_stop_after(now_real_ns - STOP_AFTER_NS);
    int64_t from_ns = stop_ns - STOP_BEFORE_NS, until_ns = stop_ns + STOP_AFTER_NS;
    if (now_real_ns < from_ns)
        return from_ns;
    feed->live.stop_until_ns = nb__feed_now_ns(feed) + (until_ns - now_real_ns);
    nb__session_expect_stop(feed->session, feed->live.stop_until_ns);
    return until_ns;
}

void nb__hours_begin(nb__feed *feed, int64_t now_real_ns)
{
    nb__live *live = &feed->live;
    live->hours_timer.fire = hours_timer_fired;
    live->opening = nb__opening_at(feed->calendar, live->config.hours, now_real_ns);
    live->opening.is_open = true; /* a new session is awake */
    nb__hours_follow(feed, now_real_ns);
}

void nb__hours_follow(nb__feed *feed, int64_t now_real_ns)
{
    nb__live *live = &feed->live;
    if (feed->is_shut)
        return;
    nb__opening opening = nb__opening_at(feed->calendar, live->config.hours, now_real_ns);
    bool was_open = live->opening.is_open;
    if (!opening.is_open && (was_open || opening.changes_ns != live->opening.changes_ns))
        rest(feed, &opening, now_real_ns);
    else if (opening.is_open && (!was_open || opening.session_id != live->opening.session_id))
        wake(feed);
    live->opening = opening;
    int64_t look_ns = opening.changes_ns;
    if (opening.is_open) {
        int64_t stop_look_ns = expect_stop(feed, now_real_ns);
        look_ns = stop_look_ns < look_ns ? stop_look_ns : look_ns;
    }
    int64_t after_ns = look_ns - now_real_ns;
    nb__timer_set(feed->loop, &live->hours_timer,
                  nb__feed_now_ns(feed) + (after_ns < LOOK_NS ? after_ns : LOOK_NS));
    nb__feed_stir(feed);
}
