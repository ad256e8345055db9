/* SPDX-License-Identifier: Apache-2.0 */
/* What libcurl found, in words for people: look-up, connect, TLS, time and size told apart. */
#include "words.h"
#include <errno.h>
#include <string.h>
#include <time.h>

/* OpenSSL's results of a verification (X509_V_ERR_*, part of its stable interface). */
enum {
    CERTIFICATE_RIGHT = 0,
    CERTIFICATE_NO_RESULT = 1, /* libcurl's start value: it refused before or after the chain */
    CERTIFICATE_NOT_YET_VALID = 9,
    CERTIFICATE_EXPIRED = 10,
    CERTIFICATE_SELF_SIGNED = 18,
    CERTIFICATE_SELF_SIGNED_CHAIN = 19,
    CERTIFICATE_ISSUER_UNKNOWN = 20,
    CERTIFICATE_LEAF_ONLY = 21,
    CERTIFICATE_OTHER_HOST = 62,
    CERTIFICATE_OTHER_NUMBER = 64
};

static void certificate_words(const nb__https_end *end, nb_error *error)
{
    long result = 0;
    char now[40];
    struct timespec clock;
    curl_easy_getinfo(end->easy, CURLINFO_SSL_VERIFYRESULT, &result);
    switch (result) {
    case CERTIFICATE_EXPIRED:
    case CERTIFICATE_NOT_YET_VALID:
        clock_gettime(CLOCK_REALTIME, &clock);
        nb__kst_print(now, clock.tv_sec * NB__NS_PER_S, 0);
        nb__fail(error, NB_E_PROTOCOL, 0,
                 "its certificate %s; if this machine's clock (%s) is wrong, set it",
                 result == CERTIFICATE_EXPIRED ? "has expired" : "is not valid yet", now);
        break;
    case CERTIFICATE_SELF_SIGNED:
    case CERTIFICATE_SELF_SIGNED_CHAIN:
    case CERTIFICATE_ISSUER_UNKNOWN:
    case CERTIFICATE_LEAF_ONLY:
        nb__fail(error, NB_E_PROTOCOL, 0,
                 "its certificate is signed by an authority not known here: install "
                 "ca-certificates; if something on the way (a company's proxy) opens TLS, add its "
                 "authority to this machine's");
        break;
    case CERTIFICATE_RIGHT:
    case CERTIFICATE_NO_RESULT:
    case CERTIFICATE_OTHER_HOST:
    case CERTIFICATE_OTHER_NUMBER:
        nb__fail(error, NB_E_PROTOCOL, 0,
                 "its certificate is for another name: does a hosts file or a proxy send this "
                 "name elsewhere?");
        break;
    default:
        nb__fail(error, NB_E_PROTOCOL, 0, "its certificate is refused: %.120s", end->reason);
    }
}

static void connect_words(const nb__https_end *end, nb_error *error)
{
    long reason = 0;
    curl_easy_getinfo(end->easy, CURLINFO_OS_ERRNO, &reason);
    if (reason == ECONNREFUSED)
        nb__fail(error, NB_E_REFUSED, 0, "Connection refused: nothing listens there");
    else if (reason == ETIMEDOUT)
        nb__fail(error, NB_E_TIMEOUT, 0, "no connection: nothing answers there");
    else
        nb__fail(error, NB_E_SYSTEM, 0, "no connection: %s",
                 reason > 0 && strerrordesc_np((int)reason) != NULL ? strerrordesc_np((int)reason)
                                                                    : end->reason);
}

/* What was being waited for when the time was over. */
static void timeout_words(const nb__https_end *end, nb_error *error)
{
    curl_off_t looked_up = 0, agreed = 0, took_us = 0;
    char *peer = NULL; /* set when TCP stands; libcurl's "connect time" counts TLS in */
    curl_easy_getinfo(end->easy, CURLINFO_NAMELOOKUP_TIME_T, &looked_up);
    curl_easy_getinfo(end->easy, CURLINFO_PRIMARY_IP, &peer);
    curl_easy_getinfo(end->easy, CURLINFO_APPCONNECT_TIME_T, &agreed);
    curl_easy_getinfo(end->easy, CURLINFO_TOTAL_TIME_T, &took_us);
    const char *words = "no whole answer";
    if (looked_up == 0)
        words = "the name was not looked up (do the name servers answer?)";
    else if (peer == NULL || peer[0] == '\0')
        words = "no connection";
    else if (agreed == 0 && strncmp(end->name, "https", 5) == 0)
        words = "TLS was not agreed on";
    nb__fail(error, NB_E_TIMEOUT, 0, "%s within %lld ms", words, (long long)(took_us / 1000));
}

void nb__https_words(const nb__https_end *end, nb_error *error)
{
    switch (end->result) {
    case CURLE_COULDNT_RESOLVE_HOST:
        nb__fail(error, NB_E_SYSTEM, 0,
                 "the name cannot be looked up: is it right, is the network up?");
        break;
    case CURLE_COULDNT_CONNECT:
        connect_words(end, error);
        break;
    case CURLE_OPERATION_TIMEDOUT:
        timeout_words(end, error);
        break;
    case CURLE_FILESIZE_EXCEEDED:
        nb__fail(error, NB_E_LIMIT, end->body_max_bytes,
                 "its answer is larger than the %zu bytes that are taken", end->body_max_bytes);
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
        certificate_words(end, error);
        break;
    case CURLE_SSL_CACERT_BADFILE:
        nb__fail(error, NB_E_CONFIG, 0, "the file of authorities cannot be used: %.150s",
                 end->reason);
        break;
    case CURLE_SSL_CONNECT_ERROR:
        nb__fail(error, NB_E_PROTOCOL, 0, "TLS cannot be agreed on: %.150s", end->reason);
        break;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        nb__fail(error, NB_E_CLOSED, 0, "it disconnected before its answer was whole");
        break;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
        nb__fail(error, NB_E_PROTOCOL, 0, "that is no answer in HTTP: %.150s", end->reason);
        break;
    case CURLE_OUT_OF_MEMORY:
        nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
        break;
    default:
        nb__fail(error, NB_E_SYSTEM, 0, "%s", curl_easy_strerror(end->result));
    }
    nb__fail_in(error, "%.100s", end->name);
}
