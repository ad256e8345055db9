/* SPDX-License-Identifier: Apache-2.0 */
/**
 * night, L1: the KRX night calendar (public header) and the clock that a nightbook server states.
 */
#ifndef NB_NIGHT_ROOM_H
#define NB_NIGHT_ROOM_H

#include "base/base.h"
#include <nightbook/night.h>

typedef enum nb__feed_kind {
    NB__FEED_LIVE,
    NB__FEED_SIM,
    NB__FEED_REPLAY,
    NB__FEED_OTHER
} nb__feed_kind;
const char *nb__feed_kind_name(nb__feed_kind kind); /**< "live", "sim", "replay", "other" */
const char *
nb__feed_kind_banner(nb__feed_kind kind); /**< "LIVE", "SIMULATED", "REPLAY", "UNVERIFIED" */

/**
 * A server's clock: session time runs from `at_session_ns` at our `at_real_ns` with `speed`. Live:
 * equal clocks.
 *
 * On the wire, a header of the upgrade answer: `Nightbook-Clock: sim;
 * session=2026-11-20T18:00:00.000+09:00; speed=10` (kind live|sim|replay; session = the server's
 * session time at the answer).
 */
typedef struct nb__session_clock {
    nb__feed_kind kind;
    int64_t at_real_ns;
    int64_t at_session_ns;
    double speed;
} nb__session_clock;

nb__session_clock
nb__session_clock_live(void); /**< kind OTHER, identity: for servers that state nothing */
int64_t nb__session_clock_at(const nb__session_clock *clock, int64_t real_ns);
/** `Nightbook-Clock: …\r\n` as of `real_ns`. `out` holds 128 bytes. */
size_t nb__session_clock_print(char out[128], const nb__session_clock *clock, int64_t real_ns);
/** Read the header's value, received at `real_ns`. @return false: not valid, `*out` unchanged. */
bool nb__session_clock_parse(nb_span value, int64_t real_ns, nb__session_clock *out);
/* ---- hours: when a session to KIS is wanted ---- */
typedef enum nb__hours {
    NB__HOURS_NIGHT, /**< from 5 minutes before order receipt (17:45; 18:45 on CSAT day) to 06:15 */
    NB__HOURS_DAY,   /**< 08:30–16:00 of business days */
    NB__HOURS_BOTH,
    NB__HOURS_ALWAYS
} nb__hours;
const char *nb__hours_name(nb__hours hours);
bool nb__hours_parse(nb_span text, nb__hours *out);
typedef struct nb__opening {
    bool is_open;
    int64_t changes_ns; /**< UTC; when it next opens, closes or (ALWAYS, at 07:50) becomes another
                           session; INT64_MAX: never */
    int session_id;     /**< of the one that is on or comes next; a fresh approval key for each */
} nb__opening;
/** Years before 1970-01-03 or from 2200 on are never open, but for ALWAYS. */
nb__opening nb__opening_at(const nb_calendar *calendar, nb__hours hours, int64_t utc_ns);
/** The next 07:50 KST, when KIS ends every link. */
int64_t nb__forced_stop_after(int64_t utc_ns);

/** "2026-11-20T18:00:00.000+09:00" (fraction optional) to UTC ns. */
bool nb__kst_parse(nb_span text, int64_t *utc_ns);

#endif
