/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manners: the connect budget, the waits that KIS imposes, and the line of text that carries both
 * from one process to the next:
 *
 *     nightbook-session 1 attempts=1795000000123,1795000031007 in-use=2@1795000151000 approval=0@0
 *
 *     attempts   when the last ones began, ascending; none: `attempts=`
 *     in-use     OPSP8996 in a row, and until when it is waited out
 *     approval   lock-outs in a row, and until when no approval is asked for
 *
 * Times are milliseconds since 1970, rounded up, so that no wait becomes shorter on the way; 0:
 * none. The form is strict, the line end included, so that a line cut short is no line: what was
 * not written whole by this code counts as a spent budget. A time that lies in the future, because
 * the clock went back, is taken for the latest that it can be: an attempt for one just now, a wait
 * for the longest there is.
 */
#include "manners.h"
#include <inttypes.h>
#include <string.h>

#define MINUTE_NS (60 * NB__NS_PER_S)
#define IN_USE_MAX_NS (10 * MINUTE_NS) /* before jitter */
#define ROW_MAX 1000

static const int64_t lock_waits_ns[] = {1 * MINUTE_NS, 5 * MINUTE_NS, 15 * MINUTE_NS,
                                        30 * MINUTE_NS, 60 * MINUTE_NS};

void nb__manners_init(nb__manners *manners, const nb__session_config *config)
{
    *manners = (nb__manners){
        .attempts_max =
            config->connects_max < NB__ATTEMPTS_MAX ? config->connects_max : NB__ATTEMPTS_MAX,
        .window_ns = config->connects_window_ns,
        .in_use_wait_ns = config->in_use_wait_ns,
        .in_use_until_ns = NB__MANNERS_NONE,
        .approval_until_ns = NB__MANNERS_NONE,
    };
}

/* ---- the connect budget ---- */

int64_t nb__manners_free_ns(const nb__manners *manners)
{
    if (manners->attempts_max == 0 || manners->attempt_count < manners->attempts_max)
        return NB__MANNERS_NONE;
    return manners->attempts_ns[0] + manners->window_ns;
}

uint32_t nb__manners_used(const nb__manners *manners, int64_t now_ns)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < manners->attempt_count; i++)
        used += manners->attempts_ns[i] > now_ns - manners->window_ns;
    return used;
}

void nb__manners_attempt(nb__manners *manners, int64_t now_ns)
{
    if (manners->attempts_max == 0)
        return;
    if (manners->attempt_count == manners->attempts_max) {
        manners->attempt_count--;
        memmove(manners->attempts_ns, manners->attempts_ns + 1,
                manners->attempt_count * sizeof *manners->attempts_ns);
    }
    manners->attempts_ns[manners->attempt_count++] = now_ns;
}

void nb__manners_attempt_goes_on(nb__manners *manners, int64_t now_ns)
{
    if (manners->attempt_count > 0)
        manners->attempts_ns[manners->attempt_count - 1] = now_ns;
}

void nb__manners_attempt_withdrawn(nb__manners *manners)
{
    if (manners->attempt_count > 0)
        manners->attempt_count--;
}

int64_t nb__manners_seldom_ns(const nb__manners *manners, int64_t began_ns)
{
    if (manners->attempts_max == 0)
        return NB__MANNERS_NONE;
    int64_t last_ns = began_ns;
    if (manners->attempt_count > 0 && manners->attempts_ns[manners->attempt_count - 1] > last_ns)
        last_ns = manners->attempts_ns[manners->attempt_count - 1];
    return last_ns + manners->window_ns / manners->attempts_max;
}

/* ---- waits ---- */

/* `percent` of it more at most: never less, since KIS said so. */
static int64_t with_jitter_ns(int64_t wait_ns, uint64_t percent, nb__random *random)
{
    return wait_ns + wait_ns / 100 * (int64_t)nb__random_below(random, percent + 1);
}

static int64_t in_use_max_ns(const nb__manners *manners)
{
    return manners->in_use_wait_ns > IN_USE_MAX_NS ? manners->in_use_wait_ns : IN_USE_MAX_NS;
}

/* KIS counts from our close, which takes a second at most: hence the 5 % on top. */
void nb__manners_in_use(nb__manners *manners, nb__random *random, int64_t now_ns)
{
    int64_t wait_ns = manners->in_use_wait_ns, max_ns = in_use_max_ns(manners);
    for (uint32_t i = 0; i < manners->in_use_row && wait_ns < max_ns; i++)
        wait_ns *= 2;
    if (wait_ns > max_ns)
        wait_ns = max_ns;
    if (manners->in_use_row < ROW_MAX)
        manners->in_use_row++;
    manners->in_use_until_ns = now_ns + with_jitter_ns(wait_ns + wait_ns / 20, 15, random);
}

bool nb__manners_not_in_use(nb__manners *manners)
{
    bool is_change = manners->in_use_row > 0;
    manners->in_use_row = 0;
    return is_change;
}

void nb__manners_approval_failed(nb__manners *manners, nb__approval_class class_,
                                 nb__random *random, int64_t now_ns)
{
    uint32_t step = manners->lock_row < NB__COUNT_OF(lock_waits_ns) - 1
                        ? manners->lock_row
                        : (uint32_t)NB__COUNT_OF(lock_waits_ns) - 1;
    int64_t wait_ns = 0;
    switch (class_) {
    case NB__APPROVAL_RETRY:
        return;
    case NB__APPROVAL_PACED:
        wait_ns = MINUTE_NS;
        break;
    case NB__APPROVAL_LOCKED:
        wait_ns = lock_waits_ns[step];
        if (manners->lock_row < ROW_MAX)
            manners->lock_row++;
        break;
    case NB__APPROVAL_REFUSED:
        wait_ns = 60 * MINUTE_NS;
        break;
    case NB__APPROVAL_CLOSED:
        wait_ns = 5 * MINUTE_NS;
        break;
    }
    manners->approval_until_ns = now_ns + with_jitter_ns(wait_ns, 10, random);
}

void nb__manners_approved(nb__manners *manners)
{
    manners->lock_row = 0;
    manners->approval_until_ns = NB__MANNERS_NONE;
}

/* ---- the memory ---- */

/* Milliseconds of real time, rounded up; 0 for what is long past. */
static uint64_t to_real_ms(int64_t at_ns, int64_t now_ns, int64_t now_real_ns)
{
    int64_t ahead_ns, real_ns;
    if (at_ns == NB__MANNERS_NONE || __builtin_sub_overflow(at_ns, now_ns, &ahead_ns) ||
        __builtin_add_overflow(now_real_ns, ahead_ns, &real_ns) || real_ns <= 0)
        return 0;
    return (uint64_t)(real_ns / NB__NS_PER_MS + (real_ns % NB__NS_PER_MS != 0));
}

void nb__manners_print(const nb__manners *manners, int64_t now_ns, int64_t now_real_ns,
                       nb__text *out)
{
    nb__text_string(out, "nightbook-session 1 attempts=");
    for (uint32_t i = 0; i < manners->attempt_count; i++)
        nb__text_printf(out, "%s%" PRIu64, i == 0 ? "" : ",",
                        to_real_ms(manners->attempts_ns[i], now_ns, now_real_ns));
    nb__text_printf(out, " in-use=%u@%" PRIu64 " approval=%u@%" PRIu64 "\n", manners->in_use_row,
                    to_real_ms(manners->in_use_until_ns, now_ns, now_real_ns), manners->lock_row,
                    to_real_ms(manners->approval_until_ns, now_ns, now_real_ns));
}

/* Back to monotonic time, `longest_ns` ahead at most. */
static int64_t to_mono_ns(uint64_t real_ms, int64_t now_ns, int64_t now_real_ns, int64_t longest_ns)
{
    int64_t real_ns, ahead_ns, at_ns;
    if (real_ms == 0)
        return NB__MANNERS_NONE;
    if (__builtin_mul_overflow((int64_t)real_ms, NB__NS_PER_MS, &real_ns))
        return now_ns + longest_ns;
    if (__builtin_sub_overflow(real_ns, now_real_ns, &ahead_ns))
        return real_ns > now_real_ns ? now_ns + longest_ns : NB__MANNERS_NONE;
    if (ahead_ns > longest_ns)
        return now_ns + longest_ns;
    return __builtin_add_overflow(now_ns, ahead_ns, &at_ns) ? NB__MANNERS_NONE : at_ns;
}

static bool take(nb_span *rest, const char *words)
{
    size_t size_bytes = strlen(words);
    if (rest->size_bytes < size_bytes || memcmp(rest->data, words, size_bytes) != 0)
        return false;
    *rest = (nb_span){rest->data + size_bytes, rest->size_bytes - size_bytes};
    return true;
}

static bool take_number(nb_span *rest, uint64_t max, uint64_t *out)
{
    size_t size_bytes = 0;
    while (size_bytes < rest->size_bytes && rest->data[size_bytes] >= '0' &&
           rest->data[size_bytes] <= '9')
        size_bytes++;
    if (!nb__span_to_u64((nb_span){rest->data, size_bytes}, out) || *out > max)
        return false;
    *rest = (nb_span){rest->data + size_bytes, rest->size_bytes - size_bytes};
    return true;
}

typedef struct remembered {
    uint64_t attempts_ms[NB__ATTEMPTS_MAX];
    uint32_t attempt_count;
    uint64_t in_use_row, in_use_ms, lock_row, approval_ms;
} remembered;

/* The attempts; more than there may be, or not ascending, is nothing that we wrote. */
static bool take_attempts(nb_span *rest, remembered *out)
{
    if (rest->size_bytes > 0 && rest->data[0] == ' ')
        return true;
    do {
        uint64_t at_ms;
        if (out->attempt_count == NB__ATTEMPTS_MAX || !take_number(rest, UINT64_MAX, &at_ms) ||
            (out->attempt_count > 0 && at_ms < out->attempts_ms[out->attempt_count - 1]))
            return false;
        out->attempts_ms[out->attempt_count++] = at_ms;
    } while (take(rest, ","));
    return true;
}

static bool read_memory(nb_span rest, remembered *out)
{
    return take(&rest, "nightbook-session 1 attempts=") && take_attempts(&rest, out) &&
           take(&rest, " in-use=") && take_number(&rest, ROW_MAX, &out->in_use_row) &&
           take(&rest, "@") && take_number(&rest, UINT64_MAX, &out->in_use_ms) &&
           take(&rest, " approval=") && take_number(&rest, ROW_MAX, &out->lock_row) &&
           take(&rest, "@") && take_number(&rest, UINT64_MAX, &out->approval_ms) &&
           take(&rest, "\n") && rest.size_bytes == 0;
}

nb_err nb__manners_parse(nb__manners *manners, nb_span text, int64_t now_ns, int64_t now_real_ns,
                         nb_error *error)
{
    remembered past = {.attempt_count = 0};
    if (!read_memory(text, &past)) {
        manners->attempt_count = 0;
        for (uint32_t i = 0; i < manners->attempts_max; i++)
            nb__manners_attempt(manners, now_ns);
        return nb__fail(error, NB_E_FRAME, 0,
                        "the memory of earlier connects is not readable; the connect budget counts "
                        "as spent just now");
    }
    manners->attempt_count = 0;
    for (uint32_t i = 0; i < past.attempt_count; i++)
        nb__manners_attempt(manners, to_mono_ns(past.attempts_ms[i], now_ns, now_real_ns, 0));
    manners->in_use_row = (uint32_t)past.in_use_row;
    manners->in_use_until_ns =
        to_mono_ns(past.in_use_ms, now_ns, now_real_ns, in_use_max_ns(manners) / 100 * 125);
    manners->lock_row = (uint32_t)past.lock_row;
    manners->approval_until_ns =
        to_mono_ns(past.approval_ms, now_ns, now_real_ns,
                   lock_waits_ns[NB__COUNT_OF(lock_waits_ns) - 1] / 100 * 110);
    return NB_OK;
}
