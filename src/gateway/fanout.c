/* SPDX-License-Identifier: Apache-2.0 */
/* Clients, and the flush: at a turn's end all that a client has pending leaves in one write. */
#include "fanout.h"
#include <stdlib.h>
#include <string.h>

nb_err fan_init(fan *f, const nb__gateway_config *config, const fan_io *io, const nb__topics *names,
                nb__gateway_counters *counters)
{
    uint32_t client_max = config->server.connections_max > 0 ? config->server.connections_max : 1;
    *f = (fan){.io = *io,
               .names = names,
               .counters = counters,
               .pending_max = config->pending_max,
               .client_max = client_max,
               .free_count = 0};
    nb_err err = ring_init(&f->ring, config->ring_bytes, config->ring_messages);
    if (err != NB_OK)
        return err;
    f->clients = calloc(client_max, sizeof(fan_client *));
    f->free_indexes = malloc(client_max * sizeof *f->free_indexes);
    f->dirty = malloc(client_max * sizeof *f->dirty);
    f->stars = malloc(client_max * sizeof *f->stars);
    if (f->clients != NULL && f->free_indexes != NULL && f->dirty != NULL && f->stars != NULL)
        return NB_OK;
    fan_fini(f);
    return NB_E_MEMORY;
}

void fan_fini(fan *f)
{
    for (uint32_t i = 0; i < f->topic_count; i++) {
        free(f->topics[i].subscribers);
        free(f->topics[i].last);
    }
    free(f->topics);
    free(f->clients);
    free(f->free_indexes);
    free(f->dirty);
    free(f->stars);
    ring_fini(&f->ring);
    *f = (fan){0};
}

/* ---- clients ---- */

bool fan_join(fan *f, fan_client *c)
{
    if (f->free_count == 0 && f->client_top == f->client_max)
        return false;
    c->index = f->free_count > 0 ? f->free_indexes[--f->free_count] : f->client_top++;
    c->dirty_at = c->star_at = FAN_NONE;
    c->missed_from = UINT64_MAX;
    f->clients[c->index] = c;
    f->tidy_count += c->is_tidy;
    if (c->is_tidy && !f->keeps_tidy)
        fan_tidy_last(f);
    return true;
}

static void unmark_dirty(fan *f, fan_client *c)
{
    if (c->dirty_at == FAN_NONE)
        return;
    uint32_t last = f->dirty[--f->dirty_count];
    f->dirty[c->dirty_at] = last;
    f->clients[last]->dirty_at = c->dirty_at;
    c->dirty_at = FAN_NONE;
}

void fan_leave(fan *f, fan_client *c)
{
    c->is_gone = true;
    while (c->subscription_count > 0)
        fan_unsubscribe(f, c, &c->subscriptions[c->subscription_count - 1]);
    unmark_dirty(f, c);
    f->tidy_count -= c->is_tidy;
    f->clients[c->index] = NULL;
    f->free_indexes[f->free_count++] = c->index;
    free(c->list);
    free(c->subscriptions);
    c->list = NULL;
    c->subscriptions = NULL;
    c->list_count = c->list_capacity = c->subscription_capacity = 0;
}

void fan_mark_dirty(fan *f, fan_client *c)
{
    if (c->dirty_at != FAN_NONE || c->is_gone)
        return;
    c->dirty_at = f->dirty_count;
    f->dirty[f->dirty_count++] = c->index;
}

/* ---- gathering ---- */

static void add_piece(fan *f, fan_run *run, nb_span bytes)
{
    struct iovec *last = run->iov_count > 0 ? &f->iov[run->iov_count - 1] : NULL;
    if (last != NULL && (const char *)last->iov_base + last->iov_len == bytes.data)
        last->iov_len += bytes.size_bytes;
    else
        f->iov[run->iov_count++] = (struct iovec){(char *)bytes.data, bytes.size_bytes};
    run->size_bytes += bytes.size_bytes;
    run->message_count++;
}

/* As much as one write can hold. @return false: the ring has overwritten some of it. */
static bool gather(fan *f, const fan_client *c, fan_walk *walk)
{
    f->run = (fan_run){0};
    nb_span bytes;
    while (f->run.iov_count < FAN_IOV_MAX) {
        fan_step step = fan_walk_next(f, c, walk, &bytes);
        if (step != FAN_STEP_MESSAGE)
            return step == FAN_STEP_END;
        add_piece(f, &f->run, bytes);
    }
    return true;
}

/* `*` clients at the same place want the same bytes: gathered for one, it serves the next. */
static bool is_plain_star(const fan_client *c)
{
    return c->star_mask != 0 && c->list_count == 0 && c->catch_up == FAN_CATCH_NONE;
}

static bool gather_shared(fan *f, const fan_client *c, fan_walk *walk)
{
    fan_run *run = &f->run;
    if (run->mask == c->star_mask && run->from == c->cursor && run->is_tidy == c->is_tidy &&
        run->to == f->ring.head && run->from >= f->ring.tail) {
        walk->cursor = run->to;
        return true;
    }
    if (!gather(f, c, walk))
        return false;
    run->mask = c->star_mask;
    run->from = c->cursor;
    run->to = walk->cursor;
    run->is_tidy = c->is_tidy;
    return true;
}

/* ---- writing ---- */

/* The kernel took a part: go there, and let the peer's queue finish the message that is cut. */
static void take_part(fan *f, fan_client *c, size_t taken)
{
    fan_walk walk = fan_walk_begin(c);
    nb_span bytes;
    while (taken > 0 && fan_walk_next(f, c, &walk, &bytes) == FAN_STEP_MESSAGE) {
        f->counters->deliveries++;
        if (bytes.size_bytes <= taken) {
            taken -= bytes.size_bytes;
            continue;
        }
        f->io.queue(c->peer, (nb_span){bytes.data + taken, bytes.size_bytes - taken});
        taken = 0;
    }
    fan_walk_commit(c, &walk);
    c->is_blocked = true;
}

static void take_all(fan *f, fan_client *c, const fan_walk *walk)
{
    f->counters->deliveries += f->run.message_count;
    fan_walk_commit(c, walk);
}

static bool write_run(fan *f, fan_client *c, const fan_walk *walk)
{
    size_t taken = 0;
    if (f->io.write(c->peer, f->iov, f->run.iov_count, &taken) != NB_OK) {
        c->is_gone = true;
        return false;
    }
    f->counters->writes++;
    f->counters->delivered_bytes += taken;
    if (taken > 0)
        c->sent_ns = f->now_ns;
    if (taken == f->run.size_bytes) {
        take_all(f, c, walk);
        return true;
    }
    take_part(f, c, taken);
    return false;
}

/* A round of catching up is over. @return whether what was missed meanwhile makes another. */
static bool next_round(fan_client *c)
{
    if (c->catch_up == FAN_CATCH_CONFLATE && c->missed_from != UINT64_MAX) {
        c->catch_since = c->missed_from;
        c->missed_from = UINT64_MAX;
        c->catch_next = 0;
        return true;
    }
    c->catch_up = FAN_CATCH_NONE;
    c->catch_next = 0;
    return false;
}

/* @return whether there may be more to do. */
static bool flush_some(fan *f, fan_client *c)
{
    if (c->catch_up == FAN_CATCH_CONFLATE && !fan_absorb(f, c)) {
        c->is_slow = true;
        return false;
    }
    fan_walk walk = fan_walk_begin(c);
    if (!(is_plain_star(c) ? gather_shared(f, c, &walk) : gather(f, c, &walk))) {
        c->is_slow = !c->is_conflating || !fan_absorb(f, c);
        return !c->is_slow;
    }
    if (f->run.iov_count == 0) {
        fan_walk_commit(c, &walk);
        return next_round(c);
    }
    return write_run(f, c, &walk);
}

/* A blocked `*` client does not see its backlog grow: look for it. */
static void check_backlog(fan *f, fan_client *c)
{
    if (c->star_mask == 0)
        return;
    uint64_t backlog = f->ring.head - c->cursor;
    bool is_lost = c->cursor < f->ring.tail;
    if (c->is_conflating &&
        (is_lost || c->catch_up == FAN_CATCH_CONFLATE || backlog >= FAN_CONFLATE_AT))
        c->is_slow |= !fan_absorb(f, c);
    else if (is_lost)
        c->is_slow = true;
}

static void flush_client(fan *f, fan_client *c)
{
    unmark_dirty(f, c);
    if (c->is_blocked)
        check_backlog(f, c);
    else
        while (!c->is_gone && flush_some(f, c))
            continue;
    if (c->is_slow && !c->is_gone) {
        c->is_gone = true;
        f->counters->slow_closed++;
        f->io.slow(f->io.self, c);
    }
}

void fan_flush(fan *f)
{
    f->io.sync(f->io.self);
    if (f->ring.head != f->flushed_head)
        for (uint32_t i = f->star_count; i-- > 0;)
            if (i < f->star_count)
                flush_client(f, f->clients[f->stars[i]]);
    while (f->dirty_count > 0)
        flush_client(f, f->clients[f->dirty[f->dirty_count - 1]]);
    f->flushed_head = f->ring.head;
    f->flushed_at_bytes = f->ring.at_bytes;
}

void fan_writable(fan *f, fan_client *c)
{
    c->is_blocked = false;
    fan_mark_dirty(f, c);
}
