/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain HTTP. One table of routes; what is not in it belongs to KIS's REST servers and is told so.
 *
 * Before an answer is made, all that came so far is handed to the journal: the loop sends it before
 * the turn's end hooks run.
 *
 * Checked first: Host and Origin, then (where client keys are configured) the key, then the route.
 */
#include "inside.h"
#include <string.h>

#define JSON "application/json; charset=utf-8"
#define BULK_BYTES ((size_t)65536)          /* an answer from here on is a long one … */
#define BULK_MAX_BYTES (INT64_C(256) << 20) /* … of which so much may be given at once, */
#define BULK_MOST_BYTES (INT64_C(4) << 20)  /* of one, about */
#define BULK_PER_S (INT64_C(16) << 20)      /* and so much each second */

/* Nothing is cached, guessed by type, or framed. No CORS header: other pages may not read it. */
#define PLAIN_HEADERS "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
#define PAGE_HEADERS                                                                               \
    PLAIN_HEADERS "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "       \
                  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"                \
                  "Referrer-Policy: no-referrer\r\n"

/* A request on its way to its answer. */
typedef struct exchange {
    nb__gateway *g;
    nb__peer *peer;
    const nb__http_message *request;
    nb_span path; /* without the opt-in segment */
    bool is_authorised;
} exchange;

/* ---- answers ---- */

static void bulk_refill(nb__gateway *g)
{
    int64_t passed_ms = (gateway_mono_ns(g) - g->bulk_ns) / NB__NS_PER_MS;
    int64_t given_back = passed_ms > 60000 ? BULK_MAX_BYTES : passed_ms * (BULK_PER_S / 1000);
    g->bulk_ns += passed_ms * NB__NS_PER_MS; /* the rest of a ms counts next time */
    g->bulk_bytes = g->bulk_bytes > given_back ? g->bulk_bytes - given_back : 0;
}

static bool bulk_allow(nb__gateway *g, size_t size_bytes)
{
    if (size_bytes < BULK_BYTES)
        return true;
    bulk_refill(g);
    if (g->bulk_bytes + (int64_t)size_bytes > BULK_MAX_BYTES)
        return false;
    g->bulk_bytes += (int64_t)size_bytes;
    return true;
}

static void respond_busy(const exchange *x)
{
    nb__peer_respond(x->peer, 503, "text/plain", PLAIN_HEADERS "Retry-After: 5\r\n",
                     NB__SPAN("too many long answers at once; ask again in a few seconds\n"));
}

/* Asked before a long answer is made: making one takes ten times as long as sending it. */
static bool is_busy(const exchange *x)
{
    bulk_refill(x->g);
    if (x->g->bulk_bytes + BULK_MOST_BYTES <= BULK_MAX_BYTES)
        return false;
    respond_busy(x);
    return true;
}

static void respond_bytes(const exchange *x, int status, const char *content_type,
                          const char *headers, nb_span body)
{
    if (!bulk_allow(x->g, body.size_bytes))
        respond_busy(x);
    else
        nb__peer_respond(x->peer, status, content_type, headers, body);
}

static void respond(const exchange *x, int status, const char *content_type, const char *headers)
{
    nb__gateway *g = x->g;
    if (g->text.is_failed)
        nb__peer_respond(x->peer, 500, "text/plain", PLAIN_HEADERS,
                         NB__SPAN("memory is exhausted\n"));
    else
        respond_bytes(x, status, content_type, headers, nb__text_view(&g->text));
    nb__text_clear(&g->text);
}

/* KIS's three words, for whatever is not a success. */
static void refuse(const exchange *x, int status, const char *code, const char *words,
                   const char *headers)
{
    nb__text *out = &x->g->text;
    nb__text_clear(out);
    nb__text_printf(out, "{\"rt_cd\":\"1\",\"msg_cd\":\"%s\",\"msg1\":", code);
    nb__text_json(out, nb__span(words));
    nb__text_string(out, "}\n");
    respond(x, status, JSON, headers);
}

/* ---- routes ---- */

/* io leaves the body out of an answer to HEAD. */
static bool method_fits(nb_span method, const char *wanted)
{
    return nb__span_is(method, wanted) ||
           (strcmp(wanted, "GET") == 0 && nb__span_is(method, "HEAD"));
}

static void get_page(const exchange *x)
{
    page_print(x->g, &x->g->text);
    respond(x, 200, "text/html; charset=utf-8", PAGE_HEADERS);
}

/* A feed that rests is as it should be. */
static void get_health(const exchange *x)
{
    const char *state = feeds_state(x->g);
    bool is_up = strcmp(state, "up") == 0, is_resting = strcmp(state, "resting") == 0;
    nb__text *out = &x->g->text;
    if (is_up)
        nb__text_printf(out, "ok %s\n", nb__feed_kind_banner(gateway_feed_kind(x->g)));
    else
        nb__text_printf(out, "feed %s: %s\n", state, nb__plant_reason(x->g->plant));
    respond(x, is_up || is_resting ? 200 : 503, "text/plain; charset=utf-8", PLAIN_HEADERS);
}

static void get_metrics(const exchange *x)
{
    metrics_print(x->g, &x->g->text);
    respond(x, 200, "text/plain; version=0.0.4; charset=utf-8", PLAIN_HEADERS);
}

static void get_status(const exchange *x)
{
    status_print(x->g, &x->g->text);
    respond(x, 200, JSON, PLAIN_HEADERS);
}

static void get_slots(const exchange *x)
{
    if (is_busy(x))
        return;
    slots_print(x->g, &x->g->text);
    respond(x, 200, JSON, PLAIN_HEADERS);
}

/* What `nightbook report` reads, as it is so far. */
static void get_evidence(const exchange *x)
{
    const nb__evidence *evidence = nb__plant_evidence(x->g->plant);
    if (evidence == NULL) {
        refuse(x, 404, "NB_NO_EVIDENCE", "no evidence is kept of this feed", PLAIN_HEADERS);
        return;
    }
    nb__evidence_print_json(evidence, &x->g->text);
    respond(x, 200, JSON, PLAIN_HEADERS);
}

/* JSON, and said to be: what a form or an image of a foreign page can send is neither. */
static void post_replay(const exchange *x)
{
    static const char json[] = "application/json";
    char words[REPLAY_WORDS_BYTES];
    nb_span type = nb__http_header_find(x->request, "Content-Type");
    const char *end =
        type.size_bytes == 0 ? NULL : (const char *)memchr(type.data, ';', type.size_bytes);
    if (end != NULL)
        type.size_bytes = (size_t)(end - type.data);
    if (!nb__span_is_nocase(nb__span_trim(type), json)) {
        refuse(x, 415, "NB_JSON", "send one JSON object, with Content-Type: application/json",
               PLAIN_HEADERS);
        return;
    }
    if (!replay_command(x->g, x->request->body, words)) {
        refuse(x, 400, "NB_REPLAY", words, PLAIN_HEADERS);
        return;
    }
    nb__text_clear(&x->g->text); /* a mark was made in it */
    (void)replay_print(x->g, &x->g->text);
    nb__text_string(&x->g->text, "\n");
    respond(x, 200, JSON, PLAIN_HEADERS);
}

static void answer_replay(const exchange *x)
{
    if (!replay_print(x->g, &x->g->text)) {
        refuse(x, 404, "NB_NO_REPLAY", "the feed is no replay: `nightbook replay` is one",
               PLAIN_HEADERS);
        return;
    }
    if (nb__span_is(x->request->method, "POST")) {
        nb__text_clear(&x->g->text);
        post_replay(x);
    } else if (method_fits(x->request->method, "GET")) {
        nb__text_string(&x->g->text, "\n");
        respond(x, 200, JSON, PLAIN_HEADERS);
    } else {
        refuse(x, 405, "NB_METHOD", "only GET and POST are answered here",
               PLAIN_HEADERS "Allow: GET, HEAD, POST\r\n");
    }
}

static uint64_t query_after(nb_span query)
{
    static const char name[] = "after=";
    uint64_t after = 0;
    if (query.size_bytes > sizeof name - 1 && memcmp(query.data, name, sizeof name - 1) == 0 &&
        nb__span_to_u64(
            (nb_span){query.data + sizeof name - 1, query.size_bytes - (sizeof name - 1)}, &after))
        return after;
    return 0;
}

/* /v1/books, /v1/books/TR, /v1/books/TR/KEY */
static void get_books(const exchange *x)
{
    size_t skip = sizeof "/v1/books" - 1;
    nb_span tr_id = {x->path.data + skip, x->path.size_bytes - skip};
    if (tr_id.size_bytes > 0) {
        tr_id.data++;
        tr_id.size_bytes--;
    }
    const char *slash = tr_id.size_bytes > 0 ? memchr(tr_id.data, '/', tr_id.size_bytes) : NULL;
    if (slash == NULL && is_busy(x))
        return;
    if (slash == NULL) {
        books_print_all(x->g, tr_id, query_after(x->request->query), &x->g->text);
        respond(x, 200, JSON, PLAIN_HEADERS);
        return;
    }
    nb_span tr_key = {slash + 1, tr_id.size_bytes - (size_t)(slash - tr_id.data) - 1};
    tr_id.size_bytes = (size_t)(slash - tr_id.data);
    if (books_print_one(x->g, tr_id, tr_key, &x->g->text))
        respond(x, 200, JSON, PLAIN_HEADERS);
    else
        refuse(x, 404, "NB_NO_BOOK", "no book of this TR and key has come yet", PLAIN_HEADERS);
}

/* /common/master/NAME.zip, as KIS's download server has them: so a nightbook behind this one finds
 * its codes, too. */
static void get_master(const exchange *x)
{
    size_t skip = sizeof "/common/master/" - 1;
    nb_span name = {0}, zip = {0};
    if (x->path.size_bytes > skip)
        name = (nb_span){x->path.data + skip, x->path.size_bytes - skip};
    if (name.size_bytes > 0)
        zip = nb__plant_master_zip(x->g->plant, name);
    if (zip.size_bytes > 0)
        respond_bytes(x, 200, "application/zip", PLAIN_HEADERS, zip);
    else
        refuse(x, 404, "NB_NO_MASTER", "the feed has given no such master file", PLAIN_HEADERS);
}

static void refuse_egw(const exchange *x, int status, const char *code, const char *words)
{
    nb__text_printf(&x->g->text, "{\"error_code\":\"%s\",\"error_description\":\"%s\"}\n", code,
                    words);
    respond(x, status, JSON, PLAIN_HEADERS);
}

/* KIS's checks of an appkey: here anything, or one of our client keys. @return false: refused. */
static bool check_appkey(const exchange *x, bool needs_secretkey)
{
    nb__approval_request body;
    bool is_json = nb__approval_request_parse(x->request->body, &body);
    bool has_secret = body.secretkey[0] != '\0' || !needs_secretkey;
    bool is_known = x->is_authorised || access_has_key(&x->g->access, nb__span(body.appkey));
    bool is_grant = strcmp(body.grant_type, "client_credentials") == 0,
         has_appkey = body.appkey[0] != '\0';
    explicit_bzero(&body, sizeof body);
    if (is_json && is_grant && has_appkey && has_secret && is_known)
        return true;
    if (!is_json)
        refuse_egw(x, 400, "EGW00101", "bad request: the body is not a JSON object");
    else if (!is_grant)
        refuse_egw(x, 403, "EGW00116", "grant_type must be client_credentials");
    else if (!has_appkey)
        refuse_egw(x, 403, "EGW00102", "appkey is missing");
    else if (!has_secret)
        refuse_egw(x, 403, "EGW00104", "secretkey is missing");
    else
        refuse_egw(x, 403, "EGW00103",
                   "invalid appkey: this server takes its own client keys only");
    x->g->counters.refused_key += is_json && !is_known;
    return false;
}

static void post_approval(const exchange *x)
{
    if (!check_appkey(x, true))
        return;
    uint8_t random[16];
    char key[ACCESS_APPROVAL_BYTES];
    nb__random_bytes(random, sizeof random);
    access_approval_issue(&x->g->access, random, gateway_mono_ns(x->g), key);
    nb__text_printf(&x->g->text, "{\"approval_key\":\"%s\"}",
                    key); /* and nothing else: a namedtuple is made of it */
    respond(x, 200, JSON, PLAIN_HEADERS);
    explicit_bzero(random, sizeof random);
    explicit_bzero(key, sizeof key);
}

static void refuse_foreign(const exchange *x)
{
    refuse(x, 404, "NB_NOT_HERE",
           "nightbook serves KIS's WebSocket only; REST stays at KIS: "
           "https://openapi.koreainvestment.com:9443",
           PLAIN_HEADERS);
}

/* Samples fetch a token before they connect. It expired long ago, so that none caches it and takes
 * it to KIS. */
static void post_token(const exchange *x)
{
    if (gateway_feed_kind(x->g) == NB__FEED_LIVE) {
        refuse_foreign(x);
        return;
    }
    if (!check_appkey(x, false))
        return;
    nb__text_string(
        &x->g->text,
        "{\"access_token\":\"nightbook-not-a-token\",\"token_type\":\"Bearer\",\"expires_in\":0,"
        "\"access_token_token_expired\":\"2000-01-01 00:00:00\"}");
    respond(x, 200, JSON, PLAIN_HEADERS);
}

static void tell_upgrade(const exchange *x)
{
    char words[320];
    nb__text *out = &x->g->text;
    nb__text_printf(out,
                    "this address speaks WebSocket, as KIS's does: connect to "
                    "ws://127.0.0.1:%u%.*s and send the "
                    "subscribe JSON there",
                    nb__gateway_port(x->g),
                    (int)(x->path.size_bytes < 64 ? x->path.size_bytes : 64), x->path.data);
    (void)nb__span_copy(nb__text_view(out), words, sizeof words);
    refuse(x, 426, "NB_UPGRADE", words,
           PLAIN_HEADERS "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
}

/* ---- the table ---- */

typedef struct route {
    const char *path;
    bool is_prefix; /* also everything below it */
    bool needs_no_key;
    const char *method; /* NULL: any */
    void (*answer)(const exchange *x);
} route;

static const route routes[] = {
    {"/", false, false, "GET", get_page},
    {"/healthz", false, true, "GET", get_health},
    {"/metrics", false, false, "GET", get_metrics},
    {"/v1/status", false, false, "GET", get_status},
    {"/v1/slots", false, false, "GET", get_slots},
    {"/v1/evidence", false, false, "GET", get_evidence},
    {"/v1/replay", false, false, NULL, answer_replay},
    {"/v1/books", true, false, "GET", get_books},
    {"/common/master", true, true, "GET", get_master}, /* KIS gives them to anyone, too */
    {"/oauth2/Approval", false, true, "POST", post_approval},
    {"/oauth2/tokenP", false, true, "POST", post_token},
    {"/tryitout", true, true, NULL, tell_upgrade},
};

static const route *route_find(nb_span path)
{
    for (size_t i = 0; i < NB__COUNT_OF(routes); i++) {
        size_t size = strlen(routes[i].path);
        if (path.size_bytes < size || memcmp(path.data, routes[i].path, size) != 0)
            continue;
        if (path.size_bytes == size || (routes[i].is_prefix && path.data[size] == '/'))
            return &routes[i];
    }
    return NULL;
}

static void answer_route(const exchange *x)
{
    const route *found = route_find(x->path);
    if (!x->is_authorised && (found == NULL || !found->needs_no_key)) {
        x->g->counters.refused_key++;
        refuse(x, 401, "NB_NO_KEY",
               "this server needs a client key: Authorization: Bearer KEY, or /+key=KEY/ in the "
               "address",
               PLAIN_HEADERS "WWW-Authenticate: Bearer\r\n");
    } else if (found == NULL) {
        refuse_foreign(x);
    } else if (found->method != NULL && !method_fits(x->request->method, found->method)) {
        bool is_get = strcmp(found->method, "GET") == 0;
        refuse(x, 405, "NB_METHOD",
               is_get ? "only GET is answered here" : "only POST is answered here",
               is_get ? PLAIN_HEADERS "Allow: GET, HEAD\r\n" : PLAIN_HEADERS "Allow: POST\r\n");
    } else {
        found->answer(x);
    }
}

void rest_request(nb__gateway *g, nb__peer *peer, const nb__http_message *request)
{
    const char *sentence = "";
    char words[160];
    access_options options;
    exchange x = {.g = g, .peer = peer, .request = request, .path = request->path};
    nb__plant_sync(g->plant);
    nb__text_clear(&g->text);
    int status = access_check(&g->access, request, &sentence);
    if (status != 0) {
        *(status == 421 ? &g->counters.refused_host : &g->counters.refused_origin) += 1;
        refuse(&x, status, status == 421 ? "NB_HOST" : "NB_ORIGIN", sentence, PLAIN_HEADERS);
        return;
    }
    if (!access_options_parse(request->path, &options, words)) {
        refuse(&x, 400, "NB_ADDRESS", words, PLAIN_HEADERS);
        return;
    }
    x.path = options.path;
    x.is_authorised = g->access.key_count == 0 || access_bearer(&g->access, request) ||
                      (options.has_key && access_has_key(&g->access, options.key));
    answer_route(&x);
}
