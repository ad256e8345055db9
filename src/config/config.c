/* SPDX-License-Identifier: Apache-2.0 */
/* The settings. */
#include "config/config.h"
