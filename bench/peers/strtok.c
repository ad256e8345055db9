/* SPDX-License-Identifier: Apache-2.0 */
/* How a C program without a library decodes a record: strtok_r, strtod, strtol, nothing checked. */
#include "peers.h"
#include <stdlib.h>
#include <string.h>

double peer_strtok_decode(char *text)
{
    double prices[10], sum = 0;
    long counts[26];
    char *rest = NULL;
    int index = 0;
    for (char *field = strtok_r(text, "^", &rest); field != NULL;
         field = strtok_r(NULL, "^", &rest)) {
        if (index >= 2 && index < 12)
            prices[index - 2] = strtod(field, NULL);
        else if (index >= 12 && index < 38)
            counts[index - 12] = strtol(field, NULL, 10);
        index++;
    }
    for (int i = 0; i < 10; i++)
        sum += prices[i];
    for (int i = 0; i < 26; i++)
        sum += (double)counts[i];
    return sum;
}
