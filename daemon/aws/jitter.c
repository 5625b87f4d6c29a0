/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A hundred nodes that start together must not retry together, so the chance has to differ between
 * machines that booted from the same image at the same moment: it is the kernel's. Early in the boot
 * the pool may not be ready, and waiting for it would stall the loop: the clock's low bits then do.
 */

#include "aws/jitter.h"
#include "util/time.h"
#include <sys/random.h>

uint32_t jitter_random(void)
{
    uint32_t value;

    if (getrandom(&value, sizeof(value), GRND_NONBLOCK) == (ssize_t)sizeof(value))
        return value;
    return (uint32_t)(time_monotonic() * 2654435761u);
}
