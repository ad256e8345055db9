/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: journal night */
/* Any bytes as the payload of each mark: what is read, written and read again is the same. */
#include "journal/journal.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

/* Parse, print, parse, print: both prints are equal. */
#define TRY(kind)                                                                                  \
    do {                                                                                           \
        nb__journal_##kind mark;                                                                   \
        if (nb__journal_##kind##_parse(text, &mark, &error) != NB_OK)                              \
            break;                                                                                 \
        nb__journal_##kind##_print(&mark, &first);                                                 \
        require(nb__journal_##kind##_parse(nb__text_view(&first), &mark, NULL) == NB_OK);          \
        nb__journal_##kind##_print(&mark, &second);                                                \
        require(nb__span_equal(nb__text_view(&first), nb__text_view(&second)));                    \
        nb__text_clear(&first);                                                                    \
        nb__text_clear(&second);                                                                   \
    } while (0)

/* A clock is told as of another time each time it is printed; only far from the ends of time does
 * it come back. */
static void try_connect(nb_span text, int64_t recv_ns)
{
    nb__journal_connect connect, again;
    if (nb__journal_connect_parse(text, recv_ns, &connect, NULL) != NB_OK)
        return;
    nb__text out = {0};
    nb__journal_connect_print(&connect, recv_ns, &out);
    require(nb__journal_connect_parse(nb__text_view(&out), recv_ns, &again, NULL) == NB_OK);
    require(strcmp(connect.feed, again.feed) == 0 && strcmp(connect.address, again.address) == 0);
    require(connect.clock.kind == again.clock.kind && connect.is_continued == again.is_continued);
    require(nb__session_clock_at(&connect.clock, recv_ns) ==
            nb__session_clock_at(&again.clock, recv_ns));
    nb__text_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    nb_span text = {(const char *)data, size_bytes};
    nb__text first = {0}, second = {0};
    nb_error error;
    TRY(start);
    TRY(gap);
    TRY(drift);
    TRY(notice);
    TRY(answer);
    TRY(disk);
    TRY(repair);
    try_connect(text, INT64_C(1795424400123456789));
    int64_t step_ns;
    if (nb__journal_clock_parse(text, &step_ns, NULL) == NB_OK) {
        int64_t again_ns;
        nb__journal_clock_print(step_ns, &first);
        require(nb__journal_clock_parse(nb__text_view(&first), &again_ns, NULL) == NB_OK);
        require(step_ns == again_ns);
    }
    nb__text_fini(&first);
    nb__text_fini(&second);
    return 0;
}
