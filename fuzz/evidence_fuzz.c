/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: evidence night kis base */
/*
 * Any bytes as a report file. What is read gives printable words; what is refused leaves the output
 * as it was. The same bytes as frames and answers give JSON that the report can read.
 */
#include "evidence/evidence.h"
#include <stdlib.h>
#include <string.h>

#define TOPICS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void require_printable(const nb__text *text)
{
    require(nb__utf8_valid_prefix(nb__text_view(text)) == text->size_bytes);
    for (size_t i = 0; i < text->size_bytes; i++)
        require((unsigned char)text->data[i] >= 0x20 || text->data[i] == '\n');
}

static void try_report(nb_span json, bool must_be_ours)
{
    nb__text out = {0};
    nb_error error;
    nb_err err = nb__evidence_report(json, &out, &error);
    require(err == NB_OK || (err == NB_E_JSON && !must_be_ours && out.size_bytes == 0));
    require_printable(&out);
    nb__text_fini(&out);
}

static void show_frame(nb__evidence *evidence, nb__topics *topics, nb_span text, int64_t recv_ns)
{
    nb_frame head;
    nb_records walk;
    nb__evidence_record record = {.recv_ns = recv_ns, .session_ns = recv_ns};
    nb__topic name;
    nb_quote quote;
    if (nb_frame_split(text, &head, NULL) != NB_OK)
        return;
    if (nb_records_begin(&head, &walk, NULL) != NB_OK) {
        nb__evidence_frame_end(evidence, &head, 0, 0, recv_ns);
        return;
    }
    while (nb_records_next(&walk, &record.record)) {
        bool has_key = nb__topic_make(head.tr_id, nb_record_key(record.record), &name);
        record.topic = has_key ? nb__topics_intern(topics, &name) : NB__TOPIC_NONE;
        record.quote = NULL;
        if (head.tr != NULL && head.tr->is_book &&
            nb_quote_decode(head.tr, record.record, &quote, NULL) == NB_OK)
            record.quote = &quote;
        nb__evidence_frame(evidence, &head, &record);
    }
    nb__evidence_frame_end(evidence, &head, (uint32_t)head.record_count, walk.stride, recv_ns);
}

/* Lines are frames or answers, some milliseconds apart. */
static void try_night(nb_span text)
{
    nb__topics *topics = nb__topics_new(TOPICS);
    nb__evidence *evidence = nb__evidence_new(topics, TOPICS, nb_calendar_builtin());
    nb__text json = {0};
    nb__answer answer;
    int64_t recv_ns = nb__kst_ns(20261120, 175000);
    require(topics != NULL && evidence != NULL);
    nb__evidence_begin(evidence, 20261123);
    while (text.size_bytes > 0) {
        const char *end = memchr(text.data, '\n', text.size_bytes);
        nb_span line = {text.data, end == NULL ? text.size_bytes : (size_t)(end - text.data)};
        size_t taken = line.size_bytes + (end != NULL);
        recv_ns += (int64_t)(line.size_bytes * line.size_bytes) * NB__NS_PER_MS;
        if (nb__server_message_parse(line, &answer) == NB__SERVER_ANSWER)
            nb__evidence_answer(evidence, (uint32_t)(taken % 20), &answer, recv_ns);
        else
            show_frame(evidence, topics, line, recv_ns);
        text = (nb_span){text.data + taken, text.size_bytes - taken};
    }
    nb__evidence_print_json(evidence, &json);
    try_report(nb__text_view(&json), true);
    nb__text_fini(&json);
    nb__evidence_free(evidence);
    nb__topics_free(topics);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    nb_span text = {(const char *)data, size_bytes};
    try_report(text, false);
    try_night(text);
    return 0;
}
