/* SPDX-License-Identifier: Apache-2.0 */
/** The lines of an HTTP head, one at a time, and what they say about the body. Private to ws. */
#ifndef NB_WS_HTTP_HEAD_H
#define NB_WS_HTTP_HEAD_H

#include "ws/ws.h"

typedef enum nb__http_framing_kind {
    NB__HTTP_BODY_NONE,
    NB__HTTP_BODY_LENGTH,
    NB__HTTP_BODY_CHUNKED,
    NB__HTTP_BODY_TO_EOF
} nb__http_framing_kind;

typedef struct nb__http_framing {
    nb__http_framing_kind kind;
    uint64_t length_bytes;
    bool is_continue_expected;
} nb__http_framing;

/* Each gives 0, or the status to refuse with and why. Lines come without their CR LF and hold no
 * control character but the tab. */
int nb__http_request_line(nb__http_message *message, nb_span line, const char **detail);
int nb__http_status_line(nb__http_message *message, nb_span line, const char **detail);
int nb__http_header_line(nb__http_message *message, nb_span line, const char **detail);
int nb__http_head_finish(nb__http_message *message, nb__ws_role role, nb__http_framing *framing,
                         const char **detail);

/** The next element of a comma-separated list, blanks trimmed, empty ones skipped. @return false at
 * the end. */
bool nb__http_list_next(nb_span *rest, nb_span *element);

#endif
