/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: ws base */
/*
 * The handshake. The input is read as a request: if it is accepted, the answer we print must
 * satisfy a client with that key. Then it is read as an answer to a request of ours: it is taken,
 * or refused with words.
 */
#include "ws/ws.h"
#include <stdlib.h>
#include <string.h>

static const nb__http_limits limits = {.head_max_bytes = 4096, .body_max_bytes = 4096};

static bool read_first(nb__http *http, nb__ws_role role, const char *at, size_t size_bytes)
{
    nb__http_init(http, role, limits);
    const char *end = at + size_bytes;
    nb__http_event event;
    do
        event = nb__http_next(http, &at, end);
    while (event == NB__HTTP_CONTINUE);
    return event == NB__HTTP_MESSAGE;
}

/* What our own answer says in Sec-WebSocket-Accept is 28 characters, and our client takes it. */
static void answer_check(const nb__http_message *request)
{
    nb__text answer = {0};
    nb__http http;
    char accept[29];
    nb__ws_upgrade_append(&answer, request, "X: y\r\n");
    if (answer.is_failed || !read_first(&http, NB__WS_CLIENT, answer.data, answer.size_bytes))
        abort();
    nb_span value = nb__http_header_find(&http.message, "Sec-WebSocket-Accept");
    if (!nb__span_copy(value, accept, sizeof accept) || strlen(accept) != 28 ||
        nb__ws_connect_check(&http.message, accept, NULL) != NB_OK)
        abort();
    nb__http_fini(&http);
    nb__text_fini(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    nb__http http;
    const char *detail = NULL;
    if (read_first(&http, NB__WS_SERVER, (const char *)data, size_bytes)) {
        int status = nb__ws_upgrade_check(&http.message, &detail);
        if (detail == NULL || (status != 101 && status != 400 && status != 405 && status != 426))
            abort();
        if (status == 101)
            answer_check(&http.message);
    }
    nb__http_fini(&http);
    nb_error error = {0};
    if (read_first(&http, NB__WS_CLIENT, (const char *)data, size_bytes) &&
        nb__ws_connect_check(&http.message, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", &error) != NB_OK &&
        error.detail[0] == '\0')
        abort();
    nb__http_fini(&http);
    return 0;
}
