/* SPDX-License-Identifier: Apache-2.0 */
/* +marks: JSON that says what the feed does. Clients that did not ask for it never see any. */
#include "inside.h"

#define UP_WORDS "the feed is up"

/* `feed`: the label of the link that it is about; NULL: of all. */
static nb_span print_mark(nb__gateway *g, const char *code, const char *words, const char *feed,
                          int64_t recv_ns)
{
    char recv[40], session[40];
    nb__kst_print(recv, recv_ns, 9);
    nb__kst_print(session, gateway_session_ns(g), 3);
    nb__text *out = &g->text;
    nb__text_clear(out);
    nb__text_printf(
        out,
        "{\"header\":{\"tr_id\":\"NIGHTBOOK\",\"tr_key\":\"\",\"encrypt\":\"N\"},\"body\":"
        "{\"rt_cd\":\"0\",\"msg_cd\":\"%s\",\"msg1\":",
        code);
    nb__text_json(out, nb__span(words));
    nb__text_string(out, "},\"mark\":{");
    if (feed != NULL) {
        nb__text_string(out, "\"link\":");
        nb__text_json(out, nb__span(feed));
        nb__text_string(out, ",");
    }
    nb__text_printf(out,
                    "\"recv_ns\":%lld,\"recv_time\":\"%s\",\"session_time\":\"%s\","
                    "\"feed\":\"%s\",\"banner\":\"%s\",\"is_up\":%s}}",
                    (long long)recv_ns, recv, session, nb__feed_kind_name(gateway_feed_kind(g)),
                    nb__feed_kind_banner(gateway_feed_kind(g)),
                    nb__plant_is_up(g->plant) && g->hold.gap_count == 0 ? "true" : "false");
    return nb__text_view(out);
}

void marks_welcome(nb__gateway *g, client *c)
{
    if (!c->wants_marks || !c->is_authorised)
        return;
    const char *words = nb__plant_is_up(g->plant) ? UP_WORDS : nb__plant_reason(g->plant);
    fan_send(&g->fan, &c->fan, print_mark(g, "NB_FEED", words, NULL, nb__loop_real_ns(g->loop)));
}

/* `is_clock`: also to those who asked for nothing else. */
static void send_to(nb__gateway *g, const char *code, const char *words, const char *feed,
                    int64_t recv_ns, bool is_clock)
{
    uint64_t sequence = UINT64_MAX;
    for (uint32_t i = 0; i < g->fan.client_top; i++) {
        client *c = (client *)g->fan.clients[i];
        if (c == NULL || !c->is_authorised || !(c->wants_marks || (is_clock && c->follows_clock)))
            continue;
        if (sequence == UINT64_MAX)
            sequence = fan_put(&g->fan, print_mark(g, code, words, feed, recv_ns));
        fan_give(&g->fan, &c->fan, sequence);
    }
}

void marks_send(nb__gateway *g, const nb__mark *mark)
{
    bool is_up = mark->kind == NB__MARK_LINK_UP;
    if (mark->kind == NB__MARK_HOLE || mark->kind == NB__MARK_MOVED) {
        send_to(g, mark->kind == NB__MARK_HOLE ? "NB_HOLE" : "NB_MOVED", mark->reason, NULL,
                mark->recv_ns, false);
        return;
    }
    bool is_one_of_many = nb__plant_feed_count(g->plant) > 1;
    const char *feed = is_one_of_many ? nb__plant_feed_at(g->plant, mark->feed).name : NULL;
    const char *up_words = nb__plant_is_up(g->plant) ? UP_WORDS : "this link is up, not yet all";
    const char *words = is_up ? up_words : mark->reason != NULL ? mark->reason : "";
    send_to(g, is_up ? "NB_GAP_END" : "NB_GAP_BEGIN", words, feed, mark->recv_ns, false);
}

void marks_clock(nb__gateway *g)
{
    static const char name[] = "Nightbook-Clock: ";
    char header[128];
    int64_t now_ns = nb__loop_real_ns(g->loop);
    size_t size = nb__session_clock_print(header, &g->stated, now_ns);
    header[size - 2] = '\0'; /* without its line end */
    send_to(g, "NB_CLOCK", header + sizeof name - 1, NULL, now_ns, true);
}
