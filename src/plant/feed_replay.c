/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A feed whose server is a recording: what the session asks for is answered here as KIS would, at
 * once. Every key is taken, since who asks for one that was not recorded learns it as at KIS: it
 * stays silent. The frames come from the player.
 */
#include "feed.h"
#include "player.h"
#include <stdio.h>
#include <string.h>

#define FOR_EVER_NS (INT64_MAX / 4) /* a paused replay is silent */

nb_err nb__replay_feed_open(nb__feed *feed, const char *path)
{
    snprintf(feed->url, sizeof feed->url, "replay:%.*s", (int)(sizeof feed->url - 8), path);
    snprintf(feed->name, sizeof feed->name, "%s", feed->url);
    feed->is_replay = true;
    return NB_OK;
}

void nb__replay_feed_close(nb__feed *feed)
{
    nb__text_fini(&feed->answer);
}

nb__session_config nb__replay_session_config(uint32_t topics_max)
{
    nb__session_config config = nb__session_config_default();
    config.registrations_max = topics_max;
    config.request_gap_ns = 0;
    config.watchdog_ns = FOR_EVER_NS;
    config.connects_max = 0;
    return config;
}

/* The iv and key are of no use: nothing that is recorded is encrypted. */
static void answer(nb__feed *feed, const nb__action *action)
{
    static const char iv[] = "0000000000000000", key[] = "00000000000000000000000000000000";
    nb__request request;
    nb__opsp code;
    if (nb__client_message_parse(action->text, &request, &code) != NB__CLIENT_REQUEST)
        return;
    code = request.is_register ? NB__OPSP_SUBSCRIBED : NB__OPSP_UNSUBSCRIBED;
    nb__text_clear(&feed->answer);
    nb__answer_print(code, &request.topic, iv, key, &feed->answer);
    if (!feed->answer.is_failed)
        (void)nb__session_on_message(feed->session, nb__text_view(&feed->answer),
                                     nb__feed_now_ns(feed));
    explicit_bzero(&request, sizeof request);
}

void nb__replay_feed_act(nb__feed *feed, const nb__action *action)
{
    int64_t now_ns = nb__feed_now_ns(feed);
    switch (action->kind) {
    case NB__ACT_APPROVE:
        nb__session_on_approved(feed->session, "replay", now_ns);
        break;
    case NB__ACT_CONNECT:
        nb__session_on_opened(feed->session, now_ns);
        break;
    case NB__ACT_SEND_TEXT:
        answer(feed, action);
        break;
    case NB__ACT_DISCONNECT:
        nb__session_on_closed(feed->session, "closed", now_ns);
        break;
    default:
        break; /* the others are the feed's own */
    }
}
