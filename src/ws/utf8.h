/* SPDX-License-Identifier: Apache-2.0 */
/** UTF-8 that arrives in pieces, refused at the first byte that cannot belong to it. */
#ifndef NB_WS_UTF8_H
#define NB_WS_UTF8_H

#include "ws/ws.h"

/** Read a further piece. @return false at the first wrong byte; the state is then of no use. */
bool nb__ws_utf8_feed(nb__ws_utf8 *utf8, nb_span piece);

#endif
