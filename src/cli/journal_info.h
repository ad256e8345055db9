/* SPDX-License-Identifier: Apache-2.0 */
/* nightbook journal info: what a reading of a recording collects (journal_info.c), and how it is
 * printed (journal_info_print.c). */
#ifndef NB_CLI_JOURNAL_INFO_H
#define NB_CLI_JOURNAL_INFO_H

#include "journal_command.h"
#include <nightbook/nightbook.h>

#define NB__INFO_RUNS_MAX 64
#define NB__INFO_LINKS_MAX 512
#define NB__INFO_EVENTS_MAX 512
#define NB__INFO_ANSWERS_MAX 128
#define NB__INFO_TRS_MAX 64

typedef struct nb__info_run {
    nb__journal_start start; /* of its first segment here */
    int64_t recv_ns;
} nb__info_run;

typedef struct nb__info_link {
    size_t run_index;
    uint32_t link;
    nb__journal_connect connect;
    int64_t up_ns,
        down_ns; /* session time; down NB_TIME_UNDEF: it was up when the recording ended */
    uint64_t frames;
    nb__journal_gap gap; /* why it went down */
} nb__info_link;

/* What the recorder noted besides: drift, clock, disk, repair. */
typedef struct nb__info_event {
    int64_t session_ns, recv_ns;
    nb__journal_kind kind;
    char text[200];
} nb__info_event;

typedef struct nb__info_answer {
    nb__journal_answer answer; /* without its key */
    uint64_t count;
} nb__info_answer;

typedef struct nb__info_tr {
    char id[NB_TR_ID_MAX + 1];
    uint64_t frames, records, unread; /* frames that could not be cut into records */
    uint64_t keys;
} nb__info_tr;

typedef struct nb__info {
    const char *path;
    int night;
    nb__feed_kind feed;
    nb__recording_totals totals;
    nb__recording_counters reads;
    uint64_t kinds[NB__JOURNAL_UNKNOWN + 1];
    uint64_t frame_bytes, damages;
    nb__info_run runs[NB__INFO_RUNS_MAX];
    nb__info_link links[NB__INFO_LINKS_MAX];
    nb__info_event events[NB__INFO_EVENTS_MAX];
    nb__info_answer answers[NB__INFO_ANSWERS_MAX];
    nb__info_tr trs[NB__INFO_TRS_MAX];
    size_t run_count, link_count, event_count, answer_count, tr_count;
    uint64_t left_out; /* runs, links, events, answers, TRs beyond these tables */
} nb__info;

void nb__info_print(const nb__info *info, nb__text *out);
void nb__info_print_json(const nb__info *info, nb__text *out);

#endif
