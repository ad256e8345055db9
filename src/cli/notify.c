/* SPDX-License-Identifier: Apache-2.0 */
/* notify: one JSON line to the user's program, rate-limited, never waiting for it. */
#include "notify.h"
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define RUN_TIMEOUT_NS (30 * NB__NS_PER_S)

static nb__notify_row *row_of(nb__notify *notify, const nb__notice *notice, int64_t now_mono_ns)
{
    const char *feed = notice->feed != NULL ? notice->feed : "";
    nb__notify_row *oldest = &notify->rows[0];
    for (uint32_t i = 0; i < notify->row_count; i++) {
        nb__notify_row *row = &notify->rows[i];
        if (row->kind == notice->kind && strncmp(row->feed, feed, sizeof row->feed - 1) == 0)
            return row;
        if (row->told_mono_ns < oldest->told_mono_ns)
            oldest = row;
    }
    nb__notify_row *row =
        notify->row_count < NB__NOTIFY_ROWS_MAX ? &notify->rows[notify->row_count++] : oldest;
    *row = (nb__notify_row){.kind = notice->kind, .told_mono_ns = now_mono_ns - NB__NOTIFY_GAP_NS};
    snprintf(row->feed, sizeof row->feed, "%s", feed);
    return row;
}

bool nb__notify_is_due(nb__notify *notify, const nb__notice *notice, int64_t now_mono_ns,
                       uint32_t *left_out)
{
    nb__notify_row *row = row_of(notify, notice, now_mono_ns);
    if (now_mono_ns - row->told_mono_ns < NB__NOTIFY_GAP_NS) {
        row->left_out++;
        return false;
    }
    *left_out = row->left_out;
    row->left_out = 0;
    row->told_mono_ns = now_mono_ns;
    return true;
}

void nb__notify_print(const nb__notice *notice, uint32_t left_out, nb__text *out)
{
    char time[40];
    nb__kst_print(time, notice->recv_ns, 0);
    nb__text_printf(out, "{\"time\":\"%s\",\"event\":\"%s\",\"feed\":", time,
                    nb__notice_name(notice->kind));
    nb__text_json(out, nb__span(notice->feed));
    nb__text_string(out, ",\"detail\":");
    nb__text_json(out, nb__span(notice->detail));
    nb__text_printf(out, ",\"left_out\":%u}\n", (unsigned)left_out);
}

static void ended(void *self, int status)
{
    nb__notify *notify = self;
    notify->running_count--;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    if (WIFSIGNALED(status))
        nb__log(NB__LOG_WARN, "notify",
                "the notify command was ended by signal %d\n"
                "it has 30 s; try it by hand with a line on its input",
                WTERMSIG(status));
    else
        nb__log(NB__LOG_WARN, "notify",
                "the notify command ended with %d\n"
                "try it by hand with a line on its standard input",
                WEXITSTATUS(status));
}

void nb__notify_tell(void *self, const nb__notice *notice)
{
    nb__notify *notify = self;
    uint32_t left_out;
    nb__text line = {0};
    nb_error error;
    if (notify->command == NULL)
        return;
    int64_t now_mono_ns = nb__loop_mono_ns(notify->loop);
    if (notify->running_count >= NB__NOTIFY_RUNNING_MAX) {
        row_of(notify, notice, now_mono_ns)->left_out++; /* the next one of its kind says so */
        return;
    }
    if (!nb__notify_is_due(notify, notice, now_mono_ns, &left_out))
        return;
    nb__notify_print(notice, left_out, &line);
    if (nb__child_run(notify->loop, notify->command, nb__text_view(&line), RUN_TIMEOUT_NS, ended,
                      notify, &error) == NB_OK)
        notify->running_count++;
    else
        nb__log(NB__LOG_WARN, "notify", "the notify command cannot be run: %s", error.detail);
    nb__text_fini(&line);
}
