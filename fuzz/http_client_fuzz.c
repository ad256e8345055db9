/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: ws base */
/* HTTP, client role: the same bytes whole, in pieces of the fuzzer's choice, and byte by byte give
 * the same events. */
#include "../tests/ws/transcript.h"
#include "pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const nb__http_limits limits = {.head_max_bytes = 512, .body_max_bytes = 128};
    nb_span input;
    pieces cut = pieces_take(data, size_bytes, &input);
    nb__text whole = {0}, cut_up = {0}, bytewise = {0};
    transcript_http(&whole, NB__WS_CLIENT, limits, input, (pieces){0}, true);
    transcript_http(&cut_up, NB__WS_CLIENT, limits, input, cut, true);
    transcript_http(&bytewise, NB__WS_CLIENT, limits, input, one_byte_pieces, true);
    expect_equal(&whole, &cut_up);
    expect_equal(&whole, &bytewise);
    nb__text_fini(&whole);
    nb__text_fini(&cut_up);
    nb__text_fini(&bytewise);
    return 0;
}
