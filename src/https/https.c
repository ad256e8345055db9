/* SPDX-License-Identifier: Apache-2.0 */
/* HTTPS over libcurl. */
#include "https/https.h"
