#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Chance for the pauses between tries; kept out of retry.c, which is pure. */

#include <stdint.h>

/** jitter_random() - uniform over 0 … UINT32_MAX; good enough to spread nodes, not for keys */
uint32_t jitter_random(void);
