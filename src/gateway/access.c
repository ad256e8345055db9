/* SPDX-License-Identifier: Apache-2.0 */
/* Host, Origin, keys, and the opt-in segment of the address. */
#include "access.h"
#include <stdlib.h>
#include <string.h>

#define KIS_HOST                                                                                   \
    "ops.koreainvestment.com" /* clients that are unedited, led here by the hosts file */
#define APPROVAL_LIFE_NS NB__NS_PER_DAY

static bool equal_in_constant_time(const void *a, const void *b, size_t size_bytes)
{
    const volatile uint8_t *x = a, *y = b;
    uint8_t difference = 0;
    for (size_t i = 0; i < size_bytes; i++)
        difference |= (uint8_t)(x[i] ^ y[i]);
    return difference == 0;
}

/* ---- set-up ---- */

static bool key_is_usable(nb_span key)
{
    for (size_t i = 0; i < key.size_bytes; i++) {
        char c = key.data[i];
        bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!is_plain && strchr("-._~", c) == NULL)
            return false;
    }
    return key.size_bytes > 0 && key.size_bytes <= ACCESS_KEY_MAX;
}

static bool copy_names(const char *const from[16], char to[16][256], size_t *count)
{
    for (size_t i = 0; i < 16; i++) {
        if (from[i] == NULL)
            continue;
        if (from[i][0] == '\0' || !nb__span_copy(nb__span(from[i]), to[*count], sizeof to[0]))
            return false;
        (*count)++;
    }
    return true;
}

nb_err access_init(access *a, const nb__gateway_config *config, nb_error *error)
{
    *a = (access){0};
    const char *host = config->server.listen.host;
    (void)nb__span_copy(nb__span(host), a->listen_host, sizeof a->listen_host);
    a->is_wildcard = nb__span_is(nb__span(host), "0.0.0.0") || nb__span_is(nb__span(host), "::");
    if (!copy_names(config->allowed_hosts, a->hosts, &a->host_count) ||
        !copy_names(config->allowed_origins, a->origins, &a->origin_count))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "an allowed host or origin is empty or longer than 255 characters");
    for (size_t i = 0; i < NB__CLIENT_KEYS_MAX; i++) {
        nb_span key = nb__span(config->client_keys[i]);
        if (key.data == NULL)
            continue;
        if (!key_is_usable(key))
            return nb__fail(
                error, NB_E_ARGUMENT, 0,
                "client key %zu must be 1-63 of A-Z a-z 0-9 - . _ ~, to stand in an address",
                i + 1);
        memcpy(a->keys[a->key_count++], key.data, key.size_bytes);
    }
    if (a->key_count == 0 && !nb__host_is_loopback(host))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "listening on %.60s, beyond this machine, needs client keys; "
                        "configure one, or listen on 127.0.0.1",
                        host);
    if (a->key_count == 0)
        return NB_OK;
    a->approvals = calloc(ACCESS_APPROVAL_MAX, sizeof *a->approvals);
    return a->approvals != NULL ? NB_OK : nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
}

nb_err nb__gateway_config_check(const nb__gateway_config *config, nb_error *error)
{
    access a;
    nb_err err = access_init(&a, config, error);
    access_fini(&a);
    return err;
}

void access_fini(access *a)
{
    free(a->approvals);
    explicit_bzero(a, sizeof *a);
}

/* ---- Host and Origin ---- */

static nb_span host_without_port(nb_span value)
{
    size_t end = value.size_bytes;
    if (end > 0 && value.data[0] == '[') {
        const char *bracket = memchr(value.data, ']', end);
        if (bracket == NULL)
            return (nb_span){0};
        nb_span port = {bracket + 1, end - (size_t)(bracket + 1 - value.data)};
        uint64_t number;
        if (port.size_bytes > 0 &&
            (port.data[0] != ':' ||
             !nb__span_to_u64((nb_span){port.data + 1, port.size_bytes - 1}, &number)))
            return (nb_span){0};
        return (nb_span){value.data + 1, (size_t)(bracket - value.data) - 1};
    }
    const char *colon = end > 0 ? memchr(value.data, ':', end) : NULL;
    if (colon == NULL)
        return value;
    size_t size = (size_t)(colon - value.data);
    uint64_t number;
    if (!nb__span_to_u64((nb_span){colon + 1, end - size - 1}, &number))
        return (nb_span){0};
    return (nb_span){value.data, size};
}

/* Digits and dots, or hexadecimal and colons: no name that somebody else's DNS could answer. */
static bool is_ip_literal(nb_span host)
{
    bool is_v6 = host.size_bytes > 0 && memchr(host.data, ':', host.size_bytes) != NULL;
    for (size_t i = 0; i < host.size_bytes; i++) {
        char c = host.data[i];
        bool is_digit = c >= '0' && c <= '9';
        bool is_hex = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (!is_digit && c != '.' && !(is_v6 && (is_hex || c == ':')))
            return false;
    }
    return host.size_bytes > 0;
}

static bool host_is_ours(const access *a, nb_span value)
{
    static const char *const always[] = {"localhost", "127.0.0.1", "::1", KIS_HOST};
    nb_span host = host_without_port(value);
    if (host.size_bytes == 0)
        return false;
    for (size_t i = 0; i < NB__COUNT_OF(always); i++)
        if (nb__span_is_nocase(host, always[i]))
            return true;
    for (size_t i = 0; i < a->host_count; i++)
        if (nb__span_is_nocase(host, a->hosts[i]) || nb__span_is_nocase(value, a->hosts[i]))
            return true;
    return nb__span_is_nocase(host, a->listen_host) || (a->is_wildcard && is_ip_literal(host));
}

static bool origin_is_ours(const access *a, nb_span origin, nb_span host)
{
    nb_span scheme = {origin.data, 7};
    if (origin.size_bytes > 7 && nb__span_is_nocase(scheme, "http://")) {
        char name[300];
        nb_span rest = {origin.data + 7, origin.size_bytes - 7};
        if (nb__span_copy(host, name, sizeof name) && nb__span_is_nocase(rest, name))
            return true;
    }
    for (size_t i = 0; i < a->origin_count; i++)
        if (nb__span_is_nocase(origin, a->origins[i]))
            return true;
    return false;
}

int access_check(const access *a, const nb__http_message *request, const char **detail)
{
    nb_span host = nb__http_header_find(request, "Host");
    if (nb__http_header_count(request, "Host") != 1 || !host_is_ours(a, host)) {
        *detail = "the Host header names another server than this one; allow the name in the "
                  "configuration";
        return 421;
    }
    size_t origins = nb__http_header_count(request, "Origin");
    if (origins > 1 ||
        (origins == 1 && !origin_is_ours(a, nb__http_header_find(request, "Origin"), host))) {
        *detail =
            "a page from elsewhere may not use this server; allow its Origin in the configuration";
        return 403;
    }
    return 0;
}

/* ---- the opt-in segment ---- */

static bool option_take(nb_span word, access_options *out)
{
    static const char prefix[] = "key=";
    if (word.size_bytes > sizeof prefix - 1 && memcmp(word.data, prefix, sizeof prefix - 1) == 0) {
        out->has_key = true;
        out->key = (nb_span){word.data + sizeof prefix - 1, word.size_bytes - (sizeof prefix - 1)};
        return true;
    }
    const struct {
        const char *word;
        bool *flag;
    } known[] = {{"last", &out->last},
                 {"marks", &out->marks},
                 {"conflate", &out->conflate},
                 {"tidy", &out->tidy},
                 {"gaps", &out->gaps}};
    for (size_t i = 0; i < NB__COUNT_OF(known); i++) {
        if (nb__span_is(word, known[i].word)) {
            *known[i].flag = true;
            return true;
        }
    }
    return false;
}

bool access_options_parse(nb_span path, access_options *out, char detail[160])
{
    *out = (access_options){.path = path.size_bytes > 0 ? path : NB__SPAN("/")};
    if (path.size_bytes < 2 || path.data[0] != '/' || path.data[1] != '+')
        return true;
    const char *at = path.data + 1, *end = path.data + path.size_bytes;
    const char *slash = memchr(at, '/', (size_t)(end - at));
    out->path = slash == NULL ? NB__SPAN("/") : (nb_span){slash, (size_t)(end - slash)};
    if (slash != NULL)
        end = slash;
    while (at < end) {
        const char *plus = memchr(at + 1, '+', (size_t)(end - at - 1));
        const char *stop = plus == NULL ? end : plus;
        nb_span word = {at + 1, (size_t)(stop - at - 1)};
        if (!option_take(word, out)) {
            nb__text text = {0};
            bool is_secret = word.size_bytes >= 3 && memcmp(word.data, "key", 3) == 0;
            nb__text_string(&text, "unknown word ");
            nb__text_json(&text,
                          is_secret
                              ? NB__SPAN("key")
                              : (nb_span){word.data, word.size_bytes < 24 ? word.size_bytes : 24});
            nb__text_string(
                &text, " in the address; known are last, marks, conflate, tidy, gaps and key=KEY, "
                       "as in /+last+marks/");
            nb_span view = nb__text_view(&text);
            (void)nb__span_copy((nb_span){view.data, view.size_bytes < 159 ? view.size_bytes : 159},
                                detail, 160);
            nb__text_fini(&text);
            return false;
        }
        at = stop;
    }
    return true;
}

/* A slip of the finger (another case, another segment) does not make a key less secret. */
void access_mask(nb_span target, char *out, size_t capacity_bytes)
{
    static const char word[] = "key=", stars[] = "***";
    size_t to = 0, size = sizeof word - 1;
    bool in_key = false;
    for (size_t i = 0; i < target.size_bytes && to + sizeof stars < capacity_bytes; i++) {
        char c = target.data[i];
        if (c == '/' || c == '+' || c == '&' || c == '?')
            in_key = false;
        if (in_key)
            continue;
        out[to++] = c > ' ' && c < 127 ? c : '?';
        in_key =
            i + 1 >= size && nb__span_is_nocase((nb_span){target.data + i + 1 - size, size}, word);
        if (in_key) {
            memcpy(out + to, stars, sizeof stars - 1);
            to += sizeof stars - 1;
        }
    }
    out[to] = '\0';
}

/* ---- keys ---- */

bool access_has_key(const access *a, nb_span key)
{
    char padded[ACCESS_KEY_MAX + 1] = {0};
    bool fits = key.size_bytes > 0 && key.size_bytes <= ACCESS_KEY_MAX;
    if (fits)
        memcpy(padded, key.data, key.size_bytes);
    bool is_known = false;
    for (size_t i = 0; i < a->key_count; i++)
        is_known |= equal_in_constant_time(padded, a->keys[i], sizeof padded);
    explicit_bzero(padded, sizeof padded);
    return fits && is_known;
}

bool access_bearer(const access *a, const nb__http_message *request)
{
    nb_span value = nb__http_header_find(request, "Authorization");
    if (value.size_bytes < 8 || !nb__span_is_nocase((nb_span){value.data, 7}, "Bearer "))
        return false;
    return access_has_key(a, nb__span_trim((nb_span){value.data + 7, value.size_bytes - 7}));
}

/* An approval key is 16 bytes in hexadecimal, hyphens as KIS's: its place, 14 secret bytes. */

void access_approval_issue(access *a, const uint8_t random[16], int64_t now_ns,
                           char out[ACCESS_APPROVAL_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[16];
    memcpy(bytes, random, sizeof bytes);
    if (a->approvals != NULL) {
        uint32_t place = a->approval_next++ % ACCESS_APPROVAL_MAX;
        bytes[0] = (uint8_t)(place >> 8);
        bytes[1] = (uint8_t)place;
        a->approvals[place].issued_ns = now_ns;
        memcpy(a->approvals[place].secret, bytes + 2, sizeof a->approvals[place].secret);
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool access_approval_known(const access *a, const char *approval_key, int64_t now_ns)
{
    uint8_t bytes[16] = {0};
    size_t digits = 0;
    if (a->approvals == NULL || strlen(approval_key) != ACCESS_APPROVAL_BYTES - 1)
        return false;
    for (size_t i = 0; i < ACCESS_APPROVAL_BYTES - 1; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (approval_key[i] != '-')
                return false;
            continue;
        }
        int value = hex_value(approval_key[i]);
        if (value < 0)
            return false;
        bytes[digits / 2] = (uint8_t)(bytes[digits / 2] << 4 | value);
        digits++;
    }
    size_t place = (size_t)(bytes[0] << 8 | bytes[1]);
    if (place >= ACCESS_APPROVAL_MAX)
        return false;
    const access_approval *approval = &a->approvals[place];
    return approval->issued_ns != 0 && now_ns - approval->issued_ns < APPROVAL_LIFE_NS &&
           equal_in_constant_time(bytes + 2, approval->secret, sizeof approval->secret);
}
