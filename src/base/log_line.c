/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an event looks, and what never shows in it.
 *
 *     nightbook: warning: feed: sentence                                       words
 *       hint
 *     time=2026-11-20T18:00:00.123+09:00 level=warning room=feed msg="…" hint="…"
 *     {"time":"…","level":"warning","room":"feed","msg":"…","hint":"…"}
 *
 * Sentences quote peers: whatever they hold, it stays within its quotes, on its line, and (in
 * words) behind its indent.
 */
#include "log.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_MIN 4 /* bytes; shorter ones would tear holes into ordinary words */
#define HIDDEN "***"

/* ---- secrets ---- */

void log_secrets_add(log_secrets *secrets, const char *secret)
{
    size_t size = secret == NULL ? 0 : strlen(secret);
    if (size < SECRET_MIN)
        return;
    for (size_t i = 0; i < secrets->count; i++)
        if (strcmp(secrets->items[i], secret) == 0)
            return;
    char *copy = strdup(secret);
    if (copy == NULL)
        return;
    size_t at = secrets->count;
    if (at == LOG_SECRETS_MAX) {
        at = LOG_SECRETS_KEPT + secrets->next++ % (LOG_SECRETS_MAX - LOG_SECRETS_KEPT);
        explicit_bzero(secrets->items[at], strlen(secrets->items[at]));
        free(secrets->items[at]);
    } else {
        secrets->count++;
    }
    secrets->items[at] = copy;
    if (size > secrets->longest_bytes)
        secrets->longest_bytes = size;
}

void log_secrets_wipe(log_secrets *secrets)
{
    for (size_t i = 0; i < secrets->count; i++) {
        explicit_bzero(secrets->items[i], strlen(secrets->items[i]));
        free(secrets->items[i]);
    }
    *secrets = (log_secrets){0};
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Whether `text` begins with the two hex digits of `c`. */
static bool is_hex_of(const char *text, unsigned char c)
{
    int high = hex_value(text[0]), low = high < 0 ? -1 : hex_value(text[1]);
    return low >= 0 && high * 16 + low == c;
}

/* Bytes at `text` that stand for `c`: itself, `\c`, `\u00XX`, `%XX`, escaped any number of times;
 * 0: none do. */
static size_t match_byte(const char *text, char c)
{
    size_t slashes = strspn(text, "\\");
    const char *at = text + slashes;
    if (*at == c)
        return slashes + 1;
    if (slashes > 0 && strncmp(at, "u00", 3) == 0 && is_hex_of(at + 3, (unsigned char)c))
        return slashes + 5;
    if (c == '\\' && slashes > 0)
        return slashes;
    return *at == '%' && is_hex_of(at + 1, (unsigned char)c) ? slashes + 3 : 0;
}

/* Bytes at `text` that are the secret; 0: they are not. */
static size_t match(const char *text, const char *secret)
{
    const char *at = text;
    for (; *secret != '\0'; secret++) {
        size_t size = match_byte(at, *secret);
        if (size == 0)
            return 0;
        at += size;
    }
    return (size_t)(at - text);
}

static size_t match_any(const log_secrets *secrets, const char *text)
{
    size_t longest = 0;
    for (size_t i = 0; i < secrets->count; i++) {
        size_t size = match(text, secrets->items[i]);
        longest = size > longest ? size : longest;
    }
    return longest;
}

size_t log_secrets_hide(const log_secrets *secrets, char *text)
{
    size_t hidden = 0;
    char *to = text;
    for (const char *at = text; *at != '\0';) {
        size_t size = secrets->count == 0 ? 0 : match_any(secrets, at);
        if (size == 0) {
            *to++ = *at++;
            continue;
        }
        memcpy(to, HIDDEN, sizeof HIDDEN - 1);
        to += sizeof HIDDEN - 1;
        at += size;
        hidden++;
    }
    *to = '\0';
    return hidden;
}

/* ---- lines ---- */

static const struct {
    const char *name, *prefix;
    int priority; /* syslog's, which the journal reads */
} levels[] = {
    {"debug", "debug: ", 7}, {"info", "", 6}, {"warning", "warning: ", 4}, {"error", "error: ", 3}};

/* A value in quotes. A secret that shows only now takes the whole value with it: what is left of
 * half an escape could end the quotes. */
static void print_value(nb__text *out, const char *value, const log_secrets *secrets)
{
    nb__text quoted = {0};
    nb__text_json(&quoted, nb__span(value));
    bool is_good = !quoted.is_failed && log_secrets_hide(secrets, quoted.data) == 0;
    nb__text_string(out, is_good ? quoted.data : "\"" HIDDEN "\"");
    if (quoted.data != NULL)
        explicit_bzero(quoted.data, quoted.capacity_bytes);
    nb__text_fini(&quoted);
}

/* The hint, cut off at the first line end; further ones become blanks. */
static char *split_hint(char *sentence)
{
    char *hint = strchr(sentence, '\n');
    if (hint == NULL)
        return NULL;
    *hint++ = '\0';
    while (*hint == ' ')
        hint++;
    for (char *at = hint; (at = strchr(at, '\n')) != NULL;)
        *at = ' ';
    nb__make_printable(hint, strlen(hint));
    return *hint == '\0' ? NULL : hint;
}

static void print_priority(nb__text *out, const log_event *event)
{
    if (event->is_journal)
        nb__text_printf(out, "<%d>", levels[event->level].priority);
}

/* Later lines are indented, so that no peer's words can look like a line of ours. */
static void print_words(nb__text *out, const log_event *event, const log_secrets *secrets)
{
    print_priority(out, event);
    nb__text_printf(out, "nightbook: %s%s: ", levels[event->level].prefix, event->room);
    char *at = event->sentence;
    for (bool is_first = true;; is_first = false) {
        size_t size = strcspn(at, "\n");
        bool is_last = at[size] == '\0';
        at[size] = '\0';
        nb__make_printable(at, size);
        nb__text_string(out, log_secrets_hide(secrets, at) == 0 ? at : HIDDEN);
        if (is_first && event->repeated > 0)
            nb__text_printf(out, " (repeated=%" PRIu64 ")", event->repeated);
        nb__text_string(out, "\n");
        if (is_last)
            return;
        at += size + 1;
        print_priority(out, event);
        nb__text_string(out, at[0] == ' ' ? "" : "  ");
    }
}

static void print_keyvalue(nb__text *out, const log_event *event, const log_secrets *secrets,
                           const char *time, const char *hint)
{
    if (!event->is_journal)
        nb__text_printf(out, "time=%s ", time);
    nb__text_printf(out, "level=%s room=%s msg=", levels[event->level].name, event->room);
    print_value(out, event->sentence, secrets);
    if (hint != NULL) {
        nb__text_string(out, " hint=");
        print_value(out, hint, secrets);
    }
    if (event->repeated > 0)
        nb__text_printf(out, " repeated=%" PRIu64, event->repeated);
    nb__text_string(out, "\n");
}

static void print_json(nb__text *out, const log_event *event, const log_secrets *secrets,
                       const char *time, const char *hint)
{
    nb__text_string(out, "{");
    if (!event->is_journal)
        nb__text_printf(out, "\"time\":\"%s\",", time);
    nb__text_printf(out, "\"level\":\"%s\",\"room\":\"%s\",\"msg\":", levels[event->level].name,
                    event->room);
    print_value(out, event->sentence, secrets);
    if (hint != NULL) {
        nb__text_string(out, ",\"hint\":");
        print_value(out, hint, secrets);
    }
    if (event->repeated > 0)
        nb__text_printf(out, ",\"repeated\":%" PRIu64, event->repeated);
    nb__text_string(out, "}\n");
}

void log_line_print(nb__log_form form, const log_event *event, const log_secrets *secrets,
                    nb__text *out)
{
    (void)log_secrets_hide(secrets, event->sentence);
    if (form == NB__LOG_WORDS) {
        print_words(out, event, secrets);
        return;
    }
    char time[40];
    nb__kst_print(time, event->real_ns, 3);
    const char *hint = split_hint(event->sentence);
    nb__make_printable(event->sentence, strlen(event->sentence));
    print_priority(out, event);
    (form == NB__LOG_JSON ? print_json : print_keyvalue)(out, event, secrets, time, hint);
}
