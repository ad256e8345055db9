/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plant: the wiring of feeds, plan, masters, books, evidence and sinks. One frame's way is in
 * frames.c; what others ask of the plant is in views.c.
 *
 * A turn of the loop: feeds are pumped by their events and timers; at the turn's end the plan looks
 * at what came (ten times a second at most), and what it then wants of the sessions is asked for in
 * the next turn.
 */
#include "inside.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPICS_MAX 65536
#define PLAN_LOOK_NS (100 * NB__NS_PER_MS)
#define PLAN_REST_NS NB__NS_PER_S /* a session's slots change by its own timers, too */

static nb__plant *plant_of_hook(nb__hook *hook)
{
    return (nb__plant *)((char *)hook - offsetof(nb__plant, hook));
}

/* ---- notices ---- */

void nb__plant_tell(nb__plant *plant, nb__notice_kind kind, const nb__feed *feed,
                    const char *format, ...)
{
    char detail[512];
    if (plant->tell == NULL)
        return;
    nb__plant_sync(plant); /* it may be about a frame */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    nb__make_printable(detail, strlen(detail));
    const nb__notice notice = {.kind = kind,
                               .recv_ns = nb__clock_real_ns(),
                               .feed = feed == NULL ? "" : feed->name,
                               .detail = detail};
    plant->tell(plant->tell_self, &notice);
}

static void look_at_losses(nb__plant *plant)
{
    int64_t look_ns = INT64_MAX;
    for (uint32_t i = 0; i < plant->feed_count && !plant->is_shut; i++) {
        int64_t due_ns = nb__tell_loss(&plant->feeds[i]);
        look_ns = due_ns < look_ns ? due_ns : look_ns;
    }
    if (look_ns == INT64_MAX)
        nb__timer_cancel(plant->loop, &plant->loss_timer);
    else
        nb__timer_set(plant->loop, &plant->loss_timer, look_ns);
}

static void loss_timer_fired(nb__timer *timer, int64_t now_mono_ns)
{
    (void)now_mono_ns;
    look_at_losses((nb__plant *)((char *)timer - offsetof(nb__plant, loss_timer)));
}

/* ---- what the feeds tell ---- */

static void feed_message(void *self, nb__feed *feed, char *text, size_t size_bytes, int64_t recv_ns)
{
    nb__plant_on_message(self, feed->index, text, size_bytes, recv_ns);
}

/* No more comes of that key: its book is of the past. */
static void end_book(nb__plant *plant, const nb__answer *answer)
{
    nb__topic name;
    if (nb__topic_make(nb__span(answer->tr_id), nb__span(answer->tr_key), &name))
        nb__books_set_stale_at(plant->books, nb__topics_find(plant->topics, &name));
}

static void feed_control(void *self, nb__feed *feed, nb_span text, bool is_known, int64_t recv_ns)
{
    nb__plant *plant = self;
    const nb__answer *answer;
    nb__server_message kind = nb__session_heard(feed->session, &answer);
    nb__scribe_control(plant, feed->index, text, kind, answer, recv_ns);
    plant->counters.other_messages += !is_known;
    plant->has_news = true; /* an answer may have freed a slot */
    if (kind == NB__SERVER_ANSWER && answer->code == NB__OPSP_UNSUBSCRIBED)
        end_book(plant, answer);
    if (kind == NB__SERVER_ANSWER && answer->code == NB__OPSP_MAX_OVER)
        nb__tell_full(feed);
    nb__keeper_control(&plant->keeper, feed->index, kind, answer, recv_ns);
}

static void feed_link(void *self, nb__feed *feed, bool is_up, const char *reason)
{
    nb__plant *plant = self;
    plant->has_news = true;
    if (is_up && plant->player.source == NULL) /* a replay's own clock goes on */
        plant->clock = feed->clock;
    else
        nb__frames_set_stale(plant, feed->index);
    nb__mark mark = {.kind = is_up ? NB__MARK_LINK_UP : NB__MARK_LINK_DOWN,
                     .feed = feed->index,
                     .recv_ns = nb__clock_real_ns(),
                     .reason = reason,
                     .is_rest = nb__session_state_of(feed->session) == NB__SESSION_RESTING};
    if (plant->player.source == NULL) /* of a replay its own links are */
        nb__scribe_link(plant, feed, is_up, mark.is_rest, reason, mark.recv_ns);
    nb__keeper_link(&plant->keeper, feed->index, is_up, mark.is_rest ? NULL : reason, mark.recv_ns);
    for (size_t i = 0; i < plant->sink_count; i++)
        plant->sinks[i].mark(plant->sinks[i].self, &mark);
    if (!is_up)
        return;
    int64_t session_ns = nb__session_clock_at(&plant->clock, mark.recv_ns);
    nb__masters_link_up(&plant->masters, nb_night_before(plant->calendar, session_ns).start_date);
}

/* A refusal is told once a code, not once a key: a client may name thousands. Counters have the
 * rest. */
static void tell_refusal(nb__plant *plant, const nb__feed *feed, uint32_t topic)
{
    const nb__registration *registration = nb__session_registration(feed->session, topic);
    if (registration->state != NB__REG_REJECTED)
        return;
    const nb__answer *answer = &registration->answer;
    uint64_t bit = UINT64_C(1) << nb__opsp_find(nb__span(answer->msg_cd));
    if (plant->refusals_told & bit)
        return;
    plant->refusals_told |= bit;
    const nb__topic *name = nb__topics_at(plant->topics, topic);
    const char *key = nb__topic_shown_key(name);
    nb__log(NB__LOG_WARN, "feed",
            "%s refuses %s %s: %s %s\n"
            "who asked is told so; further keys refused with this code are only counted",
            feed->name, name->tr_id, key, answer->msg_cd, answer->msg1);
    nb__plant_tell(plant, NB__NOTICE_REFUSED, feed, "%s %s: %s %s", name->tr_id, key,
                   answer->msg_cd, answer->msg1);
}
_Static_assert(NB__OPSP_COUNT < 64, "a bit for each code");

static void feed_registration(void *self, nb__feed *feed, uint32_t topic)
{
    nb__plant *plant = self;
    plant->has_news = true;
    tell_refusal(plant, feed, topic);
    for (size_t i = 0; i < plant->sink_count; i++)
        plant->sinks[i].registration(plant->sinks[i].self, topic);
}

static void feed_clock(void *self, nb__feed *feed)
{
    nb__plant *plant = self;
    plant->clock = feed->clock;
    const nb__mark mark = {
        .kind = NB__MARK_CLOCK, .feed = feed->index, .recv_ns = nb__clock_real_ns(), .reason = ""};
    for (size_t i = 0; i < plant->sink_count; i++)
        plant->sinks[i].mark(plant->sinks[i].self, &mark);
}

static void feed_approval(void *self, nb__feed *feed, const char *error_code, const char *words)
{
    nb__plant *plant = self;
    nb__keeper_approval(&plant->keeper, feed->index, error_code, words);
}

static void feed_notice(void *self, nb__feed *feed, nb__notice_kind kind, const char *detail)
{
    nb__plant_tell(self, kind, feed, "%s", detail);
}

/* Why not all are up: of the only feed its own words, of several those of one. */
static void compose_reason(nb__plant *plant)
{
    const nb__feed *worst = NULL;
    uint32_t down_count = 0;
    for (uint32_t i = 0; i < plant->feed_count; i++) {
        const nb__feed *feed = &plant->feeds[i];
        if (feed->is_up)
            continue;
        down_count++;
        bool is_resting = nb__session_state_of(feed->session) == NB__SESSION_RESTING;
        if (worst == NULL || !is_resting)
            worst = feed;
    }
    const char *words = worst == NULL ? "" : nb__session_reason(worst->session);
    if (plant->feed_count == 1 || worst == NULL)
        snprintf(plant->reason, sizeof plant->reason, "%s", words);
    else
        snprintf(plant->reason, sizeof plant->reason, "%u of %u appkeys down: %s: %s",
                 (unsigned)down_count, (unsigned)plant->feed_count, worst->name, words);
}

static void feed_changed(void *self, nb__feed *feed)
{
    nb__plant *plant = self;
    (void)feed;
    if (!plant->is_open)
        return;
    compose_reason(plant);
    look_at_losses(plant);
}

/* ---- the plan ---- */

static void stir_all(nb__plant *plant)
{
    for (uint32_t i = 0; i < plant->feed_count; i++)
        nb__feed_stir(&plant->feeds[i]);
}

/* The last day that is over, by the session's clock: a series trades until 15:20 of its last day
 * (KRX). */
static int over_date_of(const nb__plant *plant)
{
    int64_t session_ns = nb__session_clock_at(&plant->clock, nb__loop_real_ns(plant->loop));
    nb__civil now = nb__kst_civil(session_ns);
    return now.hhmmss >= 152000 ? now.date : nb__date_add(now.date, -1);
}

static void masters_loaded(void *self);

static void follow(nb__plant *plant)
{
    int64_t now_ns = nb__loop_mono_ns(plant->loop);
    if (plant->is_shut || (!plant->has_news && now_ns < plant->plan_due_ns))
        return;
    if (now_ns < plant->plan_look_ns) {
        nb__timer_set(plant->loop, &plant->plan_timer, plant->plan_look_ns);
        return;
    }
    if (plant->traded.capacity > 0 && plant->over_date != over_date_of(plant))
        masters_loaded(plant); /* another day: other series are over */
    plant->has_news = false;
    plant->plan_look_ns = now_ns + PLAN_LOOK_NS;
    for (uint32_t i = 0; i < plant->feed_count; i++)
        nb__session_retell(plant->feeds[i].session, now_ns);
    compose_reason(plant);
    int64_t due_ns = nb__plan_follow(plant->plan, plant->books, now_ns);
    plant->plan_due_ns = due_ns < now_ns + PLAN_REST_NS ? due_ns : now_ns + PLAN_REST_NS;
    nb__timer_set(plant->loop, &plant->plan_timer, plant->plan_due_ns);
    stir_all(plant);
}

static void turn_ended(nb__hook *hook)
{
    nb__plant *plant = plant_of_hook(hook);
    nb__plant_sync(plant); /* what no sink asked for reaches the disk all the same */
    follow(plant);
}

/* It only wakes the loop: the turn's end does the work. */
static void plan_timer_fired(nb__timer *timer, int64_t now_mono_ns)
{
    (void)timer;
    (void)now_mono_ns;
}

static void check_code(nb__plant *plant, uint32_t topic)
{
    plant->counters.codes_unknown += nb__codes_check(&plant->codes, plant->masters.symbols,
                                                     nb__topics_at(plant->topics, topic), topic);
}

static void check_wanted_codes(nb__plant *plant)
{
    nb__plan_row row;
    nb__codes_forget(&plant->codes);
    for (uint32_t cursor = 0; nb__plan_next_row(plant->plan, &cursor, &row);)
        if (row.is_pinned || row.is_client)
            check_code(plant, row.topic);
}

/* The plan chooses from what still trades; which codes exist is another matter. */
static bool is_over(const nb__plant *plant, const nb__instrument *row)
{
    bool is_sure;
    int last_date = nb__expiry_date(plant->calendar, row, &is_sure);
    return last_date != 0 && last_date <= plant->over_date;
}

static void select_traded(nb__plant *plant)
{
    const nb__master *master = plant->masters.master;
    nb__instrument *rows = calloc(master->count + 1, sizeof *rows);
    size_t count = 0;
    for (size_t i = 0; rows != NULL && i < master->count; i++)
        if (!is_over(plant, &master->rows[i]))
            rows[count++] = master->rows[i];
    nb__master before = plant->traded;
    plant->traded = (nb__master){.rows = rows, .count = count, .capacity = master->count};
    if (plant->player.source == NULL) /* there is nothing to choose of what was recorded */
        nb__plan_set_master(plant->plan, &plant->traded, nb__loop_mono_ns(plant->loop));
    nb__master_fini(&before);
}

static void set_atm_code(nb__plant *plant)
{
    const nb__master *master = &plant->traded;
    const nb__instrument **rows = calloc(master->count + 1, sizeof(const nb__instrument *));
    size_t count = rows == NULL ? 0 : nb__nearest(master, rows);
    plant->atm_code[0] = '\0';
    for (size_t i = 0; i < count && plant->atm_code[0] == '\0'; i++)
        if (rows[i]->right != 'F')
            memcpy(plant->atm_code, rows[i]->code, sizeof plant->atm_code);
    free(rows);
}

static void masters_loaded(void *self)
{
    nb__plant *plant = self;
    plant->over_date = over_date_of(plant);
    select_traded(plant);
    set_atm_code(plant);
    plant->refusals_told = 0; /* another night's codes */
    check_wanted_codes(plant);
    plant->has_news = true;
    stir_all(plant);
}

static void disk_trouble(void *self, const char *detail)
{
    nb__plant_tell(self, NB__NOTICE_DISK, NULL, "%s", detail);
}

static void keeper_tells(void *self, nb__notice_kind kind, const char *detail)
{
    nb__plant_tell(self, kind, NULL, "%s", detail);
}

/* ---- open and close ---- */

static nb_err allocate(nb__plant *plant, const nb__plant_config *config, nb_error *error)
{
    uint32_t topics_max = config->topics_max;
    plant->topics = nb__topics_new(topics_max);
    plant->books = nb__books_new(topics_max);
    plant->feed_of = malloc(topics_max);
    plant->feeds = calloc(config->feed_count, sizeof *plant->feeds);
    if (plant->topics == NULL || plant->books == NULL || plant->feed_of == NULL ||
        plant->feeds == NULL || !nb__codes_init(&plant->codes, topics_max))
        return nb__fail(error, NB_E_MEMORY, 0, "no memory for %u topics", (unsigned)topics_max);
    memset(plant->feed_of, UINT8_MAX, topics_max);
    return NB_OK;
}

static nb_err open_feeds(nb__plant *plant, const nb__plant_config *config, nb_error *error)
{
    const nb__feed_handler handler = {.self = plant,
                                      .message = feed_message,
                                      .control = feed_control,
                                      .link = feed_link,
                                      .registration = feed_registration,
                                      .clock = feed_clock,
                                      .approval = feed_approval,
                                      .notice = feed_notice,
                                      .changed = feed_changed};
    nb_err err = NB_OK;
    while (err == NB_OK && plant->feed_count < config->feed_count) {
        uint32_t i = plant->feed_count++;
        err =
            nb__feed_open(&plant->feeds[i], plant->loop, config, i, plant->topics, &handler, error);
    }
    return err;
}

static nb_err open_plan(nb__plant *plant, const nb__plant_config *config, nb_error *error)
{
    nb__session *sessions[NB__PLAN_SESSIONS_MAX];
    for (uint32_t i = 0; i < plant->feed_count; i++)
        sessions[i] = plant->feeds[i].session;
    plant->plan =
        nb__plan_new(&config->plan, plant->topics, config->topics_max, sessions, plant->feed_count);
    return plant->plan != NULL ? NB_OK : nb__fail(error, NB_E_MEMORY, 0, "no memory for the plan");
}

/* KIS itself has no masters behind its real-time port; a look-alike has. */
static nb_err open_masters(nb__plant *plant, const nb__plant_config *config, nb_error *error)
{
    const nb__feed_config *first = &config->feeds[0];
    bool has_server = first->replay == NULL && (first->live == NULL || !first->live->is_builtin);
    plant->masters.loaded = masters_loaded;
    plant->masters.disk = disk_trouble;
    plant->masters.self = plant;
    plant->masters.ca_file = first->live == NULL ? NULL : first->live->ca_file;
    return nb__masters_init(&plant->masters, plant->loop, config,
                            has_server ? &first->address : NULL, error);
}

static void print_feed_name(nb__plant *plant)
{
    const char *url = plant->feeds[0].url;
    if (plant->feed_count == 1)
        snprintf(plant->feed_name, sizeof plant->feed_name, "%s", url);
    else
        snprintf(plant->feed_name, sizeof plant->feed_name, "%u appkeys at %s",
                 (unsigned)plant->feed_count, url);
}

static nb_err open_all(nb__plant *plant, const nb__plant_config *config, nb_error *error)
{
    if (config->feed_count < 1 || config->feed_count > NB__PLAN_SESSIONS_MAX)
        return nb__fail(error, NB_E_ARGUMENT, 0, "1 to %d appkeys, not %u", NB__PLAN_SESSIONS_MAX,
                        (unsigned)config->feed_count);
    plant->clock = nb__session_clock_live();
    plant->clock.kind = config->feeds[0].kind;
    plant->keeper.tell = keeper_tells;
    plant->keeper.self = plant;
    nb_err err = allocate(plant, config, error);
    if (err == NB_OK)
        err = nb__scribe_open(plant, config, error);
    if (err == NB_OK)
        err = open_feeds(plant, config, error);
    if (err == NB_OK)
        err = open_plan(plant, config, error);
    if (err == NB_OK)
        err = open_masters(plant, config, error);
    if (err == NB_OK)
        err = nb__keeper_open(&plant->keeper, plant->loop, config, plant->topics, &plant->clock,
                              error);
    if (err == NB_OK && config->feeds[0].replay != NULL)
        err = nb__player_open(plant, config->feeds[0].replay, error);
    return err;
}

nb_err nb__plant_open(nb__loop *loop, const nb__plant_config *config, nb__plant **out,
                      nb_error *error)
{
    nb__plant *plant = calloc(1, sizeof *plant);
    if (plant == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    nb__plant_config full = *config;
    if (full.topics_max == 0)
        full.topics_max = TOPICS_MAX;
    plant->loop = loop;
    plant->calendar = config->calendar;
    plant->plan_timer.fire = plan_timer_fired;
    plant->loss_timer.fire = loss_timer_fired;
    plant->hook.turn_end = turn_ended;
    nb_err err = open_all(plant, &full, error);
    if (err != NB_OK) {
        nb__plant_close(plant);
        return err;
    }
    print_feed_name(plant);
    compose_reason(plant);
    nb__hook_add(loop, &plant->hook);
    nb__latency_hook(plant);
    plant->is_open = plant->has_news = true;
    *out = plant;
    return NB_OK;
}

void nb__plant_shutdown(nb__plant *plant)
{
    plant->is_shut = true;
    nb__player_shut(plant);
    for (uint32_t i = 0; i < plant->feed_count; i++)
        nb__feed_shut(&plant->feeds[i]);
}

void nb__plant_close(nb__plant *plant)
{
    if (plant == NULL)
        return;
    if (plant->is_open) {
        nb__hook_remove(plant->loop, &plant->hook);
        nb__latency_unhook(plant);
    }
    nb__timer_cancel(plant->loop, &plant->plan_timer);
    nb__timer_cancel(plant->loop, &plant->loss_timer);
    nb__scribe_close(plant);
    nb__player_close(plant);
    nb__keeper_close(&plant->keeper);
    nb__plan_free(plant->plan);
    nb__master_fini(&plant->traded);
    nb__masters_fini(&plant->masters);
    for (uint32_t i = 0; i < plant->feed_count; i++)
        nb__feed_close(&plant->feeds[i]);
    nb__codes_fini(&plant->codes);
    nb__books_free(plant->books);
    nb__topics_free(plant->topics);
    free(plant->feed_of);
    free(plant->feeds);
    free(plant);
}

void nb__plant_add_sink(nb__plant *plant, const nb__sink *sink)
{
    if (plant->sink_count < SINKS_MAX)
        plant->sinks[plant->sink_count++] = *sink;
    nb__latency_hook(plant);
}

void nb__plant_on_notice(nb__plant *plant, void (*tell)(void *self, const nb__notice *notice),
                         void *self)
{
    plant->tell = tell;
    plant->tell_self = self;
}

/* ---- what clients want ---- */

nb_err nb__plant_want(nb__plant *plant, uint32_t topic)
{
    check_code(plant, topic);
    nb_err err = nb__plan_want(plant->plan, topic, nb__loop_mono_ns(plant->loop));
    stir_all(plant);
    return err;
}

void nb__plant_release(nb__plant *plant, uint32_t topic)
{
    nb__plan_release(plant->plan, topic, nb__loop_mono_ns(plant->loop));
    plant->has_news = true;
    stir_all(plant);
}
