/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: export store journal book kis night io base */
/*
 * The first line is what a user typed: a digit that chooses the format, then --codes, --tr, --from,
 * --until with '|' between. Each further line is a frame of a recording; one that begins with '!'
 * is a gap. Whatever is typed and recorded: OUT is whole or not there, and a dbn is as long as its
 * records say.
 */
#include "export/export.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BEGIN_NS INT64_C(1795165200000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static char folder[64], segment[128], out_path[96];

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void clean(void)
{
    remove(segment);
    remove(out_path);
    char night[96];
    snprintf(night, sizeof night, "%s/20261123", folder);
    rmdir(night);
    rmdir(folder);
}

static void prepare(void)
{
    if (folder[0] != '\0')
        return;
    char night[96];
    snprintf(folder, sizeof folder, "/tmp/nb-export-fuzz-XXXXXX");
    require(mkdtemp(folder) != NULL);
    snprintf(night, sizeof night, "%s/20261123", folder);
    require(mkdir(night, 0700) == 0);
    snprintf(segment, sizeof segment, "%s/20261123-000001.log", night);
    snprintf(out_path, sizeof out_path, "%s/out", folder);
    atexit(clean);
}

static nb_span take(nb_span *rest, char until)
{
    const char *end = rest->size_bytes > 0 ? memchr(rest->data, until, rest->size_bytes) : NULL;
    nb_span piece = {rest->data, end != NULL ? (size_t)(end - rest->data) : rest->size_bytes};
    size_t taken = piece.size_bytes + (end != NULL);
    *rest = (nb_span){rest->data + taken, rest->size_bytes - taken};
    return piece;
}

static void record(nb_span frames)
{
    nb__text text = {0};
    nb__journal_start start = {.format = NB__JOURNAL_FORMAT,
                               .version = "0.1.0",
                               .host = "fuzz",
                               .feed = NB__FEED_LIVE,
                               .night = 20261123,
                               .segment = "20261123-000001",
                               .run = "00000000000000ab"};
    nb__text payload = {0};
    nb__journal_start_print(&start, &payload);
    nb__journal_line_print(&text, BEGIN_NS, 0, NB__JOURNAL_START, nb__text_view(&payload));
    for (int64_t i = 1; frames.size_bytes > 0; i++) {
        nb_span frame = take(&frames, '\n');
        bool is_gap = frame.size_bytes > 0 && frame.data[0] == '!';
        if (is_gap)
            frame = NB__SPAN("{\"reason\":\"cut\",\"is_rest\":false}");
        nb__journal_line_print(&text, BEGIN_NS + i * NB__NS_PER_S, 1,
                               is_gap ? NB__JOURNAL_GAP : NB__JOURNAL_FRAME, frame);
    }
    FILE *file = fopen(segment, "wb");
    require(file != NULL && !text.is_failed);
    require(fwrite(text.data, 1, text.size_bytes, file) == text.size_bytes && fclose(file) == 0);
    nb__text_fini(&text);
    nb__text_fini(&payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const nb__export_format *const formats[] = {&nb__export_csv, &nb__export_jsonl,
                                                       &nb__export_dbn, &nb__export_npz};
    nb_span rest = {(const char *)data, size_bytes}, typed = take(&rest, '\n');
    nb__export_counters counters;
    nb_error error;
    struct stat about;
    prepare();
    record(rest);
    nb_span digit = take(&typed, '|');
    nb__export_how how = {.path = folder,
                          .format = formats[digit.size_bytes > 0 ? (uint8_t)digit.data[0] % 4 : 0],
                          .out = out_path,
                          .calendar = nb_calendar_builtin()};
    how.codes = take(&typed, '|');
    how.trs = take(&typed, '|');
    how.from = take(&typed, '|');
    how.until = typed;
    nb_err err = nb__export(&how, &counters, &error);
    bool is_there = stat(out_path, &about) == 0;
    require(is_there == (err == NB_OK));
    if (err == NB_OK) {
        require(counters.records > 0 && (uint64_t)about.st_size == counters.bytes);
        if (how.format == &nb__export_dbn)
            require(counters.bytes > counters.records * 368 && counters.bytes % 8 == 0);
        require(remove(out_path) == 0);
    }
    return 0;
}
