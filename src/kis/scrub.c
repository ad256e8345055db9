/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets out of texts for people: KIS repeats the approval key in some of its messages. */
#include "kis/kis.h"
#include <string.h>

/* bytes; shorter ones would tear holes into ordinary words, and "***" must fit in their place */
#define SECRET_MIN 4

void nb__scrub(char *text, const char *secret)
{
    size_t secret_bytes = secret == NULL ? 0 : strlen(secret);
    if (secret_bytes < SECRET_MIN)
        return;
    char *const end = text + strlen(text);
    char *to = text, *from = text;
    for (char *hit; (hit = strstr(from, secret)) != NULL; from = hit + secret_bytes) {
        size_t before_bytes = (size_t)(hit - from);
        memmove(to, from, before_bytes);
        memcpy(to + before_bytes, "***", 3);
        to += before_bytes + 3;
    }
    size_t rest_bytes = (size_t)(end - from);
    memmove(to, from, rest_bytes);
    to += rest_bytes;
    explicit_bzero(to, (size_t)(end - to)); /* nothing of it stays behind the new end */
    *to = '\0';
}
