/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The look-alike's life and what it does by time. The market's frames are made in order and let out
 * when the session clock has reached them: a bounded number a turn, so that a slow machine makes
 * them late and never different.
 *
 * When the night is over, all sessions are dropped without a Close frame, as KIS drops them in the
 * morning, and the next night begins at its 17:50. A client that connects again is told the new
 * clock.
 */
#include "server.h"
#include <stdlib.h>
#include <string.h>

#define FRAMES_A_TURN 2048
#define PUMP_GAP_NS NB__NS_PER_MS /* frames closer together leave together … */
#define PUMP_GAP_FAST_NS (4 * NB__NS_PER_MS)
#define FAST_RATE 10000 /* … and from this rate on more of them: a send costs microseconds */
#define PINGPONG_GAP_NS (100 * NB__NS_PER_MS)
#define REST_MAX_NS (NB__NS_PER_DAY) /* longest sleep, so that sums cannot overflow */

/* ---- the session clock ---- */

/* The loop's clock is read once a turn, so it may lie a little before the night's begin. */
static int64_t session_at(const nb__sim *sim, int64_t mono_ns)
{
    int64_t since_ns = mono_ns > sim->at_mono_ns ? mono_ns - sim->at_mono_ns : 0;
    return sim->clock.at_session_ns + (int64_t)((double)since_ns * sim->clock.speed);
}

static int64_t mono_of(const nb__sim *sim, int64_t session_ns)
{
    double wait_ns = (double)(session_ns - sim->clock.at_session_ns) / sim->clock.speed;
    int64_t now_ns = nb__loop_mono_ns(sim->loop);
    if (wait_ns > (double)(now_ns - sim->at_mono_ns) + (double)REST_MAX_NS)
        return now_ns + REST_MAX_NS;
    return sim->at_mono_ns + (int64_t)wait_ns;
}

int64_t nb__sim_session_ns(const nb__sim *sim)
{
    return session_at(sim, nb__loop_mono_ns(sim->loop));
}

/* ---- nights ---- */

static nb_err begin_night(nb__sim *sim, const nb_night *night, int64_t at_session_ns,
                          nb_error *error)
{
    const nb__market_config config = {.seed = sim->config.seed,
                                      .calendar = sim->config.calendar,
                                      .night = *night,
                                      .start_ns = at_session_ns,
                                      .frames_a_second = sim->config.rate / sim->config.speed,
                                      .keys_max = sim->config.keys_max};
    nb__market *market;
    nb_err err = nb__market_new(&config, &market, error);
    if (err != NB_OK)
        return err;
    uint32_t count = nb__market_chain(market)->count;
    nb__sim_subscribers *subscribers = calloc(count, sizeof *subscribers);
    if (subscribers == NULL) {
        nb__market_free(market);
        return nb__fail(error, NB_E_MEMORY, 0, "no memory for the market's subscribers");
    }
    sim->market = market;
    sim->subscribers = subscribers;
    sim->night = *night;
    sim->at_mono_ns = nb__clock_mono_ns();
    sim->clock = (nb__session_clock){.kind = NB__FEED_SIM,
                                     .at_real_ns = nb__clock_real_ns(),
                                     .at_session_ns = at_session_ns,
                                     .speed = sim->config.speed};
    return NB_OK;
}

static void end_night(nb__sim *sim)
{
    if (sim->market == NULL)
        return;
    for (uint32_t i = 0; i < nb__market_chain(sim->market)->count; i++)
        free(sim->subscribers[i].clients);
    free(sim->subscribers);
    nb__market_free(sim->market);
    sim->subscribers = NULL;
    sim->market = NULL;
}

static void next_night(nb__sim *sim)
{
    nb__sim_client *next;
    for (nb__sim_client *client = sim->clients; client != NULL; client = next) {
        next = client->next;
        nb__sim_client_unregister_all(client);
        nb__peer_abort(client->peer); /* closed() may come now or at the turn's end */
    }
    nb_night night = nb_night_at(sim->config.calendar, sim->night.end_ns + NB__NS_PER_S);
    end_night(sim);
    nb_error error = {0};
    if (begin_night(sim, &night, night.receipt_ns, &error) != NB_OK) {
        nb__log(NB__LOG_ERROR, "sim", "the night that starts on %d: %s\n  the look-alike ends here",
                night.start_date, error.detail);
        nb__loop_stop(sim->loop);
        sim->is_down = true;
        return;
    }
    nb__log(sim->config.is_talkative ? NB__LOG_INFO : NB__LOG_DEBUG, "sim",
            "the night is over; the next one starts on %d", night.start_date);
}

/* ---- by time ---- */

/* By the frame's own time, so that a slow machine damages the same frames. */
static void damage_frame(nb__sim *sim)
{
    sim->damage = (nb__sim_damage){0};
    if (!nb__sim_is_wanted(sim))
        return;
    int64_t since_ns =
        (int64_t)((double)(sim->frame.at_ns - sim->clock.at_session_ns) / sim->clock.speed);
    sim->damage =
        nb__sim_damage_plan(&sim->schedule, sim->at_mono_ns - sim->start_mono_ns + since_ns,
                            sim->config.seed ^ sim->frame.number << 20);
}

static void pump(nb__timer *timer, int64_t now_mono_ns)
{
    nb__sim *sim = (nb__sim *)((char *)timer - offsetof(nb__sim, frame_timer));
    int64_t due_ns = session_at(sim, now_mono_ns), next_ns = nb__market_next_ns(sim->market);
    int made = 0;
    for (; made < FRAMES_A_TURN && next_ns <= due_ns; made++) {
        nb__market_next(sim->market, &sim->frame);
        if (sim->schedule.count > 0)
            damage_frame(sim);
        nb__sim_truth_write(sim);
        nb__sim_deliver(sim, now_mono_ns);
        next_ns = nb__market_next_ns(sim->market);
    }
    if (made > 0)
        nb__sim_truth_flush(sim);
    if (next_ns == INT64_MAX) {
        int64_t over_ns = sim->night.end_ns + NB__SIM_TAIL_NS;
        if (due_ns >= over_ns)
            next_night(sim);
        if (sim->is_down)
            return;
        next_ns = due_ns >= over_ns ? nb__market_next_ns(sim->market) : over_ns;
    }
    int64_t gap_ns = sim->config.rate < FAST_RATE ? PUMP_GAP_NS : PUMP_GAP_FAST_NS;
    int64_t at_ns = mono_of(sim, next_ns),
            soonest_ns = now_mono_ns + (made < FRAMES_A_TURN ? gap_ns : 1);
    nb__timer_set(sim->loop, timer, at_ns > soonest_ns ? at_ns : soonest_ns);
}

static void run_pingpong(nb__timer *timer, int64_t now_mono_ns)
{
    nb__sim *sim = (nb__sim *)((char *)timer - offsetof(nb__sim, pingpong_timer));
    nb__sim_clients_pingpong(sim, now_mono_ns);
    nb__timer_set(sim->loop, timer, now_mono_ns + PINGPONG_GAP_NS);
}

/* ---- life ---- */

nb__sim_config nb__sim_config_default(void)
{
    nb__sim_config config = {.server = nb__server_config_default(),
                             .seed = 1,
                             .registrations_max = 41,
                             .one_session_an_appkey = true,
                             .pingpong_idle_ns = 10 * NB__NS_PER_S,
                             .pingpong_timeout_ns = 100 * NB__NS_PER_S,
                             .speed = 1,
                             .rate = 200,
                             .at_ns = NB_TIME_UNDEF};
    nb__span_copy(NB__SPAN("127.0.0.1"), config.server.listen.host,
                  sizeof config.server.listen.host);
    config.server.listen.port = 31000;
    return config;
}

static int upgrade(void *self, nb__peer *peer, const nb__http_message *request,
                   nb__text *extra_headers, const char **detail)
{
    const nb__sim *sim = self;
    (void)peer;
    (void)request;
    (void)detail;
    char header[128];
    nb__session_clock_print(header, &sim->clock, nb__clock_real_ns());
    nb__text_string(extra_headers, header);
    return 101;
}

static nb_err check_config(const nb__sim_config *config, nb_error *error)
{
    if (!(config->speed >= 0.001 && config->speed <= 1e6))
        return nb__fail(error, NB_E_ARGUMENT, 0, "speed has to lie between 0.001 and 1000000");
    if (!(config->rate >= 0.01 && config->rate <= 1e6))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "rate has to lie between 0.01 and 1000000 frames a second");
    if (config->registrations_max == 0)
        return nb__fail(error, NB_E_ARGUMENT, 0, "registrations has to be at least 1");
    if (config->extra_fields > NB__SIM_EXTRA_FIELDS_MAX)
        return nb__fail(error, NB_E_ARGUMENT, 0, "extra fields: at most %d",
                        NB__SIM_EXTRA_FIELDS_MAX);
    if (config->fault_count > NB__SIM_FAULTS_MAX)
        return nb__fail(error, NB_E_ARGUMENT, 0, "faults: at most %d", NB__SIM_FAULTS_MAX);
    if (config->refusal_count > NB__SIM_REFUSALS_MAX)
        return nb__fail(error, NB_E_ARGUMENT, 0, "refusals: at most %d", NB__SIM_REFUSALS_MAX);
    if (config->pingpong_idle_ns <= 0 || config->pingpong_timeout_ns <= 0)
        return nb__fail(error, NB_E_ARGUMENT, 0, "the times of PINGPONG have to be above 0");
    return NB_OK;
}

/* Where the session clock starts, and the night around that. */
static nb_err find_night(const nb__sim_config *config, nb_night *night, int64_t *at_ns,
                         nb_error *error)
{
    *at_ns = config->at_ns != NB_TIME_UNDEF ? config->at_ns : nb__clock_real_ns();
    *night = nb_night_before(config->calendar, *at_ns);
    if (night->phase == NB_PHASE_CLOSED && config->at_ns != NB_TIME_UNDEF)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "no night session is open at the session time asked for");
    if (night->phase == NB_PHASE_CLOSED)
        *at_ns = night->open_ns;
    return NB_OK;
}

/* The config's list, and extra fields that were asked for by their own name. */
static nb_err arm_faults(nb__sim *sim, nb_error *error)
{
    nb__sim_faults all = {0};
    nb_err err = NB_OK;
    for (uint32_t i = 0; i < sim->config.fault_count && err == NB_OK; i++)
        err = nb__sim_faults_append(&all, &sim->config.faults[i], error);
    if (err == NB_OK && sim->config.extra_fields > 0) {
        nb__sim_fault extra = nb__sim_fault_make(NB__FAULT_EXTRA_FIELDS);
        extra.values[0] = sim->config.extra_fields;
        err = nb__sim_faults_append(&all, &extra, error);
    }
    const nb__sim_start start = {sim->clock.at_session_ns, sim->night.start_date, sim->clock.speed};
    if (err == NB_OK && nb__sim_schedule_init(&sim->schedule, all.items, all.count,
                                              sim->config.seed, &start) != NB_OK)
        err = nb__fail(error, NB_E_MEMORY, 0, "no memory for faults");
    for (uint32_t i = 0; i < sim->schedule.count; i++)
        if (sim->schedule.rows[i].end_ns <= 0)
            nb__log(NB__LOG_WARN, "sim",
                    "line %u of the script lies before the session time at the start\n  it strikes "
                    "nobody; --at sets the start",
                    sim->schedule.rows[i].fault.line);
    nb__sim_faults_fini(&all);
    sim->config.faults = NULL; /* the caller's */
    sim->restart_mono_ns = sim->listen_mono_ns = INT64_MAX;
    sim->start_mono_ns = sim->at_mono_ns;
    return err;
}

static nb_err open_parts(nb__sim *sim, nb_error *error)
{
    nb_night night;
    int64_t at_ns;
    nb_err err = find_night(&sim->config, &night, &at_ns, error);
    if (err == NB_OK && nb__sim_approvals_init(&sim->approvals) != NB_OK)
        err = nb__fail(error, NB_E_MEMORY, 0, "no memory for approval keys");
    if (err == NB_OK)
        err = nb__sim_truth_open(sim, error);
    if (err == NB_OK)
        err = begin_night(sim, &night, at_ns, error);
    if (err == NB_OK)
        err = arm_faults(sim, error);
    if (err != NB_OK)
        return err;
    const nb__server_handler handler = {.self = sim,
                                        .request = nb__sim_request,
                                        .upgrade = upgrade,
                                        .opened = nb__sim_client_opened,
                                        .message = nb__sim_client_message,
                                        .control = nb__sim_client_control,
                                        .alive = nb__sim_client_alive,
                                        .closed = nb__sim_client_closed};
    return nb__server_open(sim->loop, &sim->config.server, &handler, &sim->server, error);
}

nb_err nb__sim_open(nb__loop *loop, const nb__sim_config *config, nb__sim **out, nb_error *error)
{
    nb_err err = check_config(config, error);
    if (err != NB_OK)
        return err;
    nb__sim *sim = calloc(1, sizeof *sim);
    if (sim == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "no memory for the look-alike");
    sim->loop = loop;
    sim->config = *config;
    if (sim->config.calendar == NULL)
        sim->config.calendar = nb_calendar_builtin();
    err = open_parts(sim, error);
    if (err != NB_OK) {
        nb__sim_close(sim);
        return err;
    }
    sim->frame_timer.fire = pump;
    sim->pingpong_timer.fire = run_pingpong;
    sim->fault_timer.fire = nb__sim_faults_run;
    nb__timer_set(loop, &sim->frame_timer, sim->at_mono_ns);
    nb__timer_set(loop, &sim->pingpong_timer, sim->at_mono_ns + PINGPONG_GAP_NS);
    if (sim->schedule.count > 0)
        nb__sim_faults_run(&sim->fault_timer, sim->at_mono_ns);
    *out = sim;
    return NB_OK;
}

uint16_t nb__sim_port(const nb__sim *sim)
{
    return nb__server_port(sim->server);
}

const char *nb__sim_atm_code(nb__sim *sim)
{
    const nb__sim_series *series =
        &nb__market_chain(sim->market)->series[nb__market_atm(sim->market)];
    memcpy(sim->atm_code, series->instrument.code, sizeof sim->atm_code);
    return sim->atm_code;
}

void nb__sim_shutdown(nb__sim *sim)
{
    nb__timer_cancel(sim->loop, &sim->frame_timer);
    nb__timer_cancel(sim->loop, &sim->pingpong_timer);
    nb__timer_cancel(sim->loop, &sim->fault_timer);
    nb__sim_truth_flush(sim);
    nb__server_shutdown(sim->server);
}

void nb__sim_close(nb__sim *sim)
{
    if (sim == NULL)
        return;
    nb__timer_cancel(sim->loop, &sim->frame_timer);
    nb__timer_cancel(sim->loop, &sim->pingpong_timer);
    nb__timer_cancel(sim->loop, &sim->fault_timer);
    nb__sim_slow_fini(sim);
    if (sim->server != NULL)
        nb__server_close(sim->server);
    end_night(sim);
    nb__sim_truth_close(sim);
    nb__sim_approvals_fini(&sim->approvals);
    nb__text_fini(&sim->answer);
    nb__text_fini(&sim->framed);
    nb__sim_schedule_fini(&sim->schedule);
    free(sim);
}
