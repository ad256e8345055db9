/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a feed to KIS itself needs beyond a socket: the appkey's lock, which no other process of
 * this machine may hold; its memory (connect budget, waits), written before every attempt, so that
 * a crash or a restart loop never makes connects faster; the approval over TLS; and a link that
 * never goes to ourselves.
 */
#include "feed.h"
#include <stdio.h>
#include <string.h>

#define APPROVAL_TIMEOUT_NS (15 * NB__NS_PER_S)
#define APPROVAL_MAX 8192
#define USER_TIMEOUT_NS (40 * NB__NS_PER_S) /* bytes that nobody acknowledges: the link is dead */
#define BODY_MAX 4096                       /* appkey and secret, each byte escaped */

static void approval_done(void *self, const nb__https_answer *answer)
{
    nb__feed *feed = self;
    feed->live.approval = NULL;
    nb__feed_on_approval(feed, answer->status, answer->body, &answer->error);
}

void nb__live_ask_approval(nb__feed *feed)
{
    const nb__live_config *live = &feed->live.config;
    nb_error error = {0};
    nb__text body = {0};
    nb__text_reserve(&body, BODY_MAX); /* at once: a buffer that grows leaves the secret behind */
    nb__approval_request_print(live->appkey, live->secret, &body);
    const nb__https_request request = {.method = "POST",
                                       .address = &live->approval,
                                       .content_type = "application/json; utf-8",
                                       .body = nb__text_view(&body),
                                       .ca_file = live->ca_file,
                                       .body_max_bytes = APPROVAL_MAX,
                                       .timeout_ns = APPROVAL_TIMEOUT_NS};
    nb_err err = body.is_failed ? nb__fail(&error, NB_E_MEMORY, 0, "memory is exhausted")
                                : nb__https_start(feed->loop, &request, approval_done, feed,
                                                  &feed->live.approval, &error);
    if (body.data != NULL)
        explicit_bzero(body.data, body.capacity_bytes);
    nb__text_fini(&body);
    if (err != NB_OK)
        nb__feed_approval_unasked(feed, &error);
}

/* A numeric ops_address was written down by the user, for a hosts file that points KIS's name here
 * or for a tunnel: only then may KIS's own name lie on this machine. */
nb__link_options nb__live_link_options(const nb__feed *feed)
{
    const nb__live_config *live = &feed->live.config;
    bool is_numeric = live->ops_address != NULL && live->ops_address[0] != '\0';
    return (nb__link_options){.numeric = live->ops_address,
                              .refused_port = feed->live.listen_port,
                              .refuses_loopback = live->is_builtin && !is_numeric,
                              .user_timeout_ns = USER_TIMEOUT_NS};
}

/* ---- the memory ---- */

void nb__live_save(nb__feed *feed)
{
    if (!feed->is_live)
        return;
    nb_error error = {0};
    nb__text memory = {0};
    nb__session_memory_print(feed->session, nb__feed_now_ns(feed), nb__clock_real_ns(), &memory);
    nb_err err = memory.is_failed
                     ? nb__fail(&error, NB_E_MEMORY, 0, "memory is exhausted")
                     : nb__appkey_lock_save(feed->live.lock, nb__text_view(&memory), &error);
    nb__text_fini(&memory);
    if (err == NB_OK) {
        feed->live.is_save_failed = false;
        return;
    }
    nb__session_on_unsaved(feed->session, nb__feed_now_ns(feed));
    if (feed->live.is_save_failed)
        return;
    feed->live.is_save_failed = true;
    nb__log(NB__LOG_WARN, "feed",
            "%s: the connect budget cannot be kept: %s\n"
            "until it can, tries are spread as far apart as the budget allows; make room in %s",
            feed->name, error.detail, feed->live.config.state_directory);
    feed->handler.notice(feed->handler.self, feed, NB__NOTICE_DISK, error.detail);
}

static void remember(nb__feed *feed, nb__text *memory)
{
    nb_error error = {0};
    if (memory->size_bytes == 0)
        return;
    nb__text_string(memory, "\n"); /* a memory is a line; the lock keeps it without its end */
    if (nb__session_memory_parse(feed->session, nb__text_view(memory), nb__clock_mono_ns(),
                                 nb__clock_real_ns(), &error) == NB_OK)
        return;
    nb__log(NB__LOG_WARN, "feed",
            "%s: what is kept of its last connects is not readable: %s\n"
            "the connect budget counts as spent just now, so the first try waits; nothing needs to "
            "be done",
            feed->name, error.detail);
}

/* ---- open and close ---- */

nb_err nb__live_open(nb__feed *feed, const nb__live_config *config, uint16_t listen_port,
                     nb_error *error)
{
    nb__text memory = {0};
    feed->live.config = *config;
    feed->live.listen_port = listen_port;
    nb__appkey_hash(config->appkey, feed->live.appkey_hash);
    nb_err err = nb__appkey_lock_take(config->state_directory, config->appkey, &feed->live.lock,
                                      &memory, error);
    if (err == NB_OK) {
        remember(feed, &memory);
        nb__hours_begin(feed, nb__clock_real_ns());
    } else if (error != NULL) {
        nb__fail_in(error, "appkey %s", feed->name);
    }
    nb__text_fini(&memory);
    return err;
}

void nb__live_close(nb__feed *feed)
{
    nb__timer_cancel(feed->loop, &feed->live.hours_timer);
    if (feed->live.approval != NULL)
        nb__https_cancel(feed->live.approval);
    if (feed->live.lock != NULL)
        nb__appkey_lock_free(feed->live.lock);
    feed->live.lock = NULL;
}
