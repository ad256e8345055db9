/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds as to KIS: several appkeys, the lock, memory across restarts, whom we never connect to,
 * approvals that fail, hours, and what people are told. */
#include "plant/inside.h"
#include "rig.h"
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#define SECRET "a-secret-that-nobody-may-see"

static char appkeys[2][40]; /* the lock is one for all of this machine: names of this process */

static void make_live(rig *r, uint32_t index)
{
    static const char *const names[] = {"main", "second"};
    snprintf(appkeys[index], sizeof appkeys[index], "PSTEST%d-%u", (int)getpid(), (unsigned)index);
    nb__live_config *live = &r->lives[index];
    *live = (nb__live_config){.appkey = appkeys[index],
                              .secret = SECRET,
                              .hours = NB__HOURS_ALWAYS,
                              .state_directory = r->directory};
    live->approval = r->feeds[0].address;
    live->approval.is_ws = false;
    snprintf(live->approval.path, sizeof live->approval.path, "/oauth2/Approval");
    r->feeds[index] = r->feeds[0];
    r->feeds[index].kind = NB__FEED_LIVE;
    r->feeds[index].name = names[index];
    r->feeds[index].live = live;
}

static int open_live(void **state)
{
    if (open_rig(state) != 0)
        return -1;
    make_live(*state, 0);
    return 0;
}

static void point_at_kis(rig *r, const char *ops_address)
{
    r->lives[0].is_builtin = true;
    r->lives[0].ops_address = ops_address;
    assert_int_equal(
        nb__address_parse("ws://ops.koreainvestment.com:21000", &r->feeds[0].address, NULL), NB_OK);
}

static void restart(rig *r)
{
    stop(r);
    start(r);
}

/* ---- the way to KIS ---- */

static void approval_link_and_the_clock_of_another_address(void **state)
{
    rig *r = *state;
    start(r);
    UNTIL(r, r->ups == 1 && r->asked_count == 3);
    assert_int_equal(r->approvals, 1);
    assert_non_null(strstr(r->approval_body, "\"secretkey\":\"" SECRET "\""));
    assert_non_null(strstr(r->approval_body, appkeys[0]));
    assert_false(r->is_wrong_key);
    assert_int_equal(nb__plant_clock(r->plant)->kind, NB__FEED_SIM); /* as its header says */
    nb__feed_view view = nb__plant_feed_at(r->plant, 0);
    assert_string_equal(view.name, "main");
    assert_string_equal(view.address, r->url);
    assert_int_equal(strlen(view.appkey_hash), 16);
    assert_true(view.is_up && view.is_live);
    assert_true(nb__plant_is_up(r->plant));
    assert_string_equal(nb__plant_reason(r->plant), "");
    assert_int_equal(nb__plant_down_ns(r->plant), 0);
}

static void two_appkeys_share_the_keys_and_lose_only_their_own(void **state)
{
    rig *r = *state;
    r->feeds[0].session.registrations_max = 2;
    make_live(r, 1);
    r->config.feed_count = 2;
    start(r);
    UNTIL(r, r->ups == 2 && r->asked_count == 3);
    assert_int_equal(r->approvals, 2);
    assert_non_null(strstr(nb__plant_feed_name(r->plant), "2 appkeys at ws://127.0.0.1:"));
    uint32_t topics[2];
    for (uint32_t feed = 0; feed < 2; feed++) { /* a record over each link */
        char text[300];
        snprintf(text, sizeof text, "0|H0EUASP0|001|B0161290%u^" BOOK, (unsigned)feed + 1);
        int frames = r->frames;
        nb__peer_send_text(r->peers[feed], nb__span(text));
        UNTIL(r, r->frames == frames + 1);
        char key[16];
        snprintf(key, sizeof key, "B0161290%u", (unsigned)feed + 1);
        topics[r->frame_feed] = topic_of(r, key);
    }
    assert_int_not_equal(topics[0], topics[1]);
    nb__peer_abort(r->peers[0]);
    UNTIL(r, r->downs == 1);
    uint32_t lost = r->mark_feed;
    const nb__books *books = nb__plant_books(r->plant);
    assert_true(nb__books_at(books, topics[lost])->quote.flags & NB_BOOK_STALE);
    assert_false(nb__books_at(books, topics[1 - lost])->quote.flags & NB_BOOK_STALE);
    assert_false(nb__plant_is_up(r->plant));
    assert_non_null(strstr(nb__plant_reason(r->plant), "1 of 2 appkeys down: "));
    assert_non_null(strstr(nb__plant_reason(r->plant), lost == 0 ? "main" : "second"));
    UNTIL(r, r->ups == 3);
    assert_int_equal(r->mark_feed, lost);
    assert_true(nb__plant_is_up(r->plant));
}

/* ---- lock and memory ---- */

static void an_appkey_is_held_once(void **state)
{
    rig *r = *state;
    nb__plant *second = NULL;
    nb_error error = {0};
    start(r);
    assert_int_equal(nb__plant_open(r->loop, &r->config, &second, &error), NB_E_BUSY);
    assert_null(second);
    assert_non_null(strstr(error.detail, "main"));
    assert_null(strstr(error.detail, appkeys[0]));
    restart(r); /* given back with the plant */
}

static void the_budget_outlives_the_plant(void **state)
{
    rig *r = *state;
    r->feeds[0].session.connects_max = 2;
    r->feeds[0].session.connects_window_ns = 600 * NB__NS_PER_S;
    start(r);
    UNTIL(r, r->ups == 1);
    restart(r);
    UNTIL(r, r->ups == 2);
    restart(r);
    UNTIL(r, notices_of(r, NB__NOTICE_BREAKER) == 1);
    for (int i = 0; i < 20; i++)
        nb__loop_turn(r->loop, 5);
    assert_int_equal(r->approvals, 2);
    assert_int_equal(r->opened, 2);
    assert_int_equal(nb__session_state_of(session_of(r, 0)), NB__SESSION_WAITING);
    assert_non_null(strstr(nb__plant_reason(r->plant), "budget"));
}

static void a_broken_memory_counts_as_spent(void **state)
{
    rig *r = *state;
    char hash[17], path[128];
    r->feeds[0].session.connects_max = 4;
    nb__appkey_hash(appkeys[0], hash);
    snprintf(path, sizeof path, "%s/appkey-%s.state", r->directory, hash);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("attempts=none\n", file);
    fclose(file);
    start(r);
    UNTIL(r, nb__session_state_of(session_of(r, 0)) == NB__SESSION_WAITING);
    assert_int_equal(r->approvals, 0);
    assert_true(nb__session_next_try_ns(session_of(r, 0)) > nb__clock_mono_ns() + NB__NS_PER_S);
}

static void a_memory_that_cannot_be_saved_is_told(void **state)
{
    rig *r = *state;
    struct rlimit limit, none;
    r->feeds[0].session.connects_max = 4;
    start(r);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    none = (struct rlimit){0, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    for (int i = 0; i < 20; i++)
        nb__loop_turn(r->loop, 5);
    uint32_t told = notices_of(r, NB__NOTICE_DISK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(told, 1);
    assert_int_equal(r->opened, 0); /* it may be one of a crash loop that cannot remember */
    assert_non_null(strstr(nb__plant_reason(r->plant), "cannot be saved"));
}

/* ---- whom we never connect to ---- */

static void our_own_listener_is_refused(void **state)
{
    rig *r = *state;
    r->config.listen_port = nb__server_port(r->server);
    start(r);
    UNTIL(r, nb__session_state_of(session_of(r, 0)) == NB__SESSION_WAITING);
    assert_int_equal(r->opened, 0);
    assert_int_equal(r->ups, 0);
}

static void a_nightbook_at_kis_address_is_refused(void **state)
{
    rig *r = *state;
    char place[32];
    snprintf(place, sizeof place, "127.0.0.1:%u", (unsigned)nb__server_port(r->server));
    point_at_kis(r, place);
    start(r);
    UNTIL(r, nb__session_state_of(session_of(r, 0)) == NB__SESSION_WAITING);
    assert_int_equal(r->ups, 0);
    assert_int_equal(r->asked_count, 0);
    assert_non_null(strstr(nb__plant_reason(r->plant), "a nightbook answers at KIS's address"));
    UNTIL(r, r->opened >= 2 && r->peer == NULL); /* and again, and closed again */
    assert_int_equal(r->ups, 0);
}

static void what_answers_as_kis_does_at_its_number_is_live(void **state)
{
    rig *r = *state;
    char place[32];
    r->is_clockless = true;
    snprintf(place, sizeof place, "127.0.0.1:%u", (unsigned)nb__server_port(r->server));
    point_at_kis(r, place);
    start(r);
    UNTIL(r, r->ups == 1);
    assert_int_equal(nb__plant_clock(r->plant)->kind, NB__FEED_LIVE);
    assert_int_equal(r->masters, 0); /* none are asked for behind KIS's real-time port */
}

static void kis_name_pointing_here_is_refused(void **state)
{
    rig *r = *state;
    nb__address here = r->feeds[0].address;
    point_at_kis(r, NULL);
    r->feeds[0].address = here; /* as a hosts file would have it */
    r->is_clockless = true;
    start(r);
    UNTIL(r, nb__session_state_of(session_of(r, 0)) == NB__SESSION_WAITING);
    assert_int_equal(r->opened, 0);
}

/* ---- approvals that fail ---- */

static void fail_approval(rig *r, int status, const char *body)
{
    r->approval_status = status;
    r->approval_refusal = body;
    start(r);
    UNTIL(r, r->approvals >= 1 && nb__session_state_of(session_of(r, 0)) == NB__SESSION_WAITING);
}

static void a_locked_appkey_waits_and_is_told(void **state)
{
    rig *r = *state;
    fail_approval(r, 403,
                  "{\"error_code\":\"EGW00103\",\"error_description\":\"wrong key " SECRET "\"}");
    assert_non_null(strstr(nb__plant_reason(r->plant), "EGW00103"));
    assert_null(strstr(nb__plant_reason(r->plant), SECRET));
    assert_int_equal(notices_of(r, NB__NOTICE_APPROVAL), 1);
    assert_non_null(strstr(r->notices[0].detail, "check the appkey"));
    assert_null(strstr(r->notices[0].detail, SECRET));
    assert_string_equal(r->notices[0].feed, "main");
    int64_t wait_ns = nb__session_next_try_ns(session_of(r, 0)) - nb__clock_mono_ns();
    assert_true(wait_ns > 30 * NB__NS_PER_S);
    restart(r); /* and the wait is not forgotten */
    for (int i = 0; i < 20; i++)
        nb__loop_turn(r->loop, 5);
    assert_int_equal(r->approvals, 1);
}

static void trouble_at_kis_is_tried_again_without_a_notice(void **state)
{
    rig *r = *state;
    fail_approval(r, 500, "oops");
    UNTIL(r, r->approvals >= 2);
    assert_int_equal(notices_of(r, NB__NOTICE_APPROVAL), 0);
    r->approval_status = 0;
    UNTIL(r, r->ups == 1);
}

/* ---- hours ---- */

static void hours_rest_and_wake_with_a_fresh_key(void **state)
{
    rig *r = *state;
    start(r);
    UNTIL(r, r->ups == 1 && r->asked_count == 3);
    nb__feed *feed = &r->plant->feeds[0];
    feed->live.config.hours = NB__HOURS_NIGHT;
    nb__hours_follow(feed, nb__kst_ns(20261121, 120000)); /* Saturday noon */
    UNTIL(r, r->downs == 1);
    UNTIL(r, nb__session_state_of(session_of(r, 0)) == NB__SESSION_RESTING);
    assert_non_null(strstr(nb__plant_reason(r->plant), "until Mon 17:45 KST"));
    assert_false(nb__plant_is_up(r->plant));
    assert_int_equal(nb__plant_down_ns(r->plant), 0); /* a rest is no loss */
    nb__hours_follow(feed, nb__kst_ns(20261123, 174459));
    for (int i = 0; i < 20; i++)
        nb__loop_turn(r->loop, 5);
    assert_int_equal(r->opened, 1);
    nb__hours_follow(feed, nb__kst_ns(20261123, 174500));
    UNTIL(r, r->ups == 2);
    assert_int_equal(r->approvals, 2);
}

/* KIS ends every link at 07:50, and what comes after is another session with a key of its own. */
static void a_new_session_follows_the_stop_with_a_fresh_key(void **state)
{
    rig *r = *state;
    start(r);
    UNTIL(r, r->ups == 1 && r->asked_count == 3);
    nb__feed *feed = &r->plant->feeds[0];
    nb__hours_follow(feed, nb__kst_ns(20261124, 74000));
    nb__hours_follow(feed, nb__kst_ns(20261124, 74500)); /* the same session */
    nb__peer_abort(r->peer);
    UNTIL(r, r->ups == 2);
    int approvals = r->approvals;
    nb__hours_follow(feed, nb__kst_ns(20261124, 75500));
    nb__peer_abort(r->peer);
    UNTIL(r, r->ups == 3);
    assert_int_equal(r->approvals, approvals + 1);
}

static void a_live_feed_outside_its_hours_does_not_connect(void **state)
{
    rig *r = *state;
    nb_calendar *closed = NULL;
    nb__text text = {0};
    int date = nb__kst_civil(nb__clock_real_ns()).date;
    for (int days = -3; days <= 3; days++) {
        int day = nb__date_add(date, days);
        nb__text_printf(&text, "%04d-%02d-%02d closed\n", day / 10000, day / 100 % 100, day % 100);
    }
    assert_int_equal(nb_calendar_parse(nb__text_view(&text), &closed, NULL), NB_OK);
    nb__text_fini(&text);
    r->lives[0].hours = NB__HOURS_BOTH;
    r->config.calendar = closed;
    start(r);
    UNTIL(r, nb__session_state_of(session_of(r, 0)) == NB__SESSION_RESTING);
    for (int i = 0; i < 20; i++)
        nb__loop_turn(r->loop, 5);
    assert_int_equal(r->approvals, 0);
    assert_int_equal(r->opened, 0);
    stop(r);
    nb_calendar_free(closed);
}

static void the_forced_stop_is_no_failure(void **state)
{
    rig *r = *state;
    start(r);
    UNTIL(r, r->ups == 1);
    nb__hours_follow(&r->plant->feeds[0], nb__kst_ns(20261124, 74900));
    nb__peer_abort(r->peer);
    UNTIL(r, r->downs == 1);
    assert_int_equal(nb__session_state_of(session_of(r, 0)), NB__SESSION_WAITING);
    int64_t wait_ns = nb__session_next_try_ns(session_of(r, 0)) - nb__clock_mono_ns();
    assert_true(wait_ns > 200 * NB__NS_PER_S && wait_ns < 300 * NB__NS_PER_S);
}

/* ---- what people are told ---- */

static void a_loss_is_told_after_a_minute_and_its_end_once(void **state)
{
    rig *r = *state;
    start(r);
    UNTIL(r, r->ups == 1);
    nb__feed *feed = &r->plant->feeds[0];
    r->feeds[0].session.backoff_min_ns = 0;
    feed->lost_since_ns = NB_TIME_UNDEF; /* it has been up for a while */
    nb__plant_shutdown(r->plant);
    UNTIL(r, !nb__plant_is_up(r->plant));
    feed->is_shut = r->plant->is_shut = false;
    nb__session_wake(feed->session, nb__feed_now_ns(feed));
    assert_true(nb__tell_loss(feed) > nb__feed_now_ns(feed) + 50 * NB__NS_PER_S);
    feed->lost_since_ns -= 61 * NB__NS_PER_S;
    assert_true(nb__plant_down_ns(r->plant) > 60 * NB__NS_PER_S);
    nb__tell_loss(feed);
    nb__tell_loss(feed);
    assert_int_equal(notices_of(r, NB__NOTICE_LINK_LOST), 1);
    nb__feed_stir(feed);
    UNTIL(r, r->ups == 2);
    assert_int_equal(notices_of(r, NB__NOTICE_LINK_BACK), 0); /* it may be refused at once */
    UNTIL(r, nb__plant_down_ns(r->plant) == 0);
    feed->up_since_ns -= 11 * NB__NS_PER_S;
    feed->lost_since_ns -= 11 * NB__NS_PER_S;
    nb__tell_loss(feed);
    nb__tell_loss(feed);
    assert_int_equal(notices_of(r, NB__NOTICE_LINK_BACK), 1);
    assert_int_equal(notices_of(r, NB__NOTICE_LINK_LOST), 1);
}

/* OPSP8996 comes after the link opened, as the answer to the first request. */
static void a_link_that_opens_to_be_refused_stays_down(void **state)
{
    rig *r = *state;
    start(r);
    UNTIL(r, r->asked_count == 3 && nb__plant_down_ns(r->plant) == 0);
    r->is_mute = true;
    nb__peer_abort(r->peer);
    UNTIL(r, r->ups == 2 && r->asked_count == 4);
    r->plant->feeds[0].lost_since_ns -= 61 * NB__NS_PER_S;
    assert_true(nb__plant_is_up(r->plant));
    assert_true(nb__plant_down_ns(r->plant) > 60 * NB__NS_PER_S);
    nb__topic topic = *nb__topics_at(nb__plant_topics(r->plant), topic_of(r, r->asked[0]));
    nb__text text = {0};
    nb__answer_print(NB__OPSP_IN_USE, &topic, NULL, NULL, &text);
    nb__peer_send_text(r->peer, nb__text_view(&text));
    nb__text_fini(&text);
    UNTIL(r, r->downs == 2);
    assert_true(nb__plant_down_ns(r->plant) > 60 * NB__NS_PER_S);
}

static void an_appkey_in_use_is_told_once_and_waited_out(void **state)
{
    rig *r = *state;
    r->answer = NB__OPSP_IN_USE;
    start(r);
    UNTIL(r, notices_of(r, NB__NOTICE_IN_USE) == 1);
    assert_non_null(strstr(nb__plant_reason(r->plant), "OPSP8996"));
    int64_t wait_ns = nb__session_next_try_ns(session_of(r, 0)) - nb__clock_mono_ns();
    assert_true(wait_ns > 45 * NB__NS_PER_S);
    r->answer = NB__OPSP_SUBSCRIBED;
    int opened = r->opened;
    restart(r);
    for (int i = 0; i < 20; i++)
        nb__loop_turn(r->loop, 5);
    assert_int_equal(r->opened, opened);
}

static void a_refusal_is_told_once_a_code(void **state)
{
    rig *r = *state;
    r->answer = NB__OPSP_BAD_TR_KEY;
    start(r);
    UNTIL(r, r->asked_count == 3 && nb__session_count(session_of(r, 0))->answers_refused == 3);
    for (int i = 0; i < 5; i++)
        nb__loop_turn(r->loop, 5);
    assert_int_equal(notices_of(r, NB__NOTICE_REFUSED), 1);
    assert_non_null(strstr(r->notices[0].detail, "OPSP8992"));
}

/* Order notices are registered under the user's HTS id. KIS's own words for a wrong one are CP949:
 * they are an answer all the same. */
static void an_hts_id_is_not_told(void **state)
{
    rig *r = *state;
    nb__topic topic;
    r->config.plan.nearest_max = 0;
    r->is_mute = true;
    start(r);
    UNTIL(r, r->ups == 1);
    assert_true(nb__topic_make(NB__SPAN("H0EUCNI0"), NB__SPAN("my-hts-id"), &topic));
    uint32_t index = nb__topics_intern(nb__plant_topics(r->plant), &topic);
    assert_int_equal(nb__plant_want(r->plant, index), NB_OK);
    UNTIL(r, r->asked_count == 1);
    nb__peer_send_bytes(r->peer,
                        NB__SPAN("\x81\x7b"
                                 "{\"header\":{\"tr_id\":\"(null)\",\"tr_key\":\"\","
                                 "\"encrypt\":\"N\"},\"body\":{\"rt_cd\":\"9\",\"msg_cd\":"
                                 "\"OPSP0017\",\"msg1\":\"ERROR : htsid\xb0\xa1\xc0\xdf\"}}"));
    UNTIL(r, nb__plant_registration(r->plant, index)->state == NB__REG_REJECTED);
    UNTIL(r, notices_of(r, NB__NOTICE_REFUSED) == 1);
    assert_non_null(strstr(r->notices[0].detail, "H0EUCNI0 ***: OPSP0017 ERROR : htsid가잘"));
    assert_null(strstr(r->notices[0].detail, "my-hts-id"));
    assert_int_equal(nb__plant_count(r->plant)->other_messages, 0);
}

static void closing_in_every_early_state_is_clean(void **state)
{
    rig *r = *state;
    for (int turns = 0; turns < 12; turns++) {
        start(r);
        for (int i = 0; i < turns; i++)
            nb__loop_turn(r->loop, 1);
        stop(r);
        nb__loop_turn(r->loop, 0);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_live, close_rig)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(approval_link_and_the_clock_of_another_address),
        T(two_appkeys_share_the_keys_and_lose_only_their_own),
        T(an_appkey_is_held_once),
        T(the_budget_outlives_the_plant),
        T(a_broken_memory_counts_as_spent),
        T(a_memory_that_cannot_be_saved_is_told),
        T(our_own_listener_is_refused),
        T(a_nightbook_at_kis_address_is_refused),
        T(what_answers_as_kis_does_at_its_number_is_live),
        T(kis_name_pointing_here_is_refused),
        T(a_locked_appkey_waits_and_is_told),
        T(trouble_at_kis_is_tried_again_without_a_notice),
        T(hours_rest_and_wake_with_a_fresh_key),
        T(a_new_session_follows_the_stop_with_a_fresh_key),
        T(a_live_feed_outside_its_hours_does_not_connect),
        T(the_forced_stop_is_no_failure),
        T(a_loss_is_told_after_a_minute_and_its_end_once),
        T(a_link_that_opens_to_be_refused_stays_down),
        T(an_appkey_in_use_is_told_once_and_waited_out),
        T(an_hts_id_is_not_told),
        T(a_refusal_is_told_once_a_code),
        T(closing_in_every_early_state_is_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
