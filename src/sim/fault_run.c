/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults that strike by time: lines of a script that begin, connections that die, the Friday
 * restart, and all that was held back. One timer, set to what is due first; without faults it is
 * never set.
 */
#include "server.h"

void nb__sim_faults_wake(nb__sim *sim, int64_t at_mono_ns)
{
    if (sim->fault_timer.heap_index == 0 || at_mono_ns < sim->fault_timer.at_mono_ns)
        nb__timer_set(sim->loop, &sim->fault_timer, at_mono_ns);
}

/* ---- strikes ---- */

void nb__sim_fault_tell(const nb__sim *sim, const nb__sim_fault *fault, const char *whom)
{
    if (sim->config.is_talkative)
        nb__log(NB__LOG_INFO, "sim", "fault %s strikes %s", nb__sim_fault_at(fault->kind)->name,
                whom);
}

nb__sim_armed *nb__sim_strike_now(nb__sim *sim, nb__sim_fault_kind kind, const char *whom)
{
    nb__sim_armed *row = nb__sim_schedule_strike(&sim->schedule, kind,
                                                 nb__loop_mono_ns(sim->loop) - sim->start_mono_ns);
    if (row != NULL && whom != NULL)
        nb__sim_fault_tell(sim, &row->fault, whom);
    return row;
}

/* ---- cuts ---- */

/* The first of several cuts is the one. */
static void plan_cut(nb__sim_client *client, nb__sim_armed *row, int64_t now_mono_ns)
{
    nb__sim_line *line = client->line;
    const int64_t *values = row->fault.values;
    int64_t at_mono_ns = nb__sim_armed_draw_ns(row, now_mono_ns + values[0], values[1]);
    if (line == NULL || at_mono_ns >= line->cut_mono_ns)
        return;
    line->cut_mono_ns = at_mono_ns;
    line->cut_kind = row->fault.kind;
    line->half_open_ns = row->fault.kind == NB__FAULT_HALF_OPEN ? values[2] : 0;
    line->is_cut_inside = row->fault.kind != NB__FAULT_HALF_OPEN && values[2] != 0;
    nb__sim_faults_wake(client->sim, at_mono_ns);
}

void nb__sim_faults_opened(nb__sim_client *client)
{
    nb__sim *sim = client->sim;
    int64_t now_mono_ns = nb__loop_mono_ns(sim->loop);
    for (uint32_t i = 0; i < sim->schedule.count; i++) {
        nb__sim_armed *row = &sim->schedule.rows[i];
        if (nb__sim_fault_at(row->fault.kind)->is_cut && row->is_begun &&
            nb__sim_armed_strike(row, now_mono_ns - sim->start_mono_ns))
            plan_cut(client, row, now_mono_ns);
    }
}

static void strike_cut(nb__sim_client *client, int64_t now_mono_ns)
{
    nb__sim_line *line = client->line;
    const nb__sim_fault fault = {.kind = line->cut_kind};
    nb__sim_fault_tell(client->sim, &fault, nb__peer_name(client->peer));
    line->cut_mono_ns = INT64_MAX;
    if (line->is_cut_inside) {
        line->is_tearing = true;
        return;
    }
    nb__sim_line_mute(client);
    client->asked_mono_ns = 0; /* nobody will be asked again */
    switch (line->cut_kind) {
    case NB__FAULT_EOF:
    case NB__FAULT_RST:
        nb__sim_line_end(client);
        break;
    case NB__FAULT_HALF_OPEN:
        line->reset_mono_ns = now_mono_ns + line->half_open_ns;
        nb__peer_pause(client->peer, true);
        nb__peer_mute(client->peer);
        break;
    default: /* NB__FAULT_SILENT */
        nb__peer_mute(client->peer);
        break;
    }
}

static int64_t run_client(nb__sim_client *client, int64_t now_mono_ns)
{
    nb__sim_line *line = client->line;
    if (line->cut_mono_ns <= now_mono_ns)
        strike_cut(client, now_mono_ns);
    int64_t next_ns = nb__sim_line_run(client, now_mono_ns);
    if (line->reset_mono_ns <= now_mono_ns) {
        line->reset_mono_ns = INT64_MAX;
        nb__sim_client_end_session(client);
        nb__peer_reset(client->peer);
    }
    next_ns = line->cut_mono_ns < next_ns ? line->cut_mono_ns : next_ns;
    return line->reset_mono_ns < next_ns ? line->reset_mono_ns : next_ns;
}

/* ---- the Friday restart ---- */

static void restart(nb__sim *sim, int64_t now_mono_ns)
{
    nb_error error = {0};
    sim->restart_mono_ns = INT64_MAX;
    sim->listen_mono_ns = now_mono_ns + sim->refused_ns;
    for (nb__sim_client *client = sim->clients; client != NULL; client = client->next) {
        nb__sim_client_end_session(client);
        nb__peer_close(client->peer, 1001, NB__SPAN("the server restarts"));
    }
    if (nb__server_refuse(sim->server, true, &error) != NB_OK)
        nb__log(NB__LOG_ERROR, "sim", "%s\n  nobody can connect any more", error.detail);
}

static int64_t run_restart(nb__sim *sim, int64_t now_mono_ns)
{
    if (sim->restart_mono_ns <= now_mono_ns)
        restart(sim, now_mono_ns);
    if (sim->listen_mono_ns <= now_mono_ns) {
        nb_error error = {0};
        sim->listen_mono_ns = INT64_MAX;
        if (nb__server_refuse(sim->server, false, &error) != NB_OK)
            nb__log(NB__LOG_ERROR, "sim", "%s\n  nobody can connect any more", error.detail);
    }
    return sim->restart_mono_ns < sim->listen_mono_ns ? sim->restart_mono_ns : sim->listen_mono_ns;
}

/* ---- the timer ---- */

static void begin(nb__sim *sim, nb__sim_armed *row, int64_t now_mono_ns)
{
    const nb__sim_fault *fault = &row->fault;
    const nb__sim_fault_row *what = nb__sim_fault_at(fault->kind);
    if (sim->config.is_talkative && fault->line > 0)
        nb__log(NB__LOG_INFO, "sim", "fault %s begins, line %u of the script", what->name,
                fault->line);
    if (what->is_cut) {
        for (nb__sim_client *client = sim->clients; client != NULL; client = client->next)
            if (nb__sim_armed_strike(row, row->begin_ns))
                plan_cut(client, row, now_mono_ns);
    } else if (fault->kind == NB__FAULT_FRIDAY_RESTART &&
               nb__sim_armed_strike(row, row->begin_ns)) {
        sim->restart_mono_ns = now_mono_ns + fault->values[1];
        sim->refused_ns = fault->values[0];
    }
}

void nb__sim_faults_run(nb__timer *timer, int64_t now_mono_ns)
{
    nb__sim *sim = (nb__sim *)((char *)timer - offsetof(nb__sim, fault_timer));
    nb__sim_armed *row;
    while ((row = nb__sim_schedule_begun(&sim->schedule, now_mono_ns - sim->start_mono_ns)) != NULL)
        begin(sim, row, now_mono_ns);
    int64_t next_ns = nb__sim_schedule_next_ns(&sim->schedule);
    if (next_ns != INT64_MAX)
        next_ns += sim->start_mono_ns;
    int64_t restart_ns = run_restart(sim, now_mono_ns);
    next_ns = restart_ns < next_ns ? restart_ns : next_ns;
    int64_t slow_ns = nb__sim_slow_run(sim, now_mono_ns);
    next_ns = slow_ns < next_ns ? slow_ns : next_ns;
    nb__sim_client *after;
    for (nb__sim_client *client = sim->clients; client != NULL; client = after) {
        after = client->next;
        int64_t client_ns = client->line == NULL ? INT64_MAX : run_client(client, now_mono_ns);
        next_ns = client_ns < next_ns ? client_ns : next_ns;
    }
    if (next_ns != INT64_MAX)
        nb__sim_faults_wake(sim, next_ns);
}
