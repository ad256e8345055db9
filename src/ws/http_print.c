/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 out: responses and a client's requests. Header values are the caller's and trusted. */
#include "ws/ws.h"
#include <stdio.h>
#include <string.h>

const char *nb__http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < NB__COUNT_OF(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

void nb__http_date_print(char out[NB__HTTP_DATE_SIZE], int64_t utc_ns)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    out[0] = '\0';
    if (utc_ns < 0)
        return;
    /* the calendar is Korea's: nine hours earlier it reads as UTC's */
    nb__civil at = nb__kst_civil(utc_ns - NB__KST_OFFSET_NS);
    snprintf(out, NB__HTTP_DATE_SIZE, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[at.weekday],
             at.date % 100, months[at.date / 100 % 100 - 1], at.date / 10000, at.hhmmss / 10000,
             at.hhmmss / 100 % 100, at.hhmmss % 100);
}

void nb__http_response_append(nb__text *out, int status, int64_t utc_ns, const char *content_type,
                              const char *extra_headers, nb_span body, bool keep_alive)
{
    char date[NB__HTTP_DATE_SIZE];
    bool has_body = status >= 200 && status != 204 && status != 304;
    nb__text_printf(out, "HTTP/1.1 %d %s\r\n", status, nb__http_reason(status));
    nb__http_date_print(date, utc_ns);
    if (date[0] != '\0')
        nb__text_printf(out, "Date: %s\r\n", date);
    if (has_body && content_type != NULL && content_type[0] != '\0')
        nb__text_printf(out, "Content-Type: %s\r\n", content_type);
    if (has_body)
        nb__text_printf(out, "Content-Length: %zu\r\n", body.size_bytes);
    nb__text_string(out, keep_alive ? "Connection: keep-alive\r\n" : "Connection: close\r\n");
    if (extra_headers != NULL)
        nb__text_string(out, extra_headers);
    nb__text_string(out, "\r\n");
    if (has_body)
        nb__text_append(out, body.data, body.size_bytes);
}

void nb__http_request_append(nb__text *out, const char *method, const char *host,
                             const char *target, const char *extra_headers, nb_span body)
{
    nb__text_printf(out, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, host);
    if (body.size_bytes > 0 || strcmp(method, "POST") == 0)
        nb__text_printf(out, "Content-Length: %zu\r\n", body.size_bytes);
    if (extra_headers != NULL)
        nb__text_string(out, extra_headers);
    nb__text_string(out, "\r\n");
    nb__text_append(out, body.data, body.size_bytes);
}
