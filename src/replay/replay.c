/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source: one line of the recording is looked at ahead, placed on the timeline, and given out
 * when it is due.
 *
 *     recording ─▶ ahead (a line, its place) ─▶ due? ─▶ item
 *
 * Lines that mean nothing to a plant (PINGPONG, sums, notices) are placed, since they tell the
 * time, and passed over. Links that were up when a recorder ended without a word are given down
 * when the next one begins.
 */
#include "replay.h"
#include "pace.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINKS_MAX 64 /* up at once */
#define REASON_BYTES 300

typedef struct link_row {
    uint32_t link;
    nb__session_clock clock;
} link_row;

struct nb__replay {
    nb__replay_config config; /* its texts are copies below */
    char path[NB__STORE_PATH_MAX];
    nb__recording *recording;
    int night;              /* of the session times: what "23:10" means */
    int64_t from_ns, to_ns; /* session; NB_TIME_UNDEF: open */
    int64_t first_ns, last_ns;
    int64_t begin_ns; /* session time at which this round begins; NB_TIME_UNDEF: its first frame */
    pace pace;
    /* the line ahead */
    bool has_ahead, is_at_end;
    nb__entry ahead;
    int64_t ahead_place_ns, read_recv_ns; /* the last: of the line that was read last */
    nb__replay_kind ahead_kind;
    bool ahead_is_item;
    bool is_placed;  /* a line with a time of the session came: the timeline runs */
    int64_t step_ns; /* clock steps not yet taken out */
    /* what it was when the last line was passed */
    int64_t session_ns, session_place_ns;
    double rate; /* session seconds a recorded second */
    /* links */
    link_row links[LINKS_MAX]; /* those that are up */
    size_t link_count;
    char run[17];
    bool is_run_over;        /* another run begins: links of the last one go down, one a call */
    nb__session_clock clock; /* of the item given out */
    char reason[REASON_BYTES];
    uint64_t frames, rounds, damages;
    bool begins_anew, may_loop; /* the second: a frame came, or the round began in the middle */
};

/* ---- links ---- */

static link_row *find_link(nb__replay *r, uint32_t link)
{
    for (size_t i = 0; i < r->link_count; i++)
        if (r->links[i].link == link)
            return &r->links[i];
    return NULL;
}

static void note_up(nb__replay *r, uint32_t link)
{
    if (find_link(r, link) == NULL && r->link_count < LINKS_MAX)
        r->links[r->link_count++].link = link;
}

static bool note_down(nb__replay *r, uint32_t link)
{
    link_row *row = find_link(r, link);
    if (row != NULL)
        *row = r->links[--r->link_count];
    return row != NULL;
}

/* ---- reading ahead ---- */

/* What a line is for a plant. @return false: nothing. */
static bool classify(nb__replay *r, nb__replay_kind *kind)
{
    const nb__entry *e = &r->ahead;
    nb__journal_start start;
    switch (e->line.kind) {
    case NB__JOURNAL_FRAME:
        *kind = NB__REPLAY_FRAME;
        return true;
    case NB__JOURNAL_CONNECT:
        *kind = NB__REPLAY_UP;
        if (find_link(r, e->line.link) == NULL)
            return true;
        r->is_run_over |= e->link != NULL && !e->link->is_continued; /* its gap was not recorded */
        return r->is_run_over;
    case NB__JOURNAL_GAP:
        *kind = NB__REPLAY_DOWN;
        return true;
    case NB__JOURNAL_ANSWER:
        *kind = NB__REPLAY_END_OF_KEY;
        return true;
    case NB__JOURNAL_DISK:
        *kind = NB__REPLAY_HOLE;
        return true;
    case NB__JOURNAL_START:
        if (nb__journal_start_parse(e->message, &start, NULL) != NB_OK)
            return false;
        r->is_run_over = r->run[0] != '\0' && strcmp(r->run, start.run) != 0;
        memcpy(r->run, start.run, sizeof r->run);
        return false;
    default:
        return false;
    }
}

static double rate_of(const nb__entry *e)
{
    return e->link != NULL && e->link->clock.speed > 0 ? e->link->clock.speed : 1;
}

/* The timeline starts with the first line that has a time of the session: at its distance from
 * where the round begins, or, of one that begins nowhere in particular, with its first frame. */
static void place_first(nb__replay *r)
{
    const nb__entry *e = &r->ahead;
    int64_t away_ns = 0;
    if (e->line.link == 0 || e->session_ns == NB_TIME_UNDEF ||
        (r->begin_ns == NB_TIME_UNDEF && e->line.kind != NB__JOURNAL_FRAME))
        return;
    r->is_placed = true;
    r->rate = rate_of(e);
    if (r->begin_ns == NB_TIME_UNDEF) {
        r->session_ns = e->session_ns;
    } else if (!__builtin_sub_overflow(e->session_ns, r->begin_ns, &away_ns)) {
        away_ns = (int64_t)((double)away_ns / r->rate);
    }
    pace_place_first(&r->pace, e->line.recv_ns, away_ns);
}

static void place(nb__replay *r)
{
    const nb__entry *e = &r->ahead;
    int64_t step_ns = 0;
    if (e->line.kind == NB__JOURNAL_CLOCK &&
        nb__journal_clock_parse(e->message, &step_ns, NULL) == NB_OK &&
        __builtin_add_overflow(r->step_ns, step_ns, &r->step_ns))
        r->step_ns = 0;
    if (e->line.link == 0) {
        /* the recorder's own: nobody waits for them, and of a recorded replay they are of now */
    } else if (r->is_placed) {
        (void)pace_place(&r->pace, e->line.recv_ns, r->step_ns);
        r->step_ns = 0;
    } else {
        r->step_ns = 0;
        place_first(r);
    }
    r->ahead_place_ns = r->pace.place_ns;
}

/* One more line. @return false: there is none, or links of an ended run go down first. */
static void look_ahead(nb__replay *r)
{
    nb_error damage = {0};
    while (!r->has_ahead && !r->is_at_end) {
        switch (nb__recording_next(r->recording, &r->ahead, &damage)) {
        case NB__RECORDING_END:
            r->is_at_end = true;
            break;
        case NB__RECORDING_DAMAGE:
            r->damages++;
            nb__log(NB__LOG_WARN, "replay", "%s\nthe replay goes on behind it", damage.detail);
            snprintf(r->reason, sizeof r->reason, "the recording is damaged here: %s",
                     damage.detail);
            r->has_ahead = true;
            r->ahead_place_ns = r->pace.place_ns;
            r->ahead_kind = NB__REPLAY_HOLE;
            r->ahead_is_item = r->frames > 0;
            r->ahead =
                (nb__entry){.line = {.recv_ns = r->read_recv_ns}, .session_ns = NB_TIME_UNDEF};
            break;
        case NB__RECORDING_LINE:
            r->has_ahead = true;
            r->read_recv_ns = r->ahead.line.recv_ns;
            r->reason[0] = '\0';
            place(r);
            r->ahead_is_item = classify(r, &r->ahead_kind);
            break;
        }
    }
}

/* ---- giving out ---- */

static bool parse_answer(nb__replay *r, nb__replay_item *out)
{
    nb__journal_answer answer;
    if (nb__journal_answer_parse(r->ahead.message, &answer, NULL) != NB_OK ||
        strcmp(answer.rt_cd, "0") != 0 || strcmp(answer.msg_cd, "OPSP0001") != 0)
        return false;
    memcpy(out->tr_id, answer.tr_id, sizeof out->tr_id);
    memcpy(out->tr_key, answer.tr_key, sizeof out->tr_key);
    return true;
}

static bool parse_gap(nb__replay *r, nb__replay_item *out)
{
    nb__journal_gap gap = {.reason = "the link was lost"};
    (void)nb__journal_gap_parse(r->ahead.message, &gap, NULL);
    snprintf(r->reason, sizeof r->reason, "%s", gap.reason);
    out->is_rest = gap.is_rest;
    return note_down(r, r->ahead.line.link);
}

static void parse_disk(nb__replay *r)
{
    nb__journal_disk disk = {.reason = "disk trouble"};
    if (r->ahead.line.kind != NB__JOURNAL_DISK)
        return; /* damage: its words are there */
    (void)nb__journal_disk_parse(r->ahead.message, &disk, NULL);
    snprintf(r->reason, sizeof r->reason, "not recorded: %s", disk.reason);
}

/* @return false: it turned out to be nothing. */
static bool fill(nb__replay *r, nb__replay_item *out)
{
    const nb__entry *e = &r->ahead;
    r->clock = e->link != NULL ? e->link->clock : nb__session_clock_live();
    r->clock.kind = NB__FEED_REPLAY;
    *out = (nb__replay_item){.kind = r->ahead_kind,
                             .recv_ns = e->line.recv_ns,
                             .link = e->line.link,
                             .clock = &r->clock,
                             .reason = r->reason};
    switch (r->ahead_kind) {
    case NB__REPLAY_FRAME:
        out->message = e->message;
        note_up(r, e->line.link); /* after a seek nobody said so */
        r->frames++;
        r->may_loop = true;
        return true;
    case NB__REPLAY_UP:
        note_up(r, e->line.link);
        return true;
    case NB__REPLAY_DOWN:
        return parse_gap(r, out);
    case NB__REPLAY_END_OF_KEY:
        return parse_answer(r, out);
    case NB__REPLAY_HOLE:
        parse_disk(r);
        return true;
    case NB__REPLAY_BEGIN:
        break;
    }
    return true;
}

static void give_begin(nb__replay *r, nb__replay_item *out)
{
    r->begins_anew = false;
    r->clock = nb__session_clock_live();
    r->clock.kind = NB__FEED_REPLAY;
    *out = (nb__replay_item){.kind = NB__REPLAY_BEGIN, .clock = &r->clock, .reason = ""};
}

/* A recorder ended without a word (kill -9): its links went with it. */
static void give_orphan(nb__replay *r, nb__replay_item *out)
{
    link_row row = r->links[--r->link_count];
    snprintf(r->reason, sizeof r->reason, "the recorder ended here");
    r->clock = nb__session_clock_live();
    r->clock.kind = NB__FEED_REPLAY;
    *out = (nb__replay_item){.kind = NB__REPLAY_DOWN,
                             .recv_ns = r->ahead.line.recv_ns,
                             .link = row.link,
                             .clock = &r->clock,
                             .reason = r->reason};
}

static void pass(nb__replay *r, int64_t mono_ns)
{
    const nb__entry *e = &r->ahead;
    pace_passed(&r->pace, r->ahead_place_ns, e->line.kind == NB__JOURNAL_FRAME, mono_ns);
    r->has_ahead = false;
    if (!r->is_placed || e->line.link == 0 || e->session_ns == NB_TIME_UNDEF)
        return;
    r->session_ns = e->session_ns;
    r->session_place_ns = r->ahead_place_ns;
    r->rate = rate_of(e);
}

static nb_err begin_round(nb__replay *r, int64_t begin_ns, int64_t mono_ns, nb_error *error)
{
    int64_t from_ns = begin_ns == NB_TIME_UNDEF ? r->from_ns : begin_ns;
    nb__recording_range range = {.from_ns = from_ns, .to_ns = r->to_ns};
    nb_err err = nb__recording_seek(r->recording, range, error);
    if (err != NB_OK)
        return err;
    pace_begin(&r->pace, mono_ns);
    r->begin_ns = from_ns;
    r->session_ns = from_ns != NB_TIME_UNDEF ? from_ns : r->first_ns;
    r->session_place_ns = r->step_ns = 0;
    r->rate = 1;
    r->has_ahead = r->is_at_end = r->is_placed = r->is_run_over = false;
    r->link_count = 0;
    r->run[0] = '\0';
    r->rounds++;
    r->may_loop = false;
    return NB_OK;
}

/* @return whether another round begins; one without a frame would never end. */
static bool loops(nb__replay *r, int64_t mono_ns)
{
    if (!r->config.is_loop || !r->may_loop)
        return false;
    nb_error error = {0};
    if (begin_round(r, NB_TIME_UNDEF, mono_ns, &error) != NB_OK) {
        nb__log(NB__LOG_WARN, "replay", "cannot begin anew: %s", error.detail);
        r->config.is_loop = false;
        return false;
    }
    r->begins_anew = true;
    return true;
}

nb__replay_step nb__replay_next(nb__replay *r, int64_t mono_ns, nb__replay_item *out,
                                int64_t *due_ns)
{
    for (;;) {
        look_ahead(r);
        if (!r->has_ahead) {
            if (pace_due_ns(&r->pace, 0) == INT64_MAX) { /* it stands; the end can wait, too */
                *due_ns = INT64_MAX;
                return NB__REPLAY_WAIT;
            }
            if (!loops(r, mono_ns))
                return NB__REPLAY_ENDED;
            continue;
        }
        int64_t at_ns = pace_due_ns(&r->pace, r->ahead_place_ns);
        if (at_ns > mono_ns) {
            *due_ns = at_ns;
            return NB__REPLAY_WAIT;
        }
        if (r->begins_anew) {
            give_begin(r, out);
            return NB__REPLAY_ITEM;
        }
        if (r->is_run_over && r->link_count > 0) {
            give_orphan(r, out);
            return NB__REPLAY_ITEM;
        }
        r->is_run_over = false;
        bool is_item = r->ahead_is_item && fill(r, out);
        pass(r, mono_ns);
        if (is_item)
            return NB__REPLAY_ITEM;
    }
}

/* ---- commands ---- */

static int64_t next_place(nb__replay *r)
{
    return r->has_ahead ? r->ahead_place_ns : r->pace.place_ns;
}

void nb__replay_hold(nb__replay *replay, bool is_held, int64_t mono_ns)
{
    pace_hold(&replay->pace, is_held, mono_ns, next_place(replay));
}

void nb__replay_set_speed(nb__replay *replay, double speed, int64_t mono_ns)
{
    pace_set_speed(&replay->pace, speed, mono_ns, next_place(replay));
}

void nb__replay_pause(nb__replay *replay, bool is_paused, int64_t mono_ns)
{
    pace_pause(&replay->pace, is_paused, mono_ns, next_place(replay));
}

void nb__replay_step_frames(nb__replay *replay, uint64_t frames, int64_t mono_ns)
{
    pace_step(&replay->pace, frames, mono_ns, next_place(replay));
}

static void print_range(const nb__replay *r, char from[40], char to[40])
{
    nb__kst_print(from, r->from_ns != NB_TIME_UNDEF ? r->from_ns : r->first_ns, 0);
    nb__kst_print(to, r->to_ns != NB_TIME_UNDEF ? r->to_ns : r->last_ns, 0);
    from[19] = to[19] = '\0';
}

nb_err nb__replay_time_parse(const nb__replay *replay, nb_span words, int64_t *session_ns,
                             nb_error *error)
{
    int64_t at_ns, least_ns = replay->from_ns, most_ns = replay->to_ns;
    nb_err err = nb__night_time_parse(words, replay->config.calendar, replay->night, &at_ns, error);
    if (err != NB_OK)
        return err;
    if (least_ns == NB_TIME_UNDEF && replay->first_ns != NB_TIME_UNDEF)
        least_ns = replay->first_ns - replay->first_ns % NB__NS_PER_S;
    if (most_ns == NB_TIME_UNDEF && replay->last_ns != NB_TIME_UNDEF)
        most_ns = replay->last_ns + 1;
    if ((least_ns != NB_TIME_UNDEF && at_ns < least_ns) ||
        (most_ns != NB_TIME_UNDEF && at_ns >= most_ns)) {
        char from[40], to[40];
        print_range(replay, from, to);
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.*s lies outside of what is played: %s to %s",
                        (int)(words.size_bytes < 40 ? words.size_bytes : 40), words.data, from, to);
    }
    *session_ns = at_ns;
    return NB_OK;
}

nb_err nb__replay_seek(nb__replay *replay, int64_t session_ns, int64_t mono_ns, nb_error *error)
{
    nb_err err = begin_round(replay, session_ns, mono_ns, error);
    replay->begins_anew = false;
    if (err != NB_OK)
        return err;
    replay->rounds--;
    replay->may_loop = true;
    return NB_OK;
}

/* ---- the door ---- */

static nb_err one_night(const char *path, nb_error *error)
{
    nb__catalogue catalogue;
    nb_err err = nb__catalogue_read(path, &catalogue, error);
    if (err != NB_OK)
        return err;
    int first = catalogue.segments[0].night;
    int last = catalogue.segments[catalogue.count - 1].night;
    nb__catalogue_fini(&catalogue);
    if (first == last)
        return NB_OK;
    return nb__fail(error, NB_E_ARGUMENT, 0,
                    "%.200s holds several nights, %d to %d: name one, like %.200s/%d", path, first,
                    last, path, last);
}

static nb_err parse_range(nb__replay *r, nb_error *error)
{
    const nb__replay_config *c = &r->config;
    nb_err err = NB_OK;
    if (c->from != NULL)
        err = nb__night_time_parse(nb__span(c->from), c->calendar, r->night, &r->from_ns, error);
    if (err == NB_OK && c->to != NULL)
        err = nb__night_time_parse(nb__span(c->to), c->calendar, r->night, &r->to_ns, error);
    if (err != NB_OK)
        return err;
    int64_t least_ns = r->from_ns != NB_TIME_UNDEF ? r->from_ns : r->first_ns;
    int64_t most_ns = r->to_ns != NB_TIME_UNDEF ? r->to_ns : r->last_ns;
    bool is_empty = r->first_ns == NB_TIME_UNDEF || least_ns > r->last_ns ||
                    (r->to_ns != NB_TIME_UNDEF && (most_ns <= least_ns || most_ns <= r->first_ns));
    if (!is_empty)
        return NB_OK;
    char from[40], to[40];
    if (r->first_ns == NB_TIME_UNDEF)
        return nb__fail(error, NB_E_NOT_FOUND, 0, "there is nothing recorded in it");
    nb__kst_print(from, r->first_ns, 0);
    nb__kst_print(to, r->last_ns, 0);
    return nb__fail(error, NB_E_ARGUMENT, 0,
                    "nothing was recorded between these times; the recording is of %.19s to %.19s",
                    from, to);
}

static nb_err open_recording(nb__replay *r, int64_t mono_ns, nb_error *error)
{
    nb_err err = one_night(r->path, error);
    if (err == NB_OK)
        err = nb__recording_open(r->path, &r->recording, error);
    if (err != NB_OK)
        return err;
    nb__recording_bounds(r->recording, &r->first_ns, &r->last_ns);
    r->night = r->first_ns == NB_TIME_UNDEF ? nb__recording_night(r->recording)
                                            : nb_trade_date(r->config.calendar, r->first_ns);
    err = parse_range(r, error);
    return err == NB_OK ? begin_round(r, NB_TIME_UNDEF, mono_ns, error) : err;
}

nb_err nb__replay_open(const nb__replay_config *config, int64_t mono_ns, nb__replay **out,
                       nb_error *error)
{
    nb__replay *r = calloc(1, sizeof *r);
    if (r == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    r->config = *config;
    r->from_ns = r->to_ns = r->first_ns = r->last_ns = NB_TIME_UNDEF;
    r->pace = (pace){.speed = config->speed, .is_paused = config->is_paused};
    nb_err err = nb__span_copy(nb__span(config->path), r->path, sizeof r->path)
                     ? open_recording(r, mono_ns, error)
                     : nb__fail(error, NB_E_ARGUMENT, 0, "the path is too long");
    r->config.path = r->path;
    r->config.from = r->config.to = NULL;
    if (err != NB_OK) {
        nb__replay_close(r);
        return err;
    }
    *out = r;
    return NB_OK;
}

void nb__replay_close(nb__replay *replay)
{
    if (replay == NULL)
        return;
    if (replay->recording != NULL)
        nb__recording_close(replay->recording);
    free(replay);
}

/* ---- what it is ---- */

static int64_t session_at(nb__replay *r, int64_t mono_ns)
{
    if (r->session_ns == NB_TIME_UNDEF)
        return NB_TIME_UNDEF;
    int64_t away_ns = pace_at(&r->pace, mono_ns, next_place(r)) - r->session_place_ns;
    int64_t session_ns;
    if (__builtin_add_overflow(r->session_ns, (int64_t)((double)away_ns * r->rate), &session_ns))
        return r->session_ns;
    return session_ns;
}

static double progress_of(const nb__replay *r, const nb__replay_view *view)
{
    int64_t most_ns = view->to_ns < r->last_ns ? view->to_ns : r->last_ns;
    if (view->is_ended)
        return 1;
    if (view->session_ns == NB_TIME_UNDEF || most_ns <= view->from_ns ||
        view->session_ns <= view->from_ns)
        return 0;
    double part = (double)(view->session_ns - view->from_ns) / (double)(most_ns - view->from_ns);
    return part < 1 ? part : 1;
}

nb__replay_view nb__replay_look(nb__replay *r, int64_t mono_ns, int64_t real_ns)
{
    const pace *p = &r->pace;
    nb__replay_view view = {.path = r->path,
                            .night = r->night,
                            .recorded = nb__recording_feed_kind(r->recording),
                            .from_ns = r->from_ns != NB_TIME_UNDEF ? r->from_ns : r->first_ns,
                            .to_ns = r->to_ns != NB_TIME_UNDEF ? r->to_ns : r->last_ns,
                            .speed = p->speed,
                            .is_paused = p->is_paused,
                            .is_held = p->is_held,
                            .is_ended = r->is_at_end && !r->has_ahead && !r->config.is_loop,
                            .is_loop = r->config.is_loop,
                            .steps_left = p->steps_left,
                            .frames = r->frames,
                            .rounds = r->rounds,
                            .damages = r->damages};
    view.session_ns = session_at(r, mono_ns);
    view.progress = progress_of(r, &view);
    bool is_moving = !p->is_paused && !p->is_held && !view.is_ended && !isinf(p->speed);
    view.clock = (nb__session_clock){
        .kind = NB__FEED_REPLAY,
        .at_real_ns = real_ns,
        .at_session_ns = view.session_ns != NB_TIME_UNDEF ? view.session_ns : real_ns,
        .speed = is_moving ? p->speed * r->rate : 0};
    return view;
}
