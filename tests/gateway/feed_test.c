/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway and its feed: links, registrations and evidence as HTTP shows them; a feed that is
 * lost. */
#include "desk.h"
#include <jansson.h>

static json_t *get_json(desk *d, const char *path)
{
    char request[200];
    nb__text answer = {0};
    json_error_t error;
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    assert_int_equal(http(d, request, &answer), 200);
    const char *body = strstr(answer.data, "\r\n\r\n");
    assert_non_null(body);
    json_t *root = json_loads(body + 4, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        fail_msg("%s: %s\n%s", path, error.text, body);
    nb__text_fini(&answer);
    return root;
}

static void get_text(desk *d, const char *path, int status, nb__text *answer)
{
    char request[200];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    assert_int_equal(http(d, request, answer), status);
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

static void expect_number(const json_t *object, const char *name, json_int_t number)
{
    assert_true(json_is_integer(json_object_get(object, name)));
    assert_int_equal(json_integer_value(json_object_get(object, name)), number);
}

/* ---- links ---- */

static void each_link_shows_what_it_waits_for(void **state)
{
    (void)state;
    desk d;
    nb__text answer = {0};
    nb__action action;
    desk_open(&d);
    d.plant->feed_count = 2;
    d.plant->is_up = false;
    d.plant->down_ns = 3 * NB__NS_PER_S;
    d.plant->reason = "main: \"gone\"";
    int64_t now_ns = nb__clock_mono_ns();
    nb__session_next(d.plant->sessions[0], now_ns, &action);
    nb__session_on_approval_failed(d.plant->sessions[0], NB__APPROVAL_RETRY, "<no> \"answer\"",
                                   now_ns);
    do
        nb__session_next(d.plant->sessions[0], now_ns, &action);
    while (action.kind != NB__ACT_WAIT);
    nb__session_rest(d.plant->sessions[1], "until Mon 17:45", now_ns);
    desk_listen(&d);
    json_t *root = get_json(&d, "/v1/status");
    const json_t *feed = json_object_get(root, "feed"), *feeds = json_object_get(root, "feeds");
    assert_string_equal(text_of(feed, "state"), "down");
    assert_string_equal(text_of(feed, "reason"), "main: \"gone\"");
    expect_number(feed, "down_s", 3);
    expect_number(feed, "on_loss_s", 30);
    assert_int_equal(json_array_size(feeds), 2);
    const json_t *first = json_array_get(feeds, 0), *second = json_array_get(feeds, 1);
    assert_string_equal(text_of(first, "name"), "main");
    assert_string_equal(text_of(first, "appkey_hash"), "0123456789abcdef");
    assert_string_equal(text_of(first, "state"), nb__session_state_name(NB__SESSION_WAITING));
    assert_non_null(strstr(text_of(first, "reason"), "answer"));
    assert_int_equal(strlen(text_of(first, "next_try")), strlen("2026-11-20T18:00:00+09:00"));
    assert_int_equal(strlen(text_of(first, "down_since")), strlen("2026-11-20T18:00:00+09:00"));
    expect_number(first, "budget_used", 1);
    expect_number(first, "budget_max", 4);
    expect_number(first, "budget_window_s", 600);
    expect_number(first, "registrations_max", 41);
    expect_number(json_object_get(first, "counters"), "session_approval_failures_total", 1);
    assert_string_equal(text_of(second, "state"), nb__session_state_name(NB__SESSION_RESTING));
    assert_true(json_is_null(json_object_get(second, "down_since")));
    json_decref(root);

    get_text(&d, "/metrics", 200, &answer);
    assert_non_null(
        strstr(answer.data, "\nnightbook_session_approval_failures_total{feed=\"main\"} 1\n"));
    assert_non_null(strstr(answer.data,
                           "\nnightbook_session_approval_failures_total{feed=\"se\\\"cond\"} 0\n"));
    assert_non_null(strstr(answer.data, "\nnightbook_feed_link_resting{feed=\"main\"} 0\n"
                                        "nightbook_feed_link_resting{feed=\"se\\\"cond\"} 1\n"));
    assert_non_null(strstr(answer.data, "\nnightbook_feed_down_seconds 3\n"));
    get_text(&d, "/", 200, &answer);
    assert_non_null(strstr(answer.data, "<td class=\"t\">se&quot;cond</td>"));
    assert_non_null(strstr(answer.data, "&lt;no&gt; &quot;answer&quot;"));
    assert_non_null(strstr(answer.data, "<td>1 of 4</td>"));
    assert_non_null(strstr(answer.data, "<tr><th>lost</th><td>in 27 s: then"));
    get_text(&d, "/healthz", 503, &answer);
    assert_non_null(strstr(answer.data, "feed down: main: \"gone\"\n"));
    nb__text_fini(&answer);
    desk_close(&d);
}

static void every_metric_is_of_the_format(void **state)
{
    (void)state;
    desk d;
    nb__text answer = {0};
    char last[100] = "";
    desk_open(&d);
    d.plant->feed_count = 2;
    desk_listen(&d);
    get_text(&d, "/metrics", 200, &answer);
    char *rest = strstr(answer.data, "\r\n\r\n") + 4;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        char name[100];
        int size = 0;
        unsigned long long value;
        if (sscanf(line, "# HELP %99s", name) == 1) {
            if (strcmp(name, last) == 0)
                fail_msg("%s is told twice", name);
            snprintf(last, sizeof last, "%s", name);
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            assert_int_equal(sscanf(line, "# TYPE %99s", name), 1);
            assert_string_equal(name, last);
        } else {
            assert_int_equal(sscanf(line, "%99[a-z0-9_]%n", name, &size), 1);
            if (strcmp(last, "nightbook_latency_seconds") == 0) /* a summary has two more */
                assert_int_equal(strncmp(name, last, strlen(last)), 0);
            else
                assert_string_equal(name, last);
            const char *space = strrchr(line, ' ');
            assert_int_equal(sscanf(space, " %llu", &value), 1);
            assert_true(line[size] == ' ' || line[size] == '{');
        }
    }
    nb__text_fini(&answer);
    desk_close(&d);
}

/* ---- the journal ---- */

/* A request that lies in the socket when a frame comes in the same turn. */
static void ask_in_the_turn_of_a_frame(desk *d, const char *request, uint32_t syncs)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(nb__gateway_port(d->gateway)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    for (int i = 0; i < 3; i++) /* accepted */
        nb__loop_turn(d->loop, 2);
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    stub_frame(d->plant, "0|XTR|001|K1^1", NOON_NS);
    d->plant->syncs = 0;
    nb__loop_turn(d->loop, 100);
    assert_int_equal(d->plant->syncs, syncs);
    assert_int_equal(d->plant->unsynced, 0);
    close(fd);
    for (int i = 0; i < 5; i++)
        nb__loop_turn(d->loop, 2);
}

static void nothing_is_answered_before_it_is_recorded(void **state)
{
    (void)state;
    static const char *const paths[] = {"/", "/v1/status", "/v1/books", "/metrics", "/healthz"};
    desk d;
    desk_open(&d);
    desk_listen(&d);
    for (size_t i = 0; i < NB__COUNT_OF(paths); i++) {
        char request[200];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", paths[i]);
        ask_in_the_turn_of_a_frame(&d, request, 2); /* its own, and the turn's end */
    }
    ask_in_the_turn_of_a_frame(&d,
                               "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                               2);
    desk_close(&d);
}

static void what_is_not_recorded_is_loud(void **state)
{
    (void)state;
    desk d;
    nb__text answer = {0};
    desk_open(&d);
    desk_listen(&d);
    json_t *root = get_json(&d, "/v1/status");
    const json_t *recorder = json_object_get(root, "recorder");
    assert_string_equal(text_of(recorder, "state"), "off");
    assert_non_null(strstr(text_of(recorder, "reason"), "--journal DIR"));
    assert_true(json_is_null(json_object_get(recorder, "directory")));
    json_decref(root);
    get_text(&d, "/", 200, &answer);
    assert_null(strstr(answer.data, "class=\"alarm\""));

    d.plant->recorder_counters =
        (nb__recorder_counters){.lines = 1234, .bytes = 56789, .holes = 2, .lost_lines = 77};
    nb__recorder_view view = {.state = "NOT RECORDING",
                              .reason = "the disk is <full>",
                              .since_ns = NOON_NS,
                              .directory = "/data/\"j\"",
                              .segment = "",
                              .disk_free_bytes = 4096,
                              .nights_left = 0.25,
                              .synced_ns = nb__clock_real_ns() - 5 * NB__NS_PER_S,
                              .counters = &d.plant->recorder_counters};
    d.plant->recording = &view;
    for (int64_t ns = 1; ns <= 1000; ns++)
        nb__hist_add(&d.plant->latency, ns * 1000, 1);
    root = get_json(&d, "/v1/status");
    recorder = json_object_get(root, "recorder");
    assert_string_equal(text_of(recorder, "state"), "NOT RECORDING");
    assert_string_equal(text_of(recorder, "reason"), "the disk is <full>");
    assert_string_equal(text_of(recorder, "directory"), "/data/\"j\"");
    assert_true(json_is_null(json_object_get(recorder, "segment")));
    expect_number(recorder, "lines", 1234);
    expect_number(recorder, "holes", 2);
    expect_number(recorder, "lost_lines", 77);
    expect_number(recorder, "disk_free_bytes", 4096);
    assert_true(json_integer_value(json_object_get(recorder, "synced_age_ms")) >= 5000);
    const json_t *latency = json_object_get(root, "latency");
    expect_number(latency, "frames", 1000);
    expect_number(latency, "max_ns", 1000000);
    json_int_t p99_ns = json_integer_value(json_object_get(latency, "p99_ns"));
    assert_true(p99_ns >= 990000 && p99_ns < 990000 + 990000 / 32);
    expect_number(json_object_get(json_object_get(root, "counters"), "journal"),
                  "journal_lines_total", 1234);
    json_decref(root);
    get_text(&d, "/", 200, &answer);
    assert_non_null(
        strstr(answer.data, "<p class=\"alarm\">NOT RECORDING: the disk is &lt;full&gt;"));
    get_text(&d, "/metrics", 200, &answer);
    assert_non_null(strstr(answer.data, "\nnightbook_journal_disk_free_bytes 4096\n"));
    assert_non_null(strstr(answer.data, "\nnightbook_journal_nights_left 0.25\n"));
    assert_non_null(strstr(answer.data, "\nnightbook_journal_synced_age_seconds 5."));
    assert_non_null(strstr(answer.data, "\nnightbook_latency_seconds_count 1000\n"));
    assert_non_null(strstr(answer.data, "\nnightbook_latency_seconds_sum 0.500500000\n"));
    assert_non_null(strstr(answer.data, "\nnightbook_latency_max_seconds 0.001000000\n"));
    nb__text_fini(&answer);
    desk_close(&d);
}

/* ---- slots ---- */

static void slots_tell_who_has_what_and_why(void **state)
{
    (void)state;
    static nb__instrument rows[] = {{.code = "B01612745", .name = "코스피200 C 202612 1,120.0"},
                                    {.code = "B01612746", .name = "코스피200 C 202612 1,122.5"}};
    desk d;
    nb__topic name;
    desk_open(&d);
    nb__plan_free(d.plant->plan);
    nb__plan_config config = nb__plan_config_default();
    (void)nb__plan_pin_parse(NB__SPAN("B01612745"), &config.pinned[0], NULL);
    (void)nb__topic_make(NB__SPAN("H0EUCNI0"), NB__SPAN("myhtsid"), &config.pinned[1]);
    config.pinned_count = 2;
    config.reserve = 0;
    d.plant->plan =
        nb__plan_new(&config, d.plant->topics, STUB_TOPICS, d.plant->sessions, d.plant->feed_count);
    d.plant->master = (nb__master){.rows = rows, .count = 2, .capacity = 2};
    d.plant->symbols = nb__symbols_new(&d.plant->master);
    nb__plan_set_master(d.plant->plan, &d.plant->master, 1);
    (void)nb__topic_make(NB__SPAN("H0EUASP0"), NB__SPAN("B01612764"), &name); /* of 746 */
    assert_int_equal(nb__plan_want(d.plant->plan, nb__topics_intern(d.plant->topics, &name), 1),
                     NB_OK);
    desk_listen(&d);
    json_t *root = get_json(&d, "/v1/slots");
    const json_t *slots = json_object_get(root, "slots");
    assert_string_equal(text_of(root, "banner"), "SIMULATED");
    assert_int_equal(json_array_size(slots), 3);
    const json_t *pinned = json_array_get(slots, 0), *notice = json_array_get(slots, 1);
    const json_t *client = json_array_get(slots, 2);
    assert_string_equal(text_of(pinned, "tr_key"), "B01612745");
    assert_string_equal(text_of(pinned, "name"), "코스피200 C 202612 1,120.0");
    assert_string_equal(text_of(pinned, "feed"), "main");
    assert_string_equal(text_of(pinned, "state"), "pending");
    assert_true(json_is_true(json_object_get(pinned, "is_pinned")));
    assert_true(json_is_null(json_object_get(pinned, "msg_cd")));
    assert_non_null(strstr(text_of(pinned, "reason"), "pinned"));
    assert_string_equal(text_of(notice, "tr_key"), "***"); /* the HTS id is the user's */
    assert_true(json_is_null(json_object_get(client, "name")));
    const json_t *near = json_object_get(client, "near");
    assert_string_equal(json_string_value(json_array_get(near, 0)), "B01612746");
    assert_true(json_is_true(json_object_get(client, "is_client")));
    expect_number(json_object_get(root, "totals"), "pending", 3);
    expect_number(json_object_get(root, "totals"), "without_slot", 0);
    json_decref(root);
    d.plant->master = (nb__master){0};
    desk_close(&d);
}

static void an_hts_id_is_never_shown(void **state)
{
    (void)state;
    desk d;
    caller c;
    nb__text answer = {0};
    desk_open(&d);
    desk_listen(&d);
    call(&d, &c, "");
    ask(&c, '1', "H0EUCNI0", "myhtsid");
    hear_answer(&c, "OPSP0000", "myhtsid"); /* to who said it */
    static const char *const paths[] = {"/", "/v1/status", "/v1/slots", "/metrics", "/v1/evidence"};
    for (size_t i = 0; i < NB__COUNT_OF(paths); i++) {
        get_text(&d, paths[i], 200, &answer);
        assert_null(strstr(answer.data, "myhtsid"));
    }
    get_text(&d, "/v1/status", 200, &answer);
    assert_non_null(strstr(answer.data, "\"tr_id\":\"H0EUCNI0\",\"tr_key\":\"***\""));
    nb__text_fini(&answer);
    hang_up(&c);
    desk_close(&d);
}

static void evidence_as_it_is_so_far(void **state)
{
    (void)state;
    desk d;
    nb__text answer = {0};
    desk_open(&d);
    nb__evidence_begin(d.plant->evidence, 20261123);
    desk_listen(&d);
    json_t *root = get_json(&d, "/v1/evidence");
    assert_string_equal(text_of(root, "trade_date"), "2026-11-23");
    json_decref(root);
    nb__evidence_free(d.plant->evidence);
    d.plant->evidence = NULL;
    get_text(&d, "/v1/evidence", 404, &answer);
    assert_non_null(strstr(answer.data, "NB_NO_EVIDENCE"));
    nb__text_fini(&answer);
    desk_close(&d);
}

/* ---- a lost feed ---- */

static void down_for(desk *d, int64_t down_ns, const char *reason)
{
    d->plant->is_up = down_ns == 0;
    d->plant->down_ns = down_ns;
    d->plant->reason = reason;
}

static void a_lost_feed_closes_clients_and_refuses_new_ones(void **state)
{
    (void)state;
    desk d;
    caller c, late;
    nb__text answer = {0};
    char reason[400] = "EOF \xED\x95\x9C\n"; /* long, and the cut falls into a character */
    for (int i = 0; i < 60; i++)
        memcpy(reason + 8 + 3 * i, "\xED\x95\x9C", 4);
    desk_open(&d);
    d.config.on_loss_ns = 30 * NB__NS_PER_S;
    desk_listen(&d);
    call(&d, &c, "");
    ask(&c, '1', "XTR", "K1");
    hear_answer(&c, "OPSP0000", "K1");
    down_for(&d, 30 * NB__NS_PER_S - 1, reason);
    hear_nothing(&c);
    assert_false(c.is_closed);
    stub_frame(d.plant, "0|XTR|001|K1^1", NOON_NS); /* pending: it leaves before the Close */
    down_for(&d, 30 * NB__NS_PER_S, reason);
    UNTIL(&d, c.is_closed);
    hear_exactly(&c, "0|XTR|001|K1^1");
    assert_non_null(strstr(c.error, "code 1012"));
    assert_non_null(strstr(c.error, "the feed is lost: EOF"));
    assert_int_equal(nb__gateway_count(d.gateway)->loss_closed, 1);
    UNTIL(&d, d.plant->releases == 1);

    call_start(&d, &late, "/tryitout");
    UNTIL(&d, late.is_closed);
    assert_non_null(strstr(late.error, "503"));
    hang_up(&late);
    assert_int_equal(nb__gateway_count(d.gateway)->loss_refused, 1);
    assert_int_equal(
        http(&d,
             "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
             &answer),
        503);
    assert_non_null(strstr(answer.data, "\r\nRetry-After: "));
    assert_non_null(strstr(answer.data, "the feed is lost: EOF"));
    get_text(&d, "/", 200, &answer); /* REST and page stay */
    assert_non_null(strstr(answer.data, "<tr><th>link</th><td>lost</td>"));
    get_text(&d, "/healthz", 503, &answer);
    assert_non_null(strstr(answer.data, "feed lost: "));
    json_t *root = get_json(&d, "/v1/status");
    assert_true(json_is_true(json_object_get(json_object_get(root, "feed"), "is_lost")));
    json_decref(root);

    d.plant->is_up = true; /* it opened, but may be refused: it is lost until it is taken */
    nb__loop_turn(d.loop, 0);
    call_start(&d, &late, "");
    UNTIL(&d, late.is_closed);
    assert_int_equal(nb__gateway_count(d.gateway)->loss_refused, 3);
    hang_up(&late);

    down_for(&d, 0, "");
    nb__loop_turn(d.loop, 0);
    hang_up(&c);
    call(&d, &c, "");
    ask(&c, '1', "XTR", "K1");
    hear_answer(&c, "OPSP0000", "K1");
    down_for(&d, 31 * NB__NS_PER_S, reason); /* once more */
    d.plant->is_up = true;                   /* not while it waits to be taken */
    hear_nothing(&c);
    assert_false(c.is_closed);
    d.plant->is_up = false;
    UNTIL(&d, c.is_closed);
    assert_int_equal(nb__gateway_count(d.gateway)->loss_closed, 2);
    hang_up(&c);
    nb__text_fini(&answer);
    desk_close(&d);
}

/* No frame, no client: only the clock makes it so. */
static void a_loss_is_noticed_without_any_event(void **state)
{
    (void)state;
    desk d;
    desk_open(&d);
    d.config.on_loss_ns = 50 * NB__NS_PER_MS;
    down_for(&d, NB__NS_PER_MS, "nothing answers");
    int64_t begin_ns = nb__loop_mono_ns(d.loop); /* timers count from it, however long that takes */
    desk_listen(&d);
    nb__loop_turn(d.loop, 10000);
    int64_t waited_ns = nb__clock_mono_ns() - begin_ns;
    assert_true(waited_ns >= 40 * NB__NS_PER_MS && waited_ns < 5 * NB__NS_PER_S);
    d.plant->down_ns = 60 * NB__NS_PER_MS;
    nb__loop_turn(d.loop, 0);
    json_t *root = get_json(&d, "/v1/status");
    assert_true(json_is_true(json_object_get(json_object_get(root, "feed"), "is_lost")));
    json_decref(root);
    desk_close(&d);
}

static void keep_keeps_clients_and_rest_is_no_loss(void **state)
{
    (void)state;
    desk d;
    caller c;
    nb__text answer = {0};
    for (int is_resting = 0; is_resting <= 1; is_resting++) {
        desk_open(&d);
        if (is_resting)
            nb__session_rest(d.plant->sessions[0], "until Mon 17:45", nb__clock_mono_ns());
        else
            d.config.on_loss_ns = INT64_MAX;
        desk_listen(&d);
        call(&d, &c, "");
        down_for(&d, is_resting ? 0 : 3600 * NB__NS_PER_S, "why");
        hear_nothing(&c);
        assert_false(c.is_closed);
        assert_int_equal(nb__gateway_count(d.gateway)->loss_closed, 0);
        get_text(&d, "/", 200, &answer);
        assert_non_null(strstr(answer.data, is_resting ? "<td>resting</td>" : "<td>down</td>"));
        get_text(&d, "/healthz", is_resting ? 200 : 503, &answer);
        hang_up(&c);
        desk_close(&d);
    }
    nb__text_fini(&answer);
}

static void marks_name_the_link_where_there_are_several(void **state)
{
    (void)state;
    desk d;
    caller c;
    desk_open(&d);
    d.plant->feed_count = 2;
    desk_listen(&d);
    call(&d, &c, "/+marks");
    assert_null(strstr(hear(&c), "\"link\""));
    d.plant->is_up = false;
    nb__mark mark = {.kind = NB__MARK_LINK_DOWN, .feed = 1, .recv_ns = NOON_NS, .reason = "EOF"};
    d.plant->sink.mark(d.plant->sink.self, &mark);
    assert_non_null(strstr(hear(&c), "\"msg1\":\"EOF\"},\"mark\":{\"link\":\"se\\\"cond\","));
    mark.kind = NB__MARK_LINK_UP;
    d.plant->sink.mark(d.plant->sink.self, &mark);
    assert_non_null(strstr(hear(&c), "this link is up, not yet all"));
    hang_up(&c);
    desk_close(&d);
}

int main(void)
{
    nb__log_set_level(NB__LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_link_shows_what_it_waits_for),
        cmocka_unit_test(every_metric_is_of_the_format),
        cmocka_unit_test(slots_tell_who_has_what_and_why),
        cmocka_unit_test(an_hts_id_is_never_shown),
        cmocka_unit_test(evidence_as_it_is_so_far),
        cmocka_unit_test(a_lost_feed_closes_clients_and_refuses_new_ones),
        cmocka_unit_test(a_loss_is_noticed_without_any_event),
        cmocka_unit_test(keep_keeps_clients_and_rest_is_no_loss),
        cmocka_unit_test(marks_name_the_link_where_there_are_several),
        cmocka_unit_test(nothing_is_answered_before_it_is_recorded),
        cmocka_unit_test(what_is_not_recorded_is_loud),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
