/* SPDX-License-Identifier: Apache-2.0 */
/** client, L5: the door is the public header; other rooms use the client as any program does. */
#ifndef NB_CLIENT_H
#define NB_CLIENT_H

#include <nightbook/client.h>

#endif
