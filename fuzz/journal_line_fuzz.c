/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: journal */
/* Any bytes as a line, and as a payload: what is printed is parsed again as it was. */
#include "journal/journal.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void round_trip(int64_t recv_ns, uint32_t link, nb__journal_kind kind, nb_span payload)
{
    nb__text text = {0};
    nb__journal_line line;
    nb__journal_line_print(&text, recv_ns, link, kind, payload);
    require(!text.is_failed && text.data[text.size_bytes - 1] == '\n');
    nb_span whole = {text.data, text.size_bytes - 1};
    require(memchr(whole.data, '\n', whole.size_bytes) == NULL);
    require(nb__utf8_valid_prefix(whole) == whole.size_bytes);
    require(nb__journal_line_parse(whole, &line, NULL) == NB_OK);
    require(line.recv_ns == recv_ns && line.link == link && line.kind == kind);
    char *raw = malloc(line.payload.size_bytes + 1);
    size_t size = nb__journal_unescape(line.payload, raw);
    require(nb__span_equal((nb_span){raw, size}, payload));
    free(raw);
    nb__text_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    nb_span text = {(const char *)data, size_bytes};
    round_trip((int64_t)size_bytes, 7, NB__JOURNAL_FRAME, text);
    nb__journal_line line;
    nb_error error = {0};
    if (nb__journal_line_parse(text, &line, &error) != NB_OK) {
        require(error.code == NB_E_JOURNAL && error.offset_bytes <= size_bytes);
        return 0;
    }
    require(line.recv_ns >= 0 && line.kind <= NB__JOURNAL_UNKNOWN);
    require(line.payload.data + line.payload.size_bytes == text.data + size_bytes);
    require(line.is_escaped == (memchr(line.payload.data, '\\', line.payload.size_bytes) != NULL));
    char *raw = malloc(line.payload.size_bytes + 1);
    size_t size = nb__journal_unescape(line.payload, raw);
    require(line.is_escaped ? size < line.payload.size_bytes : size == line.payload.size_bytes);
    if (line.kind != NB__JOURNAL_UNKNOWN)
        round_trip(line.recv_ns, line.link, line.kind, (nb_span){raw, size});
    free(raw);
    return 0;
}
