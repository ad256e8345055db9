/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: nightly evidence journal book night kis base */
/*
 * Any bytes as the lines of a recording. Three reports come out: JSON that its parser reads, words
 * that no terminal obeys, a page in which every '<' is our own. Each line is shown again in any
 * session: its receive time, none, or the ends of what fits.
 */
#include "nightly/nightly.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void require_printable(const nb__text *text)
{
    require(!text->is_failed);
    require(nb__utf8_valid_prefix(nb__text_view(text)) == text->size_bytes);
    for (size_t i = 0; i < text->size_bytes; i++)
        require((unsigned char)text->data[i] >= 0x20 || text->data[i] == '\n');
}

/* Ours are `<name`, `</name`, `<!doctype`; none of these begins a script or fetches. */
static void require_tame(const nb__text *html)
{
    static const char *const ours[] = {
        "!doctype", "html",   "head",  "meta", "title", "style", "/",   "body", "main",
        "h1",       "h2",     "p",     "span", "div",   "b>",    "svg", "path", "rect",
        "text",     "figure", "table", "tr",   "th",    "td",    "pre"};
    const char *at = html->data;
    while ((at = memchr(at, '<', (size_t)(html->data + html->size_bytes - at))) != NULL) {
        bool is_ours = false;
        at++;
        for (size_t i = 0; i < NB__COUNT_OF(ours); i++)
            is_ours |= strncmp(at, ours[i], strlen(ours[i])) == 0;
        require(is_ours);
    }
    require(strstr(html->data, "<script") == NULL);
}

static int64_t session_of(const nb__journal_line *line)
{
    static const int64_t odd[] = {NB_TIME_UNDEF, INT64_MAX, 0, -1};
    return line->link % 8 == 7 ? odd[line->link / 8 % 4] : line->recv_ns;
}

static void feed(nb__nightly *nightly, nb_span text)
{
    while (text.size_bytes > 0) {
        const char *end = memchr(text.data, '\n', text.size_bytes);
        nb_span bytes = {text.data, end == NULL ? text.size_bytes : (size_t)(end - text.data)};
        size_t taken = bytes.size_bytes + (end != NULL);
        nb__journal_line line;
        if (nb__journal_line_parse(bytes, &line, NULL) == NB_OK) {
            char *message = malloc(line.payload.size_bytes + 1);
            require(message != NULL);
            size_t size = nb__journal_unescape(line.payload, message);
            const nb__nightly_line given = {.recv_ns = line.recv_ns,
                                            .session_ns = session_of(&line),
                                            .link = line.link,
                                            .kind = line.kind,
                                            .message = {message, size}};
            nb__nightly_feed(nightly, &given);
            free(message);
        } else {
            (void)nb__nightly_evidence(nightly, bytes, NULL);
            char words[64];
            size_t size = bytes.size_bytes < sizeof words ? bytes.size_bytes : sizeof words - 1;
            memcpy(words, bytes.data, size);
            words[size] = '\0';
            nb__nightly_damage(nightly, words);
        }
        text = (nb_span){text.data + taken, text.size_bytes - taken};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    nb__text json = {0}, words = {0}, html = {0};
    nb__nightly *nightly = nb__nightly_new(nb_calendar_builtin(), 20261123);
    require(nightly != NULL);
    feed(nightly, (nb_span){(const char *)data, size_bytes});
    nb__nightly_end(nightly);
    nb__nightly_print_json(nightly, &json);
    nb__nightly_print_text(nightly, &words);
    nb__nightly_print_html(nightly, &html);
    require(!json.is_failed && json.data[0] == '{');
    require_printable(&words);
    require_printable(&html);
    require_tame(&html);
    nb__nightly_free(nightly);
    nb__text_fini(&json);
    nb__text_fini(&words);
    nb__text_fini(&html);
    return 0;
}
