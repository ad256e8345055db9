/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange over libcurl, driven by io's loop: libcurl says which sockets and what time it
 * waits for (the two callbacks of a multi handle), and nothing of it ever blocks. Each exchange has
 * a multi handle of its own, with no connection shared and none kept: they are few a night, and a
 * cancel is the end of all that belongs to it.
 *
 * It ends within curl_action() (libcurl tells the result), and is told by a hook at the turn's end.
 */
#include "https/https.h"
#include "words.h"
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

#define CONNECT_TIMEOUT_NS (15 * NB__NS_PER_S)
#define HEADERS_MAX_BYTES ((size_t)64 << 10)

typedef struct curl_fd {
    nb__watch watch;
    nb__https *https;
    struct curl_fd *next;
} curl_fd;

struct nb__https {
    nb__loop *loop;
    nb__hook told; /* set when it is over */
    nb__timer timer;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    curl_fd *fds; /* all that libcurl ever named; few */
    nb__https_done *done;
    void *self;
    nb__text request, body;
    size_t header_bytes, body_max_bytes;
    int64_t timeout_ns, date_s;
    bool is_over;
    CURLcode result; /* ours stands before libcurl's, which knows only that we gave up */
    char name[300];  /* "https://HOST:PORT" */
    char reason[CURL_ERROR_SIZE];
};

/* ---- the answer, as it comes ---- */

static size_t body_write(char *data, size_t one, size_t size_bytes, void *self)
{
    nb__https *https = self;
    (void)one; /* always 1 */
    if (size_bytes > https->body_max_bytes - https->body.size_bytes) {
        https->result = CURLE_FILESIZE_EXCEEDED;
        return CURL_WRITEFUNC_ERROR;
    }
    nb__text_append(&https->body, data, size_bytes);
    if (!https->body.is_failed)
        return size_bytes;
    https->result = CURLE_OUT_OF_MEMORY;
    return CURL_WRITEFUNC_ERROR;
}

static size_t header_write(char *data, size_t one, size_t size_bytes, void *self)
{
    nb__https *https = self;
    char value[64];
    (void)one;
    https->header_bytes += size_bytes;
    if (https->header_bytes > HEADERS_MAX_BYTES) {
        https->result = CURLE_FILESIZE_EXCEEDED;
        return 0;
    }
    static const char name[] = "Date:";
    nb_span line = {data, size_bytes};
    if (size_bytes > sizeof name - 1 && strncasecmp(data, name, sizeof name - 1) == 0) {
        while (line.size_bytes > 0 &&
               (line.data[line.size_bytes - 1] == '\n' || line.data[line.size_bytes - 1] == '\r'))
            line.size_bytes--;
        line.data += sizeof name - 1;
        line.size_bytes -= sizeof name - 1;
        if (nb__span_copy(nb__span_trim(line), value, sizeof value)) {
            time_t date = curl_getdate(value, NULL);
            https->date_s = date > 0 ? date : 0;
        }
    }
    return size_bytes;
}

/* ---- libcurl and the loop ---- */

static void told(nb__hook *hook);

static void curl_action(nb__https *https, curl_socket_t fd, int what)
{
    int running, left;
    if (https->is_over)
        return;
    CURLMcode bad = curl_multi_socket_action(https->multi, fd, what, &running);
    const CURLMsg *message = curl_multi_info_read(https->multi, &left);
    if (bad == CURLM_OK && (message == NULL || message->msg != CURLMSG_DONE))
        return;
    https->is_over = true;
    if (https->result == CURLE_OK)
        https->result = bad == CURLM_OK ? message->data.result : CURLE_ABORTED_BY_CALLBACK;
    https->told.turn_end = told;
    nb__timer_cancel(https->loop, &https->timer);
    nb__hook_add(https->loop, &https->told);
}

static void curl_fd_ready(nb__watch *watch, uint32_t epoll_events)
{
    const curl_fd *ready = (const curl_fd *)(const void *)watch; /* its first member */
    int what = 0;
    if (epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        what |= CURL_CSELECT_IN;
    if (epoll_events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        what |= CURL_CSELECT_OUT;
    curl_action(ready->https, watch->fd, what);
}

static void timer_fire(nb__timer *timer, int64_t now_mono_ns)
{
    (void)now_mono_ns;
    char *at = (char *)timer - offsetof(nb__https, timer);
    curl_action((nb__https *)(void *)at, CURL_SOCKET_TIMEOUT, 0);
}

static int timer_change(CURLM *multi, long timeout_ms, void *self)
{
    nb__https *https = self;
    (void)multi;
    if (timeout_ms < 0)
        nb__timer_cancel(https->loop, &https->timer);
    else
        nb__timer_set(https->loop, &https->timer, nb__clock_mono_ns() + timeout_ms * NB__NS_PER_MS);
    return 0;
}

static curl_fd *curl_fd_of(nb__https *https, curl_socket_t fd)
{
    for (curl_fd *at = https->fds; at != NULL; at = at->next)
        if (at->watch.fd == fd)
            return at;
    return NULL;
}

/* A socket that libcurl is done with is watched no longer; its struct stays until the end. */
static void curl_fd_forget(nb__https *https, curl_fd *known)
{
    nb__watch_remove(https->loop, &known->watch);
    known->watch.fd = -1;
}

static int socket_change(CURL *easy, curl_socket_t fd, int what, void *self, void *unused)
{
    nb__https *https = self;
    (void)easy;
    (void)unused;
    curl_fd *known = curl_fd_of(https, fd);
    if (what == CURL_POLL_REMOVE) {
        if (known != NULL)
            curl_fd_forget(https, known);
        return 0;
    }
    uint32_t epoll_events =
        (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
    if (known != NULL) {
        nb__watch_change(https->loop, &known->watch, epoll_events);
        return 0;
    }
    known = curl_fd_of(https, -1);
    if (known == NULL) {
        known = calloc(1, sizeof *known);
        if (known == NULL)
            return -1;
        known->next = https->fds;
        https->fds = known;
    }
    known->watch = (nb__watch){fd, curl_fd_ready};
    known->https = https;
    if (nb__watch_add(https->loop, &known->watch, epoll_events) == NB_OK)
        return 0;
    known->watch.fd = -1;
    return -1;
}

/* ---- the end ---- */

static void https_free(nb__https *https)
{
    if (https->multi != NULL && https->easy != NULL)
        curl_multi_remove_handle(https->multi, https->easy);
    curl_easy_cleanup(https->easy);
    curl_multi_cleanup(https->multi);
    curl_slist_free_all(https->headers);
    nb__timer_cancel(https->loop, &https->timer);
    for (curl_fd *at = https->fds, *next; at != NULL; at = next) {
        next = at->next;
        if (at->watch.fd >= 0)
            curl_fd_forget(https, at);
        free(at);
    }
    nb__text_wipe(&https->request);
    nb__text_wipe(&https->body);
    free(https);
}

static void told(nb__hook *hook)
{
    nb__https *https = (nb__https *)(void *)((char *)hook - offsetof(nb__https, told));
    nb__https_answer answer = {.date_s = https->date_s};
    nb__hook_remove(https->loop, hook);
    if (https->result == CURLE_OK) {
        long status = 0;
        curl_easy_getinfo(https->easy, CURLINFO_RESPONSE_CODE, &status);
        answer.status = (int)status;
        answer.body = nb__text_view(&https->body);
    } else {
        const nb__https_end end = {https->easy, https->result, https->body_max_bytes, https->name,
                                   https->reason};
        nb__https_words(&end, &answer.error);
    }
    nb__https_done *done = https->done;
    https->done = NULL; /* a cancel inside it has nothing left to do */
    done(https->self, &answer);
    https_free(https);
}

void nb__https_cancel(nb__https *https)
{
    if (https->done == NULL)
        return;
    if (https->is_over)
        nb__hook_remove(https->loop, &https->told);
    https_free(https);
}

/* ---- the start ---- */

/* libcurl would write each connection's TLS keys to the file that SSLKEYLOGFILE names: with them,
 * whoever recorded the wire reads the appkey's secret. */
static void curl_start(void)
{
    unsetenv("SSLKEYLOGFILE");
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static nb_err request_check(const nb__https_request *request, nb_error *error)
{
    const nb__address *address = request->address;
    if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "POST") != 0)
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.20s: only GET and POST are sent",
                        request->method);
    if (address->is_ws)
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.80s: a WebSocket address; write https://",
                        address->host);
    if (!address->is_tls && !nb__host_is_loopback(address->host))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "http://%.80s: plain http is spoken with this machine only, since anyone "
                        "on the way could read it; write https://",
                        address->host);
    return NB_OK;
}

/* What every exchange is held to. Whatever libcurl would take from the environment is said here. */
static CURLcode options_set(nb__https *https, const nb__https_request *request)
{
    CURL *easy = https->easy;
    CURLcode bad = CURLE_OK;
    int64_t connect_ns =
        request->timeout_ns < CONNECT_TIMEOUT_NS ? request->timeout_ns : CONNECT_TIMEOUT_NS;
#define SET(option, value) bad = bad != CURLE_OK ? bad : curl_easy_setopt(easy, option, value)
    SET(CURLOPT_PROTOCOLS_STR, request->address->is_tls ? "https" : "http");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (request->ca_file != NULL) { /* these authorities and no others */
        SET(CURLOPT_CAINFO, request->ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_USERAGENT, "nightbook/" NB_VERSION);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    /* never wait for the resolver's thread: a cancel returns at once */
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    /* 0 would be libcurl's own, or none */
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(connect_ns / NB__NS_PER_MS) + 1);
    SET(CURLOPT_TIMEOUT_MS, (long)(request->timeout_ns / NB__NS_PER_MS) + 1);
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->body_max_bytes);
    SET(CURLOPT_WRITEFUNCTION, body_write);
    SET(CURLOPT_WRITEDATA, https);
    SET(CURLOPT_HEADERFUNCTION, header_write);
    SET(CURLOPT_HEADERDATA, https);
    SET(CURLOPT_ERRORBUFFER, https->reason);
#undef SET
    return bad;
}

static bool header_add(nb__https *https, const char *name, const char *value)
{
    char line[160];
    snprintf(line, sizeof line, "%s:%s%s", name, value[0] == '\0' ? "" : " ", value);
    struct curl_slist *longer = curl_slist_append(https->headers, line);
    if (longer != NULL)
        https->headers = longer;
    return longer != NULL;
}

/* The address, the headers and the body. libcurl reads the body out of our copy. */
static CURLcode request_set(nb__https *https, const nb__https_request *request)
{
    const nb__address *address = request->address;
    bool is_post = strcmp(request->method, "POST") == 0;
    const char *type = request->content_type == NULL ? "" : request->content_type;
    char url[sizeof https->name + sizeof address->path];
    bool is_v6 = strchr(address->host, ':') != NULL;
    snprintf(https->name, sizeof https->name, is_v6 ? "%s://[%s]:%u" : "%s://%s:%u",
             address->is_tls ? "https" : "http", address->host, address->port);
    snprintf(url, sizeof url, "%s%s", https->name, address->path);
    nb__text_append(&https->request, request->body.data, request->body.size_bytes);
    /* a header without a value is one that libcurl does not send by itself */
    if (https->request.is_failed || !header_add(https, "Expect", "") ||
        (is_post && !header_add(https, "Content-Type", type)))
        return CURLE_OUT_OF_MEMORY;
    CURLcode bad = curl_easy_setopt(https->easy, CURLOPT_URL, url);
    if (bad == CURLE_OK)
        bad = curl_easy_setopt(https->easy, CURLOPT_HTTPHEADER, https->headers);
    if (bad == CURLE_OK && is_post)
        bad = curl_easy_setopt(https->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                               (curl_off_t)https->request.size_bytes);
    if (bad == CURLE_OK && is_post)
        bad = curl_easy_setopt(https->easy, CURLOPT_POSTFIELDS,
                               https->request.data == NULL ? "" : https->request.data);
    return bad;
}

static bool multi_set(nb__https *https)
{
    CURLM *multi = https->multi;
    return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_change) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, https) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_change) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERDATA, https) == CURLM_OK &&
           curl_multi_add_handle(multi, https->easy) == CURLM_OK; /* asks for a timer of 0 ms */
}

nb_err nb__https_start(nb__loop *loop, const nb__https_request *request, nb__https_done *done,
                       void *self, nb__https **out, nb_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    nb_err err = request_check(request, error);
    if (err != NB_OK)
        return err;
    pthread_once(&once, curl_start);
    nb__https *https = calloc(1, sizeof *https);
    if (https == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "https: memory is exhausted");
    https->loop = loop;
    https->timer.fire = timer_fire;
    https->done = done;
    https->self = self;
    https->body_max_bytes = request->body_max_bytes;
    https->timeout_ns = request->timeout_ns;
    https->easy = curl_easy_init();
    https->multi = curl_multi_init();
    CURLcode bad = CURLE_OUT_OF_MEMORY;
    if (https->easy != NULL && https->multi != NULL)
        bad = options_set(https, request);
    if (bad == CURLE_OK)
        bad = request_set(https, request);
    if (bad == CURLE_OK && !multi_set(https))
        bad = CURLE_FAILED_INIT;
    if (bad != CURLE_OK) {
        https_free(https);
        return nb__fail(error, bad == CURLE_OUT_OF_MEMORY ? NB_E_MEMORY : NB_E_SYSTEM, 0,
                        "https to %.100s: %s", request->address->host, curl_easy_strerror(bad));
    }
    if (out != NULL)
        *out = https;
    return NB_OK;
}
