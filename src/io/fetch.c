/* SPDX-License-Identifier: Apache-2.0 */
/* One plain HTTP exchange on its own connection: connect, request, answer, done. */
#include "stream.h"
#include <stdlib.h>

#define ANSWER_HEAD_MAX_BYTES ((size_t)32 << 10)

struct nb__fetch {
    nb__stream stream;
    nb__http http;
    nb__text request; /* built before the connection stands, moved to its output then */
    nb__fetch_done *done;
    void *self;
    bool has_answer, is_cancelled;
};

static nb__fetch *fetch_of(nb__stream *stream)
{
    return NB__HOLDER(stream, nb__fetch, stream);
}

static void fetch_connected(nb__stream *stream)
{
    nb__fetch *fetch = fetch_of(stream);
    stream->doing = "fetch from";
    stream->output.text = fetch->request;
    fetch->request = (nb__text){0};
    nb__stream_flush_later(stream);
}

static void answer_take(nb__fetch *fetch)
{
    fetch->has_answer = true;
    nb__stream_end(&fetch->stream, NB_E_CLOSED, "answered");
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type of the callback */
static void fetch_received(nb__stream *stream, char *data, size_t size_bytes)
{
    nb__fetch *fetch = fetch_of(stream);
    const char *at = data;
    switch (nb__http_next(&fetch->http, &at, data + size_bytes)) {
    case NB__HTTP_MORE:
    case NB__HTTP_CONTINUE:
        break;
    case NB__HTTP_ERROR:
        nb__stream_end(stream, NB_E_PROTOCOL, "%s", fetch->http.error_detail);
        break;
    case NB__HTTP_MESSAGE:
        answer_take(fetch);
        break;
    }
}

static void fetch_ended(nb__stream *stream)
{
    nb__fetch *fetch = fetch_of(stream);
    if (nb__http_eof(&fetch->http))
        answer_take(fetch);
    else
        nb__stream_end(stream, NB_E_CLOSED, "it disconnected before its answer was whole");
}

static void fetch_timed_out(nb__stream *stream)
{
    nb__stream_end_late(stream);
}

static void fetch_buried(nb__stream *stream)
{
    nb__fetch *fetch = fetch_of(stream);
    if (fetch->has_answer && !fetch->is_cancelled)
        fetch->done(fetch->self, fetch->http.message.status, &fetch->http.message, NULL);
    else if (!fetch->is_cancelled)
        fetch->done(fetch->self, 0, NULL, &stream->error);
    nb__http_fini(&fetch->http);
    nb__text_fini(&fetch->request);
    nb__stream_fini(stream);
    free(fetch);
}

static const nb__stream_owner fetch_owner = {fetch_connected, fetch_received, fetch_ended,
                                             fetch_timed_out, fetch_buried};

nb_err nb__fetch_start(nb__loop *loop, const char *method, const nb__address *address,
                       const char *extra_headers, nb_span body, size_t body_max_bytes,
                       int64_t timeout_ns, nb__fetch_done *done, void *self, nb__fetch **out,
                       nb_error *error)
{
    if (address->is_tls)
        return nb__fail(error, NB_E_ARGUMENT, 0, "TLS (https://) is not spoken here");
    nb__fetch *fetch = calloc(1, sizeof *fetch);
    if (fetch == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "fetch: memory is exhausted");
    fetch->done = done;
    fetch->self = self;
    char host[NB__HOST_PORT_BYTES];
    nb__address_print(address, host);
    nb__text headers = {0};
    nb__text_string(&headers, "Connection: close\r\n");
    nb__text_string(&headers, extra_headers == NULL ? "" : extra_headers);
    if (!headers.is_failed)
        nb__http_request_append(&fetch->request, method, host, address->path, headers.data, body);
    bool is_failed = headers.is_failed || fetch->request.is_failed;
    nb__text_fini(&headers);
    if (is_failed) {
        nb__text_fini(&fetch->request);
        free(fetch);
        return nb__fail(error, NB_E_MEMORY, 0, "fetch: memory is exhausted");
    }
    nb__http_init(&fetch->http, NB__WS_CLIENT,
                  (nb__http_limits){ANSWER_HEAD_MAX_BYTES, body_max_bytes});
    if (out != NULL)
        *out = fetch;
    const nb__link_options options = {.timeout_ns = timeout_ns};
    return nb__stream_start(&fetch->stream, loop, &fetch_owner, address, &options, error);
}

void nb__fetch_cancel(nb__fetch *fetch)
{
    fetch->is_cancelled = true;
    nb__stream_end(&fetch->stream, NB_E_CLOSED, "cancelled");
}
