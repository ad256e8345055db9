/* SPDX-License-Identifier: Apache-2.0 */
/**
 * ws, L1: RFC 6455 and HTTP/1.1 as byte machines, both roles. Bytes in, events out; bytes out are
 * printed into the caller's memory. No sockets, no time: time-outs are the caller's.
 */
#ifndef NB_WS_H
#define NB_WS_H

#include "base/base.h"

/* ==== WebSocket ==== */

typedef enum nb__ws_role {
    NB__WS_SERVER, /**< strict: masks, UTF-8, reserved bits, minimal lengths, close codes */
    NB__WS_CLIENT /**< lenient where KIS is not strict: text that is not UTF-8 is delivered and told
                   */
} nb__ws_role;

typedef enum nb__ws_opcode {
    NB__WS_CONTINUATION = 0,
    NB__WS_TEXT = 1,
    NB__WS_BINARY = 2,
    NB__WS_CLOSE = 8,
    NB__WS_PING = 9,
    NB__WS_PONG = 10
} nb__ws_opcode;

typedef enum nb__ws_event_kind {
    NB__WS_EVENT_MORE,    /**< all bytes are taken, nothing is complete */
    NB__WS_EVENT_MESSAGE, /**< a whole text or binary message: opcode, payload, is_utf8 */
    NB__WS_EVENT_PING,    /**< answer with a PONG of the same payload */
    NB__WS_EVENT_PONG,
    NB__WS_EVENT_CLOSE, /**< the peer's Close: close_code (1005 when it had none), payload = reason.
                           Echo it */
    NB__WS_EVENT_ERROR /**< the peer broke the protocol: send Close with close_code, then disconnect
                        */
} nb__ws_event_kind;

typedef struct nb__ws_event {
    nb__ws_event_kind kind;
    nb__ws_opcode opcode;
    nb_span payload; /**< unmasked; into the input or the machine; valid until the next call */
    bool is_utf8;    /**< text and Close reason; in the server role always true */
    uint16_t close_code;
    const char *detail; /**< ERROR: a static sentence */
} nb__ws_event;

/** UTF-8 read in pieces; `{0}` is the state between two characters. */
typedef struct nb__ws_utf8 {
    uint8_t left_count; /**< continuation bytes still missing */
    uint8_t low, high;  /**< what the next one may be */
} nb__ws_utf8;

/**
 * One direction's reader. Caller's memory, small: an unfinished message is held in heap memory only
 * while it is unfinished, so that an idle connection costs nothing. (The client role keeps up to 64
 * KiB for the next one: links are few, and then a busy feed allocates nothing.) All fields are
 * private.
 */
typedef struct nb__ws {
    size_t message_max_bytes;
    nb__text message; /**< of the unfinished message, or of the one last delivered */
    nb__text control; /**< likewise of a control frame */
    uint64_t frame_size_bytes, frame_left_bytes;
    uint8_t head[14], head_size_bytes; /**< of a frame head that is not yet whole */
    uint8_t mask[4];
    uint8_t role, opcode, message_opcode;
    nb__ws_utf8 utf8;
    bool is_final, in_frame, in_message, is_utf8, is_over;
} nb__ws;

/** @param message_max_bytes  A longer message is an error with close code 1009, told by the frame
 * head already. */
void nb__ws_init(nb__ws *ws, nb__ws_role role, size_t message_max_bytes);
void nb__ws_fini(nb__ws *ws);
/**
 * The next event out of `[*at, end)`; advances `*at`. Unmasks in place, so the bytes are the
 * caller's to spare. A message that lies whole in the input in one frame is delivered without a
 * copy. Call until MORE: that call also gives back the memory of what was delivered before it.
 * After CLOSE or ERROR every further call takes all bytes and gives MORE.
 */
void nb__ws_next(nb__ws *ws, char **at, char *end, nb__ws_event *event);

/** Whether no byte of a next message or control frame is in. */
bool nb__ws_is_between(const nb__ws *ws);

/** Whether a Close frame may carry it: 1000–1003, 1007–1014, 3000–4999. */
bool nb__ws_close_code_is_valid(uint16_t code);

#define NB__WS_HEAD_MAX 14
/** Print a frame head for a payload of `size_bytes`. @param mask  NULL in the server role. @return
 * 2–14. */
size_t nb__ws_head_print(uint8_t out[NB__WS_HEAD_MAX], nb__ws_opcode opcode, uint64_t size_bytes,
                         const uint8_t mask[4]);
/** Append a whole frame (FIN set); masks a copy of the payload when `mask` is given. */
void nb__ws_frame_append(nb__text *out, nb__ws_opcode opcode, nb_span payload,
                         const uint8_t mask[4]);
/**
 * Append a Close frame. A code that no frame may carry (1005 among them) gives an empty body; the
 * reason is cut to 123 bytes at a character's end, and bytes that are not UTF-8 become '?'.
 */
void nb__ws_close_append(nb__text *out, uint16_t code, nb_span reason, const uint8_t mask[4]);

/* ==== HTTP/1.1 ==== */

#define NB__HTTP_HEADERS_MAX 64

typedef struct nb__http_header {
    nb_span name, value; /**< value without surrounding blanks */
} nb__http_header;

typedef struct nb__http_message {
    nb_span method, target; /**< requests */
    nb_span path, query; /**< of target: before and after '?', not percent-decoded; absolute-form is
                            reduced */
    int status;          /**< responses */
    int version_minor;   /**< 0 or 1 */
    nb__http_header headers[NB__HTTP_HEADERS_MAX];
    size_t header_count;
    nb_span body;
    bool keep_alive;
    bool is_upgrade; /**< `Connection: upgrade` and `Upgrade: websocket` (h2c and others are
                        ignored) */
} nb__http_message;

typedef struct nb__http_limits {
    size_t head_max_bytes; /**< request line and headers together; beyond: 431 (414 for the line) */
    size_t body_max_bytes; /**< beyond: 413 */
} nb__http_limits;

typedef enum nb__http_event {
    NB__HTTP_MORE,     /**< all bytes are taken */
    NB__HTTP_CONTINUE, /**< the client waits for `100 Continue`: send it, then go on */
    NB__HTTP_MESSAGE,  /**< `http->message` is whole; after an upgrade the bytes from *at on are the
                          WebSocket's */
    NB__HTTP_ERROR /**< answer with `http->error_status` and close; `http->error_detail` says why */
} nb__http_event;

/** A reader of requests (server) or responses (client). Heap memory only while a message is
 * unfinished or read. */
typedef struct nb__http {
    nb__http_message message; /**< spans into `head` and `body`; valid until the next call */
    int error_status;         /**< 502 for every error in the client role */
    const char *error_detail;
    /* from here on private */
    nb__ws_role role;
    nb__http_limits limits;
    nb__text head, body;
    int state;
    bool is_blank_skipped;
    size_t line_at_bytes, head_size_bytes;
    uint64_t body_left_bytes;
} nb__http;

void nb__http_init(nb__http *http, nb__ws_role role, nb__http_limits limits);
void nb__http_fini(nb__http *http);
/**
 * The next event out of `[*at, end)`; advances `*at`. After MESSAGE the next call begins the next
 * message; call until MORE, which also gives back the memory. After ERROR, and after a message
 * without keep_alive, every further call takes all bytes and gives MORE. Interim answers (1xx but
 * 101) are skipped in the client role.
 */
nb__http_event nb__http_next(nb__http *http, const char **at, const char *end);
/** Client role: the server closed; a response without a length ends here. @return whether it is now
 * whole. */
bool nb__http_eof(nb__http *http);

/** @return the value of the first header of that name (ASCII case ignored); empty with data NULL
 * when absent. */
nb_span nb__http_header_find(const nb__http_message *message, const char *name);
size_t nb__http_header_count(const nb__http_message *message, const char *name);
/** Whether a comma-separated header holds `token`, ASCII case ignored. */
bool nb__http_header_has(const nb__http_message *message, const char *name, const char *token);
/** The standard reason phrase, "Unknown" for others. */
const char *nb__http_reason(int status);
/** "Fri, 20 Nov 2026 09:00:00 GMT" (RFC 9110's IMF-fixdate); "" before 1970. */
#define NB__HTTP_DATE_SIZE 80
void nb__http_date_print(char out[NB__HTTP_DATE_SIZE], int64_t utc_ns);
/**
 * Append a response: status line, Date (unless NB_TIME_UNDEF), Content-Type (unless NULL or ""),
 * Content-Length, Connection, `extra_headers` ("Name: v\r\n…" or ""), body. 204 and 304 have
 * neither length nor body.
 */
void nb__http_response_append(nb__text *out, int status, int64_t utc_ns, const char *content_type,
                              const char *extra_headers, nb_span body, bool keep_alive);
/** Append a client's request; a body, or the method POST, gives Content-Length. */
void nb__http_request_append(nb__text *out, const char *method, const char *host,
                             const char *target, const char *extra_headers, nb_span body);

/* ==== the upgrade ==== */

/**
 * Check a WebSocket upgrade request. @return 101, or the status to answer (400, 405, 426), with a
 * static sentence. Extensions and sub-protocols offered are declined by silence.
 */
int nb__ws_upgrade_check(const nb__http_message *request, const char **detail);
/** Append `101 Switching Protocols` for a checked request. */
void nb__ws_upgrade_append(nb__text *out, const nb__http_message *request,
                           const char *extra_headers);
/** Append a client's upgrade request. @param nonce 16 random bytes, from which `accept` (29 bytes)
 * is computed. @param extra_headers  Whole lines; NULL: none. */
void nb__ws_connect_append(nb__text *out, const char *host, const char *target,
                           const uint8_t nonce[16], const char *extra_headers, char accept[29]);
/** Check the server's answer. @retval NB_E_PROTOCOL  status and what is wrong in detail. */
nb_err nb__ws_connect_check(const nb__http_message *response, const char accept[29],
                            nb_error *error);

#endif
