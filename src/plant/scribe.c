/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a feed goes into the journal, before anything else sees it.
 *
 *     0|TR|…                       frame      raw, before what is not UTF-8 is replaced
 *     1|TR|…, order notices        notice     TR, count, size: what they say is one person's
 *     an answer                    answer     without iv and key; the key of an order notice is ***
 *     PINGPONG                     pingpong   raw
 *     other messages               other      size
 *     link up, down; drift         connect, gap; drift
 *
 * No secret enters: what has no head of a frame, and so could be any words of a server, is looked
 * through for all that the log hides, and only its size is kept when one is there.
 */
#include "inside.h"
#include <stdio.h>
#include <string.h>

#define NOTICE_TR_AT (sizeof "0|H0EU" - 1) /* "CNI" stands there */
#define TR_END (sizeof "0|H0EUASP0" - 1)
#define HEAD_END (sizeof "0|H0EUASP0|001" - 1)

static void line(nb__plant *plant, uint32_t feed, nb__journal_kind kind, int64_t recv_ns)
{
    if (!plant->mark.is_failed)
        nb__recorder_line(plant->recorder, feed, kind, nb__text_view(&plant->mark), recv_ns);
    nb__text_clear(&plant->mark);
}

static void other(nb__plant *plant, uint32_t feed, size_t size_bytes, int64_t recv_ns)
{
    nb__journal_other_print(size_bytes, &plant->mark);
    line(plant, feed, NB__JOURNAL_OTHER, recv_ns);
}

/* ---- data messages ---- */

/* Encrypted or not: whose orders they are is in them. */
static bool is_notice(nb_span text)
{
    if (text.size_bytes < NOTICE_TR_AT + 3 || text.data[1] != '|')
        return false;
    return text.data[0] == '1' || memcmp(text.data + NOTICE_TR_AT, "CNI", 3) == 0;
}

/* At a glance: a head as KIS's are, and no notice's. What is not so is looked at closely. */
static bool is_plain_frame(nb_span text)
{
    const char *at = text.data;
    return text.size_bytes > HEAD_END && at[0] == '0' && at[1] == '|' && at[TR_END] == '|' &&
           at[HEAD_END] == '|' && memcmp(at + NOTICE_TR_AT, "CNI", 3) != 0;
}

static void notice(nb__plant *plant, uint32_t feed, const nb_frame *head, size_t size_bytes,
                   int64_t recv_ns)
{
    nb__journal_notice mark = {.count = (uint32_t)head->record_count, .size_bytes = size_bytes};
    (void)nb__span_copy(head->tr_id, mark.tr_id, sizeof mark.tr_id);
    nb__journal_notice_print(&mark, &plant->mark);
    line(plant, feed, NB__JOURNAL_NOTICE, recv_ns);
}

void nb__scribe_message(nb__plant *plant, uint32_t feed, nb_span text, int64_t recv_ns)
{
    nb_frame head;
    if (plant->recorder == NULL)
        return;
    if (is_plain_frame(text)) {
        nb__recorder_line(plant->recorder, feed, NB__JOURNAL_FRAME, text, recv_ns);
        return;
    }
    bool has_head = nb_frame_split(text, &head, NULL) == NB_OK;
    if (has_head && (head.is_encrypted || is_notice(text)))
        notice(plant, feed, &head, text.size_bytes, recv_ns);
    else if (!has_head && (is_notice(text) || nb__log_is_hidden_in(text)))
        other(plant, feed, text.size_bytes, recv_ns);
    else
        nb__recorder_line(plant->recorder, feed, NB__JOURNAL_FRAME, text, recv_ns);
}

void nb__scribe_drift(nb__plant *plant, const nb__plant_frame *frame, int field_count)
{
    if (plant->recorder == NULL)
        return;
    nb__journal_drift mark = {.fields = field_count,
                              .documented = (int)frame->head.tr->field_count};
    snprintf(mark.tr_id, sizeof mark.tr_id, "%s", frame->head.tr->id);
    nb__journal_drift_print(&mark, &plant->mark);
    line(plant, frame->feed, NB__JOURNAL_DRIFT, frame->recv_ns);
}

/* ---- control messages ---- */

static void answer_line(nb__plant *plant, uint32_t feed, const nb__answer *answer, int64_t recv_ns)
{
    nb__journal_answer mark;
    nb__topic topic;
    char words[sizeof answer->msg1];
    bool has_topic = nb__topic_make(nb__span(answer->tr_id), nb__span(answer->tr_key), &topic);
    const char *key = has_topic ? nb__topic_shown_key(&topic) : "";
    snprintf(words, sizeof words, "%s", answer->msg1);
    (void)nb__log_hide_in(words);
    words[nb__utf8_valid_prefix((nb_span){words, strnlen(words, sizeof mark.msg1 - 1)})] = '\0';
    snprintf(mark.tr_id, sizeof mark.tr_id, "%s", answer->tr_id);
    snprintf(mark.tr_key, sizeof mark.tr_key, "%s", key);
    (void)nb__log_hide_in(mark.tr_key);
    snprintf(mark.rt_cd, sizeof mark.rt_cd, "%s", answer->rt_cd);
    snprintf(mark.msg_cd, sizeof mark.msg_cd, "%s", answer->msg_cd);
    snprintf(mark.msg1, sizeof mark.msg1, "%.*s", (int)(sizeof mark.msg1 - 1), words);
    nb__journal_answer_print(&mark, &plant->mark);
    line(plant, feed, NB__JOURNAL_ANSWER, recv_ns);
}

void nb__scribe_control(nb__plant *plant, uint32_t feed, nb_span text, nb__server_message kind,
                        const nb__answer *answer, int64_t recv_ns)
{
    if (plant->recorder == NULL)
        return;
    if (kind == NB__SERVER_ANSWER)
        answer_line(plant, feed, answer, recv_ns);
    else if (kind == NB__SERVER_PINGPONG && !nb__log_is_hidden_in(text))
        nb__recorder_line(plant->recorder, feed, NB__JOURNAL_PINGPONG, text, recv_ns);
    else
        other(plant, feed, text.size_bytes, recv_ns);
}

/* ---- links ---- */

/* Without its last clause, which says how long is waited: that is of the moment. */
static void gap(nb__plant *plant, uint32_t feed, const char *reason, bool is_rest, int64_t recv_ns)
{
    char words[sizeof((nb__journal_gap *)NULL)->reason];
    const char *semicolon = strrchr(reason, ';');
    size_t size = semicolon == NULL ? strlen(reason) : (size_t)(semicolon - reason);
    size = size < sizeof words ? size : sizeof words - 1;
    snprintf(words, sizeof words, "%.*s", (int)nb__utf8_valid_prefix((nb_span){reason, size}),
             reason);
    (void)nb__log_hide_in(words);
    nb__recorder_gap(plant->recorder, feed, words, is_rest, recv_ns);
}

void nb__scribe_link(nb__plant *plant, const nb__feed *feed, bool is_up, bool is_rest,
                     const char *reason, int64_t recv_ns)
{
    if (plant->recorder == NULL)
        return;
    if (is_up)
        nb__recorder_connect(plant->recorder, feed->index, feed->name, feed->url, &feed->clock,
                             recv_ns);
    else
        gap(plant, feed->index, reason, is_rest, recv_ns);
}

/* ---- the recorder ---- */

void nb__plant_sync(nb__plant *plant)
{
    if (plant->recorder == NULL || plant->is_syncing)
        return;
    plant->is_syncing = true; /* what it tells of trouble leaves by a way that syncs first */
    nb__recorder_write(plant->recorder);
    plant->is_syncing = false;
}

static nb__notice_kind notice_of(nb__recorder_event event)
{
    return event == NB__RECORDER_TROUBLE ? NB__NOTICE_NOT_RECORDING
           : event == NB__RECORDER_BACK  ? NB__NOTICE_RECORDING
                                         : NB__NOTICE_SPACE;
}

static void recorder_tells(void *self, nb__recorder_event event, const char *words)
{
    nb__plant_tell(self, notice_of(event), NULL, "%s", words);
}

nb_err nb__scribe_open(nb__plant *plant, const nb__plant_config *config, nb_error *error)
{
    if (config->recorder == NULL)
        return NB_OK;
    nb_err err = nb__recorder_open(plant->loop, config->recorder, config->recorder_kind,
                                   recorder_tells, plant, &plant->recorder, error);
    if (err == NB_E_BUSY)
        nb__fail_in(error, "another nightbook records there: end it, or record elsewhere with "
                           "--journal DIR");
    return err;
}

void nb__scribe_close(nb__plant *plant)
{
    bool is_replay = plant->player.source != NULL;
    int64_t now_ns = is_replay ? plant->player.recv_ns : nb__clock_real_ns();
    for (uint32_t i = 0; plant->recorder != NULL && i < plant->feed_count; i++)
        if (is_replay ? plant->player.is_linked : plant->feeds[i].is_up)
            gap(plant, i, "nightbook ends", true, now_ns);
    if (plant->recorder != NULL)
        nb__recorder_close(plant->recorder, "nightbook ends");
    plant->recorder = NULL;
    nb__text_fini(&plant->mark);
}
