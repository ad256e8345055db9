/* SPDX-License-Identifier: Apache-2.0 */
/* nightbook journal info: one reading of a recording, counted. */
#include "journal_info.h"
#include "stdout.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_LINES 65536
#define DAMAGES_TOLD 20

/* Keys that were seen: open addressing, no more than half full. */
typedef struct key_set {
    struct key {
        uint32_t tr_index; /* + 1; 0: free */
        char text[NB_TR_KEY_MAX];
    } * slots;
    size_t count, slot_count;
} key_set;

typedef struct reading {
    nb__info *info;
    key_set keys;
    size_t tr_index; /* of the last frame */
    size_t last_link;
    bool is_failed, has_progress;
} reading;

/* ---- keys ---- */

static size_t slot_of(const key_set *set, const struct key *key)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325) ^ key->tr_index;
    for (size_t i = 0; i < sizeof key->text; i++)
        hash = (hash ^ (unsigned char)key->text[i]) * UINT64_C(0x100000001B3);
    size_t slot = (size_t)(hash ^ hash >> 32) & (set->slot_count - 1);
    while (set->slots[slot].tr_index != 0 && memcmp(&set->slots[slot], key, sizeof *key) != 0)
        slot = (slot + 1) & (set->slot_count - 1);
    return slot;
}

static bool grow_keys(key_set *set)
{
    key_set grown = {.slot_count = set->slot_count == 0 ? 4096 : set->slot_count * 2};
    grown.slots = calloc(grown.slot_count, sizeof *grown.slots);
    if (grown.slots == NULL)
        return false;
    for (size_t i = 0; i < set->slot_count; i++)
        if (set->slots[i].tr_index != 0)
            grown.slots[slot_of(&grown, &set->slots[i])] = set->slots[i];
    grown.count = set->count;
    free(set->slots);
    *set = grown;
    return true;
}

/* @return whether it is new. */
static bool add_key(reading *r, nb_span text)
{
    struct key key = {.tr_index = (uint32_t)r->tr_index + 1};
    memcpy(key.text, text.data,
           text.size_bytes < sizeof key.text ? text.size_bytes : sizeof key.text);
    if (r->keys.count * 2 >= r->keys.slot_count && !grow_keys(&r->keys)) {
        r->is_failed = true;
        return false;
    }
    size_t slot = slot_of(&r->keys, &key);
    if (r->keys.slots[slot].tr_index != 0)
        return false;
    r->keys.slots[slot] = key;
    r->keys.count++;
    return true;
}

/* ---- frames ---- */

static nb__info_tr *find_tr(reading *r, nb_span id)
{
    nb__info *info = r->info;
    if (r->tr_index < info->tr_count && nb__span_is(id, info->trs[r->tr_index].id))
        return &info->trs[r->tr_index];
    for (size_t i = 0; i < info->tr_count; i++)
        if (nb__span_is(id, info->trs[i].id)) {
            r->tr_index = i;
            return &info->trs[i];
        }
    if (info->tr_count == NB__INFO_TRS_MAX) {
        info->left_out++;
        return NULL;
    }
    r->tr_index = info->tr_count++;
    nb__span_copy(id, info->trs[r->tr_index].id, sizeof info->trs[0].id);
    return &info->trs[r->tr_index];
}

static void add_frame(reading *r, nb_span message)
{
    nb_frame frame;
    nb_records records;
    nb_span record;
    r->info->frame_bytes += message.size_bytes;
    nb__info_tr *tr =
        nb_frame_split(message, &frame, NULL) == NB_OK ? find_tr(r, frame.tr_id) : NULL;
    if (tr == NULL)
        return;
    tr->frames++;
    if (nb_records_begin(&frame, &records, NULL) != NB_OK) {
        tr->unread++;
        return;
    }
    while (nb_records_next(&records, &record)) {
        tr->records++;
        tr->keys += add_key(r, nb_record_key(record));
    }
}

/* ---- marks ---- */

static void add_start(nb__info *info, const nb__entry *entry)
{
    nb__journal_start start;
    if (nb__journal_start_parse(entry->message, &start, NULL) != NB_OK)
        return;
    for (size_t i = 0; i < info->run_count; i++)
        if (strcmp(info->runs[i].start.run, start.run) == 0)
            return;
    if (info->run_count == NB__INFO_RUNS_MAX)
        info->left_out++;
    else
        info->runs[info->run_count++] = (nb__info_run){start, entry->line.recv_ns};
}

/* The link of that number of the run that is on. */
static nb__info_link *find_link(reading *r, uint32_t number)
{
    nb__info *info = r->info;
    size_t run_index = info->run_count == 0 ? 0 : info->run_count - 1;
    nb__info_link *last = &info->links[r->last_link];
    if (r->last_link < info->link_count && last->link == number && last->run_index == run_index)
        return last;
    for (size_t i = info->link_count; i-- > 0;)
        if (info->links[i].link == number && info->links[i].run_index == run_index) {
            r->last_link = i;
            return &info->links[i];
        }
    return NULL;
}

static void add_connect(reading *r, const nb__entry *entry)
{
    nb__info *info = r->info;
    nb__info_link link = {.link = entry->line.link,
                          .up_ns = entry->session_ns,
                          .down_ns = NB_TIME_UNDEF,
                          .run_index = info->run_count == 0 ? 0 : info->run_count - 1};
    if (nb__journal_connect_parse(entry->message, entry->line.recv_ns, &link.connect, NULL) !=
        NB_OK)
        return;
    const nb__info_link *known = find_link(r, entry->line.link);
    if (link.connect.is_continued && known != NULL && known->down_ns == NB_TIME_UNDEF)
        return;
    if (info->link_count == NB__INFO_LINKS_MAX)
        info->left_out++;
    else
        info->links[r->last_link = info->link_count++] = link;
}

static void add_gap(reading *r, const nb__entry *entry)
{
    nb__info_link *link = find_link(r, entry->line.link);
    if (link == NULL || link->down_ns != NB_TIME_UNDEF ||
        nb__journal_gap_parse(entry->message, &link->gap, NULL) != NB_OK)
        return;
    link->down_ns = entry->session_ns;
}

static void add_answer(nb__info *info, const nb__entry *entry)
{
    nb__journal_answer answer;
    if (nb__journal_answer_parse(entry->message, &answer, NULL) != NB_OK)
        return;
    for (size_t i = 0; i < info->answer_count; i++) {
        nb__info_answer *known = &info->answers[i];
        if (strcmp(known->answer.tr_id, answer.tr_id) == 0 &&
            strcmp(known->answer.msg_cd, answer.msg_cd) == 0 &&
            strcmp(known->answer.msg1, answer.msg1) == 0) {
            known->count++;
            return;
        }
    }
    if (info->answer_count == NB__INFO_ANSWERS_MAX)
        info->left_out++;
    else
        info->answers[info->answer_count++] = (nb__info_answer){answer, 1};
}

static void add_event(nb__info *info, const nb__entry *entry)
{
    if (info->event_count == NB__INFO_EVENTS_MAX) {
        info->left_out++;
        return;
    }
    nb__info_event *event = &info->events[info->event_count++];
    *event = (nb__info_event){
        .session_ns = entry->session_ns, .recv_ns = entry->line.recv_ns, .kind = entry->line.kind};
    size_t size = entry->message.size_bytes < sizeof event->text - 1 ? entry->message.size_bytes
                                                                     : sizeof event->text - 1;
    memcpy(event->text, entry->message.data, size);
    event->text[nb__utf8_valid_prefix((nb_span){event->text, size})] = '\0';
}

static void add_entry(reading *r, const nb__entry *entry)
{
    nb__info *info = r->info;
    nb__info_link *link;
    info->kinds[entry->line.kind]++;
    switch (entry->line.kind) {
    case NB__JOURNAL_FRAME:
        add_frame(r, entry->message);
        link = find_link(r, entry->line.link);
        if (link != NULL)
            link->frames++;
        break;
    case NB__JOURNAL_START:
        add_start(info, entry);
        break;
    case NB__JOURNAL_CONNECT:
        add_connect(r, entry);
        break;
    case NB__JOURNAL_GAP:
        add_gap(r, entry);
        break;
    case NB__JOURNAL_ANSWER:
        add_answer(info, entry);
        break;
    case NB__JOURNAL_DRIFT:
    case NB__JOURNAL_CLOCK:
    case NB__JOURNAL_DISK:
    case NB__JOURNAL_REPAIR:
        add_event(info, entry);
        break;
    default:
        break;
    }
}

/* ---- the reading ---- */

static void show_progress(reading *r, uint64_t lines)
{
    if (lines % PROGRESS_LINES != 0 || r->info->totals.lines == 0 || !isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r\033[K%3.0f %%", 100.0 * (double)lines / (double)r->info->totals.lines);
    fflush(stderr);
    r->has_progress = true;
}

static void read_all(reading *r, nb__recording *recording)
{
    nb__entry entry;
    nb_error damage;
    nb__recording_step step;
    uint64_t lines = 0;
    while (!r->is_failed &&
           (step = nb__recording_next(recording, &entry, &damage)) != NB__RECORDING_END) {
        show_progress(r, ++lines);
        if (step == NB__RECORDING_LINE) {
            add_entry(r, &entry);
            continue;
        }
        if (r->has_progress)
            fputs("\r\033[K", stderr);
        if (r->info->damages++ < DAMAGES_TOLD)
            fprintf(stderr, "nightbook: journal info: %s [%s]\n", damage.detail,
                    nb_error_name(damage.code));
    }
    if (r->has_progress)
        fputs("\r\033[K", stderr);
}

static nb_err collect(nb__info *info, nb_error *error)
{
    nb__recording *recording;
    reading r = {.info = info};
    nb_err err = nb__recording_open(info->path, &recording, error);
    if (err != NB_OK)
        return err;
    info->night = nb__recording_night(recording);
    info->feed = nb__recording_feed_kind(recording);
    nb__recording_total(recording, &info->totals);
    read_all(&r, recording);
    info->reads = nb__recording_count(recording);
    nb__recording_close(recording);
    free(r.keys.slots);
    return r.is_failed ? nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted") : NB_OK;
}

int nb__command_journal_info(const nb__journal_command *command)
{
    nb_error error;
    nb__text out = {0};
    nb__info *info = calloc(1, sizeof *info);
    if (info == NULL) {
        nb__fail(&error, NB_E_MEMORY, 0, "memory is exhausted");
        return nb__journal_failed(command, &error);
    }
    info->path = command->path;
    nb_err err = collect(info, &error);
    if (err == NB_OK) {
        if (command->is_json)
            nb__info_print_json(info, &out);
        else
            nb__info_print(info, &out);
        err = nb__stdout_write(&out, &error);
    }
    int exit_code = err != NB_OK        ? nb__journal_failed(command, &error)
                    : info->damages > 0 ? NB_CLASS_DATA
                                        : 0;
    nb__text_fini(&out);
    free(info);
    return exit_code;
}
