/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A night's other lines: links and gaps, answers and slots, drift, clock, disk.
 *
 * A gap begins with its mark, or where a run of the recorder ends without one (it was killed), and
 * ends with the next link of the same appkey. What a key was expected to send ends with its link.
 * Reasons and words are those of the recording, made printable when they are kept.
 */
#include "inside.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void keep_words(char *out, size_t capacity_bytes, const char *words)
{
    nb_span text = {words, strnlen(words, capacity_bytes - 1)};
    size_t size = nb__utf8_valid_prefix(text); /* no half of a letter */
    size = size < text.size_bytes && text.size_bytes - size > 3 ? text.size_bytes : size;
    memcpy(out, words, size);
    out[size] = '\0';
    nb__make_printable(out, size);
}

/* ---- feeds and links ---- */

static feed_row *feed_named(nb__nightly *n, const char *label)
{
    char kept[sizeof n->feeds[0].label];
    keep_words(kept, sizeof kept, label);
    for (uint32_t i = 0; i < n->feed_count; i++)
        if (strcmp(n->feeds[i].label, kept) == 0)
            return &n->feeds[i];
    feed_row *feed = &n->feeds[n->feed_count < FEEDS_MAX - 1 ? n->feed_count : FEEDS_MAX - 1];
    if (n->feed_count < FEEDS_MAX) {
        bool is_rest = n->feed_count == FEEDS_MAX - 1;
        *feed = (feed_row){.gap.from_ns = NB_TIME_UNDEF};
        memcpy(feed->label, is_rest ? "others" : kept, is_rest ? sizeof "others" : sizeof kept);
        n->feed_count++;
    }
    return feed;
}

static link_row *find_link(nb__nightly *n, uint32_t number)
{
    if (n->link_found < n->link_count && n->links[n->link_found].number == number)
        return &n->links[n->link_found];
    for (uint32_t i = n->link_count; i > 0; i--)
        if (n->links[i - 1].number == number) {
            n->link_found = i - 1;
            return &n->links[i - 1];
        }
    return NULL;
}

feed_row *nightly_feed_of(nb__nightly *n, const nb__nightly_line *line)
{
    const link_row *link = line->link == 0 ? NULL : find_link(n, line->link);
    if (link != NULL)
        return &n->feeds[link->feed];
    return line->from == NULL ? NULL : feed_named(n, line->from->feed);
}

static uint32_t index_of(const nb__nightly *n, const feed_row *feed)
{
    return (uint32_t)(feed - n->feeds);
}

static link_row *add_link(nb__nightly *n, uint32_t number, uint32_t feed)
{
    if (n->link_count == LINKS_MAX) {
        memmove(n->links, n->links + 1, (LINKS_MAX - 1) * sizeof n->links[0]);
        n->link_count--;
    }
    n->links[n->link_count] = (link_row){number, feed, false};
    return &n->links[n->link_count++];
}

/* ---- gaps ---- */

static void count_cause(nb__nightly *n, const char *reason)
{
    for (uint32_t i = 0; i < n->cause_count; i++)
        if (strcmp(n->causes[i].reason, reason) == 0) {
            n->causes[i].count++;
            return;
        }
    if (n->cause_count == CAUSES_MAX) {
        n->causes_other++;
        return;
    }
    cause_row *cause = &n->causes[n->cause_count++];
    snprintf(cause->reason, sizeof cause->reason, "%s", reason);
    cause->count = 1;
}

/* From here on nothing of the feed's keys is expected, and their books are of the past. */
static void forget_keys(nb__nightly *n, feed_row *feed, int64_t now_ns)
{
    for (uint32_t i = 0; i < n->key_count; i++) {
        key_row *key = &n->keys[i];
        if (key->feed != index_of(n, feed))
            continue;
        nightly_silence(n, &key->silence, key->quiet_since_ns, now_ns);
        key->quiet_since_ns = NB_TIME_UNDEF;
        n->registered -= key->is_registered;
        key->is_registered = false;
        nb__books_set_stale_at(n->books, key->topic);
    }
    feed->registered = 0;
}

static bool is_any_up(const nb__nightly *n)
{
    for (uint32_t i = 0; i < n->feed_count; i++)
        if (n->feeds[i].links_up > 0)
            return true;
    return false;
}

static void begin_gap(nb__nightly *n, feed_row *feed, const char *reason, bool is_rest,
                      int64_t now_ns)
{
    if (feed->links_up > 0)
        feed->links_up--;
    if (feed->links_up > 0)
        return; /* a label that several appkeys share */
    forget_keys(n, feed, now_ns);
    if (!is_any_up(n)) {
        nightly_silence(n, &n->silence, n->quiet_since_ns, now_ns);
        n->quiet_since_ns = NB_TIME_UNDEF;
    }
    if (feed->gap.from_ns != NB_TIME_UNDEF)
        return;
    feed->gap = (interval){now_ns, NB_TIME_UNDEF};
    feed->is_gap_rest = is_rest;
    feed->gap_index = 0;
    char words[WORDS_MAX];
    keep_words(words, sizeof words, reason);
    if (!is_rest) {
        feed->drops++;
        count_cause(n, words);
    }
    if (n->gap_count == GAPS_MAX) {
        n->gaps_other++;
        return;
    }
    gap_row *gap = &n->gaps[n->gap_count++];
    *gap = (gap_row){.feed = index_of(n, feed), .when = feed->gap, .is_rest = is_rest};
    memcpy(gap->reason, words, sizeof words);
    feed->gap_index = n->gap_count;
}

static void end_gap(nb__nightly *n, feed_row *feed, int64_t now_ns, bool is_back)
{
    interval lost = {NB_TIME_UNDEF, 0};
    if (feed->gap.from_ns == NB_TIME_UNDEF)
        return;
    nightly_silence(n, &lost, feed->gap.from_ns, now_ns); /* its part of the session */
    if (!feed->is_gap_rest && lost.from_ns != NB_TIME_UNDEF)
        feed->down_ns += lost.to_ns - lost.from_ns;
    if (feed->gap_index > 0 && is_back)
        n->gaps[feed->gap_index - 1].when.to_ns = now_ns;
    feed->gap.from_ns = NB_TIME_UNDEF;
    feed->gap_index = 0;
}

void nightly_close_gaps(nb__nightly *n)
{
    for (uint32_t i = 0; i < n->feed_count; i++)
        end_gap(n, &n->feeds[i], n->last_ns, false);
}

static void connect_mark(nb__nightly *n, const nb__nightly_line *line)
{
    nb__journal_connect connect;
    if (nb__journal_connect_parse(line->message, line->recv_ns, &connect, NULL) != NB_OK)
        return;
    link_row *link = find_link(n, line->link);
    if (link != NULL && link->is_up)
        return; /* restated in the next segment */
    feed_row *feed = feed_named(n, connect.feed);
    if (link == NULL)
        link = add_link(n, line->link, index_of(n, feed));
    link->feed = index_of(n, feed);
    link->is_up = true;
    feed->links_up++;
    feed->connects++;
    if (line->session_ns == NB_TIME_UNDEF)
        return;
    end_gap(n, feed, line->session_ns, true);
    if (n->quiet_since_ns == NB_TIME_UNDEF)
        n->quiet_since_ns = line->session_ns;
    nb__evidence_link(n->evidence, index_of(n, feed), true, NULL, line->recv_ns);
}

static void gap_mark(nb__nightly *n, const nb__nightly_line *line)
{
    nb__journal_gap gap;
    link_row *link = find_link(n, line->link);
    if (nb__journal_gap_parse(line->message, &gap, NULL) != NB_OK || link == NULL || !link->is_up)
        return;
    link->is_up = false;
    feed_row *feed = &n->feeds[link->feed];
    begin_gap(n, feed, gap.reason, gap.is_rest,
              line->session_ns == NB_TIME_UNDEF ? n->last_ns : line->session_ns);
    nb__evidence_link(n->evidence, link->feed, false, gap.is_rest ? NULL : gap.reason,
                      line->recv_ns);
}

/* Another run: whatever was up is down since the last line of the run before. */
static void start_mark(nb__nightly *n, const nb__nightly_line *line)
{
    nb__journal_start start;
    if (nb__journal_start_parse(line->message, &start, NULL) != NB_OK)
        return;
    bool is_other_run = !n->has_start || strcmp(start.run, n->run) != 0;
    if (!n->has_start)
        n->kind = start.feed;
    n->has_start = true;
    if (!is_other_run)
        return;
    for (uint32_t i = 0; i < n->feed_count; i++) {
        feed_row *feed = &n->feeds[i];
        if (feed->links_up == 0)
            continue;
        feed->links_up = 1;
        begin_gap(n, feed,
                  n->is_stopped ? "nightbook was stopped" : "nightbook ended without a word",
                  n->is_stopped, n->last_ns);
    }
    n->link_count = 0;
    n->runs++;
    nb__books_forget(n->books);
    memcpy(n->run, start.run, sizeof n->run);
    keep_words(n->version, sizeof n->version, start.version);
    keep_words(n->host, sizeof n->host, start.host);
}

/* ---- answers ---- */

static void count_code(nb__nightly *n, const nb__journal_answer *answer)
{
    for (uint32_t i = 0; i < n->code_count; i++)
        if (strcmp(n->codes[i].msg_cd, answer->msg_cd) == 0 &&
            strcmp(n->codes[i].rt_cd, answer->rt_cd) == 0) {
            n->codes[i].count++;
            return;
        }
    if (n->code_count == CODES_MAX) {
        n->codes_other++;
        return;
    }
    code_row *code = &n->codes[n->code_count++];
    code->count = 1;
    keep_words(code->msg_cd, sizeof code->msg_cd, answer->msg_cd);
    keep_words(code->rt_cd, sizeof code->rt_cd, answer->rt_cd);
    keep_words(code->msg1, sizeof code->msg1, answer->msg1);
}

static void count_refusal(nb__nightly *n, const nb__journal_answer *answer, int64_t now_ns)
{
    n->refused++;
    for (uint32_t i = 0; i < n->refusal_count; i++) {
        refusal_row *row = &n->refusals[i];
        if (strcmp(row->tr_id, answer->tr_id) == 0 && strcmp(row->tr_key, answer->tr_key) == 0 &&
            strcmp(row->msg_cd, answer->msg_cd) == 0) {
            row->count++;
            return;
        }
    }
    if (n->refusal_count == REFUSALS_MAX) {
        n->refusals_other++;
        return;
    }
    refusal_row *row = &n->refusals[n->refusal_count++];
    *row = (refusal_row){.count = 1, .first_ns = now_ns};
    keep_words(row->tr_id, sizeof row->tr_id, answer->tr_id);
    keep_words(row->tr_key, sizeof row->tr_key, answer->tr_key);
    keep_words(row->msg_cd, sizeof row->msg_cd, answer->msg_cd);
    keep_words(row->msg1, sizeof row->msg1, answer->msg1);
}

static void take_slot(nb__nightly *n, feed_row *feed, key_row *key, int64_t now_ns)
{
    n->confirmed++;
    if (key == NULL || feed == NULL)
        return;
    key->feed = index_of(n, feed);
    if (key->quiet_since_ns == NB_TIME_UNDEF)
        key->quiet_since_ns = now_ns;
    if (key->is_registered)
        return;
    key->is_registered = true;
    if (++n->registered > n->registered_most)
        n->registered_most = n->registered;
    if (++feed->registered > feed->registered_most)
        feed->registered_most = feed->registered;
}

static void give_slot(nb__nightly *n, key_row *key, int64_t now_ns)
{
    n->given_back++;
    if (key == NULL || !key->is_registered)
        return;
    nightly_silence(n, &key->silence, key->quiet_since_ns, now_ns);
    key->quiet_since_ns = NB_TIME_UNDEF;
    key->is_registered = false;
    n->registered--;
    if (n->feeds[key->feed].registered > 0)
        n->feeds[key->feed].registered--;
    nb__books_set_stale_at(n->books, key->topic);
}

/* As nb__server_message_parse() judges them. */
static nb__answer answer_of(const nb__journal_answer *mark)
{
    nb__answer answer = {.code = nb__opsp_find(nb__span(mark->msg_cd))};
    bool is_known = answer.code != NB__OPSP_COUNT;
    answer.reaction = is_known                        ? nb__opsp_at(answer.code)->reaction
                      : strcmp(mark->rt_cd, "0") == 0 ? NB__REACT_DONE
                                                      : NB__REACT_UNKNOWN;
    (void)nb__span_copy(nb__span(mark->tr_id), answer.tr_id, sizeof answer.tr_id);
    (void)nb__span_copy(nb__span(mark->tr_key), answer.tr_key, sizeof answer.tr_key);
    (void)nb__span_copy(nb__span(mark->rt_cd), answer.rt_cd, sizeof answer.rt_cd);
    (void)nb__span_copy(nb__span(mark->msg_cd), answer.msg_cd, sizeof answer.msg_cd);
    (void)nb__span_copy(nb__span(mark->msg1), answer.msg1, sizeof answer.msg1);
    return answer;
}

static void answer_mark(nb__nightly *n, const nb__nightly_line *line)
{
    nb__journal_answer mark;
    if (nb__journal_answer_parse(line->message, &mark, NULL) != NB_OK)
        return;
    nb__answer answer = answer_of(&mark);
    feed_row *feed = nightly_feed_of(n, line);
    key_row *key = nightly_key(n, nb__span(mark.tr_id), nb__span(mark.tr_key));
    count_code(n, &mark);
    if (feed != NULL)
        nb__evidence_answer(n->evidence, index_of(n, feed), &answer, line->recv_ns);
    if (answer.code == NB__OPSP_UNSUBSCRIBED || answer.code == NB__OPSP_NOT_SUBSCRIBED)
        give_slot(n, key, line->session_ns);
    else if (answer.reaction == NB__REACT_DONE)
        take_slot(n, feed, key, line->session_ns);
    else
        count_refusal(n, &mark, line->session_ns);
}

/* ---- the rest ---- */

static void drift_mark(nb__nightly *n, const nb__nightly_line *line)
{
    nb__journal_drift drift;
    if (nb__journal_drift_parse(line->message, &drift, NULL) != NB_OK)
        return;
    for (uint32_t i = 0; i < n->drift_count; i++)
        if (strcmp(n->drifts[i].tr_id, drift.tr_id) == 0 && n->drifts[i].fields == drift.fields) {
            n->drifts[i].count++;
            return;
        }
    if (n->drift_count == DRIFTS_MAX) {
        n->drifts_other++;
        return;
    }
    drift_row *row = &n->drifts[n->drift_count++];
    *row = (drift_row){.fields = drift.fields,
                       .documented = drift.documented,
                       .first_ns = line->session_ns,
                       .count = 1};
    keep_words(row->tr_id, sizeof row->tr_id, drift.tr_id);
}

static void clock_mark(nb__nightly *n, const nb__nightly_line *line)
{
    int64_t step_ns;
    if (nb__journal_clock_parse(line->message, &step_ns, NULL) != NB_OK)
        return;
    if (n->step_count == STEPS_MAX) {
        n->steps_other++;
        return;
    }
    n->steps[n->step_count].at_ns = line->recv_ns;
    n->steps[n->step_count++].step_ns = step_ns;
}

static void disk_mark(nb__nightly *n, const nb__nightly_line *line)
{
    nb__journal_disk disk;
    if (nb__journal_disk_parse(line->message, &disk, NULL) != NB_OK)
        return;
    if (n->hole_count == HOLES_MAX) {
        n->holes_other++;
        return;
    }
    hole_row *hole = &n->holes[n->hole_count++];
    *hole = (hole_row){.when = {disk.since_ns, line->recv_ns},
                       .lost_lines = disk.lost_lines,
                       .lost_bytes = disk.lost_bytes};
    keep_words(hole->reason, sizeof hole->reason, disk.reason);
}

void nightly_mark(nb__nightly *n, const nb__nightly_line *line)
{
    const feed_row *feed;
    n->is_stopped =
        line->kind == NB__JOURNAL_STOP ||
        (n->is_stopped && (line->kind == NB__JOURNAL_SUM || line->kind == NB__JOURNAL_START));
    switch (line->kind) {
    case NB__JOURNAL_START:
        start_mark(n, line);
        n->is_stopped = false;
        break;
    case NB__JOURNAL_CONNECT:
        connect_mark(n, line);
        break;
    case NB__JOURNAL_GAP:
        gap_mark(n, line);
        break;
    case NB__JOURNAL_ANSWER:
        answer_mark(n, line);
        break;
    case NB__JOURNAL_PINGPONG:
        feed = nightly_feed_of(n, line);
        if (feed != NULL)
            nb__evidence_pingpong(n->evidence, index_of(n, feed), line->recv_ns);
        break;
    case NB__JOURNAL_DRIFT:
        drift_mark(n, line);
        break;
    case NB__JOURNAL_CLOCK:
        clock_mark(n, line);
        break;
    case NB__JOURNAL_DISK:
        disk_mark(n, line);
        break;
    default:
        break; /* counted by its kind */
    }
}

void nb__nightly_damage(nb__nightly *n, const char *words)
{
    if (n->damage_count == DAMAGES_MAX)
        n->damages_other++;
    else
        keep_words(n->damages[n->damage_count++], WORDS_MAX, words);
}

uint64_t nb__nightly_damages(const nb__nightly *n)
{
    return n->damage_count + n->damages_other;
}

void nb__nightly_set_disk(nb__nightly *n, const nb__nightly_disk *disk)
{
    n->disk = *disk;
    n->has_disk = true;
}

/* ---- what the server wrote down ---- */

static int64_t count_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    int64_t number = json_is_integer(value) ? json_integer_value(value) : 0;
    return number < 0 ? 0 : number;
}

static int64_t time_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    int64_t utc_ns;
    return text != NULL && nb__kst_parse(nb__span(text), &utc_ns) ? utc_ns : NB_TIME_UNDEF;
}

/* A run that was not recorded, or was elsewhere, has evidence of this night too: its frames came at
 * other times. What does not tell its times is taken. */
static bool is_of_our_time(const nb__nightly *n, const json_t *root)
{
    int64_t first_ns = time_of(root, "first"), last_ns = time_of(root, "last");
    return first_ns == NB_TIME_UNDEF || last_ns == NB_TIME_UNDEF ||
           n->recv_first_ns == NB_TIME_UNDEF ||
           (first_ns / NB__NS_PER_S <= n->recv_last_ns / NB__NS_PER_S &&
            n->recv_first_ns / NB__NS_PER_S <= last_ns / NB__NS_PER_S);
}

/* @return false: it is of another feed than the recording, or of another time. */
static bool take_latency(const nb__nightly *n, part_row *part)
{
    json_t *root = json_loadb(part->json.data, part->json.size_bytes, 0, NULL);
    const json_t *latency = json_object_get(root, "latency");
    const char *banner = json_string_value(json_object_get(root, "banner"));
    bool is_our_kind =
        !n->has_start || banner == NULL || strcmp(banner, nb__feed_kind_banner(n->kind)) == 0;
    bool is_ours = is_our_kind && is_of_our_time(n, root);
    part->has_latency = json_is_object(latency) && count_of(latency, "frames") > 0;
    part->frames = count_of(latency, "frames");
    part->p50_ns = count_of(latency, "p50_ns");
    part->p99_ns = count_of(latency, "p99_ns");
    part->p999_ns = count_of(latency, "p999_ns");
    part->max_ns = count_of(latency, "max_ns");
    json_decref(root);
    return is_ours;
}

nb_err nb__nightly_evidence(nb__nightly *n, nb_span json, nb_error *error)
{
    if (n->part_count == PARTS_MAX)
        return nb__fail(error, NB_E_LIMIT, 0, "more than %d parts of a night", PARTS_MAX);
    part_row *part = &n->parts[n->part_count];
    nb_err err = nb__evidence_report(json, &part->words, error);
    nb__text_append(&part->json, json.data, json.size_bytes);
    if (err == NB_OK && (part->json.is_failed || part->words.is_failed))
        err = nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    if (err == NB_OK && !take_latency(n, part))
        err = nb__fail(error, NB_E_NOT_FOUND, 0,
                       "the evidence is of another feed or time than the "
                       "recording, which is %s",
                       nb__feed_kind_banner(n->kind));
    if (err != NB_OK) {
        nb__text_fini(&part->json);
        nb__text_fini(&part->words);
        *part = (part_row){0};
        return err;
    }
    n->part_count++;
    return NB_OK;
}
