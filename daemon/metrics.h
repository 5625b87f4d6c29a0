#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* GET /metrics: Prometheus text exposition format, version 0.0.4. */

#include "manager-private.h"
#include "util/buf.h"

/** metrics_write() - everything there is to count, at any moment of the daemon's life; 0 or -ENOMEM */
int metrics_write(const Manager *manager, Buf *text);
