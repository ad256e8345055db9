/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Who may talk to us, and what an address asks for: Host, Origin, client keys, approval keys, the
 * opt-in segment.
 *
 * Pure: it reads requests and says yes or a status. A page that a browser of this machine has open
 * is the enemy here: its requests carry a foreign Origin, or (after DNS rebinding) a foreign Host.
 */
#ifndef NB_GATEWAY_ACCESS_H
#define NB_GATEWAY_ACCESS_H

#include "gateway/gateway.h"

#define ACCESS_KEY_MAX 63        /**< as long as an appkey field takes */
#define ACCESS_APPROVAL_MAX 4096 /**< approval keys remembered; the oldest give way */
#define ACCESS_APPROVAL_BYTES 37 /**< 36 characters and NUL */

typedef struct access_approval {
    int64_t issued_ns; /**< mono; 0: free */
    uint8_t secret[14];
} access_approval;

typedef struct access {
    char listen_host[256];
    bool is_wildcard; /**< listens on all addresses: any IP literal is ours */
    char hosts[16][256], origins[16][256];
    size_t host_count, origin_count;
    char keys[NB__CLIENT_KEYS_MAX][ACCESS_KEY_MAX + 1]; /**< zero-padded: compared whole */
    size_t key_count;
    access_approval *approvals; /**< ACCESS_APPROVAL_MAX of them, when there are client keys */
    uint32_t approval_next;
} access;

/** @retval NB_E_ARGUMENT  Beyond loopback without client keys, or a key or name that cannot be
 * used. @retval NB_E_MEMORY */
nb_err access_init(access *a, const nb__gateway_config *config, nb_error *error);
void access_fini(access *a);

/** @return 0, 421 (Host) or 403 (Origin), with a static sentence. */
int access_check(const access *a, const nb__http_message *request, const char **detail);

/** What the first path segment `/+word+word…` asks for. */
typedef struct access_options {
    bool last, marks, conflate, tidy, gaps;
    bool has_key;
    nb_span key;  /**< into the path */
    nb_span path; /**< what follows the segment; "/" when nothing does */
} access_options;
/** @return false: `detail` (160 bytes) names the word and the known ones, without a key. */
bool access_options_parse(nb_span path, access_options *out, char detail[160]);
/** The target for a log, without what stands behind any `key=`: `/+last+key=***\/tryitout`. Cut
 * when it does not fit; other than ASCII is '?'. */
void access_mask(nb_span target, char *out, size_t capacity_bytes);

/** In constant time over all keys. */
bool access_has_key(const access *a, nb_span key);
/** `Authorization: Bearer KEY`. */
bool access_bearer(const access *a, const nb__http_message *request);
/** Make an approval key in KIS's form and, where there are client keys, remember it. @param random
 * 16 bytes. */
void access_approval_issue(access *a, const uint8_t random[16], int64_t now_ns,
                           char out[ACCESS_APPROVAL_BYTES]);
/** Whether we issued it within the last 24 hours. */
bool access_approval_known(const access *a, const char *approval_key, int64_t now_ns);

#endif
