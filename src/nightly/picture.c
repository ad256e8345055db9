/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two pictures of the page, as SVG. Colours are classes of the page's style, so that light and
 * dark are one picture; a <title> is what a browser shows under the pointer.
 *
 *     0      LEFT                                             RIGHT  WIDTH
 *     │ 4000 ┤                ▄█▄        ░░░ a gap                │
 *     │      └──18───19───20───21───22───23───00───01─            │
 */
#include "inside.h"
#include <inttypes.h>
#include <stdio.h>

#define WIDTH 1000
#define LEFT 120
#define RIGHT 950
#define TOP 14
#define RATE_HEIGHT 180
#define ROW 13
#define KEYS_PICTURED 80
#define LABELS_MOST 14

typedef struct plot {
    const nb__nightly *n;
    nb__text *out;
    uint32_t from, to; /* minutes */
} plot;

static double x_of(const plot *p, int64_t ns)
{
    double from_ns = (double)p->from * (double)MINUTE_NS;
    double span_ns = (double)(p->to - p->from) * (double)MINUTE_NS;
    double part = ((double)ns - (double)p->n->base_ns - from_ns) / span_ns;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    return LEFT + part * (RIGHT - LEFT);
}

static double x_of_minute(const plot *p, uint32_t minute)
{
    return x_of(p, p->n->base_ns + minute * MINUTE_NS);
}

static void begin(const plot *p, const char *what, int height)
{
    nb__text_printf(p->out,
                    "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\" "
                    "xmlns=\"http://www.w3.org/2000/svg\">\n",
                    WIDTH, height, what);
}

/* Lines and names of whole hours, Korean time. */
static void hours(const plot *p, int bottom)
{
    uint32_t count = (p->to - p->from) / 60, step = 1;
    while (count / step > LABELS_MOST)
        step = step < 3 ? 3 : step * 2;
    for (uint32_t i = p->from; i <= p->to; i++) {
        int64_t at_ns = p->n->base_ns + i * MINUTE_NS;
        nb__civil at = nb__kst_civil(at_ns);
        if (at.hhmmss % 10000 != 0 || (uint32_t)at.hhmmss / 10000 % step != 0)
            continue;
        double x = x_of_minute(p, i);
        nb__text_printf(p->out,
                        "<path class=\"grid\" d=\"M%.1f %dV%d\"/><text class=\"axis\" x=\"%.1f\" "
                        "y=\"%d\" text-anchor=\"middle\">%02d</text>\n",
                        x, TOP, bottom, x, bottom + 13, at.hhmmss / 10000);
    }
}

/* From which on and until when the market is continuous. */
static void session(const plot *p, int bottom)
{
    const int64_t at[] = {p->n->night.open_ns, p->n->night.closing_ns};
    for (size_t i = 0; i < NB__COUNT_OF(at); i++)
        nb__text_printf(p->out, "<path class=\"session\" d=\"M%.1f %dV%d\"/>\n", x_of(p, at[i]),
                        TOP, bottom);
}

static void gaps(const plot *p, int bottom)
{
    const nb__nightly *n = p->n;
    for (uint32_t i = 0; i < n->gap_count; i++) {
        const gap_row *gap = &n->gaps[i];
        bool is_over = gap->when.to_ns != NB_TIME_UNDEF;
        char when[40], span[40];
        if (gap->when.from_ns == NB_TIME_UNDEF)
            continue;
        double from = x_of(p, gap->when.from_ns);
        double to = x_of(p, is_over ? gap->when.to_ns : n->last_ns);
        nb__text_printf(p->out,
                        "<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\">"
                        "<title>",
                        gap->is_rest ? "rest" : "gap", from, TOP, to - from < 1.5 ? 1.5 : to - from,
                        bottom - TOP);
        nightly_append_html(p->out, nb__span(nightly_when(gap->when.from_ns, when)));
        nb__text_printf(p->out, ", %s: ", nightly_span(nightly_gap_ns(n, gap), span));
        nightly_append_html(p->out, nb__span(gap->reason));
        nb__text_string(p->out, "</title></rect>\n");
    }
}

/* A round number, not below `value`. */
static uint64_t round_up(uint64_t value)
{
    static const uint64_t rounds[] = {1, 2, 4, 6, 8, 10};
    uint64_t step = 1;
    size_t i = 0;
    while (step * 10 < value)
        step *= 10;
    while (rounds[i] * step < value)
        i++;
    return rounds[i] * step;
}

void nightly_picture_rate(const nb__nightly *n, nb__text *out)
{
    plot p = {.n = n, .out = out};
    int bottom = TOP + RATE_HEIGHT;
    uint32_t most = 0;
    nightly_range(n, &p.from, &p.to);
    for (uint32_t i = p.from; i < p.to; i++)
        most = n->minutes[i].frames > most ? n->minutes[i].frames : most;
    if (most == 0)
        return;
    uint64_t top = round_up(most);
    begin(&p, "frames a minute over the night", bottom + 20);
    hours(&p, bottom);
    for (int i = 0; i <= 4; i++) {
        int y = bottom - i * RATE_HEIGHT / 4;
        if (top * (uint64_t)i % 4 != 0)
            continue; /* a whole number of frames only */
        nb__text_printf(out,
                        "<path class=\"grid\" d=\"M%d %dH%d\"/><text class=\"axis\" x=\"%d\" "
                        "y=\"%d\" text-anchor=\"end\">%" PRIu64 "</text>\n",
                        LEFT, y, RIGHT, LEFT - 6, y + 4, top * (uint64_t)i / 4);
    }
    gaps(&p, bottom);
    nb__text_printf(out, "<path class=\"rate\" d=\"M%d %d", LEFT, bottom);
    for (uint32_t i = p.from; i < p.to; i++) {
        bool is_as_before = i > p.from && n->minutes[i].frames == n->minutes[i - 1].frames;
        double y = bottom - (double)n->minutes[i].frames / (double)top * RATE_HEIGHT;
        if (!is_as_before)
            nb__text_printf(out, "H%.1fV%.1f", x_of_minute(&p, i), y);
    }
    nb__text_printf(out, "H%dV%dZ\"/>\n", RIGHT, bottom);
    session(&p, bottom);
    nb__text_string(out, "</svg>\n");
}

/* Runs of minutes with a record, one stroke each. */
static void strip(const plot *p, const key_row *key, int y)
{
    nb__text_printf(p->out, "<path class=\"strip\" d=\"");
    for (uint32_t i = p->from; i < p->to; i++) {
        uint32_t begin_at = i;
        while (i < p->to && nightly_minutes(key, i, 1) > 0)
            i++;
        if (i == begin_at)
            continue;
        double x = x_of_minute(p, begin_at);
        nb__text_printf(p->out, "M%.1f %dh%.1f", x, y, x_of_minute(p, i) - x);
    }
    nb__text_string(p->out, "\"/>\n");
}

uint32_t nightly_picture_coverage(const nb__nightly *n, nb__text *out)
{
    plot p = {.n = n, .out = out};
    uint32_t rows = n->key_count < KEYS_PICTURED ? n->key_count : KEYS_PICTURED;
    int bottom = TOP + 4 + (int)rows * ROW;
    nightly_range(n, &p.from, &p.to);
    if (rows == 0 || p.from == p.to)
        return 0;
    begin(&p, "minutes in which each key had a record", bottom + 20);
    hours(&p, bottom);
    gaps(&p, bottom);
    for (uint32_t i = 0; i < rows; i++) {
        const key_row *key = &n->keys[n->order[i]];
        int y = TOP + 4 + (int)i * ROW + ROW / 2;
        uint32_t share = nightly_share(n, key);
        nb__text_printf(out, "<text class=\"key\" x=\"%d\" y=\"%d\" text-anchor=\"end\">", LEFT - 6,
                        y + 4);
        nightly_append_html(out, nb__span(nb__topic_shown_key(nightly_topic(n, key))));
        nb__text_string(out, "</text>");
        strip(&p, key, y);
        nb__text_printf(out, "<text class=\"axis\" x=\"%d\" y=\"%d\">%u%%</text>\n", RIGHT + 6,
                        y + 4, share / 100);
    }
    session(&p, bottom);
    nb__text_string(out, "</svg>\n");
    return n->key_count - rows;
}
