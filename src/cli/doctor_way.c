/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: the files with secrets, and the way to KIS: names, TLS, and whose clock is right. */
#include "doctor.h"
#include "https/https.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ANSWER_MAX 65536
#define TIMEOUT_NS (10 * NB__NS_PER_S)
#define OFFSET_WARN_S 2  /* Date tells whole seconds */
#define OFFSET_FAIL_S 60 /* a trade date may be wrong */

/* ---- files ---- */

static void check_file(nb__doctor *doctor, const char *path)
{
    struct stat info;
    if (path == NULL || stat(path, &info) != 0)
        return;
    if (nb__file_has_no_modes(path)) {
        nb__doctor_say(doctor, NB__VERDICT_WARN, "secrets",
                       "move it below your Linux home (~) and chmod 600 it there",
                       "%.200s is on a file system where chmod has no effect: others on this "
                       "machine may read it",
                       path);
        return;
    }
    nb__doctor_say(doctor, NB__VERDICT_OK, "secrets", NULL, "%.200s has mode %04o", path,
                   (unsigned)info.st_mode & 07777);
}

void nb__doctor_check_files(nb__doctor *doctor)
{
    const nb__settings *settings = doctor->serve.settings;
    const char *devlp = nb__settings_text(settings, "kis-devlp");
    const char *origin = doctor->serve.configuration.appkeys[0].origin; /* "PATH:LINE" */
    size_t before = doctor->check_count;
    if (nb__settings_file_has_secrets(settings))
        check_file(doctor, nb__configuration_path(settings));
    if (devlp != NULL && strncmp(origin, devlp, strlen(devlp)) == 0)
        check_file(doctor, devlp);
    check_file(doctor, nb__settings_text(settings, "client-key-file"));
    if (doctor->check_count == before)
        nb__doctor_say(doctor, NB__VERDICT_OK, "secrets", NULL,
                       "from the environment; no file holds one");
}

/* ---- names ---- */

static bool check_name(nb__doctor *doctor, const char *host)
{
    char found[256];
    nb_error error = {0};
    if (nb__host_lookup(host, found, sizeof found, &error) != NB_OK) {
        nb__doctor_say(doctor, NB__VERDICT_FAIL, "dns",
                       "is there a network? resolvectl status, /etc/resolv.conf", "%s",
                       error.detail);
        return false;
    }
    bool is_here = nb__host_is_loopback(found) && !nb__host_is_loopback(host);
    bool is_told = nb__settings_text(doctor->serve.settings, "ops-address") != NULL;
    if (is_here && !is_told) {
        nb__doctor_say(
            doctor, NB__VERDICT_FAIL, "dns",
            "/etc/hosts sends it to this machine; give KIS's real number with ops_address",
            "%.100s is %s", host, found);
        return false;
    }
    nb__doctor_say(doctor, NB__VERDICT_OK, "dns", NULL, "%.100s is %s%s", host, found,
                   is_here ? " here; ops_address is used" : "");
    return true;
}

/* ---- TLS and the clock ---- */

typedef struct exchange {
    bool is_done;
    int status;
    int64_t date_s, begin_ns, end_ns; /* real time */
    nb_error error;
} exchange;

static void answered(void *self, const nb__https_answer *answer)
{
    exchange *x = self;
    x->is_done = true;
    x->status = answer->status;
    x->date_s = answer->date_s;
    x->error = answer->error;
    x->end_ns = nb__clock_real_ns();
}

/* Any answer will do: it is the handshake and the Date that are looked at. */
static void ask(nb__doctor *doctor, exchange *x)
{
    nb__address address = doctor->serve.configuration.approval;
    snprintf(address.path, sizeof address.path, "/");
    const nb__https_request request = {.method = "GET",
                                       .address = &address,
                                       .ca_file =
                                           nb__settings_text(doctor->serve.settings, "ca-file"),
                                       .body_max_bytes = ANSWER_MAX,
                                       .timeout_ns = TIMEOUT_NS};
    nb__loop *loop = NULL;
    nb__https *https = NULL;
    nb_err err = nb__loop_new(&loop, &x->error);
    x->begin_ns = nb__clock_real_ns();
    if (err == NB_OK)
        err = nb__https_start(loop, &request, answered, x, &https, &x->error);
    while (err == NB_OK && !x->is_done)
        err = nb__loop_turn(loop, 100);
    if (loop != NULL)
        nb__loop_free(loop);
}

static void check_tls(nb__doctor *doctor, const exchange *x)
{
    const nb__address *address = &doctor->serve.configuration.approval;
    if (x->status == 0)
        nb__doctor_say(
            doctor, NB__VERDICT_FAIL, "tls",
            x->error.code != NB_E_PROTOCOL && x->error.code != NB_E_CONFIG
                ? "nobody answers there: is the network up, does a firewall let the port out?"
                : "a proxy that opens TLS, or a clock that is years off? ca_file names other "
                  "authorities",
            "%s", x->error.detail);
    else
        nb__doctor_say(doctor, NB__VERDICT_OK, "tls", NULL, "%.100s:%u %s", address->host,
                       address->port,
                       address->is_tls ? "answers; its certificate is good"
                                       : "answers, without TLS: this machine");
}

static void check_clock(nb__doctor *doctor, const exchange *x)
{
    static const char todo[] =
        "sudo timedatectl set-ntp true (WSL: wsl --shutdown, then start it again)";
    if (x->status == 0 || x->date_s == 0) {
        nb__doctor_say(doctor, NB__VERDICT_SKIP, "clock", NULL, "KIS's clock was not to be had");
        return;
    }
    int64_t middle_ns = x->begin_ns + (x->end_ns - x->begin_ns) / 2;
    int64_t offset_s =
        (middle_ns - x->date_s * NB__NS_PER_S) / NB__NS_PER_S; /* Date is cut to seconds */
    int64_t apart_s = offset_s < 0 ? -offset_s : offset_s;
    nb__verdict verdict = apart_s > OFFSET_FAIL_S   ? NB__VERDICT_FAIL
                          : apart_s > OFFSET_WARN_S ? NB__VERDICT_WARN
                                                    : NB__VERDICT_OK;
    nb__doctor_say(
        doctor, verdict, "clock", verdict == NB__VERDICT_OK ? NULL : todo,
        "%" PRId64 " s %s KIS's Date (to the second; the round trip took %" PRId64 " ms)", apart_s,
        offset_s < 0 ? "behind" : "ahead of", (x->end_ns - x->begin_ns) / NB__NS_PER_MS);
}

void nb__doctor_check_way(nb__doctor *doctor)
{
    const nb__configuration *c = &doctor->serve.configuration;
    exchange x = {0};
    ask(doctor, &x);
    check_clock(doctor, &x);
    check_name(doctor, c->link.host);
    if (strcmp(c->approval.host, c->link.host) != 0)
        check_name(doctor, c->approval.host);
    check_tls(doctor, &x);
}
