/* SPDX-License-Identifier: Apache-2.0 */
/* What the wire shows. */
#include "evidence/evidence.h"
