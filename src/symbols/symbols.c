/* SPDX-License-Identifier: Apache-2.0 */
/* What can be said of a code. */
#include "symbols/symbols.h"
